"""A chapter as a notebook: what of the book's own becomes which cell, and that nothing of a chapter is lost."""

from __future__ import annotations

import base64
import io
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from dlnotes.book import (
    blocks,
    chapters,
    context,
    drawing,
    layout,
    notebook_pages,
    notebooks,
    pictures,
    plain_markdown,
    wheel,
)
from tests.book import sample

nbformat = pytest.importorskip("nbformat")

BOOK = layout.find(Path(__file__))
PICTURE = b"a picture"


@pytest.fixture
def book(tmp_path, monkeypatch):
    for name in ("SITE_URL", "REPOSITORY_URL"):
        monkeypatch.delenv(name, raising=False)
    return sample.write(tmp_path)


@pytest.fixture
def growth(book):
    """Give the text of the small chapter's cells; a line of dashes stands between two."""
    return "\n---\n".join(cell.source for cell in notebooks.cells(book, "growth")[2:])


@pytest.fixture
def unpainted(monkeypatch):
    monkeypatch.setattr(pictures, "png", lambda *_: PICTURE)


def change(book, old: str, new: str, name: str = "chapters/growth.md") -> None:
    path = book.docs / name
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


# What becomes of what is the book's own


def test_numbers_and_sources_are_written_out_and_code_and_formulas_stay(growth):
    assert (
        "The size $n_\\text{in}$ costs \\$5 and `$not a formula$`. See [(1)](#eq-double), (1) in Decay, "
        "[Figure 1](#figure-line) and\nFigure 1 in Decay. As shown "
        "[Glorot and Bengio (2010, eq. 12)](https://example.org/glorot) and before "
        "[Glorot and Bengio (2010)](https://example.org/glorot).\n\n"
        '<a id="eq-double"></a>\n\n$$\ny = 2 x \\tag{1}\n$$\n\nA list:'
    ) in growth
    assert "- with a formula\n  $$\n  a < b\n  $$\n- and *without*" in growth
    assert 'print(r"\\eqref{untouched}")' in growth


def test_with_an_address_links_lead_to_the_site(book, monkeypatch):
    monkeypatch.setenv("SITE_URL", "https://book.example/dl")
    made = "\n".join(cell.source for cell in notebooks.cells(layout.Layout(book.root), "growth"))
    assert "[(1) in Decay](https://book.example/dl/chapters/decay/#eq-half)" in made
    assert "see [the list](#growth) and [decay](https://book.example/dl/chapters/decay/#decay)." in made
    assert "[`dlnotes.numpy.growth.alone`](https://book.example/dl/api/#dlnotes.numpy.growth.alone)" in made
    assert "made of [the pages of the chapter](https://book.example/dl/chapters/growth/)." in made
    assert f"https://book.example/dl/wheel/{wheel.NAME}" in made


def test_a_figure_is_a_cell_with_its_picture_its_number_and_its_caption(book):
    first, second = (cell for cell in notebooks.cells(book, "growth") if cell.pictures)
    assert first.source == (
        '<a id="figure-line"></a>\n\n![A line that rises from left to right.](attachment:line.png)\n\n'
        "**Figure 1.** The line rises by $2$ a step."
    )
    assert first.pictures == (drawing.Figure("growth", "line"),)
    assert second.source.endswith(
        "**Figure 2.** Nothing happens. Left: zero. Right: zero too.\nWhat is left: *nothing*."
    )


def test_of_a_figure_that_moves_the_one_that_does_not_is_shown(book):
    page = book.docs / "chapters" / "growth.md"
    still = sample.MOVING.split("\n\n", 2)[2].removesuffix("////\n")
    before = notebooks.cells(book, "growth")
    page.write_text(page.read_text("utf-8").replace(still, sample.MOVING), "utf-8")
    assert notebooks.cells(layout.Layout(book.root), "growth") == before


def test_a_kernel_is_shown_in_each_backend_that_differs(growth):
    assert (
        "NumPy, `dlnotes.numpy.growth.double`, without types and checks:\n\n```python\ndef double(x):\n"
        "    return _factor() * x  # < twice\n```\n\n"
        "PyTorch, `dlnotes.torch.growth.double`, without types and checks:\n\n"
        "```python\ndef double(x):\n    return 2 * x\n```"
    ) in growth


