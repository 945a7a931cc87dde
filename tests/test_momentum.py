from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlnotes import optimizers
from dlnotes.numpy import minibatch
from dlnotes.numpy import momentum as kernels


def descend(optimizer, curvatures, start, steps):
    """Walk down a quadratic whose axes lie along the coordinates; give the points."""
    params = {"w": np.array(start, dtype=float)}
    state, points = optimizer.init(params), [params["w"]]
    for _ in range(steps):
        updates, state = optimizer.update({"w": curvatures * params["w"]}, state, params)
        params = optimizers.apply_updates(params, updates)
        points.append(params["w"])
    return np.array(points)


def companion(curvature, rate, beta, nesterov):
    slope = 1 - rate * curvature
    sum_, product = (slope * (1 + beta), slope * beta) if nesterov else (slope + beta, beta)
    return np.abs(np.linalg.eigvals([[sum_, -product], [1, 0]])).max()


@pytest.mark.parametrize("nesterov", [False, True])
def test_contraction_is_the_spectral_radius(nesterov):
    for curvature in (0.0, 0.1, 1.0, 7.3):
        for rate in (0.0, 0.01, 0.3, 1.0):
            for beta in (0.0, 0.25, 0.9, 0.99, 1.5):
                expected = companion(curvature, rate, beta, nesterov)
                found = kernels.contraction(np.array(curvature), rate, beta, nesterov)
                assert found == pytest.approx(expected, rel=1e-6, abs=1e-9)  # a double root is known to half the digits


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
def test_the_recursion_behind_contraction_is_the_optimizers(nesterov, beta):
    optimizer = kernels.Nesterov(0.3, beta) if nesterov else kernels.Momentum(0.3, beta)
    h = 1.7
    e = descend(optimizer, np.array([h]), [1.0], 40)[:, 0]
    s = 1 - 0.3 * h
    sum_, product = (s * (1 + beta), s * beta) if nesterov else (s + beta, beta)
    np.testing.assert_allclose(e[2:], sum_ * e[1:-1] - product * e[:-2], rtol=1e-9, atol=1e-14)


def test_known_rates_for_condition_number_one_hundred():
    best = kernels.best_momentum(0.01, 1.0)
    assert best.contraction == pytest.approx(9 / 11, rel=1e-14)
    assert round(best.contraction, 4) == 0.8182
    for curvature in (0.01, 1.0):
        found = kernels.contraction(np.array(curvature), best.learning_rate, best.beta)
        assert found == pytest.approx(best.contraction, rel=1e-7)
    descent = kernels.contraction(np.array([0.01, 1.0]), 2 / 1.01)
    np.testing.assert_allclose(descent, 99 / 101, rtol=1e-13)
    assert round(float(descent[0]), 4) == 0.9802


