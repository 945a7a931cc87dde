"""Figures of the chapter on schedules: descent on a noisy quadratic, computed exactly, and a gallery."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes.numpy import schedules

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper

# A family takes the steps as a column, how many there are, rates and second constants, one of each a column, and gives
# the rates of all steps; (step, column).
Family = Callable[[np.ndarray, int, np.ndarray, np.ndarray], np.ndarray]


def expected_losses(
    rates: np.ndarray, curvatures: np.ndarray, noise: np.ndarray, start: np.ndarray, path: bool = False
) -> np.ndarray:
    """Give the expected loss of descent on a quadratic under noise, over that at the start.

        v <- (1 - a h)^2 v + a^2 noise along each axis;    the loss is the sum of h v

    Args:
        rates: a, the rate of each step; (step, schedule).
        curvatures: h, one an axis.
        noise: Variance of the gradient's noise along each axis.
        start: Mean squared distance along each axis at the start.
        path: Whether the loss before each step and at the end is wanted, not that at the end alone.

    Returns:
        One loss a schedule, or (step, schedule).
    """
    v = np.broadcast_to(start, (rates.shape[1], len(curvatures)))
    losses = [(curvatures * v).sum(-1)]
    for rate in rates[..., None]:
        v = (1 - rate * curvatures) ** 2 * v + rate**2 * noise
        losses.append((curvatures * v).sum(-1))
    return np.array(losses if path else losses[-1]) / losses[0]


def best_rates(
    steps: int,
    curvatures: np.ndarray,
    noise: np.ndarray,
    start: np.ndarray,
    sweeps: int = 60,
    first: np.ndarray | None = None,
) -> np.ndarray:
    """Look for the rates of all steps that make the expected loss at the end least.

    The loss at the end is a parabola in each single rate, if the others are held. So the rates are set one after the
    other to the lowest points of their parabolas, over and over. They begin constant, or as `first` says.
    """
    rates = np.full(steps, 0.5 / curvatures.max()) if first is None else first.copy()
    for _ in range(sweeps):
        weights = np.empty((steps, len(curvatures)))  # what a squared distance after each step adds to the end
        weights[-1] = curvatures
        for t in range(steps - 1, 0, -1):
            weights[t - 1] = weights[t] * (1 - rates[t] * curvatures) ** 2
        v = start
        for t, weight in enumerate(weights):
            rates[t] = (weight * curvatures * v).sum() / (weight * (curvatures**2 * v + noise)).sum()
            v = (1 - rates[t] * curvatures) ** 2 * v + rates[t] ** 2 * noise
    return rates


def _step(t: np.ndarray, steps: int, rate: np.ndarray, drops: np.ndarray) -> np.ndarray:
    # `schedules.step_decay` with another number of drops for each column.
    return rate * 0.5 ** np.floor(t * (drops + 1) / steps)


def _held(t: np.ndarray, steps: int, rate: np.ndarray, second: np.ndarray) -> np.ndarray:
    decay = max(1, round(steps / 5))
    return schedules.warm_up_stable_decay(t, rate, 0, steps - decay, decay)


FAMILIES: dict[str, Family] = {
    "constant": lambda t, steps, rate, second: np.broadcast_to(rate, (steps, rate.size)),
    "inverse time": lambda t, steps, rate, second: schedules.inverse_time_decay(t, rate, second),
    "linear": lambda t, steps, rate, second: schedules.linear(t, rate, steps),
    "cosine": lambda t, steps, rate, second: schedules.cosine(t, rate, steps),
    "1 - sqrt": lambda t, steps, rate, second: schedules.one_minus_sqrt(t, rate, steps),
    "step": _step,
    "held, last fifth": _held,
}
SECONDS = {"inverse time": np.geomspace(1e-3, 3, 17), "step": np.arange(1.0, 13.0)}


class Tuned(NamedTuple):
    """The best constants of a family for a number of steps, and the loss that it ends with."""

    rate: float
    second: float
    loss: float


def tuned(family: str, steps: int, curvatures: np.ndarray, noise: np.ndarray, start: np.ndarray) -> Tuned:
    """Search a family's rate, and its second constant if it has one, over a grid and then a finer one around the best.

    Args:
        family: A name in `FAMILIES`.
        steps: Steps in all.
        curvatures: As in `expected_losses`.
        noise: Likewise.
        start: Likewise.

    Returns:
        What was found.
    """
    t = np.arange(steps)[:, None]
    rates = np.geomspace(3e-3, 1.9, 22) / curvatures.max()
    seconds = SECONDS.get(family, np.ones(1))
    for _ in range(2):
        rate, second = (each.ravel() for each in np.meshgrid(rates, seconds))
        with np.errstate(all="ignore"):
            losses = expected_losses(FAMILIES[family](t, steps, rate, second), curvatures, noise, start)
        best = Tuned(*(float(each[np.nanargmin(losses)]) for each in (rate, second, losses)))
        rates = best.rate * np.geomspace(0.75, 1.33, 13)
        if family == "inverse time":
            seconds = best.second * np.geomspace(0.65, 1.54, 9)
    return best


def ravine(axes: int, noise: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give curvatures from 0.01 to 1, a noise whose variance is in proportion to them, and the start at distance 1."""
    curvatures = np.geomspace(0.01, 1, axes)
    return curvatures, noise * curvatures, np.ones(axes)


