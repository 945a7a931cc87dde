"""Checkers of the chapter on ensembles: each takes a reader's answer and says what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from dlnotes.exercises import _answers as answers


def _near(given: np.ndarray | float, wanted: np.ndarray | float) -> bool:
    """Compare to five digits, which an answer in float32 has."""
    return bool(np.allclose(given, wanted, rtol=1e-5, atol=1e-7))


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    return logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)


def check_average_two(average_two: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> None:
    """Check a function that averages the probabilities of two networks, given their logits.

    Args:
        average_two: takes the logits of two networks, (examples, classes), and gives the logarithms of the average.

    Raises:
        AssertionError: if a logarithm is wrong.
    """
    generator = np.random.default_rng(0)
    ordinary = 2 * generator.normal(size=(2, 3, 4))
    large = np.array([[[900.0, 0.0, -900.0]], [[905.0, 1.0, -902.0]]])
    for name, (first, second) in (("ordinary logits", ordinary), ("logits of size 900", large)):
        call = f"average_two, on {name},"
        with np.errstate(all="ignore"):
            found = average_two(first.copy(), second.copy())
        _refuse_naive(call, found, large=name != "ordinary logits")
        given = answers.array(call, found, first.shape)
        one, other = _log_softmax(first), _log_softmax(second)
        wanted = np.logaddexp(one, other) - math.log(2)
        slips = (
            (np.exp(wanted), "These are the probabilities; give their logarithms"),
            (_log_softmax((first + second) / 2), "This averages the logits, which is the geometric mean"),
            ((one + other) / 2, "This averages the logarithms; average the probabilities"),
            (wanted + math.log(2), "This is the sum of the two; its half is wanted, ln 2 less"),
            (np.logaddexp(first, second), "Logits are no log-probabilities: each row's log-sum-exp comes off first"),
            (np.logaddexp(first, second) - math.log(2), "Each row's log-sum-exp is still in the logits"),
            (_log_softmax(np.logaddexp(first, second)), "Normalize each network by itself, before the average"),
            (_log_softmax(first + second), "This multiplies the probabilities; average them"),
        )
        if not _near(given, wanted):
            hint = next((f". {words}" for slip, words in slips if _near(given, slip)), "")
            raise AssertionError(f"{call} gives {given[0].round(4)} for the first, not {wanted[0].round(4)}{hint}")
    answers.right("ordinary logits, and some whose exponentials are infinite")


def _refuse_naive(call: str, found: object, large: bool) -> None:
    """Say what happened where exponentials overflowed or vanished."""
    numbers = isinstance(found, (np.ndarray, list, tuple))
    if large and numbers and not np.isfinite(np.asarray(found, dtype=float)).all():
        raise AssertionError(f"{call} is not finite: stay with logarithms, np.logaddexp adds what they stand for")


def check_ensemble_variance(ensemble_variance: Callable[[float, float, int], float]) -> None:
    """Check a function that gives the variance of an average of members of one variance and one correlation.

    Args:
        ensemble_variance: takes the variance of a member, the correlation of two, and how many there are.

    Raises:
        AssertionError: if a variance is wrong.
    """
    for variance, correlation, members in ((2.0, 0.3, 8), (3.0, 0.0, 5), (1.5, 0.9, 4), (2.0, -0.25, 4)):
        call = f"ensemble_variance({variance}, {correlation}, {members})"
        given = answers.number(call, ensemble_variance(variance, correlation, members))
        wanted = variance * (correlation + (1 - correlation) / members)
        hints = (
            (variance / members, "That is for uncorrelated members"),
            (variance * (1 - correlation) / members, "What the members have in common does not average out"),
            (variance * correlation, "That is the limit of many members"),
            (correlation * variance + variance / members, "Only the share 1 - correlation is divided"),
            (
                variance * (1 + (members - 1) * correlation),
                "An average of M numbers divides the double sum by M squared",
            ),
            (variance * (correlation / members + 1 - correlation), "It is the common share that stays whole"),
            (math.sqrt(wanted), "That is the deviation; the variance was asked for"),
            (variance * (correlation**2 + (1 - correlation**2) / members), "The correlation itself, not its square"),
        )
        if not _near(given, wanted):
            hint = next((f". {words}" for slip, words in hints if correlation and _near(given, slip)), "")
            raise AssertionError(f"{call} is {given:.6g}, and the double sum of covariances gives {wanted:.6g}{hint}")
    answers.right("four ensembles, one of uncorrelated members and one of members that oppose each other")


def check_calibration_error(calibration_error: Callable[[np.ndarray, np.ndarray, int], float]) -> None:
    """Check a function that gives the calibration error of predictions.

    Args:
        calibration_error: takes the confidences, whether each prediction was right, and the number of bins.

    Raises:
        AssertionError: if an error is wrong.
    """
    generator = np.random.default_rng(0)
    sure = generator.uniform(0.42, 0.98, 60)
    right = generator.random(60) < sure**2
    for bins in (10, 4, 1):
        call = f"calibration_error, in {bins} bins," if bins > 1 else "calibration_error, in one bin,"
        with np.errstate(all="ignore"):
            given = calibration_error(sure.copy(), right.copy(), bins)
        _refuse_empty(call, given)
        found = answers.number(call, given)
        own = (sure * bins).astype(int)
        rows = [(np.mean(own == b), right[own == b].mean(), sure[own == b].mean()) for b in np.unique(own)]
        shares, accuracy, confidence = np.array(rows).T
        gaps = accuracy - confidence
        wanted = (shares * abs(gaps)).sum()
        hints = (
            (abs(gaps).mean(), "Bins count by how many examples they hold"),
            (abs(gaps).sum() / bins, "Bins count by how many examples they hold"),
            (abs((shares * gaps).sum()), "Gaps of opposite signs must not cancel: take the size of each bin's"),
            ((shares * gaps).sum(), "Take the size of each bin's gap"),
            ((shares * gaps**2).sum(), "Sizes, not squares"),
            (math.sqrt((shares * gaps**2).sum()), "Sizes, not squares"),
            (abs(gaps).max(), "That is the largest gap; the mean was asked for"),
            (abs(right - sure).mean(), "The gap is that of the means in a bin, not of single examples"),
            (100 * wanted, "As a share, not in percent"),
        )
        if not _near(found, wanted):
            hint = next((f". {words}" for slip, words in hints if _near(found, slip)), "")
            raise AssertionError(f"{call} is {found:.6g}, not {wanted:.6g}{hint}")
    answers.right("60 predictions in ten, four and one bins, some of them empty")


def _refuse_empty(call: str, given: object) -> None:
    """Say what makes a nan."""
    if isinstance(given, (float, np.floating)) and math.isnan(given):
        raise AssertionError(f"{call} is nan: a bin without examples has no mean, and counts nothing")


def check_start_share(start_share: Callable[[int, float, float], float]) -> None:
    """Check a function that gives how much of an exponential average of weights the first weights still are.

    Args:
        start_share: takes the steps, the decay and the warm-up.

    Raises:
        AssertionError: if a share is wrong.
    """
    for steps, decay, warm_up in ((5, 0.9, 0.0), (3, 0.999, 9.0), (8, 0.999, 1.0), (40, 0.5, 3.0)):
        call = f"start_share({steps}, {decay}, {warm_up})"
        given = answers.number(call, start_share(steps, decay, warm_up))
        kept = [min(decay, t / (t + warm_up)) for t in range(1, steps + 1)]
        wanted = math.prod(kept)
        late = math.prod(min(decay, t / (t + warm_up)) for t in range(1, steps))
        shifted = math.prod(min(decay, (t + 1) / (t + 1 + warm_up)) for t in range(1, steps + 1))
        hints = (
            (decay**steps, "That is without the warm-up"),
            (1 - wanted, "That is the share of all the others"),
            (math.prod(1 - one for one in kept), "What is kept in a step is d, not 1 - d"),
            (kept[-1], "That is what the last step keeps; what all of them keep is multiplied"),
            (kept[-1] ** steps, "d is another one in each step"),
            (late, "One step too few: there are t of them"),
            (shifted, "The first update meets an average of one set of weights: t begins at 1"),
            (math.prod(t / (t + warm_up) for t in range(1, steps + 1)), "d is never above the decay"),
            (0.0, "The average begins at the first weights, so at t = 1 they are all of it"),
        )
        if not math.isclose(given, wanted, rel_tol=1e-5):
            hint = next((f". {words}" for slip, words in hints if math.isclose(given, slip, rel_tol=1e-5)), "")
            raise AssertionError(
                f"{call} is {given:.6g}, and the product of what each step keeps is {wanted:.6g}{hint}"
            )
    answers.right("four averages, one without a warm-up and one that reaches its decay")
