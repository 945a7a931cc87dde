"""Each figure can be changed as its form says: ranges hold what the book uses, and the smaller forms can be drawn."""

from __future__ import annotations

import json
import zipfile

import pytest

from dlnotes.book import drawing, figure_forms, layout, redrawing, runtime
from dlnotes.figures import changes, ranges
from tests import laws

BOOK = layout.find()
FIGURES = [figure for figure in drawing.find(BOOK) if figure_forms.parameters(BOOK, figure)]
each_figure = pytest.mark.parametrize("figure", FIGURES, ids=str)


def request(figure: drawing.Figure, **changed) -> str:
    """Ask for a figure as the page does: what stands in the fields first, unless it is changed."""
    form = figure_forms.form(BOOK, figure)
    arguments = {field["name"]: field["first"] for field in form["fields"]} | changed
    asked = {"module": form["module"], "function": form["function"], "arguments": arguments}
    return json.dumps(asked | {"theme": "light", "wide": True})


@each_figure
def test_every_argument_has_a_range_that_holds_the_books_number_and_the_first(figure):
    allowed = changes.ranges(str(figure), tuple(figure_forms.parameters(BOOK, figure)))
    for field in figure_forms.form(BOOK, figure)["fields"]:
        assert allowed[field["name"]].holds(field["book"]), field
        assert allowed[field["name"]].holds(field["first"]), field


@pytest.mark.parametrize("table", [ranges.OWN, changes.HELD, changes.SMALLER])
def test_the_tables_name_figures_and_arguments_that_there_are(table):
    known = {str(figure): figure_forms.parameters(BOOK, figure) for figure in FIGURES}
    named = {(figure, name) for figure, given in table.items() for name in given}
    assert named <= {(figure, name) for figure, given in known.items() for name in given}


def test_no_range_is_for_nothing():
    used = {(str(figure), field["name"]) for figure in FIGURES for field in figure_forms.form(BOOK, figure)["fields"]}
    common = {name for figure, name in used if name not in ranges.OWN.get(figure, {})}
    assert common == set(ranges.RANGES)
    tables = (ranges.OWN, changes.SMALLER)
    assert used >= {(figure, name) for table in tables for figure, given in table.items() for name in given}


def test_an_argument_without_a_range_is_named():
    with pytest.raises(ValueError, match="no range for weather of growth/line"):
        changes.ranges("growth/line", ("seed", "weather"))


@pytest.mark.parametrize(
    ("allowed", "good", "bad"),
    [
        (ranges.Range(2, 9, ""), [2, 9, 3.0], [1, 10, 2.5]),
        (ranges.Range(0, 1, "", whole=False), [0, 0.5], [-0.1, 1.1]),
        (ranges.Range(2, 9, "", counts=(1, 2)), [(2,), (2, 9)], [(), (2, 3, 4), (2, 10), (2.5,)]),
    ],
)
def test_a_range_holds_what_it_says(allowed, good, bad):
    assert all(allowed.holds(value) for value in good)
    assert not any(allowed.holds(value) for value in bad)


# The others begin with the book's own numbers, and these are drawn for the book.
# As in the page, no shapes are checked; those of the same functions are in tests/test_figures.py.
@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("figure", [each for each in FIGURES if str(each) in changes.SMALLER], ids=str)
def test_what_the_form_begins_with_can_be_drawn(figure):
    report = json.loads(redrawing.run(request(figure), print))
    assert not report["error"]
    assert "<svg" in report["svg"]


def test_a_drawing_shows_the_numbers_asked_for_and_the_last_ones_are_kept(monkeypatch):
    figure = drawing.Figure("batch_normalization", "shifted-fits")
    first, again, other = (
        json.loads(redrawing.run(request(figure, **changed), print))["svg"] for changed in ({}, {}, {"seed": 1})
    )
    assert first == again != other
    asked = request(figure, seed=1)
    monkeypatch.setattr("dlnotes.figures.batch_normalization.shifted_fits", None)
    assert json.loads(redrawing.run(asked, print))["svg"] == other


def test_an_error_is_said_and_not_raised():
    figure = drawing.Figure("batch_normalization", "sight")
    report = json.loads(redrawing.run(request(figure, features=5), print))
    assert not report["svg"]
    assert report["error"].startswith("ValueError: ")


def test_figures_that_can_be_changed_need_nothing_that_the_page_lacks():
    """NumPy and matplotlib are there: PyTorch, SciPy and scikit-learn are not."""
    files = runtime.modules(BOOK, drawings=True)
    needed = {found.module.split(".")[0] for path in files for found in laws.imports(path) if not found.typing_only}
    assert needed.isdisjoint({"torch", "scipy", "sklearn"})
    assert {"numpy", "matplotlib"} <= needed


def test_the_package_for_figures_holds_every_module_and_the_fonts(tmp_path):
    runtime.write_package(tmp_path / "figures.zip", BOOK, drawings=True)
    names = set(zipfile.ZipFile(tmp_path / "figures.zip").namelist())
    for figure in FIGURES:
        assert f"dlnotes/figures/{figure_forms.form(BOOK, figure)['module']}.py" in names
    assert {"dlnotes/book/redrawing.py", "dlnotes/figures/paper.py"} < names
    assert any(name.startswith("dlnotes/figures/fonts/") and name.endswith(".ttf") for name in names)
