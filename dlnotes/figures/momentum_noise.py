"""Figures of the chapter on momentum: averages of noise, and descent under it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import optimizers
from dlnotes.numpy import momentum

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper


# --- two windows -----------------------------------------------------------------------------------------------------


class Windows(NamedTuple):
    """The weights of an exponential moving average, and its two lengths over beta.

    Attributes:
        ages: 1 for the newest value.
        weights: The weights at beta = 0.9.
        plain_ages: Ages at which the two plain averages below begin and end; (length, corner).
        plain: Plain averages over the mean age and over the effective window at beta = 0.9, as steps; (length, corner).
        one_over: 1 / (1 - beta), for the betas of the right panel.
        lag: By how many steps the average of the numbers 1, 2, 3, ... lags behind, plus 1.
        quiet: One over the variance of the average of independent numbers of variance 1.
        mean_age: The theory for `lag`.
        window: The theory for `quiet`.
    """

    ages: np.ndarray
    weights: np.ndarray
    plain_ages: np.ndarray
    plain: np.ndarray
    one_over: np.ndarray
    lag: np.ndarray
    quiet: np.ndarray
    mean_age: np.ndarray
    window: np.ndarray


def windows(paths: int = 4000, seed: int = 0) -> Windows:
    """Average a ramp, which has no noise, and noise, which has no trend."""
    ages = np.arange(1, 41)
    lengths = np.array([momentum.mean_age(0.9), momentum.effective_window(0.9)])
    corners = np.stack((np.full(2, 0.5), lengths + 0.5, lengths + 0.5), axis=-1)
    heights = np.stack((1 / lengths, 1 / lengths, np.zeros(2)), axis=-1)
    one_over = 2.0 ** np.arange(1, 6)
    betas = 1 - 1 / one_over
    lag, quiet = np.empty(len(betas)), np.empty(len(betas))
    generator = np.random.default_rng(seed)
    for place, (beta, length) in enumerate(zip(betas, one_over, strict=True)):
        times = int(12 * length)
        ramp = momentum.exponential_moving_average(np.arange(1.0, times + 1), beta, bias_correction=False)
        lag[place] = times - ramp[-1] + 1
        noise = generator.standard_normal((paths, times))
        quiet[place] = 1 / momentum.exponential_moving_average(noise, beta)[:, -1].var()
    theory = (np.array([length(beta) for beta in betas]) for length in (momentum.mean_age, momentum.effective_window))
    weights = momentum.average_weights(0.9, len(ages))
    return Windows(ages, weights, corners, heights, one_over, lag, quiet, *theory)


def draw_windows(numbers: Windows, paper: Paper) -> Figure:
    """Draw the weights with two plain averages over them, and both lengths over beta."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=300 if paper.wide else 540)
    left, right = axes.flat
    colors = (paper.palette.orange, paper.palette.blue)
    paper.mark(left.bar(numbers.ages, numbers.weights, color=paper.grid, width=0.8), "weights", x="ages")
    for row, (color, word) in enumerate(zip(colors, ("10 values", "19 values:\nas old, as noisy"), strict=True)):
        paper.line(left, numbers, f"plain[{row}]", x=f"plain_ages[{row}]", color=color)
        end, height = numbers.plain_ages[row, 1], numbers.plain[row, 1]
        paper.label(left, end, height, word, color=color, dx=6, dy=-2 if row else -8)
    left.set(xlabel="age", title="Weights at beta 0.9", xlim=(0, 40), xticks=[1, 10, 19, 30, 40])
    for row, (name, theory, word) in enumerate((("lag", "mean_age", "mean age"), ("quiet", "window", "number"))):
        style = {"color": colors[row], "marker": paper.markers[row], "linestyle": "none"}
        paper.line(right, numbers, name, x="one_over", **style)
        paper.theory(right, numbers, theory, x="one_over", color=colors[row])
        moved = ({"dx": 10, "dy": -8}, {"dx": -8, "dy": 8, "ha": "right"})[row]
        place = numbers.one_over[2], paper.value(numbers, theory)[2]
        paper.label(right, *place, word, color=colors[row], **moved)
    right.set(xscale="log", yscale="log", xlabel="1/(1 - beta)", title="Age and number")
    right.minorticks_off()
    right.set_xticks([2, 4, 8, 16, 32], ["2", "4", "8", "16", "32"])
    right.set_yticks([2, 4, 8, 16, 32, 64], ["2", "4", "8", "16", "32", "64"])
    return figure


