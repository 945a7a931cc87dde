"""A chapter as a whole: the main page, and beside it the derivation, the evidence, and the exercises with the cards."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from dlnotes.book import layout as layouts
from dlnotes.book import numbering, pages


@dataclass(frozen=True, eq=False)
class Chapter:
    """The pages of a chapter by their paths below docs/, the main page first."""

    stem: str
    pages: dict[str, pages.Page]

    @property
    def main(self) -> pages.Page:
        """The main page."""
        return next(iter(self.pages.values()))

    @property
    def title(self) -> str:
        """The title of the main page."""
        return self.main.title

    @property
    def question(self) -> str:
        """The question that the chapter asks: the line marked as such."""
        found = re.search(r"^(.+)\n\{ \.question \}", self.main.text, re.MULTILINE)
        return found[1] if found else ""

    @cached_property
    def numbers(self) -> numbering.Numbers:
        """The numbers of equations, figures and exercises, counted through all pages."""
        return numbering.Numbers(tuple(self.pages.values()))

    @property
    def cited(self) -> set[str]:
        """Keys of the sources that the chapter cites."""
        return {citation.key for page in self.pages.values() for citation in page.citations}

    def named(self, name: str) -> Iterator[tuple[str, pages.Directive]]:
        """Give the directives of one name, each with the page on which it stands."""
        for path, page in self.pages.items():
            for directive in page.named(name):
                yield path, directive

    def blocks(self) -> Iterator[tuple[str, pages.Fence]]:
        """Give the Python blocks, each with the page on which it stands."""
        for path, page in self.pages.items():
            for fence in page.blocks:
                yield path, fence

    def home(self, kind: str, label: str) -> str | None:
        """Give the page on which an equation, a figure or an exercise stands, by its label, name or id."""
        for path, page in self.pages.items():
            if label in getattr(_alone(page), f"{kind}s"):
                return path
        return None


@lru_cache(maxsize=256)
def _alone(page: pages.Page) -> numbering.Numbers:
    """Give the numbers of one page, of which only the names matter here."""
    return numbering.Numbers((page,))


def read(layout: layouts.Layout, stem: str) -> Chapter:
    """Read the pages of a chapter that there are, once for each state of them."""
    found = layout.chapter_pages(stem)
    return _joined(stem, layout.docs, found, tuple(map(pages.read, found)))


@lru_cache(maxsize=256)
def _joined(stem: str, docs: Path, found: tuple[Path, ...], read: tuple[pages.Page, ...]) -> Chapter:
    return Chapter(stem, {path.relative_to(docs).as_posix(): page for path, page in zip(found, read, strict=True)})
