"""Distributions, laws and known numbers of initialization."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlnotes import weight_scales
from dlnotes.numpy import activations, initialization

SCHEMES = (
    "lecun_normal",
    "lecun_uniform",
    "xavier_normal",
    "xavier_uniform",
    "he_normal",
    "he_uniform",
    "pytorch_default",
)
RANDOM = (*SCHEMES, "normal", "uniform", "truncated_normal", "orthogonal", "pytorch_default_bias")
VARIANCE = {
    "lecun": lambda fan_in, fan_out: 1 / fan_in,
    "xavier": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "he": lambda fan_in, fan_out: 2 / fan_in,
    "pytorch": lambda fan_in, fan_out: 1 / (3 * fan_in),
}


def kernel(name):
    return getattr(initialization, name)


def generator(seed=0):
    return np.random.default_rng(seed)


def leaky(slope):
    return activations.Activation(
        lambda x: activations.leaky_relu(x, slope), lambda x: activations.leaky_relu_slope(x, slope)
    )


def kurtosis(name):
    """Give E[w^4] / E[w^2]^2 of the distribution, which sets the standard error of a sample variance."""
    return 1.8 if "uniform" in name or "pytorch" in name else 3.0


def assert_variance(sample, variance, name):
    """The sample's mean and variance within five standard errors."""
    sample = np.asarray(sample, dtype=np.float64)
    assert abs(sample.mean()) < 5 * math.sqrt(variance / sample.size)
    error = variance * math.sqrt((kurtosis(name) - 1) / sample.size)
    assert abs((sample * sample).mean() - variance) < 5 * error


# Distributions.


@pytest.mark.parametrize("shape", [(200, 500), (20, 50, 10, 10)])
@pytest.mark.parametrize("name", SCHEMES)
def test_variance_of_what_is_drawn(name, shape):
    variance = VARIANCE[name.split("_")[0]](*weight_scales.fans(shape))
    weights = kernel(name)(shape, generator())
    assert weights.shape == shape
    assert_variance(weights, variance, name)
    if kurtosis(name) < 3:
        assert 0.999 < np.abs(weights).max() / math.sqrt(3 * variance) < 1


@pytest.mark.parametrize("mode", ["fan_in", "fan_out"])
@pytest.mark.parametrize("name", ["he_normal", "he_uniform"])
def test_he_with_slope_and_mode(name, mode):
    fan = getattr(weight_scales.fans((200, 500)), mode)
    weights = kernel(name)((200, 500), generator(), negative_slope=0.3, mode=mode)
    assert_variance(weights, 2 / ((1 + 0.09) * fan), name)


@pytest.mark.parametrize("name", ["xavier_normal", "xavier_uniform"])
def test_xavier_with_gain(name):
    plain, scaled = (kernel(name)((200, 500), generator(), gain=gain) for gain in (1.0, 5 / 3))
    np.testing.assert_allclose(scaled, plain * (5 / 3), rtol=4e-16)


TORCH_NAMES = {
    "lecun_normal": ("kaiming_normal_", {"nonlinearity": "linear"}),
    "lecun_uniform": ("kaiming_uniform_", {"nonlinearity": "linear"}),
    "xavier_normal": ("xavier_normal_", {}),
    "xavier_uniform": ("xavier_uniform_", {}),
    "he_normal": ("kaiming_normal_", {}),
    "he_uniform": ("kaiming_uniform_", {}),
    "pytorch_default": ("kaiming_uniform_", {"a": math.sqrt(5)}),
}


def distribution_distance(first, second):
    """Give the largest distance of two sample distribution functions, in units of its 1-in-10000 threshold."""
    first, second = np.sort(np.ravel(first)), np.sort(np.ravel(second))
    both = np.concatenate((first, second))
    shares = [np.searchsorted(sample, both, side="right") / sample.size for sample in (first, second)]
    threshold = math.sqrt(math.log(2 / 1e-4) / 2 * (1 / first.size + 1 / second.size))
    return float(np.abs(shares[0] - shares[1]).max() / threshold)


@pytest.mark.parametrize("name", TORCH_NAMES)
@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_same_distribution_as_torch_init(name, backend):
    torch = pytest.importorskip("torch")
    theirs, keywords = TORCH_NAMES[name]
    seeded, shape = torch.Generator().manual_seed(1), (60, 20, 4, 4)
    expected = getattr(torch.nn.init, theirs)(torch.empty(shape), generator=seeded, **keywords).numpy()
    if backend == "numpy":
        ours = kernel(name)(shape, generator())
    else:
        from dlnotes.torch import initialization as variants

        ours = getattr(variants, name)(shape, torch.Generator().manual_seed(2)).numpy()
    assert distribution_distance(ours, expected) < 1
    assert distribution_distance(1.1 * ours, expected) > 1  # the test sees a tenth


