"""Breaks under which the evidence of the chapter on dropout must fail."""

from __future__ import annotations

import numpy as np

from tests.sabotage import Patch

KERNELS = "dlnotes.numpy.dropout"


def a_fixed_number(shape, generator, p, *, runs=()):
    """Drop the same number of units in each row."""
    return generator.random(shape).argsort(-1) >= round(p * shape[-1])


def without_scaling(x, mask, p, *, out=None):
    """Forget the division by 1 - p."""
    y = np.multiply(x, mask)
    if out is not None:
        out[...] = y
    return y


def nothing(x, mask, p, *, out=None):
    """Drop nothing."""
    y = np.broadcast_to(x, mask.shape).astype(x.dtype)
    if out is not None:
        out[...] = y
    return y


def below_is_dropped(shape, generator, p, *, runs=()):
    """Do what the note says, not what its code does: 0 below keep_prob, 1 above."""
    return generator.random(shape) > 1 - p


SABOTAGE = {
    "dropout-definition": Patch(KERNELS, "dropout_mask", a_fixed_number),
    "dropout-test-time": Patch(KERNELS, "dropout", nothing),
    "dropout-generalizes": Patch(KERNELS, "dropout", nothing),
    "inverted-dropout": Patch(KERNELS, "dropout", without_scaling),
    "dropout-backward": Patch(KERNELS, "dropout_backward", without_scaling),
    "mask-threshold": Patch(KERNELS, "dropout_mask", below_is_dropped),
    "dropout-keeps-cost": Patch(KERNELS, "dropout", nothing),
    "dropout-only-deep": Patch(KERNELS, "dropout", without_scaling),
    "dropout-equalizes": Patch(KERNELS, "dropout", nothing),
}
