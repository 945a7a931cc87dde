"""A reader who blocks cookies blocks the storage too: everything works, and nothing is kept."""

from __future__ import annotations

import pytest

from tests.site.conftest import click

# With cookies blocked Chromium and Firefox throw this as soon as the name is read.
BLOCKED = """
for (const name of ["localStorage", "sessionStorage", "indexedDB"])
  Object.defineProperty(window, name, {get() { throw new DOMException("The operation is insecure.", "SecurityError") }})
"""


@pytest.fixture
def blocked(visit):
    """Open a page in a browser that gives no storage."""

    def open_page(path: str, **settings):
        page = visit(path, **settings)
        page.context.add_init_script(BLOCKED)
        page.reload()
        page.wait_for_load_state("networkidle")
        assert page.evaluate("(() => { try { return !localStorage } catch { return true } })()")
        return page

    return open_page


def test_without_storage_search_finds(blocked):
    page = blocked("")
    page.locator("[data-md-component=search-query]").click()
    page.keyboard.type("he initialization")
    results = page.locator(".md-search-result__link")
    results.first.wait_for()
    assert results.count() > 0


def test_without_storage_code_can_be_copied(blocked):
    page = blocked("", permissions=["clipboard-read", "clipboard-write"])
    block = page.locator(".claim--showcase .highlight").first
    click(block.locator(".md-code__button"))
    page.wait_for_function("async () => (await navigator.clipboard.readText()).length > 0")
    assert page.evaluate("navigator.clipboard.readText()").strip() in block.locator("code").text_content()


def test_without_storage_the_palette_changes_and_is_forgotten(blocked):
    page = blocked("")
    scheme = page.locator("body").get_attribute("data-md-color-scheme")
    seen = set()
    for _ in range(3):
        page.locator("label.md-header__button[title]:visible").first.click()
        seen.add(page.locator("body").get_attribute("data-md-color-scheme"))
    assert len(seen) == 2
    page.reload()
    page.wait_for_load_state("networkidle")
    assert page.locator("body").get_attribute("data-md-color-scheme") == scheme


def test_what_stands_damaged_in_the_storage_is_passed_over(visit):
    page = visit("")
    page.evaluate("localStorage.setItem('/.__palette', '{'); localStorage.setItem('/.__tabs', '[')")
    page.reload()
    page.wait_for_load_state("networkidle")
    page.locator("[data-md-component=search-query]").click()
    page.keyboard.type("dropout")
    page.locator(".md-search-result__link").first.wait_for()
