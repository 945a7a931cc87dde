from __future__ import annotations

import numpy as np

RUNS = (2, 3)
GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(*RUNS, 6, 5))
LABELS = GENERATOR.integers(0, 4, (*RUNS, 6))
PARAMETERS = {
    name: GENERATOR.normal(size=(*RUNS, *shape))
    for name, shape in {"0.weight": (7, 5), "0.bias": (7,), "2.weight": (4, 7), "2.bias": (4,)}.items()
}
IMAGES = GENERATOR.normal(size=(*RUNS, 2, 3, 6, 5))
KERNEL = GENERATOR.normal(size=(*RUNS, 4, 3, 3, 2))
SHIFT = GENERATOR.normal(size=(*RUNS, 4))


def parameters(array, run=...):
    return {name: array(value[run]) for name, value in PARAMETERS.items()}


def through(backend, array, activation, run=...):
    own = parameters(array, run)
    _, cache = backend.forward(own, array(X[run]), activation)
    return array(waves(*RUNS, 6, 4)[run]), own, cache, activation


def loss(logits, targets):
    return (logits * logits).sum((-1, -2)), 2 * logits


def waves(*shape):
    return np.cos(np.arange(float(np.prod(shape)))).reshape(shape)


CASES = {
    "dense": [
        lambda backend, array: ((array(X), array(PARAMETERS["0.weight"]), array(PARAMETERS["0.bias"])), {}),
        lambda backend, array: ((array(X[0, 0]), array(PARAMETERS["0.weight"]), array(PARAMETERS["0.bias"])), {}),
    ],
    "dense_backward": [
        lambda backend, array: ((array(LABELS[..., None] + np.ones(7)), array(X), array(PARAMETERS["0.weight"])), {}),
        lambda backend, array: (
            (array(np.ones((6, 7))), array(X[0, 0]), array(PARAMETERS["0.weight"][0, 0]), False),
            {},
        ),
    ],
    "conv2d": [
        lambda backend, array: ((array(IMAGES), array(KERNEL), array(SHIFT)), {}),
        lambda backend, array: ((array(IMAGES), array(KERNEL), array(SHIFT), 2, 1), {}),
        lambda backend, array: ((array(IMAGES[0, 0]), array(KERNEL), array(SHIFT), 2), {}),
        lambda backend, array: ((array(IMAGES[0, 0]), array(KERNEL[0, 0]), array(SHIFT[0, 0])), {"padding": 2}),
    ],
    "conv2d_backward": [
        lambda backend, array: ((array(waves(2, 3, 2, 4, 4, 4)), array(IMAGES), array(KERNEL)), {}),
        lambda backend, array: ((array(waves(2, 3, 2, 4, 3, 3)), array(IMAGES), array(KERNEL), 2, 1), {}),
        lambda backend, array: ((array(waves(2, 3, 2, 4, 4, 4)), array(IMAGES[0, 0]), array(KERNEL)), {}),
        lambda backend, array: ((array(waves(2, 4, 4, 4)), array(IMAGES[0, 0]), array(KERNEL[0, 0])), {}),
    ],
    "layer_names": [lambda backend, array: ((parameters(array),), {})],
    "forward": [
        *(
            lambda backend, array, name=name: ((parameters(array), array(X), name), {})
            for name in ("relu", "tanh", "gelu")
        ),
        lambda backend, array: ((parameters(array, (0, 0)), array(X[0, 0])), {}),
        lambda backend, array: ((parameters(array), array(X[0, 0])), {}),
    ],
    "backward": [
        *(
            lambda backend, array, name=name: (through(backend, array, name), {})
            for name in ("relu", "tanh", "sigmoid")
        ),
        lambda backend, array: (through(backend, array, "silu", (1, 2)), {}),
    ],
    "loss_and_gradient": [
        lambda backend, array: ((parameters(array), array(X), array(LABELS), "tanh"), {}),
        lambda backend, array: ((parameters(array), array(X[0, 0]), array(LABELS[0, 0])), {}),
        lambda backend, array: ((parameters(array), array(X), array(LABELS)), {"loss": loss}),
    ],
}
