"""Right answers in other forms, and what the likeliest slips are told."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dlnotes.exercises import weight_penalties as exercises


def _soft(x, t):
    return np.sign(x) * np.maximum(np.abs(x) - t, 0)


def _in_place(x, t):
    x[np.abs(x) <= t] = 0
    x -= t * np.sign(x)
    return x


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (exercises.check_proximal_step, _soft),
        (exercises.check_proximal_step, _in_place),
        (exercises.check_proximal_step, lambda x, t: x - np.clip(x, -t, t)),
        (exercises.check_proximal_step, lambda x, t: _soft(x, t).astype(np.float32)),
        (exercises.check_proximal_step, lambda x, t: _soft(x, t).tolist()),
        (exercises.check_strength_for_share, lambda h, s: h / s - h),
        (exercises.check_strength_for_share, lambda h, s: np.float32(h * (1 - s) / s)),
        (exercises.check_library_strengths, lambda strength, n: [n * strength, strength]),
        (exercises.check_library_strengths, lambda strength, n: (np.array(n * strength), np.float32(strength))),
        (exercises.check_decay_for_run, lambda rate, steps, left: (1 - left ** (1 / steps)) / rate),
        (exercises.check_library_strengths, lambda strength, n: np.array([n * strength, strength])),
        (exercises.check_decay_for_run, lambda rate, steps, left: -math.expm1(math.log(left) / steps) / rate),
        (
            exercises.check_decay_for_run,
            lambda rate, steps, left: (1 - np.float32(left) ** np.float32(1 / steps)) / np.float32(rate),
        ),
    ],
)
def test_right_answers(check, answer, capsys):
    check(answer)
    assert capsys.readouterr().out.startswith("Right: ")


def test_a_tensor_may_stand_for_a_pair(capsys):
    torch = pytest.importorskip("torch")
    exercises.check_library_strengths(lambda strength, n: torch.tensor([n * strength, strength]))
    assert capsys.readouterr().out.startswith("Right: ")


@pytest.mark.parametrize(
    ("check", "answer", "words"),
    [
        (exercises.check_proximal_step, lambda x, t: x - t * np.sign(x), "hop to the other side"),
        (exercises.check_proximal_step, lambda x, t: np.where(abs(x) > t, x, 0), "move too"),
        (exercises.check_proximal_step, lambda x, t: abs(_soft(x, t)), "sign is lost"),
        (exercises.check_proximal_step, lambda x, t: np.maximum(x - t, 0), "Negative numbers"),
        (exercises.check_proximal_step, lambda x, t: np.clip(x, -t, t), "to be taken away"),
        (exercises.check_proximal_step, lambda x, t: x / (1 + t), "step of L2"),
        (exercises.check_proximal_step, lambda x, t: _soft(x, t) + 1e-9 * (abs(x) < t), "exactly 0"),
        (exercises.check_proximal_step, lambda x, t: _soft(x, 2 * t), "It should be"),
        (exercises.check_proximal_step, lambda x, t: None, "returns nothing yet"),
        (exercises.check_strength_for_share, lambda h, s: h * (1 - s), "Divide by the share"),
        (exercises.check_strength_for_share, lambda h, s: h * s / (1 - s), "Upside down"),
        (exercises.check_strength_for_share, lambda h, s: h / s, "take h off"),
        (exercises.check_strength_for_share, lambda h, s: 1 / s - 1, "curvature is missing"),
        (exercises.check_strength_for_share, lambda h, s: -h, "nothing can be said"),
        (exercises.check_strength_for_share, lambda h, s: h * s, "no strength"),
        (exercises.check_strength_for_share, lambda h, s: -h * (1 - s) / s, "A strength is positive"),
        (exercises.check_proximal_step, lambda x, t: abs(x) - t, "sign is lost, and"),
        (exercises.check_library_strengths, lambda strength, n: (strength, strength), "the rows count"),
        (exercises.check_library_strengths, lambda strength, n: (strength, n * strength), "other order"),
        (exercises.check_library_strengths, lambda strength, n: (strength / n, strength), "Upside down"),
        (exercises.check_library_strengths, lambda strength, n: (2 * n * strength, strength), "takes this 2 away"),
        (exercises.check_library_strengths, lambda strength, n: (-n * strength, strength), "A strength is positive"),
        (exercises.check_library_strengths, lambda strength, n: (n * strength, -strength), "A strength is positive"),
        (exercises.check_library_strengths, lambda strength, n: (n * strength, 2 * n * strength), "no rows and no 2"),
        (exercises.check_library_strengths, lambda strength, n: (n * strength, strength / n), "rows do not count"),
        (exercises.check_library_strengths, lambda strength, n: np.float64(strength), "must be a pair"),
        (exercises.check_library_strengths, lambda strength, n: (n * strength / 2, strength), "half of the penalty"),
        (exercises.check_library_strengths, lambda strength, n: (n * strength, n * strength), "a mean already"),
        (exercises.check_library_strengths, lambda strength, n: (n * strength, strength / 2), "no half"),
        (exercises.check_library_strengths, lambda strength, n: n * strength, "must be a pair"),
        (exercises.check_decay_for_run, lambda rate, steps, left: 1 / (rate * steps), "memory is the run"),
        (exercises.check_decay_for_run, lambda rate, steps, left: -math.log(left) / (rate * steps), "exactly"),
        (exercises.check_decay_for_run, lambda rate, steps, left: (1 - left) / (rate * steps), "powers, no sum"),
        (exercises.check_decay_for_run, lambda rate, steps, left: 1 - left ** (1 / steps), "divide by the rate"),
        (exercises.check_decay_for_run, lambda rate, steps, left: (1 - left) / rate, "for one step"),
        (exercises.check_decay_for_run, lambda rate, steps, left: (1 + left ** (1 / steps)) / rate, "must be below 1"),
        (exercises.check_decay_for_run, lambda rate, steps, left: -1.0, "A decay is positive"),
        (exercises.check_decay_for_run, lambda rate, steps, left: -math.log(1 - left) / (rate * steps), "not what is"),
        (exercises.check_decay_for_run, lambda rate, steps, left: 1e300, "leaves inf"),
    ],
)
def test_slips_get_their_reason(check, answer, words):
    with pytest.raises(AssertionError, match=words):
        check(answer)
