"""Layers, and the multilayer perceptron made of them, with backward passes written out.

Parameters are a dict with the keys of `torch.nn.Sequential(Linear, activation, Linear, ...)`: "0.weight", "0.bias",
"2.weight" and so on. Leading axes are runs: one call works on a whole grid of networks. A batch may belong to one
run each, or be shared by all.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dlnotes import checks, optimizers
from dlnotes.numpy import activations, initialization, many_runs, objective

if TYPE_CHECKING:
    from jaxtyping import Float, Shaped

    # NumPy gives a scalar where an array would have no axes.
    Array = np.ndarray | np.generic

Arrays = dict[str, np.ndarray]


class DenseGradients(NamedTuple):
    """Gradients of a loss in what a dense layer took."""

    inputs: Float[np.ndarray, "*runs batch fan_in"] | None
    weight: Float[np.ndarray, "*runs fan_out fan_in"]
    bias: Float[np.ndarray, "*runs fan_out"]


def dense(
    inputs: Float[np.ndarray, "*#runs batch fan_in"],
    weight: Float[np.ndarray, "*#runs fan_out fan_in"],
    bias: Float[np.ndarray, "*#runs fan_out"],
) -> Float[np.ndarray, "*#runs batch fan_out"]:
    """Apply a dense layer.

        z = x W^T + b

    Run axes broadcast: what has none is shared by all runs.

    Args:
        inputs: x, one row an example.
        weight: W, as in `torch.nn.Linear`.
        bias: b.

    Returns:
        Pre-activations z.

    Raises:
        TypeError: If `inputs` does not hold floating-point numbers.
        ValueError: If the sizes do not fit.

    Source: definition.
    """
    checks.rank("inputs", checks.floating("inputs", inputs), at_least=2)
    checks.last_axes("inputs", inputs, checks.rank("weight", weight, at_least=2).shape[-1], of="weight takes")
    checks.last_axes("bias", bias, weight.shape[-2], of="weight gives")
    return inputs @ weight.mT + bias[..., None, :]


def dense_backward(
    grad_output: Float[np.ndarray, "*runs batch fan_out"],
    inputs: Float[np.ndarray, "*runs_or_none batch fan_in"],
    weight: Float[np.ndarray, "*runs fan_out fan_in"],
    with_inputs: bool = True,
) -> DenseGradients:
    """Carry a gradient back through a dense layer.

        dL/dx = dL/dz W,    dL/dW = (dL/dz)^T x,    dL/db = sum of dL/dz over the batch

    Args:
        grad_output: dL/dz, gradient of the loss in what the layer gave.
        inputs: x, what the layer took.
        weight: W.
        with_inputs: Whether the gradient in x is wanted; the first layer of a network can do without.

    Returns:
        Gradients in the inputs (or None), the weight and the bias.

    Raises:
        ValueError: If the sizes do not fit.

    Source: derived in gradient_checking#eq-weights.
    """
    checks.last_axes("grad_output", grad_output, inputs.shape[-2], weight.shape[-2], of="inputs and weight give")
    grad_inputs = grad_output @ weight if with_inputs else None
    ones = _ones(grad_output.shape[-2], grad_output.dtype)
    return DenseGradients(grad_inputs, grad_output.mT @ inputs, ones @ grad_output)


@functools.lru_cache
def _ones(count: int, dtype: np.dtype) -> np.ndarray:
    """Give a row of ones: times a matrix it adds up the rows several times faster than a sum over a middle axis."""
    ones = np.ones(count, dtype)
    ones.flags.writeable = False
    return ones


class ConvGradients(NamedTuple):
    """Gradients of a loss in what a convolution took."""

    inputs: Float[np.ndarray, "*runs batch channels height width"]
    weight: Float[np.ndarray, "*runs filters channels kernel_height kernel_width"]
    bias: Float[np.ndarray, "*runs filters"]


def _check_conv(inputs: np.ndarray, weight: np.ndarray, stride: int, padding: int) -> None:
    checks.rank("inputs", checks.floating("inputs", inputs), at_least=4)
    checks.rank("weight", weight, at_least=4)
    checks.integer("stride", stride, at_least=1)
    checks.integer("padding", padding, at_least=0)
    checks.axis("inputs", inputs, -3, at_least=weight.shape[-3], described="channels, as weight takes,")
    checks.last_axes("weight", weight, inputs.shape[-3], *weight.shape[-2:], of="inputs have channels")
    for axis in (-2, -1):
        least = max(0, weight.shape[axis] - 2 * padding)
        checks.axis("inputs", inputs, axis, at_least=least, described="pixels, or weight does not fit,")


def _patches(inputs: np.ndarray, height: int, width: int, stride: int, padding: int) -> np.ndarray:
    """Lay out what the kernel sees at each place: (*runs, batch, places high, places wide, channels, height, width)."""
    edges = [(0, 0)] * (inputs.ndim - 2) + [(padding, padding)] * 2
    seen = np.lib.stride_tricks.sliding_window_view(np.pad(inputs, edges), (height, width), axis=(-2, -1))
    return np.moveaxis(seen[..., ::stride, ::stride, :, :], -5, -3)


def conv2d(
    inputs: Float[np.ndarray, "*runs_or_none batch channels height width"],
    weight: Float[np.ndarray, "*runs filters channels kernel_height kernel_width"],
    bias: Float[np.ndarray, "*runs filters"],
    stride: int = 1,
    padding: int = 0,
) -> Float[np.ndarray, "*runs batch filters high wide"]:
    """Slide small filters over images: a dense layer on every patch, with the same weights everywhere.

        z[n, o, i, j] = b[o] + sum_(c, k, l) W[o, c, k, l] x[n, c, stride i + k - padding, stride j + l - padding]

    Args:
        inputs: x, images as (batch, channels, height, width).
        weight: W, as in `torch.nn.Conv2d`.
        bias: b.
        stride: Pixels from one place to the next, at least 1.
        padding: Zeros added on each side, at least 0.

    Returns:
        Images with one channel a filter.

    Raises:
        TypeError: If `inputs` does not hold floating-point numbers.
        ValueError: If the sizes do not fit, or a number is out of range.

    Source: definition.
    """
    _check_conv(inputs, weight, stride, padding)
    patches = _patches(inputs, *weight.shape[-2:], stride, padding)
    *runs_and_batch, high, wide, channels, height, width = patches.shape
    rows = patches.reshape(*runs_and_batch[:-1], runs_and_batch[-1] * high * wide, channels * height * width)
    output = dense(rows, weight.reshape(*weight.shape[:-3], rows.shape[-1]), bias)
    output = output.reshape(*output.shape[:-2], runs_and_batch[-1], high, wide, weight.shape[-4])
    return np.moveaxis(output, -1, -3)


def conv2d_backward(
    grad_output: Float[np.ndarray, "*runs batch filters high wide"],
    inputs: Float[np.ndarray, "*runs_or_none batch channels height width"],
    weight: Float[np.ndarray, "*runs filters channels kernel_height kernel_width"],
    stride: int = 1,
    padding: int = 0,
) -> ConvGradients:
    """Carry a gradient back through a convolution: the dense layer's backward pass, then each patch to its place.

        dL/dW[o, c, k, l] = sum_(n, i, j) dL/dz[n, o, i, j] x[n, c, stride i + k - padding, stride j + l - padding]
        dL/dx[n, c, p, q] = sum of dL/dz[n, o, i, j] W[o, c, k, l] where stride i + k - padding = p, and so for q

    Args:
        grad_output: dL/dz, gradient of the loss in what `conv2d` gave.
        inputs: x, what it took.
        weight: W.
        stride: As in `conv2d`.
        padding: As in `conv2d`.

    Returns:
        Gradients in the inputs, the weight and the bias.

    Raises:
        ValueError: If the sizes do not fit, or a number is out of range.

    Source: derivative of `conv2d`.
    """
    _check_conv(inputs, weight, stride, padding)
    patches = _patches(inputs, *weight.shape[-2:], stride, padding)
    batch, high, wide, channels, height, width = patches.shape[-6:]
    checks.last_axes("grad_output", grad_output, batch, weight.shape[-4], high, wide, of="conv2d gives")
    runs = grad_output.shape[:-4]
    rows = patches.reshape(*patches.shape[:-6], batch * high * wide, channels * height * width)
    deltas = np.moveaxis(grad_output, -3, -1).reshape(*runs, batch * high * wide, weight.shape[-4])
    grad_rows, grad_weight, grad_bias = dense_backward(deltas, rows, weight.reshape(*weight.shape[:-3], rows.shape[-1]))
    grad_patches = np.moveaxis(grad_rows.reshape(*runs, *patches.shape[-6:]), -3, -5)
    padded = np.zeros((*runs, batch, channels, *(size + 2 * padding for size in inputs.shape[-2:])), inputs.dtype)
    for k, m in itertools.product(range(height), range(width)):
        # The places of one kernel entry never overlap, so that a plain addition does.
        padded[..., k : k + stride * high : stride, m : m + stride * wide : stride] += grad_patches[..., k, m]
    grad_inputs = padded[..., padding : padding + inputs.shape[-2], padding : padding + inputs.shape[-1]]
    return ConvGradients(grad_inputs, grad_weight.reshape(weight.shape), grad_bias)


class Cache(NamedTuple):
    """What the forward pass of a network leaves for the backward pass, by layer.

    Attributes:
        inputs: What each dense layer took.
        preactivations: What each dense layer gave; the last one's are the logits.
    """

    inputs: tuple[np.ndarray, ...]
    preactivations: tuple[np.ndarray, ...]


class LossAndGradient(NamedTuple):
    """The loss of each run, and its gradient under the keys of the parameters."""

    loss: Float[Array, "*runs"]
    gradient: Arrays


def layer_names(parameters: Mapping[str, Any]) -> list[str]:
    """Name the dense layers of a network in order: "0", "2", "4", and so on.

    Args:
        parameters: Weights and biases; the layers are those with a weight.

    Returns:
        The keys' first parts.

    Raises:
        ValueError: If there is no layer, or a layer is not numbered.
    """
    return checks.layers("parameters", parameters, with_bias=False)


@functools.cache
def _layer_keys(keys: tuple[str, ...]) -> list[tuple[str, str]]:
    """Pair the keys of each layer's weight and bias, in order."""
    return [(f"{name}.weight", f"{name}.bias") for name in checks.layers("parameters", keys, with_bias=True)]


