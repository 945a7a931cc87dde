"""The blocks of a page: kernel, claim, figure, exercise, solution, flashcard."""

from __future__ import annotations

import html
import re
from xml.etree import ElementTree

import pytest

from dlnotes.book import context, elements, source
from tests.book import sample


@pytest.fixture
def book(tmp_path):
    return sample.write(tmp_path)


@pytest.fixture
def growth(book):
    return sample.convert(book, "chapters/growth.md")


def block(text: str, start: str) -> str:
    """Give an element from its opening tag to its closing one."""
    begin = text.index(start)
    name = re.match(r"<(\w+)", start)[1]
    depth = 0
    for tag in re.finditer(rf"<(/?){name}\b", text[begin:]):
        depth += -1 if tag[1] else 1
        if not depth:
            return text[begin : begin + tag.end() + 1]
    raise AssertionError(f"{start} is never closed")


def visible(text: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", text))


# --- kernel


def test_a_kernel_shows_each_backend_without_docstring_in_a_tab(growth):
    kernel = block(growth, '<div class="kernel" id="kernel-growth-double"')
    assert re.findall(r"<label [^>]*>(\w+)</label>", kernel) == ["NumPy", "PyTorch"]
    codes = [visible(code) for code in re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", kernel, re.DOTALL)]
    assert codes[0] == "def double(x):\n    return _factor() * x  # < twice\n"  # without types
    assert codes[1] == "def double(x):\n    return 2 * x\n"


def test_each_block_of_code_has_a_name_of_its_own(growth):
    names = re.findall(r'<pre id="([^"]+)"', growth)
    assert len(names) == growth.count("<pre") > 5
    assert len(set(names)) == len(names)


def test_tabs_work_without_script_and_have_names_of_their_own(growth):
    kernel = block(growth, '<div class="kernel" id="kernel-growth-double"')
    inputs = re.findall(r"<input ([^>]*)/>", kernel)
    assert len(inputs) == 2
    assert ["checked" in attributes for attributes in inputs] == [True, False]
    ids = re.findall(r'<input [^>]*id="([^"]+)"', growth)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'<label for="([^"]+)"', kernel)) == set(re.findall(r'<input [^>]*id="([^"]+)"', kernel))


def test_a_kernel_of_one_backend_has_no_tabs(growth):
    kernel = block(growth, '<div class="kernel" id="kernel-growth-alone"')
    assert "tabbed" not in kernel
    assert "NumPy" in visible(kernel)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_the_copy_button_of_a_kernel_gives_code_that_runs_alone(book, growth, backend):
    kernel = block(growth, '<div class="kernel" id="kernel-growth-double"')
    copies = [html.unescape(code) for code in re.findall(r'data-copy="(.*?)"', kernel, re.DOTALL)]
    expected = source.standalone("growth.double", backend, book.package)
    assert expected in copies
    names: dict = {}
    exec(expected, names)
    assert names["double"](3.0) == 6.0


def test_a_kernel_links_to_the_page_that_describes_it(book, growth):
    for backend in ("numpy", "torch"):
        assert f'href="../api.md#dlnotes.numpy.growth.double"><code>dlnotes.<wbr />{backend}.' in growth  # one entry
    (book.docs / "api").mkdir()
    (book.docs / "api" / "growth.md").write_text("# Growth\n", "utf-8")
    again = sample.convert(book, "chapters/growth.md")
    for backend in ("numpy", "torch"):
        assert f'href="../api/growth.md#dlnotes.numpy.growth.double"><code>dlnotes.<wbr />{backend}.' in again


def test_a_kernel_links_to_its_source_only_where_the_repository_is_known(book, growth, monkeypatch):
    assert "Source" not in visible(growth)
    monkeypatch.setenv("REPOSITORY_URL", "https://code.example/dlnotes/")
    fresh = type(book)(book.root)
    shown = sample.convert(fresh, "chapters/growth.md")
    assert 'href="https://code.example/dlnotes/blob/main/dlnotes/numpy/growth.py#L12"' in shown
    text = (book.root / "dlnotes/numpy/growth.py").read_text("utf-8").split("\n")
    assert text[11].startswith("def double")


# --- claim


