"""Descent with inertia, and the exponential moving averages it rests on."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from dlnotes import checks, optimizers, precision
from dlnotes.numpy import many_runs

if TYPE_CHECKING:
    from jaxtyping import Float

    # NumPy gives a scalar where an array would have no axes.
    Array = np.ndarray | np.generic

Arrays = dict[str, np.ndarray]


class MomentumState(NamedTuple):
    """Steps taken, and the velocity of each parameter."""

    step: int
    velocity: Arrays


@dataclass(frozen=True, eq=False)
class Momentum:
    """The heavy ball: step along a decaying sum of past gradients.

        v <- beta v + (1 - dampening) g,    but v = g in the first step
        update = -learning_rate * v

    With dampening 0, the default, the sum's weights add up to 1 / (1 - beta): beta = 0.9 makes steps ten times as
    long as descent's. With dampening = beta they add up to 1, which makes v an average. The learning rate stands
    outside the sum, as in PyTorch: where it changes, the whole velocity is scaled, not only the new gradient.

    Args:
        learning_rate: At least 0: a number, one a run, or a function of the step that gives either.
        beta: How much of the velocity is kept, at least 0; a number or one a run. From 1 up it never decays.
        dampening: What is taken off the new gradient's weight; a number or one a run.

    Raises:
        ValueError: If a number is outside its range.

    Source: Polyak (1964); the form with dampening is that of PyTorch.
    """

    learning_rate: float | np.ndarray | Callable
    beta: float | np.ndarray = 0.9
    dampening: float | np.ndarray = 0.0
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        optimizers.check_rate("learning_rate", self.learning_rate)
        checks.reals("beta", self.beta, at_least=0)
        checks.reals("dampening", self.dampening)

    def init(self, params: Arrays) -> MomentumState:
        """Start at rest."""
        return MomentumState(0, many_runs.zeros_like(params))

    def update(self, grads: Arrays, state: MomentumState, params: Arrays) -> tuple[Arrays, MomentumState]:
        """Give what is to be added to the parameters, and the next state."""
        checks.same_names("grads", grads, "params", params)
        rate = many_runs.rate_at_step(self.learning_rate, state.step)
        beta = many_runs.rate_at_step(self.beta, state.step, "beta")
        share = 1 - many_runs.at_step(self.dampening, state.step, "dampening") if state.step else 1.0
        aligned = many_runs.aligned
        velocity = {name: aligned(beta, g) * state.velocity[name] + aligned(share, g) * g for name, g in grads.items()}
        updates = {name: -aligned(rate, v) * v for name, v in velocity.items()}
        return updates, MomentumState(state.step + 1, velocity)


@dataclass(frozen=True, eq=False)
class Nesterov:
    """Momentum that looks ahead: the gradient acts once more on the step that it has just changed.

        v <- beta v + g
        update = -learning_rate * (g + beta v)

    This is Nesterov's method in the point where the gradient is taken, w + beta v in his notation, so that no second
    set of parameters is needed.

    Args:
        learning_rate: At least 0: a number, one a run, or a function of the step that gives either.
        beta: How much of the velocity is kept, at least 0; a number or one a run.

    Raises:
        ValueError: If a number is outside its range.

    Source: Nesterov (1983), rewritten as in Sutskever et al. (2013).
    """

    learning_rate: float | np.ndarray | Callable
    beta: float | np.ndarray = 0.9
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        optimizers.check_rate("learning_rate", self.learning_rate)
        checks.reals("beta", self.beta, at_least=0)

    def init(self, params: Arrays) -> MomentumState:
        """Start at rest."""
        return MomentumState(0, many_runs.zeros_like(params))

    def update(self, grads: Arrays, state: MomentumState, params: Arrays) -> tuple[Arrays, MomentumState]:
        """Give what is to be added to the parameters, and the next state."""
        checks.same_names("grads", grads, "params", params)
        rate = many_runs.rate_at_step(self.learning_rate, state.step)
        beta = many_runs.rate_at_step(self.beta, state.step, "beta")
        aligned = many_runs.aligned
        velocity = {name: aligned(beta, g) * state.velocity[name] + g for name, g in grads.items()}
        updates = {name: -aligned(rate, g) * (g + aligned(beta, g) * velocity[name]) for name, g in grads.items()}
        return updates, MomentumState(state.step + 1, velocity)


@precision.rounded_once("values")
def exponential_moving_average(
    values: Float[np.ndarray, "*runs time"], beta: float | Float[np.ndarray, "*runs"], bias_correction: bool = True
) -> Float[np.ndarray, "*runs time"]:
    """Average the values so far, the recent ones most.

        a_t = beta a_(t-1) + (1 - beta) x_t,    a_0 = 0
        with bias correction a_t / (1 - beta^t), whose weights add up to 1 from the first step on

    Args:
        values: x, the last axis is time.
        beta: From 0 to below 1; a number or one a run.
        bias_correction: Divide by the sum of the weights.

    Returns:
        The average at each time, of the shape and dtype of `values`.

    Raises:
        TypeError: If `values` does not hold floating-point numbers.
        ValueError: If `beta` is outside its range or `values` has no axis.

    Source: Kingma and Ba (2015), for the correction.
    """
    checks.rank("values", checks.floating("values", values), at_least=1)
    checks.reals("beta", beta, at_least=0, below=1)
    beta = many_runs.at_step(beta, 0)
    kept, share = many_runs.aligned(beta, values), many_runs.aligned(1 - beta, values)
    averages, average = np.empty_like(values), np.zeros_like(values[..., :1])
    for t in range(values.shape[-1]):
        average = kept * average + share * values[..., t : t + 1]
        averages[..., t : t + 1] = average
    if bias_correction:
        powers = np.power(np.expand_dims(beta, -1), np.arange(1, values.shape[-1] + 1))
        averages /= (1 - powers).astype(values.dtype)
    return averages


def average_weights(beta: float, steps: int) -> Float[np.ndarray, " steps"]:
    """Give the weight of each past value in an exponential moving average, the newest first.

        w_k = (1 - beta) beta^k,    k = 0, 1, ...

    The first n weights add up to 1 - beta^n; for n = 1 / (1 - beta), the mean age, that is about 1 - 1/e.

    Args:
        beta: From 0 to below 1.
        steps: How many weights, at least 0.

    Returns:
        The weights.

    Raises:
        ValueError: If a number is outside its range.

    Derivation: unroll v <- beta v + (1 - beta) x; the sum over k < n is a geometric one.

    Source: derived here.
    """
    beta = checks.real("beta", beta, at_least=0, below=1)
    steps = checks.integer("steps", steps, at_least=0)
    return (1 - beta) * np.power(beta, np.arange(steps))


def mean_age(beta: float) -> float:
    """Give the mean age of a value in an exponential moving average, where the newest has age 1.

        sum over k of (k + 1) (1 - beta) beta^k = 1 / (1 - beta)

    Args:
        beta: From 0 to below 1.

    Returns:
        The mean age: 10 at beta = 0.9.

    Raises:
        ValueError: If `beta` is outside its range.

    Derivation: the weights are those of a geometric distribution that starts at 1.

    Source: derived here.
    """
    return 1 / (1 - checks.real("beta", beta, at_least=0, below=1))


def effective_window(beta: float) -> float:
    """Give the number of values whose plain average is as noisy as an exponential moving average.

        1 / sum over k of ((1 - beta) beta^k)^2 = (1 + beta) / (1 - beta)

    Both have the same variance if the values are independent with one variance. That is nearly twice the mean age.

    Args:
        beta: From 0 to below 1.

    Returns:
        The number of values, in general no whole one: 19 at beta = 0.9.

    Raises:
        ValueError: If `beta` is outside its range.

    Derivation: n independent values have an average of variance sigma^2 / n, a weighted one sigma^2 sum w_k^2; the
    weights' squares are a geometric series with the ratio beta^2.

    Source: derived here.
    """
    beta = checks.real("beta", beta, at_least=0, below=1)
    return (1 + beta) / (1 - beta)


@precision.rounded_once("curvature")
def contraction(
    curvature: Float[np.ndarray, "*shape"],
    learning_rate: float | Float[np.ndarray, "*shape"],
    beta: float | Float[np.ndarray, "*shape"] = 0.0,
    nesterov: bool = False,
) -> Float[Array, "*shape"]:
    """Give the factor by which a step multiplies the error, in the long run, on a quadratic.

    Along an axis of curvature h the error obeys e_(t+1) = s (1 + beta) e_t - s beta e_(t-1) for Nesterov, with s = 1
    - learning_rate h, and e_(t+1) = (s + beta) e_t - beta e_(t-1) for the heavy ball. The factor is the larger
    modulus of the roots of z^2 - p z + q:

        |z| = (|p| + sqrt(p^2 - 4 q)) / 2 if that root is real, else sqrt(q)

    At a double root the error is (a + b t) |z|^t, so that a path measured over a finite time shrinks more slowly.

    Args:
        curvature: h, the second derivative along an axis.
        learning_rate: Of the shape of `curvature`, or one number.
        beta: Likewise; 0 is plain descent.
        nesterov: Nesterov's method in place of the heavy ball.

    Returns:
        The spectral radius; the error grows where it is above 1.

    Raises:
        TypeError: If `curvature` does not hold floating-point numbers.
        ValueError: If a learning rate or a beta is below 0.

    Derivation: put the update into the error e = w - w*, whose gradient is h e; solutions z^t obey the quadratic
    equation.

    Source: Polyak (1964); derived here.
    """
    slope = 1 - learning_rate * checks.floating("curvature", curvature)
    checks.reals("learning_rate", learning_rate, at_least=0)
    checks.reals("beta", beta, at_least=0)
    p, q = (slope * (1 + beta), slope * beta) if nesterov else (slope + beta, beta + 0 * slope)
    discriminant = p * p - 4 * q
    real = (np.abs(p) + np.sqrt(np.maximum(discriminant, 0))) / 2
    return np.where(discriminant >= 0, real, np.sqrt(np.abs(q)))[()]


def noise_floor(curvature: float, learning_rate: float, beta: float = 0.0) -> float:
    """Give the mean squared error of the heavy ball on a quadratic, once it has settled, under noise of variance 1.

        E[e^2] = learning_rate (1 + beta) / ((1 - beta) h (2 (1 + beta) - learning_rate h))

    The gradient is h e plus noise that is independent from step to step. Noise of another variance multiplies it. In
    terms of the effective rate a = learning_rate / (1 - beta) it is a / (h (2 - a h (1 - beta) / (1 + beta))), which
    for small a h is a / (2 h) at every beta.

    Args:
        curvature: h, above 0.
        learning_rate: At least 0.
        beta: From 0 to below 1; 0 is plain descent.

    Returns:
        The mean squared error; infinity where the error grows, from learning_rate h = 2 (1 + beta) up.

    Raises:
        ValueError: If a number is outside its range.

    Derivation: e_(t+1) = (1 + beta - learning_rate h) e_t - beta e_(t-1) - learning_rate noise is an autoregression of
    second order; its variance follows from the equations for its covariances at lags 0 and 1.

    Source: derived here; Gitman et al. (2019) treat more general methods.
    """
    curvature = checks.real("curvature", curvature, above=0)
    learning_rate = checks.real("learning_rate", learning_rate, at_least=0)
    beta = checks.real("beta", beta, at_least=0, below=1)
    room = 2 * (1 + beta) - learning_rate * curvature
    return learning_rate * (1 + beta) / ((1 - beta) * curvature * room) if room > 0 else math.inf


class BestMomentum(NamedTuple):
    """The constants with which the heavy ball is fastest on a quadratic, and how fast that is."""

    learning_rate: float
    beta: float
    contraction: float


def best_momentum(smallest: float, largest: float) -> BestMomentum:
    """Give the heavy ball's best constants for a quadratic whose curvatures lie between two numbers.

        learning_rate = 4 / (sqrt(L) + sqrt(m))^2
        beta = ((sqrt(L) - sqrt(m)) / (sqrt(L) + sqrt(m)))^2,    contraction = sqrt(beta)

    Args:
        smallest: m, the least curvature, above 0.
        largest: L, the greatest, at least m.

    Returns:
        Learning rate, beta and the factor of each step.

    Raises:
        ValueError: If `smallest` is not above 0 or `largest` is below it.

    Source: Polyak (1964).
    """
    smallest = checks.real("smallest", smallest, above=0)
    low, high = math.sqrt(smallest), math.sqrt(checks.real("largest", largest, at_least=smallest))
    ratio = (high - low) / (high + low)
    return BestMomentum((2 / (high + low)) ** 2, ratio * ratio, ratio)
