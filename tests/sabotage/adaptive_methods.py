"""The break under which the evidence of each claim must fail."""

from __future__ import annotations

import dataclasses

from dlnotes.numpy import adaptive_methods, many_runs
from tests.sabotage import Patch

KERNELS = "dlnotes.numpy.adaptive_methods"


def without_momentum(self, grads, state, params, right=adaptive_methods.Adam.update):
    """Step as if the average of the gradient were the gradient."""
    return right(dataclasses.replace(self, beta1=0.0), grads, state, params)


def without_division(self, grads, state, params):
    """Step as descent does."""
    updates = {name: -many_runs.aligned(self.learning_rate, g) * g for name, g in grads.items()}
    return updates, state._replace(step=state.step + 1)


SABOTAGE: dict[str, Patch | tuple[Patch, ...]] = {
    "rmsprop-and-adam": Patch(KERNELS, "_power", lambda beta, t: 0.0),  # no bias correction
    "adam-joins-both": Patch(KERNELS, "Adam.update", without_momentum),
    "rmsprop-speeds-up": Patch(KERNELS, "RMSprop.update", without_division),
}
