"""Figures of the chapter on symmetry breaking for what differs: noise in place of a start, and a start too small.

Quantiles over runs are 10%, 50% and 90%, and stand on an axis of three in this order.
"""

from __future__ import annotations

import functools
import itertools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes.figures import symmetry_breaking as starts
from dlnotes.numpy import dropout, initialization, minibatch, network, objective, symmetry_breaking, training

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper


# --- noise in place of a random start --------------------------------------------------------------------------------


class LateNoise(NamedTuple):
    """Training from equal weights with nothing, with noise on the gradient and with dropout, and from random weights.

    Attributes:
        steps: Steps taken.
        losses: Training loss without dropout; (case, quantile, step).
        ranks: Effective rank of the hidden layer's weights; (case, quantile, step).
        accuracy: On digits not trained on; (case, quantile).
    """

    steps: np.ndarray
    losses: np.ndarray
    ranks: np.ndarray
    accuracy: np.ndarray


def noisy_gradient(
    parameters: training.Arrays,
    inputs: np.ndarray,
    labels: np.ndarray,
    generator: np.random.Generator,
    p: float = 0.0,
    noise: float = 0.0,
) -> tuple[np.ndarray, training.Arrays]:
    """Give loss and gradient of a tanh network with dropout in its hidden layer, and noise added to the gradient."""
    z = network.dense(inputs, parameters["0.weight"], parameters["0.bias"])
    mask = dropout.dropout_mask(z.shape, generator, p)
    h = dropout.dropout(np.tanh(z), mask, p)
    logits = network.dense(h, parameters["2.weight"], parameters["2.bias"])
    loss, grad_logits = objective.cross_entropy_with_gradient(logits, labels)
    out = network.dense_backward(grad_logits, h, parameters["2.weight"])
    delta = dropout.dropout_backward(out.inputs, mask, p) * (1 - np.tanh(z) ** 2)
    into = network.dense_backward(delta, inputs, parameters["0.weight"], with_inputs=False)
    gradient = {"0.weight": into.weight, "0.bias": into.bias, "2.weight": out.weight, "2.bias": out.bias}
    return loss, {name: g + noise * generator.standard_normal(g.shape) for name, g in gradient.items()}


CASES: dict[str, dict[str, float]] = {
    "equal": {},
    "equal, with noise": {"noise": 1e-3},
    "equal, with dropout": {"p": 0.5},
    "random": {},
}


def late_noise(
    units: int = 32, examples: int = 500, steps: int = 200, every: int = 10, runs: int = 4, seed: int = 0
) -> LateNoise:
    """Train one hidden layer of tanh units on digits by SGD in each of the cases."""
    x, labels = starts.some_digits(examples + 1000, seed)
    found: dict[str, list] = {"loss": [], "rank": [], "right": []}

    def measure(parameters: training.Arrays) -> dict[str, np.ndarray]:
        loss = network.loss_and_gradient(parameters, x[:examples], labels[:examples], "tanh").loss
        return {"loss": loss, "rank": symmetry_breaking.effective_rank(parameters["0.weight"])}

    for case, options in CASES.items():
        start = starts.symmetric_start(units, runs, np.float64)
        if case == "random":
            generator = np.random.default_rng([seed, 1])
            start = network.initialize((64, units, 10), generator, initialization.xavier_normal, runs=(runs,))
        noise = np.random.default_rng([seed, 2])
        trained = training.train(
            start,
            x[:examples],
            labels[:examples],
            minibatch.SGD(0.3),
            steps=steps,
            batch_size=50,
            generator=np.random.default_rng([seed, 3]),
            runs=(runs,),
            gradient=functools.partial(noisy_gradient, generator=noise, **options),
            measure=measure,
            measure_every=every,
        )
        logits, _ = network.forward(trained.parameters, x[examples:], "tanh")
        found["right"].append(starts.quantiles((logits.argmax(-1) == labels[examples:]).mean(-1)))
        for name in ("loss", "rank"):
            found[name].append(starts.quantiles(trained.measures[name]))
    return LateNoise(np.arange(0, steps + 1, every), *(np.stack(values) for values in found.values()))


