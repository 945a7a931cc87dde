"""The numbers behind the figures of the chapter on symmetry breaking, against theory.

Numbers of the whole experiment come from the cache of the press; what is quick is measured here at another size.
"""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np
import pytest

from dlnotes.book import drawing, layout
from dlnotes.figures import symmetry_breaking as starts
from dlnotes.figures import symmetry_breaking_scale as scales
from dlnotes.numpy import gradient_checking, network, objective, symmetry_breaking

SMALL = {
    "equal-start": {"units": 4, "examples": 20, "steps": 10, "every": 5, "seeds": 2},
    "zero-start": {"width": 3, "examples": 20, "steps": 6},
    "rounding": {"units": 3, "examples": 20, "runs": 2, "steps": 12, "start": 6},
    "optimizers": {"units": 3, "examples": 20, "runs": 2, "steps": 60, "every": 1},
    "late-noise": {"units": 3, "examples": 60, "steps": 4, "every": 2, "runs": 2},
    "escape-time": {"width": 4, "runs": 3, "powers": 2},
}


@functools.cache
def numbers(name: str) -> tuple:
    """The numbers of a figure as the book shows it."""
    return drawing.numbers(layout.find(), drawing.Figure("symmetry_breaking", name))


# --- five starts


def test_equal_units_learn_as_one_unit_to_rounding() -> None:
    shown = numbers("equal-start")
    assert np.all(np.abs(shown.losses[1] - shown.one_unit) < 1e-9)
    assert np.all(np.abs(shown.ranks[1] - 1) < 1e-3)
    assert shown.losses[1, 1, -1] < shown.losses[1, 1, 0] - 0.5  # it did learn


def test_zeros_learn_the_shares_of_the_classes_and_nothing_more() -> None:
    shown = numbers("equal-start")
    assert np.all(shown.ranks[0] == 0)
    assert shown.losses[0, 1, 0] == pytest.approx(math.log(10))
    assert shown.losses[0, 1, -1] == pytest.approx(float(shown.chance), abs=1e-3)
    assert np.all(shown.losses[0] >= shown.chance)


def test_random_units_beat_equal_ones_and_the_rank_of_a_tiny_start_dips() -> None:
    shown = numbers("equal-start")
    assert shown.losses[3, 2, -1] < 0.1 < 1 < shown.losses[1, 1, -1]
    assert shown.losses[2, 2, -1] < 0.3
    rank = shown.ranks[2, 1]
    assert rank[0] > 25
    assert rank.min() < 7
    assert rank[-1] > rank.min() + 3
    assert shown.ranks[3, 0].min() > 25


# --- zeros


def test_tanh_wakes_nothing_and_sigmoid_one_layer_a_step() -> None:
    shown = numbers("zero-start")
    awake = np.isfinite(shown.tanh)
    assert not awake[:4].any()
    assert awake[4, 1:].all()
    inputs, labels = starts.some_digits(300, 0)
    relu = network.initialize([64, 16, 16, 16, 10], np.random.default_rng(0), starts._constant(0.0))
    for _ in range(5):
        gradient = network.loss_and_gradient(relu, inputs, labels, "relu").gradient
        relu = {name: value - 0.5 * gradient[name] for name, value in relu.items()}
    assert [name for name, value in relu.items() if value.any()] == ["6.bias"]
    assert np.linalg.norm(relu["6.bias"]) == pytest.approx(shown.tanh[4, 5])
    first = np.isfinite(shown.sigmoid).argmax(-1)
    assert first.tolist() == [4, 3, 2, 1, 1]
    sizes = shown.sigmoid[[3, 2, 1], [1, 2, 3]]
    assert np.all(sizes[1:] / sizes[:-1] < 1e-2)


def test_with_balanced_classes_even_sigmoid_stays_at_zero() -> None:
    inputs, labels = starts.some_digits(1797, 0)
    kept = np.concatenate([np.flatnonzero(labels == one)[:16] for one in range(10)])  # a power of two in each class
    parameters = network.initialize([64, 4, 10], np.random.default_rng(0), starts._constant(0.0))
    gradient = network.loss_and_gradient(parameters, inputs[kept], labels[kept], "sigmoid").gradient
    assert all(np.abs(value).max() < 1e-16 for value in gradient.values())
    unbalanced = network.loss_and_gradient(parameters, inputs[kept[5:]], labels[kept[5:]], "sigmoid").gradient
    assert np.abs(unbalanced["2.weight"]).max() > 1e-3


# --- rounding


def test_the_linear_law_carries_rounding_over_many_powers_of_ten() -> None:
    shown = numbers("rounding")
    for field in ("single", "double"):
        measured = getattr(shown, field)[1, 30:]
        theory = getattr(shown, f"{field}_theory")
        linear = (theory < 0.02) & np.isfinite(measured)
        assert theory[linear].max() / theory[linear].min() > (1e5 if field == "single" else 1e13)
        assert np.all(np.abs(np.log(measured[linear] / theory[linear])) < 1.1)
    assert shown.double[1, 30] < 1e-15
    assert shown.single[1, 30] < 1e-6


