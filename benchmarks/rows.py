"""What a benchmark is: a row of a table, whose contestants must first give the same answer."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

OURS = "dlnotes"


class Disagreement(Exception):
    """Two contestants computed different things, so that their times say nothing."""


class Timed(NamedTuple):
    """A contestant.

    Attributes:
        run: What is timed.
        answer: Gives what must agree with the others; by default what `run` gives. It is not timed.
        parts: How many units of work one call does, so that times are those of one unit. A peer too slow for the whole
            of the work does a part of it, and this is the share.
        tolerance: The largest relative difference that is rounding.
        gives_seconds: Whether `run` measures itself and returns its seconds.
    """

    run: Callable[[], Any]
    answer: Callable[[], Any] | None = None
    parts: float = 1.0
    tolerance: float = 1e-4
    gives_seconds: bool = False


class Fact(NamedTuple):
    """A number beside the times, as the error that was reached; `goal` is the most that it should be."""

    name: str
    value: float
    goal: float | None = None


class Case(NamedTuple):
    """A row made ready to be measured.

    Attributes:
        contestants: Ours under `OURS`, and the peers.
        reference: What all answers are compared with; None is our answer.
        facts: Gives numbers beside the times, after these were taken.
        traffic: Bytes that have to be moved at least; for a device, whose copy is the measure.
        absent: The peers that could not be measured, and why.
    """

    contestants: Mapping[str, Timed]
    reference: Any = None
    facts: Callable[[], list[Fact]] | None = None
    traffic: float | None = None
    absent: Mapping[str, str] = {}


class Row(NamedTuple):
    """A row of a table.

    Attributes:
        name: By which the command selects it.
        table: The table in which it stands.
        title: What is computed, with all sizes.
        prepare: Makes the case, of the sizes that the title says unless others are given.
        goals: For a peer, the most that ours may take of its time; for "copy", the least share of a copy's speed.
        tiny: Sizes for a test of the answers.
        note: What a reader must know to read the numbers.
        missed: Why a goal is missed, or what clarity costs; shown where one is.
        clock: What is measured.
    """

    name: str
    table: str
    title: str
    prepare: Callable[..., Case]
    goals: Mapping[str, float] = {}
    tiny: Mapping[str, Any] = {}
    note: str = ""
    missed: str = ""
    clock: str = "processor time"


def is_installed(package: str) -> bool:
    """Say whether a package can be imported."""
    return importlib.util.find_spec(package) is not None


def difference(answer: Any, reference: Any) -> float:
    """Give the largest difference of two arrays, relative to the largest number of the reference.

    A tuple is compared part by part, so that large numbers in one do not hide small ones in another.
    """
    if isinstance(reference, tuple):
        return max(difference(one, other) for one, other in zip(answer, reference, strict=True))
    answer, reference = (np.asarray(value, dtype=np.float64) for value in (answer, reference))
    if answer.shape != reference.shape:
        return float("inf")
    if not answer.size:
        return 0.0
    return float(np.abs(answer - reference).max() / max(np.abs(reference).max(), np.finfo(np.float64).tiny))


def check(case: Case) -> dict[str, float]:
    """Compare the answers of all contestants, and give how far each is from the reference.

    Raises:
        Disagreement: If one is further away than its tolerance, or not a number.
    """
    answers = {name: (timed.answer or timed.run)() for name, timed in case.contestants.items()}
    reference = answers[OURS] if case.reference is None else case.reference
    differences = {name: difference(answer, reference) for name, answer in answers.items()}
    for name, found in differences.items():
        tolerance = case.contestants[name].tolerance
        if not found <= tolerance:  # so that what is not a number is refused too
            raise Disagreement(f"{name} differs by {found:.2g}, and {tolerance:g} is the most that rounding explains")
    return differences
