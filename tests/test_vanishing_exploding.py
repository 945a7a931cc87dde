from __future__ import annotations

import copy
import functools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlnotes import datasets, diagnosis, measured, optimizers
from dlnotes.numpy import (
    activations,
    adaptive_methods,
    initialization,
    minibatch,
    momentum,
    network,
    objective,
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


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_rates_are_those_of_the_volumes_on_the_first_axes(backend):
    array, kernels = arrays_of(backend)
    for matrix, rates in (
        ([[0.5, 0.0], [0.0, 2.0]], [-math.log(2), math.log(2)]),
        ([[0.5, 1.0], [0.0, 2.0]], [-math.log(2), math.log(2)]),
        ([[0.0, 1.0], [0.0, 2.0]], [-math.inf]),
    ):
        stack = np.broadcast_to(np.array(matrix), (50, 2, 2)).copy()
        found = kernels.lyapunov_exponent(array(stack), count=len(rates))
        np.testing.assert_allclose(np.asarray(found), rates, rtol=1e-14)
        largest = vanishing_exploding.log_singular_values([*stack])[0] / 50
        assert largest == pytest.approx(math.log(2), abs=0.01)  # by whatever axes


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


@pytest.mark.parametrize("bits", [10, 20, 40])
def test_the_error_of_a_logarithm_is_rounding_times_the_condition_of_the_factor(bits):
    """Columns (1, 1) and (1, 1 + 2^-k): the product of the two values is 2^-k, the sum of their squares that of all."""
    near = np.array([[1.0, 1.0], [1.0, 1.0 + 2.0**-bits]])
    squares = np.sum(near**2)
    largest = math.log((squares + math.sqrt(squares**2 - 4 * 4.0**-bits)) / 2) / 2
    error = np.abs(vanishing_exploding.log_singular_values([near]) - [largest, -bits * math.log(2) - largest])
    rounding = np.finfo(float).eps * np.linalg.cond(near)
    assert error[0] < 1e-15
    assert rounding / 100 < error[1] < 2 * rounding


def test_eigenvalues_above_one_in_every_layer_leave_one_direction_that_explodes():
    generator = np.random.default_rng(70)
    for eigenvalues, bound in ((np.array([1.1, 1.2, 1.3]), 1.1**50), (np.array([0.9, 0.8, 0.7]), 0.9**50)):
        bases = generator.standard_normal((50, 3, 3))
        factors = [*(bases * eigenvalues @ np.linalg.inv(bases))]
        logs = vanishing_exploding.log_singular_values(factors)
        assert logs.sum() == pytest.approx(50 * np.log(eigenvalues).sum(), rel=1e-6)
        assert logs[0] > math.log(bound) if bound > 1 else logs[-1] < math.log(bound)


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


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_a_layer_is_what_stands_before_the_last_dot(backend):
    array, kernels = arrays_of(backend)
    names = ["stem.conv.weight", "stem.norm.weight", "stem.norm.bias", "scale", "head.weight"]
    norms = kernels.per_layer_gradient_norms({name: array(np.ones(2)) for name in names})
    assert list(norms) == ["stem.conv", "stem.norm", "scale", "head"]
    assert float(norms["stem.norm"]) == 2


@pytest.mark.parametrize(
    ("scale", "dtype"),
    [(1e-45, np.float32), (1e30, np.float32), (1e-200, np.float64), (1.0, np.float64), (1e200, np.float64)],
)
def test_norms_neither_overflow_nor_underflow(scale, dtype):
    gradient = np.full((10, 10), scale, dtype)
    norm = vanishing_exploding.per_layer_gradient_norms({"0.weight": gradient})["0"]
    assert norm == pytest.approx(10 * float(gradient[0, 0]), rel=1e-6)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_a_layer_of_several_dtypes_has_one_norm(backend):
    array, kernels = arrays_of(backend)
    gradients = {"0.weight": array(np.full(4, 4e4, np.float16)), "0.bias": array(np.full(5, 1e200))}
    gradients |= {"1.weight": array(np.full(4, 4e4, np.float16)), "1.bias": array(np.full(9, 1e30, np.float32))}
    norms = kernels.per_layer_gradient_norms(gradients)
    assert float(norms["0"]) == pytest.approx(math.sqrt(5) * 1e200)
    assert float(norms["1"]) == pytest.approx(3e30)


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
    ratios = vanishing_exploding.per_layer_update_ratios(parameters, updates, run_axes=2)
    for run in np.ndindex(2, 3):
        own, step = ({name: value[run] for name, value in group.items()} for group in (parameters, updates))
        for layer, norm in vanishing_exploding.per_layer_gradient_norms(own).items():
            assert norms[layer][run] == norm
        for layer, ratio in vanishing_exploding.per_layer_update_ratios(own, step).items():
            assert ratios[layer][run] == ratio


def test_ratios_at_the_edges():
    parameters = {"0.weight": np.array([3.0, 4.0]), "1.weight": np.zeros(2), "2.weight": np.zeros(2)}
    updates = {"0.weight": np.array([0.005, 0.0]), "1.weight": np.zeros(2), "2.weight": np.ones(2)}
    ratios = vanishing_exploding.per_layer_update_ratios(parameters, updates)
    assert ratios == {"0": 0.001, "1": 0.0, "2": np.inf}


TRIED = measured.Trial(-0.1, 2.21, 5.0)
HEALTHY = measured.Layer("", 3.0, 0.1, 1e-3, 1.4, 1.0, 1.4, 0.1, 32, 2)


def judged(changes=(), *, layers=6, loss=2.3, data=1.0, trial=TRIED, **options):
    """Judge healthy layers "0" to "5", some of them changed: {"3": {"gradient": 0.0}}."""
    given = [HEALTHY._replace(name=str(place), **dict(changes).get(str(place), {})) for place in range(layers)]
    return diagnosis.judge(measured.Evidence(tuple(given), data, loss, trial), **options)


def verdict(found):
    return found.fault, found.layer, found.candidates


def every(values, field):
    return {str(place): {field: value} for place, value in enumerate(values)}


NAN = math.nan
ALL = ("0", "1", "2", "3", "4", "5")


@pytest.mark.parametrize(
    ("changes", "options", "expected"),
    [
        ({}, {}, ("healthy", None, ())),
        # NaN and infinity, where each began
        ({"0": {"gradient": NAN}}, {"data": NAN}, ("not finite", None, ())),
        ({"3": {"parameters": math.inf}, "1": {"gradient": NAN}}, {}, ("not finite", "3", ())),
        ({"1": {"parameters": NAN}, "3": {"parameters": NAN}}, {}, ("not finite", None, ("1", "3"))),
        ({"3": {"given": math.inf}, "4": {"taken": NAN}}, {"loss": NAN}, ("not finite", "3", ())),
        ({"3": {"taken": NAN, "given": NAN}}, {"loss": NAN}, ("not finite", None, ("2", "3"))),
        ({}, {"loss": math.inf}, ("not finite", None, ())),
        (every([NAN] * 6, "gradient") | {"5": {"returned": NAN, "gradient": NAN}}, {}, ("not finite", None, ())),
        ({"2": {"returned": NAN, "gradient": NAN}}, {}, ("not finite", None, ("2", "3"))),
        ({"2": {"gradient": math.inf}}, {}, ("not finite", "2", ())),
        ({"4": {"update": NAN}}, {}, ("not finite", "4", ())),
        ({"2": {"update": NAN}, "4": {"update": NAN}}, {}, ("not finite", None, ("2", "4"))),
        # an infinity that does no harm, as that of a mask
        ({"3": {"taken": math.inf}}, {}, ("healthy", None, ())),
        # weights of one layer
        ({"2": {"gain": 140.0, "given": 140.0}}, {}, ("large weights", "2", ())),
        ({"2": {"gain": 14.0, "given": 14.0}}, {}, ("healthy", None, ())),
        ({"5": {"gain": 140.0, "given": 140.0}}, {}, ("large weights", "5", ())),
        ({"2": {"gain": 140.0}}, {}, ("healthy", None, ())),  # large, and its input lies where it is small
        ({"2": {"gain": 0.014, "given": 0.014}, "3": {"taken": 0.01, "given": 0.014}}, {}, ("small weights", "2", ())),
        ({"2": {"gain": 0.014, "given": 0.014}}, {}, ("healthy", None, ())),  # a branch beside a skip connection
        ({"5": {"gain": 0.014, "given": 0.014}}, {}, ("healthy", None, ())),  # the layer of the output may be small
        # along the layers
        (every([1.0, 0.5, 0.02, 1e-3, 1e-5, 1.0], "returned"), {}, ("exploding", None, ())),
        (every([1e-5, 1e-3, 0.02, 0.5, 1.0, 1.0], "returned"), {}, ("vanishing", None, ())),
        (every([1.0, 1.0, 20.0, 400.0, 8e3, 1e5], "taken"), {}, ("exploding", None, ())),
        (every([1e-9, 1.0, 1.0, 1.0, 1.0, 1.0], "taken"), {}, ("healthy", None, ())),  # data has its own scale
        (every([0.1, 0.1, 0.1, 0.1, 0.1, 1e3], "returned"), {}, ("healthy", None, ())),  # and so has the output
        (every([0.1, 0.1, 1e3, 0.1, 0.1, 0.1], "returned"), {}, ("healthy", None, ())),  # one layer is no trend
        (every([1e-5, 0.1, 0.1, 0.1, 0.1, 0.1], "returned"), {}, ("healthy", None, ())),  # nor is the first
        # units
        (every([32] * 3, "silent") | every([0.0] * 3, "gradient"), {"trial": None}, ("dead", "2", ())),
        ({"3": {"silent": 16}}, {}, ("silent units", "3", ())),
        ({"3": {"silent": 12}}, {}, ("healthy", None, ())),
        (every([14, 15, 16, 20, 16, 15], "silent"), {}, ("healthy", None, ())),
        (every([14, 15, 16, 30, 16, 15], "silent"), {}, ("silent units", "3", ())),
        # the step
        ({}, {"trial": measured.Trial(-0.1, 1e6, 1e9)}, ("large step", None, ())),
        ({}, {"trial": measured.Trial(-0.1, NAN, NAN)}, ("large step", None, ())),
        ({}, {"trial": measured.Trial(-0.1, 2.3004, 9.0)}, ("healthy", None, ())),
        (every([3.1] * 6, "update"), {}, ("large step", None, ())),
        (every([2.9] * 6, "update"), {"trial": None}, ("healthy", None, ())),
        (every([2.9] * 6, "update"), {"trial": None, "largest_ratio": 0.9}, ("large step", None, ())),
        ({"2": {"update": 3.1}}, {"trial": None}, ("large step", "2", ())),
        ({"2": {"update": 3.1, "parameters": 0.0}}, {"trial": None}, ("healthy", None, ())),
        ({"2": {"gradient": None, "update": None}}, {}, ("unused", "2", ())),
        ({"2": {"gradient": None, "update": None, "frozen": True}}, {}, ("healthy", None, ())),
        ({"2": {"update": 0.0}}, {}, ("not updated", "2", ())),
        ({"2": {"update": 0.0}, "4": {"update": 0.0}}, {}, ("not updated", None, ("2", "4"))),
        (every([0.0] * 6, "update"), {}, ("small step", None, ())),
        ({}, {"trial": measured.Trial(-1e-3, 2.299, 2.299 - 0.07)}, ("small step", None, ())),
        ({}, {"trial": measured.Trial(-1e-3, 2.299, 2.299 - 0.06)}, ("healthy", None, ())),
        ({"5": {"gain": 0.01}}, {"trial": measured.Trial(-1e-3, 2.299, 2.2)}, ("healthy", None, ())),
    ],
)
def test_each_rule_and_its_edge(changes, options, expected):
    found = judged(changes, **options)
    assert verdict(found) == expected
    assert found.sentence.endswith(".")
    assert all(name in found.sentence for name in expected[2] + ((expected[1],) if expected[1] else ()))


SILENT = {"taken": None, "given": None, "returned": None, "silent": None}


def test_without_signals_less_is_said():
    dead = {str(place): SILENT | {"gradient": 0.0} for place in range(5)}
    assert verdict(judged(dead | {"5": SILENT}, trial=None)) == ("dead", None, ("0", "1", "2", "3", "4"))
    assert verdict(judged({str(place): dead[str(place)] for place in range(3)}, trial=None)) == ("dead", "2", ())
    found = judged({name: SILENT | {"gradient": NAN} for name in ALL}, trial=None, loss=None, data=None)
    assert verdict(found) == ("not finite", None, ALL)
    assert "not looked at: what the layers give" in judged(dict.fromkeys(ALL, SILENT), trial=None).sentence


def test_with_signals_the_first_layer_that_went_off_is_named():
    off = {str(place): {"gradient": 0.0, "returned": 0.0} for place in range(5)}
    off |= {str(place): {**off.get(str(place), {}), "taken": 0.0, "given": 0.0} for place in (3, 4, 5)}
    assert verdict(judged(off, trial=measured.Trial(0.0, 2.3, 2.3, ("0", "1", "2", "3", "4")))) == ("dead", "2", ())
    assert judged({"0": {"taken": 0.0, "gradient": 0.0}}, data=0.0, trial=None).sentence.startswith("The inputs are 0")


def test_what_wakes_is_not_dead():
    asleep = {"1": {"gradient": 0.0, "update": 0.0, "returned": 0.0}, "3": {"waits": True}}
    assert judged(asleep).fault == "healthy"
    assert judged(asleep, trial=None).fault == "healthy"
    assert "Layer 1 had no gradient yet" in judged(asleep).sentence
    assert verdict(judged(asleep, trial=measured.Trial(-0.1, 2.2, 5.0, ("1",)))) == ("dead", "1", ())
    assert verdict(judged({"1": asleep["1"]}, trial=None)) == ("dead", "1", ())


def test_the_output_layer_takes_no_part_in_the_trend():
    assert judged({"2": {"returned": 1e8}}, layers=3).fault == "healthy"
    assert judged({"1": {"returned": 1e8}}, layers=3).fault == "vanishing"


def test_a_gradient_that_fades_into_zero_has_vanished_and_is_not_dead():
    sizes = [0.0, 0.0, 1e-300, 1e-150, 1.0, 1.0]
    fading = {str(place): SILENT | {"gradient": size} for place, size in enumerate(sizes)}
    assert judged(fading, trial=None).fault == "vanishing"


@given(st.floats(-200, 200))
def test_the_scale_of_the_loss_changes_no_verdict(exponent):
    """The loss times c and the rate over c: gradients and losses are c times as large, and the step is the same."""
    c = 2.0**exponent
    scaled = {name: {"gradient": 0.1 * c, "returned": 0.1 * c} for name in ALL}
    for slope, after, further in ((-0.1, 2.21, 5.0), (-0.1, 1e6, 1e9), (-1e-3, 2.299, 2.2)):
        plain = judged(trial=measured.Trial(slope, after, further))
        found = judged(scaled, loss=2.3 * c, trial=measured.Trial(slope * c, after * c, further * c))
        assert verdict(found) == verdict(plain)


def test_the_tail_of_the_binomial_is_that_of_scipy():
    binomial = pytest.importorskip("scipy.stats").binom
    for count, trials, chance in ((16, 32, 0.1), (0, 5, 0.3), (29, 32, 0.5), (5, 5, 0.2)):
        assert diagnosis._tail(count, trials, chance) == pytest.approx(
            binomial.sf(count - 1, trials, chance), rel=1e-12
        )
    assert 1 >= diagnosis._tail(700, 2000, 0.3) >= binomial.sf(699, 2000, 0.3)


# Networks


def digits_of(generator, shape):
    loaded = datasets.digits()
    rows = generator.integers(0, len(loaded.targets), shape)
    return (loaded.inputs[rows] - 8) / 8, loaded.targets[rows]


def scaled_loss(factor, logits, targets):
    loss, gradient = objective.cross_entropy_with_gradient(logits, targets)
    return factor * loss, factor * gradient


def last_weight_times(factor, parameters):
    last = f"{network.layer_names(parameters)[-1]}.weight"
    return {**parameters, last: factor * parameters[last]}


def drawn(depth, runs, generator, *, gain=2**0.5, width=32):
    draw = functools.partial(initialization.xavier_normal, gain=gain)
    return network.initialize([64] + [width] * depth + [10], generator, draw, runs=runs)


DESCENT = minibatch.SGD(0.05)


def diagnosed(parameters, generator, optimizer=DESCENT, *, batch=50, steps=0, **options):
    """Take some steps, and ask for the diagnosis of the next, for all runs at once."""
    runs = parameters["0.weight"].shape[:-2]
    state = optimizer.init(parameters)
    for _ in range(steps):
        inputs, targets = digits_of(generator, (*runs, batch))
        updates, state = optimizer.update(
            network.loss_and_gradient(parameters, inputs, targets).gradient, state, parameters
        )
        parameters = optimizers.apply_updates(parameters, updates)
    return vanishing_exploding.diagnose_network(
        parameters, *digits_of(generator, (*runs, batch)), optimizer, state=state, **options
    )


HEALTHY_KINDS = {
    "ReLU, 10 layers": lambda runs, g: diagnosed(drawn(10, runs, g), g),
    "ReLU, 20 layers": lambda runs, g: diagnosed(drawn(20, runs, g), g),
    "one hidden layer": lambda runs, g: diagnosed(drawn(1, runs, g, width=64), g),
    "tanh": lambda runs, g: diagnosed(drawn(8, runs, g, gain=1.0), g, activation="tanh"),
    "sigmoid, two layers": lambda runs, g: diagnosed(
        drawn(2, runs, g, gain=1.0), g, minibatch.SGD(0.5), activation="sigmoid"
    ),
    "summed loss": lambda runs, g: diagnosed(
        drawn(6, runs, g), g, minibatch.SGD(0.05 / 50), loss=functools.partial(scaled_loss, 50)
    ),
    "rescaled loss": lambda runs, g: diagnosed(
        drawn(6, runs, g), g, minibatch.SGD(0.05 / 4096), loss=functools.partial(scaled_loss, 4096)
    ),
    "last layer 0": lambda runs, g: diagnosed(last_weight_times(0, drawn(6, runs, g)), g),
    "Adam": lambda runs, g: diagnosed(drawn(6, runs, g), g, adaptive_methods.Adam(1e-3)),
    "momentum, batch of 1, trained": lambda runs, g: diagnosed(
        drawn(4, runs, g), g, momentum.Momentum(0.002, 0.9), batch=1, steps=20
    ),
}


def test_no_false_alarm_in_two_thousand_checks():
    """Ten kinds of healthy networks of 200 draws each."""
    found = {}
    for place, (kind, checked) in enumerate(HEALTHY_KINDS.items()):
        found[kind] = checked((200,), np.random.default_rng([7, place]))
    assert sum(len(each) for each in found.values()) == 2000
    alarms = [(kind, each.sentence) for kind, many in found.items() for each in many if each.fault != "healthy"]
    assert alarms == []
    assert all("had no gradient yet" in each.sentence for each in found["last layer 0"])


def test_runs_equal_single_networks_and_nothing_is_changed():
    generator = np.random.default_rng(0)
    parameters = drawn(4, (2, 3), generator)
    parameters["4.weight"][1, 2] *= 1e4
    inputs, targets = digits_of(generator, (20,))
    before = {name: value.copy() for name, value in parameters.items()}
    together = vanishing_exploding.diagnose_network(parameters, inputs, targets, minibatch.SGD(0.05))
    assert together.shape == (2, 3)
    assert all(np.array_equal(value, parameters[name]) for name, value in before.items())
    for run in np.ndindex(2, 3):
        own = {name: value[run] for name, value in parameters.items()}
        alone = vanishing_exploding.diagnose_network(own, inputs, targets, minibatch.SGD(0.05))
        assert verdict(alone) == verdict(together[run])
        np.testing.assert_allclose(alone.evidence.layers[1][1:9], together[run].evidence.layers[1][1:9], rtol=1e-12)
    assert verdict(together[1, 2]) == ("large weights", "4", ())


def test_signals_and_arrays_give_the_same_numbers():
    generator = np.random.default_rng(1)
    parameters = drawn(3, (), generator)
    inputs, targets = digits_of(generator, (20,))
    whole = vanishing_exploding.diagnose_network(parameters, inputs, targets, minibatch.SGD(0.05))
    logits, cache = network.forward(parameters, inputs)
    _, delta = objective.cross_entropy_with_gradient(logits, targets)
    gradients = network.backward(delta, parameters, cache)
    signals = {"6": measured.Signal(cache.inputs[-1], cache.preactivations[-1], delta)}
    updates = {name: -0.05 * value for name, value in gradients.items()}
    found = vanishing_exploding.diagnose(parameters, gradients, updates, signals=signals)
    assert found.evidence.layers[-1] == whole.evidence.layers[-1]
    assert found.evidence.layers[0].given is None
    assert found.gradient_norms == whole.gradient_norms
    assert found.update_ratios == pytest.approx(whole.update_ratios)
    last = whole.evidence.layers[-1]
    assert last.taken == pytest.approx(np.sqrt(np.mean(cache.inputs[-1] ** 2)))
    assert last.gain == pytest.approx(np.linalg.norm(parameters["6.weight"]) / math.sqrt(10))
    assert last.returned == pytest.approx(np.linalg.norm(delta))
    slope = sum(np.sum(gradients[name] * updates[name]) for name in updates)
    after = network.loss_and_gradient(optimizers.apply_updates(parameters, updates), inputs, targets).loss
    assert (whole.evidence.trial.slope, whole.evidence.trial.after) == pytest.approx((slope, after))


def test_returned_is_the_gradient_in_what_a_layer_gives():
    """Against differences: a shift of a layer's output is a shift of its bias, for one example."""
    generator = np.random.default_rng(2)
    parameters = drawn(3, (), generator, gain=1.0)
    inputs, targets = digits_of(generator, (1,))
    found = vanishing_exploding.diagnose_network(parameters, inputs, targets, minibatch.SGD(0.05), activation="tanh")
    gradients = network.loss_and_gradient(parameters, inputs, targets, "tanh").gradient
    for layer in found.evidence.layers:
        assert layer.returned == pytest.approx(np.linalg.norm(gradients[f"{layer.name}.bias"]), rel=1e-12)


@pytest.mark.parametrize("place", ["0", "8", "22"])
@pytest.mark.parametrize("bias", [0.0, 0.1])
def test_a_killed_layer_is_named_whatever_the_other_biases(place, bias):
    generator = np.random.default_rng(1)
    parameters = drawn(12, (20,), generator)
    parameters = {name: value + bias * name.endswith("bias") for name, value in parameters.items()}
    parameters[f"{place}.bias"] = parameters[f"{place}.bias"] - 100
    found = diagnosed(parameters, generator)
    assert {verdict(each) for each in found} == {("dead", place, ())}


def test_layers_that_wake_one_after_the_other_are_not_dead():
    """The last weights and those before them are 0: the first step wakes one layer, the second the next, and so on."""
    parameters = drawn(6, (), np.random.default_rng(4))
    parameters["10.weight"], parameters["12.weight"] = (0 * parameters[f"{layer}.weight"] for layer in (10, 12))
    parameters["10.bias"] = parameters["10.bias"] + 0.5
    found = diagnosed(parameters, np.random.default_rng(5))
    assert verdict(found) == ("healthy", None, ()), found.sentence
    assert "had no gradient yet" in found.sentence


def test_a_gradient_of_none_is_a_frozen_parameter():
    generator = np.random.default_rng(3)
    parameters = drawn(3, (), generator)
    gradients = dict(network.loss_and_gradient(parameters, *digits_of(generator, (20,))).gradient)
    gradients["0.weight"] = gradients["0.bias"] = gradients["2.bias"] = None
    found = vanishing_exploding.diagnose(parameters, gradients)
    assert found.fault == "healthy"
    assert found.gradient_norms["0"] is None
    assert "Frozen: 0." in found.sentence
    assert found.gradient_norms["2"] == pytest.approx(np.linalg.norm(gradients["2.weight"]))


def test_overflow_in_the_step_alone_is_seen():
    generator = np.random.default_rng(4)
    parameters = drawn(3, (), generator)
    gradients = network.loss_and_gradient(parameters, *digits_of(generator, (20,))).gradient
    updates = {name: -0.05 * value for name, value in gradients.items()}
    updates["4.bias"] = np.full(32, np.inf)
    assert verdict(vanishing_exploding.diagnose(parameters, gradients, updates)) == ("not finite", "4", ())


def test_order_of_the_gradients_does_not_matter():
    parameters = drawn(12, (), np.random.default_rng(5), gain=1.0)
    gradients = network.loss_and_gradient(parameters, *digits_of(np.random.default_rng(6), (20,)), "sigmoid").gradient
    found = vanishing_exploding.diagnose(parameters, gradients)
    assert found.fault == "vanishing"
    assert vanishing_exploding.diagnose(parameters, dict(reversed(gradients.items()))) == found


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_no_matrices_pass_the_strictest_condition(backend):
    array, kernels = arrays_of(backend)
    assert kernels.matrix_power_by_eigenvalues(array(np.ones((0, 2, 2))), 3, largest_condition=1.0).shape == (0, 2, 2)


# What the kernels are at the ends of the floats


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_powers_and_exponents_scale(backend, dtype):
    """At a scale of 2^e: |(2^e W)^t| = 2^(e t) |W^t|, infinity or 0 where that leaves the range."""
    array, kernels = arrays_of(backend)
    far = 90 if dtype is np.float32 else 900
    matrix = NOT_NORMAL.astype(dtype)
    plain = np.asarray(kernels.power_norms(array(matrix), 2))
    for exponent in (far, -far):
        scaled = np.ldexp(matrix, exponent)
        norms = np.asarray(kernels.power_norms(array(scaled), 2))
        assert norms.tolist() == [1, np.ldexp(plain[1], exponent), np.inf if exponent > 0 else 0]
        once = np.asarray(kernels.matrix_power_by_eigenvalues(array(scaled), 1))
        np.testing.assert_allclose(once, scaled, rtol=1e-5 if dtype is np.float32 else 1e-13, atol=0)
        assert not np.isnan(np.asarray(kernels.matrix_power_by_eigenvalues(array(scaled), 3))).any()
    turning = np.array([[0.6, -0.8], [0.8, 0.6]], dtype)
    assert np.abs(np.asarray(kernels.matrix_power_by_eigenvalues(array(turning), 5000))).max() > 0.5


def test_logarithms_of_singular_values_scale():
    factors = [gaussian(60 + layer, 4, 4) for layer in range(3)]
    plain = vanishing_exploding.log_singular_values(factors)
    for exponent in (700, -700):
        shifted = vanishing_exploding.log_singular_values([np.ldexp(factor, exponent) for factor in factors])
        np.testing.assert_allclose(shifted, plain + 3 * exponent * math.log(2), rtol=1e-13)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_an_exponent_follows_its_vector_through_the_factors_in_their_order(backend):
    """Stretch along the first axis by 4, and swap the axes; a shear, which its transpose is not."""
    array, kernels = arrays_of(backend)
    stretch, swap, shear = np.diag([4.0, 1.0]), np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[1.0, 0.0], [1.0, 1.0]])

    def exponent(*factors):
        return float(kernels.lyapunov_exponent(array(np.stack(factors)))[0])

    assert exponent(stretch, swap, stretch, swap) == pytest.approx(math.log(4) / 4)
    assert exponent(swap, stretch) == pytest.approx(0)
    assert exponent(shear) == pytest.approx(math.log(2) / 2)


