"""What the numbers of the figures of the chapter on minima and saddle points must satisfy.

Numbers of the whole experiment come from the cache of the press; what is quick is measured here at another size.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

from dlnotes.book import drawing, layout
from dlnotes.figures import minima_saddles as points
from dlnotes.figures import minima_saddles_networks as networks
from dlnotes.numpy import (
    adaptive_methods,
    conditioning,
    initialization,
    minibatch,
    minima_saddles,
    momentum,
    network,
    training,
)

SMALL = {
    "saddle": {"runs": 3, "points": 5},
    "index-loss": {"size": 2, "searches": 4, "samples": 2000},
    "well": {"noise": 12.0, "runs": 4},
    "barrier": {"width": 6, "examples": 40, "steps": 20, "pairs": 2, "points": 5},
    "surface": {"width": 4, "examples": 40, "points": 5, "steps": 20},
    "along": {"width": 3, "examples": 30, "batch": 5, "doublings": 6, "seeds": 2},
}


@functools.cache
def numbers(name: str) -> tuple:
    """The numbers of a figure as the book shows it."""
    return drawing.numbers(layout.find(), drawing.Figure("minima_saddles", name))


# --- a saddle


def test_paths_end_where_the_caption_says() -> None:
    descent, newton, saddle_free = numbers("saddle").paths[:, -1]
    np.testing.assert_allclose(newton, [0, 0], atol=1e-12)
    np.testing.assert_allclose(saddle_free, [0, 1], atol=1e-12)
    np.testing.assert_allclose(descent, [0, 1], atol=0.01)


def test_steps_off_the_ridge_obey_the_logarithmic_law() -> None:
    shown = numbers("saddle")
    np.testing.assert_allclose(shown.descent, shown.theory, atol=2)
    np.testing.assert_allclose(np.diff(shown.descent), math.log(10) / math.log(1.1), atol=1)  # 24 for a factor of 10
    np.testing.assert_allclose(np.diff(shown.saddle_free[3:]), math.log2(10), atol=1)
    assert shown.saddle_free[-1] == 39
    assert shown.descent[-1] == 284


def test_noise_bounds_the_wait() -> None:
    shown = numbers("saddle")
    floor = 0.001 * math.sqrt(0.1 / 2)
    bound = math.log(1 / (math.sqrt(3) * floor)) / math.log(1.1)
    assert np.all(np.abs(shown.noisy[1, 5:] - bound) < 0.12 * bound)
    assert np.all(np.abs(shown.noisy[1, :3] - shown.descent[:3]) <= 2)


# --- index against loss, random signs


def test_index_goes_with_the_loss_and_not_from_point_to_point() -> None:
    shown = numbers("index-loss")
    order = np.argsort(shown.losses)
    shares = shown.shares[order]
    assert (shares[0], shares[-1]) == (0, 0.5)
    assert len(shares) == 16
    assert np.all(shares[1:] > 0)  # no other minimum
    assert np.any(np.diff(shares) < 0)
    assert np.corrcoef(shown.losses, shown.shares)[0, 1] > 0.7


def test_the_search_finds_points_of_the_closed_form() -> None:
    shown = numbers("index-loss")
    assert len(shown.found_losses) >= 75
    distance = np.abs(shown.found_losses[:, None] - shown.losses)
    nearest = distance.argmin(axis=1)
    assert distance.min(axis=1).max() < 1e-6
    np.testing.assert_array_equal(shown.found_shares, shown.shares[nearest])
    lowest = np.argsort(shown.losses)[:2]
    assert set(range(16)) - set(nearest.tolist()) == set(lowest.tolist())  # what the text says of the two lowest


def test_probabilities_of_random_matrices() -> None:
    """To the digits that the pages show."""
    shown = numbers("index-loss")
    digits = [f"{p:.{places}f}" for p, places in zip(shown.exact, (1, 4, 5, 7, 8), strict=True)]
    assert digits == ["0.5", "0.1464", "0.02492", "0.0024567", "0.00014011"]
    closed = [1 / 2, (2 - math.sqrt(2)) / 4, (math.pi - 2 * math.sqrt(2)) / (4 * math.pi)]
    np.testing.assert_allclose(shown.exact[:3], closed, rtol=1e-12)
    error = np.sqrt(shown.exact * (1 - shown.exact) / 300_000)
    assert np.all(np.abs(shown.sampled - shown.exact) < 4 * error)
    assert np.all(shown.exact < shown.rate)


def test_the_share_of_two_rows_is_that_of_a_cone() -> None:
    """Half the trace must exceed the length of two other normal numbers: a cone of 45 degrees."""
    draws = np.random.default_rng(1).standard_normal((200_000, 3))
    inside = np.mean(draws[:, 0] > np.hypot(draws[:, 1], draws[:, 2]))
    assert inside == pytest.approx(points.positive_probability(2), abs=0.004)


# --- out of a well


def test_waits_grow_as_the_law_says() -> None:
    shown = numbers("well")
    ratio = shown.means / shown.theory
    assert np.all((ratio > 1) & (ratio < 2))  # steps of this size take longer
    growth = np.log(shown.means[:, -1] / shown.means[:, 0])
    law = np.log(shown.theory[:, -1] / shown.theory[:, 0])
    np.testing.assert_allclose(growth, law, atol=0.5)
    assert growth[1] > 2 * growth[0]
    spread = shown.steps[:, 2] / shown.steps[:, 0]  # of the unluckiest tenth to the luckiest
    np.testing.assert_allclose([spread.min(), spread.max()], [11, 29], atol=0.5)
    np.testing.assert_allclose([ratio.min(), ratio.max()], [1.2, 1.65], atol=0.02)


# --- networks


def test_barriers() -> None:
    shown = numbers("barrier")
    middle = shown.losses[:, :, len(shown.fractions) // 2]
    ends = shown.losses[:, 1, [0, -1]]
    assert np.all(ends < 0.015)
    copy, other, matched, _ = middle[:, 1]
    assert copy == pytest.approx(0.22, abs=0.03)
    assert other == pytest.approx(0.20, abs=0.03)
    assert matched == pytest.approx(0.035, abs=0.01)
    assert np.max(shown.losses[3]) < 0.02
    assert np.min(middle[0]) > 10 * np.max(ends)
    own = ends.mean()
    assert other - own == pytest.approx(0.192, abs=0.002)
    assert (matched - own) / (other - own) == pytest.approx(1 / 8, abs=0.005)
    narrow = networks.barrier(width=16, points=3).losses[2, 1]
    assert narrow[1] - narrow[::2].mean() > 2 * (matched - own)
    assert narrow[::2].min() > ends.max()  # they fit less well


def test_matching_finds_the_order_of_a_copy() -> None:
    generator = np.random.default_rng(0)
    net = {"0.weight": generator.standard_normal((7, 3)), "0.bias": generator.standard_normal(7)}
    net["2.weight"] = generator.standard_normal((2, 7))
    order = generator.permutation(7)
    copy = {"0.weight": net["0.weight"][order], "0.bias": net["0.bias"][order], "2.weight": net["2.weight"][:, order]}
    back = networks._matched(net, copy)
    np.testing.assert_array_equal(copy["0.weight"][back], net["0.weight"])


def test_one_function_two_surfaces() -> None:
    shown = numbers("surface")
    center = shown.plain.shape[-1] // 2
    middle = shown.plain[:, center, center]
    assert middle[0] == pytest.approx(middle[1], abs=1e-12)
    np.testing.assert_allclose(shown.normalized[0], shown.normalized[1], atol=1e-9)
    assert np.median(shown.plain[1]) > 5 * np.median(shown.plain[0])
    np.testing.assert_allclose(shown.sharpness, [1.5, 13.6], atol=0.06)


def test_gradient_and_signs_along_training() -> None:
    shown = numbers("along")
    at = int(np.argmax(shown.steps == 2048))
    np.testing.assert_allclose(shown.losses[:, 1, at], 0.035, atol=0.002)
    assert 4.5 < shown.norms[1, 1, at] / shown.norms[0, 1, at] < 6
    assert np.all(shown.norms[1, 1, 6:] > shown.norms[0, 1, 6:])
    at_the_end = shown.norms[1, 1, -1] / shown.norms[0, 1, -1]
    assert 3 < at_the_end < 4.5  # the two draw together when the examples are fitted
    assert shown.norms[0, 1, -1] == pytest.approx(0.005, abs=0.0005)
    assert shown.negative[1, 0] == pytest.approx(0.44, abs=0.01)
    assert shown.negative[1, -1] == pytest.approx(0.15, abs=0.01)
    assert np.all(shown.clearly[:, -1] == 0)
    assert shown.positive[1, -1] == pytest.approx(0.14, abs=0.01)


# --- what the text says and no figure shows

Arrays = dict[str, np.ndarray]


def _descend(net: Arrays, inputs: np.ndarray, activation: str, rate: float, steps: int) -> tuple[Arrays, float]:
    labels = networks._digits(len(inputs))[1]
    for _ in range(steps):
        _, slopes = network.loss_and_gradient(net, inputs, labels, activation)
        net = {n: p - rate * slopes[n] for n, p in net.items()}
    return net, float(network.loss_and_gradient(net, inputs, labels, activation)[0])


def _signal(net: Arrays, inputs: np.ndarray, activation: str) -> float:
    """The gradient of the first layer's weights over that of the last's, from one batch of ten."""
    _, labels = networks._digits(10)
    _, slopes = network.loss_and_gradient(net, inputs[:10], labels, activation)
    first, *_, last = (np.linalg.norm(s) for n, s in slopes.items() if n.endswith("weight"))
    return first / last


def _ends(net: Arrays, inputs: np.ndarray, activation: str) -> np.ndarray:
    product = conditioning.hessian_vector_product(net, inputs, networks._digits(len(inputs))[1], activation)
    return np.linalg.eigvalsh(conditioning.dense_hessian(product, sum(p.size for p in net.values())))[[0, -1]]


def _kicked(net: Arrays) -> Arrays:
    generator = np.random.default_rng(7)
    return {n: p + 1e-3 * generator.standard_normal(p.shape) for n, p in net.items()}


def _equal_units(seed: int) -> Arrays:
    """A start in which all hidden units are copies of the first."""
    net = network.initialize((16, 8, 10), np.random.default_rng(seed))
    for name, axis in (("0.weight", 0), ("0.bias", 0), ("2.weight", 1)):
        net[name] = np.repeat(np.take(net[name], [0], axis), 8, axis)
    return net


def test_flat_land_has_no_signal_and_a_kick_does_not_help() -> None:
    inputs = networks._digits(60)[0][:, ::4]
    start = network.initialize([16, *[4] * 10, 10], np.random.default_rng(0))
    net, loss = _descend(start, inputs, "sigmoid", 0.5, 200)
    assert loss == pytest.approx(2.29, abs=0.005)
    assert _signal(net, inputs, "sigmoid") < 1e-4
    low, high = _ends(net, inputs, "sigmoid")
    assert -1e-5 < low < 0
    assert high == pytest.approx(0.23, abs=0.005)  # not small: the ends alone would say a valley
    assert _descend(_kicked(net), inputs, "sigmoid", 0.5, 300)[1] == pytest.approx(loss, abs=1e-3)


def test_equal_units_are_a_saddle_that_a_kick_leaves() -> None:
    inputs, _ = networks._small_digits(60)
    net, loss = _descend(_equal_units(0), inputs, "tanh", 0.1, 2000)
    assert loss == pytest.approx(1.36, abs=0.02)
    assert _signal(net, inputs, "tanh") > 0.1
    low, high = _ends(net, inputs, "tanh")
    assert 0 < -low < 0.05 * high  # as small beside the upper as in a trained network
    assert _descend(net, inputs, "tanh", 0.1, 1000)[1] == pytest.approx(1.31, abs=0.02)
    assert _descend(_kicked(net), inputs, "tanh", 0.1, 1000)[1] == pytest.approx(0.27, abs=0.05)


def test_a_trained_network_goes_on_as_it_would_without_a_kick() -> None:
    inputs, _ = networks._small_digits(60)
    net, loss = _descend(network.initialize((16, 8, 10), np.random.default_rng(0)), inputs, "tanh", 0.3, 2000)
    assert loss == pytest.approx(0.01, abs=0.002)
    assert _signal(net, inputs, "tanh") > 0.1
    low, high = _ends(net, inputs, "tanh")
    assert 0 < -low < 0.01 * high
    alone = _descend(net, inputs, "tanh", 0.3, 300)[1]
    assert _descend(_kicked(net), inputs, "tanh", 0.3, 300)[1] == pytest.approx(alone, rel=0.02)


@pytest.mark.parametrize(
    ("damping", "end"), [(0.1, "saddle"), (0.3, "saddle"), (0.45, "saddle"), (0.6, "minimum"), (2.0, "minimum")]
)
def test_damping_by_less_than_half_the_curvature_ends_in_the_saddle(damping: float, end: str) -> None:
    def step(point: np.ndarray) -> np.ndarray:
        gradient, hessian = minima_saddles.quartic_saddle_gradient(point), minima_saddles.quartic_saddle_hessian(point)
        return conditioning.newton_step(gradient, hessian, damping=damping)

    last = minima_saddles.follow(step, np.array([1.0, 0.001]), 1000)[-1]
    np.testing.assert_allclose(np.abs(last), [0, end == "minimum"], atol=1e-6)


@pytest.mark.parametrize(("rate", "leaves"), [(0.02, False), (0.3, False), (0.48, False), (0.52, True)])
def test_without_noise_a_large_rate_leaves_the_well(rate: float, leaves: bool) -> None:
    x = np.array([1.01])
    for step in range(1000):
        x = x - rate * minima_saddles.double_well_gradient(x, 0.8)
        if x[0] <= 0:
            assert step + 1 == 10
            break
    assert (x[0] <= 0) == leaves


@pytest.mark.parametrize(("start", "leaves"), [(1.41, False), (1.4, False), (1.45, True), (1.5, True), (2.0, True)])
def test_without_noise_a_start_above_the_barrier_may_leave_at_a_small_rate(start: float, leaves: bool) -> None:
    gradient = minima_saddles.double_well_gradient
    path = minima_saddles.follow(lambda p: -0.3 * gradient(p, 0.8), np.array([start]), 1 if leaves else 200)
    assert (path.min() < 0) == leaves


def test_without_noise_nothing_from_below_the_barrier_leaves() -> None:
    starts = np.linspace(1e-3, math.sqrt(2) - 1e-6, 200)[:, None]
    for share in (0.1, 0.9, 0.999):
        rate = share * 2 / (8 * 0.8)
        path = minima_saddles.follow(
            lambda p, rate=rate: -rate * minima_saddles.double_well_gradient(p, 0.8), starts, 500
        )
        assert path.min() > 0


def _classifies(net: Arrays, inputs: np.ndarray, labels: np.ndarray, activation: str) -> np.ndarray:
    """The share of right answers, for each run."""
    return np.mean(network.forward(net, inputs, activation)[0].argmax(-1) == labels, axis=-1)


def _under_tanh(parameters: Arrays, inputs: np.ndarray, labels: np.ndarray) -> tuple:
    return network.loss_and_gradient(parameters, inputs, labels, "tanh")


def _gradient_lengths(
    rate: float, batch: int, marks: tuple[int, ...], runs: int = 20
) -> tuple[list[float], list[float], list[float]]:
    """Median loss, median length of the gradient of all 60 examples and least share of right answers, at some steps."""
    inputs, labels = networks._small_digits(60)
    nets, targets = network.initialize((16, 12, 10), np.random.default_rng(0), runs=(runs,)), np.tile(labels, (runs, 1))
    found, taken, generator = [], 0, np.random.default_rng(1)  # as the block of the claim
    options = {"batch_size": batch, "generator": generator, "runs": (runs,), "gradient": _under_tanh}
    for mark in marks:
        if mark > taken:
            optimizer = minibatch.SGD(learning_rate=rate)
            nets = training.train(nets, inputs, labels, optimizer, steps=mark - taken, **options).parameters
        losses, slopes = _under_tanh(nets, inputs, targets)
        right = _classifies(nets, inputs, labels, "tanh")
        found.append((np.median(losses), np.median(networks._norms(slopes)), right.min()))
        taken = mark
    return tuple(map(list, zip(*found, strict=True)))


def test_the_gradients_of_small_batches_draw_near_those_of_the_full_batch() -> None:
    marks = (0, 100, 400, 600, 1600)
    (large, full, _), (small, noisy, right) = (_gradient_lengths(0.4, batch, marks) for batch in (60, 3))
    ratios = np.divide(noisy, full)
    np.testing.assert_allclose(ratios[1:], [7, 4.1, 2, 1], rtol=0.03)
    assert small[2] == pytest.approx(large[2], abs=0.003)  # 400 steps: the same loss
    assert right[2] < 1 == right[3]
    np.testing.assert_allclose([large[4], small[4]], 0.006, atol=0.0005)
    np.testing.assert_allclose([full[4] / full[0], noisy[4] / noisy[0]], 0.004, atol=0.0005)


def test_at_twice_the_rate_small_batches_leave_a_far_longer_gradient() -> None:
    (_, full, _), (_, noisy, right) = (_gradient_lengths(0.8, batch, (100, 400)) for batch in (60, 3))
    np.testing.assert_allclose(np.divide(noisy, full), [22, 37], rtol=0.03)
    assert max(right) < 1


def test_the_step_at_a_point_nearby_flattens_and_is_no_better() -> None:
    """Three seeds of each radius; all nine nets are trained at once."""
    inputs, labels = networks._small_digits(1200)
    radii = np.repeat([0.0, 0.2, 0.5], 3)
    starts = [network.initialize((16, 10, 10), np.random.default_rng(seed)) for seed in (0, 1, 2)] * 3
    nets, targets = {n: np.stack([net[n] for net in starts]) for n in starts[0]}, np.tile(labels[:200], (9, 1))
    for _ in range(2000):
        slopes = minima_saddles.sharpness_aware_gradient(
            lambda p: _under_tanh(p, inputs[:200], targets).gradient, nets, radius=radii, run_axes=1
        )
        nets = {n: p - 0.3 * slopes[n] for n, p in nets.items()}
    tops = [_ends({n: p[run] for n, p in nets.items()}, inputs[:200], "tanh")[1] for run in range(9)]
    np.testing.assert_allclose(np.median(np.reshape(tops, (3, 3)), axis=1), [0.58, 0.42, 0.25], atol=0.005)
    np.testing.assert_allclose(_classifies(nets, inputs[200:], labels[200:], "tanh"), 0.77, atol=0.01)


@pytest.mark.parametrize(("width", "negative", "positive"), [(8, 0.155, 0.80), (16, 0.26, 0.70), (32, 0.32, 0.64)])
def test_signs_at_several_widths(width: int, negative: float, positive: float) -> None:
    """One seed of the setting of the figure, after 2048 steps."""
    inputs, labels = networks._small_digits(200)
    net = network.initialize((16, width, 10), np.random.default_rng(0), initialization.xavier_normal)
    net, _ = _descend(net, inputs, "tanh", 0.2, 2048)
    product = conditioning.hessian_vector_product(net, inputs, labels, "tanh")
    size = sum(p.size for p in net.values())
    counts = minima_saddles.inertia(conditioning.dense_hessian(product, size))
    np.testing.assert_allclose([counts.negative / size, counts.positive / size], [negative, positive], atol=0.005)
    assert _classifies(net, inputs, labels, "tanh") > 0.99


@pytest.mark.parametrize(("optimizer", "steps"), [("adam", 1000), ("sgd", 2000)])
def test_ten_sigmoid_layers_hold_sgd_and_not_adam(optimizer: str, steps: int) -> None:
    inputs, labels = networks._digits(500)
    rates = np.array([0.003, 0.003, 0.003] if optimizer == "adam" else [0.05, 1.0])
    method = adaptive_methods.Adam(0.003) if optimizer == "adam" else minibatch.SGD(rates)
    generator = np.random.default_rng(0)
    net = network.initialize([64, *[32] * 10, 10], generator, initialization.xavier_normal, runs=rates.shape)
    trained = training.train(
        net,
        inputs,
        labels,
        method,
        steps=steps,
        batch_size=20,
        generator=generator,
        runs=rates.shape,
        gradient=lambda p, x, y: network.loss_and_gradient(p, x, y, "sigmoid"),
    ).parameters
    losses = networks._loss(inputs, labels, "sigmoid")(trained)
    if optimizer == "adam":
        np.testing.assert_allclose([losses.min(), losses.max()], [1.82, 1.92], atol=0.01)
    else:
        np.testing.assert_allclose(losses, math.log(10), atol=0.02)


def test_a_factor_for_each_unit_changes_a_picture_with_normalized_directions() -> None:
    """The figure's net and directions; half of the units have their weights in times 16."""
    inputs, labels = networks._digits(300)
    generator = np.random.default_rng(0)
    net = network.initialize((64, 16, 10), generator, initialization.he_normal)
    optimizer = momentum.Momentum(learning_rate=0.03, beta=0.9)
    options = {"steps": 400, "batch_size": 50, "generator": generator}
    net = training.train(net, inputs, labels, optimizer, **options).parameters
    drawn = [{n: generator.standard_normal(p.shape) for n, p in net.items()} for _ in "ab"]
    loss, corners = networks._loss(inputs, labels, "relu"), np.array([-1.0, 1.0])

    def mean_of_corners(factors: np.ndarray) -> float:
        own = {"0.weight": factors[:, None] * net["0.weight"], "0.bias": factors * net["0.bias"]}
        own |= {"2.weight": net["2.weight"] / factors, "2.bias": net["2.bias"]}
        directions = [minima_saddles.filter_normalize(d, own) for d in drawn]
        return minima_saddles.loss_surface(loss, own, *directions, corners, corners).mean()

    of_units = np.where(np.arange(16) < 8, 16.0, 1.0)
    means = [mean_of_corners(factors) for factors in (np.ones(16), np.full(16, 16.0), of_units)]
    np.testing.assert_allclose(means, [12, 12, 77], atol=0.5)
    assert means[0] == pytest.approx(means[1], rel=1e-9)


