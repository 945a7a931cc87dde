"""Figures of the chapter on gradient checking: kinks, dropout and batch norm, at which honest checks go wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes.figures import gradient_checking as quotients
from dlnotes.numpy import batch_normalization, dropout, gradient_checking, network, objective

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper


# --- kinks -----------------------------------------------------------------------------------------------------------


class Kinks(NamedTuple):
    """What the kinks of ReLU do to centered differences of the first layer's weights.

    Attributes:
        steps: h.
        crossed: Share of the weights whose two points lie on two sides of a kink, mean over networks; (batch, step).
        theory: The same for independent kinks; (batch, step).
        relu: Relative error of the gradient of a ReLU network, root of the mean square over networks; (batch, step).
        relu_theory: The same from the slopes that a kink switches and how often one is met; (batch, step).
        tanh: The error of a tanh network with the middle batch.
    """

    steps: np.ndarray
    crossed: np.ndarray
    theory: np.ndarray
    relu: np.ndarray
    relu_theory: np.ndarray
    tanh: np.ndarray


BATCHES = (4, 32, 128)


def first_layer_error(
    parameters: dict[str, np.ndarray], inputs: np.ndarray, labels: np.ndarray, activation: str, step: float
) -> float:
    """Give the relative error of centered differences in the first weights."""

    def loss(moved: np.ndarray) -> np.ndarray:
        logits, _ = network.forward({**parameters, "0.weight": moved}, inputs, activation)
        return objective.cross_entropy(logits, labels)

    exact = network.loss_and_gradient(parameters, inputs, labels, activation).gradient["0.weight"]
    found = gradient_checking.numerical_gradient(loss, parameters["0.weight"], step=step, chunk=16)
    return float(gradient_checking.relative_error(found, exact))


def expected_error(parameters: dict[str, np.ndarray], inputs: np.ndarray, labels: np.ndarray) -> float:
    """Give the root of the expected square of the relative error, over the root of the step.

    A kink of unit i in example n switches the slope J = delta_ni x_nj of weight (i, j) on or off. It is met with
    probability 2 h |x_nj| p, p the density of z at 0, and the square of its error is J^2 / 12 in the mean.
    """
    logits, _ = network.forward(parameters, inputs)
    gradient = network.loss_and_gradient(parameters, inputs, labels).gradient["0.weight"]
    switched = objective.cross_entropy_with_gradient(logits, labels).gradient @ parameters["2.weight"]
    density = 1 / np.sqrt(2 * math.pi * 2 * (inputs**2).mean(-1))  # He's pre-activation is normal over draws
    cubes = (np.abs(inputs) ** 3).sum(-1)
    square = ((switched**2).sum(-1) * cubes * 2 * density / 12).sum()
    return float(np.sqrt(square) / np.linalg.norm(gradient))


def kinks(batches: Sequence[int] = BATCHES, networks: int = 20, points: int = 9, seed: int = 0) -> Kinks:
    """Count the kinks crossed in networks 10-16-5 at steps from 1e-6 to 1e-2, and measure the errors."""
    steps = np.geomspace(1e-6, 1e-2, points)
    shape = (networks, len(batches), points)
    crossed, relu, tanh, expected = np.empty(shape), np.empty(shape), np.empty((networks, points)), np.empty(shape)
    for run, place in np.ndindex(networks, len(batches)):
        generator = np.random.default_rng([seed, run, place])
        parameters = network.initialize(quotients.SIZES, generator)
        inputs, labels = generator.standard_normal((batches[place], 10)), generator.integers(0, 5, batches[place])
        # A step of h in weight (i, j) moves unit i of example n by h x_nj; it meets a kink where that is |z_ni|.
        z = inputs @ parameters["0.weight"].T
        nearest = (np.abs(z)[:, :, None] / np.abs(inputs)[:, None, :]).min(0)
        crossed[run, place] = (nearest < steps[:, None, None]).mean((-1, -2))
        relu[run, place] = [first_layer_error(parameters, inputs, labels, "relu", step) for step in steps]
        expected[run, place] = expected_error(parameters, inputs, labels) * np.sqrt(steps)
        if place == len(batches) // 2:
            tanh[run] = [first_layer_error(parameters, inputs, labels, "tanh", step) for step in steps]
    theory = 1 - np.exp(-np.array(batches)[:, None] * math.sqrt(2) * steps / math.pi)
    relu, expected, tanh = (np.sqrt((errors**2).mean(0)) for errors in (relu, expected, tanh))
    return Kinks(steps, crossed.mean(0), theory, relu, expected, tanh)


def draw_kinks(numbers: Kinks, paper: Paper) -> Figure:
    """Draw the share of weights beside the error of the gradient."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=330 if paper.wide else 600)
    share, error = axes.flat
    for place, color in enumerate(paper.colors[: len(numbers.crossed)]):
        style = {"color": color, "marker": paper.markers[place], "linestyle": "none", "zorder": 5 - place}
        paper.line(share, numbers, f"crossed[{place}]", x="steps", **style)
        paper.theory(share, numbers, f"theory[{place}]", x="steps", color=color)
        paper.line(error, numbers, f"relu[{place}]", x="steps", **style)
        paper.theory(error, numbers, f"relu_theory[{place}]", x="steps", color=color)
    paper.line(error, numbers, "tanh", x="steps", color=paper.muted, marker=paper.markers[3])
    for own in (share, error):
        own.set(xscale="log", yscale="log", xlabel="step h", xticks=10.0 ** np.arange(-6, -1))
    share.set(title="Weights that meet a kink", ylim=(1e-6, 2), yticks=10.0 ** np.arange(-6, 1, 2))
    error.set(title="Relative error of the gradient", ylim=(1e-11, 2), yticks=10.0 ** np.arange(-10, 1, 2))
    for own in (share, error):
        own.minorticks_off()
    for place, (batch, color) in enumerate(zip(BATCHES, paper.colors, strict=False)):
        text = f"{batch}" if place else f"{batch} examples"
        where = {"dx": -6, "dy": 10, "ha": "right"} if place == len(BATCHES) - 1 else {"dx": 10, "dy": -9}
        paper.label(share, 1e-5, numbers.theory[place, 2], text, color=color, **where)
    paper.label(error, 1e-3, 1e-6, "tanh", color=paper.muted, dx=8, dy=-14)
    paper.label(error, 1e-4, 0.15, "ReLU", color=paper.ink, dx=-10)
    return figure


