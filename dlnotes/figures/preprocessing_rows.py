"""Figures of the chapter on preprocessing for rows that the transform has not seen: epsilon and few rows.

Quantiles over splits are 10%, 50% and 90%, and stand on an axis of three in this order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import datasets
from dlnotes.figures import preprocessing as valleys
from dlnotes.figures import preprocessing_tables as tables
from dlnotes.numpy import preprocessing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper


def splits(count: int, sizes: Sequence[int], number: int, generator: np.random.Generator) -> list[np.ndarray]:
    """Deal rows at random into parts without overlap, anew for each split; each part is (split, row)."""
    order = np.argsort(generator.random((number, count)), axis=-1)
    return np.split(order[:, : sum(sizes)], np.cumsum(sizes)[:-1], axis=-1)


def nearest_neighbor(x: np.ndarray, labels: np.ndarray, rows: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Give the accuracy of taking each row's label from the nearest of the training rows; one a run."""
    squares = np.square(x).sum(-1)[..., None, :] - 2 * rows @ x.mT
    return (np.take_along_axis(labels, squares.argmin(-1), axis=-1) == right).mean(-1)


def _quantiles(values: np.ndarray) -> np.ndarray:
    return np.quantile(values, (0.1, 0.5, 0.9), axis=0)


# --- epsilon ---------------------------------------------------------------------------------------------------------


class Epsilon(NamedTuple):
    """Nearest-neighbor accuracy on digits after whitening with an epsilon.

    Attributes:
        ratios: Epsilon over the mean variance of a pixel.
        whitened: Accuracy on the other digits; (quantile, ratio).
        centered: Median accuracy on centered pixels, at both ends.
        standardized: Median accuracy on standardized pixels, at both ends.
        ends: The least and the largest ratio.
    """

    ratios: np.ndarray
    whitened: np.ndarray
    centered: np.ndarray
    standardized: np.ndarray
    ends: np.ndarray


def accuracies(transforms: Sequence[object], train: int, number: int, seed: int) -> np.ndarray:
    """Train on so many digits and test on the others, over splits; (split, transform)."""
    digits, generator = datasets.digits(), np.random.default_rng(seed)
    first, rest = splits(len(digits.targets), (train, len(digits.targets) - train), number, generator)
    result = np.empty((number, len(transforms)))
    for split, place in np.ndindex(*result.shape):
        x, rows = digits.inputs[first[split]], digits.inputs[rest[split]]
        transform, labels, right = transforms[place], digits.targets[first[split]], digits.targets[rest[split]]
        state = transform.fit(x)
        result[split, place] = nearest_neighbor(
            transform.transform(x, state), labels, transform.transform(rows, state), right
        )
    return result


def epsilon(train: int = 1000, number: int = 20, points: int = 10, seed: int = 0) -> Epsilon:
    """Whiten the digits with epsilons from far below the pixels' variance to far above."""
    ratios = np.geomspace(1e-6, 1e3, points)
    unit = datasets.digits().inputs.var(axis=0).mean()
    whiteners = [preprocessing.ZCA(epsilon=float(ratio * unit)) for ratio in ratios]
    measured = _quantiles(accuracies([*whiteners, valleys.CENTER, valleys.STANDARDIZE], train, number, seed))
    flat = (np.full(2, value) for value in measured[1, -2:])
    return Epsilon(ratios, measured[:, :-2], *flat, ratios[[0, -1]])


def draw_epsilon(numbers: Epsilon, paper: Paper) -> Figure:
    """Draw the accuracy over epsilon between the two that need none."""
    figure, ((axes,),) = paper.subplots(height=300)
    palette = paper.palette
    paper.band(axes, numbers, "whitened[0]", "whitened[2]", x="ratios", color=palette.blue)
    paper.line(axes, numbers, "whitened[1]", x="ratios", color=palette.blue, marker="o")
    for name, color, dash, dy in (("centered", palette.green, 1, 9), ("standardized", palette.orange, 3, -9)):
        style = {"color": color, "linewidth": 1.2, "linestyle": paper.dashes[dash]}
        paper.line(axes, numbers, name, x="ends", **style)
        paper.label(axes, numbers.ends[0], paper.value(numbers, name)[0], name, color=color, dy=dy)
    paper.label(axes, numbers.ratios[0], numbers.whitened[2, 0], "whitened", color=palette.blue, dy=11)
    axes.set(xscale="log", xlabel="epsilon over the mean variance of a pixel", title="Accuracy of the nearest neighbor")
    axes.set(yticks=[0.92, 0.94, 0.96, 0.98, 1], yticklabels=["92%", "94%", "96%", "98%", "100%"], ylim=(0.91, 1))
    axes.minorticks_off()
    return figure


# --- few rows --------------------------------------------------------------------------------------------------------


