"""Mini-batches and the gradient step they are taken for, on any device; see `dlnotes.numpy.minibatch`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import torch
from torch import Tensor

from dlnotes import checks, optimizers
from dlnotes.torch import many_runs

if TYPE_CHECKING:
    from jaxtyping import Int

Tensors = dict[str, Tensor]


class SGDState(NamedTuple):
    """What descent remembers: how many steps it has taken, for schedules."""

    step: int


@dataclass(frozen=True, eq=False)
class SGD:
    """Gradient descent; on mini-batches it is stochastic.

    Equation, arguments and errors as in `dlnotes.numpy.minibatch.SGD`.
    """

    learning_rate: float | Tensor | Callable
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        optimizers.check_rate("learning_rate", self.learning_rate)

    def init(self, params: Tensors) -> SGDState:
        """Start at step 0."""
        return SGDState(0)

    @torch.no_grad()
    def update(self, grads: Tensors, state: SGDState, params: Tensors) -> tuple[Tensors, SGDState]:
        """Give what is to be added to the parameters, and the next state."""
        rate = many_runs.rate_at_step(self.learning_rate, state.step)
        return {name: -many_runs.aligned(rate, g) * g for name, g in grads.items()}, SGDState(state.step + 1)


def batches_per_epoch(examples: int, batch_size: int, drop_last: bool = False) -> int:
    """Count the updates that one pass over the examples makes.

    Equation, arguments and errors as in `dlnotes.numpy.minibatch.batches_per_epoch`.
    """
    examples = checks.integer("examples", examples, at_least=1)
    batch_size = checks.integer("batch_size", batch_size, at_least=1)
    whole = examples // batch_size
    return max(1, whole if drop_last else math.ceil(examples / batch_size))


def split_into_batches(
    order: Int[Tensor, "*runs examples"], batch_size: int, drop_last: bool = False
) -> list[Int[Tensor, "*runs batch"]]:
    """Cut an order of the examples into batches, the deterministic core of `epoch`.

    Arguments and errors as in `dlnotes.numpy.minibatch.split_into_batches`.
    """
    checks.rank("order", checks.integers("order", order), at_least=1)
    count = batches_per_epoch(order.shape[-1], batch_size, drop_last)
    return [order[..., i * batch_size : (i + 1) * batch_size] for i in range(count)]


def shuffled_order(
    examples: int, generator: torch.Generator, *, runs: tuple[int, ...] = ()
) -> Int[Tensor, "*runs examples"]:
    """Draw an order of the examples for each run, on the generator's device, every order as likely as every other.

    Arguments and errors as in `dlnotes.numpy.minibatch.shuffled_order`. All runs draw from the one generator: the order
    of uniform numbers in float64, among which two equal ones are too rare to matter.
    """
    examples = checks.integer("examples", examples, at_least=1)
    checks.instance("generator", generator, torch.Generator, "a torch Generator")
    shape = (*checks.shape("runs", runs), examples)
    dtype = torch.float32 if generator.device.type == "mps" else torch.float64  # that device has no float64
    return torch.rand(shape, generator=generator, device=generator.device, dtype=dtype).argsort(-1)


def epoch(
    examples: int,
    batch_size: int,
    generator: torch.Generator,
    *,
    runs: tuple[int, ...] = (),
    drop_last: bool = False,
) -> Iterator[Int[Tensor, "*runs batch"]]:
    """Go through all examples once, in mini-batches drawn without replacement.

    Arguments and errors as in `dlnotes.numpy.minibatch.epoch`; all runs draw from the one generator.
    """
    return iter(split_into_batches(shuffled_order(examples, generator, runs=runs), batch_size, drop_last))
