"""A reader's report becomes a failing test and a line, tried with two mistakes that other books really print."""

from __future__ import annotations

import datetime
import importlib.util
from pathlib import Path

import pytest
import yaml

from dlnotes import __main__ as commands
from dlnotes.book import erratum, layout
from tests.book import small_book

DAY = datetime.date(2026, 11, 30)
ERRATA = "# Errata\n\nWhat was wrong, and is mended.\n\n## This book { #ours }\n\nA mistake is mended in the page.\n"
# As Dive into Deep Learning completes the square in its section on momentum, and as the notes of CS231n name the place
# where a difference quotient crosses ReLU's kink; docs/errata.md cites both.
MISPRINTED = r"""
## The square

The minimum lies where the square is zero:

$$
h(x) = \frac12 (x - Q^{-1} c)^\top Q (x - Q^{-1} c) + b - \frac12 c^\top Q^{-1} c . \label{square}
$$

## The kink

With a step of $10^{-5}$ the quotient of ReLU crosses the kink from $x = -10^{6}$.
"""
FORM = """### Where

{where}

### What is wrong

A derivation or an equation

### What it says

{says}

### What it should say

{should}

### How you know

I multiplied it out.

### A block that shows it

```python
{block}
```

### Your machine

_No response_
"""
SQUARE = {
    "where": "https://example.org/chapters/initialization/#eq-square",
    "says": r"$\frac12 (x - Q^{-1} c)^\top Q (x - Q^{-1} c)$",
    "should": r"$\frac12 (x + Q^{-1} c)^\top Q (x + Q^{-1} c)$",
    "block": """\
import numpy as np

### a comment that is no heading
Q, c, x = np.array([[3.0, 1.0], [1.0, 2.0]]), np.array([1.0, -2.0]), np.ones(2)
toward = np.linalg.solve(Q, c)
for sign, right in ((-1, False), (1, True)):
    square = 0.5 * (x + sign * toward) @ Q @ (x + sign * toward) - 0.5 * c @ toward
    assert np.isclose(square, 0.5 * x @ Q @ x + x @ c) == right""",
}
KINK = {
    "where": "chapters/initialization/#the-kink",
    "says": "> $x = -10^{6}$",
    "should": "$x = -10^{-6}$",
    "block": """\
def quotient(x, step=1e-5):
    return (max(x + step, 0) - max(x - step, 0)) / (2 * step)


assert quotient(-1e6) == 0 < quotient(-1e-6)""",
}


@pytest.fixture
def book(tmp_path, monkeypatch):
    made = small_book.write(tmp_path)
    chapter = made.docs / "chapters" / "initialization.md"
    text = chapter.read_text("utf-8")
    assert "\n## The code\n" in text
    chapter.write_text(text.replace("\n## The code\n", f"{MISPRINTED}\n## The code\n"), "utf-8")
    (made.docs / "errata.md").write_text(ERRATA, "utf-8")
    settings = tmp_path / "mkdocs.yml"
    settings.write_text(
        settings.read_text("utf-8").replace("  - References:", "  - Errata: errata.md\n  - References:")
    )
    monkeypatch.chdir(tmp_path)
    return layout.Layout(tmp_path)


