"""Figures of the chapter on weight penalties: where two forms of decay end under Adam, and networks on wrong labels.

Quantiles are 10%, 50% and 90%, and stand on an axis of three in this order.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import datasets, optimizers
from dlnotes.numpy import adaptive_methods, many_runs, minibatch, network, training, weight_penalties

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper


def _quantiles(values: np.ndarray, axis: int = 0) -> np.ndarray:
    """Give the 10%, 50% and 90% quantiles over an axis, on the first axis."""
    return np.quantile(values, (0.1, 0.5, 0.9), axis=axis)


# --- where L2 and decay end ------------------------------------------------------------------------------------------


class Ends(NamedTuple):
    """Where a weight ends whose minimum is 1, under a penalty and noise.

    Attributes:
        noise: Deviation of the gradient's noise.
        gradient: L2 in the gradient, under Adam; (quantile, noise).
        decoupled: Decay beside Adam's step; (quantile, noise).
        descent: L2 in the gradient, under plain descent; (quantile, noise).
        shared: 1 / (1 + strength), by theory the end of the first and the third; (noise).
        theory: The end of the second, by theory; (noise).
    """

    noise: np.ndarray
    gradient: np.ndarray
    decoupled: np.ndarray
    descent: np.ndarray
    shared: np.ndarray
    theory: np.ndarray


def decoupled_end(noise: np.ndarray, strength: float) -> np.ndarray:
    """Solve 1 - w = strength w sqrt(noise^2 + (1 - w)^2), the rest of decoupled decay on the cost (w - 1)^2 / 2."""
    low, high = np.zeros_like(noise), np.ones_like(noise)
    for _ in range(60):
        w = (low + high) / 2
        above = 1 - w < strength * w * np.sqrt(noise**2 + (1 - w) ** 2)
        low, high = np.where(above, low, w), np.where(above, w, high)
    return (low + high) / 2


def mean_ends(
    optimizer: optimizers.Optimizer, noise: np.ndarray, steps: int, runs: int, generator: np.random.Generator
) -> np.ndarray:
    """Descend on (w - 1)^2 / 2 with noise in the gradient; the mean weight of the second half; (noise, run)."""
    params = {"w": np.full((len(noise), runs), 0.5)}
    state, total = optimizer.init(params), np.zeros((len(noise), runs))
    for step in range(steps):
        drawn = noise[:, None] * generator.standard_normal((len(noise), runs))
        updates, state = optimizer.update({"w": params["w"] - 1 + drawn}, state, params)
        params = optimizers.apply_updates(params, updates)
        total += params["w"] * (step >= steps // 2)
    return total / (steps - steps // 2)


def ends(strength: float = 0.5, rate: float = 0.003, steps: int = 6000, runs: int = 24, seed: int = 0) -> Ends:
    """Descend in three ways under the same noise."""
    noise = np.geomspace(0.03, 10, 8)
    within = weight_penalties.PenaltyGradient(l2=strength)
    ways = (
        optimizers.chain(within, adaptive_methods.Adam(rate)),
        adaptive_methods.AdamW(rate, weight_decay=strength),
        optimizers.chain(within, minibatch.SGD(rate)),
    )
    found = [_quantiles(mean_ends(way, noise, steps, runs, np.random.default_rng(seed)), 1) for way in ways]
    return Ends(noise, *found, np.full(len(noise), 1 / (1 + strength)), decoupled_end(noise, strength))


def draw_ends(numbers: Ends, paper: Paper) -> Figure:
    """Draw the three ends over the noise."""
    figure, ((axes,),) = paper.subplots(height=320)
    names = ("gradient", "descent", "decoupled")
    colors = paper.palette.orange, paper.palette.green, paper.palette.blue
    for row, (name, color) in enumerate(zip(names, colors, strict=True)):
        paper.band(axes, numbers, f"{name}[0]", f"{name}[2]", x="noise", color=color)
        style = {"color": color, "marker": paper.markers[row], "linestyle": "none", "markersize": (8, 4, 6)[row]}
        paper.line(axes, numbers, f"{name}[1]", x="noise", **style)
    paper.theory(axes, numbers, "shared", x="noise")
    paper.theory(axes, numbers, "theory", x="noise")
    axes.set(xscale="log", xlabel="noise of the weight's gradient", title="Where the weight ends", ylim=(0, 1.08))
    axes.set_xticks([0.1, 1, 10], ["0.1", "1", "10"])
    texts = ("L2 under Adam", "L2 under SGD", "decay beside Adam")
    places = ((1, numbers.gradient[1, 1], 17), (1, numbers.descent[1, 1], -17), (6, numbers.decoupled[1, 6], -6))
    for text, (place, height, dy), color in zip(texts, places, colors, strict=True):
        shift = {"ha": "right", "dx": -10} if place == 6 else {"ha": "center"}
        paper.label(axes, numbers.noise[place], height, text, color=color, dy=dy, **shift)
    return figure


# --- wrong labels ----------------------------------------------------------------------------------------------------


class Labels(NamedTuple):
    """Networks on digits over the strength of L2, with a fifth of the labels random, and with all.

    Attributes:
        strengths: Strengths of the penalty; the first stands for 0.
        fitted: With a fifth random, the share of the wrong labels that are fitted; with all random, that of all labels;
            (labels, quantile, strength).
        right: Share of test digits that are right, trained with a fifth random; (quantile, strength).
    """

    strengths: np.ndarray
    fitted: np.ndarray
    right: np.ndarray


class Parts(NamedTuple):
    """Examples for each run: what is trained on, which labels of it are wrong, what is tested on; (run, example, ...).

    A label drawn at random is right by luck one time in ten.
    """

    inputs: np.ndarray
    labels: np.ndarray
    wrong: np.ndarray
    test_inputs: np.ndarray
    test_labels: np.ndarray


def parts(wrong: float, examples: int, seeds: int, seed: int) -> Parts:
    """Split the digits anew for each run, and draw labels at random for a share of the training examples."""
    digits = datasets.digits()
    x = (digits.inputs - 8) / 8
    found = []
    for generator in many_runs.generators(np.random.default_rng(seed), (seeds,)):
        order = generator.permutation(len(x))
        train, test = order[:examples], order[examples : examples + 600]
        drawn = generator.integers(0, 10, examples)
        replaced = generator.permutation(examples) < round(wrong * examples)
        labels = np.where(replaced, drawn, digits.targets[train])
        found.append((x[train], labels, labels != digits.targets[train], x[test], digits.targets[test]))
    return Parts(*(np.array(each) for each in zip(*found, strict=True)))


def trained(
    data: Parts, strengths: np.ndarray, width: int, rate: float, steps: int, seed: int
) -> dict[str, np.ndarray]:
    """Train one hidden layer at each strength, the same starts and batches for all; (strength, run, ...)."""
    seeds = len(data.inputs)
    runs = (len(strengths), seeds)
    draw, shuffle = np.random.default_rng(seed).spawn(2)
    start = network.initialize([64, width, 10], many_runs.generators(draw, (seeds,)), runs=(seeds,))
    start = {name: np.broadcast_to(value, (*runs, *value.shape[1:])).copy() for name, value in start.items()}
    order = shuffle.spawn(seeds)
    shuffles = np.array([[copy.deepcopy(each) for each in order] for _ in strengths])
    own = np.broadcast_to(strengths[:, None], runs)
    chain = optimizers.chain(weight_penalties.PenaltyGradient(l2=own, suffix=".weight"), minibatch.SGD(rate))
    x, y = (np.broadcast_to(part, (len(strengths), *part.shape)) for part in data[:2])
    kept = {"batch_size": 30, "generator": shuffles, "runs": runs, "data_per_run": True}
    return training.train(start, x, y, chain, steps=steps, **kept).parameters


def shares_right(
    parameters: dict[str, np.ndarray], inputs: np.ndarray, labels: np.ndarray, among: np.ndarray | bool = True
) -> np.ndarray:
    """Give the share of labels that each network gives, among those examples only; (strength, run)."""
    inputs = np.broadcast_to(inputs, (len(parameters["0.bias"]), *inputs.shape))
    given = network.forward(parameters, inputs)[0].argmax(-1) == labels
    return given.mean(-1, where=np.broadcast_to(among, given.shape))


def labels(
    examples: int = 150, width: int = 32, rate: float = 0.2, steps: int = 1000, seeds: int = 4, seed: int = 0
) -> Labels:
    """Train with a fifth of the labels random, and with all of them."""
    strengths = np.array([0, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1])
    fitted, right = [], []
    for wrong in (0.2, 1.0):
        data = parts(wrong, examples, seeds, seed)
        found = trained(data, strengths, width, rate, steps, seed + 1)
        among = data.wrong if wrong < 1 else True
        fitted.append(_quantiles(shares_right(found, data.inputs, data.labels, among), 1))
        right.append(_quantiles(shares_right(found, data.test_inputs, data.test_labels), 1))
    shown = np.append(3e-4, strengths[1:])
    return Labels(shown, np.array(fitted), right[0])


def draw_labels(numbers: Labels, paper: Paper) -> Figure:
    """Draw what is fitted, and what is right on test digits."""
    shape = (1, 2) if paper.wide else (2, 1)
    figure, axes = paper.subplots(*shape, height=320 if paper.wide else 580)
    left, right = axes.flat
    colors = paper.palette.blue, paper.palette.orange
    for row, color in enumerate(colors):
        paper.band(left, numbers, f"fitted[{row}, 0]", f"fitted[{row}, 2]", x="strengths", color=color)
        style = {"color": color, "marker": paper.markers[row], "linestyle": paper.dashes[row]}
        paper.line(left, numbers, f"fitted[{row}, 1]", x="strengths", **style)
    paper.band(right, numbers, "right[0]", "right[2]", x="strengths", color=colors[0])
    paper.line(right, numbers, "right[1]", x="strengths", color=colors[0], marker=paper.markers[0])
    for axis in axes.flat:
        axis.set(xscale="log", xlabel="strength of L2")
        axis.set_xticks([3e-4, 1e-3, 1e-2, 1e-1], ["0", "0.001", "0.01", "0.1"])
    left.set(title="Training labels fitted", ylim=(0, 1.08))
    left.set_yticks([0, 0.5, 1], ["0", "50%", "100%"])
    right.set(title="Test digits right")
    right.set_yticks([0.7, 0.75, 0.8, 0.85], ["70%", "75%", "80%", "85%"])
    places = ((4, "right", -10, -8, "wrong labels,\na fifth random"), (4, "left", 8, 6, "all random"))
    for row, (place, side, dx, dy, word) in enumerate(places):
        point = numbers.strengths[place], numbers.fitted[row, 1, place]
        paper.label(left, *point, word, color=colors[row], dx=dx, dy=dy, ha=side)
    return figure
