from __future__ import annotations

import numpy as np

from tests.kinds import Kinds

RNG = np.random.default_rng(0)
X = RNG.standard_normal((5, 4))
IMAGES = RNG.standard_normal((5, 4, 2, 3))
MASK = RNG.random((5, 4)) < 0.6
WEIGHT = RNG.standard_normal(4)
PROBABILITIES = RNG.dirichlet(np.ones(3), size=(2, 4, 5))

CASES = {
    "dropout_mask": "draws booleans and takes numbers alone",
    "dropout": Kinds(lambda module, x, mask: module.dropout(x, mask, 0.4), (X, MASK), scale=[((1, 0), 1)], rows=(0, 1)),
    "dropout_backward": Kinds(
        lambda module, g, mask: module.dropout_backward(g, mask, 0.4), (X, MASK), scale=[((1, 0), 1)], rows=(0, 1)
    ),
    "spatial_dropout": Kinds(
        lambda module, x, mask: module.spatial_dropout(x, mask, 0.4), (IMAGES, MASK), scale=[((1, 0), 1)], rows=(0, 1)
    ),
    "spatial_dropout_backward": Kinds(
        lambda module, g, mask: module.spatial_dropout_backward(g, mask, 0.4),
        (IMAGES, MASK),
        scale=[((1, 0), 1)],
        rows=(0, 1),
    ),
    "linear_dropout_penalty": Kinds(
        lambda module, weight, x: module.linear_dropout_penalty(weight, x, 0.3),
        (WEIGHT, X),
        scale=[((1, -1), 0), ((-1, 1), 0)],
        rows="a mean over the rows",
    ),
    "monte_carlo_prediction": Kinds(
        lambda module, p: module.monte_carlo_prediction(p),
        (PROBABILITIES,),
        scale="probabilities add up to 1",
        rows=(0,),
    ),
}
