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
        curves: Validation loss of some networks; (network, measurement).
        agreement: Rank correlation of the losses at each measurement with those at the end.
        budgets: Cost of the searches, in full trainings.
        found: Test loss of the network chosen, by random search, successive halving, Hyperband and asynchronous
            halving: mean over the searches; (method, budget).
        errors: Standard errors of those means.
    """

    steps: np.ndarray
    curves: np.ndarray
    agreement: np.ndarray
    budgets: np.ndarray
    found: np.ndarray
    errors: np.ndarray


RUNGS = (4, 12, 36, 108)


def ranks_agree(first: np.ndarray, second: np.ndarray) -> float:
    """Give the correlation of the ranks of two lists of numbers without ties."""
    ranks = [np.argsort(np.argsort(values)) for values in (first, second)]
    return float(np.corrcoef(*ranks)[0, 1])


Table = tuple[np.ndarray, np.ndarray]  # validation losses, (network, rung), and test losses at the end


def _chosen(losses: np.ndarray, own: np.ndarray) -> int:
    return int(own[np.argmin(losses[own])])


def cost_of_one(first: int) -> float:
    """Give the steps that a candidate costs on average which begins at a rung, if each goes on from where it stood."""
    later = range(first + 1, len(RUNGS))
    return RUNGS[first] + sum((RUNGS[rung] - RUNGS[rung - 1]) / 3 ** (rung - first) for rung in later)


def by_random_search(table: Table, order: np.ndarray, budget: int) -> int:
    """Train as many as the budget pays for to the end; give the best."""
    return _chosen(table[0][:, -1], order[:budget])


def by_halving(table: Table, order: np.ndarray, budget: int) -> int:
    """Halve by threes as many as the budget pays for."""
    own = order[: int(budget * RUNGS[-1] / cost_of_one(0))]
    for rung in range(len(RUNGS) - 1):
        own = own[np.argsort(table[0][own, rung], kind="stable")[: max(1, len(own) // 3)]]
    return _chosen(table[0][:, -1], own)


def by_hyperband(table: Table, order: np.ndarray, budget: int) -> int:
    """Give each of four brackets a quarter of the budget; give the best that one of them trained to the end."""
    finals, begun = [], 0
    for first in range(len(RUNGS)):
        count = max(1, round(budget / len(RUNGS) * RUNGS[-1] / cost_of_one(first)))
        own, begun = order[begun : begun + count], begun + count
        for rung in range(first, len(RUNGS) - 1):
            own = own[np.argsort(table[0][own, rung], kind="stable")[: max(1, len(own) // 3)]]
        finals.append(own)
    return _chosen(table[0][:, -1], np.concatenate(finals))


def by_asynchronous_halving(table: Table, order: np.ndarray, budget: int) -> int:
    """Let one worker promote whatever is among the best third of its rung, until the budget is spent."""
    rungs, promoted = [{} for _ in RUNGS], [set() for _ in RUNGS]
    spent, begun = 0, 0
    while spent < budget * RUNGS[-1] and begun < len(order):
        job = search.to_promote(rungs, promoted, 3)
        rung, number = (0, int(order[begun])) if job is None else (job[0] + 1, job[1])
        if job is None:
            begun += 1
        else:
            promoted[rung - 1].add(number)
        spent += RUNGS[rung] - (RUNGS[rung - 1] if rung else 0)  # a promoted one goes on from where it stood
        rungs[rung][number] = float(table[0][number, rung])
    best = max(rung for rung in range(len(RUNGS)) if rungs[rung])
    return min(rungs[best], key=rungs[best].__getitem__)


METHODS: tuple[Callable[[Table, np.ndarray, int], int], ...] = (
    by_random_search,
    by_halving,
    by_hyperband,
    by_asynchronous_halving,
)


def halving(draws: int = 160, searches: int = 400, seed: int = 0) -> Halving:
    """Train a table of networks, and search among them again and again."""
    points = search.random_points((draws, len(networks.SPACE)), np.random.default_rng(seed))
    curves = networks.trained(points, steps=RUNGS[-1], every=RUNGS[0], seed=seed)
    validation = networks.capped(curves.validation, 10)
    # Those that guess are equal at the end and would be ranked by their place; a hair tells them apart at random.
    generator = np.random.default_rng(seed + 1)
    validation = validation + 1e-9 * generator.random(validation.shape)
    rungs = validation[:, [rung // RUNGS[0] for rung in RUNGS]]
    test = networks.capped(curves.test[:, -1], 10)
    table, budgets = (rungs, test), np.array([4, 8, 16])
    found = np.empty((len(METHODS), len(budgets), searches))
    for number in range(searches):
        order = generator.permutation(draws)
        for row, method in enumerate(METHODS):
            found[row, :, number] = [test[method(table, order, int(budget))] for budget in budgets]
    agreement = np.array([ranks_agree(column, validation[:, -1]) for column in validation[:, 1:].T])
    shown = np.argsort(validation[:, -1])[:: max(1, draws // 16)]
    errors = found.std(-1) / np.sqrt(searches)
    return Halving(curves.steps[1:], validation[shown, 1:], agreement, budgets, found.mean(-1), errors)


def draw_halving(numbers: Halving, paper: Paper) -> Figure:
    """Draw the curves with the rungs, and what is found over the cost."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=320 if paper.wide else 600)
    left, right = axes.flat
    for row in range(len(numbers.curves)):
        paper.line(left, numbers, f"curves[{row}]", x="steps", color=paper.palette.blue, alpha=0.55, linewidth=1.1)
    for rung in RUNGS:
        paper.guide(left.axvline(rung, color=paper.muted, linewidth=0.8, linestyle=paper.dashes[1]))
    left.set(xscale="log", xlabel="steps", title="Validation loss of 16 draws", ylim=(0, 2.4))
    left.set_xticks(RUNGS, [str(rung) for rung in RUNGS])
    left.minorticks_off()
    colors = paper.palette.orange, paper.palette.blue, paper.palette.green, paper.ink
    for row, (color, word) in enumerate(zip(colors, ("random", "halving", "Hyperband", "asynchronous"), strict=True)):
        style = {"color": color, "marker": paper.markers[row], "linestyle": paper.dashes[row], "label": word}
        paper.line(right, numbers, f"found[{row}]", x="budgets", **style)
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
        errors: Standard errors of those means.
        gains: Loss of the one stage of full trainings less that of the stages, paired; mean and standard error;
            (2, cost).
    """

    costs: np.ndarray
    found: np.ndarray
    errors: np.ndarray
    gains: np.ndarray


def stages(searches: int = 20, full: int = 36, seed: int = 0) -> Stages:
    """Search in stages of a ninth, a third and all of a full training, and at the same cost in one stage."""
    dimensions = len(networks.SPACE)
    cube = (search.Range(0.0, 1.0),) * dimensions
    plans = [((24 * m, full // 9, 4), (8 * m, full // 3, 2), (4 * m, full, 1)) for m in (1, 2)]
    costs = np.array([sum(draws * budget for draws, budget, _ in plan) for plan in plans])
    found = np.empty((3, len(plans), searches))
    for column, plan in enumerate(plans):
        alone = [((int(costs[column]) // budget, budget, 1),) for budget in (full, full // 3)]
        for row, own in enumerate((plan, *alone)):
            generators = np.random.default_rng((seed, column, row)).spawn(searches)
            ranges = [cube] * searches
            for draws, budget, keep in own:
                points = np.stack(
                    [
                        search.to_ranges(search.random_points((draws, dimensions), generator), where)
                        for generator, where in zip(generators, ranges, strict=True)
                    ]
                )
                losses = _trained(points, budget, seed).validation[..., -1]
                ranges = [search.refine(cube, *pair, keep) for pair in zip(points, losses, strict=True)]
            best = points[np.arange(searches), losses.argmin(-1)]
            found[row, column] = _trained(best[:, None], full, seed + 1).test[:, 0, -1]
    gains = found[1] - found[0]
    root = np.sqrt(searches)
    return Stages(
        costs, found.mean(-1), found.std(-1, ddof=1) / root, np.stack([gains.mean(-1), gains.std(-1, ddof=1) / root])
    )


def _trained(points: np.ndarray, steps: int, seed: int) -> networks.Curves:
    """Train the draws of several searches together; (search, draw, ...), losses no worse than guessing's."""
    curves = networks.trained(points.reshape(-1, points.shape[-1]), steps=steps, every=steps, seed=seed)
    shape = points.shape[:2]
    split = {name: networks.capped(getattr(curves, name), 10).reshape(*shape, -1) for name in ("validation", "test")}
    return curves._replace(**split)


