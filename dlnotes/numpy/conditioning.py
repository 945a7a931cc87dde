"""Curvature without the Hessian: products with it, its extreme eigenvalues, its spectrum, and steps that use it.

A product is a function that maps vectors of shape `(*runs, size)` to vectors of that shape. `hessian_vector_product`
makes one of a network; `vector @ matrix.mT` is one of any symmetric matrix.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import checks
from dlnotes.numpy import _krylov, activations, many_runs, network, objective

if TYPE_CHECKING:
    from jaxtyping import Float

    # NumPy gives a scalar where an array would have no axes.
    Array = np.ndarray | np.generic

Product = Callable[[np.ndarray], np.ndarray]
_GUARD = 1e-2  # tolerance for the eigenvalue after those that are wanted


class Tridiagonal(NamedTuple):
    """What Lanczos' method leaves: a tridiagonal matrix and the basis in which it is the Hessian's.

    `off_diagonal[..., i]` stands beside `diagonal[..., i]` and `diagonal[..., i + 1]`; the last is the length of what
    the basis does not hold of the next vector. After a breakdown all entries are 0, and so are the basis vectors.
    """

    diagonal: np.ndarray
    off_diagonal: np.ndarray
    basis: np.ndarray


class Eigenvalues(NamedTuple):
    """Some eigenvalues, their vectors as rows, the length of `H v - lambda v` for each, and the steps taken."""

    values: np.ndarray
    vectors: np.ndarray
    residuals: np.ndarray
    steps: int


class SpectralDensity(NamedTuple):
    """A smoothed spectrum: `density` over `grid`, and the nodes and weights it was smoothed from."""

    grid: np.ndarray
    density: np.ndarray
    nodes: np.ndarray
    weights: np.ndarray


class Solution(NamedTuple):
    """What conjugate gradients found, and the length of the residual before each step and at the end."""

    solution: np.ndarray
    residual_norms: np.ndarray


def flatten(
    parameters: Mapping[str, Float[np.ndarray, "..."]], *, run_axes: int = 0
) -> Float[np.ndarray, "*runs size"]:
    """Write parameters as one vector, in the order of the dictionary.

    Args:
        parameters: By name.
        run_axes: How many leading axes of each array are runs.

    Returns:
        A new array.

    Raises:
        TypeError: If a parameter is not an array of floating-point numbers.
        ValueError: If there are no parameters, or one has fewer axes than `run_axes`.

    Source: definition.
    """
    run_axes = checks.integer("run_axes", run_axes, at_least=0)
    checks.integer("the number of parameters", len(parameters), at_least=1)
    for name, value in parameters.items():
        argument = f"parameters[{name!r}]"
        checks.rank(argument, checks.floating(argument, value), at_least=run_axes)
    return np.concatenate([value.reshape(*value.shape[:run_axes], -1) for value in parameters.values()], axis=-1)


def unflatten(
    vector: Float[np.ndarray, "*runs size"], parameters: Mapping[str, Float[np.ndarray, "..."]], *, run_axes: int = 0
) -> dict[str, Float[np.ndarray, "..."]]:
    """Read a vector as parameters: the inverse of `flatten`.

    Args:
        vector: One number for each number of the parameters of a run. It may have other run axes than they have.
        parameters: Give the names, their order and the shapes.
        run_axes: How many leading axes of each parameter are runs.

    Returns:
        Views into `vector`, by name.

    Raises:
        TypeError: If `vector` is not an array of floating-point numbers.
        ValueError: If it has not as many entries as the parameters.

    Source: definition.
    """
    checks.floating("vector", vector)
    run_axes = checks.integer("run_axes", run_axes, at_least=0)
    sizes = {name: math.prod(value.shape[run_axes:]) for name, value in parameters.items()}
    checks.last_axes("vector", vector, sum(sizes.values()), of="parameters have entries")
    pieces, first = {}, 0
    for name, value in parameters.items():
        piece = vector[..., first : first + sizes[name]]
        pieces[name] = piece.reshape(*vector.shape[:-1], *value.shape[run_axes:])
        first += sizes[name]
    return pieces


def _cross_entropy(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, Product]:
    """Gradient in the logits, and what a small change of the logits changes in it: (diag(p) - p p^T) dz / N."""
    probabilities = objective.softmax(logits)
    share = probabilities / logits.shape[-2]

    def change_of_gradient(change: np.ndarray) -> np.ndarray:
        return share * (change - (probabilities * change).sum(-1, keepdims=True))

    return objective.cross_entropy_backward(1.0, logits, labels), change_of_gradient


def _squared_error(outputs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, Product]:
    """Gradient in the outputs, and what a small change of the outputs changes in it: dz / N."""
    return objective.squared_error_backward(1.0, outputs, targets), lambda change: change / outputs.shape[-2]


LOSSES = {"cross_entropy": _cross_entropy, "squared_error": _squared_error}


class _Passes(NamedTuple):
    """What a product needs of the forward and the backward pass, by layer; it does not depend on the vector."""

    names: list[str]
    weights: list[np.ndarray]
    fed: tuple[np.ndarray, ...]
    slopes: list[np.ndarray]
    deltas: list[np.ndarray]
    bends: list[np.ndarray]
    change_of_gradient: Product


def _passes(parameters: Mapping, inputs: np.ndarray, targets: np.ndarray, activation: str, loss: str) -> _Passes:
    """Run a network forward and backward; keep inputs, slopes f'(z), deltas, and (delta W) f''(z) of each layer."""
    names = network.layer_names(parameters)
    weights = [parameters[f"{name}.weight"] for name in names]
    outputs, (fed, preactivations) = network.forward(parameters, inputs, activation)
    slopes = [activations.lookup(activation).slope(z) for z in preactivations[:-1]]
    delta, change_of_gradient = LOSSES[loss](outputs, targets)
    deltas, bends = [delta], []
    for weight, slope, z in zip(weights[:0:-1], slopes[::-1], preactivations[-2::-1], strict=True):
        reaching = deltas[0] @ weight
        deltas.insert(0, reaching * slope)
        bends.insert(0, reaching * activations.SECOND_DERIVATIVES[activation](z))
    return _Passes(names, weights, fed, slopes, deltas, bends, change_of_gradient)


