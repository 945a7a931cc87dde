"""The numbers behind the figures of the chapter on gradient checking, against theory and against print."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

from dlnotes import difference_quotients
from dlnotes.book import drawing, layout
from dlnotes.figures import gradient_checking as quotients
from dlnotes.figures import gradient_checking_bugs as bugs
from dlnotes.figures import gradient_checking_layers as layers
from dlnotes.numpy import gradient_checking, momentum, network, objective

SMALL = {
    "two-vs": {"seeds": 2, "steps": 4},
    "least-errors": {"seeds": 1},
    "complex-step": {"seeds": 2, "steps": 4},
    "precision": {"bits": (8, 24, 40), "seeds": 1},
    "bug-gallery": {"width": 4, "batch": 3, "networks": 1},
    "bugs-learn": {"width": 6, "steps": 3, "seeds": 2},
    "directions": {"checks": 50, "points": 4},
    "kinks": {"batches": (2, 3), "networks": 2, "points": 3},
    "layers": {"networks": 2, "points": 4},
}


@functools.cache
def numbers(name: str) -> tuple:
    """The numbers of a figure as the book shows it."""
    return drawing.numbers(layout.find(), drawing.Figure("gradient_checking", name))


def slope(x: np.ndarray, y: np.ndarray, low: float, high: float) -> float:
    """The slope of y over x in logarithms, where x is between the two."""
    inside = (x >= low) & (x <= high)
    assert inside.sum() >= 3
    return float(np.polyfit(np.log(x[inside]), np.log(y[inside]), 1)[0])


# --- two Vs


def test_the_right_arms_have_slopes_1_and_2_and_the_left_ones_minus_1() -> None:
    shown = numbers("two-vs")
    assert slope(shown.steps, shown.forward[1], 1e-6, 1e-2) == pytest.approx(1, abs=0.02)
    assert slope(shown.steps, shown.centered[1], 1e-4, 1e-2) == pytest.approx(2, abs=0.02)
    assert slope(shown.steps, shown.forward[1], 1e-13, 1e-9) == pytest.approx(-1, abs=0.05)
    assert slope(shown.steps, shown.centered[1], 1e-13, 1e-7) == pytest.approx(-1, abs=0.05)


def test_the_tips_are_where_theory_puts_them() -> None:
    shown = numbers("two-vs")
    assert shown.forward[1].min() == pytest.approx(7e-8, rel=0.5)
    assert shown.centered[1].min() == pytest.approx(2e-10, rel=0.5)
    assert 1e-8 < shown.steps[shown.forward[1].argmin()] < 3e-7
    assert 3e-6 < shown.steps[shown.centered[1].argmin()] < 5e-5


def test_the_bounds_hold_and_truncation_reaches_them() -> None:
    shown = numbers("two-vs")
    small = shown.steps < 0.05  # beyond, terms of higher order count
    for errors, bound in ((shown.forward, shown.forward_bound), (shown.centered, shown.centered_bound)):
        assert np.all(errors[1][small] < 1.02 * bound[small])
    truncated = (shown.steps > 1e-3) & small
    ratio = shown.forward[1] / shown.forward_bound
    assert np.all(np.abs(ratio[truncated] - 1) < 0.1)
    ratio = shown.centered[1] / shown.centered_bound
    assert np.all(np.abs(ratio[truncated] - 1) < 0.1)


def test_the_bug_stays_whatever_the_step() -> None:
    shown = numbers("two-vs")
    inside = (shown.steps > 1e-11) & (shown.steps < 1e-2)
    assert np.ptp(np.log(shown.bug[1][inside])) < 0.05
    assert shown.bug[1][inside].mean() == pytest.approx(0.05, rel=0.2)
    assert shown.bug[0][inside].min() > 1e6 * shown.centered[1].min()


def test_the_bug_is_in_the_biases_alone() -> None:
    subject = quotients.tanh_network(np.random.default_rng(3))
    wrong = quotients.without_last_row(np.random.default_rng(3))
    biases = np.concatenate([np.full(v.size, "bias" in name) for name, v in subject.parameters.items()])
    assert np.array_equal(wrong[~biases], subject.gradient[~biases])
    assert np.all(wrong[biases] != subject.gradient[biases])


def test_joined_the_bug_is_a_quarter_of_what_it_is_by_parameter() -> None:
    joined, own, right = np.empty((3, 10))
    for run in range(10):
        subject = quotients.tanh_network(np.random.default_rng([0, run]))
        wrong = quotients.without_last_row(np.random.default_rng([0, run]))
        found = quotients.numeric(subject, 1e-5)
        ends = np.cumsum([value.size for value in subject.parameters.values()])[:-1]
        parts = [np.split(vector, ends) for vector in (found, wrong, subject.gradient)]
        joined[run] = gradient_checking.relative_error(found, wrong)
        own[run] = max(gradient_checking.relative_error(a, b) for a, b in zip(parts[0], parts[1], strict=True))
        right[run] = max(gradient_checking.relative_error(a, b) for a, b in zip(parts[0], parts[2], strict=True))
    assert np.median(joined) == pytest.approx(0.05, rel=0.1)
    assert np.median(own) == pytest.approx(0.19, rel=0.05)
    assert np.median(right) < 5e-10


# --- the least error


def log_sum_exp(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    largest = logits.max(-1, keepdims=True)
    total = np.log(np.exp(logits - largest).sum(-1)) + largest[..., 0]
    return (total - logits[..., np.arange(len(labels)), labels]).mean(-1)


def test_the_noise_falls_with_the_loss_only_where_the_loss_is_kept_to_its_last_digits() -> None:
    """After 200 steps the book's loss has 3% of the noise and log-sum-exp 39%, and its errors are nine times larger."""
    kept, grown, shorter = np.empty((2, 4)), np.empty((2, 2, 4)), np.empty(4)
    for run in range(4):
        noise, least = np.empty((2, 2)), np.empty((2, 2, 2))
        for when, steps in enumerate((0, 200)):
            own = quotients.tanh_network(np.random.default_rng([0, run]), training_steps=steps)
            shorter[run] = np.linalg.norm(own.gradient) / (shorter[run] if when else 1)
            generator = np.random.default_rng([0, run])
            network.initialize(quotients.SIZES, generator)
            inputs, labels = generator.standard_normal((32, 10)), generator.integers(0, 5, 32)

            def plain(p: dict, inputs: np.ndarray = inputs, labels: np.ndarray = labels) -> np.ndarray:
                return log_sum_exp(network.forward(p, inputs, "tanh")[0], labels)

            for kind, subject in enumerate((own, own._replace(loss=plain))):
                noise[kind, when] = np.linalg.norm(quotients.numeric(subject, 1.7e-7) - subject.gradient)
                for row, method in enumerate(("forward", "centered")):
                    best = difference_quotients.best_step_size(method)
                    around = best * 10 ** np.arange(-0.5, 1.3, 0.5)
                    least[kind, row, when] = min(quotients.error(subject, step, method) for step in around)
        kept[:, run], grown[..., run] = noise[:, 1] / noise[:, 0], least[..., 1] / least[..., 0]
    assert np.median(shorter) == pytest.approx(0.03, abs=0.01)
    assert np.median(kept, axis=-1) == pytest.approx([0.03, 0.39], rel=0.35)
    np.testing.assert_allclose(np.median(grown[1], axis=-1), 9, rtol=0.35)


