"""The training loop over many runs at once, on any device; see `dlnotes.numpy.training`.

All runs advance together, in one row of a buffer each. Nothing in a step makes the host wait for the device: losses are
written to a tensor that is read at the end.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from dlnotes import checks
from dlnotes.torch import minibatch, network

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int, Shaped

Tensors = dict[str, Tensor]


@runtime_checkable
class Optimizer(Protocol):
    """What turns gradients into steps. Its fields are hyperparameters; what changes is in the state."""

    def init(self, params: Tensors) -> Any:
        """Give the state before the first step."""
        ...

    def update(self, grads: Tensors, state: Any, params: Tensors) -> tuple[Tensors, Any]:
        """Give what is to be added to the parameters, and the next state."""
        ...


@dataclass(frozen=True, eq=False)
class Chain:
    """Optimizers in a row: each takes as its gradient what the one before gives. See `chain`.

    Raises:
        TypeError: If a part has no `init` and `update`.
    """

    parts: tuple[Optimizer, ...]

    def __post_init__(self) -> None:
        for part in self.parts:
            check_optimizer("parts", part)

    def init(self, params: Tensors) -> tuple:
        """Give the state of every part."""
        return tuple(part.init(params) for part in self.parts)

    def update(self, grads: Tensors, state: tuple, params: Tensors) -> tuple[Tensors, tuple]:
        """Pass the gradient through all parts."""
        states = []
        for part, before in zip(self.parts, state, strict=True):
            grads, after = part.update(grads, before, params)
            states.append(after)
        return grads, tuple(states)


def chain(*parts: Optimizer) -> Chain:
    """Join optimizers in a row: clipping, then decay, then Adam, say.

    Arguments and errors as in `dlnotes.numpy.training.chain`.
    """
    return Chain(tuple(one for part in parts for one in (part.parts if isinstance(part, Chain) else (part,))))


def zeros_like(params: Tensors) -> Tensors:
    """Give zeros in the shapes of the parameters, on their devices.

    Arguments and errors as in `dlnotes.numpy.training.zeros_like`.
    """
    checks.instance("params", params, Mapping, "a mapping from names to arrays")
    return {name: torch.zeros_like(value, requires_grad=False) for name, value in params.items()}


@torch.no_grad()
def apply_updates(params: Tensors, updates: Tensors) -> Tensors:
    """Add the updates to the parameters.

    Arguments and errors as in `dlnotes.numpy.training.apply_updates`.
    """
    checks.same_names("updates", updates, "params", params)
    return {name: value + updates[name] for name, value in params.items()}


def check_optimizer(name: str, value: Any) -> Any:
    """Refuse what has no `init` and `update`."""
    return checks.instance(name, value, Optimizer, "an optimizer, with init and update")


def check_rate(name: str, value: Any) -> None:
    """Refuse a hyperparameter below 0. A function of the step can only be seen when it is called."""
    if not callable(value):
        checks.reals(name, value, at_least=0)


def check_beta(name: str, value: Any) -> None:
    """Refuse a share to be kept that is not from 0 to below 1."""
    if not callable(value):
        checks.reals(name, value, at_least=0, below=1)


def at_step(value: Any, step: int) -> float | Tensor:
    """Give the value of a hyperparameter at a step: one number, or a tensor with one a run, in float64.

    Arguments and errors as in `dlnotes.numpy.training.at_step`. A number on an accelerator stays there.
    """
    if isinstance(value, float):
        return float(value)
    if not isinstance(value, Tensor):
        value = checks.reals("value", value(step) if callable(value) else value)
    if not isinstance(value, Tensor) or (value.ndim == 0 and value.device.type == "cpu"):
        return float(value)
    return value if value.device.type == "mps" else value.to(torch.float64)  # that device has no float64


def per_run(value: Any, array: Shaped[Tensor, "..."]) -> float | Tensor:
    """Shape one number a run so that it multiplies a tensor whose first axes are the runs.

    Arguments and errors as in `dlnotes.numpy.training.per_run`.
    """
    if not isinstance(value, Tensor) or (value.ndim == 0 and value.device.type == "cpu"):
        return float(value)
    checks.rank("array", array, at_least=value.ndim)
    return value.reshape(value.shape + (1,) * (array.ndim - value.ndim)).to(array)


class Training(NamedTuple):
    """Where a training stands, or how it ended. It holds all that is needed to go on, so it is also the checkpoint.

    Attributes:
        step: Steps taken.
        parameters: The parameters of all runs.
        losses: The loss of each step's batch before the step; nan once a run was stopped.
        measures: What `measure` gave, one column a measurement.
        measured_at: The steps taken before each measurement.
        stopped: Which runs were stopped.
        stopped_at: How many steps each run has taken.
        best: The parameters of each run when the measure named by `keep_best` was least; else None.
        state: The numbers of the optimizer's state, as the loop keeps them.
        order: The order of the examples in this epoch, a row a run; no rows with the full batch.
        position: How many batches of this epoch have been used.
        generators: The state of the generator, if one was given.
    """

    step: int
    parameters: Tensors
    losses: Float[Tensor, "*runs steps"]
    measures: dict[str, Shaped[Tensor, "*runs measurements"]]
    measured_at: Int[Tensor, " measurements"]
    stopped: Bool[Tensor, "*runs"]
    stopped_at: Int[Tensor, "*runs"]
    best: Tensors | None
    state: list
    order: Int[Tensor, "rows examples"]
    position: int
    generators: list[Tensor]


def _leaves(tree: Any) -> list:
    """List the tensors and numbers of a state, in order."""
    if isinstance(tree, dict):
        tree = tuple(tree.values())
    if isinstance(tree, tuple | list):
        return [leaf for part in tree for leaf in _leaves(part)]
    return [] if tree is None else [tree]


def _refill(tree: Any, leaves: Iterator) -> Any:
    """Give a state of the same form with other tensors and numbers."""
    if isinstance(tree, dict):
        return {name: _refill(part, leaves) for name, part in tree.items()}
    if isinstance(tree, tuple | list):
        parts = [_refill(part, leaves) for part in tree]
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    return None if tree is None else _copy(next(leaves))


def _copy(leaf: Any) -> Any:
    return leaf.clone() if isinstance(leaf, Tensor) else leaf


def _flat_runs(value: Any, runs: tuple[int, ...], device: torch.device) -> Any:
    """Give the hyperparameters of an optimizer one axis of runs in place of several, on the device."""
    if is_dataclass(value):
        changed = {field.name: _flat_runs(getattr(value, field.name), runs, device) for field in fields(value)}
        return replace(value, **(changed | ({"run_axes": 1} if "run_axes" in changed else {})))
    if isinstance(value, tuple):
        return tuple(_flat_runs(part, runs, device) for part in value)
    if callable(value):
        return lambda argument: _flat_runs(value(argument), runs, device)
    if isinstance(value, Tensor) and value.ndim:
        from_left = value.reshape(value.shape + (1,) * (len(runs) - value.ndim))
        return from_left.broadcast_to(runs).reshape(-1).to(device, non_blocking=True)
    return value


def _views(rows: Tensor, runs: tuple[int, ...], shapes: dict[str, tuple[int, ...]]) -> Tensors:
    """See parameters in rows of numbers, a row a run; nothing is copied."""
    pieces = rows.split([math.prod(shape) for shape in shapes.values()], dim=1)
    return {name: piece.view(*runs, *shape) for (name, shape), piece in zip(shapes.items(), pieces, strict=True)}


class _Part:
    """One optimizer of a chain at work; see `dlnotes.numpy.training`."""

    def __init__(self, optimizer: Optimizer, loop: _Loop, last: bool):
        self.optimizer, self.add = optimizer, last
        flat = getattr(optimizer, "elementwise", False)
        self.grads, self.params = ({"": loop.grad_rows}, {"": loop.rows}) if flat else (loop.grads, loop.params)
        self.state = optimizer.init(self.params)
        self.in_place = getattr(type(optimizer).update, "in_place", None) if last and flat else None

    def step(self) -> None:
        if self.in_place is not None:
            self.state = self.in_place(self.optimizer, self.grads, self.state, self.params)
            return
        updates, self.state = self.optimizer.update(self.grads, self.state, self.params)
        for name, update in updates.items():
            if self.add:
                self.params[name].add_(update)
            else:
                self.grads[name].copy_(update)


class _Loop:
    """Everything that changes while `train` runs."""

    def __init__(self, parameters: Tensors, optimizer: Optimizer, runs: tuple[int, ...], steps: int):
        self.runs, count = runs, math.prod(runs)
        self.shapes = {name: tuple(value.shape[len(runs) :]) for name, value in parameters.items()}
        self.rows = self.pack(parameters)
        self.grad_rows = torch.zeros_like(self.rows)
        self.params, self.grads = (_views(rows, (count,), self.shapes) for rows in (self.rows, self.grad_rows))
        check_optimizer("optimizer", optimizer)
        parts = optimizer.parts if isinstance(optimizer, Chain) else (optimizer,)
        own = [_flat_runs(part, runs, self.rows.device) for part in parts]
        self.parts = [_Part(part, self, last=number == len(own)) for number, part in enumerate(own, 1)]
        self.step, self.losses = 0, self.rows.new_full((count, steps), math.nan)
        self.measures: dict[str, list[Tensor]] = {}
        self.measured_at: list[int] = []
        # None until a run is stopped, so that as long as none is, nothing is spent on it.
        self.active: Tensor | None = None
        self.ended = False
        self.stopped_at = torch.zeros(count, dtype=torch.int64, device=self.rows.device)
        self.best: Tensor | None = None
        self.order, self.position = torch.zeros((0, 0), dtype=torch.int64), 0

    def pack(self, parameters: Tensors) -> Tensor:
        """Lay the parameters of each run into one row."""
        count = math.prod(self.runs)
        values = [parameters[name].detach().reshape(count, math.prod(shape)) for name, shape in self.shapes.items()]
        return torch.cat(values, dim=1)

    def resume(self, training: Training, generator: torch.Generator | None) -> None:
        """Take over from where a training stands."""
        count, self.step = len(self.rows), training.step
        if len(_leaves([part.state for part in self.parts])) != len(training.state):
            raise ValueError("resume must be a training of the same optimizer, got one with another state")
        self.rows.copy_(self.pack(training.parameters))
        self.losses[:, : self.step] = training.losses.reshape(count, -1)
        self.measures = {name: list(value.reshape(count, -1).T) for name, value in training.measures.items()}
        self.measured_at = training.measured_at.tolist()
        self.stopped_at = training.stopped_at.reshape(-1).clone()
        active = ~training.stopped.reshape(-1)
        self.active, self.ended = None if bool(active.all()) else active, not bool(active.any())
        self.best = None if training.best is None else self.pack(training.best)
        self.order, self.position = training.order, training.position
        for state in training.generators:
            generator.set_state(state)
        leaves = iter(training.state)
        for part in self.parts:
            part.state = _refill(part.state, leaves)

    def result(self, generator: torch.Generator | None) -> Training:
        """Give where the training stands."""
        runs = self.runs
        return Training(
            step=self.step,
            parameters=_views(self.rows, runs, self.shapes),
            losses=self.losses[:, : self.step].reshape(*runs, self.step),
            measures={name: self.history(name) for name in self.measures},
            measured_at=torch.tensor(self.measured_at, dtype=torch.int64),
            stopped=self.stopped_at.new_zeros(runs, dtype=torch.bool)
            if self.active is None
            else ~self.active.reshape(runs),
            stopped_at=self.stopped_at.reshape(runs).clone(),
            best=None if self.best is None else _views(self.best, runs, self.shapes),
            state=[_copy(leaf) for leaf in _leaves([part.state for part in self.parts])],
            order=self.order,
            position=self.position,
            generators=[] if generator is None else [generator.get_state()],
        )

    def history(self, name: str) -> Tensor:
        """Give what one measure was so far."""
        return torch.stack(self.measures[name], dim=-1).reshape(*self.runs, -1)

    def measure(self, measure: Callable | None, every: int, keep_best: str | None, stop: Callable | None) -> None:
        """If it is time, measure every run, keep the best parameters, and stop the runs that are to be stopped."""
        every = checks.integer("measure_every", every, at_least=1)
        if measure is None or self.step % every or self.step in self.measured_at[-1:]:
            return
        for name, value in measure(self.params).items():
            self.measures.setdefault(name, []).append(value.broadcast_to(len(self.rows)).clone())
        self.measured_at.append(self.step)
        if keep_best is not None:
            checks.choice("keep_best", keep_best, self.measures)
            *before, now = self.measures[keep_best]
            better = now < torch.stack([torch.full_like(now, math.inf), *before]).nan_to_num(
                math.inf, math.inf, -math.inf
            ).amin(0)
            self.best = self.rows.clone() if self.best is None else self.best
            self.best = torch.where(better[:, None], self.rows, self.best)
        if stop is not None:
            stopped = stop({name: self.history(name) for name in self.measures})
            going = ~torch.as_tensor(stopped, device=self.rows.device).broadcast_to(self.runs).reshape(-1)
            self.active = going if self.active is None else self.active & going
            self.ended = not bool(self.active.any())

    def next_batch(self, data: _Data, generator: torch.Generator) -> Tensor:
        """Draw the numbers of the next batch's examples, a row a run; shuffle where an epoch begins."""
        if not self.order.numel() or self.position == minibatch.batches_per_epoch(data.examples, data.batch_size):
            order = minibatch.shuffled_order(data.examples, generator, runs=(len(self.rows),))
            self.order, self.position = order.to(data.inputs.device, non_blocking=True), 0
        self.position += 1
        return self.order[:, (self.position - 1) * data.batch_size : self.position * data.batch_size]

    def advance(self, gradient: Callable, data: _Data, generator: torch.Generator | None, noisy: bool) -> Tensor:
        """Take one step in every run, and give the losses before it."""
        batch = None if data.batch_size is None else self.next_batch(data, generator)
        options = {"generators": generator} if noisy else {}
        losses, grads = gradient(self.params, *data.take(batch), **options)
        checks.same_names("gradients", grads, "parameters", self.grads)
        for name, kept in self.grads.items():
            kept.copy_(grads[name])
        before = None if self.active is None else self.rows.clone()
        for part in self.parts:
            part.step()
        if self.active is not None:
            self.rows.copy_(torch.where(self.active[:, None], self.rows, before))
            losses = torch.where(self.active, losses, math.nan)
        self.losses[:, self.step] = losses
        self.step += 1
        self.stopped_at += 1 if self.active is None else self.active
        return losses.reshape(self.runs)


