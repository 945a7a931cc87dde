"""Numbers of 16 bits: computed with as numbers of 32, and rounded once at the end.

float16 has 11 bits and ends at 65,504, so that a sum of squares overflows at once. Arrays of either backend are taken;
neither is imported.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any


def is_half(array: Any) -> bool:
    """Say whether it is an array of floating-point numbers of 16 bits."""
    dtype = getattr(array, "dtype", None)
    return dtype is not None and dtype.itemsize == 2 and "float" in getattr(dtype, "name", str(dtype))


def single(array: Any) -> Any:
    """Give an array of 16 bits as float32, and whatever else as it is."""
    if not is_half(array):
        return array
    return array.float() if hasattr(array, "float") else array.astype("float32")


def rounded(result: Any, dtype: Any) -> Any:
    """Give the arrays in a result in that dtype, if they are of floating-point numbers."""
    if isinstance(result, tuple):
        entries = [rounded(entry, dtype) for entry in result]
        return type(result)(*entries) if hasattr(result, "_fields") else tuple(entries)
    given = getattr(result, "dtype", None)
    if given is None or given == dtype or "float" not in getattr(given, "name", str(given)):
        return result
    return result.to(dtype) if hasattr(result, "to") else result.astype(dtype, copy=False)


def rounded_once(argument: str) -> Callable[[Callable], Callable]:
    """Let a function take 16 bits: it computes with 32, and its results get the dtype of that argument.

    Args:
        argument: The name of the array whose dtype the results have. Where it has more than 16 bits, nothing changes.

    Returns:
        A decorator.
    """

    def decorate(function: Callable) -> Callable:
        place = list(inspect.signature(function).parameters).index(argument)

        @functools.wraps(function)
        def computed(*arguments: Any, **options: Any) -> Any:
            like = arguments[place] if place < len(arguments) else options.get(argument)
            if not is_half(like):
                return function(*arguments, **options)
            wide = {name: single(value) for name, value in options.items()}
            return rounded(function(*map(single, arguments), **wide), like.dtype)

        return computed

    return decorate
