from __future__ import annotations

CASES = {"train": "the loop: difficult input is refused before the first step, see test_training"}
