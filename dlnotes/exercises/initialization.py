"""Checkers of the chapter on initialization: each takes a reader's answer and says what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from dlnotes import weight_scales
from dlnotes.exercises import _answers as answers
from dlnotes.numpy import initialization


def _near(given: float, wanted: float, tolerance: float = 1e-6) -> bool:
    """Compare to six digits, which an answer in float32 has."""
    return math.isclose(given, wanted, rel_tol=tolerance)


def check_leaky_variance(leaky_variance: Callable[[int, float], float]) -> None:
    """Check a function that gives the variance of the weights before a leaky ReLU.

    Args:
        leaky_variance: takes `fan_in` and `negative_slope`.

    Raises:
        AssertionError: if a variance is wrong; the message says which and, where it can be told, why.
    """
    for fan_in, slope in ((100, 0.0), (512, 0.3), (64, 0.01), (100, 1.0)):
        given = answers.number(f"leaky_variance({fan_in}, {slope})", leaky_variance(fan_in, slope))
        wanted = weight_scales.he_variance(fan_in, slope)
        hint = ""
        if _near(given, 2 / fan_in):
            hint = ". This is He's variance for ReLU: the negative half passes on something too"
        elif _near(given, 2 / ((1 + slope) * fan_in)):
            hint = ". Second moments are squares: the slope enters squared"
        elif _near(given, math.sqrt(wanted)):
            hint = ". This is the deviation; asked for is the variance"
        elif _near(given, 2 / (1 + slope**2)) or _near(given, math.sqrt(2 / (1 + slope**2))):
            hint = ". This does not know the fan-in: a gain is not yet a variance"
        elif _near(given, 1 / ((1 + slope**2) * fan_in)):
            hint = ". Without a factor: the mean square of the two halves is (1 + a^2) / 2"
        elif _near(given, 2 / (1 + slope**2) * fan_in):
            hint = ". The fan-in divides: more inputs need smaller weights. Mind the brackets"
        elif _near(given, 2 * (1 + slope**2) / fan_in):
            hint = ". The more the negative half passes on, the less the weights must give back: 1 + a^2 divides"
        elif slope < 1 and _near(given, 2 / ((1 - slope**2) * fan_in)):
            hint = ". The second moments of the two halves are added"
        elif _near(given, (1 + slope**2) / fan_in / 2):
            hint = ". This is upside down: what the activation takes away the weights must give back"
        if not _near(given, wanted):
            raise AssertionError(
                f"leaky_variance({fan_in}, {slope}) is {given:.6g}, but the second moment is kept by {wanted:.6g}{hint}"
            )
    answers.right("four slopes from 0 to 1")


def check_convolution_fans(convolution_fans: Callable[[tuple[int, ...]], tuple[float, float]]) -> None:
    """Check a function that gives fan-in and fan-out for the shape of a convolution's kernel.

    Args:
        convolution_fans: takes a shape `(out_channels, in_channels, height, width)`.

    Raises:
        AssertionError: if a fan is wrong.
    """
    for shape in ((16, 3, 3, 3), (8, 32, 1, 1), (4, 2, 5, 3)):
        call = f"convolution_fans({shape})"
        given = tuple(answers.array(call, convolution_fans(shape), (2,)).tolist())
        wanted = tuple(weight_scales.fans(shape))
        out_channels, in_channels, *kernel = shape
        positions = math.prod(kernel)
        hint = ""
        if given == (in_channels, out_channels) and positions > 1:
            hint = ": a unit also sums over the positions of its kernel"
        elif given == (out_channels, in_channels) and positions > 1:
            hint = ": the two are swapped, and a unit also sums over the positions of its kernel"
        elif given == wanted[::-1]:
            hint = ": the two are swapped; the shape begins with the outputs"
        elif given == (in_channels * sum(kernel), out_channels * sum(kernel)):
            hint = ": the positions of a kernel are height times width, not their sum"
        elif given == (in_channels * kernel[0] ** 2, out_channels * kernel[0] ** 2):
            hint = ": a kernel need not be square"
        elif given[0] == wanted[0] or given[1] == wanted[1]:
            hint = ": one of the two is right; the kernel's positions count in both"
        if given != wanted:
            shown = tuple(f"{fan:g}" for fan in given)
            raise AssertionError(f"{call} is ({shown[0]}, {shown[1]}), not {wanted}{hint}")
    answers.right("kernels of three shapes")


def check_uniform_bound(uniform_bound: Callable[[float], float]) -> None:
    """Check a function that gives `a` such that U(-a, a) has the asked variance.

    Args:
        uniform_bound: takes a variance.

    Raises:
        AssertionError: if a bound is wrong.
    """
    for variance in (2 / 500, 0.01, 1 / 3):
        given = answers.number(f"uniform_bound({variance:.6g})", uniform_bound(variance))
        wanted = math.sqrt(3 * variance)
        hint = ""
        if given <= 0:
            raise AssertionError(f"uniform_bound({variance:.6g}) is {given:.6g}; a bound is above 0")
        if _near(given, math.sqrt(variance)):
            hint = ". This is the deviation; a uniform variable reaches further than its deviation"
        elif _near(given, 3 * variance):
            hint = ". A root is missing"
        elif _near(given, math.sqrt(3) * variance):
            hint = ". The variance stands under the root too"
        elif _near(given, math.sqrt(2 * variance)):
            hint = ". The mean of the square over the interval is a^2 / 3: integrate w^2, then divide by the width"
        elif _near(given, math.sqrt(12 * variance)):
            hint = ". This is the whole width of the interval; the bound is half of it"
        if not _near(given, wanted):
            raise AssertionError(
                f"uniform_bound({variance:.6g}) is {given:.6g}: U(-a, a) has the variance {given**2 / 3:.6g} then{hint}"
            )
    answers.right("three variances")


def check_gain_of(gain_of: Callable[[Callable[[np.ndarray], np.ndarray]], float]) -> None:
    """Check a function that gives the gain of any activation function to one part in a thousand.

    Args:
        gain_of: takes the activation function, which maps an array to an array of the same shape.

    Raises:
        AssertionError: if a gain is off by more than 0.1%.
    """
    activations: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float]] = {
        "identity": (lambda z: z, 1.0),
        "relu": (lambda z: np.maximum(z, 0), initialization.gain("relu")),
        "tanh": (np.tanh, initialization.gain("tanh")),
        "square": (lambda z: z * z, 1 / math.sqrt(3)),
        "shifted relu": (lambda z: np.maximum(z + 1, 0), _gain_of_shifted_relu()),
    }
    for name, (activation, wanted) in activations.items():
        given = answers.number(f"gain_of({name})", gain_of(activation))
        hint = ""
        if _near(given, wanted**2, 1e-3) and not _near(given, wanted, 1e-3):
            hint = ". The gain multiplies deviations: a root is missing"
        elif _near(given, _over_the_deviation(activation), 1e-3) and not _near(given, wanted, 1e-3):
            hint = ". This divides by the deviation. The second moment keeps the mean, so it is not subtracted"
        elif _near(given, 1 / wanted**2, 1e-3) and not _near(given, wanted, 1e-3):
            hint = ". This is the second moment behind the activation; the gain is one over its root"
        elif _near(given, _without_the_density(activation), 1e-2) and not _near(given, wanted, 1e-3):
            hint = ". Each z counts alike here; weigh it by the normal density"
        elif _near(given, wanted * math.sqrt(1e-3), 1e-3):
            hint = ". A sum over the grid is an integral once it is multiplied by the grid's step, here 0.001"
        elif _near(given, 1 / wanted, 1e-3) and not _near(given, wanted, 1e-3):
            hint = ". This is what the activation does to the deviation; the gain undoes it"
        if not _near(given, wanted, 1e-3):
            raise AssertionError(f"the gain of {name} is {wanted:.6g}, yours is {given:.6g}{hint}")
    answers.right("five activations, to one part in a thousand")


def _over_the_deviation(activation: Callable[[np.ndarray], np.ndarray]) -> float:
    """Give what a reader gets who takes the deviation in place of the root of the second moment."""
    z = np.linspace(-10, 10, 20_001)
    weights = np.exp(-z * z / 2)
    weights, values = weights / weights.sum(), activation(z)
    return 1 / math.sqrt(weights @ values**2 - (weights @ values) ** 2)


def _without_the_density(activation: Callable[[np.ndarray], np.ndarray]) -> float:
    """Give what a reader gets who takes a plain mean over the grid of the starter."""
    return 1 / math.sqrt(np.mean(activation(np.linspace(-10, 10, 20_001)) ** 2))


def _gain_of_shifted_relu() -> float:
    """Give 1 / sqrt(E[max(0, Z + 1)^2]) = 1 / sqrt(2 Phi(1) + phi(1)), by parts."""
    density = math.exp(-0.5) / math.sqrt(2 * math.pi)
    distribution = 0.5 * (1 + math.erf(1 / math.sqrt(2)))
    return 1 / math.sqrt(2 * distribution + density)


def check_residual_scale(residual_scale: Callable[[int, float], float]) -> None:
    """Check a function that gives the factor on every residual branch for a wanted growth of the second moment.

    Args:
        residual_scale: takes the number of branches and the wanted growth over all of them, above 1.

    Raises:
        AssertionError: if the growth reached is not the growth wanted.
    """
    for branches, growth in ((1, 2.0), (24, 3.0), (96, 1.5)):
        given = answers.number(f"residual_scale({branches}, {growth})", residual_scale(branches, growth))
        if given <= 0:
            raise AssertionError(f"residual_scale({branches}, {growth}) is {given:.6g}; take the root above 0")
        reached = (1 + given**2) ** branches
        hint = ""
        per_branch = growth ** (1 / branches)
        if _near(given**4, per_branch - 1):
            hint = ". A root too many"
        elif _near(given, per_branch - 1):
            hint = ". Second moments grow with the square of the factor: a root is missing"
        elif _near(given, math.sqrt(per_branch)) or _near(given, per_branch):
            hint = ". The block passes on its input too: the factor of a branch is 1 + s^2, not s^2"
        elif _near(given, (growth - 1) ** (1 / (2 * branches))):
            hint = ". First the root of this many branches, then the 1 is taken off"
        elif _near(given, math.sqrt((growth - 1) / branches)):
            hint = ". The growths are multiplied, not added: take the root of this many branches"
        elif _near(given, math.sqrt(math.log(growth) / branches)):
            hint = ". This is the limit for many branches; solve it for this many"
        elif _near(given, 1 / math.sqrt(branches)):
            hint = f". 1/sqrt(branches) makes it {math.e:.3f} in the limit of many branches, whatever the growth wanted"
        if not _near(reached, growth, 1e-5):
            raise AssertionError(
                f"with residual_scale({branches}, {growth}) = {given:.6g} the second moment grows by {reached:.6g}, "
                f"not {growth}{hint}"
            )
    answers.right("three networks reach the growth wanted")
