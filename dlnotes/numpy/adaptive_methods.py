"""Optimizers that give each parameter, or each direction, a step size of its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from dlnotes import checks
from dlnotes.numpy import training

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

    Args:
        learning_rate: At least 0: a number, one a run, or a function of the step that gives either.
        epsilon: At least 0, outside the root; keeps the quotient finite where the gradient has always been zero.
        initial_sum: What s starts from, at least 0.

    Raises:
        ValueError: If a number is outside its range.

    Source: Duchi, Hazan and Singer (2011).
    """

    learning_rate: Number = 1e-2
    epsilon: Number = 1e-10
    initial_sum: float = 0.0
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        training.check_rate("learning_rate", self.learning_rate)
        training.check_rate("epsilon", self.epsilon)
        checks.real("initial_sum", self.initial_sum, at_least=0)

    def init(self, params: Arrays) -> AdagradState:
        """Start with the sum at its first value."""
        return AdagradState(0, {name: np.full_like(value, self.initial_sum) for name, value in params.items()})

    def update(self, grads: Arrays, state: AdagradState, params: Arrays) -> tuple[Arrays, AdagradState]:
        """Give what is to be added to the parameters, and the next state."""
        rate, epsilon = (training.at_step(value, state.step) for value in (self.learning_rate, self.epsilon))
        per_run = training.per_run
        updates, square_sum = {}, {}
        for name, g in grads.items():
            square_sum[name] = s = state.square_sum[name] + g * g
            updates[name] = -per_run(rate, g) * g / (np.sqrt(s) + per_run(epsilon, g))
        return updates, AdagradState(state.step + 1, square_sum)


class RMSpropState(NamedTuple):
    """Steps taken, running averages of the gradient's square and of the gradient, and the velocity."""

    step: int
    mean_square: Arrays
    mean: Arrays | None
    velocity: Arrays | None


@dataclass(frozen=True, eq=False)
class RMSprop:
    """Divide the gradient by a running root mean square.

        v <- beta v + (1 - beta) g^2
        update = -learning_rate * g / (sqrt(v) + epsilon)

    If centered, the root is over v - m^2, with m the running average of g: an estimate of the variance. With
    momentum, the quotient d is summed as in the heavy ball, u <- momentum u + d, and update = -learning_rate * u.
    There is no bias correction, so that the first steps are longer by 1 / sqrt(1 - beta^t).

    Args:
        learning_rate: At least 0: a number, one a run, or a function of the step that gives either.
        beta: How much of the averages is kept, from 0 to below 1; a number or one a run.
        epsilon: At least 0, outside the root.
        momentum: How much of the velocity is kept, at least 0; a number or one a run.
        centered: Whether the square of the average is taken off.

    Raises:
        ValueError: If a number is outside its range.

    Source: Tieleman and Hinton (2012), lecture 6.5; centered by Graves (2013).
    """

    learning_rate: Number = 1e-2
    beta: Number = 0.99
    epsilon: Number = 1e-8
    momentum: Number = 0.0
    centered: bool = False
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        training.check_rate("learning_rate", self.learning_rate)
        training.check_beta("beta", self.beta)
        training.check_rate("epsilon", self.epsilon)
        training.check_rate("momentum", self.momentum)

    def init(self, params: Arrays) -> RMSpropState:
        """Start with the averages at zero."""
        moving = callable(self.momentum) or np.any(self.momentum)
        mean = training.zeros_like(params) if self.centered else None
        return RMSpropState(0, training.zeros_like(params), mean, training.zeros_like(params) if moving else None)

    def update(self, grads: Arrays, state: RMSpropState, params: Arrays) -> tuple[Arrays, RMSpropState]:
        """Give what is to be added to the parameters, and the next state."""
        rate, beta, epsilon, momentum = (
            training.at_step(value, state.step)
            for value in (self.learning_rate, self.beta, self.epsilon, self.momentum)
        )
        per_run = training.per_run
        mean_square = _average(beta, state.mean_square, {name: g * g for name, g in grads.items()})
        mean = None if state.mean is None else _average(beta, state.mean, grads)
        steps = {}
        for name, g in grads.items():
            v = mean_square[name] if mean is None else mean_square[name] - mean[name] * mean[name]
            steps[name] = g / (np.sqrt(v) + per_run(epsilon, g))
        velocity = None
        if state.velocity is not None:
            velocity = {name: per_run(momentum, d) * state.velocity[name] + d for name, d in steps.items()}
            steps = velocity
        updates = {name: -per_run(rate, d) * d for name, d in steps.items()}
        return updates, RMSpropState(state.step + 1, mean_square, mean, velocity)


