"""Breaks under which the evidence of the chapter on ensembles must fail."""

from __future__ import annotations

from tests.sabotage import Patch


def logarithms_averaged(log_probabilities, *, weights=None):
    """Average the logarithms and forget to normalize."""
    return log_probabilities.mean(axis=-3)


SABOTAGE = {
    "ensembles-help": Patch("dlnotes.numpy.ensembles", "average_probabilities", logarithms_averaged),
}
