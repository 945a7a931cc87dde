"""Figures of the chapter on ensembles: what makes members differ, and a race against one larger network."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes.figures import ensembles as common
from dlnotes.numpy import ensembles, many_runs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper


# --- what makes members differ ---------------------------------------------------------------------------------------


class Sources(NamedTuple):
    """Members that differ in one thing, at two learning rates.

    Attributes:
        rates: The learning rates.
        places: Where each source stands on the axis.
        disagreement: Share of pairs that name another class; (rate, source).
        member: Test error of a member in percent, mean over deals and members.
        together: Test error of the ensemble.
    """

    rates: np.ndarray
    places: np.ndarray
    disagreement: np.ndarray
    member: np.ndarray
    together: np.ndarray


NAMES = ("orders", "snapshots", "starts", "starts,\norders", "bootstrap", "bootstrap,\nstarts")
# What each member has of its own: start, order, examples.
OWN = ((0, 1, 0), None, (1, 0, 0), (1, 1, 0), (0, 0, 1), (1, 1, 1))


def _generators(own: int, runs: tuple[int, int], seed: int) -> np.ndarray:
    """Give each run its generator; members without an order of their own get equal ones."""
    found = np.empty(runs, dtype=object)
    for deal, member in np.ndindex(runs):
        found[deal, member] = np.random.default_rng((seed, deal, member * own))
    return found


def _snapshots(
    start: dict[str, np.ndarray], data: common.Deals, rate: float, steps: int, count: int, seed: int
) -> list[dict[str, np.ndarray]]:
    """Train one network in cycles of the rate, and keep it at the end of each."""
    generators, kept = _generators(0, (len(data.labels), 1), seed), []
    for _ in range(count):
        start = common.trained(start, data.inputs, data.labels, rate, steps, generators).parameters
        kept.append(start)
    return kept


def members_of(
    own: tuple[int, int, int] | None, data: common.Deals, networks: int, steps: int, rate: float, seed: int
) -> dict[str, np.ndarray]:
    """Train members that have of their own what is asked, or take them from one run; their parameters."""
    runs = (len(data.labels), networks)
    drawn = common.starts(data, networks, 32, seed + 1)
    first = {name: value[:, :1] for name, value in drawn.items()}
    if own is None:
        kept = _snapshots(first, data, rate, steps, networks, seed + 2)
        return {name: np.concatenate([each[name] for each in kept], 1) for name in drawn}
    examples = data.labels.shape[-1]
    boots = np.random.default_rng(seed + 3).integers(0, examples, (*runs, examples))
    deal = np.arange(runs[0])[:, None, None]
    resampled = data.inputs[deal, boots], data.labels[deal, boots]
    start = drawn if own[0] else {name: np.repeat(value, networks, 1) for name, value in first.items()}
    taken = resampled if own[2] else (data.inputs, data.labels)
    return common.trained(start, *taken, rate, steps, _generators(own[1], runs, seed + 2)).parameters


def sources(
    networks: int = 8,
    deal_count: int = 4,
    steps: int = 300,
    rate: float = 0.2,
    fast_rate: float = 0.8,
    seed: int = 0,
) -> Sources:
    """Train ensembles on 100 digits whose members differ in one thing or two; all take as many steps."""
    data, rates = common.deals("digits", 100, deal_count, seed), np.array([rate, fast_rate])
    shape = (2, len(NAMES))
    apart, member, together = np.empty(shape), np.empty(shape), np.empty(shape)
    for place in np.ndindex(shape):
        parameters = members_of(OWN[place[1]], data, networks, steps, float(rates[place[0]]), seed)
        predictions = common.predicted(parameters, data.test_inputs)
        member[place] = 100 * common.errors(predictions, data.test_labels).mean()
        together[place] = 100 * common.errors(common.grouped(predictions, networks), data.test_labels).mean()
        apart[place] = ensembles.disagreement(predictions).mean()
    return Sources(rates, -np.arange(len(NAMES)), apart, member, together)


def draw_sources(numbers: Sources, paper: Paper) -> Figure:
    """Draw for each source and rate a line from the error of a member to that of the ensemble."""
    shape = (1, 2) if paper.wide else (2, 1)
    figure, axes = paper.subplots(*shape, height=370 if paper.wide else 700)
    for panel, each in enumerate(axes.flat):
        for row in range(len(NAMES)):
            color, height = paper.palette.blue, f"places[{row}:{row + 1}]"
            member, together = (f"{end}[{panel}, {row}:{row + 1}]" for end in ("member", "together"))
            both = (paper.value(numbers, end) for end in (together, member))
            bar = each.hlines(paper.value(numbers, height), *both, color=color, linewidth=2)
            paper.mark(bar, height, x=together, upper=member)
            for end, filled in ((member, False), (together, True)):
                style = {"markerfacecolor": color if filled else paper.background, "marker": "o", "markersize": 8}
                paper.line(each, numbers, height, x=end, color=color, linestyle="none", **style)
            text = f"{numbers.disagreement[panel, row]:.0%}"
            label = paper.label(each, numbers.member[panel, row], numbers.places[row], text, color=color, dx=10)
            paper.mark(label, f"disagreement[{panel}, {row}]")
        each.set(xlabel="test error in %", ylim=(1 - len(NAMES) - 0.5, 0.5))
        each.set(xlim=(9.5, 29 if panel else 18.5))
        each.set_xticks([10, 15, 20, 25] if panel else [10, 12, 14, 16, 18])
        paper.mark(each.set_title(f"Rate {numbers.rates[panel]}"), f"rates[{panel}]")
        named = NAMES if not (panel and paper.wide) else [""] * len(NAMES)
        each.set_yticks(numbers.places, named)
    return figure


# --- a race against one larger network -------------------------------------------------------------------------------


class Race(NamedTuple):
    """One network, or several that have together as many parameters; nan where each would have too few units.

    Attributes:
        counts: How many networks share the hidden units.
        totals: Hidden units in all.
        error: Test error in percent, mean over deals; (total, count), nan likewise.
        low: Least over the deals, nan likewise.
        high: Largest, nan likewise.
        rates: With the larger total, the learning rate that was best on the validation examples; (count,).
        saved: With the larger total, test loss of the one network less that of the several, mean over deals; (count,).
        below: The same less two standard errors.
        above: The same plus two.
    """

    counts: np.ndarray
    totals: np.ndarray
    error: np.ndarray
    low: np.ndarray
    high: np.ndarray
    rates: np.ndarray
    saved: np.ndarray
    below: np.ndarray
    above: np.ndarray


def _trial(data: common.Deals, count: int, width: int, rate: float, steps: int, seed: int) -> np.ndarray:
    """Train the networks of one contestant at one rate, and average them; (deal, example, class)."""
    start = common.starts(data, count, width, seed + 1)
    generators = many_runs.generators(np.random.default_rng(seed + 2), (len(data.labels), count))
    parameters = common.trained(start, data.inputs, data.labels, rate, steps, generators).parameters
    return common.grouped(common.predicted(parameters, data.test_inputs), count)[:, 0]


def contest(
    data: common.Deals, count: int, width: int, rates: list[float], steps: int, validation: int, tuning: int, seed: int
) -> tuple[float, np.ndarray, np.ndarray]:
    """Choose a rate on the validation examples of some deals, refine it once, and train with it on all.

    Gives the rate, and for each deal loss and error in percent on other examples.
    """
    some = common.Deals(*(part[:tuning] for part in data))
    tried: dict[float, float] = {}

    def judge(rate: float) -> None:
        own = _trial(some, count, width, rate, steps, seed)[:, :validation]
        tried[rate] = float(common.likelihoods(own, some.test_labels[:, :validation]).mean())

    for rate in rates:
        judge(rate)
    best = min(tried, key=tried.__getitem__)
    for rate in (best / 2**0.5, best * 2**0.5):
        judge(rate)
    chosen = min(tried, key=tried.__getitem__)
    own, labels = _trial(data, count, width, chosen, steps, seed)[:, validation:], data.test_labels[:, validation:]
    return chosen, common.likelihoods(own, labels), 100 * common.errors(own, labels)


def race(
    most: int = 8,
    deal_count: int = 8,
    tuning: int = 3,
    examples: int = 300,
    steps: int = 300,
    validation: int = 300,
    total: int = 192,
    smaller: int = 32,
    seed: int = 0,
) -> Race:
    """Share hidden units out to one network or several; each contestant gets five trials of its rate."""
    data = common.deals("digits", examples, deal_count, seed)
    counts, totals = 2 ** np.arange(int(np.log2(most)) + 1), np.array([smaller, total])
    shape = (len(totals), len(counts))
    rates, losses, errors = np.full(shape, np.nan), *np.full((2, *shape, deal_count), np.nan)
    for row, column in np.ndindex(shape):
        count = int(counts[column])
        width = int(totals[row]) // count
        if width >= 8:
            found = contest(data, count, width, [0.2, 0.4, 0.8], steps, validation, tuning, seed)
            rates[row, column], losses[row, column], errors[row, column] = found
    ranges = errors.mean(-1), errors.min(-1), errors.max(-1)
    saved = losses[1, :1] - losses[1]
    mean, margin = saved.mean(-1), 2 * saved.std(-1, ddof=1) / np.sqrt(deal_count)
    return Race(counts, totals, *ranges, rates[1], mean, mean - margin, mean + margin)


def draw_race(numbers: Race, paper: Paper) -> Figure:
    """Draw the error over the number of networks that share the units, and what sharing saves in loss."""
    shape = (1, 2) if paper.wide else (2, 1)
    figure, axes = paper.subplots(*shape, height=310 if paper.wide else 580)
    left, right = axes.flat
    for row, color in enumerate((paper.palette.orange, paper.palette.blue)):
        style = {"color": color, "marker": paper.markers[row]}
        there = f":{int(np.isfinite(numbers.error[row]).sum())}"
        own = f"[{row}, {there}]"
        paper.band(left, numbers, f"low{own}", f"high{own}", x=f"counts[{there}]", color=color)
        paper.line(left, numbers, f"error{own}", x=f"counts[{there}]", **style)
        text = f"{numbers.totals[row]} units in all"
        place = numbers.counts[-1 * row], numbers.high[row, (1, -1)[row]]
        label = paper.label(left, *place, text, color=color, dy=12, ha=("left", "right")[row])
        paper.mark(label, f"totals[{row}]")
    left.set(title="Test error in %")
    paper.band(right, numbers, "below", "above", x="counts", color=paper.palette.blue)
    paper.line(right, numbers, "saved", x="counts", color=paper.palette.blue, marker=paper.markers[1])
    paper.guide(right.axhline(0, color=paper.muted, linewidth=0.8))
    title = right.set_title(f"Loss that sharing {numbers.totals[1]} units saves")
    paper.mark(title, "totals[1]")
    right.set_yticks([-0.02, -0.01, 0, 0.01])
    lowest = numbers.below.min()
    right.set(ylim=(lowest - 0.008, None))
    for place, count in enumerate(numbers.counts):
        ha = "left" if place == 0 else "right" if count == numbers.counts[-1] else "center"
        label = paper.label(right, count, lowest - 0.004, f"rate {numbers.rates[place]:.2g}", color=paper.muted, ha=ha)
        paper.mark(label, f"rates[{place}]")
    for each in (left, right):
        each.set(xscale="log", xlabel="networks that share them", xlim=(0.93, numbers.counts[-1] * 1.1))
        each.set_xticks(numbers.counts, [str(count) for count in numbers.counts])
        each.minorticks_off()
    return figure