def _average(beta: float | np.ndarray, averages: Arrays, values: Arrays) -> Arrays:
    """Take one step of exponential moving averages: beta a + (1 - beta) x."""
    per_run = training.per_run
    return {name: per_run(beta, x) * averages[name] + per_run(1 - beta, x) * x for name, x in values.items()}


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
    out, or put epsilon under it, where 1e-8 acts like 1e-4.

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
        return AdamState(0, training.zeros_like(params), training.zeros_like(params))

    def update(self, grads: Arrays, state: AdamState, params: Arrays) -> tuple[Arrays, AdamState]:
        """Give what is to be added to the parameters, and the next state."""
        t = state.step + 1
        rate, beta1, beta2, epsilon = _adam_values(self, state.step)
        mean = _average(beta1, state.mean, grads)
        mean_square = _average(beta2, state.mean_square, {name: g * g for name, g in grads.items()})
        per_run = training.per_run
        total1, total2 = 1 - _power(beta1, t), 1 - _power(beta2, t)
        updates = {}
        for name, m in mean.items():
            m_hat = m / per_run(total1, m)
            v_hat = mean_square[name] / per_run(total2, m)
            updates[name] = -per_run(rate, m) * m_hat / (np.sqrt(v_hat) + per_run(epsilon, m))
        return updates, AdamState(t, mean, mean_square)


def _check_adam(optimizer: Any) -> None:
    training.check_rate("learning_rate", optimizer.learning_rate)
    training.check_beta("beta1", optimizer.beta1)
    training.check_beta("beta2", optimizer.beta2)
    training.check_rate("epsilon", optimizer.epsilon)


def _adam_values(optimizer: Any, step: int) -> tuple:
    at = training.at_step
    rate, beta1, beta2, epsilon = optimizer.learning_rate, optimizer.beta1, optimizer.beta2, optimizer.epsilon
    return at(rate, step), at(beta1, step), at(beta2, step), at(epsilon, step)


def _power(beta: float | np.ndarray, t: int) -> float | np.ndarray:
    """Give beta^t. Python takes it, many times quicker for one number; for one a run too, to have the same bits."""
    if isinstance(beta, float):
        return beta**t
    return np.array([one**t for one in beta.ravel().tolist()]).reshape(beta.shape)


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
        training.check_rate("weight_decay", self.weight_decay)

    def init(self, params: Arrays) -> AdamState:
        """Start with both averages at zero."""
        return AdamState(0, training.zeros_like(params), training.zeros_like(params))

    def update(self, grads: Arrays, state: AdamState, params: Arrays) -> tuple[Arrays, AdamState]:
        """Give what is to be added to the parameters, and the next state."""
        adam = Adam(self.learning_rate, self.beta1, self.beta2, self.epsilon)
        updates, after = adam.update(grads, state, params)
        rate, decay = (training.at_step(value, state.step) for value in (self.learning_rate, self.weight_decay))
        updates = {name: u - training.per_run(rate * decay, u) * params[name] for name, u in updates.items()}
        return updates, after


class AMSGradState(NamedTuple):
    """Steps taken, running averages of the gradient and of its square, and the largest average square so far."""

    step: int
    mean: Arrays
    mean_square: Arrays
    largest: Arrays


