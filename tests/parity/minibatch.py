from __future__ import annotations

import numpy as np

from tests.parity.adaptive_methods import walk

RATES = np.array([[0.1, 0.3], [0.0, 2.0], [1e-3, 1.0]])
SINGLES = np.random.default_rng(1).normal(size=(3, 2, 9, 4))
ORDER = np.random.default_rng(0).permuted(np.tile(np.arange(7), (2, 3, 1)), axis=-1)

CASES = {
    "SGD": [walk(0.1), walk(RATES), walk(RATES[:, 0]), walk(lambda step: 0.1 / (1 + step))],
    "batches_per_epoch": [
        lambda backend, array: ((7, 3), {}),
        lambda backend, array: ((7, 3, True), {}),
        lambda backend, array: ((2, 3, True), {}),
    ],
    "split_into_batches": [
        lambda backend, array: ((array(ORDER), 3), {}),
        lambda backend, array: ((array(ORDER[0, 0]), 3), {"drop_last": True}),
    ],
    "noise_scale": [
        lambda backend, array: ((array(SINGLES),), {}),
        lambda backend, array: ((array(SINGLES[0, 0]),), {}),
        (lambda backend, array: ((array(SINGLES.astype(np.float32)),), {}), 1e-5),
    ],
    "mean_gradient": [
        lambda backend, array: (([{"w": array(one), "b": array(one[0, 0])} for one in SINGLES], [5, 1, 2]), {}),
        lambda backend, array: (([{"w": array(SINGLES)}], [3]), {}),
    ],
}
