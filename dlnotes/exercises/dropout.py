"""Checkers of the chapter on dropout: each takes a reader's answer and says what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from dlnotes.exercises import _answers as answers


def _near(given: float, wanted: float) -> bool:
    """Compare to five digits, which an answer in float32 has."""
    return math.isclose(given, wanted, rel_tol=1e-5, abs_tol=1e-12)


def _same(given: np.ndarray, wanted: np.ndarray) -> bool:
    return np.allclose(given, wanted, rtol=1e-5, atol=1e-8)


def check_masked(masked: Callable[[np.ndarray, np.ndarray, float], np.ndarray]) -> None:
    """Check a function that applies inverted dropout, given the random numbers.

    Args:
        masked: takes activations, numbers drawn evenly from 0 to 1 of the same shape, and the probability of keeping.

    Raises:
        AssertionError: if an activation is wrong.
    """
    x = np.array([[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]])
    drawn = np.array([[0.1, 0.85, 0.6], [0.95, 0.3, 0.15]])
    for keep in (0.8, 0.25, 1.0):
        call = f"masked(x, drawn, {keep})"
        before = x.copy()
        given = answers.array(call, masked(before, drawn.copy(), keep), x.shape)
        mask = drawn < keep
        wanted = mask * x / keep
        hints = (
            (mask * x, "The kept ones are to be divided by the probability of keeping"),
            (mask * x * keep, "Divide by the probability of keeping, do not multiply"),
            (x / keep, "Nothing was dropped"),
            (x, "Nothing was dropped"),
            (~mask * x / keep, "The mask is the wrong way round: this keeps with probability 1 - keep_prob"),
            (~mask * x, "The mask is the wrong way round, and the division is missing"),
            ((drawn < 1 - keep) * x / keep, "This keeps with probability 1 - keep_prob"),
            ((drawn < 0.5) * x / keep, "The threshold is the probability of keeping; 0.5 is one example"),
            ((drawn < 0.5) * x / 0.5, "0.5 is one example; both places take the probability of keeping"),
            (mask / keep, "This is the mask alone; the activations are missing"),
            (
                (drawn >= 1 - keep) * x / keep,
                "This keeps at the right rate; to be checked, compare as the notes do: drawn < keep_prob",
            ),
        )
        if keep < 1:
            dropping = 1 - keep
            hints += (
                (mask * x / dropping, "Divide by the probability of keeping, not of dropping"),
                (
                    (drawn < dropping) * x / dropping,
                    "keep_prob is the probability of keeping, not of dropping",
                ),
                ((drawn >= dropping) * x, "This keeps at the right rate, and the division is missing"),
                (mask, "This is the mask alone: multiply the activations by it, and divide"),
            )
        if not _same(given, wanted):
            hint = next((f". {words}" for slip, words in hints if _same(given, slip)), "")
            raise AssertionError(f"{call} gives {given.tolist()}, not {wanted.tolist()}{hint}")
    answers.right("six activations at three probabilities of keeping")


def check_added_cost(added_cost: Callable[[np.ndarray, np.ndarray, float], float]) -> None:
    """Check a function that gives what dropout on the inputs adds to the mean squared error of a linear model.

    Args:
        added_cost: takes the weights, the inputs (examples in rows) and the probability of dropping.

    Raises:
        AssertionError: if the cost is wrong.
    """
    w = np.array([1.0, -2.0, 0.5])
    x = np.array([[1.0, 0.5, 2.0], [-1.0, 1.5, 4.0], [2.0, 1.0, 0.0], [0.5, -2.0, 1.0]])
    for p in (0.2, 0.5, 0.0):  # 0.2 first: at 0.5 the factor is 1, and slips look alike
        call = f"added_cost(w, x, {p})"
        given = answers.number(call, added_cost(w.copy(), x.copy(), p))
        wanted, hints = _added_cost_and_slips(w, x, p)
        if not _near(given, wanted):
            hint = next((f". {words}" for slip, words in hints if _near(given, slip)), "")
            raise AssertionError(f"{call} is {given:.6g}, and the mean over all masks is {wanted:.6g}{hint}")
    answers.right("three features at three rates")


def _added_cost_and_slips(w: np.ndarray, x: np.ndarray, p: float) -> tuple[float, list[tuple[float, str]]]:
    """Give the right cost, and what likely slips give in its place, with their hints."""
    odds, squares = p / (1 - p), np.square(x)
    wanted = odds * float((w * w * squares.mean(0)).sum())
    total = odds * float((w * w * squares.sum(0)).sum())
    hints = [
        (total, "That is the sum over examples; the mean squared error takes their mean"),
        (wanted / x.shape[1], "The terms of the features add up; only over examples a mean is taken"),
        (odds * float((w * w).sum()), "That is plain L2; each weight counts with its feature's mean square"),
        (
            odds * float((w * w * x.var(0)).sum()),
            "The mean square of a feature, not its variance: x is not centered",
        ),
        (odds * float((w * w * x.mean(0) ** 2).sum()), "First square, then take the mean"),
        (
            odds * float(np.square(x @ w).mean()),
            "Masks are independent: squares of the terms add up, not the terms",
        ),
        (odds * float((abs(w) * squares.mean(0)).sum()), "The weights are to be squared"),
        (odds * float((w * w * abs(x).mean(0)).sum()), "The inputs are to be squared"),
        (math.sqrt(wanted), "That is a deviation; the squared error takes the variance"),
        (
            wanted + float(np.square(x @ w).mean()),
            "That is the mean square of the prediction; asked for is what the masks add to it",
        ),
        (wanted / 2, "No 1/2 here: it belongs to the second order for a sigmoid"),
    ]
    if p:
        parts = (
            (p, "p alone"),
            (1 / odds, "(1 - p) / p"),
            (p * (1 - p), "p (1 - p)"),
            (1 / (1 - p), "1 / (1 - p)"),
            (p / (1 - p) ** 2, "p / (1 - p)^2"),
            (2 * odds, "2 p / (1 - p)"),
        )
        hints += [
            (wanted / odds * wrong, f"The factor is p / (1 - p), with the division of inverted dropout, not {name}")
            for wrong, name in parts
        ]
    return wanted, hints


def check_shift_factor(shift_factor: Callable[[float, np.ndarray, np.ndarray, float], float]) -> None:
    """Check a function that gives the deviation that reaches the next layer at test time, behind a batch norm.

    Args:
        shift_factor: takes the variance of z without masks, the weights into it, the mean squares of the units that
            they come from, and the probability of dropping one of these.

    Raises:
        AssertionError: if the factor is wrong.
    """
    w, squares = np.array([0.5, -1.0, 0.2]), np.array([1.0, 0.6, 2.0])
    for variance, p in ((2.0, 0.2), (0.8, 0.5), (1.0, 0.0)):  # 0.2 first: at 0.5 the factor p / (1 - p) is 1
        call = f"shift_factor({variance}, w, mean_squares, {p})"
        given = answers.number(call, shift_factor(variance, w.copy(), squares.copy(), p))
        wanted, hints = _shift_factor_and_slips(variance, w, squares, p)
        if not _near(given, wanted):
            hint = next((f". {words}" for slip, words in hints if p and _near(given, slip)), "")
            raise AssertionError(f"{call} is {given:.6g}, not {wanted:.6g}{hint}")
    answers.right("three units, one of them without dropout before it")


def _shift_factor_and_slips(
    variance: float, w: np.ndarray, squares: np.ndarray, p: float
) -> tuple[float, list[tuple[float, str]]]:
    """Give the right factor, and what likely slips give in its place, with their hints."""
    noise = float((w * w * squares).sum())
    added = p / (1 - p) * noise
    wanted = math.sqrt(variance / (variance + added))
    hints = [
        (1 / wanted, "Upside down: batch norm divides by the larger deviation, that of training"),
        (wanted**2, "A root is missing: batch norm divides by the deviation"),
        (
            math.sqrt(1 - p),
            "That is for units of mean 0 right before the batch norm; here weights lie between",
        ),
        (math.sqrt(variance / (variance + noise)), "The factor p / (1 - p) is missing"),
        (math.sqrt(variance / (variance + p * noise)), "The factor is p / (1 - p), not p"),
        (math.sqrt(variance / (variance + added / 2)), "The whole variance of the masks is added, not half of it"),
        (
            math.sqrt(variance / (variance + p / (1 - p) * float((w * w * squares**2).sum()))),
            "The units are given by their mean squares already; only the weights are to be squared",
        ),
        (math.sqrt(variance / (variance + p / (1 - p) * float((w * w).sum()))), "The mean squares are missing"),
        (
            math.sqrt(variance / (variance + p / (1 - p) * float((w @ np.sqrt(squares)) ** 2))),
            "Masks are independent: the squares of the terms add up",
        ),
        (
            math.sqrt(variance / (variance + p / (1 - p) * float((w * squares).sum()))),
            "The weights are to be squared",
        ),
        (math.sqrt(variance / (variance + added / 3)), "The terms of the units add up; no mean is taken over them"),
        (math.sqrt(variance / (variance + noise / (1 - p))), "The masks add p / (1 - p), not 1 / (1 - p)"),
        ((variance + added) / variance, "Upside down, and a root is missing"),
        (math.sqrt(added / (variance + added)), "That is the part that the masks add; what is left is asked for"),
        (math.sqrt(variance), "That is the deviation before it is divided by the one that was kept"),
    ]
    if p:
        upside_down = variance + (1 - p) / p * noise
        hints.append((math.sqrt(variance / upside_down), "The factor is p / (1 - p), not (1 - p) / p"))
    return wanted, hints
