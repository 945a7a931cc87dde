"""What measured: processor, versions, the BLAS kernel that NumPy's wheel picked, threads."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

# Read by the libraries while they are imported, so the command sets them before that.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
PACKAGES = ("numpy", "torch", "scikit-learn", "PyHessian", "curvlinops-for-pytorch")


class Unfit(Exception):
    """This process cannot measure."""


def processor() -> str:
    """Name the processor."""
    path = Path("/proc/cpuinfo")
    if path.is_file():
        for line in path.read_text("utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Give the versions of what is installed of the contestants."""
    found = {"Python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package).partition("+")[0]
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def blas() -> str:
    """Name the BLAS that NumPy calls, and the kernel that it picked for this processor."""
    import numpy  # noqa: F401  the library is seen once it is loaded
    import threadpoolctl

    found = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
    return ", ".join(
        f"{pool['internal_api']} {pool.get('version')}, kernel {pool.get('architecture', 'unknown')}" for pool in found
    )


def vector_instructions() -> str:
    """Name the sets of vector instructions that NumPy has code for and this processor has."""
    import numpy

    known = numpy.show_config(mode="dicts")["SIMD Extensions"]
    return ", ".join([*known["baseline"], *known.get("found", [])])


def one_thread() -> None:
    """Keep every library to one thread.

    Raises:
        Unfit: If one of them will not.
    """
    import threadpoolctl
    import torch

    torch.set_num_threads(1)
    threadpoolctl.threadpool_limits(1)
    wide = [pool["prefix"] for pool in threadpoolctl.threadpool_info() if pool["num_threads"] != 1]
    if wide or torch.get_num_threads() != 1:
        raise Unfit(f"one thread is asked for, and {', '.join(wide) or 'torch'} takes more")


def conditions(device: str) -> dict[str, Any]:
    """Say what measures on this device: what must be the same for numbers to stand side by side."""
    known: dict[str, Any] = {
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "blas": blas(),
        "vectors": vector_instructions(),
        "versions": versions(),
        "threads": 1,
    }
    if device == "cuda":
        import torch

        properties = torch.cuda.get_device_properties(0)
        known["device"] = torch.cuda.get_device_name(0)
        known["memory"] = f"{properties.total_memory / 2**30:.0f} GiB"
        known["cuda"] = torch.version.cuda
    return known


def lines(known: dict[str, Any]) -> list[str]:
    """Say it in lines."""
    packages = ", ".join(f"{name} {version}" for name, version in known["versions"].items())
    first = [f"{known['device']}, {known['memory']}, CUDA {known['cuda']}"] if "device" in known else []
    return [
        *first,
        f"{known['processor']}, {known['cores']} cores, {known['system']}; one thread",
        f"{known['blas']}; NumPy's vector instructions: {known['vectors']}",
        packages,
    ]
