"""Two real processes, started by torchrun on this machine, against a plain loop; and a run that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from dlnotes.torch import data_parallel, minibatch  # noqa: E402 - needs torch

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 60  # after so long a run that hangs is ended, and the test fails

# What each process runs: 2 epochs and a half of 45 examples in batches of 10, the last of which is smaller, so that the
# shards are 5 and 5, then 3 and 2. It kills itself after the step that it is told, if it is process 1.
WORKER = """
import os, signal, sys
import torch
from dlnotes.torch import data_parallel

folder, dies_at = sys.argv[1], int(sys.argv[2])


def die(step, steps, loss):
    if step == dies_at and data_parallel.process()[0] == 1:
        os.kill(os.getpid(), signal.SIGKILL)


def train(name, progress=None):
    draw = torch.Generator().manual_seed(0)
    inputs = torch.randn(45, 4, generator=draw, dtype=torch.float64)
    targets = torch.randint(3, (45,), generator=draw)
    torch.manual_seed(data_parallel.process()[0])  # process 1 starts elsewhere, and must take over the parameters of 0
    module = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Tanh(), torch.nn.Linear(6, 3)).double()
    data_parallel.train(
        module, torch.optim.AdamW(module.parameters(), lr=0.05), torch.nn.functional.cross_entropy, inputs, targets,
        steps=13, batch_size=10, generator=torch.Generator().manual_seed(1), checkpoint=f"{folder}/{name}.pt",
        save_every=4, progress=progress,
    )
    print("process", *data_parallel.process(), "did", name)


with data_parallel.group():
    if dies_at:
        train("never")
    train("again", die)
"""


def started(folder: Path, dies_at: int = 0) -> subprocess.CompletedProcess:
    """Run the worker in two processes under torchrun; the whole session of processes is ended if it takes too long."""
    worker = folder / "worker.py"
    worker.write_text(WORKER, "utf-8")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    command = [*torchrun, str(worker), str(folder), str(dies_at)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    running = subprocess.Popen(
        command, cwd=folder, env=environment, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        out, error = running.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)
        out, error = running.communicate()
        pytest.fail(f"no end after {SECONDS} s: {error[-2000:]}", pytrace=False)
    return subprocess.CompletedProcess(command, running.returncode, out, error)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two processes train, train once more until one is killed after step 10, and are started again."""
    folder = tmp_path_factory.mktemp("data_parallel")
    killed = started(folder, dies_at=10)
    left = data_parallel.load(folder / "again.pt")
    done = {"killed": killed, "again": started(folder)}
    return folder, done, left


def test_two_processes_take_the_steps_of_one(runs):
    """Of one that is a plain loop over whole batches, with nothing of the module under test."""
    folder, done, _ = runs
    assert done["killed"].stdout.count("did never") == 2, done["killed"].stderr
    draw = torch.Generator().manual_seed(0)
    inputs = torch.randn(45, 4, generator=draw, dtype=torch.float64)
    targets = torch.randint(3, (45,), generator=draw)
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Tanh(), torch.nn.Linear(6, 3)).double()
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.05)
    generator, losses = torch.Generator().manual_seed(1), []
    while len(losses) < 13:
        for rows in minibatch.epoch(45, 10, generator):
            if len(losses) == 13:
                break
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(module(inputs[rows]), targets[rows])
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
    never = data_parallel.load(folder / "never.pt")
    assert never.step == 13
    torch.testing.assert_close(never.losses, torch.stack(losses), rtol=1e-12, atol=1e-14)
    for name, value in module.state_dict().items():
        torch.testing.assert_close(never.module[name], value, rtol=1e-11, atol=1e-13)


def test_a_killed_process_ends_the_run_with_a_clear_error(runs):
    _, done, left = runs
    assert done["killed"].returncode == 1
    assert "did again" not in done["killed"].stdout
    assert "SIGKILL" in done["killed"].stderr or "Signal 9" in done["killed"].stderr
    assert "rank" in done["killed"].stderr
    assert left.step == 8  # the last checkpoint before step 10
    assert left.position == 3  # in the second epoch of five batches


