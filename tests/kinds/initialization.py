from __future__ import annotations

import numpy as np

from tests.kinds import Kinds

RNG = np.random.default_rng(0)
INPUTS = RNG.standard_normal((6, 5))
FIRST, SECOND = RNG.standard_normal((7, 5)), RNG.standard_normal((4, 7))
GRADIENT = RNG.standard_normal((6, 4))
NOISE = RNG.standard_normal((5, 4))
SQUARE = RNG.standard_normal((5, 5))
CORRELATIONS = np.array([-0.9, 0.0, 0.4])
BATCH = "statistics of the batch"
WHOLE = "the rows are parts of one matrix"
TABLE = "a table of numbers, in float64 whatever the dtype asked"

CASES = {
    "scaled": Kinds(lambda module, e: module.scaled(e, 0.3), (NOISE,), [((1,), 1)], rows=(0,)),
    "orthogonalize": Kinds(
        lambda module, e: module.orthogonalize(e),
        (SQUARE,),
        [((1,), 0)],
        rows=WHOLE,
        infinities="noise that is not finite is refused, and a singular matrix leaves directions free",
    ),
    "unit_variance": Kinds(
        lambda module, x, v, w: module.unit_variance([v, w], x, "relu"),
        (INPUTS, FIRST, SECOND),
        [((1, 0, 0), (-1, 0)), ((0, 1, 0), 0), ((0, 0, 1), 0)],
        rows=BATCH,
    ),
    "mean_cosine": Kinds(lambda module, h: module.mean_cosine(h), (INPUTS,), [((1,), 0)], rows=BATCH),
    "forward_cosines": Kinds(
        lambda module, x, v, w: module.forward_cosines([v, w], x),
        (INPUTS, FIRST, SECOND),
        [((1, 0, 0), 0), ((0, 1, 0), 0), ((0, 0, 1), 0)],
        rows=BATCH,
    ),
    "forward_second_moments": Kinds(
        lambda module, x, v, w: module.forward_second_moments([v, w], x),
        (INPUTS, FIRST, SECOND),
        scale="the square of a number beyond 1e154 is beyond float64",
        rows=BATCH,
    ),
    "backward_second_moments": Kinds(
        lambda module, g, x, v, w: module.backward_second_moments([v, w], x, g),
        (GRADIENT, INPUTS, FIRST, SECOND),
        scale="the square of a number beyond 1e154 is beyond float64",
        rows=BATCH,
    ),
    "second_moment_map": TABLE,
    "slope_moment": TABLE,
    "moment_map_slope": TABLE,
    "correlation_map": TABLE,
    "correlation_map_slope": TABLE,
    "normal": "draws from a generator; the arrays it takes are one number a run",
    "uniform": "draws from a generator; the arrays it takes are one number a run",
    "truncated_normal": "draws from a generator; the arrays it takes are one number a run",
    "orthogonal": "draws from a generator; the arrays it takes are one number a run",
    "xavier_normal": "draws from a generator; the arrays it takes are one number a run",
    "xavier_uniform": "draws from a generator; the arrays it takes are one number a run",
    "lsuv": "draws from a generator; its arithmetic is that of unit_variance",
}
