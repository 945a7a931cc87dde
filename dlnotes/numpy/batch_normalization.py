"""Normalization layers: over the batch, over the features of one example, over groups of them; with backward passes.

All of them subtract a mean and divide by a deviation; they differ in the axes over which these are taken. Inputs are
`(*runs, batch, features)`, or `(*runs, batch, features, height, width)` with `spatial_axes=2`. A learned scale and
shift follow, one a feature: gamma and beta of the paper, `weight` and `bias` of PyTorch.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import checks, precision

if TYPE_CHECKING:
    from jaxtyping import Float

Axes = tuple[int, ...]


class BatchNormCache(NamedTuple):
    """What `batch_norm` leaves for its backward pass and for the running statistics.

    Attributes:
        normalized: The input with mean 0 and deviation 1, before scale and shift.
        inverse_deviation: 1 / sqrt(variance + epsilon), shape (*runs, features).
        scale: What was given, shape (*runs, features).
        mean: Mean of the batch, shape (*runs, features).
        variance: Variance of the batch, divided by the count, shape (*runs, features).
        count: How many numbers each mean was taken over.
        spatial_axes: How many axes follow the features.
    """

    normalized: np.ndarray
    inverse_deviation: np.ndarray
    scale: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    count: int
    spatial_axes: int


class NormCache(NamedTuple):
    """What `layer_norm`, `group_norm` and `rms_norm` leave for their backward passes.

    Attributes:
        normalized: The input after the division, before scale and shift, in the shape in which it was normalized.
        inverse_deviation: What it was multiplied by, with axes of length 1 for those it was taken over.
        scale: What was given.
        axes: The number of last axes that were normalized; for `group_norm`, of those that follow the features.
    """

    normalized: np.ndarray
    inverse_deviation: np.ndarray
    scale: np.ndarray
    axes: int


class NormGradients(NamedTuple):
    """Gradients of a loss in the input, the scale and the shift."""

    x: np.ndarray
    scale: np.ndarray
    shift: np.ndarray


class RMSNormGradients(NamedTuple):
    """Gradients of a loss in the input and the scale of `rms_norm`."""

    x: np.ndarray
    scale: np.ndarray


class RunningStatistics(NamedTuple):
    """Mean and variance for inference, shape (*runs, features), and the number of batches seen."""

    mean: np.ndarray
    variance: np.ndarray
    batches: int


def _sum(x: np.ndarray, axes: Axes) -> np.ndarray:
    """Add up over axes and keep them with length 1."""
    if axes == (-2,):  # a matrix product adds up columns faster than a sum does
        return np.ones((1, x.shape[-2]), x.dtype) @ x
    return x.sum(axis=axes, keepdims=True)


class _Limits(NamedTuple):
    """Of a dtype: eight rounding units, the least mean of squares that has lost no digits, and the largest number."""

    rounding: float
    least: float
    largest: float


@functools.cache  # asking NumPy takes as long as the statistics of a small batch
def _limits(dtype: np.dtype) -> _Limits:
    limits = np.finfo(dtype)
    return _Limits(8 * float(limits.eps), float(limits.tiny) / float(limits.eps), float(limits.max))


class _Moments(NamedTuple):
    """Numbers less their mean, that mean, and their variance, with axes of length 1 for those they were taken over."""

    centered: np.ndarray
    mean: np.ndarray
    variance: np.ndarray


def _moments(x: np.ndarray, axes: Axes) -> _Moments:
    """Give what is left of x without its mean, the mean, and the variance; 0 where that is rounding.

    The mean is subtracted before anything is squared. In float32 the mean of numbers near 1e4 is off by up to 0.01
    after the rounding of all its sums; the mean of what is left is small and exact, and taking it off too puts this
    right. A deviation of at most 8 rounding units of the mean is no more than sums that should be equal differ by.
    """
    count = math.prod(x.shape[axis] for axis in axes)
    mean = _sum(x, axes) / count
    centered = x - mean
    rest = _sum(centered, axes) / count
    centered -= rest
    mean += rest
    variance = _sum(centered * centered, axes) / count
    rounding = _limits(x.dtype).rounding * mean
    np.copyto(variance, 0, where=variance <= rounding * rounding)
    return _Moments(centered, mean, variance)


def _normalize(x: np.ndarray, axes: Axes, epsilon: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Give (x - mean) / sqrt(variance + epsilon), the inverse of that root, the mean and the variance."""
    with np.errstate(over="ignore", invalid="ignore"):
        centered, mean, variance = _moments(x, axes)
        if _squares_are_lost(variance, epsilon):
            unit = _unit(x, axes)
            centered, mean, variance = _moments(x / unit, axes)
            inverse_deviation = _inverse_hypotenuse(unit * np.sqrt(variance), epsilon)
            centered *= unit * inverse_deviation
            return centered, inverse_deviation, mean * unit, variance * unit * unit
        inverse_deviation = _inverse_root(variance, epsilon)
        centered *= inverse_deviation
        return centered, inverse_deviation, mean, variance


