"""Checkers of the chapter on gradient clipping: each takes a reader's answer and says what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from dlnotes.exercises import _answers as answers


def _near(given: float, wanted: float, tolerance: float = 1e-5) -> bool:
    """Compare to five digits, which an answer in float32 has."""
    return math.isclose(given, wanted, rel_tol=tolerance, abs_tol=1e-12)


def _all_near(given: list[np.ndarray], wanted: list[np.ndarray]) -> bool:
    return all(np.allclose(one, other, rtol=1e-5, atol=1e-8) for one, other in zip(given, wanted, strict=True))


def _by_norm(gradient: np.ndarray, max_norm: float) -> np.ndarray:
    return gradient * min(1.0, max_norm / np.linalg.norm(gradient))


def check_clip_gradients(clip_gradients: Callable[[list[np.ndarray], float], list[np.ndarray]]) -> None:
    """Check a function that clips a list of arrays by their global norm.

    Args:
        clip_gradients: takes a list of arrays and the threshold, and gives the list of clipped arrays.

    Raises:
        AssertionError: if an array is not shortened as it should be.
    """
    generator = np.random.default_rng(0)
    drawn = [generator.normal(size=shape) for shape in ((3, 4), (3,), (2, 3))]
    cases = (
        ("too long", [3 * array for array in drawn], 2.0),
        ("short enough", [0.01 * array for array in drawn], 2.0),
        ("of unequal arrays", [np.array([[9.0, 0.5]]), np.array([0.1])], 1.0),
    )
    for name, gradients, max_norm in cases:
        call = f"clip_gradients, on a gradient {name}"
        before = [array.copy() for array in gradients]
        given = clip_gradients([array.copy() for array in gradients], max_norm)
        if not isinstance(given, (list, tuple)) or len(given) != len(gradients):
            raise AssertionError(f"{call}, must give a list of {len(gradients)} arrays, got {given!r}")
        found = [answers.array(call, one, array.shape) for one, array in zip(given, before, strict=True)]
        length = math.sqrt(sum((array**2).sum() for array in before))
        wanted = [array * min(1.0, max_norm / length) for array in before]
        if not _all_near(found, wanted):
            reached = math.sqrt(sum((array**2).sum() for array in found))
            hint = _hint_for_clipped(found, before, max_norm, length)
            raise AssertionError(f"{call} of length {length:.4g}, gives length {reached:.4g}{hint}")
    answers.right("a gradient too long, one short enough, and one of unequal arrays")


def _hint_for_clipped(found: list[np.ndarray], before: list[np.ndarray], max_norm: float, length: float) -> str:
    """Say which slip gives these arrays, if one does."""
    total = sum(np.linalg.norm(array) for array in before)
    sizes = np.concatenate([np.abs(array).ravel() for array in before])
    lengths = (
        (total, "Lengths of arrays do not add up; their squares do"),
        (length**2, "This divides by the sum of the squares: a root is missing"),
        (math.sqrt(length), "This takes the root twice"),
        (sizes.sum(), "This divides by the sum of the sizes; the length is the root of the sum of the squares"),
        (sizes.max(), "This divides by the largest number; the length counts all of them"),
        (max(np.linalg.norm(array) for array in before), "This takes the longest array; the squares of all add up"),
        (length / math.sqrt(sizes.size), "This takes the mean of the squares; the length takes their sum"),
    )
    slips = (
        ([_by_norm(array, max_norm) for array in before], "Each array by its own norm turns the whole; take one norm"),
        ([np.clip(array, -max_norm, max_norm) for array in before], "This bounds each number, and turns the gradient"),
        ([array * max_norm / length for array in before], "A gradient that is short enough must stay as it is"),
        (before, "Nothing was shortened"),
        *(([array * min(1.0, max_norm / wrong) for array in before], hint) for wrong, hint in lengths),
    )
    for wrong, hint in slips:
        if _all_near(found, wrong):
            return f". {hint}"
    return ". All arrays are multiplied by the threshold over the root of the sum of all squares"


def check_cliff_slope(cliff_slope: Callable[[float, int], float]) -> None:
    """Check a function that gives how far the last state moves for a small move of the bias, on the wall.

    Args:
        cliff_slope: takes the weight and the number of times.

    Raises:
        AssertionError: if a slope is wrong.
    """
    for weight, length in ((5.0, 3), (3.0, 10), (6.0, 20), (4.0, 7)):
        call = f"cliff_slope({weight}, {length})"
        factor = weight / 4
        wanted = sum(factor**t for t in range(length))
        try:
            given = answers.number(call, cliff_slope(weight, length))
        except ZeroDivisionError:
            raise AssertionError(f"{call} divides by zero: at w = 4 each of the T terms is 1") from None
        hints = (
            (factor**length, "This is how far a move of the first state is carried; the bias enters at every time"),
            (factor ** (length - 1), "This is one term of the sum; the bias enters at every time"),
            (wanted * factor, "What enters at the last time is not multiplied any more: begin with the power 0"),
            (wanted - factor ** (length - 1), "One term too few: there are T of them, from the power 0 to T - 1"),
            (wanted + factor**length, "One term too many: what enters at the last time is not multiplied any more"),
            (wanted - 1, "One term too few: what enters at the last time counts as 1"),
            (
                sum(weight**t for t in range(length)),
                "The factor is w times the slope of the sigmoid at 0, which is 1/4",
            ),
            (wanted / 2, "This is the slope in the weight; the bias is multiplied by 1, not by s(0)"),
            (sum((weight / 2) ** t for t in range(length)), "s(0) is 1/2; its slope there is 1/4"),
        )
        if not _near(given, wanted):
            hint = next((f". {words}" for slip, words in hints if _near(given, slip)), "")
            raise AssertionError(f"{call} is {given:.6g}, and a small move of the bias moves the state otherwise{hint}")
    answers.right("four units, one of them with w = 4")


def check_longest_step(longest_step: Callable[[float, float, float], float]) -> None:
    """Check a function that gives the longest step of the heavy ball on clipped gradients.

    Args:
        longest_step: takes the learning rate, the threshold and beta.

    Raises:
        AssertionError: if the bound is wrong.
    """
    for rate, max_norm, beta in ((0.2, 2.5, 0.75), (0.03, 0.7, 0.6), (0.01, 5.0, 0.0)):
        call = f"longest_step({rate}, {max_norm}, {beta})"
        given = answers.number(call, longest_step(rate, max_norm, beta))
        wanted = rate * max_norm / (1 - beta)
        hints = (
            (rate * max_norm, "That is the bound of SGD; the ball also carries what came before"),
            (rate * max_norm * (1 - beta), "The sum of the powers of beta is 1 / (1 - beta)"),
            (rate * max_norm * (1 + beta), "That is two gradients; all that came before count"),
            (max_norm / (1 - beta), "That bounds the velocity; the step is the rate times it"),
            (rate * max_norm / (1 - beta) * beta, "The newest gradient counts whole, beta to the power 0"),
            (rate * max_norm / (1 - beta**2), "The terms are beta, not its square"),
            (rate * max_norm / math.sqrt(1 - beta), "No root: lengths that point one way add up, not their squares"),
            (10 * rate * max_norm, "Ten is for beta = 0.9"),
            (rate / (1 - beta), "Each gradient is as long as the threshold, not 1"),
            (rate * max_norm / (1 - beta) ** 2, "One sum of powers: 1 / (1 - beta), once"),
            (rate * max_norm / math.sqrt(1 - beta**2), "That is for gradients of random signs; take the worst"),
        )
        if not _near(given, wanted):
            hint = next((f". {words}" for slip, words in hints if beta and _near(given, slip)), "")
            raise AssertionError(f"{call} is {given:.6g}, and gradients all one way reach {wanted:.6g}{hint}")
    answers.right("three settings, one without momentum")


def check_scaled_step(scaled_step: Callable[[np.ndarray, float, float], np.ndarray | None]) -> None:
    """Check a function that makes a gradient of a scaled loss ready for the optimizer.

    Args:
        scaled_step: takes the gradient of the scaled loss, the scale and the threshold; gives the gradient to step
            with, or None where the step is to be left out.

    Raises:
        AssertionError: if a gradient is wrong, or a step is taken that must be left out.
    """
    # At a scale of 1.5 the second gradient is short with and without it: forgetting the scale is not always clipping.
    cases = ((np.array([3.0, 4.0]), 1024.0), (np.array([0.3, -0.4]), 1.5), (np.array([0.3, -0.4]), 1024.0))
    max_norm = 1.0
    for gradient, scale in cases:
        call = f"scaled_step on {gradient} times {scale:g} with threshold {max_norm:g}"
        given = answers.array(call, scaled_step(scale * gradient, scale, max_norm), gradient.shape)
        wanted = _by_norm(gradient, max_norm)
        hints = (
            (gradient / np.linalg.norm(gradient), "A gradient that is short enough must stay as it is"),
            (_by_norm(scale * gradient, max_norm) / scale, "It was clipped before the scale was taken out"),
            (_by_norm(scale * gradient, max_norm), "The scale is still in what was clipped"),
            (scale * wanted, "The scale is to be taken out"),
            (gradient, "It was not clipped"),
            (np.clip(gradient, -max_norm, max_norm), "Clip by the norm, not by value"),
        )
        if not _all_near([given], [wanted]):
            hint = next((f". {words}" for slip, words in hints if _all_near([given], [slip])), "")
            raise AssertionError(f"{call} gives {given}, not {wanted}{hint}")
    for bad in (np.inf, -np.inf, np.nan):
        with np.errstate(all="ignore"):
            given = scaled_step(np.array([1.0, bad]), 1024.0, max_norm)
        if given is not None:
            raise AssertionError(f"with {bad} in the gradient scaled_step gives {given}: leave the step out, give None")
    answers.right("three gradients of a scaled loss, and three that are not finite")
