"""What the numbers of the chapter's figures must satisfy.

Numbers of the whole experiment come from the cache of the press; what is quick is measured here at another size.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

from dlnotes.book import drawing, layout
from dlnotes.figures import adaptive_methods as alone
from dlnotes.figures import adaptive_methods_by_hand as moving
from dlnotes.figures import adaptive_methods_cycle as cycles
from dlnotes.figures import adaptive_methods_race as races
from dlnotes.figures import adaptive_methods_training as learning
from dlnotes.numpy import adaptive_methods, minibatch, momentum, network

# Arguments under which each function of numbers takes a moment only.
SMALL = {
    "by-hand": {},
    "rotation": {"starts": 3, "steps": 10, "every": 15},
    "counterexample": {"last": 30, "points": 3},
    "singular-values": {"rows": 8, "features": 64},
    "correction": {"last": 60, "inputs": 5, "seeds": 2, "steps": 2},
    "epsilon": {"seeds": 2, "steps": 2, "points": 6},
    "units": {"seeds": 2, "steps": 2, "decades": 1},
    "race": {"tuning": 2, "seeds": 2, "steps": 2},
}


@functools.cache
def numbers(name: str) -> tuple:
    """The numbers of a figure as the book shows it."""
    return drawing.numbers(layout.find(), drawing.Figure("adaptive_methods", name))


# --- the ravine


def test_only_methods_that_look_at_single_coordinates_see_the_angle() -> None:
    shown = numbers("rotation")
    median = dict(zip(alone.MOVERS, shown.losses[:, 1], strict=True))
    for name in ("descent", "momentum"):
        np.testing.assert_allclose(median[name], median[name][0], rtol=1e-6)
    assert median["RMSprop"][0] == alone.FLOOR
    assert np.all(median["RMSprop"][1:4] < 1e-5)
    assert median["RMSprop"][-1] > median["descent"][-1]
    assert np.all(median["Adam"] < median["descent"])
    assert np.all(median["Adam"] > median["momentum"])
    # Descent at the best rate leaves what the flat direction leaves: the slower of two factors, squared.
    assert median["descent"][0] == pytest.approx(1e-4, rel=0.3)


def test_best_rates_are_no_ends_of_the_grid_but_where_rmsprop_is_done() -> None:
    shown = numbers("rotation")
    for row, (_, rates) in enumerate(alone.MOVERS.values()):
        ends = np.isin(shown.rates[row], rates[[0, -1]])
        assert not ends[shown.losses[row, 1] > alone.FLOOR].any()
    make, rates = alone.MOVERS["RMSprop"]
    done = np.median(alone.losses_left(make, rates, np.array([0]), 100.0, 24, 100, 0), -1) < alone.FLOOR
    assert done.sum() == 34


@pytest.mark.parametrize("options", [{"steps": 30}, {"steps": 300}, {"condition": 1000.0}, {"seed": 7}])
def test_rmsprop_gains_along_the_coordinates_and_not_across(options: dict) -> None:
    shown = alone.rotation(every=45, starts=12, **options)
    descent, rmsprop = shown.losses[:2, 1]
    assert rmsprop[0] < 1e-6 * descent[0]
    assert rmsprop[1] > 0.3 * descent[1]


@pytest.mark.parametrize(("steps", "degrees"), [(1000, 45), (3000, 0)])
def test_at_a_constant_rate_rmsprop_does_not_settle_and_descent_overtakes_it(steps: int, degrees: int) -> None:
    left = {}
    for make, rates in (
        (minibatch.SGD, np.linspace(1, 2, 101)),
        (alone.MOVERS["RMSprop"][0], np.geomspace(1e-4, 3, 40)),
    ):
        runs = alone.losses_left(make, rates, np.array([degrees]), 100.0, 12, steps, 0)
        left[make.__name__] = np.median(runs, -1).min()
    assert left["SGD"] < 1e-6 * left["RMSprop"]


def test_what_long_runs_leave_in_the_evidence() -> None:
    """The starts of the claim's block, and the sixty rates that its text names."""
    rates = np.geomspace(1e-4, 0.3, 60)
    for steps, degrees, wanted, descent in ((1000, 45, 2e-7, 3e-20), (3000, 0, 2e-9, 1e-50)):
        for make, own in ((alone.MOVERS["RMSprop"][0], rates), (minibatch.SGD, np.linspace(1.5, 1.99, 15))):
            left = np.median(alone.losses_left(make, own, np.array([degrees]), 100.0, 16, steps, 0), -1).min()
            if make is minibatch.SGD:
                assert left < descent
            else:
                assert left == pytest.approx(wanted, rel=0.5)


