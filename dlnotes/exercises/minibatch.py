"""Checkers of the chapter on mini-batches: each takes a reader's answer and says what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from dlnotes.exercises import _answers as answers
from dlnotes.numpy import minibatch


def _near(given: float, wanted: float) -> bool:
    """Compare to five digits, which an answer in float32 has."""
    return math.isclose(given, wanted, rel_tol=1e-5, abs_tol=1e-6)


def _all_near(given: np.ndarray, wanted: np.ndarray) -> bool:
    return np.allclose(given, wanted, rtol=1e-5, atol=1e-6)


def check_batch_error(batch_error: Callable[[float, int, int], float]) -> None:
    """Check a function that gives the expected distance of a batch's gradient to that of all examples.

    Args:
        batch_error: takes the root mean square distance of the single gradients to their mean, the size of the batch
            and the number of examples, and gives that distance for the mean of a batch drawn without replacement.

    Raises:
        AssertionError: if a distance is wrong; the message says which and, where it can be told, why.
    """
    for spread, size, examples in ((2.0, 1, 100), (2.0, 16, 100), (3.0, 64, 1000), (3.0, 5, 5), (1.0, 50, 100)):
        call = f"batch_error({spread}, {size}, {examples})"
        given = answers.number(call, batch_error(spread, size, examples))
        share = minibatch.batch_variance(size, examples)
        wanted = spread * math.sqrt(share)
        hint = ""
        if _near(given, spread / math.sqrt(size)):
            hint = ". This is for drawing with replacement; without, all examples together have no error"
        elif _near(given, spread**2 * share):
            hint = ". This is the variance: take the root"
        elif _near(given, spread * share):
            hint = ". The factor is that of the variance: a distance has its root"
        elif _near(given, spread * math.sqrt((examples - size) / (size * examples))):
            hint = ". Nearly: a batch of one must have the whole spread, so divide by one less than the examples"
        elif _near(given, spread / size):
            hint = ". Independent errors add up by their squares, so that the error falls with the root of the size"
        elif _near(given, spread * (examples - size) / (examples - 1) / math.sqrt(size)):
            hint = ". The factor (N - b) / (N - 1) belongs to the variance: here under the root"
        if not _near(given, wanted):
            raise AssertionError(f"{call} is {given:.6g}, not {wanted:.6g}{hint}")
    answers.right("five sizes, from one example to all")


def check_join(join: Callable[[Sequence[np.ndarray], Sequence[int]], np.ndarray]) -> None:
    """Check a function that joins the mean gradients of micro-batches.

    Args:
        join: takes the mean gradients and how many examples each has.

    Raises:
        AssertionError: if a gradient is wrong.
    """
    generator = np.random.default_rng(0)
    for counts in ([4, 4], [16, 16, 1], [3], [1, 2, 3, 4]):
        grads = [generator.standard_normal(3) for _ in counts]
        call = f"join with counts {counts}"
        given = answers.array(call, join([grad.copy() for grad in grads], list(counts)), (3,))
        weighted = sum(count * grad for count, grad in zip(counts, grads, strict=True))
        wanted, total = weighted / sum(counts), np.sum(grads, 0)
        hint = ""
        if _all_near(given, total / len(counts)):
            hint = ". This is the plain mean: a part of one example counts as much as one of sixteen"
        elif _all_near(given, total):
            hint = ". The sum of means is as many times too long as there are parts"
        elif _all_near(given, weighted):
            hint = ". This is the sum over all examples: divide by their number"
        elif _all_near(given, weighted / len(counts)):
            hint = ". Divide by the number of examples, not of parts"
        elif _all_near(given, weighted / max(counts) / len(counts)):
            hint = ". Divide by the examples there are, not by those of equal parts"
        elif _all_near(given, total / sum(counts)):
            hint = ". Each part is a mean already: weigh it by its examples before you divide by all"
        if not _all_near(given, wanted):
            raise AssertionError(f"{call}: {given.round(4)}, not {wanted.round(4)}{hint}")
    answers.right("equal parts, unequal ones, and one part")


def _wrong_scales(small: int, large: int, of_small: float, of_large: float) -> list[tuple[float, str]]:
    """List wrong noise scales, each with what is said of it."""
    noise = (of_small - of_large) / (1 / small - 1 / large)
    signal = (large * of_large - small * of_small) / (large - small)
    return [
        (signal / noise, "This is upside down: noise over signal"),
        (noise, "This is the variance of a single gradient; divide it by the squared length of the mean gradient"),
        (signal, "This is the squared length of the mean gradient; the scale is the noise over it"),
        (noise / of_large, "The large batch has noise too: its squared length is not yet that of the mean gradient"),
        (math.sqrt(abs(noise / signal)), "No root: the scale is a variance over a squared length"),
        ((of_small - of_large) / (large - small) / signal, "The lengths differ by V (1/b - 1/c), not by V (c - b)"),
        (small * of_small / signal, "The small batch's squared length is signal and noise together"),
        ((of_small - of_large) / signal, "This is a batch's noise; that of one example is larger by 1 / (1/b - 1/c)"),
    ]


def check_noise_from_two(noise_from_two: Callable[[int, int, float, float], float]) -> None:
    """Check a function that gives the gradient noise scale from the squared lengths of the gradients of two sizes.

    Args:
        noise_from_two: takes the smaller and the larger size, and the mean squared lengths of their gradients.

    Raises:
        AssertionError: if a scale is wrong.
    """
    for small, large, signal, noise in ((8, 64, 1.0, 40.0), (1, 256, 0.5, 3.0), (16, 32, 4.0, 1000.0)):
        of_small, of_large = signal + noise / small, signal + noise / large
        call = f"noise_from_two({small}, {large}, {of_small:.6g}, {of_large:.6g})"
        given = answers.number(call, noise_from_two(small, large, of_small, of_large))
        hint = next(
            (f". {said}" for wrong, said in _wrong_scales(small, large, of_small, of_large) if _near(given, wrong)), ""
        )
        if not _near(given, noise / signal):
            raise AssertionError(f"{call} is {given:.6g}, not {noise / signal:.6g}{hint}")
    answers.right("three pairs of sizes")
