from __future__ import annotations

import numpy as np

from tests.kinds import Kinds

RNG = np.random.default_rng(0)
W, STEP = RNG.standard_normal((4, 3)), 1e-3 * RNG.standard_normal((4, 3))
CURVES = 2 - np.tanh(np.linspace(-2, 2, 40)) + 0.05 * RNG.standard_normal((3, 40))
ORDER = "an order of values, whose chances are counted"

CASES = {
    "expected_first_loss": "takes an integer and a number",
    "first_loss_check": Kinds(
        lambda module, losses: module.first_loss_check(losses, (0.0, 1.0), 10).measured,
        (CURVES[:, :2],),
        scale="a loss in nats",
        rows=(0,),
    ),
    "overfit_tiny_set": "computes nothing but what the gradient and the optimizer given do",
    "update_ratios": Kinds(
        lambda module, w, step: module.update_ratios({"w": w}, {"w": step}, 1)["w"],
        (W, STEP),
        scale=[((1, 1), 0), ((1, 0), -1), ((0, 1), 1)],
        rows=(0, 1),
        half="a healthy ratio of 1e-6 is hardly a number in 16 bits, so that it is given in float32",
    ),
    "rise_probability": Kinds(
        lambda module, values: module.rise_probability(values),
        (CURVES[:, ::5],),
        scale=[((1,), 0)],
        rows=(0,),
        half=ORDER,
        longdouble=ORDER,
    ),
    "higher_probability": Kinds(
        lambda module, before, after: module.higher_probability(before, after),
        (CURVES[:, :8], CURVES[:, 20:28]),
        scale=[((1, 1), 0)],
        rows=(0, 1),
        half=ORDER,
        longdouble=ORDER,
    ),
    "training_report": Kinds(
        lambda module, losses: module.training_report(losses).last,
        (CURVES,),
        scale=[((1,), 1)],
        rows=(0,),
        nan="a loss that is nan is not finite, which the report says",
    ),
    "describe": "puts a report into words",
}