def test_a_new_torch_layer_has_the_default():
    torch = pytest.importorskip("torch")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = [torch.nn.Linear(40, 30) for _ in range(100)]
    weights = np.stack([layer.weight.detach().numpy() for layer in layers])
    biases = np.stack([layer.bias.detach().numpy() for layer in layers])
    ours = initialization.pytorch_default((30, 40), generator(), runs=(100,))
    our_biases = initialization.pytorch_default_bias((30, 40), generator(1), runs=(100,))
    assert our_biases.shape == biases.shape
    assert distribution_distance(ours, weights) < 1
    assert distribution_distance(our_biases, biases) < 1
    assert_variance(weights, weight_scales.pytorch_default_variance(40), "pytorch_default")


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.dtype("float32")])
@pytest.mark.parametrize("name", RANDOM)
def test_dtype_runs_and_shape(name, dtype):
    for shape in ((1, 1), (5, 3), (3, 5), (4, 2, 3, 3)):
        expected = shape[:1] if name.endswith("bias") else shape
        for runs in ((), (2,), (2, 3)):
            drawn = kernel(name)(shape, generator(), runs=runs, dtype=dtype)
            assert drawn.dtype == dtype
            assert drawn.shape == (*runs, *expected)
            assert np.isfinite(drawn).all()


@pytest.mark.parametrize("name", RANDOM)
def test_run_i_draws_from_child_i_alone(name):
    grid = kernel(name)((4, 3), generator(), runs=(2, 3))
    for run, child in zip(np.ndindex(2, 3), generator().spawn(6), strict=True):
        np.testing.assert_array_equal(grid[run], kernel(name)((4, 3), child))
    own = np.array(generator().spawn(6), dtype=object).reshape(2, 3)
    np.testing.assert_array_equal(kernel(name)((4, 3), own, runs=(2, 3)), grid)
    assert not np.array_equal(grid[0, 0], grid[0, 1])


@pytest.mark.parametrize("name", RANDOM)
def test_one_generator_goes_on(name):
    source = generator()
    first, second = kernel(name)((4, 3), source), kernel(name)((4, 3), source)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, kernel(name)((4, 3), generator()))


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("normal", "standard_deviation"),
        ("uniform", "bound"),
        ("truncated_normal", "standard_deviation"),
        ("xavier_normal", "gain"),
        ("xavier_uniform", "gain"),
        ("orthogonal", "gain"),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_scale_a_run(name, argument, dtype):
    scales = np.array([[0.0, 0.5, 1.0], [2.0, 0.1, 3.0]])
    grid = kernel(name)((4, 3), generator(), runs=(2, 3), dtype=dtype, **{argument: scales})
    for run, child in zip(np.ndindex(2, 3), generator().spawn(6), strict=True):
        alone = kernel(name)((4, 3), child, dtype=dtype, **{argument: float(scales[run])})
        np.testing.assert_array_equal(grid[run], alone)


@pytest.mark.parametrize("given", [0, None, np.random, np.random.RandomState(0)])
@pytest.mark.usefixtures("unchecked")
def test_a_generator_is_asked_for(given):
    with pytest.raises(TypeError, match=r"generator must be a numpy Generator.*, got "):
        initialization.normal((3, 4), given)
    torch = pytest.importorskip("torch")
    from dlnotes.torch import initialization as variants

    with pytest.raises(TypeError, match=r"generator must be a torch Generator, got "):
        variants.normal((3, 4), given)
    with pytest.raises(ValueError, match=r"generator must be an array of .*shape.*, got shape \(2,\)"):
        initialization.normal((3, 4), np.array(generator().spawn(2)), runs=(3,))
    del torch


def test_scaled_is_exact():
    noise = generator().standard_normal((2, 3, 4))
    noise.flags.writeable = False
    np.testing.assert_array_equal(initialization.scaled(noise, 0.1), 0.1 * noise)
    np.testing.assert_array_equal(initialization.scaled(noise, np.array([2.0, 0.0]))[1], 0 * noise[1])
    assert initialization.scaled(noise.astype(np.float32), np.array([2.0, 0.5])).dtype == np.float32


# The truncated normal distribution.


@pytest.mark.parametrize("bound", [0.3, 1.0, 2.0, 6.0])
@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_truncated_normal(bound, backend, dtype):
    stats = pytest.importorskip("scipy.stats")
    deviation, size = 0.3, (200, 100)
    if backend == "numpy":
        drawn = initialization.truncated_normal(
            size, generator(), standard_deviation=deviation, bound=bound, dtype=getattr(np, dtype)
        )
    else:
        torch = pytest.importorskip("torch")
        from dlnotes.torch import initialization as variants

        seeded = torch.Generator().manual_seed(0)
        drawn = variants.truncated_normal(
            size, seeded, standard_deviation=deviation, bound=bound, dtype=getattr(torch, dtype)
        ).numpy()
    unit = drawn.ravel().astype(float) / deviation * stats.truncnorm.std(-bound, bound)
    assert drawn.dtype == dtype
    assert np.abs(unit).max() <= bound * (1 + 1e-6)
    assert stats.kstest(unit, stats.truncnorm(-bound, bound).cdf).pvalue > 1e-3
    assert stats.kstest(0.9 * unit, stats.truncnorm(-bound, bound).cdf).pvalue < 1e-3  # the test sees a tenth
    assert drawn.std() == pytest.approx(deviation, rel=5 / math.sqrt(2 * drawn.size))


# Orthogonal matrices.


