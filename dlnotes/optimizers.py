"""What an optimizer and a gradient are, in both backends; how optimizers are joined, and cut to some of the runs.

An optimizer is pure: `update` gives what is to be added to the parameters, and a new state. The training loop asks for
`init` and `update` alone. What else it uses where it is there is said here, a protocol each: `Elementwise`, `InPlace`,
`OverRunAxes` and `CutByItself` for optimizers, `Gradient` and `PreparedGradient` for gradients. Nothing here imports
NumPy or PyTorch: arrays are added, and asked for what both have.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

from dlnotes import checks

Arrays = Mapping[str, Any]


@runtime_checkable
class Optimizer(Protocol):
    """What turns gradients into steps. Its attributes are hyperparameters; what changes is in the state.

    The state is made of numbers and arrays, in tuples, lists, mappings and dataclasses. A hyperparameter with one
    number a run is an array whose axes are the first axes of the runs; the loop trains some of the runs at a time, and
    cuts their numbers out of it by `cut_to_runs`.
    """

    def init(self, params: Arrays) -> Any:
        """Give the state before the first step."""
        ...

    def update(self, grads: Arrays, state: Any, params: Arrays) -> tuple[dict[str, Any], Any]:
        """Give what is to be added to the parameters, and the next state."""
        ...


class Elementwise(Optimizer, Protocol):
    """An optimizer whose rule treats every number by itself, whichever parameter it belongs to.

    The loop may give it pieces of rows under one name in place of the parameters.
    """

    elementwise: bool


class InPlace(Optimizer, Protocol):
    """An optimizer that can write its step over the parameters and the state, to rounding the same as `update`.

    Attributes:
        in_place_of: The very `update` that the step stands for. An optimizer that has another `update`, because it is
            of a subclass or because somebody put another one there, takes that one's steps.
    """

    in_place_of: ClassVar[Callable]

    def update_in_place(self, grads: Arrays, state: Any, params: Arrays, scratch: Arrays | None = None) -> Any:
        """Take a step, and give the next state.

        Args:
            grads: The gradient, which is left as it is.
            state: What the step before gave; its arrays are written over.
            params: The parameters, which are written over.
            scratch: Arrays like the parameters that may be written over; None to make what is needed.
        """
        ...


class OverRunAxes(Optimizer, Protocol):
    """An optimizer that must know which axes of a parameter are its own, because its rule goes over all of them.

    Attributes:
        run_axes: How many leading axes of the parameters are runs. The loop lays all runs along one axis and gives
            its copy a 1 here.
    """

    run_axes: int


@runtime_checkable
class CutByItself(Optimizer, Protocol):
    """An optimizer that says itself what it is for some of the runs.

    It is needed where numbers of the runs are not attributes but stand in a closure, or where an attribute is an array
    that has nothing to do with runs.
    """

    def cut_to_runs(self, cut: Callable[[Any], Any]) -> Optimizer:
        """Give the optimizer for some of the runs.

        Args:
            cut: Takes whatever has one number a run, an array or a function of the step, and gives that of these runs,
                along one axis.
        """
        ...


@runtime_checkable
class Gradient(Protocol):
    """What gives the loss of each run and its gradient."""

    def __call__(self, params: Arrays, inputs: Any, targets: Any) -> tuple[Any, Arrays]:
        """Give the losses, one a run along one axis, and the gradients by the names of the parameters."""
        ...


@runtime_checkable
class PreparedGradient(Protocol):
    """A gradient that the loop prepares once, and then calls in every step.

    Here it is to check all examples once, to draw noise, or to write into arrays of the loop.
    """

    def prepare(self, params: Arrays, inputs: Any, targets: Any, out: Arrays, generators: Any) -> Gradient:
        """Give what is to be called in every step, for some of the runs.

        Args:
            params: The parameters of these runs, along one axis, as they are at the start.
            inputs: All examples; if each run has its own, those of these runs.
            targets: All targets, likewise.
            out: Arrays for the gradients. What is called may write into them and give this very mapping.
            generators: The generators of these runs along one axis, of PyTorch the one generator; of no length, or
                None, where none was given.
        """
        ...


@dataclass(frozen=True)
class WithNoise:
    """A gradient that draws random numbers, from the generators of its runs.

    Args:
        function: `(params, inputs, targets, generators) -> (losses, grads)`.
    """

    function: Callable

    def prepare(self, params: Arrays, inputs: Any, targets: Any, out: Arrays, generators: Any) -> Gradient:
        """Hand the generators on."""
        return functools.partial(self.function, generators=generators)


@dataclass(frozen=True)
class Written:
    """A gradient that is written into given arrays, which saves copying it.

    Args:
        function: `(params, inputs, targets, out) -> (losses, grads)`; it writes into `out` and gives it back as grads.
    """

    function: Callable

    def prepare(self, params: Arrays, inputs: Any, targets: Any, out: Arrays, generators: Any) -> Gradient:
        """Hand the arrays on."""
        return functools.partial(self.function, out=out)


class PreparedFunction:
    """A function that is a gradient, and can be prepared. It is made by `prepared_by`.

    Attributes:
        function: The gradient as it is called by itself.
        prepare: As in `PreparedGradient`.
    """

    def __init__(self, prepare: Callable[..., Gradient], function: Callable):
        functools.update_wrapper(self, function)
        self.prepare, self.function = prepare, function

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Call the function."""
        return self.function(*arguments, **options)


