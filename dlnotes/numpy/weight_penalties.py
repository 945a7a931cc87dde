"""Penalties on the size of weights: as a term of the cost, as a proximal step, as decay, as a bound.

Each comes as a function of one weight array and, where it belongs into training, as a part of an `optimizers.chain`.
Where the part stands is what it means: a `PenaltyGradient` before Adam is L2 regularization, whose gradient Adam
divides like any other; a `DecoupledWeightDecay` after Adam is the decay of AdamW. To spare the biases, put the part
into an `adaptive_methods.Partition`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from dlnotes import checks, optimizers
from dlnotes.numpy import gradient_clipping, many_runs

if TYPE_CHECKING:
    from jaxtyping import Float

    # NumPy gives a scalar where an array would have no axes.
    Array = np.ndarray | np.generic

Arrays = dict[str, np.ndarray]
Number = float | np.ndarray | Callable


def _working(name: str, array: np.ndarray) -> np.ndarray:
    """Give numbers of 16 bits in float32, so that they are rounded once, at the end."""
    return checks.floating(name, array).astype(np.result_type(array.dtype, np.float32), copy=False)


def _strength(name: str, value: float | np.ndarray, weight: np.ndarray) -> float | np.ndarray:
    """Shape a strength, one or one a run, to multiply a weight."""
    checks.reals(name, value, at_least=0)
    leading = weight.shape[: np.ndim(value)]
    checks.shaped(name, np.asarray(value), leading, of="the leading axes of weight")
    return many_runs.aligned(value, weight)


def _total(terms: np.ndarray, run_axes: int, *strengths: float | np.ndarray) -> Float[Array, "*runs"]:
    """Add up all but the axes of the runs, of which there are at least as many as the strengths have."""
    own_runs = max(np.ndim(strength) for strength in strengths)
    run_axes = checks.integer("run_axes", run_axes, at_least=own_runs, at_most=terms.ndim)
    return terms.sum(axis=tuple(range(run_axes, terms.ndim)))


def l1_penalty(
    weight: Float[np.ndarray, "*shape"], strength: float | Float[Array, "*own"], run_axes: int = 0
) -> Float[Array, "*runs"]:
    """Charge the absolute values of the weights.

        R(w) = strength * sum_i |w_i|

    Args:
        weight: w, of any shape.
        strength: lambda, at least 0: a number, or an array of shape (*runs,).
        run_axes: How many leading axes of the weight are runs; as many as the strength has at least.

    Returns:
        The penalty of each run.

    Raises:
        TypeError: If `weight` does not hold floating-point numbers.
        ValueError: If `strength` is negative, not finite or of a wrong shape, or `run_axes` is out of range.

    Source: Tibshirani (1996).
    """
    w = _working("weight", weight)
    return _total(_strength("strength", strength, w) * np.abs(w), run_axes, strength).astype(weight.dtype)


def l1_gradient(
    weight: Float[np.ndarray, "*shape"], strength: float | Float[Array, "*runs"]
) -> Float[np.ndarray, "*shape"]:
    """Give a subgradient of `l1_penalty`: its gradient where that exists, and 0 at 0.

        dR/dw_i = strength * sign(w_i)

    A step along it hops over zero and never stays there; for exact zeros take `soft_threshold`.

    Args:
        weight: w, of any shape.
        strength: lambda, at least 0: a number, or an array of shape (*runs,).

    Returns:
        The subgradient, of the shape of the weight.

    Raises:
        TypeError: If `weight` does not hold floating-point numbers.
        ValueError: If `strength` is negative, not finite or of a wrong shape.

    Source: derivative of `l1_penalty`.
    """
    w = _working("weight", weight)
    return (_strength("strength", strength, w) * np.sign(w)).astype(weight.dtype, copy=False)


def l2_penalty(
    weight: Float[np.ndarray, "*shape"], strength: float | Float[Array, "*own"], run_axes: int = 0
) -> Float[Array, "*runs"]:
    """Charge the squares of the weights.

        R(w) = strength / 2 * sum_i w_i^2

    The 1/2 is convention: with it the gradient is strength * w, which is what `weight_decay` means in PyTorch.

    Args:
        weight: w, of any shape.
        strength: lambda, at least 0: a number, or an array of shape (*runs,).
        run_axes: How many leading axes of the weight are runs; as many as the strength has at least.

    Returns:
        The penalty of each run.

    Raises:
        TypeError: If `weight` does not hold floating-point numbers.
        ValueError: If `strength` is negative, not finite or of a wrong shape, or `run_axes` is out of range.

    Source: Hoerl and Kennard (1970), for linear regression.
    """
    w = _working("weight", weight)
    return _total(_strength("strength", strength, w) / 2 * w * w, run_axes, strength).astype(weight.dtype)


def l2_gradient(
    weight: Float[np.ndarray, "*shape"], strength: float | Float[Array, "*runs"]
) -> Float[np.ndarray, "*shape"]:
    """Give the gradient of `l2_penalty`.

        dR/dw = strength * w

    Args:
        weight: w, of any shape.
        strength: lambda, at least 0: a number, or an array of shape (*runs,).

    Returns:
        The gradient, of the shape of the weight.

    Raises:
        TypeError: If `weight` does not hold floating-point numbers.
        ValueError: If `strength` is negative, not finite or of a wrong shape.

    Source: derivative of `l2_penalty`.
    """
    w = _working("weight", weight)
    return (_strength("strength", strength, w) * w).astype(weight.dtype, copy=False)


def elastic_net_penalty(
    weight: Float[np.ndarray, "*shape"],
    l1: float | Float[Array, "*own1"],
    l2: float | Float[Array, "*own2"],
    run_axes: int = 0,
) -> Float[Array, "*runs"]:
    """Charge absolute values and squares of the weights.

        R(w) = l1 * sum_i |w_i| + l2 / 2 * sum_i w_i^2

    Args:
        weight: w, of any shape.
        l1: Strength of the first term, at least 0: a number, or an array of shape (*runs,).
        l2: Strength of the second term, likewise.
        run_axes: How many leading axes of the weight are runs; as many as the strengths have at least.

    Returns:
        The penalty of each run.

    Raises:
        TypeError: If `weight` does not hold floating-point numbers.
        ValueError: If a strength is negative, not finite or of a wrong shape, or `run_axes` is out of range.

    Source: Zou and Hastie (2005).
    """
    w = _working("weight", weight)
    strength1, strength2 = _strength("l1", l1, w), _strength("l2", l2, w)
    return _total(strength1 * np.abs(w) + strength2 / 2 * w * w, run_axes, l1, l2).astype(weight.dtype)


def elastic_net_gradient(
    weight: Float[np.ndarray, "*shape"], l1: float | Float[Array, "*own1"], l2: float | Float[Array, "*own2"]
) -> Float[np.ndarray, "*shape"]:
    """Give a subgradient of `elastic_net_penalty`.

        dR/dw_i = l1 * sign(w_i) + l2 * w_i

    Args:
        weight: w, of any shape.
        l1: Strength of the absolute values, at least 0: a number, or an array of shape (*runs,).
        l2: Strength of the squares, likewise.

    Returns:
        The subgradient, of the shape of the weight.

    Raises:
        TypeError: If `weight` does not hold floating-point numbers.
        ValueError: If a strength is negative, not finite or of a wrong shape.

    Source: derivative of `elastic_net_penalty`.
    """
    w = _working("weight", weight)
    return (_strength("l1", l1, w) * np.sign(w) + _strength("l2", l2, w) * w).astype(weight.dtype, copy=False)


def soft_threshold(
    x: Float[np.ndarray, "*shape"], threshold: float | Float[Array, "*runs"]
) -> Float[np.ndarray, "*shape"]:
    """Move every number towards 0 by the threshold, and those nearer than that to exactly 0: the proximal step of L1.

        S(x) = x - clip(x, -t, t) = sign(x) max(|x| - t, 0) = argmin_z (z - x)^2 / 2 + t |z|

    Args:
        x: Of any shape.
        threshold: t, at least 0: a number, or an array of shape (*runs,).

    Returns:
        S(x), of the shape and dtype of x.

    Raises:
        TypeError: If `x` does not hold floating-point numbers.
        ValueError: If `threshold` is negative, not finite or of a wrong shape.

    Derivation: for z > 0 the derivative z - x + t is 0 at z = x - t, which is positive if x > t; likewise for z < 0;
    else the least is at 0.

    Source: derived here.
    """
    working = _working("x", x)
    checks.reals("threshold", threshold, at_least=0)
    checks.shaped("threshold", np.asarray(threshold), x.shape[: np.ndim(threshold)], of="the leading axes of x")
    bound = many_runs.aligned(threshold, working)
    return (working - np.clip(working, -bound, bound)).astype(x.dtype, copy=False)


def group_soft_threshold(
    weight: Float[np.ndarray, "*shape"], threshold: float | Float[Array, "*own"], run_axes: int = 0
) -> Float[np.ndarray, "*shape"]:
    """Shorten the incoming weights of each unit by the threshold, and those shorter than that to exactly 0.

        S(w_i) = w_i (1 - t / max(|w_i|, t)) = argmin_z |z - w_i|^2 / 2 + t |z|

    This is the proximal step of the group lasso with one group a unit: a unit goes as a whole.

    Args:
        weight: Shape (*runs, fan_out, fan_in) or (*runs, out, in, height, width); unit i is entry i of the first axis
            after the runs.
        threshold: t, at least 0: a number, or an array of shape (*runs,).
        run_axes: How many leading axes are runs.

    Returns:
        The weights, of the same shape and dtype.

    Raises:
        TypeError: If `weight` does not hold floating-point numbers.
        ValueError: If `threshold` is negative, not finite or of a wrong shape, or `weight` has fewer than two axes
            beside the runs.

    Derivation: for z not 0 the gradient z - w + t z / |z| is 0 where z points as w does, with |z| = |w| - t.

    Source: Yuan and Lin (2006), for the penalty; derived here.
    """
    run_axes = checks.integer("run_axes", run_axes, at_least=0)
    checks.rank("weight", checks.floating("weight", weight), at_least=run_axes + 2)
    checks.reals("threshold", threshold, at_least=0)
    checks.shaped("threshold", np.asarray(threshold), weight.shape[:run_axes][: np.ndim(threshold)], of="the runs")
    working = _working("weight", weight)
    lengths = gradient_clipping.unit_norms(working, run_axes)
    bound = many_runs.aligned(threshold, lengths)
    kept = 1 - np.divide(bound, lengths, out=np.ones_like(lengths), where=~(lengths <= bound))
    return (working * kept).astype(weight.dtype, copy=False)


def max_norm(
    weight: Float[np.ndarray, "*shape"], limit: float | Float[Array, "*own"], run_axes: int = 0
) -> Float[np.ndarray, "*shape"]:
    """Shorten the incoming weights of each unit that are longer than the limit; the direction stays.

        w_i <- w_i limit / max(|w_i|, limit)

    Args:
        weight: Shape (*runs, fan_out, fan_in) or (*runs, out, in, height, width); unit i is entry i of the first axis
            after the runs.
        limit: The greatest length allowed, above 0: a number, or an array of shape (*runs,).
        run_axes: How many leading axes are runs.

    Returns:
        The weights, untouched to the bit in the units that are short enough.

    Raises:
        TypeError: If `weight` does not hold floating-point numbers.
        ValueError: If `limit` is not above 0 or of a wrong shape, or `weight` has fewer than two axes beside the runs.

    Source: Srivastava et al. (2014).
    """
    run_axes = checks.integer("run_axes", run_axes, at_least=0)
    checks.rank("weight", checks.floating("weight", weight), at_least=run_axes + 2)
    checks.reals("limit", limit, above=0)
    checks.shaped("limit", np.asarray(limit), weight.shape[:run_axes][: np.ndim(limit)], of="the runs of weight")
    if np.ndim(limit):
        limit = limit.reshape(limit.shape + (1,) * (weight.ndim - np.ndim(limit)))
    return gradient_clipping.shorten_units(weight, limit, run_axes)


class PenaltyState(NamedTuple):
    """What the parts of a chain below remember: how many steps they have taken, for schedules."""

    step: int


class _Penalty:
    """What those share that are for the parameters whose names end with `suffix`: all, if it is empty."""

    suffix: str

    @property
    def elementwise(self) -> bool:
        """Whether all parameters are treated alike; see `training.train`."""
        return not self.suffix

    def init(self, params: Arrays) -> PenaltyState:
        """Start at step 0."""
        return PenaltyState(0)


@dataclass(frozen=True, eq=False)
class PenaltyGradient(_Penalty):
    """Add the gradient of a penalty: what comes after it in the chain sees the penalized cost.

        g <- g + l1 sign(w) + l2 w

    Args:
        l1: Strength of the absolute values, at least 0: a number, one a run, or a function of the step that gives
            either.
        l2: Strength of the squares, likewise.
        suffix: Only parameters whose names end with it are penalized; ".weight" spares the biases.

    Raises:
        ValueError: If a strength is negative or not finite.

    Source: definition.
    """

    l1: Number = 0.0
    l2: Number = 0.0
    suffix: str = ""

    def __post_init__(self) -> None:
        optimizers.check_rate("l1", self.l1)
        optimizers.check_rate("l2", self.l2)
        checks.instance("suffix", self.suffix, str, "a string")

    def update(self, grads: Arrays, state: PenaltyState, params: Arrays) -> tuple[Arrays, PenaltyState]:
        """Give the gradient of the penalized cost."""
        l1, l2 = many_runs.at_step(self.l1, state.step), many_runs.at_step(self.l2, state.step)
        chosen = [name for name in grads if name.endswith(self.suffix)]
        penalized = {name: grads[name] + elastic_net_gradient(params[name], l1, l2) for name in chosen}
        return {**grads, **penalized}, PenaltyState(state.step + 1)


@dataclass(frozen=True, eq=False)
class DecoupledWeightDecay(_Penalty):
    """Shrink the weights beside the optimizer's step, not through it. It stands after the optimizer.

        update <- update - learning_rate * strength * w

    Args:
        strength: At least 0: a number, one a run, or a function of the step that gives either.
        learning_rate: The optimizer's own, likewise.
        suffix: Only parameters whose names end with it are decayed; ".weight" spares the biases.

    Raises:
        ValueError: If a number is negative or not finite.

    Source: Loshchilov and Hutter (2019), with the learning rate in front of the decay as in PyTorch.
    """

    strength: Number
    learning_rate: Number
    suffix: str = ""

    def __post_init__(self) -> None:
        optimizers.check_rate("strength", self.strength)
        optimizers.check_rate("learning_rate", self.learning_rate)
        checks.instance("suffix", self.suffix, str, "a string")

    def update(self, grads: Arrays, state: PenaltyState, params: Arrays) -> tuple[Arrays, PenaltyState]:
        """Give the update with the decay in it."""
        strength, rate = many_runs.at_step(self.strength, state.step), many_runs.at_step(self.learning_rate, state.step)
        share = np.multiply(rate, strength)
        chosen = [name for name in grads if name.endswith(self.suffix)]
        decayed = {name: grads[name] - l2_gradient(params[name], share) for name in chosen}
        return {**grads, **decayed}, PenaltyState(state.step + 1)


@dataclass(frozen=True, eq=False)
class ProximalL1(_Penalty):
    """Follow a step by soft thresholding, which sets small weights to exactly 0. It stands last in the chain.

        w <- S(w + update, learning_rate * strength)

    After plain gradient descent this is proximal gradient descent (ISTA). Momentum beta makes the steps 1 / (1 - beta)
    times as long and leaves the threshold: the run ends at the minimum of strength (1 - beta) * strength, so give
    strength / (1 - beta). After an optimizer that scales each weight's step, as Adam does, it is another method: the
    threshold is not scaled with them.

    Args:
        strength: At least 0: a number, one a run, or a function of the step that gives either.
        learning_rate: The optimizer's own, likewise.
        suffix: Only parameters whose names end with it are thresholded; ".weight" spares the biases.

    Raises:
        ValueError: If a number is negative or not finite.

    Source: Beck and Teboulle (2009).
    """

    strength: Number
    learning_rate: Number
    suffix: str = ""

    def __post_init__(self) -> None:
        optimizers.check_rate("strength", self.strength)
        optimizers.check_rate("learning_rate", self.learning_rate)
        checks.instance("suffix", self.suffix, str, "a string")

    def update(self, grads: Arrays, state: PenaltyState, params: Arrays) -> tuple[Arrays, PenaltyState]:
        """Give the update that lands where soft thresholding puts the step; on zeros it lands exactly."""
        strength, rate = many_runs.at_step(self.strength, state.step), many_runs.at_step(self.learning_rate, state.step)
        threshold = np.multiply(rate, strength)
        chosen = [name for name in grads if name.endswith(self.suffix)]
        moved = {name: soft_threshold(params[name] + grads[name], threshold) - params[name] for name in chosen}
        return {**grads, **moved}, PenaltyState(state.step + 1)


@dataclass(frozen=True, eq=False)
class ProximalGroups(_Penalty):
    """Follow a step by `group_soft_threshold`, which sets whole units to exactly 0. It stands last in the chain.

        w_i <- S(w_i + update_i, learning_rate * strength)

    After momentum beta give strength / (1 - beta), as to `ProximalL1`. A unit at 0 still gives its bias to the next
    layer, through the activation; add that to the next bias before you take the unit out.

    Args:
        strength: At least 0: a number, one a run, or a function of the step that gives either.
        learning_rate: The optimizer's own, likewise.
        suffix: Only parameters whose names end with it are thresholded; they need two axes beside the runs.
        run_axes: How many leading axes of the parameters are runs.

    Raises:
        ValueError: If a number is negative or not finite.

    Source: Yuan and Lin (2006), for the penalty; Beck and Teboulle (2009), for the step.
    """

    strength: Number
    learning_rate: Number
    suffix: str = ".weight"
    run_axes: int = 0
    elementwise: ClassVar[bool] = False

    def __post_init__(self) -> None:
        optimizers.check_rate("strength", self.strength)
        optimizers.check_rate("learning_rate", self.learning_rate)
        checks.instance("suffix", self.suffix, str, "a string")
        checks.integer("run_axes", self.run_axes, at_least=0)

    def update(self, grads: Arrays, state: PenaltyState, params: Arrays) -> tuple[Arrays, PenaltyState]:
        """Give the update that lands where the thresholding of units puts the step; on zeros it lands exactly."""
        strength, rate = many_runs.at_step(self.strength, state.step), many_runs.at_step(self.learning_rate, state.step)
        threshold = np.multiply(rate, strength)
        moved = {}
        for name, u in grads.items():
            if name.endswith(self.suffix):
                landed = group_soft_threshold(params[name] + u, threshold, self.run_axes)
                moved[name] = landed - params[name]
        return {**grads, **moved}, PenaltyState(state.step + 1)


@dataclass(frozen=True, eq=False)
class MaxNorm(_Penalty):
    """Follow a step by `max_norm`. It stands last in the chain and leaves parameters of one axis, the biases, alone.

        w_i <- w_i limit / max(|w_i|, limit)    after w <- w + update

    Args:
        limit: Above 0: a number or one a run.
        run_axes: How many leading axes of the parameters are runs.

    Raises:
        ValueError: If `limit` is not above 0 or `run_axes` is negative.

    Source: Srivastava et al. (2014).
    """

    limit: float | np.ndarray
    run_axes: int = 0
    elementwise: ClassVar[bool] = False

    def __post_init__(self) -> None:
        checks.reals("limit", self.limit, above=0)
        checks.integer("run_axes", self.run_axes, at_least=0)

    def update(self, grads: Arrays, state: PenaltyState, params: Arrays) -> tuple[Arrays, PenaltyState]:
        """Give the update that lands inside the ball."""
        updates = {}
        for name, u in grads.items():
            stepped = params[name] + u
            is_matrix = u.ndim >= self.run_axes + 2
            updates[name] = max_norm(stepped, self.limit, self.run_axes) - params[name] if is_matrix else u
        return updates, PenaltyState(state.step + 1)
