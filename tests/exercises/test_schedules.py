"""Right answers in other forms, and what the likeliest slips are told."""

from __future__ import annotations

import numpy as np
import pytest

from dlnotes.exercises import schedules as exercises
from dlnotes.numpy import momentum
from dlnotes.numpy import schedules as kernels


def _warm_then_fall(step, rate, warm, steps):
    parts = (lambda t: kernels.warm_up(t, rate, warm), lambda t: kernels.linear(t, rate, steps - warm))
    return kernels.join(step, parts, (warm,))


@pytest.mark.parametrize(
    ("checker", "answer"),
    [
        ("noise_floor", lambda rate, h, variance: variance * momentum.noise_floor(h, rate)),
        ("noise_floor", lambda rate, h, variance: np.float32(rate**2 * variance / (1 - (1 - rate * h) ** 2))),
        ("noise_floor", lambda rate, h, variance: np.array(rate * variance / h / (2 - rate * h))),
        ("next_rate", lambda v, h, variance: np.array(1 / (h + variance / (h * v)))),
        ("next_rate", lambda v, h, variance: np.float32(h * v / (h * h * v + variance))),
        ("warm_then_fall", _warm_then_fall),
        (
            "warm_then_fall",
            lambda t, rate, warm, steps: np.float32(
                rate * max(min((t + 1) / (warm + 1), (steps - t) / (steps - warm)), 0)
            ),
        ),
        ("sweep_rate", lambda t, low, high, steps: float(kernels.exponential_sweep(t, low, high, steps))),
        ("sweep_rate", lambda t, low, high, steps: np.geomspace(low, high, steps)[t]),
        ("sweep_rate", lambda t, low, high, steps: np.logspace(np.log10(low), np.log10(high), steps)[t]),
    ],
)
def test_right_answers_in_other_forms_pass(checker, answer, capsys):
    getattr(exercises, f"check_{checker}")(answer)
    assert capsys.readouterr().out.startswith("Right")


@pytest.mark.parametrize(
    ("checker", "answer", "told"),
    [
        ("noise_floor", lambda rate, h, variance: rate**2 * variance, "what one step adds"),
        ("noise_floor", lambda rate, h, variance: rate * variance / (2 * h), "floor of small rates"),
        ("noise_floor", lambda rate, h, variance: rate * variance / h, "shrinks twice"),
        ("noise_floor", lambda rate, h, variance: rate * variance / (1 - (1 - rate * h) ** 2), "comes in with eta^2"),
        ("noise_floor", lambda rate, h, variance: rate * variance / (2 - rate * h) / 2, "This is the loss"),
        ("noise_floor", lambda rate, h, variance: None, "returns nothing yet"),
        ("next_rate", lambda v, h, variance: 1 / h, "best without noise"),
        ("next_rate", lambda v, h, variance: h / (h * h + variance), "this is for v = 1"),
        ("next_rate", lambda v, h, variance: v / (h * h * v + variance), "an h is missing"),
        ("next_rate", lambda v, h, variance: h * v / (h * v + variance), "has h"),
        ("next_rate", lambda v, h, variance: v / (h * v + variance), "By the chain rule"),
        ("next_rate", lambda v, h, variance: round(h * v / (h * h * v + variance), 4), "above the least. It is near"),
        ("next_rate", lambda v, h, variance: (h * v / variance) / (1 + h * h * v / variance), "divides by zero"),
        ("next_rate", lambda v, h, variance: h * v / (h * h * v + variance) / 2, "A factor of 2 is lost"),
        ("next_rate", lambda v, h, variance: 2 * h * v / (h * h * v + variance), "halfway"),
        ("next_rate", lambda v, h, variance: h * v / (h * h * v + 2 * variance), "slope of (1 - eta h)^2 v"),
        ("next_rate", lambda v, h, variance: 2 * h * v / (2 * h * h * v + variance), "slope of eta^2 sigma^2"),
        ("warm_then_fall", lambda t, rate, warm, steps: rate * (1 - t / steps), "no rise"),
        ("warm_then_fall", lambda t, rate, warm, steps: rate * min((t + 1) / (warm + 1), 1), "no fall"),
        (
            "warm_then_fall",
            lambda t, rate, warm, steps: rate * (t + 1) / (warm + 1) if t < warm else rate * max(1 - t / steps, 0),
            "falls from step 0",
        ),
        (
            "warm_then_fall",
            lambda t, rate, warm, steps: rate * min((t + 1) / (warm + 1), 1) * max(1 - t / steps, 0),
            "not multiplied",
        ),
        (
            "warm_then_fall",
            lambda t, rate, warm, steps: (
                rate * t / max(warm, 1) if t < warm else rate * max(steps - t, 0) / (steps - warm)
            ),
            "does not move",
        ),
        (
            "warm_then_fall",
            lambda t, rate, warm, steps: (
                rate * (t + 1) / (warm + 1) if t < warm else max(rate * (1 - (t - warm) / steps), 0)
            ),
            "count it too",
        ),
        ("warm_then_fall", lambda t, rate, warm, steps: rate * min(1, (t + 1) / max(warm, 1)), "one step too early"),
        ("sweep_rate", lambda t, low, high, steps: low + (high - low) * t / (steps - 1), "same amount"),
        ("sweep_rate", lambda t, low, high, steps: low * (high / low) ** (t / steps), "steps - 1"),
        ("sweep_rate", lambda t, low, high, steps: low * (high / low) ** ((t + 1) / steps), "This is ahead"),
        ("sweep_rate", lambda t, low, high, steps: high * (low / high) ** (t / (steps - 1)), "This falls"),
        ("sweep_rate", lambda t, low, high, steps: [low], "must be one number"),
    ],
)
def test_slips_are_told(checker, answer, told):
    with pytest.raises(AssertionError) as caught:
        getattr(exercises, f"check_{checker}")(answer)
    assert told in str(caught.value)
