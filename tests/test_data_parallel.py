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
    module.unused = torch.nn.Parameter(torch.ones(2, dtype=torch.float64))
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.05)
    data_parallel.train(
        module, optimizer, torch.nn.functional.cross_entropy, inputs, targets,
        steps=13, batch_size=10, generator=torch.Generator().manual_seed(1), checkpoint=f"{folder}/{name}.pt",
        scheduler=torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 13), save_every=4, progress=progress,
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
    module.unused = torch.nn.Parameter(torch.ones(2, dtype=torch.float64))
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.05)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 13)
    generator, losses = torch.Generator().manual_seed(1), []
    while len(losses) < 13:
        for rows in minibatch.epoch(45, 10, generator):
            if len(losses) == 13:
                break
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(module(inputs[rows]), targets[rows])
            loss.backward()
            optimizer.step()
            scheduler.step()
            losses.append(loss.detach())
    never = data_parallel.load(folder / "never.pt")
    assert never.step == 13
    torch.testing.assert_close(never.losses, torch.stack(losses), rtol=1e-12, atol=1e-14)
    for name, value in module.state_dict().items():
        torch.testing.assert_close(never.module[name], value, rtol=1e-11, atol=1e-13)
    assert never.module["unused"].tolist() == [1, 1]  # a gradient of 0 would have let AdamW shrink it


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
    assert again.scheduler == never.scheduler
    assert again.scheduler["last_epoch"] == 13
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
    module.unused = torch.nn.Parameter(torch.ones(2, dtype=torch.float64))
    before = module[0].weight.clone()
    trained = [value for value in module.parameters() if value.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=0.1, weight_decay=0.5)
    data_parallel.train(**{**arguments, "module": module, "optimizer": optimizer})
    assert torch.equal(module[0].weight, before)
    assert module.unused.tolist() == [1, 1]
    assert module.unused.grad is None


def rates(optimizer: torch.optim.Optimizer) -> dict:
    """Schedules of PyTorch, some that look at the step and some that change the last rate."""
    schedules = torch.optim.lr_scheduler
    return {
        "lambda": lambda: schedules.LambdaLR(optimizer, lambda step: 1 - step / 8),
        "cosine": lambda: schedules.CosineAnnealingLR(optimizer, 8),
        "milestones": lambda: schedules.MultiStepLR(optimizer, [2, 5], 0.1),
        "one cycle": lambda: schedules.OneCycleLR(optimizer, 0.5, total_steps=8),
        "in sequence": lambda: schedules.SequentialLR(
            optimizer, [schedules.LinearLR(optimizer, 0.1), schedules.ExponentialLR(optimizer, 0.5)], [3]
        ),
    }


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
@pytest.mark.parametrize("name", ["lambda", "cosine", "milestones", "one cycle", "in sequence"])
def test_a_schedule_goes_on_from_the_checkpoint(tmp_path, name):
    ends = []
    for stops in ([8], [3, 8]):
        for steps in stops:
            torch.manual_seed(0)
            arguments = {**small(), "steps": steps, "checkpoint": tmp_path / f"{len(stops)}.pt"}
            optimizer, seen = arguments["optimizer"], []
            arguments["scheduler"] = rates(optimizer)[name]()
            arguments["progress"] = lambda *_: seen.append(optimizer.param_groups[0]["lr"])  # noqa: B023 - called here
            data_parallel.train(**arguments)
        ends.append((arguments["module"].weight.detach(), seen[-5:]))
    assert torch.equal(ends[0][0], ends[1][0])
    assert ends[0][1] == ends[1][1]
    assert len(set(ends[0][1])) > 1


@pytest.mark.filterwarnings("ignore:for .*copying from a non-meta parameter")
def test_losses_of_a_checkpoint_join_those_of_another_device(tmp_path):
    """On a GPU the checkpoint is read onto the CPU; the device without numbers stands for it here."""
    path = tmp_path / "run.pt"
    data_parallel.train(**{**small(), "steps": 3}, checkpoint=path)
    away = small()
    away["module"].to("meta")
    away["optimizer"] = torch.optim.SGD(away["module"].parameters(), lr=0.1, momentum=0.9)
    away["inputs"], away["targets"] = away["inputs"].to("meta"), away["targets"].to("meta")
    losses = data_parallel.train(**away, checkpoint=path)
    assert losses.shape == (5,)
    assert losses.device.type == "meta"


