"""Which page is being converted, and how its links and errors are written."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from dlnotes.book import bibliography, chapters, ledger, numbering, pages
from dlnotes.book import layout as layouts

_REFERENCED = {"eqref": "equation", "figref": "figure"}


class PageError(Exception):
    """Something on a page that cannot be shown; the message begins with file and line."""


class Reference(NamedTuple):
    """What a reader sees of a reference, and where it leads: a page below docs/ and a place on it."""

    text: str
    page: str
    anchor: str


@dataclass(frozen=True, eq=False)
class Context:
    """The text being converted. `source` is its path below docs/, or None for text that is no page, as a docstring.

    `alone` says that it becomes a document of its own, beside those of the other pages.
    """

    layout: layouts.Layout
    source: str | None
    page: pages.Page
    alone: bool = False

    @cached_property
    def numbers(self) -> numbering.Numbers:
        """The numbers of this page's equations, figures and exercises, counted through its chapter."""
        return self.chapter(self.stem).numbers if self.stem else numbering.Numbers((self.page,))

    @cached_property
    def stem(self) -> str | None:
        """Stem of the chapter to which this page belongs, or None."""
        return self.layout.stem(self.source) if self.source else None

    @cached_property
    def claims(self) -> dict[str, ledger.Claim]:
        """The ledger, by id."""
        return {claim.id: claim for claim in ledger.load(self.layout.ledger)}

    @cached_property
    def references(self) -> dict[str, bibliography.Entry]:
        """The bibliography, by key."""
        return {entry.key: entry for entry in bibliography.load(self.layout.bibliography)}

    def chapter(self, stem: str) -> chapters.Chapter:
        """Give a chapter."""
        return chapters.read(self.layout, stem)

    def reference(self, kind: str, name: str) -> Reference:
        r"""Read `\\eqref{name}` or `\\figref{name}`; that of another chapter has its stem in front."""
        named, _, label = name.rpartition("/")
        stem = named or self.stem
        word = _REFERENCED[kind]
        if stem and not self.layout.page(stem).is_file():
            raise self.error(f"\\{kind}{{{name}}}: there is no chapter {stem}", self._line(kind, name))
        chapter = self.chapter(stem) if stem else None
        numbers = chapter.numbers if chapter else self.numbers
        number = (numbers.equations if kind == "eqref" else numbers.figures).get(label)
        if number is None:
            raise self.error(f"\\{kind}{{{name}}}: there is no such {word}", self._line(kind, name))
        text = f"({number})" if kind == "eqref" else f"Figure {number}"
        if chapter and stem != self.stem:
            text += f" in {chapter.title}"
        page = (chapter.home(word, label) if chapter else self.source) or ""
        return Reference(text, page, f"{'eq' if kind == 'eqref' else 'figure'}-{label}")

    def _line(self, kind: str, name: str) -> int | None:
        """Find the line of a reference."""
        if kind == "eqref":
            return next((part.line for part in self.page.equation_references if part.label == name), None)
        return next((part.line for part in self.page.figure_references if part.name == name), None)

    def claim(self, name: str) -> ledger.Claim:
        r"""Give the claim of `\\claimref{name}`."""
        claim = self.claims.get(name)
        if claim is None:
            line = next((part.line for part in self.page.claim_references if part.id == name), None)
            raise self.error(f"\\claimref{{{name}}}: the ledger has no such claim", line)
        return claim

    def citation(self, key: str, locator: str) -> tuple[str, bibliography.Entry]:
        """Read `[@key, locator]`: what a reader sees, and the source."""
        entry = self.references.get(key)
        if entry is None:
            line = next((part.line for part in self.page.citations if part.key == key), None)
            raise self.error(f"[@{key}]: the bibliography has no such key", line)
        text = bibliography.short(entry)
        return f"{text[:-1]}, {locator})" if locator else text, entry

    def href(self, target: str, anchor: str = "") -> str:
        """Give the link to a page below docs/, from this page; the builder turns it into an address."""
        fragment = f"#{anchor}" if anchor else ""
        if target == self.source:
            return fragment or posixpath.basename(target)
        return posixpath.relpath(target, posixpath.dirname(self.source or "")) + fragment

    def error(self, message: str, line: int | None = None) -> PageError:
        """Give the error to raise: it names the file and, where known, the line."""
        place = self.layout.relative(self.layout.docs / self.source) if self.source else "text that is no page"
        return PageError(f"{place}:{line}: {message}" if line else f"{place}: {message}")

    def directive_line(self, name: str, argument: str | None) -> int | None:
        """Give the line on which a directive of this page opens."""
        return next((part.line for part in self.page.named(name) if part.argument == argument), None)


def find(layout: layouts.Layout, text: str) -> Context:
    """Find the page whose text this is; a converter is told the text of a page and not its name."""
    bare = pages.bare(text)
    for path in sorted(layout.docs.rglob("*.md")):
        page = pages.read(path)
        # Asked for every docstring of the reference: most pages differ in length already.
        if len(page.bare) == len(bare) and page.bare == bare:
            return Context(layout, path.relative_to(layout.docs).as_posix(), page)
    return Context(layout, None, pages.parse(text))


def chapter_title(layout: layouts.Layout, stem: str) -> str:
    """Give the title of a chapter; one not yet written goes by that of its functions, or its stem."""
    path = layout.page(stem)
    if path.is_file():
        return pages.read(path).title
    return layout.nav.get(f"api/{stem}.md") or stem.replace("_", " ").capitalize()
