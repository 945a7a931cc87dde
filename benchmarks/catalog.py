"""All rows by device, and how one is measured."""

from __future__ import annotations

import time
from typing import Any

from benchmarks import curvature, gpu, importing, kernels, learning, results, rows, timing

ROWS: dict[str, tuple[rows.Row, ...]] = {
    "cpu": (*learning.ROWS, *curvature.ROWS, *kernels.ROWS, *importing.ROWS),
    "cuda": gpu.ROWS,
}


def devices() -> list[str]:
    """Name the devices that are here."""
    import torch

    return list(ROWS) if torch.cuda.is_available() else ["cpu"]


def measure(row: rows.Row, device: str, rounds: int, seconds: float, seed: int) -> dict[str, Any]:
    """Check the answers of a row, and then time it."""
    case = row.prepare()
    differences = rows.check(case)
    if device == "cpu":
        taken = timing.measure(case.contestants, rounds=rounds, seconds=seconds, seed=seed)
        return results.record(row, case, differences, taken)
    import torch

    return on_device(row, case, differences, gpu.copy(device), timing.by_events(torch.cuda), rounds, seconds, seed)


def on_device(
    row: rows.Row,
    case: rows.Case,
    differences: dict[str, float],
    copy: rows.Timed,
    stopwatch: timing.Stopwatch,
    rounds: int,
    seconds: float,
    seed: int,
) -> dict[str, Any]:
    """Time a row with a copy among its contestants."""
    contestants = {**case.contestants, gpu.COPY: copy}
    taken = timing.measure(
        contestants, rounds=rounds, seconds=seconds, seed=seed, stopwatch=stopwatch, watch=time.monotonic
    )
    bytes_a_second = [1 / second for second in taken.pop(gpu.COPY)]
    return results.record(row, case, differences, taken, bytes_a_second)