def draw_stages(numbers: Stages, paper: Paper) -> Figure:
    """Draw the loss found over the cost."""
    figure, axes = paper.subplots(1, 1, height=300 if paper.wide else 320)
    axis = axes[0, 0]
    colors = paper.palette.blue, paper.palette.orange, paper.palette.green
    words = "coarse to fine", "one stage, full length", "one stage, a third of the length"
    for row, (color, word) in enumerate(zip(colors, words, strict=True)):
        style = {"color": color, "marker": paper.markers[row], "linestyle": paper.dashes[row], "label": word}
        paper.line(axis, numbers, f"found[{row}]", x="costs", **style)
    axis.set(xlabel="steps of training spent", title="Test loss of what is chosen", ylim=(0, None))
    axis.set_xticks(numbers.costs, [f"{cost:,}" for cost in numbers.costs])
    axis.legend(loc="lower left")
    return figure


# --- the best of many ------------------------------------------------------------------------------------------------


class BestOf(NamedTuple):
    """The best of n draws by its score, beside what it is on rows that nothing was chosen by.

    Attributes:
        draws: n.
        chosen: Share of the validation rows that the best of n gets wrong there; mean over subsets of the draws.
        tested: The same network's share on the test rows.
        bias: How much better the best of n looks than it is: the second less the first, less the same for n = 1, which
            is how much easier the one set of rows is; mean over the ways to split the rows.
        errors: Standard errors of the bias over those ways.
        rows: Rows that the networks are chosen by.
    """

    draws: np.ndarray
    chosen: np.ndarray
    tested: np.ndarray
    bias: np.ndarray
    errors: np.ndarray
    rows: int


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
        wrong, wrong_test = networks.trained(
            points, steps=steps, every=steps, seed=seed + split, space=space, held_out=rows
        )[3:5]
        for column, count in enumerate(counts):
            subsets = np.argsort(generator.random((400, draws)), axis=-1)[:, :count]
            best = subsets[np.arange(400), wrong[subsets, -1].argmin(-1)]
            chosen[split, column] = wrong[best, -1].mean()
            tested[split, column] = wrong_test[best, -1].mean()
    bias = tested - chosen - (tested - chosen)[:, :1]
    errors = bias.std(0, ddof=1) / np.sqrt(splits)
    return BestOf(counts, chosen.mean(0), tested.mean(0), bias.mean(0), errors, rows)


def draw_best_of(numbers: BestOf, paper: Paper) -> Figure:
    """Draw both shares over the number of draws."""
    figure, axes = paper.subplots(1, 1, height=300 if paper.wide else 320)
    axis = axes[0, 0]
    for row, (name, color, word) in enumerate(
        (("chosen", paper.palette.orange, "where it was chosen"), ("tested", paper.palette.blue, "on other rows"))
    ):
        paper.line(axis, numbers, name, x="draws", color=color, marker=paper.markers[row], label=word)
    axis.set(xscale="log", xlabel="draws that the best is chosen of", title="Wrong answers of the best", ylim=(0, None))
    axis.set_xticks(numbers.draws, [str(one) for one in numbers.draws])
    axis.minorticks_off()
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axis.legend()
    return figure
