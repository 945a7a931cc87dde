from __future__ import annotations

import numpy as np

from tests.parity.adaptive_methods import BETAS, RATES, walk

X = np.random.default_rng(0).normal(size=(3, 2, 9))

CASES = {
    "Momentum": [walk(0.1), walk(RATES, BETAS, BETAS / 2), walk(0.1, 0.9, 0.9), walk(lambda step: 0.1 / (1 + step))],
    "Nesterov": [walk(0.1), walk(RATES, BETAS), walk(RATES[:, 0], 0.5)],
    "exponential_moving_average": [
        lambda backend, array: ((array(X), 0.9), {}),
        lambda backend, array: ((array(X), array(BETAS)), {}),
        lambda backend, array: ((array(X), array(BETAS), False), {}),
        (lambda backend, array: ((array(X[0, 0].astype(np.float32)), 0.5), {}), 1e-6),
        lambda backend, array: ((array(X[..., :0]), 0.9), {}),
    ],
}
