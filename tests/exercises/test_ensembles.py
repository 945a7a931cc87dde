"""Right answers in other forms, and what the likeliest slips are told."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dlnotes.exercises import ensembles as exercises


def _normal(z):
    return z - np.logaddexp.reduce(z, axis=-1, keepdims=True)


def _average(a, b):
    return np.logaddexp(_normal(a), _normal(b)) - math.log(2)


def _variance(variance, correlation, members):
    return correlation * variance + (1 - correlation) * variance / members


def _bins(sure, right, bins, gap):
    own = np.minimum((np.asarray(sure) * bins).astype(int), bins - 1)
    found = [(np.mean(own == b), right[own == b].mean() - sure[own == b].mean()) for b in np.unique(own)]
    return gap(*np.array(found).T)


def _error(sure, right, bins):
    return _bins(sure, right, bins, lambda share, gaps: (share * abs(gaps)).sum())


def _share(steps, decay, warm_up):
    return math.prod(min(decay, t / (t + warm_up)) for t in range(1, steps + 1))


def _naive(a, b):
    first, second = (np.exp(z) / np.exp(z).sum(-1, keepdims=True) for z in (a, b))
    return np.log((first + second) / 2)


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (exercises.check_average_two, _average),
        (exercises.check_average_two, lambda a, b: _average(a, b).tolist()),
        (exercises.check_average_two, lambda a, b: _average(a, b).astype(np.float32)),
        (exercises.check_average_two, lambda a, b: np.logaddexp.reduce([_normal(a), _normal(b)]) + math.log(0.5)),
        (exercises.check_ensemble_variance, _variance),
        (exercises.check_ensemble_variance, lambda v, c, m: np.float32(v * (1 + (m - 1) * c) / m)),
        (exercises.check_calibration_error, _error),
        (exercises.check_calibration_error, lambda *a: np.array(_error(*a))),
        (exercises.check_start_share, _share),
        (exercises.check_start_share, lambda *a: np.float32(_share(*a))),
    ],
)
def test_right_answers(check, answer, capsys):
    check(answer)
    assert capsys.readouterr().out.startswith("Right: ")


@pytest.mark.parametrize(
    ("check", "answer", "words"),
    [
        (exercises.check_average_two, lambda a, b: np.exp(_average(a, b)), "give their logarithms"),
        (exercises.check_average_two, lambda a, b: _normal((a + b) / 2), "the geometric mean"),
        (exercises.check_average_two, lambda a, b: (_normal(a) + _normal(b)) / 2, "averages the logarithms"),
        (exercises.check_average_two, lambda a, b: _average(a, b) + math.log(2), "ln 2 less"),
        (exercises.check_average_two, np.logaddexp, "no log-probabilities"),
        (exercises.check_average_two, lambda a, b: np.logaddexp(a, b) - math.log(2), "still in the logits"),
        (exercises.check_average_two, lambda a, b: _normal(np.logaddexp(a, b)), "each network by itself"),
        (exercises.check_average_two, lambda a, b: _normal(a + b), "multiplies the probabilities"),
        (exercises.check_average_two, _naive, "stay with logarithms"),
        (exercises.check_average_two, lambda a, b: None, "returns nothing yet"),
        (exercises.check_ensemble_variance, lambda v, c, m: v / m, "for uncorrelated members"),
        (exercises.check_ensemble_variance, lambda v, c, m: v * (1 - c) / m, "does not average out"),
        (exercises.check_ensemble_variance, lambda v, c, m: v * c, "limit of many"),
        (exercises.check_ensemble_variance, lambda v, c, m: v * c + v / m, "Only the share"),
        (exercises.check_ensemble_variance, lambda v, c, m: v * (1 + (m - 1) * c), "divides the double sum"),
        (exercises.check_ensemble_variance, lambda v, c, m: v * (c / m + 1 - c), "stays whole"),
        (exercises.check_ensemble_variance, lambda *a: math.sqrt(_variance(*a)), "the deviation"),
        (exercises.check_ensemble_variance, lambda v, c, m: _variance(v, c * c, m), "not its square"),
        (
            exercises.check_calibration_error,
            lambda *a: _bins(*a, lambda share, gaps: abs(gaps).mean()),
            "how many examples",
        ),
        (
            exercises.check_calibration_error,
            lambda *a: _bins(*a, lambda share, gaps: abs((share * gaps).sum())),
            "must not cancel",
        ),
        (
            exercises.check_calibration_error,
            lambda *a: _bins(*a, lambda share, gaps: (share * gaps**2).sum()),
            "not squares",
        ),
        (exercises.check_calibration_error, lambda s, r, b: abs(r - s).mean(), "not of single examples"),
        (exercises.check_calibration_error, lambda *a: 100 * _error(*a), "not in percent"),
        (exercises.check_calibration_error, lambda *a: float("nan"), "has no mean"),
        (
            exercises.check_calibration_error,
            lambda *a: _bins(*a, lambda share, gaps: abs(gaps).max()),
            "the largest gap",
        ),
        (exercises.check_start_share, lambda t, d, k: d**t, "without the warm-up"),
        (exercises.check_start_share, lambda *a: 1 - _share(*a), "all the others"),
        (exercises.check_start_share, lambda t, d, k: min(d, t / (t + k)), "the last step keeps"),
        (exercises.check_start_share, lambda t, d, k: min(d, t / (t + k)) ** t, "another one in each step"),
        (exercises.check_start_share, lambda t, d, k: _share(t - 1, d, k), "too few"),
        (exercises.check_start_share, lambda t, d, k: _share(t, 1.0, k), "never above the decay"),
        (
            exercises.check_start_share,
            lambda t, d, k: math.prod(min(d, (j + 1) / (j + 1 + k)) for j in range(1, t + 1)),
            "begins at 1",
        ),
        (exercises.check_start_share, lambda t, d, k: 0.0, "begins at the first weights"),
    ],
)
def test_slips_get_their_reason(check, answer, words):
    with pytest.raises(AssertionError, match=words):
        check(answer)
