"""How a command ends when nobody reads on, or somebody stops it: with an exit code, and without a word."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

# As a shell counts: 128 and the number of the signal.
INTERRUPTED, CLOSED_PIPE = 130, 141


def code_of(command: Callable[[], int]) -> int:
    """Run a command and give its exit code, or that of the way in which it was stopped.

    Args:
        command: Gives an exit code. What it prints may be read by a program that ends before it.

    Returns:
        The exit code; `CLOSED_PIPE` where what was printed could not be written any more, `INTERRUPTED` where a key
        stopped it.

    Source: the exit codes of POSIX shells.
    """
    try:
        try:
            return command()
        finally:
            sys.stdout.flush()  # what is left would else be written, and fail, when Python ends
    except BrokenPipeError:
        _write_no_more()
        return CLOSED_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED


def _write_no_more() -> None:
    """Send what is still to be written nowhere, because nobody reads it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())
