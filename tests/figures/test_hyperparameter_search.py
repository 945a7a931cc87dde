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
    "halving": {"draws": 150, "searches": 3},
    "stages": {"searches": 2, "full": 9},
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
    x = np.random.default_rng(1).standard_normal((5, 64))
    cut = {name: value[0] for name, value in params.items()}
    small = {
        "0.weight": cut["0.weight"][:3],
        "0.bias": cut["0.bias"][:3],
        "2.weight": cut["2.weight"][:3, :3],
        "2.bias": cut["2.bias"][:3],
        "4.weight": cut["4.weight"][:, :3],
        "4.bias": cut["4.bias"],
    }
    np.testing.assert_allclose(network.forward(cut, x)[0], network.forward(small, x)[0], rtol=1e-12)
    labels = np.arange(5)
    grads = network.loss_and_gradient(cut, x, labels).gradient
    for name, axes in (("0.weight", (slice(3, None),)), ("4.weight", (slice(None), slice(3, None)))):
        assert np.abs(cut[name][axes]).max() == 0
        assert np.abs(grads[name][axes]).max() == 0


def test_each_network_is_the_same_whichever_are_trained_beside_it() -> None:
    points = search.random_points((6, len(networks.SPACE)), np.random.default_rng(0))
    together = networks.trained(points, steps=6, every=3)
    again = networks.trained(points[::1], steps=6, every=3)
    np.testing.assert_array_equal(together.validation, again.validation)
    assert together.validation.shape == (6, 3)
    assert together.batches.shape == (6, 6)
    first = networks.trained(points[:1], steps=6, every=3)
    np.testing.assert_allclose(first.validation[0, 0], together.validation[0, 0], rtol=1e-12)


def test_what_is_worse_than_guessing_counts_as_guessing() -> None:
    found = networks.capped(np.array([0.3, 5.0, np.inf, np.nan]), 10)
    np.testing.assert_allclose(found, [0.3, np.log(10), np.log(10), np.log(10)])


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
    assert len(np.unique(shown.places[0])) == 3
    assert len(np.unique(shown.places[1])) == 9


# --- importance


def test_the_rate_is_first_until_its_range_is_narrow() -> None:
    shown = numbers("importance")
    assert shown.names[0] == "rate"
    for row in (0, 1):
        assert shown.shares[row].argmax() == 0
        others = np.delete(shown.shares[row], 0)
        assert shown.shares[row, 0] - others.max() > shown.errors[row, 0]
    assert shown.shares[2, 0] < 0.05
    assert shown.shares[2].argmax() != 0
    assert (shown.rest > 0.4).all()
    np.testing.assert_allclose(shown.rest, 1 - shown.shares.sum(-1))
    assert (shown.useful < 0.35).all()
    assert shown.useful[2] > 2 * shown.useful[0]


# --- successive halving


def test_halving_finds_for_a_quarter_what_random_search_finds() -> None:
    shown = numbers("halving")
    random, halving, hyperband, asynchronous = shown.found
    assert shown.budgets.tolist() == [4, 8, 16]
    assert (halving < random - 3 * (shown.errors[0] + shown.errors[1])).all()
    assert (asynchronous < random).all()
    assert (hyperband < random).all()
    assert (halving < hyperband).all()
    assert halving[0] < random[1]
    assert halving[1] < random[2]
    assert shown.agreement[0] < 0.5 < shown.agreement[-2]


def test_the_costs_add_up() -> None:
    assert budgets.cost_of_one(3) == budgets.RUNGS[-1]
    assert budgets.cost_of_one(0) == pytest.approx(4 + 8 / 3 + 24 / 9 + 72 / 27)
    ranked = np.tile(np.arange(160.0)[:, None], (1, 4))
    table, order = (ranked, ranked[:, -1]), np.arange(160)[::-1]
    assert budgets.by_random_search(table, order, 4) == 156
    assert budgets.by_halving(table, order, 4) == 160 - 36
    # The last bracket has one full training, and the first a quarter of 4 full ones: nine candidates.
    assert budgets.by_hyperband(table, order, 4) in range(140, 160)
    assert budgets.by_asynchronous_halving(table, np.arange(160), 4) == 0


# --- coarse to fine


def test_stages_find_better_networks_at_the_larger_cost() -> None:
    shown = numbers("stages")
    assert (shown.gains[0] > 0).all()
    assert shown.gains[0, 1] > 2 * shown.gains[1, 1]
    np.testing.assert_allclose(shown.gains[0], shown.found[1] - shown.found[0])
    assert (shown.found[0] < shown.found[2]).all()


# --- the best of many


def test_the_best_of_many_looks_better_than_it_is() -> None:
    shown = numbers("best-of")
    assert shown.bias[0] == 0
    assert shown.bias[-1] > 2 * shown.errors[-1]
    assert shown.bias[-1] > shown.bias[2]
    assert (np.diff(shown.chosen) < 0).all()
    assert shown.chosen[-1] == pytest.approx(0.06, abs=0.01)
    assert shown.tested[-1] == pytest.approx(0.09, abs=0.01)
