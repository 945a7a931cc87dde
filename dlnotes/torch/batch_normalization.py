"""Normalization layers with backward passes, in PyTorch; see `dlnotes.numpy.batch_normalization`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from dlnotes import checks, precision

if TYPE_CHECKING:
    from jaxtyping import Float

Axes = tuple[int, ...]


class BatchNormCache(NamedTuple):
    """What `batch_norm` leaves for its backward pass and for the running statistics."""

    normalized: Tensor
    inverse_deviation: Tensor
    scale: Tensor
    mean: Tensor
    variance: Tensor
    count: int
    spatial_axes: int


class NormCache(NamedTuple):
    """What `layer_norm`, `group_norm` and `rms_norm` leave for their backward passes."""

    normalized: Tensor
    inverse_deviation: Tensor
    scale: Tensor
    axes: int


class NormGradients(NamedTuple):
    """Gradients of a loss in the input, the scale and the shift."""

    x: Tensor
    scale: Tensor
    shift: Tensor


class RMSNormGradients(NamedTuple):
    """Gradients of a loss in the input and the scale of `rms_norm`."""

    x: Tensor
    scale: Tensor


class RunningStatistics(NamedTuple):
    """Mean and variance for inference, shape (*runs, features), and the number of batches seen."""

    mean: Tensor
    variance: Tensor
    batches: int


def _sum(x: Tensor, axes: Axes) -> Tensor:
    """Add up over axes and keep them with length 1."""
    return x.sum(dim=axes, keepdim=True)


class _Moments(NamedTuple):
    """Numbers less their mean, that mean, and their variance, with axes of length 1 for those they were taken over."""

    centered: Tensor
    mean: Tensor
    variance: Tensor


def _moments(x: Tensor, axes: Axes) -> _Moments:
    """Give what is left of x without its mean, the mean, and the variance; 0 where that is rounding."""
    count = math.prod(x.shape[axis] for axis in axes)
    mean = _sum(x, axes) / count
    centered = x - mean
    rest = _sum(centered, axes) / count
    centered, mean = centered - rest, mean + rest
    variance = _sum(centered * centered, axes) / count
    rounding = 8 * torch.finfo(x.dtype).eps * mean.detach().abs()
    return _Moments(centered, mean, torch.where(variance.detach().sqrt() > rounding, variance, variance * 0))


def _normalize(x: Tensor, axes: Axes, epsilon: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Give (x - mean) / sqrt(variance + epsilon), the inverse of that root, the mean and the variance."""
    centered, mean, variance = _moments(x, axes)
    if _squares_are_lost(variance, epsilon):
        unit = _unit(x, axes)
        centered, mean, variance = _moments(x / unit, axes)
        inverse_deviation = _inverse_hypotenuse(unit * variance.sqrt(), epsilon)
        return centered * (unit * inverse_deviation), inverse_deviation, mean * unit, variance * unit * unit
    inverse_deviation = _inverse_root(variance, epsilon)
    return centered * inverse_deviation, inverse_deviation, mean, variance


def _squares_are_lost(mean_square: Tensor, epsilon: float) -> bool:
    """Say whether a mean of squares overflowed, or is so small that its squares may have lost digits that count.

    An accelerator is not asked, because the host would wait for it; there, numbers must not be too large to be squared.
    """
    if mean_square.device.type != "cpu" or torch.compiler.is_compiling() or not mean_square.numel():
        return False
    limits = torch.finfo(mean_square.dtype)
    smallest, largest = (float(bound) for bound in torch.aminmax(mean_square.detach()))
    return not (smallest + epsilon > limits.tiny / limits.eps and largest <= limits.max)


def _unit(x: Tensor, axes: Axes) -> Tensor:
    """Give a power of 2 by which the numbers are divided without rounding, to be below 2 and not all small."""
    largest = x.detach().abs().amax(dim=axes, keepdim=True)
    _, exponent = torch.frexp(torch.where(largest.isfinite() & (largest > 0), largest, 1))
    return torch.ldexp(torch.ones_like(largest), exponent - 1)


def _inverse_hypotenuse(deviation: Tensor, epsilon: float) -> Tensor:
    """Give 1 / sqrt(deviation^2 + epsilon) without the square, and 0 where that divides by 0."""
    total = torch.hypot(deviation, torch.full_like(deviation, math.sqrt(epsilon)))
    return torch.where(total == 0, 0, 1 / torch.where(total == 0, 1, total))


def _inverse_root(variance: Tensor, epsilon: float) -> Tensor:
    """Give 1 / sqrt(variance + epsilon), and 0 where that divides by 0: nothing varies there, in output or slope."""
    total = variance + epsilon
    return torch.where(total == 0, 0, 1 / torch.where(total == 0, 1, total).sqrt())


