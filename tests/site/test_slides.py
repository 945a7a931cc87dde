"""The slides of three chapters in a browser, from disk and without a network: they fit, and keys drive them."""

from __future__ import annotations

import re

import pytest

from dlnotes.book import course, layout
from dlnotes.book import slides as content
from tests.site import slides
from tests.site.conftest import ROOT
from tests.site.test_access import violations

BOOK = layout.Layout(ROOT)
# The one with the most figures, one with long captions, one with long derivations.
STEMS = ("gradient_checking", "momentum", "vanishing_exploding")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("course")
    for stem in STEMS:
        (made / f"{stem}.html").write_text(course.deck(BOOK, stem, content.of_chapter(BOOK, stem)), "utf-8")
    (made / "sheet.html").write_text(course.sheet(BOOK, "momentum"), "utf-8")
    return made


@pytest.fixture
def opened(browser, folder):
    """Open a file; nothing may be asked for, and the console must be silent."""
    complaints, contexts = [], []

    def open_file(name: str, scheme: str = "light"):
        page = slides.open_deck(browser, folder / f"{name}.html", scheme, complaints)
        contexts.append(page.context)
        return page

    yield open_file
    for context in contexts:
        context.close()
    assert not complaints


@pytest.mark.parametrize("stem", STEMS)
def test_no_slide_is_too_full_and_none_too_small_to_read(opened, stem):
    page = opened(stem)
    assert slides.faults(page) == []
    # What would be found: a text that is too long, and a picture that is squeezed.
    page.evaluate("""() => {
        document.querySelector('.slide--rule .words').style.cssText = 'font-size: 240px';
        document.querySelector('.slide--figure .caption').style.cssText = 'min-height: 400px';
    }""")
    found = " ".join(slides.faults(page))
    assert re.search(r"rule-1: \d+ px too tall", found)
    assert re.search(r"figure-[\w-]+: a picture of \d+ px", found)


def test_keys_go_through_the_slides(opened):
    page = opened("momentum")
    count = page.locator(".slide").count()

    def current() -> int:
        assert page.locator(".slide.current").count() == 1
        assert page.locator(".slide:visible").count() == 1
        return int(page.locator(".slide.current .foot span").last.inner_text())

    assert current() == 1
    for key, number in (("ArrowRight", 2), ("Space", 3), ("ArrowDown", 4), ("ArrowLeft", 3), ("End", count)):
        page.keyboard.press(key)
        assert current() == number, key
    assert page.url.endswith("#exercises")
    assert page.locator(".said").inner_text() == f"{count} of {count}: Exercises"
    page.keyboard.press("ArrowRight")
    assert current() == count
    page.keyboard.press("Home")
    assert current() == 1
    page.keyboard.press("ArrowLeft")
    assert current() == 1


def test_a_claim_shows_its_verdict_with_the_next_key(opened):
    page = opened("momentum")
    page.evaluate("location.hash = '#exercises'")
    page.locator("#exercises.current").wait_for()
    page.keyboard.press("Home")
    page.evaluate("location.hash = '#claim-momentum-average'")
    page.locator("#claim-momentum-average.current").wait_for()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowRight")
    verdict = page.locator(".current .verdict")
    assert not verdict.is_visible()
    page.keyboard.press("ArrowRight")
    assert verdict.is_visible()
    assert "Holds under conditions" in page.locator(".said").inner_text()
    page.keyboard.press("ArrowRight")
    assert page.url.endswith("#claim-momentum-with-any-batch")
    page.keyboard.press("ArrowLeft")
    assert page.locator("#claim-momentum-average .verdict").is_visible()


def test_the_overview_shows_all_and_leads_to_one(opened):
    page = opened("momentum")
    page.keyboard.press("o")
    assert page.locator(".slide:visible").count() == page.locator(".slide").count()
    assert page.locator(".step:visible").count() == page.locator(".step").count()
    page.locator("#figure-plane").click()
    assert page.locator(".slide:visible").get_attribute("id") == "figure-plane"
    page.keyboard.press("o")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert page.locator(".slide:visible").get_attribute("id") == "figure-by-hand"


def test_figures_follow_the_colors_and_formulas_are_set(opened):
    page = opened("momentum", "dark")
    page.evaluate("location.hash = '#figure-ravine'")
    page.locator("#figure-ravine.current").wait_for()
    assert page.locator(".current img:visible").get_attribute("class") == "on-dark"
    page.keyboard.press("d")
    assert page.locator(".current img:visible").get_attribute("class") == "on-light"
    assert page.evaluate("() => document.fonts.check('20px STIX Two Math')")
    assert page.locator(".slide--equation math[display=block]").count() == page.locator(".slide--equation").count()


def test_on_paper_a_slide_is_a_page_with_everything_shown(opened):
    page = opened("momentum")
    paper = page.pdf(prefer_css_page_size=True, print_background=True)
    assert max(map(int, re.findall(rb"/Count (\d+)", paper))) == page.locator(".slide").count()
    page.emulate_media(media="print")
    assert page.locator(".step:visible").count() == page.locator(".step").count()
    assert not page.locator(".bar").is_visible()


def test_slides_and_sheets_shut_nobody_out(opened):
    page = opened("momentum")
    assert violations(page) == []
    page.keyboard.press("o")
    page.keyboard.press("d")
    assert violations(page) == []
    page.keyboard.press("?")
    assert page.locator("dialog").is_visible()
    page.keyboard.press("Escape")
    assert violations(opened("sheet")) == []
