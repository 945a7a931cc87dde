"""Right answers in other forms, and what the likeliest slips are told."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dlnotes.exercises import hyperparameter_search as exercises


def _needed(p, q):
    return math.ceil(math.log(1 - p) / math.log(1 - q))


def _rounds(n, budget, factor, count=math.floor, last=True, growth=None):
    plan = [(n, budget)]
    while plan[-1][0] >= factor:
        plan.append((count(plan[-1][0] / factor), plan[-1][1] * (growth or factor)))
    return plan if last else plan[:-1]


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (exercises.check_draws_needed, lambda p, q: float(_needed(p, q))),
        (exercises.check_draws_needed, lambda p, q: np.int32(np.ceil(np.log1p(-p) / np.log1p(-q)))),
        (exercises.check_draws_needed, lambda p, q: next(n for n in range(999) if 1 - (1 - q) ** n >= p - 1e-12)),
        (
            exercises.check_log_uniform,
            lambda low, high, u: np.float32(10 ** (np.log10(low) + u * np.log10(high / low))),
        ),
        (exercises.check_log_uniform, lambda low, high, u: math.exp((1 - u) * math.log(low) + u * math.log(high))),
        (exercises.check_rounds, _rounds),
        (exercises.check_rounds, lambda *given: np.array(_rounds(*given))),
        (exercises.check_rounds, lambda *given: [list(pair) for pair in _rounds(*given)]),
        (exercises.check_report, lambda v, t: t[np.where(np.isnan(v), np.inf, v).argmin()]),
        (exercises.check_report, lambda v, t: np.float32(t[list(v).index(np.nanmin(v))])),
    ],
)
def test_right_answers_in_other_forms(check, answer, capsys):
    check(answer)
    assert capsys.readouterr().out.startswith("Right: ")


@pytest.mark.parametrize(
    ("check", "answer", "words"),
    [
        (exercises.check_draws_needed, lambda p, q: math.log(1 - p) / math.log(1 - q), "Draws are whole"),
        (exercises.check_draws_needed, lambda p, q: int(math.log(1 - p) / math.log(1 - q)), "One too few"),
        (exercises.check_draws_needed, lambda p, q: int(math.log(1 - p) / math.log(1 - q)) + 2, "One draw fewer"),
        (exercises.check_draws_needed, lambda p, q: math.ceil(p / q), "do not add up"),
        (exercises.check_draws_needed, lambda p, q: math.ceil(math.log(p) / math.log(1 - q)), "1 - p, not p"),
        (exercises.check_draws_needed, lambda p, q: math.ceil(math.log(1 - p) / math.log(q)), "not share"),
        (exercises.check_draws_needed, lambda p, q: math.ceil(1 / q), "about 0.63"),
        (exercises.check_draws_needed, lambda p, q: None, "returns nothing yet"),
        (exercises.check_log_uniform, lambda low, high, u: low + u * (high - low), "even in the value"),
        (
            exercises.check_log_uniform,
            lambda low, high, u: (1 - u) * math.log10(low) + u * math.log10(high),
            "take the power",
        ),
        (
            exercises.check_log_uniform,
            lambda low, high, u: 10 ** ((1 - u) * math.log(low) + u * math.log(high)),
            "different bases",
        ),
        (
            exercises.check_log_uniform,
            lambda low, high, u: math.exp(math.log10(low) + u * math.log10(high / low)),
            "different bases",
        ),
        (exercises.check_log_uniform, lambda low, high, u: high * (low / high) ** u, "Turned around"),
        (exercises.check_log_uniform, lambda low, high, u: low * math.exp(u * (high - low)), "ratio of the ends"),
        (exercises.check_rounds, lambda *given: _rounds(*given, last=False), "last round is missing"),
        (exercises.check_rounds, lambda *given: _rounds(*given, growth=1), "budget grows by the factor"),
        (exercises.check_rounds, lambda *given: _rounds(*given, count=math.ceil), "floor of n / factor"),
        (
            exercises.check_rounds,
            lambda n, b, f: [*_rounds(n, b, f), (0, b * f ** len(_rounds(n, b, f)))],
            "Too many rounds",
        ),
        (exercises.check_rounds, lambda *given: _rounds(*given, count=float), "candidates and budgets are whole"),
        (exercises.check_rounds, lambda *given: [(n, b + 0.5) for n, b in _rounds(*given)], "budgets are whole"),
        (exercises.check_rounds, lambda n, b, f: None, "must be a list of pairs"),
        (exercises.check_report, lambda v, t: np.nanmin(v), "that was lucky"),
        (exercises.check_report, lambda v, t: t.min(), "no test"),
        (exercises.check_report, lambda v, t: t[v.argmin()], "takes nan for the least"),
        (exercises.check_report, lambda v, t: t.mean(), "mean of all"),
        (exercises.check_report, lambda v, t: v.min() if np.isnan(v.min()) else t[v.argmin()], "is nan"),
    ],
)
def test_slips_get_their_reason(check, answer, words):
    with pytest.raises(AssertionError, match=words):
        check(answer)
