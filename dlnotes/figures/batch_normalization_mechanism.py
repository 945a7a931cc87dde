"""Figures of the chapter on batch normalization that look into training: weights, loss along a step, statistics."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dlnotes.figures import batch_normalization_net as nets
from dlnotes.figures import batch_normalization_training as learning

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper

CLASSES = learning.CLASSES


def descend(
    parameters: nets.Arrays,
    gradient: Callable[[nets.Arrays, np.ndarray, np.ndarray], Any],
    rate: Any,
    *,
    examples: tuple[np.ndarray, np.ndarray],
    batch: int,
    generator: np.random.Generator,
) -> Iterator[tuple[nets.Arrays, np.ndarray, nets.Arrays]]:
    """Take steps of gradient descent on batches drawn anew; give parameters, losses and gradients before each step.

    All runs share the batches. `rate` may be a function of the parameters' names.
    """
    while True:
        rows = generator.choice(len(examples[0]), batch, replace=False)
        with np.errstate(all="ignore"):
            losses, grads = gradient(parameters, examples[0][rows], examples[1][rows])
            yield parameters, losses, grads
            parameters = {
                name: value - np.asarray(rate, value.dtype) * grads[name] for name, value in parameters.items()
            }


# --- the length of the weights ---------------------------------------------------------------------------------------


class Weights(NamedTuple):
    """Length of the weight vectors before batch norm under SGD, from three starts, with weight decay and without.

    Attributes:
        steps: Steps taken.
        free: Root mean square length over units, without decay; (start, step).
        decayed: The same with decay.
        middles: The middle of each window of steps.
        balance: The length at which growth and decay cancel, from the gradient measured in each window.
        turn: Angle by which a weight vector turns in a step, in radians, with decay: the root mean square over units
            and the window; (start, window).
        turn_theory: The angle at the balance, whatever the gradient.
    """

    steps: np.ndarray
    free: np.ndarray
    decayed: np.ndarray
    middles: np.ndarray
    balance: np.ndarray
    turn: np.ndarray
    turn_theory: np.ndarray


STARTS = (0.25, 1.0, 4.0)


def turn_at_balance(rate: float, decay: float) -> float:
    """Give the angle of a step at which growth and decay cancel; its cosine is 1 - rate decay."""
    return math.acos(1 - rate * decay)


def weights(
    width: int = 32,
    steps: int = 1200,
    every: int = 20,
    seeds: int = 3,
    rate: float = 0.3,
    decay: float = 0.01,
    seed: int = 0,
) -> Weights:
    """Train one hidden layer with batch norm at epsilon 0 on digits whose labels are partly random.

    The random labels keep the gradient from vanishing. Decay acts on the hidden weights only.
    """
    inputs, targets = nets.digits(np.float64)
    generator = np.random.default_rng(seed)
    examples = inputs, learning.noisy_labels(targets, 0.3, generator)
    runs = (2, len(STARTS), seeds)
    strength = np.zeros(runs)[..., None, None]
    strength[1] = decay
    sizes, scale = [inputs.shape[1], width, CLASSES], np.array(STARTS)[:, None]
    parameters = nets.initialize(sizes, generator, scale=scale, runs=runs, dtype=np.float64)
    net = nets.Net(epsilon=0.0)

    def gradient(params: nets.Arrays, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, nets.Arrays]:
        losses, grads = nets.loss_and_gradient(params, x, y, net)
        return losses, grads | {"0.weight": grads["0.weight"] + strength * params["0.weight"]}

    walk = descend(parameters, gradient, rate, examples=examples, batch=32, generator=generator)
    turns, pushes = np.empty((2, steps, len(STARTS)))
    lengths = []
    pairs = itertools.pairwise(itertools.islice(walk, steps + 1))
    for step, ((params, _, grads), (following, _, _)) in enumerate(pairs):
        before, after = params["0.weight"], following["0.weight"]
        turns[step] = turned(before[1], after[1])
        pushes[step] = unit_push(before[1], grads["0.weight"][1] - decay * before[1])
        if step % every == 0:
            lengths.append(_mean_length(before))
    lengths = np.array([*lengths, _mean_length(after)])
    turn, push = (part.reshape(-1, every, len(STARTS)).mean(1) for part in (turns, pushes))
    balance, axis = (rate * push.mean(1) / (2 * decay)) ** 0.25, np.arange(0, steps + 1, every)
    theory = np.array(turn_at_balance(rate, decay))
    return Weights(axis, *np.moveaxis(lengths, 0, -1), axis[1:] - every / 2, balance, np.sqrt(turn).T, theory)


def _mean_length(w: np.ndarray) -> np.ndarray:
    """Give the root mean square length over units, the mean over seeds; (decay, start)."""
    return np.sqrt((w * w).sum(-1).mean(-1)).mean(-1)


def turned(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Give the mean square angle between weight vectors over units and seeds, for each start."""
    cosine = (before * after).sum(-1) / np.sqrt((before**2).sum(-1) * (after**2).sum(-1))
    return (np.arccos(np.clip(cosine, -1, 1)) ** 2).mean((-2, -1))