def test_a_claim_says_its_verdict_and_its_block_is_a_cell(book):
    made = notebooks.cells(book, "growth")
    number = next(i for i, cell in enumerate(made) if "Claim:" in cell.source)
    assert made[number].source == (
        "## Claim: Twice two is \\*four\\*.\n\nSaid in N1 and N4. Verdict: **holds**.\n\nCounting settles it."
    )
    assert made[number + 1] == notebook_pages.Cell("code", "print(2 * 2)", "4 < 5\n")


def test_an_exercise_is_a_cell_that_fails_and_its_solution_is_folded(book):
    made = notebooks.cells(book, "growth")
    number = next(i for i, cell in enumerate(made) if cell.fails)
    assert made[number - 1].source == "### Exercise 1. Write *triple*\n\nComplete it."
    assert made[number].source == "def triple(x): return 0\nassert triple(1) == 3"
    assert made[number + 1].source.startswith(
        "Complete the cell above and run it: it ends with a call of the checker, which says what is wrong.\n\n"
        "<details>\n<summary>Solution</summary>\n\n"
        "```python\ndef triple(x): return 3 * x\nassert triple(1) == 3\n```\n\n</details>"
    )


def test_a_flashcard_is_a_question_and_a_folded_answer(growth):
    assert (
        "**Why does $2^n$ grow?**\n\n<details>\n<summary>Answer</summary>\n\n"
        "Because of [(1)](#eq-double), see [the list](#growth) and decay.\n\n"
        '```python\nprint(r"\\eqref{untouched}")\n```\n\n*Asked in N1 and N4.*\n\n</details>'
    ) in growth


def test_the_sources_are_listed(growth):
    assert (
        "<summary>The 1 sources of this chapter</summary>\n\n"
        "- Xavier Glorot and Yoshua Bengio (2010). [On difficulty](https://example.org/glorot). A\u00a0conference."
    ).replace("\u00a0", " ") in growth.replace("\u00a0", " ")


def test_rows_of_claims_lead_to_the_evidence_where_there_is_some(book):
    change(book, "## Reference", "/// claim-rows\n///\n\nSo \\claimref{halves}.\n\n## Reference")
    made = "\n".join(cell.source for cell in notebooks.cells(book, "growth"))
    assert "- **Twice two is \\*four\\*.** *Holds.* [Evidence](#claim-doubles)\n" in made
    assert "- **Half of one is zero.** *Wrong as written.*" in made
    assert "So *\\[wrong as written\\]*." in made


def test_a_proof_is_folded_and_no_cell_ends_in_it(book):
    proof = "/// proof | It < doubles\nAs in\n\n$$\nx = 1\n$$\n\n```python\nassert True\n```\n///\n\n## Reference"
    change(book, "## Reference", proof)
    cell = next(cell for cell in notebooks.cells(book, "growth") if "It &lt; doubles" in cell.source)
    assert (
        "<details>\n<summary>It &lt; doubles</summary>\n\nAs in\n\n$$\nx = 1\n$$\n\n"
        "```python\nassert True\n```\n\n</details>"
    ) in cell.source


def test_what_else_would_have_come_out_is_marked(book):
    change(book, "```\n///\n\n//// exercise", "```\n\nOtherwise: it would be 5.\n///\n\n//// exercise")
    made = [cell.source for cell in notebooks.cells(book, "growth")]
    assert "**Had it been otherwise.** it would be 5." in made


def test_two_pages_of_a_chapter_may_have_one_heading(book):
    change(
        book,
        "# Growth\n",
        "# Growth\n\nSee [why](#why), [elsewhere](growth/derivation.md#why), [all](growth/claims.md).\n\n## Why\n",
    )
    (book.docs / "chapters/growth").mkdir()
    (book.docs / "chapters/growth/derivation.md").write_text("# Growth: derivation\n\n## Why { .x }\n\nSo.\n", "utf-8")
    (book.docs / "chapters/growth/claims.md").write_text("# Growth: evidence\n\nNone.\n", "utf-8")
    made = [cell.source for cell in notebooks.cells(book, "growth")]
    assert "See [why](#growth-why), [elsewhere](#derivation-why), [all](#claims)." in made[2]
    assert '# Growth: derivation\n\n<a id="derivation-why"></a>\n\n## Why\n\nSo.' in made
    assert '<a id="claims"></a>\n\n# Growth: evidence\n\nNone.' in made


