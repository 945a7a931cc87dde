"""Figures of the chapter on adaptive methods for which networks are trained: digits, in batches of 16.

Runs that diverged count as infinitely bad. Quantiles over seeds are 10%, 50% and 90%, and stand on an axis of three.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dlnotes import datasets, optimizers
from dlnotes.figures import adaptive_methods as steps_alone
from dlnotes.numpy import adaptive_methods, minibatch, momentum, network, schedules, training

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper

CLASSES = 10
EXAMPLES = 1000
BATCH = 16


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Load the first thousand digits, each pixel centered and all divided by one number: a second moment of 1."""
    data = datasets.digits()
    x = data.inputs[:EXAMPLES] - data.inputs[:EXAMPLES].mean(0)
    return (x / np.sqrt((x * x).mean())).astype(np.float32), data.targets[:EXAMPLES]


def final_losses(
    make: Callable[[np.ndarray], optimizers.Optimizer],
    rates: np.ndarray,
    seeds: int,
    *,
    steps: int,
    seed: int,
    width: int = 32,
    inputs: np.ndarray | None = None,
) -> np.ndarray:
    """Train two hidden ReLU layers at each rate and from each seed, and give the loss on all examples; (rate, seed).

    The same draws and batches serve every rate, so that rates are compared and not luck.

    Args:
        make: Takes one rate a run, and gives the optimizer.
        rates: Learning rates, or what else `make` takes.
        seeds: How many networks for each.
        steps: Steps of training.
        seed: Which random numbers are drawn.
        width: Units in each hidden layer.
        inputs: Examples, by default the digits.
    """
    images, labels = digits()
    images = images if inputs is None else inputs
    runs = (len(rates), seeds)
    children = np.random.default_rng(seed).spawn(seeds)
    generator = np.array([[copy.deepcopy(child) for child in children] for _ in rates])
    sizes = [images.shape[-1], width, width, CLASSES]
    start = network.initialize(sizes, generator, runs=runs, dtype=np.float32)
    optimizer = make(np.broadcast_to(np.asarray(rates)[:, None], runs))
    options = {"steps": steps, "batch_size": BATCH, "generator": generator, "runs": runs}
    trained = training.train(start, images, labels, optimizer, **options).parameters
    flat = {name: value.reshape(-1, *value.shape[2:]) for name, value in trained.items()}
    with np.errstate(all="ignore"):
        losses, _ = network.loss_and_gradient(flat, images, labels)
    return np.nan_to_num(losses, nan=np.inf).reshape(runs).astype(float)


def _quantiles(values: np.ndarray, axis: int = -1) -> np.ndarray:
    """Give the 10%, 50% and 90% quantiles over an axis, on the first axis."""
    return np.quantile(values, (0.1, 0.5, 0.9), axis=axis, method="nearest")


@dataclass(frozen=True, eq=False)
class Turned:
    """An optimizer that works in turned coordinates: every matrix of weights is turned on both sides.

        G' = L G R^T,    update = L^T update'(G') R

    Args:
        inner: What takes the steps in the turned coordinates.
        turns: L and R of each matrix, orthogonal, by name. Other parameters stay as they are.
    """

    inner: optimizers.Optimizer
    turns: Mapping[str, tuple[np.ndarray, np.ndarray]]

    def cut_to_runs(self, cut: Callable) -> Turned:
        """Cut the inner optimizer; all runs are turned alike."""
        return Turned(cut(self.inner), self.turns)

    def _turned(self, arrays: training.Arrays) -> training.Arrays:
        turned = {name: left @ arrays[name] @ right.mT for name, (left, right) in self.turns.items()}
        return {**arrays, **turned}

    def init(self, params: training.Arrays) -> Any:
        """Start the inner optimizer."""
        return self.inner.init(params)

    def update(self, grads: training.Arrays, state: Any, params: training.Arrays) -> tuple[training.Arrays, Any]:
        """Take the step in the turned coordinates, and turn it back."""
        updates, after = self.inner.update(self._turned(grads), state, self._turned(params))
        back = {name: left.mT @ updates[name] @ right for name, (left, right) in self.turns.items()}
        return {**updates, **back}, after


