"""Critical points and what a Hessian says of them, ways off a saddle, and the loss between two points."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import checks
from dlnotes.numpy import conditioning, gradient_clipping, many_runs, network

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    # NumPy gives a scalar where an array would have no axes.
    Array = np.ndarray | np.generic

_BLOCK = 256  # steps of noise drawn at a time


class Inertia(NamedTuple):
    """How many eigenvalues of a matrix are below, at and above 0."""

    negative: np.ndarray
    zero: np.ndarray
    positive: np.ndarray


class CriticalPoints(NamedTuple):
    """Where the search for critical points ended, and the length of the gradient there."""

    points: np.ndarray
    gradient_norms: np.ndarray


class Estimate(NamedTuple):
    """A probability estimated from samples, and its standard error."""

    probability: float
    standard_error: float


def saddle_free_newton_step(
    gradient: Float[np.ndarray, "*runs n"], hessian: Float[np.ndarray, "*runs n n"], *, damping: float = 0.0
) -> Float[np.ndarray, "*runs n"]:
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
        TypeError: If an argument is not an array of floating-point numbers, `hessian` of float32 or float64.
        ValueError: If the shapes do not fit, or |H| + damping I is not symmetric or is singular up to rounding, as in
            `conditioning.newton_step`.

    Source: Dauphin et al. (2014).
    """
    checks.single_or_double("hessian", checks.symmetric("hessian", hessian))
    checks.last_axes("gradient", checks.floating("gradient", gradient), hessian.shape[-1], of="hessian has rows")
    damping = checks.real("damping", damping, at_least=0)
    values, vectors = np.linalg.eigh(hessian)
    sizes = conditioning.regular(np.abs(values) + damping, damping)
    along = (vectors.mT @ gradient[..., None])[..., 0]
    return -(vectors @ (along / sizes)[..., None])[..., 0]


def inertia(hessian: Float[np.ndarray, "*runs n n"], *, tolerance: float = 1e-6) -> Inertia:
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
    values = np.linalg.eigvalsh(checks.single_or_double("hessian", checks.symmetric("hessian", hessian)))
    tolerance = checks.real("tolerance", tolerance, at_least=0, below=1)
    bound = tolerance * np.abs(values).max(axis=-1, keepdims=True)
    negative, positive = np.sum(values < -bound, axis=-1), np.sum(values > bound, axis=-1)
    return Inertia(negative, values.shape[-1] - negative - positive, positive)


def find_critical_points(
    gradient: Callable,
    hessian: Callable,
    starts: Float[np.ndarray, "*runs n"],
    *,
    steps: int = 200,
    tolerance: float = 1e-10,
) -> CriticalPoints:
    """Search for points where the gradient is 0, of whatever kind, from many starts at once.

        x <- x - (H^2 + m s^2 I)^-1 H g,    s = max |lambda| of H at x

    This is the Levenberg-Marquardt method on |g|^2 / 2, whose gradient is H g. A step that makes |g| smaller is taken
    and m divided by 10; one that does not is not taken, and m is multiplied by 10. Minima, saddles and maxima of the
    loss are all minima of |g|, so none repels the search. In units of s nothing depends on the unit of the loss, nor
    on that of x.

    Args:
        gradient: Maps points of shape (runs, n) to their gradients. It is called with the runs that still search.
        hessian: Maps points of shape (runs, n) to their Hessians, shape (runs, n, n).
        starts: Where the searches begin.
        steps: The most steps, at least 0.
        tolerance: The search of a run ends when |g| is at most this share of |g| at its start, above 0. It also ends
            when a step is so short that it is lost in rounding, which happens first where the search starts at a
            critical point.

    Returns:
        The points and |g| there. Where |g| is not small beside that at the start, the search ended in a minimum of
        |g| that is no critical point, or ran out of steps.

    Raises:
        TypeError: If `starts` is not an array of float32 or float64 or `steps` is no integer.
        ValueError: If an argument is outside its range.

    Derivation: the Jacobian of g is H, so that the Gauss-Newton matrix of |g|^2 / 2 is H^2.

    Source: derived here.
    """
    checks.rank("starts", checks.single_or_double("starts", starts), at_least=1)
    steps = checks.integer("steps", steps, at_least=0)
    tolerance = checks.real("tolerance", tolerance, above=0)
    points = starts.reshape(-1, starts.shape[-1]).copy()
    slopes = gradient(points)
    norms = np.asarray(gradient_clipping.norm(slopes, 1))
    goals, damping, searching = tolerance * norms, np.ones_like(norms), np.ones(len(points), bool)
    for _ in range(steps):
        active = np.flatnonzero(searching & (norms > goals))
        if not len(active):
            break
        moved = points[active] - _damped_step(slopes[active], hessian(points[active]), damping[active])
        new_slopes = gradient(moved)
        new_norms = gradient_clipping.norm(new_slopes, 1)
        better = new_norms < norms[active]
        searching[active] = (moved != points[active]).any(axis=-1)  # a shorter step would be lost too
        taken = active[better]
        points[taken], slopes[taken], norms[taken] = moved[better], new_slopes[better], new_norms[better]
        damping[active] = np.clip(damping[active] * np.where(better, 0.1, 10), 1e-20, 1e20)
    return CriticalPoints(points.reshape(starts.shape), norms.reshape(starts.shape[:-1]))


