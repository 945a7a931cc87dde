"""Reads the file of benchmark results, which `python -m benchmarks` writes.

It names every row for each device, also those that were not measured. Nothing is imported here, because the command
reads its own file by this.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

DEVICES = {"cpu": "processor", "cuda": "GPU"}
NUMBER = (int, float)

# What a record holds: the kind of each field. None among the kinds says that nothing may stand there.
_ROW = {"name": str, "table": str, "title": str, "note": str, "missed": str, "clock": str, "goals": dict}
_MEASURED = {"rounds": int, "seconds": NUMBER, "peers": list, "absent": dict, "facts": list, "copy": (dict, type(None))}
_RATIO = {"median": NUMBER, "low": NUMBER, "high": NUMBER, "goal": (*NUMBER, type(None))}
_PEER = {"name": str, "seconds": NUMBER, **_RATIO, "difference": NUMBER, "tolerance": NUMBER}
_FACT = {"name": str, "value": NUMBER, "goal": (*NUMBER, type(None))}


class ResultsError(Exception):
    """The file of results is missing or is not what the command writes."""


class Row(NamedTuple):
    """A row, and what was measured of it, or None."""

    name: str
    table: str
    title: str
    note: str
    missed: str
    clock: str
    goals: dict[str, float]
    measured: dict[str, Any] | None


class Device(NamedTuple):
    """The lines that describe the machine, none where nothing was measured, and the rows."""

    machine: list[str]
    rows: list[Row]


def load(path: Path) -> dict[str, Device]:
    """Read the results of each device.

    Raises:
        ResultsError: If the file is not what the command writes; the message says where.
    """
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ResultsError(f"there is no {path.name}: python -m benchmarks writes it") from None
    except json.JSONDecodeError as error:
        raise ResultsError(f"{path.name}:{error.lineno}: {error.msg}") from None
    _fields("the file", found, dict.fromkeys(DEVICES, dict))
    return {name: _device(name, found[name]) for name in DEVICES}


def _device(name: str, found: dict[str, Any]) -> Device:
    _fields(name, found, {"machine": list, "rows": list}, others=("conditions",))
    return Device(found["machine"], [_row(name, one) for one in found["rows"]])


def _row(device: str, found: Any) -> Row:
    _fields(f"a row of {device}", found, _ROW, others=("measured",))
    place, measured = f"{device} {found['name']}", found.get("measured")
    if measured is not None:
        _fields(place, measured, _MEASURED)
        for one in measured["peers"]:
            _fields(f"a peer of {place}", one, _PEER)
        for one in measured["facts"]:
            _fields(f"a fact of {place}", one, _FACT)
        if measured["copy"] is not None:
            _fields(f"the copy of {place}", measured["copy"], _RATIO)
    return Row(**{name: found[name] for name in _ROW}, measured=measured)


def _fields(place: str, found: Any, kinds: dict[str, Any], others: tuple[str, ...] = ()) -> None:
    """Refuse a record that lacks a field, has one too many, or has one of another kind."""
    if not isinstance(found, dict) or not set(kinds) <= set(found) <= set(kinds) | set(others):
        raise ResultsError(f"{place} must have the fields {', '.join(kinds)}")
    for name, kind in kinds.items():
        if not isinstance(found[name], kind) or isinstance(found[name], bool):
            raise ResultsError(f"{place}: {name} is of the wrong kind: {found[name]!r}")


def tables(results: dict[str, Device]) -> list[str]:
    """Name the tables."""
    return list(dict.fromkeys(row.table for device in results.values() for row in device.rows))


class Goal(NamedTuple):
    """A goal of a row: the peer or fact that it is about, and whether it is reached."""

    row: Row
    about: str
    reached: bool


def goals(results: dict[str, Device]) -> list[Goal]:
    """List the goals of all rows that were measured."""
    found = []
    for device in results.values():
        for row in device.rows:
            if row.measured is None:
                continue
            ends = [(one["name"], one["median"], one["goal"], 1) for one in row.measured["peers"]]
            ends += [(one["name"], one["value"], one["goal"], 1) for one in row.measured["facts"]]
            if row.measured["copy"] is not None:
                ends.append(("copy", row.measured["copy"]["median"], row.measured["copy"]["goal"], -1))
            found += [
                Goal(row, name, sign * value <= sign * goal) for name, value, goal, sign in ends if goal is not None
            ]
    return found


def digits(value: float) -> str:
    """Write a ratio with two digits, or three where it is above one; tiny bounds as powers of ten."""
    if 0 < value < 1e-3:
        return f"{value:.0e}".replace("e-0", "e-")
    return f"{value:.2g}" if value < 1 else f"{value:.3g}"


def duration(seconds: float) -> str:
    """Write a time in the unit that suits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
