"""The numbers behind the figures of the dropout chapter, against theory and against print.

Numbers of the whole experiment come from the cache of the press; what is quick is measured here at another size.
"""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest

from dlnotes.book import drawing, layout
from dlnotes.figures import dropout as figures
from dlnotes.figures import dropout_statistics as shift
from dlnotes.figures import dropout_training as digits
from dlnotes.numpy import dropout, gradient_checking, network, objective

SMALL = {
    "rates": {"widths": (2, 4), "examples": 40, "steps": 20, "seeds": 2},
    "removed": {"units": 10, "examples": 40, "steps": 20, "seeds": 2},
    "variance-shift": {"width": 4, "examples": 40, "steps": 20, "seeds": 2},
    "uncertainty": {"steps": 10, "passes": 2, "sets": 2},
}


@functools.cache
def numbers(name: str) -> tuple:
    """The numbers of a figure as the book shows it."""
    return drawing.numbers(layout.find(), drawing.Figure("dropout", name))


# --- the networks


def doubled(parameters):
    return {name: value.astype(np.float64) for name, value in parameters.items()}


def test_the_gradient_under_masks_is_that_of_the_loss():
    generators = digits.own_generators(2, 3, 0)
    params = network.initialize((5, 4, 3, 3), generators, runs=(2,))
    params = {name: value + 0.1 for name, value in params.items()}  # so that no unit stands on its kink
    x, labels = np.random.default_rng(0).normal(size=(2, 6, 5)), np.array([[0, 1, 2] * 2, [2, 0, 1] * 2])
    factors = [digits.multipliers((6, width), generators, 0.4).astype(float) for width in (4, 3)]
    _, grads = digits.loss_and_gradient(params, x, labels, factors)
    assert set(np.unique(factors[0]).round(6)) == {0, round(1 / 0.6, 6)}
    for name, value in params.items():

        def total(moved, name=name):
            return objective.cross_entropy(digits.run({**params, name: moved}, x, factors).logits, labels).sum()

        found = gradient_checking.numerical_gradient(total, value, batched=False)
        np.testing.assert_allclose(grads[name], found, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("place", shift.PLACES)
def test_the_gradient_beside_batch_norm_is_that_of_the_loss(place):
    params = doubled(shift.start(4, 2, 0))
    x, labels = np.random.default_rng(1).normal(size=(2, 8, 64)), np.tile(np.arange(8), (2, 1))
    factor = digits.multipliers((8, 4), digits.own_generators(2, 5, 0), 0.5).astype(float)
    _, grads = shift.loss_and_gradient(params, x, labels, place, factor)
    for name, value in params.items():
        if name == "0.weight":
            continue  # 512 numbers, and the layer behind it is checked

        def total(moved, name=name):
            return objective.cross_entropy(shift.run({**params, name: moved}, x, place, factor).logits, labels).sum()

        found = gradient_checking.numerical_gradient(total, value, batched=False)
        np.testing.assert_allclose(grads[name], found, rtol=1e-4, atol=1e-7)


def test_with_one_seed_batches_and_starts_are_the_same_at_every_rate():
    given = digits.task(40, 2, 0)
    without, tiny = (digits.fit(given, (64, 4, 10), p, steps=3, seed=0) for p in (0.0, 1e-12))
    for name, value in without.parameters.items():
        np.testing.assert_array_equal(value, tiny.parameters[name])
    np.testing.assert_array_equal(without.order, tiny.order)


def test_wrong_labels_are_as_many_as_said():
    right, wrong = digits.task(200, 3, 0), digits.task(200, 3, 0, wrong=0.2)
    np.testing.assert_array_equal(right.inputs, wrong.inputs)
    assert ((right.labels != wrong.labels).sum(-1) == 40).all()


# --- rates


@functools.cache
def fitted(units: int, wrong: float, p: float) -> tuple[digits.Task, tuple]:
    """Train as for the figure, at one rate of dropout."""
    given = digits.task(250, 5, 0, wrong=wrong)
    return given, digits.fit(given, (64, units, 10), p, steps=400, seed=0, every=40, batch=25)


def gain(units: int, wrong: float, p: float, measurement: int = -1) -> tuple[float, float]:
    """Give by how much dropout changes the error, paired by seed, and the standard error of that."""
    off, on = (fitted(units, wrong, each)[1].measures["error"][:, measurement] for each in (0.0, p))
    return (on - off).mean(), (on - off).std(ddof=1) / np.sqrt(5)


def test_the_large_network_gains_on_wrong_labels_only():
    shown = numbers("rates")
    assert shown.steps.tolist() == [40, 400]
    assert shown.errors[1, 1, 1, 1, [0, 2]] == pytest.approx([0.17, 0.12], abs=0.005)
    assert gain(64, 0.2, 0.5) == pytest.approx((-0.047, 0.006), abs=0.001)
    assert gain(64, 0.0, 0.5) == pytest.approx((0.004, 0.003), abs=0.001)
    for wrong in (0.0, 0.2):  # few steps
        assert gain(64, wrong, 0.5, 1)[0] == pytest.approx(0.04, abs=0.005)
    given, done = fitted(64, 0.0, 0.0)
    assert digits.error(done.parameters, given.inputs, given.labels).max() < 0.005


def learned(given: digits.Task, parameters: dict) -> float:
    """Give the share of the wrong labels that networks have learned by heart."""
    true = digits.task(250, len(given.inputs), 0)
    answers = digits.run(parameters, given.inputs).logits.argmax(-1)
    return (answers == given.labels)[given.labels != true.labels].mean()


def test_dropout_delays_what_is_learned_by_heart():
    shares = [learned(given, done.parameters) for given, done in (fitted(64, 0.2, p) for p in (0.0, 0.5))]
    assert shares == pytest.approx([0.40, 0.17], abs=0.005)
    given = digits.task(250, 2, 0, wrong=0.2)
    assert learned(given, digits.fit(given, (64, 64, 10), 0.5, steps=5000, seed=0, batch=25).parameters) > 0.98


def test_with_right_labels_the_large_network_gains_after_three_times_the_steps():
    gains = []
    for seed in range(3):  # each with other digits to test on
        given = digits.task(250, 8, seed)
        off, on = (
            digits.fit(given, (64, 64, 10), p, steps=1200, seed=seed, batch=25).measures["error"][:, -1]
            for p in (0.0, 0.25)
        )
        gains.extend(off - on)
    assert [np.mean(gains), np.std(gains, ddof=1) / np.sqrt(24)] == pytest.approx([0.004, 0.001], abs=5e-4)


def test_the_gap_does_not_tell_who_gains():
    gaps, gains = {}, {}
    for case in ((64, 0.0), (64, 0.2), (8, 0.0), (8, 0.2)):
        given, done = fitted(*case, 0.0)
        at_training = digits.error(done.parameters, given.inputs, given.labels)
        gaps[case] = (done.measures["error"][:, -1] - at_training).mean()
        gains[case] = gain(*case, 0.5)[0]
    assert [*gaps.values()] == pytest.approx([0.06, 0.036, 0.11, 0], abs=0.004)
    assert [case for case, change in gains.items() if change < 0] == [(64, 0.2)]


def test_a_small_rate_pays_in_a_small_network_after_many_steps():
    given = digits.task(250, 5, 0, wrong=0.2)
    off, on = (
        digits.fit(given, (64, 8, 10), p, steps=1200, seed=0, batch=25, every=400).measures["error"] for p in (0.0, 0.1)
    )
    mean, error = (on - off).mean(0), (on - off).std(0, ddof=1) / np.sqrt(5)
    assert [mean[1], error[1]] == pytest.approx([0.003, 0.006], abs=0.001)
    assert [mean[-1], error[-1]] == pytest.approx([-0.022, 0.006], abs=0.001)


def test_the_small_network_loses():
    assert [gain(8, wrong, 0.5)[0] for wrong in (0.0, 0.2)] == pytest.approx([0.09, 0.21], abs=0.005)
    middle = numbers("rates").errors[:, 0, 1, 1]
    assert (middle[:, 1:] > middle[:, :1]).all()


def test_the_gain_is_there_at_another_rate_and_width():
    given = digits.task(250, 2, 1, wrong=0.2)
    off, on = (
        digits.fit(given, (64, 128, 10), p, rate=0.3, steps=400, seed=1, batch=25).measures["error"][:, -1]
        for p in (0.0, 0.5)
    )
    assert (on < off - 0.01).all()


def test_weight_decay_does_as_well():
    given = digits.task(250, 3, 0, wrong=0.2)
    settings = ({"p": 0.0, "decay": decay} for decay in (0.05, 0.1))
    trained = [digits.fit(given, (64, 64, 10), steps=400, seed=0, batch=25, **each) for each in settings]
    best, strong = (each.measures["error"][:, -1] for each in trained)
    plain, dropped = (fitted(64, 0.2, p)[1].measures["error"][:3, -1] for p in (0.0, 0.5))  # the same three seeds
    assert [each.mean() for each in (plain, dropped, best)] == pytest.approx([0.165, 0.116, 0.113], abs=0.003)
    assert best.mean() < strong.mean()
    difference = dropped - best
    spread = difference.std(ddof=1) / np.sqrt(3)
    assert [difference.mean(), spread] == pytest.approx([0.003, 0.004], abs=0.001)


def test_after_three_times_the_steps_both_have_gone_up():
    given = digits.task(250, 5, 0, wrong=0.2)
    trained = [digits.fit(given, (64, 64, 10), p, steps=1200, seed=0, batch=25, every=400) for p in (0.0, 0.5)]
    off, on = (each.measures["error"].mean(0) for each in trained)
    assert [learned(given, each.parameters) for each in trained] == pytest.approx([0.98, 0.62], abs=0.005)
    assert [off[1], on[1]] == pytest.approx([0.162, 0.115], abs=0.002)
    assert [off[-1], on[-1]] == pytest.approx([0.206, 0.134], abs=0.002)


@pytest.mark.parametrize(
    ("steps", "masks", "errors", "losses"),
    [(150, 100, [0.123, 0.128], [0.54, 0.78]), (4000, 40, [0.061, 0.061], [0.32, 0.24])],
)
def test_one_pass_and_the_mean_over_masks_with_two_hidden_layers(steps, masks, errors, losses):
    given, generators = digits.task(250, 4, 0), digits.own_generators(4, 0, 9)
    params = digits.fit(given, (64, 64, 64, 10), 0.5, steps=steps, seed=0, batch=25).parameters
    x, labels, total = given.test_inputs, given.test_labels, 0
    for _ in range(masks):
        factors = [digits.multipliers((len(x), 64), generators, 0.5) for _ in range(2)]
        total = total + objective.softmax(digits.run(params, x, factors).logits)
    assert [digits.error(params, x, labels).mean(), (total.argmax(-1) != labels).mean()] == pytest.approx(
        errors, abs=0.002
    )
    right = total[:, np.arange(len(x)), labels] / masks
    assert [digits.loss(params, x, labels).mean(), -np.log(right).mean()] == pytest.approx(losses, abs=0.006)


def test_passes_over_few_images_decide():
    for images, change, error in ((1000, 0.042, 0.009), (50, -0.021, 0.006)):
        given = digits.task(images, 10, 0, wrong=0.2)
        off, on = (
            digits.fit(given, (64, 64, 10), p, steps=100, batch=10, seed=0).measures["error"][:, -1] for p in (0.0, 0.5)
        )
        found = [(on - off).mean(), (on - off).std(ddof=1) / np.sqrt(10)]
        assert found == pytest.approx([change, error], abs=0.002)


# --- removing units


def test_removing_half_of_the_units():
    shown = numbers("removed")
    half = shown.errors[:, 1, 2]
    assert half == pytest.approx([0.33, 0.30, 0.10], abs=0.005)
    assert np.ptp(shown.errors[:, 1, 0]) < 0.01  # the same before


def test_the_parts_of_the_units():
    tenth = numbers("removed").lorenz[:, :, 5]
    assert tenth[0] == pytest.approx([0.47, 0.53], abs=0.005)
    assert tenth[1] == pytest.approx([0.46, 0.47], abs=0.005)
    assert tenth[2] == pytest.approx([0.33, 0.32], abs=0.005)
    assert numbers("removed").lorenz[:, :, -1] == pytest.approx(1)


def changes_of_removals(units: int, p: float, wrong: float = 0.0, **settings) -> np.ndarray:
    given = digits.task(250, 5, 0, wrong=wrong)
    params = digits.fit(given, (64, units, 10), p, seed=0, batch=25, **settings).parameters
    return digits.single_removals(params, given.test_inputs, given.test_labels)


@pytest.mark.parametrize(
    ("units", "settings", "off", "on"),
    [
        (64, {"steps": 10}, 0.43, 0.37),
        (64, {"steps": 400, "rate": 0.3}, 0.57, 0.35),
        (64, {"steps": 400, "wrong": 0.2}, 0.46, 0.29),
        (16, {"steps": 400}, 0.39, 0.27),
    ],
)
def test_units_are_more_alike_with_dropout_elsewhere_too(units, settings, off, on):
    parts = (digits.parts_of_change(changes_of_removals(units, p, **settings)) for p in (0.0, 0.5))
    tenth = [np.median(each[:, round(units / 10) - 1]) for each in parts]
    assert tenth == pytest.approx([off, on], abs=0.006)


def test_single_units_hardly_matter_after_dropout():
    assert np.abs(changes_of_removals(64, 0.0, steps=2000)).mean() == pytest.approx(0.0173, abs=5e-4)
    changes = changes_of_removals(64, 0.5, steps=2000)
    assert np.abs(changes).mean() == pytest.approx(0.0034, abs=5e-4)
    assert (changes < 0).mean() == pytest.approx(0.42, abs=0.01)


def test_parts_of_change_are_sorted_and_count_falls_by_their_size():
    parts = digits.parts_of_change(np.array([1.0, -4.0, 3.0, 0.0]))
    assert parts.tolist() == [0.5, 0.875, 1, 1]


def test_a_single_removal_is_a_forward_pass_without_the_unit():
    given = digits.task(40, 2, 0)
    params = digits.fit(given, (64, 6, 10), 0.0, steps=20, seed=0).parameters
    rises = digits.single_removals(params, given.test_inputs, given.test_labels)
    cut = {name: value.copy() for name, value in params.items()}
    cut["2.weight"][..., 2] = 0
    difference = digits.loss(cut, given.test_inputs, given.test_labels) - digits.loss(
        params, given.test_inputs, given.test_labels
    )
    np.testing.assert_allclose(rises[:, 2], difference, atol=1e-5)


# --- batch norm


def test_the_shift_is_the_formulas():
    shown = numbers("variance-shift")
    np.testing.assert_allclose(shown.ratios[:, 1], shown.predicted, atol=0.004)
    assert shown.ratios[0, 1] == pytest.approx([0.86, 0.70, 0.50], abs=0.006)
    assert shown.ratios[1, 1] == pytest.approx([0.88, 0.77, 0.60], abs=0.006)


def test_what_the_shift_does():
    shown = numbers("variance-shift")
    assert (shown.losses[0, 0] > 0).all()
    assert shown.losses[0, 1, 1] == pytest.approx(0.14, abs=0.005)
    assert np.abs(shown.losses[1, 1]).max() < 0.03
    assert (shown.losses[1, 1, :2] < 0).all()
    assert shown.losses[1, 1, 1] == pytest.approx(-0.01, abs=0.005)


@pytest.mark.parametrize(("steps", "one_number", "errors"), [(100, 0.13, [0.126, 0.09]), (1000, -0.01, [0.051, 0.052])])
def test_where_dropout_stands_beside_batch_norm(steps, one_number, errors):
    given = digits.task(250, 4, 0)
    params = shift.fit(given, 48, 0.5, "before", rate=0.1, steps=steps, seed=0)
    kept, anew = (
        shift.predict(params, given.test_inputs, each.kept) for each in shift.with_and_without(params, given, 0.5, 0)
    )
    wrong = [(each.argmax(-1) != given.test_labels).mean() for each in (kept, anew)]
    assert abs(wrong[0] - wrong[1]) < 0.01
    hidden = shift.run(params, given.inputs, "before", None).inputs[1]
    own = hidden.var(-2) / (hidden.var(-2) + np.square(hidden).mean(-2))  # dropped, with no layer between
    assert np.nanmean(np.sqrt(own)) == pytest.approx(0.64, abs=0.006)
    assert (np.abs(kept) < np.abs(anew)).mean() == pytest.approx(0.93, abs=0.005)
    factor = (kept * anew).sum((-2, -1), keepdims=True) / np.square(anew).sum((-2, -1), keepdims=True)
    scaled, right = (objective.cross_entropy(each, given.test_labels) for each in (anew * factor, anew))
    assert (scaled - right).mean() == pytest.approx(one_number, abs=0.005)
    params = shift.fit(given, 48, 0.5, "after", rate=0.1, steps=steps, seed=0)
    on, off = (
        shift.statistics(params, given.inputs, 0.5, "after", draws, digits.own_generators(4, 0, 4)).kept
        for draws in (1, 0)
    )
    np.testing.assert_allclose(on[1].variance, off[1].variance, rtol=1e-5)
    logits = shift.predict(params, given.test_inputs, on)
    after = (logits.argmax(-1) != given.test_labels).mean()
    assert [wrong[0], after] == pytest.approx(errors, abs=0.005)
    losses = [objective.cross_entropy(each, given.test_labels).mean() for each in (logits, kept, anew)]
    if steps == 100:
        assert losses == pytest.approx([0.38, 0.58, 0.44], abs=0.006)


# --- uncertainty


def test_the_spread_over_masks_does_not_shrink():
    shown = numbers("uncertainty")
    np.testing.assert_allclose(shown.masks, shown.masks_by_formula, rtol=0.02)
    assert np.ptp(shown.masks) < 0.15
    assert shown.exact[[0, -1]] == pytest.approx([1, 0.07], abs=0.02)
    np.testing.assert_allclose(shown.exact[1:] * np.sqrt(shown.examples[1:]), np.sqrt(10), rtol=0.1)


def test_unseen_classes():
    shown = numbers("uncertainty")
    plain, off, masks, mutual, team = shown.found
    assert np.abs(masks - off).max() < 0.01
    assert (off > plain + 0.005).all()
    assert (off < plain + 0.04).all()
    assert (mutual < off).all()
    assert (team > masks).sum() == 2
    plain, off, masks, _, team = figures.unseen_classes((8, 9), 0.5, 400, 5, 0)[1]
    assert team < min(plain, off) < max(plain, off) < masks


@pytest.mark.parametrize(("split", "better"), [(1, 3), (2, 2)])
def test_unseen_classes_in_other_splits(split, better):
    for pair in figures.PAIRS:
        (_, off, masks, _, team), losses = figures.unseen_classes(pair, 0.5, 400, 20, split)
        assert abs(masks - off) < 0.01
        assert max(losses) == losses[2]
        better -= team > masks
    assert better == 0


def test_after_ten_times_the_steps_the_mean_over_masks_has_the_better_likelihood():
    plain, off, masks, _, team = figures.unseen_classes((8, 9), 0.5, 4000, 20, 0)[1]
    assert [off, masks, team] == pytest.approx([0.148, 0.129, 0.129], abs=0.003)
    assert masks < plain


def test_the_area_is_the_chance_of_a_right_order():
    generator = np.random.default_rng(0)
    high, low = generator.integers(0, 6, 30), generator.integers(0, 5, 40)
    pairs = [(a > b) + 0.5 * (a == b) for a, b in itertools.product(high, low)]
    assert figures.auroc(high, low) == pytest.approx(np.mean(pairs))


def test_ridge_of_dropout_minimizes_the_mean_over_all_masks():
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(12, 3)), generator.normal(size=12)
    w = figures.ridge_of_dropout(x, y, 0.4)

    def cost(w):
        total = 0
        for mask in itertools.product([False, True], repeat=3):
            masks = np.broadcast_to(np.array(mask), x.shape)
            chance = np.prod(np.where(mask, 0.6, 0.4))
            total += chance * ((dropout.dropout(x, masks, 0.4) @ w - y) ** 2).mean()
        return total

    # The masks of examples are independent, but a mean over examples does not see that.
    slopes = gradient_checking.numerical_gradient(cost, w, batched=False)
    assert np.abs(slopes).max() < 1e-8
