"""The numbers behind the figures of the chapter on mini-batches, against theory and against print.

Numbers of the whole experiment come from the cache of the press; what is quick is measured here at another size.
"""

from __future__ import annotations

import functools

import numpy as np
import pytest

from dlnotes import datasets
from dlnotes.book import drawing, layout
from dlnotes.figures import minibatch as figures
from dlnotes.figures import minibatch_training as learning
from dlnotes.numpy import minibatch, network, training

SMALL = {
    "clock": {"examples": 64, "hidden": 4, "seeds": 2},
    "critical": {"hidden": 16, "seeds": 2},
    "adam": {"hidden": 16, "seeds": 2},
    "error": {"examples": 40, "draws": 20},
    "noise-scale": {"hidden": 4, "seeds": 1},
    "wander": {"runs": 3, "steps": 60},
}


@functools.cache
def numbers(name: str) -> tuple:
    """The numbers of a figure as the book shows it."""
    return drawing.numbers(layout.find(), drawing.Figure("minibatch", name))


# --- the error of a batch


def test_measured_errors_lie_on_the_theory() -> None:
    shown = numbers("error")
    for way in (0, 1):
        np.testing.assert_allclose(shown.errors[way], shown.theory[way, shown.sizes - 1], rtol=0.06)
    slope = np.polyfit(np.log(shown.sizes), np.log(shown.errors[0]), 1)[0]
    assert slope == pytest.approx(-0.5, abs=0.01)


def test_the_errors_of_the_page() -> None:
    shown = numbers("error")
    assert shown.sizes[[0, 4, 5, 8]].tolist() == [1, 16, 32, 256]
    assert [round(value, 2) for value in shown.errors[:, 8].tolist()] == [0.23, 0.17, 0.1]
    assert shown.errors[2, 5] / shown.errors[1, 5] == pytest.approx(0.6, abs=0.05)
    factors = [(minibatch.batch_variance(size, 512) * size) ** 0.5 for size in (16, 256)]
    assert [round(factor, 2) for factor in factors] == [0.99, 0.71]


def test_single_gradients_are_those_of_single_calls() -> None:
    digits = datasets.digits()
    inputs, labels = (digits.inputs[:5] - 8) / 8, digits.targets[:5]
    params = network.initialize([64, 3, 10], np.random.default_rng(0))
    singles = figures.single_gradients(params, inputs, labels)
    for row in range(5):
        alone = network.loss_and_gradient(params, inputs[row : row + 1], labels[row : row + 1], "tanh").gradient
        np.testing.assert_allclose(singles[row], np.concatenate([alone[name].ravel() for name in params]), rtol=1e-12)


# --- wandering


def floors(shown: figures.Wander) -> np.ndarray:
    """Where the three constant rates level off with noisy targets: the mean of the last third of the steps."""
    return shown.distances[0, :3][:, shown.steps > shown.steps[-1] * 2 / 3].mean(-1)


def test_the_floor_goes_with_the_rate_and_a_falling_rate_has_none() -> None:
    shown = numbers("wander")
    level = floors(shown)
    assert [float(f"{floor:.1g}") for floor in level] == [0.03, 0.006, 0.001]
    np.testing.assert_allclose(level[:-1] / level[1:], [5.1, 4.7], atol=0.15)
    noisy, exact = shown.distances[:, :, -1]
    assert noisy[3] == pytest.approx(2e-4, rel=0.3)
    assert noisy[3] < noisy[:3].min() / 4
    assert exact[0] < 1e-25  # the largest rate is the best where all can be fitted, and the worst where not
    assert exact.max() < 1e-8
    assert exact[0] == exact[:4].min() or exact[0] < 1e-25
    assert noisy.argmax() == 0


@pytest.mark.parametrize("seed", [1, 2])
def test_the_floor_is_there_with_other_data(seed: int) -> None:
    shown = figures.wander(runs=20, seed=seed)
    assert (floors(shown)[:-1] / floors(shown)[1:] > 3.5).all()
    assert shown.distances[0, 3, -1] < floors(shown).min()


