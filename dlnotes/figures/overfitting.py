"""The figure of the chapter on overfitting for bias and variance of least squares."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes.numpy import overfitting

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper


# --- bias and variance -----------------------------------------------------------------------------------------------


class Parts(NamedTuple):
    """Squared bias and variance of least squares, as expected over training sets."""

    bias_squared: np.ndarray
    variance: np.ndarray


def expected_parts(weights: np.ndarray, used: np.ndarray, rows: int, noise: float) -> Parts:
    """Give bias and variance of the shortest least-squares fit to the first features, for independent normal features.

    With the rest r = sum of the squares of the weights not used, and t of those used:

        p <= n - 2:  bias^2 = r,                    variance = (r + noise^2) p / (n - p - 1)
        p >= n + 2:  bias^2 = r + (1 - n/p)^2 t,    variance = t (n/p) (1 - n/p) + (r + noise^2) n / (p - n - 1)

    and the variance is infinite between. Derived in overfitting#eq-below and #eq-above.
    """
    total = np.square(weights).sum()
    told = np.concatenate([[0.0], np.cumsum(np.square(weights))])[used]
    rest, p, n = total - told, used.astype(float), rows
    few, many = used <= n - 2, used >= n + 2
    below = (rest + noise**2) * p / np.where(few, n - p - 1, 1)
    share = n / np.maximum(p, 1)
    above = told * share * (1 - share) + (rest + noise**2) * n / np.where(many, p - n - 1, 1)
    bias = rest + np.where(many, (1 - share) ** 2 * told, 0)
    return Parts(bias, np.where(few, below, np.where(many, above, np.inf)))


def best_strength(weights: np.ndarray, used: int, rows: int, noise: float) -> float:
    """Give the strength of ridge whose expected error is least, for independent normal features.

    strength = (r + noise^2) p / (n t), as derived in overfitting#eq-best-ridge
    """
    told = np.square(weights[:used]).sum()
    return float((np.square(weights[used:]).sum() + noise**2) * used / (rows * told))


class Capacity(NamedTuple):
    """Error of least squares over the number of features.

    Attributes:
        used: Features used, of normal ones with weights 1/j.
        bias_squared: Squared bias, measured over training sets.
        variance: Variance, likewise.
        ridged: Squared bias and variance together under the best strength of ridge, measured.
        below: Features below the number of rows, for the lines of the theory.
        above: Features above it.
        theory_below: Squared bias, variance and their sum by the formulas; (part, feature).
        theory_above: The same above.
        widths: Random ReLU units.
        shortest: Median over training sets of the error of the shortest fit to these units; quantiles 25, 50, 75%.
        tuned: The same under ridge, with the strength that is best on half of the sets, measured on the other half.
    """

    used: np.ndarray
    bias_squared: np.ndarray
    variance: np.ndarray
    ridged: np.ndarray
    below: np.ndarray
    above: np.ndarray
    theory_below: np.ndarray
    theory_above: np.ndarray
    widths: np.ndarray
    shortest: np.ndarray
    tuned: np.ndarray


STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1)


def harmonic_weights(features: int) -> np.ndarray:
    """Give weights in proportion to 1/j, of length 1."""
    weights = 1 / np.arange(1, features + 1)
    return weights / np.linalg.norm(weights)


def measured_parts(
    weights: np.ndarray, used: int, rows: int, noise: float, strength: float, sets: int, generator: np.random.Generator
) -> tuple[float, float]:
    """Fit the first features of many training sets, and measure squared bias and variance.

    The features are uncorrelated and of variance 1, so that the error on new inputs is the squared distance of weights.
    """
    x = generator.normal(size=(sets, rows, used))
    unseen = np.linalg.norm(weights[used:]) * generator.normal(size=(sets, rows, 1))
    y = x @ weights[:used, None] + unseen + noise * generator.normal(size=(sets, rows, 1))
    fitted = np.zeros((sets, len(weights)))
    fitted[:, :used] = overfitting.ridge(x, y, strength)[..., 0]
    parts = overfitting.bias_variance_decomposition(fitted, weights)
    return float(parts.bias_squared.sum()), float(parts.variance.sum())


def _random_units(
    widths: np.ndarray, rows: int, noise: float, sets: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Fit random ReLU units of four inputs to a sine; errors by quantile and width, without and with tuned ridge."""

    def target(x: np.ndarray) -> np.ndarray:
        return np.sin(np.pi / 2 * x.sum(-1, keepdims=True))

    x, new = generator.uniform(-1, 1, (sets, rows, 4)), generator.uniform(-1, 1, (200, 4))
    y = target(x) + noise * generator.normal(size=(sets, rows, 1))
    found: list[list[np.ndarray]] = [[], []]
    for width in widths.tolist():
        units = generator.normal(size=(sets, width, 4)), generator.uniform(-1.5, 1.5, (sets, width))
        features, of_new = overfitting.random_features(x, *units), overfitting.random_features(new, *units)
        fits = [overfitting.ridge(features, y, strength) for strength in (0.0, *STRENGTHS)]
        errors = np.array([np.square(of_new @ fitted - target(new)).mean((-2, -1)) for fitted in fits])
        half = sets // 2
        best = 1 + np.median(errors[1:, :half], -1).argmin()
        found[0].append(np.quantile(errors[0], (0.25, 0.5, 0.75)))
        found[1].append(np.quantile(errors[best, half:], (0.25, 0.5, 0.75)))
    return np.stack(found[0], -1), np.stack(found[1], -1)


