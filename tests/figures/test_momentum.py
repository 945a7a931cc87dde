"""The numbers behind the figures of the momentum chapter, against theory and against print.

Numbers of the whole experiment come from the cache of the press; what is quick is measured here at another size.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
import pytest

from dlnotes import datasets
from dlnotes.book import drawing, layout
from dlnotes.figures import momentum as figures
from dlnotes.figures import momentum_by_hand as moving
from dlnotes.figures import momentum_noise as noise
from dlnotes.figures import momentum_training as learning
from dlnotes.numpy import conditioning, momentum, network, training

SMALL = {
    "hundred": {"condition": 9.0, "last": 12},
    "ravine": {"rate": 0.3, "last": 8},
    "plane": {"condition": 10.0, "points": 9},
    "by-hand": {},
    "windows": {"paths": 50},
    "noise-floor": {"runs": 3, "steps": 40},
    "batches": {"examples": 20, "hidden": 4, "steps": 50, "seeds": 2},
}


@functools.cache
def numbers(name: str) -> tuple:
    """The numbers of a figure as the book shows it."""
    return drawing.numbers(layout.find(), drawing.Figure("momentum", name))


# --- descent, Nesterov and the heavy ball


def test_the_rates_for_condition_number_one_hundred() -> None:
    shown = numbers("hundred")
    assert [round(rate, 4) for rate in shown.rates.tolist()] == [0.9802, 0.9, 0.8182]


def test_the_measured_rate_of_the_heavy_ball_is_higher_and_is_fitted_by_a_double_root() -> None:
    shown = numbers("hundred")
    assert shown.steps[-1] == 100
    assert shown.distances[2, -1] ** (1 / 100) == pytest.approx(0.859, abs=5e-4)
    np.testing.assert_allclose(shown.fit, shown.distances[2], rtol=1e-9)
    assert shown.distances[2, -1] / shown.powers[2, -1] > 100  # the power alone does not fit
    np.testing.assert_allclose(shown.distances[0], shown.powers[0], rtol=1e-9)  # descent has no double root


def test_the_heavy_ball_first_moves_away() -> None:
    descent, nesterov, ball = numbers("hundred").distances
    assert (ball.argmax(), round(ball.max().item(), 1)) == (4, 2.7)
    assert [np.flatnonzero(ball > other).max() for other in (1, nesterov)] == [14, 28]
    assert ball[-1] < nesterov[-1] < descent[-1]


def test_steps_to_a_millionth_are_those_of_the_page() -> None:
    far = figures.hundred(last=700)
    assert [int(np.argmax(row < 1e-6)) for row in far.distances] == [691, 154, 93]


@pytest.mark.parametrize("condition", [4.0, 30.0, 1000.0])
def test_the_rates_are_those_of_the_formulas_at_other_condition_numbers(condition: float) -> None:
    shown, root = figures.hundred(condition, last=5), math.sqrt(condition)
    wanted = [(condition - 1) / (condition + 1), 1 - 1 / root, (root - 1) / (root + 1)]
    np.testing.assert_allclose(shown.rates, wanted, rtol=1e-6)


def test_on_the_flattest_axis_nesterov_is_ten_times_the_power_of_its_radius() -> None:
    path = figures.walk(momentum.Nesterov(1.0, 9 / 11), np.array([0.01]), np.ones(1), 100)[:, 0]
    assert path[-1] / 0.9**100 == pytest.approx(10, abs=0.2)


# --- the ravine


def test_the_radii_of_the_ravine() -> None:
    shown = numbers("ravine")
    np.testing.assert_array_equal(shown.radii[:, 0], [0, 0.25, 0.5])
    np.testing.assert_allclose(shown.radii[:, 1], [1.4, 0.859, 0.707], atol=5e-4)
    # An independent step matrix for the velocity and the error, and its eigenvalues.
    for beta, radius in shown.radii:
        matrices = [[[beta, h], [-0.6 * beta, 1 - 0.6 * h]] for h in (0.2, 4.0)]
        assert abs(np.linalg.eigvals(matrices)).max() == pytest.approx(radius, abs=1e-7)


def test_the_paths_of_the_ravine_are_those_of_a_plain_loop() -> None:
    shown = numbers("ravine")
    for row, beta in enumerate(figures.BETAS):
        w, v = np.array([-5.0, -2.0]), np.zeros(2)
        for step in range(len(shown.steps)):
            np.testing.assert_allclose([shown.x[row, step], shown.y[row, step]], w, rtol=1e-12, atol=1e-12)
            v = beta * v + np.array([0.2 * w[0], 4 * w[1]])
            w = w - 0.6 * v
    assert shown.distances[0, -1] > 1000 > 1 > shown.distances[1, -1] > shown.distances[2, -1]


# --- the plane


def test_the_plane_is_blank_beyond_the_limits() -> None:
    shown = numbers("plane")
    middles = (np.arange(61) + 0.5) / 61
    rates, betas = 4 * middles, middles
    for method, name in enumerate(("heavy_ball", "nesterov")):
        limits = np.interp(betas, shown.betas, shown.limits[method])
        grows = np.isnan(getattr(shown, name))
        clear = abs(rates - limits[:, None]) > 0.01
        assert np.array_equal(grows[clear], (rates > limits[:, None])[clear])


def test_the_fastest_cell_of_the_heavy_ball_is_at_the_best_constants() -> None:
    shown = figures.plane(points=401)  # the cells of the book are coarse for a valley as narrow as this
    row, column = np.unravel_index(np.nanargmin(shown.heavy_ball), shown.heavy_ball.shape)
    assert abs((row + 0.5) / 401 - shown.best_beta[0]) < 0.01
    assert abs((column + 0.5) * 4 / 401 - shown.best[0]) < 0.06
    assert (shown.best[1], round(shown.best_beta[1].item(), 3)) == (1, 0.818)  # Nesterov's usual constants
    assert 10 ** np.nanmin(shown.heavy_ball) == pytest.approx(-1 / math.log10(9 / 11), rel=0.02)
    assert np.nanmin(shown.heavy_ball) < np.nanmin(shown.nesterov)


# --- the figure that moves


def test_the_shades_of_the_map_are_the_steps_for_a_factor_of_ten() -> None:
    shown = numbers("by-hand")
    assert (np.nanmin(shown.shade), np.nanmax(shown.shade)) == (0, 4)
    for row, column in ((25, 55), (2, 10), (40, 60), (10, 42)):
        rate, beta = (column + 0.5) / 80 * 4, (row + 0.5) / 50
        matrices = [[[beta, h], [-rate * beta, 1 - rate * h]] for h in (1 / 30, 1)]  # of the velocity and the error
        tenfold = -1 / math.log10(abs(np.linalg.eigvals(matrices)).max())
        assert shown.shade[row, column] == np.count_nonzero(tenfold <= moving.LEVELS)
    grows = (np.arange(80) + 0.5) / 80 * 4 > 2 * (1 + (np.arange(50) + 0.5)[:, None] / 50)
    np.testing.assert_array_equal(np.isnan(shown.shade), grows)


def test_the_path_begins_with_one_setting_and_comes_near_the_minimum() -> None:
    shown = numbers("by-hand")
    assert (shown.x[0], shown.y[0], len(shown.x)) == (-10, 2, 61)
    assert math.hypot(shown.x[-1], shown.y[-1]) < 0.3
    assert (round(shown.rate[1].item(), 2), round(shown.beta[1].item(), 2)) == (2.86, 0.48)


# --- two windows


def test_mean_age_and_number_are_two_numbers() -> None:
    shown = numbers("windows")
    np.testing.assert_allclose(shown.lag, shown.mean_age, rtol=1e-4)
    np.testing.assert_allclose(shown.quiet, shown.window, rtol=6 * math.sqrt(2 / 4000))
    np.testing.assert_allclose(shown.window, 2 * shown.mean_age - 1, rtol=1e-12)
    assert shown.weights[:10].sum() == pytest.approx(0.651, abs=1e-3)


def test_the_plain_average_over_nineteen_is_as_old_and_as_noisy() -> None:
    shown = numbers("windows")
    lengths = shown.plain_ages[:, 1] - 0.5
    np.testing.assert_allclose(lengths, [10, 19])
    np.testing.assert_allclose(shown.plain[:, 0] * lengths, 1)
    assert np.mean(np.arange(1, 20)) == pytest.approx(momentum.mean_age(0.9))
    weights = momentum.average_weights(0.9, 2000)
    assert 1 / (weights**2).sum() == pytest.approx(19)


# --- the noise floor


def test_measured_floors_lie_on_the_theory() -> None:
    shown = numbers("noise-floor")
    for row in range(len(noise.FLOOR_BETAS)):
        wanted = np.exp(np.interp(np.log(shown.effective[row]), np.log(shown.fine[row]), np.log(shown.theory[row])))
        np.testing.assert_allclose(shown.floor[row], wanted, rtol=0.15)


def test_at_small_effective_rates_beta_does_not_matter_and_beyond_two_it_does() -> None:
    shown = numbers("noise-floor")
    at = [np.interp((0.1, 1.5), fine, theory) for fine, theory in zip(shown.fine, shown.theory, strict=True)]
    assert np.ptp([one[0] for one in at]) / at[0][0] < 0.06
    assert at[0][1] > 3 * at[1][1]
    assert shown.fine[0].max() < 2 < 10 < shown.fine[1].max()
    straight = [line[-1] / (fine[-1] / 2) for line, fine in zip(shown.theory, shown.fine, strict=True)]
    assert [round(ratio, 2) for ratio in straight[1:]] == [1.94, 1.05]  # against the theory of a small rate
    assert momentum.noise_floor(1.0, 1.9) == pytest.approx(19)
    assert momentum.noise_floor(1.0, 0.19, 0.9) == pytest.approx(1.0, abs=0.005)


@pytest.mark.parametrize(("beta", "steps"), [(0.0, 44), (0.9, 85), (0.99, 915)])
def test_at_one_effective_rate_of_a_tenth_momentum_is_slower(beta: float, steps: int) -> None:
    path = figures.walk(momentum.Momentum(0.1 * (1 - beta), beta), np.ones(1), np.ones(1), 3000)[:, 0]
    assert np.flatnonzero(abs(path) >= 0.01).max() + 1 == steps


def test_up_to_an_effective_rate_of_a_fifth_the_floors_are_within_a_tenth() -> None:
    def apart(effective: float) -> float:
        return momentum.noise_floor(1.0, effective) / momentum.noise_floor(1.0, 0.01 * effective, 0.99) - 1

    assert apart(0.2) == pytest.approx(0.11, abs=0.005)
    assert apart(0.5) > 0.3


# --- which batch


def best(size: int | None, seed: int = 0, **options: int) -> np.ndarray:
    """Least, median and largest loss at the rate with the least median, a row for each beta."""
    losses = learning.losses_after(size, seed=seed, **options)
    return np.array([row[:, row[1].argmin()] for row in losses])


def test_with_the_full_batch_momentum_allows_a_larger_effective_rate_and_a_tenfold_lower_loss() -> None:
    shown = numbers("batches")
    plain, smooth = shown.losses[1, :, 1]
    assert smooth.min() < plain.min() / 10
    assert [round(plain.min().item(), 3), round(smooth.min().item(), 4)] == [0.006, 0.0003]
    assert shown.effective[plain.argmin()] == pytest.approx(1.6)
    assert plain[5] / smooth[5] == pytest.approx(1.6, abs=0.05)
    assert shown.effective[smooth.argmin()] == pytest.approx(12.8)
    assert smooth[-1] == learning.CEILING  # so the best is no edge of the grid
    assert (shown.losses[1, 1, 2].min()) < shown.losses[1, 0, 0].min()  # the worst start against the best


def test_with_batches_of_four_there_is_little_to_gain() -> None:
    shown = numbers("batches")
    plain, smooth = shown.losses[0, :, 1]
    assert [round(plain.min().item(), 2), round(smooth.min().item(), 2)] == [0.08, 0.08]
    assert shown.effective[plain.argmin()] == shown.effective[smooth.argmin()] == pytest.approx(0.4)
    assert [round(plain[4].item(), 1), round(smooth[4].item(), 1)] == [2.2, 0.4]


def test_at_small_effective_rates_the_lines_are_one() -> None:
    shown = numbers("batches")
    for panel, apart in enumerate((0.1, 0.05)):
        plain, smooth = shown.losses[panel, :, 1, :4]
        np.testing.assert_allclose(smooth, plain, rtol=apart)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_with_batches_of_one_and_four_the_best_losses_differ_by_less_than_the_starts_do(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for size, rates in ((1, [0.05, 0.1, 0.2]), (4, [0.2, 0.28, 0.4, 0.57])):
        monkeypatch.setattr(learning, "EFFECTIVE", rates)
        plain, smooth = best(size, seed)
        assert plain[0] < smooth[1] < plain[2]
        assert smooth[0] < plain[1] < smooth[2]
        assert 0.8 < smooth[1] / plain[1] < 1.25
        assert seed or size == 4 or [round(median, 2) for median in (plain[1], smooth[1])] == [0.33, 0.33]


def test_twice_the_width_gives_the_same_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "EFFECTIVE", [0.1, 0.2, 0.4])
    few = best(4, hidden=64, seeds=4)[:, 1]
    assert 0.8 < few[1] / few[0] < 1.25
    monkeypatch.setattr(learning, "EFFECTIVE", [1.6, 6.4])
    full = best(None, hidden=64, seeds=2)[:, 1]
    assert full[1] < full[0] / 10


def test_batches_of_thirty_two_gain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "EFFECTIVE", [0.4, 0.8, 1.6, 3.2])
    plain, smooth = best(32)[:, 1]
    assert [round(plain, 3), round(smooth, 3)] == [0.011, 0.001]


def test_a_run_draws_the_same_whichever_rates_are_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    beside = learning.losses_after(4, examples=40, hidden=4, steps=50, seeds=3)
    monkeypatch.setattr(learning, "EFFECTIVE", learning.EFFECTIVE[2:4])
    alone = learning.losses_after(4, examples=40, hidden=4, steps=50, seeds=3)
    np.testing.assert_allclose(alone, beside[..., 2:4], rtol=1e-4)


def test_four_examples_have_a_larger_curvature_than_all_and_its_mean_square_leaves_little_room() -> None:
    digits = datasets.digits()
    inputs, labels = (digits.inputs[:200] - 8) / 8, digits.targets[:200]
    rows = []
    for seed in (2, 3, 4, 7):  # of the first eight starts those with the extremes
        start = network.initialize([64, 32, 10], np.random.default_rng(seed))
        params = training.train(
            start,
            inputs,
            labels,
            momentum.Momentum(0.2, 0.0),
            steps=160,
            batch_size=4,
            generator=np.random.default_rng([seed, 1]),
            gradient=lambda *batch: network.loss_and_gradient(*batch, "tanh"),
        ).parameters
        generator = np.random.default_rng([seed, 2])
        toward = generator.standard_normal(sum(value.size for value in params.values()))

        def draw(generator: np.random.Generator = generator) -> np.ndarray:
            return generator.choice(200, 4, replace=False)

        def product_of(rows: np.ndarray, params: dict = params) -> Callable[[np.ndarray], np.ndarray]:
            return conditioning.hessian_vector_product(params, inputs[rows], labels[rows], "tanh")

        def top(rows: np.ndarray, toward: np.ndarray = toward) -> tuple[float, np.ndarray]:
            options = {"count": 1, "which": "largest", "tolerance": 0.02, "steps": 40}
            found = conditioning.top_eigenvalues(product_of(rows), toward, **options)
            return found.values[0], found.vectors[0]

        full, axis = top(np.arange(200))
        few = [top(draw())[0] for _ in range(40)]
        moved = [product_of(draw())(axis) for _ in range(300)]
        rows.append((full, np.median(few), max(few), np.mean(np.square(moved).sum(-1)) / full**2))
    least, most = np.min(rows, axis=0).round(1), np.max(rows, axis=0).round(1)
    assert least.tolist()[:2] == [1.0, 1.8]
    assert most.tolist()[:2] == [1.6, 3.6]
    assert round(most[2]) == 17
    assert [least[3], most[3]] == pytest.approx([3.4, 7.4], abs=0.15)
    room = [s / (s - 1 + 0.1 / 1.9) for s in (most[3], least[3])]
    assert room == pytest.approx([1.15, 1.4], abs=0.02)


def test_batches_of_four_have_no_noise_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "EFFECTIVE", [0.1, 0.2, 0.4])
    few = learning.losses_after(4, steps=800, seeds=4)[:, 1]
    np.testing.assert_allclose(few, [[0.018, 0.0075, 0.003]] * 2, rtol=0.15)


@pytest.mark.parametrize("seed", [0, 1])
def test_in_five_times_the_steps_momentum_gains_at_most_one_and_a_half_with_batches_of_four(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "EFFECTIVE", [0.48, 0.57, 0.68])  # at 0.4 both are at 0.003
    plain, smooth = learning.losses_after(4, steps=800, seed=seed)[:, 1]
    assert (plain.argmin(), smooth.argmin()) == (0, 1)
    assert 1.3 < plain.min() / smooth.min() < 1.55
    assert seed or [round(row.min().item(), 4) for row in (plain, smooth)] == [0.0021, 0.0015]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_rate_that_falls_to_zero_lets_momentum_gain_with_batches_of_four(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    heavy_ball = momentum.Momentum
    monkeypatch.setattr(learning, "EFFECTIVE", [0.4, 0.57, 0.8])
    monkeypatch.setattr(momentum, "Momentum", lambda rate, beta: heavy_ball(lambda t: rate * (1 - t / 160), beta))
    plain, smooth = best(4, seed)[:, 1]
    assert 1.3 < plain / smooth < 1.8
    assert seed or [round(plain, 2), round(smooth, 2)] == [0.07, 0.04]


def test_nesterov_is_near_the_heavy_ball_up_to_half_of_its_best_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    ball = numbers("batches").losses[1, 1, 1]
    monkeypatch.setattr(momentum, "Momentum", momentum.Nesterov)
    monkeypatch.setattr(learning, "BETAS", (0.9,))
    monkeypatch.setattr(learning, "EFFECTIVE", learning.EFFECTIVE[2:9:2])
    (ahead,) = learning.losses_after(None)[:, 1]
    np.testing.assert_allclose(ahead[:3], ball[2:8:2], rtol=0.2)
    monkeypatch.setattr(learning, "EFFECTIVE", [6.4])
    ((best,),) = learning.losses_after(None)[:, 1]
    assert (round(best.item(), 4), best < ahead.min()) == (0.0005, True)
    assert ahead[3] > 0.4 > 1000 * ball[8]


def test_a_large_beta_is_late_and_goes_further(monkeypatch: pytest.MonkeyPatch) -> None:
    ball = numbers("batches").losses[1, 1, 1]
    monkeypatch.setattr(learning, "BETAS", (0.99,))
    monkeypatch.setattr(learning, "EFFECTIVE", learning.EFFECTIVE[:5:2])
    np.testing.assert_allclose(learning.losses_after(None)[0, 1] / ball[:5:2], 2.2, rtol=0.1)
    monkeypatch.setattr(learning, "BETAS", (0.95, 0.99))
    monkeypatch.setattr(learning, "EFFECTIVE", [12.8, 25.6, 51.2, 102.4, 204.8])
    less, more = learning.losses_after(None)[:, 1]
    assert (less.argmin(), round(less[1].item(), 5)) == (1, 0.00004)
    assert more[3] < 1e-5 < less.min()
    assert less[2] > 0.5 < more[4]


def test_the_losses_are_those_of_a_plain_loop() -> None:
    """One run of the full batch, taken alone, with the update written out."""
    shown = learning.batches(examples=20, hidden=4, steps=50, seeds=1, seed=3)
    digits = datasets.digits()
    inputs, targets = ((digits.inputs[:20] - 8) / 8).astype(np.float32), digits.targets[:20]
    (generator,) = np.random.default_rng(3).spawn(1)
    params = network.initialize([64, 4, 10], generator, dtype=np.float32)
    velocity = {name: np.zeros_like(value) for name, value in params.items()}
    ends = []
    for step in range(51):
        loss, grads = network.loss_and_gradient(params, inputs, targets, "tanh")
        if step in (20, 30, 40, 50):
            ends.append(float(loss))
        velocity = {name: np.float32(0.9) * velocity[name] + grads[name] for name in params}
        params = {name: params[name] - np.float32(0.1 * 0.1) * velocity[name] for name in params}
    assert shown.effective[1] == pytest.approx(0.1)
    assert shown.losses[1, 1, 1, 1] == pytest.approx(np.mean(ends), rel=1e-3)
