"""Figures of the chapter on symmetry breaking: units that start alike, what parts them, what a start of zeros trains.

Quantiles over runs are 10%, 50% and 90%, and stand on an axis of three in this order.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dlnotes import datasets
from dlnotes.numpy import adaptive_methods, initialization, minibatch, momentum, network, symmetry_breaking, training
from dlnotes.numpy import objective as losses

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper

CLASSES = 10


def quantiles(values: np.ndarray, axis: int = 0) -> np.ndarray:
    """Give the 10%, 50% and 90% quantiles over an axis, on the first axis."""
    return np.quantile(values, (0.1, 0.5, 0.9), axis=axis)


def some_digits(examples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw some of the digits, with pixels from -1 to 1."""
    digits = datasets.digits()
    drawn = np.random.default_rng(seed).permutation(len(digits.targets))[:examples]
    return (digits.inputs[drawn] - 8) / 8, digits.targets[drawn]


def _constant(value: float) -> Callable:
    return lambda shape, generator, **options: symmetry_breaking.constant_init(shape, value, **options)


def _tanh_gradient(parameters: training.Arrays, inputs: np.ndarray, labels: np.ndarray) -> network.LossAndGradient:
    return network.loss_and_gradient(parameters, inputs, labels, "tanh")


# --- five starts -----------------------------------------------------------------------------------------------------


class EqualStart(NamedTuple):
    """Training from four starts of one network: all zeros, all equal, tiny random, random.

    Attributes:
        steps: Steps taken.
        losses: Training loss; (start, quantile, step). The first two starts do not depend on a seed.
        one_unit: Training loss of a network with one hidden unit, at the learning rates that theory gives it.
        ranks: Effective rank of the hidden layer's weights; (start, quantile, step).
        chance: The loss of guessing by the share of each class.
    """

    steps: np.ndarray
    losses: np.ndarray
    one_unit: np.ndarray
    ranks: np.ndarray
    chance: np.ndarray


def equal_start(
    units: int = 32, examples: int = 200, steps: int = 180, every: int = 5, seeds: int = 6, seed: int = 0
) -> EqualStart:
    """Train one hidden layer of tanh units on digits by gradient descent, with all examples in each step."""
    inputs, labels = some_digits(examples, seed)
    sizes, rate, value, generator = (64, units, CLASSES), 0.3, 0.02, np.random.default_rng(seed)
    scales = np.broadcast_to(np.array([[1e-3], [1.0]]), (2, seeds))

    def measure(parameters: training.Arrays) -> dict[str, np.ndarray]:
        loss = network.loss_and_gradient(parameters, inputs, labels, "tanh").loss
        return {"loss": loss, "rank": symmetry_breaking.effective_rank(parameters["0.weight"])}

    def trained(parameters: training.Arrays, runs: tuple[int, ...], optimizer: Any = None) -> dict[str, np.ndarray]:
        options = {"steps": steps, "runs": runs, "measure": measure, "measure_every": every}
        rule = minibatch.SGD(rate) if optimizer is None else optimizer
        return training.train(parameters, inputs, labels, rule, gradient=_tanh_gradient, **options).measures

    equal = [trained(network.initialize(sizes, generator, _constant(start), runs=(1,)), (1,)) for start in (0.0, value)]
    draw = functools.partial(initialization.xavier_normal, gain=scales)
    random = trained(network.initialize(sizes, generator, draw, runs=scales.shape), scales.shape)
    alone = network.initialize((64, 1, CLASSES), generator, _constant(value), runs=(1,))
    alone["2.weight"] *= units  # one unit speaks for all: its rates are divided and multiplied by their number
    hidden = minibatch.SGD(rate / units)
    others = adaptive_methods.Partition(
        lambda name: name == "2.weight", minibatch.SGD(rate * units), minibatch.SGD(rate)
    )
    alone = trained(alone, (1,), adaptive_methods.Partition(lambda name: name.startswith("0."), hidden, others))
    both = {
        name: np.stack([*(quantiles(one[name]) for one in equal), *quantiles(random[name], 1).swapaxes(0, 1)])
        for name in ("loss", "rank")
    }
    shares = np.bincount(labels, minlength=CLASSES) / len(labels)
    chance = -(shares * np.log(np.where(shares > 0, shares, 1))).sum()
    return EqualStart(np.arange(0, steps + 1, every), both["loss"], alone["loss"][0], both["rank"], np.array(chance))


