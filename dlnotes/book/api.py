"""The reference of the code: every public function and class of a module once, with what both backends say of it.

mkdocstrings collects the modules and sets the pages; `api_extension` hands it what is built here. The modules are read
from their text and never imported. The module of the same name in the other backend, the twin, has no page of its own.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from xml.etree import ElementTree

from dlnotes.book import api_text, bibliography, docstrings, elements, layout, pages, source, usage

_LABELS = {"numpy": "NumPy", "torch": "PyTorch"}
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
Element = ElementTree.Element


def _label(identifier: str) -> str:
    """Name the backend of a module; nothing for one that belongs to neither."""
    return _LABELS.get(identifier.removeprefix("dlnotes.").partition(".")[0], "")


def html(parts: list[Element]) -> str:
    """Write elements as HTML."""
    return "".join(ElementTree.tostring(part, encoding="unicode", method="html") for part in parts)


# Where a name is described


@lru_cache(maxsize=4)
def _places(docs: Path, state: tuple[tuple[str, int], ...]) -> dict[str, str]:
    return {block.identifier: path for path, _ in state for block in pages.read(docs / path).api}


def places(book: layout.Layout) -> dict[str, str]:
    """Give the page of every module that a page describes, twins left out."""
    files = [path for path in (book.docs / "api.md", *sorted((book.docs / "api").glob("*.md"))) if path.is_file()]
    return _places(
        book.docs, tuple((path.relative_to(book.docs).as_posix(), path.stat().st_mtime_ns) for path in files)
    )


def module_path(book: layout.Layout, identifier: str) -> Path | None:
    """Find the file of a module or package of the book by its dotted name."""
    base = book.root.joinpath(*identifier.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


def twin(book: layout.Layout, identifier: str) -> str | None:
    """Give the module of the same name in PyTorch, for one of NumPy; None for others and where there is none."""
    first, _, stem = identifier.rpartition(".")
    other = f"dlnotes.torch.{stem}"
    return other if first == "dlnotes.numpy" and module_path(book, other) else None


def anchor(book: layout.Layout, identifier: str) -> str:
    """Give the anchor of a name: that of NumPy's where both backends have it, because one entry serves both."""
    first = identifier.replace("dlnotes.torch.", "dlnotes.numpy.")
    module, _, name = first.rpartition(".")
    path = module_path(book, module)
    return first if path is not None and name in source.public(path) else identifier


def described(identifier: str) -> str:
    """Give the name under which the reference describes a function: its own, or that of the module of a private one."""
    module, _, name = identifier.rpartition(".")
    return module if name.startswith("_") else identifier


def place(book: layout.Layout, identifier: str, known: dict[str, str]) -> tuple[str, str] | None:
    """Give page and anchor where a module, or a function or class of one, is described; `known` is from `places`."""
    module, _, name = identifier.rpartition(".")
    for described, within in ((identifier, ""), (module, anchor(book, identifier))):
        page = known.get(described) or known.get(described.replace("dlnotes.torch.", "dlnotes.numpy."))
        path = module_path(book, described) if page else None
        if page and path and (not within or name in source.public(path)):
            return page, within
    return None


# What is described


@dataclass(frozen=True)
class Side:
    """A function or class in one backend, or in a module that belongs to none (then `label` is empty)."""

    identifier: str
    node: Definition
    label: str

    @cached_property
    def doc(self) -> docstrings.Docstring:
        """Its docstring, read."""
        return docstrings.parse(ast.get_docstring(self.node) or "")


