from __future__ import annotations

import numpy as np

RNG = np.random.default_rng(0)
ONE = [{"w": np.ones(3)}]

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
    ("stratified_order", {"labels": np.ones(3), "generator": RNG}, TypeError, "labels"),
    ("stratified_order", {"labels": np.ones((3, 2), dtype=int), "generator": RNG}, ValueError, "labels"),
    ("stratified_order", {"labels": np.ones(0, dtype=int), "generator": RNG}, ValueError, "labels"),
    ("stratified_order", {"labels": np.ones(3, dtype=int), "generator": 0}, TypeError, "generator"),
    ("batch_variance", {"batch_size": 0}, ValueError, "batch_size"),
    ("batch_variance", {"batch_size": 5, "examples": 4}, ValueError, "examples"),
    ("batch_variance", {"batch_size": 5.0}, TypeError, "batch_size"),
    ("noise_scale", {"gradients": np.ones((1, 3))}, ValueError, "gradients"),
    ("noise_scale", {"gradients": np.ones(3)}, ValueError, "gradients"),
    ("noise_scale", {"gradients": np.ones((4, 3), dtype=int)}, TypeError, "gradients"),
    ("noise_scale", {"gradients": np.ones((4, 3), dtype=np.float16)}, TypeError, "gradients"),
    ("mean_gradient", {"gradients": [], "counts": []}, ValueError, "gradients"),
    ("mean_gradient", {"gradients": ONE, "counts": [1, 2]}, ValueError, "counts"),
    ("mean_gradient", {"gradients": ONE, "counts": [0]}, ValueError, "counts"),
    ("mean_gradient", {"gradients": ONE, "counts": [1.5]}, TypeError, "counts"),
]