def initialize(
    sizes: Sequence[int],
    generator: np.random.Generator | np.ndarray,
    initializer: Callable | None = None,
    *,
    runs: tuple[int, ...] = (),
    dtype: type | np.dtype = np.float64,
) -> Arrays:
    """Draw the weights of a multilayer perceptron; its biases are zero.

    Args:
        sizes: The number of features at the input, after each hidden layer and at the output.
        generator: Draws the weights. With runs, each run draws from its own child, or from its own entry of an array.
        initializer: A function like those of the initialization chapter, `(shape, generator, *, runs, dtype)`;
            by default `initialization.he_normal`.
        runs: The shape of the grid of runs.
        dtype: Floating-point type.

    Returns:
        Weights of shape (*runs, fan_out, fan_in) and biases of shape (*runs, fan_out).

    Raises:
        ValueError: If there are fewer than two sizes, or one is below 1.

    Source: definition.
    """
    initializer = initialization.he_normal if initializer is None else initializer
    sizes = checks.shape("sizes", tuple(sizes), axes_at_least=2, at_least=1)
    generators = many_runs.generators(generator, runs)
    source = generators if runs else generators[()]
    parameters = {}
    for layer, (fan_in, fan_out) in enumerate(itertools.pairwise(sizes)):
        parameters[f"{2 * layer}.weight"] = initializer((fan_out, fan_in), source, runs=runs, dtype=dtype)
        parameters[f"{2 * layer}.bias"] = np.zeros((*runs, fan_out), dtype)
    return parameters


