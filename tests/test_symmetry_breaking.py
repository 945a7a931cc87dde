from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlnotes.numpy import network, objective, symmetry_breaking


def frozen(x):
    x = np.array(x)
    x.flags.writeable = False
    return x


def gaussian(seed, *shape):
    return frozen(np.random.default_rng(seed).standard_normal(shape))


def train(parameters, activation, steps=50, rate=0.5, seed=0):
    """Full-batch gradient descent on three classes of four features."""
    generator = np.random.default_rng(seed)
    inputs, labels = generator.standard_normal((60, 4)), generator.integers(0, 3, 60)
    for _ in range(steps):
        _, gradients = network.loss_and_gradient(parameters, inputs, labels, activation)
        parameters = {name: value - rate * gradients[name] for name, value in parameters.items()}
    return parameters, inputs, labels


def start(fill, sizes=(4, 8, 3)):
    parameters = network.initialize(sizes, np.random.default_rng(0))
    return {name: fill(value.shape) if name.endswith("weight") else value.copy() for name, value in parameters.items()}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constant_and_zero_starts(dtype):
    constant = symmetry_breaking.constant_init((3, 2), 0.1, runs=(4, 5), dtype=dtype)
    assert constant.shape == (4, 5, 3, 2)
    assert constant.dtype == dtype
    assert (constant == dtype(0.1)).all()
    np.testing.assert_array_equal(symmetry_breaking.zero_init((3, 2), dtype=dtype), np.zeros((3, 2), dtype))


def test_ranks_of_known_matrices():
    ones, eye = np.ones((5, 3)), np.eye(4)
    assert symmetry_breaking.numerical_rank(ones) == 1
    assert symmetry_breaking.effective_rank(ones) == pytest.approx(1, abs=1e-12)
    assert symmetry_breaking.numerical_rank(eye) == 4
    assert symmetry_breaking.effective_rank(eye) == pytest.approx(4)
    assert symmetry_breaking.numerical_rank(0 * eye) == 0
    assert symmetry_breaking.effective_rank(0 * eye) == 0
    # Singular values 3 and 1: p = 3/4 and 1/4.
    expected = math.exp(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)))
    assert symmetry_breaking.effective_rank(np.diag([3.0, -1.0])) == pytest.approx(expected)


def test_tolerance_decides_what_counts_as_rank():
    matrix = np.diag([1.0, 1e-3, 1e-9])
    assert symmetry_breaking.numerical_rank(matrix) == 3
    assert symmetry_breaking.numerical_rank(matrix, tolerance=1e-6) == 2
    assert symmetry_breaking.numerical_rank(matrix, tolerance=0.5) == 1
    assert symmetry_breaking.numerical_rank(1e-30 * matrix) == symmetry_breaking.numerical_rank(1e30 * matrix) == 3
    noisy = np.ones((50, 20)) + 1e-15 * gaussian(0, 50, 20)
    assert symmetry_breaking.numerical_rank(noisy) == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(200, 3), (3, 200), (7, 7)])
def test_rank_by_default_counts_from_the_larger_size_times_the_precision_of_the_dtype(dtype, shape):
    edge = max(shape) * np.finfo(dtype).eps
    for factor, rank in ((0.9, 1), (1.1, 2)):
        matrix = np.zeros(shape, dtype)
        matrix[0, 0], matrix[1, 1] = 1, factor * edge
        assert symmetry_breaking.numerical_rank(matrix) == rank
        assert symmetry_breaking.numerical_rank(dtype(1e3) * matrix) == rank


@given(seed=st.integers(0, 10_000), scale=st.floats(1e-6, 1e6))
def test_effective_rank_is_at_most_the_rank_and_knows_no_scale_or_rotation(seed, scale):
    generator = np.random.default_rng(seed)
    rank = int(generator.integers(1, 5))
    matrix = generator.standard_normal((6, rank)) @ generator.standard_normal((rank, 5))
    value = symmetry_breaking.effective_rank(matrix)
    assert symmetry_breaking.numerical_rank(matrix, tolerance=1e-9) == rank
    assert 1 - 1e-9 <= value <= rank + 1e-9
    turn = np.linalg.qr(generator.standard_normal((6, 6)))[0]
    np.testing.assert_allclose(symmetry_breaking.effective_rank(scale * (turn @ matrix)), value, rtol=1e-9)


def test_groups_of_units():
    units = np.array([[1.0, 2.0], [0.0, 0.0], [1.0, 2.0], [1.0, 2.5], [0.0, 0.0]])
    np.testing.assert_array_equal(symmetry_breaking.unit_groups(frozen(units)), [0, 1, 0, 3, 1])
    assert symmetry_breaking.distinct_units(units) == 3
    np.testing.assert_array_equal(symmetry_breaking.unit_groups(units, tolerance=0.5), [0, 1, 0, 0, 1])
    assert symmetry_breaking.distinct_units(units, tolerance=0.5) == 2
    assert symmetry_breaking.distinct_units(np.zeros((0, 3))) == 0


