"""The command: `python -m benchmarks [ROW ...] [--rounds N] [--resume]`."""

from __future__ import annotations

import argparse
import fnmatch
import os
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import machine
from dlnotes.book import endings

if TYPE_CHECKING:
    from benchmarks import rows as row_types


def parser() -> argparse.ArgumentParser:
    """Describe the command."""
    made = argparse.ArgumentParser(prog="python -m benchmarks", description="Time the kernels beside their peers.")
    made.add_argument(
        "rows", nargs="*", metavar="ROW", help="a row, or a pattern as 'top-five-*'; all when none is named"
    )
    made.add_argument(
        "--rounds", type=int, default=15, metavar="N", help="rounds at most, each with every contestant once"
    )
    made.add_argument("--seconds", type=float, default=10.0, help="after which no further round of a row begins")
    made.add_argument("--seed", type=int, default=0, help="of the order within the rounds")
    made.add_argument("--resume", action="store_true", help="measure only rows that the file does not hold")
    made.add_argument("--file", type=Path, help="of results, instead of benchmarks/results.json")
    made.add_argument("--list", action="store_true", help="name the rows and measure nothing")
    return made


def chosen(names: Sequence[str], known: Sequence[row_types.Row]) -> list[row_types.Row]:
    """Give the rows that are named.

    Raises:
        SystemExit: If a name fits none.
    """
    for name in names:
        if not fnmatch.filter([row.name for row in known], name):
            raise SystemExit(f"benchmarks: there is no row {name}; --list names them")
    return [row for row in known if not names or any(fnmatch.fnmatch(row.name, name) for name in names)]


def main(words: Sequence[str] | None = None) -> int:
    """Measure, and give the exit code: 1 if a row is void, 2 if nothing can be measured."""
    return endings.code_of(lambda: _measured(words))


def _measured(words: Sequence[str] | None) -> int:
    arguments = parser().parse_args(words)
    for name in machine.THREADS:
        os.environ[name] = "1"  # before NumPy and torch are imported, which happens below
    try:
        return _run(arguments)
    except ModuleNotFoundError as error:
        print(f'benchmarks: {error.name} is missing: pip install -e ".[bench]"', file=sys.stderr)
    except machine.Unfit as error:
        print(f"benchmarks: {error}", file=sys.stderr)
    return 2


def _run(arguments: argparse.Namespace) -> int:
    from benchmarks import catalog, results
    from dlnotes.book import benchmarks

    devices = catalog.devices()
    known = [row for device in devices for row in catalog.ROWS[device]]
    wanted = chosen(arguments.rows, known)
    if arguments.list:
        print("\n".join(f"{row.name:24} {row.title}" for row in wanted))
        return 0
    machine.one_thread()
    code = 0
    for device in devices:
        own = [row for row in catalog.ROWS[device] if row in wanted]
        try:
            code = max(code, _measure(own, device, arguments)) if own else code
        except (results.Mixed, benchmarks.ResultsError) as error:
            print(f"benchmarks: {error}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("\nstopped; what is done is kept, and --resume goes on", file=sys.stderr)
            return endings.INTERRUPTED
    return code


def _measure(wanted: list[row_types.Row], device: str, arguments: argparse.Namespace) -> int:
    """Measure rows one after the other, and write each down as it is done."""
    from benchmarks import catalog, results

    path, conditions = arguments.file or results.FILE, machine.conditions(device)
    print("\n".join(machine.lines(conditions)), flush=True)
    kept = bool(arguments.rows) or arguments.resume
    found = results.begin(path, catalog.ROWS, device, conditions, kept)
    done = {row["name"] for row in found[device]["rows"] if row["measured"]} if arguments.resume else set()
    left = [row for row in wanted if row.name not in done]
    void = 0
    for number, row in enumerate(left, 1):
        print(f"\n[{number} of {len(left)}] {row.title}", flush=True)
        begun = time.monotonic()
        measured = _attempt(row, device, arguments)
        results.put(found, device, row.name, measured)
        results.write(path, found)
        if measured is None:
            void += 1
            continue
        took = f"    [{time.monotonic() - begun:.0f} s]"
        print("\n".join(results.shown(row.name, measured)), took, sep="\n", flush=True)
    return 1 if void else 0


def _attempt(row: row_types.Row, device: str, arguments: argparse.Namespace) -> dict[str, Any] | None:
    """Measure one row; a void one, or one that fails, is told and does not stop the others."""
    from benchmarks import catalog, rows

    try:
        return catalog.measure(row, device, arguments.rounds, arguments.seconds, arguments.seed)
    except rows.Disagreement as error:
        print(f"{row.name} is void: {error}", file=sys.stderr)
    except Exception:
        traceback.print_exc()
        print(f"{row.name} could not be measured", file=sys.stderr)
    return None


if __name__ == "__main__":
    sys.exit(main())
