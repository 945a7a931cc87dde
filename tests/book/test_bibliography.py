"""The bibliography is read with its lines, and entries are named as a reader expects."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlnotes.book import bibliography, layout, records
from tests.book import small_book

ENTRY = small_book.FILES["docs/references.yaml"]


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "references.yaml"
    path.write_text(text, "utf-8")
    return path


def entry(*authors: str) -> bibliography.Entry:
    return bibliography.Entry("a", authors, 2010, "T", "W", "https://a.b", "no", 1)


@pytest.mark.parametrize(
    ("authors", "short", "long"),
    [
        (["Hanin, Boris"], "Hanin (2010)", "Boris Hanin"),
        (["OpenAI"], "OpenAI (2010)", "OpenAI"),
        (["Glorot, Xavier", "Bengio, Yoshua"], "Glorot and Bengio (2010)", "Xavier Glorot and Yoshua Bengio"),
        (["He, K.", "Zhang, X.", "Sun, J."], "He et al. (2010)", "K. He, X. Zhang and J. Sun"),
        (["van der Maaten, Laurens"], "van der Maaten (2010)", "Laurens van der Maaten"),
    ],
)
def test_entries_are_named_by_their_authors(authors: list[str], short: str, long: str) -> None:
    assert bibliography.short(entry(*authors)) == short
    assert bibliography.authors(entry(*authors)) == long


@pytest.mark.parametrize(
    ("where", "shown"),
    [
        ("Nature 323, pages 533-536", "Nature 323, pages\xa0533\u2060–\u2060536"),
        ("documentation of PyTorch", "Documentation of PyTorch"),
        (
            "Advances in Neural Information Processing Systems 31",
            "Advances in Neural Information Processing Systems\xa031",
        ),
        ("IEEE Pattern-Recognition", "IEEE Pattern-Recognition"),
    ],
)
def test_ranges_of_pages_and_last_numbers_are_kept_whole(where: str, shown: str) -> None:
    assert bibliography.place(bibliography.Entry("a", ("B",), 2010, "T", where, "https://a.b", "no", 1)) == shown


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("glorot2010", "Glorot 2010", "key must be"),
        ('["Glorot, Xavier", "Bengio, Yoshua"]', "[]", "authors must be"),
        ('["Glorot, Xavier", "Bengio, Yoshua"]', "Glorot", "authors must be"),
        ('["Glorot, Xavier", "Bengio, Yoshua"]', "[1]", "authors must be"),
        ("year: 2010", 'year: "2010"', "year must be a year"),
        ("year: 2010", "year: true", "year must be a year"),
        ("year: 2010", "year: 20100", "year must be a year"),
        ("https://", "http://", "url must be an address that begins with https://"),
        ('confirmed: "no"', "confirmed: no", "confirmed must be how"),
        ("title: Understanding", "title:", "title must be a text"),
        ("  where: AISTATS\n", "", "'where' is missing"),
    ],
)
def test_a_slip_is_found(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in ENTRY
    with pytest.raises(records.RecordError, match=message) as error:
        bibliography.load(written(tmp_path, "# A header.\n" + ENTRY.replace(old, new)))
    assert error.value.line == 2


def test_entries_know_their_line(tmp_path: Path) -> None:
    found = bibliography.load(written(tmp_path, ENTRY + ENTRY.replace("glorot2010", "other")))
    assert [(part.key, part.line) for part in found] == [("glorot2010", 1), ("other", 8)]
    assert found[0].authors == ("Glorot, Xavier", "Bengio, Yoshua")


def test_the_books_own_entries_say_how_they_were_looked_up() -> None:
    entries = bibliography.load(layout.find().bibliography)
    assert len({part.key for part in entries}) == len(entries) >= 16
    for part in entries:
        assert part.key.endswith(str(part.year)), part.key
        assert all(name.count(",") <= 1 and "  " not in name for name in part.authors), part.key
        assert len(part.confirmed) > 20 or part.confirmed == "no", part.key
