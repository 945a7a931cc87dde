"""Descent with inertia, on any device; see `dlnotes.numpy.momentum`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import torch
from torch import Tensor

from dlnotes import checks
from dlnotes.torch import training

if TYPE_CHECKING:
    from jaxtyping import Float

Tensors = dict[str, Tensor]


class MomentumState(NamedTuple):
    """Steps taken, and the velocity of each parameter."""

    step: int
    velocity: Tensors


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
        training.check_rate("learning_rate", self.learning_rate)
        checks.reals("beta", self.beta, at_least=0)
        checks.reals("dampening", self.dampening)

    def init(self, params: Tensors) -> MomentumState:
        """Start at rest."""
        return MomentumState(0, training.zeros_like(params))

    @torch.no_grad()
    def update(self, grads: Tensors, state: MomentumState, params: Tensors) -> tuple[Tensors, MomentumState]:
        """Give what is to be added to the parameters, and the next state."""
        rate = training.at_step(self.learning_rate, state.step)
        beta = training.at_step(self.beta, state.step)
        share = 1 - training.at_step(self.dampening, state.step) if state.step else 1.0
        per_run = training.per_run
        velocity = {name: per_run(beta, g) * state.velocity[name] + per_run(share, g) * g for name, g in grads.items()}
        updates = {name: -per_run(rate, v) * v for name, v in velocity.items()}
        return updates, MomentumState(state.step + 1, velocity)


@dataclass(frozen=True, eq=False)
class Nesterov:
    """Momentum that looks ahead: the gradient acts once more on the step that it has just changed.

    Equation, arguments and errors as in `dlnotes.numpy.momentum.Nesterov`.
    """

    learning_rate: float | Tensor | Callable
    beta: float | Tensor = 0.9
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        training.check_rate("learning_rate", self.learning_rate)
        checks.reals("beta", self.beta, at_least=0)

    def init(self, params: Tensors) -> MomentumState:
        """Start at rest."""
        return MomentumState(0, training.zeros_like(params))

    @torch.no_grad()
    def update(self, grads: Tensors, state: MomentumState, params: Tensors) -> tuple[Tensors, MomentumState]:
        """Give what is to be added to the parameters, and the next state."""
        rate = training.at_step(self.learning_rate, state.step)
        beta = training.at_step(self.beta, state.step)
        per_run = training.per_run
        velocity = {name: per_run(beta, g) * state.velocity[name] + g for name, g in grads.items()}
        updates = {name: -per_run(rate, g) * (g + per_run(beta, g) * velocity[name]) for name, g in grads.items()}
        return updates, MomentumState(state.step + 1, velocity)


@torch.no_grad()
def _momentum_in_place(
    optimizer: Momentum | Nesterov, grads: Tensors, state: MomentumState, params: Tensors
) -> MomentumState:
    """Take the step of `Momentum` or `Nesterov`, writing over velocity and parameters."""
    rate, beta = (training.at_step(value, state.step) for value in (optimizer.learning_rate, optimizer.beta))
    dampening = getattr(optimizer, "dampening", 0.0) if state.step else 0.0
    share, per_run = 1 - training.at_step(dampening, state.step), training.per_run
    for name, g in grads.items():
        v = state.velocity[name].mul_(per_run(beta, g))
        if isinstance(share, Tensor):
            v.addcmul_(per_run(share, g), g)
        else:
            v.add_(g, alpha=share)
        moved = v if isinstance(optimizer, Momentum) else g + per_run(beta, g) * v
        if isinstance(rate, Tensor):
            params[name].addcmul_(per_run(rate, g), moved, value=-1)
        else:
            params[name].add_(moved, alpha=-rate)
    return MomentumState(state.step + 1, state.velocity)


Momentum.update.in_place = Nesterov.update.in_place = _momentum_in_place


def exponential_moving_average(
    values: Float[Tensor, "*runs time"], beta: float | Float[Tensor, "*runs"], bias_correction: bool = True
) -> Float[Tensor, "*runs time"]:
    """Average the values so far, the recent ones most.

    Equation, arguments and errors as in `dlnotes.numpy.momentum.exponential_moving_average`.
    """
    checks.rank("values", checks.floating("values", values), at_least=1)
    checks.reals("beta", beta, at_least=0, below=1)
    beta = training.at_step(beta, 0)
    kept, share = training.per_run(beta, values), training.per_run(1 - beta, values)
    averages, average = torch.empty_like(values), torch.zeros_like(values[..., :1])
    for t in range(values.shape[-1]):
        average = kept * average + share * values[..., t : t + 1]
        averages[..., t : t + 1] = average
    if bias_correction:
        times = torch.arange(1, values.shape[-1] + 1, device=values.device)
        base = torch.as_tensor(beta, dtype=torch.float64, device=values.device).unsqueeze(-1)
        averages /= (1 - base**times).to(values.dtype)
    return averages
