from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlnotes.numpy import _krylov, activations, conditioning, gradient_checking, network, objective
from dlnotes.numpy import momentum as kernels

SMOOTH = ("identity", "sigmoid", "tanh", "elu", "selu", "softplus", "gelu", "silu")


def frozen(x):
    x = np.array(x)
    x.flags.writeable = False
    return x


def gaussian(seed, *shape, dtype=np.float64):
    return frozen(np.random.default_rng(seed).standard_normal(shape).astype(dtype))


def net(seed, sizes=(4, 5, 3), batch=7, loss="cross_entropy", runs=(), dtype=np.float64):
    """Parameters, inputs and targets of a small network."""
    generator = np.random.default_rng(seed)
    parameters = network.initialize(sizes, generator, runs=runs)
    parameters = {
        name: frozen((value + 0.1 * generator.standard_normal(value.shape)).astype(dtype))
        for name, value in parameters.items()
    }
    inputs = generator.standard_normal((*runs, batch, sizes[0])).astype(dtype)
    labels = generator.integers(0, sizes[-1], (*runs, batch))
    outputs = generator.standard_normal((*runs, batch, sizes[-1])).astype(dtype)
    return parameters, frozen(inputs), frozen(labels if loss == "cross_entropy" else outputs)


def gradient_of(parameters, inputs, targets, activation, loss):
    """The gradient as a function of the flat parameters."""
    losses = {
        "cross_entropy": objective.cross_entropy_with_gradient,
        "squared_error": lambda outputs, targets: (
            objective.squared_error(outputs, targets),
            objective.squared_error_backward(1.0, outputs, targets),
        ),
    }

    def gradient(flat):
        moved = conditioning.unflatten(flat, parameters)
        return conditioning.flatten(network.loss_and_gradient(moved, inputs, targets, activation, losses[loss])[1])

    return gradient


def differences(parameters, inputs, targets, activation, loss):
    """The Hessian by centered differences of the gradient."""
    gradient, flat = gradient_of(parameters, inputs, targets, activation, loss), conditioning.flatten(parameters)
    step = 1e-5
    rows = [(gradient(flat + step * e) - gradient(flat - step * e)) / (2 * step) for e in np.eye(flat.size)]
    return np.array(rows)


def symmetric(seed, size, *runs):
    matrix = np.random.default_rng(seed).standard_normal((*runs, size, size))
    return frozen((matrix + matrix.mT) / 2)


def with_spectrum(values, seed=0):
    """A symmetric matrix of given eigenvalues, as a product."""
    turn = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(values), len(values))))[0]
    matrix = (turn * values) @ turn.T
    return lambda vector: vector @ matrix.T, matrix


# Products with the Hessian


@pytest.mark.parametrize("loss", ["cross_entropy", "squared_error"])
@pytest.mark.parametrize("activation", SMOOTH)
def test_product_equals_differences_of_the_gradient(activation, loss):
    parameters, inputs, targets = net(0, sizes=(4, 5, 3, 3), loss=loss)
    product = conditioning.hessian_vector_product(parameters, inputs, targets, activation, loss)
    size = conditioning.flatten(parameters).size
    hessian = conditioning.dense_hessian(product, size)
    expected = differences(parameters, inputs, targets, activation, loss)
    np.testing.assert_allclose(hessian, expected, rtol=0, atol=2e-8 * np.abs(expected).max())


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_product_with_kinks_equals_differences_away_from_them(activation):
    parameters, inputs, targets = net(1)
    smallest = min(np.abs(z).min() for z in network.forward(parameters, inputs, activation)[1].preactivations[:-1])
    assert smallest > 1e-3  # no unit changes sides within the step of the differences
    product = conditioning.hessian_vector_product(parameters, inputs, targets, activation)
    hessian = conditioning.dense_hessian(product, conditioning.flatten(parameters).size)
    expected = differences(parameters, inputs, targets, activation, "cross_entropy")
    np.testing.assert_allclose(hessian, expected, rtol=0, atol=2e-8 * np.abs(expected).max())


@pytest.mark.parametrize("loss", ["cross_entropy", "squared_error"])
def test_gauss_newton_is_the_jacobian_twice_around_the_curvature_of_the_loss(loss):
    parameters, inputs, targets = net(2, sizes=(4, 5, 3, 3), loss=loss)
    flat, step = conditioning.flatten(parameters), 1e-6
    moved = [flat + sign * step * np.eye(flat.size) for sign in (1, -1)]
    ahead, behind = (network.forward(conditioning.unflatten(each, parameters), inputs, "tanh")[0] for each in moved)
    jacobian = (ahead - behind) / (2 * step)  # (parameter, example, output)
    logits = network.forward(parameters, inputs, "tanh")[0]
    p = objective.softmax(logits)
    curvature = p[:, :, None] * np.eye(3) - p[:, :, None] * p[:, None] if loss == "cross_entropy" else np.eye(3)[None]
    expected = np.einsum("iec,ecd,jed->ij", jacobian, np.broadcast_to(curvature, (len(inputs), 3, 3)), jacobian)
    product = conditioning.gauss_newton_vector_product(parameters, inputs, targets, "tanh", loss)
    found = conditioning.dense_hessian(product, flat.size)
    np.testing.assert_allclose(found, expected / len(inputs), rtol=0, atol=1e-8 * np.abs(found).max())
    assert np.linalg.eigvalsh(found)[0] > -1e-14


def test_gauss_newton_is_the_hessian_where_the_network_is_linear():
    parameters, inputs, targets = net(3, sizes=(4, 3))
    v = gaussian(0, 2, conditioning.flatten(parameters).size)
    products = (conditioning.gauss_newton_vector_product, conditioning.hessian_vector_product)
    found, hessian = (make(parameters, inputs, targets)(v) for make in products)
    np.testing.assert_allclose(found, hessian, rtol=1e-13)


def test_every_activation_has_a_second_derivative():
    assert activations.SECOND_DERIVATIVES.keys() == activations.ACTIVATIONS.keys() == {*SMOOTH, "relu", "leaky_relu"}