@dataclass(frozen=True)
class Entry:
    """One name: its sides, the first of which gives the text, and the reference of the module that it belongs to."""

    sides: tuple[Side, ...]
    reference: Reference

    @property
    def name(self) -> str:
        """The name, without its module."""
        return self.sides[0].node.name

    @property
    def identifier(self) -> str:
        """The dotted name, which is also the anchor."""
        return self.sides[0].identifier

    @property
    def role(self) -> str:
        """What it is, for the inventory of names."""
        return "class" if isinstance(self.sides[0].node, ast.ClassDef) else "function"

    @property
    def only(self) -> str:
        """The backend, where it is in one of two."""
        return f"{self.sides[0].label} only" if len(self.sides) < len(self.reference.paths) else ""

    @property
    def shown(self) -> str:
        """The name as HTML that a narrow screen may break."""
        return html([elements.element("code", *api_text.breakable(self.name))])

    @property
    def body(self) -> str:
        """Everything below the heading, as HTML."""
        first, *others = self.sides
        links = self.reference.links
        anchors = [other.identifier for other in others]
        anchors += [f"{side.identifier}.{name}" for side in self.sides for name in _fields(side.node)]
        anchors += [f"{side.identifier}.{part.name}" for side in others for part in _methods(side.node)]
        made = [elements.element("span", id=anchor) for anchor in anchors]
        made += [*_signatures(self.sides), *_described(first, links)]
        for other in others:
            made += _otherwise(first, other, links)
        for node in _methods(first.node):
            method = Side(f"{first.identifier}.{node.name}", node, first.label)
            inner = elements.element("div", class_="api__method", id=method.identifier)
            inner.extend([*_signatures((method,)), *_described(method, links)])
            made.append(inner)
        return html([*made, *self._used()])

    def _used(self) -> Iterator[Element]:
        """Say which pages of the chapters show it or call it."""
        known = usage.places(self.reference.book)
        by_page: dict[str, usage.Place] = {}
        for side in self.sides:
            for place in known.get(side.identifier, ()):
                by_page.setdefault(place.page, place)
        if by_page:
            said = elements.element("p", elements.element("b", "Used in "), class_="api__used")
            for number, place in enumerate(by_page.values()):
                if number:
                    said[-1].tail = ", "
                href = self.reference.links.href(place.page, place.anchor)
                said.append(elements.element("a", place.title, href=href))
            yield said


@dataclass(frozen=True)
class Reference:
    """What is said of a module and its twin, or of a package; what pages of the API, in docs/api/, show."""

    book: layout.Layout
    identifier: str

    @cached_property
    def paths(self) -> dict[str, Path]:
        """The files of the module and its twin, by dotted name."""
        names = (self.identifier, twin(self.book, self.identifier))
        return {name: path for name in names if name and (path := module_path(self.book, name))}

    @cached_property
    def links(self) -> api_text.Links:
        """What the texts of the module link to."""
        known = places(self.book)
        entries = {entry.key: entry for entry in bibliography.load(self.book.bibliography)}
        return api_text.Links(self.book, entries, self.identifier, lambda name: place(self.book, name, known))

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """The names of the modules, in the order of the first; what the first lacks comes last."""
        found: dict[str, list[Side]] = {}
        for identifier, path in self.paths.items():
            label = _label(identifier)
            for name in source.public(path):
                node = source.read(path).definitions[name]
                found.setdefault(name, []).append(Side(f"{identifier}.{name}", node, label))
        return tuple(Entry(tuple(sides), self) for sides in found.values())

    @property
    def intro(self) -> str:
        """How the module is imported, and what it says of itself; what the twin says besides."""
        imports = " or ".join(
            f"`from {name.rpartition('.')[0]} import {name.rpartition('.')[2]}`" for name in self.paths
        )
        made = [elements.element("p", *self.links.inline(imports), class_="api__import")]
        first, *others = ((name, _of_module(path)) for name, path in self.paths.items())
        made += [self.links.paragraph(part) for part in first[1].paragraphs]
        for name, doc in others:
            if texts := [part.text for part in doc.paragraphs if part not in first[1].paragraphs]:
                label = elements.element("b", f"In {_label(name)} ")
                shown = elements.element("p", label, *self.links.inline(" ".join(texts)))
                made.append(elements.element("div", shown, class_="api__twin"))
        return html(made)

    @property
    def index(self) -> str:
        """The names, each with its first sentence; of a package, its modules that have a page."""
        rows = elements.element("tbody")
        if self.paths[self.identifier].name == "__init__.py":
            rows.extend(self._modules())
        else:
            for entry in self.entries:
                code = elements.element("code", *api_text.breakable(entry.name))
                link = elements.element("a", code, href=f"#{entry.identifier}")
                rows.append(_row(link, entry.sides[0].doc.summary, entry.only))
        return html([elements.element("table", rows, class_="api-index")])

    def _modules(self) -> Iterator[Element]:
        """Build a row for each module of a package; those that only PyTorch has stand with those of NumPy."""
        known = places(self.book)
        folders = {self.identifier: self.paths[self.identifier].parent}
        if self.identifier == "dlnotes.numpy":
            folders["dlnotes.torch"] = self.book.package / "torch"
        for package, folder in folders.items():
            for path in sorted(folder.glob("[!_]*.py")):
                page = known.get(f"{package}.{path.stem}")
                if page:
                    title = pages.read(self.book.docs / page).title.removeprefix("API: ")
                    address = page.removesuffix(".md").removeprefix("api/")
                    yield _row(elements.element("a", title, href=f"{address}/"), _of_module(path).summary, "")


