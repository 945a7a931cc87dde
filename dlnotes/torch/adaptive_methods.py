"""Optimizers that give each parameter, or each direction, a step size of its own, on any device.

See `dlnotes.numpy.adaptive_methods`. The training loop takes the steps of Adam and AdamW in place: with PyTorch's fused
kernel where every hyperparameter is a single number, and else in a few passes with one number a run.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import torch
from torch import Tensor
from torch.optim import adam as torch_adam

from dlnotes import checks
from dlnotes.torch import training

if TYPE_CHECKING:
    from jaxtyping import Float

Tensors = dict[str, Tensor]
Number = float | Tensor | Callable


class AdagradState(NamedTuple):
    """Steps taken, and the sum of squared gradients."""

    step: int
    square_sum: Tensors


@dataclass(frozen=True, eq=False)
class Adagrad:
    """Divide the gradient by the root of the sum of all its squares so far.

    Equation, arguments and errors as in `dlnotes.numpy.adaptive_methods.Adagrad`.
    """

    learning_rate: Number = 1e-2
    epsilon: Number = 1e-10
    initial_sum: float = 0.0
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        training.check_rate("learning_rate", self.learning_rate)
        training.check_rate("epsilon", self.epsilon)
        checks.real("initial_sum", self.initial_sum, at_least=0)

    def init(self, params: Tensors) -> AdagradState:
        """Start with the sum at its first value."""
        return AdagradState(0, {name: torch.full_like(value, self.initial_sum) for name, value in params.items()})

    @torch.no_grad()
    def update(self, grads: Tensors, state: AdagradState, params: Tensors) -> tuple[Tensors, AdagradState]:
        """Give what is to be added to the parameters, and the next state."""
        rate, epsilon = (training.at_step(value, state.step) for value in (self.learning_rate, self.epsilon))
        per_run = training.per_run
        updates, square_sum = {}, {}
        for name, g in grads.items():
            square_sum[name] = s = state.square_sum[name] + g * g
            updates[name] = -per_run(rate, g) * g / (torch.sqrt(s) + per_run(epsilon, g))
        return updates, AdagradState(state.step + 1, square_sum)


class RMSpropState(NamedTuple):
    """Steps taken, running averages of the gradient's square and of the gradient, and the velocity."""

    step: int
    mean_square: Tensors
    mean: Tensors | None
    velocity: Tensors | None


