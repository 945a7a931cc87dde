"""Mini-batches and the gradient step they are taken for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from dlnotes import checks, optimizers
from dlnotes.numpy import many_runs

if TYPE_CHECKING:
    from jaxtyping import Int


class SGDState(NamedTuple):
    """What descent remembers: how many steps it has taken, for schedules."""

    step: int


@dataclass(frozen=True, eq=False)
class SGD:
    """Gradient descent; on mini-batches it is stochastic.

        update = -learning_rate * g

    Args:
        learning_rate: At least 0: a number, one a run, or a function of the step that gives either.

    Raises:
        ValueError: If the learning rate is negative or not finite.

    Source: Cauchy (1847) for the full gradient, Robbins and Monro (1951) for a noisy one.
    """

    learning_rate: float | np.ndarray | Callable
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        optimizers.check_rate("learning_rate", self.learning_rate)

    def init(self, params: dict[str, np.ndarray]) -> SGDState:
        """Start at step 0."""
        return SGDState(0)

    def update(
        self, grads: dict[str, np.ndarray], state: SGDState, params: dict[str, np.ndarray]
    ) -> tuple[dict[str, np.ndarray], SGDState]:
        """Give what is to be added to the parameters, and the next state."""
        rate = many_runs.rate_at_step(self.learning_rate, state.step)
        updates = {name: -many_runs.aligned(rate, g) * g for name, g in grads.items()}
        return updates, SGDState(state.step + 1)


def batches_per_epoch(examples: int, batch_size: int, drop_last: bool = False) -> int:
    """Count the updates that one pass over the examples makes.

        ceil(examples / batch_size), or floor where the last, smaller batch is dropped

    Args:
        examples: How many there are, at least 1.
        batch_size: How many a batch holds, at least 1; above `examples` it is one batch of all.
        drop_last: Leave the last batch out if it is smaller than the others. A batch of all examples is never left out.

    Returns:
        The number of batches, at least 1.

    Raises:
        ValueError: If a number is below 1.

    Source: definition.
    """
    examples = checks.integer("examples", examples, at_least=1)
    batch_size = checks.integer("batch_size", batch_size, at_least=1)
    whole = examples // batch_size
    return max(1, whole if drop_last else math.ceil(examples / batch_size))


def split_into_batches(
    order: Int[np.ndarray, "*runs examples"], batch_size: int, drop_last: bool = False
) -> list[Int[np.ndarray, "*runs batch"]]:
    """Cut an order of the examples into batches, the deterministic core of `epoch`.

    Args:
        order: Numbers of the examples, in the order in which they are to come; one order a run.
        batch_size: How many a batch holds, at least 1.
        drop_last: Leave the last batch out if it is smaller than the others.

    Returns:
        The batches, as views of `order`.

    Raises:
        TypeError: If `order` does not hold integers.
        ValueError: If `order` is empty or `batch_size` is below 1.

    Source: definition.
    """
    checks.rank("order", checks.integers("order", order), at_least=1)
    count = batches_per_epoch(order.shape[-1], batch_size, drop_last)
    return [order[..., i * batch_size : (i + 1) * batch_size] for i in range(count)]


def shuffled_order(
    examples: int, generator: np.random.Generator | np.ndarray, *, runs: tuple[int, ...] = ()
) -> Int[np.ndarray, "*runs examples"]:
    """Draw an order of the examples, every order as likely as every other.

    Args:
        examples: How many there are, at least 1.
        generator: Draws the order. With runs, each run draws from its own child, or from its own entry of an array.
        runs: The shape of the grid of runs.

    Returns:
        Each number from 0 to examples - 1 once, for each run.

    Raises:
        ValueError: If `examples` is below 1 or an array of generators does not have the shape of `runs`.

    Source: definition.
    """
    examples = checks.integer("examples", examples, at_least=1)
    generators = many_runs.generators(generator, runs)
    order = np.empty((*runs, examples), dtype=np.intp)
    for run in np.ndindex(*runs):
        order[run] = generators[run].permutation(examples)
    return order


def epoch(
    examples: int,
    batch_size: int,
    generator: np.random.Generator | np.ndarray,
    *,
    runs: tuple[int, ...] = (),
    drop_last: bool = False,
) -> Iterator[Int[np.ndarray, "*runs batch"]]:
    """Go through all examples once, in mini-batches drawn without replacement.

    Args:
        examples: How many there are, at least 1.
        batch_size: How many a batch holds, at least 1.
        generator: Draws the order. With runs, each run draws from its own child, or from its own entry of an array.
        runs: The shape of the grid of runs.
        drop_last: Leave the last batch out if it is smaller than the others.

    Returns:
        An iterator over batches, each the numbers of its examples.

    Raises:
        ValueError: If a number is below 1 or an array of generators does not have the shape of `runs`.

    Source: definition.
    """
    return iter(split_into_batches(shuffled_order(examples, generator, runs=runs), batch_size, drop_last))