@pytest.mark.parametrize("sizes", [(4, 3), (4, 5, 3), (4, 6, 5, 3)])
def test_product_equals_autograd(sizes):
    torch = pytest.importorskip("torch")
    from dlnotes.torch import conditioning as variant

    parameters, inputs, labels = net(2, sizes)
    layers = [torch.nn.Linear(a, b) for a, b in itertools.pairwise(sizes)]
    parts = [part for layer in layers for part in (layer, torch.nn.Tanh())][:-1]
    module = torch.nn.Sequential(*parts).double()
    module.load_state_dict({name: torch.tensor(value) for name, value in parameters.items()})
    x, y = torch.tensor(inputs), torch.tensor(labels)
    oracle = variant.module_hessian_vector_product(module, lambda: torch.nn.functional.cross_entropy(module(x), y))
    product = conditioning.hessian_vector_product(parameters, inputs, labels, "tanh")
    vectors = gaussian(3, 2, 4, conditioning.flatten(parameters).size)
    np.testing.assert_allclose(product(vectors), oracle(torch.tensor(vectors)).numpy(), rtol=0, atol=1e-14)


@given(seed=st.integers(0, 10_000), scale=st.floats(-1e3, 1e3))
def test_product_is_linear_and_symmetric(seed, scale):
    product = conditioning.hessian_vector_product(*net(4), "tanh")
    a, b = gaussian(seed, 2, 43)
    np.testing.assert_allclose(
        product(scale * a + b), scale * product(a) + product(b), rtol=0, atol=1e-13 * (1 + abs(scale)) * 10
    )
    np.testing.assert_allclose(a @ product(b), b @ product(a), rtol=0, atol=1e-13)


def test_products_do_not_depend_on_those_before():
    product = conditioning.hessian_vector_product(*net(5), "tanh")
    a, b = gaussian(6, 2, 43)
    first = product(a)
    kept = first.copy()
    product(b)
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(product(a), kept)


def test_product_of_many_vectors_equals_one_by_one():
    product = conditioning.hessian_vector_product(*net(7), "tanh")
    vectors = gaussian(8, 3, 2, 43)
    together = product(vectors)
    for run in np.ndindex(3, 2):
        np.testing.assert_array_equal(together[run], product(vectors[run]))


def test_product_of_many_networks_equals_one_by_one():
    parameters, inputs, labels = net(9, runs=(2, 3))
    product = conditioning.hessian_vector_product(parameters, inputs, labels, "tanh")
    vectors = gaussian(10, 4, 2, 3, 43)
    together = product(vectors)
    for run in np.ndindex(2, 3):
        own = {name: value[run] for name, value in parameters.items()}
        alone = conditioning.hessian_vector_product(own, inputs[run], labels[run], "tanh")
        for number in range(4):
            np.testing.assert_array_equal(together[number][run], alone(vectors[number][run]))


def test_product_takes_a_vector_that_does_not_lie_in_a_row():
    product = conditioning.hessian_vector_product(*net(11), "tanh")
    columns = np.asfortranarray(gaussian(12, 5, 43))
    np.testing.assert_array_equal(product(columns), product(np.ascontiguousarray(columns)))
    np.testing.assert_array_equal(product(gaussian(13, 86)[::2]), product(gaussian(13, 86)[::2].copy()))


def test_product_in_single_precision():
    parameters, inputs, labels = net(14, sizes=(20, 30, 5), batch=40)
    vector = gaussian(15, conditioning.flatten(parameters).size)
    exact = conditioning.hessian_vector_product(parameters, inputs, labels, "tanh")(vector)
    single = {name: value.astype(np.float32) for name, value in parameters.items()}
    product = conditioning.hessian_vector_product(single, inputs.astype(np.float32), labels, "tanh")
    rounded = product(vector.astype(np.float32))
    assert rounded.dtype == np.float32
    np.testing.assert_allclose(rounded, exact, rtol=0, atol=3e-6 * np.abs(exact).max())


def test_vector_of_another_size_is_refused():
    parameters, inputs, labels = net(16, runs=(2,))
    product = conditioning.hessian_vector_product(parameters, inputs, labels, "tanh")
    for vector in (np.ones(43), np.ones((2, 42)), np.ones((3, 43))):
        with pytest.raises(ValueError, match="vector must be an array whose last axes are"):
            product(vector)


def test_flatten_and_unflatten_are_inverse():
    parameters, _, _ = net(17, runs=(2,))
    flat = conditioning.flatten(parameters, run_axes=1)
    assert flat.shape == (2, 43)
    back = conditioning.unflatten(flat, parameters, run_axes=1)
    assert list(back) == list(parameters)
    for name, value in parameters.items():
        np.testing.assert_array_equal(back[name], value)
        assert np.shares_memory(back[name], flat)
    wider = conditioning.unflatten(np.ones((7, 2, 43)), parameters, run_axes=1)
    assert wider["0.weight"].shape == (7, 2, 5, 4)


def test_hessian_of_a_linear_model_is_the_covariance_of_its_inputs():
    parameters, inputs, outputs = net(18, sizes=(4, 1), batch=50, loss="squared_error")
    product = conditioning.hessian_vector_product(parameters, inputs, outputs, "identity", "squared_error")
    rows = np.column_stack([inputs, np.ones(50)])
    np.testing.assert_allclose(conditioning.dense_hessian(product, 5), rows.T @ rows / 50, atol=1e-14)


# Condition numbers and Newton's step


def test_condition_numbers_of_known_matrices():
    assert conditioning.condition_number(np.diag([1.0, -100.0, 10.0])) == 100
    assert conditioning.condition_number(np.eye(3, dtype=np.float32)) == 1
    assert conditioning.condition_number(np.diag([1.0, 0.0])) == np.inf
    assert conditioning.condition_number(np.zeros((2, 2))) == np.inf
    for row in (np.ones(3), np.array([1.0, 2.0, 3.0])):  # not exactly 0 but for luck
        assert conditioning.condition_number(np.outer(row, row)) > 0.1 / np.finfo(np.float64).eps
    hessians = symmetric(0, 5, 2, 3)
    np.testing.assert_allclose(conditioning.condition_number(hessians), np.linalg.cond(hessians), rtol=1e-10)


def test_condition_number_of_a_small_network_from_products_alone():
    product = conditioning.hessian_vector_product(
        *net(19, sizes=(3, 2), batch=50, loss="squared_error"), "identity", "squared_error"
    )
    dense = conditioning.condition_number(conditioning.dense_hessian(product, 8))
    start = gaussian(20, 8)
    ends = [conditioning.top_eigenvalues(product, start, count=1, which=end).values for end in ("largest", "smallest")]
    np.testing.assert_allclose(ends[0] / ends[1], dense, rtol=1e-4)


def test_newton_ends_in_the_minimum_of_a_quadratic_at_once():
    matrix = symmetric(1, 6)
    hessian, minimum, point = matrix @ matrix.T + np.eye(6), gaussian(2, 6), gaussian(3, 6)
    step = conditioning.newton_step(hessian @ (point - minimum), hessian)
    np.testing.assert_allclose(point + step, minimum, atol=1e-12)


