from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlnotes import difference_quotients
from dlnotes.numpy import gradient_checking, network, objective

METHODS = difference_quotients.METHODS
DTYPES = (np.float32, np.float64)


def frozen(x):
    x = np.array(x)
    x.flags.writeable = False
    return x


def waves(points):
    """A sum of sines of different speeds, one value a run; analytic, so that a complex step works too."""
    flat = points.reshape(len(points), -1)
    return np.sin(flat * np.arange(1, flat.shape[1] + 1)).sum(axis=1)


def waves_gradient(x):
    speed = np.arange(1, x.size + 1).reshape(x.shape)
    return np.cos(x.astype(np.float64) * speed) * speed


def tanh_net(seed, dtype=np.float64, sizes=(10, 16, 5), batch=32):
    """A network with cross-entropy: its loss over runs, its parameters, and their gradients."""
    generator = np.random.default_rng(seed)
    parameters = network.initialize(sizes, generator)
    inputs, labels = generator.standard_normal((batch, sizes[0])), generator.integers(0, sizes[-1], batch)
    parameters = {name: frozen(value.astype(dtype)) for name, value in parameters.items()}
    inputs = inputs.astype(dtype)

    def loss(parameters):
        return objective.cross_entropy(network.forward(parameters, inputs, "tanh")[0], labels)

    return loss, parameters, network.loss_and_gradient(parameters, inputs, labels, "tanh")[1]


def of_backend(backend):
    """The module of a backend, and what makes its arrays."""
    if backend == "numpy":
        return gradient_checking, np.array
    torch = pytest.importorskip("torch")
    from dlnotes.torch import gradient_checking as module

    return module, torch.tensor


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 4), (2, 1, 5)])
def test_gradient_of_a_known_function(method, shape, dtype):
    x = frozen(np.random.default_rng(0).standard_normal(shape).astype(dtype))
    gradient = gradient_checking.numerical_gradient(waves, x, method=method)
    assert gradient.dtype == dtype
    assert gradient.shape == shape
    # The waves sum to at most `size`, and their k-th derivatives are at most size^k.
    order = {"forward": 2, "centered": 3, "complex": 3}[method]
    allowed = difference_quotients.difference_error(
        difference_quotients.best_step_size(method, dtype=dtype),
        method,
        dtype=dtype,
        value=float(x.size),
        derivative=float(x.size**order),
    )
    np.testing.assert_allclose(gradient, waves_gradient(x), rtol=0, atol=4 * x.size * allowed)


@pytest.mark.parametrize("method", METHODS)
def test_one_call_for_many_coordinates_equals_a_loop_bit_for_bit(method):
    x = frozen(np.random.default_rng(1).standard_normal((4, 3)))
    together = gradient_checking.numerical_gradient(waves, x, method=method)
    for chunk in (1, 5, 12, 100):
        np.testing.assert_array_equal(
            together, gradient_checking.numerical_gradient(waves, x, method=method, chunk=chunk)
        )
    alone = gradient_checking.numerical_gradient(lambda point: waves(point[None])[0], x, method=method, batched=False)
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize(("method", "calls"), [("forward", 9), ("centered", 16), ("complex", 8)])
def test_a_chunk_is_one_call(method, calls):
    seen = []

    def counted(points):
        seen.append(len(points))
        return waves(points)

    gradient_checking.numerical_gradient(counted, np.zeros((3, 5)), method=method, chunk=2)
    assert len(seen) == calls
    assert max(seen) == 2


def test_a_function_may_return_a_view_of_the_points():
    gradient = gradient_checking.numerical_gradient(lambda points: points[:, 1], np.array([3.0, 4.0, 5.0]))
    np.testing.assert_allclose(gradient, [0, 1, 0], atol=1e-9)


def test_a_gradient_of_no_parameters_is_empty():
    assert gradient_checking.numerical_gradient(waves, np.zeros((0, 3))).shape == (0, 3)


