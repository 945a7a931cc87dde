"""Figures that are drawn again in the page: with the reader's numbers, in the page's theme and width, and stopped."""

from __future__ import annotations

import gzip
import json
import re
import urllib.parse

import numpy as np
import pytest

from dlnotes.book import drawing, figure_forms, layout, redrawing
from tests.site.conftest import NARROW, ROOT, SECONDS, WIDE, click, has_python, page_of_many_tests
from tests.site.test_access import violations

BOOK = layout.Layout(ROOT)
CHAPTER = "chapters/activations/"

pytestmark = pytest.mark.skipif(not has_python(), reason="Python for the pages is out of reach, or RUN=0")


def opened(page, name: str):
    figure = page.locator(f"#figure-{name}")
    click(figure.locator(".figure__change"))
    figure.locator(".redraw").wait_for()
    return figure


def write(figure, **changed) -> None:
    for name, value in changed.items():
        figure.get_by_label(name, exact=True).fill(str(value))


def state(page, figure) -> str:
    """Wait until a drawing has ended, and give what the form says of it."""
    form = figure.locator(".redraw")
    ended = "e => e.dataset.state && e.dataset.state !== 'busy'"
    page.wait_for_function(ended, arg=form.element_handle(), timeout=SECONDS)
    return form.locator(".redraw__status").inner_text()


def shown(figure) -> str:
    """Give the drawing that stands in the place of the book's."""
    address = figure.locator(".figure__image--again").get_attribute("src")
    return urllib.parse.unquote(address.removeprefix("data:image/svg+xml,"))


def expected(name: str, wide: bool, theme: str, **changed) -> str:
    """Draw the same at home."""
    form = figure_forms.form(BOOK, drawing.Figure("activations", name))
    arguments = {field["name"]: field["first"] for field in form["fields"]} | changed
    asked = {"module": form["module"], "function": form["function"], "arguments": arguments}
    return json.loads(redrawing.run(json.dumps(asked | {"theme": theme, "wide": wide}), print))["svg"]


