"""Right answers in other forms, and what the likeliest slips are told."""

from __future__ import annotations

import numpy as np
import pytest

from dlnotes.exercises import minibatch as exercises


def _error(spread, size, examples):
    return np.sqrt(spread**2 / size * (1 - (size - 1) / (examples - 1)))


def _join(gradients, counts):
    return np.average(gradients, axis=0, weights=counts)


def _join_in_place(gradients, counts):
    for gradient, count in zip(gradients, counts, strict=True):
        gradient *= count / sum(counts)
    return list(sum(gradients))


def _scale(small, large, of_small, of_large):
    noise = (of_small - of_large) * small * large / (large - small)
    return noise / (of_small - noise / small)


@pytest.mark.parametrize(
    ("checker", "answer"),
    [
        ("batch_error", _error),
        ("batch_error", lambda *given: np.float32(_error(*given))),
        ("batch_error", lambda *given: np.array(_error(*given))),
        ("join", _join),
        ("join", _join_in_place),
        ("join", lambda g, n: _join(g, n).astype(np.float32)),
        ("noise_from_two", _scale),
        ("noise_from_two", lambda *given: np.array(_scale(*given))),
        ("noise_from_two", lambda *given: np.float32(_scale(*given))),
    ],
)
def test_right_answers_in_other_forms_pass(checker, answer, capsys):
    getattr(exercises, f"check_{checker}")(answer)
    assert capsys.readouterr().out.startswith("Right")


@pytest.mark.parametrize(
    ("checker", "answer", "told"),
    [
        ("batch_error", lambda v, b, n: v / b**0.5, "with replacement"),
        ("batch_error", lambda v, b, n: v**2 / b * (n - b) / (n - 1), "take the root"),
        ("batch_error", lambda v, b, n: v / b * (n - b) / (n - 1), "has its root"),
        ("batch_error", lambda v, b, n: v * (1 / b - 1 / n) ** 0.5, "one less"),
        ("batch_error", lambda v, b, n: v / b, "squares|one"),
        ("batch_error", lambda v, b, n: v / b**0.5 * (n - b) / (n - 1), "under the root"),
        ("batch_error", lambda v, b, n: None, "nothing yet"),
        ("join", lambda g, n: sum(g) / len(g), "plain mean"),
        ("join", lambda g, n: sum(g), "too long"),
        ("join", lambda g, n: sum(c * x for c, x in zip(n, g, strict=True)), "divide by their number"),
        ("join", lambda g, n: sum(c * x for c, x in zip(n, g, strict=True)) / len(g), "not of parts"),
        ("join", lambda g, n: sum(g) / sum(n), "weigh it"),
        ("join", lambda g, n: g[0][:2], "shape"),
        ("noise_from_two", lambda b, c, x, y: 1 / _scale(b, c, x, y), "upside down"),
        ("noise_from_two", lambda b, c, x, y: (x - y) / (1 / b - 1 / c), "variance of a single"),
        ("noise_from_two", lambda b, c, x, y: (x - y) / (1 / b - 1 / c) / y, "large batch has noise"),
        ("noise_from_two", lambda b, c, x, y: _scale(b, c, x, y) ** 0.5, "No root"),
        ("noise_from_two", lambda b, c, x, y: (c * y - b * x) / (c - b), "noise over it"),
        ("noise_from_two", lambda b, c, x, y: (x - y) / ((c * y - b * x) / (c - b)), "of one example is larger"),
    ],
)
def test_the_likeliest_slips_are_told_apart(checker, answer, told):
    with pytest.raises(AssertionError, match=told):
        getattr(exercises, f"check_{checker}")(answer)
