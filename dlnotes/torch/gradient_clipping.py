"""Bounds on the gradient, on any device; see `dlnotes.numpy.gradient_clipping`.

Nothing here makes the host wait for the device: whether a gradient is too long is decided by a maximum, not by a
branch.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import torch
from torch import Tensor

from dlnotes import checks
from dlnotes.torch import many_runs

if TYPE_CHECKING:
    from jaxtyping import Float

Tensors = dict[str, Tensor]


def norm(array: Float[Tensor, "*runs_and_shape"], run_axes: int = 0) -> Float[Tensor, "*runs"]:
    """Give the Euclidean length of all of a tensor, for each run.

    Equation, arguments and errors as in `dlnotes.numpy.gradient_clipping.norm`. The second form is taken throughout.
    """
    return _length(array, run_axes).to(array.dtype)


def _length(array: Tensor, run_axes: int) -> Tensor:
    """Give the length for each run in a wider type, so that it does not overflow where the tensor does not."""
    run_axes = checks.integer("run_axes", run_axes, at_least=0, at_most=checks.floating("array", array).ndim)
    rows = array.reshape(*array.shape[:run_axes], math.prod(array.shape[run_axes:]))
    rows = rows.to(torch.promote_types(rows.dtype, torch.float32))
    wider = rows.dtype if rows.device.type == "mps" else torch.float64  # that device has no float64
    if not rows.shape[-1]:
        return rows.new_zeros(rows.shape[:-1], dtype=wider)
    largest = rows.abs().amax(-1)
    scale = torch.where((largest > 0) & largest.isfinite(), largest, torch.ones_like(largest))
    scaled = rows / scale[..., None]
    return scale.to(wider) * (scaled * scaled).sum(-1).sqrt()


def _times(array: Tensor, factor: Tensor) -> Tensor:
    """Multiply each run, or each unit, by its number; numbers of 16 bits in float32, rounded once."""
    dtype = torch.promote_types(array.dtype, torch.float32)
    factor = factor.reshape(factor.shape + (1,) * (array.ndim - factor.ndim)).to(dtype)
    return (array.to(dtype) * factor).to(array.dtype)


def global_norm(grads: Tensors, run_axes: int = 0) -> Float[Tensor, "*runs"]:
    """Give the Euclidean length of all gradients taken as one vector, for each run.

    Equation, arguments and errors as in `dlnotes.numpy.gradient_clipping.global_norm`.
    """
    dtypes = [g.dtype for g in _tensors_of(grads)]
    return _global_length(grads, run_axes).to(functools.reduce(torch.promote_types, dtypes))


def _tensors_of(grads: Tensors) -> list[Tensor]:
    checks.instance("grads", grads, Mapping, "a mapping from names to arrays")
    checks.integer("number of gradients in grads", len(grads), at_least=1)
    return [checks.floating(f"grads[{name!r}]", g) for name, g in grads.items()]


def _global_length(grads: Tensors, run_axes: int) -> Tensor:
    return _length(torch.stack([_length(g, run_axes) for g in _tensors_of(grads)], dim=-1), run_axes)


def clip_by_value(gradient: Float[Tensor, "*shape"], limit: float | Tensor) -> Float[Tensor, "*shape"]:
    """Bound every component. The direction may change.

    Equation, arguments and errors as in `dlnotes.numpy.gradient_clipping.clip_by_value`.
    """
    checks.floating("gradient", gradient)
    limit = many_runs.aligned(checks.reals("limit", limit, above=0), gradient)
    return gradient.clamp(-limit, limit)


def clip_by_norm(
    gradient: Float[Tensor, "*shape"], max_norm: float | Tensor, run_axes: int = 0
) -> Float[Tensor, "*shape"]:
    """Shorten a gradient that is too long. The direction stays.

    Equation, arguments and errors as in `dlnotes.numpy.gradient_clipping.clip_by_norm`.
    """
    return _times(gradient, _shrinkage(_length(gradient, run_axes), max_norm))


def _shrinkage(length: Tensor, max_norm: float | Tensor) -> Tensor:
    limit = many_runs.aligned(checks.reals("max_norm", max_norm, above=0), length)
    return limit / length.clamp(min=limit)


def clip_by_global_norm(grads: Tensors, max_norm: float | Tensor, run_axes: int = 0) -> Tensors:
    """Shorten all gradients by one factor if together they are too long. The direction stays.

    Equation, arguments and errors as in `dlnotes.numpy.gradient_clipping.clip_by_global_norm`.
    """
    factor = _shrinkage(_global_length(grads, run_axes), max_norm)
    return {name: _times(g, factor) for name, g in grads.items()}


def unit_norms(array: Float[Tensor, "*shape"], run_axes: int = 0) -> Float[Tensor, "*shape_kept"]:
    """Give the length of the weights of each unit, shaped to multiply the tensor.

    Equation, arguments and errors as in `dlnotes.numpy.gradient_clipping.unit_norms`.
    """
    return _unit_lengths(array, run_axes).to(array.dtype)


def _unit_lengths(array: Tensor, run_axes: int) -> Tensor:
    run_axes = checks.integer("run_axes", run_axes, at_least=0, at_most=checks.floating("array", array).ndim)
    kept = run_axes + (array.ndim - run_axes > 1)
    lengths = _length(array, kept)
    return lengths.reshape(lengths.shape + (1,) * (array.ndim - kept))


def shorten_units(
    array: Float[Tensor, "*shape"], bound: float | Float[Tensor, "*shape_kept"], run_axes: int = 0
) -> Float[Tensor, "*shape"]:
    """Shorten each unit that is longer than its bound. The direction stays.

    Equation, arguments and errors as in `dlnotes.numpy.gradient_clipping.shorten_units`.
    """
    lengths = _unit_lengths(array, run_axes)
    checks.broadcasts("bound", checks.reals("bound", bound, above=0), lengths.shape, of="the units of the array")
    return _shorten(array, lengths, bound.to(lengths) if isinstance(bound, Tensor) else bound)


def _shorten(array: Tensor, lengths: Tensor, bound: float | Tensor) -> Tensor:
    return _times(array, bound / lengths.clamp(min=bound))


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
    lengths = _unit_lengths(parameter, run_axes)
    bound = many_runs.aligned(clipping, lengths) * lengths.clamp_min(epsilon)
    return _shorten(gradient, _unit_lengths(gradient, run_axes), bound)


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
