"""Figures of the chapter on preprocessing without randomness: valleys, and what the steps do to rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import datasets
from dlnotes.numpy import preprocessing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper


def fitted(transform: preprocessing.Standardizer | preprocessing.PCA, x: np.ndarray) -> np.ndarray:
    """Fit a transform to rows and apply it to them."""
    return transform.transform(x, transform.fit(x))


def with_bias(x: np.ndarray) -> np.ndarray:
    """Give the rows a last feature of ones, whose weight is the bias."""
    return np.concatenate((x, np.ones((*x.shape[:-1], 1))), axis=-1)


CENTER = preprocessing.Standardizer(scale=False)
STANDARDIZE = preprocessing.Standardizer()
WHITEN = preprocessing.PCA(whiten=True)


class Descent(NamedTuple):
    """What gradient descent on least squares needs to be followed without taking its steps.

    Attributes:
        eigenvalues: Of the Hessian, over the largest; (*tables, direction).
        shares: Share of the loss above the least one that lies along each eigenvector at the start.
    """

    eigenvalues: np.ndarray
    shares: np.ndarray


def descent(x: np.ndarray, targets: np.ndarray) -> Descent:
    """Prepare descent at the rate 1 / (largest eigenvalue) from weights 0 and the bias that is best for them.

    The loss above the least one is sum_k f_k (1 - eta lambda_k)^(2 t), with f_k the square of the targets along the
    k-th left singular vector of the inputs.
    """
    left, singular, _ = np.linalg.svd(with_bias(x), full_matrices=False)
    along = np.square(left.mT @ (targets - targets.mean(-2, keepdims=True))).sum(-1)
    along = np.where(singular > 1e-13 * singular[..., :1], along, 0)
    eigenvalues = np.minimum((singular / singular[..., :1]) ** 2, 1)
    return Descent(eigenvalues, along / along.sum(-1, keepdims=True))


def left_after(prepared: Descent, steps: np.ndarray) -> np.ndarray:
    """Give the share of the loss that is left after the steps; (*tables, steps)."""
    eigenvalues, shares = (array[..., None, :] for array in prepared)
    with np.errstate(divide="ignore"):
        logs = np.log1p(-np.minimum(eigenvalues, 1 - 1e-16))
    return (shares * np.exp(2 * np.asarray(steps)[..., :, None] * logs)).sum(-1)


def steps_until(prepared: Descent, left: float = 0.01) -> np.ndarray:
    """Give the first step after which at most that share of the loss is left, for each table."""
    low, high = (np.full(prepared.shares.shape[:-1], bound) for bound in (0.0, 2.0**60))
    while np.any(high - low > 1):
        middle = np.where(high - low > 1, np.floor((low + high) / 2), high)
        enough = left_after(prepared, middle[..., None])[..., 0] <= left
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
        high = np.maximum(high, low)
    return high


def one_hot(dataset: datasets.Dataset) -> np.ndarray:
    """Give the targets as numbers to be predicted: themselves, or one column a class."""
    if dataset.targets.dtype.kind == "f":
        return dataset.targets[:, None]
    return np.eye(len(dataset.classes))[dataset.targets]


def resampled(count: int, tables: int, generator: np.random.Generator) -> np.ndarray:
    """Draw rows with replacement for each table; (table, row)."""
    return generator.integers(0, count, (tables, count))


FORMS = ("raw", "centered", "standardized", "whitened")


def forms(x: np.ndarray) -> tuple[np.ndarray, ...]:
    """Give the rows in the four forms."""
    return (x, *(fitted(transform, x) for transform in (CENTER, STANDARDIZE, WHITEN)))


def power(number: float) -> str:
    """Write a large number as its leading digits and a power of ten."""
    exponent = math.floor(math.log10(number))
    return f"${number / 10**exponent:.1f} \\times 10^{{{exponent}}}$" if exponent > 2 else f"{number:.0f}"


# --- the cloud at each step ------------------------------------------------------------------------------------------


class Clouds(NamedTuple):
    """The wine table at each step: original, centered, normalized, decorrelated, whitened.

    Attributes:
        points: Two of the features, or principal components of the two; (step, coordinate, wine).
        hessians: Size of each entry of the least-squares Hessian of all 13 features, over the largest; (step, 13, 13).
        conditions: Its condition number, one a step.
    """

    points: np.ndarray
    hessians: np.ndarray
    conditions: np.ndarray


STEPS = ("original", "centered", "normalized", "decorrelated", "whitened")
SHOWN = ("flavanoids", "total_phenols")


def stages(x: np.ndarray) -> list[np.ndarray]:
    """Give the rows after each step, each made of the one before."""
    normalized = fitted(STANDARDIZE, x)
    return [x, fitted(CENTER, x), normalized, fitted(preprocessing.PCA(), normalized), fitted(WHITEN, normalized)]


def clouds() -> Clouds:
    """Take the wine table through the steps: two features for the cloud, all of them for the Hessian."""
    wine = datasets.wine()
    pair = wine.inputs[:, [wine.features.index(name) for name in SHOWN]]
    all_features = stages(wine.inputs)
    hessians = [np.abs(preprocessing.least_squares_hessian(x)) for x in all_features]
    return Clouds(
        np.array([x.T for x in stages(pair)]),
        np.array([hessian / hessian.max() for hessian in hessians]),
        np.array([preprocessing.least_squares_condition(x) for x in all_features]),
    )


def draw_clouds(numbers: Clouds, paper: Paper) -> Figure:
    """Draw for each step the cloud of two features and the map of the Hessian."""
    count = len(STEPS)
    shape = (2, count) if paper.wide else (count, 2)
    figure, axes = paper.subplots(*shape, height=330 if paper.wide else 700)
    if not paper.wide:
        figure.set_layout_engine("compressed", w_pad=0.03, h_pad=0.03, wspace=0.08)  # squares: less between columns
    for step, name in enumerate(STEPS):
        cloud, square = axes[:, step] if paper.wide else axes[step]
        style = {"linestyle": "none", "marker": "o", "markersize": 1.8, "color": paper.palette.blue, "alpha": 0.6}
        paper.line(cloud, numbers, f"points[{step}, 1]", x=f"points[{step}, 0]", **style)
        paper.guide(cloud.axhline(0, color=paper.muted, linewidth=0.7))
        paper.guide(cloud.axvline(0, color=paper.muted, linewidth=0.7))
        cloud.set(aspect="equal", xlim=(-4, 5.5), ylim=(-4, 5.5), xticks=[0, 4], yticks=[0, 4], title=name)
        cloud.grid(False)
        mesh = square.pcolormesh(numbers.hessians[step], cmap=paper.ramp, vmin=0, vmax=1)
        mesh.set(edgecolor="face", linewidth=0.4)
        paper.mark(mesh, f"hessians[{step}]")
        square.set(aspect="equal", xticks=[], yticks=[], ylim=(13, 0))
        square.spines[["left", "bottom"]].set_visible(False)
        words = "condition " if step == 0 else ""
        title = square.set_title(words + power(numbers.conditions[step]))
        paper.mark(title, f"conditions[{step}]")
    return figure


# --- paths in three valleys ------------------------------------------------------------------------------------------


class Paths(NamedTuple):
    """Gradient descent in two dimensions, before and after centering, dividing and whitening.

    Attributes:
        ellipses: Points of equal loss around the least one, in units of the farthest one's distance; (case, before or
            after, level, coordinate, point).
        paths: Where descent has been; (case, before or after, coordinate, step).
        conditions: Condition number of the Hessian; (case, before or after).
    """

    ellipses: np.ndarray
    paths: np.ndarray
    conditions: np.ndarray


CASES = ("center", "divide", "whiten")


def valleys() -> list[tuple[np.ndarray, np.ndarray]]:
    """Give the Hessians of three pairs of parameters, before and after the step that is meant for them."""
    wine = datasets.wine()

    def columns(*names: str) -> np.ndarray:
        return wine.inputs[:, [wine.features.index(name) for name in names]]

    one, unlike, alike = columns("flavanoids"), columns("ash", "malic_acid"), columns(*SHOWN)
    pairs = (
        (with_bias(one), with_bias(fitted(CENTER, one))),
        (fitted(CENTER, unlike), fitted(STANDARDIZE, unlike)),
        (fitted(STANDARDIZE, alike), fitted(WHITEN, alike)),
    )
    return [tuple(preprocessing.least_squares_hessian(x) for x in pair) for pair in pairs]


def paths(steps: int = 16, points: int = 91) -> Paths:
    """Descend at the best constant rate from a start whose loss lies to equal parts along both eigenvectors."""
    ellipses, walks, conditions = [], [], []
    circle = np.stack((np.cos(np.linspace(0, 2 * math.pi, points)), np.sin(np.linspace(0, 2 * math.pi, points))))
    for hessian in (matrix for pair in valleys() for matrix in pair):
        values, vectors = np.linalg.eigh(hessian)
        vectors = vectors * np.where(vectors.sum(0) < 0, -1, 1)  # their sign is free
        axes = vectors / np.sqrt(values)  # a circle becomes a line of equal loss
        size = np.linalg.norm(axes, axis=0).max() * math.sqrt(2)
        factors = 1 - 2 / (values[0] + values[1]) * values  # the best constant rate
        walks.append(axes @ factors[:, None] ** np.arange(steps + 1) / size)
        ellipses.append([axes @ circle * math.sqrt(2) * level / size for level in (1, 0.6, 0.3)])
        conditions.append(values[1] / values[0])
    shape = (len(CASES), 2)
    reshaped = (np.reshape(array, (*shape, *np.shape(array)[1:])) for array in (ellipses, walks, conditions))
    return Paths(*reshaped)


def draw_paths(numbers: Paths, paper: Paper) -> Figure:
    """Draw the valleys before in the one row (or column) and after in the other."""
    figure, axes = paper.subplots(*((2, 3) if paper.wide else (3, 2)), height=430 if paper.wide else 510)
    before = ("raw", "two scales", "correlated")
    after = ("centered", "divided", "whitened")
    for case, late in np.ndindex(3, 2):
        own = axes[late, case] if paper.wide else axes[case, late]
        for level in range(3):
            outline = f"ellipses[{case}, {late}, {level}, 1]"
            style = {"color": paper.muted, "linewidth": 0.8}
            paper.line(own, numbers, outline, x=f"ellipses[{case}, {late}, {level}, 0]", **style)
        color = paper.palette.blue if late else paper.palette.orange
        style = {"color": color, "marker": "o", "markersize": 3, "linewidth": 1.3}
        paper.line(own, numbers, f"paths[{case}, {late}, 1]", x=f"paths[{case}, {late}, 0]", **style)
        own.set(aspect="equal", xticks=[], yticks=[], xlim=(-1.1, 1.1), ylim=(-1.1, 1.1))
        own.spines[["left", "bottom"]].set_visible(False)
        style = {"color": paper.grid, "linewidth": 0.7, "zorder": 0}
        paper.guide([own.axhline(0, **style), own.axvline(0, **style)])
        text = f"{(before, after)[late][case]}, κ = {numbers.conditions[case, late]:.1f}"
        paper.mark(own.set_title(text), f"conditions[{case}, {late}]")
    return figure


# --- pictures --------------------------------------------------------------------------------------------------------


class Pictures(NamedTuple):
    """Digits after each transform, fitted on all digits.

    Attributes:
        tones: From 0 to 1, with 1/2 for zero; one scale a picture; (transform, digit, row, column).
    """

    tones: np.ndarray


TRANSFORMS = ("raw", "PCA-whitened", "ZCA-whitened")


def pictures(digits: int = 5) -> Pictures:
    """Transform the digits, with an epsilon of a tenth of the mean variance, and show the first ones."""
    x = datasets.digits().inputs
    epsilon = 0.1 * x.var(axis=0).mean()
    whiten = preprocessing.PCA(whiten=True, epsilon=epsilon)
    shown = [x, fitted(whiten, x), fitted(preprocessing.ZCA(epsilon=epsilon), x)]
    values = np.stack([rows[:digits] for rows in shown]).reshape(len(shown), digits, 8, 8)
    return Pictures(0.5 + 0.5 * values / np.abs(values).max((-2, -1), keepdims=True))


def draw_pictures(numbers: Pictures, paper: Paper) -> Figure:
    """Draw a row of pictures for each transform."""
    count = numbers.tones.shape[1]
    palette = paper.palette
    tones = type(paper.ramp).from_list("tones", [palette.orange, palette.surface, palette.blue])
    figure, axes = paper.subplots(len(TRANSFORMS), count, height=374 if paper.wide else 174)
    for row, digit in np.ndindex(*axes.shape):
        own = axes[row, digit]
        mesh = own.pcolormesh(numbers.tones[row, digit], cmap=tones, vmin=0, vmax=1)
        mesh.set(edgecolor="face", linewidth=0.4)
        paper.mark(mesh, f"tones[{row}, {digit}]")
        own.set(aspect="equal", xticks=[], yticks=[], ylim=(8, 0))
        own.spines[["left", "bottom"]].set_visible(False)
    for own, name in zip(axes[:, 0], TRANSFORMS, strict=True):
        own.set_ylabel(name.replace("-", "-\n"), rotation=0, ha="right", va="center", labelpad=8)
    return figure
