"""The numbers behind the figures of the gradient clipping chapter, against theory and against print.

Numbers of the whole experiment come from the cache of the press; what is quick is measured here at another size.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

from dlnotes import datasets, optimizers
from dlnotes.book import drawing, layout
from dlnotes.figures import gradient_clipping as surfaces
from dlnotes.figures import gradient_clipping_by_hand as moving
from dlnotes.figures import gradient_clipping_exact as exact
from dlnotes.figures import gradient_clipping_training as learning
from dlnotes.numpy import adaptive_methods, gradient_checking, gradient_clipping, initialization, minibatch, network

SMALL = {
    "by-hand": {},
    "cliff": {"steps": 5, "runs": 4, "length": 10},
    "steepness": {"longest": 15, "points": 10},
    "turning": {"steps": 3, "networks": 2, "points": 9},
    "bias": {"networks": 2, "examples": 20, "runs": 4, "length": 20},
    "spike": {"last": 1000},
    "rates": {"units": 4, "examples": 64, "steps": 3, "seeds": 2},
}


@functools.cache
def numbers(name: str) -> tuple:
    """The numbers of a figure as the book shows it."""
    return drawing.numbers(layout.find(), drawing.Figure("gradient_clipping", name))


def pixels() -> tuple[np.ndarray, np.ndarray]:
    """Give the digits as the chapter's networks see them."""
    digits = datasets.digits()
    return (digits.inputs - 8) / 8, digits.targets


def batches(generator: np.random.Generator, examples: int, size: int, runs: tuple[int, ...]):
    """Give the indices of one batch a run after another, epoch after epoch."""
    while True:
        order = generator.permuted(np.broadcast_to(np.arange(examples), (*runs, examples)), axis=-1)
        yield from np.split(order, range(size, examples, size), axis=-1)


def longest_over_usual(norms: np.ndarray) -> np.ndarray:
    """Give, for each run, the longest gradient over the median of the 100 before it."""
    usual = np.median(np.lib.stride_tricks.sliding_window_view(norms, 100, axis=0), axis=-1)
    return (norms[100:] / usual[:-1]).max(0)


# --- the cliff


def test_the_slopes_of_the_unit_are_those_of_its_loss() -> None:
    for weight, bias in ((4.5, -2.0), (5.0, -2.6), (2.0, 0.3)):
        found = surfaces.unit_loss(np.array(weight), np.array(bias), 20)
        slopes = gradient_checking.numerical_gradient(
            lambda wb: surfaces.unit_loss(wb[..., 0], wb[..., 1], 20).loss, np.array([weight, bias])
        )
        np.testing.assert_allclose([found.slope_weight, found.slope_bias], slopes, rtol=1e-5)


@pytest.mark.parametrize("weight", [3.0, 4.5, 5.0, 6.0])
@pytest.mark.parametrize("length", [5, 20, 50])
def test_the_slope_on_the_wall_is_a_geometric_sum(weight: float, length: int) -> None:
    found = surfaces.unit_loss(np.array(weight), np.array(-weight / 2), length)
    total = sum((weight / 4) ** t for t in range(length))
    assert surfaces.growth(weight, length) == pytest.approx(total, rel=1e-12)
    assert found.slope_bias == pytest.approx(-0.1 * total, rel=1e-9)
    assert found.slope_weight == pytest.approx(-0.05 * total, rel=1e-9)


def test_the_numbers_in_print_of_the_wall() -> None:
    assert surfaces.growth(5.0, 50) == pytest.approx(280_256, abs=1)
    assert surfaces.growth(3.0, 500) == pytest.approx(4.0)
    assert abs(surfaces.growth(-5.0, 50)) > 30_000  # a wall below w = -4 too
    assert np.all(abs(surfaces.growth(np.array([[-3.9], [-3.0], [3.9]]), np.arange(1, 500))) <= 1 / (1 - 3.9 / 4))
    assert surfaces.unit_loss(np.array(5.0), np.array(-2.5), 50).slope_bias == pytest.approx(-28_026, abs=1)


def test_clipped_descents_arrive_and_the_others_are_thrown() -> None:
    shown = numbers("cliff")
    assert shown.solved[1, -1] >= 0.98
    assert 0.37 < shown.solved[0, -1] < 0.45  # of 1,000 starts, whose standard error is 0.016
    assert np.hypot(*(shown.plain[:, -1] - shown.plain[:, 0])) > 2
    assert np.hypot(*(shown.clipped - shown.clipped[:, :1])).max() < 1
    assert shown.plain.shape[1] < shown.clipped.shape[1] == len(shown.steps)


