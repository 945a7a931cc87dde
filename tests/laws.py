"""The laws of the house: each is a function of the root folder and gives the breaches that it finds there."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import io
import json
import os
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from dlnotes.book import layout, pages

FILE_LIMIT = 400
FUNCTION_LIMIT = 40


class Breach(NamedTuple):
    """A place where a law is broken."""

    path: str
    line: int
    message: str


class Import(NamedTuple):
    """One imported module, or one name of a module."""

    module: str
    name: str | None
    line: int
    top: bool
    typing_only: bool
    relative: bool


def _shown(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def sources(root: Path, *folders: str) -> list[Path]:
    """List the Python files of the package, or of some of its folders."""
    package = root / "dlnotes"
    found = [path for folder in folders or (".",) for path in (package / folder).rglob("*.py")]
    return sorted(set(found))


def imports(path: Path) -> list[Import]:
    """List what a file imports, lazy imports inside functions too."""
    tree = ast.parse(path.read_text("utf-8"), str(path))
    typing_only = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for part in ast.walk(statement)
    }
    inside = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    late = {id(part) for node in ast.walk(tree) if isinstance(node, inside) for part in ast.walk(node)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [(alias.name, None, False) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [(node.module or "", alias.name, node.level > 0) for alias in node.names]
        else:
            continue
        found += [
            Import(module, name, node.lineno, id(node) not in late, id(node) in typing_only, relative)
            for module, name, relative in names
        ]
    return found


# Law 1: one word


def one_word(root: Path) -> list[Breach]:
    """Each chapter of the nav has all its parts, and no part stands without its chapter."""
    book = layout.Layout(root)
    breaches = []
    for stem in book.stems:
        parts = [
            book.page(stem),
            book.api(stem),
            *(book.package / folder / f"{stem}.py" for folder in ("numpy", "figures", "exercises")),
            root / "tests" / f"test_{stem}.py",
            root / "tests" / "sabotage" / f"{stem}.py",
        ]
        breaches += [
            Breach(_shown(root, part), 1, f"chapter {stem} lacks this") for part in parts if not part.is_file()
        ]
    only_chapters = [
        *(book.docs / "chapters").glob("*.md"),
        *(book.docs / "api").glob("*.md"),
        *(book.package / "exercises").glob("[!_]*.py"),
        *(root / "tests" / "sabotage").glob("[!_]*.py"),
    ]
    breaches += [
        Breach(_shown(root, path), 1, "belongs to no chapter of the nav")
        for path in only_chapters
        if path.stem not in book.stems
    ]
    return breaches + _tests_of_kernels(root)


def _tests_of_kernels(root: Path) -> list[Breach]:
    breaches = []
    for backend, folders in (("numpy", ("test_{}", "bad_input/{}")), ("torch", ("test_{}", "parity/{}"))):
        for kernel in sorted((root / "dlnotes" / backend).glob("[!_]*.py")):
            wanted = [root / "tests" / f"{folder.format(kernel.stem)}.py" for folder in folders]
            breaches += [
                Breach(_shown(root, path), 1, f"dlnotes/{backend}/{kernel.name} lacks this")
                for path in wanted
                if not path.is_file()
            ]
    return breaches


def plain_names(root: Path) -> list[Breach]:
    """No numbers in names, because the order lives in the nav; no names that say nothing."""
    breaches = []
    for folder in ("docs", "dlnotes", "tests", "benchmarks"):
        for path in sorted((root / folder).rglob("*")):
            words = re.split(r"[_\W]+", path.stem.lower())
            if path.suffix in (".py", ".md") and re.search(r"\d", path.stem):
                breaches.append(Breach(_shown(root, path), 1, "a number in a name: the order lives in the nav"))
            if path.suffix in (".py", "") and {"util", "utils", "helper", "helpers", "common", "misc"} & set(words):
                breaches.append(Breach(_shown(root, path), 1, "this name does not say what is inside"))
    return breaches


def short(root: Path) -> list[Breach]:
    """No file of the package and the benchmarks has more than 400 lines of code, no function more than 40."""
    breaches = []
    for path in [*sources(root), *sorted((root / "benchmarks").rglob("*.py"))]:
        text = path.read_text("utf-8")
        tree = ast.parse(text, str(path))
        lines = code_lines(text, tree)
        if len(lines) > FILE_LIMIT:
            breaches.append(Breach(_shown(root, path), 1, f"{len(lines)} lines of code, {FILE_LIMIT} at most"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                own = sum(node.lineno <= line <= node.end_lineno for line in lines)
                if own > FUNCTION_LIMIT:
                    message = f"{node.name} has {own} lines of code, {FUNCTION_LIMIT} at most"
                    breaches.append(Breach(_shown(root, path), node.lineno, message))
    return breaches


def code_lines(text: str, tree: ast.Module) -> set[int]:
    """Number the lines that hold code: no blanks, comments or docstrings."""
    skipped = {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENCODING,
        tokenize.ENDMARKER,
    }
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in skipped:
            lines.update(range(token.start[0], token.end[0] + 1))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            lines.difference_update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return lines


# Arrows go one way

ALLOWED = {
    "__init__": set(),
    "checks": set(),
    "datasets": {"checks"},
    "numpy": {"numpy", "checks"},
    "torch": {"torch", "checks"},
    "figures": {"figures", "numpy", "datasets", "checks"},
    "exercises": {"exercises", "numpy", "datasets", "checks"},
    "book": {"book", "figures"},
    "__main__": {"book"},
}
# Packages of others that a part may import; the press may import whatever pyproject.toml declares.
OTHERS = {
    "__init__": set(),
    "checks": set(),
    "datasets": {"numpy"},
    "numpy": {"numpy"},
    "torch": {"torch"},
    "figures": {"numpy", "matplotlib"},
    "exercises": {"numpy"},
}


def _part(root: Path, path: Path) -> str:
    return path.relative_to(root / "dlnotes").parts[0].removesuffix(".py")


def _is_module(root: Path, dotted: str) -> bool:
    path = root.joinpath(*dotted.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def arrows(root: Path) -> list[Breach]:
    """Pages know figures and exercises, these know kernels, and nothing points back."""
    breaches = []
    for path in sources(root):
        part = _part(root, path)
        for found in imports(path):
            whole = f"{found.module}.{found.name}" if found.name else found.module
            first, *rest = whole.split(".")
            if first == "dlnotes":
                target = rest[0] if rest else "__init__"
                if target not in ALLOWED.get(part, set()) | {"__init__"} and _is_module(root, f"dlnotes.{target}"):
                    message = f"dlnotes.{part} must not import dlnotes.{target}"
                    breaches.append(Breach(_shown(root, path), found.line, message))
            elif first not in sys.stdlib_module_names and not found.typing_only and not found.relative:
                if first not in OTHERS.get(part, {first}):
                    breaches.append(Breach(_shown(root, path), found.line, f"dlnotes.{part} must not import {first}"))
                elif first == "matplotlib" and (found.top or path.name != "paper.py"):
                    message = "matplotlib is imported inside dlnotes/figures/paper.py: numbers come without it"
                    if part == "figures":
                        breaches.append(Breach(_shown(root, path), found.line, message))
    return breaches


def modules_not_names(root: Path) -> list[Breach]:
    """Modules of the book import each other as modules, so that a broken kernel put in place reaches every caller."""
    breaches = []
    for path in sources(root):
        for found in imports(path):
            if found.typing_only or (not found.relative and found.module.split(".")[0] != "dlnotes"):
                continue
            if found.relative:
                breaches.append(Breach(_shown(root, path), found.line, "import from dlnotes by its full name"))
            elif found.name and not _is_module(root, f"{found.module}.{found.name}"):
                message = f"import the module {found.module}, not its {found.name}"
                breaches.append(Breach(_shown(root, path), found.line, message))
    return breaches


def lazy_annotations(root: Path) -> list[Breach]:
    """Annotations cost nothing: the future import comes first, and jaxtyping is imported for type checkers alone."""
    breaches = []
    for path in sources(root):
        tree = ast.parse(path.read_text("utf-8"), str(path))
        statements = tree.body[1:] if ast.get_docstring(tree) is not None else tree.body
        if statements and ast.unparse(statements[0]) != "from __future__ import annotations":
            message = "the first statement must be `from __future__ import annotations`"
            if any(not isinstance(statement, ast.Assign) for statement in statements):
                breaches.append(Breach(_shown(root, path), statements[0].lineno, message))
        breaches += [
            Breach(_shown(root, path), found.line, "import jaxtyping under `if TYPE_CHECKING:` alone")
            for found in imports(path)
            if found.module.split(".")[0] == "jaxtyping" and not found.typing_only
        ]
    return breaches


_FILES = {"os", "io", "pathlib", "shutil", "tempfile", "glob", "urllib", "socket", "subprocess", "http", "pickle"}
_READERS = {"load", "save", "savez", "savez_compressed", "loadtxt", "savetxt", "genfromtxt", "fromfile", "memmap"}


_MAY_USE_FILES = {
    "dlnotes/figures/paper.py": "reads the font that figures are set in",
    "dlnotes/numpy/training.py": "keeps the state of a long training, so that it can be resumed",
}


def no_files(root: Path) -> list[Breach]:
    """Kernels, exercises and the numbers of figures touch no file and no network."""
    breaches = []
    for path in sources(root, "numpy", "torch", "exercises", "figures"):
        if _shown(root, path) in _MAY_USE_FILES:
            continue
        breaches += [
            Breach(_shown(root, path), found.line, f"no files here: {found.module}")
            for found in imports(path)
            if found.module.split(".")[0] in _FILES
        ]
        for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            module, _, name = called.rpartition(".")
            if called == "open" or (module in ("np", "numpy", "torch") and name in _READERS) or name == "tofile":
                breaches.append(Breach(_shown(root, path), node.lineno, f"no files here: {called}"))
    return breaches


# Names outside

_MADE = re.compile(r"\.git|\.venv|\.cache|site|build|dist|docs/assets/figures|.*__pycache__|.*(\.egg-info|_cache)")


def texts(root: Path) -> Iterator[tuple[Path, str]]:
    """Give every file of the project that can be read as text, what is made or installed left out."""
    for folder, inner, names in os.walk(root):
        at = Path(folder)
        inner[:] = [name for name in inner if not _MADE.fullmatch(_shown(root, at / name))]
        for name in sorted(names):
            with contextlib.suppress(UnicodeDecodeError):
                yield at / name, (at / name).read_text("utf-8")


_INSTALL = re.compile(r"\b(?:pip3?|uv)\s+(?:install|add)\b(.*)")
_FOREIGN = re.compile(r"(?<![\w./-])dlnotes(?:-book)?(?![\w./-])(?!\S*\s*@)")


def no_foreign_install(root: Path) -> list[Breach]:
    """Nobody is told to install our name from a registry, where it belongs to somebody else.

    Tests may quote the command, as an example of what is refused.
    """
    return [
        Breach(_shown(root, path), number, "install from the repository: on a registry this name is somebody else's")
        for path, text in texts(root)
        if path.relative_to(root).parts[0] != "tests"
        for number, line in enumerate(text.splitlines(), 1)
        if (found := _INSTALL.search(line)) and _FOREIGN.search(found[1])
    ]


def vendored(root: Path) -> list[Breach]:
    """What was taken from others is what was recorded, byte for byte, and nothing lies beside it unrecorded."""
    assets = root / "docs" / "assets"
    recorded = {
        name: value
        for package in json.loads((assets / "vendored.json").read_text("utf-8"))
        for name, value in package["sha256"].items()
    }
    folders = {name.split("/")[0] for name in recorded}
    present = {
        path.relative_to(assets).as_posix()
        for folder in folders
        for path in (assets / folder).rglob("*")
        if path.is_file()
    }
    breaches = [
        Breach(f"docs/assets/{name}", 1, "is not recorded in vendored.json") for name in sorted(present - set(recorded))
    ]
    for name, expected in recorded.items():
        path = assets / name
        if not path.is_file():
            breaches.append(Breach(f"docs/assets/{name}", 1, "is recorded in vendored.json and missing"))
        elif hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            breaches.append(Breach(f"docs/assets/{name}", 1, "is not what vendored.json records"))
    return breaches


# Pages

_PAGE_IMPORTS = {"numpy", "torch", "figures", "exercises", "datasets"}


def page_imports(root: Path) -> list[Breach]:
    """A block needs NumPy, torch and this package, and nothing else that would have to be installed."""
    breaches = []
    for path in sorted((root / "docs").rglob("*.md")):
        for block in pages.read(path).blocks:
            try:
                tree = ast.parse(block.code)
            except SyntaxError:
                continue  # running the block reports it
            for node in ast.walk(tree):
                for module in _modules(node):
                    first, *rest = module.split(".")
                    known = first in sys.stdlib_module_names or first in ("numpy", "torch")
                    if not known and not (first == "dlnotes" and (not rest or rest[0] in _PAGE_IMPORTS)):
                        message = f"a block of a page must not import {module}"
                        breaches.append(Breach(_shown(root, path), block.line + node.lineno, message))
    return breaches


def _modules(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module == "dlnotes":
        return [f"dlnotes.{alias.name}" for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
