from __future__ import annotations

import numpy as np

X = np.ones((2, 3))


def squares(points):
    return (points * points).sum((-1, -2))


def total(points):
    return (points * points).sum()


GRADIENT = {"function": squares, "x": X}
CHECK = {"loss": lambda p: squares(p["w"]), "parameters": {"w": X}, "gradients": {"w": X}}

CASES = [
    ("numerical_gradient", {**GRADIENT, "x": np.ones((2, 3), int)}, TypeError, "x"),
    ("numerical_gradient", {**GRADIENT, "x": [1.0]}, TypeError, "x"),
    ("numerical_gradient", {**GRADIENT, "method": "backward"}, ValueError, "method"),
    ("numerical_gradient", {**GRADIENT, "step": -1.0}, ValueError, "step"),
    ("numerical_gradient", {**GRADIENT, "chunk": 0}, ValueError, "chunk"),
    ("numerical_gradient", {**GRADIENT, "chunk": 1.5}, TypeError, "chunk"),
    ("numerical_gradient", {**GRADIENT, "function": total}, ValueError, "function"),
    ("directional_derivatives", {**GRADIENT, "directions": np.ones((4, 3, 2))}, ValueError, "directions"),
    ("directional_derivatives", {**GRADIENT, "directions": np.ones((2, 3))}, ValueError, "directions"),
    ("directional_derivatives", {**GRADIENT, "directions": np.ones((4, 2, 3)), "step": 0.0}, ValueError, "step"),
    ("relative_error", {"first": X, "second": np.ones(3)}, ValueError, "second"),
    ("relative_error", {"first": X, "second": X, "run_axes": 3}, ValueError, "run_axes"),
    ("relative_error", {"first": [1.0], "second": X}, TypeError, "first"),
    ("random_directions", {"parameters": {"w": X}, "generator": 0}, TypeError, "generator"),
    (
        "random_directions",
        {"parameters": {"w": X}, "generator": np.random.default_rng(0), "count": 0},
        ValueError,
        "count",
    ),
    (
        "random_directions",
        {"parameters": {"w": np.ones(3, int)}, "generator": np.random.default_rng(0)},
        TypeError,
        "parameters",
    ),
    ("check_gradients", {**CHECK, "gradients": {"b": X}}, ValueError, "gradients"),
    ("check_gradients", {**CHECK, "gradients": {"w": np.ones(3)}}, ValueError, "gradients"),
    ("check_gradients", {**CHECK, "gradients": [X]}, TypeError, "gradients"),
    ("check_gradients", {**CHECK, "parameters": {"w": np.ones((2, 3), int)}}, TypeError, "parameters"),
    ("check_gradients", {**CHECK, "directions": {"b": X}}, ValueError, "directions"),
    ("check_gradients", {**CHECK, "loss": lambda p: total(p["w"])}, ValueError, "function"),
]
