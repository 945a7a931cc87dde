"""Checkers of the chapter on overfitting: each takes a reader's answer and says what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from dlnotes.exercises import _answers as answers
from dlnotes.numpy import overfitting


def _near(given: float, wanted: float) -> bool:
    """Compare to five digits, which an answer in float32 has."""
    return given == wanted or math.isclose(given, wanted, rel_tol=1e-5, abs_tol=1e-7)


def _listed(result: object) -> object:
    """Take an array of NumPy or PyTorch for a list, so that it may stand for a pair."""
    return result.tolist() if getattr(result, "ndim", 0) and hasattr(result, "tolist") else result


def _stopped(losses: Sequence[float], patience: int) -> tuple[int, int]:
    state = (rule := overfitting.EarlyStopping(patience)).init()
    for loss in losses:
        if not state.stopped:
            state = rule.update(loss, state)
    return state.step, int(state.best_step) + 1


def _ties_improve(losses: Sequence[float], patience: int) -> tuple[int, int]:
    """Say what comes out if an equal loss counts as an improvement."""
    best = 0
    for step, loss in enumerate(losses):
        best = step if loss <= losses[best] else best
        if step - best == patience:
            break
    return step + 1, best + 1


def _without_improvement(losses: Sequence[float], patience: int) -> int:
    """Say when a run ends if each loss is compared with the one before it."""
    waits = 0
    for step in range(1, len(losses)):
        waits = waits + 1 if losses[step] >= losses[step - 1] else 0
        if waits == patience:
            return step + 1
    return len(losses)


def _stop_hint(losses: Sequence[float], patience: int, end: float, best: float) -> str:
    """Say by which slip these two numbers come out, if it is a known one."""
    right_end, right_best = wanted = _stopped(losses, patience)
    least = 1 + int(np.argmin(losses))
    slips = (
        ((end, best) == (right_end - 1, right_best - 1), "Epochs are counted from 1"),
        ((end, best) == wanted[::-1], "Give the end first, then the best"),
        ((end, best) == (right_end, least) and least > right_end, "That epoch comes after the end, and nobody sees it"),
        ((end, best) == _ties_improve(losses, patience), "An equal loss is no improvement"),
        ((end, best) == (len(losses), least), "This run ends before its last epoch: when the patience is used up"),
        (
            end == best,
            "It is known to be the best only after others have come: the run goes on for the patience",
        ),
        (end == _without_improvement(losses, patience), "Compare with the best so far, not with the loss before"),
        (
            end == _stopped(losses, patience + 1)[0],
            "It ends as soon as so many epochs without improvement have come, not one later",
        ),
        (
            patience > 1 and (end, best) == _stopped(losses, max(patience - 1, 1)),
            "That is one epoch without improvement too few: the best itself is not counted",
        ),
        ((end, best) == (right_end - 1, right_best), "The end is counted from 1 as well"),
        ((end, best) == (right_end, right_best - 1), "The best is counted from 1 as well"),
        (end == right_end and best == losses[right_best - 1], "Give the epoch of the best, not its loss"),
    )
    return next((f". {told}" for slipped, told in slips if slipped), "")


def check_stop_step(stop_step: Callable[[Sequence[float], int], tuple[int, int]]) -> None:
    """Check a function that says after how many epochs early stopping ends a run, and after how many it was best.

    Args:
        stop_step: takes the losses, a list, and the patience, and gives two numbers counted from 1.

    Raises:
        AssertionError: if a number is wrong.
    """
    cases = (
        ([3.0, 2.0, 2.5, 2.4, 1.9, 2.2, 2.1, 2.3, 2.4, 2.5, 1.0, 1.1], 3),
        ([3.0, 2.0, 2.5, 1.9, 2.2, 2.1, 1.8, 2.0], 2),
        ([1.0, 1.0, 1.0, 1.0, 0.5], 2),
        ([3.0, 2.0, 1.0], 5),
        ([1.0, 2.0, 0.5], 1),
    )
    for losses, patience in cases:
        call = f"stop_step({losses}, {patience})"
        result = stop_step(list(losses), patience)
        pair = answers.pair(call, _listed(result))
        end = answers.number(f"the end in {call}", pair[0])
        best = answers.number(f"the best in {call}", pair[1])
        wanted = _stopped(losses, patience)
        hint = _stop_hint(losses, patience, end, best)
        if (end, best) != wanted:
            raise AssertionError(f"{call} is ({end:g}, {best:g}), not {wanted}{hint}")
    answers.right("five runs, among them one that is not stopped")


def check_bias_and_variance(bias_and_variance: Callable[[np.ndarray, np.ndarray], tuple[float, float]]) -> None:
    """Check a function that gives squared bias and variance of fits to many training sets, averaged over points.

    Args:
        bias_and_variance: takes the fits, (set, point), and the true function at the points.

    Raises:
        AssertionError: if a number is wrong.
    """
    generator = np.random.default_rng(0)
    for sets, points, offset in ((3, 3, 0.5), (5, 4, 0.0), (50, 1, 0.5)):  # below 0 in the second
        target = generator.standard_normal(points)
        fits = target + offset + generator.standard_normal((sets, points))
        call = f"bias_and_variance of {sets} fits at {points} points"
        result = bias_and_variance(fits.copy(), target.copy())
        pair = answers.pair(call, _listed(result))
        bias = answers.number(f"the squared bias in {call}", pair[0])
        variance = answers.number(f"the variance in {call}", pair[1])
        parts = overfitting.bias_variance_decomposition(fits, target)
        wanted = float(parts.bias_squared.mean()), float(parts.variance.mean())
        naive = float(np.square(fits.mean(0) - target).mean())
        cut = float(np.maximum(parts.bias_squared, 0).mean()), max(0.0, wanted[0])
        hint = ""
        if _near(variance, wanted[1] * (sets - 1) / sets):
            hint = ". The sample variance divides by one less than the number of sets"
        elif points > 1 and _near(variance, float(fits.var(1, ddof=1).mean())):
            hint = ". The variance is over the training sets, which are the rows"
        elif _near(variance, float(np.square(fits - target).mean())):
            hint = ". The variance is about the mean of the fits, not about the target"
        elif _near(variance, wanted[1]) and _near(bias, naive):
            hint = ". The mean of the fits is itself off, by the variance over the number of sets: take that away"
        elif _near(variance, float(fits.std(0, ddof=1).mean())) or _near(variance, math.sqrt(wanted[1])):
            hint = ". That is a deviation; the variance is its square"
        elif points > 1 and _near(variance, float(fits.var(ddof=1))):
            hint = ". The variance is that of each point over the sets, then averaged, and not that of the whole table"
        elif _near(variance, wanted[1]) and _near(bias, naive - wanted[1] / points):
            hint = ". The mean of the fits is off by the variance over the number of sets, the rows, not of points"
        elif points > 1 and _near(variance, points * wanted[1]):
            hint = ". Take the mean over the points, not the sum"
        elif _near(bias, wanted[1]) and _near(variance, wanted[0]):
            hint = ". Give the squared bias first"
        elif _near(variance, wanted[1]) and (_near(bias, cut[0]) or _near(bias, cut[1])):
            hint = ". The estimate may be negative; cut at 0 it would be too large on average"
        if not (_near(bias, wanted[0]) and _near(variance, wanted[1])):
            said = f"({bias:.6g}, {variance:.6g}), not ({wanted[0]:.6g}, {wanted[1]:.6g})"
            raise AssertionError(f"{call} is {said}{hint}")
    answers.right("three tables of fits")


def check_variance_of_fit(variance_of_fit: Callable[[int, int, float], float]) -> None:
    """Check a function that gives the expected variance of least squares, below and above the peak.

    Args:
        variance_of_fit: takes the number of features, the number of examples and the deviation of the noise.

    Raises:
        AssertionError: if a variance is wrong.
    """
    for p, n, noise in ((10, 40, 0.3), (38, 40, 0.3), (39, 40, 0.3), (40, 40, 0.3), (41, 40, 1.0), (80, 40, 0.3)):
        call = f"variance_of_fit({p}, {n}, {noise})"
        given = answers.number(call, variance_of_fit(p, n, noise), infinite=True)
        share = n / p
        below, above = noise**2 * p / max(n - p - 1, 1), noise**2 * n / max(p - n - 1, 1)
        wanted = below if p <= n - 2 else share * (1 - share) + above if p >= n + 2 else math.inf
        hint = ""
        if _near(given, noise**2 * p / n):
            hint = ". That is the variance at the training inputs, averaged; new inputs lie elsewhere"
        elif p < n and _near(given, noise**2 * p / (n - p)):
            hint = ". The mean of the inverse of a Wishart matrix has n - p - 1 below, one less"
        elif p < n - 1 and _near(given, wanted / noise):
            hint = ". The noise enters by its variance, the square of the deviation"
        elif wanted == math.inf:
            hint = ". From n - 1 to n + 1 features the mean is infinite"
        elif p > n and _near(given, above):
            hint = ". The noise is right; which part of the weights the examples show varies from set to set as well"
        elif p > n and _near(given, 1 - share + above):
            hint = ". That is the whole error: the squared bias (1 - n/p)^2 is to be taken away"
        if not _near(given, wanted):
            raise AssertionError(f"{call} is {given:.6g}, not {wanted:.6g}{hint}")
    answers.right("six numbers of features, on both sides of the peak and on it")


def check_steps_like_ridge(steps_like_ridge: Callable[[float, float], int]) -> None:
    """Check a function that gives the number of steps of descent that act like a ridge.

    Args:
        steps_like_ridge: takes the strength and the learning rate.

    Raises:
        AssertionError: if a number of steps is wrong.
    """
    for strength, rate in ((0.1, 0.01), (0.02, 0.5), (0.3, 0.1), (0.5, 0.3), (5.0, 1.0)):
        call = f"steps_like_ridge({strength}, {rate})"
        given = answers.number(call, steps_like_ridge(strength, rate))
        wanted = max(1, round(1 / (strength * rate)))
        hint = ""
        if strength * rate > 1 and given < 1:
            hint = ". At least one step"
        elif given == max(1, round(1 / strength)) or given == round(1 / strength):
            hint = ". A smaller rate needs more steps for the same way"
        elif given == max(1, round(rate / strength)):
            hint = ". The smaller the rate, the more steps: it divides"
        elif _near(given, 1 / (2 * strength * rate)) or _near(given, 2 / (strength * rate)):
            hint = ". With 1/n and lambda in one form, 1/(2n) and the rate in the other, the factors of 2 cancel"
        elif _near(given, strength * rate) or _near(given, strength / rate):
            hint = ". The stronger the ridge, the fewer steps"
        elif _near(given, 1 / (strength * rate)):
            hint = ". Round it"
        elif given in (math.floor(1 / (strength * rate)), math.ceil(1 / (strength * rate))):
            hint = ". Round to the nearest whole number, neither always down nor always up"
        if given != wanted:
            raise AssertionError(f"{call} is {given:g}, not {wanted}{hint}")
    answers.right("five strengths")
