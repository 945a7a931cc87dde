from __future__ import annotations

import numpy as np

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(3, 4))
Y = GENERATOR.normal(size=(3, 4))
DIRECTIONS = GENERATOR.normal(size=(5, 3, 4))


def waves(points):
    """One value a run, with operators alone, so that it takes both backends' arrays."""
    return (points * points * points - 2 * points).sum((-1, -2))


def gradient(**settings):
    # The backends sum in another order, and a difference quotient divides that rounding by the step.
    return lambda backend, array: ((waves, array(X)), settings), 1e-6


def checked(directions):
    def case(backend, array):
        parameters = {"w": array(X), "b": array(Y)}
        settings = {"directions": {"w": array(DIRECTIONS), "b": array(DIRECTIONS)}} if directions else {}

        def loss(p):
            return (p["w"] * p["w"] + p["b"] * p["w"]).sum((-1, -2))

        return (loss, parameters, {"w": array(2.2 * X + Y), "b": array(1.1 * X)}), settings

    return case, 1e-6


CASES = {
    "numerical_gradient": [
        gradient(),
        gradient(method="forward", step=1e-4, chunk=5),
        gradient(method="complex"),
        gradient(batched=False),
    ],
    "directional_derivatives": [(lambda backend, array: ((waves, array(X), array(DIRECTIONS)), {}), 1e-6)],
    "relative_error": [
        lambda backend, array, axes=axes: ((array(X), array(Y)), {"run_axes": axes}) for axes in (0, 1, 2)
    ],
    "check_gradients": [checked(False), checked(True)],
}
