"""Figures of the chapter on schedules: how a run begins, by warm-up and by a range test."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import datasets, optimizers
from dlnotes.numpy import (
    adaptive_methods,
    conditioning,
    initialization,
    minibatch,
    network,
    schedules,
    training,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper

Arrays = dict[str, np.ndarray]


class Net(NamedTuple):
    """A network at the start.

    Attributes:
        name: What to call it.
        activation: Of its hidden layers.
        sizes: Its units.
        scale: What He's starting weights are multiplied by.
    """

    name: str
    activation: str
    sizes: tuple[int, ...]
    scale: float = 1.0


def digits(examples: int) -> tuple[np.ndarray, np.ndarray]:
    """Give digits from -1 to 1, and their labels."""
    found = datasets.digits()
    return ((found.inputs[:examples] - 8) / 8).astype(np.float32), found.targets[:examples]


def start_of(net: Net, seeds: int, seed: int = 0) -> Arrays:
    """Draw a network for each seed."""

    def scaled(*arguments: object, **options: object) -> np.ndarray:
        weights = initialization.he_normal(*arguments, **options)
        return (net.scale * weights).astype(weights.dtype)

    generators = np.array(np.random.default_rng(seed).spawn(seeds))
    return network.initialize(net.sizes, generators, scaled, runs=(seeds,), dtype=np.float32)


def sharpness(parameters: Arrays, net: Net, examples: int = 200) -> np.ndarray:
    """Give the largest eigenvalue of the Hessian for each network, on the first digits."""
    inputs, labels = digits(examples)
    found = []
    for run in range(len(next(iter(parameters.values())))):
        own = {name: value[run].astype(float) for name, value in parameters.items()}
        product = conditioning.hessian_vector_product(own, inputs.astype(float), labels, net.activation)
        toward = np.random.default_rng(0).standard_normal(sum(value.size for value in own.values()))
        top = conditioning.top_eigenvalues(product, toward, count=1, which="largest", tolerance=0.01, steps=40)
        found.append(top.values[0])
    return np.array(found)


def train(
    parameters: Arrays, net: Net, optimizer: optimizers.Optimizer, steps: int, runs: tuple[int, ...], seed: int = 1
) -> training.Training:
    """Train on 500 digits in batches of 32; runs that differ in all but the last axis draw the same batches."""
    own = np.array([np.random.default_rng([seed, place[-1]]) for place in np.ndindex(runs)]).reshape(runs)

    def gradient(*batch: object) -> network.LossAndGradient:
        return network.loss_and_gradient(*batch, net.activation)

    kept = {"steps": steps, "batch_size": 32, "generator": own, "runs": runs, "gradient": gradient}
    return training.train(parameters, *digits(500), optimizer, **kept)


def loss_and_accuracy(parameters: Arrays, net: Net) -> tuple[np.ndarray, np.ndarray]:
    """Give the loss on all 500 digits, inf where it is no number, and the accuracy."""
    inputs, labels = digits(500)
    with np.errstate(all="ignore"):
        loss = network.loss_and_gradient(parameters, inputs, labels, net.activation).loss
        logits, _ = network.forward(parameters, inputs, net.activation)
    right = (logits.argmax(-1) == labels).mean(-1)
    finite = np.isfinite(loss)
    return np.where(finite, loss, np.inf), np.where(finite, right, 0.1)


# --- warm-up ---------------------------------------------------------------------------------------------------------


class WarmUp(NamedTuple):
    """What a warm-up changes, over the learning rate.

    Attributes:
        rates: Learning rates of descent.
        losses: Training loss, median over the starts: at He's weights and at twice these, each without and with
            warm-up; (weights, warm-up, rate).
        adam_rates: Learning rates of Adam.
        accuracy: Training accuracy of a deeper network under Adam: as it is; with moments gathered before the first
            step; from the weights after a warm-up, with new moments; with a warm-up. Mean over the starts, and a
            standard error below and above it; (3, way, rate).
    """

    rates: np.ndarray
    losses: np.ndarray
    adam_rates: np.ndarray
    accuracy: np.ndarray


TWO = (Net("He", "relu", (64, 48, 48, 10)), Net("twice He", "relu", (64, 48, 48, 10), 2.0))
DEEP = Net("four tanh layers", "tanh", (64, 48, 48, 48, 48, 10))


def _ramp(rate: np.ndarray | float, steps: int) -> Callable[[int], np.ndarray]:
    return lambda t: rate * float(schedules.warm_up(t, 1.0, steps))


def _on_grid(start: Arrays, rates: np.ndarray) -> tuple[Arrays, np.ndarray, tuple[int, int]]:
    """Lay one network a seed on a grid of rates; give the networks, the rate of each run, and the shape."""
    runs = (len(rates), len(next(iter(start.values()))))
    laid = {name: np.broadcast_to(value, (*runs, *value.shape[1:])).copy() for name, value in start.items()}
    return laid, np.broadcast_to(rates[:, None], runs), runs


def sharpness_before_and_after(net: Net, rate: float, ramp: int, seeds: int, seed: int = 0) -> tuple[float, float]:
    """Give the largest curvature at the start and after a warm-up under descent, the medians over the starts."""
    start = start_of(net, seeds, seed)
    warmed = train(start, net, minibatch.SGD(_ramp(rate, ramp)), ramp, (seeds,)).parameters
    return float(np.median(sharpness(start, net))), float(np.median(sharpness(warmed, net)))


def under_adam(rates: np.ndarray, steps: int, ramp: int, seeds: int, seed: int, batches: int = 1) -> np.ndarray:
    """Give the accuracy of the deeper network under Adam, started in the four ways of `WarmUp`; (way, rate, start)."""
    laid, rate, runs = _on_grid(start_of(DEEP, seeds, seed), rates)
    adam = adaptive_methods.Adam
    place = train(laid, DEEP, adam(_ramp(rate, ramp)), ramp, runs, batches).parameters
    ways = (
        train(laid, DEEP, adam(rate), steps, runs, batches),
        train(laid, DEEP, adam(lambda t: rate * (t >= ramp)), steps + ramp, runs, batches),
        train(place, DEEP, adam(rate), steps, runs, batches + 1),
        train(laid, DEEP, adam(_ramp(rate, ramp)), steps + ramp, runs, batches),
    )
    return np.array([loss_and_accuracy(way.parameters, DEEP)[1] for way in ways])


def warm_up(steps: int = 150, ramp: int = 15, seeds: int = 6, seed: int = 0) -> WarmUp:
    """Train so many steps at the full rate, after none or so many below it."""
    rates, adam_rates = 0.05 * 2.0 ** np.arange(5), 0.001 * 8.0 ** np.arange(3)
    losses = np.empty((2, 2, len(rates)))
    for row, net in enumerate(TWO):
        laid, rate, runs = _on_grid(start_of(net, seeds, seed), rates)
        for warm, before in enumerate((0, ramp)):
            ended = train(laid, net, minibatch.SGD(_ramp(rate, before)), steps + before, runs)
            losses[row, warm] = np.median(loss_and_accuracy(ended.parameters, net)[0], axis=-1)
    found = under_adam(adam_rates, steps, ramp, seeds, seed)
    mean, error = found.mean(-1), found.std(-1, ddof=1) / np.sqrt(seeds)
    return WarmUp(rates, losses, adam_rates, np.array([mean, mean - error, mean + error]))


def draw_warm_up(numbers: WarmUp, paper: Paper) -> Figure:
    """Draw the loss under descent on the left, and the accuracy under Adam on the right."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=330 if paper.wide else 620)
    left, right = axes.flat
    colors = (paper.palette.blue, paper.palette.orange)
    for row, color in enumerate(colors):
        for warm in range(2):
            style = {"color": color, "marker": paper.markers[row], "linestyle": paper.dashes[warm]}
            paper.line(left, numbers, f"losses[{row}, {warm}]", x="rates", **style)
    left.set(xscale="log", yscale="log", xlabel="learning rate", title="SGD: training loss", ylim=(0.0025, 5))
    left.minorticks_off()
    left.set_xticks([0.05, 0.1, 0.2, 0.4, 0.8], ["0.05", "0.1", "0.2", "0.4", "0.8"])
    left.set_yticks([0.01, 0.1, 1], ["0.01", "0.1", "1"])
    paper.label(left, numbers.rates[0], 0.008, "start at twice\nHe's weights", color=colors[1])
    paper.label(left, numbers.rates[0], numbers.losses[0, 0, 0], "at He's", color=colors[0], dx=4, dy=14)
    inks = (paper.ink, paper.palette.green, paper.palette.purple, paper.palette.orange)
    names = ("cold", "moments\nfirst", "place\nfirst", "warm-up")
    for row, color in enumerate(inks):
        style = {"color": color, "marker": paper.markers[row], "linestyle": paper.dashes[0]}
        paper.band(right, numbers, f"accuracy[1, {row}]", f"accuracy[2, {row}]", x="adam_rates", color=color)
        paper.line(right, numbers, f"accuracy[0, {row}]", x="adam_rates", **style)
    right.set(xscale="log", xlabel="learning rate", title="Adam: training accuracy", ylim=(-0.07, 1.06))
    right.minorticks_off()
    right.set_xticks(numbers.adam_rates, [f"{rate:g}" for rate in numbers.adam_rates])
    right.set_yticks([0, 0.5, 1], ["0", "50%", "100%"])
    paper.end_labels(right, numbers.adam_rates[-1], numbers.accuracy[0, :, -1], names, inks)
    return figure


