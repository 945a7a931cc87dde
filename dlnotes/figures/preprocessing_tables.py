"""Figures of the chapter on preprocessing for which rows are drawn: tables and images.

Quantiles are 10%, 50% and 90% over tables drawn with replacement from the rows of the real one, and stand on an axis of
three in this order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import datasets
from dlnotes.figures import preprocessing as valleys
from dlnotes.numpy import preprocessing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper


def moving(x: np.ndarray) -> np.ndarray:
    """Leave out the features that are the same in all rows."""
    return x[:, np.ptp(x, axis=0) > 0]


def _quantiles(values: np.ndarray) -> np.ndarray:
    return np.quantile(values, (0.1, 0.5, 0.9), axis=0)


# --- four descents on the wine table ---------------------------------------------------------------------------------


class WineDescent(NamedTuple):
    """Gradient descent on least squares on the wine table, raw, centered, standardized and whitened.

    Attributes:
        steps: Steps taken.
        left: Share of the loss above the least one that is left; (form, quantile, step). Less than LEAST counts as
            LEAST, just below the figure: a line that drops to nearly 0 in one step then leaves it at that step.
        conditions: Condition number of the Hessian with a bias, on the whole table; one a form.
    """

    steps: np.ndarray
    left: np.ndarray
    conditions: np.ndarray


LEAST = 9e-4


def wine_descent(tables: int = 100, points: int = 111, seed: int = 0) -> WineDescent:
    """Follow descent in closed form, on tables drawn with replacement from the 178 wines."""
    wine = datasets.wine()
    rows = valleys.resampled(len(wine.inputs), tables, np.random.default_rng(seed))
    steps = np.append(0, np.geomspace(1, 1e10, points))
    targets = valleys.one_hot(wine)[rows]
    left = [
        _quantiles(valleys.left_after(valleys.descent(x, targets), steps)) for x in valleys.forms(wine.inputs[rows])
    ]
    conditions = [preprocessing.least_squares_condition(valleys.with_bias(x)) for x in valleys.forms(wine.inputs)]
    return WineDescent(steps, np.maximum(left, LEAST), np.array(conditions))


def draw_wine_descent(numbers: WineDescent, paper: Paper) -> Figure:
    """Draw the loss that is left against the steps, and say the condition numbers."""
    figure, ((axes,),) = paper.subplots(height=330 if paper.wide else 380)
    palette = paper.palette
    colors = (palette.orange, palette.purple, palette.blue, palette.green)
    for form, color in enumerate(colors):
        paper.band(axes, numbers, f"left[{form}, 0]", f"left[{form}, 2]", x="steps", color=color)
        paper.line(axes, numbers, f"left[{form}, 1]", x="steps", color=color, linestyle=paper.dashes[form])
    axes.set_xscale("symlog", linthresh=1, linscale=0.6)
    axes.set(yscale="log", xlabel="steps of gradient descent", title="Share of the loss still to be learned")
    axes.set(xlim=(-0.2, 1e10), ylim=(1e-3, 12 if paper.wide else 80))
    axes.set_xticks([0, *10.0 ** np.arange(0, 11, 2)], ["0", "1", "100", *(f"$10^{{{n}}}$" for n in (4, 6, 8, 10))])
    axes.set_yticks([1e-3, 1e-2, 0.1, 1], ["0.1%", "1%", "10%", "100%"])
    axes.minorticks_off()
    places, heights = ((0.1, 9, 3e4, 3e7), (1.8,) * 4) if paper.wide else ((0.1, 1.5, 2e4, 3e5), (1.8, 14, 1.8, 14))
    for form, (name, color) in enumerate(zip(valleys.FORMS, colors, strict=True)):
        x, y = places[3 - form], heights[3 - form]
        words = f"{name}\ncondition {valleys.power(numbers.conditions[form])}"
        paper.mark(paper.label(axes, x, y, words, color=color, va="bottom"), f"conditions[{form}]")
    return figure


# --- tables and images -----------------------------------------------------------------------------------------------


class TablesImages(NamedTuple):
    """Steps of gradient descent until 1% of the loss is left, for four real data sets.

    Attributes:
        places: Where each data set is drawn, from the top: wine, breast cancer, diabetes, digits.
        centered: Steps on centered inputs; (quantile, data set).
        standardized: Steps on standardized inputs; (quantile, data set).
        savings: How many times fewer, on the whole data set.
    """

    places: np.ndarray
    centered: np.ndarray
    standardized: np.ndarray
    savings: np.ndarray


SETS = ("wine", "breast_cancer", "diabetes", "digits")


def steps_of(dataset: datasets.Dataset, rows: np.ndarray) -> np.ndarray:
    """Give the steps until 1% is left on centered and on standardized inputs; (form, table)."""
    steps = np.empty((2, len(rows)))
    for table, chosen in enumerate(rows):
        x, targets = moving(dataset.inputs[chosen]), valleys.one_hot(dataset)[chosen]
        for form, transform in enumerate((valleys.CENTER, valleys.STANDARDIZE)):
            steps[form, table] = valleys.steps_until(valleys.descent(valleys.fitted(transform, x), targets))
    return steps


def tables_images(tables: int = 40, seed: int = 0) -> TablesImages:
    """Count steps on tables drawn with replacement, and on the data sets themselves."""
    steps, savings = [], []
    for place, name in enumerate(SETS):
        dataset = getattr(datasets, name)()
        generator = np.random.default_rng([seed, place])
        count = len(dataset.inputs)
        drawn = steps_of(dataset, valleys.resampled(count, tables, generator))
        steps.append(np.quantile(drawn, (0.1, 0.5, 0.9), axis=1))
        before, after = steps_of(dataset, np.arange(count)[None])[:, 0]
        savings.append(before / after)
    centered, standardized = np.moveaxis(np.array(steps), (0, 1, 2), (2, 1, 0))
    return TablesImages(np.arange(len(SETS)), centered, standardized, np.array(savings))


def draw_tables_images(numbers: TablesImages, paper: Paper) -> Figure:
    """Draw for each data set the steps on centered and on standardized inputs."""
    figure, ((axes,),) = paper.subplots(height=250)
    for name, color, marker in zip(("standardized", "centered"), paper.colors, paper.markers, strict=False):
        low, high = (paper.value(numbers, f"{name}[{quantile}]") for quantile in (0, 2))
        lines = axes.hlines(numbers.places, low, high, color=color, linewidth=1.4)
        paper.mark(lines, "places", x=f"{name}[0]", upper=f"{name}[2]")
        style = {"color": color, "marker": marker, "linestyle": "none"}
        paper.line(axes, numbers, "places", x=f"{name}[1]", **style)
        x, y = paper.value(numbers, f"{name}[1]")[0], -0.55 if paper.wide or name == "centered" else -1
        paper.label(axes, x, y, name, color=color, ha="center" if paper.wide or name == "centered" else "left", dx=-3)
    for place in numbers.places:
        text = paper.label(axes, 1e11, place, f"{valleys.power(numbers.savings[place])} times", color=paper.muted, dx=4)
        paper.mark(text, f"savings[{place}]")
    axes.set(
        xscale="log",
        xlabel="steps until 1% of the loss is left",
        ylim=(3.5, -0.9 if paper.wide else -1.4),
        xlim=(1, 1e11),
    )
    axes.set_yticks(numbers.places, [name.replace("_", " ") for name in SETS])
    axes.set_xticks(10.0 ** np.arange(0, 11, 2 if paper.wide else 5))
    axes.minorticks_off()
    axes.grid(False)
    return figure