@pytest.mark.parametrize(("rate", "steps", "length"), [(0.05, 600, 50), (0.2, 300, 50), (0.2, 300, 20)])
def test_that_holds_at_other_rates_and_lengths(rate: float, steps: int, length: int) -> None:
    generator = np.random.default_rng(0)
    weight = generator.uniform(4.2, 5.2, 1000)
    bias = generator.uniform(-0.5, 1.0, 1000) - weight / 2
    solved = []
    for bound in (1e300, 1.0):
        _, loss = surfaces.descend(weight, bias, rate, bound, steps, length)
        solved.append(np.mean(loss[-1] < 1e-3))
    assert solved[1] >= 0.99
    assert solved[0] < 0.8
    assert length < 50 or solved[1] == (0.998 if rate < 0.1 else 1)
    assert length < 50 or solved[0] == pytest.approx(0.37 if rate < 0.1 else 0.54, abs=0.005)


@pytest.mark.parametrize(
    ("rates", "size", "steps", "least", "most"),
    [([0.1] * 5 + [0.2] * 5, 32, 20 * 57, 7, 43), ([0.1] * 4, 8, 10 * 225, 65, 139)],
)
def test_an_ordinary_network_has_no_cliff(rates: list[float], size: int, steps: int, least: int, most: int) -> None:
    inputs, labels = pixels()
    generator, norms, runs = np.random.default_rng(0), [], (len(rates),)
    parameters = network.initialize([64, 32, 32, 10], generator, runs=runs)
    for batch, _ in zip(batches(generator, len(labels), size, runs), range(steps), strict=False):
        grads = network.loss_and_gradient(parameters, inputs[batch], labels[batch]).gradient
        norms.append(gradient_clipping.global_norm(grads, 1))
        for name, value in parameters.items():
            value -= np.reshape(rates, (-1, *[1] * (value.ndim - 1))) * grads[name]
    found = longest_over_usual(np.array(norms))
    assert found.min() == pytest.approx(least, rel=0.2)  # rounding moves a single gradient, so not to the digit
    assert found.max() == pytest.approx(most, rel=0.2)


def test_a_recurrent_network_that_reads_pixels_meets_long_gradients() -> None:
    """One of the twelve runs in print, and not its number: by a change in the thirteenth digit 36,000 becomes 25."""
    generator = np.random.default_rng(1)
    inputs, labels = pixels()
    start = {
        "input.weight": initialization.lecun_normal((24, 1), generator),
        "input.bias": np.zeros(24),
        "state.weight": 1.2 * initialization.lecun_normal((24, 24), generator),
        "output.weight": initialization.lecun_normal((10, 24), generator),
        "output.bias": np.zeros(10),
    }
    order, norms = np.random.default_rng(10), []
    for _ in range(390):
        batch = order.permutation(500)[:32]
        _, grads = learning.recurrent_gradient(start, inputs[batch], labels[batch])
        norms.append(gradient_clipping.global_norm(grads))
        start = {name: value - 0.1 * grads[name] for name, value in start.items()}
    assert longest_over_usual(np.array(norms)) > 10


def test_one_step_at_the_edge() -> None:
    start = np.array([4.6]), np.array([-2.29999])
    plain, _ = surfaces.descend(*start, 0.1, 1e300, 50, 50)
    clipped, losses = surfaces.descend(*start, 0.1, 1.0, 200, 50)
    steps = [np.hypot(*np.moveaxis(np.diff(path, axis=0)[..., 0], 1, 0)) for path in (plain, clipped)]
    assert steps[0][0] == pytest.approx(73, abs=0.5)
    assert steps[0][1:].max() < 1e-9
    assert steps[1].max() <= 0.1 + 1e-12
    assert losses[-1] < 1e-3
    found = surfaces.unit_loss(clipped[:50, 0, 0], clipped[:50, 1, 0], 50)
    lengths = np.hypot(found.slope_weight, found.slope_bias)
    assert lengths.max() > 1000 * np.median(lengths)


