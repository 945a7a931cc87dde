from __future__ import annotations

import numpy as np

from tests.kinds import Kinds

SINGLES = np.random.default_rng(0).standard_normal((2, 7, 4)) + 1
PARTS = np.random.default_rng(1).standard_normal((2, 4))

CASES = {
    "SGD": "an optimizer: the gradient times the rate",
    "epoch": "integers of a generator alone",
    "shuffled_order": "integers of a generator alone",
    "split_into_batches": "cuts integers into views",
    "stratified_order": "integers and a generator alone",
    "noise_scale": Kinds(
        lambda module, g: module.noise_scale(g),
        (SINGLES,),
        scale="squares of gradients: beyond 1e154 they overflow, as the numbers that are asked for do",
        rows=(0,),
    ),
    "mean_gradient": Kinds(
        lambda module, a, b: module.mean_gradient([{"w": a}, {"w": b}], [3, 1]),
        (PARTS, PARTS + 1),
        scale=[((1, 1), 1)],
        rows=(0, 1),
        half="plain sums in the dtype of the gradients, as the frameworks take them",
    ),
}