def test_momentum_with_its_own_beta_is_ahead_of_adam_with_its_own() -> None:
    rates, degrees = np.linspace(0.05, 3.6, 72), np.array([0, 45])
    runs = alone.losses_left(lambda rate: momentum.Momentum(rate, 0.8), rates, degrees, 100.0, 24, 100, 0)
    np.testing.assert_allclose(np.median(runs, -1).min(0), 7e-12, rtol=0.1)


def test_beta1_sets_the_level_of_adam_in_the_ravine() -> None:
    rates, degrees = np.geomspace(0.01, 3, 51), np.array([0, 45])
    runs = alone.losses_left(lambda rate: adaptive_methods.Adam(rate, 0.67), rates, degrees, 100.0, 24, 100, 0)
    least = np.median(runs, -1).min(0)
    assert least[0] < 1e-16
    assert 1e-11 < least[1] < 1e-9


# --- first steps


def test_steps_without_correction_follow_theory() -> None:
    shown = numbers("correction")
    np.testing.assert_allclose(shown.constant[0], 1, rtol=1e-12)
    np.testing.assert_allclose(shown.constant[1], shown.theory, rtol=1e-12)
    assert shown.noise[0] == pytest.approx(1)
    assert np.mean(shown.noise[-8:]) == pytest.approx(float(shown.settled), rel=0.06)
    factor = alone.uncorrected_ratio(np.arange(1, 3001))
    assert factor[0] == pytest.approx(0.1 / math.sqrt(0.001))
    assert factor.argmax() + 1 == 12
    assert factor.max() == pytest.approx(6.57, abs=0.005)
    assert factor[999] == pytest.approx(1.26, abs=0.005)


def test_the_correction_moves_the_best_rate_by_about_four() -> None:
    shown = numbers("correction")
    best = shown.losses[:, 1].argmin(-1)
    assert 2 <= shown.rates[best[0]] / shown.rates[best[1]] <= 8
    assert shown.losses[1, 1].min() < 0.85 * shown.losses[0, 1].min()  # in a short run it costs
    assert np.all(np.diff(shown.losses[:, 1, :4]) < 0)


# --- epsilon


def test_epsilon_ends_where_its_place_says() -> None:
    shown = numbers("epsilon")
    near = {size: np.abs(np.log(shown.gradients / size)).argmin() for size in (1e-8, 1e-4)}
    assert shown.outside[near[1e-8]] == pytest.approx(0.5, abs=0.04)
    assert shown.under[near[1e-4]] == pytest.approx(math.sqrt(0.5), abs=0.04)
    expected = np.interp(np.log(shown.measured_gradients), np.log(shown.gradients), shown.outside)
    np.testing.assert_allclose(shown.measured, expected, rtol=0.01)


def test_adam_learns_at_scales_at_which_descent_does_not() -> None:
    shown = numbers("epsilon")
    learned = shown.losses[:, 1] < 0.2
    least = [shown.scales[row].min() for row in learned]
    assert learned[0].sum() == 1
    assert least[0] == pytest.approx(1)
    assert least[1] == pytest.approx(1e-6)
    assert least[2] == pytest.approx(1e-2)
    assert np.all(learned[1] >= learned[2])
    plateau = shown.losses[1, 1, shown.scales > 1e-4]
    assert plateau.max() / plateau.min() < 1.05


