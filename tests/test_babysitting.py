from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlnotes.numpy import adaptive_methods, babysitting, initialization, minibatch, network, objective


def frozen(x):
    x = np.array(x)
    x.flags.writeable = False
    return x


def drawn(*shape, dtype=np.float64, seed=0):
    return frozen(np.random.default_rng((seed, *shape)).normal(size=shape).astype(dtype))


# --- the first loss ---


@pytest.mark.parametrize("classes", [2, 3, 10, 1000])
def test_first_loss_of_small_logits_is_the_logarithm_of_the_classes(classes):
    assert babysitting.expected_first_loss(classes) == np.log(classes)
    small = babysitting.expected_first_loss(classes, 1e-3) - np.log(classes)
    assert small == pytest.approx((1 - 1 / classes) * 1e-6 / 2, rel=1e-4)


@pytest.mark.parametrize(("classes", "deviation"), [(2, 0.5), (10, 0.87), (10, 3.0), (100, 2.0), (3, 15.0)])
def test_first_loss_of_spread_logits(classes, deviation):
    logits = deviation * np.random.default_rng(0).normal(size=(200_000, classes))
    losses = np.logaddexp.reduce(logits, axis=-1)
    expected = babysitting.expected_first_loss(classes, deviation)
    assert expected == pytest.approx(losses.mean(), abs=4 * losses.std() / np.sqrt(len(losses)))
    assert np.log(classes) < expected < np.log(classes) + deviation**2 / 2


def first_losses(deviation, *, runs):
    """Give the first loss of untrained networks on digits-like data, and the deviation of their logits."""
    generator = np.random.default_rng(1)
    x, y = generator.normal(size=(500, 64)), generator.integers(0, 10, 500)
    parameters = network.initialize((64, 100, 10), generator, runs=(runs,))
    if deviation is not None:
        parameters["2.weight"] = deviation * generator.normal(size=(runs, 10, 100))
    logits, _ = network.forward(parameters, x)
    return objective.cross_entropy(logits, y), logits.std()


