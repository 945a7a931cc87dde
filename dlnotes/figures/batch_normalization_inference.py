"""Figures of the chapter on batch normalization about prediction: which statistics are used when nothing is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes.figures import batch_normalization_mechanism as mechanism
from dlnotes.figures import batch_normalization_net as nets
from dlnotes.numpy import batch_normalization

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper

Statistics = list[list[batch_normalization.RunningStatistics]]
PER_CENT = ([0, 0.25, 0.5, 0.75, 1], ["0", "25%", "50%", "75%", "100%"])


class Trained(NamedTuple):
    """Networks with batch norm, what to test them on, and the statistics that they kept.

    Attributes:
        parameters: Their parameters, a run a seed.
        test: Inputs and classes of examples that they have not seen.
        train: Inputs and classes of those they have.
        running: Statistics for each weight of the new batch, by hidden layer.
    """

    parameters: nets.Arrays
    test: tuple[np.ndarray, np.ndarray]
    train: tuple[np.ndarray, np.ndarray]
    running: Statistics


NET = nets.Net()


def train(batch: int, shares: Sequence[float], *, width: int, steps: int, seeds: int, seed: int) -> Trained:
    """Train networks of two hidden layers on 1000 digits, and keep running statistics with each weight of the batch."""
    inputs, targets = nets.digits()
    generator = np.random.default_rng([seed, batch])
    order = generator.permutation(len(inputs))
    parts = [(inputs[rows], targets[rows]) for rows in (order[:1000], order[1000:])]
    sizes = [inputs.shape[1], width, width, mechanism.CLASSES]
    parameters = nets.initialize(sizes, generator, runs=(seeds,))
    start = batch_normalization.initial_running_statistics(width, runs=(seeds,), dtype=np.float32)
    running = [[start] * 2 for _ in shares]
    caches = []

    def gradient(params: nets.Arrays, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, nets.Arrays]:
        logits, layers = nets.forward(params, x, NET)
        caches[:] = [layer.cache for layer in layers[:-1]]
        losses, grad_logits = nets.objective.cross_entropy_with_gradient(logits, y)
        return losses, nets.backward(grad_logits, params, layers, NET)[0]

    walk = mechanism.descend(parameters, gradient, 0.1, examples=parts[0], batch=batch, generator=generator)
    for _, (params, _, _) in zip(range(steps), walk, strict=False):
        parameters = params
        running = [
            [
                batch_normalization.update_running_statistics(old, cache, momentum=share)
                for old, cache in zip(own, caches, strict=True)
            ]
            for share, own in zip(shares, running, strict=True)
        ]
    return Trained(parameters, parts[1], parts[0], running)


# --- the mode forgotten ----------------------------------------------------------------------------------------------


class Inference(NamedTuple):
    """Test accuracy on the digits, predicted with the statistics of the test batch and with running statistics.

    Attributes:
        sizes: Examples in a test batch.
        mixed: Accuracy with the batch's own statistics, batches of all classes; (quantile, size).
        sorted: The same where all examples of a batch are of one class.
        running: Median accuracy with running statistics, at every size.
        guess: One in ten.
    """

    sizes: np.ndarray
    mixed: np.ndarray
    sorted: np.ndarray
    running: np.ndarray
    guess: np.ndarray


def own_statistics(trained: Trained, order: np.ndarray, size: int) -> np.ndarray:
    """Predict test examples in that order with each batch's own statistics; give the accuracy of each seed."""
    rows = order[: len(order) // size * size].reshape(-1, size)
    inputs, targets = trained.test
    right = [nets.accuracy(trained.parameters, inputs[row], targets[row], NET) for row in rows]
    return np.mean(right, axis=0)


def one_class(targets: np.ndarray, size: int, generator: np.random.Generator) -> np.ndarray:
    """Order examples so that each run of `size` is of one class."""
    order = []
    for number in range(mechanism.CLASSES):
        own = generator.permutation(np.flatnonzero(targets == number))
        order.extend(own[: len(own) // size * size])
    return np.array(order)


def inference(
    sizes: Sequence[int] = (2, 4, 8, 16, 32, 64), width: int = 48, steps: int = 300, seeds: int = 5, seed: int = 0
) -> Inference:
    """Train with batches of 64, and predict in batches of several sizes."""
    trained = train(64, (0.1,), width=width, steps=steps, seeds=seeds, seed=seed)
    generator = np.random.default_rng(seed)
    mixed, alike = [], []
    for size in sizes:
        mixed.append(own_statistics(trained, generator.permutation(len(trained.test[1])), size))
        alike.append(own_statistics(trained, one_class(trained.test[1], size, generator), size))
    fixed = np.median(nets.accuracy(trained.parameters, *trained.test, NET, trained.running[0]))
    bands = [np.quantile(found, (0.1, 0.5, 0.9), axis=1) for found in (mixed, alike)]
    return Inference(np.array(sizes), *bands, np.asarray(fixed), np.array(1 / mechanism.CLASSES))


def draw_inference(numbers: Inference, paper: Paper) -> Figure:
    """Draw the accuracy over the size of the test batch."""
    figure, ((axes,),) = paper.subplots(height=320)
    colors = (paper.palette.blue, paper.palette.orange)
    for row, (field, color) in enumerate(zip(("mixed", "sorted"), colors, strict=True)):
        paper.band(axes, numbers, f"{field}[0]", f"{field}[2]", x="sizes", color=color)
        paper.line(axes, numbers, f"{field}[1]", x="sizes", color=color, marker=paper.markers[row])
    green = paper.palette.green
    paper.mark(axes.axhline(numbers.running, color=green, linewidth=1.4, linestyle=paper.dashes[1]), "running")
    paper.mark(axes.axhline(numbers.guess, color=paper.muted, linewidth=0.8), "guess")
    axes.set(xscale="log", xlabel="examples in a test batch", title="Test accuracy", ylim=(0, 1.02))
    axes.minorticks_off()
    axes.set_xticks(numbers.sizes, numbers.sizes)
    axes.set_yticks(*PER_CENT)
    axes.set_xlim(numbers.sizes[0] / 1.1, numbers.sizes[-1] * 1.05)
    ends = [numbers.running, numbers.mixed[1, -1], numbers.sorted[1, -1]]
    texts = ("running\nstatistics", "the batch's,\nall classes", "the batch's,\none class")
    paper.end_labels(axes, numbers.sizes[-1], ends, texts, (green, *colors))
    return figure
