"""Checkers of the chapter on gradient checking: each takes a reader's answer and says what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from dlnotes.exercises import _answers as answers
from dlnotes.numpy import gradient_checking

_CLOSE = 1e-6  # single precision will do; the slips that get a hint are off by more


def check_four_points(four_points: Callable[[Callable, float, float], float]) -> None:
    """Check a difference quotient that is exact up to degree 4 and looks at most two steps away.

    Any such formula is right, for instance Richardson's with the steps h and h/2.

    Args:
        four_points: takes a function, a point and a step.

    Raises:
        AssertionError: if a derivative is wrong; the message says of which power.
    """
    for x, h in ((0.0, 1.0), (0.5, 0.25), (-1.0, 0.5)):
        for degree in range(5):
            calls: list[np.ndarray] = []

            def power(point: Any, degree: int = degree, calls: list = calls) -> Any:
                calls.append(np.ravel(point))  # many points in one call are welcome
                return point**degree

            call = f"four_points(f, {x}, {h}) for f(x) = x^{degree}"
            given = answers.number(call, four_points(power, x, h))
            true = degree * x ** (degree - 1) if degree else 0.0
            near, far = (((x + s * h) ** degree - (x - s * h) ** degree) / (2 * s * h) for s in (1, 2))
            hint = ""
            if math.isclose(given, near) and degree > 2:
                hint = ". This is the centered difference of the near points alone: its error of h^2 is still there"
            elif math.isclose(given, (near + far) / 2) and degree > 2:
                hint = ". The plain mean does not cancel: the error of the far pair is four times that of the near one"
            elif math.isclose(given, 4 * near - far) and degree:
                hint = ". The errors cancel, but the weights of the two must add up to 1"
            elif math.isclose(given, (4 * far - near) / 3) and degree > 2:
                hint = ". The weights are the other way round: the far pair has the larger error, so it counts less"
            elif math.isclose(given, 2 * true) and true:
                hint = ". It is twice the derivative: the two points are 2h apart"
            if not math.isclose(given, true, rel_tol=_CLOSE, abs_tol=_CLOSE):
                raise AssertionError(f"{call} is {given:.6g}; the derivative is {true:.6g}{hint}")
            span = float(max((np.abs(points - x).max(initial=0) for points in calls), default=0.0))
            if not span <= 2 * h * (1 + 1e-9):
                raise AssertionError(f"{call} looks {span / h:.3g} steps away; two are enough")
            if not span >= h / 10:
                raise AssertionError(
                    f"{call} looks {span / h:.3g} steps away; it is to be exact with the step it is given"
                )
    answers.right("exact for every power up to the fourth, from points at most two steps away")


PARAMETERS = ("w1", "b1", "w2", "b2")


def check_backward_pass(backward_pass: Callable[..., tuple[np.ndarray, ...]]) -> None:
    """Check the gradient of a network of one hidden layer of tanh with the mean of half squared distances.

    Args:
        backward_pass: takes inputs, targets and the four parameters, and gives the four gradients.

    Raises:
        AssertionError: if a gradient is wrong; the message names the worst parameter.
    """
    for batch, sizes in ((1, (2, 3, 2)), (5, (3, 3, 3)), (7, (4, 3, 2))):
        generator = np.random.default_rng(batch)
        shapes = {"w1": sizes[1::-1], "b1": sizes[1:2], "w2": sizes[:0:-1], "b2": sizes[2:]}
        parameters = {name: generator.standard_normal(shape) for name, shape in shapes.items()}
        x, targets = generator.standard_normal((batch, sizes[0])), generator.standard_normal((batch, sizes[2]))

        def loss(p: dict[str, np.ndarray], x: np.ndarray = x, targets: np.ndarray = targets) -> np.ndarray:
            hidden = np.tanh(x @ p["w1"].mT + p["b1"][..., None, :])
            outputs = hidden @ p["w2"].mT + p["b2"][..., None, :]
            return 0.5 * ((outputs - targets) ** 2).sum(-1).mean(-1)

        given = backward_pass(*(value.copy() for value in (x, targets, *parameters.values())))
        given = (
            tuple(given[name] for name in PARAMETERS)
            if isinstance(given, dict) and set(given) >= set(PARAMETERS)
            else given
        )
        four = isinstance(given, (tuple, list)) and len(given) == len(PARAMETERS)
        if not four:
            raise AssertionError("backward_pass must give four gradients: of w1, b1, w2 and b2")
        gradients = dict(zip(PARAMETERS, (np.asarray(value, dtype=float) for value in given), strict=True))
        for name, value in gradients.items():
            if value.shape != shapes[name]:
                raise AssertionError(
                    f"the gradient of {name} has the shape {value.shape} in place of {shapes[name]}, batch of {batch}"
                )
        found = gradient_checking.check_gradients(loss, parameters, gradients)
        if not found.error < 1e-6:
            raise AssertionError(_described(found, loss, parameters, gradients, batch))
    answers.right("all four gradients agree with centered differences, for three sizes and batches")


def _described(
    found: gradient_checking.GradientCheck, loss: Callable, parameters: dict, gradients: dict, batch: int
) -> str:
    """Say what the gradient of the worst parameter looks like beside the measured one."""
    name = found.worst
    numeric = gradient_checking.numerical_gradient(lambda moved: loss({**parameters, name: moved}), parameters[name])
    own = gradients[name]
    hint = ""
    if np.allclose(own, -numeric, atol=1e-7):
        hint = ". Only the sign is wrong"
    elif batch > 1 and np.allclose(own, batch * numeric, atol=1e-6):
        hint = f". It is {batch} times what it should be: the loss is a mean over the {batch} examples"
    elif batch > 1 and np.allclose(batch * own, numeric, atol=1e-6):
        hint = f". It is {batch} times too small: the factor 1/m of the mean must enter once"
    elif own.ndim == 2 and own.shape[0] == own.shape[1] and np.allclose(own, numeric.T, atol=1e-7):
        hint = ". It is transposed"
    elif name in PARAMETERS[:2] and max(found.errors[other] for other in PARAMETERS[2:]) < 1e-6:
        hint = ". The gradients of w2 and b2 are right, so look at what is carried back to the hidden layer"
    return (
        f"with a batch of {batch} the gradient of {name} is off by a relative error of {found.error:.2g}, "
        f"the most at {found.coordinate}{hint}"
    )


def _leaky_length(v: np.ndarray) -> float:
    return float(np.where(v < 0, 0.1 * v, v).sum() * np.sqrt((v * v).sum()))


def _without_zero_part(given: object) -> object:
    """Give the real part of a complex number whose imaginary part is 0, and anything else as it is."""
    real = np.iscomplexobj(given) and np.all(np.imag(given) == 0)
    return np.real(given) if real else given


def check_complex_safe(complex_safe: Callable[[np.ndarray], complex]) -> None:
    """Check a function of a vector that must be right for real vectors and let the complex step through.

    Args:
        complex_safe: takes a vector, real or complex.

    Raises:
        AssertionError: if a value or a derivative is wrong.
    """
    for v in (np.array([3.0, 4.0]), np.array([3.0, -4.0]), np.array([-0.5, 2.0, -1.5])):
        value = answers.number(f"complex_safe({v})", _without_zero_part(complex_safe(v.copy())))
        if not math.isclose(value, _leaky_length(v), rel_tol=_CLOSE):
            raise AssertionError(
                f"for real numbers nothing may change: complex_safe({v}) is {value:.6g}, not {_leaky_length(v):.6g}"
            )
        length = float(np.sqrt((v * v).sum()))
        slopes = np.where(v < 0, 0.1, 1.0)
        total = float((slopes * v).sum())
        wanted = slopes * length + total * v / length
        for entry in range(len(v)):
            moved = v.astype(complex)
            moved[entry] += 1e-20j
            given = complex(complex_safe(moved)).imag / 1e-20
            hint = ""
            if given == 0:
                hint = ": the imaginary part is lost on the way, as a modulus loses it"
            elif math.isclose(given, slopes[entry] * length, rel_tol=_CLOSE):
                hint = ": the part that comes from the length is lost"
            elif math.isclose(given, 0.55 * length, rel_tol=_CLOSE) or math.isclose(
                given, 0.55 * length + total * v[entry] / length, rel_tol=_CLOSE
            ):
                hint = ": the leaky ReLU still takes a modulus"
            if not math.isclose(given, wanted[entry], rel_tol=_CLOSE):
                raise AssertionError(
                    f"at {v} the complex step gives the derivative {given:.6g} in entry {entry}, "
                    f"which is {wanted[entry]:.6g}{hint}"
                )
    answers.right("real values unchanged, and the complex step gives each derivative")


def check_safe_step(safe_step: Callable[[np.ndarray, np.ndarray], float]) -> None:
    """Check a function that gives the largest step at which no weight or bias meets a kink.

    Args:
        safe_step: takes the inputs, one row an example, and the pre-activations.

    Raises:
        AssertionError: if a larger step is safe, or this one is not.
    """
    for seed, scale in ((5, 3.0), (1, 0.2), (25, 1.0)):
        generator = np.random.default_rng(seed)
        x = scale * generator.standard_normal((6, 4))
        z = x @ generator.standard_normal((3, 4)).T + generator.standard_normal(3)
        given = answers.number("safe_step(x, z)", safe_step(x.copy(), z.copy()))
        if not given > 0:
            raise AssertionError(f"safe_step(x, z) must be above 0, got {given:.4g}: a kink is near on both sides of 0")
        movers = np.concatenate((np.abs(x), np.ones((6, 1))), axis=1)  # what a weight or a bias is multiplied by
        limits = np.abs(z)[:, :, None] / movers[:, None, :]
        wanted = float(limits.min())
        nearest = np.abs(z).min(axis=1).argmin()
        hint = ""
        if math.isclose(given, float(np.abs(z).min()), rel_tol=_CLOSE):
            hint = ". This is right for the biases alone: a weight moves the pre-activation by the step times its input"
        elif math.isclose(given, float(limits[..., :-1].min()), rel_tol=_CLOSE):
            hint = ". This is right for the weights alone: a bias moves the pre-activation by the step itself"
        elif math.isclose(given, float(np.abs(z).min() / movers.max()), rel_tol=_CLOSE):
            hint = ". This is safe but too small: the least |z| and the largest input belong to different examples"
        elif math.isclose(given, float(limits[nearest].min()), rel_tol=_CLOSE):
            hint = ". The example of the least |z| need not come first: another may have larger inputs"
        if given > wanted * (1 + _CLOSE):
            n, i, j = np.unravel_index(limits.argmin(), limits.shape)
            what = f"weight ({i}, {j})" if j < x.shape[1] else f"bias {i}"
            raise AssertionError(
                f"a step of {given:.4g} is too large: at {wanted:.4g} {what} takes example {n} to the kink{hint}"
            )
        if not given >= wanted * (1 - _CLOSE):
            raise AssertionError(f"{given:.4g} is safe, but so is every step below {wanted:.4g}{hint}")
    answers.right("no larger step is safe, and this one is")
