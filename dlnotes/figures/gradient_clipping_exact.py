"""Figures of the chapter on gradient clipping that draw nothing at random: the wall, and one spike."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import optimizers
from dlnotes.figures import gradient_clipping as cliffs
from dlnotes.numpy import adaptive_methods, gradient_clipping, momentum

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper


# --- how steep -------------------------------------------------------------------------------------------------------


class Steepness(NamedTuple):
    """How steep the wall is and how narrow.

    Attributes:
        offsets: Bias less that of the wall, for w = 5.
        profiles: The loss there after each of `times`; (time, offset).
        times: Lengths of the profiles.
        lengths: Times that the unit runs.
        weights: Its weights.
        slopes: Largest slope in b near the wall, by a fine scan; (weight, length).
        on_wall: The slope at b = -w/2 itself, by the formula; (weight, length).
    """

    offsets: np.ndarray
    profiles: np.ndarray
    times: np.ndarray
    lengths: np.ndarray
    weights: np.ndarray
    slopes: np.ndarray
    on_wall: np.ndarray


def steepness(longest: int = 50, points: int = 200) -> Steepness:
    """Scan the loss across the wall for several weights and lengths."""
    offsets = np.linspace(-0.6, 0.6, points + 1)
    times = np.array([5, 10, longest])
    profiles = np.array([cliffs.unit_loss(np.array(5.0), offsets - 2.5, length).loss for length in times])
    lengths, weights = np.arange(5, longest + 1, 5), np.array([3.0, 4.5, 5.0, 6.0])
    near = np.geomspace(1e-13, 1, 4 * points)
    around = np.concatenate([-near[::-1], [0], near])
    slopes = [
        [abs(cliffs.unit_loss(np.array(w), around - w / 2, length).slope_bias).max() for length in lengths]
        for w in weights
    ]
    theory = (cliffs.TARGET - 0.5) / 2 * cliffs.growth(weights[:, None], lengths)
    return Steepness(offsets, profiles, times, lengths, weights, np.array(slopes), theory)


def draw_steepness(numbers: Steepness, paper: Paper) -> Figure:
    """Draw the profiles across the wall, and the slope over the length."""
    shape = (1, 2) if paper.wide else (2, 1)
    figure, axes = paper.subplots(*shape, height=320 if paper.wide else 560)
    left, right = axes.flat
    colors = paper.colors[:3]
    for number, color in enumerate(colors):
        style = {"color": color, "linestyle": paper.dashes[2 - number]}
        paper.line(left, numbers, f"profiles[{number}]", x="offsets", **style)
    left.set(xlabel="b + w/2", title="Loss across the wall, w = 5", xlim=(-0.6, 0.6), ylim=(-0.02, 0.5))
    left.set_xticks([-0.5, 0, 0.5])
    left.set_yticks([0, 0.2, 0.4])
    labels = paper.end_labels(left, 0.6, numbers.profiles[:, -1], [f"T = {time}" for time in numbers.times], colors)
    for number, label in enumerate(labels):
        paper.mark(label, f"times[{number}]")
    for number, color in enumerate(paper.colors[:4]):
        style = {"color": color, "marker": paper.markers[number], "linestyle": "none"}
        paper.line(right, numbers, f"slopes[{number}]", x="lengths", **style)
        paper.theory(right, numbers, f"on_wall[{number}]", x="lengths", color=color)
    right.set(yscale="log", xlabel="length T", title="Slope in b", xlim=(0, numbers.lengths[-1]))
    texts = [f"w = {weight:g}" for weight in numbers.weights]
    labels = paper.end_labels(right, numbers.lengths[-1], numbers.slopes[:, -1], texts, paper.colors[:4])
    for number, label in enumerate(labels):
        paper.mark(label, f"weights[{number}]")
    return figure


# --- one spike -------------------------------------------------------------------------------------------------------


class Spike(NamedTuple):
    """What one long gradient in the wrong direction leaves in the memory of an optimizer; all others are 1.

    Attributes:
        steps: Steps, the spike coming at 0.
        velocity: Step of the heavy ball over its usual step; clipped before momentum, and after it; (order, step).
        after: Steps after the spike, on a logarithmic grid.
        spikes: Lengths of the spike for Adam.
        adam: Adam's step over the learning rate, without clipping; (spike, after).
        adam_clipped: The same for the longest spike, clipped to 2.
        theory: Adam's step by the formula; (spike, after).
    """

    steps: np.ndarray
    velocity: np.ndarray
    after: np.ndarray
    spikes: np.ndarray
    adam: np.ndarray
    adam_clipped: np.ndarray
    theory: np.ndarray


def steps_around(optimizer: optimizers.Optimizer, gradients: np.ndarray) -> np.ndarray:
    """Give an optimizer's updates for gradients of single numbers, with the sign turned; (step, number)."""
    params = {"x": np.zeros(gradients.shape[1:])}
    state, taken = optimizer.init(params), []
    for gradient in gradients:
        updates, state = optimizer.update({"x": gradient}, state, params)
        taken.append(-updates["x"])
    return np.array(taken)


