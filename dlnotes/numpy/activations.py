"""Activation functions, their slopes and their backward passes.

A function `f` of one argument has `f_slope`, its derivative, and `f_backward(grad_output, x)`, the slope times the
gradient that comes from above. At a kink the slope is the one on the left, as in PyTorch: `relu_slope(0)` is 0. The
table `ACTIVATIONS` names them all. Every function keeps the dtype of its input; numbers of 16 bits are computed with as
numbers of 32 and rounded once. A nan gives nan, in the slopes too, and what is finite gives what is finite.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import checks, precision

if TYPE_CHECKING:
    from jaxtyping import Float

    # NumPy gives a scalar where an array would have no axes.
    Array = np.ndarray | np.generic

# The two numbers that solve E[selu(z)] = 0 and E[selu(z)^2] = 1 for a standard normal z; a test solves for them again.
SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805

# Chebyshev coefficients in t = (u - 5) / (u + 5) of exp(u^2 / 2) Phi(-u) (u + 1), Phi the normal distribution function:
# a smooth function on all of u >= 0, so that one short series does without cases. The test computes them anew.
_TAIL_SERIES = (
    0.4619742120721857, -0.06516520239491264, -0.005458781501136567, 0.01229619904556344, -0.006470872915703688,
    0.0022407355224168305, -0.0005638623774651974, 9.984031082925812e-05, -9.849514843168493e-06,
    -4.032494233045217e-07, 2.99023962013034e-07, -3.032070748442814e-08, -4.617665713929027e-09,
    1.3298288008382692e-09, 3.007242719019045e-11, -4.4299537255328156e-11, 1.3999857147018152e-12,
    1.4718957028912571e-12, -9.325953119165372e-14, -5.294681169067695e-14, 3.958188414414517e-15,
    2.1048214642963194e-15, -1.345671286136144e-16, -9.097614914495833e-17,
)  # fmt: skip
_SINGLE_PRECISION_TERMS = 12
_BLOCK = 1 << 17  # bytes that stay in the cache from one operation to the next


class Activation(NamedTuple):
    """An activation of one argument and its slope, both functions of the pre-activation."""

    function: Callable
    slope: Callable


class PReLUGradients(NamedTuple):
    """Gradients of a loss in the two arguments of `prelu`."""

    x: Float[Array, "*runs batch features"]
    negative_slope: Float[Array, "*runs slopes"]


def _grad_output(grad_output: Float[Array, "*shape"], x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    return checks.same_shape("grad_output", checks.floating("grad_output", grad_output), "x", checks.floating("x", x))


def _in_blocks(function: Callable, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Apply an elementwise function to pieces that stay in the cache, so that what it computes on the way does too."""
    flat, result, size = np.reshape(x, -1), np.empty(x.size, x.dtype), _BLOCK // x.itemsize
    for start in range(0, x.size, size):
        result[start : start + size] = function(flat[start : start + size])
    return result.reshape(x.shape)[()]


