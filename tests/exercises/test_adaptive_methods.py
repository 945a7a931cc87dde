"""Right answers in other forms, and what the likeliest slips are told."""

from __future__ import annotations

import numpy as np
import pytest

from dlnotes.exercises import adaptive_methods as exercises


def _adam(g, m, v, t, *, sign=-1, root=np.sqrt, correct=(True, True), inside=False, betas=(0.9, 0.999), **other):
    m, v = betas[0] * m + other.get("weight", 1 - betas[0]) * g, betas[1] * v + (1 - betas[1]) * g * g
    m = m / (1 - betas[0] ** t) if correct[0] else m
    v = v / (1 - betas[1] ** t) if correct[1] else v
    return sign * m / (root(v + 1e-8) if inside else root(v) + other.get("epsilon", 1e-8))


def _epsilon_hat(g, m, v, t):
    return _adam(g, m, v, t, epsilon=1e-8 / np.sqrt(1 - 0.999**t))


def _nesterov(g, m, v, t, ahead=0):
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
    looked = 0.9 * m / (1 - 0.9 ** (t + ahead)) + 0.1 * g / (1 - 0.9**t)
    return -looked / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)


def _earlier_square(g, m, v, t):
    return -(0.9 * m + 0.1 * g) / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)


def _in_place(g, m, v, t):
    m *= 0.9
    m += 0.1 * g
    v *= 0.999
    v += 0.001 * g * g
    return -(m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)


def _kept(name, rows, columns):
    copies = {"momentum": 1, "Adam": 2, "AMSGrad": 3, "Lion": 1}
    return rows**2 + columns**2 if name == "Shampoo" else copies[name] * rows * columns


def _round(cycle, beta2, settle=1000, corrected=False, sign=-1, root=np.sqrt):
    v, t = 0.0, 0
    for _ in range(settle):
        moved = 0.0
        for g in cycle:
            t += 1
            v = beta2 * v + (1 - beta2) * g * g
            moved += sign * g / root(v / (1 - beta2**t) if corrected else v)
    return moved


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (exercises.check_adam_step, _adam),
        (exercises.check_adam_step, lambda *given: _adam(*given).tolist()),
        (exercises.check_adam_step, lambda *given: np.float32(_adam(*given))),
        (exercises.check_adam_step, _in_place),
        (exercises.check_uncorrected, lambda a, b, t: np.array((1 - a**t) / np.sqrt(1 - b**t))),
        (exercises.check_uncorrected, lambda a, b, t: np.float32((1 - a**t) / np.sqrt(1 - b**t))),
        (exercises.check_round_of_adam, _round),
        (exercises.check_round_of_adam, lambda cycle, beta2: np.float32(_round(list(cycle), beta2, 300))),
        (exercises.check_numbers_kept, _kept),
        (exercises.check_numbers_kept, lambda *given: float(_kept(*given))),
    ],
)
def test_right_answers_in_other_forms_pass(check, answer, capsys):
    check(answer)
    assert capsys.readouterr().out.startswith("Right: ")


@pytest.mark.parametrize(
    ("check", "answer", "told"),
    [
        (exercises.check_adam_step, lambda *given: _adam(*given, sign=1), "against the gradient"),
        (exercises.check_adam_step, lambda *given: _adam(*given, root=lambda v: v), "A root is missing"),
        (exercises.check_adam_step, lambda *given: _adam(*given, inside=True), "outside the root"),
        (exercises.check_adam_step, lambda *given: _adam(*given, correct=(False, False)), "start at zero"),
        (exercises.check_adam_step, lambda *given: _adam(*given, correct=(True, False)), "average square needs"),
        (exercises.check_adam_step, lambda *given: _adam(*given, correct=(False, True)), "average gradient needs"),
        (exercises.check_adam_step, lambda *given: _adam(*given, epsilon=0.0), "Epsilon is missing"),
        (exercises.check_adam_step, _epsilon_hat, "one over that correction"),
        (exercises.check_adam_step, lambda *given: _adam(*given, betas=(0.999, 0.9)), "0.999 of its square"),
        (exercises.check_adam_step, lambda g, m, v, t: _adam(g, m, v, t, weight=1.0), "the weight 0.1"),
        (exercises.check_adam_step, _nesterov, "counts twice"),
        (exercises.check_adam_step, lambda *given: _nesterov(*given, ahead=1), "NAdam"),
        (exercises.check_adam_step, _earlier_square, "average square must take in"),
        (exercises.check_adam_step, lambda g, m, v, t: None, "returns nothing yet"),
        (exercises.check_adam_step, lambda g, m, v, t: 1.0, "must have the shape"),
        (exercises.check_uncorrected, lambda a, b, t: np.sqrt(1 - b**t) / (1 - a**t), "upside down"),
        (exercises.check_uncorrected, lambda a, b, t: (1 - a**t) / (1 - b**t), "under a root"),
        (exercises.check_uncorrected, lambda a, b, t: np.sqrt((1 - a**t) / (1 - b**t)), "under no root"),
        (exercises.check_uncorrected, lambda a, b, t: 1 / np.sqrt(1 - b**t), "first average is corrected too"),
        (exercises.check_uncorrected, lambda a, b, t: (1 - a ** (t + 1)) / np.sqrt(1 - b ** (t + 1)), "t is 1"),
        (exercises.check_uncorrected, lambda a, b, t: (1 - a) / np.sqrt(1 - b), "weights of one gradient"),
        (exercises.check_round_of_adam, lambda *given: _round(*given, sign=1), "leads down"),
        (exercises.check_round_of_adam, lambda *given: _round(*given, settle=1), "first round from zero"),
        (exercises.check_round_of_adam, lambda *given: _round(*given, 1, True), "first round, corrected"),
        (exercises.check_round_of_adam, lambda *given: _round(*given, settle=20), "more rounds"),
        (exercises.check_round_of_adam, lambda *given: _round(*given, root=lambda v: v), "A root is missing"),
        (exercises.check_numbers_kept, lambda n, r, c: 4 * _kept(n, r, c), "not bytes"),
        (exercises.check_numbers_kept, lambda n, r, c: _kept(n, r, c) + r * c, "do not count"),
        (exercises.check_numbers_kept, lambda n, r, c: 2 * r * c if n == "Lion" else _kept(n, r, c), "no average"),
        (exercises.check_numbers_kept, lambda n, r, c: 3 * r * c if n == "Adam" else _kept(n, r, c), "AMSGrad's"),
        (
            exercises.check_numbers_kept,
            lambda n, r, c: (r + c) ** 2 if n == "Shampoo" else _kept(n, r, c),
            "two matrices",
        ),
        (exercises.check_numbers_kept, lambda n, r, c: r + c if n == "Shampoo" else _kept(n, r, c), "a row of each"),
    ],
)
def test_slips_are_told_what_is_wrong(check, answer, told):
    with pytest.raises(AssertionError, match=told):
        check(answer)
