"""`python -m tests.site.lighthouse`: what Lighthouse says of home, the claims and the heaviest chapter on a telephone.

The built site is served from this machine as a host would serve it: compressed, with connections that are kept. npx
fetches Lighthouse in the version named here. Its telephone is a slow one: 150 ms to the server, 1.6 megabits a second,
a quarter of this machine's speed. Other programs that run meanwhile lower the performance, so each page is measured
several times and the medians count.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import gzip
import http.server
import io
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from dlnotes.book import layout
from tests.site.conftest import BROWSERS, ROOT

VERSION = "12.8.2"
GOALS = {"performance": 95, "accessibility": 100, "best-practices": 100, "seo": 100}
TIMES = {
    "first-contentful-paint": "first paint",
    "largest-contentful-paint": "largest paint",
    "speed-index": "speed index",
    "total-blocking-time": "blocked",
}
COMPRESSED = (".html", ".css", ".js", ".json", ".svg", ".xml")
TIMEOUT = 180


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves files as a host of static pages does."""

    protocol_version = "HTTP/1.1"
    extensions_map: ClassVar = {**http.server.SimpleHTTPRequestHandler.extensions_map, ".woff2": "font/woff2"}

    def send_head(self) -> Any:
        """Compress what is text."""
        path = Path(self.translate_path(self.path))
        if path.is_dir() and self.path.partition("?")[0].endswith("/"):
            path /= "index.html"
        if not path.is_file() or path.suffix not in COMPRESSED:
            return super().send_head()
        body = _compressed(path, path.stat().st_mtime_ns)
        self.send_response(http.HTTPStatus.OK)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        return io.BytesIO(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@functools.cache
def _compressed(path: Path, changed: int) -> bytes:
    return gzip.compress(path.read_bytes(), 6)


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder and give its address."""
    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def heaviest(site: Path, stems: Sequence[str]) -> str:
    """Give the address of the chapter whose main page has the most elements."""
    paths = [f"chapters/{stem}/" for stem in stems]
    return max(paths, key=lambda path: len(re.findall(r"<[a-z]", (site / path / "index.html").read_text("utf-8"))))


def look(address: str) -> dict[str, Any]:
    """Let Lighthouse look at a page once and give its report."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        subprocess.run(
            [
                *("npx", "--yes", f"lighthouse@{VERSION}", address, "--quiet", "--output=json"),
                *(f"--output-path={report}", f"--only-categories={','.join(GOALS)}"),
                "--chrome-flags=--headless=new --no-sandbox --disable-gpu",
            ],
            check=True,
            timeout=TIMEOUT,
            env={**os.environ, **({"CHROME_PATH": browser} if browser else {})},
        )
        return json.loads(report.read_text("utf-8"))


def scores(reports: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Give the median of each score, from 0 to 100; what could not be judged counts as 0."""
    return {
        name: statistics.median(round(100 * (report["categories"][name]["score"] or 0)) for report in reports)
        for name in GOALS
    }


def below(found: dict[str, float]) -> list[str]:
    """Name the scores that miss their goal."""
    return [f"{name} {found[name]:g}, goal {goal}" for name, goal in GOALS.items() if found[name] < goal]


def faults(reports: Sequence[dict[str, Any]]) -> list[str]:
    """Name the checks besides those of speed that failed."""
    found = {
        part["id"]: report["audits"][part["id"]]["title"]
        for report in reports
        for name in GOALS
        if name != "performance"
        for part in report["categories"][name]["auditRefs"]
        if part["weight"] and report["audits"][part["id"]]["score"] == 0
    }
    return [f"{name}: {title}" for name, title in found.items()]


def line(path: str, reports: Sequence[dict[str, Any]]) -> str:
    """Write what was found of a page."""
    found = scores(reports)
    each = [f"{100 * report['categories']['performance']['score']:.0f}" for report in reports]
    times = ", ".join(
        f"{word} {statistics.median(report['audits'][name]['numericValue'] for report in reports) / 1000:.2f} s"
        for name, word in TIMES.items()
    )
    numbers = " / ".join(f"{value:g}" for value in found.values())
    return f"{path or 'home'}: {numbers}   (performance {', '.join(each)}; {times})"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the pages; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.site.lighthouse", description=__doc__)
    parser.add_argument("pages", nargs="*", help="addresses below the site's, as chapters/objective/")
    parser.add_argument("--site", type=Path, default=ROOT / "site", help="folder of the built site (default site)")
    parser.add_argument("--runs", type=int, default=3, help="how often each page is measured (default 3)")
    options = parser.parse_args(arguments)
    pages = options.pages or ["", "claims/", heaviest(options.site, layout.Layout(ROOT).stems)]
    missed = []
    print(f"Lighthouse {VERSION}: {' / '.join(GOALS)}, medians of {options.runs}; goals {list(GOALS.values())}")
    with served(options.site) as address:
        for path in pages:
            reports = [look(address + path) for _ in range(options.runs)]
            print(line(path, reports), flush=True)
            for said in faults(reports):
                print(f"    {said}")
            missed += [f"{path or 'home'}: {said}" for said in below(scores(reports))]
    throttling = reports[-1]["configSettings"]["throttling"]
    speed = statistics.median(report["environment"]["benchmarkIndex"] for report in reports)
    print(
        f"Slowed down: processor {throttling['cpuSlowdownMultiplier']} times, {throttling['rttMs']} ms, "
        f"{throttling['throughputKbps']:.0f} kbit/s. Speed of this machine by Lighthouse's own measure: {speed:.0f}"
    )
    print("\n".join(["Missed:", *missed]) if missed else "Every goal is reached.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
