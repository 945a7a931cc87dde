"""The parser of pages: what stands where, with its line, and nothing found where it is only shown."""

from __future__ import annotations

import os
from pathlib import Path

import markdown
import pytest
import pytest_codeblocks
from hypothesis import given
from hypothesis import strategies as st

from dlnotes.book import layout, pages
from tests.book import small_book


def faults(text: str) -> list[tuple[int, str]]:
    return [(fault.line, fault.rule) for fault in pages.parse(text).faults]


# --- blocks of code ---------------------------------------------------------------------------------------------------


def test_a_block_knows_its_lines_its_marks_and_its_output() -> None:
    text = """\
Text.

<!--pytest-codeblocks:importorskip(torch)-->
<!--pytest.mark.cuda-->

```python
print(1)

print(2)
```

<!--pytest-codeblocks:expected-output-->

```
1
2
```
"""
    (fence,) = pages.parse(text).fences
    assert fence == pages.Fence(
        info="python",
        code="print(1)\n\nprint(2)\n",
        line=6,
        end=10,
        marks=("pytest-codeblocks:importorskip(torch)", "pytest.mark.cuda"),
        expected="1\n2\n",
        expected_line=14,
        within=None,
    )


def test_an_indented_block_loses_its_indent_alone() -> None:
    text = "- item\n\n    ```python\n    if x:\n        y\n\n  less\n    ```\n"
    text += "    <!--pytest-codeblocks:expected-output-->\n    ```\n      1\n    ```\n"
    (fence,) = pages.parse(text).fences
    assert fence.code == "if x:\n    y\n\nless\n"
    assert fence.expected == "  1\n"
    assert (fence.line, fence.end, fence.expected_line) == (3, 8, 10)


def test_a_block_inside_directives_knows_the_innermost() -> None:
    text = (
        "//// exercise | a\nT\n\n/// solution\n```python\n1\n```\n///\n\n```python\n2\n```\n////\n\n```python\n3\n```\n"
    )
    first, second, third = pages.parse(text).fences
    assert first.within.name == "solution"
    assert first.inside("exercise") is second.within
    assert second.inside("solution") is None
    assert third.within is None
    assert third.inside("exercise") is None


def test_longer_fences_show_shorter_ones() -> None:
    text = "````md\n```python\n1\n```\n/// claim | a\n///\n````\n"
    page = pages.parse(text)
    assert [fence.info for fence in page.fences] == ["md"]
    assert page.directives == ()
    assert page.faults == ()


def test_a_block_never_closed_hides_no_other_breach_before_it() -> None:
    text = "/// details | A\n\n$x\n\n```python\n1\n///\n"
    assert faults(text) == [(3, "formula"), (5, "fence")]


def test_the_runner_of_blocks_sees_the_same_blocks(tmp_path: Path) -> None:
    small_book.write(tmp_path)
    folders = [tmp_path / "docs", layout.find().docs]
    compared = 0
    for path in (path for folder in folders for path in folder.rglob("*.md")):
        theirs = [block for block in pytest_codeblocks.extract_from_file(path) if block.syntax == "python"]
        ours = pages.read(path).blocks
        assert [block.code for block in theirs] == [fence.code for fence in ours]
        assert [block.lineno for block in theirs] == [fence.line for fence in ours]
        assert [block.expected_output for block in theirs] == [fence.expected for fence in ours]
        skipped = ["pytest-codeblocks:importorskip(torch)" in fence.marks for fence in ours]
        assert [block.importorskip == "torch" for block in theirs] == skipped
        compared += len(ours)
    assert compared >= 6


# --- directives -------------------------------------------------------------------------------------------------------


def test_a_directive_knows_its_parts() -> None:
    text = (
        "Text.\n\n/// figure | initialization/a-b\n    alt: What is seen.\n    other: 5\n\nThe caption.\n\nMore.\n///\n"
    )
    (figure,) = pages.parse(text).directives
    assert (figure.name, figure.argument, figure.line, figure.end) == ("figure", "initialization/a-b", 3, 10)
    assert figure.options == {"alt": "What is seen.", "other": 5}
    assert (figure.body, figure.body_line) == ("\nThe caption.\n\nMore.", 6)
    assert figure.parent is None


def test_a_directive_may_be_empty_and_without_argument() -> None:
    (found,) = pages.parse("/// claims-list\n///\n").directives
    assert (found.argument, found.body, found.options, found.options_error) == (None, "", {}, None)


@pytest.mark.parametrize("options", ["alt: a: b", "- a", "words", "{"])
def test_options_that_cannot_be_read_say_why(options: str) -> None:
    (found,) = pages.parse(f"/// figure | a\n    {options}\n///\n").directives
    assert found.options == {}
    assert found.options_error


def test_indented_code_in_a_body_is_no_option() -> None:
    (found,) = pages.parse("/// figure | a\n\n    alt: A\n///\n").directives
    assert found.options == {}