def test_adam_under_the_root_is_what_its_formula_says() -> None:
    optimizer = learning.AdamUnderTheRoot(0.5, 0.0, 0.0, 0.01)
    params = {"w": np.zeros(2)}
    updates, _ = optimizer.update({"w": np.array([0.1, -3.0])}, optimizer.init(params), params)
    np.testing.assert_allclose(updates["w"], [-0.05 / math.sqrt(0.02), 1.5 / math.sqrt(9.01)], rtol=1e-12)


# --- the cycle


def test_counterexample_goes_where_reddi_kale_and_kumar_say() -> None:
    shown = numbers("counterexample")
    assert shown.paths[0, -1] == 1
    assert np.all(shown.paths[1:, -1] < -0.95)
    np.testing.assert_allclose(shown.measured[0], cycles.drift(3.0, 0.0, shown.measured_betas), atol=1e-6)
    np.testing.assert_allclose(shown.measured[2], cycles.drift(3.0, 0.9, shown.measured_betas), atol=1e-6)
    assert np.all(shown.theory[1:] < 0)
    assert cycles.drift(3.0, 0.0, np.array(0.1)) == pytest.approx(0.681, abs=0.001)


def test_thresholds_that_the_page_names() -> None:
    assert cycles.threshold(3.0) == pytest.approx(0.472, abs=0.001)
    assert cycles.threshold(2.01) == pytest.approx(0.987, abs=0.001)
    assert cycles.threshold(2.01, 0.9) == pytest.approx(0.827, abs=0.001)
    assert math.isnan(cycles.threshold(3.0, 0.9))


def test_settled_averages_are_what_a_long_run_gives() -> None:
    values, beta, average = np.array([3.0, -1.0, 0.5, 2.0]), 0.7, 0.0
    ends = []
    for value in np.tile(values, 60):
        average = beta * average + (1 - beta) * value
        ends.append(average)
    np.testing.assert_allclose(cycles.settled_averages(values, beta), ends[-4:], rtol=1e-12)


# --- Muon


def test_muon_evens_the_singular_values_out() -> None:
    shown = numbers("singular-values")
    assert np.all(shown.after[-1][shown.before >= 0.00151] > 0.68)
    assert np.all(shown.after[-1][shown.before < 0.00149] < 0.68)
    assert np.all(shown.after[-1] < 1.21)
    assert shown.gradient[0] / shown.gradient[-1] == pytest.approx(100, rel=1e-6)
    assert shown.muon.max() / shown.muon.min() < 1.8
    assert shown.adam[0] / shown.adam[-1] > 4


# --- trained networks


def test_units_spread_adam_half_as_much_as_descent() -> None:
    shown = numbers("units")
    sgd, ball, adam = shown.losses[:, 1]
    for one in (sgd, ball, adam):
        assert np.all(np.diff(one) > 0)
    np.testing.assert_allclose(adam[4], sgd[2], rtol=0.4)
    ends = [one[[0, 4]].round(2).tolist() for one in (sgd, ball, adam)]  # as the text beside the picture says
    assert ends == [[0.06, 0.61], [0.05, 0.57], [0.04, 0.33]]
    assert np.all(adam[1:] < 0.7 * sgd[1:])
    for row, (_, middle) in enumerate(learning.UNIT_MOVERS.values()):
        assert np.all((shown.rates[row] > middle / 8.1) & (shown.rates[row] < middle * 7.9))


def test_the_race_is_close_and_the_rates_are_not_ends() -> None:
    shown = numbers("race")
    middle = shown.fine.argmin(-1)
    assert np.all((middle > 0) & (middle < len(races.FINE) - 1))
    coarse = shown.coarse.argmin(-1)
    assert np.all((coarse > 0) & (coarse < len(races.SHIFTS) - 1))
    median = dict(zip(races.RACERS, shown.losses[1], strict=True))
    assert max(median, key=median.get) == "Lion"
    assert min(median, key=median.get) in ("AdaGrad", "RMSprop")
    assert max(median.values()) / min(median.values()) < 3
    for row, (make, _) in enumerate(races.RACERS.values()):  # eight times too small, too large
        ends = learning.final_losses(make, shown.rates[row] * np.array([1 / 8, 8]), 8, steps=120, seed=5)
        assert np.all(np.median(ends, axis=1) > 5 * shown.losses[1, row])


