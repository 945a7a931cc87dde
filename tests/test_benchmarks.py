"""The benchmarks: rounds on clocks made up here, answers on small sizes, the file of results and the page made of it.

No test here depends on how long anything takes.
"""

from __future__ import annotations

import ast
import copy
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import catalog, curvature, gpu, kernels, machine, nets, results, rows, timing
from dlnotes.book import benchmarks as press
from dlnotes.book import layout, pages
from dlnotes.book.rules import breach, directives
from dlnotes.numpy import conditioning, network
from tests.book import sample
from tests.book.test_directives import visible

ROOT = Path(__file__).resolve().parent.parent
EVERY_ROW = [row for own in catalog.ROWS.values() for row in own]


class Clock:
    """A clock that goes on only when somebody works."""

    def __init__(self):
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def worker(self, *seconds: float, log: list | None = None, name: str = ""):
        """Give something that works for so many seconds, over and over again."""
        calls = 0

        def work() -> None:
            nonlocal calls
            self.now += seconds[calls % len(seconds)]
            calls += 1
            if log is not None:
                log.append(name)

        return rows.Timed(work)


def measure(clock: Clock, contestants: dict, rounds: int, **more) -> dict:
    return timing.measure(contestants, rounds=rounds, stopwatch=timing.by_clock(clock), watch=clock, **more)


# Rounds and statistics


def test_times_are_those_of_one_unit_of_work():
    clock = Clock()
    whole, parts = clock.worker(3.0), clock.worker(3.0)._replace(parts=6)
    share = clock.worker(3.0)._replace(parts=1 / 64)
    taken = measure(clock, {rows.OURS: whole, "parts": parts, "share": share}, rounds=4)
    assert taken == {rows.OURS: [3.0] * 4, "parts": [0.5] * 4, "share": [192.0] * 4}


def test_short_work_is_repeated_until_it_fills_a_measurement():
    clock = Clock()
    log: list[str] = []
    measure(clock, {rows.OURS: clock.worker(timing.SHORTEST / 8, log=log)}, rounds=1)
    assert len(log) == 2 + 8  # to warm up, to see how long it takes, and one measurement


def test_every_round_has_every_contestant_once_in_an_order_of_its_own():
    clock, log, names = Clock(), [], ["a", "b", "c"]
    measure(clock, {name: clock.worker(1.0, log=log, name=name) for name in names}, rounds=30)
    measured = log[2 * len(names) :]
    orders = [tuple(measured[i : i + 3]) for i in range(0, len(measured), 3)]
    assert all(sorted(order) == names for order in orders)
    assert len(set(orders)) == 6  # each of the six orders comes in thirty rounds


def test_the_order_follows_the_seed():
    def order(seed: int) -> list[str]:
        clock, log = Clock(), []
        measure(clock, {name: clock.worker(1.0, log=log, name=name) for name in "abc"}, rounds=9, seed=seed)
        return log

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_the_ratio_is_taken_round_by_round():
    # The machine is ten times slower in one round: both take ten times as long, and the ratio is what it was.
    ours, peer = [1.0, 10.0, 1.2, 1.0, 0.8], [2.0, 20.0, 2.0, 2.0, 2.0]
    assert timing.ratios(ours, peer) == pytest.approx((0.5, 0.5, 0.5))
    assert timing.spread([4.0, 1.0, 2.0, 3.0, 5.0]) == (3.0, 2.0, 4.0)


def test_ratios_of_unpaired_rounds_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        timing.ratios([1.0, 2.0], [1.0])


def test_no_round_begins_after_the_time_is_up_but_some_are_always_done():
    clock = Clock()
    assert len(measure(clock, {rows.OURS: clock.worker(1.0)}, rounds=50, seconds=9.5)[rows.OURS]) == 10
    slow = measure(clock, {rows.OURS: clock.worker(100.0)}, rounds=50, seconds=9.5)
    assert len(slow[rows.OURS]) == timing.LEAST_ROUNDS
    assert len(measure(clock, {rows.OURS: clock.worker(100.0)}, rounds=1, seconds=0)[rows.OURS]) == 1


def test_a_contestant_may_measure_itself():
    timed = rows.Timed(lambda: 7.0, gives_seconds=True)
    assert timing.once(timed, 3, timing.by_clock(Clock())) == 7.0


