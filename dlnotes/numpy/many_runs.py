"""Axes of runs: what optimizers and random kernels share, so that one call works on many runs at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dlnotes import checks, optimizers

if TYPE_CHECKING:
    from jaxtyping import Shaped

Arrays = dict[str, np.ndarray]


def zeros_like(params: Arrays) -> Arrays:
    """Give zeros in the shapes of the parameters, for averages over many steps.

    Args:
        params: Arrays by their names. In 16 bits an average would lose what a step adds to it: the square of a small
            gradient is 0 in float16, and in bfloat16 0.999 v is rounded back to v.

    Returns:
        Zeros under the same names, of the same dtype.

    Raises:
        TypeError: If `params` is no mapping, or an array does not hold floating-point numbers of at least 32 bits.
    """
    checks.instance("params", params, Mapping, "a mapping from names to arrays")
    return {name: np.zeros_like(checks.at_least_single(f"params[{name!r}]", value)) for name, value in params.items()}


def at_step(
    value: Any, step: int, name: str = "value", *, at_least: float | None = None, below: float | None = None
) -> float | np.ndarray:
    """Give the value of a hyperparameter at a step: one number, or an array with one a run, in float64.

    Args:
        value: A number, an array with one number a run, or a function of the step that gives either.
        step: Steps taken so far.
        name: What to call it in messages.
        at_least: The least number that a function of the step may give.
        below: What it must give less than.

    Returns:
        The number or the array.

    Raises:
        TypeError: If `value` is, or gives, something else.
        ValueError: If what it gives is not finite or out of range.
    """
    if isinstance(value, float):
        return float(value)
    if callable(value):
        value = checks.reals(f"{name} at step {step}", value(step), at_least=at_least, below=below)
    elif not isinstance(value, np.ndarray):
        value = checks.reals(name, value)
    return np.asarray(value, dtype=np.float64) if np.ndim(value) else float(value)


def rate_at_step(value: Any, step: int, name: str = "learning_rate") -> float | np.ndarray:
    """Give the value of a hyperparameter that is at least 0, as `at_step` does; see there for arguments and errors."""
    return value if type(value) is float else at_step(value, step, name, at_least=0)


def beta_at_step(value: Any, step: int, name: str = "beta") -> float | np.ndarray:
    """Give the value of a share from 0 to below 1, as `at_step` does; see there for arguments and errors."""
    return value if type(value) is float else at_step(value, step, name, at_least=0, below=1)


def aligned(value: Any, array: Shaped[np.ndarray | np.generic, "..."]) -> float | np.ndarray:
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


def generators(generator: np.random.Generator | np.ndarray, runs: tuple[int, ...]) -> np.ndarray:
    """Give each run a generator of its own, so that it draws the same whichever runs are beside it.

    Args:
        generator: A Generator spawns a child for each run, in C order; without runs it is used itself. An array of
            Generators is taken as it is.
        runs: The shape of the grid of runs.

    Returns:
        An array of Generators of the shape of `runs`.

    Raises:
        TypeError: If `generator` is neither, or an element of it is no Generator.
        ValueError: If an array has not the shape of `runs`, or if one Generator stands in it for two runs: what one
            of them draws would then hang on what the other drew.
    """
    runs = checks.shape("runs", runs)
    if isinstance(generator, np.random.Generator):
        own = np.empty(runs, dtype=object)
        own.flat = generator.spawn(own.size) if runs else [generator]
        return own
    checks.instance("generator", generator, np.ndarray, "a numpy Generator, or an array of them")
    own = checks.shaped("generator", generator, runs, of="runs")
    for one in own.flat:
        checks.instance("an element of generator", one, np.random.Generator, "a numpy Generator")
    return checks.distinct("generator", own, "an array with a Generator of its own for each run")


def cut(optimizer: optimizers.Optimizer, runs: tuple[int, ...], rows: slice = slice(None)) -> optimizers.Optimizer:
    """Give an optimizer for some of the runs, which lie along one axis then.

    Args:
        optimizer: The optimizer of all runs.
        runs: The shape of the grid of runs.
        rows: Which of them, counted in C order; by default all.

    Returns:
        A copy of the optimizer with the numbers of these runs.

    Raises:
        TypeError: If it is no optimizer.
        ValueError: If an array among its hyperparameters is not of the shape of the runs, or of their first axes.
    """

    def of_rows(name: str, value: Any) -> Any:
        if not isinstance(value, np.ndarray) or not value.ndim:
            return value
        checks.first_axes_of_runs(name, value, runs)
        from_left = value.reshape(value.shape + (1,) * (len(runs) - value.ndim))
        return np.broadcast_to(from_left, runs).reshape(-1)[rows]

    return optimizers.cut_to_runs(optimizers.check_optimizer("optimizer", optimizer), of_rows)
