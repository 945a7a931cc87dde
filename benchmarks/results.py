"""The one file of results: written after every row, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine, rows, timing
from dlnotes.book import benchmarks

FILE = Path(__file__).resolve().parent / "results.json"

Catalog = Mapping[str, Sequence[rows.Row]]


class Mixed(Exception):
    """Rows of another machine stand in the file."""


def read(path: Path, catalog: Catalog) -> dict[str, Any]:
    """Give what the file holds, with every row of the catalog as it is now described.

    Raises:
        benchmarks.ResultsError: If the file is something else.
    """
    if path.is_file():
        benchmarks.load(path)
    before = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    found = {}
    for device, own in catalog.items():
        kept = before.get(device, {"conditions": None, "machine": [], "rows": []})
        measured = {row["name"]: row["measured"] for row in kept["rows"]}
        found[device] = {**kept, "rows": [{**described(row), "measured": measured.get(row.name)} for row in own]}
    return found


def described(row: rows.Row) -> dict[str, Any]:
    """Write down what a row is."""
    said = {name: getattr(row, name) for name in ("name", "table", "title", "note", "missed", "clock")}
    return {**said, "goals": {name: significant(goal) for name, goal in row.goals.items()}}


def write(path: Path, found: dict[str, Any]) -> None:
    """Write the file whole, or leave the old one."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
    unfinished.replace(path)


def begin(path: Path, catalog: Catalog, device: str, conditions: dict[str, Any], kept: bool) -> dict[str, Any]:
    """Give the results to go on with: the rows of this device are kept, or begun anew.

    Raises:
        Mixed: If rows are to be kept that were measured under other conditions.
    """
    found = read(path, catalog)
    own = found[device]
    before, any_measured = own["conditions"], any(row["measured"] for row in own["rows"])
    if kept and any_measured and before != conditions:
        changed = [name for name in conditions if (before or {}).get(name) != conditions[name]]
        raise Mixed(
            f"{path.name} holds rows measured under other conditions ({', '.join(changed)}). "
            "Name no row to measure all anew, or name another file with --file"
        )
    own |= {"conditions": conditions, "machine": machine.lines(conditions)}
    if not kept:
        own["rows"] = [{**row, "measured": None} for row in own["rows"]]
    return found


def put(found: dict[str, Any], device: str, name: str, measured: dict[str, Any] | None) -> None:
    """Write what was measured into the place of its row; None where it is void."""
    next(row for row in found[device]["rows"] if row["name"] == name)["measured"] = measured


def record(
    row: rows.Row,
    case: rows.Case,
    differences: dict[str, float],
    taken: dict[str, list[float]],
    copy: list[float] | None = None,
) -> dict[str, Any]:
    """Write down what was measured of a row.

    Args:
        row: The row.
        case: What was measured.
        differences: How far each answer was from the reference.
        taken: Seconds of each contestant by round.
        copy: On a device, the bytes a second of a copy by round.
    """
    ours = taken[rows.OURS]
    share = None
    if copy is not None and case.traffic is not None:
        spread = timing.spread([case.traffic / second / speed for second, speed in zip(ours, copy, strict=True)])
        share = {**ratio(spread), "goal": row.goals.get("copy")}
    return {
        "rounds": len(ours),
        "seconds": significant(timing.spread(ours).median),
        "copy": share,
        "peers": [
            peer(name, row, case, differences[name], ours, taken[name])
            for name in case.contestants
            if name != rows.OURS
        ],
        "absent": dict(case.absent),
        "facts": [fact(one) for one in (case.facts() if case.facts else [])],
    }


def peer(
    name: str, row: rows.Row, case: rows.Case, difference: float, ours: list[float], theirs: list[float]
) -> dict[str, Any]:
    """Write down one peer."""
    return {
        "name": name,
        "seconds": significant(timing.spread(theirs).median),
        **ratio(timing.ratios(ours, theirs)),
        "goal": None if row.goals.get(name) is None else significant(row.goals[name]),
        "difference": significant(difference, 2),
        "tolerance": case.contestants[name].tolerance,
    }


def ratio(found: timing.Spread) -> dict[str, float]:
    """Write down a ratio with its quartiles."""
    return {name: significant(value) for name, value in found._asdict().items()}


def fact(one: rows.Fact) -> dict[str, Any]:
    """Write down a number beside the times."""
    return {"name": one.name, "value": significant(one.value, 2), "goal": one.goal}


def significant(value: float, digits: int = 4) -> float:
    """Round to some digits; more would be noise."""
    return float(f"{value:.{digits}g}")


def shown(name: str, measured: dict[str, Any]) -> list[str]:
    """Say in lines what was measured of a row."""
    lines = [f"{name}: {rows.OURS} {benchmarks.duration(measured['seconds'])}, {measured['rounds']} rounds"]
    if measured["copy"] is not None:
        share = measured["copy"]
        lines.append(f"    {share['median']:.3f} of the speed of a copy{_verdict(-share['median'], share['goal'], -1)}")
    for one in measured["peers"]:
        spread = f"{one['median']:.3g} ({one['low']:.3g} to {one['high']:.3g})"
        theirs = benchmarks.duration(one["seconds"])
        lines.append(f"    {spread} of {one['name']}, {theirs}{_verdict(one['median'], one['goal'])}")
    facts = [f"    {one['name']} {one['value']:.1e}{_verdict(one['value'], one['goal'])}" for one in measured["facts"]]
    return lines + facts + [f"    {name}: {why}" for name, why in measured["absent"].items()]


def _verdict(value: float, goal: float | None, sign: int = 1) -> str:
    if goal is None:
        return ""
    return f"; goal {goal:.3g} {'reached' if value <= sign * goal else 'MISSED'}"
