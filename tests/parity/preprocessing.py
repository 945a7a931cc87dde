from __future__ import annotations

import numpy as np

GENERATOR = np.random.default_rng(0)
TALL = GENERATOR.normal(size=(2, 20, 4)) @ np.diag([4.0, 2.0, 1.0, 0.5]) + 3
TALL[..., 1, 2] = 7.0
WIDE = GENERATOR.normal(size=(3, 5)) * np.arange(1.0, 6.0)
CONSTANT = np.column_stack([TALL[0], np.full(20, 0.1)])
TABLES = (TALL, WIDE, CONSTANT, TALL[0].astype(np.float32))


def transform(name, x, **settings):
    def case(backend, array):
        def use(fitted, array):
            data = array(x)
            state = fitted.fit(data)
            z = fitted.transform(data, state)
            return state, z, fitted.inverse(z, state)

        return (), settings, use

    # float32 results are rounded once at the end, so the two may differ by one unit in the last place.
    return (case, 1e-6) if x.dtype == np.float32 else case


def plain(x):
    return lambda backend, array: ((array(x),), {})


CASES = {
    "Standardizer": [transform("Standardizer", x, scale=scale) for x in TABLES for scale in (True, False)],
    "PCA": [
        transform("PCA", x, **settings)
        for x in TABLES
        for settings in ({}, {"components": 2}, {"whiten": True}, {"whiten": True, "epsilon": 0.1})
    ],
    "ZCA": [transform("ZCA", x, epsilon=epsilon) for x in TABLES for epsilon in (0.0, 0.1)],
    "least_squares_hessian": [plain(TALL), plain(WIDE)],
    "least_squares_condition": [plain(TALL), plain(WIDE), plain(CONSTANT - CONSTANT.mean(axis=0))],
}
