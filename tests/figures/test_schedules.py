"""The numbers behind the figures of the schedules chapter, against theory and against print.

Numbers of the whole experiment come from the cache of the press; what is quick is measured here at another size.
"""

from __future__ import annotations

import functools

import numpy as np
import pytest

from dlnotes import datasets, optimizers
from dlnotes.book import drawing, layout
from dlnotes.figures import schedules as exact
from dlnotes.figures import schedules_start as beginnings
from dlnotes.figures import schedules_training as learning
from dlnotes.numpy import adaptive_methods, conditioning, minibatch, momentum, network, objective, schedules

SMALL = {
    "noisy": {"steps": 12, "axes": 2},
    "horizons": {"most": 60, "points": 2, "axes": 2},
    "gallery": {"steps": 40},
    "networks": {"examples": 60, "lengths": (6, 12), "seeds": 2},
    "one-run": {"examples": 60, "shortest": 10, "seeds": 2},
    "warm-up": {"steps": 6, "ramp": 3, "seeds": 2},
    "range-test": {"lengths": (10, 20), "steps": 4, "seeds": 2},
}


@functools.cache
def numbers(name: str) -> tuple:
    """The numbers of a figure as the book shows it."""
    return drawing.numbers(layout.find(), drawing.Figure("schedules", name))


wrong_labels = functools.cache(learning.wrong_labels)  # its least loss takes a second


# --- quadratics


def test_the_expected_loss_is_the_mean_of_many_descents() -> None:
    curvatures, noise, start = exact.ravine(3, 1.0)
    rates = np.asarray(schedules.linear(np.arange(40), 0.4, 40))
    generator, w = np.random.default_rng(0), np.ones((20_000, 3))
    optimizer = minibatch.SGD(lambda t: float(rates[t]))
    params, state = {"w": w}, optimizer.init({"w": w})
    for _ in range(40):
        g = curvatures * params["w"] + np.sqrt(noise) * generator.normal(size=w.shape)
        updates, state = optimizer.update({"w": g}, state, params)
        params = optimizers.apply_updates(params, updates)
    measured = (curvatures * params["w"] ** 2).sum(-1).mean() / (curvatures * start).sum()
    assert exact.expected_losses(rates[:, None], curvatures, noise, start)[0] == pytest.approx(measured, rel=0.02)
    held = exact.expected_losses(np.full((400, 1), 0.2), np.ones(1), np.ones(1), np.ones(1))
    assert held[0] == pytest.approx(momentum.noise_floor(1.0, 0.2), rel=1e-9)


@pytest.mark.parametrize("noise", [0.1, 1.0, 5.0])
def test_with_one_curvature_the_best_rates_are_an_inverse_time_decay(noise: float) -> None:
    h = 2.0
    found = exact.best_rates(30, np.full(1, h), np.full(1, noise), np.ones(1))
    share = h**2 / noise
    np.testing.assert_allclose(
        found, schedules.inverse_time_decay(np.arange(30), share / h / (1 + share), share / (1 + share))
    )
    loss = exact.expected_losses(found[:, None], np.full(1, h), np.full(1, noise), np.ones(1))
    assert loss[0] == pytest.approx(1 / (1 + 30 * share), rel=1e-12)


def test_no_rate_of_the_best_can_be_moved_for_the_better() -> None:
    shown = numbers("noisy")
    setting = exact.ravine(10, 1.0)
    best = shown.rates[4, :-1]
    trials = np.repeat(best[:, None], 7, axis=1)
    trials[[0, 50, 299, 0, 50, 299], np.arange(1, 7)] *= [1.05, 1.05, 1.05, 0.95, 0.95, 0.95]
    losses = exact.expected_losses(trials, *setting)
    assert np.all(losses[1:] > losses[0])
    found = [exact.best_rates(60, *setting, sweeps=200, first=first) for first in (None, np.linspace(0.9, 0.02, 60))]
    np.testing.assert_allclose(*found, rtol=1e-3)
    np.testing.assert_allclose(exact.best_rates(60, *setting), found[0], rtol=0.02)