def capacity(rows: int = 40, features: int = 200, noise: float = 0.3, sets: int = 100, seed: int = 0) -> Capacity:
    """Fit more and more features, normal ones and random units."""
    weights, generator = harmonic_weights(features), np.random.default_rng(seed)
    shares = (0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.75, 0.85, 0.925, 1.075, 1.15, 1.3, 1.6, 2, 3, 5)
    used = np.unique([max(1, round(share * rows)) for share in shares if share * rows <= features])
    plain, ridged = [], []
    for p in used.tolist():
        plain.append(measured_parts(weights, p, rows, noise, 0.0, sets, generator))
        strength = best_strength(weights, p, rows, noise)
        ridged.append(sum(measured_parts(weights, p, rows, noise, strength, sets, generator)))
    below, above = np.arange(1, rows - 1), np.unique(np.geomspace(rows + 2, features, 60).round().astype(int))
    theory = [
        np.array([*parts, sum(parts)]) for parts in (expected_parts(weights, p, rows, noise) for p in (below, above))
    ]
    widths = np.unique(
        [max(2, round(share * rows)) for share in (0.05, 0.1, 0.2, 0.4, 0.7, 0.9, 1, 1.1, 1.4, 2, 4, 8, 16)]
    )
    shortest, tuned = _random_units(widths, rows, noise, max(4, sets // 2), generator)
    parts = np.array(plain).T
    return Capacity(used, *parts, np.array(ridged), below, above, *theory, widths, shortest, tuned)


def draw_capacity(numbers: Capacity, paper: Paper) -> Figure:
    """Draw bias, variance and error of normal features, and the error of random units."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=330 if paper.wide else 600)
    left, right = axes.flat
    blue, orange, green = paper.palette.blue, paper.palette.orange, paper.palette.green
    for row, (name, color) in enumerate((("bias_squared", blue), ("variance", orange))):
        style = {"color": color, "marker": paper.markers[row], "linestyle": "none"}
        paper.line(left, numbers, name, x="used", **style)
        for side in ("below", "above"):
            paper.theory(left, numbers, f"theory_{side}[{row}]", x=side, color=color)
    paper.line(left, numbers, "ridged", x="used", color=green, marker=paper.markers[2])
    rows = numbers.below[-1] + 2
    for own in (left, right):
        paper.guide(own.axvline(rows, color=paper.muted, linewidth=0.8))
    left.set(xscale="log", yscale="log", ylim=(0.008, 20), xlabel="features", title="Normal features")
    right.set(xscale="log", yscale="log", ylim=(0.2, 40), xlabel="random units", title="Error with random units")
    places = len(numbers.used) - 1
    paper.label(left, numbers.used[0], numbers.bias_squared[0], "bias²", color=blue, dx=-8, dy=-14, ha="right")
    paper.label(left, numbers.used[0], numbers.variance[0], "variance", color=orange, dy=-14)
    paper.label(left, numbers.used[places], numbers.ridged[places], "ridge, both", color=green, ha="right", dy=14)
    for row, (name, color, text) in enumerate((("shortest", orange, "shortest fit"), ("tuned", green, "ridge, tuned"))):
        paper.band(right, numbers, f"{name}[0]", f"{name}[2]", x="widths", color=color)
        style = {"color": color, "marker": paper.markers[row + 1], "linestyle": paper.dashes[row]}
        paper.line(right, numbers, f"{name}[1]", x="widths", **style)
        at = numbers.widths[2], getattr(numbers, name)[1, 2]
        paper.label(right, *at, text, color=color, dx=-4, dy=(16, -22)[row], ha="center")
    for own in (left, right):
        own.minorticks_off()
        own.set_xticks([1, 10, 100], ["1", "10", "100"])
    paper.label(left, rows, 14, "examples", color=paper.muted, dx=6)
    left.set_yticks([0.01, 0.1, 1, 10], ["0.01", "0.1", "1", "10"])
    right.set_yticks([1, 10], ["1", "10"])
    return figure
