"""Figures of the chapter on hyperparameter search: where draws fall, and what a search on networks finds.

Quantiles are 25%, 50% and 75%, and stand on an axis of three in this order, where a field says so.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes.figures import hyperparameter_search_training as networks
from dlnotes.numpy import hyperparameter_search as search

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper


# --- grid and random -------------------------------------------------------------------------------------------------


class GridRandom(NamedTuple):
    """Nine draws of each kind, and how far the best of many is from the minimum.

    Attributes:
        grid: Nine points of a grid; (point, axis).
        random: Nine random points.
        places: Where they lie on the axis that matters.
        bottom: The loss 0, at which the places are marked.
        curve: The loss along that axis.
        axis: Where it is given.
        budgets: Numbers of draws: powers of four of 2, 3, ...
        one: Mean squared distance of the best draw from the minimum along the one of four axes that matters, for grid,
            random and scrambled Sobol points; (kind, budget).
        all: The same where all four matter.
        grid_theory: For the grid: a twelfth of the spacing squared, for one axis and for four; (axes, budget).
    """

    grid: np.ndarray
    random: np.ndarray
    places: np.ndarray
    bottom: np.ndarray
    curve: np.ndarray
    axis: np.ndarray
    budgets: np.ndarray
    one: np.ndarray
    all: np.ndarray
    grid_theory: np.ndarray


def nearest(points: np.ndarray, places: np.ndarray, axes: int) -> np.ndarray:
    """Give the squared distance of the nearest point from each place along the first axes; (run,)."""
    return np.square(points - places[:, None])[..., :axes].sum(-1).min(-1)


def grid_random(runs: int = 300, largest: int = 6, seed: int = 0) -> GridRandom:
    """Draw nine points in the plane, and many in four dimensions with the minimum at a random place."""
    generator = np.random.default_rng(seed)
    grid, random = search.grid_points((3, 3)), search.random_points((9, 2), generator)
    axis = np.linspace(0, 1, 101)
    bases = np.arange(2, largest + 1)
    budgets = bases**4
    found = np.empty((2, 3, len(bases)))
    for column, base in enumerate(bases):
        places = generator.random((runs, 4))
        kinds = (
            search.grid_points((int(base),) * 4)[None],
            search.random_points((int(base) ** 4, 4), generator, runs=(runs,)),
            search.scrambled_sobol_points(int(base) ** 4, 4, generator, runs=(runs,)),
        )
        for row, points in enumerate(kinds):
            found[:, row, column] = [nearest(points, places, axes).mean() for axes in (1, 4)]
    places = np.stack([grid[:, 0], random[:, 0]])
    theory = np.array([[1.0], [4.0]]) / (12 * bases**2)
    curve = 1 - np.exp(-np.square((axis - 0.62) / 0.12))
    return GridRandom(grid, random, places, np.full(9, -0.06), curve, axis, budgets, found[0], found[1], theory)


def draw_grid_random(numbers: GridRandom, paper: Paper) -> Figure:
    """Draw the nine draws over the loss along one axis, and the distances over the budget."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=320 if paper.wide else 600)
    left, right = axes.flat
    colors = paper.palette.blue, paper.palette.orange, paper.palette.green
    paper.line(left, numbers, "curve", x="axis", color=paper.muted)
    for row, name in enumerate(("grid", "random")):
        style = {"linestyle": "none", "marker": paper.markers[row], "color": colors[row]}
        paper.line(left, numbers, f"{name}[:, 1]", x=f"{name}[:, 0]", **style)
        style = {"linestyle": "none", "marker": "|", "markersize": 11, "color": colors[row], "markeredgewidth": 2}
        paper.line(left, numbers, "bottom", x=f"places[{row}]", **style)
    left.set(xlabel="the one that matters", ylabel="another", title="Nine draws, and the loss", xlim=(0, 1))
    left.set(ylim=(-0.14, 1.1), yticks=[])
    for row, word in enumerate(("grid", "random", "Sobol")):
        style = {"color": colors[row], "marker": paper.markers[row], "linestyle": paper.dashes[row]}
        paper.line(right, numbers, f"one[{row}]", x="budgets", **style)
        paper.line(right, numbers, f"all[{row}]", x="budgets", **style)
        point = numbers.budgets[2], numbers.one[row, 2]
        paper.label(right, *point, word, color=colors[row], dx=(8, 8, -44)[row], dy=(-12, 12, -6)[row])
    for row in (0, 1):
        paper.theory(right, numbers, f"grid_theory[{row}]", x="budgets")
    paper.label(right, numbers.budgets[2], numbers.all[1, 2], "all four matter", color=paper.muted, dy=16)
    paper.label(right, numbers.budgets[0], numbers.one[2, -1], "one matters", color=paper.muted)
    right.set(xscale="log", yscale="log", xlabel="draws", title="Squared distance from the minimum")
    return figure


