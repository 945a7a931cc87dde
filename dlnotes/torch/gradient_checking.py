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

from dlnotes import checks

if TYPE_CHECKING:
    from jaxtyping import Float

METHODS = ("forward", "centered", "complex")


class GradientCheck(NamedTuple):
    """What `check_gradients` found: the worst parameter first."""

    worst: str
    error: float
    coordinate: tuple[int, ...] | None
    errors: dict[str, float]


def difference_error(
    step: float,
    method: str = "centered",
    *,
    dtype: torch.dtype = torch.float64,
    value: float = 1.0,
    derivative: float = 1.0,
) -> float:
    """Bound the error of a difference quotient by truncation plus rounding.

    With u the machine epsilon and f known to within u |f|,

        forward    h |f''| / 2    + 2 u |f| / h
        centered   h^2 |f'''| / 6 + u |f| / h
        complex    h^2 |f'''| / 6 + u |f'|,  with |f'| = 1

    Args:
        step: h, above 0.
        method: "forward", "centered" or "complex".
        dtype: The floating-point type in which f is computed; it gives u.
        value: |f|, at least 0.
        derivative: |f''| for "forward", |f'''| for the others; at least 0.

    Returns:
        The bound, in the units of f'.

    Raises:
        ValueError: If an argument is outside its range.

    Source: Taylor's theorem; derived in the chapter.
    """
    step = checks.real("step", step, above=0)
    checks.choice("method", method, METHODS)
    value = checks.real("value", value, at_least=0)
    derivative = checks.real("derivative", derivative, at_least=0)
    unit = torch.finfo(dtype).eps
    if method == "forward":
        return step * derivative / 2 + 2 * unit * value / step
    truncation = step * step * derivative / 6
    return truncation + (unit * value / step if method == "centered" else unit)


def best_step_size(
    method: str = "centered", *, dtype: torch.dtype = torch.float64, value: float = 1.0, derivative: float = 1.0
) -> float:
    """Give the step that makes `difference_error` least.

        forward    h = 2 (u |f| / |f''|)^(1/2)
        centered   h = (3 u |f| / |f'''|)^(1/3)
        complex    h = u: nothing is subtracted, so any step whose square is below u does

    Args:
        method: "forward", "centered" or "complex".
        dtype: The floating-point type in which f is computed; it gives u, the machine epsilon.
        value: |f|, above 0.
        derivative: |f''| for "forward", |f'''| for "centered", not used by "complex"; above 0.

    Returns:
        The step h.

    Raises:
        ValueError: If an argument is outside its range.

    Source: the zero of the derivative of the bound; derived in the chapter.
    """
    checks.choice("method", method, METHODS)
    value = checks.real("value", value, above=0)
    derivative = checks.real("derivative", derivative, above=0)
    unit = torch.finfo(dtype).eps
    if method == "forward":
        return 2 * math.sqrt(unit * value / derivative)
    if method == "centered":
        return math.cbrt(3 * unit * value / derivative)
    return unit


