from __future__ import annotations

import numpy as np

from tests.kinds import Kinds

VALUES = np.random.default_rng(0).standard_normal((4, 9))
CURVATURE = np.array([0.1, 1.0, 3.0])
STEPS = "an optimizer: linear in the gradient, see test_momentum"

CASES = {
    "Momentum": STEPS,
    "Nesterov": STEPS,
    "exponential_moving_average": Kinds(
        lambda module, x: module.exponential_moving_average(x, 0.9), (VALUES,), [((1,), 1)], rows=(0,)
    ),
    "contraction": Kinds(
        lambda module, h: module.contraction(h, 0.4, 0.5),
        (CURVATURE,),
        scale="the step times the curvature has a scale of its own",
        rows=(0,),
    ),
}