def test_newton_climbs_to_a_maximum():
    np.testing.assert_allclose(conditioning.newton_step(np.array([-3.0]), np.array([[-3.0]])), [-1.0])


def test_newton_with_damping_and_runs():
    hessians, gradients = symmetric(4, 4, 2, 3), gaussian(5, 2, 3, 4)
    steps = conditioning.newton_step(gradients, hessians, damping=7.0)
    for run in np.ndindex(2, 3):
        np.testing.assert_array_equal(steps[run], conditioning.newton_step(gradients[run], hessians[run], damping=7.0))
        np.testing.assert_allclose((hessians[run] + 7 * np.eye(4)) @ steps[run], -gradients[run], atol=1e-13)


def test_singular_hessian_is_refused():
    with pytest.raises(ValueError, match="hessian must be regular"):
        conditioning.newton_step(np.ones(2), np.zeros((2, 2)))
    np.testing.assert_array_equal(conditioning.newton_step(np.ones(2), np.zeros((2, 2)), damping=2.0), [-0.5, -0.5])


@pytest.mark.parametrize("scale", [1.0, 1e-150, 1e150])
def test_a_hessian_that_is_singular_up_to_rounding_is_refused(scale):
    """Its pivots are 1e-16 and not 0, so that elimination would give a step of 1e16."""
    row = np.array([0.1, 0.7, 0.3])
    singular = scale * (np.outer(row, row) + np.outer(row[::-1], row[::-1]))
    with pytest.raises(ValueError, match="got an eigenvalue that is 0 up to rounding"):
        conditioning.newton_step(np.ones(3), singular)
    regular = singular + scale * 1e-12 * np.eye(3)
    assert np.isfinite(conditioning.newton_step(np.ones(3), regular)).all()
    assert np.isfinite(conditioning.newton_step(np.ones(3), singular, damping=scale)).all()


# Lanczos


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lanczos_writes_the_matrix_in_its_basis(dtype):
    matrix = symmetric(6, 30).astype(dtype)
    diagonal, off_diagonal, basis = conditioning.lanczos(lambda v: v @ matrix.T, gaussian(7, 30, dtype=dtype), 12)
    assert diagonal.dtype == off_diagonal.dtype == basis.dtype == dtype
    unit = 30 * np.finfo(dtype).eps
    np.testing.assert_allclose(basis @ basis.T, np.eye(12), atol=unit)
    tridiagonal = np.diag(diagonal) + np.diag(off_diagonal[:-1], 1) + np.diag(off_diagonal[:-1], -1)
    np.testing.assert_allclose(basis @ matrix @ basis.T, tridiagonal, atol=10 * unit)
    rest = basis @ matrix - tridiagonal @ basis
    np.testing.assert_allclose(np.sqrt((rest * rest).sum(axis=1)), [0] * 11 + [off_diagonal[-1]], atol=10 * unit)


def test_all_steps_give_all_eigenvalues():
    matrix = symmetric(8, 20)
    diagonal, off_diagonal, _ = conditioning.lanczos(lambda v: v @ matrix.T, gaussian(9, 20), 20)
    tridiagonal = np.diag(diagonal) + np.diag(off_diagonal[:-1], 1) + np.diag(off_diagonal[:-1], -1)
    np.testing.assert_allclose(np.linalg.eigvalsh(tridiagonal), np.linalg.eigvalsh(matrix), atol=1e-12)


def ghosts(dtype, orthogonalize):
    """How many of 120 Ritz values lie at the top eigenvalue, and how far the basis is from orthonormal."""
    values = np.concatenate([np.linspace(0, 1, 400), [3.0, 4.0, 5.0]]).astype(dtype)
    diagonal, off_diagonal, basis = conditioning.lanczos(
        lambda v: v * values, gaussian(10, 403, dtype=dtype), 120, orthogonalize=orthogonalize
    )
    tridiagonal = np.diag(diagonal) + np.diag(off_diagonal[:-1], 1) + np.diag(off_diagonal[:-1], -1)
    found = np.linalg.eigvalsh(tridiagonal.astype(np.float64))
    return (np.abs(found - 5) < 1e-4).sum(), np.abs(basis @ basis.T - np.eye(120)).max()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_gram_schmidt_pass_keeps_ghosts_out(dtype):
    copies, error = ghosts(dtype, True)
    assert copies == 1
    assert error < 100 * np.finfo(dtype).eps
    copies, error = ghosts(dtype, False)
    assert copies > 5
    assert error > 0.5


@pytest.mark.parametrize("steps", [3, 8])
def test_breakdown_ends_in_zeros(steps):
    """Three different eigenvalues: the powers span three dimensions, whatever the size."""
    values = np.repeat([1.0, 2.0, 5.0], 4)
    diagonal, off_diagonal, basis = conditioning.lanczos(lambda v: v * values, gaussian(11, 12), steps)
    assert (off_diagonal[:2] > 0.1).all()
    assert (off_diagonal[2:] == 0).all()
    assert (diagonal[3:] == 0).all()
    assert (basis[3:] == 0).all()


def test_lanczos_of_runs_equals_single_ones():
    matrices, starts = symmetric(12, 15, 2, 3), gaussian(13, 2, 3, 15)
    together = conditioning.lanczos(lambda v: (matrices @ v[..., None])[..., 0], starts, 6)
    for run in np.ndindex(2, 3):
        alone = conditioning.lanczos(lambda v, own=matrices[run]: (own @ v[..., None])[..., 0], starts[run], 6)
        for one, all_runs in zip(alone, together, strict=True):
            np.testing.assert_array_equal(all_runs[run], one)


def test_a_product_may_give_back_its_argument():
    diagonal, off_diagonal, _ = conditioning.lanczos(lambda v: v, gaussian(14, 5), 3)
    np.testing.assert_allclose(diagonal, [1, 0, 0], atol=1e-14)
    np.testing.assert_array_equal(off_diagonal, [0, 0, 0])


# Extreme eigenvalues


