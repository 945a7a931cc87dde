"""Figure of the chapter on initialization that follows pairs of inputs: how alike they become, and what can be read."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import datasets
from dlnotes.numpy import activations, initialization

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper


class SignalsAlike(NamedTuple):
    """How alike images of digits are in each layer at the start, and what a linear probe reads there.

    Attributes:
        layers: 0 for the pixels.
        cosines: Mean cosine of two images; (start, quantile, layer).
        theory: The same in the limit of wide layers; (start, layer).
        accuracy: Share of the held-out images that the probe names rightly; (start, quantile, layer).
        chance: Share that guessing names rightly.
    """

    layers: np.ndarray
    cosines: np.ndarray
    theory: np.ndarray
    accuracy: np.ndarray
    chance: np.ndarray


class Start(NamedTuple):
    """An activation, and the gain of the weights that follow it: their variance is gain^2 / fan_in."""

    name: str
    activation: str
    gain: float


STARTS = (
    Start("sigmoid", "sigmoid", initialization.gain("sigmoid")),
    Start("ReLU, He", "relu", initialization.gain("relu")),
    Start("tanh, gain 1.59", "tanh", initialization.gain("tanh")),
    Start("tanh, gain 1", "tanh", 1.0),
)
RIDGE = 1e-3  # strength of the probe's penalty, over the mean square of the centered features


def images(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Give centered images of digits, each scaled to a second moment of 1, and their classes one-hot."""
    digits = datasets.digits()
    x = (digits.inputs - digits.inputs.mean(0))[:count]
    return x / np.sqrt((x * x).mean(-1, keepdims=True)), np.eye(10)[digits.targets[:count]]


def probe_accuracy(features: np.ndarray, classes: np.ndarray) -> float:
    """Fit a ridge regression with an intercept to the first half, and name the classes of the second half.

    The features are centered first: the penalty is to be small beside what differs between the inputs, however large
    the part that all of them share.
    """
    half, common = len(features) // 2, classes[: len(features) // 2].mean(0)
    x = features - features[:half].mean(0)
    fitted, held_out = x[:half], x[half:]
    strength = RIDGE * (fitted * fitted).mean() * half
    weights = np.linalg.solve(fitted.T @ fitted + strength * np.eye(x.shape[1]), fitted.T @ (classes[:half] - common))
    return float(((held_out @ weights + common).argmax(-1) == classes[half:].argmax(-1)).mean())


def wide_cosines(start: Start, cosines: np.ndarray, depth: int) -> np.ndarray:
    """Give the mean over pairs of their cosine in each layer of a wide network; the first variance is 1."""
    grid = np.sin(np.linspace(-np.pi / 2, np.pi / 2, 41))  # closer together near -1 and 1, where the map bends
    variance, mapped_at, means = 1.0, math.nan, [cosines.mean()]
    for _ in range(depth):
        if not math.isclose(variance, mapped_at):
            mapped, mapped_at = initialization.correlation_map(start.activation, grid, variance), variance
        cosines = np.interp(cosines, grid, mapped)
        means.append(cosines.mean())
        variance = float(start.gain**2 * initialization.second_moment_map(start.activation, variance))
    return np.array(means)


def signals_alike(
    width: int = 200, depth: int = 30, every: int = 3, count: int = 600, networks: int = 5, seed: int = 0
) -> SignalsAlike:
    """Pass images through networks at the start; the same draws serve all four."""
    x, classes = images(count)
    measured = np.empty((2, len(STARTS), networks, depth // every + 1))
    for (row, start), run in itertools.product(enumerate(STARTS), range(networks)):
        generator, h = np.random.default_rng([seed, run]), x
        function = activations.lookup(start.activation).function
        for layer in range(depth + 1):
            if layer % every == 0:
                measured[:, row, run, layer // every] = initialization.mean_cosine(h), probe_accuracy(h, classes)
            gain = start.gain if layer else 1.0  # the images have the second moment 1 already
            h = function(gain * h @ initialization.lecun_normal((width, h.shape[1]), generator).T)
    cosines, accuracy = np.quantile(measured, (0.1, 0.5, 0.9), axis=2).transpose(1, 2, 0, 3)
    pairs = ((x @ x.T) / x.shape[1])[np.triu_indices(count, 1)]
    theory = np.stack([wide_cosines(start, pairs, depth)[::every] for start in STARTS])
    return SignalsAlike(np.arange(0, depth + 1, every), cosines, theory, accuracy, np.array(0.1))


def draw_signals_alike(numbers: SignalsAlike, paper: Paper) -> Figure:
    """Draw the mean cosine and what the probe reads over the layers."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=310 if paper.wide else 540)
    alike, read = axes.flat
    names, colors = [start.name for start in STARTS], paper.colors[: len(STARTS)]
    for row, color in enumerate(colors):
        style = {"color": color, "marker": paper.markers[row]}
        for own, series in ((alike, "cosines"), (read, "accuracy")):
            paper.band(own, numbers, f"{series}[{row}, 0]", f"{series}[{row}, 2]", x="layers", color=color)
        paper.line(alike, numbers, f"cosines[{row}, 1]", x="layers", linestyle="none", **style)
        paper.theory(alike, numbers, f"theory[{row}]", x="layers", color=color)
        paper.line(read, numbers, f"accuracy[{row}, 1]", x="layers", **style)
    chance = read.hlines(numbers.chance, *numbers.layers[[0, -1]], color=paper.muted, linewidth=0.8)
    paper.mark(chance, "chance")
    alike.set(title="Mean cosine of two images", xlabel="layer", ylim=(-0.05, 1.05))
    read.set(title="Read by a linear probe", xlabel="layer", ylim=(0, 1))
    read.set_yticks([0, 0.5, 1], ["0", "50%", "100%"])
    end = numbers.layers[-1]
    paper.end_labels(alike, end, numbers.theory[:, -1], names, colors)
    paper.end_labels(read, end, numbers.accuracy[:, 1, -1], names, colors)
    return figure
