from __future__ import annotations

import numpy as np

from tests.kinds import Kinds

RNG = np.random.default_rng(1)
X = 2 * RNG.standard_normal((5, 4))
GRADIENT = RNG.standard_normal((5, 4))
SLOPES = np.array([0.1, 0.3, -0.5, 2.0])
CURVED = "it bends at a size of its own"
EQUIVARIANT, INVARIANT = [((1,), 1)], [((1,), 0)]
OF_GRADIENT, OF_BOTH = [((1, 0), 1)], [((1, 0), 1), ((0, 1), 0)]

# Each function of one argument, and its slope: what the scale of x does to them.
STRAIGHT = ("identity", "relu", "leaky_relu")
BENT = ("sigmoid", "tanh", "elu", "selu", "softplus", "gelu", "silu")
ALONE = ("sigmoid_second_derivative", "tanh_second_derivative", "elu_second_derivative", "selu_second_derivative")
ALONE += ("softplus_second_derivative", "gelu_second_derivative", "silu_second_derivative")
ALONE += ("normal_cdf", "normal_density")


def of_x(name, scale, **settings):
    return Kinds(lambda module, x: getattr(module, name)(x, **settings), (X,), scale, rows=(0,))


def backward(name, scale, **settings):
    call = lambda module, g, x: getattr(module, f"{name}_backward")(g, x, **settings)  # noqa: E731
    return Kinds(call, (GRADIENT, X), scale, rows=(0, 1))


CASES = {
    **{name: of_x(name, EQUIVARIANT) for name in STRAIGHT},
    **{f"{name}_slope": of_x(f"{name}_slope", INVARIANT) for name in STRAIGHT},
    **{f"{name}_backward": backward(name, OF_BOTH) for name in STRAIGHT[1:]},
    "leaky_relu/steep": of_x("leaky_relu", EQUIVARIANT, negative_slope=3.0),
    **{name: of_x(name, CURVED) for name in BENT},
    **{f"{name}_slope": of_x(f"{name}_slope", CURVED) for name in BENT},
    **{f"{name}_backward": backward(name, OF_GRADIENT) for name in BENT},
    **{name: of_x(name, CURVED) for name in ALONE},
    "gelu/tanh": of_x("gelu", CURVED, approximate="tanh"),
    "gelu_slope/tanh": of_x("gelu_slope", CURVED, approximate="tanh"),
    "gelu_backward/tanh": backward("gelu", OF_GRADIENT, approximate="tanh"),
    "prelu": Kinds(lambda module, x, a: module.prelu(x, a), (X, SLOPES), [((1, 0), 1)], rows=(0,)),
    "prelu_backward": Kinds(
        lambda module, g, x, a: module.prelu_backward(g, x, a),
        (GRADIENT, X, SLOPES),
        [((1, 0, 0), 1), ((0, 1, 0), (0, 1))],
        rows="the gradient in the slope is a sum over the rows",
    ),
    "swiglu": Kinds(lambda module, x: module.swiglu(x), (X,), CURVED, rows=(0,)),
    "swiglu_backward": Kinds(
        lambda module, g, x: module.swiglu_backward(g, x), (GRADIENT[:, :2], X), OF_GRADIENT, rows=(0, 1)
    ),
    "maxout": Kinds(lambda module, x: module.maxout(x), (X,), EQUIVARIANT, rows=(0,)),
    "maxout_backward": Kinds(
        lambda module, g, x: module.maxout_backward(g, x), (GRADIENT[:, :2], X), OF_BOTH, rows=(0, 1)
    ),
    "lookup": "takes a name",
}
