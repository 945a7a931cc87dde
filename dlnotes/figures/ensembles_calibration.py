"""Figures of the chapter on ensembles: how sure members and averages are, and averages of weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes.figures import ensembles as common
from dlnotes.numpy import ensembles, many_runs, network

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper


# --- how sure --------------------------------------------------------------------------------------------------------


class Calibration(NamedTuple):
    """Members and their averages along the training; kinds are mean member, probabilities, logits.

    Attributes:
        steps: Steps of training.
        loss: Test negative log-likelihood, mean over deals; (kind, step).
        excess: Mean confidence less accuracy, in points; (kind, step).
        scaled: Calibration error at the end of the given steps after temperature, in percent: members each at their
            own temperature, the average of those, and the average of probabilities at its own; (way, step).
        chance: Calibration error that the average of probabilities at its temperature would show by chance if it were
            calibrated, in percent.
    """

    steps: np.ndarray
    loss: np.ndarray
    excess: np.ndarray
    scaled: np.ndarray
    chance: np.ndarray


class Looks(NamedTuple):
    """Members and averages judged along a training; what is judged is loss, confidence less accuracy, and error.

    Attributes:
        steps: Steps of training.
        plain: What is judged, of mean member, averaged probabilities and averaged logits; (judged, kind, step).
        scaled: The same at a temperature: members, their average, averages of probabilities and of logits, each at its
            own; (judged, way, step).
        chance: Calibration error by chance; (step,).
    """

    steps: np.ndarray
    plain: np.ndarray
    scaled: np.ndarray
    chance: np.ndarray


def at_temperature(predictions: np.ndarray, temperature: np.ndarray) -> np.ndarray:
    """Divide log-probabilities by a temperature and normalize."""
    scaled = predictions / np.asarray(temperature)[..., None, None]
    return np.minimum(scaled - np.logaddexp.reduce(scaled, axis=-1, keepdims=True), 0)


def judged(predictions: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Give the loss, confidence less accuracy and calibration error of predictions, mean over members."""
    sure, right = np.exp(predictions.max(-1)).mean(), (predictions.argmax(-1) == labels).mean()
    loss = ensembles.negative_log_likelihood(predictions, labels)
    error = ensembles.calibration_error(predictions, labels)
    return np.array([np.mean(loss), 100 * (sure - right), 100 * np.mean(error)])


def by_chance(predictions: np.ndarray, bins: int = 10) -> float:
    """Give the calibration error in percent that one set of calibrated predictions shows by chance, where 0 is true."""
    sure = np.exp(predictions.max(-1))
    own = np.minimum((sure * bins).astype(int), bins - 1)
    noise = np.bincount(own, sure * (1 - sure), bins)
    return float(100 * np.sqrt(2 / np.pi) * np.sqrt(noise).sum() / sure.size)


def _one_deal(predictions: np.ndarray, labels: np.ndarray, held: int) -> tuple[np.ndarray, ...]:
    """Judge members, averages of probabilities and of logits, and the ways of fitting a temperature."""
    probabilities = np.minimum(ensembles.average_probabilities(predictions), 0)[None]
    logits = np.minimum(ensembles.geometric_average(predictions), 0)[None]
    kinds = (predictions, probabilities, logits)
    temperatures = [ensembles.fit_temperature(each[:, :held], labels[:held]) for each in kinds]
    plain = [judged(each[:, held:], labels[held:]) for each in kinds]
    cooled = at_temperature(predictions, temperatures[0])
    ways = (
        cooled,
        np.minimum(ensembles.average_probabilities(cooled), 0)[None],
        at_temperature(probabilities, temperatures[1]),
        at_temperature(logits, temperatures[2]),
    )
    scaled = [judged(each[:, held:], labels[held:]) for each in ways]
    chance = by_chance(ways[2][0, held:])
    return np.array(plain), np.array(scaled), np.array(chance)


def looks(
    networks: int = 8,
    deal_count: int = 4,
    steps: int = 2048,
    rate: float = 0.1,
    held_out: int = 300,
    width: int = 32,
    seed: int = 0,
) -> Looks:
    """Train members on 100 digits at one rate, and judge them and their averages on the way."""
    data = common.deals("digits", 100, deal_count, seed)
    start = common.starts(data, networks, width, seed + 1)
    shown = np.unique(np.geomspace(32, steps, 9).astype(int))
    found, ended, generator = [], None, np.random.default_rng(seed + 2)
    generators = many_runs.generators(generator, (deal_count, networks))
    for step in shown.tolist():
        constant = {"resume": ended}
        ended = common.trained(start, data.inputs, data.labels, lambda _: rate, step, generators, **constant)
        predictions = common.predicted(ended.parameters, data.test_inputs)
        deals = [_one_deal(own, labels, held_out) for own, labels in zip(predictions, data.test_labels, strict=True)]
        found.append([np.mean(each, axis=0) for each in zip(*deals, strict=True)])
    plain, scaled, chance = (np.stack(each, axis=-1) for each in zip(*found, strict=True))
    return Looks(shown, plain.swapaxes(0, 1), scaled.swapaxes(0, 1), chance)