# Torch modules


def torch_and_variant():
    torch = pytest.importorskip("torch")
    from dlnotes.torch import vanishing_exploding as variant

    return torch, variant


def module_of(torch, kind):
    """Build a small healthy module of a kind, with its optimizer and a batch."""
    nn = torch.nn
    images, tokens, labels = torch.randn(32, 1, 8, 8), torch.randint(0, 50, (32, 12)), torch.randint(0, 10, (32,))

    class Skip(nn.Module):
        """Residual blocks, multiplied by scalars that start at 0, or ending in weights of 0."""

        def __init__(self, rezero):
            super().__init__()
            self.first, self.last = nn.Linear(64, 32), nn.Linear(32, 10)
            self.blocks = nn.ModuleList(
                nn.Sequential(nn.LayerNorm(32), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 32)) for _ in range(6)
            )
            self.scales = nn.ParameterList(torch.full((), 0.0 if rezero else 1.0) for _ in self.blocks)
            if not rezero:
                for block in self.blocks:
                    nn.init.zeros_(block[-1].weight)

        def forward(self, x):
            x = self.first(x.flatten(1))
            for scale, block in zip(self.scales, self.blocks, strict=True):
                x = x + scale * block(x)
            return self.last(x)

    class LoRA(nn.Module):
        def __init__(self):
            super().__init__()
            self.base = nn.Linear(64, 10).requires_grad_(False)
            self.down, self.up = nn.Linear(64, 4, bias=False), nn.Linear(4, 10, bias=False)
            nn.init.zeros_(self.up.weight)

        def forward(self, x):
            return self.base(x.flatten(1)) + self.up(self.down(x.flatten(1)))

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.last = nn.Embedding(50, 32), nn.Linear(32, 10)
            layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
            self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

        def forward(self, x):
            return self.last(self.encoder(self.embedding(x)).mean(1))

    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Linear(64, 32).bfloat16(), nn.Linear(32, 32).double(), nn.Linear(32, 10)

        def forward(self, x):
            x = torch.relu(self.a(x.flatten(1).bfloat16()))
            return self.c(torch.relu(self.b(x.double())).float())

    convolutional = nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.Conv2d(8, 16, 3), nn.ReLU()),
        *(nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.3), nn.Linear(144, 10)),
    )
    if kind == "frozen":
        convolutional[0].requires_grad_(False)
    kinds = {"ReZero": lambda: Skip(True), "zero branches": lambda: Skip(False), "LoRA": LoRA}
    kinds |= {"attention": Attention, "mixed dtypes": Mixed}
    module = kinds[kind]() if kind in kinds else convolutional
    if kind == "convolutional":
        optimizer = torch.optim.SGD(module.parameters(), 0.05, momentum=0.9)
    else:
        optimizer = torch.optim.AdamW([p for p in module.parameters() if p.requires_grad], 1e-3)
    return module, optimizer, tokens if kind == "attention" else images, labels


