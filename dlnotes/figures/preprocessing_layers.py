"""Figures of the chapter on preprocessing for what normalization layers do."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import datasets
from dlnotes.figures import preprocessing as valleys
from dlnotes.numpy import (
    adaptive_methods,
    batch_normalization,
    initialization,
    minibatch,
    network,
    objective,
    training,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper


# --- normalization layers --------------------------------------------------------------------------------------------


class Layers(NamedTuple):
    """Loss on the wine table after a short training at the best learning rate of each network and kind of inputs.

    Attributes:
        places: Where each case is drawn; (inputs, network). The inputs are raw and standardized.
        losses: Loss on all rows, shown as 1e-4 where it is less and 3 where it is more; (inputs, quantile, network).
    """

    places: np.ndarray
    losses: np.ndarray


NETWORKS = ("plain, SGD", "plain, Adam", "batch norm\non hidden units", "batch norm\non the inputs")
RATES = 2.0 ** np.arange(-13, 2, 2)


def normalized_gradient(
    parameters: training.Arrays, inputs: np.ndarray, labels: np.ndarray, place: str = ""
) -> tuple[np.ndarray, training.Arrays]:
    """Give loss and gradient of a network of one hidden layer, with batch normalization at a place or nowhere."""
    runs = parameters["0.bias"].shape[:-1]
    x = np.broadcast_to(inputs, (*runs, *inputs.shape[-2:]))
    if place == "inputs":
        x, _ = batch_normalization.batch_norm(x, np.ones((*runs, x.shape[-1])), np.zeros((*runs, x.shape[-1])))
    z = network.dense(x, parameters["0.weight"], parameters["0.bias"])
    if place == "hidden":
        z, cache = batch_normalization.batch_norm(z, parameters["scale"], parameters["shift"])
    h = np.maximum(z, 0)
    logits = network.dense(h, parameters["2.weight"], parameters["2.bias"])
    loss, grad_logits = objective.cross_entropy_with_gradient(logits, labels)
    last = network.dense_backward(grad_logits, h, parameters["2.weight"])
    grad = last.inputs * (z > 0)
    gradients = {"2.weight": last.weight, "2.bias": last.bias}
    if place == "hidden":
        norm = batch_normalization.batch_norm_backward(grad, cache)
        grad, gradients["scale"], gradients["shift"] = norm.x, norm.scale, norm.shift
    first = network.dense_backward(grad, x, parameters["0.weight"], with_inputs=False)
    gradients |= {"0.weight": first.weight, "0.bias": first.bias}
    return loss, {name: gradients[name] for name in parameters}


def losses_after(
    inputs: np.ndarray, case: int, *, width: int, seeds: int, steps: int, generator: np.random.Generator
) -> np.ndarray:
    """Train at every rate from every seed and give the losses at the rate whose median is least; one a seed."""
    wine, runs = datasets.wine(), (len(RATES), seeds)
    parameters = network.initialize([inputs.shape[-1], width, 3], generator, initialization.he_normal, runs=runs)
    place = ("", "", "hidden", "inputs")[case]
    if place == "hidden":
        parameters |= {"scale": np.ones((*runs, width)), "shift": np.zeros((*runs, width))}
    rates = np.broadcast_to(RATES[:, None], runs)
    optimizer = adaptive_methods.Adam(rates) if case == 1 else minibatch.SGD(rates)
    gradient = functools.partial(normalized_gradient, place=place)
    trained = training.train(
        parameters,
        inputs,
        wine.targets,
        optimizer,
        steps=steps,
        batch_size=32,
        generator=generator,
        runs=runs,
        gradient=gradient,
    ).parameters
    with np.errstate(all="ignore"):
        labels = np.broadcast_to(wine.targets, (*runs, len(inputs)))
        loss, _ = gradient(trained, inputs, labels)
    loss = np.clip(np.nan_to_num(loss, nan=3.0, posinf=3.0), 1e-4, 3.0)
    return loss[np.median(loss, axis=-1).argmin()]


def layers(width: int = 24, seeds: int = 11, steps: int = 400, seed: int = 0) -> Layers:
    """Train the four networks on raw and on standardized inputs."""
    x = datasets.wine().inputs
    losses = np.empty((2, 3, len(NETWORKS)))
    for form, inputs in enumerate((x, valleys.fitted(valleys.STANDARDIZE, x))):
        for case in range(len(NETWORKS)):
            generator = np.random.default_rng([seed, form, case])
            reached = losses_after(inputs, case, width=width, seeds=seeds, steps=steps, generator=generator)
            losses[form, :, case] = np.quantile(reached, (0.1, 0.5, 0.9))
    places = np.arange(len(NETWORKS)) + np.array([[-0.13], [0.13]])
    return Layers(places, losses)


def draw_layers(numbers: Layers, paper: Paper) -> Figure:
    """Draw a row for each network, raw above standardized."""
    figure, ((axes,),) = paper.subplots(height=300)
    for form, (name, color) in enumerate(zip(("standardized inputs", "raw inputs"), paper.colors, strict=False)):
        kind = 1 - form
        low, high = (numbers.losses[kind, quantile] for quantile in (0, 2))
        lines = axes.hlines(numbers.places[kind], low, high, color=color, linewidth=1.4)
        paper.mark(lines, f"places[{kind}]", x=f"losses[{kind}, 0]", upper=f"losses[{kind}, 2]")
        style = {"color": color, "marker": paper.markers[form], "linestyle": "none", "label": name}
        paper.line(axes, numbers, f"places[{kind}]", x=f"losses[{kind}, 1]", **style)
    axes.set(xscale="log", xlabel="loss after a short training", ylim=(3.5, -0.5), xlim=(8e-5, 3))
    axes.set_yticks(range(len(NETWORKS)), NETWORKS)
    axes.grid(False)
    axes.minorticks_off()
    figure.legend(loc="outside upper left", ncols=2)
    return figure