def test_directives_in_lists_are_found() -> None:
    (found,) = pages.parse("- item\n\n    /// claim | a\n        alt: B\n    Text.\n    ///\n").directives
    assert (found.argument, found.options) == ("a", {"alt": "B"})


def test_slashes_close_the_innermost_of_their_number() -> None:
    page = pages.parse("//// a\n/// b\n////\n\n/// c\n///\n")
    assert [(part.name, part.line, part.end) for part in page.directives] == [("a", 1, 3), ("b", 2, 3), ("c", 5, 6)]
    assert faults("//// a\n/// b\n////\n") == [(2, "directive")]


@pytest.mark.parametrize(
    "shown", ["`/// claim | a`", "    x /// claim", "http:///a", "`a`\n`///`", "<!--\n/// claim | a\n-->"]
)
def test_slashes_inside_a_line_or_a_comment_are_no_directive(shown: str) -> None:
    page = pages.parse(f"{shown}\n")
    assert page.directives == ()
    assert page.faults == ()


# --- formulas and references ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "formulas"),
    [
        ("$x$", ["x"]),
        ("$x$, $y$ and ($z$)", ["x", "y", "z"]),
        ("a $x\n+ y$ b", ["x\n+ y"]),
        (r"$a \$ b$", [r"a \$ b"]),
        ("`$x$` and $y$", ["y"]),
        ("``a ` $x$`` and $y$", ["y"]),
        (r"\$5 and $x$ and \$6", ["x"]),
        ("**bold $x$** and *$y$*", ["x", "y"]),
        ("| $a$ | `$b$` |\n| --- | --- |\n| $c$ | d |", ["a", "c"]),
        ("# Title of $x$\n\nText", ["x"]),
        ("- $a$\n- $b$", ["a", "b"]),
        ("[$a$](#b)", ["a"]),
        ("<!-- $a$ --> $b$", ["b"]),
        ("text <!-- $a --> $b$", ["b"]),
        ("a $x_1$-axis", ["x_1"]),
        ("```text\n$a$\n```\n$b$", ["b"]),
        ("`$HOME`, `$1`", []),
    ],
)
def test_formulas_in_the_text(text: str, formulas: list[str]) -> None:
    page = pages.parse(text + "\n")
    assert [formula.tex for formula in page.formulas] == formulas
    assert page.faults == ()


@pytest.mark.parametrize(
    "text",
    ["$5 and $6", "costs $5", "$ x$", "$x $", "- a $x\n- b$", "a $x\n\ny$", "| $a | b$ c |\n\n$", "$$x$$", "a $x$5"],
)
def test_dollars_that_make_no_formula_are_faults(text: str) -> None:
    assert {rule for _, rule in faults(text + "\n")} == {"formula"}


def test_a_displayed_formula_gives_its_label_away() -> None:
    text = "Text\n\n  $$\n  \\begin{aligned}\n    a &= b \\\\\n  \\end{aligned} \\label{the-law}\n  $$\n\n$x$\n"
    display, inline = pages.parse(text).formulas
    assert display == pages.Formula("\\begin{aligned}\n  a &= b \\\\\n\\end{aligned}", True, "the-law", 3)
    assert inline == pages.Formula("x", False, None, 9)


def test_references_and_citations_know_their_lines() -> None:
    page = pages.parse(
        "By \\eqref{a} and \\eqref{a}\nand \\figref{momentum/b} and [@glorot2010] and\n[@he2015, eq. 12,\nsection 2].\n"
        "Not `\\eqref{c}`, `[@d]`.\n"
    )
    assert page.equation_references == (pages.EquationReference("a", 1), pages.EquationReference("a", 1))
    assert page.figure_references == (pages.FigureReference("momentum/b", 2),)
    assert page.citations == (
        pages.Citation("glorot2010", None, 2),
        pages.Citation("he2015", "eq. 12, section 2", 3),
    )
    assert page.links == ()


# --- links and headings -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("[a](b.md#c)", [("a", "b.md#c", False)]),
        ('[a](b.md "title")', [("a", "b.md", False)]),
        ("[a](<b c.md>)", [("a", "b c.md", False)]),
        ("[a](b_(c).md)", [("a", "b_(c).md", False)]),
        ("[`a[0]`](b.md)", [("`a[0]`", "b.md", False)]),
        ("[a [b] c](d.md)", [("a [b] c", "d.md", False)]),
        ("![a](b.svg){ width=5 }", [("a", "b.svg", True)]),
        ("[![a](b.svg)](c.md)", [("![a](b.svg)", "c.md", False), ("a", "b.svg", True)]),
        ("[a][b]\n\n[B]: c.md", [("a", "c.md", False)]),
        ("[a][]\n\n[a]: c.md", [("a", "c.md", False)]),
        ("[a][`f.g`]", [("a", "`f.g`", False)]),
        ("<https://a.b/c>", [("https://a.b/c", "https://a.b/c", False)]),
        ('<a class="x" href="b.md">c</a>', [("", "b.md", False)]),
        ("<img alt='a b' src='c.svg'>", [("a b", "c.svg", True)]),
        ("a[0] and (b) and [c] (d)", []),
        ("`[a](b.md)` and \\[a](b.md)", []),
        ("$[a](b)$", []),
        ("- [ ] a box", []),
    ],
)
def test_links_in_the_text(text: str, links: list[tuple[str, str, bool]]) -> None:
    assert [(link.text, link.target, link.image) for link in pages.parse(text + "\n").links] == links


