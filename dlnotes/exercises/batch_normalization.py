"""Checkers of the chapter on batch normalization: each takes a reader's answer and says what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from dlnotes.exercises import _answers as answers
from dlnotes.numpy import batch_normalization

SINGLE = 1e-5  # what a right answer computed in float32 may be off by, relative to its largest entry


def _near(given: np.ndarray | float, wanted: Any) -> bool:
    return bool(np.abs(np.asarray(given) - wanted).max() <= SINGLE * np.abs(wanted).max())


def _wrong_roots(z: np.ndarray, epsilon: float) -> tuple[float, ...]:
    """Give what is often taken for sqrt(variance + epsilon)."""
    return math.sqrt(z.var(ddof=1) + epsilon), float(z.std()), float(z.std()) + epsilon


def _with_root(delta: np.ndarray, z: np.ndarray, scale: float, root: float) -> np.ndarray:
    """Give the gradient in z with some number in the place of sqrt(variance + epsilon)."""
    n = (z - z.mean()) / root
    return scale / root * (delta - delta.mean() - n * (delta * n).mean())


def _uncentered(delta: np.ndarray, z: np.ndarray, scale: float, root: float) -> np.ndarray:
    """Give the gradient in z with z / root in the place of the normalized input."""
    n = z / root
    return scale / root * (delta - delta.mean() - n * (delta * n).mean())


def check_statistics_flow(backward: Callable[..., np.ndarray]) -> None:
    """Check a backward pass through the batch norm of one feature.

    Args:
        backward: takes `delta` and `z` of shape (m,), `scale` and `epsilon`.

    Raises:
        AssertionError: if the gradient is wrong; the message says which path is missing, where it can be told.
    """
    generator = np.random.default_rng(0)
    for size, scale, epsilon in ((5, 1.0, 0.0), (8, -2.0, 1e-5), (6, 0.5, 0.3)):
        delta, z = generator.standard_normal((2, size))
        one = np.array([scale])
        _, cache = batch_normalization.batch_norm(z[:, None], one, 0 * one, epsilon=epsilon)
        wanted = batch_normalization.batch_norm_backward(delta[:, None], cache).x[:, 0]
        call = f"backward for {size} examples, scale {scale:g}, epsilon {epsilon:g}"
        given = answers.array(call, backward(delta.copy(), z.copy(), scale, epsilon), (size,))
        n, r = cache.normalized[:, 0], 1 / cache.inverse_deviation[0]
        mean, along = delta.mean(), n * (delta * n).mean()
        hint = ""
        if _near(given, scale * delta / r):
            hint = ". This treats the mean and the deviation as constants; they move with z"
        elif _near(given, scale / r * (delta - mean)):
            hint = ". The path through the mean is there, the one through the deviation is missing"
        elif _near(given, scale / r * (delta - along)):
            hint = ". The path through the deviation is there, the one through the mean is missing"
        elif _near(given, (delta - mean - along) / r):
            hint = ". The scale is missing"
        elif _near(given, scale / r * (delta - delta.sum() - n * (delta * n).sum())):
            hint = ". The sums are to be means"
        elif _near(given, scale / r * (delta - mean + along)):
            hint = ". The path through the deviation has the wrong sign"
        elif _near(given, _uncentered(delta, z, scale, r)):
            hint = ". The normalized input is (z - mean) / r; here it is z / r"
        elif any(_near(given, _with_root(delta, z, scale, root)) for root in _wrong_roots(z, epsilon)):
            hint = ". All paths are there; look at r again: sqrt(variance + epsilon), the variance divided by m"
        off = np.abs(given - wanted).max()
        if not _near(given, wanted):
            raise AssertionError(f"{call}: off by up to {off:.3g}{hint}")
    answers.right("the gradient flows through the mean and the deviation too")


def check_running_variance(update: Callable[[float, np.ndarray, float], float]) -> None:
    """Check an update of a running variance, unbiased, where the weight of the old average is given.

    Args:
        update: takes `running`, a `batch` of shape (m,) and `old_weight`.

    Raises:
        AssertionError: if the new running variance is wrong.
    """
    generator = np.random.default_rng(2)
    for size, running, old in ((4, 1.0, 0.9), (10, 3.0, 0.99), (2, 0.5, 0.3)):
        batch = generator.standard_normal(size) + 5
        call = f"update for a batch of {size} and old_weight {old}"
        given = answers.number(call, update(running, batch.copy(), old))
        biased, unbiased = batch.var(), batch.var(ddof=1)
        wanted = old * running + (1 - old) * unbiased
        hint = ""
        if _near(given, (1 - old) * running + old * biased):
            hint = ". The weights are swapped, and the variance is divided by m in place of m - 1"
        elif _near(given, (1 - old) * running + old * unbiased):
            hint = ". The weights are swapped: old_weight belongs to the old average"
        elif _near(given, old * running + (1 - old) * biased):
            hint = ". The variance is divided by m; unbiased it is divided by m - 1"
        elif _near(given, size / (size - 1) * (old * running + (1 - old) * biased)):
            hint = ". The factor m / (m - 1) belongs to the batch's variance alone; the running one has it already"
        elif _near(given, old * running + (1 - old) * batch.std(ddof=1)):
            hint = ". Variances are averaged, not deviations"
        if not _near(given, wanted):
            raise AssertionError(f"{call} is {given:.6g}, expected {wanted:.6g}{hint}")
    answers.right("an unbiased running variance, with the weight on the old average")


def check_folded_layer(fold: Callable[..., tuple[np.ndarray, np.ndarray]]) -> None:
    """Check a function that makes one dense layer of a dense layer and the batch norm behind it.

    Args:
        fold: takes `weight`, `bias`, `scale`, `shift`, `mean`, `variance` and `epsilon`.

    Raises:
        AssertionError: if the folded layer gives something else than the two.
    """
    generator = np.random.default_rng(3)
    for outputs, inputs in ((5, 5), (3, 4)):  # the square one first: there a factor on the columns has a right shape
        weight, x = generator.standard_normal((outputs, inputs)), generator.standard_normal((7, inputs))
        bias, scale, shift, mean = generator.standard_normal((4, outputs))
        variance, epsilon = generator.uniform(0.5, 3, outputs), 0.1
        call = f"fold for a layer of {inputs} inputs and {outputs} units"
        parts = weight, bias, scale, shift, mean, variance  # copies: an answer may work in place
        pair = answers.pair(call, fold(*(part.copy() for part in parts), epsilon))
        new_weight = answers.array(f"{call}: the weight", pair[0], weight.shape)
        new_bias = answers.array(f"{call}: the bias", pair[1], bias.shape)
        running = batch_normalization.RunningStatistics(mean, variance, 1)
        wanted = batch_normalization.batch_norm_inference(x @ weight.T + bias, scale, shift, running, epsilon=epsilon)
        factor = scale / np.sqrt(variance + epsilon)
        hint = ""
        if outputs == inputs and _near(new_weight, factor * weight):
            hint = ". The factor belongs to the rows of the weight, one a unit; here it multiplies the columns"
        elif _near(new_weight, (scale / (np.sqrt(variance) + epsilon))[:, None] * weight):
            hint = ". Epsilon stands under the root: sqrt(variance + epsilon)"
        elif not _near(new_weight, factor[:, None] * weight):
            hint = ". Already the weight is wrong: each row is multiplied by scale / sqrt(variance + epsilon)"
        elif _near(new_bias, factor * bias + shift):
            hint = ". The running mean is not subtracted"
        elif _near(new_bias, factor * (bias + mean) + shift):
            hint = ". The running mean is subtracted, not added"
        elif _near(new_bias, bias - factor * mean + shift):
            hint = ". The old bias passes through the factor too"
        elif _near(new_bias, bias + shift):
            hint = ". The old bias and the running mean both pass through the factor"
        off = np.abs(x @ new_weight.T + new_bias - wanted).max()
        if not _near(x @ new_weight.T + new_bias, wanted):
            raise AssertionError(f"{call}: outputs differ by up to {off:.3g}{hint}")
    answers.right("one dense layer gives what the two gave")


def check_balanced_length(balanced_length: Callable[[float, float, float], float]) -> None:
    """Check a function that gives the length at which growth and decay of scale-invariant weights cancel.

    Args:
        balanced_length: takes `rate`, `decay` and the norm `gradient` at unit length.

    Raises:
        AssertionError: if the length changes in a step.
    """
    for rate, decay, gradient in ((0.1, 0.01, 2.0), (0.5, 0.4, 1.0), (0.02, 0.1, 5.0)):
        call = f"balanced_length({rate}, {decay}, {gradient})"
        length = answers.number(call, balanced_length(rate, decay, gradient))
        if not length > 0:
            raise AssertionError(f"{call} must be positive, got {length:.6g}")
        after = math.hypot((1 - rate * decay) * length, rate * gradient / length)
        fourth = rate**2 * gradient**2 / (1 - (1 - rate * decay) ** 2)
        hint = ""
        if _near(length, fourth):
            hint = ". This is its fourth power"
        elif _near(length, math.sqrt(fourth)):
            hint = ". This is its square"
        elif _near(length, (rate * gradient**2 / (2 * decay)) ** 0.25):
            hint = ". This is the limit for small rate times decay"
        elif _near(length, rate * gradient / decay) or _near(length, gradient / decay):
            hint = ". The gradient is orthogonal to the weights: its step adds to the squared length"
        right = _near(length, fourth**0.25)
        if not right:
            raise AssertionError(f"from {call} = {length:.9g} a step leads to the length {after:.9g}{hint}")
    answers.right("from this length a step leads back to it")
