"""Layers, and the multilayer perceptron made of them, with backward passes written out, on any device.

Parameters are a dict with the keys of `torch.nn.Sequential(Linear, activation, Linear, ...)`: "0.weight", "0.bias",
"2.weight" and so on. Leading axes are runs: one call works on a whole grid of networks. A batch may belong to one
run each, or be shared by all.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from dlnotes import checks
from dlnotes.torch import activations, initialization, objective

if TYPE_CHECKING:
    from jaxtyping import Float, Shaped

Tensors = dict[str, Tensor]


class DenseGradients(NamedTuple):
    """Gradients of a loss in what a dense layer took."""

    inputs: Float[Tensor, "*runs batch fan_in"] | None
    weight: Float[Tensor, "*runs fan_out fan_in"]
    bias: Float[Tensor, "*runs fan_out"]


def _check_dtype(name: str, array: Tensor, other_name: str, other: Tensor) -> None:
    """Refuse what torch's products do not take; under autocast torch itself brings both to one dtype."""
    if not torch.is_autocast_enabled(other.device.type):
        checks.same_dtype(name, array, other_name, other)


def dense(
    inputs: Float[Tensor, "*#runs batch fan_in"],
    weight: Float[Tensor, "*#runs fan_out fan_in"],
    bias: Float[Tensor, "*#runs fan_out"],
) -> Float[Tensor, "*#runs batch fan_out"]:
    """Apply a dense layer.

    Equation, arguments and errors as in `dlnotes.numpy.network.dense`; all tensors have one dtype.
    """
    checks.rank("inputs", checks.floating("inputs", inputs), at_least=2)
    checks.last_axes("inputs", inputs, checks.rank("weight", weight, at_least=2).shape[-1], of="weight takes")
    checks.last_axes("bias", bias, weight.shape[-2], of="weight gives")
    _check_dtype("weight", weight, "inputs", inputs)
    return inputs @ weight.mT + bias[..., None, :]


def dense_backward(
    grad_output: Float[Tensor, "*runs batch fan_out"],
    inputs: Float[Tensor, "*runs_or_none batch fan_in"],
    weight: Float[Tensor, "*runs fan_out fan_in"],
    with_inputs: bool = True,
) -> DenseGradients:
    """Carry a gradient back through a dense layer.

    Equation, arguments and errors as in `dlnotes.numpy.network.dense_backward`; all tensors have one dtype.
    """
    checks.last_axes("grad_output", grad_output, inputs.shape[-2], weight.shape[-2], of="inputs and weight give")
    _check_dtype("inputs", inputs, "grad_output", grad_output)
    _check_dtype("weight", weight, "grad_output", grad_output)
    grad_inputs = grad_output @ weight if with_inputs else None
    return DenseGradients(grad_inputs, grad_output.mT @ inputs, grad_output.sum(-2))


class ConvGradients(NamedTuple):
    """Gradients of a loss in what a convolution took."""

    inputs: Float[Tensor, "*runs batch channels height width"]
    weight: Float[Tensor, "*runs filters channels kernel_height kernel_width"]
    bias: Float[Tensor, "*runs filters"]


def _check_conv(inputs: Tensor, weight: Tensor, stride: int, padding: int) -> None:
    checks.rank("inputs", checks.floating("inputs", inputs), at_least=4)
    checks.rank("weight", weight, at_least=4)
    checks.integer("stride", stride, at_least=1)
    checks.integer("padding", padding, at_least=0)
    checks.axis("inputs", inputs, -3, at_least=weight.shape[-3], described="channels, as weight takes,")
    checks.last_axes("weight", weight, inputs.shape[-3], *weight.shape[-2:], of="inputs have channels")
    _check_dtype("weight", weight, "inputs", inputs)
    for axis in (-2, -1):
        least = max(0, weight.shape[axis] - 2 * padding)
        checks.axis("inputs", inputs, axis, at_least=least, described="pixels, or weight does not fit,")


