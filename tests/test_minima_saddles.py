from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlnotes.numpy import conditioning, gradient_checking, minima_saddles, network, objective


def pfaffian(matrix):
    """By expansion along the first row."""
    if not len(matrix):
        return 1.0
    rest = range(1, len(matrix))
    others = [[i for i in rest if i != j] for j in rest]
    return sum(
        (-1) ** (j + 1) * matrix[0, j] * pfaffian(matrix[np.ix_(o, o)]) for j, o in zip(rest, others, strict=True)
    )


def ordered_integral(size, half):
    """Integrate prod_(i<j) (x_j - x_i) prod e^(-x_i^2 / 2) over x_1 < ... < x_n, above 0 only if `half`.

    It is the Pfaffian of the matrix of the integrals of (x^i y^j - x^j y^i) e^(-(x^2 + y^2) / 2) over x < y, with a
    border of the integrals of x^i e^(-x^2 / 2) for odd n (de Bruijn). In polar coordinates the radius gives a gamma
    function and the angle a smooth integral, from pi / 4 to pi / 2, or to 5 pi / 4.
    """
    nodes, weights = np.polynomial.legendre.leggauss(60)
    span = (math.pi / 2 if half else 5 * math.pi / 4) - math.pi / 4
    angles, weights = math.pi / 4 + span * (nodes + 1) / 2, weights * span / 2
    matrix = np.zeros((size + size % 2,) * 2)
    for i, j in itertools.combinations(range(size), 2):
        turn = np.cos(angles) ** i * np.sin(angles) ** j - np.cos(angles) ** j * np.sin(angles) ** i
        matrix[i, j] = 2 ** ((i + j) / 2) * math.gamma((i + j) / 2 + 1) * (weights @ turn)
    if size % 2:
        for i in range(size):
            matrix[i, size] = 2 ** ((i - 1) / 2) * math.gamma((i + 1) / 2) * (1 if half else 1 + (-1) ** i)
    return pfaffian(matrix - matrix.T)


# P(all eigenvalues positive), Gaussian orthogonal ensemble with diagonal variance 2.
POSITIVE = {size: ordered_integral(size, True) / ordered_integral(size, False) for size in range(1, 7)}


def frozen(x):
    x = np.array(x)
    x.flags.writeable = False
    return x


def gaussian(seed, *shape):
    return frozen(np.random.default_rng(seed).standard_normal(shape))


def symmetric(seed, size, *runs):
    matrix = gaussian(seed, *runs, size, size)
    return frozen(matrix + matrix.mT)


def net(seed, sizes=(4, 6, 3), batch=40, runs=()):
    generator = np.random.default_rng(seed)
    parameters = network.initialize(sizes, generator, runs=runs)
    inputs, labels = generator.standard_normal((batch, sizes[0])), generator.integers(0, sizes[-1], batch)

    def loss(parameters):
        return objective.cross_entropy(network.forward(parameters, inputs, "tanh")[0], labels)

    return {name: frozen(value) for name, value in parameters.items()}, loss, inputs, labels


# Steps


def test_saddle_free_step_goes_down_where_newton_climbs():
    hessian, point = np.diag([2.0, -4.0]), np.array([1.0, 0.5])
    gradient = hessian @ point
    np.testing.assert_allclose(conditioning.newton_step(gradient, hessian), -point)
    np.testing.assert_allclose(minima_saddles.saddle_free_newton_step(gradient, hessian), [-1.0, 0.5])


@given(seed=st.integers(0, 10_000), damping=st.floats(0.0, 10.0))
def test_saddle_free_step_goes_down_and_equals_newton_at_positive_curvature(seed, damping):
    generator = np.random.default_rng(seed)
    gradient, matrix = generator.standard_normal(5), generator.standard_normal((5, 5))
    hessian = matrix + matrix.T
    step = minima_saddles.saddle_free_newton_step(gradient, hessian, damping=damping)
    assert step @ gradient < 0
    positive = matrix @ matrix.T + np.eye(5)
    np.testing.assert_allclose(
        minima_saddles.saddle_free_newton_step(gradient, positive, damping=damping),
        conditioning.newton_step(gradient, positive, damping=damping),
        rtol=0,
        atol=1e-10,
    )


