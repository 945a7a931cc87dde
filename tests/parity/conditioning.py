from __future__ import annotations

import numpy as np

GENERATOR = np.random.default_rng(0)
SIZES = (4, 5, 3)
SHAPES = {"0.weight": (5, 4), "0.bias": (5,), "2.weight": (3, 5), "2.bias": (3,)}
PARAMETERS = {name: GENERATOR.normal(size=shape) for name, shape in SHAPES.items()}
RUNS = {name: GENERATOR.normal(size=(2, *shape)) for name, shape in SHAPES.items()}
SIZE = sum(value.size for value in PARAMETERS.values())
INPUTS = GENERATOR.normal(size=(7, 4))
LABELS = GENERATOR.integers(0, 3, 7)
OUTPUTS = GENERATOR.normal(size=(7, 3))
VECTORS = GENERATOR.normal(size=(3, SIZE))
MATRIX = GENERATOR.normal(size=(20, 20))
MATRIX = MATRIX + MATRIX.T
POSITIVE = MATRIX @ MATRIX / 20 + np.eye(20)
STARTS = GENERATOR.normal(size=(2, 20))


def arrays(array, tensors):
    return {name: array(value) for name, value in tensors.items()}


def multiply(array, matrix):
    converted = array(matrix)
    return lambda vector: vector @ converted.mT


def hessian(activation, loss="cross_entropy", parameters=PARAMETERS, vectors=VECTORS):
    def case(backend, array):
        targets = array(LABELS if loss == "cross_entropy" else OUTPUTS)
        return (arrays(array, parameters), array(INPUTS), targets, activation, loss), {}, use

    def use(product, array):
        return product(array(vectors))

    return case


def searched(which):
    def case(backend, array):
        settings = {"count": 3, "which": which, "tolerance": 1e-12}
        return (multiply(array, MATRIX), array(STARTS)), settings, lambda found, array: (found.values, found.vectors)

    # Vectors are as exact as the square root of what their values are.
    return case, 1e-6


def lanczos(**settings):
    return lambda backend, array: ((multiply(array, MATRIX), array(STARTS), 8), settings)


def dense(backend, array):
    settings = {} if isinstance(array(MATRIX), np.ndarray) else {"device": array(MATRIX).device}
    return (multiply(array, MATRIX), 20), settings


CASES = {
    "flatten": [
        lambda backend, array: ((arrays(array, PARAMETERS),), {}),
        lambda backend, array: ((arrays(array, RUNS),), {"run_axes": 1}),
    ],
    "unflatten": [
        lambda backend, array: ((array(VECTORS), arrays(array, PARAMETERS)), {}),
        lambda backend, array: ((array(VECTORS), arrays(array, RUNS)), {"run_axes": 1}),
    ],
    "hessian_vector_product": [
        *(hessian(activation) for activation in ("relu", "tanh", "sigmoid", "gelu", "silu", "softplus", "elu", "selu")),
        *(hessian(activation, "squared_error") for activation in ("identity", "leaky_relu", "tanh")),
        hessian("tanh", parameters=RUNS, vectors=VECTORS[:2]),
    ],
    "gauss_newton_vector_product": [
        *(hessian(activation) for activation in ("relu", "tanh")),
        hessian("tanh", "squared_error"),
        hessian("tanh", parameters=RUNS, vectors=VECTORS[:2]),
    ],
    "dense_hessian": [dense],
    "condition_number": [
        lambda backend, array, matrix=matrix: ((array(matrix),), {})
        for matrix in (POSITIVE, np.stack([POSITIVE, np.eye(20)]), np.zeros((2, 2)))
    ],
    "lanczos": [
        lanczos(),
        lanczos(orthogonalize=False),
        lambda backend, array: ((lambda v: 2 * v, array(STARTS), 4), {}),
    ],
    "top_eigenvalues": [
        *map(searched, ("magnitude", "largest", "smallest")),
        lambda backend, array: ((lambda v: 2 * v, array(STARTS)), {"count": 3}, lambda found, array: found.values),
    ],
    "stochastic_lanczos_quadrature": [
        (lambda backend, array: ((multiply(array, MATRIX), array(STARTS), 8), {}), 1e-11),
    ],
    "spectral_density": [
        (lambda backend, array, settings=settings: ((multiply(array, MATRIX), array(STARTS)), settings), 1e-10)
        for settings in ({"steps": 8}, {"steps": 5, "points": 50, "width": 0.5})
    ],
    "newton_step": [
        lambda backend, array: ((array(STARTS[0]), array(POSITIVE)), {}),
        lambda backend, array: ((array(STARTS), array(np.stack([POSITIVE, MATRIX]))), {"damping": 0.3}),
    ],
    # Rounding grows with the steps that follow it.
    "conjugate_gradient": [
        (lambda backend, array: ((multiply(array, POSITIVE), array(STARTS)), {"tolerance": 1e-3}), 1e-9),
        (lambda backend, array: ((multiply(array, POSITIVE), array(STARTS[0])), {"steps": 7}), 1e-9),
        lambda backend, array: ((multiply(array, POSITIVE), array(0 * STARTS)), {}),
    ],
    "regular": [lambda backend, array: ((array(STARTS), 0.0), {})],
}
