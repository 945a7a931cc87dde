"""Descent with inertia, on any device; see `dlnotes.numpy.momentum`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import torch
from torch import Tensor

from dlnotes import checks, optimizers, precision
from dlnotes.torch import many_runs

if TYPE_CHECKING:
    from jaxtyping import Float

Tensors = dict[str, Tensor]


class MomentumState(NamedTuple):
    """Steps taken, and the velocity of each parameter."""

    step: int
    velocity: Tensors


def _add_times(to: Tensor, factor: float | Tensor, array: Tensor) -> None:
    """Add a multiple of a tensor to another, in one pass."""
    if isinstance(factor, Tensor):
        to.addcmul_(many_runs.aligned(factor, array), array)
    else:
        to.add_(array, alpha=factor)


@dataclass(frozen=True, eq=False)
class Momentum:
    """The heavy ball: step along a decaying sum of past gradients.

    Equation, arguments and errors as in `dlnotes.numpy.momentum.Momentum`.
    """

    learning_rate: float | Tensor | Callable
    beta: float | Tensor = 0.9
    dampening: float | Tensor = 0.0
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        optimizers.check_rate("learning_rate", self.learning_rate)
        checks.reals("beta", self.beta, at_least=0)
        checks.reals("dampening", self.dampening)

    def init(self, params: Tensors) -> MomentumState:
        """Start at rest."""
        return MomentumState(0, many_runs.zeros_like(params))

    @torch.no_grad()
    def update(self, grads: Tensors, state: MomentumState, params: Tensors) -> tuple[Tensors, MomentumState]:
        """Give what is to be added to the parameters, and the next state."""
        checks.same_names("grads", grads, "params", params)
        rate = many_runs.rate_at_step(self.learning_rate, state.step)
        beta = many_runs.rate_at_step(self.beta, state.step, "beta")
        share = 1 - many_runs.at_step(self.dampening, state.step, "dampening") if state.step else 1.0
        aligned = many_runs.aligned
        velocity = {name: aligned(beta, g) * state.velocity[name] + aligned(share, g) * g for name, g in grads.items()}
        updates = {name: -aligned(rate, v) * v for name, v in velocity.items()}
        return updates, MomentumState(state.step + 1, velocity)

    in_place_of: ClassVar[Callable] = update

    @torch.no_grad()
    def update_in_place(
        self, grads: Tensors, state: MomentumState, params: Tensors, scratch: Tensors | None = None
    ) -> MomentumState:
        """Write the step of `update` over velocity and parameters."""
        rate = many_runs.rate_at_step(self.learning_rate, state.step)
        beta = many_runs.rate_at_step(self.beta, state.step, "beta")
        share = 1 - many_runs.at_step(self.dampening, state.step, "dampening") if state.step else 1.0
        for name, g in grads.items():
            v = state.velocity[name].mul_(many_runs.aligned(beta, g))
            _add_times(v, share, g)
            _add_times(params[name], -rate, v)
        return MomentumState(state.step + 1, state.velocity)


@dataclass(frozen=True, eq=False)
class Nesterov:
    """Momentum that looks ahead: the gradient acts once more on the step that it has just changed.

    Equation, arguments and errors as in `dlnotes.numpy.momentum.Nesterov`.
    """

    learning_rate: float | Tensor | Callable
    beta: float | Tensor = 0.9
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        optimizers.check_rate("learning_rate", self.learning_rate)
        checks.reals("beta", self.beta, at_least=0)

    def init(self, params: Tensors) -> MomentumState:
        """Start at rest."""
        return MomentumState(0, many_runs.zeros_like(params))

    @torch.no_grad()
    def update(self, grads: Tensors, state: MomentumState, params: Tensors) -> tuple[Tensors, MomentumState]:
        """Give what is to be added to the parameters, and the next state."""
        checks.same_names("grads", grads, "params", params)
        rate = many_runs.rate_at_step(self.learning_rate, state.step)
        beta = many_runs.rate_at_step(self.beta, state.step, "beta")
        aligned = many_runs.aligned
        velocity = {name: aligned(beta, g) * state.velocity[name] + g for name, g in grads.items()}
        updates = {name: -aligned(rate, g) * (g + aligned(beta, g) * velocity[name]) for name, g in grads.items()}
        return updates, MomentumState(state.step + 1, velocity)

    in_place_of: ClassVar[Callable] = update

    @torch.no_grad()
    def update_in_place(
        self, grads: Tensors, state: MomentumState, params: Tensors, scratch: Tensors | None = None
    ) -> MomentumState:
        """Write the step of `update` over velocity and parameters."""
        rate = many_runs.rate_at_step(self.learning_rate, state.step)
        beta = many_runs.rate_at_step(self.beta, state.step, "beta")
        for name, g in grads.items():
            v = state.velocity[name].mul_(many_runs.aligned(beta, g))
            _add_times(v, 1.0, g)
            _add_times(params[name], -rate, g + many_runs.aligned(beta, g) * v)
        return MomentumState(state.step + 1, state.velocity)


@precision.rounded_once("values")
def exponential_moving_average(
    values: Float[Tensor, "*runs time"], beta: float | Float[Tensor, "*runs"], bias_correction: bool = True
) -> Float[Tensor, "*runs time"]:
    """Average the values so far, the recent ones most.

    Equation, arguments and errors as in `dlnotes.numpy.momentum.exponential_moving_average`.
    """
    checks.rank("values", checks.floating("values", values), at_least=1)
    checks.reals("beta", beta, at_least=0, below=1)
    beta = many_runs.at_step(beta, 0)
    kept, share = many_runs.aligned(beta, values), many_runs.aligned(1 - beta, values)
    averages, average = torch.empty_like(values), torch.zeros_like(values[..., :1])
    for t in range(values.shape[-1]):
        average = kept * average + share * values[..., t : t + 1]
        averages[..., t : t + 1] = average
    if bias_correction:
        times = torch.arange(1, values.shape[-1] + 1, device=values.device)
        base = torch.as_tensor(beta, dtype=torch.float64, device=values.device).unsqueeze(-1)
        averages /= (1 - base**times).to(values.dtype)
    return averages
