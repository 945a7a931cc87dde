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

from dlnotes import checks, optimizers, precision
from dlnotes.torch import gradient_clipping, many_runs

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
        optimizers.check_rate("learning_rate", self.learning_rate)
        optimizers.check_rate("epsilon", self.epsilon)
        checks.real("initial_sum", self.initial_sum, at_least=0)

    def init(self, params: Tensors) -> AdagradState:
        """Start with the sum at its first value."""
        sums = many_runs.zeros_like(params)
        return AdagradState(0, {name: value + self.initial_sum for name, value in sums.items()})

    @torch.no_grad()
    def update(self, grads: Tensors, state: AdagradState, params: Tensors) -> tuple[Tensors, AdagradState]:
        """Give what is to be added to the parameters, and the next state."""
        checks.same_names("grads", grads, "params", params)
        rate = many_runs.rate_at_step(self.learning_rate, state.step)
        epsilon = many_runs.rate_at_step(self.epsilon, state.step, "epsilon")
        aligned = many_runs.aligned
        updates, square_sum = {}, {}
        for name, g in grads.items():
            square_sum[name] = s = state.square_sum[name] + g * g
            updates[name] = -aligned(rate, g) * g / (torch.sqrt(s) + aligned(epsilon, g))
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
        optimizers.check_rate("learning_rate", self.learning_rate)
        optimizers.check_beta("beta", self.beta)
        optimizers.check_rate("epsilon", self.epsilon)
        optimizers.check_rate("momentum", self.momentum)

    def init(self, params: Tensors) -> RMSpropState:
        """Start with the averages at zero."""
        moving = callable(self.momentum) or isinstance(self.momentum, Tensor) or self.momentum != 0
        mean = many_runs.zeros_like(params) if self.centered else None
        return RMSpropState(0, many_runs.zeros_like(params), mean, many_runs.zeros_like(params) if moving else None)

    @torch.no_grad()
    def update(self, grads: Tensors, state: RMSpropState, params: Tensors) -> tuple[Tensors, RMSpropState]:
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
        steps = {name: g / (torch.sqrt(mean_square[name]) + aligned(epsilon, g)) for name, g in grads.items()}
        velocity = None
        if state.velocity is not None:
            velocity = {name: aligned(momentum, d) * state.velocity[name] + d for name, d in steps.items()}
            steps = velocity
        updates = {name: -aligned(rate, d) * d for name, d in steps.items()}
        return updates, RMSpropState(state.step + 1, mean_square, mean, velocity)


def _squares(grads: Tensors) -> Tensors:
    return {name: g * g for name, g in grads.items()}


def _average(beta: float | Tensor, averages: Tensors, values: Tensors) -> Tensors:
    """Take one step of exponential moving averages: beta a + (1 - beta) x."""
    aligned = many_runs.aligned
    return {name: aligned(beta, x) * averages[name] + aligned(1 - beta, x) * x for name, x in values.items()}


def _variance(beta: float | Tensor, variances: Tensors, offsets: Tensors) -> Tensors:
    """Take one step of exponential moving variances: beta (s + (1 - beta) d^2), with d = g - m before m moves."""
    aligned = many_runs.aligned
    return {name: aligned(beta, d) * (variances[name] + aligned(1 - beta, d) * d * d) for name, d in offsets.items()}


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
        return AdamState(0, many_runs.zeros_like(params), many_runs.zeros_like(params))

    @torch.no_grad()
    def update(self, grads: Tensors, state: AdamState, params: Tensors) -> tuple[Tensors, AdamState]:
        """Give what is to be added to the parameters, and the next state."""
        rate = many_runs.rate_at_step(self.learning_rate, state.step)
        directions, after = _adam_directions(self, grads, state, params)
        return {name: -many_runs.aligned(rate, d) * d for name, d in directions.items()}, after

    in_place_of: ClassVar[Callable] = update

    @torch.no_grad()
    def update_in_place(
        self, grads: Tensors, state: AdamState, params: Tensors, scratch: Tensors | None = None
    ) -> AdamState:
        """Write the step of `update` over parameters and averages; see `_step_in_place`."""
        return _step_in_place(self, grads, state, params, 0.0)


def _check_adam(optimizer: Any) -> None:
    optimizers.check_rate("learning_rate", optimizer.learning_rate)
    optimizers.check_beta("beta1", optimizer.beta1)
    optimizers.check_beta("beta2", optimizer.beta2)
    optimizers.check_rate("epsilon", optimizer.epsilon)


def _adam_values(optimizer: Any, step: int) -> tuple:
    beta1 = many_runs.beta_at_step(optimizer.beta1, step, "beta1")
    beta2 = many_runs.beta_at_step(optimizer.beta2, step, "beta2")
    return beta1, beta2, many_runs.rate_at_step(optimizer.epsilon, step, "epsilon")


