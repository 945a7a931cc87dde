"""What each kernel is under each kind of difficult input: one table a stem, and the words it is written in."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np


class Kinds(NamedTuple):
    """How a kernel is called, and what it is under each kind of input; a reason in place of an answer says why not.

    Attributes:
        call: Takes the module and the arrays, and gives the result or the part of it that is compared.
        arrays: float64 numbers of ordinary size, and integers; float16 and float32 are made of the former.
        scale: Laws, each a pair: the power of the scale on each array, and on each array of the result (or one power
            for all of them).
        rows: The places of the arrays whose first axis holds examples, as that of every array of the result does.
        half: Whether float16 is computed as float32 and rounded once, or refused.
        longdouble: Whether it is refused, or computed in full.
        nan: Whether what depends on a nan is nan, or the nan is refused.
        infinities: Whether both backends agree at infinities.
        layout: Whether strides, order and byte order change nothing, or are refused.
        mixed: Whether arrays of float32 and float64 together give the result, or are refused.
    """

    call: Callable[..., Any]
    arrays: tuple[np.ndarray, ...]
    scale: list[tuple[tuple[float, ...], Any]] | str
    rows: tuple[int, ...] | str
    half: bool | str = True
    longdouble: bool | str = True
    nan: bool | str = True
    infinities: bool | str = True
    layout: bool | str = True
    mixed: bool | str = True


def generator(module: ModuleType, seed: int = 0) -> Any:
    """Give a generator of the module's own library."""
    if ".torch" not in module.__name__:
        return np.random.default_rng(seed)
    import torch

    return torch.Generator().manual_seed(seed)


HAS_TORCH = importlib.util.find_spec("torch") is not None
