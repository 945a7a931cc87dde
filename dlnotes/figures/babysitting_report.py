"""A training report as a figure: of a run of the book, and of a reader's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dlnotes.figures import babysitting as figures
from dlnotes.figures import paper as papers
from dlnotes.numpy import babysitting, network, objective

if TYPE_CHECKING:
    from typing import TextIO

    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper


class Report(NamedTuple):
    """The curves of one run.

    Attributes:
        steps: Steps taken before each loss.
        losses: Training loss at each.
        middles: The middle steps of blocks.
        means: Mean training loss in each block.
        measured_at: Steps taken before each measurement.
        held_out: Held-out loss at each.
        chance: The loss of guessing at each; empty if there is no such level.
        ratio_steps: Steps at which ratios are shown.
        ratios: Median update ratio around each of these, a row a parameter.
    """

    steps: np.ndarray
    losses: np.ndarray
    middles: np.ndarray
    means: np.ndarray
    measured_at: np.ndarray
    held_out: np.ndarray
    chance: np.ndarray
    ratio_steps: np.ndarray
    ratios: np.ndarray


def _blocks(values: np.ndarray, most: int = 40) -> tuple[np.ndarray, list[np.ndarray]]:
    """Cut a curve into at most so many pieces, and give their middles beside them."""
    pieces = np.array_split(np.arange(len(values)), min(most, len(values)))
    return np.array([piece.mean() for piece in pieces]), [values[piece] for piece in pieces]


def of_run(
    losses: Sequence[float],
    *,
    held_out: Sequence[float] = (),
    measured_at: Sequence[float] | None = None,
    ratios: Mapping[str, Sequence[float]] | None = None,
    chance: float | None = None,
) -> Report:
    """Put the curves of a run together; numbers may come from NumPy, PyTorch or a list.

    Args:
        losses: Training loss at each step.
        held_out: Held-out loss at each measurement.
        measured_at: Steps before each measurement; spread evenly if it is not given.
        ratios: Update ratios at each step, by parameter.
        chance: The loss of guessing; None if there is no such level.

    Returns:
        The curves, with means of blocks.
    """
    losses, held_out = np.asarray(losses, dtype=float), np.asarray(held_out, dtype=float)
    middles, pieces = _blocks(losses)
    if measured_at is None:
        measured_at = np.linspace(0, len(losses) - 1, len(held_out))
    names = list(ratios or {})
    each = [_blocks(np.asarray(ratios[name], dtype=float)) for name in names]
    scale = len(losses) / len(ratios[names[0]]) if names else 1.0
    medians = np.array([[np.median(piece) for piece in own] for _, own in each])
    level = np.full(len(losses) if chance is not None else 0, chance or 0.0)
    steps = np.arange(len(losses))
    return Report(
        steps, losses, middles, np.array([piece.mean() for piece in pieces]), np.asarray(measured_at, dtype=float),
        held_out, level, each[0][0] * scale if each else np.empty(0), medians,
    )  # fmt: skip


def run(steps: int = 400, rate: float = 0.3, wrong: float = 0.1, seed: int = 0) -> dict[str, Any]:
    """Train on 200 digits, some of their labels dealt at random, and record what a report asks for.

    Args:
        steps: Steps.
        rate: Learning rate of SGD.
        wrong: The share of labels dealt at random.
        seed: Which rows, starts, labels and batches are drawn.

    Returns:
        Losses, held-out losses every tenth step, and update ratios of the weights.
    """
    x, y, held_x, held_y = figures.digits(200, 400, seed)
    generator = np.random.default_rng(seed)
    y = np.where(generator.random(len(y)) < wrong, generator.integers(0, 10, len(y)), y)
    parameters = network.initialize((64, 50, 10), generator, dtype=np.float32)
    losses, held_out, measured_at = [], [], []
    ratios: dict[str, list[float]] = {"0.weight": [], "2.weight": []}
    for step in range(steps):
        if step % 10 == 0:
            held_out.append(objective.cross_entropy(network.forward(parameters, held_x)[0], held_y))
            measured_at.append(step)
        rows = generator.choice(len(y), 32, replace=False)
        loss, grads = network.loss_and_gradient(parameters, x[rows], y[rows])
        updates = {name: -rate * g for name, g in grads.items()}
        found = babysitting.update_ratios(parameters, updates)
        for name, values in ratios.items():
            values.append(float(found[name]))
        parameters = {name: value + updates[name] for name, value in parameters.items()}
        losses.append(float(loss))
    curves = {name: np.array(values) for name, values in ratios.items()}
    return {
        "losses": np.array(losses),
        "held_out": np.array(held_out, dtype=float),
        "measured_at": np.array(measured_at),
        "ratios": curves,
    }


def report(steps: int = 400, rate: float = 0.3, wrong: float = 0.1, seed: int = 0) -> Report:
    """Give the curves of `run`; see there for the arguments."""
    return of_run(**run(steps, rate, wrong, seed), chance=float(np.log(10)))


def draw_report(numbers: Report, paper: Paper, names: Sequence[str] = ("0.weight", "2.weight")) -> Figure:
    """Draw losses, and update ratios if there are any."""
    panels = 2 if len(numbers.ratios) else 1
    shape = (1, panels) if paper.wide else (panels, 1)
    figure, axes = paper.subplots(*shape, height=300 if paper.wide else 280 * panels)
    left, palette = axes.flat[0], paper.palette
    paper.line(left, numbers, "losses", x="steps", color=palette.sky, linewidth=0.6, label="a batch")
    paper.line(left, numbers, "means", x="middles", color=palette.blue, label="mean of a block")
    if len(numbers.held_out):
        style = {"color": palette.orange, "linestyle": paper.dashes[1], "label": "held out"}
        paper.line(left, numbers, "held_out", x="measured_at", **style)
    if len(numbers.chance):
        paper.theory(left, numbers, "chance", x="steps", color=paper.muted, label="guessing")
    left.set(xlabel="step", title="Loss", ylim=(0, None))
    left.legend(loc="best")
    if panels == 2:
        right = axes.flat[1]
        for row, name in enumerate(names):
            style = {"color": paper.colors[row % len(paper.colors)], "linestyle": paper.dashes[row % len(paper.dashes)]}
            paper.line(right, numbers, f"ratios[{row}]", x="ratio_steps", label=str(name), **style)
        right.set(xlabel="step", title="Update over weights", yscale="log")
        seen = numbers.ratios[numbers.ratios > 0]
        marks = [step * 10.0**power for power in range(-12, 3) for step in (1, 3)]
        ticks = [mark for mark in marks if len(seen) and seen.min() <= mark <= seen.max()]
        right.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        right.legend(loc="best")
        right.minorticks_off()
    return figure


def write(file: TextIO, losses: Sequence[float], **curves: Any) -> None:
    """Draw a run of your own, and write it as SVG.

    Args:
        file: A text file that is open for writing.
        losses: Training loss at each step.
        **curves: The other arguments of `of_run`.
    """
    paper = papers.Paper("light", wide=True)
    with paper.style():
        names = list(curves.get("ratios") or {})
        paper.write(draw_report(of_run(losses, **curves), paper, names), file)