def _squares_are_lost(mean_square: np.ndarray, epsilon: float) -> bool:
    """Say whether a mean of squares overflowed, or is so small that its squares may have lost digits that count."""
    limits = _limits(mean_square.dtype)
    if epsilon <= limits.least and not mean_square.min(initial=np.inf) + epsilon > limits.least:
        return True
    return not mean_square.max(initial=0) <= limits.largest


def _unit(x: np.ndarray, axes: Axes) -> np.ndarray:
    """Give a power of 2 by which the numbers are divided without rounding, to be below 2 and not all small."""
    largest = np.abs(x).max(axis=axes, keepdims=True)
    _, exponent = np.frexp(np.where(np.isfinite(largest) & (largest > 0), largest, 1))
    return np.ldexp(np.ones_like(largest), exponent - 1)


def _inverse_hypotenuse(deviation: np.ndarray, epsilon: float) -> np.ndarray:
    """Give 1 / sqrt(deviation^2 + epsilon) without the square, and 0 where that divides by 0."""
    total = np.hypot(deviation, deviation.dtype.type(math.sqrt(epsilon)))
    return np.where(total == 0, 0, 1 / np.where(total == 0, 1, total)).astype(deviation.dtype)


def _inverse_root(variance: np.ndarray, epsilon: float) -> np.ndarray:
    """Give 1 / sqrt(variance + epsilon), and 0 where that divides by 0: nothing varies there, in output or slope."""
    total = variance + variance.dtype.type(epsilon)
    if epsilon > _limits(variance.dtype).least:  # then there is none to look for
        return 1 / np.sqrt(total)
    return np.where(total == 0, 0, 1 / np.sqrt(np.where(total == 0, 1, total))).astype(variance.dtype)


def _normalize_backward(
    grad_normalized: np.ndarray, normalized: np.ndarray, inverse_deviation: np.ndarray, axes: Axes
) -> np.ndarray:
    """Carry a gradient back through `_normalize`.

        dL/dx = (g - mean(g) - n mean(g n)) / sqrt(variance + epsilon),    g = dL/dn

    The two means are what flows back through the mean and the deviation of x.
    """
    count = math.prod(normalized.shape[axis] for axis in axes)
    grad = normalized * (_sum(grad_normalized * normalized, axes) / -count)
    grad += grad_normalized
    grad -= _sum(grad_normalized, axes) / count
    grad *= inverse_deviation
    return grad


def _batch_axes(spatial_axes: int) -> Axes:
    """Give the axes that batch norm averages over, counted from the end."""
    return (-2 - spatial_axes, *range(-spatial_axes, 0))


def _over_batch(parameter: np.ndarray, spatial_axes: int) -> np.ndarray:
    """Shape (*runs, features) so that it broadcasts with (*runs, batch, features, *spatial)."""
    return parameter.reshape(*parameter.shape[:-1], 1, parameter.shape[-1], *(1,) * spatial_axes)


def _by_feature(x: np.ndarray, spatial_axes: int) -> np.ndarray:
    """Drop the axes of length 1 that `_sum` kept: the inverse of `_over_batch`."""
    return x.squeeze(_batch_axes(spatial_axes))


def _check_input(x: np.ndarray, spatial_axes: int, epsilon: float) -> Axes:
    """Check what all normalizations over features take, and give the shape of their parameters."""
    spatial_axes = checks.integer("spatial_axes", spatial_axes, at_least=0)
    checks.real("epsilon", epsilon, at_least=0)
    checks.floating("x", x)
    checks.rank("x", x, at_least=2 + spatial_axes)
    checks.axis("x", x, -1 - spatial_axes, at_least=1, described="features")
    batch = x.ndim - spatial_axes - 2
    return (*x.shape[:batch], x.shape[batch + 1])


