"""Several models as one: averages of their predictions, of their weights, which of them to take, how sure to be.

Predictions are log-probabilities of shape (*runs, members, examples, classes), as from `objective.log_softmax`: a
probability of 1e-400 is 0 as a number and -921 as a logarithm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import checks, precision
from dlnotes.numpy import many_runs

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    # NumPy gives a scalar where an array would have no axes.
    Array = np.ndarray | np.generic

Arrays = dict[str, np.ndarray]


class Selection(NamedTuple):
    """Members in the order in which they were chosen, some perhaps more than once, and the loss after each choice."""

    members: np.ndarray
    losses: np.ndarray


class Reliability(NamedTuple):
    """Predictions sorted by how sure they are: in each bin their share of all, their confidence, how many are right.

    Attributes:
        share: Share of the examples, shape (*runs, bins).
        confidence: Mean of the largest probability; nan in an empty bin.
        accuracy: Share of right predictions; nan in an empty bin.
    """

    share: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray


class WeightAverageState(NamedTuple):
    """How many sets of weights went into the average, and the average."""

    count: int
    average: Arrays


def _checked(log_probabilities: np.ndarray, axes: int = 3) -> np.ndarray:
    """Give log-probabilities back, or say that they are none: probabilities themselves are a likely slip."""
    checks.rank("log_probabilities", checks.floating("log_probabilities", log_probabilities), at_least=axes)
    checks.axis("log_probabilities", log_probabilities, -1, at_least=1, described="classes")
    if axes == 3:
        checks.axis("log_probabilities", log_probabilities, -3, at_least=1, described="members")
    if log_probabilities.size:
        checks.real("largest of log_probabilities", float(log_probabilities.max()), at_most=1e-5)
    return log_probabilities


def _shares(weights: np.ndarray | None, log_probabilities: np.ndarray) -> np.ndarray:
    """Give the share of each member, shaped to multiply the predictions."""
    members = log_probabilities.shape[-3]
    if weights is None:
        shares = np.full(members, 1 / members)
    else:
        checks.shaped("weights", checks.floating("weights", weights), (members,), of="the members")
        largest = checks.reals("weights", weights, at_least=0).max()
        checks.reals("largest of weights", largest, above=0)
        shares = precision.single(weights / largest)  # first, so that the sum is finite
        shares = shares / shares.sum()
    return shares.astype(log_probabilities.dtype)[:, None, None]


@precision.rounded_once("log_probabilities")
def average_probabilities(
    log_probabilities: Float[np.ndarray, "*runs members examples classes"],
    *,
    weights: Float[np.ndarray, " members"] | None = None,
) -> Float[np.ndarray, "*runs examples classes"]:
    """Average the probabilities of the members, from logarithm to logarithm.

        ln p = m + ln sum_k exp(a_k - m),    a_k = ln share_k + l_k,    m = max_k a_k
        shares 1/M, or in proportion to the weights

    Taken out of the exponentials, m keeps the average accurate where all members that count give a class next to no
    chance.

    Args:
        log_probabilities: l, shape (*runs, members, examples, classes), at least one member.
        weights: How much each member counts, at least 0 and not all 0; None counts all alike.

    Returns:
        Log-probabilities of the ensemble, shape (*runs, examples, classes); -inf where every member has it.

    Raises:
        TypeError: If an array does not hold floating-point numbers.
        ValueError: If there are no members, a number is above 0 (probabilities in place of logarithms, say), or the
            weights
            do not fit.

    Source: definition.
    """
    shares = _shares(weights, _checked(log_probabilities))
    with np.errstate(divide="ignore"):  # ln 0 = -inf is right where a member does not count
        return _log_sum_exp(np.log(shares) + log_probabilities, -3).squeeze(-3)


def _log_sum_exp(terms: np.ndarray, axis: int) -> np.ndarray:
    """Give ln sum exp along an axis, which is kept; -inf where all terms are."""
    largest = terms.max(axis=axis, keepdims=True)
    base = np.where(np.isfinite(largest), largest, 0)
    with np.errstate(divide="ignore"):
        return np.log(np.exp(terms - base).sum(axis=axis, keepdims=True)) + base


@precision.rounded_once("log_probabilities")
def geometric_average(
    log_probabilities: Float[np.ndarray, "*runs members examples classes"],
    *,
    weights: Float[np.ndarray, " members"] | None = None,
) -> Float[np.ndarray, "*runs examples classes"]:
    """Average the log-probabilities of the members and normalize, which is what averaging their logits does.

        ln p = a - ln sum_classes exp(a),    a = sum_k share_k l_k

    One member that rules a class out rules it out for all. Where every class is ruled out so, the result is nan.

    Args:
        log_probabilities: l, shape (*runs, members, examples, classes), at least one member.
        weights: How much each member counts, at least 0 and not all 0; None counts all alike.

    Returns:
        Log-probabilities of the ensemble, shape (*runs, examples, classes).

    Raises:
        TypeError: If an array does not hold floating-point numbers.
        ValueError: If there are no members, a number is above 0, or the weights do not fit.

    Derivation: the logits differ from l_k by a number for each example, which the normalization takes out again.

    Source: derived here.
    """
    shares = _shares(weights, _checked(log_probabilities))
    # A member that counts 0 does not rule anything out: 0 * inf is taken as 0.
    average = np.where(shares > 0, log_probabilities, 0)
    average = (shares * average).sum(axis=-3)
    with np.errstate(invalid="ignore"):
        return average - _log_sum_exp(average, -1)


@precision.rounded_once("log_probabilities")
def negative_log_likelihood(
    log_probabilities: Float[np.ndarray, "*runs examples classes"], labels: Int[np.ndarray, " examples"]
) -> Float[Array, "*runs"]:
    """Give the mean surprise of the labels.

        -1/N sum_i l_i,y_i

    Args:
        log_probabilities: l, shape (*runs, examples, classes); members may be among the runs.
        labels: y, the class of each example, from 0 to classes - 1.

    Returns:
        Nats an example, shape (*runs,).

    Raises:
        TypeError: If an array is of a wrong kind.
        ValueError: If there are no examples, a number is above 0, or the labels do not fit.

    Source: definition.
    """
    _checked(log_probabilities, axes=2)
    checks.axis("log_probabilities", log_probabilities, -2, at_least=1, described="examples")
    checks.labels("labels", labels, log_probabilities.shape[-1])
    examples = log_probabilities.shape[-2]
    checks.shaped("labels", labels, (examples,), of="log_probabilities")
    return -log_probabilities[..., np.arange(examples), labels].mean(axis=-1)


@precision.rounded_once("log_probabilities")
def jensen_gap(
    log_probabilities: Float[np.ndarray, "*runs members examples classes"], labels: Int[np.ndarray, " examples"]
) -> Float[Array, "*runs"]:
    """Give what averaging the probabilities gains over the mean member, in negative log-likelihood.

        1/M sum_k NLL(l_k) - NLL(ln 1/M sum_k exp(l_k)),    never negative, since -ln is convex (Jensen)

    Args:
        log_probabilities: l, shape (*runs, members, examples, classes), at least one member.
        labels: The class of each example, from 0 to classes - 1.

    Returns:
        Nats an example, shape (*runs,); 0 where all members say the same, inf where some but not all rule a label out,
        nan where all do.

    Raises:
        TypeError: If an array is of a wrong kind.
        ValueError: If there are no members or examples, a number is above 0, or the labels do not fit.

    Source: definition.
    """
    members = negative_log_likelihood(_checked(log_probabilities), labels).mean(axis=-1)
    with np.errstate(invalid="ignore"):
        return members - negative_log_likelihood(average_probabilities(log_probabilities), labels)


@precision.rounded_once("log_probabilities")
def disagreement(log_probabilities: Float[np.ndarray, "*runs members examples classes"]) -> Float[Array, "*runs"]:
    """Give the share of pairs of members, over all examples, that name another class.

        1 - mean_i sum_c n_ic (n_ic - 1) / (M (M - 1)),    n_ic = how many members name class c on example i

    Args:
        log_probabilities: Shape (*runs, members, examples, classes), at least two members and one example.

    Returns:
        From 0 to 1, shape (*runs,).

    Raises:
        TypeError: If `log_probabilities` does not hold floating-point numbers.
        ValueError: If there are fewer than two members or no examples, or a number is above 0.

    Source: definition.
    """
    members, _, classes = _checked(log_probabilities).shape[-3:]
    checks.axis("log_probabilities", log_probabilities, -3, at_least=2, described="members")
    checks.axis("log_probabilities", log_probabilities, -2, at_least=1, described="examples")
    named = log_probabilities.argmax(axis=-1)
    votes = (named[..., None] == np.arange(classes)).sum(axis=-3)
    agreeing = (votes * (votes - 1)).sum(axis=-1) / (members * (members - 1))
    return (1 - agreeing.mean(axis=-1)).astype(log_probabilities.dtype)


def _predictions(log_probabilities: np.ndarray, labels: np.ndarray) -> None:
    """Check predictions of at least one example, and its labels."""
    _checked(log_probabilities, axes=2)
    checks.axis("log_probabilities", log_probabilities, -2, at_least=1, described="examples")
    checks.labels("labels", labels, log_probabilities.shape[-1])
    checks.shaped("labels", labels, log_probabilities.shape[-2:-1], of="log_probabilities")


@precision.rounded_once("log_probabilities")
def brier_score(
    log_probabilities: Float[np.ndarray, "*runs examples classes"], labels: Int[np.ndarray, " examples"]
) -> Float[Array, "*runs"]:
    """Give the mean squared distance of the probabilities from the labels.

        1/N sum_i sum_c (p_ic - [c = y_i])^2

    Args:
        log_probabilities: ln p, shape (*runs, examples, classes); members may be among the runs.
        labels: y, the class of each example, from 0 to classes - 1.

    Returns:
        From 0 to 2, shape (*runs,).

    Raises:
        TypeError: If an array is of a wrong kind.
        ValueError: If there are no examples, a number is above 0, or the labels do not fit.

    Source: definition, as in ensembles#eq-brier.
    """
    _predictions(log_probabilities, labels)
    errors = np.exp(log_probabilities)
    errors[..., np.arange(len(labels)), labels] -= 1
    return (errors * errors).sum(axis=-1).mean(axis=-1)


@precision.rounded_once("log_probabilities")
def reliability(
    log_probabilities: Float[np.ndarray, "*runs examples classes"], labels: Int[np.ndarray, " examples"], bins: int = 10
) -> Reliability:
    """Sort predictions into bins of equal width by their largest probability, and see how often they are right.

        bin b holds the examples with b/B <= max_c p_ic < (b + 1)/B,    the last bin those of 1 too

    Args:
        log_probabilities: ln p, shape (*runs, examples, classes).
        labels: The class of each example, from 0 to classes - 1.
        bins: B, at least 1.

    Returns:
        Share, mean confidence and accuracy of each bin, from the least confidence up.

    Raises:
        TypeError: If an array is of a wrong kind.
        ValueError: If there are no examples, a number is above 0, the labels do not fit, or `bins` is below 1.

    Source: Guo et al. (2017).
    """
    _predictions(log_probabilities, labels)
    bins = checks.integer("bins", bins, at_least=1)
    confidence = np.exp(log_probabilities.max(axis=-1))
    right = (log_probabilities.argmax(axis=-1) == labels).astype(confidence.dtype)
    own = np.minimum((confidence * bins).astype(np.intp), bins - 1)
    inside = (own[..., None] == np.arange(bins)).astype(confidence.dtype)
    counts = inside.sum(axis=-2)
    with np.errstate(invalid="ignore"):  # 0 / 0 is nan, as an empty bin should be
        means = [(each[..., None] * inside).sum(axis=-2) / counts for each in (confidence, right)]
    return Reliability(counts / len(labels), *means)


@precision.rounded_once("log_probabilities")
def calibration_error(
    log_probabilities: Float[np.ndarray, "*runs examples classes"], labels: Int[np.ndarray, " examples"], bins: int = 10
) -> Float[Array, "*runs"]:
    """Give the mean gap between confidence and accuracy over the bins of `reliability`.

        sum_b share_b |accuracy_b - confidence_b|

    With few examples in a bin it is too large: chance alone keeps the two apart.

    Args:
        log_probabilities: ln p, shape (*runs, examples, classes).
        labels: The class of each example, from 0 to classes - 1.
        bins: At least 1.

    Returns:
        From 0 to 1, shape (*runs,).

    Raises:
        TypeError: If an array is of a wrong kind.
        ValueError: If there are no examples, a number is above 0, the labels do not fit, or `bins` is below 1.

    Source: Guo et al. (2017), as in ensembles#eq-calibration-error.
    """
    found = reliability(log_probabilities, labels, bins)
    gaps = np.where(found.share > 0, np.abs(found.accuracy - found.confidence), 0)
    return (found.share * gaps).sum(axis=-1)


@precision.rounded_once("log_probabilities")
def fit_temperature(
    log_probabilities: Float[np.ndarray, "*runs examples classes"], labels: Int[np.ndarray, " examples"]
) -> Float[Array, "*runs"]:
    """Find the temperature at which the labels surprise least.

        argmin_T NLL(log_softmax(l / T)),    where sum_i (sum_c p_ic(T) l_ic - l_i,y_i) = 0

    The loss is convex in 1/T, so its slope is bisected there. Fit it on examples that were not trained on.

    Args:
        log_probabilities: l, shape (*runs, examples, classes); logits less their log-sum-exp give the same.
        labels: The class of each example, from 0 to classes - 1.

    Returns:
        T from 0.001, where all predictions are right by far, to 1000, where guessing is best; shape (*runs,).

    Raises:
        TypeError: If an array is of a wrong kind.
        ValueError: If there are no examples, a number is above 0, or the labels do not fit.

    Source: Guo et al. (2017).
    """
    _predictions(log_probabilities, labels)
    own = log_probabilities[..., np.arange(len(labels)), labels].sum(axis=-1)
    finite = np.where(np.isfinite(log_probabilities), log_probabilities, 0)  # what is ruled out has no weight
    low = np.full(own.shape, np.log(1e-3), own.dtype)
    high = -low
    for _ in range(60):
        middle = (low + high) / 2
        scaled = np.exp(middle)[..., None, None] * log_probabilities
        shares = np.exp(scaled - _log_sum_exp(scaled, -1))
        rising = (shares * finite).sum(axis=(-2, -1)) > own
        low, high = np.where(rising, low, middle), np.where(rising, middle, high)
    return np.exp(-(low + high) / 2)


@precision.rounded_once("log_probabilities")
def greedy_selection(
    log_probabilities: Float[np.ndarray, "members examples classes"], labels: Int[np.ndarray, " examples"], size: int
) -> Selection:
    """Build an ensemble one member at a time: always the one that lowers the loss most, again if need be.

        next = argmin_k NLL(ln((n p + p_k) / (n + 1))),    p the average of the n chosen so far

    Args:
        log_probabilities: On held-out examples, shape (members, examples, classes).
        labels: The class of each example, from 0 to classes - 1.
        size: How many to choose, at least 1.

    Returns:
        The members chosen, and the held-out loss after each; it may rise again towards the end.

    Raises:
        TypeError: If an array is of a wrong kind.
        ValueError: If there are no members or examples, a number is above 0, the labels do not fit, or `size` is below
            1.

    Source: Caruana et al. (2004).
    """
    checks.rank("log_probabilities", _checked(log_probabilities), exactly=3)
    checks.axis("log_probabilities", log_probabilities, -2, at_least=1, described="examples")
    checks.labels("labels", labels, log_probabilities.shape[-1])
    checks.shaped("labels", labels, log_probabilities.shape[1:2], of="log_probabilities")
    size = checks.integer("size", size, at_least=1)
    own = log_probabilities[:, np.arange(len(labels)), labels]  # only the labels' classes count
    total = np.full(own.shape[-1], -np.inf, own.dtype)
    members, losses = [], []
    for chosen in range(1, size + 1):
        candidates = np.log(chosen) - np.logaddexp(total, own).mean(axis=-1)
        members.append(int(candidates.argmin()))
        losses.append(candidates[members[-1]])
        total = np.logaddexp(total, own[members[-1]])
    return Selection(np.array(members), np.array(losses, dtype=own.dtype))


def snapshot_steps(steps: int, cycles: int) -> Int[np.ndarray, " cycles"]:
    """Give the steps after which a snapshot is taken: the end of each cycle of the learning rate, where it is lowest.

        round(k steps / cycles),    k = 1, ..., cycles

    Args:
        steps: Of the whole training, at least `cycles`.
        cycles: How many restarts of equal length, at least 1.

    Returns:
        How many steps have been taken at each snapshot; the last is `steps`.

    Raises:
        ValueError: If a number is out of range.

    Source: Huang et al. (2017).
    """
    cycles = checks.integer("cycles", cycles, at_least=1)
    steps = checks.integer("steps", steps, at_least=cycles)
    return (2 * np.arange(1, cycles + 1) * steps + cycles) // (2 * cycles)


@dataclass(frozen=True, eq=False)
class ExponentialWeightAverage:
    """Average the weights along the way, the recent ones most.

        average <- d average + (1 - d) w,    d = min(decay, t / (t + warm_up)),    t weights averaged so far

    The average of weights of 16 bits is kept in float32, as (1 - decay) w is less than what 16 bits can add.
    It begins at the first weights, so its shares add up to 1; about 1 / (1 - decay) steps count. Without a warm-up the
    first weights count decay^t: much, for as long. With one they are forgotten as t^-warm_up. Batch-norm statistics do
    not belong to averaged weights: estimate them anew on the training data.

    Args:
        decay: From 0 to below 1: a number, or one a run.
        warm_up: At least 0, a number, or one a run: 0 for none, 1 counts all alike at first, 9 is a usual one.

    Source: Polyak and Juditsky (1992) for averaging along the way.
    """

    decay: float | np.ndarray = 0.999
    warm_up: float | np.ndarray = 0.0

    def __post_init__(self) -> None:
        checks.reals("decay", self.decay, at_least=0, below=1)
        checks.reals("warm_up", self.warm_up, at_least=0)

    def init(self, params: Arrays) -> WeightAverageState:
        """Begin at these weights."""
        return WeightAverageState(1, {name: np.array(precision.single(w)) for name, w in params.items()})

    def update(self, params: Arrays, state: WeightAverageState) -> WeightAverageState:
        """Take in the weights after another step."""
        checks.same_names("params", params, "state.average", state.average)
        average, now = {}, np.minimum(self.decay, state.count / (state.count + self.warm_up))
        for name, w in params.items():
            w = precision.single(w)
            decay, rest = many_runs.aligned(now, w), many_runs.aligned(1 - now, w)
            checks.same_shape(f"params[{name!r}]", w, f"state.average[{name!r}]", state.average[name])
            average[name] = decay * state.average[name] + rest * w
        return WeightAverageState(state.count + 1, average)


@dataclass(frozen=True, eq=False)
class EqualWeightAverage:
    """Average weights that all count alike: stochastic weight averaging, over the ends of cycles or of late epochs.

        average <- average + (w - average) / (count + 1)

    The average of weights of 16 bits is kept in float32. Batch-norm statistics do not belong to averaged weights:
    estimate them anew on the training data.

    Source: Izmailov et al. (2018).
    """

    def init(self, params: Arrays) -> WeightAverageState:
        """Begin with these weights as the first of the average."""
        return WeightAverageState(1, {name: np.array(precision.single(w)) for name, w in params.items()})

    def update(self, params: Arrays, state: WeightAverageState) -> WeightAverageState:
        """Take in another set of weights."""
        checks.same_names("params", params, "state.average", state.average)
        count = state.count + 1
        average = {}
        for name, w in params.items():
            own = checks.same_shape(f"state.average[{name!r}]", state.average[name], f"params[{name!r}]", w)
            average[name] = own + (precision.single(w) / count - own / count)  # a difference of w could overflow
        return WeightAverageState(count, average)
