from __future__ import annotations

import numpy as np

RNG = np.random.default_rng(0)

CASES = [
    ("batches_per_epoch", {"examples": 0, "batch_size": 1}, ValueError, "examples"),
    ("batches_per_epoch", {"examples": 3, "batch_size": 0}, ValueError, "batch_size"),
    ("batches_per_epoch", {"examples": 3, "batch_size": 1.5}, TypeError, "batch_size"),
    ("split_into_batches", {"order": np.ones(3), "batch_size": 1}, TypeError, "order"),
    ("split_into_batches", {"order": np.array(3), "batch_size": 1}, ValueError, "order"),
    ("split_into_batches", {"order": np.arange(3), "batch_size": 0}, ValueError, "batch_size"),
    ("shuffled_order", {"examples": 0, "generator": RNG}, ValueError, "examples"),
    ("shuffled_order", {"examples": 3, "generator": RNG, "runs": (-1,)}, ValueError, "runs"),
    ("epoch", {"examples": 0, "batch_size": 2, "generator": RNG}, ValueError, "examples"),
    ("epoch", {"examples": 3, "batch_size": -2, "generator": RNG}, ValueError, "batch_size"),
    ("SGD", {"learning_rate": -0.1}, ValueError, "learning_rate"),
    ("SGD", {"learning_rate": np.array([0.1, np.nan])}, ValueError, "learning_rate"),
]
