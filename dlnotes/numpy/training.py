"""The training loop over many runs at once, and what optimizers share.

An optimizer is pure: `update` gives what is to be added to the parameters, and a new state. The loop is where speed
lives. It keeps all parameters of a run in one row of a buffer, so that one call updates them all, works on as many runs
at a time as fit in the cache, and takes steps in place where an optimizer offers it.
"""

from __future__ import annotations

import inspect
import json
import math
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from dlnotes import checks
from dlnotes.numpy import minibatch, network

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int, Num, Shaped

Arrays = dict[str, np.ndarray]

# About so many numbers are worked on at a time, so that parameters, gradient and averages stay in the cache from one
# operation to the next.
CHUNK_SIZE = 1 << 15


@runtime_checkable
class Optimizer(Protocol):
    """What turns gradients into steps. Its fields are hyperparameters; what changes is in the state."""

    def init(self, params: Arrays) -> Any:
        """Give the state before the first step."""
        ...

    def update(self, grads: Arrays, state: Any, params: Arrays) -> tuple[Arrays, Any]:
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

    def init(self, params: Arrays) -> tuple:
        """Give the state of every part."""
        return tuple(part.init(params) for part in self.parts)

    def update(self, grads: Arrays, state: tuple, params: Arrays) -> tuple[Arrays, tuple]:
        """Pass the gradient through all parts."""
        states = []
        for part, before in zip(self.parts, state, strict=True):
            grads, after = part.update(grads, before, params)
            states.append(after)
        return grads, tuple(states)


def chain(*parts: Optimizer) -> Chain:
    """Join optimizers in a row: clipping, then decay, then Adam, say.

    Args:
        *parts: Each takes as its gradient what the one before gives. A chain among them is taken apart.

    Returns:
        The whole, an optimizer too.

    Raises:
        TypeError: If a part has no `init` and `update`.
    """
    return Chain(tuple(one for part in parts for one in (part.parts if isinstance(part, Chain) else (part,))))


def zeros_like(params: Arrays) -> Arrays:
    """Give zeros in the shapes of the parameters.

    Raises:
        TypeError: If `params` is no mapping.
    """
    checks.instance("params", params, Mapping, "a mapping from names to arrays")
    return {name: np.zeros_like(value) for name, value in params.items()}


def apply_updates(params: Arrays, updates: Arrays) -> Arrays:
    """Add the updates to the parameters.

    Raises:
        ValueError: If the names differ.
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


def at_step(value: Any, step: int) -> float | np.ndarray:
    """Give the value of a hyperparameter at a step: one number, or an array with one a run, in float64.

    Args:
        value: A number, an array with one number a run, or a function of the step that gives either.
        step: Steps taken so far.

    Raises:
        TypeError: If `value` is, or gives, something else.
        ValueError: If what it gives is not finite.
    """
    if isinstance(value, float):
        return float(value)
    if not isinstance(value, np.ndarray):
        value = checks.reals("value", value(step) if callable(value) else value)
    return np.asarray(value, dtype=np.float64) if np.ndim(value) else float(value)


def per_run(value: Any, array: Shaped[np.ndarray | np.generic, "..."]) -> float | np.ndarray:
    """Shape one number a run so that it multiplies an array whose first axes are the runs.

    A single number becomes a Python float, which leaves the array's dtype as it is.

    Args:
        value: A number, or an array with one number a run.
        array: What it is to multiply.

    Raises:
        ValueError: If `value` has more axes than `array`.
    """
    if isinstance(value, float) or np.ndim(value) == 0:
        return float(value)
    checks.rank("array", array, at_least=value.ndim)
    return value.reshape(value.shape + (1,) * (array.ndim - value.ndim)).astype(array.dtype)


def generators_of_runs(generator: np.random.Generator | np.ndarray, runs: tuple[int, ...]) -> np.ndarray:
    """Give each run a generator of its own, so that it draws the same whichever runs are beside it.

    Args:
        generator: A Generator spawns a child for each run, in C order; without runs it is used itself. An array of
            Generators is taken as it is.
        runs: The shape of the grid of runs.

    Returns:
        An array of Generators of the shape of `runs`.

    Raises:
        TypeError: If `generator` is neither.
        ValueError: If an array has not the shape of `runs`.
    """
    runs = checks.shape("runs", runs)
    if isinstance(generator, np.random.Generator):
        generators = np.empty(runs, dtype=object)
        generators.flat = generator.spawn(generators.size) if runs else [generator]
        return generators
    checks.instance("generator", generator, np.ndarray, "a numpy Generator, or an array of them")
    return checks.shaped("generator", generator, runs, of="runs")


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
        generators: The state of each run's generator, as JSON.
    """

    step: int
    parameters: Arrays
    losses: Float[np.ndarray, "*runs steps"]
    measures: dict[str, Num[np.ndarray, "*runs measurements"]]
    measured_at: Int[np.ndarray, " measurements"]
    stopped: Bool[np.ndarray, "*runs"]
    stopped_at: Int[np.ndarray, "*runs"]
    best: Arrays | None
    state: list[np.ndarray]
    order: Int[np.ndarray, "rows examples"]
    position: int
    generators: list[str]


