"""Figures of the chapter on the objective in which nothing is drawn at random: losses, rounding, graphs, margins."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import datasets
from dlnotes.numpy import activations, objective

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper


# --- losses over the margin ------------------------------------------------------------------------------------------


class Surrogates(NamedTuple):
    """The 0-1 loss and three surrogates of two classes over the margin, and their slopes.

    Attributes:
        margins: From below 0, where the prediction is wrong, to above 1.
        losses: 0-1, hinge, cross-entropy in bits, squared error; (loss, margin).
        slopes: Their derivatives in the margin.
    """

    margins: np.ndarray
    losses: np.ndarray
    slopes: np.ndarray


JUMP = 80  # place of margin 0, the last at which the 0-1 loss is 1
KINK = 119  # place of the last margin below 1, at which the hinge still slopes


def surrogates(lowest: float = -2.0, highest: float = 3.0, points: int = 201) -> Surrogates:
    """Evaluate the losses at logits (0, m) and label 1, whose margin is m; each margin is a run of one example."""
    margins = np.linspace(lowest, highest, points)
    logits = np.stack((np.zeros(points), margins), axis=-1)[:, None]
    label, ones = np.array([1]), np.ones((points, 1, 1))
    bits = 1 / math.log(2)
    losses = (
        objective.zero_one_loss(logits, label),
        objective.hinge(logits, label),
        bits * objective.cross_entropy(logits, label),
        2 * objective.squared_error(margins[:, None, None], ones),
    )
    slopes = (
        np.zeros(points),  # where it has one
        objective.hinge_backward(1.0, logits, label)[:, 0, 1],
        bits * objective.cross_entropy_backward(1.0, logits, label)[:, 0, 1],
        2 * objective.squared_error_backward(1.0, margins[:, None, None], ones)[:, 0, 0],
    )
    return Surrogates(margins, np.stack(losses), np.stack(slopes))


def draw_surrogates(numbers: Surrogates, paper: Paper) -> Figure:
    """Draw the losses, and beside or below them their slopes."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=330 if paper.wide else 560)
    colors = (paper.ink, paper.palette.orange, paper.palette.blue, paper.palette.green)
    for own, field in zip(axes.flat, ("losses", "slopes"), strict=True):
        for part in (f":{JUMP + 1}", f"{JUMP + 1}:"):
            paper.line(own, numbers, f"{field}[0, {part}]", x=f"margins[{part}]", color=colors[0], linewidth=2.6)
        for loss in (1, 2, 3):
            style = {"color": colors[loss], "linestyle": paper.dashes[loss - 1]}
            jumps = field == "slopes" and loss == 1
            for part in (f":{KINK + 1}", f"{KINK + 1}:") if jumps else (":",):
                paper.line(own, numbers, f"{field}[{loss}, {part}]", x=f"margins[{part}]", **style)
        own.set(xlabel="margin", xlim=(-2, 3), xticks=range(-2, 4))
    left, right = axes.flat
    left.set(title="Loss", ylim=(-0.15, 4.5))
    right.set(title="Slope of the loss", ylim=(-4.2, 2.2))
    paper.label(left, -2, 1, "0-1", dx=6, dy=-9)
    paper.label(left, -1.95, 1.75, "hinge", color=colors[1])
    paper.label(left, -1.95, 3.85, "cross-\nentropy", color=colors[2])
    paper.label(left, -0.75, 3.6, "squared error", color=colors[3])
    paper.label(right, 1.6, -0.75, "cross-entropy", color=colors[2])
    paper.label(right, -1.95, -0.72, "hinge", color=colors[1])
    paper.label(right, -1.95, 0.45, "0-1")
    paper.label(right, 1.5, 1.5, "squared\nerror", color=colors[3], ha="right", dx=-6)
    return figure


# --- where exponentials end ------------------------------------------------------------------------------------------


class LogSoftmax(NamedTuple):
    """Relative errors of three formulas for the loss of the logits (0, x) and label 0, which is ln(1 + exp(x)).

    The formulas: -ln(exp(0) / (exp(0) + exp(x))), minus the logarithm of the shifted softmax, and log-sum-exp.

    Attributes:
        sizes: Values of x, up to the largest at which the formula gives a finite number, or to 100,000;
            (dtype, formula, point), single precision first.
        errors: Relative error of the loss there; errors below 1e-18 count as 1e-18.
        thresholds: The largest x at which the formula gives a finite number; (dtype, formula), for the first two.
    """

    sizes: np.ndarray
    errors: np.ndarray
    thresholds: np.ndarray