@pytest.mark.parametrize(
    ("units", "groups"),
    [
        ([[0.0, 0.0], [0.4, 0.4]], [0, 0]),  # each entry by itself: the sum is 0.8, the length 0.57
        ([[0.0] * 9, [0.5] * 9], [0, 0]),  # the tolerance itself still counts as the same
        ([[100.0, 0.0], [101.0, 0.0]], [0, 1]),  # the tolerance is a difference, not a share
        ([[0.0, 0.0], [-0.6, 0.0], [0.0, 0.6]], [0, 1, 2]),  # below and above, in one entry
        ([[3.0, 0.0], [0.0, 0.0], [0.4, 0.0], [0.8, 0.0]], [0, 1, 1, 2]),  # near the second of a pair only
    ],
)
def test_two_units_are_alike_if_no_entry_differs_by_more_than_the_tolerance(units, groups):
    np.testing.assert_array_equal(symmetry_breaking.unit_groups(np.array(units), tolerance=0.5), groups)
    first = sum(group == unit for unit, group in enumerate(groups))
    assert symmetry_breaking.distinct_units(np.array(units), tolerance=0.5) == first


@given(st.integers(0, 10_000))
def test_groups_move_with_the_units(seed):
    generator = np.random.default_rng(seed)
    units = generator.integers(0, 2, (7, 2)).astype(float)
    groups = symmetry_breaking.unit_groups(units)
    alike = groups[:, None] == groups
    np.testing.assert_array_equal(alike, (units[:, None] == units).all(axis=-1))
    order = generator.permutation(7)
    moved = symmetry_breaking.unit_groups(units[order])
    np.testing.assert_array_equal(moved[:, None] == moved, alike[np.ix_(order, order)])


@pytest.mark.parametrize("name", ["numerical_rank", "effective_rank", "unit_groups", "distinct_units"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_runs_equal_single_runs(name, dtype):
    matrices = gaussian(1, 2, 3, 6, 4).astype(dtype)
    matrices[0, 1, 4] = matrices[0, 1, 2]
    function = getattr(symmetry_breaking, name)
    together = function(matrices)
    for run in np.ndindex(2, 3):
        np.testing.assert_array_equal(together[run], function(matrices[run]))
    if name == "effective_rank":
        assert together.dtype == dtype
    if name == "distinct_units":
        np.testing.assert_array_equal(together, [[6, 5, 6], [6, 6, 6]])


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
def test_units_that_start_alike_stay_alike(activation):
    """In float64, over a short training, units that are the same formula stay the same bits or a rounding apart."""
    parameters = start(lambda shape: symmetry_breaking.constant_init(shape, 0.3))
    trained, _, _ = train(parameters, activation)
    weight = trained["0.weight"]
    assert np.abs(weight - parameters["0.weight"]).max() > 1e-3  # it did learn
    assert symmetry_breaking.distinct_units(weight, tolerance=1e-12) == 1
    assert symmetry_breaking.numerical_rank(weight, tolerance=1e-10) == 1
    assert symmetry_breaking.effective_rank(weight) == pytest.approx(1, abs=1e-8)


def test_random_weights_break_the_symmetry_with_zero_biases():
    parameters = start(lambda shape: gaussian(2, *shape))
    trained, _, _ = train(parameters, "tanh")
    assert symmetry_breaking.distinct_units(trained["0.weight"]) == 8
    assert symmetry_breaking.numerical_rank(trained["0.weight"]) == 4


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_from_zero_only_the_last_bias_learns(activation):
    parameters = start(symmetry_breaking.zero_init, sizes=(4, 8, 6, 3))
    trained, inputs, labels = train(parameters, activation, steps=300)
    for name, value in trained.items():
        assert (value == 0).all() == (name != "4.bias")
    # What it learns is the share of each class, for every input.
    shares = np.bincount(labels, minlength=3) / len(labels)
    probabilities = objective.softmax(network.forward(trained, inputs, activation)[0])
    np.testing.assert_allclose(probabilities, np.broadcast_to(shares, probabilities.shape), atol=1e-6)


def test_from_zero_sigmoid_units_learn_as_one():
    parameters = start(symmetry_breaking.zero_init)
    trained, _, _ = train(parameters, "sigmoid", steps=200)
    assert np.abs(trained["0.weight"]).max() > 1e-3
    assert symmetry_breaking.distinct_units(trained["0.weight"], tolerance=1e-12) == 1


@pytest.mark.parametrize("activation", ["gelu", "silu", "elu"])
def test_from_zero_an_activation_that_is_not_monotone_or_not_odd_learns_the_last_bias_alone_too(activation):
    trained, _, _ = train(start(symmetry_breaking.zero_init), activation)
    assert [name for name, value in trained.items() if value.any()] == ["2.bias"]


def test_the_rank_is_relative_to_the_largest_singular_value_of_each_run():
    assert symmetry_breaking.numerical_rank(np.eye(4), tolerance=0.6) == 4
    matrix = gaussian(3, 5, 4)
    np.testing.assert_array_equal(symmetry_breaking.numerical_rank(np.stack((matrix, 1e-20 * matrix))), [4, 4])
    assert symmetry_breaking.zero_init((2, 3), runs=(4, 5)).shape == (4, 5, 2, 3)