def _leaves(tree: Any) -> list:
    """List the arrays and numbers of a state, in order."""
    tree = tuple(tree.values()) if isinstance(tree, dict) else tree
    if isinstance(tree, tuple | list):
        return [leaf for part in tree for leaf in _leaves(part)]
    return [] if tree is None else [tree]


def _refill(tree: Any, leaves: Iterator) -> Any:
    """Give a state of the same form with other arrays and numbers."""
    if isinstance(tree, dict):
        return {name: _refill(part, leaves) for name, part in tree.items()}
    if isinstance(tree, tuple | list):
        parts = [_refill(part, leaves) for part in tree]
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    if tree is None:
        return None
    leaf = next(leaves)
    return leaf.copy() if np.ndim(leaf) else type(tree)(leaf)


def _narrow(value: Any, runs: tuple[int, ...], rows: slice) -> Any:
    """Cut the hyperparameters of some of the runs out of those of all; the runs become one axis."""
    if is_dataclass(value):
        changed = {field.name: _narrow(getattr(value, field.name), runs, rows) for field in fields(value)}
        return replace(value, **(changed | ({"run_axes": 1} if "run_axes" in changed else {})))
    if isinstance(value, tuple):
        return tuple(_narrow(part, runs, rows) for part in value)
    if callable(value):
        return lambda argument: _narrow(value(argument), runs, rows)
    if isinstance(value, np.ndarray) and value.ndim:
        checks.rank("runs", np.empty(runs), at_least=value.ndim)
        from_left = value.reshape(value.shape + (1,) * (len(runs) - value.ndim))
        return np.broadcast_to(from_left, runs).reshape(-1)[rows]
    return value


def _views(rows: np.ndarray, runs: tuple[int, ...], shapes: dict[str, tuple[int, ...]]) -> Arrays:
    """See parameters in rows of numbers, a row a run; nothing is copied."""
    ends = np.cumsum([math.prod(shape) for shape in shapes.values()]).tolist()
    pieces = zip(shapes.items(), [0, *ends[:-1]], ends, strict=True)
    return {name: rows[:, start:end].reshape(*runs, *shape) for (name, shape), start, end in pieces}