# --- dropout and batch norm ------------------------------------------------------------------------------------------


class Layers(NamedTuple):
    """Error of centered differences over the length of the gradient, with dropout or batch norm; first weights alone.

    Attributes:
        steps: h.
        fixed: Dropout with one mask for all evaluations; (quantile, step).
        fresh: Dropout with a mask drawn anew for each evaluation; (quantile, step).
        fresh_theory: The same from the deviation of the loss over masks.
        normalized: Batch norm with its own backward pass; (quantile, step).
        constant: Batch norm whose backward pass takes mean and variance for constants; (quantile, step).
    """

    steps: np.ndarray
    fixed: np.ndarray
    fresh: np.ndarray
    fresh_theory: np.ndarray
    normalized: np.ndarray
    constant: np.ndarray


def errors_of(loss: Callable, weight: np.ndarray, exact: np.ndarray, steps: np.ndarray) -> list[float]:
    """Give the error of centered differences over the length of the gradient at each step."""
    found = (gradient_checking.numerical_gradient(loss, weight, step=step) for step in steps)
    return [float(np.linalg.norm(one - exact) / np.linalg.norm(exact)) for one in found]


def with_dropout(
    generator: np.random.Generator, steps: np.ndarray, p: float = 0.5, masks: int = 400
) -> tuple[list[float], list[float], np.ndarray]:
    """Check a tanh network 10-16-5 with dropout, with one mask and with fresh ones, and predict the latter."""
    parameters = network.initialize(quotients.SIZES, generator)
    inputs, labels = generator.standard_normal((32, 10)), generator.integers(0, 5, 32)
    shape = (32, 16)
    mask = dropout.dropout_mask(shape, generator, p)

    def loss(weight: np.ndarray, own: np.ndarray) -> np.ndarray:
        hidden = np.tanh(inputs @ weight.mT)
        kept = dropout.dropout(np.ascontiguousarray(np.broadcast_to(hidden, own.shape)), own, p)
        return objective.cross_entropy(kept @ parameters["2.weight"].T, labels)

    def fresh(points: np.ndarray) -> np.ndarray:
        return loss(points, dropout.dropout_mask(shape, generator, p, runs=points.shape[:1]))

    weight = parameters["0.weight"]
    hidden = np.tanh(inputs @ weight.T)
    logits = dropout.dropout(hidden, mask, p) @ parameters["2.weight"].T
    delta = objective.cross_entropy_with_gradient(logits, labels).gradient @ parameters["2.weight"]
    exact = (dropout.dropout_backward(delta, mask, p) * (1 - hidden**2)).T @ inputs
    same = errors_of(lambda points: loss(points, np.broadcast_to(mask, (len(points), *shape))), weight, exact, steps)
    redrawn = errors_of(fresh, weight, exact, steps)
    spread = fresh(np.broadcast_to(weight, (masks, *weight.shape))).std()
    # Two values of deviation s over 2 h, in each of the coordinates.
    noise = spread / (math.sqrt(2) * steps) * math.sqrt(weight.size)
    return same, redrawn, noise / np.linalg.norm(exact)


