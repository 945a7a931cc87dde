"""Mini-batches and the gradient step they are taken for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from dlnotes import checks, optimizers
from dlnotes.numpy import many_runs

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    # NumPy gives a scalar where an array would have no axes.
    Array = np.ndarray | np.generic


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


def stratified_order(
    labels: Int[np.ndarray, " examples"], generator: np.random.Generator
) -> Int[np.ndarray, " examples"]:
    """Draw an order in which every stretch holds each class in its share, or nearly.

        the k-th example of class c, in random order, comes at the place (k + u_c) / n_c,  u_c uniform in [0, 1)

    With C classes a stretch of b examples out of N holds b n_c / N of class c, give or take at most 1 + C n_c / N: two
    if the classes are alike. A plain shuffle gives or takes about the root of b n_c / N.

    Args:
        labels: A class an example.
        generator: Draws the order within each class, and where each class begins.

    Returns:
        Each number from 0 to examples - 1 once.

    Raises:
        TypeError: If `labels` does not hold integers, or `generator` is no numpy Generator.
        ValueError: If `labels` is not one row of at least one example.

    Source: systematic sampling within strata; Zhao and Zhang (2014) for its use in descent.
    """
    checks.rank("labels", checks.integers("labels", labels), exactly=1)
    checks.axis("labels", labels, 0, at_least=1, described="examples")
    checks.instance("generator", generator, np.random.Generator, "a numpy Generator")
    places = np.empty(len(labels))
    for own in (np.flatnonzero(labels == label) for label in np.unique(labels)):
        places[generator.permutation(own)] = (np.arange(len(own)) + generator.random()) / len(own)
    return np.argsort(places, kind="stable")


def batch_variance(batch_size: int, examples: int | None = None) -> float:
    """Give the variance of a batch's mean gradient, over that of a single example's.

        with replacement:     1 / b
        without replacement:  (1 / b) (N - b) / (N - 1)

    The variance of a single example is the mean of |g_i - G|^2 over the N examples, G their mean.

    Args:
        batch_size: b, at least 1.
        examples: N, at least b, for a batch drawn without replacement; None for one drawn with it.

    Returns:
        The factor, from 0 for all examples without replacement to 1 for one.

    Raises:
        ValueError: If a number is out of range.

    Source: derived in minibatch#eq-without; known from the sampling of finite populations.
    """
    batch_size = checks.integer("batch_size", batch_size, at_least=1)
    if examples is None:
        return 1 / batch_size
    examples = checks.integer("examples", examples, at_least=batch_size)
    return (examples - batch_size) / (batch_size * max(1, examples - 1))


class NoiseScale(NamedTuple):
    """How large the noise of single gradients is beside the gradient.

    Attributes:
        signal: |G|^2, the squared length of the mean gradient, without bias; it may be negative where noise hides it.
        noise: The variance of a single example's gradient, summed over the parameters, without bias.
        scale: noise / signal, in examples: a batch of that size has as much noise as signal.
    """

    signal: Float[Array, "*runs"]
    noise: Float[Array, "*runs"]
    scale: Float[Array, "*runs"]


def noise_scale(gradients: Float[np.ndarray, "*runs examples parameters"]) -> NoiseScale:
    """Estimate the gradient noise scale from the gradients of single examples.

        noise = sum_i |g_i - g|^2 / (n - 1),    signal = |g|^2 - noise / n,    scale = noise / signal

    g is the mean of the n gradients. Its squared length is too large by noise / n on average, which is taken off: the
    examples are taken to be a sample. To have the scale of these examples alone, leave it: noise / |g|^2.

    Args:
        gradients: g_i, one row an example, at least two.

    Returns:
        Signal, noise and their ratio, for each run.

    Raises:
        TypeError: If `gradients` does not hold floating-point numbers of at least 32 bits.
        ValueError: If there are fewer than two examples.

    Source: McCandlish et al. (2018), the simple noise scale; the estimators are the unbiased ones of a variance
        and of a squared mean.
    """
    checks.rank("gradients", checks.at_least_single("gradients", gradients), at_least=2)
    checks.axis("gradients", gradients, -2, at_least=2, described="examples")
    count, mean = gradients.shape[-2], gradients.mean(-2)
    noise = ((gradients - mean[..., None, :]) ** 2).sum((-2, -1)) / (count - 1)
    signal = (mean**2).sum(-1) - noise / count
    with np.errstate(divide="ignore", invalid="ignore"):
        return NoiseScale(signal, noise, noise / signal)


def mean_gradient(gradients: Sequence[Mapping[str, np.ndarray]], counts: Sequence[int]) -> dict[str, np.ndarray]:
    """Join the mean gradients of parts of a batch to that of the whole, however unequal the parts.

        g = sum_k n_k g_k / sum_k n_k

    The parts may be micro-batches, one after the other, or shards on several devices.

    Args:
        gradients: g_k, for each part the gradient of its mean loss.
        counts: n_k, how many examples each part holds, at least 1. Where a loss is a mean over tokens or pixels, count
            those.

    Returns:
        The gradient of the mean loss over all examples of the parts.

    Raises:
        TypeError: If a count is no whole number.
        ValueError: If there is no part, the counts do not fit the parts, or the parts do not fit each other.

    Source: a mean of means, weighted; derived in minibatch#eq-parts.
    """
    checks.integer("the number of gradients", len(gradients), at_least=1)
    if len(counts) != len(gradients):
        raise ValueError(f"counts must be one a part, {len(gradients)}, got {len(counts)}")
    counts = [checks.integer("counts", count, at_least=1) for count in counts]
    for part in gradients[1:]:
        checks.same_arrays("a part of gradients", part, "the first", gradients[0])
    shares = [count / sum(counts) for count in counts]
    return {
        name: sum(share * part[name] for share, part in zip(shares, gradients, strict=True)) for name in gradients[0]
    }