class _Data(NamedTuple):
    """The examples, and how batches are taken from them."""

    inputs: Tensor
    targets: Tensor
    per_run: bool
    examples: int
    batch_size: int | None

    def take(self, batch: Tensor | None) -> tuple[Tensor, Tensor]:
        """Give the inputs and targets of a batch."""
        if batch is None:
            return self.inputs, self.targets
        if self.per_run:
            own = torch.arange(len(batch), device=batch.device)[:, None]
            return self.inputs[own, batch], self.targets[own, batch]
        return self.inputs[batch], self.targets[batch]


@torch.no_grad()
def train(
    parameters: Tensors,
    inputs: Shaped[Tensor, "..."],
    targets: Shaped[Tensor, "..."],
    optimizer: Optimizer,
    *,
    steps: int,
    batch_size: int | None = None,
    generator: torch.Generator | None = None,
    runs: tuple[int, ...] = (),
    gradient: Callable | None = None,
    data_per_run: bool = False,
    measure: Callable | None = None,
    measure_every: int = 100,
    keep_best: str | None = None,
    stop: Callable | None = None,
    progress: Callable | None = None,
    resume: Training | None = None,
) -> Training:
    """Train a grid of networks, all at once on the device of the parameters.

    Equation, arguments and errors as in `dlnotes.numpy.training.train`, but for these: one generator draws the batches
    of all runs, and `gradient` is called without autograd, so that one that needs it has to turn it on. With `stop` the
    host waits for the device at each measurement. The result's tensors can be saved with `torch.save`.
    """
    runs = checks.shape("runs", runs, at_least=1)
    data = _checked_data(parameters, inputs, targets, runs, data_per_run, batch_size, generator)
    loop = _Loop(parameters, optimizer, runs, checks.integer("steps", steps, at_least=0))
    if resume is not None:
        loop.resume(resume, generator)
    gradient = network.loss_and_gradient if gradient is None else gradient
    noisy = "generators" in inspect.signature(gradient).parameters
    loop.measure(measure, measure_every, keep_best, stop)
    while loop.step < steps and not loop.ended:
        losses = loop.advance(gradient, data, generator, noisy)
        loop.measure(measure, measure_every, keep_best, stop)
        if progress is not None:
            progress(loop.step, steps, losses)
    return loop.result(generator)


