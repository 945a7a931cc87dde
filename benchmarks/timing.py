"""Paired and interleaved timings: in each round every contestant runs once, in an order drawn anew.

What a machine does besides falls on all contestants of a round alike, so the ratio is taken round by round.
"""

from __future__ import annotations

import contextlib
import gc
import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from benchmarks import rows

Clock = Callable[[], float]
Stopwatch = Callable[[Callable[[], None]], float]

SHORTEST = 0.02  # seconds that one measurement takes at least, so that the clock's own grain does not count
MOST_CALLS = 20_000
LEAST_ROUNDS = 3


class Spread(NamedTuple):
    """The middle of some numbers, and the quartiles between which half of them lie."""

    median: float
    low: float
    high: float


def spread(values: list[float]) -> Spread:
    """Give the median and the quartiles."""
    low, median, high = np.percentile(values, [25, 50, 75])
    return Spread(float(median), float(low), float(high))


def ratios(ours: list[float], peer: list[float]) -> Spread:
    """Give the spread of ours / peer, taken round by round."""
    return spread([one / other for one, other in zip(ours, peer, strict=True)])


def by_clock(clock: Clock) -> Stopwatch:
    """Give a stopwatch that reads a clock before and after."""

    def seconds(work: Callable[[], None]) -> float:
        begun = clock()
        work()
        return clock() - begun

    return seconds


def by_events(cuda: Any) -> Stopwatch:
    """Give a stopwatch that lets a CUDA device mark its own time; `cuda` is `torch.cuda`."""

    def seconds(work: Callable[[], None]) -> float:
        begun, ended = cuda.Event(enable_timing=True), cuda.Event(enable_timing=True)
        cuda.synchronize()
        begun.record()
        work()
        ended.record()
        cuda.synchronize()
        return begun.elapsed_time(ended) / 1000

    return seconds


def once(timed: rows.Timed, calls: int, stopwatch: Stopwatch) -> float:
    """Give the seconds of one unit of work, over some calls."""
    if timed.gives_seconds:
        return sum(timed.run() for _ in range(calls)) / calls / timed.parts

    def work() -> None:
        for _ in range(calls):
            timed.run()

    return stopwatch(work) / calls / timed.parts


def calls_for(timed: rows.Timed, stopwatch: Stopwatch) -> int:
    """Warm up, and find how many calls fill one measurement."""
    timed.run()
    seconds = once(timed, 1, stopwatch) * timed.parts
    return max(1, min(MOST_CALLS, math.ceil(SHORTEST / seconds))) if seconds > 0 else MOST_CALLS


def measure(
    contestants: Mapping[str, rows.Timed],
    *,
    rounds: int,
    seconds: float = math.inf,
    seed: int = 0,
    stopwatch: Stopwatch | None = None,
    watch: Clock = time.monotonic,
) -> dict[str, list[float]]:
    """Time all contestants, and give the seconds of one unit of work for each round.

    Args:
        contestants: By name.
        rounds: How many rounds at most.
        seconds: After so many seconds on the watch no round begins, once there are `LEAST_ROUNDS`.
        seed: For the order within the rounds.
        stopwatch: What measures; processor time by default.
        watch: What the reader waits.

    Returns:
        As many numbers for each contestant as there were rounds.
    """
    stopwatch = stopwatch or by_clock(time.process_time)
    orders = np.random.default_rng(seed)
    calls = {name: calls_for(timed, stopwatch) for name, timed in contestants.items()}
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    names, begun = list(contestants), watch()
    with _garbage_kept_out():
        for number in range(rounds):
            if number >= min(LEAST_ROUNDS, rounds) and watch() - begun > seconds:
                break
            for index in orders.permutation(len(names)):
                gc.collect()
                taken[names[index]].append(once(contestants[names[index]], calls[names[index]], stopwatch))
    return taken


@contextlib.contextmanager
def _garbage_kept_out() -> Iterator[None]:
    """Keep Python from looking for garbage while something is timed, and what is there already out of every search."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()
