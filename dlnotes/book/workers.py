"""Processes that work for this one, each on one thread, and end when it ends: finished, interrupted or killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import connection
from typing import Any

# One thread a process: with more the last digits of a product may depend on how the work was shared out.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@contextmanager
def pool(processes: int) -> Iterator[Callable[..., Future[Any]]]:
    """Give the function that hands a call to one of the processes; what has not ended on leaving is ended."""
    context = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    executor = ProcessPoolExecutor(processes, mp_context=context, initializer=_follow_the_parent)

    def submit(function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        with _environment(ONE_THREAD):  # a process may be started for this call
            return executor.submit(function, *arguments)

    try:
        yield submit
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()


def _follow_the_parent() -> None:
    """End on an interrupt without a word, and with the parent, which may be killed before it can stop anybody."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with, args=(multiprocessing.parent_process(),), daemon=True).start()


def _end_with(parent: Any) -> None:
    """Wait for the end of a process; its sentinel is a pipe or a handle that the system closes with it."""
    connection.wait([parent.sentinel])
    os._exit(1)


@contextmanager
def _environment(settings: dict[str, str]) -> Iterator[None]:
    """Set variables for the processes that are started inside."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
