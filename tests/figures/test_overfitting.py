"""The numbers behind the figures of the chapter on overfitting, against theory and against print.

Numbers of the whole experiment come from the cache of the press; what is quick is measured here at another size.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

from dlnotes import datasets
from dlnotes.book import drawing, layout
from dlnotes.figures import overfitting as figures
from dlnotes.figures import overfitting_networks as networks
from dlnotes.figures import overfitting_training as learning
from dlnotes.numpy import network, objective, overfitting

SMALL = {
    "capacity": {"rows": 20, "features": 100, "sets": 8},
    "stopping": {"steps": 100, "points": 30},
    "remedies": {"examples": 40, "width": 4, "steps": 20, "seeds": 2, "tuning": 2},
    "signs": {"examples": 40, "width": 4, "steps": 60, "seeds": 2},
    "more-data": {"width": 4, "steps": 40, "seeds": 2},
}


@functools.cache
def numbers(name: str) -> tuple:
    """The numbers of a figure as the book shows it."""
    return drawing.numbers(layout.find(), drawing.Figure("overfitting", name))


# --- bias and variance


def test_measured_parts_lie_on_the_formulas() -> None:
    shown = numbers("capacity")
    weights = figures.harmonic_weights(200)
    expected = figures.expected_parts(weights, shown.used, 40, 0.3)
    clear = abs(shown.used - 40) > 5  # beside the peak the spread of the sample is large
    np.testing.assert_allclose(shown.variance[clear], expected.variance[clear], rtol=0.2)
    np.testing.assert_allclose(shown.bias_squared, expected.bias_squared, rtol=0.15, atol=0.005)


@pytest.mark.parametrize(("used", "examples"), [(5, 12), (40, 15)])
def test_the_formulas_at_another_size(used: int, examples: int) -> None:
    weights = np.random.default_rng(1).standard_normal(60) / 8
    expected = figures.expected_parts(weights, np.array([used]), examples, 0.5)
    found = figures.measured_parts(weights, used, examples, 0.5, 0.0, 4000, np.random.default_rng(0))
    np.testing.assert_allclose(found, [expected.bias_squared[0], expected.variance[0]], rtol=0.06, atol=0.01)


def test_the_variance_is_infinite_at_the_peak_and_only_there() -> None:
    used = np.arange(30, 51)
    variance = figures.expected_parts(figures.harmonic_weights(200), used, 40, 0.3).variance
    np.testing.assert_array_equal(np.isinf(variance), abs(used - 40) <= 1)


def test_numbers_of_the_page_on_variance() -> None:
    weights = figures.harmonic_weights(200)
    used = np.array([10, 38, 80, 200])
    parts = figures.expected_parts(weights, used, 40, 0.3)
    np.testing.assert_allclose(parts.bias_squared, [0.055, 0.013, 0.25, 0.64], atol=0.005)
    np.testing.assert_allclose(parts.variance, [0.050, 3.9, 0.35, 0.18], rtol=0.02)
    assert figures.expected_parts(weights, used[:1], 400, 0.3).variance[0] == pytest.approx(0.0037, abs=5e-5)
    errors = sum(figures.expected_parts(weights, np.arange(1, 39), 40, 0.3))
    assert (1 + errors.argmin(), round(errors.min(), 2)) == (11, 0.10)  # without ridge
    strengths = [figures.best_strength(weights, p, 40, 0.3) for p in (10, 200)]
    assert [round(strength, 3) for strength in strengths] == [0.038, 0.45]


@pytest.mark.parametrize("used", [5, 20, 60])
def test_no_other_strength_is_better_than_the_best(used: int) -> None:
    weights = figures.harmonic_weights(80)
    best = figures.best_strength(weights, used, 20, 0.3)
    errors = [
        sum(figures.measured_parts(weights, used, 20, 0.3, factor * best, 1000, np.random.default_rng(0)))
        for factor in (0.5, 1, 2)
    ]
    assert errors[1] < min(errors[0], errors[2])


def test_ridge_has_no_peak() -> None:
    shown = numbers("capacity")
    assert shown.used[shown.ridged.argmin()] == 12
    after = shown.ridged[shown.used >= 12]
    assert (np.diff(after) > 0).all()
    assert shown.ridged.max() <= 1.02  # at most the length of the weights, squared
    plain = shown.bias_squared + shown.variance
    assert plain[np.abs(shown.used - 40) <= 3].min() > 3 * shown.ridged[np.abs(shown.used - 40) <= 3].max()


def test_the_second_descent_of_random_units_is_worth_something_and_that_of_normal_features_is_not() -> None:
    shown = numbers("capacity")
    middle = shown.shortest[1]
    assert shown.widths[middle.argmax()] == 40
    assert middle[shown.widths == 40][0] / middle[0] == pytest.approx(27, abs=4)
    assert [round(value, 2) for value in (middle[shown.widths < 40].min(), middle[-1])] == [0.49, 0.35]
    assert shown.widths[-1] == 640
    assert shown.tuned[1].max() < 0.55
    plain = shown.bias_squared + shown.variance
    assert plain[shown.used > 40].min() > 3 * plain[shown.used < 40].min()


def test_chosen_strengths_of_random_units_lie_between_the_ends() -> None:
    assert tuple(sorted(figures.STRENGTHS)) == figures.STRENGTHS
    shown = numbers("capacity")
    assert (shown.tuned[1, 2:] < shown.shortest[1, 2:]).all()  # from 8 units on


# --- early stopping beside ridge


def test_the_filters_differ_by_at_most_a_fifth() -> None:
    shown = numbers("stopping")
    gap = shown.stopped - shown.ridge
    assert gap.max() == pytest.approx(0.2036, abs=2e-4)
    assert shown.products[gap.argmax()] == pytest.approx(2.513, abs=0.06)
    u = 2.513
    assert (1 + u) ** 2 == pytest.approx(math.exp(u), rel=1e-3)
    assert [round(value, 3) for value in (1 - math.exp(-u), u / (1 + u))] == [0.919, 0.715]
    assert (shown.stopped > shown.ridge).all()


def test_the_ways_to_the_minimum() -> None:
    shown = numbers("stopping")
    assert shown.heavy[0].max() == pytest.approx(1.48, abs=0.005)
    for way in (shown.path, shown.ridge_path):
        assert way.max() <= 1
        np.testing.assert_array_equal(way[:, 0], 0)
    # A loop of descent, and the place of ridge from its equation.
    w, curvatures = np.zeros(2), np.array([1.0, 0.1])
    for _ in range(10):
        w = w - 0.05 * curvatures * (w - 1)
    assert np.abs(shown.path - w[:, None]).sum(0).min() < 1e-12
    strength = 1 / (0.05 * 10)
    assert np.abs(shown.ridge_path - (curvatures / (curvatures + strength))[:, None]).sum(0).min() < 1e-12


def test_numbers_of_the_page_on_stopping() -> None:
    assert math.exp(-20) == pytest.approx(2e-9, rel=0.05)
    assert pytest.approx(0.048, abs=5e-4) == 1 / 21
    equal = [h / ((1 - 0.1 * h) ** -20.0 - 1) for h in (1e-9, 0.1, 1)]
    np.testing.assert_allclose(equal, [0.5, 0.449, 0.138], atol=6e-4)


def test_the_share_of_mistakes_has_no_such_parts() -> None:
    def normal(x: float) -> float:
        return (1 + math.erf(x / math.sqrt(2))) / 2

    assert [round(normal(1 / math.sqrt(v)), 2) for v in (1, 10)] == [0.84, 0.62]


# --- how the networks are trained


@pytest.mark.parametrize("hidden", [[5], []])
def test_the_gradient_is_that_of_the_kernel(hidden: list[int]) -> None:
    generator = np.random.default_rng(0)
    params = network.initialize([64, *hidden, 10], generator)
    x, labels = generator.standard_normal((7, 64)), generator.integers(0, 10, 7)
    found = networks.gradient(params, x, np.eye(10)[labels], np.ones((7, 5)))
    for name, wanted in network.loss_and_gradient(params, x, labels).gradient.items():
        np.testing.assert_allclose(found[name], wanted, rtol=1e-10, atol=1e-14)


def test_a_plain_run_is_that_of_a_plain_loop() -> None:
    remedy, seed = networks.Remedy(examples=50, width=6, decay=0.01), 7
    course = networks.train([(remedy, 3), (remedy, seed)], steps=20, rate=0.3)
    sets = networks.deal_digits(50, seed)
    params = network.initialize([64, 6, 10], np.random.default_rng([seed, networks.STARTS]), dtype=np.float32)
    shuffle = np.random.default_rng([seed, networks.BATCHES])
    rows = np.concatenate([shuffle.permutation(50) for _ in range(10)]).reshape(20, 25)
    for batch in rows:
        grads = network.loss_and_gradient(params, sets.inputs[batch], sets.labels[batch]).gradient
        decay = {name: 0.01 * p if name.endswith("weight") else 0 for name, p in params.items()}
        params = {name: p - np.float32(0.3) * (grads[name] + decay[name]) for name, p in params.items()}
    wanted = network.loss_and_gradient(params, sets.held_out, sets.held_out_labels).loss
    assert course.loss[1, 0] == pytest.approx(float(wanted), rel=1e-4)


def test_runs_of_one_seed_share_training_set_start_and_batches() -> None:
    small, large = networks.deal_digits(50, 3), networks.deal_digits(200, 3, false=0.2)
    np.testing.assert_array_equal(small.inputs, large.inputs[:50])
    np.testing.assert_array_equal(small.held_out, large.held_out)
    true = networks.deal_digits(200, 3).labels
    assert (true != large.labels).mean() == pytest.approx(0.2, abs=0.08)
    assert (true != networks.deal_digits(200, 3, false=1.0).labels).mean() == pytest.approx(0.9, abs=0.08)
    rows = {tuple(row) for row in networks.deal_digits(900, 3).inputs.tolist()}
    assert len(rows & {tuple(row) for row in small.held_out.tolist()}) <= 3  # doubles in the data themselves
    plain, dropped = networks.Remedy(50, 6), networks.Remedy(50, 6, drop=0.5, smoothing=0.1)
    first, second = (networks.steps_of(one, 3, small, 4, 25) for one in (plain, dropped))
    np.testing.assert_array_equal(first.inputs, second.inputs)
    assert set(np.unique(second.kept)) == {0.0, 2.0}
    assert len(datasets.digits().targets) >= 800 + networks.HELD_OUT


# --- remedies


def row(name: str) -> int:
    return list(learning.STRENGTHS).index(name)


FIVE = ("weight decay", "cutout", "mixup", "dropout", "label smoothing")


def test_more_data_helped_most_in_the_figure() -> None:
    shown = numbers("remedies")
    assert (shown.difference.argmin(1) == row("4 × the data")).all()
    np.testing.assert_allclose(shown.plain, [7.8, 23.4], atol=0.06)
    np.testing.assert_allclose(shown.plain + shown.difference[:, row("4 × the data")], [4.2, 8.6], atol=0.06)


def test_what_the_remedies_take_away_hangs_on_the_labels() -> None:
    shown = numbers("remedies")
    true, false = shown.difference
    for name in FIVE:
        assert -9 < false[row(name)] < -6
        assert shown.interval[1, row(name), 1] < 0
        assert true[row(name)] > -0.5
    wanted = {"mixup": 7.9, "cutout": 8.3, "weight decay": 7.7, "label smoothing": 7.2, "dropout": 6.4}
    wanted |= {"stopped early": 5.0, "wider": 2.2, "no hidden layer": 4.4}
    np.testing.assert_allclose([-false[row(name)] for name in wanted], list(wanted.values()), atol=0.06)


def test_a_narrower_network_did_not_help_and_shifts_harm() -> None:
    shown = numbers("remedies")
    assert (shown.difference[:, row("narrower")] > 0).all()
    assert (shown.chosen[:, row("narrower")] == 0.75).all()
    assert shown.interval[0, row("no hidden layer"), 1] > 0
    others = [row(name) for name in learning.STRENGTHS if name not in ("4 × the data", "shifts")]
    assert abs(shown.difference[0, others]).max() < 0.6
    assert shown.difference[0, row("shifts")] == pytest.approx(8, abs=0.5)


def test_the_chosen_strengths() -> None:
    shown = numbers("remedies")
    chosen = {name: shown.chosen[1, row(name)] for name in FIVE}
    assert chosen == {"weight decay": 0.03, "cutout": 5, "mixup": 8, "dropout": 0.4, "label smoothing": 0.5}
    assert shown.chosen[1, row("stopped early")] == 100
    for name, strength in chosen.items():  # inside the grid
        strengths = learning.STRENGTHS[name][1]
        assert strengths[0] < strength < strengths[-1]
    least = [name for name in FIVE if shown.chosen[0, row(name)] == learning.STRENGTHS[name][1][0]]
    assert least == ["mixup", "dropout", "label smoothing"]  # as the page says


# --- signs, and more data


def test_losses_turn_upward_and_the_error_only_with_false_labels() -> None:
    shown = numbers("signs")
    true, false = shown.loss[:, 1]
    least = [int(true.argmin()), int(false.argmin())]
    assert shown.steps[least[0]] == 200
    assert [round(value, 2) for value in (true.min(), true[-1])] == [0.26, 0.31]
    assert [round(value, 1) for value in (shown.error[0, 1, least[0]], shown.error[0, 1, -1])] == [8.1, 7.9]
    early = shown.error[1, 1, (shown.steps >= 50) & (shown.steps <= 300)]
    assert [round(value) for value in (early.mean(), shown.error[1, 1, -1])] == [18, 22]
    assert false[-1] > 1.5 * false.min()
    np.testing.assert_array_equal(shown.training_error[:, -1], 0)


def test_more_data_help_at_equally_many_updates() -> None:
    shown = numbers("more-data")
    np.testing.assert_allclose(shown.few[1, [0, -1]], [19, 4], atol=0.6)
    np.testing.assert_allclose(shown.many[1, [0, -1]], [19, 4], atol=0.6)
    assert (shown.updates[-3], shown.updates[-1]) == (400, 1600)
    assert [round(value) for value in shown.course[0, 1, [0, -1]]] == [23, 19]
    np.testing.assert_array_equal(shown.fitted, 0)


@pytest.mark.parametrize("rate", [0.1, 0.3])
def test_one_tanh_unit_stays_high(rate: float) -> None:
    digits, ends = datasets.digits(), []
    x, y = (digits.inputs[:50] - 8) / 8, digits.targets[:50]
    params = network.initialize([64, 1, 10], np.array([np.random.default_rng(seed) for seed in range(6)]), runs=(6,))
    for _ in range(600):
        loss, grads = network.loss_and_gradient(params, np.broadcast_to(x, (6, 50, 64)), np.tile(y, (6, 1)), "tanh")
        params = {name: p - rate * grads[name] for name, p in params.items()}
        ends.append(loss)
    assert 1.4 < ends[-1].min() < ends[-1].max() < 1.7


def test_patience_counts_measurements() -> None:
    seeds, runs = range(100, 124), np.arange(24)
    x, labels, third, true = (
        np.stack(part) for part in zip(*(networks.deal_digits(500, seed, 0.2) for seed in seeds), strict=True)
    )
    starts, batches = (
        np.array([np.random.default_rng([seed, use]) for seed in seeds]) for use in (networks.STARTS, networks.BATCHES)
    )
    params = network.initialize([64, 32, 10], starts, runs=(24,), dtype=np.float32)
    losses, errors = {}, {}
    for step in range(1, 1001):
        if step % 8 == 1:
            order = np.stack([batch.permutation(200) for batch in batches]).reshape(24, 8, 25)
        rows = runs[:, None], order[:, (step - 1) % 8]
        grads = network.loss_and_gradient(params, x[rows], labels[rows]).gradient
        params = {name: p - np.float32(0.2) * grads[name] for name, p in params.items()}
        if step % 10 == 0 or step % 25 == 0:
            logits = network.forward(params, x[:, 200:])[0]
            losses[step] = objective.cross_entropy_with_gradient(logits, labels[:, 200:])[0]
            errors[step] = 100 * (network.forward(params, third)[0].argmax(-1) != true).mean(-1)
    assert errors[1000].mean() == pytest.approx(25.7, abs=0.5)
    for every, wanted in ((10, (20.6, 18.2, 17.5)), (25, (19.0, 18.6, 18.6))):
        at = [step for step in losses if step % every == 0]
        for patience, error in zip((1, 3, 10), wanted, strict=True):
            rule = overfitting.EarlyStopping(patience)
            state = rule.init((24,))
            for step in at:
                state = rule.update(losses[step], state)
            kept = np.array([errors[step] for step in at])[state.best_step, runs]
            assert kept.mean() == pytest.approx(error, abs=0.5)


def test_what_a_block_prints_is_what_early_stopping_says() -> None:
    rule = overfitting.EarlyStopping(2)
    state = rule.init()
    for value in (3.0, 2.0, 2.5, 2.2):
        state = rule.update(value, state)
    assert (state.stopped, state.best_step) == (True, 1)


def test_one_tanh_unit_could_fit_fifty_digits() -> None:
    digits, places = datasets.digits(), np.linspace(-0.9, 0.9, 10)
    x, y = (digits.inputs[:50] - 8) / 8, digits.targets[:50]
    weights = np.linalg.lstsq(np.column_stack([x, np.ones(50)]), np.arctanh(places[y]), rcond=None)[0]
    params = {"0.weight": weights[None, :64], "0.bias": weights[64:]}
    params |= {"2.weight": 1000 * places[:, None], "2.bias": -500 * places**2}
    assert network.loss_and_gradient(params, x, y, "tanh").loss < 1e-8


def test_the_choice_makes_the_cross_validated_error_too_low() -> None:
    # With integrals, where the page has the middles of 200 parts.
    nodes, share = np.polynomial.legendre.leggauss(40)
    generator, degrees = np.random.default_rng(0), (1, 3, 5, 6)
    x = generator.uniform(-1, 1, (300, 40))
    y = np.sin(4 * x) + 0.3 * generator.standard_normal((300, 40))
    guess, true = np.zeros((2, 300, 4))
    for place, degree in enumerate(degrees):
        features = overfitting.polynomial_features(x, degree)
        for rows, held_out in overfitting.cross_validation_folds(np.arange(40), 5):
            weights = overfitting.ridge(features[:, rows], y[:, rows, None])
            guess[:, place] += np.square((features[:, held_out] @ weights)[..., 0] - y[:, held_out]).mean(-1) / 5
        fits = overfitting.polynomial_features(nodes, degree) @ overfitting.ridge(features, y[..., None])
        true[:, place] = np.average(np.square(fits[..., 0] - np.sin(4 * nodes)), axis=-1, weights=share) + 0.09
    gap = true - guess
    of_the_chosen = gap[range(300), guess.argmin(1)]
    assert [round(own.mean(), 3) for own in (gap[:, 2], of_the_chosen)] == [-0.013, 0.009]
    assert gap[:, 2].mean() < -2 * gap[:, 2].std() / math.sqrt(300)
    assert of_the_chosen.mean() > 2 * of_the_chosen.std() / math.sqrt(300)


def test_with_points_anywhere_degree_nine_has_no_stable_mean() -> None:
    new, found = np.linspace(-1, 1, 101), []
    for seed in range(6):
        generator = np.random.default_rng(seed)
        x = generator.uniform(-1, 1, (200, 30))
        y = np.sin(4 * x) + 0.3 * generator.standard_normal((200, 30))
        weights = overfitting.ridge(overfitting.polynomial_features(x, 9), y[..., None])
        fits = (overfitting.polynomial_features(new, 9) @ weights)[..., 0]
        found.append(overfitting.bias_variance_decomposition(fits, np.sin(4 * new)).variance.mean())
    assert max(found) > 10 * min(found)


def trained(
    sizes: list[int], seeds: range, steps: int, false: float, rate: float = 0.2
) -> tuple[dict, list[networks.Sets]]:
    """Networks of any depth as the figures train them."""
    sets = [networks.deal_digits(200, seed, false) for seed in seeds]
    each = [networks.steps_of(networks.Remedy(200, 1), *own, steps, 25) for own in zip(seeds, sets, strict=True)]
    x = np.stack([own.inputs for own in each], axis=1)
    labels = np.stack([own.targets for own in each], axis=1).argmax(-1)
    starts = np.array([np.random.default_rng([seed, networks.STARTS]) for seed in seeds])
    params = network.initialize(sizes, starts, runs=(len(seeds),), dtype=np.float32)
    for rows in zip(x, labels, strict=True):
        grads = network.loss_and_gradient(params, *rows).gradient
        params = {name: p - np.float32(rate) * grads[name] for name, p in params.items()}
    return params, sets


def guesses(params: dict, sets: list[networks.Sets]) -> tuple[np.ndarray, np.ndarray]:
    """The largest probability of each held-out digit, and whether the guess is wrong; (run, digit)."""
    probabilities = objective.softmax(network.forward(params, np.stack([own.held_out for own in sets]))[0])
    return probabilities.max(-1), probabilities.argmax(-1) != np.stack([own.held_out_labels for own in sets])


@pytest.mark.parametrize(("seeds", "wanted"), [(range(12), 1.6), (range(500, 512), 1.0)])
def test_one_hidden_layer_beats_three_with_true_labels(seeds: range, wanted: float) -> None:
    one, three = (
        100 * guesses(*trained(sizes, seeds, 400, 0.0))[1].mean(-1) for sizes in ([64, 32, 10], [64, 32, 32, 32, 10])
    )
    gain = three - one
    assert gain.mean() == pytest.approx(wanted, abs=0.25)
    assert gain.mean() > 2 * gain.std(ddof=1) / math.sqrt(12)


@pytest.mark.parametrize(("rate", "wanted"), [(0.05, 6.5), (0.2, -0.9)])
def test_with_false_labels_the_rate_says_how_one_hidden_layer_compares_with_three(rate: float, wanted: float) -> None:
    one, three = (
        100 * guesses(*trained(sizes, range(500, 512), 400, 0.2, rate))[1].mean(-1)
        for sizes in ([64, 32, 10], [64, 32, 32, 32, 10])
    )
    assert (three - one).mean() == pytest.approx(wanted, abs=0.7)


def test_the_network_grows_surer_of_its_mistakes() -> None:
    for steps, wanted in ((200, 0.64), (3200, 0.76)):
        sure, wrong = guesses(*trained([64, 32, 10], range(8), steps, 0.0))
        mean = np.mean([own[bad].mean() for own, bad in zip(sure, wrong, strict=True)])
        assert mean == pytest.approx(wanted, abs=0.015)


def test_after_ten_times_the_steps_the_order_is_another() -> None:
    # Half the seeds of the table on the page, so that it takes a few seconds.
    plain = networks.Remedy(200, 32)
    fields = {"decay": 0.03, "patch": 5, "drop": 0.4, "concentration": 8.0, "smoothing": 0.5, "examples": 800}
    remedies = [plain, *(plain._replace(**{name: value}) for name, value in fields.items())]
    runs = [run for remedy in remedies for run in networks.under(remedy, range(500, 504))]
    found = 100 * networks.train(runs, steps=4000, false=0.2, measure_at=[400]).error.reshape(7, 4, 2)
    short, long = (found - found[:1]).mean(1).T
    decay, cutout, drop, mixup, smoothing, data = long[1:]
    runs = networks.under(plain._replace(width=0), range(500, 504))
    linear = 100 * networks.train(runs, steps=4000, false=0.2, measure_at=[400]).error
    assert (linear - found[0]).mean(0)[0] < -3
    assert (linear - found[0]).mean(0)[1] > 2  # what no hidden layer does turns to harm
    assert -13 < short[1:-1].min() < short[1:-1].max() < -4
    assert decay < -9
    for value, before in ((cutout, short[2]), (drop, short[3]), (mixup, short[4])):
        assert before + 1 < value < 2
    assert -1 < smoothing < 6
    assert short[-1] < -13
    assert data > -7


def test_a_wider_network_that_learned_every_false_label_is_still_helped_by_more_data() -> None:
    runs = [run for size in (200, 800) for run in networks.under(networks.Remedy(size, 128), range(500, 503))]
    course = networks.train(runs, steps=4000, false=0.2)
    errors = 100 * course.error.reshape(2, 3)
    assert (errors[1] - errors[0]).mean() < -3
    assert course.training_error.max() < 0.005


def test_shifts_harm_while_they_are_not_learned() -> None:
    def change(width: int, steps: int) -> tuple[float, float]:
        plain = networks.Remedy(200, width)
        runs = [run for remedy in (plain, plain._replace(shift=1)) for run in networks.under(remedy, range(500, 504))]
        course = networks.train(runs, steps=steps)
        errors = 100 * course.error.reshape(2, 4).mean(1)
        return errors[1] - errors[0], 100 * course.training_error[4:].mean()

    few, fitted = change(32, 400)
    assert few > 5
    assert 6 < fitted < 12
    assert change(32, 4000)[0] == pytest.approx(2.7, abs=1.5)
    assert abs(change(128, 4000)[0]) < 1.5


@pytest.mark.parametrize(("rate", "width"), [(0.1, 32), (0.4, 32), (0.2, 64)])
def test_the_remedies_at_other_rates_and_widths(rate: float, width: int) -> None:
    plain = networks.Remedy(200, width)
    for false, fields in (
        (0.2, {"decay": 0.03, "patch": 5, "concentration": 8.0, "drop": 0.4, "smoothing": 0.5}),
        (0.0, {"decay": 0.01, "patch": 2, "concentration": 0.2, "drop": 0.25, "smoothing": 0.1}),
    ):
        remedies = [plain, *(plain._replace(**{name: value}) for name, value in fields.items())]
        runs = [run for remedy in remedies for run in networks.under(remedy, range(500, 506))]
        errors = 100 * networks.train(runs, rate=rate, false=false).error.reshape(6, 6)
        changes = (errors[1:] - errors[:1]).mean(1)
        assert changes.min() > (-10 if false else -1)
        assert not false or changes.max() < -3
