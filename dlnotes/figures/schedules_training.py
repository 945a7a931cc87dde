"""Figures of the chapter on schedules: networks that are trained under several of them.

Each start meets the same batches under each schedule and each rate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import datasets
from dlnotes.numpy import minibatch, network, objective, schedules, training

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper

# A shape takes the step and how many there are, and gives the rate as a share of the largest.
Shape = Callable[[int, int], float]


class Task(NamedTuple):
    """What is learned, and by which network.

    Attributes:
        inputs: Digits, from -1 to 1.
        labels: Their labels, or what stands for them.
        sizes: Units of the network.
        batch: Examples in a batch.
        least: The least loss on all examples.
    """

    inputs: np.ndarray
    labels: np.ndarray
    sizes: tuple[int, ...]
    batch: int
    least: float


def least_loss(inputs: np.ndarray, labels: np.ndarray, classes: int = 10, steps: int = 14) -> float:
    """Find the least cross-entropy of softmax regression, by Newton's method with steps halved until they go down."""
    rows = np.append(inputs.astype(float), np.ones((len(inputs), 1)), axis=1)
    weights, size = np.zeros((classes, rows.shape[1])), rows.shape[1]

    def loss(at: np.ndarray) -> float:
        return float(objective.cross_entropy(rows @ at.T, labels).mean())

    for _ in range(steps):
        p = objective.softmax(rows @ weights.T)
        gradient = (p - np.eye(classes)[labels]).T @ rows / len(rows)
        hessian = np.empty((classes, size, classes, size))
        for one in range(classes):
            for other in range(one, classes):
                block = (rows * (p[:, one] * ((one == other) - p[:, other]))[:, None]).T @ rows / len(rows)
                hessian[one, :, other] = hessian[other, :, one] = block
        # Some directions are flat: pixels that never change, and a sum that is the same for all classes.
        curved = hessian.reshape(classes * size, -1) + 1e-7 * np.eye(classes * size)
        step = np.linalg.solve(curved, gradient.ravel()).reshape(weights.shape)
        while loss(weights - step) > loss(weights) and np.abs(step).max() > 1e-9:
            step = step / 2
        weights = weights - step
    return loss(weights)


def wrong_labels(examples: int, share: float = 0.2) -> Task:
    """Give softmax regression a share of labels drawn at random: no weights are right for all batches."""
    digits, generator = datasets.digits(), np.random.default_rng(0)
    drawn = generator.random(examples) < share
    labels = np.where(drawn, generator.integers(0, 10, examples), digits.targets[:examples])
    inputs = ((digits.inputs[:examples] - 8) / 8).astype(np.float32)
    return Task(inputs, labels, (64, 10), 8, least_loss(inputs, labels))


def all_fitted(examples: int, hidden: int = 24) -> Task:
    """Give a network with one hidden layer the true labels, all of which it can learn."""
    digits = datasets.digits()
    inputs = ((digits.inputs[:examples] - 8) / 8).astype(np.float32)
    return Task(inputs, digits.targets[:examples], (64, hidden, 10), 8, 0.0)


def _train(
    task: Task, shape: Shape, steps: int, rates: np.ndarray, seeds: int, seed: int, every: int | None = None
) -> training.Training:
    runs = (len(rates), seeds)
    generators = np.array(np.random.default_rng(seed).spawn(seeds))
    start = network.initialize(task.sizes, generators, runs=(seeds,), dtype=np.float32)
    start = {name: np.broadcast_to(value, (*runs, *value.shape[1:])).copy() for name, value in start.items()}
    own = np.array([np.random.default_rng([seed, place[-1]]) for place in np.ndindex(runs)]).reshape(runs)
    rate = np.broadcast_to(rates[:, None], runs)
    measured = {
        "measure": lambda params: {"loss": network.loss_and_gradient(params, task.inputs, task.labels).loss},
        "measure_every": every or steps,
    }
    return training.train(
        start, task.inputs, task.labels, minibatch.SGD(lambda t: rate * shape(t, steps)),
        steps=steps, batch_size=task.batch, generator=own, runs=runs, **measured,
    )  # fmt: skip


def excess(task: Task, shape: Shape, steps: int, rates: np.ndarray, seeds: int, seed: int = 0) -> np.ndarray:
    """Train, and give the loss on all examples above the least; (rate, seed)."""
    losses = _train(task, shape, steps, rates, seeds, seed).measures["loss"][..., -1] - task.least
    return np.where(np.isfinite(losses), losses, np.inf)