def _check_forward(parameters: Arrays, inputs: np.ndarray, activation: str | activations.Activation = "relu") -> None:
    activations.lookup(activation)
    first = parameters[_layer_keys(tuple(parameters))[0][0]]
    checks.rank("inputs", checks.floating("inputs", inputs), at_least=2)
    checks.last_axes("inputs", inputs, first.shape[-1], of="the first weight takes")


@checks.before(_check_forward)
def forward(
    parameters: Arrays,
    inputs: Float[np.ndarray, "*runs_or_none batch features"],
    activation: str | activations.Activation = "relu",
) -> tuple[Float[np.ndarray, "*runs batch outputs"], Cache]:
    """Run a multilayer perceptron.

        h_0 = x,    z_l = h_(l-1) W_l^T + b_l,    h_l = f(z_l);    the logits are the last z

    Args:
        parameters: Weights and biases.
        inputs: x, one row an example.
        activation: A name in `activations.ACTIVATIONS`, or an `activations.Activation`.

    Returns:
        The logits, and what `backward` needs.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If the activation is unknown or the sizes do not fit.

    Source: definition, as in gradient_checking#eq-forward.
    """
    function = activations.lookup(activation).function
    taken, given = [], []
    for weight, bias in _layer_keys(tuple(parameters)):
        taken.append(function(given[-1]) if given else inputs)
        # `dense` written out, and below `dense_backward`: calls would make the passes of a small net 3 and 11% longer.
        given.append(taken[-1] @ parameters[weight].mT + parameters[bias][..., None, :])
    return given[-1], Cache(tuple(taken), tuple(given))


