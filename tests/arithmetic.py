"""Which arithmetic this process computes with, and how a second process gets another.

BLAS picks its kernel, and NumPy its vector instructions, by the processor. Both sum in another order elsewhere, so that
last digits differ from machine to machine. What a page prints must not.
"""

from __future__ import annotations

import contextlib
import io
import platform
import re
from typing import NamedTuple

import numpy as np

# Kernels of OpenBLAS that every x86-64 processor of the last ten years has.
KERNELS = ("Sandybridge", "Haswell")


class Arithmetic(NamedTuple):
    """The BLAS kernel of NumPy, and the groups of vector instructions that NumPy uses beyond its baseline."""

    kernel: str
    features: tuple[str, ...]

    def __str__(self) -> str:
        return f"BLAS kernel {self.kernel}, vector instructions {' '.join(self.features) or 'of the baseline'}"


def current() -> Arithmetic:
    """Ask NumPy and its BLAS what they use in this process."""
    import threadpoolctl

    np.ones((2, 2)) @ np.ones((2, 2))
    pools = threadpoolctl.threadpool_info()
    kernels = [pool.get("architecture", "unknown") for pool in pools if "numpy" in pool["filepath"]]
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        np.show_runtime()
    found = re.search(r"'found': \[([^]]*)\]", shown.getvalue())
    return Arithmetic(kernels[0] if kernels else "unknown", tuple(re.findall(r"'(\w+)'", found[1] if found else "")))


def another(now: Arithmetic) -> dict[str, str]:
    """Give the environment of a process that computes with another kernel and with no wide vectors."""
    kernel = next(name for name in KERNELS if name.lower() != now.kernel.lower())
    return {"OPENBLAS_CORETYPE": kernel, "NPY_DISABLE_CPU_FEATURES": " ".join(now.features)}


def can_change() -> bool:
    """Say whether the kernels named here exist for this processor."""
    return platform.machine().lower() in ("x86_64", "amd64")
