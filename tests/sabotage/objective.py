"""Breaks under which the evidence of the chapter on the objective must fail."""

from __future__ import annotations

import numpy as np

from dlnotes.numpy import network, objective, overfitting
from tests.sabotage import Patch

KERNELS = "dlnotes.numpy.objective"
NETWORK = "dlnotes.numpy.network"


def ridge_in_disguise(features, targets, strength=0.0, right=overfitting.ridge):
    """Shrink the weights although nobody asked for it."""
    return right(features, targets, strength + 1e-2)


def soft_count(logits, labels, right=objective.softmax):
    """Count mistakes by halves and quarters: one minus the label's probability."""
    rows = np.broadcast_to(labels, logits.shape[:-1])[..., None]
    return 1 - np.take_along_axis(right(logits), rows, -1)[..., 0].mean(-1)


def backward_and_step(grad_logits, parameters, cache, activation="relu", right=network.backward):
    """Move the weights as well, as those think who take the gradient and the step for one."""
    gradients = right(grad_logits, parameters, cache, activation)
    for name, gradient in gradients.items():
        parameters[name] -= 0.01 * gradient
    return gradients


def labels_minus_probabilities(logits, labels, right=objective.cross_entropy_with_gradient):
    """Turn the sign of the gradient."""
    loss, gradient = right(logits, labels)
    return objective.LossAndGradient(loss, -gradient)


def diagonal_only(grad_output, logits):
    """Leave out that every logit moves every probability."""
    probabilities = objective.softmax(logits)
    return probabilities * (1 - probabilities) * grad_output


def probabilities_as_logits(logits, labels, right=objective.cross_entropy):
    """Apply the softmax before a loss that applies it itself."""
    return right(objective.softmax(logits), labels)


SABOTAGE = {
    "empirical-risk": Patch("dlnotes.numpy.overfitting", "ridge", ridge_in_disguise),
    "surrogate-loss": Patch(KERNELS, "zero_one_loss", soft_count),
    "halts-on-derivatives": Patch(KERNELS, "cross_entropy", probabilities_as_logits),
    "backprop-is-not-learning": Patch(NETWORK, "backward", backward_and_step),
    "softmax-gradient": Patch(KERNELS, "softmax_backward", diagonal_only),
    "learning-needs-sgd": Patch(KERNELS, "cross_entropy_with_gradient", labels_minus_probabilities),
}
