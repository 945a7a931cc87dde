"""The press for figures: what it draws, what it does again and what not, and how it says what went wrong.

The laws of figures are tested here too, each on a figure that breaks it. The figures of the book are held to them in
tests/test_figures.py.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlnotes.book import drawing, figure_fonts, figure_keys, figure_laws
from dlnotes.book.layout import Layout
from dlnotes.figures import paper as papers

GROWTH = '''\
"""Figures of a small chapter."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dlnotes.numpy import growth as kernels


class Curve(NamedTuple):
    steps: np.ndarray
    sizes: np.ndarray


def curve(steps: int = 5) -> Curve:
    """Count."""
    return Curve(np.arange(steps), kernels.double(np.arange(steps)))


def draw_curve(numbers: Curve, paper) -> object:
    figure, ((axes,),) = paper.subplots(height=200)
    paper.line(axes, numbers, "sizes", x="steps")
    return figure


class Threads(NamedTuple):
    count: np.ndarray


def threads() -> Threads:
    import os
    return Threads(np.array(int(os.environ["OMP_NUM_THREADS"])))


def draw_threads(numbers: Threads, paper) -> object:
    figure, ((axes,),) = paper.subplots(height=150)
    paper.mark(axes.axhline(numbers.count), "count")
    return figure


def unrelated() -> int:
    return 1
