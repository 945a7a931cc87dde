"""Figures of the chapter on momentum: what it does on a quadratic without noise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import optimizers
from dlnotes.numpy import momentum

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper


def walk(optimizer: optimizers.Optimizer, curvatures: np.ndarray, start: np.ndarray, steps: int) -> np.ndarray:
    """Walk down a quadratic whose minimum is 0 and whose axes are the coordinates; (step, coordinate)."""
    params = {"w": np.array(start, dtype=float)}
    state, points = optimizer.init(params), [params["w"]]
    for _ in range(steps):
        updates, state = optimizer.update({"w": curvatures * params["w"]}, state, params)
        params = optimizers.apply_updates(params, updates)
        points.append(params["w"])
    return np.array(points)


# --- descent, Nesterov and the heavy ball on one quadratic -----------------------------------------------------------


class Hundred(NamedTuple):
    """Distance to the minimum of a quadratic under descent, Nesterov's method and the heavy ball.

    Attributes:
        steps: Steps taken.
        distances: Distance, over that at the start; (method, step).
        rates: The spectral radius of each method.
        powers: The spectral radius to the power of the step; (method, step).
        fit: For the heavy ball the length of (a + b t) rho^t on both axes, a and b from the first two points.
    """

    steps: np.ndarray
    distances: np.ndarray
    rates: np.ndarray
    powers: np.ndarray
    fit: np.ndarray


def hundred(condition: float = 100.0, last: int = 100) -> Hundred:
    """Start at distance 1 along the flattest and along the steepest axis, each method with its usual best constants."""
    curvatures = np.array([1 / condition, 1.0])
    best = momentum.best_momentum(1 / condition, 1.0)
    root = math.sqrt(condition)
    constants = ((2 / (1 + 1 / condition), 0.0, False), (1.0, (root - 1) / (root + 1), True), (*best[:2], False))
    paths, rates = [], []
    for rate, beta, nesterov in constants:
        optimizer = momentum.Nesterov(rate, beta) if nesterov else momentum.Momentum(rate, beta)
        paths.append(walk(optimizer, curvatures, np.ones(2), last))
        rates.append(momentum.contraction(curvatures, rate, beta, nesterov).max())
    steps = np.arange(last + 1)
    distances = np.linalg.norm(paths, axis=-1) / math.sqrt(2)
    signs = np.stack((np.ones(last + 1), (-1.0) ** steps), axis=-1)
    powers = np.array(rates)[:, None] ** steps
    scaled = signs[:2] * paths[2][:2] / powers[2, :2, None]
    lines = scaled[0] + (scaled[1] - scaled[0]) * steps[:, None]
    fit = np.linalg.norm(lines * powers[2, :, None], axis=-1) / math.sqrt(2)
    return Hundred(steps, distances, np.array(rates), powers, fit)


def _methods(paper: Paper) -> tuple[tuple[str, str, str], tuple[str, str, str]]:
    """Give names and colors of the three methods."""
    return ("descent", "Nesterov", "heavy ball"), (paper.palette.orange, paper.palette.green, paper.palette.blue)


def draw_hundred(numbers: Hundred, paper: Paper) -> Figure:
    """Draw the distances on a logarithmic scale, and the powers of the spectral radius."""
    figure, ((axes,),) = paper.subplots(height=340)
    names, colors = _methods(paper)
    for method, color in enumerate(colors):
        style = {"color": color, "marker": paper.markers[method], "markevery": max(1, len(numbers.steps) // 10)}
        paper.line(axes, numbers, f"distances[{method}]", x="steps", **style)
        paper.theory(axes, numbers, f"powers[{method}]", x="steps", color=color)
    style = {"color": paper.ink, "linestyle": (0, (0.5, 2)), "linewidth": 4, "zorder": 4}  # wider than the line
    paper.line(axes, numbers, "fit", x="steps", **style)
    axes.set(yscale="log", xlabel="step", title="Distance to the minimum", xlim=(0, numbers.steps[-1]))
    texts = [f"{name}\n{rate:.4f}" for name, rate in zip(names, numbers.rates, strict=True)]
    labels = paper.end_labels(axes, numbers.steps[-1], numbers.distances[:, -1], texts, colors)
    for method, label in enumerate(labels):
        paper.mark(label, f"rates[{method}]")
    return figure


# --- the ravine ------------------------------------------------------------------------------------------------------


class Ravine(NamedTuple):
    """Paths down 0.1 x^2 + 2 y^2 at one learning rate, under beta 0, 0.25 and 0.5.

    Attributes:
        x: The first coordinate; (beta, step).
        y: The second.
        steps: Steps taken.
        distances: Distance to the minimum; (beta, step).
        radii: Each beta, and the spectral radius under it; (beta, 2).
        powers: The distance at the start times the spectral radius to the power of the step; (beta, step).
    """

    x: np.ndarray
    y: np.ndarray
    steps: np.ndarray
    distances: np.ndarray
    radii: np.ndarray
    powers: np.ndarray


RAVINE = np.array([0.2, 4.0])
BETAS = (0.0, 0.25, 0.5)


def ravine(rate: float = 0.6, last: int = 20) -> Ravine:
    """Start at (-5, -2)."""
    paths = np.stack([walk(momentum.Momentum(rate, beta), RAVINE, np.array([-5.0, -2.0]), last) for beta in BETAS])
    radii = np.array([momentum.contraction(RAVINE, rate, beta).max() for beta in BETAS])
    distances, steps = np.linalg.norm(paths, axis=-1), np.arange(last + 1)
    powers = distances[:, :1] * radii[:, None] ** steps
    return Ravine(paths[..., 0], paths[..., 1], steps, distances, np.stack((BETAS, radii), axis=-1), powers)


def draw_ravine(numbers: Ravine, paper: Paper) -> Figure:
    """Draw the paths over lines of equal loss, and their distances."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=300 if paper.wide else 540)
    plane, right = axes.flat
    colors = (paper.palette.orange, paper.palette.purple, paper.palette.blue)
    angle = np.linspace(0, 2 * np.pi, 200)
    for loss in (0.1, 0.5, 2, 5, 10):
        ellipse = np.sqrt(loss / 0.1) * np.cos(angle), np.sqrt(loss / 2) * np.sin(angle)
        paper.guide(plane.plot(*ellipse, color=paper.grid, linewidth=0.8)[0])
    for row, color in enumerate(colors):
        style = {"color": color, "marker": paper.markers[row], "markersize": 3, "linewidth": 1.2, "clip_on": True}
        shown = f"{row}, :{4 if row == 0 else len(numbers.steps)}"  # the first path leaves the picture
        paper.line(plane, numbers, f"y[{shown}]", x=f"x[{shown}]", **style)
        paper.line(right, numbers, f"distances[{row}]", x="steps", **{**style, "linewidth": 1.6})
        paper.theory(right, numbers, f"powers[{row}]", x="steps", color=color)
    plane.set(xlim=(-5.6, 3.5), ylim=(-4, 4), title="Paths", xlabel="x", ylabel="y")
    plane.grid(False)
    right.set(yscale="log", xlabel="step", title="Distance to the minimum", xlim=(0, numbers.steps[-1]))
    texts = [f"beta {beta:g}\n{radius:.3f}" for beta, radius in numbers.radii]
    for row, label in enumerate(paper.end_labels(right, numbers.steps[-1], numbers.powers[:, -1], texts, colors)):
        paper.mark(label, f"radii[{row}]")
    return figure