def draw_equal_start(numbers: EqualStart, paper: Paper) -> Figure:
    """Draw the loss, and the effective rank beside or below it."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=320 if paper.wide else 560)
    colors = (paper.palette.purple, paper.palette.orange, paper.palette.green, paper.palette.blue)
    names = ("all zero", "all equal", "tiny\nrandom", "random")
    left, right = axes.flat
    left.set(title="Training loss", ylim=(-0.2, 2.7), yticks=[0, 0.5, 1, 1.5, 2, 2.5])
    right.set(title="Effective rank of the hidden weights", ylim=(-2.5, 32), yticks=[0, 10, 20, 30])
    for own, field in ((left, "losses"), (right, "ranks")):
        for start, color in enumerate(colors):
            paper.band(own, numbers, f"{field}[{start}, 0]", f"{field}[{start}, 2]", x="steps", color=color)
            style = {"color": color, "linestyle": paper.dashes[(0, 0, 1, 0)[start]]}
            paper.line(own, numbers, f"{field}[{start}, 1]", x="steps", **style)
        own.set(xlabel="step", xlim=(0, numbers.steps[-1]))
        paper.end_labels(own, numbers.steps[-1], getattr(numbers, field)[:, 1, -1], names, colors)
    style = {"color": paper.ink, "marker": "o", "markersize": 3, "linestyle": "none", "markevery": 4}
    paper.line(left, numbers, "one_unit", x="steps", **style)
    guessing = {"color": paper.ink, "linewidth": 1, "linestyle": paper.dashes[2], "zorder": 3}
    paper.mark(left.axhline(numbers.chance, **guessing), "chance")
    return figure


# --- a start of zeros ------------------------------------------------------------------------------------------------


class ZeroStart(NamedTuple):
    """How large each layer's weights and the last biases are after a start of zeros, with three hidden layers.

    Attributes:
        steps: Steps taken.
        tanh: Norms of the weights of the four layers and of the last biases; (parameter, step). nan: exactly zero.
        sigmoid: The same with sigmoid units; nan likewise.
    """

    steps: np.ndarray
    tanh: np.ndarray
    sigmoid: np.ndarray


WATCHED = ("0.weight", "2.weight", "4.weight", "6.weight", "6.bias")


def zero_start(width: int = 16, examples: int = 300, steps: int = 12, rate: float = 0.5, seed: int = 0) -> ZeroStart:
    """Take a few steps of gradient descent from zeros."""
    inputs, labels = some_digits(examples, seed)
    norms = {}
    for activation in ("tanh", "sigmoid"):
        start = network.initialize([64, width, width, width, CLASSES], np.random.default_rng(seed), _constant(0.0))
        trained = training.train(
            start,
            inputs,
            labels,
            minibatch.SGD(rate),
            steps=steps,
            gradient=lambda *batch, name=activation: network.loss_and_gradient(*batch, name),
            measure=lambda parameters: {name: np.sqrt((value**2).sum()) for name, value in parameters.items()},
            measure_every=1,
        )
        values = np.stack([trained.measures[name] for name in WATCHED])
        norms[activation] = np.where(values > 0, values, np.nan)
    return ZeroStart(np.arange(steps + 1), norms["tanh"], norms["sigmoid"])


def draw_zero_start(numbers: ZeroStart, paper: Paper) -> Figure:
    """Draw the norms on a logarithmic scale, from the step at which each stops being zero."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=300 if paper.wide else 540, sharey=True)
    names = ("W1", "W2", "W3", "W4", "last bias")
    for own, activation, title in zip(axes.flat, ("tanh", "sigmoid"), ("tanh, and ReLU", "sigmoid"), strict=True):
        values, ends = getattr(numbers, activation), []
        for row in range(len(WATCHED)):
            if values[row, -1] > 1e-9:  # what is below the axis, or nan, has no label
                ends.append(row)
            style = {"color": paper.colors[row], "marker": paper.markers[row], "linewidth": 1}
            paper.line(own, numbers, f"{activation}[{row}]", x="steps", **style)
        own.set(yscale="log", title=title, xlabel="step", xlim=(0, numbers.steps[-1]), xticks=numbers.steps[::2])
        own.set(yticks=10.0 ** np.arange(-9, 1, 3), ylim=(6e-11, 3))
        own.minorticks_off()
        texts, colors = ([series[row] for row in ends] for series in (names, paper.colors))
        paper.end_labels(own, numbers.steps[-1], values[ends, -1], texts, colors)
    words = "W1 to W4 are exactly 0\nat every step"
    paper.label(axes.flat[0], numbers.steps[-1] / 2, 1e-5, words, color=paper.muted, ha="center")
    return figure


