"""What the press gathers from the whole book."""

from __future__ import annotations

import re

import pytest

from dlnotes.book import context, lists
from tests.book import sample
from tests.book.test_directives import block, visible


@pytest.fixture
def book(tmp_path):
    return sample.write(tmp_path)


def test_every_claim_stands_in_the_list_with_its_verdict_and_whether_it_is_settled(book):
    shown = sample.convert(book, "claims.md")
    rows = re.findall(r'<li class="ledger__row"([^>]*)>(.*?)</li>', shown, re.DOTALL)
    assert [re.search(r'id="(\w+)"', attributes)[1] for attributes, _ in rows] == ["doubles", "halves", "later"]
    assert 'data-state="settled"' in rows[0][0]
    assert 'href="chapters/growth.md#claim-doubles"' in rows[0][1]
    for attributes, body in rows[1:]:
        assert 'data-state="open"' in attributes
        assert "Not settled yet" in visible(body)
    assert 'data-notes="N1 N4"' in rows[0][0]
    assert "wrong as written" in visible(rows[1][1])


def test_claims_are_grouped_by_chapter_and_written_chapters_come_first(book):
    shown = sample.convert(book, "claims.md")
    assert re.findall(r'<h2 id="(\w+)">([^<]+)</h2>', shown) == [
        ("notes", "Notes"),
        ("growth", "Growth"),
        ("not_written_yet", "Not written yet"),
    ]


def test_the_filter_offers_what_there_is_and_is_hidden_until_a_script_shows_it(book):
    form = block(sample.convert(book, "claims.md"), "<form")
    assert re.match(r"<form [^>]*hidden", form)
    for name in ("verdict", "note", "chapter", "state"):
        assert re.search(rf'<label for="filter-{name}">.*?<select [^>]*name="{name}"', form, re.DOTALL)
    assert 'value="not_written_yet"' in form
    assert 'role="status"' in form


def test_the_chapters_are_listed_by_part_with_their_questions(book):
    page = book.docs / "chapters/growth.md"
    page.write_text(page.read_text("utf-8").replace("# Growth", "# Growth\n\nHow fast does it grow?\n{ .question }", 1))
    index = book.docs / "index.md"
    index.write_text(index.read_text("utf-8") + "\n/// chapters-list\n///\n", "utf-8")
    shown = visible(block(sample.convert(book, "index.md"), '<div class="contents"'))
    assert " ".join(shown.split()) == "Part Growth How fast does it grow? Decay Not written yet Not written yet."


def test_the_errata_list_what_is_wrong_as_written_once_it_is_settled(book):
    index, ledger = book.docs / "index.md", book.docs / "claims.yaml"
    index.write_text(index.read_text("utf-8") + "\n/// corrected-list\n///\n", "utf-8")
    wrong = r'<p class="row__words" id="claim-(\w+)">'
    assert re.findall(wrong, sample.convert(book, "index.md")) == []  # halves is wrong, and no page settles it
    ledger.write_text(ledger.read_text("utf-8").replace("verdict: holds", "verdict: corrected"), "utf-8")
    assert re.findall(wrong, sample.convert(book, "index.md")) == ["doubles"]


def test_the_tally_counts_the_ledger(book):
    shown = visible(block(sample.convert(book, "index.md"), '<div class="tally"'))
    # A verdict counts once a chapter settles it.
    expected = "3 claims 1 holds 0 holds under conditions 0 wrong as written 2 not settled yet"
    assert " ".join(shown.split()) == expected


def test_a_claim_is_shown_on_another_page_with_the_block_that_settles_it(book):
    shown = sample.convert(book, "index.md")
    claim = block(shown, '<div aria-labelledby="claim-doubles"')
    assert "print(2 * 2)" in visible(claim)
    assert "4 < 5" in visible(block(claim, '<div class="output'))
    assert 'href="chapters/growth.md#claim-doubles"' in claim


def test_a_claim_that_no_chapter_settles_cannot_be_shown(book):
    page = book.docs / "index.md"
    page.write_text(page.read_text("utf-8").replace("doubles", "halves"), "utf-8")
    with pytest.raises(context.PageError, match=r"docs/index\.md:3: claim-showcase: no chapter settles halves"):
        sample.convert(book, "index.md")


def test_the_cards_of_all_chapters_say_the_same_on_their_own_page(book):
    shown = sample.convert(book, "flashcards.md")
    assert re.search(r'<h2 id="growth">Growth</h2>', shown)
    card = block(shown, '<details class="flashcard"')
    assert 'href="chapters/growth.md#eq-double"' in card
    assert "(1) in Growth" in visible(card)
    assert 'href="chapters/growth.md#growth"' in card
    assert 'href="chapters/decay.md#decay"' in card
    assert r"\eqref{untouched}" in visible(card)  # code stays as it is
    assert 'href="claims.md#n1"' in card


def test_above_the_cards_stand_the_deck_and_what_a_script_makes_a_sitting_of(book):
    shown = sample.convert(book, "flashcards.md")
    assert shown.index('href="../anki/dlnotes.apkg"') < shown.index('<section class="study"') < shown.index("<h2 id=")
    study = block(shown, "<section")
    assert "data-search-exclude" in study
    assert re.findall(r'<option value="(\w*)"', study) == ["", "growth"]  # the other chapter has no card
    assert 'data-chapter="../chapters/growth/"' in study
    assert re.findall(r'<label for="([\w-]+)"', study) == re.findall(r' id="(study-\w+)"', study)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("[a](#b)", "[a](chapters/growth.md#b)"),
        ("[a](decay.md#b)", "[a](chapters/decay.md#b)"),
        ("[a](../claims.md)", "[a](claims.md)"),
        ("[a](https://example.org/x) and [b](mailto:x@y.z)", "[a](https://example.org/x) and [b](mailto:x@y.z)"),
        (r"\eqref{a} \eqref{decay/b} \figref{c}", r"\eqref{growth/a} \eqref{decay/b} \figref{growth/c}"),
    ],
)
def test_text_of_a_chapter_on_another_page(book, line, expected):
    page = context.Context(book, "flashcards.md", context.pages.parse(""))
    assert lists.elsewhere(page, "chapters/growth.md", [line, "````", line, "```", line, "````", line]) == [
        expected, "````", line, "```", line, "````", expected,
    ]  # fmt: skip


def test_references_are_sorted_and_name_the_chapters_that_cite_them(book):
    shown = sample.convert(book, "references.md")
    entries = re.findall(r'<li class="references__entry" id="(\w+)">(.*?)</li>', shown, re.DOTALL)
    assert [key for key, _ in entries] == ["alone1999", "glorot2010"]
    assert (
        visible(entries[1][1])
        == "Xavier Glorot and Yoshua Bengio (2010). On difficulty. A conference. Cited in Growth."
    )
    assert 'href="chapters/growth.md#reference"' in entries[1][1]
    assert visible(entries[0][1]) == "Ann Alone (1999). Who cites this? A drawer."


def test_a_chapter_lists_what_it_cites_once_and_nothing_else(book):
    shown = sample.convert(book, "chapters/growth.md")
    entries = re.findall(r'<li class="references__entry">(.*?)</li>', shown, re.DOTALL)
    assert [visible(entry) for entry in entries] == [
        "Xavier Glorot and Yoshua Bengio (2010). On difficulty. A conference."
    ]


def test_the_notes_have_anchors(book):
    shown = sample.convert(book, "claims.md")
    assert [f"n{number}" for number in range(1, 6)] == re.findall(r'<dt id="(\w+)">', shown)
