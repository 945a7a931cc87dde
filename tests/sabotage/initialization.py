"""Breaks under which the evidence of the chapter on initialization must fail."""

from __future__ import annotations

import functools
import math

import numpy as np

from dlnotes import weight_scales
from dlnotes.numpy import activations, initialization
from tests.sabotage import Patch

KERNELS = "dlnotes.numpy.initialization"
SCALES = "dlnotes.weight_scales"
SCALES = "dlnotes.weight_scales"


def without_gain(draw):
    """Draw as if no gain had been asked for."""

    @functools.wraps(draw)
    def broken(shape, generator, *, gain=1.0, **options):
        return draw(shape, generator, **options)

    return broken


def never_saturating():
    """Give tanh the slope of a function that never saturates."""
    tanh = activations.ACTIVATIONS["tanh"]
    return activations.ACTIVATIONS | {"tanh": tanh._replace(slope=lambda x: np.ones_like(x))}


def slope_not_squared(activation, variance, right=initialization.slope_moment):
    return np.sqrt(right(activation, variance))


SABOTAGE = {
    "small-weights-collapse": Patch(KERNELS, "scaled", lambda noise, scale: np.sqrt(scale) * noise),
    "unit-weights-saturate": Patch("dlnotes.numpy.activations", "ACTIVATIONS", never_saturating()),
    "derivation-assumptions": Patch(KERNELS, "scaled", lambda noise, scale: scale * (noise + 1)),
    "xavier-variance": Patch(SCALES, "xavier_variance", lambda fan_in, fan_out: 1 / (fan_in + fan_out)),
    "fan-in-fan-out-conflict": Patch(SCALES, "xavier_variance", lambda fan_in, fan_out: 2 / fan_in),
    "equal-variance-goal": Patch(KERNELS, "xavier_normal", without_gain(initialization.xavier_normal)),
    "xavier-linear-tanh": Patch(KERNELS, "second_moment_map", lambda activation, variance: variance),
    "xavier-activations": Patch(KERNELS, "slope_moment", slope_not_squared),
    "he-variance": Patch(SCALES, "he_variance", lambda fan_in, negative_slope=0.0: 1 / fan_in),
    "he-relu-variants": Patch(SCALES, "he_variance", lambda fan_in, negative_slope=0.0: 2 / fan_in),
    "pytorch-default": Patch(SCALES, "he_variance", lambda fan_in, negative_slope=0.0: 1 / fan_in),
    "lecun-selu": Patch(SCALES, "lecun_variance", lambda fan_in: 2 / fan_in),
    "variance-by-activation": Patch(SCALES, "he_variance", lambda fan_in, negative_slope=0.0: 1 / fan_in),
    "xavier-fan-in": Patch(SCALES, "xavier_variance", lambda fan_in, fan_out: 1 / fan_out),
    "fan-definition": Patch(SCALES, "fans", lambda shape, **options: weight_scales.Fans(shape[1], shape[0])),
    "two-xaviers": Patch(SCALES, "xavier_variance", lambda fan_in, fan_out: 1 / fan_in),
    "weights-near-one": Patch(KERNELS, "orthogonalize", lambda noise: noise / math.sqrt(noise.shape[-1])),
    "bad-start-fails": Patch(KERNELS, "xavier_normal", without_gain(initialization.xavier_normal)),
}
