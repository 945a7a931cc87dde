"""No cases: NumPy has no modules. What the functions give is tested in test_module_initialization.py."""

from __future__ import annotations

CASES: dict[str, list] = {}
