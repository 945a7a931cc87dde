"""Averages of predictions and of weights in PyTorch; see `dlnotes.numpy.ensembles`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from dlnotes import checks, precision
from dlnotes.torch import many_runs

if TYPE_CHECKING:
    from jaxtyping import Float, Int

Tensors = dict[str, Tensor]


class Reliability(NamedTuple):
    """Predictions sorted by how sure they are: in each bin their share of all, their confidence, how many are right."""

    share: Tensor
    confidence: Tensor
    accuracy: Tensor


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


def _predictions(log_probabilities: Tensor, labels: Tensor) -> None:
    """Check predictions of at least one example, and its labels."""
    _checked(log_probabilities, axes=2)
    checks.axis("log_probabilities", log_probabilities, -2, at_least=1, described="examples")
    checks.labels("labels", labels, log_probabilities.shape[-1])
    checks.shaped("labels", labels, tuple(log_probabilities.shape[-2:-1]), of="log_probabilities")


@precision.rounded_once("log_probabilities")
def brier_score(
    log_probabilities: Float[Tensor, "*runs examples classes"], labels: Int[Tensor, " examples"]
) -> Float[Tensor, "*runs"]:
    """Give the mean squared distance of the probabilities from the labels.

    Equation, arguments and errors as in `dlnotes.numpy.ensembles.brier_score`.
    """
    _predictions(log_probabilities, labels)
    targets = (labels[:, None] == torch.arange(log_probabilities.shape[-1], device=labels.device)).to(
        log_probabilities.dtype
    )
    return ((log_probabilities.exp() - targets) ** 2).sum(dim=-1).mean(dim=-1)


@precision.rounded_once("log_probabilities")
def reliability(
    log_probabilities: Float[Tensor, "*runs examples classes"], labels: Int[Tensor, " examples"], bins: int = 10
) -> Reliability:
    """Sort predictions into bins of equal width by their largest probability, and see how often they are right.

    Equation, arguments and errors as in `dlnotes.numpy.ensembles.reliability`.
    """
    _predictions(log_probabilities, labels)
    bins = checks.integer("bins", bins, at_least=1)
    largest, named = log_probabilities.max(dim=-1)
    confidence = largest.exp()
    right = (named == labels).to(confidence.dtype)
    own = (confidence * bins).long().clamp(max=bins - 1)
    inside = (own[..., None] == torch.arange(bins, device=own.device)).to(confidence.dtype)
    counts = inside.sum(dim=-2)
    means = [(each[..., None] * inside).sum(dim=-2) / counts for each in (confidence, right)]
    return Reliability(counts / len(labels), *means)


@precision.rounded_once("log_probabilities")
def calibration_error(
    log_probabilities: Float[Tensor, "*runs examples classes"], labels: Int[Tensor, " examples"], bins: int = 10
) -> Float[Tensor, "*runs"]:
    """Give the mean gap between confidence and accuracy over the bins of `reliability`.

    Equation, arguments and errors as in `dlnotes.numpy.ensembles.calibration_error`.
    """
    found = reliability(log_probabilities, labels, bins)
    gaps = torch.where(found.share > 0, (found.accuracy - found.confidence).abs(), 0)
    return (found.share * gaps).sum(dim=-1)


@precision.rounded_once("log_probabilities")
def fit_temperature(
    log_probabilities: Float[Tensor, "*runs examples classes"], labels: Int[Tensor, " examples"]
) -> Float[Tensor, "*runs"]:
    """Find the temperature at which the labels surprise least.

    Equation, arguments and errors as in `dlnotes.numpy.ensembles.fit_temperature`.
    """
    _predictions(log_probabilities, labels)
    own = log_probabilities[..., torch.arange(len(labels), device=labels.device), labels].sum(dim=-1)
    finite = torch.where(log_probabilities.isfinite(), log_probabilities, 0)  # what is ruled out has no weight
    low = torch.full_like(own, math.log(1e-3))
    high = -low
    for _ in range(60):
        middle = (low + high) / 2
        scaled = middle.exp()[..., None, None] * log_probabilities
        rising = (torch.softmax(scaled, dim=-1) * finite).sum(dim=(-2, -1)) > own
        low, high = torch.where(rising, low, middle), torch.where(rising, middle, high)
    return (-(low + high) / 2).exp()


@dataclass(frozen=True, eq=False)
class ExponentialWeightAverage:
    """Average the weights along the way, the recent ones most.

    Equation, arguments and errors as in `dlnotes.numpy.ensembles.ExponentialWeightAverage`.
    """

    decay: float | Tensor = 0.999
    warm_up: float | Tensor = 0.0

    def __post_init__(self) -> None:
        checks.reals("decay", self.decay, at_least=0, below=1)
        checks.reals("warm_up", self.warm_up, at_least=0)

    def _decay(self, count: int) -> float | Tensor:
        """Give what is kept of an average of so many weights."""
        most = count / (count + self.warm_up)
        if not isinstance(self.decay, Tensor) and not isinstance(most, Tensor):
            return min(self.decay, most)
        return torch.minimum(torch.as_tensor(self.decay), torch.as_tensor(most))

    def init(self, params: Tensors) -> WeightAverageState:
        """Begin at these weights."""
        return WeightAverageState(1, {name: precision.single(w).clone() for name, w in params.items()})

    def update(self, params: Tensors, state: WeightAverageState) -> WeightAverageState:
        """Take in the weights after another step."""
        checks.same_names("params", params, "state.average", state.average)
        average, now = {}, self._decay(state.count)
        for name, w in params.items():
            w = precision.single(w)
            decay, rest = many_runs.aligned(now, w), many_runs.aligned(1 - now, w)
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
