from __future__ import annotations

import numpy as np

from tests.kinds import Kinds

RNG = np.random.default_rng(3)
TABLE = RNG.standard_normal((8, 3)) @ np.array([[2.0, 1.0, 0.0], [0.0, 1.0, 0.5], [0.0, 0.0, 0.5]]) + 1.5
FEW = TABLE[:2]
ROWS = RNG.standard_normal((4, 3))
STATE = "a state is made of all rows"


def fitted(name, **settings):
    """Give what `fit` finds."""
    return lambda module, table: tuple(getattr(module, name)(**settings).fit(table))


def applied(name, **settings):
    """Fit on one table and give what becomes of other rows, and what undoes it."""

    def call(module, table, rows):
        transform = getattr(module, name)(**settings)
        state = transform.fit(table)
        return transform.transform(rows, state), transform.inverse(rows, state)

    return call


def transform(name, **settings):
    """Give the case of a transform that keeps the scale."""
    return Kinds(applied(name, **settings), (TABLE, ROWS), [((1, 1), 1)], rows=(1,))


def forward(name, **settings):
    """Give the case of one that takes the scale away, there and not back."""

    def call(module, table, rows):
        fitted = getattr(module, name)(**settings)
        return fitted.transform(rows, fitted.fit(table))

    return Kinds(call, (TABLE, ROWS), [((1, 1), 0)], rows=(1,))


def backward(name, **settings):
    """Give the case of the way back, to rows of the scale of the table."""

    def call(module, table, rows):
        fitted = getattr(module, name)(**settings)
        return fitted.inverse(rows, fitted.fit(table))

    return Kinds(call, (TABLE, ROWS), [((1, 0), 1)], rows=(1,))


CASES = {
    "Standardizer": forward("Standardizer"),
    "Standardizer/inverse": backward("Standardizer"),
    "Standardizer/state": Kinds(fitted("Standardizer"), (TABLE,), [((1,), (1, 1))], STATE),
    "Standardizer/centered": transform("Standardizer", scale=False),
    "PCA": transform("PCA"),
    "PCA/whitening": forward("PCA", whiten=True),
    "PCA/coloring": backward("PCA", whiten=True),
    "PCA/state": Kinds(fitted("PCA"), (TABLE,), [((1,), (1, 0, 1))], STATE),
    # With two rows the second axis is free: what is compared is the deviation along both.
    "PCA/few": Kinds(lambda module, x: module.PCA().fit(x).deviation, (FEW,), [((1,), 1)], STATE),
    "ZCA": forward("ZCA"),
    "ZCA/coloring": backward("ZCA"),
    "ZCA/state": Kinds(fitted("ZCA"), (TABLE,), [((1,), (1, -1, 1))], STATE),
    "least_squares_hessian": Kinds(
        lambda module, x: module.least_squares_hessian(x), (TABLE,), [((1,), 2)], rows="a mean over the rows"
    ),
    "least_squares_condition": Kinds(
        lambda module, x: module.least_squares_condition(x), (TABLE,), [((1,), 0)], rows="one number for all rows"
    ),
}
