"""The figure of the momentum chapter that a reader moves: one setting in the plane, and its path down the bowl.

In the page docs/assets/js/moving/momentum.js computes the same from the reader's setting; a test holds the two equal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes.figures import momentum as figures
from dlnotes.numpy import momentum

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper

RATE, BETA, CONDITION = 1.0, 0.5, 30.0  # with which the figure begins
START = np.array([-10.0, 2.0])
STEPS = 60  # of the path that is drawn
CELLS = (50, 80)  # of the map, in beta and in the rate
LEVELS = np.array([6, 12, 25, 50, 100])  # steps for a factor of ten, where the shade of the map changes


class ByHand(NamedTuple):
    """One setting of the heavy ball on a quadratic.

    Attributes:
        shade: How fast each setting is, from 5, at most 6 steps for a factor of ten, to 0, above 100; nan where the
            error grows; (beta, rate).
        betas: Betas for which the limit is drawn.
        limits: The learning rate from which on the error grows.
        rate: The learning rate of the setting and that of the best one.
        beta: The betas that go with them.
        x: The path's coordinate along the flat axis.
        y: The one along the steep axis.
    """

    shade: np.ndarray
    betas: np.ndarray
    limits: np.ndarray
    rate: np.ndarray
    beta: np.ndarray
    x: np.ndarray
    y: np.ndarray


def by_hand() -> ByHand:
    """Take curvatures of 1 / condition and 1; the shades are those of the middles of the cells."""
    curvatures = np.array([1 / CONDITION, 1.0])
    rows, columns = CELLS
    rates = (np.arange(columns) + 0.5) / columns * figures.RATES[1]
    betas = (np.arange(rows) + 0.5) / rows
    shape = (2, rows, columns)
    grids = [np.broadcast_to(one, shape) for one in (curvatures[:, None, None], rates, betas[:, None])]
    slowest = momentum.contraction(*grids).max(0)
    tenfold = -1 / np.log10(np.minimum(slowest, 1 - 1e-15))
    shade = np.where(slowest < 1, len(LEVELS) - np.searchsorted(LEVELS, tenfold), np.nan)
    best = momentum.best_momentum(*curvatures)
    path = figures.walk(momentum.Momentum(RATE, BETA), curvatures, START, STEPS)
    fine = np.linspace(0, 1, 101)
    setting = np.array([[RATE, best.learning_rate], [BETA, best.beta]])
    return ByHand(shade, fine, 2 * (1 + fine), *setting, *path.T)


def draw_by_hand(numbers: ByHand, paper: Paper) -> Figure:
    """Draw the map with the setting, and the path over lines of equal loss."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=300 if paper.wide else 560)
    plane, bowl = axes.flat
    style = {"cmap": paper.ramp, "vmin": 0, "vmax": len(LEVELS), "interpolation": "nearest"}
    extent = (*figures.RATES, 0, 1)
    paper.mark(plane.imshow(numbers.shade, origin="lower", extent=extent, aspect="auto", **style), "shade")
    paper.theory(plane, numbers, "betas", x="limits", linewidth=1.2, path_effects=paper.halo(2.5))
    grows = {"facecolor": "none", "edgecolor": paper.ink, "linewidth": 0, "hatch": "///", "alpha": 0.35}
    paper.guide(plane.fill_betweenx(numbers.betas, numbers.limits, figures.RATES[1], **grows))
    style = {"linestyle": "none", "markeredgecolor": paper.background}
    paper.line(plane, numbers, "beta[:1]", x="rate[:1]", color=paper.palette.orange, marker="o", markersize=9, **style)
    style = {"linestyle": "none", "markeredgecolor": paper.ink, "markerfacecolor": paper.background}
    paper.line(plane, numbers, "beta[1:]", x="rate[1:]", marker="o", markersize=6, **style)
    paper.label(plane, numbers.rate[1], numbers.beta[1], "best", dx=-9, ha="right")
    plane.set(xlim=figures.RATES, ylim=(0, 1), xlabel="learning rate", ylabel="beta", title="Learning rate and beta")
    plane.set_yticks([0.2, 0.4, 0.6, 0.8, 1.0])
    angle = np.linspace(0, 2 * np.pi, 200)
    for loss in (0.2, 1, 3, 6):
        ellipse = np.sqrt(2 * loss * CONDITION) * np.cos(angle), np.sqrt(2 * loss) * np.sin(angle)
        paper.guide(bowl.plot(*ellipse, color=paper.grid, linewidth=0.8)[0])
    style = {"color": paper.palette.orange, "marker": "o", "markersize": 3, "linewidth": 1.2}
    paper.line(bowl, numbers, "y", x="x", **style)
    bowl.set(xlim=(-12, 12), ylim=(-4, 4), xlabel="flat axis", ylabel="steep axis", title="The path, 60 steps")
    for one in (plane, bowl):
        one.grid(False)
    return figure