def _values(function: Callable, points: Tensor, batched: bool) -> Tensor:
    """Evaluate a function at many points: at all of them in one call, or one by one."""
    if not batched:
        return torch.stack([function(point) for point in points])
    values = function(points).clone()  # a copy, since the caller moves the points in place
    if values.shape != points.shape[:1]:
        raise ValueError(
            f"function must return one value for each run, shape {tuple(points.shape[:1])}, "
            f"got shape {tuple(values.shape)} (a function that takes no run axis needs batched=False)"
        )
    return values


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

    What is divided by is the distance between the two points as they were rounded, not h.

    Args:
        function: Takes points of shape (runs, *x.shape) and returns their values, shape (runs,): the moved copies of
            `x` are the runs, so that one call evaluates many of them. For "complex" it must take complex numbers and
            be analytic: no absolute value, no maximum, no conjugate.
        x: The point, of any shape.
        method: "forward", "centered" or "complex".
        step: h, above 0; by default `best_step_size` of the method for the dtype of `x`.
        batched: False for a function that takes one point, of the shape of `x`; it is then called once for each.
        chunk: How many coordinates one call moves, at least 1; it bounds the memory. On a GPU take more.

    Returns:
        The gradient, of the shape and dtype of `x`.

    Raises:
        TypeError: If `x` is not an array of floating-point numbers.
        ValueError: If an argument is outside its range, or `function` does not return one value for each run.

    Source: the definition of the derivative; derived in the chapter.
    """
    checks.floating("x", x)
    checks.choice("method", method, METHODS)
    step = best_step_size(method, dtype=x.dtype) if step is None else checks.real("step", step, above=0)
    chunk = checks.integer("chunk", chunk, at_least=1)
    flat = x.detach().reshape(-1).to(x.dtype.to_complex() if method == "complex" else x.dtype)
    points = flat.repeat(min(chunk, flat.numel()), 1)
    gradient = torch.empty(x.numel(), dtype=x.dtype, device=x.device)
    start = _values(function, x.detach()[None], batched) if method == "forward" else None
    for first in range(0, x.numel(), chunk):
        columns = torch.arange(first, min(first + chunk, x.numel()), device=x.device)
        rows = columns - first
        moved = points[: len(rows)].view(-1, *x.shape)
        ahead = flat[columns] + (1j * step if method == "complex" else step)
        points[rows, columns] = ahead
        values = _values(function, moved, batched)
        if method == "complex":
            gradient[columns] = values.imag / step
        elif method == "forward":
            gradient[columns] = (values - start) / (ahead - flat[columns])
        else:
            behind = flat[columns] - step
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

        (f(x + h d) - f(x - h d)) / (2 h)

    Args:
        function: Takes points of shape (runs, *x.shape) and returns their values, shape (runs,).
        x: The point, of any shape.
        directions: The directions d, each of the shape of `x`; all are moved along in one call.
        step: h, above 0; by default `best_step_size` for the dtype of `x`.
        batched: False for a function that takes one point, of the shape of `x`.

    Returns:
        The derivative along each direction: the inner product of gradient and direction.

    Raises:
        TypeError: If `x` or `directions` is not an array of floating-point numbers.
        ValueError: If an argument is outside its range, or `function` does not return one value for each run.

    Source: the definition of the derivative; derived in the chapter.
    """
    checks.floating("x", x)
    checks.floating("directions", directions)
    checks.rank("directions", directions, exactly=x.ndim + 1)
    checks.last_axes("directions", directions, *x.shape, of="x has")
    step = best_step_size(dtype=x.dtype) if step is None else checks.real("step", step, above=0)
    ahead = _values(function, x + step * directions, batched)
    behind = _values(function, x - step * directions, batched)
    return (ahead - behind) / (2 * step)


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

    Source: derived in the chapter.
    """
    checks.floating("first", first)
    checks.floating("second", second)
    checks.same_shape("second", second, "first", first)
    run_axes = checks.integer("run_axes", run_axes, at_least=0, at_most=first.ndim)
    if first.numel() == 0:
        return first.new_zeros(first.shape[:run_axes])
    first, second = (array.reshape(*array.shape[:run_axes], -1) for array in (first, second))
    scale = torch.maximum(first.abs(), second.abs()).amax(-1, keepdim=True)
    # Divided by the largest entry, the squares neither overflow nor underflow.
    first, second = (array / torch.where(scale > 0, scale, 1) for array in (first, second))
    difference, *norms = (torch.linalg.vector_norm(array, dim=-1) for array in (first - second, first, second))
    norm = torch.maximum(*norms)
    return difference / torch.where(norm > 0, norm, 1)


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

    Source: a normal vector has no preferred direction; derived in the chapter.
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
        step: h, above 0; by default the best of the method for the dtype.
        batched: False for a loss that takes no run axis, such as one made with `torch.func.functional_call`.
        chunk: How many coordinates one call moves, at least 1.

    Returns:
        The name of the parameter with the largest relative error, this error, the coordinate that differs most (None
        along directions), and the errors of all parameters. An error that is not a number counts as the largest.

    Raises:
        TypeError: If a parameter is not an array of floating-point numbers.
        ValueError: If the names or shapes of `gradients` are not those of `parameters`, or an argument is outside its
            range.

    Source: derived in the chapter.
    """
    checks.same_names("gradients", gradients, "parameters", parameters)
    if directions is not None:
        checks.same_names("directions", directions, "parameters", parameters)
    errors, coordinates = {}, {}
    for name, value in parameters.items():
        checks.floating(f"parameters[{name!r}]", value)
        checks.same_shape(f"gradients[{name!r}]", gradients[name], f"parameters[{name!r}]", value)

        def along(moved: Tensor, name: str = name) -> float | Tensor:
            return loss({**parameters, name: moved})

        if directions is None:
            analytic = gradients[name].detach()
            numeric = numerical_gradient(along, value, method=method, step=step, batched=batched, chunk=chunk)
            furthest = int((analytic - numeric).abs().argmax())
            coordinates[name] = tuple(int(index) for index in torch.unravel_index(torch.tensor(furthest), value.shape))
        else:
            analytic = torch.tensordot(directions[name], gradients[name].detach(), dims=value.ndim)
            numeric = directional_derivatives(along, value, directions[name], step=step, batched=batched)
            coordinates[name] = None
        errors[name] = float(relative_error(analytic, numeric))
    worst = max(errors, key=lambda name: math.inf if math.isnan(errors[name]) else errors[name])
    return GradientCheck(worst, errors[worst], coordinates[worst], errors)
