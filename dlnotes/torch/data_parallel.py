"""Data-parallel training: several processes share each batch, and all take the step of the whole batch.

`torchrun` starts the processes, tells each its number, and ends them all when one fails. torch.distributed adds up
their gradients, by gloo on CPUs and by nccl on GPUs. Started without `torchrun`, the same program is one process. Only
torch has this.

    torchrun --nproc-per-node 2 -m dlnotes.torch.data_parallel run.pt --steps 400

trains a small network on drawn data, saves to run.pt as it goes, and goes on from there when it is started again.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, distributed
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from dlnotes import checks
from dlnotes.torch import minibatch

if TYPE_CHECKING:
    from jaxtyping import Float, Int

Loss = Callable[[Tensor, Tensor], Tensor]


class Standing(NamedTuple):
    """Where a training stands. It holds all that is needed to go on, so it is also the checkpoint.

    Attributes:
        step: Steps taken.
        losses: The loss of each step's whole batch before the step.
        module: The parameters, as `state_dict` gives them.
        optimizer: The optimizer's state, as `state_dict` gives it.
        scheduler: The state of the rate's schedule likewise; empty without one.
        parts: What the training was begun with, name by name; a checkpoint is refused where another name or value is
            given.
        batch_size: Examples in a batch of all processes together: `position` counts such batches.
        order: The order of the examples in this epoch.
        position: How many batches of this epoch have been used.
        generator: The state of the generator that shuffles.
    """

    step: int
    losses: Float[Tensor, " step"]
    module: dict[str, Tensor]
    optimizer: dict[str, Any]
    scheduler: dict[str, Any]
    parts: dict[str, Any]
    batch_size: int
    order: Int[Tensor, " examples"]
    position: int
    generator: Tensor


def process() -> tuple[int, int]:
    """Give the number of this process, from 0, and how many there are; (0, 1) outside a group of processes."""
    return (distributed.get_rank(), distributed.get_world_size()) if distributed.is_initialized() else (0, 1)


@contextlib.contextmanager
def group() -> Iterator[torch.device]:
    """Join the processes that `torchrun` started, give this one's device, and leave the group in the end.

    The group is one of nccl if each process of this machine can have a GPU of its own, else one of gloo on CPUs. The
    machines must have it alike. Without `torchrun` there is no group, and one process.
    """
    on_gpu = torch.cuda.device_count() >= int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0))) if on_gpu else torch.device("cpu")
    if on_gpu:
        torch.cuda.set_device(device)
    if not distributed.is_torchelastic_launched():
        yield device
        return
    distributed.init_process_group("nccl" if on_gpu else "gloo", device_id=device if on_gpu else None)
    try:
        yield device
    finally:
        distributed.destroy_process_group()


def shard(batch: Int[Tensor, " batch"], rank: int, processes: int) -> Int[Tensor, " shard"]:
    """Give the part of a batch that one of several processes takes: consecutive parts, as equal as can be.

    Args:
        batch: Numbers of the batch's examples.
        rank: The number of the process, from 0.
        processes: How many there are, at least 1. Where they are more than the examples, some get none.

    Returns:
        A view of the batch.

    Raises:
        TypeError: If `batch` does not hold integers, or a number is not whole.
        ValueError: If a number is out of range, or `batch` has not one axis.

    Source: definition.
    """
    checks.rank("batch", checks.integers("batch", batch), exactly=1)
    processes = checks.integer("processes", processes, at_least=1)
    return batch.tensor_split(processes)[checks.integer("rank", rank, at_least=0, at_most=processes - 1)]


def loss_and_backward(module: torch.nn.Module, loss: Loss, inputs: Tensor, targets: Tensor, examples: int) -> Tensor:
    """Give the mean loss of a batch that is spread over the processes, and leave its gradient in each of them.

        L = sum_k (n_k / n) L_k,    g = sum_k (n_k / n) g_k

    L_k is the mean loss of the n_k examples that process k has. A plain mean of the g_k would be another gradient where
    the shards are not equal. All processes must call it together.

    Args:
        module: The same in each process. The gradient is left in its parameters' `grad`; None, as PyTorch has it, where
            the loss of no process needs the parameter, so that an optimizer does not let it decay.
        loss: The mean loss of outputs and targets.
        inputs: This process's shard, which may be empty.
        targets: Its targets.
        examples: n, the examples of all shards.

    Returns:
        L, without a graph.

    Raises:
        ValueError: If the parameters that require a gradient are not of one dtype.

    Source: derived in minibatch#eq-parts.
    """
    parameters = _parameters(module)
    module.zero_grad()
    own = parameters[0].new_zeros(())
    if len(inputs):
        own = loss(module(inputs), targets) * (len(inputs) / examples)
        own.backward()
    needed = [value.grad is not None for value in parameters]
    pieces = [torch.zeros_like(value) if value.grad is None else value.grad for value in parameters]
    summed = torch.cat([piece.reshape(-1) for piece in (*pieces, own.detach().to(pieces[0].dtype))])
    if distributed.is_initialized():
        by = torch.tensor(needed, dtype=torch.int32, device=summed.device)
        distributed.all_reduce(summed)
        distributed.all_reduce(by)
        needed = by.tolist()
    pieces = summed[:-1].split([value.numel() for value in parameters])
    for value, piece, anywhere in zip(parameters, pieces, needed, strict=True):
        value.grad = piece.view_as(value).clone() if anywhere else None
    return summed[-1]


def _parameters(module: torch.nn.Module) -> list[torch.nn.Parameter]:
    """Give the parameters that are trained."""
    parameters = [value for value in module.parameters() if value.requires_grad]
    dtypes = {value.dtype for value in parameters}
    if len(dtypes) != 1:
        raise ValueError(
            f"module must have parameters that require a gradient, of one dtype, got {sorted(map(str, dtypes))}"
        )
    return parameters


def train(
    module: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: Loss,
    inputs: Tensor,
    targets: Tensor,
    *,
    steps: int,
    batch_size: int,
    generator: torch.Generator,
    scheduler: LRScheduler | None = None,
    checkpoint: Path | str | None = None,
    save_every: int = 100,
    progress: Callable | None = None,
) -> Float[Tensor, " steps"]:
    """Train a module of yours with the processes there are; with one or with many the steps are the same to rounding.

        for each step: take a batch of the shuffled examples;  each process its shard;  add up the gradients;  step

    The optimizer belongs to PyTorch, and works in place. Before the first step the processes take over the parameters
    of process 0. If the checkpoint is there, training goes on from it, to the bit as if it had never been stopped, on
    the same machine and with as many processes as before. What draws random numbers of its own, such as dropout, is not
    in the checkpoint, nor is what `progress` changes.

    These are compared with the checkpoint, before anything is written: the number of examples and `batch_size`; names
    and classes of the module's layers; names, shapes and dtypes of its parameters; the classes of optimizer and
    scheduler, of a sequence the classes of its parts; which parameters each group of the optimizer has, and the group's
    options. These are not, and a change of them is not seen: the values of the examples, `loss`, and what the module
    computes besides its layers. The rates and the schedule's settings are not either: those of the checkpoint count.

    Args:
        module: Without buffers: batch normalization would see one shard only.
        optimizer: Of the module's parameters.
        loss: The mean loss of outputs and targets.
        inputs: All examples, the same in each process.
        targets: Their targets.
        steps: Steps to take in all, those of the checkpoint included.
        batch_size: Examples in a batch of all processes together.
        generator: Of the CPU; shuffles the examples. That of process 0 counts.
        scheduler: Of PyTorch and of this optimizer; sets the rate after each step, as a function of the step.
        checkpoint: A file in a folder that exists, which all processes can read. Process 0 writes it, whole or not at
            all, every `save_every` steps and at the end.
        save_every: Steps between savings, at least 1.
        progress: Called after each step as `progress(step, steps, loss)`, in each process.

    Returns:
        The loss of each step's batch before the step, those of the checkpoint included.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If the module has buffers, the scheduler is of another optimizer, a number is out of range, or
            something differs that is compared with the checkpoint.

    Source: definition.
    """
    _check_parts(module, optimizer, scheduler, generator)
    steps = checks.integer("steps", steps, at_least=0)
    save_every = checks.integer("save_every", save_every, at_least=1)
    batch_size = checks.integer("batch_size", batch_size, at_least=1)
    per_epoch = minibatch.batches_per_epoch(len(inputs), batch_size)
    rank, processes = process()
    path = None if checkpoint is None else _file(checkpoint)
    standing = _begin(module, optimizer, scheduler, len(inputs), batch_size, generator, path)
    step, order, position = standing.step, standing.order, standing.position
    losses = [*standing.losses.to(_parameters(module)[0].device)]  # a checkpoint is read onto the CPU
    while step < steps:
        if position == per_epoch or not len(order):
            order, position = _from_first(minibatch.shuffled_order(len(inputs), generator)), 0
        batch = order[position * batch_size : (position + 1) * batch_size]
        own = shard(batch, rank, processes).to(inputs.device)
        losses.append(loss_and_backward(module, loss, inputs[own], targets[own], len(batch)))
        _step(optimizer, scheduler)
        step, position = step + 1, position + 1
        if progress is not None:
            progress(step, steps, losses[-1])
        if path and rank == 0 and (step % save_every == 0 or step == steps):
            place = standing.parts, batch_size, order, position, generator.get_state()
            _save(path, Standing(step, torch.stack(losses), *_states(module, optimizer, scheduler), *place))
    return torch.stack(losses) if losses else torch.zeros(0)


def _step(optimizer: torch.optim.Optimizer, scheduler: LRScheduler | None) -> None:
    optimizer.step()
    if scheduler is not None:
        scheduler.step()


def _check_parts(
    module: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    scheduler: LRScheduler | None,
    generator: torch.Generator,
) -> None:
    buffers = [name for name, _ in module.named_buffers()]
    if buffers:
        raise ValueError(f"module must have no buffers, got {buffers[0]}: each process would have its own")
    checks.instance("generator", generator, torch.Generator, "a torch Generator")
    if scheduler is None:
        return
    checks.instance("scheduler", scheduler, LRScheduler, "a scheduler of PyTorch")
    if isinstance(scheduler, ReduceLROnPlateau):
        raise ValueError("scheduler must set the rate by the step, got ReduceLROnPlateau, which needs a loss")
    if scheduler.optimizer is not optimizer:
        raise ValueError("scheduler must be one of the optimizer, got one of another")


def _states(
    module: torch.nn.Module, optimizer: torch.optim.Optimizer, scheduler: LRScheduler | None
) -> tuple[dict, dict, dict]:
    """Give what a checkpoint holds of the three."""
    return module.state_dict(), optimizer.state_dict(), {} if scheduler is None else scheduler.state_dict()


def _parts(module: torch.nn.Module, optimizer: torch.optim.Optimizer, scheduler: LRScheduler | None) -> dict[str, Any]:
    """Give what must be the same when a training goes on, under names for an error to say."""
    values = dict(module.named_parameters())
    names = {id(value): name for name, value in values.items()}
    groups = [[names.get(id(value), "another") for value in group["params"]] for group in optimizer.param_groups]
    return {
        **{f"layer {name or 'module'}": type(layer).__name__ for name, layer in module.named_modules()},
        **{f"parameter {name}": f"{value.dtype} {list(value.shape)}" for name, value in values.items()},
        "optimizer": type(optimizer).__name__,
        "scheduler": None if scheduler is None else _schedule(scheduler),
        **{f"parameters of group {number}": group for number, group in enumerate(groups)},
        **_options(optimizer.state_dict()),
    }


def _schedule(scheduler: LRScheduler) -> str:
    """Name the class of a scheduler, and those that it is put together of."""
    parts = [_schedule(part) for part in getattr(scheduler, "_schedulers", ())]
    return type(scheduler).__name__ + (f" of {', '.join(parts)}" if parts else "")


def _options(optimizer: dict[str, Any]) -> dict[str, Any]:
    """Give the options of each group in an optimizer's state, but for the rates: a checkpoint keeps its own."""
    return {
        f"{name} of group {number}": value
        for number, group in enumerate(optimizer["param_groups"])
        for name, value in group.items()
        if name not in ("params", "param_names") and not name.endswith("lr")
    }


