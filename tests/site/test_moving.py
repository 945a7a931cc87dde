"""Figures that move: what they compute is what the kernels compute, and hand, ear and eye can all use them.

Each page is opened once and used by many tests, which leave it as it was by Reset.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import itertools
import json
import re
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest

from dlnotes.book import drawing, layout
from dlnotes.figures import (
    activations_by_hand,
    adaptive_methods_by_hand,
    gradient_clipping_by_hand,
    initialization_by_hand,
    momentum_by_hand,
)
from dlnotes.figures import gradient_clipping as cliffs
from dlnotes.figures import momentum as walks
from dlnotes.numpy import activations, gradient_clipping, initialization, momentum
from tests.site.conftest import NARROW, ROOT, WIDE, click, page_of_many_tests
from tests.site.test_access import violations

BOOK = layout.Layout(ROOT)
SCRIPTS = ROOT / "docs" / "assets" / "js"
NAMES = sorted(path.stem for path in (SCRIPTS / "moving").glob("*.js"))
PLAYED = {"activations": "Pre-activation", "initialization": "Layers"}  # by Play; elsewhere the steps shown
DRAGGED = {"activations": "x", "initialization": "y"}  # the only way in which the point is moved
each_figure = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def workshop(browser, address):
    """Give for a figure the page that holds it, opened once."""
    with contextlib.ExitStack() as stack:
        open_ = {}

        def page(name: str):
            if name not in open_:
                path = f"chapters/{name}/#figure-by-hand"
                open_[name] = stack.enter_context(page_of_many_tests(browser, address, path))
                open_[name].locator(".moving--live").wait_for()
            click(open_[name].locator(".moving").get_by_text("Reset", exact=True))
            return open_[name]

        yield page


def computed(page, name: str, function: str, *arguments):
    """Call a function of a figure's module in the page, once with each of the arguments."""
    code = """async ([name, called, text]) => {
        const given = JSON.parse(text);
        const module = await import(new URL(`../../assets/js/moving/${name}.js`, location));
        return JSON.stringify(given.map(each => module[called](...each)));
    }"""
    return json.loads(page.evaluate(code, [name, function, json.dumps(arguments)]))


def said(page, wanted: str) -> None:
    """See that the sentence for the ear comes to rest at this, and that the eye reads the same."""
    found = "wanted => document.querySelector('.moving__heard').textContent === wanted"
    try:
        page.wait_for_function(found, arg=wanted, timeout=5000)
    except Exception:
        assert page.locator(".moving__heard").text_content() == wanted
    assert page.locator(".moving__said").text_content() == wanted


def press(page, label: str, *keys: str) -> None:
    field = page.locator(".moving__stage").get_by_label(label, exact=True)
    field.focus()
    for key in keys:
        page.keyboard.press(key)


# --- momentum

RATES, BETAS, CONDITIONS = (0.05, 0.5, 1.0, 1.95, 2.4, 3.3, 4.0), (0.0, 0.25, 0.5, 0.82, 0.99), (1, 3, 30, 300)
SETTINGS = list(itertools.product(RATES, BETAS, CONDITIONS))


def momentum_paths(settings, steps: int) -> np.ndarray:
    """Walk down the bowl under each setting, all at once; (setting, step, coordinate)."""
    rates, betas, conditions = np.array(settings).T
    curvatures = np.stack([1 / conditions, np.ones(len(settings))], axis=-1)
    starts = np.tile(momentum_by_hand.START, (len(settings), 1))
    return np.moveaxis(walks.walk(momentum.Momentum(rates, betas), curvatures, starts, steps), 0, 1)


def momentum_sentences(*settings, patience: int = 2000) -> list[str]:
    """Say what the page must say of each setting, from the kernels."""
    sentences = []
    rates, betas, conditions = np.array(settings, dtype=float).T
    radii = np.maximum(*(momentum.contraction(h, rates, betas) for h in (1 / conditions, np.ones(len(settings)))))
    inside = np.flatnonzero(radii < 1)
    paths = iter(momentum_paths([settings[at] for at in inside], patience) if len(inside) else [])
    for (rate, beta, condition), radius in zip(settings, radii, strict=True):
        setting = f"Rate {rate:g}, beta {beta:g}, condition {condition}"
        if radius > 1 + 1e-9:
            sentences.append(f"{setting}: diverges, each step multiplies the error by {radius:.2f}.")
            continue
        far = np.linalg.norm(next(paths), axis=-1) > np.linalg.norm(momentum_by_hand.START) / 1000
        steps = f"more than {patience}" if far[-1] else int(np.flatnonzero(far).max()) + 1
        sentences.append(f"{setting}: converges, {steps} steps to a thousandth.")
    return sentences