# --- the noise floor -------------------------------------------------------------------------------------------------


class NoiseFloor(NamedTuple):
    """Mean squared distance to the minimum of h x^2 / 2, h = 1, once it has settled under gradient noise of variance 1.

    Attributes:
        effective: Effective rates learning_rate / (1 - beta); (beta, place).
        floor: The mean squared distance, measured; (beta, place).
        fine: Effective rates for the theory; (beta, place).
        theory: The mean squared distance that is derived; (beta, place).
    """

    effective: np.ndarray
    floor: np.ndarray
    fine: np.ndarray
    theory: np.ndarray


FLOOR_BETAS = (0.0, 0.9, 0.99)


def noise_floor(runs: int = 300, steps: int = 1500, seed: int = 0) -> NoiseFloor:
    """Walk from the minimum in many runs at once, and average over the second half of the steps."""
    generator = np.random.default_rng(seed)
    effective, fine, floor, theory = [], [], [], []
    for beta in FLOOR_BETAS:
        ends = 0.05, 0.8 * min(20.0, 2 * (1 + beta) / (1 - beta))
        own, smooth = np.geomspace(*ends, 9), np.geomspace(ends[0], ends[1] * 1.15, 60)
        optimizer = momentum.Momentum(np.repeat(own * (1 - beta), runs), beta)
        params = {"w": np.zeros(len(own) * runs)}
        state, squares = optimizer.init(params), np.zeros(len(own) * runs)
        for step in range(steps):
            noise = generator.standard_normal(len(own) * runs)
            updates, state = optimizer.update({"w": params["w"] + noise}, state, params)
            params = optimizers.apply_updates(params, updates)
            squares += params["w"] ** 2 * (step >= steps // 2)
        floor.append(squares.reshape(-1, runs).mean(1) / (steps - steps // 2))
        effective.append(own)
        fine.append(smooth)
        theory.append([momentum.noise_floor(1.0, rate, beta) for rate in smooth * (1 - beta)])
    return NoiseFloor(*(np.array(one) for one in (effective, floor, fine, theory)))


def draw_noise_floor(numbers: NoiseFloor, paper: Paper) -> Figure:
    """Draw what was measured as points on the lines of the theory."""
    figure, ((axes,),) = paper.subplots(height=340)
    colors = (paper.palette.orange, paper.palette.blue, paper.palette.green)
    for row, color in enumerate(colors):
        style = {"color": color, "marker": paper.markers[row], "linestyle": "none"}
        paper.line(axes, numbers, f"floor[{row}]", x=f"effective[{row}]", **style)
        paper.theory(axes, numbers, f"theory[{row}]", x=f"fine[{row}]", color=color)
    axes.set(xscale="log", yscale="log", xlabel="effective rate x curvature", title="Mean squared distance, settled")
    axes.minorticks_off()
    axes.set_xticks([0.1, 1, 10], ["0.1", "1", "10"])
    axes.set_yticks([0.1, 1, 10], ["0.1", "1", "10"])
    places = ((-1, {"dx": -8, "ha": "right"}), (-1, {"dx": -10, "dy": 2, "ha": "right"}), (5, {"dx": 8, "dy": -12}))
    for row, (at, moved) in enumerate(places):
        place = numbers.effective[row, at], numbers.floor[row, at]
        paper.label(axes, *place, f"beta {FLOOR_BETAS[row]:g}", color=colors[row], **moved)
    return figure
