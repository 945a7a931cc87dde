"""Gradients by finite differences, and how far a hand-written gradient is from them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import checks, difference_quotients

if TYPE_CHECKING:
    from jaxtyping import Float

    # NumPy gives a scalar where an array would have no axes.
    Array = np.ndarray | np.generic


class GradientCheck(NamedTuple):
    """What `check_gradients` found: the worst parameter first."""

    worst: str
    error: float
    coordinate: tuple[int, ...] | None
    errors: dict[str, float]


def _values(function: Callable, points: np.ndarray, batched: bool) -> np.ndarray:
    """Evaluate a function at many points: at all of them in one call, or one by one."""
    if not batched:
        values = [np.asarray(function(point)) for point in points]
        return np.array([checks.shaped("function(point)", value, (), of="it is one number") for value in values])
    values = np.array(function(points))  # a copy, since the caller moves the points in place
    if values.shape != points.shape[:1]:
        raise ValueError(
            f"function must return one value for each run, shape {points.shape[:1]}, got shape {values.shape} "
            "(a function that takes no run axis needs batched=False)"
        )
    return values


def _steps(x: np.ndarray, method: str, step: float | None) -> np.ndarray:
    """Give the step of each coordinate: one that follows its size, or that which is asked for unless it is lost."""
    sizes = np.abs(x.reshape(-1))
    best = x.dtype.type(difference_quotients.best_step_size(method, dtype=x.dtype))
    if step is None:
        return np.full_like(sizes, best) if method == "complex" else best * np.maximum(sizes, 1)
    step, largest = checks.real("step", step, above=0), sizes.max(initial=0)
    if method != "complex" and np.isfinite(largest):
        checks.real("step", step, above=float(np.spacing(largest)) / 2)
    return np.full_like(sizes, step)


def numerical_gradient(
    function: Callable,
    x: Float[np.ndarray, "..."],
    *,
    method: str = "centered",
    step: float | None = None,
    batched: bool = True,
    chunk: int = 32,
) -> Float[np.ndarray, "..."]:
    """Differentiate a scalar function of an array by finite differences, many coordinates in one call.

        forward    (f(x + h e_i) - f(x)) / h
        centered   (f(x + h e_i) - f(x - h e_i)) / (2 h)
        complex    Im f(x + j h e_i) / h,  with j^2 = -1

    What is divided by is the distance between the two points as they were rounded, not h. By default h is
    `difference_quotients.best_step_size` times max(1, |x_i|), so that a coordinate far from 0 is moved too.

    Args:
        function: Takes points of shape (runs, *x.shape) and returns their values, shape (runs,): the moved copies of
            `x` are the runs, so that one call evaluates many of them. For "complex" it must take complex numbers and
            be analytic near `x`: no absolute value, no conjugate, and branches by the real part alone.
        x: The point, of any shape.
        method: "forward", "centered" or "complex".
        step: h, above 0, for every coordinate; by default as said above. A complex step is not rounded: for it the
            default is `difference_quotients.best_step_size`.
        batched: False for a function that takes one point, of the shape of `x`; it is then called once for each.
        chunk: How many coordinates one call moves, at least 1; it bounds the memory. More is slower where the passes no
            longer fit the cache.

    Returns:
        The gradient, of the shape and dtype of `x`.

    Raises:
        TypeError: If `x` is not an array of floating-point numbers.
        ValueError: If an argument is outside its range, `function` does not return one value for each run, or `step` is
            lost: so small that a coordinate plus it is rounded to the coordinate.

    Source: derived in gradient_checking#eq-centered-truncation; the complex step in gradient_checking#eq-complex-step.
    """
    checks.floating("x", x)
    checks.choice("method", method, difference_quotients.METHODS)
    chunk = checks.integer("chunk", chunk, at_least=1)
    steps = _steps(x, method, step)
    flat = x.reshape(-1).astype(np.result_type(x, 1j) if method == "complex" else x.dtype)
    points = np.repeat(flat[None], min(chunk, flat.size), axis=0)
    gradient = np.empty(x.size, x.dtype)
    start = _values(function, x[None], batched) if method == "forward" else None
    for first in range(0, x.size, chunk):
        columns = np.arange(first, min(first + chunk, x.size))
        rows = columns - first
        moved = points[: len(rows)].reshape(-1, *x.shape)
        ahead = points[rows, columns] = flat[columns] + (1j if method == "complex" else 1) * steps[columns]
        values = _values(function, moved, batched)
        if method == "complex":
            gradient[columns] = values.imag / steps[columns]
        elif method == "forward":
            gradient[columns] = (values - start) / (ahead - flat[columns])
        else:
            behind = points[rows, columns] = flat[columns] - steps[columns]
            gradient[columns] = (values - _values(function, moved, batched)) / (ahead - behind)
        points[rows, columns] = flat[columns]
    return gradient.reshape(x.shape)


def directional_derivatives(
    function: Callable,
    x: Float[np.ndarray, "..."],
    directions: Float[np.ndarray, "directions ..."],
    *,
    step: float | None = None,
    batched: bool = True,
) -> Float[np.ndarray, " directions"]:
    """Differentiate a scalar function of an array along given directions, by centered differences.

        (f(x + h d) - f(x - h d)) / t,    t = d.m / d.d,    m = (x + h d) - (x - h d) as rounded

    Without rounding the move m is 2 h d and t is 2 h. By default h is `difference_quotients.best_step_size` times the
    larger of 1 and the mean of all |x_i|. `check_gradients` compares along m itself, which leaves no error of the
    points.

    Args:
        function: Takes points of shape (runs, *x.shape) and returns their values, shape (runs,).
        x: The point, of any shape.
        directions: The directions d, each of the shape of `x`; all are moved along in one call.
        step: h, above 0; by default as said above.
        batched: False for a function that takes one point, of the shape of `x`.

    Returns:
        The derivative along each direction: the inner product of gradient and direction.

    Raises:
        TypeError: If `x` or `directions` is not an array of floating-point numbers.
        ValueError: If an argument is outside its range, `function` does not return one value for each run, or `step` is
            lost: so small that a point is rounded to where it was.

    Source: derived in gradient_checking#eq-directional.
    """
    differences, moves = _differences_along(function, x, directions, step, batched)
    rows = directions.reshape(len(directions), -1)
    largest = np.abs(rows).max(-1, initial=0, keepdims=True)
    weights = rows / np.where(largest > 0, largest, 1)
    length = np.vecdot(weights, rows)
    return differences * (length / np.where(length > 0, np.vecdot(weights, moves.reshape(rows.shape)), 1))


def _differences_along(
    function: Callable, x: np.ndarray, directions: np.ndarray, step: float | None, batched: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Give how much the function differs between both sides of x, and how far these lie apart as rounded."""
    checks.floating("x", x)
    checks.floating("directions", directions)
    checks.rank("directions", directions, exactly=x.ndim + 1)
    checks.last_axes("directions", directions, *x.shape, of="x has")
    if step is None:
        size = float(np.abs(x).mean(dtype=np.float64)) if x.size else 0.0
        step = difference_quotients.best_step_size(dtype=x.dtype) * max(size, 1.0)
    step = checks.real("step", step, above=0)
    ahead, behind = x + step * directions, x - step * directions
    moves, inner = ahead - behind, tuple(range(1, directions.ndim))
    if np.any((directions != 0).any(inner) & ~(moves != 0).any(inner)):
        raise ValueError(f"step must be large enough to move x along every direction, got {step}")
    return _values(function, ahead, batched) - _values(function, behind, batched), moves


