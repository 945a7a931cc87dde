"""Figures of the chapter on activations for which something is trained: how fast, along which path, and what dies."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import datasets
from dlnotes.numpy import activations, initialization, minibatch, network, objective, training

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper

CLASSES = 10
BATCH = 32
STEPS_AN_EPOCH = 56  # batches of 32 among the 1797 digits
BLOCK = 120  # examples that are measured at a time, so that little memory is touched


def _digits(centered: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Load the digits, pixels centered or as they are, from 0 up, and divide all by one number: second moment 1."""
    digits = datasets.digits()
    x = digits.inputs - digits.inputs.mean(0) * centered
    return (x / np.sqrt((x * x).mean())).astype(np.float32), digits.targets


def _alike(seeds: int, copies: int, key: Sequence[int]) -> np.ndarray:
    """Give each seed the same generator at every rate, so that rates are compared and not luck; (copy, seed)."""
    children = np.random.default_rng(key).spawn(seeds)
    return np.array([[copy.deepcopy(child) for child in children] for _ in range(copies)])


# --- a race of activations -------------------------------------------------------------------------------------------


class Race(NamedTuple):
    """Epochs until the training error on the digits is at most 2%, each activation at a learning rate of its own.

    Attributes:
        rows: Place of the activation in `RACERS`.
        epochs: Epochs of single runs, nan where a run has not arrived; (depth, activation, seed).
        median: Their median, nan where half of the runs have not arrived; (depth, activation).
        beside: Mean epochs at its rate over sqrt 2, at its rate, and at sqrt 2 times its rate; (depth, activation,
            rate). A run that has not arrived, a diverged one among them, counts as one more than the limit.
        limit: Epochs after which a run is given up.
    """

    rows: np.ndarray
    epochs: np.ndarray
    median: np.ndarray
    beside: np.ndarray
    limit: np.ndarray


class Racer(NamedTuple):
    """An activation, the gain of its weights, and its learning rate with 1, 3 and 5 hidden layers."""

    name: str
    gain: float
    rates: tuple[float, float, float]


# Gains keep the second moment at 1, as that of the larger of two standard normal numbers is. SwiGLU multiplies a number
# by another one's SiLU, and the gain g is in both: g^2 E[silu(g Z)^2] = 1. Rates are the best, by the mean of eight
# runs with seeds of their own, of seven in steps of sqrt 2; where no run arrives any rate will do.
RACERS = {
    "sigmoid": Racer("sigmoid", initialization.gain("sigmoid"), (4.0, 2.0, 2.0)),
    "sigmoid, gain 4": Racer("sigmoid", 4.0, (4.0, 2.8, 1.4)),
    "tanh": Racer("tanh", initialization.gain("tanh"), (1.1, 0.57, 0.28)),
    "ReLU": Racer("relu", initialization.gain("relu"), (0.57, 0.28, 0.14)),
    "leaky ReLU": Racer("leaky_relu", initialization.gain("leaky_relu"), (0.57, 0.28, 0.14)),
    "ELU": Racer("elu", initialization.gain("elu"), (0.8, 0.28, 0.2)),
    "SELU": Racer("selu", initialization.gain("selu"), (0.57, 0.2, 0.14)),
    "GELU": Racer("gelu", initialization.gain("gelu"), (0.57, 0.28, 0.14)),
    "SiLU": Racer("silu", initialization.gain("silu"), (0.57, 0.28, 0.14)),
    "maxout": Racer("maxout", 1.0, (0.57, 0.28, 0.14)),
    "SwiGLU": Racer("swiglu", 1.2688, (0.3, 0.0125, 0.0125)),
}
HIDDEN = (1, 3, 5)
PAIRED = ("maxout", "swiglu")  # two pre-activations for each activation


def sizes(name: str, hidden: int, width: int) -> list[tuple[int, int]]:
    """Give (fan_in, fan_out) of every layer; layers of paired units are narrower, for about as many parameters."""

    def layers(units: int, pieces: int) -> list[tuple[int, int]]:
        return [(64, units * pieces), *[(units, units * pieces)] * (hidden - 1), (units, CLASSES)]

    def count(shapes: list[tuple[int, int]]) -> int:
        return sum((fan_in + 1) * fan_out for fan_in, fan_out in shapes)

    plain = layers(width, 1)
    if name not in PAIRED:
        return plain
    return min(
        (layers(units, 2) for units in range(1, width + 1)), key=lambda shapes: abs(count(shapes) - count(plain))
    )