@pytest.mark.parametrize("classes", [2, 10])
def test_first_loss_check_passes_healthy_starts_and_refuses_broken_ones(classes):
    # He's start: the logits of a run have a mean over examples that differs by class, so its loss differs from the mean
    # over runs by about 0.2 nats; within the tolerance of small logits most would fail.
    generator = np.random.default_rng(6)
    centers = generator.normal(size=(classes, 64))
    y = np.repeat(np.arange(classes), 400 // classes)
    x = centers[y] + generator.normal(size=(len(y), 64))
    parameters = network.initialize((64, 100, classes), generator, runs=(400,))
    logits, _ = network.forward(parameters, x)
    losses = objective.cross_entropy(logits, y)
    settings = {"classes": classes, "logit_deviation": float(logits.std())}
    check = lambda first: babysitting.first_loss_check(np.stack([first, first + 1], -1), (0.0, 1.0), **settings)  # noqa: E731
    assert check(losses).near_chance.mean() > 0.97
    assert not babysitting.first_loss_check(np.stack([losses, losses + 1], -1), (0.0, 1.0), classes).near_chance.all()
    assert not check(losses * len(y)).near_chance.any()  # summed in place of averaged
    large, _ = network.forward(parameters, 16 * x)  # inputs that were not scaled
    assert check(objective.cross_entropy(large, y)).near_chance.mean() < 0.1


def test_known_first_losses():
    small, _ = first_losses(0.01, runs=20)
    assert np.abs(small - np.log(10)).max() < 0.02
    he, deviation = first_losses(None, runs=50)
    expected = babysitting.expected_first_loss(10, deviation)
    assert he.mean() == pytest.approx(expected, abs=4 * he.std() / np.sqrt(50))
    assert expected > np.log(10) + 0.3


def test_first_loss_check_by_hand():
    losses = np.array([[2.30, 2.5, 3.0], [2.30, 2.2, 3.0], [2.9, 3.0, 3.1]])
    result = babysitting.first_loss_check(frozen(losses), (0.0, 0.1, 1.0), 10)
    assert result.near_chance.tolist() == [True, True, False]
    assert result.rises_with_penalty.tolist() == [True, False, True]
    assert result.expected == np.log(10)
    np.testing.assert_array_equal(result.measured, losses[:, 0])
    wide = babysitting.first_loss_check(losses[2], (0.0, 0.1, 1.0), 10, logit_deviation=1.2)
    assert wide.near_chance
    assert not babysitting.first_loss_check(losses[2], (0.0, 0.1, 1.0), 10, tolerance=0.5).near_chance
    nan = babysitting.first_loss_check(np.array([np.nan, 1.0]), (0.0, 1.0), 10)
    assert not nan.near_chance
    assert not nan.rises_with_penalty


# --- the tiny set ---


def tiny_set(runs=()):
    generator = np.random.default_rng(2)
    x, y = generator.normal(size=(20, 30)), generator.integers(0, 5, 20)
    parameters = network.initialize((30, 50, 5), np.random.default_rng(3), runs=runs)

    def gradient(parameters):
        return network.loss_and_gradient(parameters, x, y)

    return gradient, parameters


def test_a_network_that_works_learns_twenty_examples_by_heart():
    gradient, parameters = tiny_set(runs=(4,))
    report = babysitting.overfit_tiny_set(gradient, parameters, adaptive_methods.Adam(0.01))
    assert report.passed.all()
    assert report.losses.shape == (4, 301)
    for run in range(4):
        step = report.steps_to_goal[run]
        assert report.losses[run, step] < 0.01 <= report.losses[run, :step].min()


def test_planted_bugs_are_found():
    gradient, parameters = tiny_set()

    def wrong_sign(parameters):
        loss, grads = gradient(parameters)
        return loss, {name: -g for name, g in grads.items()}

    def frozen_layers(parameters):
        loss, grads = gradient(parameters)
        return loss, {name: g * name.startswith("2.bias") for name, g in grads.items()}

    def shuffled_rows(parameters):
        loss, grads = gradient(parameters)
        return loss, {name: g[::-1] for name, g in grads.items()}

    for broken in (wrong_sign, frozen_layers, shuffled_rows):
        report = babysitting.overfit_tiny_set(broken, parameters, adaptive_methods.Adam(0.01), steps=200)
        assert not report.passed
        assert report.steps_to_goal == -1


def test_divergence_on_the_tiny_set_is_a_result_and_no_warning():
    gradient, parameters = tiny_set()
    report = babysitting.overfit_tiny_set(gradient, parameters, minibatch.SGD(1e6), steps=20)
    assert not report.passed


def test_tiny_set_of_runs_equals_runs_alone():
    gradient, parameters = tiny_set(runs=(3,))
    alone_gradient, _ = tiny_set()
    rates = np.array([0.001, 0.01, 0.1])
    together = babysitting.overfit_tiny_set(gradient, parameters, adaptive_methods.Adam(rates), steps=40)
    for run in range(3):
        own = {name: value[run] for name, value in parameters.items()}
        alone = babysitting.overfit_tiny_set(alone_gradient, own, adaptive_methods.Adam(float(rates[run])), steps=40)
        np.testing.assert_array_equal(together.losses[run], alone.losses)


# --- update ratios ---


def test_update_ratios_by_hand():
    params = {"0.weight": frozen([[3.0, 4.0]]), "0.bias": frozen([0.0]), "2.bias": frozen([0.0])}
    updates = {"0.weight": frozen([[0.0, -0.005]]), "0.bias": frozen([1.0]), "2.bias": frozen([0.0])}
    ratios = babysitting.update_ratios(params, updates)
    assert ratios["0.weight"] == pytest.approx(1e-3)
    assert ratios["0.bias"] == np.inf
    assert np.isnan(ratios["2.bias"])  # 0 / 0 says nothing
    still = babysitting.update_ratios(params, {**updates, "0.weight": np.zeros((1, 2))})
    assert still["0.weight"] == 0
    for broken in (np.nan, np.inf):
        lost = babysitting.update_ratios({"w": np.array([1.0, broken])}, {"w": np.array([1.0, broken])})
        assert np.isnan(lost["w"])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_update_ratios_of_runs_equal_runs_alone(dtype):
    params = {"w": drawn(2, 3, 4, 5, dtype=dtype), "b": drawn(2, 3, 4, dtype=dtype)}
    updates = {"w": drawn(2, 3, 4, 5, dtype=dtype, seed=1), "b": drawn(2, 3, 4, dtype=dtype, seed=1)}
    together = babysitting.update_ratios(params, updates, 2)
    for i in np.ndindex(2, 3):
        alone = babysitting.update_ratios({k: v[i] for k, v in params.items()}, {k: v[i] for k, v in updates.items()})
        for name in params:
            assert together[name].dtype == dtype
            assert together[name][i] == alone[name]


@given(scale=st.sampled_from([1e-200, 1e-3, 1.0, 1e200]), rate=st.floats(1e-6, 1))
def test_a_plain_step_on_its_own_weights_has_the_rate_as_ratio(scale, rate):
    w = drawn(4, 3) * scale
    updates, _ = minibatch.SGD(rate).update({"w": w}, minibatch.SGDState(0), {"w": w})
    assert babysitting.update_ratios({"w": w}, updates)["w"] == pytest.approx(rate, rel=1e-12)


# --- the report ---


def curve(start, end, steps=100):
    return end + (start - end) * np.exp(-np.arange(steps) / 8.0)


def test_chances_of_orders_equal_a_count_of_all_of_them():
    for count in range(1, 7):
        values = np.array(list(itertools.permutations(np.arange(count, dtype=float))))
        chance = babysitting.rise_probability(values)
        fallen = np.array([sum(a > b for a, b in itertools.combinations(order, 2)) for order in values])
        np.testing.assert_allclose(chance, [(fallen <= own).mean() for own in fallen], rtol=1e-12)
    for first, second in ((1, 1), (2, 3), (4, 2), (3, 4)):
        ranks = np.arange(float(first + second))
        sets = [np.array(chosen, dtype=int) for chosen in itertools.combinations(range(first + second), first)]
        before = np.array([ranks[chosen] for chosen in sets])
        after = np.array([np.delete(ranks, chosen) for chosen in sets])
        lost = (before[:, :, None] > after[:, None, :]).sum(axis=(1, 2))
        chance = babysitting.higher_probability(before, after)
        np.testing.assert_allclose(chance, [(lost <= own).mean() for own in lost], rtol=1e-12)


def test_chances_of_orders_equal_scipy():
    stats = pytest.importorskip("scipy.stats")
    before, after = drawn(8), drawn(11) + 0.5
    theirs = stats.mannwhitneyu(before, after, alternative="less", method="exact")
    assert babysitting.higher_probability(before, after) == pytest.approx(theirs.pvalue, rel=1e-9)
    values = drawn(12) + 0.2 * np.arange(12)
    theirs = stats.kendalltau(np.arange(12), values, alternative="greater", method="exact")
    assert babysitting.rise_probability(values) == pytest.approx(theirs.pvalue, rel=1e-9)


def test_chances_of_ties_and_nan():
    assert babysitting.rise_probability(np.ones(8)) > 0.5
    assert babysitting.higher_probability(np.ones(8), np.ones(8)) > 0.5
    assert babysitting.rise_probability(np.arange(8.0)) == pytest.approx(1 / 40_320)
    assert babysitting.rise_probability(np.array([1.0])) == 1
    assert np.isnan(babysitting.rise_probability(np.array([1.0, np.nan, 2.0])))
    assert np.isnan(babysitting.higher_probability(np.array([1.0, np.nan]), np.ones(3)))


CHANCE = float(np.log(10))


def test_report_tells_the_cases_apart():
    flat = np.full(100, 2.31)
    losses = frozen(
        [
            curve(2.31, 0.2),
            flat,
            np.concatenate([curve(2.31, 1.0, 50), np.full(50, np.nan)]),
            np.linspace(2.31, 30.0, 100),
            np.linspace(2.31, 1.0, 100),
            curve(2.9, 2.3026),
            np.abs(np.linspace(-2.0, 1.0, 100)) + 0.1,
        ]
    )
    report = babysitting.training_report(losses, chance=CHANCE)
    assert report.flat.tolist() == [False, True, False, False, False, False, False]
    assert report.at_chance.tolist() == [False, True, False, False, False, True, False]
    assert report.not_finite.tolist() == [False, False, True, False, False, False, False]
    assert report.grew.tolist() == [False, False, False, True, False, False, False]
    assert report.turned.tolist() == [False, False, False, True, False, False, True]
    assert report.still_falling.tolist() == [False, False, False, False, True, False, False]
    assert np.isnan(report.gap).all()
    assert np.isnan(report.least_update).all()
    for run in range(7):
        alone = babysitting.training_report(losses[run], chance=CHANCE)
        for together, expected in zip(report, alone, strict=True):
            np.testing.assert_array_equal(together[run], expected)
    words = [" ".join(babysitting.describe(report, (run,))) for run in range(7)]
    assert words[0] == ""
    assert "does not move" in words[1]
    assert "not finite" in words[2]
    assert "above where it began" in words[3]
    assert "still falling" in words[4]
    assert "that of guessing" in words[5]
    assert "rises again" in words[6]


def test_a_run_that_was_stopped_is_read_up_to_there():
    losses = np.stack([curve(2.3, 0.2), curve(2.3, 0.2)])
    losses[0, 60:] = np.nan
    losses[1, 40:] = np.nan
    report = babysitting.training_report(losses, stopped_at=np.array([60, 60]))
    assert report.not_finite.tolist() == [False, True]
    alone = babysitting.training_report(losses[0, :60])
    for field, value in zip(babysitting.TrainingReport._fields, alone, strict=True):
        np.testing.assert_array_equal(getattr(report, field)[0], value)
    assert babysitting.training_report(losses).not_finite.all()


def noise(kind, shape, generator):
    """Give noise about 1 whose steps do not depend on each other."""
    if kind == "exponential":
        return generator.exponential(1.0, shape)
    return 1 + 0.1 * generator.normal(size=shape)


@pytest.mark.parametrize("kind", ["normal", "exponential"])
def test_false_alarms_on_noise_come_at_their_rate(kind):
    # At 1 in 50 the 600 curves give about 12 of each; the rate is an upper bound, 28 lie 4.6 deviations above it.
    generator = np.random.default_rng(0)
    curves, measurements = noise(kind, (600, 100), generator), noise(kind, (600, 40), generator)
    report = babysitting.training_report(curves, held_out=measurements, false_alarm_rate=0.02)
    for field in ("grew", "turned", "still_falling", "overfits"):
        assert getattr(report, field).sum() <= 28, field
    assert report.turned.sum() + report.still_falling.sum() > 4  # it is not silent either
    usual = babysitting.training_report(curves, held_out=measurements)
    assert sum(getattr(usual, field).sum() for field in ("turned", "still_falling", "overfits")) <= 7
    assert usual.grew.sum() <= (3 if kind == "normal" else 14)  # 600 / 100: the first loss may be the least by chance
    if kind == "normal":
        assert usual.flat.mean() > 0.99


def test_true_trends_are_seen_through_the_noise():
    generator, steps = np.random.default_rng(1), np.arange(200)
    rough = 0.2 * generator.normal(size=(100, 200))
    up = babysitting.training_report(2.3 + steps / 200 + rough)
    assert up.grew.mean() > 0.95
    assert up.turned.mean() > 0.95
    assert not up.flat.any()
    down = babysitting.training_report(2.3 - 2 * steps / 200 + rough / 4)
    assert down.still_falling.mean() > 0.9
    plateau = babysitting.training_report(0.3 + 2 * np.exp(-steps / 10) + rough / 2)
    assert not (plateau.flat | plateau.grew | plateau.turned).any()
    valley = 1 + np.linspace(-1, 1.5, 40) ** 2 / 2 + 0.05 * generator.normal(size=(100, 40))
    report = babysitting.training_report(0.3 + 2 * np.exp(-steps / 40) + rough / 2, held_out=valley)
    assert report.overfits.mean() > 0.95
    rising = 0.3 + 2 * np.exp(-steps / 10) + np.maximum(steps - 80, 0) / 60 + rough / 2
    assert not babysitting.training_report(rising, held_out=valley).overfits.any()  # it diverges, which is no overfit


def test_a_jump_in_the_first_step_is_growth_and_a_fall_in_the_first_steps_is_no_standstill():
    losses = np.full(100, 50.0)
    losses[0] = 2.3
    report = babysitting.training_report(losses)
    assert report.grew
    assert not report.flat
    early = np.full(100, 0.1)
    early[:3] = 2.3, 1.5, 0.7
    assert not babysitting.training_report(early).flat


def test_a_report_has_no_scale():
    losses = np.stack([curve(2.3, 0.2), np.linspace(2.0, 9.0, 100), np.full(100, 2.0)])
    plain = babysitting.training_report(losses)
    for scale in (1e-160, 1e160, 1e307):
        scaled = babysitting.training_report(losses * scale)
        np.testing.assert_allclose(scaled.last, plain.last * scale, rtol=1e-12)
        for field in ("not_finite", "grew", "turned", "flat", "still_falling"):
            np.testing.assert_array_equal(getattr(scaled, field), getattr(plain, field))


def test_report_tells_too_low_a_rate_from_too_high_a_one():
    # Both sit at ln 10; what tells them apart is how much the weights move.
    flat = np.full((2, 50), np.log(10))
    ratios = {"0.weight": np.array([np.full(50, 1e-7), np.full(50, 0.4)])}
    report = babysitting.training_report(flat, chance=CHANCE, ratios=ratios)
    low, high = babysitting.describe(report, (0,)), babysitting.describe(report, (1,))
    assert "too low" in low[0]
    assert "no gradient arrives" in low[0]
    assert "dead or saturated" in high[0]
    assert "0.weight moves by 4e-01" in high[1]


def test_a_parameter_that_stands_still_is_named():
    ratios = {
        "0.weight": np.full(30, 1e-3),
        "0.bias": np.full(30, np.nan),  # 0 and not moved
        "2.weight": np.concatenate([np.full(20, 1e-3), np.zeros(10)]),
        "4.weight": np.zeros(30),
    }
    report = babysitting.training_report(np.full(60, 2.3), ratios=ratios)
    assert report.unmoved == "2.weight, 4.weight"
    assert (report.least_name, report.least_update) == ("4.weight", 0)
    assert (report.greatest_name, report.greatest_update) == ("0.weight", 1e-3)
    assert "2.weight, 4.weight" in babysitting.describe(report)[0]
    dead = babysitting.describe(babysitting.training_report(np.full(60, 2.3), ratios={"w": np.zeros(60)}))
    assert "stand still: w." in dead[0]
    assert "no parameter moves" in dead[1]
    none = babysitting.training_report(np.full(60, 2.3), ratios={"b": np.full(60, np.nan)})
    assert np.isnan(none.least_update)
    assert none.least_name == none.unmoved == ""


def test_report_sees_a_gap_and_a_layer_that_hardly_moves():
    ratios = {"0.weight": np.full(30, 1e-3), "2.weight": np.full(30, 1e-8)}
    report = babysitting.training_report(curve(2.3, 0.01), held_out=np.array([2.3, 1.0, 1.8]), ratios=ratios)
    assert report.gap == pytest.approx(1.79, abs=0.01)
    assert report.least_update == 1e-8
    assert report.greatest_update == 1e-3
    assert not report.overfits  # three measurements cannot tell a turn from noise
    words = babysitting.describe(report)
    assert len(words) == 2
    assert "2.weight moves by 1e-08" in words[0]
    assert "1.79 above" in words[1]
    turned = babysitting.training_report(curve(2.3, 0.01), held_out=np.abs(np.linspace(-1, 1, 30)) + 1)
    assert turned.overfits
    assert any("it overfits" in sentence for sentence in babysitting.describe(turned))


def test_report_of_a_real_training():
    gradient, parameters = tiny_set(runs=(3,))
    rates = np.array([1e-7, 1e-2, 1e3])
    optimizer = minibatch.SGD(rates * 10)
    report = babysitting.overfit_tiny_set(gradient, parameters, optimizer, steps=200)
    seen = babysitting.training_report(report.losses, chance=float(np.log(5)))
    assert seen.flat.tolist()[0]
    assert not seen.flat[1]
    assert seen.last[1] < 0.2
    assert seen.not_finite[2] or seen.grew[2]


def test_report_at_its_thresholds():
    dropped = np.array([4.0, *np.ones(99)])
    assert babysitting.training_report(dropped).first == 4.0
    assert not babysitting.training_report(dropped).flat
    rising = 100 + np.linspace(0, 0.5, 100)
    assert babysitting.training_report(rising, tolerance=0.01).flat
    assert not babysitting.training_report(rising, tolerance=0.001).flat
    assert babysitting.training_report(np.full(10, 21.0), chance=20.0).at_chance
    assert not babysitting.training_report(np.full(10, 21.5), chance=20.0).at_chance
    for ratio, words in ((0.9e-4, "no gradient arrives"), (1.5e-4, "dead or saturated")):
        report = babysitting.training_report(np.full(10, 2.0), ratios={"0.weight": np.full(10, ratio)})
        assert words in " ".join(babysitting.describe(report))


@given(
    losses=st.lists(st.one_of(st.floats(0, 1e300), st.just(np.nan), st.just(np.inf)), min_size=2, max_size=30),
)
def test_report_of_anything(losses):
    report = babysitting.training_report(np.array(losses), chance=1.0)
    assert report.not_finite == (not np.isfinite(losses).all())
    babysitting.describe(report)


def test_networks_start_where_the_check_expects_them():
    # The use that the chapter makes of it: small output weights, penalty rising.
    generator = np.random.default_rng(5)
    x, y = generator.normal(size=(200, 20)), generator.integers(0, 4, 200)
    parameters = {
        "0.weight": initialization.he_normal((30, 20), generator),
        "0.bias": np.zeros(30),
        "2.weight": 0.01 * generator.normal(size=(4, 30)),
        "2.bias": np.zeros(4),
    }
    loss, _ = network.loss_and_gradient(parameters, x, y)
    squares = sum(float(np.square(value).sum()) for value in parameters.values())
    losses = np.array([loss + strength / 2 * squares for strength in (0.0, 0.01, 0.1)])
    result = babysitting.first_loss_check(losses, (0.0, 0.01, 0.1), 4)
    assert result.near_chance
    assert result.rises_with_penalty


def test_first_loss_is_near_chance_within_a_tenth():
    check = lambda away: babysitting.first_loss_check(np.array([np.log(10) + away, 4.0]), (0.0, 1.0), 10)  # noqa: E731
    assert check(0.09).near_chance
    assert not check(0.15).near_chance


@pytest.mark.parametrize(("last", "low", "high"), [(1.0, 0.0004, 0.001), (0.1, 0.0015, 0.003), (10.0, 0.0015, 0.003)])
def test_alarms_come_twice_as_often_where_the_noise_changes_tenfold(last, low, high):
    values = np.random.default_rng(0).normal(size=(100_000, 8)) * np.geomspace(1, last, 8)
    assert low < np.mean(babysitting.rise_probability(values) <= 0.001) < high


def test_alarms_come_five_times_as_often_where_skewed_noise_shrinks_tenfold():
    values = np.random.default_rng(0).gamma(5, size=(50_000, 8)) - 5  # means of five skewed losses
    alarms = babysitting.rise_probability(values * np.geomspace(1, 0.1, 8)) <= 0.001
    assert 0.0045 < np.mean(alarms) < 0.006
