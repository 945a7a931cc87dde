from __future__ import annotations

import numpy as np

MATRICES = [
    ("numerical_rank", "matrix"),
    ("effective_rank", "matrix"),
    ("unit_groups", "units"),
    ("distinct_units", "units"),
]

CASES = [
    ("constant_init", {"shape": (3, -1), "value": 1.0}, ValueError, "shape"),
    ("constant_init", {"shape": 3, "value": 1.0}, TypeError, "shape"),
    ("constant_init", {"shape": (3, 1.5), "value": 1.0}, TypeError, "shape"),
    ("constant_init", {"shape": (3, 2), "value": np.inf}, ValueError, "value"),
    ("constant_init", {"shape": (3, 2), "value": "one"}, TypeError, "value"),
    ("constant_init", {"shape": (3, 2), "value": 1.0, "runs": (-1,)}, ValueError, "runs"),
    ("zero_init", {"shape": (-3, 2)}, ValueError, "shape"),
    ("zero_init", {"shape": (3, 2), "runs": ("two",)}, TypeError, "runs"),
    *((name, {argument: np.ones((3, 2), int)}, TypeError, argument) for name, argument in MATRICES),
    *((name, {argument: np.ones(3)}, ValueError, argument) for name, argument in MATRICES),
    *((name, {argument: [[1.0]]}, TypeError, argument) for name, argument in MATRICES),
    ("numerical_rank", {"matrix": np.ones((3, 2)), "tolerance": 1.0}, ValueError, "tolerance"),
    ("numerical_rank", {"matrix": np.ones((3, 2)), "tolerance": -1e-9}, ValueError, "tolerance"),
    ("unit_groups", {"units": np.ones((3, 2)), "tolerance": -1.0}, ValueError, "tolerance"),
    ("distinct_units", {"units": np.ones((3, 2)), "tolerance": np.nan}, ValueError, "tolerance"),
    *(
        (name, {"units": np.full((3, 2), bad)}, ValueError, "units")
        for name in ("unit_groups", "distinct_units")
        for bad in (np.nan, np.inf)
    ),
    *(
        (name, {"matrix": np.full((3, 2), bad)}, ValueError, "matrix")
        for name in ("numerical_rank", "effective_rank")
        for bad in (np.nan, np.inf)
    ),
]
