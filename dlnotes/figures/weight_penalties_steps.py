"""Figures of the chapter on weight penalties: L1 by subgradient and by proximal step, around zero and on batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes.numpy import many_runs, weight_penalties

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper

TRUE = np.array([3.0, -2.0, 1.5, -1.0])  # the weights of the sparse regressions that are not 0


class Regressions(NamedTuple):
    """Regressions on random features of which four matter.

    Attributes:
        inputs: Shape (run, row, feature).
        targets: Shape (run, row).
    """

    inputs: np.ndarray
    targets: np.ndarray


def regressions(runs: int, rows: int, features: int, seed: int) -> Regressions:
    """Draw regressions whose targets have noise of deviation 1."""
    drawn = many_runs.generators(np.random.default_rng(seed), (runs,))
    x = np.stack([generator.standard_normal((rows, features)) for generator in drawn])
    noise = np.stack([generator.standard_normal(rows) for generator in drawn])
    return Regressions(x, x[..., : len(TRUE)] @ TRUE + noise)


def gradient(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Give the gradient of the squared errors, halved, for each run."""
    errors = np.einsum("...nd,...d->...n", x, w) - y
    return np.einsum("...nd,...n->...d", x, errors) / x.shape[-2]


class Chatter(NamedTuple):
    """L1 by subgradient and by proximal step.

    Attributes:
        steps: Steps taken.
        subgradient: One weight that the penalized minimum has at 0, under two rates; (rate, step).
        proximal: The same weight by proximal steps, at the larger rate; (step).
        rates: The two rates.
        small: The rates on batches, smaller.
        batches: Sizes of batches.
        zeros: How many of the 26 weights that do not matter are exactly 0; (rate, quantile, batch).
    """

    steps: np.ndarray
    subgradient: np.ndarray
    proximal: np.ndarray
    rates: np.ndarray
    small: np.ndarray
    batches: np.ndarray
    zeros: np.ndarray


def chatter(
    strength: float = 0.25, length: int = 2000, runs: int = 8, features: int = 30, shown: int = 50, seed: int = 0
) -> Chatter:
    """Descend on sparse regressions by either step, then by proximal steps on batches."""
    rates, small, rows = np.array([0.1, 0.02]), np.array([0.05, 0.01]), 100
    x, y = regressions(runs, rows, features, seed)
    traces = []
    for rate in rates:
        w = np.full((runs, features), 0.5)
        trace = [w]
        for _ in range(shown):
            w = w - rate * (gradient(x, y, w) + weight_penalties.l1_gradient(w, strength))
            trace.append(w)
        traces.append(np.array(trace))
    w = np.full((runs, features), 0.5)
    trace = [w]
    for _ in range(shown):
        w = weight_penalties.soft_threshold(w - rates[0] * gradient(x, y, w), rates[0] * strength)
        trace.append(w)
    column = len(TRUE) + int(np.argmin(np.abs(np.array(traces)[:, 40:, 0, len(TRUE) :]).max((0, 1))))
    batches = np.array([1, 3, 10, 30, 100])
    found = np.empty((2, runs, len(batches)))
    for place, batch in enumerate(batches.tolist()):
        found[:, :, place] = _zeros_on_batches(x, y, batch, small, strength, length, seed)
    zeros = np.moveaxis(np.quantile(found, (0.1, 0.5, 0.9), axis=1), 0, 1)
    shown_traces = np.stack([trace_of[:, 0, column] for trace_of in traces])
    proximal = np.array(trace)[:, 0, column]
    return Chatter(np.arange(shown + 1), shown_traces, proximal, rates, small, batches, zeros)


def _zeros_on_batches(
    x: np.ndarray, y: np.ndarray, batch: int, rates: np.ndarray, strength: float, length: int, seed: int
) -> np.ndarray:
    """Descend by proximal steps at each rate on the same batches; the mean zeros over the second half; (rate, run)."""
    runs, rows = y.shape
    drawn = many_runs.generators(np.random.default_rng(seed + 1), (runs,))
    picks = np.stack([each.permuted(np.tile(np.arange(rows), (length, 1)), axis=1)[:, :batch] for each in drawn], 1)
    w, total = np.zeros((len(rates), *x.shape[::2])), 0.0
    own = np.arange(runs)[:, None]
    for step in range(length):
        pick = picks[step]
        grad = gradient(x[own, pick], y[own, pick], w)
        w = weight_penalties.soft_threshold(w - rates[:, None, None] * grad, rates * strength)
        total = total + (w[..., len(TRUE) :] == 0).sum(-1) * (step >= length // 2)
    return total / (length - length // 2)


def draw_chatter(numbers: Chatter, paper: Paper) -> Figure:
    """Draw the weight around zero, and the zeros on batches."""
    shape = (1, 2) if paper.wide else (2, 1)
    figure, axes = paper.subplots(*shape, height=320 if paper.wide else 580)
    left, right = axes.flat
    colors = paper.palette.orange, paper.palette.blue, paper.palette.green
    for row in range(2):
        style = {"color": colors[row], "linewidth": 1.2, "linestyle": paper.dashes[row]}
        paper.line(left, numbers, f"subgradient[{row}]", x="steps", **style)
    paper.line(left, numbers, "proximal", x="steps", color=colors[2], linewidth=2.2)
    left.set(xlabel="step", title="A weight whose minimum is 0", xlim=(0, numbers.steps[-1]), ylim=(-0.07, 0.52))
    words = ("subgradient,\nrate {:g}", "subgradient,\nrate {:g}")
    for row, (word, x, y) in enumerate(zip(words, (0.33, 0.52), (0.09, 0.33), strict=True)):
        label = paper.label(left, x * numbers.steps[-1], y, word.format(numbers.rates[row]), color=colors[row])
        paper.mark(label, f"rates[{row}]")
    paper.label(left, 0.004 * numbers.steps[-1], -0.03, "proximal", color=colors[2])
    for row, name in enumerate(("rate {:g}", "rate {:g}")):
        own = (paper.palette.green, paper.palette.purple)[row]
        paper.band(right, numbers, f"zeros[{row}, 0]", f"zeros[{row}, 2]", x="batches", color=own)
        style = {"color": own, "marker": paper.markers[row], "linestyle": paper.dashes[row]}
        paper.line(right, numbers, f"zeros[{row}, 1]", x="batches", **style)
        place = (3, 2)[row]
        style = {"ha": "right", "dx": -9, "dy": 12} if row == 0 else {"dy": -20}
        point = numbers.batches[place], numbers.zeros[row, 1, place]
        label = paper.label(right, *point, name.format(numbers.small[row]), color=own, **style)
        paper.mark(label, f"small[{row}]")
    right.set(xscale="log", xlabel="examples in a batch", title="Zeros among 26 idle weights", ylim=(0, 27.5))
    right.set_xticks([1, 10, 100], ["1", "10", "100"])
    return figure