def test_above_the_edge_the_lowest_loss_is_at_the_wall() -> None:
    limit = math.log(0.7 / 0.3) / 0.2
    assert limit == pytest.approx(4.24, abs=0.005)
    above = np.linspace(1e-3, 1, 300)
    for weight in (limit - 0.2, limit + 0.2):
        losses = surfaces.unit_loss(np.array(weight), above - weight / 2, 400).loss
        assert (np.argmin(losses) > 0) == (weight < limit)


def test_the_wall_steepens_exponentially_above_four_only() -> None:
    shown = numbers("steepness")
    assert np.all(shown.slopes >= shown.on_wall * (1 - 1e-9))
    rates = np.log(shown.slopes[:, -1] / shown.slopes[:, -3]) / (shown.lengths[-1] - shown.lengths[-3])
    np.testing.assert_allclose(rates[1:], np.log(shown.weights[1:] / 4), rtol=0.1)
    assert abs(rates[0]) < 1e-3


# --- directions


def test_the_formula_of_the_cosine() -> None:
    generator = np.random.default_rng(1)
    g = generator.standard_normal(40) ** 3
    for bound in (5.0, 0.5, 1e-5):
        clipped = gradient_clipping.clip_by_value(g, bound)
        wanted = g @ clipped / np.linalg.norm(g) / np.linalg.norm(clipped)
        assert surfaces.cosine_after(abs(g), bound) == pytest.approx(wanted, rel=1e-12)
    parts = g.reshape(4, 10)
    lengths = np.linalg.norm(parts, axis=1)
    clipped = np.stack([gradient_clipping.clip_by_norm(part, 0.7) for part in parts])
    wanted = (parts * clipped).sum() / np.linalg.norm(parts) / np.linalg.norm(clipped)
    assert surfaces.cosine_after(lengths, 0.7) == pytest.approx(wanted, rel=1e-12)
    grid = np.array([surfaces.cosine_after(abs(g), bound) for bound in np.geomspace(1e-6, 100, 200)])
    assert np.all(np.diff(grid) > -1e-12)
    assert grid[0] >= 1 / math.sqrt(40)


def test_only_the_global_norm_keeps_the_direction() -> None:
    shown = numbers("turning")
    np.testing.assert_allclose(shown.by_global, 1, rtol=1e-12)
    for found in (shown.by_value, shown.by_array):
        assert np.all(np.diff(found[1]) > -1e-12)
        assert found[1, -1] == pytest.approx(1, abs=1e-3)
    assert shown.by_array[1, 0] == pytest.approx(shown.floors[1], abs=1e-6)
    assert shown.by_value[1, 0] == pytest.approx(shown.floors[0], abs=0.05)
    assert shown.floors == pytest.approx([0.63, 0.77], abs=0.01)


# --- the bias


def test_descent_ends_where_the_formula_says() -> None:
    shown = numbers("bias")
    np.testing.assert_allclose(shown.rest[0], shown.theory, atol=0.02)
    assert learning.rest_of_exponential(np.array([1.0]))[0] == pytest.approx(0.841, abs=5e-4)
    assert learning.rest_of_exponential(np.array([1e-4]))[0] == pytest.approx(math.log(2), abs=1e-4)
    at_edge = learning.rest_of_exponential(np.array([0.7966, 0.7970]))  # both forms meet at 0.797
    assert at_edge[0] == pytest.approx(at_edge[1], abs=5e-4)
    assert np.all(shown.rest[2] > 0.97)
    assert shown.rest[1, 0] == pytest.approx(0.92, abs=0.01)  # the median of a mean of four


def test_the_rest_is_where_clipped_gradients_cancel() -> None:
    numbers_drawn = np.random.default_rng(2).exponential(size=400_000)
    for bound in (0.3, 1.0, 3.0):
        rest = learning.rest_of_exponential(np.array([bound]))[0]
        mean = gradient_clipping.clip_by_value(rest - numbers_drawn, bound).mean()
        assert abs(mean) < 4 * bound / math.sqrt(400_000)
        g = 1 - numbers_drawn
        bias = abs(gradient_clipping.clip_by_value(g, bound).mean() - g.mean())
        assert bias <= (g * g).mean() / (4 * bound)


def test_in_trained_networks_clipping_examples_turns_the_mean() -> None:
    shown = numbers("bias")
    assert np.all(shown.cosines[0, 1] > 0.97)
    assert np.all(np.diff(shown.cosines[1, 1]) < 0.01)
    assert shown.cosines[1, 1, -1] == pytest.approx(0.6, abs=0.05)
    assert shown.cosines[1, 1, 0] > 0.98


