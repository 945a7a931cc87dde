from __future__ import annotations

import numpy as np

EYE = np.eye(3)
ONES = np.ones(3)
POINT = {"w": np.ones((2, 3))}
NET = {"0.weight": np.ones((2, 3)), "0.bias": np.ones(2), "2.weight": np.ones((1, 2)), "2.bias": np.ones(1)}
STEPS = np.linspace(0.0, 1.0, 4)


def squares(parameters):
    return (parameters["w"] * parameters["w"]).sum((-1, -2))


def one_number(parameters):
    return (parameters["w"] * parameters["w"]).sum()


LINE = {"loss": squares, "start": POINT, "end": POINT, "fractions": STEPS}
SURFACE = {
    "loss": squares,
    "parameters": POINT,
    "first": POINT,
    "second": POINT,
    "first_steps": STEPS,
    "second_steps": STEPS,
}
NEARBY = {"gradient": lambda p: {"w": 2 * next(iter(p.values()))}, "parameters": POINT, "radius": 0.1}
SEARCH = {"gradient": lambda p: p, "hessian": lambda p: p[..., None] * np.eye(3), "starts": ONES}
ESCAPE = {
    "gradient": lambda p: p,
    "escaped": lambda p: p[..., 0] < 0,
    "start": np.ones(1),
    "generator": np.random.default_rng(0),
    "learning_rate": 0.1,
    "noise": 1.0,
    "steps": 3,
}
LINEAR = ("linear_network_loss", "linear_network_gradient", "linear_network_hessian")

