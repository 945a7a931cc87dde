"""The training loop over many runs at once, on any device; see `dlnotes.numpy.training`.

All runs advance together, in one row of a buffer each. Nothing in a step makes the host wait for the device: losses are
written to a tensor that is read at the end.
"""

from __future__ import annotations

import functools
import math
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from dlnotes import checks, optimizers
from dlnotes.torch import many_runs, minibatch, network, overfitting

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int, Shaped

Tensors = dict[str, Tensor]


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


def _copy(leaf: Any) -> Any:
    return leaf.clone() if isinstance(leaf, Tensor) else leaf


def _like(leaf: Any, fresh: Any) -> Any:
    return _copy(fresh)


def _views(rows: Tensor, runs: tuple[int, ...], shapes: dict[str, tuple[int, ...]]) -> Tensors:
    """See parameters in rows of numbers, a row a run; nothing is copied."""
    pieces = rows.split([math.prod(shape) for shape in shapes.values()], dim=1)
    return {name: piece.view(*runs, *shape) for (name, shape), piece in zip(shapes.items(), pieces, strict=True)}


class _Part:
    """One optimizer of a chain at work; see `dlnotes.numpy.training`."""

    def __init__(self, optimizer: optimizers.Optimizer, loop: _Loop, last: bool):
        self.optimizer, self.add = optimizer, last
        flat = optimizers.is_elementwise(optimizer)
        self.grads, self.params = ({"": loop.grad_rows}, {"": loop.rows}) if flat else (loop.grads, loop.params)
        self.state = optimizer.init(self.params)
        optimizers.leaves(self.state)  # refuses a state that could not be kept
        self.in_place = last and optimizers.steps_in_place(optimizer)
        self.update = functools.partial(optimizers.first_update, optimizer)

    def step(self) -> None:
        if self.in_place:
            self.state = self.optimizer.update_in_place(self.grads, self.state, self.params)
            return
        updates, self.state = self.update(self.grads, self.state, self.params)
        for name, update in updates.items():
            if self.add:
                self.params[name].add_(update)
            else:
                self.grads[name].copy_(update)
        self.update = self.optimizer.update


