"""Figures of the chapter on preprocessing for statistics that come from elsewhere: leaks, shifted rows.

Quantiles over splits are 10%, 50% and 90%, and stand on an axis of three in this order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import datasets
from dlnotes.figures import preprocessing as valleys
from dlnotes.figures import preprocessing_rows as unseen
from dlnotes.figures import preprocessing_tables as tables
from dlnotes.numpy import preprocessing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper


def nearest_mean(x: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Give for each row the class whose training rows have the nearest mean; (*runs, row)."""
    member = (labels[..., None] == np.arange(labels.max() + 1)).astype(float)
    means = member.mT @ x / member.sum(-2)[..., None]
    return (np.square(means).sum(-1)[..., None, :] - 2 * rows @ means.mT).argmin(-1)


# --- the leak --------------------------------------------------------------------------------------------------------


class Leak(NamedTuple):
    """Accuracy with statistics of training and test rows together less the accuracy with those of training rows alone.

    Attributes:
        counts: Training rows, of the wine table.
        standardize: Standardizing, in points of percent; (mean less two standard errors, mean, mean and two, count).
        whiten: Whitening; (the same three, count).
        features: Columns of noise to select ten from.
        selected: Accuracy on rows of noise with random labels, features selected by training rows alone and by all
            rows; (who selects, mean with two standard errors down and up, features).
    """

    counts: np.ndarray
    standardize: np.ndarray
    whiten: np.ndarray
    features: np.ndarray
    selected: np.ndarray


def with_errors(values: np.ndarray) -> np.ndarray:
    """Give the mean over the last axis, less two standard errors, as it is, and with two."""
    error = 2 * values.std(-1, ddof=1) / np.sqrt(values.shape[-1])
    return np.stack((values.mean(-1) - error, values.mean(-1), values.mean(-1) + error))


def optimism(transform: object, dataset: datasets.Dataset, train: int, test: int, number: int, seed: int) -> np.ndarray:
    """Give by how much the leak raises the accuracy of the nearest neighbor, in points; one a split."""
    x, generator = tables.moving(dataset.inputs), np.random.default_rng([seed, train])
    first, rest = unseen.splits(len(x), (train, test), number, generator)
    labels, right = dataset.targets[first], dataset.targets[rest]
    reached = []
    for fitted_on in (first, np.concatenate((first, rest), axis=-1)):
        state = transform.fit(x[fitted_on])
        near, rows = (transform.transform(x[part], state) for part in (first, rest))
        reached.append(unseen.nearest_neighbor(near, labels, rows, right))
    return 100 * (reached[1] - reached[0])


def selection(
    features: int, leaky: bool, number: int, generator: np.random.Generator, rows: int = 40, kept: int = 10
) -> np.ndarray:
    """Select the features in which the classes differ most, of noise and random labels; accuracy, one a draw.

    Half of the rows are for training. The model is the nearest class mean.
    """
    x = generator.standard_normal((number, rows, features))
    labels = np.broadcast_to(np.arange(rows) % 2, (number, rows))
    half = rows // 2
    seen = rows if leaky else half
    differ = np.abs(x[:, :seen:2].mean(-2) - x[:, 1:seen:2].mean(-2))
    chosen = np.argsort(-differ, axis=-1)[:, None, :kept]
    z = np.take_along_axis(x, chosen, axis=-1)
    given = nearest_mean(z[:, :half], labels[:, :half], z[:, half:])
    return (given == labels[:, half:]).mean(-1)


def leak(
    counts: Sequence[int] = (6, 10, 15, 25, 40, 60, 100),
    test: int = 50,
    number: int = 500,
    features: Sequence[int] = (10, 30, 100, 300, 1000),
    draws: int = 100,
    seed: int = 0,
) -> Leak:
    """Measure the leak of unsupervised statistics on wine, and that of a supervised selection on noise."""
    wine = datasets.wine()
    measured = [
        with_errors(np.array([optimism(transform, wine, train, test, number, seed) for train in counts]))
        for transform in (valleys.STANDARDIZE, valleys.WHITEN)
    ]
    generator = np.random.default_rng([seed, 0])
    selected = np.array(
        [
            with_errors(np.array([selection(count, leaky, draws, generator) for count in features]))
            for leaky in (False, True)
        ]
    )
    return Leak(np.array(counts), *measured, np.array(features), selected)


