"""Checkers of the chapter on schedules: each takes a reader's answer and says what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Callable

from dlnotes.exercises import _answers as answers


def _near(given: float, wanted: float) -> bool:
    """Compare to five digits, which an answer in float32 has."""
    return math.isclose(given, wanted, rel_tol=1e-5, abs_tol=1e-9)


def _hint(given: float, slips: tuple[tuple[float, str], ...]) -> str:
    """Say which slip gives this number, if one does."""
    return next((f". {words}" for slip, words in slips if _near(given, slip)), "")


def check_noise_floor(noise_floor: Callable[[float, float, float], float]) -> None:
    """Check a function that gives the mean square of the error at which a constant rate settles.

    Args:
        noise_floor: takes the learning rate, the curvature and the variance of the gradient's noise.

    Raises:
        AssertionError: if a floor is wrong; the message says which and, where it can be told, why.
    """
    for rate, h, variance in ((0.4, 1.5, 1.2), (0.1, 2.0, 3.0), (0.03, 10.0, 0.5)):
        call = f"noise_floor({rate}, {h}, {variance})"
        given = answers.number(call, noise_floor(rate, h, variance))
        wanted = rate * variance / (h * (2 - rate * h))
        slips = (
            (rate * variance / (2 * h), "This is the floor of small rates; (1 - eta h)^2 has a square of eta h too"),
            (rate * variance / (2 - rate * h), "The curvature is missing: 1 - (1 - eta h)^2 is eta h (2 - eta h)"),
            (rate**2 * variance, "This is what one step adds; at the floor the shrinking takes the same away"),
            (rate * variance / h, "This solves v = (1 - eta h) v + ..., but the square of the error shrinks twice"),
            (variance * rate / (h * (2 + rate * h)), "(1 - eta h)^2 is 1 - 2 eta h + (eta h)^2: look at the sign"),
            (math.sqrt(wanted), "This is the root of it; asked for is the mean square"),
            (rate * math.sqrt(variance) / (h * (2 - rate * h)), "The variance is sigma^2 already; no root is taken"),
            (rate * variance / (rate * h * (2 - rate * h)), "The noise comes in with eta^2; here eta stands once"),
            (h * wanted / 2, "This is the loss h v / 2; asked for is v"),
        )
        if not _near(given, wanted):
            raise AssertionError(f"{call} is {given:.6g}, and v does not stay there{_hint(given, slips)}")
    answers.right("three settings, with large and small rates")


def check_next_rate(next_rate: Callable[[float, float, float], float]) -> None:
    """Check a function that gives the rate after which the mean square of the error is least.

    Args:
        next_rate: takes the mean square of the error, the curvature and the variance of the gradient's noise.

    Raises:
        AssertionError: if a rate is wrong; the message says which and, where it can be told, why.
    """
    for square, h, variance in ((3.0, 2.5, 1.5), (0.5, 0.3, 4.0), (0.01, 5.0, 2.0), (1.0, 1.6, 0.0)):
        call = f"next_rate({square}, {h}, {variance})"
        try:
            given = answers.number(call, next_rate(square, h, variance))
        except ZeroDivisionError:
            raise AssertionError(
                f"{call} divides by zero: without noise one step of 1 / h ends at the minimum"
            ) from None
        wanted = h * square / (h**2 * square + variance)
        slips = (
            (1 / h, "This is the best without noise; the noise adds eta^2 times its variance"),
            (
                square / (h**2 * square + variance),
                "The slope of (1 - eta h)^2 v is -2 h (1 - eta h) v: an h is missing",
            ),
            (h * square / (h * square + variance), "The slope has h^2 eta v in it, and this has h"),
            (square / (h * square + variance), "By the chain rule the slope of (1 - eta h)^2 has one more factor of h"),
            (2 * wanted, "That is where the error is as it was before; the least lies halfway"),
            (wanted / 2, "A factor of 2 is lost: the slope of -2 eta h v is -2 h v"),
            (h * square / (h**2 * square + 2 * variance), "The slope of (1 - eta h)^2 v has a factor of 2 too"),
            (2 * h * square / (2 * h**2 * square + variance), "The slope of eta^2 sigma^2 has a factor of 2 too"),
            (h / (h**2 + variance), "The mean square of the error is missing; this is for v = 1"),
            (square * h / (h**2 * square**2 + variance), "Here v stands squared; it is a mean square already"),
            (h * math.sqrt(square) / (h**2 * square + variance), "No root is taken: v is what the step multiplies"),
        )
        if not _near(given, wanted):
            after = (1 - given * h) ** 2 * square + given**2 * variance
            least = (1 - wanted * h) ** 2 * square + wanted**2 * variance
            message = (
                f"{call} is {given:.6g}; after it the mean square is {after:.6g}, {after - least:.2g} above the least"
            )
            close = abs(given - wanted) < 1e-3 * wanted
            near = ". It is near: find it by calculation, or search more finely; five digits are compared"
            raise AssertionError(message + (near if close else _hint(given, slips)))
    answers.right("four settings, one of them without noise")


def check_warm_then_fall(warm_then_fall: Callable[[int, float, int, int], float]) -> None:
    """Check a schedule that rises in a straight line and then falls in one to 0.

    Args:
        warm_then_fall: takes the step, the largest rate, the steps of warm-up and the steps in all.

    Raises:
        AssertionError: if a rate is wrong; the message says which and, where it can be told, why.
    """
    for rate, warm, steps in ((0.5, 4, 20), (2.0, 0, 10)):
        for step in (0, 1, 3, 4, 5, 12, steps - 1, steps, steps + 5):
            call = f"warm_then_fall({step}, {rate}, {warm}, {steps})"
            try:
                given = answers.number(call, warm_then_fall(step, rate, warm, steps))
            except ZeroDivisionError:
                raise AssertionError(f"{call} divides by zero: with no warm-up the rate is full from step 0") from None
            up, fall = rate * (step + 1) / (warm + 1), rate * (steps - step) / (steps - warm)
            wanted = up if step < warm else max(fall, 0.0)
            line = rate * (1 - step / steps)
            slips = (
                (
                    rate,
                    "There is no rise: in step 0 the rate is 1 / (warm + 1) of the largest"
                    if step < warm
                    else "There is no fall: the rate is full at step `warm` only",
                ),
                (line, "This line falls from step 0; it has to be at the full rate where the warm-up ends"),
                (up * (1 - step / steps), "The two are joined, not multiplied: the fall begins when the rise is over"),
                (
                    rate * step / max(warm, 1),
                    "At step 0 this does not move; the rise has warm + 1 parts, and begins with one",
                ),
                (
                    rate * (step + 1) / max(warm, 1),
                    "This is full one step too early; the rise has warm + 1 parts",
                ),
                (
                    rate * (1 - (step - warm) / steps),
                    "This falls over `steps` steps after the warm-up; they count it too",
                ),
                (fall, "After the last step the rate stays at 0" if step > steps else "The fall begins after the rise"),
                (rate * (steps - step - 1) / (steps - warm), "This is one step ahead: at step `warm` the rate is full"),
                (rate * (steps - step) / (steps - warm - 1), "The way down has steps - warm parts"),
            )
            if not _near(given, wanted):
                message = f"{call} is {given:.6g}, and the rate there is {wanted:.6g}{_hint(given, slips)}"
                raise AssertionError(message)
    answers.right("two schedules, from the first step to past the last")


def check_sweep_rate(sweep_rate: Callable[[int, float, float, int], float]) -> None:
    """Check a function that gives the rate in a sweep that grows by the same factor from step to step.

    Args:
        sweep_rate: takes the step, the lowest and the highest rate and the number of steps.

    Raises:
        AssertionError: if a rate is wrong; the message says which and, where it can be told, why.
    """
    for lowest, highest, steps in ((0.001, 10.0, 5), (0.1, 1.0, 101)):
        for step in (0, 1, steps // 2, steps - 1):
            call = f"sweep_rate({step}, {lowest}, {highest}, {steps})"
            given = answers.number(call, sweep_rate(step, lowest, highest, steps))
            share, late = step / (steps - 1), step / steps
            wanted = lowest * (highest / lowest) ** share
            slips = (
                (lowest + (highest - lowest) * share, "This grows by the same amount; the factor is to be the same"),
                (lowest + (highest - lowest) * late, "This grows by the same amount; the factor is to be the same"),
                (lowest * (highest / lowest) ** late, "The last step is steps - 1: there the rate is the highest"),
                (lowest * (highest / lowest) ** ((step + 1) / steps), "This is ahead: step 0 has the lowest rate"),
                (highest * (lowest / highest) ** share, "This falls: it begins with the highest rate"),
                (lowest * highest**share, "This grows by the factor `highest` in all; it is highest / lowest"),
                (lowest * (highest / lowest) ** step, "This grows by that factor in every step, not in all"),
                (lowest * math.exp(share * (highest - lowest)), "The exponent goes over the logarithms of the rates"),
            )
            if not _near(given, wanted):
                raise AssertionError(f"{call} is {given:.6g}, and should be {wanted:.6g}{_hint(given, slips)}")
    answers.right("two sweeps, their first, second, middle and last steps")
