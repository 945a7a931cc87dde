"""The race of optimizers in the chapter on adaptive methods: equal budgets of tuning, then fresh seeds."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes.figures import adaptive_methods_training as learning
from dlnotes.numpy import adaptive_methods, minibatch, momentum

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper

HIDDEN_WEIGHT = "2.weight"


def muon(rate: np.ndarray, width: int = 32) -> adaptive_methods.Partition:
    """Give Muon for the weights between the hidden layers and Adam for the rest, with steps of about one size.

    A step of Muon has the root mean square rate / sqrt(n) in a matrix of n times n; times 0.2 sqrt(n) it is about that
    of Adam (Liu et al., 2025).

    Args:
        rate: Learning rates, one a run.
        width: n, the units in each hidden layer.
    """
    hidden = adaptive_methods.Muon(0.2 * math.sqrt(width) * rate, weight_decay=0.0, run_axes=1)
    return adaptive_methods.Partition(lambda name: name == HIDDEN_WEIGHT, hidden, adaptive_methods.Adam(rate))


# Each with the middle of its coarse grid.
RACERS: dict[str, tuple[Callable, float]] = {
    "SGD": (minibatch.SGD, 0.1),
    "momentum": (momentum.Momentum, 0.02),
    "AdaGrad": (adaptive_methods.Adagrad, 0.06),
    "RMSprop": (adaptive_methods.RMSprop, 0.006),
    "Adam": (adaptive_methods.Adam, 0.006),
    "NAdam": (adaptive_methods.NAdam, 0.006),
    "Lion": (adaptive_methods.Lion, 0.001),
    "Muon": (muon, 0.006),
}
SHIFTS = 2.0 ** np.arange(-3, 4)
FINE = 2.0 ** (np.arange(-2, 3) / 2)  # its ends are neighbors in the coarse grid


class Race(NamedTuple):
    """Loss after training under eight optimizers, each at rates found with one budget.

    Attributes:
        places: 1 for the first in the list.
        losses: Loss at the best rate, sixteen seeds; (quantile, optimizer).
        rates: The best rate; (optimizer,).
        shifts: The rates of the coarse grid over the best; (optimizer, rate).
        coarse: Median loss on the coarse grid, four seeds; (optimizer, rate).
        fine_shifts: The rates of the finer grid over the best; (optimizer, rate).
        fine: Median loss on the finer grid, sixteen other seeds; (optimizer, rate).
    """

    places: np.ndarray
    losses: np.ndarray
    rates: np.ndarray
    shifts: np.ndarray
    coarse: np.ndarray
    fine_shifts: np.ndarray
    fine: np.ndarray


def race(tuning: int = 4, seeds: int = 16, steps: int = 120, width: int = 32, seed: int = 0) -> Race:
    """Tune on seven rates and a few seeds, then try five finer rates around the best on fresh seeds."""
    found: dict[str, list] = {name: [] for name in Race._fields}
    racers = {**RACERS, "Muon": (functools.partial(muon, width=width), RACERS["Muon"][1])}
    for place, (make, middle) in enumerate(racers.values(), 1):
        rates = middle * SHIFTS
        coarse = np.median(learning.final_losses(make, rates, tuning, steps=steps, width=width, seed=seed), axis=1)
        around = rates[coarse.argmin()] * FINE
        tried = learning.final_losses(make, around, seeds, steps=steps, width=width, seed=seed + 1)
        fine = np.median(tried, axis=1)
        best = fine.argmin()
        quantiles = np.quantile(tried[best], (0.1, 0.5, 0.9), method="nearest")
        own = (place, quantiles, around[best], rates / around[best], coarse, around / around[best], fine)
        for name, value in zip(found, own, strict=True):
            found[name].append(value)
    return Race(**{name: np.array(value).T if name == "losses" else np.array(value) for name, value in found.items()})


def draw_race(numbers: Race, paper: Paper) -> Figure:
    """Draw the losses at the best rate, the rate beside each, and the losses over the rate."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=340 if paper.wide else 620)
    left, right = axes.flat
    lines = left.hlines(numbers.places, *numbers.losses[[0, 2]], color=paper.muted, linewidth=1.4)
    paper.mark(lines, "places", x="losses[0]", upper="losses[2]")
    paper.line(left, numbers, "places", x="losses[1]", color=paper.ink, marker="o", linestyle="none")
    for row, rate in enumerate(numbers.rates):
        text = paper.label(left, numbers.losses[2, row], row + 1, f"{rate:.2g}", color=paper.muted, dx=6)
        paper.mark(text, f"rates[{row}]")
    left.set(xscale="log", title="Loss at the best rate", yticks=numbers.places, yticklabels=list(RACERS))
    left.set(ylim=(len(RACERS) + 0.6, 0.4), xlim=(numbers.losses[0].min() / 1.15, numbers.losses[2].max() * 1.7))
    left.set_xticks([0.02, 0.03, 0.05, 0.1], ["0.02", "0.03", "0.05", "0.1"])
    left.grid(axis="x")
    shown = {"SGD": paper.palette.blue, "Adam": paper.palette.orange, "Lion": paper.palette.purple}
    for row, name in enumerate(RACERS):
        color, width = shown.get(name, paper.muted), 1.8 if name in shown else 0.8
        style = {"color": color, "linewidth": width, "zorder": 3 if name in shown else 2}
        paper.line(right, numbers, f"coarse[{row}]", x=f"shifts[{row}]", **style)
        points = {"color": color, "linestyle": "none", "marker": "o", "markersize": 3 if name in shown else 2}
        paper.line(right, numbers, f"fine[{row}]", x=f"fine_shifts[{row}]", **points)
    right.set(xscale="log", yscale="log", title="Loss over the rate", xlabel="rate, over the best")
    right.set_xticks([1 / 8, 1 / 4, 1 / 2, 1, 2, 4], ["1/8", "1/4", "1/2", "1", "2", "4"])
    right.set_yticks([0.02, 0.05, 0.2, 1], ["0.02", "0.05", "0.2", "1"])
    for name, (rate, shift) in {"SGD": (6, -8), "Lion": (1, 10), "Adam": (6, 8)}.items():
        row = list(RACERS).index(name)
        place, side = (numbers.shifts[row, rate], numbers.coarse[row, rate]), "left" if shift > 0 else "right"
        if np.isfinite(place[1]):
            paper.label(right, *place, name, color=shown[name], dx=shift, ha=side)
    for own in axes.flat:
        own.minorticks_off()
    return figure
