"""Shapes and dtypes of every kernel call are checked in tests: jaxtyping reads the annotations, beartype enforces them.

The kernels import jaxtyping only under `if TYPE_CHECKING:`, so that readers do not pay for it. Here their modules are
imported once with that flag up, before any test imports them, and the flag is lowered again at once, because other
packages hide circular imports behind it.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import pkgutil
import sys
import typing

import pytest
from hypothesis import Phase, settings

# One gate run must equal the next; at home, every run tries new examples.
settings.register_profile("dlnotes", deadline=None, derandomize=bool(os.environ.get("CI")), print_blob=True)
# For many runs that only ask whether a test fails: few examples, and no search for the smallest one that fails.
settings.register_profile(
    "unshrunk", settings.get_profile("dlnotes"), phases=[Phase.explicit, Phase.generate], max_examples=15
)
settings.load_profile("dlnotes")


_FAILED: dict[str, Exception] = {}


def _is_installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _kernel_modules(package: str) -> list[str]:
    folder = os.path.dirname(importlib.util.find_spec(package).origin)
    return [f"{package}.{found.name}" for found in pkgutil.iter_modules([folder])]


def _import_kernels_checked() -> None:
    # What the kernels import, and what the checking imports when first used, comes before the flag goes up.
    import jaxtyping
    import numpy

    from tests import typechecker

    @jaxtyping.jaxtyped(typechecker=typechecker.checked)
    def warm(x: jaxtyping.Float[numpy.ndarray, "n"]) -> jaxtyping.Float[numpy.ndarray, "n"]:
        return x

    warm(numpy.zeros(1))
    packages = ["dlnotes.numpy"]
    if _is_installed("torch"):
        import torch  # noqa: F401

        packages.append("dlnotes.torch")
    modules = [module for package in packages for module in _kernel_modules(package)]
    early = [module for module in modules if module in sys.modules]
    if early:
        raise pytest.UsageError(f"imported before the shape checks were in place: {', '.join(early)}")
    with jaxtyping.install_import_hook(packages, "tests.typechecker.checked"):
        typing.TYPE_CHECKING = True
        try:
            for module in modules:
                try:
                    importlib.import_module(module)
                except Exception as error:  # fails one test, in test_project.py, and not all of them
                    _FAILED[module] = error
        finally:
            typing.TYPE_CHECKING = False


# Without the checks the kernels are imported in a tenth of the time, which counts where it is done for every mutant.
if not os.environ.get("DLNOTES_UNCHECKED") and _is_installed("jaxtyping") and _is_installed("beartype"):
    _import_kernels_checked()


@pytest.fixture
def failed_imports() -> dict[str, Exception]:
    """Kernel modules that could not be imported with their shapes checked."""
    return _FAILED


@pytest.fixture
def unchecked():
    """Shape checks off, so that a wrong argument meets the kernel's own check and its message."""
    if "jaxtyping" not in sys.modules:
        yield
        return
    from jaxtyping import config

    config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        config.update("jaxtyping_disable", False)
