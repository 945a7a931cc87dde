"""Critical points and what a Hessian says of them, ways off a saddle, the loss between two points; on any device."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from dlnotes import checks
from dlnotes.torch import conditioning, gradient_clipping, many_runs, network

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int


class Inertia(NamedTuple):
    """How many eigenvalues of a matrix are below, at and above 0."""

    negative: Tensor
    zero: Tensor
    positive: Tensor


class Estimate(NamedTuple):
    """A probability estimated from samples, and its standard error."""

    probability: float
    standard_error: float


def saddle_free_newton_step(
    gradient: Float[Tensor, "*runs n"], hessian: Float[Tensor, "*runs n n"], *, damping: float = 0.0
) -> Float[Tensor, "*runs n"]:
    """Give Newton's step with the eigenvalues of the Hessian replaced by their magnitudes.

        step = -(|H| + damping I)^-1 g,    |H| = V diag(|lambda|) V^T

    Along an eigenvector of negative curvature Newton's step climbs to the critical point; this one goes down, away
    from it, as far.

    Args:
        gradient: g.
        hessian: H, symmetric.
        damping: Added to the magnitudes, at least 0.

    Returns:
        What is to be added to the parameters.

    Raises:
        TypeError: If the arguments are not both of float32 or both of float64.
        ValueError: If the shapes do not fit, or |H| + damping I is not symmetric or is singular up to rounding, as in
            `conditioning.newton_step`.

    Source: Dauphin et al. (2014).
    """
    checks.single_or_double("hessian", checks.symmetric("hessian", hessian))
    checks.last_axes("gradient", checks.floating("gradient", gradient), hessian.shape[-1], of="hessian has rows")
    checks.same_dtype("gradient", gradient, "hessian", hessian)
    damping = checks.real("damping", damping, at_least=0)
    values, vectors = torch.linalg.eigh(hessian)
    sizes = conditioning.regular(values.abs() + damping, damping)
    along = (vectors.mT @ gradient[..., None])[..., 0]
    return -(vectors @ (along / sizes)[..., None])[..., 0]


def inertia(hessian: Float[Tensor, "*runs n n"], *, tolerance: float = 1e-6) -> Inertia:
    """Count the eigenvalues of a symmetric matrix below, at and above 0.

        negative: lambda < -tolerance * max |lambda|,    positive: lambda > tolerance * max |lambda|

    At a critical point all positive means a minimum, all negative a maximum, and some of both a saddle point, whose
    index is the number of negative ones. Where some are zero and none negative, the Hessian does not decide.

    Args:
        hessian: H, symmetric.
        tolerance: Up to what share of the largest magnitude an eigenvalue counts as zero, from 0 to below 1.

    Returns:
        The three counts for each run; they sum to n. A matrix of zeros has n zero eigenvalues.

    Raises:
        TypeError: If `hessian` is not an array of float32 or float64.
        ValueError: If it is not square and symmetric, or `tolerance` is outside its range.

    Source: definition; Sylvester's law of inertia is why a change of coordinates leaves it.
    """
    values = torch.linalg.eigvalsh(checks.single_or_double("hessian", checks.symmetric("hessian", hessian)))
    tolerance = checks.real("tolerance", tolerance, at_least=0, below=1)
    bound = tolerance * values.abs().amax(-1, keepdim=True)
    negative, positive = (values < -bound).sum(-1), (values > bound).sum(-1)
    return Inertia(negative, values.shape[-1] - negative - positive, positive)


def _in_chunks(loss: Callable, points: Callable, count: int, chunk: int) -> Tensor:
    """Evaluate a loss at many points, a chunk of them as the runs of one call."""
    chunk = checks.integer("chunk", chunk, at_least=1)
    values = []
    for first in range(0, count, chunk):
        last = min(first + chunk, count)
        found = loss(points(first, last))
        if found.shape != (last - first,):
            raise ValueError(
                f"loss must return one value for each run, shape {(last - first,)}, got shape {tuple(found.shape)}"
            )
        values.append(found)
    return torch.cat(values)


def interpolate(
    loss: Callable,
    start: Mapping[str, Float[Tensor, "..."]],
    end: Mapping[str, Float[Tensor, "..."]],
    fractions: Float[Tensor, " points"],
    *,
    chunk: int = 64,
) -> Float[Tensor, " points"]:
    """Evaluate a loss on the straight line through two sets of parameters.

        L((1 - t) a + t b)

    Args:
        loss: Takes parameters with one run axis, the points on the line, and gives the loss of each run.
        start: a, by name.
        end: b, of the same names and shapes.
        fractions: t; 0 is the start and 1 the end.
        chunk: How many points one call evaluates, at least 1.

    Returns:
        The loss at each t.

    Raises:
        TypeError: If `fractions` is not an array of floating-point numbers.
        ValueError: If names or shapes differ, or `loss` does not return one value for each run.

    Source: Goodfellow et al. (2015).
    """
    checks.same_names("end", end, "start", start)
    for name, value in start.items():
        checks.floating(f"start[{name!r}]", value)
        checks.floating(f"end[{name!r}]", end[name])
        checks.same_shape(f"end[{name!r}]", end[name], f"start[{name!r}]", value)
    checks.rank(
        "fractions",
        checks.axis("fractions", checks.floating("fractions", fractions), -1, at_least=1, described="number"),
        exactly=1,
    )

    def points(first: int, last: int) -> dict[str, Tensor]:
        line = {}
        for name, value in start.items():
            t = fractions[first:last].reshape(-1, *[1] * value.ndim).to(value)
            line[name] = (1 - t) * value + t * end[name]
        return line

    return _in_chunks(loss, points, len(fractions), chunk)


def loss_surface(
    loss: Callable,
    parameters: Mapping[str, Float[Tensor, "..."]],
    first: Mapping[str, Float[Tensor, "..."]],
    second: Mapping[str, Float[Tensor, "..."]],
    first_steps: Float[Tensor, " rows"],
    second_steps: Float[Tensor, " columns"],
    *,
    chunk: int = 64,
) -> Float[Tensor, "rows columns"]:
    """Evaluate a loss on a grid in the plane of two directions.

        L(w + a d + b e)

    Args:
        loss: Takes parameters with one run axis, the points of the grid, and gives the loss of each run.
        parameters: w, by name.
        first: d, of the same names and shapes, such as `filter_normalize` gives.
        second: e.
        first_steps: a, for the rows.
        second_steps: b, for the columns.
        chunk: How many points one call evaluates, at least 1.

    Returns:
        The loss at each point of the grid.

    Raises:
        TypeError: If the steps are not arrays of floating-point numbers.
        ValueError: If names or shapes differ, or `loss` does not return one value for each run.

    Source: Li et al. (2018).
    """
    for argument, direction in (("first", first), ("second", second)):
        checks.same_names(argument, direction, "parameters", parameters)
        for name, value in parameters.items():
            checks.floating(f"parameters[{name!r}]", value)
            checks.floating(f"{argument}[{name!r}]", direction[name])
            checks.same_shape(f"{argument}[{name!r}]", direction[name], f"parameters[{name!r}]", value)
    checks.rank(
        "first_steps",
        checks.axis("first_steps", checks.floating("first_steps", first_steps), -1, at_least=1, described="number"),
        exactly=1,
    )
    checks.rank(
        "second_steps",
        checks.axis("second_steps", checks.floating("second_steps", second_steps), -1, at_least=1, described="number"),
        exactly=1,
    )
    rows, columns = first_steps.repeat_interleave(len(second_steps)), second_steps.repeat(len(first_steps))

    def points(begin: int, end: int) -> dict[str, Tensor]:
        grid = {}
        for name, value in parameters.items():
            a, b = (steps[begin:end].reshape(-1, *[1] * value.ndim).to(value) for steps in (rows, columns))
            grid[name] = value + a * first[name] + b * second[name]
        return grid

    return _in_chunks(loss, points, len(rows), chunk).reshape(len(first_steps), len(second_steps))


def sharpness_aware_gradient(
    gradient: Callable,
    parameters: Mapping[str, Float[Tensor, "..."]],
    *,
    radius: float | Tensor,
    run_axes: int = 0,
) -> dict[str, Float[Tensor, "..."]]:
    """Give the gradient at the point nearby where the loss is largest, to first order.

    Equation, arguments and errors as in `dlnotes.numpy.minima_saddles.sharpness_aware_gradient`.
    """
    slopes = gradient(parameters)
    checks.same_names("gradient(parameters)", slopes, "parameters", parameters)
    lengths = gradient_clipping.global_norm(slopes, run_axes)
    radius = checks.one_a_run("radius", radius, tuple(lengths.shape), at_least=0)
    far = radius / torch.where(lengths == 0, 1, lengths)
    return gradient({name: p + many_runs.aligned(far, p) * slopes[name] for name, p in parameters.items()})


def filter_normalize(
    directions: Mapping[str, Float[Tensor, "..."]], parameters: Mapping[str, Float[Tensor, "..."]]
) -> dict[str, Float[Tensor, "..."]]:
    """Scale a direction, unit by unit, to the lengths of the weights it is to be added to.

        d_i <- d_i |w_i| / |d_i|  for the weights w_i of each unit or filter;  0 for biases

    Multiply all that goes into a layer of ReLU units by one factor and divide all that comes out of it: the function
    stays, and so does the loss along directions scaled so. With a factor of its own for each unit the loss along them
    changes, because weights out are scaled together with all that feed the same unit.

    Args:
        directions: d, by name; normal draws for a random direction.
        parameters: w, of one net, of the same names and shapes. The first axis of a weight counts its units.

    Returns:
        The direction, by name. It is 0 for a unit whose d is 0, and for parameters of fewer than two axes.

    Raises:
        TypeError: If a direction or parameter is not an array of floating-point numbers.
        ValueError: If names or shapes differ.

    Source: Li et al. (2018).
    """
    checks.same_names("directions", directions, "parameters", parameters)
    scaled = {}
    for name, value in parameters.items():
        checks.floating(f"parameters[{name!r}]", value)
        direction = checks.floating(f"directions[{name!r}]", directions[name])
        checks.same_shape(f"directions[{name!r}]", direction, f"parameters[{name!r}]", value)
        if value.ndim < 2:
            scaled[name] = torch.zeros_like(value)
            continue
        own, wanted = (gradient_clipping.unit_norms(array) for array in (direction, value))
        scaled[name] = direction / torch.where(own == 0, 1, own) * wanted
    return scaled


def permute_units(
    parameters: Mapping[str, Float[Tensor, "..."]], layer: str, order: Int[Tensor, " units"]
) -> dict[str, Float[Tensor, "..."]]:
    """Put the hidden units of a layer of a multilayer perceptron in another order; it computes the same.

        W_l <- P W_l,    b_l <- P b_l,    W_(l+1) <- W_(l+1) P^T

    Args:
        parameters: Of `network.forward`, by name, with run axes or without.
        layer: Name of a hidden layer, such as "0".
        order: Which old unit stands at each new place: a permutation of 0 to units - 1.

    Returns:
        New parameters, in the order of the old.

    Raises:
        TypeError: If `order` is not an array of integers.
        ValueError: If `layer` is no hidden layer or `order` no permutation of its units.

    Source: derived in symmetry_breaking#eq-equivariant.
    """
    names = network.layer_names(parameters)
    checks.choice("layer", layer, names[:-1])
    following = names[names.index(layer) + 1]
    units = parameters[f"{layer}.bias"].shape[-1]
    checks.rank("order", checks.integers("order", order), exactly=1)
    if not order.is_cuda and not torch.equal(order.sort().values, torch.arange(units)):
        raise ValueError(f"order must be a permutation of 0 to {units - 1}, got {order.tolist()}")
    permuted = dict(parameters)
    permuted[f"{layer}.weight"] = parameters[f"{layer}.weight"][..., order, :]
    permuted[f"{layer}.bias"] = parameters[f"{layer}.bias"][..., order]
    permuted[f"{following}.weight"] = parameters[f"{following}.weight"][..., order]
    return permuted


def gaussian_orthogonal(noise: Float[Tensor, "*runs n n"]) -> Float[Tensor, "*runs n n"]:
    """Make matrices of the Gaussian orthogonal ensemble from matrices of independent standard normal numbers.

        H = (A + A^T) / 2^(1/2)

    so that an entry on the diagonal has variance 2 and every other 1. No direction is preferred: turned by any
    rotation, the ensemble is the same. It stands for a Hessian of which nothing is known.

    Args:
        noise: A.

    Returns:
        H, symmetric.

    Raises:
        TypeError: If `noise` is not an array of floating-point numbers.
        ValueError: If it is not square.

    Source: definition.
    """
    checks.square("noise", noise)
    return (noise + noise.mT) * math.sqrt(0.5)


def positive_definite(matrix: Float[Tensor, "*runs n n"]) -> Bool[Tensor, "*runs"]:
    """Say whether all eigenvalues of a symmetric matrix are above 0, without finding them.

    Gaussian elimination without exchanges leaves as many positive pivots as there are positive eigenvalues; the first
    pivot that is not positive decides. Many small matrices are judged in one pass over each column.

    Args:
        matrix: Symmetric.

    Returns:
        True for each run whose matrix is positive definite.

    Raises:
        TypeError: If `matrix` is not an array of floating-point numbers.
        ValueError: If it is not square and symmetric.

    Source: derived here.
    """
    rest = checks.symmetric("matrix", matrix)
    definite = torch.ones(matrix.shape[:-2], dtype=torch.bool, device=matrix.device)
    for _ in range(matrix.shape[-1]):
        pivot = rest[..., 0, 0]
        definite = definite & (pivot > 0)
        below = rest[..., 1:, 0]
        scaled = below / torch.where(definite, pivot, 1)[..., None]
        rest = rest[..., 1:, 1:] - scaled[..., :, None] * below[..., None, :]
    return definite


def goe_positive_probability(size: int, generator: torch.Generator, *, samples: int = 100_000) -> Estimate:
    """Estimate with what probability a random symmetric matrix has positive eigenvalues alone, by sampling.

        P_n = P(H positive definite),    H of the Gaussian orthogonal ensemble

    The exact values start 1/2, (2 - 2^(1/2)) / 4, (pi - 2^(3/2)) / (4 pi) and ln P_n approaches
    -n^2 ln 3 / 4: a random critical point in many dimensions is all but surely a saddle.

    Args:
        size: n, at least 1.
        generator: Draws the matrices, on its own device.
        samples: How many, at least 2.

    Returns:
        The share of positive definite matrices and its standard error.

    Raises:
        TypeError: If `size` or `samples` is no integer, or `generator` no Generator.
        ValueError: If an argument is outside its range.

    Source: Dean and Majumdar (2006) for the rate.
    """
    size = checks.integer("size", size, at_least=1)
    samples = checks.integer("samples", samples, at_least=2)
    checks.instance("generator", generator, torch.Generator, "a torch Generator")
    found = 0
    for first in range(0, samples, 1_000_000):  # bounds the memory
        shape = (min(1_000_000, samples - first), size, size)
        noise = torch.randn(shape, generator=generator, device=generator.device, dtype=torch.float64)
        found += int(positive_definite(gaussian_orthogonal(noise)).sum())
    share = found / samples
    return Estimate(share, math.sqrt(share * (1 - share) / samples))
