from __future__ import annotations

import numpy as np

EYE = np.eye(3)
HALF = np.eye(3, dtype=np.float16)
START = np.ones(3)
NET = {
    "parameters": {"0.weight": np.ones((3, 2)), "0.bias": np.ones(3)},
    "inputs": np.ones((4, 2)),
    "targets": np.zeros(4, int),
}


def double(vector):
    return 2 * vector


SEARCH = {"product": double, "start": START}
QUADRATIC = {"eigenvalues": START, "start": START, "learning_rate": 0.1, "steps": 3}

CASES = [
    ("flatten", {"parameters": {}}, ValueError, "parameters"),
    ("flatten", {"parameters": {"w": np.ones(3, int)}}, TypeError, "parameters"),
    ("flatten", {"parameters": {"w": START}, "run_axes": 2}, ValueError, "parameters"),
    ("flatten", {"parameters": {"w": START}, "run_axes": -1}, ValueError, "run_axes"),
    ("unflatten", {"vector": np.ones(4), "parameters": {"w": START}}, ValueError, "vector"),
    ("unflatten", {"vector": np.ones(3, int), "parameters": {"w": START}}, TypeError, "vector"),
    ("hessian_vector_product", {**NET, "activation": "step"}, ValueError, "activation"),
    ("hessian_vector_product", {**NET, "loss": "hinge"}, ValueError, "loss"),
    ("hessian_vector_product", {**NET, "targets": np.full(4, 3)}, ValueError, "labels"),
    ("hessian_vector_product", {**NET, "parameters": {"bias": START}}, ValueError, "parameters"),
    ("gauss_newton_vector_product", {**NET, "activation": "step"}, ValueError, "activation"),
    ("gauss_newton_vector_product", {**NET, "loss": "hinge"}, ValueError, "loss"),
    ("gauss_newton_vector_product", {**NET, "parameters": {"bias": START}}, ValueError, "parameters"),
    ("dense_hessian", {"product": double, "size": 0}, ValueError, "size"),
    ("dense_hessian", {"product": double, "size": 2.0}, TypeError, "size"),
    ("condition_number", {"hessian": np.ones((2, 3))}, ValueError, "hessian"),
    ("condition_number", {"hessian": np.array([[1.0, 2.0], [0.0, 1.0]])}, ValueError, "hessian"),
    ("condition_number", {"hessian": np.full((2, 2), np.nan)}, ValueError, "hessian"),
    ("condition_number", {"hessian": np.eye(2, dtype=int)}, TypeError, "hessian"),
    ("lanczos", {**SEARCH, "steps": 4}, ValueError, "steps"),
    ("lanczos", {**SEARCH, "steps": 0}, ValueError, "steps"),
    ("lanczos", {**SEARCH, "steps": 2, "orthogonalize": 1}, TypeError, "orthogonalize"),
    ("lanczos", {**SEARCH, "start": 0 * START, "steps": 2}, ValueError, "start"),
    ("lanczos", {**SEARCH, "start": np.ones((2, 0)), "steps": 2}, ValueError, "start"),
    ("lanczos", {**SEARCH, "start": np.ones(3, int), "steps": 2}, TypeError, "start"),
    ("lanczos", {**SEARCH, "start": np.ones(3, np.float16), "steps": 2}, TypeError, "start"),
    ("top_eigenvalues", {**SEARCH, "start": np.ones(3, np.float16), "count": 1}, TypeError, "start"),
    ("stochastic_lanczos_quadrature", {"product": double, "starts": HALF, "steps": 2}, TypeError, "start"),
    ("spectral_density", {"product": double, "starts": HALF}, TypeError, "starts"),
    ("conjugate_gradient", {"product": double, "right_side": HALF[0]}, TypeError, "right_side"),
    ("condition_number", {"hessian": HALF}, TypeError, "hessian"),
    ("newton_step", {"gradient": HALF[0], "hessian": HALF}, TypeError, "hessian"),
    ("top_eigenvalues", {**SEARCH, "start": np.array([START, 0 * START])}, ValueError, "start"),
    ("top_eigenvalues", {**SEARCH, "count": 4}, ValueError, "count"),
    ("top_eigenvalues", {**SEARCH, "count": 1, "which": "middle"}, ValueError, "which"),
    ("top_eigenvalues", {**SEARCH, "count": 1, "tolerance": 0.0}, ValueError, "tolerance"),
    ("top_eigenvalues", {**SEARCH, "count": 1, "steps": 0}, ValueError, "steps"),
    ("stochastic_lanczos_quadrature", {"product": double, "starts": EYE, "steps": 4}, ValueError, "steps"),
    ("stochastic_lanczos_quadrature", {"product": double, "starts": EYE * 0, "steps": 2}, ValueError, "start"),
    ("rademacher", {"shape": (-1,), "generator": np.random.default_rng(0)}, ValueError, "shape"),
    ("rademacher", {"shape": (3,), "generator": np.random.default_rng(0), "runs": (-1,)}, ValueError, "runs"),
    ("spectral_density", {"product": double, "starts": START}, ValueError, "starts"),
    ("spectral_density", {"product": double, "starts": EYE, "steps": 0}, ValueError, "steps"),
    ("spectral_density", {"product": double, "starts": EYE, "points": 1}, ValueError, "points"),
    ("spectral_density", {"product": double, "starts": EYE, "width": 0.0}, ValueError, "width"),
    ("newton_step", {"gradient": np.ones(2), "hessian": EYE}, ValueError, "gradient"),
    ("newton_step", {"gradient": START, "hessian": np.ones((3, 2))}, ValueError, "hessian"),
    ("newton_step", {"gradient": START, "hessian": 0 * EYE}, ValueError, "hessian"),
    ("newton_step", {"gradient": START, "hessian": EYE, "damping": -1.0}, ValueError, "damping"),
    ("conjugate_gradient", {"product": double, "right_side": np.ones(3, int)}, TypeError, "right_side"),
    ("conjugate_gradient", {"product": double, "right_side": START, "tolerance": 0.0}, ValueError, "tolerance"),
    ("conjugate_gradient", {"product": double, "right_side": START, "steps": 0}, ValueError, "steps"),
    ("conjugate_gradient", {"product": lambda v: -v, "right_side": START}, ValueError, "product"),
    ("regular", {"eigenvalues": np.array([1.0, 1e-17]), "damping": 0.0}, ValueError, "hessian"),
    ("regular", {"eigenvalues": np.ones(2, int), "damping": 0.0}, TypeError, "eigenvalues"),
    ("newton_step", {"gradient": START, "hessian": np.outer([0.1, 0.7, 0.3], [0.1, 0.7, 0.3])}, ValueError, "hessian"),
    ("conjugate_gradient", {"product": double, "right_side": np.ones(0)}, ValueError, "right_side"),
    ("steps_to_tolerance", {"rate": -0.1, "tolerance": 0.1}, ValueError, "rate"),
    ("steps_to_tolerance", {"rate": 0.5, "tolerance": 1.0}, ValueError, "tolerance"),
    ("descend_quadratic", {**QUADRATIC, "start": np.ones(2)}, ValueError, "eigenvalues"),
    ("descend_quadratic", {**QUADRATIC, "learning_rate": -0.1}, ValueError, "learning_rate"),
    ("descend_quadratic", {**QUADRATIC, "steps": -1}, ValueError, "steps"),
    ("descend_quadratic", {**QUADRATIC, "momentum": 1.0}, ValueError, "momentum"),
    ("descend_quadratic", {**QUADRATIC, "start": np.ones(3, int)}, TypeError, "start"),
]