def _checked_data(
    parameters: Tensors,
    inputs: Tensor,
    targets: Tensor,
    runs: tuple[int, ...],
    per_run: bool,
    batch_size: int | None,
    generator: torch.Generator | None,
) -> _Data:
    """Check that parameters and examples fit the runs and each other."""
    checks.integer("number of parameters", len(parameters), at_least=1)
    for name, value in parameters.items():
        checks.floating(f"parameters[{name!r}]", value)
        checks.shaped(f"runs of parameters[{name!r}]", torch.empty(value.shape[: len(runs)]), runs, of="runs")
    first = len(runs) if per_run else 0
    checks.instance("inputs", inputs, Tensor, "an array")
    checks.axis("inputs", inputs, first, at_least=1, described="examples")
    leading = (*runs, inputs.shape[first]) if per_run else tuple(inputs.shape[:1])
    for name, value in (("inputs", inputs), ("targets", targets)):
        own = torch.empty(checks.instance(name, value, Tensor, "an array").shape[: len(leading)])
        checks.shaped(f"runs and examples of {name}", own, leading, of="inputs and runs")
    if inputs.is_floating_point():
        inputs = inputs.to(next(iter(parameters.values())).dtype)
    if per_run:
        inputs, targets = (value.reshape(-1, *value.shape[first:]) for value in (inputs, targets))
    if batch_size is not None:
        checks.integer("batch_size", batch_size, at_least=1)
        checks.instance("generator", generator, torch.Generator, "given to draw batches")
    return _Data(inputs, targets, per_run, leading[-1], batch_size)


def patience(name: str, measurements: int, at_least: float = 0.0) -> Callable:
    """Stop a run when a measure has not been lowered for so many measurements.

    Arguments and errors as in `dlnotes.numpy.training.patience`.
    """
    checks.integer("measurements", measurements, at_least=1)
    checks.real("at_least", at_least, at_least=0)

    def stop(measures: dict[str, Tensor]) -> Tensor:
        before, since = measures[name][..., :-measurements], measures[name][..., -measurements:]
        if not before.shape[-1]:
            return torch.zeros(before.shape[:-1], dtype=torch.bool, device=before.device)
        least = before.nan_to_num(math.inf, math.inf, -math.inf).amin(-1, keepdim=True)
        return ~(since < least - at_least).any(-1)

    return stop
