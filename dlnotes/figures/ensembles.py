"""Figures of the chapter on ensembles: what averaging gains, the law of its variance, and where members differ.

Deals are ways to divide a data set into examples to train on and the rest, on which is tested. The first axis of all
results is the deal. Where a range is shown, it is that of all deals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import datasets
from dlnotes.numpy import ensembles, minibatch, network, objective, schedules, training

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper


class Deals(NamedTuple):
    """A data set dealt several times: inputs and labels to train on, and to test on; the first axis is the deal."""

    inputs: np.ndarray
    labels: np.ndarray
    test_inputs: np.ndarray
    test_labels: np.ndarray


def deals(name: str, examples: int, count: int, seed: int, held_out: int | None = None) -> Deals:
    """Deal a data set, and standardize it by what is trained on; pixels are scaled to -1 to 1 in place of that.

    With `held_out` the last examples of one order are tested on in all deals, and the others dealt.
    """
    data = {"digits": datasets.digits, "breast cancer": datasets.breast_cancer}[name](np.float32)
    order = np.random.default_rng(seed).permutation(len(data.targets))
    parts = []
    for generator in np.random.default_rng(seed).spawn(count):
        if held_out is None:
            own, rest = np.split(generator.permutation(len(order)), [examples])
        else:
            own, rest = order[generator.permutation(len(order) - held_out)[:examples]], order[-held_out:]
        middle, scale = (8, 8) if name == "digits" else (data.inputs[own].mean(0), data.inputs[own].std(0))
        inputs = (data.inputs - middle) / scale
        parts.append((inputs[own], data.targets[own], inputs[rest], data.targets[rest]))
    return Deals(*(np.stack(part) for part in zip(*parts, strict=True)))


def starts(data: Deals, members: int, width: int, seed: int) -> dict[str, np.ndarray]:
    """Draw a network of one hidden layer for each deal and member."""
    sizes = [data.inputs.shape[-1], width, int(data.labels.max()) + 1]
    runs = (len(data.labels), members)
    return network.initialize(sizes, np.random.default_rng(seed), runs=runs, dtype=np.float32)


def trained(
    start: dict[str, np.ndarray],
    inputs: np.ndarray,
    labels: np.ndarray,
    rate: float | Callable,
    steps: int,
    generators: np.random.Generator | np.ndarray,
    **options: object,
) -> training.Training:
    """Train all members, each on the examples of its deal, on batches of 20; a number as the rate falls to 0."""
    runs = start["0.bias"].shape[:-1]
    if len(runs) == 2 and inputs.ndim == 3:
        inputs, labels = (np.broadcast_to(each[:, None], (*runs, *each.shape[1:])) for each in (inputs, labels))
    if not callable(rate):
        highest = rate

        def rate(step: int) -> float:
            return float(schedules.cosine(step, highest, steps))

    optimizer, batch_size = minibatch.SGD(rate), min(20, inputs.shape[-2])
    options |= {"steps": steps, "batch_size": batch_size, "generator": generators, "runs": runs}
    return training.train(start, inputs, labels, optimizer, data_per_run=True, **options)


def predicted(parameters: dict[str, np.ndarray], inputs: np.ndarray) -> np.ndarray:
    """Give log-probabilities; (deal, member, example, class)."""
    logits = network.forward(parameters, inputs[:, None])[0].astype(np.float64)
    return np.minimum(objective.log_softmax(logits), 0)


def errors(predictions: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Give the share of wrong predictions; (deal, ...)."""
    shape = (len(labels), *(1,) * (predictions.ndim - 3), labels.shape[-1])
    return (predictions.argmax(-1) != labels.reshape(shape)).mean(-1)


