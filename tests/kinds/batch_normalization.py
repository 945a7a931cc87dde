from __future__ import annotations

import numpy as np

from tests.kinds import Kinds

RNG = np.random.default_rng(2)
X = RNG.standard_normal((5, 4)) + 0.5
GRADIENT = RNG.standard_normal((5, 4))
SCALE, SHIFT, MEAN = RNG.standard_normal((3, 4))
WIDE, WIDE_GRADIENT, (WIDE_SCALE, WIDE_SHIFT, *_) = RNG.standard_normal((3, 5, 6))
VARIANCE = RNG.random(4) + 0.5
BATCH = "the rows share their mean"
SUMS = "gradients in the parameters are sums over the rows"
# y = scale n + shift: n does not change with the scale of x, and y is as large as scale and shift.
FORWARD = [((1, 0, 0), 0), ((0, 1, 1), 1)]
# The gradient in x falls as x grows; that in the scale does not change, nor that in the shift.
BACKWARD = [((1, 0, 0), 1), ((0, 1, 0), (-1, 0, 0)), ((0, 0, 1), (1, 0, 0))]


def running(module, mean, variance):
    return module.RunningStatistics(mean, variance, 3)


def batch_backward(module, g, x, scale):
    return module.batch_norm_backward(g, module.batch_norm(x, scale, scale, epsilon=0.0)[1])


def layer_backward(module, g, x, scale):
    return module.layer_norm_backward(g, module.layer_norm(x, scale, scale, epsilon=0.0)[1])


def group_backward(module, g, x, scale):
    return module.group_norm_backward(g, module.group_norm(x, 2, scale, scale, epsilon=0.0)[1])


def update(module, x, mean, variance):
    _, cache = module.batch_norm(x, mean, mean)
    return module.update_running_statistics(running(module, mean, variance), cache)[:2]


CASES = {
    "batch_norm": Kinds(
        lambda module, x, a, b: module.batch_norm(x, a, b, epsilon=0.0)[0], (X, SCALE, SHIFT), FORWARD, BATCH
    ),
    "batch_norm/statistics": Kinds(
        lambda module, x: module.batch_norm(x, x[0], x[0], epsilon=0.0)[1][3:5],
        (X,),
        [((1,), (1, 2))],
        BATCH,
        half="the statistics stay in float32",
    ),
    "batch_norm/default": Kinds(
        lambda module, x, a, b: module.batch_norm(x, a, b)[0], (X, SCALE, SHIFT), "epsilon has a size", BATCH
    ),
    "batch_norm_backward": Kinds(batch_backward, (GRADIENT, X, SCALE), BACKWARD, SUMS),
    "update_running_statistics": Kinds(update, (X, MEAN, VARIANCE), [((1, 1, 2), (1, 2))], BATCH),
    "batch_norm_inference": Kinds(
        lambda module, x, a, b, m, v: module.batch_norm_inference(x, a, b, running(module, m, v), epsilon=0.0),
        (X, SCALE, SHIFT, MEAN, VARIANCE),
        [((1, 0, 0, 1, 2), 0), ((0, 1, 1, 0, 0), 1)],
        rows=(0,),
    ),
    "batch_norm_inference_backward": Kinds(
        lambda module, g, x, a, m, v: module.batch_norm_inference_backward(g, x, a, running(module, m, v), epsilon=0.0),
        (GRADIENT, X, SCALE, MEAN, VARIANCE),
        [((1, 0, 0, 0, 0), 1), ((0, 1, 0, 1, 2), (-1, 0, 0))],
        SUMS,
    ),
    "layer_norm": Kinds(
        lambda module, x, a, b: module.layer_norm(x, a, b, epsilon=0.0)[0], (X, SCALE, SHIFT), FORWARD, rows=(0,)
    ),
    "layer_norm_backward": Kinds(layer_backward, (GRADIENT, X, SCALE), BACKWARD, SUMS),
    "group_norm": Kinds(
        lambda module, x, a, b: module.group_norm(x, 2, a, b, epsilon=0.0)[0],
        (WIDE, WIDE_SCALE, WIDE_SHIFT),
        FORWARD,
        rows=(0,),
    ),
    "group_norm_backward": Kinds(group_backward, (WIDE_GRADIENT, WIDE, WIDE_SCALE), BACKWARD, SUMS),
    "rms_norm": Kinds(
        lambda module, x, a: module.rms_norm(x, a, epsilon=0.0)[0], (X, SCALE), [((1, 0), 0), ((0, 1), 1)], rows=(0,)
    ),
    "rms_norm_backward": Kinds(
        lambda module, g, x, a: module.rms_norm_backward(g, module.rms_norm(x, a, epsilon=0.0)[1]),
        (GRADIENT, X, SCALE),
        [((1, 0, 0), 1), ((0, 1, 0), (-1, 0)), ((0, 0, 1), (1, 0))],
        SUMS,
    ),
}
