"""Checkers of the chapter on symmetry breaking: each takes a reader's answer and says what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from dlnotes.exercises import _answers as answers
from dlnotes.numpy import network, symmetry_breaking

Arrays = dict[str, np.ndarray]


def _near(given: float, wanted: float, tolerance: float = 1e-6) -> bool:
    return math.isclose(given, wanted, rel_tol=tolerance)


def _same(given: np.ndarray, wanted: np.ndarray) -> bool:
    """Say whether two arrays are the same up to the rounding of float32."""
    return np.allclose(given, wanted, rtol=1e-6, atol=1e-7)


def _swapped(swapped: Callable[[Arrays, int, int], Arrays], parameters: Arrays, i: int, j: int) -> Arrays:
    """Call the reader's function, and refuse what has not the keys and shapes of parameters."""
    call = f"swapped(parameters, {i}, {j})"
    before = {name: value.copy() for name, value in parameters.items()}
    try:
        given = swapped(parameters, i, j)
    except IndexError as error:
        raise AssertionError(
            f"{call} ends in an IndexError: {error}. A hidden unit is a row of 0.weight, which is 5 x 3, an entry of "
            "0.bias, and a column of 2.weight, which is 2 x 5; 2.bias belongs to the outputs"
        ) from error
    complete = isinstance(given, dict) and given.keys() == before.keys()
    if not complete:
        raise AssertionError(f"{call} must give a dict with the keys {', '.join(before)}, got {given!r}")
    for name, value in before.items():
        if not np.array_equal(parameters[name], value):
            raise AssertionError(f"{call} changed the {name} that it was given; copy first")
    return {name: answers.array(f"{name} of {call}", given[name], value.shape) for name, value in before.items()}


def _slip(given: Arrays, before: Arrays, i: int, j: int) -> str:
    """Say what a wrong swap looks like; nothing where it is like no common slip."""
    if all(_same(given[name], value) for name, value in before.items()):
        return ". Nothing has moved: the function is the same, but the two units have not changed places"
    rows = given["0.weight"]
    if i != j and _same(rows[i], rows[j]):
        return f". Rows {i} and {j} are now the same: a row of an array is a view, so copy it before you overwrite it"
    order = np.arange(3)
    if max(i, j) < 3:
        order[[i, j]] = order[[j, i]]
        if _same(rows, before["0.weight"][:, order]):
            return ". You swapped two inputs: the units are the rows of 0.weight"
    if max(i, j) < 2 and _same(given["2.weight"], before["2.weight"][::-1]):
        return ". You swapped two outputs: the units are the columns of 2.weight"
    return ""


def check_swap_units(swapped: Callable[[Arrays, int, int], Arrays]) -> None:
    """Check a function that swaps two hidden units of a network with one hidden layer.

    Args:
        swapped: takes parameters with the keys 0.weight, 0.bias, 2.weight and 2.bias, and two units; gives new ones.

    Raises:
        AssertionError: if the network computes something else, or the units did not change places.
    """
    generator = np.random.default_rng(0)
    parameters = network.initialize((3, 5, 2), generator)
    parameters = {name: value + generator.standard_normal(value.shape) for name, value in parameters.items()}
    inputs = generator.standard_normal((7, 3))
    before = {name: value.copy() for name, value in parameters.items()}
    outputs, _ = network.forward(parameters, inputs, "tanh")
    for i, j in ((0, 1), (0, 3), (4, 1), (2, 2)):
        given = _swapped(swapped, parameters, i, j)
        order = np.arange(5)
        order[[i, j]] = order[[j, i]]
        moved = {
            "the row of incoming weights": _same(given["0.weight"], before["0.weight"][order]),
            "the bias": _same(given["0.bias"], before["0.bias"][order]),
            "the column of outgoing weights": _same(given["2.weight"], before["2.weight"][:, order]),
        }
        lacking = " and ".join(part for part, done in moved.items() if not done)
        difference = abs(network.forward(given, inputs, "tanh")[0] - outputs).max()
        if lacking:
            raise AssertionError(
                f"after swapped(parameters, {i}, {j}) the outputs differ by {difference:.2g}: {lacking} of each unit "
                f"must go with it{_slip(given, before, i, j)}"
            )
        if not _same(given["2.bias"], before["2.bias"]):
            raise AssertionError("2.bias belongs to the outputs, which stay")
    answers.right("the units change places and the network computes the same")


