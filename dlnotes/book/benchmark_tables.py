"""Makes the tables of the page on benchmarks from the file of results; no number there comes from anywhere else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dlnotes.book import benchmarks, elements


def tally(results: dict[str, benchmarks.Device]) -> elements.Element:
    """Say how many goals are reached, and which are not."""
    every = benchmarks.goals(results)
    missed = [goal for goal in every if not goal.reached]
    said = f"{len(every) - len(missed)} of {len(every)} goals are reached in the run shown here."
    block = elements.element("div", elements.element("p", said), class_="benchmarks__tally")
    if missed:
        block.append(elements.element("p", "Missed:"))
        items = (elements.element("li", f"{goal.row.title}: beside {goal.about}.") for goal in missed)
        block.append(elements.element("ul", *items))
    return block


def machine(device: benchmarks.Device) -> elements.Element:
    """Say what measured."""
    lines = device.machine or ["Not measured: no such device was at hand."]
    return elements.element("ul", *(elements.element("li", line) for line in lines), class_="benchmarks__machine")


def table(rows: list[benchmarks.Row]) -> elements.Element:
    """Build a table: a group of lines for each row, headed by its title, with a line for every peer."""
    heads = ("Beside", "Ratio", "Half of the rounds", "Goal")
    head = elements.element("tr", *(elements.element("th", name, scope="col") for name in heads))
    groups = (elements.element("tbody", *_lines(row)) for row in rows)
    whole = elements.element("table", elements.element("thead", head), *groups)
    return elements.element("div", whole, class_="benchmarks")


def _lines(row: benchmarks.Row) -> list[elements.Element]:
    """Build the lines of one row."""
    title = elements.element("th", row.title, scope="rowgroup", colspan="4")
    if row.measured is not None:
        own = f"dlnotes: {benchmarks.duration(row.measured['seconds'])}, {row.measured['rounds']} rounds, {row.clock}"
        title.append(elements.element("span", own, class_="benchmarks__note"))
    if row.note:
        title.append(elements.element("span", row.note, class_="benchmarks__note"))
    lines = [elements.element("tr", title), *(elements.element("tr", *parts) for parts in _cells(row))]
    if row.missed and any(not goal.reached for goal in _own(row)):
        why = elements.element("td", f"Why the goal is missed: {row.missed}", class_="benchmarks__missed", colspan="4")
        lines.append(elements.element("tr", why))
    return lines


def _own(row: benchmarks.Row) -> list[benchmarks.Goal]:
    return benchmarks.goals({"": benchmarks.Device([], [row])})


def _cells(row: benchmarks.Row) -> Iterator[tuple[elements.Element, ...]]:
    """Give the cells of each line, without the title."""
    measured = row.measured
    if measured is None:
        for name, goal in row.goals.items() or [("peers", None)]:
            yield _cell(_beside(name)), _cell("not measured"), _cell(""), _cell(_goal(goal, name == "copy"))
        return
    if measured["copy"] is not None:
        yield _line("a copy of the same bytes", measured["copy"], _goal_met(measured["copy"], least=True))
    for one in measured["peers"]:
        yield _line(f"{one['name']}, {benchmarks.duration(one['seconds'])}", one, _goal_met(one))
    for one in measured["facts"]:
        met = _goal_met({"median": one["value"], "goal": one["goal"]})
        yield _cell(one["name"]), _cell(f"{one['value']:.1e}"), _cell(""), _cell(met)
    for name, why in measured["absent"].items():
        yield _cell(name), _cell(why), _cell(""), _cell("")


def _beside(name: str) -> str:
    return "a copy of the same bytes" if name == "copy" else name


def _line(name: str, ratio: dict[str, Any], goal: str) -> tuple[elements.Element, ...]:
    low, high = benchmarks.digits(ratio["low"]), benchmarks.digits(ratio["high"])
    return _cell(name), _cell(benchmarks.digits(ratio["median"])), _cell(f"{low} to {high}"), _cell(goal)


def _cell(text: str) -> elements.Element:
    return elements.element("td", text)


def _goal(goal: float | None, least: bool = False) -> str:
    return "" if goal is None else f"at {'least' if least else 'most'} {benchmarks.digits(goal)}"


def _goal_met(one: dict[str, Any], least: bool = False) -> str:
    if one["goal"] is None:
        return ""
    reached = one["median"] >= one["goal"] if least else one["median"] <= one["goal"]
    return f"{_goal(one['goal'], least)}: {'reached' if reached else 'missed'}"