@pytest.mark.parametrize(
    ("which", "order"), [("magnitude", lambda v: -np.abs(v)), ("largest", np.negative), ("smallest", np.positive)]
)
def test_top_eigenvalues_equal_the_dense_ones(which, order):
    matrix = symmetric(15, 60)
    values, vectors = np.linalg.eigh(matrix)
    chosen = np.argsort(order(values))[:4]
    found = conditioning.top_eigenvalues(
        lambda v: v @ matrix.T, gaussian(16, 60), count=4, which=which, tolerance=1e-10
    )
    np.testing.assert_allclose(found.values, values[chosen], rtol=1e-10)
    np.testing.assert_allclose(np.abs(np.sum(found.vectors * vectors.T[chosen], axis=1)), 1, atol=1e-6)
    assert (found.vectors @ gaussian(16, 60) > 0).all()  # none points away from the start
    exact = found.vectors @ matrix - found.values[:, None] * found.vectors
    np.testing.assert_allclose(np.sqrt((exact * exact).sum(axis=1)), found.residuals, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_top_eigenvalues_of_a_network_are_as_exact_as_asked(dtype):
    parameters, inputs, labels = net(21, sizes=(10, 12, 4), batch=60)
    dense = np.linalg.eigvalsh(
        conditioning.dense_hessian(conditioning.hessian_vector_product(parameters, inputs, labels, "tanh"), 184)
    )
    expected = dense[np.argsort(-np.abs(dense))[:5]]
    parameters = {name: value.astype(dtype) for name, value in parameters.items()}
    product = conditioning.hessian_vector_product(parameters, inputs.astype(dtype), labels, "tanh")
    found = conditioning.top_eigenvalues(product, gaussian(22, 184, dtype=dtype))
    assert found.values.dtype == found.vectors.dtype == dtype
    assert found.steps < 100
    np.testing.assert_allclose(found.values, expected, rtol=1e-5)


def test_search_ends_as_soon_as_the_eigenvalues_are_exact_enough():
    values = np.concatenate([np.linspace(0, 1, 500), [1.1, 1.2, 1.3, 1.4, 1.5]])
    start = gaussian(23, 505)
    rough, fine = (
        conditioning.top_eigenvalues(lambda v: v * values, start, tolerance=tolerance) for tolerance in (1e-3, 1e-10)
    )
    assert rough.steps < fine.steps < 80
    np.testing.assert_allclose(rough.values, values[:-6:-1], rtol=1e-3)
    np.testing.assert_allclose(fine.values, values[:-6:-1], rtol=1e-10)


def test_residuals_tell_of_a_search_that_was_cut_short():
    product, _ = with_spectrum(np.linspace(0, 1, 100))
    found = conditioning.top_eigenvalues(product, gaussian(24, 100), count=3, steps=6)
    assert found.steps == 6
    assert (found.residuals > 1e-3).all()


def test_an_eigenvalue_is_found_as_often_as_it_occurs_in_a_small_space():
    values = np.repeat([1.0, 2.0, 5.0], 4)
    for seed in range(40):
        found = conditioning.top_eigenvalues(lambda v: v * values, gaussian(seed, 12), count=5)
        np.testing.assert_allclose(found.values, [5, 5, 5, 5, 2], rtol=1e-12)
    nothing = conditioning.top_eigenvalues(lambda v: 0 * v, gaussian(26, 12), count=2)
    np.testing.assert_array_equal(nothing.values, [0, 0])


def test_what_is_not_found_before_the_steps_end_is_no_number():
    found = conditioning.top_eigenvalues(lambda v: 0 * v, gaussian(26, 12)[:1], count=1)
    np.testing.assert_array_equal(found.values, [0])
    values = np.array([3.0, 1e-20, 0.0])
    found = conditioning.top_eigenvalues(lambda v: v * values, np.array([1.0, 0.0, 0.0]), count=2, steps=2)
    assert found.values[0] == pytest.approx(3)


def misses(values, starts):
    """How many of the starts end with a wrong eigenvalue, and the products taken in the mean."""
    product, _ = with_spectrum(values, 9)
    truth = np.sort(np.abs(values))[:-6:-1]
    found = [conditioning.top_eigenvalues(product, gaussian(seed, values.size)) for seed in range(starts)]
    wrong = sum(not np.allclose(np.abs(one.values), truth, rtol=1e-5, atol=0) for one in found)
    return wrong, np.mean([one.steps for one in found])


def test_no_eigenvalue_is_missed_where_one_stands_beside_the_largest():
    """A gap of 1e-7 looks like one eigenvalue to one start vector: 260 of 400 starts missed it before the second."""
    bulk = np.random.default_rng(0).normal(0, 0.3, 394)
    wrong, taken = misses(np.concatenate([bulk, [2.0, 2.5, 3.0, 3.5, 4.0, 4 * (1 + 1e-7)]]), 60)
    assert wrong == 0
    assert taken < 40


def test_no_eigenvalue_is_missed_among_ten_outliers():
    bulk = np.random.default_rng(0).normal(0, 0.3, 390)
    wrong, taken = misses(np.concatenate([bulk, np.linspace(2, 5, 10)]), 60)
    assert wrong == 0
    assert taken < 50


SCALES = [(np.float32, 1e-30), (np.float32, 1e-23), (np.float32, 1e30), (np.float64, 1e-160), (np.float64, 1e160)]


@pytest.mark.parametrize(("dtype", "scale"), SCALES)
def test_nothing_depends_on_the_scale_of_the_hessian(dtype, scale):
    values, start = np.array([1.0, 2.0, 3.0], dtype), np.array([1.0, -1.0, 0.5], dtype)
    turn = np.linalg.qr(np.random.default_rng(3).standard_normal((3, 3)))[0]
    matrix = ((turn * values) @ turn.T).astype(dtype)
    matrix = (matrix + matrix.T) / 2
    scaled, digits = matrix * dtype(scale), 100 * np.finfo(dtype).eps

    def product(v):
        return v @ scaled

    for big in (1, scale):
        found = conditioning.top_eigenvalues(product, dtype(big) * start, count=3)
        np.testing.assert_allclose(found.values / dtype(scale), [3, 2, 1], rtol=digits)
        nodes, _ = conditioning.stochastic_lanczos_quadrature(product, dtype(big) * start[None], 3)
        np.testing.assert_allclose(nodes[0] / scale, [1, 2, 3], rtol=digits)
        solution, norms = conditioning.conjugate_gradient(lambda v: v @ matrix, dtype(big) * start, tolerance=1e-6)
        np.testing.assert_allclose(solution / dtype(big), np.linalg.solve(matrix, start), rtol=10 * digits)
        assert norms[0] / dtype(big) == pytest.approx(1.5, rel=1e-6)
    step = conditioning.newton_step(start, scaled) * dtype(scale)
    np.testing.assert_allclose(step, -np.linalg.solve(matrix, start), rtol=digits)
    density = conditioning.spectral_density(product, np.stack([start, -start]), steps=3)
    expected = conditioning.spectral_density(lambda v: v @ matrix, np.stack([start, -start]), steps=3)
    np.testing.assert_allclose(density.density * scale, expected.density, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("dtype", "scale"), SCALES)
def test_nothing_depends_on_the_scale_of_the_hessian_in_torch(dtype, scale):
    torch = pytest.importorskip("torch")
    from dlnotes.torch import conditioning as variant

    values, start = torch.tensor(np.array([1.0, 2.0, 3.0], dtype)), torch.tensor(np.array([1.0, -1.0, 0.5], dtype))
    for big in (1, scale):
        found = variant.top_eigenvalues(lambda v: v * (values * scale), big * start, count=3)
        np.testing.assert_allclose((found.values / scale).numpy(), [3, 2, 1], rtol=100 * np.finfo(dtype).eps)
        solution, _ = variant.conjugate_gradient(lambda v: v * values, big * start, tolerance=1e-6)
        np.testing.assert_allclose((solution / big).numpy(), (start / values).numpy(), rtol=1e-5)


def test_a_density_of_one_value_up_to_rounding_is_a_peak_and_no_spike():
    found = conditioning.spectral_density(lambda v: v * 0.1 * 3, gaussian(49, 2, 30), steps=10)
    assert found.grid[found.density.argmax()] == pytest.approx(0.3, abs=1e-2)
    assert found.density.max() < 1000
    tiny = conditioning.spectral_density(lambda v: v * 1e-23, gaussian(49, 2, 30), steps=1)
    assert tiny.grid[tiny.density.argmax()] == pytest.approx(1e-23, rel=1e-2)


def test_negative_eigenvalues_are_not_hidden_by_a_breakdown():
    found = conditioning.top_eigenvalues(lambda v: -3 * v, gaussian(27, 6), count=1, which="largest")
    np.testing.assert_allclose(found.values, [-3])


def test_top_eigenvalues_of_runs_equal_single_ones_to_the_tolerance():
    parameters, inputs, labels = net(28, runs=(3,))
    starts = gaussian(29, 3, 43)
    product = conditioning.hessian_vector_product(parameters, inputs, labels, "tanh")
    together = conditioning.top_eigenvalues(product, starts, count=2, tolerance=1e-9)
    for run in range(3):
        own = {name: value[run] for name, value in parameters.items()}
        alone = conditioning.hessian_vector_product(own, inputs[run], labels[run], "tanh")
        found = conditioning.top_eigenvalues(alone, starts[run], count=2, tolerance=1e-9)
        np.testing.assert_allclose(together.values[run], found.values, rtol=1e-9)


def test_top_eigenvalues_of_a_grid_of_runs():
    matrix = symmetric(44, 30, 2, 3)
    product = lambda v: (matrix @ v[..., None])[..., 0]  # noqa: E731
    found = conditioning.top_eigenvalues(product, gaussian(45, 2, 3, 30), count=2, which="largest", tolerance=1e-9)
    np.testing.assert_allclose(found.values, np.linalg.eigvalsh(matrix)[..., :-3:-1], rtol=1e-8)


# Spectral density


def test_the_mean_over_starts_is_that_of_the_spectrum_for_signs_and_not_for_skew_entries():
    matrix, means = np.array([[1.0, 0.9], [0.9, 1.0]]), []
    for entries, chances in (((1.0, -1.0), (1 / 2, 1 / 2)), ((2.0, -1.0), (1 / 3, 2 / 3))):
        starts = np.array(list(itertools.product(entries, repeat=2)))
        shares = np.prod(list(itertools.product(chances, repeat=2)), axis=1)
        nodes, weights = conditioning.stochastic_lanczos_quadrature(lambda v: v @ matrix, starts, 2)
        means.append(shares @ (nodes * weights).sum(-1))
    assert means == pytest.approx([1, 1.18])


def test_quadrature_is_exact_for_polynomials():
    product, matrix = with_spectrum(np.linspace(-1, 2, 40))
    starts = gaussian(30, 3, 40)
    nodes, weights = conditioning.stochastic_lanczos_quadrature(product, starts, 6)
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-14)
    vectors = starts / np.sqrt((starts * starts).sum(axis=1, keepdims=True))
    power = vectors.copy()
    for degree in range(1, 12):
        power = power @ matrix
        np.testing.assert_allclose((weights * nodes**degree).sum(axis=-1), (power * vectors).sum(axis=-1), atol=1e-12)
    power = power @ matrix @ matrix @ matrix
    assert (np.abs((weights * nodes**14).sum(axis=-1) - (power * vectors).sum(axis=-1)) > 1e-6).all()


