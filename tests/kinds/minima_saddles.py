from __future__ import annotations

import numpy as np

from tests.kinds import Kinds

RNG = np.random.default_rng(0)
G, A = RNG.standard_normal(4), RNG.standard_normal((4, 4))
MATRIX = A + A.T
POINT, TARGET = RNG.standard_normal(14), RNG.standard_normal((3, 4))
D, W = RNG.standard_normal((5, 4)), RNG.standard_normal((5, 4))
PLANE, LINE = RNG.standard_normal((5, 2)), RNG.standard_normal(5)
POLYNOMIAL = "a polynomial of several degrees"
ELEMENTS = "elementary formulas, in the precision of their numbers"
OTHERS = "evaluates the functions of its caller"


def polynomial(call, *arrays, **answers):
    return Kinds(call, arrays, POLYNOMIAL, **({"half": ELEMENTS, "infinities": "products of 0 and infinity"} | answers))


CASES = {
    "saddle_free_newton_step": Kinds(
        lambda module, g, m: module.saddle_free_newton_step(g, m),
        (G, MATRIX),
        [((1, 0), 1), ((0, 1), -1)],
        rows="one matrix alone",
        infinities="an infinite gradient times 0 is nan in one order and not in another",
    ),
    "inertia": "gives counts, which are integers",
    "filter_normalize": Kinds(
        lambda module, d, w: module.filter_normalize({"w": d}, {"w": w}),
        (D, W),
        [((1, 0), 0), ((0, 1), 1)],
        rows=(0, 1),
        half="two roundings, of the length and of the result",
    ),
    "gaussian_orthogonal": Kinds(
        lambda module, a: module.gaussian_orthogonal(a),
        (A,),
        [((1,), 1)],
        rows="one matrix alone",
        half=ELEMENTS,
        longdouble="the root of one half is a float64",
    ),
    "linear_network_loss": polynomial(
        lambda module, p, t: module.linear_network_loss(p, t), POINT, TARGET, rows="one point alone"
    ),
    "linear_network_gradient": polynomial(
        lambda module, p, t: module.linear_network_gradient(p, t), POINT, TARGET, rows="one point alone"
    ),
    "linear_network_hessian": polynomial(
        lambda module, p, t: module.linear_network_hessian(p, t), POINT, TARGET, rows="one point alone"
    ),
    "linear_network_critical_point": "one singular value decomposition of the library",
    "quartic_saddle": polynomial(lambda module, p: module.quartic_saddle(p), PLANE, rows=(0,)),
    "quartic_saddle_gradient": polynomial(lambda module, p: module.quartic_saddle_gradient(p), PLANE, rows=(0,)),
    "quartic_saddle_hessian": polynomial(
        lambda module, p: module.quartic_saddle_hessian(p), PLANE, rows=(0,), longdouble="small integers have no digits"
    ),
    "double_well": polynomial(lambda module, x: module.double_well(x), LINE, rows=(0,)),
    "double_well_gradient": polynomial(lambda module, x: module.double_well_gradient(x), LINE, rows=(0,)),
    "positive_definite": "gives booleans, which have no digits",
    "permute_units": "moves numbers and computes none",
    "interpolate": OTHERS,
    "loss_surface": OTHERS,
    "find_critical_points": OTHERS,
    "follow": OTHERS,
    "sharpness_aware_gradient": OTHERS,
    "escape_steps": OTHERS,
}
