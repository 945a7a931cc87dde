"""Figures of the chapter on mini-batches for which networks are trained: what a size of the batch costs and brings."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import datasets
from dlnotes.figures import minibatch as figures
from dlnotes.numpy import adaptive_methods, minibatch, network, objective, training

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper


def trained(
    size: int,
    rates: np.ndarray,
    steps: int,
    every: int,
    *,
    optimizer: Callable = minibatch.SGD,
    examples: int = 512,
    hidden: int = 32,
    seeds: int = 5,
    seed: int = 0,
    target: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Train a tanh network of one hidden layer on digits, under each rate from the same starts.

    From one start each run draws the same batches, with a generator of its own.

    Args:
        size: Examples in a batch.
        rates: Learning rates.
        steps: Steps to take.
        every: Steps between measurements.
        optimizer: Takes the rates, one a run.
        examples: Digits to train on.
        hidden: Hidden units.
        seeds: Starts.
        seed: Which starts and batches are drawn.
        target: A run is stopped when its loss is below this.

    Returns:
        The steps at which it was measured, and the loss over all examples, (rate, start, measurement).
    """
    digits = datasets.digits()
    inputs = ((digits.inputs[:examples] - 8) / 8).astype(np.float32)
    labels = digits.targets[:examples]
    runs = (len(rates), seeds)
    own = np.array([np.random.default_rng([seed, place[1]]) for place in np.ndindex(runs)]).reshape(runs)
    starts = np.array(np.random.default_rng(seed).spawn(seeds))
    start = network.initialize([64, hidden, 10], starts, runs=(seeds,), dtype=np.float32)
    start = {name: np.broadcast_to(value, (*runs, *value.shape[1:])).copy() for name, value in start.items()}

    def measure(params: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {"loss": objective.cross_entropy(network.forward(params, inputs, "tanh")[0], labels)}

    with np.errstate(all="ignore"):
        found = training.train(
            start, inputs, labels, optimizer(np.broadcast_to(rates[:, None], runs)), steps=steps, runs=runs,
            batch_size=None if size >= examples else size, generator=own,
            gradient=lambda *batch: network.loss_and_gradient(*batch, "tanh"), measure=measure, measure_every=every,
            stop=lambda measures: measures["loss"][..., -1].reshape(runs) < target,
        )  # fmt: skip
    return found.measured_at, found.measures["loss"]


def steps_to(target: float, steps: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """Give the step at which each run's loss first falls below a target, between measurements on a logarithmic scale.

    A run that does not get there has infinity.
    """
    below = losses < target
    last = np.maximum(below.argmax(-1), 1)
    before, after = (np.log(np.take_along_axis(losses, at[..., None], -1)[..., 0]) for at in (last - 1, last))
    with np.errstate(all="ignore"):
        between = (before - np.log(target)) / (before - after)
    reached = steps[last - 1] + between * (steps[last] - steps[last - 1])
    return np.where(below.any(-1), reached, np.inf)


# --- epochs and seconds ----------------------------------------------------------------------------------------------


class Clock(NamedTuple):
    """Training loss for batches of one, of 32 and of all, against epochs and against time.

    At each place of the axis it is the loss of that one of the rates that is best there.

    Attributes:
        epochs: Passes over the examples.
        by_epoch: The loss there; (size, quantile, place). The quantiles over starts: least, median, largest, each at
            the rate whose median is least.
        times: Time, in that of one example of a large batch.
        by_time: The loss there; likewise.
    """

    epochs: np.ndarray
    by_epoch: np.ndarray
    times: np.ndarray
    by_time: np.ndarray


# The size (0 for all), the steps to take, those from one measurement to the next, and the least of five rates.
CLOCK = ((1, 1536, 24), (32, 450, 6), (0, 98, 2))
CLOCK_RATES = {1: 0.0125, 32: 0.125, 0: 0.25}


def _at_best_rate(places: np.ndarray, at: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """Look up the losses last measured before each place, at the rate of the least median; (quantile, place)."""
    last = np.searchsorted(at, places, side="right") - 1
    there = np.where(np.isfinite(losses), losses, np.inf)[..., last]
    quantiles = np.quantile(there, (0, 0.5, 1), axis=1, method="nearest")
    best = quantiles[1].argmin(0)
    return np.take_along_axis(quantiles, best[None, None], 1)[:, 0]


def clock(overhead: float = 100.0, examples: int = 512, hidden: int = 32, seeds: int = 5, seed: int = 0) -> Clock:
    """Train with three sizes; a step takes the time of `overhead` examples and of its own."""
    epochs, times = np.geomspace(0.1, 3, 30), np.geomspace(1300, 59_000, 40)
    by_epoch, by_time = [], []
    for number, steps, every in CLOCK:
        size, own = number or examples, CLOCK_RATES[number] * 2.0 ** np.arange(5)
        at, losses = trained(size, own, steps, every, examples=examples, hidden=hidden, seeds=seeds, seed=seed)
        by_epoch.append(_at_best_rate(epochs, at * size / examples, losses))
        by_time.append(_at_best_rate(times, at * (overhead + size), losses))
    return Clock(epochs, np.array(by_epoch), times, np.array(by_time))


def draw_clock(numbers: Clock, paper: Paper) -> Figure:
    """Draw the losses against epochs, and against time."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=310 if paper.wide else 560, sharey=True)
    colors = (paper.palette.orange, paper.palette.blue, paper.palette.green)
    words = ("1", "32", "all")
    panels = (("epochs", "by_epoch", "passes over the data"), ("times", "by_time", "time"))
    for own, (x, name, title) in zip(axes.flat, panels, strict=True):
        for row, color in enumerate(colors):
            paper.band(own, numbers, f"{name}[{row}, 0]", f"{name}[{row}, 2]", x=x, color=color)
            style = {"color": color, "linestyle": paper.dashes[row]}
            paper.line(own, numbers, f"{name}[{row}, 1]", x=x, **style)
        own.set(xscale="log", yscale="log", xlabel=title, title=f"Loss against {title}", ylim=(0.003, 4))
        own.minorticks_off()
        own.set_yticks([0.01, 0.1, 1], ["0.01", "0.1", "1"])
        places = paper.value(numbers, x)
        ends = np.maximum(paper.value(numbers, name)[:, 1, -1], 0.004)
        paper.end_labels(own, places[-1], ends, [f"batch {word}" if x == "epochs" else word for word in words], colors)
    axes.flat[0].set_xticks([0.1, 0.3, 1, 3], ["0.1", "0.3", "1", "3"])
    axes.flat[1].set_xticks([1000, 10_000, 60_000], ["1000", "10,000", "60,000"])
    axes.flat[1].set_xlabel("time, in examples of a large batch")
    return figure


# --- the critical batch size, and the best rate -----------------------------------------------------------------------


SIZES = np.array([1, 4, 16, 64, 256, 512])
STEPS = (900, 300, 120, 50, 40, 40)
EVERY = (12, 6, 2, 1, 1, 1)
# The middles of the grids of rates, a factor of the root of two apart: the best found on a wider one.
MIDDLES = {"sgd": (0.07, 0.25, 0.5, 0.85, 1.0, 1.0), "adam": (0.0085, 0.014, 0.024, 0.04, 0.045, 0.045)}
AROUND = 2.0 ** (np.arange(-2, 3) / 2)


class Sweep(NamedTuple):
    """Steps to a loss for each size of the batch and each rate.

    Attributes:
        rates: The rates that were tried; (size, rate).
        steps: The steps; (size, rate, start).
    """

    rates: np.ndarray
    steps: np.ndarray


def sweep(
    method: str = "sgd", target: float = 0.2, hidden: int = 32, seeds: int = 5, seed: int = 0, longer: float = 1.0
) -> Sweep:
    """Train with each size, each at five rates around its own best."""
    optimizer = {"sgd": minibatch.SGD, "adam": adaptive_methods.Adam}[method]
    rates = np.array(MIDDLES[method])[:, None] * AROUND
    needed = []
    for size, own, steps, every in zip(SIZES, rates, STEPS, EVERY, strict=True):
        options = {"optimizer": optimizer, "hidden": hidden, "seeds": seeds, "seed": seed, "target": target}
        needed.append(steps_to(target, *trained(int(size), own, int(steps * longer), every, **options)))
    return Sweep(rates, np.array(needed))


class Critical(NamedTuple):
    """Steps that a network needs to reach a loss, and the best rate, against the size of the batch.

    Attributes:
        sizes: Examples in a batch.
        steps: Steps at the rate with the least median; (quantile, size): least, median and most over the starts. A run
            that does not get there counts as the steps that were tried.
        best: The rate that is best for a start; the quantiles over starts likewise.
        fine: Sizes for the curves.
        curve: S (1 + B / b), with S and B fitted to the medians of the steps.
        rate: R / (1 + B / b), with the same B and the best rate R of the largest batch.
        linear: The best rate of the smallest batch, times the size.
        root: The same, times the root of the size.
        critical: B.
    """

    sizes: np.ndarray
    steps: np.ndarray
    best: np.ndarray
    fine: np.ndarray
    curve: np.ndarray
    rate: np.ndarray
    linear: np.ndarray
    root: np.ndarray
    critical: np.ndarray


def fitted(sizes: np.ndarray, steps: np.ndarray) -> tuple[float, float]:
    """Fit S (1 + B / b) by least squares of the logarithms, on a grid of B; give S and B."""
    trial = np.geomspace(0.1, 10_000, 2001)
    gap = np.log(steps) - np.log(1 + trial[:, None] / sizes)
    level = gap.mean(1, keepdims=True)
    best = ((gap - level) ** 2).sum(1).argmin()
    return float(np.exp(level[best, 0])), float(trial[best])


def measured(method: str, target: float, hidden: int, seeds: int, seed: int, longer: float = 1.0) -> Critical:
    """Take the best rates, and fit the curve to the steps that they need."""
    found = sweep(method, target, hidden, seeds, seed, longer)
    tried = np.array(STEPS)[:, None, None] * longer
    quantiles = np.quantile(np.minimum(found.steps, tried), (0, 0.5, 1), axis=-1, method="nearest")
    middle = quantiles[1].argmin(-1)
    steps = np.take_along_axis(quantiles, middle[None, :, None], -1)[..., 0]
    own = np.take_along_axis(found.rates, found.steps.argmin(1), 1)
    best = np.quantile(own, (0, 0.5, 1), axis=-1, method="nearest")
    best[1] = np.take_along_axis(found.rates, middle[:, None], 1)[:, 0]
    least, scale = fitted(SIZES, steps[1])
    fine = np.geomspace(1, 512, 60)
    shape = 1 + scale / fine
    rules = best[1, 0] * fine, best[1, 0] * np.sqrt(fine)
    return Critical(SIZES, steps, best, fine, least * shape, best[1, -1] / shape, *rules, np.array([scale]))


def critical(target: float = 0.2, hidden: int = 32, seeds: int = 5, seed: int = 0) -> Critical:
    """Train with SGD."""
    return measured("sgd", target, hidden, seeds, seed)


def adam(target: float = 0.2, hidden: int = 32, seeds: int = 5, seed: int = 0) -> Critical:
    """Train with Adam."""
    return measured("adam", target, hidden, seeds, seed)


def draw_critical(numbers: Critical, paper: Paper) -> Figure:
    """Draw the steps with their curve, and the best rates with three rules."""
    return _draw(numbers, paper, "SGD", ([0.1, 0.2, 0.5, 1], (0.04, 2.5)))


def draw_adam(numbers: Critical, paper: Paper) -> Figure:
    """Draw the steps with their curve, and the best rates with three rules."""
    return _draw(numbers, paper, "Adam", ([0.01, 0.02, 0.05, 0.1], (0.005, 0.15)))


def _draw(numbers: Critical, paper: Paper, name: str, scale: tuple[list[float], tuple[float, float]]) -> Figure:
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=310 if paper.wide else 560)
    left, right = axes.flat
    color = paper.palette.blue if name == "SGD" else paper.palette.purple
    style = {"color": color, "marker": "o", "linestyle": "none", "markersize": 5}
    for own, field in ((left, "steps"), (right, "best")):
        paper.band(own, numbers, f"{field}[0]", f"{field}[2]", x="sizes", color=color)
        paper.line(own, numbers, f"{field}[1]", x="sizes", **style)
        own.set(xscale="log", yscale="log", xlabel="examples in a batch", xlim=(0.85, 620))
    paper.theory(left, numbers, "curve", x="fine")
    for field, dashes in (("rate", paper.dashes[1]), ("linear", paper.dashes[2]), ("root", paper.dashes[3])):
        paper.theory(right, numbers, field, x="fine", linestyle=dashes)
    left.set(title=f"{name}: steps to a loss of 0.2", ylim=(8, 700))
    right.set(title=f"{name}: best rate", ylim=scale[1])
    for own in (left, right):
        own.minorticks_off()
        own.set_xticks([1, 4, 16, 64, 256], ["1", "4", "16", "64", "256"])
    left.set_yticks([10, 20, 50, 100, 200, 500], ["10", "20", "50", "100", "200", "500"])
    right.set_yticks(scale[0], [f"{tick:g}" for tick in scale[0]])
    paper.guide(left.axvline(numbers.critical[0], color=paper.muted, linewidth=0.8))
    word = paper.label(left, numbers.critical[0], 450, f"critical: {numbers.critical[0]:.0f}", dx=6)
    paper.mark(word, "critical[0]")
    return figure


# --- the noise scale along a training ---------------------------------------------------------------------------------


class NoiseScale(NamedTuple):
    """The gradient noise scale against the loss, along trainings with batches of 16 and with all examples.

    Attributes:
        losses: Loss over all examples; (size, point). The points are those of all starts.
        scales: Variance of the single gradients over the squared length of their mean, there; likewise. It is that of
            these examples alone, so nothing is taken off for a sample.
    """

    losses: np.ndarray
    scales: np.ndarray


# Both at one rate, so that they differ in the size alone.
SCALE_STEPS = ((16, 0.5, (0, 5, 10, 20, 40, 80, 140)), (512, 0.5, (0, 4, 8, 16, 24, 33, 60)))


def noise_scale(hidden: int = 32, seeds: int = 5, seed: int = 0) -> NoiseScale:
    """Measure at some steps of each training."""
    digits = datasets.digits()
    inputs, labels = ((digits.inputs[:512] - 8) / 8).astype(np.float32), digits.targets[:512]

    def gradient(*batch: np.ndarray) -> network.LossAndGradient:
        return network.loss_and_gradient(*batch, "tanh")

    losses, scales = [], []
    for size, rate, steps in SCALE_STEPS:
        rows = []
        for start in range(seeds):
            params = network.initialize([64, hidden, 10], np.random.default_rng([seed, start]), dtype=np.float32)
            generator, before = np.random.default_rng([seed, start, 1]), 0
            for step in steps:
                params = training.train(
                    params, inputs, labels, minibatch.SGD(rate), steps=step - before, gradient=gradient,
                    batch_size=None if size == 512 else size, generator=generator,
                ).parameters  # fmt: skip
                before = step
                singles = figures.single_gradients(params, inputs, labels)
                whole = singles.mean(0)
                scale = ((singles - whole) ** 2).sum(1).mean() / (whole**2).sum()
                rows.append((gradient(params, inputs, labels).loss, scale))
        own = np.array(rows, dtype=float).T
        order = own[0].argsort()
        losses.append(own[0][order])
        scales.append(own[1][order])
    return NoiseScale(np.array(losses), np.array(scales))


def draw_noise_scale(numbers: NoiseScale, paper: Paper) -> Figure:
    """Draw a point for each measurement; training goes to the right."""
    figure, ((axes,),) = paper.subplots(height=320)
    colors = (paper.palette.blue, paper.palette.orange)
    for row, color in enumerate(colors):
        style = {"color": color, "marker": paper.markers[row], "linestyle": "none", "markersize": 5}
        paper.line(axes, numbers, f"scales[{row}]", x=f"losses[{row}]", **style)
    axes.set(xscale="log", yscale="log", xlabel="training loss, falling to the right", title="Gradient noise scale")
    axes.set_xlim(3.5, 0.03)
    axes.minorticks_off()
    axes.set_xticks([3, 1, 0.3, 0.1], ["3", "1", "0.3", "0.1"])
    axes.set_yticks([10, 30, 100, 300, 1000], ["10", "30", "100", "300", "1000"])
    places = (0.032, 11, "along batches\nof 16"), (0.6, 400, "along all\nexamples")
    for row, (x, y, word) in enumerate(places):
        paper.label(axes, x, y, word, color=colors[row], ha=("right", "center")[row])
    return figure
