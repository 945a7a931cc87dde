from __future__ import annotations

import numpy as np

X, MASK = np.ones((3, 4)), np.ones((3, 4), dtype=bool)
IMAGES, MAPS = np.ones((3, 4, 2, 2)), np.ones((3, 4), dtype=bool)
RNG = np.random.default_rng(0)


def applied(name, given, x, mask, **extra):
    rates = [-0.1, 1.1, np.nan, np.full(3, 2.0)]
    return [
        *((name, {given: x, "mask": mask, "p": p, **extra}, ValueError, "p") for p in rates),
        (name, {given: x, "mask": mask, "p": "half", **extra}, TypeError, "p"),
        (name, {given: x, "mask": mask, "p": np.full(5, 0.5), **extra}, ValueError, "p"),
        (name, {given: x.astype(int), "mask": mask, "p": 0.5, **extra}, TypeError, given),
        (name, {given: x, "mask": mask.astype(float), "p": 0.5, **extra}, TypeError, "mask"),
        (name, {given: x, "mask": mask.tolist(), "p": 0.5, **extra}, TypeError, "mask"),
    ]


CASES = [
    ("dropout_mask", {"shape": (3,), "generator": RNG, "p": 1.5}, ValueError, "p"),
    ("dropout_mask", {"shape": (3,), "generator": RNG, "p": -0.1}, ValueError, "p"),
    ("dropout_mask", {"shape": (3,), "generator": RNG, "p": True}, TypeError, "p"),
    ("dropout_mask", {"shape": 3, "generator": RNG, "p": 0.5}, TypeError, "shape"),
    ("dropout_mask", {"shape": (-3,), "generator": RNG, "p": 0.5}, ValueError, "shape"),
    ("dropout_mask", {"shape": (3,), "generator": RNG, "p": np.full(2, 0.5), "runs": (3,)}, ValueError, "p"),
    ("dropout_mask", {"shape": (3,), "generator": RNG, "p": 0.5, "runs": (-1,)}, ValueError, "runs"),
    (
        "dropout_mask",
        {"shape": (3,), "generator": np.array([RNG, RNG]), "p": 0.5, "runs": (3,)},
        ValueError,
        "generator",
    ),
    ("dropout_mask", {"shape": (3,), "generator": 0, "p": 0.5, "runs": ()}, TypeError, "generator"),
    *applied("dropout", "x", X, MASK),
    *applied("dropout_backward", "grad_output", X, MASK),
    *applied("spatial_dropout", "x", IMAGES, MAPS),
    *applied("spatial_dropout_backward", "grad_output", IMAGES, MAPS),
    ("dropout", {"x": X, "mask": MASK[:2], "p": 0.5}, ValueError, "mask"),
    ("dropout", {"x": X, "mask": MASK, "p": 0.5, "out": np.ones(4)}, ValueError, "out"),
    ("dropout_backward", {"grad_output": X[0], "mask": MASK, "p": 0.5}, ValueError, "grad_output"),
    ("spatial_dropout", {"x": IMAGES, "mask": MAPS[:, :3], "p": 0.5}, ValueError, "mask"),
    ("spatial_dropout", {"x": IMAGES, "mask": MAPS, "p": 0.5, "spatial_axes": 0}, ValueError, "spatial_axes"),
    ("linear_dropout_penalty", {"weight": np.ones(4), "x": X, "p": 1.0}, ValueError, "p"),
    ("linear_dropout_penalty", {"weight": np.ones(3), "x": X, "p": 0.5}, ValueError, "x"),
    ("linear_dropout_penalty", {"weight": np.ones(4), "x": X[:0], "p": 0.5}, ValueError, "x"),
    ("linear_dropout_penalty", {"weight": np.ones(4, dtype=int), "x": X, "p": 0.5}, TypeError, "weight"),
    ("monte_carlo_prediction", {"probabilities": X}, ValueError, "probabilities"),
    ("monte_carlo_prediction", {"probabilities": np.ones((0, 3, 2))}, ValueError, "probabilities"),
    ("monte_carlo_prediction", {"probabilities": -np.ones((2, 3, 2))}, ValueError, "probabilities"),
    ("monte_carlo_prediction", {"probabilities": np.ones((2, 3, 2), dtype=int)}, TypeError, "probabilities"),
]
