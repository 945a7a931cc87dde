"""A small book of one chapter, written into a temporary folder, on which the press is tested.

It is made here and not kept as files: a page kept below tests/ would be collected and run with the real package.
"""

from __future__ import annotations

from pathlib import Path

import markdown

from dlnotes.book.layout import Layout

MKDOCS = """
site_name: sample
site_url: !ENV [SITE_URL, ""]
nav:
  - Home: index.md
  - Part: [chapters/growth.md, chapters/decay.md]
  - Lists: [claims.md, flashcards.md, references.md, api.md]
extra:
  repository: !ENV [REPOSITORY_URL, ""]
"""

CLAIMS = """
- id: later
  notes: [N5]
  chapter: not_written_yet
  verdict: limits
  claim: "Later chapters follow."
  evidence: "patience"
- id: doubles
  notes: [N1, N4]
  chapter: growth
  verdict: holds
  claim: "Twice two is *four*."
  evidence: "counting"
- id: halves
  notes: [N2]
  chapter: growth
  verdict: corrected
  claim: "Half of one is zero."
  evidence: "division"
"""

REFERENCES = """
- key: glorot2010
  authors: ["Glorot, Xavier", "Bengio, Yoshua"]
  year: 2010
  title: On difficulty
  where: A conference
  url: https://example.org/glorot
  confirmed: made up for this test
- key: alone1999
  authors: ["Alone, Ann"]
  year: 1999
  title: Who cites this?
  where: A drawer
  url: https://example.org/alone
  confirmed: "no"
"""

GROWTH = r"""---
title: Growth
---

# Growth

The size $n_\text{in}$ costs \$5 and `$not a formula$`. See \eqref{double}, \eqref{decay/half}, \figref{line} and
\figref{decay/line}. As shown [@glorot2010, eq. 12] and before [@glorot2010].

$$
y = 2 x \label{double}
$$

A list:

- with a formula
  $$
  a < b
  $$
- and *without*

/// figure | growth/line
    alt: A line that rises from left to right.

The line rises by $2$ a step.
///

/// figure | growth/second
    alt: Another line, which stays where it is.

Nothing happens. Left: zero. Right: zero too.
What is left: *nothing*.
///

/// kernel | growth.double
///

/// kernel | growth.alone
///

/// claim | doubles
Counting settles it.

```python
print(2 * 2)
```
<!--pytest-codeblocks:expected-output-->
```
4 < 5
```
///

//// exercise | growth-triple
Write *triple*

Complete it.

<!--pytest.mark.xfail(strict=True, raises=AssertionError)-->
```python
def triple(x): return 0
assert triple(1) == 3
```

/// solution
```python
def triple(x): return 3 * x
assert triple(1) == 3
```
///
////

/// flashcard | growth-why
    notes: N1, N4

Why does $2^n$ grow?

Because of \eqref{double}, see [the list](#growth) and [decay](decay.md#decay).

```python
print(r"\eqref{untouched}")
```
///

## Reference

/// sources-list
///
"""

DECAY = r"""---
title: Decay
---

# Decay

$$
y = x / 2 \label{half}
$$

/// figure | decay/line
    alt: A line that falls from left to right.

The line falls.
///
"""

INDEX = """# Home

/// claim-showcase | doubles
///

/// claims-tally
///
"""

NUMPY = '''"""Growth."""

from __future__ import annotations

import math


def _factor() -> float:
    return math.sqrt(4.0)


def double(x: float) -> float:
    """Double a number."""
    return _factor() * x  # < twice


def alone() -> int:
    """Give 1."""
    return 1
'''

TORCH = '''"""Growth."""


def double(x):
    """Double a number."""
    return 2 * x
'''

FIGURES = '''"""Figures."""


def line():
    """Numbers."""
    return 1


def draw_line(numbers, paper):
    """Picture."""
    return numbers


def second():
    return 2


def draw_second(numbers, paper):
    return numbers
'''

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="{width}pt" height="{height}pt" viewBox="0 0 1 1"></svg>'

MOVING = """//// moving | growth
    title: By hand

Put *n* at 3.

/// figure | growth/line
    alt: A line that rises from left to right.

The line rises by $2$ a step.
///
////
"""
assert MOVING.split("\n\n", 2)[2].removesuffix("////\n") in GROWTH

PAGES = {
    "index.md": INDEX,
    "claims.md": "# Claims\n\n## Notes\n\n/// notes-list\n///\n\n/// claims-list\n///\n",
    "flashcards.md": "# Cards\n\n/// flashcards-list\n///\n",
    "references.md": "# References\n\n/// references-list\n///\n",
    "api.md": "# API\n",
    "chapters/growth.md": GROWTH,
    "chapters/decay.md": DECAY,
}


def write(folder: Path) -> Layout:
    """Write the book and give its layout."""
    files = {
        "mkdocs.yml": MKDOCS,
        "docs/claims.yaml": CLAIMS,
        "docs/references.yaml": REFERENCES,
        "dlnotes/numpy/growth.py": NUMPY,
        "dlnotes/torch/growth.py": TORCH,
        "dlnotes/figures/growth.py": FIGURES,
        "dlnotes/figures/decay.py": FIGURES,
        "docs/assets/js/moving/growth.js": "",
        **{f"docs/{name}": text for name, text in PAGES.items()},
    }
    for stem, name in (("growth", "line"), ("growth", "second"), ("decay", "line")):
        for width, points in (("wide", 510), ("narrow", 255)):
            for theme in ("light", "dark"):
                path = f"docs/assets/figures/{stem}/{name}.{width}.{theme}.svg"
                files[path] = SVG.format(width=points, height=points / 2)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip("\n"), "utf-8")
    return Layout(folder)


def convert(layout: Layout, name: str) -> str:
    """Convert a page as the builder does: without its front matter, and without its name."""
    text = (layout.docs / name).read_text("utf-8")
    return convert_text(layout, text.split("---\n", 2)[2] if text.startswith("---") else text)


def convert_text(layout: Layout, text: str) -> str:
    """Convert text with the extensions that the book uses."""
    extensions = ["attr_list", "smarty", "tables", "toc", "pymdownx.superfences", "dlnotes.book.markdown"]
    settings = {"dlnotes.book.markdown": {"root": str(layout.root)}}
    return markdown.markdown(text.lstrip("\n"), extensions=extensions, extension_configs=settings)
