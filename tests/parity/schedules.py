from __future__ import annotations

import numpy as np

from tests.parity.adaptive_methods import RATES, walk

STEPS = np.arange(30)


def at(*arguments, rates=RATES):
    """Ask for one step with a number, one step with a rate a run, and many steps at once."""
    return [
        lambda backend, array: ((7, 0.3, *arguments), {}),
        lambda backend, array: ((7, array(rates), *arguments), {}),
        lambda backend, array: ((array(STEPS), 0.3, *arguments), {}),
    ]


def joined(step):
    def case(backend, array):
        parts = (lambda t: backend.warm_up(t, 0.3, 5), lambda t: backend.cosine(t, 0.3, 10))
        return (step(array), (*parts, lambda t: backend.step_decay(t, 0.1, 3)), (5, 11)), {}

    return case


def wide(array):
    return array(np.arange(50.0))


CASES = {
    "step_decay": [*at(3), *at(5, 0.5), lambda backend, array: ((7, 0.1, 3, array(RATES[:1] + 0.1)), {})],
    "exponential_decay": at(0.9),
    "inverse_time_decay": [*at(0.1), *at(0.1, 0.6)],
    "cosine": [*at(20), *at(20, 0.01), lambda backend, array: ((7, array(RATES), 20, array(RATES / 2)), {})],
    "linear": [*at(20), *at(5, 0.01), lambda backend, array: ((7, array(RATES), 20, array(RATES / 2)), {})],
    "one_minus_sqrt": [*at(20), *at(5, 0.01), lambda backend, array: ((7, array(RATES), 20, array(RATES / 2)), {})],
    "cosine_restarts": [*at(5), *at(4, 3, 0.01), *at(2, 2)],
    "one_cycle": [*at(20), *at(29, 0.5, 3.0, 7.0), *at(2), *at(12, 0.0)],
    "warm_up": [*at(10), *at(0)],
    "warm_up_stable_decay": [*at(5, 10, 12), *at(0, 0, 1, 0.2)],
    "exponential_sweep": at(2.0, 30, rates=RATES + 0.1),
    "join": [joined(lambda array: 3), joined(lambda array: 12), joined(lambda array: array(STEPS)), joined(wide)],
    "Scale": [walk(-0.5), walk(RATES), walk(lambda step: 1.0 + step)],
}