def test_a_dotted_name_may_break_after_its_points_and_underscores():
    shown = ElementTree.tostring(elements.breakable("dlnotes.numpy.he_normal"), encoding="unicode")
    assert shown == "<code>dlnotes.<wbr />numpy.<wbr />he_<wbr />normal</code>"


def test_notes_stand_in_their_order():
    shown = ElementTree.tostring(elements.note_marks("Said", ("N4", "N1", "N3"), ""), encoding="unicode")
    assert visible(shown) == "Said in N1, N3 and N4"


def test_a_claim_shows_the_wording_the_notes_and_the_verdict_in_words(growth):
    claim = block(growth, '<div aria-labelledby="claim-doubles"')
    assert "Twice two is *four*." in visible(claim)
    assert re.search(r'<a href="\.\./claims\.md#n1">N1</a> and <a href="\.\./claims\.md#n4">N4</a>', claim)
    assert re.search(r'<span class="verdict verdict--holds"><svg .*?</svg>holds</span>', claim, re.DOTALL)
    assert 'id="claim-doubles"' in claim
    assert "Counting settles it." in block(claim, '<div class="claim__evidence"')


def test_verdicts_differ_in_their_icon_and_their_words():
    icons = [elements.badge(verdict) for verdict in ("holds", "limits", "corrected")]
    drawn = [tuple(path.get("d") for path in badge.iter("path")) for badge in icons]
    words = ["".join(badge.itertext()) for badge in icons]
    assert [len(paths) for paths in drawn] == [1, 2, 1]  # the half that is full
    assert len(set(drawn)) == 3
    assert words == ["holds", "holds under conditions", "wrong as written"]


# --- figure


def test_a_figure_is_one_picture_of_four_forms_with_their_natural_sizes(growth):
    figure = block(growth, '<figure id="figure-line"')
    parts = re.findall(r"<(?:source|img) [^>]*>", figure)
    # The builder makes addresses of images right; a source lies in the folder that the built page has for itself.
    forms = [re.search(r'src(?:set)?="([^"]+)"', part)[1].removeprefix("../").removeprefix("../") for part in parts]
    shown = ("wide.light", "narrow.dark", "narrow.light", "wide.dark", "wide.light")  # print first, the image last
    assert forms == [f"assets/figures/growth/line.{form}.svg" for form in shown]
    assert [part.count("../../") for part in parts] == [1, 1, 1, 1, 0]
    for form, part in zip(shown, parts, strict=True):
        size = ("680", "340") if "wide" in form else ("340", "170")
        assert (re.search(r' width="(\d+)"', part)[1], re.search(r' height="(\d+)"', part)[1]) == size
    assert 'alt="A line that rises from left to right."' in parts[-1]


def test_only_the_first_figure_of_a_page_is_asked_for_early(growth):
    assert "fetchpriority" in block(growth, '<figure id="figure-line"')
    assert "lazy" not in block(growth, '<figure id="figure-line"')
    assert "fetchpriority" not in block(growth, '<figure id="figure-second"')
    assert 'loading="lazy"' in block(growth, '<figure id="figure-second"')


def test_a_figure_has_its_number_caption_and_code(growth):
    figure = block(growth, '<figure id="figure-second"')
    assert re.search(r"Figure 2\.</a>.*Nothing happens\.", figure, re.DOTALL)
    details = block(figure, '<details class="figure__details"')
    assert "def second():" in visible(details)
    assert "def draw_second(numbers, paper):" in visible(details)
    assert not re.match(r"<details[^>]* open", details)


def test_a_caption_names_the_places_of_its_panels_on_a_wide_page_and_on_a_narrow_one(growth):
    figure = block(growth, '<figure id="figure-second"')
    for wide, narrow in (("Left", "Top"), ("Right", "Bottom")):
        assert f'<span class="figure__place--wide">{wide}</span>' in figure
        assert re.search(rf'<span class="figure__place--narrow" data-search-exclude[^>]*>{narrow}</span>: zero', figure)
    assert "What is left: <em>nothing</em>." in figure


# --- exercise and flashcard


def test_an_exercise_has_number_title_starter_and_a_closed_solution(growth):
    exercise = block(growth, '<div aria-labelledby="exercise-growth-triple"')
    assert 'id="exercise-growth-triple"' in exercise
    assert "Exercise 1" in visible(exercise)
    assert re.search(r'<h3 class="exercise__title"[^>]*>Write <em>triple</em></h3>', exercise)
    solution = block(exercise, '<details class="solution"')
    assert "return 3 * x" in visible(solution)
    before = exercise[: exercise.index(solution)]
    assert "return 0" in visible(before)
    assert visible(before).rstrip().endswith("nothing when all is right.")  # how to check, right before the solution