def _positive(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Give 1 where x > 0 and 0 elsewhere, but nan where x is nan: a comparison alone would make it a 0."""
    positive = (x > 0).astype(x.dtype)
    square = np.vdot(x, x)  # nan if one is, and no other number is: the quickest question to ask of all of them
    return positive if square == square else np.where(np.isnan(x), x, positive)


def _is_finite(x: Float[Array, "*shape"]) -> bool:
    """Say whether all numbers are finite; no may also be said of numbers whose squares are not."""
    return math.isfinite(np.vdot(x, x))


def _above(x: Float[Array, "*shape"], least: float) -> Float[Array, "*shape"]:
    """Bring minus infinity to where its factor is 0 already: their product would be nan."""
    return x if _is_finite(x) else np.maximum(x, least)


def _near(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Bring what is beyond 40 to 40, where the normal density is 0 in float64 too: then no product is 0 times inf."""
    return np.clip(x, -40, 40)


def _bounded(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Bring what is beyond 1000 to 1000, where exp(-x) is 0 in float64 too: then no product is 0 times infinity."""
    return x if _is_finite(x) else np.clip(x, -1000, 1000)


def identity(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Give the input back: the activation of a linear layer.

        f(x) = x

    Args:
        x: Pre-activations, of any shape.

    Returns:
        The same array.

    Raises:
        TypeError: If `x` does not hold floating-point numbers.

    Source: definition.
    """
    return checks.floating("x", x)


def identity_slope(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Give the slope of the identity, which is 1.

        f'(x) = 1

    Args:
        x: Pre-activations, of any shape.

    Returns:
        Ones, of the shape and dtype of `x`.

    Raises:
        TypeError: If `x` does not hold floating-point numbers.

    Source: derivative of `identity`.
    """
    return np.ones_like(checks.floating("x", x))


@precision.rounded_once("x")
def sigmoid(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Squash a number to between 0 and 1 by the logistic function.

        f(x) = 1 / (1 + exp(-x))

    The form 0.5 tanh(x / 2) + 0.5 is the same function, but it rounds to 0 by about -20 in float32; this one keeps its
    relative accuracy as long as exp(-x) is finite.

    Args:
        x: Pre-activations, of any shape.

    Returns:
        Numbers from 0 to 1, of the shape and dtype of `x`.

    Raises:
        TypeError: If `x` does not hold floating-point numbers.

    Source: definition.
    """
    checks.floating("x", x)
    with np.errstate(over="ignore"):  # exp(-x) = inf gives 0, the right limit
        return 1 / (1 + np.exp(-x))


@precision.rounded_once("x")
def sigmoid_slope(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Give the derivative of the sigmoid, at most 1/4.

        f'(x) = f(x) f(-x) = e / (1 + e)^2,    e = exp(-|x|)

    In this form it is accurate at both ends; f(x) (1 - f(x)) loses its digits where f(x) rounds to 1.

    Args:
        x: Pre-activations, of any shape.

    Returns:
        Slopes from 0 to 1/4, of the shape and dtype of `x`.

    Raises:
        TypeError: If `x` does not hold floating-point numbers.

    Source: derived in activations#eq-sigmoid-slope.
    """
    e = np.exp(-np.abs(checks.floating("x", x)))
    return e / ((1 + e) * (1 + e))


@precision.rounded_once("x")
def sigmoid_second_derivative(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Give the second derivative of the sigmoid.

        f''(x) = f'(x) (1 - 2 f(x)) = -f'(x) tanh(x / 2)

    Args:
        x: Pre-activations, of any shape.

    Returns:
        Second derivatives, of the shape and dtype of `x`.

    Raises:
        TypeError: If `x` does not hold floating-point numbers.

    Source: derivative of `sigmoid_slope`.
    """
    return -sigmoid_slope(x) * np.tanh(0.5 * x)


@precision.rounded_once("x")
def sigmoid_backward(grad_output: Float[Array, "*shape"], x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Carry a gradient back through the sigmoid.

        dL/dx = dL/df f'(x)

    Args:
        grad_output: Gradient of the loss in the output, of the shape of `x`.
        x: Pre-activations that the forward pass took, of any shape.

    Returns:
        Gradient of the loss in `x`.

    Raises:
        TypeError: If an argument does not hold floating-point numbers.
        ValueError: If the shapes differ.

    Source: derivative of `sigmoid`.
    """
    return _grad_output(grad_output, x) * sigmoid_slope(x)


@precision.rounded_once("x")
def tanh(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Squash a number to between -1 and 1 by the hyperbolic tangent.

        f(x) = (exp(x) - exp(-x)) / (exp(x) + exp(-x)) = 2 sigmoid(2x) - 1

    Args:
        x: Pre-activations, of any shape.

    Returns:
        Numbers from -1 to 1, of the shape and dtype of `x`.

    Raises:
        TypeError: If `x` does not hold floating-point numbers.

    Source: derived in activations#eq-tanh.
    """
    return np.tanh(checks.floating("x", x))


@precision.rounded_once("x")
def tanh_slope(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Give the derivative of tanh, at most 1.

        f'(x) = 1 - f(x)^2 = 4 e / (1 + e)^2,    e = exp(-2 |x|)

    In this form it is accurate at both ends; 1 - f(x)^2 loses its digits where |f(x)| rounds to 1.

    Args:
        x: Pre-activations, of any shape.

    Returns:
        Slopes from 0 to 1, of the shape and dtype of `x`.

    Raises:
        TypeError: If `x` does not hold floating-point numbers.

    Source: derived in activations#eq-tanh.
    """
    e = np.exp(-2 * np.abs(checks.floating("x", x)))
    return 4 * e / ((1 + e) * (1 + e))


@precision.rounded_once("x")
def tanh_second_derivative(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Give the second derivative of tanh.

        f''(x) = -2 f(x) f'(x)

    Args:
        x: Pre-activations, of any shape.

    Returns:
        Second derivatives, of the shape and dtype of `x`.

    Raises:
        TypeError: If `x` does not hold floating-point numbers.

    Source: derivative of `tanh_slope`.
    """
    return -2 * tanh(x) * tanh_slope(x)


@precision.rounded_once("x")
def tanh_backward(grad_output: Float[Array, "*shape"], x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Carry a gradient back through tanh.

        dL/dx = dL/df f'(x)

    Args:
        grad_output: Gradient of the loss in the output, of the shape of `x`.
        x: Pre-activations that the forward pass took, of any shape.

    Returns:
        Gradient of the loss in `x`.

    Raises:
        TypeError: If an argument does not hold floating-point numbers.
        ValueError: If the shapes differ.

    Source: derivative of `tanh`.
    """
    return _grad_output(grad_output, x) * tanh_slope(x)


def relu(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Keep what is positive.

        f(x) = max(x, 0)

    Args:
        x: Pre-activations, of any shape.

    Returns:
        Numbers of at least 0, of the shape and dtype of `x`.

    Raises:
        TypeError: If `x` does not hold floating-point numbers.

    Source: definition.
    """
    # Fastest are as many zeros, while they stay in the cache; then a row of them; a single one takes twice as long.
    shape = checks.floating("x", x).shape
    return np.maximum(x, np.zeros(shape if x.nbytes <= _BLOCK else shape[-1:], x.dtype))


def relu_slope(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Give the slope of ReLU: 1 where x > 0, and 0 elsewhere, also at the kink.

        f'(x) = [x > 0]

    Args:
        x: Pre-activations, of any shape.

    Returns:
        Slopes 0 or 1, of the shape and dtype of `x`.

    Raises:
        TypeError: If `x` does not hold floating-point numbers.

    Source: derivative of `relu`.
    """
    return _positive(checks.floating("x", x))


def relu_backward(grad_output: Float[Array, "*shape"], x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Carry a gradient back through ReLU.

        dL/dx = dL/df f'(x)

    Args:
        grad_output: Gradient of the loss in the output, of the shape of `x`.
        x: Pre-activations that the forward pass took, of any shape.

    Returns:
        Gradient of the loss in `x`.

    Raises:
        TypeError: If an argument does not hold floating-point numbers.
        ValueError: If the shapes differ.

    Source: derivative of `relu`.
    """
    return _grad_output(grad_output, x) * _positive(x)


@precision.rounded_once("x")
def leaky_relu(x: Float[Array, "*shape"], negative_slope: float = 0.01) -> Float[Array, "*shape"]:
    """Keep what is positive and shrink what is negative.

        f(x) = max(x, 0) + a min(x, 0)

    Args:
        x: Pre-activations, of any shape.
        negative_slope: The slope a below 0, a finite number.

    Returns:
        Activations, of the shape and dtype of `x`.

    Raises:
        TypeError: If `x` does not hold floating-point numbers or the slope is not a number.
        ValueError: If the slope is not finite.

    Source: definition; Maas et al. (2013).
    """
    negative_slope = checks.real("negative_slope", negative_slope)
    return np.maximum(checks.floating("x", x), 0) + negative_slope * np.minimum(x, 0)


@precision.rounded_once("x")
def leaky_relu_slope(x: Float[Array, "*shape"], negative_slope: float = 0.01) -> Float[Array, "*shape"]:
    """Give the slope of leaky ReLU: 1 where x > 0, and a elsewhere, also at the kink.

        f'(x) = [x > 0] + a [x <= 0]

    Args:
        x: Pre-activations, of any shape.
        negative_slope: The slope a below 0, a finite number.

    Returns:
        Slopes, of the shape and dtype of `x`.

    Raises:
        TypeError: If `x` does not hold floating-point numbers or the slope is not a number.
        ValueError: If the slope is not finite.

    Source: derivative of `leaky_relu`.
    """
    negative_slope = checks.real("negative_slope", negative_slope)
    positive = _positive(checks.floating("x", x))
    return positive + negative_slope * (1 - positive)


@precision.rounded_once("x")
def leaky_relu_backward(
    grad_output: Float[Array, "*shape"], x: Float[Array, "*shape"], negative_slope: float = 0.01
) -> Float[Array, "*shape"]:
    """Carry a gradient back through leaky ReLU.

        dL/dx = dL/df f'(x)

    Args:
        grad_output: Gradient of the loss in the output, of the shape of `x`.
        x: Pre-activations that the forward pass took, of any shape.
        negative_slope: The slope a below 0, a finite number.

    Returns:
        Gradient of the loss in `x`.

    Raises:
        TypeError: If an array does not hold floating-point numbers or the slope is not a number.
        ValueError: If the shapes differ, or the slope is not finite.

    Source: derivative of `leaky_relu`.
    """
    return _grad_output(grad_output, x) * leaky_relu_slope(x, negative_slope)


@precision.rounded_once("x")
def prelu(
    x: Float[Array, "*runs batch features"], negative_slope: Float[Array, "*runs slopes"]
) -> Float[Array, "*runs batch features"]:
    """Keep what is positive and shrink what is negative by a slope that is learned.

        f(x) = max(x, 0) + a min(x, 0)

    Args:
        x: Pre-activations, of shape (*runs, batch, features).
        negative_slope: The slope a below 0, of shape (*runs, features), or (*runs, 1) for one that all features share.

    Returns:
        Activations, of the shape and dtype of `x`.

    Raises:
        TypeError: If an argument does not hold floating-point numbers.
        ValueError: If the shapes do not fit.

    Source: He et al. (2015).
    """
    slope = _prelu_slope(x, negative_slope)
    return np.maximum(x, 0) + slope * np.minimum(x, 0)


def _prelu_slope(
    x: Float[Array, "*runs batch features"], negative_slope: Float[Array, "*runs slopes"]
) -> Float[Array, "*runs 1 slopes"]:
    checks.rank("x", checks.floating("x", x), at_least=2)
    features = x.shape[-1] if checks.floating("negative_slope", negative_slope).shape[-1:] != (1,) else 1
    checks.last_axes("negative_slope", negative_slope, *x.shape[:-2], features, of="x has them without its batch")
    return negative_slope[..., None, :]


@precision.rounded_once("x")
def prelu_backward(
    grad_output: Float[Array, "*runs batch features"],
    x: Float[Array, "*runs batch features"],
    negative_slope: Float[Array, "*runs slopes"],
) -> PReLUGradients:
    """Carry a gradient back through PReLU, to its input and to its slope.

        dL/dx = dL/df ([x > 0] + a [x <= 0]),    dL/da = sum of dL/df min(x, 0)

    The sum runs over the batch, and over the features where they share one slope.

    Args:
        grad_output: Gradient of the loss in the output, of the shape of `x`.
        x: Pre-activations that the forward pass took.
        negative_slope: The slope that the forward pass took.

    Returns:
        The gradients in `x` and in `negative_slope`.

    Raises:
        TypeError: If an argument does not hold floating-point numbers.
        ValueError: If the shapes do not fit.

    Source: He et al. (2015).
    """
    slope = _prelu_slope(x, negative_slope)
    positive = _positive(x)
    grad_x = _grad_output(grad_output, x) * (positive + slope * (1 - positive))
    grad_slope = (grad_output * np.minimum(x, 0)).sum(-2)
    if negative_slope.shape[-1] != x.shape[-1]:
        grad_slope = grad_slope.sum(-1, keepdims=True)
    return PReLUGradients(grad_x, grad_slope)


@precision.rounded_once("x")
def elu(x: Float[Array, "*shape"], alpha: float = 1.0) -> Float[Array, "*shape"]:
    """Keep what is positive and bend what is negative towards -alpha.

        f(x) = max(x, 0) + alpha (exp(min(x, 0)) - 1)

    Args:
        x: Pre-activations, of any shape.
        alpha: Minus the limit for very negative x, a finite number.

    Returns:
        Activations, of the shape and dtype of `x`.

    Raises:
        TypeError: If `x` does not hold floating-point numbers or `alpha` is not a number.
        ValueError: If `alpha` is not finite.

    Source: Clevert et al. (2016).
    """
    alpha = checks.real("alpha", alpha)
    return np.maximum(checks.floating("x", x), 0) + alpha * np.expm1(np.minimum(x, 0))


@precision.rounded_once("x")
def elu_slope(x: Float[Array, "*shape"], alpha: float = 1.0) -> Float[Array, "*shape"]:
    """Give the slope of ELU: 1 where x > 0, and alpha exp(x) elsewhere.

        f'(x) = [x > 0] + [x <= 0] alpha exp(x)

    Args:
        x: Pre-activations, of any shape.
        alpha: Minus the limit for very negative x, a finite number.

    Returns:
        Slopes, of the shape and dtype of `x`.

    Raises:
        TypeError: If `x` does not hold floating-point numbers or `alpha` is not a number.
        ValueError: If `alpha` is not finite.

    Source: derivative of `elu`.
    """
    alpha = checks.real("alpha", alpha)
    positive = (checks.floating("x", x) > 0).astype(x.dtype)
    return positive + alpha * (1 - positive) * np.exp(np.minimum(x, 0))


@precision.rounded_once("x")
def elu_second_derivative(x: Float[Array, "*shape"], alpha: float = 1.0) -> Float[Array, "*shape"]:
    """Give the second derivative of ELU: 0 where x > 0, and alpha exp(x) elsewhere.

        f''(x) = [x <= 0] alpha exp(x)

    Args:
        x: Pre-activations, of any shape.
        alpha: Minus the limit for very negative x, a finite number.

    Returns:
        Second derivatives, of the shape and dtype of `x`.

    Raises:
        TypeError: If `x` does not hold floating-point numbers or `alpha` is not a number.
        ValueError: If `alpha` is not finite.

    Source: derivative of `elu_slope`.
    """
    return elu_slope(x, alpha) * (x <= 0)


@precision.rounded_once("x")
def elu_backward(
    grad_output: Float[Array, "*shape"], x: Float[Array, "*shape"], alpha: float = 1.0
) -> Float[Array, "*shape"]:
    """Carry a gradient back through ELU.

        dL/dx = dL/df f'(x)

    Args:
        grad_output: Gradient of the loss in the output, of the shape of `x`.
        x: Pre-activations that the forward pass took, of any shape.
        alpha: Minus the limit for very negative x, a finite number.

    Returns:
        Gradient of the loss in `x`.

    Raises:
        TypeError: If an array does not hold floating-point numbers or `alpha` is not a number.
        ValueError: If the shapes differ, or `alpha` is not finite.

    Source: derivative of `elu`.
    """
    return _grad_output(grad_output, x) * elu_slope(x, alpha)


@precision.rounded_once("x")
def selu(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Scale an ELU so that mean 0 and variance 1 are kept from layer to layer under LeCun weights.

        f(x) = 1.0507 elu(x, 1.6733)

    The two numbers, `SELU_SCALE` and `SELU_ALPHA`, solve E[f(z)] = 0 and E[f(z)^2] = 1 for a standard normal z.

    Args:
        x: Pre-activations, of any shape.

    Returns:
        Activations, of the shape and dtype of `x`.

    Raises:
        TypeError: If `x` does not hold floating-point numbers.

    Source: Klambauer et al. (2017); the two numbers are derived in activations#eq-selu-scale.
    """
    return SELU_SCALE * elu(x, SELU_ALPHA)


@precision.rounded_once("x")
def selu_slope(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Give the slope of SELU.

        f'(x) = 1.0507 elu'(x, 1.6733)

    Args:
        x: Pre-activations, of any shape.

    Returns:
        Slopes, of the shape and dtype of `x`.

    Raises:
        TypeError: If `x` does not hold floating-point numbers.

    Source: derivative of `selu`.
    """
    return SELU_SCALE * elu_slope(x, SELU_ALPHA)


@precision.rounded_once("x")
def selu_second_derivative(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Give the second derivative of SELU.

        f''(x) = 1.0507 elu''(x, 1.6733)

    Args:
        x: Pre-activations, of any shape.

    Returns:
        Second derivatives, of the shape and dtype of `x`.

    Raises:
        TypeError: If `x` does not hold floating-point numbers.

    Source: derivative of `selu_slope`.
    """
    return SELU_SCALE * elu_second_derivative(x, SELU_ALPHA)


@precision.rounded_once("x")
def selu_backward(grad_output: Float[Array, "*shape"], x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Carry a gradient back through SELU.

        dL/dx = dL/df f'(x)

    Args:
        grad_output: Gradient of the loss in the output, of the shape of `x`.
        x: Pre-activations that the forward pass took, of any shape.

    Returns:
        Gradient of the loss in `x`.

    Raises:
        TypeError: If an argument does not hold floating-point numbers.
        ValueError: If the shapes differ.

    Source: derivative of `selu`.
    """
    return _grad_output(grad_output, x) * selu_slope(x)


@precision.rounded_once("x")
def softplus(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Round off the kink of ReLU.

        f(x) = ln(1 + exp(x)) = max(x, 0) + ln(1 + exp(-|x|))

    Args:
        x: Pre-activations, of any shape.

    Returns:
        Positive numbers, of the shape and dtype of `x`.

    Raises:
        TypeError: If `x` does not hold floating-point numbers.

    Source: definition.
    """
    return np.maximum(checks.floating("x", x), 0) + np.log1p(np.exp(-np.abs(x)))


@precision.rounded_once("x")
def softplus_slope(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Give the derivative of softplus, which is the sigmoid.

        f'(x) = 1 / (1 + exp(-x))

    Args:
        x: Pre-activations, of any shape.

    Returns:
        Slopes from 0 to 1, of the shape and dtype of `x`.

    Raises:
        TypeError: If `x` does not hold floating-point numbers.

    Source: derivative of `softplus`.
    """
    return sigmoid(x)


@precision.rounded_once("x")
def softplus_second_derivative(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Give the second derivative of softplus, which is the slope of the sigmoid.

        f''(x) = e / (1 + e)^2,    e = exp(-|x|)

    Args:
        x: Pre-activations, of any shape.

    Returns:
        Second derivatives, of the shape and dtype of `x`.

    Raises:
        TypeError: If `x` does not hold floating-point numbers.

    Source: derivative of `softplus_slope`.
    """
    return sigmoid_slope(x)


@precision.rounded_once("x")
def softplus_backward(grad_output: Float[Array, "*shape"], x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Carry a gradient back through softplus.

        dL/dx = dL/df f'(x)

    Args:
        grad_output: Gradient of the loss in the output, of the shape of `x`.
        x: Pre-activations that the forward pass took, of any shape.

    Returns:
        Gradient of the loss in `x`.

    Raises:
        TypeError: If an argument does not hold floating-point numbers.
        ValueError: If the shapes differ.

    Source: derivative of `softplus`.
    """
    return _grad_output(grad_output, x) * softplus_slope(x)


@functools.cache
def _tail_polynomial(terms: int) -> tuple[float, ...]:
    return tuple(np.polynomial.chebyshev.cheb2poly(_TAIL_SERIES[:terms]).tolist())


def _upper_tail(u: Float[np.ndarray, "numbers"]) -> Float[np.ndarray, "numbers"]:
    """Give the probability that a standard normal number exceeds u >= 0."""
    u = _near(u)
    polynomial = _tail_polynomial(len(_TAIL_SERIES) if u.dtype == np.float64 else _SINGLE_PRECISION_TERMS)
    t = (u - 5) / (u + 5)
    series = np.full_like(u, polynomial[-1])
    for coefficient in polynomial[-2::-1]:
        series *= t
        series += coefficient
    return series * np.exp(-0.5 * u * u) / (u + 1)


@precision.rounded_once("x")
def normal_cdf(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Give the probability that a standard normal number is at most x.

        Phi(x) = integral of exp(-s^2 / 2) / sqrt(2 pi) ds from -infinity to x

    NumPy has no error function. Phi(-u) for u >= 0 is exp(-u^2 / 2) / (u + 1) times a smooth function of
    t = (u - 5) / (u + 5), which a Chebyshev series of 24 terms (12 in float32) gives to rounding. The relative error is
    below (3 + 1.5 x^2) rounding units far down the lower tail too, where Phi is above 1e-34 in float32 and 2e-304 in
    float64; below, where numbers lose their digits one by one, so does the result.

    Args:
        x: Pre-activations, of any shape.

    Returns:
        Probabilities, of the shape and dtype of `x`.

    Raises:
        TypeError: If `x` does not hold floating-point numbers.

    Source: definition.
    """
    # 1 - tail above 0, and |0 - tail| = tail below.
    return _in_blocks(lambda x: np.abs((x > 0) - _upper_tail(np.abs(x))), checks.floating("x", x))


@precision.rounded_once("x")
def normal_density(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Give the density of the standard normal distribution.

        phi(x) = exp(-x^2 / 2) / sqrt(2 pi)

    Args:
        x: Pre-activations, of any shape.

    Returns:
        Densities, of the shape and dtype of `x`.

    Raises:
        TypeError: If `x` does not hold floating-point numbers.

    Source: definition.
    """
    checks.floating("x", x)
    with np.errstate(over="ignore"):  # x * x = inf gives 0, the right limit
        return np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


@precision.rounded_once("x")
def gelu(x: Float[Array, "*shape"], approximate: str = "none") -> Float[Array, "*shape"]:
    """Weigh a number by the probability that a standard normal number is less.

        f(x) = x Phi(x)                                                    approximate = "none"
        f(x) = x/2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))             approximate = "tanh"

    Args:
        x: Pre-activations, of any shape.
        approximate: "none" for the exact function or "tanh" for the usual approximation to it.

    Returns:
        Activations, of the shape and dtype of `x`.

    Raises:
        TypeError: If `x` does not hold floating-point numbers.
        ValueError: If `approximate` is another word.

    Source: Hendrycks and Gimpel (2016); activations#eq-gelu and, for tanh, activations#eq-gelu-tanh.
    """
    checks.floating("x", x)
    if checks.choice("approximate", approximate, ("none", "tanh")) == "none":
        return _above(x, -40) * normal_cdf(x)
    scale = math.sqrt(2 / math.pi)

    def weighed(x: Float[np.ndarray, "numbers"]) -> Float[np.ndarray, "numbers"]:
        return 0.5 * _above(x, -40) * (1 + np.tanh(scale * x * (1 + 0.044715 * x * x)))

    with np.errstate(over="ignore"):  # x * x = inf makes tanh 1 or -1, the right limit
        return _in_blocks(weighed, x)


@precision.rounded_once("x")
def gelu_slope(x: Float[Array, "*shape"], approximate: str = "none") -> Float[Array, "*shape"]:
    """Give the derivative of GELU.

        f'(x) = Phi(x) + x phi(x)                                          approximate = "none"
        f'(x) = s(v) + x v' s'(v),    v = sqrt(8 / pi) (x + 0.044715 x^3)  approximate = "tanh"

    with s the sigmoid, since (1 + tanh(v / 2)) / 2 = s(v).

    Args:
        x: Pre-activations, of any shape.
        approximate: "none" for the exact function or "tanh" for the usual approximation to it.

    Returns:
        Slopes, of the shape and dtype of `x`.

    Raises:
        TypeError: If `x` does not hold floating-point numbers.
        ValueError: If `approximate` is another word.

    Source: derivative of `gelu`.
    """
    exact = checks.choice("approximate", approximate, ("none", "tanh")) == "none"
    scale = math.sqrt(8 / math.pi)

    def slope(x: Float[np.ndarray, "numbers"]) -> Float[np.ndarray, "numbers"]:
        x = _near(x)
        if exact:
            return normal_cdf(x) + x * normal_density(x)
        v, v_slope = scale * x * (1 + 0.044715 * x * x), scale * (1 + 3 * 0.044715 * x * x)
        return sigmoid(v) + x * v_slope * sigmoid_slope(v)

    return _in_blocks(slope, checks.floating("x", x))


@precision.rounded_once("x")
def gelu_second_derivative(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Give the second derivative of the exact GELU.

        f''(x) = phi(x) (2 - x^2)

    Args:
        x: Pre-activations, of any shape.

    Returns:
        Second derivatives, of the shape and dtype of `x`.

    Raises:
        TypeError: If `x` does not hold floating-point numbers.

    Source: derivative of `gelu_slope`.
    """
    x = _near(checks.floating("x", x))
    return normal_density(x) * (2 - x * x)


@precision.rounded_once("x")
def gelu_backward(
    grad_output: Float[Array, "*shape"], x: Float[Array, "*shape"], approximate: str = "none"
) -> Float[Array, "*shape"]:
    """Carry a gradient back through GELU.

        dL/dx = dL/df f'(x)

    Args:
        grad_output: Gradient of the loss in the output, of the shape of `x`.
        x: Pre-activations that the forward pass took, of any shape.
        approximate: "none" for the exact function or "tanh" for the usual approximation to it.

    Returns:
        Gradient of the loss in `x`.

    Raises:
        TypeError: If an array does not hold floating-point numbers.
        ValueError: If the shapes differ, or `approximate` is another word.

    Source: derivative of `gelu`.
    """
    return _grad_output(grad_output, x) * gelu_slope(x, approximate)


@precision.rounded_once("x")
def silu(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Weigh a number by its own sigmoid (also called swish).

        f(x) = x sigmoid(x)

    Args:
        x: Pre-activations, of any shape.

    Returns:
        Activations, of the shape and dtype of `x`.

    Raises:
        TypeError: If `x` does not hold floating-point numbers.

    Source: definition; Hendrycks and Gimpel (2016).
    """
    return _above(checks.floating("x", x), -1000) * sigmoid(x)


@precision.rounded_once("x")
def silu_slope(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Give the derivative of SiLU.

        f'(x) = s(x) + x s'(x),    s the sigmoid

    Args:
        x: Pre-activations, of any shape.

    Returns:
        Slopes, of the shape and dtype of `x`.

    Raises:
        TypeError: If `x` does not hold floating-point numbers.

    Source: derivative of `silu`.
    """
    x = _bounded(checks.floating("x", x))
    return sigmoid(x) + x * sigmoid_slope(x)


@precision.rounded_once("x")
def silu_second_derivative(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Give the second derivative of SiLU.

        f''(x) = 2 s'(x) + x s''(x),    s the sigmoid

    Args:
        x: Pre-activations, of any shape.

    Returns:
        Second derivatives, of the shape and dtype of `x`.

    Raises:
        TypeError: If `x` does not hold floating-point numbers.

    Source: derivative of `silu_slope`.
    """
    x = _bounded(checks.floating("x", x))
    return 2 * sigmoid_slope(x) + x * sigmoid_second_derivative(x)


@precision.rounded_once("x")
def silu_backward(grad_output: Float[Array, "*shape"], x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Carry a gradient back through SiLU.

        dL/dx = dL/df f'(x)

    Args:
        grad_output: Gradient of the loss in the output, of the shape of `x`.
        x: Pre-activations that the forward pass took, of any shape.

    Returns:
        Gradient of the loss in `x`.

    Raises:
        TypeError: If an argument does not hold floating-point numbers.
        ValueError: If the shapes differ.

    Source: derivative of `silu`.
    """
    return _grad_output(grad_output, x) * silu_slope(x)


def _halves(
    x: Float[Array, "*batch both"],
) -> tuple[Float[Array, "*batch half"], Float[Array, "*batch half"]]:
    checks.multiple("the last axis of x", checks.rank("x", checks.floating("x", x), at_least=1).shape[-1], 2)
    return x[..., : x.shape[-1] // 2], x[..., x.shape[-1] // 2 :]


@precision.rounded_once("x")
def swiglu(x: Float[Array, "*batch both"]) -> Float[Array, "*batch half"]:
    """Let one half of the features gate the other.

        f(g, v) = silu(g) v,    x = (g, v)

    Args:
        x: Pre-activations, of shape (*batch, 2 features): first the gates g, then the values v.

    Returns:
        Activations, of shape (*batch, features) and the dtype of `x`.

    Raises:
        TypeError: If `x` does not hold floating-point numbers.
        ValueError: If the number of features is odd.

    Source: Shazeer (2020).
    """
    gate, value = _halves(x)
    return silu(gate) * value


@precision.rounded_once("x")
def swiglu_backward(
    grad_output: Float[Array, "*batch half"], x: Float[Array, "*batch both"]
) -> Float[Array, "*batch both"]:
    """Carry a gradient back through SwiGLU.

        dL/dg = dL/df v silu'(g),    dL/dv = dL/df silu(g)

    Args:
        grad_output: Gradient of the loss in the output, of shape (*batch, features).
        x: Pre-activations that the forward pass took, of shape (*batch, 2 features).

    Returns:
        Gradient of the loss in `x`.

    Raises:
        TypeError: If an argument does not hold floating-point numbers.
        ValueError: If the shapes do not fit.

    Source: derivative of `swiglu`.
    """
    gate, value = _halves(x)
    checks.same_shape("grad_output", checks.floating("grad_output", grad_output), "half of x", gate)
    return np.concatenate((grad_output * value * silu_slope(gate), grad_output * silu(gate)), axis=-1)


def _pieces(x: Float[Array, "*batch all"], pieces: int) -> Float[Array, "*batch features pieces"]:
    pieces = checks.integer("pieces", pieces, at_least=1)
    checks.rank("x", checks.floating("x", x), at_least=1)
    checks.multiple("the last axis of x", x.shape[-1], pieces)
    return x.reshape(*x.shape[:-1], x.shape[-1] // pieces, pieces)


def maxout(x: Float[Array, "*batch all"], pieces: int = 2) -> Float[Array, "*batch features"]:
    """Take the largest of each group of pre-activations, each of them a linear map of its own.

        f(x)_j = max(x_(j,1), ..., x_(j,pieces))

    Args:
        x: Pre-activations, of shape (*batch, features * pieces); the pieces of a feature lie side by side.
        pieces: How many linear maps compete for a feature, at least 1.

    Returns:
        Activations, of shape (*batch, features) and the dtype of `x`.

    Raises:
        TypeError: If `x` does not hold floating-point numbers or `pieces` is not an integer.
        ValueError: If the last axis of `x` is not a multiple of `pieces`.

    Source: Goodfellow et al. (2013).
    """
    grouped = _pieces(x, pieces)
    each = (grouped[..., piece] for piece in range(grouped.shape[-1]))  # far faster than a maximum over a short axis
    return functools.reduce(np.maximum, each)


def maxout_backward(
    grad_output: Float[Array, "*batch features"], x: Float[Array, "*batch all"], pieces: int = 2
) -> Float[Array, "*batch all"]:
    """Carry a gradient back through maxout: all of it goes to the piece that won, the first one in a tie.

        dL/dx_(j,k) = dL/df_j [k = argmax x_(j,.)]

    Args:
        grad_output: Gradient of the loss in the output, of shape (*batch, features).
        x: Pre-activations that the forward pass took, of shape (*batch, features * pieces).
        pieces: How many linear maps compete for a feature, at least 1.

    Returns:
        Gradient of the loss in `x`.

    Raises:
        TypeError: If an argument does not hold floating-point numbers or `pieces` is not an integer.
        ValueError: If the shapes do not fit.

    Source: derivative of `maxout`.
    """
    grouped = _pieces(x, pieces)
    checks.last_axes("grad_output", checks.floating("grad_output", grad_output), *grouped.shape[:-1], of="maxout gives")
    won = grouped.argmax(-1)[..., None] == np.arange(grouped.shape[-1])
    largest = maxout(x, pieces)
    share = np.where(np.isnan(largest), largest, grad_output)  # who won against a nan is not known
    return (share[..., None] * won).reshape(x.shape)


# Looked up by name at each call, so that a function exchanged in this module is exchanged everywhere.
ACTIVATIONS: dict[str, Activation] = {
    "identity": Activation(lambda x: identity(x), lambda x: identity_slope(x)),
    "sigmoid": Activation(lambda x: sigmoid(x), lambda x: sigmoid_slope(x)),
    "tanh": Activation(lambda x: tanh(x), lambda x: tanh_slope(x)),
    "relu": Activation(lambda x: relu(x), lambda x: relu_slope(x)),
    "leaky_relu": Activation(lambda x: leaky_relu(x), lambda x: leaky_relu_slope(x)),
    "elu": Activation(lambda x: elu(x), lambda x: elu_slope(x)),
    "selu": Activation(lambda x: selu(x), lambda x: selu_slope(x)),
    "softplus": Activation(lambda x: softplus(x), lambda x: softplus_slope(x)),
    "gelu": Activation(lambda x: gelu(x), lambda x: gelu_slope(x)),
    "silu": Activation(lambda x: silu(x), lambda x: silu_slope(x)),
}

# Zero almost everywhere for the functions made of straight lines.
SECOND_DERIVATIVES: dict[str, Callable] = {
    "identity": lambda x: np.zeros_like(x),
    "sigmoid": lambda x: sigmoid_second_derivative(x),
    "tanh": lambda x: tanh_second_derivative(x),
    "relu": lambda x: np.zeros_like(x),
    "leaky_relu": lambda x: np.zeros_like(x),
    "elu": lambda x: elu_second_derivative(x),
    "selu": lambda x: selu_second_derivative(x),
    "softplus": lambda x: softplus_second_derivative(x),
    "gelu": lambda x: gelu_second_derivative(x),
    "silu": lambda x: silu_second_derivative(x),
}


def lookup(activation: str | Activation) -> Activation:
    """Give the function and slope of a name in `ACTIVATIONS`; an `Activation` of one's own passes through.

    Args:
        activation: A name, or an `Activation` of a function and its slope, such as a leaky ReLU of another slope.

    Returns:
        The pair of function and slope.

    Raises:
        ValueError: If the name is unknown; the message lists the known ones.
        TypeError: If it is neither a name nor an `Activation`.
    """
    if isinstance(activation, Activation):
        return activation
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        checks.instance("activation", activation, str, "a name or an Activation")
        checks.choice("activation", activation, ACTIVATIONS)
    return ACTIVATIONS[activation]
