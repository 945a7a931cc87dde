"""The numbers behind the figures of the initialization chapter, against theory and against print.

Numbers of the whole experiment come from the cache of the press; what is quick is measured here at another size.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

from dlnotes.book import drawing, layout
from dlnotes.figures import initialization as signals
from dlnotes.figures import initialization_alike as alike
from dlnotes.figures import initialization_by_hand as moving
from dlnotes.figures import initialization_training as learning
from dlnotes.numpy import activations, adaptive_methods, initialization, minibatch, network, training

SMALL = {
    "tanh-histograms": {"width": 30, "rows": 40, "depth": 3, "networks": 2},
    "relu-depth": {"width": 10, "depth": 5, "networks": 10},
    "forward-backward": {"size": 16, "rows": 5, "networks": 4},
    "singular-values": {"size": 10, "matrices": 4, "networks": 2},
    "pytorch-default": {"width": 16, "depth": 4, "rows": 5, "networks": 3},
    "tanh-variance": {"width": 16, "depth": 6, "rows": 4, "networks": 3},
    "assumptions": {"fan_in": 16, "rows": 8, "networks": 5},
    "trainability": {"depths": (2, 3), "width": 8, "seeds": 1, "steps": 3},
    "race": {"depth": 2, "width": 8, "seeds": 2, "steps": 4, "every": 2},
    "by-hand": {},
    "signals-alike": {"width": 12, "depth": 4, "every": 2, "count": 40, "networks": 2},
    "width-transfer": {"widths": (8, 16), "hidden": 1, "seeds": 2, "steps": 5},
}


@functools.cache
def numbers(name: str) -> tuple:
    """The numbers of a figure as the book shows it."""
    return drawing.numbers(layout.find(), drawing.Figure("initialization", name))


# --- histograms of deep tanh networks


def test_small_weights_collapse_by_the_law() -> None:
    shown = numbers("tanh-histograms")
    last = shown.deviation[0, :, -1]
    law = (0.01 * math.sqrt(500)) ** 10
    assert np.all(np.abs(last / 3.0e-7 - 1) < 0.15)
    assert np.all(np.abs(last / law - 1) < 0.15)
    assert np.all(last < law)  # tanh lies below the line that the law puts in its place


def test_weights_of_deviation_one_saturate_nine_units_in_ten() -> None:
    shown = numbers("tanh-histograms")
    assert shown.beyond[2] == pytest.approx(0.905, abs=0.005)
    # A unit of a saturated layer sees a sum of 500 signs: a normal number of deviation sqrt(500 * 0.98^2).
    limit = math.atanh(0.99) / math.sqrt(500 * shown.deviation[2, 1, -1] ** 2)
    assert shown.beyond[2] == pytest.approx(math.erfc(limit / math.sqrt(2)), abs=0.003)
    assert shown.beyond[0] == 0
    assert shown.beyond[1] < 1e-6


def test_measured_deviations_follow_the_wide_limit() -> None:
    shown = numbers("tanh-histograms")
    assert np.all(np.abs(shown.deviation[:, 1] / shown.theory - 1) < 0.03)
    assert shown.scales.tolist() == [0.01, math.sqrt(1 / 500), 1]


def test_histograms_hold_every_activation() -> None:
    shown = numbers("tanh-histograms")
    assert np.all(shown.heights.max(-1) == 1)
    shares = shown.heights / shown.heights.sum(-1, keepdims=True)
    middles = (shown.edges[1:] + shown.edges[:-1]) / 2
    spread = np.sqrt((shares * middles**2).sum(-1))
    wide = shown.deviation[:, 1] > 0.1  # the others fit into one bin
    assert np.all(np.abs(spread / shown.deviation[:, 1] - 1)[wide] < 0.03)


# --- thirty ReLU layers


def test_the_same_draws_differ_by_exactly_two_to_the_thirty() -> None:
    shown = numbers("relu-depth")
    assert np.array_equal(shown.moments[1] / shown.moments[0], np.broadcast_to(2.0 ** np.arange(31), (3, 31)))
    assert np.array_equal(shown.moments[2, :, -1] / shown.moments[0, :, -1], np.full(3, 2.0**60))
    # That scaling the weights scales the signal exactly is measured, not assumed: 2 is a power of 4 times 1/2 squared.
    generator = np.random.default_rng(5)
    weights = [initialization.he_normal((50, 50), generator) for _ in range(30)]
    inputs = initialization.normal((3, 50), generator)
    he, quarter = (
        initialization.forward_second_moments([factor * weight for weight in weights], inputs) for factor in (1, 0.5)
    )
    assert np.array_equal(he / quarter, 4.0 ** np.arange(31))


def test_he_keeps_the_mean_and_spreads_as_theory_says() -> None:
    moments = signals.relu_second_moments(width=100, depth=30, networks=600, seed=3)
    spread = moments.std(axis=0, ddof=1) / math.sqrt(600)
    assert np.all(np.abs(moments - 1).mean() < 3)
    assert np.all(np.abs(moments.mean(0) - 1) <= 5 * spread + 1e-12)
    # Each layer multiplies by a mean of n squares, of mean 1 and variance 5/n: ln E[h^2] has variance 5 L / n, nearly.
    logs = np.log2(moments[:, -1])
    predicted = math.sqrt(5 * 30 / 100) / math.log(2)
    assert logs.std(ddof=1) == pytest.approx(predicted, rel=0.12)
    assert logs.std(ddof=1) == pytest.approx(1.65, rel=0.15)
    assert np.median(moments[:, -1]) == pytest.approx(math.exp(-5 * 30 / 100 / 2), rel=0.25)


def test_wider_networks_spread_less() -> None:
    moments = signals.relu_second_moments(width=400, depth=30, networks=40, seed=3)
    assert np.log2(moments[:, -1]).std(ddof=1) == pytest.approx(math.sqrt(5 * 30 / 400) / math.log(2), rel=0.3)


# --- forward and backward gain


def test_gains_are_what_the_fans_say() -> None:
    shown = numbers("forward-backward")
    for way, theory in (("forward", shown.forward_theory), ("backward", shown.backward_theory)):
        measured = getattr(shown, way)
        assert np.all(np.abs(measured[:, 1] / theory - 1) < 0.05)
        assert np.all(measured[:, 0] < measured[:, 1])
        assert np.all(measured[:, 1] < measured[:, 2])
    assert np.allclose(shown.forward_theory[0], 1)
    assert np.allclose(shown.backward_theory[2], 1)
    assert np.allclose(shown.forward_theory[1] + shown.backward_theory[1], 2)  # fan_avg shares the error out
    square = np.argmin(np.abs(shown.ratios - 1))
    assert shown.ratios[square] == 1
    assert np.allclose((shown.forward_theory[:, square], shown.backward_theory[:, square]), 1)


# --- singular values


def test_one_matrix_follows_the_quarter_circle() -> None:
    shown = numbers("singular-values")
    middles = (shown.edges[1:] + shown.edges[:-1]) / 2
    inside = middles < 1.9
    circle = np.sqrt(4 - middles[inside] ** 2) / math.pi
    assert np.all(np.abs(shown.density[inside] - circle) < 0.02)
    assert np.trapezoid(shown.quarter_circle, shown.points) == pytest.approx(1, abs=2e-3)
    assert (shown.density * np.diff(shown.edges)).sum() == pytest.approx(1, abs=1e-12)


def test_the_law_of_products_has_the_moments_of_fuss_and_catalan() -> None:
    ranks = (np.arange(200_000) + 0.5) / 200_000
    for layers, second in ((1, 2), (2, 3), (10, 11)):
        squares = signals.product_law(layers, ranks) ** 2
        assert squares.mean() == pytest.approx(1, rel=2e-3)
        assert (squares**2).mean() == pytest.approx(second, rel=5e-3)  # binomial(2 (L + 1), 2) / (2 L + 1)
    one = signals.product_law(1, ranks)
    beyond = 1 - (one * np.sqrt(4 - one**2) / 2 + 2 * np.arcsin(one / 2)) / math.pi  # of the quarter circle
    assert np.all(np.abs(beyond - ranks) < 1e-4)
    assert one.max() == pytest.approx(2, abs=1e-3)


def test_products_spread_by_the_law_and_orthogonal_ones_do_not() -> None:
    shown = numbers("singular-values")
    inner = (shown.ranks > 0.1) & (shown.ranks < 0.9)
    for product, tolerance in enumerate((0.02, 0.05, 0.1)):
        law = np.log10(np.interp(shown.ranks, shown.theory_ranks, shown.theory[product]))
        error = np.abs(np.log10(shown.products[product]) - law)
        assert np.all(error[inner] < tolerance + 0.04 * np.abs(law[inner]))  # 100 is not yet infinite
    assert np.log10(shown.products[2, 0] / shown.products[2, -2]) > 40
    assert np.all(np.abs(shown.orthogonal - 1) < 1e-12)


# --- what PyTorch draws


def test_pytorch_weights_lose_a_factor_of_six_in_each_layer() -> None:
    shown = numbers("pytorch-default")
    assert np.allclose(shown.theory[1, 1:] / shown.theory[1, :-1], 1 / 6)
    ratio = (shown.weights_alone[1, 8] / shown.weights_alone[1, 0]) ** (1 / 8)
    assert ratio == pytest.approx(1 / 6, rel=0.03)
    assert np.all(np.abs(np.log(shown.he[1])) < 0.25)


def test_pytorch_biases_hold_the_signal_up_and_the_inputs_are_lost() -> None:
    shown = numbers("pytorch-default")
    assert shown.default[1, -1] == pytest.approx(1 / (5 * 256), rel=0.05)  # q = (q / 3 + 1 / (3 n)) / 2
    assert shown.between[1, -1] / shown.default[1, -1] < 1e-9
    inside = np.abs(np.log(np.stack((shown.default[1], shown.between[1])) / shown.theory[2:]))
    assert np.all(inside[0] < 0.1)  # three standard errors of 20 networks
    assert np.all(inside[1] < 0.25)


def test_the_drawn_defaults_are_those_of_torch() -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    h = torch.randn(50, 256, dtype=torch.float64)
    layers = [torch.nn.Linear(256, 256, dtype=torch.float64) for _ in range(8)]
    with torch.no_grad():
        for layer in layers:
            h = torch.relu(layer(h))
    shown = numbers("pytorch-default")
    assert float((h * h).mean()) == pytest.approx(shown.default[1, 8], rel=0.15)
    assert float(h.var(0, unbiased=False).mean()) == pytest.approx(shown.between[1, 8], rel=0.5)


# --- deep tanh networks


def test_gain_one_falls_as_one_over_twice_the_depth() -> None:
    shown = numbers("tanh-variance")
    for depth in (5, 10, 20, 30, 40, 50):
        assert shown.forward[0, 1, depth] * 2 * depth == pytest.approx(1, abs=0.1)
    assert np.all(np.abs(shown.forward[0, 1] / shown.forward_theory[0] - 1) < 0.1)
    # The limit: each layer maps q to q - 2 q^2 + ..., so that 1/q grows by 2.
    deep = signals._wide_limit("tanh", np.ones(1), 4000)[0]
    assert 1 / deep[-1] - 1 / deep[-2] == pytest.approx(2, abs=1e-2)


def test_gain_five_thirds_holds_the_signal_and_lets_the_gradient_grow() -> None:
    shown = numbers("tanh-variance")
    assert np.all(np.abs(shown.forward[1, 1, 10:] - 0.42) < 0.02)
    growth = (shown.backward[1, 1, 5] / shown.backward[1, 1, 45]) ** (1 / 40)
    assert growth == pytest.approx(1.21, abs=0.015)
    assert np.all(np.abs(np.log(shown.backward[:, 1] / shown.backward_theory)) < 0.35)


# --- the assumptions


def test_each_assumption_does_what_theory_says() -> None:
    shown = numbers("assumptions")
    assert np.all(np.abs(shown.measured[:, 1] / shown.theory - 1) < 0.05)


def test_which_assumptions_are_needed() -> None:
    shown = numbers("assumptions")
    median = dict(zip(signals.CASES, shown.measured[:, 1].T, strict=True))
    for unneeded in ("none broken", "inputs correlated", "inputs of unequal size", "weights not normal"):
        assert np.all(np.abs(median[unneeded] - 1) < 0.05), unneeded
    for needed, least in (("weights with a mean", 1.7), ("weights correlated", 8), ("weights look like inputs", 3.5)):
        assert median[needed][1] > least
    assert abs(median["weights correlated"][0] - 1) < 0.05  # inputs of mean 0 forgive it
    assert median["Var[x] for E[x²]"][1] == pytest.approx(1 / (1 - 1 / math.pi), rel=0.05)


# --- trainability


def test_the_factor_of_a_gradient() -> None:
    assert np.allclose(learning.gradient_factor("relu", np.array([0.5, 1, 2])), [0.25, 1, 4])
    small, large = learning.gradient_factor("tanh", np.array([0.5, 16.0]))
    assert small == pytest.approx(0.25, rel=1e-6)
    # Saturated, it grows all the same: s^2 E[tanh'(s z)^2] nears s (integral of sech^4) / sqrt(2 pi), that is
    # 4 s / (3 sqrt(2 pi)).
    assert large == pytest.approx(4 * 16 / (3 * math.sqrt(2 * math.pi)), rel=0.04)
    scales = np.geomspace(0.1, 16, 50)
    assert np.all(np.diff(learning.gradient_factor("tanh", scales)) > 0)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_at_the_boundary_the_factor_is_a_thousand(activation: str) -> None:
    depths = np.array([4.0, 10.0, 20.0])
    low, high = learning.boundary(activation, depths)
    assert learning.gradient_factor(activation, low) ** depths == pytest.approx(1e-3, rel=0.02)
    assert learning.gradient_factor(activation, high) ** depths == pytest.approx(1e3, rel=0.02)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_inside_the_boundary_networks_learn_and_well_outside_they_do_not(activation: str) -> None:
    shown = numbers("trainability")
    accuracy, scales = getattr(shown, activation), learning.SCALES[activation]
    decades = np.log10(learning.gradient_factor(activation, scales)) * np.array(learning.DEPTHS)[:, None]
    shallow = np.array(learning.DEPTHS)[:, None] <= 8
    inside = (np.abs(decades) < 2) & shallow
    assert accuracy[inside].min() > 0.75
    assert accuracy[decades < -8].max() < 0.2
    assert accuracy[decades > 8].max() < 0.45
    chance = accuracy < 0.15
    assert (chance[np.abs(decades) > 4]).mean() > 5 * (chance[np.abs(decades) < 3]).mean()


def test_right_scale_is_not_enough_for_deep_relu_networks() -> None:
    shown = numbers("trainability")
    critical = np.argmin(np.abs(learning.SCALES["relu"] - 1))
    assert shown.relu[-1, critical] < 0.6 < shown.relu[3, critical]
    critical = np.argmin(np.abs(learning.SCALES["tanh"] - 1))
    assert shown.tanh[-1, critical] > 0.6


# --- the race


def test_he_wins_and_small_weights_never_start() -> None:
    shown = numbers("race")
    end = dict(zip(learning.STARTS, np.moveaxis(shown.losses[:, :, :, -1], 1, 0), strict=True))
    chance = float(shown.chance)
    assert chance == pytest.approx(math.log(10))
    assert np.all(np.abs(end["small"][:, 1] - chance) < 0.02)  # under both optimizers, at every rate
    assert abs(end["PyTorch"][0, 1] - chance) < 0.02  # SGD never starts from PyTorch's own start
    assert end["PyTorch"][1, 0] < 1.5  # Adam does
    assert end["He"][0, 2] < 0.5
    assert end["He"][0, 1] < end["Xavier"][0, 1]
    for start in ("Xavier", "He"):
        assert end[start][1, 2] < end["PyTorch"][1, 1]


def test_the_best_rate_of_what_learns_lies_inside_the_grid() -> None:
    shown = numbers("race")
    for (_, rates), best in zip(learning.OPTIMIZERS.values(), shown.rates, strict=True):
        for start in ("Xavier", "He"):
            assert rates[0] < best[learning.STARTS.index(start)] < rates[-1]


# --- learning rate and width


def test_the_best_rate_falls_with_width_under_the_standard_parametrization_alone() -> None:
    shown = numbers("width-transfer")
    standard, maximal = shown.best[:, 1]
    assert np.array_equal(shown.losses[0, 0], shown.losses[1, 0])  # the base is the same network
    assert standard[0] / standard[-1] > 2.5
    assert np.all(np.abs(np.log2(maximal / maximal[0])) < 1)
    slope = np.polyfit(np.log(shown.widths), np.log(standard), 1)[0]
    assert -1.2 < slope < -0.4


def test_wider_is_better_at_one_rate_under_maximal_update() -> None:
    shown = numbers("width-transfer")
    for rate in range(4):  # below the best rate
        assert np.all(np.diff(shown.losses[1, :, rate]) < 0)
    least = shown.losses[0].min(-1)
    assert np.all(np.diff(least) < 0)


def test_the_bottom_of_a_parabola_is_found() -> None:
    rates = 2.0 ** np.arange(-6, 1)
    losses = np.exp((np.log(rates) - math.log(0.11)) ** 2)
    assert learning.lowest(rates, losses) == pytest.approx(0.11)
    assert learning.lowest(rates, np.stack([losses, rates, 1 / rates])) == pytest.approx([0.11, 2**-6, 1])


def test_maximal_update_gives_each_parameter_its_rate() -> None:
    optimizer = learning.maximal_update(np.array([0.1, 0.2]), 4.0)
    names = ("0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias")
    parameters = {name: np.ones((2, 3, 3)) if name.endswith("weight") else np.ones((2, 3)) for name in names}
    updates, _ = optimizer.update(parameters, optimizer.init(parameters), parameters)
    for name, update in updates.items():
        ratio = 4 if name in ("2.weight", "4.weight") else 1
        assert np.allclose(update[0], -0.1 / ratio)
        assert np.allclose(update[1], -0.2 / ratio)


# --- two inputs


def test_images_become_alike_as_the_map_says() -> None:
    shown = numbers("signals-alike")
    assert np.all(np.abs(shown.cosines[:, 1] - shown.theory) < 0.04)
    sigmoid, relu, tanh, small = shown.theory
    assert sigmoid[1] > 0.99
    assert relu[-1] == pytest.approx(0.97, abs=0.01)
    assert np.all(np.diff(relu) > 0)
    assert np.abs(np.concatenate((tanh, small))).max() < 0.01


def test_what_a_probe_reads_at_the_start() -> None:
    shown = numbers("signals-alike")
    sigmoid, relu, tanh, small = shown.accuracy[:, 1, -1]
    pixels = shown.accuracy[0, 1, 0]
    assert np.array_equal(shown.accuracy[:, :, 0], np.full((4, 3), pixels))
    assert sigmoid == pytest.approx(0.74, abs=0.02)
    assert relu == pytest.approx(0.27, abs=0.02)
    assert tanh == pytest.approx(0.19, abs=0.02)
    assert small == pytest.approx(0.72, abs=0.02)
    assert pixels == pytest.approx(0.75, abs=0.01)


def test_proportions_of_distances_stay_where_the_probe_reads() -> None:
    ratios = []
    for start, depth in zip(alike.STARTS, (3, 30, 30, 30), strict=True):
        far, near = (1 - alike.wide_cosines(start, np.array([c]), depth)[-1] for c in (0.0, 0.5))
        ratios.append(far / near)
    assert ratios == pytest.approx([1.97, 1.11, 1.07, 1.79], abs=0.02)


def test_the_wide_cosine_of_relu_is_the_closed_form() -> None:
    start = next(start for start in alike.STARTS if start.activation == "relu")
    c, means = 0.2, alike.wide_cosines(start, np.array([0.2]), 5)
    for mean in means:
        assert mean == pytest.approx(c, abs=2e-3)  # the grid is interpolated
        angle = math.acos(c)
        c = (math.sin(angle) + (math.pi - angle) * math.cos(angle)) / math.pi


def test_a_probe_reads_what_is_there_and_guesses_where_nothing_is() -> None:
    generator = np.random.default_rng(0)
    classes = np.eye(10)[generator.integers(0, 10, 400)]
    noise = generator.standard_normal((400, 20))
    assert alike.probe_accuracy(np.concatenate((noise, classes), axis=1), classes) == 1
    assert alike.probe_accuracy(noise, classes) < 0.25
    both = np.concatenate((noise, classes), axis=1)
    assert alike.probe_accuracy(1e6 + both, classes) == 1  # what all inputs share does not count


def test_holding_the_signal_does_not_help_deep_relu_networks() -> None:
    inputs, targets = learning._digits()
    reached = {}
    for held in (False, True):
        generator = np.random.default_rng(0)
        sizes = [64, *[48] * 23, 10]
        start = network.initialize(sizes, generator, initialization.he_normal, runs=(4,), dtype=np.float32)
        h = inputs
        for layer in range(23):
            name, h = f"{2 * layer}.weight", np.maximum(h @ start[f"{2 * layer}.weight"].mT, 0)
            size = np.sqrt((h * h).mean((-2, -1), keepdims=True)) if held else np.float32(1)
            start[name], h = start[name] / size, h / size
        options = {"steps": 200, "batch_size": 32, "generator": generator, "runs": (4,)}
        trained = training.train(start, inputs, targets, minibatch.SGD(0.05), **options).parameters
        logits, _ = network.forward(trained, inputs, "relu")
        reached[held] = (logits.argmax(-1) == targets).mean(-1)
    assert np.median(reached[False]) < 0.7
    assert np.median(reached[True]) < np.median(reached[False]) + 0.15


def test_adam_reads_more_than_sgd_from_the_same_deep_relu_start() -> None:
    inputs, targets = learning._digits()
    reached = []
    for optimizer in (minibatch.SGD(0.05), adaptive_methods.Adam(learning_rate=0.001)):
        generator = np.random.default_rng(0)
        sizes = [64, *[48] * 23, 10]
        start = network.initialize(sizes, generator, initialization.he_normal, runs=(4,), dtype=np.float32)
        options = {"steps": 200, "batch_size": 32, "generator": generator, "runs": (4,)}
        trained = training.train(start, inputs, targets, optimizer, **options).parameters
        logits, _ = network.forward(trained, inputs, "relu")
        reached.append((logits.argmax(-1) == targets).mean(-1))
    sgd, adam = reached
    assert np.all(sgd < 0.6)
    assert np.all(adam > 0.7)


# --- the figure that moves


def test_relu_keeps_the_sizes_and_makes_inputs_alike_by_its_closed_form() -> None:
    shown = numbers("by-hand")
    np.testing.assert_allclose([shown.signal, shown.gradient], 1, rtol=1e-9)
    c = [0.0]
    for _ in range(30):
        c.append((math.sqrt(1 - c[-1] ** 2) + c[-1] * (math.pi - math.acos(c[-1]))) / math.pi)
    np.testing.assert_allclose(shown.correlation, c, atol=1e-9)


def test_what_goes_through_wide_layers_is_what_a_wide_network_shows() -> None:
    generator = np.random.default_rng(3)
    for activation, variance in (("tanh", 4.0), ("selu", 1.0), ("gelu", 1.5)):
        width, layers = 1500, 6
        theory = moving.through(activation, variance, 0.5, layers)
        weights = [
            math.sqrt(variance) * initialization.lecun_normal((width, width), generator) for _ in range(layers + 1)
        ]
        z = generator.standard_normal((2, width))
        z[1] = 0.5 * z[0] + math.sqrt(0.75) * z[1]
        function, slope = activations.lookup(activation)
        through = [z]
        for weight in weights[1:]:
            through.append(function(through[-1]) @ weight.T)
        back = [generator.standard_normal((2, width))]
        for weight, z in zip(weights[:0:-1], through[-2::-1], strict=True):
            back.insert(0, back[0] @ weight * slope(z))
        signal = np.array([(z**2).mean() for z in through])
        gradient = np.array([(g**2).mean() for g in back])
        cosine = [float(z[0] @ z[1] / math.sqrt((z[0] @ z[0]) * (z[1] @ z[1]))) for z in through]
        np.testing.assert_allclose(signal / signal[0], theory.signal / theory.signal[0], rtol=0.25)
        np.testing.assert_allclose(gradient / gradient[-1], theory.gradient, rtol=0.35)
        np.testing.assert_allclose(cosine, theory.correlation, atol=0.09)
