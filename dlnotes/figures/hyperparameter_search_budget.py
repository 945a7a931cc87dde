"""Figures of the chapter on hyperparameter search: what early stops save, and what the best of many draws is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes.figures import hyperparameter_search_training as networks
from dlnotes.numpy import hyperparameter_search as search

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper


# --- successive halving ----------------------------------------------------------------------------------------------


class Halving(NamedTuple):
    """Learning curves of drawn networks, and what searches among them find for their cost.

    Attributes:
        steps: Steps before each measurement.
        curves: Validation loss of some networks of the first table; (network, measurement).
        agreement: Rank correlation of the losses at each rung before the last with those at the last; mean over tables.
        budgets: Cost of the searches, in full trainings.
        found: Test loss of the network chosen, by random search, successive halving, Hyperband and asynchronous
            halving: mean over the searches in each table; (method, budget, table).
        mean: The same over all tables; (method, budget).
    """

    steps: np.ndarray
    curves: np.ndarray
    agreement: np.ndarray
    budgets: np.ndarray
    found: np.ndarray
    mean: np.ndarray


RUNGS = (1, 3, 9, 27)  # as multiples of the first one's steps, which are the unit of cost below


def ranks_agree(first: np.ndarray, second: np.ndarray) -> float:
    """Give the correlation of the ranks of two lists of numbers without ties."""
    ranks = [np.argsort(np.argsort(values)) for values in (first, second)]
    return float(np.corrcoef(*ranks)[0, 1])


def counts_at(count: int, first: int) -> list[int]:
    """Say how many are trained up to each rung, of so many that begin at the first: a third of them goes on."""
    counts = [count]
    while len(counts) < len(RUNGS) - first:
        counts.append(max(1, counts[-1] // 3))
    return counts


def cost(count: int, first: int) -> int:
    """Give what so many beginners cost, if each goes on from where it stood."""
    counts = counts_at(count, first)
    return count * RUNGS[first] + sum(
        own * (RUNGS[rung] - RUNGS[rung - 1]) for rung, own in enumerate(counts[1:], first + 1)
    )


def affordable(budget: float, first: int) -> int:
    """Give the largest number of beginners that costs no more than that, at least one."""
    return max(
        (count for count in range(1, 1 + int(budget) // RUNGS[first]) if cost(count, first) <= budget), default=1
    )


def halved(rungs: np.ndarray, own: np.ndarray, first: int) -> np.ndarray:
    """Give those that are left in the end."""
    for rung, count in enumerate(counts_at(len(own), first)[1:], first):
        own = own[np.argsort(rungs[own, rung], kind="stable")[:count]]
    return own


# Each takes the losses (network, rung), an order and a budget in full trainings, and gives the one chosen and the cost.


def by_random_search(rungs: np.ndarray, order: np.ndarray, budget: int) -> tuple[int, int]:
    """Train as many as the budget pays for to the end; give the best."""
    own = order[:budget]
    return int(own[np.argmin(rungs[own, -1])]), RUNGS[-1] * budget


def by_halving(rungs: np.ndarray, order: np.ndarray, budget: int) -> tuple[int, int]:
    """Drop two of three at each rung, beginning with as many as the budget pays for."""
    count = affordable(budget * RUNGS[-1], 0)
    own = halved(rungs, order[:count], 0)
    return int(own[np.argmin(rungs[own, -1])]), cost(count, 0)


def by_hyperband(rungs: np.ndarray, order: np.ndarray, budget: int) -> tuple[int, int]:
    """Give each of four brackets a quarter of the budget; give the best that one of them trained to the end."""
    finals, begun, spent = [], 0, 0
    for first in range(len(RUNGS)):
        count = affordable(budget * RUNGS[-1] / len(RUNGS), first)
        finals.append(halved(rungs, order[begun : begun + count], first))
        begun, spent = begun + count, spent + cost(count, first)
    own = np.concatenate(finals)
    return int(own[np.argmin(rungs[own, -1])]), spent


def by_asynchronous_halving(rungs: np.ndarray, order: np.ndarray, budget: int) -> tuple[int, int]:
    """Let one worker promote whatever is among the best third of its rung, until the budget is spent."""
    known, promoted = [{} for _ in RUNGS], [set() for _ in RUNGS]
    spent, begun = 0, 0
    while True:
        job = search.to_promote(known, promoted, 3)
        if job is None and begun == len(order):
            break
        rung, number = (0, int(order[begun])) if job is None else (job[0] + 1, job[1])
        own = RUNGS[rung] - (RUNGS[rung - 1] if rung else 0)
        if spent + own > budget * RUNGS[-1]:
            break
        if job is None:
            begun += 1
        else:
            promoted[rung - 1].add(number)
        spent += own
        known[rung][number] = float(rungs[number, rung])
    highest = next(losses for losses in reversed(known) if losses)
    return min(highest, key=highest.__getitem__), spent


METHODS: tuple[Callable[[np.ndarray, np.ndarray, int], tuple[int, int]], ...] = (
    by_random_search,
    by_halving,
    by_hyperband,
    by_asynchronous_halving,
)
BUDGETS = 4, 8, 16


def halving(draws: int = 160, searches: int = 100, tables: int = 4, first: int = 4, seed: int = 0) -> Halving:
    """Train tables of networks, each on rows of its own, and search among them again and again."""
    generator = np.random.default_rng(seed)
    found = np.empty((len(METHODS), len(BUDGETS), tables))
    agreement = []
    for table in range(tables):
        points = search.random_points((draws, len(networks.SPACE)), generator)
        curves = networks.trained(points, steps=first * RUNGS[-1], every=first, seed=seed + table)
        validation = networks.capped(curves.validation, 10)
        # Those that guess are equal at the end and would be ranked by their place; a hair tells them apart at random.
        validation = validation + 1e-9 * generator.random(validation.shape)
        rungs, test = validation[:, list(RUNGS)], networks.capped(curves.test, 10)
        agreement.append([ranks_agree(column, rungs[:, -1]) for column in rungs.T[:-1]])
        orders = [generator.permutation(draws) for _ in range(searches)]
        for row, method in enumerate(METHODS):
            for column, budget in enumerate(BUDGETS):
                found[row, column, table] = test[[method(rungs, order, budget)[0] for order in orders]].mean()
        if not table:
            steps, shown = curves.steps[1:], validation[np.argsort(rungs[:, -1])[:: max(1, draws // 16)], 1:]
    return Halving(steps, shown, np.mean(agreement, 0), np.array(BUDGETS), found, found.mean(-1))


def draw_halving(numbers: Halving, paper: Paper) -> Figure:
    """Draw the curves with the rungs, and what is found over the cost."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=320 if paper.wide else 600)
    left, right = axes.flat
    for row in range(len(numbers.curves)):
        paper.line(left, numbers, f"curves[{row}]", x="steps", color=paper.palette.blue, alpha=0.55, linewidth=1.1)
    places = [int(numbers.steps[0]) * rung for rung in RUNGS]
    for rung in places:
        paper.guide(left.axvline(rung, ymax=0.86, color=paper.muted, linewidth=0.8, linestyle=paper.dashes[1]))
    for row, value in enumerate(numbers.agreement):
        text = paper.label(left, places[row], 2.6, f"{value:.2f}", ha="center" if row else "left")
        paper.mark(text, f"agreement[{row}]")
    left.set(xscale="log", xlabel="steps", title="Validation loss", ylim=(0, 2.8))
    left.set_xticks(places, [str(rung) for rung in places])
    left.minorticks_off()
    colors = paper.palette.orange, paper.palette.blue, paper.palette.green, paper.ink
    for row, (color, word) in enumerate(zip(colors, ("random", "halving", "Hyperband", "asynchronous"), strict=True)):
        style = {"color": color, "marker": paper.markers[row], "linestyle": paper.dashes[row], "label": word}
        paper.line(right, numbers, f"mean[{row}]", x="budgets", **style)
        style = {"color": color, "marker": paper.markers[row], "linestyle": "none", "markersize": 3, "alpha": 0.5}
        for table in range(numbers.found.shape[-1]):
            paper.line(right, numbers, f"found[{row}, :, {table}]", x="budgets", **style)
    right.set(xlabel="cost, in full trainings", title="Test loss of what is chosen", ylim=(0, None))
    right.set_xticks(numbers.budgets, [str(one) for one in numbers.budgets])
    right.legend()
    return figure