def unit_push(w: np.ndarray, grad: np.ndarray) -> np.ndarray:
    """Give the mean square of the gradient that the weight vectors would have at length 1, for each start."""
    return ((grad * grad).sum(-1) * (w * w).sum(-1)).mean((-2, -1))


def draw_weights(numbers: Weights, paper: Paper) -> Figure:
    """Draw the lengths without decay, with decay, and the angle of a step."""
    figure, axes = paper.subplots(*((1, 3) if paper.wide else (3, 1)), height=300 if paper.wide else 690)
    colors = (paper.palette.orange, paper.palette.blue, paper.palette.green)
    for own, field in zip(axes.flat, ("free", "decayed", "turn"), strict=True):
        for start, color in enumerate(colors):
            style = {"color": color, "linestyle": paper.dashes[start]}
            paper.line(own, numbers, f"{field}[{start}]", x="middles" if field == "turn" else "steps", **style)
        own.set(xlabel="step", yscale="log", xlim=(0, numbers.steps[-1]))
        own.minorticks_off()
    for own, title in zip(axes.flat, ("Length, no decay", "Length, decay", "Turn of a step, decay"), strict=True):
        own.set_title(title)
    for own in axes.flat[:2]:
        own.set(ylim=(0.25, 8))
        own.set_yticks([0.3, 1, 3], ["0.3", "1", "3"])
    axes.flat[2].set_yticks([0.01, 0.03, 0.1, 0.3], ["0.01", "0.03", "0.1", "0.3"])
    paper.theory(axes.flat[1], numbers, "balance", x="middles")
    line = axes.flat[2].axhline(numbers.turn_theory, color=paper.ink, linewidth=1, linestyle=paper.dashes[1])
    paper.mark(line, "turn_theory")
    texts = ("from 1/4", "from 1", "from 4")
    paper.end_labels(axes.flat[0], numbers.steps[-1], numbers.free[:, -1], texts, colors, dx=5)
    return figure


# --- the loss along a step -------------------------------------------------------------------------------------------


class Landscape(NamedTuple):
    """Loss of the digits along the gradient, from points on the way of SGD, with batch norm and without.

    Attributes:
        steps: Steps taken.
        here: Loss at the point, relative to it: 0; for the eye.
        low: Least loss along the gradient less the loss at the point, for steps of 1/2 to 4 learning rates; the median
            over seeds; (kind, step). First without batch norm, then with it.
        high: The largest.
        change: Change of the gradient over the distance moved, the largest along the gradient; (kind, step).
    """

    steps: np.ndarray
    here: np.ndarray
    low: np.ndarray
    high: np.ndarray
    change: np.ndarray


MULTIPLES = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0)


def _norm(grads: nets.Arrays, seeds: int) -> np.ndarray:
    return np.sqrt(sum((grad * grad).reshape(seeds, -1).sum(1) for grad in grads.values()))


