"""Code is shown from its source, and what a reader copies runs alone."""

from __future__ import annotations

import ast
import builtins
import dis
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from dlnotes.book import source

MODULE = '''\
"""A module."""

from __future__ import annotations

import math
import os.path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import checks
from dlnotes.numpy import activations as acts, missing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nowhere import Float, Int

    Pair = tuple[int, int]

# Why 2: the square
# of a root.
GAIN = 2.0
_TABLE = {"a": math.pi}
_TABLE["b"] = GAIN
FIRST, SECOND = 1, 2

try:
    import nothing_like_this
except ImportError:
    nothing_like_this = None


class Cache(NamedTuple):
    """What the forward pass leaves.

    More.
    """

    x: Float[np.ndarray, "a b"]

    def twice(self) -> float:
        """Double it."""

        return 2 * _half(self.x) * 4


class Bad(ValueError):
    """Only words."""


def _half(x: float) -> float:
    r"""Give x/2, as in \\alpha.

    Args:
        x: A number.
    """

    return x / 2  # not "quartered"


def unused(x):
    return os.path.join(x, missing.name)


def local(_half):
    """Use names that are only local."""
    unused = _half
    return [math for math in [unused]]


def noise(shape: Int[np.ndarray, "n"], gain=GAIN) -> Pair:
    """Draw."""
    if nothing_like_this is None:
        return _TABLE["b"] * gain
    raise Bad


# The one
# that is shown.
@np.vectorize
def shown(x: Sequence[int], flag: bool = SECOND > 1) -> Cache:
    """Show it.

    A second paragraph.
    """

    def inner():
        """Inside."""
        return checks.real("x", noise(x))

    return Cache(inner())


def one_line(): """Words."""; return 1


async def waits(): ...
'''


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "dlnotes"
    for backend in ("numpy", "torch"):
        (folder / backend).mkdir(parents=True)
    (folder / "numpy" / "initialization.py").write_text(MODULE, "utf-8")
    return folder


def test_a_function_is_shown_without_docstrings(package: Path) -> None:
    assert source.displayed("initialization.shown", package=package) == (
        "# The one\n"
        "# that is shown.\n"
        "@np.vectorize\n"
        "def shown(x: Sequence[int], flag: bool = SECOND > 1) -> Cache:\n"
        "    def inner():\n"
        '        return checks.real("x", noise(x))\n'
        "\n"
        "    return Cache(inner())\n"
    )


def test_a_class_is_shown_without_docstrings(package: Path) -> None:
    assert source.displayed("initialization.Cache", package=package) == (
        "class Cache(NamedTuple):\n"
        '    x: Float[np.ndarray, "a b"]\n'
        "\n"
        "    def twice(self) -> float:\n"
        "        return 2 * _half(self.x) * 4\n"
    )
    assert source.displayed("initialization.Bad", package=package) == "class Bad(ValueError):\n    ...\n"


def test_what_is_copied_brings_what_it_needs_and_nothing_else(package: Path) -> None:
    assert (
        source.standalone("initialization.shown", package=package)
        == '''\
from __future__ import annotations

import math
from typing import NamedTuple, TYPE_CHECKING

import numpy as np

from dlnotes import checks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from nowhere import Float, Int
    Pair = tuple[int, int]

# Why 2: the square
# of a root.
GAIN = 2.0
_TABLE = {"a": math.pi}
_TABLE["b"] = GAIN
FIRST, SECOND = 1, 2
try:
    import nothing_like_this
except ImportError:
    nothing_like_this = None


class Cache(NamedTuple):
    """What the forward pass leaves."""

    x: Float[np.ndarray, "a b"]

    def twice(self) -> float:
        """Double it."""
        return 2 * _half(self.x) * 4


class Bad(ValueError):
    """Only words."""


def _half(x: float) -> float:
    r"""Give x/2, as in \\alpha."""
    return x / 2  # not "quartered"


def noise(shape: Int[np.ndarray, "n"], gain=GAIN) -> Pair:
    """Draw."""
    if nothing_like_this is None:
        return _TABLE["b"] * gain
    raise Bad


# The one
# that is shown.
@np.vectorize
def shown(x: Sequence[int], flag: bool = SECOND > 1) -> Cache:
    """Show it."""
    def inner():
        """Inside."""
        return checks.real("x", noise(x))

    return Cache(inner())
'''
    )


def test_what_is_copied_runs_in_an_empty_file(package: Path, tmp_path: Path) -> None:
    code = source.standalone("initialization.shown", package=package) + "\nprint(Cache(8.0).twice(), _half(1))\n"
    file = tmp_path / "alone.py"
    file.write_text(code, "utf-8")
    ran = subprocess.run(
        [sys.executable, str(file)],
        capture_output=True,
        text=True,
        cwd=source.PACKAGE.parent,
        check=False,
        env={**os.environ, "PYTHONPATH": str(source.PACKAGE.parent)},
    )
    assert (ran.stdout, ran.stderr) == ("32.0 0.5\n", "")


def test_local_names_bring_nothing(package: Path) -> None:
    assert source.standalone("initialization.local", package=package) == (
        "from __future__ import annotations\n\n\n"
        "def local(_half):\n"
        '    """Use names that are only local."""\n'
        "    unused = _half\n"
        "    return [math for math in [unused]]\n"
    )


def test_a_body_on_the_line_of_its_definition_is_left_as_it_is(package: Path) -> None:
    assert source.displayed("initialization.one_line", package=package) == 'def one_line(): """Words."""; return 1\n'
    assert source.displayed("initialization.waits", package=package) == "async def waits(): ...\n"


