"""Formulas, references, citations, outputs: what the Markdown extension makes of the running text."""

from __future__ import annotations

import re

import pytest

from dlnotes.book import context
from tests.book import sample


@pytest.fixture
def book(tmp_path):
    return sample.write(tmp_path)


@pytest.fixture
def growth(book):
    return sample.convert(book, "chapters/growth.md")


def test_a_page_finds_itself_by_its_text_even_after_the_builder_has_cut_it(book):
    text = sample.GROWTH.split("---\n", 2)[2].strip("\n")
    assert context.find(book, text + "\n\n").source == "chapters/growth.md"
    assert context.find(book, text.replace("\n\n", "\n  \n")).source == "chapters/growth.md"
    assert context.find(book, text + " more").source is None


def test_inline_formula_is_one_tree_for_eyes_ears_and_search(growth):
    assert "The size <math><msub><mi>n</mi><mtext>in</mtext></msub></math> costs" in growth


def test_a_short_formula_keeps_its_period_on_its_line_and_a_long_one_can_break(book):
    short = sample.convert_text(book, "until $t = 4$. Then")
    assert re.search(r'<span class="joined"><math>.*</math>\.</span> Then', short, re.DOTALL)
    long = sample.convert_text(book, "until $t = a_1 + b_1 + c_1 + a_2 + b_2 + c_2$. Then")
    assert re.search(r'<span class="formula formula--long">.*</span>\. Then', long, re.DOTALL)
    assert long.count("<math>") == long.count("<wbr>") + 1 == 7
    assert "joined" not in long


def test_dollars_that_are_escaped_or_in_code_are_no_formulas(growth):
    assert "costs $5 and <code>$not a formula$</code>" in growth


def test_a_numbered_formula_bears_its_number_and_anchor_and_an_unnumbered_one_neither(growth):
    assert growth.count('class="equation"') == 2
    block = re.search(r'<div class="equation" id="eq-double">.*?</a></div>', growth, re.DOTALL)[0]
    assert re.search(r'<a [^>]*href="#eq-double">\(1\)</a>', block)
    assert block.index("<math") < block.index("(1)")
    assert r"\label" not in growth


def test_a_formula_inside_a_list_stays_in_the_list(growth):
    item = re.search(r"<li>\s*<p>with a formula</p>.*?</li>", growth, re.DOTALL)
    assert item is not None
    assert 'class="equation"' in item[0]


def test_a_displayed_formula_between_lines_of_a_paragraph(book):
    shown = sample.convert_text(book, "before\n$$\na_1 < b_2\n$$\nafter")
    assert re.search(r"<p>before</p>\s*<div class=\"equation\">.*</div>\s*<p>after</p>", shown, re.DOTALL)
    assert "<mo>&lt;</mo>" in shown


@pytest.mark.parametrize(
    ("href", "text"),
    [
        ("#eq-double", r"\(1\)"),
        ("decay.md#eq-half", r"\(1\) in Decay"),
        ("#figure-line", "Figure 1"),
        ("decay.md#figure-line", "Figure 1 in Decay"),
        ("../references.md#glorot2010", r"Glorot and Bengio \(2010, eq\. 12\)"),
        ("../references.md#glorot2010", r"Glorot and Bengio \(2010\)"),
    ],
)
def test_references_are_links_that_the_builder_can_rewrite(growth, href, text):
    assert re.search(rf'<a [^>]*href="{re.escape(href)}"[^>]*>{text}</a>', growth)


def test_a_reference_by_equation_says_what_it_is(growth):
    assert 'aria-label="equation 1"' in growth
    assert 'aria-label="equation 1 in Decay"' in growth


def test_expected_output_stands_right_below_its_block(growth):
    head = 'role="group" aria-label="Output" style="--columns:5">'
    found = re.search(rf'</code></pre></div>\s*<div class="output[^"]*" {head}.*?</div>', growth, re.DOTALL)
    assert ">4 &lt; 5</code></pre>" in found[0]
    assert growth.count('class="output ') == 1


def test_comments_for_the_runner_of_blocks_are_not_published(growth):
    assert "pytest" not in growth
    assert "xfail" not in growth


def test_a_fence_that_shows_such_a_comment_keeps_it(book):
    shown = sample.convert_text(book, "```text\n<!--pytest.mark.xfail-->\n$$\n```")
    assert "&lt;!--pytest.mark.xfail--&gt;" in shown
    assert "$$" in shown


@pytest.mark.parametrize(
    ("found", "broken", "line", "message"),
    [
        ("y = 2 x", r"y = \frac{2 x", 10, "formula"),
        (r"\text{in}$ costs", r"\undefined{in}$ costs", 7, "formula"),
        (r"\eqref{double}, ", r"\eqref{dubble}, ", 7, "there is no such equation"),
        (r"\eqref{decay/half}", r"\eqref{decline/half}", 7, "there is no chapter decline"),
        (r"\figref{line}", r"\figref{lines}", 7, "there is no such figure"),
        ("[@glorot2010]", "[@glorot2011]", 8, "no such key"),
    ],
)
def test_an_error_names_the_page_and_the_line(book, found, broken, line, message):
    page = book.docs / "chapters" / "growth.md"
    text = page.read_text("utf-8")
    page.write_text(text.replace(found, broken, 1), "utf-8")
    with pytest.raises(context.PageError, match=message) as caught:
        sample.convert(book, "chapters/growth.md")
    assert str(caught.value).startswith(f"docs/chapters/growth.md:{line}: ")


def test_text_that_is_no_page_goes_through_without_numbers(book):
    shown = sample.convert_text(book, "Cost \\$5, $x^2$, [@glorot2010].\n\n$$\ny = x \\label{lost}\n$$\n\n    code\n")
    assert "eq-lost" not in shown
    assert "id=" not in shown
    assert "Glorot and Bengio (2010)" in shown
    assert "references.md" not in shown
    assert "<math" in shown


def test_one_converter_reads_many_texts_one_after_the_other(book):
    import markdown

    settings = {"dlnotes.book.markdown": {"root": str(book.root)}}
    converter = markdown.Markdown(extensions=["dlnotes.book.markdown"], extension_configs=settings)
    first = converter.reset().convert("$$\na\n$$")
    second = converter.reset().convert("$$\nb\n$$")
    assert "<mi>a</mi>" in first
    assert "<mi>b</mi>" in second


def test_outside_of_any_book_the_extension_finds_the_one_around_the_package():
    import markdown

    assert "<math" in markdown.markdown("$x$", extensions=["dlnotes.book.markdown"])
