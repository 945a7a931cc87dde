from __future__ import annotations

import numpy as np

GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.normal(size=(2, 5, 3, 4, 6))
OFFSETS = GENERATOR.integers(-5, 6, size=(2, 5, 2))
MASK = GENERATOR.random(size=(2, 5)) < 0.5
PARTNER = np.stack([GENERATOR.permutation(5) for _ in range(2)])
SHARE = GENERATOR.random(size=(2, 5))
NOISE = GENERATOR.normal(size=IMAGES.shape)
CENTERS = GENERATOR.integers(0, 4, size=(2, 5, 2))


def of(*arrays, **keywords):
    def case(backend, array):
        return tuple(array(value) if isinstance(value, np.ndarray) else value for value in arrays), keywords

    return case


CASES = {
    "bias_variance_decomposition": [
        of(NOISE[:, :, 0, 0], NOISE[0, 0, 0, 0]),
        of(NOISE[0, :, 0], NOISE[1, 0, 0]),
        of(NOISE[0, :, 0, 0, 0], np.array(0.5)),
    ],
    "waits_since_best": [
        of(NOISE[:, :, 0, 0, 0]),
        of(NOISE[0, :, 0, 0].astype(np.float32), 0.3, largest_is_best=True, baseline=0.5),
        of(np.array([np.nan, 2.99, 2.81, 2.64, 2.6, 2.6]), 0.3, baseline=3.0),
        of(np.array([np.inf, np.nan, -np.inf, 1.0])),
        of(NOISE[:, :0, 0, 0, 0]),
    ],
    "shift": [
        of(IMAGES, OFFSETS),
        of(IMAGES[0], OFFSETS, fill=-1.5),
        of(IMAGES.astype(np.float32), OFFSETS),
        of(IMAGES[:, :0], OFFSETS[:, :0]),
    ],
    "cutout": [
        of(IMAGES, CENTERS, 3),
        of(IMAGES[0], CENTERS, 2, fill=-1.5),
        of(IMAGES.astype(np.float32), CENTERS, 0),
    ],
    "smooth_labels": [of(NOISE, 0.3), of(NOISE[0, 0, 0, 0].astype(np.float32), 1)],
    "flip": [of(IMAGES, MASK), of(IMAGES[0], MASK)],
    "add_noise": [of(IMAGES, NOISE, 0.3), of(IMAGES, NOISE, np.array([0.0, 2.0])), of(IMAGES[0], NOISE, 0.3)],
    "mixup": [
        of(np.array([[1.0], [np.inf]]), np.eye(2), np.array([1, 0]), np.array([1.0, 0.0])),
        of(IMAGES, np.abs(NOISE[..., 0, 0, :]), PARTNER, SHARE),
        of(IMAGES[0].astype(np.float32), NOISE[0, :, 0, 0], PARTNER[0], SHARE[0]),
    ],
}