# --- one noisy quadratic ---------------------------------------------------------------------------------------------


class Noisy(NamedTuple):
    """Rates and expected losses on a noisy quadratic, under schedules tuned for its number of steps.

    Attributes:
        steps: Steps taken, from 0.
        rates: The rate of each step; (schedule, step), the last of them the best rates of all.
        losses: Expected loss over that at the start, before each step and at the end; (schedule, step).
        ends: The loss at the end, for each schedule.
    """

    steps: np.ndarray
    rates: np.ndarray
    losses: np.ndarray
    ends: np.ndarray


SHOWN = ("constant", "inverse time", "cosine", "step")


def noisy(steps: int = 300, axes: int = 10, noise: float = 1.0) -> Noisy:
    """Tune each schedule for the number of steps, and compute what it does; nothing is drawn at random."""
    setting = ravine(axes, noise)
    t, rates = np.arange(steps)[:, None], []
    for family in SHOWN:
        found = tuned(family, steps, *setting)
        rates.append(FAMILIES[family](t, steps, np.array([found.rate]), np.array([found.second]))[:, 0])
    rates.append(best_rates(steps, *setting))
    losses = expected_losses(np.array(rates).T, *setting, path=True).T
    ends = np.append(np.array(rates), np.array(rates)[:, -1:], axis=1)  # a step is drawn to its end
    return Noisy(np.arange(steps + 1), ends, losses, losses[:, -1])


def draw_noisy(numbers: Noisy, paper: Paper) -> Figure:
    """Draw the rates on the left and the losses on the right."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=330 if paper.wide else 620)
    left, right = axes.flat
    colors = (paper.palette.orange, paper.palette.purple, paper.palette.blue, paper.palette.green)
    for row, color in enumerate(colors):
        style = {"color": color, "marker": paper.markers[row], "markevery": 0.11, "linestyle": paper.dashes[0]}
        paper.line(left, numbers, f"rates[{row}]", x="steps", **style)
        paper.line(right, numbers, f"losses[{row}]", x="steps", **style)
    for own, name in ((left, "rates"), (right, "losses")):
        paper.theory(own, numbers, f"{name}[4]", x="steps", linewidth=1.8)
        own.set(yscale="log", xlabel="step", xlim=(0, numbers.steps[-1]))
    left.set(title="Learning rate", ylim=(1.2e-3, 2.5))
    right.set(title="Expected loss, over that at the start", ylim=(numbers.ends.min() * 0.45, 1.1))
    left.set_yticks([0.01, 0.1, 1], ["0.01", "0.1", "1"])
    right.set_yticks([0.02, 0.05, 0.1, 0.3, 1], ["0.02", "0.05", "0.1", "0.3", "1"])
    for own in (left, right):
        own.minorticks_off()
    names = (*(name.replace("inverse time", "inverse\ntime") for name in SHOWN), "best\nof all")
    inks = (*colors, paper.ink)
    paper.end_labels(left, numbers.steps[-1], np.maximum(numbers.rates[:, -1], 2.5e-3), names, inks)
    texts = [f"{end:.3f}" for end in numbers.ends]
    for row, label in enumerate(paper.end_labels(right, numbers.steps[-1], numbers.ends, texts, inks)):
        paper.mark(label, f"ends[{row}]")
    return figure


# --- over the number of steps ----------------------------------------------------------------------------------------


class Horizons(NamedTuple):
    """The expected loss at the end, each schedule tuned for each number of steps.

    Attributes:
        steps: Numbers of steps.
        one: Loss over that of the best rates of all, where there is one curvature; (schedule, steps).
        many: Loss over that at the start, for curvatures from 0.01 to 1; (schedule, steps).
    """

    steps: np.ndarray
    one: np.ndarray
    many: np.ndarray


ALL = ("constant", "inverse time", "linear", "step", "held, last fifth")


def horizons(most: int = 1000, points: int = 5, axes: int = 8, noise: float = 1.0) -> Horizons:
    """Tune each schedule for each number of steps."""
    steps = np.geomspace(30, most, points).round().astype(int)
    single = np.ones(1), np.full(1, noise), np.ones(1)
    one, many = np.empty((len(ALL), points)), np.empty((len(ALL), points))
    for place, count in enumerate(steps.tolist()):
        for row, family in enumerate(ALL):
            one[row, place] = tuned(family, count, *single).loss * (1 + count / noise)
            many[row, place] = tuned(family, count, *ravine(axes, noise)).loss
    return Horizons(steps, one, many)


def draw_horizons(numbers: Horizons, paper: Paper) -> Figure:
    """Draw the losses over the number of steps."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=310 if paper.wide else 580)
    left, right = axes.flat
    colors = (paper.palette.orange, paper.palette.purple, paper.palette.blue, paper.palette.green, paper.palette.amber)
    for own, name in ((left, "one"), (right, "many")):
        for row, color in enumerate(colors):
            style = {"color": color, "marker": paper.markers[row], "linestyle": paper.dashes[0]}
            paper.line(own, numbers, f"{name}[{row}]", x="steps", **style)
        own.set(xscale="log", xlabel="number of steps")
        own.minorticks_off()
        own.set_xticks([30, 100, 300, 1000], ["30", "100", "300", "1000"])
    left.set(title="One curvature: loss over the least", ylim=(0.8, numbers.one.max() * 1.05))
    right.set(
        title="Curvatures 0.01 to 1: loss", yscale="log", ylim=(numbers.many.min() * 0.7, numbers.many.max() * 1.2)
    )
    right.minorticks_off()
    right.set_yticks([0.01, 0.03, 0.1], ["0.01", "0.03", "0.1"])
    names = [name.replace("inverse time", "inverse\ntime").replace(", last fifth", "") for name in ALL]
    for own, name in ((left, numbers.one), (right, numbers.many)):
        paper.end_labels(own, numbers.steps[-1], name[:, -1], names, colors)
    return figure


