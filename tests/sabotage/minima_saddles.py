"""Breaks under which the evidence of the chapter on minima and saddle points must fail."""

from __future__ import annotations

import numpy as np

from dlnotes.numpy import conditioning, gradient_clipping, minima_saddles
from tests.sabotage import Patch

KERNELS = "dlnotes.numpy.minima_saddles"


def signs_lost(hessian, *, tolerance=1e-6, right=minima_saddles.inertia):
    """Count magnitudes, as with singular values in place of eigenvalues."""
    counts = right(hessian, tolerance=tolerance)
    return minima_saddles.Inertia(0 * counts.negative, counts.zero, counts.positive + counts.negative)


def zeros_are_positive(hessian, *, tolerance=1e-6, right=minima_saddles.inertia):
    counts = right(hessian, tolerance=tolerance)
    return minima_saddles.Inertia(counts.negative, 0 * counts.zero, counts.positive + counts.zero)


def without_the_error(point, target, right=minima_saddles.linear_network_hessian):
    """Give the Gauss-Newton matrix, which leaves out the error and has no negative eigenvalue."""
    first, second = minima_saddles._linear_weights(point, target)
    return right(point, second @ first)


def halves_the_barrier(x, barrier=1.0, right=minima_saddles.double_well_gradient):
    return right(x, barrier / 2)


def of_the_largest_entry(gradients, right=gradient_clipping.global_norm):
    return max(np.abs(value).max() for value in gradients.values())


SABOTAGE = {
    "local-and-global-minima": Patch(KERNELS, "permute_units", lambda parameters, layer, order: dict(parameters)),
    "no-critical-point": Patch("dlnotes.numpy.gradient_clipping", "global_norm", of_the_largest_entry),
    "flat-region-signs": Patch(KERNELS, "inertia", signs_lost),
    "positive-at-low-cost": Patch(KERNELS, "inertia", signs_lost),
    "saddles-and-second-order": Patch(KERNELS, "saddle_free_newton_step", conditioning.newton_step),
    "nonlinear-means-nonconvex": Patch(KERNELS, "linear_network_hessian", without_the_error),
    "minimum-has-positive-eigenvalues": Patch(KERNELS, "inertia", zeros_are_positive),
    "sgd-escapes-local-minima": Patch(KERNELS, "double_well_gradient", halves_the_barrier),
}
