"""Figures of the chapter on batch normalization for which nothing is trained.

Quantiles are 10%, 50% and 90%, and stand on an axis of three in this order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes.figures import batch_normalization_net as nets
from dlnotes.numpy import batch_normalization, initialization, network

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper


# --- the gradient explodes -------------------------------------------------------------------------------------------


class Explosion(NamedTuple):
    """Mean square of the gradient in networks with batch norm and without, at the start of training.

    Attributes:
        layers: 1 for the first hidden layer.
        plain: Mean square of the gradient in each layer's pre-activations over that in the last layer's, ReLU under He,
            no normalization; (quantile, layer).
        normalized: The same with batch norm before each ReLU.
        theory: (pi / (pi - 1))^(layers to the last).
        batches: Sizes of the batch.
        factors: Factor of a layer with batch norm, the mean over networks and layers; (activation, batch).
        limits: The same in the limit of wide layers and large batches, for each activation.
    """

    layers: np.ndarray
    plain: np.ndarray
    normalized: np.ndarray
    theory: np.ndarray
    batches: np.ndarray
    factors: np.ndarray
    limits: np.ndarray


ACTIVATIONS = ("relu", "tanh", "identity")


def explosion_factor(activation: str) -> float:
    """Give the factor on the gradient's mean square in a layer with batch norm, for wide layers and large batches.

    E[f'(Z)^2] / Var(f(Z)),    Z standard normal
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    second = initialization.second_moment_map(activation, 1.0)
    if activation == "relu":  # its kink spoils the rule that sums over nodes
        mean = 1 / math.sqrt(2 * math.pi)
    else:
        values = np.tanh(nodes) if activation == "tanh" else nodes
        mean = float(weights @ values / weights.sum())
    return float(initialization.slope_moment(activation, 1.0) / (second - mean**2))


def gradient_squares(net: nets.Net, width: int, depth: int, batch: int, networks: int, seed: int) -> np.ndarray:
    """Send a random gradient back through fresh networks, and give its mean square in each layer; (network, layer)."""
    squares = []
    for generator in np.random.default_rng(seed).spawn(networks):
        parameters = nets.initialize([width] * (depth + 1) + [10], generator, dtype=np.float64)
        inputs = initialization.normal((batch, width), generator)
        logits, layers = nets.forward(parameters, inputs, net)
        _, deltas = nets.backward(initialization.normal(logits.shape, generator), parameters, layers, net)
        squares.append([np.mean(delta * delta) for delta in deltas])
    return np.array(squares)


def layer_factor(squares: np.ndarray, skip: int) -> float:
    """Give the factor of one layer, from the mean logarithm over networks, less `skip` layers at each end."""
    logs = np.log(squares).mean(0)
    return float(np.exp((logs[skip] - logs[-1 - skip]) / (len(logs) - 1 - 2 * skip)))


def explosion(
    width: int = 256,
    depth: int = 25,
    networks: int = 6,
    batch: int = 128,
    batches: Sequence[int] = (4, 8, 16, 32, 64, 128),
    short: int = 13,
    seed: int = 0,
) -> Explosion:
    """Measure gradients with and without batch norm; and the factor over the batch, in half as many networks."""
    ways = []
    for place in ("none", "before"):
        squares = gradient_squares(nets.Net(place=place), width, depth, batch, networks, seed)
        ways.append(np.quantile(squares / squares[:, -1:], (0.1, 0.5, 0.9), axis=0))
    factors = [
        [
            layer_factor(gradient_squares(nets.Net(activation), width, short, size, (networks + 1) // 2, seed + 1), 3)
            for size in batches
        ]
        for activation in ACTIVATIONS
    ]
    layers = np.arange(1, depth + 1)
    limits = np.array([explosion_factor(activation) for activation in ACTIVATIONS])
    return Explosion(layers, *ways, limits[0] ** (depth - layers), np.array(batches), np.array(factors), limits)


def draw_explosion(numbers: Explosion, paper: Paper) -> Figure:
    """Draw the gradient over the layers, and the factor of a layer over the size of the batch."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=320 if paper.wide else 560)
    left, right = axes.flat
    pair = (paper.palette.blue, paper.palette.orange)
    for way, color in zip(("plain", "normalized"), pair, strict=True):
        paper.band(left, numbers, f"{way}[0]", f"{way}[2]", x="layers", color=color)
        paper.line(left, numbers, f"{way}[1]", x="layers", color=color)
    paper.theory(left, numbers, "theory", x="layers")
    left.set(yscale="log", xlabel="layer", title="Mean square of the gradient", xlim=(1, numbers.layers[-1]))
    left.set_xticks([1, *range(5, numbers.layers[-1] + 1, 5)])
    middle = len(numbers.layers) // 2
    at = numbers.layers[middle]
    paper.label(left, at, numbers.normalized[1, middle], "batch norm", color=pair[1], dx=-8, dy=-10, ha="right")
    paper.label(left, at, numbers.plain[1, middle], "none", color=pair[0], dx=-8, dy=14)
    names = ("ReLU", "tanh", "linear")
    colors = (paper.palette.orange, paper.palette.green, paper.palette.purple)
    for row, color in enumerate(colors):
        style = {"color": color, "marker": paper.markers[row]}
        paper.line(right, numbers, f"factors[{row}]", x="batches", **style)
        paper.mark(
            right.axhline(numbers.limits[row], color=color, linewidth=1, linestyle=paper.dashes[1]), f"limits[{row}]"
        )
    right.set(xscale="log", title="Factor of a layer", xlabel="examples in the batch", ylim=(0.95, None))
    right.minorticks_off()
    right.set_yticks([1, 1.5, 2, 2.5, 3], ["1", "1.5", "2", "2.5", "3"])
    right.set_xticks(numbers.batches, numbers.batches)
    right.set_xlim(numbers.batches[0] / 1.15, numbers.batches[-1] * 1.15)
    paper.end_labels(right, numbers.batches[-1], numbers.limits, names, colors, dx=14)
    return figure


# --- the noise of a batch's statistics -------------------------------------------------------------------------------


class BatchNoise(NamedTuple):
    """How much the statistics of a batch differ from batch to batch, for the first layer of a network on the digits.

    Attributes:
        sizes: Examples in a batch.
        mean: Deviation of the batch mean over that of a single example; (quantile over units, size).
        deviation: Deviation of the batch deviation over its own mean.
        mean_theory: 1 / sqrt(m).
        deviation_theory: sqrt((k - 1) / (4 m)), k the median kurtosis of the units.
    """

    sizes: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    mean_theory: np.ndarray
    deviation_theory: np.ndarray


def batch_noise(
    sizes: Sequence[int] = (4, 8, 16, 32, 64, 128, 256, 512, 1024), draws: int = 200, width: int = 64, seed: int = 0
) -> BatchNoise:
    """Draw batches of the digits with replacement, and measure how their statistics scatter."""
    generator = np.random.default_rng(seed)
    inputs, _ = nets.digits(np.float64)
    z = network.dense(inputs, initialization.he_normal((width, inputs.shape[1]), generator), np.zeros(width))
    one, zero = np.ones(width), np.zeros(width)
    scatter = np.empty((2, len(sizes), width))
    for place, size in enumerate(sizes):
        found = [
            batch_normalization.batch_norm(z[generator.integers(0, len(z), size)], one, zero)[1] for _ in range(draws)
        ]
        deviations = np.sqrt([cache.variance for cache in found])
        scatter[0, place] = np.std([cache.mean for cache in found], axis=0, ddof=1) / z.std(0)
        scatter[1, place] = deviations.std(0, ddof=1) / deviations.mean(0)
    quantiles = np.quantile(scatter, (0.1, 0.5, 0.9), axis=-1).swapaxes(0, 1)
    axis = np.array(sizes)
    kurtosis = float(np.median(((z - z.mean(0)) ** 4).mean(0) / z.var(0) ** 2))
    return BatchNoise(axis, *quantiles, 1 / np.sqrt(axis), np.sqrt((kurtosis - 1) / (4 * axis)))


def draw_batch_noise(numbers: BatchNoise, paper: Paper) -> Figure:
    """Draw both on logarithmic axes."""
    figure, ((axes,),) = paper.subplots(height=320)
    colors = (paper.palette.blue, paper.palette.orange)
    for row, (name, color) in enumerate(zip(("mean", "deviation"), colors, strict=True)):
        paper.band(axes, numbers, f"{name}[0]", f"{name}[2]", x="sizes", color=color)
        style = {"color": color, "marker": paper.markers[row], "linestyle": "none"}
        paper.line(axes, numbers, f"{name}[1]", x="sizes", **style)
        paper.theory(axes, numbers, f"{name}_theory", x="sizes", color=color)
    axes.set(
        xscale="log", yscale="log", xlabel="examples in the batch", title="Scatter from batch to batch, in deviations"
    )
    axes.minorticks_off()
    axes.set_xticks(numbers.sizes, numbers.sizes)
    axes.set_yticks([0.02, 0.05, 0.1, 0.2, 0.5], ["0.02", "0.05", "0.1", "0.2", "0.5"])
    names = ("mean", "deviation")
    paper.end_labels(axes, numbers.sizes[-1], [numbers.mean[1, -1], numbers.deviation[1, -1]], names, colors)
    return figure


# --- which numbers an output sees ------------------------------------------------------------------------------------


class Sight(NamedTuple):
    """Which inputs of a batch of examples and features one output of each normalization depends on.

    Attributes:
        seen: Root of how far a change of that input moves the output at example 2 and feature 3, over the largest such
            root; 0 where it does not move; (kind, example, feature).
    """

    seen: np.ndarray


KINDS = ("batch", "layer", "group", "instance")


def sight(examples: int = 6, features: int = 8, pixels: int = 5, seed: int = 0) -> Sight:
    """Change one input at a time, all its pixels by different amounts, and see whether the marked output moves."""
    generator = np.random.default_rng(seed)
    x = initialization.normal((examples, features, pixels), generator)
    one, zero = np.ones(features), np.zeros(features)
    functions = {
        "batch": lambda x: batch_normalization.batch_norm(x, one, zero, spatial_axes=1)[0],
        "layer": lambda x: batch_normalization.group_norm(x, 1, one, zero, spatial_axes=1)[0],
        "group": lambda x: batch_normalization.group_norm(x, 2, one, zero, spatial_axes=1)[0],
        "instance": lambda x: batch_normalization.group_norm(x, features, one, zero, spatial_axes=1)[0],
    }
    seen = np.zeros((len(KINDS), examples, features))
    change = initialization.normal((pixels,), generator)
    for kind, name in enumerate(KINDS):
        before = functions[name](x)[1, 2]
        for place in np.ndindex(examples, features):
            moved = x.copy()
            moved[place] += change
            seen[(kind, *place)] = np.abs(functions[name](moved)[1, 2] - before).max() ** 0.5
    return Sight(seen / seen.max((1, 2), keepdims=True))


def draw_sight(numbers: Sight, paper: Paper) -> Figure:
    """Draw one square of examples and features for each kind."""
    figure, axes = paper.subplots(*((1, 4) if paper.wide else (2, 2)), height=200 if paper.wide else 360, sharey=True)
    if paper.wide:  # else the strips of neighbors read as one
        figure.get_layout_engine().set(wspace=0.16)
    down, across = (np.arange(size + 1) + 0.5 for size in numbers.seen.shape[1:])
    for kind, own in enumerate(axes.flat):
        mesh = own.pcolormesh(across, down, numbers.seen[kind], cmap=paper.ramp, vmin=0, vmax=1)
        mesh.set(edgecolor=paper.background, linewidth=1.2)
        paper.mark(mesh, f"seen[{kind}]")
        paper.guide(own.plot([3], [2], marker="o", color=paper.background, markersize=5, linestyle="none")[0])
        own.set(title=f"{KINDS[kind]} norm", ylim=(down[-1], down[0]))
        own.set_aspect("equal")
        own.grid(False)
        own.set_xticks([])
        own.set_yticks([])
        for spine in own.spines.values():
            spine.set_visible(False)
        if paper.wide or kind > 1:
            own.set_xlabel("features")
    for own in axes[:, 0]:
        own.set_ylabel("examples")
    return figure


# --- covariate shift -------------------------------------------------------------------------------------------------


class ShiftedFits(NamedTuple):
    """Models fitted to the same curve where the inputs lie at one place, and where they have moved.

    Attributes:
        points: Inputs at which the fits are drawn.
        truth: The mean of y at each.
        fits: Median fits; (model, place of the inputs, point). A straight line, then a parabola.
        low: The 10% quantile over samples.
        high: The 90% quantile.
    """

    points: np.ndarray
    truth: np.ndarray
    fits: np.ndarray
    low: np.ndarray
    high: np.ndarray


CENTERS = (-1.0, 1.0)


def curve(x: np.ndarray) -> np.ndarray:
    """Give the mean of y at x, the same wherever the inputs lie."""
    return x * x


def design(x: np.ndarray, degree: int) -> np.ndarray:
    """Give the powers of x from 0 to the degree, along a new last axis."""
    return x[..., None] ** np.arange(degree + 1)


def coefficients(degree: int, center: float, examples: int, generator: np.random.Generator, noise: float) -> np.ndarray:
    """Fit a polynomial by least squares to examples whose inputs are normal about a center."""
    x = center + 0.5 * generator.standard_normal(examples)
    y = curve(x) + noise * generator.standard_normal(examples)
    return np.linalg.lstsq(design(x, degree), y)[0]


def shifted_fits(examples: int = 200, samples: int = 100, noise: float = 0.3, seed: int = 0) -> ShiftedFits:
    """Fit a line and a parabola to many samples from both places."""
    generator = np.random.default_rng(seed)
    points = np.linspace(-2.5, 2.5, 51)
    fits = np.empty((2, 2, samples, len(points)))
    for model, place, sample in np.ndindex(2, 2, samples):
        found = coefficients(model + 1, CENTERS[place], examples, generator, noise)
        fits[model, place, sample] = design(points, model + 1) @ found
    low, middle, high = np.quantile(fits, (0.1, 0.5, 0.9), axis=2)
    return ShiftedFits(points, curve(points), middle, low, high)


def draw_shifted_fits(numbers: ShiftedFits, paper: Paper) -> Figure:
    """Draw the fits of each model from both places, over the truth."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=300 if paper.wide else 520, sharey=True)
    colors = (paper.palette.blue, paper.palette.orange)
    for model, (own, title) in enumerate(
        zip(axes.flat, ("A line, too simple", "A parabola, as the truth"), strict=True)
    ):
        for place, color in enumerate(colors):
            index = f"[{model}, {place}]"
            paper.band(own, numbers, f"low{index}", f"high{index}", x="points", color=color)
            paper.line(own, numbers, f"fits{index}", x="points", color=color, linestyle=paper.dashes[2 * place])
            paper.guide(own.axvspan(CENTERS[place] - 0.5, CENTERS[place] + 0.5, 0, 0.03, color=color, linewidth=0))
        paper.theory(own, numbers, "truth", x="points")
        own.set(title=title, xlabel="x", xlim=(-2.5, 2.5), ylim=(-1.5, 4))
    for own in axes.flat:
        for center, color in zip(CENTERS, colors, strict=True):
            paper.label(own, center, -1.5, "fitted here", color=color, dy=14, ha="center")
    return figure