def test_a_measured_path_shows_the_double_root():
    best = kernels.best_momentum(0.01, 1.0)
    points = descend(kernels.Momentum(best.learning_rate, best.beta), np.array([0.01, 1.0]), [1.0, 1.0], 100)
    length = np.linalg.norm(points, axis=1)
    assert (length[100] / length[0]) ** (1 / 100) == pytest.approx(0.859, abs=0.005)
    # (a + b t) rho^t fits where rho^t alone does not.
    t = np.arange(101)
    for axis in (0, 1):
        scaled = points[:, axis] / best.contraction**t * np.where(axis == 1, (-1.0) ** t, 1)
        a, b = scaled[0], scaled[1] - scaled[0]
        np.testing.assert_allclose(scaled, a + b * t, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(("beta", "radius"), [(0.0, 1.4), (0.25, 0.859), (0.5, 0.707)])
def test_the_ravine(beta, radius):
    # 0.1 x^2 + 2 y^2 has curvatures 0.2 and 4; rate 0.6.
    found = kernels.contraction(np.array([0.2, 4.0]), 0.6, beta).max()
    assert found == pytest.approx(radius, abs=5e-4)


def test_the_limits_of_stability():
    # Descent diverges at learning_rate curvature = 2, the heavy ball at 2 (1 + beta), Nesterov's at 2 (1+b) / (1+2b).
    for beta in (0.0, 0.5, 0.9):
        for nesterov, limit in ((False, 2 * (1 + beta)), (True, 2 * (1 + beta) / (1 + 2 * beta))):
            below, above = (kernels.contraction(np.array(f * limit), 1.0, beta, nesterov) for f in (0.999, 1.001))
            assert below < 1 < above


def test_no_beta_nearby_is_better_than_the_best():
    best = kernels.best_momentum(0.3, 20.0)
    axes = np.geomspace(0.3, 20.0, 50)
    for rate in (0.97, 1.0, 1.03):
        for beta in (0.97, 1.0, 1.03):
            worst = kernels.contraction(axes, best.learning_rate * rate, best.beta * beta).max()
            assert worst >= best.contraction * (1 - 1e-9)


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
def test_an_average_is_as_noisy_as_a_plain_one_over_its_effective_window(beta):
    # The variance of the last average over many paths, and a plain average of whole numbers of values beside it.
    paths, values = 40_000, 100
    noise = np.random.default_rng(3).normal(size=(paths, values))
    last = kernels.exponential_moving_average(noise, beta)[:, -1]
    window = kernels.effective_window(beta)
    spread = np.sqrt(2 / paths)  # of a variance measured so often, in shares of itself
    assert last.var() * window == pytest.approx(1, abs=4 * spread)
    plain = noise[:, : round(window)].mean(axis=1).var()
    assert plain * round(window) == pytest.approx(1, abs=4 * spread)
    if beta:  # the mean age is another number, and the test can tell
        assert abs(last.var() * kernels.mean_age(beta) - 1) > 10 * spread


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
def test_the_mean_age_is_that_of_values_drawn_by_their_weights(beta):
    ages = np.random.default_rng(0).geometric(1 - beta, size=40_000)  # P(age k) = (1 - beta) beta^(k - 1)
    spread = np.sqrt(beta) / (1 - beta) / np.sqrt(len(ages))
    assert ages.mean() == pytest.approx(kernels.mean_age(beta), abs=4 * spread)
    assert (kernels.mean_age(0.9), kernels.effective_window(0.9)) == (pytest.approx(10), pytest.approx(19))


def test_averages_of_few_bits_are_taken_in_float32():
    x = np.random.default_rng(0).normal(size=500)
    few = kernels.exponential_moving_average(x.astype(np.float16), 0.999)
    assert few.dtype == np.float16
    np.testing.assert_array_equal(
        few, kernels.exponential_moving_average(x.astype(np.float16).astype(np.float32), 0.999).astype(np.float16)
    )


def test_weights_of_the_average():
    weights = kernels.average_weights(0.9, 500)
    assert weights.sum() == pytest.approx(1, abs=1e-15)
    assert weights[:10].sum() == pytest.approx(1 - 0.9**10, rel=1e-13)
    assert round(float(weights[:10].sum()), 2) == 0.65
    assert (weights * np.arange(1, 501)).sum() == pytest.approx(kernels.mean_age(0.9), rel=1e-12)
    assert 1 / (weights * weights).sum() == pytest.approx(kernels.effective_window(0.9), rel=1e-12)
    x = np.random.default_rng(0).normal(size=60)
    average = kernels.exponential_moving_average(x, 0.9, bias_correction=False)
    expected = [(kernels.average_weights(0.9, t) * x[:t][::-1]).sum() for t in range(1, 61)]
    np.testing.assert_allclose(average, expected, rtol=1e-12, atol=1e-14)


@given(
    values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30),
    beta=st.floats(0, 0.999),
)
def test_corrected_average_is_an_average(values, beta):
    x = np.array(values)
    average = kernels.exponential_moving_average(x, beta)
    for t in range(len(x)):
        slack = 1e-9 * np.abs(x).max()
        assert x[: t + 1].min() - slack <= average[t] <= x[: t + 1].max() + slack
    constant = kernels.exponential_moving_average(np.full(len(x), 3.0), beta)
    np.testing.assert_allclose(constant, 3, rtol=1e-10)


