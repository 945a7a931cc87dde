"""How long and how heavy a chapter is on a telephone, and that its code and its lists can be used there."""

from __future__ import annotations

import pytest

from dlnotes.book import layout
from tests.site.conftest import NARROW, ROOT, click

BOOK = layout.Layout(ROOT)


def test_a_page_waits_for_one_style_sheet_and_no_script(visit):
    page = visit("chapters/gradient_checking/")
    waits = page.locator("link[rel=stylesheet], script[src]:not([defer], [async], [type=module])")
    assert waits.evaluate_all("all => all.map(e => e.getAttribute('href') || e.src)") == ["../../assets/css/all.css"]


def test_what_would_ask_each_block_for_its_size_is_not_started(visit):
    page = visit("chapters/gradient_checking/")
    assert page.locator("[data-md-component=search]").count() == 1  # by this the theme's script finds its parts
    assert page.locator("[data-md-component=content], [data-md-component=palette], [data-tabs]").count() == 0


def test_what_is_far_below_the_screen_is_not_set_and_on_paper_everything_is(visit):
    page = visit("chapters/gradient_checking/", NARROW)
    last = page.locator(".equation").last
    is_set = "e => e.querySelector('math').checkVisibility({contentVisibilityAuto: true})"
    assert not last.evaluate(is_set)
    last.scroll_into_view_if_needed()
    page.wait_for_timeout(200)
    assert last.evaluate(is_set)
    page.evaluate("scrollTo(0, 0)")
    page.emulate_media(media="print")
    formulas = page.locator("article math")
    unset = "all => all.filter(e => !e.checkVisibility({contentVisibilityAuto: true})).length"
    assert formulas.evaluate_all(unset) == 0


def test_a_long_block_of_code_is_cut_on_a_telephone_until_it_is_asked_for(visit):
    page = visit("chapters/gradient_checking/", NARROW)
    block = page.locator(".highlight[data-lines]:visible").first
    code = block.locator("code")
    block.scroll_into_view_if_needed()
    page.wait_for_timeout(200)  # what is far below the screen has not been set yet
    assert code.evaluate("e => e.scrollHeight > e.clientHeight + 50")
    click(block.locator(".whole"))
    assert code.evaluate("e => e.scrollHeight <= e.clientHeight + 1")
    wide = visit("chapters/gradient_checking/")
    assert wide.locator(".highlight[data-lines] .whole:visible").count() == 0


@pytest.mark.parametrize("name", ["eq-forward-bound", "flashcard-gradient-checking-step"])
def test_what_has_moved_to_another_page_of_the_chapter_is_found_there(visit, name):
    page = visit(f"chapters/gradient_checking/#{name}")
    page.wait_for_function("id => document.getElementById(id)", arg=name)
    assert page.url.endswith(f"#{name}")


def test_the_reference_is_one_entry_of_the_navigation_until_one_is_there(visit):
    entries = "nav.md-nav--primary > ul > li:last-child li:visible"
    assert visit("chapters/gradient_checking/").locator(entries).count() == 1
    assert visit("api/checks/").locator(entries).count() > 20


def test_the_bar_of_a_telephone_says_where_one_is_and_is_the_contents(visit):
    page = visit("chapters/gradient_checking/", NARROW)
    bar, where = page.locator(".place"), page.locator(".place__where")
    assert where.inner_text() == "8 sections"
    where.click()
    bar.get_by_text("The code", exact=True).click()
    page.wait_for_function("document.querySelector('.place__text').textContent === '4 of 8: The code'")
    assert not bar.evaluate("bar => bar.open")
    assert where.bounding_box()["y"] < 100
    heading = page.locator("#the-code").bounding_box()
    assert heading["y"] >= where.bounding_box()["y"] + where.bounding_box()["height"]


def test_code_wraps_on_a_telephone_and_is_copied_as_it_is_written(visit):
    page = visit("chapters/gradient_checking/", NARROW)
    blocks = page.locator(".md-content .highlight pre > code")
    wide = blocks.evaluate_all("all => all.filter(e => e.offsetParent && e.scrollWidth > e.clientWidth + 1).length")
    assert wide == 0
    narrow = blocks.evaluate_all("all => all.map(e => [e.innerText.trimEnd(), e.textContent.trimEnd()])")
    assert narrow
    assert all(copied == written for copied, written in narrow if copied)


def test_a_fold_opens_by_its_link(visit):
    page = visit("chapters/gradient_checking/practice/#flashcard-gradient-checking-step", NARROW)
    page.wait_for_function("document.getElementById('flashcard-gradient-checking-step').closest('details').open")


def test_the_pages_of_a_chapter_lead_to_each_other(visit):
    page = visit("chapters/gradient_checking/")
    for name in ("Derivation", "Evidence", "Exercises and cards", "Chapter"):
        click(page.locator(".parts").get_by_text(name, exact=True))
        page.wait_for_load_state()
        assert page.locator(".parts [aria-current=page]").inner_text() == name
        assert page.locator(".md-nav--primary .md-nav__item--active").last.inner_text().startswith("Gradient checking")
