"""Figures of the chapter on mini-batches: how noisy a batch's gradient is, and what noise does near a minimum."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import datasets
from dlnotes.numpy import minibatch, network

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper


def single_gradients(parameters: dict[str, np.ndarray], inputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Give the gradient of each example's loss, a row an example: each example is a run with a batch of one."""
    count = len(inputs)
    own = {name: np.broadcast_to(value, (count, *value.shape)) for name, value in parameters.items()}
    grads = network.loss_and_gradient(own, inputs[:, None], labels[:, None], "tanh").gradient
    return np.concatenate([grads[name].reshape(count, -1) for name in parameters], axis=1)


# --- the error of a batch's gradient ---------------------------------------------------------------------------------


class Error(NamedTuple):
    """Error of the gradient of a batch of digits against its size.

    Attributes:
        sizes: Examples in a batch.
        errors: Root mean square of the distance to the gradient of all examples, over that gradient's length;
            (way of drawing, size). The ways: with replacement, without, stratified by class.
        fine: Sizes for the theory.
        theory: What is derived for the first two ways; (way, size).
    """

    sizes: np.ndarray
    errors: np.ndarray
    fine: np.ndarray
    theory: np.ndarray


def error(examples: int = 512, draws: int = 400, seed: int = 0) -> Error:
    """Draw many batches at the start of training, in three ways."""
    digits = datasets.digits()
    inputs, labels = (digits.inputs[:examples] - 8) / 8, digits.targets[:examples]
    generator = np.random.default_rng(seed)
    singles = single_gradients(network.initialize([64, 8, 10], generator), inputs, labels)
    whole = singles.mean(0)
    length = np.linalg.norm(whole)
    sizes = np.array([size for size in 2 ** np.arange(12) if size < examples])
    errors = np.empty((3, len(sizes)))
    weights = np.arange(1, examples + 1)[:, None]
    squares = np.zeros((2, len(sizes)))
    for _ in range(draws):
        for way, order in enumerate(
            (minibatch.shuffled_order(examples, generator), minibatch.stratified_order(labels, generator))
        ):
            means = np.cumsum(singles[order], axis=0) / weights
            squares[way] += ((means[sizes - 1] - whole) ** 2).sum(-1)
    errors[1:] = np.sqrt(squares / draws) / length
    for place, size in enumerate(sizes):
        counts = generator.multinomial(size, np.full(examples, 1 / examples), size=draws)
        errors[0, place] = np.sqrt(((counts @ singles / size - whole) ** 2).sum(-1).mean()) / length
    spread = np.sqrt(((singles - whole) ** 2).sum(-1).mean()) / length
    fine = np.arange(1, sizes[-1] + 1)
    theory = [[minibatch.batch_variance(int(size), own) for size in fine] for own in (None, examples)]
    return Error(sizes, errors, fine, spread * np.sqrt(theory))


def draw_error(numbers: Error, paper: Paper) -> Figure:
    """Draw what was measured as points on the lines of the theory."""
    figure, ((axes,),) = paper.subplots(height=340)
    colors = (paper.palette.orange, paper.palette.blue, paper.palette.green)
    for way in (0, 1):
        paper.theory(axes, numbers, f"theory[{way}]", x="fine", color=colors[way])
    for way, color in enumerate(colors):
        style = {"color": color, "marker": paper.markers[way], "linestyle": "none", "markersize": 5}
        paper.line(axes, numbers, f"errors[{way}]", x="sizes", **style)
    axes.set(xscale="log", yscale="log", xlabel="examples in a batch", title="Error of the gradient, over its length")
    axes.set_xlim(0.9, numbers.sizes[-1] * 1.1)
    axes.minorticks_off()
    ticks = [1, 4, 16, 64, 256]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_yticks([0.1, 0.3, 1, 3, 10], ["0.1", "0.3", "1", "3", "10"])
    words = ("with\nreplacement", "without", "stratified")
    paper.end_labels(axes, numbers.sizes[-1], numbers.errors[:, -1], words, colors)
    return figure


# --- wandering about the minimum -------------------------------------------------------------------------------------


class Wander(NamedTuple):
    """Squared distance to the minimum of least squares, one example a step, under four rates; twice.

    Attributes:
        steps: Steps taken.
        distances: Mean squared distance over the runs, over that at the start; (data, rate, step). The data: with noise
            in the targets, and without. The rates: three constant ones, and one that falls.
    """

    steps: np.ndarray
    distances: np.ndarray


WANDER_RATES = (0.08, 0.02, 0.005)


def falling(step: int) -> float:
    """Give a rate that falls as one over the step."""
    return 0.08 / (1 + step / 40)


def wander(runs: int = 40, steps: int = 4000, seed: int = 0) -> Wander:
    """Fit five numbers to 100 examples; all runs share the data, each draws examples of its own."""
    generator = np.random.default_rng(seed)
    inputs = generator.standard_normal((100, 5))
    true = generator.standard_normal(5)
    noise = generator.standard_normal(100)
    shown = np.unique(np.geomspace(1, steps, 60).astype(int))
    distances = np.empty((2, 4, len(shown)))
    for data, targets in enumerate((inputs @ true + noise, inputs @ true)):
        best = np.linalg.lstsq(inputs, targets, rcond=None)[0]
        w = np.zeros((4, runs, 5))
        draws = np.random.default_rng([seed, 1]).integers(100, size=(steps, runs))  # the same for each rate
        for step in range(steps):
            rates = np.array([*WANDER_RATES, falling(step)])[:, None, None]
            x, y = inputs[draws[step]], targets[draws[step]]
            w -= rates * ((w * x).sum(-1) - y)[..., None] * x
            if step + 1 in shown:
                distances[data, :, np.searchsorted(shown, step + 1)] = ((w - best) ** 2).sum(-1).mean(-1)
        distances[data] /= (best**2).sum()
    return Wander(shown, distances)


def draw_wander(numbers: Wander, paper: Paper) -> Figure:
    """Draw the distances, one panel for each of the two data."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=310 if paper.wide else 560, sharey=True)
    colors = (paper.palette.orange, paper.palette.purple, paper.palette.blue, paper.palette.green)
    words = [*(f"{rate:g}" for rate in WANDER_RATES), "falling"]
    for data, (own, title) in enumerate(zip(axes.flat, ("Noisy targets", "All can be fitted"), strict=True)):
        for row, color in enumerate(colors):
            style = {"color": color, "linestyle": paper.dashes[row], "clip_on": True}
            paper.line(own, numbers, f"distances[{data}, {row}]", x="steps", **style)
        own.set(xscale="log", yscale="log", xlabel="step", title=f"{title}: squared distance", ylim=(1e-4, 3))
        own.set_xlim(1, numbers.steps[-1])
        own.minorticks_off()
        own.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1000"])
        own.set_yticks([1e-4, 1e-3, 1e-2, 0.1, 1], ["0.0001", "0.001", "0.01", "0.1", "1"])
        ends = np.maximum(numbers.distances[data, :, -1], 1.5e-4)
        if data == 0:
            paper.end_labels(own, numbers.steps[-1], ends, words, colors)
    return figure
