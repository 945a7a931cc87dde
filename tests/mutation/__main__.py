"""`python -m tests.mutation`: breaks 600 places of the kernels, one at a time, and counts what the tests notice."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from pathlib import Path

import yaml
from tqdm import tqdm

from dlnotes.book import endings
from tests.mutation import mutants, run

ROOT = Path(__file__).resolve().parents[2]
LEAST_KILLED = 0.9
EXPLAINED = Path(__file__).with_name("explained.yaml")


def explanations(path: Path = EXPLAINED) -> dict[str, str]:
    """Why a mutant is not caught, by its name."""
    entries = yaml.safe_load(path.read_text()) or []
    return {entry["mutant"]: entry["why"] for entry in entries}


def report(verdicts: dict[str, str], why: dict[str, str]) -> tuple[str, bool]:
    """The summary, and whether enough mutants were caught and each survivor is explained."""
    counts = Counter(verdicts.values())
    share = counts[run.KILLED] / len(verdicts)
    lines = [
        f"{len(verdicts)} mutants: {counts[run.KILLED]} killed ({share:.1%}), "
        f"{counts[run.TIMED_OUT]} timed out (not counted as killed), {counts[run.SURVIVED]} survived"
    ]
    open_ones = [name for name, verdict in verdicts.items() if verdict != run.KILLED and name not in why]
    for name, verdict in sorted(verdicts.items()):
        if verdict != run.KILLED:
            lines.append(f"{verdict}: {name}\n    {why.get(name, 'NOT EXPLAINED')}")
    if open_ones:
        lines.append(
            f"{len(open_ones)} without an explanation: give each a test, or say in {EXPLAINED.name} why none can see it"
        )
    if share < LEAST_KILLED:
        lines.append(f"fewer than {LEAST_KILLED:.0%} were killed")
    return "\n".join(lines), not open_ones and share >= LEAST_KILLED


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", help="only these, for example dlnotes.numpy.objective")
    parser.add_argument("--size", type=int, default=600, help="how many mutants (default 600)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the sample (default 0)")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes at once (default: all cores)")
    options = parser.parse_args()
    # One gate run must equal the next: hypothesis tries the same examples each time, and one thread adds in one order.
    # What only the checks of shapes would catch counts as a survivor.
    os.environ.update(CI="1", DLNOTES_UNCHECKED="1", OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    os.chdir(ROOT)
    found = [
        mutant for module, path in mutants.kernels(ROOT).items() for mutant in mutants.mutants(path.read_text(), module)
    ]
    chosen = mutants.sample(found, options.size, options.seed)
    if options.modules:
        chosen = [mutant for mutant in chosen if mutant.module in options.modules]
    if not chosen:
        print(f"no mutant in {', '.join(options.modules)}: name modules as dlnotes.numpy.objective")
        return 2
    verdicts = {}
    store = ROOT / ".cache" / "mutation" / "verdicts.jsonl"
    with tqdm(total=len(chosen), unit=" mutants") as bar:
        for mutant, verdict in run.judge_all(ROOT, chosen, store, options.workers):
            verdicts[mutant.name] = verdict
            if verdict != run.KILLED:
                bar.write(
                    f"{verdict}: {mutant.module.replace('.', '/')}.py:{mutant.line}: {mutant.before} -> {mutant.after}"
                )
            bar.update()
    summary, passed = report(verdicts, explanations())
    print(summary)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(endings.code_of(main))