def test_events_of_a_device_are_waited_for_and_read_in_milliseconds():
    log = []

    class Event:
        def __init__(self, enable_timing: bool):
            assert enable_timing

        def record(self) -> None:
            log.append("record")

        def elapsed_time(self, end: Event) -> float:
            log.append("read")
            return 2500.0

    class Cuda:
        @staticmethod
        def synchronize() -> None:
            log.append("wait")

    Cuda.Event = Event
    assert timing.by_events(Cuda)(lambda: log.append("work")) == 2.5
    assert log == ["wait", "record", "work", "record", "wait", "read"]


# Answers


def case(ours, peer, **more) -> rows.Case:
    return rows.Case({rows.OURS: rows.Timed(lambda: ours), "peer": rows.Timed(lambda: peer)}, **more)


def test_a_wrong_answer_makes_a_row_void():
    assert rows.check(case(np.ones(3), np.ones(3) * (1 + 1e-6)))["peer"] == pytest.approx(1e-6, rel=1e-3)
    for wrong in (np.ones(3) * 1.001, np.array([1.0, 1.0, np.nan]), np.ones(4), np.array([1.0, 1.0, np.inf])):
        with pytest.raises(rows.Disagreement, match="peer"):
            rows.check(case(np.ones(3), wrong))


def test_large_numbers_do_not_hide_small_ones():
    large, small = np.array([1e6]), np.array([1.0])
    with pytest.raises(rows.Disagreement, match="peer"):
        rows.check(case((large, small), (large, small * 1.01)))


def test_where_there_is_a_reference_ours_is_held_against_it_too():
    with pytest.raises(rows.Disagreement, match=rows.OURS):
        rows.check(case(np.ones(3), np.ones(3), reference=np.ones(3) * 1.01))


@pytest.mark.parametrize("row", EVERY_ROW, ids=lambda row: row.name)
def test_contestants_of_a_row_agree(row):
    if not row.name.startswith("import"):
        pytest.importorskip("torch")
    made = row.prepare(**row.tiny)
    differences = rows.check(made)
    assert rows.OURS in differences
    assert set(row.goals) - {gpu.COPY} <= set(made.contestants) | set(made.absent)
    assert (made.traffic is None) == (gpu.COPY not in row.goals and row.name != "gpu-adam-clipped")
    measured = results.record(row, made, differences, {name: [1.0, 2.0] for name in made.contestants}, [1.0, 1.0])
    press._row("test", {**results.described(row), "measured": json.loads(json.dumps(measured))})


BROKEN = [
    ("cross-entropy-narrow", "dlnotes.numpy.objective", "cross_entropy_with_gradient"),
    ("batch-norm-small", "dlnotes.numpy.batch_normalization", "batch_norm_backward"),
    ("gelu-tanh", "dlnotes.numpy.activations", "gelu"),
    ("many-runs", "dlnotes.numpy.objective", "cross_entropy_with_gradient"),
    ("small-step", "dlnotes.numpy.objective", "cross_entropy_with_gradient"),
    ("gpu-cross-entropy", "dlnotes.torch.objective", "cross_entropy_with_gradient"),
    ("gpu-batch-norm-forward", "dlnotes.torch.batch_normalization", "batch_norm"),
]


@pytest.mark.parametrize(("name", "module", "function"), BROKEN, ids=[name for name, *_ in BROKEN])
def test_a_broken_kernel_makes_its_row_void(monkeypatch, name, module, function):
    """One percent is wrong in every part of what the kernel gives."""
    pytest.importorskip("torch")
    whole = getattr(importlib.import_module(module), function)

    def broken(*arguments, **options):
        found = whole(*arguments, **options)
        if type(found) is tuple:  # batch norm gives what its backward pass needs, too
            return found[0] * 1.01, *found[1:]
        return type(found)(*(part * 1.01 for part in found)) if isinstance(found, tuple) else found * 1.01

    monkeypatch.setattr(f"{module}.{function}", broken)
    row = next(row for row in EVERY_ROW if row.name == name)
    with pytest.raises(rows.Disagreement):
        rows.check(row.prepare(**row.tiny))


def test_a_wrong_gradient_makes_its_check_void(monkeypatch):
    pytest.importorskip("torch")
    right = network.loss_and_gradient

    def wrong(*arguments):
        found = right(*arguments)
        return found._replace(gradient=found.gradient | {"0.bias": 1.001 * found.gradient["0.bias"]})

    monkeypatch.setattr(network, "loss_and_gradient", wrong)
    row = next(row for row in EVERY_ROW if row.name == "gradient-check")
    with pytest.raises(rows.Disagreement):
        rows.check(row.prepare(**row.tiny))


