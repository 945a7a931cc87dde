"""Right answers in other forms, and what the likeliest slips are told."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dlnotes.exercises import gradient_clipping as exercises


def _length(gradients):
    return math.sqrt(sum((g**2).sum() for g in gradients))


def _clip(gradients, max_norm):
    return [g * min(1.0, max_norm / _length(gradients)) for g in gradients]


def _by(length):
    """Clip by another length, taken from the sizes of all numbers and the lengths of the arrays."""

    def answer(gradients, max_norm):
        sizes = np.concatenate([abs(g).ravel() for g in gradients])
        wrong = length(sizes, [np.linalg.norm(g) for g in gradients])
        return [g * min(1.0, max_norm / wrong) for g in gradients]

    return answer


def _slope(weight, length):
    return sum((weight / 4) ** t for t in range(length))


def _scaled(gradient, scale, max_norm):
    gradient = gradient / scale
    if not np.isfinite(gradient).all():
        return None
    return gradient * min(1.0, max_norm / np.linalg.norm(gradient))


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (exercises.check_clip_gradients, _clip),
        (exercises.check_clip_gradients, lambda g, m: tuple(one.astype(np.float32) for one in _clip(g, m))),
        (exercises.check_clip_gradients, lambda g, m: [one.tolist() for one in _clip(g, m)]),
        (exercises.check_clip_gradients, lambda g, m: [one * m / max(_length(g), m) for one in g]),
        (exercises.check_cliff_slope, _slope),
        (exercises.check_cliff_slope, lambda w, t: np.array(float(t) if w == 4 else ((w / 4) ** t - 1) / (w / 4 - 1))),
        (exercises.check_cliff_slope, lambda w, t: np.float32(_slope(w, t))),
        (exercises.check_longest_step, lambda rate, c, beta: rate * c / (1 - beta)),
        (exercises.check_longest_step, lambda rate, c, beta: np.float32(rate * c / (1 - beta))),
        (exercises.check_longest_step, lambda rate, c, beta: rate * c * sum(beta**k for k in range(1000))),
        (exercises.check_scaled_step, _scaled),
        (exercises.check_scaled_step, lambda g, s, c: None if _scaled(g, s, c) is None else list(_scaled(g, s, c))),
    ],
)
def test_right_answers(check, answer, capsys):
    check(answer)
    assert capsys.readouterr().out.startswith("Right: ")


@pytest.mark.parametrize(
    ("check", "answer", "words"),
    [
        (exercises.check_clip_gradients, lambda g, m: [_clip([one], m)[0] for one in g], "Each array by its own norm"),
        (exercises.check_clip_gradients, lambda g, m: [np.clip(one, -m, m) for one in g], "bounds each number"),
        (exercises.check_clip_gradients, lambda g, m: [one * m / _length(g) for one in g], "must stay as it is"),
        (
            exercises.check_clip_gradients,
            lambda g, m: [one * min(1, m / sum(np.linalg.norm(o) for o in g)) for one in g],
            "their squares do",
        ),
        (
            exercises.check_clip_gradients,
            lambda g, m: [o * min(1, m / _length(g) ** 2) for o in g],
            "a root is missing",
        ),
        (exercises.check_clip_gradients, lambda g, m: g, "Nothing was shortened"),
        (exercises.check_clip_gradients, _by(lambda sizes, lengths: sizes.sum()), "sum of the sizes"),
        (exercises.check_clip_gradients, _by(lambda sizes, lengths: sizes.max()), "the largest number"),
        (exercises.check_clip_gradients, _by(lambda sizes, lengths: max(lengths)), "the longest array"),
        (exercises.check_clip_gradients, _by(lambda sizes, lengths: (sizes**2).mean() ** 0.5), "mean of the squares"),
        (exercises.check_clip_gradients, _by(lambda sizes, lengths: (sizes**2).sum() ** 0.25), "the root twice"),
        (exercises.check_clip_gradients, _by(lambda sizes, lengths: 7.0), "root of the sum of all squares"),
        (exercises.check_clip_gradients, lambda g, m: None, "must give a list of 3 arrays"),
        (exercises.check_clip_gradients, lambda g, m: g[:1], "must give a list of 3 arrays"),
        (exercises.check_cliff_slope, lambda w, t: (w / 4) ** t, "move of the first state"),
        (exercises.check_cliff_slope, lambda w, t: (w / 4) ** (t - 1), "one term of the sum"),
        (
            exercises.check_cliff_slope,
            lambda w, t: sum((w / 4) ** k for k in range(1, t + 1)),
            "begin with the power 0",
        ),
        (exercises.check_cliff_slope, lambda w, t: _slope(w, t - 1), "from the power 0 to T - 1"),
        (exercises.check_cliff_slope, lambda w, t: _slope(w, t + 1), "One term too many"),
        (exercises.check_cliff_slope, lambda w, t: _slope(w, t) - 1, "One term too few"),
        (exercises.check_cliff_slope, lambda w, t: _slope(4 * w, t), "slope of the sigmoid at 0"),
        (exercises.check_cliff_slope, lambda w, t: _slope(w, t) / 2, "slope in the weight"),
        (exercises.check_cliff_slope, lambda w, t: _slope(2 * w, t), "its slope there is 1/4"),
        (exercises.check_cliff_slope, lambda w, t: ((w / 4) ** t - 1) / (w / 4 - 1), "divides by zero"),
        (exercises.check_longest_step, lambda rate, c, beta: rate * c, "bound of SGD"),
        (exercises.check_longest_step, lambda rate, c, beta: rate * c * (1 - beta), "sum of the powers"),
        (exercises.check_longest_step, lambda rate, c, beta: rate * c / (1 - beta) ** 0.5, "No root"),
        (exercises.check_longest_step, lambda rate, c, beta: 10 * rate * c, "for beta = 0.9"),
        (exercises.check_longest_step, lambda rate, c, beta: rate / (1 - beta), "as long as the threshold"),
        (exercises.check_longest_step, lambda rate, c, beta: rate * c / (1 - beta) ** 2, "One sum of powers"),
        (exercises.check_longest_step, lambda rate, c, beta: rate * c * (1 + beta), "all that came before"),
        (exercises.check_longest_step, lambda rate, c, beta: c / (1 - beta), "bounds the velocity"),
        (exercises.check_longest_step, lambda rate, c, beta: rate * c * beta / (1 - beta), "counts whole"),
        (exercises.check_longest_step, lambda rate, c, beta: rate * c / (1 - beta**2), "not its square"),
        (exercises.check_longest_step, lambda rate, c, beta: rate * c / (1 - beta**2) ** 0.5, "random signs"),
        (exercises.check_scaled_step, lambda g, s, c: _scaled(g, 1, c) / s, "before the scale was taken out"),
        (exercises.check_scaled_step, lambda g, s, c: c * g / np.linalg.norm(g), "must stay as it is"),
        (exercises.check_scaled_step, lambda g, s, c: _scaled(g, 1, c), "scale is still in"),
        (exercises.check_scaled_step, lambda g, s, c: g / s, "was not clipped"),
        (exercises.check_scaled_step, lambda g, s, c: np.clip(g / s, -c, c), "not by value"),
        (exercises.check_scaled_step, lambda g, s, c: _scaled(g / s, 1, c) * s, "to be taken out"),
        (
            exercises.check_scaled_step,
            lambda g, s, c: g / s * min(1.0, c / np.linalg.norm(g / s)),
            "leave the step out",
        ),
    ],
)
def test_slips_get_their_reason(check, answer, words):
    with pytest.raises(AssertionError, match=words):
        check(answer)
