"""Cases for the losses: run axes, shared labels, ties, far logits, one row, one class, gradients one a run."""

from __future__ import annotations

import numpy as np

RNG = np.random.default_rng(0)
ROWS = RNG.standard_normal((7, 5))
RUNS = RNG.standard_normal((2, 3, 7, 5))
FAR = np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [800.0, 799.0, -800.0]])
TIES = np.array([[1.0, 1.0, 0.0], [0.0, 2.0, 2.0], [3.0, 3.0, 3.0]])
WIDE = RNG.standard_normal((4, 40))
ONE_CLASS = np.array([[3.0], [-2.0]])

# Logits with labels that fit them: of each run, shared, of small integers.
LABELED = (
    (ROWS, RNG.integers(0, 5, 7)),
    (ROWS[:1], np.array([4])),
    (RUNS, RNG.integers(0, 5, (2, 3, 7))),
    (RUNS, RNG.integers(0, 5, 7)),
    (RUNS, RNG.integers(0, 5, (3, 7)).astype(np.int8)),
    (FAR, np.array([0, 1, 2])),
    (TIES, np.array([1, 2, 2], dtype=np.int32)),
    (WIDE, np.array([0, 39, 7, 7])),
)
ANY_CLASSES = (*LABELED, (ONE_CLASS, np.array([0, 0])))
SINGLE = 1e-6


def labeled(pairs, *extra):
    return [lambda backend, array, z=z, y=y: ((array(z), array(y), *extra), {}) for z, y in pairs] + [
        (lambda backend, array: ((array(RUNS.astype("f4")), array(RNG_LABELS), *extra), {}), SINGLE)
    ]


RNG_LABELS = RNG.integers(0, 5, (2, 3, 7))


def labeled_backward(pairs, *extra):
    cases = [lambda backend, array, z=z, y=y: ((1.0, array(z), array(y), *extra), {}) for z, y in pairs]
    grad_output = np.array([[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]])
    cases.append(lambda backend, array: ((array(grad_output), array(RUNS), array(RNG_LABELS), *extra), {}))
    cases.append(
        (lambda backend, array: ((2.0, array(RUNS.astype("f4")), array(RNG_LABELS), *extra), {}), SINGLE),
    )
    return cases


def of_logits(*arrays):
    return [lambda backend, array, z=z: ((array(z),), {}) for z in arrays] + [
        (lambda backend, array: ((array(RUNS.astype("f4")),), {}), SINGLE)
    ]


def of_logits_backward(*arrays, like):
    return [
        lambda backend, array, z=z: ((array(np.cos(np.arange(like(z).size)).reshape(like(z).shape)), array(z)), {})
        for z in arrays
    ]


SCORES = (ROWS, RUNS, FAR, TIES, WIDE, ONE_CLASS, ROWS[0], np.zeros((0, 4)))
TARGETS = RNG.random((2, 3, 7))
BINARY = (
    (RUNS[..., 0], TARGETS),
    (RUNS[..., 0], TARGETS[0, 0]),
    (np.array([1e4, -1e4, 0.0]), np.array([1.0, 0.0, 0.5])),
    (np.array([-800.0]), np.array([1.0])),
)
OUTPUTS = ((RUNS, -RUNS), (RUNS, ROWS), (ROWS, ROWS), (ROWS[:1], ROWS[1:2]))

CASES = {
    "softmax": of_logits(*SCORES),
    "log_softmax": of_logits(*SCORES),
    "log_sum_exp": of_logits(*SCORES),
    "softmax_backward": of_logits_backward(*SCORES, like=lambda z: z),
    "log_softmax_backward": of_logits_backward(*SCORES, like=lambda z: z),
    "log_sum_exp_backward": of_logits_backward(*SCORES, like=lambda z: z[..., :1].sum(-1, keepdims=False)),
    "cross_entropy": labeled(ANY_CLASSES),
    "cross_entropy_backward": labeled_backward(ANY_CLASSES),
    "cross_entropy_with_gradient": labeled(ANY_CLASSES),
    "zero_one_loss": labeled(ANY_CLASSES),
    "margins": labeled(LABELED),
    "hinge": labeled(LABELED) + labeled(LABELED[:3], 0.1),
    "hinge_backward": labeled_backward(LABELED) + labeled_backward(LABELED[:3], 0.1),
    "binary_cross_entropy_with_logits": [
        *(lambda backend, array, z=z, t=t: ((array(z), array(t)), {}) for z, t in BINARY),
        (lambda backend, array: ((array(RUNS[..., 0].astype("f4")), array(TARGETS.astype("f4"))), {}), SINGLE),
        (lambda backend, array: ((array(RUNS[..., 0].astype("f4")), array(TARGETS)), {}), SINGLE),
    ],
    "binary_cross_entropy_with_logits_backward": [
        *(lambda backend, array, z=z, t=t: ((1.0, array(z), array(t)), {}) for z, t in BINARY),
        lambda backend, array: ((array(np.arange(6.0).reshape(2, 3)), array(RUNS[..., 0]), array(TARGETS)), {}),
        (lambda backend, array: ((1.0, array(RUNS[..., 0].astype("f4")), array(TARGETS)), {}), SINGLE),
    ],
    "squared_error": [
        *(lambda backend, array, o=o, t=t: ((array(o), array(t)), {}) for o, t in OUTPUTS),
        (lambda backend, array: ((array(RUNS.astype("f4")), array(ROWS)), {}), SINGLE),
    ],
    "squared_error_backward": [
        *(lambda backend, array, o=o, t=t: ((1.0, array(o), array(t)), {}) for o, t in OUTPUTS),
        lambda backend, array: ((array(np.arange(6.0).reshape(2, 3)), array(RUNS), array(ROWS)), {}),
        (lambda backend, array: ((0.5, array(RUNS.astype("f4")), array(ROWS)), {}), SINGLE),
    ],
}