def _adam_directions(optimizer: Any, grads: Tensors, state: AdamState, params: Tensors) -> tuple[Tensors, AdamState]:
    """Give m_hat / (sqrt(v_hat) + epsilon), which `Adam` and `AdamW` scale by the learning rate, and the next state."""
    checks.same_names("grads", grads, "params", params)
    t, aligned = state.step + 1, many_runs.aligned
    beta1, beta2, epsilon = _adam_values(optimizer, state.step)
    mean = _average(beta1, state.mean, grads)
    mean_square = _average(beta2, state.mean_square, _squares(grads))
    total1, total2 = 1 - beta1**t, 1 - beta2**t
    directions = {}
    for name, m in mean.items():
        m_hat = m / aligned(total1, m)
        v_hat = mean_square[name] / aligned(total2, m)
        directions[name] = m_hat / (torch.sqrt(v_hat) + aligned(epsilon, m))
    return directions, AdamState(t, mean, mean_square)


@torch.no_grad()
def _step_in_place(
    optimizer: Adam | AdamW, grads: Tensors, state: AdamState, params: Tensors, weight_decay: Number
) -> AdamState:
    """Take the step of `Adam` or `AdamW`, writing over averages and parameters.

    w <- (1 - rate decay) w - (rate sqrt(1 - beta2^t) / (1 - beta1^t)) m / (sqrt(v) + epsilon sqrt(1 - beta2^t))

    This is `_adam_directions` times the rate, with numerator and denominator multiplied by sqrt(1 - beta2^t).
    """
    t, aligned = state.step + 1, many_runs.aligned
    rate = many_runs.rate_at_step(optimizer.learning_rate, state.step)
    beta1, beta2, epsilon = _adam_values(optimizer, state.step)
    decay = many_runs.rate_at_step(weight_decay, state.step, "weight_decay")
    single = not any(isinstance(value, Tensor) for value in (rate, beta1, beta2, epsilon, decay))
    if single and all(g.device.type in ("cpu", "cuda") for g in grads.values()):
        _fused_adam(grads, state, params, rate, beta1, beta2, epsilon, decay)
        return AdamState(t, state.mean, state.mean_square)
    root = (1 - beta2**t) ** 0.5
    for name, g in grads.items():
        w, m, v = params[name], state.mean[name], state.mean_square[name]
        m.lerp_(g, aligned(1 - beta1, g))
        v.mul_(aligned(beta2, g)).add_(g * g * aligned(1 - beta2, g))
        step = torch.sqrt(v).add_(aligned(epsilon * root, g)).reciprocal_()
        w.mul_(aligned(1 - rate * decay, g)).sub_(step.mul_(m).mul_(aligned(rate * root / (1 - beta1**t), g)))
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
        optimizers.check_rate("weight_decay", self.weight_decay)

    def init(self, params: Tensors) -> AdamState:
        """Start with both averages at zero."""
        return AdamState(0, many_runs.zeros_like(params), many_runs.zeros_like(params))

    @torch.no_grad()
    def update(self, grads: Tensors, state: AdamState, params: Tensors) -> tuple[Tensors, AdamState]:
        """Give what is to be added to the parameters, and the next state."""
        rate = many_runs.rate_at_step(self.learning_rate, state.step)
        decay = many_runs.rate_at_step(self.weight_decay, state.step, "weight_decay")
        aligned, (directions, after) = many_runs.aligned, _adam_directions(self, grads, state, params)
        updates = {name: -aligned(rate, d) * (d + aligned(decay, d) * params[name]) for name, d in directions.items()}
        return updates, after

    in_place_of: ClassVar[Callable] = update

    @torch.no_grad()
    def update_in_place(
        self, grads: Tensors, state: AdamState, params: Tensors, scratch: Tensors | None = None
    ) -> AdamState:
        """Write the step of `update` over parameters and averages; see `_step_in_place`."""
        return _step_in_place(self, grads, state, params, self.weight_decay)


class AMSGradState(NamedTuple):
    """Steps taken, running averages of the gradient and of its square, and the largest average square so far."""

    step: int
    mean: Tensors
    mean_square: Tensors
    largest: Tensors