def test_the_divisor_is_the_distance_of_the_rounded_points():
    # At 1e6 a step of 0.1 is rounded to a multiple of 1/16 in float32; h itself would give 1.25 for the slope.
    x = np.full(3, 1e6, np.float32)
    for method in ("forward", "centered"):
        gradient = gradient_checking.numerical_gradient(lambda p: p[:, 0] + p[:, 1], x, method=method, step=0.1)
        np.testing.assert_array_equal(gradient, [1, 1, 0])


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [1e4, 1e8, 1e12])
def test_the_step_follows_the_size_of_the_point(size, dtype, backend):
    """A sum of squares around a point far away; a step of 1e-5 would be rounded away."""
    module, array = of_backend(backend)
    x = array(np.array([1.0, -2.0, 3.0], dtype) * dtype(size))
    tolerance = 1e-8 if dtype == np.float64 else 2e-3
    for method in ("forward", "centered"):
        gradient = module.numerical_gradient(lambda p: ((p / size) ** 2).sum(-1), x, method=method)
        loose = tolerance if method == "centered" else 100 * tolerance**0.75
        np.testing.assert_allclose(np.asarray(gradient) * size, [2, -4, 6], rtol=loose)
    directions = array(np.array([[1.0, 0.0, 0.0], [0.6, 0.0, 0.8]], dtype))
    along = module.directional_derivatives(lambda p: ((p / size) ** 2).sum(-1), x, directions)
    np.testing.assert_allclose(np.asarray(along) * size, [2, 6], rtol=tolerance)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize(("method", "tolerance"), [("forward", 1e-7), ("centered", 1e-9)])
def test_each_coordinate_has_a_step_of_its_own_size(method, tolerance, backend):
    """With the step of the largest coordinate the one near 1 would be off by percents."""
    module, array = of_backend(backend)
    x, scale = (array(np.array(v)) for v in ([1e4, 0.5, -3e4], [1e4, 1.0, 1e4]))
    gradient = module.numerical_gradient(lambda p: waves(np.asarray(p / scale)), x, method=method)
    expected = waves_gradient(np.asarray(x / scale)) / np.asarray(scale)
    np.testing.assert_allclose(np.asarray(gradient), expected, rtol=10 * tolerance)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_the_worst_coordinate_differs_most_and_not_by_the_largest_share(backend):
    module, array = of_backend(backend)
    parameters = {"w": array(np.array([[0.1, -0.2], [2.0, 0.3]]))}
    right = array(np.array([[0.004, -0.032], [32.0, 0.108]]))
    wrong = right + array(np.array([[0.004, 0.0], [0.5, -0.1]]))  # by 100%, 2% and 93%
    check = module.check_gradients(lambda p: (p["w"] ** 4).sum((-1, -2)), parameters, {"w": wrong})
    assert check.coordinate == (1, 0)
    np.testing.assert_allclose(
        check.error, float(((wrong - right) ** 2).sum() ** 0.5 / (wrong**2).sum() ** 0.5), rtol=1e-6
    )


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_a_lost_step_is_said(backend):
    module, array = of_backend(backend)
    x = array(np.array([1.0, 1e12]))
    unit = float(np.spacing(1e12))
    for method in ("forward", "centered"):
        with pytest.raises(ValueError, match="step must be a finite number above"):
            module.numerical_gradient(lambda p: p.sum(-1), x, method=method, step=unit / 2)
        gradient = module.numerical_gradient(lambda p: p[:, 1], x, method=method, step=unit * 0.51)
        np.testing.assert_allclose(np.asarray(gradient), [0, 1])
    assert np.isfinite(
        np.asarray(module.numerical_gradient(lambda p: p.sum(-1), x, method="complex", step=1e-20))
    ).all()
    with pytest.raises(ValueError, match="step must be large enough to move x along every direction, got 1e-06"):
        module.directional_derivatives(lambda p: p.sum(-1), x, array(np.array([[0.0, 1.0]])), step=1e-6)


