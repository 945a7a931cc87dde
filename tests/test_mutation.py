"""The tool that breaks the kernels: what it breaks, how it draws, and what it calls caught."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.mutation import mutants, run
from tests.mutation.__main__ import EXPLAINED, explanations, report

ROOT = Path(__file__).parents[1]
SOURCE = '''"""A module with 1 number in its docstring."""
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    limit = 3


def scaled(x: "4 of them", factor=2) -> "5":
    """Times 2."""
    if x < 0 or factor is None:
        raise ValueError(f"x must be at least {0 + 0}")
    return x * factor - 1.5
'''


def changes(source: str) -> list[tuple[str, str]]:
    return [(mutant.before, mutant.after) for mutant in mutants.mutants(source, "module")]


def test_what_is_broken_is_numbers_signs_and_comparisons():
    assert changes(SOURCE) == [
        ('def scaled(x: "4 of them", factor=2) -> "5":', 'def scaled(x: "4 of them", factor=3) -> "5":'),
        ("if x < 0 or factor is None:", "if (x <= 0) or factor is None:"),
        ("if x < 0 or factor is None:", "if (x > 0) or factor is None:"),
        ("if x < 0 or factor is None:", "if x < 1 or factor is None:"),
        ("if x < 0 or factor is None:", "if x < 0 or (factor is not None):"),
        ("return x * factor - 1.5", "return (x * factor + 1.5)"),
        ("return x * factor - 1.5", "return (x / factor) - 1.5"),
        ("return x * factor - 1.5", "return x * factor - 3.0"),
    ]


@pytest.mark.parametrize(
    ("line", "after"),
    [
        ("y = -x", "y = (x)"[:4] + "x"),
        ("y = a // b", "y = (a * b)"),
        ("y = a ** b", "y = (a * b)"),
        ("y += 1", "y -= 1"),
        ("y = a in b", "y = (a not in b)"),
        ("y = 0.0", "y = 1.0"),
        ("π = π - a", "π = (π + a)"),
    ],
)
def test_operators(line, after):
    assert (line, after) in changes(line)


def test_a_mutant_differs_in_its_line_alone_and_can_be_parsed():
    for mutant in mutants.mutants(SOURCE, "module"):
        ast.parse(mutant.source)
        different = [
            number
            for number, (old, new) in enumerate(
                zip(SOURCE.splitlines(), mutant.source.splitlines(), strict=True), start=1
            )
            if old != new
        ]
        assert different == [mutant.line]


def all_mutants() -> list[mutants.Mutant]:
    return [m for name, path in mutants.kernels(ROOT).items() for m in mutants.mutants(path.read_text(), name)]


def test_the_sample_has_its_size_is_seeded_and_leaves_out_no_module():
    found = all_mutants()
    drawn = mutants.sample(found, 600, seed=0)
    assert len(drawn) == 600 == len(set(drawn))
    assert drawn == mutants.sample(found, 600, seed=0) != mutants.sample(found, 600, seed=1)
    assert {(m.module, m.kind) for m in drawn} == {(m.module, m.kind) for m in found}
    share = Counter(m.module for m in found)
    for module, count in Counter(m.module for m in drawn).items():
        assert abs(count - 600 * share[module] / len(found)) < 2.5


@pytest.mark.parametrize("size", [1, 10**6])
def test_a_sample_that_cannot_be_drawn_is_refused(size):
    with pytest.raises(ValueError, match="size must be between"):
        mutants.sample(mutants.mutants(SOURCE, "module"), size, seed=0)


@pytest.mark.parametrize(("size", "shares"), [(3, [1, 1, 1]), (10, [1, 1, 8]), (14, [1, 1, 12]), (24, [2, 2, 20])])
def test_shares_add_up(size, shares):
    assert mutants._shares([2, 2, 20], size) == shares


def test_users_of_a_module_are_found():
    users = run.dependents(ROOT, "objective")
    assert {"network", "conditioning", "gradient_checking"} <= set(users)
    assert "objective" not in users
    assert run.dependents(ROOT, "schedules") == ["adaptive_methods", "training"]  # by their tests alone
    assert run.dependents(ROOT, "babysitting") == ["checklist"]
    assert run.dependents(ROOT, "checklist") == []


# Mistakes that texts and courses make, and the test that catches each.
FAMOUS = [
    (
        "adaptive_methods",
        "(np.sqrt(v_hat) + aligned(epsilon, m))\n    return directions, AdamState(t",
        "np.sqrt(v_hat + aligned(epsilon, m))\n    return directions, AdamState(t",
        "test_equal_to_torch_step_by_step[adam]",
    ),
    (
        "adaptive_methods",
        "total1, total2 = 1 - _power(beta1, t), 1 - _power(beta2, t)\n    directions",
        "total1, total2 = 1, 1\n    directions",
        "test_equal_to_torch_step_by_step[adam]",
    ),
    (
        "dropout",
        "return dropout(grad_output, mask, p, out=out)",
        "return dropout(grad_output, mask | True, p, out=out)",
        "test_backward_equals_finite_differences_with_the_mask_held",
    ),
    (
        "batch_normalization",
        "(cache.count / (cache.count - 1))",
        "1.0",
        "test_running_statistics_equal_torch",
    ),
    (
        "conditioning",
        "change += changes_fed[layer] @ passes.weights[layer].mT",
        "change -= changes_fed[layer] @ passes.weights[layer].mT",
        "test_product_equals_differences_of_the_gradient",
    ),
]


# In a process of its own, where nothing of the kernels is imported yet, as under `make mutants`.
_JUDGE = """
import json, sys
from pathlib import Path
from tests.mutation import run