def _changes(passes: _Passes, along: Mapping[str, np.ndarray]) -> tuple[list[np.ndarray | None], list[np.ndarray]]:
    """Carry a direction of the parameters forward: R{h} that each layer is fed, R{z} that it gives."""
    changes_fed, changes_z = [None], []
    for layer, name in enumerate(passes.names):
        change = passes.fed[layer] @ along[f"{name}.weight"].mT
        change += along[f"{name}.bias"][..., None, :]
        if layer:
            change += changes_fed[layer] @ passes.weights[layer].mT
        changes_z.append(change)
        if layer < len(passes.slopes):
            changes_fed.append(passes.slopes[layer] * change)
    return changes_fed, changes_z


def hessian_vector_product(
    parameters: Mapping[str, Float[np.ndarray, "..."]],
    inputs: Float[np.ndarray, "*runs batch features"],
    targets: np.ndarray,
    activation: str = "relu",
    loss: str = "cross_entropy",
) -> Product:
    """Give the function that multiplies the Hessian of a network's loss by a vector, exactly.

    R{.} is the derivative along V: how a quantity changes as the parameters W move in direction V. Applied to every
    line of the forward and the backward pass it gives R{gradient} = H V:

        R{z_l} = h_(l-1) V_l^T + c_l + R{h_(l-1)} W_l^T,     R{h_l} = f'(z_l) R{z_l},     R{h_0} = 0
        R{delta_L} = (d^2 loss / dz_L^2) R{z_L}
        R{delta_l} = (R{delta_(l+1)} W_(l+1) + delta_(l+1) V_(l+1)) f'(z_l) + (delta_(l+1) W_(l+1)) f''(z_l) R{z_l}
        R{dloss/dW_l} = R{delta_l}^T h_(l-1) + delta_l^T R{h_(l-1)},     R{dloss/db_l} = sum of R{delta_l}

    with c the part of V that belongs to the biases. What does not depend on V is computed once, here; a product then
    takes 6 L - 4 products of matrices for L layers, a gradient 3 L - 1: it costs one to two gradients. Nothing in it is
    approximate.

    Args:
        parameters: Weights and biases of `network.forward`, with run axes or without.
        inputs: One row an example.
        targets: Labels for "cross_entropy", of shape (*runs, batch); outputs for "squared_error".
        activation: A name in `activations.ACTIVATIONS`. Where it has a kink, f'' is taken as 0.
        loss: "cross_entropy" or "squared_error".

    Returns:
        A function of vectors of shape (*more_runs, *runs, size), ordered as `flatten` orders the parameters, that
        gives the products, of the same shape. The parameters must not be changed while it is used.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the activation or the loss is unknown, or the shapes do not fit.

    Source: Pearlmutter (1994), the R-operator.
    """
    checks.choice("activation", activation, activations.SECOND_DERIVATIVES)
    checks.choice("loss", loss, LOSSES)
    passes = _passes(parameters, inputs, targets, activation, loss)
    names, weights, fed, slopes, deltas, bends, change_of_gradient = passes
    runs = weights[0].shape[:-2]
    size = sum(math.prod(value.shape[len(runs) :]) for value in parameters.values())

    def product(vector: np.ndarray) -> np.ndarray:
        checks.last_axes("vector", vector, *runs, size, of="parameters have runs and entries")
        result = np.empty_like(vector, order="C")
        along, parts = (unflatten(array, parameters, run_axes=len(runs)) for array in (vector, result))
        changes_fed, changes_z = _changes(passes, along)
        change = change_of_gradient(changes_z[-1])
        for layer, name in reversed(list(enumerate(names))):
            np.matmul(change.mT, fed[layer], out=parts[f"{name}.weight"])
            change.sum(-2, out=parts[f"{name}.bias"])
            if layer:
                parts[f"{name}.weight"] += deltas[layer].mT @ changes_fed[layer]
                change = change @ weights[layer]
                change += deltas[layer] @ along[f"{name}.weight"]
                change *= slopes[layer - 1]
                change += bends[layer - 1] * changes_z[layer - 1]
        return result

    return product