def _check_same(standing: Standing, parts: dict[str, Any]) -> None:
    """Refuse a checkpoint of other parts.

    An option may also be what it was at the last saving: a schedule moves some, and the optimizer may be the one that
    it moved.
    """
    moved = _options(standing.optimizer)
    for name in {**standing.parts, **parts}:
        given, begun = parts.get(name), standing.parts.get(name)
        if given not in (begun, moved.get(name, begun)):
            raise ValueError(f"checkpoint must be of a training with {name}: {given}, got one with {begun}")


def _begin(
    module: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    scheduler: LRScheduler | None,
    examples: int,
    batch_size: int,
    generator: torch.Generator,
    path: Path | None,
) -> Standing:
    """Go on from the checkpoint, if there is one, and let all processes have the parameters of the first."""
    nothing, parts = torch.zeros(0, dtype=torch.int64), _parts(module, optimizer, scheduler)
    standing = Standing(0, torch.zeros(0), {}, {}, {}, parts, batch_size, nothing, 0, generator.get_state())
    if path is not None and path.exists():
        standing = load(path)
        if len(standing.order) not in (0, examples):
            raise ValueError(f"checkpoint must be of {examples} examples, got one of {len(standing.order)}")
        if standing.batch_size != batch_size:
            raise ValueError(f"checkpoint must be of batch_size {batch_size}, got one of {standing.batch_size}")
        _check_same(standing, parts)
        module.load_state_dict(standing.module)
        optimizer.load_state_dict(standing.optimizer)
        if scheduler is not None:
            scheduler.load_state_dict(standing.scheduler)
        generator.set_state(standing.generator)
    for value in module.parameters():
        _from_first(value.detach())
    return standing