@dataclass(frozen=True, eq=False)
class RMSprop:
    """Divide the gradient by a running root mean square.

    Equation, arguments and errors as in `dlnotes.numpy.adaptive_methods.RMSprop`.
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

    def init(self, params: Tensors) -> RMSpropState:
        """Start with the averages at zero."""
        moving = callable(self.momentum) or isinstance(self.momentum, Tensor) or self.momentum != 0
        mean = training.zeros_like(params) if self.centered else None
        return RMSpropState(0, training.zeros_like(params), mean, training.zeros_like(params) if moving else None)

    @torch.no_grad()
    def update(self, grads: Tensors, state: RMSpropState, params: Tensors) -> tuple[Tensors, RMSpropState]:
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
            steps[name] = g / (torch.sqrt(v) + per_run(epsilon, g))
        velocity = None
        if state.velocity is not None:
            velocity = {name: per_run(momentum, d) * state.velocity[name] + d for name, d in steps.items()}
            steps = velocity
        updates = {name: -per_run(rate, d) * d for name, d in steps.items()}
        return updates, RMSpropState(state.step + 1, mean_square, mean, velocity)


def _average(beta: float | Tensor, averages: Tensors, values: Tensors) -> Tensors:
    """Take one step of exponential moving averages: beta a + (1 - beta) x."""
    per_run = training.per_run
    return {name: per_run(beta, x) * averages[name] + per_run(1 - beta, x) * x for name, x in values.items()}


class AdamState(NamedTuple):
    """Steps taken, and running averages of the gradient and of its square."""

    step: int
    mean: Tensors
    mean_square: Tensors


@dataclass(frozen=True, eq=False)
class Adam:
    """Momentum over a running root mean square, both corrected for their start at zero.

    Equation, arguments and errors as in `dlnotes.numpy.adaptive_methods.Adam`.
    """

    learning_rate: Number = 1e-3
    beta1: Number = 0.9
    beta2: Number = 0.999
    epsilon: Number = 1e-8
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_adam(self)

    def init(self, params: Tensors) -> AdamState:
        """Start with both averages at zero."""
        return AdamState(0, training.zeros_like(params), training.zeros_like(params))

    @torch.no_grad()
    def update(self, grads: Tensors, state: AdamState, params: Tensors) -> tuple[Tensors, AdamState]:
        """Give what is to be added to the parameters, and the next state."""
        t = state.step + 1
        rate, beta1, beta2, epsilon = _adam_values(self, state.step)
        mean = _average(beta1, state.mean, grads)
        mean_square = _average(beta2, state.mean_square, {name: g * g for name, g in grads.items()})
        per_run = training.per_run
        total1, total2 = 1 - beta1**t, 1 - beta2**t
        updates = {}
        for name, m in mean.items():
            m_hat = m / per_run(total1, m)
            v_hat = mean_square[name] / per_run(total2, m)
            updates[name] = -per_run(rate, m) * m_hat / (torch.sqrt(v_hat) + per_run(epsilon, m))
        return updates, AdamState(t, mean, mean_square)


def _check_adam(optimizer: Any) -> None:
    training.check_rate("learning_rate", optimizer.learning_rate)
    training.check_beta("beta1", optimizer.beta1)
    training.check_beta("beta2", optimizer.beta2)
    training.check_rate("epsilon", optimizer.epsilon)


def _adam_values(optimizer: Any, step: int) -> tuple:
    names = ("learning_rate", "beta1", "beta2", "epsilon")
    return tuple(training.at_step(getattr(optimizer, name), step) for name in names)


@dataclass(frozen=True, eq=False)
class AdamW:
    """Adam, with a decay of the weights that does not pass through its averages.

    Equation, arguments and errors as in `dlnotes.numpy.adaptive_methods.AdamW`.
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

    def init(self, params: Tensors) -> AdamState:
        """Start with both averages at zero."""
        return AdamState(0, training.zeros_like(params), training.zeros_like(params))

    @torch.no_grad()
    def update(self, grads: Tensors, state: AdamState, params: Tensors) -> tuple[Tensors, AdamState]:
        """Give what is to be added to the parameters, and the next state."""
        adam = Adam(self.learning_rate, self.beta1, self.beta2, self.epsilon)
        updates, after = adam.update(grads, state, params)
        rate, decay = (training.at_step(value, state.step) for value in (self.learning_rate, self.weight_decay))
        updates = {name: u - training.per_run(rate * decay, u) * params[name] for name, u in updates.items()}
        return updates, after


class AMSGradState(NamedTuple):
    """Steps taken, running averages of the gradient and of its square, and the largest average square so far."""

    step: int
    mean: Tensors
    mean_square: Tensors
    largest: Tensors


@dataclass(frozen=True, eq=False)
class AMSGrad:
    """Adam with a step size that never grows again: the largest average square so far takes the place of the last.

    Equation, arguments and errors as in `dlnotes.numpy.adaptive_methods.AMSGrad`.
    """

    learning_rate: Number = 1e-3
    beta1: Number = 0.9
    beta2: Number = 0.999
    epsilon: Number = 1e-8
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_adam(self)

    def init(self, params: Tensors) -> AMSGradState:
        """Start with everything at zero."""
        return AMSGradState(0, *(training.zeros_like(params) for _ in range(3)))

    @torch.no_grad()
    def update(self, grads: Tensors, state: AMSGradState, params: Tensors) -> tuple[Tensors, AMSGradState]:
        """Give what is to be added to the parameters, and the next state."""
        t = state.step + 1
        rate, beta1, beta2, epsilon = _adam_values(self, state.step)
        mean = _average(beta1, state.mean, grads)
        mean_square = _average(beta2, state.mean_square, {name: g * g for name, g in grads.items()})
        largest = {name: torch.maximum(state.largest[name], v) for name, v in mean_square.items()}
        per_run = training.per_run
        updates = {}
        for name, m in mean.items():
            m_hat = m / per_run(1 - beta1**t, m)
            s_hat = largest[name] / per_run(1 - beta2**t, m)
            updates[name] = -per_run(rate, m) * m_hat / (torch.sqrt(s_hat) + per_run(epsilon, m))
        return updates, AMSGradState(t, mean, mean_square, largest)


class NAdamState(NamedTuple):
    """Steps taken, the product of all momenta so far, and running averages of the gradient and of its square."""

    step: int
    momentum_product: float | Tensor
    mean: Tensors
    mean_square: Tensors


