"""Figures of the chapter on batch normalization for which networks are trained: where they learn, and how deep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes.figures import batch_normalization_net as nets
from dlnotes.numpy import minibatch, training

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper

CLASSES = 10


def accuracies(
    net: nets.Net,
    hidden: int,
    rates: np.ndarray,
    scales: np.ndarray | float = 1.0,
    *,
    width: int,
    steps: int,
    batch: int,
    seed: int,
) -> np.ndarray:
    """Train on the digits with SGD, a run for each entry of `rates`, and give the training accuracy of each run.

    Statistics for the accuracy are those of all examples. A run that overflowed counts as 0.
    """
    inputs, targets = nets.digits()
    generator = np.random.default_rng([seed, hidden])
    runs = rates.shape
    scales = np.broadcast_to(scales, runs)
    trained = training.train(
        nets.initialize([inputs.shape[1], *[width] * hidden, CLASSES], generator, scale=scales, runs=runs),
        inputs,
        targets,
        minibatch.SGD(rates),
        steps=steps,
        batch_size=batch,
        generator=generator,
        runs=runs,
        gradient=lambda *given: nets.loss_and_gradient(*given, net),
    ).parameters
    result = np.zeros(runs)
    for run in np.ndindex(*runs):
        own = {name: value[run] for name, value in trained.items()}
        if all(np.isfinite(value).all() for value in own.values()):
            result[run] = nets.accuracy(own, inputs, targets, net)
    return result


# --- over the learning rate and the scale of the weights -------------------------------------------------------------


class Grid(NamedTuple):
    """Training accuracy on the digits after a fixed number of steps, over learning rate and scale of the weights.

    Attributes:
        plain: Mean accuracy without normalization; (rate, scale).
        normalized: The same with batch norm before each activation.
        line: Scales at which the line of one effective rate is drawn.
        effective: The learning rate there, in proportion to the square of the scale.
    """

    plain: np.ndarray
    normalized: np.ndarray
    line: np.ndarray
    effective: np.ndarray


RATES = 4.0 ** np.arange(-5, 2)
SCALES = 2.0 ** np.arange(-4, 5)


def _edges(values: np.ndarray) -> np.ndarray:
    """Give the edges between numbers that are equally spaced in their logarithms."""
    step = values[1] / values[0]
    return np.append(values, values[-1] * step) / np.sqrt(step)


def grid(
    rates: Sequence[float] = tuple(RATES),
    scales: Sequence[float] = tuple(SCALES),
    hidden: int = 5,
    width: int = 32,
    seeds: int = 3,
    steps: int = 70,
    seed: int = 0,
) -> Grid:
    """Train a ReLU network for each learning rate, scale and seed, with batch norm and without."""
    runs = (len(rates), len(scales), seeds)
    options = {"width": width, "steps": steps, "batch": 32, "seed": seed}
    each = np.broadcast_to(np.array(rates)[:, None, None], runs)
    scale = np.broadcast_to(np.array(scales)[:, None], runs)
    plain, normalized = (
        accuracies(nets.Net(place=place), hidden, each, scale, **options).mean(-1) for place in ("none", "before")
    )
    line = np.geomspace(scales[0], 1.0, 20)
    return Grid(plain, normalized, line, line**2 / 32)


def draw_grid(numbers: Grid, paper: Paper) -> Figure:
    """Draw one map without and one with batch norm."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=340 if paper.wide else 600, sharey=True)
    across, up = _edges(SCALES), _edges(RATES)
    for own, field, title in zip(axes.flat, ("plain", "normalized"), ("Without", "With batch norm"), strict=True):
        mesh = own.pcolormesh(across, up, getattr(numbers, field), cmap=paper.ramp, vmin=0, vmax=1)
        mesh.set(edgecolor="face", linewidth=0.4)
        paper.mark(mesh, field)
        own.set(xscale="log", yscale="log", title=title, xlabel="scale of the weights, 1 is He")
        own.set(xlim=(across[0], across[-1]), ylim=(up[0], up[-1]))
        own.minorticks_off()
        own.grid(False)
        own.set_xticks([1 / 16, 1 / 4, 1, 4, 16], ["1/16", "1/4", "1", "4", "16"])
        own.set_yticks([0.001, 0.01, 0.1, 1], ["0.001", "0.01", "0.1", "1"])
    edge = paper.theory(axes.flat[1], numbers, "effective", x="line", linewidth=1.6)
    edge.set_path_effects(paper.halo(3.5))
    for own in axes[:, 0]:
        own.set_ylabel("learning rate")
    paper.color_scale(figure, mesh, axes, "training accuracy", ticks=(0, 0.5, 1), labels=("0", "50%", "100%"))
    return figure


