"""The numbers behind the figures of the chapter on the objective, against theory and against print.

Numbers of the whole experiment come from the cache of the press; what is quick is measured here at another size.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

from dlnotes.book import drawing, layout
from dlnotes.figures import objective as still
from dlnotes.figures import objective_calibration as calibration
from dlnotes.figures import objective_training as learning
from dlnotes.numpy import objective

SMALL = {
    "surrogates": {},
    "staircase": {"examples": 10, "few": 5, "networks": 20, "points": 200, "steps": 3},
    "log-softmax": {"points": 10},
    "graph": {},
    "after-zero": {"examples": 20, "hidden": 4, "seeds": 2, "last": 4},
    "capacity": {"widths": (5, 20, 30), "examples": 20, "tested": 20, "seeds": 2},
    "halting": {"examples": 20, "hidden": 3, "seeds": 2, "last": 5},
    "sure-and-wrong": {"hidden": 4, "seeds": 2, "before": 2, "steps": 4, "every": 2},
    "max-margin": {"last": 5, "fast_last": 4},
    "calibration": {"examples": 20, "held_out": 20, "hidden": 4, "seeds": 2, "steps": 3},
}


@functools.cache
def numbers(name: str) -> tuple:
    """The numbers of a figure as the book shows it."""
    return drawing.numbers(layout.find(), drawing.Figure("objective", name))


# --- losses over the margin


def test_surrogates_lie_above_the_zero_one_loss_and_slope_where_it_is_wrong() -> None:
    shown = numbers("surrogates")
    assert shown.margins[still.JUMP] == pytest.approx(0, abs=1e-12)
    assert np.array_equal(shown.losses[0], np.arange(201) <= still.JUMP)
    assert np.all(shown.losses[1:] >= shown.losses[0] - 1e-12)
    wrong = shown.margins < 0
    assert np.all(shown.slopes[1:, wrong] < -0.7)  # 1 / (2 ln 2) at 0 is the least
    assert np.all(shown.slopes[0] == 0)
    right = shown.margins > 1.01
    assert np.all(shown.slopes[1, right] == 0)  # the hinge is content
    assert shown.slopes[1, [still.KINK, still.KINK + 1]].tolist() == [-1, 0]  # where its slope is drawn broken
    assert np.all(shown.slopes[2, right] < 0)  # the cross-entropy never is
    assert np.all(shown.slopes[3, right] > 0)  # the squared error wants less


def test_surrogates_are_the_functions_of_the_text() -> None:
    shown = numbers("surrogates")
    m = shown.margins
    assert np.allclose(shown.losses[1], np.maximum(0, 1 - m))
    assert np.allclose(shown.losses[2], np.log2(1 + np.exp(-m)))
    assert np.allclose(shown.losses[3], (1 - m) ** 2)
    middle = (m[1:] + m[:-1]) / 2
    smooth = np.abs(middle - 1) > 0.05
    for loss in (1, 2, 3):
        measured = np.diff(shown.losses[loss]) / np.diff(m)
        between = (shown.slopes[loss, 1:] + shown.slopes[loss, :-1]) / 2
        assert np.allclose(measured[smooth], between[smooth], atol=1e-3)


# --- the staircase


def test_the_zero_one_loss_is_a_staircase_and_the_cross_entropy_a_slope() -> None:
    shown = numbers("staircase")
    steps = np.diff(shown.zero_one) * 40
    assert np.allclose(steps, np.round(steps), atol=1e-9)  # whole examples
    assert 0.9 < np.mean(steps == 0) < 1
    assert np.any(steps > 0)  # on the way down it climbs now and then
    assert np.all(np.diff(shown.cross_entropy) < 0)
    assert shown.zero_one[-1] < 0.1 < 0.8 < shown.zero_one[0]


def test_the_chance_of_a_change_is_in_proportion_to_the_move() -> None:
    shown = numbers("staircase")
    rare = shown.changed < 0.1
    assert rare.sum() >= 4
    low, high = shown.spread
    assert np.all((low <= shown.proportional) & (shown.proportional <= high), where=rare)
    slope = np.polyfit(np.log(shown.moves[1:4]), np.log(shown.changed[1:4]), 1)[0]
    assert slope == pytest.approx(1, abs=0.15)
    assert shown.changed[0] < 0.004
    assert shown.changed[-1] > 0.7


def test_ends_of_wilsons_interval_are_where_the_share_seen_just_fits() -> None:
    share, trials = np.array([2 / 3000, 0.3, 0.9]), 3000
    for end in learning.wilson(share, trials):
        assert np.abs(share - end) == pytest.approx(1.96 * np.sqrt(end * (1 - end) / trials), abs=1e-12)


# --- rounding


def test_the_formulas_end_where_the_number_types_say() -> None:
    thresholds = numbers("log-softmax").thresholds
    largest = [math.log(float(np.finfo(dtype).max)) for dtype in still.DTYPES]
    smallest = [150 * math.log(2), 1075 * math.log(2)]  # half of the smallest positive number
    assert thresholds[:, 0] == pytest.approx(largest, rel=2e-7)
    assert thresholds[:, 1] == pytest.approx(smallest, rel=2e-7)
    assert thresholds[0] == pytest.approx([88.72, 103.97], abs=0.005)
    assert thresholds[1] == pytest.approx([709.78, 745.13], abs=0.005)
    for row, dtype in enumerate(still.DTYPES):
        for formula, end in zip(still.FORMULAS, thresholds[row], strict=False):
            after = np.nextafter(dtype(end), dtype(np.inf))
            assert np.isfinite(still._wrong_label(formula, np.array([dtype(end)]))).all()
            assert not np.isfinite(still._wrong_label(formula, np.array([after]))).any()


def test_only_log_sum_exp_keeps_its_digits() -> None:
    shown = numbers("log-softmax")
    rounding = np.array([2.0**-23, 2.0**-52])
    assert np.all(shown.errors[:, 2] <= 2 * rounding[:, None])
    assert shown.sizes[0, 2, -1] == shown.sizes[1, 2, -1] == still.END
    assert np.all(shown.errors[:, 0] <= 4 * rounding[:, None])  # as long as it lasts
    assert np.all(shown.errors[:, 1].max(-1) > 1e-4)  # it rots before it ends
    for dtype in still.DTYPES:
        assert still._wrong_label(still.log_sum_exp, np.array([1e30], dtype)) == np.array([1e30], dtype)


# --- the graph


def test_the_graph_carries_the_numbers_of_the_table() -> None:
    shown = numbers("graph")
    value, adjoint = (dict(zip(still.NODES, field, strict=True)) for field in shown)
    assert [value[name] for name in "wxbyuzest"] == [0.5, 2, -1, 1, 1, 0, 1, 2, 0]
    assert value["r"] == value["ℓ"] == pytest.approx(math.log(2))
    assert [adjoint[name] for name in "wxbuzesrtℓ"] == [-1, -0.25, -0.5, -0.5, -0.5, 0.5, 0.5, 1, -1, 1]
    other = still.graph(weight=0.3, value=-1.7, bias=0.4, label=0.25)
    value, adjoint = (dict(zip(still.NODES, field, strict=True)) for field in other)
    assert adjoint["z"] == pytest.approx(1 / (1 + math.exp(-value["z"])) - 0.25)
    assert adjoint["w"] == pytest.approx(adjoint["z"] * -1.7)
    assert adjoint["y"] == pytest.approx(-value["z"])


# --- after the last mistake


def test_cross_entropy_goes_on_when_the_hinge_stands_still() -> None:
    shown = numbers("after-zero")
    done = shown.steps > 400
    assert np.all(shown.training[:, :, done] == 0)
    assert np.all(np.diff(shown.margin[1][:, done], axis=-1) == 0)
    assert np.all(np.diff(shown.margin[0][:, done], axis=-1) > 0)
    assert np.all(shown.margin[0, :, -1] > 1.5 * shown.margin[1, :, -1])
    assert 100 < shown.still < 300
    first = np.flatnonzero(shown.training[0, 1] == 0)[0]
    assert shown.steps[first] == 208
    assert shown.test[0, 1, first] == pytest.approx(0.067, abs=5e-4)
    assert shown.test[:, 1, -1] == pytest.approx([0.059, 0.081, 0.061], abs=6e-4)


def test_what_stops_the_hinge_is_the_margin_that_it_asks_for() -> None:
    shown = numbers("after-zero")
    cross_entropy, one, ten = shown.margin
    assert np.all(ten[:, -1] > 2.5 * one[:, -1])
    assert np.all(ten[1, -1] > cross_entropy[1, -1])
    assert shown.test[2, 1, -1] - shown.test[0, 1, -1] < 0.2 * (shown.test[1, 1, -1] - shown.test[0, 1, -1])


def test_these_networks_grow_with_the_square_of_their_parameters() -> None:
    x, _ = learning._digits()
    parameters = learning.network.initialize([64, 5, 10], np.random.default_rng(0), runs=(1,))
    parameters["0.bias"] += 0.3
    twice = {name: 2 * value for name, value in parameters.items()}
    small, large = (learning.network.forward(each, x[:20])[0] for each in (parameters, twice))
    assert np.allclose(large, 4 * small)


# --- capacity


def test_the_true_risk_falls_climbs_and_falls_below() -> None:
    shown = numbers("capacity")
    test, training = shown.test[1], shown.training[1]
    widths = shown.widths
    peak = widths[test.argmax()]
    assert 200 <= peak <= 230
    before, beyond = test[widths < 150].min(), test[widths > 300].min()
    assert widths[test.argmin()] == widths[-1]
    assert 40 <= widths[widths < 150][test[widths < 150].argmin()] <= 80
    assert beyond < before - 0.03
    assert test.max() > 0.75
    assert np.all(training[widths >= 200] == 0)
    assert np.all(np.diff(training[widths <= 140]) < 0)
    assert np.all(training < test)


# --- early stopping


def test_early_stopping_halts_between_a_large_gradient_and_a_small_one() -> None:
    shown = numbers("halting")
    steps, at_stop, least = shown.stops
    assert np.all((steps > 20) & (steps < 400))
    first, last = shown.gradient[1, 0], shown.gradient[1, -1]
    assert np.median(first / at_stop) == pytest.approx(70, rel=0.15)
    assert np.median(at_stop / last) == pytest.approx(30, rel=0.15)
    assert at_stop.min() > 10 * last
    assert at_stop.max() < first / 30
    assert np.all(np.diff(shown.gradient[1]) < 0)  # from this start; from a small one it rises first
    assert np.all(np.diff(shown.losses[0, 1]) < 0)
    assert shown.losses[1, 1, -1] > 1.5 * np.median(least)


# --- sure of the wrong answer


def test_cross_entropy_pulls_where_the_squared_error_does_not() -> None:
    shown = numbers("sure-and-wrong")
    p = 1 / (1 + np.exp(-shown.margins))
    assert np.allclose(shown.pulls[0], 1 - p)
    assert np.allclose(shown.pulls[1], 2 * p * (1 - p) ** 2)
    assert shown.pulls[0, 0] > 0.999
    assert shown.pulls[1, 0] < 1e-3


def test_from_a_wrong_start_cross_entropy_is_first() -> None:
    shown = numbers("sure-and-wrong")
    assert np.all(shown.errors[:, 1, 0] > 0.99)
    at = {int(step): place for place, step in enumerate(shown.steps)}
    assert shown.errors[0, 2, at[40]] < 0.1
    assert shown.errors[1, 0, at[40]] > 0.5
    assert shown.errors[1, 1, -1] < 0.1  # it gets there
    assert shown.rates.tolist() == [0.3, 3, 0.3]
    assert shown.errors[2, 1, -1] > 0.5  # at the rate of the other it does not
    assert learning.RATES[0] < shown.rates.min()
    assert shown.rates.max() < learning.RATES[-1]


def test_the_squared_error_of_probabilities_has_its_gradient() -> None:
    generator = np.random.default_rng(0)
    logits, labels = generator.standard_normal((4, 10)), generator.integers(0, 10, 4)
    _, gradient = learning.squared_probabilities(logits, labels)
    for place in ((0, 3), (2, 7), (3, labels[3])):
        shift = np.zeros_like(logits)
        shift[place] = 1e-6
        up, down = (learning.squared_probabilities(logits + sign * shift, labels)[0] for sign in (1, -1))
        assert gradient[place] == pytest.approx((up - down) / 2e-6, abs=1e-8)


# --- the largest margin


def test_the_largest_margin_of_points_whose_answer_is_known() -> None:
    # (1, 0) and (0, 1) on the same side: the best direction is the diagonal, at the distance 1 / sqrt 2.
    assert still.largest_margin(np.eye(2)) == pytest.approx(math.sqrt(0.5))
    more = np.array([[1.0, 0.0], [0.0, 1.0], [3.0, 3.0]])
    assert still.largest_margin(more) == pytest.approx(math.sqrt(0.5))
    assert still.largest_margin(np.array([[2.0, 0.5], [2.0, -0.5]])) == pytest.approx(2)


@pytest.mark.parametrize("pair", still.PAIRS)
def test_no_direction_has_a_larger_margin(pair: tuple[int, int]) -> None:
    examples = still.signed_examples(*pair)
    best = still.largest_margin(examples)
    generator = np.random.default_rng(0)
    weights = still.margin_path(examples, np.array([2000]), 0.3, divide=True)
    assert weights[-1] < best
    assert weights[-1] > 0.98 * best
    drawn = generator.standard_normal((500, examples.shape[1]))
    assert (drawn @ examples.T).min(-1).max() < best


def test_margins_approach_the_largest_slowly_and_faster() -> None:
    shown = numbers("max-margin")
    assert np.all(shown.constant < 1)
    assert np.all(shown.fast < 1)
    assert np.all((shown.constant[:, -1] > 0.86) & (shown.constant[:, -1] < 0.92))
    assert np.all(shown.fast[:, -1] > 0.97)
    late = shown.steps > 100
    assert np.all(np.diff(shown.constant[:, late]) > 0)
    # Logarithmic: what is missing shrinks by far less than half from step 3000 to 30,000.
    early = np.array([np.interp(np.log(3000), np.log(shown.steps), path) for path in shown.constant])
    assert np.all((1 - shown.constant[:, -1]) / (1 - early) > 0.6)


# --- calibration


def test_a_temperature_makes_confidence_honest_and_smoothing_makes_it_modest() -> None:
    shown = numbers("calibration")
    gap = (shown.confidence - shown.accuracy).mean(-1)
    assert gap[0] > 0.015
    assert abs(gap[1]) < 0.008
    assert gap[2] < -0.1
    low, high = shown.spread[1]
    inside = (shown.confidence[1] >= low - 0.003) & (shown.confidence[1] <= high + 0.003)
    assert inside.sum() >= 8
    assert shown.likelihood[1] < shown.likelihood[0] < shown.likelihood[2]
    assert calibration.TEMPERATURES[0] < 1 < shown.temperature < 2


def test_a_temperature_is_found_again() -> None:
    generator = np.random.default_rng(0)
    logits = 2 * generator.standard_normal((2, 4000, 3))
    probabilities = objective.softmax(logits)
    labels = (generator.random((2, 4000, 1)) > probabilities.cumsum(-1)).sum(-1).clip(max=2)
    assert calibration.best_temperature(logits * 2.5, labels) == pytest.approx([2.5, 2.5], rel=0.08)
    assert calibration.best_temperature(logits, labels) == pytest.approx([1, 1], rel=0.08)


def test_the_loss_of_smoothed_labels_has_its_gradient() -> None:
    generator = np.random.default_rng(0)
    logits, labels = generator.standard_normal((3, 10)), generator.integers(0, 10, 3)
    loss, gradient = calibration.smoothed(0.1)(logits, labels)
    hard, _ = calibration.smoothed(0.0)(logits, labels)
    assert hard == pytest.approx(float(objective.cross_entropy(logits, labels)))
    uniform = -objective.log_softmax(logits).mean()
    assert loss == pytest.approx(0.9 * hard + 0.1 * uniform)
    shift = np.zeros_like(logits)
    shift[1, 4] = 1e-6
    up, down = (calibration.smoothed(0.1)(logits + sign * shift, labels)[0] for sign in (1, -1))
    assert gradient[1, 4] == pytest.approx((up - down) / 2e-6, abs=1e-8)