def test_steps_of_runs_equal_single_ones():
    gradients, hessians = gaussian(0, 2, 3, 4), symmetric(1, 4, 2, 3)
    together = minima_saddles.saddle_free_newton_step(gradients, hessians)
    for run in np.ndindex(2, 3):
        alone = minima_saddles.saddle_free_newton_step(gradients[run], hessians[run])
        np.testing.assert_array_equal(together[run], alone)


def test_inertia_counts_signs():
    found = minima_saddles.inertia(np.stack([np.diag([1.0, -2.0, 1e-9]), np.zeros((3, 3)), -np.eye(3)]))
    np.testing.assert_array_equal(found.negative, [1, 0, 3])
    np.testing.assert_array_equal(found.zero, [1, 3, 0])
    np.testing.assert_array_equal(found.positive, [1, 0, 0])
    assert minima_saddles.inertia(np.diag([1.0, -2.0, 1e-9]), tolerance=0.0).positive == 2


@given(st.integers(0, 10_000))
def test_inertia_survives_a_change_of_coordinates(seed):
    generator = np.random.default_rng(seed)
    signs, change = generator.integers(-1, 2, 5), generator.standard_normal((5, 5)) + 3 * np.eye(5)
    found = minima_saddles.inertia(change @ np.diag(signs.astype(float)) @ change.T, tolerance=1e-9)
    assert found == ((signs < 0).sum(), (signs == 0).sum(), (signs > 0).sum())


# The linear network


def test_gradient_and_hessian_of_the_linear_network():
    target, point = gaussian(2, 3, 4), gaussian(3, 5 * 7)
    gradient = gradient_checking.numerical_gradient(lambda p: minima_saddles.linear_network_loss(p, target), point)
    np.testing.assert_allclose(minima_saddles.linear_network_gradient(point, target), gradient, atol=1e-7)
    rows = [
        gradient_checking.numerical_gradient(
            lambda p, row=row: minima_saddles.linear_network_gradient(p, target)[:, row], point
        )
        for row in range(35)
    ]
    np.testing.assert_allclose(minima_saddles.linear_network_hessian(point, target), rows, atol=1e-7)


def test_one_unit_and_one_weight_a_layer():
    """(w2 w1 - 1)^2 / 2 has no activation and yet a saddle at 0, with the curvatures -1 and 1."""
    hessian = minima_saddles.linear_network_hessian(np.zeros(2), np.ones((1, 1)))
    np.testing.assert_array_equal(np.linalg.eigvalsh(hessian), [-1, 1])
    np.testing.assert_array_equal(minima_saddles.linear_network_gradient(np.zeros(2), np.ones((1, 1))), [0, 0])


def test_linear_network_of_runs_equals_single_ones():
    target, points = gaussian(4, 2, 3), gaussian(5, 2, 3, 20)
    for function in (
        minima_saddles.linear_network_loss,
        minima_saddles.linear_network_gradient,
        minima_saddles.linear_network_hessian,
    ):
        together = function(points, target)
        for run in np.ndindex(2, 3):
            np.testing.assert_array_equal(together[run], function(points[run], target))


def test_critical_points_of_a_4_4_4_linear_network():
    """Every subset of singular directions is one; the fewer are learned, the more eigenvalues are negative."""
    target = gaussian(6, 4, 4)
    sizes = np.linalg.svd(target, compute_uv=False)
    losses, shares = [], []
    for kept in itertools.chain.from_iterable(itertools.combinations(range(4), count) for count in range(5)):
        point = minima_saddles.linear_network_critical_point(target, kept, 4)
        np.testing.assert_allclose(minima_saddles.linear_network_gradient(point, target), 0, atol=1e-13)
        loss = minima_saddles.linear_network_loss(point, target)
        assert loss == pytest.approx(sum(sizes[i] ** 2 for i in range(4) if i not in kept) / 2, abs=1e-13)
        found = minima_saddles.inertia(minima_saddles.linear_network_hessian(point, target))
        # A direction left out is negative for every free unit, and for every kept direction smaller than it.
        left = [i for i in range(4) if i not in kept]
        expected = len(left) * (4 - len(kept)) + sum(sizes[i] > sizes[j] for i in left for j in kept)
        assert found.negative == expected
        losses.append(loss)
        shares.append(found.negative / 32)
    order = np.argsort(losses)
    assert shares[order[-1]] == 0.5  # at the origin
    assert shares[order[0]] == 0  # at the minimum, where half of the others are 0
    assert found == (0, 16, 16)
    assert (np.diff(np.array(shares)[order]) < 0).any()  # not monotonic
    assert np.corrcoef(losses, shares)[0, 1] > 0.7


