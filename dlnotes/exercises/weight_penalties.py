"""Checkers of the chapter on weight penalties: each takes a reader's answer and says what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from dlnotes.exercises import _answers as answers


def _near(given: float, wanted: float) -> bool:
    """Compare to five digits, which an answer in float32 has."""
    return math.isclose(given, wanted, rel_tol=1e-5, abs_tol=1e-12)


def _hint(given: float, slips: tuple[tuple[float, str], ...]) -> str:
    """Say which slip gives this number, if one does."""
    return next((f". {words}" for slip, words in slips if _near(given, slip)), "")


def _outside(share: float) -> str:
    """Say what a step of decay does that takes no share between 0 and 1."""
    if share >= 1:
        return f". Each step takes {share:.4g} times the weight, all of it or more: rate times decay must be below 1"
    return ". A decay is positive, or the weights grow" if share <= 0 else ""


def check_proximal_step(proximal_step: Callable[[np.ndarray, float], np.ndarray]) -> None:
    """Check a function that takes the proximal step of L1.

    Args:
        proximal_step: takes an array and the threshold, and gives the array after the step.

    Raises:
        AssertionError: if a number lands elsewhere than it should.
    """
    for x, threshold in (
        (np.array([3.0, -2.0, 0.4, -0.3, 0.0, 1.0]), 1.0),
        (np.array([[0.5, -0.2], [0.1, -4.0]]), 0.25),
    ):
        call = f"proximal_step({x.tolist()}, {threshold})"
        given = answers.array(call, proximal_step(x.copy(), threshold), x.shape)
        size = np.abs(x)
        wanted = np.sign(x) * np.maximum(size - threshold, 0)
        slips = (
            (x - threshold * np.sign(x), "Numbers near 0 hop to the other side: they belong on 0"),
            (np.where(size > threshold, x, 0), "Those far from 0 move too, by the threshold"),
            (np.maximum(size - threshold, 0), "The sign is lost"),
            (np.maximum(x - threshold, 0), "Negative numbers move toward 0 as well"),
            (np.clip(x, -threshold, threshold), "This keeps what is to be taken away"),
            (x / (1 + threshold), "That is the step of L2: a share of each. L1 takes an amount"),
            (np.sign(x) * (size - threshold), "A size below the threshold becomes 0, not negative"),
            (size - threshold, "The sign is lost, and a size below the threshold becomes 0, not negative"),
        )
        if not np.allclose(given, wanted, rtol=1e-5, atol=1e-7):
            words = (words for slip, words in slips if np.allclose(given, slip, rtol=1e-5, atol=1e-7))
            raise AssertionError(f"{call} gives {given.tolist()}. {next(words, f'It should be {wanted.tolist()}')}")
        if np.any(given[wanted == 0] != 0):
            raise AssertionError(f"{call}: numbers within the threshold must be exactly 0, got {given.tolist()}")
    answers.right("numbers outside the threshold, within it, and on it")


def check_strength_for_share(strength_for_share: Callable[[float, float], float]) -> None:
    """Check a function that gives the strength of L2 that leaves a share along a direction.

    Args:
        strength_for_share: takes the curvature and the share.

    Raises:
        AssertionError: if a strength is wrong.
    """
    for curvature, share in ((3.0, 0.25), (4.0, 0.8), (0.01, 0.1)):
        call = f"strength_for_share({curvature}, {share})"
        given = answers.number(call, strength_for_share(curvature, share))
        wanted = curvature * (1 - share) / share
        slips = (
            (curvature * (1 - share), "Divide by the share too: solve s (h + strength) = h"),
            (curvature * share / (1 - share), "Upside down: a small share takes a large strength"),
            (curvature / share, "That is h + strength; take h off"),
            (curvature * share, "Times the share is what is left of h, no strength: solve s (h + strength) = h"),
            (-wanted, "A strength is positive: the penalty adds to the curvature"),
            (1 / share - 1, "The curvature is missing: what bends more needs more"),
            (wanted / 2, "With the penalty strength/2 |w|^2 the gradient is strength w: no half is left"),
            (2 * wanted, "With the penalty strength/2 |w|^2 the gradient is strength w: no factor of 2 is left"),
        )
        if not _near(given, wanted):
            kept = (
                "nothing can be said" if given + curvature == 0 else f"it leaves {curvature / (curvature + given):.4g}"
            )
            raise AssertionError(f"{call} is {given:.6g}, and {kept}{_hint(given, slips)}")
    answers.right("three curvatures and shares")


def check_library_strengths(library_strengths: Callable[[float, int], tuple[float, float]]) -> None:
    """Check a function that translates a strength for scikit-learn.

    Args:
        library_strengths: takes the strength and the number of rows; gives alpha of Ridge and alpha of Lasso.

    Raises:
        AssertionError: if one of them is wrong.
    """
    for strength, rows in ((0.1, 442), (3.0, 20)):
        call = f"library_strengths({strength}, {rows})"
        given = answers.pair(call, library_strengths(strength, rows))
        ridge, lasso = (answers.number(f"a part of {call}", one) for one in given)
        if _near(ridge, strength) and _near(lasso, rows * strength):
            raise AssertionError(f"{call} has the two in the other order: first that of Ridge")
        slips = (
            (strength, "Ridge's squared errors are a sum, ours a mean: the rows count"),
            (strength / rows, "Upside down: a sum of errors is larger than their mean, so alpha must be too"),
            (
                2 * rows * strength,
                "Our penalty has a half, which takes this 2 away: compare alpha/(2n) with strength/2",
            ),
            (
                rows * strength / 2,
                "Multiply our whole cost by 2n: the half of the penalty goes as that of the error does",
            ),
            (-rows * strength, "A strength is positive"),
        )
        if not _near(ridge, rows * strength):
            raise AssertionError(f"{call}: Ridge's alpha is {ridge:.6g}, another penalty{_hint(ridge, slips)}")
        slips = (
            (rows * strength, "Lasso's cost is a mean already"),
            (2 * rows * strength, "Lasso's cost is half a mean already, as ours is: no rows and no 2"),
            (strength / rows, "Lasso's cost is a mean already, as ours is: the rows do not count"),
            (-strength, "A strength is positive"),
            (strength / 2, "The penalty of L1 has no half"),
            (2 * strength, "The penalty of L1 has no half"),
        )
        if not _near(lasso, strength):
            raise AssertionError(f"{call}: Lasso's alpha is {lasso:.6g}, another penalty{_hint(lasso, slips)}")
    answers.right("two strengths for Ridge and Lasso")


def check_decay_for_run(decay_for_run: Callable[[float, int, float], float]) -> None:
    """Check a function that gives the weight decay that leaves a share of the start.

    Args:
        decay_for_run: takes the learning rate, the number of steps and the share.

    Raises:
        AssertionError: if a decay is wrong.
    """
    for rate, steps, left in ((0.01, 20, 0.4), (0.001, 2000, 0.1), (0.1, 5, 0.9)):
        call = f"decay_for_run({rate}, {steps}, {left})"
        given = answers.number(call, decay_for_run(rate, steps, left))
        wanted = (1 - left ** (1 / steps)) / rate
        slips = (
            (1 / (rate * steps), "That is the decay whose memory is the run; it leaves about 1/e, whatever is asked"),
            (-math.log(left) / (rate * steps), "True for small steps. Solve (1 - rate decay)^steps = left exactly"),
            ((1 - left) / (rate * steps), "The share is taken of what is left each time: powers, no sum"),
            ((1 - left) / rate, "That is for one step"),
            (wanted * rate, "This is rate times decay; divide by the rate"),
            ((1 - (1 - left) ** (1 / steps)) / rate, "The share is what is left, not what is gone"),
            (-math.log1p(-left) / (rate * steps), "The share is what is left, not what is gone"),
        )
        with np.errstate(over="ignore"):
            kept = float(np.float_power(1 - rate * given, steps))
        # The share is compared, not the decay: in float32 1 - left^(1 / steps) has fewer digits than what it leaves.
        if not math.isclose(kept, left, rel_tol=1e-4) or not 0 < rate * given < 1:
            hint = _hint(given, slips) or _outside(rate * given)
            raise AssertionError(f"{call} is {given:.6g}, which leaves {kept:.4g}{hint}")
    answers.right("three runs")
