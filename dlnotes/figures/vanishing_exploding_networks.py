"""Deep networks of four kinds for the figures on vanishing and exploding gradients, with their backward pass.

    plain      z_l = W_l f(z_(l-1)) + b_l
    batch      z_l = batch_norm(W_l f(z_(l-1)))
    residual   z_l = z_(l-1) + s (W_l f(z_(l-1)) + b_l)
    gated      z_l = (1 - T_l) z_(l-1) + T_l (W_l f(z_(l-1)) + b_l),    T_l = sigmoid(U_l f(z_(l-1)) + c_l)

The first layer, z_1 = W_1 x + b_1, and the last, which gives the logits, are plain in all four.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import datasets
from dlnotes.numpy import activations, batch_normalization, initialization, objective

if TYPE_CHECKING:
    from collections.abc import Sequence

Arrays = dict[str, np.ndarray]
CLASSES = 10


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Load the digits, each pixel centered and all divided by one number, so that the second moment is 1."""
    loaded = datasets.digits()
    x = loaded.inputs - loaded.inputs.mean(0)
    return (x / np.sqrt((x * x).mean())).astype(np.float32), loaded.targets


class Design(NamedTuple):
    """How a deep network is built.

    Attributes:
        kind: "plain", "batch", "residual" or "gated".
        activation: The activation function's name.
        gain: Factor on the hidden weights' deviation 1 / sqrt(fan_in); one number, or one a run.
        depth: Hidden layers.
        orthogonal: Whether the hidden weights are orthogonal and not Gaussian.
        gate_bias: c of a gated network at the start; U starts at zero.
        branch: s, what the branches of a residual network are multiplied by.
    """

    kind: str = "plain"
    activation: str = "relu"
    gain: float | np.ndarray = 2**0.5
    depth: int = 20
    orthogonal: bool = False
    gate_bias: float = -2.0
    branch: float = 1.0


def of_depth(design: Design, depth: int) -> Design:
    """Give a design with so many hidden layers and branches of 1 / sqrt(their number)."""
    return design._replace(depth=depth, branch=max(depth - 1, 1) ** -0.5)


def start(
    design: Design, sizes: tuple[int, int], generator: np.random.Generator | np.ndarray, runs: tuple[int, ...] = ()
) -> Arrays:
    """Draw the parameters of a network with so many inputs and units in each hidden layer, as float32."""
    features, width = sizes
    options = {"runs": runs, "dtype": np.float32}
    draw = initialization.orthogonal if design.orthogonal else initialization.lecun_normal
    gain = np.broadcast_to(np.asarray(design.gain, dtype=np.float64), runs)[..., None, None].astype(np.float32)
    parameters = {}
    for layer in range(design.depth + 1):
        fan_in, fan_out = width if layer else features, CLASSES if layer == design.depth else width
        hidden = 0 < layer < design.depth
        drawer = draw if hidden else initialization.lecun_normal
        weight = drawer((fan_out, fan_in), generator, **options)
        parameters[f"{2 * layer}.weight"] = weight * gain if hidden else weight
        if design.kind == "batch" and hidden:
            parameters[f"{2 * layer}.scale"] = np.ones((*runs, fan_out), np.float32)
        parameters[f"{2 * layer}.bias"] = np.zeros((*runs, fan_out), np.float32)
        if design.kind == "gated" and hidden:
            parameters[f"{2 * layer}.gate"] = np.zeros_like(weight)  # every gate is open alike, by its bias
            parameters[f"{2 * layer}.gate_bias"] = np.full((*runs, fan_out), design.gate_bias, np.float32)
    return parameters


class Layer(NamedTuple):
    """What one hidden layer leaves for the backward pass."""

    before: np.ndarray
    taken: np.ndarray
    candidate: np.ndarray | None = None
    gate: np.ndarray | None = None
    norm: batch_normalization.BatchNormCache | None = None


