"""The book as one thing: its pages in the order in which they are read, with links that stay inside of it.

Two forms are made of it: one file, in which each id stands once, and a file for each page.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from dlnotes.book import articles
from dlnotes.book import layout as layouts

# What a bound book has no use for: the reference of the code, the list of cards that stand in the chapters as well, and
# the page on what can be taken along, of which the bound book is a part.
LEFT_OUT = ("api.md", "api/", "flashcards.md", "take_along.md")
_REFERRING = ("aria-labelledby", "aria-describedby", "for")
_HOME = "https://book.invalid/"  # stands for the site's address while links are resolved


@dataclass(frozen=True, eq=False)
class Page:
    """A page of the bound book: its source below docs/, its title, how deep it stands, and its text."""

    name: str
    title: str
    depth: int  # 0 before the parts, 1 for a chapter, 2 beside it
    root: articles.Element

    @property
    def key(self) -> str:
        """A word that names the page in the bound book."""
        return self.name.removesuffix(".md").replace("/", "-").replace("_", "-")


@dataclass(frozen=True, eq=False)
class Part:
    """Pages under one title of the nav; those before the first part have none."""

    title: str | None
    pages: tuple[Page, ...]

    @property
    def key(self) -> str:
        """A word that names the part in the bound book."""
        return f"part-{self.pages[0].key}"


@dataclass(frozen=True, eq=False)
class Book:
    """The pages that are bound, and what mkdocs.yml says of the whole."""

    parts: tuple[Part, ...]
    description: str
    rights: str
    site_url: str  # empty if the site has no address

    @property
    def title(self) -> str:
        """The title of the first page, which is home."""
        return next(self.pages).title

    @property
    def pages(self) -> Iterator[Page]:
        """All pages in their order."""
        return (page for part in self.parts for page in part.pages)


def book(layout: layouts.Layout, site: Path, stems: tuple[str, ...] | None = None) -> Book:
    """Read the pages of the built site in the order of the nav, each chapter with the pages beside it.

    Args:
        layout: Where the book lies.
        site: Folder of the built site.
        stems: Chapters to bind; all, if none are named.
    """
    parts = []
    for title, names in _groups(layout):
        wanted = [name for name in names if stems is None or layout.stem(name) in (None, *stems)]
        pages = tuple(page for name in wanted for page in _pages(layout, site, name, 0 if title is None else 1))
        if pages:
            parts.append(Part(title, pages))
    said = (layout.settings.get(name) or "" for name in ("site_description", "copyright"))
    return Book(tuple(parts), *map(str.strip, said), layout.site_url)


def _groups(layout: layouts.Layout) -> Iterator[tuple[str | None, list[str]]]:
    """Walk the parts of the nav, without what is left out."""
    for entry in layout.settings.get("nav") or []:
        inner = next(iter(entry.values())) if isinstance(entry, dict) else entry
        title = next(iter(entry)) if isinstance(entry, dict) and isinstance(inner, list) else None
        yield title, [name for name in _names(inner) if not name.startswith(LEFT_OUT)]


def _names(entry: Any) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
    elif isinstance(entry, dict):
        for inner in entry.values():
            yield from _names(inner)
    else:
        for inner in entry:
            yield from _names(inner)


def _pages(layout: layouts.Layout, site: Path, name: str, depth: int) -> Iterator[Page]:
    stem = layout.stem(name)
    names = [name]
    if stem is not None:
        names = [path.relative_to(layout.docs).as_posix() for path in layout.chapter_pages(stem)]
    for place, found in enumerate(names):
        root = articles.cleaned(articles.article(site, found))
        heading = root.find("h1")
        if heading is None:
            raise articles.ArticleError(f"{found} has no title")
        yield Page(found, articles.text(heading), depth + (place > 0), root)


def bind(book: Book, place: Callable[[Page, str], str], prefixed: bool) -> None:
    """Change the links of all pages, in place, so that they lead to where things stand in the bound book.

    A link to what is not bound leads to the site, or is plain text if the site has no address.

    Args:
        book: The pages; their ids are changed if `prefixed`.
        place: Gives the link to an id of a page; an empty id means the page.
        prefixed: Whether ids begin with the page's key, because all pages stand in one file.
    """
    ids = {page.name: {node.get("id") for node in page.root.iter() if node.get("id")} for page in book.pages}
    by_address = {_HOME + articles.address(page.name): page for page in book.pages}

    def target(page: Page, link: str) -> str | None:
        absolute = urljoin(_HOME + articles.address(page.name), link)
        if not absolute.startswith(_HOME):
            return absolute
        parts = urlsplit(absolute)
        found = by_address.get(parts._replace(fragment="").geturl().removesuffix("index.html"))
        if found is None:
            return urljoin(book.site_url, absolute.removeprefix(_HOME)) if book.site_url else None
        return place(found, parts.fragment if parts.fragment in ids[found.name] else "")

    for page in book.pages:
        for node in page.root.iter():
            if node.tag == "a" and "href" in node.attrib:
                link = target(page, node.get("href"))
                if link is None:
                    node.tag = "span"
                    node.attrib = {name: value for name, value in node.attrib.items() if name == "class"}
                else:
                    node.set("href", link)
                    node.attrib.pop("title", None)
            if prefixed:
                _prefix(node, page.key)


def _prefix(node: articles.Element, key: str) -> None:
    if "id" in node.attrib:
        node.set("id", unique(key, node.get("id")))
    for name in _REFERRING:
        if name in node.attrib:
            node.set(name, " ".join(unique(key, word) for word in node.get(name).split()))


def unique(key: str, identifier: str) -> str:
    """Give the id of something of a page in a file that holds all pages."""
    return f"{key}--{identifier}" if identifier else key


def short_title(page: Page) -> str:
    """Give the title of a page for the contents; one beside a chapter is called as in the site's row of links."""
    return layouts.BESIDE[page.name.rpartition("/")[2].removesuffix(".md")] if page.depth == 2 else page.title


def image_path(page: Page, source: str) -> str:
    """Give the place of an image below the site's folder."""
    return posixpath.normpath(posixpath.join(articles.address(page.name), source))