def test_with_little_noise_the_best_rates_rest_in_several_places() -> None:
    rests = {}
    for noise in (1.0, 0.01):
        setting, generator = exact.ravine(10, noise), np.random.default_rng(0)
        firsts = [np.full(10, 0.5), *(generator.uniform(0, 2, 10) for _ in range(6))]
        found = [exact.best_rates(10, *setting, sweeps=400, first=first) for first in firsts]
        rests[noise] = exact.expected_losses(np.array(found).T, *setting)
    np.testing.assert_allclose(rests[1.0], rests[1.0][0], rtol=1e-5)
    assert rests[0.01].max() > 1.1 * rests[0.01].min()


FALLING_NAMES = ("step", "cosine", "linear")


def test_the_ends_on_the_noisy_quadratic() -> None:
    shown = numbers("noisy")
    assert [round(end, 3) for end in shown.ends.tolist()] == [0.046, 0.026, 0.026, 0.021, 0.02]
    over = shown.ends[0] / shown.ends[1:]
    assert [over.min(), over.max()] == pytest.approx([1.75, 2.23], abs=0.02)
    setting = exact.ravine(10, 1.0)
    ends = {family: exact.tuned(family, 300, *setting) for family in exact.FAMILIES}
    assert ends["linear"].loss == pytest.approx(0.0259, abs=5e-5)
    assert ends["1 - sqrt"].loss == pytest.approx(0.0245, abs=5e-5)
    over = [ends[family].loss / shown.ends[4] for family in (*FALLING_NAMES, "inverse time", "held, last fifth")]
    assert over == pytest.approx([1.04, 1.26, 1.27, 1.28, 1.69], abs=0.005)
    floor = exact.expected_losses(np.full((20_000, 1), ends["constant"].rate), *setting)[0]
    assert floor == pytest.approx(0.0253, abs=1e-4)
    assert ends["constant"].rate == pytest.approx(0.05, abs=0.002)
    assert ends["linear"].rate == pytest.approx(0.22, abs=0.01)
    assert 1 < ends["step"].second < 12
    assert exact.SECONDS["inverse time"][0] < ends["inverse time"].second < exact.SECONDS["inverse time"][-1]
    for found in ends.values():
        assert 0.003 < found.rate < 1.9
    assert shown.rates[4, 0] == pytest.approx(0.98, abs=0.01)
    assert np.all(np.diff(shown.rates[4, :-1]) < 0)


def test_with_ten_times_the_noise_the_line_is_ahead_of_the_cosine() -> None:
    setting = exact.ravine(10, 10.0)
    least = exact.expected_losses(exact.best_rates(300, *setting)[:, None], *setting)[0]
    families = (*FALLING_NAMES, "inverse time", "held, last fifth")
    over = [exact.tuned(family, 300, *setting).loss / least for family in families]
    assert over == pytest.approx([1.03, 1.15, 1.08, 1.03, 1.24], abs=0.005)


def test_the_order_over_the_number_of_steps() -> None:
    shown = numbers("horizons")
    constant, inverse, linear, step, held = shown.one
    np.testing.assert_allclose(inverse, 1, atol=0.01)
    assert constant[[0, -1]] == pytest.approx([1.48, 2.33], abs=0.01)
    assert linear[[0, -1]] == pytest.approx([1.17, 1.44], abs=0.01)
    assert np.all(step < linear)
    assert held[[0, -1]] == pytest.approx([1.40, 1.99], abs=0.01)
    last = shown.many[:4, -1]
    assert shown.many[4, -1] == pytest.approx(0.0143, abs=5e-5)
    assert last[3] < last[2] < last[1] < last[0]
    assert last[0] / last[2] == pytest.approx(2.2, abs=0.05)
    assert last / last[3] == pytest.approx([3.2, 1.5, 1.4, 1], abs=0.06)


def test_the_gallery_begins_and_ends_where_it_should() -> None:
    shown = numbers("gallery")
    np.testing.assert_allclose(shown.falling[:, 0], 1)
    assert shown.falling.max() <= 1
    np.testing.assert_allclose(shown.rising.max(1), 1, rtol=1e-3)
    assert np.all(shown.rising[[0, 1, 2, 4], 0] < 0.2)


# --- networks


def test_newton_finds_the_least_loss_of_softmax_regression() -> None:
    task = wrong_labels(1000)
    longer = learning.least_loss(task.inputs, task.labels, steps=20)
    assert task.least == pytest.approx(longer, abs=1e-4)
    assert task.least == pytest.approx(0.729, abs=1e-3)
    params = network.initialize([64, 10], np.random.default_rng(0))
    logits, _ = network.forward(params, task.inputs.astype(float))
    assert objective.cross_entropy(logits, task.labels).mean() > task.least