@pytest.mark.parametrize("shape", [(6, 6), (9, 4), (4, 9), (1, 1), (1, 5), (8, 3, 2, 2), (3, 8, 2, 2)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_orthogonal_matrices_are(shape, dtype):
    weights = initialization.orthogonal(shape, generator(), runs=(3,), gain=2.0, dtype=dtype)
    matrices = weights.reshape(3, shape[0], -1).astype(float) / 2
    products = matrices @ matrices.mT if shape[0] <= matrices.shape[-1] else matrices.mT @ matrices
    np.testing.assert_allclose(
        products, np.broadcast_to(np.eye(products.shape[-1]), products.shape), atol=20 * np.finfo(dtype).eps
    )


@pytest.mark.parametrize("rows", [2, 5])
def test_orthogonal_matrices_are_haar(rows):
    """Moments of the Haar measure on O(n), within five standard errors of 20000 matrices.

    E[tr Q] = 0, E[(tr Q)^2] = 1, E[Q_11^2] = 1/n, E[Q_11^4] = 3 / (n (n + 2)), E[det Q] = 0, and all entries alike.
    """
    count = 20000
    q = initialization.orthogonalize(generator().standard_normal((count, rows, rows)))
    trace, corner, entries = np.trace(q, axis1=-2, axis2=-1), q[:, 0, 0], (q * q).mean(0)
    for sample, expected in (
        (trace, 0.0),
        (trace**2, 1.0),
        (corner, 0.0),
        (corner**4, 3 / (rows * (rows + 2))),
        (q[:, -1, 0] ** 4, 3 / (rows * (rows + 2))),
        (np.linalg.det(q), 0.0),
    ):
        assert abs(sample.mean() - expected) < 5 * sample.std() / math.sqrt(count)
    np.testing.assert_allclose(entries, 1 / rows, atol=5 * math.sqrt(2 / count) / rows)
    # Without the signs the QR decomposition fails this: LAPACK's is a product of n - 1 reflections, always.
    unsigned = np.linalg.det(np.linalg.qr(generator().standard_normal((100, rows, rows)))[0])
    np.testing.assert_allclose(unsigned, (-1) ** (rows - 1), rtol=1e-12)


@pytest.mark.parametrize("shape", [(5, 5), (7, 3), (3, 7), (6, 2, 3, 3)])
def test_same_matrices_as_torch_from_the_same_noise(shape):
    torch = pytest.importorskip("torch")
    seeded = torch.Generator().manual_seed(3)
    theirs = torch.nn.init.orthogonal_(torch.empty(shape, dtype=torch.float64), gain=1.5, generator=seeded)
    flat = torch.empty(shape[0], theirs.numel() // shape[0], dtype=torch.float64)
    noise = flat.normal_(generator=torch.Generator().manual_seed(3)).numpy()
    ours = 1.5 * initialization.orthogonalize(noise).reshape(shape)
    np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-14)


def test_orthogonalize_of_a_grid_is_that_of_its_runs():
    noise = generator().standard_normal((2, 3, 20, 20))
    grid = initialization.orthogonalize(noise)
    for run in np.ndindex(2, 3):
        np.testing.assert_array_equal(grid[run], initialization.orthogonalize(noise[run]))


# Layer-sequential unit variance.


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
def test_lsuv_gives_every_layer_variance_1(activation):
    inputs = generator(1).standard_normal((50, 12)) * 3 + 1
    weights = initialization.lsuv((12, 30, 30, 5), generator(), inputs, activation=activation, runs=(4,))
    assert [weight.shape for weight in weights] == [(4, 30, 12), (4, 30, 30), (4, 5, 30)]
    signal, function = inputs, activations.ACTIVATIONS[activation].function
    for weight in weights:
        z = signal @ weight.mT
        np.testing.assert_allclose(z.var((-2, -1)), 1, rtol=1e-12)
        signal = function(z)
        spectrum = np.linalg.svd(weight, compute_uv=False)
        np.testing.assert_allclose(spectrum, np.broadcast_to(spectrum[..., :1], spectrum.shape), rtol=1e-12)


def test_lsuv_of_a_grid_is_that_of_its_runs():
    inputs = generator(1).standard_normal((3, 20, 6))
    grid = initialization.lsuv((6, 8, 4), generator(), inputs, runs=(3,), dtype=np.float32)
    for run, child in enumerate(generator().spawn(3)):
        alone = initialization.lsuv((6, 8, 4), child, inputs[run], dtype=np.float32)
        for ours, theirs in zip(grid, alone, strict=True):
            np.testing.assert_array_equal(ours[run], theirs)


# Gains and the maps of wide layers.


def test_gains_in_closed_form():
    assert initialization.gain("relu") == pytest.approx(math.sqrt(2), abs=1e-14)
    assert initialization.gain("identity") == pytest.approx(1, abs=1e-14)
    assert initialization.gain("selu") == pytest.approx(1, abs=1e-14)
    for slope in (0.01, 0.3, -1.0, 2.0):
        assert initialization.gain(leaky(slope)) == pytest.approx(math.sqrt(2 / (1 + slope**2)), abs=1e-14)


def test_gains_beside_calculate_gain():
    torch = pytest.importorskip("torch")
    calculate = torch.nn.init.calculate_gain
    assert initialization.gain("relu") == pytest.approx(calculate("relu"), rel=1e-12)
    assert initialization.gain("leaky_relu") == pytest.approx(calculate("leaky_relu", 0.01), rel=1e-12)
    assert initialization.gain("tanh") == pytest.approx(1.592537, abs=1e-6)
    assert calculate("tanh") == pytest.approx(5 / 3)
    assert initialization.gain("sigmoid") == pytest.approx(1.846229, abs=1e-6)
    assert calculate("sigmoid") == 1


@pytest.mark.parametrize("name", activations.ACTIVATIONS)
def test_moments_against_many_digits(name):
    """Relative 1e-10 from a thousandth to a hundred times the usual deviation."""
    mpmath = pytest.importorskip("mpmath")
    variances = np.array([1e-6, 0.3, 1.0, 30.0, 1e4])
    s = {"alpha": mpmath.mpf(activations.SELU_ALPHA), "scale": mpmath.mpf(activations.SELU_SCALE)}

    def logistic(x):
        return 1 / (1 + mpmath.exp(-x))

    exact = {
        "identity": (lambda x: x, lambda x: mpmath.mpf(1)),
        "sigmoid": (logistic, lambda x: logistic(x) * logistic(-x)),
        "tanh": (mpmath.tanh, lambda x: mpmath.sech(x) ** 2),
        "relu": (lambda x: max(x, 0), lambda x: mpmath.mpf(x > 0)),
        "leaky_relu": (lambda x: x if x > 0 else x / 100, lambda x: mpmath.mpf(1) if x > 0 else mpmath.mpf(1) / 100),
        "elu": (lambda x: x if x > 0 else mpmath.expm1(x), lambda x: 1 if x > 0 else mpmath.exp(x)),
        "selu": (
            lambda x: s["scale"] * (x if x > 0 else s["alpha"] * mpmath.expm1(x)),
            lambda x: s["scale"] * (1 if x > 0 else s["alpha"] * mpmath.exp(x)),
        ),
        "softplus": (lambda x: mpmath.log1p(mpmath.exp(x)), logistic),
        "gelu": (lambda x: x * mpmath.ncdf(x), lambda x: mpmath.ncdf(x) + x * mpmath.npdf(x)),
        "silu": (lambda x: x * logistic(x), lambda x: logistic(x) * (1 + x * logistic(-x))),
    }[name]
    cuts = [0, 1e-4, 1e-3, 1e-2, 0.03, 0.1, 0.3, 1, 3, 8, 16]
    cuts = [-cut for cut in cuts[:0:-1]] + cuts
    for function, moment in zip(exact, (initialization.second_moment_map, initialization.slope_moment), strict=True):
        given = moment(name, variances)
        assert given.shape == variances.shape
        for variance, value in zip(variances, given, strict=True):
            deviation = mpmath.sqrt(mpmath.mpf(float(variance)))
            expected = mpmath.quad(lambda z, f=function, d=deviation: f(d * z) ** 2 * mpmath.npdf(z), cuts)
            assert value == pytest.approx(float(expected), rel=1e-10)
            assert moment(name, float(variance)) == pytest.approx(value, rel=1e-14)


def test_moments_at_variance_0():
    assert initialization.second_moment_map("tanh", 0.0) == 0
    assert initialization.second_moment_map("sigmoid", 0.0) == pytest.approx(0.25, rel=1e-14)
    assert initialization.slope_moment("tanh", 0.0) == pytest.approx(1, rel=1e-14)


def test_homogeneous_activations_scale():
    variances = np.array([[1e-8, 0.5], [3.0, 1e8]])
    np.testing.assert_allclose(initialization.second_moment_map("relu", variances), variances / 2, rtol=1e-13)
    np.testing.assert_allclose(initialization.slope_moment("relu", variances), 0.5, rtol=1e-13)
    np.testing.assert_allclose(initialization.second_moment_map(leaky(0.3), variances), 0.545 * variances, rtol=1e-13)


# What is measured in a network.


def test_moments_of_a_grid_are_those_of_its_runs():
    rng = generator()
    weights = [rng.standard_normal((2, 3, *shape)) for shape in ((7, 5), (4, 7))]
    inputs, gradient = rng.standard_normal((2, 3, 6, 5)), rng.standard_normal((2, 3, 6, 4))
    forward = initialization.forward_second_moments(weights, inputs, "tanh")
    backward = initialization.backward_second_moments(weights, inputs, gradient, "tanh")
    assert forward.shape == backward.shape == (2, 3, 3)
    np.testing.assert_array_equal(initialization.forward_second_moments(iter(weights), inputs, "tanh"), forward)
    for run in np.ndindex(2, 3):
        alone = [weight[run] for weight in weights]
        np.testing.assert_array_equal(forward[run], initialization.forward_second_moments(alone, inputs[run], "tanh"))
        np.testing.assert_array_equal(
            backward[run], initialization.backward_second_moments(alone, inputs[run], gradient[run], "tanh")
        )


def test_no_layers_leave_the_input():
    inputs = np.array([[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_array_equal(initialization.forward_second_moments([], inputs), [7.5])
    np.testing.assert_array_equal(initialization.backward_second_moments([], inputs, inputs), [7.5])


@pytest.mark.parametrize("activation", ["relu", "tanh", "silu"])
def test_backward_moments_against_autograd(activation):
    torch = pytest.importorskip("torch")
    rng = generator()
    weights = [rng.standard_normal(shape) for shape in ((7, 5), (4, 7), (3, 4))]
    inputs, gradient = rng.standard_normal((6, 5)), rng.standard_normal((6, 3))
    signals = [torch.tensor(inputs, requires_grad=True)]
    for weight in weights:
        signals.append(getattr(torch.nn.functional, activation)(signals[-1] @ torch.tensor(weight).mT))
    gradients = torch.autograd.grad(signals[-1], signals, torch.tensor(gradient))
    expected = [float((g * g).mean()) for g in gradients]
    given = initialization.backward_second_moments(weights, inputs, gradient, activation)
    np.testing.assert_allclose(given, expected, rtol=1e-12)


@pytest.mark.parametrize("fan_out", [100, 400])
def test_forward_and_backward_gain_of_a_rectangular_layer(fan_out):
    """For ReLU the gains are n_in Var[w] / 2 forward and n_out Var[w] / 2 backward."""
    fan_in, runs = 200, 40
    rng = generator()
    inputs, gradient = rng.standard_normal((100, fan_in)), rng.standard_normal((100, fan_out))
    for mode, forward, backward in (("fan_in", 1, fan_out / fan_in), ("fan_out", fan_in / fan_out, 1)):
        weights = [initialization.he_normal((fan_out, fan_in), rng, mode=mode, runs=(runs,))]
        measured_forward = np.divide(*initialization.forward_second_moments(weights, inputs).T[::-1])
        measured_backward = np.divide(*initialization.backward_second_moments(weights, inputs, gradient).T)
        for measured, expected in ((measured_forward, forward), (measured_backward, backward)):
            # A gain scatters from run to run; the inputs are a sample too, of relative error sqrt(2 / 20000).
            error = math.hypot(measured.std() / math.sqrt(runs), expected * math.sqrt(2 / inputs.size))
            assert abs(measured.mean() - expected) < 5 * error


@pytest.mark.parametrize("along_the_output", [False, True])
def test_a_gradient_along_the_output_grows_more(along_the_output):
    """The backward law takes the gradient as independent of the weights; E|W^T W x|^2 = (1 + n_out / n_in) E|W x|^2."""
    rng, fan_in, fan_out, runs = generator(), 150, 300, 60
    weight = initialization.lecun_normal((fan_out, fan_in), rng, runs=(runs,))
    inputs = rng.standard_normal((runs, 10, fan_in))
    gradient = inputs @ weight.mT if along_the_output else rng.standard_normal((runs, 10, fan_out))
    back = initialization.backward_second_moments([weight], inputs, gradient, "identity")
    factor = back[:, 0] / back[:, 1]
    predicted = fan_out / fan_in  # by independence
    expected = predicted * (1 + predicted) if along_the_output else predicted
    assert abs(factor.mean() - expected) < 5 * factor.std() / math.sqrt(runs) + 0.02


def deep(name, width, layers, runs, *, activation="relu", batch=100, seed=0, **keywords):
    """Measure the second moments through a deep square network, drawn layer by layer."""
    rng = generator(seed)
    inputs = rng.standard_normal((batch, width)).astype(np.float32)
    weights = (kernel(name)((width, width), rng, runs=runs, dtype=np.float32, **keywords) for _ in range(layers))
    return initialization.forward_second_moments(weights, inputs, activation)


def chain_of_norms(width, layers, runs):
    """Draw from the exact law of one input's second moment under He, for which no matrices are needed.

    W h for normal W is |h| sqrt(2 / n) times n independent normal numbers, whatever the direction of h.
    """
    z = np.maximum(generator().standard_normal((layers, runs, width), dtype=np.float32), 0)
    return np.log2(2 / width * (z * z).sum(-1)).sum(0)


@pytest.mark.parametrize(("width", "runs", "expected"), [(100, 3000, 1.76), (1000, 700, 0.54)])
def test_law_of_the_spread_of_he(width, runs, expected):
    """To first order the spread after L layers is sqrt(5 L / n) / ln 2: 1.77 and 0.56."""
    assert chain_of_norms(width, 30, runs).std(ddof=1) == pytest.approx(expected, rel=3 / math.sqrt(2 * runs))
    assert math.sqrt(5 * 30 / width) / math.log(2) == pytest.approx(expected, rel=0.04)


@pytest.mark.parametrize(("width", "runs"), [(50, 500), (100, 300), (400, 12)])
def test_spread_of_he_follows_its_law(width, runs):
    moments = deep("he_normal", width, 30, (runs,), batch=1)
    drawn, law = np.log2(moments[:, -1] / moments[:, 0]), chain_of_norms(width, 30, runs)
    assert drawn.std(ddof=1) == pytest.approx(law.std(ddof=1), rel=4 / math.sqrt(runs))
    assert abs(drawn.mean() - law.mean()) < 4 * law.std() * math.sqrt(2 / runs)


def test_he_keeps_the_mean_of_the_second_moment():
    moments = deep("he_normal", 100, 5, (1000,), batch=1)
    ratio = moments[:, -1] / moments[:, 0]
    assert abs(ratio.mean() - 1) < 5 * ratio.std() / math.sqrt(len(ratio))


def test_xavier_is_less_by_exactly_a_half_a_layer():
    """The same draws under He and Xavier, whose weights differ by sqrt(2): after 30 layers by 2^30 in E[h^2]."""
    he, xavier = (deep(name, 64, 30, (3,)) for name in ("he_normal", "xavier_normal"))
    np.testing.assert_allclose(he[:, -1] / xavier[:, -1], 2.0**30, rtol=1e-4)  # float32 over 30 layers


def test_deep_tanh_under_xavier_falls_as_half_the_depth():
    moments = deep("xavier_normal", 512, 40, (10,), activation="tanh", batch=50)
    depth = np.arange(20, 41)
    np.testing.assert_allclose(moments[:, 20:].mean(0) * 2 * depth, 1, atol=0.1)


def test_ten_tanh_layers_of_the_notes():
    """Width 500, unit normal inputs, 1000 rows: collapse at 0.01, saturation at 1."""
    small = deep("normal", 500, 10, (), activation="tanh", batch=1000, standard_deviation=0.01)
    assert math.sqrt(small[-1]) == pytest.approx(3.0e-7, rel=0.15)
    assert math.sqrt(small[-1]) == pytest.approx((0.01 * math.sqrt(500)) ** 10, rel=0.15)
    rng = generator()
    signal = rng.standard_normal((1000, 500))
    for _ in range(10):
        signal = np.tanh(signal @ initialization.normal((500, 500), rng).mT)
    assert (np.abs(signal) > 0.99).mean() == pytest.approx(0.905, abs=0.005)
    assert (np.abs(signal) > 0.98).mean() == pytest.approx(0.918, abs=0.005)


def test_wide_layers_follow_the_map():
    """Measured moments of a tanh network of width 1000 against the map iterated, 10 layers, gain 5/3."""
    moments = deep("xavier_normal", 1000, 10, (), activation="tanh", gain=5 / 3)
    expected = [1.0]
    for _ in range(10):
        expected.append(float(initialization.second_moment_map("tanh", 25 / 9 * expected[-1])))
    np.testing.assert_allclose(moments, expected, rtol=0.05)
    assert expected[-1] == pytest.approx(0.42, abs=0.01)


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 1.0), (0.5, 1.0), (0.0, 2.0), (0.0, 0.4)])
def test_selu_with_lecun_goes_to_mean_0_and_variance_1(mean, deviation):
    rng = generator()
    signal = (rng.standard_normal((200, 400)) * deviation + mean).astype(np.float32)
    for _ in range(30):
        signal = activations.selu(signal @ initialization.lecun_normal((400, 400), rng, dtype=np.float32).mT)
    # Width 400 leaves a scatter: the mean square of 400 units over a few layers' memory.
    assert signal.mean() == pytest.approx(0, abs=0.1)
    assert signal.var() == pytest.approx(1, abs=0.25)


# The torch variants.


@pytest.mark.parametrize("name", RANDOM)
def test_torch_variants_draw_from_their_generator_alone(name):
    torch = pytest.importorskip("torch")
    from dlnotes.torch import initialization as variants

    before = torch.get_rng_state()
    variant = getattr(variants, name)
    drawn = [variant((6, 4), torch.Generator().manual_seed(0), runs=(3,), dtype=torch.float32) for _ in range(2)]
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(*drawn)
    assert drawn[0].dtype == torch.float32
    assert drawn[0].shape == ((3, 6) if name.endswith("bias") else (3, 6, 4))
    assert not torch.equal(drawn[0][0], drawn[0][1])
    assert variant((6, 4), torch.Generator(), device="cpu").dtype == torch.float64


@pytest.mark.parametrize("name", SCHEMES)
def test_variance_of_what_torch_variants_draw(name):
    torch = pytest.importorskip("torch")
    from dlnotes.torch import initialization as variants

    drawn = getattr(variants, name)((200, 500), torch.Generator().manual_seed(0))
    assert_variance(drawn.numpy(), VARIANCE[name.split("_")[0]](500, 200), name)


def test_torch_scales_of_runs():
    torch = pytest.importorskip("torch")
    from dlnotes.torch import initialization as variants

    gains = torch.tensor([0.0, 2.0], dtype=torch.float64)
    drawn = variants.xavier_normal((3, 4), torch.Generator().manual_seed(0), gain=gains, runs=(2,))
    plain = variants.xavier_normal((3, 4), torch.Generator().manual_seed(0), runs=(2,))
    torch.testing.assert_close(drawn, gains[:, None, None] * plain, rtol=1e-15, atol=0)


def test_torch_lsuv():
    torch = pytest.importorskip("torch")
    from dlnotes.torch import initialization as variants

    seeded = torch.Generator().manual_seed(0)
    inputs = torch.randn(50, 12, generator=seeded, dtype=torch.float64)
    signal = inputs
    for weight in variants.lsuv((12, 30, 5), seeded, inputs, runs=(2,), activation="tanh"):
        z = signal @ weight.mT
        torch.testing.assert_close(z.var((-2, -1), correction=0), torch.ones(2, dtype=torch.float64))
        signal = z.tanh()


def test_torch_default_biases_fill_their_range():
    torch = pytest.importorskip("torch")
    from dlnotes.torch import initialization as variant

    biases = variant.pytorch_default_bias((10_000, 25), torch.Generator().manual_seed(0), dtype=torch.float64)
    assert 0.199 < float(biases.abs().max()) <= 0.2


# Two inputs through depth.


def closed_form(name, c):
    """Give the correlation map where an integral is known: ReLU (Cho and Saul), and a step's (Sheppard)."""
    angle = np.arccos(c)
    return (np.sin(angle) + (np.pi - angle) * c) / np.pi if name == "relu" else 1 - 2 * angle / np.pi


@pytest.mark.parametrize("variance", [1e-8, 1.0, 30.0])
def test_correlation_map_of_relu(variance):
    c = np.array([-1.0, -0.99, -0.3, 0.0, 0.5, 0.9, 0.999999, 1.0])
    np.testing.assert_allclose(initialization.correlation_map("relu", c, variance), closed_form("relu", c), atol=1e-14)
    # The slope's integral is one of a step, whose mean is a half: E[1(u > 0) 1(v > 0)] = (pi - angle) / (2 pi).
    slope = initialization.correlation_map_slope("relu", c, variance)
    np.testing.assert_allclose(slope, (np.pi - np.arccos(c)) / np.pi, atol=1e-14)


@pytest.mark.parametrize(("slope", "c"), [(0.01, 0.3), (0.5, -0.7), (1.0, 0.2), (1.7, 0.9)])
def test_correlation_map_of_leaky_relu(slope, c):
    """A leaky ReLU is (1 + a)/2 z + (1 - a)/2 |z|, and E|u v| is known."""
    even, odd = ((1 - slope) / 2) ** 2, ((1 + slope) / 2) ** 2
    expected = (odd * c + even * 2 / np.pi * (np.sqrt(1 - c * c) + c * np.arcsin(c))) / (odd + even)
    assert initialization.correlation_map(leaky(slope), c) == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "gelu", "silu", "elu", "selu", "softplus"])
