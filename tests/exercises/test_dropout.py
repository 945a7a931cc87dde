"""Right answers in other forms, and what the likeliest slips are told."""

from __future__ import annotations

import numpy as np
import pytest

from dlnotes.exercises import dropout as exercises


def _masked(x, drawn, keep):
    return (drawn < keep) * x / keep


def _in_place(x, drawn, keep):
    x *= drawn < keep
    x /= keep
    return x


def _added(w, x, p):
    return p / (1 - p) * (w**2 * (x**2).mean(0)).sum()


def _by_variance(w, x, p):
    return np.mean([(w**2 * row**2).sum() for row in x]) * (1 / (1 - p) - 1)


def _factor(variance, w, squares, p):
    return np.sqrt(variance / (variance + p / (1 - p) * (w**2 * squares).sum()))


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (exercises.check_masked, _masked),
        (exercises.check_masked, _in_place),
        (exercises.check_masked, lambda *given: _masked(*given).astype(np.float32)),
        (exercises.check_masked, lambda *given: _masked(*given).tolist()),
        (exercises.check_masked, lambda x, drawn, keep: np.where(drawn < keep, x / keep, 0)),
        (exercises.check_added_cost, _added),
        (exercises.check_added_cost, _by_variance),
        (exercises.check_added_cost, lambda *given: np.float32(_added(*given))),
        (exercises.check_shift_factor, _factor),
        (exercises.check_shift_factor, lambda *given: np.array(_factor(*given))),
        (exercises.check_shift_factor, lambda v, w, s, p: (1 + p / (1 - p) * (w * w) @ s / v) ** -0.5),
    ],
)
def test_right_answers(check, answer, capsys):
    check(answer)
    assert capsys.readouterr().out.startswith("Right: ")


@pytest.mark.parametrize(
    ("check", "answer", "words"),
    [
        (exercises.check_masked, lambda x, d, k: (d < k) * x, "divided by the probability of keeping"),
        (exercises.check_masked, lambda x, d, k: (d > k) * x / k, "wrong way round"),
        (exercises.check_masked, lambda x, d, k: (d < 1 - k) * x / k, "keeps with probability 1 - keep_prob"),
        (exercises.check_masked, lambda x, d, k: (d < k) * x / max(1 - k, 1e-9), "not of dropping"),
        (exercises.check_masked, lambda x, d, k: (d < 0.5) * x / 0.5, "one example"),
        (exercises.check_masked, lambda x, d, k: (d < k) * x * k, "do not multiply"),
        (exercises.check_masked, lambda x, d, k: (d >= 1 - k) * x / k, "right rate"),
        (exercises.check_masked, lambda x, d, k: _masked(x, d, 1 - k or 1), "of keeping, not of dropping"),
        (exercises.check_masked, lambda x, d, k: (d >= 1 - k) * x, "right rate, and the division"),
        (exercises.check_masked, lambda x, d, k: d < k, "mask alone"),
        (exercises.check_masked, lambda x, d, k: None, "returns nothing"),
        (exercises.check_added_cost, lambda w, x, p: p / (1 - p) * (w**2).sum(), "plain L2"),
        (exercises.check_added_cost, lambda w, x, p: p * (w**2 * (x**2).mean(0)).sum(), "not p alone"),
        (exercises.check_added_cost, lambda w, x, p: p / (1 - p) * ((x @ w) ** 2).mean(), "independent"),
        (exercises.check_added_cost, lambda w, x, p: p / (1 - p) * (w**2 * x**2).sum(), "sum over examples"),
        (exercises.check_added_cost, lambda w, x, p: p / (1 - p) * (w**2 * x.var(0)).sum(), "not its variance"),
        (exercises.check_added_cost, lambda *given: _added(*given) / 2, "No 1/2 here"),
        (exercises.check_added_cost, lambda w, x, p: _added(w, x, p) / (1 - p), r"not p / \(1 - p\)\^2"),
        (exercises.check_added_cost, lambda w, x, p: p / (1 - p) * (w**2 * abs(x).mean(0)).sum(), "inputs are to be"),
        (exercises.check_added_cost, lambda *given: 2 * _added(*given), r"not 2 p / \(1 - p\)"),
        (exercises.check_added_cost, lambda w, x, p: _added(w, x, p) + ((x @ w) ** 2).mean(), "what the masks add"),
        (exercises.check_shift_factor, lambda v, w, s, p: (1 - p) ** 0.5, "units of mean 0"),
        (exercises.check_shift_factor, lambda v, w, s, p: _factor(v, 1, w * s, p), "weights are to be squared"),
        (exercises.check_shift_factor, lambda v, w, s, p: _factor(v, w, s / len(w), p), "no mean"),
        (exercises.check_shift_factor, lambda v, w, s, p: _factor(v, w, s / (p or 1), p), r"not 1 / \(1 - p\)"),
        (exercises.check_shift_factor, lambda *given: _factor(*given) ** -2, "and a root is missing"),
        (exercises.check_shift_factor, lambda *given: 1 / _factor(*given), "Upside down"),
        (exercises.check_shift_factor, lambda *given: _factor(*given) ** 2, "root is missing"),
        (exercises.check_shift_factor, lambda v, w, s, p: (v / (v + p * (w**2 * s).sum())) ** 0.5, "not p$"),
        (exercises.check_shift_factor, lambda v, w, s, p: _factor(v, w, s / 2, p), "not half"),
        (exercises.check_shift_factor, lambda v, w, s, p: _factor(v, w, s**2, p), "mean squares already"),
        (exercises.check_shift_factor, lambda v, w, s, p: _factor(v, w, s, 1 - p or 0.5), r"not \(1 - p\) / p"),
    ],
)
def test_slips_are_told(check, answer, words):
    with pytest.raises(AssertionError, match=words):
        check(answer)
