"""Breaks under which the evidence of the chapter on vanishing and exploding gradients must fail."""

from __future__ import annotations

import functools

import numpy as np

from dlnotes import measured
from dlnotes.numpy import activations, batch_normalization, initialization, many_runs, minibatch
from tests.sabotage import Patch

KERNELS = "dlnotes.numpy.vanishing_exploding"


def transposed_in_place_of_inverted(matrix, exponent, *, largest_condition=1e8):
    """Take the eigenvectors for orthogonal: V diag(l^t) V^T."""
    values, vectors = np.linalg.eig(matrix)
    return ((vectors * values**exponent) @ vectors.mT).real


def without_gain(draw):
    """Draw as if no gain had been asked for."""

    @functools.wraps(draw)
    def broken(shape, generator, *, gain=1.0, **options):
        return draw(shape, generator, **options)

    return broken


def in_the_order_of_the_alphabet(names, right=measured.names_by_layer):
    """Sort the layers by name, where "10" comes before "2"."""
    layers = right(names)
    return {name: layers[name] for name in sorted(layers)}


def weight_of_the_layer_before(weight, derivative):
    """Multiply the columns, and not the rows, by the slopes."""
    return derivative[..., None, :] * weight[..., None, :, :]


def decay_in_the_gradient_of_nothing(self, grads, state, params):
    """Shrink what is to be updated, and not the weights."""
    share = np.multiply(self.learning_rate, self.strength)
    return {name: g - many_runs.aligned(share, g) * g for name, g in grads.items()}, state


def without_the_division(grad_output, cache, right=batch_normalization.batch_norm_backward):
    """Forget that the gradient, too, is divided by the deviation."""
    ones = np.ones_like(cache.inverse_deviation)
    return right(grad_output, cache._replace(inverse_deviation=ones))


def never_saturating():
    """Give tanh the slope of a function that never saturates."""
    tanh = activations.ACTIVATIONS["tanh"]
    return activations.ACTIVATIONS | {"tanh": tanh._replace(slope=lambda x: np.ones_like(x))}


def bounded_step(self, grads, state, params):
    """Bound every gradient by 1, which nobody asked for."""
    rate = many_runs.at_step(self.learning_rate, state.step)
    updates = {name: -many_runs.aligned(rate, g) * np.clip(g, -1, 1) for name, g in grads.items()}
    return updates, minibatch.SGDState(state.step + 1)


def skip_what_is_not_finite(self, grads, state, params):
    """Leave weights whose gradient is not finite where they are, as some loops do."""
    rate = many_runs.at_step(self.learning_rate, state.step)
    updates = {name: -many_runs.aligned(rate, g) * np.nan_to_num(g, posinf=0, neginf=0) for name, g in grads.items()}
    return updates, minibatch.SGDState(state.step + 1)


SABOTAGE = {
    "gradient-is-a-product": Patch(KERNELS, "layer_jacobian", weight_of_the_layer_before),
    "matrix-power-eigenvalues": Patch(KERNELS, "matrix_power_by_eigenvalues", transposed_in_place_of_inverted),
    "instability-and-unlearned-layers": Patch(
        "dlnotes.numpy.initialization", "xavier_normal", without_gain(initialization.xavier_normal)
    ),
    "symptoms": Patch("dlnotes.measured", "names_by_layer", in_the_order_of_the_alphabet),
    "vanishing-zeroes-weights": Patch(
        "dlnotes.numpy.weight_penalties", "DecoupledWeightDecay.update", decay_in_the_gradient_of_nothing
    ),
    "remedies": Patch("dlnotes.numpy.batch_normalization", "batch_norm_backward", without_the_division),
    "initialization-is-partial": Patch(
        "dlnotes.weight_scales", "he_variance", lambda fan_in, negative_slope=0.0: 1 / fan_in
    ),
    "large-and-small-weights": Patch("dlnotes.numpy.activations", "ACTIVATIONS", never_saturating()),
    "big-gradients-blur-paths": Patch("dlnotes.numpy.minibatch", "SGD.update", bounded_step),
    "overflow-is-final": Patch("dlnotes.numpy.minibatch", "SGD.update", skip_what_is_not_finite),
}