def test_a_run_that_differs_alone_makes_the_sweep_void(monkeypatch):
    pytest.importorskip("torch")
    from benchmarks import learning

    row = next(row for row in EVERY_ROW if row.name == "sweep")
    right = learning.Sweep.ours_alone
    monkeypatch.setattr(
        learning.Sweep, "ours_alone", lambda self, start, run: np.nextafter(right(self, start, run), np.float32(9))
    )
    with pytest.raises(rows.Disagreement, match="alone"):
        rows.check(row.prepare(**row.tiny))


def test_dropout_must_use_one_mask_and_keep_the_right_share():
    x, g = kernels.normal(60, 50), kernels.normal(60, 50, seed=1)
    mask = np.random.default_rng(0).random(x.shape) >= 0.5
    other = np.random.default_rng(1).random(x.shape) >= 0.5
    assert kernels.dropped_right(2 * x * mask, 2 * g * mask, x, g, 0.5).size == 0
    few = np.random.default_rng(0).random(x.shape) >= 0.6
    for output, gradient in ((2 * x * mask, 2 * g * other), (x * mask, g * mask), (2 * x * few, 2 * g * few)):
        with pytest.raises(rows.Disagreement):
            kernels.dropped_right(output, gradient, x, g, 0.5)


def test_a_wrong_eigenvalue_is_no_truth(monkeypatch):
    pytest.importorskip("torch")
    right = conditioning.top_eigenvalues

    def wrong(*arguments, **options):
        found = right(*arguments, **options)
        return found._replace(values=found.values * 1.01)

    curvature.true_eigenvalues.cache_clear()
    monkeypatch.setattr(conditioning, "top_eigenvalues", wrong)
    with pytest.raises(rows.Disagreement, match="no eigenvalue"):
        curvature.true_eigenvalues((64, 4, 10), 3, 12, 2)


def test_errors_are_of_the_largest_in_magnitude_whatever_their_order():
    errors = curvature.Errors(np.array([-4.0, 2.0]))
    assert errors.of([2.0, -4.0]).tolist() == [-4.0, 2.0]
    assert errors.worst == 0
    errors.of([2.2, -4.0])
    assert errors.worst == pytest.approx(0.1)
    errors.of([2.0, -4.0])
    assert errors.worst == pytest.approx(0.1)


def test_digits_are_enlarged_by_linear_interpolation():
    flat, labels = nets.enlarged_digits(8)
    from dlnotes import datasets

    data = datasets.digits(np.float32)
    np.testing.assert_allclose(flat, (data.inputs - data.inputs.mean()) / data.inputs.std(), atol=1e-5)
    large, _ = nets.enlarged_digits(15)  # every second line is a line of the small image
    at = large.reshape(-1, 15, 15)[:, ::2, ::2].reshape(len(labels), -1)
    assert np.corrcoef(at.reshape(-1), flat.reshape(-1))[0, 1] == pytest.approx(1, abs=1e-6)


# The file of results


def first_row(device: str = "cpu") -> rows.Row:
    return catalog.ROWS[device][0]


def measured(**changes) -> dict:
    peer = {"name": "torch, loop", "seconds": 2.0, "median": 0.05, "low": 0.04, "high": 0.06, "goal": 0.083}
    peer |= {"difference": 1e-7, "tolerance": 1e-3}
    fact = {"name": "largest error", "value": 2e-5, "goal": 1e-5}
    whole = {"rounds": 3, "seconds": 0.1, "copy": None, "peers": [peer], "absent": {}, "facts": [fact]}
    return copy.deepcopy(whole) | changes


def conditions(**changes) -> dict:
    known = {"processor": "P", "cores": 2, "system": "S", "blas": "B", "vectors": "V", "versions": {"Python": "3"}}
    known["threads"] = 1
    return known | changes


def begun(path: Path, kept: bool = False, **changes) -> dict:
    return results.begin(path, catalog.ROWS, "cpu", conditions(**changes), kept)


def test_a_row_is_kept_and_the_others_are_not_measured(tmp_path):
    path = tmp_path / "results.json"
    found = begun(path)
    results.put(found, "cpu", first_row().name, measured())
    results.write(path, found)
    loaded = press.load(path)
    assert loaded["cpu"].rows[0].measured == measured()
    assert [row.measured for row in (*loaded["cpu"].rows[1:], *loaded["cuda"].rows)].count(None) == len(EVERY_ROW) - 1
    assert loaded["cuda"].machine == []
    assert begun(path, kept=True)["cpu"]["rows"][0]["measured"] == measured()
    assert begun(path)["cpu"]["rows"][0]["measured"] is None