@pytest.mark.parametrize(("steps", "seeds", "least", "most"), [(200, 3, 8, 29), (1000, 1, 49, 128)])
def test_the_longest_tenth_of_single_gradients(steps: int, seeds: int, least: int, most: int) -> None:
    found = []
    for seed in range(seeds):
        parameters, inputs, labels = surfaces.trained(steps, 6, seed)
        for run in range(6):
            own = {name: np.broadcast_to(value[run], (300, *value.shape[1:])) for name, value in parameters.items()}
            grads = network.loss_and_gradient(own, inputs[:300, None], labels[:300, None]).gradient
            lengths = gradient_clipping.global_norm(grads, 1)
            found.append(np.quantile(lengths, 0.9) / np.median(lengths))
    assert min(found) == pytest.approx(least, abs=0.5)
    assert max(found) == pytest.approx(most, abs=0.5)


def test_nothing_pulls_where_all_noise_is_clipped() -> None:
    for place in (0.5, 1.5, 1.99, 2.5):
        clipped = gradient_clipping.clip_by_value(np.array([place + 3, place - 3]), 1.0)
        assert (clipped.mean() == 0) == (place < 2)


# --- the spike


def test_the_order_decides_how_long_a_spike_works() -> None:
    shown = numbers("spike")
    wrong = (shown.velocity < 0).sum(1)
    assert wrong.tolist() == [0, 44]
    assert shown.velocity[0].min() == pytest.approx(0.7, abs=1e-3)
    assert (np.abs(shown.velocity[1] + 2) < 1e-12).sum() == 34


def test_adam_follows_the_formula() -> None:
    shown = numbers("spike")
    np.testing.assert_allclose(shown.adam, shown.theory, rtol=0.01, atol=0.01)
    assert np.all(np.abs(shown.adam) <= 0.1 / math.sqrt(0.001) + 1e-9)
    assert np.all(shown.adam_clipped[shown.after > 20] > 0.95)
    growing = (0.999 / 0.9) ** np.arange(-80.0, 1.0)
    steps = exact.steps_around(adaptive_methods.Adam(1.0), np.append(np.zeros(20_000), growing)[:, None])
    bound = 0.1 / math.sqrt(0.001) / math.sqrt(1 - 0.81 / 0.999)
    assert steps.max() == pytest.approx(bound, rel=1e-5)
    assert bound == pytest.approx(7.27, abs=5e-3)
    for length, beta, wanted, moved in ((100, 0.999, 22, 20.8), (1000, 0.999, 44, 30.0), (100, 0.95, 22, 3.6)):
        ordinary = np.append(np.ones(5000), np.append(-length, np.ones(100)))
        taken = exact.steps_around(adaptive_methods.Adam(1.0, 0.9, beta), ordinary[:, None])[5000:, 0]
        assert (taken < 0).sum() == wanted
        assert -taken[taken < 0].sum() == pytest.approx(moved, abs=0.1)
    for beta, ratio, wanted, bounds, before in ((0.999, 111, 3.29, 7.27, 6000), (0.95, 2.11, 1.026, 1.165, 300)):
        sizes = ratio * np.array([0.3, 0.9, 1, 1.1, 3, -1])
        equal = np.append(np.ones((before, 6)), [sizes], axis=0)
        taken = exact.steps_around(adaptive_methods.Adam(1.0, 0.9, beta), equal)[-1]
        assert taken.max() == taken[2] == pytest.approx(math.sqrt(0.81 / beta + 0.01 / (1 - beta)), rel=2e-3)
        assert taken[2] == pytest.approx(wanted, rel=2e-3)
        assert 0.1 / math.sqrt(1 - beta) / math.sqrt(1 - 0.81 / beta) == pytest.approx(bounds, abs=5e-3)
    alone = exact.steps_around(adaptive_methods.Adam(1.0), np.append(np.zeros(20_000), np.eye(400)[0])[:, None])
    assert np.abs(alone).sum() == pytest.approx(0.1 / math.sqrt(0.001) / (1 - 0.9 / math.sqrt(0.999)), rel=1e-4)
    assert np.abs(alone).sum() == pytest.approx(31.8, abs=0.05)
    times = np.arange(1, 5001)
    for beta, largest in ((0.999, 1), (0.95, 2.236)):
        correction = np.sqrt(1 - beta**times) / (1 - 0.9**times)
        assert correction.max() == pytest.approx(largest, abs=5e-3)
        assert np.all(correction * np.sqrt(1 - (0.81 / beta) ** times) <= 1 + 1e-12)
    for length, beta, wanted in ((100, 0.999, 1203), (1000, 0.999, 5806), (100, 0.95, 100)):
        steps = math.log(3 / ((length**2 - 1) * (1 - beta))) / math.log(beta)
        assert steps == pytest.approx(wanted, abs=0.6)


