"""Whether every slide holds what it shows, at 1280 by 720 pixels: `python -m tests.site.slides [FOLDER]`, a minute.

The test of the slides looks at three chapters in the same way; this looks at all.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from pathlib import Path

from dlnotes.book import course, layout
from tests.site.conftest import BROWSERS

SMALLEST_PICTURE, SMALLEST_TEXT = 300, 16.5  # pixels at 1280 by 720
VIEW = {"width": 1280, "height": 720}

FAULTS = """([picture, text]) => {
    const found = [];
    const deck = document.documentElement.classList;
    for (const slide of document.querySelectorAll('.slide')) {
        const say = what => found.push(`${slide.id}: ${what}`);
        for (const other of document.querySelectorAll('.current')) other.classList.remove('current');
        slide.classList.add('current');
        const edge = slide.getBoundingClientRect();
        const foot = slide.querySelector('.foot').getBoundingClientRect().top;
        const content = slide.querySelector('.content');
        const over = content.scrollHeight - content.clientHeight;
        if (over > 1) say(`${over} px too tall`);
        for (const part of slide.querySelectorAll('.content *')) {
            if (part.closest('.figure__place--narrow') || !part.checkVisibility()) continue;
            const box = part.getBoundingClientRect();
            if (!box.width) continue;
            if (box.right > edge.right - 20 || box.left < edge.left) say(`${part.tagName} is too wide`);
            if (box.bottom > foot + 1) say(`${part.tagName} is below the slide`);
            const own = [...part.childNodes].some(node => node.nodeType === 3 && node.data.trim());
            if (own && part.checkVisibility() && !part.closest('sub, sup, math') ) {
                const size = parseFloat(getComputedStyle(part).fontSize) * (parseFloat(content.style.zoom) || 1);
                if (size < text) say(`text of ${size.toFixed(1)} px`);
            }
        }
        for (const math of slide.querySelectorAll('math')) {
            const size = parseFloat(getComputedStyle(math).fontSize) * (parseFloat(content.style.zoom) || 1);
            if (size < text) say(`a formula of ${size.toFixed(1)} px`);
        }
        for (const image of slide.querySelectorAll('img')) {
            if (!image.checkVisibility()) continue;
            if (!image.naturalWidth) say('the picture does not load');
            const box = image.getBoundingClientRect();
            const shown = Math.min(box.height, box.width * image.naturalHeight / image.naturalWidth);
            if (shown < picture) say(`a picture of ${shown.toFixed(0)} px`);
        }
    }
    return [...new Set(found)];
}"""


def open_deck(browser, path: Path, scheme: str = "light", complaints: list[str] | None = None):
    """Open a file from disk, and of slides wait for the first; complain of what else it asks for, or of errors."""
    context = browser.new_context(viewport=VIEW, color_scheme=scheme)
    page = context.new_page()
    if complaints is not None:
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith("data:") or request.url.split("#")[0] == path.as_uri()
                else complaints.append(request.url)
            ),
        )
    page.goto(path.as_uri())
    page.locator("html[data-ready], main:not(:has(.slide))").first.wait_for(state="attached")
    return page


def faults(page) -> list[str]:
    """Say of each slide what does not fit, or is too small to be read from the last row."""
    return page.evaluate(FAULTS, [SMALLEST_PICTURE, SMALLEST_TEXT])


def main(folder: Path) -> int:
    """Look at the slides of every chapter."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        program = next(filter(None, map(shutil.which, BROWSERS)), None)
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        bad = 0
        for path in sorted(folder.glob("*.slides.html")):
            page = open_deck(browser, path)
            for fault in faults(page):
                print(f"{path.name}: {fault}")
                bad += 1
            page.context.close()
        browser.close()
    print(f"{bad} faults")
    return min(bad, 1)


if __name__ == "__main__":
    with contextlib.ExitStack() as stack:
        if len(sys.argv) > 1:
            target = Path(sys.argv[1]).resolve()
        else:
            target = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            course.write(layout.find(), target)
        sys.exit(main(target))