def _check_parameters(shape: Axes, **parameters: np.ndarray) -> None:
    """Check that each parameter holds one number a run and feature."""
    for name, parameter in parameters.items():
        checks.floating(name, parameter)
        checks.shaped(name, parameter, shape, of="the runs and features of x")


def batch_norm(
    x: Float[np.ndarray, "*shape"],
    scale: Float[np.ndarray, "*runs features"],
    shift: Float[np.ndarray, "*runs features"],
    *,
    spatial_axes: int = 0,
    epsilon: float = 1e-5,
) -> tuple[Float[np.ndarray, "*shape"], BatchNormCache]:
    """Normalize each feature over the batch, as in training, then scale and shift it.

        n = (x - m) / sqrt(v + epsilon),    m, v = mean and variance of x over the batch and all positions
        y = scale * n + shift

    The variance is divided by the count, as in PyTorch's forward pass. float32 inputs may lie as far as 1e4 deviations
    from zero. A feature that does not vary, but for rounding, has variance 0 and, with epsilon 0, gives y = shift. What
    is too large or too small to be squared is divided by a power of 2 first; float16 is computed with as float32.

    Args:
        x: Inputs, shape (*runs, batch, features, *spatial).
        scale: gamma, shape (*runs, features).
        shift: beta, shape (*runs, features).
        spatial_axes: How many axes follow the features: 0 for dense layers, 2 for images. One mean and one variance are
            shared by all positions of a feature map.
        epsilon: At least 0. With 0, scaling all inputs changes nothing.

    Returns:
        y, and what the backward pass and the running statistics need.

    Raises:
        TypeError: If an array does not hold floating-point numbers.
        ValueError: If shapes do not fit, an argument is out of range, or there are fewer than two numbers a feature: a
            single one has no variance.

    Source: Ioffe and Szegedy (2015).
    """
    shape = _check_input(x, spatial_axes, epsilon)
    _check_parameters(shape, scale=scale, shift=shift)
    axes = _batch_axes(spatial_axes)
    count = math.prod(x.shape[axis] for axis in axes)
    checks.integer("numbers of x for each feature", count, at_least=2)
    normalized, inverse_deviation, mean, variance = _normalize(precision.single(x), axes, epsilon)
    y = normalized * _over_batch(scale, spatial_axes)
    y += _over_batch(shift, spatial_axes)
    inverse_deviation, mean, variance = (_by_feature(s, spatial_axes) for s in (inverse_deviation, mean, variance))
    return precision.rounded(y, x.dtype), BatchNormCache(
        normalized, inverse_deviation, scale, mean, variance, count, spatial_axes
    )


@precision.rounded_once("grad_output")
def batch_norm_backward(grad_output: Float[np.ndarray, "*shape"], cache: BatchNormCache) -> NormGradients:
    """Carry a gradient back through `batch_norm`.

        dL/dshift = sum g,    dL/dscale = sum g n                                  sums over the batch and positions
        dL/dx = scale / sqrt(v + epsilon) * (g - dL/dshift / m - n dL/dscale / m)  m the count

    The two sums subtracted are what flows through the mean and the variance: the gradient in x has no part along a
    constant and none along n.

    Args:
        grad_output: g, gradient of the loss in y, of its shape.
        cache: From `batch_norm`.

    Returns:
        Gradients in x, scale and shift.

    Raises:
        TypeError: If `grad_output` does not hold floating-point numbers.
        ValueError: If it has another shape than y.

    Source: Ioffe and Szegedy (2015); derived in batch_normalization#eq-backward.
    """
    normalized, spatial_axes = cache.normalized, cache.spatial_axes
    checks.same_shape("grad_output", checks.floating("grad_output", grad_output), "the output", normalized)
    axes = _batch_axes(spatial_axes)
    grad_shift = _sum(grad_output, axes)
    product = grad_output * normalized
    grad_scale = _sum(product, axes)
    grad = np.multiply(normalized, grad_scale / -cache.count, out=product)
    grad += grad_output
    grad -= grad_shift / cache.count
    grad *= _over_batch(cache.scale * cache.inverse_deviation, spatial_axes)
    return NormGradients(grad, _by_feature(grad_scale, spatial_axes), _by_feature(grad_shift, spatial_axes))