def likelihoods(predictions: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Give the negative log-likelihood of each deal's predictions; (deal, ...)."""
    pairs = zip(predictions, labels, strict=True)
    return np.stack([ensembles.negative_log_likelihood(own, targets) for own, targets in pairs])


def grouped(predictions: np.ndarray, size: int) -> np.ndarray:
    """Average the probabilities of groups of so many members; (deal, group, example, class)."""
    groups = predictions.shape[1] // size
    shape = (len(predictions), groups, size, *predictions.shape[2:])
    return np.minimum(ensembles.average_probabilities(predictions[:, : groups * size].reshape(shape)), 0)


# --- what averaging gains --------------------------------------------------------------------------------------------


class Members(NamedTuple):
    """Test error against the number of members averaged.

    Attributes:
        counts: How many members are averaged.
        lengths: Steps of training, the shorter and the longer.
        error: Test error in percent, mean over deals and groups; (data, length, count).
        low: Least over the deals of the mean over groups.
        high: Largest.
        middle: Points of accuracy that all members together gain over one, mean over the deals; (data, length).
        least: Least over the deals.
        most: Largest.
        places: Where each length and data set stands on the axis; (length, data).
    """

    counts: np.ndarray
    lengths: np.ndarray
    error: np.ndarray
    low: np.ndarray
    high: np.ndarray
    middle: np.ndarray
    least: np.ndarray
    most: np.ndarray
    places: np.ndarray


DATA = (("digits", 100), ("digits", 1000), ("breast cancer", 100))


def on_test(
    networks: int = 8, deal_count: int = 5, steps: int = 150, longer: int = 1500, rate: float = 0.2, seed: int = 0
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Train members on three amounts of real data, for two lengths each; their predictions on test, and its labels."""
    for name, examples in DATA:
        data = deals(name, examples, deal_count, seed)
        start = starts(data, networks, 32, seed + 1)
        for length in (steps, longer):
            ended = trained(start, data.inputs, data.labels, rate, length, np.random.default_rng(seed + 2))
            yield predicted(ended.parameters, data.test_inputs), data.test_labels


def members(
    networks: int = 8, deal_count: int = 5, steps: int = 150, longer: int = 1500, rate: float = 0.2, seed: int = 0
) -> Members:
    """Train members on three amounts of real data, for two lengths, and average them."""
    counts = 2 ** np.arange(int(np.log2(networks)) + 1)
    measured = [
        [100 * errors(grouped(predictions, count), labels).mean(1) for count in counts.tolist()]
        for predictions, labels in on_test(networks, deal_count, steps, longer, rate, seed)
    ]
    found = np.reshape(measured, (len(DATA), 2, len(counts), deal_count))
    gain = found[:, :, 0] - found[:, :, -1]
    places = np.array([[0.13], [-0.13]]) - np.arange(len(DATA))
    ranges = found.mean(-1), found.min(-1), found.max(-1)
    spread = gain.mean(-1), gain.min(-1), gain.max(-1)
    return Members(counts, np.array([steps, longer]), *ranges, *spread, places)


def draw_members(numbers: Members, paper: Paper) -> Figure:
    """Draw the error over the members after the longer training, and what all of them gain."""
    shape = (1, 2) if paper.wide else (2, 1)
    figure, axes = paper.subplots(*shape, height=330 if paper.wide else 640)
    left, right = axes.flat
    names = [f"{name}, {examples}" for name, examples in DATA]
    for row, name in enumerate(names):
        color = paper.colors[row]
        paper.band(left, numbers, f"low[{row}, 1]", f"high[{row}, 1]", x="counts", color=color)
        paper.line(left, numbers, f"error[{row}, 1]", x="counts", color=color, marker=paper.markers[row])
        paper.label(left, 1.03, numbers.error[row, 1, 0], name, color=color, dy=(13, -17, 15)[row])
    left.set(xscale="log", xlabel="members averaged", ylim=(0, 15), xlim=(0.93, numbers.counts[-1] * 1.08))
    left.set_title(f"Test error in %, {numbers.lengths[1]} steps")
    left.set_xticks(numbers.counts, [str(count) for count in numbers.counts])
    left.minorticks_off()
    for column, color in enumerate((paper.palette.orange, paper.palette.blue)):
        ends = (paper.value(numbers, f"{end}[:, {column}]") for end in ("least", "most"))
        bars = right.hlines(numbers.places[column], *ends, color=color, linewidth=2)
        paper.mark(bars, f"places[{column}]", x=f"least[:, {column}]", upper=f"most[:, {column}]")
        style = {"color": color, "marker": paper.markers[column], "linestyle": "none"}
        for row in range(len(DATA)):
            own = f"{row}:{row + 1}"
            paper.line(right, numbers, f"places[{column}, {own}]", x=f"middle[{own}, {column}]", **style)
        point = numbers.most[0, column], numbers.places[column, 0]
        label = paper.label(right, *point, f"{numbers.lengths[column]} steps", color=color, dx=8)
        paper.mark(label, f"lengths[{column}]")
    right.set(xlabel="points of accuracy", ylim=(-2.8, 0.6), xlim=(-0.2, 3.9))
    right.set_title(f"What {numbers.counts[-1]} members gain over one")
    right.set_yticks([0, -1, -2], [name.replace(", ", ",\n") for name in names])
    return figure


# --- the law of the variance -----------------------------------------------------------------------------------------


class Variance(NamedTuple):
    """Variance of the averaged probabilities over draws of the training set and of the members.

    Attributes:
        counts: How many members are averaged.
        measured: Variance of the average, summed over the classes, mean over the images.
        theory: By the law, with both its parts measured on other members.
        floor: The part that stays.
        score: Brier score of the average, mean over deals and groups.
        predicted_score: By the law: the score of one, less what the spread takes away.
    """

    counts: np.ndarray
    measured: np.ndarray
    theory: np.ndarray
    floor: np.ndarray
    score: np.ndarray
    predicted_score: np.ndarray


def parts(probabilities: np.ndarray) -> tuple[float, float]:
    """Estimate, without bias, the variance within a training set and that between; (deal, member, image, class)."""
    members = probabilities.shape[1]
    within = probabilities.var(1, ddof=1).sum(-1).mean()
    between = probabilities.mean(1).var(0, ddof=1).sum(-1).mean() - within / members
    return float(within), float(between)


def variance(
    networks: int = 24, tables: int = 16, examples: int = 100, steps: int = 200, rate: float = 0.2, seed: int = 0
) -> Variance:
    """Train members on many training sets, and split the variance of their predictions in two ways."""
    data = deals("digits", examples, tables, seed, held_out=400)
    start = starts(data, networks, 32, seed + 1)
    ended = trained(start, data.inputs, data.labels, rate, steps, np.random.default_rng(seed + 2))
    predictions = predicted(ended.parameters, data.test_inputs)
    half = networks // 3
    within, between = parts(np.exp(predictions[:, :half]))
    measured, scores = [], []
    counts = 2 ** np.arange(int(np.log2(networks - half)) + 1)
    for count in counts.tolist():
        averages = grouped(predictions[:, half:], count)
        measured.append(np.exp(averages).var(0, ddof=1).sum(-1).mean())
        own = [
            ensembles.brier_score(each, labels).mean() for each, labels in zip(averages, data.test_labels, strict=True)
        ]
        scores.append(np.mean(own))
    theory = between + within / counts
    saved = within * (1 - 1 / counts)
    return Variance(counts, np.array(measured), theory, np.array(between), np.array(scores), scores[0] - saved)


def draw_variance(numbers: Variance, paper: Paper) -> Figure:
    """Draw variance and score over the members, each with its law."""
    shape = (1, 2) if paper.wide else (2, 1)
    figure, axes = paper.subplots(*shape, height=300 if paper.wide else 560)
    left, right = axes.flat
    style = {"linestyle": "none", "marker": paper.markers[0], "markersize": 7}
    paper.line(left, numbers, "measured", x="counts", color=paper.palette.blue, **style)
    paper.theory(left, numbers, "theory", x="counts", color=paper.palette.blue)
    line = left.axhline(paper.value(numbers, "floor"), color=paper.palette.orange, linewidth=1.2)
    paper.mark(line, "floor")
    paper.label(left, 1, numbers.floor, "the training set's part", color=paper.palette.orange, dy=-10)
    left.set(ylim=(0, 0.08), title="Variance of the prediction")
    left.set_yticks([0, 0.02, 0.04, 0.06, 0.08])
    paper.line(right, numbers, "score", x="counts", color=paper.palette.green, **style)
    paper.theory(right, numbers, "predicted_score", x="counts", color=paper.palette.green)
    right.set(ylim=(0, 0.2), title="Brier score")
    right.set_yticks([0, 0.05, 0.1, 0.15, 0.2])
    for each in (left, right):
        each.set(xscale="log", xlabel="members averaged")
        each.set_xticks(numbers.counts, [str(count) for count in numbers.counts])
        each.minorticks_off()
    return figure
