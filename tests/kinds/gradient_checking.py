from __future__ import annotations

import numpy as np

from tests.kinds import Kinds

RNG = np.random.default_rng(0)
A, B, X = RNG.standard_normal((5, 4)), RNG.standard_normal((5, 4)), RNG.standard_normal(4)
DIRECTIONS = RNG.standard_normal((3, 4))
INEXACT = "a difference quotient is known to its own error, not to rounding"

CASES = {
    "numerical_gradient": Kinds(
        lambda module, x: module.numerical_gradient(lambda points: (points * points).sum(-1), x),
        (X,),
        scale=INEXACT,
        rows="one point alone",
        half=INEXACT,
        longdouble=INEXACT,
        nan="each coordinate has its own difference, and other arguments move it by its error",
        infinities="a difference of infinities is nan or refused in each backend by its own rounding",
        layout=INEXACT,
    ),
    "directional_derivatives": Kinds(
        lambda module, x, d: module.directional_derivatives(lambda points: (points * points).sum(-1), x, d),
        (X, DIRECTIONS),
        scale=INEXACT,
        rows="one point alone",
        half=INEXACT,
        longdouble=INEXACT,
        infinities="a difference of infinities is nan or refused in each backend by its own rounding",
        layout=INEXACT,
    ),
    "relative_error": Kinds(
        lambda module, a, b: module.relative_error(a, b, run_axes=1), (A, B), [((1, 1), 0)], rows=(0, 1)
    ),
    "random_directions": "only shapes and dtypes are used",
    "check_gradients": "finds names and errors by the functions above",
}
