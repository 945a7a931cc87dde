"""Bounds on the gradient, on any device; see `dlnotes.numpy.gradient_clipping`.

Nothing here makes the host wait for the device: whether a gradient is too long is decided by a maximum, not by a
branch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import torch
from torch import Tensor

from dlnotes import checks
from dlnotes.torch import training

if TYPE_CHECKING:
    from jaxtyping import Float

Tensors = dict[str, Tensor]


def norm(array: Float[Tensor, "*runs_and_shape"], run_axes: int = 0) -> Float[Tensor, "*runs"]:
    """Give the Euclidean length of all of a tensor, for each run.

    Equation, arguments and errors as in `dlnotes.numpy.gradient_clipping.norm`.
    """
    run_axes = checks.integer("run_axes", run_axes, at_least=0, at_most=checks.floating("array", array).ndim)
    rows = array.reshape(*array.shape[:run_axes], math.prod(array.shape[run_axes:]))
    if not rows.shape[-1]:
        return rows.new_zeros(rows.shape[:-1])
    largest = rows.abs().amax(-1)
    scale = torch.where((largest > 0) & largest.isfinite(), largest, torch.ones_like(largest))
    scaled = rows / scale[..., None]
    return scale * (scaled * scaled).sum(-1).sqrt()


def global_norm(grads: Tensors, run_axes: int = 0) -> Float[Tensor, "*runs"]:
    """Give the Euclidean length of all gradients taken as one vector, for each run.

    Equation, arguments and errors as in `dlnotes.numpy.gradient_clipping.global_norm`.
    """
    checks.integer("number of gradients in grads", len(grads), at_least=1)
    return norm(torch.stack([norm(g, run_axes) for g in grads.values()], dim=-1), run_axes)


def clip_by_value(gradient: Float[Tensor, "*shape"], limit: float | Tensor) -> Float[Tensor, "*shape"]:
    """Bound every component. The direction may change.

    Equation, arguments and errors as in `dlnotes.numpy.gradient_clipping.clip_by_value`.
    """
    checks.floating("gradient", gradient)
    limit = training.per_run(checks.reals("limit", limit, above=0), gradient)
    return gradient.clamp(-limit, limit)


def clip_by_norm(
    gradient: Float[Tensor, "*shape"], max_norm: float | Tensor, run_axes: int = 0
) -> Float[Tensor, "*shape"]:
    """Shorten a gradient that is too long. The direction stays.

    Equation, arguments and errors as in `dlnotes.numpy.gradient_clipping.clip_by_norm`.
    """
    return gradient * _over_runs(_shrinkage(norm(gradient, run_axes), max_norm), gradient)


def _shrinkage(length: Float[Tensor, "*runs"], max_norm: float | Tensor) -> Float[Tensor, "*runs"]:
    limit = training.per_run(checks.reals("max_norm", max_norm, above=0), length)
    return limit / (length.clamp_min(limit) if isinstance(limit, float) else torch.maximum(length, limit))


def _over_runs(factor: Float[Tensor, "*runs"], array: Tensor) -> Tensor:
    # Not training.per_run, which reads a single number back to the host.
    return factor.reshape(factor.shape + (1,) * (array.ndim - factor.ndim)).to(array.dtype)


def clip_by_global_norm(grads: Tensors, max_norm: float | Tensor, run_axes: int = 0) -> Tensors:
    """Shorten all gradients by one factor if together they are too long. The direction stays.

    Equation, arguments and errors as in `dlnotes.numpy.gradient_clipping.clip_by_global_norm`.
    """
    factor = _shrinkage(global_norm(grads, run_axes), max_norm)
    return {name: g * _over_runs(factor, g) for name, g in grads.items()}


def unit_norms(array: Float[Tensor, "*shape"], run_axes: int = 0) -> Float[Tensor, "*shape_kept"]:
    """Give the length of the weights of each unit, shaped to multiply the tensor.

    Equation, arguments and errors as in `dlnotes.numpy.gradient_clipping.unit_norms`.
    """
    own_axes = array.ndim - run_axes
    kept = run_axes + (own_axes > 1)
    return _over_runs(norm(array, kept), array)


def clip_adaptively(
    gradient: Float[Tensor, "*shape"],
    parameter: Float[Tensor, "*shape"],
    clipping: float | Tensor = 0.01,
    epsilon: float = 1e-3,
    run_axes: int = 0,
) -> Float[Tensor, "*shape"]:
    """Shorten the gradient of each unit that is too long beside the unit's weights.

    Equation, arguments and errors as in `dlnotes.numpy.gradient_clipping.clip_adaptively`.
    """
    checks.same_shape("gradient", checks.floating("gradient", gradient), "parameter", parameter)
    checks.reals("clipping", clipping, above=0)
    checks.real("epsilon", epsilon, above=0)
    bound = training.per_run(clipping, gradient) * unit_norms(parameter, run_axes).clamp_min(epsilon)
    return gradient * (bound / torch.maximum(unit_norms(gradient, run_axes), bound))


class ClipState(NamedTuple):
    """Clipping remembers nothing."""


class _Clip:
    """What the parts of a chain below share: no memory."""

    def init(self, params: Tensors) -> ClipState:
        """Remember nothing."""
        return ClipState()


@dataclass(frozen=True, eq=False)
class ClipByValue(_Clip):
    """`clip_by_value` as a part of a chain.

    Arguments and errors as in `dlnotes.numpy.gradient_clipping.ClipByValue`.
    """

    limit: float | Tensor
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        checks.reals("limit", self.limit, above=0)

    @torch.no_grad()
    def update(self, grads: Tensors, state: ClipState, params: Tensors) -> tuple[Tensors, ClipState]:
        """Give the clipped gradients."""
        return {name: clip_by_value(g, self.limit) for name, g in grads.items()}, state


@dataclass(frozen=True, eq=False)
class ClipByNorm(_Clip):
    """`clip_by_norm` on each parameter by itself, as a part of a chain.

    Arguments and errors as in `dlnotes.numpy.gradient_clipping.ClipByNorm`.
    """

    max_norm: float | Tensor
    run_axes: int = 0

    def __post_init__(self) -> None:
        checks.reals("max_norm", self.max_norm, above=0)
        checks.integer("run_axes", self.run_axes, at_least=0)

    @torch.no_grad()
    def update(self, grads: Tensors, state: ClipState, params: Tensors) -> tuple[Tensors, ClipState]:
        """Give the clipped gradients."""
        return {name: clip_by_norm(g, self.max_norm, self.run_axes) for name, g in grads.items()}, state


@dataclass(frozen=True, eq=False)
class ClipByGlobalNorm(_Clip):
    """`clip_by_global_norm` as a part of a chain.

    Arguments and errors as in `dlnotes.numpy.gradient_clipping.ClipByGlobalNorm`.
    """

    max_norm: float | Tensor
    run_axes: int = 0

    def __post_init__(self) -> None:
        checks.reals("max_norm", self.max_norm, above=0)
        checks.integer("run_axes", self.run_axes, at_least=0)

    @torch.no_grad()
    def update(self, grads: Tensors, state: ClipState, params: Tensors) -> tuple[Tensors, ClipState]:
        """Give the clipped gradients."""
        return clip_by_global_norm(grads, self.max_norm, self.run_axes), state


@dataclass(frozen=True, eq=False)
class ClipAdaptively(_Clip):
    """`clip_adaptively` on each parameter, as a part of a chain.

    Arguments and errors as in `dlnotes.numpy.gradient_clipping.ClipAdaptively`.
    """

    clipping: float | Tensor = 0.01
    epsilon: float = 1e-3
    run_axes: int = 0

    def __post_init__(self) -> None:
        checks.reals("clipping", self.clipping, above=0)
        checks.real("epsilon", self.epsilon, above=0)
        checks.integer("run_axes", self.run_axes, at_least=0)

    @torch.no_grad()
    def update(self, grads: Tensors, state: ClipState, params: Tensors) -> tuple[Tensors, ClipState]:
        """Give the clipped gradients."""
        clipped = {
            name: clip_adaptively(g, params[name], self.clipping, self.epsilon, self.run_axes)
            for name, g in grads.items()
        }
        return clipped, state