def _check_backward(
    grad_logits: np.ndarray,
    parameters: Arrays,
    cache: Cache,
    activation: str | activations.Activation = "relu",
    *,
    out: Arrays | None = None,
) -> None:
    activations.lookup(activation)
    _layer_keys(tuple(parameters))
    checks.same_shape("grad_logits", grad_logits, "the logits", cache.preactivations[-1])
    if out is not None:
        checks.same_arrays("out", out, "parameters", parameters)


@checks.before(_check_backward)
def backward(
    grad_logits: Float[np.ndarray, "*runs batch outputs"],
    parameters: Arrays,
    cache: Cache,
    activation: str | activations.Activation = "relu",
    *,
    out: Arrays | None = None,
) -> Arrays:
    """Carry a gradient back through a multilayer perceptron.

        delta_L = dLoss/dz_L,    delta_l = (delta_(l+1) W_(l+1)) * f'(z_l)
        dLoss/dW_l = delta_l^T h_(l-1),    dLoss/db_l = sum of delta_l over the batch

    Args:
        grad_logits: Gradient of the loss in the logits.
        parameters: Weights and biases.
        cache: What `forward` left.
        activation: The same as in `forward`.
        out: Arrays to write the gradient into, with the names, shapes and dtype of the parameters.

    Returns:
        Gradient of the loss in each parameter, under the same keys.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If the activation is unknown, the gradient has not the shape of the logits, or `out` does not fit.

    Source: Rumelhart et al. (1986); derived in gradient_checking#eq-delta.
    """
    slope = activations.lookup(activation).slope
    keys = _layer_keys(tuple(parameters))
    ones = _ones(grad_logits.shape[-2], grad_logits.dtype)
    grads, delta = dict.fromkeys(parameters) if out is None else out, grad_logits
    for layer in reversed(range(len(keys))):
        weight, bias = keys[layer]
        grads[weight] = np.matmul(delta.mT, cache.inputs[layer], out=grads[weight])
        grads[bias] = np.matmul(ones, delta, out=grads[bias])
        if layer:
            delta = delta @ parameters[weight]
            delta *= slope(cache.preactivations[layer - 1])
    return grads


def _prepare_loss_and_gradient(
    parameters: Arrays, inputs: np.ndarray, targets: np.ndarray, out: Arrays, generators: Any
) -> optimizers.Gradient:
    """Check all examples, and give `loss_and_gradient` for batches of them, without checks and written into `out`."""
    _check_forward(parameters, inputs)
    last = parameters[_layer_keys(tuple(parameters))[-1][0]]
    checks.labels("targets", targets, last.shape[-2])
    checks.shaped("targets", targets, inputs.shape[:-1], of="inputs ask for")
    # What was put in the place of one of these is taken as it is.
    run, loss, back = map(checks.behind, (forward, objective.cross_entropy_with_gradient, backward))

    def prepared(parameters: Arrays, inputs: np.ndarray, targets: np.ndarray) -> LossAndGradient:
        logits, cache = run(parameters, inputs)
        value, grad_logits = loss(logits, targets)
        return LossAndGradient(value, back(grad_logits, parameters, cache, out=out))

    return prepared


@optimizers.prepared_by(_prepare_loss_and_gradient)
def loss_and_gradient(
    parameters: Arrays,
    inputs: Float[np.ndarray, "*runs_or_none batch features"],
    targets: Shaped[np.ndarray, "..."],
    activation: str | activations.Activation = "relu",
    loss: Callable | None = None,
) -> LossAndGradient:
    """Give the loss of a multilayer perceptron and its gradient in every parameter.

    Args:
        parameters: Weights and biases.
        inputs: One row an example.
        targets: What `loss` takes beside the logits; for cross-entropy a class an example.
        activation: A name in `activations.ACTIVATIONS`, or an `activations.Activation`.
        loss: A function of logits and targets that gives the loss and its gradient in the logits;
            by default `objective.cross_entropy_with_gradient`.

    Returns:
        The loss of each run, and its gradient under the keys of the parameters.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If the activation is unknown or the sizes do not fit.

    Source: definition.
    """
    loss = objective.cross_entropy_with_gradient if loss is None else loss
    logits, cache = forward(parameters, inputs, activation)
    value, grad_logits = loss(logits, targets)
    return LossAndGradient(value, backward(grad_logits, parameters, cache, activation))