run.preload()
for module, source, arguments, limit, log in json.load(sys.stdin):
    try:
        verdict = run.outcome(module, source, arguments, limit, Path(log))
    except RuntimeError as error:
        verdict = str(error)
    print(json.dumps([verdict, Path(log).read_text()]))
"""


def judged(jobs: list[tuple[str, str, list[str], float]], folder: Path) -> list[tuple[str, str]]:
    """The verdict of the tool on each job, and what pytest wrote."""
    named = [[*job, str(folder / f"{number}.log")] for number, job in enumerate(jobs)]
    done = subprocess.run(
        [sys.executable, "-c", _JUDGE], input=json.dumps(named), capture_output=True, text=True, cwd=ROOT, check=True
    )
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def test_what_is_alive_dead_or_stuck(tmp_path):
    """The tool itself: true code survives, broken code is killed, code that never ends is neither."""
    module, tests = "dlnotes.numpy.schedules", ["tests/test_schedules.py"]
    source = (ROOT / "dlnotes/numpy/schedules.py").read_text()
    jobs = [
        (module, source, tests, 300),
        (module, source.replace("np.cos(", "np.sin("), tests, 300),
        (module, source + "\nassert False\n", tests, 300),
        (module, source + "\nwhile True:\n    pass\n", tests, 5),
        (module, source, ["tests/no_such_file.py"], 300),
    ]
    verdicts = [verdict for verdict, _ in judged(jobs, tmp_path)]
    assert verdicts[:4] == [run.SURVIVED, run.KILLED, run.KILLED, run.TIMED_OUT]
    assert "left with 4" in verdicts[4]


def test_famous_mistakes_are_caught(tmp_path):
    jobs = []
    for stem, right, wrong, _ in FAMOUS:
        source = (ROOT / f"dlnotes/numpy/{stem}.py").read_text()
        assert source.count(right) == 1
        tests = run.own_tests(ROOT, stem)
        jobs.append((f"dlnotes.numpy.{stem}", source.replace(right, wrong), tests, 300))
    for (verdict, log), (_, _, wrong, test) in zip(judged(jobs, tmp_path), FAMOUS, strict=True):
        assert (verdict, "1 failed" in log, test in log) == (run.KILLED, True, True), f"{wrong}\n{log}"


def test_the_report_counts_and_asks_for_explanations():
    verdicts = {f"m{i}": run.KILLED for i in range(18)} | {"stuck": run.TIMED_OUT, "alive": run.SURVIVED}
    text, passed = report(verdicts, {"alive": "no effect", "stuck": "counts down from 0"})
    assert passed
    assert "20 mutants: 18 killed (90.0%), 1 timed out (not counted as killed), 1 survived" in text
    text, passed = report(verdicts, {"stuck": "counts down from 0"})
    assert not passed
    assert "survived: alive\n    NOT EXPLAINED" in text
    text, passed = report(verdicts | {"m0": run.SURVIVED}, dict.fromkeys(["m0", "alive", "stuck"], "no effect"))
    assert not passed
    assert "fewer than 90% were killed" in text


def test_a_stopped_run_goes_on_where_it_stopped(tmp_path, monkeypatch):
    store = tmp_path / "verdicts.jsonl"
    found = mutants.mutants((ROOT / "dlnotes/numpy/schedules.py").read_text(), "dlnotes.numpy.schedules")[:2]
    lines = [f'{{"fingerprint": "{run.fingerprint(ROOT, mutant)}", "verdict": "killed"}}\n' for mutant in found]
    store.write_text("".join(lines) + '{"fingerprint": "cut o')
    monkeypatch.setattr(run, "preload", lambda: pytest.fail("asked again"))
    assert [verdict for _, verdict in run.judge_all(ROOT, found, store, workers=1)] == ["killed", "killed"]


def test_explanations_name_mutants_that_exist():
    """One that no longer matches the code says nothing."""
    names = {mutant.name for mutant in all_mutants()}
    stale = [name for name in explanations(EXPLAINED) if name not in names]
    assert not stale, f"in {EXPLAINED.name}, but no longer a mutant of the code: {stale}"
