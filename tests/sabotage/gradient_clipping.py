"""Breaks under which the evidence of the chapter on gradient clipping must fail."""

from __future__ import annotations

import numpy as np

from tests.sabotage import Patch

KERNELS = "dlnotes.numpy.gradient_clipping"


def keeping_the_direction(gradient, limit):
    """Bound the largest component by shortening all."""
    return gradient * min(1.0, limit / np.abs(gradient).max())


def by_the_sum(gradient, max_norm, run_axes=0):
    """Take the sum of the absolute values for the length."""
    return gradient * max_norm / max(np.abs(gradient).sum(), max_norm)


SABOTAGE = {
    "clip-value-or-norm": Patch(KERNELS, "clip_by_value", keeping_the_direction),
    "clip-example": Patch(KERNELS, "clip_by_norm", by_the_sum),
    "cliffs": Patch(KERNELS, "clip_by_norm", lambda gradient, max_norm, run_axes=0: gradient),
}