def test_density_equals_the_smoothed_exact_spectrum():
    """40 probes in 300 dimensions: the mean over probes is within 4 standard errors of the smoothed eigenvalues."""
    generator = np.random.default_rng(31)
    values = np.concatenate([generator.normal(0, 1, 290), generator.uniform(5, 8, 10)])
    starts = conditioning.rademacher((40, 300), generator)
    turned, _ = with_spectrum(values)
    found = conditioning.spectral_density(turned, starts, steps=60, width=0.3)
    curve = np.exp(-0.5 * ((found.grid[:, None] - values) / 0.3) ** 2).mean(axis=1) / (0.3 * math.sqrt(2 * math.pi))
    bumps = np.exp(-0.5 * ((found.grid[:, None, None] - found.nodes) / 0.3) ** 2) / (0.3 * math.sqrt(2 * math.pi))
    curves = (bumps * found.weights).sum(axis=-1).T
    np.testing.assert_allclose(curves.mean(axis=0), found.density, rtol=1e-10, atol=1e-12)
    error = np.std(curves, axis=0, ddof=1) / math.sqrt(40)
    assert (np.abs(found.density - curve) < 4 * error + 1e-3).mean() > 0.97
    assert np.abs(found.density - curve).max() < 0.05 * curve.max()
    assert found.density[found.grid > 4.5].max() > 0.01  # the bulk outside is seen
    assert np.trapezoid(found.density, found.grid) == pytest.approx(1, abs=1e-5)


def test_mean_of_the_nodes_is_the_trace():
    product = conditioning.hessian_vector_product(*net(32), "tanh")
    hessian = conditioning.dense_hessian(product, 43)
    starts = conditioning.rademacher((100, 43), np.random.default_rng(33))
    found = conditioning.spectral_density(product, starts, steps=43)
    traces = 43 * (found.nodes * found.weights).sum(axis=-1)
    assert abs(traces.mean() - np.trace(hessian)) < 4 * traces.std(ddof=1) / 10


