"""The figure of the chapter on adaptive methods that a reader moves: four optimizers in a ravine that is turned.

In the page docs/assets/js/moving/adaptive_methods.js computes the same; a test holds the two equal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import optimizers
from dlnotes.numpy import adaptive_methods, momentum

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper

START, DEGREES, CONDITION = np.array([-2.8, 1.1]), 0.0, 20.0  # with which the figure begins
STEPS = 60
METHODS = {
    "SGD": momentum.Momentum(1.8, 0.0),
    "momentum": momentum.Momentum(0.5, 0.8),
    "RMSprop": adaptive_methods.RMSprop(0.1, 0.9),
    "Adam": adaptive_methods.Adam(0.3),
}


class ByHand(NamedTuple):
    """Paths of four optimizers from one start.

    Attributes:
        x: The first coordinate; (method, step).
        y: The second.
        steps: Steps taken.
        loss: The loss over that at the start; (method, step).
    """

    x: np.ndarray
    y: np.ndarray
    steps: np.ndarray
    loss: np.ndarray


def ravine(degrees: float, condition: float) -> np.ndarray:
    """Give the Hessian with curvature 1 across a ravine and 1 / condition along it, turned by an angle."""
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return turn * np.array([1 / condition, 1]) @ turn.T


def walk(optimizer: optimizers.Optimizer, hessian: np.ndarray, start: np.ndarray, steps: int) -> np.ndarray:
    """Walk down w H w / 2; (step, coordinate)."""
    params = {"w": np.array(start, dtype=float)}
    state, places = optimizer.init(params), [params["w"]]
    for _ in range(steps):
        updates, state = optimizer.update({"w": hessian @ params["w"]}, state, params)
        params = optimizers.apply_updates(params, updates)
        places.append(params["w"])
    return np.array(places)


def by_hand() -> ByHand:
    """Take all from one start in the ravine along the first coordinate."""
    hessian = ravine(DEGREES, CONDITION)
    paths = np.stack([walk(optimizer, hessian, START, STEPS) for optimizer in METHODS.values()])
    losses = (paths @ hessian * paths).sum(-1)
    return ByHand(paths[..., 0], paths[..., 1], np.arange(STEPS + 1), losses / losses[:, :1])


def draw_by_hand(numbers: ByHand, paper: Paper) -> Figure:
    """Draw the paths over lines of equal loss, and their losses."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=300 if paper.wide else 560)
    ground, right = axes.flat
    colors = [getattr(paper.palette, name) for name in ("orange", "blue", "purple", "green")]
    angle = np.linspace(0, 2 * np.pi, 200)
    for loss in (0.05, 0.2, 0.6, 1.5, 3.5):
        ellipse = np.sqrt(2 * loss * CONDITION) * np.cos(angle), np.sqrt(2 * loss) * np.sin(angle)
        paper.guide(ground.plot(*ellipse, color=paper.grid, linewidth=0.8)[0])
    for row, color in enumerate(colors):
        style = {"color": color, "linestyle": paper.dashes[row], "linewidth": 1.5}
        paper.line(ground, numbers, f"y[{row}]", x=f"x[{row}]", **style)
        paper.line(right, numbers, f"loss[{row}]", x="steps", **style)
    paper.line(ground, numbers, "y[0, :1]", x="x[0, :1]", color=paper.ink, marker="o", linestyle="none")
    ground.set(xlim=(-5.2, 5.2), ylim=(-4, 4), xlabel="first weight", ylabel="second weight", title="Four paths")
    ground.grid(False)
    right.set(yscale="log", xlabel="step", title="Loss, over that at the start", xlim=(0, STEPS), ylim=(1e-5, 2))
    right.set_yticks([1e-4, 1e-2, 1])
    ends = np.clip(numbers.loss[:, -1], 1e-4, 1)
    paper.end_labels(right, STEPS, ends, tuple(METHODS), colors)
    return figure