# --- coarse to fine --------------------------------------------------------------------------------------------------


class Stages(NamedTuple):
    """What a search in stages finds, and what one of a single stage finds for the same cost.

    Attributes:
        costs: Steps of training spent by each search.
        found: Test loss of what was chosen, after a full training from a fresh start: mean over the searches, in
            stages, in one stage of full trainings, in one of shorter ones; (method, cost).
        gains: Loss of each single stage less that of the stages, paired by the rows: the mean less two standard
            errors, the mean, and plus two; (3, full or shorter, cost).
    """

    costs: np.ndarray
    found: np.ndarray
    gains: np.ndarray


def stages(searches: int = 4, deals: int = 4, full: int = 72, seed: int = 0) -> Stages:
    """Search in stages of a ninth, a third and all of a full training, and at the same cost in one stage."""
    plans = [((24 * m, full // 9, 4), (8 * m, full // 3, 2), (4 * m, full, 1)) for m in (1, 2)]
    costs = np.array([sum(draws * budget for draws, budget, _ in plan) for plan in plans])
    found = np.empty((3, len(plans), deals, searches))
    for deal in range(deals):
        for column, plan in enumerate(plans):
            alone = [((int(costs[column]) // budget, budget, 1),) for budget in (full, full // 3)]
            for row, own in enumerate((plan, *alone)):
                generators = np.random.default_rng((seed, column, row, deal)).spawn(searches)
                found[row, column, deal] = searched(own, full, generators, seed + deal)
    found = found.reshape(3, len(plans), -1)
    gains = found[1:] - found[0]
    mean, error = gains.mean(-1), gains.std(-1, ddof=1) / np.sqrt(gains.shape[-1])
    return Stages(costs, found.mean(-1), np.stack([mean - 2 * error, mean, mean + 2 * error]))


def searched(
    plan: tuple[tuple[int, int, int], ...], full: int, generators: list[np.random.Generator], seed: int
) -> np.ndarray:
    """Search in stages, once with each generator; give the test losses of what is chosen, trained afresh in full."""
    cube = (search.Range(0.0, 1.0),) * len(networks.SPACE)
    ranges = [cube] * len(generators)
    for draws, steps, keep in plan:
        drawn = [search.random_points((draws, len(cube)), generator) for generator in generators]
        points = np.stack([search.to_ranges(*pair) for pair in zip(drawn, ranges, strict=True)])
        curves = networks.trained(points.reshape(-1, len(cube)), steps=steps, every=steps, seed=seed)
        losses = networks.capped(curves.validation[:, -1], 10).reshape(points.shape[:2])
        ranges = [search.refine(cube, *pair, keep) for pair in zip(points, losses, strict=True)]
    best = points[np.arange(len(points)), losses.argmin(-1)]
    return networks.capped(networks.trained(best, steps=full, every=full, seed=seed).test, 10)


def draw_stages(numbers: Stages, paper: Paper) -> Figure:
    """Draw the loss found over the cost, and by how much the stages are better."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=320 if paper.wide else 600)
    left, right = axes.flat
    colors = paper.palette.blue, paper.palette.orange, paper.palette.green
    words = "in stages", "full length", "a third of it"
    for row, (color, word) in enumerate(zip(colors, words, strict=True)):
        style = {"color": color, "marker": paper.markers[row], "linestyle": paper.dashes[row], "label": word}
        paper.line(left, numbers, f"found[{row}]", x="costs", **style)
        if row:
            paper.band(right, numbers, f"gains[0, {row - 1}]", f"gains[2, {row - 1}]", x="costs", color=color)
            paper.line(right, numbers, f"gains[1, {row - 1}]", x="costs", **style)
    left.set(title="Test loss of what is chosen", ylim=(0, None))
    right.set(title="Less by the stages")
    paper.guide(right.axhline(0, color=paper.muted, linewidth=0.8))
    for axis in (left, right):
        axis.set(xlabel="steps of training spent")
        axis.set_xticks(numbers.costs, [f"{cost:,}" for cost in numbers.costs])
    left.legend(loc="lower left")
    return figure


# --- the best of many ------------------------------------------------------------------------------------------------


class BestOf(NamedTuple):
    """The best of n draws by its score, beside what it is on rows that nothing was chosen by.

    Attributes:
        draws: n.
        chosen: Share of the validation rows that the best of n gets wrong there; mean over subsets of the draws.
        tested: The same network's share on the test rows.
        bias: How much better the best of n looks than it is: the second less the first, less the same for n = 1, which
            is how much easier the one set of rows is. Over the ways to deal the rows the mean less two standard errors,
            the mean, and plus two; (3, n).
    """

    draws: np.ndarray
    chosen: np.ndarray
    tested: np.ndarray
    bias: np.ndarray


def best_of(splits: int = 8, draws: int = 64, rows: int = 50, steps: int = 60, seed: int = 0) -> BestOf:
    """Train draws on several splits of the digits, and choose by few rows."""
    counts = np.array([1, 2, 4, 8, 16, 32, 64])
    counts = counts[counts <= draws]
    chosen = np.empty((splits, len(counts)))
    tested = np.empty_like(chosen)
    generator = np.random.default_rng(seed)
    space = {**networks.SPACE, "rate": search.Range(0.03, 0.3, log=True), "scale of the start": search.Range(0.5, 1.5)}
    for split in range(splits):
        points = search.random_points((draws, len(space)), generator)
        curves = networks.trained(points, steps=steps, every=steps, seed=seed + split, space=space, held_out=rows)
        for column, count in enumerate(counts):
            subsets = np.argsort(generator.random((400, draws)), axis=-1)[:, :count]
            best = subsets[np.arange(400), curves.wrong[subsets].argmin(-1)]
            chosen[split, column] = curves.wrong[best].mean()
            tested[split, column] = curves.wrong_test[best].mean()
    bias = tested - chosen - (tested - chosen)[:, :1]
    mean, error = bias.mean(0), bias.std(0, ddof=1) / np.sqrt(splits)
    return BestOf(counts, chosen.mean(0), tested.mean(0), np.stack([mean - 2 * error, mean, mean + 2 * error]))


def draw_best_of(numbers: BestOf, paper: Paper) -> Figure:
    """Draw both shares over the number of draws, and how much too good the score is."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=320 if paper.wide else 600)
    left, right = axes.flat
    for row, (name, color, word) in enumerate(
        (("chosen", paper.palette.orange, "where it was chosen"), ("tested", paper.palette.blue, "on other rows"))
    ):
        style = {"color": color, "marker": paper.markers[row], "linestyle": paper.dashes[row], "label": word}
        paper.line(left, numbers, name, x="draws", **style)
    paper.band(right, numbers, "bias[0]", "bias[2]", x="draws", color=paper.palette.green)
    paper.line(right, numbers, "bias[1]", x="draws", color=paper.palette.green, marker=paper.markers[2])
    left.set(title="Wrong answers of the best", ylim=(0, None))
    right.set(title="Too good by")
    for axis in (left, right):
        axis.set(xscale="log", xlabel="draws that the best is chosen of")
        axis.set_xticks(numbers.draws, [str(one) for one in numbers.draws])
        axis.minorticks_off()
        axis.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    left.legend()
    return figure