def relative_error(
    first: Float[Array, "*runs_and_shape"], second: Float[Array, "*runs_and_shape"], *, run_axes: int = 0
) -> Float[Array, "..."]:
    """Compare two arrays by the norm of their difference.

        |a - b| / max(|a|, |b|),  0 where both are 0

    Args:
        first: a.
        second: b, of the shape of a.
        run_axes: How many leading axes are runs, each compared by itself; with all of them the comparison is
            element by element.

    Returns:
        The relative error of each run, from 0 (equal) to 2 (opposite), of the shape of the run axes.

    Raises:
        TypeError: If an argument is not an array of floating-point numbers.
        ValueError: If the shapes differ or `run_axes` is outside its range.

    Source: definition, as in gradient_checking#eq-relative-error.
    """
    checks.floating("first", first)
    checks.floating("second", second)
    checks.same_shape("second", second, "first", first)
    run_axes = checks.integer("run_axes", run_axes, at_least=0, at_most=first.ndim)
    dtype = np.result_type(first, second)
    # Numbers of 16 bits are compared in float32 and the error rounded once.
    first, second = (array.astype(np.result_type(dtype, np.float32), copy=False) for array in (first, second))
    axes = tuple(range(run_axes, first.ndim))
    scale = np.maximum(np.abs(first), np.abs(second)).max(axes, initial=0, keepdims=True)
    # Divided by the largest entry, the squares neither overflow nor underflow.
    first, second = (array / np.where(scale > 0, scale, 1) for array in (first, second))
    difference, *norms = (np.sqrt(np.square(array).sum(axes)) for array in (first - second, first, second))
    norm = np.maximum(*norms)
    return (difference / np.where(norm > 0, norm, 1)).astype(dtype, copy=False)