def _of_module(path: Path) -> docstrings.Docstring:
    return docstrings.parse(ast.get_docstring(source.read(path).tree) or "")


def _row(link: Element, summary: str, only: str) -> Element:
    said = elements.element("td", api_text.plain(summary))
    if only:
        said.append(elements.element("span", f" {only}", class_="api__only"))
    return elements.element("tr", elements.element("td", link), said)


def _fields(node: Definition) -> Iterator[str]:
    """Give the names of the public fields of a class."""
    if isinstance(node, ast.ClassDef):
        targets = (getattr(part, "target", None) for part in node.body)
        yield from (target.id for target in targets if isinstance(target, ast.Name) and target.id[0] != "_")


def _methods(node: Definition) -> Iterator[Definition]:
    """Give the public methods of a class."""
    if isinstance(node, ast.ClassDef):
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
        yield from (part for part in node.body if isinstance(part, kinds) and not part.name.startswith("_"))


def _signatures(sides: tuple[Side, ...]) -> Iterator[Element]:
    """Give the signature, once where the backends have the same."""
    texts: dict[str, list[str]] = {}
    for side in sides:
        texts.setdefault(api_text.signature(side.node), []).append(side.label)
    for text, labels in texts.items():
        label = [elements.element("span", labels[0], class_="api__label")] if len(texts) > 1 else []
        code = elements.element("code", *api_text.breakable(text))
        yield elements.element("p", *label, code, class_="api__signature")


def _described(side: Side, links: api_text.Links) -> Iterator[Element]:
    """Give everything that a docstring says."""
    doc = side.doc
    for part in doc.paragraphs:
        yield links.paragraph(part)
    if items := doc.sections.get("Args", doc.sections.get("Attributes", ())):
        yield links.items(items, api_text.kinds(side.node))
    if doc.returns:
        yield elements.element("p", elements.element("b", "Returns "), *links.inline(doc.returns))
    if raised := doc.sections.get("Raises", ()):
        said = " ".join(f"`{item.name}` {item.text[:1].lower()}{item.text[1:]}" for item in raised)
        yield elements.element("p", elements.element("b", "Raises "), *links.inline(said))
    for number, part in enumerate(doc.derivation):
        shown = links.paragraph(part)
        if number == 0:
            shown = elements.element("p", elements.element("b", "Derivation "), *links.inline(part.text))
        yield shown
    if doc.source:
        yield elements.element("p", elements.element("b", "Source "), *links.source(doc.source), class_="api__source")


# A twin refers to the first for what both say.
_AS_IN = re.compile(r"(?:[A-Z][a-z]+, )?[A-Za-z]+ and [a-z]+ as in `dlnotes\.numpy\.[\w.]+`(?:\.|; (.*))")


def _otherwise(first: Side, other: Side, links: api_text.Links) -> Iterator[Element]:
    """Give what the docstring of a twin says and that of the first does not."""
    mine, theirs = first.doc, other.doc
    known = {part.text for part in mine.paragraphs}
    texts = [part.text for part in theirs.paragraphs if part.text not in known]
    told = [found[1] or "" if (found := _AS_IN.fullmatch(text)) else text for text in texts]
    told += [f"Returns: {theirs.returns}"] if theirs.returns not in ("", mine.returns) else []
    said = {item.name: item.text for items in mine.sections.values() for item in items}
    items = [
        item
        for title in ("Args", "Attributes")
        for item in theirs.sections.get(title, ())
        if said.get(item.name) != item.text
    ]
    told = [text[:1].upper() + text[1:] for text in told if text]
    if told or items:
        label = elements.element("b", f"In {other.label} ")
        block = elements.element("div", elements.element("p", label, *links.inline(" ".join(told))), class_="api__twin")
        if items:
            block.append(links.items(tuple(items), api_text.kinds(other.node)))
        yield block
