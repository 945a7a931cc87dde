"""The line `Source:` of a docstring: which works, and which places of the book, it names.

It names at least one of: a work of the bibliography, as `He et al. (2015)` or `[@he2015]`; a place of a chapter, as
`initialization#eq-forward`; `derived here`, with the derivation in the module; `definition`; `derivative of` or
`the rule of` another function, whose own source stands there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from dlnotes.book import bibliography, chapters, layout

_YEAR = re.compile(r"\((\d{4})\b[^)]*\)")
_KEY = re.compile(r"\[@([\w-]+)(?:, ([^\]]*))?\]")
_PLACE = re.compile(r"(?<![\w/])([a-z_]+)#([a-z0-9-]+)")
FUNCTIONS = re.compile(r"(?:derivatives?|rule) of `[\w.]+`(?:(?:, | and )`[\w.]+`)*")


@dataclass(frozen=True)
class Mention:
    """A work or a place that a line names, from `start` to `end`; `fault` says why it leads nowhere."""

    start: int
    end: int
    text: str
    page: str = ""
    anchor: str = ""
    fault: str = ""


def mentions(text: str, references: Mapping[str, bibliography.Entry], book: layout.Layout) -> list[Mention]:
    """Give the works and places that a line names, in its order."""
    found = [*_works(text, references.values()), *_keys(text, references), *_chapter_places(text, book)]
    return sorted(found, key=lambda mention: mention.start)


def _works(text: str, entries: Iterable[bibliography.Entry]) -> Iterator[Mention]:
    """Find `Name (year)`: what stands before the year must end with the names of one entry."""
    years = list(_YEAR.finditer(text))
    wanted = {int(year[1]) for year in years}
    names = [(bibliography.short(entry).rpartition(" (")[0], entry) for entry in entries if entry.year in wanted]
    for year in years:
        before = text[: year.start()].rstrip()
        fitting = [
            (name, entry)
            for name, entry in names
            if entry.year == int(year[1]) and before.endswith(name) and not re.search(r"[\w-]$", before[: -len(name)])
        ]
        if not fitting:
            yield Mention(*year.span(), year[0], fault=f"the bibliography has no {_named(text[: year.end()])}")
            continue
        name = max((name for name, _ in fitting), key=len)
        same = [entry for other, entry in fitting if other == name]
        start = len(before) - len(name)
        if re.search(r"\b(?:and|,) $", before[:start]) and re.search(r"[A-Z][\w-]+(?:,| and) $", before[:start]):
            yield Mention(start, year.end(), year[0], fault=f"the bibliography has no {_named(text[: year.end()])}")
            continue
        fault = (
            f"{name} ({year[1]}) is {' or '.join(entry.key for entry in same)}: write [@key]" if len(same) > 1 else ""
        )
        yield Mention(start, year.end(), text[start : year.end()], "references.md", same[0].key, fault)


def _named(text: str) -> str:
    """Cut a line that ends with a year down to the names in front of it."""
    return re.search(r"(?:[A-Z][\w-]*(?:, | and )?)*(?: et al\.)? ?\(\d{4}\b[^)]*\)$", text)[0].strip()


def _keys(text: str, references: Mapping[str, bibliography.Entry]) -> Iterator[Mention]:
    """Find `[@key]` and `[@key, locator]`."""
    for found in _KEY.finditer(text):
        entry = references.get(found[1])
        if entry is None:
            yield Mention(*found.span(), found[0], fault=f"the bibliography has no {found[1]}")
        else:
            short = bibliography.short(entry)
            shown = f"{short[:-1]}, {found[2]})" if found[2] else short
            yield Mention(*found.span(), shown, "references.md", entry.key)


def _chapter_places(text: str, book: layout.Layout) -> Iterator[Mention]:
    """Find `chapter#anchor`, on any page of the chapter."""
    for found in _PLACE.finditer(text):
        stem, anchor = found.groups()
        chapter = chapters.read(book, stem) if book.page(stem).is_file() else None
        place = _place(chapter, anchor) if chapter else None
        if place:
            yield Mention(*found.span(), *place, anchor)
        else:
            yield Mention(*found.span(), found[0], fault=f"no page of chapter {stem} has the anchor {anchor}")


def _place(chapter: chapters.Chapter, anchor: str) -> tuple[str, str] | None:
    """Give what a reader sees for a place, the number of an equation or the words of a heading, and its page."""
    label = anchor.removeprefix("eq-")
    if label != anchor and (home := chapter.home("equation", label)):
        return f"{chapter.title}, equation {chapter.numbers.equations[label]}", home
    for path, page in chapter.pages.items():
        for heading in page.headings:
            if heading.anchor == anchor:
                return (
                    f"{chapter.title}, \N{LEFT DOUBLE QUOTATION MARK}{heading.text}\N{RIGHT DOUBLE QUOTATION MARK}",
                    path,
                )
    return None
