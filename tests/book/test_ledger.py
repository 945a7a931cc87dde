"""The ledger is read with its lines, and a slip in it is found where it stands."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dlnotes.book import layout, ledger, records

CLAIM = """\
- id: he-variance
  notes: [N1, N4]
  chapter: initialization
  verdict: holds
  claim: "A"
  evidence: "B"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "claims.yaml"
    path.write_text(text, "utf-8")
    return path


def test_claims_know_their_line(tmp_path: Path) -> None:
    claims = ledger.load(written(tmp_path, "# A header.\n\n" + CLAIM + CLAIM.replace("he-variance", "other")))
    assert claims[0] == ledger.Claim("he-variance", ("N1", "N4"), "initialization", "holds", "A", "B", 3)
    assert claims[1].line == 9


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    path = written(tmp_path, CLAIM)
    assert ledger.load(path)[0].verdict == "holds"
    path.write_text(CLAIM.replace("holds", "corrected") + "# longer\n")
    os.utime(path, ns=(1, 1))
    assert ledger.load(path)[0].verdict == "corrected"


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("he-variance", "He variance", 1, "id must be a name of small letters"),
        ("he-variance", "he--variance", 1, "id must be a name of small letters"),
        ("he-variance", "5", 1, "id must be a name of small letters"),
        ("[N1, N4]", "[N1, N6]", 1, "notes must be a list of N1, N2, N3, N4, N5"),
        ("[N1, N4]", "[]", 1, "notes must be"),
        ("[N1, N4]", "[N1, N1]", 1, "each at most once"),
        ("[N1, N4]", "N1", 1, "notes must be"),
        ("chapter: initialization", "chapter: batch norm", 1, "chapter must be the short name"),
        ("verdict: holds", "verdict: true", 1, "verdict must be one of holds, limits, corrected, got True"),
        ('claim: "A"', 'claim: " "', 1, "claim must be a text"),
        ('claim: "A"', "claim: 5", 1, "claim must be a text"),
        ('  evidence: "B"\n', "", 1, "the field 'evidence' is missing"),
        ("verdict:", "verdicts:", 1, "unknown field 'verdicts'"),
        ('  evidence: "B"\n', '  evidence: "B"\n' + CLAIM, 7, "stands already in line 1"),
        ('  evidence: "B"\n', '  evidence: "B"\n- words\n', 7, "name: value"),
        ('  evidence: "B"\n', '  evidence: "B\n', 7, "unexpected end of stream|quoted scalar"),
    ],
)
def test_a_slip_is_found_at_its_line(tmp_path: Path, old: str, new: str, line: int, message: str) -> None:
    assert old in CLAIM
    path = written(tmp_path, CLAIM.replace(old, new, 1))
    with pytest.raises(records.RecordError, match=message) as error:
        ledger.load(path)
    assert error.value.line == line
    assert error.value.path == path


@pytest.mark.parametrize(("text", "message"), [("a: b\n", "a list of records"), (None, "no such file")])
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "claims.yaml" if text is None else written(tmp_path, text)
    with pytest.raises(records.RecordError, match=message):
        ledger.load(path)


def test_an_empty_ledger_has_no_claims(tmp_path: Path) -> None:
    assert ledger.load(written(tmp_path, "# nothing yet\n")) == ()


def test_a_claim_is_open_while_its_chapter_is_not_in_the_book(tmp_path: Path) -> None:
    claims = ledger.load(written(tmp_path, CLAIM + CLAIM.replace("he-variance", "other").replace("init", "symm")))
    assert [claim.id for claim in ledger.open_claims(claims, ("initialization",))] == ["other"]
    assert [claim.id for claim in ledger.of_chapter(claims, "initialization")] == ["he-variance"]


def test_the_books_own_ledger_holds_every_claim_of_the_notes() -> None:
    claims = ledger.load(layout.find().ledger)
    assert {claim.verdict for claim in claims} == set(ledger.VERDICTS)
    assert len({claim.chapter for claim in claims}) == 21
    assert {note for claim in claims for note in claim.notes} == set(ledger.NOTES)
