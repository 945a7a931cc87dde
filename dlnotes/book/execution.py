"""Runs code as if it stood alone in a file of its own: the same for the press and for the page in a browser."""

from __future__ import annotations

import contextlib
import linecache
import sys
import traceback
import types
import warnings
from collections.abc import Iterator


def execute(code: str, name: str, line: int = 0, warned: str = "error") -> BaseException | None:
    """Run code that stands behind a line of the file `name`, and give what it raised.

    Args:
        code: What to run.
        name: The file that a traceback names.
        line: The number of lines that stand before the code there.
        warned: What becomes of a warning: `error`, or `default` to write it to stderr.
    """
    # Blank lines in front give every line of the block its number in the file, where a traceback looks it up.
    linecache.checkcache(name)
    module = types.ModuleType("__main__")
    try:
        with _as_main(module), warnings.catch_warnings():
            warnings.simplefilter(warned)
            # Under python -O too, a block's own assertions count.
            exec(compile("\n" * line + code, name, "exec", dont_inherit=True, optimize=0), module.__dict__)
    except (Exception, SystemExit) as error:
        return error
    return None


def explain(error: BaseException, name: str) -> str:
    """Write an error as its traceback, which begins at the code's own line in the file `name`."""
    cut = error.__traceback__
    while cut is not None and cut.tb_frame.f_code.co_filename != name:
        cut = cut.tb_next
    return "".join(traceback.format_exception(type(error), error, cut))


@contextlib.contextmanager
def _as_main(module: types.ModuleType) -> Iterator[None]:
    """Let the module be the program, for dataclasses and pickles that look their home up."""
    before = sys.modules["__main__"]
    sys.modules["__main__"] = module
    try:
        yield
    finally:
        sys.modules["__main__"] = before
