"""What the errors and steps of difference quotients refuse."""

from __future__ import annotations

import numpy as np

CASES = [
    ("difference_error", {"step": 0.0}, ValueError, "step"),
    ("difference_error", {"step": 1e-3, "method": "backward"}, ValueError, "method"),
    ("difference_error", {"step": 1e-3, "value": -1.0}, ValueError, "value"),
    ("difference_error", {"step": 1e-3, "derivative": np.nan}, ValueError, "derivative"),
    ("best_step_size", {"method": "backward"}, ValueError, "method"),
    ("best_step_size", {"value": 0.0}, ValueError, "value"),
    ("best_step_size", {"derivative": 0.0}, ValueError, "derivative"),
    ("difference_error", {"step": 1e-3, "dtype": np.int64}, ValueError, "dtype"),
    ("best_step_size", {"dtype": "complex64"}, ValueError, "dtype"),
    ("unit", {"dtype": np.longdouble}, ValueError, "dtype"),
]