def adams(rate: float, spikes: list[float], bounds: list[float], steps: int, seeds: int, rule=adaptive_methods.Adam):
    """Train networks on digits, one spike in the 21st step from behind; give the losses, (spike, seed)."""
    inputs, labels = pixels()
    generator, runs = np.random.default_rng(0), (len(spikes), seeds)
    start = network.initialize([64, 32, 32, 10], generator, runs=(seeds,))
    parameters = {name: np.broadcast_to(value, (*runs, *value.shape[1:])).copy() for name, value in start.items()}
    clip = gradient_clipping.ClipByGlobalNorm(np.broadcast_to(np.reshape(bounds, (-1, 1)), runs), 2)
    optimizer = optimizers.chain(clip, rule(rate))
    state = optimizer.init(parameters)
    for batch, step in zip(batches(generator, len(labels), 32, (seeds,)), range(steps), strict=False):
        own = (np.broadcast_to(data[batch], (*runs, *data[batch].shape[1:])) for data in (inputs, labels))
        grads = network.loss_and_gradient(parameters, *own).gradient
        if step == steps - 21:
            grads = {name: g * np.reshape(spikes, (-1, *[1] * (g.ndim - 1))) for name, g in grads.items()}
        updates, state = optimizer.update(grads, state, parameters)
        parameters = optimizers.apply_updates(parameters, updates)
    return network.loss_and_gradient(parameters, inputs, labels).loss


def test_a_spike_of_either_sign_spoils_adam() -> None:
    losses = adams(0.003, [-1000, 1000, -1000, 1], [1e300, 1e300, 5, 1e300], 171, 3)
    assert losses[:2].min() == pytest.approx(1.3, abs=0.05)
    assert losses[:2].max() == pytest.approx(4.1, abs=0.05)
    assert np.all((losses[2:] > 0.105) & (losses[2:] < 0.155))


def test_under_adam_a_low_threshold_is_no_rate() -> None:
    kept = {"spikes": [1, 1], "bounds": [0.1, 0.001], "steps": 200, "seeds": 1}
    np.testing.assert_allclose(adams(0.003, **kept)[:, 0], [0.090, 0.091], atol=5e-4)
    high, low = adams(0.3, **kept, rule=minibatch.SGD)
    assert low > 3 * high


def test_weight_decay_of_sgd_comes_behind_the_clipping() -> None:
    torch = pytest.importorskip("torch")
    weight = torch.nn.Parameter(torch.tensor([100.0]))
    weight.grad = torch.tensor([5.0])
    torch.nn.utils.clip_grad_norm_([weight], 1.0)
    torch.optim.SGD([weight], lr=0.1, weight_decay=0.1).step()
    assert 100 - weight.item() == pytest.approx(1.1, abs=1e-4)


# --- rates


def test_the_gradient_of_the_recurrent_network() -> None:
    generator = np.random.default_rng(0)
    start = learning.recurrent_start(5, generator, (2,))
    inputs, labels = generator.normal(size=(2, 3, 24)), np.array([[0, 3, 9], [1, 2, 2]])
    _, grads = learning.recurrent_gradient(start, inputs, labels)
    for name, value in start.items():

        def total(moved, name=name):
            return learning.recurrent_gradient({**start, name: moved}, inputs, labels)[0].sum()

        found = gradient_checking.numerical_gradient(total, value, batched=False)
        np.testing.assert_allclose(grads[name], found, rtol=1e-5, atol=1e-8)


