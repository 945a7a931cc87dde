"""Augmentation, and the bias-variance decomposition, in PyTorch; see `dlnotes.numpy.overfitting`.

Only what runs on every batch, or on many models, has a variant here. What is drawn lies on the device of its generator.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from dlnotes import checks, precision
from dlnotes.torch import many_runs

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int


class BiasVariance(NamedTuple):
    """Squared bias, variance and their sum at each point; the sum is the mean squared distance to the target."""

    bias_squared: Tensor
    variance: Tensor
    error: Tensor


@precision.rounded_once("predictions")
def bias_variance_decomposition(
    predictions: Float[Tensor, "*runs_and_sets_and_points"], target: Float[Tensor, "*points"]
) -> BiasVariance:
    """Split the error of models fitted to many training sets into squared bias and variance, without bias in either.

    Equation, arguments and errors as in `dlnotes.numpy.overfitting.bias_variance_decomposition`.
    """
    checks.floating("target", target)
    checks.rank("predictions", checks.floating("predictions", predictions), at_least=target.ndim + 1)
    checks.last_axes("predictions", predictions, *target.shape, of="target")
    axis = -1 - target.ndim
    checks.axis("predictions", predictions, axis, at_least=2, described="training sets")
    sets = predictions.shape[axis]
    mean = predictions.mean(dim=axis, keepdim=True)
    rest, distance = predictions - mean, predictions - target
    variance = (rest * rest).sum(dim=axis) / (sets - 1)
    offset = mean.squeeze(axis) - target
    return BiasVariance(offset * offset - variance / sets, variance, (distance * distance).mean(dim=axis))


def waits_since_best(
    values: Float[Tensor, "*runs measurements"],
    least_improvement: float = 0.0,
    *,
    largest_is_best: bool = False,
    baseline: float | None = None,
) -> Int[Tensor, "*runs"]:
    """Count the measurements since the last that improved on the best before it: the rule of early stopping.

    Equation, arguments and errors as in `dlnotes.numpy.overfitting.waits_since_best`.
    """
    checks.rank("values", checks.floating("values", values), at_least=1)
    least = checks.real("least_improvement", least_improvement, at_least=0)
    checks.instance("largest_is_best", largest_is_best, bool, "True or False")
    goal = math.inf if baseline is None else checks.real("baseline", baseline) * (-1 if largest_is_best else 1)
    values = -values.double() if largest_is_best else values.double()
    best = torch.full_like(values[..., 0], math.inf) if values.shape[-1] else values.sum(-1)
    waits = torch.zeros_like(best, dtype=torch.int64)
    for value in values.unbind(-1):
        improved = value < best - least
        best = torch.where(improved, value, best)
        waits = torch.where(improved & (value < goal - least), 0, waits + 1)
    return waits


def shift_offsets(shape: tuple[int, ...], generator: torch.Generator, most: int) -> Int[Tensor, "..."]:
    """Draw how far each image is moved: down and to the right, negative for up and to the left.

    Equation, arguments and errors as in `dlnotes.numpy.overfitting.shift_offsets`; the shape is that of all runs.
    """
    shape, most = checks.shape("shape", shape), checks.integer("most", most, at_least=0)
    checks.instance("generator", generator, torch.Generator, "a torch Generator")
    return torch.randint(-most, most + 1, (*shape, 2), generator=generator, device=generator.device)


def _moved(x: Tensor, offset: Tensor, axis: int, fill: float) -> Tensor:
    """Move along one axis of the images, each by its own offset, shape (*runs, batch)."""
    size = x.shape[axis]
    source = torch.arange(size, device=x.device) - offset[..., None]
    shape = [1, 1, 1]
    shape[axis] = size
    source = source.reshape(*offset.shape, *shape)
    taken = torch.take_along_dim(x, source.clamp(0, size - 1), axis)
    return torch.where((source >= 0) & (source < size), taken, fill)


def shift(x: Float[Tensor, "*shape"], offsets: Int[Tensor, "*batch two"], *, fill: float = 0.0) -> Float[Tensor, "..."]:
    """Move each image by whole pixels.

    Equation, arguments and errors as in `dlnotes.numpy.overfitting.shift`.
    """
    checks.rank("x", checks.floating("x", x), at_least=3)
    checks.last_axes("offsets", checks.integers("offsets", offsets), *x.shape[:-3], 2, of="x")
    fill = checks.real("fill", fill)
    x = x.expand(*offsets.shape[:-1], *x.shape[-3:])
    if 0 in x.shape:
        return x.clone()
    return _moved(_moved(x, offsets[..., 0], -2, fill), offsets[..., 1], -1, fill)


def flip_mask(shape: tuple[int, ...], generator: torch.Generator, probability: float = 0.5) -> Bool[Tensor, "..."]:
    """Draw which images are flipped.

    Equation, arguments and errors as in `dlnotes.numpy.overfitting.flip_mask`; the shape is that of all runs.
    """
    shape = checks.shape("shape", shape)
    checks.instance("generator", generator, torch.Generator, "a torch Generator")
    probability = checks.real("probability", probability, at_least=0, at_most=1)
    return torch.rand(shape, generator=generator, device=generator.device, dtype=torch.float32) < probability


def flip(x: Float[Tensor, "*shape"], mask: Bool[Tensor, "*batch"]) -> Float[Tensor, "..."]:
    """Mirror the images in the mask, left to right.

    Equation, arguments and errors as in `dlnotes.numpy.overfitting.flip`.
    """
    checks.rank("x", checks.floating("x", x), at_least=3)
    checks.last_axes("mask", checks.booleans("mask", mask), *x.shape[:-3], of="x")
    return torch.where(mask[..., None, None, None], x.flip(-1), x)


@precision.rounded_once("x")
def add_noise(
    x: Float[Tensor, "*shape"], noise: Float[Tensor, "*runs_and_shape"], deviation: float | Float[Tensor, "*own"]
) -> Float[Tensor, "*runs_and_shape"]:
    """Blur the inputs by noise.

    Equation, arguments and errors as in `dlnotes.numpy.overfitting.add_noise`.
    """
    checks.last_axes("noise", checks.floating("noise", noise), *checks.floating("x", x).shape, of="x")
    if isinstance(checks.reals("deviation", deviation, at_least=0), Tensor):
        checks.shaped("deviation", deviation, noise.shape[: deviation.ndim], of="the leading axes of noise")
    return x + many_runs.aligned(deviation, noise) * noise


def patch_centers(shape: tuple[int, ...], generator: torch.Generator, height: int, width: int) -> Int[Tensor, "..."]:
    """Draw the pixel in the middle of the patch that `cutout` covers in each image.

    Equation, arguments and errors as in `dlnotes.numpy.overfitting.patch_centers`; the shape is that of all runs.
    """
    shape = checks.shape("shape", shape)
    sides = checks.integer("height", height, at_least=1), checks.integer("width", width, at_least=1)
    checks.instance("generator", generator, torch.Generator, "a torch Generator")
    drawn = [torch.randint(0, side, shape, generator=generator, device=generator.device) for side in sides]
    return torch.stack(drawn, dim=-1)


def cutout(x: Float[Tensor, "*shape"], centers: Int[Tensor, "*batch two"], size: int, *, fill: float = 0.0) -> Tensor:
    """Cover a square patch of each image; near an edge a part of it lies outside.

    Equation, arguments and errors as in `dlnotes.numpy.overfitting.cutout`.
    """
    checks.rank("x", checks.floating("x", x), at_least=3)
    checks.last_axes("centers", checks.integers("centers", centers), *x.shape[:-3], 2, of="x")
    size, fill = checks.integer("size", size, at_least=0), checks.real("fill", fill)
    covered = [_near(centers[..., axis, None] - size // 2, size, x.shape[axis - 2]) for axis in (0, 1)]
    patch = covered[0][..., None, :, None] & covered[1][..., None, None, :]
    return torch.where(patch, fill, x)


def _near(first: Tensor, size: int, length: int) -> Tensor:
    """Say which of the places 0, ..., length - 1 are among `size` places from the first on."""
    places = torch.arange(length, device=first.device)
    return (places >= first) & (places < first + size)


@precision.rounded_once("targets")
def smooth_labels(targets: Float[Tensor, "*batch classes"], smoothing: float) -> Float[Tensor, "*batch classes"]:
    """Move a part of each target's probability to all classes alike.

    Equation, arguments and errors as in `dlnotes.numpy.overfitting.smooth_labels`.
    """
    checks.rank("targets", checks.floating("targets", targets), at_least=1)
    checks.axis("targets", targets, -1, at_least=1, described="classes")
    smoothing = checks.real("smoothing", smoothing, at_least=0, at_most=1)
    return (1 - smoothing) * targets + smoothing / targets.shape[-1]


@precision.rounded_once("x")
def mixup(
    x: Float[Tensor, "*shape"],
    targets: Float[Tensor, "*batch outputs"],
    partner: Int[Tensor, "*batch"],
    share: Float[Tensor, "*batch"],
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*batch outputs"]]:
    """Mix each example with another, inputs and targets alike.

    Equation, arguments and errors as in `dlnotes.numpy.overfitting.mixup`.
    """
    checks.rank("partner", checks.integers("partner", partner), at_least=1)
    checks.labels("partner", partner, partner.shape[-1])
    checks.same_shape("share", checks.floating("share", share), "partner", partner)
    checks.reals("share", share, at_least=0, at_most=1)
    mixed = []
    for name, values in (("x", x), ("targets", targets)):
        checks.rank(name, checks.floating(name, values), at_least=partner.ndim)
        checks.shaped(f"leading axes of {name}", torch.empty(values.shape[: partner.ndim]), partner.shape, of="partner")
        trailing = (1,) * (values.ndim - partner.ndim)
        others = torch.take_along_dim(values, partner.reshape(*partner.shape, *trailing), dim=partner.ndim - 1)
        own, rest = (part.to(values.dtype).reshape(*share.shape, *trailing) for part in (share, 1 - share))
        both = torch.where(own == 1, values, own * values + rest * others)
        mixed.append(torch.where(own == 0, others, both))
    return mixed[0], mixed[1]