def loss_and_gradient(parameters: training.Arrays, inputs: np.ndarray, targets: np.ndarray, name: str) -> tuple:
    """Give the loss and its gradient also where an activation takes two numbers and gives one."""
    function, back = getattr(activations, name), getattr(activations, f"{name}_backward")
    layers, taken, given = network.layer_names(parameters), [inputs], []
    for layer in layers:
        given.append(taken[-1] @ parameters[f"{layer}.weight"].mT + parameters[f"{layer}.bias"][..., None, :])
        taken.append(function(given[-1]) if layer != layers[-1] else given[-1])
    loss, delta = objective.cross_entropy_with_gradient(given[-1], targets)
    gradients = {}
    for place in reversed(range(len(layers))):
        weight = parameters[f"{layers[place]}.weight"]
        passed = network.dense_backward(delta, taken[place], weight, with_inputs=place > 0)
        gradients[f"{layers[place]}.weight"], gradients[f"{layers[place]}.bias"] = passed.weight, passed.bias
        delta = back(passed.inputs, given[place - 1]) if place else None
    return loss, gradients


def training_error(
    parameters: training.Arrays, inputs: np.ndarray, targets: np.ndarray, name: str, target: float = 1.0
) -> np.ndarray:
    """Give the share of all examples that each run gets wrong; a run is not counted on once it is above `target`."""
    function, layers = getattr(activations, name), network.layer_names(parameters)
    wrong = np.zeros(len(parameters[f"{layers[0]}.bias"]), dtype=int)
    rows, own = np.arange(len(wrong)), parameters
    for start in range(0, len(inputs), BLOCK):
        h = inputs[start : start + BLOCK]
        with np.errstate(over="ignore", invalid="ignore"):
            for layer in layers:
                z = h @ own[f"{layer}.weight"].mT + own[f"{layer}.bias"][..., None, :]
                h = function(z) if layer != layers[-1] else z
        wrong[rows] += (h.argmax(-1) != targets[start : start + BLOCK]).sum(-1)
        kept = wrong[rows] <= target * len(inputs)
        if not kept.all():
            rows, own = rows[kept], {key: array[kept] for key, array in own.items()}
    return wrong / len(inputs)


def epochs_needed(
    racer: Racer, hidden: int, rates: np.ndarray, width: int, seeds: int, epochs: int, target: float, seed: int
) -> np.ndarray:
    """Train at every rate with every seed; give the epochs until the training error is at most `target`, else inf."""
    inputs, targets = _digits()
    runs = (len(rates), seeds)
    generator = _alike(seeds, len(rates), [seed, hidden])
    parameters = {}
    for place, (fan_in, fan_out) in enumerate(sizes(racer.name, hidden, width)):
        deviation = (1.0 if place == hidden else racer.gain) / math.sqrt(fan_in)
        weight = initialization.normal((fan_out, fan_in), generator, standard_deviation=deviation, runs=runs)
        parameters[f"{2 * place}.weight"] = weight.astype(np.float32)
        parameters[f"{2 * place}.bias"] = np.zeros((*runs, fan_out), np.float32)
    trained = training.train(
        parameters,
        inputs,
        targets,
        minibatch.SGD(np.broadcast_to(rates[:, None], runs)),
        steps=epochs * STEPS_AN_EPOCH,
        batch_size=BATCH,
        generator=generator,
        runs=runs,
        gradient=lambda *batch: loss_and_gradient(*batch, racer.name),
        measure=lambda parameters: {"error": training_error(parameters, inputs, targets, racer.name, target)},
        measure_every=7,
        stop=lambda history: history["error"][..., -1] <= target,
    )
    below = trained.measures["error"] <= target
    return np.where(below.any(-1), trained.measured_at[below.argmax(-1)] / STEPS_AN_EPOCH, np.inf)


def race(
    hidden: Sequence[int] = HIDDEN,
    width: int = 32,
    seeds: int = 6,
    epochs: int = 6,
    target: float = 0.02,
    seed: int = 0,
) -> Race:
    """Train with each activation at each depth at its rate, and at the two beside it to see that it is the best."""
    shape = (len(hidden), len(RACERS))
    single, beside = (np.full((*shape, last), np.nan) for last in (seeds, 3))
    for depth, layers in enumerate(hidden):
        for row, racer in enumerate(RACERS.values()):
            tried = racer.rates[depth] * 2.0 ** np.array([-0.5, 0.0, 0.5])
            needed = epochs_needed(racer, layers, tried, width, seeds, epochs, target, seed)
            beside[depth, row] = np.minimum(needed, epochs + 1).mean(-1)
            single[depth, row] = needed[1]
    median = np.median(single, axis=-1)
    single, median = (np.where(np.isfinite(values), values, np.nan) for values in (single, median))
    return Race(np.arange(shape[1]), single, median, beside, np.array(float(epochs)))