def test_density_after_a_breakdown_is_that_of_the_eigenvalues():
    found = conditioning.spectral_density(lambda v: 3 * v, np.ones((2, 8)), steps=5)
    assert found.grid[found.density.argmax()] == pytest.approx(3, abs=1e-2)
    assert np.trapezoid(found.density, found.grid) == pytest.approx(1, abs=1e-4)
    assert found.grid.min() > 2.5


def test_density_of_runs_equals_single_ones():
    matrices, starts = symmetric(34, 10, 2), gaussian(35, 2, 3, 10)
    together = conditioning.spectral_density(lambda v: v @ matrices, starts, steps=5, width=0.2)
    for run in range(2):
        alone = conditioning.spectral_density(lambda v, own=matrices[run]: v @ own, starts[run], steps=5, width=0.2)
        np.testing.assert_array_equal(together.nodes[run], alone.nodes)
        np.testing.assert_array_equal(together.weights[run], alone.weights)


@pytest.mark.usefixtures("unchecked")
def test_signs_need_a_generator():
    with pytest.raises(TypeError, match="generator must be a numpy Generator"):
        conditioning.rademacher((3,), 0)


def test_signs_are_fair_and_belong_to_their_run():
    signs = conditioning.rademacher((100, 100), np.random.default_rng(36), runs=(2,), dtype=np.float32)
    assert signs.dtype == np.float32
    assert set(np.unique(signs)) == {-1, 1}
    assert abs(signs.mean()) < 4 / math.sqrt(signs.size)
    children = np.random.default_rng(36).spawn(2)
    for run in range(2):
        np.testing.assert_array_equal(signs[run], conditioning.rademacher((100, 100), children[run], dtype=np.float32))


# Conjugate gradients


def positive(seed, size, *runs):
    matrix = symmetric(seed, size, *runs)
    return matrix @ matrix.mT + np.eye(size)


def test_conjugate_gradient_solves_and_ends_after_as_many_steps_as_there_are_eigenvalues():
    product, matrix = with_spectrum(np.repeat([1.0, 3.0, 10.0, 50.0], 10))
    right_side = gaussian(37, 40)
    solution, norms = conditioning.conjugate_gradient(product, right_side, tolerance=1e-10)
    np.testing.assert_allclose(matrix @ solution, right_side, atol=1e-8)
    assert len(norms) == 5
    assert norms[-1] <= 1e-10 * norms[0]
    assert norms[0] == pytest.approx(math.sqrt(right_side @ right_side))


def test_conjugate_gradient_stays_below_its_bound():
    """In the norm of H the error falls by 2 ((k^(1/2) - 1) / (k^(1/2) + 1))^t, Newton's answer at the end."""
    product, matrix = with_spectrum(np.geomspace(1, 100, 60))
    right_side = gaussian(38, 60)
    exact = np.linalg.solve(matrix, right_side)
    first = exact @ matrix @ exact
    for steps in (1, 5, 10, 20):
        error = exact - conditioning.conjugate_gradient(product, right_side, steps=steps).solution
        assert error @ matrix @ error <= (2 * (9 / 11) ** steps) ** 2 * first
    step = conditioning.newton_step(-right_side, (matrix + matrix.T) / 2)
    solution = conditioning.conjugate_gradient(product, right_side, tolerance=1e-12, steps=200).solution
    np.testing.assert_allclose(solution, step, rtol=0, atol=1e-9)


def test_conjugate_gradient_of_runs_equals_single_ones():
    matrices, right_sides = positive(39, 8, 3), gaussian(40, 3, 8)
    together = conditioning.conjugate_gradient(lambda v: (matrices @ v[..., None])[..., 0], right_sides, steps=30)
    for run in range(3):
        alone = conditioning.conjugate_gradient(
            lambda v, own=matrices[run]: (own @ v[..., None])[..., 0], right_sides[run], steps=30
        )
        np.testing.assert_array_equal(together.solution[run], alone.solution)
        taken = len(alone.residual_norms)
        np.testing.assert_array_equal(together.residual_norms[run, :taken], alone.residual_norms)


def test_a_run_that_is_done_waits_for_the_others():
    matrices = np.stack([np.eye(8), positive(39, 8), np.eye(8)])
    right_sides = gaussian(40, 3, 8) * np.array([[1.0], [1.0], [0.0]])
    found = conditioning.conjugate_gradient(lambda v: (matrices @ v[..., None])[..., 0], right_sides, steps=30)
    np.testing.assert_array_equal(found.solution[0], right_sides[0])
    np.testing.assert_array_equal(found.solution[2], 0)
    np.testing.assert_array_equal(found.residual_norms[0, 1:], 0)
    np.testing.assert_allclose(matrices[1] @ found.solution[1], right_sides[1], atol=1e-7)


def uneven():
    """Curvatures that differ little, and others that differ much: the first run is done in a few steps of some 8."""
    curvatures = np.stack([np.linspace(1, 1.3, 8), np.geomspace(1, 1e4, 8)])
    return frozen(curvatures), gaussian(54, 2, 8)


def test_a_run_that_is_done_before_the_others_stays_where_it_is():
    curvatures, right_sides = uneven()
    together = conditioning.conjugate_gradient(lambda v: curvatures * v, right_sides, tolerance=1e-2)
    alone = conditioning.conjugate_gradient(lambda v: curvatures[0] * v, right_sides[0], tolerance=1e-2)
    taken = alone.residual_norms.size
    assert taken + 3 < together.residual_norms.shape[-1]
    assert alone.residual_norms[-1] > 1e-4  # done by the tolerance and not to rounding
    np.testing.assert_array_equal(together.solution[0], alone.solution)
    np.testing.assert_array_equal(together.residual_norms[0, taken:], alone.residual_norms[-1])


def test_a_run_that_is_done_before_the_others_stays_where_it_is_in_torch():
    torch = pytest.importorskip("torch")
    from dlnotes.torch import conditioning as variant

    curvatures, right_sides = (torch.tensor(np.array(value)) for value in uneven())
    together = variant.conjugate_gradient(lambda v: curvatures * v, right_sides, tolerance=1e-2)
    alone = variant.conjugate_gradient(lambda v: curvatures[0] * v, right_sides[0], tolerance=1e-2)
    taken = alone.residual_norms.numel()
    assert taken + 3 < together.residual_norms.shape[-1]
    assert alone.residual_norms[-1] > 1e-4
    torch.testing.assert_close(together.solution[0], alone.solution, rtol=1e-14, atol=0)
    assert (together.residual_norms[0, taken:] == together.residual_norms[0, -1]).all()