def _losses(parameters: Arrays, rates: dict[str, float], inputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Train with a rate for each parameter, and give the losses."""
    losses = []
    for _ in range(40):
        loss, gradient = network.loss_and_gradient(parameters, inputs, labels, "tanh")
        losses.append(loss)
        parameters = {name: value - rates[name] * gradient[name] for name, value in parameters.items()}
    return np.array(losses)


def check_one_unit_rates(one_unit_rates: Callable[[int, float], tuple[float, float]]) -> None:
    """Check a function that gives the rates at which one hidden unit learns as many equal ones do.

    Args:
        one_unit_rates: takes the number of equal units and their learning rate; gives the one unit's rates for its
            incoming weights and bias, and for its outgoing weights.

    Raises:
        AssertionError: if the losses of the two networks differ on the way.
    """
    generator = np.random.default_rng(0)
    inputs, labels = generator.standard_normal((30, 4)), np.arange(30) % 3
    for units, rate in ((8, 0.2), (3, 0.5)):
        call = f"one_unit_rates({units}, {rate})"
        incoming, outgoing = (float(one) for one in answers.array(call, one_unit_rates(units, rate), (2,)))
        many = network.initialize((4, units, 3), generator)
        many = {name: symmetry_breaking.constant_init(value.shape, 0.1) for name, value in many.items()}
        one = {name: value[:1] if name.startswith("0.") else value for name, value in many.items()}
        one["2.weight"] = units * many["2.weight"][:, :1]
        wanted = _losses(many, dict.fromkeys(many, rate), inputs, labels)
        rates = {"0.weight": incoming, "0.bias": incoming, "2.weight": outgoing, "2.bias": rate}
        gap = abs(_losses(one, rates, inputs, labels) - wanted).max()
        hint = ""
        if _near(incoming, rate) and _near(outgoing, rate):
            hint = ". At the same rates the single unit takes other steps: write down its two gradients"
        elif _near(incoming, rate * units) and _near(outgoing, rate / units):
            hint = ". The two are the wrong way round"
        elif _near(incoming, rate / units):
            hint = ". The incoming rate is right. The outgoing weight is n v: it must move n times as far as v"
        elif _near(outgoing, rate * units):
            hint = ". The outgoing rate is right. Going in, the single unit has n times the gradient of each of many"
        elif _near(incoming, rate / math.sqrt(units)) and _near(outgoing, rate * math.sqrt(units)):
            hint = ". Equal numbers add up to n times one of them: the square root belongs to random ones"
        if not gap < 1e-6:  # rates in float32 are right to 1e-7
            raise AssertionError(f"for {units} units at {rate} the losses differ by up to {gap:.2g} in 40 steps{hint}")
    answers.right("the single unit and the many have the same losses for 40 steps")


def _descent_steps(first: float, mode: float, rate: float) -> int:
    """Count the steps of descent that the strength of one direction takes from its first value to half."""
    strength, steps = math.sqrt(first), 0
    while strength**2 < mode / 2:
        strength += rate * (mode - strength**2) * strength
        steps += 1
    return steps


def _escape_law(scale: float, mode: float, width: int, rate: float) -> float:
    return math.log(2 * mode / (width * scale**2)) / (2 * mode * rate)


_ESCAPE_SLIPS: tuple[tuple[Callable[[float, float, int, float], float], str], ...] = (
    (lambda c, s, n, r: _escape_law(c, s, n, r) * r, "This is the time: divide by the learning rate"),
    (lambda c, s, n, r: _escape_law(c, s, n, r) * s, "A larger singular value pulls faster: it divides"),
    (
        lambda c, s, n, r: 2 * _escape_law(c, s, n, r),
        "Both layers grow, and so the product grows at twice the rate of each",
    ),
    (
        lambda c, s, n, r: math.log(1 / c) / (s * r),
        "This is the leading term: the product begins at n sigma^2 / 2, and half of s is to be reached",
    ),
    (lambda c, s, n, r: _escape_law(c, s, n, r) / math.log(10), "The logarithm is the natural one"),
    (
        lambda c, s, n, r: _escape_law(math.sqrt(c), s, n, r),
        "The deviation stands where the variance belongs: square it",
    ),
    (
        lambda c, s, n, r: _escape_law(c, s, 2 * n, r),
        "The start is n sigma^2 / 2: half of a weight's variance for each unit",
    ),
    (lambda c, s, n, r: _escape_law(c, s, 1, r), "Each of the n units adds to the product at the start"),
)


def check_escape_steps(escape_steps: Callable[[float, float, int, float], float]) -> None:
    """Check a function that says how many steps a linear network with one hidden layer needs to leave zero.

    Args:
        escape_steps: takes the deviation of the first weights, the largest singular value of the target, the number of
            hidden units and the learning rate.

    Raises:
        AssertionError: if the number is off by more than a thousandth and by more than one step from what gradient flow
            gives, exactly or for a small start, and from what descent takes.
    """
    given = {
        case: answers.number(f"escape_steps{case}", escape_steps(*case))
        for case in ((1e-3, 1.0, 10, 0.01), (1e-6, 4.0, 100, 0.001), (1e-2, 0.5, 50, 0.1))
    }
    slips = (words for slip, words in _ESCAPE_SLIPS if all(_near(given[case], slip(*case), 1e-3) for case in given))
    hint = next((f". {words}" for words in slips), "")
    for (scale, mode, width, rate), steps in given.items():
        first, law = width * scale**2 / 2, _escape_law(scale, mode, width, rate)
        rights = (
            law,
            math.log(mode / first - 1) / (2 * mode * rate),
            math.log(mode / first) / (2 * math.log1p(mode * rate)),
            _descent_steps(first, mode, rate),
        )
        if not any(_near(steps, right, 1e-3) or abs(steps - right) < 1 for right in rights):
            call = f"escape_steps({scale}, {mode}, {width}, {rate})"
            raise AssertionError(f"{call} is {steps:.6g}, but the law gives {law:.6g}{hint}")
    answers.right("three starts leave zero when the law says")


def check_first_loss(first_loss: Callable[[float, int], float]) -> None:
    """Check a function that gives the mean first cross-entropy for small random logits.

    Args:
        first_loss: takes the deviation of the independent, zero-mean logits and the number of classes.

    Raises:
        AssertionError: if it is not the loss to second order.
    """
    for deviation, classes in ((0.0, 10), (0.1, 10), (0.2, 2), (0.1, 1000)):
        call = f"first_loss({deviation}, {classes})"
        given = answers.number(call, first_loss(deviation, classes))
        chance, second = math.log(classes), deviation**2 / 2 * (1 - 1 / classes)
        wanted = chance + second
        slips = (
            (chance, "This is the loss of logits that are all zero; the next term is of second order"),
            (chance + deviation**2 / 2, "What logits have in common does not count: they vary by s^2 (1 - 1/C)"),
            (chance + deviation**2 / 2 * classes / (classes - 1), "The factor is upside down: it is 1 - 1/C"),
            (chance + 2 * second, "A half is missing, that of the second-order term"),
            (chance + deviation / 2 * (1 - 1 / classes), "The deviation stands where the variance belongs: square it"),
            (math.log2(classes) + second, "The logarithm is the natural one"),
            (chance - second, "The spread makes the loss larger: ln of a sum of exponentials is convex"),
        )
        if not abs(given - wanted) < 1e-6:  # right in float32 too
            hint = next((f". {words}" for slip, words in slips if abs(given - slip) < 1e-6), "")
            raise AssertionError(f"{call} is {given:.6f}, not {wanted:.6f}{hint}")
    answers.right("the loss to second order, for 2 to 1000 classes")
