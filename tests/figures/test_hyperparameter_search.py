"""The numbers behind the figures of the chapter on hyperparameter search, against theory and against print.

Numbers of the whole experiment come from the cache of the press; what is quick is measured here at another size.
"""

from __future__ import annotations

import functools

import numpy as np
import pytest

from dlnotes.book import drawing, layout
from dlnotes.figures import hyperparameter_search_budget as budgets
from dlnotes.figures import hyperparameter_search_training as networks
from dlnotes.numpy import hyperparameter_search as search
from dlnotes.numpy import network

SMALL = {
    "grid-random": {"runs": 4, "largest": 3},
    "importance": {"searches": 2, "draws": 14, "steps": 2},
    "halving": {"draws": 145, "searches": 1, "tables": 2, "first": 1},
    "stages": {"searches": 2, "deals": 1, "full": 9},
    "best-of": {"splits": 2, "draws": 8, "steps": 2},
}


@functools.cache
def numbers(name: str) -> tuple:
    """The numbers of a figure as the book shows it."""
    return drawing.numbers(layout.find(), drawing.Figure("hyperparameter_search", name))


# --- the networks


def test_a_narrow_network_is_a_wide_one_with_units_cut_off() -> None:
    settings = [{"scale of the start": 1.0, "units": units} for units in (3, networks.WIDEST)]
    params = networks.started(settings, [64, networks.WIDEST, networks.WIDEST, 10], np.random.default_rng(0))
    x = np.random.default_rng(1).standard_normal((5, 64)).astype(np.float32)
    cut = {name: value[0] for name, value in params.items()}
    small = {
        "0.weight": cut["0.weight"][:3],
        "0.bias": cut["0.bias"][:3],
        "2.weight": cut["2.weight"][:3, :3],
        "2.bias": cut["2.bias"][:3],
        "4.weight": cut["4.weight"][:, :3],
        "4.bias": cut["4.bias"],
    }
    np.testing.assert_allclose(network.forward(cut, x)[0], network.forward(small, x)[0], rtol=1e-4, atol=1e-5)
    labels = np.arange(5)
    grads = network.loss_and_gradient(cut, x, labels).gradient
    for name, axes in (("0.weight", (slice(3, None),)), ("4.weight", (slice(None), slice(3, None)))):
        assert np.abs(cut[name][axes]).max() == 0
        assert np.abs(grads[name][axes]).max() == 0


def test_each_network_has_a_start_and_batches_of_its_own() -> None:
    points = search.random_points((6, len(networks.SPACE)), np.random.default_rng(0))
    points = points[[0, 0, 1, 2, 3]]  # the same setting twice
    found = networks.trained(points, steps=6, every=3)
    assert found.validation.shape == (5, 3)
    assert found.validation[0, 0] != found.validation[1, 0]
    assert found.steps.tolist() == [0, 3, 6]
    np.testing.assert_array_equal(found.validation, networks.trained(points, steps=6, every=3).validation)
    alone = networks.trained(points[:1], steps=6, every=3)
    np.testing.assert_allclose(alone.validation[0], found.validation[0], rtol=1e-4)


def test_what_is_worse_than_guessing_counts_as_guessing() -> None:
    found = networks.capped(np.array([0.3, 5.0, np.inf, np.nan]), 10)
    np.testing.assert_allclose(found, [0.3, np.log(10), np.log(10), np.log(10)])


def test_few_of_the_draws_are_any_good() -> None:
    points = search.random_points((240, len(networks.SPACE)), np.random.default_rng(0))
    losses = networks.capped(networks.trained(points, steps=108, every=108).validation[:, -1], 10)
    assert 0.05 < np.mean(losses < np.log(10) / 2) < 0.15


# --- grid and random


def test_distances_from_a_grid_are_a_twelfth_of_the_spacing_squared() -> None:
    shown = numbers("grid-random")
    for own, theory in ((shown.one, shown.grid_theory[0]), (shown.all, shown.grid_theory[1])):
        np.testing.assert_allclose(own[0], theory, rtol=0.16)


def test_random_wins_where_one_axis_matters_and_the_grid_where_all_do() -> None:
    shown = numbers("grid-random")
    assert (shown.one[1] < shown.one[0] / 5).all()
    assert (shown.all[1] > shown.all[0] * 1.15).all()
    assert (shown.one[2] < shown.one[1]).all()
    assert (shown.all[2] < shown.all[1]).all()
    assert (shown.all[2] > shown.all[0]).all()
    assert shown.all[:, -1] == pytest.approx([0.0096, 0.0120, 0.0112], abs=3e-4)  # as printed on the page
    assert len(np.unique(shown.places[0])) == 3
    assert len(np.unique(shown.places[1])) == 9


# --- importance


def test_the_rate_is_first_until_its_range_is_narrow() -> None:
    shown = numbers("importance")
    assert next(iter(networks.SPACE)) == "rate"
    for row in (0, 1):
        assert shown.shares[row].argmax() == 0
        assert shown.intervals[row, 0, 0] > np.delete(shown.shares[row], 0).max()
    assert shown.shares[2, 0] < 0.05
    assert shown.intervals[2, 2, 0] > shown.shares[2, 0]  # the scale of the start explains more there
    rest = 1 - shown.shares.sum(-1)
    assert ((rest > 0.4) & (rest < 0.85)).all()


