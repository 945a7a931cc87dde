"""The numbers behind the figures of the gradient clipping chapter, against theory and against print.

Numbers of the whole experiment come from the cache of the press; what is quick is measured here at another size.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

from dlnotes import datasets
from dlnotes.book import drawing, layout
from dlnotes.figures import gradient_clipping as surfaces
from dlnotes.figures import gradient_clipping_exact as exact
from dlnotes.figures import gradient_clipping_training as learning
from dlnotes.numpy import adaptive_methods, gradient_checking, gradient_clipping, minibatch, network

SMALL = {
    "cliff": {"steps": 5, "runs": 4, "length": 10},
    "steepness": {"longest": 15, "points": 10},
    "turning": {"steps": 3, "networks": 2, "points": 9},
    "bias": {"networks": 2, "examples": 20, "runs": 4, "length": 20},
    "spike": {"last": 1000},
    "rates": {"units": 4, "examples": 64, "steps": 3, "seeds": 2},
}


@functools.cache
def numbers(name: str) -> tuple:
    """The numbers of a figure as the book shows it."""
    return drawing.numbers(layout.find(), drawing.Figure("gradient_clipping", name))


# --- the cliff


def test_the_slopes_of_the_unit_are_those_of_its_loss() -> None:
    for weight, bias in ((4.5, -2.0), (5.0, -2.6), (2.0, 0.3)):
        found = surfaces.unit_loss(np.array(weight), np.array(bias), 20)
        slopes = gradient_checking.numerical_gradient(
            lambda wb: surfaces.unit_loss(wb[..., 0], wb[..., 1], 20).loss, np.array([weight, bias])
        )
        np.testing.assert_allclose([found.slope_weight, found.slope_bias], slopes, rtol=1e-5)


@pytest.mark.parametrize("weight", [3.0, 4.5, 5.0, 6.0])
@pytest.mark.parametrize("length", [5, 20, 50])
def test_the_slope_on_the_wall_is_a_geometric_sum(weight: float, length: int) -> None:
    found = surfaces.unit_loss(np.array(weight), np.array(-weight / 2), length)
    total = sum((weight / 4) ** t for t in range(length))
    assert surfaces.growth(weight, length) == pytest.approx(total, rel=1e-12)
    assert found.slope_bias == pytest.approx(-0.1 * total, rel=1e-9)
    assert found.slope_weight == pytest.approx(-0.05 * total, rel=1e-9)


def test_the_numbers_in_print_of_the_wall() -> None:
    assert surfaces.growth(5.0, 50) == pytest.approx(280_256, abs=1)
    assert surfaces.growth(3.0, 500) == pytest.approx(4.0)
    assert surfaces.unit_loss(np.array(5.0), np.array(-2.5), 50).slope_bias == pytest.approx(-28_026, abs=1)


def test_clipped_descents_arrive_and_the_others_are_thrown() -> None:
    shown = numbers("cliff")
    assert shown.solved[1, -1] >= 0.98
    assert shown.solved[0, -1] < 0.5
    assert np.hypot(*(shown.plain[:, -1] - shown.plain[:, 0])) > 2
    assert np.hypot(*(shown.clipped - shown.clipped[:, :1])).max() < 1
    assert shown.plain.shape[1] < shown.clipped.shape[1] == len(shown.steps)


@pytest.mark.parametrize(("rate", "steps", "length"), [(0.05, 600, 50), (0.2, 300, 50), (0.2, 300, 20)])
def test_that_holds_at_other_rates_and_lengths(rate: float, steps: int, length: int) -> None:
    generator = np.random.default_rng(3)
    weight = generator.uniform(4.2, 5.2, 40)
    bias = generator.uniform(-0.5, 1.0, 40) - weight / 2
    solved = []
    for bound in (1e300, 1.0):
        _, loss = surfaces.descend(weight, bias, rate, bound, steps, length)
        solved.append(np.mean(loss[-1] < 1e-3))
    assert solved[1] == 1
    assert solved[0] < 0.8
    assert length < 50 or 0.4 < solved[0] < 0.62


def test_an_ordinary_network_has_no_cliff() -> None:
    generator, norms = np.random.default_rng(0), []
    digits = datasets.digits()
    inputs, labels = (digits.inputs - 8) / 8, digits.targets
    parameters = network.initialize([64, 32, 32, 10], generator)
    for _ in range(40):
        for batch in minibatch.epoch(len(labels), 32, generator):
            grads = network.loss_and_gradient(parameters, inputs[batch], labels[batch]).gradient
            norms.append(gradient_clipping.global_norm(grads))
            parameters = {name: value - 0.1 * grads[name] for name, value in parameters.items()}
    before = np.median(np.lib.stride_tricks.sliding_window_view(norms, 100), axis=-1)
    assert 10 < (norms[100:] / before[:-1]).max() < 17


def test_one_step_at_the_edge() -> None:
    start = np.array([4.6]), np.array([-2.29999])
    plain, _ = surfaces.descend(*start, 0.1, 1e300, 50, 50)
    clipped, losses = surfaces.descend(*start, 0.1, 1.0, 200, 50)
    steps = [np.hypot(*np.moveaxis(np.diff(path, axis=0)[..., 0], 1, 0)) for path in (plain, clipped)]
    assert steps[0][0] == pytest.approx(73, abs=0.5)
    assert steps[0][1:].max() < 1e-9
    assert steps[1].max() <= 0.1 + 1e-12
    assert losses[-1] < 1e-3
    found = surfaces.unit_loss(clipped[:50, 0, 0], clipped[:50, 1, 0], 50)
    lengths = np.hypot(found.slope_weight, found.slope_bias)
    assert lengths.max() > 1000 * np.median(lengths)


def test_above_the_edge_the_lowest_loss_is_at_the_wall() -> None:
    limit = math.log(0.7 / 0.3) / 0.2
    assert limit == pytest.approx(4.24, abs=0.005)
    above = np.linspace(1e-3, 1, 300)
    for weight in (limit - 0.2, limit + 0.2):
        losses = surfaces.unit_loss(np.array(weight), above - weight / 2, 400).loss
        assert (np.argmin(losses) > 0) == (weight < limit)


def test_the_wall_steepens_exponentially_above_four_only() -> None:
    shown = numbers("steepness")
    assert np.all(shown.slopes >= shown.on_wall * (1 - 1e-9))
    rates = np.log(shown.slopes[:, -1] / shown.slopes[:, -3]) / (shown.lengths[-1] - shown.lengths[-3])
    np.testing.assert_allclose(rates[1:], np.log(shown.weights[1:] / 4), rtol=0.1)
    assert abs(rates[0]) < 1e-3


# --- directions


def test_the_formula_of_the_cosine() -> None:
    generator = np.random.default_rng(1)
    g = generator.standard_normal(40) ** 3
    for bound in (5.0, 0.5, 1e-5):
        clipped = gradient_clipping.clip_by_value(g, bound)
        wanted = g @ clipped / np.linalg.norm(g) / np.linalg.norm(clipped)
        assert surfaces.cosine_after(abs(g), bound) == pytest.approx(wanted, rel=1e-12)
    parts = g.reshape(4, 10)
    lengths = np.linalg.norm(parts, axis=1)
    clipped = np.stack([gradient_clipping.clip_by_norm(part, 0.7) for part in parts])
    wanted = (parts * clipped).sum() / np.linalg.norm(parts) / np.linalg.norm(clipped)
    assert surfaces.cosine_after(lengths, 0.7) == pytest.approx(wanted, rel=1e-12)
    grid = np.array([surfaces.cosine_after(abs(g), bound) for bound in np.geomspace(1e-6, 100, 200)])
    assert np.all(np.diff(grid) > -1e-12)
    assert grid[0] >= 1 / math.sqrt(40)


def test_only_the_global_norm_keeps_the_direction() -> None:
    shown = numbers("turning")
    np.testing.assert_allclose(shown.by_global, 1, rtol=1e-12)
    for found in (shown.by_value, shown.by_array):
        assert np.all(np.diff(found[1]) > -1e-12)
        assert found[1, -1] == pytest.approx(1, abs=1e-3)
    assert shown.by_array[1, 0] == pytest.approx(shown.floors[1], abs=1e-6)
    assert shown.by_value[1, 0] == pytest.approx(shown.floors[0], abs=0.05)
    assert shown.floors == pytest.approx([0.63, 0.77], abs=0.01)


# --- the bias


def test_descent_ends_where_the_formula_says() -> None:
    shown = numbers("bias")
    np.testing.assert_allclose(shown.rest[0], shown.theory, atol=0.02)
    assert learning.rest_of_exponential(np.array([1.0]))[0] == pytest.approx(0.841, abs=5e-4)
    assert learning.rest_of_exponential(np.array([1e-4]))[0] == pytest.approx(math.log(2), abs=1e-4)
    at_edge = learning.rest_of_exponential(np.array([0.7966, 0.7970]))  # both forms meet at 0.797
    assert at_edge[0] == pytest.approx(at_edge[1], abs=5e-4)
    assert np.all(shown.rest[2] > 0.97)
    assert shown.rest[1, 0] == pytest.approx(0.92, abs=0.01)  # the median of a mean of four


def test_the_rest_is_where_clipped_gradients_cancel() -> None:
    numbers_drawn = np.random.default_rng(2).exponential(size=400_000)
    for bound in (0.3, 1.0, 3.0):
        rest = learning.rest_of_exponential(np.array([bound]))[0]
        mean = gradient_clipping.clip_by_value(rest - numbers_drawn, bound).mean()
        assert abs(mean) < 4 * bound / math.sqrt(400_000)
        g = 1 - numbers_drawn
        bias = abs(gradient_clipping.clip_by_value(g, bound).mean() - g.mean())
        assert bias <= (g * g).mean() / (4 * bound)


def test_in_trained_networks_clipping_examples_turns_the_mean() -> None:
    shown = numbers("bias")
    assert np.all(shown.cosines[0, 1] > 0.97)
    assert np.all(np.diff(shown.cosines[1, 1]) < 0.01)
    assert shown.cosines[1, 1, -1] == pytest.approx(0.6, abs=0.05)
    assert shown.cosines[1, 1, 0] > 0.98
    parameters, inputs, labels = surfaces.trained(200, 6, 0)
    for run in range(6):
        own = {name: np.broadcast_to(value[run], (300, *value.shape[1:])) for name, value in parameters.items()}
        grads = network.loss_and_gradient(own, inputs[:300, None], labels[:300, None]).gradient
        lengths = gradient_clipping.global_norm(grads, 1)
        assert 12 < np.quantile(lengths, 0.9) / np.median(lengths) < 22


# --- the spike


def test_the_order_decides_how_long_a_spike_works() -> None:
    shown = numbers("spike")
    wrong = (shown.velocity < 0).sum(1)
    assert wrong.tolist() == [0, 44]
    assert shown.velocity[0].min() == pytest.approx(0.7, abs=1e-3)
    assert (np.abs(shown.velocity[1] + 2) < 1e-12).sum() == 34


def test_adam_follows_the_formula() -> None:
    shown = numbers("spike")
    np.testing.assert_allclose(shown.adam, shown.theory, rtol=0.01, atol=0.01)
    assert np.all(np.abs(shown.adam) <= 0.1 / math.sqrt(0.001) + 1e-9)
    assert np.all(shown.adam_clipped[shown.after > 20] > 0.95)
    growing = (0.999 / 0.9) ** np.arange(-80.0, 1.0)
    steps = exact.steps_around(adaptive_methods.Adam(1.0), np.append(np.zeros(20_000), growing)[:, None])
    bound = 0.1 / math.sqrt(0.001) / math.sqrt(1 - 0.81 / 0.999)
    assert steps.max() == pytest.approx(bound, rel=1e-5)
    assert bound == pytest.approx(7.27, abs=5e-3)
    for length, beta, wanted, moved in ((100, 0.999, 22, 20.8), (1000, 0.999, 44, 30.0), (100, 0.95, 22, 3.6)):
        ordinary = np.append(np.ones(5000), np.append(-length, np.ones(100)))
        taken = exact.steps_around(adaptive_methods.Adam(1.0, 0.9, beta), ordinary[:, None])[5000:, 0]
        assert (taken < 0).sum() == wanted
        assert -taken[taken < 0].sum() == pytest.approx(moved, abs=0.1)
    alone = exact.steps_around(adaptive_methods.Adam(1.0), np.append(np.zeros(20_000), np.eye(400)[0])[:, None])
    assert np.abs(alone).sum() == pytest.approx(0.1 / math.sqrt(0.001) / (1 - 0.9 / math.sqrt(0.999)), rel=1e-4)
    assert np.abs(alone).sum() == pytest.approx(31.8, abs=0.05)
    times = np.arange(1, 5001)
    for beta, largest in ((0.999, 1), (0.95, 2.236)):
        correction = np.sqrt(1 - beta**times) / (1 - 0.9**times)
        assert correction.max() == pytest.approx(largest, abs=5e-3)
        assert np.all(correction * np.sqrt(1 - (0.81 / beta) ** times) <= 1 + 1e-12)
    for length, beta, wanted in ((100, 0.999, 1203), (1000, 0.999, 5806), (100, 0.95, 100)):
        steps = math.log(3 / ((length**2 - 1) * (1 - beta))) / math.log(beta)
        assert steps == pytest.approx(wanted, abs=0.6)


# --- rates


def test_the_gradient_of_the_recurrent_network() -> None:
    generator = np.random.default_rng(0)
    start = learning.recurrent_start(5, generator, (2,))
    inputs, labels = generator.normal(size=(2, 3, 24)), np.array([[0, 3, 9], [1, 2, 2]])
    _, grads = learning.recurrent_gradient(start, inputs, labels)
    for name, value in start.items():

        def total(moved, name=name):
            return learning.recurrent_gradient({**start, name: moved}, inputs, labels)[0].sum()

        found = gradient_checking.numerical_gradient(total, value, batched=False)
        np.testing.assert_allclose(grads[name], found, rtol=1e-5, atol=1e-8)


def test_clipping_widens_the_range_of_rates() -> None:
    shown = numbers("rates")
    best = shown.accuracy[:, 1].max(-1)
    assert np.all(best > 0.9)
    assert np.ptp(best) < 0.03
    trained = shown.accuracy[:, 1] > 0.6
    assert shown.rates[trained[2]].max() < shown.rates[trained[0]].max() / 5
    # Where most steps are clipped, rate times threshold decides.
    np.testing.assert_allclose(shown.accuracy[0, 1, 2:], shown.accuracy[1, 1, :-2], atol=0.06)