def calibration(
    networks: int = 8,
    deal_count: int = 4,
    steps: int = 2048,
    rate: float = 0.1,
    held_out: int = 300,
    width: int = 32,
    seed: int = 0,
) -> Calibration:
    """Take from the looks what the figure shows."""
    found = looks(networks, deal_count, steps, rate, held_out, width, seed)
    return Calibration(found.steps, *found.plain[:2], found.scaled[2, :3], found.chance)


KINDS = ("members", "probabilities", "logits")
WAYS = ("members", "their average", "average first")


def draw_calibration(numbers: Calibration, paper: Paper) -> Figure:
    """Draw loss and overconfidence along the training, and what a temperature leaves."""
    shape = (1, 3) if paper.wide else (3, 1)
    figure, axes = paper.subplots(*shape, height=330 if paper.wide else 700)
    left, middle, right = axes.flat
    colors = (paper.muted, paper.palette.blue, paper.palette.orange)
    for row, color in enumerate(colors):
        style = {"color": color, "linestyle": paper.dashes[row]}
        paper.line(left, numbers, f"loss[{row}]", x="steps", **style)
        paper.line(middle, numbers, f"excess[{row}]", x="steps", **style)
        apart, shift = (0.06, 0.03) if paper.wide else (0.09, 0.2)
        paper.label(left, 40, 1.02 - apart * row, KINDS[row], color=color, dx=paper.pixels * shift)
    paper.guide(middle.axhline(0, color=paper.muted, linewidth=0.8))
    ways = (paper.muted, paper.palette.purple, paper.palette.green)
    for row, color in enumerate(ways):
        paper.line(right, numbers, f"scaled[{row}]", x="steps", color=color, linestyle=paper.dashes[row])
        apart, shift = (1.5, 0.02) if paper.wide else (2.4, 0.2)
        paper.label(right, 40, 18.5 - apart * row, WAYS[row], color=color, dx=paper.pixels * shift)
    paper.line(right, numbers, "chance", x="steps", color=paper.muted, linewidth=0.9, linestyle=(0, (1, 2)))
    left.set(title="Test loss", ylim=(0.3, 1.08))
    left.set_yticks([0.4, 0.6, 0.8, 1])
    middle.set_yticks([-30, -20, -10, 0])
    right.set_yticks([0, 5, 10, 15, 20])
    middle.set(title="Confidence less accuracy, points")
    right.set(title="Calibration error in %", ylim=(0, 20))
    for each in (left, middle, right):
        each.set(xscale="log", xlabel="steps", xlim=(numbers.steps[0], numbers.steps[-1]))
        each.set_xticks([100, 1000], ["100", "1000"])
        each.minorticks_off()
    return figure


# --- averages of weights ---------------------------------------------------------------------------------------------


SHARED = (-1, 0, 10, 30, 100, 300)  # steps that branches of one training share; -1 stands for other starts


class Weights(NamedTuple):
    """Averages of weights: of branches of one training, and along a training.

    Attributes:
        rates: Two learning rates of the branches.
        soup: Training loss of the average of the weights; least, mean and largest over deals; (rate, which, branching).
        branch: Of the mean branch, mean over deals; (rate, branching).
        places: Positions of the branchings on the axis.
        steps: Steps of one training at a constant rate.
        last: Test loss of the weights as they are, mean over deals; (step,).
        plain: Of their exponential average from the first weights on.
        warmed: Of the same with a warm-up.
        equal: Of the equal average of the weights since half of the steps; nan before.
    """

    rates: np.ndarray
    soup: np.ndarray
    branch: np.ndarray
    places: np.ndarray
    steps: np.ndarray
    last: np.ndarray
    plain: np.ndarray
    warmed: np.ndarray
    equal: np.ndarray


