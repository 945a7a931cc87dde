"""Runs the Python blocks of a page, each as if it stood alone in a file of its own.

A block fails with its own exception, whose traceback names the page and the line in it. What a block prints is
compared with what the page shows beneath it. Warnings are errors, because a reader would meet them too.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib.util
import io
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from dlnotes.book import execution, pages

STARTER = "pytest.mark.xfail(strict=True, raises=AssertionError)"
CUDA = "pytest.mark.cuda"
NEEDS_TORCH = "pytest-codeblocks:importorskip(torch)"
NEEDS_OPTUNA = "pytest-codeblocks:importorskip(optuna)"
_TORCH = re.compile(r"^\s*(?:import|from)\s+(?:torch|dlnotes\.torch|optuna)\b", re.MULTILINE)

# Seconds that a block, and the blocks of a chapter together, may take where NumPy alone computes; in a browser they
# take 8 to 70 times as long. A slow machine is no defect of a page, so only SLACK times as much is refused. A busy one
# is none either, so seconds are those of the processor, on one thread.
BLOCK_BUDGET = 0.5
CHAPTER_BUDGET = 2.0
SLACK = 5


class OutputDiffers(Exception):
    """A block printed something else than its page shows."""


class Result(NamedTuple):
    """One run of a block: seconds of the processor; `error` is what it raised, or `OutputDiffers`, or None."""

    printed: str
    seconds: float
    error: BaseException | None


def uses_torch(code: str) -> bool:
    """Say whether a block computes with torch or searches by Optuna, and so stands outside the budget of time."""
    return bool(_TORCH.search(code))


def run(block: pages.Fence, page: Path) -> Result:
    """Run one block of the page, and compare what it prints with what the page shows."""
    start = time.process_time()
    printed, error = _execute(block.code, block.line, page)
    seconds = time.process_time() - start
    if error is None and block.expected is not None and printed != block.expected:
        error = OutputDiffers(difference(block, printed, page))
    return Result(printed, seconds, error)


def difference(block: pages.Fence, printed: str, page: Path) -> str:
    """Set what the page shows against what was printed, line by line."""
    expected, given = block.expected.splitlines(keepends=True), printed.splitlines(keepends=True)
    equal = next((i for i, (a, b) in enumerate(zip(expected, given, strict=False)) if a != b), None)
    first = min(len(expected), len(given)) if equal is None else equal
    shown = "".join(line.rstrip("\n") + "\n" for line in difflib.ndiff(expected, given) if not line.startswith("?"))
    at = block.expected_line + 1 + first
    return f"{_short(page)}:{at}: the block of line {block.line} prints something else (- the page, + printed)\n{shown}"


def explain(error: BaseException, page: Path) -> str:
    """Write an error as a reader would see it who ran the block: the traceback begins at the page's own line."""
    if isinstance(error, OutputDiffers):
        return str(error)
    text = execution.explain(error, str(page))
    return text.replace(f'"{page}"', f'"{_short(page)}"')


def _short(page: Path) -> str:
    here = Path.cwd()
    return page.relative_to(here).as_posix() if page.is_relative_to(here) else str(page)


def _execute(code: str, line: int, page: Path) -> tuple[str, BaseException | None]:
    """Run code that stands behind the given line of the page; give what it printed and what it raised."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        error = execution.execute(code, str(page), line)
    return printed.getvalue(), error


def reason_to_skip(block: pages.Fence) -> str | None:
    """Say why a block cannot run on this machine, or None."""
    if NEEDS_OPTUNA in block.marks:
        return "optuna is not installed" if importlib.util.find_spec("optuna") is None else None
    if not {NEEDS_TORCH, CUDA}.intersection(block.marks):
        return None
    if importlib.util.find_spec("torch") is None:
        return "torch is not installed"
    if CUDA in block.marks:
        import torch

        if not torch.cuda.is_available():
            return "needs a CUDA device"
    return None


def verdict(block: pages.Fence, result: Result) -> BaseException | None:
    """Give the error that counts: a starter of an exercise must fail, with its checker's AssertionError."""
    if STARTER not in block.marks:
        return result.error
    if result.error is None:
        return AssertionError("the starter passes, so there is nothing left to solve")
    return None if isinstance(result.error, AssertionError) else result.error


def run_page(page: Path, say: Callable[[str], None] = print) -> int:
    """Run every block of a page, say how each went, and give the number of those that failed."""
    page = page.resolve()
    failed = done = 0
    for block in pages.read(page).blocks:
        where = f"{_short(page)}:{block.line}"
        skipped = reason_to_skip(block)
        if skipped:
            say(f"{where}: left out, {skipped}")
            continue
        done += 1
        result = run(block, page)
        error = verdict(block, result)
        if error is None:
            note = ", a starter, fails as it should" if STARTER in block.marks else ""
            say(f"{where}: passes in {result.seconds:.2f} s of processor time{note}")
            continue
        failed += 1
        say(f"{where}: FAILS\n{explain(error, page)}")
    say(f"{_short(page)}: {done - failed} of {done} blocks pass")
    return failed