def test_clipping_widens_the_range_of_rates() -> None:
    shown = numbers("rates")
    best = shown.accuracy[:, 1].max(-1)
    assert np.all(best > 0.9)
    assert np.ptp(best) < 0.03
    trained = shown.accuracy[:, 1] > 0.6
    assert shown.rates[trained[2]].max() < shown.rates[trained[0]].max() / 5
    # Where most steps are clipped, rate times threshold decides.
    np.testing.assert_allclose(shown.accuracy[0, 1, 2:], shown.accuracy[1, 1, :-2], atol=0.06)


def recurrent_accuracy(rates: list[float], clip, steps: int = 150) -> np.ndarray:
    """Train the chapter's recurrent network, two seeds at each rate; give the accuracies, (rate, seed)."""
    inputs, labels = (data[:1000] for data in pixels())
    generator, runs = np.random.default_rng(0), (len(rates), 2)
    start = learning.recurrent_start(24, generator, (2,))
    parameters = {name: np.broadcast_to(value, (*runs, *value.shape[1:])).copy() for name, value in start.items()}
    for batch, _ in zip(batches(generator, 1000, 32, (2,)), range(steps), strict=False):
        own = (np.broadcast_to(data[batch], (*runs, *data[batch].shape[1:])) for data in (inputs, labels))
        grads = clip(learning.recurrent_gradient(parameters, *own)[1])
        for name, value in parameters.items():
            value -= np.reshape(rates, (-1, *[1] * (value.ndim - 1))) * grads[name]
    return learning._recurrent_accuracy(
        parameters, np.broadcast_to(inputs[:300], (*runs, 300, 64)), np.broadcast_to(labels[:300], (*runs, 300))
    )


def by_norm(bound: float):
    return lambda grads: gradient_clipping.clip_by_global_norm(grads, bound, 2)


def by_value(bound: float):
    return lambda grads: {name: gradient_clipping.clip_by_value(g, bound) for name, g in grads.items()}


def test_the_range_of_rates_widens_by_two_and_its_unit_changes_by_ten() -> None:
    for bound, trains, fails in ((1e300, [0.05, 0.85], [0.03, 1.5]), (1.0, [0.05, 1.5], [0.03, 2.7])):
        assert np.all(recurrent_accuracy(trains, by_norm(bound), steps=100).mean(-1) > 0.7)
        assert np.all(recurrent_accuracy(fails, by_norm(bound), steps=100).mean(-1) < 0.7)
    assert np.all(recurrent_accuracy([0.5, 15.0], by_norm(0.1), steps=100).mean(-1) > 0.7)
    assert np.all(recurrent_accuracy([0.3, 27.0], by_norm(0.1), steps=100).mean(-1) < 0.7)


def test_clipping_by_value_trains_a_recurrent_network_as_well() -> None:
    rates = [0.3, 1.0, 3.0, 10.0]
    for clip, wanted in ((by_norm(0.1), (0.95, 0.96)), (by_value(0.003), (0.95, 0.95)), (by_value(0.01), (0.94, 0.96))):
        best = np.sort(recurrent_accuracy(rates, clip).max(0))
        np.testing.assert_allclose(best, wanted, atol=0.01)


# --- the figure that moves


def test_one_start_is_thrown_off_the_map_and_arrives_when_clipped() -> None:
    shown = numbers("by-hand")
    off = (shown.plain[0] > moving.WEIGHTS[1]) | (shown.plain[1] > moving.BIASES[1])
    assert np.flatnonzero(off).tolist() == [len(off) - 1]  # the last place that is kept, and no other
    assert shown.loss[0, -1] > 0.05 > 0.001 > shown.loss[1, -1]
    lengths = np.linalg.norm(np.diff(shown.clipped), axis=0)
    assert lengths.max() == pytest.approx(moving.RATE * moving.THRESHOLD)
    before = len(off) - 2  # up to the throw both take the same steps, none of which is too long
    np.testing.assert_array_equal(shown.plain[:, :before], shown.clipped[:, :before])


def test_the_shades_of_the_map_are_the_losses_of_the_unit() -> None:
    shown = numbers("by-hand")
    weight, bias = 4 + 1.2 * 30.5 / 60, -2.7 + 1.1 * 40.5 / 44
    loss = surfaces.unit_loss(np.array(weight), np.array(bias), moving.LENGTH).loss
    assert shown.shade[40, 30] == np.count_nonzero(loss >= moving.LEVELS)
    assert sorted(set(shown.shade.ravel())) == [0, 1, 2, 3, 4, 5]