def test_average_without_memory_is_the_values():
    x = np.random.default_rng(0).normal(size=(2, 7))
    np.testing.assert_array_equal(kernels.exponential_moving_average(x, 0.0), x)
    assert kernels.exponential_moving_average(np.zeros((2, 0)), 0.5).shape == (2, 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_average_of_runs_at_once_equals_runs_alone(dtype):
    x = np.random.default_rng(0).normal(size=(3, 2, 40)).astype(dtype)
    x.flags.writeable = False
    betas = np.array([[0.0, 0.5], [0.9, 0.99], [0.3, 0.7]])
    together = kernels.exponential_moving_average(x, betas)
    assert together.dtype == dtype
    for run in np.ndindex(3, 2):
        np.testing.assert_array_equal(together[run], kernels.exponential_moving_average(x[run], float(betas[run])))


def test_without_beta_it_is_descent():
    params = {"w": np.array([1.0, -2.0])}
    for optimizer in (kernels.Momentum(0.1, 0.0), kernels.Nesterov(0.1, 0.0)):
        state, plain = optimizer.init(params), minibatch.SGD(0.1)
        other = plain.init(params)
        for seed in range(5):
            grads = {"w": np.random.default_rng(seed).normal(size=2)}
            updates, state = optimizer.update(grads, state, params)
            expected, other = plain.update(grads, other, params)
            np.testing.assert_array_equal(updates["w"], expected["w"])


@pytest.mark.parametrize("optimizer", [kernels.Momentum, kernels.Nesterov])
def test_the_rate_stands_outside_the_velocity(optimizer):
    # Under gradients of 1 and at beta 0.9 the velocity settles at 10; the steps drop with the rate, at once.
    params = {"w": np.zeros(1)}
    dropping = optimizer(lambda step: 1.0 if step < 200 else 0.1, 0.9)
    state, lengths = dropping.init(params), []
    for _ in range(202):
        updates, state = dropping.update({"w": np.ones(1)}, state, params)
        lengths.append(-updates["w"][0])
    np.testing.assert_allclose(lengths[199:], [10, 1, 1], rtol=1e-6)


def test_only_the_averaging_form_calms_the_step():
    # Under unit noise the sum has variance 1 / (1 - beta^2), the average (1 - beta) / (1 + beta).
    params = {"w": np.zeros(4000)}
    generator = np.random.default_rng(0)
    states = {d: kernels.Momentum(1.0, 0.9, d).init(params) for d in (0.0, 0.9)}
    for _ in range(200):
        grads = {"w": generator.normal(size=4000)}
        for dampening, state in states.items():
            updates, states[dampening] = kernels.Momentum(1.0, 0.9, dampening).update(grads, state, params)
            if dampening:
                average = updates["w"]
            else:
                total = updates["w"]
    assert total.var() == pytest.approx(1 / (1 - 0.81), rel=0.1)
    assert average.var() == pytest.approx(0.1 / 1.9, rel=0.1)


def test_no_steps_have_no_weights():
    assert kernels.average_weights(0.9, 0).shape == (0,)


def test_known_noise_floors():
    assert kernels.noise_floor(1.0, 0.1) == pytest.approx(0.1 / 1.9, rel=1e-14)
    assert kernels.noise_floor(1.0, 0.01, 0.9) == pytest.approx(0.0501, abs=5e-5)  # effective rate 0.1
    assert kernels.noise_floor(3.0, 0.0, 0.5) == 0
    # The distance scales: curvature c h at rate rate / c is the same walk with noise divided by c.
    assert kernels.noise_floor(6.0, 0.1, 0.7) == pytest.approx(kernels.noise_floor(2.0, 0.3, 0.7) / 9, rel=1e-13)
    for beta in (0.0, 0.5, 0.9):  # it ends where the error grows
        limit = 2 * (1 + beta)
        assert kernels.noise_floor(1.0, 0.999 * limit, beta) > 100
        assert kernels.noise_floor(1.0, limit, beta) == kernels.noise_floor(1.0, 1.1 * limit, beta) == np.inf


@pytest.mark.parametrize(("curvature", "rate", "beta"), [(2.0, 0.3, 0.0), (0.5, 1.0, 0.6), (4.0, 0.5, 0.8)])
def test_the_noise_floor_is_the_fixed_point_of_the_covariance(curvature, rate, beta):
    # Covariance of (error, velocity) under the step matrix and the noise that a step adds, iterated until it settles.
    matrix = np.array([[1 - rate * curvature, -rate * beta], [curvature, beta]])
    added = np.outer([-rate, 1], [-rate, 1])
    covariance = np.zeros((2, 2))
    for _ in range(3000):
        covariance = matrix @ covariance @ matrix.T + added
    assert kernels.noise_floor(curvature, rate, beta) == pytest.approx(covariance[0, 0], rel=1e-10)


@pytest.mark.parametrize("beta", [0.0, 0.8])
def test_the_optimizer_settles_at_the_noise_floor(beta):
    generator, runs = np.random.default_rng(0), 4000
    optimizer = kernels.Momentum(0.2, beta)
    params = {"w": np.zeros(runs)}
    state = optimizer.init(params)
    for _ in range(200):
        noisy = {"w": 1.5 * params["w"] + 2 * generator.standard_normal(runs)}
        updates, state = optimizer.update(noisy, state, params)
        params = optimizers.apply_updates(params, updates)
    wanted = 4 * kernels.noise_floor(1.5, 0.2, beta)
    assert params["w"].var() == pytest.approx(wanted, rel=5 * np.sqrt(2 / runs))