def draw_race(numbers: Race, paper: Paper) -> Figure:
    """Draw a row for each activation and a panel for each depth: single runs, and the median of those that arrive."""
    figure, ((*axes,),) = paper.subplots(1, 3, height=360 if paper.wide else 400, sharex=True, sharey=True)
    for depth, own in enumerate(axes):
        for row, word in enumerate(RACERS):
            color = paper.palette.orange if word.startswith("sigmoid") else paper.palette.blue
            for rate in (0, 2):  # of the middle one the runs are drawn, in place of their mean
                style = {"color": paper.muted, "marker": "x", "markersize": 3.5, "alpha": 0.6, "linestyle": "none"}
                points = own.plot(numbers.beside[depth, row, rate], numbers.rows[row], **style)[0]
                paper.mark(points, f"rows[{row}:{row + 1}]", x=f"beside[{depth}, {row}, {rate}:{rate + 1}]")
            for run in range(numbers.epochs.shape[-1]):
                style = {"color": color, "marker": "o", "markersize": 3, "alpha": 0.5, "linestyle": "none"}
                points = own.plot(numbers.epochs[depth, row, run], numbers.rows[row], **style)[0]
                paper.mark(points, f"rows[{row}:{row + 1}]", x=f"epochs[{depth}, {row}, {run}:{run + 1}]")
            style = {"color": paper.ink, "marker": "|", "markersize": 13, "markeredgewidth": 1.8}
            middle = own.plot(numbers.median[depth, row], numbers.rows[row], **style)[0]
            paper.mark(middle, f"rows[{row}:{row + 1}]", x=f"median[{depth}, {row}:{row + 1}]")
            if np.isnan(numbers.median[depth, row]):
                text = own.text(3, row, f"not in {numbers.limit:.0f}", ha="center", va="center", color=paper.muted)
                text.set_path_effects(paper.halo(4))
                paper.mark(text, "limit")
        layers = f"{HIDDEN[depth]} hidden layer{'s' if depth else ''}" if paper.wide else f"{HIDDEN[depth]} hidden"
        own.set(title=layers, xlim=(0, 6.2), ylim=(len(RACERS) - 0.4, -0.6))
        own.set_xticks((0, 2, 4, 6) if paper.wide else (0, 2, 4))
        own.grid(True, axis="x")
        own.grid(False, axis="y")
        own.spines["left"].set_visible(False)
    axes[0].set_yticks(numbers.rows, list(RACERS))
    axes[1].set_xlabel("epochs until 2% training error")
    return figure


# --- the zig-zag -----------------------------------------------------------------------------------------------------


class ZigZag(NamedTuple):
    """One unit of two weights, trained on one example at a time, with inputs that are positive and with centered ones.

    Attributes:
        paths: The two weights of one run at each of the first steps; (inputs, weight, step).
        goal: The weights that are sought.
        steps: Steps taken.
        distance: Distance to the goal; (inputs, quantile, step). Quantiles are 10%, 50% and 90%.
        rates: The learning rate at which the median distance falls fastest; (inputs).
        detour: Length of the path to a tenth of the first distance over the straight way there, median; (inputs).
    """

    paths: np.ndarray
    goal: np.ndarray
    steps: np.ndarray
    distance: np.ndarray
    rates: np.ndarray
    detour: np.ndarray


GOAL = np.array([1.0, -1.0])
START = np.array([-1.0, 1.0])


def walk(mean: float, rates: np.ndarray, steps: int, seeds: int, seed: int) -> np.ndarray:
    """Take steps of the least-squares rule on fresh examples; give the weights; (step, rate, seed, weight)."""
    generator = np.random.default_rng(seed)
    weight = np.broadcast_to(START, (len(rates), seeds, 2)).copy()
    path = [weight.copy()]
    for _ in range(steps):
        x = mean + generator.uniform(-1, 1, (seeds, 2))
        error = ((weight - GOAL) * x).sum(-1, keepdims=True)
        weight -= rates[:, None, None] * error * x
        path.append(weight.copy())
    return np.stack(path)


