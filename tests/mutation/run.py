"""Runs the tests of a module against each mutant of it, in a process of its own."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib
import importlib.machinery
import json
import math
import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.mutation.mutants import Mutant

KILLED, SURVIVED, TIMED_OUT = "killed", "survived", "timed out"
_LEAST_LIMIT = 60  # seconds of processor time; a mutant has ten times what the tests take without it, and at least this
_WAITS = 3600  # seconds that a mutant may take of the clock, which a busy machine makes long and a lock endless
_MEMORY = 12 << 30  # bytes a mutant may ask for, so that a size gone wrong harms nobody else
_PASSED, _FAILED, _COLLECTION_FAILED, _NO_TESTS = 0, 1, 2, 5  # what pytest returns
_TOOL_FAILED = 99


def own_tests(root: Path, stem: str) -> list[str]:
    """What pytest runs first: the tests of the stem alone."""
    return [f"tests/test_{stem}.py"] if (root / f"tests/test_{stem}.py").exists() else []


def shared_tests(stem: str) -> list[str]:
    """The agreement of both backends, bad input and difficult input, for this stem."""
    return ["tests/test_parity.py", "tests/test_bad_input.py", "tests/test_kinds.py", "-k", stem]


def dependents(root: Path, stem: str) -> list[str]:
    """Stems whose kernels, or whose tests, import those of this stem."""
    others = [path.stem for path in sorted((root / "dlnotes/numpy").glob("*.py")) if path.stem != stem]
    tested = [other for other in others if own_tests(root, other)]
    files = {other: (root / f"dlnotes/numpy/{other}.py", root / own_tests(root, other)[0]) for other in tested}
    return [other for other in tested if any(stem in _imported(path) for path in files[other])]


def _imported(path: Path) -> set[str]:
    return {
        alias.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module in {"dlnotes", "dlnotes.numpy", "dlnotes.torch"}
        for alias in node.names
    }


def preload() -> None:
    """Imports what no mutant changes, so that each process forked from this one has it already."""
    for name in ("numpy", "torch", "scipy.stats", "sklearn", "hypothesis", "jaxtyping", "beartype", "mpmath", "pytest"):
        importlib.import_module(name)


def _serve_mutated(module: str, source: str) -> None:
    """Makes the import of a module read the mutated source, and never a stored compilation of the true one."""
    loader = importlib.machinery.SourceFileLoader
    ending = module.replace(".", os.sep) + ".py"
    get_data, path_stats = loader.get_data, loader.path_stats
    sys.dont_write_bytecode = True

    def mutated_data(self, path):
        return source.encode() if str(path).endswith(ending) else get_data(self, path)

    def mutated_stats(self, path):
        if str(path).endswith(ending):
            return {"mtime": 0, "size": len(source.encode())}
        return path_stats(self, path)

    loader.get_data, loader.path_stats = mutated_data, mutated_stats


def _run_tests(module: str, source: str, arguments: list[str], limit: int, log: Path) -> None:
    """In the child: leaves with what pytest returns, or by a signal when it has had its processor time."""
    import pytest

    code = _TOOL_FAILED
    try:
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        with open(log, "w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        _serve_mutated(module, source)
        # Plugins that were imported before the fork are of no concern to the mutant.
        quiet = [
            "-q",
            "-x",
            "-rf",
            "--tb=line",
            "-p",
            "no:cacheprovider",
            "-W",
            "ignore::pytest.PytestAssertRewriteWarning",
        ]
        code = int(pytest.main([*quiet, "--hypothesis-profile=unshrunk", *arguments]))
    finally:
        os._exit(code)


def outcome(module: str, source: str, arguments: list[str], limit: int, log: Path, waits: float = _WAITS) -> str:
    """Runs the tests in a fork with this source in place of the module's own."""
    process = multiprocessing.get_context("fork").Process(
        target=_run_tests, args=(module, source, arguments, limit, log)
    )
    process.start()
    process.join(waits)
    if process.is_alive():
        process.kill()
        process.join()
        return TIMED_OUT
    if process.exitcode in (-signal.SIGXCPU, -signal.SIGKILL):
        return TIMED_OUT
    if process.exitcode in (_PASSED, _NO_TESTS):  # a private module has no cases of its own in the shared tests
        return SURVIVED
    # A process that dies of a signal was not caught by a test, but nobody would overlook it.
    if process.exitcode in (_FAILED, _COLLECTION_FAILED) or process.exitcode < 0:
        return KILLED
    raise RuntimeError(f"pytest {' '.join(arguments)} left with {process.exitcode}; it wrote to {log}")