# --- epochs and time


def test_small_batches_win_by_epochs_and_a_middle_size_by_time() -> None:
    shown = numbers("clock")
    assert shown.by_epoch[:, 1, -1].argsort().tolist() == [0, 1, 2]
    assert shown.by_time[:, 1, -1].argsort().tolist() == [1, 2, 0]
    assert [round(loss, 2) for loss in shown.by_epoch[:, 1, -1].tolist()] == [0.05, 0.13, 1.72]
    assert [float(f"{loss:.1g}") for loss in shown.by_time[:, 1, -1]] == [0.1, 0.004, 0.03]
    assert shown.by_time[0, 1, -1] == pytest.approx(0.15, abs=0.005)
    assert shown.by_time[1, 2, -1] < shown.by_time[2, 0, -1]  # the worst start of 32 against the best of all


def test_a_cheaper_step_moves_time_toward_small_batches() -> None:
    free = learning.clock(overhead=0.0, examples=128, hidden=16, seeds=2)
    middle = np.searchsorted(free.times, 5000)
    assert free.by_time[0, 1, middle] < free.by_time[2, 1, middle]


def test_the_best_rates_in_the_end_lie_inside_the_grid() -> None:
    for number, steps, _ in learning.CLOCK:
        rates = learning.CLOCK_RATES[number] * 2.0 ** np.arange(5)
        last = np.median(learning.trained(number or 512, rates, steps, steps, seeds=2)[1][..., -1], axis=1)
        last = np.where(np.isfinite(last), last, np.inf)
        assert 0 < last.argmin() < 4


# --- the critical size


def test_one_number_fits_six_sizes() -> None:
    shown = numbers("critical")
    assert shown.critical.round() == 22
    assert shown.steps[1].round().astype(int).tolist() == [395, 106, 42, 23, 18, 19]
    np.testing.assert_allclose(np.interp(shown.sizes, shown.fine, shown.curve), shown.steps[1], rtol=0.08)
    assert (shown.steps < np.array(learning.STEPS)).all()  # all runs got there
    assert shown.best[1].tolist() == [0.07, 0.25, 0.5, 0.85, 1.0, 1.0]
    ratio = shown.best[1] / np.interp(shown.sizes, shown.fine, shown.rate)
    assert ratio.min() > 0.95
    assert ratio.max() == pytest.approx(1.6, abs=0.05)
    growth = shown.best[1] / shown.best[1, 0]
    shares = (1 + 22 / 1) / (1 + 22 / shown.sizes)
    assert growth[[3, 5]].round().tolist() == [12, 14]
    assert shares[[3, 5]].round().tolist() == [17, 22]
    assert np.sqrt(shown.sizes)[[3, 5]].round().tolist() == [8, 23]


def test_adam_has_a_larger_critical_size_and_follows_the_root() -> None:
    shown = numbers("adam")
    assert shown.critical.round() == 35
    assert shown.steps[1].round().astype(int).tolist() == [415, 102, 34, 16, 12, 12]
    assert (shown.steps < np.array(learning.STEPS)).all()
    assert shown.best[1].round(4).tolist() == [0.0085, 0.0198, 0.024, 0.04, 0.045, 0.045]
    of_root = shown.best[1] / (shown.best[1, 0] * np.sqrt(shown.sizes))
    assert of_root.round(1).tolist() == [1.0, 1.2, 0.7, 0.6, 0.3, 0.2]
    assert abs(np.log(of_root[:3])).max() < np.log(1.5)


@pytest.mark.parametrize("options", [{"seed": 1}, {"hidden": 64}, {"target": 1.0}, {"target": 0.05}])
def test_the_critical_size_changes_little(options: dict) -> None:
    options = {"target": 0.2, "hidden": 32, "seeds": 2, "seed": 0, **options}
    found = learning.measured("sgd", **options, longer=2.5 if options["target"] < 0.1 else 1)
    assert 12 < found.critical[0] < 30