def prepared_by(prepare: Callable[..., Gradient]) -> Callable[[Callable], PreparedFunction]:
    """Say what a training loop is to call in place of a function; a decorator."""
    return functools.partial(PreparedFunction, prepare)


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

    def update(self, grads: Arrays, state: tuple, params: Arrays) -> tuple[dict[str, Any], tuple]:
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


def apply_updates(params: Arrays, updates: Arrays) -> dict[str, Any]:
    """Add the updates to the parameters, outside any graph of autograd.

    Args:
        params: Arrays by their names.
        updates: What is to be added to each.

    Returns:
        New arrays under the same names.

    Raises:
        TypeError: If an argument is no mapping.
        ValueError: If the names differ.
    """
    checks.same_names("updates", updates, "params", params)
    return {name: checks.without_graph(value) + checks.without_graph(updates[name]) for name, value in params.items()}


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


def is_elementwise(optimizer: Optimizer) -> bool:
    """Say whether an optimizer is `Elementwise`.

    What a class says of itself holds for its own `update`. A subclass with another `update` has to say it again.
    """
    if not getattr(optimizer, "elementwise", False):
        return False
    for named in (getattr(optimizer, "__dict__", {}), *map(vars, type(optimizer).__mro__)):
        if "elementwise" in named or "update" in named:
            return "elementwise" in named
    return False


def steps_in_place(optimizer: Optimizer) -> bool:
    """Say whether an optimizer is `InPlace`, for the `update` that it has now."""
    meant = getattr(type(optimizer), "in_place_of", None)
    return meant is not None and getattr(optimizer.update, "__func__", None) is meant


# Cutting some of the runs out


@dataclass(frozen=True)
class _ScheduleOfRuns:
    """A function of the step, for some of the runs. Whatever else it can do, it goes on doing."""

    schedule: Callable
    cut: Callable[[Any], Any]

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        given = self.schedule(*arguments, **options)
        of_a_step = len(arguments) == 1 and not options and isinstance(arguments[0], int)
        return self.cut(given) if of_a_step else given

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("schedule", "cut"):  # these are not there yet while a copy is being made
            raise AttributeError(name)
        return getattr(self.schedule, name)


