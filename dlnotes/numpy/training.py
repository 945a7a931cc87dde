"""The training loop over many runs at once.

An optimizer is pure: `update` gives what is to be added to the parameters, and a new state. The loop is where speed
lives. It keeps all parameters of a run in one row of a buffer, so that one call updates them all, works on as many runs
at a time as fit in the cache, and takes steps in place where an optimizer offers it.
"""

from __future__ import annotations

import functools
import json
import math
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dlnotes import checks, optimizers
from dlnotes.numpy import many_runs, minibatch, network, overfitting

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int, Num, Shaped

Arrays = dict[str, np.ndarray]

# About so many numbers are worked on at a time, so that parameters, gradient and averages stay in the cache from one
# operation to the next.
CHUNK_SIZE = 1 << 15


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


def _like(leaf: Any, fresh: np.ndarray) -> Any:
    return fresh.copy() if fresh.ndim or isinstance(leaf, np.ndarray) else type(leaf)(fresh)


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

    def __init__(self, optimizer: optimizers.Optimizer, chunk: _Chunk, last: bool):
        self.optimizer, self.add = optimizer, last
        if optimizers.is_elementwise(optimizer):
            width = max(1, CHUNK_SIZE // len(chunk.rows))
            pieces = [slice(start, start + width) for start in range(0, chunk.rows.shape[1], width)]
            self.work = [({"": chunk.grad_rows[:, piece]}, {"": chunk.rows[:, piece]}) for piece in pieces]
        else:
            self.work = [(chunk.grads, chunk.params)]
        self.states = [optimizer.init(params) for _, params in self.work]
        optimizers.leaves(self.states)  # refuses a state that could not be kept
        self.in_place = last and optimizers.steps_in_place(optimizer)
        self.scratch = [
            {name: np.empty_like(value) for name, value in params.items()} if self.in_place else None
            for _, params in self.work
        ]
        self.update = functools.partial(optimizers.first_update, optimizer)

    def step(self) -> None:
        """Work on the gradient that lies in the chunk."""
        for i, (grads, params) in enumerate(self.work):
            if self.in_place:
                self.states[i] = self.optimizer.update_in_place(grads, self.states[i], params, self.scratch[i])
                continue
            updates, self.states[i] = self.update(grads, self.states[i], params)
            for name, update in updates.items():
                if self.add:
                    params[name] += update
                else:
                    grads[name][...] = update
        self.update = self.optimizer.update


class _Chunk:
    """Some of the runs, about as many as fit in the cache."""

    def __init__(self, rows: np.ndarray, shapes: dict[str, tuple[int, ...]], parts: list[optimizers.Optimizer]):
        self.rows, self.grad_rows = rows, np.zeros_like(rows)
        self.params, self.grads = (_views(numbers, (len(rows),), shapes) for numbers in (rows, self.grad_rows))
        self.parts = [_Part(part, self, last=number == len(parts)) for number, part in enumerate(parts, 1)]

    def prepare(
        self, gradient: Callable | optimizers.PreparedGradient, data: tuple, generators: np.ndarray
    ) -> Callable:
        """Give what is to be called in every step."""
        if isinstance(gradient, optimizers.PreparedGradient):
            return gradient.prepare(self.params, *data, out=self.grads, generators=generators)
        return gradient

    def step(self, gradient: Callable, data: tuple, active: np.ndarray | None) -> np.ndarray:
        """Take a step in the runs that are active, None for all, and give the losses before it."""
        losses, grads = gradient(self.params, *data)
        if grads is not self.grads:
            checks.same_names("gradients", grads, "parameters", self.grads)
            for name, kept in self.grads.items():
                kept[...] = checks.same_shape(f"gradients[{name!r}]", grads[name], "its parameter", kept)
        checks.shaped("losses", losses, self.rows.shape[:1], of="one a run")
        frozen = None if active is None else self.rows[~active]
        for part in self.parts:
            part.step()
        if frozen is None:
            return losses
        self.rows[~active] = frozen
        return np.where(active, losses, np.nan)


class _Loop:
    """Everything that changes while `train` runs."""

    def __init__(
        self,
        parameters: Arrays,
        optimizer: optimizers.Optimizer,
        generator: Any,
        runs: tuple[int, ...],
        steps: int,
    ):
        self.runs, count = runs, math.prod(runs)
        self.generators = np.empty(0) if generator is None else many_runs.generators(generator, runs).reshape(-1)
        self.shapes = {name: value.shape[len(runs) :] for name, value in parameters.items()}
        self.rows = self.pack(parameters)
        height = max(1, CHUNK_SIZE // max(1, self.rows.shape[1]))
        self.slices = [slice(start, min(start + height, count)) for start in range(0, count, height)]
        optimizers.check_optimizer("optimizer", optimizer)
        parts = optimizer.parts if isinstance(optimizer, optimizers.Chain) else (optimizer,)
        own = [(self.rows[rows], [many_runs.cut(part, runs, rows) for part in parts]) for rows in self.slices]
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

    def resume(self, training: Training | None) -> _Loop:
        """Take over from where a training stands, if one is given."""
        if training is None:
            return self
        count, self.step = len(self.rows), training.step
        parts = [part for chunk in self.chunks for part in chunk.parts]
        own = optimizers.leaves([part.states for part in parts])
        if len(own) != len(training.state) or any(
            np.ndim(leaf) and leaf.shape != kept.shape for leaf, kept in zip(own, training.state, strict=True)
        ):
            raise ValueError("resume must be a training of the same optimizer, got one with another state")
        if len(self.generators) != len(training.generators):
            given = f"{len(self.generators)}, and resume has {len(training.generators)}"
            raise ValueError(f"generator must be given as it was at first, got one for each of {given}")
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
        fresh = iter(training.state)
        for part in parts:
            part.states = optimizers.refilled(part.states, fresh, _like)
        return self

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
            state=[np.array(leaf) for leaf in optimizers.leaves(states)],
            order=self.order.copy(),
            position=self.position,
            generators=[json.dumps(each.bit_generator.state, default=np.ndarray.tolist) for each in self.generators],
        )

    def history(self, name: str) -> np.ndarray:
        """Give what one measure was so far."""
        return np.stack(self.measures[name], axis=-1).reshape(*self.runs, -1)

    def measure(self, asked: _Measuring) -> None:
        """If it is time, measure every run, keep the best parameters, and stop the runs that are to be stopped."""
        if asked.measure is None or self.step % asked.every or self.step in self.measured_at[-1:]:
            return
        found = [(asked.measure(chunk.params), len(chunk.rows)) for chunk in self.chunks]
        for name in checks.instance("what measure gives", found[0][0], Mapping, "a mapping from names to numbers"):
            values = [
                np.broadcast_to(checks.broadcasts(f"measure {name!r}", measured[name], (count,), of="one a run"), count)
                for measured, count in found
            ]
            self.measures.setdefault(name, []).append(np.concatenate(values))
        self.measured_at.append(self.step)
        if asked.keep_best is not None:
            self.keep_best(checks.choice("keep_best", asked.keep_best, self.measures), asked.largest_is_best)
        if asked.stop is not None:
            stopped = np.asarray(asked.stop({name: self.history(name) for name in self.measures}))
            checks.broadcasts("what stop gives", stopped, self.runs, of="runs")
            stopped = self.active & np.broadcast_to(stopped, self.runs).reshape(-1)
            self.stopped_at[stopped], self.active[stopped] = self.step, False
            self.some_stopped = not self.active.all()

    def keep_best(self, name: str, largest_is_best: bool) -> None:
        """Keep the parameters of the runs whose measure is better than all before it; nan is not."""
        *before, now = [-value if largest_is_best else value for value in self.measures[name]]
        better = now < np.fmin.reduce(before, axis=0, initial=np.inf)
        self.best = self.rows.copy() if self.best is None else self.best
        self.best[better] = self.rows[better]

    def next_batch(self, data: _Data) -> np.ndarray | None:
        """Draw the numbers of the next batch's examples, a row a run; shuffle where an epoch begins."""
        if data.batch_size is None:
            return None
        if not self.order.size or self.position == minibatch.batches_per_epoch(data.examples, data.batch_size):
            self.order = minibatch.shuffled_order(data.examples, self.generators, runs=self.generators.shape)
            self.position = 0
        self.position += 1
        return self.order[:, (self.position - 1) * data.batch_size : self.position * data.batch_size]

    def prepare(self, gradient: Callable | optimizers.PreparedGradient, data: _Data) -> list[Callable]:
        """Give for each chunk what computes its gradient."""
        each = zip(self.chunks, self.slices, strict=True)
        return [chunk.prepare(gradient, data.take(rows, None), self.generators[rows]) for chunk, rows in each]

    def advance(self, gradients: list[Callable], data: _Data) -> None:
        """Take one step in every run that has not been stopped, and keep the losses before it."""
        batch = self.next_batch(data)
        for chunk, rows, gradient in zip(self.chunks, self.slices, gradients, strict=True):
            active = self.active[rows] if self.some_stopped else None
            if active is None or active.any():
                taken = data.take(rows, None if batch is None else batch[rows])
                self.losses[rows, self.step] = chunk.step(gradient, taken, active)
        self.step += 1


class _Measuring(NamedTuple):
    """What is measured while a training runs, and what for."""

    measure: Callable | None
    every: int
    keep_best: str | None
    largest_is_best: bool
    stop: Callable | None


class _Data(NamedTuple):
    """The examples, and how batches are taken from them."""

    inputs: np.ndarray
    targets: np.ndarray
    own_examples: bool
    examples: int
    batch_size: int | None

    def take(self, rows: slice, batch: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Give the inputs and targets of some runs."""
        x, y = (self.inputs[rows], self.targets[rows]) if self.own_examples else (self.inputs, self.targets)
        if batch is None:
            return x, y
        if self.own_examples:
            own = np.arange(len(x))[:, None]
            return x[own, batch], y[own, batch]
        return x.take(batch, axis=0), y.take(batch, axis=0)


def train(
    parameters: Arrays,
    inputs: Shaped[np.ndarray, "..."],
    targets: Shaped[np.ndarray, "..."],
    optimizer: optimizers.Optimizer,
    *,
    steps: int,
    batch_size: int | None = None,
    generator: np.random.Generator | np.ndarray | None = None,
    runs: tuple[int, ...] = (),
    gradient: Callable | optimizers.PreparedGradient | None = None,
    data_per_run: bool = False,
    measure: Callable | None = None,
    measure_every: int = 100,
    keep_best: str | None = None,
    largest_is_best: bool = False,
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
        optimizer: An `optimizers.Optimizer`, a chain say. Hyperparameters with one number a run have the shape of
            `runs`.
        steps: How many steps to take in all, at least 0.
        batch_size: Examples in a batch; None takes all of them in every step, in order.
        generator: Shuffles the examples; see `many_runs.generators`. Not needed with the full batch.
        runs: The shape of the grid of runs.
        gradient: `(params, inputs, targets) -> (losses, grads)`, with one leading axis of runs; by default
            `network.loss_and_gradient`. One that draws noise goes into `optimizers.WithNoise`, one that writes into
            given arrays into `optimizers.Written`; both are kinds of `optimizers.PreparedGradient`.
        data_per_run: Whether each run has examples of its own; then the first axes of inputs and targets are the runs.
        measure: `params -> dict` of one number a run, to be recorded; params have one leading axis of runs.
        measure_every: Steps between measurements. The first comes before the first step.
        keep_best: The name of a measure; each run's parameters at its least value are kept. A value that is nan is
            not the best: a run that has no other keeps its first parameters.
        largest_is_best: Whether `keep_best` keeps the largest value, of an accuracy say.
        stop: `dict of measures so far -> bool` for each run, asked after each measurement; see `patience`.
        progress: Called after each step as `progress(step, steps, losses)`; see `show_progress`.
        save_to: A file, in a folder that exists, to save to every `save_every` steps, and at the end.
        save_every: Steps between savings, at least 1.
        resume: Where to go on from; what else is given must be as it was, but `steps` may be larger. None starts anew.

    Returns:
        Parameters, losses, measures, and what is needed to go on.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If shapes do not fit `runs` or each other, or a number is out of range.

    Source: definition.
    """
    runs = checks.shape("runs", runs, at_least=1)
    steps = checks.integer("steps", steps, at_least=0 if resume is None else _checked_resume(resume, parameters).step)
    save_every = _checked_saving(save_to, save_every)
    data = _checked_data(parameters, inputs, targets, runs, data_per_run, batch_size, generator)
    loop = _Loop(parameters, optimizer, generator, runs, steps)
    gradients = loop.resume(resume).prepare(gradient or network.loss_and_gradient, data)
    measure_every = checks.integer("measure_every", measure_every, at_least=1)
    measuring = _Measuring(measure, measure_every, keep_best, largest_is_best, stop)
    with np.errstate(all="ignore"):
        loop.measure(measuring)
        while loop.step < steps and (not loop.some_stopped or loop.active.any()):
            loop.advance(gradients, data)
            loop.measure(measuring)
            if progress is not None:
                progress(loop.step, steps, loop.losses[:, loop.step - 1].reshape(runs))
            if save_to is not None and loop.step % save_every == 0:
                save(save_to, loop.result())
    return loop.result() if save_to is None else save(save_to, loop.result())


def _checked_resume(resume: Training, parameters: Arrays) -> Training:
    checks.instance("resume", resume, Training, "what train or load gave")
    checks.same_arrays("resume.parameters", resume.parameters, "parameters", parameters)
    return resume


def _checked_saving(path: Path | str | None, every: int) -> int:
    if path is not None and (Path(path).is_dir() or not Path(path).resolve().parent.is_dir()):
        raise ValueError(f"save_to must be a file in a folder that exists, got {path}")
    return checks.integer("save_every", every, at_least=1)


def _checked_data(
    parameters: Arrays,
    inputs: np.ndarray,
    targets: np.ndarray,
    runs: tuple[int, ...],
    own_examples: bool,
    batch_size: int | None,
    generator: Any,
) -> _Data:
    """Check that parameters and examples fit the runs and each other."""
    checks.instance("parameters", parameters, Mapping, "a mapping from names to arrays")
    checks.integer("number of parameters", len(parameters), at_least=1)
    for name, value in parameters.items():
        checks.leading_axes(f"parameters[{name!r}]", checks.floating(f"parameters[{name!r}]", value), runs, of="runs")
    first = len(runs) if own_examples else 0
    checks.instance("inputs", inputs, np.ndarray, "an array")
    checks.axis("inputs", inputs, first, at_least=1, described="examples")
    leading = (*runs, inputs.shape[first]) if own_examples else inputs.shape[:1]
    for name, value in (("inputs", inputs), ("targets", targets)):
        checks.leading_axes(name, checks.instance(name, value, np.ndarray, "an array"), leading, of="inputs and runs")
    if inputs.dtype.kind == "f":
        inputs = inputs.astype(next(iter(parameters.values())).dtype, copy=False)
    if own_examples:
        inputs, targets = (value.reshape(-1, *value.shape[first:]) for value in (inputs, targets))
    if batch_size is not None:
        checks.integer("batch_size", batch_size, at_least=1)
        checks.instance("generator", generator, (np.random.Generator, np.ndarray), "given to draw batches")
    return _Data(inputs, targets, own_examples, leading[-1], batch_size)


def patience(name: str, measurements: int, at_least: float = 0.0, *, largest_is_best: bool = False) -> Callable:
    """Stop a run when a measure has not improved on its best for so many measurements.

        stopped where overfitting.waits_since_best(measure, at_least) >= measurements

    A measure that is nan has not improved, from the first one on.

    Args:
        name: The measure.
        measurements: How many in a row may fail to improve on the best before them, at least 1.
        at_least: By how much it has to improve to count, at least 0; it must be more than that.
        largest_is_best: Whether it is to be high, as an accuracy.

    Returns:
        A function for `stop` of `train`.

    Raises:
        ValueError: If a number is out of range; when the function is called, if there is no such measure.

    Source: the rule of `overfitting.waits_since_best`.
    """
    checks.integer("measurements", measurements, at_least=1)
    checks.real("at_least", at_least, at_least=0)
    checks.instance("largest_is_best", largest_is_best, bool, "True or False")

    def stop(measures: dict[str, np.ndarray]) -> Any:
        values = np.asarray(measures[checks.choice("name", name, measures)], dtype=np.float64)
        return overfitting.waits_since_best(values, at_least, largest_is_best=largest_is_best) >= measurements

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
    try:
        with Path(path).open("rb") as file:
            return _training_of(dict(np.load(file)))
    except (OSError, EOFError, ValueError, KeyError, AttributeError, TypeError, *_broken_archive()) as error:
        raise ValueError(f"path must be a file that save wrote, got {path}") from error


def _broken_archive() -> tuple[type[Exception], ...]:
    """Name what a broken archive raises. The two modules are loaded only when a file is."""
    import zipfile
    import zlib

    return zipfile.BadZipFile, zlib.error


def _training_of(arrays: Arrays) -> Training:
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