def _normalize_backward(grad_normalized: Tensor, normalized: Tensor, inverse_deviation: Tensor, axes: Axes) -> Tensor:
    """Carry a gradient back through `_normalize`."""
    count = math.prod(normalized.shape[axis] for axis in axes)
    mean = _sum(grad_normalized, axes) / count
    along = _sum(grad_normalized * normalized, axes) / count
    return (grad_normalized - mean - normalized * along) * inverse_deviation


def _batch_axes(spatial_axes: int) -> Axes:
    """Give the axes that batch norm averages over, counted from the end."""
    return (-2 - spatial_axes, *range(-spatial_axes, 0))


def _over_batch(parameter: Tensor, spatial_axes: int) -> Tensor:
    """Shape (*runs, features) so that it broadcasts with (*runs, batch, features, *spatial)."""
    return parameter.reshape(*parameter.shape[:-1], 1, parameter.shape[-1], *(1,) * spatial_axes)


def _by_feature(x: Tensor, spatial_axes: int) -> Tensor:
    """Drop the axes of length 1 that `_sum` kept: the inverse of `_over_batch`."""
    return x.squeeze(_batch_axes(spatial_axes))


def _check_input(x: Tensor, spatial_axes: int, epsilon: float) -> Axes:
    """Check what all normalizations over features take, and give the shape of their parameters."""
    spatial_axes = checks.integer("spatial_axes", spatial_axes, at_least=0)
    checks.real("epsilon", epsilon, at_least=0)
    checks.floating("x", x)
    checks.rank("x", x, at_least=2 + spatial_axes)
    checks.axis("x", x, -1 - spatial_axes, at_least=1, described="features")
    batch = x.ndim - spatial_axes - 2
    return (*x.shape[:batch], x.shape[batch + 1])


def _check_parameters(shape: Axes, **parameters: Tensor) -> None:
    """Check that each parameter holds one number a run and feature."""
    for name, parameter in parameters.items():
        checks.floating(name, parameter)
        checks.shaped(name, parameter, shape, of="the runs and features of x")


def batch_norm(
    x: Float[Tensor, "*shape"],
    scale: Float[Tensor, "*runs features"],
    shift: Float[Tensor, "*runs features"],
    *,
    spatial_axes: int = 0,
    epsilon: float = 1e-5,
) -> tuple[Float[Tensor, "*shape"], BatchNormCache]:
    """Normalize each feature over the batch, as in training, then scale and shift it.

    Equation, arguments and errors as in `dlnotes.numpy.batch_normalization.batch_norm`.
    """
    shape = _check_input(x, spatial_axes, epsilon)
    _check_parameters(shape, scale=scale, shift=shift)
    axes = _batch_axes(spatial_axes)
    count = math.prod(x.shape[axis] for axis in axes)
    checks.integer("numbers of x for each feature", count, at_least=2)
    normalized, inverse_deviation, mean, variance = _normalize(precision.single(x), axes, epsilon)
    y = normalized * _over_batch(scale, spatial_axes) + _over_batch(shift, spatial_axes)
    inverse_deviation, mean, variance = (_by_feature(s, spatial_axes) for s in (inverse_deviation, mean, variance))
    return precision.rounded(y, x.dtype), BatchNormCache(
        normalized, inverse_deviation, scale, mean, variance, count, spatial_axes
    )


@precision.rounded_once("grad_output")
def batch_norm_backward(grad_output: Float[Tensor, "*shape"], cache: BatchNormCache) -> NormGradients:
    """Carry a gradient back through `batch_norm`.

    Equation, arguments and errors as in `dlnotes.numpy.batch_normalization.batch_norm_backward`.
    """
    normalized, spatial_axes = cache.normalized, cache.spatial_axes
    checks.same_shape("grad_output", checks.floating("grad_output", grad_output), "the output", normalized)
    axes = _batch_axes(spatial_axes)
    grad_shift = _sum(grad_output, axes)
    grad_scale = _sum(grad_output * normalized, axes)
    grad = grad_output - grad_shift / cache.count - normalized * (grad_scale / cache.count)
    grad = grad * _over_batch(cache.scale * cache.inverse_deviation, spatial_axes)
    return NormGradients(grad, _by_feature(grad_scale, spatial_axes), _by_feature(grad_shift, spatial_axes))


def initial_running_statistics(
    features: int,
    *,
    runs: tuple[int, ...] = (),
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
) -> RunningStatistics:
    """Give running statistics before the first batch: mean 0 and variance 1, which change nothing.

    Equation, arguments and errors as in `dlnotes.numpy.batch_normalization.initial_running_statistics`.
    """
    features = checks.integer("features", features, at_least=1)
    shape = (*runs, features)
    zeros = torch.zeros(shape, dtype=dtype, device=device)
    return RunningStatistics(zeros, torch.ones(shape, dtype=dtype, device=device), 0)


