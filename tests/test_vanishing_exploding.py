from __future__ import annotations

import functools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlnotes import datasets
from dlnotes.numpy import (
    activations,
    initialization,
    minibatch,
    network,
    training,
    vanishing_exploding,
    weight_penalties,
)

NOT_NORMAL = np.array([[0.9, 5.0], [0.0, 0.8]])


def frozen(x):
    x = np.array(x)
    x.flags.writeable = False
    return x


def gaussian(seed, *shape, deviation=1.0):
    return frozen(deviation * np.random.default_rng(seed).standard_normal(shape))


def arrays_of(backend):
    """Give what makes arrays of a backend, and its kernels."""
    if backend == "numpy":
        return np.asarray, vanishing_exploding
    torch = pytest.importorskip("torch")
    from dlnotes.torch import vanishing_exploding as variant

    return torch.tensor, variant


def exact_log_singular_values(factors):
    """Multiply in 300 digits and take the singular values there."""
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(300):
        product = mpmath.eye(factors[0].shape[-1])
        for factor in factors:
            product = mpmath.matrix(factor.tolist()) * product
        values = mpmath.svd_r(product, compute_uv=False)
        return np.array([float(mpmath.log(value)) for value in values])


# Powers


@pytest.mark.parametrize("exponent", [0, 1, 2, 7, 40])
@pytest.mark.parametrize(
    "matrix", [NOT_NORMAL, [[0.0, -1.0], [1.0, 0.0]], [[2.0]], np.diag([1.0, 0.0, -3.0]), gaussian(0, 3, 5, 5) / 3]
)
def test_power_by_eigenvalues_equals_the_power(matrix, exponent):
    matrix = frozen(matrix)
    power = vanishing_exploding.matrix_power_by_eigenvalues(matrix, exponent)
    expected = np.linalg.matrix_power(matrix, exponent)
    assert power.dtype == matrix.dtype
    np.testing.assert_allclose(power, expected, rtol=0, atol=1e-11 * max(1, np.abs(expected).max()))


def test_power_of_a_rotation_goes_round():
    """Complex eigenvalues of magnitude 1: nothing vanishes, nothing explodes."""
    turn = 2 * math.pi / 12
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    np.testing.assert_allclose(vanishing_exploding.matrix_power_by_eigenvalues(rotation, 1200), np.eye(2), atol=1e-12)


def test_power_keeps_single_precision():
    power = vanishing_exploding.matrix_power_by_eigenvalues(NOT_NORMAL.astype(np.float32), 6)
    assert power.dtype == np.float32
    np.testing.assert_allclose(power, np.linalg.matrix_power(NOT_NORMAL, 6), rtol=1e-4)


@pytest.mark.parametrize("matrix", [[[1.0, 1.0], [0.0, 1.0]], [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]])
def test_a_matrix_that_is_not_diagonalizable_is_refused(matrix):
    with pytest.raises(ValueError, match="matrix must be diagonalizable"):
        vanishing_exploding.matrix_power_by_eigenvalues(np.array(matrix), 3)


def test_norm_of_a_power_first_grows_although_all_eigenvalues_are_below_one():
    norms = vanishing_exploding.power_norms(frozen(NOT_NORMAL), 60)
    assert norms[0] == 1
    assert norms.argmax() == 6
    assert norms[6] == pytest.approx(13.478, abs=5e-4)
    assert (norms[1:38] >= 1).all()
    assert (norms[38:] < 1).all()


def test_power_norms_of_runs_equal_single_ones():
    matrices = gaussian(1, 2, 3, 4, 4)
    norms = vanishing_exploding.power_norms(matrices, 5)
    assert norms.shape == (2, 3, 6)
    for run in np.ndindex(2, 3):
        np.testing.assert_array_equal(norms[run], vanishing_exploding.power_norms(matrices[run], 5))


# Lyapunov exponents


@given(st.floats(1e-8, 1e8))
def test_digamma_equals_scipy(x):
    expected = pytest.importorskip("scipy.special").digamma(x)
    np.testing.assert_allclose(vanishing_exploding.digamma(x), expected, rtol=3e-15, atol=2e-15)


def test_digamma_of_known_arguments():
    euler = 0.5772156649015329
    np.testing.assert_allclose(
        vanishing_exploding.digamma(np.array([[1.0, 0.5], [2.0, 1.5]])),
        [[-euler, -euler - 2 * math.log(2)], [1 - euler, 2 - euler - 2 * math.log(2)]],
        rtol=1e-14,
    )


