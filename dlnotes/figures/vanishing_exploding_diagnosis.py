"""The figure that plants thirty faults and shows what the diagnosis says of each."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dlnotes import diagnosis
from dlnotes.figures import vanishing_exploding_networks as nets
from dlnotes.numpy import activations, minibatch, network, objective
from dlnotes.numpy import vanishing_exploding as depths

if TYPE_CHECKING:
    pass

Arrays = dict[str, np.ndarray]


class PerLayer(NamedTuple):
    """Gradient descent with a rate for each layer, as by groups of parameters."""

    rates: dict[str, float]

    def init(self, params: Arrays) -> None:
        """There is nothing to remember."""

    def update(self, grads: Arrays, state: None, params: Arrays) -> tuple[Arrays, None]:
        """Give minus the rate of its layer times each gradient."""
        return {name: -self.rates[name.partition(".")[0]] * grad for name, grad in grads.items()}, None


class Case(NamedTuple):
    """A network about to take a step, with the layer that a fault is to be planted in."""

    parameters: Arrays
    inputs: np.ndarray
    targets: np.ndarray
    layer: int
    optimizer: Any = minibatch.SGD(0.05)
    activation: str | activations.Activation = "relu"
    loss: Callable = objective.cross_entropy_with_gradient


def healthy(seed: int, depth: int, width: int) -> Case:
    """Draw a ReLU network with He's weights, a batch of digits, and one of the hidden layers after the first."""
    generator = np.random.default_rng(seed)
    inputs, targets = nets.digits()
    batch = generator.permutation(len(inputs))[:100]
    parameters = network.initialize([inputs.shape[1], *[width] * depth, nets.CLASSES], generator)
    layer = int(generator.integers(1, depth - 1))
    return Case(parameters, inputs[batch].astype(np.float64), targets[batch], layer)


def _changed(case: Case, part: str, change: Callable[[np.ndarray], np.ndarray]) -> Case:
    """Change the weight or the bias of the layer."""
    name = f"{2 * case.layer}.{part}"
    return case._replace(parameters={**case.parameters, name: change(case.parameters[name])})


def weights_times(factor: float, case: Case) -> Case:
    """Multiply the weights of the layer."""
    return _changed(case, "weight", lambda weight: factor * weight)


def all_weights_times(factor: float, case: Case) -> Case:
    """Multiply the weights of all layers."""
    parameters = {name: factor * value for name, value in case.parameters.items()}
    return case._replace(parameters=parameters)


def killed(share: float, case: Case) -> Case:
    """Lower the biases of a share of the layer's units by 100."""
    return _changed(case, "bias", lambda bias: bias - 100 * (np.arange(len(bias)) < share * len(bias)))


def _zero(case: Case) -> Case:
    return _changed(case, "weight", np.zeros_like)


def _saturated(case: Case) -> Case:
    return weights_times(1e4, all_weights_times(2**-0.5, case)._replace(activation="tanh"))


def _sigmoid(case: Case) -> Case:
    return all_weights_times(2**-0.5, case)._replace(activation="sigmoid")


def with_nan(array: np.ndarray) -> np.ndarray:
    """Replace one entry by NaN."""
    array = array.copy()
    array[(-1,) * array.ndim] = np.nan
    return array


def _normalized(z: np.ndarray) -> np.ndarray:
    return np.maximum((z - z.mean(-2, keepdims=True)) / z.std(-2, keepdims=True), 0)


def _divided(case: Case) -> Case:
    """Normalize over the batch without an epsilon, and let one unit of the layer give a constant."""
    slope = activations.lookup("relu").slope
    norm = activations.lookup("relu")._replace(function=_normalized, slope=slope)
    return _changed(case, "weight", lambda w: w * (np.arange(len(w)) > 0)[:, None])._replace(activation=norm)