def test_float64_puts_the_break_off_and_does_not_prevent_it() -> None:
    shown = numbers("rounding")
    apart = [int(np.argmax(getattr(shown, field)[1] > 0.1 * shown.size)) for field in ("single", "double")]
    assert apart[0] == pytest.approx(150, abs=15)
    assert apart[1] == pytest.approx(270, abs=25)
    # Between step 30 and 130 the law grows by 1 + 0.3 lambda a step.
    growth = (shown.double_theory[100] / shown.double_theory[0]) ** (1 / 100)
    assert (growth - 1) / 0.3 == pytest.approx(0.43, abs=0.05)


def test_the_rate_of_the_ridge_is_steady_and_then_jumps() -> None:
    inputs, labels = starts.digits_per_run(6, 100, 0)
    parameters, rates = starts.symmetric_start(1, 6, np.float64), []
    parameters["2.weight"] = 8 * parameters["2.weight"]  # one unit for eight, at its own rates
    factors = {"0.weight": 1 / 8, "0.bias": 1 / 8, "2.weight": 8, "2.bias": 1}
    for _ in range(320):
        one = {**parameters, "2.weight": parameters["2.weight"] / 8}
        hessian, mixed = starts.curvature_across(
            {
                **one,
                "2.weight": np.repeat(one["2.weight"], 8, -1),
                "0.weight": np.repeat(one["0.weight"], 8, -2),
                "0.bias": np.repeat(one["0.bias"], 8, -1),
            },
            inputs,
            labels,
        )
        zeros = np.zeros((6, 10, 10))
        rates.append(-np.linalg.eigvalsh(np.block([[hessian, mixed], [mixed.mT, zeros]]))[:, 0])
        gradient = starts._tanh_gradient(parameters, inputs, labels).gradient
        parameters = {name: p - 0.3 * factors[name] * gradient[name] for name, p in parameters.items()}
    rates = np.array(rates)
    assert np.median(rates[:150]) == pytest.approx(0.45, abs=0.02)
    assert np.mean((rates[:150] > 0.35) & (rates[:150] < 0.55)) > 0.8
    assert np.all((rates.max(0) > 2) & (rates.max(0) < 6))


def test_blocks_of_the_hessian_are_those_of_finite_differences() -> None:
    inputs, labels = starts.digits_per_run(1, 20, 3)
    generator = np.random.default_rng(0)
    one = network.initialize((64, 1, 10), generator, runs=(1,))
    parameters = {name: np.repeat(value, 2, -2) if name == "0.weight" else value for name, value in one.items()}
    parameters["0.bias"] = np.full((1, 2), 0.1)
    parameters["2.weight"] = np.repeat(one["2.weight"], 2, -1)
    hessian, mixed = starts.curvature_across(parameters, inputs, labels)
    a, e = generator.standard_normal(65), generator.standard_normal(10)

    def loss(step: np.ndarray) -> float:
        moved = {name: value.copy() for name, value in parameters.items()}
        for unit, sign in ((0, 1), (1, -1)):
            moved["0.weight"][0, unit] += sign * step[0] * a[:64]
            moved["0.bias"][0, unit] += sign * step[0] * a[64]
            moved["2.weight"][0, :, unit] += sign * step[0] * e
        return float(network.loss_and_gradient(moved, inputs, labels, "tanh").loss[0])

    h = 1e-3
    measured = (loss(np.array([h])) - 2 * loss(np.array([0.0])) + loss(np.array([-h]))) / h**2
    predicted = 2 * (a @ hessian[0] @ a + 2 * a @ mixed[0] @ e)
    assert measured == pytest.approx(predicted, rel=1e-3)


def test_the_own_order_changes_the_last_bits_only() -> None:
    inputs, labels = starts.digits_per_run(2, 30, 0)
    parameters = starts.symmetric_start(4, 2, np.float64, 0.1)
    parameters["2.weight"] = parameters["2.weight"] * np.linspace(0.5, 1.5, 10)[:, None]
    _, plain = network.loss_and_gradient(parameters, inputs, labels, "tanh")
    _, ordered = starts.gradient_in_own_orders(parameters, inputs, labels, starts.own_orders(4, 30))
    for name, value in plain.items():
        np.testing.assert_allclose(ordered[name], value, rtol=0, atol=1e-15)
    assert np.ptp(ordered["0.weight"], axis=-2).max() > 0
    assert np.abs(ordered["0.weight"]).max() > 1e-4  # so that 1e-15 is the last bits


# --- optimizers


