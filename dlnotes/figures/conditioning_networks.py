"""Figures of the chapter on conditioning that measure curvature in networks on digits: spectrum, growth, the edge."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import datasets
from dlnotes.numpy import adaptive_methods, conditioning, initialization, minibatch, network, objective, training

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper

CLASSES = 10


def digits(examples: int) -> tuple[np.ndarray, np.ndarray]:
    """Give the first digits, each pixel centered and all divided by one number, and their labels."""
    table = datasets.digits()
    centered = table.inputs - table.inputs.mean(0)
    return (centered / np.sqrt((centered * centered).mean()))[:examples], table.targets[:examples]


def squared_error(outputs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the squared error, and its gradient in the outputs."""
    return objective.squared_error(outputs, targets), objective.squared_error_backward(1.0, outputs, targets)


# --- the spectrum of a network ---------------------------------------------------------------------------------------


class Spectrum(NamedTuple):
    """The eigenvalues of a network's Hessian, estimated from products and exact, at the start and after training.

    Attributes:
        grid: Curvatures; (state, point).
        estimated: Density by Lanczos' method from random vectors; (state, point).
        exact: The eigenvalues of the dense Hessian, smoothed by the same width; (state, point).
        largest: The largest eigenvalues of the dense Hessian, the first the largest; (state, place).
        floor: Where the ticks of these stand: a little above the lower end of the axis; (state, place).
    """

    grid: np.ndarray
    estimated: np.ndarray
    exact: np.ndarray
    largest: np.ndarray
    floor: np.ndarray


WIDTH_OF_SMOOTHING = 0.01  # of the largest eigenvalue


def smoothed(eigenvalues: np.ndarray, grid: np.ndarray, width: float) -> np.ndarray:
    """Give the density of eigenvalues under a normal curve."""
    offsets = (grid[:, None] - eigenvalues) / width
    return np.exp(-0.5 * offsets * offsets).mean(-1) / (width * np.sqrt(2 * np.pi))


def states(width: int, examples: int, steps: int, generator: np.random.Generator) -> list[training.Arrays]:
    """Give a tanh network with one hidden layer at its start and after training by Adam."""
    x, y = digits(examples)
    start = network.initialize([x.shape[1], width, CLASSES], generator, initialization.lecun_normal)
    gradient = functools.partial(network.loss_and_gradient, activation="tanh")
    return [start, training.train(start, x, y, adaptive_methods.Adam(0.01), steps=steps, gradient=gradient).parameters]


def eigenvalues_of(product: Callable, size: int) -> np.ndarray:
    """Give all eigenvalues of the matrix of a product, rising."""
    return np.linalg.eigvalsh(conditioning.dense_hessian(product, size))


def spectrum(
    width: int = 12, examples: int = 200, products: int = 80, probes: int = 10, steps: int = 100, seed: int = 0
) -> Spectrum:
    """Take the spectrum before and after training, by products with random vectors and exactly."""
    (x, y), generator, columns = digits(examples), np.random.default_rng(seed), []
    for parameters in states(width, examples, steps, generator):
        product = conditioning.hessian_vector_product(parameters, x, y, "tanh")
        size = sum(value.size for value in parameters.values())
        eigenvalues = eigenvalues_of(product, size)
        smoothing = WIDTH_OF_SMOOTHING * eigenvalues[-1]
        signs = conditioning.rademacher((probes, size), generator)
        found = conditioning.spectral_density(product, signs, steps=min(products, size), points=400, width=smoothing)
        largest = eigenvalues[: -2 * CLASSES - 1 : -1]
        floor = np.full(len(largest), 2.5e-4 * found.density.max())
        columns.append((found.grid, found.density, smoothed(eigenvalues, found.grid, smoothing), largest, floor))
    return Spectrum(*(np.array(column) for column in zip(*columns, strict=True)))


