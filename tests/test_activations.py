"""Laws, limits and known numbers of the activations."""

from __future__ import annotations

import importlib
import math

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlnotes.numpy import activations
from tests.parity.activations import CURVED, ONE_ARGUMENT

SMOOTH = ("sigmoid", "tanh", "softplus", "gelu", "silu")
BOUNDED = {"sigmoid": (0, 1), "tanh": (-1, 1)}
EPSILON = {np.float32: 2.0**-23, np.float64: 2.0**-52}


def function(name):
    return getattr(activations, name)


def slope(name):
    return getattr(activations, f"{name}_slope")


def read_only(array):
    array = np.array(array)
    array.flags.writeable = False
    return array


def real_numbers(dtype, largest=1e4):
    return hnp.arrays(
        dtype,
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
        elements=st.floats(-largest, largest, width=np.dtype(dtype).itemsize * 8),
    )


def test_the_table_names_every_function_of_one_argument():
    assert tuple(activations.ACTIVATIONS) == ONE_ARGUMENT
    assert tuple(activations.SECOND_DERIVATIVES) == ONE_ARGUMENT
    x = np.linspace(-3, 3, 13)
    for name, (of_table, slope_of_table) in activations.ACTIVATIONS.items():
        np.testing.assert_array_equal(of_table(x), function(name)(x))
        np.testing.assert_array_equal(slope_of_table(x), slope(name)(x))


def test_the_table_follows_an_exchanged_function(monkeypatch):
    monkeypatch.setattr(activations, "relu", lambda x: x + 1)
    monkeypatch.setattr(activations, "relu_slope", lambda x: x + 2)
    function, slope = activations.lookup("relu")
    assert function(1.0) == 2
    assert slope(1.0) == 3


def at_both_ends(module, as_array, name, kind):
    """Give a function, its slope or its second derivative at minus and plus infinity, and far out on both sides."""
    functions = {"": module.ACTIVATIONS[name].function, "slope": module.ACTIVATIONS[name].slope}
    function = functions.get(kind) or module.SECOND_DERIVATIVES[name]
    return (np.asarray(function(as_array(np.array([-x, x])))) for x in (np.inf, 1e6))


@pytest.mark.parametrize("kind", ["", "slope", "second derivative"])
@pytest.mark.parametrize("name", ONE_ARGUMENT)
@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_at_infinity_stands_the_limit(backend, name, kind):
    as_array = np.array if backend == "numpy" else pytest.importorskip("torch").tensor
    module = importlib.import_module(f"dlnotes.{backend}.activations")
    found, far = at_both_ends(module, as_array, name, kind)
    np.testing.assert_array_equal(found, np.where(np.abs(far) > 100, np.copysign(np.inf, far), far))


@pytest.mark.parametrize("approximate", ["none", "tanh"])
@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_both_forms_of_gelu_have_their_limits(backend, approximate):
    as_array = np.array if backend == "numpy" else pytest.importorskip("torch").tensor
    module = importlib.import_module(f"dlnotes.{backend}.activations")
    ends = as_array(np.array([-np.inf, np.inf]))
    np.testing.assert_array_equal(np.asarray(module.gelu(ends, approximate)), [0, np.inf])
    np.testing.assert_array_equal(np.asarray(module.gelu_slope(ends, approximate)), [0, 1])