def initial_running_statistics(
    features: int, *, runs: tuple[int, ...] = (), dtype: type = np.float64
) -> RunningStatistics:
    """Give running statistics before the first batch: mean 0 and variance 1, which change nothing.

    Args:
        features: How many, at least 1.
        runs: The shape of the grid of runs.
        dtype: Floating-point type.

    Returns:
        The statistics, with arrays of shape (*runs, features).

    Raises:
        ValueError: If `features` is below 1.

    Source: definition.
    """
    features = checks.integer("features", features, at_least=1)
    return RunningStatistics(np.zeros((*runs, features), dtype), np.ones((*runs, features), dtype), 0)


def update_running_statistics(
    running: RunningStatistics, cache: BatchNormCache, *, momentum: float | None = 0.1
) -> RunningStatistics:
    """Fold the statistics of a batch into the running ones.

        mean     <- (1 - momentum) mean     + momentum * m
        variance <- (1 - momentum) variance + momentum * v * count / (count - 1)

    `momentum` is the weight of the new batch, as in PyTorch; many texts and Keras give the weight of the old average,
    0.9 for our 0.1. The factor count / (count - 1) makes the variance unbiased; the forward pass in training goes
    without it.

    Args:
        running: What was known before.
        cache: From `batch_norm`.
        momentum: From 0 to 1; None averages over all batches so far with equal weight.

    Returns:
        The new statistics; what was passed in is left as it was.

    Raises:
        ValueError: If `momentum` is out of range or `running` has another shape than the statistics of the batch.

    Source: Ioffe and Szegedy (2015), with an exponential average in place of the mean over batches.
    """
    if momentum is not None:
        momentum = checks.real("momentum", momentum, at_least=0, at_most=1)
    checks.same_shape("running", running.mean, "the statistics of the batch", cache.mean)
    share = 1 / (running.batches + 1) if momentum is None else momentum
    unbiased = cache.variance * (cache.count / (cache.count - 1))
    mean = (1 - share) * running.mean + share * cache.mean
    variance = (1 - share) * running.variance + share * unbiased
    return precision.rounded(RunningStatistics(mean, variance, running.batches + 1), running.mean.dtype)


def _check_inference(
    x: np.ndarray, scale: np.ndarray, shift: np.ndarray, running: RunningStatistics, spatial_axes: int, epsilon: float
) -> None:
    shape = _check_input(x, spatial_axes, epsilon)
    _check_parameters(shape, scale=scale, shift=shift, **{"running.mean": running.mean})
    _check_parameters(shape, **{"running.variance": checks.reals("running.variance", running.variance, at_least=0)})


@precision.rounded_once("x")
def batch_norm_inference(
    x: Float[np.ndarray, "*shape"],
    scale: Float[np.ndarray, "*runs features"],
    shift: Float[np.ndarray, "*runs features"],
    running: RunningStatistics,
    *,
    spatial_axes: int = 0,
    epsilon: float = 1e-5,
) -> Float[np.ndarray, "*shape"]:
    """Apply batch norm with fixed statistics: one affine map a feature, the same for every batch.

        y = scale * (x - mean) / sqrt(variance + epsilon) + shift

    Args:
        x: Inputs, shape (*runs, batch, features, *spatial); a batch of one is fine.
        scale: gamma, shape (*runs, features).
        shift: beta, shape (*runs, features).
        running: Statistics from training.
        spatial_axes: As in `batch_norm`.
        epsilon: As in `batch_norm`.

    Returns:
        y, of the shape of x.

    Raises:
        TypeError: If an array does not hold floating-point numbers.
        ValueError: If shapes do not fit, an argument is out of range, or a variance is negative or not finite.

    Source: Ioffe and Szegedy (2015).
    """
    _check_inference(x, scale, shift, running, spatial_axes, epsilon)
    y = x - _over_batch(running.mean, spatial_axes)
    y *= _over_batch(scale * _inverse_root(precision.single(running.variance), epsilon), spatial_axes)
    y += _over_batch(shift, spatial_axes)
    return y