@pytest.mark.parametrize(("variance", "c"), [(1.0, 0.6), (4.0, -0.4), (0.01, 0.95)])
def test_correlation_map_by_mpmath(name, variance, c):
    """The plane integral over independent variables, split at the kinks, by another quadrature."""
    function = activations.ACTIVATIONS[name].function
    nodes, weights = np.polynomial.hermite_e.hermegauss(150)
    weights = weights / math.sqrt(2 * math.pi)
    u = math.sqrt(variance) * nodes[:, None]
    v = math.sqrt(variance) * (c * nodes[:, None] + math.sqrt(1 - c * c) * nodes[None, :])
    product = float(weights @ (function(u) * function(v)) @ weights)
    square = float((function(u[:, 0]) ** 2) @ weights)
    # The rule converges slowly where a derivative jumps: that is the tolerance of elu and selu.
    tolerance = 3e-4 if name in ("elu", "selu") else 1e-7
    assert initialization.correlation_map(name, c, variance) == pytest.approx(product / square, abs=tolerance)


@given(st.sampled_from(sorted(activations.ACTIVATIONS)), st.floats(-0.999, 0.999), st.floats(1e-3, 50))
def test_correlation_map_is_a_map_of_correlations(name, c, variance):
    value = float(initialization.correlation_map(name, c, variance))
    assert abs(value) <= float(initialization.correlation_map(name, abs(c), variance)) + 1e-12 <= 1 + 2e-12
    assert initialization.correlation_map(name, 1.0, variance) == pytest.approx(1, abs=1e-10)
    step = 1e-5
    near = [float(initialization.correlation_map(name, c + sign * step, variance)) for sign in (-1, 1)]
    slope = float(initialization.correlation_map_slope(name, c, variance))
    assert (near[1] - near[0]) / (2 * step) == pytest.approx(slope, rel=2e-3, abs=1e-4)


