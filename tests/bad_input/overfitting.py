from __future__ import annotations

import numpy as np

RNG = np.random.default_rng(0)
X, Y = np.ones((6, 3)), np.ones((6, 1))
IMAGES = np.ones((4, 2, 3, 3))
OFFSETS, MASK = np.zeros((4, 2), dtype=int), np.zeros(4, dtype=bool)
PARTNER, SHARE = np.arange(4), np.full(4, 0.5)
CURVE = {
    "fit": lambda x, y: None,
    "error": lambda model, x, y: np.float64(0),
    "x": X,
    "y": Y,
    "held_out": (X, Y),
    "sizes": [2],
    "order": np.arange(6),
}


def draws(name, **arguments):
    return [
        (name, {**arguments, "generator": 0, "runs": ()}, TypeError, "generator"),
        (name, {**arguments, "generator": np.array([RNG, RNG]), "runs": (3,)}, ValueError, "generator"),
        (name, {**arguments, "generator": RNG, "runs": 3}, TypeError, "runs"),
    ]


CASES = [
    ("polynomial_features", {"x": np.arange(3), "degree": 2}, TypeError, "x"),
    ("polynomial_features", {"x": np.ones(3), "degree": -1}, ValueError, "degree"),
    ("polynomial_features", {"x": np.ones(3), "degree": 1.5}, TypeError, "degree"),
    ("random_features", {"x": X, "weight": np.ones((5, 2)), "bias": np.ones(5)}, ValueError, "x"),
    ("random_features", {"x": X, "weight": np.ones((5, 3)), "bias": np.ones(4)}, ValueError, "bias"),
    ("random_features", {"x": X, "weight": np.ones(3), "bias": np.ones(1)}, ValueError, "weight"),
    ("random_features", {"x": X.astype(int), "weight": np.ones((5, 3)), "bias": np.ones(5)}, TypeError, "x"),
    ("ridge", {"features": X, "targets": Y, "strength": -1.0}, ValueError, "strength"),
    ("ridge", {"features": X, "targets": Y, "strength": np.ones(2)}, ValueError, "strength"),
    ("ridge", {"features": X, "targets": Y[:5]}, ValueError, "targets"),
    ("ridge", {"features": X, "targets": Y[:, 0]}, ValueError, "targets"),
    ("ridge", {"features": X * np.nan, "targets": Y}, ValueError, "features"),
    ("ridge", {"features": X[:0], "targets": Y[:0]}, ValueError, "features"),
    ("ridge", {"features": X[:, :0], "targets": Y}, ValueError, "features"),
    ("ridge", {"features": X.astype(int), "targets": Y}, TypeError, "features"),
    ("ridge_filter", {"curvature": np.ones(2), "strength": 0.0}, ValueError, "strength"),
    ("ridge_filter", {"curvature": -np.ones(2), "strength": 1.0}, ValueError, "curvature"),
    ("early_stopping_filter", {"curvature": np.ones(2), "learning_rate": 2.0, "steps": 3}, ValueError, "curvature"),
    ("early_stopping_filter", {"curvature": np.ones(2), "learning_rate": 0.0, "steps": 3}, ValueError, "learning_rate"),
    ("early_stopping_filter", {"curvature": np.ones(2), "learning_rate": 0.1, "steps": -1}, ValueError, "steps"),
    ("bootstrap", {"examples": 0, "size": 3, "generator": RNG}, ValueError, "examples"),
    ("bootstrap", {"examples": 3, "size": -1, "generator": RNG}, ValueError, "size"),
    *draws("bootstrap", examples=3, size=2),
    ("learning_curve", {**CURVE, "sizes": [7]}, ValueError, "sizes"),
    ("learning_curve", {**CURVE, "sizes": [0]}, ValueError, "sizes"),
    ("learning_curve", {**CURVE, "sizes": []}, ValueError, "sizes"),
    ("learning_curve", {**CURVE, "order": np.arange(1, 7)}, ValueError, "order"),
    ("learning_curve", {**CURVE, "order": np.ones(6)}, TypeError, "order"),
    ("learning_curve", {**CURVE, "y": Y[:5]}, ValueError, "y"),
    ("bias_variance_decomposition", {"predictions": X[:1], "target": np.ones(3)}, ValueError, "predictions"),
    ("bias_variance_decomposition", {"predictions": X, "target": np.ones(4)}, ValueError, "predictions"),
    ("bias_variance_decomposition", {"predictions": X[0], "target": np.ones(3)}, ValueError, "predictions"),
    ("bias_variance_decomposition", {"predictions": X, "target": np.ones(3, dtype=int)}, TypeError, "target"),
    ("waits_since_best", {"values": np.arange(3)}, TypeError, "values"),
    ("waits_since_best", {"values": np.array(1.0)}, ValueError, "values"),
    ("waits_since_best", {"values": np.ones(3), "least_improvement": -0.1}, ValueError, "least_improvement"),
    ("waits_since_best", {"values": np.ones(3), "largest_is_best": 1}, TypeError, "largest_is_best"),
    ("waits_since_best", {"values": np.ones(3), "baseline": np.nan}, ValueError, "baseline"),
    ("EarlyStopping", {"largest_is_best": "yes"}, TypeError, "largest_is_best"),
    ("EarlyStopping", {"baseline": "low"}, TypeError, "baseline"),
    ("EarlyStopping", {"patience": 0}, ValueError, "patience"),
    ("EarlyStopping", {"least_improvement": -0.1}, ValueError, "least_improvement"),
    ("shift_offsets", {"shape": (4,), "generator": RNG, "most": -1}, ValueError, "most"),
    ("shift_offsets", {"shape": 4, "generator": RNG, "most": 1}, TypeError, "shape"),
    *draws("shift_offsets", shape=(4,), most=1),
    ("shift", {"x": IMAGES, "offsets": OFFSETS[:3]}, ValueError, "offsets"),
    ("shift", {"x": IMAGES, "offsets": OFFSETS.astype(float)}, TypeError, "offsets"),
    ("shift", {"x": IMAGES[0, 0], "offsets": OFFSETS}, ValueError, "x"),
    ("shift", {"x": IMAGES.astype(int), "offsets": OFFSETS}, TypeError, "x"),
    ("shift", {"x": IMAGES, "offsets": OFFSETS, "fill": np.nan}, ValueError, "fill"),
    ("flip_mask", {"shape": (4,), "generator": RNG, "probability": 1.5}, ValueError, "probability"),
    *draws("flip_mask", shape=(4,)),
    ("flip", {"x": IMAGES, "mask": MASK[:3]}, ValueError, "mask"),
    ("flip", {"x": IMAGES, "mask": MASK.astype(int)}, TypeError, "mask"),
    ("add_noise", {"x": X, "noise": X[:5], "deviation": 1.0}, ValueError, "noise"),
    ("add_noise", {"x": X, "noise": X, "deviation": -1.0}, ValueError, "deviation"),
    ("add_noise", {"x": X, "noise": X, "deviation": np.ones(5)}, ValueError, "deviation"),
    ("add_noise", {"x": X, "noise": X.astype(int), "deviation": 1.0}, TypeError, "noise"),
    ("mixup_pairs", {"examples": 0, "generator": RNG}, ValueError, "examples"),
    ("mixup_pairs", {"examples": 4, "generator": RNG, "concentration": 0.0}, ValueError, "concentration"),
    *draws("mixup_pairs", examples=4),
    (
        "mixup",
        {"x": np.ones((4, 3)), "targets": np.eye(4), "partner": PARTNER + 1, "share": SHARE},
        ValueError,
        "partner",
    ),
    (
        "mixup",
        {"x": np.ones((4, 3)), "targets": np.eye(4), "partner": PARTNER, "share": SHARE + 1},
        ValueError,
        "share",
    ),
    (
        "mixup",
        {"x": np.ones((4, 3)), "targets": np.eye(4), "partner": PARTNER, "share": SHARE[:3]},
        ValueError,
        "share",
    ),
    ("mixup", {"x": np.ones((3, 3)), "targets": np.eye(4), "partner": PARTNER, "share": SHARE}, ValueError, "x"),
    ("mixup", {"x": np.ones((4, 3)), "targets": np.eye(3), "partner": PARTNER, "share": SHARE}, ValueError, "targets"),
    ("mixup", {"x": np.ones((4, 3), int), "targets": np.eye(4), "partner": PARTNER, "share": SHARE}, TypeError, "x"),
]