@precision.rounded_once("grad_output")
def batch_norm_inference_backward(
    grad_output: Float[np.ndarray, "*shape"],
    x: Float[np.ndarray, "*shape"],
    scale: Float[np.ndarray, "*runs features"],
    running: RunningStatistics,
    *,
    spatial_axes: int = 0,
    epsilon: float = 1e-5,
) -> NormGradients:
    """Carry a gradient back through `batch_norm_inference`, as when a trained layer is tuned with its statistics fixed.

        dL/dx = g scale / sqrt(variance + epsilon),    dL/dscale = sum g n,    dL/dshift = sum g

    Args:
        grad_output: g, gradient of the loss in y, of its shape.
        x: What the forward pass took.
        scale: What the forward pass took.
        running: What the forward pass took.
        spatial_axes: As in `batch_norm`.
        epsilon: As in `batch_norm`.

    Returns:
        Gradients in x, scale and shift.

    Raises:
        TypeError: If an array does not hold floating-point numbers.
        ValueError: If shapes do not fit or an argument is out of range.

    Source: derivative of `batch_norm_inference`.
    """
    _check_inference(x, scale, scale, running, spatial_axes, epsilon)
    checks.same_shape("grad_output", checks.floating("grad_output", grad_output), "x", x)
    axes = _batch_axes(spatial_axes)
    inverse_deviation = _inverse_root(precision.single(running.variance), epsilon)
    normalized = (x - _over_batch(running.mean, spatial_axes)) * _over_batch(inverse_deviation, spatial_axes)
    grad_scale = _by_feature(_sum(grad_output * normalized, axes), spatial_axes)
    grad_shift = _by_feature(_sum(grad_output, axes), spatial_axes)
    return NormGradients(grad_output * _over_batch(scale * inverse_deviation, spatial_axes), grad_scale, grad_shift)


def _over_examples(parameter: np.ndarray, x: np.ndarray, axes: int) -> np.ndarray:
    """Shape (*runs, *normalized) so that it broadcasts with (*runs, *batch, *normalized)."""
    runs = parameter.ndim - axes
    return parameter.reshape(*parameter.shape[:runs], *(1,) * (x.ndim - parameter.ndim), *parameter.shape[runs:])


def _sum_examples(x: np.ndarray, parameter: np.ndarray, axes: int) -> np.ndarray:
    """Add up over the axes that `_over_examples` put in."""
    runs = parameter.ndim - axes
    return x.sum(axis=tuple(range(runs, runs + x.ndim - parameter.ndim)))


def _check_last(x: np.ndarray, normalized_axes: int, epsilon: float, **parameters: np.ndarray) -> None:
    """Check what the normalizations over the last axes take."""
    normalized_axes = checks.integer("normalized_axes", normalized_axes, at_least=1)
    checks.real("epsilon", epsilon, at_least=0)
    checks.floating("x", x)
    checks.rank("x", x, at_least=normalized_axes)
    for axis in range(-normalized_axes, 0):
        checks.axis("x", x, axis, at_least=1, described="numbers to normalize over")
    last = tuple(x.shape[-normalized_axes:])
    for name, parameter in parameters.items():
        checks.floating(name, parameter)
        checks.last_axes(name, parameter, *last, of="x")
        runs = parameter.ndim - normalized_axes
        checks.last_axes(name, parameter, *x.shape[:runs], *last, of="the runs and last axes of x")


def layer_norm(
    x: Float[np.ndarray, "*shape"],
    scale: Float[np.ndarray, "*parameters"],
    shift: Float[np.ndarray, "*parameters"],
    *,
    normalized_axes: int = 1,
    epsilon: float = 1e-5,
) -> tuple[Float[np.ndarray, "*shape"], NormCache]:
    """Normalize each example over its own features, then scale and shift: no example sees another.

        n = (x - m) / sqrt(v + epsilon),    m, v = mean and variance of x over its last axes
        y = scale * n + shift

    Args:
        x: Inputs, shape (*runs, *batch, *normalized), where batch may be several axes (batch and time, say).
        scale: Shape (*runs, *normalized).
        shift: Shape (*runs, *normalized).
        normalized_axes: How many last axes are normalized over, at least 1.
        epsilon: At least 0.

    Returns:
        y, and what the backward pass needs.

    Raises:
        TypeError: If an array does not hold floating-point numbers.
        ValueError: If shapes do not fit or an argument is out of range.

    Source: Ba et al. (2016).
    """
    _check_last(x, normalized_axes, epsilon, scale=scale, shift=shift)
    axes = tuple(range(-normalized_axes, 0))
    normalized, inverse_deviation, _, _ = _normalize(precision.single(x), axes, epsilon)
    y = normalized * _over_examples(scale, x, normalized_axes)
    y += _over_examples(shift, x, normalized_axes)
    return precision.rounded(y, x.dtype), NormCache(normalized, inverse_deviation, scale, normalized_axes)