def gauss_newton_vector_product(
    parameters: Mapping[str, Float[np.ndarray, "..."]],
    inputs: Float[np.ndarray, "*runs batch features"],
    targets: np.ndarray,
    activation: str = "relu",
    loss: str = "cross_entropy",
) -> Product:
    """Give the function that multiplies the Gauss-Newton matrix of a network's loss by a vector, exactly.

        G v = J^T A J v,    J = dz_L / dW,    A = d^2 loss / dz_L^2

    It is the Hessian without the curvature of the network itself: what the R-operator gives when R{delta_l} keeps only
    R{delta_(l+1)} W_(l+1) f'(z_l). For both losses A has no negative eigenvalue, and so G has none. For
    "cross_entropy" it is the Fisher matrix, with labels drawn from the network's own probabilities.

    Args:
        parameters: As in `hessian_vector_product`.
        inputs: As in `hessian_vector_product`.
        targets: As in `hessian_vector_product`; the products do not depend on them.
        activation: As in `hessian_vector_product`.
        loss: "cross_entropy" or "squared_error".

    Returns:
        A function of vectors of shape (*more_runs, *runs, size), ordered as `flatten` orders the parameters, that
        gives the products, of the same shape. The parameters must not be changed while it is used.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the activation or the loss is unknown, or the shapes do not fit.

    Source: Schraudolph (2002); derived in conditioning#eq-gauss-newton.
    """
    checks.choice("activation", activation, activations.SECOND_DERIVATIVES)
    checks.choice("loss", loss, LOSSES)
    passes = _passes(parameters, inputs, targets, activation, loss)
    runs = passes.weights[0].shape[:-2]
    size = sum(math.prod(value.shape[len(runs) :]) for value in parameters.values())

    def product(vector: np.ndarray) -> np.ndarray:
        checks.last_axes("vector", vector, *runs, size, of="parameters have runs and entries")
        result = np.empty_like(vector, order="C")
        along, parts = (unflatten(array, parameters, run_axes=len(runs)) for array in (vector, result))
        change = passes.change_of_gradient(_changes(passes, along)[1][-1])
        for layer, name in reversed(list(enumerate(passes.names))):
            np.matmul(change.mT, passes.fed[layer], out=parts[f"{name}.weight"])
            change.sum(-2, out=parts[f"{name}.bias"])
            if layer:
                change = (change @ passes.weights[layer]) * passes.slopes[layer - 1]
        return result

    return product


def dense_hessian(product: Product, size: int, *, dtype: type = np.float64) -> Float[np.ndarray, "size size"]:
    """Write out the matrix of a product: its columns are the products with the unit vectors.

        H_ij = e_i . H e_j

    All unit vectors go through one call, as runs. The memory is that of `size` copies of the parameters and of the
    passes through the network, so this is for small ones.

    Args:
        product: Maps vectors of shape (size, size), one a row, to their products.
        size: The number of parameters, at least 1.
        dtype: A floating-point type.

    Returns:
        The Hessian, symmetric to rounding.

    Raises:
        TypeError: If `size` is no integer.
        ValueError: If it is below 1.

    Source: definition.
    """
    size = checks.integer("size", size, at_least=1)
    return product(np.eye(size, dtype=dtype)).mT


