"""Breaks under which the evidence of the chapter on weight penalties must fail."""

from __future__ import annotations

import numpy as np

from tests.sabotage import Patch

KERNELS = "dlnotes.numpy.weight_penalties"


def without_a_zone(x, threshold):
    """Shift every number by the threshold, which is the subgradient's step."""
    return x - threshold * np.sign(x)


def without_decay(self, grads, state, params):
    """Leave the step as it is."""
    return grads, state


SABOTAGE = {
    "regularization-meaning": Patch(KERNELS, "elastic_net_gradient", lambda weight, l1, l2: 0 * weight),
    "l1-sparse-l2-shrinks": Patch(KERNELS, "soft_threshold", without_a_zone),
    "l2-is-weight-decay": Patch(KERNELS, "DecoupledWeightDecay.update", without_decay),
    "l2-cost-and-gradient": Patch(KERNELS, "l2_gradient", lambda weight, strength: 2 * strength * weight),
}