def paths(svg: str) -> dict[str, np.ndarray]:
    """Give the corners of the path of each mark, by the name of the numbers that it shows, as parts of its axes.

    Two versions of matplotlib give the axes another place and size, by some points.
    """
    frame = r'<clipPath id="(\w+)">\s*<rect x="(\S+)" y="(\S+)" width="(\S+)" height="(\S+)"/>'
    axes = {name: np.array(numbers, dtype=float) for name, *numbers in re.findall(frame, svg)}
    mark = r'<g id="([a-z_]+(?:\[[^"]*)?)">\s*<path d="([^"]*)" clip-path="url\(#(\w+)\)"'
    corners = {name: (re.findall(r"[ML] (\S+) (\S+)", d), axes[clip]) for name, d, clip in re.findall(mark, svg)}
    return {name: (np.array(d, dtype=float) - rect[:2]) / rect[2:] for name, (d, rect) in corners.items()}


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Give how far a corner of one path lies from the other path at most: what is straight may have fewer corners.

    Where a path leaves the axes matplotlib cuts it, and not at the same place in each version.
    """
    one = one[((one >= 0) & (one <= 1)).all(-1)]
    if not len(one):
        return 0.0
    start, step = other[:-1], np.diff(other, axis=0)
    length = np.maximum((step**2).sum(-1), 1e-12)
    along = np.clip(((one[:, None] - start) * step).sum(-1) / length, 0, 1)
    return np.linalg.norm(one[:, None] - start - along[..., None] * step, axis=-1).min(-1).max()


def farthest(svg: str, other: str) -> float:
    """Give the largest distance between the paths of one drawing and of another, as part of the axes."""
    one, two = paths(svg), paths(other)
    assert one
    if one.keys() != two.keys():
        return np.inf
    return max(max(distance(one[name], two[name]), distance(two[name], one[name])) for name in one)


@pytest.fixture(scope="module")
def studio(browser, address):
    """Give one page whose worker draws all that these tests ask for, and is not started anew for each."""
    with page_of_many_tests(browser, address, CHAPTER) as page:
        yield page


LOADED = "() => performance.getEntriesByType('resource').map(e => e.name)"


def test_nothing_is_loaded_before_the_first_press_and_matplotlib_with_the_first_draw(studio):
    requests = []
    studio.context.on("request", lambda request: requests.append(request.url))
    assert not [name for name in studio.evaluate(LOADED) if "redraw.js" in name or "/python/" in name]
    figure = opened(studio, "forms")
    assert [name for name in studio.evaluate(LOADED) if name.endswith("redraw.js")]
    assert not [name for name in requests if "matplotlib" in name or "pyodide" in name]
    click(figure.get_by_text("Draw", exact=True))
    assert state(studio, figure).startswith("Drawn in ")
    assert [name for name in requests if "/python/matplotlib-" in name]
    click(figure.get_by_text("Reset", exact=True))
    click(figure.locator(".figure__change"))
    figure.locator(".redraw").wait_for(state="hidden")


CHANGES = [
    ("forms", {"points": 41, "limit": 3.5}),
    ("zig-zag", {"seed": 3, "seeds": 50}),
    ("moments", {"width": 50, "depth": 6}),
]


@pytest.mark.parametrize(("name", "changed"), CHANGES)
def test_a_figure_is_drawn_with_the_numbers_asked_for(studio, name, changed):
    figure = opened(studio, name)
    write(figure, **changed)
    click(figure.get_by_text("Draw", exact=True))
    said = state(studio, figure)
    assert said.startswith("Drawn in ")
    assert all(f"{word} {value}" in said for word, value in changed.items())
    svg = shown(figure)
    assert farthest(svg, expected(name, True, "light", **changed)) < 0.005
    assert farthest(svg, BOOK.figure("activations", name, "wide", "light").read_text("utf-8")) > 0.02
    assert figure.locator("picture").is_hidden()
    click(figure.get_by_text("Reset", exact=True))
    assert figure.locator("picture").is_visible()
    assert not figure.locator(".figure__image--again").count()
    fields = figure_forms.form(BOOK, drawing.Figure("activations", name))["fields"]
    for field in fields:
        assert figure.get_by_label(field["name"], exact=True).input_value() == f"{field['first']:g}"
    click(figure.locator(".figure__change"))


def test_a_drawing_follows_the_theme_and_the_width_of_the_page(studio):
    figure = opened(studio, "forms")
    write(figure, points=31)
    click(figure.get_by_text("Draw", exact=True))
    state(studio, figure)
    studio.set_viewport_size({"width": NARROW, "height": 844})
    studio.evaluate("document.body.setAttribute('data-md-color-scheme', 'slate')")
    dark = expected("forms", False, "dark", points=31)
    studio.wait_for_function(
        "color => decodeURIComponent(document.querySelector('.figure__image--again').src).includes(color)",
        arg=re.search(r"stroke: (#[0-9a-f]{6})", dark)[1],
    )
    state(studio, figure)
    assert farthest(shown(figure), dark) < 0.005
    assert figure.locator(".figure__image--again").get_attribute("width") == "340"
    studio.evaluate("document.body.setAttribute('data-md-color-scheme', 'default')")
    studio.set_viewport_size({"width": WIDE, "height": 900})
    click(figure.get_by_text("Reset", exact=True))
    click(figure.locator(".figure__change"))


SLOPES = "2 numbers from 0 to 1, with commas between"


@pytest.mark.parametrize(
    ("name", "argument", "value", "words"),
    [
        ("forms", "points", "0", "points must be a whole number from 5 to 1001, got 0"),
        ("forms", "limit", "", "limit must be a number from 1 to 10, got nothing"),
        ("gallery", "negative_slopes", "0.1", f"negative_slopes must be {SLOPES}, got 0.1"),
        ("gallery", "negative_slopes", "0.1, x", f"negative_slopes must be {SLOPES}, got 0.1, x"),
    ],
)
def test_a_wrong_value_is_named_with_its_rule(studio, name, argument, value, words):
    figure = opened(studio, name)
    write(figure, **{argument: value})
    click(figure.get_by_text("Draw", exact=True))
    assert state(studio, figure) == words
    assert figure.get_by_label(argument, exact=True).get_attribute("aria-invalid") == "true"
    click(figure.get_by_text("Reset", exact=True))
    click(figure.locator(".figure__change"))


def test_what_takes_too_long_begins_smaller_and_says_so(studio):
    figure = opened(studio, "race")
    said = figure.locator(".redraw__note").inner_text()
    assert "begins smaller. In the book: " in said
    assert "epochs 6" in said
    assert figure.get_by_label("epochs", exact=True).input_value() == "2"
    click(figure.locator(".figure__change"))


def test_stop_ends_a_drawing_and_the_next_one_is_drawn(studio):
    figure = opened(studio, "race")
    write(figure, width=256, seeds=50, epochs=20)
    click(figure.get_by_text("Draw", exact=True))
    figure.get_by_text("Drawing", exact=True).wait_for()
    click(figure.get_by_text("Stop", exact=True))
    assert state(studio, figure) == "Stopped"
    click(figure.locator(".figure__change"))
    other = opened(studio, "forms")
    click(other.get_by_text("Draw", exact=True))
    assert state(studio, other).startswith("Drawn in ")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_an_open_form(visit, scheme):
    page = visit("chapters/initialization/", WIDE, scheme)
    before = set(violations(page))
    figure = opened(page, "trainability")
    write(figure, steps=0)
    click(figure.get_by_text("Draw", exact=True))
    state(page, figure)
    assert set(violations(page)) <= before
    page.add_style_tag(content=".redraw p { color: #999 !important; background: #888 !important; }")
    assert not set(violations(page)) <= before


def test_what_a_page_loads_for_it_is_small(site):
    assert len(gzip.compress((site / "assets/js/redraw.js").read_bytes())) <= 8_000
    assert len(gzip.compress((site / "assets/python/figures.json").read_bytes())) <= 12_000


def test_without_python_the_press_says_what_is_missing(visit):
    page = visit(CHAPTER)
    page.evaluate("document.getElementById('run-script').dataset.python = 'no'")
    figure = page.locator("#figure-forms")
    click(figure.locator(".figure__change"))
    assert "RUN=0" in figure.locator(".redraw__status").inner_text()
