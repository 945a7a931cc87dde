from __future__ import annotations

import numpy as np

from tests.kinds import Kinds

RNG = np.random.default_rng(0)
MATRIX = RNG.standard_normal((6, 4)) @ np.diag([3.0, 1.0, 0.5, 0.1])
COUNT = "a count: integers"

CASES = {
    "numerical_rank": COUNT,
    "effective_rank": Kinds(
        lambda module, w: module.effective_rank(w), (MATRIX,), [((1,), 0)], "all rows together have one rank"
    ),
    "unit_groups": COUNT,
    "distinct_units": COUNT,
}