def draw_leak(numbers: Leak, paper: Paper) -> Figure:
    """Draw what the leak adds, of statistics on the left (or above), of a selection on the right."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=310 if paper.wide else 470)
    left, right = axes.flat
    palette = paper.palette
    paper.guide(left.axhline(0, color=paper.muted, linewidth=0.8))
    for name, color, marker in (("standardize", palette.blue, "o"), ("whiten", palette.orange, "s")):
        paper.band(left, numbers, f"{name}[0]", f"{name}[2]", x="counts", color=color)
        paper.line(left, numbers, f"{name}[1]", x="counts", color=color, marker=marker)
    left.set(xscale="log", xlabel="training rows", title="Points of accuracy that the leak adds")
    left.set_ylim(-6, 25)
    left.set_xticks([6, 10, 25, 50, 100], ["6", "10", "25", "50", "100"])
    paper.label(left, 15, numbers.whiten[1].max(), "whitening", color=palette.orange, dx=14)
    paper.label(left, 100, 0, "standardizing", color=palette.blue, ha="right", dy=-14)
    for place, (color, marker) in enumerate(((palette.blue, "o"), (palette.orange, "s"))):
        paper.band(right, numbers, f"selected[{place}, 0]", f"selected[{place}, 2]", x="features", color=color)
        paper.line(right, numbers, f"selected[{place}, 1]", x="features", color=color, marker=marker)
    right.set(xscale="log", xlabel="columns of noise", title="Accuracy on random labels", ylim=(0.4, 1))
    right.set(yticks=[0.5, 0.75, 1], yticklabels=["50%", "75%", "100%"])
    right.set_xticks([10, 100, 1000], ["10", "100", "1000"])
    paper.label(right, 60, numbers.selected[1, 1, 2], "selected on\nall rows", color=palette.orange, ha="right", dy=14)
    paper.label(right, 1000, 0.5, "selected on training rows", color=palette.blue, ha="right", dy=16)
    for own in axes.flat:
        own.minorticks_off()
    return figure


# --- statistics of the test rows -------------------------------------------------------------------------------------


class Refit(NamedTuple):
    """Accuracy of the nearest class mean on wine, standardized by training statistics and by those of the test rows.

    Attributes:
        sizes: Test rows that are standardized together.
        kept: Training statistics; (mean less two standard errors, mean, mean and two, size).
        mixed: Statistics of test rows of all classes; (the same three, size).
        single: Statistics of test rows that are all of one class.
        drifts: How far the features of the test rows have moved, in deviations.
        kept_drifted: Training statistics, on 89 drifted rows; (the same three, drift).
        refitted_drifted: Statistics of these rows.
    """

    sizes: np.ndarray
    kept: np.ndarray
    mixed: np.ndarray
    single: np.ndarray
    drifts: np.ndarray
    kept_drifted: np.ndarray
    refitted_drifted: np.ndarray


class Halves(NamedTuple):
    """Wine dealt into two halves, and the class means of the first, standardized."""

    x: np.ndarray
    labels: np.ndarray
    state: preprocessing.StandardizerState
    rows: np.ndarray
    right: np.ndarray


def halves(number: int, generator: np.random.Generator) -> Halves:
    """Deal the wine table into halves, many times."""
    wine = datasets.wine()
    half = len(wine.targets) // 2
    first, rest = unseen.splits(len(wine.targets), (half, half), number, generator)
    state = valleys.STANDARDIZE.fit(wine.inputs[first])
    x = valleys.STANDARDIZE.transform(wine.inputs[first], state)
    return Halves(x, wine.targets[first], state, wine.inputs[rest], wine.targets[rest])


def judged(dealt: Halves, rows: np.ndarray, right: np.ndarray, refit: bool) -> np.ndarray:
    """Give the accuracy on rows of each split under either statistics."""
    state = valleys.STANDARDIZE.fit(rows) if refit else dealt.state
    z = valleys.STANDARDIZE.transform(rows, state)
    return (nearest_mean(dealt.x, dealt.labels, z) == right).mean(-1)


def of_one_class(dealt: Halves, size: int) -> np.ndarray:
    """Give the accuracy on the first rows of each class, standardized by themselves; one a split and class.

    Classes with fewer rows than that give all they have.
    """
    result = []
    for label in range(3):
        place = np.argsort(dealt.right != label, axis=-1, kind="stable")
        least = (dealt.right == label).sum(-1).min()
        chosen = place[:, : min(size, least)]
        rows = np.take_along_axis(dealt.rows, chosen[..., None], axis=-2)
        result.append(judged(dealt, rows, np.full(chosen.shape, label), refit=True))
    return np.concatenate(result)


def refit(
    sizes: Sequence[int] = (2, 3, 5, 8, 13, 20, 40, 89),
    drifts: Sequence[float] = (0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4),
    number: int = 200,
    seed: int = 0,
) -> Refit:
    """Re-estimate mean and deviation on test rows: few and many, mixed and of one class, still and drifted."""
    generator = np.random.default_rng(seed)
    dealt = halves(number, generator)
    kept, mixed, single = [], [], []
    for size in sizes:
        rows, right = dealt.rows[:, :size], dealt.right[:, :size]
        kept.append(judged(dealt, rows, right, refit=False))
        mixed.append(judged(dealt, rows, right, refit=True))
        single.append(of_one_class(dealt, size))
    signs = generator.choice([-1.0, 1.0], (number, 1, dealt.rows.shape[-1]))
    moved = [dealt.rows + drift * signs * dealt.state.deviation[:, None, :] for drift in drifts]
    under = [np.array([judged(dealt, rows, dealt.right, again) for rows in moved]) for again in (False, True)]
    measured = (with_errors(np.array(values)) for values in (kept, mixed, single))
    return Refit(np.array(sizes), *measured, np.array(drifts), *map(with_errors, under))


def draw_refit(numbers: Refit, paper: Paper) -> Figure:
    """Draw the accuracy over the number of test rows, and over their drift."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=310 if paper.wide else 470)
    left, right = axes.flat
    palette = paper.palette
    lines = (
        (left, "sizes", "kept", palette.blue, "o"),
        (left, "sizes", "mixed", palette.green, "s"),
        (left, "sizes", "single", palette.orange, "^"),
        (right, "drifts", "kept_drifted", palette.blue, "o"),
        (right, "drifts", "refitted_drifted", palette.green, "s"),
    )
    for own, x, name, color, marker in lines:
        paper.band(own, numbers, f"{name}[0]", f"{name}[2]", x=x, color=color)
        paper.line(own, numbers, f"{name}[1]", x=x, color=color, marker=marker)
    for own in axes.flat:
        own.set(ylim=(0, 1.05), yticks=[0, 0.5, 1], yticklabels=["0", "50%", "100%"])
    left.set(xscale="log", xlabel="test rows standardized together", title="Accuracy on test rows")
    left.set_xticks([2, 5, 13, 40, 89], ["2", "5", "13", "40", "89"])
    left.minorticks_off()
    right.set(xlabel="drift of the features, in deviations", title="Accuracy on 89 drifted rows")
    paper.label(left, 5, 0.71, "their own statistics", color=palette.green, dx=2)
    paper.label(
        left, 89, numbers.single[1, -1], "the same,\nall of one class", color=palette.orange, ha="right", dy=-22
    )
    paper.label(left, 89, 0.88, "training statistics", color=palette.blue, ha="right", dy=-4)
    paper.label(right, 4, 0.95, "their own statistics", color=palette.green, ha="right", dy=-16)
    paper.label(right, 2.6, 0.34, "training\nstatistics", color=palette.blue, ha="right")
    return figure
