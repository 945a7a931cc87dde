"""Figures of the chapter on babysitting: seven decades of the rate, accuracy beside loss, decay beside the rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dlnotes import datasets, optimizers
from dlnotes.numpy import minibatch, network, objective, training

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper

Arrays = dict[str, np.ndarray]
WIDTH = 50


def digits(count: int, held_out: int = 0, seed: int = 0) -> list[np.ndarray]:
    """Deal digits, pixels from -1 to 1 in float32: inputs and labels to train on, then those held out."""
    parts = datasets.split(datasets.digits(np.float32), (count, held_out), np.random.default_rng(seed))
    return [array for part in parts[:2] for array in ((part.inputs - 8) / 8, part.targets)]


def starts(runs: tuple[int, ...], seed: int = 0, width: int = WIDTH) -> Arrays:
    """Draw He's start for each place of the last axis of the runs, the same along the other axes."""
    own = np.array([np.random.default_rng([seed, place]) for place in range(runs[-1])])
    drawn = network.initialize((64, width, 10), own, runs=runs[-1:], dtype=np.float32)
    return {name: np.broadcast_to(value, (*runs, *value.shape[1:])).copy() for name, value in drawn.items()}


def generators(runs: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Give each run a generator of its own; those at one place of the last axis draw the same."""
    own = [np.random.default_rng([seed, 1, place[-1]]) for place in np.ndindex(runs)]
    return np.array(own).reshape(runs)


# --- seven decades of the learning rate


class Decades(NamedTuple):
    """Training loss under learning rates over seven decades.

    Attributes:
        steps: Steps taken, by the middle of each interval.
        curves: Mean loss in each interval, median over the runs; (rate, interval).
        rates: Learning rates.
        short: Mean loss of the last fifth of a tenth of the training; (quantile, rate): least, median, largest.
        long: The same of the whole training.
        chance: The loss of guessing, at the least and the largest rate.
    """

    steps: np.ndarray
    curves: np.ndarray
    rates: np.ndarray
    short: np.ndarray
    long: np.ndarray
    chance: np.ndarray


def decades(steps: int = 2000, seeds: int = 3, seed: int = 0) -> Decades:
    """Train a ReLU network on 500 digits by SGD with batches of 32.

    Args:
        steps: Steps of the whole training.
        seeds: Starts.
        seed: Which starts and batches are drawn.

    Returns:
        The losses.
    """
    rates = 10.0 ** np.arange(-5, 3)
    runs = (len(rates), seeds)
    x, y, *_ = digits(500)
    losses = training.train(
        starts(runs, seed), x, y, minibatch.SGD(np.broadcast_to(rates[:, None], runs)), steps=steps, batch_size=32,
        generator=generators(runs, seed), runs=runs,
    ).losses  # fmt: skip
    edges = np.unique(np.round(np.geomspace(1, steps, 25)).astype(int)) - 1
    pieces = [losses[..., a : max(a + 1, b)].mean(-1) for a, b in zip(edges, [*edges[1:], steps], strict=True)]
    middles = np.array([(a + 1 + max(a + 1, b)) / 2 for a, b in zip(edges, [*edges[1:], steps], strict=True)])
    curves = np.median(np.stack(pieces, -1), axis=1)
    ends = [losses[..., :last][..., -max(1, last // 5) :].mean(-1) for last in (max(1, steps // 10), steps)]
    short, long = (np.quantile(end, (0, 0.5, 1), axis=-1) for end in ends)
    return Decades(middles, curves, rates, short, long, np.full(len(rates), np.log(10)))


def draw_decades(numbers: Decades, paper: Paper) -> Figure:
    """Draw the curves, and where they end over the rate."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=320 if paper.wide else 600)
    left, right = axes.flat
    shown = (1, 2, 3, 4, 5, 6, 7)
    palette = paper.palette
    colors = [palette.sky, palette.blue, palette.green, palette.ink, palette.orange, palette.amber, palette.purple]
    for row, color in zip(shown, colors, strict=True):
        style = {"color": color, "linestyle": paper.dashes[row % 3]}
        paper.line(left, numbers, f"curves[{row}]", x="steps", **style)
    left.set(xscale="log", yscale="log", xlabel="step", title="Training loss", ylim=(1e-3, 3e4))
    words = [f"{numbers.rates[row]:g}" for row in shown]
    paper.end_labels(left, numbers.steps[-1], numbers.curves[list(shown), -1], words, colors)
    for name, color, dash, word in (("short", palette.orange, 1, "a tenth"), ("long", palette.blue, 0, "all steps")):
        paper.band(right, numbers, f"{name}[0]", f"{name}[2]", x="rates", color=color)
        style = {"color": color, "linestyle": paper.dashes[dash], "marker": "o", "label": word}
        paper.line(right, numbers, f"{name}[1]", x="rates", **style)
    paper.theory(right, numbers, "chance", x="rates", color=paper.muted)
    right.set(xscale="log", yscale="log", xlabel="learning rate", title="Loss at the end", ylim=(1e-3, 100))
    right.legend(loc="lower left")
    for own in (left, right):
        own.minorticks_off()
    return figure


# --- accuracy beside loss


class Accuracy(NamedTuple):
    """Held-out loss and accuracy, where one moves and the other does not.

    Attributes:
        early_steps: Steps of the training at a low rate.
        early_loss: Held-out loss over that of guessing; (quantile, step): least, median, largest.
        early_accuracy: Held-out accuracy, likewise.
        late_steps: Steps of the long training on few rows, a tenth of their labels dealt at random.
        late_loss: Held-out loss over its least value of the run, likewise.
        late_accuracy: Held-out accuracy, likewise.
    """

    early_steps: np.ndarray
    early_loss: np.ndarray
    early_accuracy: np.ndarray
    late_steps: np.ndarray
    late_loss: np.ndarray
    late_accuracy: np.ndarray


def _watched(seeds: int, seed: int, rows: int, wrong: float, small: float, **settings: Any) -> tuple[np.ndarray, ...]:
    """Train, and give the steps measured, held-out loss and held-out accuracy, a row a run."""
    x, y, held_x, held_y = digits(rows, 800, seed)
    runs = (seeds,)
    dealt = np.stack([np.random.default_rng([seed, 2, run]).integers(0, 10, rows) for run in range(seeds)])
    chosen = np.stack([np.random.default_rng([seed, 3, run]).random(rows) < wrong for run in range(seeds)])
    targets = np.where(chosen, dealt, y)
    start = starts(runs, seed)
    start["2.weight"] *= small

    def measure(parameters: Arrays) -> dict[str, np.ndarray]:
        logits, _ = network.forward(parameters, held_x)
        right = (logits.argmax(-1) == held_y).mean(-1)
        return {"loss": objective.cross_entropy(logits, held_y), "accuracy": right}

    inputs = np.broadcast_to(x, (seeds, *x.shape))
    trained = training.train(
        start, inputs, targets, generator=generators(runs, seed), runs=runs, data_per_run=True, measure=measure,
        batch_size=32, **settings,
    )  # fmt: skip
    return trained.measured_at, trained.measures["loss"], trained.measures["accuracy"]


def accuracy(rate: float = 0.001, wrong: float = 0.1, seeds: int = 5, seed: int = 0) -> Accuracy:
    """Train at a low rate from small output weights, and long at a high rate with some wrong labels.

    Args:
        rate: The low rate.
        wrong: The share of labels dealt at random in the long training.
        seeds: Starts.
        seed: Which rows, starts and batches are drawn.

    Returns:
        Loss and accuracy of both.
    """
    steps, loss, right = _watched(
        seeds, seed, 500, 0.0, 0.05, optimizer=minibatch.SGD(rate), steps=400, measure_every=20
    )
    early = [np.quantile(values, (0, 0.5, 1), axis=0) for values in (loss / np.log(10), right)]
    late_steps, loss, right = _watched(
        seeds, seed, 200, wrong, 1.0, optimizer=minibatch.SGD(0.3), steps=2000, measure_every=50
    )
    loss, right, late_steps = loss[:, 1:], right[:, 1:], late_steps[1:]
    late = [np.quantile(values, (0, 0.5, 1), axis=0) for values in (loss / loss.min(1, keepdims=True), right)]
    return Accuracy(steps, *early, late_steps, *late)


def draw_accuracy(numbers: Accuracy, paper: Paper) -> Figure:
    """Draw both trainings."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=300 if paper.wide else 560)
    titles = ("Low rate, small start", "Few rows, wrong labels")
    for own, part, title in zip(axes.flat, ("early", "late"), titles, strict=True):
        for row, (name, color) in enumerate((("loss", paper.palette.orange), ("accuracy", paper.palette.blue))):
            field, x = f"{part}_{name}", f"{part}_steps"
            paper.band(own, numbers, f"{field}[0]", f"{field}[2]", x=x, color=color)
            paper.line(own, numbers, f"{field}[1]", x=x, color=color, linestyle=paper.dashes[row])
            values, steps = getattr(numbers, field)[1], getattr(numbers, x)
            place = len(steps) // 2
            above = 14 if name == "loss" else -14 if part == "late" else 26
            paper.label(own, steps[place], values[place], name, color=color, dy=above, ha="center")
        own.set(xlabel="step", title=title, ylim=(0, None))
    return figure


# --- decay beside the learning rate


class Decay(NamedTuple):
    """Training loss without the penalty, over the learning rate and the strength of an L2 penalty.

    Attributes:
        losses: Base-10 logarithm of the mean loss of the last fifth, median over the runs; (strength, rate). A loss
            above 10, or that is no number, is drawn as 10.
    """

    losses: np.ndarray


class _Penalized:
    """SGD on the loss and strength / 2 times the sum of squares of all parameters."""

    def __init__(self, rate: np.ndarray, strength: np.ndarray):
        self.rate, self.strength = rate, strength

    def init(self, params: Arrays) -> int:
        return 0

    def update(self, grads: Arrays, state: int, params: Arrays) -> tuple[Arrays, int]:
        def along(value: np.ndarray, like: np.ndarray) -> np.ndarray:
            return value.reshape(value.shape + (1,) * (like.ndim - value.ndim)).astype(like.dtype)

        pairs = {name: g + along(self.strength, g) * params[name] for name, g in grads.items()}
        return {name: -along(self.rate, g) * g for name, g in pairs.items()}, state


STRENGTHS = (0.0, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
POWERS = np.arange(-4, 1.1, 0.5)  # base-10 logarithms of the learning rates


def penalized_losses(rates: np.ndarray, strengths: np.ndarray, steps: int, seeds: int, seed: int) -> np.ndarray:
    """Train under each strength and rate, and give the losses without the penalty, (strength, rate, seed, step)."""
    runs = (len(strengths), len(rates), seeds)
    optimizer = _Penalized(*(np.broadcast_to(v, runs) for v in (rates[:, None], strengths[:, None, None])))
    x, y, *_ = digits(500)
    own = [np.random.default_rng([seed, 1, run]) for run in range(seeds)]
    parameters, losses = starts(runs, seed), []
    with np.errstate(all="ignore"):
        for _ in range(steps):
            rows = np.stack([generator.choice(len(y), 32, replace=False) for generator in own])
            batch = [np.broadcast_to(part[rows], (*runs, *part[rows].shape[1:])) for part in (x, y)]
            loss, grads = network.loss_and_gradient(parameters, *batch)
            updates, _ = optimizer.update(grads, 0, parameters)
            parameters = optimizers.apply_updates(parameters, updates)
            losses.append(loss)
    return np.stack(losses, -1)


def decay(steps: int = 200, seeds: int = 3, seed: int = 0) -> Decay:
    """Train the ReLU network on 500 digits under each rate and penalty.

    Args:
        steps: Steps.
        seeds: Starts.
        seed: Which starts and batches are drawn.

    Returns:
        The losses.
    """
    losses = penalized_losses(10.0**POWERS, np.array(STRENGTHS), steps, seeds, seed)
    ends = losses[..., -max(1, steps // 5) :].mean(-1)
    ends = np.median(np.where(np.isfinite(ends), np.minimum(ends, 10), 10), axis=-1)
    return Decay(np.log10(ends))


def draw_decay(numbers: Decay, paper: Paper) -> Figure:
    """Draw a map of the loss."""
    figure, axes = paper.subplots(height=270 if paper.wide else 330)
    own = axes[0, 0]
    picture = own.imshow(numbers.losses, cmap=paper.ramp, vmin=-1.5, vmax=1, aspect="auto", origin="lower")
    paper.mark(picture, "losses")
    own.set_xticks(range(0, len(POWERS), 2), [f"{10.0**power:g}" for power in POWERS[::2]])
    own.set_yticks(range(len(STRENGTHS)), [f"{strength:g}" for strength in STRENGTHS])
    own.set(xlabel="learning rate", ylabel="strength of the L2 penalty")
    own.grid(visible=False)
    paper.color_scale(figure, picture, axes, "training loss", [-1.5, -1, 0, 1], ["0.03", "0.1", "1", "10"])
    return figure