def cut_to_runs(optimizer: Any, cut: Callable[[str, Any], Any], name: str = "optimizer") -> Any:
    """Give an optimizer for some of the runs: a copy in which each hyperparameter has the numbers of these alone.

    Attributes are gone through, and what is in them: optimizers, dataclasses, tuples, lists and mappings. A function of
    the step gives the numbers of these runs when it is called. `run_axes` becomes 1. An optimizer that is `CutByItself`
    does it itself.

    Args:
        optimizer: The optimizer of all runs, or anything in it.
        cut: Takes a name for messages and an array, and gives the numbers of these runs along one axis. What is no
            array it gives back.
        name: What to call it in messages.

    Returns:
        The optimizer of these runs. What was given is left as it was.
    """
    within = functools.partial(cut_to_runs, cut=cut)
    if optimizer is None or isinstance(optimizer, type | int | float | str):  # asking for a protocol takes far longer
        return optimizer
    if isinstance(optimizer, CutByItself):
        return check_optimizer(f"{name}.cut_to_runs(...)", optimizer.cut_to_runs(functools.partial(within, name=name)))
    if isinstance(optimizer, tuple | list):
        parts = [within(part, name=f"{name}[{number}]") for number, part in enumerate(optimizer)]
        return type(optimizer)(*parts) if hasattr(optimizer, "_fields") else type(optimizer)(parts)
    if isinstance(optimizer, dict):
        return {key: within(part, name=f"{name}[{key!r}]") for key, part in optimizer.items()}
    if is_dataclass(optimizer) or isinstance(optimizer, Optimizer):
        own = copy.copy(optimizer)
        for attribute in _attributes(optimizer):
            value = within(getattr(optimizer, attribute), name=f"{name}.{attribute}")
            object.__setattr__(own, attribute, 1 if attribute == "run_axes" else value)
        return own
    if callable(optimizer) and not hasattr(optimizer, "shape"):
        return _ScheduleOfRuns(optimizer, functools.partial(within, name=f"{name}(step)"))
    return cut(name, optimizer)


def _attributes(value: Any) -> list[str]:
    """Name the attributes of an object itself, those in slots too."""
    found = dict.fromkeys(getattr(value, "__dict__", ()))
    for kind in type(value).__mro__:
        slots = vars(kind).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            private = name.startswith("__") and not name.endswith("__")
            found[f"_{kind.__name__.lstrip('_')}{name}" if private else name] = None
    return [name for name in found if not name.startswith("__") and hasattr(value, name)]


def first_update(optimizer: Optimizer, grads: Arrays, state: Any, params: Arrays) -> tuple[Arrays, Any]:
    """Ask an optimizer for its first update, and look whether it fits the parameters.

    Args:
        optimizer: Any optimizer, cut to the runs of the parameters.
        grads: Gradients with one leading axis of runs.
        state: What its `init` gave.
        params: The parameters, likewise.

    Returns:
        What its `update` gives.

    Raises:
        ValueError: If an update has another name or shape than its parameter.
    """
    lacks = (
        "The training loop gives parameters with one leading axis, of some of the runs. Numbers of the runs must be "
        "attributes of the optimizer, from which the loop cuts them (see dlnotes.optimizers.cut_to_runs), or it needs "
        "a method cut_to_runs of its own."
    )
    try:
        updates, after = optimizer.update(grads, state, params)
        checks.same_names("updates of the optimizer", updates, "parameters", params)
        for name, value in params.items():
            checks.same_shape(f"updates[{name!r}] of the optimizer", updates[name], "its parameter", value)
    except Exception as error:
        error.add_note(lacks)
        raise
    return updates, after


# The state as a tree


def leaves(state: Any) -> list:
    """List the arrays and numbers of a state, in order.

    Raises:
        TypeError: If there is something else in it.
    """
    if isinstance(state, Mapping):
        state = tuple(state.values())
    if is_dataclass(state):
        state = tuple(getattr(state, field.name) for field in fields(state))
    if isinstance(state, tuple | list):
        return [leaf for part in state for leaf in leaves(part)]
    if state is None:
        return []
    if not hasattr(state, "dtype"):
        kinds = "made of numbers and arrays, in tuples, lists, mappings and dataclasses"
        checks.instance("state of the optimizer", state, (int, float, complex), kinds)
    return [state]


def refilled(state: Any, fresh: Iterator, like: Callable[[Any, Any], Any]) -> Any:
    """Give a state of the same form with other arrays and numbers.

    Args:
        state: The form.
        fresh: What comes into it, in the order of `leaves`.
        like: Takes a leaf of the form and what comes in its place, and gives the latter as the same kind.
    """
    within = functools.partial(refilled, fresh=fresh, like=like)
    if isinstance(state, Mapping):
        return {name: within(part) for name, part in state.items()}
    if is_dataclass(state):
        own = copy.copy(state)
        for field in fields(state):
            object.__setattr__(own, field.name, within(getattr(state, field.name)))
        return own
    if isinstance(state, tuple | list):
        parts = [within(part) for part in state]
        return type(state)(*parts) if hasattr(state, "_fields") else type(state)(parts)
    return None if state is None else like(state, next(fresh))
