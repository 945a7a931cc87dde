"""No cases: NumPy has no processes. What the functions give is tested in test_data_parallel.py."""

from __future__ import annotations

CASES: dict[str, list] = {}
