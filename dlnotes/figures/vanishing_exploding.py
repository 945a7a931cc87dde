"""Figures of the chapter on vanishing and exploding gradients: products of factors, matrices and Jacobians.

Quantiles over networks are 10%, 50% and 90%, and stand on an axis of three in this order.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes.figures import vanishing_exploding_networks as nets
from dlnotes.numpy import activations, initialization
from dlnotes.numpy import vanishing_exploding as depths

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper


def _quantiles(values: np.ndarray, axis: int = 0) -> np.ndarray:
    """Give the 10%, 50% and 90% quantiles over an axis, on the first axis."""
    return np.quantile(values, (0.1, 0.5, 0.9), axis=axis)


# --- factors ---------------------------------------------------------------------------------------------------------


class Factors(NamedTuple):
    """Size of the gradient in each layer over that in the last, on the way back through deep networks.

    Attributes:
        back: Layers passed on the way back.
        identities: With c times the identity as weights and no activation function; (c, layers passed).
        powers: c^k; (c, layers passed).
        networks: On the digits, root of the mean square over units and examples; (network, quantile, layers passed).
        theory: The same in the limit of wide layers; (network, layers passed).
    """

    back: np.ndarray
    identities: np.ndarray
    powers: np.ndarray
    networks: np.ndarray
    theory: np.ndarray


CONSTANTS = (1.5, 1.0, 0.5)
FAMILIES = {
    "ReLU, 1.5 × He": nets.Design("plain", "relu", 1.5 * math.sqrt(2)),
    "ReLU, batch norm": nets.Design("batch", "relu", math.sqrt(2)),
    "ReLU, He": nets.Design("plain", "relu", math.sqrt(2)),
    "tanh, Xavier": nets.Design("plain", "tanh", 1.0),
    "ReLU, 0.5 × He": nets.Design("plain", "relu", 0.5 * math.sqrt(2)),
    "sigmoid, Xavier": nets.Design("plain", "sigmoid", 1.0),
}
BATCH_NORM_FACTOR = math.sqrt(math.pi / (math.pi - 1))


def wide_factors(design: nets.Design) -> np.ndarray:
    """Give the factor on a gradient's root mean square from layer l + 1 back to layer l, in wide layers; (l,).

    v_1 = 1,    v_(l+1) = g^2 E[f(sqrt(v_l) z)^2],    factor_l = g E[f'(sqrt(v_l) z)^2]^(1/2)
    """
    if design.kind == "batch":
        return np.full(design.depth - 1, BATCH_NORM_FACTOR)
    squared, variance, factors = float(design.gain) ** 2, 1.0, []
    for _ in range(design.depth - 1):
        factors.append(math.sqrt(squared * float(initialization.slope_moment(design.activation, variance))))
        variance = squared * float(initialization.second_moment_map(design.activation, variance))
    return np.array(factors)


def _all_the_way_back(factors: np.ndarray) -> np.ndarray:
    """Multiply the factors from the last layer back; 1 for the last layer itself."""
    return np.concatenate(([1.0], np.cumprod(factors[::-1])))


def factors(depth: int = 51, width: int = 100, rows: int = 100, networks: int = 12, seed: int = 0) -> Factors:
    """Carry a gradient back through multiples of the identity, and through networks that look at digits."""
    back = np.arange(depth)
    gradient = np.random.default_rng(seed).standard_normal(8)
    identities = np.ones((len(CONSTANTS), depth))
    for place, constant in enumerate(CONSTANTS):
        moved = gradient
        for step in range(1, depth):
            moved = (constant * np.eye(8)).T @ moved
            identities[place, step] = np.linalg.norm(moved) / np.linalg.norm(gradient)
    inputs, targets = nets.digits()
    chosen = np.random.default_rng(seed).permutation(len(inputs))[:rows]
    measured, theory = [], []
    for place, family in enumerate(FAMILIES.values()):
        design = family._replace(depth=depth)
        generator = np.random.default_rng([seed, place])
        parameters = nets.start(design, (inputs.shape[1], width), generator, (networks,))
        sizes = nets.delta_sizes(parameters, inputs[chosen], targets[chosen], design)
        measured.append(_quantiles(sizes)[:, ::-1])
        theory.append(_all_the_way_back(wide_factors(design)))
    powers = np.array(CONSTANTS)[:, None] ** back
    return Factors(back, identities, powers, np.array(measured), np.array(theory))


def draw_factors(numbers: Factors, paper: Paper) -> Figure:
    """Draw the multiples of the identity, and beside them the networks."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=360 if paper.wide else 600, sharey=True)
    left, right = axes.flat
    end = numbers.back[-1]
    colors = (paper.palette.green, paper.palette.blue, paper.palette.orange)
    for place, color in enumerate(colors):
        style = {"color": color, "marker": paper.markers[place], "markevery": 10, "linewidth": 2.4}
        paper.line(left, numbers, f"identities[{place}]", x="back", **style)
        paper.theory(left, numbers, f"powers[{place}]", x="back")
    shades = paper.colors[: len(FAMILIES)]
    for place, color in enumerate(shades):
        paper.band(right, numbers, f"networks[{place}, 0]", f"networks[{place}, 2]", x="back", color=color)
        paper.line(right, numbers, f"networks[{place}, 1]", x="back", color=color, linewidth=2.4)
        paper.theory(right, numbers, f"theory[{place}]", x="back")
    for own, title in ((left, "c times the identity"), (right, "Networks on digits")):
        own.set(yscale="log", title=title, xlim=(0, end), xlabel="layers passed on the way back")
        own.set_yticks(10.0 ** np.arange(-30, 11, 10))
    left.set_ylim(1e-33, 1e13)
    paper.end_labels(left, end, numbers.powers[:, -1], [f"c = {c:g}" for c in CONSTANTS], colors, dx=6)
    paper.end_labels(right, end, numbers.theory[:, -1], list(FAMILIES), shades, dx=6)
    return figure


# --- transient growth ------------------------------------------------------------------------------------------------


class Transient(NamedTuple):
    """2-norms of the powers of matrices whose eigenvalues are all below 1 in magnitude.

    Attributes:
        exponents: t.
        norms: |W^t| for W = [[0.9, 5], [0, 0.8]].
        diagonal: The same for diag(0.9, 0.8).
        floor: The spectral radius to the power t, 0.9^t, which no norm can fall below.
        ceiling: The condition number of the eigenvectors times it.
        peak: Where the norm is largest, and how large: (t, norm).
        below: From which t on the norm stays below 1, and the norm there.
        gaussian: Norms for Gaussian matrices scaled to the spectral radius 0.9; (quantile, t).
    """

    exponents: np.ndarray
    norms: np.ndarray
    diagonal: np.ndarray
    floor: np.ndarray
    ceiling: np.ndarray
    peak: np.ndarray
    below: np.ndarray
    gaussian: np.ndarray


def transient(steps: int = 60, size: int = 100, matrices: int = 20, seed: int = 0) -> Transient:
    """Raise a matrix that is not normal to powers, a diagonal one, and random ones of the same spectral radius."""
    matrix = np.array([[0.9, 5.0], [0.0, 0.8]])
    norms = depths.power_norms(matrix, steps)
    values, vectors = np.linalg.eig(matrix)
    exponents = np.arange(steps + 1)
    floor = np.abs(values).max() ** exponents
    random = np.random.default_rng(seed).standard_normal((matrices, size, size))
    random *= 0.9 / np.abs(np.linalg.eigvals(random)).max(-1)[:, None, None]
    top, last = norms.argmax(), np.flatnonzero(norms >= 1)[-1] + 1
    return Transient(
        exponents,
        norms,
        depths.power_norms(np.diag([0.9, 0.8]), steps),
        floor,
        np.linalg.cond(vectors) * floor,
        np.array([top, norms[top]]),
        np.array([last, norms[last]]),
        _quantiles(depths.power_norms(random, steps)),
    )


def draw_transient(numbers: Transient, paper: Paper) -> Figure:
    """Draw the norms of the powers between their two bounds, and those of the random matrices."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=320 if paper.wide else 580)
    left, right = axes.flat
    blue, orange = paper.palette.blue, paper.palette.orange
    paper.theory(left, numbers, "ceiling", x="exponents")
    paper.theory(left, numbers, "floor", x="exponents")
    paper.line(left, numbers, "norms", x="exponents", color=blue)
    for name in ("peak", "below"):
        point = left.plot(*getattr(numbers, name), "o", color=blue)[0]
        paper.mark(point, f"{name}[1]", x=f"{name}[0]")
    left.set(yscale="log", title="Norm of W to the power t", xlabel="t", xlim=(0, numbers.exponents[-1]))
    height = paper.label(
        left, *numbers.peak, f"{numbers.peak[1]:.3f} at t = {numbers.peak[0]:.0f}", color=blue, dx=-4, dy=-36
    )
    paper.mark(height, "peak[1]")
    words = f"below 1 from t = {numbers.below[0]:.0f}"
    paper.label(left, *numbers.below, words, color=blue, dx=-8, dy=-10, ha="right")
    left.set_ylim(1.5e-3, 300)
    paper.label(left, 26, numbers.ceiling[26], r"$\kappa(V)\,\rho^t$", dx=4, dy=11)
    paper.label(left, 20, numbers.floor[20], r"$\rho^t$", dx=-6, dy=-12, ha="right")
    paper.band(right, numbers, "gaussian[0]", "gaussian[2]", x="exponents", color=orange)
    paper.line(right, numbers, "gaussian[1]", x="exponents", color=orange)
    paper.line(right, numbers, "diagonal", x="exponents", color=paper.palette.green, linewidth=2.4)
    paper.theory(right, numbers, "floor", x="exponents")
    right.set(yscale="log", title="The same spectral radius, 0.9", xlabel="t", xlim=(0, numbers.exponents[-1]))
    paper.label(right, 18, numbers.gaussian[2, 18], "Gaussian, 100 × 100", color=orange, dx=4, dy=10)
    paper.label(right, 14, numbers.diagonal[14], "diagonal", color=paper.palette.green, dx=-8, dy=-12, ha="right")
    return figure


# --- Lyapunov exponents ----------------------------------------------------------------------------------------------


class Lyapunov(NamedTuple):
    """Growth of vectors under products of Gaussian matrices, and the exponents of many sizes.

    Attributes:
        steps: Factors multiplied.
        logs: ln of the length of a vector of length 1, for 4 x 4 matrices; (deviation, run, step).
        lines: The Lyapunov exponent times the step; (deviation, step).
        sizes: n.
        errors: Measured exponent less theory, the mean of the runs; (size,).
        lower: The mean less two standard errors.
        upper: The mean plus two standard errors.
        inside: How many sizes have 0 within two standard errors.
    """

    steps: np.ndarray
    logs: np.ndarray
    lines: np.ndarray
    sizes: np.ndarray
    errors: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    inside: np.ndarray


DEVIATIONS = (1.0, 0.57, 0.3)


def lyapunov(
    runs: int = 20, steps: int = 100, least: int = 2, most: int = 20, seed: int = 0, size: int = 4
) -> Lyapunov:
    """Multiply Gaussian matrices, 20 products of each size, and measure how fast they grow."""
    generator = np.random.default_rng(seed)
    draws = generator.standard_normal((runs, steps, size, size))
    logs = np.zeros((len(DEVIATIONS), runs, steps + 1))
    vector = np.broadcast_to(np.eye(size)[0], (runs, size))
    for step in range(steps):
        vector = (draws[:, step] @ vector[..., None])[..., 0]
        length = np.linalg.norm(vector, axis=-1, keepdims=True)
        vector = vector / length
        logs[:, :, step + 1] = logs[:, :, step] + np.log(length[:, 0]) + np.log(DEVIATIONS)[:, None]
    count = np.arange(steps + 1)
    lines = np.stack([depths.gaussian_lyapunov_exponent(size, deviation) * count for deviation in DEVIATIONS])
    sizes = np.arange(least, most + 1)
    exponents = np.empty((len(sizes), runs))
    for place, n in enumerate(sizes):
        matrices = generator.standard_normal((runs, steps, n, n))
        exponents[place] = depths.lyapunov_exponent(matrices)[:, 0] - depths.gaussian_lyapunov_exponent(int(n))
    means, error = exponents.mean(-1), exponents.std(-1, ddof=1) / math.sqrt(runs)
    lower, upper = means - 2 * error, means + 2 * error
    return Lyapunov(count, logs, lines, sizes, means, lower, upper, np.array(((lower < 0) & (upper > 0)).sum()))


def draw_lyapunov(numbers: Lyapunov, paper: Paper) -> Figure:
    """Draw the logarithms of the lengths, and the errors of the exponents."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=320 if paper.wide else 580)
    left, right = axes.flat
    colors = (paper.palette.green, paper.palette.blue, paper.palette.orange)
    for place, color in enumerate(colors):
        for run in range(numbers.logs.shape[1]):
            style = {"color": color, "linewidth": 0.5, "alpha": 0.6}
            paper.line(left, numbers, f"logs[{place}, {run}]", x="steps", **style)
        paper.theory(left, numbers, f"lines[{place}]", x="steps", linewidth=1.4)
    left.set(title="ln of the length", xlabel="factors", xlim=(0, numbers.steps[-1]))
    names = [f"s = {deviation:g}" for deviation in DEVIATIONS]
    paper.end_labels(left, numbers.steps[-1], numbers.lines[:, -1], names, colors, dx=6)
    bars = right.vlines(numbers.sizes, numbers.lower, numbers.upper, color=paper.palette.blue, linewidth=1.2)
    paper.mark(bars, "lower", x="sizes", upper="upper")
    paper.line(right, numbers, "errors", x="sizes", color=paper.palette.blue, marker="o", linestyle="none")
    paper.guide(right.axhline(0, color=paper.ink, linewidth=1, linestyle=paper.dashes[1]))
    right.set(title="Measured exponent less theory", xlabel="size n", xticks=[2, 5, 10, 15, 20])
    words = f"{numbers.inside} of {len(numbers.sizes)} within two standard errors"
    inside = paper.label(right, numbers.sizes[-1], numbers.upper.max(), words, ha="right", dy=2)
    paper.mark(inside, "inside")
    return figure


# --- singular values of a deep Jacobian ------------------------------------------------------------------------------


class Jacobians(NamedTuple):
    """Singular values of the Jacobian of 49 hidden layers, the largest first: networks that look at a digit.

    Attributes:
        ranks: Place among the singular values, from 0 to 1.
        values: exp of the mean of their logarithms, nan where a rank is lost; (activation, weights, rank).
        theory: exp(L lambda_k) for linear layers with Gaussian weights, from the Lyapunov exponents.
    """

    ranks: np.ndarray
    values: np.ndarray
    theory: np.ndarray


ACTIVATIONS = {"identity": 1.0, "tanh": 1.0, "relu": math.sqrt(2)}
WEIGHTS = ("Gaussian", "orthogonal", "residual")


def jacobian_logs(design: nets.Design, width: int, seed: Sequence[int]) -> np.ndarray:
    """Give the logarithms of the singular values of dz_L/dz_1 of one network at one digit."""
    inputs, _ = nets.digits()
    generator = np.random.default_rng(seed)
    example = inputs[generator.integers(len(inputs))][None]
    parameters = nets.start(design, (inputs.shape[1], width), generator)
    slope = activations.lookup(design.activation).slope
    _, layers = nets.forward(parameters, example, design)
    jacobians = []
    for layer in range(1, design.depth):
        weight = parameters[f"{2 * layer}.weight"].astype(np.float64)
        jacobian = weight * slope(layers[layer - 1].before.astype(np.float64))
        jacobians.append(np.eye(width) + design.branch * jacobian if design.kind == "residual" else jacobian)
    return depths.log_singular_values(jacobians)


def jacobians(depth: int = 51, width: int = 40, networks: int = 6, seed: int = 0) -> Jacobians:
    """Measure the singular values for three activation functions and three kinds of layers."""
    values = np.empty((len(ACTIVATIONS), len(WEIGHTS), width))
    places = itertools.product(enumerate(ACTIVATIONS.items()), enumerate(WEIGHTS))
    for (row, (activation, gain)), (column, weights) in places:
        kind = "residual" if weights == "residual" else "plain"
        design = nets.Design(kind, activation, gain, orthogonal=weights == "orthogonal")
        design = nets.of_depth(design, depth)
        logs = np.stack([jacobian_logs(design, width, (seed, row, column, run)) for run in range(networks)])
        with np.errstate(invalid="ignore"):
            values[row, column] = np.where(np.isfinite(logs).all(0), np.exp(logs.mean(0)), np.nan)
    orders = range(1, width + 1)
    exponents = [depths.gaussian_lyapunov_exponent(width, width**-0.5, order=order) for order in orders]
    theory = np.exp((depth - 1) * np.array(exponents))
    return Jacobians((np.arange(width) + 0.5) / width, values, theory)


def draw_jacobians(numbers: Jacobians, paper: Paper) -> Figure:
    """Draw the singular values by rank, a panel for each activation function."""
    figure, axes = paper.subplots(*((1, 3) if paper.wide else (3, 1)), height=340 if paper.wide else 700, sharey=True)
    colors = (paper.palette.orange, paper.palette.blue, paper.palette.green)
    for row, (own, title) in enumerate(zip(axes.flat, ("linear", "tanh", "ReLU"), strict=True)):
        for column, color in enumerate(colors):
            style = {"color": color, "marker": paper.markers[column], "markersize": 3, "linestyle": "none"}
            paper.line(own, numbers, f"values[{row}, {column}]", x="ranks", label=WEIGHTS[column], **style)
        if not row:
            paper.theory(own, numbers, "theory", x="ranks")
        own.set(yscale="log", title=title, xlim=(0, 1), ylim=(1e-58, 1e8), yticks=10.0 ** np.arange(-50, 1, 10))
        own.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        if row == 2 or paper.wide:
            own.set_xlabel("rank over width, largest first")
    handles = axes.flat[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper left", ncols=3, handletextpad=0.2)
    figure.get_layout_engine().set(wspace=0.1)  # so that the 1 of a panel stands off the 0 of the next
    return figure


# --- the size of the weights -----------------------------------------------------------------------------------------


class WeightScale(NamedTuple):
    """What one layer does to the size of a gradient, over the size of the weights.

    Attributes:
        scales: Deviation of the weights times the root of the width.
        factors: Factor a layer on the way back through a network, on average over the layers; (activation, quantile,
            scale).
        theory: The same in the limit of wide layers; (activation, scale).
    """

    scales: np.ndarray
    factors: np.ndarray
    theory: np.ndarray


SCALED = ("identity", "relu", "tanh", "sigmoid")


def weight_scale(depth: int = 21, width: int = 100, rows: int = 20, networks: int = 6, seed: int = 0) -> WeightScale:
    """Carry gradients back through networks of four activation functions and many sizes of weights."""
    scales = 2.0 ** np.arange(-3, 5.5, 0.5)
    inputs, targets = nets.digits()
    chosen = np.random.default_rng(seed).permutation(len(inputs))[:rows]
    measured, theory = [], []
    for place, activation in enumerate(SCALED):
        rates, limits = [], []
        for scale in scales:
            design = nets.Design("plain", activation, scale, depth)
            generator = np.random.default_rng([seed, place])  # the same draws at every scale
            parameters = nets.start(design, (inputs.shape[1], width), generator, (networks,))
            sizes = nets.delta_sizes(parameters, inputs[chosen], targets[chosen], design)
            rates.append(_quantiles(sizes[:, 0] ** (1 / (depth - 1))))
            limits.append(math.exp(np.log(wide_factors(design)).mean()))
        measured.append(np.array(rates).T)
        theory.append(limits)
    return WeightScale(scales, np.array(measured), np.array(theory))


def draw_weight_scale(numbers: WeightScale, paper: Paper) -> Figure:
    """Draw the factor a layer over the scale of the weights."""
    figure, ((axes,),) = paper.subplots(height=360)
    paper.guide(axes.axhline(1, color=paper.muted, linewidth=0.8))
    for place in range(len(SCALED)):
        color = paper.colors[place]
        ends = (paper.value(numbers, f"factors[{place}, {quantile}]") for quantile in (0, 2))
        bars = axes.vlines(numbers.scales, *ends, color=color, linewidth=1)
        paper.mark(bars, f"factors[{place}, 0]", x="scales", upper=f"factors[{place}, 2]")
        style = {"color": color, "marker": paper.markers[place], "linestyle": "none"}
        paper.line(axes, numbers, f"factors[{place}, 1]", x="scales", **style)
        paper.theory(axes, numbers, f"theory[{place}]", x="scales", color=color)
    axes.set(xscale="log", yscale="log", title="Factor a layer on the gradient", xlabel="size of the weights, σ√n")
    axes.minorticks_off()
    axes.set_xticks([1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8, 16, 32], ["1/8", "1/4", "1/2", "1", "2", "4", "8", "16", "32"])
    axes.set_yticks([0.01, 0.1, 1, 10], ["0.01", "0.1", "1", "10"])
    names = ["linear" if activation == "identity" else activation for activation in SCALED]
    names[1] = "ReLU"
    paper.end_labels(axes, numbers.scales[-1], numbers.theory[:, -1], names, paper.colors[:4])
    return figure


# --- branches that add -----------------------------------------------------------------------------------------------


class Skips(NamedTuple):
    """Size of the gradient in each layer over that in the last, through networks whose layers add to their input.

    Attributes:
        back: Layers passed on the way back.
        networks: ReLU networks on digits, root of the mean square; (design, quantile, layers passed).
        theory: The same in the limit of wide layers; (design, layers passed).
    """

    back: np.ndarray
    networks: np.ndarray
    theory: np.ndarray


SKIPS = {
    "residual, s = 1": (nets.Design("residual", "relu", math.sqrt(2)), 1.0),
    "residual, s = 1/√L": (nets.Design("residual", "relu", math.sqrt(2)), None),
    "gated, T = 0.02": (nets.Design("gated", "relu", math.sqrt(2), gate_bias=-4.0), None),
    "gated, T = 0.12": (nets.Design("gated", "relu", math.sqrt(2), gate_bias=-2.0), None),
}


def skip_factor(design: nets.Design) -> float:
    """Give the factor of a layer that adds on a gradient's root mean square: wide layers, ReLU, He.

    residual: (1 + s^2)^(1/2),    gated: ((1 - T)^2 + T^2)^(1/2)
    """
    if design.kind == "residual":
        return math.hypot(1, design.branch)
    gate = float(activations.sigmoid(np.array([design.gate_bias]))[0])
    return math.hypot(1 - gate, gate)


def skips(depth: int = 51, width: int = 100, rows: int = 50, networks: int = 8, seed: int = 0) -> Skips:
    """Carry a gradient back through networks with residual and with gated layers."""
    inputs, targets = nets.digits()
    chosen = np.random.default_rng(seed).permutation(len(inputs))[:rows]
    back, measured, theory = np.arange(depth), [], []
    for place, (family, branch) in enumerate(SKIPS.values()):
        design = nets.of_depth(family, depth)
        design = design if branch is None else design._replace(branch=branch)
        generator = np.random.default_rng([seed, place])
        parameters = nets.start(design, (inputs.shape[1], width), generator, (networks,))
        sizes = nets.delta_sizes(parameters, inputs[chosen], targets[chosen], design)
        measured.append(_quantiles(sizes)[:, ::-1])
        theory.append(skip_factor(design) ** back)
    return Skips(back, np.array(measured), np.array(theory))


def draw_skips(numbers: Skips, paper: Paper) -> Figure:
    """Draw the four designs on a logarithmic scale."""
    figure, ((axes,),) = paper.subplots(height=320)
    colors = (paper.palette.orange, paper.palette.blue, paper.palette.green, paper.palette.purple)
    for place, color in enumerate(colors):
        paper.band(axes, numbers, f"networks[{place}, 0]", f"networks[{place}, 2]", x="back", color=color)
        paper.line(axes, numbers, f"networks[{place}, 1]", x="back", color=color, linewidth=2.2)
        paper.theory(axes, numbers, f"theory[{place}]", x="back")
    end = numbers.back[-1]
    axes.set(yscale="log", title="Gradient over that of the last layer", xlim=(0, end))
    axes.set(xlabel="layers passed on the way back", ylim=(1e-4, 1e9), yticks=10.0 ** np.arange(-3, 10, 3))
    paper.end_labels(axes, end, numbers.theory[:, -1], list(SKIPS), colors, dx=6)
    return figure
