"""The notebooks in the built site, and the way to them."""

from __future__ import annotations

import re

import pytest

from dlnotes.book import layout, notebooks, wheel
from tests.site.conftest import ROOT

BOOK = layout.Layout(ROOT)


@pytest.mark.parametrize("stem", BOOK.stems)
def test_each_page_of_a_chapter_leads_to_its_notebook(stem, site):
    file = site / "notebooks" / f"{stem}.ipynb"
    assert file.read_text("utf-8") == notebooks.text(BOOK, stem)
    for path in BOOK.chapter_pages(stem):
        built = site / path.relative_to(BOOK.docs).with_suffix("") / "index.html"
        (link,) = re.findall(r'href="([^"]*\.ipynb)" download>', built.read_text("utf-8"))
        assert (built.parent / link).resolve() == file.resolve()


def test_the_wheel_lies_where_notebooks_look_for_it(site):
    assert (site / wheel.FOLDER / wheel.NAME).is_file()


def test_without_an_address_nothing_leads_to_colab(site):
    assert not [path for path in site.rglob("*.html") if "colab" in path.read_text("utf-8")]


def test_the_link_is_seen_and_can_be_hit_on_a_telephone(visit):
    for width in (390, 1440):
        page = visit("chapters/initialization/", width=width)
        box = page.get_by_role("link", name="Notebook", exact=True).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["height"] >= 24 or width > 390
