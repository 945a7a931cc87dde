"""Figures of the chapter on gradient clipping: the cliff of a recurrent unit, and what clipping does to a direction.

The unit starts at 0 and computes x <- w s(x) + b at each of T times, s being the sigmoid; its loss is (s(x) - 0.7)^2
at the end. On the line b = -w/2 it stays at 0. Quantiles are 10%, 50% and 90%, and stand on an axis of three in this
order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import datasets
from dlnotes.numpy import activations, gradient_clipping, minibatch, network, training

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper

TARGET = 0.7
BIASES = np.linspace(-2.7, -1.6, 111)  # edges of the map's cells in b


def _quantiles(values: np.ndarray, axis: int = 0) -> np.ndarray:
    """Give the 10%, 50% and 90% quantiles over an axis, on the first axis."""
    return np.quantile(values, (0.1, 0.5, 0.9), axis=axis)


class UnitLoss(NamedTuple):
    """The loss of recurrent units, and its slopes in the weight and in the bias."""

    loss: np.ndarray
    slope_weight: np.ndarray
    slope_bias: np.ndarray


def unit_loss(weight: np.ndarray, bias: np.ndarray, length: int) -> UnitLoss:
    """Run recurrent units forward, and with each state its derivatives in the weight and in the bias."""
    x = np.zeros(np.broadcast(weight, bias).shape)
    in_weight, in_bias = np.zeros_like(x), np.zeros_like(x)
    for _ in range(length):
        s = activations.sigmoid(x)
        factor = weight * s * (1 - s)
        x, in_weight, in_bias = weight * s + bias, s + factor * in_weight, 1 + factor * in_bias
    s = activations.sigmoid(x)
    outer = 2 * (s - TARGET) * s * (1 - s)
    return UnitLoss((s - TARGET) ** 2, outer * in_weight, outer * in_bias)


def growth(weight: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Give how far the last state moves for a small move of the bias, on the line b = -w/2.

    (m^T - 1) / (m - 1) with m = w/4, the sum of what each of the T times adds, carried to the end.
    """
    factor = np.asarray(weight) / 4
    return (factor**length - 1) / (factor - 1)


# --- the cliff -------------------------------------------------------------------------------------------------------


class Cliff(NamedTuple):
    """Descent on the loss of a recurrent unit of 50 times, with and without clipping.

    Attributes:
        weights: Edges of the map's cells in w.
        loss: The loss in the middle of each cell; (b, w).
        wall: The bias on the wall, -w/2, for each edge in w.
        plain: One path without clipping, up to the step that leaves the map; (w and b, step).
        clipped: The path with clipping from the same start; (w and b, step).
        steps: Steps taken.
        solved: Share of the starts whose loss is below 0.001; (without and with clipping, step).
    """

    weights: np.ndarray
    loss: np.ndarray
    wall: np.ndarray
    plain: np.ndarray
    clipped: np.ndarray
    steps: np.ndarray
    solved: np.ndarray


def descend(
    weight: np.ndarray, bias: np.ndarray, rate: float, max_norm: float, steps: int, length: int
) -> tuple[np.ndarray, np.ndarray]:
    """Descend from each start; give the places, (step, w and b, start), and the losses, (step, start)."""
    place = np.stack([weight, bias], axis=-1)
    places, losses = [place], []
    for _ in range(steps):
        found = unit_loss(place[..., 0], place[..., 1], length)
        gradient = np.stack([found.slope_weight, found.slope_bias], axis=-1)
        place = place - rate * gradient_clipping.clip_by_norm(gradient, max_norm, 1)
        places.append(place)
        losses.append(found.loss)
    losses.append(unit_loss(place[..., 0], place[..., 1], length).loss)
    return np.moveaxis(np.array(places), -1, 1), np.array(losses)