def test_a_right_gradient_passes_along_directions_far_from_zero():
    """Points are rounded to multiples of 1e-3 here; divided by 2 h, a right gradient would be off by percents."""
    x = frozen(np.random.default_rng(0).uniform(9e3, 1.1e4, (20, 5)).astype(np.float32))
    weights = np.random.default_rng(1).standard_normal((20, 5)).astype(np.float32)

    def loss(moved):
        return ((moved["w"].astype(np.float64) - 1e4) * weights).sum((-1, -2))

    directions = gradient_checking.random_directions({"w": x}, np.random.default_rng(2))
    for step in (None, 0.1):
        check = gradient_checking.check_gradients(loss, {"w": x}, {"w": weights}, directions=directions, step=step)
        assert check.error < 1e-6
        wrong = gradient_checking.check_gradients(
            loss, {"w": x}, {"w": weights * 1.01}, directions=directions, step=step
        )
        assert wrong.error == pytest.approx(0.01, rel=0.02)


def test_a_parameter_without_entries_has_no_worst_coordinate():
    parameters = {"empty": np.zeros((0, 3)), "w": np.ones(2)}
    gradients = {"empty": np.zeros((0, 3)), "w": np.full(2, 4.1)}
    check = gradient_checking.check_gradients(lambda p: (p["w"] ** 4).sum(-1), parameters, gradients)
    assert check.errors["empty"] == 0
    assert check.worst == "w"


def test_a_function_without_a_run_axis_is_told_what_to_do():
    with pytest.raises(ValueError, match=r"one value for each run, shape \(3,\), got shape \(\).*batched=False"):
        gradient_checking.numerical_gradient(lambda points: (points * points).sum(), np.ones(3))


@pytest.mark.parametrize(("method", "slope"), [("forward", 1), ("centered", 2)])
def test_error_falls_with_the_step_and_rises_again(method, slope):
    """Truncation: the error is in proportion to h or h^2. Rounding: to 1/h, in the mean over many points."""
    x = np.random.default_rng(2).uniform(0.5, 1.5, 500)
    best = difference_quotients.best_step_size(method)

    def mean_error(step):
        numeric = np.concatenate(
            [
                gradient_checking.numerical_gradient(lambda p: np.exp(p[:, 0]), one, method=method, step=step)
                for one in x[:, None]
            ]
        )
        return np.abs(numeric - np.exp(x)).mean()

    large = math.log(mean_error(1000 * best) / mean_error(100 * best)) / math.log(10)
    small = math.log(mean_error(best / 100) / mean_error(best / 1000)) / math.log(10)
    assert large == pytest.approx(slope, abs=0.03)
    assert small == pytest.approx(-1, abs=0.15)


@given(st.floats(-8, -1))
def test_the_bound_holds_for_the_exponential(power):
    step, x = 10.0**power, np.array([-0.25])
    for method in ("forward", "centered"):
        error = gradient_checking.numerical_gradient(lambda p: np.exp(p[:, 0]), x, method=method, step=step) - np.exp(x)
        assert np.abs(error) <= difference_quotients.difference_error(step, method)


# Cross-entropy, He weights, normal inputs, steps around the best. The least error depends on the draw, so it is the
# median over 5 draws, within a factor of 3.
@pytest.mark.parametrize(
    ("dtype", "method", "expected"),
    [
        (np.float64, "forward", 4e-8),
        (np.float64, "centered", 1e-10),
        (np.float32, "forward", 9e-4),
        (np.float32, "centered", 6e-5),
    ],
)
def test_least_error_of_a_tanh_network(dtype, method, expected):
    least = []
    for seed in range(5):
        _, _, exact = tanh_net(seed)
        loss, parameters, _ = tanh_net(seed, dtype)
        exact = np.concatenate([value.reshape(-1) for value in exact.values()])
        errors = []
        for factor in (0.3, 1, 3):
            step = factor * difference_quotients.best_step_size(method, dtype=dtype)
            numeric = [
                gradient_checking.numerical_gradient(
                    lambda moved, name=name, parameters=parameters, loss=loss: loss({**parameters, name: moved}),
                    value,
                    method=method,
                    step=step,
                ).reshape(-1)
                for name, value in parameters.items()
            ]
            errors.append(gradient_checking.relative_error(np.concatenate(numeric).astype(np.float64), exact))
        least.append(min(errors))
    assert expected / 3 < np.median(least) < expected * 3