MODULES = ["convolutional", "frozen", "ReZero", "zero branches", "LoRA", "attention", "mixed dtypes"]


@pytest.mark.parametrize("kind", MODULES)
def test_healthy_modules_raise_no_alarm_and_are_left_as_they_were(kind):
    torch, variant = torch_and_variant()
    torch.manual_seed(0)
    for _ in range(10):
        module, optimizer, inputs, labels = module_of(torch, kind)
        torch.nn.functional.cross_entropy(module(inputs), labels).backward()
        if torch.rand(()) < 0.5:
            optimizer.step()  # so that there is a state to be kept
        tensors = {**module.state_dict(), **{n: p.grad for n, p in module.named_parameters() if p.grad is not None}}
        held = {name: (tensor, tensor.clone()) for name, tensor in tensors.items()}
        state = copy.deepcopy(optimizer.state_dict())
        random, owned = torch.get_rng_state(), {n: p.grad for n, p in module.named_parameters()}
        found = variant.diagnose_module(module, optimizer, inputs, labels, torch.nn.functional.cross_entropy)
        assert (found.fault, found.layer) == ("healthy", None), found.sentence
        assert all(torch.equal(tensor, value) for tensor, value in held.values())
        assert all(p.grad is owned[name] for name, p in module.named_parameters())
        assert torch.equal(torch.get_rng_state(), random)
        assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())
        assert_same_state(torch, optimizer.state_dict(), state)


