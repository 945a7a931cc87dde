"""What every checker asks of an answer first: that there is one, of the right kind. The rest is up to the checker."""

from __future__ import annotations

import numpy as np


def _numbers(call: str, given: object) -> np.ndarray:
    """Give the answer as an array of floating-point numbers; what is not real, or no number, is refused."""
    there = given is not None and given is not ...
    if not there:
        raise AssertionError(f"{call} returns nothing yet")
    try:
        found = np.asarray(given)
    except ValueError:
        found = np.array(None)  # lists of different lengths
    if found.dtype.kind not in "biuf":
        raise AssertionError(f"{call} must be real numbers, got {given!r}")
    return found.astype(float)


def number(call: str, given: object, infinite: bool = False) -> float:
    """Give back the number that the reader's function gave, and refuse anything else.

    Args:
        call: What was called, for the message: `xavier_limit(3, 4)`.
        given: What it gave.
        infinite: Whether infinity may be an answer.
    """
    found = _numbers(call, given)
    if found.ndim != 0:
        raise AssertionError(f"{call} must be one number, got an array of shape {found.shape}")
    fits = np.isfinite(found) or (infinite and not np.isnan(found))
    if not fits:
        raise AssertionError(f"{call} must be finite, got {found}")
    return float(found)


def array(call: str, given: object, shape: tuple[int, ...]) -> np.ndarray:
    """Give back the array of finite numbers that the reader's function gave, and refuse anything else."""
    found = _numbers(call, given)
    if found.shape != shape:
        raise AssertionError(f"{call} must have the shape {shape}, got {found.shape}")
    if not np.isfinite(found).all():
        raise AssertionError(f"{call} holds numbers that are not finite: look for a division by zero")
    return found


def pair(call: str, given: object) -> tuple[object, object]:
    """Give back the two things that the reader's function gave, also as an array of two; refuse anything else."""
    there = given is not None and given is not ...
    if not there:
        raise AssertionError(f"{call} returns nothing yet")
    parts = list(given) if getattr(given, "ndim", 0) else given  # an array of NumPy or PyTorch
    two = isinstance(parts, (tuple, list)) and len(parts) == 2
    if not two:
        raise AssertionError(f"{call} must be a pair, got {given!r}")
    return parts[0], parts[1]


def right(what: str) -> None:
    """Tell the reader that the answer is right, and what was checked."""
    print(f"Right: {what}.")
