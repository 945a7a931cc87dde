from __future__ import annotations

import numpy as np

M = np.ones((3, 4))


class Still:
    """An optimizer that stays where it is."""

    def init(self, params):
        return ()

    def update(self, grads, state, params):
        return {name: 0 * g for name, g in grads.items()}, state


CASES = [
    ("newton_schulz", {"matrix": M.astype(int)}, TypeError, "matrix"),
    ("newton_schulz", {"matrix": M[0]}, ValueError, "matrix"),
    ("newton_schulz", {"matrix": M, "steps": -1}, ValueError, "steps"),
    ("newton_schulz", {"matrix": M, "epsilon": 0.0}, ValueError, "epsilon"),
    ("Partition", {"choose": 3, "chosen": Still(), "others": Still()}, TypeError, "choose"),
    ("Partition", {"choose": str.isupper, "chosen": "adam", "others": Still()}, TypeError, "chosen"),
    ("Partition", {"choose": str.isupper, "chosen": Still(), "others": None}, TypeError, "others"),
    ("Adam", {"learning_rate": -1.0}, ValueError, "learning_rate"),
    ("Adam", {"learning_rate": "fast"}, TypeError, "learning_rate"),
    ("Adam", {"learning_rate": np.array([0.1, -0.1])}, ValueError, "learning_rate"),
    ("Adam", {"beta1": 1.0}, ValueError, "beta1"),
    ("Adam", {"beta2": -0.1}, ValueError, "beta2"),
    ("Adam", {"epsilon": np.nan}, ValueError, "epsilon"),
    ("AdamW", {"weight_decay": -1.0}, ValueError, "weight_decay"),
    ("AMSGrad", {"beta1": 2.0}, ValueError, "beta1"),
    ("NAdam", {"momentum_decay": -1.0}, ValueError, "momentum_decay"),
    ("Adagrad", {"initial_sum": -1.0}, ValueError, "initial_sum"),
    ("RMSprop", {"beta": 1.0}, ValueError, "beta"),
    ("RMSprop", {"momentum": -0.1}, ValueError, "momentum"),
    ("Lion", {"beta2": 1.0}, ValueError, "beta2"),
    ("Muon", {"steps": -1}, ValueError, "steps"),
    ("Muon", {"run_axes": -1}, ValueError, "run_axes"),
]
