"""Figures of the chapter on the objective for which models are trained: what is minimized, and what comes of it.

Quantiles over runs are 10%, 50% and 90%, and stand on an axis of three in this order.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import datasets
from dlnotes.numpy import activations, adaptive_methods, minibatch, network, objective, overfitting, training

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper

CLASSES = 10


def _quantiles(values: np.ndarray, axis: int = 0) -> np.ndarray:
    """Give the 10%, 50% and 90% quantiles over an axis, on the first axis."""
    return np.quantile(values, (0.1, 0.5, 0.9), axis=axis)


def _digits() -> tuple[np.ndarray, np.ndarray]:
    digits = datasets.digits()
    return (digits.inputs - 8) / 8, digits.targets


def _dealt(
    inputs: np.ndarray, labels: np.ndarray, sizes: Sequence[int], seeds: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Deal the examples into parts of the sizes given and a last one with the rest, each run by its own shuffle."""
    order = np.stack([child.permutation(len(labels)) for child in np.random.default_rng(seed).spawn(seeds)])
    return [(inputs[part], labels[part]) for part in np.split(order, np.cumsum(sizes), axis=1)]


def norms(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """Give the length of each run's parameters or gradient, all taken as one vector."""
    return np.sqrt(sum((value.reshape(len(value), -1) ** 2).sum(-1) for value in arrays.values()))


def hinge_with_gradient(logits: np.ndarray, labels: np.ndarray, margin: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Give the hinge that asks for a margin, and its gradient in the logits."""
    return objective.hinge(logits, labels, margin), objective.hinge_backward(1.0, logits, labels, margin)


def one_hot(labels: np.ndarray) -> np.ndarray:
    """Give the labels as rows of zeros with a one."""
    return (labels[..., None] == np.arange(CLASSES)).astype(float)


# --- the 0-1 loss is flat --------------------------------------------------------------------------------------------


class Staircase(NamedTuple):
    """The 0-1 loss of networks on digits when their parameters move.

    Attributes:
        places: Points on the line from the start of one network, 0, to where it is after training, 1.
        zero_one: Share of wrong predictions there.
        cross_entropy: Cross-entropy there.
        moves: Lengths of a random move, relative to the length of the parameters.
        changed: Share of the networks whose 0-1 loss such a move changes.
        spread: Wilson's 95% interval of that share; (side, move).
        proportional: The line in proportion to the move, through the moves that change less than a tenth.
    """

    places: np.ndarray
    zero_one: np.ndarray
    cross_entropy: np.ndarray
    moves: np.ndarray
    changed: np.ndarray
    spread: np.ndarray
    proportional: np.ndarray


def _over(runs: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Give one number a run the axes that it needs to be multiplied with an array whose first axis is the runs."""
    return runs.reshape(-1, *(1,) * (value.ndim - 1))


def _random_direction(parameters: dict[str, np.ndarray], generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw for each run a direction as long as its parameters, uniform over the sphere."""
    drawn = {name: generator.standard_normal(value.shape) for name, value in parameters.items()}
    ratio = norms(parameters) / norms(drawn)
    return {name: value * _over(ratio, value) for name, value in drawn.items()}


def staircase(
    examples: int = 100,
    few: int = 40,
    hidden: int = 8,
    networks: int = 3000,
    points: int = 1500,
    steps: int = 60,
    seed: int = 0,
) -> Staircase:
    """Go from a start straight to a trained network, and move many networks by small random steps."""
    inputs, labels = (each[:examples] for each in _digits())
    generator = np.random.default_rng(seed)
    sizes = [inputs.shape[1], hidden, 10]
    start = network.initialize(sizes, generator, runs=(1,))
    x, y = inputs[:few], labels[:few]
    end = training.train(start, x, y, adaptive_methods.Adam(0.01), steps=steps, runs=(1,)).parameters
    places = np.linspace(0, 1, points)
    line = {name: first + _over(places, first) * (end[name] - first) for name, first in start.items()}
    logits, _ = network.forward(line, x)
    along = objective.zero_one_loss(logits, y), objective.cross_entropy(logits, y)

    many = network.initialize(sizes, generator, runs=(networks,))
    for name in ("0.bias", "2.bias"):  # where all units are off, zero biases would make all classes tie
        many[name] = 0.1 * generator.standard_normal(many[name].shape)
    direction = _random_direction(many, generator)
    before = objective.zero_one_loss(network.forward(many, inputs)[0], labels)
    moves = np.geomspace(1e-4, 0.3, 8)
    after = (network.forward({name: many[name] + by * direction[name] for name in many}, inputs)[0] for by in moves)
    changed = np.array([(objective.zero_one_loss(moved, labels) != before).mean() for moved in after])
    rare = changed < 0.1
    line = changed[rare].sum() / moves[rare].sum() * moves
    return Staircase(places, *along, moves, changed, wilson(changed, networks), line)


def wilson(share: np.ndarray, trials: int, z: float = 1.96) -> np.ndarray:
    """Give the shares that lie within z of their own standard errors from the share seen; (side, *shape)."""
    middle, half = share + z * z / (2 * trials), z * np.sqrt(share * (1 - share) / trials + (z / (2 * trials)) ** 2)
    return np.stack((middle - half, middle + half)) / (1 + z * z / trials)


def draw_staircase(numbers: Staircase, paper: Paper) -> Figure:
    """Draw both losses along the line, and how often a small move changes the 0-1 loss."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=320 if paper.wide else 560)
    line, chance = axes.flat
    paper.line(line, numbers, "zero_one", x="places", color=paper.ink, linewidth=1.2)
    paper.line(line, numbers, "cross_entropy", x="places", color=paper.palette.blue, linestyle=paper.dashes[1])
    line.set(
        title="One network, along one line",
        xlabel="from the start (0) to the trained one (1)",
        ylim=(-0.12, None),
        xlim=(-0.02, 1.02),
    )
    paper.label(line, 0.45, 1.6, "cross-entropy", color=paper.palette.blue)
    paper.label(line, 0.05, 0.5, "0-1 loss")
    lines = chance.vlines(numbers.moves, *numbers.spread, color=paper.palette.orange, linewidth=1)
    paper.mark(lines, "spread[0]", x="moves", upper="spread[1]")
    style = {"color": paper.palette.orange, "marker": "o", "linestyle": "none"}
    paper.line(chance, numbers, "changed", x="moves", **style)
    paper.theory(chance, numbers, "proportional", x="moves")
    chance.set(
        xscale="log", yscale="log", title="Chance that a move changes the 0-1 loss", xlabel="relative size of the move"
    )
    chance.set(ylim=(1e-4, 1.6))
    chance.set_yticks([1e-4, 1e-3, 1e-2, 0.1, 1], ["0.01%", "0.1%", "1%", "10%", "100%"])
    chance.set_xticks([1e-4, 1e-3, 1e-2, 0.1])
    chance.minorticks_off()
    return figure


# --- after the 0-1 loss is 0 -----------------------------------------------------------------------------------------


class AfterZero(NamedTuple):
    """Networks on digits under cross-entropy, the hinge, and the hinge that asks for a margin of 10; full batch.

    Attributes:
        steps: Steps taken.
        training: 0-1 loss on the training examples; (surrogate, quantile, step).
        test: The same on the test examples.
        margin: Smallest margin of the training examples over the squared length of the parameters, the size in which
            the outputs of these networks grow with them.
        still: Step at which all margins of the first hinge's median run have reached 1 and its gradient is 0.
    """

    steps: np.ndarray
    training: np.ndarray
    test: np.ndarray
    margin: np.ndarray
    still: np.ndarray


SURROGATES = {
    "cross-entropy": objective.cross_entropy_with_gradient,
    "hinge": hinge_with_gradient,
    "hinge 10": functools.partial(hinge_with_gradient, margin=10.0),
}


def after_zero(
    examples: int = 300, hidden: int = 32, seeds: int = 6, last: int = 3000, rate: float = 0.2, seed: int = 0
) -> AfterZero:
    """Descend from the same starts on the same examples under each surrogate; the output has no biases."""
    inputs, labels = _digits()
    (x, y), (x_test, y_test) = _dealt(inputs, labels, [examples], seeds, seed)
    start = network.initialize([x.shape[-1], hidden, CLASSES], np.random.default_rng(seed + 1), runs=(seeds,))
    steps = np.unique(np.geomspace(1, last, 25).round().astype(int))
    shown = np.empty((len(SURROGATES), 3, seeds, len(steps)))
    still = np.full((len(SURROGATES), seeds), last)
    for row, loss in enumerate(SURROGATES.values()):
        parameters = start
        for step in range(1, last + 1):
            if (still[row] == last).any():  # where the gradient is 0 nothing moves any more
                _, gradient = network.loss_and_gradient(parameters, x, y, loss=loss)
                gradient["2.bias"] = np.zeros_like(gradient["2.bias"])
                parameters = {name: value - rate * gradient[name] for name, value in parameters.items()}
                still[row] = np.where(norms(gradient) == 0, np.minimum(still[row], step), still[row])
            place = np.searchsorted(steps, step)
            if steps[place] == step:
                logits, test = (network.forward(parameters, batch)[0] for batch in (x, x_test))
                least = objective.margins(logits, y).min(-1) / norms(parameters) ** 2
                shown[row, :, :, place] = (
                    objective.zero_one_loss(logits, y),
                    objective.zero_one_loss(test, y_test),
                    least,
                )
    training, test, margin = np.moveaxis(_quantiles(shown, axis=2), 2, 0).swapaxes(1, 2)
    return AfterZero(steps, training, test, margin, np.median(still[1]))


def draw_after_zero(numbers: AfterZero, paper: Paper) -> Figure:
    """Draw the 0-1 losses and the smallest margin against the steps."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=330 if paper.wide else 580)
    loss, margin = axes.flat
    colors, end = (paper.palette.blue, paper.palette.orange, paper.palette.green), numbers.steps[-1]
    for row, color in enumerate(colors):
        for field, own, dash in (("test", loss, 0), ("training", loss, 1), ("margin", margin, 0)):
            paper.band(own, numbers, f"{field}[{row}, 0]", f"{field}[{row}, 2]", x="steps", color=color)
            style = {"color": color, "linestyle": paper.dashes[dash], "marker": paper.markers[row], "markevery": 4}
            paper.line(own, numbers, f"{field}[{row}, 1]", x="steps", markersize=3, **style)
    mark = margin.axvline(numbers.still, color=paper.muted, linewidth=0.8)
    paper.guide(mark)
    label = paper.label(margin, numbers.still, -0.042, f"step {numbers.still:.0f}:\nthe hinge is 0", dx=5)
    paper.mark(label, "still")
    for own in axes.flat:
        own.set(xscale="log", xlabel="step", xlim=(1, end))
        own.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1000"])
        own.minorticks_off()
    loss.set(title="0-1 loss", ylim=(-0.08, 1))
    loss.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25%", "50%", "75%", "100%"])
    margin.axhline(0, color=paper.muted, linewidth=0.6)
    paper.guide(margin.lines[-1])
    margin.set(title="Margin over squared weights", ylim=(-0.075, 0.05))
    ends = (numbers.test[:, 1, -1].mean(), 0)
    paper.end_labels(loss, end, ends, ("test", "training"), (paper.muted, paper.muted))
    names = ("cross-\nentropy", "hinge", "hinge,\nmargin 10")
    paper.end_labels(margin, end, numbers.margin[:, 1, -1], names, colors)
    return figure


# --- risk against capacity -------------------------------------------------------------------------------------------


class Capacity(NamedTuple):
    """0-1 loss of least squares on random features of digits, a tenth of whose training labels is drawn anew.

    Attributes:
        widths: Numbers of random features.
        training: 0-1 loss on the training examples, with their false labels; (quantile, width).
        test: 0-1 loss on test examples with true labels.
        examples: Number of training examples.
    """

    widths: np.ndarray
    training: np.ndarray
    test: np.ndarray
    examples: np.ndarray


WIDTHS = (10, 15, 20, 30, 40, 60, 80, 110, 140, 170, 190, 200, 210, 230, 270, 330, 450, 700, 1100, 1600)


def capacity(
    widths: Sequence[int] = WIDTHS, examples: int = 200, tested: int = 600, seeds: int = 8, seed: int = 0
) -> Capacity:
    """Fit the shortest least-squares solution at each width; a wider model has the features of a narrower one."""
    inputs, labels = _digits()
    losses = np.empty((seeds, 2, len(widths)))
    for run, child in enumerate(np.random.default_rng(seed).spawn(seeds)):
        train, test = np.split(child.permutation(len(labels))[: examples + tested], [examples])
        given = np.where(child.random(examples) < 0.1, child.integers(0, CLASSES, examples), labels[train])
        weight = child.standard_normal((max(widths), inputs.shape[1])) / np.sqrt(inputs.shape[1])
        bias = 0.5 * child.standard_normal(max(widths))
        seen, unseen = (activations.relu(inputs[part] @ weight.T + bias) for part in (train, test))
        for place, width in enumerate(widths):
            fitted = overfitting.ridge(seen[:, :width] / np.sqrt(width), one_hot(given) - 1 / CLASSES)
            for part, (features, truth) in enumerate(((seen, given), (unseen, labels[test]))):
                losses[run, part, place] = objective.zero_one_loss(features[:, :width] @ fitted, truth)
    return Capacity(np.array(widths), *_quantiles(losses).swapaxes(0, 1), np.array(examples))


def draw_capacity(numbers: Capacity, paper: Paper) -> Figure:
    """Draw training and test risk over the number of features."""
    figure, ((axes,),) = paper.subplots(height=340)
    for field, color, marker in (("test", paper.palette.orange, "o"), ("training", paper.palette.blue, "s")):
        paper.band(axes, numbers, f"{field}[0]", f"{field}[2]", x="widths", color=color)
        paper.line(axes, numbers, f"{field}[1]", x="widths", color=color, marker=marker, markersize=3)
    paper.guide(axes.axvline(numbers.examples, color=paper.muted, linewidth=0.8))
    label = paper.label(
        axes, numbers.examples, 0.97, f"{numbers.examples} examples", color=paper.muted, dx=-6, ha="right"
    )
    paper.mark(label, "examples")
    axes.set(xscale="log", xlabel="random features", title="0-1 loss", ylim=(-0.06, 1.02))
    axes.set_xticks([10, 30, 100, 300, 1000], ["10", "30", "100", "300", "1000"])
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25%", "50%", "75%", "100%"])
    axes.minorticks_off()
    ends = [numbers.test[1, -1], numbers.training[1, -1]]
    paper.end_labels(axes, numbers.widths[-1], ends, ("test", "training"), (paper.palette.orange, paper.palette.blue))
    return figure


# --- where early stopping halts --------------------------------------------------------------------------------------


class Halting(NamedTuple):
    """Networks on the breast-cancer table by full-batch descent, and where the validation loss is least.

    Attributes:
        steps: Steps taken.
        losses: Training and validation cross-entropy; (part, quantile, step).
        gradient: Length of the gradient of the training loss; (quantile, step).
        stops: Step at which each run's validation loss is least, its gradient's length there, and its validation
            loss; (number, run).
    """

    steps: np.ndarray
    losses: np.ndarray
    gradient: np.ndarray
    stops: np.ndarray


def halting(
    examples: int = 150, hidden: int = 32, seeds: int = 10, last: int = 2000, rate: float = 0.3, seed: int = 0
) -> Halting:
    """Descend, and measure the gradient and the loss on all examples that were not trained on."""
    table = datasets.breast_cancer()
    (x, y), (x_valid, y_valid) = _dealt(table.inputs, table.targets, [examples], seeds, seed)
    mean, deviation = x.mean(1, keepdims=True), x.std(1, keepdims=True)  # of the training rows, and of no others
    x, x_valid = ((part - mean) / deviation for part in (x, x_valid))
    parameters = network.initialize([x.shape[-1], hidden, 2], np.random.default_rng(seed + 1), runs=(seeds,))
    steps = np.unique(np.geomspace(1, last, 60).round().astype(int))
    shown = np.empty((3, seeds, len(steps)))
    for step in range(1, last + 1):
        loss, gradient = network.loss_and_gradient(parameters, x, y)
        place = np.searchsorted(steps, step)
        if steps[place] == step:  # before the step is taken
            logits, _ = network.forward(parameters, x_valid)
            shown[:, :, place] = loss, objective.cross_entropy(logits, y_valid), norms(gradient)
        parameters = {name: value - rate * gradient[name] for name, value in parameters.items()}
    best, run = shown[1].argmin(-1), np.arange(seeds)
    stops = np.stack((steps[best], shown[2, run, best], shown[1, run, best]))
    losses = _quantiles(shown[:2], axis=1).swapaxes(0, 1)
    return Halting(steps, losses, _quantiles(shown[2]), stops)


def draw_halting(numbers: Halting, paper: Paper) -> Figure:
    """Draw the losses and the gradient, with a point where each run's validation loss is least."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=330 if paper.wide else 580)
    loss, gradient = axes.flat
    series = (("losses[0", loss, "blue"), ("losses[1", loss, "orange"), ("gradient[", gradient, "blue"))
    for name, own, color in series:
        name = name if name.endswith("[") else f"{name}, "
        color = getattr(paper.palette, color)
        paper.band(own, numbers, f"{name}0]", f"{name}2]", x="steps", color=color)
        paper.line(own, numbers, f"{name}1]", x="steps", color=color)
    style = {"color": paper.ink, "linestyle": "none", "marker": "o", "markersize": 3.5, "zorder": 4}
    paper.line(loss, numbers, "stops[2]", x="stops[0]", **style)
    paper.line(gradient, numbers, "stops[1]", x="stops[0]", **style)
    end = numbers.steps[-1]
    for own in axes.flat:
        own.set(xscale="log", yscale="log", xlabel="step", xlim=(1, end))
        own.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1000"])
        own.minorticks_off()
    loss.set(title="Cross-entropy")
    loss.set_yticks([0.001, 0.01, 0.1, 1], ["0.001", "0.01", "0.1", "1"])
    gradient.set(title="Length of the training gradient")
    gradient.set_yticks([0.001, 0.01, 0.1, 1], ["0.001", "0.01", "0.1", "1"])
    ends, colors = numbers.losses[:, 1, -1], (paper.palette.blue, paper.palette.orange)
    paper.end_labels(loss, end, ends, ("training", "validation"), colors)
    paper.label(gradient, np.median(numbers.stops[0]), np.median(numbers.stops[1]), "early stopping", dx=8, dy=18)
    return figure


# --- sure of the wrong answer ----------------------------------------------------------------------------------------


class SureAndWrong(NamedTuple):
    """What cross-entropy and the squared error of probabilities do for an example that is classified wrongly.

    Attributes:
        margins: Margins of two classes, below 0 where the prediction is wrong.
        pulls: Length of the slope in the margin: cross-entropy's 1 - p, and the squared error's; (loss, margin).
        steps: Steps of training from networks that are sure of a wrong answer.
        errors: 0-1 loss on digits; (case, quantile, step): each loss at its best learning rate, and the squared error
            at the best rate of the cross-entropy.
        rates: These rates.
    """

    margins: np.ndarray
    pulls: np.ndarray
    steps: np.ndarray
    errors: np.ndarray
    rates: np.ndarray


def squared_probabilities(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the squared error of the softmax and its gradient in the logits, through the Jacobian of the softmax."""
    probabilities, targets = objective.softmax(logits), one_hot(labels)[..., : logits.shape[-1]]
    gradient = objective.squared_error_backward(1.0, probabilities, targets)
    return objective.squared_error(probabilities, targets), objective.softmax_backward(gradient, logits)


BOTH = (objective.cross_entropy_with_gradient, squared_probabilities)
RATES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)


def sure_and_wrong(
    hidden: int = 32, seeds: int = 6, before: int = 1000, steps: int = 400, every: int = 20, seed: int = 0
) -> SureAndWrong:
    """Train on labels moved by one until the networks are sure, then on the true labels under each loss and rate."""
    margins = np.linspace(-10, 10, 201)
    logits = np.stack((np.zeros_like(margins), margins), axis=-1)[:, None]
    pulls = np.stack([np.abs(loss(logits, np.array([1]))[1][:, 0, 1]) for loss in BOTH])

    inputs, labels = _digits()
    generator = np.random.default_rng(seed)
    start = network.initialize([inputs.shape[1], hidden, CLASSES], generator, runs=(seeds,))
    wrong, taught = (labels + 1) % CLASSES, adaptive_methods.Adam(0.003)
    options = {"batch_size": 32, "generator": generator}
    sure = training.train(start, inputs, wrong, taught, steps=before, runs=(seeds,), **options).parameters
    runs = (len(RATES), seeds)
    sure = {name: np.broadcast_to(value, (len(RATES), *value.shape)) for name, value in sure.items()}
    histories, best = [], []
    for loss in BOTH:
        trained = training.train(
            sure,
            inputs,
            labels,
            minibatch.SGD(np.broadcast_to(np.array(RATES)[:, None], runs)),
            steps=steps,
            runs=runs,
            gradient=lambda *batch, loss=loss: network.loss_and_gradient(*batch, loss=loss),
            measure=lambda p: {"error": objective.zero_one_loss(network.forward(p, inputs)[0], labels)},
            measure_every=every,
            **options,
        )
        histories.append(trained.measures["error"])
        best.append(np.median(histories[-1][..., -1], axis=1).argmin())
    best.append(best[0])
    errors = np.stack([_quantiles(histories[loss][rate]) for loss, rate in zip((0, 1, 1), best, strict=True)])
    return SureAndWrong(margins, pulls, trained.measured_at, errors, np.array(RATES)[best])


def draw_sure_and_wrong(numbers: SureAndWrong, paper: Paper) -> Figure:
    """Draw the slopes over the margin, and the errors over the steps."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=320 if paper.wide else 560)
    pull, race = axes.flat
    colors = (paper.palette.blue, paper.palette.green, paper.palette.green)
    for row, color in enumerate(colors):
        style = {"color": color, "linestyle": paper.dashes[row]}
        if row < 2:
            paper.line(pull, numbers, f"pulls[{row}]", x="margins", **style)
        paper.band(race, numbers, f"errors[{row}, 0]", f"errors[{row}, 2]", x="steps", color=color)
        paper.line(race, numbers, f"errors[{row}, 1]", x="steps", **style)
    pull.set(title="Size of the slope in the margin", xlabel="margin", xlim=(-10, 10), ylim=(-0.06, 1.1))
    paper.label(pull, -9.6, 0.93, "cross-entropy", color=colors[0])
    paper.label(pull, -9.6, 0.27, "squared error\nof probabilities", color=colors[1])
    race.set(title="0-1 loss from a wrong start", xlabel="step", xlim=(0, numbers.steps[-1]), ylim=(-0.08, 1.02))
    race.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25%", "50%", "75%", "100%"])
    texts = [f"rate {rate:g}" for rate in numbers.rates]
    labels = paper.end_labels(race, numbers.steps[-1], numbers.errors[:, 1, -1], texts, colors)
    for row, label in enumerate(labels):
        paper.mark(label, f"rates[{row}]")
    return figure