def zig_zag(steps: int = 60, shown: int = 16, seeds: int = 400, seed: int = 0) -> ZigZag:
    """Walk from one corner to the other, at the best of 30 rates for each kind of inputs."""
    rates = np.geomspace(0.05, 1.5, 30)
    paths, distances, best, detours = [], [], [], []
    for mean in (1.0, 0.0):
        walks = walk(mean, rates, steps, seeds, seed)
        away = np.linalg.norm(walks - GOAL, axis=-1)
        winner = np.median(away[-1], axis=-1).argmin()
        away, own = away[:, winner], walks[:, winner]
        near = (away <= 0.1 * away[0]).argmax(0)
        near = np.where(near, near, steps)
        lengths = np.linalg.norm(np.diff(own, axis=0), axis=-1).cumsum(0)
        straight = np.linalg.norm(own[near, np.arange(seeds)] - START, axis=-1)
        paths.append(own[: shown + 1, 0].T)
        distances.append(np.quantile(away, (0.1, 0.5, 0.9), axis=1))
        best.append(rates[winner])
        detours.append(np.median(lengths[near - 1, np.arange(seeds)] / straight))
    return ZigZag(*map(np.array, (paths, GOAL, np.arange(steps + 1), distances, best, detours)))


def draw_zig_zag(numbers: ZigZag, paper: Paper) -> Figure:
    """Draw one path for each kind of inputs, and the distances that are left."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=320 if paper.wide else 620)
    left, right = axes.flat
    colors = (paper.palette.orange, paper.palette.blue)
    kinds = ("positive", "centered")
    words = [f"{name}\nrate {rate:.2f}" for name, rate in zip(kinds, numbers.rates, strict=True)]
    for kind, color in enumerate(colors):
        style = {"color": color, "marker": paper.markers[kind], "markersize": 3, "linewidth": 1}
        paper.line(left, numbers, f"paths[{kind}, 1]", x=f"paths[{kind}, 0]", **style)
        name = f"distance[{kind}"
        paper.band(right, numbers, f"{name}, 0]", f"{name}, 2]", x="steps", color=color)
        paper.line(right, numbers, f"{name}, 1]", x="steps", color=color)
        text = f"{kinds[kind]}: detour {numbers.detour[kind]:.1f}"
        place, style = (-1.6, -1.45 - 0.3 * kind), {"color": paper.word(color), "path_effects": paper.halo(3)}
        paper.mark(left.text(*place, text, **style), f"detour[{kind}]")
    goal = left.plot(*numbers.goal, color=paper.ink, marker="*", markersize=10, linestyle="none")[0]
    paper.mark(goal, "goal[1:2]", x="goal[0:1]")
    paper.label(left, *numbers.goal, "goal", dy=-16, ha="center")
    left.set(title="One path each", xlabel="first weight", ylabel="second weight", aspect="equal")
    left.set(xlim=(-1.7, 1.5), ylim=(-1.9, 1.6), xticks=(-1, 0, 1), yticks=(-1, 0, 1))
    right.set(yscale="log", title="Distance to the goal", xlabel="step", xlim=(0, numbers.steps[-1]), ylim=(2e-7, 5))
    right.set_yticks((1e-6, 1e-4, 1e-2, 1), ("0.000001", "0.0001", "0.01", "1"))
    ends = np.maximum(numbers.distance[:, 1, -1], 5e-7)
    for kind, label in enumerate(paper.end_labels(right, numbers.steps[-1], ends, words, colors)):
        paper.mark(label, f"rates[{kind}]")
    return figure


# --- dead units ------------------------------------------------------------------------------------------------------


class DeadUnits(NamedTuple):
    """Share of hidden units that are positive on no digit after three epochs, over the learning rate.

    Inputs: centered pixels, pixels as they are. Activations: ReLU, leaky ReLU. Quantiles: 10, 50, 90% of the networks
    that did not overflow.

    Attributes:
        rates: Learning rates.
        silent: The share; (inputs, activation, quantile, rate); nan where more than one network in four overflowed.
        losses: Loss of the last epoch's batches; (inputs, activation, quantile, rate); nan where more than one network
            in four overflowed.
        chance: The loss of equal probabilities, ln 10.
    """

    rates: np.ndarray
    silent: np.ndarray
    losses: np.ndarray
    chance: np.ndarray


def silent(parameters: training.Arrays, inputs: np.ndarray, name: str) -> list[np.ndarray]:
    """Say for each hidden layer which units are positive on no example; (run, unit) each."""
    largest = None
    for start in range(0, len(inputs), BLOCK):
        _, cache = network.forward(parameters, inputs[start : start + BLOCK], name)
        here = [z.max(-2) for z in cache.preactivations[:-1]]
        largest = here if largest is None else [np.maximum(*pair) for pair in zip(largest, here, strict=True)]
    return [~(values > 0) for values in largest]


def _quantiles(values: np.ndarray, finite: np.ndarray) -> np.ndarray:
    """Give the 10%, 50% and 90% quantiles of the finite runs of each rate, nan where over a quarter is not finite."""
    kept = [row[own] if own.mean() >= 0.75 else [np.nan] for row, own in zip(values, finite, strict=True)]
    return np.array([np.quantile(row, (0.1, 0.5, 0.9)) for row in kept]).T


def dead_units(
    hidden: int = 3, width: int = 32, seeds: int = 16, epochs: int = 3, rates: int = 8, seed: int = 0
) -> DeadUnits:
    """Train from He's start with plain SGD at all rates, and count."""
    rate = 0.1 * 2 ** (np.arange(rates) / 2)
    runs, shape = (rates, seeds), (2, 2, 3, rates)
    shares, losses = np.empty(shape), np.empty(shape)
    for kind, activation in np.ndindex(2, 2):
        name = ("relu", "leaky_relu")[activation]
        inputs, targets = _digits(centered=kind == 0)
        generator = _alike(seeds, rates, [seed])
        sizes = [inputs.shape[1], *[width] * hidden, CLASSES]
        trained = training.train(
            network.initialize(sizes, generator, initialization.he_normal, runs=runs, dtype=np.float32),
            inputs,
            targets,
            minibatch.SGD(np.broadcast_to(rate[:, None], runs)),
            steps=epochs * STEPS_AN_EPOCH,
            batch_size=BATCH,
            generator=generator,
            runs=runs,
            gradient=lambda *batch, name=name: network.loss_and_gradient(*batch, name),
        )
        last = trained.losses[..., -STEPS_AN_EPOCH:].mean(-1)
        finite = np.isfinite(last) & np.isfinite(trained.parameters[f"{2 * hidden}.bias"]).all(-1)
        with np.errstate(all="ignore"):
            share = np.mean([units.mean(-1) for units in silent(trained.parameters, inputs, name)], axis=0)
        shares[kind, activation] = _quantiles(share, finite)
        losses[kind, activation] = _quantiles(last, finite)
    return DeadUnits(rate, shares, losses, np.array(math.log(CLASSES)))


