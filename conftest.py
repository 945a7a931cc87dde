"""What holds for the whole suite: pages are run block by block, and the gate skips nothing for want of a package.

pytest-codeblocks collects the blocks of the pages; here they are run by `dlnotes.book.blocks`, so that a failure is the
block's own exception, with the line of the page.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

# A grid of runs must equal the same runs one by one, bit for bit: that holds on one thread. NumPy reads it on import.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

pytest_plugins = ["pytester"]

# Tests that ask for one of these skip where it is missing, at home; the gate has them all.
NEEDED_BY_THE_GATE = (
    "anki",
    "axe_playwright_python",
    "beartype",
    "distributed",
    "genanki",
    "hypothesis",
    "ipykernel",
    "jaxtyping",
    "joblib",
    "mkdocs",
    "mpmath",
    "nbclient",
    "nbformat",
    "optuna",
    "playwright",
    "py_mini_racer",
    "pypdf",
    "pytest_codeblocks",
    "scipy",
    "sklearn",
    "threadpoolctl",
    "torch",
    "xdist",
    "yaml",
)


def _is_installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "cuda: needs a CUDA device; skipped where there is none")
    if hasattr(config.option, "codeblocks"):  # else the plugin is missing, and the pages are not tested
        config.option.codeblocks = True
    missing = [name for name in NEEDED_BY_THE_GATE if not _is_installed(name)]
    if missing and os.environ.get("CI"):
        raise pytest.UsageError(f"the gate must not skip for want of a package; missing: {', '.join(missing)}")


def pytest_report_header() -> list[str]:
    if not _is_installed("threadpoolctl"):
        return []
    from tests import arithmetic

    return [f"arithmetic: {arithmetic.current()}"]


def _has_cuda() -> bool:
    if not _is_installed("torch"):
        return False
    import torch

    return torch.cuda.is_available()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    marked = [item for item in items if item.get_closest_marker("cuda")]
    if marked and not _has_cuda():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


# What several tests share and is dear to make, and the longest tests, are handed out first.
FIRST = ("the built site", "tests/test_blocks.py", "tests/test_sabotage.py")


def shared(nodeid: str) -> str:
    """Name what a test shares with others, so that one process runs them all: a file, the built site, a figure."""
    file, _, test = nodeid.partition("::")
    if file.startswith("tests/site/"):
        return "the built site"
    figure = re.search(r"\[(\w+/[a-z0-9-]+?)(?:-(?:wide|narrow)-(?:light|dark))?\]$", test)
    if file == "tests/test_figures.py" and figure:
        return figure[1]
    return file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log):
    """Under `-n` hand the tests out by what they share; without pytest-xdist nobody asks."""
    from xdist.scheduler import LoadScopeScheduling

    class ByWhatTheyShare(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return shared(nodeid)

        def _assign_work_unit(self, node) -> None:
            early = next((name for name in FIRST if name in self.workqueue), None)
            if early:
                self.workqueue.move_to_end(early, last=False)
            super()._assign_work_unit(node)

    return ByWhatTheyShare(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Iterator[None]:
    collectors = yield
    if file_path.suffix != ".md" or not collectors:
        return collectors
    return [PageFile.from_parent(parent, path=file_path)]


class PageFile(pytest.File):
    """A page, whose blocks are found by pytest-codeblocks."""

    def collect(self) -> Iterator[pytest.Item]:
        import pytest_codeblocks

        from dlnotes.book import blocks, pages

        kinds = ("python", "bash", "sh")
        read = [fence for fence in pages.read(self.path).fences if fence.info in kinds]
        found = [block for block in pytest_codeblocks.extract_from_file(self.path) if block.syntax in kinds]
        ours, theirs = (
            [(f.line, f.code, f.expected) for f in read],
            [(f.lineno, f.code, f.expected_output) for f in found],
        )
        if ours != theirs:
            lines = ", ".join(str(line) for line, *_ in sorted(set(ours) ^ set(theirs), key=str))
            raise self.CollectError(f"{self.path}: pytest-codeblocks and the press read other blocks, in lines {lines}")
        marks = {
            blocks.STARTER: pytest.mark.xfail(strict=True, raises=AssertionError),
            blocks.CUDA: pytest.mark.cuda,
            blocks.NEEDS_TORCH: None,
            blocks.NEEDS_OPTUNA: None,
        }
        for fence in read:
            refused = [mark for mark in fence.marks if mark not in marks]
            if fence.info != "python" or refused:
                why = f"no such mark: {refused[0]}" if refused else "commands for the reader are `console` blocks"
                raise self.CollectError(f"{self.path}:{fence.line}: {why}")
            item = Block.from_parent(self, name=f"line {fence.line}", fence=fence)
            for mark in filter(None, map(marks.get, fence.marks)):
                item.add_marker(mark)
            yield item


class Block(pytest.Item):
    """One block of a page."""

    def __init__(self, *, fence, **kwargs):
        super().__init__(**kwargs)
        self.fence = fence

    def runtest(self) -> None:
        from dlnotes.book import blocks

        reason = blocks.reason_to_skip(self.fence)
        if reason:
            pytest.skip(reason)
        with _shape_checks_off():
            result = blocks.run(self.fence, self.path)
            backend = "torch" if blocks.uses_torch(self.fence.code) else "numpy"
            seconds, again = result.seconds, backend == "numpy" and result.error is None
            # A busy machine makes a block slower and never faster, so the least of three runs is the block's own time.
            while again and seconds > blocks.BLOCK_BUDGET and again < 3:
                seconds, again = min(seconds, blocks.run(self.fence, self.path).seconds), again + 1
        self.user_properties.append(("block", (_chapter(self.path), backend, seconds)))
        if result.error is not None:
            raise result.error
        limit = blocks.SLACK * blocks.BLOCK_BUDGET
        if backend == "numpy" and seconds > limit:
            raise TooSlow(f"{seconds:.1f} s; its budget is {blocks.BLOCK_BUDGET} s, and {limit} s the limit")

    def repr_failure(self, excinfo: pytest.ExceptionInfo) -> str:
        from dlnotes.book import blocks

        return blocks.explain(excinfo.value, self.path)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self.fence.line - 1, f"{self.path.stem}, block of line {self.fence.line}"


def _chapter(page: Path) -> str:
    """Give the word of the chapter to which a page belongs; any other page goes by its own name."""
    return page.parent.name if page.parent.parent.name == "chapters" else page.stem


class TooSlow(Exception):
    """A block took several times its budget."""


@contextlib.contextmanager
def _shape_checks_off() -> Iterator[None]:
    """A reader has no shape checks, and they would be counted in the block's time."""
    config = sys.modules["jaxtyping"].config if "jaxtyping" in sys.modules else None
    before = config.jaxtyping_disable if config else False
    if config:
        config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        if config:
            config.update("jaxtyping_disable", before)


