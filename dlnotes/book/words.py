"""Counts the words that a reader of a page reads: prose, without code, formulas, tables and what is folded away."""

from __future__ import annotations

import re

from dlnotes.book import layout as layouts
from dlnotes.book import pages

LIMIT = 3500  # of a chapter's main page
A_MINUTE = 220  # words that are read
FOLDED = ("exercise", "flashcard", "solution", "proof", "details")

_WORD = re.compile(r"[A-Za-z][\w'-]*")
_NO_PROSE = re.compile(r"^[ \t]*(?:\||/{3,}).*$", re.MULTILINE)
_FORMULA = re.compile(r"<!--.*?-->|\$\$.*?\$\$|\$[^$\n]*\$", re.DOTALL)


def count(page: pages.Page) -> int:
    """Count the words of a page; captions count, since they are shown, and so do the names that links lead to."""
    lines = page.text.split("\n")
    skipped = [(1, page.body_line - 1)]
    for fence in page.fences:
        skipped.append((fence.line, fence.end))
        if fence.expected is not None and fence.expected_line is not None:
            skipped.append((fence.expected_line, fence.expected_line + fence.expected.count("\n") + 1))
    skipped += [(part.line, part.end) for part in page.directives if part.name in FOLDED]
    skipped += [(part.line, part.body_line - 1) for part in page.directives]
    for first, last in skipped:
        lines[first - 1 : last] = [""] * (last - first + 1)
    return len(_WORD.findall(_NO_PROSE.sub("", _FORMULA.sub("", "\n".join(lines)))))


def of_chapters(layout: layouts.Layout) -> dict[str, int]:
    """Count the words of each chapter's main page, in the order of the book."""
    return {stem: count(pages.read(layout.page(stem))) for stem in layout.stems if layout.page(stem).is_file()}


def minutes(words: int) -> int:
    """Give the minutes that reading takes, at least one."""
    return max(1, round(words / A_MINUTE))


def report(layout: layouts.Layout) -> list[str]:
    """Say in lines how long each main page is, and which is too long."""
    return [
        f"{words:6d}  {stem}{f'  ({words - LIMIT} too many)' if words > LIMIT else ''}"
        for stem, words in of_chapters(layout).items()
    ]