def _losses(parameters: dict[str, np.ndarray], inputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return common.likelihoods(common.predicted(parameters, inputs), labels)


def soups(data: common.Deals, branches: int, steps: int, rate: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Branch a training after the shared steps, train the branches on other batches, and average; (branching, deal)."""
    runs = (len(data.labels), branches)
    drawn = common.starts(data, branches, 32, seed + 1)
    found = []
    for place, length in enumerate(SHARED):
        start = drawn if length < 0 else {name: value[:, :1] for name, value in drawn.items()}
        if length > 0:
            generators = many_runs.generators(np.random.default_rng(seed + 2), (runs[0], 1))
            start = common.trained(start, data.inputs, data.labels, lambda _: rate, length, generators).parameters
        if length >= 0:
            start = {name: np.repeat(value, branches, 1) for name, value in start.items()}
        generators = many_runs.generators(np.random.default_rng((seed + 3, place)), runs)
        ended = common.trained(start, data.inputs, data.labels, rate, steps, generators).parameters
        mixed = {name: value.mean(1, keepdims=True) for name, value in ended.items()}
        own = _losses(ended, data.inputs, data.labels).mean(1)
        found.append((_losses(mixed, data.inputs, data.labels)[:, 0], own))
    soup, branch = zip(*found, strict=True)
    return np.stack(soup), np.stack(branch)


def along(
    data: common.Deals, steps: int, rate: float, decay: float, warm_up: float, shown: np.ndarray, seed: int
) -> list[np.ndarray]:
    """Train one network a deal at a constant rate, and average its weights in three ways; test losses, (way, step)."""
    parameters = {name: value[:, 0] for name, value in common.starts(data, 1, 32, seed + 1).items()}
    generators = np.random.default_rng(seed + 2).spawn(len(data.labels))
    ways = (
        ensembles.ExponentialWeightAverage(decay),
        ensembles.ExponentialWeightAverage(decay, warm_up),
        ensembles.EqualWeightAverage(),
    )
    states, rows = [way.init(parameters) for way in ways], []
    examples, size = data.labels.shape[-1], 20
    for step in range(1, steps + 1):
        position = (step - 1) % (examples // size)
        if not position:
            order = np.stack([generator.permutation(examples) for generator in generators])
        batch = order[:, position * size : (position + 1) * size]
        inputs = np.take_along_axis(data.inputs, batch[..., None], 1)
        grads = network.loss_and_gradient(parameters, inputs, np.take_along_axis(data.labels, batch, 1)).gradient
        parameters = {name: value - np.float32(rate) * grads[name] for name, value in parameters.items()}
        states = [way.update(parameters, state) for way, state in zip(ways, states, strict=True)]
        if step == steps // 2:
            states[2] = ways[2].init(parameters)
        if step in shown:
            sets = [parameters, *(state.average for state in states)]
            members = ({name: value[:, None] for name, value in each.items()} for each in sets)
            rows.append([_losses(each, data.test_inputs, data.test_labels).mean() for each in members])
    found = np.array(rows).T
    found[3, shown < steps // 2] = np.nan
    return list(found)


def weights(
    branches: int = 4,
    deal_count: int = 5,
    steps: int = 600,
    after: int = 300,
    rate: float = 0.4,
    decay: float = 0.99,
    seed: int = 0,
) -> Weights:
    """Average the weights of branches of one training on 1000 digits, and along a training at a constant rate."""
    data = common.deals("digits", 1000, deal_count, seed)
    rates = np.array([0.2, 0.8])
    found = [soups(data, branches, after, own, seed) for own in rates.tolist()]
    soup = np.stack([(each.min(1), each.mean(1), each.max(1)) for each, _ in found])
    branch = np.stack([each.mean(1) for _, each in found])
    shown = np.unique(np.geomspace(10, steps, 25).astype(int))
    noisy = along(data, steps, rate, decay, 9.0, shown, seed)
    return Weights(rates, soup, branch, np.arange(len(SHARED)), shown, *noisy)


def draw_weights(numbers: Weights, paper: Paper) -> Figure:
    """Draw the loss of averaged branches over the steps that they shared, and of averages along a training."""
    shape = (1, 2) if paper.wide else (2, 1)
    figure, axes = paper.subplots(*shape, height=330 if paper.wide else 640)
    left, right = axes.flat
    for row, color in enumerate((paper.palette.blue, paper.palette.orange)):
        paper.band(left, numbers, f"soup[{row}, 0]", f"soup[{row}, 2]", x="places", color=color)
        style = {"color": color, "marker": paper.markers[row]}
        paper.line(left, numbers, f"soup[{row}, 1]", x="places", **style)
        paper.line(left, numbers, f"branch[{row}]", x="places", color=color, linestyle=(0, (1, 2)))
        text, height = f"rate {numbers.rates[row]}", numbers.soup[row, 1, 1]
        label = paper.label(left, 1, height, text, color=color, dx=8, dy=(14, 20)[row])
        paper.mark(label, f"rates[{row}]")
    left.set(yscale="log", xlabel="steps that the branches shared", title="Training loss of averaged weights")
    names = ["other\nstarts", *(str(steps) for steps in SHARED[1:])]
    left.set_xticks(numbers.places, names)
    left.set_yticks([0.1, 1], ["0.1", "1"])
    left.minorticks_off()
    ways = ("last", "plain", "warmed", "equal")
    texts = ("as they are", "average", "with a warm-up", "equal, late")
    colors = (paper.muted, paper.palette.orange, paper.palette.blue, paper.palette.green)
    for row, (name, text, color) in enumerate(zip(ways, texts, colors, strict=True)):
        paper.line(right, numbers, name, x="steps", color=color, linestyle=paper.dashes[row % 3])
        place = numbers.steps[0], 0.27 / 1.34**row
        paper.label(right, *place, text, color=color)
    right.set(xscale="log", yscale="log", xlabel="steps", title="Test loss along a training", ylim=(0.08, 3.5))
    right.set_xticks([10, 100, 600], ["10", "100", "600"])
    right.set_yticks([0.1, 1], ["0.1", "1"])
    right.minorticks_off()
    return figure
