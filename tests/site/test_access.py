"""Nothing that axe finds, and what axe cannot find: names of regions, focus that is seen."""

from __future__ import annotations

import json

import pytest

from tests.site.conftest import WIDE
from tests.site.test_reading import CHAPTER

AXE = pytest.importorskip("axe_playwright_python.base").AXE_FILE_PATH.read_text("utf-8")
# Half of axe's time goes into reading the same few colors again for each element: each is read once.
READ_ONCE = """() => {
    const color = axe.commons.color.Color.prototype, read = color.parseString, known = new Map();
    color.parseString = function (text) {
        if (!known.has(text)) {
            read.call(this, text);
            known.set(text, [this.r, this.g, this.b, this.alpha]);
        }
        [this.r, this.g, this.b, this.alpha] = known.get(text);
        return this;
    };
}
"""
# A formula is one thing to readers' tools; looking at its thousands of parts takes minutes.
PLACE = {"exclude": [["math"]]}
RULES = {
    "preload": False,
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}


def violations(page, only: tuple[str, ...] = (), **rules: bool) -> list[str]:
    """Give what axe finds: the rule, and where. `only` names the rules asked; `rules` turns one off, `_` for `-`."""
    # The page's own policy forbids scripts from elsewhere; this one enters by the debugger, which it does not bind.
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
        page.evaluate(READ_ONCE)
    switches = {name.replace("_", "-"): {"enabled": on} for name, on in rules.items()}
    asked = RULES | {"rules": switches} | ({"runOnly": {"type": "rule", "values": only}} if only else {})
    found = page.evaluate(f"axe.run({json.dumps(PLACE)}, {json.dumps(asked)})")
    return [
        f"{rule['id']}: {node['target']} {node['html'][:120]}"
        for rule in found["violations"]
        for node in rule["nodes"][:3]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_what_opens(visit, scheme):
    page = visit(CHAPTER, WIDE, scheme)
    page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
    page.locator("[data-md-component=search-query]").click()
    page.keyboard.type("leaky", delay=20)
    page.locator(".md-search-result__link").first.wait_for()
    # What a list that scrolls cuts at its edge counts as a small target.
    assert not violations(page, target_size=False)


@pytest.mark.parametrize("only", [(), ("color-contrast", "link-in-text-block")])
def test_axe_would_find_something(visit, only):
    page = visit("")
    page.evaluate("document.querySelector('.claim__words').style.color = '#ccc'")
    assert any(found.startswith("color-contrast") for found in violations(page, only))


@pytest.mark.parametrize("path", ["", CHAPTER, "api/network/"])
def test_the_keyboard_comes_to_the_text_before_the_navigation(visit, path):
    page = visit(path)
    stops = 0
    while not page.evaluate("!!document.activeElement.closest('article')"):
        page.keyboard.press("Tab")
        stops += 1
        assert stops <= 6
    places = (".md-sidebar--primary", "article", ".md-sidebar--secondary")
    left, text, right = (page.locator(place).bounding_box() for place in places)
    assert left["x"] + left["width"] <= text["x"] + 1
    assert text["x"] + text["width"] <= right["x"] + 1


def test_the_first_tab_leads_past_the_frame_and_focus_is_seen(visit):
    page = visit(CHAPTER)
    page.keyboard.press("Tab")
    assert "md-skip" in page.evaluate("document.activeElement.className")
    link = page.locator(".md-content a.reference").first
    link.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    outline = link.evaluate("e => [getComputedStyle(e).outlineStyle, parseFloat(getComputedStyle(e).outlineWidth)]")
    assert outline[0] == "solid"
    assert outline[1] >= 2
