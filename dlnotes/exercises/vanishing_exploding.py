"""Checkers of the chapter on vanishing and exploding gradients: each says what is wrong with a reader's answer."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from dlnotes.exercises import _answers as answers
from dlnotes.numpy import activations, initialization, vanishing_exploding


def _near(given: float, wanted: float, tolerance: float = 1e-6) -> bool:
    return math.isclose(given, wanted, rel_tol=tolerance)


def check_critical_deviation(critical_deviation: Callable[[int], float]) -> None:
    """Check a function that gives the deviation at which a product of Gaussian matrices keeps a typical length.

    Args:
        critical_deviation: takes the size n of the matrices.

    Raises:
        AssertionError: if a deviation is wrong; the message says what one factor does to a typical length.
    """
    for size in (1, 2, 4, 25, 300):
        given = answers.number(f"critical_deviation({size})", critical_deviation(size))
        if not given > 0:
            raise AssertionError(f"critical_deviation({size}) is {given:.6g}; a deviation is above 0")
        exponent = vanishing_exploding.gaussian_lyapunov_exponent(size)
        wanted = math.exp(-exponent)
        hint = ""
        if _near(given, size**-0.5):
            hint = ". This keeps the mean square. A typical vector is below the root of the mean square"
        elif _near(given, math.exp(exponent)):
            hint = ". This is upside down: what the matrices add, the deviation must take away"
        elif _near(given, -exponent):
            hint = ". This is its logarithm"
        elif _near(given, math.exp(-2 * exponent)):
            hint = ". This is the variance"
        elif _near(given, wanted * math.sqrt(2)):
            hint = ". The logarithm of 2 is missing: half of it, a factor of the root of 2"
        elif _near(given, math.exp(-float(vanishing_exploding.digamma(size)) / 2) / math.sqrt(2)):
            hint = ". The digamma function is taken at n / 2, the half of the degrees of freedom"
        percent = 100 * math.expm1(math.log(given) + exponent)
        if not _near(given, wanted):
            raise AssertionError(
                f"with critical_deviation({size}) = {given:.6g} a factor changes a typical length by "
                f"{percent:+.3g}%{hint}"
            )
    answers.right("a typical length is kept for sizes from 1 to 300")


def check_peak(peak: Callable[[np.ndarray], tuple[int, float]]) -> None:
    """Check a function that gives the exponent t at which the 2-norm of W^t is largest, and that norm.

    Args:
        peak: takes a square matrix whose spectral radius is below 1.

    Raises:
        AssertionError: if the place or the height of a peak is wrong.
    """
    rotation = 0.9 * np.array([[math.cos(1.0), -math.sin(1.0)], [math.sin(1.0), math.cos(1.0)]])
    matrices = {
        "[[0.9, 5], [0, 0.8]]": np.array([[0.9, 5.0], [0.0, 0.8]]),
        "diag(0.5, 0.25)": np.diag([0.5, 0.25]),
        "0.9 times a rotation": rotation,
        "[[0.99, 1], [0, 0.98]]": np.array([[0.99, 1.0], [0.0, 0.98]]),
        "[[0.95, 0, 2], [0, 0.5, 0], [0, 0, 0.94]]": np.array([[0.95, 0, 2], [0, 0.5, 0], [0, 0, 0.94]]),
        "a matrix with 3, 0.5 and 3 below its diagonal and else 0": np.diag([3.0, 0.5, 3.0], -1),
    }
    for name, matrix in matrices.items():
        given = peak(matrix.copy())
        step, height = answers.array(f"peak of {name}, the exponent and the norm,", given, (2,))
        norms = vanishing_exploding.power_norms(matrix, 200)
        place = int(norms.argmax())
        hint = ""
        if 0 < step < place and _near(height, norms[int(step)], 1e-5):
            hint = ". A higher one comes later"
        elif step == place + 1 and _near(height, norms[place]):
            hint = ". The first norm of the list is that of the power 0"
        elif _near(step, norms[place]) and height == place:
            hint = ". The exponent comes first"
        elif step != place == 0:
            hint = ". The power 0 is the identity, of norm 1, and counts"
        elif _near(height, float(np.abs(np.linalg.eigvals(matrix)).max()) ** step) and not _near(height, norms[place]):
            hint = ". These are eigenvalues; the norm of a power is its largest singular value"
        elif _near(height, max(np.linalg.norm(np.linalg.matrix_power(matrix, t)) for t in range(200))):
            hint = ". This is the root of the sum of all squares; the 2-norm is the largest singular value"
        right = step == place and _near(height, norms[place], 1e-5)  # 200 products in float32 are as good as this
        if not right:
            raise AssertionError(
                f"peak of {name} is ({step:g}, {height:.6g}), but it is at t = {place}, of norm "
                f"{norms[place]:.6g}{hint}"
            )
    answers.right("place and height for six matrices")


def check_batch_norm_factor(
    factor: Callable[[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]], float],
) -> None:
    """Check a function that gives what batch norm and an activation do to the mean square of a gradient.

    Args:
        factor: takes an activation function and its slope, each from an array to an array.

    Raises:
        AssertionError: if a factor is off by more than 0.5%, which a sum over a grid with a jump on it may be.
    """
    for name in ("identity", "relu", "tanh", "sigmoid", "selu"):
        function, slope = activations.lookup(name)
        mean = _mean(function)
        square = float(initialization.second_moment_map(name, 1.0))
        slopes = float(initialization.slope_moment(name, 1.0))
        wanted = slopes / (square - mean**2)
        given = answers.number(f"the factor of {name}", factor(function, slope))
        hint = ""
        if _near(given, slopes / square, 1e-3):
            hint = ". The batch's mean is subtracted too, so the variance counts and not the second moment"
        elif _near(given, math.sqrt(wanted), 1e-3):
            hint = ". This is the factor on the size; the mean square was asked for"
        elif _near(given, _mean(slope) ** 2 / (square - mean**2), 1e-3):
            hint = ". This squares the mean of the slope; the mean of the square was asked for"
        elif _near(given, 1 / wanted, 1e-3):
            hint = ". This is upside down: batch norm divides by the deviation"
        elif _near(given, wanted, 0.15):
            hint = ". Not far off: where a slope jumps, a coarse sum errs; take a finer grid, or sum each side apart"
        if not _near(given, wanted, 5e-3):
            raise AssertionError(f"the factor of {name} is {wanted:.4f}, yours is {given:.4f}{hint}")
    answers.right("the factor of five activation functions")


def _mean(function: Callable[[np.ndarray], np.ndarray]) -> float:
    """Give E[f(Z)] for a standard normal Z, by a sum over a fine grid."""
    z = np.linspace(-10, 10, 20_001)
    weights = np.exp(-z * z / 2)
    return float(weights @ function(z) / weights.sum())


def check_length(length: Callable[[np.ndarray], float]) -> None:
    """Check a function that gives the length of a gradient of any size.

    Args:
        length: takes an array of any shape, of float32 or float64.

    Raises:
        AssertionError: if a length is off by more than rounding.
    """
    cases = {
        "(3, 4)": np.array([3.0, 4.0]),
        "the identity of size 4": np.eye(4),
        "a hundred times 1e30 in float32": np.full(100, 1e30, np.float32),
        "a hundred times -1e-30 in float32": np.full((10, 10), -1e-30, np.float32),
        "(3e200, 4e200)": np.array([3e200, 4e200]),
        "(3e-200, 4e-200)": np.array([3e-200, 4e-200]),
        "zeros": np.zeros(5),
    }
    for name, gradient in cases.items():
        with np.errstate(all="ignore"):
            given = answers.number(f"the length of {name}", length(gradient.copy()), infinite=True)
        wanted = float(vanishing_exploding.per_layer_gradient_norms({"0.weight": gradient})["0"])
        hint = ""
        if math.isinf(given):
            hint = ". A square overflowed: divide by the largest entry first"
        elif given == 0 < wanted:
            hint = ". A square underflowed: divide by the largest entry first"
        elif given > 0 and _near(math.sqrt(given), wanted):
            hint = ". A root is missing"
        elif gradient.ndim == 2 and _near(given, float(np.linalg.norm(np.float64(gradient), 2)), 1e-5):
            hint = ". This is the largest singular value of the matrix; all entries are one vector here"
        if not (given == wanted or _near(given, wanted, 1e-5)):
            raise AssertionError(f"the length of {name} is {wanted:.6g}, yours is {given:.6g}{hint}")
    answers.right("no square overflows or underflows")