def test_a_link_of_many_lines_is_where_it_begins() -> None:
    (link,) = pages.parse("a\nb [c\nd](e.md) f\n").links
    assert (link.line, link.target) == (2, "e.md")


HEADINGS = [
    "Plain words",
    "Plain words",
    "Plain words",
    "What is `he_normal`?",
    "**Bold** and *italic*: 3 × 4",
    "A [link](a.md) inside",
    "Ünïcode & signs",
    "  blanks   inside ",
    "under_scored_words",
    "Two - dashes -- here",
    "Own { #my-id }",
    "Own #",
    "???",
    "Ends in 1_1",
    "Ends in 1_1",
]


def test_anchors_are_those_of_the_builder() -> None:
    text = "".join(f"## {heading}\n\n" for heading in HEADINGS)
    builder = markdown.Markdown(extensions=["toc", "attr_list"])
    builder.convert(text)
    page = pages.parse(text)
    assert [heading.anchor for heading in page.headings] == [token["id"] for token in builder.toc_tokens]
    assert [heading.line for heading in page.headings] == list(range(1, 2 * len(HEADINGS), 2))


def test_headings_know_their_level_and_words() -> None:
    page = pages.parse("# A `b` {#c}\n\n```text\n# no\n```\n\n### D *e*\n")
    assert page.headings == (pages.Heading(1, "A b", "c", 1), pages.Heading(3, "D e", "d-e", 7))
    assert page.ids == ("c",)


def test_references_of_the_api_know_their_options() -> None:
    (block,) = pages.parse("Text.\n\n::: dlnotes.numpy.initialization\n    options:\n      members: [a]\n").api
    assert (block.identifier, block.line, block.options) == ("dlnotes.numpy.initialization", 3, {"members": ["a"]})


# --- the page ---------------------------------------------------------------------------------------------------------


def test_front_matter_is_read_and_counted() -> None:
    page = pages.parse("---\ntitle: A $b\nextra: [1]\n---\n\n\n# C\n\n[d](e.md)\n")
    assert page.front_matter == {"title": "A $b", "extra": [1]}
    assert (page.body_line, page.body) == (7, "# C\n\n[d](e.md)\n")
    assert page.headings[0].line == 7
    assert page.links[0].line == 9
    assert page.faults == ()
    assert page.title == "A $b"
    assert pages.parse("# C `d`\n").title == "C d"
    assert pages.parse("").title == ""


def test_a_rule_is_no_front_matter() -> None:
    page = pages.parse("---\n\nText with [a](b.md).\n")
    assert page.front_matter == {}
    assert len(page.links) == 1


def test_a_file_is_parsed_anew_only_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("# A\n")
    first = pages.read(path)
    assert pages.read(path) is first
    assert first.source == path
    path.write_text("# B\n")
    os.utime(path, ns=(1, 1))
    assert pages.read(path).title == "B"


PIECES = st.sampled_from(
    [
        *("# A", "text $x$", "$$", "x^2 \\label{a}", "```python", "```", "````", "~~~", "---", "- item", "| a | b |"),
        *(
            "/// claim | a",
            "///",
            "//// b",
            "////",
            "    alt: b",
            "<!--pytest.mark.x-->",
            "<!--",
            "-->",
            "[a](b",
            "[@a]",
        ),
        *("<!--pytest-codeblocks:expected-output-->", "::: a.b", "\\eqref{a", "`", "``", "$", "", "> ```py", "\t```"),
    ]
)


@given(st.lists(PIECES, max_size=30).map("\n".join) | st.text(max_size=200))
def test_any_text_is_a_page_whose_lines_lie_in_it(text: str) -> None:
    page = pages.parse(text)
    last = page.text.count("\n") + 1
    everything = (
        *(page.fences + page.directives + page.formulas + page.citations + page.links + page.headings),
        *(page.equation_references + page.figure_references + page.api + page.comments + page.faults),
    )
    assert all(1 <= part.line <= last for part in everything)
    assert all(part.line <= part.end <= last + 1 for part in page.fences + page.directives)
    for part in page.directives:
        assert part.parent is None or part.parent.line < part.line <= part.end <= part.parent.end