def test_one_example_has_a_longer_gradient_and_larger_derivatives() -> None:
    ratios = []
    for run in range(8):
        one, many = (quotients.tanh_network(np.random.default_rng([0, run]), batch=batch) for batch in (1, 32))
        derivatives = (quotients.second_derivatives, quotients.third_derivatives)
        bends = [quotients.root_mean_square(own(one)) / quotients.root_mean_square(own(many)) for own in derivatives]
        ratios.append((np.linalg.norm(one.gradient) / np.linalg.norm(many.gradient), *bends))
    np.testing.assert_allclose(np.median(ratios, axis=0), (5, 3, 3), rtol=0.15)


def right_code(seed: int, sizes: tuple[int, ...], activation: str = "tanh", scale: float = 1) -> tuple:
    """A loss, the parameters and their right gradient, drawn as the block of the derivation draws them."""
    generator = np.random.default_rng(seed)
    parameters = network.initialize(sizes, generator)
    inputs, labels = scale * generator.standard_normal((32, sizes[0])), generator.integers(0, sizes[-1], 32)

    def loss(moved: dict) -> np.ndarray:
        return objective.cross_entropy(network.forward(moved, inputs, activation)[0], labels)

    return loss, parameters, network.loss_and_gradient(parameters, inputs, labels, activation).gradient


