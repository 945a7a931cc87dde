from __future__ import annotations

import numpy as np

GENERATOR = np.random.default_rng(0)
W, STEP = GENERATOR.normal(size=(2, 3, 4)), GENERATOR.normal(size=(2, 3, 4)) * 1e-3
W[1] = 0.0
BIAS = np.zeros((2, 3))


class Descent:
    """The least optimizer that both backends can take."""

    def init(self, params):
        return None

    def update(self, grads, state, params):
        return {name: -0.2 * g for name, g in grads.items()}, None


def ratios(run_axes):
    def case(backend, array):
        params, updates = {"w": array(W), "b": array(BIAS)}, {"b": array(BIAS), "w": array(STEP)}
        return (params, updates, run_axes), {}

    return case


def tiny(goal):
    def case(backend, array):
        def gradient(params):
            return (params["w"] * params["w"]).sum(-1).sum(-1) / 2, params

        return (gradient, {"w": array(W)}, Descent()), {"steps": 30, "goal": goal}

    return case


CASES = {
    "update_ratios": [ratios(0), ratios(1), ratios(2)],
    "overfit_tiny_set": [tiny(0.01), tiny(1e-30)],
}