@dataclass(frozen=True, eq=False)
class AMSGrad:
    """Adam with a step size that never grows again: the largest average square so far takes the place of the last.

        m, v as in Adam;    s <- max(s, v)
        update = -learning_rate * m_hat / (sqrt(s / (1 - beta2^t)) + epsilon)

    The averages are corrected as in Adam, which is PyTorch's form; the paper's has no correction.

    Args:
        learning_rate: At least 0: a number, one a run, or a function of the step that gives either.
        beta1: How much of the average gradient is kept, from 0 to below 1; a number or one a run.
        beta2: How much of the average square is kept, from 0 to below 1; a number or one a run.
        epsilon: At least 0; keeps the quotient finite where the gradient has always been zero.

    Raises:
        ValueError: If a number is outside its range.

    Source: Reddi, Kale and Kumar (2018), with Adam's corrections.
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
        return AMSGradState(0, *(training.zeros_like(params) for _ in range(3)))

    def update(self, grads: Arrays, state: AMSGradState, params: Arrays) -> tuple[Arrays, AMSGradState]:
        """Give what is to be added to the parameters, and the next state."""
        t = state.step + 1
        rate, beta1, beta2, epsilon = _adam_values(self, state.step)
        mean = _average(beta1, state.mean, grads)
        mean_square = _average(beta2, state.mean_square, {name: g * g for name, g in grads.items()})
        largest = {name: np.maximum(state.largest[name], v) for name, v in mean_square.items()}
        per_run = training.per_run
        updates = {}
        for name, m in mean.items():
            m_hat = m / per_run(1 - _power(beta1, t), m)
            s_hat = largest[name] / per_run(1 - _power(beta2, t), m)
            updates[name] = -per_run(rate, m) * m_hat / (np.sqrt(s_hat) + per_run(epsilon, m))
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
        training.check_rate("momentum_decay", self.momentum_decay)

    def init(self, params: Arrays) -> NAdamState:
        """Start with both averages at zero."""
        return NAdamState(0, 1.0, training.zeros_like(params), training.zeros_like(params))

    def update(self, grads: Arrays, state: NAdamState, params: Arrays) -> tuple[Arrays, NAdamState]:
        """Give what is to be added to the parameters, and the next state."""
        t = state.step + 1
        rate, beta1, beta2, epsilon = _adam_values(self, state.step)
        decay = training.at_step(self.momentum_decay, state.step)
        momentum, next_momentum = (beta1 * (1 - 0.5 * np.power(0.96, step * decay)) for step in (t, t + 1))
        product = state.momentum_product * momentum
        share_of_g = (1 - momentum) / (1 - product)
        share_of_m = next_momentum / (1 - product * next_momentum)
        mean = _average(beta1, state.mean, grads)
        mean_square = _average(beta2, state.mean_square, {name: g * g for name, g in grads.items()})
        per_run = training.per_run
        updates = {}
        for name, g in grads.items():
            m_bar = per_run(share_of_m, g) * mean[name] + per_run(share_of_g, g) * g
            v_hat = mean_square[name] / per_run(1 - _power(beta2, t), g)
            updates[name] = -per_run(rate, g) * m_bar / (np.sqrt(v_hat) + per_run(epsilon, g))
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

    Source: Chen et al. (2023).
    """

    learning_rate: Number = 1e-4
    beta1: Number = 0.9
    beta2: Number = 0.99
    weight_decay: Number = 0.0
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        training.check_rate("learning_rate", self.learning_rate)
        training.check_beta("beta1", self.beta1)
        training.check_beta("beta2", self.beta2)
        training.check_rate("weight_decay", self.weight_decay)

    def init(self, params: Arrays) -> LionState:
        """Start with the average at zero."""
        return LionState(0, training.zeros_like(params))

    def update(self, grads: Arrays, state: LionState, params: Arrays) -> tuple[Arrays, LionState]:
        """Give what is to be added to the parameters, and the next state."""
        rate, beta1, beta2, decay = (
            training.at_step(value, state.step)
            for value in (self.learning_rate, self.beta1, self.beta2, self.weight_decay)
        )
        per_run = training.per_run
        updates = {
            name: -per_run(rate, c) * (np.sign(c) + per_run(decay, c) * params[name])
            for name, c in _average(beta1, state.mean, grads).items()
        }
        return updates, LionState(state.step + 1, _average(beta2, state.mean, grads))


NEWTON_SCHULZ_COEFFICIENTS = (3.4445, -4.775, 2.0315)