def test_ten_layers_leave_what_the_pages_say() -> None:
    """40 of the 120 draws: tanh near 4e-9, three in ten above 1e-8; the sigmoid short gradients, and near 1e-4."""
    drawn = {
        activation: [right_code(seed, (10, *10 * (4,), 5), activation) for seed in range(40)]
        for activation in ("tanh", "sigmoid")
    }
    tanh, sigmoid = (
        np.array([gradient_checking.check_gradients(*own, chunk=64).error for own in draws]) for draws in drawn.values()
    )
    assert np.median(tanh) == pytest.approx(4e-9, rel=0.4)
    assert (tanh > 1e-8).mean() == pytest.approx(0.3, abs=0.12)
    assert 1e-8 < np.quantile(tanh, 0.9) < 6e-8
    assert np.median(sigmoid) == pytest.approx(7e-5, rel=0.4)
    assert (sigmoid > 1e-4).mean() == pytest.approx(0.3, abs=0.15)
    assert np.median([np.linalg.norm(own[2]["0.weight"]) for own in drawn["sigmoid"]]) == pytest.approx(1e-6, rel=0.4)


def test_large_inputs_want_a_smaller_step_over_one_decade() -> None:
    errors = [
        [
            gradient_checking.check_gradients(*right_code(seed, (10, 16, 5), scale=100), step=step).error
            for seed in range(24)
        ]
        for step in (None, 1e-6, 1e-7)
    ]
    np.testing.assert_allclose(np.median(errors, axis=1), (6e-7, 3.3e-8, 3.3e-7), rtol=0.25)


def test_the_cross_entropy_of_pytorch_gets_noisy_with_training() -> None:
    """The rate is 0.5: 4e-10 at the start and 7e-8 after 5000 steps."""
    torch = pytest.importorskip("torch")
    errors = np.empty((2, 2))
    for seed in range(2):
        generator = np.random.default_rng(seed)
        parameters = network.initialize(quotients.SIZES, generator)
        inputs, labels = generator.standard_normal((32, 10)), generator.integers(0, 5, 32)
        classes = torch.from_numpy(labels)

        def loss(moved: dict, inputs: np.ndarray = inputs, classes: object = classes) -> float:
            logits, _ = network.forward(moved, inputs, "tanh")
            return float(torch.nn.functional.cross_entropy(torch.from_numpy(logits), classes))

        for step in range(5001):
            gradient = network.loss_and_gradient(parameters, inputs, labels, "tanh").gradient
            if step % 5000 == 0:
                found = gradient_checking.check_gradients(loss, parameters, gradient, batched=False)
                errors[step // 5000, seed] = found.error
            parameters = {name: value - 0.5 * gradient[name] for name, value in parameters.items()}
    np.testing.assert_allclose(np.median(errors, axis=1), (4e-10, 7e-8), rtol=0.3)


def test_a_million_weights_leave_seven_or_eight_digits_along_directions() -> None:
    torch = pytest.importorskip("torch")
    from dlnotes.torch import gradient_checking as variant

    for seed in range(2):
        generator = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)
        layers = [torch.nn.Linear(*sizes) for sizes in ((784, 1000), (1000, 1000), (1000, 10))]
        module = torch.nn.Sequential(layers[0], torch.nn.Tanh(), layers[1], torch.nn.Tanh(), layers[2]).double()
        inputs = torch.randn(32, 784, generator=generator, dtype=torch.float64)
        labels = torch.randint(10, (32,), generator=generator)
        parameters = dict(module.named_parameters())

        def loss(moved: dict, module=module, inputs=inputs, labels=labels) -> object:
            return torch.nn.functional.cross_entropy(torch.func.functional_call(module, moved, (inputs,)), labels)

        gradients = torch.autograd.grad(loss(parameters), list(parameters.values()))
        found = variant.check_gradients(
            loss,
            parameters,
            dict(zip(parameters, gradients, strict=True)),
            directions=variant.random_directions(parameters, generator, count=4),
            batched=False,
        )
        assert 5e-9 < found.error < 1e-7


