"""Bounds on the gradient, each as a function and as a part of a chain of optimizers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from dlnotes import checks
from dlnotes.numpy import training

if TYPE_CHECKING:
    from jaxtyping import Float

    # NumPy gives a scalar where an array would have no axes.
    Array = np.ndarray | np.generic

Arrays = dict[str, np.ndarray]


def norm(array: Float[Array, "*runs_and_shape"], run_axes: int = 0) -> Float[Array, "*runs"]:
    """Give the Euclidean length of all of an array, for each run.

        |g| = m sqrt(sum_i (g_i / m)^2),    m = max_i |g_i|

    The largest number is divided out first, so that the squares of a gradient at the foot of a cliff do not overflow,
    and tiny ones do not vanish.

    Args:
        array: g, of any shape.
        run_axes: How many leading axes are runs.

    Returns:
        The length for each run; nan or inf where the array is not finite.

    Raises:
        TypeError: If `array` does not hold floating-point numbers.
        ValueError: If `run_axes` is negative or above the number of axes.

    Source: derived in the chapter.
    """
    run_axes = checks.integer("run_axes", run_axes, at_least=0, at_most=checks.floating("array", array).ndim)
    rows = array.reshape(*array.shape[:run_axes], math.prod(array.shape[run_axes:]))
    largest = np.abs(rows).max(-1, initial=0)
    scale = np.where((largest > 0) & np.isfinite(largest), largest, np.ones_like(largest))
    scaled = rows / scale[..., None]
    return (scale * np.sqrt((scaled * scaled).sum(-1)))[()]


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

    Source: Pascanu, Mikolov and Bengio (2013).
    """
    checks.integer("number of gradients in grads", len(grads), at_least=1)
    return norm(np.stack([norm(g, run_axes) for g in grads.values()], axis=-1), run_axes)


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

    Source: derived in the chapter.
    """
    checks.floating("gradient", gradient)
    limit = training.per_run(checks.reals("limit", limit, above=0), gradient)
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

    Source: Pascanu, Mikolov and Bengio (2013).
    """
    return gradient * training.per_run(_shrinkage(norm(gradient, run_axes), max_norm), gradient)


def _shrinkage(length: Float[Array, "*runs"], max_norm: float | np.ndarray) -> Float[Array, "*runs"]:
    limit = training.per_run(checks.reals("max_norm", max_norm, above=0), length)
    return limit / np.maximum(length, limit)


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

    Source: Pascanu, Mikolov and Bengio (2013).
    """
    factor = _shrinkage(global_norm(grads, run_axes), max_norm)
    return {name: g * training.per_run(factor, g) for name, g in grads.items()}


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
    own_axes = array.ndim - run_axes
    kept = run_axes + (own_axes > 1)
    lengths = np.asarray(norm(array, kept))
    return lengths.reshape(lengths.shape + (1,) * (array.ndim - kept))


def clip_adaptively(
    gradient: Float[Array, "*shape"],
    parameter: Float[Array, "*shape"],
    clipping: float | np.ndarray = 0.01,
    epsilon: float = 1e-3,
    run_axes: int = 0,
) -> Float[Array, "*shape"]:
    """Shorten the gradient of each unit that is too long beside the unit's weights.

        g_i <- g_i bound_i / max(|g_i|, bound_i),    bound_i = clipping max(|w_i|, epsilon)

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

    Source: Brock et al. (2021).
    """
    checks.same_shape("gradient", checks.floating("gradient", gradient), "parameter", parameter)
    checks.reals("clipping", clipping, above=0)
    checks.real("epsilon", epsilon, above=0)
    bound = training.per_run(clipping, gradient) * np.maximum(unit_norms(parameter, run_axes), epsilon)
    return gradient * (bound / np.maximum(unit_norms(gradient, run_axes), bound))


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