# --- the correction in training --------------------------------------------------------------------------------------


class Correction(NamedTuple):
    """Adam's first steps with and without its corrections, and what they are worth in training.

    Attributes:
        steps: Steps.
        constant: Length of a step over the rate under a gradient that stays the same; (with, without; step).
        noise: The same with correction under a gradient that is noise alone.
        theory: The ratio of without to with.
        settled: What the steps under noise come to, sqrt((1 - beta1) / (1 + beta1)).
        rates: Learning rates.
        losses: Loss after training; (with, without; quantile; rate).
    """

    steps: np.ndarray
    constant: np.ndarray
    noise: np.ndarray
    theory: np.ndarray
    settled: np.ndarray
    rates: np.ndarray
    losses: np.ndarray


def correction(last: int = 3000, inputs: int = 400, seeds: int = 16, steps: int = 100, seed: int = 0) -> Correction:
    """Measure the length of steps, then train at eight rates with and without correction.

    Adam without its corrections is Adam whose rate follows a schedule, but for epsilon.
    """
    alone = steps_alone.first_lengths(last, inputs, seed)
    rates = 1e-3 * 2.0 ** np.arange(-4, 5)

    def plain(rate: np.ndarray) -> adaptive_methods.Adam:
        return adaptive_methods.Adam(lambda step: rate * float(steps_alone.uncorrected_ratio(step + 1)))

    makers = (adaptive_methods.Adam, plain)
    losses = [_quantiles(final_losses(make, rates, seeds, steps=steps, seed=seed)) for make in makers]
    return Correction(*alone, rates, np.array(losses))