@pytest.mark.parametrize(
    ("kind", "expected"),
    list(enumerate((4e-8, 1e-10, 9e-4, 6e-5))),
    ids=("forward", "centered", "forward32", "centered32"),
)
def test_the_least_errors_of_the_page(kind: int, expected: float) -> None:
    """As printed: for normal inputs over the sum of both lengths, and up to half more for inputs from 0 to 1."""
    shown = dict(zip(quotients.SETTINGS, numbers("least-errors").least[kind, 1], strict=True))
    assert shown["normal inputs"] / 2 == pytest.approx(expected, rel=0.2)
    assert 1.1 < shown["inputs from 0 to 1"] / expected < 1.5
    assert 1.35 < shown["normal inputs"] / shown["inputs from 0 to 1"] < 1.8
    assert shown["one example"] / shown["normal inputs"] == pytest.approx(1 / 3, rel=0.2)
    later = shown["200 steps later"] / shown["normal inputs"]
    assert 2.4 < later < 3.1 if kind % 2 == 0 else later == pytest.approx(1.7, rel=0.1)


def test_theory_predicts_every_least_error() -> None:
    shown = numbers("least-errors")
    assert np.all(np.abs(np.log(shown.least[:, 1] / shown.theory)) < math.log(1.5))
    assert np.median(np.abs(np.log(shown.least[:, 1] / shown.theory))) < math.log(1.2)


@pytest.mark.parametrize("method", ["forward", "centered"])
def test_derivatives_from_differences_are_those_of_a_known_function(method: str) -> None:
    x = np.linspace(-1, 1, 7)
    subject = quotients.Subject(lambda p: np.sin(2 * p["x"]).sum(-1), {"x": x}, 2 * np.cos(2 * x))
    if method == "forward":
        np.testing.assert_allclose(quotients.second_derivatives(subject), -4 * np.sin(2 * x), atol=5e-3)
    else:
        np.testing.assert_allclose(quotients.third_derivatives(subject), -8 * np.cos(2 * x), rtol=2e-3)


# --- the complex step


def test_the_complex_step_has_no_rounding_arm() -> None:
    shown = numbers("complex-step")
    tiny = shown.steps < 1e-9
    assert shown.complex_step[:, tiny].max() < 4e-16
    assert slope(shown.steps, shown.complex_step[1], 1e-6, 0.2) == pytest.approx(2, abs=0.05)
    assert shown.centered[1].min() > 1e5 * shown.complex_step[1].min()


def test_the_modulus_loses_its_whole_derivative() -> None:
    shown = numbers("complex-step")
    assert np.ptp(shown.modulus[1, shown.steps < 1e-3]) < 1e-6
    generator = np.random.default_rng([0, 0])
    parameters = network.initialize(quotients.SIZES, generator)
    inputs, labels = generator.standard_normal((32, 10)), generator.integers(0, 5, 32)
    gradient = network.loss_and_gradient(parameters, inputs, labels, "tanh").gradient
    lost = {n: 0.01 * np.sign(v) if "weight" in n else np.zeros_like(v) for n, v in parameters.items()}
    full = quotients.joined({n: gradient[n] + lost[n] for n in parameters})
    expected = np.linalg.norm(quotients.joined(lost)) / max(
        np.linalg.norm(full), np.linalg.norm(quotients.joined(gradient))
    )
    seen = quotients.complex_step(seeds=1, steps=3).modulus[1, 0]
    assert seen == pytest.approx(expected, rel=1e-9)


