"""A chapter of several pages: numbers, references, rows of claims, folds, the rules that it keeps, how long it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dlnotes.book import check, context, lists, pages, reading, site, words
from dlnotes.book import layout as layouts
from tests.book import sample, small_book

CLAIM = re.search(r"/// claim \| doubles\n.*?\n///\n", sample.GROWTH, re.DOTALL)[0]


@pytest.fixture
def book(tmp_path: Path) -> layouts.Layout:
    """The sample, with the claim of its chapter on a page of its own, and a derivation."""
    book = sample.write(tmp_path)
    main = book.page("growth")
    moved = main.read_text("utf-8").replace(
        CLAIM, "See \\eqref{later} and \\claimref{doubles}.\n\n/// claim-rows\n///\n"
    )
    main.write_text(moved, "utf-8")
    for part, text in {
        "claims": f"# Growth: evidence\n\n{CLAIM[:-4]}\nOtherwise: it would print *five*.\n///\n",
        "derivation": "# Growth: derivation\n\nSee \\eqref{double}.\n\n$$\nz = 1 \\label{later}\n$$\n\n"
        "/// proof | By *counting*\nOne, two.\n///\n",
    }.items():
        path = book.beside("growth", part)
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    ledger = book.ledger.read_text("utf-8")
    book.ledger.write_text(
        ledger.replace('evidence: "counting"', 'evidence: "counting"\n  because: "We counted."'), "utf-8"
    )
    return book


def test_references_find_their_page_and_numbers_count_on(book: layouts.Layout) -> None:
    main, derivation = sample.convert(book, "chapters/growth.md"), sample.convert(book, "chapters/growth/derivation.md")
    assert re.search(r'<a [^>]*href="growth/derivation\.md#eq-later">\(2\)</a>', main)
    assert re.search(r'<a [^>]*href="\.\./growth\.md#eq-double">\(1\)</a>', derivation)
    assert re.search(r'id="eq-later".*>\(2\)</a>', derivation, re.DOTALL)


def test_a_row_tells_the_claim_its_verdict_and_the_reason_and_leads_to_the_evidence(book: layouts.Layout) -> None:
    main = sample.convert(book, "chapters/growth.md")
    rows = main[main.index('<div class="rows">') :]
    assert re.search(r'<h3 class="row__words"[^>]* id="claim-doubles">Twice two is \*four\*\.', rows)
    assert "We counted." in rows
    assert 'href="growth/claims.md#claim-doubles"' in rows
    assert rows.index("claim-doubles") < rows.index("claim-halves")  # of the ledger, settled or not
    assert re.search(r'<a [^>]*class="reference--claim" href="growth/claims\.md#claim-doubles"', main)


def test_the_evidence_says_what_else_would_have_come_out(book: layouts.Layout) -> None:
    evidence = sample.convert(book, "chapters/growth/claims.md")
    assert re.search(r'<h2 class="claim__words"[^>]* id="claim-doubles">', evidence)
    said = '<p class="claim__otherwise"><strong>Had it been otherwise.</strong> it would print <em>five</em>.</p>'
    assert said in evidence


def test_a_fold_is_closed_and_has_a_link(book: layouts.Layout) -> None:
    shown = sample.convert(book, "chapters/growth/derivation.md")
    assert '<details class="proof" id="proof-by-counting">' in shown
    assert "<summary>By <em>counting</em></summary>" in shown


def test_lists_find_claims_and_cards_wherever_they_stand(book: layouts.Layout) -> None:
    page = context.find(book, "no page")
    assert lists.settled(page) == {"doubles": "chapters/growth/claims.md"}
    assert 'href="chapters/growth/claims.md#claim-doubles"' in sample.convert(book, "claims.md")


def test_a_claim_that_the_ledger_has_not_cannot_be_referred_to(book: layouts.Layout) -> None:
    with pytest.raises(context.PageError, match="the ledger has no such claim"):
        sample.convert_text(book, "See \\claimref{nothing}.")


# --- rules


def split(tmp_path: Path) -> layouts.Layout:
    """Write the small book with a folder beside its chapter."""
    book = small_book.write(tmp_path)
    for part in layouts.BESIDE:
        path = book.beside("initialization", part)
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"---\ntitle: {part}\ndescription: {part}\n---\n\n# {part}\n", "utf-8")
    return book


def test_a_split_chapter_has_other_sections_and_rows(tmp_path: Path) -> None:
    book = split(tmp_path)
    said = "\n".join(map(str, check.check(book)))
    assert "the section 'In short' is missing" in said
    assert "'Exercises' is no section of a chapter" in said
    assert "practice.md:6: sections: the section 'Flashcards' is missing" in said
    assert "the page lists no claims: /// claim-rows" in said
    assert "the evidence belongs on chapters/initialization/claims.md" in said
    assert "in one paragraph what else would have come out" in said
    assert "no reason in one sentence" in said
    assert "not in the nav" not in said


def test_a_split_chapter_has_all_its_pages(tmp_path: Path) -> None:
    book = split(tmp_path)
    book.beside("initialization", "practice").unlink()
    assert any("practice.md is missing" in breach.message for breach in check.check(book))


def test_what_stands_once_in_a_chapter_may_not_come_again_on_another_page(tmp_path: Path) -> None:
    book = split(tmp_path)
    page = book.beside("initialization", "derivation")
    page.write_text(page.read_text("utf-8") + "\n$$\nx \\label{forward}\n$$\n", "utf-8")
    assert any("forward stands already on chapters/initialization.md" in breach.message for breach in check.check(book))


def test_a_heading_right_below_a_table_is_found() -> None:
    text = "# T\n\n| a | b |\n| --- | --- |\n| c | d |\n## Swallowed\n"
    assert [(fault.line, fault.rule) for fault in pages.parse(text).faults] == [(6, "heading")]
    assert not pages.parse(text.replace("\n##", "\n\n##")).faults


# --- words


def test_words_are_those_of_the_prose() -> None:
    text = """---
