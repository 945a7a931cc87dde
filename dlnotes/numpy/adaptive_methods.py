"""Optimizers that give each parameter, or each direction, a step size of its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from dlnotes import checks, optimizers, precision
from dlnotes.numpy import gradient_clipping, many_runs

if TYPE_CHECKING:
    from jaxtyping import Float

Arrays = dict[str, np.ndarray]
Number = float | np.ndarray | Callable


class AdagradState(NamedTuple):
    """Steps taken, and the sum of squared gradients."""

    step: int
    square_sum: Arrays


@dataclass(frozen=True, eq=False)
class Adagrad:
    """Divide the gradient by the root of the sum of all its squares so far.

        s <- s + g^2
        update = -learning_rate * g / (sqrt(s) + epsilon)

    As in PyTorch. Keras and optax put epsilon under the root and start s from 0.1.

    Args:
        learning_rate: At least 0: a number, one a run, or a function of the step that gives either.
        epsilon: At least 0, outside the root; keeps the quotient finite where the gradient has always been zero.
        initial_sum: What s starts from, at least 0.

    Raises:
        ValueError: If a number is outside its range.

    Source: Duchi et al. (2011).
    """

    learning_rate: Number = 1e-2
    epsilon: Number = 1e-10
    initial_sum: float = 0.0
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        optimizers.check_rate("learning_rate", self.learning_rate)
        optimizers.check_rate("epsilon", self.epsilon)
        checks.real("initial_sum", self.initial_sum, at_least=0)

    def init(self, params: Arrays) -> AdagradState:
        """Start with the sum at its first value."""
        sums = many_runs.zeros_like(params)
        return AdagradState(0, {name: value + self.initial_sum for name, value in sums.items()})

    def update(self, grads: Arrays, state: AdagradState, params: Arrays) -> tuple[Arrays, AdagradState]:
        """Give what is to be added to the parameters, and the next state."""
        checks.same_names("grads", grads, "params", params)
        rate = many_runs.rate_at_step(self.learning_rate, state.step)
        epsilon = many_runs.rate_at_step(self.epsilon, state.step, "epsilon")
        aligned = many_runs.aligned
        updates, square_sum = {}, {}
        for name, g in grads.items():
            square_sum[name] = s = state.square_sum[name] + g * g
            updates[name] = -aligned(rate, g) * g / (np.sqrt(s) + aligned(epsilon, g))
        return updates, AdagradState(state.step + 1, square_sum)


class RMSpropState(NamedTuple):
    """Steps taken, running averages of the gradient's square and of the gradient, and the velocity.

    If centered, `mean_square` is the mean square of the distance to the average: the variance.
    """

    step: int
    mean_square: Arrays
    mean: Arrays | None
    velocity: Arrays | None


@dataclass(frozen=True, eq=False)
class RMSprop:
    """Divide the gradient by a running root mean square.

        v <- beta v + (1 - beta) g^2
        update = -learning_rate * g / (sqrt(v) + epsilon)

    If centered, the root is over v - m^2, with m the running average of g: an estimate of the variance. Where the
    gradient hardly varies, that difference is all rounding, and may be negative. So the variance s is kept in place of
    v:

        s <- beta (s + (1 - beta) (g - m)^2),    then m <- beta m + (1 - beta) g

    With momentum, the quotient d is summed as in the heavy ball, u <- momentum u + d, and update = -learning_rate * u.
    There is no bias correction, so that the first steps are longer by 1 / sqrt(1 - beta^t).

    As in PyTorch, but for s. Keras, and optax unless told otherwise, put epsilon under the root. Both sum the quotient
    times the learning rate, u <- momentum u + learning_rate d, so that a change of the rate reaches new gradients
    alone.

    Args:
        learning_rate: At least 0: a number, one a run, or a function of the step that gives either.
        beta: How much of the averages is kept, from 0 to below 1; a number or one a run.
        epsilon: At least 0, outside the root.
        momentum: How much of the velocity is kept, at least 0; a number or one a run.
        centered: Whether the square of the average is taken off.

    Raises:
        TypeError: In `init`, if parameters have fewer than 32 bits.
        ValueError: If a number is outside its range.

    Derivation: let v' and m' be the averages after the step. Then v' - m'^2 = beta v + (1 - beta) g^2 - (beta m +
    (1 - beta) g)^2 = beta (v - m^2) + beta (1 - beta) (g^2 - 2 g m + m^2).

    Source: Tieleman and Hinton (2012), lecture 6.5; centered by Graves (2013).
    """

    learning_rate: Number = 1e-2
    beta: Number = 0.99
    epsilon: Number = 1e-8
    momentum: Number = 0.0
    centered: bool = False
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        optimizers.check_rate("learning_rate", self.learning_rate)
        optimizers.check_beta("beta", self.beta)
        optimizers.check_rate("epsilon", self.epsilon)
        optimizers.check_rate("momentum", self.momentum)

    def init(self, params: Arrays) -> RMSpropState:
        """Start with the averages at zero."""
        moving = callable(self.momentum) or np.any(self.momentum)
        mean = many_runs.zeros_like(params) if self.centered else None
        return RMSpropState(0, many_runs.zeros_like(params), mean, many_runs.zeros_like(params) if moving else None)

    def update(self, grads: Arrays, state: RMSpropState, params: Arrays) -> tuple[Arrays, RMSpropState]:
        """Give what is to be added to the parameters, and the next state."""
        checks.same_names("grads", grads, "params", params)
        rate, beta = (
            many_runs.rate_at_step(self.learning_rate, state.step),
            many_runs.beta_at_step(self.beta, state.step),
        )
        epsilon = many_runs.rate_at_step(self.epsilon, state.step, "epsilon")
        momentum = many_runs.rate_at_step(self.momentum, state.step, "momentum")
        aligned = many_runs.aligned
        if state.mean is None:
            mean, mean_square = None, _average(beta, state.mean_square, _squares(grads))
        else:
            mean = _average(beta, state.mean, grads)
            mean_square = _variance(beta, state.mean_square, {name: g - state.mean[name] for name, g in grads.items()})
        steps = {name: g / (np.sqrt(mean_square[name]) + aligned(epsilon, g)) for name, g in grads.items()}
        velocity = None
        if state.velocity is not None:
            velocity = {name: aligned(momentum, d) * state.velocity[name] + d for name, d in steps.items()}
            steps = velocity
        updates = {name: -aligned(rate, d) * d for name, d in steps.items()}
        return updates, RMSpropState(state.step + 1, mean_square, mean, velocity)


def _squares(grads: Arrays) -> Arrays:
    return {name: g * g for name, g in grads.items()}


def _average(beta: float | np.ndarray, averages: Arrays, values: Arrays) -> Arrays:
    """Take one step of exponential moving averages: beta a + (1 - beta) x."""
    aligned = many_runs.aligned
    return {name: aligned(beta, x) * averages[name] + aligned(1 - beta, x) * x for name, x in values.items()}


def _variance(beta: float | np.ndarray, variances: Arrays, offsets: Arrays) -> Arrays:
    """Take one step of exponential moving variances: beta (s + (1 - beta) d^2), with d = g - m before m moves."""
    aligned = many_runs.aligned
    return {name: aligned(beta, d) * (variances[name] + aligned(1 - beta, d) * d * d) for name, d in offsets.items()}


class AdamState(NamedTuple):
    """Steps taken, and running averages of the gradient and of its square."""

    step: int
    mean: Arrays
    mean_square: Arrays


@dataclass(frozen=True, eq=False)
class Adam:
    """Momentum over a running root mean square, both corrected for their start at zero.

        m <- beta1 m + (1 - beta1) g              m_hat = m / (1 - beta1^t)
        v <- beta2 v + (1 - beta2) g^2            v_hat = v / (1 - beta2^t)
        update = -learning_rate * m_hat / (sqrt(v_hat) + epsilon)

    The root is over v_hat, and epsilon stands outside it. Many texts misprint one or the other: they leave the root
    out, or put epsilon under it, where 1e-8 acts like 1e-4. PyTorch and optax do as here. In Keras epsilon stands
    beside the root of v, which has no correction, and so acts like epsilon / sqrt(1 - beta2^t) here.

    With epsilon = 0 the step does not change if all gradients are multiplied by one number, as long as their squares
    are within the range of the dtype. In float32 a square overflows where a gradient is above 1.8e19: v is inf from
    then on, and the parameter stays where it is. Below 1e-23 squares are 0, and only epsilon is left to divide by.

    Args:
        learning_rate: At least 0: a number, one a run, or a function of the step that gives either.
        beta1: How much of the average gradient is kept, from 0 to below 1; a number or one a run.
        beta2: How much of the average square is kept, from 0 to below 1; a number or one a run.
        epsilon: At least 0; keeps the quotient finite where the gradient has always been zero.

    Raises:
        ValueError: If a number is outside its range.

    Source: Kingma and Ba (2015).
    """

    learning_rate: Number = 1e-3
    beta1: Number = 0.9
    beta2: Number = 0.999
    epsilon: Number = 1e-8
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_adam(self)

    def init(self, params: Arrays) -> AdamState:
        """Start with both averages at zero."""
        return AdamState(0, many_runs.zeros_like(params), many_runs.zeros_like(params))

    def update(self, grads: Arrays, state: AdamState, params: Arrays) -> tuple[Arrays, AdamState]:
        """Give what is to be added to the parameters, and the next state."""
        rate = many_runs.rate_at_step(self.learning_rate, state.step)
        directions, after = _adam_directions(self, grads, state, params)
        return {name: -many_runs.aligned(rate, d) * d for name, d in directions.items()}, after

    in_place_of: ClassVar[Callable] = update

    def update_in_place(
        self, grads: Arrays, state: AdamState, params: Arrays, scratch: Arrays | None = None
    ) -> AdamState:
        """Write the step of `update` over parameters and averages; see `_step_in_place`."""
        return _step_in_place(self, grads, state, params, scratch, None)


def _check_adam(optimizer: Any) -> None:
    optimizers.check_rate("learning_rate", optimizer.learning_rate)
    optimizers.check_beta("beta1", optimizer.beta1)
    optimizers.check_beta("beta2", optimizer.beta2)
    optimizers.check_rate("epsilon", optimizer.epsilon)


def _adam_values(optimizer: Any, step: int) -> tuple:
    beta1 = many_runs.beta_at_step(optimizer.beta1, step, "beta1")
    beta2 = many_runs.beta_at_step(optimizer.beta2, step, "beta2")
    return beta1, beta2, many_runs.rate_at_step(optimizer.epsilon, step, "epsilon")


def _power(beta: float | np.ndarray, t: int) -> float | np.ndarray:
    """Give beta^t. Python takes it, many times quicker for one number; for one a run too, to have the same bits."""
    if isinstance(beta, float):
        return beta**t
    return np.array([one**t for one in beta.ravel().tolist()]).reshape(beta.shape)


def _adam_directions(optimizer: Any, grads: Arrays, state: AdamState, params: Arrays) -> tuple[Arrays, AdamState]:
    """Give m_hat / (sqrt(v_hat) + epsilon), which `Adam` and `AdamW` scale by the learning rate, and the next state."""
    checks.same_names("grads", grads, "params", params)
    t, aligned = state.step + 1, many_runs.aligned
    beta1, beta2, epsilon = _adam_values(optimizer, state.step)
    mean = _average(beta1, state.mean, grads)
    mean_square = _average(beta2, state.mean_square, _squares(grads))
    total1, total2 = 1 - _power(beta1, t), 1 - _power(beta2, t)
    directions = {}
    for name, m in mean.items():
        m_hat = m / aligned(total1, m)
        v_hat = mean_square[name] / aligned(total2, m)
        directions[name] = m_hat / (np.sqrt(v_hat) + aligned(epsilon, m))
    return directions, AdamState(t, mean, mean_square)


def _step_in_place(
    optimizer: Adam | AdamW,
    grads: Arrays,
    state: AdamState,
    params: Arrays,
    scratch: Arrays | None,
    decay: Number | None,
) -> AdamState:
    """Take the step of `Adam` or `AdamW` without new arrays, with the corrections of both averages taken out of them.

    w <- (1 - rate decay) w - (rate sqrt(1 - beta2^t) / (1 - beta1^t)) m / (sqrt(v) + epsilon sqrt(1 - beta2^t))

    This is `_adam_directions` times the rate, with numerator and denominator multiplied by sqrt(1 - beta2^t).
    """
    t, aligned = state.step + 1, many_runs.aligned
    rate = many_runs.rate_at_step(optimizer.learning_rate, state.step)
    beta1, beta2, epsilon = _adam_values(optimizer, state.step)
    total1, total2 = 1 - _power(beta1, t), 1 - _power(beta2, t)
    root = math.sqrt(total2) if isinstance(total2, float) else np.sqrt(total2)
    for name, g in grads.items():
        w, m, v = params[name], state.mean[name], state.mean_square[name]
        d = np.empty_like(w) if scratch is None else scratch[name]
        m *= aligned(beta1, g)
        m += np.multiply(g, aligned(1 - beta1, g), out=d)
        v *= aligned(beta2, g)
        np.multiply(g, g, out=d)
        v += np.multiply(d, aligned(1 - beta2, g), out=d)
        np.sqrt(v, out=d)
        d += aligned(epsilon * root, g)
        np.divide(m, d, out=d)
        d *= aligned(rate * root / total1, g)
        if decay is not None:
            w *= aligned(1 - rate * many_runs.rate_at_step(decay, state.step, "weight_decay"), g)
        w -= d
    return AdamState(t, state.mean, state.mean_square)


@dataclass(frozen=True, eq=False)
class AdamW:
    """Adam, with a decay of the weights that does not pass through its averages.

        update = Adam's update - learning_rate * weight_decay * w

    Args:
        learning_rate: At least 0: a number, one a run, or a function of the step that gives either.
        beta1: How much of the average gradient is kept, from 0 to below 1; a number or one a run.
        beta2: How much of the average square is kept, from 0 to below 1; a number or one a run.
        epsilon: At least 0; keeps the quotient finite where the gradient has always been zero.
        weight_decay: At least 0; a number or one a run.

    Raises:
        ValueError: If a number is outside its range.

    Source: Loshchilov and Hutter (2019), with the learning rate in front of the decay as in PyTorch.
    """

    learning_rate: Number = 1e-3
    beta1: Number = 0.9
    beta2: Number = 0.999
    epsilon: Number = 1e-8
    weight_decay: Number = 1e-2
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_adam(self)
        optimizers.check_rate("weight_decay", self.weight_decay)

    def init(self, params: Arrays) -> AdamState:
        """Start with both averages at zero."""
        return AdamState(0, many_runs.zeros_like(params), many_runs.zeros_like(params))

    def update(self, grads: Arrays, state: AdamState, params: Arrays) -> tuple[Arrays, AdamState]:
        """Give what is to be added to the parameters, and the next state."""
        rate = many_runs.rate_at_step(self.learning_rate, state.step)
        decay = many_runs.rate_at_step(self.weight_decay, state.step, "weight_decay")
        aligned, (directions, after) = many_runs.aligned, _adam_directions(self, grads, state, params)
        updates = {name: -aligned(rate, d) * (d + aligned(decay, d) * params[name]) for name, d in directions.items()}
        return updates, after

    in_place_of: ClassVar[Callable] = update

    def update_in_place(
        self, grads: Arrays, state: AdamState, params: Arrays, scratch: Arrays | None = None
    ) -> AdamState:
        """Write the step of `update` over parameters and averages; see `_step_in_place`."""
        return _step_in_place(self, grads, state, params, scratch, self.weight_decay)


class AMSGradState(NamedTuple):
    """Steps taken, running averages of the gradient and of its square, and the largest average square so far."""

    step: int
    mean: Arrays
    mean_square: Arrays
    largest: Arrays


@dataclass(frozen=True, eq=False)
class AMSGrad:
    """Adam that does not forget large gradients: the largest average square so far takes the place of the last.

        m, v as in Adam;    s <- max(s, v)
        update = -learning_rate * m_hat / (sqrt(s / (1 - beta2^t)) + epsilon)

    The maximum never falls, but what is divided by it may still grow: 1 - beta2^t grows towards 1, so that after one
    gradient at t = 1 and none later the factor learning_rate / sqrt(s_hat) grows to 1 / sqrt(1 - beta2) of its first
    value, 31.6 times at beta2 = 0.999.

    The maximum is over v without correction, and corrected afterwards, as in PyTorch and Keras. optax takes the maximum
    of the corrected averages, so that its factor does not grow. The paper has no correction.

    Args:
        learning_rate: At least 0: a number, one a run, or a function of the step that gives either.
        beta1: How much of the average gradient is kept, from 0 to below 1; a number or one a run.
        beta2: How much of the average square is kept, from 0 to below 1; a number or one a run.
        epsilon: At least 0; keeps the quotient finite where the gradient has always been zero.

    Raises:
        ValueError: If a number is outside its range.

    Source: Reddi et al. (2018), with Adam's corrections.
    """

    learning_rate: Number = 1e-3
    beta1: Number = 0.9
    beta2: Number = 0.999
    epsilon: Number = 1e-8
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_adam(self)

    def init(self, params: Arrays) -> AMSGradState:
        """Start with everything at zero."""
        return AMSGradState(0, *(many_runs.zeros_like(params) for _ in range(3)))

    def update(self, grads: Arrays, state: AMSGradState, params: Arrays) -> tuple[Arrays, AMSGradState]:
        """Give what is to be added to the parameters, and the next state."""
        checks.same_names("grads", grads, "params", params)
        t, rate = state.step + 1, many_runs.rate_at_step(self.learning_rate, state.step)
        beta1, beta2, epsilon = _adam_values(self, state.step)
        mean = _average(beta1, state.mean, grads)
        mean_square = _average(beta2, state.mean_square, _squares(grads))
        largest = {name: np.maximum(state.largest[name], v) for name, v in mean_square.items()}
        aligned = many_runs.aligned
        updates = {}
        for name, m in mean.items():
            m_hat = m / aligned(1 - _power(beta1, t), m)
            s_hat = largest[name] / aligned(1 - _power(beta2, t), m)
            updates[name] = -aligned(rate, m) * m_hat / (np.sqrt(s_hat) + aligned(epsilon, m))
        return updates, AMSGradState(t, mean, mean_square, largest)


class NAdamState(NamedTuple):
    """Steps taken, the product of all momenta so far, and running averages of the gradient and of its square."""

    step: int
    momentum_product: float | np.ndarray
    mean: Arrays
    mean_square: Arrays


@dataclass(frozen=True, eq=False)
class NAdam:
    """Adam with Nesterov's look ahead: the gradient acts once more on the step that it has just changed.

        mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2),    M_t = mu_1 mu_2 ... mu_t
        m, v as in Adam
        m_bar = mu_(t+1) m / (1 - M_(t+1)) + (1 - mu_t) g / (1 - M_t)
        update = -learning_rate * m_bar / (sqrt(v_hat) + epsilon)

    As in PyTorch. Keras has no momentum_decay and takes 0.96^t, which is momentum_decay = 1; optax takes mu = beta1 in
    every step.

    Args:
        learning_rate: At least 0: a number, one a run, or a function of the step that gives either.
        beta1: How much of the average gradient is kept, from 0 to below 1; a number or one a run.
        beta2: How much of the average square is kept, from 0 to below 1; a number or one a run.
        epsilon: At least 0; keeps the quotient finite where the gradient has always been zero.
        momentum_decay: At least 0, how fast the look ahead grows to beta1; a number or one a run.

    Raises:
        ValueError: If a number is outside its range.

    Source: Dozat (2016), with the schedule of momenta that PyTorch uses.
    """

    learning_rate: Number = 2e-3
    beta1: Number = 0.9
    beta2: Number = 0.999
    epsilon: Number = 1e-8
    momentum_decay: Number = 4e-3
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_adam(self)
        optimizers.check_rate("momentum_decay", self.momentum_decay)

    def init(self, params: Arrays) -> NAdamState:
        """Start with both averages at zero."""
        return NAdamState(0, 1.0, many_runs.zeros_like(params), many_runs.zeros_like(params))

    def update(self, grads: Arrays, state: NAdamState, params: Arrays) -> tuple[Arrays, NAdamState]:
        """Give what is to be added to the parameters, and the next state."""
        checks.same_names("grads", grads, "params", params)
        t, rate = state.step + 1, many_runs.rate_at_step(self.learning_rate, state.step)
        beta1, beta2, epsilon = _adam_values(self, state.step)
        decay = many_runs.rate_at_step(self.momentum_decay, state.step, "momentum_decay")
        momentum, next_momentum = (beta1 * (1 - 0.5 * np.power(0.96, step * decay)) for step in (t, t + 1))
        product = state.momentum_product * momentum
        share_of_g = (1 - momentum) / (1 - product)
        share_of_m = next_momentum / (1 - product * next_momentum)
        mean = _average(beta1, state.mean, grads)
        mean_square = _average(beta2, state.mean_square, _squares(grads))
        aligned = many_runs.aligned
        updates = {}
        for name, g in grads.items():
            m_bar = aligned(share_of_m, g) * mean[name] + aligned(share_of_g, g) * g
            v_hat = mean_square[name] / aligned(1 - _power(beta2, t), g)
            updates[name] = -aligned(rate, g) * m_bar / (np.sqrt(v_hat) + aligned(epsilon, g))
        return updates, NAdamState(t, product, mean, mean_square)


class LionState(NamedTuple):
    """Steps taken, and the running average of the gradient."""

    step: int
    mean: Arrays


@dataclass(frozen=True, eq=False)
class Lion:
    """Step by the sign of an average, so that every number moves by the same length.

        update = -learning_rate * (sign(beta1 m + (1 - beta1) g) + weight_decay * w)
        m <- beta2 m + (1 - beta2) g

    Args:
        learning_rate: At least 0: a number, one a run, or a function of the step that gives either.
        beta1: How much of the average goes into the sign, from 0 to below 1; a number or one a run.
        beta2: How much of the average is kept, from 0 to below 1; a number or one a run.
        weight_decay: At least 0; a number or one a run.

    Raises:
        ValueError: If a number is outside its range.

    Source: [@lionchen2023].
    """

    learning_rate: Number = 1e-4
    beta1: Number = 0.9
    beta2: Number = 0.99
    weight_decay: Number = 0.0
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        optimizers.check_rate("learning_rate", self.learning_rate)
        optimizers.check_beta("beta1", self.beta1)
        optimizers.check_beta("beta2", self.beta2)
        optimizers.check_rate("weight_decay", self.weight_decay)

    def init(self, params: Arrays) -> LionState:
        """Start with the average at zero."""
        return LionState(0, many_runs.zeros_like(params))

    def update(self, grads: Arrays, state: LionState, params: Arrays) -> tuple[Arrays, LionState]:
        """Give what is to be added to the parameters, and the next state."""
        checks.same_names("grads", grads, "params", params)
        rate = many_runs.rate_at_step(self.learning_rate, state.step)
        beta1 = many_runs.beta_at_step(self.beta1, state.step, "beta1")
        beta2 = many_runs.beta_at_step(self.beta2, state.step, "beta2")
        decay = many_runs.rate_at_step(self.weight_decay, state.step, "weight_decay")
        aligned = many_runs.aligned
        updates = {
            name: -aligned(rate, c) * (np.sign(c) + aligned(decay, c) * params[name])
            for name, c in _average(beta1, state.mean, grads).items()
        }
        return updates, LionState(state.step + 1, _average(beta2, state.mean, grads))


NEWTON_SCHULZ_COEFFICIENTS = (3.4445, -4.775, 2.0315)


@precision.rounded_once("matrix")
def newton_schulz(
    matrix: Float[np.ndarray, "*runs rows columns"],
    steps: int = 5,
    coefficients: tuple[float, float, float] = NEWTON_SCHULZ_COEFFICIENTS,
    epsilon: float = 1e-7,
) -> Float[np.ndarray, "*runs rows columns"]:
    """Bring all singular values of a matrix near 1, without computing them.

        X = G / max(|G|, epsilon);    X <- a X + (b X X^T + c (X X^T)^2) X,    several times

    Numbers of 16 bits are computed with in float32; PyTorch's Muon computes in bfloat16 in any case.

    The singular vectors stay; each singular value s goes to a s + b s^3 + c s^5. With the default coefficients five
    steps bring the larger ones to between 0.7 and 1.2; they do not converge to 1.

    Args:
        matrix: G; the last two axes are the matrix.
        steps: How often, at least 0.
        coefficients: a, b and c.
        epsilon: The least length by which the matrix is divided, above 0.

    Returns:
        A matrix of the same shape.

    Raises:
        TypeError: If `matrix` does not hold floating-point numbers.
        ValueError: If it has fewer than two axes, or a number is out of range.

    Derivation: with G = U S V^T, X X^T = U S^2 U^T, so that each line of the polynomial acts on S alone.

    Source: Jordan et al. (2024), the coefficients; derived here.
    """
    checks.rank("matrix", checks.floating("matrix", matrix), at_least=2)
    checks.integer("steps", steps, at_least=0)
    checks.real("epsilon", epsilon, above=0)
    a, b, c = coefficients
    tall = matrix.shape[-2] > matrix.shape[-1]
    x = matrix.mT if tall else matrix
    x = x / np.maximum(gradient_clipping.norm(matrix, matrix.ndim - 2), epsilon)[..., None, None]
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.mT if tall else x


class MuonState(NamedTuple):
    """Steps taken, and the running average of the gradient."""

    step: int
    mean: Arrays


@dataclass(frozen=True, eq=False)
class Muon:
    """Momentum for matrices, whose step is made orthogonal: every direction moves by about the same length.

        m <- beta m + (1 - beta) g
        d = (1 - beta) g + beta m  with nesterov, else m
        update = -learning_rate * (scale newton_schulz(d) + weight_decay w),    scale = sqrt(max(1, fan_out / fan_in))

    It is meant for the weights of hidden layers; give biases and the first and last layer to another optimizer, by
    `Partition`.

    Args:
        learning_rate: At least 0: a number, one a run, or a function of the step that gives either.
        beta: How much of the average is kept, from 0 to below 1; a number or one a run.
        weight_decay: At least 0; a number or one a run.
        nesterov: Whether the gradient acts once more on the average that it has just changed.
        steps: Steps of the Newton-Schulz iteration, at least 0.
        run_axes: How many leading axes of the parameters are runs; two more must follow.

    Raises:
        ValueError: If a number is outside its range; in `init`, if a parameter is not a matrix.

    Source: Jordan et al. (2024), in PyTorch's form.
    """

    learning_rate: Number = 1e-3
    beta: Number = 0.95
    weight_decay: Number = 0.1
    nesterov: bool = True
    steps: int = 5
    run_axes: int = 0

    def __post_init__(self) -> None:
        optimizers.check_rate("learning_rate", self.learning_rate)
        optimizers.check_beta("beta", self.beta)
        optimizers.check_rate("weight_decay", self.weight_decay)
        checks.integer("steps", self.steps, at_least=0)
        checks.integer("run_axes", self.run_axes, at_least=0)

    def init(self, params: Arrays) -> MuonState:
        """Start with the average at zero."""
        for name, value in params.items():
            checks.rank(f"params[{name!r}]", value, exactly=self.run_axes + 2)
        return MuonState(0, many_runs.zeros_like(params))

    def update(self, grads: Arrays, state: MuonState, params: Arrays) -> tuple[Arrays, MuonState]:
        """Give what is to be added to the parameters, and the next state."""
        checks.same_names("grads", grads, "params", params)
        rate, beta = (
            many_runs.rate_at_step(self.learning_rate, state.step),
            many_runs.beta_at_step(self.beta, state.step),
        )
        decay = many_runs.rate_at_step(self.weight_decay, state.step, "weight_decay")
        mean = _average(beta, state.mean, grads)
        ahead = _average(beta, mean, grads) if self.nesterov else mean
        aligned = many_runs.aligned
        updates = {}
        for name, d in ahead.items():
            scale = np.sqrt(max(1, d.shape[-2] / d.shape[-1]))
            turned = newton_schulz(d, self.steps)
            updates[name] = -aligned(rate * scale, d) * turned - aligned(rate * decay, d) * params[name]
        return updates, MuonState(state.step + 1, mean)


class PartitionState(NamedTuple):
    """The states of two optimizers, each for the parameters that it was given."""

    chosen: Any
    others: Any


@dataclass(frozen=True, eq=False)
class Partition:
    """Give some of the parameters to one optimizer and the others to another.

    Args:
        choose: Says by a parameter's name whether it goes to the first.
        chosen: The optimizer for these.
        others: The optimizer for the rest.

    Raises:
        TypeError: If `choose` cannot be called, or an optimizer is none.

    Source: definition.
    """

    choose: Callable[[str], bool]
    chosen: Any
    others: Any

    def __post_init__(self) -> None:
        checks.instance("choose", self.choose, Callable, "a function of a parameter's name")
        optimizers.check_optimizer("chosen", self.chosen)
        optimizers.check_optimizer("others", self.others)

    def _split(self, arrays: Arrays) -> tuple[Arrays, Arrays]:
        chosen = {name: value for name, value in arrays.items() if self.choose(name)}
        return chosen, {name: value for name, value in arrays.items() if name not in chosen}

    def init(self, params: Arrays) -> PartitionState:
        """Give the states of both."""
        chosen, others = self._split(params)
        return PartitionState(self.chosen.init(chosen), self.others.init(others))

    def update(self, grads: Arrays, state: PartitionState, params: Arrays) -> tuple[Arrays, PartitionState]:
        """Let each work on its own."""
        checks.same_names("grads", grads, "params", params)
        (g1, g2), (p1, p2) = self._split(grads), self._split(params)
        u1, s1 = self.chosen.update(g1, state.chosen, p1)
        u2, s2 = self.others.update(g2, state.others, p2)
        together = u1 | u2
        return {name: together[name] for name in grads}, PartitionState(s1, s2)