class _Part:
    """One optimizer of a chain at work on a chunk of runs.

    A rule that is elementwise does not care which parameter a number belongs to: it gets rows, in pieces that fit in
    the cache. Any other gets the parameters by name. The last part's updates are added to the parameters, the others'
    take the place of the gradient.
    """

    def __init__(self, optimizer: Optimizer, chunk: _Chunk, last: bool):
        self.optimizer, self.add = optimizer, last
        if getattr(optimizer, "elementwise", False):
            width = max(1, CHUNK_SIZE // len(chunk.rows))
            pieces = [slice(start, start + width) for start in range(0, chunk.rows.shape[1], width)]
            self.work = [({"": chunk.grad_rows[:, piece]}, {"": chunk.rows[:, piece]}) for piece in pieces]
        else:
            self.work = [(chunk.grads, chunk.params)]
        self.states = [optimizer.init(params) for _, params in self.work]
        # Asked of the function, so that an optimizer whose `update` is another never takes this one's step.
        self.in_place = getattr(type(optimizer).update, "in_place", None) if last else None
        self.scratch = [np.empty_like(params[""]) for _, params in self.work] if self.in_place else None

    def step(self) -> None:
        """Work on the gradient that lies in the chunk."""
        for i, (grads, params) in enumerate(self.work):
            if self.in_place is not None:
                self.states[i] = self.in_place(self.optimizer, grads, self.states[i], params, self.scratch[i])
                continue
            updates, self.states[i] = self.optimizer.update(grads, self.states[i], params)
            for name, update in updates.items():
                if self.add:
                    params[name] += update
                else:
                    grads[name][...] = update


class _Chunk:
    """Some of the runs, about as many as fit in the cache."""

    def __init__(self, rows: np.ndarray, shapes: dict[str, tuple[int, ...]], parts: list[Optimizer]):
        self.rows, self.grad_rows = rows, np.zeros_like(rows)
        self.params, self.grads = (_views(numbers, (len(rows),), shapes) for numbers in (rows, self.grad_rows))
        self.parts = [_Part(part, self, last=number == len(parts)) for number, part in enumerate(parts, 1)]

    def step(self, gradient: Callable, data: tuple, options: dict, active: np.ndarray | None) -> np.ndarray:
        """Take a step in the runs that are active, None for all, and give the losses before it."""
        losses, grads = gradient(self.params, *data, **options)
        if grads is not self.grads:
            checks.same_names("gradients", grads, "parameters", self.grads)
            for name, kept in self.grads.items():
                kept[...] = grads[name]
        frozen = None if active is None else self.rows[~active]
        for part in self.parts:
            part.step()
        if frozen is None:
            return losses
        self.rows[~active] = frozen
        return np.where(active, losses, np.nan)


class _Loop:
    """Everything that changes while `train` runs."""

    def __init__(self, parameters: Arrays, optimizer: Optimizer, generator: Any, runs: tuple[int, ...], steps: int):
        self.runs, count = runs, math.prod(runs)
        self.generators = np.empty(0) if generator is None else generators_of_runs(generator, runs).reshape(-1)
        self.shapes = {name: value.shape[len(runs) :] for name, value in parameters.items()}
        self.rows = self.pack(parameters)
        height = max(1, CHUNK_SIZE // max(1, self.rows.shape[1]))
        self.slices = [slice(start, min(start + height, count)) for start in range(0, count, height)]
        check_optimizer("optimizer", optimizer)
        parts = optimizer.parts if isinstance(optimizer, Chain) else (optimizer,)
        own = [(self.rows[rows], [_narrow(part, runs, rows) for part in parts]) for rows in self.slices]
        self.chunks = [_Chunk(rows, self.shapes, parts) for rows, parts in own]
        self.step, self.losses = 0, np.full((count, steps), np.nan, self.rows.dtype)
        self.measures: dict[str, list[np.ndarray]] = {}
        self.measured_at: list[int] = []
        self.active, self.stopped_at = np.ones(count, dtype=bool), np.zeros(count, dtype=np.int64)
        self.some_stopped = False
        self.best: np.ndarray | None = None
        self.order, self.position = np.zeros((0, 0), dtype=np.intp), 0

    def pack(self, parameters: Arrays) -> np.ndarray:
        """Lay the parameters of each run into one row."""
        count = math.prod(self.runs)
        values = [parameters[name].reshape(count, math.prod(shape)) for name, shape in self.shapes.items()]
        return np.concatenate(values, axis=1)

    def resume(self, training: Training) -> None:
        """Take over from where a training stands."""
        count, self.step = len(self.rows), training.step
        parts = [part for chunk in self.chunks for part in chunk.parts]
        if len(_leaves([part.states for part in parts])) != len(training.state):
            raise ValueError("resume must be a training of the same optimizer, got one with another state")
        self.rows[...] = self.pack(training.parameters)
        self.losses[:, : self.step] = training.losses.reshape(count, -1)
        self.measures = {name: list(value.reshape(count, -1).T) for name, value in training.measures.items()}
        self.measured_at = training.measured_at.tolist()
        self.stopped_at[...] = training.stopped_at.reshape(-1)
        self.active[...] = ~training.stopped.reshape(-1)
        self.some_stopped = not self.active.all()
        self.best = None if training.best is None else self.pack(training.best)
        self.order, self.position = training.order.copy(), training.position
        for generator, state in zip(self.generators, training.generators, strict=True):
            generator.bit_generator.state = json.loads(state)
        leaves = iter(training.state)
        for part in parts:
            part.states = _refill(part.states, leaves)

    def result(self) -> Training:
        """Give where the training stands."""
        runs = self.runs
        states = [part.states for chunk in self.chunks for part in chunk.parts]
        return Training(
            step=self.step,
            parameters=_views(self.rows, runs, self.shapes),
            losses=self.losses[:, : self.step].reshape(*runs, self.step).copy(),
            measures={name: self.history(name).copy() for name in self.measures},
            measured_at=np.array(self.measured_at, dtype=np.int64),
            stopped=~self.active.reshape(runs),
            stopped_at=np.where(self.active, self.step, self.stopped_at).reshape(runs),
            best=None if self.best is None else _views(self.best, runs, self.shapes),
            state=[np.array(leaf) for leaf in _leaves(states)],
            order=self.order.copy(),
            position=self.position,
            generators=[json.dumps(each.bit_generator.state, default=np.ndarray.tolist) for each in self.generators],
        )

    def history(self, name: str) -> np.ndarray:
        """Give what one measure was so far."""
        return np.stack(self.measures[name], axis=-1).reshape(*self.runs, -1)

    def measure(self, measure: Callable | None, every: int, keep_best: str | None, stop: Callable | None) -> None:
        """If it is time, measure every run, keep the best parameters, and stop the runs that are to be stopped."""
        if measure is None:
            return
        if self.step % checks.integer("measure_every", every, at_least=1) or self.step in self.measured_at[-1:]:
            return
        found = [(measure(chunk.params), len(chunk.rows)) for chunk in self.chunks]
        for name in found[0][0]:
            values = np.concatenate([np.broadcast_to(measured[name], count) for measured, count in found])
            self.measures.setdefault(name, []).append(values)
        self.measured_at.append(self.step)
        if keep_best is not None:
            checks.choice("keep_best", keep_best, self.measures)
            *before, now = self.measures[keep_best]
            better = now < np.fmin.reduce(before, axis=0, initial=np.inf)
            self.best = self.rows.copy() if self.best is None else self.best
            self.best[better] = self.rows[better]
        if stop is not None:
            stopped = stop({name: self.history(name) for name in self.measures})
            stopped = self.active & np.broadcast_to(stopped, self.runs).reshape(-1)
            self.stopped_at[stopped], self.active[stopped] = self.step, False
            self.some_stopped = not self.active.all()

    def next_batch(self, data: _Data) -> np.ndarray | None:
        """Draw the numbers of the next batch's examples, a row a run; shuffle where an epoch begins."""
        if data.batch_size is None:
            return None
        if not self.order.size or self.position == minibatch.batches_per_epoch(data.examples, data.batch_size):
            self.order = minibatch.shuffled_order(data.examples, self.generators, runs=self.generators.shape)
            self.position = 0
        self.position += 1
        return self.order[:, (self.position - 1) * data.batch_size : self.position * data.batch_size]

    def options(self, takes: Collection[str]) -> list[dict[str, Any]]:
        """Give for each chunk what the gradient takes beside parameters and examples."""
        given = [
            {"out": chunk.grads, "generators": self.generators[rows]}
            for chunk, rows in zip(self.chunks, self.slices, strict=True)
        ]
        return [{name: value for name, value in own.items() if name in takes} for own in given]

    def advance(self, gradient: Callable, data: _Data, options: list[dict[str, Any]]) -> None:
        """Take one step in every run that has not been stopped, and keep the losses before it."""
        batch = self.next_batch(data)
        for chunk, rows, own in zip(self.chunks, self.slices, options, strict=True):
            active = self.active[rows] if self.some_stopped else None
            if active is None or active.any():
                taken = data.take(rows, None if batch is None else batch[rows])
                self.losses[rows, self.step] = chunk.step(gradient, taken, own, active)
        self.step += 1


class _Data(NamedTuple):
    """The examples, and how batches are taken from them."""

    inputs: np.ndarray
    targets: np.ndarray
    per_run: bool
    examples: int
    batch_size: int | None

    def take(self, rows: slice, batch: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Give the inputs and targets of some runs."""
        x, y = (self.inputs[rows], self.targets[rows]) if self.per_run else (self.inputs, self.targets)
        if batch is None:
            return x, y
        if self.per_run:
            own = np.arange(len(x))[:, None]
            return x[own, batch], y[own, batch]
        return x.take(batch, axis=0), y.take(batch, axis=0)


def train(
    parameters: Arrays,
    inputs: Shaped[np.ndarray, "..."],
    targets: Shaped[np.ndarray, "..."],
    optimizer: Optimizer,
    *,
    steps: int,
    batch_size: int | None = None,
    generator: np.random.Generator | np.ndarray | None = None,
    runs: tuple[int, ...] = (),
    gradient: Callable | None = None,
    data_per_run: bool = False,
    measure: Callable | None = None,
    measure_every: int = 100,
    keep_best: str | None = None,
    stop: Callable | None = None,
    progress: Callable | None = None,
    save_to: Path | str | None = None,
    save_every: int = 1000,
    resume: Training | None = None,
) -> Training:
    """Train a grid of networks, each as if it were trained alone.

        for each step: draw a batch;  (loss, g) = gradient(parameters, batch);  parameters <- parameters + update(g)

    Every run has its own parameters, batches and hyperparameters; its result is the same to the bit whichever runs are
    trained beside it. A run that diverges goes on as inf or nan, without a warning and without harm to the others.

    Args:
        parameters: Where to start; the first axes of each array are the runs.
        inputs: The examples, along the first axis. They are cast to the parameters' dtype if they are floating-point.
        targets: What is to be predicted for each example.
        optimizer: An optimizer or a chain. Hyperparameters with one number a run have the shape of `runs`.
        steps: How many steps to take in all, at least 0.
        batch_size: Examples in a batch; None takes all of them in every step, in order.
        generator: Shuffles the examples; see `generators_of_runs`. Not needed with the full batch.
        runs: The shape of the grid of runs.
        gradient: `(params, inputs, targets) -> (losses, grads)`, with one leading axis of runs; by default
            `network.loss_and_gradient`. If it takes `generators`, it is given those of its runs, for noise; if it takes
            `out`, arrays to write the gradients into, which saves copying them.
        data_per_run: Whether each run has examples of its own; then the first axes of inputs and targets are the runs.
        measure: `params -> dict` of one number a run, to be recorded; params have one leading axis of runs.
        measure_every: Steps between measurements. The first comes before the first step.
        keep_best: The name of a measure; each run's parameters at its least value are kept.
        stop: `dict of measures so far -> bool` for each run, asked after each measurement; see `patience`.
        progress: Called after each step as `progress(step, steps, losses)`; see `show_progress`.
        save_to: A file to save to every `save_every` steps, and at the end.
        save_every: Steps between savings, at least 1.
        resume: Where to go on from; what else is given must be as it was, but `steps` may be larger.

    Returns:
        Parameters, losses, measures, and what is needed to go on.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If shapes do not fit `runs` or each other, or a number is out of range.

    Source: derived in the chapter.
    """
    runs = checks.shape("runs", runs, at_least=1)
    data = _checked_data(parameters, inputs, targets, runs, data_per_run, batch_size, generator)
    loop = _Loop(parameters, optimizer, generator, runs, checks.integer("steps", steps, at_least=0))
    if resume is not None:
        loop.resume(resume)
    gradient = _checked_once(network.loss_and_gradient if gradient is None else gradient, loop, data)
    options = loop.options(inspect.signature(gradient).parameters)
    with np.errstate(all="ignore"):
        loop.measure(measure, measure_every, keep_best, stop)
        while loop.step < steps and (not loop.some_stopped or loop.active.any()):
            loop.advance(gradient, data, options)
            loop.measure(measure, measure_every, keep_best, stop)
            if progress is not None:
                progress(loop.step, steps, loop.losses[:, loop.step - 1].reshape(runs))
            if save_to is not None and loop.step % checks.integer("save_every", save_every, at_least=1) == 0:
                save(save_to, loop.result())
    return loop.result() if save_to is None else save(save_to, loop.result())


def _checked_once(gradient: Callable, loop: _Loop, data: _Data) -> Callable:
    """Give what computes the gradient without checks, if there is such, after a check of all examples."""
    trusting = getattr(gradient, "trusting", None)
    return gradient if trusting is None else trusting(loop.chunks[0].params, data.inputs, data.targets)


def _checked_data(
    parameters: Arrays,
    inputs: np.ndarray,
    targets: np.ndarray,
    runs: tuple[int, ...],
    per_run: bool,
    batch_size: int | None,
    generator: Any,
) -> _Data:
    """Check that parameters and examples fit the runs and each other."""
    checks.integer("number of parameters", len(parameters), at_least=1)
    for name, value in parameters.items():
        checks.floating(f"parameters[{name!r}]", value)
        checks.shaped(f"runs of parameters[{name!r}]", np.empty(value.shape[: len(runs)]), runs, of="runs")
    first = len(runs) if per_run else 0
    checks.instance("inputs", inputs, np.ndarray, "an array")
    checks.axis("inputs", inputs, first, at_least=1, described="examples")
    leading = (*runs, inputs.shape[first]) if per_run else inputs.shape[:1]
    for name, value in (("inputs", inputs), ("targets", targets)):
        own = np.empty(checks.instance(name, value, np.ndarray, "an array").shape[: len(leading)])
        checks.shaped(f"runs and examples of {name}", own, leading, of="inputs and runs")
    if inputs.dtype.kind == "f":
        inputs = inputs.astype(next(iter(parameters.values())).dtype, copy=False)
    if per_run:
        inputs, targets = (value.reshape(-1, *value.shape[first:]) for value in (inputs, targets))
    if batch_size is not None:
        checks.integer("batch_size", batch_size, at_least=1)
        checks.instance("generator", generator, (np.random.Generator, np.ndarray), "given to draw batches")
    return _Data(inputs, targets, per_run, leading[-1], batch_size)


def patience(name: str, measurements: int, at_least: float = 0.0) -> Callable:
    """Stop a run when a measure has not been lowered for so many measurements.

    Args:
        name: The measure, one that is to be low.
        measurements: How many in a row may fail to lower it, at least 1.
        at_least: By how much it has to be lowered to count, at least 0.

    Returns:
        A function for `stop` of `train`.

    Raises:
        ValueError: If a number is out of range.
    """
    checks.integer("measurements", measurements, at_least=1)
    checks.real("at_least", at_least, at_least=0)

    def stop(measures: dict[str, np.ndarray]) -> Any:
        before, since = measures[name][..., :-measurements], measures[name][..., -measurements:]
        least = np.fmin.reduce(before, axis=-1, initial=np.inf, keepdims=True)
        return ~(since < least - at_least).any(-1) & (before.shape[-1] > 0)

    return stop


def show_progress(seconds: float = 1.0, stream: Any = None) -> Callable:
    """Write now and then how far a training is, what the middle loss is and how long the rest will take.

    Args:
        seconds: The least time between two lines, at least 0.
        stream: Where to write; by default standard error.

    Returns:
        A function for `progress` of `train`.

    Raises:
        ValueError: If `seconds` is negative.
    """
    checks.real("seconds", seconds, at_least=0)
    shown, last = time.monotonic(), 0

    def show(step: int, steps: int, losses: np.ndarray) -> None:
        nonlocal shown, last
        now = time.monotonic()
        if now - shown >= seconds or step == steps:
            left = (now - shown) / (step - last) * (steps - step)
            line = f"step {step} of {steps}, median loss {np.median(losses):.4g}, {left:.0f} s left"
            print(line, file=stream or sys.stderr, flush=True)
            shown, last = now, step

    return show


def save(path: Path | str, training: Training) -> Training:
    """Write a training to a file in NumPy's npz format, whole or not at all.

    Args:
        path: The file. It is replaced only when the new one is complete, so that a crash leaves the old one.
        training: What `train` gave.

    Returns:
        The same training.

    Raises:
        TypeError: If `training` is something else.
    """
    checks.instance("training", training, Training, "what train gave")
    arrays = {"form": np.array([training.best is not None, len(training.state)])}
    for field, value in training._asdict().items():
        if isinstance(value, dict):
            arrays |= {f"{field}/{name}": part for name, part in value.items()}
        elif field == "state":
            arrays |= {f"state/{number}": leaf for number, leaf in enumerate(value)}
        elif value is not None:
            arrays[field] = np.array(value)
    path = Path(path)
    unfinished = path.with_name(f"{path.name}.unfinished")
    with unfinished.open("wb") as file:
        np.savez(file, **arrays)
    unfinished.replace(path)
    return training


def load(path: Path | str) -> Training:
    """Read what `save` wrote.

    Args:
        path: The file.

    Returns:
        The training, equal to the bit.

    Raises:
        ValueError: If there is no file, or it does not hold a training.
    """
    arrays = dict(np.load(path)) if Path(path).is_file() else {}
    if "form" not in arrays:
        raise ValueError(f"path must be a file that save wrote, got {path}")
    has_best, leaves = arrays["form"].tolist()

    def under(field: str) -> Arrays:
        return {name[len(field) + 1 :]: value for name, value in arrays.items() if name.startswith(f"{field}/")}

    return Training(
        step=int(arrays["step"]),
        position=int(arrays["position"]),
        generators=arrays["generators"].tolist(),
        parameters=under("parameters"),
        measures=under("measures"),
        best=under("best") if has_best else None,
        state=[arrays[f"state/{number}"] for number in range(leaves)],
        **{name: arrays[name] for name in ("losses", "measured_at", "stopped", "stopped_at", "order")},
    )
