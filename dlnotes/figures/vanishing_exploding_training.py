"""Figures of the chapter on vanishing and exploding gradients for which networks are trained."""

from __future__ import annotations

import functools
import itertools
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import diagnosis, optimizers
from dlnotes.figures import vanishing_exploding_networks as nets
from dlnotes.numpy import gradient_clipping, initialization, many_runs, minibatch, network
from dlnotes.numpy import vanishing_exploding as depths

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper

RATES = (0.01, 0.03, 0.1, 0.3, 1.0)
CLIP = 5.0
BATCH = 32


def trained_accuracy(
    design: nets.Design,
    *,
    width: int,
    seeds: int,
    steps: int,
    seed: Sequence[int],
    clip: float | None = None,
    rates: Sequence[float] = RATES,
) -> np.ndarray:
    """Train a network at each of several learning rates, and give its accuracy on all digits; (rate, seed).

    All runs take each step together, and not a run after the other as in `training.train`: three times as fast for
    networks as narrow as these. Batch norm is given the statistics of all digits at the end. A network that overflowed
    counts as 0.
    """
    inputs, targets = nets.digits()
    generator, runs = np.random.default_rng(seed), (len(rates), seeds)
    parameters = nets.start(design, (inputs.shape[1], width), generator, runs)
    rate = np.broadcast_to(np.array(rates, np.float32)[:, None], runs)
    generators, count = many_runs.generators(generator, runs), minibatch.batches_per_epoch(len(inputs), BATCH)
    with np.errstate(all="ignore"):
        for step in range(steps):
            if step % count == 0:
                order = minibatch.shuffled_order(len(inputs), generators, runs=runs)
            batch = order[..., step % count * BATCH :][..., :BATCH]
            _, grads = nets.loss_and_gradient(parameters, inputs[batch], targets[batch], design)
            if clip is not None:
                grads = gradient_clipping.clip_by_global_norm(grads, clip, len(runs))
            for name, grad in grads.items():
                parameters[name] -= many_runs.aligned(rate, grad) * grad
        single = [{name: value[run] for name, value in parameters.items()} for run in np.ndindex(runs)]
        logits = [nets.forward(own, inputs, design)[0] for own in single]
    right = [(own.argmax(-1) == targets).mean() if np.isfinite(own).all() else 0 for own in logits]
    return np.reshape(right, runs)


def best(accuracy: np.ndarray) -> np.ndarray:
    """Give the least, middle and greatest accuracy of the seeds at the rate whose mean is best."""
    rate = accuracy.mean(axis=1).argmax()
    return np.quantile(accuracy[rate], (0, 0.5, 1))


# --- the remedies ----------------------------------------------------------------------------------------------------


class Remedies(NamedTuple):
    """Two faulty networks, each remedy alone, and remedies together.

    Attributes:
        rows: Where each remedy is drawn, the first on top; (fault, remedy).
        through: Size of the gradient in the first hidden layer over that in the last at the start; (fault, remedy).
        accuracy: Training accuracy at the best of five learning rates; (fault, quantile, remedy).
    """

    rows: np.ndarray
    through: np.ndarray
    accuracy: np.ndarray


@functools.cache
def critical_gain(activation: str) -> float:
    """Give the gain at which the size of a gradient is kept in wide layers whose signal has settled, by bisection."""
    low, high = 0.5, 64.0
    for _ in range(50):
        middle, variance = math.sqrt(low * high), 1.0
        for _ in range(200):
            variance = middle**2 * float(initialization.second_moment_map(activation, variance))
        keeps = middle**2 * float(initialization.slope_moment(activation, variance))
        low, high = (middle, high) if keeps < 1 else (low, middle)
    return low


class Trial(NamedTuple):
    """A network, and the norm at which its gradient is clipped."""

    design: nets.Design
    clip: float | None = None


