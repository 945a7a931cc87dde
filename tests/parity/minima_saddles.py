from __future__ import annotations

import numpy as np

GENERATOR = np.random.default_rng(0)
NOISE = GENERATOR.normal(size=(3, 4, 4))
HESSIANS = NOISE + NOISE.mT
GRADIENTS = GENERATOR.normal(size=(3, 4))
SHAPES = {"0.weight": (5, 4), "0.bias": (5,), "2.weight": (3, 5), "2.bias": (3,)}
PARAMETERS, FIRST, SECOND = ({name: GENERATOR.normal(size=shape) for name, shape in SHAPES.items()} for _ in range(3))
INPUTS = GENERATOR.normal(size=(7, 4))


def arrays(array, tensors):
    return {name: array(value) for name, value in tensors.items()}


def loss_of(array):
    inputs = array(INPUTS)

    def loss(p):
        hidden = inputs @ p["0.weight"].mT + p["0.bias"][..., None, :]
        outputs = (hidden * hidden) @ p["2.weight"].mT + p["2.bias"][..., None, :]
        return (outputs * outputs).sum((-1, -2))

    return loss


def doubled(parameters):
    return {name: 2 * value for name, value in parameters.items()}


def line(**settings):
    def case(backend, array):
        ends = (arrays(array, PARAMETERS), arrays(array, FIRST))
        return (loss_of(array), *ends, array(np.linspace(0, 1, 5))), settings

    return case


def surface(backend, array):
    steps = (array(np.linspace(-1, 1, 4)), array(np.linspace(0, 1, 3)))
    return (loss_of(array), *(arrays(array, group) for group in (PARAMETERS, FIRST, SECOND)), *steps), {"chunk": 5}


CASES = {
    "saddle_free_newton_step": [
        lambda backend, array: ((array(GRADIENTS), array(HESSIANS)), {}),
        lambda backend, array: ((array(GRADIENTS[0]), array(0 * HESSIANS[0])), {"damping": 0.5}),
    ],
    "inertia": [
        lambda backend, array: ((array(HESSIANS),), {}),
        lambda backend, array: ((array(np.diag([1.0, 0.01, -3.0])),), {"tolerance": 0.1}),
    ],
    "interpolate": [line(), line(chunk=2)],
    "loss_surface": [surface],
    "sharpness_aware_gradient": [
        lambda backend, array: ((doubled, arrays(array, PARAMETERS)), {"radius": 0.3}),
        lambda backend, array: (
            (doubled, arrays(array, {"w": NOISE})),
            {"radius": array(np.array([0.0, 0.1, 2.0])), "run_axes": 1},
        ),
    ],
    "filter_normalize": [
        lambda backend, array: ((arrays(array, FIRST), arrays(array, PARAMETERS)), {}),
        lambda backend, array: (({"w": array(0 * NOISE)}, {"w": array(NOISE)}), {}),
    ],
    "permute_units": [
        lambda backend, array: ((arrays(array, PARAMETERS), "0", array(np.array([4, 2, 0, 1, 3]))), {}),
    ],
    "gaussian_orthogonal": [lambda backend, array: ((array(NOISE),), {})],
    "positive_definite": [
        lambda backend, array, shift=shift: ((array(HESSIANS + shift * np.eye(4)),), {}) for shift in (0, 2, 10)
    ],
}