'''


@pytest.fixture
def book(tmp_path: Path) -> Layout:
    """A book of one chapter with two figures and one kernel."""
    for folder in ("docs/chapters", "dlnotes/figures", "dlnotes/numpy"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "mkdocs.yml").write_text("site_name: x\nnav: [chapters/growth.md, chapters/bare.md]\n")
    (tmp_path / "dlnotes/figures/growth.py").write_text(GROWTH)
    (tmp_path / "dlnotes/numpy/growth.py").write_text("def double(x):\n    return 2 * x\n")
    return Layout(tmp_path)


def edit(book: Layout, old: str, new: str, file: str = "figures/growth.py") -> None:
    path = book.package / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def draw(book: Layout) -> dict[str, tuple[bool, bool]]:
    """Draw, and say of each figure whether it was computed and drawn now."""
    return {item.figure.name: (item.computed, item.drawn) for item in drawing.draw(book, progress=False)}


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch, book: Layout) -> None:
    """Let the small book's kernel be found by the workers, which import dlnotes from this checkout."""
    edit(book, "from dlnotes.numpy import growth as kernels\n", "from dlnotes import checks as kernels\n")
    edit(book, "kernels.double(np.arange(steps))", "2 * np.arange(steps)")
    (book.package / "checks.py").write_text("def double(x):\n    return 2 * x\n")


# --- what is drawn, and what is drawn again


@pytest.mark.usefixtures("kernel")
def test_draws_four_forms_and_then_nothing(book: Layout) -> None:
    assert draw(book) == {"curve": (True, True), "threads": (True, True)}
    drawn = sorted(path.name for path in (book.figures_folder / "growth").iterdir())
    forms = [f"{width}.{theme}.svg" for width in ("narrow", "wide") for theme in ("dark", "light")]
    assert drawn == [f"{name}.{form}" for name in ("curve", "threads") for form in forms]
    assert drawing.size(book.figure("growth", "curve", "wide", "dark")) == (papers.WIDE_PIXELS, 200)
    assert drawing.size(book.figure("growth", "curve", "narrow", "dark")) == (papers.NARROW_PIXELS, 200)
    times = {path: path.stat().st_mtime_ns for path in book.figures_folder.rglob("*.svg")}
    assert draw(book) == {"curve": (False, False), "threads": (False, False)}
    assert times == {path: path.stat().st_mtime_ns for path in book.figures_folder.rglob("*.svg")}


@pytest.mark.usefixtures("kernel")
def test_draws_again_only_what_has_changed(book: Layout) -> None:
    draw(book)
    nothing, curve_drawn, curve = (
        {"curve": state, "threads": (False, False)} for state in ((False, False), (False, True), (True, True))
    )
    edit(book, '    """Count."""', '    """Count the steps."""  # from zero')
    edit(book, "def unrelated() -> int:\n    return 1", "def unrelated() -> int:\n    return 2")
    assert draw(book) == nothing
    edit(book, "height=200", "height=210")
    assert draw(book) == curve_drawn
    edit(book, "steps: int = 5", "steps: int = 6")
    assert draw(book) == curve
    edit(book, "2 * np.arange", "3 * np.arange")
    assert draw(book) == curve
    edit(book, "steps: int = 6", "steps: int = 3 + 3")  # other code, the same numbers: no need to draw
    assert draw(book) == {**nothing, "curve": (True, False)}


@pytest.mark.usefixtures("kernel")
def test_what_is_changed_while_figures_are_drawn_is_drawn_again(book: Layout) -> None:
    change = """from pathlib import Path

    path = Path(__file__)
    path.write_text(path.read_text().replace("height=20" + "0", "height=  210"))
    return Curve("""
    # Of another length: Python tells a changed module by its size and the second of the change.
    edit(book, "return Curve(", change)
    assert draw(book)["curve"] == (True, True)
    assert draw(book)["curve"] == (False, True)
    assert drawing.size(book.figure("growth", "curve", "wide", "dark")) == (papers.WIDE_PIXELS, 210)
    assert draw(book)["curve"] == (False, False)


def test_a_change_in_a_module_that_is_reached_counts(book: Layout) -> None:
    path, package = book.figures("growth"), book.package
    key = figure_keys.of_numbers(book, path, "curve")
    other = figure_keys.of_numbers(book, path, "threads")
    (package / "numpy/growth.py").write_text(
        '"""Text."""\n\n\ndef double(x):\n    """Text."""\n    return 2 * x  # two\n'
    )
    assert figure_keys.of_numbers(book, path, "curve") == key
    (package / "numpy/growth.py").write_text("from dlnotes.numpy import base\n\ndef double(x):\n    return 2 * x\n")
    (package / "numpy/base.py").write_text("A = 1\n")
    direct = figure_keys.of_numbers(book, path, "curve")
    assert direct != key
    (package / "numpy/base.py").write_text("A = 2\n")
    assert figure_keys.of_numbers(book, path, "curve") != direct
    assert figure_keys.of_numbers(book, path, "threads") == other


def test_a_change_of_the_data_counts(book: Layout) -> None:
    path = book.figures("growth")
    (book.package / "datasets.py").write_text("A = 1\n")
    edit(book, "from dlnotes.numpy import growth as kernels\n", "from dlnotes import datasets as kernels\n")
    (book.package / "data").mkdir()
    (book.package / "data/digits.npz").write_bytes(b"1")
    key = figure_keys.of_numbers(book, path, "curve")
    (book.package / "data/digits.npz").write_bytes(b"2")
    assert figure_keys.of_numbers(book, path, "curve") != key


def test_palette_and_paper_count_for_drawings_alone(book: Layout) -> None:
    path, folder = book.figures("growth"), book.package / "figures"
    (folder / "paper.py").write_text("from dlnotes.figures import palette\n")
    (folder / "palette.py").write_text("INK = 1\n")
    numbers, drawing = (key(book, path, name) for key, name in KEYS)
    (folder / "palette.py").write_text("INK = 2\n")
    assert figure_keys.of_numbers(book, path, "curve") == numbers
    assert figure_keys.of_drawing(book, path, "draw_curve") != drawing


KEYS = ((figure_keys.of_numbers, "curve"), (figure_keys.of_drawing, "draw_curve"))


@pytest.mark.usefixtures("kernel")
def test_lost_changed_and_damaged_files_are_made_again(book: Layout) -> None:
    draw(book)
    path = book.figure("growth", "curve", "wide", "light")
    whole = path.read_bytes()
    path.unlink()
    assert draw(book)["curve"] == (False, True)
    path.write_bytes(whole + b" ")
    assert draw(book)["curve"] == (False, True)
    assert path.read_bytes() == whole
    kept = book.cache / "figures/growth/curve.npz"
    content = kept.read_bytes()
    for damage in (content[:100], b"", b"nonsense", content.replace(b"__key__", b"__kez__")):
        kept.write_bytes(damage)
        assert draw(book)["curve"] == (True, False)
    assert path.read_bytes() == whole


@pytest.mark.usefixtures("kernel")
def test_drawings_of_figures_that_are_gone_are_deleted(book: Layout) -> None:
    draw(book)
    other = book.figures_folder / "growth" / "by-hand.svg"
    other.write_text("<svg/>")
    edit(book, "def draw_threads", "def drew_threads")
    assert draw(book) == {"curve": (False, False)}
    left = {path.name.split(".")[0] for path in other.parent.iterdir()}
    assert left == {"curve", "by-hand"}


@pytest.mark.usefixtures("kernel")
def test_the_same_bytes_in_another_place_and_whatever_the_settings(book: Layout, tmp_path: Path) -> None:
    import matplotlib

    draw(book)
    figure = drawing.Figure("growth", "curve")
    module, numbers = drawing.load(book, figure), drawing.numbers(book, figure)
    for form in drawing.FORMS:
        with matplotlib.rc_context({"font.size": 30, "axes.xmargin": 0.3, "svg.fonttype": "none"}):
            again = drawing.svg(module, figure, numbers, *form)
        assert again == book.figure("growth", "curve", *form).read_text()


@pytest.mark.usefixtures("kernel")
def test_workers_compute_with_one_thread_and_leave_the_environment_alone(
    book: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    draw(book)
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "OPENBLAS_NUM_THREADS" not in os.environ
    assert drawing.numbers(book, drawing.Figure("growth", "threads")).count == 1


@pytest.mark.usefixtures("kernel")
def test_numbers_come_back_as_they_were(book: Layout) -> None:
    numbers = drawing.numbers(book, drawing.Figure("growth", "curve"))  # computes what is missing
    assert type(numbers).__name__ == "Curve"
    assert numbers.sizes.tolist() == [0, 2, 4, 6, 8]
    assert draw(book)["curve"] == (False, False)


@pytest.mark.usefixtures("kernel")
def test_a_chapter_may_have_several_files(book: Layout) -> None:
    text = (book.package / "figures/growth.py").read_text()
    (book.package / "figures/growth_more.py").write_text(text.replace("curve", "arc").replace("threads", "cores"))
    (book.package / "figures/growth_late.py").write_text("x = 1\n")
    assert drawing.names(book, "growth") == ("curve", "threads", "arc", "cores")
    assert drawing.path_of(book, drawing.Figure("growth", "arc")).name == "growth_more.py"
    with pytest.raises(drawing.FigureError, match="no figure growth/none; there are curve, threads, arc, cores"):
        drawing.path_of(book, drawing.Figure("growth", "none"))
    (book.root / "mkdocs.yml").write_text("nav: [chapters/growth.md, chapters/growth_more.md]\n")
    assert drawing.names(Layout(book.root), "growth") == ("curve", "threads")


def test_the_report_tells_old_times_from_new_ones() -> None:
    figure = drawing.Figure("growth", "curve")
    done = [drawing.Done(figure, True, 3.21, False, 0.5), drawing.Done(figure, False, 1.0, True, 0.25)]
    assert drawing.report(done).splitlines() == [
        " numbers     drawing",
        "    3.2 s   (   0.5 s)  growth/curve",
        "(   1.0 s)      0.2 s   growth/curve",
        "    4.2 s       0.8 s   2 figures",
    ]


@pytest.mark.usefixtures("kernel")
def test_progress_names_the_figures_and_ends_with_the_times(book: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    drawing.draw(book, ["growth"])
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "growth/curve, growth/threads" in shown.err or "growth/threads, growth/curve" in shown.err
    assert shown.err.rstrip().endswith("2 figures")


# --- what goes wrong


@pytest.mark.usefixtures("kernel")
def test_a_failure_names_function_and_line_and_the_others_are_done(book: Layout) -> None:
    edit(book, "    figure, ((axes,),) = paper.subplots(height=200)\n", "    return 1 / 0\n")
    line = (book.package / "figures/growth.py").read_text().split("1 / 0")[0].count("\n") + 1
    with pytest.raises(drawing.FigureError) as error:
        draw(book)
    said = f"dlnotes/figures/growth.py:{line}: growth/curve: draw_curve: ZeroDivisionError: division by zero"
    assert str(error.value) == said
    assert book.figure("growth", "threads", "wide", "dark").is_file()
    edit(book, "    return 1 / 0\n", "    figure, ((axes,),) = paper.subplots(height=200)\n")
    assert draw(book) == {"curve": (False, True), "threads": (False, False)}  # the numbers were kept


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    return Curve(", "    return (", "curve must give a NamedTuple of arrays, got a tuple"),
        ("Curve(np.arange(steps), ", "Curve(np.array([{}]), ", "curve: steps must be an array of numbers or words"),
        ("def curve(steps: int = 5) -> Curve:", "def curve(steps: int = 5):", "annotated with the NamedTuple"),
        ("def curve(steps: int = 5)", "def curves(steps: int = 5)", "has draw_curve but no curve"),
        ("    return figure\n", "    return None\n", "draw_curve must give a matplotlib Figure, got a NoneType"),
        ('"sizes", x="steps"', '"size", x="steps"', "no such number: size"),
        ("class Curve(", "class Curve((", "dlnotes/figures/growth.py: growth.py line 12: invalid syntax"),
    ],
)
def test_each_mistake_has_its_message(book: Layout, old: str, new: str, message: str) -> None:
    edit(book, old, new)
    with pytest.raises(drawing.FigureError, match=re.escape(message)):
        draw(book)


def test_a_chapter_without_figures_is_named(book: Layout) -> None:
    with pytest.raises(drawing.FigureError, match=r"bare has no figures: dlnotes/figures/bare\.py is missing"):
        drawing.draw(book, ["bare"], progress=False)
    assert [figure.stem for figure in drawing.find(book)] == ["growth", "growth"]


SLOW = """

class Slow(NamedTuple):
    value: np.ndarray


def slow() -> Slow:
    import pathlib, time
    pathlib.Path(__file__).with_name("started").touch()
    time.sleep(60)
    return Slow(np.array(1))


def draw_slow(numbers: Slow, paper) -> object:
    raise AssertionError
"""


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_stopped_it_keeps_what_is_done_and_leaves_no_process_and_nothing_half_done(book: Layout, number: int) -> None:
    path = book.package / "figures/growth.py"
    path.write_text(path.read_text() + SLOW)
    script = f"""
        import signal
        from pathlib import Path
        from dlnotes.book import drawing, layout
        if __name__ == "__main__":
            signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job is born deaf to it
            drawing.draw(layout.Layout(Path({str(book.root)!r})), progress=False)
    """
    (book.root / "run.py").write_text(textwrap.dedent(script))
    root = Path(drawing.__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "run.py"],
        cwd=book.root,
        env={**os.environ, "PYTHONPATH": str(root)},
        stderr=subprocess.PIPE,
    )
    done = book.figure("growth", "threads", "narrow", "dark"), book.figure("growth", "curve", "narrow", "dark")
    until = time.monotonic() + 60
    while not (all(file.is_file() for file in done) and path.with_name("started").is_file()):
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < until
        time.sleep(0.05)
    time.sleep(0.3)  # the last stamp is written right after the last drawing
    process.send_signal(number)
    _, said = process.communicate(timeout=40)  # waits for all who could still write there: the slow one sleeps 60 s
    assert (b"KeyboardInterrupt" in said) == (number == signal.SIGINT)
    left = [file.name for file in book.root.rglob("*") if file.name.startswith(".") and file.is_file()]
    assert left == []
    path.write_text(path.read_text().replace(SLOW, ""))
    assert draw(book) == {"curve": (False, False), "threads": (False, False)}


@pytest.mark.usefixtures("kernel")
def test_a_process_that_is_killed_is_told_with_its_figure(book: Layout) -> None:
    edit(book, "    return Curve(", "    import os\n    os._exit(9)\n    return Curve(")
    with pytest.raises(drawing.FigureError, match=r"was ended from outside while it drew one of .*growth/curve"):
        drawing.draw(book, ["growth/curve"], progress=False)


@pytest.mark.usefixtures("kernel")
def test_one_figure_is_drawn_by_name_and_once(book: Layout) -> None:
    done = drawing.draw(book, ["growth/threads", "growth/threads"], progress=False)
    assert [str(each.figure) for each in done] == ["growth/threads"]
    assert not book.figure("growth", "curve", "wide", "light").exists()
    assert [str(figure) for figure in drawing.find(book, ["growth/threads", "growth", "growth"])] == [
        "growth/threads",
        "growth/curve",
    ]
    with pytest.raises(drawing.UnknownFigure, match=r"there is no figure growth/thread; did you mean growth/threads\?"):
        drawing.draw(book, ["growth/thread"], progress=False)


@pytest.mark.usefixtures("kernel")
def test_numbers_that_are_missing_are_computed_for_their_figure_alone(book: Layout) -> None:
    drawing.numbers(book, drawing.Figure("growth", "curve"))
    assert sorted(path.stem for path in (book.cache / "figures/growth").glob("*.npz")) == ["curve"]


@pytest.mark.usefixtures("kernel")
def test_a_folder_that_cannot_be_written_is_found_before_anything_is_computed(book: Layout) -> None:
    computed = book.root / "computed"
    edit(book, "    return Curve(", f"    open({str(computed)!r}, 'w')\n    return Curve(")
    (book.root / ".cache").write_text("a file in the way")
    with pytest.raises(OSError, match="cache"):
        draw(book)
    assert not computed.exists()


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, write = tmp_path / "figure.svg", Path.write_bytes
    drawing._replace(path, b"old")

    def full(path: Path, content: bytes) -> None:
        write(path, content[:1])
        raise OSError("no space left")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="no space left"):
        drawing._replace(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [("510pt", "255pt", (680, 340)), ("300px", "100", (300, 100)), ("12.4px", "12.6px", (12, 13))],
)
def test_the_size_of_a_drawing_is_read_in_pixels(
    tmp_path: Path, width: str, height: str, size: tuple[int, int]
) -> None:
    path = tmp_path / "a.svg"
    path.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"></svg>')
    assert drawing.size(path) == size


@pytest.mark.parametrize("width", ["100%", ""])
def test_a_drawing_without_a_size_is_refused(tmp_path: Path, width: str) -> None:
    path = tmp_path / "a.svg"
    path.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}em"></svg>')
    with pytest.raises(drawing.FigureError, match="must say its width"):
        drawing.size(path)


# --- the paper


def test_the_font_is_the_one_that_was_fetched() -> None:
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in figure_fonts.FOLDER.iterdir()}
    assert found == figure_fonts.SHA256


def test_text_is_set_in_the_font_of_the_site() -> None:
    from matplotlib import font_manager

    paper = papers.Paper("light", True)
    with paper.style():
        path = font_manager.findfont(font_manager.FontProperties(), fallback_to_default=False)
    assert Path(path).name == "instrument-sans-regular.ttf"


def test_contrast_is_that_of_the_standard() -> None:
    assert papers.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert papers.contrast("#ffffff", "#777777") == pytest.approx(4.48, abs=0.005)
    assert papers.contrast("#123456", "#123456") == 1


@pytest.mark.parametrize("theme", papers.THEMES)
def test_words_in_every_color_of_the_palette_can_be_read(theme: str) -> None:
    paper = papers.Paper(theme, True)
    for color in (*paper.colors, paper.grid, paper.background):
        word = paper.word(color)
        assert papers.contrast(word, paper.background) >= 4.5
        assert (word == color) == (papers.contrast(color, paper.background) >= 4.5)


intervals = st.lists(st.tuples(st.floats(0, 1), st.floats(0.01, 0.3)), min_size=1, max_size=8)


@given(intervals)
def test_labels_moved_apart_do_not_overlap_and_keep_their_order(given: list[tuple[float, float]]) -> None:
    places, sizes = zip(*given, strict=True)
    moved = papers.moved_apart(places, sizes)
    order = sorted(range(len(places)), key=places.__getitem__)
    for below, above in itertools.pairwise(order):
        assert moved[above] - moved[below] >= (sizes[above] + sizes[below]) / 2 - 1e-9
    total = sum(sizes)
    assert all(abs(new - old) <= total for new, old in zip(moved, places, strict=True))


def test_labels_that_do_not_touch_stay() -> None:
    assert papers.moved_apart([0.9, 0.1, 0.5], [0.2, 0.2, 0.2]) == [0.9, 0.1, 0.5]
    assert np.allclose(papers.moved_apart([0.5, 0.5], [0.2, 0.2]), [0.4, 0.6])


class Numbers(NamedTuple):
    steps: np.ndarray
    losses: np.ndarray
    edges: np.ndarray
    share: np.ndarray


NUMBERS = Numbers(np.arange(4), np.arange(12.0).reshape(3, 4) + 1, np.arange(5), np.array(0.9039))


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("steps", [0, 1, 2, 3]),
        ("steps[1:]", [1, 2, 3]),
        ("losses[1]", [5, 6, 7, 8]),
        ("losses[ :, -1 ]", [4, 8, 12]),
        ("losses[0, 1:3]", [2, 3]),
        ("losses[2, ::2]", [9, 11]),
        ("share", 0.9039),
    ],
)
def test_references_are_looked_up(reference: str, expected: object) -> None:
    assert np.array_equal(papers.value(NUMBERS, reference), expected)


@pytest.mark.parametrize("reference", ["loss", "losses[", "", "losses.T", "__class__", "index", "losses[a]"])
def test_what_is_no_reference_is_refused(reference: str) -> None:
    with pytest.raises((KeyError, ValueError)):
        papers.value(NUMBERS, reference)


# --- the laws, each on a figure that breaks it


def sheet() -> tuple[papers.Paper, object, object]:
    paper = papers.Paper("light", True)
    with paper.style():
        figure, ((axes,),) = paper.subplots(height=300)
    return paper, figure, axes


ARTISTS = {
    "line": (lambda p, a, y: a.plot(NUMBERS.steps, y)[0], "losses[0]", {"x": "steps"}),
    "bars": (lambda p, a, y: a.bar(NUMBERS.steps, y), "losses[0]", {"x": "steps"}),
    "bars lying": (lambda p, a, y: a.barh(NUMBERS.steps, y), "losses[0]", {"x": "steps"}),
    "stairs": (lambda p, a, y: a.stairs(y, NUMBERS.edges), "losses[0]", {"x": "edges"}),
    "stacked stairs": (lambda p, a, y: a.stairs(y + 7, NUMBERS.edges, baseline=7), "losses[0]", {"x": "edges"}),
    "points": (lambda p, a, y: a.scatter(NUMBERS.steps, y), "losses[0]", {"x": "steps"}),
    "fill": (
        lambda p, a, y: a.fill_between(NUMBERS.steps, y, NUMBERS.losses[1]),
        "losses[0]",
        {"x": "steps", "upper": "losses[1]"},
    ),
    "top of a fill": (
        lambda p, a, y: a.fill_between(NUMBERS.steps, NUMBERS.losses[1], y),
        "losses[1]",
        {"x": "steps", "upper": "losses[0]"},
    ),
    "ranges": (
        lambda p, a, y: a.vlines(NUMBERS.steps, y, NUMBERS.losses[1]),
        "losses[0]",
        {"x": "steps", "upper": "losses[1]"},
    ),
    "ranges lying": (
        lambda p, a, y: a.hlines(NUMBERS.steps, y, NUMBERS.losses[1]),
        "steps",
        {"x": "losses[0]", "upper": "losses[1]"},
    ),
    "mesh": (lambda p, a, y: a.pcolormesh(y[None]), "losses[0]", {}),
    "image": (lambda p, a, y: a.imshow(np.stack([y, NUMBERS.losses[1]])), "losses[:2]", {}),
    "level": (lambda p, a, y: a.axhline(y[0]), "losses[0, 0]", {}),
    "text": (lambda p, a, y: a.text(0, 0, f"{y[0]:.1f} of 3"), "losses[0, 0]", {}),
    "share": (lambda p, a, y: a.text(0, 0, f"{0.9039 + y[0] - 1:.1%}"), "share", {}),
    "power": (lambda p, a, y: a.text(0, 0, rf"$-{y[0]:.1f} \times 10^{{0}}$".replace("-", "")), "losses[0, 0]", {}),
}


@pytest.mark.parametrize("name", ARTISTS)
def test_numbers_are_read_back_and_a_wrong_one_is_found(name: str) -> None:
    make, values, others = ARTISTS[name]
    for wrong in (0.0, 0.2):
        paper, figure, axes = sheet()
        y = NUMBERS.losses[0].copy()
        y[0] += wrong
        paper.mark(make(paper, axes, y), values, **others)
        breaches = figure_laws.wrong_numbers(figure, paper, NUMBERS)
        assert bool(breaches) == bool(wrong), breaches


def test_a_mark_with_too_few_numbers_or_none_is_found() -> None:
    paper, figure, axes = sheet()
    paper.mark(axes.plot([0, 1], [1, 2])[0], "losses[0]")
    paper.mark(axes.text(0, 0, "no number"), "share")
    paper.mark(axes.plot([0, 1], [1, 2])[0], "nothing")
    paper.mark(axes.plot([0, 1], [1, 2])[0], "losses[7]")
    paper.mark(axes.plot([0, 1], [1, 2])[0], "steps[:2]", upper="steps")
    said = figure_laws.wrong_numbers(figure, paper, NUMBERS)
    assert said == [
        "Line2D marked losses[0] (values) shows 2 numbers in place of 4",
        "Text marked share (values) shows 0 numbers in place of 1",
        "nothing: 'no such number: nothing'",
        "losses[7]: index 7 is out of bounds for axis 0 with size 3",
        "Line2D marked steps[:2] (values) shows 1.0 in place of 0.0",
        "Line2D marked steps (upper) has no such coordinate",
    ]


def test_a_nan_must_be_where_the_numbers_have_one() -> None:
    numbers = NUMBERS._replace(losses=np.array([[1, np.nan, 3, 4.0]]))
    paper, figure, axes = sheet()
    paper.mark(axes.plot(NUMBERS.steps, [1, 2, 3, 4])[0], "losses[0]")
    assert figure_laws.wrong_numbers(figure, paper, numbers)
    paper, figure, axes = sheet()
    paper.mark(axes.plot(NUMBERS.steps, [1, np.nan, 3, 4])[0], "losses[0]")
    assert not figure_laws.wrong_numbers(figure, paper, numbers)


def test_what_cannot_be_read_back_cannot_be_marked() -> None:
    paper, figure, axes = sheet()
    paper.mark(axes.fill([0, 1, 1], [0, 0, 1])[0], "losses[0]")
    with pytest.raises(TypeError, match="numbers cannot be read back from a Polygon"):
        figure_laws.wrong_numbers(figure, paper, NUMBERS)


def test_what_is_not_marked_is_found() -> None:
    paper, figure, axes = sheet()
    paper.mark(axes.bar([0], [1]), "losses[0]")
    paper.guide(axes.axvline(1))
    assert not figure_laws.unmarked(figure, paper)
    axes.set_title("A", loc="left")
    for make in (
        lambda: axes.plot([0, 1], [0, 1]),
        lambda: axes.scatter([0], [1]),
        lambda: axes.bar([0], [1]),
        lambda: axes.imshow([[1.0]]),
        lambda: axes.fill_between([0, 1], [0, 1]),
    ):
        make()
        assert len(figure_laws.unmarked(figure, paper)) == 1
        assert "in the axes 'A' is not marked" in figure_laws.unmarked(figure, paper)[0]
        paper.guide([*axes.lines, *axes.collections, *axes.images, *axes.patches])


def test_a_field_that_is_not_shown_is_found() -> None:
    paper, _, axes = sheet()
    paper.mark(axes.plot([0, 1], [0, 1])[0], "losses[0]", x="steps", upper="edges")
    assert figure_laws.unshown(paper, NUMBERS) == ["share is not shown"]


def broken(change: object) -> tuple[list[str], ...]:
    """Give what each law of text says of a figure with a change."""
    paper, figure, axes = sheet()
    with paper.style():
        axes.plot([0, 10], [0, 1])
        axes.set(title="A title", xlabel="step")
        change(axes)
    page = figure_laws.rendered(figure, paper)
    return tuple(
        law(page)
        for law in (
            figure_laws.overlapping_texts,
            figure_laws.cut_texts,
            figure_laws.small_texts,
            figure_laws.crossed_texts,
            figure_laws.faint_texts,
        )
    )


def test_a_good_figure_keeps_the_laws_of_text() -> None:
    assert broken(lambda axes: axes.text(1, 0.8, "left")) == ([],) * 5
    assert broken(lambda axes: axes.set_xticks([0, 5, 10], ["0", "5", "10"])) == ([],) * 5
    assert broken(lambda axes: axes.text(1, 0.8, "unseen", fontsize=1, visible=False)) == ([],) * 5


@pytest.mark.parametrize(
    ("change", "law", "said"),
    [
        (lambda axes: [axes.text(1, 0.8, "one"), axes.text(1.1, 0.8, "two")], 0, "'one' and 'two' overlap"),
        (lambda axes: axes.set_xticks([5, 5.05], ["five", "more"]), 0, "'five' and 'more' overlap"),
        (lambda axes: axes.set_title("As long as the axes " * 6, loc="center"), 0, "overlap"),
        (lambda axes: axes.figure.text(0.99, 0.5, "beyond"), 1, "'beyond' is cut off by"),
        (lambda axes: axes.text(9.9, 0.2, "clipped", clip_on=True), 1, "'clipped' is cut off by"),
        (lambda axes: axes.text(1, 0.8, "tiny", fontsize=papers.points(10.9)), 2, "'tiny' is 10.9 px high"),
        (lambda axes: axes.tick_params(labelsize=papers.points(10)), 2, "is 10.0 px high"),
        (lambda axes: axes.text(4.8, 0.5, "on the line"), 3, "a line marked as a guide runs through 'on the line'"),
        (lambda axes: axes.legend(["its own line"], loc=(0.45, 0.45)), 3, "runs through 'its own line'"),
        (lambda axes: axes.text(1, 0.8, "pale", color="#777777"), 4, "'pale' has a contrast of 4.3"),
        (lambda axes: axes.text(1, 0.8, "pale", color="#fcfbf8"), 4, "'pale' has a contrast of 1.0"),
    ],
)
def test_each_law_of_text_finds_its_breach(change: object, law: int, said: str) -> None:
    found = broken(change)
    assert any(said in breach for breach in found[law]), found


@pytest.mark.parametrize(
    ("wide", "shape", "caption", "breaches"),
    [
        (True, (1, 2), "Left: one. Right: the other.", 0),
        (True, (1, 3), "Three. Left: one. Middle: two. Right: three.", 0),
        (False, (2, 1), "Left: one. Right: the other.", 0),
        (False, (2, 1), "What is left: nothing.", 0),
        (False, (1, 1), "One panel. Leftovers: none.", 0),
        (False, (1, 2), "Left: one. Right: the other.", 1),
        (True, (2, 1), "Left: one. Right: the other.", 1),
        (True, (2, 2), "Left: one. Right: the other.", 1),
        (True, (1, 1), "Left: one. Right: the other.", 1),
        (True, (1, 2), "Left: one, and the other.", 1),
        (False, (1, 1), "Middle: one.", 2),
    ],
)
def test_panels_must_stand_where_the_caption_says(wide: bool, shape: tuple, caption: str, breaches: int) -> None:
    paper = papers.Paper("light", wide)
    with paper.style():
        figure, _ = paper.subplots(*shape, height=300)
    assert len(figure_laws.misplaced(figure_laws.rendered(figure, paper), caption)) == breaches


def test_rendering_leaves_matplotlib_as_it_was() -> None:
    from matplotlib.text import Text

    before = Text.draw
    paper, figure, _ = sheet()
    figure_laws.rendered(figure, paper)
    assert Text.draw is before