REMEDIES = (
    "none",
    "initialization",
    "activation",
    "batch norm",
    "clipping",
    "3 layers in place of 20",
    "the first four together",
    "all five together",
    "residual branches",
    "residual, ReLU, He",
)
FAULTS = ("vanishing: sigmoid, Xavier", "exploding: ReLU, 2 × He")


def trials(fault: int, depth: int) -> dict[str, Trial]:
    """Give the networks of each remedy, for the vanishing network (0) and the exploding one (1)."""
    he = math.sqrt(2)
    faulty = nets.Design("plain", "relu", 2 * he, depth) if fault else nets.Design("plain", "sigmoid", 1.0, depth)
    right = faulty._replace(gain=he if fault else critical_gain("sigmoid"))
    together = nets.Design("batch", "relu", he, depth)
    found = (
        Trial(faulty),
        Trial(right),
        Trial(faulty._replace(activation="tanh" if fault else "relu")),
        Trial(faulty._replace(kind="batch")),
        Trial(faulty, CLIP),
        Trial(faulty._replace(depth=3)),
        Trial(together, CLIP),
        Trial(together._replace(depth=3), CLIP),
        Trial(faulty._replace(kind="residual")),
        Trial(nets.Design("residual", "relu", he, depth)),
    )
    scaled = (trial._replace(design=nets.of_depth(trial.design, trial.design.depth)) for trial in found)
    return dict(zip(REMEDIES, scaled, strict=True))


def remedies(depth: int = 20, width: int = 32, seeds: int = 5, steps: int = 100, seed: int = 0) -> Remedies:
    """Train the two faulty networks under each remedy, at each of five learning rates."""
    inputs, targets = nets.digits()
    through, accuracy = np.empty((2, len(REMEDIES))), np.empty((2, 3, len(REMEDIES)))
    done = {}
    for fault in range(2):
        for place, (design, clip) in enumerate(trials(fault, depth).values()):
            if (design, clip) not in done:
                parameters = nets.start(design, (inputs.shape[1], width), np.random.default_rng([seed, 99]), (seeds,))
                sizes = nets.delta_sizes(parameters, inputs[:200], targets[:200], design)[:, 0]
                options = {"width": width, "seeds": seeds, "steps": steps, "seed": (seed, fault, place)}
                done[design, clip] = np.median(sizes), best(trained_accuracy(design, clip=clip, **options))
            through[fault, place], accuracy[fault, :, place] = done[design, clip]
    rows = np.arange(len(REMEDIES))[::-1] + np.array([[0.13], [-0.13]])
    return Remedies(rows, through, accuracy)