def condition_number(hessian: Float[np.ndarray, "*runs n n"]) -> Float[Array, "*runs"]:
    """Give the ratio of a symmetric matrix's largest to its smallest eigenvalue, in magnitude.

        kappa = max |lambda_i| / min |lambda_i|

    Args:
        hessian: H, symmetric.

    Returns:
        The condition number, at least 1; infinity if an eigenvalue comes out as exactly 0. Under rounding a
        singular matrix often has a number of the order of 1 / the machine epsilon or above instead.

    Raises:
        TypeError: If `hessian` is not an array of float32 or float64.
        ValueError: If it is not square and symmetric, or has no rows.

    Source: definition.
    """
    sizes = np.abs(np.linalg.eigvalsh(checks.single_or_double("hessian", checks.symmetric("hessian", hessian))))
    largest, smallest = sizes.max(axis=-1), sizes.min(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(smallest == 0, np.inf, largest / smallest)[()]


def _lanczos_steps(product: Product, start: np.ndarray, record: Tridiagonal, orthogonalize: bool) -> Iterator[int]:
    """Fill a record step by step; give the number of steps taken after each."""
    diagonal, off_diagonal, basis = record
    smallest = 10 * np.finfo(start.dtype).eps
    vector = _krylov.unit(start)
    scale = np.zeros(start.shape[:-1], start.dtype)
    for step in range(diagonal.shape[-1]):
        basis[..., step, :] = vector
        image = product(vector)
        diagonal[..., step] = _krylov.inner(image, vector)
        image = image - diagonal[..., step, None] * vector
        if step:
            image -= off_diagonal[..., step - 1, None] * basis[..., step - 1, :]
        if orthogonalize:
            known = basis[..., : step + 1, :]
            image -= ((image[..., None, :] @ known.mT) @ known)[..., 0, :]
        length = _krylov.length(image)
        scale = np.maximum(scale, np.maximum(np.abs(diagonal[..., step]), length))
        # What is left of a vector that the basis holds is rounding, and no direction.
        length = np.where(length > smallest * scale, length, 0)
        off_diagonal[..., step] = length
        vector = _krylov.divided(image, length)
        yield step + 1


def _empty_record(start: np.ndarray, steps: int) -> Tridiagonal:
    *runs, size = start.shape
    return Tridiagonal(*(np.zeros((*runs, *shape), start.dtype) for shape in ((steps,), (steps,), (steps, size))))


def _start(name: str, start: np.ndarray, steps: int) -> int:
    checks.rank(name, checks.at_least_single(name, start), at_least=1)
    checks.not_zero(name, checks.axis(name, start, -1, at_least=1, described="entry"))
    return checks.integer("steps", steps, at_least=1, at_most=start.shape[-1])


def lanczos(
    product: Product, start: Float[np.ndarray, "*runs size"], steps: int, *, orthogonalize: bool = True
) -> Tridiagonal:
    """Write a symmetric matrix as a tridiagonal one on the space that its powers span from a start vector.

        b_j q_(j+1) = H q_j - a_j q_j - b_(j-1) q_(j-1),    a_j = q_j . H q_j,    |q_j| = 1

    In exact arithmetic this three-term recurrence makes all q orthogonal. In rounded arithmetic they lose that as soon
    as an eigenvalue is found, and the method finds it again and again: ghosts. One Gram-Schmidt pass over the basis in
    every step keeps them out.

    Args:
        product: Multiplies vectors of the shape of `start` by H.
        start: Any vector that is not 0, or one for each run.
        steps: How many products, from 1 to `size`. The basis takes `steps` times the memory of `start`.
        orthogonalize: False leaves out the Gram-Schmidt pass.

    Returns:
        Diagonal a and off-diagonal b, of shape (*runs, steps), and the basis q, of shape (*runs, steps, size). Where
        the space ends before (a breakdown), all that follows is 0.

    Raises:
        TypeError: If `start` is not an array of floating-point numbers of at least 32 bits or `steps` is no integer.
        ValueError: If `start` is 0 or has no entries, or `steps` is outside its range.

    Source: Lanczos (1950).
    """
    record = _empty_record(start, _start("start", start, steps))
    for _ in _lanczos_steps(product, start, record, checks.instance("orthogonalize", orthogonalize, bool, "a bool")):
        pass
    return record


def _ritz_pairs(record: Tridiagonal, taken: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Eigenvalues and eigenvectors (columns) of the tridiagonal matrix so far, and which are of steps that count."""
    diagonal, off_diagonal = (entries[..., :taken].astype(np.float64) for entries in record[:2])
    matrix = diagonal[..., None] * np.eye(taken)
    place = np.arange(taken - 1)
    matrix[..., place, place + 1] = matrix[..., place + 1, place] = off_diagonal[..., :-1]
    begun = np.cumprod(off_diagonal[..., :-1] > 0, axis=-1, dtype=bool)
    return _krylov.eigenpairs(matrix, np.concatenate([np.ones((*begun.shape[:-1], 1), bool), begun], axis=-1))


_RANKINGS = {"magnitude": np.abs, "largest": np.positive, "smallest": np.negative}


def _wanted(space: _krylov.Space, count: int, which: str) -> tuple[np.ndarray, ...]:
    """Choose Ritz pairs: values, vectors (columns), residuals, and bounds of the errors of the values."""
    taken = space.taken
    values, vectors, real = _krylov.eigenpairs(space.matrix[..., :taken, :taken], space.alive[..., :taken])
    residuals = space.residuals(vectors)
    distances = np.abs(values[..., None] - values[..., None, :]) + np.where(np.eye(taken), np.inf, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = np.fmin(residuals, residuals * (residuals / distances.min(axis=-1)))
    order = np.argsort(np.where(real, -_RANKINGS[which](values), np.inf), axis=-1, stable=True)[..., :count]
    values = np.where(real, values, np.nan)
    chosen = [np.take_along_axis(array, order, axis=-1) for array in (values, residuals, errors)]
    return chosen[0], np.take_along_axis(vectors, order[..., None, :], axis=-1), chosen[1], chosen[2]


def _settled(space: _krylov.Space, found: tuple[np.ndarray, ...], count: int, which: str, tolerance: float) -> bool:
    """Say whether the wanted eigenvalues are exact enough and the one after them is clearly another."""
    values, _, residuals, errors = found
    if values.shape[-1] <= count or not np.all(errors[..., :count] <= tolerance * np.abs(values[..., :count])):
        return False
    enough = max(tolerance, _GUARD) * np.abs(values[..., count])
    if not space.first:
        return bool(np.all(errors[..., count] <= enough))
    ranks = _RANKINGS[which](values)
    return bool(np.all(residuals[..., count] <= np.maximum(enough, (ranks[..., count - 1] - ranks[..., count]) / 2)))


def top_eigenvalues(
    product: Product,
    start: Float[np.ndarray, "*runs size"],
    *,
    count: int = 5,
    which: str = "magnitude",
    tolerance: float = 1e-5,
    steps: int = 200,
) -> Eigenvalues:
    """Find extreme eigenvalues of a symmetric matrix from products with it, by Lanczos' method.

    A Ritz pair (theta, v) has the residual r = |H v - theta v|, and theta is within min(r, r^2 / gap) of an eigenvalue,
    with gap the distance to the others. A first search ends when this is at most tolerance * |theta| for all that are
    wanted, and a hundredth of |theta| for one more, a guard; it is looked at in every third step. The bound cannot tell
    that an eigenvalue was passed over of which the start vector has little, or one so close to another that both look
    like one. Therefore a second search begins with another vector, at right angles to the vectors that were found,
    and all count together. It ends when two looks in a row find the wanted ones exact enough and the guard clearly
    below them. Its vector is the start with its entries at other places and with other signs, as random as the start.

    Args:
        product: Multiplies vectors of the shape of `start` by H.
        start: A random vector, or one for each run.
        count: How many eigenvalues, from 1 to `size`.
        which: "magnitude" for the largest |lambda|, "largest" or "smallest" for the ends of the spectrum.
        tolerance: Bound of the relative error, above 0.
        steps: The most products, at least 1; more than `size` are never taken.

    Returns:
        The eigenvalues, shape (*runs, count), the first wanted first; their vectors as rows; the residuals; the
        products taken. A residual tells what accuracy was reached where `steps` ended the search. Where that is before
        `count` are found, the rest is not a number. An eigenvalue that occurs more than twice may be found less often
        than it occurs.

    Raises:
        TypeError: If `start` is not an array of floating-point numbers of at least 32 bits.
        ValueError: If `start` is 0 or another argument is outside its range.

    Source: Lanczos (1950); Parlett (1998) for the bound.
    """
    checks.rank("start", checks.at_least_single("start", start), at_least=1)
    checks.not_zero("start", checks.axis("start", start, -1, at_least=1, described="entry"))
    count = checks.integer("count", count, at_least=1, at_most=start.shape[-1])
    checks.choice("which", which, ("magnitude", "largest", "smallest"))
    tolerance = checks.real("tolerance", tolerance, above=0)
    steps = min(max(checks.integer("steps", steps, at_least=1), count), start.shape[-1])
    space, looks = _krylov.Space(product, start, steps), 0
    while True:
        space.step()
        ended = space.products == steps or space.taken == start.shape[-1]
        if not ended and not np.all(space.length):
            space.restart(space.length == 0)
        if not ended and (space.products % 3 or space.products < 2 * count):
            continue
        found = values, rotation, residuals, _ = _wanted(space, count + 1, which)
        looks = looks + 1 if _settled(space, found, count, which, tolerance) else 0
        if ended or (looks == 2 and space.first):
            break
        # What is left of a small space is filled in ten products, about as many as a second search takes.
        if looks and not space.first and start.shape[-1] - space.taken > 10:
            looks = 0
            space.keep(values[..., :count], rotation[..., :count])
    values, rotation, residuals = values[..., :count], rotation[..., :count], residuals[..., :count]
    vectors = np.empty((*values.shape, start.shape[-1]), start.dtype)
    space.combined(rotation, out=vectors)
    vectors[np.vecdot(vectors, space.towards[..., None, :]) < 0] *= -1  # so that none points away
    return Eigenvalues(values.astype(start.dtype), vectors, residuals.astype(start.dtype), space.products)


def stochastic_lanczos_quadrature(
    product: Product, starts: Float[np.ndarray, "*probes size"], steps: int
) -> tuple[Float[np.ndarray, "*probes steps"], Float[np.ndarray, "*probes steps"]]:
    """Give nodes and weights that stand for the spectrum of a symmetric matrix as seen from random vectors.

        q . f(H) q ~ sum_i w_i f(theta_i),    w_i = (first entry of the i-th eigenvector of the tridiagonal matrix)^2

    The rule is exact for polynomials f up to degree 2 steps - 1. If the entries of a random start are drawn alike,
    independent and symmetric about 0, the mean over starts is the mean of f over all eigenvalues.

    Args:
        product: Multiplies vectors of the shape of `starts` by H.
        starts: Random vectors, such as `rademacher` draws; each is a probe.
        steps: Products for each probe, from 1 to `size`.

    Returns:
        Nodes theta and weights w, in float64; the weights of a probe sum to 1.

    Raises:
        TypeError: If `starts` is not an array of floating-point numbers of at least 32 bits or `steps` is no integer.
        ValueError: If a start is 0 or has no entries, or `steps` is outside its range.

    Source: Golub and Welsch (1969); Ghorbani et al. (2019).
    """
    values, vectors, _ = _ritz_pairs(lanczos(product, starts, steps), steps)
    return values, np.square(vectors[..., 0, :])


def rademacher(
    shape: tuple[int, ...],
    generator: np.random.Generator | np.ndarray,
    *,
    runs: tuple[int, ...] = (),
    dtype: type = np.float64,
) -> Float[np.ndarray, "*runs_and_shape"]:
    """Draw signs: each entry is 1 or -1 with probability 1/2.

    Args:
        shape: Shape of the array, in one run.
        generator: Draws the signs. With runs each run draws from its own child, or from its own entry of an array.
        runs: Shape of the run axes, which come first.
        dtype: A floating-point type.

    Returns:
        An array of shape (*runs, *shape).

    Raises:
        TypeError: If a size is no integer or `generator` no Generator.
        ValueError: If a size is below 0, or an array of generators has not the shape of `runs`.

    Source: definition.
    """
    shape, runs = checks.shape("shape", shape), checks.shape("runs", runs)
    generators = many_runs.generators(generator, runs)
    drawn = [each.integers(0, 2, shape, dtype=np.int8) * 2 - 1 for each in generators.reshape(-1)]
    return np.array(drawn, dtype).reshape(*runs, *shape)


def spectral_density(
    product: Product,
    starts: Float[np.ndarray, "*runs probes size"],
    *,
    steps: int = 100,
    points: int = 1000,
    width: float | None = None,
) -> SpectralDensity:
    """Estimate the density of the eigenvalues of a symmetric matrix, smoothed by a normal curve.

        density(t) = mean over probes of sum_i w_i exp(-(t - theta_i)^2 / (2 s^2)) / (s (2 pi)^(1/2))

    with the nodes and weights of `stochastic_lanczos_quadrature`.

    Args:
        product: Multiplies vectors of the shape of `starts` by H.
        starts: Random vectors, such as `rademacher` draws, shape (*runs, probes, size).
        steps: Products for each probe, from 1; more than `size` are never taken.
        points: Number of points of the grid, at least 2. It spans all nodes and five widths more on both sides.
        width: s, above 0; by default a hundredth of the range of the nodes.

    Returns:
        The grid, shape (points,); the density of each run over it, shape (*runs, points), which integrates to 1; and
        the nodes and weights, shape (*runs, probes, steps). All in float64.

    Raises:
        TypeError: If `starts` is not an array of floating-point numbers of at least 32 bits.
        ValueError: If an argument is outside its range.

    Source: Ghorbani et al. (2019).
    """
    checks.rank("starts", checks.at_least_single("starts", starts), at_least=2)
    points = checks.integer("points", points, at_least=2)
    steps = min(checks.integer("steps", steps, at_least=1), max(starts.shape[-1], 1))
    nodes, weights = stochastic_lanczos_quadrature(product, starts, steps)
    low, high = float(nodes[weights > 0].min()), float(nodes[weights > 0].max())
    if width is None:
        size = max(abs(low), abs(high))
        # A range that is rounding alone is none: all eigenvalues are one.
        width = ((high - low) if high - low > 100 * np.finfo(starts.dtype).eps * size else size or 1.0) / 100
    width = checks.real("width", width, above=0)
    grid = np.linspace(low - 5 * width, high + 5 * width, points)
    density = np.zeros((*nodes.shape[:-2], points))
    for probe in range(nodes.shape[-2]):  # one at a time, which bounds the memory
        offsets = (grid[:, None] - nodes[..., probe, None, :]) / width
        density += np.vecdot(np.exp(-0.5 * offsets * offsets), weights[..., probe, None, :])
    return SpectralDensity(grid, density / (nodes.shape[-2] * width * math.sqrt(2 * math.pi)), nodes, weights)


def newton_step(
    gradient: Float[np.ndarray, "*runs n"], hessian: Float[np.ndarray, "*runs n n"], *, damping: float = 0.0
) -> Float[np.ndarray, "*runs n"]:
    """Give the step to the stationary point of the quadratic that gradient and Hessian describe.

        step = -(H + damping I)^-1 g

    It goes to a minimum where all eigenvalues are above 0, and as surely to a saddle point or a maximum otherwise.

    Args:
        gradient: g.
        hessian: H, symmetric.
        damping: Added to the eigenvalues, at least 0; shortens the step where the curvature is small.

    Returns:
        What is to be added to the parameters.

    Raises:
        TypeError: If an argument is not an array of floating-point numbers, `hessian` of float32 or float64.
        ValueError: If the shapes do not fit, or H + damping I is not symmetric or is singular up to rounding: if its
            smallest eigenvalue is, in magnitude, at most n times the machine epsilon of the largest.

    Derivation: the gradient of the quadratic is g + H step; it is 0 at step = -H^-1 g.

    Source: derived here.
    """
    checks.single_or_double("hessian", checks.symmetric("hessian", hessian))
    checks.last_axes("gradient", checks.floating("gradient", gradient), hessian.shape[-1], of="hessian has rows")
    values, vectors = np.linalg.eigh(hessian)
    values = regular(values + checks.real("damping", damping, at_least=0), damping)
    return -(vectors @ ((vectors.mT @ gradient[..., None])[..., 0] / values)[..., None])[..., 0]


def regular(eigenvalues: Float[np.ndarray, "*runs n"], damping: float) -> Float[np.ndarray, "*runs n"]:
    """Give eigenvalues back unless the matrix they belong to is singular up to rounding.

        min |lambda_i| > n u max |lambda_i|,    u the machine epsilon

    Args:
        eigenvalues: lambda, damped already.
        damping: For the message.

    Returns:
        The eigenvalues.

    Raises:
        TypeError: If `eigenvalues` is not an array of floating-point numbers.
        ValueError: If a run has an eigenvalue that is 0 up to rounding.

    Source: definition.
    """
    sizes = np.abs(checks.rank("eigenvalues", checks.floating("eigenvalues", eigenvalues), at_least=1))
    smallest, largest = sizes.min(axis=-1), sizes.max(axis=-1)
    if not np.all(smallest > sizes.shape[-1] * np.finfo(sizes.dtype).eps * largest):
        raise ValueError(
            f"hessian must be regular with damping {damping}, got an eigenvalue that is 0 up to rounding "
            f"({float(smallest.min()):g} beside {float(largest.max()):g})"
        )
    return eigenvalues


def conjugate_gradient(
    product: Product, right_side: Float[np.ndarray, "*runs n"], *, tolerance: float = 1e-8, steps: int | None = None
) -> Solution:
    """Solve H x = b for a positive definite H from products with it.

        x <- x + a d,    r <- r - a H d,    a = r.r / d.H d
        d <- r + (r_new.r_new / r.r) d;     x = 0 and r = d = b at the start

    The directions d are conjugate, d_i . H d_j = 0, so that no step spoils what an earlier one reached: in exact
    arithmetic n steps end it, and as many as H has different eigenvalues.

    Args:
        product: Multiplies vectors of the shape of `right_side` by H.
        right_side: b; minus the gradient, for a Newton step.
        tolerance: The solve ends when |r| <= tolerance |b| in every run, above 0.
        steps: The most products, at least 1; by default n.

    Returns:
        x, and |r| before each step and at the end, shape (*runs, steps taken + 1).

    Raises:
        TypeError: If `right_side` is not an array of floating-point numbers of at least 32 bits.
        ValueError: If an argument is outside its range, or a direction without positive curvature is met.

    Source: Hestenes and Stiefel (1952).
    """
    checks.axis("right_side", checks.at_least_single("right_side", right_side), -1, at_least=1, described="entry")
    tolerance = checks.real("tolerance", tolerance, above=0)
    steps = right_side.shape[-1] if steps is None else checks.integer("steps", steps, at_least=1)
    # In units of a power of 2 near the largest entry, no square over- or underflows and no digit changes.
    largest = np.abs(right_side).max(axis=-1, initial=0)
    unit = np.where(np.isfinite(largest) & (largest > 0), np.exp2(np.frexp(largest)[1] - 1.0), 1).astype(
        right_side.dtype
    )
    residual = direction = right_side / unit[..., None]
    solution, square = np.zeros_like(right_side), np.vecdot(residual, residual)
    goal, norms = tolerance * tolerance * square, [np.sqrt(square)]
    for _ in range(steps):
        active = square > goal
        if not np.any(active):
            break
        image = product(direction)
        curvature = np.vecdot(direction, image)
        if not np.all(curvature[active] > 0):
            raise ValueError("product must be positive definite, got a direction of curvature at most 0")
        rate = np.where(active, square / np.where(active, curvature, 1), 0)[..., None]
        solution = solution + rate * direction
        residual = residual - rate * image
        before, square = square, np.vecdot(residual, residual)
        direction = residual + (square / np.where(active, before, 1))[..., None] * direction
        norms.append(np.sqrt(square))
    return Solution(solution * unit[..., None], np.stack(norms, axis=-1) * unit[..., None])


def steps_to_tolerance(rate: float, tolerance: float) -> float:
    """Give the number of steps in which a factor a step makes an error small enough.

        rate^t = tolerance   implies   t = ln tolerance / ln rate

    Args:
        rate: The factor, from 0.
        tolerance: What the error is to fall to, beside the first one; above 0 and below 1.

    Returns:
        t, not rounded; infinity if the rate is 1 or more, 0 if it is 0.

    Raises:
        ValueError: If an argument is outside its range.

    Source: definition.
    """
    rate = checks.real("rate", rate, at_least=0)
    tolerance = checks.real("tolerance", tolerance, above=0, below=1)
    if rate >= 1:
        return math.inf
    return math.log(tolerance) / math.log(rate) if rate > 0 else 0.0


def descend_quadratic(
    eigenvalues: Float[np.ndarray, "*runs n"],
    start: Float[np.ndarray, "*runs n"],
    learning_rate: float | Float[np.ndarray, "*runs"],
    steps: int,
    *,
    momentum: float | Float[np.ndarray, "*runs"] = 0.0,
) -> Float[np.ndarray, "*runs path n"]:
    """Follow gradient descent with momentum on a quadratic, in the coordinates of its eigenvectors.

        f(x) = 1/2 sum_i l_i x_i^2,    x_(t+1) = x_t - h l x_t + b (x_t - x_(t-1)),    x_(-1) = x_0

    Args:
        eigenvalues: l.
        start: x_0.
        learning_rate: h, at least 0.
        steps: How many, at least 0.
        momentum: b, from 0 to below 1.

    Returns:
        The path x_0, x_1, ..., shape (*runs, steps + 1, n).

    Raises:
        TypeError: If an array does not hold floating-point numbers or `steps` is no integer.
        ValueError: If the shapes differ or an argument is outside its range.

    Source: Polyak (1964).
    """
    checks.floating("eigenvalues", eigenvalues)
    checks.same_shape("eigenvalues", eigenvalues, "start", checks.floating("start", start))
    steps = checks.integer("steps", steps, at_least=0)
    rate = np.asarray(checks.reals("learning_rate", learning_rate, at_least=0), start.dtype)[..., None]
    inertia = np.asarray(checks.reals("momentum", momentum, at_least=0, below=1), start.dtype)[..., None]
    path = np.empty((*start.shape[:-1], steps + 1, start.shape[-1]), start.dtype)
    path[..., 0, :] = before = now = start
    for step in range(steps):
        before, now = now, now - rate * eigenvalues * now + inertia * (now - before)
        path[..., step + 1, :] = now
    return path