def test_rows_of_another_machine_are_not_mixed_in(tmp_path):
    path = tmp_path / "results.json"
    found = begun(path)
    results.write(path, found)
    begun(path, kept=True, processor="Q")  # nothing was measured yet
    results.put(found, "cpu", first_row().name, measured())
    results.write(path, found)
    with pytest.raises(results.Mixed, match="processor"):
        begun(path, kept=True, processor="Q")
    assert begun(path, processor="Q")["cpu"]["conditions"]["processor"] == "Q"


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "results.json"
    results.write(path, begun(path))
    before = path.read_bytes()
    with pytest.raises(TypeError):
        results.write(path, {"cpu": object()})
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda found: found.pop("cuda"), "the file"),
        (lambda found: found["cpu"]["rows"][0].pop("title"), "cpu"),
        (lambda found: found["cpu"]["rows"][0].update(title=3), "title"),
        (lambda found: found["cpu"]["rows"][0].update(measured=measured(seconds="1")), "seconds"),
        (lambda found: found["cpu"]["rows"][0].update(measured=measured(peers=[{"name": "a"}])), "peer"),
        (lambda found: found["cpu"]["rows"][0].update(measured=measured(facts=[{}])), "fact"),
        (lambda found: found["cpu"]["rows"][0].update(measured=measured(copy={})), "copy"),
        (lambda found: found["cpu"]["rows"][0].update(measured=measured(rounds=True)), "rounds"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path, change, said):
    path = tmp_path / "results.json"
    found = begun(path)
    change(found)
    path.write_text(json.dumps(found), "utf-8")
    with pytest.raises(press.ResultsError, match=said):
        press.load(path)


def test_no_file_and_no_json_are_refused(tmp_path):
    with pytest.raises(press.ResultsError, match=r"no results\.json"):
        press.load(tmp_path / "results.json")
    (tmp_path / "results.json").write_text("{\n,", "utf-8")
    with pytest.raises(press.ResultsError, match=r"results\.json:2"):
        press.load(tmp_path / "results.json")


def test_the_file_in_the_repository_describes_the_rows_as_they_are():
    found = json.loads(results.FILE.read_text("utf-8"))
    for device, own in catalog.ROWS.items():
        kept = [{name: value for name, value in row.items() if name != "measured"} for row in found[device]["rows"]]
        assert kept == [results.described(row) for row in own]


def test_the_file_in_the_repository_says_why_each_goal_is_missed():
    missed = [goal for goal in press.goals(press.load(results.FILE)) if not goal.reached]
    assert [(goal.row.name, goal.about) for goal in missed if not goal.row.missed] == []


# The device's table


def test_a_device_is_measured_against_its_copy():
    clock = Clock()
    row = rows.Row("gpu-x", "gpu", "X", lambda: None, {gpu.COPY: 0.9, "peer": 0.8})
    made = rows.Case({rows.OURS: clock.worker(2.0), "peer": clock.worker(4.0)}, traffic=1600.0)
    copied = clock.worker(1.0)._replace(parts=1000.0)  # a thousand bytes a second
    stopwatch = timing.by_clock(clock)
    found = catalog.on_device(row, made, dict.fromkeys((rows.OURS, "peer"), 0.0), copied, stopwatch, 5, 1e9, 0)
    assert found["copy"] == {"median": 0.8, "low": 0.8, "high": 0.8, "goal": 0.9}
    assert [(one["name"], one["median"], one["goal"]) for one in found["peers"]] == [("peer", 0.5, 0.8)]
    said = "\n".join(results.shown(row.name, found))
    assert "0.800 of the speed of a copy; goal 0.9 MISSED" in said
    assert "0.5 (0.5 to 0.5) of peer, 4 s; goal 0.8 reached" in said


