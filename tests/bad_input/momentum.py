from __future__ import annotations

import numpy as np

X = np.ones((2, 3))

CASES = [
    ("exponential_moving_average", {"values": np.ones(3, dtype=int), "beta": 0.5}, TypeError, "values"),
    ("exponential_moving_average", {"values": np.array(1.0), "beta": 0.5}, ValueError, "values"),
    ("exponential_moving_average", {"values": X, "beta": 1.0}, ValueError, "beta"),
    ("exponential_moving_average", {"values": X, "beta": -0.1}, ValueError, "beta"),
    ("exponential_moving_average", {"values": X, "beta": "half"}, TypeError, "beta"),
    ("average_weights", {"beta": 1.0, "steps": 3}, ValueError, "beta"),
    ("average_weights", {"beta": 0.5, "steps": -1}, ValueError, "steps"),
    ("effective_window", {"beta": 1.0}, ValueError, "beta"),
    ("mean_age", {"beta": 1.0}, ValueError, "beta"),
    ("contraction", {"curvature": 1.0, "learning_rate": 0.1}, TypeError, "curvature"),
    ("contraction", {"curvature": X, "learning_rate": -0.1}, ValueError, "learning_rate"),
    ("contraction", {"curvature": X, "learning_rate": 0.1, "beta": -0.1}, ValueError, "beta"),
    ("best_momentum", {"smallest": 0.0, "largest": 1.0}, ValueError, "smallest"),
    ("best_momentum", {"smallest": 2.0, "largest": 1.0}, ValueError, "largest"),
    ("noise_floor", {"curvature": 0.0, "learning_rate": 0.1}, ValueError, "curvature"),
    ("noise_floor", {"curvature": 1.0, "learning_rate": -0.1}, ValueError, "learning_rate"),
    ("noise_floor", {"curvature": 1.0, "learning_rate": 0.1, "beta": 1.0}, ValueError, "beta"),
    ("Momentum", {"learning_rate": -1.0}, ValueError, "learning_rate"),
    ("Momentum", {"learning_rate": 0.1, "beta": -0.5}, ValueError, "beta"),
    ("Momentum", {"learning_rate": 0.1, "dampening": np.nan}, ValueError, "dampening"),
    ("Nesterov", {"learning_rate": np.inf}, ValueError, "learning_rate"),
    ("Nesterov", {"learning_rate": 0.1, "beta": np.array([0.5, -1.0])}, ValueError, "beta"),
]