def test_the_search_finds_the_critical_points_of_the_closed_form():
    target = gaussian(7, 3, 3)
    sizes = np.linalg.svd(target, compute_uv=False)
    starts = 0.7 * gaussian(8, 60, 18)
    found = minima_saddles.find_critical_points(
        lambda p: minima_saddles.linear_network_gradient(p, target),
        lambda p: minima_saddles.linear_network_hessian(p, target),
        starts,
    )
    first = np.linalg.norm(minima_saddles.linear_network_gradient(starts, target), axis=-1)
    done = found.gradient_norms <= 1e-10 * first
    assert done.sum() > 50
    losses = minima_saddles.linear_network_loss(found.points[done], target)
    subsets = itertools.chain.from_iterable(itertools.combinations(range(3), count) for count in range(4))
    possible = np.array([sum(sizes[i] ** 2 for i in left) / 2 for left in subsets])
    assert (np.abs(losses[:, None] - possible).min(axis=1) < 1e-8).all()
    indices = minima_saddles.inertia(minima_saddles.linear_network_hessian(found.points[done], target)).negative
    assert (indices > 0).any()  # saddles are found, not minima alone


def test_the_search_tells_where_there_is_no_critical_point():
    """f = x + x^3 / 3 has the gradient 1 + x^2, which has its minimum 1 at 0 and no zero."""
    found = minima_saddles.find_critical_points(
        lambda p: 1 + p * p, lambda p: 2 * p[..., None], np.array([[0.5], [-2.0]]), steps=100
    )
    assert (found.gradient_norms >= 1).all()
    assert (found.gradient_norms < 1.01).all()


@settings(max_examples=15)
@given(of_loss=st.integers(-332, 332), of_points=st.integers(-100, 100))
def test_the_search_does_not_depend_on_the_units(of_loss, of_points):
    """The loss from 1e-100 to 1e100, and its points from 1e-30 to 1e30: f(x) becomes c f(x / k)."""
    target, starts = gaussian(7, 3, 3), 0.7 * gaussian(8, 6, 18)
    c, k = 2.0**of_loss, 2.0**of_points

    def search(c, k):
        return minima_saddles.find_critical_points(
            lambda p: c / k * minima_saddles.linear_network_gradient(p / k, target),
            lambda p: c / (k * k) * minima_saddles.linear_network_hessian(p / k, target),
            k * starts,
        )

    found, wanted = search(c, k), search(1.0, 1.0)
    np.testing.assert_allclose(found.points / k, wanted.points, rtol=1e-9, atol=1e-9)
    first = np.linalg.norm(minima_saddles.linear_network_gradient(starts, target), axis=-1)
    np.testing.assert_allclose(found.gradient_norms * (k / c) / first, wanted.gradient_norms / first, atol=1e-9)
    assert (wanted.gradient_norms < 1e-10 * first).all()


def test_a_search_that_starts_at_a_critical_point_stays_and_ends():
    calls = []

    def gradient(p):
        calls.append(len(p))
        return p * p - 2  # is not 0 at any number near the root of 2

    start = np.array([[math.sqrt(2)], [-math.nextafter(math.sqrt(2), 0)]])
    found = minima_saddles.find_critical_points(gradient, lambda p: 2 * p[..., None], start)
    np.testing.assert_allclose(found.points, start, rtol=1e-15)
    assert len(calls) < 30


def test_searches_of_runs_equal_single_ones():
    def gradient(p):
        return minima_saddles.quartic_saddle_gradient(p)

    starts = gaussian(9, 2, 3, 2)
    together = minima_saddles.find_critical_points(gradient, minima_saddles.quartic_saddle_hessian, starts)
    first = np.linalg.norm(gradient(starts), axis=-1)
    assert (together.gradient_norms <= 1e-10 * first).all()
    assert {round(abs(float(y))) for y in together.points[..., 1].reshape(-1)} == {0, 1}
    for run in np.ndindex(2, 3):
        alone = minima_saddles.find_critical_points(gradient, minima_saddles.quartic_saddle_hessian, starts[run])
        np.testing.assert_array_equal(together.points[run], alone.points)
        np.testing.assert_array_equal(together.gradient_norms[run], alone.gradient_norms)


