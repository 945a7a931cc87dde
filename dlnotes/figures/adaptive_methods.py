"""Figures of the chapter on adaptive methods that need no network: a ravine, the first steps, singular values.

Quantiles over runs are 10%, 50% and 90%, and stand on an axis of three in this order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import optimizers
from dlnotes.numpy import adaptive_methods, minibatch, momentum

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper


# --- a ravine that is turned -----------------------------------------------------------------------------------------


class Rotation(NamedTuple):
    """Loss that four optimizers leave in a ravine, over the angle between the ravine and the coordinates.

    Attributes:
        degrees: Angles.
        losses: Loss over the first loss after a number of steps, at the best of many rates; (optimizer, quantile,
            angle). The quantiles are over starts. What is below 1e-16 is given as 1e-16.
        rates: The rates; (optimizer, angle).
    """

    degrees: np.ndarray
    losses: np.ndarray
    rates: np.ndarray


FLOOR = 1e-16
MOVERS: dict[str, tuple[Callable, np.ndarray]] = {
    "descent": (minibatch.SGD, np.linspace(1, 2, 51)),
    "RMSprop": (adaptive_methods.RMSprop, np.geomspace(0.01, 1, 41)),
    "Adam": (adaptive_methods.Adam, np.geomspace(0.01, 3, 51)),
    "momentum": (momentum.Momentum, np.linspace(0.05, 3.75, 75)),
}


def ravines(degrees: np.ndarray, condition: float) -> tuple[np.ndarray, np.ndarray]:
    """Give bases turned by the angles, and Hessians with the curvatures 1 and 1 / condition along them."""
    angles = np.deg2rad(degrees)
    cosine, sine = np.cos(angles), np.sin(angles)
    turned = np.stack([np.stack([cosine, -sine], -1), np.stack([sine, cosine], -1)], -2)
    return turned, turned * np.array([1, 1 / condition]) @ turned.mT


def losses_left(
    make: Callable, rates: np.ndarray, degrees: np.ndarray, condition: float, starts: int, steps: int, seed: int
) -> np.ndarray:
    """Give the loss after so many steps over the first loss, infinity where it diverged; (rate, angle, start)."""
    turned, hessians = ravines(degrees, condition)
    ahead = np.random.default_rng(seed).normal(size=(starts, 2))
    runs = (len(rates), len(degrees), starts)
    first = params = {"w": np.broadcast_to(ahead @ turned.mT, (*runs, 2))}  # along the ravine all angles start alike
    optimizer = make(np.broadcast_to(rates[:, None, None], runs))
    state = optimizer.init(params)
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(steps):
            updates, state = optimizer.update({"w": params["w"] @ hessians}, state, params)
            params = optimizers.apply_updates(params, updates)
        last, start = (((p["w"] @ hessians) * p["w"]).sum(-1) for p in (params, first))
        return np.nan_to_num(last / start, nan=np.inf)


def rotation(condition: float = 100.0, starts: int = 24, steps: int = 100, every: int = 5, seed: int = 0) -> Rotation:
    """Find the best rate at each angle by the median over starts, and the loss that it leaves."""
    degrees = np.arange(0, 46, every)
    losses, best = [], []
    for make, rates in MOVERS.values():
        left = losses_left(make, rates, degrees, condition, starts, steps, seed)
        winner = np.median(left, -1).argmin(0)
        own = left[winner, np.arange(len(degrees))]
        losses.append(np.maximum(np.quantile(own, (0.1, 0.5, 0.9), axis=-1, method="nearest"), FLOOR))
        best.append(rates[winner])
    return Rotation(degrees, np.array(losses), np.array(best))


def draw_rotation(numbers: Rotation, paper: Paper) -> Figure:
    """Draw the loss left over the angle, and the best rates."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=300 if paper.wide else 520)
    left, right = axes.flat
    colors = (paper.muted, paper.palette.blue, paper.palette.orange, paper.palette.green)
    for row, color in enumerate(colors):
        paper.band(left, numbers, f"losses[{row}, 0]", f"losses[{row}, 2]", x="degrees", color=color)
        style = {"color": color, "marker": paper.markers[row], "linestyle": paper.dashes[row]}
        paper.line(left, numbers, f"losses[{row}, 1]", x="degrees", **style)
        paper.line(right, numbers, f"rates[{row}]", x="degrees", **style)
    left.set(yscale="log", title="Loss left after the steps", xlabel="degrees", ylim=(FLOOR / 5, 0.1))
    left.set_yticks([1e-16, 1e-12, 1e-8, 1e-4], ["1e-16", "1e-12", "1e-8", "0.0001"])
    right.set(yscale="log", title="Best rate", xlabel="degrees")
    right.set_yticks([0.1, 0.3, 1, 3], ["0.1", "0.3", "1", "3"])
    for own, values in ((left, numbers.losses[:, 1, -1]), (right, numbers.rates[:, -1])):
        own.set_xlim(-1, numbers.degrees[-1])
        own.set_xticks([0, 15, 30, 45])
        own.minorticks_off()
        paper.end_labels(own, numbers.degrees[-1], values, list(MOVERS), colors)
    return figure


# --- the first steps -------------------------------------------------------------------------------------------------


def uncorrected_ratio(steps: np.ndarray, beta1: float = 0.9, beta2: float = 0.999) -> np.ndarray:
    """Give how many times as long Adam's steps are without its corrections, at epsilon = 0.

        (1 - beta1^t) / sqrt(1 - beta2^t)

    Args:
        steps: t, from 1.
        beta1: How much of the average gradient is kept.
        beta2: How much of the average square is kept.
    """
    return (1 - beta1**steps) / np.sqrt(1 - beta2**steps)