def test_without_a_device_its_rows_are_not_measured(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert catalog.devices() == ["cpu"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert catalog.devices() == ["cpu", "cuda"]


def test_the_copy_moves_as_many_bytes_as_it_says():
    torch = pytest.importorskip("torch")
    timed = gpu.copy("cpu", 100)
    assert timed.parts == 100 * (4 + 4)
    assert isinstance(timed.run(), torch.Tensor)
    assert gpu.COPIED * 4 >= 1e9
    assert gpu.SIZE * 4 >= 10 * 50e6


@pytest.mark.cuda
def test_rows_of_the_device_agree_on_it():
    for row in gpu.ROWS:
        rows.check(row.prepare(**row.tiny | {"device": "cuda"}))


# The command


def test_rows_are_selected_by_name_or_pattern():
    assert command.chosen([], EVERY_ROW) == EVERY_ROW
    assert [row.name for row in command.chosen(["dropout", "batch-*"], EVERY_ROW)] == [
        "dropout",
        "batch-norm-small",
        "batch-norm-large",
    ]
    with pytest.raises(SystemExit, match="there is no row nothing"):
        command.chosen(["dropout", "nothing"], EVERY_ROW)


class Attempts:
    """Takes the place of measuring, and gives what it is told."""

    def __init__(self, *outcomes):
        self.outcomes, self.asked = list(outcomes), []

    def __call__(self, row, *arguments):
        self.asked.append(row.name)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run the command on a file of its own, with something else in place of measuring."""
    pytest.importorskip("torch")
    pytest.importorskip("threadpoolctl")
    for name in machine.THREADS:  # the command sets these; they are put back
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    monkeypatch.setattr(machine, "one_thread", lambda: None)
    monkeypatch.setattr(catalog, "devices", lambda: ["cpu"])

    def call(attempts: Attempts, *words: str) -> tuple[int, list]:
        monkeypatch.setattr(catalog, "measure", attempts)
        code = command.main([*words, "--file", str(tmp_path / "results.json")])
        return code, [row.name for row in press.load(tmp_path / "results.json")["cpu"].rows if row.measured]

    return call


def test_what_is_done_is_kept_when_it_is_stopped_and_resuming_goes_on(run):
    names = [row.name for row in catalog.ROWS["cpu"]]
    first = Attempts(measured(), measured(), KeyboardInterrupt())
    assert run(first) == (130, names[:2])
    rest = Attempts(*[measured()] * (len(names) - 2))
    assert run(rest, "--resume") == (0, names)
    assert rest.asked == names[2:]


def test_naming_a_row_keeps_the_others(run):
    names = [row.name for row in catalog.ROWS["cpu"]]
    run(Attempts(measured(), measured(), KeyboardInterrupt()))
    again = Attempts(measured(rounds=31))
    assert run(again, names[1]) == (0, names[:2])
    assert again.asked == names[1:2]


def test_a_void_row_is_told_and_loses_what_it_had(run, capsys):
    names = [row.name for row in catalog.ROWS["cpu"]]
    run(Attempts(measured(), measured(), KeyboardInterrupt()))
    assert run(Attempts(rows.Disagreement("peer differs")), names[0]) == (1, names[1:2])
    assert f"{names[0]} is void: peer differs" in capsys.readouterr().err
    assert run(Attempts(RuntimeError("broken")), names[1]) == (1, [])
    assert "could not be measured" in capsys.readouterr().err


def test_the_list_measures_nothing(run, capsys, tmp_path):
    assert command.main(["--list"]) == 0
    said = capsys.readouterr().out
    assert [row.name for row in catalog.ROWS["cpu"] if row.name not in said] == []


def test_importing_the_command_loads_no_numpy():
    """Else the number of threads would be set too late."""
    code = "import sys, benchmarks.__main__; sys.exit('numpy' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_the_machine_is_described_with_the_kernel_of_its_blas():
    pytest.importorskip("threadpoolctl")
    known = machine.conditions("cpu")
    assert known["processor"]
    assert known["versions"]["numpy"] == np.__version__
    assert "kernel" in known["blas"]
    for said in (known["blas"], known["vectors"]):
        assert said
        assert any(said in line for line in machine.lines(known))


# The page


def page(folder: Path, found: dict, argument: str) -> str:
    book = sample.write(folder)
    (folder / "benchmarks").mkdir()
    (folder / "benchmarks" / "results.json").write_text(json.dumps(found), "utf-8")
    (folder / "docs" / "bench.md").write_text(f"# Bench\n\n/// benchmarks | {argument}\n///\n", "utf-8")
    return sample.convert(book, "bench.md")


def filled(**changes) -> dict:
    found = {
        device: {
            "conditions": None,
            "machine": [],
            "rows": [{**results.described(row), "measured": None} for row in own],
        }
        for device, own in catalog.ROWS.items()
    }
    found["cpu"]["rows"][0]["measured"] = measured(**changes)
    return found


def test_the_table_is_made_of_the_file(tmp_path):
    shown = page(tmp_path, filled(), "training")
    text = visible(shown)
    for words in (first_row().title, "100 ms, 3 rounds", "torch, loop, 2 s", "0.05", "0.04 to 0.06", "2.0e-05"):
        assert words in text
    assert "at most 0.083: reached" in text
    assert "at most 1e-5: missed" in text
    assert text.count("not measured") == len([row for row in catalog.ROWS["cpu"] if row.table == "training"][1:])


def test_other_results_make_another_table(tmp_path):
    changed = measured()
    changed["peers"][0] |= {"median": 0.777, "goal": 0.083}
    text = visible(page(tmp_path, filled(**changed), "training"))
    assert "0.78" in text
    assert "at most 0.083: missed" in text


def test_the_reason_is_shown_only_where_a_goal_is_missed(tmp_path):
    found = filled(facts=[])
    found["cpu"]["rows"][0]["missed"] = "Python is slow."
    assert "Python is slow." not in visible(page(tmp_path / "a", found, "training"))
    found["cpu"]["rows"][0]["measured"]["peers"][0]["median"] = 0.5
    assert "Why the goal is missed: Python is slow." in visible(page(tmp_path / "b", found, "training"))


def test_goals_are_counted(tmp_path):
    text = " ".join(visible(page(tmp_path, filled(), "goals")).split())
    assert "1 of 2 goals are reached" in text
    assert f"{first_row().title}: beside largest error." in text


def test_where_nothing_was_measured_the_page_says_so(tmp_path):
    assert "Not measured" in visible(page(tmp_path / "a", filled(), "cuda"))
    text = visible(page(tmp_path / "b", filled(), "gpu"))
    assert text.count("not measured") == sum(len(row.goals) for row in gpu.ROWS)
    assert "at least 0.92" in text


def test_a_copy_stands_in_the_table(tmp_path):
    found = filled()
    share = {"median": 0.95, "low": 0.94, "high": 0.96, "goal": 0.92}
    found["cuda"]["rows"][0]["measured"] = measured(copy=share, facts=[])
    found["cuda"]["machine"] = ["A device"]
    assert "at least 0.92: reached" in visible(page(tmp_path / "a", found, "gpu"))
    assert "A device" in visible(page(tmp_path / "b", found, "cuda"))


def test_a_table_that_is_not_there_is_an_error_of_the_page(tmp_path):
    with pytest.raises(Exception, match=r"docs/bench\.md:3: benchmarks: the results have no table nothing"):
        page(tmp_path, filled(), "nothing")


def test_the_check_finds_what_the_page_cannot_show(tmp_path):
    book = sample.write(tmp_path)

    def breaches(text: str) -> list[str]:
        (tmp_path / "docs" / "bench.md").write_text(text, "utf-8")
        parsed = pages.read(tmp_path / "docs" / "bench.md")
        return [one.message for one in directives.check(breach.Book(book), "bench.md", parsed)]

    asked = "# Bench\n\n/// benchmarks | trainings\n///\n"
    assert breaches(asked) == ["there is no results.json: python -m benchmarks writes it"]
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "results.json").write_text(json.dumps(filled()), "utf-8")
    assert breaches(asked) == ["there is no trainings; did you mean training?"]
    assert breaches("# Bench\n\n/// benchmarks | training\n///\n") == []
    assert breaches("# Bench\n\n/// benchmarks | training\ntext\n///\n") == ["it takes no text: the press fills it"]


def test_every_table_stands_on_the_page_and_no_number_is_typed():
    found = pages.read(ROOT / "docs" / "benchmarks.md")
    shown = {directive.argument for directive in found.named("benchmarks")}
    assert shown == {"goals", "page", *catalog.ROWS, *press.tables(press.load(results.FILE))}
    prose = re.sub(r"```.*?```|/// benchmarks.*?///|`[^`]*`|float\d+", "", found.body, flags=re.DOTALL)
    assert re.findall(r"\d+", prose) == []
    assert layout.Layout(ROOT).benchmarks == results.FILE


def test_numbers_are_written_with_as_many_digits_as_they_have():
    assert [press.digits(value) for value in (0.0834, 1.44, 123.4, 1e-5, 0.0)] == ["0.083", "1.44", "123", "1e-5", "0"]
    assert [press.duration(value) for value in (2.0, 0.0123, 4.5e-5, 3e-9)] == ["2 s", "12.3 ms", "45 µs", "3 ns"]


def test_no_benchmark_names_a_place_of_one_machine():
    for path in [*(ROOT / "benchmarks").glob("*.py"), results.FILE]:
        text = path.read_text("utf-8")
        assert not re.search(r"/(?:home|work|tmp|Users)/", text), path.name
        if path.suffix == ".py":
            ast.parse(text)