def test_conjugate_gradient_of_nothing_is_nothing():
    solution, norms = conditioning.conjugate_gradient(lambda v: v, np.zeros(4))
    np.testing.assert_array_equal(solution, np.zeros(4))
    np.testing.assert_array_equal(norms, [0.0])


def test_conjugate_gradient_refuses_negative_curvature():
    with pytest.raises(ValueError, match="product must be positive definite"):
        conditioning.conjugate_gradient(lambda v: v * np.array([1.0, -1.0]), np.array([1.0, 2.0]))


# Quadratics


@pytest.mark.parametrize(("rate", "momentum"), [(0.6, 0.0), (0.6, 0.25), (0.3, 0.9), (0.45, 0.1)])
def test_a_path_shrinks_at_the_rate(rate, momentum):
    values = frozen([0.2, 1.3, 4.0])
    path = conditioning.descend_quadratic(values, np.ones(3), rate, 4000 if momentum == 0.9 else 400, momentum=momentum)
    lengths = np.sqrt((path * path).sum(axis=-1))
    measured = (lengths[300] / lengths[100]) ** (1 / 200)
    assert measured == pytest.approx(float(kernels.contraction(values, rate, momentum).max()), rel=0.02)


def test_a_path_of_descent_has_a_closed_form():
    values, start = frozen([0.2, 4.0]), frozen([1.0, -2.0])
    path = conditioning.descend_quadratic(values, start, 0.3, 20)
    expected = (1 - 0.3 * values) ** np.arange(21)[:, None] * start
    np.testing.assert_allclose(path, expected, rtol=1e-12)


def test_paths_of_runs_equal_single_ones():
    values, start = np.tile([0.2, 4.0], (3, 1)), gaussian(41, 3, 2)
    rates, inertia = np.array([0.1, 0.2, 0.3]), np.array([0.0, 0.5, 0.9])
    together = conditioning.descend_quadratic(values, start, rates, 30, momentum=inertia)
    assert together.shape == (3, 31, 2)
    for run in range(3):
        alone = conditioning.descend_quadratic(
            values[run], start[run], float(rates[run]), 30, momentum=float(inertia[run])
        )
        np.testing.assert_array_equal(together[run], alone)


def test_steps_to_a_tolerance():
    assert conditioning.steps_to_tolerance(0.5, 1 / 1024) == pytest.approx(10)
    assert conditioning.steps_to_tolerance(1.0, 0.1) == math.inf
    assert conditioning.steps_to_tolerance(0.0, 0.1) == 0
    # For large condition numbers descent takes k/2 and momentum k^(1/2)/2 steps for each factor e.
    plain = float(kernels.contraction(np.array([1.0, 1e6]), 2 / (1 + 1e6)).max())
    heavy = kernels.best_momentum(1.0, 1e6).contraction
    assert conditioning.steps_to_tolerance(plain, math.exp(-1)) == pytest.approx(1e6 / 2, rel=1e-3)
    assert conditioning.steps_to_tolerance(heavy, math.exp(-1)) == pytest.approx(1e3 / 2, rel=1e-3)


def test_gradient_and_hessian_agree_with_numerical_gradients():
    """The product is the derivative of g . v, checked without any gradient code of ours: from the loss alone."""
    parameters, inputs, labels = net(42)
    flat, vector = conditioning.flatten(parameters), gaussian(43, 43)
    gradient = gradient_of(parameters, inputs, labels, "tanh", "cross_entropy")

    def directional(points):
        return np.array([gradient(point) @ vector for point in points])

    expected = gradient_checking.numerical_gradient(directional, flat)
    product = conditioning.hessian_vector_product(parameters, inputs, labels, "tanh")
    assert gradient_checking.relative_error(product(vector), expected) < 1e-8


# The torch variant's own


@pytest.mark.parametrize("orthogonalize", [True, False])
def test_torch_keeps_ghosts_out_too(orthogonalize):
    torch = pytest.importorskip("torch")
    from dlnotes.torch import conditioning as variant

    values = torch.cat([torch.linspace(0, 1, 400), torch.tensor([3.0, 4.0, 5.0])])
    start = torch.tensor(gaussian(10, 403, dtype=np.float32))
    diagonal, off_diagonal, _ = variant.lanczos(lambda v: v * values, start, 120, orthogonalize=orthogonalize)
    tridiagonal = torch.diag(diagonal) + torch.diag(off_diagonal[:-1], 1) + torch.diag(off_diagonal[:-1], -1)
    copies = ((torch.linalg.eigvalsh(tridiagonal.double()) - 5).abs() < 1e-4).sum()
    assert copies == 1 if orthogonalize else copies > 5


def test_module_product_of_a_convolutional_network():
    torch = pytest.importorskip("torch")
    from dlnotes.torch import conditioning as variant

    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3), torch.nn.Softplus(), torch.nn.Flatten(), torch.nn.Linear(32, 3)
    ).double()
    x, y = torch.randn(5, 1, 6, 6, dtype=torch.float64), torch.randint(0, 3, (5,))
    product = variant.module_hessian_vector_product(module, lambda: torch.nn.functional.cross_entropy(module(x), y))
    parameters = {name: value.detach() for name, value in module.named_parameters()}
    size = variant.flatten(parameters).numel()
    hessian = variant.dense_hessian(product, size)

    def loss(flat):
        moved = variant.unflatten(flat, parameters)
        return torch.nn.functional.cross_entropy(torch.func.functional_call(module, moved, (x,)), y)

    torch.testing.assert_close(
        hessian, torch.autograd.functional.hessian(loss, variant.flatten(parameters)), rtol=0, atol=1e-13
    )
    found = variant.top_eigenvalues(product, torch.randn(size, dtype=torch.float64), count=2, tolerance=1e-9)
    exact = torch.linalg.eigvalsh(hessian)
    torch.testing.assert_close(found.values, exact[exact.abs().argsort(descending=True)[:2]], rtol=1e-8, atol=0)