def stable_decay(share: float) -> Shape:
    """Give a rate that is held, and falls to 0 over the last share of the steps."""

    def shape(step: int, steps: int) -> float:
        decay = max(1, round(share * steps))
        return float(schedules.warm_up_stable_decay(step, 1.0, 0, steps - decay, decay))

    return shape


SHAPES: dict[str, Shape] = {
    "constant": lambda step, steps: 1.0,
    "step": lambda step, steps: float(schedules.step_decay(step, 1.0, max(1, steps // 6), 0.5)),
    "linear": lambda step, steps: float(schedules.linear(step, 1.0, steps)),
    "held, last fifth": stable_decay(0.2),
}


# --- two tasks, four schedules ---------------------------------------------------------------------------------------


class Networks(NamedTuple):
    """Training loss on all examples under four schedules, each at its own best rate.

    Attributes:
        steps: Numbers of steps.
        wrong: Loss above the least, over that under the constant rate, where labels are wrong: the mean, and a standard
            error of the paired difference below and above it; (3, schedule, steps).
        fitted: The same where the network can fit all labels.
        wrong_rates: The best rate, nan if it is at the edge of the grid; (schedule, steps).
        fitted_rates: Likewise.
    """

    steps: np.ndarray
    wrong: np.ndarray
    fitted: np.ndarray
    wrong_rates: np.ndarray
    fitted_rates: np.ndarray


# The middle of the grid of rates, found by a coarser one; by task, schedule and number of steps.
MIDDLES = {
    "wrong": {"constant": 0.16, "step": 0.64, "linear": 0.64, "held, last fifth": 0.32},
    "fitted": {"constant": 0.45, "step": 0.8, "linear": 0.64, "held, last fifth": 0.64},
}


def networks(
    examples: int = 1797, lengths: tuple[int, ...] = (60, 200, 600), seeds: int = 6, seed: int = 0
) -> Networks:
    """Train both tasks under each schedule, for each number of steps, at seven rates a factor of 1.4 apart."""
    tasks = {"wrong": wrong_labels(examples), "fitted": all_fitted(min(examples, 500))}
    shape = (len(SHAPES), len(lengths))
    ratios, best = np.empty((2, 3, *shape)), np.empty((2, *shape))
    for i, (name, task) in enumerate(tasks.items()):
        for k, steps in enumerate(lengths):
            for j, (schedule, of_step) in enumerate(SHAPES.items()):
                rates = MIDDLES[name][schedule] * 2.0 ** (np.arange(-3, 4) / 2)
                found = excess(task, of_step, steps, rates, seeds, seed)
                place = int(found.mean(1).argmin())
                own = found[place]
                constant = own if j == 0 else constant
                error = (own - constant).std(ddof=1) / np.sqrt(seeds)
                ratios[i, :, j, k] = (own.mean() + np.array([0, -error, error])) / constant.mean()
                best[i, j, k] = rates[place] if 0 < place < len(rates) - 1 else np.nan
    return Networks(np.array(lengths), *ratios, *best)


def draw_networks(numbers: Networks, paper: Paper) -> Figure:
    """Draw the ratios over the number of steps, and the best rates under them."""
    figure, axes = paper.subplots(*((2, 2) if paper.wide else (4, 1)), height=540 if paper.wide else 700)
    colors = (paper.palette.orange, paper.palette.green, paper.palette.blue, paper.palette.purple)
    words = [word.replace(", ", ",\n") for word in SHAPES]
    titles = {
        "wrong": "Wrong labels: loss over constant's",
        "fitted": "All fitted: loss over constant's",
        "wrong_rates": "Wrong labels: best rate",
        "fitted_rates": "All fitted: best rate",
    }
    for own, (name, title) in zip(axes.flat, titles.items(), strict=True):
        mean = name if name.endswith("rates") else f"{name}[0]"
        for row, color in enumerate(colors):
            field = f"{name}[{row}]"
            if not name.endswith("rates"):
                field = f"{name}[0, {row}]"
                paper.band(own, numbers, f"{name}[1, {row}]", f"{name}[2, {row}]", x="steps", color=color)
            paper.line(own, numbers, field, x="steps", color=color, marker=paper.markers[row])
        own.set(xscale="log", xlabel="number of steps", title=title)
        if name != "wrong":
            own.set(yscale="log")
        own.minorticks_off()
        own.set_xticks(numbers.steps, [str(count) for count in numbers.steps])
        ticks = {"wrong": [0.6, 0.8, 1], "fitted": [0.5, 1, 2, 4]}.get(name, [0.1, 0.2, 0.4, 0.8])
        own.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        paper.end_labels(own, numbers.steps[-1], paper.value(numbers, mean)[:, -1], words, colors)
    return figure


# --- one run for several lengths -------------------------------------------------------------------------------------


class OneRun(NamedTuple):
    """Loss above the least along one run at a held rate, and of decays that branch off it.

    Attributes:
        measured: Steps at which the run is measured.
        held: Loss at the held rate; (quantile over the starts, measurement).
        lengths: Steps at which the branches end.
        branch_steps: Steps at which each branch is measured; (branch, measurement).
        branches: Loss along each branch, mean over the starts; (branch, measurement).
        linear: Loss of a run of its own for each length, linear from the best of seven rates to 0; nan if that is at
            the edge of the grid.
        over: The branch's end over that, for each length.
    """

    measured: np.ndarray
    held: np.ndarray
    lengths: np.ndarray
    branch_steps: np.ndarray
    branches: np.ndarray
    linear: np.ndarray
    over: np.ndarray


def branch_and_line(
    task: Task, rate: float, share: float, steps: int, seeds: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Let a held rate fall over the last share of the steps, and tune a linear run.

    Returns:
        Steps of the measurements; loss above the least along the branch, (start, measurement); at the end of the linear
        run, one a start, nan if the best rate is at the edge of the grid.
    """
    branch = _train(task, stable_decay(share), steps, np.array([rate]), seeds, seed, max(1, steps // 10))
    last = -1 - round(10 * share)
    grid = 0.64 * 2.0 ** (np.arange(-3, 4) / 2)
    own = excess(task, SHAPES["linear"], steps, grid, seeds, seed)
    place = int(own.mean(1).argmin())
    line = own[place] if 0 < place < len(grid) - 1 else np.full(seeds, np.nan)
    return branch.measured_at[last:], branch.measures["loss"][0, :, last:] - task.least, line


def one_run(
    examples: int = 1000, rate: float = 0.32, share: float = 0.3, shortest: int = 100, seeds: int = 6, seed: int = 0
) -> OneRun:
    """Hold one rate, let it fall at the end of four lengths, and compare with linear runs tuned for each length."""
    task = wrong_labels(examples)
    lengths = shortest * 2 ** np.arange(4)
    run = _train(task, SHAPES["constant"], int(lengths[-1]), np.array([rate]), seeds, seed, shortest // 10)
    held = np.quantile(run.measures["loss"][0] - task.least, (0, 0.5, 1), axis=0)
    found = [branch_and_line(task, rate, share, steps, seeds, seed) for steps in lengths.tolist()]
    branches = np.array([path.mean(0) for _, path, _ in found])
    linear = np.array([line.mean() for *_, line in found])
    measured = np.array([steps for steps, *_ in found])
    return OneRun(run.measured_at, held, lengths, measured, branches, linear, branches[:, -1] / linear)


def draw_one_run(numbers: OneRun, paper: Paper) -> Figure:
    """Draw the run, its branches, and the ends of the linear runs."""
    figure, ((axes,),) = paper.subplots(height=350)
    color, branch, own = paper.palette.orange, paper.palette.purple, paper.palette.blue
    paper.band(axes, numbers, "held[0, 1:]", "held[2, 1:]", x="measured[1:]", color=color)
    paper.line(axes, numbers, "held[1, 1:]", x="measured[1:]", color=color, linewidth=1.1)
    for row in range(len(numbers.lengths)):
        paper.line(axes, numbers, f"branches[{row}]", x=f"branch_steps[{row}]", color=branch, linewidth=2.2)
        where = numbers.lengths[row], numbers.linear[row]
        text = paper.label(axes, *where, f"{numbers.over[row]:.2f}", color=branch, dy=-15, ha="center")
        paper.mark(text, f"over[{row}]")
    style = {"color": own, "marker": paper.markers[2], "linestyle": "none", "markersize": 7}
    paper.line(axes, numbers, "linear", x="lengths", **style)
    axes.set(xscale="log", yscale="log", xlabel="step", title="Training loss above the least")
    axes.minorticks_off()
    axes.set_xticks(numbers.lengths, [str(length) for length in numbers.lengths])
    axes.set_yticks([0.1, 0.2, 0.5, 1], ["0.1", "0.2", "0.5", "1"])
    axes.set(xlim=(numbers.lengths[0] / 4, numbers.lengths[-1] * 1.2), ylim=(np.nanmin(numbers.linear) * 0.7, 1.3))
    paper.label(axes, numbers.lengths[0], 0.95, "rate held", color=color)
    paper.label(axes, numbers.lengths[0], 0.24, "falls\nat the end", color=branch, ha="right", dx=-4)
    paper.label(axes, numbers.lengths[0], 0.14, "linear, tuned\nfor its length", color=own)
    return figure
