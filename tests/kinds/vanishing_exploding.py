"""What the kernels of vanishing and exploding gradients are under difficult inputs."""

from __future__ import annotations

import numpy as np

from tests.kinds import Kinds

GENERATOR = np.random.default_rng(0)
MATRIX = GENERATOR.standard_normal((4, 4))
FACTORS = GENERATOR.standard_normal((3, 4, 4))
WEIGHT, SLOPES = GENERATOR.standard_normal((4, 3)), GENERATOR.random((5, 4))
WHOLE = "a matrix is one whole"
DOUBLE = "the result is float64"
LOGARITHM = "a logarithm is shifted, which a test of its own measures"


def layer(*arrays):
    return dict(zip(("0.weight", "0.bias"), arrays, strict=False))


CASES = {
    "matrix_power_by_eigenvalues": Kinds(
        lambda module, w: module.matrix_power_by_eigenvalues(w, 1), (MATRIX,), [((1,), 1)], rows=WHOLE
    ),
    "power_norms": Kinds(lambda module, w: module.power_norms(w, 1)[..., 1], (MATRIX,), [((1,), 1)], rows=WHOLE),
    "lyapunov_exponent": Kinds(
        lambda module, w: module.lyapunov_exponent(w, count=2), (FACTORS,), LOGARITHM, rows=WHOLE
    ),
    "log_singular_values": Kinds(
        lambda module, w: module.log_singular_values([*w]), (FACTORS,), LOGARITHM, rows=WHOLE, half=DOUBLE
    ),
    "layer_jacobian": Kinds(
        lambda module, w, slopes: module.layer_jacobian(w, slopes),
        (WEIGHT, SLOPES),
        [((1, 0), 1), ((0, 1), 1)],
        rows=(1,),
    ),
    "per_layer_gradient_norms": Kinds(
        lambda module, w, b: module.per_layer_gradient_norms(layer(w, b)),
        (WEIGHT, SLOPES[0]),
        [((1, 1), 1)],
        rows="one length for all",
        half=DOUBLE,
        infinities="the length of what is not finite is inf or nan",
    ),
    "per_layer_update_ratios": Kinds(
        lambda module, w, u: module.per_layer_update_ratios(layer(w), layer(u)),
        (WEIGHT, GENERATOR.standard_normal((4, 3))),
        [((1, 0), -1), ((0, 1), 1), ((1, 1), 0)],
        rows="one length for all",
        half=DOUBLE,
        infinities="the length of what is not finite is inf or nan",
    ),
    "digamma": Kinds(
        lambda module, x: module.digamma(x),
        (SLOPES[0],),
        scale="a logarithm has no scale",
        rows="each number by itself",
        half=DOUBLE,
    ),
    "gaussian_lyapunov_exponent": "takes numbers and no arrays",
    "diagnose": "gives words, which tests of their own read",
    "diagnose_network": "gives words, which tests of their own read",
}