def first_lengths(last: int, inputs: int, seed: int, points: int = 40) -> tuple[np.ndarray, ...]:
    """Measure Adam's steps under a constant gradient and under noise, for as many numbers as there are inputs.

    Returns:
        Steps; the root mean square of the steps under the constant gradient over the rate, with and without the
        corrections; the same under noise with them; what theory gives for the second; what the third comes to.
    """
    generator = np.random.default_rng(seed)
    adam = adaptive_methods.Adam(1.0, epsilon=0.0)
    params = {"constant": np.zeros(inputs), "noise": np.zeros(inputs)}
    fixed = generator.normal(size=inputs) * 10.0 ** generator.uniform(-3, 3, inputs)
    shown = np.unique(np.geomspace(1, last, points).astype(int))
    state, constant, noise = adam.init(params), np.zeros((2, len(shown))), np.zeros(len(shown))
    for step in range(1, last + 1):
        updates, state = adam.update({"constant": fixed, "noise": generator.normal(size=inputs)}, state, params)
        if step in shown:
            place = np.searchsorted(shown, step)
            plain = state.mean["constant"] / np.sqrt(state.mean_square["constant"])
            constant[:, place] = [np.sqrt(np.mean(one**2)) for one in (updates["constant"], plain)]
            noise[place] = np.sqrt(np.mean(updates["noise"] ** 2))
    return shown, constant, noise, uncorrected_ratio(shown), np.array(math.sqrt(0.1 / 1.9))


# --- what Muon does to singular values -------------------------------------------------------------------------------


class SingularValues(NamedTuple):
    """Singular values before and after Newton-Schulz steps.

    Attributes:
        before: A singular value over the length of the matrix.
        after: The same after 1, 3 and 5 steps; (steps, value).
        rank: 1 for the largest singular value.
        gradient: Singular values of an average gradient over its length, in order.
        muon: The same of Muon's direction.
        adam: The same of the sign of the gradient, which is Adam's first step, over the root of the number of rows.
    """

    before: np.ndarray
    after: np.ndarray
    rank: np.ndarray
    gradient: np.ndarray
    muon: np.ndarray
    adam: np.ndarray


NEWTON_STEPS = (1, 3, 5)


def singular_values(rows: int = 32, features: int = 64, seed: int = 0) -> SingularValues:
    """Follow single values, and those of a gradient that few directions dominate."""
    before = np.geomspace(1e-3, 1, 200)
    after = []
    for steps in NEWTON_STEPS:
        values = before
        for _ in range(steps):
            a, b, c = adaptive_methods.NEWTON_SCHULZ_COEFFICIENTS
            values = a * values + b * values**3 + c * values**5
        after.append(values)
    generator = np.random.default_rng(seed)
    left, right = (np.linalg.qr(generator.normal(size=(size, rows)))[0] for size in (rows, features))
    matrix = left * 10.0 ** np.linspace(0, -2, rows) @ right.mT
    gradient, muon, adam = (
        np.linalg.svd(one, compute_uv=False)
        for one in (
            matrix / np.linalg.norm(matrix),
            adaptive_methods.newton_schulz(matrix),
            np.sign(matrix) / math.sqrt(features),
        )
    )
    return SingularValues(before, np.array(after), np.arange(1, rows + 1), gradient, muon, adam)


def draw_singular_values(numbers: SingularValues, paper: Paper) -> Figure:
    """Draw the map of one value, and the values of a gradient under it."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=310 if paper.wide else 560, sharey=True)
    left, right = axes.flat
    for row, color in enumerate((paper.palette.sky, paper.palette.green, paper.palette.blue)):
        paper.line(left, numbers, f"after[{row}]", x="before", color=color, linestyle=paper.dashes[2 - row])
        place = (0.0035, 0.0022, 0.003)[row]
        height = float(np.interp(place, numbers.before, numbers.after[row]))
        word = f"{NEWTON_STEPS[row]} step{'s' if row else ''}"
        paper.label(left, place, height, word, color=color, dx=(6, 6, -6)[row], dy=(-8, -8, 8)[row],
                    ha=("left", "left", "right")[row])  # fmt: skip
    left.set(xscale="log", yscale="log", title="A singular value after", xlabel="before, over the length")
    left.set_xticks([0.001, 0.01, 0.1, 1], ["0.001", "0.01", "0.1", "1"])
    left.set_yticks([0.01, 0.1, 1], ["0.01", "0.1", "1"])
    left.set_ylim(0.003, 3)
    names, colors = ("gradient", "adam", "muon"), (paper.muted, paper.palette.orange, paper.palette.blue)
    for row, (name, color) in enumerate(zip(names, colors, strict=True)):
        style = {"color": color, "marker": paper.markers[row], "markersize": 3, "linestyle": paper.dashes[row]}
        paper.line(right, numbers, name, x="rank", **style)
        words = {"gradient": "gradient", "adam": "its signs", "muon": "Muon's step"}[name]
        middle = len(numbers.rank) // 2
        shift = {"dx": (-8, 0, 0)[row], "dy": (-10, -22, 14)[row], "ha": ("right", "left", "left")[row]}
        paper.label(right, numbers.rank[middle], getattr(numbers, name)[middle], words, color=color, **shift)
    right.set(title="Singular values of a step", xlabel="rank")
    for own in axes.flat:
        own.minorticks_off()
    return figure