@dataclass(frozen=True, eq=False)
class NAdam:
    """Adam with Nesterov's look ahead: the gradient acts once more on the step that it has just changed.

    Equation, arguments and errors as in `dlnotes.numpy.adaptive_methods.NAdam`.
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

    def init(self, params: Tensors) -> NAdamState:
        """Start with both averages at zero."""
        return NAdamState(0, 1.0, training.zeros_like(params), training.zeros_like(params))

    @torch.no_grad()
    def update(self, grads: Tensors, state: NAdamState, params: Tensors) -> tuple[Tensors, NAdamState]:
        """Give what is to be added to the parameters, and the next state."""
        t = state.step + 1
        rate, beta1, beta2, epsilon = _adam_values(self, state.step)
        decay = training.at_step(self.momentum_decay, state.step)
        momentum, next_momentum = (beta1 * (1 - 0.5 * 0.96 ** (step * decay)) for step in (t, t + 1))
        product = state.momentum_product * momentum
        share_of_g = (1 - momentum) / (1 - product)
        share_of_m = next_momentum / (1 - product * next_momentum)
        mean = _average(beta1, state.mean, grads)
        mean_square = _average(beta2, state.mean_square, {name: g * g for name, g in grads.items()})
        per_run = training.per_run
        updates = {}
        for name, g in grads.items():
            m_bar = per_run(share_of_m, g) * mean[name] + per_run(share_of_g, g) * g
            v_hat = mean_square[name] / per_run(1 - beta2**t, g)
            updates[name] = -per_run(rate, g) * m_bar / (torch.sqrt(v_hat) + per_run(epsilon, g))
        return updates, NAdamState(t, product, mean, mean_square)


class LionState(NamedTuple):
    """Steps taken, and the running average of the gradient."""

    step: int
    mean: Tensors


@dataclass(frozen=True, eq=False)
class Lion:
    """Step by the sign of an average, so that every number moves by the same length.

    Equation, arguments and errors as in `dlnotes.numpy.adaptive_methods.Lion`.
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

    def init(self, params: Tensors) -> LionState:
        """Start with the average at zero."""
        return LionState(0, training.zeros_like(params))

    @torch.no_grad()
    def update(self, grads: Tensors, state: LionState, params: Tensors) -> tuple[Tensors, LionState]:
        """Give what is to be added to the parameters, and the next state."""
        rate, beta1, beta2, decay = (
            training.at_step(value, state.step)
            for value in (self.learning_rate, self.beta1, self.beta2, self.weight_decay)
        )
        per_run = training.per_run
        updates = {
            name: -per_run(rate, c) * (torch.sign(c) + per_run(decay, c) * params[name])
            for name, c in _average(beta1, state.mean, grads).items()
        }
        return updates, LionState(state.step + 1, _average(beta2, state.mean, grads))


NEWTON_SCHULZ_COEFFICIENTS = (3.4445, -4.775, 2.0315)


def newton_schulz(
    matrix: Float[Tensor, "*runs rows columns"],
    steps: int = 5,
    coefficients: tuple[float, float, float] = NEWTON_SCHULZ_COEFFICIENTS,
    epsilon: float = 1e-7,
) -> Float[Tensor, "*runs rows columns"]:
    """Bring all singular values of a matrix near 1, without computing them.

    Equation, arguments and errors as in `dlnotes.numpy.adaptive_methods.newton_schulz`.
    """
    checks.rank("matrix", checks.floating("matrix", matrix), at_least=2)
    checks.integer("steps", steps, at_least=0)
    checks.real("epsilon", epsilon, above=0)
    a, b, c = coefficients
    tall = matrix.shape[-2] > matrix.shape[-1]
    x = matrix.mT if tall else matrix
    squares = (matrix * matrix).reshape(*matrix.shape[:-2], matrix.shape[-2] * matrix.shape[-1])
    x = x / torch.sqrt(squares.sum(-1)).clamp_min(epsilon)[..., None, None]
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.mT if tall else x


class MuonState(NamedTuple):
    """Steps taken, and the running average of the gradient."""

    step: int
    mean: Tensors


