"""The numbers behind the figures of the chapter on ensembles, against theory and against print.

Numbers of the whole experiment come from the cache of the press; what is quick is measured here at another size.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import io

import numpy as np
import pytest

from dlnotes.book import drawing, layout
from dlnotes.figures import ensembles as common
from dlnotes.figures import ensembles_calibration as sure
from dlnotes.figures import ensembles_sources as races
from dlnotes.numpy import ensembles, many_runs

SMALL = {
    "members": {"networks": 2, "deal_count": 2, "steps": 5, "longer": 10},
    "variance": {"networks": 6, "tables": 3, "steps": 5},
    "sources": {"networks": 2, "deal_count": 2, "steps": 5},
    "race": {"most": 2, "deal_count": 2, "tuning": 1, "steps": 5, "total": 32, "smaller": 16},
    "calibration": {"networks": 2, "deal_count": 2, "steps": 40, "width": 8},
    "weights": {"branches": 2, "deal_count": 2, "steps": 20, "after": 5},
}


@functools.cache
def numbers(name: str) -> tuple:
    """The numbers of a figure as the book shows it."""
    return drawing.numbers(layout.find(), drawing.Figure("ensembles", name))


# --- what averaging gains


def test_the_gain_depends_on_data_and_length() -> None:
    shown = numbers("members")
    np.testing.assert_allclose(shown.middle, [[2.3, 1.1], [1.3, 0.4], [0.5, 0.4]], atol=0.1)
    np.testing.assert_allclose(shown.least[:, 1], [0.6, 0.1, -0.1], atol=0.06)
    np.testing.assert_allclose(shown.most[:, 1], [1.5, 0.8, 0.8], atol=0.06)
    np.testing.assert_allclose(shown.error[:, 1, 0], [11.1, 3.4, 3.7], atol=0.1)
    np.testing.assert_allclose(shown.error[:, 1, -1], [10.0, 2.9, 3.3], atol=0.1)
    assert np.all(shown.middle[:2, 1] < shown.middle[:2, 0] / 2 + 0.1)
    assert np.all(np.diff(shown.error[:2, 1]) < 0)


def test_pairs_are_often_below_their_better_member() -> None:
    mean, best = (pairs()[name].mean((1, 2)).reshape(3, 2) for name in ("below_mean", "below_best"))
    assert np.all(best >= mean)
    assert np.all(best[:, 1] > 0.25)
    assert mean[2] == pytest.approx([1 / 6, 1 / 6], abs=0.03)
    assert mean[0].max() < 0.02


@functools.cache
def pairs() -> dict[str, np.ndarray]:
    """The trainings of the first figure: what each pair gains, and all eight; (data and length, deal, pair)."""
    found: dict[str, list] = collections.defaultdict(list)
    first, second = np.triu_indices(8, 1)
    for predictions, labels in common.on_test():
        both = np.minimum(np.logaddexp(predictions[:, first], predictions[:, second]) - np.log(2), 0)
        together = common.grouped(predictions, 8)
        for judge, ending in ((common.likelihoods, ""), (common.errors, "_errors")):
            own = judge(predictions, labels)
            found["two" + ending].append((own[:, first] + own[:, second]) / 2 - judge(both, labels))
            found["eight" + ending].append(own.mean(1, keepdims=True) - judge(together, labels))
        fours = common.likelihoods(common.grouped(predictions, 2), labels)
        found["means"].append((common.likelihoods(predictions, labels).mean(1) - fours.mean(1)).mean())
        found["lost"].append(lost(predictions, both, labels, first, second))
        own, together = common.errors(predictions, labels), common.errors(both, labels)
        found["below_mean"].append(together > (own[:, first] + own[:, second]) / 2 + 1e-9)
        found["below_best"].append(together > np.minimum(own[:, first], own[:, second]) + 1e-9)
    return {name: np.array(rows) for name, rows in found.items()}


def lost(
    predictions: np.ndarray, both: np.ndarray, labels: np.ndarray, first: np.ndarray, second: np.ndarray
) -> np.ndarray:
    """Shares of pairs behind their better member: known in hindsight, and picked on the other half of the images."""
    right, pair_right = (each.argmax(-1) == labels[:, None] for each in (predictions, both))
    shares = []
    for seed in range(3):
        picking, judging = np.array_split(np.random.default_rng(seed).permutation(labels.shape[1]), 2)
        before, own = right[..., picking].mean(-1), right[..., judging].mean(-1)
        picked = np.where(before[:, first] >= before[:, second], own[:, first], own[:, second])
        average, hindsight = pair_right[..., judging].mean(-1), np.maximum(own[:, first], own[:, second])
        shares.append([(average < better - 1e-9).mean() for better in (hindsight, picked)])
    return np.mean(shares, axis=0)


def test_two_members_tell_in_loss_what_eight_gain() -> None:
    found = pairs()
    two, eight = 1000 * found["means"], 1000 * found["eight"].mean((1, 2))
    np.testing.assert_allclose(two, [25.3, 38.1, 9.5, 5.5, 7.9, 15.0], atol=0.06)
    np.testing.assert_allclose(1.75 * two, [44, 67, 17, 9.6, 14, 26], rtol=0.03)
    np.testing.assert_allclose(eight, [44.4, 69.2, 15.8, 9.4, 12.4, 23.8], atol=0.06)
    ratio = 1.75 * found["two"] / found["eight"]
    assert ((ratio > 0.5) & (ratio < 2)).mean((1, 2)).min() == pytest.approx(0.936, abs=2e-3)


def test_one_pair_tells_little_in_errors() -> None:
    found = pairs()
    nothing = (found["two_errors"] <= 1e-9).mean((1, 2))
    assert nothing[4:] == pytest.approx([0.26, 0.28], abs=0.01)
    assert 100 * found["eight_errors"][4:].mean((1, 2)) == pytest.approx([0.49, 0.41], abs=0.01)


def test_validation_picks_the_better_member_less_well_than_hindsight() -> None:
    hindsight, picked = pairs()["lost"].T
    assert np.all(picked < hindsight)
    assert np.all(picked[3:] < 0.75 * hindsight[3:])


@pytest.mark.parametrize(("rate", "width"), [(0.1, 32), (0.4, 32), (0.2, 64)])
def test_the_gain_stays_at_other_rates_and_widths(rate: float, width: int) -> None:
    data = common.deals("digits", 100, 2, 5)
    start = common.starts(data, 6, width, 6)
    ended = common.trained(start, data.inputs, data.labels, rate, 200, np.random.default_rng(7))
    predictions = common.predicted(ended.parameters, data.test_inputs)
    wrong = 100 * common.errors(predictions, data.test_labels).mean(1)
    gain = wrong - 100 * common.errors(common.grouped(predictions, 6), data.test_labels)[:, 0]
    assert np.all((gain > 0.5) & (gain < 5))


def test_eight_nearly_always_beat_their_mean_member() -> None:
    gain = pairs()["eight_errors"]
    assert gain.size == 30
    assert (gain > 1e-9).sum() == 29
    np.testing.assert_allclose(100 * gain.mean((1, 2)), numbers("members").middle.ravel(), atol=1e-9)


# --- the law


def test_the_variance_follows_its_law() -> None:
    shown = numbers("variance")
    np.testing.assert_allclose(shown.measured, shown.theory, rtol=0.04)
    np.testing.assert_allclose(shown.score, shown.predicted_score, atol=0.002)
    assert shown.floor / shown.theory[0] == pytest.approx(0.64, abs=0.01)
    assert shown.measured[[0, -1]] == pytest.approx([0.072, 0.048], abs=6e-4)
    assert shown.floor == pytest.approx(0.046, abs=6e-4)
    assert shown.score[[0, -1]] == pytest.approx([0.179, 0.155], abs=1e-3)


def test_the_parts_of_a_variance_that_is_known() -> None:
    generator = np.random.default_rng(0)
    drawn = 2 * generator.normal(size=(4000, 1, 3, 1)) + 3 * generator.normal(size=(4000, 5, 3, 1))
    assert common.parts(drawn) == pytest.approx((9, 4), rel=0.05)


# --- what makes members differ


def test_at_a_low_rate_starts_matter_and_orders_do_not() -> None:
    shown = numbers("sources")
    order, snapshots, start, both, boot, all_three = (shown.member - shown.together)[0]
    assert max(order, snapshots) < 0.15
    assert start == pytest.approx(1.9, abs=0.1)
    assert both == pytest.approx(start, abs=0.2)
    assert boot > start
    assert all_three > boot
    assert np.all(shown.disagreement[0, 4:] > shown.disagreement[0, 3])
    np.testing.assert_allclose(shown.member[0, 2:5], [12.4, 12.4, 16.4], atol=0.1)
    np.testing.assert_allclose(shown.together[0, 2:], [10.5, 10.4, 12.8, 11.4], atol=0.1)


def test_members_further_apart_are_together_worse_in_each_deal() -> None:
    data, ended = common.deals("digits", 100, 4, 0), []
    for place in (3, 4, 5):
        predictions = common.predicted(races.members_of(races.OWN[place], data, 8, 300, 0.2, 0), data.test_inputs)
        ended.append(100 * common.errors(common.grouped(predictions, 8), data.test_labels)[:, 0])
    assert np.all(ended[0] < np.array(ended[1:]))
    np.testing.assert_allclose(np.mean(ended, axis=1), numbers("sources").together[0, 3:], rtol=1e-9)


def test_at_a_high_rate_orders_do_as_much() -> None:
    shown = numbers("sources")
    gain, ended = (shown.member - shown.together)[1], shown.together[1]
    assert gain[0] > 5
    assert gain[0] == pytest.approx(gain[2], abs=1)
    assert ended[[0, 2, 3]] == pytest.approx([11.4] * 3, abs=0.2)
    assert ended.min() - shown.together[0].min() == pytest.approx(0.9, abs=0.06)
    assert np.all(shown.disagreement[:, 1] < 0.02)
    assert gain[1] < 0.2


def test_after_five_times_the_steps_the_ranking_is_the_same() -> None:
    data = common.deals("digits", 100, 4, 0)
    gain, ended = [], []
    for own in ((0, 1, 0), (1, 0, 0), (0, 0, 1)):
        predictions = common.predicted(races.members_of(own, data, 4, 1500, 0.2, 0), data.test_inputs)
        ended.append(100 * common.errors(common.grouped(predictions, 4), data.test_labels).mean())
        gain.append(100 * common.errors(predictions, data.test_labels).mean() - ended[-1])
    assert gain[0] < 0.3 < 0.6 < gain[1] < gain[2]
    assert ended[1] < ended[0]
    assert ended[1] < ended[2]


@pytest.mark.parametrize(("rate", "together", "last"), [(0.2, 11.05, 10.77), (0.8, 13.52, 13.44)])
def test_the_average_of_snapshots_is_no_better_than_the_last(rate: float, together: float, last: float) -> None:
    data = common.deals("digits", 100, 4, 0)
    predictions = common.predicted(races.members_of(None, data, 8, 300, rate, 0), data.test_inputs)
    own = 100 * common.errors(predictions, data.test_labels).mean(0)
    average = 100 * common.errors(common.grouped(predictions, 8), data.test_labels).mean()
    assert (average, own[-1]) == pytest.approx((together, last), abs=6e-3)


def test_a_bootstrap_misses_a_third() -> None:
    assert pytest.approx(0.366, abs=1e-3) == 0.99**100


# --- the race


def test_small_networks_do_not_beat_one_of_the_same_cost() -> None:
    shown = numbers("race")
    np.testing.assert_allclose(shown.saved[1:], [0.004, 0.002, -0.012], atol=6e-4)
    np.testing.assert_allclose((shown.above - shown.below)[1:] / 4, [0.006, 0.005, 0.005], atol=6e-4)
    assert np.all(np.diff(shown.error[0, :3]) > 0)
    assert np.ptp(shown.error[1]) < 0.5
    sizes = [count * (65 * (192 // count) + (192 // count + 1) * 10) for count in (1, 2, 4, 8)]
    assert np.ptp(sizes) == 70  # the biases of seven more output layers


def test_no_rate_of_the_race_is_on_an_edge() -> None:
    rates = numbers("race").rates  # beyond 0.2 and 0.8 nothing was tried but the edges
    assert np.all((rates >= 0.2) & (rates <= 0.8))


# --- how sure


@functools.cache
def looks() -> sure.Looks:
    """What is judged along the training of the figure."""
    return sure.looks()


def test_the_figure_shows_the_looks() -> None:
    shown, found = numbers("calibration"), looks()
    np.testing.assert_allclose((shown.loss, shown.excess), found.plain[:2], rtol=1e-6)
    np.testing.assert_allclose(shown.scaled, found.scaled[2, :3], rtol=1e-6)


def test_averaging_makes_less_sure() -> None:
    shown, error = numbers("calibration"), looks().plain[2]
    assert np.all(shown.excess[1] < shown.excess[0])
    assert np.all(shown.loss[1:] < shown.loss[0])
    assert shown.excess[:2, 0] == pytest.approx([-22, -36], abs=0.5)
    assert shown.excess[:2, -1] == pytest.approx([4, 2], abs=0.5)
    at = shown.steps.tolist().index(152)
    assert error[:2, at] == pytest.approx([5.4, 9.1], abs=0.06)
    assert error[:2, -1] == pytest.approx([4.2, 2.0], abs=0.06)
    between = shown.steps.tolist().index(430)
    assert shown.excess[0, between] == pytest.approx(0.8, abs=0.06)
    assert np.subtract(*shown.excess[:2, between]) == pytest.approx(3.3, abs=0.06)
    assert error[:2, between] == pytest.approx([1.8, 2.7], abs=0.06)
    better = error[1] < error[0]
    enough = 2 * shown.excess[0] > shown.excess[0] - shown.excess[1]
    np.testing.assert_array_equal(better, enough)


def test_logits_win_early_and_probabilities_late() -> None:
    shown = numbers("calibration")
    ahead = shown.loss[2] < shown.loss[1]
    assert ahead[:6].all()
    assert not ahead[6:].any()
    assert shown.steps[5:7].tolist() == [430, 724]
    np.testing.assert_array_equal(ahead, shown.excess[1] < -2)


def test_a_temperature_comes_after_the_average() -> None:
    shown, losses = numbers("calibration"), looks().scaled[0]
    assert np.all(shown.scaled[1] > shown.scaled[0] + 1)
    assert np.all(shown.scaled[2] < shown.scaled[0] + 0.01)
    assert np.all(losses[2] < losses[1])
    late = shown.scaled[:, 3:]
    np.testing.assert_allclose(shown.chance[3:], 1.6, atol=0.06)
    assert np.abs(losses[3] - losses[2])[3:].max() < 0.006
    assert (late[1].min(), late[1].max()) == pytest.approx((3.9, 6.2), abs=0.06)
    assert (late[0].min(), late[0].max()) == pytest.approx((2.4, 2.6), abs=0.06)
    assert (late[2].min(), late[2].max()) == pytest.approx((1.9, 2.3), abs=0.06)


def test_the_calibration_error_by_chance() -> None:
    generator = np.random.default_rng(0)
    said = generator.uniform(0.5, 1, 2000)
    logs = np.log(np.stack([said, 1 - said], -1))
    found = [ensembles.calibration_error(logs, (generator.random(2000) > said).astype(int)) for _ in range(100)]
    assert 100 * np.mean(found) == pytest.approx(sure.by_chance(logs), rel=0.1)


def test_on_more_digits_the_order_of_average_and_temperature_hardly_matters() -> None:
    data = common.deals("digits", 1000, 2, 0)
    start, ended = common.starts(data, 8, 32, 1), None
    generators = many_runs.generators(np.random.default_rng(2), (2, 8))
    for steps in (300, 1000, 3000):
        options = {"resume": ended}
        ended = common.trained(start, data.inputs, data.labels, lambda _: 0.1, steps, generators, **options)
        predictions = common.predicted(ended.parameters, data.test_inputs)
        scaled = [sure._one_deal(own, y, 300)[1] for own, y in zip(predictions, data.test_labels, strict=True)]
        _, after, first, _ = np.mean(scaled, axis=0)[:, 2]
        assert abs(after - first) < 0.65


def test_the_slope_of_an_average_of_calibrated_members() -> None:
    generator = np.random.default_rng(0)
    coin = generator.integers(0, 2, 400_000)
    said = np.where((generator.random((2, 400_000)) < 0.8) == coin, 0.8, 0.2)
    average = said.mean(0)
    covariance = np.cov(coin, average)
    assert covariance[0, 1] / covariance[1, 1] == pytest.approx(1 / 0.68, abs=0.01)
    assert np.corrcoef(said)[0, 1] == pytest.approx(0.36, abs=0.01)
    assert coin[average > 0.7].mean() == pytest.approx(0.64 / 0.68, abs=0.005)


# --- averages of weights


def test_weights_may_be_averaged_in_one_basin_only() -> None:
    shown = numbers("weights")
    other, same, *_, hundred, _ = range(6)
    assert shown.soup[:, 1, other] == pytest.approx([1.17, 2.06], abs=0.02)
    np.testing.assert_allclose(shown.soup[0, 1, same:], shown.branch[0, same:], rtol=0.06)
    assert shown.soup[1, 1, same] == pytest.approx(1.0, abs=0.05)
    assert shown.soup[1, 1, hundred] == pytest.approx(0.075, abs=0.005)
    assert np.all(np.diff(shown.soup[1, 1, :5]) < 0)


def test_a_warm_up_forgets_the_first_weights() -> None:
    shown = numbers("weights")
    assert [shown.last[-1], shown.warmed[-1], shown.equal[-1]] == pytest.approx([0.104, 0.093, 0.095], abs=6e-4)
    at = shown.steps.tolist().index(129)
    assert [shown.warmed[at], shown.last[at]] == pytest.approx([0.148, 0.253], abs=6e-4)
    assert np.all(shown.plain[shown.steps <= 65] > 1)
    assert np.all(shown.plain[shown.steps <= 215] > shown.last[shown.steps <= 215])
    assert np.all(shown.warmed < shown.last)


def test_an_average_of_weights_beside_a_rate_that_falls() -> None:
    data = common.deals("digits", 1000, 5, 0)
    start = common.starts(data, 1, 32, 1)
    for steps, wanted in ((129, 0.198), (600, 0.103)):
        generators = many_runs.generators(np.random.default_rng(2), (5, 1))
        ended = common.trained(start, data.inputs, data.labels, 0.4, steps, generators).parameters
        assert sure._losses(ended, data.test_inputs, data.test_labels).mean() == pytest.approx(wanted, abs=6e-4)
    last, _, _, equal = sure.along(data, 600, 0.1, 0.99, 9.0, np.array([129, 600]), 0)
    assert (last[-1], equal[-1]) == pytest.approx((0.134, 0.140), abs=6e-4)


def test_a_student_takes_most_of_the_gain() -> None:
    page = (layout.find().docs / "chapters" / "ensembles.md").read_text("utf-8")
    block = next(each for each in page.split("```python\n")[1:] if "unlabelled, test = np.split" in each).split("```")[
        0
    ]
    wrong = []
    for deal in range(6):
        found: dict = {}
        dealt = block.replace("default_rng(0).permutation", f"default_rng({deal}).permutation")
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(dealt, "ensembles.md", "exec"), found)
        test = found["test"]
        inputs, labels = found["x"][test], found["y"][test]
        teachers = found["teacher"](inputs)
        kinds = teachers, ensembles.average_probabilities(teachers), found["student"](inputs), found["narrow"](inputs)
        wrong.append([100 * (each.argmax(-1) != labels).mean() for each in kinds])
    np.testing.assert_allclose(np.mean(wrong, axis=0), [11.4, 9.7, 10.0, 11.8], atol=0.06)


def test_the_variance_of_an_average_of_weights() -> None:
    noise = np.random.default_rng(0).normal(size=(30_000, 60))
    w = m = np.zeros(60)
    a, gamma, weights, averages = 0.9, 0.99, [], []
    for step, xi in enumerate(noise):
        w = a * w - 0.1 * xi
        m = gamma * m + (1 - gamma) * w
        if step > 2000 and step % 10 == 0:
            weights.append(w)
            averages.append(m)
    factor = (1 - gamma) / (1 + gamma) * (1 + gamma * a) / (1 - gamma * a)
    assert factor == pytest.approx(0.087, abs=6e-4)
    assert np.var(averages) / np.var(weights) == pytest.approx(factor, rel=0.05)
    assert np.var(weights) == pytest.approx(0.1 / (2 - 0.1), rel=0.03)


def test_the_numbers_in_print_of_the_derivation() -> None:
    two = np.log(np.array([[[0.8, 0.2]], [[0.9, 0.1]]]))
    gain = float(ensembles.jensen_gap(two, np.array([0])))
    assert gain == pytest.approx(0.0017, abs=5e-5)
    assert -np.log(0.72) / 2 == pytest.approx(0.1643, abs=5e-5)
    assert pytest.approx(0.0017, abs=5e-5) == 0.05**2 / (2 * 0.85**2)
    far = np.log(np.array([[[0.01, 0.99]], [[0.9, 0.1]]]))
    assert float(ensembles.jensen_gap(far, np.array([0]))) == pytest.approx(1.57, abs=5e-3)
    assert np.log(1 / (np.sqrt(0.45) + np.sqrt(0.05))) == pytest.approx(0.112, abs=5e-4)
    assert pytest.approx(0.61, abs=5e-3) == 0.999**500
    assert np.prod([j / (j + 9) for j in range(1, 501)]) == pytest.approx(1.7e-19, rel=0.05)
    assert pytest.approx(0.343, abs=5e-4) == (0.51 + 0.51 + 0.01) / 3
    assert pytest.approx((0.104, 0.028)) == (3 * 0.2**2 * 0.8 + 0.2**3, 3 * 0.1**2 * 0.9 + 0.1**3)


def test_what_is_scaled_is_still_a_distribution() -> None:
    p = np.log(np.random.default_rng(0).dirichlet(np.ones(4), (2, 5)))
    cooled = sure.at_temperature(p, np.array([0.5, 2.0]))
    np.testing.assert_allclose(np.exp(cooled).sum(-1), 1, rtol=1e-12)
    np.testing.assert_array_equal(cooled.argmax(-1), p.argmax(-1))
    assert np.exp(cooled[0]).max() > np.exp(p[0]).max()


def test_members_alike_are_alike() -> None:
    data = common.deals("digits", 50, 2, 0)
    alike = races.members_of((0, 0, 0), data, 2, 5, 0.2, 0)
    assert all(np.array_equal(value[:, 0], value[:, 1]) for value in alike.values())
    other = races.members_of((0, 1, 0), data, 2, 5, 0.2, 0)
    assert not np.array_equal(other["0.weight"][:, 0], other["0.weight"][:, 1])
