"""The break under which the evidence of each claim must fail."""

from __future__ import annotations

import numpy as np

from dlnotes.numpy import network, overfitting
from tests.sabotage import Patch

KERNELS = "dlnotes.numpy.overfitting"
backward = network.backward


def about_the_target(predictions, target):
    """Measure the scatter about the true function, and not about the mean of the fits."""
    scatter = ((predictions - target) ** 2).mean(axis=-1 - target.ndim)
    return overfitting.BiasVariance(0 * scatter, scatter, scatter)


def from_the_first(examples, generator, *, runs=()):
    """Shuffle the first fifty examples only, over and over."""
    order = np.tile(generator.permutation(min(examples, 50)), -(-examples // 50))[:examples]
    return np.broadcast_to(order, (*runs, examples))


class LastIsBest(overfitting.EarlyStopping):
    """Compare with the last value, and not with the best before it."""

    def follow(self, value, state):
        after = super().follow(value, state)
        return after._replace(best=np.asarray(value))


def weak(*arguments):
    """Give a hundredth of the gradient."""
    return {name: 0.01 * value for name, value in backward(*arguments).items()}


SABOTAGE: dict[str, Patch | tuple[Patch, ...]] = {
    "overfitting-signs": Patch(KERNELS, "bias_variance_decomposition", about_the_target),
    "underfitting-signs": Patch(KERNELS, "bias_variance_decomposition", about_the_target),
    "underfitting-no-decrease": Patch("dlnotes.numpy.network", "backward", weak),
    "more-data-more-updates": Patch("dlnotes.numpy.minibatch", "shuffled_order", from_the_first),
    "fit-remedies": Patch(KERNELS, "cutout", lambda x, centers, size, *, fill=0.0: x),
    "early-stopping": Patch(KERNELS, "EarlyStopping", LastIsBest),
}