def test_exponent_of_a_gaussian_product():
    assert vanishing_exploding.gaussian_lyapunov_exponent(4) == pytest.approx(0.558, abs=5e-4)
    assert vanishing_exploding.gaussian_lyapunov_exponent(1) == pytest.approx(-(0.5772156649 + math.log(2)) / 2)
    doubled = vanishing_exploding.gaussian_lyapunov_exponent(4, 2.0)
    assert doubled - vanishing_exploding.gaussian_lyapunov_exponent(4) == pytest.approx(math.log(2))


def test_measured_exponents_are_two_standard_errors_from_the_law_as_often_as_chance_has_it():
    """n = 2 to 20, 20 seeds of 100 factors, in 4 repetitions: 76 means, each with its own standard error.

    With 19 degrees of freedom a mean lies within 2 standard errors with probability 0.940: 71.4 of 76, with a deviation
    of 2.1. The squares of the scores have the mean 19/17.
    """
    scores = []
    for seed in range(4):
        generator = np.random.default_rng(seed)
        for size in range(2, 21):
            matrices = np.stack([child.standard_normal((100, size, size)) for child in generator.spawn(20)])
            measured = vanishing_exploding.lyapunov_exponent(matrices)[:, 0]
            error = measured.std(ddof=1) / math.sqrt(20)
            scores.append((measured.mean() - vanishing_exploding.gaussian_lyapunov_exponent(size)) / error)
    scores = np.array(scores)
    assert (np.abs(scores) < 2).sum() >= 65
    assert np.mean(scores**2) == pytest.approx(19 / 17, rel=0.5)
    assert abs(scores.mean()) < 4 / math.sqrt(76)


def test_all_exponents_of_a_gaussian_product():
    measured = vanishing_exploding.lyapunov_exponent(gaussian(2, 20, 1000, 5, 5, deviation=0.3), count=5)
    expected = [vanishing_exploding.gaussian_lyapunov_exponent(5, 0.3, order=order) for order in range(1, 6)]
    error = measured.std(axis=0, ddof=1) / math.sqrt(20)
    assert (np.abs(measured.mean(axis=0) - expected) < 4 * error + 5 / 1000).all()
    assert (error < 0.01).all()
    # The sum is the mean of ln |det|, whatever the basis.
    matrices = gaussian(3, 50, 4, 4)
    total = vanishing_exploding.lyapunov_exponent(matrices, count=4).sum()
    assert total == pytest.approx(np.linalg.slogdet(matrices).logabsdet.mean(), abs=1e-12)


def test_exponents_of_orthogonal_and_scaled_products():
    turns = frozen(np.linalg.qr(gaussian(4, 30, 6, 6))[0])
    np.testing.assert_allclose(vanishing_exploding.lyapunov_exponent(turns, count=6), np.zeros(6), atol=1e-14)
    np.testing.assert_allclose(vanishing_exploding.lyapunov_exponent(1.5 * turns), [math.log(1.5)], rtol=1e-14)


def test_a_product_may_pass_every_range_of_floats():
    matrices = np.broadcast_to(1e30 * np.eye(2, dtype=np.float32), (100, 2, 2))
    np.testing.assert_allclose(vanishing_exploding.lyapunov_exponent(matrices), [math.log(1e30)], rtol=1e-6)


def test_lost_rank_is_minus_infinity():
    matrices = np.broadcast_to(np.diag([2.0, 0.0]), (3, 2, 2))
    np.testing.assert_array_equal(vanishing_exploding.lyapunov_exponent(matrices, count=2), [math.log(2), -np.inf])


def test_exponents_of_runs_equal_single_ones():
    matrices = gaussian(5, 3, 2, 20, 4, 4)
    together = vanishing_exploding.lyapunov_exponent(matrices, count=2)
    for run in np.ndindex(3, 2):
        np.testing.assert_array_equal(together[run], vanishing_exploding.lyapunov_exponent(matrices[run], count=2))


# Jacobians


def test_layer_jacobian_equals_finite_differences():
    weight, inputs = gaussian(6, 4, 3), gaussian(7, 5, 3)
    z = inputs @ weight.mT
    jacobian = vanishing_exploding.layer_jacobian(weight, activations.tanh_slope(z))
    assert jacobian.shape == (5, 4, 3)
    step = 1e-6
    for column in range(3):
        shift = step * np.eye(3)[column]
        change = np.tanh((inputs + shift) @ weight.mT) - np.tanh((inputs - shift) @ weight.mT)
        np.testing.assert_allclose(jacobian[..., column], change / (2 * step), atol=1e-9)