def update_running_statistics(
    running: RunningStatistics, cache: BatchNormCache, *, momentum: float | None = 0.1
) -> RunningStatistics:
    """Fold the statistics of a batch into the running ones.

    Equation, arguments and errors as in `dlnotes.numpy.batch_normalization.update_running_statistics`.
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
    x: Tensor, scale: Tensor, shift: Tensor, running: RunningStatistics, spatial_axes: int, epsilon: float
) -> None:
    shape = _check_input(x, spatial_axes, epsilon)
    _check_parameters(shape, scale=scale, shift=shift, **{"running.mean": running.mean})
    _check_parameters(shape, **{"running.variance": checks.reals("running.variance", running.variance, at_least=0)})


@precision.rounded_once("x")
def batch_norm_inference(
    x: Float[Tensor, "*shape"],
    scale: Float[Tensor, "*runs features"],
    shift: Float[Tensor, "*runs features"],
    running: RunningStatistics,
    *,
    spatial_axes: int = 0,
    epsilon: float = 1e-5,
) -> Float[Tensor, "*shape"]:
    """Apply batch norm with fixed statistics: one affine map a feature, the same for every batch.

    Equation, arguments and errors as in `dlnotes.numpy.batch_normalization.batch_norm_inference`.
    """
    _check_inference(x, scale, shift, running, spatial_axes, epsilon)
    multiplier = scale * _inverse_root(precision.single(running.variance), epsilon)
    centered = x - _over_batch(running.mean, spatial_axes)
    return centered * _over_batch(multiplier, spatial_axes) + _over_batch(shift, spatial_axes)


@precision.rounded_once("grad_output")
def batch_norm_inference_backward(
    grad_output: Float[Tensor, "*shape"],
    x: Float[Tensor, "*shape"],
    scale: Float[Tensor, "*runs features"],
    running: RunningStatistics,
    *,
    spatial_axes: int = 0,
    epsilon: float = 1e-5,
) -> NormGradients:
    """Carry a gradient back through `batch_norm_inference`, as when a trained layer is tuned with its statistics fixed.

    Equation, arguments and errors as in `dlnotes.numpy.batch_normalization.batch_norm_inference_backward`.
    """
    _check_inference(x, scale, scale, running, spatial_axes, epsilon)
    checks.same_shape("grad_output", checks.floating("grad_output", grad_output), "x", x)
    axes = _batch_axes(spatial_axes)
    inverse_deviation = _inverse_root(precision.single(running.variance), epsilon)
    normalized = (x - _over_batch(running.mean, spatial_axes)) * _over_batch(inverse_deviation, spatial_axes)
    grad_scale = _by_feature(_sum(grad_output * normalized, axes), spatial_axes)
    grad_shift = _by_feature(_sum(grad_output, axes), spatial_axes)
    return NormGradients(grad_output * _over_batch(scale * inverse_deviation, spatial_axes), grad_scale, grad_shift)


def _over_examples(parameter: Tensor, x: Tensor, axes: int) -> Tensor:
    """Shape (*runs, *normalized) so that it broadcasts with (*runs, *batch, *normalized)."""
    runs = parameter.ndim - axes
    return parameter.reshape(*parameter.shape[:runs], *(1,) * (x.ndim - parameter.ndim), *parameter.shape[runs:])


def _sum_examples(x: Tensor, parameter: Tensor, axes: int) -> Tensor:
    """Add up over the axes that `_over_examples` put in."""
    runs = parameter.ndim - axes
    examples = tuple(range(runs, runs + x.ndim - parameter.ndim))
    return x.sum(dim=examples) if examples else x  # in PyTorch a sum over no axes is one over all


def _check_last(x: Tensor, normalized_axes: int, epsilon: float, **parameters: Tensor) -> None:
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
    x: Float[Tensor, "*shape"],
    scale: Float[Tensor, "*parameters"],
    shift: Float[Tensor, "*parameters"],
    *,
    normalized_axes: int = 1,
    epsilon: float = 1e-5,
) -> tuple[Float[Tensor, "*shape"], NormCache]:
    """Normalize each example over its own features, then scale and shift: no example sees another.

    Equation, arguments and errors as in `dlnotes.numpy.batch_normalization.layer_norm`.
    """
    _check_last(x, normalized_axes, epsilon, scale=scale, shift=shift)
    axes = tuple(range(-normalized_axes, 0))
    normalized, inverse_deviation, _, _ = _normalize(precision.single(x), axes, epsilon)
    y = normalized * _over_examples(scale, x, normalized_axes) + _over_examples(shift, x, normalized_axes)
    return precision.rounded(y, x.dtype), NormCache(normalized, inverse_deviation, scale, normalized_axes)


@precision.rounded_once("grad_output")
def layer_norm_backward(grad_output: Float[Tensor, "*shape"], cache: NormCache) -> NormGradients:
    """Carry a gradient back through `layer_norm`.

    Equation, arguments and errors as in `dlnotes.numpy.batch_normalization.layer_norm_backward`.
    """
    normalized, inverse_deviation, scale, axes = cache
    checks.same_shape("grad_output", checks.floating("grad_output", grad_output), "the output", normalized)
    grad_normalized = grad_output * _over_examples(scale, grad_output, axes)
    grad_x = _normalize_backward(grad_normalized, normalized, inverse_deviation, tuple(range(-axes, 0)))
    grad_scale = _sum_examples(grad_output * normalized, scale, axes)
    return NormGradients(grad_x, grad_scale, _sum_examples(grad_output, scale, axes))


def group_norm(
    x: Float[Tensor, "*shape"],
    groups: int,
    scale: Float[Tensor, "*runs features"],
    shift: Float[Tensor, "*runs features"],
    *,
    spatial_axes: int = 0,
    epsilon: float = 1e-5,
) -> tuple[Float[Tensor, "*shape"], NormCache]:
    """Normalize each example over groups of its features and all positions, then scale and shift each feature.

    Equation, arguments and errors as in `dlnotes.numpy.batch_normalization.group_norm`.
    """
    shape = _check_input(x, spatial_axes, epsilon)
    _check_parameters(shape, scale=scale, shift=shift)
    groups = checks.integer("groups", groups, at_least=1)
    checks.multiple("features of x", shape[-1], groups)
    grouped = precision.single(x).reshape(
        *x.shape[: x.ndim - spatial_axes - 1], groups, shape[-1] // groups, *x.shape[x.ndim - spatial_axes :]
    )
    normalized, inverse_deviation, _, _ = _normalize(grouped, tuple(range(-1 - spatial_axes, 0)), epsilon)
    y = normalized.reshape(x.shape) * _over_batch(scale, spatial_axes) + _over_batch(shift, spatial_axes)
    return precision.rounded(y, x.dtype), NormCache(normalized, inverse_deviation, scale, spatial_axes)


@precision.rounded_once("grad_output")
def group_norm_backward(grad_output: Float[Tensor, "*shape"], cache: NormCache) -> NormGradients:
    """Carry a gradient back through `group_norm`.

    Equation, arguments and errors as in `dlnotes.numpy.batch_normalization.group_norm_backward`.
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
    x: Float[Tensor, "*shape"],
    scale: Float[Tensor, "*parameters"],
    *,
    normalized_axes: int = 1,
    epsilon: float = 1e-6,
) -> tuple[Float[Tensor, "*shape"], NormCache]:
    """Divide each example by the root mean square of its features, then scale: layer norm without mean and shift.

    Equation, arguments and errors as in `dlnotes.numpy.batch_normalization.rms_norm`.
    """
    _check_last(x, normalized_axes, epsilon, scale=scale)
    normalized, inverse_root = _divide_by_root_mean_square(precision.single(x), normalized_axes, epsilon)
    y = normalized * _over_examples(scale, x, normalized_axes)
    return precision.rounded(y, x.dtype), NormCache(normalized, inverse_root, scale, normalized_axes)