def test_the_time_of_the_page_is_least_near_the_root() -> None:
    sizes = np.arange(1, 513)
    time = (1 + 22 / sizes) * (100 + sizes)
    assert sizes[time.argmin()] == 47
    assert [round(time[size - 1] / time.min(), 1) for size in (1, 512)] == [10.8, 3.0]
    assert [round(time[size - 1]) for size in (1, 47, 512)] == [2323, 216, 638]
    assert max(time[19], time[109]) < 1.2 * time.min()
    assert time[63] / time.min() == pytest.approx(1.02, abs=0.005)


def test_the_fit_finds_what_it_was_given() -> None:
    sizes = np.array([1, 4, 16, 64, 256])
    least, scale = learning.fitted(sizes, 30 * (1 + 50 / sizes))
    assert least == pytest.approx(30, rel=0.01)
    assert scale == pytest.approx(50, rel=0.01)


def test_steps_are_found_between_measurements() -> None:
    steps = np.array([0, 10, 20])
    losses = np.array([[4.0, 2.0, 0.5], [4.0, 3.0, 2.0]])
    assert learning.steps_to(1.0, steps, losses).tolist() == [15, np.inf]


def test_a_loss_is_that_of_a_plain_loop() -> None:
    at, losses = learning.trained(7, np.array([0.3, 0.1]), 6, 3, examples=20, hidden=4, seeds=2, seed=5)
    digits = datasets.digits()
    inputs, labels = ((digits.inputs[:20] - 8) / 8).astype(np.float32), digits.targets[:20]
    params = network.initialize([64, 4, 10], np.random.default_rng(5).spawn(2)[1], dtype=np.float32)
    generator, step, found = np.random.default_rng([5, 1]), 0, []
    for _ in range(2):
        for rows in minibatch.epoch(20, 7, generator):
            if step % 3 == 0:
                found.append(network.loss_and_gradient(params, inputs, labels, "tanh").loss)
            grads = network.loss_and_gradient(params, inputs[rows], labels[rows], "tanh").gradient
            params = {name: params[name] - np.float32(0.1) * grads[name] for name in params}
            step += 1
    found.append(network.loss_and_gradient(params, inputs, labels, "tanh").loss)
    assert at.tolist() == [0, 3, 6]
    np.testing.assert_allclose(losses[1, 1], found, rtol=1e-5)


# --- the noise scale


def test_along_small_batches_the_noise_scale_is_of_the_order_of_the_critical_size() -> None:
    losses, scales = numbers("noise-scale")
    early = losses >= 0.195
    assert [round(value) for value in (scales[0][early[0]].min(), scales[0][early[0]].max())] == [6, 64]
    near = (losses > 0.15) & (losses < 0.25)
    assert 380 < scales[1][near[1]].min() < scales[1][near[1]].max() < 550
    assert scales[0][near[0]].max() < 70
    assert 800 < scales[1].max() < 1050
    passing = (losses[1] > 0.18) & (losses[1] < 0.205)
    assert [round(value) for value in (scales[1][passing].min(), scales[1][passing].max())] == [430, 547]
    late = losses[0] < 0.06
    assert [round(value) for value in (scales[0][late].min(), scales[0][late].max())] == [58, 142]


def test_the_noise_scale_is_compared_at_one_rate() -> None:
    """Another rate moves it too, so only the size may differ."""
    assert len({rate for _, rate, _ in learning.SCALE_STEPS}) == 1


def with_all(places: tuple[int, ...], start: tuple[int, int]) -> list[np.ndarray]:
    """Train with the full batch as for the figure, at the rate 0.5, and give the single gradients after some steps."""
    digits = datasets.digits()
    inputs, labels = ((digits.inputs[:512] - 8) / 8).astype(np.float32), digits.targets[:512]

    def gradient(*batch: np.ndarray) -> network.LossAndGradient:
        return network.loss_and_gradient(*batch, "tanh")

    params = network.initialize([64, 32, 10], np.random.default_rng(start), dtype=np.float32)
    before, found = 0, []
    for place in places:
        params = training.train(
            params, inputs, labels, minibatch.SGD(0.5), steps=place - before, gradient=gradient,
        ).parameters  # fmt: skip
        before = place
        found.append(figures.single_gradients(params, inputs, labels).astype(float))
    return found


