"""What initialization refuses."""

from __future__ import annotations

import numpy as np

GENERATOR = np.random.default_rng(0)
SHAPED = {"shape": (3, 4), "generator": GENERATOR}
INPUTS = np.ones((6, 5))
WEIGHTS = [np.ones((7, 5)), np.ones((4, 7))]
OF_FANS = (
    "lecun_normal",
    "lecun_uniform",
    "xavier_normal",
    "xavier_uniform",
    "he_normal",
    "he_uniform",
    "pytorch_default",
    "pytorch_default_bias",
    "orthogonal",
)
OF_ANY_SHAPE = ("normal", "uniform", "truncated_normal")

CASES = [
    ("scaled", {"noise": np.ones((2, 3)), "scale": -1.0}, ValueError, "scale"),
    ("scaled", {"noise": np.ones((2, 3)), "scale": np.nan}, ValueError, "scale"),
    ("scaled", {"noise": np.ones((2, 3)), "scale": np.ones(3)}, ValueError, "scale"),
    ("scaled", {"noise": np.ones((2, 3)), "scale": np.ones((2, 3, 1))}, ValueError, "scale"),
    ("scaled", {"noise": np.ones((2, 3), dtype=int), "scale": 1.0}, TypeError, "noise"),
    *((name, {**SHAPED, "shape": (3, 0)}, ValueError, "shape") for name in OF_FANS),
    *((name, {**SHAPED, "shape": (3,)}, ValueError, "shape") for name in OF_FANS),
    *((name, {**SHAPED, "shape": (3, -1)}, ValueError, "shape") for name in OF_ANY_SHAPE),
    *((name, {**SHAPED, "shape": 3}, TypeError, "shape") for name in OF_ANY_SHAPE),
    *((name, {**SHAPED, "runs": (0,)}, ValueError, "runs") for name in (*OF_FANS, *OF_ANY_SHAPE)),
    *((name, {**SHAPED, "runs": 3}, TypeError, "runs") for name in (*OF_FANS, *OF_ANY_SHAPE)),
    *((name, {**SHAPED, "dtype": np.int32}, ValueError, "dtype") for name in (*OF_FANS, *OF_ANY_SHAPE)),
    *(
        (name, {**SHAPED, "gain": -1.0}, ValueError, "gain")
        for name in ("xavier_normal", "xavier_uniform", "orthogonal")
    ),
    *(
        (name, {**SHAPED, "gain": "relu"}, TypeError, "gain")
        for name in ("xavier_normal", "xavier_uniform", "orthogonal")
    ),
    *((name, {**SHAPED, "mode": "fan_avg"}, ValueError, "mode") for name in ("he_normal", "he_uniform")),
    *(
        (name, {**SHAPED, "negative_slope": np.nan}, ValueError, "negative_slope")
        for name in ("he_normal", "he_uniform")
    ),
    *(
        (name, {**SHAPED, "standard_deviation": value}, ValueError, "standard_deviation")
        for name in ("normal", "truncated_normal")
        for value in (-0.1, np.inf, np.array([1.0, -1.0]))
    ),
    ("uniform", {**SHAPED, "bound": -0.1}, ValueError, "bound"),
    ("uniform", {**SHAPED, "bound": np.ones(2), "runs": (3,)}, ValueError, "bound"),
    ("truncated_normal", {**SHAPED, "bound": 0.05}, ValueError, "bound"),
    ("truncated_normal", {**SHAPED, "bound": np.inf}, ValueError, "bound"),
    ("orthogonalize", {"noise": np.ones(3)}, ValueError, "noise"),
    ("orthogonalize", {"noise": np.ones((3, 3), dtype=int)}, TypeError, "noise"),
    ("unit_variance", {"weights": WEIGHTS, "inputs": INPUTS[0]}, ValueError, "inputs"),
    ("unit_variance", {"weights": WEIGHTS[1:], "inputs": INPUTS}, ValueError, "weights"),
    ("unit_variance", {"weights": WEIGHTS, "inputs": INPUTS}, ValueError, "inputs"),
    ("unit_variance", {"weights": WEIGHTS, "inputs": INPUTS, "activation": "step"}, ValueError, "activation"),
    ("lsuv", {"sizes": (5,), "generator": GENERATOR, "inputs": INPUTS}, ValueError, "sizes"),
    ("lsuv", {"sizes": (5, 0), "generator": GENERATOR, "inputs": INPUTS}, ValueError, "sizes"),
    ("lsuv", {"sizes": (4, 3), "generator": GENERATOR, "inputs": np.eye(5)}, ValueError, "weights"),
    ("lsuv", {"sizes": (5, 3), "generator": GENERATOR, "inputs": np.zeros((6, 5))}, ValueError, "inputs"),
    ("forward_second_moments", {"weights": WEIGHTS, "inputs": INPUTS.astype(int)}, TypeError, "inputs"),
    ("forward_second_moments", {"weights": WEIGHTS[1:], "inputs": INPUTS}, ValueError, "weights"),
    ("forward_second_moments", {"weights": [np.ones(5)], "inputs": INPUTS}, ValueError, "weights"),
    ("forward_second_moments", {"weights": [np.ones((7, 5), dtype=int)], "inputs": INPUTS}, TypeError, "weights"),
    ("forward_second_moments", {"weights": WEIGHTS, "inputs": INPUTS, "activation": 3}, TypeError, "activation"),
    (
        "backward_second_moments",
        {"weights": WEIGHTS, "inputs": INPUTS, "grad_output": np.ones((6, 3))},
        ValueError,
        "grad_output",
    ),
    (
        "backward_second_moments",
        {"weights": WEIGHTS, "inputs": INPUTS, "grad_output": np.ones((6, 4), dtype=int)},
        TypeError,
        "grad_output",
    ),
    ("second_moment_map", {"activation": "relu", "variance": -1.0}, ValueError, "variance"),
    ("second_moment_map", {"activation": "relu", "variance": "1"}, TypeError, "variance"),
    ("second_moment_map", {"activation": "Relu", "variance": 1.0}, ValueError, "activation"),
    ("slope_moment", {"activation": "relu", "variance": np.array([1.0, np.nan])}, ValueError, "variance"),
    ("gain", {"activation": "step"}, ValueError, "activation"),
    ("gain", {"activation": np.tanh}, TypeError, "activation"),
    *(
        (name, {"activation": "relu", **numbers}, error, argument)
        for name in ("correlation_map", "correlation_map_slope")
        for numbers, error, argument in (
            ({"correlation": 1.01}, ValueError, "correlation"),
            ({"correlation": np.array([0.0, np.nan])}, ValueError, "correlation"),
            ({"correlation": "1"}, TypeError, "correlation"),
            ({"correlation": 0.5, "variance": 0.0}, ValueError, "variance"),
            ({"correlation": np.zeros(3), "variance": np.ones(2)}, ValueError, "variance"),
        )
    ),
    ("correlation_map", {"activation": "step", "correlation": 0.5}, ValueError, "activation"),
    ("correlation_map_slope", {"activation": 3, "correlation": 0.5}, TypeError, "activation"),
    ("correlation_fixed_point", {"activation": "relu", "variance": -1.0}, ValueError, "variance"),
    ("correlation_fixed_point", {"activation": "step"}, ValueError, "activation"),
    ("moment_map_slope", {"activation": "relu", "variance": 0.0}, ValueError, "variance"),
    ("moment_map_slope", {"activation": "step", "variance": 1.0}, ValueError, "activation"),
    ("mean_cosine", {"signal": np.ones(3)}, ValueError, "signal"),
    ("mean_cosine", {"signal": np.ones((3, 2), dtype=int)}, TypeError, "signal"),
    ("forward_cosines", {"weights": WEIGHTS[1:], "inputs": INPUTS}, ValueError, "weights"),
    ("forward_cosines", {"weights": WEIGHTS, "inputs": INPUTS[0]}, ValueError, "inputs"),
    ("forward_cosines", {"weights": WEIGHTS, "inputs": INPUTS, "activation": "step"}, ValueError, "activation"),
]