def test_the_analytic_loss_is_the_loss_of_the_book() -> None:
    generator = np.random.default_rng(0)
    parameters = network.initialize(quotients.SIZES, generator)
    inputs, labels = generator.standard_normal((8, 10)), generator.integers(0, 5, 8)
    expected = objective.cross_entropy(network.forward(parameters, inputs, "tanh")[0], labels)
    assert quotients.analytic_loss(parameters, inputs, labels) == pytest.approx(expected, rel=1e-14)


# --- the precision


def test_half_of_the_digits_and_two_thirds() -> None:
    shown = numbers("precision")
    fine = slice(2, None)  # with 8 and 11 bits the step is too large for the theory of small ones
    assert np.polyfit(np.log(shown.units[fine]), np.log(shown.forward[1, fine]), 1)[0] == pytest.approx(0.5, abs=0.03)
    assert np.polyfit(np.log(shown.units[fine]), np.log(shown.centered[1, fine]), 1)[0] == pytest.approx(
        2 / 3, abs=0.03
    )
    assert shown.units[0] == 2.0**-7
    assert shown.centered[1, 0] == pytest.approx(0.13, abs=0.03)
    assert shown.forward[1, 0] == pytest.approx(0.27, abs=0.06)


def test_rounding_to_24_bits_is_rounding_to_float32() -> None:
    values = np.random.default_rng(0).standard_normal(1000)
    assert np.array_equal(quotients.rounded(values, 24), values.astype(np.float32).astype(float))
    assert np.array_equal(quotients.rounded(values, 11), values.astype(np.float16).astype(float))


def test_emulated_float32_is_as_good_as_float32() -> None:
    shown = numbers("precision")
    place = int(np.argmin(np.abs(shown.units - 2.0**-23)))
    normal = list(quotients.SETTINGS).index("normal inputs")
    least = numbers("least-errors").least[:, 1, normal]
    assert 0.5 < shown.forward[1, place] / least[2] < 1.5
    assert 0.5 < shown.centered[1, place] / least[3] < 1.5


# --- the gallery


def found() -> dict[str, dict[str, bool]]:
    """Which check finds which bug: the error is ten times that of right code."""
    rows = numbers("bug-gallery").stands_out > 1
    return {bug: dict(zip(bugs.CHECKS, row, strict=True)) for bug, row in zip(bugs.BUGS[1:], rows, strict=True)}


def test_every_weight_finds_all_but_the_wrong_loss() -> None:
    shown = found()
    for bug in bugs.BUGS[1:-1]:
        assert shown[bug]["every weight"], bug
        assert shown[bug]["4 directions"], bug
    assert not any(shown["labels shifted"].values())
    assert numbers("bug-gallery").stands_out[:-1, 0].min() > 5


def test_each_lazy_check_is_blind_where_the_page_says() -> None:
    shown = found()
    blind = {check: {bug for bug in bugs.BUGS[1:-1] if not shown[bug][check]} for check in bugs.CHECKS}
    assert blind == {
        "every weight": set(),
        "in float32": {"one weight off by 1%"},
        "4 directions": set(),
        "last layer only": {"ReLU's mask ignored", "weights transposed", "one weight off by 1%"},
        "one example": {"1/m missing"},
        "no penalty": {"penalty forgotten", "penalty doubled"},
        "no unit off": {"ReLU's mask ignored"},
    }


