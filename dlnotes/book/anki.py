r"""The cards of the book as a deck for Anki: one deck, below it one for each chapter.

Formulas stay TeX between `\(` and `\)`, or `\[` and `\]`: Anki sets them by its own MathJax, on telephones too. A note
is known by the id of its card, so that a learner who takes a newer deck keeps her schedule.
"""

from __future__ import annotations

import hashlib
import html
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import markdown
from pymdownx import util

from dlnotes.book import context, lists, pages, plain_markdown, scan, study
from dlnotes.book import layout as layouts

NAME = "dlnotes"
LIST_PAGE = "flashcards.md"  # the cards say there what they say here: references name their chapter
# Never changed: Anki would take what has another number for another deck, or another kind of note.
DECK, MODEL = 1_730_201_511, 1_730_201_512
FIELDS = ("Question", "Answer", "Chapter", "Notes", "Card")

_STYLE = """\
.card { background: #fcfbf8; color: #1d2127; font: 20px/1.5 Georgia, serif; text-align: left; }
.page { margin: 0 auto; max-width: 34em; }
.question { font-weight: 600; }
.place { color: #59606b; font: 14px/1.5 sans-serif; }
hr { border: 0; border-top: 1px solid #dbd7cc; }
a { color: #124a87; }
code { font-size: 85%; }
pre { background: #f4f2ec; overflow-x: auto; padding: 0.6em 0.8em; }
.card.nightMode { background: #171b21; color: #d9dee5; }
.nightMode .place { color: #9da7b4; }
.nightMode hr { border-color: #363e49; }
.nightMode a { color: #a9d6f5; }
.nightMode pre { background: #1f242c; }
"""
# Some questions are one only within their chapter, which is therefore named above them.
_HEAD = '<p class="place">{{Chapter}}</p><div class="question">{{Question}}</div>'
_FRONT = f'<div class="page">{_HEAD}</div>'
_BACK = f'<div class="page">{_HEAD}<hr id="answer">{{{{Answer}}}}<p class="place">Asked in {{{{Notes}}}}</p></div>'


class Card(NamedTuple):
    """A card as Anki has it: HTML, in which formulas are TeX."""

    id: str
    stem: str
    chapter: str
    question: str
    answer: str
    notes: tuple[str, ...]
    formulas: tuple[str, ...]


def cards(layout: layouts.Layout) -> Iterator[Card]:
    """Give the cards of the book in its order."""
    page = context.Context(layout, LIST_PAGE, pages.read(layout.docs / LIST_PAGE))
    for stem in layout.stems:
        chapter = page.chapter(stem)
        for name, part in chapter.named("flashcard"):
            body = "\n".join(lists.elsewhere(page, name, part.body.split("\n")))
            question, _, answer = body.strip().partition("\n")
            yield Card(
                id=f"flashcard-{part.argument}",
                stem=stem,
                chapter=chapter.title,
                question=_html(page, question).removeprefix("<p>").removesuffix("</p>"),
                answer=_html(page, answer),
                notes=tuple(note.strip() for note in str(part.options.get("notes") or "").split(",") if note.strip()),
                formulas=tuple(formula.tex for formula in pages.parse(body).formulas),
            )


def write(path: Path, layout: layouts.Layout | None = None, now: float | None = None) -> int:
    """Write the deck, and give the number of its cards.

    Anki tells a newer deck from an older one by `now`: seconds, else those of SOURCE_DATE_EPOCH or of the clock.
    """
    import genanki

    book = layout or layouts.find()
    model = genanki.Model(
        MODEL,
        NAME,
        fields=[{"name": name} for name in FIELDS],
        templates=[{"name": "Card", "qfmt": _FRONT, "afmt": _BACK}],
        css=_STYLE,
    )
    decks: dict[str, Any] = {}
    for number, card in enumerate(found := tuple(cards(book))):
        deck = decks.setdefault(card.stem, genanki.Deck(_number(card.stem), f"{NAME}::{card.chapter}"))
        deck.add_note(
            genanki.Note(
                model,
                [card.question, card.answer, _place(book, card), " and ".join(card.notes), card.id],
                guid=genanki.guid_for(NAME, card.id),
                tags=[f"{NAME}::{card.stem}", *(f"{NAME}::{note}" for note in card.notes)],
                due=number,  # new cards come in the book's order
            )
        )
    above = genanki.Deck(DECK, NAME, "The flashcards of the book dlnotes, by chapter.")
    written = float(os.environ.get("SOURCE_DATE_EPOCH") or time.time()) if now is None else now
    path.parent.mkdir(parents=True, exist_ok=True)
    genanki.Package([above, *decks.values()]).write_to_file(str(path), timestamp=written)
    return len(found)


def publish(layout: layouts.Layout, site: Path) -> None:
    """Put the deck into the folder of the site, where the page of the cards links to it."""
    write(site / study.DECK, layout)


def _number(stem: str) -> int:
    """Number the deck of a chapter, the same each time."""
    return DECK + 1 + int.from_bytes(hashlib.sha256(stem.encode()).digest()[:4], "big") % (1 << 29)


def _place(layout: layouts.Layout, card: Card) -> str:
    """Name the chapter of a card, as a link where the site has an address."""
    title = html.escape(card.chapter, quote=False)
    if not layout.site_url:
        return title
    address = f"{layout.site_url.rstrip('/')}/chapters/{card.stem}/"
    return f'<a href="{html.escape(address)}">{title}</a>'


_DISPLAYED = re.compile(r"^( *)\$\$\n(.*?)\n *\$\$(?:[^\n]*)$", re.MULTILINE | re.DOTALL)


def _html(page: context.Context, text: str) -> str:
    """Turn the Markdown of a card into HTML in which formulas are TeX."""
    formulas: list[str] = []

    def put_by(tex: str, opening: str, closing: str) -> str:
        formulas.append(f"{opening}{html.escape(tex.strip(), quote=False)}{closing}")
        return f"\ue000{len(formulas) - 1}\ue001"  # signs that no text has

    def inline(found: re.Match[str]) -> str:
        return found[0] if found["tex"] is None else put_by(found["tex"], r"\(", r"\)")

    def displayed(found: re.Match[str]) -> str:
        return found[1] + put_by(scan.label_of(found[2])[0], r"\[", r"\]")

    text = _DISPLAYED.sub(displayed, text)
    text = plain_markdown.KEPT.sub(inline, plain_markdown.inline(page, text))
    reader = markdown.Markdown(
        extensions=["fenced_code", "tables", "sane_lists", "smarty"],
        extension_configs={"smarty": {"smart_dashes": False}},
    )
    util.escape_chars(reader, ["$"])
    made = reader.convert(text.strip())
    return re.sub("\ue000(\\d+)\ue001", lambda found: formulas[int(found[1])], made)