# --- successive halving


def test_halving_finds_lower_losses_than_random_search_at_each_cost() -> None:
    shown = numbers("halving")
    gains = shown.mean[0] - shown.mean[1:]
    errors = (shown.found[0] - shown.found[1:]).std(-1, ddof=1) / np.sqrt(shown.found.shape[-1])
    assert shown.budgets.tolist() == [4, 8, 16]
    assert (gains[[0, 2]] > 3 * errors[[0, 2]]).all()
    assert (gains[1, 1:] > 3 * errors[1, 1:]).all()
    np.testing.assert_allclose(shown.mean[2, 0], shown.mean[0, 0])  # four brackets of one each
    # For a quarter of the cost halving comes close to random search, and for half of it below.
    assert (shown.mean[1, :2] < shown.mean[0, 1:]).all()
    np.testing.assert_allclose(shown.mean, shown.found.mean(-1))
    printed = [shown.mean[1, 0], shown.mean[0, 2], shown.mean[2, 2], shown.mean[1, 2]]
    assert printed == pytest.approx([0.78, 0.74, 0.42, 0.28], abs=0.02)
    assert shown.agreement == pytest.approx([0.23, 0.43, 0.59], abs=0.02)
    assert (shown.agreement < 1).all()


def test_short_runs_rank_poorly_and_keep_the_best() -> None:
    """The tables of the figure once more: what the page says of those that learned, and of the best five of 160."""
    generator = np.random.default_rng(0)
    learned, agreement, kept = [], [], []
    for table in range(4):
        points = search.random_points((160, len(networks.SPACE)), generator)
        runs = [networks.trained(points, steps=steps, every=steps, seed=table) for steps in (4, 108)]
        losses = networks.capped(np.stack([run.validation[:, 1] for run in runs], -1), 10)
        ranked = losses + 1e-9 * generator.random((160, 28))[:, [1, 27]]
        for _ in range(100):
            generator.permutation(160)  # as the figure draws them, so that the next table is its own
        own = losses[:, 1] < np.log(10) - 1e-6
        learned.append(own.mean())
        agreement.append(budgets.ranks_agree(*ranked[own].T))
        early, late = ranked.argsort(0).T
        kept.append(np.isin(late[:5], early[: 160 // 3]).sum())
    assert 1 - np.mean(learned) == pytest.approx(0.6, abs=0.02)
    assert np.mean(agreement) == pytest.approx(0.33, abs=0.02)
    assert set(kept) == {4, 5}


def test_costs_are_counted_as_if_each_goes_on_from_where_it_stood() -> None:
    assert budgets.cost(1, 3) == budgets.RUNGS[-1]
    assert budgets.counts_at(27, 0) == [27, 9, 3, 1]
    assert budgets.cost(27, 0) == 27 + 9 * 2 + 3 * 6 + 18
    assert budgets.cost(2, 2) == 2 * 9 + 18
    assert budgets.affordable(81, 0) == 27
    assert budgets.affordable(80, 0) == 26
    ranked = np.tile(np.arange(160.0)[:, None], (1, 4))
    for order in (np.arange(160), np.arange(160)[::-1], np.random.default_rng(0).permutation(160)):
        for method in budgets.METHODS:
            for budget in budgets.BUDGETS:
                best, spent = method(ranked, order, budget)
                assert 0.9 * budget * budgets.RUNGS[-1] <= spent <= budget * budgets.RUNGS[-1]
                assert best < 160
    backward = np.arange(160)[::-1]
    assert budgets.by_random_search(ranked, backward, 4)[0] == 156
    assert budgets.by_halving(ranked, backward, 4)[0] == 160 - budgets.affordable(4 * 27, 0)
    assert budgets.by_asynchronous_halving(ranked, np.arange(160), 4)[0] == 0


# --- coarse to fine


def test_stages_find_better_networks_at_the_larger_cost() -> None:
    shown = numbers("stages")
    assert (shown.gains[1] > 0).all()
    assert (shown.gains[0, :, 1] > 0).all()
    assert (shown.gains[0, :, 0] < 0).all()  # may be chance, as the page says
    assert shown.gains[1, 0] == pytest.approx([0.28, 0.42], abs=0.02)
    np.testing.assert_allclose(shown.gains[1], shown.found[1:] - shown.found[0])


# --- the best of many


def test_the_best_of_many_looks_better_than_it_is() -> None:
    shown = numbers("best-of")
    assert (shown.bias[:, 0] == 0).all()
    assert shown.bias[0, -1] > shown.bias[1, 2]
    assert (np.diff(shown.chosen) < 0).all()
    assert shown.chosen[[4, 6]] == pytest.approx([0.10, 0.06], abs=0.005)
    assert shown.tested[[4, 6]] == pytest.approx([0.13, 0.115], abs=0.006)