# --- over depth ------------------------------------------------------------------------------------------------------


class Depth(NamedTuple):
    """Training accuracy on the digits after a fixed number of steps, at the best of several rates, over depth.

    Attributes:
        depths: Hidden layers.
        accuracy: Mean over seeds; (kind, depth). Kinds as in `KINDS`.
        low: The worst seed.
        high: The best seed.
    """

    depths: np.ndarray
    accuracy: np.ndarray
    low: np.ndarray
    high: np.ndarray


KINDS = ("none", "batch norm", "skip, batch norm", "skip / √N")


def kind(name: str, branches: int) -> nets.Net:
    """Give the network of a kind; `branches` of its layers add to their input where there is a skip."""
    place = "before" if "batch norm" in name else "none"
    factor = branches**-0.5 if "√N" in name else 1.0
    return nets.Net(place=place, skip=factor if "skip" in name else 0.0)


def depth(
    depths: Sequence[int] = (2, 4, 8, 16, 32),
    rates: Sequence[float] = (2**-4, 2**-2),
    width: int = 32,
    seeds: int = 4,
    steps: int = 50,
    seed: int = 0,
) -> Depth:
    """Train a network of each kind and depth at each rate, and keep the rate with the best mean."""
    each = np.broadcast_to(np.array(rates)[:, None], (len(rates), seeds))
    found = np.empty((3, len(KINDS), len(depths)))
    for row, column in np.ndindex(len(KINDS), len(depths)):
        net = kind(KINDS[row], max(depths[column] - 1, 1))
        shares = accuracies(net, depths[column], each, width=width, steps=steps, batch=32, seed=seed)
        best = shares[shares.mean(1).argmax()]
        found[:, row, column] = best.mean(), best.min(), best.max()
    return Depth(np.array(depths), *found)


def draw_depth(numbers: Depth, paper: Paper) -> Figure:
    """Draw the accuracy over depth for each kind."""
    figure, ((axes,),) = paper.subplots(height=360)
    palette = paper.palette
    colors = (palette.blue, palette.orange, palette.green, palette.purple)
    for row, color in enumerate(colors):
        paper.band(axes, numbers, f"low[{row}]", f"high[{row}]", x="depths", color=color)
        style = {"color": color, "marker": paper.markers[row], "linestyle": paper.dashes[row]}
        paper.line(axes, numbers, f"accuracy[{row}]", x="depths", **style)
    axes.set(xscale="log", xlabel="hidden layers", title="Training accuracy at the better rate", ylim=(0, 1.02))
    axes.minorticks_off()
    axes.set_xticks(numbers.depths, numbers.depths)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25%", "50%", "75%", "100%"])
    paper.end_labels(axes, numbers.depths[-1], numbers.accuracy[:, -1], KINDS, colors)
    return figure


# --- over the group that shares statistics ---------------------------------------------------------------------------


class Groups(NamedTuple):
    """Test accuracy on the digits over the number of examples that share their statistics; the batch is always 100.

    Attributes:
        groups: Examples in a group.
        clean: Accuracy with right labels; (quantile, group).
        noisy: The same where one training label in five was drawn anew at random.
        clean_none: Median accuracy without normalization, right labels.
        noisy_none: The same with the noisy labels.
        clean_layer: Median accuracy with layer norm, right labels.
        noisy_layer: The same with the noisy labels.
    """

    groups: np.ndarray
    clean: np.ndarray
    noisy: np.ndarray
    clean_none: np.ndarray
    noisy_none: np.ndarray
    clean_layer: np.ndarray
    noisy_layer: np.ndarray


