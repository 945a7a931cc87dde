"""Checkers of the chapter on activations: each takes a reader's answer and says what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from dlnotes.exercises import _answers as answers
from dlnotes.numpy import activations


def _near(given: float, wanted: float, share: float = 1e-9, apart: float = 1e-12) -> bool:
    return math.isclose(given, wanted, rel_tol=share, abs_tol=apart)


def _rounded(given: object) -> dict[str, float]:
    """Say how far off a right answer may be for what its own type rounds, if that is single precision or less."""
    kind = getattr(given, "dtype", None)
    if kind is None or kind.kind != "f" or kind.itemsize >= 8:
        return {}
    unit = float(np.finfo(kind).eps)
    return {"share": 32 * unit, "apart": 4 * unit}  # what is taken from 1 is rounded as 1 is


def check_slope_from_output(slope_from_output: Callable[[str, float], float]) -> None:
    """Check a function that gives the slope of sigmoid and tanh from their output.

    Args:
        slope_from_output: takes "sigmoid" or "tanh", and the output.

    Raises:
        AssertionError: if a slope is wrong; the message says where and, where it can be told, why.
    """
    for name in ("sigmoid", "tanh"):
        function, slope = activations.lookup(name)
        for x in (-1.5, 0.0, 3.0):  # not 0 first, where many a wrong answer for tanh is 0
            at = np.array([x])
            output, wanted = function(at)[0], slope(at)[0]
            call = f'slope_from_output("{name}", {output:.4f})'
            answer = slope_from_output(name, float(output))
            given, rounded = answers.number(call, answer), _rounded(answer)
            hint = ""
            if name == "tanh" and output and _near(given, output * (1 - output), **rounded):
                hint = ". This is the sigmoid's; at the output 0 it is 0, where tanh is steepest"
            elif name == "sigmoid" and _near(given, 1 - output * output, **rounded):
                hint = ". This is tanh's; near the output 0 it is near 1, where the sigmoid is flat"
            elif name == "tanh" and _near(given, (1 - output) * (1 + output) / 4, **rounded):
                hint = ". tanh(x) is 2 sigmoid(2x) - 1, and the chain rule brings a 2 outside and a 2 inside"
            elif _near(given, slope(np.array([output]))[0], **rounded):
                hint = ". This is the slope at the output; the argument is already the output"
            if not _near(given, wanted, **rounded):
                raise AssertionError(f"{call} is {given:.6g}, but the slope there is {wanted:.6g}{hint}")
    answers.right("the output is all that a backward pass has to keep")


def _as_list(given: object) -> object:
    """Let an array of two units pass for a pair of them."""
    return list(given) if isinstance(given, np.ndarray) and given.ndim else given


def check_maxout_weights(two_units: Callable[[], tuple]) -> None:
    """Check two maxout units of two pieces whose difference is to be max(-1, min(1, x)).

    Args:
        two_units: gives two units, each a pair of pieces (weight, bias).

    Raises:
        AssertionError: if the form or the function is wrong; the message names an x.
    """
    first, second = answers.pair("two_units()", _as_list(two_units()))
    units = np.array(
        [
            answers.array(f"the {word} unit, two pieces (weight, bias),", unit, (2, 2))
            for word, unit in (("first", first), ("second", second))
        ]
    )
    x = np.linspace(-4, 4, 65)
    first, second = (activations.maxout(x[:, None] * unit[:, 0] + unit[:, 1])[:, 0] for unit in units)
    wanted = np.clip(x, -1, 1)
    difference = first - second
    hint = ""
    if np.allclose(-difference, wanted):
        hint = ". The two are swapped: it is the first minus the second"
    elif np.allclose(difference - difference.mean(), wanted - wanted.mean()):
        hint = ". It is off by a constant: look at the biases"
    elif any(np.ptp(unit[:, 0]) == 0 for unit in units):
        hint = ". A unit whose pieces have the same weight has no kink, and the function has two"
    wrong = ~np.isclose(difference, wanted)
    at = int(wrong.argmax())
    if wrong.any():
        raise AssertionError(f"at x = {x[at]:g} the difference is {difference[at]:.6g}, not {wanted[at]:.6g}{hint}")
    answers.right("two convex functions make one that is bounded")


def check_condition_number(condition_number: Callable[[int, float, float], float]) -> None:
    """Check a function that gives the condition number of a linear unit's Hessian.

    Args:
        condition_number: takes the number of inputs, their mean and their deviation.

    Raises:
        AssertionError: if a number is wrong.
    """
    for inputs, mean, deviation in ((2, 1.0, 1 / math.sqrt(3)), (100, 0.5, 0.2083), (50, 0.0, 2.0), (10, -1.0, 0.5)):
        call = f"condition_number({inputs}, {mean}, {deviation:.4g})"
        given = answers.number(call, condition_number(inputs, mean, deviation))
        hessian = deviation**2 * np.eye(inputs) + mean**2
        values = np.linalg.eigvalsh(hessian)
        wanted = float(values[-1] / values[0])
        hint = ""
        if _near(given, 1 + mean**2 / deviation**2) and mean:
            hint = ". Along the vector of ones the means of all inputs add up"
        elif _near(given, 1 + inputs * abs(mean) / deviation) and mean:
            hint = ". The Hessian holds second moments: mean and deviation enter squared"
        elif _near(given, 1 / wanted):
            hint = ". This is upside down: it is the largest over the smallest"
        elif _near(given, deviation**2 + inputs * mean**2):
            hint = ". This is the largest eigenvalue; it is to be divided by the smallest"
        elif _near(given, inputs * mean**2 / deviation**2):
            hint = ". Along the vector of ones there is a variance too"
        if not _near(given, wanted, 1e-6):
            raise AssertionError(f"{call} is {given:.6g}, not {wanted:.6g}{hint}")
    answers.right("the mean counts once for each input")


def check_zero_mean_alpha(zero_mean_alpha: Callable[[float], float]) -> None:
    """Check a function that gives the alpha at which an ELU of a normal number has the mean 0.

    Args:
        zero_mean_alpha: takes the deviation of the normal number, whose mean is 0.

    Raises:
        AssertionError: if the mean is not 0.
    """
    z = np.linspace(-12, 12, 48_001)
    weight = np.exp(-z * z / 2)
    weight /= weight.sum()
    for deviation in (1.0, 0.5, 2.0):
        given = answers.number(f"zero_mean_alpha({deviation})", zero_mean_alpha(deviation))
        mean = float(weight @ activations.elu(deviation * z, given))
        hint = ""
        if _near(given, activations.SELU_ALPHA, 1e-6):
            hint = ". This is right for deviation 1 only"
        elif _near(given, activations.SELU_ALPHA * deviation, 1e-6):
            hint = ". The exponential does not scale with its input"
        elif mean > 0 and deviation == 1 and given == 1:
            hint = ". The negative side takes back too little"
        if not abs(mean) < 1e-6:
            raise AssertionError(
                f"with alpha = {given:.8g} at deviation {deviation} the mean is {mean:.1e}, not 0 to 1e-6{hint}"
            )
    answers.right("the mean is 0 at each deviation")


def check_killing_rate(killing_rate: Callable[[np.ndarray, np.ndarray, float, float], float]) -> None:
    """Check a function that gives the least rate at which one step kills a ReLU unit.

    Args:
        killing_rate: takes inputs (the step is on the first), the weights and the bias of the unit, and delta > 0.

    Raises:
        AssertionError: if the rate does not kill, if a lower one does, or if none does and a rate is given.
    """
    generator = np.random.default_rng(0)
    positive = generator.uniform(0, 2, (20, 3))
    mixed = np.array([[1.0, 0.0], [-3.0, 1.0], [0.5, 0.5]])
    half_off = np.array([[1.0, 1.0], [-3.0, 0.0], [0.5, 2.0]])
    revived = np.array([[1.0, 1.0], [-3.0, 0.0], [1.0, -1.0]])
    cases = (
        ("positive inputs", positive, np.array([0.5, 0.2, -0.1]), 0.3, 0.7),
        ("an input on the other side", mixed, np.array([0.3, 1.5]), 0.2, 1.0),
        ("an input on which it is off", half_off, np.array([1.0, 0.5]), 0.1, 2.0),
        ("an input on which the step revives it", revived, np.array([0.5, 0.0]), 1.0, 2.0),
    )
    for name, inputs, weight, bias, delta in cases:
        given = answers.number(f"killing_rate for {name}", killing_rate(inputs, weight, bias, delta), infinite=True)
        z = inputs @ weight + bias
        falls = delta * (inputs @ inputs[0] + 1)
        active = z > 0
        none = bool((falls[active] <= 0).any())
        wanted = math.inf if none else float((z[active] / falls[active]).max())
        if not none and (z[~active] > wanted * falls[~active]).any():
            none, wanted = True, math.inf
        hint = ""
        if none:
            hint = ". On some input the step raises the unit above 0, so that no rate kills it: infinity is asked for"
        elif _near(given, z.max() / delta):
            hint = ". The step falls by the product of the two inputs, plus 1 for the bias, and not by delta alone"
        elif _near(given, z[0] / falls[0]):
            hint = ". This kills it on the first input; it is to be dead on all"
        elif _near(given, (z[active] / (falls[active] / delta)).max()):
            hint = ". The step is the rate times delta times the input"
        elif _near(given, (z[active] / (falls[active] - delta)).max()):
            hint = ". The bias takes a step too"
        elif given < 0 or given == math.inf:
            hint = ". Inputs on which it is off already ask for nothing"
        right = given == wanted or _near(given, wanted, 1e-6)
        if not right:
            raise AssertionError(f"for {name}, killing_rate gives {given:.6g}, but {wanted:.6g} is the least{hint}")
    answers.right("no lower rate kills it on all inputs")