def test_a_start_that_treats_all_units_alike_misses_the_negative_end() -> None:
    inputs, labels = networks._small_digits(60)
    net = _equal_units(1)
    net, _ = _descend(net, inputs, "tanh", 0.1, 2000)
    product = conditioning.hessian_vector_product(net, inputs, labels, "tanh")
    lowest, size = _ends(net, inputs, "tanh")[0], sum(p.size for p in net.values())
    settings = {"count": 1, "which": "smallest", "tolerance": 1e-6, "steps": 40}
    for seed in range(3):
        start = np.random.default_rng(seed).standard_normal(size)
        found = conditioning.top_eigenvalues(product, start, **settings).values[0]
        assert found == pytest.approx(lowest, rel=1e-4)
    alike = conditioning.top_eigenvalues(product, np.ones(size), **settings).values[0]
    assert alike > 0.7 * lowest  # both are below 0


def test_gradient_of_the_linear_network_dips_once_for_each_gap_of_the_singular_values() -> None:
    def dips(sizes: list[float], start: float, seed: int = 0) -> list[float]:
        """The gradient where it is least before it grows again, as a share of its largest."""
        generator = np.random.default_rng(seed)
        left, right = (np.linalg.qr(generator.standard_normal((4, 4)))[0] for _ in "ab")
        target, point, lengths = left @ np.diag(sizes) @ right, start * generator.standard_normal(32), []
        for _ in range(600):
            gradient = minima_saddles.linear_network_gradient(point, target)
            lengths.append(np.linalg.norm(gradient))
            point = point - 0.05 * gradient
        x = np.array(lengths)
        low = np.flatnonzero((x[1:-1] < x[:-2]) & (x[1:-1] < x[2:]) & (x[1:-1] > 1e-3)) + 1
        return list(x[low] / (x.max() if start < 0.1 else 1))

    apart = [4.0, 2.0, 1.0, 0.5]
    assert len(dips(apart, 1e-6)) == 3
    assert max(dips(apart, 1e-6)) < 0.005
    np.testing.assert_allclose(dips([1.0, 0.97, 0.94, 0.91], 1e-6), [0.54], atol=0.01)
    assert dips(apart, 0.5) == []
    assert dips(apart, 0.5, seed=3)[-1] == pytest.approx(0.44, abs=0.005)
