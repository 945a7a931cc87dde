"""Which page is being converted, and how its links and errors are written."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from functools import cached_property

from dlnotes.book import bibliography, chapters, ledger, numbering, pages
from dlnotes.book import layout as layouts


class PageError(Exception):
    """Something on a page that cannot be shown; the message begins with file and line."""


@dataclass(frozen=True, eq=False)
class Context:
    """The text being converted. `source` is its path below docs/, or None for text that is no page, as a docstring."""

    layout: layouts.Layout
    source: str | None
    page: pages.Page

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
