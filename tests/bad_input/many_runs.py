from __future__ import annotations

import numpy as np

RNG = np.random.default_rng(0)
X, Y = np.ones((6, 3)), np.zeros(6, dtype=int)


class Rated:
    """An optimizer that has a rate."""

    def __init__(self, rate):
        self.rate = rate

    def init(self, params):
        return ()

    def update(self, grads, state, params):
        return grads, state


CASES = [
    ("zeros_like", {"params": [X]}, TypeError, "params"),
    ("at_step", {"value": "fast", "step": 1}, TypeError, "value"),
    ("at_step", {"value": lambda step: "fast", "step": 1}, TypeError, "value"),
    ("at_step", {"value": lambda step: np.nan, "step": 1}, ValueError, "value"),
    ("rate_at_step", {"value": lambda step: -1.0, "step": 1}, ValueError, "learning_rate"),
    ("rate_at_step", {"value": lambda step: -1.0, "step": 1, "name": "epsilon"}, ValueError, "epsilon"),
    ("beta_at_step", {"value": lambda step: 1.0, "step": 1}, ValueError, "beta"),
    ("cut", {"optimizer": 3, "runs": (2,)}, TypeError, "optimizer"),
    ("cut", lambda backend, array: {"optimizer": Rated(array(np.ones(2))), "runs": (3,)}, ValueError, "rate"),
    ("zeros_like", {"params": {"w": X.astype(np.float16)}}, TypeError, "params"),
    ("aligned", {"value": X, "array": Y}, ValueError, "array"),
    ("generators", {"generator": 0, "runs": ()}, TypeError, "generator"),
    ("generators", {"generator": RNG, "runs": 3}, TypeError, "runs"),
    ("generators", {"generator": np.array([RNG]), "runs": (2,)}, ValueError, "generator"),
    ("generators", {"generator": np.array([1]), "runs": (1,)}, TypeError, "generator"),
    ("generators", {"generator": np.array([RNG, RNG]), "runs": (2,)}, ValueError, "generator"),
]
