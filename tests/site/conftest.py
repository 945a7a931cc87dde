"""The built site in a real browser: built once, served on this machine, and watched while it is used."""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

pytest.importorskip("playwright")
pytest.importorskip("mkdocs")

from dlnotes.book import runtime

ROOT = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDE, NARROW = 1440, 390
HEIGHTS = {WIDE: 900, NARROW: 844}
# A first run of the figures takes a minute; later ones find them drawn.
TIMEOUT = 900
ADDRESSES = ("SITE_URL", "REPOSITORY_URL")


@functools.cache
def has_python() -> bool:
    """Say whether the pages get their Python; at home it may be out of reach, in the gate it must be there."""
    if not runtime.wanted():
        return False
    try:
        runtime.fetched()
    except runtime.RuntimeMissing:
        if os.environ.get("CI"):
            raise
        return False
    return True


def command(*words: str, **environment: str) -> None:
    """Run a command of the press, without addresses unless they are given."""
    settings = {name: value for name, value in os.environ.items() if name not in ADDRESSES} | environment
    settings["NO_MKDOCS_2_WARNING"] = "1"
    settings["RUN"] = environment.get("RUN", "1" if has_python() else "0")
    called = [sys.executable, "-m", *words]
    done = subprocess.run(called, cwd=ROOT, env=settings, capture_output=True, text=True, timeout=TIMEOUT)
    assert done.returncode == 0, f"{' '.join(words[:2])} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"


def build(folder: Path, **environment: str) -> Path:
    """Build the site as `python -m dlnotes site` does once the figures are drawn, into a folder."""
    command("mkdocs", "build", "--strict", "--site-dir", str(folder), **environment)
    return folder


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """Give the folder of the site, built without addresses: in the gate the one that `make site` then finds ready."""
    if not os.environ.get("CI") or any(map(os.environ.get, ADDRESSES)):
        command("dlnotes", "figures")
        return build(tmp_path_factory.mktemp("site"))
    command("dlnotes", "site")
    return ROOT / "site"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def address(site):
    """Serve the site and give its address."""
    handler = functools.partial(_Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


# Three frames in which an element stands where it stood.
_AT_REST = """async element => {
    for (let last, still = 0; still < 3; ) {
        await new Promise(requestAnimationFrame);
        const { top } = element.getBoundingClientRect();
        still = top === last ? still + 1 : 0;
        last = top;
    }
}"""


def click(locator) -> None:
    """Click where an element has come to rest: what is above it gets its height only when it comes near the window."""
    locator.scroll_into_view_if_needed()
    locator.evaluate(_AT_REST)
    locator.click()


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args, browser_type):
    """Use the system's Chromium or Chrome where there is one, else the one that playwright has installed."""
    quiet = ("background-networking", "component-update", "sync", "gpu")
    settings = {
        **browser_type_launch_args,
        "args": ["--no-sandbox", "--no-first-run", *(f"--disable-{x}" for x in quiet)],
    }
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not (path or Path(browser_type.executable_path).exists() or os.environ.get("CI")):
        pytest.skip("needs Chromium or Chrome")
    return {**settings, "executable_path": path} if path else settings


SECONDS = 120_000  # milliseconds that Python in a page may take at most, on a busy machine


@contextlib.contextmanager
def page_of_many_tests(browser, address: str, path: str):
    """Give one page whose worker serves all tests of a module; other hosts are out of reach, the console is silent."""
    context, complaints = browser.new_context(viewport={"width": WIDE, "height": 900}), []
    context.route("**/*", lambda route: route.continue_() if address in route.request.url else route.abort())
    page = context.new_page()
    page.set_default_timeout(SECONDS)
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(request.url))
    page.goto(address + path)
    yield page
    context.close()
    assert not complaints


@pytest.fixture
def visit(browser, address):
    """Open pages; at the end nothing may have been asked of another host, and the console must be silent."""
    contexts, foreign, complaints = [], [], []

    def failed(request):
        if request.failure != "net::ERR_ABORTED":  # the page was left before it had come
            complaints.append(f"failed: {request.url}")

    def watch(page):
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", failed)

    def open_page(path: str = "", width: int = WIDE, scheme: str = "light", **settings):
        viewport = {"width": width, "height": HEIGHTS.get(width, 900)}
        context = browser.new_context(viewport=viewport, color_scheme=scheme, **settings)
        contexts.append(context)

        def guard(route):
            if route.request.url.startswith((address, "data:", "blob:")):
                route.continue_()
            else:
                foreign.append(route.request.url)
                route.abort()

        context.route("**/*", guard)
        page = context.new_page()
        watch(page)
        page.goto(address + path)
        page.wait_for_load_state("networkidle")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not foreign
    assert not complaints