def assert_same_state(torch, given, expected):
    if isinstance(expected, torch.Tensor):
        assert torch.equal(given, expected)
    elif isinstance(expected, dict):
        assert given.keys() == expected.keys()
        for key, value in expected.items():
            assert_same_state(torch, given[key], value)
    elif isinstance(expected, list | tuple):
        for one, other in zip(given, expected, strict=True):
            assert_same_state(torch, one, other)
    else:
        assert given == expected


def test_what_is_read_is_the_optimizers_next_step():
    torch, variant = torch_and_variant()
    torch.manual_seed(1)
    module, optimizer, inputs, labels = module_of(torch, "mixed dtypes")
    loss = torch.nn.functional.cross_entropy
    found = variant.diagnose_module(module, optimizer, inputs, labels, loss)
    before = [p.detach().double() for p in module.a.parameters()]
    value = loss(module(inputs), labels)
    value.backward()
    gradient = torch.cat([p.grad.double().flatten() for p in module.a.parameters()]).norm()
    optimizer.step()
    moved = torch.cat([(p.detach().double() - b).flatten() for p, b in zip(module.a.parameters(), before, strict=True)])
    first = found.evidence.layers[0]
    assert first.update == pytest.approx(float(moved.norm()), rel=1e-6)
    assert first.gradient == pytest.approx(float(gradient), rel=1e-6)
    assert first.taken == pytest.approx(float(inputs.bfloat16().double().square().mean().sqrt()))
    assert found.evidence.loss == value.item()
    assert found.evidence.trial.after == pytest.approx(loss(module(inputs), labels).item(), rel=1e-6)