def test_correlation_slope_at_one_is_the_factor_on_the_gradient():
    for name in activations.ACTIVATIONS:
        gradient = float(initialization.gain(name)) ** 2 * float(initialization.slope_moment(name, 1.0))
        assert initialization.correlation_map_slope(name, 1.0) == pytest.approx(gradient, rel=1e-10)


def test_fixed_points_of_the_correlation():
    """ReLU's factor at 1 is 1 and the sigmoid's is below: everything becomes alike. SELU and tanh bring all to 0."""
    for name, expected in {"relu": 1, "sigmoid": 1, "softplus": 1, "tanh": 0, "selu": 0}.items():
        assert initialization.correlation_fixed_point(name) == expected
    for name in ("elu", "gelu", "silu"):
        point = initialization.correlation_fixed_point(name)
        assert 0.5 < point < 0.8
        assert initialization.correlation_map(name, point) == pytest.approx(point, abs=1e-9)
        c = 0.0
        for _ in range(600):
            c = float(initialization.correlation_map(name, c))
        assert c == pytest.approx(point, abs=1e-4)
    # At another variance the fixed point is another one.
    for variance in (0.2, 4.0):
        point = initialization.correlation_fixed_point("gelu", variance)
        assert initialization.correlation_map("gelu", point, variance) == pytest.approx(point, abs=1e-9)
        assert abs(point - initialization.correlation_fixed_point("gelu")) > 0.05
    # A linear layer keeps every correlation, and one that bends by nothing measurable does, too.
    assert initialization.correlation_map("identity", 0.3) == pytest.approx(0.3, abs=1e-12)
    assert math.isnan(initialization.correlation_fixed_point("identity"))
    assert math.isnan(initialization.correlation_fixed_point("tanh", 1e-6))
    assert initialization.correlation_fixed_point("tanh", 1e-3) == 0
    # Small pre-activations leave tanh nearly linear, and its factor at 1 just above 1: inputs come apart slowly.
    assert 1 < initialization.correlation_map_slope("tanh", 1.0, 0.01) < 1.0003


