"""Rules of what the prose counts: claims, chapters and notes are as many as there are."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dlnotes.book import ledger
from dlnotes.book.rules import breach

_WORDS = (
    "no",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
)
_NUMBER = rf"(\d+|{'|'.join(_WORDS)})"
_WHOLE = re.compile(rf"\b{_NUMBER}\s+(?:study\s+)?(claims|chapters|notes)\b", re.IGNORECASE)
_OF_A_CHAPTER = re.compile(rf"\b{_NUMBER}\s+(statements|claims)\b", re.IGNORECASE)
_SECTION = "What the notes say"
# Pages that speak of the book as a whole.
_HOMES = ("index.md", "claims.md", "flashcards.md")


def check(book: breach.Book) -> Iterator[breach.Breach]:
    """Check the README, the pages on the whole book, and the section of each chapter on its claims."""
    texts = {book.shown(name): book.pages[name].text for name in _HOMES if name in book.pages}
    readme = book.layout.root / "README.md"
    if readme.is_file():
        texts["README.md"] = readme.read_text("utf-8")
    there = {"claims": len(book.claims), "chapters": len(book.layout.stems), "notes": len(ledger.NOTES)}
    for path, text in texts.items():
        yield from _wrong(path, text, 1, _WHOLE, there)
    for stem in book.layout.stems:
        page = book.pages.get(f"chapters/{stem}.md")
        number = len(ledger.of_chapter(tuple(book.claims.values()), stem))
        lines = page.text.split("\n") if page else []
        begin = next((heading.line for heading in page.headings if heading.text == _SECTION), None) if page else None
        if begin is not None:
            end = next((heading.line for heading in page.headings if heading.line > begin), len(lines) + 1)
            text = "\n".join(lines[begin : end - 1])
            shown = book.shown(f"chapters/{stem}.md")
            yield from _wrong(shown, text, begin + 1, _OF_A_CHAPTER, {"claims": number, "statements": number})


def _wrong(
    path: str, text: str, first: int, pattern: re.Pattern[str], there: dict[str, int]
) -> Iterator[breach.Breach]:
    """Give the numbers in a text that are not those of the things there; its first line has the number `first`."""
    for found in pattern.finditer(text):
        word, thing = found[1].lower(), found[2].lower()
        number = int(word) if word.isdigit() else _WORDS.index(word)
        if number != there[thing]:
            line = first + text.count("\n", 0, found.start())
            yield breach.Breach(path, line, "count", f"{' '.join(found[0].split())}: there are {there[thing]}")