@precision.rounded_once("grad_output")
def layer_norm_backward(grad_output: Float[np.ndarray, "*shape"], cache: NormCache) -> NormGradients:
    """Carry a gradient back through `layer_norm`.

        h = g * scale,    dL/dx = (h - mean(h) - n mean(h n)) / sqrt(v + epsilon)    means over the last axes
        dL/dscale = sum g n,    dL/dshift = sum g                                    sums over the batch

    Args:
        grad_output: g, gradient of the loss in y, of its shape.
        cache: From `layer_norm`.

    Returns:
        Gradients in x, scale and shift.

    Raises:
        TypeError: If `grad_output` does not hold floating-point numbers.
        ValueError: If it has another shape than y.

    Source: derivative of `layer_norm`.
    """
    normalized, inverse_deviation, scale, axes = cache
    checks.same_shape("grad_output", checks.floating("grad_output", grad_output), "the output", normalized)
    grad_normalized = grad_output * _over_examples(scale, grad_output, axes)
    grad_x = _normalize_backward(grad_normalized, normalized, inverse_deviation, tuple(range(-axes, 0)))
    grad_scale = _sum_examples(grad_output * normalized, scale, axes)
    return NormGradients(grad_x, grad_scale, _sum_examples(grad_output, scale, axes))


def group_norm(
    x: Float[np.ndarray, "*shape"],
    groups: int,
    scale: Float[np.ndarray, "*runs features"],
    shift: Float[np.ndarray, "*runs features"],
    *,
    spatial_axes: int = 0,
    epsilon: float = 1e-5,
) -> tuple[Float[np.ndarray, "*shape"], NormCache]:
    """Normalize each example over groups of its features and all positions, then scale and shift each feature.

        n = (x - m) / sqrt(v + epsilon),    m, v = mean and variance of x over a group of features and all positions
        y = scale * n + shift

    One group is layer norm over features and positions; as many groups as features is instance norm.

    Args:
        x: Inputs, shape (*runs, batch, features, *spatial).
        groups: How many, a divisor of the number of features; consecutive features share a group.
        scale: Shape (*runs, features).
        shift: Shape (*runs, features).
        spatial_axes: How many axes follow the features.
        epsilon: At least 0.

    Returns:
        y, and what the backward pass needs.

    Raises:
        TypeError: If an array does not hold floating-point numbers.
        ValueError: If shapes do not fit, an argument is out of range, or the features do not fall into that many
            groups.

    Source: Wu and He (2018).
    """
    shape = _check_input(x, spatial_axes, epsilon)
    _check_parameters(shape, scale=scale, shift=shift)
    groups = checks.integer("groups", groups, at_least=1)
    checks.multiple("features of x", shape[-1], groups)
    grouped = precision.single(x).reshape(
        *x.shape[: x.ndim - spatial_axes - 1], groups, shape[-1] // groups, *x.shape[x.ndim - spatial_axes :]
    )
    normalized, inverse_deviation, _, _ = _normalize(grouped, tuple(range(-1 - spatial_axes, 0)), epsilon)
    y = normalized.reshape(x.shape) * _over_batch(scale, spatial_axes)
    y += _over_batch(shift, spatial_axes)
    return precision.rounded(y, x.dtype), NormCache(normalized, inverse_deviation, scale, spatial_axes)