class Baseline:
    """What processor time the tests of each stem take, once they were seen to pass on the code as it stands."""

    def __init__(self, root: Path, log: Path):
        self.root, self.log = root, log
        self.seconds: dict[tuple[str, ...], float] = {}

    def limit(self, module: str, arguments: list[str]) -> int:
        key = tuple(arguments)
        if key not in self.seconds:
            path = self.root / (module.replace(".", "/") + ".py")
            begin = _processor_time_of_children()
            if outcome(module, path.read_text(), arguments, 900, self.log) != SURVIVED:
                raise SystemExit(f"the tests fail without any mutant: pytest {' '.join(arguments)}; see {self.log}")
            self.seconds[key] = _processor_time_of_children() - begin
        return max(_LEAST_LIMIT, math.ceil(10 * self.seconds[key]))


def _processor_time_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def stages(root: Path, module: str) -> list[list[str]]:
    """The tests that a mutant of this module must pass to survive, those most likely to catch it first."""
    stem = module.rpartition(".")[2]
    others = [own_tests(root, user) for user in dependents(root, stem)]
    return [tests for tests in [own_tests(root, stem), shared_tests(stem), *others] if tests]


def judge(mutant: Mutant, baseline: Baseline) -> str:
    """The verdict on one mutant."""
    for tests in stages(baseline.root, mutant.module):
        limit = baseline.limit(mutant.module, tests)
        verdict = outcome(mutant.module, mutant.source, tests, limit, baseline.log)
        if verdict != SURVIVED:
            return verdict
    return SURVIVED


def fingerprint(root: Path, mutant: Mutant) -> str:
    """Changes when the mutant, or any test that could catch it, changes: what is known of it is then asked again."""
    digest = hashlib.sha256(mutant.source.encode())
    stem = mutant.module.rpartition(".")[2]
    for path in [root / "tests" / folder / f"{stem}.py" for folder in ("parity", "bad_input", "kinds")] + [
        root / f"tests/test_{stem}.py"
    ]:
        digest.update(path.read_bytes() if path.exists() else b"")
    return digest.hexdigest()


def judge_all(root: Path, mutants: list[Mutant], store: Path, workers: int) -> Iterator[tuple[Mutant, str]]:
    """Verdicts as they come; what a stopped run found stands in the store and is not asked again."""
    known = _read(store)
    waiting = []
    for mutant in mutants:
        if (verdict := known.get(fingerprint(root, mutant))) is None:
            waiting.append(mutant)
        else:
            yield mutant, verdict
    if not waiting:
        return
    preload()
    store.parent.mkdir(parents=True, exist_ok=True)
    # Mutants of one module stay together, so that one worker times its tests once.
    groups = [list(group) for group in _by_module(waiting)]
    context = multiprocessing.get_context("fork")
    results: multiprocessing.Queue = context.Queue()
    tasks: multiprocessing.Queue = context.Queue()
    for group in groups:
        tasks.put(group)
    for _ in range(workers):
        tasks.put(None)
    processes = [
        context.Process(target=_work, args=(root, tasks, results, store.parent / f"worker{i}.log"))
        for i in range(workers)
    ]
    for process in processes:
        process.start()
    try:
        with open(store, "a") as file:
            for _ in waiting:
                mutant, verdict = results.get()
                if isinstance(verdict, BaseException):
                    raise verdict
                file.write(json.dumps({"fingerprint": fingerprint(root, mutant), "verdict": verdict}) + "\n")
                file.flush()
                yield mutant, verdict
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _by_module(mutants: list[Mutant]) -> Iterator[list[Mutant]]:
    for module in dict.fromkeys(mutant.module for mutant in mutants):
        yield [mutant for mutant in mutants if mutant.module == module]


def _work(root: Path, tasks, results, log: Path) -> None:
    baseline = Baseline(root, log)
    while (group := tasks.get()) is not None:
        for mutant in group:
            try:
                results.put((mutant, judge(mutant, baseline)))
            except BaseException as error:
                results.put((mutant, error))
                return


def _read(store: Path) -> dict[str, str]:
    known = {}
    with contextlib.suppress(FileNotFoundError), open(store) as file:
        for line in file:
            with contextlib.suppress(json.JSONDecodeError):  # the last line of a run that was killed
                entry = json.loads(line)
                known[entry["fingerprint"]] = entry["verdict"]
    return known
