"""Checks every page of the book from its source, before anything is built.

A breach is printed as `path:line: rule: message`. What is only open, as a claim whose chapter is not written, is listed
and breaks nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dlnotes.book import layout as layouts
from dlnotes.book import ledger, pages
from dlnotes.book.rules import blocks, breach, code, counts, directives, references, structure, unfinished

PAGE_RULES: tuple[Callable[[breach.Book, str, pages.Page], Iterator[breach.Breach]], ...] = (
    structure.faults,
    structure.headings,
    structure.sections,
    blocks.check,
    directives.check,
    references.labels,
    references.links,
    unfinished.check,
)
BOOK_RULES: tuple[Callable[[breach.Book], Iterator[breach.Breach]], ...] = (
    structure.nav,
    structure.beside,
    structure.installs,
    counts.check,
    directives.check_book,
    references.formulas,
    references.citations,
    references.documented_once,
    references.kernels,
    code.described,
    code.named_sources,
)


def check(layout: layouts.Layout) -> list[breach.Breach]:
    """Give every breach of the rules, in the order of files and lines; what hides the rest stands alone."""
    book = breach.Book(layout)
    if hiding := structure.hiding(book):
        return hiding
    found = {part for rule in BOOK_RULES for part in rule(book)}
    for name, page in book.pages.items():
        found.update(part for rule in PAGE_RULES for part in rule(book, name, page))
    return sorted(found)


def _settled(book: breach.Book, stem: str) -> set[str | None]:
    """Give the claims whose evidence the chapter holds; where a TODO stands there is none yet."""
    chapter = book.chapter(stem)
    found = chapter.named("claim") if chapter else ()
    return {directive.argument for _, directive in found if not unfinished.is_todo(directive.body)}


def unsettled(layout: layouts.Layout) -> list[str]:
    """Say of each chapter in the nav which of its claims it does not settle yet."""
    book = breach.Book(layout)
    lines = []
    for stem in layout.stems:
        settled = _settled(book, stem)
        left = [claim.id for claim in ledger.of_chapter(tuple(book.claims.values()), stem) if claim.id not in settled]
        if left:
            lines.append(f"{layout.relative(layout.page(stem))}: claims not settled yet: {', '.join(left)}")
    return lines


def tally(layout: layouts.Layout) -> str:
    """Say in one line how far the book is."""
    book = breach.Book(layout)
    claims = tuple(book.claims.values())
    settled = {claim for stem in layout.stems for claim in _settled(book, stem)}
    number = sum(claim.id in settled for claim in claims)
    chapters = f"{len(layout.stems)} chapter{'' if len(layout.stems) == 1 else 's'}"
    return f"{len(book.pages)} pages, {chapters}, {number} of {len(claims)} claims settled"


def run(layout: layouts.Layout) -> int:
    """Print what the check finds, and give the exit code."""
    breaches = check(layout)
    if structure.hiding(breach.Book(layout)):
        for line in (*breaches, "the rest is checked when this is mended"):
            print(line)
        return 1
    for line in (*breaches, *unsettled(layout), tally(layout)):
        print(line)
    if breaches:
        print(f"{len(breaches)} {'breach' if len(breaches) == 1 else 'breaches'}")
    return 1 if breaches else 0
