"""No cases: NumPy has no modules. What the script gives is tested in test_module_checklist.py."""

from __future__ import annotations

CASES: dict[str, list] = {}
