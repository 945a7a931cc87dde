"""Breaks under which the evidence of the chapter on conditioning must fail."""

from __future__ import annotations

import numpy as np

from dlnotes.numpy import conditioning
from tests.sabotage import Patch

KERNELS = "dlnotes.numpy.conditioning"


def signed_ratio(hessian):
    """Forget the magnitudes: the largest eigenvalue over the lowest."""
    values = np.linalg.eigvalsh(hessian)
    return values[..., -1] / values[..., 0]


def variance(hessian):
    """Take the variance of the second derivatives for the condition number."""
    return np.var(hessian, axis=(-2, -1))


def steepest_descent(product, right_side, *, tolerance=1e-8, steps=None):
    """Solve with no direction but the first."""
    return conditioning.Solution(
        right_side * np.vecdot(right_side, right_side) / np.vecdot(right_side, product(right_side)),
        np.ones(2 if steps is None else steps + 1),
    )


SABOTAGE = {
    "hessian-condition-number": Patch(KERNELS, "condition_number", signed_ratio),
    "variance-of-derivatives": Patch(KERNELS, "condition_number", variance),
    # As those believe who take every growing gradient for too large a rate.
    "sgd-stuck-on-curvature": Patch(KERNELS, "hessian_vector_product", conditioning.gauss_newton_vector_product),
    "second-order-not-used": Patch(KERNELS, "conjugate_gradient", steepest_descent),
}
