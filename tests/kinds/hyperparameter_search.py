from __future__ import annotations

import numpy as np

from dlnotes.numpy import hyperparameter_search as search
from tests.kinds import Kinds

RNG = np.random.default_rng(0)
POINTS, SHIFT, LOSSES = RNG.random((12, 2)), RNG.random((3, 2)), RNG.standard_normal(12)
RANGES = (search.Range(0.0, 2.0), search.Range(0.1, 10.0, log=True))
CUBE = "a point of the unit cube has no scale"
HOST = "values and points are float64 whatever is given"
CHOICE = "gives ranges or choices, no arrays of the numbers given"

CASES = {
    "grid_points": "takes integers alone",
    "random_points": "draws at random and takes numbers alone",
    "halton_points": Kinds(
        lambda module, shift: module.halton_points(8, 2, shift=shift), (SHIFT,), CUBE, (0,), half=HOST, longdouble=HOST
    ),
    "sobol_points": Kinds(
        lambda module, shift: module.sobol_points(8, 2, shift=shift), (SHIFT,), CUBE, (0,), half=HOST, longdouble=HOST
    ),
    "scrambled_sobol_points": "draws at random and takes numbers alone",
    "to_settings": "gives Python numbers, each by to_ranges",
    "hyperband_brackets": "takes integers alone",
    "to_promote": "compares Python numbers, and gives a choice",
    "to_ranges": Kinds(
        lambda module, points: module.to_ranges(points, RANGES), (POINTS,), CUBE, (0,), half=HOST, longdouble=HOST
    ),
    "from_ranges": Kinds(
        lambda module, values: module.from_ranges(values, RANGES),
        (POINTS + 0.1,),
        CUBE,
        (0,),
        half=HOST,
        longdouble=HOST,
    ),
    "hit_probability": "takes two numbers",
    "draws_needed": "takes two numbers",
    "refine": CHOICE,
    "at_edge": CHOICE,
    "coarse_to_fine": "computes nothing but what the function given does, and choices",
    "successive_halving": "computes nothing but what the function given does, and choices",
    "importance": Kinds(
        lambda module, points, losses: module.importance(points, losses, bins=3),
        (POINTS, LOSSES),
        scale=[((1, 0), 0), ((0, 1), 0)],
        rows="a share of the variance over the draws",
        half=HOST,
        longdouble=HOST,
        nan="only the order of the points counts",
    ),
}
