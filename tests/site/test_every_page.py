"""What holds on every page. Each is opened once and looked at in all its forms: opening takes longest."""

from __future__ import annotations

import pytest

from dlnotes.book import blocks, layout, pages
from tests.site.conftest import NARROW, ROOT, WIDE, has_python
from tests.site.test_access import violations

BOOK = layout.Layout(ROOT)
NAMES = sorted(BOOK.nav)
TALLEST = 25_000  # pixels of a main page on a telephone, folds closed
ELEMENTS = 5_000


@pytest.mark.parametrize("name", NAMES)
def test_a_page_fits_every_screen_shuts_nobody_out_and_has_its_buttons(visit, name):
    page = visit(name.removesuffix("index.md").replace(".md", "/"))
    page.evaluate(SETTLED)
    faults = [f"light: {fault}" for fault in violations(page)]
    faults += buttons(page, name)
    for width in (WIDE, 768, NARROW, 360, 320):
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate(SETTLED)
        faults += [f"{width} px: {fault}" for fault in unfit(page, width)]
        if width == NARROW:
            # The colors are those of the wide form, and this rule is slow.
            faults += [f"{width} px: {fault}" for fault in violations(page, color_contrast=False)]
    page.set_viewport_size({"width": WIDE, "height": 900})
    page.add_style_tag(content="* { transition: none !important }")  # else colors are met halfway
    page.emulate_media(color_scheme="dark")
    page.locator("body[data-md-color-scheme=slate]").wait_for()
    page.evaluate(SETTLED)
    # Of what axe looks for, the theme changes the colors alone.
    faults += [f"dark: {fault}" for fault in violations(page, only=("color-contrast", "link-in-text-block"))]
    faults += too_long(page, name)
    assert not faults


# The page is set anew, its fonts have come, and colors have ended changing.
SETTLED = """async () => {
    for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
    await document.fonts.ready;
    await Promise.allSettled(document.getAnimations().map(each => each.finished));
}"""


def unfit(page, width: int) -> list[str]:
    """Say what is wider than the screen; below 360 pixels a formula may be cut, and then scrolls."""
    found = [] if page.evaluate("document.documentElement.scrollWidth") <= width else ["the page scrolls sideways"]
    return found + too_wide(page) + (cut_off(page) if width >= 360 else [])


def cut_off(page) -> list[str]:
    """Give the formulas and outputs whose end is only seen by scrolling: one may take the beginning for the whole."""
    return page.evaluate(
        """() => [...document.querySelectorAll('.equation__formula, .output pre > code')]
            .filter(e => e.scrollWidth > e.clientWidth + 1)
            .map(e => e.textContent.slice(0, 60))"""
    )


def too_wide(page) -> list[str]:
    """Give what reaches beyond the screen and lies in nothing that scrolls or cuts."""
    return page.evaluate(
        """() => [...document.querySelectorAll('.md-content *')].filter(e => {
            if (getComputedStyle(e).position === 'absolute') return false;
            if (e.getBoundingClientRect().right <= innerWidth + 1) return false;
            for (let p = e.parentElement; p !== document.body; p = p.parentElement)
              if (['auto', 'scroll', 'hidden', 'clip'].includes(getComputedStyle(p).overflowX)) return false;
            return true;
        }).map(e => e.className || e.tagName)"""
    )


def buttons(page, name: str) -> list[str]:
    """Say where the number of blocks with their buttons is not that of the source."""
    source = pages.read(BOOK.docs / name)
    if not source.blocks or not has_python():
        return []
    torch = [block for block in source.blocks if blocks.uses_torch(block.code)]
    again = len(source.named("claim-showcase"))
    found = page.locator(".run:has(.run__button)").count(), page.locator(".run__needs").count()
    wanted = len(source.blocks) - len(torch) + again, len(torch)
    return [] if found == wanted else [f"{found} blocks run and need PyTorch, and the source has {wanted}"]


def too_long(page, name: str) -> list[str]:
    """Say where the main page of a chapter is too long or too heavy for a telephone."""
    if not BOOK.stem(name):
        return []
    page.set_viewport_size({"width": NARROW, "height": 844})
    page.add_style_tag(content="* { content-visibility: visible !important }")  # else its lengths are estimates
    height = page.evaluate("document.documentElement.scrollHeight")
    elements = page.evaluate("document.querySelectorAll('*').length")
    return [
        f"{number} {what}, {most} at most"
        for number, what, most in ((height, "pixels", TALLEST), (elements, "elements", ELEMENTS))
        if number > most
    ]


def test_what_does_not_fit_is_found(visit):
    page = visit("")
    page.evaluate(SETTLED)
    assert not unfit(page, WIDE)
    page.evaluate("document.querySelector('.md-content article > p').style.minWidth = '2000px'")
    assert unfit(page, WIDE)