def spike(length: float = 1000.0, max_norm: float = 2.0, beta: float = 0.9, last: int = 20_000) -> Spike:
    """Send one spike through the heavy ball in two orders, and through Adam."""
    gradients = np.ones((200, 1))
    gradients[100] = -length
    ball = momentum.Momentum(1.0, beta)
    usual = 1 / (1 - beta)
    before = steps_around(optimizers.chain(gradient_clipping.ClipByNorm(max_norm), ball), gradients)
    behind = steps_around(optimizers.chain(ball, gradient_clipping.ClipByNorm(max_norm * usual)), gradients)
    velocity = np.stack([before, behind])[:, 90:190, 0] / usual
    spikes = length * np.array([1e-2, 1e-1, 1.0])
    long_ago = 5000
    many = np.ones((long_ago + last + 1, 4))
    many[long_ago] = np.append(-spikes, -min(length, max_norm))
    taken = steps_around(adaptive_methods.Adam(1.0), many)[long_ago:]
    after = np.unique(np.geomspace(1, last, 60).astype(int))
    mean = 1 - (spikes[:, None] + 1) * 0.1 * 0.9**after
    square = 1 + (spikes[:, None] ** 2 - 1) * 0.001 * 0.999**after
    return Spike(
        np.arange(-10, 90), velocity, after, spikes, taken[after, :3].T, taken[after, 3], mean / np.sqrt(square)
    )


def draw_spike(numbers: Spike, paper: Paper) -> Figure:
    """Draw the heavy ball's steps, and Adam's."""
    shape = (1, 2) if paper.wide else (2, 1)
    figure, axes = paper.subplots(*shape, height=320 if paper.wide else 580)
    left, right = axes.flat
    colors = paper.palette.green, paper.palette.orange
    for order, color in enumerate(colors):
        paper.line(left, numbers, f"velocity[{order}]", x="steps", color=color, linestyle=paper.dashes[order])
    paper.guide(left.axhline(0, color=paper.muted, linewidth=0.8))
    left.set(xlabel="steps after the spike", title="Heavy ball: step over usual step", xlim=(-10, 89), ylim=(-2.4, 1.6))
    paper.label(left, -8, 1, "clipped, then momentum", color=colors[0], dy=12)
    paper.label(left, 42, -2, "momentum,\nthen clipped", color=colors[1], dx=10, dy=6)
    for row, color in enumerate(paper.colors[:3]):
        style = {"color": color, "marker": paper.markers[row], "linestyle": "none", "markevery": 2}
        paper.line(right, numbers, f"adam[{row}]", x="after", **style)
        paper.theory(right, numbers, f"theory[{row}]", x="after", color=color)
    paper.line(right, numbers, "adam_clipped", x="after", color=paper.ink, linewidth=2)
    right.set(xscale="log", xlabel="steps after the spike", title="Adam: step over learning rate")
    right.set(xlim=(1, numbers.after[-1]), ylim=(-3.2, 1.6))
    paper.guide(right.axhline(0, color=paper.muted, linewidth=0.8))
    paper.label(right, 3, 1, "spike clipped", color=paper.ink, dy=12)
    for row, (place, dx, dy) in enumerate(((7, -6, 6), (150, 0, 13), (3000, -6, -16))):
        at = int(np.argmin(abs(numbers.after - place)))
        text = ("spike {:g}", "spike {:g}", "{:g} times as long")[row].format(numbers.spikes[row])
        style = {"color": paper.colors[row], "dx": dx, "dy": dy, "ha": "left" if row == 1 else "right"}
        label = paper.label(right, numbers.after[at], numbers.adam[row, at], text, **style)
        paper.mark(label, f"spikes[{row}]")
    return figure