def _from_first(values: Tensor) -> Tensor:
    """Overwrite values with those of process 0."""
    if distributed.is_initialized():
        device = (
            torch.device("cuda", torch.cuda.current_device()) if distributed.get_backend() == "nccl" else values.device
        )
        sent = values.to(device)
        distributed.broadcast(sent, 0)
        values.copy_(sent)
    return values


def _file(checkpoint: Path | str) -> Path:
    path = Path(checkpoint)
    if path.is_dir() or not path.resolve().parent.is_dir():
        raise ValueError(f"checkpoint must be a file in a folder that exists, got {checkpoint}")
    return path


def _save(path: Path, standing: Standing) -> None:
    """Write beside the old file, let it reach the disk, and only then put it in its place."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    with unfinished.open("wb") as file:
        torch.save(standing._asdict(), file)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def load(path: Path | str) -> Standing:
    """Read a checkpoint that `train` wrote. Nothing in the file is run.

    Args:
        path: The file.

    Raises:
        ValueError: If it is no such file.
    """
    try:
        return Standing(**torch.load(path, map_location="cpu", weights_only=True))
    except (OSError, EOFError, ValueError, LookupError, TypeError, RuntimeError, pickle.UnpicklingError) as error:
        raise ValueError(f"path must be a checkpoint that train wrote, got {path}") from error


def main(arguments: list[str] | None = None) -> None:
    """Train a small network on drawn data with the processes that `torchrun` started, or alone."""
    parser = argparse.ArgumentParser(prog="data_parallel", description=main.__doc__)
    parser.add_argument("checkpoint", type=Path, help="where to save, and to go on from")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--rate", type=float, default=0.1, help="of a new run; a checkpoint keeps its own")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save-every", type=int, default=100)
    given = parser.parse_args(arguments)
    with group() as device:
        torch.manual_seed(given.seed)
        inputs = torch.randn(2000, 64, dtype=torch.float64)
        targets = (inputs @ torch.randn(64, 10, dtype=torch.float64)).argmax(1).to(device)
        inputs = inputs.to(device)
        module = (
            torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.Tanh(), torch.nn.Linear(32, 10)).double().to(device)
        )
        losses = train(
            module,
            torch.optim.SGD(module.parameters(), lr=given.rate, momentum=0.9),
            torch.nn.functional.cross_entropy,
            inputs,
            targets,
            steps=given.steps,
            batch_size=given.batch_size,
            generator=torch.Generator().manual_seed(given.seed),
            checkpoint=given.checkpoint,
            save_every=given.save_every,
        )
        rank, processes = process()
        if rank == 0:
            print(f"{processes} processes on {device.type}, {len(losses)} steps, loss {losses[-20:].mean():.4f}")


if __name__ == "__main__":
    main()
