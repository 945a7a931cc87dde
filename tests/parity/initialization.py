"""Cases for the deterministic parts of initialization; what is drawn is tested in test_initialization.py."""

from __future__ import annotations

import numpy as np

RNG = np.random.default_rng(0)
INPUTS = RNG.standard_normal((6, 5))
INPUTS_OF_RUNS = RNG.standard_normal((2, 3, 6, 5))
SIZES = ((7, 5), (4, 7), (3, 4))
WEIGHTS = [RNG.standard_normal(size) for size in SIZES]
WEIGHTS_OF_RUNS = [RNG.standard_normal((2, 3, *size)) for size in SIZES]
GRADIENT = RNG.standard_normal((6, 3))
GRADIENT_OF_RUNS = RNG.standard_normal((2, 3, 6, 3))


def arrays(*args):
    def case(backend, array):
        convert = {np.ndarray: array, list: lambda part: [array(item) for item in part]}
        return [convert.get(type(arg), lambda plain: plain)(arg) for arg in args], {}

    return case


def own_activation(backend, array):
    leaky = backend.activations.Activation(
        lambda x: backend.activations.leaky_relu(x, 0.3), lambda x: backend.activations.leaky_relu_slope(x, 0.3)
    )
    return ([array(weight) for weight in WEIGHTS], array(INPUTS), leaky), {}


CASES = {
    "scaled": [
        arrays(INPUTS, 0.3),
        arrays(INPUTS_OF_RUNS, np.array([[1.0, 2.0, 0.0], [0.5, 3.0, 1.0]])),
        arrays(INPUTS_OF_RUNS, np.array([2.0, 0.5])),
        (arrays(INPUTS.astype("f4"), 0.1), 1e-7),
        (arrays(INPUTS_OF_RUNS.astype("f4"), np.array([0.1, 0.7])), 1e-7),
    ],
    "orthogonalize": [
        arrays(RNG.standard_normal((6, 6))),
        arrays(RNG.standard_normal((6, 3))),
        arrays(RNG.standard_normal((2, 4, 3, 6))),
        arrays(np.array([[-2.0]])),
        (arrays(RNG.standard_normal((5, 5)).astype("f4")), 1e-5),
    ],
    "unit_variance": [
        arrays(WEIGHTS, INPUTS),
        arrays(WEIGHTS_OF_RUNS, INPUTS, "tanh"),
        arrays(WEIGHTS_OF_RUNS, INPUTS_OF_RUNS, "selu"),
        own_activation,
    ],
    "mean_cosine": [
        arrays(INPUTS),
        arrays(INPUTS_OF_RUNS),
        arrays(np.array([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]])),
        arrays(np.zeros((3, 2))),
        (arrays(INPUTS.astype("f4")), 1e-6),
    ],
    "forward_cosines": [
        arrays(WEIGHTS, INPUTS),
        arrays(WEIGHTS_OF_RUNS, INPUTS, "tanh"),
        arrays(WEIGHTS_OF_RUNS, INPUTS_OF_RUNS, "selu"),
    ],
    "forward_second_moments": [
        arrays(WEIGHTS, INPUTS),
        arrays(WEIGHTS_OF_RUNS, INPUTS, "tanh"),
        arrays(WEIGHTS_OF_RUNS, INPUTS_OF_RUNS, "gelu"),
        own_activation,
    ],
    "backward_second_moments": [
        arrays(WEIGHTS, INPUTS, GRADIENT),
        arrays(WEIGHTS_OF_RUNS, INPUTS, GRADIENT, "tanh"),
        arrays(WEIGHTS_OF_RUNS, INPUTS_OF_RUNS, GRADIENT_OF_RUNS, "silu"),
    ],
}