def test_in_float32_the_noise_of_the_gallery_is_kinks_and_hides_one_weight() -> None:
    """As the page says: 1% with the best step, less with a smaller one, and 0.04% from one weight that is off."""
    best = difference_quotients.best_step_size(dtype=np.float32)
    assert best == pytest.approx(7e-3, rel=0.05)
    noise, bug = np.empty((3, 7)), np.empty(7)
    for run in range(7):
        generator = np.random.default_rng([0, run])
        parameters = network.initialize((6, 8, 8, 4), generator)
        for name, value in parameters.items():
            if name.endswith("bias"):
                value += 0.3 * generator.standard_normal(value.shape)
        given = (generator.standard_normal((16, 6)), generator.integers(0, 4, 16), 0.1)
        noise[2, run] = gradient_checking.check_gradients(
            lambda moved, given=given: bugs.loss(moved, *given),
            parameters,
            bugs.gradient(parameters, *given),
            step=best,
        ).error
        parameters = {name: value.astype(np.float32) for name, value in parameters.items()}
        given = (given[0].astype(np.float32), *given[1:])
        right = bugs.gradient(parameters, *given)
        wrong = bugs.gradient(parameters, *given, bug="one weight off by 1%")
        bug[run] = gradient_checking.relative_error(right["0.weight"], wrong["0.weight"])
        for place, step in enumerate((best, 1e-3)):
            noise[place, run] = gradient_checking.check_gradients(
                lambda moved, given=given: bugs.loss(moved, *given), parameters, right, step=step
            ).error
    assert np.median(noise[0]) == pytest.approx(0.01, rel=0.3)
    assert np.median(noise[2]) == pytest.approx(0.01, rel=0.3)  # the same kinks without the rounding
    assert np.median(noise[1]) < np.median(noise[0]) / 5
    assert np.median(bug) == pytest.approx(4e-4, rel=0.1)


def test_without_a_bug_the_gradient_is_that_of_the_book() -> None:
    generator = np.random.default_rng(0)
    parameters = network.initialize((5, 4, 4, 3), generator)
    inputs, labels = generator.standard_normal((6, 5)), generator.integers(0, 3, 6)
    expected = network.loss_and_gradient(parameters, inputs, labels)
    own = bugs.gradient(parameters, inputs, labels)
    for name, value in expected.gradient.items():
        np.testing.assert_allclose(own[name], value, atol=1e-15)
    assert bugs.loss(parameters, inputs, labels) == pytest.approx(expected.loss)


# --- bugs that learn


def test_most_bugs_learn() -> None:
    shown, plain = (dict(zip(bugs.BUGS, way.T, strict=True)) for way in numbers("bugs-learn").mistakes)
    right = shown["no bug"]
    assert right[1] < 0.12
    for bug in ("1/m missing", "last row not summed", "penalty forgotten", "penalty doubled", "one weight off by 1%"):
        assert shown[bug][0] < right[2], bug
        assert right[0] < shown[bug][2], bug
    for bug in ("ReLU's mask ignored", "weights transposed"):
        assert right[1] < shown[bug][1] < 0.25, bug
    for bug in ("sign turned", "labels shifted"):
        assert shown[bug][0] > 0.8, bug
        assert plain[bug][0] > 0.8, bug
    # Plain descent shows three more, and no other.
    for bug in ("1/m missing", "ReLU's mask ignored", "weights transposed"):
        assert plain[bug][0] > 0.85, bug
    for bug in ("no bug", "last row not summed", "penalty forgotten", "penalty doubled", "one weight off by 1%"):
        assert plain[bug][1] < 0.12, bug
        assert plain[bug][0] < plain["no bug"][2], bug


def test_at_a_smaller_rate_plain_descent_shows_fewer_bugs(monkeypatch) -> None:
    """At the rate 0.1 the ignored mask and the transposed weights learn, and the missing factor still stops it."""
    monkeypatch.setattr(bugs, "BUGS", ("ReLU's mask ignored", "weights transposed", "1/m missing"))
    monkeypatch.setattr(bugs, "OPTIMIZERS", (lambda: momentum.Momentum(0.1, 0.0),))
    mistakes = dict(zip(bugs.BUGS, bugs.bugs_learn().mistakes[0, 1], strict=True))
    assert mistakes["1/m missing"] > 0.8
    assert mistakes["ReLU's mask ignored"] == pytest.approx(0.18, abs=0.02)
    assert mistakes["weights transposed"] == pytest.approx(0.15, abs=0.02)


