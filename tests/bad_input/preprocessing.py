from __future__ import annotations

import numpy as np

DATA = [
    ({"x": np.ones((3, 2), dtype=int)}, TypeError, "x"),
    ({"x": [[1.0, 2.0]]}, TypeError, "x"),
    ({"x": np.ones(3)}, ValueError, "x"),
    ({"x": np.ones((0, 3))}, ValueError, "x"),
    ({"x": np.ones((3, 0))}, ValueError, "x"),
    ({"x": np.full((3, 2), np.nan)}, ValueError, "x"),
]

CASES = [
    *((name, *case) for name in ("least_squares_hessian", "least_squares_condition") for case in DATA),
    ("Standardizer", {"scale": 1}, TypeError, "scale"),
    ("PCA", {"components": 0}, ValueError, "components"),
    ("PCA", {"components": 1.5}, TypeError, "components"),
    ("PCA", {"whiten": "yes"}, TypeError, "whiten"),
    ("PCA", {"epsilon": -1.0}, ValueError, "epsilon"),
    ("ZCA", {"epsilon": np.nan}, ValueError, "epsilon"),
]
