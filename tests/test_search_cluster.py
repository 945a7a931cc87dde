"""A search on a Dask cluster: a scheduler and two workers, started by their own commands on the loopback address."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from dlnotes import datasets, search
from dlnotes.numpy import hyperparameter_search as ranges
from dlnotes.numpy import momentum, network, training

pytest.importorskip("distributed")

ROOT = Path(__file__).resolve().parent.parent
SPACE = {"rate": ranges.Range(1e-3, 1.0, log=True), "units": ranges.Whole(4, 32, log=True)}
SETTINGS = ranges.to_settings(ranges.sobol_points(8, 2, shift=np.array([0.3, 0.7])), SPACE)
DIGITS = datasets.digits()


def trained(setting, generator):
    """Train a small network; give its losses, to the bit."""
    starts, shuffles = generator.spawn(2)
    parameters = network.initialize([64, setting["units"], 10], starts)
    optimizer = momentum.Momentum(setting["rate"], 0.9)
    kept = {"steps": 20, "batch_size": 16, "generator": shuffles}
    result = training.train(parameters, DIGITS.inputs[:200] / 16, DIGITS.targets[:200], optimizer, **kept)
    return result.losses.tobytes()


def killed_at_first(setting, generator):
    """Kill the own process if this is the first trial that comes here; else take a moment."""
    marker = Path(setting["marker"])
    with contextlib.suppress(FileExistsError):
        marker.touch(exist_ok=False)
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.05)
    return generator.random()


def _command(*words: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", *words], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def _read_until(stream, words: str, seconds: float) -> str:
    """Give the first line that holds the words; fail if it does not come in time."""
    found: list[str] = []

    def read() -> None:
        for line in stream:
            if not found and words in line:
                found.append(line)

    threading.Thread(target=read, daemon=True).start()  # reads on, so that the pipe is never full
    end = time.monotonic() + seconds
    while not found:
        if time.monotonic() > end:
            pytest.fail(f"no line with {words!r} in {seconds} s", pytrace=False)
        time.sleep(0.02)
    return found[0]


@pytest.fixture(scope="module")
def cluster():
    """Start a scheduler and two workers, and give the scheduler's address and the workers."""
    running = []
    try:
        scheduler = _command(
            "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show"
        )
        running.append(scheduler)
        address = _read_until(scheduler.stderr, "Scheduler at:", 60).split()[-1]
        for _ in range(2):
            worker = _command(
                *("distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"),
                *("--host", "127.0.0.1", "--death-timeout", "30"),
            )
            running.append(worker)
        for worker in running[1:]:
            _read_until(worker.stderr, "Registered to:", 60)
        yield address, running[1:]
    finally:
        for process in running[::-1]:
            process.kill()
            process.wait(10)


@pytest.fixture(autouse=True)
def time_limit():
    """No test here may hang: after a minute and a half the main thread is interrupted."""

    def stop(number, frame):
        raise TimeoutError("a search on the cluster took more than 90 s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(90)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.filterwarnings("ignore")
def test_one_option_moves_the_search_and_the_results_are_equal_to_the_bit(cluster, capsys):
    address, _ = cluster
    planned = search.trials(SETTINGS, 5)
    here = search.run(trained, planned, where="here")
    there = search.run(trained, planned, where=address, progress=True)
    assert there == here
    assert len(set(here)) == len(here)
    assert "8/8" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore")
def test_an_exception_of_a_trial_comes_back_from_the_cluster(cluster):
    address, _ = cluster
    with pytest.raises(KeyError, match="units"):
        search.run(trained, search.trials([{"rate": 0.1}], 0), where=address)


@pytest.mark.filterwarnings("ignore")
def test_a_killed_worker_costs_nothing_but_time(cluster, tmp_path):
    address, workers = cluster
    planned = search.trials([{"marker": str(tmp_path / "killed")} for _ in range(10)], 2)
    found = search.run(killed_at_first, planned, where=address)
    assert found == [np.random.default_rng((2, number)).random() for number in range(10)]
    end = time.monotonic() + 10
    while all(worker.poll() is None for worker in workers) and time.monotonic() < end:
        time.sleep(0.05)
    assert sorted(worker.poll() is None for worker in workers) == [False, True]