# --- rounding --------------------------------------------------------------------------------------------------------


class Rounding(NamedTuple):
    """How the difference between units that start alike grows when each adds up its examples in its own order.

    Attributes:
        steps: Steps taken.
        single: Largest difference between two units' weights in float32; (quantile, step). nan: none yet.
        double: The same in float64; nan likewise.
        later_steps: Steps from the one at which the prediction starts.
        single_theory: The difference at that step, carried on by the linear law; the median over runs.
        double_theory: The same for float64.
        size: Largest weight of the hidden layer in float64, the median over runs.
    """

    steps: np.ndarray
    single: np.ndarray
    double: np.ndarray
    later_steps: np.ndarray
    single_theory: np.ndarray
    double_theory: np.ndarray
    size: np.ndarray


def own_orders(units: int, examples: int, seed: int = 0) -> np.ndarray:
    """Give each unit an order of its own in which to add up the examples, as parallel machines may."""
    return np.array([np.random.default_rng([seed, unit]).permutation(examples) for unit in range(units)])


def gradient_in_own_orders(
    parameters: training.Arrays, inputs: np.ndarray, labels: np.ndarray, orders: np.ndarray
) -> tuple[np.ndarray, training.Arrays]:
    """Give loss and gradient of a tanh network with one hidden layer, whose units add up in the orders given.

    In exact arithmetic this is `network.loss_and_gradient`. In floating point the order of adding shows in the last
    bit, and so two units that are alike get gradients that are not quite.
    """
    logits, cache = network.forward(parameters, inputs, "tanh")
    loss, grad_logits = losses.cross_entropy_with_gradient(logits, labels)
    gradient = network.backward(grad_logits, parameters, cache, "tanh")
    delta = ((grad_logits @ parameters["2.weight"]) * (1 - cache.inputs[1] ** 2)).mT
    ordered = np.take_along_axis(delta, np.broadcast_to(orders, delta.shape), -1)
    gradient["0.weight"] = (ordered[..., None, :] @ inputs[:, orders])[..., 0, :]
    return loss, gradient


