"""The break under which the evidence of each claim must fail."""

from __future__ import annotations

import numpy as np

from dlnotes.numpy import adaptive_methods, babysitting, initialization, minibatch
from tests.sabotage import Patch


class Uphill(adaptive_methods.Adam):
    """Adam with the wrong sign."""

    def update(self, grads, state, params):
        updates, state = super().update(grads, state, params)
        return {name: -update for name, update in updates.items()}, state


class Timid(minibatch.SGD):
    """SGD that takes a thousandth of each step."""

    def update(self, grads, state, params):
        updates, state = super().update(grads, state, params)
        return {name: update / 1000 for name, update in updates.items()}, state


def small_he(shape, generator, *, runs=(), dtype=np.float64, **options):
    """He's start, a hundred times too small."""
    return HE(shape, generator, runs=runs, dtype=dtype, **options) / 100


def gradients_over_weights(params, updates, run_axes=0):
    """The ratio upside down."""
    return {name: 1 / np.maximum(value, 1e-300) for name, value in RATIOS(params, updates, run_axes).items()}


def ranks(logits, targets):
    """A loss that reads the largest logit only."""
    return float((logits.argmax(-1) != targets).mean())


HE, RATIOS = initialization.he_normal, babysitting.update_ratios

SABOTAGE: dict[str, Patch | tuple[Patch, ...]] = {
    "first-loss": Patch("dlnotes.numpy.initialization", "he_normal", small_he),
    "overfit-tiny-set": Patch("dlnotes.numpy.adaptive_methods", "Adam", Uphill),
    "loss-and-learning-rate": Patch("dlnotes.numpy.minibatch", "SGD", Timid),
    "accuracy-without-loss": Patch("dlnotes.numpy.objective", "cross_entropy", ranks),
    "update-ratio": Patch("dlnotes.numpy.babysitting", "update_ratios", gradients_over_weights),
    "small-regularization-first": Patch("dlnotes.numpy.initialization", "he_normal", small_he),
}
