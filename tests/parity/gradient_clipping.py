from __future__ import annotations

import numpy as np

from tests.parity.adaptive_methods import RATES, SHAPES, drawn, walk

G = drawn(SHAPES | {"kernel": (2, 3, 2, 2)}, (3, 2), 0, np.float64)
W = drawn(SHAPES | {"kernel": (2, 3, 2, 2)}, (3, 2), 1, np.float64)
LIMITS = RATES + 0.05
HUGE = np.array([[3e200, -4e200], [0, 0], [3e-300, 4e-300], [np.inf, 1], [np.nan, 1]])


def over(*arguments, names=G):
    return [
        lambda backend, array, name=name: (
            (array(G[name]), *(array(a) if isinstance(a, np.ndarray) else a for a in arguments)),
            {},
        )
        for name in names
    ]


def all_of(*arguments):
    return lambda backend, array: (
        (
            {name: array(value) for name, value in G.items()},
            *(array(a) if isinstance(a, np.ndarray) else a for a in arguments),
        ),
        {},
    )


CASES = {
    "norm": [
        *over(),
        *over(2),
        lambda backend, array: ((array(HUGE), 1), {}),
        lambda backend, array: ((array(np.zeros((2, 0))), 1), {}),
        lambda backend, array: ((array(np.zeros(0)),), {}),
    ],
    "global_norm": [all_of(), all_of(2)],
    "clip_by_value": [*over(0.5), *over(LIMITS)],
    "clip_by_norm": [*over(0.5), *over(LIMITS, 2), *over(1e3), lambda backend, array: ((array(HUGE[:3]), 1.0, 1), {})],
    "clip_by_global_norm": [all_of(0.5), all_of(LIMITS, 2), all_of(1e3)],
    "unit_norms": [*over(), *over(2)],
    "shorten_units": [
        *over(0.5, 2),
        lambda backend, array: ((array(HUGE[:3]), array(np.array([[1.0], [2.0], [3.0]])), 0), {}),
    ],
    "clip_adaptively": [
        lambda backend, array, name=name: ((array(G[name]), array(W[name]), array(LIMITS), 1e-3, 2), {}) for name in G
    ]
    + [lambda backend, array: ((array(G["kernel"][0, 0]), array(0 * W["kernel"][0, 0])), {})],
    "ClipByValue": [walk(0.5), walk(LIMITS)],
    "ClipByNorm": [walk(0.5), walk(LIMITS, 2)],
    "ClipByGlobalNorm": [walk(0.5), walk(LIMITS, 2)],
    "ClipAdaptively": [walk(), walk(LIMITS, 3.0, 2)],
}
