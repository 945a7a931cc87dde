"""Bounds on the gradient, each as a function and as a part of a chain of optimizers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from dlnotes import checks
from dlnotes.numpy import many_runs

if TYPE_CHECKING:
    from jaxtyping import Float

    # NumPy gives a scalar where an array would have no axes.
    Array = np.ndarray | np.generic

Arrays = dict[str, np.ndarray]


def norm(array: Float[Array, "*runs_and_shape"], run_axes: int = 0) -> Float[Array, "*runs"]:
    """Give the Euclidean length of all of an array, for each run.

        |g| = sqrt(sum_i g_i^2) = m sqrt(sum_i (g_i / m)^2),    m = max_i |g_i|

    The second form is taken where the squares overflow, as at the foot of a cliff, or are too small to keep their
    digits. Numbers of 16 bits are squared and added up in float32.

    Args:
        array: g, of any shape.
        run_axes: How many leading axes are runs.

    Returns:
        The length for each run, in the dtype of the array; nan or inf where the array is not finite, and inf where the
        length is beyond that dtype's range.

    Raises:
        TypeError: If `array` does not hold floating-point numbers.
        ValueError: If `run_axes` is negative or above the number of axes.

    Source: definition.
    """
    return _length(array, run_axes).astype(array.dtype)[()]


def _length(array: Array, run_axes: int) -> np.ndarray:
    """Give the length for each run in a wider type, so that it does not overflow where the array does not."""
    run_axes = checks.integer("run_axes", run_axes, at_least=0, at_most=checks.floating("array", array).ndim)
    working = np.finfo(np.result_type(array.dtype, np.float32))
    rows = array.reshape(*array.shape[:run_axes], math.prod(array.shape[run_axes:])).astype(working.dtype, copy=False)
    with np.errstate(over="ignore", under="ignore"):
        squares = np.asarray(np.square(rows).sum(-1))
    lengths = np.asarray(np.sqrt(squares, dtype=_wider(working.dtype)))
    unsafe = ~((squares >= rows.shape[-1] * (working.tiny / working.eps)) & np.isfinite(squares))
    if unsafe.any():
        lengths[unsafe] = _scaled_length(rows[unsafe])
    return lengths


def _scaled_length(rows: np.ndarray) -> np.ndarray:
    largest = np.abs(rows).max(-1, initial=0)
    scale = np.where((largest > 0) & np.isfinite(largest), largest, np.ones_like(largest))
    return scale.astype(_wider(rows.dtype)) * np.sqrt(np.square(rows / scale[..., None]).sum(-1))


def _wider(dtype: np.dtype) -> np.dtype:
    return np.result_type(dtype, np.float64 if dtype.itemsize >= 4 else np.float32)


def _times(array: Array, factor: np.ndarray) -> Array:
    """Multiply each run, or each unit, by its number; numbers of 16 bits in float32, rounded once."""
    dtype = np.result_type(array.dtype, np.float32)
    factor = factor.reshape(factor.shape + (1,) * (array.ndim - factor.ndim)).astype(dtype)
    return (array.astype(dtype, copy=False) * factor).astype(array.dtype, copy=False)


def global_norm(grads: Arrays, run_axes: int = 0) -> Float[Array, "*runs"]:
    """Give the Euclidean length of all gradients taken as one vector, for each run.

        |g| = sqrt(sum_k |g_k|^2)

    Args:
        grads: The gradient in each parameter, at least one.
        run_axes: How many leading axes are runs.

    Returns:
        The length for each run.

    Raises:
        ValueError: If there is no gradient, or `run_axes` is out of range.

    Source: Pascanu et al. (2013).
    """
    dtype = np.result_type(*_arrays_of(grads))
    return _global_length(grads, run_axes).astype(dtype)[()]


def _arrays_of(grads: Arrays) -> list[np.ndarray]:
    checks.instance("grads", grads, Mapping, "a mapping from names to arrays")
    checks.integer("number of gradients in grads", len(grads), at_least=1)
    return [checks.floating(f"grads[{name!r}]", g) for name, g in grads.items()]


def _global_length(grads: Arrays, run_axes: int) -> np.ndarray:
    return _length(np.stack([_length(g, run_axes) for g in _arrays_of(grads)], axis=-1), run_axes)


def clip_by_value(gradient: Float[Array, "*shape"], limit: float | np.ndarray) -> Float[Array, "*shape"]:
    """Bound every component. The direction may change.

        g_i <- min(max(g_i, -limit), limit)

    Args:
        gradient: g, of any shape.
        limit: Above 0; a number or one a run.

    Returns:
        The clipped gradient; nan stays nan.

    Raises:
        TypeError: If `gradient` does not hold floating-point numbers.
        ValueError: If `limit` is not above 0.

    Source: definition.
    """
    checks.floating("gradient", gradient)
    limit = many_runs.aligned(checks.reals("limit", limit, above=0), gradient)
    return np.clip(gradient, -limit, limit)


def clip_by_norm(
    gradient: Float[Array, "*shape"], max_norm: float | np.ndarray, run_axes: int = 0
) -> Float[Array, "*shape"]:
    """Shorten a gradient that is too long. The direction stays.

        g <- g max_norm / max(|g|, max_norm)

    Args:
        gradient: g, of any shape.
        max_norm: The greatest length allowed, above 0; a number or one a run.
        run_axes: How many leading axes are runs; each run has its own length.

    Returns:
        The gradient, untouched where it is not too long; not finite where it was not.

    Raises:
        TypeError: If `gradient` does not hold floating-point numbers.
        ValueError: If `max_norm` is not above 0 or `run_axes` is out of range.

    Source: Pascanu et al. (2013).
    """
    return _times(gradient, _shrinkage(_length(gradient, run_axes), max_norm))


def _shrinkage(length: np.ndarray, max_norm: float | np.ndarray) -> np.ndarray:
    limit = many_runs.aligned(checks.reals("max_norm", max_norm, above=0), length)
    return np.asarray(limit / np.maximum(length, limit))


def clip_by_global_norm(grads: Arrays, max_norm: float | np.ndarray, run_axes: int = 0) -> Arrays:
    """Shorten all gradients by one factor if together they are too long. The direction stays.

        g_k <- g_k max_norm / max(|g|, max_norm),    |g| = sqrt(sum_k |g_k|^2)

    `torch.nn.utils.clip_grad_norm_` divides by |g| + 1e-6 in place of |g|, so that its result is shorter by that much.

    Args:
        grads: The gradient in each parameter, at least one.
        max_norm: The greatest length allowed, above 0; a number or one a run.
        run_axes: How many leading axes are runs; each run has its own length.

    Returns:
        The gradients, untouched where they are not too long; not finite where one of them was not.

    Raises:
        ValueError: If `max_norm` is not above 0, `run_axes` is out of range or there is no gradient.

    Source: Pascanu et al. (2013).
    """
    factor = _shrinkage(_global_length(grads, run_axes), max_norm)
    return {name: _times(g, factor) for name, g in grads.items()}


def unit_norms(array: Float[Array, "*shape"], run_axes: int = 0) -> Float[Array, "*shape_kept"]:
    """Give the length of the weights of each unit, shaped to multiply the array.

    A weight (fan_out, fan_in) or (out, in, height, width) has one unit for each entry of its first axis. A vector,
    such as a bias, is taken whole.

    Args:
        array: Weights or their gradient.
        run_axes: How many leading axes are runs.

    Returns:
        The lengths, with axes of size 1 for those summed over.

    Raises:
        TypeError: If `array` does not hold floating-point numbers.
        ValueError: If `run_axes` is out of range.

    Source: Brock et al. (2021); the code published with it for vectors.
    """
    return _unit_lengths(array, run_axes).astype(array.dtype)


def _unit_lengths(array: Array, run_axes: int) -> np.ndarray:
    run_axes = checks.integer("run_axes", run_axes, at_least=0, at_most=checks.floating("array", array).ndim)
    kept = run_axes + (array.ndim - run_axes > 1)
    lengths = _length(array, kept)
    return lengths.reshape(lengths.shape + (1,) * (array.ndim - kept))


def shorten_units(
    array: Float[Array, "*shape"], bound: float | Float[np.ndarray, "*shape_kept"], run_axes: int = 0
) -> Float[Array, "*shape"]:
    """Shorten each unit that is longer than its bound. The direction stays.

        x_i <- x_i bound_i / max(|x_i|, bound_i)

    Args:
        array: x, with the units of `unit_norms`.
        bound: The greatest length allowed, above 0; a number, or an array that broadcasts to the lengths of
            `unit_norms`.
        run_axes: How many leading axes are runs.

    Returns:
        The array, untouched to the bit in the units that are short enough; not finite where it was not.

    Raises:
        TypeError: If `array` does not hold floating-point numbers.
        ValueError: If a bound is not above 0 or has another shape, or `run_axes` is out of range.

    Source: definition.
    """
    lengths = _unit_lengths(array, run_axes)
    checks.broadcasts("bound", checks.reals("bound", bound, above=0), lengths.shape, of="the units of the array")
    return _shorten(array, lengths, bound)


def _shorten(array: Array, lengths: np.ndarray, bound: float | np.ndarray) -> Array:
    return _times(array, np.asarray(bound / np.maximum(lengths, bound)))


def clip_adaptively(
    gradient: Float[Array, "*shape"],
    parameter: Float[Array, "*shape"],
    clipping: float | np.ndarray = 0.01,
    epsilon: float = 1e-3,
    run_axes: int = 0,
) -> Float[Array, "*shape"]:
    """Shorten the gradient of each unit that is too long beside the unit's weights.

        g_i <- g_i bound_i / max(|g_i|, bound_i),    bound_i = clipping max(|w_i|, epsilon)

    A weight of shape (fan_out, 1) has fan_out units of one number each. optax takes a weight with one axis longer than
    1 whole, as a vector.

    Args:
        gradient: g, of the shape of the parameter.
        parameter: w.
        clipping: The greatest ratio allowed, above 0; a number or one a run.
        epsilon: The least length that a unit's weights are taken to have, above 0, so that zero weights can grow.
        run_axes: How many leading axes are runs.

    Returns:
        The gradient, untouched in the units where it is not too long.

    Raises:
        TypeError: If an array does not hold floating-point numbers.
        ValueError: If the shapes differ or a number is out of range.

    Source: Brock et al. (2021); the other convention: `unitwise_norm` of optax.
    """
    checks.same_shape("gradient", checks.floating("gradient", gradient), "parameter", parameter)
    checks.reals("clipping", clipping, above=0)
    checks.real("epsilon", epsilon, above=0)
    lengths = _unit_lengths(parameter, run_axes)
    bound = many_runs.aligned(clipping, lengths) * np.maximum(lengths, epsilon)
    return _shorten(gradient, _unit_lengths(gradient, run_axes), bound)


class ClipState(NamedTuple):
    """Clipping remembers nothing."""


class _Clip:
    """What the parts of a chain below share: no memory."""

    def init(self, params: Arrays) -> ClipState:
        """Remember nothing."""
        return ClipState()


@dataclass(frozen=True, eq=False)
class ClipByValue(_Clip):
    """`clip_by_value` as a part of a chain.

    Args:
        limit: Above 0; a number or one a run.

    Raises:
        ValueError: If `limit` is not above 0.
    """

    limit: float | np.ndarray
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        checks.reals("limit", self.limit, above=0)

    def update(self, grads: Arrays, state: ClipState, params: Arrays) -> tuple[Arrays, ClipState]:
        """Give the clipped gradients."""
        return {name: clip_by_value(g, self.limit) for name, g in grads.items()}, state


@dataclass(frozen=True, eq=False)
class ClipByNorm(_Clip):
    """`clip_by_norm` on each parameter by itself, as a part of a chain.

    Args:
        max_norm: The greatest length allowed, above 0; a number or one a run.
        run_axes: How many leading axes of the parameters are runs.

    Raises:
        ValueError: If `max_norm` is not above 0 or `run_axes` is negative.
    """

    max_norm: float | np.ndarray
    run_axes: int = 0

    def __post_init__(self) -> None:
        checks.reals("max_norm", self.max_norm, above=0)
        checks.integer("run_axes", self.run_axes, at_least=0)

    def update(self, grads: Arrays, state: ClipState, params: Arrays) -> tuple[Arrays, ClipState]:
        """Give the clipped gradients."""
        return {name: clip_by_norm(g, self.max_norm, self.run_axes) for name, g in grads.items()}, state


@dataclass(frozen=True, eq=False)
class ClipByGlobalNorm(_Clip):
    """`clip_by_global_norm` as a part of a chain.

    Args:
        max_norm: The greatest length allowed, above 0; a number or one a run.
        run_axes: How many leading axes of the parameters are runs.

    Raises:
        ValueError: If `max_norm` is not above 0 or `run_axes` is negative.
    """

    max_norm: float | np.ndarray
    run_axes: int = 0

    def __post_init__(self) -> None:
        checks.reals("max_norm", self.max_norm, above=0)
        checks.integer("run_axes", self.run_axes, at_least=0)

    def update(self, grads: Arrays, state: ClipState, params: Arrays) -> tuple[Arrays, ClipState]:
        """Give the clipped gradients."""
        return clip_by_global_norm(grads, self.max_norm, self.run_axes), state


@dataclass(frozen=True, eq=False)
class ClipAdaptively(_Clip):
    """`clip_adaptively` on each parameter, as a part of a chain.

    Args:
        clipping: The greatest ratio of gradient to weights allowed, above 0; a number or one a run.
        epsilon: The least length that a unit's weights are taken to have, above 0.
        run_axes: How many leading axes of the parameters are runs.

    Raises:
        ValueError: If a number is out of range.
    """

    clipping: float | np.ndarray = 0.01
    epsilon: float = 1e-3
    run_axes: int = 0

    def __post_init__(self) -> None:
        checks.reals("clipping", self.clipping, above=0)
        checks.real("epsilon", self.epsilon, above=0)
        checks.integer("run_axes", self.run_axes, at_least=0)

    def update(self, grads: Arrays, state: ClipState, params: Arrays) -> tuple[Arrays, ClipState]:
        """Give the clipped gradients."""
        clipped = {
            name: clip_adaptively(g, params[name], self.clipping, self.epsilon, self.run_axes)
            for name, g in grads.items()
        }
        return clipped, state
