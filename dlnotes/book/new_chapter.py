"""Writes the files of a new chapter: every part that the laws ask for, with a TODO where the author's work begins.

The check refuses a page until no TODO is left, and the tests of the skeleton fail until they are written.
"""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from dlnotes.book import layout, ledger
from dlnotes.book.rules import structure

_EMPTY_NAMES = {"util", "utils", "helper", "helpers", "common", "misc"}
_DEVICES = {"con", "prn", "aux", "nul"}
_HOMES = {"index", "readme"}  # the builder makes the home of a folder of them
_LONGEST = 40

_QUESTION = """---
title: {title}
description: TODO what the chapter settles, in one line
synonyms: [TODO words that readers search for and the page does not say]
---

# {title}

TODO the question of the chapter, in one sentence?
{{ .question }}

/// figure | {stem}/{figure}
    alt: TODO what is to be seen, in one or two sentences.

TODO the caption of the figure that answers the question: its one message.
///
"""

_SECTIONS = {
    "In short": "- TODO three to five rules, each ending with the \\claimref of its claim\n\nTODO on your own net.",
    "The idea": "TODO the idea, concrete first: a number, a network, then the rule.",
    "Why": "TODO the heart of the derivation; [in full]({stem}/derivation.md).",
    "The code": "TODO the kernels, each shown from its source: /// kernel | {stem}.name",
    "Experiments": "TODO experiments over many seeds that show their spread; what takes longer than 0.5 s is a figure.",
    "What the notes say": "/// claim-rows\n///",
    "Since the notes": "TODO what has changed since the notes, with sources; a short experiment where it can be shown.",
}

_BESIDE = """---
title: "{title}: {part}"
description: TODO what this page holds, in one line
---

# {title}: {part}

"""

_DERIVATION = """TODO the derivation in full, every assumption named, equations numbered with \\label.
"""

_CLAIM = """/// claim | {claim.id}
TODO the evidence, with at least one block that could fail. The plan: {evidence}

Otherwise: TODO what would have come out if the verdict were another.
///
"""

_EXERCISE = """//// exercise | {exercise}
TODO the title

TODO the task.

<!--pytest.mark.xfail(strict=True, raises=AssertionError)-->
```python
from dlnotes.exercises import {stem} as exercises


def answer():
    return None  # TODO the starter


exercises.check_{function}(answer)
```

/// solution
```python
from dlnotes.exercises import {stem} as exercises


def answer():
    return 0  # TODO the solution


exercises.check_{function}(answer)
```
///
////
"""

_FLASHCARD = """/// flashcard | {figure}-question
    notes: {note}

TODO the question of the note?

TODO the right answer.
///
"""

_REFERENCE = """[Every function of this chapter](../api/{stem}.md), with shapes, ranges and errors.

/// sources-list
///
"""

_API = """---
title: "API: {title}"
description: Every function of the chapter on {title}, with shapes, ranges, errors and sources.
search:
  boost: 0.4
---

# API: {title}

[The chapter](../chapters/{stem}.md)

{modules}"""

_KERNELS = '''"""TODO what the chapter's functions compute, and the conventions that they share."""

from __future__ import annotations
'''

_FIGURES = '''"""TODO what the figures of the chapter show."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class {record}(NamedTuple):
    """TODO the numbers of the figure that answers the chapter's question."""

    values: np.ndarray


def {function}() -> {record}:
    """TODO compute the numbers, from seeds and sizes given as defaults."""
    raise NotImplementedError("TODO the numbers of {stem}/{figure}")


def draw_{function}(numbers: {record}, paper: Any) -> Any:
    """TODO draw them."""
    raise NotImplementedError("TODO the drawing of {stem}/{figure}")
'''

_EXERCISES = '''"""Checkers of the chapter's exercises: each takes a reader's answer and says what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable


def check_{function}(answer: Callable[[], float]) -> None:
    """TODO what is checked, and what the messages say."""
    raise NotImplementedError("TODO the checker of {exercise}")
'''

_FIGURE_TESTS = '''"""What the numbers of the chapter's figures must satisfy."""

from __future__ import annotations

# Arguments under which each function of numbers takes a moment only.
SMALL = {{"{figure}": {{}}}}  # TODO sizes and seeds for each figure, and a test of each figure's numbers
'''

_TESTS = """from __future__ import annotations

import pytest


def test_laws_limits_and_known_numbers():
    pytest.fail("TODO the tests of dlnotes.numpy.{stem}")
"""

_SABOTAGE = '''"""The break under which the evidence of each claim must fail."""

from __future__ import annotations

from tests.sabotage import Patch

SABOTAGE: dict[str, Patch | tuple[Patch, ...]] = {{
    # TODO a Patch("dlnotes.numpy.{stem}", "name", broken) for each of these:
{claims}}}
'''

_CASES = '''"""{docstring}"""

from __future__ import annotations

CASES: {kind} = {empty}  # TODO {what}
'''


class NameRefused(Exception):
    """The word cannot name a chapter."""


