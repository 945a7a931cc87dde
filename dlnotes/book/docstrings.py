"""Docstrings of the house, read: a sentence, paragraphs and equations, and the sections that follow."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, field

_HEAD = re.compile(r"(Args|Attributes|Returns|Yields|Raises|Source|Derivation):(?: (.*))?")
_ITEM = re.compile(r"(\*{0,2}[\w.]+(?:, \*{0,2}[\w.]+)*): ?(.*)")


@dataclass(frozen=True)
class Paragraph:
    """Running text on one line, or, indented in the docstring, an equation with its lines."""

    text: str
    equation: bool = False


@dataclass(frozen=True)
class Item:
    """An argument, an attribute or an error, and what is said of it."""

    name: str
    text: str


@dataclass(frozen=True)
class Docstring:
    """A docstring; `sections` holds what stands under `Args`, `Attributes` and `Raises`, item by item.

    `line` of the source is where `Source:` stands, counted from 0 within the docstring, or None.
    """

    paragraphs: tuple[Paragraph, ...]
    sections: dict[str, tuple[Item, ...]] = field(default_factory=dict)
    returns: str = ""
    source: str = ""
    derivation: tuple[Paragraph, ...] = ()
    line: int | None = None

    @property
    def summary(self) -> str:
        """The first sentence, which is the first paragraph."""
        return self.paragraphs[0].text if self.paragraphs else ""


def parse(text: str) -> Docstring:
    """Read a docstring."""
    lines = inspect.cleandoc(text).split("\n")
    heads = [(at, found) for at, line in enumerate(lines) if (found := _HEAD.fullmatch(line))]
    sections: dict[str, tuple[Item, ...]] = {}
    single: dict[str, list[str]] = {}
    for number, (at, found) in enumerate(heads):
        end = heads[number + 1][0] if number + 1 < len(heads) else len(lines)
        body = [*([found[2]] if found[2] else []), *lines[at + 1 : end]]
        if found[1] in ("Args", "Attributes", "Raises"):
            sections[found[1]] = _items(body)
        else:
            single[found[1]] = body
    first = heads[0][0] if heads else len(lines)
    return Docstring(
        paragraphs=_paragraphs(lines[:first]),
        sections=sections,
        returns=_flat(single.get("Returns") or single.get("Yields") or []),
        source=_flat(single.get("Source", [])),
        derivation=_paragraphs(single.get("Derivation", [])),
        line=next((at for at, found in heads if found[1] == "Source"), None),
    )


def _flat(lines: list[str]) -> str:
    return " ".join(" ".join(lines).split())


def _paragraphs(lines: list[str]) -> tuple[Paragraph, ...]:
    """Part lines at the empty ones and where an indent begins or ends."""
    made: list[Paragraph] = []
    held: list[str] = []

    def close() -> None:
        if held:
            equation = held[0].startswith("    ")
            text = inspect.cleandoc("\n".join(["", *held])) if equation else _flat(held)
            made.append(Paragraph(text, equation))
            held.clear()

    for line in lines:
        if not line.strip() or (held and line.startswith("    ") != held[0].startswith("    ")):
            close()
        if line.strip():
            held.append(line)
    close()
    return tuple(made)


def _items(lines: list[str]) -> tuple[Item, ...]:
    """Read `name: text` lines; what is indented further goes on with the item above."""
    made: list[Item] = []
    for line in lines:
        found = _ITEM.fullmatch(line.strip())
        if found and line.startswith("    ") and not line.startswith("     "):
            made.append(Item(found[1], found[2]))
        elif line.strip() and made:
            made[-1] = Item(made[-1].name, f"{made[-1].text} {line.strip()}".strip())
    return tuple(made)
