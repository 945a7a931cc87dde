"""Breaks under which the evidence of the chapter on hyperparameter search must fail."""

from __future__ import annotations

import itertools

import numpy as np

from dlnotes.numpy import initialization, overfitting
from tests.sabotage import Patch

KERNELS = "dlnotes.numpy.hyperparameter_search"
right_ridge, right_start = overfitting.ridge, initialization.he_normal


def without_logarithm(points, ranges):
    """Draw evenly, whatever was asked for."""
    low, high = (np.array([getattr(item, end) for item in ranges]) for end in ("low", "high"))
    return low + points * (high - low)


def correlation(points, losses, bins=10):
    """Take a straight line for the curve: a valley has none."""
    return np.square([np.corrcoef(column, losses)[0, 1] for column in points.T])


def corners_too(counts):
    """A grid that reaches from end to end."""
    return np.array(list(itertools.product(*(np.linspace(0, 1, count) for count in counts))))


def without_penalty(features, targets, strength=0.0):
    """Forget the penalty."""
    return right_ridge(features, targets, 0 * strength)


def all_rows(order, folds):
    """Folds whose held-out rows are among those trained on."""
    return tuple(overfitting.Fold(order, piece) for piece in np.array_split(order, folds))


SABOTAGE: dict[str, Patch | tuple[Patch, ...]] = {
    "what-to-tune": Patch(KERNELS, "importance", correlation),
    "coarse-to-fine": Patch(KERNELS, "refine", lambda ranges, values, losses, keep: tuple(ranges)),
    "log-space": Patch(KERNELS, "to_ranges", without_logarithm),
    "random-beats-grid": Patch(KERNELS, "grid_points", corners_too),
    "gap-rule": Patch("dlnotes.numpy.overfitting", "ridge", without_penalty),
    "choose-on-held-out-data": Patch("dlnotes.numpy.overfitting", "cross_validation_folds", all_rows),
    "three-times-rule": Patch(
        "dlnotes.numpy.initialization",
        "he_normal",
        lambda shape, generator, **options: 3 * right_start(shape, generator, **options),
    ),
}