def newton_schulz(
    matrix: Float[np.ndarray, "*runs rows columns"],
    steps: int = 5,
    coefficients: tuple[float, float, float] = NEWTON_SCHULZ_COEFFICIENTS,
    epsilon: float = 1e-7,
) -> Float[np.ndarray, "*runs rows columns"]:
    """Bring all singular values of a matrix near 1, without computing them.

        X = G / max(|G|, epsilon);    X <- a X + (b X X^T + c (X X^T)^2) X,    several times

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

    Source: Jordan et al. (2024), the coefficients; derived in the chapter.
    """
    checks.rank("matrix", checks.floating("matrix", matrix), at_least=2)
    checks.integer("steps", steps, at_least=0)
    checks.real("epsilon", epsilon, above=0)
    a, b, c = coefficients
    tall = matrix.shape[-2] > matrix.shape[-1]
    x = matrix.mT if tall else matrix
    squares = (matrix * matrix).reshape(*matrix.shape[:-2], matrix.shape[-2] * matrix.shape[-1])
    x = x / np.maximum(np.sqrt(squares.sum(-1)), epsilon)[..., None, None]
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

    Source: Jordan et al. (2024), in PyTorch's form; derived in the chapter.
    """

    learning_rate: Number = 1e-3
    beta: Number = 0.95
    weight_decay: Number = 0.1
    nesterov: bool = True
    steps: int = 5
    run_axes: int = 0

    def __post_init__(self) -> None:
        training.check_rate("learning_rate", self.learning_rate)
        training.check_beta("beta", self.beta)
        training.check_rate("weight_decay", self.weight_decay)
        checks.integer("steps", self.steps, at_least=0)
        checks.integer("run_axes", self.run_axes, at_least=0)

    def init(self, params: Arrays) -> MuonState:
        """Start with the average at zero."""
        for name, value in params.items():
            checks.rank(f"params[{name!r}]", value, exactly=self.run_axes + 2)
        return MuonState(0, training.zeros_like(params))

    def update(self, grads: Arrays, state: MuonState, params: Arrays) -> tuple[Arrays, MuonState]:
        """Give what is to be added to the parameters, and the next state."""
        rate, beta, decay = (
            training.at_step(value, state.step) for value in (self.learning_rate, self.beta, self.weight_decay)
        )
        mean = _average(beta, state.mean, grads)
        ahead = _average(beta, mean, grads) if self.nesterov else mean
        per_run = training.per_run
        updates = {}
        for name, d in ahead.items():
            scale = np.sqrt(max(1, d.shape[-2] / d.shape[-1]))
            turned = newton_schulz(d, self.steps)
            updates[name] = -per_run(rate * scale, d) * turned - per_run(rate * decay, d) * params[name]
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

    Source: derived in the chapter.
    """

    choose: Callable[[str], bool]
    chosen: Any
    others: Any

    def __post_init__(self) -> None:
        checks.instance("choose", self.choose, Callable, "a function of a parameter's name")
        training.check_optimizer("chosen", self.chosen)
        training.check_optimizer("others", self.others)

    def _split(self, arrays: Arrays) -> tuple[Arrays, Arrays]:
        chosen = {name: value for name, value in arrays.items() if self.choose(name)}
        return chosen, {name: value for name, value in arrays.items() if name not in chosen}

    def init(self, params: Arrays) -> PartitionState:
        """Give the states of both."""
        chosen, others = self._split(params)
        return PartitionState(self.chosen.init(chosen), self.others.init(others))

    def update(self, grads: Arrays, state: PartitionState, params: Arrays) -> tuple[Arrays, PartitionState]:
        """Let each work on its own."""
        (g1, g2), (p1, p2) = self._split(grads), self._split(params)
        u1, s1 = self.chosen.update(g1, state.chosen, p1)
        u2, s2 = self.others.update(g2, state.others, p2)
        together = u1 | u2
        return {name: together[name] for name in grads}, PartitionState(s1, s2)


def _adam_in_place(
    optimizer: Adam | AdamW, grads: Arrays, state: AdamState, params: Arrays, scratch: np.ndarray
) -> AdamState:
    """Take the step of `Adam` or `AdamW` on one array, without new arrays; its corrections are taken out of it.

    w <- w - (rate sqrt(1 - beta2^t) / (1 - beta1^t)) m / (sqrt(v) + epsilon sqrt(1 - beta2^t))
    """
    t = state.step + 1
    ((name, g),) = grads.items()
    w, m, v = params[name], state.mean[name], state.mean_square[name]
    rate, beta1, beta2, epsilon = _adam_values(optimizer, state.step)
    total1, total2 = 1 - _power(beta1, t), 1 - _power(beta2, t)
    root = math.sqrt(total2) if isinstance(total2, float) else np.sqrt(total2)
    per_run = training.per_run
    m *= per_run(beta1, g)
    m += np.multiply(g, per_run(1 - beta1, g), out=scratch)
    v *= per_run(beta2, g)
    np.multiply(g, g, out=scratch)
    v += np.multiply(scratch, per_run(1 - beta2, g), out=scratch)
    np.sqrt(v, out=scratch)
    scratch += per_run(epsilon * root, g)
    np.divide(m, scratch, out=scratch)
    scratch *= per_run(rate * root / total1, g)
    if isinstance(optimizer, AdamW):
        w *= per_run(1 - rate * training.at_step(optimizer.weight_decay, state.step), g)
    w -= scratch
    return AdamState(t, state.mean, state.mean_square)


# For the training loop, which asks for it; what it does is tested equal to `update`.
Adam.update.in_place = AdamW.update.in_place = _adam_in_place
