"""Checkers of the chapter on gradient checking: right answers in other forms, and what likely slips are told."""

from __future__ import annotations

import cmath

import numpy as np
import pytest

from dlnotes.exercises import gradient_checking as exercises


def centered(f, x, h):
    return (f(x + h) - f(x - h)) / (2 * h)


def richardson(f, x, h):
    return (4 * centered(f, x, h) - centered(f, x, 2 * h)) / 3


def halved(f, x, h):
    return richardson(f, x, h / 2)


def by_weights(f, x, h):
    weights, steps = [1 / 12, -8 / 12, 8 / 12, -1 / 12], [-2, -1, 1, 2]
    return np.array(sum(w * f(x + s * h) for w, s in zip(weights, steps, strict=True)) / h)


def in_one_call(f, x, h):
    return f(x + h * np.array([-2, -1, 1, 2])) @ [1 / 12, -8 / 12, 8 / 12, -1 / 12] / h


def single(f, x, h):
    return richardson(f, np.float32(x), np.float32(h))


@pytest.mark.parametrize("answer", [richardson, halved, by_weights, in_one_call, single])
def test_other_formulas_with_four_points_are_right(answer, capsys):
    exercises.check_four_points(answer)
    assert capsys.readouterr().out.startswith("Right: ")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (centered, "near points alone"),
        (lambda f, x, h: (centered(f, x, h) + centered(f, x, 2 * h)) / 2, "plain mean"),
        (lambda f, x, h: 4 * centered(f, x, h) - centered(f, x, 2 * h), "add up to 1"),
        (lambda f, x, h: (4 * centered(f, x, 2 * h) - centered(f, x, h)) / 3, "other way round"),
        (lambda f, x, h: 2 * richardson(f, x, h), "twice the derivative"),
        (lambda f, x, h: richardson(f, x, 2 * h), "4 steps away"),
        (lambda f, x, h: None, "returns nothing yet"),
        (lambda f, x, h: centered(f, x, 1e-5), "with the step it is given"),
        (lambda f, x, h: f(x + 1e-20j).imag / 1e-20, "with the step it is given"),
    ],
)
def test_slips_with_four_points_get_their_reason(answer, words):
    with pytest.raises(AssertionError, match=words):
        exercises.check_four_points(answer)


def backward(x, targets, w1, b1, w2, b2):
    a = np.tanh(x @ w1.T + b1)
    delta2 = (a @ w2.T + b2 - targets) / len(x)
    delta1 = delta2 @ w2 * (1 - a**2)
    return delta1.T @ x, delta1.sum(axis=0), delta2.T @ a, delta2.sum(axis=0)


@pytest.mark.parametrize("form", [tuple, list, lambda four: dict(zip(("w1", "b1", "w2", "b2"), four, strict=True))])
def test_a_backward_pass_in_any_form(form, capsys):
    exercises.check_backward_pass(lambda *given: form(backward(*given)))
    assert capsys.readouterr().out.startswith("Right: ")


def test_a_backward_pass_may_write_on_what_it_is_given(capsys):
    def scribbles(x, targets, *parameters):
        found = backward(x, targets, *parameters)
        for given in (x, targets, *parameters):
            given[...] = 7
        return found

    exercises.check_backward_pass(scribbles)
    assert capsys.readouterr().out.startswith("Right: ")


def changed(place, change):
    def answer(*given):
        four = list(backward(*given))
        four[place] = change(four[place], len(given[0]))
        return four

    return answer


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (changed(0, lambda g, m: -g), "Only the sign"),
        (changed(2, lambda g, m: m * g), "mean over the"),
        (changed(3, lambda g, m: g / m), "must enter once"),
        (changed(2, lambda g, m: g.T if g.shape[0] == g.shape[1] else g), "transposed"),
        (changed(0, lambda g, m: 2 * g), "carried back"),
        (changed(1, lambda g, m: g[:, None]), "shape"),
        (lambda *given: backward(*given)[:3], "four gradients"),
    ],
)
def test_slips_of_a_backward_pass_get_their_reason(answer, words):
    with pytest.raises(AssertionError, match=words):
        exercises.check_backward_pass(answer)


def safe(v):
    return np.sum(np.where(v.real < 0, 0.1 * v, v)) * np.sqrt(np.sum(v * v))


@pytest.mark.parametrize(
    "answer",
    [
        safe,
        lambda v: np.array(safe(v)),
        lambda v: complex(safe(v)) if np.iscomplexobj(v) else float(safe(v)),
        lambda v: safe(v.astype(complex)),
        lambda v: complex(safe(v)),
        lambda v: np.sum(np.where(v.real < 0, 0.1 * v, v)) * cmath.sqrt(np.sum(v * v)),
        lambda v: safe(v.astype(np.complex64)),
    ],
)
def test_complex_safe_in_any_form(answer, capsys):
    exercises.check_complex_safe(answer)
    assert capsys.readouterr().out.startswith("Right: ")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda v: np.sum(0.55 * v + 0.45 * np.abs(v)) * np.sqrt(np.sum(v * v)), "leaky ReLU still takes a modulus"),
        (lambda v: np.sum(np.where(v.real < 0, 0.1 * v, v)) * np.linalg.norm(v), "from the length is lost"),
        (lambda v: safe(v.real), "imaginary part is lost"),
        (lambda v: 2 * safe(v), "nothing may change"),
        (lambda v: safe(v) + 1j, "must be real numbers"),
    ],
)
def test_slips_of_complex_safe_get_their_reason(answer, words):
    with pytest.raises(AssertionError, match=words):
        exercises.check_complex_safe(answer)


def largest_safe(x, z):
    movers = np.concatenate((np.abs(x), np.ones((len(x), 1))), axis=1)
    return (np.abs(z)[:, :, None] / movers[:, None, :]).min()


@pytest.mark.parametrize(
    "answer",
    [
        largest_safe,
        lambda x, z: float(largest_safe(x, z)),
        lambda x, z: largest_safe(x.astype(np.float32), z.astype(np.float32)),
        lambda x, z: np.abs(z).min(1).__truediv__(np.maximum(1, np.abs(x).max(1))).min(),
    ],
)
def test_safe_step_in_any_form(answer, capsys):
    exercises.check_safe_step(answer)
    assert capsys.readouterr().out.startswith("Right: ")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x, z: np.abs(z).min(), "right for the biases alone"),
        (lambda x, z: (np.abs(z)[:, :, None] / np.abs(x)[:, None, :]).min(), "right for the weights alone"),
        (lambda x, z: np.abs(z).min() / max(1, np.abs(x).max()), "safe but too small"),
        (lambda x, z: 0.0, "must be above 0"),
    ],
)
def test_slips_of_safe_step_get_their_reason(answer, words):
    with pytest.raises(AssertionError, match=words):
        exercises.check_safe_step(answer)