# --- gallery ---------------------------------------------------------------------------------------------------------


class Gallery(NamedTuple):
    """Rates over a run, as shares of the largest.

    Attributes:
        share: Share of the run that is over.
        falling: Schedules that fall from the start; (schedule, step).
        rising: Schedules that rise first, or again; (schedule, step).
    """

    share: np.ndarray
    falling: np.ndarray
    rising: np.ndarray


FALLING = ("step", "exponential", "inverse time", "linear", "cosine", "1 - sqrt")
RISING = ("warm-up, cosine", "warm-up, stable, decay", "one cycle", "restarts", "warm-up, inverse root")


def gallery(steps: int = 240) -> Gallery:
    """Compute every schedule over one run."""
    t, up = np.arange(steps + 1), steps // 10
    falling = (
        schedules.step_decay(t, 1.0, steps // 4, 0.5),
        schedules.exponential_decay(t, 1.0, 0.02 ** (1 / steps)),
        schedules.inverse_time_decay(t, 1.0, 20 / steps),
        schedules.linear(t, 1.0, steps),
        schedules.cosine(t, 1.0, steps),
        schedules.one_minus_sqrt(t, 1.0, steps),
    )
    warmed = lambda after: schedules.join(t, (lambda s: schedules.warm_up(s, 1.0, up), after), (up,))  # noqa: E731
    rising = (
        warmed(lambda s: schedules.cosine(s, 1.0, steps - up)),
        schedules.warm_up_stable_decay(t, 1.0, up, steps - up - steps // 5, steps // 5),
        schedules.one_cycle(t, 1.0, steps + 1),
        schedules.cosine_restarts(t, 1.0, math.ceil(steps / 7), 2),
        warmed(lambda s: schedules.inverse_time_decay(s, 1.0, 1 / up, 0.5)),
    )
    return Gallery(t / steps, np.array(falling), np.array(rising))


def draw_gallery(numbers: Gallery, paper: Paper) -> Figure:
    """Draw each schedule in a small panel of its own."""
    names = (*FALLING, *RISING)
    columns = 4 if paper.wide else 3
    rows = math.ceil(len(names) / columns)
    figure, axes = paper.subplots(rows, columns, height=110 * rows + 40, sharex=True, sharey=True)
    for place, (own, name) in enumerate(zip(axes.flat, names, strict=False)):
        rising = place >= len(FALLING)
        field = f"rising[{place - len(FALLING)}]" if rising else f"falling[{place}]"
        paper.line(own, numbers, field, x="share", color=paper.palette.orange if rising else paper.palette.blue)
        title = name.replace(", ", ",\n").replace("inverse ", "inverse\n") if not paper.wide else name
        own.set_title(title, fontsize=9 if paper.wide else 8.5)
        own.set(xlim=(0, 1), ylim=(0, 1.08))
        own.set_xticks([1], ["end"])
        own.set_yticks([0, 1], ["0", "1"])
    for own in axes.flat[len(names) :]:
        own.set_axis_off()
    return figure
