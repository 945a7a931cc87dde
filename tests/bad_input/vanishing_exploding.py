from __future__ import annotations

import numpy as np

from dlnotes.numpy import minibatch

EYE = np.eye(3)
ONE = {"0.weight": EYE}
INTEGERS = {"0.weight": np.ones((3, 3), int)}
JORDAN = np.array([[1.0, 1.0], [0.0, 1.0]])

HALF = np.eye(3, dtype=np.float16)
INFINITE = np.diag([1.0, np.inf])
NETWORK = {
    "parameters": {"0.weight": np.ones((4, 3)), "0.bias": np.zeros(4)},
    "inputs": np.ones((2, 3)),
    "targets": np.zeros(2, int),
    "optimizer": minibatch.SGD(0.1),
}

CASES = [
    ("matrix_power_by_eigenvalues", {"matrix": np.ones((2, 3)), "exponent": 2}, ValueError, "matrix"),
    ("matrix_power_by_eigenvalues", {"matrix": np.ones(3), "exponent": 2}, ValueError, "matrix"),
    ("matrix_power_by_eigenvalues", {"matrix": np.ones((3, 3), int), "exponent": 2}, TypeError, "matrix"),
    ("matrix_power_by_eigenvalues", {"matrix": JORDAN, "exponent": 2}, ValueError, "matrix"),
    ("matrix_power_by_eigenvalues", {"matrix": EYE, "exponent": -1}, ValueError, "exponent"),
    ("matrix_power_by_eigenvalues", {"matrix": EYE, "exponent": 0.5}, TypeError, "exponent"),
    (
        "matrix_power_by_eigenvalues",
        {"matrix": EYE, "exponent": 2, "largest_condition": 0.5},
        ValueError,
        "largest_condition",
    ),
    ("power_norms", {"matrix": np.ones((2, 3)), "steps": 2}, ValueError, "matrix"),
    ("power_norms", {"matrix": EYE, "steps": -1}, ValueError, "steps"),
    ("digamma", {"x": 0.0}, ValueError, "x"),
    ("digamma", {"x": np.array([1.0, -0.5])}, ValueError, "x"),
    ("digamma", {"x": "1"}, TypeError, "x"),
    ("gaussian_lyapunov_exponent", {"size": 0}, ValueError, "size"),
    ("gaussian_lyapunov_exponent", {"size": 2.0}, TypeError, "size"),
    ("gaussian_lyapunov_exponent", {"size": 2, "deviation": 0.0}, ValueError, "deviation"),
    ("gaussian_lyapunov_exponent", {"size": 2, "order": 3}, ValueError, "order"),
    ("lyapunov_exponent", {"matrices": EYE}, ValueError, "matrices"),
    ("lyapunov_exponent", {"matrices": np.ones((5, 2, 3))}, ValueError, "matrices"),
    ("lyapunov_exponent", {"matrices": np.ones((0, 3, 3))}, ValueError, "matrices"),
    ("lyapunov_exponent", {"matrices": np.ones((5, 3, 3)), "count": 4}, ValueError, "count"),
    ("layer_jacobian", {"weight": np.ones((4, 3)), "derivative": np.ones((5, 3))}, ValueError, "derivative"),
    ("layer_jacobian", {"weight": np.ones((4, 3), int), "derivative": np.ones((5, 4))}, TypeError, "weight"),
    ("layer_jacobian", {"weight": np.ones(3), "derivative": np.ones((5, 3))}, ValueError, "weight"),
    ("log_singular_values", {"factors": []}, ValueError, "factors"),
    ("log_singular_values", {"factors": [np.ones((3, 2)), np.ones((4, 4))]}, ValueError, "factors"),
    ("log_singular_values", {"factors": [np.ones((3, 3), int)]}, TypeError, "factors"),
    ("per_layer_gradient_norms", {"gradients": INTEGERS}, TypeError, "gradients"),
    ("per_layer_gradient_norms", {"gradients": ONE, "run_axes": 3}, ValueError, "gradients"),
    ("per_layer_gradient_norms", {"gradients": ONE, "run_axes": -1}, ValueError, "run_axes"),
    ("per_layer_update_ratios", {"parameters": ONE, "updates": {"2.weight": EYE}}, ValueError, "updates"),
    ("per_layer_update_ratios", {"parameters": ONE, "updates": {"0.weight": np.ones(3)}}, ValueError, "updates"),
    ("per_layer_update_ratios", {"parameters": INTEGERS, "updates": INTEGERS}, TypeError, "parameters"),
    ("per_layer_update_ratios", {"parameters": ONE, "updates": INTEGERS}, TypeError, "updates"),
    ("diagnose", {"parameters": ONE, "gradients": {"2.weight": EYE}}, ValueError, "gradients"),
    ("diagnose", {"parameters": ONE, "gradients": {"0.weight": np.ones(3)}}, ValueError, "gradients"),
    ("diagnose", {"parameters": ONE, "gradients": INTEGERS}, TypeError, "gradients"),
    ("diagnose", {"parameters": {}, "gradients": {}}, ValueError, "parameters"),
    ("diagnose", {"parameters": ONE, "gradients": ONE, "spread": 0.5}, ValueError, "spread"),
    ("diagnose", {"parameters": ONE, "gradients": ONE, "largest_ratio": 0.0}, ValueError, "largest_ratio"),
    ("diagnose", {"parameters": ONE, "gradients": ONE, "outlier": 0.5}, ValueError, "outlier"),
    ("diagnose", {"parameters": ONE, "gradients": ONE, "updates": {}}, ValueError, "updates"),
    ("diagnose", {"parameters": ONE, "gradients": ONE, "updates": INTEGERS}, TypeError, "updates"),
    ("diagnose", {"parameters": [EYE], "gradients": ONE}, TypeError, "parameters"),
    ("diagnose", {"parameters": ONE, "gradients": ONE, "signals": {"0": 1}}, TypeError, "signals"),
    ("diagnose", {"parameters": ONE, "gradients": ONE, "signals": {"2": None}}, ValueError, "signals"),
    ("diagnose", {"parameters": ONE, "gradients": ONE, "signals": 1}, TypeError, "signals"),
    ("diagnose_network", NETWORK | {"optimizer": "SGD"}, TypeError, "optimizer"),
    ("diagnose_network", NETWORK | {"activation": "rely"}, ValueError, "activation"),
    ("diagnose_network", NETWORK | {"inputs": np.ones((2, 5))}, ValueError, "inputs"),
    ("diagnose_network", NETWORK | {"spread": 0.0}, ValueError, "spread"),
    ("diagnose_network", NETWORK | {"outlier": 0.0}, ValueError, "outlier"),
    ("diagnose_network", NETWORK | {"largest_ratio": 0.0}, ValueError, "largest_ratio"),
    ("power_norms", {"matrix": HALF, "steps": 2}, TypeError, "matrix"),
    ("power_norms", {"matrix": INFINITE, "steps": 2}, ValueError, "matrix"),
    ("matrix_power_by_eigenvalues", {"matrix": HALF, "exponent": 2}, TypeError, "matrix"),
    ("matrix_power_by_eigenvalues", {"matrix": INFINITE, "exponent": 2}, ValueError, "matrix"),
    ("lyapunov_exponent", {"matrices": HALF[None]}, TypeError, "matrices"),
    ("lyapunov_exponent", {"matrices": INFINITE[None]}, ValueError, "matrices"),
    ("log_singular_values", {"factors": [INFINITE]}, ValueError, "factors"),
]
