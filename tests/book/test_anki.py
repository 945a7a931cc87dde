"""The deck, taken in by Anki's own library: every card and formula, none twice, and no schedule lost over an update."""

from __future__ import annotations

import html
import re
import sqlite3
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from dlnotes import __main__ as commands
from dlnotes.book import anki as deck
from dlnotes.book import layout, pages
from tests.book import sample

pytest.importorskip("genanki")
collections = pytest.importorskip("anki.collection")
BOOK = layout.Layout(Path(__file__).resolve().parents[2])
NOW = 1_700_000_000.0
FORMULA = re.compile(r"\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)


@pytest.fixture(scope="module")
def apkg(tmp_path_factory) -> Path:
    """Write the book's deck."""
    path = tmp_path_factory.mktemp("deck") / "dlnotes.apkg"
    deck.write(path, BOOK, NOW)
    return path


@pytest.fixture
def learner(tmp_path):
    """Give a collection of Anki, in which nothing has been learned yet."""
    collection = collections.Collection(str(tmp_path / "collection.anki2"))
    yield collection
    collection.close()


def take_in(learner, path: Path) -> Counter[str]:
    """Import a deck with Anki's first settings, and count what became of the notes."""
    request = collections.ImportAnkiPackageRequest(
        package_path=str(path), options=learner._backend.get_import_anki_package_presets()
    )
    log = learner.import_anki_package(request).log
    return Counter({name: len(getattr(log, name)) for name in ("new", "updated", "duplicate", "conflicting")})


def notes(learner) -> dict[str, object]:
    """Give the notes by the ids of their cards."""
    found = [learner.get_note(number) for number in learner.find_notes("")]
    return {note["Card"]: note for note in found}


def directives_of_the_book() -> list[tuple[str, pages.Directive]]:
    """Read the cards from the pages, with nothing of what makes the deck."""
    return [
        (stem, card)
        for stem in BOOK.stems
        for path in BOOK.chapter_pages(stem)
        for card in pages.read(path).named("flashcard")
    ]


def test_anki_takes_in_every_card_once_and_no_more_the_second_time(learner, apkg):
    written = directives_of_the_book()
    assert take_in(learner, apkg)["new"] == learner.note_count() == learner.card_count() == len(written) > 150
    assert set(notes(learner)) == {f"flashcard-{card.argument}" for _, card in written}
    again = take_in(learner, apkg)
    assert again["new"] == 0
    assert learner.note_count() == len(written)
    names = {found.name for found in learner.decks.all_names_and_ids()} - {"Default"}
    titles = {pages.read(BOOK.page(stem)).title for stem, _ in written}
    assert names == {deck.NAME} | {f"{deck.NAME}::{title}" for title in titles}
    assert len([model for model in learner.models.all_names_and_ids() if model.name.startswith(deck.NAME)]) == 1


def test_each_formula_is_shown_as_anki_sets_formulas(learner, apkg):
    take_in(learner, apkg)
    taken = notes(learner)
    count = 0
    for stem, card in directives_of_the_book():
        note = taken[f"flashcard-{card.argument}"]
        shown = note.cards()[0].answer()
        assert pages.read(BOOK.page(stem)).title in note.cards()[0].question()
        wanted = pages.parse(card.body).formulas
        found = [html.unescape(one or other) for one, other in re.findall(FORMULA, note["Question"] + note["Answer"])]
        assert Counter(found) == Counter(formula.tex for formula in wanted), card.argument
        assert not re.search(r"[\ue000\ue001$]|\\(?:eq|fig|claim)ref|\[@", shown), card.argument
        asked = re.findall(r"N\d", card.options_text)
        assert set(note.tags) == {f"{deck.NAME}::{name}" for name in (stem, *asked)}
        count += len(wanted)
    assert count > 100


def test_a_card_has_links_where_the_site_has_an_address_alone(tmp_path, monkeypatch):
    monkeypatch.delenv("SITE_URL", raising=False)
    [card] = deck.cards(sample.write(tmp_path / "first"))
    assert card.question == r"Why does \(2^n\) grow?"
    assert card.answer.startswith("<p>Because of (1) in Growth, see the list and decay.</p>\n<pre><code")
    assert r"\eqref{untouched}" in card.answer  # code stays as it is
    assert card.notes == ("N1", "N4")
    monkeypatch.setenv("SITE_URL", "https://book.example/dl/")
    book = sample.write(tmp_path / "second")
    [card] = deck.cards(book)
    assert '<a href="https://book.example/dl/chapters/growth/#eq-double">(1) in Growth</a>' in card.answer
    path = tmp_path / "deck.apkg"
    deck.write(path, book, NOW)
    assert fields(path)[0][2] == '<a href="https://book.example/dl/chapters/growth/">Growth</a>'


def fields(path: Path) -> list[list[str]]:
    """Read the fields of the notes as they lie in the file."""
    with zipfile.ZipFile(path) as archive, sqlite3.connect(archive.extract("collection.anki2", path.parent)) as base:
        return [row[0].split("\x1f") for row in base.execute("select flds from notes")]


def test_formulas_code_and_signs_of_html_stay_what_they_are(tmp_path):
    book = sample.write(tmp_path)
    path = book.chapter_pages("growth")[0]
    answer = (
        "\n$$\na < b & c \\label{x}\n$$\n\n*So* `a < $b$`, \\$5 and $x<y$.\n\n```python\nprint(1 < 2)  # $z$\n```\n"
    )
    made = re.sub(
        r"(?s)(/// flashcard .*?grow\?\n).*?\n///", lambda found: f"{found[1]}{answer}///", path.read_text("utf-8")
    )
    path.write_text(made, "utf-8")
    [card] = deck.cards(book)
    paragraphs = card.answer.split("\n")
    assert paragraphs[0] == r"<p>\[a &lt; b &amp; c\]</p>"
    assert paragraphs[1] == r"<p><em>So</em> <code>a &lt; $b$</code>, $5 and \(x&lt;y\).</p>"
    assert "print(1 &lt; 2)  # $z$" in card.answer
    assert "<pre>" in card.answer


def test_after_a_study_and_an_update_the_schedule_stays(learner, apkg, tmp_path, monkeypatch):
    take_in(learner, apkg)
    learner.decks.select(learner.decks.id(deck.NAME))
    for ease in (1, 4, 3, 4, 4, 3, 2):
        card = learner.sched.getCard()
        card.start_timer()
        learner.sched.answerCard(card, ease)
    before = {number: state(learner, number) for number in learner.find_cards("")}
    studied = [number for number, values in before.items() if values["reps"]]
    assert len(studied) >= 4
    reworded, removed = (learner.get_card(number).note()["Card"] for number in studied[:2])

    def newer(layout, given=deck.cards):
        for card in given(layout):
            if card.id != removed:
                yield card._replace(question="In other words?") if card.id == reworded else card
        yield card._replace(id="flashcard-new", question="New?")

    monkeypatch.setattr(deck, "cards", newer)
    path = tmp_path / "newer.apkg"
    assert deck.write(path, BOOK, NOW + 60) == len(before)
    assert take_in(learner, path)["new"] == 1
    taken = notes(learner)
    assert taken[reworded]["Question"] == "In other words?"
    assert len(taken) == len(before) + 1  # Anki keeps what a newer deck no longer has
    assert {number: state(learner, number) for number in before} == before
    assert not taken["flashcard-new"].cards()[0].reps


def state(learner, number: int) -> dict[str, int]:
    """Give what Anki knows of the learning of a card."""
    card = learner.get_card(number)
    names = ("nid", "did", "type", "queue", "due", "ivl", "factor", "reps", "lapses", "left")
    return {name: getattr(card, name) for name in names}


def test_an_older_deck_does_not_undo_a_newer_one(learner, apkg, tmp_path, monkeypatch):
    take_in(learner, apkg)
    monkeypatch.setattr(
        deck, "cards", lambda layout, given=deck.cards: (card._replace(answer="Old") for card in given(layout))
    )
    path = tmp_path / "older.apkg"
    deck.write(path, BOOK, NOW - 60)
    take_in(learner, path)
    assert "Old" not in {note["Answer"] for note in notes(learner).values()}


def test_the_command_writes_the_deck(tmp_path, monkeypatch, capsys):
    book = sample.write(tmp_path / "book")
    monkeypatch.chdir(book.root)
    assert commands.main(["anki"]) == 0
    assert commands.main(["anki", str(tmp_path / "a" / "deck.apkg")]) == 0
    assert "dlnotes.apkg: 1 cards" in capsys.readouterr().out
    assert fields(book.root / "dlnotes.apkg") == fields(tmp_path / "a" / "deck.apkg")