@pytest.mark.parametrize("name", ["gelu", "silu"])
def test_autograd_gives_no_gradient_at_minus_infinity(name):
    torch = pytest.importorskip("torch")
    module = importlib.import_module("dlnotes.torch.activations")
    x = torch.tensor([-np.inf, -2.0], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(getattr(module, name)(x).sum(), x)
    torch.testing.assert_close(gradient, getattr(module, f"{name}_slope")(x.detach()))
    assert gradient[0] == 0


def test_lookup_passes_a_pair_through():
    own = activations.Activation(np.sin, np.cos)
    assert activations.lookup(own) is own


@pytest.mark.parametrize("name", ONE_ARGUMENT)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_and_shape_are_kept_and_far_inputs_stay_finite(name, dtype):
    @given(real_numbers(dtype))
    def check(x):
        with np.errstate(all="raise", under="ignore"):
            for kernel in (function(name), slope(name), activations.SECOND_DERIVATIVES[name]):
                result = kernel(read_only(x))
                assert result.dtype == dtype
                assert result.shape == x.shape
                assert np.isfinite(result).all()
            grad_output = np.ones_like(x)
            if name != "identity":
                np.testing.assert_array_equal(function(f"{name}_backward")(grad_output, x), slope(name)(x))

    check()


@pytest.mark.parametrize("name", ONE_ARGUMENT)
def test_finite_up_to_1e12_in_float32(name):
    x = np.float32([-1e12, -1e8, 1e8, 1e12])
    with np.errstate(all="raise", under="ignore"):
        for kernel in (function(name), slope(name), activations.SECOND_DERIVATIVES[name]):
            assert np.isfinite(kernel(x)).all()


@pytest.mark.parametrize("name", ONE_ARGUMENT)
def test_nan_stays_nan(name):
    assert np.isnan(function(name)(np.array([np.nan, 1.0]))).tolist() == [True, False]


@pytest.mark.parametrize("name", ONE_ARGUMENT)
@pytest.mark.parametrize("order", [1, 2])
def test_derivatives_against_differences(name, order):
    kernel, derivative = (
        (function(name), slope(name)) if order == 1 else (slope(name), activations.SECOND_DERIVATIVES[name])
    )
    x = np.linspace(-6, 6, 240)  # does not meet the kink at 0
    step = 1e-5
    assert np.abs(x).min() > step
    measured = (kernel(x + step) - kernel(x - step)) / (2 * step)
    # Rounding of values up to 6 over 2e-5, and the step squared times a third derivative below 3.
    np.testing.assert_allclose(derivative(x), measured, atol=6 * 2.0**-52 / step + step * step)


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu_slopes_against_differences(approximate):
    x, step = np.linspace(-6, 6, 241), 1e-5
    measured = (activations.gelu(x + step, approximate) - activations.gelu(x - step, approximate)) / (2 * step)
    np.testing.assert_allclose(activations.gelu_slope(x, approximate), measured, atol=6 * 2.0**-52 / step + step * step)
    np.testing.assert_array_equal(
        activations.gelu_backward(2 * x, x, approximate), 2 * x * activations.gelu_slope(x, approximate)
    )


@pytest.mark.parametrize(
    ("name", "extra"), [("leaky_relu", 0.3), ("leaky_relu", -2.0), ("elu", 0.5), ("elu", 2.0)], ids=str
)
def test_slopes_with_a_parameter(name, extra):
    x, step = np.linspace(-6, 6, 240), 1e-5
    measured = (function(name)(x + step, extra) - function(name)(x - step, extra)) / (2 * step)
    np.testing.assert_allclose(slope(name)(x, extra), measured, atol=1e-9)
    np.testing.assert_array_equal(function(f"{name}_backward")(x, x, extra), x * slope(name)(x, extra))


def test_slopes_at_the_kink_are_those_on_the_left():
    zero = np.zeros(1)
    assert activations.relu_slope(zero) == 0
    assert activations.leaky_relu_slope(zero) == 0.01
    assert activations.leaky_relu_slope(np.float32([0, 1])).tolist() == [np.float32(0.01), 1]
    assert activations.elu_slope(zero, 0.5) == 0.5
    assert activations.selu_slope(zero) == activations.SELU_SCALE * activations.SELU_ALPHA


def test_known_values():
    x = np.array([-1.0, 0.0, 1.0])
    logistic = 1 / (1 + math.e)
    np.testing.assert_allclose(activations.sigmoid(x), [logistic, 0.5, 1 - logistic], rtol=1e-15)
    np.testing.assert_allclose(activations.softplus(x), [math.log1p(1 / math.e), math.log(2), math.log1p(math.e)])
    np.testing.assert_allclose(activations.silu(x), [-logistic, 0, 1 - logistic], rtol=1e-15)
    half = math.erf(math.sqrt(0.5)) / 2
    np.testing.assert_allclose(activations.gelu(x), [half - 0.5, 0, half + 0.5], rtol=1e-14)
    np.testing.assert_allclose(activations.elu(x), [math.exp(-1) - 1, 0, 1], rtol=1e-15)
    np.testing.assert_array_equal(activations.relu(x), [0, 0, 1])
    np.testing.assert_array_equal(activations.leaky_relu(x, 0.3), [-0.3, 0, 1])
    np.testing.assert_array_equal(activations.leaky_relu(x, -2.0), [2, 0, 1])


def test_claims_about_saturation():
    """Numbers of the chapter: slopes at 0, 5 and 10, and the limits at both ends."""
    x = np.array([0.0, 5.0, 10.0])
    np.testing.assert_allclose(activations.sigmoid_slope(x), [0.25, 6.648e-3, 4.5396e-5], rtol=1e-4)
    np.testing.assert_allclose(activations.tanh_slope(x), [1, 1.8158e-4, 8.2446e-9], rtol=1e-4)
    far = np.array([-1e4, 1e4])
    flat_below = {name: activations.ACTIVATIONS[name].slope(far)[0] == 0 for name in ONE_ARGUMENT}
    flat_above = {name: activations.ACTIVATIONS[name].slope(far)[1] == 0 for name in ONE_ARGUMENT}
    assert {name for name, flat in flat_below.items() if not flat} == {"identity", "leaky_relu"}
    assert {name for name, flat in flat_above.items() if flat} == {"sigmoid", "tanh"}


def test_relations():
    x = np.linspace(-30, 30, 601)
    np.testing.assert_allclose(activations.sigmoid(x) + activations.sigmoid(-x), 1, rtol=1e-15)
    np.testing.assert_allclose(activations.tanh(x), 2 * activations.sigmoid(2 * x) - 1, atol=4e-16)
    np.testing.assert_allclose(activations.tanh_slope(x), 4 * activations.sigmoid_slope(2 * x), rtol=1e-15)
    np.testing.assert_allclose(activations.softplus(x) - activations.softplus(-x), x, atol=8e-15)
    np.testing.assert_allclose(activations.normal_cdf(x) + activations.normal_cdf(-x), 1, rtol=1e-15)
    np.testing.assert_allclose(activations.gelu(x) - activations.gelu(-x), x, rtol=1e-15)
    np.testing.assert_allclose(activations.silu(x) - activations.silu(-x), x, rtol=1e-14)
    np.testing.assert_array_equal(activations.leaky_relu(x, 0.0), activations.relu(x))
    np.testing.assert_array_equal(activations.leaky_relu(x, 1.0), x)


@pytest.mark.parametrize("name", BOUNDED)
def test_range_and_monotony(name):
    low, high = BOUNDED[name]
    values = function(name)(np.linspace(-1e3, 1e3, 20001))
    assert values.min() >= low
    assert values.max() <= high
    assert (np.diff(values) >= 0).all()


def test_approximate_gelu_is_near():
    x = np.linspace(-10, 10, 4001)
    error = np.abs(activations.gelu(x) - activations.gelu(x, "tanh")).max()
    assert 4e-4 < error < 5e-4  # 4.7e-4 at |x| = 2.7


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_accuracy_against_many_digits(dtype):
    """Relative errors in rounding units, both tails included; where terms cancel, relative to the larger one."""
    mpmath = pytest.importorskip("mpmath")
    rng = np.random.default_rng(0)
    x = np.concatenate((rng.normal(0, 1, 200), rng.uniform(-80, 80, 200), rng.uniform(-1e4, 1e4, 100))).astype(dtype)
    exact = [mpmath.mpf(float(value)) for value in x]
    with mpmath.workdps(40):
        e = [mpmath.exp(-abs(value)) for value in exact]
        logistic = [1 / (1 + mpmath.exp(-value)) for value in exact]
        sigmoid_slope = [tail / (1 + tail) ** 2 for tail in e]
        tail = [mpmath.erfc(-value / mpmath.sqrt(2)) / 2 for value in exact]
        density = [mpmath.exp(-value * value / 2) / mpmath.sqrt(2 * mpmath.pi) for value in exact]
        # value, allowed error in rounding units, size that the error is relative to (None: the value)
        checked = {
            "sigmoid": (logistic, 3, None),
            "sigmoid_slope": (sigmoid_slope, 4, None),
            "tanh": ([mpmath.tanh(value) for value in exact], 3, None),
            "tanh_slope": ([1 / mpmath.cosh(value) ** 2 for value in exact], 5, None),
            "softplus": ([mpmath.log1p(mpmath.exp(value)) for value in exact], 3, None),
            "elu": ([value if value > 0 else mpmath.expm1(value) for value in exact], 3, None),
            "silu": ([value * s for value, s in zip(exact, logistic, strict=True)], 4, None),
            "silu_slope": ([s + value * d for value, s, d in zip(exact, logistic, sigmoid_slope, strict=True)], 8, 1),
            "normal_cdf": (tail, 3 + 1.5 * x.astype(float) ** 2, None),
            "gelu": ([value * t for value, t in zip(exact, tail, strict=True)], 4 + 1.5 * x.astype(float) ** 2, None),
            "gelu_slope": ([t + value * d for value, t, d in zip(exact, tail, density, strict=True)], 8, 1),
        }
        smallest = float(np.finfo(dtype).tiny) * 1e4  # below, numbers lose their digits one by one
        for name, (values, units, size) in checked.items():
            given = function(name)(x)
            error = [abs(mpmath.mpf(float(g)) - v) for g, v in zip(given, values, strict=True)]
            scale = [max(abs(v), size or 0) for v in values]
            relative = np.array([float(e / s) if s > smallest else 0.0 for e, s in zip(error, scale, strict=True)])
            assert (relative <= EPSILON[dtype] * units).all(), (name, (relative / EPSILON[dtype] / units).max())
            lost = [float(e) for e, s in zip(error, scale, strict=True) if s <= smallest]
            assert max(lost, default=0) <= smallest, name


def test_series_of_the_normal_tail_is_the_one_described():
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(40):

        def smooth(t):
            u = 5 * (1 + t) / (1 - t)
            return mpmath.exp(u * u / 2) * mpmath.erfc(u / mpmath.sqrt(2)) / 2 * (u + 1)

        count = 48
        angles = [mpmath.pi * (2 * j + 1) / (2 * count) for j in range(count)]
        values = [smooth(mpmath.cos(angle)) for angle in angles]
        coefficients = [
            2 * sum(v * mpmath.cos(order * angle) for v, angle in zip(values, angles, strict=True)) / count
            for order in range(count)
        ]
        coefficients[0] /= 2
    wanted = np.array([float(c) for c in coefficients])
    terms = len(activations._TAIL_SERIES)
    np.testing.assert_allclose(activations._TAIL_SERIES, wanted[:terms], atol=1e-18, rtol=1e-13)
    assert np.abs(wanted[terms:]).sum() < 2.0**-53 * 0.4  # 0.4 is the least value of the series
    assert np.abs(wanted[activations._SINGLE_PRECISION_TERMS :]).sum() < 2.0**-24 * 0.4


def test_blocks_of_the_normal_distribution_do_not_show():
    x = np.linspace(-9, 9, 2 * activations._BLOCK + 77)
    whole = activations.normal_cdf(x)
    parts = np.concatenate([activations.normal_cdf(part) for part in np.array_split(x, 5)])
    np.testing.assert_array_equal(whole, parts)
    np.testing.assert_array_equal(activations.normal_cdf(x[::-1]), whole[::-1])


def test_selu_constants_solve_their_equations():
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(30):
        density = mpmath.npdf
        mean_below = mpmath.quad(lambda z: mpmath.expm1(z) * density(z), [-40, -4, 0])
        square_below = mpmath.quad(lambda z: mpmath.expm1(z) ** 2 * density(z), [-40, -4, 0])
        alpha = -(1 / mpmath.sqrt(2 * mpmath.pi)) / mean_below
        scale = 1 / mpmath.sqrt(mpmath.mpf(1) / 2 + alpha**2 * square_below)
    assert float(alpha) == activations.SELU_ALPHA
    assert float(scale) == activations.SELU_SCALE


def test_against_torch():
    """Its own functions and their autograd, also for the ones that our torch variants do not call."""
    torch = pytest.importorskip("torch")
    x = torch.linspace(-18, 18, 721, dtype=torch.float64, requires_grad=True)
    for name in ONE_ARGUMENT[1:]:
        result = getattr(torch.nn.functional, name)(x)
        (gradient,) = torch.autograd.grad(result.sum(), x)
        value = x.detach().numpy()
        np.testing.assert_allclose(function(name)(value), result.detach().numpy(), atol=2e-15, rtol=1e-15)
        # PyTorch's slope of SiLU holds x (1 - s), whose rounding grows with |x| up to 18.
        np.testing.assert_allclose(slope(name)(value), gradient.numpy(), atol=18 * EPSILON[np.float64], rtol=0)
    with torch.no_grad():
        near = torch.nn.functional.gelu(x, approximate="tanh").numpy()
    np.testing.assert_allclose(activations.gelu(value, "tanh"), near, atol=4e-15)


def test_torch_functions_can_be_differentiated():
    torch = pytest.importorskip("torch")
    from dlnotes.torch import activations as variants

    x = torch.linspace(-4, 4, 60, dtype=torch.float64, requires_grad=True)
    for name, (variant, variant_slope) in variants.ACTIVATIONS.items():
        (gradient,) = torch.autograd.grad(variant(x).sum(), x)
        torch.testing.assert_close(gradient, variant_slope(x.detach()), atol=1e-14, rtol=1e-12)
        if name in CURVED:
            (curvature,) = torch.autograd.grad(variant_slope(x).sum(), x)
            torch.testing.assert_close(curvature, variants.SECOND_DERIVATIVES[name](x.detach()), atol=1e-13, rtol=1e-12)


# Functions of more than one argument.


def test_prelu_is_leaky_relu_with_a_slope_a_feature():
    rng = np.random.default_rng(0)
    x, slopes = rng.standard_normal((4, 3)), np.array([0.1, 0.5, -1.0])
    for feature, a in enumerate(slopes.tolist()):
        np.testing.assert_array_equal(
            activations.prelu(x, slopes)[:, feature], activations.leaky_relu(x[:, feature], a)
        )
    np.testing.assert_array_equal(activations.prelu(x, slopes[:1]), activations.leaky_relu(x, 0.1))


@pytest.mark.parametrize("runs", [(), (2,), (2, 3)])
@pytest.mark.parametrize("shared", [True, False])
def test_prelu_gradients_against_differences(runs, shared):
    rng = np.random.default_rng(1)
    x, grad_output = rng.standard_normal((2, *runs, 4, 3))
    slopes = rng.standard_normal((*runs, 1 if shared else 3))
    gradients = activations.prelu_backward(read_only(grad_output), read_only(x), read_only(slopes))
    assert gradients.negative_slope.shape == slopes.shape

    def loss(x, slopes):
        return (activations.prelu(x, slopes) * grad_output).sum()

    for argument, array in enumerate((x, slopes)):
        measured = np.empty_like(array)
        for place in np.ndindex(array.shape):
            moved = [x, slopes]
            shift = np.zeros_like(array)
            shift[place] = 1e-6
            moved[argument] = array + shift
            above = loss(*moved)
            moved[argument] = array - shift
            measured[place] = (above - loss(*moved)) / 2e-6
        np.testing.assert_allclose(gradients[argument], measured, atol=1e-8)


def test_prelu_of_a_grid_is_that_of_its_runs():
    rng = np.random.default_rng(2)
    x, grad_output = rng.standard_normal((2, 5, 4, 3)).astype(np.float32)
    slopes = rng.standard_normal((5, 3)).astype(np.float32)
    values, gradients = activations.prelu(x, slopes), activations.prelu_backward(grad_output, x, slopes)
    assert gradients.x.dtype == gradients.negative_slope.dtype == np.float32
    for run in range(5):
        np.testing.assert_array_equal(values[run], activations.prelu(x[run], slopes[run]))
        alone = activations.prelu_backward(grad_output[run], x[run], slopes[run])
        np.testing.assert_array_equal(gradients.x[run], alone.x)
        np.testing.assert_array_equal(gradients.negative_slope[run], alone.negative_slope)


def test_maxout_holds_relu_and_leaky_relu():
    """Two linear maps whose larger one is the ReLU, or the leaky ReLU, of a number."""
    x = np.linspace(-2, 2, 9)
    for a, wanted in ((0.0, activations.relu(x)), (0.1, activations.leaky_relu(x, 0.1))):
        maps = np.stack((x, a * x), axis=-1)
        np.testing.assert_array_equal(activations.maxout(maps)[:, 0], wanted)


def test_maxout_groups_neighbors():
    x = np.array([1.0, 5.0, -2.0, -3.0, 7.0, 0.0])
    np.testing.assert_array_equal(activations.maxout(x, 2), [5, -2, 7])
    np.testing.assert_array_equal(activations.maxout(x, 3), [5, 7])
    np.testing.assert_array_equal(activations.maxout(x, 1), x)
    np.testing.assert_array_equal(activations.maxout_backward(np.array([2.0, 3.0]), x, 3), [0, 2, 0, 0, 3, 0])
    tie = np.array([4.0, 4.0])
    np.testing.assert_array_equal(activations.maxout_backward(np.array([3.0]), tie), [3, 0])


@given(st.integers(0, 4), st.integers(1, 4), st.sampled_from([np.float32, np.float64]), st.integers(0, 2**32 - 1))
def test_maxout_sends_all_of_the_gradient_to_the_largest(features, pieces, dtype, seed):
    rng = np.random.default_rng(seed)
    x = read_only(rng.standard_normal((2, 3, features * pieces)).astype(dtype))
    grad_output = read_only(rng.standard_normal((2, 3, features)).astype(dtype))
    value, gradient = activations.maxout(x, pieces), activations.maxout_backward(grad_output, x, pieces)
    assert value.dtype == gradient.dtype == dtype
    groups = (2, 3, features, pieces)
    np.testing.assert_array_equal(gradient.reshape(groups).sum(-1), grad_output)
    np.testing.assert_array_equal((gradient * x).reshape(groups).sum(-1), grad_output * value)


@given(real_numbers(np.float64, largest=50), st.integers(0, 2**32 - 1))
def test_swiglu_and_its_gradient(gate, seed):
    gate = gate[..., None] if gate.ndim == 0 else gate
    rng = np.random.default_rng(seed)
    value, grad_output = rng.standard_normal((2, *gate.shape))
    x = read_only(np.concatenate((gate, value), axis=-1))
    np.testing.assert_array_equal(activations.swiglu(x), activations.silu(gate) * value)
    gradient = activations.swiglu_backward(grad_output, x)
    assert gradient.shape == x.shape
    by_gate, by_value = np.split(gradient, 2, axis=-1)
    np.testing.assert_array_equal(by_value, grad_output * activations.silu(gate))
    np.testing.assert_allclose(by_gate, activations.silu_backward(grad_output * value, gate), rtol=1e-12)


def test_means_of_the_chapter():
    """Mean outputs for a standard normal input, by a fine sum: ReLU 0.3989, ELU 0.1605, sigmoid 1/2, tanh 0."""
    z = np.linspace(-12, 12, 240001)
    weight = np.exp(-z * z / 2) / math.sqrt(2 * math.pi) * 1e-4
    means = {name: float((activations.ACTIVATIONS[name].function(z) * weight).sum()) for name in ONE_ARGUMENT}
    assert means["relu"] == pytest.approx(1 / math.sqrt(2 * math.pi), abs=1e-9)
    assert means["elu"] == pytest.approx(0.1605, abs=5e-5)
    assert means["sigmoid"] == pytest.approx(0.5, abs=1e-12)
    assert means["tanh"] == pytest.approx(0, abs=1e-12)
    assert means["selu"] == pytest.approx(0, abs=1e-9)


def test_a_steep_negative_slope_is_a_slope():
    """max(x, a x) is the same function only for a up to 1."""
    x = np.array([-2.0, -0.0, 3.0])
    np.testing.assert_array_equal(activations.leaky_relu(x, 2.5), [-5, 0, 3])
    np.testing.assert_array_equal(activations.leaky_relu_slope(x, 2.5), [2.5, 2.5, 1])
    np.testing.assert_array_equal(activations.prelu(x[:, None], np.array([2.5]))[:, 0], [-5, 0, 3])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", [*ONE_ARGUMENT, "gelu tanh"])
def test_what_is_finite_stays_finite(name, dtype):
    settings = {"approximate": "tanh"} if name == "gelu tanh" else {}
    largest = np.finfo(dtype).max / 2
    x = np.array([-largest, -1e20, -300, 300, 1e20, largest], dtype)
    with np.errstate(over="raise", invalid="raise"):
        value, steepness = (f(x, **settings) for f in (function(name.split()[0]), slope(name.split()[0])))
    assert np.isfinite(value).all()
    assert np.isfinite(steepness).all()
    if name in activations.SECOND_DERIVATIVES:
        assert np.isfinite(activations.SECOND_DERIVATIVES[name](x)).all()
    if "gelu" in name:  # it has left its bend: as ReLU
        np.testing.assert_array_equal(value, np.maximum(x, 0))
        np.testing.assert_array_equal(steepness, x > 0)


def test_float16_far_from_zero():
    """What was 0 or nan when float16 computed it."""
    x = np.array([-12.0, -300.0, 300.0], np.float16)
    assert float(activations.sigmoid(x)[0]) == pytest.approx(math.exp(-12), rel=0.01)
    np.testing.assert_array_equal(activations.gelu_slope(x[1:], "tanh"), [0, 1])
    assert activations.gelu_slope(x, "tanh").dtype == np.float16
