"""Checkers of the exercises on conditioning: each takes a reader's answer and says what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from dlnotes.exercises import _answers as answers
from dlnotes.numpy import conditioning

ROUGHLY = 1e-5  # an answer in single precision is right


def _near(given: float | np.ndarray, wanted: float | np.ndarray) -> bool:
    scale = np.max(np.abs(wanted))
    return bool(np.max(np.abs(np.asarray(given) - wanted)) <= ROUGHLY * max(scale, 1e-12))


def _hint(given: float | np.ndarray, slips: tuple[tuple[float | np.ndarray, str], ...]) -> str:
    return next((f": {words}" for slip, words in slips if _near(given, slip)), "")


def _sole(given: object) -> object:
    """Take a number out of what holds it alone."""
    alone = len(given) == 1 if isinstance(given, (list, tuple)) else getattr(given, "shape", None) == (1,)
    return given[0] if alone else given


def check_best_rate(best_rate: Callable[[float, float], tuple[float, float]]) -> None:
    """Check a function that gives the best rate of descent and the factor of its slowest directions.

    Args:
        best_rate: takes the smallest and the largest curvature, and gives the rate and the factor.

    Raises:
        AssertionError: if a number is wrong.
    """
    for smallest, largest in ((1.0, 9.0), (0.02, 0.5), (3.0, 3.0), (5.0, 400.0)):
        call = f"best_rate({smallest:g}, {largest:g})"
        rate, factor = answers.array(call, best_rate(smallest, largest), (2,))
        wanted = 2 / (smallest + largest)
        right = (largest - smallest) / (largest + smallest)
        if _near(rate, right) and _near(factor, wanted):
            raise AssertionError(f"{call} gives the two numbers the other way round: first the rate, then the factor")
        hint = _hint(
            rate,
            (
                (2 / largest, "this is the limit of the rate, where the steepest direction no longer shrinks"),
                (1 / largest, "this rate ends the steepest direction at once and leaves the flattest one slow"),
                (1 / smallest, "this rate is made for the flattest direction, and the steepest one flies apart"),
                (1 / (smallest + largest), "half of it: both ends are equally slow at twice this rate"),
                (2 / math.sqrt(smallest * largest), "the two factors are equal at the plain mean of the curvatures"),
                (
                    4 / (math.sqrt(smallest) + math.sqrt(largest)) ** 2,
                    "this is the rate of momentum: descent without it is fastest at another one",
                ),
            ),
        )
        if not _near(rate, wanted):
            raise AssertionError(f"the rate of {call} is {wanted:.6g}, got {rate:.6g}{hint}")
        hint = _hint(
            factor,
            (
                (-right, "its size is asked for, without the sign"),
                (right * right, "this is the factor of the loss, which goes with the square of the distance"),
                (largest / smallest, "this is the condition number"),
                (1 - smallest / largest, "this is the factor at the rate 1 / largest"),
                (
                    (math.sqrt(largest) - math.sqrt(smallest)) / (math.sqrt(largest) + math.sqrt(smallest)),
                    "with the roots of the curvatures it is momentum's factor",
                ),
            ),
        )
        if not abs(factor - right) <= ROUGHLY:
            raise AssertionError(f"the factor of {call} is {right:.6g}, got {factor:.6g}{hint}")
    answers.right("both ends of the spectrum shrink by (kappa - 1) / (kappa + 1)")


def check_steps_needed(steps_needed: Callable[[float, float], int]) -> None:
    """Check a function that counts the steps of descent at its best rate.

    Args:
        steps_needed: takes the condition number and the share of the distance that may be left, and gives the least
            whole number of steps that is enough from every start.

    Raises:
        AssertionError: if a count is wrong.
    """
    for kappa, share in ((100.0, 1e-6), (3.0, 0.25), (10.0, 0.5), (2000.0, 0.01), (1.0, 0.1)):
        call = f"steps_needed({kappa:g}, {share:g})"
        given = answers.number(call, _sole(steps_needed(kappa, share)), infinite=True)
        factor = (kappa - 1) / (kappa + 1)
        exact = conditioning.steps_to_tolerance(factor, share)
        wanted = max(1, math.ceil(exact - 1e-9))
        root = (math.sqrt(kappa) - 1) / (math.sqrt(kappa) + 1)
        slips = (
            (exact, "a number of steps is whole: round up"),
            (wanted - 1, "one step too few: round up, and count at least one"),
            (math.ceil(conditioning.steps_to_tolerance(1 - 1 / kappa, share)), "this is at the rate 1 / largest"),
            (
                wanted + 1,
                "one step too many: the bound lies above the exact count, and a whole count is enough as it is",
            ),
            (math.ceil(kappa / 2 * math.log(1 / share)), "this is the bound, which is a little above the exact count"),
            (math.ceil(conditioning.steps_to_tolerance(root, share)), "with the root of kappa it is momentum's factor"),
            (math.ceil(exact / 2), "this is for the loss: the distance goes with its root"),
        )
        hint = next((f": {words}" for slip, words in slips if abs(given - slip) < 1e-6), "")
        if given != wanted:
            raise AssertionError(f"{call} is {wanted}, got {given:g}{hint}")
    answers.right("ln share over ln factor, rounded up")


def check_logistic_product(product: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]) -> None:
    """Check a function that multiplies the Hessian of a logistic regression by a vector.

    Args:
        product: takes the inputs, one row an example, the probabilities of class 1, and a vector, and gives the
            product with the Hessian of the mean cross-entropy in the weights.

    Raises:
        AssertionError: if a product is wrong, or an argument was changed.
    """
    for examples, features in ((6, 3), (5, 8), (40, 2)):
        generator = np.random.default_rng([examples, features])
        x, v = generator.standard_normal((examples, features)), generator.standard_normal(features)
        p = generator.uniform(0.1, 0.9, examples)
        call = f"product with {examples} examples and {features} features"
        before = x.copy(), p.copy(), v.copy()
        given = np.asarray(product(x, p, v))
        given = answers.array(call, given[:, 0] if given.shape == (features, 1) else given, (features,))
        if not all(np.array_equal(a, b) for a, b in zip(before, (x, p, v), strict=True)):
            raise AssertionError(f"{call} changes an argument")
        weight, image = p * (1 - p), x @ v
        wanted = x.T @ (weight * image) / examples
        slips = (
            (x.T @ (weight * image), "the loss is a mean: divide by the number of examples"),
            (wanted * examples / features, "divide by the number of examples, not of features"),
            (x.T @ image / examples, "each example counts by p (1 - p), the slope of the sigmoid"),
            (x.T @ (p * image) / examples, "the slope of the sigmoid is p (1 - p), not p"),
            (x.T @ (np.sqrt(weight) * image) / examples, "the slope of the sigmoid is p (1 - p), not its root"),
            (x.T @ ((1 - p) * image) / examples, "the slope of the sigmoid is p (1 - p), not 1 - p"),
            (x.T @ (weight**2 * image) / examples, "the slope enters once: p - y is differentiated, not squared"),
            (x.T @ ((p - 1) * image) / examples, "differentiate the gradient x (p - y) along v: y does not move"),
            (-wanted, "the sign is turned: this Hessian has no negative eigenvalue"),
        )
        if not _near(given, wanted):
            off = np.abs(given - wanted).max()
            raise AssertionError(f"{call} is off by up to {off:.2g}{_hint(given, slips)}")
    answers.right("two products with the inputs, and no matrix of features by features")


def check_trace(trace: Callable[[Callable[[np.ndarray], np.ndarray], np.ndarray], float]) -> None:
    """Check a function that estimates a trace from products with random signs.

    Args:
        trace: takes a function that multiplies rows of vectors by a symmetric matrix, and signs, one row a probe; gives
            the mean estimate of the trace.

    Raises:
        AssertionError: if an estimate is wrong.
    """
    for probes, size in ((1, 4), (7, 5), (200, 12)):
        generator = np.random.default_rng([probes, size])
        half = generator.standard_normal((size, size))
        matrix, signs = half + half.T, conditioning.rademacher((probes, size), generator)
        call = f"trace from {probes} probes of size {size}"
        given = answers.number(call, _sole(trace(lambda rows, m=matrix: rows @ m, signs.copy())))
        images = signs @ matrix
        each = (signs * images).sum(-1)
        slips = (
            (each.sum(), "the estimates are added up: take their mean"),
            (each.mean() / size, "this is the mean eigenvalue: the trace is their sum"),
            (images.sum(-1).mean(), "each product is to be multiplied by its own signs before it is added up"),
            ((signs @ images.T).mean(), "signs of one probe meet products of another"),
            (np.trace(matrix), "this is the exact trace; estimate it from the signs given"),
        )
        if not _near(given, each.mean()):
            raise AssertionError(f"{call} is {each.mean():.6g}, got {given:.6g}{_hint(given, slips)}")
    answers.right("the mean of u.Hu over random signs")
