"""The ledger: every claim of the five notes, its verdict, and the chapter that settles it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from dlnotes.book import records

NOTES = {
    "N1": "flashcards on setting up the optimization problem",
    "N2": "flashcards on initialization, over- and underfitting and regularization",
    "N3": "lecture notes, Training Neural Networks I",
    "N4": "course questions, from normalization to batch norm and softmax",
    "N5": "flashcards on optimization for training deep models",
}
VERDICTS = {
    "holds": "the claim is right as it stands",
    "limits": "right under conditions that the notes leave out: the book states them and shows both sides",
    "corrected": "wrong as written: the book says what is right and shows it",
}


@dataclass(frozen=True)
class Claim:
    """A claim of the notes; `line` is where it stands in the ledger, `because` the reason of its verdict."""

    id: str
    notes: tuple[str, ...]
    chapter: str
    verdict: str
    claim: str
    evidence: str
    line: int
    because: str = ""


def _notes(value: Any) -> str | None:
    known = isinstance(value, list) and value and all(note in NOTES for note in value)
    return None if known and len(set(value)) == len(value) else f"a list of {', '.join(NOTES)}, each at most once"


def _verdict(value: Any) -> str | None:
    return None if value in VERDICTS else f"one of {', '.join(VERDICTS)}"


def _stem(value: Any) -> str | None:
    return None if isinstance(value, str) and value.isidentifier() else "the short name of a chapter"


_RULES = {
    "id": records.word,
    "notes": _notes,
    "chapter": _stem,
    "verdict": _verdict,
    "claim": records.text,
    "evidence": records.text,
    "because": records.text,
}


def load(path: Path) -> tuple[Claim, ...]:
    """Read the ledger; raises records.RecordError with the line of the first claim that breaks a rule."""
    return _loaded(path, path.stat().st_mtime_ns if path.exists() else 0)


@lru_cache(maxsize=8)
def _loaded(path: Path, changed: int) -> tuple[Claim, ...]:
    found = records.load(path, _RULES, "id", optional={"because"})
    return tuple(
        Claim(**{**record.fields, "notes": tuple(record.fields["notes"])}, line=record.line) for record in found
    )


def of_chapter(claims: tuple[Claim, ...], stem: str) -> tuple[Claim, ...]:
    """Give the claims that a chapter settles, in the order of the ledger."""
    return tuple(claim for claim in claims if claim.chapter == stem)


def open_claims(claims: tuple[Claim, ...], stems: tuple[str, ...]) -> tuple[Claim, ...]:
    """Give the claims whose chapter is not yet in the book."""
    return tuple(claim for claim in claims if claim.chapter not in stems)