# --- the plane of learning rate and beta -----------------------------------------------------------------------------


class Plane(NamedTuple):
    """Steps for a factor of ten on a quadratic, over learning rate and beta.

    Attributes:
        heavy_ball: log10 of the steps in which the slowest error falls to a tenth; nan where it does not; (beta, rate).
        nesterov: The same for Nesterov's method; nan likewise.
        betas: Betas for which the limit is drawn.
        limits: Learning rate times largest curvature from which on the error grows; (method, beta).
        best: The heavy ball's best rate, and the usual one of Nesterov's method; (method,).
        best_beta: The beta that goes with it; (method,).
    """

    heavy_ball: np.ndarray
    nesterov: np.ndarray
    betas: np.ndarray
    limits: np.ndarray
    best: np.ndarray
    best_beta: np.ndarray


RATES = (0.0, 4.0)


def plane(condition: float = 100.0, points: int = 61) -> Plane:
    """Take the slowest of 30 curvatures between 1 / condition and 1, in each cell."""
    middles = (np.arange(points) + 0.5) / points
    rates, betas = RATES[1] * middles, middles
    curvatures = np.geomspace(1 / condition, 1, 30)[:, None, None]
    shape = (30, points, points)
    grids = [np.broadcast_to(one, shape) for one in (curvatures, rates, betas[:, None])]
    maps = []
    for nesterov in (False, True):
        slowest = momentum.contraction(*grids, nesterov).max(0)
        slowest = np.where(slowest < 1, slowest, np.nan)
        maps.append(np.log10(-1 / np.log10(slowest)))
    fine = np.linspace(0, 1, 101)
    limits = np.stack((2 * (1 + fine), 2 * (1 + fine) / (1 + 2 * fine)))
    best = momentum.best_momentum(1 / condition, 1.0)
    usual = 1.0, (math.sqrt(condition) - 1) / (math.sqrt(condition) + 1)
    return Plane(*maps, fine, limits, *np.array([best[:2], usual]).T)


def draw_plane(numbers: Plane, paper: Paper) -> Figure:
    """Draw one map for each method, with the limit of stability."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=330 if paper.wide else 620)
    for place, (own, name) in enumerate(zip(axes.flat, ("heavy_ball", "nesterov"), strict=True)):
        values = paper.value(numbers, name)
        style = {"cmap": paper.ramp.reversed(), "vmin": 1, "vmax": 3, "interpolation": "nearest"}
        mesh = own.imshow(values, origin="lower", extent=(*RATES, 0, 1), aspect="auto", **style)
        paper.mark(mesh, name)
        halo = paper.halo(2.5)
        paper.theory(own, numbers, "betas", x=f"limits[{place}]", linewidth=1.2, path_effects=halo)
        grows = {"facecolor": "none", "edgecolor": paper.ink, "linewidth": 0, "hatch": "///", "alpha": 0.35}
        paper.guide(own.fill_betweenx(numbers.betas, numbers.limits[place], RATES[1], **grows))
        style = {"color": paper.ink, "marker": "o", "linestyle": "none", "markersize": 6}
        paper.line(own, numbers, f"best_beta[{place}:{place + 1}]", x=f"best[{place}:{place + 1}]", **style)
        point = numbers.best[place], numbers.best_beta[place]
        moved = {"dx": 0, "dy": -16, "ha": "center"} if place else {"dx": 12}
        paper.label(own, *point, ("best", "usual")[place], **moved)
        own.set(xlim=RATES, ylim=(0, 1), xlabel="learning rate x largest curvature", ylabel="beta")
        own.set_yticks([0.2, 0.4, 0.6, 0.8, 1.0])
        own.set_title(("Heavy ball", "Nesterov")[place])
        own.grid(False)
    paper.color_scale(figure, mesh, axes, "steps for a factor of ten", [1, 2, 3], ["10", "100", "1000"])
    return figure
