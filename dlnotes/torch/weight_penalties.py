"""Penalties on the size of weights in PyTorch; see `dlnotes.numpy.weight_penalties`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import torch
from torch import Tensor

from dlnotes import checks, optimizers
from dlnotes.torch import gradient_clipping, many_runs

if TYPE_CHECKING:
    from jaxtyping import Float

Arrays = dict[str, Tensor]
Number = float | Tensor | Callable


def _working(name: str, array: Tensor) -> Tensor:
    """Give numbers of 16 bits in float32, so that they are rounded once, at the end."""
    return checks.floating(name, array).to(torch.promote_types(array.dtype, torch.float32))


def _sign(w: Tensor) -> Tensor:
    return torch.where(w.isnan(), w, w.sign())  # torch takes the sign of nan for 0


def _strength(name: str, value: float | Tensor, weight: Tensor) -> float | Tensor:
    """Shape a strength, one or one a run, to multiply a weight."""
    if isinstance(checks.reals(name, value, at_least=0), Tensor):
        checks.shaped(name, value, weight.shape[: value.ndim], of="the leading axes of weight")
    return many_runs.aligned(value, weight)


def _total(terms: Tensor, run_axes: int, *strengths: float | Tensor) -> Float[Tensor, "*runs"]:
    """Add up all but the axes of the runs, of which there are at least as many as the strengths have."""
    own_runs = max(getattr(strength, "ndim", 0) for strength in strengths)
    run_axes = checks.integer("run_axes", run_axes, at_least=own_runs, at_most=terms.ndim)
    own = tuple(range(run_axes, terms.ndim))
    return terms.sum(dim=own) if own else terms  # in PyTorch a sum over no axes is one over all


def l1_penalty(
    weight: Float[Tensor, "*shape"], strength: float | Float[Tensor, "*own"], run_axes: int = 0
) -> Float[Tensor, "*runs"]:
    """Charge the absolute values of the weights.

    Equation, arguments and errors as in `dlnotes.numpy.weight_penalties.l1_penalty`.
    """
    w = _working("weight", weight)
    return _total(_strength("strength", strength, w) * w.abs(), run_axes, strength).to(weight.dtype)


def l1_gradient(weight: Float[Tensor, "*shape"], strength: float | Float[Tensor, "*runs"]) -> Float[Tensor, "*shape"]:
    """Give a subgradient of `l1_penalty`: its gradient where that exists, and 0 at 0.

    Equation, arguments and errors as in `dlnotes.numpy.weight_penalties.l1_gradient`.
    """
    w = _working("weight", weight)
    return (_strength("strength", strength, w) * _sign(w)).to(weight.dtype)


def l2_penalty(
    weight: Float[Tensor, "*shape"], strength: float | Float[Tensor, "*own"], run_axes: int = 0
) -> Float[Tensor, "*runs"]:
    """Charge the squares of the weights.

    Equation, arguments and errors as in `dlnotes.numpy.weight_penalties.l2_penalty`.
    """
    w = _working("weight", weight)
    return _total(_strength("strength", strength, w) / 2 * w * w, run_axes, strength).to(weight.dtype)


def l2_gradient(weight: Float[Tensor, "*shape"], strength: float | Float[Tensor, "*runs"]) -> Float[Tensor, "*shape"]:
    """Give the gradient of `l2_penalty`.

    Equation, arguments and errors as in `dlnotes.numpy.weight_penalties.l2_gradient`.
    """
    w = _working("weight", weight)
    return (_strength("strength", strength, w) * w).to(weight.dtype)


def elastic_net_penalty(
    weight: Float[Tensor, "*shape"],
    l1: float | Float[Tensor, "*own1"],
    l2: float | Float[Tensor, "*own2"],
    run_axes: int = 0,
) -> Float[Tensor, "*runs"]:
    """Charge absolute values and squares of the weights.

    Equation, arguments and errors as in `dlnotes.numpy.weight_penalties.elastic_net_penalty`.
    """
    w = _working("weight", weight)
    strength1, strength2 = _strength("l1", l1, w), _strength("l2", l2, w)
    return _total(strength1 * w.abs() + strength2 / 2 * w * w, run_axes, l1, l2).to(weight.dtype)


def elastic_net_gradient(
    weight: Float[Tensor, "*shape"], l1: float | Float[Tensor, "*own1"], l2: float | Float[Tensor, "*own2"]
) -> Float[Tensor, "*shape"]:
    """Give a subgradient of `elastic_net_penalty`.

    Equation, arguments and errors as in `dlnotes.numpy.weight_penalties.elastic_net_gradient`.
    """
    w = _working("weight", weight)
    return (_strength("l1", l1, w) * _sign(w) + _strength("l2", l2, w) * w).to(weight.dtype)


def soft_threshold(x: Float[Tensor, "*shape"], threshold: float | Float[Tensor, "*runs"]) -> Float[Tensor, "*shape"]:
    """Move every number towards 0 by the threshold, and those nearer than that to exactly 0: the proximal step of L1.

    Equation, arguments and errors as in `dlnotes.numpy.weight_penalties.soft_threshold`.
    """
    working = _working("x", x)
    if isinstance(checks.reals("threshold", threshold, at_least=0), Tensor):
        checks.shaped("threshold", threshold, x.shape[: threshold.ndim], of="the leading axes of x")
    bound = many_runs.aligned(threshold, working)
    return (working - working.clamp(-bound, bound)).to(x.dtype)


def group_soft_threshold(
    weight: Float[Tensor, "*shape"], threshold: float | Float[Tensor, "*own"], run_axes: int = 0
) -> Float[Tensor, "*shape"]:
    """Shorten the incoming weights of each unit by the threshold, and those shorter than that to exactly 0.

    Equation, arguments and errors as in `dlnotes.numpy.weight_penalties.group_soft_threshold`.
    """
    run_axes = checks.integer("run_axes", run_axes, at_least=0)
    checks.rank("weight", checks.floating("weight", weight), at_least=run_axes + 2)
    if isinstance(checks.reals("threshold", threshold, at_least=0), Tensor):
        checks.shaped("threshold", threshold, weight.shape[:run_axes][: threshold.ndim], of="the runs")
    working = _working("weight", weight)
    lengths = gradient_clipping.unit_norms(working, run_axes)
    bound = many_runs.aligned(threshold, lengths)
    kept = 1 - torch.where(lengths <= bound, 1.0, bound / lengths)
    return (working * kept).to(weight.dtype)


def max_norm(
    weight: Float[Tensor, "*shape"], limit: float | Float[Tensor, "*own"], run_axes: int = 0
) -> Float[Tensor, "*shape"]:
    """Shorten the incoming weights of each unit that are longer than the limit; the direction stays.

    Equation, arguments and errors as in `dlnotes.numpy.weight_penalties.max_norm`.
    """
    run_axes = checks.integer("run_axes", run_axes, at_least=0)
    checks.rank("weight", checks.floating("weight", weight), at_least=run_axes + 2)
    if isinstance(checks.reals("limit", limit, above=0), Tensor):
        checks.shaped("limit", limit, weight.shape[:run_axes][: limit.ndim], of="the runs of weight")
        limit = limit.reshape(limit.shape + (1,) * (weight.ndim - limit.ndim))
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

    Equation, arguments and errors as in `dlnotes.numpy.weight_penalties.PenaltyGradient`.
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

    Equation, arguments and errors as in `dlnotes.numpy.weight_penalties.DecoupledWeightDecay`.
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
        share = rate * strength
        chosen = [name for name in grads if name.endswith(self.suffix)]
        decayed = {name: grads[name] - l2_gradient(params[name], share) for name in chosen}
        return {**grads, **decayed}, PenaltyState(state.step + 1)


@dataclass(frozen=True, eq=False)
class ProximalL1(_Penalty):
    """Follow a step by soft thresholding, which sets small weights to exactly 0. It stands last in the chain.

    Equation, arguments and errors as in `dlnotes.numpy.weight_penalties.ProximalL1`.
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
        threshold = rate * strength
        chosen = [name for name in grads if name.endswith(self.suffix)]
        moved = {name: soft_threshold(params[name] + grads[name], threshold) - params[name] for name in chosen}
        return {**grads, **moved}, PenaltyState(state.step + 1)


@dataclass(frozen=True, eq=False)
class ProximalGroups(_Penalty):
    """Follow a step by `group_soft_threshold`, which sets whole units to exactly 0. It stands last in the chain.

    Equation, arguments and errors as in `dlnotes.numpy.weight_penalties.ProximalGroups`.
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
        threshold = rate * strength
        moved = {}
        for name, u in grads.items():
            if name.endswith(self.suffix):
                landed = group_soft_threshold(params[name] + u, threshold, self.run_axes)
                moved[name] = landed - params[name]
        return {**grads, **moved}, PenaltyState(state.step + 1)


@dataclass(frozen=True, eq=False)
class MaxNorm(_Penalty):
    """Follow a step by `max_norm`. It stands last in the chain and leaves parameters of one axis, the biases, alone.

    Equation, arguments and errors as in `dlnotes.numpy.weight_penalties.MaxNorm`.
    """

    limit: float | Tensor
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