def test_adam_does_not_absorb_a_missing_factor_beside_a_penalty(monkeypatch) -> None:
    """As the page says: at 32 times the loss a strong penalty counts as good as nothing."""
    monkeypatch.setattr(bugs, "OPTIMIZERS", bugs.OPTIMIZERS[:1])
    monkeypatch.setattr(bugs, "BUGS", ("no bug", "1/m missing", "penalty forgotten"))
    right, missing, forgotten = bugs.bugs_learn(steps=600, strength=3e-2, seeds=4).mistakes[0, 1]
    assert missing == pytest.approx(forgotten, abs=0.01)
    assert right > 1.25 * missing


# --- random directions


def test_the_probability_of_missing_in_closed_form() -> None:
    ratios = np.geomspace(1e-2, 10, 30)
    np.testing.assert_allclose(bugs.miss_probability(ratios, 1), 2 / math.pi * np.arctan(ratios), rtol=1e-3)
    np.testing.assert_allclose(bugs.miss_probability(ratios, 2), ratios**2 / (1 + ratios**2), rtol=1e-3)
    # For four, sin^3 has the antiderivative cos^3 / 3 - cos.
    double = np.cos(2 * np.arctan(ratios))
    np.testing.assert_allclose(bugs.miss_probability(ratios, 4), (2 - 3 * double + double**3) / 4, rtol=1e-2)
    assert bugs.miss_probability(np.array(1e-4), 1) == pytest.approx(1 / 16_000, rel=0.03)


def test_directions_miss_as_often_as_theory_says() -> None:
    shown = numbers("directions")
    deviation = np.sqrt(shown.theory * (1 - shown.theory) / 8000)
    assert np.all(np.abs(shown.missed - shown.theory) < 4.5 * deviation + 2.5 / 8000)


def test_the_error_is_turned_and_a_thousandth() -> None:
    right, wrong = bugs._right_and_wrong(0)
    assert np.linalg.norm(wrong - right) == pytest.approx(1e-3 * np.linalg.norm(right))
    assert abs((wrong - right) @ right) < 1e-12 * (right @ right)


def test_one_direction_gives_false_alarms_and_four_give_none() -> None:
    """A right gradient of a median error of 2e-10: 1.4% of single directions above 1e-8, 0.1% above 1e-7."""
    generator = np.random.default_rng(0)
    parameters = network.initialize(quotients.SIZES, generator)
    inputs, labels = generator.standard_normal((32, 10)), generator.integers(0, 5, 32)
    gradient = network.loss_and_gradient(parameters, inputs, labels, "tanh").gradient["0.weight"]
    weight = parameters["0.weight"]
    lots = gradient_checking.random_directions({"w": weight}, generator, count=8000)["w"]

    def loss(moved: np.ndarray) -> np.ndarray:
        return objective.cross_entropy(network.forward({**parameters, "0.weight": moved}, inputs, "tanh")[0], labels)

    found = np.concatenate(
        [gradient_checking.directional_derivatives(loss, weight, lots[i : i + 200]) for i in range(0, 8000, 200)]
    )
    exact = np.tensordot(lots, gradient, axes=2)
    single, four = (
        gradient_checking.relative_error(found.reshape(-1, count), exact.reshape(-1, count), run_axes=1)
        for count in (1, 4)
    )
    assert np.median(single) == pytest.approx(2e-10, rel=0.4)
    assert (single > 1e-8).mean() == pytest.approx(0.014, rel=0.3)
    assert (single > 1e-7).mean() == pytest.approx(0.0014, rel=0.8)
    assert four.max() < 1e-8


# --- kinks


def test_weights_meet_kinks_as_often_as_theory_says() -> None:
    shown = numbers("kinks")
    often = shown.theory * 20 * 160 > 30  # expected number of weights that meet one, over all networks
    assert often.sum() >= 8
    # Weights of one unit share its kinks, so they are not independent draws.
    assert np.all(np.abs(np.log(shown.crossed[often] / shown.theory[often])) < math.log(2.2))
    assert shown.crossed[-1, -1] == pytest.approx(shown.theory[-1, -1], rel=0.1)


