"""The break under which the evidence of each claim must fail."""

from __future__ import annotations

import numpy as np

from dlnotes.numpy import activations, dropout, initialization
from tests.sabotage import Patch


def one_mask_for_all_units(shape, generator, p, *, runs=(), right=dropout.dropout_mask):
    """Drop whole examples in place of units."""
    return np.broadcast_to(right((*shape[:-1], 1), generator, p, runs=runs), (*runs, *shape))


def every_row_the_same(shape, generator, *, runs=(), right=initialization.xavier_normal, **options):
    """Draw one unit and copy it."""
    row = right((1, shape[1]), generator, runs=runs, **options)
    return np.broadcast_to(row, (*runs, *shape)).copy()


def from_probabilities(logits, targets):
    """Take logarithms of rounded probabilities."""
    a = activations.sigmoid(logits)
    with np.errstate(divide="ignore", invalid="ignore"):
        return -np.mean(targets * np.log(a) + (1 - targets) * np.log(1 - a), axis=-1)


SABOTAGE: dict[str, Patch | tuple[Patch, ...]] = {
    "break-symmetry": Patch("dlnotes.numpy.dropout", "dropout_mask", one_mask_for_all_units),
    "zero-start-is-linear": Patch(
        "dlnotes.numpy.symmetry_breaking",
        "zero_init",
        lambda shape, *, runs=(), dtype=np.float64: np.full((*runs, *shape), 0.01, dtype),
    ),
    "zero-biases": Patch("dlnotes.numpy.initialization", "xavier_normal", every_row_the_same),
    "large-weights-high-loss": Patch("dlnotes.numpy.objective", "binary_cross_entropy_with_logits", from_probabilities),
}