def along_gradient(
    parameters: nets.Arrays, examples: tuple[np.ndarray, np.ndarray], net: nets.Net, rate: float, seeds: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give how far the loss falls and rises along the gradient, and the largest change of the gradient per distance."""
    loss, grads = nets.loss_and_gradient(parameters, *examples, net)
    losses, changes = [], []
    for multiple in MULTIPLES:
        length = parameters["0.weight"].dtype.type(multiple * rate)
        there = {name: value - length * grads[name] for name, value in parameters.items()}
        reached, slope = nets.loss_and_gradient(there, *examples, net)
        losses.append(reached - loss)
        changed = _norm({name: slope[name] - grads[name] for name in grads}, seeds)
        changes.append(changed / (length * _norm(grads, seeds)))
    return np.min(losses, axis=0), np.max(losses, axis=0), np.max(changes, axis=0)


def landscape(
    hidden: int = 8,
    width: int = 48,
    steps: int = 160,
    every: int = 20,
    seeds: int = 6,
    rate: float = 0.1,
    seed: int = 0,
) -> Landscape:
    """Descend with and without batch norm at one rate, and look along the gradient of 400 examples now and then."""
    inputs, targets = nets.digits()
    found = np.empty((3, 2, steps // every + 1))
    for row, place in enumerate(("none", "before")):
        generator = np.random.default_rng(seed)
        net = nets.Net(place=place)
        parameters = nets.initialize([inputs.shape[1], *[width] * hidden, CLASSES], generator, runs=(seeds,))
        gradient = lambda *given, net=net: nets.loss_and_gradient(*given, net)  # noqa: E731
        walk = descend(parameters, gradient, rate, examples=(inputs, targets), batch=64, generator=generator)
        for step, (params, _, _) in zip(range(steps + 1), walk, strict=False):
            if step % every == 0:
                seen = along_gradient(params, (inputs[:400], targets[:400]), net, rate, seeds)
                found[:, row, step // every] = np.median(seen, axis=1)
    axis = np.arange(0, steps + 1, every)
    return Landscape(axis, np.zeros(len(axis)), *found)


def draw_landscape(numbers: Landscape, paper: Paper) -> Figure:
    """Draw the range of the loss along the gradient, and the change of the gradient."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=320 if paper.wide else 560)
    left, right = axes.flat
    colors = (paper.palette.blue, paper.palette.orange)
    paper.line(left, numbers, "here", x="steps", color=paper.muted, linewidth=0.8)
    for row, color in enumerate(colors):
        paper.band(left, numbers, f"low[{row}]", f"high[{row}]", x="steps", color=color)
        style = {"color": color, "marker": paper.markers[row]}
        for end in ("low", "high"):
            paper.line(left, numbers, f"{end}[{row}]", x="steps", linewidth=1, **style)
        paper.line(right, numbers, f"change[{row}]", x="steps", **style)
    left.set(xlabel="step", title="Change of the loss along the gradient")
    peak, late = numbers.high[0].argmax(), 2 * len(numbers.steps) // 3
    paper.label(left, numbers.steps[peak], numbers.high[0, peak], "none", color=colors[0], dx=15, dy=-13)
    below = {"color": colors[1], "dy": -15, "ha": "center"}
    paper.label(left, numbers.steps[late], numbers.low[1, late], "batch norm", **below)
    right.set(xlabel="step", title="Change of the gradient", yscale="log")
    right.minorticks_off()
    right.set_yticks([3, 10, 30], ["3", "10", "30"])
    paper.end_labels(right, numbers.steps[-1], numbers.change[:, -1], ("none", "batch norm"), colors)
    return figure


# --- noise after the layer -------------------------------------------------------------------------------------------


class Noisy(NamedTuple):
    """Training loss and shift of the layers' inputs, without batch norm, with it, and with it and noise after it.

    Attributes:
        steps: Steps taken, at the end of each window.
        loss: Loss of the batches in each window; (kind, quantile, window).
        shift: How far the mean of a unit's input to its activation moves in one step, over its deviation on the same
            examples; the mean over units, layers and windows; (kind, seed).
        mean_shift: Its median over seeds.
        places: Where the seeds are drawn; (kind, seed).
    """

    steps: np.ndarray
    loss: np.ndarray
    shift: np.ndarray
    mean_shift: np.ndarray
    places: np.ndarray


NOISY_KINDS = ("none", "batch norm", "batch norm + noise")


def shaking(generator: np.random.Generator, size: float) -> nets.Disturbance:
    """Give noise for the output of a normalization: each unit gets a new mean and a new deviation at every call.

    The mean is uniform on (-size, size), the deviation on (1, 1 + size).
    """

    def disturb(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        units = (*y.shape[:-2], 1, y.shape[-1])
        factor, added = generator.uniform(1, 1 + size, units), generator.uniform(-size, size, units)
        return np.broadcast_to(factor, y.shape).astype(y.dtype), added.astype(y.dtype)

    return disturb


def unit_means(parameters: nets.Arrays, inputs: np.ndarray, net: nets.Net) -> tuple[np.ndarray, np.ndarray]:
    """Give mean and deviation over examples of what each activation takes; (layer, seed, unit)."""
    with np.errstate(all="ignore"):
        _, layers = nets.forward(parameters, inputs, net)
    taken = [layer.before for layer in layers[:-1]]
    return np.stack([z.mean(-2) for z in taken]), np.stack([z.std(-2) for z in taken])


def noisy(
    hidden: int = 8,
    width: int = 48,
    steps: int = 160,
    every: int = 20,
    seeds: int = 6,
    rate: float = 0.1,
    scale: float = 0.5,
    noise: float = 1.0,
    seed: int = 0,
) -> Noisy:
    """Descend from weights of half He's size; the noise changes every mean and deviation in every step."""
    inputs, targets = nets.digits()
    losses, shifts = [], []
    for row in range(3):
        generator = np.random.default_rng(seed)
        disturb = shaking(np.random.default_rng([seed, 1]), noise) if row == 2 else None
        net = nets.Net(place="before" if row else "none", disturb=disturb)
        sizes = [inputs.shape[1], *[width] * hidden, CLASSES]
        parameters = nets.initialize(sizes, generator, scale=scale, runs=(seeds,))
        gradient = lambda *given, net=net: nets.loss_and_gradient(*given, net)  # noqa: E731
        walk = descend(parameters, gradient, rate, examples=(inputs, targets), batch=64, generator=generator)
        history, moved, before = [], [], None
        for step, (params, loss, _) in zip(range(steps + 1), walk, strict=False):
            history.append(loss)
            if step % every <= 1:  # two steps in a row
                means, deviations = unit_means(params, inputs[:200], net)
                if step % every == 1:
                    moved.append((np.abs(means - before) / np.maximum(deviations, 1e-6)).mean((0, -1)))
                before = means
        losses.append(np.quantile(np.reshape(history[:-1], (-1, every, seeds)).mean(1), (0.1, 0.5, 0.9), axis=1))
        shifts.append(np.mean(moved, axis=0))
    shift = np.array(shifts)
    places = np.arange(3)[:, None] + np.linspace(-0.2, 0.2, seeds)
    return Noisy(np.arange(every, steps + 1, every), np.array(losses), shift, np.median(shift, axis=1), places)


def draw_noisy(numbers: Noisy, paper: Paper) -> Figure:
    """Draw the losses, and the shift of each kind as a bar."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=320 if paper.wide else 560)
    left, right = axes.flat
    colors = (paper.palette.blue, paper.palette.orange, paper.palette.purple)
    for row, color in enumerate(colors):
        paper.band(left, numbers, f"loss[{row}, 0]", f"loss[{row}, 2]", x="steps", color=color)
        style = {"color": color, "marker": paper.markers[row], "linestyle": paper.dashes[row]}
        paper.line(left, numbers, f"loss[{row}, 1]", x="steps", **style)
        bar = right.bar([row], numbers.mean_shift[row : row + 1], 0.6, color=color, alpha=0.5)
        paper.mark(bar, f"mean_shift[{row}:{row + 1}]")
    left.set(xlabel="step", title="Training loss", ylim=(0, None), xticks=[50, 100, 150])
    right.set(title="Shift of a unit's mean in a step", ylim=(0, 0.58), yticks=[0, 0.2, 0.4])
    right.set_xticks(range(3), ("none", "batch\nnorm", "batch norm\n+ noise"))
    paper.end_labels(left, numbers.steps[-1], numbers.loss[:, 1, -1], ("none", "batch norm", "+ noise"), colors)
    for row, color in enumerate(colors):
        highest = numbers.shift[row].max()
        dots = {"color": color, "marker": paper.markers[row], "linestyle": "none"}
        paper.line(right, numbers, f"shift[{row}]", x=f"places[{row}]", **dots)
        text = paper.label(right, row, highest, f"{numbers.mean_shift[row]:.2g}", color=color, dy=12, ha="center")
        paper.mark(text, f"mean_shift[{row}]")
    return figure