# --- range test ------------------------------------------------------------------------------------------------------


NETS = (
    Net("ReLU", "relu", (64, 48, 48, 10)),
    Net("twice He", "relu", (64, 48, 48, 10), 2.0),
    Net("narrow", "relu", (64, 12, 12, 10)),
    Net("deep", "relu", (64, 48, 48, 48, 48, 48, 10)),
    Net("tanh", "tanh", (64, 48, 48, 10)),
)


class RangeTest(NamedTuple):
    """What range tests of several lengths find on five networks.

    Attributes:
        lengths: Steps of the sweep.
        ends: The rate at which the loss is four times its least, over 2 / sharpness at the start; median over the
            starts, at most 100; (network, length).
        best: The constant rate with the least loss after 200 steps, nan if it is at the edge of the
            grid; one a network.
        lowest: The rate at the lowest loss of the longest sweep but one; one a network.
        steepest: The rate of its steepest fall.
        stable: 2 / sharpness at the start.
    """

    lengths: np.ndarray
    ends: np.ndarray
    best: np.ndarray
    lowest: np.ndarray
    steepest: np.ndarray
    stable: np.ndarray


CEILING = 100.0


def range_test(lengths: tuple[int, ...] = (50, 200, 800), steps: int = 200, seeds: int = 3, seed: int = 0) -> RangeTest:
    """Sweep from a rate of 0.001 to 10, and look for the best constant rate beside it."""
    ends = np.empty((len(NETS), len(lengths)))
    rows = []
    for row, net in enumerate(NETS):
        start = start_of(net, seeds, seed)
        sharp = sharpness(start, net)
        for column, length in enumerate(lengths):
            sweep = np.asarray(schedules.exponential_sweep(np.arange(length), 1e-3, 10.0, length))
            own = {name: value.copy() for name, value in start.items()}
            losses = train(own, net, minibatch.SGD(lambda t, sweep=sweep: float(sweep[t])), length, (seeds,)).losses
            found = schedules.range_test(sweep, losses.astype(float))
            ends[row, column] = min(np.median(found.diverged * sharp / 2), CEILING)
            if column == len(lengths) - 2 or len(lengths) == 1:
                lowest, steepest = np.median(found.lowest), np.median(found.steepest)
        rates = 0.05 * 2.0 ** np.arange(6)
        laid, rate, runs = _on_grid(start, rates)
        ended = train(laid, net, minibatch.SGD(rate), steps, runs)
        place = int(np.median(loss_and_accuracy(ended.parameters, net)[0], -1).argmin())
        best = rates[place] if 0 < place < len(rates) - 1 else np.nan
        rows.append((best, lowest, steepest, np.median(2 / sharp)))
    return RangeTest(np.array(lengths), ends, *np.array(rows).T)