def _divide_by_root_mean_square(x: Tensor, last: int, epsilon: float) -> tuple[Tensor, Tensor]:
    """Give x / sqrt(mean of x^2 + epsilon) and the inverse of that root, over the last axes."""
    axes = tuple(range(-last, 0))
    mean_square = (x * x).mean(dim=axes, keepdim=True)
    if _squares_are_lost(mean_square, epsilon):
        unit = _unit(x, axes)
        x = x / unit
        inverse_root = _inverse_hypotenuse(unit * (x * x).mean(dim=axes, keepdim=True).sqrt(), epsilon)
        return x * (unit * inverse_root), inverse_root
    inverse_root = _inverse_root(mean_square, epsilon)
    return x * inverse_root, inverse_root


@precision.rounded_once("grad_output")
def rms_norm_backward(grad_output: Float[Tensor, "*shape"], cache: NormCache) -> RMSNormGradients:
    """Carry a gradient back through `rms_norm`.

    Equation, arguments and errors as in `dlnotes.numpy.batch_normalization.rms_norm_backward`.
    """
    normalized, inverse_root, scale, axes = cache
    checks.same_shape("grad_output", checks.floating("grad_output", grad_output), "the output", normalized)
    grad_normalized = grad_output * _over_examples(scale, grad_output, axes)
    along = (grad_normalized * normalized).mean(dim=tuple(range(-axes, 0)), keepdim=True)
    grad_x = (grad_normalized - normalized * along) * inverse_root
    return RMSNormGradients(grad_x, _sum_examples(grad_output * normalized, scale, axes))