@dataclass(frozen=True, eq=False)
class AMSGrad:
    """Adam that does not forget large gradients: the largest average square so far takes the place of the last.

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
        return AMSGradState(0, *(many_runs.zeros_like(params) for _ in range(3)))

    @torch.no_grad()
    def update(self, grads: Tensors, state: AMSGradState, params: Tensors) -> tuple[Tensors, AMSGradState]:
        """Give what is to be added to the parameters, and the next state."""
        checks.same_names("grads", grads, "params", params)
        t, rate = state.step + 1, many_runs.rate_at_step(self.learning_rate, state.step)
        beta1, beta2, epsilon = _adam_values(self, state.step)
        mean = _average(beta1, state.mean, grads)
        mean_square = _average(beta2, state.mean_square, _squares(grads))
        largest = {name: torch.maximum(state.largest[name], v) for name, v in mean_square.items()}
        aligned = many_runs.aligned
        updates = {}
        for name, m in mean.items():
            m_hat = m / aligned(1 - beta1**t, m)
            s_hat = largest[name] / aligned(1 - beta2**t, m)
            updates[name] = -aligned(rate, m) * m_hat / (torch.sqrt(s_hat) + aligned(epsilon, m))
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
        optimizers.check_rate("momentum_decay", self.momentum_decay)

    def init(self, params: Tensors) -> NAdamState:
        """Start with both averages at zero."""
        return NAdamState(0, 1.0, many_runs.zeros_like(params), many_runs.zeros_like(params))

    @torch.no_grad()
    def update(self, grads: Tensors, state: NAdamState, params: Tensors) -> tuple[Tensors, NAdamState]:
        """Give what is to be added to the parameters, and the next state."""
        checks.same_names("grads", grads, "params", params)
        t, rate = state.step + 1, many_runs.rate_at_step(self.learning_rate, state.step)
        beta1, beta2, epsilon = _adam_values(self, state.step)
        decay = many_runs.rate_at_step(self.momentum_decay, state.step, "momentum_decay")
        momentum, next_momentum = (beta1 * (1 - 0.5 * 0.96 ** (step * decay)) for step in (t, t + 1))
        product = state.momentum_product * momentum
        share_of_g = (1 - momentum) / (1 - product)
        share_of_m = next_momentum / (1 - product * next_momentum)
        mean = _average(beta1, state.mean, grads)
        mean_square = _average(beta2, state.mean_square, _squares(grads))
        aligned = many_runs.aligned
        updates = {}
        for name, g in grads.items():
            m_bar = aligned(share_of_m, g) * mean[name] + aligned(share_of_g, g) * g
            v_hat = mean_square[name] / aligned(1 - beta2**t, g)
            updates[name] = -aligned(rate, g) * m_bar / (torch.sqrt(v_hat) + aligned(epsilon, g))
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
        optimizers.check_rate("learning_rate", self.learning_rate)
        optimizers.check_beta("beta1", self.beta1)
        optimizers.check_beta("beta2", self.beta2)
        optimizers.check_rate("weight_decay", self.weight_decay)

    def init(self, params: Tensors) -> LionState:
        """Start with the average at zero."""
        return LionState(0, many_runs.zeros_like(params))

    @torch.no_grad()
    def update(self, grads: Tensors, state: LionState, params: Tensors) -> tuple[Tensors, LionState]:
        """Give what is to be added to the parameters, and the next state."""
        checks.same_names("grads", grads, "params", params)
        rate = many_runs.rate_at_step(self.learning_rate, state.step)
        beta1 = many_runs.beta_at_step(self.beta1, state.step, "beta1")
        beta2 = many_runs.beta_at_step(self.beta2, state.step, "beta2")
        decay = many_runs.rate_at_step(self.weight_decay, state.step, "weight_decay")
        aligned = many_runs.aligned
        updates = {
            # torch takes the sign of nan for 0
            name: -aligned(rate, c) * (torch.where(c.isnan(), c, c.sign()) + aligned(decay, c) * params[name])
            for name, c in _average(beta1, state.mean, grads).items()
        }
        return updates, LionState(state.step + 1, _average(beta2, state.mean, grads))


NEWTON_SCHULZ_COEFFICIENTS = (3.4445, -4.775, 2.0315)


@precision.rounded_once("matrix")
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
    x = x / gradient_clipping.norm(matrix, matrix.ndim - 2).clamp_min(epsilon)[..., None, None]
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
        optimizers.check_rate("learning_rate", self.learning_rate)
        optimizers.check_beta("beta", self.beta)
        optimizers.check_rate("weight_decay", self.weight_decay)
        checks.integer("steps", self.steps, at_least=0)
        checks.integer("run_axes", self.run_axes, at_least=0)

    def init(self, params: Tensors) -> MuonState:
        """Start with the average at zero."""
        for name, value in params.items():
            checks.rank(f"params[{name!r}]", value, exactly=self.run_axes + 2)
        return MuonState(0, many_runs.zeros_like(params))

    @torch.no_grad()
    def update(self, grads: Tensors, state: MuonState, params: Tensors) -> tuple[Tensors, MuonState]:
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
            scale = math.sqrt(max(1, d.shape[-2] / d.shape[-1]))
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

    Equation, arguments and errors as in `dlnotes.numpy.adaptive_methods.Partition`.
    """

    choose: Callable[[str], bool]
    chosen: Any
    others: Any

    def __post_init__(self) -> None:
        checks.instance("choose", self.choose, Callable, "a function of a parameter's name")
        optimizers.check_optimizer("chosen", self.chosen)
        optimizers.check_optimizer("others", self.others)

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
        checks.same_names("grads", grads, "params", params)
        (g1, g2), (p1, p2) = self._split(grads), self._split(params)
        u1, s1 = self.chosen.update(g1, state.chosen, p1)
        u2, s2 = self.others.update(g2, state.others, p2)
        together = u1 | u2
        return {name: together[name] for name in grads}, PartitionState(s1, s2)