# Lines, planes and permutations


def test_interpolation_passes_through_both_ends():
    start, loss, _, _ = net(10)
    end, _, _, _ = net(11)
    fractions = frozen(np.linspace(-0.5, 1.5, 9))
    line = minima_saddles.interpolate(loss, start, end, fractions)
    assert line.shape == (9,)
    assert line[2] == pytest.approx(loss(start), abs=1e-14)
    assert line[6] == pytest.approx(loss(end), abs=1e-14)
    for chunk in (1, 4):
        np.testing.assert_array_equal(line, minima_saddles.interpolate(loss, start, end, fractions, chunk=chunk))
    middle = loss({name: 0.75 * value + 0.25 * end[name] for name, value in start.items()})
    assert line[3] == pytest.approx(middle, abs=1e-14)


def test_interpolation_of_a_quadratic_is_a_parabola():
    start, end = {"w": frozen([1.0, 2.0])}, {"w": frozen([-1.0, 0.0])}
    fractions = np.linspace(0, 1, 5)
    line = minima_saddles.interpolate(lambda p: (p["w"] * p["w"]).sum(axis=-1), start, end, fractions)
    np.testing.assert_allclose(line, (1 - 2 * fractions) ** 2 + (2 - 2 * fractions) ** 2)


def test_surface_passes_through_its_center_and_its_lines():
    parameters, loss, _, _ = net(12)
    first, second = ({name: gaussian(seed, *value.shape) for name, value in parameters.items()} for seed in (13, 14))
    rows, columns = np.linspace(-1, 1, 5), np.linspace(-0.5, 0.5, 3)
    surface = minima_saddles.loss_surface(loss, parameters, first, second, rows, columns, chunk=4)
    assert surface.shape == (5, 3)
    assert surface[2, 1] == pytest.approx(loss(parameters), abs=1e-14)
    for row, column in np.ndindex(5, 3):
        point = {
            name: value + rows[row] * first[name] + columns[column] * second[name] for name, value in parameters.items()
        }
        assert surface[row, column] == pytest.approx(loss(point), abs=1e-13)


def test_a_loss_without_a_run_axis_is_refused():
    point = {"w": np.ones(3)}
    with pytest.raises(ValueError, match=r"loss must return one value for each run, shape \(4,\), got shape \(\)"):
        minima_saddles.interpolate(lambda p: (p["w"] ** 2).sum(), point, point, np.linspace(0, 1, 4))


def quartic(parameters):
    return {name: value**3 for name, value in parameters.items()}


def test_the_sharpness_aware_gradient_is_that_of_the_point_a_radius_ahead():
    parameters, *_ = net(10)
    slopes = quartic(parameters)
    length = math.sqrt(sum((value * value).sum() for value in slopes.values()))
    found = minima_saddles.sharpness_aware_gradient(quartic, parameters, radius=0.3)
    for name, value in parameters.items():
        np.testing.assert_allclose(found[name], (value + 0.3 * slopes[name] / length) ** 3, rtol=1e-12)
        np.testing.assert_array_equal(
            minima_saddles.sharpness_aware_gradient(quartic, parameters, radius=0.0)[name], slopes[name]
        )


def test_sharpness_aware_gradients_of_runs_equal_single_ones_and_0_stays():
    parameters = {"w": gaussian(11, 3, 4, 2), "b": gaussian(12, 3, 4)}
    parameters["w"], parameters["b"] = (
        value * (np.arange(3) > 0).reshape(3, *[1] * (value.ndim - 1)) for value in parameters.values()
    )
    radii = np.array([0.5, 0.1, 2.0])
    together = minima_saddles.sharpness_aware_gradient(quartic, parameters, radius=radii, run_axes=1)
    for run, radius in enumerate(radii):
        own = {name: value[run] for name, value in parameters.items()}
        alone = minima_saddles.sharpness_aware_gradient(quartic, own, radius=radius)
        for name, value in alone.items():
            np.testing.assert_allclose(together[name][run], value, rtol=1e-14)
    assert not together["w"][0].any()


