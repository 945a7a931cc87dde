from __future__ import annotations

import numpy as np

from tests.kinds import Kinds

RATES = np.array([0.1, 0.03, 1.0, 0.5])
SWEEP = np.geomspace(1e-3, 1.0, 30)
LOSSES = 2 - np.tanh(np.linspace(-2, 2, 30)) + 0.05 * np.random.default_rng(0).standard_normal(30)
HOST = "a rate is a number of the host, in float64"


def of(call):
    """Say that a schedule is linear in its rate."""
    return Kinds(call, (RATES,), scale=[((1,), 1)], rows=(0,), half=HOST, longdouble=HOST)


CASES = {
    "step_decay": of(lambda module, rate: module.step_decay(7, rate, 3)),
    "exponential_decay": of(lambda module, rate: module.exponential_decay(7, rate, 0.9)),
    "inverse_time_decay": of(lambda module, rate: module.inverse_time_decay(7, rate, 0.3)),
    "cosine": of(lambda module, rate: module.cosine(7, rate, 20)),
    "linear": of(lambda module, rate: module.linear(7, rate, 20)),
    "one_minus_sqrt": of(lambda module, rate: module.one_minus_sqrt(7, rate, 20)),
    "cosine_restarts": of(lambda module, rate: module.cosine_restarts(7, rate, 2, 2)),
    "one_cycle": of(lambda module, rate: module.one_cycle(7, rate, 20)),
    "reduce_on_plateau": Kinds(
        lambda module, losses: module.reduce_on_plateau(losses, 0.1, 3),
        (LOSSES,),
        scale=[((1,), 0)],
        rows="its axis is time",
        half="a rate is a number of the host, in float64",
        longdouble="it gives rates of the host, in float64",
        nan="a loss that is nan is not better, and the rate is a number",
    ),
    "warm_up": of(lambda module, rate: module.warm_up(7, rate, 20)),
    "join": "computes nothing but what the schedules given do",
    "warm_up_stable_decay": of(lambda module, rate: module.warm_up_stable_decay(7, rate, 10, 5, 5)),
    "exponential_sweep": of(lambda module, rate: module.exponential_sweep(7, rate, 2 * rate, 20)),
    "range_test": Kinds(
        lambda module, rates, losses: module.range_test(rates, losses),
        (SWEEP, LOSSES),
        scale=[((1, 0), 1), ((0, 1), 0)],
        rows="the first axis is that of the steps",
        longdouble="it picks among the rates given",
        nan="a loss that is nan has diverged, and the rate of that step is the result",
    ),
    "Scale": "an optimizer in a chain, see test_schedules",
}