class _Loop:
    """Everything that changes while `train` runs."""

    def __init__(self, parameters: Tensors, optimizer: optimizers.Optimizer, runs: tuple[int, ...], steps: int):
        self.runs, count = runs, math.prod(runs)
        self.shapes = {name: tuple(value.shape[len(runs) :]) for name, value in parameters.items()}
        self.rows = self.pack(parameters)
        self.grad_rows = torch.zeros_like(self.rows)
        self.params, self.grads = (_views(rows, (count,), self.shapes) for rows in (self.rows, self.grad_rows))
        optimizers.check_optimizer("optimizer", optimizer)
        parts = optimizer.parts if isinstance(optimizer, optimizers.Chain) else (optimizer,)
        own = [many_runs.cut(part, runs, device=self.rows.device) for part in parts]
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
        own = optimizers.leaves([part.state for part in self.parts])
        if len(own) != len(training.state) or any(
            isinstance(leaf, Tensor) and leaf.shape != getattr(kept, "shape", None)
            for leaf, kept in zip(own, training.state, strict=True)
        ):
            raise ValueError("resume must be a training of the same optimizer, got one with another state")
        if (generator is None) != (not training.generators):
            given = f"{'none' if generator is None else 'one'}, and resume has {len(training.generators)}"
            raise ValueError(f"generator must be given as it was at first, got {given}")
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
        fresh = iter(training.state)
        for part in self.parts:
            part.state = optimizers.refilled(part.state, fresh, _like)

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
            state=[_copy(leaf) for leaf in optimizers.leaves([part.state for part in self.parts])],
            order=self.order,
            position=self.position,
            generators=[] if generator is None else [generator.get_state()],
        )

    def history(self, name: str) -> Tensor:
        """Give what one measure was so far."""
        return torch.stack(self.measures[name], dim=-1).reshape(*self.runs, -1)

    def measure(self, asked: _Measuring) -> None:
        """If it is time, measure every run, keep the best parameters, and stop the runs that are to be stopped."""
        if asked.measure is None or self.step % asked.every or self.step in self.measured_at[-1:]:
            return
        found = checks.instance(
            "what measure gives", asked.measure(self.params), Mapping, "a mapping from names to numbers"
        )
        for name, value in found.items():
            value = torch.as_tensor(value, device=self.rows.device)
            checks.broadcasts(f"measure {name!r}", value, (len(self.rows),), of="one a run")
            self.measures.setdefault(name, []).append(value.broadcast_to(len(self.rows)).clone())
        self.measured_at.append(self.step)
        if asked.keep_best is not None:
            self.keep_best(checks.choice("keep_best", asked.keep_best, self.measures), asked.largest_is_best)
        if asked.stop is not None:
            stopped = torch.as_tensor(
                asked.stop({name: self.history(name) for name in self.measures}), device=self.rows.device
            )
            checks.broadcasts("what stop gives", stopped, self.runs, of="runs")
            going = ~stopped.broadcast_to(self.runs).reshape(-1)
            self.active = going if self.active is None else self.active & going
            self.ended = not bool(self.active.any())

    def keep_best(self, name: str, largest_is_best: bool) -> None:
        """Keep the parameters of the runs whose measure is better than all before it; nan is not."""
        *before, now = [-value if largest_is_best else value for value in self.measures[name]]
        least = torch.stack([torch.full_like(now, math.inf), *before]).nan_to_num(math.inf, math.inf, -math.inf).amin(0)
        self.best = self.rows.clone() if self.best is None else self.best
        self.best = torch.where((now < least)[:, None], self.rows, self.best)

    def next_batch(self, data: _Data, generator: torch.Generator) -> Tensor:
        """Draw the numbers of the next batch's examples, a row a run; shuffle where an epoch begins."""
        if not self.order.numel() or self.position == minibatch.batches_per_epoch(data.examples, data.batch_size):
            order = minibatch.shuffled_order(data.examples, generator, runs=(len(self.rows),))
            self.order, self.position = order.to(data.inputs.device, non_blocking=True), 0
        self.position += 1
        return self.order[:, (self.position - 1) * data.batch_size : self.position * data.batch_size]

    def prepare(
        self, gradient: Callable | optimizers.PreparedGradient, data: _Data, generator: torch.Generator | None
    ) -> Callable:
        """Give what is to be called in every step."""
        if isinstance(gradient, optimizers.PreparedGradient):
            return gradient.prepare(self.params, *data.take(None), out=self.grads, generators=generator)
        return gradient

    def advance(self, gradient: Callable, data: _Data, generator: torch.Generator | None) -> Tensor:
        """Take one step in every run, and give the losses before it."""
        batch = None if data.batch_size is None else self.next_batch(data, generator)
        losses, grads = gradient(self.params, *data.take(batch))
        if grads is not self.grads:
            checks.same_names("gradients", grads, "parameters", self.grads)
            for name, kept in self.grads.items():
                kept.copy_(checks.same_shape(f"gradients[{name!r}]", grads[name], "its parameter", kept))
        checks.shaped("losses", losses, self.rows.shape[:1], of="one a run")
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


class _Measuring(NamedTuple):
    """What is measured while a training runs, and what for."""

    measure: Callable | None
    every: int
    keep_best: str | None
    largest_is_best: bool
    stop: Callable | None


class _Data(NamedTuple):
    """The examples, and how batches are taken from them."""

    inputs: Tensor
    targets: Tensor
    own_examples: bool
    examples: int
    batch_size: int | None

    def take(self, batch: Tensor | None) -> tuple[Tensor, Tensor]:
        """Give the inputs and targets of a batch."""
        if batch is None:
            return self.inputs, self.targets
        if self.own_examples:
            own = torch.arange(len(batch), device=batch.device)[:, None]
            return self.inputs[own, batch], self.targets[own, batch]
        return self.inputs[batch], self.targets[batch]


