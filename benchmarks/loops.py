"""The plain textbook loops: the same equations as a first program would have them, one array after the other.

They are peers, so they are written for nobody's speed: no buffers, no checks, one network at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Layers = list[tuple[np.ndarray, np.ndarray]]


def layers_of(parameters: dict[str, np.ndarray]) -> Layers:
    """Give copies of weights and biases, layer by layer."""
    names = sorted({name.split(".")[0] for name in parameters}, key=int)
    return [(parameters[f"{name}.weight"].copy(), parameters[f"{name}.bias"].copy()) for name in names]


def logits(layers: Layers, x: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Run a multilayer perceptron with ReLU, and keep what each layer took."""
    taken = []
    for number, (weight, bias) in enumerate(layers):
        if number > 0:
            x = np.maximum(0, x)
        taken.append(x)
        x = np.dot(x, weight.T) + bias
    return x, taken


def cross_entropy(scores: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """Give the mean cross-entropy and its gradient in the scores."""
    rows = np.arange(scores.shape[0])
    exponentials = np.exp(scores - np.max(scores, axis=1, keepdims=True))
    probabilities = exponentials / np.sum(exponentials, axis=1, keepdims=True)
    loss = -np.mean(np.log(probabilities[rows, labels]))
    gradient = probabilities.copy()
    gradient[rows, labels] -= 1
    return loss, gradient / scores.shape[0]


def loss(layers: Layers, x: np.ndarray, labels: np.ndarray) -> float:
    """Give the loss of a multilayer perceptron."""
    return cross_entropy(logits(layers, x)[0], labels)[0]


def loss_and_gradient(layers: Layers, x: np.ndarray, labels: np.ndarray) -> tuple[float, Layers]:
    """Give the loss, and its gradient in all weights and biases."""
    scores, taken = logits(layers, x)
    value, delta = cross_entropy(scores, labels)
    gradients = []
    for number in range(len(layers) - 1, -1, -1):
        gradients.insert(0, (np.dot(delta.T, taken[number]), np.sum(delta, axis=0)))
        if number > 0:
            delta = np.dot(delta, layers[number][0])
            delta[taken[number] <= 0] = 0
    return value, gradients


class Adam:
    """Adam for a list of arrays, with both averages corrected."""

    def __init__(self, arrays: Sequence[np.ndarray], rate: float):
        self.rate, self.step = rate, 0
        self.means = [np.zeros_like(array) for array in arrays]
        self.squares = [np.zeros_like(array) for array in arrays]

    def update(self, arrays: Sequence[np.ndarray], gradients: Sequence[np.ndarray]) -> None:
        """Take a step."""
        self.step += 1
        for i, gradient in enumerate(gradients):
            self.means[i] = 0.9 * self.means[i] + 0.1 * gradient
            self.squares[i] = 0.999 * self.squares[i] + 0.001 * gradient**2
            mean = self.means[i] / (1 - 0.9**self.step)
            square = self.squares[i] / (1 - 0.999**self.step)
            arrays[i][...] -= self.rate * mean / (np.sqrt(square) + 1e-8)


def train(layers: Layers, optimizer: Adam, x: np.ndarray, labels: np.ndarray, steps: int) -> list[float]:
    """Take steps on one batch, and give the loss before each."""
    losses = []
    arrays = [array for layer in layers for array in layer]
    for _ in range(steps):
        value, gradients = loss_and_gradient(layers, x, labels)
        optimizer.update(arrays, [array for layer in gradients for array in layer])
        losses.append(value)
    return losses


def numerical_gradient(function: Callable[[], float], array: np.ndarray, step: float) -> np.ndarray:
    """Move one number of an array at a time, in place, and take centered differences."""
    gradient = np.zeros_like(array)
    for index in np.ndindex(array.shape):
        kept = array[index]
        array[index] = kept + step
        ahead = function()
        array[index] = kept - step
        behind = function()
        array[index] = kept
        gradient[index] = (ahead - behind) / (2 * step)
    return gradient


def dropout(
    x: np.ndarray, gradient: np.ndarray, p: float, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a scaled mask, and give what it leaves of the activations and of the gradient."""
    mask = (generator.random(x.shape) >= p).astype(x.dtype) / (1 - p)
    return x * mask, gradient * mask


def batch_norm(
    x: np.ndarray, scale: np.ndarray, shift: np.ndarray, gradient: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Give the output of batch norm, and the gradients in its input, its scale and its shift."""
    count = x.shape[0]
    mean = np.mean(x, axis=0)
    variance = np.var(x, axis=0)
    normalized = (x - mean) / np.sqrt(variance + 1e-5)
    output = scale * normalized + shift
    grad_scale = np.sum(gradient * normalized, axis=0)
    grad_shift = np.sum(gradient, axis=0)
    grad_normalized = gradient * scale
    grad_x = (
        (
            count * grad_normalized
            - np.sum(grad_normalized, axis=0)
            - normalized * np.sum(grad_normalized * normalized, axis=0)
        )
        / count
        / np.sqrt(variance + 1e-5)
    )
    return output, grad_x, grad_scale, grad_shift


def gelu(x: np.ndarray) -> np.ndarray:
    """Give the usual approximation of GELU as it is printed, with its cube."""
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
