"""Checkers of the chapter on momentum: each takes a reader's answer and says what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from dlnotes.exercises import _answers as answers
from dlnotes.numpy import momentum


def _near(given: float, wanted: float) -> bool:
    """Compare to five digits, which an answer in float32 has."""
    return math.isclose(given, wanted, rel_tol=1e-5, abs_tol=1e-6)


def _all_near(given: np.ndarray, wanted: np.ndarray) -> bool:
    return np.allclose(given, wanted, rtol=1e-5, atol=1e-6)


def check_spectral_radius(spectral_radius: Callable[[float, float, float], float]) -> None:
    """Check a function that gives the spectral radius of the heavy ball along one axis.

    Args:
        spectral_radius: takes `curvature`, `learning_rate` and `beta`.

    Raises:
        AssertionError: if a radius is wrong; the message says which and, where it can be told, why.
    """
    for curvature, rate, beta in ((0.2, 0.6, 0.0), (4.0, 0.6, 0.1), (4.0, 0.6, 0.25), (4.0, 0.6, 0.5), (1.0, 0.1, 0.9)):
        call = f"spectral_radius({curvature}, {rate}, {beta})"
        result = spectral_radius(curvature, rate, beta)
        is_nan = isinstance(result, float | np.floating) and math.isnan(result)
        if is_nan:
            raise AssertionError(f"{call} is nan: where the root is taken of a number below 0, the roots are complex")
        given = answers.number(call, result)
        wanted = float(momentum.contraction(np.array(curvature), rate, beta))
        roots = np.roots([1, -(1 + beta - rate * curvature), beta])
        hint = ""
        if _near(given, math.sqrt(beta)):
            hint = ". The modulus is sqrt(beta) where the roots are complex only; here they are real"
        elif _near(given, abs(1 - rate * curvature)):
            hint = ". That is the radius of descent without momentum"
        elif beta and _near(given, min(abs(roots))):
            hint = ". This is the smaller root: where 1 + beta - rate h is below 0, the larger one has the minus sign"
        elif _near(given, max(roots.real)):
            hint = ". The largest modulus counts, not the largest root: a root below -1 grows too, and i has size"
        elif _near(given, max(abs(roots.real))):
            hint = ". The modulus of a complex root has its imaginary part in it"
        elif _near(given, max(abs(np.roots([1, -(1 + beta - rate * (1 - beta) * curvature), beta])))):
            hint = ". This is the averaging form; here the velocity is the sum beta v + g, without the factor 1 - beta"
        elif _near(given, float(momentum.contraction(np.array(curvature), rate, beta, nesterov=True))):
            hint = ". This is Nesterov's method; asked for is the heavy ball"
        elif _near(given, wanted**2) or _near(given, beta):
            hint = ". The product of two complex roots is beta; each has the modulus sqrt(beta)"
        if not _near(given, wanted):
            raise AssertionError(f"{call} is {given:.6g}, but the error is multiplied by {wanted:.6g} a step{hint}")
    answers.right("five settings, with real and with complex roots")


def check_beta_for(beta_for: Callable[[float], float]) -> None:
    """Check a function that gives the beta whose average is as noisy as a plain one over so many values.

    Args:
        beta_for: takes the number of values.

    Raises:
        AssertionError: if a beta is wrong.
    """
    for number in (4, 19, 199.0, 1):
        call = f"beta_for({number})"
        given = answers.number(call, beta_for(number))
        wanted = (number - 1) / (number + 1)
        hint = ""
        if _near(given, 1 - 1 / number):
            hint = ". This is the beta whose mean age is that number; the number of values is nearly twice the mean age"
        elif _near(given, 1 / number):
            hint = ". Beta is what is kept, so it grows with the number"
        elif _near(given, (number + 1) / (number - 1) if number > 1 else math.nan):
            hint = ". This is upside down"
        elif _near(given, 1 - 2 / number):
            hint = ". Nearly so for many values: solve (1 + beta) / (1 - beta) = number exactly"
        elif _near(given, math.sqrt(1 - 1 / number)):
            hint = ". The weights add up to 1: each has the factor 1 - beta, which enters the variance squared"
        if not _near(given, wanted):
            noise = f": that average is as noisy as {(1 + given) / (1 - given):.5g} values" if 0 <= given < 1 else ""
            raise AssertionError(f"{call} is {given:.6g}, not {wanted:.6g}{noise}{hint}")
    answers.right("four numbers of values")


def check_largest_rate(largest_rate: Callable[[float, float, bool], float]) -> None:
    """Check a function that gives the learning rate from which on the error grows.

    Args:
        largest_rate: takes the largest curvature, beta, and whether the method is Nesterov's.

    Raises:
        AssertionError: if a rate is wrong.
    """
    for curvature, beta, nesterov in ((1.0, 0.0, False), (4.0, 0.9, False), (4.0, 0.9, True), (0.5, 0.5, True)):
        call = f"largest_rate({curvature}, {beta}, {nesterov})"
        given = answers.number(call, largest_rate(curvature, beta, nesterov))
        ball, ahead = 2 * (1 + beta) / curvature, 2 * (1 + beta) / (1 + 2 * beta) / curvature
        wanted = ahead if nesterov else ball
        hint = ""
        if beta and _near(given, 2 / curvature):
            hint = ". This is the limit of descent; beta moves it"
        elif nesterov and _near(given, ball):
            hint = ". This is the heavy ball's limit; Nesterov's method acts on the gradient twice and stops earlier"
        elif not nesterov and beta and _near(given, ahead):
            hint = ". This is Nesterov's limit"
        elif _near(given, wanted * curvature):
            hint = ". The larger the curvature, the smaller the rate: a division is missing"
        elif _near(given, wanted * curvature**2):
            hint = ". The curvature divides"
        elif not nesterov and _near(given, (1 + math.sqrt(beta)) ** 2 / curvature):
            hint = ". From there on each step overshoots, and up to the limit the error shrinks all the same"
        elif beta and (_near(given, wanted / (1 - beta)) or _near(given, 2 / (1 - beta) / curvature)):
            hint = ". That is an effective rate; asked for is the learning rate, where the velocity is beta v + g"
        if not _near(given, wanted):
            raise AssertionError(f"{call} is {given:.6g}, not {wanted:.6g}{hint}")
    answers.right("four limits")


Step = Callable[[np.ndarray, np.ndarray, Callable, float, float], tuple[np.ndarray, np.ndarray]]


def _wrong_steps(point: np.ndarray, v: np.ndarray, gradient: Callable, rate: float, beta: float) -> list[tuple]:
    """List wrong steps, each with what is said of it."""
    g, ahead = gradient(point), gradient(point - rate * beta * v)
    new, inside, damped = beta * v + g, beta * v - rate * g, beta * v + (1 - beta) * g
    return [
        (point - rate * new, "This is the heavy ball: the gradient has to act on the new velocity once more"),
        (point - rate * (g + beta * v), "The velocity in the step is the new one, with this gradient in it"),
        (point + rate * (g + beta * new), "A step goes against the gradient"),
        (
            point - rate * (beta * v + ahead),
            "This takes the gradient ahead of the point, as Nesterov wrote it. It is the same method for another "
            "point; here the parameters are the point ahead, and the gradient is taken where they are",
        ),
        (point - rate * (g + new), "The new velocity has a factor beta in the step"),
        (point - rate * (1 - beta) * (g + beta * new), "There is no factor 1 - beta here"),
        (point - rate * (g + beta * damped), "There is no factor 1 - beta before the gradient in the velocity"),
        (point - rate * ((1 - beta) * g + beta * damped), "There is no factor 1 - beta before the gradient"),
        (
            point + beta * inside - rate * g,
            "This velocity has the learning rate inside, as in TensorFlow; here it stands outside, in the step",
        ),
        (new, "Give the point first, then the velocity"),
    ]


def check_nesterov_step(nesterov_step: Step) -> None:
    """Check a function that takes one step of Nesterov's method, as programs write it.

    Args:
        nesterov_step: takes the point, the velocity, a function that gives the gradient at a point, the learning rate
            and beta, and gives the next point and the next velocity.

    Raises:
        AssertionError: if a point or a velocity is wrong.
    """
    matrix = np.array([[2.0, 0.5, 0.0], [0.5, 1.0, -0.3], [0.0, -0.3, 0.7]])

    def gradient(at: np.ndarray) -> np.ndarray:
        return matrix @ at + 0.1 * at**3

    rate, beta = 0.2, 0.8
    point, velocity = np.array([1.0, -2.0, 0.5]), np.array([0.3, 0.1, -0.4])
    for number in range(1, 6):
        call = f"nesterov_step in step {number}"
        given = nesterov_step(point.copy(), velocity.copy(), gradient, rate, beta)
        pair = answers.pair(call, list(given) if isinstance(given, np.ndarray) and given.ndim else given)
        moved = answers.array(f"the point of {call}", pair[0], (3,))
        after = answers.array(f"the velocity of {call}", pair[1], (3,))
        wanted_velocity = beta * velocity + gradient(point)
        wanted = point - rate * (gradient(point) + beta * wanted_velocity)
        if not _all_near(moved, wanted):
            wrong = _wrong_steps(point, velocity, gradient, rate, beta)
            hint = next((f". {said}" for step, said in wrong if _all_near(step, moved)), "")
            raise AssertionError(f"{call}: the point is {moved.round(4)}, not {wanted.round(4)}{hint}")
        if not _all_near(after, wanted_velocity):
            raise AssertionError(
                f"{call}: the point is right, the velocity is {after.round(4)}, not {wanted_velocity.round(4)}. "
                "It is beta v + g, without the learning rate"
            )
        point, velocity = wanted, wanted_velocity
    answers.right("five steps on a loss that is no quadratic")
