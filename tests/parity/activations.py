"""Cases for the activations: every sign, the kink, both tails, two dtypes, run axes."""

from __future__ import annotations

import numpy as np

GRID = np.concatenate((np.linspace(-8, 8, 65), [-100.0, -30.0, 30.0, 100.0]))
RUNS = np.random.default_rng(0).standard_normal((2, 3, 4, 6))
GRADIENT = np.random.default_rng(1).standard_normal(GRID.shape)

ONE_ARGUMENT = ("identity", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "softplus", "gelu", "silu")
CURVED = ("sigmoid", "tanh", "elu", "selu", "softplus", "gelu", "silu")


def elementwise(*extra, **keywords):
    return [
        lambda backend, array: ((array(GRID), *extra), keywords),
        lambda backend, array: ((array(RUNS), *extra), keywords),
        (lambda backend, array: ((array(GRID.astype(np.float32)), *extra), keywords), 1e-6),
        lambda backend, array: ((array(np.zeros((0, 3))), *extra), keywords),
    ]


def backward(*extra, **keywords):
    return [
        lambda backend, array: ((array(GRADIENT), array(GRID), *extra), keywords),
        lambda backend, array: ((array(-RUNS), array(RUNS), *extra), keywords),
        (lambda backend, array: ((*map(array, (GRADIENT.astype("f4"), GRID.astype("f4"))), *extra), keywords), 1e-6),
    ]


def through_lookup(name):
    """Compare the functions that the tables hold."""

    def case(backend, array):
        def use(found, array):
            x = array(GRID)
            return found.function(x), found.slope(x), backend.SECOND_DERIVATIVES[name](x)

        return (name,), {}, use

    return case


def own_activation(backend, array):
    def use(found, array):
        return found.function(array(GRID)), found.slope(array(GRID))

    own = backend.Activation(lambda x: backend.leaky_relu(x, 0.3), lambda x: backend.leaky_relu_slope(x, 0.3))
    return (own,), {}, use


CASES = {
    **{name: elementwise() for name in ONE_ARGUMENT},
    **{f"{name}_slope": elementwise() for name in ONE_ARGUMENT},
    **{f"{name}_second_derivative": elementwise() for name in CURVED},
    **{f"{name}_backward": backward() for name in ONE_ARGUMENT if name != "identity"},
    "normal_cdf": elementwise(),
    "normal_density": elementwise(),
    "lookup": [*(through_lookup(name) for name in ONE_ARGUMENT), own_activation],
}
CASES["leaky_relu"] += elementwise(0.3)
CASES["leaky_relu_slope"] += elementwise(negative_slope=-0.5)
CASES["leaky_relu_backward"] += backward(0.3)
CASES["elu"] += elementwise(0.5)
CASES["elu_slope"] += elementwise(alpha=2.0)
CASES["elu_second_derivative"] += elementwise(2.0)
CASES["elu_backward"] += backward(0.5)
CASES["gelu"] += elementwise("tanh")
CASES["gelu_slope"] += elementwise(approximate="tanh")
CASES["gelu_backward"] += backward("tanh")

FEATURES = np.linspace(-0.5, 1.5, 6)
GRID_OF_SLOPES = np.random.default_rng(2).standard_normal((2, 3, 6))


def with_slope(x, slope):
    return lambda backend, array: ((array(x), array(slope)), {})


def with_slope_backward(x, slope):
    return lambda backend, array: ((array(x[..., ::-1].copy()), array(x), array(slope)), {})


SLOPED = (
    (RUNS[0, 0], FEATURES),
    (RUNS[0, 0], np.array([0.25])),
    (RUNS, GRID_OF_SLOPES),
    (RUNS, GRID_OF_SLOPES[..., :1]),
    (RUNS[0, 0][:, :1], np.array([0.25])),
    (np.array([[0.0, -1.0, 2.0]]), np.array([0.25])),
)
CASES["prelu"] = [with_slope(x, slope) for x, slope in SLOPED]
CASES["prelu_backward"] = [with_slope_backward(x, slope) for x, slope in SLOPED]

TIES = np.array([[1.0, 1.0, 0.0, 2.0, 3.0, 3.0]])


def grouped(x, *pieces):
    return lambda backend, array: ((array(x), *pieces), {})


def grouped_backward(x, pieces):
    grad_output = np.arange(1.0, x[..., ::pieces].size + 1).reshape(x[..., ::pieces].shape)
    return lambda backend, array: ((array(grad_output), array(x), pieces), {})


CASES["maxout"] = [grouped(RUNS), grouped(RUNS, 3), grouped(TIES, 2), grouped(GRID, 1), grouped(TIES, 6)]
CASES["maxout_backward"] = [grouped_backward(x, pieces) for x, pieces in ((RUNS, 2), (RUNS, 3), (TIES, 2), (TIES, 1))]
CASES["swiglu"] = [grouped(RUNS), grouped(TIES), grouped(np.array([-2.0, 3.0]))]
CASES["swiglu_backward"] = [lambda backend, array: ((array(RUNS[..., :3]), array(RUNS)), {})]