def cliff(
    rate: float = 0.1, max_norm: float = 1.0, steps: int = 300, runs: int = 1000, length: int = 50, seed: int = 0
) -> Cliff:
    """Map the loss around the wall, and descend from many starts on it."""
    weights = np.linspace(4, 5.2, 121)
    middles = [(edges[1:] + edges[:-1]) / 2 for edges in (weights, BIASES)]
    surface = unit_loss(middles[0], middles[1][:, None], length).loss
    generator = np.random.default_rng(seed)
    starts = generator.uniform(4.2, 5.2, runs)
    offsets = generator.uniform(-0.5, 1.0, runs)
    solved, paths = [], []
    for bound in (1e300, max_norm):  # the first is never reached
        _, loss = descend(starts, offsets - starts / 2, rate, bound, steps, length)
        solved.append((loss < 1e-3).mean(-1))
        shown = descend(np.array([4.8]), np.array([-1.8]), rate, bound, steps, length)[0][..., 0]
        inside = (shown[:, 0] < weights[-1]) & (shown[:, 1] < BIASES[-1])
        end = len(inside) if inside.all() else int(np.argmin(inside)) + 1
        paths.append(shown[:end].T)
    return Cliff(
        weights,
        surface,
        -weights / 2,
        *paths,
        np.arange(steps + 1),
        np.array(solved),
    )


def draw_cliff(numbers: Cliff, paper: Paper) -> Figure:
    """Draw the map with the two paths, and the losses of all starts."""
    shape = (1, 2) if paper.wide else (2, 1)
    figure, axes = paper.subplots(*shape, height=340 if paper.wide else 640)
    left, right = axes.flat
    colors = paper.palette.orange, paper.palette.green
    box = (numbers.weights[0], numbers.weights[-1], BIASES[0], BIASES[-1])
    style = {"cmap": paper.ramp, "vmin": 0, "vmax": 0.4, "interpolation": "nearest"}
    paper.mark(left.imshow(numbers.loss, origin="lower", extent=box, aspect="auto", **style), "loss")
    paper.theory(left, numbers, "wall", x="weights", linewidth=1.2).set_path_effects(paper.halo(3))
    for name, color, width in (("clipped", colors[1], 2.2), ("plain", colors[0], 1.1)):  # at first they are the same
        paper.line(left, numbers, f"{name}[1]", x=f"{name}[0]", color=color, linewidth=width)
    paper.line(left, numbers, "plain[1, :1]", x="plain[0, :1]", color=paper.ink, marker="o", linestyle="none")
    left.set(xlim=(numbers.weights[0], numbers.weights[-1]), ylim=(BIASES[0], BIASES[-1]))
    left.set(xlabel="weight w", ylabel="bias b", title="Loss, and two descents")
    left.grid(False)
    for which, color in enumerate(colors):
        paper.line(right, numbers, f"solved[{which}]", x="steps", color=color, linestyle=paper.dashes[1 - which])
    right.set(xlabel="step", title="Starts with a loss below 0.001", xlim=(0, numbers.steps[-1]), ylim=(-0.04, 1.06))
    right.set_yticks([0, 0.5, 1], ["0", "50%", "100%"])
    ends = numbers.solved[:, -1]
    texts = [f"{share:.0%} {name}" for name, share in zip(("not\nclipped", "clipped"), ends, strict=True)]
    for which, label in enumerate(paper.end_labels(right, numbers.steps[-1], ends, texts, colors)):
        paper.mark(label, f"solved[{which}, -1]")
    paper.label(left, numbers.plain[0, -2], -1.66, "not clipped", color=colors[0], ha="right")
    paper.label(left, numbers.clipped[0, -1], numbers.clipped[1, -1], "clipped", color=colors[1], dy=-44, ha="left")
    paper.label(left, *numbers.plain[:, 0], "start", dx=8)
    return figure


# --- what clipping does to the direction -----------------------------------------------------------------------------


class Turning(NamedTuple):
    """The cosine of the clipped gradient of a network with the gradient itself.

    Attributes:
        thresholds: The bound, over the largest component or over the length of the whole gradient.
        by_value: Cosine when each component is bounded; (quantile, threshold).
        by_array: Cosine when the length of each weight and bias is bounded by itself; (quantile, threshold).
        by_global: Cosine when the length of the whole is bounded; (quantile, threshold).
        floors: What the first two tend to when the bound goes to 0, the medians over networks.
    """

    thresholds: np.ndarray
    by_value: np.ndarray
    by_array: np.ndarray
    by_global: np.ndarray
    floors: np.ndarray


