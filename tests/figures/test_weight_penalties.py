"""The numbers behind the figures of the chapter on weight penalties, against theory, scikit-learn and print.

Numbers of the whole experiment come from the cache of the press; what is quick is measured here at another size.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

from dlnotes import datasets, optimizers
from dlnotes.book import drawing, layout
from dlnotes.figures import weight_penalties as figures
from dlnotes.figures import weight_penalties_steps as steps_for_l1
from dlnotes.figures import weight_penalties_training as learning
from dlnotes.numpy import (
    adaptive_methods,
    many_runs,
    minibatch,
    momentum,
    network,
    overfitting,
    training,
    weight_penalties,
)

SMALL = {
    "paths": {"steps": 20},
    "corners": {"points": 21},
    "chatter": {"length": 6, "runs": 2, "features": 6},
    "ends": {"steps": 8, "runs": 2},
    "labels": {"examples": 30, "width": 4, "steps": 3, "seeds": 2},
}


@functools.cache
def numbers(name: str) -> tuple:
    """The numbers of a figure as the book shows it."""
    return drawing.numbers(layout.find(), drawing.Figure("weight_penalties", name))


# --- paths


def test_the_paths_are_those_of_scikit_learn() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    cost, shown = figures.diabetes(), numbers("paths")
    targets = cost.targets + 152.0  # the intercept is found, and free
    for place in range(0, len(shown.strengths), 10):
        strength = float(shown.strengths[place])
        ridge = linear_model.Ridge(alpha=len(targets) * strength).fit(cost.inputs, targets)
        np.testing.assert_allclose(shown.ridge[:, place], ridge.coef_, rtol=1e-8)
        lasso = linear_model.Lasso(alpha=strength, tol=1e-12, max_iter=1_000_000).fit(cost.inputs, targets)
        np.testing.assert_allclose(shown.lasso[:, place], lasso.coef_, atol=1e-5)
        np.testing.assert_array_equal(shown.lasso[:, place] == 0, lasso.coef_ == 0)
        assert lasso.intercept_ == pytest.approx(152.0)


def test_the_elastic_net_is_that_of_scikit_learn() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    cost = figures.diabetes()
    w = np.zeros(10)
    for _ in range(3000):
        grad = cost.hessian @ w - cost.slope + weight_penalties.l2_gradient(w, 0.5)
        w = weight_penalties.soft_threshold(w - 0.2 * grad, 0.2 * 2.0)
    net = linear_model.ElasticNet(alpha=2.5, l1_ratio=0.8, tol=1e-12, max_iter=100_000)
    np.testing.assert_allclose(w, net.fit(cost.inputs, cost.targets).coef_, atol=1e-8)
    assert 0 < (w == 0).sum() < 10


def test_equal_columns_share_alike_under_the_elastic_net() -> None:
    hessian, slope = np.ones((2, 2)), np.array([3.0, 3.0])
    for l2, ends in ((0.0, (1.5, 0.5)), (0.1, None)):
        w = np.array([1.5, 0.5])  # s = 2, where L1 of strength 1 rests
        for _ in range(2000):
            grad = hessian @ w - slope + l2 * w
            w = weight_penalties.soft_threshold(w - 0.3 * grad, 0.3)
        np.testing.assert_allclose(w, ends or [2 / 2.1] * 2, rtol=1e-9)


def test_ridge_is_that_of_the_chapter_on_overfitting() -> None:
    cost = figures.diabetes()
    for strength in (0.01, 1.0):
        found = figures.ridge(cost.hessian, cost.slope, np.array([strength]))[0]
        theirs = overfitting.ridge(cost.inputs, cost.targets[:, None], strength)[:, 0]
        np.testing.assert_allclose(found, theirs, rtol=1e-9)


def test_the_numbers_in_print_of_the_paths() -> None:
    shown, cost = numbers("paths"), figures.diabetes()
    assert np.all(shown.ridge != 0)
    zeros = (shown.lasso == 0).sum(0)
    assert zeros[[0, -1]].tolist() == [0, 10]
    s3 = shown.lasso[figures.SHOWN["s3"]]
    assert s3[0] > 0
    zero = np.flatnonzero(s3 == 0)
    assert (s3[zero[0] :] < 0).any()  # it leaves zero once more
    assert s3[-1] == 0
    values, vectors = np.linalg.eigh(cost.hessian)
    assert values[[0, -1]] == pytest.approx([0.0086, 4.024], abs=5e-4)
    assert np.corrcoef(cost.inputs.T)[4, 5] == pytest.approx(0.90, abs=0.005)
    start = np.linalg.solve(cost.hessian, cost.slope)
    ridge = figures.ridge(cost.hessian, cost.slope, np.array([0.1]))[0]
    assert [start[4], ridge[4]] == pytest.approx([-37.7, -4.0], abs=0.05)
    assert [start[2], ridge[2]] == pytest.approx([24.7, 23.3], abs=0.05)
    assert [start[6], ridge[6]] == pytest.approx([4.8, -9.0], abs=0.05)
    assert np.argmax(abs(vectors[4] * (vectors.T @ start))) == 0  # s1 is made mostly of the flattest direction
    assert abs(cost.slope).max() == pytest.approx(45.2, abs=0.05)
    assert np.argmax(abs(cost.slope)) == 2
    for strength, zeros in ((45.1, 9), (45.2, 10)):
        assert (figures.lasso(cost.hessian, cost.slope, np.array([strength]), 4000) == 0).sum() == zeros
    assert -34.5 < shown.ridge[4, 0] < -33.5


def proximal(strength: float, beta: float, rate: float, threshold: float) -> np.ndarray:
    cost = figures.diabetes()
    w, velocity = np.zeros(10), np.zeros(10)
    for _ in range(6000):
        velocity = beta * velocity + cost.hessian @ w - cost.slope
        w = weight_penalties.soft_threshold(w - rate * velocity, threshold * strength)
    return w


def test_the_pulls_at_the_minimum() -> None:
    cost, w = figures.diabetes(), proximal(5.0, 0.0, 0.45, 0.45)
    pulls = abs(cost.hessian @ w - cost.slope)
    assert (w == 0).sum() == 5
    assert pulls[w != 0] == pytest.approx(np.full(5, 5.0))
    assert [pulls[w == 0].min(), pulls[w == 0].max()] == pytest.approx([0.62, 4.67], abs=5e-3)


def test_under_momentum_a_threshold_counts_less() -> None:
    weak = proximal(5.0, 0.9, 0.045, 0.045)
    np.testing.assert_allclose(weak, proximal(0.5, 0.0, 0.45, 0.45), atol=1e-7)
    assert (weak == 0).sum() == 2
    np.testing.assert_allclose(proximal(5.0, 0.9, 0.045, 0.45), proximal(5.0, 0.0, 0.45, 0.45), atol=1e-7)


def test_a_weak_penalty_leads_far_along_equal_cost() -> None:
    pull = np.array([0.5, 2.0])  # of the product ac, at (2, 1/2)
    hessian = np.outer(pull, pull)
    strength = 1e-3
    formula = np.linalg.solve(hessian + strength * np.eye(2), hessian @ [2, 0.5])
    assert formula == pytest.approx([0.24, 0.94], abs=5e-3)
    a, c = 2.0, 0.5
    for _ in range(30_000):
        left = a * c - 1
        a, c = a - 0.2 * (left * c + strength * a), c - 0.2 * (left * a + strength * c)
    assert [a, c] == pytest.approx([0.9995, 0.9995], abs=1e-4)


def test_factors_that_start_equal_stay_so() -> None:
    cost = figures.diabetes()
    a = c = np.ones(10)
    for _ in range(1500):
        grad = cost.hessian @ (a * c) - cost.slope
        a, c = a - 0.004 * (grad * c + 5 * a), c - 0.004 * (grad * a + 5 * c)
    np.testing.assert_array_equal(a, c)
    assert (a * c)[[1, 2, 6]] == pytest.approx([0, 25.8, 0], abs=0.05)


@pytest.mark.parametrize(("rows", "best"), [(120, 0.16), (240, 0.1)])
def test_of_a_strength_for_many_patients(rows: int, best: float) -> None:
    data, strengths = datasets.diabetes(), np.append(0, 10 ** np.arange(-3, 1.1, 0.1))
    errors = np.zeros(len(strengths))
    for split in range(100):
        order = np.random.default_rng(split).permutation(442)
        train, test = data.inputs[order[:rows]], data.inputs[order[-200:]]
        x, new = (train - train.mean(0)) / train.std(0), (test - train.mean(0)) / train.std(0)
        level = data.targets[order[:rows]].mean()
        w = figures.ridge(x.T @ x / rows, x.T @ (data.targets[order[:rows]] - level) / rows, strengths)
        errors += ((w @ new.T + level - data.targets[order[-200:]]) ** 2).mean(-1)
    errors = errors**0.5
    assert strengths[np.argmin(errors)] == pytest.approx(best, rel=0.01)
    assert np.all(errors[(strengths > 0.009) & (strengths < 0.317)] < 1.01 * errors.min())
    if rows == 240:
        assert np.all(errors[strengths < 0.2001] < 1.005 * errors.min())


def test_the_length_falls_by_its_formula() -> None:
    cost = figures.diabetes()
    values, vectors = np.linalg.eigh(cost.hessian)
    parts = vectors.T @ np.linalg.solve(cost.hessian, cost.slope)
    for strength in (0.01, 0.5):
        both = figures.ridge(cost.hessian, cost.slope, strength * np.array([1 - 1e-5, 1 + 1e-5]))
        slope = np.diff((both**2).sum(-1))[0] / (2e-5 * strength)
        assert slope == pytest.approx(-2 * (values**2 * parts**2 / (values + strength) ** 3).sum(), rel=1e-6)


# --- corners


def test_the_corner_has_its_condition() -> None:
    shown = numbers("corners")
    np.testing.assert_array_equal(shown.best[0], [0, 1])
    assert np.all(np.abs(shown.best[1]) > 0.3)
    hessian = np.array([[1, 0.5], [0.5, 1]])
    for minimum, slopes in (((0.5, 1.9), (0.95, 1.15)), ((1.7, 1.9), (2.15, 1.75))):
        slope = hessian @ (np.array([0, 1]) - minimum)
        assert abs(slope) == pytest.approx(slopes)
    angles = np.linspace(0, math.pi / 2, 1001)
    edge = np.stack([np.cos(angles), np.sin(angles)]) / (np.cos(angles) + np.sin(angles))
    away = edge - np.array([[1.7], [1.9]])
    best = edge[:, np.argmin(np.einsum("ip,ij,jp->p", away, hessian, away))]
    assert np.all(best > 0.1)


def test_the_map_of_zeros_is_the_condition() -> None:
    shown = numbers("corners")
    edges = np.linspace(-figures.HALF, figures.HALF, len(shown.zeros) + 1)
    middles = (edges[1:] + edges[:-1]) / 2
    hessian = np.array([[1, 0.5], [0.5, 1]])
    for row, column in np.ndindex(len(middles) // 10, len(middles) // 10):
        minimum = np.array([middles[10 * column], middles[10 * row]])
        both = np.all(abs(hessian @ minimum) <= 0.5)
        assert (shown.zeros[10 * row, 10 * column] == 2) == both
    assert set(np.unique(shown.zeros)) == {0, 1, 2}
    for weight in range(2):
        for end in (0, 1):
            kept = np.linalg.solve(hessian + 0.5 * np.eye(2), hessian @ shown.lines[weight, :, end])
            assert abs(kept[weight]) < 1e-12


# --- around zero


def test_subgradients_hop_and_proximal_steps_rest() -> None:
    shown = numbers("chatter")
    assert shown.proximal[-30:].tolist() == [0.0] * 30
    assert np.flatnonzero(shown.proximal == 0)[0] <= 10
    assert np.all(shown.subgradient != 0)
    assert 0 < abs(shown.subgradient[0, 20:]).max() < 2 * shown.rates[0] * 0.25
    assert np.all(np.diff(shown.zeros[:, 1]) > 0)
    assert shown.zeros[:, 1, 0] == pytest.approx([3, 3], abs=1)
    assert shown.zeros[:, 1, -1] == pytest.approx([26, 26], abs=0.5)
    np.testing.assert_allclose(shown.zeros[0, 1], shown.zeros[1, 1], rtol=0.3, atol=0.5)


@pytest.mark.parametrize("rate", [0.1, 0.02])
def test_the_reach_of_the_hops(rate: float) -> None:
    x, y = steps_for_l1.regressions(8, 100, 30, 0)
    w = v = np.full((8, 30), 0.1)
    furthest = 0
    for step in range(2000):
        w = weight_penalties.soft_threshold(w - rate * steps_for_l1.gradient(x, y, w), rate * 0.25)
        v = v - rate * (steps_for_l1.gradient(x, y, v) + weight_penalties.l1_gradient(v, 0.25))
        if step >= 1900:
            furthest = np.maximum(furthest, abs(v))
    assert np.median((w == 0).sum(-1)) >= 25
    assert (v == 0).sum() == 0
    assert furthest[w == 0].max() < 2 * rate * 0.25


def test_a_larger_strength_brings_zeros_back_on_batches() -> None:
    x, y = steps_for_l1.regressions(8, 100, 30, 0)
    rate = np.array([0.05])
    found = [
        np.median(steps_for_l1._zeros_on_batches(x, y, 10, rate, strength, 1000, 0)) for strength in (0.1, 0.25, 1.0)
    ]
    assert found == pytest.approx([3, 12, 22], abs=0.5)


@pytest.mark.parametrize(("rate", "middle", "longest"), [(0.05, 20, 72), (0.01, 44, 289)])
def test_full_steps_at_the_end_find_the_zeros(rate: float, middle: int, longest: int) -> None:
    x, y = steps_for_l1.regressions(8, 100, 30, 0)

    def step(w: np.ndarray, rate: float, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return weight_penalties.soft_threshold(w - rate * steps_for_l1.gradient(x, y, w), rate * 0.25)

    minimum = np.zeros((8, 30))
    for _ in range(3000):
        minimum = step(minimum, 0.1, x, y)
    counts = []
    for seed in (3, 4, 5):
        w, generator, own = np.zeros((8, 30)), np.random.default_rng(seed), np.arange(8)[:, None]
        for _ in range(2000):
            pick = generator.integers(0, 100, (8, 3))
            w = step(w, rate, x[own, pick], y[own, pick])
        assert np.any((w == 0) != (minimum == 0), axis=1).all()
        last = np.zeros(8)
        for count in range(1, 1001):
            w = step(w, rate, x, y)
            last = np.where(np.all((w == 0) == (minimum == 0), axis=1), last, count)
        counts.append(last + 1)
    assert np.median([np.median(each) for each in counts]) == pytest.approx(middle, abs=1)
    assert np.max(counts) == longest


def test_one_weight_stays_in_its_interval() -> None:
    generator = np.random.default_rng(0)
    pull, curvature, rate = generator.uniform(-0.9, 0.9, 500), generator.uniform(0, 2, 500), 0.1
    w = generator.uniform(-0.1, 0.1, 500)
    for step in range(400):
        w = w - rate * (pull + curvature * w + weight_penalties.l1_gradient(w, 1.0))
        if step > 200:
            assert np.all((w >= -rate * (1 + pull) - 1e-12) & (w <= rate * (1 - pull) + 1e-12))
    two = np.array([0.03])
    for _ in range(400):
        two = two - rate * (2.0 * two + weight_penalties.l1_gradient(two, 1.0))
    assert abs(two[0]) == pytest.approx(rate / (2 - rate * 2.0))


def test_without_curvature_the_rate_cancels() -> None:
    noise = np.random.default_rng(0).normal(size=4000)
    zeros = []
    for rate in (0.5, 0.25):  # powers of 2, so that not even rounding differs
        w, found = np.zeros(1), []
        for xi in noise:
            w = weight_penalties.soft_threshold(w - rate * (0.1 + xi), rate * 0.5)
            found.append(w[0] == 0)
        zeros.append(found)
    assert zeros[0] == zeros[1]
    assert 0 < np.mean(zeros[0]) < 1


# --- L2 and decay


def test_l2_and_decay_end_where_theory_says() -> None:
    shown = numbers("ends")
    np.testing.assert_allclose(shown.gradient[1], 2 / 3, atol=0.03)
    np.testing.assert_allclose(shown.descent[1], 2 / 3, atol=0.03)
    np.testing.assert_allclose(shown.decoupled[1], shown.theory, atol=0.01)
    assert shown.decoupled[1, [0, -1]] == pytest.approx([0.98, 0.17], abs=0.01)
    w = shown.theory
    np.testing.assert_allclose(1 - w, 0.5 * w * np.sqrt(shown.noise**2 + (1 - w) ** 2), atol=1e-12)
    assert learning.decoupled_end(np.array([100.0]), 0.5)[0] == pytest.approx(1 / 51, rel=1e-3)
    for strength, end in ((0.5, 1.0), (2.0, 0.5)):
        assert learning.decoupled_end(np.array([1e-6]), strength)[0] == pytest.approx(end, abs=1e-4)


def test_decay_beside_adam_ends_there_at_half_the_rate() -> None:
    noise = np.array([0.1, 0.8, 4.0])
    adamw = adaptive_methods.AdamW(0.0015, weight_decay=0.5)
    found = learning.mean_ends(adamw, noise, 6000, 24, np.random.default_rng(1))
    np.testing.assert_allclose(np.median(found, 1), learning.decoupled_end(noise, 0.5), atol=0.02)


def test_the_numbers_in_print_of_decay() -> None:
    memory = 1 / (1e-3 * 0.01)
    assert memory == pytest.approx(100_000)
    left = (1 - 1e-3 * 0.01) ** 2000
    assert left == pytest.approx(0.98, abs=5e-4)


@pytest.mark.parametrize(("beta", "left"), [(0.0, 0.90), (0.9, 0.37)])
def test_l2_forgets_faster_under_momentum(beta: float, left: float) -> None:
    chain = optimizers.chain(weight_penalties.PenaltyGradient(l2=5e-4), momentum.Momentum(0.1, beta))
    params = {"w": np.ones(1)}
    state = chain.init(params)
    for _ in range(2000):
        updates, state = chain.update({"w": np.zeros(1)}, state, params)
        params = optimizers.apply_updates(params, updates)
    assert params["w"][0] == pytest.approx(left, abs=5e-3)


def test_l2_under_adam_forgets_its_start_slowly_where_the_noise_is_large() -> None:
    within = weight_penalties.PenaltyGradient(l2=0.5)
    ends = []
    for optimizer in (
        optimizers.chain(within, adaptive_methods.Adam(0.003)),
        adaptive_methods.AdamW(0.003, weight_decay=0.5),
    ):
        generator, params, total = np.random.default_rng(0), {"w": np.full(16, 3.0)}, 0.0
        state = optimizer.init(params)
        for step in range(6000):
            grads = {"w": params["w"] - 1 + 10 * generator.standard_normal(16)}
            updates, state = optimizer.update(grads, state, params)
            params = optimizers.apply_updates(params, updates)
            total = total + params["w"] * (step >= 3000) / 3000
        ends.append(total.mean())
    assert ends == pytest.approx([1.02, 0.17], abs=0.02)
    forgets = 10 / (0.003 * 1.5)
    assert forgets == pytest.approx(2200, abs=50)


def test_weights_are_an_average_of_steps() -> None:
    rate, decay = 0.01, 0.5
    optimizer = adaptive_methods.AdamW(rate, weight_decay=decay)
    noise, w, average = np.random.default_rng(0), np.ones(50), np.ones(50)
    state = optimizer.init({"w": w})
    for _ in range(400):
        updates, state = optimizer.update({"w": w - 0.5 + noise.normal(size=50)}, state, {"w": w})
        own = updates["w"] + rate * decay * w  # the step without decay
        average = average + rate * decay * (own / (rate * decay) - average)
        w = w + updates["w"]
    np.testing.assert_allclose(average, w, rtol=1e-9)


@pytest.mark.parametrize(
    ("wrong", "points", "errors"),
    [(0.2, [0.9, 6.1, 7.1, -23], [0.4, 0.7, 1.5, 2.6]), (0.0, [-0.2, 0, -1.0, -28.7], [0.2, 0.3, 0.4, 1.7])],
)
def test_decay_by_its_memory(wrong: float, points: list, errors: list) -> None:
    decays, rate, seeds = np.array([0, 0.1, 1, 3, 10]), 1e-3, 6
    data, runs = learning.parts(wrong, 150, seeds, 7), (5, seeds)
    draws, shuffles = np.random.default_rng(8).spawn(2)
    start = network.initialize([64, 32, 10], many_runs.generators(draws, (seeds,)), runs=(seeds,))
    start = {name: np.array([value] * 5) for name, value in start.items()}
    x, y = np.array([data.inputs] * 5), np.array([data.labels] * 5)
    beside = weight_penalties.DecoupledWeightDecay(np.repeat(decays[:, None], seeds, 1), rate, ".weight")
    chain = optimizers.chain(adaptive_methods.Adam(rate), beside)
    kept = {"batch_size": 30, "generator": shuffles, "runs": runs, "data_per_run": True}
    end = training.train(start, x, y, chain, steps=1000, **kept).parameters
    right = learning.shares_right(end, data.test_inputs, data.test_labels)
    gain = 100 * (right[1:] - right[0])
    assert gain.mean(1) == pytest.approx(points, abs=0.1)
    assert gain.std(1, ddof=1) / math.sqrt(seeds) == pytest.approx(errors, abs=0.06)
    if wrong:
        assert [abs(end["0.weight"][row]).max() for row in (0, 4)] == pytest.approx([0.95, 0.15], abs=0.006)


# --- labels


def test_a_penalty_helps_and_networks_still_fit_random_labels() -> None:
    shown = numbers("labels")
    strengths = shown.strengths.tolist()
    assert strengths[np.argmax(shown.right[1])] == 0.03
    assert shown.right[1, [0, 4, 5]] == pytest.approx([0.75, 0.83, 0.79], abs=0.01)
    assert np.all(shown.fitted[:, 1, : strengths.index(0.003) + 1] == 1)
    for strength, shares in ((0.01, [0.93, 0.99]), (0.03, [0.37, 0.74]), (0.1, [0.11, 0.24])):
        assert shown.fitted[:, 1, strengths.index(strength)] == pytest.approx(shares, abs=0.006)
    assert shown.right[1, strengths.index(0.01)] == pytest.approx(0.78, abs=0.006)
    assert learning.parts(0.2, 150, 4, 0).wrong.mean() == pytest.approx(0.18, abs=0.005)


def test_wrong_labels_are_those_that_the_digit_is_not() -> None:
    data = learning.parts(0.5, 200, 2, 3)
    clean = learning.parts(0.0, 200, 2, 3)
    np.testing.assert_array_equal(data.inputs, clean.inputs)
    np.testing.assert_array_equal(data.wrong, data.labels != clean.labels)
    assert not clean.wrong.any()
    assert 0.4 < data.wrong.mean() < 0.5


GAINS = {  # (examples, steps, share of labels drawn): strengths, gains, their standard errors, wrong labels fitted
    (150, 1000, 0.2): (
        [0.003, 0.01, 0.03, 0.045, 0.07, 0.15],
        [1.5, 3.3, 6.9, 8.0, 7.1, -6.6],
        [0.2, 0.4, 0.6, 0.7, 1.1, 2.0],
        [1.0, 0.95, 0.44, 0.26, 0.18, 0.13],
    ),
    (60, 1000, 0.2): (
        [0.003, 0.01, 0.03, 0.045, 0.07, 0.15],
        [1.1, 1.9, 2.4, 2.0, 1.3, -8.6],
        [0.2, 0.3, 0.4, 0.5, 0.8, 1.4],
        [1.0, 1.0, 0.91, 0.78, 0.58, 0.29],
    ),
    (150, 3000, 0.2): ([0.003, 0.01, 0.045], [3.0, 5.2, 8.4], [0.4, 0.6, 1.1], [1.0, 0.96, 0.29]),
    (150, 1000, 0.0): ([0.01, 0.03], [1.2, 0.5], [0.3, 0.4], None),
}


@pytest.mark.parametrize("setting", GAINS)
def test_the_gains_of_twelve_other_runs(setting: tuple) -> None:
    (examples, steps, wrong), (strengths, points, errors, fitted) = setting, GAINS[setting]
    seed = 100 if examples == 150 else 200
    data = learning.parts(wrong, examples, 12, seed)
    found = learning.trained(data, np.append(0, strengths), 32, 0.2, steps, seed + 1)
    right = learning.shares_right(found, data.test_inputs, data.test_labels)
    gain = 100 * (right[1:] - right[0])
    assert gain.mean(1) == pytest.approx(points, abs=0.1)
    assert gain.std(1, ddof=1) / math.sqrt(12) == pytest.approx(errors, abs=0.06)
    if fitted:
        among = learning.shares_right(found, data.inputs, data.labels, data.wrong)
        assert among[1:].mean(1) == pytest.approx(fitted, abs=0.01)


def gains(strengths: np.ndarray, rate: float, width: int, steps: int, wrong: float = 0.2, seeds: int = 2) -> np.ndarray:
    data = learning.parts(wrong, 150, seeds, 5)
    found = learning.trained(data, np.append(0.0, strengths), width, rate, steps, 6)
    right = learning.shares_right(found, data.test_inputs, data.test_labels)
    return right[1:] - right[0]


@pytest.mark.parametrize(("rate", "width", "steps"), [(0.1, 32, 700), (0.2, 64, 400), (0.2, 16, 500), (0.2, 16, 5000)])
def test_a_penalty_helps_against_wrong_labels_in_other_settings(rate: float, width: int, steps: int) -> None:
    assert gains(np.array([0.03]), rate, width, steps).mean() > 0.03


@pytest.mark.parametrize(("rate", "width", "steps"), [(0.1, 32, 700), (0.2, 64, 400)])
def test_with_clean_labels_it_changes_little(rate: float, width: int, steps: int) -> None:
    assert abs(gains(np.array([0.01]), rate, width, steps, wrong=0).mean()) < 0.02


def test_at_double_the_rate_the_last_step_is_too_noisy_to_tell() -> None:
    (found,) = gains(np.array([0.03]), 0.4, 32, 500, seeds=3)
    assert found.min() < -0.05
    assert found.max() > 0.05


# --- units


def right_and_units(runs: int, steps: int, *parts: object) -> tuple[np.ndarray, np.ndarray]:
    digits = datasets.digits()
    x, y = (digits.inputs - 8) / 8, digits.targets
    start = network.initialize([64, 16, 10], many_runs.generators(np.random.default_rng(0), (runs,)), runs=(runs,))
    end = training.train(start, x[:100], y[:100], optimizers.chain(*parts), steps=steps, runs=(runs,)).parameters
    given = network.forward(end, np.array([x[600:]] * runs))[0].argmax(-1)
    return (given == y[600:]).mean(-1), np.all(end["0.weight"] == 0, axis=-1).sum(-1)


def test_without_a_penalty_on_units() -> None:
    last = weight_penalties.PenaltyGradient(l2=3e-3, suffix="2.weight")
    right, units = right_and_units(3, 400, last, minibatch.SGD(0.4))
    assert right.mean() == pytest.approx(0.795, abs=1e-3)
    assert not units.any()


@pytest.mark.parametrize("strength", [1e-2, 2e-2])
def test_a_group_lasso_has_its_limit(strength: float) -> None:
    groups = weight_penalties.ProximalGroups(strength, 0.4, "0.weight", 1)
    right, units = right_and_units(6, 2000, minibatch.SGD(0.4), groups)
    if strength == 1e-2:
        assert right.mean() == pytest.approx(0.79, abs=0.005)
        assert [units.min(), units.max()] == [5, 8]
    else:
        assert np.sort(right)[[0, 3]] == pytest.approx([0.10, 0.42], abs=0.01)
        assert np.sort(right)[4] > 0.75


@pytest.mark.parametrize(
    ("both", "zeros", "errors"), [(False, [0.48, 0.40], [0.29, 0.38]), (True, [0.60, 0.74], [0.29, 0.31])]
)
def test_l1_on_the_first_layer_alone_is_escaped(both: bool, zeros: list, errors: list) -> None:
    g, rate = np.random.default_rng(0), 0.1
    x = g.normal(size=(500, 20))
    y = x[:, :3].sum(1) + 0.5 * g.normal(size=500)
    new = g.normal(size=(4000, 20))
    new_y = new[:, :3].sum(1) + 0.5 * g.normal(size=4000)
    w, b = g.uniform(-1, 1, (20, 16)) / 20**0.5, g.uniform(-1, 1, 16) / 20**0.5
    v, c = g.uniform(-1, 1, 16) / 4, g.uniform(-1, 1) / 4
    seen = []
    for step in range(1, 10_001):
        before = x @ w + b
        h = np.maximum(before, 0)
        away = 2 * (h @ v + c - y) / 500
        back = away[:, None] * v * (before > 0)
        w = weight_penalties.soft_threshold(w - rate * x.T @ back, rate * 0.01)
        b, v, c = b - rate * back.sum(0), v - rate * h.T @ away, c - rate * away.sum()
        v = weight_penalties.soft_threshold(v, rate * 0.01) if both else v
        if step in (300, 10_000):
            seen.append(((w == 0).mean(), np.square(np.maximum(new @ w + b, 0) @ v + c - new_y).mean()))
    assert np.array(seen)[:, 0] == pytest.approx(zeros, abs=0.01)
    assert np.array(seen)[:, 1] == pytest.approx(errors, abs=0.006)


def test_a_zero_unit_goes_out_with_its_bias_in_the_next() -> None:
    generator = np.random.default_rng(0)
    net = network.initialize([64, 8, 10], generator)
    net["0.weight"][:3], net["0.bias"][:3] = 0, [0.3, 0.2, -0.1]
    x = generator.normal(size=(5, 64))
    before = network.forward(net, x)[0]
    carried = net["2.weight"][:, :3] @ np.maximum(net["0.bias"][:3], 0)
    smaller = {"0.weight": net["0.weight"][3:], "0.bias": net["0.bias"][3:], "2.weight": net["2.weight"][:, 3:]}
    assert abs(network.forward({**smaller, "2.bias": net["2.bias"]}, x)[0] - before).max() > 0.05
    after = network.forward({**smaller, "2.bias": net["2.bias"] + carried}, x)[0]
    np.testing.assert_allclose(after, before, atol=1e-12)