def test_the_figure_takes_nothing_off_and_the_kernel_does() -> None:
    """And the kernel needs several times as many gradients as the scale that it finds."""
    read = []
    for singles, alone, sample in zip(with_all((12, 16, 24), (0, 0)), (83, 216, 386), (99, 374, 1584), strict=True):
        whole = singles.mean(0)
        assert ((singles - whole) ** 2).sum(1).mean() / (whole**2).sum() == pytest.approx(alone, rel=0.01)
        assert minibatch.noise_scale(singles).scale == pytest.approx(sample, rel=0.03)
        draw = np.random.default_rng(0)
        halves = [singles[draw.choice(512, 256, replace=False)] for _ in range(30)]
        read.append(sorted(float(minibatch.noise_scale(half).scale) for half in halves))
    assert [round(read[0][at]) for at in (0, -1)] == pytest.approx([63, 137], rel=0.03)
    assert [round(read[1][at]) for at in (0, -1)] == pytest.approx([182, 635], rel=0.03)
    assert read[2][0] < 0 < 10_000 < read[2][-1]


@pytest.mark.parametrize("start", [(0, 0), (11, 1)])
def test_averages_over_eleven_steps_lie_in_the_ranges_of_the_page(start: tuple[int, int]) -> None:
    digits = datasets.digits()
    inputs, labels = ((digits.inputs[:512] - 8) / 8).astype(np.float32), digits.targets[:512]
    params = network.initialize([64, 32, 10], np.random.default_rng(start), dtype=np.float32)
    generator, losses, noises, signals = np.random.default_rng([*start, 1]), [], [], []
    rows = (batch for _ in range(3) for batch in minibatch.epoch(512, 16, generator))
    while len(losses) < 80:
        singles = figures.single_gradients(params, inputs, labels)
        whole = singles.mean(0)
        losses.append(np.log(network.loss_and_gradient(params, inputs, labels, "tanh").loss))
        noises.append(((singles - whole) ** 2).sum(1).mean())
        signals.append((whole**2).sum())
        batch = next(rows)
        grads = network.loss_and_gradient(params, inputs[batch], labels[batch], "tanh").gradient
        params = {name: params[name] - np.float32(0.5) * grads[name] for name in params}
    mean = np.convolve(losses, np.ones(11) / 11, "valid")
    for goal, low, high in ((1.0, 10, 36), (0.5, 15, 58), (0.2, 31, 60)):
        first = int((mean < np.log(goal)).argmax())
        assert first > 0
        window = slice(first, first + 11)
        assert low <= np.mean(noises[window]) / np.mean(signals[window]) <= high


def test_the_linear_rule_needs_small_rates_and_no_noise() -> None:
    """Four epochs with batches of 16 against four steps with all, far above the critical size."""
    rates = np.array([0.0005, 0.001])
    small, large = (
        learning.trained(size, rates * size, 4 * 512 // size, 4 * 512 // size, seeds=3, seed=5)[1][..., -1]
        for size in (16, 512)
    )
    assert (abs(large[0] / small[0] - 1) < 0.01).all()
    assert (large[1] / small[1] - 1).max() == pytest.approx(0.18, abs=0.01)


@pytest.mark.parametrize(("seed", "right", "linear"), [(0, (40, 44), (71, 179)), (3, (35, 45), (81, 201))])
def test_the_linear_rule_is_too_bold_at_sixteen(seed: int, right: tuple, linear: tuple) -> None:
    at, losses = learning.trained(16, np.array([0.5, 16 * 0.07]), 220, 2, target=0.2, seed=seed)
    for found, range_ in zip(learning.steps_to(0.2, at, losses).round(), (right, linear), strict=True):
        assert (found.min(), found.max()) == range_