def draw_spectrum(numbers: Spectrum, paper: Paper) -> Figure:
    """Draw both densities of each state, and the largest eigenvalues as ticks under them."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=320 if paper.wide else 560)
    for state, (own, title) in enumerate(zip(axes.flat, ("At the start", "After training"), strict=True)):
        blue, orange = paper.palette.blue, paper.palette.orange
        paper.line(own, numbers, f"estimated[{state}]", x=f"grid[{state}]", color=blue, linewidth=2.4)
        paper.theory(own, numbers, f"exact[{state}]", x=f"grid[{state}]")
        low = float(numbers.floor[state, 0]) / 2.5
        style = {"color": orange, "linestyle": "none", "marker": "|", "markersize": 9}
        paper.line(own, numbers, f"floor[{state}]", x=f"largest[{state}]", **style)
        own.set(yscale="log", ylim=(low, 3e4 * low), title=title, xlabel="eigenvalue", ylabel="density")
        own.minorticks_off()
    return figure


# --- a gradient that grows while the loss falls ----------------------------------------------------------------------


class Growth(NamedTuple):
    """Loss, gradient and curvature along it while a network learns digits by SGD; quantiles over runs.

    Attributes:
        steps: Steps taken.
        loss: Loss of all training examples; (quantile, step).
        length: Length of their gradient; (quantile, step).
        curvature: Curvature along that gradient, g.Hg / g.g; (quantile, step).
    """

    steps: np.ndarray
    loss: np.ndarray
    length: np.ndarray
    curvature: np.ndarray


def pytorch_network(sizes: Sequence[int], generator: np.random.Generator, runs: tuple[int, ...]) -> training.Arrays:
    """Draw weights and biases as `torch.nn.Linear` does."""
    parameters = network.initialize(sizes, generator, initialization.pytorch_default, runs=runs)
    for layer in network.layer_names(parameters):
        shape = parameters[f"{layer}.weight"].shape[-2:]
        parameters[f"{layer}.bias"] = initialization.pytorch_default_bias(shape, generator, runs=runs)
    return parameters


def curvature_along_gradient(x: np.ndarray, y: np.ndarray) -> Callable:
    """Give a measure: loss, length of the gradient, and curvature along it, of each run of a ReLU network."""

    def measure(parameters: training.Arrays) -> dict[str, np.ndarray]:
        loss, gradient = network.loss_and_gradient(parameters, x, y)
        flat = conditioning.flatten(gradient, run_axes=1)
        labels = np.broadcast_to(y, (len(flat), len(y)))
        image = conditioning.hessian_vector_product(parameters, x, labels)(flat)
        square = (flat * flat).sum(-1)
        return {"loss": loss, "length": np.sqrt(square), "curvature": (flat * image).sum(-1) / square}

    return measure


def growth(
    width: int = 64,
    examples: int = 300,
    rate: float = 0.1,
    steps: int = 300,
    every: int = 10,
    seeds: int = 6,
    seed: int = 0,
) -> Growth:
    """Train ReLU networks of two hidden layers from PyTorch's default start with batches of 16."""
    x, y = digits(examples)
    generator, runs = np.random.default_rng(seed), (seeds,)
    measures = training.train(
        pytorch_network([x.shape[1], width, width, CLASSES], generator, runs),
        x,
        y,
        minibatch.SGD(rate),
        steps=steps,
        batch_size=16,
        generator=generator,
        runs=runs,
        measure=curvature_along_gradient(x, y),
        measure_every=every,
    )
    quantiles = (np.quantile(measures.measures[name], (0.1, 0.5, 0.9), axis=0) for name in Growth._fields[1:])
    return Growth(measures.measured_at, *quantiles)


def draw_growth(numbers: Growth, paper: Paper) -> Figure:
    """Draw loss, length of the gradient and curvature along it over the steps, one below the other or side by side."""
    figure, axes = paper.subplots(*((1, 3) if paper.wide else (3, 1)), height=290 if paper.wide else 690, sharex=True)
    titles = ("Loss", "Length of the gradient", "Curvature along it")
    for own, name, title, color in zip(axes.flat, Growth._fields[1:], titles, paper.colors, strict=False):
        paper.band(own, numbers, f"{name}[0]", f"{name}[2]", x="steps", color=color)
        paper.line(own, numbers, f"{name}[1]", x="steps", color=color)
        own.set(title=title, xlim=(0, numbers.steps[-1]))
        own.tick_params(labelbottom=True)  # where the panels stack, each shows its steps
    paper.guide(axes.flat[2].axhline(0, color=paper.muted, linewidth=0.8))
    for own in axes.flat if paper.wide else axes.flat[2:]:
        own.set_xlabel("step")
    return figure


