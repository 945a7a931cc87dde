"""Mini-batches and the gradient step they are taken for, on any device; see `dlnotes.numpy.minibatch`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import torch
from torch import Tensor

from dlnotes import checks, optimizers
from dlnotes.torch import many_runs

if TYPE_CHECKING:
    from jaxtyping import Float, Int

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


def stratified_order(labels: Int[Tensor, " examples"], generator: torch.Generator) -> Int[Tensor, " examples"]:
    """Draw an order in which every stretch holds each class in its share, or nearly.

    Equation, arguments and errors as in `dlnotes.numpy.minibatch.stratified_order`; drawn and given on the generator's
    device.
    """
    checks.rank("labels", checks.integers("labels", labels), exactly=1)
    checks.axis("labels", labels, 0, at_least=1, described="examples")
    checks.instance("generator", generator, torch.Generator, "a torch Generator")
    labels, device = labels.to(generator.device), generator.device
    places = torch.empty(len(labels), device=device)
    for own in ((labels == label).nonzero()[:, 0] for label in labels.unique()):
        shuffled = own[torch.randperm(len(own), generator=generator, device=device)]
        start = torch.rand((), generator=generator, device=device)
        places[shuffled] = (torch.arange(len(own), device=device) + start) / len(own)
    return places.argsort(stable=True)


class NoiseScale(NamedTuple):
    """How large the noise of single gradients is beside the gradient; see `dlnotes.numpy.minibatch.NoiseScale`."""

    signal: Float[Tensor, "*runs"]
    noise: Float[Tensor, "*runs"]
    scale: Float[Tensor, "*runs"]


def noise_scale(gradients: Float[Tensor, "*runs examples parameters"]) -> NoiseScale:
    """Estimate the gradient noise scale from the gradients of single examples, which `torch.func` gives.

    Equation, arguments and errors as in `dlnotes.numpy.minibatch.noise_scale`.
    """
    checks.rank("gradients", checks.at_least_single("gradients", gradients), at_least=2)
    checks.axis("gradients", gradients, -2, at_least=2, described="examples")
    count, mean = gradients.shape[-2], gradients.mean(-2)
    noise = ((gradients - mean[..., None, :]) ** 2).sum((-2, -1)) / (count - 1)
    signal = (mean**2).sum(-1) - noise / count
    return NoiseScale(signal, noise, noise / signal)


def mean_gradient(gradients: Sequence[Mapping[str, Tensor]], counts: Sequence[int]) -> Tensors:
    """Join the mean gradients of parts of a batch to that of the whole, however unequal the parts.

    Equation, arguments and errors as in `dlnotes.numpy.minibatch.mean_gradient`.
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
