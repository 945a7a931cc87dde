"""Figures of the chapter on gradient clipping: its bias, and what it does to the rates that train.

Quantiles are 10%, 50% and 90%, and stand on an axis of three in this order.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import datasets, optimizers
from dlnotes.figures import gradient_clipping as cliffs
from dlnotes.numpy import (
    gradient_clipping,
    initialization,
    many_runs,
    minibatch,
    network,
    objective,
    training,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper


def _quantiles(values: np.ndarray, axis: int = 0) -> np.ndarray:
    """Give the 10%, 50% and 90% quantiles over an axis, on the first axis."""
    return np.quantile(values, (0.1, 0.5, 0.9), axis=axis)


# --- the bias --------------------------------------------------------------------------------------------------------


class Bias(NamedTuple):
    """Where clipped descent ends, and where its gradient points.

    Attributes:
        thresholds: Bounds on the length of the gradient.
        batches: Examples in a batch.
        rest: Where descent toward the mean of exponential numbers ends; (batch, threshold).
        theory: The same for one example, by the formula.
        shares: Share of the examples whose gradient is clipped.
        steps: Steps that the networks were trained.
        cosines: Cosine of the mean of clipped gradients with the mean gradient; (steps, quantile, share).
    """

    thresholds: np.ndarray
    batches: np.ndarray
    rest: np.ndarray
    theory: np.ndarray
    shares: np.ndarray
    steps: np.ndarray
    cosines: np.ndarray


def rest_of_exponential(bound: np.ndarray) -> np.ndarray:
    """Give the place where clipped gradients x - (exponential number of mean 1) are 0 on average.

    ln(2 sinh(c) / c) if that is at least c; else the x with x = 1 - exp(-x - c)
    """
    both = np.log(2 * np.sinh(np.minimum(bound, 50)) / bound)
    x = np.ones_like(bound)
    for _ in range(200):
        x = 1 - np.exp(-x - bound)
    return np.where(both >= bound, both, x)


def mean_cosines(steps: int, networks: int, examples: int, shares: np.ndarray, seed: int) -> np.ndarray:
    """Clip the gradients of single examples, and compare their mean with the mean of all; (network, share)."""
    parameters, inputs, labels = cliffs.trained(steps, networks, seed)
    found = np.empty((networks, len(shares)))
    for run in range(networks):
        own = {name: np.broadcast_to(value[run], (examples, *value.shape[1:])) for name, value in parameters.items()}
        grads = network.loss_and_gradient(own, inputs[:examples, None], labels[:examples, None]).gradient
        single = np.concatenate([g.reshape(examples, -1) for g in grads.values()], axis=-1)
        mean, lengths = single.mean(0), gradient_clipping.norm(single, 1)
        for place, bound in enumerate(np.quantile(lengths, 1 - shares)):
            after = (single * (bound / np.maximum(lengths, bound))[:, None]).mean(0)
            found[run, place] = after @ mean / gradient_clipping.norm(after) / gradient_clipping.norm(mean)
    return found


def bias(networks: int = 6, examples: int = 300, runs: int = 150, length: int = 2000, seed: int = 0) -> Bias:
    """Descend toward the mean of exponential numbers under clipping, and clip the gradients of networks on digits."""
    thresholds, batches = np.geomspace(0.1, 10, 13), np.array([1, 4, 16])
    rest = np.empty((3, len(thresholds)))
    generator = np.random.default_rng(seed)
    for row, batch in enumerate(batches):
        x, total = np.full((len(thresholds), runs), 0.85), 0.0
        for step in range(length):
            targets = generator.gamma(batch, 1 / batch, (1, runs))  # the mean of a batch of exponential numbers
            x = x - 0.05 * gradient_clipping.clip_by_value(x - targets, thresholds[:, None])
            total = total + x.mean(-1) * (step >= length // 2)
        rest[row] = total / (length - length // 2)
    shares, steps = np.linspace(0.02, 0.98, 25), np.array([0, 200])
    cosines = [_quantiles(mean_cosines(after, networks, examples, shares, seed)) for after in steps.tolist()]
    theory = rest_of_exponential(thresholds)
    return Bias(thresholds, batches, rest, theory, shares, steps, np.array(cosines))


def draw_bias(numbers: Bias, paper: Paper) -> Figure:
    """Draw where descent ends, and the cosines."""
    shape = (1, 2) if paper.wide else (2, 1)
    figure, axes = paper.subplots(*shape, height=320 if paper.wide else 580)
    left, right = axes.flat
    colors = paper.colors[:3]
    for row, color in enumerate(colors):
        style = {"color": color, "marker": paper.markers[row], "linestyle": "-" if row else "none"}
        paper.line(left, numbers, f"rest[{row}]", x="thresholds", **style)
    paper.theory(left, numbers, "theory", x="thresholds", color=colors[0])
    for height, word, dy in ((1.0, "mean of the data", 9), (math.log(2), "median", -9)):
        paper.guide(left.axhline(height, color=paper.muted, linewidth=0.8))
        paper.label(left, 0.1, height, word, color=paper.muted, dy=dy)
    left.set(xscale="log", xlabel="threshold c", title="Where descent ends", xlim=(0.09, 11), ylim=(0.65, 1.05))
    left.set_xticks([0.1, 1, 10], ["0.1", "1", "10"])
    for row, (place, dx, dy) in enumerate(((5, 8, -12), (2, 0, -12), (2, 0, -12))):
        text = ("{} in\na batch", "batch of {}", "of {}")[row].format(numbers.batches[row])
        point = numbers.thresholds[place], numbers.rest[row, place]
        paper.mark(paper.label(left, *point, text, color=colors[row], dx=dx, dy=dy), f"batches[{row}]")
    for row, color in enumerate((paper.palette.green, paper.palette.orange)):
        paper.band(right, numbers, f"cosines[{row}, 0]", f"cosines[{row}, 2]", x="shares", color=color)
        paper.line(right, numbers, f"cosines[{row}, 1]", x="shares", color=color, linestyle=paper.dashes[row])
    right.set(xlabel="share of the examples clipped", title="Cosine with the mean gradient", xlim=(0, 1))
    right.set(ylim=(-0.05, 1.08))
    right.set_xticks([0, 0.5, 1], ["0", "50%", "100%"])
    for row, (share, dy) in enumerate(((18, -16), (14, -34))):
        color = (paper.palette.green, paper.palette.orange)[row]
        point = numbers.shares[share], numbers.cosines[row, 1, share]
        text = "at the start" if row == 0 else f"after {numbers.steps[1]}\nsteps"
        label = paper.label(right, *point, text, color=color, dy=dy, ha="right", dx=-4)
        if row:
            paper.mark(label, "steps[1]")
    return figure


# --- thresholds and rates --------------------------------------------------------------------------------------------


class Rates(NamedTuple):
    """Accuracy of a recurrent network on digits over learning rate and threshold.

    Attributes:
        rates: Learning rates.
        thresholds: Bounds on the length of the gradient.
        accuracy: Training accuracy, for each threshold and, last, without clipping; (threshold, quantile, rate).
        lengths: Rate times threshold, the longest step; (threshold, rate).
    """

    rates: np.ndarray
    thresholds: np.ndarray
    accuracy: np.ndarray
    lengths: np.ndarray


def recurrent_states(parameters: dict[str, np.ndarray], inputs: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Read each image row by row: h_t = tanh(V x_t + W h_(t-1) + b); give the states from h_0 = 0 on, and the rows."""
    columns = parameters["input.weight"].shape[-1]
    rows = np.moveaxis(inputs.reshape(*inputs.shape[:-1], -1, columns), -2, 0)
    drive = rows @ parameters["input.weight"].mT + parameters["input.bias"][..., None, :]
    states = [np.zeros_like(drive[0])]
    for pushed in drive:
        states.append(np.tanh(pushed + states[-1] @ parameters["state.weight"].mT))
    return states, rows


