"""Which page is being converted, and how its links and errors are written."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from functools import cached_property

from dlnotes.book import bibliography, ledger, numbering, pages
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
        """The numbers of this page's equations, figures and exercises."""
        return numbering.Numbers(self.page)

    @cached_property
    def claims(self) -> dict[str, ledger.Claim]:
        """The ledger, by id."""
        return {claim.id: claim for claim in ledger.load(self.layout.ledger)}

    @cached_property
    def references(self) -> dict[str, bibliography.Entry]:
        """The bibliography, by key."""
        return {entry.key: entry for entry in bibliography.load(self.layout.bibliography)}

    def chapter(self, stem: str) -> pages.Page:
        """Give the page of another chapter."""
        return pages.read(self.layout.page(stem))

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
    """Give the title of a chapter; one not yet written goes by its stem."""
    path = layout.page(stem)
    return pages.read(path).title if path.is_file() else stem.replace("_", " ").capitalize()


def chapter_question(layout: layouts.Layout, stem: str) -> str:
    """Give the question that a chapter asks: the line marked as such."""
    found = re.search(r"^(.+)\n\{ \.question \}", pages.read(layout.page(stem)).text, re.MULTILINE)
    return found[1] if found else ""