def draw_range_test(numbers: RangeTest, paper: Paper) -> Figure:
    """Draw where the sweeps end on the left, and what they say of the best rate on the right."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=330 if paper.wide else 620)
    left, right = axes.flat
    colors = paper.colors[: len(NETS)]
    for row, color in enumerate(colors):
        style = {"color": color, "marker": paper.markers[row % len(paper.markers)]}
        paper.line(left, numbers, f"ends[{row}]", x="lengths", **style)
    left.set(xscale="log", yscale="log", xlabel="steps of the sweep", title="End of the sweep x sharpness / 2")
    left.minorticks_off()
    left.set_xticks(numbers.lengths, [str(length) for length in numbers.lengths])
    left.set_yticks([1, 3, 10, 30, 100], ["1", "3", "10", "30", "100"])
    left.set(ylim=(0.6, 120))
    paper.end_labels(left, numbers.lengths[-1], numbers.ends[:, -1], [net.name for net in NETS], colors)
    marks = (("lowest", paper.palette.blue), ("steepest", paper.palette.orange), ("stable", paper.palette.green))
    for row, (name, color) in enumerate(marks):
        paper.line(right, numbers, name, x="best", color=color, marker=paper.markers[row], linestyle="none")
    ends = np.array([0.08, 1.1])
    paper.guide(right.plot(ends, ends, color=paper.muted, linewidth=0.9)[0])
    right.set(xscale="log", yscale="log", xlabel="best constant rate", title="Rate read off a sweep", xlim=(0.08, 1.2))
    right.minorticks_off()
    right.set_xticks([0.1, 0.2, 0.4, 0.8], ["0.1", "0.2", "0.4", "0.8"])
    right.set_yticks([0.001, 0.01, 0.1, 1], ["0.001", "0.01", "0.1", "1"])
    right.set(ylim=(0.001, 1.5))
    found = np.array([numbers.lowest, numbers.stable, numbers.steepest])[:, np.nanargmax(numbers.best)]
    words = "lowest\nloss", "2 over\nsharpness", "steepest\nfall"
    paper.end_labels(right, 1.2, found, words, [marks[row][1] for row in (0, 2, 1)])
    return figure
