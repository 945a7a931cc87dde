"""The bibliography: one file of sources, cited by key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from dlnotes.book import records


@dataclass(frozen=True)
class Entry:
    """A source. An author is written `Family, Given`, an institution without a comma.

    `where` is the journal, conference or publisher; `confirmed` says in one line how the entry was looked up, or "no".
    """

    key: str
    authors: tuple[str, ...]
    year: int
    title: str
    where: str
    url: str
    confirmed: str
    line: int


def _authors(value: Any) -> str | None:
    known = isinstance(value, list) and value and all(records.text(name) is None for name in value)
    return None if known else "a list of names, each written `Family, Given`"


def _year(value: Any) -> str | None:
    return None if type(value) is int and 1600 <= value <= 2100 else "a year"


def _url(value: Any) -> str | None:
    return None if isinstance(value, str) and value.startswith("https://") else "an address that begins with https://"


def _confirmed(value: Any) -> str | None:
    return records.text(value) and 'how the entry was looked up, in one line, or "no" (quoted)'


_RULES = {
    "key": records.word,
    "authors": _authors,
    "year": _year,
    "title": records.text,
    "where": records.text,
    "url": _url,
    "confirmed": _confirmed,
}


def load(path: Path) -> tuple[Entry, ...]:
    """Read the bibliography; raises records.RecordError with the line of the first entry that breaks a rule."""
    return _loaded(path, path.stat().st_mtime_ns if path.exists() else 0)


@lru_cache(maxsize=8)
def _loaded(path: Path, changed: int) -> tuple[Entry, ...]:
    found = records.load(path, _RULES, "key")
    return tuple(
        Entry(**{**record.fields, "authors": tuple(record.fields["authors"])}, line=record.line) for record in found
    )


def short(entry: Entry) -> str:
    """Name an entry as the text does: `Glorot and Bengio (2010)`, `He et al. (2015)`."""
    families = [name.partition(",")[0] for name in entry.authors]
    if len(families) > 2:
        return f"{families[0]} et al. ({entry.year})"
    return f"{' and '.join(families)} ({entry.year})"


def place(entry: Entry) -> str:
    """Say where an entry was published, as it is set: a range of pages stays whole, and no last number stands alone."""
    ranged = re.sub(r"(?<=\d)-(?=\d)", "\N{WORD JOINER}\N{EN DASH}\N{WORD JOINER}", entry.where)
    whole = re.sub(r" (?=\d[^ ]*$)", "\N{NO-BREAK SPACE}", ranged)
    return whole[0].upper() + whole[1:]


def authors(entry: Entry) -> str:
    """Name all authors, given names first: `Xavier Glorot and Yoshua Bengio`."""
    names = [" ".join(part.strip() for part in reversed(name.split(",", 1))) for name in entry.authors]
    if len(names) < 3:
        return " and ".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
