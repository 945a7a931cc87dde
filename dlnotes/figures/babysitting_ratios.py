"""The figure of update ratios: through a training, and beside what the training reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import optimizers
from dlnotes.figures import babysitting as figures
from dlnotes.numpy import adaptive_methods, babysitting, minibatch, network

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper

SHOWN = (0.001, 0.01, 0.1, 1.0, 3.0)  # learning rates of `Ratios.through`
EARLY = 10  # steps that count as early


def _sgd(rate: np.ndarray) -> minibatch.SGD:
    return minibatch.SGD(rate)


def _adam(rate: np.ndarray) -> adaptive_methods.Adam:
    return adaptive_methods.Adam(rate)


# Name, optimizer, factor on the rates, hidden units, hidden layers, activation.
SETTINGS = (
    ("SGD", _sgd, 1.0, 50, 1, "relu"),
    ("SGD, wide", _sgd, 1.0, 250, 1, "relu"),
    ("SGD, 4 tanh", _sgd, 1.0, 50, 4, "tanh"),
    ("Adam", _adam, 0.03, 50, 1, "relu"),
)


class Ratios(NamedTuple):
    """Update ratios of the weights, and losses.

    Attributes:
        steps: Steps taken, by the middle of each interval.
        through: Largest ratio of a weight matrix, the median over the steps of the interval and the runs; (rate,
            interval), for SGD.
        usual: 0.001 at each of these steps.
        early: Largest ratio of a weight matrix, the median over the first steps and the runs; (setting, rate).
        losses: Mean loss of the last fifth, median over the runs; (setting, rate).
    """

    steps: np.ndarray
    through: np.ndarray
    usual: np.ndarray
    early: np.ndarray
    losses: np.ndarray


def watched(setting: tuple, rates: np.ndarray, steps: int, seeds: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Train on 500 digits; give the losses (rate, seed, step) and ratios (rate, seed, step, weight matrix)."""
    _, kind, factor, width, depth, activation = setting
    runs = (len(rates), seeds)
    x, y, *_ = figures.digits(500)
    own = np.array([np.random.default_rng([seed, run]) for run in range(seeds)])
    drawn = network.initialize((64, *[width] * depth, 10), own, runs=(seeds,), dtype=np.float32)
    parameters = {name: np.broadcast_to(value, (*runs, *value.shape[1:])).copy() for name, value in drawn.items()}
    optimizer = kind(np.broadcast_to(rates[:, None] * factor, runs))
    batches = [np.random.default_rng([seed, 1, run]) for run in range(seeds)]
    state, losses, ratios = optimizer.init(parameters), [], []
    with np.errstate(all="ignore"):
        for _ in range(steps):
            rows = np.stack([generator.choice(len(y), 32, replace=False) for generator in batches])
            batch = [np.broadcast_to(part[rows], (*runs, *part[rows].shape[1:])) for part in (x, y)]
            loss, grads = network.loss_and_gradient(parameters, *batch, activation)
            updates, state = optimizer.update(grads, state, parameters)
            found = babysitting.update_ratios(parameters, updates, 2)
            parameters = optimizers.apply_updates(parameters, updates)
            losses.append(loss)
            ratios.append(np.stack([value for name, value in found.items() if "weight" in name], -1))
    return np.stack(losses, -1), np.stack(ratios, -2)


def ratios(steps: int = 200, long: int = 1000, seeds: int = 3, seed: int = 0) -> Ratios:
    """Train under rates over four decades.

    Args:
        steps: Steps of the trainings whose losses are compared.
        long: Steps of those that are followed.
        seeds: Starts.
        seed: Which starts and batches are drawn.

    Returns:
        The ratios and losses.
    """
    _, followed = watched(SETTINGS[0], np.array(SHOWN), long, seeds, seed)
    edges = np.unique(np.round(np.geomspace(1, long, 18)).astype(int)) - 1
    spans = [(a, max(a + 1, b)) for a, b in zip(edges, [*edges[1:], long], strict=True)]
    # A step in which all gradients are 0 has ratio 0, which a logarithmic axis cannot show.
    through = np.stack([np.median(followed[:, :, a:b].max(-1), axis=(1, 2)) for a, b in spans], -1)
    through = np.where(through > 1e-7, through, 1e-7)
    rates = 10.0 ** np.arange(-3, 0.6, 0.5)
    early, ends = [], []
    for setting in SETTINGS:
        losses, found = watched(setting, rates, steps, seeds, seed)
        early.append(np.median(found[:, :, :EARLY].max(-1), axis=(1, 2)))
        end = losses[..., -max(1, steps // 5) :].mean(-1)
        ends.append(np.median(np.where(np.isfinite(end), np.minimum(end, 30), 30), axis=-1))
    middles = np.array([(a + 1 + b) / 2 for a, b in spans])
    usual = np.full(len(middles), 1e-3)
    return Ratios(middles, through, usual, np.maximum(early, 1e-7), np.array(ends))


def draw_ratios(numbers: Ratios, paper: Paper) -> Figure:
    """Draw the ratio through the training, and the loss over the early ratio."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=320 if paper.wide else 600)
    left, right = axes.flat
    palette = paper.palette
    colors = [palette.sky, palette.blue, palette.green, palette.orange, palette.purple]
    for row, color in enumerate(colors):
        paper.line(left, numbers, f"through[{row}]", x="steps", color=color, linestyle=paper.dashes[row % 3])
    paper.theory(left, numbers, "usual", x="steps", color=paper.muted)
    left.set(xscale="log", yscale="log", xlabel="step", title="Update over weights", ylim=(5e-8, 3))
    words = [f"{rate:g}" for rate in SHOWN]
    paper.end_labels(left, numbers.steps[-1], numbers.through[:, -1], words, colors)
    for row, color in enumerate((palette.blue, palette.sky, palette.green, palette.orange)):
        style = {"color": color, "linestyle": paper.dashes[row % 3], "marker": paper.markers[row], "markersize": 4}
        paper.line(right, numbers, f"losses[{row}]", x=f"early[{row}]", label=SETTINGS[row][0], **style)
    right.set(xscale="log", yscale="log", xlabel=f"update over weights, first {EARLY} steps", title="Loss at the end")
    right.set(xlim=(2e-4, 2))
    right.legend(loc="lower left")
    for own in (left, right):
        own.minorticks_off()
    return figure
