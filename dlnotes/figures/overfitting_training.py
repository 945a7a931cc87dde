"""Figures of the chapter on overfitting for which networks are trained: remedies, signs, and more data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes.figures import overfitting_networks as networks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper


# --- each remedy alone -----------------------------------------------------------------------------------------------


class Remedies(NamedTuple):
    """What each remedy alone changes in the held-out error, in points of percent; by panel true labels, some false.

    Attributes:
        plain: Mean error without a remedy, in percent; (panel,).
        difference: Mean paired difference; (panel, remedy).
        interval: The difference less and plus two standard errors; (panel, remedy, 2).
        places: Where a remedy is drawn.
        lines: The same twice; (remedy, 2).
        chosen: The strength that was best on other seeds; (panel, remedy).
    """

    plain: np.ndarray
    difference: np.ndarray
    interval: np.ndarray
    places: np.ndarray
    lines: np.ndarray
    chosen: np.ndarray


# By the name in the figure: what is varied, and the strengths from which the best is chosen.
STRENGTHS: dict[str, tuple[str, tuple[float, ...]]] = {
    "4 × the data": ("examples", (4,)),
    "stopped early": ("steps", ()),
    "weight decay": ("decay", (0.003, 0.01, 0.03, 0.1)),
    "cutout": ("patch", (1, 3, 5, 7)),
    "mixup": ("concentration", (0.1, 8.0, 64.0)),
    "dropout": ("drop", (0.1, 0.25, 0.4, 0.6)),
    "label smoothing": ("smoothing", (0.02, 0.1, 0.5, 0.7)),
    "wider": ("width", (4,)),
    "narrower": ("width", (0.5, 0.75)),
    "no hidden layer": ("width", (0,)),
    "shifts": ("shift", (1,)),
}
STOPS = 12  # places at which a training may be stopped


def remedy_of(name: str, strength: float, plain: networks.Remedy) -> networks.Remedy:
    """Give the remedy of the figure at one strength; data and width are multiples of the plain ones."""
    field = STRENGTHS[name][0]
    if strength and field in ("examples", "width"):
        strength = max(1, round(strength * getattr(plain, field)))
    return plain._replace(**{field: strength})


def stops(steps: int) -> list[int]:
    """Give the steps at which training may be stopped."""
    return sorted({max(1, round(steps * (place + 1) / STOPS)) for place in range(STOPS)})


def errors_under(
    cases: Sequence[tuple[str, float]], seeds: Sequence[int], plain: networks.Remedy, **setting: float
) -> dict[tuple[str, float], np.ndarray]:
    """Train under each name and strength, those of one width together; held-out errors in percent, one a seed."""
    own = {case: remedy_of(*case, plain) for case in cases}
    found = {}
    for width in sorted({remedy.width for remedy in own.values()}):
        alike = [case for case, remedy in own.items() if remedy.width == width]
        runs = [run for case in alike for run in networks.under(own[case], seeds)]
        errors = 100 * networks.train(runs, **setting).error[:, -1]
        found.update(zip(alike, errors.reshape(len(alike), len(seeds)), strict=True))
    return found


def tuned(seeds: Sequence[int], plain: networks.Remedy, **setting: float) -> dict[str, float]:
    """Give for each remedy the strength with the least mean error over the seeds; of stopping early, the step."""
    cases = [
        (name, strength) for name, (_, strengths) in STRENGTHS.items() if len(strengths) > 1 for strength in strengths
    ]
    means = {case: errors.mean() for case, errors in errors_under(cases, seeds, plain, **setting).items()}
    course = networks.train(networks.under(plain, seeds), measure_at=stops(setting["steps"]), **setting)
    chosen = {name: strengths[0] for name, (_, strengths) in STRENGTHS.items() if strengths}
    for name, strength in cases:
        if means[name, strength] < means[name, chosen[name]]:
            chosen[name] = strength
    chosen["stopped early"] = course.steps[course.error.mean(0).argmin()].item()
    return {name: chosen[name] for name in STRENGTHS}


def remedies(
    examples: int = 200,
    width: int = 32,
    steps: int = 400,
    seeds: int = 12,
    tuning: int = 3,
    false: float = 0.2,
    rate: float = 0.2,
    seed: int = 0,
) -> Remedies:
    """Train under each remedy alone, at the strength that was best on other seeds, with all labels true and not."""
    plain = networks.Remedy(examples, width)
    own, others = range(seed, seed + seeds), range(seed + 1_000_000, seed + 1_000_000 + tuning)
    pairs, bases, chosen = [], [], []
    for share in (0.0, false):
        setting = {"steps": steps, "rate": rate, "false": share}
        strengths = tuned(others, plain, **setting)
        course = networks.train(networks.under(plain, own), measure_at=stops(steps), **setting)
        base = 100 * course.error
        after = errors_under([case for case in strengths.items() if case[0] != "stopped early"], own, plain, **setting)
        stop = strengths["stopped early"]
        after["stopped early", stop] = base[:, course.steps.tolist().index(stop)]
        pairs.append(np.array([after[case] for case in strengths.items()]) - base[:, -1])
        bases.append(base[:, -1].mean())
        chosen.append(list(strengths.values()))
    differences = np.array(pairs)  # panel, remedy, seed
    mean, error = differences.mean(-1), differences.std(-1, ddof=1) / np.sqrt(seeds)
    interval = np.stack((mean - 2 * error, mean + 2 * error), axis=-1)
    places = np.arange(len(STRENGTHS), dtype=float)
    lines = np.stack((places, places), axis=-1)
    return Remedies(np.array(bases), mean, interval, places, lines, np.array(chosen, dtype=float))


def draw_remedies(numbers: Remedies, paper: Paper) -> Figure:
    """Draw a point and an interval for each remedy, true labels beside some false ones."""
    shape = (1, 2) if paper.wide else (2, 1)
    figure, axes = paper.subplots(*shape, height=330 if paper.wide else 620, sharey=True)
    colors = (paper.palette.blue, paper.palette.orange)
    titles = ("All labels true", "A fifth of the labels false")
    for panel, (own, title) in enumerate(zip(axes.flat, titles, strict=True)):
        color = colors[panel]
        paper.guide(own.axvline(0, color=paper.muted, linewidth=0.8))
        for place in range(len(numbers.places)):
            paper.line(own, numbers, f"lines[{place}]", x=f"interval[{panel}, {place}]", color=color, linewidth=3)
        style = {"linestyle": "none", "marker": paper.markers[panel], "markersize": 6, "color": color}
        paper.line(own, numbers, "places", x=f"difference[{panel}]", **style)
        words = own.set_xlabel(f"change of the error in points, from {numbers.plain[panel]:.1f}")
        paper.mark(words, f"plain[{panel}]")
        for place, strength in enumerate(numbers.chosen[panel]):
            edge = {"xycoords": own.get_yaxis_transform(), "textcoords": "offset points", "va": "center"}
            text = own.annotate(f"{strength:g}", (1, numbers.places[place]), (4, 0), color=paper.muted, **edge)
            paper.mark(text, f"chosen[{panel}, {place}]")
        own.set(title=title)
        own.set_yticks(numbers.places, list(STRENGTHS))
        own.grid(axis="x")
    axes.flat[0].invert_yaxis()
    return figure


# --- what overfitting looks like -------------------------------------------------------------------------------------


class Signs(NamedTuple):
    """Losses and errors while a network trains; panels of true labels, and of some false.

    Attributes:
        steps: Steps taken, from 1.
        training_loss: Median over seeds of the loss on the training set; (panel, step).
        loss: Held-out loss, least, median and largest; (panel, 3, step).
        training_error: Median share of mistakes on the training set, in percent; (panel, step).
        error: Held-out, least, median and largest; (panel, 3, step).
    """

    steps: np.ndarray
    training_loss: np.ndarray
    loss: np.ndarray
    training_error: np.ndarray
    error: np.ndarray


def signs(
    examples: int = 200,
    width: int = 32,
    steps: int = 3200,
    seeds: int = 8,
    false: float = 0.2,
    rate: float = 0.2,
    seed: int = 0,
) -> Signs:
    """Train without a remedy, and measure at steps in geometric order."""
    at = sorted({round(steps * 2.0 ** (-place / 2)) for place in range(19)} - {0})
    own, found = range(seed, seed + seeds), []
    for share in (0.0, false):
        setting = {"steps": steps, "rate": rate, "false": share, "measure_at": at}
        course = networks.train(networks.under(networks.Remedy(examples, width), own), **setting)
        spread = [np.quantile(part, (0, 0.5, 1), axis=0) for part in (course.loss, 100 * course.error)]
        found.append(
            (np.median(course.training_loss, 0), spread[0], 100 * np.median(course.training_error, 0), spread[1])
        )
    return Signs(course.steps, *(np.stack(part) for part in zip(*found, strict=True)))


def draw_signs(numbers: Signs, paper: Paper) -> Figure:
    """Draw losses above errors, true labels beside false ones."""
    figure, axes = paper.subplots(2, 2, height=480 if paper.wide else 440, sharex=True, sharey="row")
    blue, orange = paper.palette.blue, paper.palette.orange
    names = (("training_loss", "loss"), ("training_error", "error"))
    for panel in range(2):
        for row, (fitted, held_out) in enumerate(names):
            own = axes[row, panel]
            paper.line(own, numbers, f"{fitted}[{panel}]", x="steps", color=blue, linestyle=paper.dashes[1])
            paper.band(own, numbers, f"{held_out}[{panel}, 0]", f"{held_out}[{panel}, 2]", x="steps", color=orange)
            paper.line(own, numbers, f"{held_out}[{panel}, 1]", x="steps", color=orange)
            own.set(xscale="log")
            own.minorticks_off()
            own.set_xticks([10, 100, 1000], ["10", "100", "1000"])
            place = len(numbers.steps) - 5
            after = getattr(numbers, held_out)[panel, 1, place]
            if row:
                paper.label(own, numbers.steps[place], after, "new", color=orange, dy=12, ha="center")
                continue
            paper.label(own, numbers.steps[place], after, "new data", color=orange, dy=14, ha="right")
            if panel:
                at = numbers.steps[place - 4], numbers.training_loss[panel, place - 4]
                paper.label(own, *at, "training", color=blue, dx=-10, dy=-4, ha="right")
    axes[0, 0].set(title="Loss, labels true", ylim=(0, 2.5))
    axes[0, 1].set(title="Loss, a fifth false")
    axes[1, 0].set(title="Error, %", xlabel="steps", ylim=(0, 60))
    axes[1, 1].set(title="Error, %", xlabel="steps")
    return figure


# --- more data at equal updates --------------------------------------------------------------------------------------


class MoreData(NamedTuple):
    """Held-out error over the number of examples and over the number of updates, in percent.

    Attributes:
        sizes: Examples in the training set.
        few: Held-out error after a quarter of the updates; (quantile, size).
        many: After all updates.
        fitted: Median training error after all updates.
        updates: Updates.
        course: Held-out error with the least number of examples and with the most; (set, quantile, update).
    """

    sizes: np.ndarray
    few: np.ndarray
    many: np.ndarray
    fitted: np.ndarray
    updates: np.ndarray
    course: np.ndarray


SIZES = (50, 100, 200, 400, 800)


def more_data(width: int = 32, steps: int = 1600, seeds: int = 8, rate: float = 0.2, seed: int = 0) -> MoreData:
    """Train on nested sets of 50 to 800 digits, in batches of 25, with equally many updates."""
    at = sorted({max(1, steps // 2**place) for place in range(6)})
    runs = [run for size in SIZES for run in networks.under(networks.Remedy(size, width), range(seed, seed + seeds))]
    found = networks.train(runs, steps=steps, rate=rate, measure_at=at)
    errors = 100 * found.error.reshape(len(SIZES), seeds, -1)
    spread = np.quantile(errors, (0, 0.5, 1), axis=1)  # quantile, size, update
    fitted = np.median(100 * found.training_error.reshape(errors.shape)[..., -1], axis=1)
    course = spread[:, [0, -1]].swapaxes(0, 1)
    return MoreData(np.array(SIZES), spread[..., -3], spread[..., -1], fitted, np.array(at), course)


def draw_more_data(numbers: MoreData, paper: Paper) -> Figure:
    """Draw the error over the examples, and over the updates."""
    shape = (1, 2) if paper.wide else (2, 1)
    figure, axes = paper.subplots(*shape, height=320 if paper.wide else 580, sharey=True)
    left, right = axes.flat
    colors = (paper.palette.orange, paper.palette.blue)
    for row, (name, color) in enumerate(zip(("few", "many"), colors, strict=True)):
        paper.band(left, numbers, f"{name}[0]", f"{name}[2]", x="sizes", color=color)
        style = {"color": color, "marker": paper.markers[row], "linestyle": paper.dashes[1 - row]}
        paper.line(left, numbers, f"{name}[1]", x="sizes", **style)
        paper.band(right, numbers, f"course[{row}, 0]", f"course[{row}, 2]", x="updates", color=color)
        paper.line(right, numbers, f"course[{row}, 1]", x="updates", color=color, marker=paper.markers[row])
    paper.line(left, numbers, "fitted", x="sizes", color=paper.ink, linestyle=paper.dashes[2])
    for own, name in ((left, "examples"), (right, "updates")):
        own.set(xscale="log", xlabel=name)
        own.minorticks_off()
        own.set_xticks([50, 200, 800], ["50", "200", "800"])
    left.set(title="Error, equally many updates", ylim=(-1.5, 36))
    right.set(title="Error, equally many examples")
    left.set_yticks([0, 10, 20, 30], ["0", "10%", "20%", "30%"])
    counts = numbers.updates[-3], numbers.updates[-1]
    paper.label(left, numbers.sizes[1], numbers.few[2, 1], f"{counts[0]} or {counts[1]} updates", dx=8, dy=14)
    paper.label(left, numbers.sizes[1], numbers.fitted[1], "training", dy=10)
    for row, color in enumerate(colors):
        text = f"{numbers.sizes[-row]} examples"
        at = numbers.updates[-3], numbers.course[row, 2, -3]
        paper.label(right, *at, text, color=color, dy=12)
    return figure