def draw_dead_units(numbers: DeadUnits, paper: Paper) -> Figure:
    """Draw the share of silent units and below it the loss, for centered inputs and for raw ones."""
    figure, axes = paper.subplots(2, 2, height=500 if paper.wide else 480, sharex=True, sharey="row")
    colors, words = (paper.palette.orange, paper.palette.blue), ("ReLU", "leaky")
    for kind, activation in np.ndindex(2, 2):
        color = colors[activation]
        style = {"color": color, "marker": paper.markers[activation], "linestyle": paper.dashes[activation]}
        shown = np.isfinite(numbers.silent[kind, activation, 1]).sum()  # the lowest rates
        for row, values in enumerate(("silent", "losses")):
            name = f"{values}[{kind}, {activation}"
            ends = (f"{name}, {quantile}, :{shown}]" for quantile in (0, 2))
            paper.band(axes[row, kind], numbers, *ends, x=f"rates[:{shown}]", color=color)
            paper.line(axes[row, kind], numbers, f"{name}, 1]", x="rates", **style)
    for kind, title in enumerate(("Centered pixels", "Raw pixels")):
        axes[0, kind].set(title=title, xscale="log", ylim=(-0.03, 1))
        axes[1, kind].set(xlabel="learning rate", xticks=(0.1, 0.3, 1), yscale="log")
        axes[1, kind].set_xticklabels(("0.1", "0.3", "1"))
        axes[1, kind].minorticks_off()
        paper.mark(axes[1, kind].axhline(numbers.chance, color=paper.muted, linewidth=0.8), "chance")
    axes[0, 0].set(ylabel="share of silent units", yticks=(0, 0.5, 1), yticklabels=("0", "50%", "100%"))
    axes[1, 0].set(ylabel="training loss", yticks=(0.1, 0.3, 1, 3), yticklabels=("0.1", "0.3", "1", "3"))
    axes[0, 1].set_xlim(0.09, 1.35)
    axes[1, 0].set_ylim(0.04, 5)
    for activation, word in enumerate(words):
        middle = numbers.silent[1, activation, 1]
        last = np.isfinite(middle).sum() - 1
        paper.label(axes[0, 1], numbers.rates[last], middle[last], word, color=colors[activation], dx=7, dy=-4)
    return figure