def faulty(torch, module, fault):
    layers = {"large weights": module[3], "dead": module[0], "nan": module[3]}
    with torch.no_grad():
        if fault == "large weights":
            layers[fault].weight.mul_(1e4)
        elif fault == "dead":
            module[1].bias.sub_(100)
        elif fault == "nan":
            layers[fault].bias[0] = torch.nan


@pytest.mark.parametrize(
    ("fault", "expected"),
    [("large weights", ("large weights", "3", ())), ("dead", ("dead", "1", ())), ("nan", ("not finite", "3", ()))],
)
def test_faults_of_a_convolutional_module_are_named(fault, expected):
    torch, variant = torch_and_variant()
    torch.manual_seed(2)
    for _ in range(5):
        module, optimizer, inputs, labels = module_of(torch, "convolutional")
        faulty(torch, module, fault)
        found = variant.diagnose_module(module, optimizer, inputs, labels, torch.nn.functional.cross_entropy)
        assert verdict(found) == expected, found.sentence


def test_what_is_left_out_is_named():
    torch, variant = torch_and_variant()
    loss = torch.nn.functional.cross_entropy
    module, _, inputs, labels = module_of(torch, "convolutional")
    parameters = [p for name, p in module.named_parameters() if not name.startswith("3.")]
    optimizer = torch.optim.SGD(parameters, 0.05)
    assert verdict(variant.diagnose_module(module, optimizer, inputs, labels, loss)) == ("not updated", "3", ())
    whole = torch.nn.ModuleDict({"used": module, "extra": torch.nn.Linear(3, 3)})
    whole.forward = lambda x: whole["used"](x)
    optimizer = torch.optim.SGD(whole.parameters(), 0.05)
    assert verdict(variant.diagnose_module(whole, optimizer, inputs, labels, loss)) == ("unused", "extra", ())
    found = variant.diagnose_module(module, None, inputs, labels, loss)
    assert found.fault == "healthy"
    assert found.evidence.trial is None
    inputs[0, 0, 0, 0] = torch.nan
    assert "The inputs hold NaN" in variant.diagnose_module(module, None, inputs, labels, loss).sentence