def _times(terminalreporter) -> dict[str, dict[str, float]]:
    """Add up the seconds of the blocks: chapter -> backend -> seconds."""
    times: dict[str, dict[str, float]] = defaultdict(lambda: {"numpy": 0.0, "torch": 0.0, "slowest": 0.0})
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == "block" and report.when == "call":
                    chapter, backend, seconds = value
                    times[chapter][backend] += seconds
                    if backend == "numpy":
                        times[chapter]["slowest"] = max(times[chapter]["slowest"], seconds)
    return times


def _too_slow(times: dict[str, dict[str, float]]) -> list[str]:
    from dlnotes.book import blocks

    return [stem for stem, taken in times.items() if taken["numpy"] > blocks.SLACK * blocks.CHAPTER_BUDGET]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    times = _times(reporter) if reporter else {}
    if times and _too_slow(times) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter) -> None:
    times = _times(terminalreporter)
    if not times:
        return
    from dlnotes.book import blocks

    terminalreporter.section("processor seconds of the blocks, by page")
    terminalreporter.line(
        f"{'':32}  NumPy (budget {blocks.CHAPTER_BUDGET:g})  slowest ({blocks.BLOCK_BUDGET:g})  torch"
    )
    for stem, taken in times.items():
        terminalreporter.line(f"{stem:32}  {taken['numpy']:16.2f}  {taken['slowest']:13.2f}  {taken['torch']:5.2f}")
    for stem in _too_slow(times):
        terminalreporter.line(f"FAILED: the blocks of {stem} take over {blocks.SLACK} times their budget", red=True)