DTYPES = (np.float32, np.float64)
END = 1e5


def naive(logits: np.ndarray) -> np.ndarray:
    """Compute the loss as it is written: the logarithm of a quotient of exponentials."""
    exponentials = np.exp(logits)
    return -np.log(exponentials[..., 0] / exponentials.sum(-1))


def logarithm_of_softmax(logits: np.ndarray) -> np.ndarray:
    """Compute the loss from probabilities that did not overflow."""
    return -np.log(objective.softmax(logits)[..., 0])


def log_sum_exp(logits: np.ndarray) -> np.ndarray:
    """Compute the loss without probabilities."""
    return -objective.log_softmax(logits)[..., 0]


FORMULAS = (naive, logarithm_of_softmax, log_sum_exp)


def _wrong_label(formula: object, sizes: np.ndarray) -> np.ndarray:
    """Compute the loss of the logits (0, x) and label 0."""
    with np.errstate(all="ignore"):
        return formula(np.stack((np.zeros_like(sizes), sizes), axis=-1))


def last_finite(formula: object, dtype: type) -> float:
    """Find by bisection the largest number x of the type at which a formula gives a finite loss."""
    low, high = dtype(1), dtype(END)
    while np.nextafter(low, high) < high:
        middle = dtype(low + (high - low) / 2)
        if np.isfinite(_wrong_label(formula, np.array([middle]))[0]):
            low = middle
        else:
            high = middle
    return float(low)