def forward(parameters: Arrays, inputs: np.ndarray, design: Design) -> tuple[np.ndarray, list[Layer]]:
    """Give the logits, and what `backward` needs of each hidden layer but the first."""
    function = activations.lookup(design.activation).function
    z = inputs @ parameters["0.weight"].mT + parameters["0.bias"][..., None, :]
    layers = []
    for layer in range(1, design.depth):
        name, taken = f"{2 * layer}", function(z)
        new, left = taken @ parameters[f"{name}.weight"].mT, Layer(z, taken)
        if design.kind == "batch":
            z, norm = batch_normalization.batch_norm(new, parameters[f"{name}.scale"], parameters[f"{name}.bias"])
            left = left._replace(norm=norm)
        else:
            new = new + parameters[f"{name}.bias"][..., None, :]
            if design.kind == "gated":
                opening = taken @ parameters[f"{name}.gate"].mT + parameters[f"{name}.gate_bias"][..., None, :]
                gate = activations.sigmoid(opening)
                left = left._replace(candidate=new, gate=gate)
                new = z + gate * (new - z)
            z = z + np.float32(design.branch) * new if design.kind == "residual" else new
        layers.append(left)
    taken = function(z)
    last = f"{2 * design.depth}"
    logits = taken @ parameters[f"{last}.weight"].mT + parameters[f"{last}.bias"][..., None, :]
    return logits, [*layers, Layer(z, taken)]


def _rows(delta: np.ndarray) -> np.ndarray:
    """Add up the rows of a batch."""
    return (np.ones((1, delta.shape[-2]), delta.dtype) @ delta)[..., 0, :]


def backward(
    grad_logits: np.ndarray, parameters: Arrays, inputs: np.ndarray, layers: Sequence[Layer], design: Design
) -> tuple[Arrays, list[np.ndarray]]:
    """Give the gradient in each parameter, and dLoss/dz of each hidden layer, the first one's first."""
    slope = activations.lookup(design.activation).slope
    grads, deltas = {}, []
    last = f"{2 * design.depth}"
    grads[f"{last}.weight"] = grad_logits.mT @ layers[-1].taken
    grads[f"{last}.bias"] = _rows(grad_logits)
    delta = (grad_logits @ parameters[f"{last}.weight"]) * slope(layers[-1].before)
    for layer in reversed(range(1, design.depth)):
        deltas.append(delta)
        name, left, carried, side = f"{2 * layer}", layers[layer - 1], None, 0
        if design.kind == "batch":
            new, grads[f"{name}.scale"], grads[f"{name}.bias"] = batch_normalization.batch_norm_backward(
                delta, left.norm
            )
        elif design.kind == "residual":
            new, carried = np.float32(design.branch) * delta, delta
        elif design.kind == "gated":
            new, carried = left.gate * delta, (1 - left.gate) * delta
            opening = delta * (left.candidate - left.before) * left.gate * (1 - left.gate)
            grads[f"{name}.gate"], grads[f"{name}.gate_bias"] = opening.mT @ left.taken, _rows(opening)
            side = opening @ parameters[f"{name}.gate"]
        else:
            new = delta
        grads[f"{name}.weight"] = new.mT @ left.taken
        if design.kind != "batch":
            grads[f"{name}.bias"] = _rows(new)
        delta = (new @ parameters[f"{name}.weight"] + side) * slope(left.before)
        delta = delta if carried is None else delta + carried
    grads["0.weight"], grads["0.bias"] = delta.mT @ inputs, _rows(delta)
    return {name: grads[name] for name in parameters}, [delta, *reversed(deltas)]


def loss_and_gradient(
    parameters: Arrays, inputs: np.ndarray, targets: np.ndarray, design: Design
) -> tuple[np.ndarray, Arrays]:
    """Give the cross-entropy of each run, and its gradient in every parameter."""
    logits, layers = forward(parameters, inputs, design)
    loss, grad_logits = objective.cross_entropy_with_gradient(logits, targets)
    return loss, backward(grad_logits, parameters, inputs, layers, design)[0]


def delta_sizes(parameters: Arrays, inputs: np.ndarray, targets: np.ndarray, design: Design) -> np.ndarray:
    """Give the root mean square of dLoss/dz in each hidden layer, over that in the last; (*runs, layer)."""
    logits, layers = forward(parameters, inputs, design)
    _, grad_logits = objective.cross_entropy_with_gradient(logits, targets)
    deltas = backward(grad_logits, parameters, inputs, layers, design)[1]
    sizes = np.stack([np.sqrt(np.square(delta, dtype=np.float64).mean((-2, -1))) for delta in deltas], axis=-1)
    return sizes / sizes[..., -1:]