def test_rmsprops_lead_over_adam_is_the_missing_correction() -> None:
    def uncorrected(rate: np.ndarray) -> adaptive_methods.Adam:
        return adaptive_methods.Adam(lambda step: rate * float(alone.uncorrected_ratio(np.array(step + 1))))

    makers = {
        "RMSprop": (adaptive_methods.RMSprop, 0.0057),
        "RMSprop, corrected": (lambda rate: adaptive_methods.Adam(rate, 0.0, 0.99), 0.008),
        "Adam": (adaptive_methods.Adam, 0.0113),
        "Adam, uncorrected": (uncorrected, 0.0028),
    }
    least = {
        name: np.median(learning.final_losses(make, rate * races.FINE[1:4], 8, steps=120, seed=1), axis=1).min()
        for name, (make, rate) in makers.items()
    }
    assert max(least["RMSprop"], least["Adam, uncorrected"]) < 0.75 * min(least["RMSprop, corrected"], least["Adam"])


def test_all_rates_train_on_the_same_draws() -> None:
    both = learning.final_losses(minibatch.SGD, np.array([0.1, 0.1]), 3, steps=3, seed=5)
    np.testing.assert_array_equal(both[0], both[1])
    other = learning.final_losses(minibatch.SGD, np.array([0.2]), 3, steps=3, seed=5)
    assert np.all(other != both[:1])


