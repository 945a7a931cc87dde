"""Curvature without the Hessian: products with it, its extreme eigenvalues, its spectrum, and steps that use it.

A product is a function that maps vectors of shape `(*runs, size)` to vectors of that shape, on their device.
`hessian_vector_product` makes one of a multilayer perceptron, by hand; `module_hessian_vector_product` one of any
module, by autograd. Lanczos' method leaves its numbers on the device, so that the host queues one step after the other;
where a search must know whether it is done, the host looks at the small tridiagonal matrix in every third step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from dlnotes import checks
from dlnotes.torch import _krylov, activations, gradient_clipping, network, objective

if TYPE_CHECKING:
    from jaxtyping import Float

Product = Callable[[Tensor], Tensor]
_GUARD = 1e-2  # tolerance for the eigenvalue after those that are wanted


class Tridiagonal(NamedTuple):
    """What Lanczos' method leaves: a tridiagonal matrix and the basis in which it is the Hessian's.

    `off_diagonal[..., i]` stands beside `diagonal[..., i]` and `diagonal[..., i + 1]`; the last is the length of what
    the basis does not hold of the next vector. After a breakdown all entries are 0, and so are the basis vectors.
    """

    diagonal: Tensor
    off_diagonal: Tensor
    basis: Tensor


class Eigenvalues(NamedTuple):
    """Some eigenvalues, their vectors as rows, the length of `H v - lambda v` for each, and the steps taken."""

    values: Tensor
    vectors: Tensor
    residuals: Tensor
    steps: int


class SpectralDensity(NamedTuple):
    """A smoothed spectrum: `density` over `grid`, and the nodes and weights it was smoothed from."""

    grid: Tensor
    density: Tensor
    nodes: Tensor
    weights: Tensor


class Solution(NamedTuple):
    """What conjugate gradients found, and the length of the residual before each step and at the end."""

    solution: Tensor
    residual_norms: Tensor


def flatten(parameters: Mapping[str, Float[Tensor, "..."]], *, run_axes: int = 0) -> Float[Tensor, "*runs size"]:
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
    return torch.cat([value.reshape(*value.shape[:run_axes], -1) for value in parameters.values()], dim=-1)


def unflatten(
    vector: Float[Tensor, "*runs size"], parameters: Mapping[str, Float[Tensor, "..."]], *, run_axes: int = 0
) -> dict[str, Float[Tensor, "..."]]:
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


def _cross_entropy(logits: Tensor, labels: Tensor) -> tuple[Tensor, Product]:
    """Gradient in the logits, and what a small change of the logits changes in it: (diag(p) - p p^T) dz / N."""
    probabilities = objective.softmax(logits)
    share = probabilities / logits.shape[-2]

    def change_of_gradient(change: Tensor) -> Tensor:
        return share * (change - (probabilities * change).sum(-1, keepdims=True))

    return objective.cross_entropy_backward(1.0, logits, labels), change_of_gradient


def _squared_error(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Product]:
    """Gradient in the outputs, and what a small change of the outputs changes in it: dz / N."""
    return objective.squared_error_backward(1.0, outputs, targets), lambda change: change / outputs.shape[-2]


LOSSES = {"cross_entropy": _cross_entropy, "squared_error": _squared_error}


class _Passes(NamedTuple):
    """What a product needs of the forward and the backward pass, by layer; it does not depend on the vector."""

    names: list[str]
    weights: list[Tensor]
    fed: tuple[Tensor, ...]
    slopes: list[Tensor]
    deltas: list[Tensor]
    bends: list[Tensor]
    change_of_gradient: Product


@torch.no_grad()
def _passes(parameters: Mapping, inputs: Tensor, targets: Tensor, activation: str, loss: str) -> _Passes:
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


def _changes(passes: _Passes, along: Mapping[str, Tensor]) -> tuple[list[Tensor | None], list[Tensor]]:
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
    parameters: Mapping[str, Float[Tensor, "..."]],
    inputs: Float[Tensor, "*runs batch features"],
    targets: Tensor,
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

    @torch.no_grad()
    def product(vector: Tensor) -> Tensor:
        checks.last_axes("vector", vector, *runs, size, of="parameters have runs and entries")
        result = torch.empty_like(vector, memory_format=torch.contiguous_format)
        along, parts = (unflatten(array, parameters, run_axes=len(runs)) for array in (vector, result))
        changes_fed, changes_z = _changes(passes, along)
        change = change_of_gradient(changes_z[-1])
        for layer, name in reversed(list(enumerate(names))):
            parts[f"{name}.weight"].copy_(change.mT @ fed[layer])
            parts[f"{name}.bias"].copy_(change.sum(-2))
            if layer:
                parts[f"{name}.weight"] += deltas[layer].mT @ changes_fed[layer]
                change = change @ weights[layer]
                change += deltas[layer] @ along[f"{name}.weight"]
                change *= slopes[layer - 1]
                change += bends[layer - 1] * changes_z[layer - 1]
        return result

    return product


def gauss_newton_vector_product(
    parameters: Mapping[str, Float[Tensor, "..."]],
    inputs: Float[Tensor, "*runs batch features"],
    targets: Tensor,
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

    @torch.no_grad()
    def product(vector: Tensor) -> Tensor:
        checks.last_axes("vector", vector, *runs, size, of="parameters have runs and entries")
        result = torch.empty_like(vector, memory_format=torch.contiguous_format)
        along, parts = (unflatten(array, parameters, run_axes=len(runs)) for array in (vector, result))
        change = passes.change_of_gradient(_changes(passes, along)[1][-1])
        for layer, name in reversed(list(enumerate(passes.names))):
            parts[f"{name}.weight"].copy_(change.mT @ passes.fed[layer])
            parts[f"{name}.bias"].copy_(change.sum(-2))
            if layer:
                change = (change @ passes.weights[layer]) * passes.slopes[layer - 1]
        return result

    return product


def module_hessian_vector_product(module: torch.nn.Module, loss: Callable[[], Tensor]) -> Product:
    """Give the function that multiplies the Hessian of a module's loss by a vector, exactly, by autograd.

        H v = gradient of (g . v),  g the gradient of the loss

    The graph of the gradient is built once, here, and walked backward for every product. It works for any module whose
    operations can be differentiated twice. `hessian_vector_product` needs no graph, for multilayer perceptrons.

    Args:
        module: Its parameters that require a gradient are the variables, in the order of `parameters()`.
        loss: Computes the loss of the module on the data wanted. It is called once. Put dropout and batch normalization
            in evaluation mode before, or the function is another at every call.

    Returns:
        A function of vectors of shape (*runs, size) that gives the products, of the same shape. Their entries are
        ordered as `flatten` orders those of `module.named_parameters()` that require a gradient; the others have none.
        The parameters must not be changed while it is used.

    Raises:
        TypeError: If `module` is no module.
        ValueError: If it has no parameter that requires a gradient, or `loss` does not give one number.

    Source: Pearlmutter (1994).
    """
    checks.instance("module", module, torch.nn.Module, "a torch.nn.Module")
    parameters = {name: value for name, value in module.named_parameters() if value.requires_grad}
    checks.integer("the number of parameters of module that require a gradient", len(parameters), at_least=1)
    variables, size = list(parameters.values()), sum(value.numel() for value in parameters.values())
    with torch.enable_grad():
        value = checks.rank("loss()", loss(), exactly=0)
        gradients = torch.autograd.grad(value, variables, create_graph=True, materialize_grads=True)
    # A parameter that enters linearly has a constant gradient, which has no graph of its own.
    curved = {name: gradient for name, gradient in zip(parameters, gradients, strict=True) if gradient.requires_grad}

    def product(vector: Tensor) -> Tensor:
        checks.last_axes("vector", vector, size, of="the module has parameters")
        result = torch.zeros_like(vector, memory_format=torch.contiguous_format)
        if not curved:
            return result
        for row, place in zip(vector.reshape(-1, size), result.view(-1, size), strict=True):
            along = unflatten(row, parameters)
            found = torch.autograd.grad(
                list(curved.values()),
                variables,
                [along[name].to(gradient) for name, gradient in curved.items()],
                retain_graph=True,
                materialize_grads=True,
            )
            place.copy_(torch.cat([part.reshape(-1).to(place) for part in found]))
        return result

    return product


def dense_hessian(
    product: Product, size: int, *, dtype: torch.dtype = torch.float64, device: torch.device | str | None = None
) -> Float[Tensor, "size size"]:
    """Write out the matrix of a product: its columns are the products with the unit vectors.

        H_ij = e_i . H e_j

    All unit vectors go through one call, as runs. The memory is that of `size` copies of the parameters and of the
    passes through the network, so this is for small ones.

    Args:
        product: Maps vectors of shape (size, size), one a row, to their products.
        size: The number of parameters, at least 1.
        dtype: A floating-point type.
        device: Where the unit vectors are made; by default torch's default device.

    Returns:
        The Hessian, symmetric to rounding.

    Raises:
        TypeError: If `size` is no integer.
        ValueError: If it is below 1.

    Source: definition.
    """
    size = checks.integer("size", size, at_least=1)
    return product(torch.eye(size, dtype=dtype, device=device)).mT


def condition_number(hessian: Float[Tensor, "*runs n n"]) -> Float[Tensor, "*runs"]:
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
    sizes = torch.linalg.eigvalsh(checks.single_or_double("hessian", checks.symmetric("hessian", hessian))).abs()
    largest, smallest = sizes.amax(-1), sizes.amin(-1)
    return torch.where(smallest == 0, torch.inf, largest / smallest)


def _lanczos_steps(product: Product, start: Tensor, record: Tridiagonal, orthogonalize: bool) -> Iterator[int]:
    """Fill a record step by step; give the number of steps taken after each."""
    diagonal, off_diagonal, basis = record
    smallest = 10 * torch.finfo(start.dtype).eps
    vector = _krylov.unit(start)
    scale = start.new_zeros(start.shape[:-1])
    for step in range(diagonal.shape[-1]):
        basis[..., step, :] = vector
        image = product(vector)
        diagonal[..., step] = torch.linalg.vecdot(image, vector)
        image = image - diagonal[..., step, None] * vector
        if step:
            image -= off_diagonal[..., step - 1, None] * basis[..., step - 1, :]
        if orthogonalize:
            known = basis[..., : step + 1, :]
            image -= ((image[..., None, :] @ known.mT) @ known)[..., 0, :]
        length = gradient_clipping.norm(image, image.ndim - 1)
        scale = torch.maximum(scale, torch.maximum(diagonal[..., step].abs(), length))
        # What is left of a vector that the basis holds is rounding, and no direction.
        length = torch.where(length > smallest * scale, length, 0)
        off_diagonal[..., step] = length
        vector = _krylov.divided(image, length)
        yield step + 1


def _empty_record(start: Tensor, steps: int) -> Tridiagonal:
    *runs, size = start.shape
    return Tridiagonal(*(start.new_zeros((*runs, *shape)) for shape in ((steps,), (steps,), (steps, size))))


def _start(name: str, start: Tensor, steps: int) -> int:
    checks.rank(name, checks.at_least_single(name, start), at_least=1)
    checks.not_zero(name, checks.axis(name, start, -1, at_least=1, described="entry"))
    return checks.integer("steps", steps, at_least=1, at_most=start.shape[-1])


def lanczos(
    product: Product, start: Float[Tensor, "*runs size"], steps: int, *, orthogonalize: bool = True
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


def _ritz_pairs(record: Tridiagonal, taken: int) -> tuple[Tensor, Tensor, Tensor]:
    """Eigenvalues and eigenvectors (columns) of the tridiagonal matrix so far, and which are of steps that count.

    The matrix is small, and the host's solver is quicker on it than a GPU's.
    """
    diagonal, off_diagonal = (entries[..., :taken].to("cpu", torch.float64) for entries in record[:2])
    matrix = torch.diag_embed(diagonal)
    if taken > 1:
        matrix += torch.diag_embed(off_diagonal[..., :-1], 1) + torch.diag_embed(off_diagonal[..., :-1], -1)
    begun = (off_diagonal[..., :-1] > 0).double().cumprod(-1)
    return _krylov.eigenpairs(matrix, torch.cat([torch.ones_like(diagonal[..., :1]), begun], dim=-1) > 0)


_RANKINGS = {"magnitude": torch.abs, "largest": torch.positive, "smallest": torch.neg}


def _wanted(space: _krylov.Space, count: int, which: str) -> tuple[Tensor, ...]:
    """Choose Ritz pairs: values, vectors (columns), residuals, and bounds of the errors of the values."""
    taken = space.taken
    values, vectors, real = _krylov.eigenpairs(space.matrix[..., :taken, :taken], space.alive[..., :taken])
    residuals = space.residuals(vectors)
    distances = (values[..., None] - values[..., None, :]).abs() + torch.diag(values.new_full((taken,), torch.inf))
    errors = torch.fmin(residuals, residuals * (residuals / distances.amin(-1)))
    order = torch.where(real, -_RANKINGS[which](values), torch.inf).argsort(dim=-1, stable=True)[..., :count]
    values = torch.where(real, values, torch.nan)
    chosen = [array.gather(-1, order) for array in (values, residuals, errors)]
    return chosen[0], vectors.take_along_dim(order[..., None, :], -1), chosen[1], chosen[2]


def _settled(space: _krylov.Space, found: tuple[Tensor, ...], count: int, which: str, tolerance: float) -> bool:
    """Say whether the wanted eigenvalues are exact enough and the one after them is clearly another."""
    values, _, residuals, errors = found
    if values.shape[-1] <= count or not bool((errors[..., :count] <= tolerance * values[..., :count].abs()).all()):
        return False
    enough = max(tolerance, _GUARD) * values[..., count].abs()
    if not space.first:
        return bool((errors[..., count] <= enough).all())
    ranks = _RANKINGS[which](values)
    return bool((residuals[..., count] <= torch.maximum(enough, (ranks[..., count - 1] - ranks[..., count]) / 2)).all())


def top_eigenvalues(
    product: Product,
    start: Float[Tensor, "*runs size"],
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
        if not ended and (not start.is_cuda or space.products % 3 == 0) and not bool(space.length.all()):
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
    vectors = rotation.mT.to(start) @ space.basis[..., : space.taken, :]
    vectors *= torch.where(torch.linalg.vecdot(vectors, space.towards[..., None, :]) < 0, -1, 1)[
        ..., None
    ]  # none points away
    return Eigenvalues(values.to(start), vectors, residuals.to(start), space.products)


def stochastic_lanczos_quadrature(
    product: Product, starts: Float[Tensor, "*probes size"], steps: int
) -> tuple[Float[Tensor, "*probes steps"], Float[Tensor, "*probes steps"]]:
    """Give nodes and weights that stand for the spectrum of a symmetric matrix as seen from random vectors.

        q . f(H) q ~ sum_i w_i f(theta_i),    w_i = (first entry of the i-th eigenvector of the tridiagonal matrix)^2

    The rule is exact for polynomials f up to degree 2 steps - 1. If the entries of a random start are drawn alike,
    independent and symmetric about 0, the mean over starts is the mean of f over all eigenvalues.

    Args:
        product: Multiplies vectors of the shape of `starts` by H.
        starts: Random vectors, such as `rademacher` draws; each is a probe.
        steps: Products for each probe, from 1 to `size`.

    Returns:
        Nodes theta and weights w, in float64, on the device of `starts`; the weights of a probe sum to 1.

    Raises:
        TypeError: If `starts` is not an array of floating-point numbers of at least 32 bits or `steps` is no integer.
        ValueError: If a start is 0 or has no entries, or `steps` is outside its range.

    Source: Golub and Welsch (1969); Ghorbani et al. (2019).
    """
    values, vectors, _ = _ritz_pairs(lanczos(product, starts, steps), steps)
    return values.to(starts.device), vectors[..., 0, :].square().to(starts.device)


def rademacher(
    shape: tuple[int, ...],
    generator: torch.Generator,
    *,
    runs: tuple[int, ...] = (),
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
) -> Float[Tensor, "*runs_and_shape"]:
    """Draw signs: each entry is 1 or -1 with probability 1/2.

    Args:
        shape: Shape of the array, in one run.
        generator: Draws the signs, on its own device.
        runs: Shape of the run axes, which come first.
        dtype: A floating-point type.
        device: Where the signs are needed; by default where the generator is.

    Returns:
        An array of shape (*runs, *shape).

    Raises:
        TypeError: If a size is no integer or `generator` no Generator.
        ValueError: If a size is below 0.

    Source: definition.
    """
    size = (*checks.shape("runs", runs), *checks.shape("shape", shape))
    checks.instance("generator", generator, torch.Generator, "a torch Generator")
    drawn = torch.randint(0, 2, size, generator=generator, device=generator.device, dtype=torch.int8)
    return (2 * drawn - 1).to(device=generator.device if device is None else device, dtype=dtype)


def spectral_density(
    product: Product,
    starts: Float[Tensor, "*runs probes size"],
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
        width = ((high - low) if high - low > 100 * torch.finfo(starts.dtype).eps * size else size or 1.0) / 100
    width = checks.real("width", width, above=0)
    grid = torch.linspace(low - 5 * width, high + 5 * width, points, dtype=nodes.dtype, device=nodes.device)
    density = nodes.new_zeros((*nodes.shape[:-2], points))
    for probe in range(nodes.shape[-2]):  # one at a time, which bounds the memory
        offsets = (grid[:, None] - nodes[..., probe, None, :]) / width
        density += torch.linalg.vecdot((-0.5 * offsets * offsets).exp(), weights[..., probe, None, :])
    return SpectralDensity(grid, density / (nodes.shape[-2] * width * math.sqrt(2 * math.pi)), nodes, weights)


def newton_step(
    gradient: Float[Tensor, "*runs n"], hessian: Float[Tensor, "*runs n n"], *, damping: float = 0.0
) -> Float[Tensor, "*runs n"]:
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
        TypeError: If the arguments are not both of float32 or both of float64.
        ValueError: If the shapes do not fit, or H + damping I is not symmetric or is singular up to rounding: if its
            smallest eigenvalue is, in magnitude, at most n times the machine epsilon of the largest.

    Source: derived here.
    """
    checks.single_or_double("hessian", checks.symmetric("hessian", hessian))
    checks.last_axes("gradient", checks.floating("gradient", gradient), hessian.shape[-1], of="hessian has rows")
    checks.same_dtype("gradient", gradient, "hessian", hessian)
    values, vectors = torch.linalg.eigh(hessian)
    values = regular(values + checks.real("damping", damping, at_least=0), damping)
    return -(vectors @ ((vectors.mT @ gradient[..., None])[..., 0] / values)[..., None])[..., 0]


