from __future__ import annotations

import numpy as np

from tests.kinds import Kinds

RNG = np.random.default_rng(0)
A = RNG.standard_normal((4, 4))
MATRIX = A @ A.T + np.eye(4)
START, STARTS = RNG.standard_normal(4), RNG.standard_normal((2, 4))
PRODUCT = "works on the products of its caller, in their precision"
WHOLE = "one vector alone"


def times(matrix):
    return lambda vector: vector @ matrix


def searched(call, scale, **others):
    """A method that works on products: by its start and the matrix behind the product."""
    return Kinds(
        call,
        (MATRIX, START),
        scale,
        rows=WHOLE,
        nan="a nan in a product ends as nan or as an error of the library",
        infinities="an infinite product ends as nan or as an error of the library",
        layout=PRODUCT,
        mixed=PRODUCT,
    )


CASES = {
    "top_eigenvalues": searched(
        lambda module, m, v: module.top_eigenvalues(times(m), v, count=4).values, [((1, 0), 1), ((0, 1), 0)]
    ),
    "lanczos": searched(lambda module, m, v: module.lanczos(times(m), v, 3)[:2], [((1, 0), 1), ((0, 1), 0)]),
    "stochastic_lanczos_quadrature": searched(
        lambda module, m, v: module.stochastic_lanczos_quadrature(times(m), v[None], 4),
        [((1, 0), (1, 0)), ((0, 1), 0)],
    ),
    "spectral_density": searched(
        lambda module, m, v: module.spectral_density(times(m), v[None], steps=4).nodes, [((1, 0), 1), ((0, 1), 0)]
    ),
    "conjugate_gradient": searched(
        lambda module, m, v: module.conjugate_gradient(times(m), v), [((1, 0), (-1, 0)), ((0, 1), 1)]
    ),
    "condition_number": Kinds(
        lambda module, m: module.condition_number(m),
        (MATRIX,),
        [((1,), 0)],
        rows="one matrix alone",
        nan="a matrix with a nan is refused",
        layout="eigenvalues are exact up to rounding",
    ),
    "newton_step": Kinds(
        lambda module, g, m: module.newton_step(g, m),
        (START, MATRIX),
        [((1, 0), 1), ((0, 1), -1)],
        rows="one matrix alone",
        infinities="an infinite gradient times 0 is nan in one order and not in another",
    ),
    "regular": Kinds(
        lambda module, v: module.regular(v, 0.0),
        (START,),
        [((1,), 1)],
        rows=WHOLE,
        infinities="an infinite eigenvalue makes all others zero beside it",
    ),
    "descend_quadratic": Kinds(
        lambda module, v, x: module.descend_quadratic(v, x, 0.1, 3),
        (START, STARTS[0]),
        [((0, 1), 1)],
        rows=WHOLE,
        half="a path of float16 is rounded in every step",
        infinities="an infinite step ends in nan at different places",
    ),
    "flatten": "moves numbers and computes none",
    "unflatten": "moves numbers and computes none",
    "hessian_vector_product": "its parts are tested in objective and activations",
    "gauss_newton_vector_product": "its parts are tested in objective and activations",
    "dense_hessian": "writes out the products of its caller",
    "rademacher": "draws signs from a generator",
}