@pytest.mark.parametrize(
    ("gpus", "processes", "backend"), [(0, 1, "gloo"), (1, 1, "nccl"), (1, 2, "gloo"), (2, 2, "nccl")]
)
def test_processes_without_a_gpu_each_meet_on_the_cpu(monkeypatch, gpus, processes, backend):
    asked, chosen = [], []
    monkeypatch.setenv("LOCAL_RANK", str(processes - 1))
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(processes))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setattr(torch.distributed, "is_torchelastic_launched", lambda: True)
    monkeypatch.setattr(
        torch.distributed, "init_process_group", lambda name, device_id: asked.append((name, device_id))
    )
    monkeypatch.setattr(torch.distributed, "destroy_process_group", lambda: asked.append("left"))
    with data_parallel.group() as device:
        pass
    wanted = torch.device("cuda", processes - 1) if backend == "nccl" else torch.device("cpu")
    assert device == wanted
    assert asked == [(backend, wanted if backend == "nccl" else None), "left"]
    assert chosen == ([wanted] if backend == "nccl" else [])


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"module": torch.nn.BatchNorm1d(3).double()}, ValueError, "buffers"),
        ({"module": torch.nn.Linear(3, 2).requires_grad_(False)}, ValueError, "module"),
        ({"steps": -1}, ValueError, "steps"),
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"save_every": 0}, ValueError, "save_every"),
        ({"generator": 0}, TypeError, "generator"),
        ({"scheduler": 0}, TypeError, "scheduler"),
        ({"checkpoint": "no/such/folder/run.pt"}, ValueError, "checkpoint"),
    ],
)
def test_bad_input_is_named(change, error, words):
    with pytest.raises(error, match=words):
        data_parallel.train(**{**small(), **change})


def test_a_scheduler_must_be_of_the_optimizer_and_of_the_step():
    arguments, other = small(), small()
    schedules = torch.optim.lr_scheduler
    with pytest.raises(ValueError, match="scheduler must be one of the optimizer"):
        data_parallel.train(**arguments, scheduler=schedules.StepLR(other["optimizer"], 2))
    with pytest.raises(ValueError, match="scheduler must set the rate by the step"):
        data_parallel.train(**arguments, scheduler=schedules.ReduceLROnPlateau(arguments["optimizer"]))


@pytest.mark.parametrize("size", [4, 12])
def test_a_checkpoint_of_another_batch_size_is_refused(tmp_path, size):
    """Its place in the epoch is counted in batches: with larger ones it lay past the end, and every batch was empty."""
    path = tmp_path / "run.pt"
    data_parallel.train(**{**small(), "steps": 2}, checkpoint=path)
    with pytest.raises(ValueError, match=f"checkpoint must be of batch_size {size}, got one of 5"):
        data_parallel.train(**{**small(), "batch_size": size}, checkpoint=path)


def sgd(module: torch.nn.Module, **options: float) -> torch.optim.Optimizer:
    return torch.optim.SGD(module.parameters(), **{"lr": 0.1, "momentum": 0.9, **options})


def two_layers(between: type[torch.nn.Module], width: int = 4) -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(3, width), between(), torch.nn.Linear(width, 2)).double()


def with_one_more_layer() -> torch.nn.Module:
    """A layer without parameters, which the checkpoint does not know."""
    module = torch.nn.Linear(3, 2).double()
    module.after = torch.nn.Tanh()
    return module


def of(module=None, optimizer=sgd, scheduler=None) -> dict:
    """Arguments with another module, optimizer or schedule; of the last two that which makes them."""
    arguments = small()
    if module is not None:
        arguments["module"] = module
    arguments["optimizer"] = optimizer(arguments["module"])
    if scheduler is not None:
        arguments["scheduler"] = scheduler(arguments["optimizer"])
    return arguments


