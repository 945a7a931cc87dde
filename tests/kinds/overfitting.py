from __future__ import annotations

import numpy as np

from tests.kinds import Kinds

RNG = np.random.default_rng(0)
X = RNG.standard_normal((6, 3))
Y = RNG.standard_normal((6, 2))
POINTS = RNG.uniform(-1, 1, 6)
WEIGHT, BIAS = RNG.standard_normal((4, 3)), RNG.standard_normal(4)
CURVATURE, ONE = RNG.random(5), np.array(0.5)
IMAGES, OFFSETS, MASK = RNG.standard_normal((5, 2, 3, 3)), RNG.integers(-2, 3, (5, 2)), RNG.random(5) < 0.5
PARTNER, SHARE = np.array([3, 0, 1, 5, 2, 4]), RNG.random(6)
DRAWS = "draws at random and takes numbers alone"

CASES = {
    "polynomial_features": Kinds(
        lambda module, x: module.polynomial_features(x, 4), (POINTS,), scale="a polynomial has no scale", rows=(0,)
    ),
    "random_features": Kinds(
        lambda module, x, weight, bias: module.random_features(x, weight, bias),
        (X, WEIGHT, BIAS),
        scale=[((1, 0, 1), 1), ((0, 1, 1), 1)],
        rows=(0,),
        nan="a ReLU ends the way of what lies below 0",
    ),
    "ridge": Kinds(
        lambda module, x, y: module.ridge(x, y), (X, Y), scale=[((1, 0), -1), ((0, 1), 1)], rows="a fit to all rows"
    ),
    "ridge_filter": Kinds(
        lambda module, e, strength: module.ridge_filter(e, float(strength)), (CURVATURE, ONE), [((1, 1), 0)], rows=(0,)
    ),
    "early_stopping_filter": Kinds(
        lambda module, e, rate: module.early_stopping_filter(e, float(rate), 3),
        (CURVATURE, ONE),
        scale=[((1, -1), 0)],
        rows=(0,),
    ),
    "waits_since_best": "counts, and takes a nan for no improvement",
    "bootstrap": DRAWS,
    "learning_curve": "computes nothing but what the functions given do",
    "bias_variance_decomposition": Kinds(
        lambda module, predictions, target: module.bias_variance_decomposition(predictions, target),
        (X, Y[:3, 0]),
        scale="a difference of two squares, each of which must be a number",
        rows="a mean over the rows",
    ),
    "shift_offsets": DRAWS,
    "shift": Kinds(lambda module, x, by: module.shift(x, by), (IMAGES, OFFSETS), scale=[((1, 0), 1)], rows=(0, 1)),
    "flip_mask": DRAWS,
    "flip": Kinds(lambda module, x, mask: module.flip(x, mask), (IMAGES, MASK), scale=[((1, 0), 1)], rows=(0, 1)),
    "add_noise": Kinds(
        lambda module, x, noise: module.add_noise(x, noise, 0.3), (X, X[::-1]), scale=[((1, 1), 1)], rows=(0, 1)
    ),
    "patch_centers": DRAWS,
    "cutout": Kinds(
        lambda module, x, at: module.cutout(x, at, 2), (IMAGES, abs(OFFSETS)), scale=[((1, 0), 1)], rows=(0, 1)
    ),
    "smooth_labels": Kinds(
        lambda module, targets: module.smooth_labels(targets, 0.3),
        (SHARE.reshape(2, 3),),
        scale="a part of the target is a constant",
        rows=(0,),
    ),
    "cross_validation_folds": "deals numbers of examples, and computes nothing",
    "mixup_pairs": DRAWS,
    "mixup": Kinds(
        lambda module, x, targets, partner, share: module.mixup(x, targets, partner, share),
        (X, Y, PARTNER, SHARE),
        scale=[((1, 0, 0, 0), (1, 0)), ((0, 1, 0, 0), (0, 1))],
        rows="an example is mixed with another",
    ),
    "EarlyStopping": "a state over many steps, see test_overfitting",
}