def test_biases_hold_the_variance_of_a_wide_gelu_network():
    """The pair that the page gives: a fixed point near 5, just stable, with a factor of 1 on the gradient."""
    weights, biases = 1.966, 0.2144
    for start in (4.0, 6.0):
        v = start
        for _ in range(1500):
            v = weights * float(initialization.second_moment_map("gelu", v)) + biases
        assert v == pytest.approx(5, abs=0.2)
    assert weights * initialization.moment_map_slope("gelu", v) == pytest.approx(0.99, abs=2e-3)
    assert weights * initialization.slope_moment("gelu", v) == pytest.approx(1, abs=1e-3)


def test_mean_cosine_is_the_mean_over_all_pairs():
    signal = generator().standard_normal((2, 7, 5)) + 0.3
    unit = signal / np.linalg.norm(signal, axis=-1, keepdims=True)
    products = unit @ unit.mT
    pairs = np.triu_indices(7, 1)
    expected = products[:, pairs[0], pairs[1]].mean(-1)
    np.testing.assert_allclose(initialization.mean_cosine(signal), expected, rtol=1e-12)
    np.testing.assert_allclose(initialization.mean_cosine(1e-170 * signal), expected, rtol=1e-12)
    lengths = 10.0 ** np.arange(7)[:, None]
    np.testing.assert_allclose(initialization.mean_cosine(lengths * signal), expected, rtol=1e-12)
    with_zero = np.concatenate((signal, np.zeros((2, 1, 5))), axis=1)
    np.testing.assert_allclose(initialization.mean_cosine(with_zero), expected, rtol=1e-12)
    assert np.isnan(initialization.mean_cosine(np.zeros((3, 2))))
    assert np.isnan(initialization.mean_cosine(np.array([[1.0, 2.0], [0.0, 0.0]])))