# --- revival ---------------------------------------------------------------------------------------------------------


class Revival(NamedTuple):
    """What becomes of units that died at a high learning rate when training goes on at a lower one.

    Inputs: centered pixels, pixels as they are. Networks that overflowed are left out.

    Attributes:
        steps: Steps at the lower rate.
        revived: Share of the units dead at the start that have been alive at some measurement since; (inputs, layer,
            step); nan where none was dead.
        dead: How many units of each layer were dead when the rate was lowered; (inputs, layer).
    """

    steps: np.ndarray
    revived: np.ndarray
    dead: np.ndarray


def revival(
    hidden: int = 3,
    width: int = 32,
    seeds: int = 60,
    rates: tuple[float, float] = (0.8, 0.2),
    first: int = 56,
    every: int = 28,
    measurements: int = 8,
    seed: int = 0,
) -> Revival:
    """Train networks at the first rate, mark the dead units of each layer, and go on at the second."""
    counts, shares = np.empty((2, hidden)), np.empty((2, measurements + 1, hidden))
    for kind in range(2):
        inputs, targets = _digits(centered=kind == 0)
        generator = np.random.default_rng([seed, kind])
        sizes, runs = [inputs.shape[1], *[width] * hidden, CLASSES], (seeds,)
        start = network.initialize(sizes, generator, initialization.he_normal, runs=runs, dtype=np.float32)
        options = {"batch_size": BATCH, "generator": generator, "runs": runs}
        high = training.train(start, inputs, targets, minibatch.SGD(rates[0]), steps=first, **options)
        finite = np.isfinite(high.losses).all(-1, keepdims=True)
        dead = [units & finite for units in silent(high.parameters, inputs, "relu")]
        counts[kind] = [units.sum() for units in dead]
        back, low = [np.zeros_like(units) for units in dead], None
        for part in range(measurements + 1):
            if part:
                steps = part * every
                slow = minibatch.SGD(rates[1])
                low = training.train(high.parameters, inputs, targets, slow, steps=steps, resume=low, **options)
                now = silent(low.parameters, inputs, "relu")
                back = [before | (was & ~units) for before, was, units in zip(back, dead, now, strict=True)]
            shares[kind, part] = [units.sum() for units in back]
    revived = np.divide(shares, counts[:, None], out=np.full(shares.shape, np.nan), where=counts[:, None] > 0)
    return Revival(np.arange(measurements + 1) * every, revived.swapaxes(1, 2), counts)


def draw_revival(numbers: Revival, paper: Paper) -> Figure:
    """Draw the share that has come back, for each layer and each kind of inputs."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=280 if paper.wide else 460, sharey=True)
    colors = (paper.palette.orange, paper.palette.purple, paper.palette.blue)
    for kind, (own, title) in enumerate(zip(axes.flat, ("Centered pixels", "Raw pixels"), strict=True)):
        own.set(title=title, xlabel="steps at the lower rate", xlim=(0, numbers.steps[-1]), ylim=(-0.02, 0.52))
        own.set_yticks((0, 0.25, 0.5), ("0", "25%", "50%"))
        seen = [layer for layer in range(len(colors)) if numbers.dead[kind, layer]]
        for layer in seen:
            style = {"color": colors[layer], "marker": paper.markers[layer], "markersize": 4, "clip_on": False}
            paper.line(own, numbers, f"revived[{kind}, {layer}]", x="steps", **style)
        words = [f"{numbers.dead[kind, layer]:.0f} dead\nin layer {layer + 1}" for layer in seen]
        ends = [numbers.revived[kind, layer, -1] for layer in seen]
        labels = paper.end_labels(own, numbers.steps[-1], ends, words, [colors[layer] for layer in seen])
        for layer, label in zip(seen, labels, strict=True):
            paper.mark(label, f"dead[{kind}, {layer}]")
    for own in axes.flat[: 1 if paper.wide else 2]:
        own.set_ylabel("share alive again")
    return figure