def test_decay_pays_where_labels_are_wrong_and_not_where_all_are_fitted() -> None:
    shown = numbers("networks")
    assert np.isfinite([shown.wrong_rates, shown.fitted_rates]).all()
    mean, low, high = shown.wrong
    assert np.all(mean[1:] + 1.4 * (high - mean)[1:] < 1)
    assert np.all(mean[2] + 2 * (high - mean)[2] < 1)
    assert mean[2] == pytest.approx([0.71, 0.75, 0.56], abs=0.01)
    np.testing.assert_allclose(high - mean, mean - low)
    ratio = shown.wrong_rates[2] / shown.wrong_rates[0]
    assert [ratio.min(), ratio.max()] == pytest.approx([2.83, 8], abs=0.01)
    assert shown.wrong_rates[0, 0] > shown.wrong_rates[0, -1]
    step, linear, held = shown.fitted[0, 1:]
    assert step == pytest.approx([2.2, 1.6, 5.1], abs=0.06)
    assert linear == pytest.approx([1.2, 0.8, 2.2], abs=0.06)
    assert np.all(held < 1)


ADAM = {
    "wrong": {"step": (1.21, 0.90, 0.60), "linear": (0.97, 0.76, 0.58), "held, last fifth": (0.98, 0.86, 0.71)},
    "fitted": {"step": (2.97, 1.60, 1.26), "linear": (1.61, 0.82, 0.50), "held, last fifth": (1.05, 0.64, 0.44)},
}
# The best of the rates 0.004, 0.008, ... 0.128 for 60, 200 and 600 steps, found once with all of them.
ADAM_RATES = {
    "wrong": {"constant": (0.016, 0.008, 0.008), "held, last fifth": (0.016,) * 3},
    "fitted": {"constant": (0.016, 0.016, 0.008), "held, last fifth": (0.016,) * 3},
}
FALLING = {"wrong": (0.032, 0.032, 0.064), "fitted": (0.032,) * 3}


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("task", ["wrong", "fitted"])
def test_under_adam_decay_pays_in_both_tasks_given_steps_enough(
    monkeypatch: pytest.MonkeyPatch, task: str, place: int
) -> None:
    monkeypatch.setattr(learning.minibatch, "SGD", adaptive_methods.Adam)
    learned = wrong_labels(1797) if task == "wrong" else learning.all_fitted(500)
    ends = {}
    for name, shape in learning.SHAPES.items():
        rate = ADAM_RATES[task].get(name, FALLING[task])[place]
        rates = rate * (2.0 ** np.arange(-1, 2) if place == 0 else np.ones(1))
        found = learning.excess(learned, shape, (60, 200, 600)[place], rates, 6)
        best = int(found.mean(1).argmin())
        assert best == len(rates) // 2
        ends[name] = found[best]
    for name, wanted in ADAM[task].items():
        assert ends[name].mean() / ends["constant"].mean() == pytest.approx(wanted[place], abs=0.01)
        error = (ends[name] - ends["constant"]).std(ddof=1) / np.sqrt(6) / ends["constant"].mean()
        assert error < (0.065 if task == "wrong" else 0.225)