def recurrent_gradient(
    parameters: dict[str, np.ndarray], inputs: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Give the cross-entropy of a recurrent network that reads images row by row, and its gradient."""
    states, rows = recurrent_states(parameters, inputs)
    last = network.dense(states[-1], parameters["output.weight"], parameters["output.bias"])
    loss, back = objective.cross_entropy_with_gradient(last, labels)
    delta, out_weight, out_bias = network.dense_backward(back, states[-1], parameters["output.weight"])
    deltas = np.empty((len(rows), *delta.shape))
    for time in reversed(range(len(rows))):
        deltas[time] = delta * (1 - states[time + 1] ** 2)
        delta = deltas[time] @ parameters["state.weight"]
    return loss, {
        "input.weight": (deltas.mT @ rows).sum(0),
        "input.bias": deltas.sum((0, -2)),
        "state.weight": (deltas.mT @ np.stack(states[:-1])).sum(0),
        "output.weight": out_weight,
        "output.bias": out_bias,
    }


def recurrent_start(units: int, generator: np.random.Generator, runs: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Draw a recurrent network for rows of 8 pixels and 10 classes, its recurrent weights at 1.2 times LeCun's."""
    draws = many_runs.generators(generator, runs)
    lecun = initialization.lecun_normal
    return {
        "input.weight": lecun((units, 8), draws, runs=runs),
        "input.bias": np.zeros((*runs, units)),
        "state.weight": 1.2 * lecun((units, units), draws, runs=runs),
        "output.weight": lecun((10, units), draws, runs=runs),
        "output.bias": np.zeros((*runs, 10)),
    }


def _recurrent_accuracy(parameters: dict[str, np.ndarray], inputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    states, _ = recurrent_states(parameters, inputs)
    logits = network.dense(states[-1], parameters["output.weight"], parameters["output.bias"])
    return (np.argmax(logits, -1) == labels).mean(-1)


def rates(units: int = 24, examples: int = 1000, steps: int = 150, seeds: int = 4, seed: int = 0) -> Rates:
    """Train a recurrent network with SGD under three thresholds and none, each at seven rates."""
    rates, thresholds = 0.03 * 10 ** (np.arange(7) / 2), np.array([0.1, 1.0])
    digits = datasets.digits()
    inputs, labels = (digits.inputs[:examples] - 8) / 8, digits.targets[:examples]
    bounds = np.append(thresholds, 1e300)  # the last is never reached
    runs = (len(bounds), len(rates), seeds)
    draw, shuffle = np.random.default_rng(seed).spawn(2)
    start = recurrent_start(units, draw, (seeds,))
    start = {name: np.broadcast_to(value, (*runs[:2], *value.shape)).copy() for name, value in start.items()}
    order = shuffle.spawn(seeds)  # a start meets the same batches under each rate and threshold
    shuffles = np.array([[copy.deepcopy(order) for _ in rates] for _ in bounds])
    clip = gradient_clipping.ClipByGlobalNorm(np.broadcast_to(bounds[:, None, None], runs), 3)
    descent = minibatch.SGD(np.broadcast_to(rates[:, None], runs))
    kept = {"batch_size": 32, "generator": shuffles, "runs": runs, "gradient": recurrent_gradient}
    result = training.train(start, inputs, labels, optimizers.chain(clip, descent), steps=steps, **kept)
    with np.errstate(all="ignore"):
        accuracy = _recurrent_accuracy(result.parameters, inputs[None, None, None, :300], labels[:300])
    lengths = thresholds[:, None] * rates
    return Rates(rates, thresholds, np.moveaxis(_quantiles(accuracy, -1), 0, 1), lengths)


def draw_rates(numbers: Rates, paper: Paper) -> Figure:
    """Draw accuracy over the rate, and over rate times threshold."""
    shape = (1, 2) if paper.wide else (2, 1)
    figure, axes = paper.subplots(*shape, height=320 if paper.wide else 580, sharey=True)
    left, right = axes.flat
    colors = paper.palette.green, paper.palette.blue, paper.palette.orange
    for row, color in enumerate(colors):
        style = {"color": color, "marker": paper.markers[row], "linestyle": paper.dashes[row]}
        for own, x in ((left, "rates"), (right, f"lengths[{row}]"))[: 2 if row < 2 else 1]:
            paper.band(own, numbers, f"accuracy[{row}, 0]", f"accuracy[{row}, 2]", x=x, color=color)
            paper.line(own, numbers, f"accuracy[{row}, 1]", x=x, **style)
    left.set(xscale="log", xlabel="learning rate", title="Training accuracy", ylim=(0, 1.08))
    right.set(xscale="log", xlabel="learning rate times threshold", title="Over the longest step")
    left.set_yticks([0, 0.5, 1], ["0", "50%", "100%"])
    for row, (place, dx, dy) in enumerate(((4, -12, -36), (4, 8, 0))):
        text = f"to {numbers.thresholds[row]:g}" if row else f"clipped\nto {numbers.thresholds[row]:g}"
        point = numbers.rates[place], numbers.accuracy[row, 1, place]
        paper.mark(paper.label(left, *point, text, color=colors[row], dx=dx, dy=dy), f"thresholds[{row}]")
    paper.label(left, numbers.rates[3], 0.3, "not clipped", color=colors[2], ha="right")
    return figure