# --- the edge of stability -------------------------------------------------------------------------------------------


class Edge(NamedTuple):
    """Sharpness and loss of a tanh network under descent with all examples, at several learning rates.

    Attributes:
        steps: Steps taken before each measurement.
        sharpness: Largest eigenvalue times the learning rate over 2, which is 1 at the edge; (rate, measurement).
        loss: Squared error; (rate, measurement).
        rates: Learning rates.
    """

    steps: np.ndarray
    sharpness: np.ndarray
    loss: np.ndarray
    rates: np.ndarray


RATES = np.array([0.2, 0.3])


def edge(width: int = 64, examples: int = 300, steps: int = 800, every: int = 50, seed: int = 0) -> Edge:
    """Train from LeCun's start with the squared error, and measure the sharpness on the way."""
    x, labels = digits(examples)
    y, generator = np.eye(CLASSES)[labels], np.random.default_rng(seed)
    start = network.initialize([x.shape[1], width, width, CLASSES], generator, initialization.lecun_normal)
    runs = (len(RATES),)
    toward = generator.standard_normal(sum(value.size for value in start.values()))

    def measure(parameters: training.Arrays) -> dict[str, np.ndarray]:
        sharpness = []
        for run in range(len(RATES)):
            own = {name: value[run] for name, value in parameters.items()}
            product = conditioning.hessian_vector_product(own, x, y, "tanh", "squared_error")
            found = conditioning.top_eigenvalues(product, toward, count=1, which="largest", tolerance=0.01, steps=40)
            sharpness.append(found.values[0])
        return {"sharpness": np.array(sharpness)}

    found = training.train(
        {name: np.stack([value] * len(RATES)) for name, value in start.items()},
        x,
        y,
        minibatch.SGD(RATES),
        steps=steps + 1,
        runs=runs,
        gradient=lambda *batch: network.loss_and_gradient(*batch, "tanh", squared_error),
        measure=measure,
        measure_every=every,
    )
    taken = found.measured_at[found.measured_at <= steps]
    sharpness = found.measures["sharpness"][:, : len(taken)] * RATES[:, None] / 2
    return Edge(taken, sharpness, found.losses[:, taken], RATES)


def draw_edge(numbers: Edge, paper: Paper) -> Figure:
    """Draw sharpness times rate over 2, and the loss."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=320 if paper.wide else 560)
    left, right = axes.flat
    for row, color in enumerate(paper.colors[: len(RATES)]):
        style = {"color": color, "linestyle": paper.dashes[row]}
        paper.line(left, numbers, f"sharpness[{row}]", x="steps", **style)
        paper.line(right, numbers, f"loss[{row}]", x="steps", **style)
    paper.guide(left.axhline(1, color=paper.muted, linewidth=0.8))
    end = numbers.steps[-1]
    left.set(title="Sharpness × rate / 2", xlabel="step", xlim=(0, end), ylim=(0.6, 2.3), yticks=[0.8, 1, 1.5, 2])
    right.set(title="Loss", xlabel="step", xlim=(0, end), yscale="log")
    right.set_yticks([0.01, 0.1, 1], ["0.01", "0.1", "1"])
    right.minorticks_off()
    names = [f"rate {rate:g}" for rate in numbers.rates]
    for own, ends in ((left, numbers.sharpness[:, -1]), (right, numbers.loss[:, -1])):
        for row, label in enumerate(paper.end_labels(own, end, ends, names, paper.colors[: len(RATES)])):
            paper.mark(label, f"rates[{row}]")
    return figure
