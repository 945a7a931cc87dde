from __future__ import annotations

import numpy as np

from tests.kinds import Kinds

RNG = np.random.default_rng(0)
PARAMETERS, GRADIENTS = RNG.standard_normal((5, 4)), RNG.standard_normal((3, 5, 4))
SQUARES = "squares of gradients beyond 1e154 overflow; the limits are stated and tested in test_adaptive_methods"
EPSILON = "a matrix shorter than epsilon is left short, as the docstring says; newton_schulz stands below"


def updates(name, **hyperparameters):
    """Take three steps, and give what the last one adds."""

    def call(module, parameters, gradients):
        params = {"w": parameters}
        optimizer = getattr(module, name)(**hyperparameters)
        state = optimizer.init(params)
        for gradient in gradients:
            given, state = optimizer.update({"w": gradient}, state, params)
        return given["w"]

    return call


def optimizer(name, scale=SQUARES, **hyperparameters):
    return Kinds(
        updates(name, **hyperparameters),
        (PARAMETERS, GRADIENTS),
        scale=scale,
        rows="the first axis of the gradients is that of the steps",
        longdouble="kept in the precision of the parameters",
    )


CASES = {
    "Adagrad": optimizer("Adagrad"),
    "RMSprop": optimizer("RMSprop", centered=True, momentum=0.5),
    "Adam": optimizer("Adam"),
    "AdamW": optimizer("AdamW"),
    "AMSGrad": optimizer("AMSGrad"),
    "NAdam": optimizer("NAdam"),
    "Lion": optimizer("Lion", [((0, 1), 0)], weight_decay=0.0),
    "Muon": optimizer("Muon", EPSILON, weight_decay=0.0),
    "Partition": "hands each parameter to an optimizer",
    "newton_schulz": Kinds(
        lambda module, x: module.newton_schulz(x, epsilon=1e-300 if x.dtype.itemsize == 8 else 1e-37),
        (PARAMETERS,),
        [((1,), 0)],
        "one matrix as a whole",
    ),
}
