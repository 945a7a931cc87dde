"""Figures of the chapter on activations that are nothing but the functions: a gallery, and two short forms of GELU."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes.numpy import activations

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper

# --- the gallery -----------------------------------------------------------------------------------------------------


class Gallery(NamedTuple):
    """Twelve functions with their slopes and second slopes.

    Attributes:
        points: Where they are evaluated.
        values: The functions; (function, point).
        slopes: Their derivatives.
        curvatures: Their second derivatives; 0 at kinks, where there is none.
    """

    points: np.ndarray
    values: np.ndarray
    slopes: np.ndarray
    curvatures: np.ndarray


SHOWN = (
    "sigmoid",
    "tanh",
    "softplus",
    "ReLU",
    "leaky ReLU",
    "PReLU",
    "ELU",
    "SELU",
    "maxout",
    "GELU",
    "SiLU",
    "SwiGLU",
)
# Three lines for the maxout unit that is drawn: their slopes, and where they cross the vertical axis.
LINES = np.array([[-0.5, 0.2, 1.0], [-0.9, 0.0, -0.8]])


def gallery(points: int = 321, limit: float = 4.0, negative_slopes: tuple[float, float] = (0.1, 0.25)) -> Gallery:
    """Evaluate all twelve. Maxout takes the largest of three lines; SwiGLU is drawn where its gate is its value."""
    x = np.linspace(-limit, limit, points)
    kinked = {}
    for name, slope in zip(("leaky ReLU", "PReLU"), negative_slopes, strict=True):
        learned = np.array([slope])
        back = activations.prelu_backward(np.ones((points, 1)), x[:, None], learned)
        kinked[name] = (activations.prelu(x[:, None], learned)[:, 0], back.x[:, 0])
    maps = x[:, None] * LINES[0] + LINES[1]
    won = activations.maxout_backward(np.ones((points, 1)), maps, 3)
    kinked["maxout"] = (activations.maxout(maps, 3)[:, 0], won @ LINES[0])
    kinked["ReLU"] = (activations.relu(x), activations.relu_slope(x))
    both = np.stack((x, x), axis=-1)
    gated = activations.swiglu_backward(np.ones((points, 1)), both).sum(-1)
    gated_curvature = 2 * activations.silu_slope(x) + x * activations.silu_second_derivative(x)
    rows = []
    for name in SHOWN:
        if name in kinked:
            rows.append((*kinked[name], np.zeros(points)))
        elif name == "SwiGLU":
            rows.append((activations.swiglu(both)[:, 0], gated, gated_curvature))
        else:
            function, slope = activations.lookup(name.lower())
            rows.append((function(x), slope(x), activations.SECOND_DERIVATIVES[name.lower()](x)))
    return Gallery(x, *np.array(rows).swapaxes(0, 1))


def draw_gallery(numbers: Gallery, paper: Paper) -> Figure:
    """Draw a panel for each function: value, slope and second slope on the same axes."""
    rows, columns = (3, 4) if paper.wide else (4, 3)
    figure, axes = paper.subplots(rows, columns, height=520 if paper.wide else 560, sharex=True, sharey=True)
    lines = (("values", paper.palette.blue, 0), ("slopes", paper.palette.orange, 1), ("curvatures", paper.muted, 2))
    order = range(12) if not paper.wide else (0, 1, 3, 4, 5, 6, 7, 2, 8, 9, 10, 11)
    for own, row in zip(axes.flat, order, strict=True):
        for name, color, dash in lines:
            style = {"color": color, "linestyle": paper.dashes[dash], "linewidth": 1.6 if dash < 2 else 1.1}
            paper.line(own, numbers, f"{name}[{row}]", x="points", **style)
        own.set(title=SHOWN[row], xlim=(-4, 4), ylim=(-1.9, 2.4), xticks=(-3, 0, 3), yticks=(-1, 0, 1, 2))
        paper.guide(own.axvline(0, color=paper.grid, linewidth=0.6, zorder=0))
    words = ("value", "slope", "second slope")
    handles = [axes.flat[0].get_lines()[place] for place in range(3)]
    figure.legend(handles, words, loc="outside lower center", ncols=3)
    return figure


# --- forms of GELU ---------------------------------------------------------------------------------------------------


class Forms(NamedTuple):
    """What two shorter forms of GELU differ from the exact one.

    Attributes:
        points: Where they are evaluated.
        tanh: The form with tanh, less the exact one.
        sigmoid: x sigmoid(1.702 x), less the exact one.
    """

    points: np.ndarray
    tanh: np.ndarray
    sigmoid: np.ndarray


def forms(points: int = 601, limit: float = 6.0) -> Forms:
    """Subtract."""
    x = np.linspace(-limit, limit, points)
    exact = activations.gelu(x)
    return Forms(x, activations.gelu(x, "tanh") - exact, x * activations.sigmoid(1.702 * x) - exact)


def draw_forms(numbers: Forms, paper: Paper) -> Figure:
    """Draw both differences, each on its own scale."""
    figure, ((*axes,),) = paper.subplots(1, 2, height=240)
    for own, name, color in zip(axes, ("tanh", "sigmoid"), (paper.palette.blue, paper.palette.orange), strict=True):
        paper.line(own, numbers, name, x="points", color=color)
        own.set(xlabel="z", xticks=(-5, 0, 5))
    axes[0].set(title="Form with tanh", ylim=(-6e-4, 6e-4))
    axes[0].set_yticks((-5e-4, 0, 5e-4), ("−0.0005", "0", "0.0005"))
    axes[1].set(title="Form with sigmoid", ylim=(-0.024, 0.024))
    axes[1].set_yticks((-0.02, 0, 0.02), ("−0.02", "0", "0.02"))
    return figure
