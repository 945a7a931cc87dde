"""The figure of the chapter on activations that a reader moves: value, slope, and a gradient behind many such slopes.

In the page docs/assets/js/moving/activations.js computes the same at the reader's point; a test holds the two equal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes.numpy import activations

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper

ACTIVATION, POINT, UNITS = "sigmoid", 2.0, 10  # with which the figure begins
LIMIT = 4.0
SHOWN = {"sigmoid": "sigmoid", "tanh": "tanh", "relu": "ReLU", "leaky_relu": "leaky ReLU", "elu": "ELU",
         "selu": "SELU", "softplus": "softplus", "gelu": "GELU", "silu": "SiLU"}  # fmt: skip
SMALLEST = 1e-15  # that is drawn


class ByHand(NamedTuple):
    """One activation, and at one point all of them.

    Attributes:
        points: Pre-activations at which the activation is drawn.
        values: The activation there.
        slopes: Its slope.
        point: The pre-activation looked at.
        value: The activation there.
        slope: Its slope there.
        rows: The places of the activations, one below the other.
        left: What is left of a gradient of 1 behind ten units at that point, for each activation.
    """

    points: np.ndarray
    values: np.ndarray
    slopes: np.ndarray
    point: np.ndarray
    value: np.ndarray
    slope: np.ndarray
    rows: np.ndarray
    left: np.ndarray


def by_hand() -> ByHand:
    """Evaluate one activation on a grid, and all at one point."""
    x, point = np.linspace(-LIMIT, LIMIT, 321), np.array([POINT])
    function, slope = activations.lookup(ACTIVATION)
    left = np.concatenate([activations.lookup(name).slope(point) for name in SHOWN]) ** UNITS
    return ByHand(x, function(x), slope(x), point, function(point), slope(point), np.arange(len(SHOWN)), left)


def draw_by_hand(numbers: ByHand, paper: Paper) -> Figure:
    """Draw value and slope with the point on them, and a bar for what each activation leaves of a gradient."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=300 if paper.wide else 560)
    curve, back = axes.flat
    paper.guide(curve.axvline(POINT, color=paper.grid, linewidth=0.9, zorder=0))
    colors = (paper.palette.blue, paper.palette.orange)
    for name, one, color, dash, height in zip(
        ("values", "slopes"), ("value", "slope"), colors, paper.dashes, (3.85, 3.2), strict=False
    ):
        paper.line(curve, numbers, name, x="points", color=color, linestyle=dash)
        paper.line(curve, numbers, one, x="point", color=color, marker="o", markersize=7, linestyle="none")
        paper.label(curve, -LIMIT, height, one, dx=8, color=color)
    curve.set(xlim=(-LIMIT, LIMIT), ylim=(-2, 4.3), xlabel="pre-activation z", title="Value and slope of the sigmoid")
    curve.set_yticks(range(-1, 5))  # the lowest would meet the leftmost of the other axis
    own = [colors[0] if name == ACTIVATION else paper.muted for name in SHOWN]
    paper.guide(back.hlines(numbers.rows, np.minimum(numbers.left, 1), np.maximum(numbers.left, 1), own, linewidth=9))
    paper.line(back, numbers, "rows", x="left", color=paper.ink, marker="|", markersize=10, linestyle="none")
    paper.guide(back.axvline(1, color=paper.ink, linewidth=1, linestyle=paper.dashes[1]))
    back.set(
        xscale="log", xlim=(SMALLEST, 100), xlabel="all units at z = 2", title=f"A gradient of 1 after {UNITS} slopes"
    )
    back.set_xticks([1e-12, 1e-8, 1e-4, 1])
    back.set_yticks(numbers.rows, SHOWN.values())
    back.set_ylim(len(SHOWN) - 0.5, -0.5)
    back.grid(False)
    return figure
