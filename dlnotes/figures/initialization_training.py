"""Figures of the chapter on initialization for which networks are trained: what a start does to learning."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import datasets
from dlnotes.numpy import adaptive_methods, initialization, minibatch, network, training

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper

CLASSES = 10


def _digits() -> tuple[np.ndarray, np.ndarray]:
    """Load the digits, each pixel centered and all divided by one number, so that the second moment is 1."""
    digits = datasets.digits()
    x = digits.inputs - digits.inputs.mean(0)
    return (x / np.sqrt((x * x).mean())).astype(np.float32), digits.targets


# --- trainability over depth and scale -------------------------------------------------------------------------------


class Trainability(NamedTuple):
    """Training accuracy on the digits after a fixed number of steps, over depth and scale of the weights.

    Attributes:
        relu: Mean accuracy of ReLU networks; (depth, scale). A run that overflowed counts as 0.
        tanh: The same for tanh networks.
        depths: Depths for which the boundary is drawn.
        relu_boundary: Scales at which the mean square of a gradient shrinks, or grows, by a factor of 1000 on its way
            through that many layers; (side, depth).
        tanh_boundary: The same for tanh networks.
    """

    relu: np.ndarray
    tanh: np.ndarray
    depths: np.ndarray
    relu_boundary: np.ndarray
    tanh_boundary: np.ndarray


DEPTHS = (2, 3, 4, 6, 8, 11, 16, 23)
SCALES = {"relu": 2.0 ** (np.arange(-6, 7) / 3), "tanh": 2.0 ** (np.arange(-3, 7) / 1.5)}
CRITICAL = {"relu": 2.0, "tanh": 1.0}  # fan_in times the variance at which a small gradient keeps its mean square


def gradient_factor(activation: str, scales: np.ndarray) -> np.ndarray:
    """Give the factor on a gradient's mean square in each layer of a wide network whose signal has settled.

    chi = fan_in Var[w] E[f'(sqrt(q) z)^2],    q = fan_in Var[w] E[f(sqrt(q) z)^2]
    """
    variances = CRITICAL[activation] * scales**2
    if activation == "relu":  # at every q, for ReLU is homogeneous
        return variances * initialization.slope_moment("relu", 1.0)
    q = np.ones_like(variances)
    for _ in range(300):
        q = variances * initialization.second_moment_map(activation, q)
    return variances * initialization.slope_moment(activation, q)


def boundary(activation: str, depths: np.ndarray, factor: float = 1000.0) -> np.ndarray:
    """Give the scales at which chi^depth is 1 / factor and factor; (side, depth)."""
    scales = np.geomspace(SCALES[activation][0] / 4, SCALES[activation][-1] * 4, 120)
    logs = np.log(gradient_factor(activation, scales))
    wanted = np.log(factor) / depths * np.array([[-1], [1]])
    return np.exp(np.interp(wanted, logs, np.log(scales)))


def accuracies(
    activation: str, depth: int, scales: np.ndarray, *, width: int, seeds: int, steps: int, rate: float, seed: int
) -> np.ndarray:
    """Train a network for each scale and seed, all at once, and give its training accuracy; (scale, seed)."""
    inputs, targets = _digits()
    generator = np.random.default_rng([seed, depth])
    runs = (len(scales), seeds)
    spread = np.broadcast_to(scales[:, None], runs)

    def draw(shape: tuple[int, int], generator: np.ndarray, **options: object) -> np.ndarray:
        variance = 1 / shape[1] if shape[0] == CLASSES else CRITICAL[activation] * spread**2 / shape[1]
        return initialization.normal(shape, generator, standard_deviation=np.sqrt(variance), **options)

    def measure(parameters: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {"overflow": ~np.isfinite(parameters[f"{2 * depth}.bias"]).all(-1)}

    sizes = [inputs.shape[1], *[width] * depth, CLASSES]
    trained = training.train(
        network.initialize(sizes, generator, draw, runs=runs, dtype=np.float32),
        inputs,
        targets,
        minibatch.SGD(rate),
        steps=steps,
        batch_size=32,
        generator=generator,
        runs=runs,
        gradient=lambda *batch: network.loss_and_gradient(*batch, activation),
        measure=measure,
        measure_every=10,
        stop=lambda history: history["overflow"][..., -1] > 0,
    ).parameters
    result = np.zeros(runs)
    for run in np.ndindex(*runs):
        own = {name: value[run] for name, value in trained.items()}
        if np.isfinite(own[f"{2 * depth}.bias"]).all():
            with np.errstate(over="ignore", invalid="ignore"):
                logits, _ = network.forward(own, inputs, activation)
            result[run] = (logits.argmax(-1) == targets).mean() if np.isfinite(logits).all() else 0
    return result


def trainability(
    depths: Sequence[int] = DEPTHS, width: int = 48, seeds: int = 2, steps: int = 200, rate: float = 0.05, seed: int = 0
) -> Trainability:
    """Train ReLU and tanh networks of all depths and scales with plain gradient descent on mini-batches of 32."""
    options = {"width": width, "seeds": seeds, "steps": steps, "rate": rate, "seed": seed}
    maps = {
        activation: np.stack([accuracies(activation, depth, scales, **options).mean(1) for depth in depths])
        for activation, scales in SCALES.items()
    }
    fine = np.geomspace(min(depths), max(depths), 100)
    return Trainability(maps["relu"], maps["tanh"], fine, boundary("relu", fine), boundary("tanh", fine))


def draw_trainability(numbers: Trainability, paper: Paper) -> Figure:
    """Draw one map for each activation, with the boundary that theory gives."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=340 if paper.wide else 600)
    for own, (activation, scales) in zip(axes.flat, SCALES.items(), strict=True):
        step = scales[1] / scales[0]
        across = np.append(scales, scales[-1] * step) / math.sqrt(step)
        down = np.geomspace(DEPTHS[0] / 1.19, DEPTHS[-1] * 1.19, len(DEPTHS) + 1)
        mesh = own.pcolormesh(across, down, getattr(numbers, activation), cmap=paper.ramp, vmin=0, vmax=1)
        mesh.set(edgecolor="face", linewidth=0.4)
        paper.mark(mesh, activation)
        for side in (0, 1):
            edge = paper.theory(own, numbers, "depths", x=f"{activation}_boundary[{side}]", linewidth=1.6)
            edge.set_path_effects(paper.halo(3.5))
        name = {"relu": "ReLU", "tanh": "tanh"}[activation]
        own.set(xscale="log", yscale="log", title=name, xlim=(across[0], across[-1]), ylim=(down[0], down[-1]))
        own.minorticks_off()
        own.grid(False)
        own.set(xlabel="scale, 1 is critical", ylabel="hidden layers", yticks=DEPTHS, yticklabels=DEPTHS)
        ticks = [1 / 4, 1 / 2, 1, 2, 4, 8, 16][: 5 if activation == "relu" else 7]
        own.set_xticks(ticks, ["1/4", "1/2", *(f"{tick:g}" for tick in ticks[2:])])
    paper.color_scale(figure, mesh, axes, "training accuracy", ticks=(0, 0.5, 1), labels=("0", "50%", "100%"))
    return figure


# --- a race of starts ------------------------------------------------------------------------------------------------


class Race(NamedTuple):
    """Training loss of deep ReLU networks on the digits from four starts, under two optimizers.

    Attributes:
        steps: Steps taken.
        losses: Loss of the batches of the last few steps; (optimizer, start, quantile, step).
        rates: The learning rate at which the median loss is lowest at the end; (optimizer, start).
        chance: The loss of equal probabilities, ln 10.
    """

    steps: np.ndarray
    losses: np.ndarray
    rates: np.ndarray
    chance: np.ndarray


STARTS = ("small", "PyTorch", "Xavier", "He")
OPTIMIZERS = {
    "SGD": (minibatch.SGD, (0.01, 0.03, 0.1, 0.3)),
    "Adam": (adaptive_methods.Adam, (0.0003, 0.001, 0.003, 0.01)),
}


def start(name: str, sizes: Sequence[int], generator: np.random.Generator, runs: tuple[int, ...]) -> training.Arrays:
    """Draw parameters: small ones have deviation 0.01; PyTorch's have biases too, the others none."""
    options = {"runs": runs, "dtype": np.float32}
    initializer = {
        "small": lambda *given, **also: initialization.normal(*given, standard_deviation=0.01, **also),
        "PyTorch": initialization.pytorch_default,
        "Xavier": initialization.xavier_normal,
        "He": initialization.he_normal,
    }[name]
    parameters = network.initialize(sizes, generator, initializer, **options)
    if name == "PyTorch":
        for layer in network.layer_names(parameters):
            shape = parameters[f"{layer}.weight"].shape[-2:]
            parameters[f"{layer}.bias"] = initialization.pytorch_default_bias(shape, generator, **options)
    return parameters


def race(depth: int = 10, width: int = 48, seeds: int = 6, steps: int = 300, every: int = 20, seed: int = 0) -> Race:
    """Train from each start at each of four learning rates, and keep the rate that ends lowest."""
    inputs, targets = _digits()
    sizes = [inputs.shape[1], *[width] * depth, CLASSES]
    losses, best = [], []
    for place, (optimizer, rates) in enumerate(OPTIMIZERS.values()):
        runs = (len(rates), seeds)
        for name in STARTS:
            generator = np.random.default_rng([seed, place, STARTS.index(name)])
            trained = training.train(
                start(name, sizes, generator, runs),
                inputs,
                targets,
                optimizer(np.broadcast_to(np.array(rates)[:, None], runs)),
                steps=steps,
                batch_size=32,
                generator=generator,
                runs=runs,
            )
            smooth = trained.losses.reshape(*runs, steps // every, every).mean(-1)
            smooth = np.where(np.isfinite(smooth), smooth, np.inf)
            winner = np.median(smooth[..., -1], axis=1).argmin()
            best.append(rates[winner])
            losses.append(np.quantile(smooth[winner], (0.1, 0.5, 0.9), axis=0, method="nearest"))
    shape = (len(OPTIMIZERS), len(STARTS))
    axis = np.arange(every, steps + 1, every)
    return Race(axis, np.reshape(losses, (*shape, 3, -1)), np.reshape(best, shape), np.array(math.log(CLASSES)))


def draw_race(numbers: Race, paper: Paper) -> Figure:
    """Draw the losses under each optimizer, the best rate beside each line's end."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=320 if paper.wide else 560, sharey=True)
    colors = (paper.palette.orange, paper.palette.purple, paper.palette.green, paper.palette.blue)
    for place, (own, optimizer) in enumerate(zip(axes.flat, OPTIMIZERS, strict=True)):
        paper.mark(own.axhline(numbers.chance, color=paper.muted, linewidth=0.8), "chance")
        for row, color in enumerate(colors):
            name = f"losses[{place}, {row}"
            paper.band(own, numbers, f"{name}, 0]", f"{name}, 2]", x="steps", color=color)
            style = {"color": color, "linestyle": paper.dashes[row], "marker": paper.markers[row], "markevery": 3}
            paper.line(own, numbers, f"{name}, 1]", x="steps", **style)
        own.set(yscale="log", title=f"Training loss, {optimizer}", xlabel="step", xlim=(0, numbers.steps[-1]))
        own.set_yticks([0.1, 0.3, 1, 3], ["0.1", "0.3", "1", "3"])
        own.minorticks_off()
        rates = [f"{name}, {rate:g}" for name, rate in zip(STARTS, numbers.rates[place], strict=True)]
        labels = paper.end_labels(own, numbers.steps[-1], numbers.losses[place, :, 1, -1], rates, colors)
        for row, label in enumerate(labels):
            paper.mark(label, f"rates[{place}, {row}]")
    return figure


# --- the learning rate and the width ---------------------------------------------------------------------------------


class WidthTransfer(NamedTuple):
    """Loss of networks of several widths over the learning rate of Adam, under two parametrizations.

    Attributes:
        rates: Learning rates.
        losses: Median of the last steps' loss; (parametrization, width, rate). First the standard one, then the maximal
            update parametrization, which is the same at the least width.
        widths: Widths of the hidden layers.
        best: Rate of the lowest loss, from a parabola through the three lowest points; (parametrization, quantile,
            width).
        theory: The best rate at the least width, times 1 / width, and unchanged; (parametrization, width).
    """

    rates: np.ndarray
    losses: np.ndarray
    widths: np.ndarray
    best: np.ndarray
    theory: np.ndarray


def maximal_update(rate: np.ndarray, ratio: float) -> adaptive_methods.Partition:
    """Give Adam as the maximal update parametrization asks for a network `ratio` times as wide as its base.

    The input weights and all biases keep the rate; the hidden and output weights, whose fan_in grows, get rate / ratio.
    """
    grows = adaptive_methods.Adam(rate / ratio)
    return adaptive_methods.Partition(
        lambda name: name.endswith("weight") and name != "0.weight", grows, adaptive_methods.Adam(rate)
    )


def lowest(rates: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """Give the rate at the bottom of a parabola through the lowest loss and its neighbors, in logarithms of both."""
    x, y = np.log(rates), np.log(losses)
    middle = np.clip(y.argmin(-1), 1, len(x) - 2)[..., None]
    left, center, right = (np.take_along_axis(y, middle + shift, -1)[..., 0] for shift in (-1, 0, 1))
    curvature = np.maximum(left - 2 * center + right, 1e-12)  # 0 on a slope, whose bottom is beyond the grid
    shift = (left - right) / (2 * curvature)
    return np.exp(x[middle[..., 0]] + np.clip(shift, -1, 1) * (x[1] - x[0]))


def width_transfer(
    widths: Sequence[int] = (32, 64, 128, 256), hidden: int = 3, seeds: int = 4, steps: int = 80, seed: int = 0
) -> WidthTransfer:
    """Train networks of all widths at all rates under both parametrizations."""
    inputs, targets = _digits()
    rates = 2.0 ** np.arange(-11, -3)
    runs = (len(rates), seeds)
    each = np.broadcast_to(rates[:, None], runs)
    losses = np.empty((2, len(widths), *runs))
    for place, width in np.ndindex(2, len(widths)):
        if place and not width:  # the base is the same network under both
            losses[1, 0] = losses[0, 0]
            continue
        ratio = widths[width] / widths[0]

        def draw(shape: tuple[int, int], generator: np.ndarray, *, shrink: float = ratio**-place, **options: object):
            if shape[0] != CLASSES:
                return initialization.he_normal(shape, generator, **options)
            deviation = math.sqrt(shrink / shape[1])
            return initialization.normal(shape, generator, standard_deviation=deviation, **options)

        # The same draws and batches at every rate, so that rates are compared and not luck.
        children = np.random.default_rng(seed).spawn(seeds)
        generator = np.array([[copy.deepcopy(child) for child in children] for _ in rates])
        sizes = [inputs.shape[1], *[widths[width]] * hidden, CLASSES]
        start = network.initialize(sizes, generator, draw, runs=runs, dtype=np.float32)
        optimizer = maximal_update(each, ratio) if place else adaptive_methods.Adam(each)
        options = {"steps": steps, "batch_size": 64, "generator": generator, "runs": runs}
        trained = training.train(start, inputs, targets, optimizer, **options)
        losses[place, width] = trained.losses[..., -steps // 5 :].mean(-1)
    best = np.quantile(lowest(rates, losses.swapaxes(-1, -2)), (0.1, 0.5, 0.9), axis=-1).swapaxes(0, 1)
    sizes = np.array(widths)
    theory = best[:, 1, :1] * np.stack((sizes[0] / sizes, np.ones(len(sizes))))
    return WidthTransfer(rates, np.median(losses, axis=-1), sizes, best, theory)


def draw_width_transfer(numbers: WidthTransfer, paper: Paper) -> Figure:
    """Draw the losses over the rate for each width, and the best rate over the width."""
    figure = paper.figure(300 if paper.wide else 540)
    axes = figure.subplot_mosaic([[0, 1, 2]] if paper.wide else [[0, 1], [2, 2]])
    axes[1].sharey(axes[0])
    own_colors = (paper.palette.amber, paper.ink)  # other colors than those of the widths
    for place, title in enumerate(("Loss, standard", "Loss, maximal update")):
        own = axes[place]
        for width, color in enumerate(paper.colors[: len(numbers.widths)]):
            style = {"color": color, "marker": paper.markers[width], "markersize": 3}
            paper.line(own, numbers, f"losses[{place}, {width}]", x="rates", **style)
        own.set(xscale="log", yscale="log", title=title, xlabel="learning rate")
        own.set(xlim=(numbers.rates[0] / (8 if paper.wide else 14), numbers.rates[-1] * 1.5), xticks=[0.001, 0.01])
        own.minorticks_off()
        color = own_colors[place]
        paper.band(axes[2], numbers, f"best[{place}, 0]", f"best[{place}, 2]", x="widths", color=color)
        style = {"color": color, "marker": paper.markers[place], "linestyle": "none"}
        paper.line(axes[2], numbers, f"best[{place}, 1]", x="widths", **style)
        paper.theory(axes[2], numbers, f"theory[{place}]", x="widths", color=color)
    below, above = own_colors
    paper.label(axes[2], numbers.widths[1], numbers.theory[0, 1], "standard", color=below, dy=-22, ha="right")
    paper.label(axes[2], numbers.widths[-1], numbers.theory[1, -1], "maximal update", color=above, dy=26, ha="right")
    for width, color in enumerate(paper.colors[: len(numbers.widths)]):
        start, name = numbers.losses[0, width, 0], f"{'' if width else 'n = '}{numbers.widths[width]}"
        paper.label(axes[0], numbers.rates[0], start, name, color=color, dx=-8, ha="right")
    axes[0].set_yticks([0.03, 0.1, 0.3, 1], ["0.03", "0.1", "0.3", "1"])
    axes[1].tick_params(labelleft=False)
    axes[2].set(xscale="log", yscale="log", title="Best learning rate", xlabel="width n")
    axes[2].minorticks_off()
    axes[2].set_xticks(numbers.widths, numbers.widths)
    axes[2].set_ylim(0.001, 0.045)
    axes[2].set_yticks([0.001, 0.003, 0.01, 0.03], ["0.001", "0.003", "0.01", "0.03"])
    return figure
