"""The figure of the chapter on overfitting for early stopping beside ridge, on a quadratic."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes.numpy import momentum, overfitting

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper


class Stopping(NamedTuple):
    """What early stopping and ridge keep of the least-squares solution.

    Attributes:
        products: Curvature times learning rate times steps.
        stopped: Share that descent with small steps has reached.
        ridge: Share that ridge keeps at strength 1 / (learning rate times steps).
        path: Places of descent toward (1, 1), the first curvature ten times the second; (coordinate, step).
        ridge_path: Places of ridge, from strong to weak.
        heavy: Places of descent with momentum 0.9.
    """

    products: np.ndarray
    stopped: np.ndarray
    ridge: np.ndarray
    path: np.ndarray
    ridge_path: np.ndarray
    heavy: np.ndarray


def stopping(condition: float = 10.0, rate: float = 0.05, steps: int = 3000, points: int = 200) -> Stopping:
    """Compare the filters, and walk from 0 down a quadratic whose minimum is (1, 1)."""
    products = np.geomspace(0.01, 100, points)
    small = 100_000  # steps, so many that each is small
    stopped = overfitting.early_stopping_filter(products / small, 1.0, small)
    kept = overfitting.ridge_filter(products, 1.0)
    curvatures = np.array([1.0, 1 / condition])
    counts = np.unique(np.geomspace(1, steps, 120).astype(int))
    path = np.stack([overfitting.early_stopping_filter(curvatures, rate, int(count)) for count in counts], axis=1)
    ridge_path = np.stack([overfitting.ridge_filter(curvatures, 1 / (rate * count)) for count in counts], axis=1)
    heavy = _with_momentum(curvatures, rate, steps)
    start = np.zeros((2, 1))
    path, ridge_path = (np.concatenate([start, way], axis=1) for way in (path, ridge_path))
    return Stopping(products, stopped, kept, path, ridge_path, heavy)


def _with_momentum(curvatures: np.ndarray, rate: float, steps: int) -> np.ndarray:
    """Walk toward (1, 1) with momentum 0.9, at most 400 steps; (coordinate, step)."""
    optimizer = momentum.Momentum(rate, 0.9)
    params = {"w": np.zeros(2)}
    state, places = optimizer.init(params), [params["w"]]
    for _ in range(min(steps, 400)):
        updates, state = optimizer.update({"w": curvatures * (params["w"] - 1)}, state, params)
        params = {"w": params["w"] + updates["w"]}
        places.append(params["w"])
    return np.stack(places, axis=1)


def draw_stopping(numbers: Stopping, paper: Paper) -> Figure:
    """Draw the two filters, and the three ways."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=330 if paper.wide else 600)
    left, right = axes.flat
    blue, orange, green = paper.palette.blue, paper.palette.orange, paper.palette.green
    paper.line(left, numbers, "stopped", x="products", color=blue)
    paper.line(left, numbers, "ridge", x="products", color=green, linestyle=paper.dashes[1])
    left.set(xscale="log", xlabel="curvature × rate × steps", title="Share of the solution", ylim=(0, 1.08))
    left.set_xticks([0.01, 0.1, 1, 10, 100], ["0.01", "0.1", "1", "10", "100"])
    left.minorticks_off()
    left.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    place = int((numbers.stopped - numbers.ridge).argmax())
    at = numbers.products[place]
    paper.label(left, at, numbers.stopped[place], "stopped", color=blue, dx=-8, dy=-2, ha="right")
    paper.label(left, at, numbers.ridge[place], "ridge", color=green, dx=14, dy=-16)
    ways = (("path", blue, paper.dashes[0]), ("ridge_path", green, paper.dashes[1]), ("heavy", orange, paper.dashes[2]))
    for name, color, dash in ways:
        paper.line(right, numbers, f"{name}[1]", x=f"{name}[0]", color=color, linestyle=dash)
    right.set(xlabel="first weight, curvature 1", title="Second weight, curvature 0.1", ylim=(0, 1.3))
    right.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    right.set_xticks([0, 0.5, 1, 1.5], ["0", "0.5", "1", "1.5"])
    high = int(np.searchsorted(numbers.path[1], 0.74))
    paper.label(right, *numbers.path[:, min(high, numbers.path.shape[1] - 1)], "descent", color=blue, dx=8)
    third = int(np.searchsorted(numbers.ridge_path[1], 0.45))
    paper.label(right, *numbers.ridge_path[:, third], "ridge", color=green, dx=-8, dy=-2, ha="right")
    far = int(numbers.heavy[0].argmax())
    paper.label(right, *numbers.heavy[:, far], "momentum 0.9", color=orange, dx=4, dy=-44, ha="right")
    return figure
