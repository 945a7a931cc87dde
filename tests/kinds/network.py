from __future__ import annotations

import numpy as np

from tests.kinds import Kinds

RNG = np.random.default_rng(0)
INPUTS, WEIGHT, BIAS = RNG.standard_normal((6, 5)), RNG.standard_normal((4, 5)), RNG.standard_normal(4)
GRADIENT = RNG.standard_normal((6, 4))
IMAGES, KERNEL, SHIFT = RNG.standard_normal((3, 2, 5, 5)), RNG.standard_normal((4, 2, 3, 3)), RNG.standard_normal(4)
GRAD_IMAGES = RNG.standard_normal((3, 4, 3, 3))
SUMS = "sums over the batch"
PARTS = "made of layers that stand here"
# Products are the library's: they accumulate 16 bits as the library does, and the order of a sum is that of its blocks.
LIBRARY = "a product of the library, in the precision of its operands"

CASES = {
    "dense": Kinds(
        lambda module, x, w, b: module.dense(x, w, b),
        (INPUTS, WEIGHT, BIAS),
        [((1, 0, 1), 1), ((0, 1, 1), 1)],
        rows="a row alone is another shape of product, equal to rounding only",
        half=LIBRARY,
        longdouble=LIBRARY,
    ),
    "dense_backward": Kinds(
        lambda module, g, x, w: module.dense_backward(g, x, w),
        (GRADIENT, INPUTS, WEIGHT),
        [((1, 0, 0), 1), ((0, 1, 0), (0, 1, 0)), ((0, 0, 1), (1, 0, 0))],
        rows=SUMS,
        half=LIBRARY,
        longdouble=LIBRARY,
    ),
    "conv2d": Kinds(
        lambda module, x, w, b: module.conv2d(x, w, b),
        (IMAGES, KERNEL, SHIFT),
        [((1, 0, 1), 1), ((0, 1, 1), 1)],
        rows="a row alone is another shape of product, equal to rounding only",
        half=LIBRARY,
        longdouble=LIBRARY,
        infinities="a patch times a weight of 0 is nan where the other backend's route multiplies other zeros",
    ),
    "conv2d_backward": Kinds(
        lambda module, g, x, w: module.conv2d_backward(g, x, w),
        (GRAD_IMAGES, IMAGES, KERNEL),
        [((1, 0, 0), 1), ((0, 1, 0), (0, 1, 0)), ((0, 0, 1), (1, 0, 0))],
        rows=SUMS,
        half=LIBRARY,
        longdouble=LIBRARY,
        infinities="a patch times a weight of 0 is nan where the other backend's route multiplies other zeros",
    ),
    "forward": PARTS,
    "backward": PARTS,
    "loss_and_gradient": PARTS,
    "initialize": "draws from a generator, see test_network",
    "layer_names": "takes names and no numbers",
}