def test_filter_normalized_directions_have_the_lengths_of_their_units():
    parameters = {"0.weight": gaussian(15, 4, 3, 2, 2), "0.bias": gaussian(16, 4), "2.weight": gaussian(17, 5, 4)}
    drawn = {name: gaussian(18, *value.shape) for name, value in parameters.items()}
    drawn["2.weight"] = np.where(np.arange(5)[:, None] == 2, 0, drawn["2.weight"])
    found = minima_saddles.filter_normalize(drawn, parameters)
    assert list(found) == list(parameters)
    for name in ("0.weight", "2.weight"):
        for unit, (own, wanted) in enumerate(zip(found[name], parameters[name], strict=True)):
            if name == "2.weight" and unit == 2:
                assert (own == 0).all()
                continue
            assert np.linalg.norm(own) == pytest.approx(np.linalg.norm(wanted))
            np.testing.assert_allclose(own / np.linalg.norm(own), drawn[name][unit] / np.linalg.norm(drawn[name][unit]))
    assert (found["0.bias"] == 0).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("power", [-1, 1])
def test_filter_normalization_does_not_depend_on_the_length_of_the_direction(dtype, power):
    scale = dtype(10.0) ** (power * (30 if dtype == np.float32 else 170))
    parameters, drawn = {"w": gaussian(15, 4, 3).astype(dtype)}, {"w": gaussian(16, 4, 3).astype(dtype)}
    expected = minima_saddles.filter_normalize(drawn, parameters)["w"]
    rtol = 10 * np.finfo(dtype).eps
    np.testing.assert_allclose(
        minima_saddles.filter_normalize({"w": drawn["w"] * scale}, parameters)["w"], expected, rtol=rtol
    )
    long = minima_saddles.filter_normalize(drawn, {"w": parameters["w"] * scale})["w"]
    np.testing.assert_allclose(long / scale, expected, rtol=rtol)


def test_a_singular_hessian_is_refused_by_the_saddle_free_step_up_to_rounding():
    row = np.array([0.1, 0.7, 0.3])
    for scale in (1.0, 1e-150, 1e150):
        with pytest.raises(ValueError, match="got an eigenvalue that is 0 up to rounding"):
            minima_saddles.saddle_free_newton_step(np.ones(3), scale * np.outer(row, row))


@given(scale=st.floats(1e-3, 1e3), seed=st.integers(0, 100))
def test_filter_normalization_undoes_one_factor_of_a_relu_layer(scale, seed):
    """Weights in times a, weights out over a: the same function, and the same surface."""
    parameters = {"0.weight": gaussian(19, 4, 3), "2.weight": gaussian(20, 2, 4)}
    noise = {name: gaussian(seed, *value.shape) for name, value in parameters.items()}
    before = minima_saddles.filter_normalize(noise, parameters)
    after = minima_saddles.filter_normalize(noise, {**parameters, "0.weight": scale * parameters["0.weight"]})
    np.testing.assert_allclose(after["0.weight"], scale * before["0.weight"], rtol=1e-12)
    np.testing.assert_array_equal(after["2.weight"], before["2.weight"])


@pytest.mark.parametrize(("layer", "runs"), [("0", ()), ("2", ()), ("0", (2,))])
def test_permuted_units_compute_the_same_and_the_midpoint_does_not(layer, runs):
    parameters, loss, inputs, _ = net(21, sizes=(4, 6, 6, 3), runs=runs)
    order = np.array([3, 1, 0, 5, 2, 4])
    permuted = minima_saddles.permute_units(parameters, layer, order)
    assert list(permuted) == list(parameters)
    before, after = (network.forward(group, inputs, "tanh")[0] for group in (parameters, permuted))
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-14)
    np.testing.assert_array_equal(permuted[f"{layer}.bias"], parameters[f"{layer}.bias"][..., order])
    back = minima_saddles.permute_units(permuted, layer, np.argsort(order))
    for name, value in parameters.items():
        np.testing.assert_array_equal(back[name], value)
    middle = {name: (value + permuted[name]) / 2 for name, value in parameters.items()}
    assert (np.abs(loss(middle) - loss(parameters)) > 1e-3).all()


def test_torch_permutes_every_hidden_layer():
    torch = pytest.importorskip("torch")
    from dlnotes.torch import minima_saddles as variant

    parameters, *_ = net(21, sizes=(4, 6, 6, 3))
    tensors = {name: torch.tensor(np.array(value)) for name, value in parameters.items()}
    order = np.array([3, 1, 0, 5, 2, 4])
    for layer in ("0", "2"):
        expected = minima_saddles.permute_units(parameters, layer, order)
        found = variant.permute_units(tensors, layer, torch.tensor(order))
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name].numpy(), value)


