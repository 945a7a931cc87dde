from __future__ import annotations

import numpy as np

RNG = np.random.default_rng(0)
X, Y = np.ones((6, 3)), np.zeros(6, dtype=int)
PARAMETERS = {"0.weight": np.ones((2, 3)), "0.bias": np.ones(2)}


class Still:
    """An optimizer that stays where it is."""

    def init(self, params):
        return ()

    def update(self, grads, state, params):
        return {name: 0 * g for name, g in grads.items()}, state


def trained(**wrong):
    given = {"parameters": PARAMETERS, "inputs": X, "targets": Y, "optimizer": Still(), "steps": 2}
    return {**given, **wrong}


def measured(params):
    return {"loss": params["0.bias"][:, 0]}


CASES = [
    ("train", trained(steps=-1), ValueError, "steps"),
    ("train", trained(steps=1.5), TypeError, "steps"),
    ("train", trained(runs=(0,)), ValueError, "runs"),
    ("train", trained(runs=(2,), parameters={"w": np.ones((3, 2))}), ValueError, "parameters"),
    ("train", trained(parameters={}), ValueError, "parameters"),
    ("train", trained(parameters={"w": np.ones(3, dtype=int)}), TypeError, "parameters"),
    ("train", trained(inputs=X.tolist()), TypeError, "inputs"),
    ("train", trained(inputs=X[:0], targets=Y[:0]), ValueError, "inputs"),
    ("train", trained(targets=Y[:5]), ValueError, "targets"),
    ("train", trained(targets=Y.tolist()), TypeError, "targets"),
    ("train", trained(batch_size=0, generator=RNG), ValueError, "batch_size"),
    ("train", trained(batch_size=2), TypeError, "generator"),
    ("train", trained(batch_size=2, generator=7), TypeError, "generator"),
    ("train", trained(optimizer="adam"), TypeError, "optimizer"),
    ("train", trained(measure=measured, measure_every=0), ValueError, "measure_every"),
    ("train", trained(measure=measured, keep_best="accuracy"), ValueError, "keep_best"),
    ("train", trained(measure=lambda params: 3), TypeError, "what measure gives"),
    ("train", trained(measure=lambda params: {"two": np.ones(2)}), ValueError, "measure"),
    ("train", trained(measure=measured, stop=lambda measures: np.array([True] * 3)), ValueError, "what stop gives"),
    ("train", trained(parameters=[X]), TypeError, "parameters"),
    ("train", trained(resume=3), TypeError, "resume"),
    ("train", trained(save_to="unused", save_every=0), ValueError, "save_every"),
    ("train", trained(gradient=lambda p, x, y: (X[0, :1], {"other": X})), ValueError, "gradients"),
    ("train", trained(gradient=lambda p, x, y: (X[0, :1], p | {"0.bias": p["0.bias"][0]})), ValueError, "gradients"),
    ("train", trained(gradient=lambda p, x, y: (X[0, :2], p)), ValueError, "losses"),
    ("train", trained(parameters={"w": np.ones((2, 3))}, data_per_run=True, runs=(2,)), ValueError, "inputs"),
    ("train", trained(parameters={"w": np.ones((2, 3))}, runs=(3,)), ValueError, "parameters"),
    ("patience", {"name": "loss", "measurements": 0}, ValueError, "measurements"),
    ("patience", {"name": "loss", "measurements": 1, "at_least": -1.0}, ValueError, "at_least"),
    ("patience", {"name": "loss", "measurements": 1, "largest_is_best": "yes"}, TypeError, "largest_is_best"),
    ("show_progress", {"seconds": -1.0}, ValueError, "seconds"),
    ("save", {"path": "unused", "training": PARAMETERS}, TypeError, "training"),
    ("load", {"path": "no such file"}, ValueError, "path"),
]