def draw_remedies(numbers: Remedies, paper: Paper) -> Figure:
    """Draw for each remedy what reaches the first layer, and what is learned."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=390 if paper.wide else 690, sharey=True)
    left, right = axes.flat
    paper.guide(left.axvline(1, color=paper.muted, linewidth=0.8))
    paper.guide(right.axvline(1 / nets.CLASSES, color=paper.muted, linewidth=0.8))
    for fault, color in enumerate((paper.palette.orange, paper.palette.blue)):
        rows, style = f"rows[{fault}]", {"color": color, "marker": paper.markers[fault], "linestyle": "none"}
        paper.line(left, numbers, rows, x=f"through[{fault}]", label=FAULTS[fault], **style)
        ends = [f"accuracy[{fault}, 0]", f"accuracy[{fault}, 2]"]
        bars = right.hlines(paper.value(numbers, rows), *(paper.value(numbers, end) for end in ends), color=color)
        paper.mark(bars, rows, x=ends[0], upper=ends[1])
        paper.line(right, numbers, rows, x=f"accuracy[{fault}, 1]", **style)
    left.set(xscale="log", title="Gradient, first layer over last", xticks=10.0 ** np.arange(-12, 7, 6))
    right.set(title="Training accuracy", xlim=(-0.03, 1.03), ylim=(-0.6, len(REMEDIES) - 0.4))
    right.set_xticks([0, 0.5, 1], ["0", "50%", "100%"])
    for own in axes.flat:
        own.set_yticks(np.arange(len(REMEDIES))[::-1], REMEDIES)
        own.grid(False)
        own.grid(True, axis="x")
    right.tick_params(labelleft=not paper.wide)
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper left", ncols=2 if paper.wide else 1)
    return figure


# --- the depth that each remedy reaches ------------------------------------------------------------------------------


class Reach(NamedTuple):
    """What is left of gradient and signal before training, and the accuracy after it, over the depth.

    Attributes:
        depths: Hidden layers.
        through: Size of the gradient in the first hidden layer over that in the last; (network, depth).
        told: Share of held-out digits that a linear reading of the last hidden layer gets right; (network, depth).
        accuracy: After training, at the best of five learning rates; (network, quantile, depth).
        chance: The accuracy of guessing.
    """

    depths: np.ndarray
    through: np.ndarray
    told: np.ndarray
    accuracy: np.ndarray
    chance: np.ndarray


READ = 1000


def linear_reading(signal: np.ndarray, targets: np.ndarray, strength: float = 1e-3) -> np.ndarray:
    """Fit a linear map from signals to classes by ridge regression, and give the share right of the rows it never saw.

    The map is fitted on the first thousand rows, each unit standardized by them; `strength` is the penalty a row.
    """
    deviation = signal[..., :READ, :].std(-2, keepdims=True)
    x = (signal - signal[..., :READ, :].mean(-2, keepdims=True)) / np.where(deviation == 0, 1, deviation)
    seen, new = x[..., :READ, :], x[..., READ:, :]
    classes = np.eye(nets.CLASSES)[targets[:READ]] - 1 / nets.CLASSES
    normal = seen.mT @ seen + strength * seen.shape[-2] * np.eye(x.shape[-1])
    found = (new @ np.linalg.solve(normal, seen.mT @ classes)).argmax(-1)
    return (found == targets[READ:]).mean(-1)


def at_the_start(design: nets.Design, *, width: int, seeds: int, seed: Sequence[int]) -> tuple[float, float]:
    """Give what arrives of the gradient, and how many digits can be read off the last hidden layer, in the median."""
    inputs, targets = nets.digits()
    order = np.random.default_rng(seed).permutation(len(inputs))
    inputs, targets = inputs[order], targets[order]
    parameters = nets.start(design, (inputs.shape[1], width), np.random.default_rng([*seed, 99]), (seeds,))
    sizes = nets.delta_sizes(parameters, inputs[:200], targets[:200], design)[:, 0]
    last = nets.forward(parameters, inputs, design)[1][-1].taken.astype(np.float64)
    return float(np.median(sizes)), float(np.median(linear_reading(last, targets)))


REACH = {
    "residual": nets.Design("residual", "relu", math.sqrt(2)),
    "orthogonal tanh": nets.Design("plain", "tanh", 1.0, orthogonal=True),
    "batch norm": nets.Design("batch", "relu", math.sqrt(2)),
    "He alone": nets.Design("plain", "relu", math.sqrt(2)),
}


def reach(
    layers: Sequence[int] = (4, 8, 16, 32), width: int = 32, seeds: int = 5, steps: int = 100, seed: int = 0
) -> Reach:
    """Look at networks of four designs and many depths, and train them at each of five learning rates."""
    before, accuracy = np.empty((2, len(REACH), len(layers))), np.empty((len(REACH), 3, len(layers)))
    for (place, design), (column, depth) in itertools.product(enumerate(REACH.values()), enumerate(layers)):
        options = {"width": width, "seeds": seeds, "seed": (seed, place, column)}
        scaled = nets.of_depth(design, depth)
        before[:, place, column] = at_the_start(scaled, **options)
        accuracy[place, :, column] = best(trained_accuracy(scaled, steps=steps, **options))
    return Reach(np.array(layers), *before, accuracy, np.array(1 / nets.CLASSES))


def draw_reach(numbers: Reach, paper: Paper) -> Figure:
    """Draw over the depth what arrives of the gradient, what can be read off the last layer, and what is learned."""
    figure, grid = paper.subplots(*((1, 3) if paper.wide else (3, 1)), height=340 if paper.wide else 700)
    left, middle, axes = grid.flat
    paper.guide(left.axhline(1, color=paper.muted, linewidth=0.8))
    for own in (middle, axes):
        paper.mark(own.axhline(numbers.chance, color=paper.muted, linewidth=0.8), "chance")
    colors = (paper.palette.green, paper.palette.purple, paper.palette.blue, paper.palette.orange)
    for place, color in enumerate(colors):
        paper.band(axes, numbers, f"accuracy[{place}, 0]", f"accuracy[{place}, 2]", x="depths", color=color)
        style = {"color": color, "marker": paper.markers[place], "linestyle": paper.dashes[place]}
        for own, field in ((left, f"through[{place}]"), (middle, f"told[{place}]"), (axes, f"accuracy[{place}, 1]")):
            label = list(REACH)[place] if own is left else None
            paper.line(own, numbers, field, x="depths", label=label, **style)
    left.set(yscale="log", title="Gradient, first layer over last")
    middle.set(ylim=(0, 1.02), title="Read off the last layer")
    axes.set(ylim=(0, 1.02), title="Training accuracy")
    for own in grid.flat:
        own.set(xscale="log", xlabel="hidden layers")
        own.minorticks_off()
        own.set_xticks(numbers.depths, numbers.depths)
    for own in (middle, axes):
        own.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25%", "50%", "75%", "100%"])
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper left", ncols=4 if paper.wide else 2)
    return figure


# --- a diagnosis while training --------------------------------------------------------------------------------------


class Live(NamedTuple):
    """Updates of each layer beside its weights while four networks train, and what the diagnosis says.

    Attributes:
        steps: The steps.
        ratios: log10 of the update ratio, nan where something overflowed or nothing moves; (network, layer, step).
        faults: The diagnosis in each step, by its place in `diagnosis.FAULTS`; (network, step).
        named: The layer that it names, from 1, or nan if it names none; (network, step).
    """

    steps: np.ndarray
    ratios: np.ndarray
    faults: np.ndarray
    named: np.ndarray


class Patient(NamedTuple):
    """A network to be watched: its activation function, the gain of its weights, its rate, and a layer to be killed."""

    activation: str
    gain: float
    rate: float
    killed: int | None = None


PATIENTS = {
    "ReLU, He": Patient("relu", math.sqrt(2), 0.05),
    "sigmoid, Xavier": Patient("sigmoid", 1.0, 0.5),
    "ReLU, 3 × He": Patient("relu", 3 * math.sqrt(2), 0.05),
    "layer 4 killed at step 26": Patient("relu", math.sqrt(2), 0.05, 4),
}


def live(depth: int = 10, width: int = 32, steps: int = 50, seed: int = 0) -> Live:
    """Train four networks, and ask for a diagnosis in every step; halfway a layer of the last is killed."""
    inputs, targets = (values[:200] for values in nets.digits())
    inputs = inputs.astype(np.float64)
    sizes = [inputs.shape[1], *[width] * depth, nets.CLASSES]
    ratios = np.full((len(PATIENTS), depth + 1, steps), np.nan)
    faults, named = np.zeros((len(PATIENTS), steps), int), np.full((len(PATIENTS), steps), np.nan)
    for place, patient in enumerate(PATIENTS.values()):
        generator = np.random.default_rng([seed, place])
        draw = functools.partial(_with_gain, patient.gain)
        parameters = network.initialize(sizes, generator, draw)
        descent = minibatch.SGD(patient.rate)
        start = descent.init(parameters)
        for step in range(steps):
            batch = generator.permutation(len(inputs))[:50]
            if patient.killed is not None and step == steps // 2:
                parameters[f"{2 * patient.killed - 2}.bias"] = parameters[f"{2 * patient.killed - 2}.bias"] - 100
            found = depths.diagnose_network(
                parameters, inputs[batch], targets[batch], descent, activation=patient.activation
            )
            with np.errstate(all="ignore"):
                given = parameters, inputs[batch], targets[batch], patient.activation
                updates, _ = descent.update(network.loss_and_gradient(*given).gradient, start, parameters)
                parameters = optimizers.apply_updates(parameters, updates)
                values = np.log10(np.array([*found.update_ratios.values()]))
            ratios[place, :, step] = np.where(np.isfinite(values), values, np.nan)
            faults[place, step] = diagnosis.FAULTS.index(found.fault)
            named[place, step] = np.nan if found.layer is None else int(found.layer) // 2 + 1
    return Live(np.arange(1, steps + 1), ratios, faults, named)


def _with_gain(gain: float, shape: tuple[int, int], generator: np.random.Generator, **options: object) -> np.ndarray:
    """Draw normal weights of deviation gain / sqrt(fan_in); the first and the last layer of the network have gain 1."""
    hidden = shape[0] == shape[1]
    deviation = (gain if hidden else 1.0) / math.sqrt(shape[1])
    return initialization.normal(shape, generator, standard_deviation=deviation, **options)


def draw_live(numbers: Live, paper: Paper) -> Figure:
    """Draw a map of update ratios for each network, above it the diagnosis, and the layer that it names as dots."""
    figure, axes = paper.subplots(*((2, 2) if paper.wide else (4, 1)), height=470 if paper.wide else 700, sharex=True)
    depth, theme = numbers.ratios.shape[1], paper.palette
    edges, layers = np.append(0, numbers.steps) + 0.5, np.arange(depth + 1) + 0.5
    known = {"healthy": theme.green, "vanishing": theme.amber, "exploding": theme.orange, "dead": theme.purple}
    colors = [(known | {"not finite": paper.ink}).get(fault, theme.blue) for fault in diagnosis.FAULTS]
    hues = type(paper.ramp).from_list("faults", colors, N=len(colors))
    for place, (own, name) in enumerate(zip(axes.flat, PATIENTS, strict=True)):
        values = np.ma.masked_invalid(numbers.ratios[place])
        mesh = own.pcolormesh(edges, layers, values, cmap=paper.ramp, vmin=-8, vmax=0)
        mesh.set(edgecolor="face", linewidth=1)
        paper.mark(mesh, f"ratios[{place}]")
        strip = own.pcolormesh(
            edges, depth + np.array([1.0, 2.2]), numbers.faults[[place]], cmap=hues, vmin=0, vmax=len(colors) - 1
        )
        strip.set(edgecolor="face", linewidth=1)
        paper.mark(strip, f"faults[{place}]")
        dots = {"color": paper.ink, "marker": "o", "markersize": 2.2, "linestyle": "none"}
        paper.line(own, numbers, f"named[{place}]", x="steps", **dots).set_path_effects(paper.halo(1.5))
        own.set(title=f"{name}: {_words(numbers, place)}", yticks=[1, 4, 7, 10])
        own.set_ylabel("layer")
        own.grid(False)
    for own in axes[-1]:
        own.set_xlabel("step")
    labels = ("1e-8", "1e-6", "1e-4", "0.01", "1")
    paper.color_scale(figure, mesh, axes, "update over weights", ticks=(-8, -6, -4, -2, 0), labels=labels)
    return figure


def _words(numbers: Live, place: int) -> str:
    """Name the faults found, in the order in which they were."""
    order = dict.fromkeys(int(fault) for fault in numbers.faults[place])
    return ", ".join(diagnosis.FAULTS[fault] for fault in order)