def draw_correction(numbers: Correction, paper: Paper) -> Figure:
    """Draw the lengths of the steps, and the losses over the rate."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=310 if paper.wide else 570)
    left, right = axes.flat
    blue, orange, green = paper.palette.blue, paper.palette.orange, paper.palette.green
    for row, color in enumerate((blue, orange)):
        style = {"color": color, "marker": paper.markers[row], "linestyle": "none", "markersize": 3.5}
        paper.line(left, numbers, f"constant[{row}]", x="steps", **style)
    style = {"color": green, "marker": paper.markers[2], "linestyle": "none", "markersize": 3.5}
    paper.line(left, numbers, "noise", x="steps", **style)
    paper.theory(left, numbers, "theory", x="steps", color=orange)
    settled = left.axhline(numbers.settled, color=green, linewidth=1, linestyle=paper.dashes[1])
    paper.mark(settled, "settled")
    paper.label(left, 60, 6.6, "without correction", color=orange)
    paper.label(left, 1, 1.25, "with, constant gradient", color=blue, dy=2)
    paper.label(left, 4, 0.17, "with, noise", color=green)
    left.set(xscale="log", yscale="log", title="Step over rate", xlabel="step", ylim=(0.12, 10))
    left.set_yticks([0.2, 1, 3, 6.6], ["0.2", "1", "3", "6.6"])
    left.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1000"])
    for row, color in enumerate((blue, orange)):
        paper.band(right, numbers, f"losses[{row}, 0]", f"losses[{row}, 2]", x="rates", color=color)
        style = {"color": color, "marker": paper.markers[row], "linestyle": paper.dashes[row]}
        paper.line(right, numbers, f"losses[{row}, 1]", x="rates", **style)
    right.set(xscale="log", yscale="log", title="Loss after training", xlabel="learning rate")
    right.set_yticks([0.03, 0.1, 0.3, 1, 3], ["0.03", "0.1", "0.3", "1", "3"])
    right.set_xticks([1e-4, 1e-3, 1e-2], ["0.0001", "0.001", "0.01"])
    paper.label(right, numbers.rates[4], numbers.losses[0, 1, 4], "with", color=blue, dx=8, dy=8)
    paper.label(right, numbers.rates[2], numbers.losses[1, 1, 2], "without", color=orange, dx=-8, ha="right")
    for own in axes.flat:
        own.minorticks_off()
    return figure


# --- epsilon and the scale of the loss -------------------------------------------------------------------------------


class AdamUnderTheRoot(adaptive_methods.Adam):
    """Adam as many texts print it, with epsilon under the root: m_hat / sqrt(v_hat + epsilon)."""

    def update(
        self, grads: training.Arrays, state: adaptive_methods.AdamState, params: training.Arrays
    ) -> tuple[training.Arrays, adaptive_methods.AdamState]:
        """Give what is to be added to the parameters, and the next state."""
        _, after = super().update(grads, state, params)
        total1, total2 = 1 - self.beta1**after.step, 1 - self.beta2**after.step
        updates = {
            name: -self.learning_rate * m / total1 / np.sqrt(after.mean_square[name] / total2 + self.epsilon)
            for name, m in after.mean.items()
        }
        return updates, after


class Epsilon(NamedTuple):
    """What epsilon does to a step, by its place, and to training when the loss is multiplied by a number.

    Attributes:
        gradients: Sizes of a constant gradient.
        outside: Length of Adam's step over the rate, with epsilon outside the root.
        under: The same with epsilon under the root.
        measured_gradients: Sizes at which the step was taken.
        measured: The step with epsilon outside, as taken.
        scales: What the loss is multiplied by.
        losses: Loss after training, not multiplied; (descent, outside, under; quantile; scale).
        chance: The loss of equal probabilities, ln 10. Where training ends above it, it is drawn there.
    """

    gradients: np.ndarray
    outside: np.ndarray
    under: np.ndarray
    measured_gradients: np.ndarray
    measured: np.ndarray
    scales: np.ndarray
    losses: np.ndarray
    chance: np.ndarray


def epsilon(seeds: int = 8, steps: int = 120, points: int = 12, seed: int = 0) -> Epsilon:
    """Take a step for each size of a gradient, then train with the loss multiplied by powers of ten."""
    g, few, adam = np.geomspace(1e-12, 1, 100), np.geomspace(1e-12, 1, 2 * points + 1), adaptive_methods.Adam(1.0)
    updates, _ = adam.update({"w": few}, adam.init({"w": few}), {"w": few})
    scales = 10.0 ** np.linspace(-10, 2, points + 1)
    makers = (
        lambda scale: optimizers.chain(schedules.Scale(scale), minibatch.SGD(0.1)),
        lambda scale: optimizers.chain(schedules.Scale(scale), adaptive_methods.Adam(0.005)),
        lambda scale: optimizers.chain(schedules.Scale(scale), AdamUnderTheRoot(0.005)),
    )
    losses = [_quantiles(final_losses(make, scales, seeds, steps=steps, seed=seed)) for make in makers]
    losses = np.minimum(losses, math.log(CLASSES))
    outside, under = g / (g + 1e-8), g / np.sqrt(g * g + 1e-8)
    return Epsilon(g, outside, under, few, -updates["w"], scales, losses, np.array(math.log(CLASSES)))


def draw_epsilon(numbers: Epsilon, paper: Paper) -> Figure:
    """Draw the length of a step over the size of the gradient, and the loss over the scale of the loss."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=310 if paper.wide else 570)
    left, right = axes.flat
    blue, orange = paper.palette.blue, paper.palette.orange
    paper.line(left, numbers, "outside", x="gradients", color=blue)
    paper.line(left, numbers, "under", x="gradients", color=orange, linestyle=paper.dashes[1])
    style = {"color": blue, "marker": "o", "markersize": 3.5, "linestyle": "none"}
    paper.line(left, numbers, "measured", x="measured_gradients", **style)
    paper.label(left, 1e-9, 0.3, "epsilon outside", color=blue, ha="right")
    paper.label(left, 4e-5, 0.1, "under the root", color=orange, dx=4)
    left.set(xscale="log", yscale="log", title="Step over rate", xlabel="size of the gradient", ylim=(1e-5, 3))
    left.set_xticks([1e-12, 1e-8, 1e-4, 1], ["1e-12", "1e-8", "1e-4", "1"])
    left.set_yticks([1e-4, 1e-2, 1], ["0.0001", "0.01", "1"])
    names, colors = ("SGD", "outside", "under"), (paper.muted, blue, orange)
    for row, color in enumerate(colors):
        paper.band(right, numbers, f"losses[{row}, 0]", f"losses[{row}, 2]", x="scales", color=color)
        style = {"color": color, "marker": paper.markers[row], "linestyle": paper.dashes[(2, 0, 1)[row]]}
        paper.line(right, numbers, f"losses[{row}, 1]", x="scales", **style)
    paper.mark(right.axhline(numbers.chance, color=paper.muted, linewidth=0.8), "chance")
    for name, color, place in zip(names, colors, ((0.13, 0.5), (6e-8, 0.25), (1.6e-3, 0.17)), strict=True):
        paper.label(right, *place, name, color=color, ha="right")
    right.set(xscale="log", yscale="log", title="Loss after training", xlabel="what the loss is multiplied by")
    right.set_xticks([1e-10, 1e-6, 1e-2, 1e2], ["1e-10", "1e-6", "0.01", "100"])
    right.set_yticks([0.1, 0.3, 1, 2.3], ["0.1", "0.3", "1", "2.3"])
    for own in axes.flat:
        own.minorticks_off()
    return figure