@pytest.mark.parametrize("width", [16, 32, 64])
def test_muon_steps_have_about_the_size_of_adams(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def once(make, rates, seeds, **options):
        made.append(make(rates[:1]))
        return np.ones((len(rates), seeds))

    monkeypatch.setattr(learning, "final_losses", once)
    monkeypatch.setattr(races, "RACERS", {"Muon": (races.muon, 0.08)})  # the first rate is an eighth, 0.01
    races.race(width=width)
    generator, optimizer = np.random.default_rng(0), made[0]
    params = {name: np.zeros((1, width, width)) for name in ("0.weight", races.HIDDEN_WEIGHT)}
    state = optimizer.init(params)
    for _ in range(200):
        grads = {name: generator.normal(size=(1, width, width)) for name in params}
        updates, state = optimizer.update(grads, state, params)
    muon, adam = (np.sqrt(np.mean(updates[name] ** 2)) for name in (races.HIDDEN_WEIGHT, "0.weight"))
    assert muon == pytest.approx(0.002, rel=0.15)
    assert adam == pytest.approx(0.0023, rel=0.1)
    assert isinstance(optimizer.chosen, adaptive_methods.Muon)


def test_turning_lowers_adams_best_rate_and_leaves_descent_alone() -> None:
    generator, shapes = np.random.default_rng(0), {"0.weight": (32, 64), "2.weight": (32, 32), "4.weight": (10, 32)}
    turns = {
        name: tuple(np.linalg.qr(generator.normal(size=(n, n)))[0].astype(np.float32) for n in shape)
        for name, shape in shapes.items()
    }
    median = {}
    for make, rates in ((minibatch.SGD, [0.2]), (adaptive_methods.Adam, [0.0035, 0.0071, 0.01])):
        for turned in (False, True):

            def made(rate, make=make, turned=turned):
                return learning.Turned(make(rate), turns) if turned else make(rate)

            losses = learning.final_losses(made, np.array(rates), 16, steps=120, seed=9)
            median[make.__name__, turned] = np.median(losses, axis=1)
    np.testing.assert_allclose(median["SGD", True], median["SGD", False], rtol=1e-2)
    plain, turned = median["Adam", False], median["Adam", True]
    assert turned[0] < 0.95 * plain[0]  # below the best rate turning helps
    assert turned[2] > 1.15 * plain[2]
    assert plain.argmin() == 2
    assert turned.min() > 1.08 * plain.min()


def test_at_a_thousand_steps_the_optimizer_counts_more_than_a_rate_too_small() -> None:
    tried = {"Muon": [0.006, 0.012], "Adam": [0.0015, 0.012], "AdaGrad": [0.015, 0.12]}
    ends = {
        name: np.median(learning.final_losses(races.RACERS[name][0], np.array(rates), 2, steps=1000, seed=8), axis=1)
        for name, rates in tried.items()
    }
    assert ends["AdaGrad"][1] > 150 * ends["Muon"][0]
    assert 20 < ends["Adam"][0] / ends["Adam"][1] < 110
    assert 20 < ends["AdaGrad"][0] / ends["AdaGrad"][1] < 110
    assert ends["Muon"][1] > 50 * ends["Adam"][1]  # at Adam's best rate


def steps_over_rate(random_labels: bool, marks: tuple[int, ...], seed: int = 5) -> list[tuple[float, float]]:
    """Train 64-128-10 on digits under Adam; root mean square of the first layer's steps over the rate, and the loss."""
    images, labels = (array.astype(dtype) for array, dtype in zip(learning.digits(), (float, int), strict=True))
    generator, adam = np.random.default_rng(seed), adaptive_methods.Adam(1e-3)
    params = network.initialize([64, 128, 10], generator)
    state, seen = adam.init(params), []
    for step in range(1, marks[-1] + 1):
        batch = generator.integers(0, len(images), 16)
        targets = generator.integers(0, 10, 16) if random_labels else labels[batch]
        _, grads = network.loss_and_gradient(params, images[batch], targets)
        updates, state = adam.update(grads, state, params)
        params = {name: value + updates[name] for name, value in params.items()}
        if step in marks:
            loss, _ = network.loss_and_gradient(params, images, labels)
            seen.append((float(np.sqrt(np.mean(updates["0.weight"] ** 2)) / 1e-3), float(loss)))
    return seen


def test_steps_pass_the_level_of_noise_while_a_run_learns() -> None:
    (first, _), (middle, loss), (last, least) = steps_over_rate(False, (1, 151, 1200))
    assert 0.95 < first < 1  # some pixels are constant
    assert 0.15 < middle < 0.27
    assert last < 0.07
    assert least < 0.1 * loss
    steps, losses = np.array(steps_over_rate(True, tuple(range(51, 302, 25)))).T
    assert steps.mean() == pytest.approx(0.23, abs=0.02)
    assert np.all(losses > 2.2)


# --- the figure that moves


def test_the_four_paths_are_those_of_plain_loops() -> None:
    shown = numbers("by-hand")
    w, v, mean, square = (np.tile(np.zeros(2), (4, 1)) for _ in range(4))
    w += moving.START
    for step in range(moving.STEPS + 1):
        np.testing.assert_allclose(np.stack([shown.x[:, step], shown.y[:, step]], -1), w, rtol=1e-9, atol=1e-12)
        g = w * [1 / 20, 1]
        v[1] = 0.8 * v[1] + g[1]
        square[2] = 0.9 * square[2] + 0.1 * g[2] ** 2
        mean[3], square[3] = 0.9 * mean[3] + 0.1 * g[3], 0.999 * square[3] + 0.001 * g[3] ** 2
        correct = np.sqrt(1 - 0.999 ** (step + 1)) / (1 - 0.9 ** (step + 1))
        adam = mean[3] * correct / (np.sqrt(square[3]) + 1e-8 * np.sqrt(1 - 0.999 ** (step + 1)))
        w = w - [1.8 * g[0], 0.5 * v[1], 0.1 * g[2] / (np.sqrt(square[2]) + 1e-8), 0.3 * adam]


@pytest.mark.parametrize("degrees", [10, 45])
def test_turning_the_ravine_turns_the_paths_of_two_methods(degrees: float) -> None:
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    for name, optimizer in moving.METHODS.items():
        still = moving.walk(optimizer, moving.ravine(0, 20), moving.START, 30)
        turned = moving.walk(optimizer, moving.ravine(degrees, 20), turn @ moving.START, 30)
        assert np.allclose(turned, still @ turn.T, atol=1e-9) == (name in ("SGD", "momentum"))
