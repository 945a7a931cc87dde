"""Rules of the code that readers use: every module has its page, and what a docstring gives as its source exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from dlnotes.book import api, docstrings, layout, source, sources
from dlnotes.book.rules import breach

REFERENCES_PAGE = "references.md"


def described(book: breach.Book) -> Iterator[breach.Breach]:
    """Check that every module with public names has a page that describes it."""
    shown = {block.identifier for page in book.pages.values() for block in page.api}
    known = shown | {api.twin(book.layout, identifier) for identifier in shown}
    for path in modules(book):
        identifier = _dotted(book, path)
        if source.public(path) and identifier not in known:
            message = f"no page describes it; docs/api/{path.stem}.md should hold ::: {identifier}"
            yield breach.Breach(book.layout.relative(path), 1, "api", message)


def modules(book: breach.Book) -> list[Path]:
    """Give the modules that readers use: those of the backends, and those that belong to neither."""
    package = book.layout.package
    folders = (package, *(package / backend for backend in layout.BACKENDS))
    return [path for folder in folders for path in sorted(folder.glob("[!_]*.py"))]


def _dotted(book: breach.Book, path: Path) -> str:
    return ".".join(path.relative_to(book.layout.root).with_suffix("").parts)


@dataclass(frozen=True)
class Line:
    """The line `Source:` of a function, class or method."""

    path: Path
    number: int
    name: str
    doc: docstrings.Docstring


@lru_cache(maxsize=1)
def source_lines(book: breach.Book) -> list[Line]:
    """Give every line `Source:` of the modules that readers use."""
    found = []
    for path in modules(book):
        top = source.read(path).tree.body
        methods = [part for node in top if isinstance(node, ast.ClassDef) for part in node.body]
        for node in (*top, *methods):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and (text := ast.get_docstring(node, clean=False)):
                doc = docstrings.parse(text) if "Source:" in text else None
                if doc is not None and doc.line is not None:
                    found.append(Line(path, node.body[0].lineno + doc.line, node.name, doc))
    return found


def works(book: breach.Book, line: Line) -> Iterator[str]:
    """Give the keys of the works that a line names."""
    for mention in sources.mentions(line.doc.source, book.entries, book.layout):
        if mention.page == REFERENCES_PAGE:
            yield mention.anchor


def named_sources(book: breach.Book) -> Iterator[breach.Breach]:
    """Check that what a function gives as its source exists."""
    for line in source_lines(book):
        for message in _source_faults(book, line):
            yield breach.Breach(book.layout.relative(line.path), line.number, "source", message)


_SAID = re.compile(r"\b(?:definition|derived here|derivatives? of|rule of)\b")


def _source_faults(book: breach.Book, line: Line) -> Iterator[str]:
    """Say what is wrong with a line `Source:`; `dlnotes.book.sources` says what may stand there."""
    text = line.doc.source
    mentions = sources.mentions(text, book.entries, book.layout)
    yield from (mention.fault for mention in mentions if mention.fault)
    if not mentions and not _SAID.search(text):
        message = (
            "names no work, no chapter#anchor, and none of `definition`, `derived here`, `derivative of`, `rule of`"
        )
        yield f"{line.name}: {message}"
    told = re.search(r"derived here: \S+(?: \S+){3}", text)  # in the line itself
    if "derived here" in text and not (told or line.doc.derivation or _derived(book, line)):
        yield f"{line.name}: derived here, but no paragraph begins with Derivation: or Derivation of `{line.name}`:"
    for names in sources.FUNCTIONS.finditer(text):
        yield from (
            f"{line.name}: there is no {name}" for name in re.findall(r"`([\w.]+)`", names[0]) if not _is(line, name)
        )
    if re.search(r"\b(?:derivative|rule) of\b", text) and not mentions and not sources.FUNCTIONS.search(text):
        yield f"{line.name}: of which function, in `code`?"


def _is(line: Line, name: str) -> bool:
    """Say whether a function is in the module of the line, or, with its module, beside it or above it."""
    module, _, name = name.rpartition(".")
    paths = [folder / f"{module}.py" for folder in line.path.parents[:2]] if module else [line.path]
    return any(path.is_file() and name in source.read(path).definitions for path in paths)


def _derived(book: breach.Book, line: Line) -> bool:
    """Say whether the derivation stands elsewhere in the module, or in that of the same name in the other backend."""
    known = rf"Derivation of (?:`\w+`(?:, | and ))*`{line.name}`"
    for path in (line.path, *(book.layout.module(line.path.stem, backend) for backend in layout.BACKENDS)):
        if not path.is_file():
            continue
        module = source.read(path)
        twin = module.definitions.get(line.name)
        if re.search(known, module.text) or (twin and docstrings.parse(ast.get_docstring(twin) or "").derivation):
            return True
    return False
