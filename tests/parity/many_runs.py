from __future__ import annotations

import numpy as np

from tests.parity.adaptive_methods import BETAS, RATES, drawn

VALUES = drawn({"w": (4, 3), "b": (2,)}, (3, 2), 0, np.float64)


class Rated:
    """An optimizer that has a rate and a schedule."""

    def __init__(self, rate):
        self.rate, self.schedule = rate, lambda step: rate * step

    def init(self, params):
        return ()

    def update(self, grads, state, params):
        return grads, state


def cut(rate, *rows):
    return lambda backend, array: (
        (Rated(array(rate)), (3, 2), *rows),
        {},
        lambda optimizer, array: (optimizer.rate, optimizer.schedule(3)),
    )


CASES = {
    "cut": [cut(RATES), cut(RATES[:, 0], slice(1, 4)), cut(RATES[:1], slice(0, 2))],
    "rate_at_step": [lambda backend, array: ((array(RATES), 3), {}), lambda backend, array: ((lambda step: 2, 3), {})],
    "beta_at_step": [
        lambda backend, array: ((array(BETAS), 3), {}),
        lambda backend, array: ((lambda step: 0.1 * step, 3), {}),
    ],
    "zeros_like": [lambda backend, array: (({name: array(value) for name, value in VALUES.items()},), {})],
    "at_step": [
        lambda backend, array: ((0.5, 3), {}),
        lambda backend, array: ((2, 3), {}),
        lambda backend, array: ((array(RATES), 3), {}),
        lambda backend, array: ((array(RATES.astype(np.float32)), 3), {}),
        lambda backend, array: ((lambda step: 0.5 * step, 3), {}),
        lambda backend, array: ((lambda step: array(RATES) * step, 3), {}),
    ],
    "aligned": [
        lambda backend, array: ((2, array(VALUES["w"])), {}),
        lambda backend, array: ((array(RATES), array(VALUES["w"].astype(np.float32))), {}),
        lambda backend, array: ((array(RATES[:, 0]), array(VALUES["w"])), {}),
    ],
}