def noisy_labels(targets: np.ndarray, share: float, generator: np.random.Generator) -> np.ndarray:
    """Draw a share of the labels anew from all classes."""
    anew = generator.random(len(targets)) < share
    return np.where(anew, generator.integers(0, CLASSES, len(targets)), targets)


def group_accuracy(
    net: nets.Net,
    share: float,
    *,
    width: int,
    seeds: int,
    steps: int,
    seed: int,
    examples: int = 1000,
    batch: int = 100,
    rate: float = 0.1,
) -> np.ndarray:
    """Train on some digits and test on the others, with the statistics of all training examples; one number a seed."""
    inputs, targets = nets.digits()
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(inputs))
    train, test = order[:examples], order[examples:]
    trained = training.train(
        nets.initialize([inputs.shape[1], width, width, CLASSES], generator, runs=(seeds,)),
        inputs[train],
        noisy_labels(targets[train], share, generator),
        minibatch.SGD(rate),
        steps=steps,
        batch_size=batch,
        generator=generator,
        runs=(seeds,),
        gradient=lambda *given: nets.loss_and_gradient(*given, net),
    ).parameters
    fixed = nets.whole_statistics(trained, inputs[train], net) if net.place != "none" and net.kind == "batch" else None
    return nets.accuracy(trained, inputs[test], targets[test], net, fixed)


def groups(
    sizes: Sequence[int] = (2, 4, 10, 20, 50, 100), width: int = 48, seeds: int = 4, steps: int = 450, seed: int = 0
) -> Groups:
    """Change only the group over which the statistics are taken, with right labels and with noisy ones."""
    options = {"width": width, "seeds": seeds, "steps": steps, "seed": seed}
    bands, none, layer = [], [], []
    for share in (0.0, 0.2):
        found = [group_accuracy(nets.Net(group=size), share, **options) for size in sizes]
        bands.append(np.quantile(found, (0.1, 0.5, 0.9), axis=1))
        none.append(np.median(group_accuracy(nets.Net(place="none"), share, **options)))
        layer.append(np.median(group_accuracy(nets.Net(kind="layer"), share, **options)))
    return Groups(np.array(sizes), *bands, *map(np.asarray, none + layer))


def draw_groups(numbers: Groups, paper: Paper) -> Figure:
    """Draw the accuracy over the group, right labels beside noisy ones."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=320 if paper.wide else 560, sharey=True)
    colors = (paper.palette.orange, paper.palette.blue, paper.palette.green)
    for own, field, title in zip(
        axes.flat, ("clean", "noisy"), ("Right labels", "One label in five random"), strict=True
    ):
        paper.band(own, numbers, f"{field}[0]", f"{field}[2]", x="groups", color=colors[0])
        paper.line(own, numbers, f"{field}[1]", x="groups", color=colors[0], marker=paper.markers[0])
        for name, color, dashes in zip(("none", "layer"), colors[1:], paper.dashes[1:], strict=False):
            value = paper.value(numbers, f"{field}_{name}")
            paper.mark(own.axhline(value, color=color, linewidth=1.2, linestyle=dashes), f"{field}_{name}")
        own.set(xscale="log", title=title, xlabel="examples that share statistics", ylim=(0.7, 1.0))
        own.minorticks_off()
        own.set_xticks(numbers.groups, numbers.groups)
        own.set_xlim(numbers.groups[0] / 1.1, numbers.groups[-1] * 1.1)
        own.set_yticks([0.7, 0.8, 0.9, 1], ["70%", "80%", "90%", "100%"])
        last, *others = (paper.value(numbers, f"{field}{part}") for part in ("[1, -1]", "_none", "_layer"))
        texts = ("batch norm", "none and\nlayer norm")  # two lines at one height
        paper.end_labels(own, numbers.groups[-1], (last, np.mean(others)), texts, (colors[0], paper.muted))
    return figure