def results(path: Path) -> dict[str, bool]:
    """Run the tests of a file as the book's own runner would, and say which pass."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = {}
    for name in (name for name in vars(module) if name.startswith("test_")):
        try:
            getattr(module, name)()
            found[name] = True
        except AssertionError:
            found[name] = False
    return found


@pytest.mark.parametrize(
    ("report", "file", "line", "wrong", "right"),
    [
        (
            SQUARE,
            "test_chapters_initialization_eq_square.py",
            "- [Initialization](chapters/initialization.md#eq-square), 30 November 2026. "
            f"It said: {SQUARE['says']} It says now: {SQUARE['should']}",
            "x - Q",
            "x + Q",
        ),
        (
            KINK,
            "test_chapters_initialization_the_kink.py",
            "- [Initialization](chapters/initialization.md#the-kink), 30 November 2026. It said: $x = -10^{6}$ "
            "It says now: $x = -10^{-6}$",
            "-10^{6}",
            "-10^{-6}",
        ),
    ],
    ids=["the sign of the completed square", "the minus of an exponent"],
)
def test_a_report_becomes_a_test_that_fails_until_the_page_is_mended(book, report, file, line, wrong, right):
    path = erratum.write(book, erratum.read(book, FORM.format(**report)), DAY)
    assert path == book.root / "tests" / "errata" / file
    assert (book.docs / "errata.md").read_text("utf-8") == f"{ERRATA}\n{line}\n"
    assert results(path) == {"test_the_book_no_longer_says_it": False, "test_what_shows_it_holds": True}
    chapter = book.docs / "chapters" / "initialization.md"
    chapter.write_text(chapter.read_text("utf-8").replace(wrong, right), "utf-8")
    assert results(path) == {"test_the_book_no_longer_says_it": True, "test_what_shows_it_holds": True}


def test_a_mistake_of_the_code_fails_by_its_block(book):
    says = "return 2 / fan_in"
    kernel = book.module("initialization", "numpy")
    assert says in kernel.read_text("utf-8")
    block = "from fractions import Fraction\n\nassert Fraction(1, 3) == 0.3"
    report = {**KINK, "where": "chapters/initialization/#kernel-initialization-he_variance", "says": f"`{says}`"}
    path = erratum.write(book, erratum.read(book, FORM.format(**{**report, "block": block})), DAY)
    assert results(path) == {"test_the_book_no_longer_says_it": False, "test_what_shows_it_holds": False}


def test_a_second_line_stands_behind_the_first(book, tmp_path, capsys):
    for report in (SQUARE, KINK):
        (tmp_path / "report.md").write_text(FORM.format(**report), "utf-8")
        assert commands.main(["erratum", str(tmp_path / "report.md")]) == 0
    assert "read its block" in capsys.readouterr().out
    *_, first, second = (book.docs / "errata.md").read_text("utf-8").rstrip().split("\n")
    assert first.startswith("- [Initialization](chapters/initialization.md#eq-square)")
    assert second.startswith("- [Initialization](chapters/initialization.md#the-kink)")
    assert commands.main(["erratum", str(tmp_path / "report.md")]) == 1
    assert "the place was reported before" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"where": "chapters/initialisation/#eq-square"}, "Where: it must be the address of a page of the book, got"),
        ({"where": "chapters/initialization/"}, "Where: it must name a place of the page, and"),
        ({"where": "chapters/initialization/#eq-sqare"}, "has no #eq-sqare; did you mean #eq-square?"),
        ({"where": "_No response_"}, "Where: it is empty"),
        ({"says": "_No response_"}, "What it says: it is empty"),
        (
            {"says": "$E = mc^2$"},
            "What it says: it must be copied from the place, and chapters/initialization.md#eq-sq",
        ),
        ({"should": "$h(x) = 1/2 (x + y)$, not " + SQUARE["says"]}, "What it should say: it must not hold the words"),
        ({"should": r"$\frac{1$"}, "What it should say: the page of errata could not show it: formula"),
        ({**KINK, "should": "[@nobody1999]"}, "What it should say: the page of errata could not show it: "),
        ({"block": "print(1 +"}, "A block that shows it: it must be Python: '(' was never closed, line 1"),
        ({"block": "print(1)"}, "A block that shows it: it must assert what is right, so that it can fail"),
        ({"block": ""}, "A block that shows it: it must assert what is right, so that it can fail"),
    ],
)
def test_a_bad_report_is_refused_by_field_and_rule_and_nothing_is_written(book, tmp_path, capsys, change, said):
    (tmp_path / "report.md").write_text(FORM.format(**{**SQUARE, **change}), "utf-8")
    assert commands.main(["erratum", "report.md"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("dlnotes: report.md: ")
    assert said in told
    assert (book.docs / "errata.md").read_text("utf-8") == ERRATA
    assert not (book.root / "tests" / "errata").exists()


def test_a_text_that_is_no_report_is_refused(book, tmp_path, capsys):
    (tmp_path / "report.md").write_text("Dear authors, page three is wrong.", "utf-8")
    assert commands.main(["erratum", "report.md"]) == 1
    assert "Where: the report has no heading '### Where', as the form writes it" in capsys.readouterr().err
    assert commands.main(["erratum", "nothing.md"]) == 2
    empty = FORM.format(**SQUARE).partition("```python")[0] + "_No response_\n"
    (tmp_path / "report.md").write_text(empty, "utf-8")
    assert commands.main(["erratum", "report.md"]) == 1
    assert "A block that shows it: it is empty; without it there is no test" in capsys.readouterr().err


def test_the_form_asks_for_the_fields_that_are_read():
    form = yaml.safe_load((Path(__file__).parents[2] / ".github/ISSUE_TEMPLATE/erratum.yml").read_text("utf-8"))
    labels = [part["attributes"]["label"] for part in form["body"]]
    assert {erratum.WHERE, erratum.SAYS, erratum.SHOULD, erratum.BLOCK} <= set(labels)