def test_how_large_a_network_meets_a_kink_at_the_best_step() -> None:
    """A hundred inputs and units and a thousand examples in four of five; one of the two alone in few.

    And of small networks that meet a kink at a step, most meet none at a tenth of it.
    """

    def share(inputs: int, units: int, examples: int, draws: int, step: float = 1e-5) -> float:
        generator, met = np.random.default_rng(0), 0
        for _ in range(draws):
            x = generator.standard_normal((examples, inputs))
            z = x @ generator.standard_normal((units, inputs)).T * math.sqrt(2 / inputs)
            met += bool(np.any(np.abs(z) < step * np.abs(x).max(axis=1, keepdims=True)))
        return met / draws

    assert 0.65 < share(100, 100, 1000, 80) < 0.92
    assert share(100, 100, 32, 200) < 0.2
    assert share(10, 16, 1000, 200) < 0.3
    assert share(10, 16, 1000, 200) < 0.4 * share(10, 16, 1000, 200, step=1e-4)  # the same draws


def test_the_error_of_kinks_grows_with_the_root_of_the_step() -> None:
    shown = numbers("kinks")
    assert np.all(np.abs(np.log(shown.relu[:, -2:] / shown.relu_theory[:, -2:])) < math.log(1.5))
    assert slope(shown.steps, shown.relu[-1], 9e-5, 2e-2) == pytest.approx(0.5, abs=0.12)
    assert slope(shown.steps, shown.tanh, 9e-5, 2e-2) == pytest.approx(2, abs=0.02)
    unmet = shown.crossed == 0
    assert unmet.any()
    assert np.all(shown.relu[unmet] < 1e-8)
    assert np.all(shown.relu[:, -1] > 1e-2)


def test_the_first_kink_lifts_the_error_by_four_to_six_powers_of_ten() -> None:
    """Over what a smooth function would have: its arms go on with the slopes -1 and 2; two steps are a decade."""
    shown = numbers("kinks")
    for crossed, errors in zip(shown.crossed, shown.relu, strict=True):
        first = int((crossed > 0).argmax())
        before, last = errors[first - 2 : first]
        smooth = last * 10 if last > before else last / math.sqrt(10)
        assert 3.9 < math.log10(errors[first] / smooth) < 6.4


def test_one_kink_is_off_by_what_the_derivation_says() -> None:
    """A kink at a random place within the step: the mean square of the error is J^2 / 12."""
    places = np.random.default_rng(0).uniform(0, 1e-3, 20_000)
    errors = [
        gradient_checking.numerical_gradient(lambda p, t=t: 3 * np.maximum(p[:, 0] - t, 0), np.zeros(1), step=1e-3)[0]
        for t in places[:2000]
    ]
    assert np.mean(np.square(errors)) == pytest.approx(9 / 12, rel=0.08)


# --- dropout and batch norm


def test_one_mask_makes_a_v_and_fresh_masks_a_line() -> None:
    shown = numbers("layers")
    assert shown.fixed[1].min() < 1e-9
    assert slope(shown.steps, shown.fixed[1], 5e-5, 5e-2) == pytest.approx(2, abs=0.05)
    assert slope(shown.steps, shown.fresh[1], 1e-8, 1e-2) == pytest.approx(-1, abs=0.02)
    assert np.all(np.abs(shown.fresh[1] / shown.fresh_theory - 1) < 0.25)


def test_batch_norm_passes_and_constants_fail() -> None:
    shown = numbers("layers")
    assert shown.normalized[1].min() < 1e-9
    inside = shown.steps < 1e-2
    assert np.ptp(shown.constant[1][inside]) < 1e-3
    assert shown.constant[1][inside].mean() == pytest.approx(0.27, abs=0.05)
    assert layers.BATCHES == (4, 32, 128)
