"""`python -m tests.site.first_run`: how long a reader waits for a block, the first time and again.

The built site is served from this machine. Each first Run has a browser of its own, so that nothing is cached. Again
means: Python is there, and the time that the block itself takes is not counted. What is measured goes to the page on
benchmarks.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import machine
from dlnotes.book import layout, page_times
from tests.site.conftest import BROWSERS, ROOT
from tests.site.lighthouse import served

PAGE = "chapters/initialization/"
BLOCK = ".highlight.runs:has(.run__button)"
ENDED = "e => e.dataset.state && e.dataset.state !== 'busy'"
# Runs the block once more and gives what passed besides its own time, in seconds.
AGAIN = """async code => {
    const python = await import(new URL('../../assets/js/python.js', location));
    const begin = performance.now();
    const report = await python.run(code).promise;
    return (performance.now() - begin) / 1000 - report.seconds;
}"""
TIMEOUT = 120_000  # milliseconds


def measure(playwright, address: str, again: int) -> tuple[float, list[float], str]:
    """Give the seconds of a first Run, those of later ones over the block's own time, and the browser's version."""
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    with playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"]) as browser:
        page = browser.new_page()
        page.set_default_timeout(TIMEOUT)
        page.goto(address + PAGE)
        page.wait_for_load_state("networkidle")
        block = page.locator(BLOCK).first
        button = block.locator(".run").get_by_text("Run", exact=True)
        button.scroll_into_view_if_needed()
        page.wait_for_timeout(500)
        begin = time.perf_counter()
        button.click()
        output = block.locator("xpath=following-sibling::*[1]")
        page.wait_for_function(ENDED, arg=output.element_handle(), polling="raf")
        first = time.perf_counter() - begin
        said = output.locator(".output__state").inner_text()
        if not said.startswith("As on the page"):
            raise SystemExit(f"the block did not print what its page shows: {said}")
        code = block.locator("code").text_content()
        later = [page.evaluate(AGAIN, code) for _ in range(again)]
        return first, later, browser.version


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write the file; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.site.first_run", description=__doc__)
    parser.add_argument("--site", type=Path, default=ROOT / "site", help="folder of the built site (default site)")
    parser.add_argument("--runs", type=int, default=5, help="how many browsers are started (default 5)")
    parser.add_argument("--file", type=Path, default=layout.Layout(ROOT).page_times, help="where the times are written")
    options = parser.parse_args(arguments)
    from playwright.sync_api import sync_playwright

    first, again = [], []
    with served(options.site) as address, sync_playwright() as playwright:
        for _ in range(options.runs):
            one, later, version = measure(playwright, address, again=5)
            first.append(one)
            again.append(statistics.median(later))
            print(f"first Run {one:.2f} s, again {1000 * again[-1]:.1f} ms over the block's own time", flush=True)
    found = {
        "machine": [f"{machine.processor()}, {os.cpu_count()} cores", f"Chromium {version}"],
        "first": [round(one, 3) for one in first],
        "again": [round(one, 5) for one in again],
    }
    options.file.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    missed = [goal for goal in page_times.goals(page_times.load(options.file)) if not goal.reached]
    print("\n".join(f"Missed: {goal.name}" for goal in missed) or "Every goal is reached.")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