def regular(eigenvalues: Float[Tensor, "*runs n"], damping: float) -> Float[Tensor, "*runs n"]:
    """Give eigenvalues back unless the matrix they belong to is singular up to rounding.

    Equation, arguments and errors as in `dlnotes.numpy.conditioning.regular`. On an accelerator they are not looked at.
    """
    sizes = checks.rank("eigenvalues", checks.floating("eigenvalues", eigenvalues), at_least=1).abs()
    smallest, largest = sizes.amin(-1), sizes.amax(-1)
    if not sizes.is_cuda and not bool((smallest > sizes.shape[-1] * torch.finfo(sizes.dtype).eps * largest).all()):
        raise ValueError(
            f"hessian must be regular with damping {damping}, got an eigenvalue that is 0 up to rounding "
            f"({float(smallest.min()):g} beside {float(largest.max()):g})"
        )
    return eigenvalues


def conjugate_gradient(
    product: Product, right_side: Float[Tensor, "*runs n"], *, tolerance: float = 1e-8, steps: int | None = None
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
    largest = right_side.abs().amax(-1)
    power = torch.exp2(torch.frexp(largest).exponent.to(largest) - 1)
    unit = torch.where(largest.isfinite() & (largest > 0), power, 1)
    residual = direction = right_side / unit[..., None]
    solution, square = torch.zeros_like(right_side), torch.linalg.vecdot(residual, residual)
    goal, squares = tolerance * tolerance * square, [square]
    bent = torch.zeros_like(square, dtype=torch.bool)
    for step in range(steps):
        active = square > goal
        if step % 5 == 0 and not bool(active.any()):  # the host looks in every fifth step
            break
        image = product(direction)
        curvature = torch.linalg.vecdot(direction, image)
        bent |= active & ~(curvature > 0)
        rate = torch.where(active, square / torch.where(active, curvature, 1), 0)[..., None]
        solution = solution + rate * direction
        residual = residual - rate * image
        before, square = square, torch.linalg.vecdot(residual, residual)
        direction = residual + (square / torch.where(active, before, 1))[..., None] * direction
        squares.append(square)
    if bool(bent.any()):
        raise ValueError("product must be positive definite, got a direction of curvature at most 0")
    path = torch.stack(squares, dim=-1)
    unfinished = (path > goal[..., None]).reshape(-1, len(squares)).any(0)
    norms = path[..., : min(int(unfinished.sum()) + 1, len(squares))].sqrt()
    return Solution(solution * unit[..., None], norms * unit[..., None])
