"""What the numbers of the figures on conditioning must satisfy; those of whole experiments come from the cache."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

from dlnotes.book import drawing, layout
from dlnotes.figures import conditioning as quadratics
from dlnotes.figures import conditioning_networks as networks
from dlnotes.numpy import conditioning, initialization, minibatch, network, objective, training

# Arguments under which each function of numbers takes a moment only.
SMALL = {
    "steps": {"size": 16, "points": 5, "draws": 20},
    "modes": {"last": 5, "points": 5},
    "spectrum": {"width": 3, "examples": 20, "products": 10, "probes": 2, "steps": 5},
    "growth": {"width": 4, "examples": 20, "steps": 10, "every": 5, "seeds": 2},
    "edge": {"width": 4, "examples": 20, "steps": 20, "every": 10},
}


@functools.cache
def numbers(name: str) -> tuple:
    """The numbers of a figure as the book shows it."""
    return drawing.numbers(layout.find(), drawing.Figure("conditioning", name))


# --- steps against the condition number


def test_descent_momentum_and_newton_take_the_steps_that_theory_says() -> None:
    shown = numbers("steps")
    assert np.array_equal(shown.fixed[:2], np.ceil(shown.theory[:2] - 1e-9))
    assert np.array_equal(shown.fixed[2], np.ones(len(shown.kappas)))
    kappas = shown.kappas
    np.testing.assert_allclose(shown.theory[0], math.log(1e-6) / np.log((kappas - 1) / (kappas + 1)), rtol=1e-12)
    roots = (np.sqrt(kappas) - 1) / (np.sqrt(kappas) + 1)
    left = (1 + (1 + roots) * shown.theory[1]) * roots ** shown.theory[1]
    np.testing.assert_allclose(left, 1e-6, rtol=1e-9)


def test_conjugate_gradients_stay_below_their_bound() -> None:
    shown = numbers("steps")
    # For the gradient the bound of the loss has the root of kappa besides.
    roots = (np.sqrt(shown.kappas) - 1) / (np.sqrt(shown.kappas) + 1)
    bound = np.log(2 * np.sqrt(shown.kappas) / 1e-6) / -np.log(roots)
    np.testing.assert_allclose(shown.theory[3], bound, rtol=1e-12)
    share = shown.conjugate[1] / bound
    assert np.all(share > 0.6)
    assert np.all(shown.conjugate[2] <= np.ceil(bound))


def test_slopes_are_one_and_a_half() -> None:
    shown = numbers("steps")
    far = np.log(shown.kappas[-1] / shown.kappas[-4])
    slopes = [np.log(row[-1] / row[-4]) / far for row in (*shown.fixed, shown.conjugate[1])]
    assert slopes == pytest.approx([1, 0.53, 0, 0.45], abs=0.02)
    assert shown.fixed[:, -1].tolist() == [6908, 321, 1]
    assert shown.conjugate[1, -1] == pytest.approx(189, abs=1.5)


# --- each direction has its own factor


def test_distances_in_a_rotated_space_follow_the_closed_form() -> None:
    shown = numbers("modes")
    np.testing.assert_allclose(shown.distances, shown.theory, rtol=1e-6, atol=2e-12)
    rates = quadratics.RATES
    assert rates[1] == pytest.approx(2 / 11)
    assert np.all(np.abs(1 - rates[:2, None] * quadratics.EIGENVALUES) < 1)
    assert abs(1 - rates[2] * 10) == pytest.approx(1.05)
    at_ends = np.abs(1 - rates[1] * quadratics.EIGENVALUES[[0, 2]])
    assert at_ends == pytest.approx([9 / 11, 9 / 11])


# --- what the derivation says of single starts


def test_the_gradient_may_be_short_long_before_the_distance_is() -> None:
    curvatures = np.array([1.0, 100.0])
    path = conditioning.descend_quadratic(curvatures, np.ones(2), 0.01, 500)
    distances, lengths = np.linalg.norm(path, axis=-1), np.linalg.norm(path * curvatures, axis=-1)
    assert int(np.argmax(lengths < 0.01 * lengths[0])) == 1
    assert int(np.argmax(distances < 0.01 * distances[0])) == 424


def test_momentum_keeps_below_its_double_root_over_the_whole_interval() -> None:
    kappa, steps = 100.0, np.arange(301)
    root = (math.sqrt(kappa) - 1) / (math.sqrt(kappa) + 1)
    curvatures = np.linspace(1, kappa, 500)
    rate = 4 / (math.sqrt(kappa) + 1) ** 2
    path = np.abs(conditioning.descend_quadratic(curvatures, np.ones(500), rate, 300, momentum=root**2))
    bound = (1 + (1 + root) * steps) * root**steps
    assert np.all(path <= bound[:, None] * (1 + 1e-9))
    np.testing.assert_allclose(path[:, -1], bound, rtol=1e-9)


def test_a_gradient_grows_under_momentum_and_where_another_direction_bends_down() -> None:
    curvatures = np.array([100.0, 1.0])
    path = conditioning.descend_quadratic(curvatures, np.array([0.01, 1.0]), 4 / 121, 4, momentum=81 / 121)
    losses, lengths = (curvatures * path**2).sum(-1) / 2, np.linalg.norm(curvatures * path, axis=-1)
    assert losses[[0, 4]] == pytest.approx([0.505, 0.368], abs=5e-4)
    assert np.all(np.diff(losses) < 0)
    assert lengths[[0, 4]] == pytest.approx([1.41, 3.79], abs=0.006)
    eigenvalues, gradient = np.array([1.0, -0.5]), np.array([math.sqrt(0.6), 1.0])
    assert (eigenvalues * gradient**2).sum() / (gradient**2).sum() == pytest.approx(0.0625)
    assert np.linalg.norm((1 - eigenvalues) * gradient) == pytest.approx(1.5)


# --- the spectrum of a network


def test_products_with_random_vectors_give_the_exact_density() -> None:
    shown = numbers("spectrum")
    for state in range(2):
        off = np.abs(shown.estimated[state] - shown.exact[state]).max()
        assert off < 0.02 * shown.exact[state].max()
        assert np.trapezoid(shown.estimated[state], shown.grid[state]) == pytest.approx(1, abs=1e-3)
        seen = shown.exact[state] > shown.floor[state, 0] / 2.5  # what the axis shows, four decades
        ratio = np.abs(np.log(shown.estimated[state, seen] / shown.exact[state, seen]))
        assert np.mean(ratio < np.log(1.5)) > 7 / 8
        assert ratio.max() < np.log(2.3)


def test_the_exact_spectrum_is_what_the_page_says() -> None:
    x, y = networks.digits(200)
    values = np.stack(
        [
            networks.eigenvalues_of(conditioning.hessian_vector_product(p, x, y, "tanh"), 910)
            for p in networks.states(12, 200, 100, np.random.default_rng(0))
        ]
    )
    scale = values[:, -1:]
    np.testing.assert_allclose(numbers("spectrum").largest, values[:, :-21:-1], rtol=1e-9)
    constant = int((x.std(0) < 1e-12).sum())
    assert constant == 11
    assert (np.abs(values[0]) < 1e-9 * scale[0]).sum() == 1 + 12 + 12 * constant
    assert (values < -1e-9 * scale).sum(1).tolist() == [337, 83]
    assert values[0, [0, -1]] == pytest.approx([-1.36, 1.74], abs=0.01)
    assert values[1, -1] == pytest.approx(0.19, abs=0.005)
    assert (np.abs(values[1]) < 0.01 * scale[1]).mean() == pytest.approx(0.71, abs=0.01)


def test_a_common_shift_of_the_scores_and_a_constant_pixel_are_directions_without_curvature() -> None:
    x, y = networks.digits(60)
    parameters = network.initialize([64, 5, 10], np.random.default_rng(1), initialization.lecun_normal)
    product = conditioning.hessian_vector_product(parameters, x, y, "tanh")
    zeros = {name: np.zeros_like(value) for name, value in parameters.items()}
    shifts = [zeros | {"2.bias": np.ones(10)}]
    weight = np.zeros((10, 5))
    weight[:, 3] = 1
    shifts.append(zeros | {"2.weight": weight})
    pixel = int(np.argmax(x.std(0) < 1e-12))
    weight, bias = np.zeros((5, 64)), np.zeros(5)
    weight[2, pixel], bias[2] = 1, -x[0, pixel]
    shifts.append(zeros | {"0.weight": weight, "0.bias": bias})
    for shift in shifts:
        assert np.abs(product(conditioning.flatten(shift))).max() < 1e-14


# --- a gradient that grows while the loss falls


def test_the_gradient_grows_while_the_curvature_along_it_is_negative() -> None:
    shown = numbers("growth")
    peak = int(shown.length[1].argmax())
    assert shown.steps[peak] == 40
    assert shown.length[1, [0, peak]] == pytest.approx([0.38, 0.69], abs=0.01)
    assert shown.loss[1, [0, peak]] == pytest.approx([2.31, 1.16], abs=0.01)
    assert np.all(np.diff(shown.loss[1]) < 0)
    assert shown.steps[shown.curvature[1] < 0].tolist() == [10, 20, 30]
    assert np.all(shown.curvature[2, 1:4] < 0)  # and so in nine of ten draws
    assert shown.length[1, -1] < 0.1 * shown.length[1, peak]


def test_curvature_along_the_gradient_is_that_of_differences() -> None:
    x, y = networks.digits(30)
    p = networks.pytorch_network([64, 6, 10], np.random.default_rng(3), (2,))
    found = networks.curvature_along_gradient(x, y)(p)
    loss, slopes = network.loss_and_gradient(p, x, y)
    flat, here = conditioning.flatten(slopes, run_axes=1), conditioning.flatten(p, run_axes=1)
    step = 1e-6 * flat
    ahead, behind = (
        conditioning.flatten(
            network.loss_and_gradient(conditioning.unflatten(here + s, p, run_axes=1), x, y).gradient, run_axes=1
        )
        for s in (step, -step)
    )
    expected = (flat * (ahead - behind)).sum(-1) / 2e-6 / (flat * flat).sum(-1)
    np.testing.assert_allclose(found["curvature"], expected, rtol=1e-5)
    np.testing.assert_allclose(found["length"], np.linalg.norm(flat, axis=-1), rtol=1e-12)
    np.testing.assert_allclose(found["loss"], loss)


def test_where_the_curvature_along_the_gradient_changes_sign_the_product_is_not_small() -> None:
    x, y = networks.digits(300)
    p, found = networks.pytorch_network([64, 64, 64, 10], np.random.default_rng(0), ()), []
    for _ in range(60):
        gradient = network.loss_and_gradient(p, x, y).gradient
        flat = conditioning.flatten(gradient)
        image, length = conditioning.hessian_vector_product(p, x, y)(flat), np.linalg.norm(flat)
        found.append((flat @ image / length**2, np.linalg.norm(image) / length, length))
        p = {name: p[name] - 0.1 * gradient[name] for name in p}
    curvature, ratio, lengths = np.array(found).T
    lowest = int(curvature.argmin())
    passage = lowest + int(np.argmax(curvature[lowest:] > 0))
    assert abs(int(lengths.argmax()) - passage) <= 1
    assert 0.22 < ratio[passage] < 0.28
    assert -0.3 < curvature[lowest] < -0.25


def test_gauss_newton_is_no_closer_to_the_hessian_when_the_answers_are_sure() -> None:
    x, y = networks.digits(200)
    p = networks.states(12, 200, 1000, np.random.default_rng(0))[1]
    hessian, kept = (
        conditioning.dense_hessian(make(p, x, y, "tanh"), 910)
        for make in (conditioning.hessian_vector_product, conditioning.gauss_newton_vector_product)
    )
    assert network.loss_and_gradient(p, x, y, "tanh").loss < 0.001
    assert 0.7 < np.linalg.norm(hessian - kept) / np.linalg.norm(kept) < 0.9


# --- the edge of stability


def test_sharpness_rises_to_two_over_the_rate_and_stays() -> None:
    shown = numbers("edge")
    assert shown.rates.tolist() == [0.2, 0.3]
    slow, fast = shown.sharpness
    late = shown.steps >= 600
    assert np.all((fast[late] > 0.97) & (fast[late] < 1.04))
    assert np.all((fast[shown.steps >= 300] > 0.97) & (fast[shown.steps >= 300] < 1.07))
    reached = int(np.argmax((slow >= 1) & (shown.steps > 0)))
    assert 550 <= shown.steps[reached] <= 650
    assert np.all((slow[reached:] > 0.97) & (slow[reached:] < 1.04))
    assert np.all(np.diff(slow[1 : reached + 1]) > 0)  # rises all the way there
    assert np.all(shown.loss[:, -1] < 0.2 * shown.loss[:, 1])


@pytest.mark.parametrize(
    ("activation", "loss", "start", "shares"),
    [
        ("tanh", "squared_error", "lecun_normal", {2.5: (0.98, 1), 3.5: (0, 0.2)}),
        ("tanh", "cross_entropy", "lecun_normal", {20: (0.995, 1), 40: (0.955, 1)}),
        ("relu", "squared_error", "he_normal", {1: (0.745, 0.865), 5: (0.545, 0.875), 10: (0, 0.155)}),
        ("relu", "cross_entropy", "pytorch", {0.5: (0.995, 1), 0.99: (0, 0.425)}),
    ],
)
def test_the_limit_of_the_start_is_no_wall_on_either_side(activation, loss, start, shares) -> None:
    x, labels = networks.digits(300)
    squared = loss == "squared_error"
    y, errors = (np.eye(10)[labels], [networks.squared_error]) if squared else (labels, [])
    for seed in range(2):
        generator, sizes = np.random.default_rng(seed), [64, 64, 64, 10]
        if start == "pytorch":
            parameters = networks.pytorch_network(sizes, generator, ())
        else:
            parameters = network.initialize(sizes, generator, getattr(initialization, start))
        product = conditioning.hessian_vector_product(parameters, x, y, activation, loss)
        toward = generator.standard_normal(sum(value.size for value in parameters.values()))
        sharpness = conditioning.top_eigenvalues(product, toward, count=1, which="largest", tolerance=1e-3).values[0]
        runs = (len(shares),)
        with np.errstate(over="ignore", invalid="ignore"):
            trained = training.train(
                {name: np.stack([value] * len(shares)) for name, value in parameters.items()},
                x,
                y,
                minibatch.SGD(np.array(list(shares)) * 2 / sharpness),
                steps=60,
                runs=runs,
                gradient=lambda *batch: network.loss_and_gradient(*batch, activation, *errors),
            ).parameters
            scores = network.forward(trained, x, activation)[0]
        right = (scores.argmax(-1) == labels).mean(-1)
        for share, (low, high) in zip(right, shares.values(), strict=True):
            assert low <= share <= high


def test_sharpness_is_the_largest_eigenvalue() -> None:
    shown = networks.edge(width=3, examples=12, steps=10, every=10)
    x, labels = networks.digits(12)
    y = np.eye(10)[labels]
    start = network.initialize([64, 3, 3, 10], np.random.default_rng(0), initialization.lecun_normal)
    product = conditioning.hessian_vector_product(start, x, y, "tanh", "squared_error")
    dense = conditioning.dense_hessian(product, sum(value.size for value in start.values()))
    largest = np.linalg.eigvalsh(dense)[-1]
    assert shown.sharpness[:, 0] == pytest.approx(largest * shown.rates / 2, rel=0.01)
    assert shown.loss[:, 0] == pytest.approx(float(objective.squared_error(network.forward(start, x, "tanh")[0], y)))
