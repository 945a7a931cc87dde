"""Products of many factors: how gradients vanish and explode with depth, measured and named, on any device.

The norms stay on the device. `diagnose` reads a few numbers of each layer, so it makes the host wait; call it now and
then, not in every step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from dlnotes import checks

if TYPE_CHECKING:
    from jaxtyping import Float


class Diagnosis(NamedTuple):
    """The fault that `diagnose` found, the layer it names (None if healthy), and the norms it judged by."""

    fault: str
    layer: str | None
    gradient_norms: dict[str, float]
    update_ratios: dict[str, float]


def matrix_power_by_eigenvalues(
    matrix: Float[Tensor, "*runs n n"], exponent: int, *, largest_condition: float = 1e8
) -> Float[Tensor, "*runs n n"]:
    """Raise a matrix to a power by raising its eigenvalues to it.

        W = V diag(l) V^-1   implies   W^t = V diag(l^t) V^-1

    Eigenvalues of a real matrix may be complex; they come in conjugate pairs, whose imaginary parts cancel in W^t.

    Args:
        matrix: W, real.
        exponent: t, at least 0.
        largest_condition: The condition number of V above which W counts as not diagonalizable, at least 1. The
            result loses about as many digits as this number has.

    Returns:
        W^t.

    Raises:
        TypeError: If `matrix` is not an array of floating-point numbers or `exponent` is no integer.
        ValueError: If `matrix` is not square or cannot be diagonalized.

    Source: the eigendecomposition; derived in the chapter.
    """
    checks.square("matrix", matrix)
    exponent = checks.integer("exponent", exponent, at_least=0)
    largest_condition = checks.real("largest_condition", largest_condition, at_least=1)
    values, vectors = torch.linalg.eig(matrix)
    condition = float(torch.linalg.cond(vectors).max()) if matrix.numel() else 1.0
    if not condition <= largest_condition:
        raise ValueError(
            f"matrix must be diagonalizable, with eigenvectors of condition number at most {largest_condition:g}, "
            f"got {condition:g}"
        )
    # X V = V diag(l^t) is solved for X, so that V is not inverted.
    scaled = vectors * (values**exponent)[..., None, :]
    return torch.linalg.solve(vectors.mT, scaled.mT).mT.real


def power_norms(matrix: Float[Tensor, "*runs n n"], steps: int) -> Float[Tensor, "*runs steps_and_start"]:
    """Measure the 2-norm of every power of a matrix up to a last one.

        |W^t|_2 for t = 0, 1, ..., steps

    Args:
        matrix: W.
        steps: The last exponent, at least 0.

    Returns:
        The largest singular value of each power; the first is that of the identity, 1.

    Raises:
        TypeError: If `matrix` is not an array of floating-point numbers or `steps` is no integer.
        ValueError: If `matrix` is not square or `steps` is below 0.

    Source: derived in the chapter.
    """
    checks.square("matrix", matrix)
    steps = checks.integer("steps", steps, at_least=0)
    power = torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device).expand(matrix.shape)
    norms = matrix.new_empty((*matrix.shape[:-2], steps + 1))
    for step in range(steps + 1):
        norms[..., step] = torch.linalg.svdvals(power)[..., 0]
        power = matrix @ power
    return norms


def lyapunov_exponent(matrices: Float[Tensor, "*runs steps n n"], *, count: int = 1) -> Float[Tensor, "*runs count"]:
    """Measure the growth rates of a product of matrices, step by step.

        A_t Q_(t-1) = Q_t R_t,    lambda_k = mean over t of ln |R_t[k, k]|

    The vectors are made orthonormal again after every factor, so that nothing overflows and each keeps its own rate.

    Args:
        matrices: A_1, A_2, ..., the first to be applied first.
        count: How many exponents, from the largest, from 1 to n.

    Returns:
        The largest `count` Lyapunov exponents over these steps; minus infinity where the product lost its rank.

    Raises:
        TypeError: If `matrices` is not an array of floating-point numbers.
        ValueError: If the matrices are not square, there are none, or `count` is outside its range.

    Source: the orthogonalization method of Benettin et al. (1980); derived in the chapter.
    """
    checks.square("matrices", matrices)
    checks.rank("matrices", matrices, at_least=3)
    *runs, steps, size, _ = matrices.shape
    checks.integer("the number of matrices", steps, at_least=1)
    count = checks.integer("count", count, at_least=1, at_most=size)
    frame = torch.eye(size, count, dtype=matrices.dtype, device=matrices.device).expand(*runs, size, count)
    total = matrices.new_zeros((*runs, count))
    for step in range(steps):
        frame, triangle = torch.linalg.qr(matrices[..., step, :, :] @ frame)
        total += triangle.diagonal(dim1=-2, dim2=-1).abs().log()
    return total / steps


def layer_jacobian(
    weight: Float[Tensor, "*runs fan_out fan_in"], derivative: Float[Tensor, "*runs batch fan_out"]
) -> Float[Tensor, "*runs batch fan_out fan_in"]:
    """Give the Jacobian of a layer's output with respect to its input, for each example.

        h = f(W x + b)   implies   dh/dx = diag(f'(z)) W,  z = W x + b

    Args:
        weight: W.
        derivative: f'(z).

    Returns:
        The Jacobian of each example.

    Raises:
        TypeError: If an argument is not an array of floating-point numbers.
        ValueError: If `derivative` does not have one column for each row of `weight`.

    Source: the chain rule; derived in the chapter.
    """
    checks.rank("weight", checks.floating("weight", weight), at_least=2)
    checks.rank("derivative", checks.floating("derivative", derivative), at_least=2)
    checks.last_axes("derivative", derivative, derivative.shape[-2], weight.shape[-2], of="weight has rows")
    return derivative[..., None] * weight[..., None, :, :]


def _layers(tensors: Mapping[str, Tensor]) -> dict[str, list[Tensor]]:
    """Group the tensors of each layer, the layers in their order: "2.weight" and "2.bias" belong to "2"."""
    layers: dict[str, list[Tensor]] = {}
    for name, tensor in tensors.items():
        layers.setdefault(name.rpartition(".")[0], []).append(tensor)
    return layers


def _norm(tensors: Sequence[Tensor], run_axes: int) -> Tensor:
    """Length of several tensors taken as one vector, for each run; no square overflows or underflows."""
    rows = torch.cat([tensor.detach().reshape(*tensor.shape[:run_axes], -1) for tensor in tensors], dim=-1)
    largest = torch.linalg.vector_norm(rows, ord=torch.inf, dim=-1, dtype=torch.float64)
    usable = torch.isfinite(largest) & (largest > 0)
    scaled = rows / torch.where(usable, largest, 1)[..., None]
    lengths = largest * torch.linalg.vector_norm(scaled, dim=-1)
    return torch.where(usable, lengths, largest)


def per_layer_gradient_norms(
    gradients: Mapping[str, Float[Tensor, "..."]], *, run_axes: int = 0
) -> dict[str, Float[Tensor, "*runs"]]:
    """Measure the length of the gradient of each layer, all its parameters together.

        |g_l| = (sum of the squares of layer l's gradients)^(1/2)

    Args:
        gradients: By parameter name, in the order of the layers; "2.weight" and "2.bias" belong to layer "2".
        run_axes: How many leading axes of each array are runs.

    Returns:
        For each layer, in its order, the length in float64, of the shape of the runs; infinity or not a number if an
        entry is.

    Raises:
        TypeError: If a gradient is not an array of floating-point numbers.
        ValueError: If a gradient has fewer axes than `run_axes`.

    Source: derived in the chapter.
    """
    run_axes = checks.integer("run_axes", run_axes, at_least=0)
    for name, gradient in gradients.items():
        argument = f"gradients[{name!r}]"
        checks.rank(argument, checks.floating(argument, gradient), at_least=run_axes)
    return {layer: _norm(tensors, run_axes) for layer, tensors in _layers(gradients).items()}


def update_ratios(
    parameters: Mapping[str, Float[Tensor, "..."]],
    updates: Mapping[str, Float[Tensor, "..."]],
    *,
    run_axes: int = 0,
) -> dict[str, Float[Tensor, "*runs"]]:
    """Measure how large the step of each layer is beside its weights.

        |updates_l| / |parameters_l|

    Args:
        parameters: By name, in the order of the layers.
        updates: What is added to each parameter, of the same names and shapes.
        run_axes: How many leading axes of each array are runs.

    Returns:
        For each layer the ratio in float64, of the shape of the runs; 0 where nothing moves, infinity where parameters
        of length 0 do.

    Raises:
        TypeError: If a parameter or update is not an array of floating-point numbers.
        ValueError: If names or shapes differ.

    Source: derived in the chapter.
    """
    checks.same_names("updates", updates, "parameters", parameters)
    for name, value in parameters.items():
        checks.floating(f"parameters[{name!r}]", value)
        update = checks.floating(f"updates[{name!r}]", updates[name])
        checks.same_shape(f"updates[{name!r}]", update, f"parameters[{name!r}]", value)
    lengths = per_layer_gradient_norms(parameters, run_axes=run_axes)
    steps = per_layer_gradient_norms({name: updates[name] for name in parameters}, run_axes=run_axes)
    return {layer: torch.where(step == 0, 0.0, step / lengths[layer]) for layer, step in steps.items()}


def _first_overflow(*groups: Mapping[str, Tensor]) -> str | None:
    """Name the layer nearest to the input that holds inf or NaN, in the first of the groups that holds any."""
    for tensors in groups:
        for layer, arrays in _layers(tensors).items():
            if not all(array.isfinite().all() for array in arrays):
                return layer
    return None


def diagnose(
    parameters: Mapping[str, Float[Tensor, "..."]],
    gradients: Mapping[str, Float[Tensor, "..."]],
    updates: Mapping[str, Float[Tensor, "..."]] | None = None,
    *,
    spread: float = 1e3,
    largest_ratio: float = 1.0,
) -> Diagnosis:
    """Name what is wrong with the gradients of a network, and in which layer. The first rule that applies decides.

        overflowed   inf or NaN in parameters, gradients or updates; the layer nearest to the input that has it,
                     parameters first
        exploding    |updates_l| > largest_ratio |w_l|, or |g_l| > spread |w_l|, or |g_l| > spread |g_L|; the layer
                     where this is worst
        dead         g_l is 0 in every entry, and no layer after it vanishes; the layer nearest to the output
        vanishing    |g_l| < |g_L| / spread; the layer nearest to the output, those before it learn as little
        healthy      none of these; no layer

    Here w_l are all parameters of layer l, g_l is their gradient, and L is the last layer. Parameters of length 0, as
    after a zero start, take no part in the first two comparisons.

    Args:
        parameters: By name, in the order of the layers, of one net.
        gradients: Of the same names and shapes.
        updates: What the optimizer would add to the parameters, of the same names and shapes, or None.
        spread: How far two norms may lie apart, at least 1. The comparison with the weights takes a loss of about 1.
        largest_ratio: The largest step beside the weights, above 0. About 1e-3 is usual in training.

    Returns:
        The fault, the layer, and the norms and ratios it was judged by.

    Raises:
        TypeError: If a parameter, gradient or update is not an array of floating-point numbers.
        ValueError: If names or shapes differ, there are no parameters, or a threshold is outside its range.

    Source: derived in the chapter.
    """
    spread = checks.real("spread", spread, at_least=1)
    largest_ratio = checks.real("largest_ratio", largest_ratio, above=0)
    checks.same_names("gradients", gradients, "parameters", parameters)
    checks.integer("the number of parameters", len(parameters), at_least=1)
    for name, value in parameters.items():
        checks.same_shape(f"gradients[{name!r}]", gradients[name], f"parameters[{name!r}]", value)
    ordered = {name: gradients[name] for name in parameters}
    norms, lengths = (
        {layer: float(norm) for layer, norm in per_layer_gradient_norms(group).items()}
        for group in (ordered, parameters)
    )
    ratios = {} if updates is None else {k: float(v) for k, v in update_ratios(parameters, updates).items()}
    overflow = _first_overflow(parameters, ordered, updates or {})
    fault, layer = (
        ("overflowed", overflow) if overflow is not None else _judge(norms, lengths, ratios, spread, largest_ratio)
    )
    return Diagnosis(fault, layer, norms, ratios)


def _judge(
    norms: Mapping[str, float],
    lengths: Mapping[str, float],
    ratios: Mapping[str, float],
    spread: float,
    largest_ratio: float,
) -> tuple[str, str | None]:
    """Apply the rules of `diagnose` after the first to the norms of gradients and parameters, all finite."""
    layers = [*norms]
    last = norms[layers[-1]]
    measures = (
        ({layer: ratio for layer, ratio in ratios.items() if lengths[layer] > 0}, largest_ratio),
        ({layer: norm / lengths[layer] for layer, norm in norms.items() if lengths[layer] > 0}, spread),
        ({layer: norm / last for layer, norm in norms.items() if last > 0}, spread),
    )
    for measure, limit in measures:
        worst = max(measure, key=measure.__getitem__, default=None)
        if worst is not None and measure[worst] > limit:
            return "exploding", worst
    for layer in reversed(layers):
        if norms[layer] == 0:  # and those after it are not small, or they had decided
            return "dead", layer
        if norms[layer] < last / spread:
            return "vanishing", layer
    return "healthy", None
