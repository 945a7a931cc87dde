"""Gradients by finite differences, and how far a gradient is from them, on any device.

For a check of autograd itself take float64: `parameters` may come from a module's `named_parameters()` and `gradients`
from `torch.autograd.grad`. Nothing here builds an autograd graph.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from dlnotes import checks, difference_quotients

if TYPE_CHECKING:
    from jaxtyping import Float


class GradientCheck(NamedTuple):
    """What `check_gradients` found: the worst parameter first."""

    worst: str
    error: float
    coordinate: tuple[int, ...] | None
    errors: dict[str, float]


def _values(function: Callable, points: Tensor, batched: bool) -> Tensor:
    """Evaluate a function at many points: at all of them in one call, or one by one."""
    if not batched:
        values = [torch.as_tensor(function(point)) for point in points]
        for value in values:
            checks.shaped("function(point)", value, (), of="it is one number")
        return torch.stack(values) if values else points.new_zeros(0)
    values = torch.as_tensor(function(points)).clone()  # a copy, since the caller moves the points in place
    if values.shape != points.shape[:1]:
        raise ValueError(
            f"function must return one value for each run, shape {tuple(points.shape[:1])}, "
            f"got shape {tuple(values.shape)} (a function that takes no run axis needs batched=False)"
        )
    return values


def _steps(x: Tensor, method: str, step: float | None) -> Tensor:
    """Give the step of each coordinate: one that follows its size, or that which is asked for unless it is lost."""
    sizes = x.reshape(-1).abs()
    if step is None:
        best = difference_quotients.best_step_size(method, dtype=x.dtype)
        return torch.full_like(sizes, best) if method == "complex" else best * sizes.clamp(min=1)
    step = checks.real("step", step, above=0)
    if method != "complex" and sizes.numel() and bool(sizes.max().isfinite()):
        largest = sizes.max()
        checks.real("step", step, above=float(torch.nextafter(largest, largest + largest + 1) - largest) / 2)
    return torch.full_like(sizes, step)


@torch.no_grad()
def numerical_gradient(
    function: Callable,
    x: Float[Tensor, "..."],
    *,
    method: str = "centered",
    step: float | None = None,
    batched: bool = True,
    chunk: int = 32,
) -> Float[Tensor, "..."]:
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
        chunk: How many coordinates one call moves, at least 1; it bounds the memory. On a GPU take more.

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
    steps = _steps(x.detach(), method, step)
    flat = x.detach().reshape(-1).to(x.dtype.to_complex() if method == "complex" else x.dtype)
    points = flat.repeat(min(chunk, flat.numel()), 1)
    gradient = torch.empty(x.numel(), dtype=x.dtype, device=x.device)
    start = _values(function, x.detach()[None], batched) if method == "forward" else None
    for first in range(0, x.numel(), chunk):
        columns = torch.arange(first, min(first + chunk, x.numel()), device=x.device)
        rows = columns - first
        moved = points[: len(rows)].view(-1, *x.shape)
        ahead = flat[columns] + (1j if method == "complex" else 1) * steps[columns]
        points[rows, columns] = ahead
        values = _values(function, moved, batched)
        if method == "complex":
            gradient[columns] = values.imag / steps[columns]
        elif method == "forward":
            gradient[columns] = (values - start) / (ahead - flat[columns])
        else:
            behind = flat[columns] - steps[columns]
            points[rows, columns] = behind
            gradient[columns] = (values - _values(function, moved, batched)) / (ahead - behind)
        points[rows, columns] = flat[columns]
    return gradient.view(x.shape)


@torch.no_grad()
def directional_derivatives(
    function: Callable,
    x: Float[Tensor, "..."],
    directions: Float[Tensor, "directions ..."],
    *,
    step: float | None = None,
    batched: bool = True,
) -> Float[Tensor, " directions"]:
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
    if not rows.numel():
        return differences
    largest = rows.abs().amax(-1, keepdim=True)
    weights = rows / torch.where(largest > 0, largest, 1)
    length = torch.linalg.vecdot(weights, rows)
    moved = torch.linalg.vecdot(weights, moves.reshape(rows.shape))
    return differences * (length / torch.where(length > 0, moved, 1))


@torch.no_grad()
def _differences_along(
    function: Callable, x: Tensor, directions: Tensor, step: float | None, batched: bool
) -> tuple[Tensor, Tensor]:
    """Give how much the function differs between both sides of x, and how far these lie apart as rounded."""
    checks.floating("x", x)
    checks.floating("directions", directions)
    checks.rank("directions", directions, exactly=x.ndim + 1)
    checks.last_axes("directions", directions, *x.shape, of="x has")
    checks.same_dtype("directions", directions, "x", x)
    if step is None:
        size = float(x.abs().to("cpu", torch.float64).mean()) if x.numel() else 0.0
        step = difference_quotients.best_step_size(dtype=x.dtype) * max(size, 1.0)
    step = checks.real("step", step, above=0)
    ahead, behind = x + step * directions, x - step * directions
    moves = ahead - behind
    meant, made = ((array != 0).reshape(len(array), -1).any(-1) for array in (directions, moves))
    if bool((meant & ~made).any()):
        raise ValueError(f"step must be large enough to move x along every direction, got {step}")
    return _values(function, ahead, batched) - _values(function, behind, batched), moves


def relative_error(
    first: Float[Tensor, "*runs_and_shape"], second: Float[Tensor, "*runs_and_shape"], *, run_axes: int = 0
) -> Float[Tensor, "..."]:
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
    dtype = torch.promote_types(first.dtype, second.dtype)
    if first.numel() == 0:
        return first.new_zeros(first.shape[:run_axes], dtype=dtype)
    # Numbers of 16 bits are compared in float32 and the error rounded once.
    first, second = (array.to(torch.promote_types(dtype, torch.float32)) for array in (first, second))
    first, second = (array.reshape(*array.shape[:run_axes], -1) for array in (first, second))
    scale = torch.maximum(first.abs(), second.abs()).amax(-1, keepdim=True)
    # Divided by the largest entry, the squares neither overflow nor underflow.
    first, second = (array / torch.where(scale > 0, scale, 1) for array in (first, second))
    difference, *norms = (torch.linalg.vector_norm(array, dim=-1) for array in (first - second, first, second))
    norm = torch.maximum(*norms)
    return (difference / torch.where(norm > 0, norm, 1)).to(dtype)


def random_directions(
    parameters: Mapping[str, Float[Tensor, "..."]], generator: torch.Generator, *, count: int = 8
) -> dict[str, Float[Tensor, "count ..."]]:
    """Draw directions of length 1, each equally likely, for every parameter.

        d = z / |z|,  z normal

    Args:
        parameters: What the directions belong to, by name; only shapes, dtypes and devices are used.
        generator: Draws z, on its own device.
        count: How many directions each parameter gets, at least 1.

    Returns:
        For each name `count` directions of the parameter's shape and dtype, where the parameter is.

    Raises:
        TypeError: If a parameter is not an array of floating-point numbers, or `generator` is no Generator.
        ValueError: If `count` is below 1.

    Source: derived here.
    """
    checks.instance("generator", generator, torch.Generator, "a torch Generator")
    count = checks.integer("count", count, at_least=1)
    directions = {}
    for name, value in parameters.items():
        checks.floating(f"parameters[{name!r}]", value)
        shape = (count, *value.shape)
        drawn = torch.randn(shape, generator=generator, device=generator.device, dtype=torch.float64)
        lengths = torch.linalg.vector_norm(drawn.view(count, -1), dim=1).view(-1, *[1] * value.ndim)
        directions[name] = (drawn / lengths).to(value.device, value.dtype)
    return directions


def check_gradients(
    loss: Callable,
    parameters: Mapping[str, Float[Tensor, "..."]],
    gradients: Mapping[str, Float[Tensor, "..."]],
    *,
    directions: Mapping[str, Float[Tensor, "..."]] | None = None,
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
        batched: False for a loss that takes no run axis, such as one made with `torch.func.functional_call`.
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

        def along(moved: Tensor, name: str = name) -> float | Tensor:
            return loss({**parameters, name: moved})

        if directions is None:
            analytic = gradients[name].detach()
            numeric = numerical_gradient(along, value, method=method, step=step, batched=batched, chunk=chunk)
            coordinates[name] = None
            if value.numel():
                furthest = torch.unravel_index((analytic - numeric).abs().argmax().cpu(), value.shape)
                coordinates[name] = tuple(int(index) for index in furthest)
        else:
            numeric, moves = _differences_along(along, value.detach(), directions[name], step, batched)
            analytic = torch.tensordot(moves, gradients[name].detach(), dims=value.ndim)
            coordinates[name] = None
        errors[name] = float(relative_error(analytic, numeric))
    worst = max(errors, key=lambda name: math.inf if math.isnan(errors[name]) else errors[name])
    return GradientCheck(worst, errors[worst], coordinates[worst], errors)