# Over the constant rate's, six starts, after 60, 200 and 600 steps; the rates were the best of eleven, sqrt(2) apart.
MOMENTUM = {
    "wrong": {"step": (0.98, 0.91, 0.62), "linear": (0.92, 0.78, 0.58), "held, last fifth": (0.94, 0.87, 0.70)},
    "fitted": {"step": (1.20, 0.82, 3.00), "linear": (0.94, 0.50, 0.94), "held, last fifth": (0.85, 0.66, 0.82)},
}
# Powers of the root of 2, times 0.03 with wrong labels and 0.02 where all is fitted.
MOMENTUM_RATES = {
    "wrong": {"constant": (-1, -2, -4), "step": (3, 1, 3), "linear": (1, 1, 2), "held, last fifth": (0, -1, 0)},
    "fitted": {"constant": (1, 0, 1), "step": (5, 4, 2), "linear": (5, 3, 3), "held, last fifth": (1, 1, 1)},
}


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("task", ["wrong", "fitted"])
def test_with_momentum_the_order_is_that_of_descent(monkeypatch: pytest.MonkeyPatch, task: str, place: int) -> None:
    monkeypatch.setattr(learning.minibatch, "SGD", lambda rate: momentum.Momentum(rate, 0.9))
    learned, middle = (wrong_labels(1797), 0.03) if task == "wrong" else (learning.all_fitted(500), 0.02)
    ends = {}
    for name, shape in learning.SHAPES.items():
        rate = middle * 2.0 ** (MOMENTUM_RATES[task][name][place] / 2)
        ends[name] = learning.excess(learned, shape, (60, 200, 600)[place], np.array([rate]), 6)[0]
    for name, wanted in MOMENTUM[task].items():
        assert ends[name].mean() / ends["constant"].mean() == pytest.approx(wanted[place], abs=0.01)
        error = (ends[name] - ends["constant"]).std(ddof=1) / np.sqrt(6) / ends["constant"].mean()
        assert error < (0.105 if task == "wrong" else 0.225)


def test_after_2000_steps_the_line_costs_under_adam_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning.minibatch, "SGD", adaptive_methods.Adam)
    best = {"constant": 0.02, "step": 0.0283, "linear": 0.0283, "held, last fifth": 0.0283}  # of eleven, sqrt(2) apart
    task = learning.all_fitted(500)
    ends = {
        name: learning.excess(task, learning.SHAPES[name], 2000, np.array([rate]), 6, 5).mean()
        for name, rate in best.items()
    }
    ratio = {name: end / ends["constant"] for name, end in ends.items()}
    assert 2 < ratio["linear"] < 4.5
    assert 5 < ratio["step"] < 11
    assert ratio["held, last fifth"] < 1.4