def digits_per_run(runs: int, examples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Give each run digits of its own; (run, example, feature) and (run, example)."""
    inputs, labels = some_digits(runs * examples, seed)
    return inputs.reshape(runs, examples, -1), labels.reshape(runs, examples)


def symmetric_start(units: int, runs: int, dtype: type, value: float = 0.02) -> training.Arrays:
    """Give one hidden layer in which every weight is the same."""
    sizes, generator = (64, units, CLASSES), np.random.default_rng(0)
    return network.initialize(sizes, generator, _constant(value), runs=(runs,), dtype=dtype)


def curvature_across(
    parameters: training.Arrays, inputs: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Give the blocks A and B of the Hessian for a difference between units that are alike; see the derivation."""
    logits, cache = network.forward(parameters, inputs, "tanh")
    residuals = losses.cross_entropy_with_gradient(logits, labels).gradient
    h = cache.inputs[1][..., :1]
    ahead = residuals @ parameters["2.weight"][..., :1]
    x = np.concatenate([inputs, np.ones((*inputs.shape[:-1], 1))], axis=-1)
    slopes = 1 - h**2
    return (x * (ahead * -2 * h * slopes)).mT @ x, (x * slopes).mT @ residuals


def rounding(
    units: int = 8, examples: int = 100, runs: int = 6, steps: int = 320, start: int = 30, seed: int = 0
) -> Rounding:
    """Train from a constant start in float32 and float64, and carry the first differences on by the linear law."""
    inputs, labels = digits_per_run(runs, examples, seed)
    orders, rate = own_orders(units, examples, seed), 0.3
    found, early, size = {}, {}, None
    for dtype in (np.float32, np.float64):
        parameters, x = symmetric_start(units, runs, dtype), inputs.astype(dtype)
        spreads = []
        for step in range(steps + 1):
            weight = parameters["0.weight"]
            spreads.append(np.ptp(weight, axis=-2).max(-1).astype(np.float64))
            if step == start:
                hidden = np.concatenate([weight, parameters["0.bias"][..., None]], -1).astype(np.float64)
                out = parameters["2.weight"].mT.astype(np.float64)
                early[dtype] = hidden - hidden.mean(-2, keepdims=True), out - out.mean(-2, keepdims=True)
            _, gradient = gradient_in_own_orders(parameters, x, labels, orders)
            parameters = {name: p - dtype(rate) * gradient[name] for name, p in parameters.items()}
        values = np.array(spreads).T
        found[dtype], size = np.where(values > 0, values, np.nan), np.median(abs(weight).max((-2, -1)))
    carried = carry(early, inputs, labels, steps, start, rate, units)
    single, double = (np.quantile(found[dtype], (0.1, 0.5, 0.9), axis=0) for dtype in (np.float32, np.float64))
    theory = [np.median(carried[dtype], axis=0) for dtype in (np.float32, np.float64)]
    return Rounding(np.arange(steps + 1), single, double, np.arange(start, steps + 1), *theory, np.array(size))


def carry(early: dict, inputs: np.ndarray, labels: np.ndarray, steps: int, start: int, rate: float, units: int) -> dict:
    """Carry differences a in the incoming and e in the outgoing weights along the path of equal units.

    a <- a - rate (A a + B e),    e <- e - rate B^T a
    """
    parameters = symmetric_start(units, len(inputs), np.float64)
    spreads: dict[type, list] = {dtype: [] for dtype in early}
    for step in range(steps + 1):
        if step >= start:
            hessian, mixed = curvature_across(parameters, inputs, labels)
            for dtype, (a, e) in early.items():
                spreads[dtype].append(np.ptp(a[..., :-1], axis=-2).max(-1))
                early[dtype] = a - rate * (a @ hessian + e @ mixed.mT), e - rate * (a @ mixed)
        gradient = _tanh_gradient(parameters, inputs, labels).gradient
        parameters = {name: p - rate * gradient[name] for name, p in parameters.items()}
        for name, axis in (("0.weight", -2), ("0.bias", -1), ("2.weight", -1)):  # what rounding adds is taken away
            mean = parameters[name].mean(axis, keepdims=True)
            parameters[name] = np.broadcast_to(mean, parameters[name].shape)
    return {dtype: np.array(values).T for dtype, values in spreads.items()}


def draw_rounding(numbers: Rounding, paper: Paper) -> Figure:
    """Draw the differences on a logarithmic scale, with what the linear law says of them."""
    figure, ((axes,),) = paper.subplots(height=340)
    series = (("single", "float32", paper.palette.orange), ("double", "float64", paper.palette.blue))
    for field, _, color in series:
        paper.band(axes, numbers, f"{field}[0, 6:]", f"{field}[2, 6:]", x="steps[6:]", color=color)
        paper.line(axes, numbers, f"{field}[1]", x="steps", color=color)
        bound = numbers.later_steps[getattr(numbers, f"{field}_theory") < 30]
        stop = int(bound[-1] - numbers.later_steps[0]) + 1
        paper.theory(axes, numbers, f"{field}_theory[:{stop}]", x=f"later_steps[:{stop}]")
    paper.mark(axes.axhline(numbers.size, color=paper.muted, linewidth=0.8), "size")
    axes.set(yscale="log", xlabel="step", title="Largest difference between two hidden units", ylim=(1e-18, 100))
    axes.set(yticks=10.0 ** np.arange(-17, 2, 3), xlim=(0, numbers.steps[-1]))
    axes.minorticks_off()
    for field, text, color in series:
        place = numbers.steps[-1] // 5
        paper.label(axes, place, getattr(numbers, field)[1, place], text, color=color, dy=-22, dx=8)
    return figure


# --- optimizers ------------------------------------------------------------------------------------------------------


class Optimizers(NamedTuple):
    """Steps until units that start alike have come apart by rounding alone, under each optimizer.

    Attributes:
        places: Where each optimizer stands, the first at the top.
        single: Steps until two units differ by a tenth of the largest weight in float32; (optimizer, quantile). nan:
            not by the last step in some run.
        double: The same in float64; nan likewise.
        last: The last step.
    """

    places: np.ndarray
    single: np.ndarray
    double: np.ndarray
    last: np.ndarray


def _muon() -> adaptive_methods.Partition:
    muon = adaptive_methods.Muon(0.02, weight_decay=0.0, run_axes=1)
    return adaptive_methods.Partition(lambda name: name == "0.weight", muon, adaptive_methods.Adam(0.003))


OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "Muon": _muon,
    "Adagrad": lambda: adaptive_methods.Adagrad(0.03),
    "RMSprop": lambda: adaptive_methods.RMSprop(0.003),
    "gradient descent": lambda: minibatch.SGD(0.3),
    "Adam": lambda: adaptive_methods.Adam(0.003),
    "AdamW": lambda: adaptive_methods.AdamW(0.003),
    "momentum": lambda: momentum.Momentum(0.03),
    "Lion": lambda: adaptive_methods.Lion(0.001),
}


