"""Checkers of the chapter on babysitting: each takes a reader's answer and says what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from dlnotes.exercises import _answers as answers


def _near(given: float, wanted: float) -> bool:
    """Compare to five digits, which an answer in float32 has."""
    return math.isclose(given, wanted, rel_tol=1e-5, abs_tol=1e-6)


def check_floor(floor: Callable[[int], float]) -> None:
    """Check a function that gives the least loss of a softmax taken twice.

    Args:
        floor: takes the number of classes.

    Raises:
        AssertionError: if a loss is wrong.
    """
    for classes in (10, 2, 1000):
        call = f"floor({classes})"
        given = answers.number(call, floor(classes))
        wanted = math.log(1 + (classes - 1) / math.e)
        hint = ""
        if _near(given, 0):
            hint = ". Probabilities are at most 1: as logits they cannot be far apart"
        elif _near(given, math.log(classes)):
            hint = ". This is the loss of guessing, where all probabilities are equal"
        elif _near(given, math.log(1 + classes / math.e)):
            hint = ". One of the classes is the right one: the others are one fewer"
        elif _near(given, math.log(classes - 1 + math.e)):
            hint = ". The logarithm of the sum is right; the logit of the right class, 1, is still to be taken off"
        elif _near(given, math.log(1 + (classes - 1) * math.e)):
            hint = ". The sign of the exponent: the right class is ahead by 1, so the others count e times less"
        elif _near(given, math.log(classes) - 1 / classes):
            hint = ". That is the slope of the loss at equal logits taken for the loss: put in a 1 and zeros"
        elif _near(given, wanted / math.log(2)):
            hint = ". That is in bits: the loss takes the natural logarithm"
        elif _near(given, -wanted):
            hint = ". The loss is the negative logarithm"
        elif _near(given, math.exp(-wanted)):
            hint = ". That is the probability of the right class; the loss is its negative logarithm"
        if not _near(given, wanted):
            raise AssertionError(f"{call} is {given:.6g}, not {wanted:.6g}{hint}")
    answers.right("three numbers of classes")


def check_dead_units(dead_share: Callable[[np.ndarray], float]) -> None:
    """Check a function that gives the share of units without a gradient.

    Args:
        dead_share: takes the gradient of a weight matrix, one row a unit.

    Raises:
        AssertionError: if a share is wrong.
    """
    first = np.array(
        [[0.0, 2.0, 0.0], [0.0, 0.0, 0.0], [0.0, -1.0, 1.0], [0.0, 3.0, 1e-9], [1.0, 2.0, 3.0], [2.0, 1.0, 1.0]]
    )
    falls = np.array([[-1, 0, -2, -1], [0, 0, 0, 0], [-3, -1, -2, -1], [0, 1, 2, 1], [0, 2, 1, 1]], dtype=float)
    cancels = np.array([[0.0, 1.0, -1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 1.0, 1.0]])
    for gradient in (first, cancels, falls, np.ones((3, 4)), np.zeros((2, 5))):
        rows = (gradient == 0).all(axis=1)
        call = f"dead_share of {gradient.tolist()}"
        given, wanted = answers.number(call, dead_share(gradient.copy())), float(rows.mean())
        slips = (
            (float((gradient == 0).mean()), "This is the share of weights; a unit is a whole row"),
            (float((gradient == 0).all(axis=0).mean()), "This looks at columns, which are inputs; a unit is a row"),
            (float((gradient == 0).any(axis=1).mean()), "One 0 in a row is no death: an input may be 0"),
            (float((gradient.sum(axis=1) == 0).mean()), "A row whose entries cancel is not 0"),
            (float((gradient <= 0).all(axis=1).mean()), "A negative gradient is one: the unit learns"),
            (float((gradient.max(axis=1) == 0).mean()), "A negative gradient is one: the unit learns"),
            (float(rows.sum()), "This is how many; asked for is the share"),
            (1 - wanted, "This is the share of those that live"),
        )
        hint = next((f". {said}" for slip, said in slips if _near(given, slip)), "")
        if not _near(given, wanted):
            raise AssertionError(f"{call} is {given:.6g}, not {wanted:.6g}{hint}")
    answers.right("five gradients, with rows that cancel and rows that are negative")


def check_leaked(leaked: Callable[[np.ndarray, np.ndarray], float]) -> None:
    """Check a function that gives the share of held-out rows that are trained on.

    Args:
        leaked: takes the rows to train on and those held out.

    Raises:
        AssertionError: if a share is wrong.
    """
    train = np.array([[0, 1], [2, 3], [4, 5], [2, 3], [6, 7], [7, 6], [10, 11], [12, 13], [14, 15]], dtype=float)
    cases = (
        # Besides the first, which is trained on: numbers of other rows, sums of other rows, first numbers alone.
        np.array([[2, 3], [0, 5], [6, 1], [9, 0], [8, 5], [4, 8], [0, 8], [9, 9]], dtype=float),
        np.array([[2.0, 3.0]]),
        np.array([[3.0, 2.0], [1.0, 0.0], [8.0, 8.0]]),
        np.array([[2.0, 3.0], [9.0, 9.0], [2.0, 3.0], [6.0, 7.0]]),  # one leaked row stands twice
    )
    for held_out in cases:
        call = f"leaked(train, {held_out.tolist()})"
        given = answers.number(call, leaked(train.copy(), held_out.copy()))
        equal = (held_out[:, None, :] == train).all(axis=2)
        wanted = float(equal.any(axis=1).mean())
        both = {tuple(row) for row in train.tolist()} & {tuple(row) for row in held_out.tolist()}
        count = min(len(train), len(held_out))
        slips = (
            (float((train[:count] == held_out[:count]).all(axis=1).mean()), "Rows may stand at other places"),
            (float((np.sort(held_out)[:, None] == np.sort(train)).all(axis=2).any(axis=1).mean()), "Order counts"),
            (float(np.isin(held_out, train).all(axis=1).mean()), "Each number is found somewhere, not all in one row"),
            (float(np.isin(held_out.sum(axis=1), train.sum(axis=1)).mean()), "Rows with equal sums may differ"),
            (float(np.isin(held_out[:, 0], train[:, 0]).mean()), "One number of a row is found, not the whole row"),
            (len(both) / len(held_out), "A leaked row that stands twice in the held-out rows counts twice"),
            (float(equal.any(axis=0).mean()), "This is the share of the training rows"),
            (float(equal.sum() / len(held_out)), "A row that is trained on twice is still one row"),
            (float(equal.any(axis=1).sum()), "This is how many; asked for is the share"),
            (float(equal.any(axis=1).sum() / len(train)), "Divide by the number of held-out rows"),
            (100 * wanted, "This is a percentage; asked for is the share"),
        )
        hint = next((f". {said}" for slip, said in slips if _near(given, slip)), "")
        if not _near(given, wanted):
            raise AssertionError(f"{call} is {given:.6g}, not {wanted:.6g}{hint}")
    answers.right("four sets of rows")


def check_balanced_ratio(rate_for: Callable[[float, float], float]) -> None:
    """Check a function that gives the learning rate at which decay sets a ratio.

    Args:
        rate_for: takes the ratio and the decay.

    Raises:
        AssertionError: if a rate is wrong.
    """
    for ratio, decay in ((0.01, 5e-4), (0.001, 1e-4), (0.02, 0.1)):
        call = f"rate_for({ratio}, {decay})"
        given, wanted = answers.number(call, rate_for(ratio, decay)), ratio**2 / (2 * decay)
        slips = (
            (ratio / (2 * decay), "The ratio is the root of 2 eta lambda: square it first"),
            (ratio**2 / decay, "Decay shortens the square of the length by 2 eta lambda: a 2 is missing"),
            (2 * ratio**2 / decay, "The 2 stands with eta and lambda, so it divides"),
            (math.sqrt(2 * ratio * decay), "This puts the ratio in place of the rate"),
            (ratio**2 * 2 * decay, "Solve for eta: the decay divides"),
            (ratio / decay, "The ratio is the root of 2 eta lambda: square it first, and a 2 is missing"),
            (math.sqrt(ratio) / (2 * decay), "The ratio is a root: square it, do not take its root"),
            (ratio**2 / (4 * decay), "A 2 too many: the square of the ratio is 2 eta lambda"),
        )
        hint = next((f". {said}" for slip, said in slips if math.isclose(given, slip, rel_tol=1e-5)), "")
        if not math.isclose(given, wanted, rel_tol=1e-3):  # as before the approximation for small eta lambda
            raise AssertionError(f"{call} is {given:.6g}, not {wanted:.6g}{hint}")
    answers.right("three pairs of ratio and decay")