def test_a_directive_that_is_not_known_is_named_with_its_line(book):
    change(book, "## Reference", "/// claims-tally\n///\n\n## Reference")
    with pytest.raises(
        context.PageError, match=r"docs/chapters/growth\.md:\d+: claims-tally: a notebook does not know"
    ):
        notebooks.cells(book, "growth")


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("a*b_c `d` <e> $f$ [g] h|i \\j", r"a\*b\_c \`d\` \<e\> \$f\$ \[g\] h\|i \\j"),
        ('the "new" one', "the \u201cnew\u201d one"),
    ],
)
def test_plain_words_are_no_markup(given, written):
    assert plain_markdown.escaped(given) == written


# What every notebook of the book must hold


def markdown_of(made: list[notebook_pages.Cell]) -> str:
    return "\n\n".join(cell.source for cell in made if cell.kind == "markdown")


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$|(`+).+?\1", "", text, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("stem", BOOK.stems)
def test_every_block_is_a_cell_with_what_it_prints_or_stands_in_a_fold(stem):
    """Blocks run alone in the test of the pages; tests/test_notebooks.py runs the cells one after the other."""
    made = notebooks.cells(BOOK, stem)
    shown = [(cell.source, cell.output, cell.fails) for cell in made[2:] if cell.kind == "code"]
    fences = [fence for _, fence in chapters.read(BOOK, stem).blocks()]
    folded = [
        fence for fence in fences if fence.inside("solution") or fence.inside("proof") or fence.inside("flashcard")
    ]
    assert shown == [
        (fence.code.rstrip("\n"), fence.expected, blocks.STARTER in fence.marks)
        for fence in fences
        if fence not in folded
    ]
    text = markdown_of(made)
    assert [fence.line for fence in folded if f"```python\n{fence.code}```" not in text] == []


@pytest.mark.parametrize("stem", BOOK.stems)
def test_nothing_of_the_books_own_markup_is_left(stem):
    text = without_code(markdown_of(notebooks.cells(BOOK, stem)))
    assert (
        re.findall(r"\\(?:eqref|figref|claimref|label)\b|^ *///.*|\[@[^\]]*\]|\{ ?[#.][^}]*\}|<!--.*", text, re.M) == []
    )
    assert re.findall(r"\]\((?!#|https://|attachment:)[^)]*\)", text) == []
    tags = Counter(re.findall(r"</?[a-z]+", text))
    assert set(tags) <= {"<a", "</a", "<details", "</details", "<summary", "</summary"}
    assert tags["<details"] == tags["</details"] == tags["<summary"]


@pytest.mark.parametrize("stem", BOOK.stems)
def test_each_link_inside_a_notebook_lands_and_each_anchor_is_used(stem):
    text = markdown_of(notebooks.cells(BOOK, stem))
    anchors = re.findall(r'<a id="([^"]+)"></a>', text)
    assert len(anchors) == len(set(anchors))
    assert set(re.findall(r"\]\(#([^()\s]+)\)", text)) == set(anchors)


@pytest.mark.parametrize("stem", BOOK.stems)
def test_figures_equations_exercises_and_cards_are_all_there(stem):
    made = notebooks.cells(BOOK, stem)
    chapter, text = chapters.read(BOOK, stem), markdown_of(made)
    assert [figure.name for cell in made for figure in cell.pictures] == list(chapter.numbers.figures)
    assert re.findall(r"^\*\*Figure (\d+)\.\*\* .", text, re.M) == [str(n) for n in chapter.numbers.figures.values()]
    assert re.findall(r"\\tag\{(\d+)\}", text) == [str(number) for number in chapter.numbers.equations.values()]
    assert re.findall(r"^### Exercise (\d+)\. .", text, re.M) == [str(n) for n in chapter.numbers.exercises.values()]
    assert text.count("<summary>Answer</summary>") == len(list(chapter.named("flashcard")))
    assert text.count("Claim: ") == len(list(chapter.named("claim")))
    for cell in made:  # else an attachment would be looked for in the wrong cell
        assert re.findall(r"\]\(attachment:([^)]+)\)", cell.source) == list(
            map(notebook_pages.picture_name, cell.pictures)
        )


@pytest.mark.usefixtures("unpainted")
@pytest.mark.parametrize("stem", BOOK.stems)
def test_the_file_is_valid_and_the_same_each_time(stem):
    text = notebooks.text(BOOK, stem)
    assert text == notebooks.text(BOOK, stem)
    read = nbformat.reads(text, as_version=4)
    nbformat.validate(read, relax_add_props=False)
    assert len({cell.id for cell in read.cells}) == len(read.cells)
    assert json.loads(text)["nbformat"] == 4
    assert [cell.cell_type for cell in read.cells[:2]] == ["markdown", "code"]
    names = [name for cell in read.cells for name in cell.get("attachments", {})]
    assert names == [f"{name}.png" for name in chapters.read(BOOK, stem).numbers.figures]
    kept = next(cell.attachments[names[0]] for cell in read.cells if names[0] in cell.get("attachments", {}))
    assert base64.b64decode(kept["image/png"]) == PICTURE


# Pictures

FIGURE = '''\
"""A figure."""

from typing import NamedTuple

import numpy as np


class Line(NamedTuple):
    y: np.ndarray


def line() -> Line:
    return Line(np.arange(3))


def draw_line(numbers, paper):
    figure, ((axes,),) = paper.subplots(height=200)
    paper.line(axes, numbers, "y", x="y")
    return figure
'''


@pytest.fixture
def drawn(tmp_path):
    (tmp_path / "mkdocs.yml").write_text("nav: [chapters/growth.md]\n")
    (tmp_path / "dlnotes/figures").mkdir(parents=True)
    (tmp_path / "dlnotes/figures/growth.py").write_text(FIGURE)
    book = layout.Layout(tmp_path)
    drawing.draw(book, progress=False)
    return book


def test_a_picture_is_the_wide_figure_on_the_light_page_and_kept_until_the_figure_changes(drawn, monkeypatch):
    from matplotlib import image

    figure = drawing.Figure("growth", "line")
    first = pictures.png(drawn, figure)
    pixels = image.imread(io.BytesIO(first))
    across, down = drawing.size(drawn.figure("growth", "line", "wide", "light"))
    assert pixels.shape[:2] == (down * pictures.SCALE, across * pictures.SCALE)
    assert np.all(pixels[0, 0, 3] == 1)  # no page of a dark notebook shines through
    painted = pictures.painted(drawn, figure)
    assert painted == first
    monkeypatch.setattr(pictures, "painted", lambda *_: b"another")
    assert pictures.png(drawn, figure) == first
    path = drawn.figure("growth", "line", "wide", "light")
    path.write_text(path.read_text() + "<!-- another -->")
    assert pictures.png(drawn, figure) == b"another"
    assert [path.read_bytes() for path in (drawn.cache / "pictures").rglob("*.*")] == [b"another"]


def test_a_figure_that_is_not_drawn_is_named(drawn):
    drawn.figure("growth", "line", "wide", "light").unlink()
    with pytest.raises(
        drawing.FigureError, match=r"line\.wide\.light\.svg is not drawn: run python -m dlnotes figures"
    ):
        pictures.png(drawn, drawing.Figure("growth", "line"))


# Where a reader finds it


@pytest.mark.parametrize(
    ("site", "repository", "colab"),
    [
        ("", "", ""),
        ("https://book.example/", "", ""),
        ("", "https://github.com/who/what", ""),  # its first cell would find no wheel
        ("https://book.example/", "https://code.example/who/what", ""),  # Colab opens what lies on GitHub
        ("https://book.example/", "https://github.com/who/what.git", "who/what"),
        ("https://book.example/", "https://github.com/who/what.notes/", "who/what.notes"),
    ],
)
def test_colab_is_offered_where_it_can_open_the_notebook_and_install(book, monkeypatch, site, repository, colab):
    monkeypatch.setenv("SITE_URL", site)
    monkeypatch.setenv("REPOSITORY_URL", repository)
    links = notebooks.links(layout.Layout(book.root), "growth")
    wanted = f"https://colab.research.google.com/github/{colab}/blob/notebooks/growth.ipynb" if colab else ""
    assert links == ("notebooks/growth.ipynb", wanted)


def test_the_branch_that_colab_reads_is_the_one_that_is_published():
    workflow = (BOOK.root / ".github/workflows/publish.yml").read_text("utf-8")
    assert f"git push --force origin HEAD:refs/heads/{notebooks.FOLDER}" in workflow
    assert f"path: site/{notebooks.FOLDER}" in workflow
