"""Figures of the chapter on activations: means, and what an activation does to signals, gradients and their signs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import datasets
from dlnotes.numpy import activations, initialization, network

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper

# Drawn by name: the function or its slope as a lookup gives them.
WORDS = {"identity": "identity", "sigmoid": "sigmoid", "tanh": "tanh", "relu": "ReLU", "elu": "ELU", "selu": "SELU",
         "gelu": "GELU", "leaky_relu": "leaky ReLU"}  # fmt: skip


# --- growth of the gradient ------------------------------------------------------------------------------------------


class Growth(NamedTuple):
    """Factor of a layer on the mean square of a gradient that goes back through it, over the gain of the weights.

    Attributes:
        gains: Deviation of the weights times the root of the width.
        measured: Mean factor of a layer; (activation, quantile, gain). Quantiles are 10%, 50% and 90% of the networks.
        fine: Gains at which theory is drawn.
        theory: gain^2 E[f'(z)^2] for the settled pre-activations of a wide network; (activation, gain).
    """

    gains: np.ndarray
    measured: np.ndarray
    fine: np.ndarray
    theory: np.ndarray


GROWN = ("identity", "relu", "tanh", "sigmoid")


def slope_factor(name: str, gains: np.ndarray, steps: int = 400) -> np.ndarray:
    """Give gain^2 E[f'(sqrt(v) z)^2] where v has settled under v <- gain^2 E[f(sqrt(v) z)^2]; v is free for ReLU."""
    v = np.ones_like(gains)
    if name in ("tanh", "sigmoid"):
        for _ in range(steps):
            v = gains**2 * initialization.second_moment_map(name, v)
    return gains**2 * initialization.slope_moment(name, v)


def growth(width: int = 100, depth: int = 14, networks: int = 12, seed: int = 0) -> Growth:
    """Send a gradient back through layers 10 to 4 of networks with random weights and divide its mean squares."""
    gains = 2.0 ** (np.arange(-2, 8) / 2)
    measured = np.empty((len(GROWN), 3, len(gains)))
    for row, name in enumerate(GROWN):
        generators = np.array(np.random.default_rng([seed, row]).spawn(networks))
        draw = initialization.lecun_normal
        weights = [draw((width, width), generators, runs=(networks,)) for _ in range(depth)]
        x, g = (initialization.normal((1, width), generators, runs=(networks,)) for _ in range(2))
        for place, gain in enumerate(gains):
            scaled = [gain * weight for weight in weights]
            moments = initialization.backward_second_moments(scaled, x, g, name)
            factors = (moments[:, 4] / moments[:, depth - 4]) ** (1 / (depth - 8))
            measured[row, :, place] = np.quantile(factors, (0.1, 0.5, 0.9))
    fine = np.geomspace(gains[0], gains[-1], 60)
    return Growth(gains, measured, fine, np.array([slope_factor(name, fine) for name in GROWN]))


def draw_growth(numbers: Growth, paper: Paper) -> Figure:
    """Draw the factors on logarithmic axes; above 1 the gradient explodes, below it vanishes."""
    figure, ((axes,),) = paper.subplots(height=340)
    for row, color in enumerate(paper.colors[: len(GROWN)]):
        ends = (paper.value(numbers, f"measured[{row}, {quantile}]") for quantile in (0, 2))
        bars = axes.vlines(numbers.gains, *ends, color=color, linewidth=1)
        paper.mark(bars, f"measured[{row}, 0]", x="gains", upper=f"measured[{row}, 2]")
        style = {"color": color, "marker": paper.markers[row], "linestyle": "none", "clip_on": False}
        paper.line(axes, numbers, f"measured[{row}, 1]", x="gains", **style)
        paper.theory(axes, numbers, f"theory[{row}]", x="fine", color=color)
    paper.guide(axes.axhline(1, color=paper.muted, linewidth=0.8))
    title = "Factor of one layer on the gradient's mean square" if paper.wide else "A layer's factor on the gradient"
    axes.set(xscale="log", yscale="log", title=title, xlabel="gain of the weights")
    axes.set(xlim=(0.45, numbers.fine[-1]), ylim=(6e-3, 300))
    axes.minorticks_off()
    axes.set_xticks([0.5, 1, 2, 4, 8], ["1/2", "1", "2", "4", "8"])
    axes.set_yticks([0.01, 0.1, 1, 10, 100], ["0.01", "0.1", "1", "10", "100"])
    words = [WORDS[name] for name in GROWN]
    paper.end_labels(axes, numbers.fine[-1], numbers.theory[:, -1], words, paper.colors[: len(GROWN)])
    return figure


# --- signs of the gradients of one unit -------------------------------------------------------------------------------


class Signs(NamedTuple):
    """How far the gradients of one unit's weights share a sign: |positive - negative| over all that are not 0.

    Attributes:
        sizes: Examples in a batch.
        drawn: Mean over units whose inputs are activations of independent normal numbers; (activation, size).
        plateau: Its limit for large batches and many inputs; (activation).
        digits: The same for the second hidden layer of networks at their start, on digits; (activation, size).
    """

    sizes: np.ndarray
    drawn: np.ndarray
    plateau: np.ndarray
    digits: np.ndarray


SIGNED = ("sigmoid", "relu", "tanh")


def agreement(gradients: np.ndarray) -> np.ndarray:
    """Give |positive - negative| / (positive + negative) along the last axis, of those that are not all 0."""
    signs = np.sign(gradients.reshape(-1, gradients.shape[-1]))
    signs = signs[np.abs(signs).any(-1)]
    return np.abs(signs.sum(-1)) / np.abs(signs).sum(-1)


def sign_plateau(name: str) -> float:
    """Give 2/pi arctan(mean / deviation) of the activation of a standard normal number."""
    z = np.linspace(-10, 10, 20_001)
    weight = np.exp(-z * z / 2)
    values = activations.lookup(name).function(z)
    mean = values @ weight / weight.sum()
    return 2 / math.pi * math.atan2(abs(mean), math.sqrt((values - mean) ** 2 @ weight / weight.sum()))


def signs(inputs: int = 100, units: int = 120, networks: int = 6, largest: int = 9, seed: int = 0) -> Signs:
    """Take the gradients of units under batches of 1 to 2^largest examples."""
    sizes = 2 ** np.arange(largest + 1)
    drawn, found = np.empty((2, len(SIGNED), len(sizes)))
    digits = datasets.digits()
    x = digits.inputs - digits.inputs.mean(0)
    x /= np.sqrt((x * x).mean())
    for row, name in enumerate(SIGNED):
        function = activations.lookup(name).function
        generator = np.random.default_rng([seed, row])
        gain = initialization.gain(name)
        for place, size in enumerate(sizes):
            shared = [
                generator.standard_normal(size) @ function(generator.standard_normal((size, inputs)))
                for _ in range(units)
            ]
            drawn[row, place] = agreement(np.array(shared)).mean()
            seen = []
            for _ in range(networks):
                start = network.initialize([64, inputs, inputs, 10], generator)
                start |= {key: value * gain / math.sqrt(2) for key, value in start.items() if "4." not in key}
                batch = generator.permutation(len(x))[:size]
                gradient = network.loss_and_gradient(start, x[batch], digits.targets[batch], name).gradient
                seen.append(agreement(gradient["2.weight"]))
            found[row, place] = np.concatenate(seen).mean()
    return Signs(sizes, drawn, np.array([sign_plateau(name) for name in SIGNED]), found)


def draw_signs(numbers: Signs, paper: Paper) -> Figure:
    """Draw both kinds of inputs side by side."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=300 if paper.wide else 500, sharey=True)
    colors = (paper.palette.orange, paper.palette.purple, paper.palette.blue)
    panels = zip(axes.flat, ("drawn", "digits"), ("Independent inputs", "Digits, second layer"), strict=True)
    for own, name, title in panels:
        for row, color in enumerate(colors):
            style = {"color": color, "marker": paper.markers[row], "markersize": 3.5, "clip_on": False}
            paper.line(own, numbers, f"{name}[{row}]", x="sizes", **style)
            if name == "drawn":
                style = {"color": color, "linewidth": 1, "linestyle": paper.dashes[1]}
                paper.mark(own.axhline(numbers.plateau[row], **style), f"plateau[{row}]")
        own.set(xscale="log", title=title, xlabel="examples in the batch", ylim=(-0.02, 1.04))
        own.set_xlim(0.9, numbers.sizes[-1])
        own.set_xticks([1, 10, 100], ["1", "10", "100"])
        own.minorticks_off()
        own.set_yticks((0, 0.5, 1), ("0", "50%", "100%"))
        ends = paper.value(numbers, f"{name}[:, -1]")
        paper.end_labels(own, numbers.sizes[-1], ends, [WORDS[kind] for kind in SIGNED], colors)
    for own in axes.flat[: 1 if paper.wide else 2]:
        own.set_ylabel("agreement of the signs")
    return figure


# --- centering -------------------------------------------------------------------------------------------------------


class Centering(NamedTuple):
    """Mean of an activation, for normal inputs and in networks.

    Attributes:
        means: Mean of a normal input of deviation 1.
        outputs: Mean of the activation; (activation, mean).
        layers: Hidden layers, 1 for the first.
        constant: Share of the activations' mean square that is the same for all digits; (activation, quantile, layer).
            Quantiles are 10%, 50% and 90% of networks at their start.
    """

    means: np.ndarray
    outputs: np.ndarray
    layers: np.ndarray
    constant: np.ndarray


CENTERED = ("sigmoid", "relu", "gelu", "elu", "selu", "tanh")


def mean_output(name: str, means: np.ndarray) -> np.ndarray:
    """Give E[f(z + mean)] for standard normal z, by a fine sum."""
    z = np.linspace(-9, 9, 3601)
    weight = np.exp(-z * z / 2)
    return activations.lookup(name).function(means[:, None] + z) @ (weight / weight.sum())


def centering(width: int = 64, depth: int = 8, networks: int = 10, rows: int = 300, seed: int = 0) -> Centering:
    """Integrate, and push digits through networks whose weights have the gain of the activation."""
    means = np.linspace(-2, 2, 41)
    digits = datasets.digits().inputs[:rows]
    x = digits - digits.mean(0)
    x /= np.sqrt((x * x).mean())
    constant = np.empty((len(CENTERED), networks, depth))
    for row, name in enumerate(CENTERED):
        function, gain = activations.lookup(name).function, initialization.gain(name)
        for run, generator in enumerate(np.random.default_rng([seed, row]).spawn(networks)):
            h = x
            for layer in range(depth):
                weight = initialization.lecun_normal((width, h.shape[-1]), generator)
                h = function(gain * (h @ weight.T))
                constant[row, run, layer] = (h.mean(0) ** 2).mean() / (h * h).mean()
    quantiles = np.quantile(constant, (0.1, 0.5, 0.9), axis=1).swapaxes(0, 1)
    return Centering(means, np.array([mean_output(n, means) for n in CENTERED]), np.arange(1, depth + 1), quantiles)


def draw_centering(numbers: Centering, paper: Paper) -> Figure:
    """Draw the mean output over the mean input, and the constant share by layer."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=330 if paper.wide else 560)
    left, right = axes.flat
    for row, color in enumerate(paper.colors[: len(CENTERED)]):
        style = {"color": color, "linestyle": paper.dashes[row]}
        paper.line(left, numbers, f"outputs[{row}]", x="means", **style)
        paper.band(right, numbers, f"constant[{row}, 0]", f"constant[{row}, 2]", x="layers", color=color)
        style |= {"marker": paper.markers[row], "markersize": 3, "clip_on": False}
        paper.line(right, numbers, f"constant[{row}, 1]", x="layers", **style)
    paper.guide(left.axvline(0, color=paper.grid, linewidth=0.6))
    words, colors = [WORDS[name] for name in CENTERED], paper.colors[: len(CENTERED)]
    left.set(title="Mean output", xlabel="mean of the input", xlim=(-2, 2), ylim=(-1.5, 2.6))
    left.set(xticks=(-2, -1, 0, 1, 2), yticks=(-1, 0, 1, 2))
    right.set(title="Constant share of the signal", xlabel="layer", xlim=(1, numbers.layers[-1]), ylim=(-0.02, 1.02))
    right.set_yticks((0, 0.5, 1), ("0", "50%", "100%"))
    paper.end_labels(left, 2, numbers.outputs[:, -1], words, colors)
    paper.end_labels(right, numbers.layers[-1], numbers.constant[:, 1, -1], words, colors)
    return figure


# --- the second moment ------------------------------------------------------------------------------------------------


class Moments(NamedTuple):
    """Second moment of a signal through layers that should keep it at 1, from starts that are off.

    Attributes:
        layers: 0 for the input.
        measured: Median over networks; (activation, start, layer).
        theory: In the limit of wide layers; (activation, start, layer).
    """

    layers: np.ndarray
    measured: np.ndarray
    theory: np.ndarray


KEPT = ("selu", "relu", "swiglu")
STARTS = np.array([0.2, 0.6, 1.6, 5.0])


def moment_step(name: str, q: np.ndarray) -> np.ndarray:
    """Give the second moment after a wide layer of the right gain; SwiGLU's two halves are independent."""
    if name == "swiglu":
        return initialization.second_moment_map("silu", q) * q / initialization.second_moment_map("silu", 1.0)
    return initialization.second_moment_map(name, initialization.gain(name) ** 2 * q)


def moments(width: int = 256, depth: int = 10, networks: int = 8, seed: int = 0) -> Moments:
    """Follow one input through random layers; a signal of SwiGLU below 1e-8 or above 1e8 is held there."""
    measured, theory = np.empty((2, len(KEPT), len(STARTS), depth + 1))
    for row, name in enumerate(KEPT):
        scale = (1 / initialization.second_moment_map("silu", 1.0)) ** 0.5 if name == "swiglu" else 1
        gain, fan_out = (1.0, 2 * width) if name == "swiglu" else (initialization.gain(name), width)
        function = activations.swiglu if name == "swiglu" else activations.lookup(name).function
        found = np.empty((networks, len(STARTS), depth + 1))
        for run, generator in enumerate(np.random.default_rng([seed, row]).spawn(networks)):
            h = generator.standard_normal((1, width))
            h = h / np.sqrt((h * h).mean()) * np.sqrt(STARTS)[:, None]
            found[run, :, 0] = STARTS
            for layer in range(depth):
                weight = initialization.lecun_normal((fan_out, width), generator)
                h = scale * function(gain * (h @ weight.T))
                h = np.clip(h, -1e4, 1e4)
                found[run, :, layer + 1] = (h * h).mean(-1)
        measured[row] = np.median(found, axis=0)
        theory[row, :, 0] = STARTS
        for layer in range(depth):
            theory[row, :, layer + 1] = np.clip(moment_step(name, theory[row, :, layer]), 1e-8, 1e8)
    return Moments(np.arange(depth + 1), np.clip(measured, 1e-8, 1e8), theory)


def draw_moments(numbers: Moments, paper: Paper) -> Figure:
    """Draw a panel for each activation."""
    figure, ((*axes,),) = paper.subplots(1, 3, height=300, sharex=True, sharey=True)
    for row, (own, word) in enumerate(zip(axes, ("SELU", "ReLU", "SwiGLU"), strict=True)):
        for start, color in enumerate(paper.colors[: len(STARTS)]):
            style = {"color": color, "marker": paper.markers[start], "linestyle": "none", "markersize": 3.5}
            paper.line(own, numbers, f"measured[{row}, {start}]", x="layers", **style)
            paper.theory(own, numbers, f"theory[{row}, {start}]", x="layers", color=color)
        own.set(yscale="log", title=word, xticks=(0, 5, 10) if paper.wide else (0, 4, 8), ylim=(2e-4, 2e3))
        own.set_yticks([1e-3, 1e-2, 0.1, 1, 10, 100, 1e3], ["0.001", "0.01", "0.1", "1", "10", "100", "1000"])
    axes[1].set_xlabel("layer")
    return figure
