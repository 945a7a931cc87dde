"""Where the chapters use what the reference of the code describes: functions shown, and called in blocks."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from dlnotes.book import layout as layouts
from dlnotes.book import pages


class Place(NamedTuple):
    """A place of a chapter: the page below docs/ and its title, and an anchor on it."""

    page: str
    title: str
    anchor: str


def places(layout: layouts.Layout) -> dict[str, tuple[Place, ...]]:
    """Give for each dotted name of the package the places of the chapters that use it, the first of each page."""
    found = [path for stem in layout.stems for path in layout.chapter_pages(stem)]
    return _places(layout.docs, tuple((path, path.stat().st_mtime_ns) for path in found))


@lru_cache(maxsize=4)
def _places(docs: Path, state: tuple[tuple[Path, int], ...]) -> dict[str, tuple[Place, ...]]:
    made: dict[str, dict[str, Place]] = {}
    for path, _ in state:
        page, name = pages.read(path), path.relative_to(docs).as_posix()
        for used, anchor in _used(page):
            made.setdefault(used, {}).setdefault(name, Place(name, page.title, anchor))
    return {used: tuple(by_page.values()) for used, by_page in made.items()}


def _used(page: pages.Page) -> Iterator[tuple[str, str]]:
    """Give the names that a page uses, each with an anchor near it: what it shows first, then what its blocks call."""
    for part in page.named("kernel"):
        argument = part.argument or ""
        for backend in layouts.BACKENDS:
            yield f"dlnotes.{backend}.{argument}", f"kernel-{argument.replace('.', '-')}"
    for fence in page.blocks:
        around = fence.inside("claim") or fence.inside("exercise")
        above = [heading.anchor for heading in page.headings if heading.line < fence.line]
        anchor = f"{around.name}-{around.argument}" if around else above[-1] if above else ""
        for name in called(fence.code):
            yield name, anchor


def called(code: str) -> set[str]:
    """Give the dotted names of the package that a block names: `momentum.Nesterov` after its import."""
    try:
        tree = ast.parse(code)
    except SyntaxError:  # the runner of blocks reports it
        return set()
    modules = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "dlnotes":
            modules |= {part.asname or part.name: f"{node.module}.{part.name}" for part in node.names}
        if isinstance(node, ast.Import):
            named_anew = (part for part in node.names if part.asname and part.name.startswith("dlnotes."))
            modules |= {part.asname: part.name for part in named_anew}
    named = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name))
    return {f"{modules[node.value.id]}.{node.attr}" for node in named if node.value.id in modules}
