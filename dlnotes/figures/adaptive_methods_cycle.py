"""The figure of the chapter on adaptive methods on which Adam goes the wrong way: Reddi, Kale and Kumar's cycle."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import optimizers
from dlnotes.numpy import adaptive_methods

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper


def settled_averages(values: np.ndarray, beta: float | np.ndarray) -> np.ndarray:
    """Give an exponential moving average of values that come round and round, once it has settled.

        m_k = (1 - beta) / (1 - beta^n) sum_j beta^j x_(k-j),    j = 0 to n - 1

    Args:
        values: x, one round of n values.
        beta: How much is kept, from 0 to below 1; any shape.

    Returns:
        The average after each value; (..., n).
    """
    count, beta = len(values), np.asarray(beta)[..., None, None]
    ages = (np.arange(count)[:, None] - np.arange(count)) % count
    return (1 - beta[..., 0]) / (1 - beta[..., 0] ** count) * (beta**ages * values).sum(-1)


def drift(large: float, beta1: float, beta2: np.ndarray) -> np.ndarray:
    """Give how far Adam moves in a round of three settled steps, over the rate, under C, -1, -1 at epsilon = 0."""
    cycle = np.array([large, -1.0, -1.0])
    return -(settled_averages(cycle, beta1) / np.sqrt(settled_averages(cycle**2, beta2))).sum(-1)


class Counterexample(NamedTuple):
    """Where Adam and AMSGrad go under the gradients C, -1, -1 on the interval from -1 to 1.

    Attributes:
        steps: Steps.
        paths: Where the three optimizers are; (optimizer, step).
        betas: beta2 of the lines.
        theory: How far a round of three steps leads, over the rate; (beta1, beta2).
        measured_betas: beta2 of the points.
        measured: The same, measured after a long run; (beta1, beta2).
        threshold: beta2 at which Adam without momentum begins to go the right way.
    """

    steps: np.ndarray
    paths: np.ndarray
    betas: np.ndarray
    theory: np.ndarray
    measured_betas: np.ndarray
    measured: np.ndarray
    threshold: np.ndarray


MOMENTA = (0.0, 0.5, 0.9)


def walk(optimizer: optimizers.Optimizer, gradients: np.ndarray) -> np.ndarray:
    """Give where an optimizer is on [-1, 1] after each gradient, from 0."""
    params, places = {"w": np.zeros(1)}, []
    state = optimizer.init(params)
    for gradient in gradients:
        updates, state = optimizer.update({"w": np.array([gradient])}, state, params)
        params = {"w": np.clip(params["w"] + updates["w"], -1, 1)}
        places.append(params["w"][0])
    return np.array(places)


def round_drift(large: float, beta1: float, beta2: np.ndarray, rounds: int) -> np.ndarray:
    """Measure how far Adam moves in the last of many rounds, at rate 1 and epsilon 0."""
    runs, adam = beta2.shape, adaptive_methods.Adam(1.0, np.full(beta2.shape, beta1), beta2, 0.0)
    params = {"w": np.zeros(runs)}
    state, last = adam.init(params), []
    for step in range(3 * rounds):
        gradient = large if step % 3 == 0 else -1.0
        updates, state = adam.update({"w": np.full(runs, gradient)}, state, params)
        last.append(updates["w"])
    return np.sum(last[-3:], axis=0)


def threshold(large: float, beta1: float = 0.0) -> float:
    """Find beta2 between 0 and 1 at which the drift is 0, by bisection; nan if it has one sign."""
    low, high = 0.0, 1 - 1e-9
    if drift(large, beta1, np.array(low)) <= 0:
        return math.nan
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if drift(large, beta1, np.array(middle)) > 0 else (low, middle)
    return low


def counterexample(large: float = 3.0, rate: float = 0.3, last: int = 1500, points: int = 12) -> Counterexample:
    """Walk under three optimizers, and measure the drift over beta2."""

    def falling(step: int) -> float:
        return rate / math.sqrt(step + 1)

    gradients = np.where(np.arange(last) % 3 == 0, large, -1.0)
    movers = (
        adaptive_methods.Adam(falling, 0.0, 0.1, 0.0),
        adaptive_methods.AMSGrad(falling, 0.0, 0.1, 0.0),
        adaptive_methods.Adam(falling, 0.9, 0.99, 0.0),
    )
    paths = np.array([walk(mover, gradients) for mover in movers])
    betas, few = np.linspace(0, 0.999, 200), np.linspace(0, 0.98, points)
    theory = np.array([drift(large, beta1, betas) for beta1 in MOMENTA])
    measured = np.array([round_drift(large, beta1, few, 200) for beta1 in MOMENTA])
    return Counterexample(np.arange(1, last + 1), paths, betas, theory, few, measured, np.array(threshold(large)))


def draw_counterexample(numbers: Counterexample, paper: Paper) -> Figure:
    """Draw the three walks, and the drift over beta2."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=310 if paper.wide else 560)
    colors = (paper.palette.orange, paper.palette.green, paper.palette.blue)
    names = ("Adam, betas 0 and 0.1", "AMSGrad, same betas", "Adam, 0.9 and 0.99")
    left, right = axes.flat
    for row, color in enumerate(colors):
        paper.line(left, numbers, f"paths[{row}]", x="steps", color=color, linestyle=paper.dashes[row])
    last = numbers.steps[-1]
    for row, height in enumerate((0.72, -0.42, -0.72)):
        paper.label(left, last, height, names[row], color=colors[row], ha="right")
    left.set(title="Place", xlabel="step", ylim=(-1.1, 1.1), xlim=(0, last), yticks=[-1, 0, 1])
    places = ((0.24, 0.62), (0.03, -0.33), (0.3, -0.66))
    colors = (paper.palette.orange, paper.palette.purple, paper.palette.blue)
    for row, (beta1, place, color) in enumerate(zip(MOMENTA, places, colors, strict=True)):
        paper.theory(right, numbers, f"theory[{row}]", x="betas", color=color)
        style = {"color": color, "marker": paper.markers[row], "linestyle": "none"}
        paper.line(right, numbers, f"measured[{row}]", x="measured_betas", **style)
        paper.label(right, *place, f"beta1 = {beta1:g}", color=color)
    paper.guide(right.axhline(0, color=paper.muted, linewidth=0.8))
    crossing = paper.label(right, numbers.threshold, 0, f"{numbers.threshold:.2f}", dx=4, dy=10)
    paper.mark(crossing, "threshold")
    right.set(title="A round of three steps, over the rate", xlabel="beta2", xlim=(-0.02, 1.02))
    return figure