def random_directions(
    parameters: Mapping[str, Float[np.ndarray, "..."]], generator: np.random.Generator, *, count: int = 8
) -> dict[str, Float[np.ndarray, "count ..."]]:
    """Draw directions of length 1, each equally likely, for every parameter.

        d = z / |z|,  z normal

    Args:
        parameters: What the directions belong to, by name; only shapes and dtypes are used.
        generator: Draws z.
        count: How many directions each parameter gets, at least 1.

    Returns:
        For each name `count` directions of the parameter's shape and dtype.

    Raises:
        TypeError: If a parameter is not an array of floating-point numbers, or `generator` is no Generator.
        ValueError: If `count` is below 1.

    Derivation: the density of z depends on its length alone, so that every direction is equally likely; the length is
    divided out.

    Source: derived here.
    """
    checks.instance("generator", generator, np.random.Generator, "a numpy Generator")
    count = checks.integer("count", count, at_least=1)
    directions = {}
    for name, value in parameters.items():
        checks.floating(f"parameters[{name!r}]", value)
        drawn = generator.standard_normal((count, *value.shape))
        lengths = np.sqrt(np.square(drawn).sum(axis=tuple(range(1, drawn.ndim)), keepdims=True))
        directions[name] = (drawn / lengths).astype(value.dtype)
    return directions


def check_gradients(
    loss: Callable,
    parameters: Mapping[str, Float[np.ndarray, "..."]],
    gradients: Mapping[str, Float[np.ndarray, "..."]],
    *,
    directions: Mapping[str, Float[np.ndarray, "..."]] | None = None,
    method: str = "centered",
    step: float | None = None,
    batched: bool = True,
    chunk: int = 32,
) -> GradientCheck:
    """Compare the gradient of every parameter with finite differences, and name the worst.

    One parameter at a time gets a run axis of moved copies. The others keep their shape and broadcast, so that what
    does not depend on the moved parameter is computed once for all copies.

    Args:
        loss: Takes the dictionary of parameters and returns the loss of each run, shape (runs,).
        parameters: The point, by name.
        gradients: What is to be checked: the gradient of each parameter, of its shape.
        directions: None to move every coordinate; or for each parameter the directions to move it along, such as
            `random_directions` draws, where there are too many coordinates (centered differences).
        method: "forward", "centered" or "complex", as in `numerical_gradient`; for coordinates.
        step: h, above 0; by default as in `numerical_gradient` or `directional_derivatives`.
        batched: False for a loss that takes no run axis.
        chunk: How many coordinates one call moves, at least 1.

    Returns:
        The name of the parameter with the largest relative error, this error, the coordinate that differs most (None
        along directions, or where there is none), and the errors of all parameters. An error that is not a number
        counts as the largest.

    Raises:
        TypeError: If a parameter is not an array of floating-point numbers.
        ValueError: If the names or shapes of `gradients` are not those of `parameters`, or an argument is outside its
            range.

    Source: definition, by `numerical_gradient` and `relative_error`.
    """
    checks.same_names("gradients", gradients, "parameters", parameters)
    checks.integer("the number of parameters", len(parameters), at_least=1)
    if directions is not None:
        checks.same_names("directions", directions, "parameters", parameters)
    errors, coordinates = {}, {}
    for name, value in parameters.items():
        checks.floating(f"parameters[{name!r}]", value)
        checks.floating(f"gradients[{name!r}]", gradients[name])
        checks.same_shape(f"gradients[{name!r}]", gradients[name], f"parameters[{name!r}]", value)

        def along(moved: np.ndarray | np.generic, name: str = name) -> float | np.ndarray | np.generic:
            return loss({**parameters, name: moved})

        if directions is None:
            analytic = gradients[name]
            numeric = numerical_gradient(along, value, method=method, step=step, batched=batched, chunk=chunk)
            coordinates[name] = None
            if value.size:
                furthest = np.unravel_index(np.argmax(np.abs(analytic - numeric)), value.shape)
                coordinates[name] = tuple(int(index) for index in furthest)
        else:
            numeric, moves = _differences_along(along, value, directions[name], step, batched)
            analytic = np.tensordot(moves, gradients[name], axes=value.ndim)
            coordinates[name] = None
        errors[name] = float(relative_error(analytic, numeric))
    worst = max(errors, key=lambda name: math.inf if math.isnan(errors[name]) else errors[name])
    return GradientCheck(worst, errors[worst], coordinates[worst], errors)