def test_with_fewer_halvings_step_costs_less_where_all_is_fitted() -> None:
    def halved(times: int) -> learning.Shape:
        return lambda step, steps: 0.5 ** (step * (times + 1) // steps)

    task = learning.all_fitted(500)
    shapes = ((learning.SHAPES["constant"], 1), (halved(1), 1), (halved(2), 1), (halved(3), 2))
    best = [0.225 * 2.0 ** (power / 2) for _, power in shapes[:3]] + [0.275 * 2**0.5]  # each of five, sqrt(2) apart
    ends = [
        learning.excess(task, shape, 600, np.array([rate]), 6).mean()
        for (shape, _), rate in zip(shapes, best, strict=True)
    ]
    assert np.array(ends[1:]) / ends[0] == pytest.approx([1.5, 2.3, 2.8], abs=0.06)


def test_with_other_starts_the_line_still_costs_under_descent_and_the_late_fall_does_not() -> None:
    task = learning.all_fitted(500)
    best = {"constant": 0.32, "linear": 0.45, "held, last fifth": 0.32, "step": 0.4}  # of three to five rates each
    ends = {
        name: learning.excess(task, learning.SHAPES[name], 600, np.array([rate]), 24, 30)[0]
        for name, rate in best.items()
    }
    ratio = {name: end.mean() / ends["constant"].mean() for name, end in ends.items()}
    assert [ratio[name] for name in ("linear", "held, last fifth", "step")] == pytest.approx([1.6, 0.6, 3.6], abs=0.06)
    for name in ("linear", "held, last fifth", "step"):
        error = (ends[name] - ends["constant"]).std(ddof=1) / np.sqrt(24) / ends["constant"].mean()
        assert 0.15 < error < 0.45


@pytest.mark.parametrize(
    ("name", "rates", "errors", "spread"),
    [
        ("constant", (0.028, 0.057, 0.08, 0.113, 0.16), (11.4, 10.4), (0.6, 0.4)),
        ("linear", (0.226, 0.453, 0.64, 0.905, 1.28), (15.3, 9.2), (0.3, 0.2)),
        ("held, last fifth", (0.113, 0.226, 0.32, 0.453, 0.64), (13.9, 9.3), (0.4, 0.1)),
    ],
)
def test_new_digits_ask_for_a_lower_rate_than_the_training_loss(
    name: str, rates: tuple[float, ...], errors: tuple[float, float], spread: tuple[float, float]
) -> None:
    task, digits = wrong_labels(1000), datasets.digits()
    inputs, labels = ((digits.inputs[1000:] - 8) / 8).astype(np.float32), digits.targets[1000:]
    trained = learning._train(task, learning.SHAPES[name], 1000, np.array(rates), 6, 0)
    best = int(trained.measures["loss"][..., -1].mean(1).argmin())
    found = []
    for place in range(len(rates)):
        logits, _ = network.forward({key: value[place] for key, value in trained.parameters.items()}, inputs)
        found.append(100 * (logits.argmax(-1) != labels).mean(-1))
    assert best == 3
    for place, wanted, error in zip((best, 0), errors, spread, strict=True):  # 0: a quarter of the best
        assert found[place].mean() == pytest.approx(wanted, abs=0.06)
        assert found[place].std(ddof=1) / np.sqrt(6) == pytest.approx(error, abs=0.06)


def test_one_run_serves_four_lengths() -> None:
    shown = numbers("one-run")
    assert shown.over == pytest.approx([1.02, 1.02, 1.07, 1.13], abs=0.006)
    assert np.all(shown.branches[:, -1] < shown.held[0, np.isin(shown.measured, shown.lengths)])
    assert shown.held[1, -1] / shown.branches[-1, -1] > 2
    task = wrong_labels(1000)
    for steps, first, wanted in ((100, 0.453, (1.10, 1.53)), (800, 0.905, (1.39, 1.17))):
        line = learning.excess(task, learning.SHAPES["linear"], steps, np.array([first]), 6).mean()
        branch = learning.excess(task, learning.stable_decay(0.3), steps, np.array([0.16, 0.64]), 6).mean(1)
        assert branch / line == pytest.approx(wanted, abs=0.012)
    _, path, line = learning.branch_and_line(task, 0.32, 0.3, 200, 6, 0)
    error = (path[:, -1] - line).std(ddof=1) / np.sqrt(6) / line.mean()
    assert error == pytest.approx(0.01, abs=0.004)


# --- the start


def test_warm_up_helps_where_the_start_is_sharp() -> None:
    shown = numbers("warm-up")
    he, twice = shown.losses
    assert he[0].min() == pytest.approx(he[1].min(), rel=0.3)
    assert twice[1].min() < 0.5 * twice[0].min()
    assert shown.rates[twice.argmin(1)].tolist() == [0.2, 0.4]
    sharp = [beginnings.sharpness_before_and_after(net, 0.4, 15, 6) for net in beginnings.TWO]
    assert [sharp[0][0], *sharp[1]] == pytest.approx([17, 85, 12.5], abs=0.5)
    start = beginnings.start_of(beginnings.DEEP, 6)
    warmed = beginnings.train(start, beginnings.DEEP, adaptive_methods.Adam(beginnings._ramp(0.064, 15)), 15, (6,))
    sharp = [np.median(beginnings.sharpness(each, beginnings.DEEP)) for each in (start, warmed.parameters)]
    assert sharp == pytest.approx([12.3, 7.4], abs=0.1)


def test_a_sharp_start_is_thrown_to_two_over_the_rate_in_two_steps() -> None:
    net, found = beginnings.TWO[0], []
    for steps in (2, 150):
        start = beginnings.start_of(net, 6)
        trained = beginnings.train(start, net, minibatch.SGD(0.4), steps, (6,)).parameters
        found.append(np.median(beginnings.sharpness(trained, net)))
    assert found == pytest.approx([6.0, 1.4], abs=0.15)


def test_the_curvature_as_adam_scales_it_falls_with_gradients_seen() -> None:
    inputs, labels = beginnings.digits(200)

    def scaled(start: dict, rate: object, steps: int, seed: int = 1) -> tuple[float, dict]:
        start = {name: value.copy() for name, value in start.items()}
        trained = beginnings.train(start, beginnings.DEEP, adaptive_methods.Adam(rate), steps, (6,), seed)
        squares = np.concatenate(trained.state[2::3]).astype(float) / (1 - 0.999**steps)
        found = []
        for run, square in enumerate(squares):
            root = np.sqrt(np.sqrt(square) + 1e-8)
            own = {name: value[run].astype(float) for name, value in trained.parameters.items()}
            product = conditioning.hessian_vector_product(own, inputs.astype(float), labels, "tanh")
            found += conditioning.top_eigenvalues(
                lambda vector, root=root, product=product: product(vector / root) / root,
                np.random.default_rng(0).standard_normal(root.size),
                count=1,
                which="largest",
                tolerance=0.02,
                steps=60,
            ).values.tolist()
        return float(np.median(found)), trained.parameters

    start = beginnings.start_of(beginnings.DEEP, 6)
    warmed, place = scaled(start, beginnings._ramp(0.064, 15), 15)
    measured = scaled(start, 0.0, 1)[0], scaled(start, 0.0, 15)[0], warmed, scaled(place, 0.0, 1, 2)[0]
    assert measured == pytest.approx([4900, 430, 310, 7300], rel=0.02)


def test_either_remedy_helps_adam_at_a_high_rate_and_none_is_needed_at_a_lower() -> None:
    mean, low, _ = numbers("warm-up").accuracy
    assert mean[:, 0].min() > 0.98
    assert mean[:, 1].min() > 0.99
    assert mean[0, 1] > mean[3, 1]
    assert np.all(mean[1:, 2] > mean[0, 2] + 2.5 * np.hypot(mean - low, (mean - low)[0])[1:, 2])
    assert np.all(mean[:, [0, 2]] < mean[:, [1]])


def test_the_range_test_does_not_end_at_two_over_the_sharpness() -> None:
    shown = numbers("range-test")
    assert np.isfinite(shown.best).all()
    assert np.all(shown.ends[:, 0] > 13)
    assert np.all(np.diff(shown.ends) <= 0)
    assert [round(end, 1) for end in (shown.ends.min(), shown.ends[1, 0], shown.ends[:, -1].max())] == [0.9, 26.2, 5.1]
    for field, low, high in (("lowest", 0.4, 1.2), ("steepest", 0.0075, 0.45), ("stable", 0.17, 1.1)):
        ratio = getattr(shown, field) / shown.best
        assert ratio.min() > low * 0.95
        assert ratio.max() < high * 1.02


def test_a_sweep_of_fifty_steps_stops_far_below_the_best_rate() -> None:
    sweep = np.asarray(schedules.exponential_sweep(np.arange(50), 1e-3, 10.0, 50))
    best = numbers("range-test").best
    for row in (0, 4):
        net = beginnings.NETS[row]
        start = beginnings.start_of(net, 3)
        losses = beginnings.train(start, net, minibatch.SGD(lambda t: float(sweep[t])), 50, (3,)).losses
        found = np.median(schedules.range_test(sweep, losses.astype(float)).lowest)
        assert found < 0.135 * best[row]


def test_a_sharp_start_gains_by_warm_up_with_other_starts_and_batches() -> None:
    net = beginnings.TWO[1]
    start, best = beginnings.start_of(net, 3, seed=1), []
    for before in (0, 15):
        laid, rate, runs = beginnings._on_grid(start, np.array([0.1, 0.2, 0.4]))
        ended = beginnings.train(laid, net, minibatch.SGD(beginnings._ramp(rate, before)), 150 + before, runs, seed=9)
        best.append(np.median(beginnings.loss_and_accuracy(ended.parameters, net)[0], -1).min())
    assert best[1] < 0.6 * best[0]


def test_that_holds_with_a_longer_warm_up_and_after_three_times_the_steps() -> None:
    net = beginnings.TWO[1]
    start = beginnings.start_of(net, 3)
    for steps, before in ((150, 60), (450, 15)):
        best = []
        for ramp in (0, before):
            laid, rate, runs = beginnings._on_grid(start, np.array([0.2, 0.4]))
            descent = minibatch.SGD(beginnings._ramp(rate, ramp))
            ended = beginnings.train(laid, net, descent, steps + ramp, runs)
            best.append(np.median(beginnings.loss_and_accuracy(ended.parameters, net)[0], -1))
        assert best[1].min() < 0.5 * best[0].min()
        assert best[0].argmin() == 0
        assert best[1].argmin() == 1


def test_either_remedy_helps_adam_with_other_starts_and_a_longer_warm_up() -> None:
    found = beginnings.under_adam(np.array([0.064]), 150, 60, 6, seed=5, batches=3).mean((1, 2))
    assert np.all(found[1:] > found[0] + 0.2)