def test_momentum_takes_the_steps_of_the_kernel(workshop):
    page = workshop("momentum")
    asked = [(r, b, [1 / c, 1.0], momentum_by_hand.START.tolist(), 60) for r, b, c in SETTINGS]
    found = np.array(computed(page, "momentum", "path", *asked), dtype=float)  # JSON writes 1e20 as a whole number
    np.testing.assert_allclose(found, momentum_paths(SETTINGS, 60), rtol=1e-9, atol=1e-9)


def test_momentum_has_the_factor_and_the_best_setting_of_the_kernel(workshop):
    page = workshop("momentum")
    asked = [(h, rate, beta) for h in (0.003, 0.3, 1.0) for rate, beta, _ in SETTINGS]
    found = computed(page, "momentum", "contraction", *asked)
    np.testing.assert_allclose(found, momentum.contraction(*np.array(asked).T), rtol=1e-9)
    for condition, best in zip(
        CONDITIONS, computed(page, "momentum", "best", *[[[1 / c, 1]] for c in CONDITIONS]), strict=True
    ):
        wanted = momentum.best_momentum(1 / condition, 1.0)
        assert (best["rate"], best["beta"]) == pytest.approx(wanted[:2], rel=1e-9)


def test_momentum_says_what_the_kernel_does(workshop):
    page = workshop("momentum")
    asked = [{"rate": r, "beta": b, "condition": c} for r, b, c in SETTINGS]
    wanted = momentum_sentences(*SETTINGS)
    assert computed(page, "momentum", "sentence", *[[each] for each in asked]) == wanted
    assert len({re.split("[:,] ", each)[3] for each in wanted}) == 2  # both kinds are there
    edge = computed(page, "momentum", "sentence", [{"rate": 3, "beta": 0.5, "condition": 30}])
    assert edge == ["Rate 3, beta 0.5, condition 30: on the edge, where the error does not die out."]


def test_momentum_begins_as_the_picture_of_the_book(workshop):
    page = workshop("momentum")
    numbers, (rows, columns) = momentum_by_hand.by_hand(), momentum_by_hand.CELLS
    middles = itertools.product((np.arange(rows) + 0.5) / rows, (np.arange(columns) + 0.5) / columns * 4)
    shades = computed(page, "momentum", "shade", *[(rate, beta, 30) for beta, rate in middles])
    found = np.array(shades, dtype=float).reshape(rows, columns)
    np.testing.assert_array_equal(found, numbers.shade)
    said(page, *momentum_sentences((momentum_by_hand.RATE, momentum_by_hand.BETA, int(momentum_by_hand.CONDITION))))
    drawn = page.locator(".moving__panel").nth(1).locator("polyline.orange").get_attribute("points")
    assert len(drawn.split()) == len(numbers.x)


def test_momentum_is_moved_by_keys(workshop):
    page = workshop("momentum")
    press(page, "Beta", "Home")
    press(page, "Learning rate", *["ArrowRight"] * 28)
    said(page, "Rate 2.4, beta 0, condition 30: diverges, each step multiplies the error by 1.40.")
    press(page, "Beta", *["ArrowRight"] * 25)
    said(page, *momentum_sentences((2.4, 0.25, 30)))
    assert "converges" in page.locator(".moving__said").text_content()
    press(page, "Condition number", "ArrowRight")
    said(page, *momentum_sentences((2.4, 0.25, 100)))
    press(page, "Setting", "ArrowLeft", "ArrowUp", "Shift+ArrowUp")
    said(page, *momentum_sentences((2.35, 0.31, 100)))
    assert page.get_by_label("Setting", exact=True).get_attribute("aria-valuetext") == "learning rate 2.35, beta 0.31"


def test_what_the_page_of_momentum_says_to_try_is_true(workshop):
    words = workshop("momentum").locator(".moving__try").inner_text()
    assert "Put beta at 0 and the rate at 2.4: the path leaves the bowl." in words
    assert "From 0.25 on the same rate converges." in words
    radii = momentum.contraction(
        np.ones(100), 2.4, np.arange(100) / 100
    )  # of the steep axis, which is the first to grow
    assert ((radii < 1) == (np.arange(100) >= 21)).all()
    assert all(momentum.contraction(np.array([1 / c, 1]), 2.4, 0.25).max() < 1 for c in CONDITIONS)


# --- gradient clipping