def test_every_optimizer_but_lion_leaves_the_ridge_and_float32_first() -> None:
    shown = numbers("optimizers")
    names = list(starts.OPTIMIZERS)
    lion = names.index("Lion")
    assert np.isnan([shown.single[lion], shown.double[lion]]).all()
    others = [row for row in range(len(names)) if row != lion]
    ratio = shown.double[others, 1] / shown.single[others, 1]
    assert np.all((ratio > 1.4) & (ratio < 3.1))
    groups = (("Muon",), ("Adagrad", "RMSprop"), ("gradient descent", "Adam", "AdamW"), ("momentum",))
    assert [*sum(groups, ()), "Lion"] == names
    fields = [shown.single[[names.index(name) for name in group], 1] for group in groups]
    assert all(before.max() < after.min() for before, after in itertools.pairwise(fields))
    assert names[int(np.nanargmin(shown.single[:, 1]))] == "Muon"
    assert shown.single[0, 1] < 20
    assert shown.double[0, 1] < 60
    momentum = shown.single[names.index("momentum"), 1]
    assert momentum > shown.single[names.index("Adam"), 1] > 3 * shown.single[0, 1]


# --- noise in place of a random start


def test_noise_of_its_own_for_each_unit_does_for_random_weights_and_later() -> None:
    shown = numbers("late-noise")
    equal, noise, dropped, random = range(4)
    assert np.all(np.abs(shown.ranks[equal] - 1) < 1e-3)
    assert shown.accuracy[equal, 2] < 0.5
    for case in (noise, dropped):
        assert shown.ranks[case, 1, 0] == pytest.approx(1)
        assert 8 < shown.ranks[case, 1, -1] < 20 < shown.ranks[random, 1, -1]
        assert shown.accuracy[case, 1] > 0.9
        assert abs(shown.accuracy[case, 1] - shown.accuracy[random, 1]) < 0.04
        half = [int(np.argmax(shown.losses[one, 1] < 1.15)) for one in (case, random)]
        assert half[0] > 2 * half[1] > 0


def test_the_noisy_gradient_without_noise_is_the_gradient() -> None:
    inputs, labels = starts.some_digits(20, 0)
    parameters = network.initialize((64, 5, 10), np.random.default_rng(0))
    _, plain = network.loss_and_gradient(parameters, inputs, labels, "tanh")
    _, same = scales.noisy_gradient(parameters, inputs, labels, np.random.default_rng(0))
    for name, value in plain.items():
        np.testing.assert_allclose(same[name], value, rtol=0, atol=1e-14)


# --- tiny starts


def test_one_hidden_layer_escapes_in_the_logarithm_of_the_scale() -> None:
    shown = numbers("escape-time")
    # The mean of u_0 is used for its draws: chi-square with 10 degrees of freedom, whose logarithm deviates by 0.47.
    assert np.all(np.abs(shown.times[0, 1] - shown.theory[0]) < 0.15)
    slope = np.polyfit(np.log(shown.scales), shown.times[0, 1], 1)[0]
    assert slope == pytest.approx(-1, abs=0.05)


def test_more_hidden_layers_escape_by_a_power_of_the_scale() -> None:
    shown = numbers("escape-time")
    small = shown.scales < 0.02
    for row in (1, 2):
        slope = np.polyfit(np.log(shown.scales[small]), np.log(shown.times[row, 1, small]), 1)[0]
        assert slope == pytest.approx(-row, abs=0.03)


def test_the_gradient_of_linear_networks_is_right() -> None:
    generator = np.random.default_rng(0)
    weights = [generator.standard_normal(shape) for shape in ((4, 3), (5, 4), (3, 5))]
    target = generator.standard_normal((3, 3))
    _, gradients = scales.linear_gradient(weights, target)
    for place, weight in enumerate(weights):

        def loss(moved: np.ndarray, place: int = place) -> np.ndarray:
            first, second, third = (moved if k == place else w for k, w in enumerate(weights))
            return ((third @ second @ first - target) ** 2).sum((-2, -1)) / 2

        numerical = gradient_checking.numerical_gradient(loss, weight)
        np.testing.assert_allclose(gradients[place], numerical, rtol=1e-5, atol=1e-6)


def test_scaling_a_relu_network_scales_its_logits_by_a_power() -> None:
    parameters = network.initialize((5, 7, 7, 3), np.random.default_rng(0))
    inputs = np.random.default_rng(1).standard_normal((4, 5))
    plain, _ = network.forward(parameters, inputs)
    doubled, _ = network.forward({name: 2 * value for name, value in parameters.items()}, inputs)
    assert np.array_equal(doubled, 8 * plain)
    assert objective.cross_entropy(doubled, np.zeros(4, int)) != objective.cross_entropy(plain, np.zeros(4, int))


def test_groups_of_equal_units_stay_groups() -> None:
    """Two kinds of units at the start are two kinds for ever, under mini-batches and Adam."""
    inputs, labels = starts.some_digits(60, 0)
    parameters = starts.symmetric_start(6, 1, np.float64)
    parameters["0.weight"][:, 4:] *= -2
    trained = scales.training.train(
        parameters,
        inputs,
        labels,
        starts.adaptive_methods.Adam(0.003),
        steps=40,
        batch_size=10,
        generator=np.random.default_rng(0),
        runs=(1,),
        gradient=starts._tanh_gradient,
    ).parameters
    groups = symmetry_breaking.unit_groups(trained["0.weight"], tolerance=1e-9)
    assert groups[0].tolist() == [0, 0, 0, 0, 4, 4]