# Random symmetric matrices


def test_ensemble_has_the_variances_it_should():
    matrices = minima_saddles.gaussian_orthogonal(gaussian(22, 20_000, 3, 3))
    np.testing.assert_array_equal(matrices, matrices.mT)
    variances = (matrices * matrices).mean(axis=0)
    # The variance of a squared normal number is 2 of its variance squared: 4 standard errors are 4% here.
    np.testing.assert_allclose(variances, 1 + np.eye(3), rtol=0.04)
    assert minima_saddles.gaussian_orthogonal(np.ones((2, 2), np.float32)).dtype == np.float32


@given(seed=st.integers(0, 10_000), size=st.integers(1, 6), shift=st.floats(-2, 6))
def test_positive_definite_says_what_the_eigenvalues_say(seed, size, shift):
    noise = np.random.default_rng(seed).standard_normal((4, size, size))
    matrices = minima_saddles.gaussian_orthogonal(noise) + shift * np.eye(size)
    smallest = np.linalg.eigvalsh(matrices)[:, 0]
    np.testing.assert_array_equal(minima_saddles.positive_definite(matrices), smallest > 0)


def test_edges_of_positive_definite():
    assert minima_saddles.positive_definite(np.eye(3))
    assert not minima_saddles.positive_definite(np.zeros((3, 3)))
    assert not minima_saddles.positive_definite(np.array([[0.0, 1.0], [1.0, 0.0]]))
    assert not minima_saddles.positive_definite(np.array([[1.0, 2.0], [2.0, 1.0]]))


def test_exact_probabilities_that_all_eigenvalues_are_positive():
    closed = [0.5, (2 - math.sqrt(2)) / 4, (math.pi - 2 * math.sqrt(2)) / (4 * math.pi)]
    np.testing.assert_allclose([POSITIVE[size] for size in (1, 2, 3)], closed, rtol=1e-12)
    assert POSITIVE[5] == pytest.approx(1.40115e-4, rel=1e-5)


@pytest.mark.parametrize(("size", "samples"), [(1, 50_000), (2, 50_000), (3, 200_000), (4, 400_000), (5, 1_000_000)])
def test_probability_that_all_eigenvalues_are_positive(size, samples):
    """Within 4 standard errors of the exact value; those of the smaller and the larger size are farther away."""
    estimate = minima_saddles.goe_positive_probability(size, np.random.default_rng(23), samples=samples)
    exact = POSITIVE[size]
    error = math.sqrt(exact * (1 - exact) / samples)
    assert abs(estimate.probability - exact) < 4 * error
    assert abs(exact - POSITIVE[size + 1]) > 8 * error
    assert estimate.standard_error == pytest.approx(error, rel=0.2)