def test_a_module_and_the_same_network_get_the_same_numbers():
    torch, variant = torch_and_variant()
    generator = np.random.default_rng(8)
    parameters = drawn(3, (), generator)
    parts = [part for n in (64, 32, 32) for part in (torch.nn.Linear(n, 32), torch.nn.ReLU())]
    module = torch.nn.Sequential(*parts, torch.nn.Linear(32, 10)).double()
    module.load_state_dict({name: torch.tensor(value) for name, value in parameters.items()})
    inputs, labels = digits_of(generator, (40,))
    expected = vanishing_exploding.diagnose_network(parameters, inputs, labels, minibatch.SGD(0.05))
    optimizer = torch.optim.SGD(module.parameters(), 0.05)
    loss = torch.nn.functional.cross_entropy
    found = variant.diagnose_module(module, optimizer, torch.tensor(inputs), torch.tensor(labels), loss)
    assert verdict(found) == verdict(expected)
    for ours, theirs in zip(expected.evidence.layers, found.evidence.layers, strict=True):
        assert theirs[:1] + theirs[8:] == ours[:1] + ours[8:]
        assert theirs[1:8] == pytest.approx(ours[1:8], rel=1e-9)
    assert found.evidence.trial[:3] == pytest.approx(expected.evidence.trial[:3], rel=1e-6)


