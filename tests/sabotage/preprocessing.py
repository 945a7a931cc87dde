"""Breaks under which the evidence of the chapter on preprocessing must fail."""

from __future__ import annotations

import numpy as np

from dlnotes.numpy import preprocessing
from tests.sabotage import Patch

KERNELS = "dlnotes.numpy.preprocessing"
right_fit, right_transform, right_root = (
    preprocessing.Standardizer.fit,
    preprocessing.Standardizer.transform,
    preprocessing._inverse_root,
)


def divided_by_variance(state):
    """Give what to divide by, and forget the root."""
    return np.where(state.deviation > 0, state.deviation**2, 1)[..., None, :]


def without_centering(self, x):
    """Fit, and leave the mean where it is."""
    state = right_fit(self, x)
    return state._replace(mean=np.zeros_like(state.mean))


def refitted(self, x, state):
    """Transform rows by their own mean and deviation."""
    return right_transform(self, x, right_fit(self, x))


SABOTAGE = {
    "normalize-inputs": Patch(KERNELS, "Standardizer._divisor", staticmethod(divided_by_variance)),
    "divide-by-variance": Patch(KERNELS, "Standardizer._divisor", staticmethod(divided_by_variance)),
    "scale-dominates-cost": Patch(KERNELS, "Standardizer._divisor", staticmethod(divided_by_variance)),
    "reuse-training-statistics": Patch(KERNELS, "Standardizer.transform", refitted),
    "center-normalize-decorrelate-whiten": Patch(
        KERNELS, "_inverse_root", lambda variance, epsilon: right_root(variance, epsilon) ** 2
    ),
    "images-seldom-normalized": Patch(
        KERNELS, "_inverse_root", lambda variance, epsilon: np.ones_like(variance + epsilon)
    ),
    "positive-inputs-zig-zag": Patch(KERNELS, "Standardizer.fit", without_centering),
}
