"""What every checker asks of an answer."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dlnotes.exercises import _answers as answers


@pytest.mark.parametrize("given", [2, 2.0, True + 1, np.float32(2), np.array(2)])
def test_a_number(given):
    found = answers.number("f(1)", given)
    assert type(found) is float
    assert found == 2


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, r"f\(1\) returns nothing yet"),
        (..., r"f\(1\) returns nothing yet"),
        ([1.0], r"f\(1\) must be one number, got an array of shape \(1,\)"),
        ("2", r"f\(1\) must be real numbers, got '2'"),
        (2j, r"f\(1\) must be real numbers, got 2j"),
        ([[1], [1, 2]], r"f\(1\) must be real numbers"),
        (math.nan, r"f\(1\) must be finite, got nan"),
        (math.inf, r"f\(1\) must be finite, got inf"),
    ],
)
def test_no_number(given, words):
    with pytest.raises(AssertionError, match=words):
        answers.number("f(1)", given)


def test_infinity_where_it_may_be_an_answer():
    assert answers.number("f(1)", math.inf, infinite=True) == math.inf
    with pytest.raises(AssertionError, match="must be finite, got nan"):
        answers.number("f(1)", math.nan, infinite=True)


def test_an_array():
    np.testing.assert_array_equal(answers.array("f(1)", [[1, 2]], (1, 2)), [[1.0, 2.0]], strict=True)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (..., "returns nothing yet"),
        ([1.0, 2.0], r"must have the shape \(1, 2\), got \(2,\)"),
        ([[1.0, math.inf]], "not finite: look for a division by zero"),
        ([["a", "b"]], "must be real numbers"),
    ],
)
def test_no_array(given, words):
    with pytest.raises(AssertionError, match=words):
        answers.array("f(1)", given, (1, 2))


def test_a_pair():
    assert answers.pair("f(1)", [1, "a"]) == (1, "a")
    for given, words in (
        (None, "returns nothing yet"),
        ((1,), r"must be a pair, got \(1,\)"),
        ("ab", "must be a pair"),
    ):
        with pytest.raises(AssertionError, match=words):
            answers.pair("f(1)", given)
