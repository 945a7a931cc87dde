"""The page of terms: in order, and each leads to a page that says the word."""

from __future__ import annotations

import re

import pytest

from dlnotes.book import layout, pages

BOOK = layout.find()
PAGE = pages.read(BOOK.docs / "terms.md")
ENTRIES = re.findall(r"^- \*\*(.+?)\*\*: .+\. \[[^\]]+\]\(([^)#]+)[^)]*\)$", PAGE.text, re.MULTILINE)


def words(text: str) -> str:
    return " ".join(re.sub(r"[^a-z0-9]+", " ", text.lower()).split())


def test_every_line_is_a_term_with_its_place_in_the_order_of_the_alphabet():
    assert len(ENTRIES) == PAGE.text.count("\n- ")
    terms = [words(term) for term, _ in ENTRIES]
    assert terms == sorted(terms)


@pytest.mark.parametrize(("term", "target"), ENTRIES, ids=[term for term, _ in ENTRIES])
def test_the_page_says_the_word(term, target):
    text = words((BOOK.docs / target).read_text("utf-8"))
    for part in re.split(r", | and ", term):
        assert words(part).removesuffix("s") in text