def test_module_product_where_a_parameter_enters_linearly_or_not_at_all():
    torch = pytest.importorskip("torch")
    from dlnotes.torch import conditioning as variant

    class Odd(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.curved, self.straight, self.unused = (torch.nn.Parameter(torch.ones(1)) for _ in range(3))

    module = Odd()
    product = variant.module_hessian_vector_product(module, lambda: (module.curved**3 + module.straight).sum())
    torch.testing.assert_close(product(torch.ones(2, 3)), torch.tensor([[6.0, 0.0, 0.0]] * 2))
    flat = variant.module_hessian_vector_product(module, lambda: module.straight.sum())
    torch.testing.assert_close(flat(torch.ones(3)), torch.zeros(3))


@pytest.mark.usefixtures("unchecked")
def test_module_product_names_what_is_wrong():
    torch = pytest.importorskip("torch")
    from dlnotes.torch import conditioning as variant

    module = torch.nn.Linear(2, 1)
    with pytest.raises(TypeError, match=r"module must be a torch.nn.Module, got"):
        variant.module_hessian_vector_product(lambda x: x, lambda: torch.ones(()))
    with pytest.raises(ValueError, match=r"loss\(\) must be an array of 0 axes, got"):
        variant.module_hessian_vector_product(module, lambda: module(torch.ones(3, 2)))
    with pytest.raises(ValueError, match="parameters of module that require a gradient"):
        variant.module_hessian_vector_product(torch.nn.Tanh(), lambda: torch.ones(()))


def test_torch_signs_are_fair():
    torch = pytest.importorskip("torch")
    from dlnotes.torch import conditioning as variant

    signs = variant.rademacher((100, 100), torch.Generator().manual_seed(0), runs=(2,), dtype=torch.float32)
    assert signs.shape == (2, 100, 100)
    assert signs.dtype == torch.float32
    assert signs.unique().tolist() == [-1, 1]
    assert abs(signs.mean()) < 4 / math.sqrt(signs.numel())


@pytest.mark.cuda
def test_products_and_lanczos_never_make_the_host_wait():
    import torch

    from dlnotes.torch import conditioning as variant

    parameters, inputs, labels = net(44)
    parameters = {name: torch.tensor(value, device="cuda") for name, value in parameters.items()}
    inputs, labels = torch.tensor(inputs, device="cuda"), torch.tensor(labels, device="cuda")
    product = variant.hessian_vector_product(parameters, inputs, labels, "tanh")
    start = torch.ones(43, device="cuda", dtype=torch.float64)
    variant.lanczos(product, start, 3)  # the libraries may wait while they start
    torch.cuda.set_sync_debug_mode("error")
    try:
        found = variant.lanczos(product, start, 20)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert found.basis.is_cuda


def test_eigenvalues_of_a_million_parameters_keep_their_digits_in_single_precision():
    """Sums over a million products in float32 would leave errors above 1e-5."""
    size = 1_000_003
    diagonal = np.random.default_rng(0).uniform(-1, 1, size).astype(np.float32)
    diagonal[:3] = 30, -20, 10
    start = np.random.default_rng(1).standard_normal(size).astype(np.float32)
    found = conditioning.top_eigenvalues(lambda vector: vector * diagonal, start, count=3, steps=40)
    np.testing.assert_allclose(found.values, [30, -20, 10], rtol=1e-5)


def test_an_eigenvalue_that_the_start_nearly_lacks_is_not_passed_over():
    diagonal = np.concatenate([[10.0, 5.0], np.linspace(-1, 1, 198)])
    start = np.ones(200)
    start[0] = 1e-6
    found = conditioning.top_eigenvalues(lambda vector: vector * diagonal, start, count=1)
    np.testing.assert_allclose(found.values, [10], rtol=1e-5)
    assert found.values.shape == found.residuals.shape == (1,)
    assert found.vectors.shape == (1, 200)


def test_close_eigenvalues_are_told_apart():
    values = np.concatenate([np.linspace(-1, 0.9, 58), [0.999, 1.0]])
    product, _ = with_spectrum(values)
    found = conditioning.top_eigenvalues(product, gaussian(46, 60), count=2, which="largest", tolerance=1e-9)
    np.testing.assert_allclose(found.values, [1.0, 0.999], rtol=1e-8)


def test_torch_product_of_a_deep_network_equals_the_reference():
    torch = pytest.importorskip("torch")
    from dlnotes.torch import conditioning as variant

    parameters, inputs, labels = net(47, sizes=(4, 6, 5, 4, 3))
    ours = conditioning.hessian_vector_product(parameters, inputs, labels, "tanh")
    tensors = {name: torch.tensor(np.array(value)) for name, value in parameters.items()}
    theirs = variant.hessian_vector_product(
        tensors, torch.tensor(np.array(inputs)), torch.tensor(np.array(labels)), "tanh"
    )
    vector = gaussian(48, sum(value.size for value in parameters.values()))
    np.testing.assert_allclose(theirs(torch.tensor(np.array(vector))).numpy(), ours(vector), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("runs", [(), (2, 3)])
def test_a_long_vector_is_worked_on_in_pieces_as_one_is(runs, monkeypatch):
    matrix, start = symmetric(50, 40, *runs), gaussian(51, *runs, 40)
    product = lambda v: (matrix @ v[..., None])[..., 0]  # noqa: E731
    whole = conditioning.top_eigenvalues(product, start, count=3, tolerance=1e-9)
    monkeypatch.setattr(_krylov, "_PIECE", 7)
    pieces = conditioning.top_eigenvalues(product, start, count=3, tolerance=1e-9)
    assert pieces.steps == whole.steps
    np.testing.assert_allclose(pieces.values, whole.values, rtol=1e-12)
    np.testing.assert_allclose(pieces.vectors, whole.vectors, rtol=0, atol=1e-6)


def test_another_start_is_the_same_in_both_backends():
    torch = pytest.importorskip("torch")
    from dlnotes.torch import _krylov as variant

    start = gaussian(52, 2, 1000)
    for number in (1, 5, 2**40 + 3):  # places beyond 32 bits too
        there = variant.another(torch.tensor(np.array(start)), number).numpy()
        np.testing.assert_allclose(_krylov.another(start, number), there, rtol=1e-13)


def test_the_bound_of_a_ritz_value_divides_by_the_gap_to_the_next():
    """By hand: the matrix ((0, 1), (1, 0)) has the values 1 and -1, so a gap of 2, and last entries of 1 / sqrt(2)."""
    space = _krylov.Space(lambda v: np.array([[0.0, 1.0], [1.0, 0.0]]) @ v, np.array([1.0, 0.0]), 2)
    space.step()
    space.step()
    space.length = np.array(0.1)
    values, _, residuals, errors = conditioning._wanted(space, 2, "largest")
    np.testing.assert_allclose(values, [1, -1])
    np.testing.assert_allclose(residuals, 0.1 / math.sqrt(2))
    np.testing.assert_allclose(errors, 0.1**2 / 2 / 2)
