"""Dropout in PyTorch; see `dlnotes.numpy.dropout`. A mask is drawn on the device of its generator."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from dlnotes import checks, precision
from dlnotes.torch import many_runs

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


class MonteCarloPrediction(NamedTuple):
    """What many passes with dropout say together."""

    mean: Tensor
    deviation: Tensor
    entropy: Tensor
    mutual_information: Tensor


def dropout_mask(
    shape: tuple[int, ...],
    generator: torch.Generator,
    p: float | Float[Tensor, "*runs"],
) -> Bool[Tensor, "..."]:
    """Draw which units are kept, each independently.

    Equation, arguments and errors as in `dlnotes.numpy.dropout.dropout_mask`.
    """
    shape = checks.shape("shape", shape)
    checks.instance("generator", generator, torch.Generator, "a torch Generator")
    if isinstance(checks.reals("p", p, at_least=0, at_most=1), Tensor):
        checks.shaped("p", p, shape[: p.ndim], of="the leading axes of shape")
        p = p.reshape(*p.shape, *(1,) * (len(shape) - p.ndim))
    # These are multiples of 2^-24, so the rate is p to 2^-24.
    return torch.rand(shape, generator=generator, device=generator.device, dtype=torch.float32) >= p


def dropout(
    x: Float[Tensor, "*shape"],
    mask: Bool[Tensor, "*runs_and_shape"],
    p: float | Float[Tensor, "*runs"],
    *,
    out: Float[Tensor, "*runs_and_shape"] | None = None,
) -> Float[Tensor, "*runs_and_shape"]:
    """Set the units outside the mask to zero and scale up the others (inverted dropout).

    Equation, arguments and errors as in `dlnotes.numpy.dropout.dropout`.
    """
    checks.floating("x", x)
    checks.last_axes("mask", checks.booleans("mask", mask), *x.shape, of="x")
    if out is not None:
        checks.shaped("out", checks.floating("out", out), mask.shape, of="mask")
    y = torch.mul(x, mask, out=out)
    y *= _multiplier(p, y)
    return y


def _multiplier(p: float | Tensor, y: Tensor) -> float | Tensor:
    """Give 1 / (1 - p), and 0 where p = 1, shaped to multiply y."""
    p = checks.reals("p", p, at_least=0, at_most=1)
    if not isinstance(p, Tensor):
        return 1 / (1 - p) if p < 1 else 0.0
    checks.shaped("p", p, y.shape[: p.ndim], of="the leading axes of mask")
    keep = 1 - p.double()
    return many_runs.aligned(torch.where(keep > 0, 1 / torch.where(keep > 0, keep, 1), 0), y)


def dropout_backward(
    grad_output: Float[Tensor, "*shape"],
    mask: Bool[Tensor, "*shape"],
    p: float | Float[Tensor, "*runs"],
    *,
    out: Float[Tensor, "*shape"] | None = None,
) -> Float[Tensor, "*shape"]:
    """Carry a gradient back through `dropout`: through the same mask, with the same factor.

    Equation, arguments and errors as in `dlnotes.numpy.dropout.dropout_backward`.
    """
    checks.booleans("mask", mask)
    checks.same_shape("grad_output", checks.floating("grad_output", grad_output), "mask", mask)
    return dropout(grad_output, mask, p, out=out)


def _over_positions(mask: Tensor, x: Tensor, spatial_axes: int) -> Tensor:
    """Repeat a mask of features over the positions of their maps, as a view."""
    spatial_axes = checks.integer("spatial_axes", spatial_axes, at_least=1, at_most=x.ndim)
    checks.last_axes("mask", checks.booleans("mask", mask), *x.shape[:-spatial_axes], of="the features of x")
    positions = x.shape[x.ndim - spatial_axes :]
    return mask.reshape(*mask.shape, *(1,) * spatial_axes).expand(*mask.shape, *positions)


def spatial_dropout(
    x: Float[Tensor, "*shape"],
    mask: Bool[Tensor, "*runs_and_features"],
    p: float | Float[Tensor, "*runs"],
    *,
    spatial_axes: int = 2,
) -> Float[Tensor, "..."]:
    """Drop whole feature maps: neighboring positions say nearly the same, so dropping single ones removes little.

    Equation, arguments and errors as in `dlnotes.numpy.dropout.spatial_dropout`.
    """
    checks.floating("x", x)
    return dropout(x, _over_positions(mask, x, spatial_axes), p)


def spatial_dropout_backward(
    grad_output: Float[Tensor, "*shape"],
    mask: Bool[Tensor, "*features"],
    p: float | Float[Tensor, "*runs"],
    *,
    spatial_axes: int = 2,
) -> Float[Tensor, "*shape"]:
    """Carry a gradient back through `spatial_dropout`.

    Equation, arguments and errors as in `dlnotes.numpy.dropout.spatial_dropout_backward`.
    """
    checks.floating("grad_output", grad_output)
    return dropout_backward(grad_output, _over_positions(mask, grad_output, spatial_axes), p)


@precision.rounded_once("x")
def linear_dropout_penalty(
    weight: Float[Tensor, "*runs features"], x: Float[Tensor, "*own examples features"], p: float
) -> Float[Tensor, "*runs"]:
    """Give what dropout on the inputs of linear regression adds to the mean squared error, on average over masks.

    Equation, arguments and errors as in `dlnotes.numpy.dropout.linear_dropout_penalty`.
    """
    p = checks.real("p", p, at_least=0, below=1)
    checks.rank("weight", checks.floating("weight", weight), at_least=1)
    checks.rank("x", checks.floating("x", x), at_least=2)
    checks.axis("x", x, -2, at_least=1, described="examples")
    checks.last_axes("x", x, weight.shape[-1], of="weight")
    largest = x.abs().amax(dim=-2, keepdim=True)  # divided out, so that large times small is no 0 times inf
    scale = torch.where((largest > 0) & largest.isfinite(), largest, 1)
    moved = weight * scale[..., 0, :]
    return p / (1 - p) * (moved * moved * (x / scale).square().mean(dim=-2)).sum(dim=-1)


def _entropy(probabilities: Tensor) -> Tensor:
    """Give -sum p ln p over the classes, in nats, with 0 ln 0 = 0."""
    return -torch.xlogy(probabilities, probabilities).sum(dim=-1)


@precision.rounded_once("probabilities")
def monte_carlo_prediction(
    probabilities: Float[Tensor, "*runs passes examples classes"],
) -> MonteCarloPrediction:
    """Put together the predictions of many passes, each under its own mask.

    Equation, arguments and errors as in `dlnotes.numpy.dropout.monte_carlo_prediction`.
    """
    checks.rank("probabilities", checks.floating("probabilities", probabilities), at_least=3)
    checks.axis("probabilities", probabilities, -3, at_least=1, described="passes")
    checks.axis("probabilities", probabilities, -1, at_least=1, described="classes")
    checks.reals("probabilities", probabilities, at_least=0)
    mean = probabilities.mean(dim=-3)
    rest = probabilities - mean[..., None, :, :]
    deviation = (rest * rest).mean(dim=-3).sqrt()
    entropy = _entropy(mean)
    within = _entropy(probabilities).mean(dim=-2)
    # Where all passes agree, rounding could leave a tiny negative number.
    return MonteCarloPrediction(mean, deviation, entropy, (entropy - within).clamp(min=0))