def test_many_names_of_a_module_come_as_one_file(package: Path) -> None:
    path = package / "numpy" / "initialization.py"
    code = source.code(path, ["_half", "Cache"])
    assert code.index("class Cache") < code.index("def _half")
    assert code.count("def _half") == 1
    assert "Words" not in code
    ast.parse(code)


def test_a_closure_changes_with_what_it_needs_alone(package: Path) -> None:
    path = package / "numpy" / "initialization.py"
    before = source.closure(path, "noise")
    path.write_text(MODULE.replace("x / 2", "x / 3").replace("os.path.join", "os.path.split"), "utf-8")
    assert source.closure(path, "noise") == before
    path.write_text(MODULE.replace("GAIN = 2.0", "GAIN = 2.5"), "utf-8")
    assert source.closure(path, "noise") != before
    path.write_text(MODULE.replace('"""Draw."""', '"""Take."""'), "utf-8")
    assert source.closure(path, "noise").definitions == before.definitions


def test_places_are_given_by_file_and_line(package: Path) -> None:
    path, line = source.location("initialization.shown", package=package)
    assert path == package / "numpy" / "initialization.py"
    assert MODULE.splitlines()[line - 1].startswith("def shown")
    assert source.public(path) == ("Cache", "Bad", "unused", "local", "noise", "shown", "one_line", "waits")


@pytest.mark.parametrize(
    ("argument", "backend", "message"),
    [
        ("he_normal", "numpy", "'he_normal' must be a module and a name, as in initialization.he_normal"),
        ("a.b.c", "numpy", "must be a module and a name"),
        ("../a.b", "numpy", "must be a module and a name"),
        ("", "numpy", "must be a module and a name"),
        ("initialisation.shown", "numpy", "dlnotes.numpy has no module initialisation; did you mean initialization?"),
        (
            "initialization.show",
            "numpy",
            "dlnotes.numpy.initialization has no function or class show; did you mean shown?",
        ),
        ("initialization.GAIN", "numpy", "has no function or class GAIN"),
        ("initialization.shown", "torch", "dlnotes.torch has no module initialization"),
    ],
)
def test_what_is_not_there_is_said_with_the_nearest_name(
    package: Path, argument: str, backend: str, message: str
) -> None:
    with pytest.raises(source.SourceError, match=message.replace(".", r"\.").replace("?", r"\?")):
        source.displayed(argument, backend, package)
    assert not source.exists(argument, backend, package)


def test_code_that_cannot_stand_alone_is_refused(package: Path) -> None:
    path = package / "numpy" / "relative.py"
    path.write_text("from . import activations\n\n\ndef f():\n    return activations.relu\n")
    with pytest.raises(source.SourceError, match="line 1 imports relatively"):
        source.standalone("relative.f", package=package)
    path.write_text("def f(:\n")
    with pytest.raises(source.SourceError, match=r"relative\.py line 1"):
        source.standalone("relative.f", package=package)
    path.write_text("def first(): ...\n")
    with pytest.raises(source.SourceError, match=r"relative\.py has no firts; did you mean first\?"):
        source.closure(path, "firts")
    with pytest.raises(source.SourceError, match=r"there is no module numpy/gone\.py"):
        source.public(package / "numpy" / "gone.py")


def test_dependencies_are_followed_through_the_package(package: Path) -> None:
    def module(name: str, text: str) -> Path:
        path = package / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    checks = module("checks.py", "")
    relu = module("numpy/relu.py", "from dlnotes import checks\nimport numpy\n")
    layers = module("numpy/layers.py", "import dlnotes.numpy.relu\nfrom dlnotes.numpy import layers\n")
    figure = module("figures/a.py", "def f():\n    from dlnotes.numpy import layers\n")
    assert source.dependencies(figure, package) == tuple(sorted((checks, relu, layers)))
    assert source.dependencies(layers, package) == tuple(sorted((checks, relu)))
    assert source.dependencies(checks, package) == ()


KERNELS = [
    (backend, path.stem, name)
    for backend in ("numpy", "torch")
    for path in sorted((source.PACKAGE / backend).glob("*.py"))
    if path.stem != "__init__"
    for name in source.public(path)
]


@pytest.mark.parametrize(("backend", "stem", "name"), KERNELS)
def test_each_kernel_of_the_book_runs_alone(backend: str, stem: str, name: str) -> None:
    if backend == "torch":
        pytest.importorskip("torch")
    code = source.standalone(f"{stem}.{name}", backend)
    module = types.ModuleType("alone")
    sys.modules["alone"] = module
    try:
        exec(compile(code, f"{stem}.{name}", "exec"), module.__dict__)
        missing = [used for used in global_names(code) if not hasattr(module, used)]
    finally:
        del sys.modules["alone"]
    assert hasattr(module, name)
    assert not missing


def global_names(code: str) -> set[str]:
    """Give the names that functions of the code look up when they run."""
    found: set[str] = set()
    codes = [compile(code, "alone", "exec")]
    while codes:
        current = codes.pop()
        found |= {name for name in current.co_names if _loads_global(current, name)}
        codes += [constant for constant in current.co_consts if isinstance(constant, types.CodeType)]
    return found - set(dir(builtins))


def _loads_global(code: types.CodeType, name: str) -> bool:
    return any(step.opname == "LOAD_GLOBAL" and step.argval == name for step in dis.get_instructions(code))
