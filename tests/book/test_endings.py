"""How commands end: when nobody reads what they print, and when a key stops them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dlnotes.book import endings

ROOT = Path(__file__).resolve().parents[2]


def closed_pipe(*words: str) -> tuple[int, str]:
    """Run a command whose output nobody reads; give its exit code and what it says of that."""
    reading, writing = os.pipe()
    command = [sys.executable, "-m", *words]
    started = subprocess.Popen(command, cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    os.close(reading)
    _, said = started.communicate(timeout=100)
    return started.returncode, said


@pytest.mark.parametrize("words", [("benchmarks", "--list"), ("tests.mutation", "no.such.module")])
def test_a_pipe_that_is_closed_ends_every_command_without_a_word(words: tuple[str, ...]) -> None:
    if "benchmarks" in words:
        pytest.importorskip("torch")
    assert closed_pipe(*words) == (endings.CLOSED_PIPE, "")


def test_a_command_that_nobody_stops_keeps_its_code() -> None:
    assert endings.code_of(lambda: 3) == 3


def test_a_key_stops_a_command() -> None:
    def stopped() -> int:
        raise KeyboardInterrupt

    assert endings.code_of(stopped) == endings.INTERRUPTED