def test_a_known_probability_is_told_from_its_neighbor():
    """Most of the matrices that decide have a positive diagonal: drawn so, 4 standard errors tell 0.00014011 from 15.

    P(all positive) = 2^-n P(all positive | positive diagonal), because the diagonal is independent of the rest.
    """
    generator, size, found, samples = np.random.default_rng(24), 5, 0, 1_500_000
    for _ in range(30):
        noise = generator.standard_normal((samples // 30, size, size))
        place = np.arange(size)
        noise[:, place, place] = np.abs(noise[:, place, place])
        found += int(minima_saddles.positive_definite(minima_saddles.gaussian_orthogonal(noise)).sum())
    share = found / samples
    error = 4 * math.sqrt(share * (1 - share) / samples)
    assert abs(share / 2**size - POSITIVE[5]) < error / 2**size
    assert error / 2**size < 0.00015 - POSITIVE[5]


# Escape


def test_gradient_and_hessian_of_the_quartic_saddle():
    points = gaussian(24, 7, 2)
    gradient = minima_saddles.quartic_saddle_gradient(points)
    hessian = minima_saddles.quartic_saddle_hessian(points)
    for point, own, curvature in zip(points, gradient, hessian, strict=True):
        np.testing.assert_allclose(
            own, gradient_checking.numerical_gradient(minima_saddles.quartic_saddle, point), atol=1e-8
        )
        for row in range(2):
            found = gradient_checking.numerical_gradient(
                lambda p, row=row: minima_saddles.quartic_saddle_gradient(p)[:, row], point
            )
            np.testing.assert_allclose(curvature[row], found, atol=1e-8)
    assert minima_saddles.quartic_saddle(np.zeros(2)) == 0
    np.testing.assert_array_equal(minima_saddles.quartic_saddle(np.array([[0.0, 1.0], [0.0, -1.0]])), [-0.25, -0.25])


def escape(step, steps=200):
    path = minima_saddles.follow(step, np.array([1.0, 0.001]), steps)
    return path, int(np.argmax(np.abs(path[:, 1] - 1) < 0.01))


def test_escape_from_a_saddle():
    """From (1, 0.001): steps until y is within 0.01 of the minimum at 1."""
    gradient, hessian = minima_saddles.quartic_saddle_gradient, minima_saddles.quartic_saddle_hessian
    path, _ = escape(lambda p: conditioning.newton_step(gradient(p), hessian(p)))
    np.testing.assert_allclose(path[-1], [0, 0], atol=1e-12)  # Newton ends in the saddle
    _, taken = escape(lambda p: -0.1 * gradient(p))
    assert taken == pytest.approx(90, abs=2)
    path, taken = escape(lambda p: minima_saddles.saddle_free_newton_step(gradient(p), hessian(p)))
    assert taken == pytest.approx(18, abs=2)
    np.testing.assert_allclose(path[-1], [0, 1], atol=1e-12)
    stuck = minima_saddles.follow(lambda p: -0.1 * gradient(p), np.array([1.0, 0.0]), 500)
    assert (stuck[:, 1] == 0).all()  # exactly on the ridge, descent never leaves


def test_paths_of_runs_equal_single_ones():
    starts = gaussian(25, 2, 3, 2)

    def step(point):
        return -0.1 * minima_saddles.quartic_saddle_gradient(point)

    together = minima_saddles.follow(step, starts, 20)
    assert together.shape == (2, 3, 21, 2)
    for run in np.ndindex(2, 3):
        np.testing.assert_array_equal(together[run], minima_saddles.follow(step, starts[run], 20))


def test_double_well_and_its_gradient():
    x = gaussian(26, 9)
    found = gradient_checking.numerical_gradient(lambda p: minima_saddles.double_well(p, 1.7).sum(axis=1), x)
    np.testing.assert_allclose(minima_saddles.double_well_gradient(x, 1.7), found, atol=1e-7)
    np.testing.assert_array_equal(minima_saddles.double_well(np.array([-1.0, 0.0, 1.0]), 1.7), [0, 1.7, 0])


def well(barrier, noise, runs, steps, generator=None):
    return minima_saddles.escape_steps(
        lambda p: 4 * barrier * p * (p * p - 1),  # as double_well_gradient, without its checks in every step
        lambda p: p[..., 0] < 0,
        np.array([1.0]),
        np.random.default_rng(27) if generator is None else generator,
        learning_rate=0.02,
        noise=noise,
        steps=steps,
        runs=runs,
    )


def mean_passage(barrier, diffusion, edge=0.0):
    """The exact mean time of dx = -f' dt + (2 D)^(1/2) dW from 1 down to the edge, by its double integral."""
    x = np.linspace(edge, 3, 20_001)
    well = barrier * (x * x - 1) ** 2 / diffusion
    pieces = (np.exp(-well)[1:] + np.exp(-well)[:-1]) / 2 * np.diff(x)
    beyond = pieces.sum() - np.concatenate([[0], np.cumsum(pieces)])
    inside = x <= 1
    return np.trapezoid(np.exp(well[inside]) * beyond[inside], x[inside]) / diffusion


def test_the_law_is_the_limit_of_the_exact_time():
    ratios = [
        minima_saddles.kramers_steps(barrier, 0.01, math.sqrt(2 * 0.1 / 0.01)) * 0.01 / mean_passage(barrier, 0.1)
        for barrier in (0.5, 1.0, 2.0, 4.0)
    ]
    assert (np.diff(ratios) > 0).all()
    np.testing.assert_allclose(ratios, 1, atol=0.2)
    np.testing.assert_allclose(ratios[-1], 1, atol=0.02)


def test_the_exact_time_at_the_barriers_of_the_figure():
    """5 to 14% above the law, and 20 to 35% with the edge that a walk in steps must reach."""
    ratios = []
    for noise in (6.0, 6.0 / math.sqrt(2)):
        diffusion = 0.02 * noise**2 / 2
        for barrier in (0.5, 0.7, 0.9, 1.1):
            law = minima_saddles.kramers_steps(barrier, 0.02, noise) * 0.02
            edges = (0.0, -0.5826 * math.sqrt(2 * diffusion * 0.02))
            ratios.append([mean_passage(barrier, diffusion, edge) / law for edge in edges])
    np.testing.assert_allclose(np.min(ratios, axis=0), [1.05, 1.20], atol=0.005)
    np.testing.assert_allclose(np.max(ratios, axis=0), [1.14, 1.35], atol=0.005)


def test_escape_time_is_exponential_in_the_barrier():
    """h = 0.02, s^2 = 30, so D = 0.3; 200 runs a barrier, within 4 standard errors of the exact time.

    A walk in steps passes an edge before it is seen to: its edge lies 0.5826 of a step's deviation farther.
    """
    means = []
    for barrier in (0.9, 1.2, 1.5):
        taken = well(barrier, math.sqrt(30), (200,), 100_000)
        assert np.isfinite(taken).all()
        expected = mean_passage(barrier, 0.3, -0.5826 * math.sqrt(2 * 0.3 * 0.02)) / 0.02
        assert abs(taken.mean() - expected) < 4 * taken.std(ddof=1) / math.sqrt(200)
        assert taken.std() == pytest.approx(taken.mean(), rel=0.3)  # the times are exponentially distributed
        means.append(taken.mean())
    # From barrier 0.9 to 1.5 the prefactor falls by 0.6 and the exponential grows by e^(0.6 / 0.3).
    assert math.log(means[2] / 0.6 / means[0]) == pytest.approx(2, abs=0.35)


def test_without_noise_nothing_escapes():
    assert np.isinf(well(1.0, 0.0, (3,), 2000)).all()
    assert minima_saddles.kramers_steps(1.0, 0.1, 1e-3) == math.inf


def test_what_starts_outside_has_escaped():
    taken = minima_saddles.escape_steps(
        lambda p: p,
        lambda p: p[..., 0] < 2,
        np.ones(1),
        np.random.default_rng(0),
        learning_rate=0.1,
        noise=1.0,
        steps=5,
    )
    assert taken == 0


def test_steps_are_counted_from_the_first():
    """From 1 in steps of 1/4: 3/4, 1/2, 1/4; the third is below 0.3."""
    taken = minima_saddles.escape_steps(
        np.ones_like,
        lambda p: p[..., 0] < 0.3,
        np.ones(1),
        np.random.default_rng(0),
        learning_rate=0.25,
        noise=0.0,
        steps=3,
    )
    assert taken == 3


def test_each_run_escapes_with_its_own_noise():
    together = well(1.0, math.sqrt(30), (2, 3), 20_000)
    children = np.random.default_rng(27).spawn(6)
    alone = [well(1.0, math.sqrt(30), (), 20_000, child) for child in children]
    np.testing.assert_array_equal(together.reshape(-1), alone)
    assert len(set(alone)) == 6


def test_torch_probability():
    torch = pytest.importorskip("torch")
    from dlnotes.torch import minima_saddles as variant

    estimate = variant.goe_positive_probability(2, torch.Generator().manual_seed(0), samples=50_000)
    assert abs(estimate.probability - POSITIVE[2]) < 4 * estimate.standard_error


def test_probability_counts_as_many_matrices_as_were_asked_for():
    share, error = minima_saddles.goe_positive_probability(1, np.random.default_rng(0), samples=60_000)  # in two blocks
    assert abs(share - 0.5) < 4 * error


def test_critical_point_of_a_target_that_is_not_square_and_of_one_unit():
    target = np.random.default_rng(3).standard_normal((2, 5))
    for hidden in (1, 3):
        point = minima_saddles.linear_network_critical_point(target, [0], hidden)
        assert point.shape == (hidden * (5 + 2),)
        first, second = point[: hidden * 5].reshape(hidden, 5), point[hidden * 5 :].reshape(2, hidden)
        left, sizes, right = np.linalg.svd(target)
        np.testing.assert_allclose(second @ first, sizes[0] * np.outer(left[:, 0], right[0]), atol=1e-12)


def test_large_random_matrices_are_never_positive_definite():
    assert minima_saddles.goe_positive_probability(12, np.random.default_rng(0), samples=100).probability == 0
