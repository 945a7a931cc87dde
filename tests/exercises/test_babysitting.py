"""Right answers in other forms, and what the likeliest slips are told."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dlnotes.exercises import babysitting as exercises


def _leaked_by_bytes(train, held_out):
    known = {row.tobytes() for row in train}
    return sum(row.tobytes() in known for row in held_out) / len(held_out)


def _leaked_sets(train, held_out):
    return len({row.tobytes() for row in train} & {row.tobytes() for row in held_out})


@pytest.mark.parametrize(
    ("checker", "answer"),
    [
        ("floor", lambda classes: math.log(math.e + classes - 1) - 1),
        ("floor", lambda classes: np.float32(np.log1p((classes - 1) / np.e))),
        ("floor", lambda classes: np.array(-math.log(math.e / (math.e + classes - 1)))),
        ("dead_units", lambda g: 1 - np.any(g, axis=1).mean()),
        ("dead_units", lambda g: np.float32((np.linalg.norm(g, axis=1) == 0).mean())),
        ("leaked", _leaked_by_bytes),
        ("leaked", lambda train, held: np.array([any((row == own).all() for own in train) for row in held]).mean()),
        ("balanced_ratio", lambda ratio, decay: np.float32(ratio * ratio / decay / 2)),
        ("balanced_ratio", lambda ratio, decay: (1 - math.sqrt(1 - ratio**2)) / decay),
    ],
)
def test_right_answers_in_other_forms_pass(checker, answer, capsys):
    getattr(exercises, f"check_{checker}")(answer)
    assert capsys.readouterr().out.startswith("Right")


@pytest.mark.parametrize(
    ("checker", "answer", "told"),
    [
        ("floor", lambda classes: 0, "at most 1"),
        ("floor", math.log, "guessing"),
        ("floor", lambda classes: math.log(1 + classes / math.e), "one fewer"),
        ("floor", lambda classes: math.log(classes - 1 + math.e), "taken off"),
        ("floor", lambda classes: math.log(1 + (classes - 1) * math.e), "sign"),
        ("floor", lambda classes: math.log(classes) - 1 / classes, "slope"),
        ("floor", lambda classes: math.log2(1 + (classes - 1) / math.e), "bits"),
        ("floor", lambda classes: -math.log(1 + (classes - 1) / math.e), "negative logarithm"),
        ("floor", lambda classes: math.e / (math.e + classes - 1), "probability"),
        ("floor", lambda classes: None, "nothing yet"),
        ("dead_units", lambda g: (g == 0).mean(), "whole row"),
        ("dead_units", lambda g: (g == 0).all(axis=0).mean(), "columns"),
        ("dead_units", lambda g: (g == 0).any(axis=1).mean(), "input may be 0"),
        ("dead_units", lambda g: (g.sum(axis=1) == 0).mean(), "cancel"),
        ("dead_units", lambda g: (g <= 0).all(axis=1).mean(), "negative"),
        ("dead_units", lambda g: (g.max(axis=1) == 0).mean(), "negative"),
        ("dead_units", lambda g: (g.max(axis=1) <= 0).mean(), "negative"),
        ("dead_units", lambda g: (g == 0).all(axis=1).sum(), "how many"),
        ("dead_units", lambda g: (g != 0).any(axis=1).mean(), "live"),
        ("leaked", lambda train, held: (train[: len(held)] == held).all(axis=1).mean(), "other places"),
        ("leaked", lambda train, held: np.isin(held, train).all(axis=1).mean(), "not all in one row"),
        ("leaked", lambda train, held: _leaked_by_bytes(held, train), "training rows"),
        ("leaked", lambda train, held: sum((held == row).all(axis=1).sum() for row in train) / len(held), "twice"),
        ("leaked", lambda train, held: _leaked_by_bytes(train, held) * len(held), "how many"),
        ("leaked", lambda train, held: _leaked_sets(train, held) / len(held), "counts twice"),
        ("leaked", lambda train, held: np.isin(held.sum(1), train.sum(1)).mean(), "equal sums"),
        ("leaked", lambda train, held: np.isin(held[:, 0], train[:, 0]).mean(), "One number"),
        ("leaked", lambda train, held: _leaked_by_bytes(np.sort(train), np.sort(held)), "Order counts"),
        ("leaked", lambda train, held: _leaked_by_bytes(train, held) * len(held) / len(train), "held-out rows"),
        ("leaked", lambda train, held: 100 * _leaked_by_bytes(train, held), "percentage"),
        ("balanced_ratio", lambda ratio, decay: ratio / decay, "a 2 is missing"),
        ("balanced_ratio", lambda ratio, decay: math.sqrt(ratio) / 2 / decay, "do not take its root"),
        ("balanced_ratio", lambda ratio, decay: ratio**2 / 4 / decay, "A 2 too many"),
        ("balanced_ratio", lambda ratio, decay: ratio / 2 / decay, "square"),
        ("balanced_ratio", lambda ratio, decay: ratio**2 / decay, "2 is missing"),
        ("balanced_ratio", lambda ratio, decay: 2 * ratio**2 / decay, "it divides"),
        ("balanced_ratio", lambda ratio, decay: math.sqrt(2 * ratio * decay), "in place of the rate"),
        ("balanced_ratio", lambda ratio, decay: 2 * ratio**2 * decay, "Solve"),
    ],
)
def test_the_likeliest_slips_are_told_apart(checker, answer, told):
    with pytest.raises(AssertionError, match=told):
        getattr(exercises, f"check_{checker}")(answer)