def files(book: layout.Layout, stem: str) -> dict[Path, str]:
    """Give every file of a chapter, with what a new one holds."""
    claims = ledger.of_chapter(ledger.load(book.ledger), stem)
    figure = stem.replace("_", "-")
    words = {
        "stem": stem,
        "title": stem.replace("_", " ").capitalize(),
        "figure": figure,
        "function": stem,
        "record": "".join(word.capitalize() for word in stem.split("_")),
        "exercise": figure,
        "note": claims[0].notes[0] if claims else "N1",
        "modules": "".join(
            f"::: dlnotes.{backend}.{stem}\n"
            for backend in layout.BACKENDS
            if backend == "numpy" or book.module(stem, backend).is_file()
        ),
        "claims": "".join(f"    # {claim.id}: {claim.claim}\n" for claim in claims),
    }
    tests = book.root / "tests"
    wrong = {"docstring": "Wrong arguments, and the argument that the error must name.", "kind": "list", "empty": "[]"}
    return {
        **_pages(book, words, claims),
        book.api(stem): _API.format(**words),
        book.module(stem, "numpy"): _KERNELS,
        book.figures(stem): _FIGURES.format(**words),
        book.exercises(stem): _EXERCISES.format(**words),
        tests / f"test_{stem}.py": _TESTS.format(**words),
        tests / "figures" / f"test_{stem}.py": _FIGURE_TESTS.format(**words),
        tests / "bad_input" / f"{stem}.py": _CASES.format(**wrong, what="a case for every public function"),
        tests / "sabotage" / f"{stem}.py": _SABOTAGE.format(**words),
    }


def _pages(book: layout.Layout, words: dict[str, str], claims: tuple[ledger.Claim, ...]) -> dict[Path, str]:
    """Write the main page, its sections in their order, and the pages beside it."""
    stem = words["stem"]
    sections = {
        **{name: text.format(**words) for name, text in _SECTIONS.items()},
        "Reference": _REFERENCE.format(**words),
    }
    parts = [f"## {name}\n\n{sections[name].rstrip()}\n" for name in structure.MAIN_SECTIONS]
    evidence = "\n".join(_CLAIM.format(claim=claim, evidence=claim.evidence) for claim in claims)
    practice = f"## Exercises\n\n{_EXERCISE.format(**words)}\n## Flashcards\n\n{_FLASHCARD.format(**words)}"
    beside = {
        "derivation": _DERIVATION,
        "claims": evidence or "TODO the ledger has no claim for this chapter yet.\n",
        "practice": practice,
    }
    return {
        book.page(stem): "\n".join([_QUESTION.format(**words), *parts]),
        **{
            book.beside(stem, part): _BESIDE.format(title=words["title"], part=shown.lower()) + beside[part]
            for part, shown in layout.BESIDE.items()
        },
    }


def refuse(stem: str) -> str | None:
    """Say why a word cannot name a chapter, or None."""
    if not re.fullmatch(r"[a-z]+(?:_[a-z]+)*", stem) or keyword.iskeyword(stem):
        return f"{stem!r} must be words of small letters joined by _, without numbers: the order lives in the nav"
    if _EMPTY_NAMES.intersection(stem.split("_")):
        return f"{stem!r} does not say what is inside"
    if stem in _DEVICES:
        return f"{stem!r} names a device on Windows, and no file can have its name"
    if stem in _HOMES:
        return f"{stem!r} is the home of a folder for the builder of the site"
    if len(stem) > _LONGEST:
        return f"{stem!r} is longer than {_LONGEST} letters"
    return None


def taken(book: layout.Layout, stem: str) -> str | None:
    """Say which other part of the book would answer to the word too, or None."""
    for other in book.stems:
        # Figures of `one` may lie in `one_more.py`.
        if stem != other and (stem.startswith(f"{other}_") or other.startswith(f"{stem}_")):
            return f"{stem!r} and the chapter {other!r} could not tell their figures' files apart"
    tests = book.root / "tests" / f"test_{stem}.py"
    if tests.is_file() and not book.module(stem, "numpy").is_file():
        return f"{stem!r} is taken: {book.relative(tests)} tests something else"
    drawing = book.package / "figures" / f"{stem}.py"
    if stem not in book.stems and drawing.is_file() and not book.module(stem, "numpy").is_file():
        return f"{stem!r} is taken: {book.relative(drawing)} draws for all chapters"
    return None


def write(book: layout.Layout, stem: str) -> list[Path]:
    """Write the files that the chapter lacks, and give their paths; what is there already stays as it is."""
    reason = refuse(stem) or taken(book, stem)
    if reason:
        raise NameRefused(reason)
    written = []
    for path, text in files(book, stem).items():
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            written.append(path)
    return written


def report(book: layout.Layout, stem: str, written: list[Path]) -> str:
    """Say what was written and what is to be done next."""
    lines = [f"wrote {book.relative(path)}" for path in written] or [f"{stem} has all its files already"]
    if stem not in book.stems:
        lines.append(
            f"next: give both pages their places in the nav of mkdocs.yml: chapters/{stem}.md and api/{stem}.md"
        )
    lines.append("then: python -m dlnotes check says what is still to be done")
    return "\n".join(lines)