@dataclass(frozen=True, eq=False)
class Muon:
    """Momentum for matrices, whose step is made orthogonal: every direction moves by about the same length.

    Equation, arguments and errors as in `dlnotes.numpy.adaptive_methods.Muon`.
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

    def init(self, params: Tensors) -> MuonState:
        """Start with the average at zero."""
        for name, value in params.items():
            checks.rank(f"params[{name!r}]", value, exactly=self.run_axes + 2)
        return MuonState(0, training.zeros_like(params))

    @torch.no_grad()
    def update(self, grads: Tensors, state: MuonState, params: Tensors) -> tuple[Tensors, MuonState]:
        """Give what is to be added to the parameters, and the next state."""
        rate, beta, decay = (
            training.at_step(value, state.step) for value in (self.learning_rate, self.beta, self.weight_decay)
        )
        mean = _average(beta, state.mean, grads)
        ahead = _average(beta, mean, grads) if self.nesterov else mean
        per_run = training.per_run
        updates = {}
        for name, d in ahead.items():
            scale = math.sqrt(max(1, d.shape[-2] / d.shape[-1]))
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

    Equation, arguments and errors as in `dlnotes.numpy.adaptive_methods.Partition`.
    """

    choose: Callable[[str], bool]
    chosen: Any
    others: Any

    def __post_init__(self) -> None:
        checks.instance("choose", self.choose, Callable, "a function of a parameter's name")
        training.check_optimizer("chosen", self.chosen)
        training.check_optimizer("others", self.others)

    def _split(self, arrays: Tensors) -> tuple[Tensors, Tensors]:
        chosen = {name: value for name, value in arrays.items() if self.choose(name)}
        return chosen, {name: value for name, value in arrays.items() if name not in chosen}

    def init(self, params: Tensors) -> PartitionState:
        """Give the states of both."""
        chosen, others = self._split(params)
        return PartitionState(self.chosen.init(chosen), self.others.init(others))

    @torch.no_grad()
    def update(self, grads: Tensors, state: PartitionState, params: Tensors) -> tuple[Tensors, PartitionState]:
        """Let each work on its own."""
        (g1, g2), (p1, p2) = self._split(grads), self._split(params)
        u1, s1 = self.chosen.update(g1, state.chosen, p1)
        u2, s2 = self.others.update(g2, state.others, p2)
        together = u1 | u2
        return {name: together[name] for name in grads}, PartitionState(s1, s2)


@torch.no_grad()
def _adam_in_place(optimizer: Adam | AdamW, grads: Tensors, state: AdamState, params: Tensors) -> AdamState:
    """Take the step of `Adam` or `AdamW`, writing over averages and parameters."""
    t = state.step + 1
    rate, beta1, beta2, epsilon = _adam_values(optimizer, state.step)
    decay = training.at_step(getattr(optimizer, "weight_decay", 0.0), state.step)
    single = not any(isinstance(value, Tensor) for value in (rate, beta1, beta2, epsilon, decay))
    if single and all(g.device.type in ("cpu", "cuda") for g in grads.values()):
        _fused_adam(grads, state, params, rate, beta1, beta2, epsilon, decay)
        return AdamState(t, state.mean, state.mean_square)
    root = (1 - beta2**t) ** 0.5
    per_run = training.per_run
    for name, g in grads.items():
        w, m, v = params[name], state.mean[name], state.mean_square[name]
        m.lerp_(g, per_run(1 - beta1, g))
        v.mul_(per_run(beta2, g)).add_(g * g * per_run(1 - beta2, g))
        step = torch.sqrt(v).add_(per_run(epsilon * root, g)).reciprocal_()
        w.mul_(per_run(1 - rate * decay, g)).sub_(step.mul_(m).mul_(per_run(rate * root / (1 - beta1**t), g)))
    return AdamState(t, state.mean, state.mean_square)


def _fused_adam(
    grads: Tensors,
    state: AdamState,
    params: Tensors,
    rate: float,
    beta1: float,
    beta2: float,
    epsilon: float,
    decay: float,
) -> None:
    """Call the kernel that reads and writes every number once. It counts the step itself."""
    names = list(grads)
    torch_adam.adam(
        *([tensors[name] for name in names] for tensors in (params, grads, state.mean, state.mean_square)),
        [],
        [torch.full((), state.step, dtype=torch.float32, device=grads[name].device) for name in names],
        fused=True,
        amsgrad=False,
        beta1=beta1,
        beta2=beta2,
        lr=rate,
        weight_decay=decay,
        eps=epsilon,
        maximize=False,
        decoupled_weight_decay=True,
    )


# For the training loop, which asks for it; what it does is tested equal to `update`.
Adam.update.in_place = AdamW.update.in_place = _adam_in_place