def test_a_flashcard_is_closed_and_names_its_notes(growth):
    card = block(growth, '<details class="flashcard"')
    assert 'id="flashcard-growth-why"' in card
    summary = block(card, "<summary")
    assert visible(summary).strip().startswith("Why does")
    assert "<math" in summary
    assert "Because of" in visible(card.replace(summary, ""))
    assert re.search(r"Asked in <a [^>]*>N1</a> and <a [^>]*>N4</a>", card)


def test_a_first_line_directly_above_the_rest_is_the_title_alone(book):
    shown = sample.convert_text(book, "/// flashcard | x\nWhy?\nBecause.\n///\n")
    assert visible(block(shown, "<summary")).strip() == "Why?"
    assert re.search(r"<p>\s*Because\.</p>", shown)


# --- moving


def moving(book) -> str:
    """Let the first figure of the sample's chapter move."""
    page = book.docs / "chapters" / "growth.md"
    still = sample.MOVING.split("\n\n", 2)[2].removesuffix("////\n")
    text = page.read_text("utf-8").replace(still, sample.MOVING)
    page.write_text(text, "utf-8")
    return text


def test_a_figure_that_moves_stands_around_the_one_that_does_not(book):
    moving(book)
    shown = block(sample.convert(book, "chapters/growth.md"), '<div class="moving"')
    assert 'data-moving="growth"' in shown
    assert 'data-title="By hand"' in shown
    assert re.search(r'<p class="moving__try">Put <em>n</em> at 3\.</p>\s*<figure id="figure-line">', shown)
    assert "<picture>" in block(shown, "<figure")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("moving | growth", "moving | grow", "there is no docs/assets/js/moving/grow.js"),
        ("    title: By hand\n", "", "has no title"),
        ("Put *n* at 3.\n", "/// figure | growth/line\n    alt: A line.\n\nA line.\n///\n", "around one figure"),
    ],
)
def test_a_figure_that_moves_and_lacks_something_is_an_error(book, old, new, message):
    text = moving(book)
    (book.docs / "chapters" / "growth.md").write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(context.PageError, match=rf"growth\.md:\d+: moving: .*{message}"):
        sample.convert(book, "chapters/growth.md")


# --- errors


@pytest.mark.parametrize(
    ("found", "broken", "name", "message"),
    [
        ("kernel | growth.double", "kernel | growth.treble", "kernel", "no function or class treble"),
        ("kernel | growth.double", "kernel | grow.double", "kernel", "no module grow; did you mean growth"),
        ("claim | doubles", "claim | triples", "claim", "the ledger has no claim triples"),
        ("figure | growth/line", "figure | growth/lone", "figure", "is not drawn"),
        ("    alt: A line that rises from left to right.\n", "", "figure", "has no alt text"),
        ("Write *triple*\n\nComplete it.\n", "", "exercise", "has no title"),
        ("Why does $2^n$ grow?\n\nBecause", "```text\nno\n```\n\nBecause", "flashcard", "has no question"),
    ],
)
def test_an_error_names_the_page_the_line_and_the_directive(book, found, broken, name, message):
    page = book.docs / "chapters" / "growth.md"
    text = page.read_text("utf-8")
    assert found in text
    changed = text.replace(found, broken, 1).replace(r"\figref{line}", "it")
    page.write_text(changed, "utf-8")
    with pytest.raises(context.PageError, match=message) as caught:
        sample.convert(book, "chapters/growth.md")
    place = re.match(r"docs/chapters/growth\.md:(\d+): ", str(caught.value))
    assert changed.split("\n")[int(place[1]) - 1].lstrip("/").startswith(f" {name} | ")


def test_figure_code_that_is_missing_is_an_error(book):
    (book.root / "dlnotes/figures/growth.py").write_text("def line():\n    return 1\n", "utf-8")
    with pytest.raises(context.PageError, match=r"growth\.md:22: figure: .*growth/line"):
        sample.convert(book, "chapters/growth.md")
