"""The line `Source:` of a docstring names what exists; a slip in one is found with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlnotes.book import bibliography, layout, sources
from dlnotes.book.rules import breach, code
from tests.book import small_book

BOOK = layout.find()


def entry(key: str, *authors: str, year: int = 2010) -> bibliography.Entry:
    return bibliography.Entry(key, authors, year, "T", "W", "https://a.b", "no", 1)


KNOWN = {
    part.key: part
    for part in (
        entry("glorot2010", "Glorot, Xavier", "Bengio, Yoshua"),
        entry("bengio2010", "Bengio, Yoshua"),
        entry("li2010", "Li, A.", "B, B.", "C, C."),
        entry("hanin2010", "Hanin, Boris"),
        entry("haninb2010", "Hanin, Boris"),
    )
}


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("Glorot and Bengio (2010), eq. 12; Bengio (2010).", ["glorot2010", "bengio2010"]),
        ("the rule of Li et al. (2010)", ["li2010"]),
        ("[@haninb2010, theorem 2]", ["haninb2010"]),
        ("initialization#eq-he and the rest", ["eq-he"]),
        ("definition", []),
    ],
)
def test_works_and_places_are_found(text: str, keys: list[str]) -> None:
    found = sources.mentions(text, KNOWN, BOOK)
    assert [mention.anchor for mention in found] == keys
    assert not any(mention.fault for mention in found)
    assert all(mention.page for mention in found)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Bengio (2011)", "the bibliography has no Bengio (2011)"),
        ("Saxe and Bengio (2010)", "the bibliography has no Saxe and Bengio (2010)"),
        ("Eli et al. (2010)", "the bibliography has no Eli et al. (2010)"),
        ("Hanin (2010)", "hanin2010 or haninb2010"),
        ("[@nobody2010]", "the bibliography has no nobody2010"),
        ("initialization#eq-nothing", "no page of chapter initialization has the anchor eq-nothing"),
        ("nothing#eq-he", "no page of chapter nothing"),
    ],
)
def test_what_leads_nowhere_is_said(text: str, fault: str) -> None:
    assert [fault in mention.fault for mention in sources.mentions(text, KNOWN, BOOK)] == [True]


FUNCTION = '''"""Kernels."""


def double(x):
    """Double.

        2 x
{derivation}
    Source: {source}.
    """


def slope(x):
    """Give 2."""
'''


def faults(folder: Path, source: str, derivation: str = "") -> list[str]:
    """Give what the check says of the line in a small book."""
    text = FUNCTION.format(source=source, derivation=derivation)
    book = breach.Book(small_book.write(folder))
    path = book.layout.package / "numpy" / "growth.py"
    path.write_text(text, "utf-8")
    line = 1 + text.split("\n").index(f"    Source: {source}.")
    found = [part for part in code.named_sources(book) if part.path == "dlnotes/numpy/growth.py"]
    assert all(part.line == line for part in found), found
    return [part.message for part in found]


@pytest.mark.parametrize(
    "source",
    [
        "definition",
        "derivative of `slope`",
        "the rule of `initialization.he_variance`",
        "Glorot and Bengio (2010)",
        "derived here: twice as much of it",
    ],
)
def test_lawful_lines_pass(tmp_path: Path, source: str) -> None:
    assert faults(tmp_path, source) == []


def test_a_derivation_that_stands_there_passes(tmp_path: Path) -> None:
    assert faults(tmp_path, "derived here", "\n    Derivation: add x to itself.\n") == []


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("derived in the chapter", "names no work"),
        ("derived here", "no paragraph begins with Derivation:"),
        ("derivative of `nothing`", "there is no nothing"),
        ("the rule of `growth.nothing`", "there is no growth.nothing"),
        ("Nobody (1999)", "the bibliography has no Nobody (1999)"),
    ],
)
def test_a_slip_is_found_at_its_line(tmp_path: Path, source: str, fault: str) -> None:
    assert [fault in message for message in faults(tmp_path, source)] == [True]
