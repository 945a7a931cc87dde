from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlnotes import optimizers
from dlnotes.numpy import adaptive_methods, minibatch
from dlnotes.numpy import schedules as kernels

STEPS = np.arange(60)
RATES = np.array([0.1, 0.0, 3.0])


def torch_rates(make, steps=60, rate=0.1):
    """Give the rates that a scheduler of torch sets for the steps to come."""
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)
    scheduler = make(torch.optim.lr_scheduler, optimizer)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


PAIRS = {
    "step": (lambda t: kernels.step_decay(t, 0.1, 7, 0.3), lambda s, o: s.StepLR(o, 7, 0.3)),
    "exponential": (lambda t: kernels.exponential_decay(t, 0.1, 0.9), lambda s, o: s.ExponentialLR(o, 0.9)),
    "inverse time": (
        lambda t: kernels.inverse_time_decay(t, 0.1, 0.2, 0.7),
        lambda s, o: s.LambdaLR(o, lambda t: 1 / (1 + 0.2 * t) ** 0.7),
    ),
    "cosine": (
        lambda t: kernels.cosine(np.minimum(t, 40), 0.1, 40, 0.003),
        lambda s, o: s.SequentialLR(
            o, [s.CosineAnnealingLR(o, 40, 0.003), s.ConstantLR(o, 0.03, 1000)], milestones=[40]
        ),
    ),
    "linear": (
        lambda t: kernels.linear(t, 0.1, 40, 0.003),
        lambda s, o: s.LinearLR(o, 1.0, 0.03, 40),
    ),
    "linear to zero": (lambda t: kernels.linear(t, 0.1, 45), lambda s, o: s.PolynomialLR(o, 45, 1.0)),
    "one minus root": (
        lambda t: kernels.one_minus_sqrt(t, 0.1, 40, 0.003),
        lambda s, o: s.LambdaLR(o, lambda t: 0.03 + 0.97 * (1 - min(t / 40, 1) ** 0.5)),
    ),
    "restarts": (
        lambda t: kernels.cosine_restarts(t, 0.1, 13, final_rate=0.003),
        lambda s, o: s.CosineAnnealingWarmRestarts(o, 13, eta_min=0.003),
    ),
    "longer and longer": (
        lambda t: kernels.cosine_restarts(t, 0.1, 4, 3, 0.003),
        lambda s, o: s.CosineAnnealingWarmRestarts(o, 4, 3, 0.003),
    ),
    "one cycle": (
        lambda t: kernels.one_cycle(t, 0.1, 61),
        lambda s, o: s.OneCycleLR(o, 0.1, 61),
    ),
    "another cycle": (
        lambda t: kernels.one_cycle(t, 0.1, 64, 0.47, 5.0, 30.0),
        lambda s, o: s.OneCycleLR(o, 0.1, 64, pct_start=0.47, div_factor=5.0, final_div_factor=30.0),
    ),
    "warm-up": (lambda t: kernels.warm_up(t, 0.1, 9), lambda s, o: s.LinearLR(o, 0.1, 1.0, 9)),
    "sweep": (
        lambda t: kernels.exponential_sweep(t, 0.1, 10.0, 60),
        lambda s, o: s.ExponentialLR(o, 100 ** (1 / 59)),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.filterwarnings("ignore:.*epoch parameter in `scheduler.step.*:UserWarning")
def test_equal_to_torch(name):
    ours, theirs = PAIRS[name]
    expected = torch_rates(theirs)
    np.testing.assert_allclose(ours(STEPS), expected, rtol=1e-12)
    np.testing.assert_allclose([ours(int(step)) for step in STEPS], expected, rtol=1e-12)


ALL = {
    "step": lambda t, rate: kernels.step_decay(t, rate, 7, 0.3),
    "exponential": lambda t, rate: kernels.exponential_decay(t, rate, 0.9),
    "inverse time": lambda t, rate: kernels.inverse_time_decay(t, rate, 0.2, 0.7),
    "cosine": lambda t, rate: kernels.cosine(t, rate, 40),
    "linear": lambda t, rate: kernels.linear(t, rate, 40),
    "one minus root": lambda t, rate: kernels.one_minus_sqrt(t, rate, 40),
    "restarts": lambda t, rate: kernels.cosine_restarts(t, rate, 3, 2),
    "one cycle": lambda t, rate: kernels.one_cycle(t, rate, 50),
    "warm-up": lambda t, rate: kernels.warm_up(t, rate, 9),
    "warm-up, stable, decay": lambda t, rate: kernels.warm_up_stable_decay(t, rate, 9, 20, 13),
}


@pytest.mark.parametrize("name", ALL)
def test_a_rate_a_run_is_as_good_as_a_run_alone(name):
    schedule = ALL[name]
    for step in (0, 1, 8, 39, 1000):
        together = schedule(step, RATES)
        assert together.shape == RATES.shape
        for one, rate in zip(together, RATES, strict=True):
            assert one == schedule(step, float(rate)) == schedule(np.array([step]), float(rate))[0]
        np.testing.assert_array_equal(schedule(step, 2 * RATES), 2 * together)
    assert (schedule(STEPS, 0.1) <= 0.1).all()
    assert (schedule(STEPS, 0.1) >= 0).all()


def test_cosine_starts_high_ends_low_and_stays():
    rates = kernels.cosine(np.arange(200), 0.5, 100, 0.01)
    assert rates[0] == 0.5
    assert rates[50] == pytest.approx((0.5 + 0.01) / 2)
    np.testing.assert_array_equal(rates[100:], 0.01)
    assert (np.diff(rates[:101]) < 0).all()


@pytest.mark.parametrize("settings", [(10, 0.1, 1e-4), (2, 0.5, 0.0), (0, 0.3, 0.2)])
def test_reduce_on_plateau_equals_torch_step_by_step(settings):
    torch = pytest.importorskip("torch")
    patience, factor, threshold = settings
    generator = np.random.default_rng(0)
    losses = np.exp(-np.arange(80) / 15) + 0.05 * generator.random((3, 80))
    losses[1, 20:26] = np.nan
    losses[2] = 1.0
    rates = kernels.reduce_on_plateau(losses, 0.1, patience, factor, threshold)
    for run in range(3):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, factor=factor, patience=patience, threshold=threshold, eps=0.0
        )
        expected = []
        for loss in losses[run]:
            scheduler.step(loss)
            expected.append(optimizer.param_groups[0]["lr"])
        np.testing.assert_allclose(rates[run], expected, rtol=1e-12)
    assert rates[2, -1] < 0.1


def test_ends_of_the_new_schedules():
    assert kernels.linear(1000, 0.5, 10, 0.1) == 0.1
    assert kernels.one_minus_sqrt(1000, 0.5, 10) == 0
    np.testing.assert_allclose(kernels.one_minus_sqrt(np.array([0, 25, 100]), 2.0, 100), [2, 1, 0], atol=1e-15)
    assert kernels.one_cycle(1000, 0.5, 10, 0.3, 2.0, 5.0) == pytest.approx(0.05)
    np.testing.assert_allclose(kernels.one_cycle(np.array([0, 1]), 1.0, 2), [1, 4e-6], rtol=1e-12)
    starts = np.array([0, 4, 16, 52])  # cycles of 4, 12 and 36 steps
    np.testing.assert_array_equal(kernels.cosine_restarts(starts, 0.2, 4, 3), 0.2)
    assert (kernels.cosine_restarts(starts[1:] - 1, 0.2, 4, 3) < 0.1).all()


def test_step_decay_drops_at_the_multiples():
    rates = kernels.step_decay(np.arange(6), 8.0, 2, 0.5)
    np.testing.assert_array_equal(rates, [8, 8, 4, 4, 2, 2])


def test_warm_up_starts_above_zero_and_joins_other_schedules():
    np.testing.assert_allclose(kernels.warm_up(np.arange(6), 1.0, 4), [0.2, 0.4, 0.6, 0.8, 1.0, 1.0], rtol=1e-15)
    np.testing.assert_array_equal(kernels.warm_up(np.arange(3), 1.0, 0), 1.0)
    joined = kernels.warm_up(STEPS, kernels.cosine(STEPS, 1.0, 60), 10)
    np.testing.assert_array_equal(joined[10:], kernels.cosine(STEPS, 1.0, 60)[10:])
    assert joined[0] == pytest.approx(1 / 11)


def test_joined_schedules_follow_each_other_and_reach_the_full_rate():
    parts = (lambda t: kernels.warm_up(t, 0.1, 10), lambda t: kernels.cosine(t, 0.1, 50, 0.01))
    rates = kernels.join(STEPS, parts, (10,))
    np.testing.assert_array_equal(rates[:10], kernels.warm_up(STEPS[:10], 0.1, 10))
    np.testing.assert_array_equal(rates[10:], kernels.cosine(STEPS[10:] - 10, 0.1, 50, 0.01))
    assert rates.max() == rates[10] == 0.1
    assert kernels.warm_up(STEPS, kernels.cosine(STEPS, 0.1, 60), 10).max() < 0.095  # the product stays below it
    np.testing.assert_array_equal([kernels.join(int(step), parts, (10,)) for step in STEPS], rates)
    np.testing.assert_array_equal(kernels.join(STEPS, parts[:1], ()), parts[0](STEPS))
    np.testing.assert_array_equal(kernels.join(STEPS, parts, (0,)), parts[1](STEPS))


@pytest.mark.filterwarnings("ignore:.*epoch parameter in `scheduler.step.*:UserWarning")
def test_joined_schedules_equal_torch():
    parts = (
        lambda t: kernels.warm_up(t, 0.1, 9),
        lambda t: kernels.step_decay(t, 0.1, 5, 0.5),
        lambda t: kernels.exponential_decay(t, 0.1, 0.9),
    )
    expected = torch_rates(
        lambda s, o: s.SequentialLR(
            o, [s.LinearLR(o, 0.1, 1.0, 9), s.StepLR(o, 5, 0.5), s.ExponentialLR(o, 0.9)], milestones=[9, 30]
        )
    )
    np.testing.assert_allclose(kernels.join(STEPS, parts, (9, 30)), expected, rtol=1e-12)


def test_a_sweep_may_span_all_numbers():
    rates = kernels.exponential_sweep(np.arange(5), 1e-300, 1e300, 5)
    np.testing.assert_allclose(rates, [1e-300, 1e-150, 1, 1e150, 1e300], rtol=1e-12)


def test_warm_up_stable_decay_has_three_parts():
    rates = kernels.warm_up_stable_decay(np.arange(12), 1.0, 3, 4, 4, 0.2)
    np.testing.assert_allclose(rates, [0.25, 0.5, 0.75, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2], rtol=1e-14)
    assert kernels.warm_up_stable_decay(10**6, 1.0, 3, 4, 4, 0.2) == 0.2


@given(power=st.floats(0.51, 1.0), decay=st.floats(0.01, 10))
def test_robbins_monro_sums(power, decay):
    rates = kernels.inverse_time_decay(np.arange(1, 100_001), 1.0, decay, power)
    # Compared with the integral of (decay t)^-power, which diverges, and of its square, which does not.
    assert rates.sum() > 0.1 * ((decay * 1e5) ** (1 - power)) / decay - 1
    assert (rates[1000:] ** 2).sum() <= decay ** (-2 * power) * 1000 ** (1 - 2 * power) / (2 * power - 1)


def test_decay_lets_noisy_descent_converge():
    # On x^2 / 2 with unit noise the constant rate a ends at variance a / (2 - a); with 1 / (1 + t) it goes to 0.
    generator = np.random.default_rng(0)
    ends = {}
    for name, rate in (("constant", 0.2), ("decayed", lambda t: kernels.inverse_time_decay(t, 1.0, 1.0))):
        optimizer = minibatch.SGD(rate)
        params = {"w": np.ones(4000)}
        state = optimizer.init(params)
        for _ in range(400):
            updates, state = optimizer.update({"w": params["w"] + generator.normal(size=4000)}, state, params)
            params = optimizers.apply_updates(params, updates)
        ends[name] = (params["w"] ** 2).mean()
    assert ends["constant"] == pytest.approx(0.2 / 1.8, rel=0.1)
    assert ends["decayed"] == pytest.approx(1 / 400, rel=0.1)


def test_range_test_finds_the_limit_of_a_quadratic():
    # Descent on h x^2 / 2 with noise diverges above 2 / h; the sweep sees it somewhat later.
    rates = kernels.exponential_sweep(np.arange(200), 1e-3, 10.0, 200)
    losses = np.empty((2, 200))
    noise = 0.1 * np.random.default_rng(0).normal(size=200)
    for run, h in enumerate((1.0, 10.0)):
        x = 1.0
        for step, rate in enumerate(rates):
            losses[run, step] = h * (x * x + 0.1) / 2
            x = np.clip(x - rate * h * (x + noise[step]), -1e100, 1e100)
    found = kernels.range_test(rates, losses)
    assert (found.steepest < found.diverged).all()
    assert (found.lowest < found.diverged).all()
    for run, h in enumerate((1.0, 10.0)):
        assert 2 / h < found.diverged[run] < 6 / h
        alone = kernels.range_test(rates, losses[run])
        assert tuple(float(x) for x in alone) == tuple(float(x[run]) for x in found)


def test_range_test_on_flat_falling_and_broken_losses():
    rates = np.geomspace(1e-3, 1, 20)
    falling = kernels.range_test(rates, np.geomspace(1, 0.1, 20))
    assert falling.diverged == np.inf
    assert falling.lowest == rates[-1]
    assert kernels.range_test(rates, np.ones(20)).diverged == np.inf
    broken = np.ones(20)
    broken[7] = np.nan
    broken[9:] = np.inf
    assert kernels.range_test(rates, broken).diverged == rates[7]
    assert kernels.range_test(rates, broken.astype(np.float32), 0.0).diverged == rates[7]
    nothing = kernels.range_test(rates, np.full(20, np.nan))
    assert nothing.diverged == rates[0]
    assert np.isnan(nothing.steepest)
    assert np.isnan(nothing.lowest)
    assert np.isnan(kernels.range_test(rates, np.ones(20)).steepest)
    assert np.isnan(kernels.range_test(rates, np.geomspace(1, 2, 20)).steepest)
    spike = np.ones(20)
    spike[12] = 4.5
    assert kernels.range_test(rates, spike, 0.0).diverged == rates[12]
    assert kernels.range_test(rates, spike, 0.9).diverged == np.inf


@pytest.mark.parametrize("steps", [100, 200])
def test_range_test_is_not_misled_by_noise_or_spikes(steps):
    # The loss falls from 2.5 to 0.4 around a rate of 0.05 and explodes above 2; noise as of batches of 16.
    rates = kernels.exponential_sweep(np.arange(steps), 1e-5, 10.0, steps)
    generator = np.random.default_rng(0)
    level = 0.4 + 2.1 / (1 + (rates / 0.05) ** 2) + np.expm1(np.maximum(rates - 2, 0))
    losses = level * np.exp(0.2 * generator.normal(size=(60, steps)))
    losses[:30, steps // 5] += 3.0  # before the fall
    losses[30:, -1 - steps // 12] += 0.5
    found = kernels.range_test(rates, losses)
    assert (found.steepest > 0.05 / 4).all()
    assert (found.steepest < 0.05 * 4).all()
    assert (found.steepest <= found.lowest).all()
    assert (found.lowest < found.diverged).all()
    assert np.median(found.steepest) == pytest.approx(0.05, rel=0.35)
    for run in (0, 59):
        assert tuple(kernels.range_test(rates, losses[run])) == tuple(values[run] for values in found)


def test_range_test_counts_no_way_back_from_a_spike():
    rates = np.geomspace(1e-4, 1, 60)
    losses = np.linspace(2.0, 1.0, 60)
    losses[20:26] = 5.0
    found = kernels.range_test(rates, losses, 0.5)
    assert found.diverged == np.inf
    slow = kernels.range_test(rates, np.linspace(2.0, 1.0, 60), 0.5)
    assert found.lowest == slow.lowest == rates[-1]
    assert not rates[20] < found.steepest < rates[30]


def test_scale_at_the_end_of_a_chain_is_a_schedule():
    def rate(step):
        return kernels.cosine(step, 1e-2, 10)

    params = {"w": np.ones(3)}
    joined = optimizers.chain(adaptive_methods.Adam(1.0), kernels.Scale(rate))
    direct = adaptive_methods.Adam(rate)
    state, other = joined.init(params), direct.init(params)
    for seed in range(12):
        grads = {"w": np.random.default_rng(seed).normal(size=3)}
        updates, state = joined.update(grads, state, params)
        expected, other = direct.update(grads, other, params)
        np.testing.assert_allclose(updates["w"], expected["w"], rtol=1e-14)


def test_range_test_takes_any_tolerance_above_one():
    rates = np.geomspace(1e-3, 1, 20)
    losses = np.ones(20)
    losses[10:] = 1.75
    assert kernels.range_test(rates, losses, 0.0, 1.5).diverged == rates[10]
    assert kernels.range_test(rates, losses, 0.0, 2.0).diverged == np.inf