def test_layer_jacobians_of_runs_equal_single_ones():
    weight, derivative = gaussian(8, 2, 4, 3), gaussian(9, 2, 5, 4)
    together = vanishing_exploding.layer_jacobian(weight, derivative)
    for run in range(2):
        np.testing.assert_array_equal(together[run], vanishing_exploding.layer_jacobian(weight[run], derivative[run]))


@pytest.mark.parametrize(("size", "depth"), [(1, 5), (2, 40), (7, 30), (8, 1)])
def test_log_singular_values_equal_three_hundred_digits(size, depth):
    factors = [gaussian(10 + layer, size, size) for layer in range(depth)]
    logs = vanishing_exploding.log_singular_values(factors)
    np.testing.assert_allclose(logs, exact_log_singular_values(factors), rtol=0, atol=1e-12)


def test_small_singular_values_are_not_rounding():
    """The product itself loses what lies 16 decades below the largest; the logarithms do not."""
    factors = [gaussian(50 + layer, 8, 8) for layer in range(30)]
    product = np.eye(8)
    for factor in factors:
        product = factor @ product
    exact = exact_log_singular_values(factors)
    assert exact[0] - exact[-1] > 16 * math.log(10)
    assert abs(np.log(np.linalg.svd(product, compute_uv=False)[-1]) - exact[-1]) > 1
    assert abs(vanishing_exploding.log_singular_values(factors)[-1] - exact[-1]) < 1e-12


def test_log_singular_values_beyond_the_range_of_floats():
    factors = [np.diag([1e30, 1e-30])] * 50
    np.testing.assert_allclose(
        vanishing_exploding.log_singular_values(factors), [1500 * math.log(10), -1500 * math.log(10)], rtol=1e-14
    )


def test_log_singular_values_of_narrow_and_wide_factors():
    factors = [gaussian(20, 5, 7), gaussian(21, 3, 5), gaussian(22, 6, 3)]
    expected = np.log(np.linalg.svd(factors[2] @ factors[1] @ factors[0], compute_uv=False)[:3])
    np.testing.assert_allclose(vanishing_exploding.log_singular_values(factors), expected, atol=1e-13)


def test_lost_rank_of_dead_units_is_minus_infinity():
    generator = np.random.default_rng(23)
    factors = [(generator.random((12, 1)) < 0.6) * generator.standard_normal((12, 12)) for _ in range(4)]
    logs = vanishing_exploding.log_singular_values(factors)
    values = np.linalg.svd(factors[3] @ factors[2] @ factors[1] @ factors[0], compute_uv=False)
    rank = np.isfinite(logs).sum()
    assert rank == (values > 1e-12 * values[0]).sum() < 12
    np.testing.assert_allclose(np.exp(logs[:rank]), values[:rank], rtol=1e-9)
    assert (vanishing_exploding.log_singular_values([np.zeros((3, 3))]) == -np.inf).all()


def test_orthogonal_layers_keep_every_length():
    factors = list(np.linalg.qr(gaussian(24, 50, 10, 10))[0])
    np.testing.assert_allclose(vanishing_exploding.log_singular_values(factors), np.zeros(10), atol=1e-13)


def test_log_singular_values_of_runs_equal_single_ones():
    factors = [gaussian(25, 2, 3, 4, 4), gaussian(26, 4, 4), gaussian(27, 2, 3, 5, 4)]
    together = vanishing_exploding.log_singular_values(factors)
    assert together.shape == (2, 3, 4)
    for run in np.ndindex(2, 3):
        alone = vanishing_exploding.log_singular_values([factors[0][run], factors[1], factors[2][run]])
        np.testing.assert_array_equal(together[run], alone)


# Norms and diagnosis


def test_norms_join_the_parameters_of_a_layer():
    gradients = {"0.weight": np.array([[3.0]]), "0.bias": np.array([4.0]), "10.weight": np.array([[-2.0]])}
    norms = vanishing_exploding.per_layer_gradient_norms(gradients)
    assert list(norms) == ["0", "10"]
    assert norms["0"] == 5
    assert norms["10"] == 2


