"""Every figure of the book keeps the laws: it shows its numbers, its text can be read, and it comes out the same again.

The numbers come from the cache of the press, which computes only what is missing. The laws themselves are tested on bad
figures in tests/book/test_figures.py. For each chapter `tests/figures/test_<stem>.py` holds the tests of its numbers,
and `SMALL`, arguments under which each function of numbers takes a moment only.
"""

from __future__ import annotations

import functools
import importlib
import inspect

import numpy as np
import pytest

from dlnotes.book import chapters, drawing, figure_laws, layout

BOOK = layout.find()
FIGURES = drawing.find(BOOK)
FORMS = [pytest.param(figure, *form, id=f"{figure}-{'-'.join(form)}") for figure in FIGURES for form in drawing.FORMS]
each_figure = pytest.mark.parametrize("figure", FIGURES, ids=str)
each_form = pytest.mark.parametrize(("figure", "width", "theme"), FORMS)


@pytest.fixture(scope="module", autouse=True)
def drawn(request: pytest.FixtureRequest) -> None:
    """Bring the figures of the tests chosen up to date; nothing is done for those whose code has not changed."""
    chosen = {str(item.callspec.params["figure"]) for item in request.session.items if item.path == request.path}
    drawing.draw(BOOK, sorted(chosen), progress=False)


@functools.cache
def page(figure: drawing.Figure, width: str, theme: str) -> tuple[figure_laws.Rendered, object]:
    numbers = drawing.numbers(BOOK, figure)
    picture, paper = drawing.paint(drawing.load(BOOK, figure), figure, numbers, width, theme)
    return figure_laws.rendered(picture, paper), numbers


@each_form
def test_shows_its_numbers_and_reads_well(figure: drawing.Figure, width: str, theme: str) -> None:
    rendered, numbers = page(figure, width, theme)
    breaches = [
        *figure_laws.wrong_numbers(rendered.figure, rendered.paper, numbers),
        *figure_laws.unmarked(rendered.figure, rendered.paper),
        *figure_laws.unshown(rendered.paper, numbers),
        *figure_laws.overlapping_texts(rendered),
        *figure_laws.cut_texts(rendered),
        *figure_laws.small_texts(rendered),
        *figure_laws.faint_texts(rendered),
        *figure_laws.crossed_texts(rendered),
    ]
    assert not breaches, "\n".join(breaches)


@functools.cache
def captions(stem: str) -> dict[str, str]:
    return {each.argument: each.body for _, each in chapters.read(BOOK, stem).named("figure")}


@each_form
def test_panels_stand_where_the_caption_says(figure: drawing.Figure, width: str, theme: str) -> None:
    rendered, _ = page(figure, width, theme)
    breaches = figure_laws.misplaced(rendered, captions(figure.stem).get(str(figure), ""))
    assert not breaches, "\n".join(breaches)


@each_form
def test_this_process_draws_the_bytes_that_another_drew(figure: drawing.Figure, width: str, theme: str) -> None:
    rendered, _ = page(figure, width, theme)
    assert rendered.svg == BOOK.figure(*figure, width, theme).read_text("utf-8")


@each_form
def test_has_the_width_of_its_form(figure: drawing.Figure, width: str, theme: str) -> None:
    across, down = drawing.size(BOOK.figure(*figure, width, theme))
    assert across == {"wide": 680, "narrow": 340}[width]
    assert 150 <= down <= 700


@each_figure
def test_every_number_is_finite_or_said_not_to_be(figure: drawing.Figure) -> None:
    numbers = drawing.numbers(BOOK, figure)
    documented = inspect.getdoc(type(numbers)) or ""
    for name, array in numbers._asdict().items():
        assert f"{name}: " in documented, f"the docstring of {type(numbers).__name__} does not say what {name} is"
        about = documented.split(f"{name}: ")[1].split(":")[0]
        if array.dtype.kind == "f" and "nan" not in about:
            assert np.isfinite(array).all(), f"{name} is not finite, and its docstring does not speak of nan"


def _function_and_small(figure: drawing.Figure) -> tuple[object, dict[str, object]]:
    tests = importlib.import_module(f"tests.figures.test_{figure.stem}")
    assert figure.name in tests.SMALL, f"tests/figures/test_{figure.stem}.py has no small arguments for {figure.name}"
    return getattr(drawing.load(BOOK, figure), figure.function), tests.SMALL[figure.name]


def _same(one: object, other: object) -> bool:
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other, strict=True))


@each_figure
def test_numbers_depend_on_the_arguments_alone(figure: drawing.Figure) -> None:
    function, small = _function_and_small(figure)
    state = np.random.get_state()[1].copy()
    first = function(**small)
    np.random.default_rng().random(3)
    assert _same(first, function(**small))
    assert np.array_equal(state, np.random.get_state()[1]), "the global generator was used"
    if "seed" in inspect.signature(function).parameters:
        assert not _same(first, function(**small, seed=1)), "another seed gives the same numbers"
    else:
        code = inspect.getsource(importlib.import_module(function.__module__))
        assert "default_rng" not in code, f"{figure.function} draws at random and takes no seed"


@each_figure
def test_every_argument_has_a_default(figure: drawing.Figure) -> None:
    function, _ = _function_and_small(figure)
    lacking = [name for name, p in inspect.signature(function).parameters.items() if p.default is p.empty]
    assert not lacking
