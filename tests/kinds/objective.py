from __future__ import annotations

import numpy as np

from tests.kinds import Kinds

RNG = np.random.default_rng(0)
LOGITS = 2 * RNG.standard_normal((5, 4))
LABELS = np.array([0, 3, 1, 1, 2])
GRADIENT = RNG.standard_normal((5, 4))
TARGETS = RNG.standard_normal((5, 4))
ONE = np.array(1.5)
SCORES, CHANCES = LOGITS[:, 0], RNG.random(5)
OWN = "exponentials have a scale of their own"
MEAN = "a mean over the rows"

CASES = {
    "log_sum_exp": Kinds(lambda module, z: module.log_sum_exp(z), (LOGITS,), scale=OWN, rows=(0,)),
    "log_sum_exp_backward": Kinds(
        lambda module, g, z: module.log_sum_exp_backward(g, z), (GRADIENT[:, 0], LOGITS), [((1, 0), 1)], rows=(0, 1)
    ),
    "softmax": Kinds(lambda module, z: module.softmax(z), (LOGITS,), scale=OWN, rows=(0,)),
    "softmax_backward": Kinds(
        lambda module, g, z: module.softmax_backward(g, z), (GRADIENT, LOGITS), [((1, 0), 1)], rows=(0, 1)
    ),
    "log_softmax": Kinds(lambda module, z: module.log_softmax(z), (LOGITS,), scale=OWN, rows=(0,)),
    "log_softmax_backward": Kinds(
        lambda module, g, z: module.log_softmax_backward(g, z), (GRADIENT, LOGITS), [((1, 0), 1)], rows=(0, 1)
    ),
    "cross_entropy": Kinds(lambda module, z, y: module.cross_entropy(z, y), (LOGITS, LABELS), OWN, MEAN),
    "cross_entropy_backward": Kinds(
        lambda module, g, z, y: module.cross_entropy_backward(g, z, y), (ONE, LOGITS, LABELS), [((1, 0, 0), 1)], MEAN
    ),
    "cross_entropy_with_gradient": Kinds(
        lambda module, z, y: module.cross_entropy_with_gradient(z, y), (LOGITS, LABELS), OWN, MEAN
    ),
    "binary_cross_entropy_with_logits": Kinds(
        lambda module, z, t: module.binary_cross_entropy_with_logits(z, t), (SCORES, CHANCES), OWN, MEAN
    ),
    "binary_cross_entropy_with_logits/certain": Kinds(
        lambda module, z, t: module.binary_cross_entropy_with_logits(z, (t > 0.5) * (t * 0 + 1)),
        (SCORES, CHANCES),
        OWN,
        MEAN,
        nan="the target is a comparison here",
    ),
    "binary_cross_entropy_with_logits_backward": Kinds(
        lambda module, g, z, t: module.binary_cross_entropy_with_logits_backward(g, z, t),
        (ONE, SCORES, CHANCES),
        [((1, 0, 0), 1)],
        MEAN,
    ),
    "squared_error": Kinds(
        lambda module, o, t: module.squared_error(o, t), (LOGITS, TARGETS), [((1, 1), 2)], rows=MEAN
    ),
    "squared_error_backward": Kinds(
        lambda module, g, o, t: module.squared_error_backward(g, o, t),
        (ONE, LOGITS, TARGETS),
        [((1, 0, 0), 1), ((0, 1, 1), 1)],
        MEAN,
    ),
    "margins": Kinds(lambda module, z, y: module.margins(z, y), (LOGITS, LABELS), [((1, 0), 1)], rows=(0, 1)),
    "zero_one_loss": Kinds(lambda module, z, y: module.zero_one_loss(z, y), (LOGITS, LABELS), [((1, 0), 0)], MEAN),
    "hinge": Kinds(lambda module, z, y: module.hinge(z, y), (LOGITS, LABELS), "the margin is 1", MEAN),
    "hinge_backward": Kinds(
        lambda module, g, z, y: module.hinge_backward(g, z, y), (ONE, LOGITS, LABELS), [((1, 0, 0), 1)], MEAN
    ),
    "Node": "holds a number",
    "Tape": "holds numbers, no array",
}
