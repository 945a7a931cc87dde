from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlnotes.exercises import batch_normalization as exercises
from dlnotes.numpy import batch_normalization as bn

DENSE, IMAGES = (6, 4), (3, 4, 5, 2)


def frozen(x):
    x = np.array(x)
    x.flags.writeable = False
    return x


def drawn(*shape, dtype=np.float64, seed=0):
    return frozen(np.random.default_rng((seed, *shape)).normal(size=shape).astype(dtype))


def torch_of(*arrays):
    torch = pytest.importorskip("torch")
    return [torch.tensor(np.array(array), requires_grad=True) for array in arrays]


def differences(function, x, step=1e-5):
    """Give the derivative of a scalar function by centered differences, entry by entry."""
    x, grad = np.array(x), np.zeros_like(x)
    for i in np.ndindex(x.shape):
        here = x[i]
        x[i] = here + step
        above = function(x)
        x[i] = here - step
        grad[i] = (above - function(x)) / (2 * step)
        x[i] = here
    return grad


# Each entry: forward(x, scale, shift) -> (y, cache), backward, x, scale, shift, and the same in PyTorch.
def batch(shape, spatial):
    return (
        lambda x, scale, shift: bn.batch_norm(x, scale, shift, spatial_axes=spatial),
        bn.batch_norm_backward,
        drawn(*shape),
        drawn(shape[1], seed=1),
        drawn(shape[1], seed=2),
        lambda functional, x, scale, shift: functional.batch_norm(x, None, None, scale, shift, training=True),
    )


def layer(shape, axes):
    return (
        lambda x, scale, shift: bn.layer_norm(x, scale, shift, normalized_axes=axes),
        bn.layer_norm_backward,
        drawn(*shape),
        drawn(*shape[-axes:], seed=1),
        drawn(*shape[-axes:], seed=2),
        lambda functional, x, scale, shift: functional.layer_norm(x, shape[-axes:], scale, shift),
    )


def group(shape, groups, spatial):
    return (
        lambda x, scale, shift: bn.group_norm(x, groups, scale, shift, spatial_axes=spatial),
        bn.group_norm_backward,
        drawn(*shape),
        drawn(shape[1], seed=1),
        drawn(shape[1], seed=2),
        lambda functional, x, scale, shift: functional.group_norm(x, groups, scale, shift),
    )


def rms(shape, axes):
    def backward(grad, cache):
        grads = bn.rms_norm_backward(grad, cache)
        return bn.NormGradients(grads.x, grads.scale, np.zeros_like(grads.scale))

    return (
        lambda x, scale, shift: bn.rms_norm(x, scale, normalized_axes=axes),
        backward,
        drawn(*shape),
        drawn(*shape[-axes:], seed=1),
        np.zeros(shape[-axes:]),
        lambda functional, x, scale, shift: functional.rms_norm(x, shape[-axes:], scale, eps=1e-6) + 0 * shift.sum(),
    )


LAYERS = {
    "batch-dense": batch(DENSE, 0),
    "batch-sequences": batch((3, 4, 5), 1),
    "batch-images": batch(IMAGES, 2),
    "layer": layer(DENSE, 1),
    "layer-two-axes": layer((3, 4, 5), 2),
    "layer-many-batch-axes": layer((2, 3, 4), 1),
    "group-dense": group(DENSE, 2, 0),
    "group-images": group(IMAGES, 2, 2),
    "instance": group(IMAGES, 4, 2),
    "rms": rms(DENSE, 1),
    "rms-two-axes": rms((3, 4, 5), 2),
}
each_layer = pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)


@each_layer
def test_forward_and_backward_equal_torch(layer):
    forward, backward, x, scale, shift, theirs = layer
    functional = pytest.importorskip("torch").nn.functional
    y, cache = forward(x, scale, shift)
    grad_output = drawn(*x.shape, seed=3)
    tensors = torch_of(x, scale, shift)
    expected = theirs(functional, *tensors)
    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-12, atol=1e-12)
    expected.backward(torch_of(grad_output)[0])
    for ours, tensor in zip(backward(grad_output, cache), tensors, strict=True):
        np.testing.assert_allclose(ours, tensor.grad.numpy(), rtol=1e-10, atol=1e-12)


