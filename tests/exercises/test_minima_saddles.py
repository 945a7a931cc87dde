"""Right answers in other forms, and what the likeliest slips are told."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dlnotes.exercises import minima_saddles as exercises


def _index(sizes, kept, hidden, *, free=1, busy=1):
    missing = [i for i in range(len(sizes)) if i not in kept]
    return free * len(missing) * (hidden - len(kept)) + busy * sum(sizes[i] > sizes[k] for i in missing for k in kept)


def _magnitudes(hessian):
    values, vectors = np.linalg.eigh(hessian)
    return (vectors * np.abs(values)) @ vectors.T


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (exercises.check_index_of, _index),
        (exercises.check_index_of, lambda *a: np.array(float(_index(*a)))),
        (exercises.check_steps_to_leave, lambda d, c, r: math.log(1 / d) / math.log(1 + r * c)),
        (exercises.check_steps_to_leave, lambda d, c, r: math.ceil(-math.log2(d) / math.log2(1 + r * c))),
        (exercises.check_steps_to_leave, lambda d, c, r: np.float32(-np.log(d) / np.log1p(r * c))),
        (exercises.check_saddle_free, lambda g, h: -np.linalg.solve(_magnitudes(h), g)),
        (exercises.check_saddle_free, lambda g, h: (-np.linalg.solve(_magnitudes(h), g)).tolist()),
        (exercises.check_saddle_free, lambda g, h: -np.linalg.solve(_magnitudes(h), g).astype(np.float32)),
    ],
)
def test_right_answers_pass(check, answer, capsys):
    check(answer)
    assert capsys.readouterr().out.startswith("Right")


@pytest.mark.parametrize(
    ("check", "answer", "hint"),
    [
        (exercises.check_index_of, lambda s, k, h: _index(s, k, h, busy=0), "busy with a smaller"),
        (exercises.check_index_of, lambda s, k, h: len(s) - len(k), "count pairs"),
        (exercises.check_index_of, lambda s, k, h: h - len(k), "count pairs"),
        (exercises.check_index_of, lambda s, k, h: h * (len(s) - len(k)), "not every busy unit gains"),
        (exercises.check_index_of, lambda s, k, h: _index(s, k, len(s)), "need not be that of the directions"),
        (
            exercises.check_index_of,
            lambda s, k, h: _index(s[::-1], k, h),
            "to a larger direction, not to a smaller one",
        ),
        (exercises.check_steps_to_leave, lambda d, c, r: math.log(d) / math.log1p(r * c), "turn the fraction"),
        (exercises.check_steps_to_leave, lambda d, c, r: -math.log(d) / (r * c), "gradient flow"),
        (exercises.check_steps_to_leave, lambda d, c, r: -math.log10(d) / math.log1p(r * c), "the same base"),
        (exercises.check_steps_to_leave, lambda d, c, r: math.log(d) / math.log1p(-r * c), "not 1 - rate"),
        (exercises.check_saddle_free, lambda g, h: -np.linalg.solve(h, g), "with 2 rows .* this is Newton's step"),
        (exercises.check_saddle_free, lambda g, h: np.linalg.solve(_magnitudes(h), g), "the sign is turned"),
        (exercises.check_saddle_free, lambda g, h: -_magnitudes(h) @ g, "do not multiply"),
        (exercises.check_saddle_free, lambda g, h: -np.linalg.solve(np.abs(h), g), "not of the entries"),
    ],
)
def test_slips_are_told(check, answer, hint):
    with pytest.raises(AssertionError, match=hint):
        check(answer)