title: Not counted
---

# One two

Three $x y$ four.

$$
not counted
$$

| not | counted |

/// figure | a/b
    alt: Not counted.

Five six.
///

//// exercise | x
Not counted.

/// solution
Not counted.
///
////

/// proof | Not counted
Not counted.
///

```python
print("not counted")
```
<!--pytest-codeblocks:expected-output-->
```
not counted
```
"""
    assert words.count(pages.parse(text)) == 6


# --- code for reading


def test_types_and_checks_are_left_out_and_the_computation_stays() -> None:
    code = """@checks.before(_check_scaled)
def scaled(
    x: Float[np.ndarray, "n"],
    by: float = 1.0,
    *,
    deep: bool = False,
) -> Float[np.ndarray, "n"]:
    checks.floating("x", x)
    by = checks.real("by", by, above=0)
    if deep:
        checks.integer("deep", deep)
    for part in x:
        _check_part(part)
    if by > 1e9:
        raise ValueError("too much")
    total: float = checks.real("sum", x.sum(), above=0)  # stays
    return x * by / total
"""
    assert reading.laid_out(reading.bare(code)) == (
        "def scaled(x, by=1.0, *, deep=False):\n    total = x.sum()  # stays\n    return x * by / total\n"
    )


def test_a_function_that_only_checks_keeps_a_body() -> None:
    assert reading.bare('def f(x: int) -> None:\n    checks.integer("x", x)\n') == "def f(x):\n    ...\n"


def test_no_kernel_is_wider_than_the_page_and_none_shows_checks() -> None:
    book = layouts.find()
    shown = {
        (found.argument, backend)
        for stem in book.stems
        for page in book.chapter_pages(stem)
        for found in pages.read(page).named("kernel")
        for backend in layouts.BACKENDS
        if reading.source.exists(found.argument, backend)
    }
    assert shown
    for argument, backend in sorted(shown):
        code = reading.kernel(argument, backend)
        assert max(map(len, code.split("\n"))) <= reading.COLUMNS, argument
        assert not re.search(r"^\s*checks\.", code, re.MULTILINE), argument


# --- what the builder asks


def test_a_chapter_weighs_more_in_the_search_than_what_repeats_it() -> None:
    book = layouts.find()
    weights = [
        site.boost(book, name) for name in ("chapters/objective.md", "claims.md", "notation.md", "api/objective.md")
    ]
    assert weights == sorted(weights, reverse=True)
    assert len(set(weights)) == len(weights)
