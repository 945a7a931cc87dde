"""The numbers behind the figures of the chapter on batch normalization, against theory and against print.

Numbers of the whole experiment come from the cache of the press; what is quick is measured here at another size.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

from dlnotes.book import drawing, layout
from dlnotes.figures import batch_normalization as signals
from dlnotes.figures import batch_normalization_inference as prediction
from dlnotes.figures import batch_normalization_mechanism as mechanism
from dlnotes.figures import batch_normalization_net as nets
from dlnotes.figures import batch_normalization_training as learning
from dlnotes.numpy import batch_normalization, network

SMALL = {
    "grid": {"hidden": 1, "width": 8, "seeds": 1, "steps": 2},
    "depth": {"depths": (2, 3), "rates": (0.1,), "width": 8, "seeds": 2, "steps": 2},
    "groups": {"sizes": (2, 50, 100), "width": 8, "seeds": 2, "steps": 2},
    "explosion": {"width": 16, "depth": 9, "networks": 2, "batch": 8, "batches": (4, 8), "short": 8},
    "batch-noise": {"sizes": (4, 8), "draws": 5, "width": 8},
    "sight": {"examples": 3, "features": 4, "pixels": 2},
    "shifted-fits": {"examples": 20, "samples": 3},
    "weights": {"width": 4, "steps": 8, "every": 4, "seeds": 1},
    "landscape": {"hidden": 1, "width": 8, "steps": 4, "every": 2, "seeds": 2},
    "noisy": {"hidden": 2, "width": 8, "steps": 8, "every": 4, "seeds": 2},
    "inference": {"sizes": (4, 8), "width": 8, "steps": 3, "seeds": 2},
}


@functools.cache
def numbers(name: str) -> tuple:
    """The numbers of a figure as the book shows it."""
    return drawing.numbers(layout.find(), drawing.Figure("batch_normalization", name))


# --- the network of the chapter


NETS = {
    "before": nets.Net(activation="tanh"),
    "after": nets.Net(activation="tanh", place="after"),
    "none": nets.Net(activation="tanh", place="none"),
    "groups": nets.Net(activation="tanh", group=4),
    "layer norm": nets.Net(activation="tanh", kind="layer"),
    "skip": nets.Net(activation="tanh", skip=0.5),
    "skip after": nets.Net(activation="tanh", skip=1.0, place="after"),
    "skip alone": nets.Net(activation="tanh", skip=1.0, place="none"),
    "disturbed": nets.Net(activation="tanh", disturb=lambda y: (np.full_like(y, 1.3), np.full_like(y, 0.2))),
}


@pytest.mark.parametrize("net", NETS.values(), ids=NETS)
def test_the_gradient_of_the_network_is_that_of_its_loss(net: nets.Net) -> None:
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((2, 12, 5)), generator.integers(0, 3, (2, 12))
    parameters = nets.initialize([5, 7, 7, 3], generator, runs=(2,), dtype=np.float64)
    parameters = {name: value + 0.1 * generator.standard_normal(value.shape) for name, value in parameters.items()}
    _, grads = nets.loss_and_gradient(parameters, x, y, net)
    for name, value in parameters.items():
        for place in list(np.ndindex(*value.shape))[::7]:
            ends = []
            for sign in (1, -1):
                moved = value.copy()
                moved[place] += sign * 1e-5
                ends.append(nets.loss_and_gradient(parameters | {name: moved}, x, y, net).loss[place[0]])
            assert grads[name][place] == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-8), name


def test_without_normalization_it_is_the_perceptron() -> None:
    generator = np.random.default_rng(1)
    x = generator.standard_normal((6, 5))
    parameters = nets.initialize([5, 7, 4, 3], generator, dtype=np.float64)
    logits, _ = nets.forward(parameters, x, nets.Net(place="none"))
    plain = {name: value for name, value in parameters.items() if name.split(".")[1] in ("weight", "bias")}
    assert np.allclose(logits, network.forward(plain, x)[0], rtol=1e-12)


def test_with_its_own_statistics_prediction_is_training() -> None:
    generator = np.random.default_rng(2)
    x = generator.standard_normal((50, 5))
    parameters = nets.initialize([5, 7, 4, 3], generator, dtype=np.float64)
    net = nets.Net()
    statistics = nets.whole_statistics(parameters, x, net)
    biased = [one._replace(variance=one.variance * 49 / 50) for one in statistics]
    there, _ = nets.forward(parameters, x, net)
    assert np.allclose(nets.forward(parameters, x, net, biased)[0], there, rtol=1e-10, atol=1e-12)
    assert not np.allclose(nets.forward(parameters, x, net, statistics)[0], there, rtol=1e-3)  # n against n - 1


def test_a_bias_before_batch_norm_gets_no_gradient_and_weights_get_none_along_themselves() -> None:
    generator = np.random.default_rng(3)
    x, y = generator.standard_normal((20, 5)), generator.integers(0, 3, 20)
    parameters = nets.initialize([5, 7, 6, 3], generator, dtype=np.float64)
    loss, grads = nets.loss_and_gradient(parameters, x, y, nets.Net(epsilon=0.0))
    for layer in ("0", "2"):
        w, g = parameters[f"{layer}.weight"], grads[f"{layer}.weight"]
        assert np.abs(grads[f"{layer}.bias"]).max() < 1e-15
        assert np.abs((w * g).sum(-1)).max() < 1e-14 < np.abs(g).max()
        loss5, grads5 = nets.loss_and_gradient(parameters | {f"{layer}.weight": 5 * w}, x, y, nets.Net(epsilon=0.0))
        assert loss5 == pytest.approx(loss, rel=1e-12)  # L(5 w) = L(w)
        assert np.allclose(grads5[f"{layer}.weight"], g / 5, rtol=1e-10, atol=1e-14)  # and the gradient over 5
        loss4, grads4 = nets.loss_and_gradient(parameters | {f"{layer}.weight": 4 * w}, x, y, nets.Net(epsilon=0.0))
        assert loss4 == loss  # a power of two is exact to the bit
        assert np.array_equal(grads4[f"{layer}.weight"], g / 4)


# --- learning rate and scale


def test_batch_norm_widens_the_map() -> None:
    shown = numbers("grid")
    assert (shown.plain > 0.8).sum() <= 4
    assert (shown.normalized > 0.8).sum() >= 22
    assert 0.45 < (shown.normalized > 0.5).mean() < 0.6  # half of the map
    rates = learning.RATES
    for rate in (0.25, 1.0):
        row = int(np.flatnonzero(rates == rate)[0])
        assert shown.normalized[row].min() > 0.6
        assert shown.plain[row].max() < 0.95
        assert np.median(shown.plain[row]) < 0.15


def test_at_its_best_point_the_plain_network_is_no_worse_by_much() -> None:
    shown = numbers("grid")
    assert shown.plain.max() > shown.normalized.max() - 0.1


def test_small_scales_follow_the_effective_rate() -> None:
    shown = numbers("grid")
    # Four times the rate at twice the scale: the same direction at every step, up to the layers without batch norm.
    scales = learning.SCALES
    small = int(np.flatnonzero(scales == 0.25)[0])
    for row in range(3):
        along = shown.normalized[row, : small + 1], shown.normalized[row + 1, 1 : small + 2]
        across = shown.normalized[row, : small + 1], shown.normalized[row, 1 : small + 2]
        if shown.normalized[row, small] < 0.9:
            assert np.abs(along[0] - along[1]).mean() < np.abs(across[0] - across[1]).mean()


# --- depth


def test_plain_batch_norm_fails_at_depth_and_a_path_past_it_does_not() -> None:
    shown = numbers("depth")
    none, norm, both, scaled = shown.accuracy
    assert min(row[0] for row in shown.accuracy) > 0.9
    assert none[-1] < 0.3
    assert norm[-1] < 0.4
    assert norm[2] > none[2] + 0.1
    assert both[-1] > norm[-1] + 0.2
    assert scaled[-1] > 0.7


# --- groups


def test_the_noise_of_small_groups_regularizes_and_the_normalization_does_not() -> None:
    shown = numbers("groups")
    middle = dict(zip(shown.groups.tolist(), shown.noisy[1], strict=True))
    assert middle[4] > shown.noisy_none + 0.02
    assert middle[10] > shown.noisy_none + 0.02
    assert abs(middle[100] - shown.noisy_none) < 0.02
    assert abs(shown.noisy_layer - shown.noisy_none) < 0.02
    assert np.all(np.diff(shown.noisy[1][2:]) < 0)  # less noise, less help
    printed = {4: 0.942, 10: 0.944, 20: 0.924, 50: 0.908, 100: 0.904}
    assert [middle[size] for size in printed] == pytest.approx(list(printed.values()), abs=0.01)
    assert shown.noisy_none == pytest.approx(0.913, abs=0.01)
    clean = dict(zip(shown.groups.tolist(), shown.clean[1], strict=True))
    assert clean[2] < 0.85
    assert min(clean[size] for size in (4, 10, 20, 50, 100)) > 0.95


# --- the gradient explodes


def test_the_gradient_grows_by_pi_over_pi_less_one() -> None:
    shown = numbers("explosion")
    assert shown.limits[0] == pytest.approx(math.pi / (math.pi - 1), rel=1e-9)
    assert shown.limits[2] == pytest.approx(1, rel=1e-9)
    assert shown.limits[1] == pytest.approx(1.178, abs=5e-4)
    assert np.all(np.abs(shown.factors[:, -1] / shown.limits - 1) < 0.03)
    assert np.all(np.diff(shown.factors, axis=1)[:, :3] < 0)
    assert shown.normalized[1, 0] / shown.theory[0] == pytest.approx(1, abs=0.15)
    assert 0.4 < shown.plain[1, 0] < 2.5


def test_no_activation_is_below_one() -> None:
    # By the expansion in Hermite polynomials the factor is the mean of k under weights a_k^2.
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()
    for function, slope in (
        (np.sin, np.cos),
        (lambda z: z**3, lambda z: 3 * z**2),
        (lambda z: z + 0.1 * z**2, lambda z: 1 + 0.2 * z),
    ):
        values = function(nodes)
        factor = weights @ slope(nodes) ** 2 / (weights @ values**2 - (weights @ values) ** 2)
        assert factor > 1
    assert weights @ (3 * nodes**2) ** 2 / (weights @ nodes**6) == pytest.approx(27 / 15)


def test_the_scale_of_the_weights_does_not_change_the_factor() -> None:
    net, sizes = nets.Net(epsilon=0.0), [64] * 9 + [10]
    squares = []
    for factor in (1.0, 8.0):
        parameters = nets.initialize(sizes, np.random.default_rng(1), scale=factor, dtype=np.float64)
        logits, layers = nets.forward(parameters, np.random.default_rng(2).standard_normal((32, 64)), net)
        _, deltas = nets.backward(np.random.default_rng(3).standard_normal(logits.shape), parameters, layers, net)
        squares.append([np.mean(delta * delta) for delta in deltas])
    assert np.allclose(squares[0], squares[1], rtol=1e-9)


# --- the noise of a batch


def test_the_noise_falls_as_one_over_root_m() -> None:
    shown = numbers("batch-noise")
    assert np.all(np.abs(shown.mean[1] / shown.mean_theory - 1) < 0.1)  # 200 draws know a scatter to 5%
    large = shown.sizes >= 32
    assert np.all(np.abs(shown.deviation[1] / shown.deviation_theory - 1)[large] < 0.12)
    slope = np.polyfit(np.log(shown.sizes), np.log(shown.mean[1]), 1)[0]
    assert slope == pytest.approx(-0.5, abs=0.02)
    at = shown.sizes.tolist().index(512)
    assert shown.mean[1, at] == pytest.approx(0.044, rel=0.1)


def test_of_two_examples_only_the_order_is_left() -> None:
    x = np.random.default_rng(0).standard_normal((2, 9)) * 10.0 ** np.arange(-4, 5)
    y, _ = batch_normalization.batch_norm(x, np.ones(9), np.zeros(9), epsilon=0.0)
    assert np.allclose(y, np.sign(x - x.mean(0)), rtol=1e-12)


def test_running_averages_carry_their_share_of_the_noise() -> None:
    generator = np.random.default_rng(0)
    one, zero = np.ones(2000), np.zeros(2000)
    for share in (0.1, 0.5):
        running = batch_normalization.initial_running_statistics(2000)
        for _ in range(60):
            _, cache = batch_normalization.batch_norm(generator.standard_normal((8, 2000)), one, zero)
            running = batch_normalization.update_running_statistics(running, cache, momentum=share)
        assert running.mean.var() * 8 == pytest.approx(share / (2 - share), rel=0.15)
        assert running.variance.mean() == pytest.approx(1, abs=0.05)


# --- who sees whom


def test_only_batch_norm_looks_at_other_examples() -> None:
    shown = numbers("sight")
    seen = dict(zip(signals.KINDS, shown.seen > 0, strict=True))
    assert np.allclose(shown.seen[:, 1, 2], 1)  # an input moves its own output most
    assert np.array_equal(np.flatnonzero(seen["batch"].any(0)), [2])
    assert seen["batch"][:, 2].all()
    for kind, features in (("layer", range(8)), ("group", range(4)), ("instance", [2])):
        assert np.array_equal(np.argwhere(seen[kind]), [[1, feature] for feature in features])


# --- covariate shift


def test_only_the_misspecified_model_moves_with_its_inputs() -> None:
    shown = numbers("shifted-fits")
    line, parabola = shown.fits
    middle = len(shown.points) // 2
    slopes = (line[:, -1] - line[:, 0]) / (shown.points[-1] - shown.points[0])
    assert slopes == pytest.approx([-2, 2], abs=0.1)  # 2 times the center
    assert line[:, middle] == pytest.approx([-0.75, -0.75], abs=0.1)  # variance - center^2
    assert np.abs(parabola - shown.truth).max() < 0.25
    generator = np.random.default_rng(0)
    moved = signals.CENTERS[1] + 0.5 * generator.standard_normal(20_000)

    def error(degree: int, center: float) -> float:
        found = [signals.coefficients(degree, center, 200, generator, 0.3) for _ in range(50)]
        wrong = signals.design(moved, degree) @ np.transpose(found) - signals.curve(moved)[:, None]
        return float(np.mean(wrong**2))

    assert error(1, -1.0) > 100 * error(1, 1.0)
    assert error(1, 1.0) == pytest.approx(2 * 0.5**4, rel=0.1)  # the curvature that a line misses
    assert error(2, -1.0) < error(1, 1.0)


# --- the length of the weights


def test_lengths_grow_without_decay_and_balance_with_it() -> None:
    shown = numbers("weights")
    assert np.all(np.diff(shown.free, axis=1) > 0)
    assert shown.decayed[:, -1].max() / shown.decayed[:, -1].min() < 1.03
    assert shown.decayed[:, 0].max() / shown.decayed[:, 0].min() == pytest.approx(16, rel=0.02)
    assert shown.decayed[:2, -10:].mean() == pytest.approx(shown.balance[-10:].mean(), rel=0.04)
    assert shown.turn_theory == pytest.approx(math.sqrt(2 * 0.3 * 0.01), rel=2e-3)
    assert np.all(np.abs(shown.turn[:, -10:].mean(1) / shown.turn_theory - 1) < 0.04)


def test_the_next_effective_rate_is_bounded_whatever_the_rate() -> None:
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((40, 5)), generator.integers(0, 3, 40)
    parameters = nets.initialize([5, 1, 3], generator, dtype=np.float64)
    net = nets.Net(activation="tanh", epsilon=0.0)
    w = parameters["0.weight"]
    g = nets.loss_and_gradient(parameters, x, y, net).gradient["0.weight"]
    length = np.linalg.norm(w)
    at_unit = np.linalg.norm(g) * length
    reached = []
    for rate in 10.0 ** np.arange(-3, 6):
        after = np.linalg.norm(w - rate * g)
        assert after**2 == pytest.approx(length**2 + (rate * np.linalg.norm(g)) ** 2, rel=1e-10)
        reached.append(rate / after**2)
    assert max(reached) <= 1 / (2 * at_unit) * (1 + 1e-12)
    best = length**2 / at_unit  # where the bound is reached
    assert best / np.linalg.norm(w - best * g) ** 2 == pytest.approx(1 / (2 * at_unit), rel=1e-10)


# --- along the gradient


def test_along_the_gradient_the_loss_falls_with_batch_norm_and_may_rise_without() -> None:
    shown = numbers("landscape")
    assert np.all(shown.high[1] < 0)
    assert shown.high[0].max() > 1
    assert np.median(shown.change[0][1:] / shown.change[1][1:]) > 1.5


def test_the_change_of_the_gradient_is_the_curvature_of_a_parabola(monkeypatch: pytest.MonkeyPatch) -> None:
    curvature = 3.0

    def parabola(parameters, x, y, net):
        w = parameters["0.weight"]
        return network.LossAndGradient(curvature / 2 * (w * w).reshape(len(w), -1).sum(1), {"0.weight": curvature * w})

    monkeypatch.setattr(nets, "loss_and_gradient", parabola)
    w = np.random.default_rng(0).standard_normal((2, 3, 4))
    low, high, change = mechanism.along_gradient({"0.weight": w}, (None, None), nets.Net(), 0.1, 2)
    assert np.allclose(change, curvature)
    here = curvature / 2 * (w * w).reshape(2, -1).sum(1)
    steps = 1 - curvature * 0.1 * np.array(mechanism.MULTIPLES)
    assert np.allclose(low, here * ((steps**2).min() - 1))
    assert np.allclose(high, here * ((steps**2).max() - 1))


# --- noise after the layer


def test_noise_restores_the_shift_and_training_stays_fast() -> None:
    shown = numbers("noisy")
    none, norm, noise = shown.mean_shift
    assert noise > 4 * none > 20 * norm
    assert shown.loss[0, 1, 5] > 2.2  # without batch norm half of He's scale does not get going
    assert shown.loss[1, 1, -1] < 0.17
    assert shown.loss[2, 1, -1] < 0.3
    assert np.all(shown.loss[2, 1] > shown.loss[1, 1])


def test_deep_batch_norm_is_slow_and_not_stuck() -> None:
    at = np.full((1, 2), 2.0**-3)
    share = learning.accuracies(learning.kind("batch norm", 31), 32, at, width=32, steps=200, batch=32, seed=3)
    assert np.all((share > 0.15) & (share < 0.6))
    assert share.mean() > 0.2  # ten classes


def test_a_plain_network_that_learns_moves_less_than_the_noise() -> None:
    from_he = mechanism.noisy(scale=1.0, steps=120, seeds=3)
    assert from_he.loss[0, 1, -1] < 0.5  # it does learn
    assert 0.05 < from_he.mean_shift[0] < 0.25
    assert from_he.mean_shift[2] > 1.8 * from_he.mean_shift[0]


def test_the_shaking_has_the_mean_and_deviation_that_it_says() -> None:
    y = np.zeros((2, 5, 20_000))
    factor, added = mechanism.shaking(np.random.default_rng(0), 0.5)(y)
    assert np.ptp(factor, axis=1).max() == 0  # the same for every example
    assert added.shape == (2, 1, 20_000)
    assert (factor.min(), factor.max()) == pytest.approx((1, 1.5), abs=1e-3)
    assert added.var() == pytest.approx(0.5**2 / 3, rel=0.03)


# --- prediction


def test_the_mode_forgotten_costs_small_batches_and_one_class_all() -> None:
    shown = numbers("inference")
    assert shown.running > 0.95
    assert np.all(np.diff(shown.mixed[1]) > 0)
    assert shown.mixed[1, 0] < 0.6
    assert shown.mixed[1, -1] > 0.93
    assert shown.sorted.max() < 0.2


def test_running_averages_can_be_too_short_and_too_long() -> None:
    trained = prediction.train(16, (0.001, 0.1, 0.9), width=32, steps=150, seeds=6, seed=4)
    whole = nets.whole_statistics(trained.parameters, trained.train[0], prediction.NET)
    inputs, labels = trained.test
    lagging, good, short = (
        np.median(nets.accuracy(trained.parameters, inputs, labels, prediction.NET, running))
        for running in trained.running
    )
    assert abs(good - np.median(nets.accuracy(trained.parameters, inputs, labels, prediction.NET, whole))) < 0.015
    assert good > short + 0.01
    assert good > lagging + 0.03


def test_batches_of_one_class_are_of_one_class() -> None:
    targets = np.random.default_rng(0).integers(0, 10, 500)
    order = prediction.one_class(targets, 8, np.random.default_rng(1))
    groups = targets[order].reshape(-1, 8)
    assert np.all(groups == groups[:, :1])
    assert len(set(order.tolist())) == len(order) > 400