CASES = [
    ("saddle_free_newton_step", {"gradient": np.ones(2), "hessian": EYE}, ValueError, "gradient"),
    ("saddle_free_newton_step", {"gradient": ONES, "hessian": 0 * EYE}, ValueError, "hessian"),
    ("saddle_free_newton_step", {"gradient": ONES, "hessian": np.triu(np.ones((3, 3)))}, ValueError, "hessian"),
    ("saddle_free_newton_step", {"gradient": ONES, "hessian": EYE, "damping": -1.0}, ValueError, "damping"),
    ("inertia", {"hessian": np.ones((2, 3))}, ValueError, "hessian"),
    ("inertia", {"hessian": EYE, "tolerance": 1.0}, ValueError, "tolerance"),
    ("inertia", {"hessian": EYE.astype(np.float16)}, TypeError, "hessian"),
    ("saddle_free_newton_step", {"gradient": ONES, "hessian": EYE.astype(np.float16)}, TypeError, "hessian"),
    ("find_critical_points", {**SEARCH, "starts": ONES.astype(np.float16)}, TypeError, "starts"),
    ("find_critical_points", {**SEARCH, "starts": np.ones(3, int)}, TypeError, "starts"),
    ("find_critical_points", {**SEARCH, "steps": -1}, ValueError, "steps"),
    ("find_critical_points", {**SEARCH, "tolerance": 0.0}, ValueError, "tolerance"),
    *((name, {"point": np.ones(7), "target": np.ones((2, 3))}, ValueError, "point") for name in LINEAR),
    *((name, {"point": np.ones(5), "target": np.ones(3)}, ValueError, "target") for name in LINEAR),
    *((name, {"point": np.ones(5, int), "target": np.ones((2, 3))}, TypeError, "point") for name in LINEAR),
    ("linear_network_critical_point", {"target": EYE, "kept": [3], "hidden": 3}, ValueError, "kept"),
    ("linear_network_critical_point", {"target": EYE, "kept": [0, 1], "hidden": 1}, ValueError, "hidden"),
    ("linear_network_critical_point", {"target": EYE, "kept": [0, 0], "hidden": 3}, ValueError, "kept"),
    ("linear_network_critical_point", {"target": ONES, "kept": [0], "hidden": 1}, ValueError, "target"),
    ("interpolate", {**LINE, "end": {"v": ONES}}, ValueError, "end"),
    ("interpolate", {**LINE, "end": {"w": ONES}}, ValueError, "end"),
    ("interpolate", {**LINE, "fractions": np.arange(3)}, TypeError, "fractions"),
    ("interpolate", {**LINE, "fractions": np.ones((2, 2))}, ValueError, "fractions"),
    ("interpolate", {**LINE, "chunk": 0}, ValueError, "chunk"),
    ("interpolate", {**LINE, "loss": one_number}, ValueError, "loss"),
    ("loss_surface", {**SURFACE, "first": {"v": ONES}}, ValueError, "first"),
    ("loss_surface", {**SURFACE, "second": {"w": ONES}}, ValueError, "second"),
    ("loss_surface", {**SURFACE, "first_steps": np.ones((2, 2))}, ValueError, "first_steps"),
    ("loss_surface", {**SURFACE, "second_steps": np.arange(3)}, TypeError, "second_steps"),
    ("loss_surface", {**SURFACE, "chunk": 0}, ValueError, "chunk"),
    ("loss_surface", {**SURFACE, "loss": one_number}, ValueError, "loss"),
    ("sharpness_aware_gradient", {**NEARBY, "radius": -0.1}, ValueError, "radius"),
    ("sharpness_aware_gradient", {**NEARBY, "radius": np.ones(2)}, ValueError, "radius"),
    ("sharpness_aware_gradient", {**NEARBY, "radius": "wide"}, TypeError, "radius"),
    ("sharpness_aware_gradient", {**NEARBY, "run_axes": -1}, ValueError, "run_axes"),
    ("sharpness_aware_gradient", {**NEARBY, "parameters": {"v": ONES}}, ValueError, "gradient"),
    ("filter_normalize", {"directions": {"v": ONES}, "parameters": POINT}, ValueError, "directions"),
    ("filter_normalize", {"directions": {"w": ONES}, "parameters": POINT}, ValueError, "directions"),
    ("filter_normalize", {"directions": {"w": np.ones((2, 3), int)}, "parameters": POINT}, TypeError, "directions"),
    ("permute_units", {"parameters": NET, "layer": "2", "order": np.array([0])}, ValueError, "layer"),
    ("permute_units", {"parameters": NET, "layer": "0", "order": np.array([0, 0])}, ValueError, "order"),
    ("permute_units", {"parameters": NET, "layer": "0", "order": np.array([0.0, 1.0])}, TypeError, "order"),
    ("gaussian_orthogonal", {"noise": np.ones((2, 3))}, ValueError, "noise"),
    ("gaussian_orthogonal", {"noise": np.eye(2, dtype=int)}, TypeError, "noise"),
    ("positive_definite", {"matrix": np.triu(np.ones((3, 3)))}, ValueError, "matrix"),
    ("goe_positive_probability", {"size": 0, "generator": np.random.default_rng(0)}, ValueError, "size"),
    ("goe_positive_probability", {"size": 2, "generator": 0}, TypeError, "generator"),
    (
        "goe_positive_probability",
        {"size": 2, "generator": np.random.default_rng(0), "samples": 1},
        ValueError,
        "samples",
    ),
    *((f"quartic_saddle{part}", {"point": ONES}, ValueError, "point") for part in ("", "_gradient", "_hessian")),
    *((f"quartic_saddle{part}", {"point": [1.0, 2.0]}, TypeError, "point") for part in ("", "_gradient", "_hessian")),
    *((f"double_well{part}", {"x": np.ones(2, int)}, TypeError, "x") for part in ("", "_gradient")),
    *((f"double_well{part}", {"x": ONES, "barrier": 0.0}, ValueError, "barrier") for part in ("", "_gradient")),
    ("kramers_steps", {"barrier": 0.0, "learning_rate": 0.1, "noise": 1.0}, ValueError, "barrier"),
    ("kramers_steps", {"barrier": 1.0, "learning_rate": 0.0, "noise": 1.0}, ValueError, "learning_rate"),
    ("kramers_steps", {"barrier": 1.0, "learning_rate": 0.1, "noise": 0.0}, ValueError, "noise"),
    ("follow", {"step": lambda p: p, "start": np.ones(2, int), "steps": 3}, TypeError, "start"),
    ("follow", {"step": lambda p: p, "start": ONES, "steps": -1}, ValueError, "steps"),
    ("escape_steps", {**ESCAPE, "start": np.ones((2, 1))}, ValueError, "start"),
    ("escape_steps", {**ESCAPE, "generator": 0}, TypeError, "generator"),
    ("escape_steps", {**ESCAPE, "learning_rate": 0.0}, ValueError, "learning_rate"),
    ("escape_steps", {**ESCAPE, "noise": -1.0}, ValueError, "noise"),
    ("escape_steps", {**ESCAPE, "steps": 0}, ValueError, "steps"),
    ("escape_steps", {**ESCAPE, "runs": (-1,)}, ValueError, "runs"),
]