def draw_late_noise(numbers: LateNoise, paper: Paper) -> Figure:
    """Draw the loss, and the effective rank beside or below it."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=330 if paper.wide else 570)
    colors = (paper.palette.orange, paper.palette.purple, paper.palette.green, paper.palette.blue)
    left, right = axes.flat
    left.set(title="Training loss, accuracy on new digits", ylim=(-0.4, 2.7), yticks=[0, 0.5, 1, 1.5, 2, 2.5])
    right.set(title="Effective rank of the hidden weights", ylim=(-2.5, 32), yticks=[0, 10, 20, 30])
    names = [case.removeprefix("equal, with ") for case in CASES]
    texts = [f"{name} {share:.1%}" for name, share in zip(names, numbers.accuracy[:, 1], strict=True)]
    for own, field, words in ((left, "losses", texts), (right, "ranks", names)):
        for case, color in enumerate(colors):
            paper.band(own, numbers, f"{field}[{case}, 0]", f"{field}[{case}, 2]", x="steps", color=color)
            style = {"color": color, "linestyle": paper.dashes[case]}
            paper.line(own, numbers, f"{field}[{case}, 1]", x="steps", **style)
        own.set(xlabel="step", xlim=(0, numbers.steps[-1]))
        labels = paper.end_labels(own, numbers.steps[-1], getattr(numbers, field)[:, 1, -1], words, colors)
        if field == "losses":
            for case, label in enumerate(labels):
                paper.mark(label, f"accuracy[{case}, 1]")
    return figure


# --- deep linear networks --------------------------------------------------------------------------------------------


def linear_gradient(weights: list[np.ndarray], target: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Give the product of a linear network's weights, and the gradient of half its squared distance to a target.

    The inputs are white: their second moments are the identity.
    """
    below = [np.broadcast_to(np.eye(target.shape[-1]), (*weights[0].shape[:-2], *[target.shape[-1]] * 2))]
    for weight in weights:
        below.append(weight @ below[-1])
    delta, gradients = below[-1] - target, []
    for weight, incoming in zip(reversed(weights), reversed(below[:-1]), strict=True):
        gradients.append(delta @ incoming.mT)
        delta = weight.mT @ delta
    return below[-1], gradients[::-1]


def linear_start(layers: int, features: int, width: int, runs: int, seed: int) -> list[np.ndarray]:
    """Draw the weights of a linear network with deviation 1."""
    generator = np.random.default_rng([seed, layers])
    sizes = [features, *[width] * (layers - 1), features]
    return [generator.standard_normal((runs, out, into)) for into, out in itertools.pairwise(sizes)]


class EscapeTime(NamedTuple):
    """How long linear networks stay near zero, against the deviation of their first weights.

    Attributes:
        scales: Deviation of the first weights.
        times: Steps times learning rate until the first direction is half learned; (hidden layers, quantile, scale).
        theory: The law: a logarithm for one hidden layer, a power for two and three; (hidden layers, scale).
    """

    scales: np.ndarray
    times: np.ndarray
    theory: np.ndarray


def escape_times(start: list[np.ndarray], target: np.ndarray, share: float = 0.02, most: int = 20_000) -> np.ndarray:
    """Follow gradient flow, in steps that change the weights by a small share, until the first direction is half done.

    The target is diagonal, its first entry the largest.
    """
    weights, runs = start, len(start[0])
    time, found = np.zeros(runs), np.full(runs, np.nan)
    for _ in range(most):
        product, gradients = linear_gradient(weights, target)
        done = product[:, 0, 0] >= target[0, 0] / 2
        found[done & np.isnan(found)] = time[done & np.isnan(found)]
        if done.all():
            break
        sizes = [np.sqrt(sum((part**2).sum((-2, -1)) for part in parts)) for parts in (weights, gradients)]
        step = np.where(done, 0, share * sizes[0] / sizes[1])
        weights = [w - step[:, None, None] * g for w, g in zip(weights, gradients, strict=True)]
        time = time + step
    return found


def escape_time(width: int = 10, runs: int = 20, powers: int = 7, seed: int = 0) -> EscapeTime:
    """Let linear networks with one, two and three hidden layers escape from starts of many sizes."""
    scales = 10.0 ** np.linspace(-3, -1, powers)
    target = np.diag([1.0, 0.5, 0.25])
    times = np.empty((3, runs, powers))
    for row, layers in enumerate((2, 3, 4)):
        unit = linear_start(layers, len(target), width, runs, seed)
        for place, scale in enumerate(scales):
            # Near zero a smaller start only takes longer, by homogeneity: the steps are the same, and larger.
            times[row, :, place] = escape_times([scale * weight for weight in unit], target, most=40_000)
    middle = np.median(times, axis=1)
    law = np.log(1 / scales) + np.log(2 / width) / 2
    powers_of = [middle[row, 0] * (scales / scales[0]) ** -row for row in (1, 2)]
    return EscapeTime(scales, starts.quantiles(times, 1).swapaxes(0, 1), np.stack([law, *powers_of]))


def draw_escape_time(numbers: EscapeTime, paper: Paper) -> Figure:
    """Draw the times on logarithmic scales."""
    figure, ((axes,),) = paper.subplots(height=340)
    names = ("1 hidden\nlayer", "2 hidden\nlayers", "3 hidden\nlayers")
    for row in range(3):
        color = paper.colors[row]
        paper.band(axes, numbers, f"times[{row}, 0]", f"times[{row}, 2]", x="scales", color=color)
        style = {"color": color, "marker": paper.markers[row], "linestyle": "none"}
        paper.line(axes, numbers, f"times[{row}, 1]", x="scales", **style)
        paper.theory(axes, numbers, f"theory[{row}]", x="scales", color=color)
    axes.set(xscale="log", yscale="log", xlabel="deviation of the first weights, larger to the left")
    axes.set(title="Time until the first direction is half learned", xlim=(numbers.scales[-1], numbers.scales[0]))
    axes.set_yticks([1, 10, 100, 1000, 10_000, 100_000], ["1", "10", "100", "1000", "10⁴", "10⁵"])
    axes.minorticks_off()
    paper.end_labels(axes, numbers.scales[0], numbers.times[:, 1, 0], names, paper.colors[:3])
    return figure
