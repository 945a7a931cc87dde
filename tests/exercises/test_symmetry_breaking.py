"""Right answers in other forms, and what the likeliest slips are told."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dlnotes.exercises import symmetry_breaking as exercises


def _swap(parameters, i, j, parts=("0.weight", "0.bias", "2.weight"), dtype=np.float64):
    result = {name: value.astype(dtype) for name, value in parameters.items()}
    for name in parts:
        columns = result[name] if name == "0.bias" else result[name].T if name == "0.weight" else result[name]
        columns[..., [i, j]] = columns[..., [j, i]]
    return result


def _overwritten(parameters, i, j):
    result = _swap(parameters, i, j, ("0.bias", "2.weight"))
    result["0.weight"][i], result["0.weight"][j] = result["0.weight"][j], result["0.weight"][i]
    return result


def _across(name):
    """Swap along the wrong axis of one weight."""

    def swapped(parameters, i, j):
        result = _swap(parameters, i, j, {"0.weight", "0.bias", "2.weight"} - {name})
        turned = result[name].T if name == "2.weight" else result[name]
        turned[..., [i, j]] = turned[..., [j, i]]
        return result

    return swapped


def _steps(scale, mode, width, rate, first=0.5):
    return math.log(mode / (first * width * scale**2)) / (2 * mode * rate)


def _descended(scale, mode, width, rate):
    """Count steps of descent in the product itself."""
    product, steps = width * scale**2 / 2, 0
    while product < mode / 2:
        product *= (1 + rate * (mode - product)) ** 2
        steps += 1
    return steps


def _loss(s, classes):
    return math.log(classes) + s * s / 2 * (1 - 1 / classes)


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (exercises.check_swap_units, _swap),
        (exercises.check_swap_units, lambda p, i, j: _swap(p, i, j, dtype=np.float32)),
        (exercises.check_swap_units, lambda p, i, j: {n: v.tolist() for n, v in _swap(p, i, j).items()}),
        (exercises.check_one_unit_rates, lambda n, rate: (rate / n, rate * n)),
        (exercises.check_one_unit_rates, lambda n, rate: np.array([rate / n, rate * n])),
        (exercises.check_one_unit_rates, lambda n, rate: [np.float32(rate / n), np.float32(rate * n)]),
        (exercises.check_escape_steps, _steps),
        (exercises.check_escape_steps, lambda *a: np.array(math.ceil(_steps(*a)))),
        (exercises.check_escape_steps, _descended),
        (exercises.check_escape_steps, lambda c, s, n, r: math.log(2 * s / (n * c * c) - 1) / (2 * s * r)),
        (exercises.check_first_loss, _loss),
        (exercises.check_first_loss, lambda s, c: np.float32(_loss(s, c))),
        (exercises.check_first_loss, lambda s, c: np.array(math.log(c) + s**2 * (c - 1) / (2 * c))),
    ],
)
def test_right_answers(check, answer, capsys):
    check(answer)
    assert capsys.readouterr().out.startswith("Right: ")


@pytest.mark.parametrize(
    ("check", "answer", "words"),
    [
        (exercises.check_swap_units, lambda p, i, j: {n: v.copy() for n, v in p.items()}, "Nothing has moved"),
        (exercises.check_swap_units, lambda p, i, j: _swap(p, i, j, ("0.weight",)), "the bias and the column of outg"),
        (exercises.check_swap_units, lambda p, i, j: _swap(p, i, j, ("0.weight", "2.weight")), ": the bias of each"),
        (exercises.check_swap_units, _overwritten, "Rows 0 and 1 are now the same: a row of an array is a view"),
        (exercises.check_swap_units, _across("0.weight"), "You swapped two inputs"),
        (exercises.check_swap_units, _across("2.weight"), "You swapped two outputs"),
        (exercises.check_swap_units, lambda p, i, j: p["0.weight"][:, 3], "IndexError.*a column of 2.weight"),
        (exercises.check_swap_units, lambda p, i, j: p["0.bias"].sort() or dict(p), "changed the 0.bias"),
        (exercises.check_swap_units, lambda p, i, j: {**_swap(p, i, j), "2.bias": 0 * p["2.bias"]}, "belongs to the"),
        (exercises.check_swap_units, lambda p, i, j: None, "must give a dict"),
        (exercises.check_one_unit_rates, lambda n, rate: rate, r"must have the shape \(2,\)"),
        (exercises.check_one_unit_rates, lambda n, rate: (rate, rate), "At the same rates"),
        (exercises.check_one_unit_rates, lambda n, rate: (rate * n, rate / n), "wrong way round"),
        (exercises.check_one_unit_rates, lambda n, rate: (rate / n, rate), "The incoming rate is right"),
        (exercises.check_one_unit_rates, lambda n, rate: (rate, rate * n), "The outgoing rate is right"),
        (exercises.check_one_unit_rates, lambda n, rate: (rate / n**0.5, rate * n**0.5), "the square root belongs"),
        (exercises.check_escape_steps, lambda *a: _steps(*a) * a[3], "divide by the learning rate"),
        (exercises.check_escape_steps, lambda c, s, n, r: s * _steps(c, s, n, r), "pulls faster"),
        (exercises.check_escape_steps, lambda *a: 2 * _steps(*a), "twice the rate of each"),
        (exercises.check_escape_steps, lambda c, s, n, r: math.log(1 / c) / (s * r), "the leading term"),
        (exercises.check_escape_steps, lambda *a: _steps(*a) / math.log(10), "natural one"),
        (exercises.check_escape_steps, lambda c, s, n, r: _steps(math.sqrt(c), s, n, r), "square it"),
        (exercises.check_escape_steps, lambda *a: _steps(*a, first=1), "half of a weight's variance"),
        (exercises.check_escape_steps, lambda c, s, n, r: _steps(c, s, 1, r), "Each of the n units"),
        (exercises.check_first_loss, lambda s, c: math.log(c), "logits that are all zero"),
        (exercises.check_first_loss, lambda s, c: math.log(c) + s * s / 2, "in common does not count"),
        (exercises.check_first_loss, lambda s, c: math.log(c) + s * s / 2 * c / (c - 1), "upside down"),
        (exercises.check_first_loss, lambda s, c: math.log(c) + s * s * (1 - 1 / c), "A half is missing"),
        (exercises.check_first_loss, lambda s, c: math.log(c) + s / 2 * (1 - 1 / c), "square it"),
        (exercises.check_first_loss, lambda s, c: _loss(s, c) / math.log(2), "natural one"),
        (exercises.check_first_loss, lambda s, c: 2 * math.log(c) - _loss(s, c), "makes the loss larger"),
    ],
)
def test_slips_get_their_reason(check, answer, words):
    with pytest.raises(AssertionError, match=words):
        check(answer)


def test_a_slip_of_one_case_alone_is_not_named():
    """A number that only happens to fit a slip in the first case gets no reason."""
    with pytest.raises(AssertionError, match=r"the law gives \S+$"):
        exercises.check_escape_steps(lambda c, s, n, r: _steps(c, s, n, r) / (math.log(10) if c == 1e-3 else 2))