@torch.no_grad()
def train(
    parameters: Tensors,
    inputs: Shaped[Tensor, "..."],
    targets: Shaped[Tensor, "..."],
    optimizer: optimizers.Optimizer,
    *,
    steps: int,
    batch_size: int | None = None,
    generator: torch.Generator | None = None,
    runs: tuple[int, ...] = (),
    gradient: Callable | optimizers.PreparedGradient | None = None,
    data_per_run: bool = False,
    measure: Callable | None = None,
    measure_every: int = 100,
    keep_best: str | None = None,
    largest_is_best: bool = False,
    stop: Callable | None = None,
    progress: Callable | None = None,
    resume: Training | None = None,
) -> Training:
    """Train a grid of networks, all at once on the device of the parameters.

    Equation, arguments and errors as in `dlnotes.numpy.training.train`, but for these: one generator draws the batches
    of all runs, and `gradient` is called without autograd, so that one that needs it has to turn it on. With `stop` the
    host waits for the device at each measurement. `save` and `load` keep
    the result in a file.
    """
    runs = checks.shape("runs", runs, at_least=1)
    steps = checks.integer("steps", steps, at_least=0 if resume is None else _checked_resume(resume, parameters).step)
    measure_every = checks.integer("measure_every", measure_every, at_least=1)
    data = _checked_data(parameters, inputs, targets, runs, data_per_run, batch_size, generator)
    loop = _Loop(parameters, optimizer, runs, steps)
    if resume is not None:
        loop.resume(resume, generator)
    gradient = loop.prepare(network.loss_and_gradient if gradient is None else gradient, data, generator)
    measuring = _Measuring(measure, measure_every, keep_best, largest_is_best, stop)
    loop.measure(measuring)
    while loop.step < steps and not loop.ended:
        losses = loop.advance(gradient, data, generator)
        loop.measure(measuring)
        if progress is not None:
            progress(loop.step, steps, losses)
    return loop.result(generator)


def _checked_resume(resume: Training, parameters: Tensors) -> Training:
    checks.instance("resume", resume, Training, "what train or load gave")
    checks.same_arrays("resume.parameters", resume.parameters, "parameters", parameters)
    return resume


def _checked_data(
    parameters: Tensors,
    inputs: Tensor,
    targets: Tensor,
    runs: tuple[int, ...],
    own_examples: bool,
    batch_size: int | None,
    generator: torch.Generator | None,
) -> _Data:
    """Check that parameters and examples fit the runs and each other."""
    checks.instance("parameters", parameters, Mapping, "a mapping from names to arrays")
    checks.integer("number of parameters", len(parameters), at_least=1)
    for name, value in parameters.items():
        checks.leading_axes(f"parameters[{name!r}]", checks.floating(f"parameters[{name!r}]", value), runs, of="runs")
    first = len(runs) if own_examples else 0
    checks.instance("inputs", inputs, Tensor, "an array")
    checks.axis("inputs", inputs, first, at_least=1, described="examples")
    leading = (*runs, inputs.shape[first]) if own_examples else tuple(inputs.shape[:1])
    for name, value in (("inputs", inputs), ("targets", targets)):
        checks.leading_axes(name, checks.instance(name, value, Tensor, "an array"), leading, of="inputs and runs")
    if inputs.is_floating_point():
        inputs = inputs.to(next(iter(parameters.values())).dtype)
    if own_examples:
        inputs, targets = (value.reshape(-1, *value.shape[first:]) for value in (inputs, targets))
    if batch_size is not None:
        checks.integer("batch_size", batch_size, at_least=1)
        checks.instance("generator", generator, torch.Generator, "given to draw batches")
    return _Data(inputs, targets, own_examples, leading[-1], batch_size)


def patience(name: str, measurements: int, at_least: float = 0.0, *, largest_is_best: bool = False) -> Callable:
    """Stop a run when a measure has not improved on its best for so many measurements.

    Equation, arguments and errors as in `dlnotes.numpy.training.patience`.
    """
    checks.integer("measurements", measurements, at_least=1)
    checks.real("at_least", at_least, at_least=0)
    checks.instance("largest_is_best", largest_is_best, bool, "True or False")

    def stop(measures: dict[str, Tensor]) -> Tensor:
        values = measures[checks.choice("name", name, measures)].to(torch.float64)
        return overfitting.waits_since_best(values, at_least, largest_is_best=largest_is_best) >= measurements

    return stop


def save(path: Path | str, training: Training) -> Training:
    """Write a training to a file in PyTorch's format, whole or not at all.

    Arguments and errors as in `dlnotes.numpy.training.save`.
    """
    checks.instance("training", training, Training, "what train gave")
    path = Path(path)
    unfinished = path.with_name(f"{path.name}.unfinished")
    torch.save(training._asdict(), unfinished)
    unfinished.replace(path)
    return training


def load(path: Path | str, *, device: torch.device | str | None = None) -> Training:
    """Read what `save` wrote.

    Arguments and errors as in `dlnotes.numpy.training.load`. Nothing in the file is run.

    Args:
        path: The file.
        device: Where the tensors are to lie; by default where they lay.
    """
    try:
        return Training(**torch.load(path, map_location=device, weights_only=True))
    except (OSError, EOFError, ValueError, KeyError, TypeError, RuntimeError, pickle.UnpicklingError) as error:
        raise ValueError(f"path must be a file that save wrote, got {path}") from error
