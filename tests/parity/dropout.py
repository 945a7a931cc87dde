from __future__ import annotations

import numpy as np

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(2, 3, 4, 5))
MASK = GENERATOR.random(size=X.shape) > 0.4
RATES = np.array([0.0, 1.0])
PROBABILITIES = GENERATOR.dirichlet(np.full(3, 0.2), size=(2, 5, 4))
PROBABILITIES[0, 0, 0] = [1.0, 0.0, 0.0]


def masked(p, x=X, mask=MASK, **keywords):
    return lambda backend, array: ((array(x), array(mask), array(p) if isinstance(p, np.ndarray) else p), keywords)


CASES = {
    "dropout": [masked(0.4), masked(RATES), masked(1.0), masked(0.4, X[0]), masked(0.4, X.astype(np.float32))],
    "dropout_backward": [masked(0.4), masked(RATES), masked(0.0)],
    "spatial_dropout": [masked(0.4, mask=MASK[..., 0, 0]), masked(0.4, mask=MASK[..., 0], spatial_axes=1)],
    "spatial_dropout_backward": [masked(0.4, mask=MASK[..., 0, 0]), masked(RATES, mask=MASK[..., 0], spatial_axes=1)],
    "linear_dropout_penalty": [
        lambda backend, array: ((array(X[0, 0, 0]), array(X[0, 0]), 0.3), {}),
        lambda backend, array: ((array(X[0, :, 0]), array(X[0]), 0.5), {}),
    ],
    "monte_carlo_prediction": [lambda backend, array: ((array(PROBABILITIES),), {})],
}