@precision.rounded_once("grad_output")
def group_norm_backward(grad_output: Float[np.ndarray, "*shape"], cache: NormCache) -> NormGradients:
    """Carry a gradient back through `group_norm`.

        h = g * scale,    dL/dx = (h - mean(h) - n mean(h n)) / sqrt(v + epsilon)    means over group and positions
        dL/dscale = sum g n,    dL/dshift = sum g                                    sums over batch and positions

    Args:
        grad_output: g, gradient of the loss in y, of its shape.
        cache: From `group_norm`.

    Returns:
        Gradients in x, scale and shift.

    Raises:
        TypeError: If `grad_output` does not hold floating-point numbers.
        ValueError: If it has another shape than y.

    Source: derivative of `group_norm`.
    """
    normalized, inverse_deviation, scale, spatial_axes = cache
    spatial = normalized.ndim - spatial_axes
    shape = (*normalized.shape[: spatial - 2], scale.shape[-1], *normalized.shape[spatial:])
    flat = normalized.reshape(shape)
    checks.same_shape("grad_output", checks.floating("grad_output", grad_output), "the output", flat)
    grad_normalized = (grad_output * _over_batch(scale, spatial_axes)).reshape(normalized.shape)
    grad = _normalize_backward(grad_normalized, normalized, inverse_deviation, tuple(range(-1 - spatial_axes, 0)))
    axes = _batch_axes(spatial_axes)
    grad_scale = _by_feature(_sum(grad_output * flat, axes), spatial_axes)
    return NormGradients(grad.reshape(shape), grad_scale, _by_feature(_sum(grad_output, axes), spatial_axes))


def rms_norm(
    x: Float[np.ndarray, "*shape"],
    scale: Float[np.ndarray, "*parameters"],
    *,
    normalized_axes: int = 1,
    epsilon: float = 1e-6,
) -> tuple[Float[np.ndarray, "*shape"], NormCache]:
    """Divide each example by the root mean square of its features, then scale: layer norm without mean and shift.

        n = x / sqrt(mean of x^2 + epsilon),    y = scale * n

    PyTorch's default epsilon is the machine epsilon of the dtype.

    Args:
        x: Inputs, shape (*runs, *batch, *normalized).
        scale: Shape (*runs, *normalized).
        normalized_axes: How many last axes are normalized over, at least 1.
        epsilon: At least 0.

    Returns:
        y, and what the backward pass needs.

    Raises:
        TypeError: If an array does not hold floating-point numbers.
        ValueError: If shapes do not fit or an argument is out of range.

    Source: Zhang and Sennrich (2019).
    """
    _check_last(x, normalized_axes, epsilon, scale=scale)
    normalized, inverse_root = _divide_by_root_mean_square(precision.single(x), normalized_axes, epsilon)
    y = normalized * _over_examples(scale, x, normalized_axes)
    return precision.rounded(y, x.dtype), NormCache(normalized, inverse_root, scale, normalized_axes)


def _divide_by_root_mean_square(x: np.ndarray, last: int, epsilon: float) -> tuple[np.ndarray, np.ndarray]:
    """Give x / sqrt(mean of x^2 + epsilon) and the inverse of that root, over the last axes."""
    axes = tuple(range(-last, 0))
    with np.errstate(over="ignore"):
        mean_square = (x * x).mean(axis=axes, keepdims=True)
    if _squares_are_lost(mean_square, epsilon):
        unit = _unit(x, axes)
        x = x / unit
        inverse_root = _inverse_hypotenuse(unit * np.sqrt((x * x).mean(axis=axes, keepdims=True)), epsilon)
        return x * (unit * inverse_root), inverse_root
    inverse_root = _inverse_root(mean_square, epsilon)
    return x * inverse_root, inverse_root


@precision.rounded_once("grad_output")
def rms_norm_backward(grad_output: Float[np.ndarray, "*shape"], cache: NormCache) -> RMSNormGradients:
    """Carry a gradient back through `rms_norm`.

        h = g * scale,    dL/dx = (h - n mean(h n)) / sqrt(mean of x^2 + epsilon)    means over the last axes
        dL/dscale = sum g n                                                          over the batch

    Args:
        grad_output: g, gradient of the loss in y, of its shape.
        cache: From `rms_norm`.

    Returns:
        Gradients in x and scale.

    Raises:
        TypeError: If `grad_output` does not hold floating-point numbers.
        ValueError: If it has another shape than y.

    Source: derivative of `rms_norm`.
    """
    normalized, inverse_root, scale, axes = cache
    checks.same_shape("grad_output", checks.floating("grad_output", grad_output), "the output", normalized)
    grad_normalized = grad_output * _over_examples(scale, grad_output, axes)
    along = (grad_normalized * normalized).mean(axis=tuple(range(-axes, 0)), keepdims=True)
    grad_x = (grad_normalized - normalized * along) * inverse_root
    return RMSNormGradients(grad_x, _sum_examples(grad_output * normalized, scale, axes))
