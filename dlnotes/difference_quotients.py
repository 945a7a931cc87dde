"""How long the step of a difference quotient should be, and how large its error may be; for both backends.

No array is touched here, and neither NumPy nor PyTorch imported: a dtype is known by its name.
"""

from __future__ import annotations

import math
from typing import Any

from dlnotes import checks

METHODS = ("forward", "centered", "complex")
_UNITS = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}


def unit(dtype: Any) -> float:
    """Give the machine epsilon of a floating-point type: the distance from 1 to the next number.

        u = 2^-10, 2^-7, 2^-23, 2^-52    for float16, bfloat16, float32, float64

    Args:
        dtype: A dtype of NumPy or of PyTorch, or its name.

    Returns:
        u.

    Raises:
        ValueError: If it is no floating-point type of 16 to 64 bits.

    Source: definition.
    """
    name = getattr(dtype, "__name__", None) or getattr(dtype, "name", None) or str(dtype).removeprefix("torch.")
    return _UNITS[checks.choice("dtype", name, _UNITS)]


def difference_error(
    step: float,
    method: str = "centered",
    *,
    dtype: Any = "float64",
    value: float = 1.0,
    derivative: float = 1.0,
) -> float:
    """Bound the error of a difference quotient by truncation plus rounding.

    With u the machine epsilon and f known to within u |f|,

        forward    h |f''| / 2    + 2 u |f| / h
        centered   h^2 |f'''| / 6 + u |f| / h
        complex    h^2 |f'''| / 6 + u |f'|,  with |f'| = 1

    Args:
        step: h, above 0.
        method: "forward", "centered" or "complex".
        dtype: The floating-point type in which f is computed, as in `unit`; it gives u.
        value: |f|, at least 0.
        derivative: |f''| for "forward", |f'''| for the others; at least 0.

    Returns:
        The bound, in the units of f'.

    Raises:
        ValueError: If an argument is outside its range.

    Source: Taylor's theorem, as in gradient_checking#eq-forward-bound and gradient_checking#eq-centered-bound.
    """
    step = checks.real("step", step, above=0)
    checks.choice("method", method, METHODS)
    value = checks.real("value", value, at_least=0)
    derivative = checks.real("derivative", derivative, at_least=0)
    u = unit(dtype)
    if method == "forward":
        return step * derivative / 2 + 2 * u * value / step
    truncation = step * step * derivative / 6
    return truncation + (u * value / step if method == "centered" else u)


def best_step_size(
    method: str = "centered", *, dtype: Any = "float64", value: float = 1.0, derivative: float = 1.0
) -> float:
    """Give the step that makes `difference_error` least.

        forward    h = 2 (u |f| / |f''|)^(1/2)
        centered   h = (3 u |f| / |f'''|)^(1/3)
        complex    h = u: nothing is subtracted, so any step whose square is below u does

    Args:
        method: "forward", "centered" or "complex".
        dtype: The floating-point type in which f is computed, as in `unit`; it gives u.
        value: |f|, above 0.
        derivative: |f''| for "forward", |f'''| for "centered", not used by "complex"; above 0.

    Returns:
        The step h.

    Raises:
        ValueError: If an argument is outside its range.

    Source: derived in gradient_checking#eq-forward-best and gradient_checking#eq-centered-best.
    """
    checks.choice("method", method, METHODS)
    value = checks.real("value", value, above=0)
    derivative = checks.real("derivative", derivative, above=0)
    u = unit(dtype)
    if method == "forward":
        return 2 * math.sqrt(u * value / derivative)
    if method == "centered":
        return math.cbrt(3 * u * value / derivative)
    return u