def with_batch_norm(generator: np.random.Generator, steps: np.ndarray) -> tuple[list[float], list[float]]:
    """Check a network with batch norm before tanh, against its gradient and one that forgets the statistics."""
    parameters = network.initialize(quotients.SIZES, generator)
    inputs, labels = generator.standard_normal((32, 10)), generator.integers(0, 5, 32)
    weight, ones, zeros = parameters["0.weight"], np.ones(16), np.zeros(16)

    def run(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, batch_normalization.BatchNormCache]:
        runs = points.shape[:-2]
        scale, shift = (np.broadcast_to(array, (*runs, 16)) for array in (ones, zeros))
        normalized, cache = batch_normalization.batch_norm(inputs @ points.mT, scale, shift)
        hidden = np.tanh(normalized)
        return hidden @ parameters["2.weight"].T, hidden, cache

    logits, hidden, cache = run(weight)
    delta = objective.cross_entropy_with_gradient(logits, labels).gradient @ parameters["2.weight"] * (1 - hidden**2)
    exact = batch_normalization.batch_norm_backward(delta, cache).x.T @ inputs
    forgetful = (delta * cache.inverse_deviation).T @ inputs

    def loss(points: np.ndarray) -> np.ndarray:
        return objective.cross_entropy(run(points)[0], labels)

    return errors_of(loss, weight, exact, steps), errors_of(loss, weight, forgetful, steps)


def layers(networks: int = 6, points: int = 13, seed: int = 0) -> Layers:
    """Check the networks at steps from 1e-8 to 1."""
    steps = np.geomspace(1e-8, 1, points)
    runs = []
    for run in range(networks):
        generator = np.random.default_rng([seed, run])
        same, redrawn, theory = with_dropout(generator, steps)
        runs.append((same, redrawn, theory, *with_batch_norm(generator, steps)))
    fixed, fresh, theory, normalized, constant = quotients.quantiles(np.array(runs)).swapaxes(0, 1)
    return Layers(steps, fixed, fresh, theory[1], normalized, constant)


def draw_layers(numbers: Layers, paper: Paper) -> Figure:
    """Draw dropout beside batch norm."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=310 if paper.wide else 560, sharey=True)
    pairs = (("fixed", "fresh"), ("normalized", "constant"))
    colors = (paper.palette.blue, paper.palette.purple)
    for own, names, title in zip(axes.flat, pairs, ("Dropout", "Batch norm"), strict=True):
        for series, (name, color) in enumerate(zip(names, colors, strict=True)):
            paper.band(own, numbers, f"{name}[0]", f"{name}[2]", x="steps", color=color)
            style = {"color": color, "marker": paper.markers[series], "markevery": 2}
            paper.line(own, numbers, f"{name}[1]", x="steps", **style)
        own.set(xscale="log", yscale="log", xlabel="step h", title=f"{title}: relative error")
        own.set(xticks=10.0 ** np.arange(-8, 1, 2), yticks=10.0 ** np.arange(-9, 10, 3), ylim=(3e-11, 1e9))
        own.minorticks_off()
    first, second = axes.flat
    paper.theory(first, numbers, "fresh_theory", x="steps")
    paper.label(first, 1e-5, 2e5, "a fresh mask\neach time", color=colors[1], dx=10, dy=22)
    paper.label(first, 1e-5, 1e-6, "one mask", color=colors[0], dx=-10, dy=0)
    paper.label(second, 1e-5, 0.27, "statistics taken\nfor constants", color=colors[1], dx=-40, dy=26)
    paper.label(second, 1e-5, 1e-6, "right", color=colors[0], dx=0, dy=0)
    return figure