def _grouped(inputs: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, int]:
    """Lay the runs side by side as groups of channels, which one convolution keeps apart."""
    runs = torch.broadcast_shapes(inputs.shape[:-4], weight.shape[:-4])
    count = math.prod(runs)
    images = inputs.broadcast_to(*runs, *inputs.shape[-4:]).reshape(count, *inputs.shape[-4:])
    channels = images.transpose(0, 1).flatten(1, 2)
    kernels = weight.broadcast_to(*runs, *weight.shape[-4:]).reshape(-1, *weight.shape[-3:])
    return channels, kernels, count


def _apart(grouped: Tensor, runs: tuple[int, ...]) -> Tensor:
    """Undo `_grouped` for a result: (batch, runs * channels, ...) to (*runs, batch, channels, ...)."""
    batch, channels = grouped.shape[:2]
    count = math.prod(runs)
    own = grouped.reshape(batch, count, channels // max(1, count), *grouped.shape[2:])
    return own.transpose(0, 1).reshape(*runs, batch, *own.shape[2:])


def conv2d(
    inputs: Float[Tensor, "*runs_or_none batch channels height width"],
    weight: Float[Tensor, "*runs filters channels kernel_height kernel_width"],
    bias: Float[Tensor, "*runs filters"],
    stride: int = 1,
    padding: int = 0,
) -> Float[Tensor, "*runs batch filters high wide"]:
    """Slide small filters over images: a dense layer on every patch, with the same weights everywhere.

    Equation, arguments and errors as in `dlnotes.numpy.network.conv2d`; all tensors have one dtype.
    """
    _check_conv(inputs, weight, stride, padding)
    checks.last_axes("bias", bias, weight.shape[-4], of="weight gives")
    _check_dtype("bias", bias, "inputs", inputs)
    runs = tuple(torch.broadcast_shapes(inputs.shape[:-4], weight.shape[:-4]))
    channels, kernels, count = _grouped(inputs, weight)
    shifts = bias.broadcast_to(*runs, bias.shape[-1]).reshape(-1)
    output = torch.nn.functional.conv2d(channels, kernels, shifts, stride, padding, groups=count)
    return _apart(output, runs)


def conv2d_backward(
    grad_output: Float[Tensor, "*runs batch filters high wide"],
    inputs: Float[Tensor, "*runs_or_none batch channels height width"],
    weight: Float[Tensor, "*runs filters channels kernel_height kernel_width"],
    stride: int = 1,
    padding: int = 0,
) -> ConvGradients:
    """Carry a gradient back through a convolution: the dense layer's backward pass, then each patch to its place.

    Equation, arguments and errors as in `dlnotes.numpy.network.conv2d_backward`; all tensors have one dtype.
    """
    _check_conv(inputs, weight, stride, padding)
    high, wide = ((inputs.shape[axis] + 2 * padding - weight.shape[axis]) // stride + 1 for axis in (-2, -1))
    checks.last_axes("grad_output", grad_output, inputs.shape[-4], weight.shape[-4], high, wide, of="conv2d gives")
    _check_dtype("grad_output", grad_output, "inputs", inputs)
    runs = grad_output.shape[:-4]
    channels, kernels, count = _grouped(inputs.broadcast_to(*runs, *inputs.shape[-4:]), weight)
    deltas = grad_output.reshape(count, *grad_output.shape[-4:]).transpose(0, 1).flatten(1, 2)
    settings = (stride, padding, 1, count)
    grad_inputs = torch.nn.grad.conv2d_input(channels.shape, kernels, deltas, *settings)
    grad_weight = torch.nn.grad.conv2d_weight(channels, kernels.shape, deltas, *settings)
    grad_bias = deltas.sum((0, 2, 3)).reshape(*runs, weight.shape[-4])
    return ConvGradients(_apart(grad_inputs, runs), grad_weight.reshape(weight.shape), grad_bias)


class Cache(NamedTuple):
    """What the forward pass of a network leaves for the backward pass, by layer.

    Attributes:
        inputs: What each dense layer took.
        preactivations: What each dense layer gave; the last one's are the logits.
    """

    inputs: tuple[Tensor, ...]
    preactivations: tuple[Tensor, ...]


class LossAndGradient(NamedTuple):
    """The loss of each run, and its gradient under the keys of the parameters."""

    loss: Float[Tensor, "*runs"]
    gradient: Tensors


def layer_names(parameters: Tensors) -> list[str]:
    """Name the dense layers of a network in order: "0", "2", "4", and so on.

    Arguments and errors as in `dlnotes.numpy.network.layer_names`.
    """
    return checks.layers("parameters", parameters, with_bias=False)


def initialize(
    sizes: Sequence[int],
    generator: torch.Generator,
    initializer: Callable | None = None,
    *,
    runs: tuple[int, ...] = (),
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
) -> Tensors:
    """Draw the weights of a multilayer perceptron; its biases are zero.

    Arguments and errors as in `dlnotes.numpy.network.initialize`; all runs draw from the one generator.
    """
    initializer = initialization.he_normal if initializer is None else initializer
    sizes = checks.shape("sizes", tuple(sizes), axes_at_least=2, at_least=1)
    checks.instance("generator", generator, torch.Generator, "a torch Generator")
    parameters = {}
    for layer, (fan_in, fan_out) in enumerate(itertools.pairwise(sizes)):
        weight = initializer((fan_out, fan_in), generator, runs=runs, dtype=dtype, device=device)
        parameters[f"{2 * layer}.weight"] = weight
        parameters[f"{2 * layer}.bias"] = weight.new_zeros((*runs, fan_out))
    return parameters


def forward(
    parameters: Tensors,
    inputs: Float[Tensor, "*runs_or_none batch features"],
    activation: str | activations.Activation = "relu",
) -> tuple[Float[Tensor, "*runs batch outputs"], Cache]:
    """Run a multilayer perceptron.

    Equation, arguments and errors as in `dlnotes.numpy.network.forward`; all tensors have one dtype.
    """
    function = activations.lookup(activation).function
    names = checks.layers("parameters", parameters, with_bias=True)
    checks.rank("inputs", checks.floating("inputs", inputs), at_least=2)
    checks.last_axes("inputs", inputs, parameters[f"{names[0]}.weight"].shape[-1], of="the first weight takes")
    for key, array in parameters.items():
        _check_dtype(f"parameters[{key!r}]", array, "inputs", inputs)
    taken, given = [], []
    for name in names:
        taken.append(function(given[-1]) if given else inputs)
        given.append(taken[-1] @ parameters[f"{name}.weight"].mT + parameters[f"{name}.bias"][..., None, :])
    return given[-1], Cache(tuple(taken), tuple(given))


def backward(
    grad_logits: Float[Tensor, "*runs batch outputs"],
    parameters: Tensors,
    cache: Cache,
    activation: str | activations.Activation = "relu",
    *,
    out: Tensors | None = None,
) -> Tensors:
    """Carry a gradient back through a multilayer perceptron.

    Equation, arguments and errors as in `dlnotes.numpy.network.backward`.
    """
    slope = activations.lookup(activation).slope
    checks.same_shape("grad_logits", grad_logits, "the logits", cache.preactivations[-1])
    names = checks.layers("parameters", parameters, with_bias=True)
    if out is not None:
        checks.same_arrays("out", out, "parameters", parameters)
    grads, delta = dict.fromkeys(parameters) if out is None else out, grad_logits
    for layer in reversed(range(len(names))):
        weight, bias = f"{names[layer]}.weight", f"{names[layer]}.bias"
        grads[weight] = torch.matmul(delta.mT, cache.inputs[layer], out=grads[weight])
        grads[bias] = torch.sum(delta, -2, out=grads[bias])
        if layer:
            delta = delta @ parameters[weight] * slope(cache.preactivations[layer - 1])
    return grads


def loss_and_gradient(
    parameters: Tensors,
    inputs: Float[Tensor, "*runs_or_none batch features"],
    targets: Shaped[Tensor, "..."],
    activation: str | activations.Activation = "relu",
    loss: Callable | None = None,
) -> LossAndGradient:
    """Give the loss of a multilayer perceptron and its gradient in every parameter.

    Arguments and errors as in `dlnotes.numpy.network.loss_and_gradient`.
    """
    loss = objective.cross_entropy_with_gradient if loss is None else loss
    logits, cache = forward(parameters, inputs, activation)
    value, grad_logits = loss(logits, targets)
    return LossAndGradient(value, backward(grad_logits, parameters, cache, activation))