def log_softmax(points: int = 240) -> LogSoftmax:
    """Compare the formulas with ln(1 + exp(x)) = x + ln(1 + exp(-x)), in double precision where both are exact."""
    thresholds = np.array([[last_finite(formula, dtype) for formula in FORMULAS[:2]] for dtype in DTYPES])
    sizes, errors = np.empty((2, 3, points)), np.empty((2, 3, points))
    for row, dtype in enumerate(DTYPES):
        for column, formula in enumerate(FORMULAS):
            end = thresholds[row, column] if column < 2 else END
            low, high = np.geomspace(1, 0.8 * end, points // 2), np.linspace(0.8 * end, end, points - points // 2)
            taken = np.append(low, high).astype(dtype)
            sizes[row, column] = taken
            exact = sizes[row, column].astype(np.longdouble)
            exact = exact + np.log1p(np.exp(-exact))
            loss = _wrong_label(formula, taken).astype(np.longdouble)
            errors[row, column] = np.maximum(np.abs(loss - exact) / exact, 1e-18)
    return LogSoftmax(sizes, errors, thresholds)


def draw_log_softmax(numbers: LogSoftmax, paper: Paper) -> Figure:
    """Draw the errors for single and double precision, and where each formula ends."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=340 if paper.wide else 600, sharey=True)
    colors = (paper.palette.orange, paper.palette.green, paper.palette.blue)
    names = ("as written", "log of softmax")
    for row, (own, title) in enumerate(zip(axes.flat, ("float32", "float64"), strict=True)):
        for column in (2, 1, 0):
            style = {"color": colors[column], "linewidth": 1, "linestyle": "none", "marker": paper.markers[column]}
            paper.line(own, numbers, f"errors[{row}, {column}]", x=f"sizes[{row}, {column}]", markersize=2, **style)
        own.set(
            xscale="log",
            yscale="log",
            title=f"Relative error, {title}",
            xlabel="size x of the wrong logit",
            ylim=(1e-19, 3e2),
        )
        own.set_xticks(10.0 ** np.arange(6))
        own.set_yticks([1e-18, 1e-15, 1e-10, 1e-5, 1], ["exact", "$10^{-15}$", "$10^{-10}$", "$10^{-5}$", "1"])
        own.minorticks_off()
        for column, name in enumerate(names):
            end = numbers.thresholds[row, column]
            paper.guide(own.axvline(end, color=colors[column], linewidth=0.8, ymax=0.91 + 0.09 * column))
            text = f"{name}: to {end:.2f}"
            label = paper.label(own, end, 0.88 + 0.09 * column, text, color=colors[column], dx=(10, 5)[column])
            label.xycoords = own.get_xaxis_transform()
            paper.mark(label, f"thresholds[{row}, {column}]")
        paper.label(own, END, 1e-18, "log-sum-exp", color=colors[2], ha="right", dy=10)
    return figure


# --- a graph played backward -----------------------------------------------------------------------------------------


class Graph(NamedTuple):
    """The loss of one example of a logistic unit as a graph, played backward.

        u = w x,    z = u + b,    e = exp(z),    s = 1 + e,    r = ln(s),    t = y z,    ℓ = r - t

    Attributes:
        values: Values of w, x, b, y, u, z, e, s, r, t and the loss.
        adjoints: Derivatives of the loss in each of them.
    """

    values: np.ndarray
    adjoints: np.ndarray


NODES = ("w", "x", "b", "y", "u", "z", "e", "s", "r", "t", "ℓ")


def graph(weight: float = 0.5, value: float = 2.0, bias: float = -1.0, label: float = 1.0) -> Graph:
    """Record the operations on a tape and play it backward."""
    tape = objective.Tape()
    w, x, b, y = (tape.variable(number) for number in (weight, value, bias, label))
    u = w * x
    z = u + b
    e = z.exp()
    s = 1 + e
    r = s.log()
    t = y * z
    nodes = (w, x, b, y, u, z, e, s, r, t, r - t)
    adjoints = tape.backward(nodes[-1])
    return Graph(np.array([node.value for node in nodes]), np.array([adjoints[node.place] for node in nodes]))


# Where each node stands, from left to right and from below upward; on narrow paper the graph runs downward.
PLACES = {
    "w": (0, 2.1),
    "x": (0, 0.9),
    "b": (1, 0.3),
    "y": (2.9, -0.3),
    "u": (1, 1.5),
    "z": (2, 0.9),
    "e": (3, 1.5),
    "s": (4, 1.5),
    "r": (5, 1.5),
    "t": (4, 0.2),
    "ℓ": (6, 0.9),
}
OPERANDS = {"u": "wx", "z": "ub", "e": "z", "s": "e", "r": "s", "t": "yz", "ℓ": "rt"}


def draw_graph(numbers: Graph, paper: Paper) -> Figure:
    """Draw the nodes with their values above and their adjoints below, and arrows from operands to results."""
    figure, ((axes,),) = paper.subplots(height=300 if paper.wide else 620)
    places = {name: (x, y) if paper.wide else (2.2 - y, -x) for name, (x, y) in PLACES.items()}
    for result, operands in OPERANDS.items():
        for operand in operands:
            arrow = {"arrowstyle": "->", "color": paper.muted, "shrinkA": 11, "shrinkB": 11, "linewidth": 0.9}
            axes.annotate("", places[result], places[operand], arrowprops=arrow)
    for place, name in enumerate(NODES):
        x, y = places[name]
        circle = {"boxstyle": "circle,pad=0.3", "facecolor": paper.palette.surface, "edgecolor": paper.muted}
        axes.text(x, y, name, ha="center", va="center", bbox=circle, color=paper.ink)
        for field, side, color in (("values", 1, paper.palette.blue), ("adjoints", -1, paper.palette.orange)):
            text = f"{getattr(numbers, field)[place] + 0.0:.3g}".replace("-", "\N{MINUS SIGN}")
            beside = {"ha": ("left", "right")[side > 0], "dx": -15 * side}
            style = {"ha": "center", "dy": 22 * side} if paper.wide else beside
            label = paper.label(axes, x, y, text, color=color, **style)
            paper.mark(label, f"{field}[{place}]")
    xs, ys = np.array(list(places.values())).T
    axes.set(xlim=(xs.min() - 0.5, xs.max() + 0.5), ylim=(ys.min() - 0.6, ys.max() + 0.6))
    axes.set_axis_off()
    top = "value above, derivative of the loss below" if paper.wide else "left: value, right: derivative of the loss"
    axes.set_title(top)
    return figure


# --- the largest margin ----------------------------------------------------------------------------------------------


class LargestMargin(NamedTuple):
    """Logistic regression on three pairs of wine cultivars, under a constant rate and under one over the loss.

    Attributes:
        steps: Steps of the constant rate.
        constant: Smallest margin of the unit-length weights over the largest possible one; (pair, step).
        fast_steps: Steps of the rate that is divided by the loss.
        fast: The same for it.
    """

    steps: np.ndarray
    constant: np.ndarray
    fast_steps: np.ndarray
    fast: np.ndarray


PAIRS = ((0, 1), (0, 2), (1, 2))


def signed_examples(first: int, second: int) -> np.ndarray:
    """Give the standardized wines of two cultivars with a 1 appended, times 1 for the first and -1 for the second."""
    wine = datasets.wine()
    kept = np.isin(wine.targets, (first, second))
    inputs = wine.inputs[kept]
    inputs = (inputs - inputs.mean(0)) / inputs.std(0)
    signs = np.where(wine.targets[kept] == first, 1.0, -1.0)
    return signs[:, None] * np.column_stack((inputs, np.ones(len(inputs))))


def largest_margin(examples: np.ndarray, steps: int = 4000) -> float:
    """Solve the dual of the hard-margin problem by accelerated projected ascent.

    max over a >= 0 of  sum a - |X^T a|^2 / 2,  where w = X^T a has all margins at least 1 and the margin is 1 / |w|
    """
    gram = examples @ examples.T
    rate = 1 / np.linalg.eigvalsh(gram)[-1]
    dual = ahead = np.zeros(len(examples))
    pace = 1.0
    for _ in range(steps):
        new = np.maximum(0, ahead - rate * (gram @ ahead - 1))
        following = (1 + np.sqrt(1 + 4 * pace * pace)) / 2
        if (ahead - new) @ (new - dual) > 0:
            following = 1.0  # it went too far: start again from here
        ahead = new + (pace - 1) / following * (new - dual)
        dual, pace = new, following
    weights = examples.T @ dual
    return float((examples @ weights).min() / np.linalg.norm(weights))


def margin_path(examples: np.ndarray, steps: np.ndarray, rate: float, divide: bool) -> np.ndarray:
    """Descend on the logistic loss from 0 and give the smallest margin of the unit-length weights at the steps."""
    weights, path = np.zeros(examples.shape[1]), np.empty(len(steps))
    for step in range(1, int(steps[-1]) + 1):
        scores = examples @ weights
        gradient = -(activations.sigmoid(-scores) @ examples) / len(examples)
        size = np.mean(activations.softplus(-scores)) if divide else 1.0
        weights = weights - rate * gradient / size
        place = np.searchsorted(steps, step)
        if steps[place] == step:
            path[place] = (examples @ weights).min() / np.linalg.norm(weights)
    return path


def max_margin(last: int = 30_000, fast_last: int = 1000, rate: float = 1.0, fast_rate: float = 0.3) -> LargestMargin:
    """Follow both descents on each pair of cultivars, which a plane separates."""
    steps, fast = (np.unique(np.geomspace(1, end, 40).round().astype(int)) for end in (last, fast_last))
    data = [signed_examples(*pair) for pair in PAIRS]
    best = np.array([largest_margin(examples) for examples in data])[:, None]
    slowly = np.stack([margin_path(examples, steps, rate, divide=False) for examples in data])
    quickly = np.stack([margin_path(examples, fast, fast_rate, divide=True) for examples in data])
    return LargestMargin(steps, slowly / best, fast, quickly / best)


def draw_max_margin(numbers: LargestMargin, paper: Paper) -> Figure:
    """Draw the margins over the largest ones against the steps."""
    figure, ((axes,),) = paper.subplots(height=340)
    series = (("constant", "steps", paper.palette.blue), ("fast", "fast_steps", paper.palette.orange))
    for field, x, color in series:
        for pair in range(len(PAIRS)):
            style = {"color": color, "linestyle": paper.dashes[pair], "linewidth": 1.3}
            paper.line(axes, numbers, f"{field}[{pair}]", x=x, **style)
    paper.guide(axes.axhline(1, color=paper.muted, linewidth=0.8))
    axes.set(xscale="log", xlabel="step", title="Smallest margin over the largest possible", ylim=(0, 1.06))
    axes.set_xticks([1, 10, 100, 1000, 10_000], ["1", "10", "100", "1000", "10,000"])
    axes.minorticks_off()
    axes.set(xlim=(1, numbers.steps[-1]))
    paper.label(axes, 1500, 0.68, "constant rate", color=paper.palette.blue)
    paper.label(axes, 1.15, 0.94, "rate over loss", color=paper.palette.orange)
    return figure