def test_it_goes_on_from_its_checkpoint_with_nothing_lost(runs):
    folder, done, _ = runs
    assert done["again"].returncode == 0, done["again"].stderr
    assert done["again"].stdout.count("did again") == 2
    never, again = (data_parallel.load(folder / f"{name}.pt") for name in ("never", "again"))
    assert torch.equal(again.losses, never.losses)
    assert torch.equal(again.generator, never.generator)
    assert torch.equal(again.order, never.order)
    assert (again.step, again.position) == (never.step, never.position)
    for name, value in never.module.items():
        assert torch.equal(again.module[name], value), name
    for number, states in never.optimizer["state"].items():
        for name, value in states.items():
            assert torch.equal(again.optimizer["state"][number][name], value), name
    assert not list(folder.glob("*.unfinished"))


# In this process alone


def small(seed: int = 0) -> dict:
    """Arguments of a training of six weights."""
    draw = torch.Generator().manual_seed(seed)
    inputs = torch.randn(12, 3, generator=draw, dtype=torch.float64)
    module = torch.nn.Linear(3, 2).double()
    return {
        "module": module,
        "optimizer": torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9),
        "loss": torch.nn.functional.cross_entropy,
        "inputs": inputs,
        "targets": torch.arange(12) % 2,
        "steps": 5,
        "batch_size": 5,
        "generator": torch.Generator().manual_seed(2),
    }


@pytest.mark.parametrize("size", [0, 1, 5, 6, 7])
def test_shards_are_the_batch_in_parts_as_equal_as_can_be(size):
    batch = torch.arange(size) * 3
    shards = [data_parallel.shard(batch, rank, 3) for rank in range(3)]
    assert torch.equal(torch.cat(shards), batch)
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


def test_a_crash_while_writing_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    arguments, path = small(), tmp_path / "run.pt"
    data_parallel.train(**{**arguments, "steps": 3}, checkpoint=path)
    before = path.read_bytes()

    def half(value, file):
        file.write(b"half of it")
        raise OSError("no space left")

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(OSError, match="no space"):
        data_parallel.train(**arguments, checkpoint=path)
    assert path.read_bytes() == before
    assert data_parallel.load(path).step == 3


def test_a_run_that_is_done_takes_no_more_steps(tmp_path):
    arguments, path = small(), tmp_path / "run.pt"
    losses = data_parallel.train(**arguments, checkpoint=path)
    weights = arguments["module"].weight.detach().clone()
    again = small()
    assert torch.equal(data_parallel.train(**again, checkpoint=path), losses)
    assert torch.equal(again["module"].weight, weights)


def test_frozen_and_unused_parameters_are_left_alone():
    arguments = small()
    module = torch.nn.Sequential(torch.nn.Linear(3, 3), arguments["module"]).double()
    module[0].requires_grad_(False)
    before = module[0].weight.clone()
    optimizer = torch.optim.SGD([value for value in module.parameters() if value.requires_grad], lr=0.1)
    data_parallel.train(**{**arguments, "module": module, "optimizer": optimizer})
    assert torch.equal(module[0].weight, before)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"module": torch.nn.BatchNorm1d(3).double()}, ValueError, "buffers"),
        ({"module": torch.nn.Linear(3, 2).requires_grad_(False)}, ValueError, "module"),
        ({"steps": -1}, ValueError, "steps"),
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"save_every": 0}, ValueError, "save_every"),
        ({"generator": 0}, TypeError, "generator"),
        ({"checkpoint": "no/such/folder/run.pt"}, ValueError, "checkpoint"),
    ],
)
def test_bad_input_is_named(change, error, words):
    with pytest.raises(error, match=words):
        data_parallel.train(**{**small(), **change})


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    path = tmp_path / "run.pt"
    data_parallel.train(**small(), checkpoint=path)
    other = small()
    other["module"] = torch.nn.Linear(3, 4).double()
    with pytest.raises(ValueError, match="checkpoint must be of this module"):
        data_parallel.train(**other, checkpoint=path)
    with pytest.raises(ValueError, match="checkpoint must be of 11 examples"):
        data_parallel.train(**{**small(), "inputs": torch.ones(11, 3).double()}, checkpoint=path)
    path.write_text("something else", "utf-8")
    with pytest.raises(ValueError, match="path must be a checkpoint"):
        data_parallel.train(**small(), checkpoint=path)


def test_the_program_trains(tmp_path, capsys):
    data_parallel.main([str(tmp_path / "run.pt"), "--steps", "60"])
    said = capsys.readouterr().out
    assert said.startswith("1 processes on")
    losses = data_parallel.load(tmp_path / "run.pt").losses
    assert losses[-20:].mean() < losses[:5].mean() / 1.5