@pytest.mark.usefixtures("unchecked")
def test_wrong_modules_and_optimizers_are_refused():
    torch, variant = torch_and_variant()
    module, optimizer, inputs, labels = module_of(torch, "convolutional")
    loss = torch.nn.functional.cross_entropy
    with pytest.raises(TypeError, match="module must be a torch module, got a function"):
        variant.diagnose_module(loss, optimizer, inputs, labels, loss)
    with pytest.raises(TypeError, match="optimizer must be a torch optimizer, or None, got a str"):
        variant.diagnose_module(module, "SGD", inputs, labels, loss)
    with pytest.raises(TypeError, match=r"optimizer must be .* closure, got a LBFGS"):
        variant.diagnose_module(module, torch.optim.LBFGS(module.parameters()), inputs, labels, loss)
    with pytest.raises(ValueError, match=r"loss must be .* one number"):
        variant.diagnose_module(module, optimizer, inputs, labels, lambda output, _: output.sum(1))
    with pytest.raises(ValueError, match=r"parameters of module that ask for a gradient must be .* at least 1, got 0"):
        variant.diagnose_module(module.requires_grad_(False), None, inputs, labels, loss)


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
        optimizers.chain(minibatch.SGD(0.5), decay),
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


def test_too_small_weights_of_relu_hide_from_the_gradients_of_the_weights():
    """Signal and gradient both shrink, so that the gradients of the weights are alike; those of the biases are not."""
    generator = np.random.default_rng(0)
    parameters = drawn(20, (), generator, gain=0.3 * math.sqrt(2))
    inputs, targets = digits_of(generator, (100,))
    gradients = network.loss_and_gradient(parameters, inputs, targets).gradient
    assert vanishing_exploding.diagnose(parameters, gradients).fault == "vanishing"
    weights = {name: value for name, value in parameters.items() if name.endswith("weight")}
    found = vanishing_exploding.diagnose(weights, {name: gradients[name] for name in weights})
    assert found.fault == "healthy"
    norms = np.array([*found.gradient_norms.values()])
    assert norms.max() / norms.min() < 1e3
    assert vanishing_exploding.diagnose_network(parameters, inputs, targets, minibatch.SGD(0.05)).fault == "vanishing"
