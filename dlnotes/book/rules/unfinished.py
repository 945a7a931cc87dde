"""The rule that nothing unfinished is printed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dlnotes.book import pages
from dlnotes.book.rules import breach

_TODO = re.compile(r"\bTODO\b")


def is_todo(text: str) -> bool:
    """Say whether something in a text is still to be done."""
    return bool(_TODO.search(text))


def check(book: breach.Book, name: str, page: pages.Page) -> Iterator[breach.Breach]:
    """Find every line that still says TODO, in prose and in code."""
    for number, line in enumerate(page.text.split("\n"), start=1):
        if is_todo(line):
            message = f"this is still to be done: {' '.join(line.split())[:80]}"
            yield breach.Breach(book.shown(name), number, "unfinished", message)