def _damped_step(gradient: np.ndarray, hessian: np.ndarray, damping: np.ndarray) -> np.ndarray:
    """Give (H^2 + m s^2 I)^-1 H g, with s the largest magnitude of an eigenvalue of H."""
    values, vectors = np.linalg.eigh(hessian)
    largest = np.abs(values).max(axis=-1, keepdims=True)
    largest = np.where(largest > 0, largest, 1)
    values = values / largest
    along = (vectors.mT @ gradient[..., None])[..., 0] / largest
    return (vectors @ (along * values / (values * values + damping[..., None]))[..., None])[..., 0]


def _linear_weights(point: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Read a point as the two weights of a linear network."""
    checks.rank("target", checks.floating("target", target), exactly=2)
    checks.rank("point", checks.floating("point", point), at_least=1)
    outputs, inputs = target.shape
    hidden = checks.multiple("the number of entries of point", point.shape[-1], inputs + outputs) // (inputs + outputs)
    first, second = point[..., : hidden * inputs], point[..., hidden * inputs :]
    return first.reshape(*point.shape[:-1], hidden, inputs), second.reshape(*point.shape[:-1], outputs, hidden)


def linear_network_loss(
    point: Float[np.ndarray, "*runs n"], target: Float[np.ndarray, "outputs inputs"]
) -> Float[Array, "*runs"]:
    """Give the loss of a linear network with one hidden layer that is to compute a matrix.

        L(W1, W2) = |W2 W1 - T|^2 / 2

    This is the squared error on whitened inputs, up to a constant: a loss with no activation that is not convex.

    Args:
        point: W1, shape (hidden, inputs), and then W2, shape (outputs, hidden), as one vector.
        target: T.

    Returns:
        The loss of each run.

    Raises:
        TypeError: If an argument is not an array of floating-point numbers.
        ValueError: If the entries of `point` do not fill the two weights.

    Source: Baldi and Hornik (1989).
    """
    first, second = _linear_weights(point, target)
    error = second @ first - target
    return 0.5 * (error * error).sum(axis=(-2, -1))


def linear_network_gradient(
    point: Float[np.ndarray, "*runs n"], target: Float[np.ndarray, "outputs inputs"]
) -> Float[np.ndarray, "*runs n"]:
    """Give the gradient of `linear_network_loss`.

        dL/dW1 = W2^T (W2 W1 - T),    dL/dW2 = (W2 W1 - T) W1^T

    Args:
        point: W1 and W2 as one vector.
        target: T.

    Returns:
        The gradient, in the order of `point`.

    Raises:
        TypeError: If an argument is not an array of floating-point numbers.
        ValueError: If the entries of `point` do not fill the two weights.

    Source: derivative of `linear_network_loss`.
    """
    first, second = _linear_weights(point, target)
    error = second @ first - target
    parts = (second.mT @ error, error @ first.mT)
    return np.concatenate([part.reshape(*point.shape[:-1], -1) for part in parts], axis=-1)


def linear_network_hessian(
    point: Float[np.ndarray, "*runs n"], target: Float[np.ndarray, "outputs inputs"]
) -> Float[np.ndarray, "*runs n n"]:
    """Give the Hessian of `linear_network_loss`.

        d2L / dW1_ai dW1_bj = (W2^T W2)_ab [i = j]
        d2L / dW2_pa dW2_qb = (W1 W1^T)_ab [p = q]
        d2L / dW1_ai dW2_pb = W2_pa W1_bi + (W2 W1 - T)_pi [a = b]

    Args:
        point: W1 and W2 as one vector.
        target: T.

    Returns:
        The Hessian, rows and columns in the order of `point`.

    Raises:
        TypeError: If an argument is not an array of floating-point numbers.
        ValueError: If the entries of `point` do not fill the two weights.

    Source: derivative of `linear_network_gradient`.
    """
    first, second = _linear_weights(point, target)
    runs, (hidden, inputs), outputs = point.shape[:-1], first.shape[-2:], second.shape[-2]
    error = second @ first - target
    upper = np.einsum("...ab,ij->...aibj", second.mT @ second, np.eye(inputs, dtype=point.dtype))
    lower = np.einsum("...ab,pq->...paqb", first @ first.mT, np.eye(outputs, dtype=point.dtype))
    mixed = np.einsum("...pa,...bi->...aipb", second, first)
    mixed = mixed + np.einsum("...pi,ab->...aipb", error, np.eye(hidden, dtype=point.dtype))
    upper = upper.reshape(*runs, hidden * inputs, -1)
    lower = lower.reshape(*runs, outputs * hidden, -1)
    mixed = mixed.reshape(*runs, hidden * inputs, -1)
    return np.concatenate(
        [np.concatenate([upper, mixed], axis=-1), np.concatenate([mixed.mT, lower], axis=-1)], axis=-2
    )


def linear_network_critical_point(
    target: Float[np.ndarray, "outputs inputs"], kept: Collection[int], hidden: int
) -> Float[np.ndarray, " n"]:
    """Give a critical point of `linear_network_loss` in closed form: it has learned some singular directions of T.

        T = sum_i s_i u_i v_i^T,    W2 W1 = sum over kept i of s_i u_i v_i^T,    loss = 1/2 sum over the others of s_i^2

    Args:
        target: T.
        kept: Which singular directions, the largest first counted from 0.
        hidden: Number of hidden units, at least as many as are kept.

    Returns:
        W1 = diag(s)^(1/2) V^T and W2 = U diag(s)^(1/2), with zeros for the units not needed, as one vector.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If a direction does not exist or there are too few hidden units.

    Source: Baldi and Hornik (1989).
    """
    checks.rank("target", checks.single_or_double("target", target), exactly=2)
    kept = [checks.integer("kept", one, at_least=0, at_most=min(target.shape) - 1) for one in kept]
    if len(set(kept)) < len(kept):
        raise ValueError(f"kept must name each singular direction once, got {kept}")
    hidden = checks.integer("hidden", hidden, at_least=max(len(kept), 1))
    left, sizes, right = np.linalg.svd(target, full_matrices=False)
    roots = np.sqrt(sizes[kept])
    first = np.zeros((hidden, target.shape[1]), target.dtype)
    second = np.zeros((target.shape[0], hidden), target.dtype)
    first[: len(kept)] = roots[:, None] * right[kept]
    second[:, : len(kept)] = left[:, kept] * roots
    return np.concatenate([first.reshape(-1), second.reshape(-1)])


def _in_chunks(loss: Callable, points: Callable, count: int, chunk: int) -> np.ndarray:
    """Evaluate a loss at many points, a chunk of them as the runs of one call."""
    chunk = checks.integer("chunk", chunk, at_least=1)
    values = []
    for first in range(0, count, chunk):
        last = min(first + chunk, count)
        found = np.asarray(loss(points(first, last)))
        if found.shape != (last - first,):
            raise ValueError(
                f"loss must return one value for each run, shape {(last - first,)}, got shape {found.shape}"
            )
        values.append(found)
    return np.concatenate(values)


def interpolate(
    loss: Callable,
    start: Mapping[str, Float[np.ndarray, "..."]],
    end: Mapping[str, Float[np.ndarray, "..."]],
    fractions: Float[np.ndarray, " points"],
    *,
    chunk: int = 64,
) -> Float[np.ndarray, " points"]:
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

    def points(first: int, last: int) -> dict[str, np.ndarray]:
        line = {}
        for name, value in start.items():
            t = fractions[first:last].reshape(-1, *[1] * value.ndim).astype(value.dtype)
            line[name] = (1 - t) * value + t * end[name]
        return line

    return _in_chunks(loss, points, len(fractions), chunk)


def loss_surface(
    loss: Callable,
    parameters: Mapping[str, Float[np.ndarray, "..."]],
    first: Mapping[str, Float[np.ndarray, "..."]],
    second: Mapping[str, Float[np.ndarray, "..."]],
    first_steps: Float[np.ndarray, " rows"],
    second_steps: Float[np.ndarray, " columns"],
    *,
    chunk: int = 64,
) -> Float[np.ndarray, "rows columns"]:
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
    rows, columns = np.repeat(first_steps, len(second_steps)), np.tile(second_steps, len(first_steps))

    def points(begin: int, end: int) -> dict[str, np.ndarray]:
        grid = {}
        for name, value in parameters.items():
            a, b = (steps[begin:end].reshape(-1, *[1] * value.ndim).astype(value.dtype) for steps in (rows, columns))
            grid[name] = value + a * first[name] + b * second[name]
        return grid

    return _in_chunks(loss, points, len(rows), chunk).reshape(len(first_steps), len(second_steps))


def sharpness_aware_gradient(
    gradient: Callable,
    parameters: Mapping[str, Float[np.ndarray, "..."]],
    *,
    radius: float | np.ndarray,
    run_axes: int = 0,
) -> dict[str, Float[np.ndarray, "..."]]:
    """Give the gradient at the point nearby where the loss is largest, to first order.

        g(w + rho g(w) / |g(w)|)

    A method that takes it in place of g(w) goes where the whole neighborhood is low.

    Args:
        gradient: Maps parameters by name to their gradients by name. It is called twice.
        parameters: w, by name.
        radius: rho, at least 0: how far the point is; a number or one a run.
        run_axes: How many leading axes of the parameters are runs.

    Returns:
        The gradient, by name. Where g(w) is 0 there is no direction, and it is g(w).

    Raises:
        TypeError: If `radius` is no number.
        ValueError: If `radius` is below 0 or does not fit the runs, or if the names of the parameters and of their
            gradients differ.

    Source: Foret et al. (2021).
    """
    slopes = gradient(parameters)
    checks.same_names("gradient(parameters)", slopes, "parameters", parameters)
    lengths = gradient_clipping.global_norm(slopes, run_axes)
    radius = checks.one_a_run("radius", radius, tuple(lengths.shape), at_least=0)
    far = radius / np.where(lengths == 0, 1, lengths)
    return gradient({name: p + many_runs.aligned(far, p) * slopes[name] for name, p in parameters.items()})


def filter_normalize(
    directions: Mapping[str, Float[np.ndarray, "..."]], parameters: Mapping[str, Float[np.ndarray, "..."]]
) -> dict[str, Float[np.ndarray, "..."]]:
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
            scaled[name] = np.zeros_like(value)
            continue
        own, wanted = (gradient_clipping.unit_norms(array) for array in (direction, value))
        scaled[name] = direction / np.where(own == 0, 1, own) * wanted
    return scaled


def permute_units(
    parameters: Mapping[str, Float[np.ndarray, "..."]], layer: str, order: Int[np.ndarray, " units"]
) -> dict[str, Float[np.ndarray, "..."]]:
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
    if not np.array_equal(np.sort(order), np.arange(units)):
        raise ValueError(f"order must be a permutation of 0 to {units - 1}, got {order.tolist()}")
    permuted = dict(parameters)
    permuted[f"{layer}.weight"] = parameters[f"{layer}.weight"][..., order, :]
    permuted[f"{layer}.bias"] = parameters[f"{layer}.bias"][..., order]
    permuted[f"{following}.weight"] = parameters[f"{following}.weight"][..., order]
    return permuted


def gaussian_orthogonal(noise: Float[np.ndarray, "*runs n n"]) -> Float[np.ndarray, "*runs n n"]:
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


def positive_definite(matrix: Float[np.ndarray, "*runs n n"]) -> Bool[Array, "*runs"]:
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

    Derivation: elimination writes H = L D L^T; by Sylvester's law of inertia D has as many positive entries as H
    eigenvalues.

    Source: derived here.
    """
    rest = checks.symmetric("matrix", matrix)
    definite = np.ones(matrix.shape[:-2], bool)
    for _ in range(matrix.shape[-1]):
        pivot = rest[..., 0, 0]
        definite = definite & (pivot > 0)
        below = rest[..., 1:, 0]
        # What is decided stands still: without that its entries grow until they overflow.
        scaled = np.where(definite[..., None], below / np.where(definite, pivot, 1)[..., None], 0)
        rest = rest[..., 1:, 1:] - scaled[..., :, None] * below[..., None, :]
    return definite


def goe_positive_probability(size: int, generator: np.random.Generator, *, samples: int = 100_000) -> Estimate:
    """Estimate with what probability a random symmetric matrix has positive eigenvalues alone, by sampling.

        P_n = P(H positive definite),    H of the Gaussian orthogonal ensemble

    The exact values start 1/2, (2 - 2^(1/2)) / 4, (pi - 2^(3/2)) / (4 pi) and ln P_n approaches
    -n^2 ln 3 / 4: a random critical point in many dimensions is all but surely a saddle.

    Args:
        size: n, at least 1.
        generator: Draws the matrices.
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
    checks.instance("generator", generator, np.random.Generator, "a numpy Generator")
    found = 0
    for first in range(0, samples, 50_000):  # bounds the memory
        count = min(50_000, samples - first)
        found += int(positive_definite(gaussian_orthogonal(generator.standard_normal((count, size, size)))).sum())
    share = found / samples
    return Estimate(share, math.sqrt(share * (1 - share) / samples))


def quartic_saddle(point: Float[np.ndarray, "*runs 2"]) -> Float[Array, "*runs"]:
    """Give the height of a surface with a saddle point at (0, 0) and minima at (0, 1) and (0, -1).

        f(x, y) = x^2 / 2 - y^2 / 2 + y^4 / 4

    Args:
        point: (x, y).

    Returns:
        f; 0 at the saddle and -1/4 at the minima.

    Raises:
        TypeError: If `point` is not an array of floating-point numbers.
        ValueError: If its last axis is not of length 2.

    Source: definition.
    """
    x, y = _coordinates(point)
    return x * x / 2 - y * y / 2 + y * y * y * y / 4


def quartic_saddle_gradient(point: Float[np.ndarray, "*runs 2"]) -> Float[np.ndarray, "*runs 2"]:
    """Give the gradient of `quartic_saddle`.

        (x, y^3 - y)

    Args:
        point: (x, y).

    Returns:
        The gradient.

    Raises:
        TypeError: If `point` is not an array of floating-point numbers.
        ValueError: If its last axis is not of length 2.

    Source: derivative of `quartic_saddle`.
    """
    x, y = _coordinates(point)
    return np.stack([x, y * y * y - y], axis=-1)


def quartic_saddle_hessian(point: Float[np.ndarray, "*runs 2"]) -> Float[np.ndarray, "*runs 2 2"]:
    """Give the Hessian of `quartic_saddle`.

        diag(1, 3 y^2 - 1)

    Args:
        point: (x, y).

    Returns:
        The Hessian; its eigenvalues at the saddle are 1 and -1.

    Raises:
        TypeError: If `point` is not an array of floating-point numbers.
        ValueError: If its last axis is not of length 2.

    Source: derivative of `quartic_saddle_gradient`.
    """
    x, y = _coordinates(point)
    diagonal = np.stack([np.ones_like(x), 3 * y * y - 1], axis=-1)
    return diagonal[..., None] * np.eye(2, dtype=point.dtype)


def _coordinates(point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    checks.last_axes("point", checks.floating("point", point), 2, of="it is a point of the plane")
    return point[..., 0], point[..., 1]


def double_well(x: Float[Array, "*shape"], barrier: float = 1.0) -> Float[Array, "*shape"]:
    """Give the height of a curve with two minima of height 0, at -1 and 1, and a barrier between them.

        f(x) = B (x^2 - 1)^2

    Args:
        x: Of any shape.
        barrier: B, the height at 0, above 0.

    Returns:
        f at each entry.

    Raises:
        TypeError: If `x` is not an array of floating-point numbers.
        ValueError: If `barrier` is not above 0.

    Source: definition.
    """
    checks.floating("x", x)
    rest = x * x - 1
    return checks.real("barrier", barrier, above=0) * rest * rest


def double_well_gradient(x: Float[Array, "*shape"], barrier: float = 1.0) -> Float[Array, "*shape"]:
    """Give the derivative of `double_well`.

        f'(x) = 4 B x (x^2 - 1)

    Args:
        x: Of any shape.
        barrier: B, above 0.

    Returns:
        f' at each entry.

    Raises:
        TypeError: If `x` is not an array of floating-point numbers.
        ValueError: If `barrier` is not above 0.

    Source: derivative of `double_well`.
    """
    checks.floating("x", x)
    return 4 * checks.real("barrier", barrier, above=0) * x * (x * x - 1)


def kramers_steps(barrier: float, learning_rate: float, noise: float) -> float:
    """Predict in how many steps noisy gradient descent first crosses the barrier of `double_well`.

        x <- x - h (f'(x) + s z),    D = h s^2 / 2
        T = (pi / (h (f''(1) |f''(0)|)^(1/2))) e^(B / D),    f''(1) = 8 B,  f''(0) = -4 B

    T is the mean time to reach the top: half of that to reach the other minimum, since from the top the two sides are
    equally likely. It is the limit for small D / B and small steps; with D / B = 1/5 and h = 0.02 a walk takes about a
    third longer.

    Args:
        barrier: B, above 0.
        learning_rate: h, above 0.
        noise: s, the standard deviation of the gradient's noise, above 0.

    Returns:
        T, the mean number of steps; infinity where it is too large for a float.

    Raises:
        ValueError: If an argument is not above 0.

    Source: Kramers (1940).
    """
    barrier = checks.real("barrier", barrier, above=0)
    learning_rate = checks.real("learning_rate", learning_rate, above=0)
    diffusion = learning_rate * checks.real("noise", noise, above=0) ** 2 / 2
    if barrier / diffusion > 700:
        return math.inf
    return math.pi / (learning_rate * barrier * math.sqrt(32)) * math.exp(barrier / diffusion)


def follow(step: Callable, start: Float[np.ndarray, "*runs n"], steps: int) -> Float[np.ndarray, "*runs path n"]:
    """Follow a method from a point: what it adds is added, again and again.

        x_(t+1) = x_t + step(x_t)

    Args:
        step: Maps points of the shape of `start` to what is added to them.
        start: x_0.
        steps: How many, at least 0.

    Returns:
        The path x_0, x_1, ..., shape (*runs, steps + 1, n).

    Raises:
        TypeError: If `start` is not an array of floating-point numbers or `steps` is no integer.
        ValueError: If `steps` is below 0.

    Source: definition.
    """
    checks.rank("start", checks.floating("start", start), at_least=1)
    path = np.empty((*start.shape[:-1], checks.integer("steps", steps, at_least=0) + 1, start.shape[-1]), start.dtype)
    path[..., 0, :] = point = start
    for index in range(1, steps + 1):
        path[..., index, :] = point = point + step(point)
    return path


def escape_steps(
    gradient: Callable,
    escaped: Callable,
    start: Float[np.ndarray, " n"],
    generator: np.random.Generator | np.ndarray,
    *,
    learning_rate: float,
    noise: float,
    steps: int,
    runs: tuple[int, ...] = (),
) -> Float[Array, "*runs"]:
    """Count the steps that gradient descent with noisy gradients takes to leave a region.

        x <- x - h (g(x) + s z),  z standard normal,  until escaped(x)

    Args:
        gradient: Maps points of shape (*runs, n) to gradients of that shape.
        escaped: Maps points of shape (*runs, n) to bools of shape (*runs,).
        start: The first point, of every run.
        generator: Draws z. With runs each run draws from its own child, or from its own entry of an array.
        learning_rate: h, above 0.
        noise: s, at least 0; 0 is plain gradient descent.
        steps: The most steps, at least 1.
        runs: Shape of the run axes.

    Returns:
        The number of steps of each run; infinity where it did not escape.

    Raises:
        TypeError: If `start` is not an array of floating-point numbers or `generator` no Generator.
        ValueError: If an argument is outside its range.

    Source: definition.
    """
    checks.rank("start", checks.floating("start", start), exactly=1)
    learning_rate = checks.real("learning_rate", learning_rate, above=0)
    noise = checks.real("noise", noise, at_least=0)
    steps = checks.integer("steps", steps, at_least=1)
    runs = checks.shape("runs", runs)
    generators = many_runs.generators(generator, runs)
    points = np.broadcast_to(start, (*runs, len(start)))
    taken = np.where(escaped(points), 0.0, np.inf)
    for first in range(0, steps, _BLOCK):
        drawn = [each.standard_normal((_BLOCK, len(start)), dtype=np.float64) for each in generators.reshape(-1)]
        kicks = np.array(drawn).reshape(*runs, _BLOCK, len(start)).astype(start.dtype)
        for index in range(min(_BLOCK, steps - first)):
            points = points - learning_rate * (gradient(points) + noise * kicks[..., index, :])
            taken = np.where(np.isinf(taken) & escaped(points), first + index + 1, taken)
        if np.all(np.isfinite(taken)):
            break
    return taken[()]
