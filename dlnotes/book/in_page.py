"""What the page's own Python calls in the reader's browser: run a block, hand on what it prints, say what it raised.

It needs the standard library alone, so that it is there as soon as Python is.
"""

from __future__ import annotations

import contextlib
import io
import json
import linecache
import sys
import time
from collections.abc import Callable, Iterator

from dlnotes.book import execution

NAME = "your code"  # the file that a traceback names
MOST = 100_000  # characters of output that a page shows
PAUSE = 0.1  # seconds between two pieces of output that are handed on


class _Printed(io.TextIOBase):
    """A stream that hands on what is written, in pieces and whole lines where it can, up to a limit."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self.show = show
        self.left = MOST
        self.waiting: list[str] = []
        self.shown = time.monotonic() - PAUSE

    def writable(self) -> bool:
        """Say that this can be written to."""
        return True

    def write(self, text: str) -> int:
        """Take text; what is beyond the limit is dropped."""
        kept = text[: self.left]
        self.left -= len(kept)
        if kept:
            self.waiting.append(kept)
            if not self.left:
                self.waiting.append(f"\n... more than {MOST:,} characters; the rest is not shown\n")
            since = time.monotonic() - self.shown
            if since > 10 * PAUSE or (since > PAUSE and kept.endswith("\n")):
                self.flush()
        return len(text)

    def flush(self) -> None:
        """Hand on what is waiting."""
        if self.waiting:
            self.show("".join(self.waiting))
            self.waiting.clear()
            self.shown = time.monotonic()


@contextlib.contextmanager
def _streams(show: Callable[[str], None]) -> Iterator[None]:
    """Hand on what is written to stdout and stderr, in the order in which it comes."""
    out = _Printed(show)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            yield
        finally:
            out.flush()


@contextlib.contextmanager
def _as_it_was() -> Iterator[None]:
    """Undo what a block sets for all of NumPy, so that the next one starts as in a new file."""
    numpy = sys.modules.get("numpy")
    if numpy is None:
        yield
        return
    with numpy.errstate(), numpy.printoptions():
        yield


def run(code: str, show: Callable[[str], None]) -> str:
    """Run a block in a namespace of its own.

    Args:
        code: The block.
        show: Called with each piece of text that the block prints.

    Returns:
        JSON: `seconds`; `error`, the traceback or an empty string; `kind` and `message` of the error; `line`, the line
        of the block that led to it, or 0.
    """
    linecache.cache[NAME] = (len(code), None, code.splitlines(keepends=True), NAME)
    start = time.perf_counter()
    with _streams(show), _as_it_was():
        error = execution.execute(code, NAME, warned="default")
    seconds = time.perf_counter() - start
    if error is None:
        return json.dumps({"seconds": seconds, "error": "", "kind": "", "message": "", "line": 0})
    kind = "MemoryError" if isinstance(error, MemoryError) else type(error).__name__
    said = execution.explain(error, NAME)[-MOST:]
    return json.dumps(
        {"seconds": seconds, "error": said, "kind": kind, "message": _words(error), "line": line_of(error)}
    )


def _words(error: BaseException) -> str:
    """Give what an error says of itself; an error may fail at that."""
    try:
        return str(error)
    except Exception:
        return ""


def line_of(error: BaseException) -> int:
    """Give the last line of the block on the way to an error, or 0."""
    if isinstance(error, SyntaxError) and error.filename == NAME:
        return error.lineno or 0
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == NAME:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
