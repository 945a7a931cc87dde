"""Dropout: units removed at random in training, and what masks say about uncertainty.

`p` is the probability of dropping a unit, as in PyTorch; texts that speak of `keep_prob` mean 1 - p. A mask is True
where a unit is kept. Drawing a mask and applying it are two functions, so that the backward pass, a gradient check or
another library can use the very same mask.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import checks, precision
from dlnotes.numpy import many_runs

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    # NumPy gives a scalar where an array would have no axes.
    Array = np.ndarray | np.generic
    Generators = np.random.Generator | np.ndarray

_BLOCK = 1 << 18  # units drawn, or masked and scaled, at a time


class MonteCarloPrediction(NamedTuple):
    """What many passes with dropout say together.

    Attributes:
        mean: Mean probability of each class, the prediction.
        deviation: Standard deviation of the probabilities over the passes.
        entropy: Entropy of the mean, in nats: all uncertainty.
        mutual_information: How much of the entropy comes from the passes disagreeing; the rest is in each of them.
    """

    mean: np.ndarray
    deviation: np.ndarray
    entropy: np.ndarray
    mutual_information: np.ndarray


def _draw_kept(kept: Bool[np.ndarray, " count"], generator: np.random.Generator, p: float) -> None:
    """Fill an array with booleans that are False with probability p.

    A random byte decides for 255 of 256 units: below 256 p it drops, above it keeps. Where it equals the whole part of
    256 p a random double decides with the fraction, so that the rate is p to 2^-53 and not to the nearest 1/256.
    """
    threshold = math.floor(256 * p)
    fraction = 256 * p - threshold
    words = generator.integers(0, 2**64, -(-kept.size // 8), dtype=np.uint64)
    random_bytes = words.view(np.uint8)[: kept.size]
    np.greater_equal(random_bytes, threshold, out=kept)
    if fraction:
        ties = np.flatnonzero(random_bytes == threshold)
        kept[ties] = generator.random(ties.size) >= fraction


def dropout_mask(
    shape: tuple[int, ...],
    generator: Generators,
    p: float | Float[Array, "*runs"],
    *,
    runs: tuple[int, ...] = (),
) -> Bool[np.ndarray, "..."]:
    """Draw which units are kept, each independently.

        P(mask = True) = 1 - p

    Args:
        shape: Shape of one run's mask. For `spatial_dropout` it is (batch, features).
        generator: Draws the mask. With runs, each run draws from its own child, or from its own entry of an array.
        p: Probability of dropping a unit, from 0 to 1; a number, or one a run, shape (*runs,).
        runs: The shape of the grid of runs.

    Returns:
        The mask, shape (*runs, *shape), True where a unit is kept.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If `p` is out of range or has another shape than `runs`, or the generators are not as many as runs.

    Source: Srivastava et al. (2014).
    """
    shape, runs = checks.shape("shape", shape), checks.shape("runs", runs)
    rates = np.asarray(checks.reals("p", p, at_least=0, at_most=1), dtype=np.float64)
    if rates.ndim:
        checks.shaped("p", rates, runs, of="runs")
    rates = np.broadcast_to(rates, runs)
    generators = many_runs.generators(generator, runs)
    mask = np.empty((*runs, math.prod(shape)), dtype=bool)
    for run in np.ndindex(*runs):
        for start in range(0, mask.shape[-1], _BLOCK):  # so that the random bytes stay in the cache
            _draw_kept(mask[run][start : start + _BLOCK], generators[run], float(rates[run]))
    return mask.reshape((*runs, *shape))


def dropout(
    x: Float[np.ndarray, "*shape"],
    mask: Bool[np.ndarray, "*runs_and_shape"],
    p: float | Float[Array, "*runs"],
    *,
    out: Float[np.ndarray, "*runs_and_shape"] | None = None,
) -> Float[np.ndarray, "*runs_and_shape"]:
    """Set the units outside the mask to zero and scale up the others (inverted dropout).

        y = mask * x / (1 - p)

    Over masks the mean of y is x, so nothing has to be done at test time. Where p = 1 everything is dropped, and y is 0
    if x is finite.

    Args:
        x: Activations, of any shape.
        mask: From `dropout_mask`, of the shape of x; with more leading axes, every mask is applied to the same x.
        p: The probability with which the mask was drawn, from 0 to 1; a number, or one for each of its leading axes.
        out: An array to write y into, x itself if it is not needed any more. Saves the time to fetch fresh memory.

    Returns:
        y, of the shape of the mask and the dtype of x. What is not finite in x stays to be seen: dropped or kept with
        p = 1, it gives 0 * inf = nan.

    Raises:
        TypeError: If `x` does not hold floating-point numbers or `mask` booleans.
        ValueError: If the shapes do not fit or `p` is out of range.

    Source: Srivastava et al. (2014), for the scaling in training.
    """
    checks.floating("x", x)
    checks.last_axes("mask", checks.booleans("mask", mask), *x.shape, of="x")
    if out is not None:
        checks.shaped("out", checks.floating("out", out), mask.shape, of="mask")
    y = np.empty(mask.shape, x.dtype) if out is None else out
    x, multiplier = (np.broadcast_to(part, y.shape) for part in (x, np.asarray(_multiplier(p, y), y.dtype)))
    for part in _blocks(y.shape):  # so that what was masked is in the cache when it is scaled
        np.multiply(x[part], mask[part], out=y[part])
        y[part] *= multiplier[part]
    return y


def _blocks(shape: tuple[int, ...]) -> list:
    """Cut an array along its first axis."""
    if not shape:
        return [...]
    rows = max(1, _BLOCK // max(1, math.prod(shape[1:])))
    return [slice(start, start + rows) for start in range(0, shape[0], rows)]


def _multiplier(p: float | np.ndarray, y: np.ndarray) -> float | np.ndarray:
    """Give 1 / (1 - p), and 0 where p = 1, shaped to multiply y."""
    p = np.asarray(checks.reals("p", p, at_least=0, at_most=1), dtype=np.float64)
    checks.shaped("p", p, y.shape[: p.ndim], of="the leading axes of mask")
    keep = 1 - p
    return many_runs.aligned(np.where(keep > 0, 1 / np.where(keep > 0, keep, 1), 0), y)


def dropout_backward(
    grad_output: Float[np.ndarray, "*shape"],
    mask: Bool[np.ndarray, "*shape"],
    p: float | Float[Array, "*runs"],
    *,
    out: Float[np.ndarray, "*shape"] | None = None,
) -> Float[np.ndarray, "*shape"]:
    """Carry a gradient back through `dropout`: through the same mask, with the same factor.

        dL/dx = mask * g / (1 - p)

    Args:
        grad_output: g, gradient of the loss in y, of its shape.
        mask: What the forward pass took.
        p: What the forward pass took.
        out: An array to write the gradient into, `grad_output` itself if it is not needed any more.

    Returns:
        Gradient in x, of the shape of `grad_output`: one for each mask, where all of them met the same x.

    Raises:
        TypeError: If `grad_output` does not hold floating-point numbers or `mask` booleans.
        ValueError: If the shapes differ or `p` is out of range.

    Source: derivative of `dropout`.
    """
    checks.booleans("mask", mask)
    checks.same_shape("grad_output", checks.floating("grad_output", grad_output), "mask", mask)
    return dropout(grad_output, mask, p, out=out)


def _over_positions(mask: np.ndarray, x: np.ndarray, spatial_axes: int) -> np.ndarray:
    """Repeat a mask of features over the positions of their maps, as a view."""
    spatial_axes = checks.integer("spatial_axes", spatial_axes, at_least=1, at_most=x.ndim)
    checks.last_axes("mask", checks.booleans("mask", mask), *x.shape[:-spatial_axes], of="the features of x")
    positions = x.shape[x.ndim - spatial_axes :]
    return np.broadcast_to(mask.reshape(*mask.shape, *(1,) * spatial_axes), (*mask.shape, *positions))


def spatial_dropout(
    x: Float[np.ndarray, "*shape"],
    mask: Bool[np.ndarray, "*runs_and_features"],
    p: float | Float[Array, "*runs"],
    *,
    spatial_axes: int = 2,
) -> Float[np.ndarray, "..."]:
    """Drop whole feature maps: neighboring positions say nearly the same, so dropping single ones removes little.

        y[n, c, :, :] = mask[n, c] * x[n, c, :, :] / (1 - p)

    Args:
        x: Activations, shape (*runs, batch, features, *positions).
        mask: From `dropout_mask`, shape (*runs, batch, features).
        p: The probability with which the mask was drawn.
        spatial_axes: How many axes follow the features, at least 1.

    Returns:
        y, of the shape of x.

    Raises:
        TypeError: If `x` does not hold floating-point numbers or `mask` booleans.
        ValueError: If the shapes do not fit or an argument is out of range.

    Source: Tompson et al. (2015).
    """
    checks.floating("x", x)
    return dropout(x, _over_positions(mask, x, spatial_axes), p)


def spatial_dropout_backward(
    grad_output: Float[np.ndarray, "*shape"],
    mask: Bool[np.ndarray, "*features"],
    p: float | Float[Array, "*runs"],
    *,
    spatial_axes: int = 2,
) -> Float[np.ndarray, "*shape"]:
    """Carry a gradient back through `spatial_dropout`.

        dL/dx[n, c, :, :] = mask[n, c] * g[n, c, :, :] / (1 - p)

    Args:
        grad_output: g, gradient of the loss in y, of its shape.
        mask: What the forward pass took.
        p: What the forward pass took.
        spatial_axes: What the forward pass took.

    Returns:
        Gradient in x, of the shape of `grad_output`.

    Raises:
        TypeError: If `grad_output` does not hold floating-point numbers or `mask` booleans.
        ValueError: If the shapes do not fit or an argument is out of range.

    Source: derivative of `spatial_dropout`.
    """
    checks.floating("grad_output", grad_output)
    return dropout_backward(grad_output, _over_positions(mask, grad_output, spatial_axes), p)


@precision.rounded_once("x")
def linear_dropout_penalty(
    weight: Float[np.ndarray, "*runs features"], x: Float[np.ndarray, "*own examples features"], p: float
) -> Float[Array, "*runs"]:
    """Give what dropout on the inputs of linear regression adds to the mean squared error, on average over masks.

        E mean((x_dropped w - y)^2) - mean((x w - y)^2) = p / (1 - p) sum_j w_j^2 mean_i x_ij^2

    It does not depend on y: the mean of the dropped input is x, and the variances of its features add up. So dropout on
    the inputs is ridge regression with each feature's second moment as its weight.

    Args:
        weight: w, shape (*runs, features).
        x: Inputs, shape (*runs, examples, features) or (examples, features).
        p: Probability of dropping an input, from 0 to below 1.

    Returns:
        The penalty, shape (*runs,).

    Raises:
        TypeError: If an array does not hold floating-point numbers.
        ValueError: If the shapes do not fit, there are no examples, or `p` is out of range.

    Derivation: a dropped feature x m / (1 - p) has mean x and variance x^2 p / (1 - p); the masks are independent, so
    that the variances of the terms of x w add up.

    Source: Srivastava et al. (2014); derived here.
    """
    p = checks.real("p", p, at_least=0, below=1)
    checks.rank("weight", checks.floating("weight", weight), at_least=1)
    checks.rank("x", checks.floating("x", x), at_least=2)
    checks.axis("x", x, -2, at_least=1, described="examples")
    checks.last_axes("x", x, weight.shape[-1], of="weight")
    largest = np.abs(x).max(axis=-2, keepdims=True)  # divided out, so that large times small is no 0 times inf
    scale = np.where((largest > 0) & np.isfinite(largest), largest, 1).astype(x.dtype)
    moved = weight * scale[..., 0, :]
    return p / (1 - p) * (moved * moved * np.square(x / scale).mean(axis=-2)).sum(axis=-1)


def _entropy(probabilities: np.ndarray) -> np.ndarray:
    """Give -sum p ln p over the classes, in nats, with 0 ln 0 = 0."""
    logs = np.log(np.where(probabilities > 0, probabilities, 1))
    return -(probabilities * logs).sum(axis=-1)


@precision.rounded_once("probabilities")
def monte_carlo_prediction(
    probabilities: Float[np.ndarray, "*runs passes examples classes"],
) -> MonteCarloPrediction:
    """Put together the predictions of many passes, each under its own mask.

        mean = 1/T sum_t p_t,    H = entropy(mean)
        mutual information = H - 1/T sum_t entropy(p_t)

    The mutual information is 0 where all passes agree, however unsure each of them is, and never negative (Jensen).

    Args:
        probabilities: Class probabilities of each pass, shape (*runs, passes, examples, classes), at least one pass.

    Returns:
        Mean and deviation (divided by the number of passes), shape (*runs, examples, classes); entropy and mutual
        information in nats, shape (*runs, examples).

    Raises:
        TypeError: If `probabilities` does not hold floating-point numbers.
        ValueError: If it has fewer than three axes, no passes or classes, or negative numbers.

    Source: Gal and Ghahramani (2016) for the passes; Houlsby et al. (2011) for the mutual information.
    """
    checks.rank("probabilities", checks.floating("probabilities", probabilities), at_least=3)
    checks.axis("probabilities", probabilities, -3, at_least=1, described="passes")
    checks.axis("probabilities", probabilities, -1, at_least=1, described="classes")
    checks.reals("probabilities", probabilities, at_least=0)
    mean = probabilities.mean(axis=-3)
    rest = probabilities - mean[..., None, :, :]
    deviation = np.sqrt((rest * rest).mean(axis=-3))
    entropy = _entropy(mean)
    within = _entropy(probabilities).mean(axis=-2)
    # Where all passes agree, rounding could leave a tiny negative number.
    return MonteCarloPrediction(mean, deviation, entropy, np.maximum(entropy - within, 0))