@each_layer
def test_backward_equals_finite_differences(layer):
    forward, backward, *arguments, _ = layer
    grad_output = drawn(*arguments[0].shape, seed=3)
    gradients = backward(grad_output, forward(*arguments)[1])
    for i, gradient in enumerate(gradients):

        def loss(value, i=i):
            return (forward(*arguments[:i], value, *arguments[i + 1 :])[0] * grad_output).sum()

        np.testing.assert_allclose(gradient, differences(loss, arguments[i]), rtol=1e-7, atol=1e-8)


@each_layer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_runs_at_once_equal_runs_alone_bit_for_bit(layer, dtype):
    forward, backward, *arguments, _ = layer
    stacked = [drawn(2, 3, *value.shape, dtype=dtype, seed=i) for i, value in enumerate(arguments)]
    grad_output = drawn(2, 3, *arguments[0].shape, dtype=dtype, seed=9)
    y, cache = forward(*stacked)
    gradients = backward(grad_output, cache)
    assert y.dtype == dtype
    for i in np.ndindex(2, 3):
        y_alone, cache_alone = forward(*(frozen(value[i]) for value in stacked))
        np.testing.assert_array_equal(y[i], y_alone)
        for gradient, alone in zip(gradients, backward(grad_output[i], cache_alone), strict=True):
            assert gradient.dtype == dtype
            np.testing.assert_array_equal(gradient[i], alone)


@each_layer
def test_what_went_in_is_left_alone(layer):
    forward, backward, x, scale, shift, _ = layer
    y, cache = forward(x, scale, shift)
    before = [np.array(value) for value in cache]
    grad_output = drawn(*x.shape)
    backward(grad_output, cache)
    for value, copy in zip(cache, before, strict=True):
        np.testing.assert_array_equal(value, copy)
    assert not np.shares_memory(y, cache.normalized)


@pytest.mark.parametrize(("shape", "spatial", "axes"), [((64, 5), 0, 0), ((8, 5, 4, 3), 2, (0, 2, 3))])
def test_batch_norm_moments(shape, spatial, axes):
    x = drawn(*shape) * 7 + 3
    ones, zeros = np.ones(5), np.zeros(5)
    y, cache = bn.batch_norm(x, ones, zeros, spatial_axes=spatial, epsilon=0.0)
    np.testing.assert_allclose(y.mean(axis=axes), 0, atol=1e-14)
    np.testing.assert_allclose(y.std(axis=axes), 1, rtol=1e-14)
    np.testing.assert_allclose(cache.mean, x.mean(axis=axes), rtol=1e-13)
    np.testing.assert_allclose(cache.variance, x.var(axis=axes), rtol=1e-13)
    y, _ = bn.batch_norm(x, np.full(5, 2.0), np.full(5, -3.0), spatial_axes=spatial)
    np.testing.assert_allclose(y.mean(axis=axes), -3, rtol=1e-13)
    np.testing.assert_allclose(y.std(axis=axes), 2, rtol=1e-6)


def test_batch_norm_can_be_the_identity():
    x = drawn(50, 4) * 3 - 5
    _, cache = bn.batch_norm(x, np.ones(4), np.zeros(4))
    y, _ = bn.batch_norm(x, np.sqrt(cache.variance + 1e-5), cache.mean)
    np.testing.assert_allclose(y, x, rtol=1e-14, atol=1e-14)


def test_batch_norm_sets_two_moments_and_no_other():
    x = np.random.default_rng(0).exponential(size=(1000, 2))

    def skewness_and_kurtosis(z):
        centered = z - z.mean(axis=0)
        spread = centered.std(axis=0)
        return (centered**3).mean(axis=0) / spread**3, (centered**4).mean(axis=0) / spread**4

    y, _ = bn.batch_norm(x, np.ones(2), np.zeros(2))
    np.testing.assert_allclose(skewness_and_kurtosis(y), skewness_and_kurtosis(x), rtol=1e-12)
    assert (skewness_and_kurtosis(y)[0] > 1).all()  # 2 for an exponential, 0 for a Gaussian


