"""Figures of the chapter on weight penalties: paths of weights, and the corners of a ball.

The diabetes data have standardized features and a centered target, so that no intercept is needed. The cost is
1/(2n) |y - X w|^2 plus the penalty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import datasets
from dlnotes.numpy import preprocessing, weight_penalties

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper


class Quadratic(NamedTuple):
    """The cost of a linear regression: 1/2 w^T H w - b^T w and a constant.

    Attributes:
        hessian: H = X^T X / n.
        slope: b = X^T y / n.
        inputs: X, standardized.
        targets: y, centered.
        features: The names of the columns.
    """

    hessian: np.ndarray
    slope: np.ndarray
    inputs: np.ndarray
    targets: np.ndarray
    features: tuple[str, ...]


def diabetes() -> Quadratic:
    """Give the regression on the diabetes data."""
    data = datasets.diabetes()
    standardizer = preprocessing.Standardizer()
    x = standardizer.transform(data.inputs, standardizer.fit(data.inputs))
    y = data.targets - data.targets.mean()
    return Quadratic(x.T @ x / len(y), x.T @ y / len(y), x, y, data.features)


def lasso(hessian: np.ndarray, slope: np.ndarray, strengths: np.ndarray, steps: int) -> np.ndarray:
    """Minimize the quadratic with an L1 penalty by proximal steps, from its own minimum; (strength, weight)."""
    rate = 1 / np.linalg.eigvalsh(hessian)[-1]
    w = np.tile(np.linalg.solve(hessian, slope), (len(strengths), 1))
    for _ in range(steps):
        w = weight_penalties.soft_threshold(w - rate * (w @ hessian - slope), rate * strengths)
    return w


def ridge(hessian: np.ndarray, slope: np.ndarray, strengths: np.ndarray) -> np.ndarray:
    """Minimize the quadratic with an L2 penalty: (H + strength I) w = b; (strength, weight)."""
    penalized = hessian + strengths[:, None, None] * np.eye(len(slope))
    return np.linalg.solve(penalized, np.broadcast_to(slope, (len(strengths), len(slope)))[..., None])[..., 0]


# --- paths -----------------------------------------------------------------------------------------------------------


class Paths(NamedTuple):
    """The weights of the diabetes regression over the strength of a penalty.

    Attributes:
        strengths: Strengths of the penalty.
        ridge: Weights under L2; (feature, strength).
        lasso: Weights under L1; (feature, strength).
    """

    strengths: np.ndarray
    ridge: np.ndarray
    lasso: np.ndarray


def paths(points: int = 61, steps: int = 20_000) -> Paths:
    """Minimize the penalized cost at each strength."""
    cost = diabetes()
    strengths = np.geomspace(0.001, 100, points)
    with_l1 = lasso(cost.hessian, cost.slope, strengths, steps)
    return Paths(strengths, ridge(cost.hessian, cost.slope, strengths).T, with_l1.T)


SHOWN = {"s1": 4, "s3": 6, "s5": 8, "bmi": 2}  # the columns that the figure names


def draw_paths(numbers: Paths, paper: Paper) -> Figure:
    """Draw the ten weights under both penalties, four of them in color."""
    shape = (1, 2) if paper.wide else (2, 1)
    figure, axes = paper.subplots(*shape, height=340 if paper.wide else 600, sharey=True)
    four = (paper.palette.orange, paper.palette.green, paper.palette.blue, paper.palette.purple)
    colors = dict(zip(SHOWN, four, strict=True))
    for name, title, axis in zip(("ridge", "lasso"), ("L2: weights", "L1: weights"), axes.flat, strict=True):
        for column in range(10):
            shown = next((word for word, place in SHOWN.items() if place == column), "")
            style = {"color": colors.get(shown, paper.muted), "linewidth": 2 if shown else 0.8}
            dash = paper.dashes[list(SHOWN).index(shown)] if shown else "-"
            paper.line(axis, numbers, f"{name}[{column}]", x="strengths", linestyle=dash, **style)
        axis.set(xscale="log", xlabel="strength of the penalty", title=title, xlim=(0.001, 100), ylim=(-42, 42))
        axis.set_xticks([0.001, 0.1, 10], ["0.001", "0.1", "10"])
        paper.guide(axis.axhline(0, color=paper.ink, linewidth=0.8))
    places = {"ridge": {"s1": (10, -24), "s3": (26, -13), "s5": (13, 15), "bmi": (36, 13)}}
    places["lasso"] = {"s1": (22, 20), "s3": (38, -14), "s5": (26, 14), "bmi": (44, 13)}
    for name, axis in zip(places, axes.flat, strict=True):
        for word, (place, dy) in places[name].items():
            place = place * (len(numbers.strengths) - 1) // 60
            point = numbers.strengths[place], getattr(numbers, name)[SHOWN[word], place]
            paper.label(axis, *point, word, color=colors[word], dy=dy, ha="center")
    return figure


# --- corners ---------------------------------------------------------------------------------------------------------


HALF = 2.5  # how far the map reaches to either side


class Corners(NamedTuple):
    """Two weights, and where the least cost lies in a ball of either penalty.

    Attributes:
        minimum: The minimum of the cost without a bound; (w1 and w2).
        diamond: Outline of the ball of L1; (w1 and w2, point).
        circle: Outline of the ball of L2; (w1 and w2, point).
        best: The place of least cost in the ball of L1, and in that of L2; (ball, w1 and w2).
        levels: The line of that cost through either place; (ball, w1 and w2, point).
        zeros: How many weights L1 sets to 0, for a minimum in each cell; (w2, w1).
        lines: Where the minimum must lie for L2 to set w1 to 0, and w2; (weight, w1 and w2, end).
    """

    minimum: np.ndarray
    diamond: np.ndarray
    circle: np.ndarray
    best: np.ndarray
    levels: np.ndarray
    zeros: np.ndarray
    lines: np.ndarray


def corners(correlation: float = 0.5, strength: float = 0.5, points: int = 121) -> Corners:
    """Take the cost 1/2 (w - m)^T H (w - m), H with 1 on the diagonal and the correlation beside it."""
    hessian = np.array([[1, correlation], [correlation, 1]])
    minimum = np.array([0.5, 1.9])
    angles = np.linspace(0, 2 * np.pi, 361)
    circle = np.stack([np.cos(angles), np.sin(angles)])
    diamond = circle / np.abs(circle).sum(0)
    diamond[np.abs(diamond) < 1e-12] = 0
    values, vectors = np.linalg.eigh(hessian)
    best, levels = [], []
    for ball in (diamond, circle):
        away = ball - minimum[:, None]
        costs = np.einsum("ip,ij,jp->p", away, hessian, away) / 2
        best.append(ball[:, np.argmin(costs)])
        ellipse = np.sqrt(2 * costs.min()) * vectors @ (circle / np.sqrt(values)[:, None])
        levels.append(minimum[:, None] + ellipse)
    places = np.linspace(-HALF, HALF, points)
    middles = (places[1:] + places[:-1]) / 2
    minima = np.stack(np.meshgrid(middles, middles), axis=-1).reshape(-1, 2)
    w, rate = minima, 1 / (1 + abs(correlation))
    for _ in range(300):
        w = weight_penalties.soft_threshold(w - rate * (w - minima) @ hessian, rate * strength)
    zeros = (w == 0).sum(-1).reshape(len(middles), -1)
    shrinks = np.linalg.solve(hessian + strength * np.eye(2), hessian)  # what L2 makes of the minimum
    across = np.stack([[-row[1], row[0]] / np.abs(row).max() for row in shrinks])
    lines = across[..., None] * places[[0, -1]]
    return Corners(minimum, diamond, circle, np.array(best), np.array(levels), zeros, lines)


def draw_corners(numbers: Corners, paper: Paper) -> Figure:
    """Draw the balls with the cost, and the map of minima."""
    shape = (1, 2) if paper.wide else (2, 1)
    figure, axes = paper.subplots(*shape, height=340 if paper.wide else 660)
    left, right = axes.flat
    colors = paper.palette.orange, paper.palette.blue
    for ball, (name, color) in enumerate(zip(("diamond", "circle"), colors, strict=True)):
        dash = paper.dashes[ball]
        paper.line(left, numbers, f"{name}[1]", x=f"{name}[0]", color=color, linestyle=dash)
        paper.line(left, numbers, f"levels[{ball}, 1]", x=f"levels[{ball}, 0]", color=color, linewidth=0.9)
        style = {"color": color, "marker": paper.markers[ball], "linestyle": "none", "markersize": 7}
        paper.line(left, numbers, f"best[{ball}, 1:2]", x=f"best[{ball}, 0:1]", **style)
    paper.line(left, numbers, "minimum[1:2]", x="minimum[0:1]", color=paper.ink, marker="+", linestyle="none")
    paper.label(left, *numbers.minimum, "minimum", dx=6, dy=-8)
    paper.label(left, 0, -0.3, "L1", color=colors[0], ha="center")
    paper.label(left, 0.74, -0.74, "L2", color=colors[1], dx=9, dy=-9)
    left.set(xlim=(-1.5, 2.6), ylim=(-1.5, 2.6), title="Least cost in a ball", xlabel="w1", ylabel="w2")
    left.set_aspect("equal")
    left.grid(False)
    ends = -HALF, HALF
    style = {"cmap": paper.ramp, "vmin": 0, "vmax": 3, "interpolation": "nearest"}
    paper.mark(right.imshow(numbers.zeros, origin="lower", extent=(*ends, *ends), aspect="equal", **style), "zeros")
    for weight in range(2):
        line = paper.theory(right, numbers, f"lines[{weight}, 1]", x=f"lines[{weight}, 0]", linewidth=1.4)
        line.set_path_effects(paper.halo(3))
    right.set(xlim=ends, ylim=ends, title="Minima that give zeros", xlabel="w1 of the minimum", ylabel="w2")
    right.grid(False)
    for x, y, word in ((0.02, 2.1, "w1 = 0"), (1.75, 0.05, "w2 = 0"), (1.6, 1.6, "none 0")):
        paper.label(right, x, y, word, ha="center", path_effects=[])
    leader = {"arrowstyle": "-", "color": paper.ink, "linewidth": 0.8}
    paper.label(right, -0.45, 0.6, "both 0", ha="center", dx=-62, dy=58, arrowprops=leader)
    return figure