def adam(module: torch.nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(module.parameters(), lr=0.1)


def in_groups(*names: str):
    """Make an optimizer with a group for each of these parameters, the first of which decays."""

    def make(module: torch.nn.Module) -> torch.optim.Optimizer:
        groups = [{"params": [module.get_parameter(name)]} for name in names]
        groups[0]["weight_decay"] = 0.5
        return torch.optim.SGD(groups, lr=0.1)

    return make


SCHEDULES = torch.optim.lr_scheduler


def in_sequence(first, then):
    """Make a schedule of two classes, the second from step 2 on."""
    return lambda optimizer: SCHEDULES.SequentialLR(optimizer, [first(optimizer), then(optimizer, 0.5)], [2])


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
@pytest.mark.parametrize(
    ("saved", "given", "words"),
    [
        (of(), of(torch.nn.Linear(3, 4).double()), r"parameter weight: .* \[4, 3\], got one with .* \[2, 3\]"),
        (of(), of(torch.nn.Linear(3, 2)), "parameter weight: torch.float32 .* got one with torch.float64"),
        (of(), of(torch.nn.Linear(3, 2, bias=False).double()), r"parameter bias: None, got one with .* \[2\]"),
        (of(two_layers(torch.nn.Tanh)), of(two_layers(torch.nn.ReLU)), "layer 1: ReLU, got one with Tanh"),
        (of(), of(with_one_more_layer()), "layer after: Tanh, got one with None"),
        (of(), of(optimizer=adam), "optimizer: Adam, got one with SGD"),
        (of(optimizer=adam), of(), "optimizer: SGD, got one with Adam"),
        (
            of(optimizer=adam),
            of(optimizer=lambda module: torch.optim.AdamW(module.parameters(), lr=0.1)),
            "optimizer: AdamW, got one with Adam",
        ),
        (of(), of(optimizer=lambda module: sgd(module, momentum=0)), "momentum of group 0: 0, got one with 0.9"),
        (
            of(optimizer=in_groups("weight", "bias")),
            of(optimizer=in_groups("bias", "weight")),
            r"parameters of group 0: \['bias'\], got one with \['weight'\]",
        ),
        (of(), of(optimizer=in_groups("weight", "bias")), "parameters of group 0: .*weight'., got one with .*'bias"),
        (of(), of(scheduler=lambda own: SCHEDULES.StepLR(own, 2)), "scheduler: StepLR, got one with None"),
        (of(scheduler=lambda own: SCHEDULES.StepLR(own, 2)), of(), "scheduler: None, got one with StepLR"),
        (
            of(scheduler=lambda own: SCHEDULES.StepLR(own, 2)),
            of(scheduler=lambda own: SCHEDULES.CosineAnnealingLR(own, 8)),
            "scheduler: CosineAnnealingLR, got one with StepLR",
        ),
        (
            of(scheduler=in_sequence(SCHEDULES.LinearLR, SCHEDULES.ExponentialLR)),
            of(scheduler=in_sequence(SCHEDULES.ConstantLR, SCHEDULES.ExponentialLR)),
            "SequentialLR of ConstantLR, ExponentialLR, got one with SequentialLR of LinearLR, ExponentialLR",
        ),
    ],
)  # fmt: skip
def test_a_checkpoint_of_other_parts_is_refused_before_anything_is_written(tmp_path, saved, given, words):
    path = tmp_path / "run.pt"
    data_parallel.train(**{**saved, "steps": 3}, checkpoint=path)
    written, before = path.read_bytes(), [value.detach().clone() for value in given["module"].parameters()]
    with pytest.raises(ValueError, match=f"checkpoint must be of a training with .*{words}"):
        data_parallel.train(**given, checkpoint=path)
    assert path.read_bytes() == written
    assert all(torch.equal(old, new) for old, new in zip(before, given["module"].parameters(), strict=True))
    assert not given["optimizer"].state


@pytest.mark.parametrize("again", ["fresh", "the same"])
@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
def test_options_that_a_schedule_moves_are_no_other_training(tmp_path, again):
    """One cycle moves the momentum: a fresh optimizer has that of the start, the old one that of the last step."""
    path = tmp_path / "run.pt"
    first, fresh = (of(scheduler=lambda own: SCHEDULES.OneCycleLR(own, 0.5, total_steps=8)) for _ in range(2))
    data_parallel.train(**{**first, "steps": 3}, checkpoint=path)
    assert data_parallel.load(path).optimizer["param_groups"][0]["momentum"] < 0.94  # from 0.95
    given = fresh if again == "fresh" else first
    assert len(data_parallel.train(**given, checkpoint=path)) == 5


def test_the_rate_is_that_of_the_checkpoint(tmp_path):
    ends = []
    for rate in (0.1, 7.0):
        path = tmp_path / f"{rate}.pt"
        torch.manual_seed(0)
        data_parallel.train(**{**small(), "steps": 3}, checkpoint=path)
        arguments = of(optimizer=lambda module: sgd(module, lr=rate))  # noqa: B023 - called here
        data_parallel.train(**arguments, checkpoint=path)
        ends.append(arguments["module"].weight.detach())
    assert torch.equal(*ends)


def test_a_checkpoint_of_other_examples_or_of_no_training_is_refused(tmp_path):
    path = tmp_path / "run.pt"
    data_parallel.train(**small(), checkpoint=path)
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