def test_scaling_the_input_changes_nothing_and_divides_the_gradient():
    x, scale, shift, grad_output = drawn(20, 4), drawn(4), drawn(4, seed=1), drawn(20, 4, seed=2)
    y, cache = bn.batch_norm(x, scale, shift, epsilon=0.0)
    y5, cache5 = bn.batch_norm(5 * x, scale, shift, epsilon=0.0)
    np.testing.assert_allclose(y5, y, rtol=1e-12, atol=1e-14)
    one, five = bn.batch_norm_backward(grad_output, cache), bn.batch_norm_backward(grad_output, cache5)
    np.testing.assert_allclose(five.x, one.x / 5, rtol=1e-11, atol=1e-15)


def test_gradient_has_no_part_along_a_constant_or_the_output():
    _, cache = bn.batch_norm(drawn(20, 4), drawn(4), drawn(4, seed=1), epsilon=0.0)
    grad = bn.batch_norm_backward(drawn(20, 4, seed=2), cache).x
    np.testing.assert_allclose(grad.sum(axis=0), 0, atol=1e-13)
    np.testing.assert_allclose((grad * cache.normalized).sum(axis=0), 0, atol=1e-13)


@pytest.mark.parametrize("epsilon", [1e-5, 0.0])
@pytest.mark.parametrize("value", [0.0, 3.0, 1e4 / 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_feature_that_does_not_vary_gives_the_shift(epsilon, value, dtype):
    x = np.full((7, 2), value, dtype)
    scale, shift = np.array([2.0, 3.0], dtype), np.array([0.5, -1.0], dtype)
    y, cache = bn.batch_norm(x, scale, shift, epsilon=epsilon)
    np.testing.assert_allclose(y, np.broadcast_to(shift, y.shape), atol=1e-5)
    if epsilon == 0 and value in (0.0, 3.0):  # these are added up without rounding
        assert (bn.batch_norm_backward(drawn(7, 2, dtype=dtype), cache).x == 0).all()
    y, _ = bn.layer_norm(x[:, :1], scale[:1], shift[:1], epsilon=epsilon)
    np.testing.assert_allclose(y, shift[0], atol=1e-5)
    y, cache = bn.rms_norm(np.zeros((3, 2), dtype), scale, epsilon=epsilon)
    assert (y == 0).all()
    assert np.isfinite(bn.rms_norm_backward(drawn(3, 2, dtype=dtype), cache).x).all()


@pytest.mark.parametrize("rows", [32, 4096])
@pytest.mark.parametrize("offset", [0.0, 100.0, -1e4])
def test_float32_far_from_zero_is_exact(rows, offset):
    # Inputs are rounded at 1e4 already; what is asked is the right answer for those inputs. Squares of 1e4 would leave
    # 1e8 * 6e-8 = 6 in the place of a variance of 1, and a mean taken once is off by 0.01.
    x = (np.random.default_rng(1).normal(size=(rows, 8)) + offset).astype(np.float32)
    scale, shift, grad_output = np.ones(8, np.float32), np.zeros(8, np.float32), drawn(rows, 8, dtype=np.float32)
    y, cache = bn.batch_norm(x, scale, shift)
    exact, cache64 = bn.batch_norm(x.astype(np.float64), np.ones(8), np.zeros(8))
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, exact, rtol=2e-6, atol=2e-6)
    np.testing.assert_allclose(cache.variance, cache64.variance, rtol=2e-6)
    np.testing.assert_allclose(cache.mean, cache64.mean, rtol=1.2e-7, atol=1e-6)
    grad = bn.batch_norm_backward(grad_output, cache).x
    np.testing.assert_allclose(grad, bn.batch_norm_backward(grad_output.astype(float), cache64).x, rtol=1e-4, atol=4e-6)
    for function in (bn.layer_norm,):
        y, _ = function(x.T.copy(), np.ones(rows, np.float32), np.zeros(rows, np.float32))
        np.testing.assert_allclose(y, exact.T, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("momentum", [0.1, 0.5, None])
@pytest.mark.parametrize(("shape", "spatial"), [((8, 4), 0), ((3, 4, 5, 2), 2)])
def test_running_statistics_equal_torch(momentum, shape, spatial):
    torch = pytest.importorskip("torch")
    kind = torch.nn.BatchNorm1d if spatial == 0 else torch.nn.BatchNorm2d
    theirs = kind(4, momentum=momentum, dtype=torch.float64)
    running = bn.initial_running_statistics(4)
    for step in range(5):
        x = drawn(*shape, seed=step) * 2 + 1
        theirs(torch.tensor(np.array(x)))
        _, cache = bn.batch_norm(x, np.ones(4), np.zeros(4), spatial_axes=spatial)
        running = bn.update_running_statistics(running, cache, momentum=momentum)
    np.testing.assert_allclose(running.mean, theirs.running_mean.numpy(), rtol=1e-12)
    np.testing.assert_allclose(running.variance, theirs.running_var.numpy(), rtol=1e-12)
    assert running.batches == theirs.num_batches_tracked == 5
    theirs.eval()
    x = drawn(1, *shape[1:], seed=9)  # a single example
    y = bn.batch_norm_inference(x, np.ones(4), np.zeros(4), running, spatial_axes=spatial)
    np.testing.assert_allclose(y, theirs(torch.tensor(np.array(x))).detach().numpy(), rtol=1e-12, atol=1e-13)


def test_running_variance_is_unbiased():
    # Over many batches of 4 from a unit normal it averages 1; without the factor n / (n - 1) it would average 0.75.
    # One batch of 4 has deviation sqrt(2/3) about it: with 20,000 features the mean is within 4 * 0.0058 of 1.
    _, cache = bn.batch_norm(drawn(4, 20_000), np.ones(20_000), np.zeros(20_000))
    running = bn.update_running_statistics(bn.initial_running_statistics(20_000), cache, momentum=1.0)
    assert running.variance.mean() == pytest.approx(1, abs=4 * np.sqrt(2 / 3 / 20_000))
    np.testing.assert_allclose(running.variance, drawn(4, 20_000).var(axis=0, ddof=1), rtol=1e-12)


def test_noise_of_the_batch_mean_falls_as_one_over_root_m():
    for size in (4, 64, 1024):
        _, cache = bn.batch_norm(drawn(400, size, 3), np.ones((400, 3)), np.zeros((400, 3)))
        # 1200 means of deviation 1/sqrt(m); their spread is known to a relative 1/sqrt(2 * 1200) = 0.02
        assert cache.mean.std() * np.sqrt(size) == pytest.approx(1, abs=4 * 0.0204)


def test_running_statistics_are_left_alone_and_run_by_run():
    x = drawn(3, 6, 4)
    _, cache = bn.batch_norm(x, np.ones((3, 4)), np.zeros((3, 4)))
    start = bn.initial_running_statistics(4, runs=(3,))
    running = bn.update_running_statistics(start, cache)
    assert (start.mean == 0).all()
    for run in range(3):
        _, alone = bn.batch_norm(x[run], np.ones(4), np.zeros(4))
        expected = bn.update_running_statistics(bn.initial_running_statistics(4), alone)
        np.testing.assert_array_equal(running.mean[run], expected.mean)
        np.testing.assert_array_equal(running.variance[run], expected.variance)
    kept = bn.update_running_statistics(running, cache, momentum=0.0)
    np.testing.assert_array_equal(kept.mean, running.mean)
    assert bn.initial_running_statistics(2, dtype=np.float32).variance.dtype == np.float32


@pytest.mark.parametrize(("shape", "spatial"), [(DENSE, 0), (IMAGES, 2)])
def test_inference_with_the_statistics_of_the_batch_is_training(shape, spatial):
    x, scale, shift = drawn(*shape), drawn(4, seed=1), drawn(4, seed=2)
    y, cache = bn.batch_norm(x, scale, shift, spatial_axes=spatial)
    running = bn.RunningStatistics(cache.mean, cache.variance, 1)
    np.testing.assert_allclose(
        bn.batch_norm_inference(x, scale, shift, running, spatial_axes=spatial), y, rtol=1e-12, atol=1e-13
    )


@pytest.mark.parametrize(("shape", "spatial"), [(DENSE, 0), (IMAGES, 2)])
def test_inference_backward_equals_finite_differences(shape, spatial):
    arguments = [drawn(*shape), drawn(4, seed=1), drawn(4, seed=2)]
    running = bn.RunningStatistics(drawn(4, seed=5), drawn(4, seed=6) ** 2, 3)
    grad_output = drawn(*shape, seed=3)
    gradients = bn.batch_norm_inference_backward(grad_output, arguments[0], arguments[1], running, spatial_axes=spatial)
    for i, gradient in enumerate(gradients):

        def loss(value, i=i):
            given = (*arguments[:i], value, *arguments[i + 1 :])
            return (bn.batch_norm_inference(*given, running, spatial_axes=spatial) * grad_output).sum()

        np.testing.assert_allclose(gradient, differences(loss, arguments[i]), rtol=1e-7, atol=1e-8)


def test_inference_of_runs_at_once_equals_runs_alone():
    x, scale, shift, grad = drawn(3, 5, 4), drawn(3, 4), drawn(3, 4, seed=1), drawn(3, 5, 4, seed=2)
    running = bn.RunningStatistics(drawn(3, 4, seed=5), drawn(3, 4, seed=6) ** 2, 3)
    y = bn.batch_norm_inference(x, scale, shift, running)
    gradients = bn.batch_norm_inference_backward(grad, x, scale, running)
    for i in range(3):
        alone = bn.RunningStatistics(running.mean[i], running.variance[i], 3)
        np.testing.assert_array_equal(y[i], bn.batch_norm_inference(x[i], scale[i], shift[i], alone))
        expected = bn.batch_norm_inference_backward(grad[i], x[i], scale[i], alone)
        for gradient, other in zip(gradients, expected, strict=True):
            np.testing.assert_array_equal(gradient[i], other)


def test_the_family_meets_at_its_ends():
    x, scale, shift = drawn(*IMAGES), drawn(4, seed=1), drawn(4, seed=2)
    spread = [np.broadcast_to(value[:, None, None], (4, 5, 2)) for value in (scale, shift)]
    one_group, _ = bn.group_norm(x, 1, scale, shift, spatial_axes=2)
    np.testing.assert_allclose(one_group, bn.layer_norm(x, *spread, normalized_axes=3)[0], rtol=1e-12, atol=1e-13)
    instance, _ = bn.group_norm(x, 4, scale, shift, spatial_axes=2)
    for i in range(3):  # a batch of one image: batch norm is instance norm
        alone, _ = bn.batch_norm(x[i : i + 1], scale, shift, spatial_axes=2)
        np.testing.assert_allclose(instance[i : i + 1], alone, rtol=1e-12, atol=1e-13)
    centered = drawn(5, 8) - drawn(5, 8).mean(axis=-1, keepdims=True)
    layer, _ = bn.layer_norm(centered, np.ones(8), np.zeros(8), epsilon=1e-6)
    np.testing.assert_allclose(bn.rms_norm(centered, np.ones(8))[0], layer, rtol=1e-12, atol=1e-13)


def test_examples_do_not_see_each_other_except_in_batch_norm():
    x = np.array(drawn(*DENSE))
    scale, shift = np.ones(4), np.zeros(4)
    functions = {
        "batch": lambda x: bn.batch_norm(x, scale, shift)[0],
        "layer": lambda x: bn.layer_norm(x, scale, shift)[0],
        "group": lambda x: bn.group_norm(x, 2, scale, shift)[0],
        "rms": lambda x: bn.rms_norm(x, scale)[0],
    }
    before = {name: function(x) for name, function in functions.items()}
    x[0] += 1 + np.arange(4)
    for name, function in functions.items():
        changed = (function(x)[1:] != before[name][1:]).any()
        assert changed == (name == "batch")


@given(
    shape=st.lists(st.integers(1, 4), min_size=2, max_size=5),
    spatial=st.integers(0, 2),
    dtype=st.sampled_from([np.float32, np.float64]),
    power=st.integers(-12, 12),
)
def test_any_shape_and_scale(shape, spatial, dtype, power):
    spatial = min(spatial, len(shape) - 2)
    x = drawn(*shape, dtype=dtype) * dtype(10.0**power)
    axes = tuple(range(-2 - spatial, 0))
    features = x.shape[-1 - spatial]
    parameters = (*x.shape[: -2 - spatial], features)
    scale, shift = drawn(*parameters, dtype=dtype, seed=1), drawn(*parameters, dtype=dtype, seed=2)
    count = x.size // max(1, int(np.prod(parameters)))
    outputs = [bn.group_norm(x, features, scale, shift, spatial_axes=spatial)]
    if count >= 2:
        outputs.append(bn.batch_norm(x, scale, shift, spatial_axes=spatial))
        grads = bn.batch_norm_backward(drawn(*shape, dtype=dtype, seed=3), outputs[-1][1])
        assert grads.x.shape == x.shape
        assert grads.scale.shape == grads.shift.shape == parameters
        assert all(np.isfinite(grad).all() for grad in grads)
    assert len(axes) == 2 + spatial
    for y, _ in outputs:
        assert y.shape == x.shape
        assert y.dtype == dtype
        assert np.isfinite(y).all()


def test_no_examples():
    x = np.zeros((0, 4))
    for y, cache, backward in (
        (*bn.layer_norm(x, np.ones(4), np.zeros(4)), bn.layer_norm_backward),
        (*bn.group_norm(x, 2, np.ones(4), np.zeros(4)), bn.group_norm_backward),
        (*bn.rms_norm(x, np.ones(4)), bn.rms_norm_backward),
    ):
        assert y.shape == (0, 4)
        assert (backward(y, cache).scale == 0).all()
    running = bn.initial_running_statistics(4)
    assert bn.batch_norm_inference(x, np.ones(4), np.zeros(4), running).shape == (0, 4)


FAMILY = {
    "batch": lambda x: bn.batch_norm(x.T, np.ones(len(x), x.dtype), np.zeros(len(x), x.dtype), epsilon=0.0)[0].T,
    "layer": lambda x: bn.layer_norm(x, np.ones(4, x.dtype), np.zeros(4, x.dtype), epsilon=0.0)[0],
    "group": lambda x: bn.group_norm(x, 1, np.ones(4, x.dtype), np.zeros(4, x.dtype), epsilon=0.0)[0],
}


@pytest.mark.parametrize("name", FAMILY)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_that_should_be_equal_are_a_feature_that_does_not_vary(name, dtype):
    # One third, added up in different orders, differs in the last place.
    for value in (0.1, 1 / 3, 1e4 / 3, 1e30 / 3):
        x = np.full((3, 4), value, dtype)
        x[:, 1] = np.nextafter(x[:, 1], dtype(np.inf))
        x[1] = [0, 1, 2, 3]
        y = FAMILY[name](x)
        assert (y[[0, 2]] == 0).all()
        np.testing.assert_allclose(y[1], np.array([-3, -1, 1, 3]) / np.sqrt(5), rtol=1e-6)
        x[0, 1] = value * (1 + 100 * np.finfo(dtype).eps)  # what is more than rounding is a variation
        np.testing.assert_allclose(np.abs(FAMILY[name](x)[0]), np.array([1, 3, 1, 1]) / np.sqrt(3), rtol=0.1)


@pytest.mark.parametrize("name", [*FAMILY, "rms"])
def test_far_and_near_groups_in_one_array(name):
    """One group whose squares overflow and one whose squares vanish do not touch the group between them."""
    function = FAMILY.get(name) or (lambda x: bn.rms_norm(x, np.ones(4, x.dtype), epsilon=0.0)[0])
    x = drawn(3, 4, dtype=np.float32)
    spread = x * np.float32([[1e25], [1], [1e-25]])
    np.testing.assert_allclose(function(spread), function(x), rtol=1e-5, atol=1e-6)


def test_epsilon_counts_for_numbers_too_small_to_be_squared():
    # Deviation 1e-30 and epsilon 1e-60 in float64: half of the sum is epsilon's.
    x = np.array([[1.0, -1.0, 1.0, -1.0]]) * 1e-170
    for function in (
        lambda e: bn.layer_norm(x, np.ones(4), np.zeros(4), epsilon=e),
        lambda e: bn.rms_norm(x, np.ones(4), epsilon=e),
    ):
        y, cache = function(1e-300)  # far above the squares, 1e-340
        np.testing.assert_allclose(y, x / 1e-150, rtol=1e-12)
        assert cache.inverse_deviation == pytest.approx(1e150)
        np.testing.assert_allclose(np.abs(function(0.0)[0]), 1, rtol=1e-12)


def test_float16_of_hundreds():
    x = (drawn(6, 4) * 300).astype(np.float16)
    ones, zeros = np.ones(4, np.float16), np.zeros(4, np.float16)
    y, cache = bn.batch_norm(x, ones, zeros)
    exact, exact_cache = bn.batch_norm(x.astype(float), np.ones(4), np.zeros(4))
    assert y.dtype == np.float16
    np.testing.assert_allclose(y, exact, rtol=2**-10, atol=2**-20)
    # 9e4 is no float16: what is remembered is float32.
    np.testing.assert_allclose(cache.variance, exact_cache.variance, rtol=1e-5)
    assert cache.variance.max() > np.finfo(np.float16).max


def test_running_statistics_keep_their_dtype():
    _, cache = bn.batch_norm(drawn(6, 4), np.ones(4), np.zeros(4))
    running = bn.update_running_statistics(bn.initial_running_statistics(4, dtype=np.float32), cache)
    assert running.mean.dtype == running.variance.dtype == np.float32


def folded_in_place(weight, bias, scale, shift, mean, variance, epsilon):
    factor = scale / np.sqrt(variance + epsilon)
    weight *= factor[:, None]
    bias -= mean
    bias *= factor
    bias += shift
    return [weight.astype(np.float32).tolist(), bias.astype(np.float32)]


def test_right_answers_in_another_form_are_right(capsys):
    exercises.check_folded_layer(folded_in_place)
    exercises.check_running_variance(lambda v, x, old: np.float32(old * v + (1 - old) * x.var(ddof=1)))
    exercises.check_balanced_length(lambda r, d, g: np.float32((r * g) ** 0.5 / (1 - (1 - r * d) ** 2) ** 0.25))
    assert capsys.readouterr().out.count("Right: ") == 3


@pytest.mark.parametrize(
    ("checker", "answer", "words"),
    [
        ("folded_layer", lambda w, b, s, h, m, v, e: (w * s / np.sqrt(v + e) if len(w) == 5 else w, b), "columns"),
        ("folded_layer", lambda w, b, s, h, m, v, e: (w, b), "Already the weight"),
        (
            "folded_layer",
            lambda w, b, s, h, m, v, e: (w * (f := s / np.sqrt(v + e))[:, None], f * b + h),
            "mean is not",
        ),
        ("running_variance", lambda v, x, old: (1 - old) * v + old * x.var(ddof=1), "weights are swapped: old_weight"),
        ("running_variance", lambda v, x, old: old * v + (1 - old) * x.var(), "divided by m; unbiased"),
        ("running_variance", lambda v, x, old: old * v + (1 - old) * x.std(ddof=1), "not deviations"),
        ("balanced_length", lambda r, d, g: r * r * g * g / (1 - (1 - r * d) ** 2), "fourth power"),
        ("balanced_length", lambda r, d, g: r * g / (1 - (1 - r * d) ** 2) ** 0.5, "its square"),
        ("balanced_length", lambda r, d, g: (r * g * g / (2 * d)) ** 0.25, "limit for small"),
        ("statistics_flow", lambda delta, z, s, e: s * delta / np.sqrt(z.var() + e), "as constants"),
        (
            "statistics_flow",
            lambda delta, z, s, e: s * (delta - delta.mean()) / np.sqrt(z.var() + e),
            "deviation is missing",
        ),
    ],
)
def test_a_likely_slip_gets_its_hint(checker, answer, words):
    with pytest.raises(AssertionError, match=words):
        getattr(exercises, f"check_{checker}")(answer)