def _naive_loss(logits: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cross-entropy by the logarithm of a probability, which may be 0."""
    shares = np.exp(logits - logits.max(-1, keepdims=True))
    shares = shares / shares.sum(-1, keepdims=True)
    hot = np.eye(logits.shape[-1])[targets]
    return -np.log((shares * hot).sum(-1)).mean(-1), (shares - hot) / len(targets)


def in_half(case: Case) -> Case:
    """Compute in float16, whose largest number is 65504."""
    parameters = {name: value.astype(np.float16) for name, value in case.parameters.items()}
    return case._replace(parameters=parameters, inputs=case.inputs.astype(np.float16))


def _overflowing_back(case: Case) -> Case:
    """Scale the loss for float16, by too much: the sum over the batch overflows in the last layer's gradient."""
    last = len(case.parameters) // 2 - 1
    return loss_times(2.0**20, in_half(case))._replace(layer=last)


def _sure(case: Case) -> Case:
    last = f"{2 * (len(case.parameters) // 2 - 1)}.weight"
    parameters = {**case.parameters, last: 1e4 * case.parameters[last]}
    return case._replace(parameters=parameters, loss=_naive_loss)


def _scaled_loss(factor: float, logits: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    loss, gradient = objective.cross_entropy_with_gradient(logits.astype(np.float64), targets)
    return factor * loss, (factor * gradient).astype(logits.dtype)


def loss_times(factor: float, case: Case) -> Case:
    """Multiply the loss."""
    return case._replace(loss=functools.partial(_scaled_loss, factor))


def rate_times(factor: float, case: Case) -> Case:
    """Multiply the learning rate."""
    return case._replace(optimizer=minibatch.SGD(factor * 0.05))


def own_rate_times(factor: float, case: Case) -> Case:
    """Multiply the learning rate of the layer alone."""
    rates = dict.fromkeys(network.layer_names(case.parameters), 0.05)
    return case._replace(optimizer=PerLayer({**rates, f"{2 * case.layer}": factor * 0.05}))


def _masked(case: Case) -> Case:
    kept = np.random.default_rng(case.layer).random(case.inputs.shape[1]) < 0.5
    return case._replace(inputs=2 * kept * case.inputs)


class Fault(NamedTuple):
    """What is planted, what is to be said of it, and whether a layer is to be named.

    Attributes:
        plant: Makes a healthy case faulty.
        said: The word for it; "healthy" where the diagnosis cannot see it.
        placed: Whether the layer is to be named.
    """

    plant: Callable[[Case], Case]
    said: str
    placed: bool = False


def _of(function: Callable, factor: float) -> Callable[[Case], Case]:
    return functools.partial(function, factor)


FAULTS = {
    "one layer × 10 000": Fault(_of(weights_times, 1e4), "large weights", True),
    "one layer × 100": Fault(_of(weights_times, 1e2), "large weights", True),
    "one layer × 10": Fault(_of(weights_times, 10), "healthy"),
    "one layer × 0.1": Fault(_of(weights_times, 0.1), "healthy"),
    "one layer × 0.01": Fault(_of(weights_times, 1e-2), "small weights", True),
    "one layer × 0.000001": Fault(_of(weights_times, 1e-6), "small weights", True),
    "one tanh layer × 10 000": Fault(_saturated, "large weights", True),
    "all layers × 3": Fault(_of(all_weights_times, 3), "exploding"),
    "all layers × 0.3": Fault(_of(all_weights_times, 0.3), "vanishing"),
    "sigmoid": Fault(_sigmoid, "vanishing"),
    "a layer off": Fault(_of(killed, 1), "dead", True),
    "a layer's weights 0": Fault(_zero, "dead", True),
    "9/10 of a layer off": Fault(_of(killed, 0.9), "silent units", True),
    "half of a layer off": Fault(_of(killed, 0.5), "silent units", True),
    "NaN in the data": Fault(lambda case: case._replace(inputs=with_nan(case.inputs)), "not finite"),
    "NaN in a weight": Fault(lambda case: _changed(case, "weight", with_nan), "not finite", True),
    "NaN between layers": Fault(_divided, "not finite"),
    "overflow in a layer": Fault(lambda case: weights_times(4e4, in_half(case)), "not finite", True),
    "logarithm of 0 in the loss": Fault(_sure, "not finite"),
    "overflow going back": Fault(_overflowing_back, "not finite", True),
    "rate × 1000": Fault(_of(rate_times, 1e3), "large step"),
    "rate × 30": Fault(_of(rate_times, 30), "large step"),
    "loss × 4096, rate kept": Fault(_of(loss_times, 4096), "large step"),
    "rate of one layer × 10 000": Fault(_of(own_rate_times, 1e4), "large step", True),
    "a layer not updated": Fault(_of(own_rate_times, 0), "not updated", True),
    "rate / 100": Fault(_of(rate_times, 1e-2), "healthy"),
    "rate / 1000": Fault(_of(rate_times, 1e-3), "small step"),
    "rate 0": Fault(_of(rate_times, 0), "small step"),
    "labels shifted by one": Fault(lambda case: case._replace(targets=(case.targets + 1) % nets.CLASSES), "healthy"),
    "mask never drawn anew": Fault(_masked, "healthy"),
}


class Faults(NamedTuple):
    """What the diagnosis says of planted faults.

    Attributes:
        said: How many of the networks get each word of `diagnosis.FAULTS`; (fault, word).
        placed: In how many the right layer is named; (fault,).
        misplaced: In how many another layer is named.
        among: In how many the right layer is one of several candidates, and none is named.
    """

    said: np.ndarray
    placed: np.ndarray
    misplaced: np.ndarray
    among: np.ndarray


def examined(case: Case) -> diagnosis.Diagnosis:
    """Ask for a diagnosis."""
    return depths.diagnose_network(
        case.parameters,
        case.inputs,
        case.targets,
        case.optimizer,
        activation=case.activation,
        loss=case.loss,
    )


def faults(seeds: int = 10, depth: int = 10, width: int = 32) -> Faults:
    """Plant each fault in networks of ten hidden layers, and ask for a diagnosis before the first step."""
    said = np.zeros((len(FAULTS), len(diagnosis.FAULTS)), int)
    placed, misplaced, among = np.zeros((3, len(FAULTS)), int)
    for seed in range(seeds):
        case = healthy(seed, depth, width)
        for row, fault in enumerate(FAULTS.values()):
            faulty = fault.plant(case)
            found, right = examined(faulty), f"{2 * faulty.layer}"
            said[row, diagnosis.FAULTS.index(found.fault)] += 1
            placed[row] += found.layer == right
            misplaced[row] += found.layer not in (None, right)
            among[row] += right in found.candidates
    return Faults(said, placed, misplaced, among)
