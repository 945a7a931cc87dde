"""Rules of the shape: headings, the sections of a chapter, the nav, and what no page may say."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dlnotes.book import bibliography, ledger, pages, records, scan
from dlnotes.book import layout as layouts
from dlnotes.book.rules import breach

SECTIONS = (
    "The idea",
    "The derivation",
    "The code",
    "Experiments",
    "What the notes say",
    "Since the notes",
    "Exercises",
    "Flashcards",
    "Reference",
)
# The same for a chapter whose derivation, evidence and exercises are pages beside the main page.
MAIN_SECTIONS = (
    "In short",
    "The idea",
    "Why",
    "The code",
    "Experiments",
    "What the notes say",
    "Since the notes",
    "Reference",
)
PRACTICE_SECTIONS = ("Exercises", "Flashcards")
_INSTALL = re.compile(r"\b(?:pip3?|pipx)\s+install\b([^\n]*)|\buv\s+(?:add|pip\s+install)\b([^\n]*)")
# Another project owns this name on PyPI.
_TAKEN = re.compile(r"^[\"'`]*dlnotes(?![\w./-])")


def faults(book: breach.Book, name: str, page: pages.Page) -> Iterator[breach.Breach]:
    """Give what the parser could not read."""
    path = book.shown(name)
    yield from (breach.Breach(path, fault.line, fault.rule, fault.message) for fault in page.faults)
    if page.front_matter_error:
        yield breach.Breach(
            path, 1, "front-matter", f"the settings at the top cannot be read: {page.front_matter_error}"
        )


def headings(book: breach.Book, name: str, page: pages.Page) -> Iterator[breach.Breach]:
    """Check that a page has one title and skips no level."""
    path = book.shown(name)
    titles = [heading for heading in page.headings if heading.level == 1]
    if len(titles) != 1:
        line = titles[1].line if titles else page.body_line
        yield breach.Breach(path, line, "heading", f"a page has one heading of level 1, this one has {len(titles)}")
    before = 0
    for heading in page.headings:
        if heading.level > before + 1 and before:
            message = f"{heading.text!r} is of level {heading.level} below one of level {before}"
            yield breach.Breach(path, heading.line, "heading", message)
        if not heading.text:
            yield breach.Breach(path, heading.line, "heading", "the heading is empty")
        before = heading.level


def sections(book: breach.Book, name: str, page: pages.Page) -> Iterator[breach.Breach]:
    """Check that a chapter has its sections, in their order, and what comes before them."""
    stem = book.stem(name)
    if stem is None:
        return
    path = book.shown(name)
    for key in ("title", "description"):
        if not page.front_matter_error and not str(page.front_matter.get(key) or "").strip():
            yield breach.Breach(path, 1, "front-matter", f"a chapter has a {key} at its top")
    found = [heading for heading in page.headings if heading.level == 2]
    if name == f"chapters/{stem}.md":
        yield from _ordered(path, page, found, MAIN_SECTIONS if book.layout.is_split(stem) else SECTIONS)
        yield from _opening(path, page, found[0].line if found else len(page.text))
    elif name == f"chapters/{stem}/practice.md":
        yield from _ordered(path, page, found, PRACTICE_SECTIONS)


def beside(book: breach.Book) -> Iterator[breach.Breach]:
    """Check that a chapter with a page beside its main page has all of them, and rows that lead to the evidence."""
    for stem in book.layout.stems:
        chapter = book.chapter(stem)
        if chapter is None or not book.layout.is_split(stem):
            continue
        main = book.layout.relative(book.layout.page(stem))
        for part in layouts.BESIDE:
            if not book.layout.beside(stem, part).is_file():
                yield breach.Breach(main, 1, "chapter", f"the page chapters/{stem}/{part}.md is missing")
        if not chapter.main.named("claim-rows"):
            yield breach.Breach(main, 1, "chapter", "the page lists no claims: /// claim-rows")


def _ordered(
    path: str, page: pages.Page, found: list[pages.Heading], sections: tuple[str, ...]
) -> Iterator[breach.Breach]:
    """Check that the headings of level 2 are the sections, in their order."""
    expected = [section for section in sections if section in {heading.text for heading in found}]
    for section in sections:
        if section not in expected:
            yield breach.Breach(path, page.body_line, "sections", f"the section {section!r} is missing")
    known = [heading for heading in found if heading.text in sections]
    for heading in found:
        if heading.text not in sections:
            yield breach.Breach(path, heading.line, "sections", f"{heading.text!r} is no section of a chapter")
    for heading, section in zip(known, expected, strict=False):
        if heading.text != section:
            yield breach.Breach(path, heading.line, "sections", f"{heading.text!r} stands where {section!r} belongs")
            return
    yield from (
        breach.Breach(path, extra.line, "sections", f"{extra.text!r} comes twice") for extra in known[len(expected) :]
    )


def _opening(path: str, page: pages.Page, end: int) -> Iterator[breach.Breach]:
    """Check that a chapter begins with its question and the figure that answers it."""
    lines = page.text.split("\n")[page.body_line - 1 : end - 1]
    if not any(re.search(r"^\{:?\s*\.question\s*\}$", line.strip()) for line in lines):
        yield breach.Breach(
            path, page.body_line, "opening", "the chapter's question, marked { .question }, comes first"
        )
    if not any(figure.line < end for figure in page.named("figure")):
        yield breach.Breach(
            path, page.body_line, "opening", "the figure that answers the question stands above the sections"
        )


def nav(book: breach.Book) -> Iterator[breach.Breach]:
    """Check that the nav and the folder of pages hold the same."""
    listed = set(book.layout.nav)
    for name in sorted(listed - set(book.pages)):
        yield breach.Breach("mkdocs.yml", _line_of(book, name), "nav", f"there is no page {name}")
    for name in book.pages:
        stem = book.stem(name)
        if name not in listed and f"chapters/{stem}.md" not in listed:
            yield breach.Breach(book.shown(name), 1, "nav", "this page is not in the nav of mkdocs.yml")


def _line_of(book: breach.Book, words: str) -> int:
    lines = (book.layout.root / "mkdocs.yml").read_text("utf-8").split("\n")
    return next((number for number, line in enumerate(lines, start=1) if words in line), 1)


def installs(book: breach.Book) -> Iterator[breach.Breach]:
    """Check that no reader is sent to the package of somebody else."""
    texts = {book.shown(name): page.text for name, page in book.pages.items()}
    readme = book.layout.root / "README.md"
    if readme.is_file():
        texts["README.md"] = readme.read_text("utf-8")
    for path, text in texts.items():
        for found in _INSTALL.finditer(text):
            if any(_TAKEN.match(word) for word in (found[1] or found[2] or "").split()):
                line = text.count("\n", 0, found.start()) + 1
                message = "on PyPI the name dlnotes belongs to another project; ours is dlnotes-book"
                yield breach.Breach(path, line, "install", message)


def hiding(book: breach.Book) -> list[breach.Breach]:
    """Give what hides other breaches, or makes many of one: a list that cannot be read, a page cut off by a slip."""
    lists = list(registers(book))
    cut = [
        part
        for name, page in book.pages.items()
        for part in faults(book, name, page)
        if scan.NEVER_CLOSED in part.message
    ]
    return sorted(lists or cut)


def registers(book: breach.Book) -> Iterator[breach.Breach]:
    """Check that the ledger and the bibliography can be read."""
    for load, path in (
        (ledger.load, book.layout.ledger),
        (bibliography.load, book.layout.bibliography),
    ):
        try:
            load(path)
        except records.RecordError as error:
            yield breach.Breach(book.layout.relative(error.path), error.line, path.stem, error.message)
