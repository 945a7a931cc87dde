"""What the rules are asked about, and what they answer."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from dlnotes.book import bibliography, chapters, ledger, pages, records
from dlnotes.book import layout as layouts


@dataclass(frozen=True, order=True)
class Breach:
    """A place where a rule is broken."""

    path: str
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.message}"


@dataclass(frozen=True, eq=False)
class Book:
    """Everything that the rules read, each page parsed once; pages go by their path below docs/."""

    layout: layouts.Layout

    @cached_property
    def pages(self) -> dict[str, pages.Page]:
        """All pages, those of the nav first and in its order."""
        found = {path.relative_to(self.layout.docs).as_posix(): path for path in sorted(self.layout.docs.rglob("*.md"))}
        order = [name for name in self.layout.nav if name in found]
        return {name: pages.read(found[name]) for name in dict.fromkeys((*order, *found))}

    @cached_property
    def claims(self) -> dict[str, ledger.Claim]:
        """The ledger by id; empty when it cannot be read."""
        try:
            return {claim.id: claim for claim in ledger.load(self.layout.ledger)}
        except records.RecordError:
            return {}

    @cached_property
    def entries(self) -> dict[str, bibliography.Entry]:
        """The bibliography by key; empty when it cannot be read."""
        try:
            return {entry.key: entry for entry in bibliography.load(self.layout.bibliography)}
        except records.RecordError:
            return {}

    def stem(self, name: str) -> str | None:
        """Give the stem of the chapter of the nav to which a page belongs, else None."""
        stem = self.layout.stem(name)
        return stem if stem in self.layout.stems else None

    def chapter(self, stem: str) -> chapters.Chapter | None:
        """Give a chapter, or None where its main page is missing."""
        names = (path.relative_to(self.layout.docs).as_posix() for path in self.layout.chapter_pages(stem))
        found = {name: self.pages[name] for name in names if name in self.pages}
        return chapters.Chapter(stem, found) if f"chapters/{stem}.md" in found else None

    def shown(self, name: str) -> str:
        """Give the path of a page as a breach shows it."""
        return self.layout.relative(self.layout.docs / name)


def meant(name: str, known: Iterable[str]) -> str:
    """Give the end of a message that suggests the nearest known name."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""