# --- importance ------------------------------------------------------------------------------------------------------


class Importance(NamedTuple):
    """Share of the variance of the loss that each hyperparameter explains by itself.

    Attributes:
        shares: Mean over the searches; (task and range, hyperparameter): digits, breast cancer, digits with the rates
            of the narrow range. What is missing to 1 is interplay, noise, and what bends too fast for the estimate.
        intervals: The mean less and plus two standard errors; (task and range, hyperparameter, 2).
        order: Where they stand; (task and range, hyperparameter, 2).
    """

    shares: np.ndarray
    intervals: np.ndarray
    order: np.ndarray


NARROW = {**networks.SPACE, "rate": search.Range(0.03, 0.3, log=True)}
CLASSES = {"digits": 10, "breast_cancer": 2}


def shares_of(task: str, narrow: bool, searches: int, draws: int, steps: int, seed: int) -> np.ndarray:
    """Draw and train several searches, each on rows of its own; give the shares, (search, hyperparameter)."""
    points = search.random_points((draws, len(networks.SPACE)), np.random.default_rng(seed), runs=(searches,))
    kept = {"task": task, "steps": steps, "every": steps, "space": NARROW if narrow else networks.SPACE}
    curves = [networks.trained(own, seed=seed + number, **kept) for number, own in enumerate(points)]
    losses = networks.capped(np.stack([curve.validation[:, -1] for curve in curves]), CLASSES[task])
    return search.importance(points, losses, bins=5)


def importance(searches: int = 6, draws: int = 80, steps: int = 54, seed: int = 0) -> Importance:
    """Search on two tasks, and once more on the first with a narrow range of rates."""
    shares = np.stack(
        [
            shares_of(task, narrow, searches, draws, steps, seed)
            for task, narrow in (("digits", False), ("breast_cancer", False), ("digits", True))
        ]
    )
    mean, error = shares.mean(1), shares.std(1, ddof=1) / math.sqrt(searches)
    places = np.arange(shares.shape[-1]) + 0.22 * np.arange(-1, 2)[:, None]
    intervals = np.stack([mean - 2 * error, mean + 2 * error], -1)
    return Importance(mean, intervals, np.stack([places, places], -1))


def draw_importance(numbers: Importance, paper: Paper) -> Figure:
    """Draw the shares as points beside their names, with their errors."""
    figure, axes = paper.subplots(1, 1, height=360 if paper.wide else 420)
    axis = axes[0, 0]
    colors = paper.palette.blue, paper.palette.green, paper.palette.orange
    words = "digits", "breast cancer", "digits, 0.03 to 0.3"
    for row, (color, word) in enumerate(zip(colors, words, strict=True)):
        for place in range(len(networks.SPACE)):
            paper.line(axis, numbers, f"order[{row}, {place}]", x=f"intervals[{row}, {place}]", color=color)
        style = {"color": color, "marker": paper.markers[row], "linestyle": "none", "markersize": 6, "label": word}
        paper.line(axis, numbers, f"order[{row}, :, 0]", x=f"shares[{row}]", **style)
    axis.set_yticks(range(len(networks.SPACE)), list(networks.SPACE))
    axis.invert_yaxis()
    axis.set(xlabel="share of the variance of the loss", title="What each explains by itself", xlim=(-0.12, 0.5))
    axis.set_xticks([0, 0.2, 0.4], ["0", "20%", "40%"])
    paper.guide(axis.axvline(0, color=paper.muted, linewidth=0.8))
    axis.legend(loc="lower right")
    return figure