def test_gradients_of_a_network_pass():
    loss, parameters, gradients = tanh_net(3)
    check = gradient_checking.check_gradients(loss, parameters, gradients)
    assert check.error < 1e-8
    assert check.error == check.errors[check.worst] == max(check.errors.values())
    assert list(check.errors) == list(parameters)


@pytest.mark.parametrize("name", ["0.weight", "0.bias", "2.weight", "2.bias"])
def test_one_wrong_number_is_found_and_named(name):
    loss, parameters, gradients = tanh_net(4)
    wrong = gradients[name].copy()
    place = tuple(size // 2 for size in wrong.shape)
    wrong[place] *= 1.01
    check = gradient_checking.check_gradients(loss, parameters, {**gradients, name: wrong})
    assert check.worst == name
    assert check.coordinate == place
    assert check.error > 1e-5
    assert max(error for other, error in check.errors.items() if other != name) < 1e-8


@pytest.mark.parametrize("wrong", [lambda g: -g, lambda g: g * 32, lambda g: g[::-1], lambda g: g + 0.1])
def test_wrong_formulas_are_found_along_a_few_directions(wrong):
    loss, parameters, gradients = tanh_net(5)
    directions = gradient_checking.random_directions(parameters, np.random.default_rng(0), count=4)
    right = gradient_checking.check_gradients(loss, parameters, gradients, directions=directions)
    assert right.error < 1e-7
    assert right.coordinate is None
    broken = {**gradients, "2.weight": wrong(gradients["2.weight"])}
    check = gradient_checking.check_gradients(loss, parameters, broken, directions=directions)
    assert check.worst == "2.weight"
    assert check.error > 0.05


def test_an_error_that_is_no_number_is_the_worst():
    loss, parameters, gradients = tanh_net(6)
    gradients = {**gradients, "0.bias": gradients["0.bias"] * np.nan, "2.bias": gradients["2.bias"] * 2}
    check = gradient_checking.check_gradients(loss, parameters, gradients)
    assert check.worst == "0.bias"
    assert math.isnan(check.error)


def test_a_loss_without_a_run_axis_can_be_checked():
    parameters = {"w": frozen([1.0, -2.0]), "b": frozen(0.5)}
    check = gradient_checking.check_gradients(
        lambda p: float(p["w"] @ p["w"] + p["b"]),
        parameters,
        {"w": np.array([2.0, -4.0]), "b": np.array(1.0)},
        batched=False,
    )
    assert check.error < 1e-9


def test_what_does_not_depend_on_the_moved_parameter_is_computed_once():
    loss, parameters, gradients = tanh_net(7)
    shapes = []

    def watched(moved):
        shapes.append({name: value.shape for name, value in moved.items()})
        return loss(moved)

    gradient_checking.check_gradients(watched, parameters, gradients)
    assert all(sum(shape != parameters[name].shape for name, shape in call.items()) == 1 for call in shapes)


@given(scale=st.floats(1e-300, 1e300), seed=st.integers(0, 1000))
def test_relative_error_does_not_depend_on_the_scale(scale, seed):
    generator = np.random.default_rng(seed)
    a, b = generator.standard_normal((2, 3, 4))
    error = gradient_checking.relative_error(a, b)
    assert 0 < error <= 2
    assert gradient_checking.relative_error(b, a) == error
    np.testing.assert_allclose(gradient_checking.relative_error(a * scale, b * scale), error, rtol=1e-12)


def test_relative_error_of_known_pairs():
    a = np.array([3.0, 4.0])
    assert gradient_checking.relative_error(a, a) == 0
    assert gradient_checking.relative_error(a, -a) == 2
    assert gradient_checking.relative_error(a, np.array([3.0, 4.5])) == pytest.approx(0.5 / math.hypot(3, 4.5))
    assert gradient_checking.relative_error(0 * a, 0 * a) == 0
    assert gradient_checking.relative_error(0 * a, a) == 1
    np.testing.assert_allclose(gradient_checking.relative_error(a, np.array([3.0, 2.0]), run_axes=1), [0, 0.5])


def test_relative_error_by_run_equals_single_runs():
    a, b = np.random.default_rng(8).standard_normal((2, 5, 3, 4))
    runs = gradient_checking.relative_error(a, b, run_axes=1)
    np.testing.assert_array_equal(runs, [gradient_checking.relative_error(x, y) for x, y in zip(a, b, strict=True)])


def test_directional_derivatives_are_inner_products():
    x = frozen(np.random.default_rng(9).standard_normal((2, 3)))
    directions = np.random.default_rng(10).standard_normal((6, 2, 3))
    along = gradient_checking.directional_derivatives(waves, x, directions)
    expected = np.tensordot(directions, waves_gradient(x), axes=2)
    np.testing.assert_allclose(along, expected, atol=2e-8)
    alone = gradient_checking.directional_derivatives(lambda p: waves(p[None])[0], x, directions, batched=False)
    np.testing.assert_array_equal(along, alone)


def assert_no_preferred_direction(drawn):
    """Compare moments of unit vectors with those of the uniform distribution on the sphere in n dimensions.

    E x_i = 0, E x_i^2 = 1/n, E x_i^4 = 3 / (n (n + 2)), E x_i^2 x_j^2 = 1 / (n (n + 2)). The last two tell directions
    from corners of a cube (1/n^2) and from single coordinates (1/n and 0), whose second moments are the same.
    """
    rows = np.asarray(drawn, dtype=np.float64).reshape(len(drawn), -1)
    n = rows.shape[1]
    np.testing.assert_allclose((rows * rows).sum(axis=1), 1, rtol=1e-5)

    def assert_mean(values, expected):
        error = values.std(axis=0, ddof=1) / math.sqrt(len(values))
        assert (np.abs(values.mean(axis=0) - expected) < 4.5 * error).all()

    assert_mean(rows, 0)
    assert_mean(rows * rows, 1 / n)
    assert_mean(rows**4, 3 / (n * (n + 2)))
    assert_mean(rows[:, :-1] ** 2 * rows[:, 1:] ** 2, 1 / (n * (n + 2)))
    assert_mean(rows[:, :-1] * rows[:, 1:], 0)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_random_directions_have_length_one_and_none_is_preferred(backend):
    if backend == "numpy":
        parameters = {"a": np.zeros((3, 2), np.float32), "b": np.zeros(4)}
        drawn = gradient_checking.random_directions(parameters, np.random.default_rng(11), count=20_000)
    else:
        torch = pytest.importorskip("torch")
        from dlnotes.torch import gradient_checking as variant

        parameters = {"a": torch.zeros(3, 2), "b": torch.zeros(4, dtype=torch.float64)}
        drawn = variant.random_directions(parameters, torch.Generator().manual_seed(11), count=20_000)
    for name, value in parameters.items():
        assert drawn[name].dtype == value.dtype
        assert_no_preferred_direction(drawn[name])


def test_corners_and_coordinates_are_told_from_directions():
    generator = np.random.default_rng(12)
    corners = generator.choice([-0.5, 0.5], (20_000, 4))
    coordinates = np.eye(4)[generator.integers(0, 4, 20_000)] * generator.choice([-1.0, 1.0], (20_000, 1))
    for wrong in (corners, coordinates):
        with pytest.raises(AssertionError):
            assert_no_preferred_direction(wrong)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize(("x", "size"), [([0.1, -0.3, 0.2], 1.0), ([1.0, -2.0, 996.0, -1.0], 250.0)])
def test_the_default_step_along_directions_follows_the_mean_size_of_the_point(x, size, backend):
    module, array = of_backend(backend)
    seen = []

    def watched(points):
        seen.append(np.asarray(points).copy())
        return points.sum(-1)

    module.directional_derivatives(watched, array(np.array(x)), array(np.array([np.ones(len(x)), -np.ones(len(x))])))
    step = difference_quotients.best_step_size() * size
    np.testing.assert_allclose(seen[0] - seen[1], 2 * step * np.array([[1.0], [-1.0]]) * np.ones(len(x)), rtol=1e-6)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_a_hundred_millionth_is_seen_along_directions(backend):
    """The gradient is compared in its own precision: in float32 a right one would be off by as much."""
    module, array = of_backend(backend)
    generator = np.random.default_rng(13)
    x, squares = generator.standard_normal((2, 2, 3)) / 3
    parameters, right = {"w": array(x)}, array(2 * squares * x)
    factors = array(squares)
    directions = {"w": array(generator.standard_normal((4, 2, 3)))}
    for share in (0.0, 1e-8):
        check = module.check_gradients(
            lambda p: (factors * p["w"] ** 2).sum((-1, -2)),
            parameters,
            {"w": right * (1 + share)},
            directions=directions,
        )
        assert check.error == pytest.approx(share, abs=1e-9)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_no_direction_is_told_by_another(backend):
    """The inner product of two independent directions in n dimensions has the mean 0 and the mean square 1/n."""
    module, array = of_backend(backend)
    parameters = {"a": array(np.zeros((3, 2))), "b": array(np.zeros(6))}
    generator = np.random.default_rng(14)
    if backend == "torch":
        torch = pytest.importorskip("torch")
        generator = torch.Generator().manual_seed(14)
    drawn = module.random_directions(parameters, generator, count=10_000)
    first, second = (np.asarray(drawn[name]).reshape(10_000, -1) for name in ("a", "b"))
    pairs = [(first[:-lag], first[lag:]) for lag in (1, 2, 3, 4)] + [(first, second)]
    for one, other in pairs:
        inner = (one * other).sum(-1)
        for values, expected in ((inner, 0), (inner**2, 1 / 6)):
            assert abs(values.mean() - expected) < 4.5 * values.std() / 100


def test_torch_checks_autograd():
    torch = pytest.importorskip("torch")
    from dlnotes.torch import gradient_checking as variant

    module = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh(), torch.nn.Linear(3, 2)).double()
    inputs, labels = torch.randn(8, 4, dtype=torch.float64), torch.randint(0, 2, (8,))
    parameters = dict(module.named_parameters())

    def loss(moved):
        return torch.nn.functional.cross_entropy(torch.func.functional_call(module, moved, (inputs,)), labels)

    gradients = torch.autograd.grad(loss(parameters), list(parameters.values()))
    gradients = dict(zip(parameters, gradients, strict=True))
    assert variant.check_gradients(loss, parameters, gradients, batched=False).error < 1e-7
    gradients["2.bias"] = -gradients["2.bias"]
    assert variant.check_gradients(loss, parameters, gradients, batched=False).worst == "2.bias"


def test_torch_random_directions_have_length_one():
    torch = pytest.importorskip("torch")
    from dlnotes.torch import gradient_checking as variant

    drawn = variant.random_directions({"a": torch.zeros(3, 2)}, torch.Generator().manual_seed(0), count=5)["a"]
    assert drawn.shape == (5, 3, 2)
    assert drawn.dtype == torch.float32
    torch.testing.assert_close(drawn.square().sum((1, 2)), torch.ones(5))


def test_torch_relative_error_neither_overflows_nor_divides_by_zero():
    torch = pytest.importorskip("torch")
    from dlnotes.torch import gradient_checking as variant

    for scale in (1e-200, 1e200):
        one, other = torch.tensor([3.0, 4.0]).double() * scale, torch.tensor([3.0, 4.5]).double() * scale
        expected = 0.5 / np.hypot(3, 4.5)
        assert float(variant.relative_error(one, other)) == pytest.approx(expected, rel=1e-12)
    zeros = torch.zeros(3, dtype=torch.float64)
    assert float(variant.relative_error(zeros, zeros)) == 0
