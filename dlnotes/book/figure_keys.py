"""Hashes of the code behind a figure, by which the press knows what to compute or draw again.

Only code counts: a change of a comment or a docstring changes no key. From the chapter's own file the function and what
it needs count, from every other module of dlnotes that it reaches the whole module.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np

from dlnotes.book import layout as layouts
from dlnotes.book import source

DATA = "data"  # the folder of the package whose files `datasets` reads


def function_names(path: Path) -> tuple[str, ...]:
    """Give the public functions of a file, in its order."""
    statements = source.read(path).definitions.items()
    return tuple(name for name, node in statements if isinstance(node, ast.FunctionDef) and not name.startswith("_"))


def of_numbers(layout: layouts.Layout, path: Path, function: str) -> str:
    """Hash what a figure's numbers depend on: its code, the modules and data that it reaches, and NumPy's version."""
    return _hash([f"numpy {np.__version__}", *_code(layout, path, function)])


def of_drawing(layout: layouts.Layout, path: Path, function: str) -> str:
    """Hash what drawings depend on besides the numbers: their code, palette, paper, fonts, matplotlib's version."""
    import matplotlib

    paper = layout.package / "figures" / "paper.py"
    modules = [paper, *source.dependencies(paper, layout.package)] if paper.is_file() else []
    fonts = sorted((layout.package / "figures" / "fonts").glob("*.ttf"))
    return _hash(
        [
            f"matplotlib {matplotlib.__version__}",
            *_code(layout, path, function),
            *(_module(module) for module in modules),
            *(_file(font) for font in fonts),
        ]
    )


def _code(layout: layouts.Layout, path: Path, function: str) -> list[str]:
    needs = source.closure(path, function)
    reached = _reached(needs.imports, layout.package)
    data = layout.package / DATA
    files = sorted(data.glob("*.npz")) if any(module.stem == "datasets" for module in reached) else []
    own = [_dumped(text) for text in (*needs.imports, *needs.definitions.values())]
    return [*own, *(_module(module) for module in reached), *(_file(file) for file in files)]


def _reached(imports: Iterable[str], package: Path) -> list[Path]:
    """Give the modules of the package that the statements import, and those that these import, sorted."""
    found: set[Path] = set()
    for node in ast.parse("\n".join(imports)).body:
        if isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            names = [alias.name for alias in node.names]
        for name in names:
            parts = name.split(".")
            path = package.joinpath(*parts[1:]).with_suffix(".py")
            if parts[0] == package.name and len(parts) > 1 and path.is_file():
                found |= {path, *source.dependencies(path, package)}
    return sorted(found)


def _hash(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@cache
def _dumped(code: str) -> str:
    return ast.dump(ast.parse(code))


def _file(path: Path) -> str:
    stat = path.stat()
    return f"{path.name} {_content(path, stat.st_mtime_ns, stat.st_size)}"


@cache
def _content(path: Path, changed: int, size: int) -> str:
    """Hash a file; its time and size only tell the cache of a change."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _module(path: Path) -> str:
    stat = path.stat()
    return f"{path.name} {_parsed(path, stat.st_mtime_ns, stat.st_size)}"


@cache
def _parsed(path: Path, changed: int, size: int) -> str:
    """Give a module's code without docstrings; the time and size of the file only tell the cache of a change."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)