@pytest.mark.parametrize("name", ["relu", "tanh", "gelu"])
def test_cosines_of_a_wide_network_follow_the_map(name):
    """Eight networks of 20 layers, the variance held at 1 for each example in each layer, so that q is 1 throughout."""
    rng, layers, width, networks = generator(), 20, 300, 8
    shared = rng.standard_normal((networks, 1, width))
    signal = (rng.standard_normal((networks, 20, width)) + shared) / math.sqrt(2)  # of cosine 1/2
    function, measured, expected, c = activations.ACTIVATIONS[name].function, [], [], 0.5
    for _ in range(layers):
        weight = initialization.lecun_normal((width, width), rng, runs=(networks,))
        z = signal @ weight.mT
        signal = function(z / np.sqrt((z * z).mean(-1, keepdims=True)))
        measured.append(initialization.mean_cosine(signal))
        c = float(initialization.correlation_map(name, c))
        expected.append(c)
    error = np.std(measured, axis=1, ddof=1) / math.sqrt(networks)
    off = np.abs(np.mean(measured, axis=1) - expected)
    assert (off < 4 * error + 4 / width).all(), (off / error).max()
    assert error.max() < 0.05


def test_forward_cosines_measure_each_layer():
    rng = generator()
    weights = [rng.standard_normal((6, 5)), rng.standard_normal((4, 6))]
    inputs = rng.standard_normal((8, 5))
    hidden = np.maximum(inputs @ weights[0].T, 0)
    expected = [initialization.mean_cosine(part) for part in (inputs, hidden, np.maximum(hidden @ weights[1].T, 0))]
    np.testing.assert_allclose(initialization.forward_cosines(iter(weights), inputs), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "factor"),
    [("tanh", 0.461), ("selu", 0.783), ("elu", 0.891), ("relu", 1), ("gelu", 1.144), ("silu", 1.173)],
)
def test_stability_of_the_variance(name, factor):
    """Known numbers, and what they say: after 50 layers a start 1% off is nearer to 1, as far, or far away."""
    gain = initialization.gain(name)
    assert gain**2 * float(initialization.moment_map_slope(name, 1.0)) == pytest.approx(factor, abs=5e-4)
    for q in (0.3, 1.0, 4.0):
        near = [float(initialization.second_moment_map(name, q + sign * 1e-5)) for sign in (-1, 1)]
        assert (near[1] - near[0]) / 2e-5 == pytest.approx(float(initialization.moment_map_slope(name, q)), rel=1e-7)
    low, high = 0.99, 1.01
    for _ in range(50):
        low, high = (gain**2 * float(initialization.second_moment_map(name, each)) for each in (low, high))
    if factor > 1:
        assert low < 1e-3
        assert high > 10
    else:
        assert 0.99 - 1e-12 <= low <= 1
        assert 1 <= high <= 1.01 + 1e-12


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("scale", [1e-170, 0.1, 1.0, 1e170])
def test_unit_variance_refuses_what_varies_by_rounding_alone(backend, scale):
    kernels, array = initialization, np.asarray
    if backend == "torch":
        torch = pytest.importorskip("torch")
        from dlnotes.torch import initialization as kernels

        array = torch.tensor
    weights, inputs = [array(np.full((7, 5), 1.0))], np.full((6, 5), 0.1)
    with pytest.raises(ValueError, match="deviation of inputs at layer 0"):
        kernels.unit_variance(weights, array(scale * inputs))
    varying = generator().standard_normal((6, 5))
    (scaled,) = kernels.unit_variance([array(generator(1).standard_normal((7, 5)))], array(scale * varying))
    z = scale * varying @ np.asarray(scaled).T
    assert z.std() == pytest.approx(1, rel=1e-12)
