"""Checkers of the chapter on symmetry breaking: each takes a reader's answer and says what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from dlnotes.exercises import _answers as answers
from dlnotes.numpy import network, symmetry_breaking

Arrays = dict[str, np.ndarray]


def _near(given: float, wanted: float, tolerance: float = 1e-9) -> bool:
    return math.isclose(given, wanted, rel_tol=tolerance)


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
    for i, j in ((0, 3), (4, 1), (2, 2)):
        given = swapped(parameters, i, j)
        complete = isinstance(given, dict) and given.keys() == before.keys()
        if not complete:
            raise AssertionError(f"swapped must give a dict with the keys {', '.join(before)}, got {given}")
        for name, value in before.items():
            if not np.array_equal(parameters[name], value):
                raise AssertionError(f"swapped changed the {name} that it was given; copy first")
            if np.shape(given[name]) != value.shape:
                raise AssertionError(f"{name} must keep its shape {value.shape}")
        order = np.arange(5)
        order[[i, j]] = order[[j, i]]
        moved = {
            "the row of incoming weights": np.array_equal(given["0.weight"], before["0.weight"][order]),
            "the bias": np.array_equal(given["0.bias"], before["0.bias"][order]),
            "the column of outgoing weights": np.array_equal(given["2.weight"], before["2.weight"][:, order]),
        }
        lacking = " and ".join(part for part, done in moved.items() if not done)
        difference = abs(network.forward(given, inputs, "tanh")[0] - outputs).max()
        if lacking:
            raise AssertionError(
                f"after swapped(parameters, {i}, {j}) the outputs differ by {difference:.2g}: {lacking} of each unit "
                "must go with it"
            )
        if not np.array_equal(given["2.bias"], before["2.bias"]):
            raise AssertionError("2.bias belongs to the outputs, which stay")


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
        given = one_unit_rates(units, rate)
        pair = isinstance(given, (tuple, list)) and len(given) == 2
        if not pair:
            raise AssertionError(f"one_unit_rates({units}, {rate}) must be a pair, got {given}")
        incoming, outgoing = (answers.number(f"a rate of one_unit_rates({units}, {rate})", one) for one in given)
        many = network.initialize((4, units, 3), generator)
        many = {name: symmetry_breaking.constant_init(value.shape, 0.1) for name, value in many.items()}
        one = {name: value[:1] if name.startswith("0.") else value for name, value in many.items()}
        one["2.weight"] = units * many["2.weight"][:, :1]
        wanted = _losses(many, dict.fromkeys(many, rate), inputs, labels)
        rates = {"0.weight": incoming, "0.bias": incoming, "2.weight": outgoing, "2.bias": rate}
        losses = _losses(one, rates, inputs, labels)
        gap = abs(losses - wanted).max()
        hint = ""
        if _near(incoming, rate) and _near(outgoing, rate):
            hint = ". At the same rates the single unit takes other steps: write down its two gradients"
        elif _near(incoming, rate * units) and _near(outgoing, rate / units):
            hint = ". The two are the wrong way round"
        elif _near(incoming, rate / units) or _near(outgoing, rate * units):
            hint = ". One of the two is right"
        if not gap < 1e-9:
            raise AssertionError(f"for {units} units at {rate} the losses differ by up to {gap:.2g} in 40 steps{hint}")


def check_escape_steps(escape_steps: Callable[[float, float, int, float], float]) -> None:
    """Check a function that says how many steps a linear network with one hidden layer needs to leave zero.

    Args:
        escape_steps: takes the deviation of the first weights, the largest singular value of the target, the number of
            hidden units and the learning rate.

    Raises:
        AssertionError: if the number is off by more than a thousandth and by more than one step.
    """
    for scale, mode, width, rate in ((1e-3, 1.0, 10, 0.01), (1e-6, 4.0, 100, 0.001), (1e-2, 0.5, 50, 0.1)):
        call = f"escape_steps({scale}, {mode}, {width}, {rate})"
        given = answers.number(call, escape_steps(scale, mode, width, rate))
        wanted = math.log(2 * mode / (width * scale**2)) / (2 * mode * rate)
        hint = ""
        if _near(given, wanted * rate, 1e-3):
            hint = ". This is the time: divide by the learning rate"
        elif _near(given, wanted * mode, 1e-3):
            hint = ". A larger singular value pulls faster: it divides"
        elif _near(given, 2 * wanted, 1e-3):
            hint = ". Both layers grow, and so the product grows at twice the rate of each"
        elif _near(given, math.log(1 / scale) / (mode * rate), 1e-3):
            hint = ". This is the leading term: the product begins at n sigma^2 / 2, and half of s is to be reached"
        right = _near(given, wanted, 1e-3) or abs(given - wanted) < 1  # rounded to a whole step
        if not right:
            raise AssertionError(f"{call} is {given:.6g}, but the law gives {wanted:.6g}{hint}")


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
        wanted = math.log(classes) + deviation**2 / 2 * (1 - 1 / classes)
        hint = ""
        if _near(given, math.log(classes)):
            hint = ". This is the loss of logits that are all zero; the next term is of second order"
        elif _near(given, math.log(classes) + deviation**2 / 2):
            hint = ". What logits have in common does not count: about their own mean they vary by s^2 (1 - 1/C)"
        elif _near(given, math.log(classes) + deviation**2 * (1 - 1 / classes)):
            hint = ". A half is missing, that of the second-order term"
        if not abs(given - wanted) < 1e-9:
            raise AssertionError(f"{call} is {given:.6f}, not {wanted:.6f}{hint}")