def optimizers(
    units: int = 8, examples: int = 100, runs: int = 5, steps: int = 800, every: int = 2, seed: int = 0
) -> Optimizers:
    """Train from a constant start under each optimizer until the units have come apart."""
    inputs, labels = digits_per_run(runs, examples, seed)
    orders = own_orders(units, examples, seed)
    counts = np.full((2, len(OPTIMIZERS), runs), np.nan)

    def measure(parameters: training.Arrays) -> dict[str, np.ndarray]:
        weight = parameters["0.weight"]
        return {"apart": np.ptp(weight, axis=-2).max(-1) > 0.1 * abs(weight).max((-2, -1))}

    for place, dtype in enumerate((np.float32, np.float64)):
        for row, make in enumerate(OPTIMIZERS.values()):
            trained = training.train(
                symmetric_start(units, runs, dtype),
                inputs,
                labels,
                make(),
                steps=steps,
                runs=(runs,),
                gradient=lambda *batch: gradient_in_own_orders(*batch, orders),
                data_per_run=True,
                measure=measure,
                measure_every=every,
                stop=lambda history: history["apart"].any(-1).all(),
            )
            apart = trained.measures["apart"].astype(bool)
            first = trained.measured_at[apart.argmax(-1)]
            counts[place, row] = np.where(apart.any(-1), first, np.nan)
    single, double = (quantiles(count, 1).T for count in counts)
    return Optimizers(np.arange(len(OPTIMIZERS)), single, double, np.array(steps))


def draw_optimizers(numbers: Optimizers, paper: Paper) -> Figure:
    """Draw a row for each optimizer, with a point for each precision."""
    figure, ((axes,),) = paper.subplots(height=320)
    series = (("single", "float32", paper.palette.orange, "o"), ("double", "float64", paper.palette.blue, "s"))
    for field, text, color, marker in series:
        counts = paper.value(numbers, field)
        (points,) = axes.plot(counts[:, 1], numbers.places, color=color, marker=marker, linestyle="none", label=text)
        paper.mark(points, "places", x=f"{field}[:, 1]")
        for row in np.flatnonzero(np.isfinite(counts[:, 1])):
            line = axes.hlines(numbers.places[row], counts[row, 0], counts[row, 2], color=color, alpha=0.4, linewidth=3)
            paper.mark(line, f"places[{row}]", x=f"{field}[{row}, 0]", upper=f"{field}[{row}, 2]")
    axes.set(xscale="log", ylim=(len(numbers.places) - 0.4, -0.6), xlabel="steps until two units differ by a tenth")
    axes.set_yticks(numbers.places, OPTIMIZERS)
    axes.set_xlim(3, float(numbers.last) * 1.3)
    axes.set_xticks([5, 10, 30, 100, 300, 800], ["5", "10", "30", "100", "300", "800"])
    axes.minorticks_off()
    axes.grid(axis="x")
    never = list(OPTIMIZERS).index("Lion")
    text = axes.text(numbers.last, never, f"not in {numbers.last} steps", va="center", ha="right", color=paper.ink)
    text.set_path_effects(paper.halo(3))
    paper.mark(text, "last")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, handlelength=1)
    return figure
