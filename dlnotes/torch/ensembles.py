"""Averages of predictions and of weights in PyTorch; see `dlnotes.numpy.ensembles`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from dlnotes import checks, precision
from dlnotes.torch import many_runs

if TYPE_CHECKING:
    from jaxtyping import Float, Int

Tensors = dict[str, Tensor]


class WeightAverageState(NamedTuple):
    """How many sets of weights went into the average, and the average."""

    count: int
    average: Tensors


def _checked(log_probabilities: Tensor, axes: int = 3) -> Tensor:
    """Give log-probabilities back, or say that they are none: probabilities themselves are a likely slip."""
    checks.rank("log_probabilities", checks.floating("log_probabilities", log_probabilities), at_least=axes)
    checks.axis("log_probabilities", log_probabilities, -1, at_least=1, described="classes")
    if axes == 3:
        checks.axis("log_probabilities", log_probabilities, -3, at_least=1, described="members")
    if log_probabilities.numel() and not log_probabilities.is_cuda:
        checks.real("largest of log_probabilities", float(log_probabilities.max()), at_most=1e-5)
    return log_probabilities


def _shares(weights: Tensor | None, log_probabilities: Tensor) -> Tensor:
    """Give the share of each member, shaped to multiply the predictions."""
    members = log_probabilities.shape[-3]
    if weights is None:
        shares = log_probabilities.new_full((members,), 1 / members, dtype=torch.float64)
    else:
        checks.shaped("weights", checks.floating("weights", weights), (members,), of="the members")
        largest = checks.reals("weights", weights, at_least=0).max()
        checks.reals("largest of weights", largest, above=0)
        shares = precision.single(weights / largest)  # first, so that the sum is finite
        shares = shares / shares.sum()
    return shares.to(log_probabilities.dtype)[:, None, None]


@precision.rounded_once("log_probabilities")
def average_probabilities(
    log_probabilities: Float[Tensor, "*runs members examples classes"],
    *,
    weights: Float[Tensor, " members"] | None = None,
) -> Float[Tensor, "*runs examples classes"]:
    """Average the probabilities of the members, from logarithm to logarithm.

    Equation, arguments and errors as in `dlnotes.numpy.ensembles.average_probabilities`.
    """
    shares = _shares(weights, _checked(log_probabilities))
    return torch.logsumexp(log_probabilities + shares.log(), dim=-3)


@precision.rounded_once("log_probabilities")
def geometric_average(
    log_probabilities: Float[Tensor, "*runs members examples classes"],
    *,
    weights: Float[Tensor, " members"] | None = None,
) -> Float[Tensor, "*runs examples classes"]:
    """Average the log-probabilities of the members and normalize, which is what averaging their logits does.

    Equation, arguments and errors as in `dlnotes.numpy.ensembles.geometric_average`.
    """
    shares = _shares(weights, _checked(log_probabilities))
    # A member that counts 0 does not rule anything out: 0 * inf is taken as 0.
    average = torch.where(shares > 0, log_probabilities, 0)
    average = (shares * average).sum(dim=-3)
    return average - torch.logsumexp(average, dim=-1, keepdim=True)


@precision.rounded_once("log_probabilities")
def negative_log_likelihood(
    log_probabilities: Float[Tensor, "*runs examples classes"], labels: Int[Tensor, " examples"]
) -> Float[Tensor, "*runs"]:
    """Give the mean surprise of the labels.

    Equation, arguments and errors as in `dlnotes.numpy.ensembles.negative_log_likelihood`.
    """
    _checked(log_probabilities, axes=2)
    checks.axis("log_probabilities", log_probabilities, -2, at_least=1, described="examples")
    checks.labels("labels", labels, log_probabilities.shape[-1])
    examples = log_probabilities.shape[-2]
    checks.shaped("labels", labels, (examples,), of="log_probabilities")
    return -log_probabilities[..., torch.arange(examples, device=labels.device), labels].mean(dim=-1)


@precision.rounded_once("log_probabilities")
def jensen_gap(
    log_probabilities: Float[Tensor, "*runs members examples classes"], labels: Int[Tensor, " examples"]
) -> Float[Tensor, "*runs"]:
    """Give what averaging the probabilities gains over the mean member, in negative log-likelihood.

    Equation, arguments and errors as in `dlnotes.numpy.ensembles.jensen_gap`.
    """
    members = negative_log_likelihood(_checked(log_probabilities), labels).mean(dim=-1)
    return members - negative_log_likelihood(average_probabilities(log_probabilities), labels)


@precision.rounded_once("log_probabilities")
def disagreement(log_probabilities: Float[Tensor, "*runs members examples classes"]) -> Float[Tensor, "*runs"]:
    """Give the share of pairs of members, over all examples, that name another class.

    Equation, arguments and errors as in `dlnotes.numpy.ensembles.disagreement`.
    """
    members, _, classes = _checked(log_probabilities).shape[-3:]
    checks.axis("log_probabilities", log_probabilities, -3, at_least=2, described="members")
    checks.axis("log_probabilities", log_probabilities, -2, at_least=1, described="examples")
    named = log_probabilities.argmax(dim=-1)
    votes = (named[..., None] == torch.arange(classes, device=named.device)).sum(dim=-3).double()
    agreeing = (votes * (votes - 1)).sum(dim=-1) / (members * (members - 1))
    return (1 - agreeing.mean(dim=-1)).to(log_probabilities.dtype)


@dataclass(frozen=True, eq=False)
class ExponentialWeightAverage:
    """Average the weights along the way, the recent ones most.

    Equation, arguments and errors as in `dlnotes.numpy.ensembles.ExponentialWeightAverage`.
    """

    decay: float | Tensor = 0.999

    def __post_init__(self) -> None:
        checks.reals("decay", self.decay, at_least=0, below=1)

    def init(self, params: Tensors) -> WeightAverageState:
        """Begin at these weights."""
        return WeightAverageState(1, {name: precision.single(w).clone() for name, w in params.items()})

    def update(self, params: Tensors, state: WeightAverageState) -> WeightAverageState:
        """Take in the weights after another step."""
        checks.same_names("params", params, "state.average", state.average)
        average = {}
        for name, w in params.items():
            w = precision.single(w)
            decay, rest = many_runs.aligned(self.decay, w), many_runs.aligned(1 - self.decay, w)
            checks.same_shape(f"params[{name!r}]", w, f"state.average[{name!r}]", state.average[name])
            average[name] = decay * state.average[name] + rest * w
        return WeightAverageState(state.count + 1, average)


@dataclass(frozen=True, eq=False)
class EqualWeightAverage:
    """Average weights that all count alike: stochastic weight averaging, over the ends of cycles or of late epochs.

    Equation, arguments and errors as in `dlnotes.numpy.ensembles.EqualWeightAverage`.
    """

    def init(self, params: Tensors) -> WeightAverageState:
        """Begin with these weights as the first of the average."""
        return WeightAverageState(1, {name: precision.single(w).clone() for name, w in params.items()})

    def update(self, params: Tensors, state: WeightAverageState) -> WeightAverageState:
        """Take in another set of weights."""
        checks.same_names("params", params, "state.average", state.average)
        count = state.count + 1
        average = {}
        for name, w in params.items():
            own = checks.same_shape(f"state.average[{name!r}]", state.average[name], f"params[{name!r}]", w)
            average[name] = own + (precision.single(w) / count - own / count)  # a difference of w could overflow
        return WeightAverageState(count, average)
