"""No cases: NumPy has no modules. What the functions give is tested in test_module_curvature.py."""

from __future__ import annotations

CASES: dict[str, list] = {}
