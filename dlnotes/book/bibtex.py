"""The bibliography, and the book itself, as BibTeX."""

from __future__ import annotations

import re
from typing import Any

import yaml

from dlnotes.book import bibliography
from dlnotes.book import layout as layouts

_JOURNAL = re.compile(
    r"(?P<journal>[A-Z][^\d,;]*(?:, Series [A-Z])?) (?P<volume>\d{1,3})"
    r"(?: ?\((?P<number>[\d\u2013-]+)\))?(?:, (?:pages? )?(?P<pages>\d+(?:[\u2013-]\d+)?))?"
)
_MEETING = re.compile(r"\b(?:Proceedings|Conference|Workshop|Advances in Neural|Symposium)\b")
# What TeX reads as a command; braces keep the capitals of titles.
_SPECIAL = {"\\": r"\textbackslash{}", **{sign: f"\\{sign}" for sign in "&%$#_{}"}, "~": r"\textasciitilde{}"}


def bibliography_file(layout: layouts.Layout) -> str:
    """Give every source that the book cites, under the keys that its pages use."""
    return "\n\n".join(map(entry, bibliography.load(layout.bibliography))) + "\n"


def entry(found: bibliography.Entry) -> str:
    """Write a source.

    An institution is put in braces, so that it is not taken apart as a name. Where a journal is named with its volume
    it is an article, where a meeting is named it was said there, and the rest is `misc` with the place as it is cited.
    """
    printed = _JOURNAL.fullmatch(found.where)
    if _MEETING.search(found.where) and not (printed and "Academy" in found.where):
        kind, where = "inproceedings", {"booktitle": escaped(found.where)}
    elif printed:
        kind, where = "article", {name: escaped(value or "") for name, value in printed.groupdict().items()}
        where["pages"] = re.sub(r"[\u2013-]", "--", where["pages"])
    else:
        kind, where = "misc", {"howpublished": escaped(found.where)}
    return _record(
        kind,
        found.key,
        {
            "author": " and ".join(map(_author, found.authors)),
            "title": f"{{{escaped(found.title)}}}",
            "year": str(found.year),
            **where,
            "url": found.url,
        },
    )


def book(layout: layouts.Layout) -> str:
    """Give the entry by which the book is cited, from CITATION.cff."""
    cited: dict[str, Any] = yaml.safe_load((layout.root / "CITATION.cff").read_text("utf-8"))
    address = layout.site_url or layout.repository or str(cited.get("url") or "")
    released = str(cited.get("date-released") or "")
    return (
        _record(
            "misc",
            "dlnotes",
            {
                "author": " and ".join(f"{{{escaped(author['name'])}}}" for author in cited["authors"]),
                "title": f"{{{escaped(cited['title'])}}}",
                "year": released[:4],
                "note": f"Version {cited['version']}",
                "url": address,
            },
        )
        + "\n"
    )


def _record(kind: str, key: str, fields: dict[str, str]) -> str:
    rows = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@{kind}{{{key},", *rows, "}"])


def _author(name: str) -> str:
    return escaped(name) if "," in name else f"{{{escaped(name)}}}"


def escaped(text: str) -> str:
    """Write text so that TeX takes none of its signs for a command."""
    return "".join(_SPECIAL.get(sign, sign) for sign in text)
