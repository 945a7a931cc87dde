"""Import time, each time in a process of its own."""

from __future__ import annotations

import functools
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import dlnotes.numpy
from benchmarks import rows

ROOT = Path(__file__).resolve().parent.parent
# The process measures itself, so that its own start is not counted.
PROGRAM = "import time; begun = time.process_time(); import {}; print(time.process_time() - begun)"


def seconds(modules: str) -> float:
    """Import modules in a new process, and give the processor time that it took.

    Python may keep what it compiled, as it does for every reader; it does so before the rounds begin.
    """
    settings = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", PROGRAM.format(modules)]
    ran = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, check=True)
    return float(ran.stdout)


def fresh(modules: str) -> rows.Timed:
    """Time an import; that it works is all there is to check."""
    return rows.Timed(lambda: seconds(modules), lambda: seconds(modules) > 0, gives_seconds=True)


def imports(modules: str, others: bool = True) -> rows.Case:
    """Import kernels, and what else a learner would import."""
    contestants = {rows.OURS: fresh(modules), "numpy": fresh("numpy")}
    if not others:
        return rows.Case(contestants)
    contestants["torch"] = fresh("torch")
    if rows.is_installed("sklearn"):
        return rows.Case(contestants | {"scikit-learn": fresh("sklearn.neural_network")})
    return rows.Case(contestants, absent={"scikit-learn": "not installed"})


def every_chapter() -> rows.Case:
    """Import the kernels of all chapters."""
    found = sorted(f"dlnotes.numpy.{module.name}" for module in pkgutil.iter_modules(dlnotes.numpy.__path__))
    return imports(", ".join(found), others=False)


ROWS = (
    rows.Row(
        "import",
        "kernels",
        "Import the kernels of one chapter, in a new process",
        functools.partial(imports, modules="dlnotes.numpy.adaptive_methods"),
        goals={"numpy": 1.3},
        tiny={"others": False},
        note="NumPy is part of every one of these. The chapter is the one that costs most, adaptive methods.",
    ),
    rows.Row(
        "import-all",
        "kernels",
        "Import the kernels of all chapters, in a new process",
        every_chapter,
        goals={"numpy": 1.3},
        missed="every optimizer is a dataclass, and Python writes the methods of a dataclass anew on every import. A "
        "reader imports one chapter at a time.",
    ),
)
