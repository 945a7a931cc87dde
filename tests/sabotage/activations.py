"""Breaks under which the evidence of the chapter on activations must fail."""

from __future__ import annotations

import numpy as np

from dlnotes.numpy import activations
from tests.sabotage import Patch

KERNELS = "dlnotes.numpy.activations"


def steeper_than_one():
    """Give tanh the slope 1 + f^2, a sign that went wrong."""
    return activations.ACTIVATIONS | {"tanh": activations.Activation(np.tanh, lambda x: 1 + np.tanh(x) ** 2)}


def swapped_leak(x, negative_slope=0.01):
    """Give leaky ReLU's slope with its two sides swapped."""
    return np.where(x > 0, negative_slope, 1.0).astype(x.dtype)


def all_of_the_gradient(grad_output, x, negative_slope):
    """Forget that only negative inputs tell something about the slope below zero."""
    positive = (x > 0).astype(x.dtype)
    grad_x = grad_output * (positive + negative_slope * (1 - positive))
    return activations.PReLUGradients(grad_x, (grad_output * x).sum(-2))


SABOTAGE = {
    "sigmoid-tanh-saturate": Patch(KERNELS, "sigmoid_slope", lambda x: activations.sigmoid(x)),
    "saturation-explodes": Patch(KERNELS, "ACTIVATIONS", steeper_than_one()),
    "relu-family-never-saturates": Patch(KERNELS, "leaky_relu_slope", lambda x, a=0.01: (x > 0).astype(x.dtype)),
    "sigmoid-not-centered": Patch(KERNELS, "sigmoid", np.tanh),
    "exp-is-expensive": Patch("numpy", "exp", np.square),  # costs one plain pass over the array
    "relu-cheap-unsaturated": Patch(KERNELS, "relu_slope", lambda x: ((x > 0) & (x < 6)).astype(x.dtype)),
    "relu-six-times-faster": Patch(KERNELS, "tanh_slope", lambda x: activations.sigmoid_slope(x)),
    "dead-relu": Patch(KERNELS, "relu_slope", lambda x: np.where(x > 0, 1.0, 0.01).astype(x.dtype)),
    "leaky-and-parametric-relu": Patch(KERNELS, "prelu_backward", all_of_the_gradient),
    "elu-near-zero-mean": Patch(KERNELS, "elu", lambda x, alpha=1.0: np.where(x > 0, x, alpha * np.exp(x))),
    "maxout-generalizes": Patch(KERNELS, "maxout", lambda x, pieces=2: x[..., ::pieces]),
    "relu-plausible": Patch(KERNELS, "relu", lambda x: activations.softplus(x)),
    "tanh-zero-centered": Patch(KERNELS, "tanh", lambda x: activations.sigmoid(2 * x)),
    "relu-not-centered": Patch(KERNELS, "relu", np.abs),
    "relu-half-gradient": Patch(KERNELS, "relu_slope", lambda x: (x >= 0).astype(x.dtype)),
    "elu-all-benefits": Patch(KERNELS, "elu", lambda x, alpha=1.0: np.maximum(x, 0)),
    "leaky-converges-faster": Patch(KERNELS, "leaky_relu_slope", swapped_leak),
}