@pytest.mark.parametrize(
    ("scale", "dtype"),
    [(1e-45, np.float32), (1e30, np.float32), (1e-200, np.float64), (1.0, np.float64), (1e200, np.float64)],
)
def test_norms_neither_overflow_nor_underflow(scale, dtype):
    gradient = np.full((10, 10), scale, dtype)
    norm = vanishing_exploding.per_layer_gradient_norms({"0.weight": gradient})["0"]
    assert norm == pytest.approx(10 * float(gradient[0, 0]), rel=1e-6)


def test_norms_of_what_is_not_finite():
    norms = vanishing_exploding.per_layer_gradient_norms(
        {"0.weight": np.array([1.0, np.inf]), "1.weight": np.array([1.0, np.nan]), "2.weight": np.zeros(2)}
    )
    assert norms["0"] == np.inf
    assert np.isnan(norms["1"])
    assert norms["2"] == 0


def test_norms_and_ratios_of_runs_equal_single_ones():
    shapes = {"0.weight": (4, 3), "0.bias": (4,), "2.weight": (2, 4)}
    parameters = {name: gaussian(28, 2, 3, *shape) for name, shape in shapes.items()}
    updates = {name: gaussian(29, 2, 3, *shape) for name, shape in shapes.items()}
    norms = vanishing_exploding.per_layer_gradient_norms(parameters, run_axes=2)
    ratios = vanishing_exploding.update_ratios(parameters, updates, run_axes=2)
    for run in np.ndindex(2, 3):
        own, step = ({name: value[run] for name, value in group.items()} for group in (parameters, updates))
        for layer, norm in vanishing_exploding.per_layer_gradient_norms(own).items():
            assert norms[layer][run] == norm
        for layer, ratio in vanishing_exploding.update_ratios(own, step).items():
            assert ratios[layer][run] == ratio


def test_ratios_at_the_edges():
    parameters = {"0.weight": np.array([3.0, 4.0]), "1.weight": np.zeros(2), "2.weight": np.zeros(2)}
    updates = {"0.weight": np.array([0.005, 0.0]), "1.weight": np.zeros(2), "2.weight": np.ones(2)}
    ratios = vanishing_exploding.update_ratios(parameters, updates)
    assert ratios == {"0": 0.001, "1": 0.0, "2": np.inf}


def deep_net(activation, scale, depth=12, width=16, seed=0):
    """Parameters and gradients of a deep net with weights of variance scale^2 / fan_in."""
    generator = np.random.default_rng(seed)
    sizes = [8] + [width] * depth + [3]
    parameters = network.initialize(
        sizes,
        generator,
        lambda shape, generator, *, runs=(), dtype=np.float64: (
            scale * generator.standard_normal(shape) / math.sqrt(shape[1])
        ),
    )
    inputs, labels = generator.standard_normal((32, 8)), generator.integers(0, 3, 32)
    return parameters, network.loss_and_gradient(parameters, inputs, labels, activation)[1]


def diagnose(activation, scale, rate=None, **changes):
    parameters, gradients = deep_net(activation, scale)
    parameters, gradients = (
        {**parameters, **changes.get("parameters", {})},
        {**gradients, **changes.get("gradients", {})},
    )
    updates = None if rate is None else {name: -rate * value for name, value in gradients.items()}
    return vanishing_exploding.diagnose(parameters, gradients, updates)


def test_healthy_net():
    found = diagnose("tanh", 1.0, rate=0.01)
    assert found.fault == "healthy"
    assert found.layer is None
    assert list(found.gradient_norms) == [str(2 * layer) for layer in range(13)] == list(found.update_ratios)
    assert diagnose("relu", math.sqrt(2)).fault == "healthy"


def test_vanishing_in_a_deep_sigmoid_net():
    found = diagnose("sigmoid", 1.0)
    assert found.fault == "vanishing"
    norms = list(found.gradient_norms.values())
    place = list(found.gradient_norms).index(found.layer)
    assert norms[place] < norms[-1] / 1e3 <= norms[place + 1]
    assert found.update_ratios == {}


def test_exploding_with_large_weights():
    found = diagnose("identity", 3.0)
    assert found.fault == "exploding"
    assert min(found.gradient_norms.values()) > 1e3  # in a linear net the gradients of all layers explode alike