def trained(steps: int, networks: int, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Train networks on digits with SGD at rate 0.1; give parameters, inputs and labels."""
    digits = datasets.digits()
    inputs, labels = (digits.inputs - 8) / 8, digits.targets
    children = np.random.default_rng(seed).spawn(2)
    start = network.initialize([64, 32, 32, 10], children[0], runs=(networks,))
    sgd, kept = minibatch.SGD(0.1), {"batch_size": 32, "generator": children[1], "runs": (networks,)}
    return training.train(start, inputs, labels, sgd, steps=steps, **kept).parameters, inputs, labels


def cosine_after(lengths: np.ndarray, bound: np.ndarray) -> np.ndarray:
    """Give the cosine of a gradient with itself after each of its parts was shortened to a bound, from their lengths.

    sum_k n_k min(n_k, c) / (|g| sqrt(sum_k min(n_k, c)^2))
    """
    shortened = np.minimum(lengths, bound)
    whole = np.sqrt((lengths * lengths).sum(-1) * (shortened * shortened).sum(-1))
    return (lengths * shortened).sum(-1) / whole


def _floor(lengths: np.ndarray) -> np.ndarray:
    there = (lengths > 0).sum(-1)
    return lengths.sum(-1) / np.sqrt(there * (lengths * lengths).sum(-1))


def turning(steps: int = 200, networks: int = 20, points: int = 25, seed: int = 0) -> Turning:
    """Clip the gradients of trained networks in three ways, at many thresholds."""
    parameters, inputs, labels = trained(steps, networks, seed)
    grads = network.loss_and_gradient(parameters, inputs[:32], labels[:32]).gradient
    whole = np.concatenate([g.reshape(networks, -1) for g in grads.values()], axis=-1)
    arrays = np.stack([gradient_clipping.norm(g, 1) for g in grads.values()], axis=-1)
    lengths = gradient_clipping.global_norm(grads, 1)
    thresholds = np.geomspace(1e-3, 1, points)
    found = np.empty((3, networks, points))
    for place, threshold in enumerate(thresholds):
        clipped = (
            {k: gradient_clipping.clip_by_value(g, threshold * abs(whole).max(-1)) for k, g in grads.items()},
            {k: gradient_clipping.clip_by_norm(g, threshold * lengths, 1) for k, g in grads.items()},
            gradient_clipping.clip_by_global_norm(grads, threshold * lengths, 1),
        )
        for way, after in enumerate(clipped):
            flat = np.concatenate([g.reshape(networks, -1) for g in after.values()], axis=-1)
            found[way, :, place] = (flat * whole).sum(-1) / lengths / np.sqrt((flat * flat).sum(-1))
    floors = np.array([np.median(_floor(abs(whole))), np.median(_floor(arrays))])
    return Turning(thresholds, *(_quantiles(way) for way in found), floors)


def draw_turning(numbers: Turning, paper: Paper) -> Figure:
    """Draw the three cosines over the threshold."""
    figure, ((axes,),) = paper.subplots(height=320)
    names = ("by_value", "by_array", "by_global")
    for number, name in enumerate(names):
        style = {"color": paper.colors[number], "marker": paper.markers[number], "markevery": 4}
        paper.band(axes, numbers, f"{name}[0]", f"{name}[2]", x="thresholds", color=paper.colors[number])
        paper.line(axes, numbers, f"{name}[1]", x="thresholds", **style)
        if number < 2:
            line = axes.axhline(numbers.floors[number], color=paper.colors[number], linewidth=1, linestyle=(0, (5, 3)))
            paper.mark(line, f"floors[{number}]")
    axes.set(xscale="log", xlabel="threshold (1: nothing is clipped)", title="Cosine with the gradient itself")
    axes.set(xlim=(1e-3, 1), ylim=(0.6, 1.03))
    axes.set_yticks([0.7, 0.8, 0.9, 1.0])
    texts = ("by value", "each array\nby its norm", "by the\nglobal norm")
    for text, name, place, dy, color in zip(texts, names, (6, 0, 0), (-14, 20, -20), paper.colors, strict=False):
        paper.label(axes, numbers.thresholds[place] * 1.1, getattr(numbers, name)[1, place], text, color=color, dy=dy)
    return figure
