"""A multilayer perceptron with normalization layers, for the figures and blocks of the chapter on batch normalization.

Parameters are those of `network`, and beside "0.weight" and "0.bias" of each hidden layer its "0.scale" and "0.shift".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from dlnotes import datasets
from dlnotes.numpy import activations, batch_normalization, initialization, network, objective

Arrays = dict[str, np.ndarray]
Disturbance = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


class Net(NamedTuple):
    """What a network is besides its parameters.

    Attributes:
        activation: A name in `activations.ACTIVATIONS`.
        place: Where the normalization stands: "before" the activation, "after" it, or "none".
        kind: "batch" or "layer".
        group: How many examples of a batch share their statistics; None for all of them. It divides the batch.
        epsilon: As in `batch_norm`.
        disturb: Takes what the normalization of a hidden layer gave; gives a factor on it and what is added to it.
        skip: Factor on the branch of a residual layer, which adds its input to what it gives; 0 for a plain network.
            The first hidden layer is plain in both.
    """

    activation: str = "relu"
    place: str = "before"
    kind: str = "batch"
    group: int | None = None
    epsilon: float = 1e-5
    disturb: Disturbance | None = None
    skip: float = 0.0


class Layer(NamedTuple):
    """What one hidden layer leaves for the backward pass."""

    inputs: np.ndarray
    before: np.ndarray
    cache: Any
    factor: np.ndarray | None


def digits(dtype: type = np.float32) -> tuple[np.ndarray, np.ndarray]:
    """Load the handwritten digits, each pixel centered and all divided by one number, so that the mean square is 1."""
    data = datasets.digits()
    x = data.inputs - data.inputs.mean(0)
    return (x / np.sqrt((x * x).mean())).astype(dtype), data.targets


def initialize(
    sizes: Sequence[int],
    generator: np.random.Generator | np.ndarray,
    *,
    scale: float | np.ndarray = 1.0,
    runs: tuple[int, ...] = (),
    dtype: type = np.float32,
) -> Arrays:
    """Draw He's weights times `scale` (one number, or one a run) in the hidden layers; the rest is 0 or 1.

    The output layer begins with LeCun's weights at every scale.
    """

    def draw(shape: tuple[int, int], source: np.ndarray, **options: Any) -> np.ndarray:
        if shape[0] == sizes[-1]:
            return initialization.lecun_normal(shape, source, **options)
        factor = np.broadcast_to(np.asarray(scale, dtype), runs)[..., None, None]
        return factor * initialization.he_normal(shape, source, **options)

    parameters = network.initialize(sizes, generator, draw, runs=runs, dtype=dtype)
    for layer, width in enumerate(sizes[1:-1]):
        parameters[f"{2 * layer}.scale"] = np.ones((*runs, width), dtype)
        parameters[f"{2 * layer}.shift"] = np.zeros((*runs, width), dtype)
    return parameters


def _grouped(x: np.ndarray, group: int | None) -> np.ndarray:
    """Split the batch into groups, which become the last axis of runs."""
    return x if group is None else x.reshape(*x.shape[:-2], -1, group, x.shape[-1])


def _normalize(x: np.ndarray, scale: np.ndarray, shift: np.ndarray, net: Net) -> tuple[np.ndarray, Any]:
    if net.kind == "layer":
        return batch_normalization.layer_norm(x, scale, shift, epsilon=net.epsilon)
    own = _grouped(x, net.group)
    if net.group is not None:
        scale, shift = (np.broadcast_to(p[..., None, :], (*own.shape[:-2], own.shape[-1])) for p in (scale, shift))
    y, cache = batch_normalization.batch_norm(own, scale, shift, epsilon=net.epsilon)
    return y.reshape(x.shape), cache


def _normalize_backward(grad: np.ndarray, cache: Any, net: Net) -> batch_normalization.NormGradients:
    if net.kind == "layer":
        return batch_normalization.layer_norm_backward(grad, cache)
    grads = batch_normalization.batch_norm_backward(_grouped(grad, net.group), cache)
    if net.group is None:
        return grads
    return batch_normalization.NormGradients(grads.x.reshape(grad.shape), grads.scale.sum(-2), grads.shift.sum(-2))


def forward(
    parameters: Arrays, inputs: np.ndarray, net: Net, running: Sequence[Any] | None = None
) -> tuple[np.ndarray, list[Layer]]:
    """Give the logits, and what each layer leaves. With `running`, one a hidden layer, its statistics are used."""
    function = activations.lookup(net.activation).function
    *hidden, last = network.layer_names(parameters)
    h, layers = inputs, []
    for place, name in enumerate(hidden):
        z = network.dense(h, parameters[f"{name}.weight"], parameters[f"{name}.bias"])
        taken = function(z) if net.place == "after" else z
        cache, factor, y = None, None, taken
        if net.place != "none":
            own = parameters[f"{name}.scale"], parameters[f"{name}.shift"]
            if running is not None:
                y = batch_normalization.batch_norm_inference(taken, *own, running[place], epsilon=net.epsilon)
            else:
                y, cache = _normalize(taken, *own, net)
        if net.disturb is not None:
            factor, added = net.disturb(y)
            y = factor * y + added
        layers.append(Layer(h, z if net.place == "after" else y, cache, factor))
        given = y if net.place == "after" else function(y)
        h = h + net.skip * given if net.skip and place else given
    layers.append(Layer(h, h, None, None))
    return network.dense(h, parameters[f"{last}.weight"], parameters[f"{last}.bias"]), layers


def backward(grad_logits: np.ndarray, parameters: Arrays, layers: list[Layer], net: Net) -> tuple[Arrays, list]:
    """Give the gradient in every parameter, and for each hidden layer the gradient in what its activation took."""
    slope = activations.lookup(net.activation).slope
    *hidden, last = network.layer_names(parameters)
    grad, weight, bias = network.dense_backward(grad_logits, layers[-1].inputs, parameters[f"{last}.weight"])
    grads, deltas = {f"{last}.weight": weight, f"{last}.bias": bias}, []
    for name, layer in zip(reversed(hidden), reversed(layers[:-1]), strict=True):
        inner = name != hidden[0]
        past = grad if net.skip and inner else None
        grad = grad if past is None else net.skip * grad
        if net.place != "after":
            grad = grad * slope(layer.before)
            deltas.append(grad)
        if layer.factor is not None:
            grad = grad * layer.factor
        if net.place == "none":
            for part in ("scale", "shift"):
                grads[f"{name}.{part}"] = np.zeros_like(parameters[f"{name}.{part}"])
        else:
            grad, grads[f"{name}.scale"], grads[f"{name}.shift"] = _normalize_backward(grad, layer.cache, net)
        if net.place == "after":
            grad = grad * slope(layer.before)
            deltas.append(grad)
        weight = parameters[f"{name}.weight"]
        grad, *rest = network.dense_backward(grad, layer.inputs, weight, with_inputs=inner)
        grads[f"{name}.weight"], grads[f"{name}.bias"] = rest
        grad = grad if past is None else grad + past
    return {name: grads[name] for name in parameters}, deltas[::-1]


def loss_and_gradient(parameters: Arrays, inputs: np.ndarray, targets: np.ndarray, net: Net) -> network.LossAndGradient:
    """Give the cross-entropy of each run, and its gradient in every parameter."""
    logits, layers = forward(parameters, inputs, net)
    loss, grad_logits = objective.cross_entropy_with_gradient(logits, targets)
    return network.LossAndGradient(loss, backward(grad_logits, parameters, layers, net)[0])


def whole_statistics(parameters: Arrays, inputs: np.ndarray, net: Net) -> list[batch_normalization.RunningStatistics]:
    """Give each hidden layer's mean and variance over all the inputs at once, for inference."""
    _, layers = forward(parameters, inputs, net._replace(group=None, disturb=None))
    return [
        batch_normalization.update_running_statistics(
            batch_normalization.initial_running_statistics(layer.before.shape[-1], runs=layer.cache.mean.shape[:-1]),
            layer.cache,
            momentum=None,
        )
        for layer in layers[:-1]
    ]


def accuracy(
    parameters: Arrays, inputs: np.ndarray, targets: np.ndarray, net: Net, running: Sequence[Any] | None = None
) -> np.ndarray:
    """Give the share of right answers of each run."""
    with np.errstate(all="ignore"):
        logits, _ = forward(parameters, inputs, net._replace(disturb=None), running)
    return (logits.argmax(-1) == targets).mean(-1)
