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


def _of_another_kind(kind: str, way: str, argument: str) -> list:
    """Give wrong rows for a transform, or for its inverse, fitted to two features."""

    def rows(wrong):
        def made(backend, array):
            state = getattr(backend, kind)().fit(array(np.array([[1.0, 2.0], [3.0, 5.0], [4.0, -1.0]])))
            return {argument: array(wrong), "state": state}

        return made

    name = f"{kind}.{way}"
    return [
        (name, rows(np.ones((3, 2), dtype=int)), TypeError, argument),
        (name, rows(np.ones((3, 3))), ValueError, argument),
    ]


KINDS = ("Standardizer", "PCA", "ZCA")

CASES = [
    *((name, *case) for name in ("least_squares_hessian", "least_squares_condition") for case in DATA),
    ("Standardizer", {"scale": 1}, TypeError, "scale"),
    ("PCA", {"components": 0}, ValueError, "components"),
    ("PCA", {"components": 1.5}, TypeError, "components"),
    ("PCA", {"whiten": "yes"}, TypeError, "whiten"),
    ("PCA", {"epsilon": -1.0}, ValueError, "epsilon"),
    ("ZCA", {"epsilon": np.nan}, ValueError, "epsilon"),
    *((f"{kind}.fit", *case) for kind in KINDS for case in DATA),
    *(case for kind in KINDS for case in _of_another_kind(kind, "transform", "x")),
    *(case for kind in KINDS for case in _of_another_kind(kind, "inverse", "z")),
    ("PCA.fit", {"self": {"components": 3}, "x": np.eye(3, 2)}, ValueError, "components"),
]
