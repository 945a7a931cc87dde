"""Breaks under which the evidence of the chapter on batch normalization must fail."""

from __future__ import annotations

import functools

import numpy as np

from dlnotes.figures import batch_normalization as signals
from dlnotes.figures import batch_normalization_mechanism as mechanism
from dlnotes.figures import batch_normalization_net as nets
from dlnotes.numpy import batch_normalization as kernels
from tests.sabotage import Patch

KERNELS = "dlnotes.numpy.batch_normalization"
NETS = "dlnotes.figures.batch_normalization_net"


def constant_statistics(grad_output, cache, right=kernels.batch_norm_backward):
    """Carry the gradient back as if mean and deviation were constants."""
    factor = (cache.scale * cache.inverse_deviation)[..., None, :]
    return right(grad_output, cache)._replace(x=grad_output * factor)


def always_before(parameters, inputs, net, running=None, right=nets.forward):
    return right(parameters, inputs, net._replace(place="before") if net.place == "after" else net, running)


def over_examples_only(spatial_axes):
    """Average over the examples and not over the places of a map."""
    return (-2 - spatial_axes,)


def larger_epsilon(x, scale, shift, *, spatial_axes=0, epsilon=1e-5, right=kernels.batch_norm):
    """Another library's epsilon."""
    return right(x, scale, shift, spatial_axes=spatial_axes, epsilon=1e-3)


@functools.wraps(kernels._normalize)
def mode_forgotten(x, axes, epsilon):
    """Use running statistics that nobody has updated: mean 0 and variance 1."""
    _, inverse, mean, variance = RIGHT_NORMALIZE(x, axes, epsilon)
    return x.copy(), np.ones_like(inverse), np.zeros_like(mean), np.ones_like(variance)


RIGHT_NORMALIZE = kernels._normalize


def one_device(x, group):
    """Take the statistics of one device of several, 8 examples each, where those of the whole batch are asked for."""
    return x if group is None else x.reshape(*x.shape[:-2], -1, 8, x.shape[-1])


def swapped_momentum(running, cache, *, momentum=0.1, right=kernels.update_running_statistics):
    """Take the weight of the new batch for that of the old average."""
    return right(running, cache, momentum=None if momentum is None else 1 - momentum)


def normal_scores(x, axes, epsilon):
    """Make each feature normal, by its ranks."""
    normalized, *rest = RIGHT_NORMALIZE(x, axes, epsilon)
    scores = np.sort(np.random.default_rng(0).standard_normal(x.shape), axis=-2)
    scores = (scores - scores.mean(-2, keepdims=True)) / scores.std(-2, keepdims=True)
    ranks = normalized.argsort(-2).argsort(-2)
    return np.take_along_axis(scores, ranks, axis=-2), *rest


def scale_not_learned(grad, cache, net, right=nets._normalize_backward):
    """Forget the gradient of the scale."""
    grads = right(grad, cache, net)
    return grads._replace(scale=np.zeros_like(grads.scale))


def no_noise(generator, size, right=mechanism.shaking):
    return right(generator, 0.0)


def top_power_forgotten(x, degree, right=signals.design):
    """Count the powers from 0 to degree - 1."""
    return right(x, degree - 1)


SABOTAGE = {
    "batch-norm-map": Patch(KERNELS, "batch_norm_backward", constant_statistics),
    "batch-norm-place": Patch(NETS, "forward", always_before),
    "batch-norm-convolution": Patch(KERNELS, "_batch_axes", over_examples_only),
    "batch-norm-identity": Patch(KERNELS, "batch_norm", larger_epsilon),
    "batch-norm-eases-training": Patch(KERNELS, "_normalize", mode_forgotten),
    "batch-norm-regularizes": Patch(NETS, "_grouped", lambda x, group: x[..., None, :, :] if group else x),
    "batch-norm-large-batch": Patch(NETS, "_grouped", one_device),
    "covariate-shift": Patch("dlnotes.figures.batch_normalization_mechanism", "shaking", no_noise),
    "batch-norm-test-time": Patch(KERNELS, "update_running_statistics", swapped_momentum),
    "batch-norm-not-gaussian": Patch(KERNELS, "_normalize", normal_scores),
    "batch-norm-before-tanh": Patch(NETS, "_normalize_backward", scale_not_learned),
    "covariate-shift-definition": Patch("dlnotes.figures.batch_normalization", "design", top_power_forgotten),
}