def test_exploding_backward_alone():
    """Batch norm keeps the forward pass in bounds, and the gradient grows toward the input: here the norms alone."""
    parameters = {f"{layer}.weight": np.ones((2, 2)) for layer in range(4)}
    gradients = {f"{layer}.weight": np.full((2, 2), size) for layer, size in enumerate([0.5, 0.05, 0.005, 1e-4])}
    found = vanishing_exploding.diagnose(parameters, gradients)
    assert (found.fault, found.layer) == ("exploding", "0")


def test_a_zero_start_is_no_explosion():
    parameters = {"0.weight": np.zeros((2, 2)), "2.weight": np.zeros((2, 2))}
    gradients = {"0.weight": np.full((2, 2), 0.1), "2.weight": np.full((2, 2), 0.1)}
    assert vanishing_exploding.diagnose(parameters, gradients, gradients).fault == "healthy"


def test_a_step_larger_than_the_weights_is_an_explosion():
    found = diagnose("tanh", 1.0, rate=100.0)
    assert found.fault == "exploding"
    assert found.update_ratios[found.layer] == max(found.update_ratios.values()) > 1


@pytest.mark.parametrize("layer", ["0", "10", "24"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("group", ["parameters", "gradients"])
def test_overflow_is_found_where_it_is(group, value, layer):
    parameters, gradients = deep_net("tanh", 1.0)
    broken = {"parameters": parameters, "gradients": gradients}[group][f"{layer}.weight"].copy()
    broken[1, 2] = value
    found = diagnose("tanh", 1.0, **{group: {f"{layer}.weight": broken}})
    assert (found.fault, found.layer) == ("overflowed", layer)


def test_overflow_in_parameters_comes_before_that_in_gradients():
    bad = {"0.bias": np.full(16, np.nan)}
    found = diagnose("tanh", 1.0, parameters={"6.bias": np.full(16, np.inf)}, gradients=bad)
    assert found.layer == "6"


@pytest.mark.parametrize("layer", ["0", "8", "22"])
def test_dead_layer_is_named(layer):
    """Biases far below zero: every unit of that layer gives 0 for every example."""
    generator = np.random.default_rng(1)
    parameters, _ = deep_net("relu", math.sqrt(2))
    # The other biases are above 0, so that what follows the dead layer still gets an input.
    parameters = {name: value + 0.1 if name.endswith("bias") else value for name, value in parameters.items()}
    parameters[f"{layer}.bias"] = np.full(16, -100.0)
    inputs, labels = generator.standard_normal((32, 8)), generator.integers(0, 3, 32)
    gradients = network.loss_and_gradient(parameters, inputs, labels, "relu")[1]
    found = vanishing_exploding.diagnose(parameters, gradients)
    assert (found.fault, found.layer) == ("dead", layer)
    assert found.gradient_norms["0"] == 0


def test_a_gradient_that_fades_into_zero_has_vanished_and_is_not_dead():
    parameters = {f"{layer}.weight": np.ones((2, 2)) for layer in range(5)}
    gradients = {f"{layer}.weight": np.full((2, 2), size) for layer, size in enumerate([0.0, 0.0, 1e-300, 1e-150, 1.0])}
    found = vanishing_exploding.diagnose(parameters, gradients)
    assert (found.fault, found.layer) == ("vanishing", "3")


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_a_dead_last_layer_is_named(backend):
    array, kernels = arrays_of(backend)
    parameters = {f"{layer}.weight": array(np.ones((2, 2))) for layer in range(2)}
    gradients = {"0.weight": array(np.ones((2, 2))), "1.weight": array(np.zeros((2, 2)))}
    found = kernels.diagnose(parameters, gradients)
    assert (found.fault, found.layer) == ("dead", "1")


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_a_gradient_at_the_very_threshold_has_not_vanished(backend):
    array, kernels = arrays_of(backend)
    parameters = {f"{layer}.weight": array(np.full((1, 1), 2048.0)) for layer in range(2)}
    gradients = {"0.weight": array(np.ones((1, 1))), "1.weight": array(np.full((1, 1), 1024.0))}
    assert kernels.diagnose(parameters, gradients, spread=1024.0).fault == "healthy"
    assert kernels.diagnose(parameters, gradients, spread=1023.0).fault == "vanishing"


def test_order_of_the_gradients_does_not_matter():
    parameters, gradients = deep_net("sigmoid", 1.0)
    found = vanishing_exploding.diagnose(parameters, gradients)
    turned = vanishing_exploding.diagnose(parameters, dict(reversed(gradients.items())))
    assert turned == found


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_no_matrices_pass_the_strictest_condition(backend):
    array, kernels = arrays_of(backend)
    assert kernels.matrix_power_by_eigenvalues(array(np.ones((0, 2, 2))), 3, largest_condition=1.0).shape == (0, 2, 2)


def test_torch_diagnoses_a_module():
    torch = pytest.importorskip("torch")
    from dlnotes.torch import vanishing_exploding as variant

    torch.manual_seed(0)
    layers = [torch.nn.Linear(8, 8) for _ in range(20)]
    module = torch.nn.Sequential(*(part for layer in layers for part in (layer, torch.nn.Sigmoid())))
    module(torch.randn(16, 8)).square().sum().backward()
    parameters = dict(module.named_parameters())
    found = variant.diagnose(parameters, {name: value.grad for name, value in parameters.items()})
    assert found.fault == "vanishing"
    parameters["4.weight"].data[0, 0] = torch.nan
    found = variant.diagnose(parameters, {name: value.grad for name, value in parameters.items()})
    assert (found.fault, found.layer) == ("overflowed", "4")


# What the chapter says of sums


@pytest.mark.parametrize("ends_in_weights", [True, False])
def test_the_cross_term_of_a_sum_is_gone_if_the_branch_ends_in_weights(ends_in_weights):
    """W relu(h) has the Jacobian W D with D of h alone; relu(W h) has D W with D of W, whose mean is not 0."""
    generator, size = np.random.default_rng(0), 50
    weights = generator.standard_normal((2000, size, size)) * math.sqrt(2 / size)
    h = generator.standard_normal(size)
    g = h / np.linalg.norm(h)
    slopes = h > 0 if ends_in_weights else weights @ h > 0
    jacobians = weights * slopes if ends_in_weights else weights * slopes[..., None]
    terms = g @ jacobians @ g
    mean, error = terms.mean(), terms.std(ddof=1) / math.sqrt(len(terms))
    if ends_in_weights:
        assert abs(mean) < 3 * error
    else:
        assert mean > 10 * error


# What the chapter says of training


def test_a_vanished_gradient_leaves_weights_where_they_are_and_decay_shrinks_them():
    """Ten sigmoid layers, 2000 steps at rate 0.5: 1.0000 of the length without decay, e^-0.5 with a decay of 5e-4."""
    digits = datasets.digits()
    inputs, labels = (digits.inputs[:20] - 8) / 8, digits.targets[:20]
    generators = np.array([np.random.default_rng(0) for _ in range(2)])
    start = network.initialize([64] + [8] * 10 + [10], generators, initialization.xavier_normal, runs=(2,))
    decay = weight_penalties.DecoupledWeightDecay(np.array([0.0, 5e-4]), 0.5)
    result = training.train(
        start,
        inputs,
        labels,
        training.chain(minibatch.SGD(0.5), decay),
        steps=2000,
        runs=(2,),
        gradient=lambda *given: network.loss_and_gradient(*given, "sigmoid"),
    )
    plain, decayed = np.linalg.norm(result.parameters["0.weight"], axis=(-2, -1)) / np.linalg.norm(
        start["0.weight"], axis=(-2, -1)
    )
    assert plain == pytest.approx(1, abs=5e-5)
    assert decayed == pytest.approx(0.6065, abs=5e-5)
    assert decayed == pytest.approx(math.exp(-0.5), rel=1e-3)


def test_too_small_weights_of_relu_show_in_the_biases_alone():
    """Signal and gradient both shrink, so that the gradients of the weights are alike; those of the biases are not."""
    draw = functools.partial(initialization.xavier_normal, gain=0.3 * math.sqrt(2))
    generator = np.random.default_rng(0)
    parameters = network.initialize([64] + [32] * 20 + [10], generator, draw)
    digits = datasets.digits()
    gradients = network.loss_and_gradient(parameters, (digits.inputs[:100] - 8) / 8, digits.targets[:100]).gradient
    assert vanishing_exploding.diagnose(parameters, gradients).fault == "vanishing"
    weights = {name: value for name, value in parameters.items() if name.endswith("weight")}
    alone = {name: gradients[name] for name in weights}
    found = vanishing_exploding.diagnose(weights, alone, {name: -0.05 * value for name, value in alone.items()})
    assert found.fault == "healthy"
    norms = np.array([*found.gradient_norms.values()])
    assert norms.max() / norms.min() < 1e3
    assert max(found.update_ratios.values()) < 1e-9
