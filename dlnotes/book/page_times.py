"""How long a reader waits for a block that runs in the page: reads what `python -m tests.site.first_run` wrote."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any, NamedTuple

from dlnotes.book import benchmarks, elements

COMMAND = "python -m tests.site.first_run"
WHY = (
    "two thirds of it is Python itself, before a line of the book: ten megabytes are compiled, then its own library, "
    "which comes as source"
)


class Times(NamedTuple):
    """What measured, and seconds by browser: of a first Run, and of a block again over its own time."""

    machine: list[str]
    first: list[float]
    again: list[float]


class Goal(NamedTuple):
    """A wait, the most it may be, in seconds, and what to say where it is longer."""

    name: str
    seconds: list[float]
    most: float
    missed: str = ""

    @property
    def median(self) -> float:
        """The median over the browsers."""
        return statistics.median(self.seconds)

    @property
    def reached(self) -> bool:
        """Whether it is short enough."""
        return self.median <= self.most


def load(path: Path) -> Times:
    """Read the file.

    Raises:
        ResultsError: If it is missing or is not what the command writes.
    """
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise benchmarks.ResultsError(f"there is no {path.name}: {COMMAND} writes it") from None
    except json.JSONDecodeError as error:
        raise benchmarks.ResultsError(f"{path.name}:{error.lineno}: {error.msg}") from None
    if not _sound(found):
        raise benchmarks.ResultsError(f"{path.name} is not what {COMMAND} writes")
    return Times(**found)


def _sound(found: Any) -> bool:
    kinds = {"machine": str, "first": float, "again": float}
    return (
        isinstance(found, dict)
        and set(found) == set(kinds)
        and all(isinstance(found[name], list) and found[name] for name in kinds)
        and all(isinstance(one, kind) for name, kind in kinds.items() for one in found[name])
    )


def goals(times: Times) -> list[Goal]:
    """Name both waits."""
    return [
        Goal("The first Run of a visit, from an empty cache", times.first, 4.0, WHY),
        Goal("Each later Run, over the block's own time", times.again, 0.05),
    ]


def table(times: Times) -> elements.Element:
    """Build the table of both."""
    heads = ("Wait", "Median", "From, to", "Goal")
    head = elements.element("tr", *(elements.element("th", name, scope="col") for name in heads))
    lines = [line for goal in goals(times) for line in _lines(goal)]
    body = elements.element("tbody", *lines)
    machine = elements.element(
        "p", f"{len(times.first)} browsers, each with an empty cache. {'; '.join(times.machine)}."
    )
    whole = elements.element("table", elements.element("thead", head), body)
    return elements.element("div", machine, elements.element("div", whole, class_="benchmarks"))


def _lines(goal: Goal) -> list[elements.Element]:
    ends = f"{benchmarks.duration(min(goal.seconds))}, {benchmarks.duration(max(goal.seconds))}"
    verdict = f"at most {benchmarks.duration(goal.most)}: {'reached' if goal.reached else 'missed'}"
    cells = (goal.name, benchmarks.duration(goal.median), ends, verdict)
    lines = [elements.element("tr", *(elements.element("td", words) for words in cells))]
    if goal.missed and not goal.reached:
        why = elements.element(
            "td", f"Why the goal is missed: {goal.missed}.", class_="benchmarks__missed", colspan="4"
        )
        lines.append(elements.element("tr", why))
    return lines
