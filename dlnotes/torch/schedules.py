"""Learning rates as functions of the step, with one number a run on any device; see `dlnotes.numpy.schedules`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from dlnotes import checks
from dlnotes.torch import many_runs

Tensors = dict[str, Tensor]
Number = int | float | Tensor


def _steps(step: Number, *others: Number) -> Tensor:
    """Give the step in float64, on the device of what it will meet; on the host it costs no wait."""
    device = next((other.device for other in (step, *others) if isinstance(other, Tensor)), None)
    dtype = torch.float32 if device is not None and device.type == "mps" else torch.float64
    return torch.as_tensor(step, dtype=dtype, device=device)


def step_decay(step: Number, learning_rate: Number, every: int, factor: Number = 0.1) -> Tensor:
    """Lower the rate by a factor every so many steps.

    Equation, arguments and errors as in `dlnotes.numpy.schedules.step_decay`.
    """
    checks.reals("step", step, at_least=0)
    checks.reals("learning_rate", learning_rate, at_least=0)
    checks.integer("every", every, at_least=1)
    checks.reals("factor", factor, above=0, at_most=1)
    return learning_rate * torch.pow(factor, torch.floor(_steps(step, learning_rate, factor) / every))


def exponential_decay(step: Number, learning_rate: Number, factor: Number) -> Tensor:
    """Lower the rate by the same factor in every step.

    Equation, arguments and errors as in `dlnotes.numpy.schedules.exponential_decay`.
    """
    checks.reals("step", step, at_least=0)
    checks.reals("learning_rate", learning_rate, at_least=0)
    checks.reals("factor", factor, above=0, at_most=1)
    return learning_rate * torch.pow(factor, _steps(step, learning_rate, factor))


def inverse_time_decay(step: Number, learning_rate: Number, decay: Number, power: Number = 1.0) -> Tensor:
    """Lower the rate like a power of one over time.

    Equation, arguments and errors as in `dlnotes.numpy.schedules.inverse_time_decay`.
    """
    checks.reals("step", step, at_least=0)
    checks.reals("learning_rate", learning_rate, at_least=0)
    checks.reals("decay", decay, at_least=0)
    checks.reals("power", power, at_least=0)
    return learning_rate / torch.pow(1 + decay * _steps(step, learning_rate, decay, power), power)


def cosine(step: Number, learning_rate: Number, steps: int, final_rate: Number = 0.0) -> Tensor:
    """Lower the rate along half a cosine, and keep it there.

    Equation, arguments and errors as in `dlnotes.numpy.schedules.cosine`.
    """
    checks.reals("step", step, at_least=0)
    checks.reals("learning_rate", learning_rate, at_least=0)
    checks.integer("steps", steps, at_least=1)
    checks.reals("final_rate", final_rate, at_least=0)
    share = (_steps(step, learning_rate, final_rate) / steps).clamp(max=1)
    return final_rate + (learning_rate - final_rate) * ((1 + torch.cos(math.pi * share)) / 2)


def linear(step: Number, learning_rate: Number, steps: int, final_rate: Number = 0.0) -> Tensor:
    """Lower the rate in a straight line, and keep it there.

    Equation, arguments and errors as in `dlnotes.numpy.schedules.linear`.
    """
    checks.reals("step", step, at_least=0)
    checks.reals("learning_rate", learning_rate, at_least=0)
    checks.integer("steps", steps, at_least=1)
    checks.reals("final_rate", final_rate, at_least=0)
    left = (1 - _steps(step, learning_rate, final_rate) / steps).clamp(min=0)
    return final_rate + (learning_rate - final_rate) * left


def one_minus_sqrt(step: Number, learning_rate: Number, steps: int, final_rate: Number = 0.0) -> Tensor:
    """Lower the rate like one minus a root, fast at first, and keep it there.

    Equation, arguments and errors as in `dlnotes.numpy.schedules.one_minus_sqrt`.
    """
    checks.reals("step", step, at_least=0)
    checks.reals("learning_rate", learning_rate, at_least=0)
    checks.integer("steps", steps, at_least=1)
    checks.reals("final_rate", final_rate, at_least=0)
    share = (_steps(step, learning_rate, final_rate) / steps).clamp(max=1)
    return final_rate + (learning_rate - final_rate) * (1 - torch.sqrt(share))


def cosine_restarts(
    step: Number, learning_rate: Number, steps: int, growth: int = 1, final_rate: Number = 0.0
) -> Tensor:
    """Lower the rate along half a cosine, jump back up, and begin again with a longer one.

    Equation, arguments and errors as in `dlnotes.numpy.schedules.cosine_restarts`.
    """
    checks.reals("step", step, at_least=0)
    checks.reals("learning_rate", learning_rate, at_least=0)
    checks.integer("steps", steps, at_least=1)
    checks.integer("growth", growth, at_least=1)
    checks.reals("final_rate", final_rate, at_least=0)
    position = _steps(step, learning_rate, final_rate)
    position = position.remainder(steps) if growth == 1 else position
    length = torch.full_like(position, steps)
    while (over := position >= length).any():
        position = torch.where(over, position - length, position)
        length = torch.where(over, growth * length, length)
    return final_rate + (learning_rate - final_rate) * ((1 + torch.cos(math.pi * position / length)) / 2)


def one_cycle(
    step: Number, learning_rate: Number, steps: int, rise: float = 0.3, start: float = 25.0, end: float = 1e4
) -> Tensor:
    """Raise the rate along half a cosine, and lower it along another one, far below where it began.

    Equation, arguments and errors as in `dlnotes.numpy.schedules.one_cycle`.
    """
    checks.reals("step", step, at_least=0)
    checks.reals("learning_rate", learning_rate, at_least=0)
    checks.integer("steps", steps, at_least=2)
    checks.real("rise", rise, at_least=0, below=1)
    checks.real("start", start, above=0)
    checks.real("end", end, above=0)
    top, taken = max(rise * steps - 1, 0.0), _steps(step, learning_rate)
    risen = (taken / top).clamp(max=1) if top else torch.ones_like(taken)
    fallen = ((taken - top) / (steps - 1 - top)).clamp(0, 1) if steps - 1 > top else torch.ones_like(taken)
    up = 1 / start + (1 - 1 / start) * ((1 - torch.cos(math.pi * risen)) / 2)
    low = 1 / (start * end)
    down = low + (1 - low) * ((1 + torch.cos(math.pi * fallen)) / 2)
    return learning_rate * torch.where(taken <= top, up, down)


def warm_up(step: Number, learning_rate: Number, steps: int) -> Tensor:
    """Raise the rate in a straight line, and keep it there.

    Equation, arguments and errors as in `dlnotes.numpy.schedules.warm_up`.
    """
    checks.reals("step", step, at_least=0)
    checks.reals("learning_rate", learning_rate, at_least=0)
    checks.integer("steps", steps, at_least=0)
    return learning_rate * ((_steps(step, learning_rate) + 1) / (steps + 1)).clamp(max=1)


def join(step: Number, parts: Sequence[Callable[[Number], Number]], boundaries: Sequence[int]) -> Number:
    """Let one schedule follow another, each counted from 0 where it begins.

    Equation, arguments and errors as in `dlnotes.numpy.schedules.join`.
    """
    checks.reals("step", step, at_least=0)
    count = checks.integer("number of parts", len(parts), at_least=1)
    starts = (0, *checks.not_falling("boundaries", boundaries, count - 1))
    if not isinstance(step, Tensor) or step.ndim == 0:
        current = sum(start <= step for start in starts) - 1
        return parts[current](step - starts[current])
    rate = parts[0](step)
    for part, start in zip(parts[1:], starts[1:], strict=True):
        rate = torch.where(step >= start, part((step - start).clamp(min=0)), rate)
    return rate


def warm_up_stable_decay(
    step: Number,
    learning_rate: Number,
    warm_up_steps: int,
    stable_steps: int,
    decay_steps: int,
    final_rate: Number = 0.0,
) -> Tensor:
    """Raise the rate, hold it, and lower it in a straight line at the end.

    Equation, arguments and errors as in `dlnotes.numpy.schedules.warm_up_stable_decay`.
    """
    checks.reals("step", step, at_least=0)
    checks.integer("stable_steps", stable_steps, at_least=0)
    checks.integer("decay_steps", decay_steps, at_least=1)
    checks.integer("warm_up_steps", warm_up_steps, at_least=0)
    checks.reals("final_rate", final_rate, at_least=0)
    end = warm_up_steps + stable_steps + decay_steps
    left = ((end - _steps(step, learning_rate, final_rate)) / decay_steps).clamp(0, 1)
    return final_rate + (warm_up(step, learning_rate, warm_up_steps) - final_rate) * left


def exponential_sweep(step: Number, lowest: Number, highest: Number, steps: int) -> Tensor:
    """Raise the rate by the same factor in every step, from the lowest to the highest: the sweep of a range test.

    Equation, arguments and errors as in `dlnotes.numpy.schedules.exponential_sweep`.
    """
    checks.reals("step", step, at_least=0)
    checks.reals("lowest", lowest, above=0)
    checks.reals("highest", highest, above=0)
    checks.integer("steps", steps, at_least=2)
    share = _steps(step, lowest, highest) / (steps - 1)
    return torch.pow(lowest, 1 - share) * torch.pow(highest, share)


class ScaleState(NamedTuple):
    """Steps taken."""

    step: int


@dataclass(frozen=True, eq=False)
class Scale:
    """Multiply what comes from the parts of a chain before it, by a number or a schedule.

    Equation, arguments and errors as in `dlnotes.numpy.schedules.Scale`.
    """

    factor: float | Tensor | Callable
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not callable(self.factor):
            checks.reals("factor", self.factor)

    def init(self, params: Tensors) -> ScaleState:
        """Start at step 0."""
        return ScaleState(0)

    @torch.no_grad()
    def update(self, grads: Tensors, state: ScaleState, params: Tensors) -> tuple[Tensors, ScaleState]:
        """Give the scaled gradients, and the next state."""
        factor = many_runs.at_step(self.factor, state.step)
        return {name: many_runs.aligned(factor, g) * g for name, g in grads.items()}, ScaleState(state.step + 1)