class FewRows(NamedTuple):
    """Whitening fitted on few rows, of normal data whose covariance is the identity, and of digits.

    Attributes:
        ratios: Rows over features, of the normal data.
        train: Mean square of a whitened feature on the fitted rows, by theory; beyond one row a feature 1.
        fresh: The same on new rows; (quantile, ratio).
        theory: Its mean; nan where that is infinite.
        digit_ratios: Rows over pixels that vary, of the digits.
        accuracy: Nearest-neighbor accuracy on other digits, centered, standardized, whitened; (form, quantile, ratio).
    """

    ratios: np.ndarray
    train: np.ndarray
    fresh: np.ndarray
    theory: np.ndarray
    digit_ratios: np.ndarray
    accuracy: np.ndarray


def fresh_law(rows: np.ndarray, features: int) -> np.ndarray:
    """Give the mean square of a whitened feature on new normal rows; nan where the mean is infinite.

    (n + 1) / (n - d - 2) for n > d + 2,    (n + 1) (n - 1) / (d (d - n)) for n < d
    """
    n, d = np.asarray(rows, dtype=float), features
    with np.errstate(divide="ignore", invalid="ignore"):
        few = (n + 1) * (n - 1) / (d * (d - n))
        many = (n + 1) / (n - d - 2)
    return np.where(n < d, few, np.where(n > d + 2, many, np.nan))


FEW = (4, 8, 16, 24, 32, 36, 38, 40, 41, 42, 44, 48, 56, 80, 120, 240, 400)


def fresh_squares(rows: int, features: int, number: int, generator: np.random.Generator) -> np.ndarray:
    """Whiten normal rows and measure new ones, one mean square a draw."""
    white = valleys.WHITEN
    state = white.fit(generator.standard_normal((number, rows, features)))
    return np.square(white.transform(generator.standard_normal((number, 100, features)), state)).sum((-2, -1)) / (
        100 * features
    )


def few_rows(features: int = 40, number: int = 100, digit_splits: int = 20, test: int = 300, seed: int = 0) -> FewRows:
    """Fit on few and on many rows."""
    rows = np.array(FEW)
    generators = np.random.default_rng(seed).spawn(2)
    fresh = np.array([fresh_squares(n, features, number, generators[0]) for n in rows]).T
    digits = datasets.digits()
    pixels, counts = tables.moving(digits.inputs), np.array([10, 20, 40, 55, 62, 70, 90, 130, 200, 400])
    accuracy = np.empty((3, 3, len(counts)))
    for place, count in enumerate(counts):
        first, rest = splits(len(pixels), (count, test), digit_splits, generators[1])
        for form, transform in enumerate((valleys.CENTER, valleys.STANDARDIZE, valleys.WHITEN)):
            state = transform.fit(pixels[first])
            x, others = (transform.transform(pixels[part], state) for part in (first, rest))
            reached = nearest_neighbor(x, digits.targets[first], others, digits.targets[rest])
            accuracy[form, :, place] = _quantiles(reached)
    train = np.minimum(1, (rows - 1) / features)
    ratios, digit_ratios = rows / features, counts / pixels.shape[1]
    return FewRows(ratios, train, _quantiles(fresh), fresh_law(rows, features), digit_ratios, accuracy)


def draw_few_rows(numbers: FewRows, paper: Paper) -> Figure:
    """Draw the size of new rows, and the accuracy, over rows a feature."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=310 if paper.wide else 470)
    left, right = axes.flat
    palette = paper.palette
    paper.band(left, numbers, "fresh[0]", "fresh[2]", x="ratios", color=palette.orange)
    paper.line(left, numbers, "fresh[1]", x="ratios", color=palette.orange, marker="s", linestyle="none")
    paper.theory(left, numbers, "theory", x="ratios", color=palette.orange)
    paper.line(left, numbers, "train", x="ratios", color=palette.blue)
    left.set(xscale="log", yscale="log", xlabel="rows per feature", title="Mean square of a whitened feature")
    left.set(xticks=[0.1, 1, 10], xticklabels=["0.1", "1", "10"], yticks=[0.01, 0.1, 1, 10, 100, 1000])
    left.set_yticklabels(["0.01", "0.1", "1", "10", "100", "1000"])
    paper.label(left, 1.5, 8, "new rows", color=palette.orange, dx=4)
    paper.label(left, 1.5, 0.45, "fitted rows", color=palette.blue)
    colors = (palette.green, palette.purple, palette.orange)
    for form, color in enumerate(colors):
        style = {"color": color, "marker": paper.markers[form]}
        paper.band(right, numbers, f"accuracy[{form}, 0]", f"accuracy[{form}, 2]", x="digit_ratios", color=color)
        paper.line(right, numbers, f"accuracy[{form}, 1]", x="digit_ratios", **style)
    right.set(xscale="log", xlabel="rows per pixel", title="Nearest neighbor on digits", ylim=(0, 1.12))
    right.set(yticks=[0, 0.5, 1], yticklabels=["0", "50%", "100%"], xticks=[0.3, 1, 3], xticklabels=["0.3", "1", "3"])
    names = ("centered", "standardized", "whitened")
    paper.end_labels(right, numbers.digit_ratios[-1], numbers.accuracy[:, 1, -1], names, colors)
    for own in axes.flat:
        own.minorticks_off()
    return figure