STARTS = list(itertools.product((4.02, 4.4, 4.8, 5.18), (-2.68, -2.2, -1.62)))


def test_clipping_has_the_loss_the_slopes_and_the_factor_of_the_kernels(workshop):
    page = workshop("gradient_clipping")
    near = [(w, -w / 2 + off) for w in (4.1, 4.6, 5.1) for off in (-1e-5, 1e-5, 0.02)]  # at the edge of the wall
    places = np.array([*STARTS, *near])
    wanted = cliffs.unit_loss(*places.T, gradient_clipping_by_hand.LENGTH)
    slopes = np.stack([wanted.slope_weight, wanted.slope_bias], axis=-1)
    found = computed(page, "gradient_clipping", "unit", *[[place] for place in places.tolist()])
    np.testing.assert_allclose([each["loss"] for each in found], wanted.loss, rtol=1e-9)
    np.testing.assert_allclose([each["gradient"] for each in found], slopes, rtol=1e-9)
    for bound in (0.3, 3.0, 300.0):
        clipped = computed(page, "gradient_clipping", "clipped", *[(slope, bound) for slope in slopes.tolist()])
        np.testing.assert_allclose(clipped, gradient_clipping.clip_by_norm(slopes, bound, 1), rtol=1e-9)


def test_each_step_by_the_cliff_is_the_kernels(workshop):
    """Each step by itself: where a descent bounces off the wall, the last digit decides where it goes."""
    page = workshop("gradient_clipping")
    hand = gradient_clipping_by_hand
    asked = [(start, bound) for start in STARTS for bound in (0.3, 3, 30, None)]
    for (_, bound), found in zip(asked, computed(page, "gradient_clipping", "descent", *asked), strict=True):
        places, losses = np.array(found["places"], dtype=float), np.array(found["losses"])
        here = cliffs.descend(*places[:-1].T, hand.RATE, bound or hand.NEVER, 1, hand.LENGTH)
        np.testing.assert_allclose(here[0][1].T, places[1:], rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(here[1][0], losses[:-1], rtol=1e-9, atol=1e-12)
        assert len(losses) == len(places) == hand.STEPS + 1


@functools.cache
def clipping_words() -> dict[float, str]:
    """Say of the descent under each threshold from the first start what the page must say, from the kernels."""
    hand = gradient_clipping_by_hand
    bounds = np.array([3.0, 10.0, 30.0, hand.NEVER])
    starts = np.tile(hand.START, (len(bounds), 1)).T
    places, losses = cliffs.descend(*starts, hand.RATE, bounds, hand.STEPS, hand.LENGTH)
    words = {}
    for at, bound in enumerate(bounds.tolist()):
        longest = np.linalg.norm(np.diff(places[..., at], axis=0), axis=-1).max()
        last = np.flatnonzero(losses[:, at] >= 0.001).max()
        end = f"solved in {last + 1} steps" if last < hand.STEPS else f"not solved in {hand.STEPS} steps"
        words[bound] = f"{end}, the longest {longest:.2f}"
    return words


def clipping_sentence(bound: float) -> str:
    """Say what the page must say, from the kernels."""
    plain = clipping_words()[gradient_clipping_by_hand.NEVER]
    return f"Start 4.8, \u22121.8. Clipped at {bound:g}: {clipping_words()[bound]}. Not clipped: {plain}."


def test_clipping_begins_as_the_picture_of_the_book_and_is_moved_by_keys(workshop):
    page, hand = workshop("gradient_clipping"), gradient_clipping_by_hand
    numbers, (rows, columns) = drawing.numbers(BOOK, drawing.Figure("gradient_clipping", "by-hand")), hand.CELLS
    middles = [
        [hand.WEIGHTS[0] + (column + 0.5) / columns * 1.2, hand.BIASES[0] + (row + 0.5) / rows * 1.1]
        for row in range(rows)
        for column in range(columns)
    ]
    shades = computed(page, "gradient_clipping", "shade", *[[middle] for middle in middles])
    np.testing.assert_array_equal(np.reshape(shades, (rows, columns)), numbers.shade)
    said(page, clipping_sentence(3.0))
    press(page, "Threshold", "ArrowRight")
    said(page, clipping_sentence(10.0))
    press(page, "Start", "ArrowLeft", "ArrowDown")
    assert page.get_by_label("Start", exact=True).get_attribute("aria-valuetext") == "weight 4.78, bias \u22121.82"


def test_what_the_page_of_clipping_says_to_try_is_true(workshop):
    page = workshop("gradient_clipping")
    words = page.locator(".moving__try").inner_text()
    assert "from 3 to 10: the clipped descent is thrown farther and needs more steps. At 30 it does not arrive" in words
    three, ten, thirty = (clipping_words()[bound] for bound in (3.0, 10.0, 30.0))
    numbers = [re.fullmatch(r"solved in (\d+) steps, the longest (\S+)", each) for each in (three, ten)]
    assert int(numbers[0][1]) < int(numbers[1][1])
    assert float(numbers[0][2]) < float(numbers[1][2])
    assert thirty.startswith("not solved in 300 steps")
    press(page, "Threshold", "ArrowRight", "ArrowRight")
    said(page, clipping_sentence(30.0))


# --- adaptive methods

RAVINES = list(itertools.product((0, 20, 45), (2, 20, 100), ([-2.8, 1.1], [0.5, 3.0])))


def adaptive_sentence(start, degrees: float, condition: float) -> str:
    """Say what the page must say, from the kernels."""
    hand, counts = adaptive_methods_by_hand, []
    hessian = hand.ravine(degrees, condition)
    for name, optimizer in hand.METHODS.items():
        places = hand.walk(optimizer, hessian, start, 300)
        losses = (places @ hessian * places).sum(-1)
        small = losses < losses[0] / 100
        counts.append(f"{name} {np.argmax(small) if small.any() else 'over 300'}")
    x, y = (f"{round(one, 2):g}".replace("-", "\u2212") for one in start)
    where = f"Turned by {degrees}\u00b0, condition {condition}, start {x}, {y}."
    return f"{where} Steps to a hundredth of the loss: {', '.join(counts)}."


@pytest.mark.parametrize("method", adaptive_methods_by_hand.METHODS)
def test_each_optimizer_takes_the_steps_of_its_kernel(workshop, method):
    """Each step by itself, after the gradients before it: RMSprop blows up a last digit where a gradient is near 0."""
    page, hand = workshop("adaptive_methods"), adaptive_methods_by_hand
    asked = [(method, start, degrees, condition, 60) for degrees, condition, start in RAVINES]
    paths = np.array(computed(page, "adaptive_methods", "path", *asked))
    hessians = np.array([hand.ravine(degrees, condition) for degrees, condition, _ in RAVINES])
    optimizer = hand.METHODS[method]
    state = optimizer.init({"w": paths[:, 0]})
    for before, after in itertools.pairwise(np.moveaxis(paths, 1, 0)):
        gradient = (hessians @ before[..., None])[..., 0]
        updates, state = optimizer.update({"w": gradient}, state, {"w": before})
        np.testing.assert_allclose(after - before, updates["w"], rtol=1e-9, atol=1e-9)


def test_optimizers_begin_as_the_picture_of_the_book_and_are_moved_by_keys(workshop):
    page, hand = workshop("adaptive_methods"), adaptive_methods_by_hand
    said(page, adaptive_sentence(hand.START, 0, 20))
    numbers = hand.by_hand()
    for row, method in enumerate(hand.METHODS):
        (path,) = computed(page, "adaptive_methods", "path", (method, hand.START.tolist(), 0, 20, hand.STEPS))
        np.testing.assert_allclose(path, np.stack([numbers.x[row], numbers.y[row]], -1), rtol=1e-9, atol=1e-9)
        (losses,) = computed(page, "adaptive_methods", "losses", (path, 0, 20))
        np.testing.assert_allclose(losses, numbers.loss[row], rtol=1e-9, atol=1e-15)
    press(page, "Condition number", "ArrowRight")
    said(page, adaptive_sentence(hand.START, 0, 100))
    press(page, "Start", "ArrowRight", "ArrowUp", "Shift+ArrowUp")
    said(page, adaptive_sentence(np.array([-2.7, 1.7]), 0, 100))


def test_what_the_page_of_adaptive_methods_says_to_try_is_true(workshop):
    page, hand = workshop("adaptive_methods"), adaptive_methods_by_hand
    told = page.locator(".moving__try").inner_text()
    assert "SGD and momentum take as many steps as before, RMSprop and Adam take more." in told
    assert "At condition number 5, or from another start, Adam can take fewer." in told
    press(page, "Turned by", "End")
    angle = np.deg2rad(45)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    said(page, adaptive_sentence(turn @ hand.START, 45, 20))

    def more(start, condition: int) -> dict[str, int]:
        """Steps that each takes more of in the turned ravine."""
        pair = adaptive_sentence(start, 0, condition), adaptive_sentence(turn @ start, 45, condition)
        before, after = (dict(re.findall(r"(\w+) (\d+)", text.split("loss: ")[1])) for text in pair)
        return {name: int(after[name]) - int(before[name]) for name in before}

    change, at_five, elsewhere = more(hand.START, 20), more(hand.START, 5), more(np.array([0.5, 3.0]), 20)
    assert [each[name] for each in (change, at_five, elsewhere) for name in ("SGD", "momentum")] == [0] * 6
    assert min(change["RMSprop"], change["Adam"]) > 0
    assert max(at_five["Adam"], elsewhere["Adam"]) < 0


def test_a_start_at_the_edge_is_turned_with_the_ravine_and_comes_back(workshop):
    """A start stays in a circle in the panel: in a corner it would be cut when it is turned."""
    page = workshop("adaptive_methods")
    press(page, "Start", *["Shift+ArrowRight", "Shift+ArrowUp"] * 16)
    placed = page.locator(".moving__said").text_content()
    start = [float(one) for one in re.search(r"start ([\d.]+), ([\d.]+)\.", placed).groups()]
    assert np.hypot(*start) == pytest.approx(3.8, abs=0.01)
    press(page, "Turned by", "End")
    turned = page.locator(".moving__said").text_content()
    for name in ("SGD", "momentum"):
        assert re.search(rf"{name} \d+", turned)[0] == re.search(rf"{name} \d+", placed)[0]
    press(page, "Turned by", "Home")
    assert page.locator(".moving__said").text_content() == placed


# --- activations

SHOWN = activations_by_hand.SHOWN
POINTS = np.round(np.arange(-40, 41) / 10, 1).tolist()


def words_of(number: float) -> str:
    """Write a setting as the page does."""
    return f"{round(number, 2):g}".replace("-", "\u2212")


def size(number: float, digits: int = 2) -> str:
    """Write a result as the page does; a tie is rounded away from 0, as in JavaScript."""
    exact = Decimal(number)
    if not exact:
        return "0"
    rounded = exact.quantize(Decimal(1).scaleb(exact.adjusted() - digits + 1), ROUND_HALF_UP)
    power = rounded.adjusted()
    text = f"{float(rounded):g}" if -3 <= power <= 3 else f"{float(rounded.scaleb(-power)):g}e{power}"
    return text.replace("-", "\u2212")


def gradient_behind(name: str, z: np.ndarray, units: int) -> np.ndarray:
    """Carry a gradient of 1 back through units that are all at z."""
    gradient = np.ones_like(z)
    for _ in range(units):
        gradient = getattr(activations, f"{name}_backward")(gradient, z)
    return gradient


def activation_sentence(name: str, z: float, units: int) -> str:
    """Say what the page must say, from the kernels."""
    function, slope = activations.lookup(name)
    at = np.array([z])
    value, steep = (size(one(at).item(), 3) for one in (function, slope))
    behind = f"{units} such slope{'s' if units > 1 else ''}"
    left = size(gradient_behind(name, at, units).item())
    where = f"At {words_of(z)} the value of {SHOWN[name]} is {value}, its slope {steep}."
    return f"{where} After {behind} a gradient of 1 is {left}."


def test_each_activation_has_the_value_the_slope_and_the_backward_pass_of_its_kernel(workshop):
    page, z = workshop("activations"), np.array(POINTS)
    for name in SHOWN:
        function, slope = activations.lookup(name)
        asked = [(name, one) for one in POINTS]
        np.testing.assert_allclose(computed(page, "activations", "value", *asked), function(z), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(computed(page, "activations", "slope", *asked), slope(z), rtol=1e-9, atol=1e-12)
        for units in (1, 3, 20):
            found = computed(page, "activations", "left", *[(*each, units) for each in asked])
            np.testing.assert_allclose(found, gradient_behind(name, z, units), rtol=1e-8, atol=0)


def test_activations_say_what_the_kernels_do(workshop):
    page = workshop("activations")
    settings = list(itertools.product(SHOWN, POINTS[::8], (1, 10)))
    asked = [[{"activation": name, "z": z, "units": units}] for name, z, units in settings]
    assert computed(page, "activations", "sentence", *asked) == [activation_sentence(*each) for each in settings]


def test_activations_begin_as_the_picture_of_the_book_and_are_moved_by_keys(workshop):
    page, hand = workshop("activations"), activations_by_hand
    said(page, activation_sentence(hand.ACTIVATION, hand.POINT, hand.UNITS))
    left = computed(page, "activations", "left", *[(name, hand.POINT, hand.UNITS) for name in SHOWN])
    np.testing.assert_allclose(left, hand.by_hand().left, rtol=1e-9)
    assert page.locator(".moving__bar").count() == len(SHOWN)
    press(page, "Activation", "ArrowRight", "ArrowRight")
    said(page, activation_sentence("relu", 2.0, 10))
    press(page, "Point on the curve", "Shift+ArrowLeft", *["Shift+ArrowDown"] * 4, "ArrowUp")
    said(page, "At \u22120.4 the value of ReLU is 0, its slope 0. After 10 such slopes a gradient of 1 is 0.")
    grip = page.get_by_label("Point on the curve", exact=True)
    assert grip.get_attribute("aria-valuetext") == "pre-activation \u22120.4"
    press(page, "Units passed", "Home")
    press(page, "Activation", "End")
    said(page, activation_sentence("silu", -0.4, 1))


def test_what_the_page_of_activations_says_to_try_is_true(workshop):
    words = workshop("activations").locator(".moving__try").inner_text()
    assert "the sigmoid: ten slopes leave at most a millionth of the gradient" in words
    assert "Now ReLU: they leave all of it, or nothing." in words
    z = np.array(POINTS)
    assert gradient_behind("sigmoid", z, 10).max() < 1e-6
    assert set(gradient_behind("relu", z, 10).tolist()) == {0, 1}


# --- initialization

KINDS = ("sigmoid", "tanh", "relu", "elu", "selu", "gelu", "silu")
VARIANCES = (1e-9, 0.02, 1.0, 4.0, 60.0, 1e9)  # of pre-activations


def layers_sentence(name: str, variance: float, correlation: float, layers: int) -> str:
    """Say what the page must say, from the kernels."""
    numbers = initialization_by_hand.through(name, variance, correlation, layers)
    setting = f"{layers} layer{'s' if layers > 1 else ''} of {SHOWN[name]}, variance {words_of(variance)}/n"
    sizes = f"signal times {size(numbers.signal[-1])}, gradient times {size(numbers.gradient[0])}"
    became = words_of(numbers.correlation[-1])
    return f"{setting}: {sizes}, correlation from {words_of(correlation)} to {became}."


@pytest.mark.parametrize("name", KINDS)
def test_a_layer_has_the_maps_of_the_kernels(workshop, name):
    page, correlations = workshop("initialization"), (0.0, 0.5, 0.98, 1 - 1e-9)
    code = """async ([name, variances, correlations]) => {
        const load = name => import(new URL(`../../assets/js/${name}.js`, location));
        const [{ mean_square, correlation_map }, { ACTIVATIONS }] = await Promise.all([
            load("moving/initialization"), load("activations"),
        ]);
        const { value, slope } = ACTIVATIONS[name];
        return variances.map(q => [
            mean_square(value, q), mean_square(slope, q), ...correlations.map(c => correlation_map(value, c, q)),
        ]);
    }"""
    found = np.array(page.evaluate(code, [name, VARIANCES, correlations]), dtype=float)
    variances = np.array(VARIANCES)
    wanted = [initialization.second_moment_map(name, variances), initialization.slope_moment(name, variances)]
    np.testing.assert_allclose(found[:, :2].T, wanted, rtol=1e-9)
    bounded = {"sigmoid": 4.0, "tanh": 4.0}.get(name, np.inf)  # no variance / n of the figure is above 4
    for q, row in zip(VARIANCES, found[:, 2:], strict=True):
        if q <= bounded:
            wanted = initialization.correlation_map(name, np.array(correlations), np.full(4, q))
            np.testing.assert_allclose(row, wanted, rtol=0, atol=3e-9)


@pytest.mark.parametrize("name", KINDS)
def test_a_path_through_the_layers_is_that_of_the_kernels(workshop, name):
    page = workshop("initialization")
    for variance, correlation in ((0.2, 0.0), (1.0, 0.5), (4.0, 0.98)):
        (passed,) = computed(page, "initialization", "forward", (name, variance, correlation, 12))
        wanted = initialization_by_hand.through(name, variance, correlation, 12)
        np.testing.assert_allclose([each["q"] for each in passed], wanted.signal, rtol=1e-9)
        np.testing.assert_allclose([each["c"] for each in passed], wanted.correlation, rtol=0, atol=3e-8)
        (gradients,) = computed(page, "initialization", "backward", (name, variance, passed))
        np.testing.assert_allclose(gradients, wanted.gradient, rtol=1e-9)
        asked = {"activation": name, "variance": variance, "correlation": correlation, "layers": 12}
        (words,) = computed(page, "initialization", "sentence", [asked])
        assert words == layers_sentence(name, variance, correlation, 12)


def test_layers_begin_as_the_picture_of_the_book_and_are_moved_by_keys(workshop):
    page, hand = workshop("initialization"), initialization_by_hand
    said(page, layers_sentence(hand.ACTIVATION, hand.VARIANCE, hand.CORRELATION, hand.LAYERS))
    drawn = page.locator(".moving__panel").nth(1).locator("polyline.green").get_attribute("points")
    assert len(drawn.split()) == hand.LAYERS + 1
    press(page, "Variance", *["ArrowLeft"] * 5)
    said(page, layers_sentence("relu", 1.5, 0.0, 30))
    press(page, "Correlation of the inputs", "ArrowUp", "Shift+ArrowRight", "ArrowDown")
    grip = page.get_by_label("Correlation of the inputs", exact=True)
    assert grip.get_attribute("aria-valuetext") == "correlation 0.1"
    press(page, "Layers", "Home")
    said(page, layers_sentence("relu", 1.5, 0.1, 1))
    press(page, "Activation", "ArrowRight", "ArrowRight")
    press(page, "Layers", *["ArrowRight"] * 5)
    said(page, layers_sentence("selu", 1.5, 0.1, 6))


def test_what_the_page_of_initialization_says_to_try_is_true(workshop):
    page = workshop("initialization")
    words = page.locator(".moving__try").inner_text()
    assert "ReLU at 1.5/n: signal and gradient lose a quarter in each layer." in words
    assert "At 2/n they keep their size, and still any two inputs become alike." in words
    assert "tanh at 4/n: 30 layers take a correlation of 0.98 to 0.09, and the gradient explodes." in words
    for variance, factor in ((1.5, 0.75), (2.0, 1.0)):
        shown = initialization_by_hand.through("relu", variance, 0.0, 50)
        np.testing.assert_allclose(shown.signal, factor ** np.arange(51.0), rtol=1e-9)
        np.testing.assert_allclose(shown.gradient, shown.signal[::-1], rtol=1e-9)
    for correlation in (0.0, 0.5, 0.98):
        assert (np.diff(initialization_by_hand.through("relu", 2.0, correlation, 20).correlation) > 0).all()
    shown = initialization_by_hand.through("tanh", 4.0, 0.98, 30)
    assert round(shown.correlation[-1], 2) == 0.09
    assert (np.diff(shown.gradient) < 0).all()
    assert shown.gradient[0] > 1e4
    press(page, "Activation", "ArrowLeft")
    press(page, "Variance", "End")
    press(page, "Correlation of the inputs", *["Shift+ArrowUp"] * 10)
    said(page, layers_sentence("tanh", 4.0, 0.98, 30))


# --- all


@each_figure
def test_a_figure_is_dragged_by_mouse_and_its_point_follows(workshop, name):
    page = workshop(name)
    grip, before = page.locator(".moving__grip"), page.locator(".moving__said").text_content()
    box = grip.bounding_box()
    assert min(box["width"], box["height"]) >= 44
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 40, y - 25, steps=4)
    page.mouse.up()
    moved = grip.bounding_box()
    along = DRAGGED.get(name, "xy")
    assert moved["x"] - box["x"] == pytest.approx(40 * ("x" in along), abs=4)
    if "y" in along:  # else it follows its curve
        assert moved["y"] - box["y"] == pytest.approx(-25, abs=4)
    after = page.locator(".moving__said").text_content()
    assert after != before
    said(page, after)
    click(page.locator(".moving").get_by_text("Reset", exact=True))
    said(page, before)


@each_figure
def test_play_counts_up_to_the_end_and_can_be_stopped(workshop, name):
    page = workshop(name)
    play = page.locator(".moving__play")
    steps = page.get_by_label(PLAYED.get(name, "Steps shown"), exact=True)
    steps.press("End")
    click(play)  # at the end it begins anew
    begun = "e => +e.value < e.max && e.value - e.min > 2 * e.step"
    page.wait_for_function(begun, arg=steps.element_handle())
    assert play.inner_text() == "Pause"
    play.click()
    assert steps.evaluate(begun)
    seen = steps.input_value()
    page.wait_for_timeout(300)
    assert steps.input_value() == seen  # nothing moves by itself


@each_figure
def test_axe_finds_nothing_in_a_figure_that_moves(workshop, name):
    page = workshop(name)
    assert not violations(page)
    page.add_style_tag(content="* { transition: none !important }")  # else colors are met halfway
    page.emulate_media(color_scheme="dark")
    page.locator("body[data-md-color-scheme=slate]").wait_for()
    assert not violations(page, only=("color-contrast", "link-in-text-block"))
    page.emulate_media(color_scheme="light")


@each_figure
def test_each_control_has_a_name_and_is_as_high_as_a_finger(workshop, name):
    page = workshop(name)
    page.set_viewport_size({"width": NARROW, "height": 844})
    controls = page.locator(".moving__stage").locator("input, button, [tabindex]").all()
    assert len(controls) >= 5
    for control in controls:
        assert control.bounding_box()["height"] >= 44
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW
    small = page.locator(".moving__picture text").evaluate_all(
        "all => all.filter(e => e.getBoundingClientRect().height < 11)"
    )
    assert not small
    page.set_viewport_size({"width": WIDE, "height": 900})


# Heights of the block, and of what is above the figure: as they are, and as they were before the script came.
HELD = """block => {
    const figure = block.querySelector("figure");
    const heights = () => [block.getBoundingClientRect().height, figure.offsetTop - block.offsetTop];
    const [stage, live] = [block.querySelector(".moving__stage"), heights()];
    stage.style.display = "none";
    block.classList.remove("moving--live");
    const before = heights();
    stage.style.display = "";
    block.classList.add("moving--live");
    return [before, live];
}"""
# Settings with the longest sentence.
LONG = {
    "activations": {"activation": "leaky_relu", "z": -3.7, "units": 20},
    "adaptive_methods": {"x": -4.9, "y": -3.7, "degrees": 45, "condition": 100},
    "gradient_clipping": {"w": 5.18, "b": -2.68, "threshold": 300},
    "initialization": {"activation": "sigmoid", "variance": 0.3, "correlation": 0.02, "layers": 50},
    "momentum": {"rate": 3.95, "beta": 0.82, "condition": 300},
}


@each_figure
def test_nothing_moves_when_the_script_comes_or_the_sentence_grows(workshop, name):
    page = workshop(name)
    (longest,) = computed(page, name, "sentence", [LONG[name]])
    for width in (WIDE, 768, NARROW):
        page.set_viewport_size({"width": width, "height": 900})
        for sentence in (None, longest):
            page.evaluate("text => text && (document.querySelector('.moving__said').textContent = text)", sentence)
            before, live = page.locator(".moving").evaluate(HELD)
            assert before == pytest.approx(live, abs=1), (width, sentence)
    page.set_viewport_size({"width": WIDE, "height": 900})


@each_figure
def test_on_paper_the_picture_of_the_book_stands(workshop, name):
    page = workshop(name)
    block = page.locator(".moving")
    assert block.locator("picture").is_hidden()
    page.emulate_media(media="print")
    assert block.locator("picture").is_visible()
    assert not any(block.locator(part).is_visible() for part in (".moving__stage", ".moving__try", ".moving__title"))
    page.emulate_media(media="screen")


@each_figure
def test_without_script_the_picture_stands_and_nothing_asks_to_be_moved(visit, name):
    page = visit(f"chapters/{name}/", java_script_enabled=False)
    block = page.locator(".moving")
    assert block.locator("picture").is_visible()
    assert not block.locator(".moving__try").is_visible()


@each_figure
def test_a_reader_who_wants_no_motion_is_offered_none(visit, name):
    page = visit(f"chapters/{name}/#figure-by-hand", NARROW, reduced_motion="reduce", has_touch=True)
    page.locator(".moving--live").wait_for()
    assert page.locator(".moving__play").count() == 0
    before = page.locator(".moving__said").text_content()
    # A finger, without the point that it drags.
    page.locator(".moving__panel:has(.moving__grip) .moving__picture").tap(position={"x": 150, "y": 90})
    page.wait_for_function("before => document.querySelector('.moving__heard').textContent !== before", arg=before)
    said(page, page.locator(".moving__said").text_content())


def test_a_page_without_such_a_figure_loads_nothing_of_it(visit):
    page = visit("chapters/objective/")
    assert page.locator("script[src*=moving]").count() == 0


@each_figure
def test_what_a_figure_loads_is_small(workshop, name):
    page = workshop(name)
    loaded = page.evaluate("performance.getEntriesByType('resource').map(e => new URL(e.name).pathname)")
    own = {path for path in loaded if "moving" in path or path.endswith("assets/js/activations.js")}
    assert len(own) == (3 if name in ("activations", "initialization") else 2)
    weight = sum(len(gzip.compress((ROOT / "docs" / path.lstrip("/")).read_bytes())) for path in own)
    weight += len(gzip.compress((ROOT / "docs/assets/css/moving.css").read_bytes()))
    assert weight <= 40_000