# --- inputs in units of their own ------------------------------------------------------------------------------------


class Units(NamedTuple):
    """Loss after training on digits whose pixels are measured in units of their own.

    Attributes:
        decades: Powers of ten between the largest unit and the smallest.
        losses: At the best of the rates; (optimizer, quantile, decades).
        rates: These rates; (optimizer, decades).
    """

    decades: np.ndarray
    losses: np.ndarray
    rates: np.ndarray


UNIT_MOVERS: dict[str, tuple[Callable, float]] = {
    "SGD": (minibatch.SGD, 0.1),
    "momentum": (momentum.Momentum, 0.01),
    "Adam": (adaptive_methods.Adam, 0.01),
}


def units(seeds: int = 6, steps: int = 120, decades: int = 4, seed: int = 0) -> Units:
    """Train at seven rates, a factor of 2 apart, for each spread of the units."""
    images, _ = digits()
    spreads = np.arange(decades + 1)
    exponents = np.random.default_rng(seed).uniform(-0.5, 0.5, images.shape[1])
    losses, best = [], []
    for make, middle in UNIT_MOVERS.values():
        rates = middle * 2.0 ** np.arange(-3, 4)
        for spread in spreads:
            x = images * 10 ** (spread * exponents)
            x = (x / np.sqrt((x * x).mean())).astype(np.float32)
            found = final_losses(make, rates, seeds, steps=steps, seed=seed, inputs=x)
            winner = np.median(found, axis=1).argmin()
            losses.append(_quantiles(found[winner]))
            best.append(rates[winner])
    shape = (len(UNIT_MOVERS), len(spreads))
    return Units(spreads, np.reshape(losses, (*shape, 3)).swapaxes(1, 2), np.reshape(best, shape))


def draw_units(numbers: Units, paper: Paper) -> Figure:
    """Draw the losses over the spread of the units, and the best rates."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=300 if paper.wide else 520)
    left, right = axes.flat
    colors = (paper.muted, paper.palette.green, paper.palette.orange)
    for row, color in enumerate(colors):
        paper.band(left, numbers, f"losses[{row}, 0]", f"losses[{row}, 2]", x="decades", color=color)
        style = {"color": color, "marker": paper.markers[row], "linestyle": paper.dashes[row]}
        paper.line(left, numbers, f"losses[{row}, 1]", x="decades", **style)
        paper.line(right, numbers, f"rates[{row}]", x="decades", **style)
    left.set(yscale="log", title="Loss after training", xlabel="powers of ten")
    left.set_yticks([0.03, 0.1, 0.3, 1], ["0.03", "0.1", "0.3", "1"])
    right.set(yscale="log", title="Best rate", xlabel="powers of ten")
    right.set_yticks([0.01, 0.03, 0.1, 0.3], ["0.01", "0.03", "0.1", "0.3"])
    for own, values in ((left, numbers.losses[:, 1, -1]), (right, numbers.rates[:, -1])):
        own.set(xticks=numbers.decades, xlim=(-0.1, numbers.decades[-1]))
        own.minorticks_off()
        paper.end_labels(own, numbers.decades[-1], values, list(UNIT_MOVERS), colors)
    return figure
