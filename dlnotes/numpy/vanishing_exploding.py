"""Products of many factors: how gradients vanish and explode with depth, measured and named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import checks

if TYPE_CHECKING:
    from jaxtyping import Float

    # NumPy gives a scalar where an array would have no axes.
    Array = np.ndarray | np.generic


class Diagnosis(NamedTuple):
    """The fault that `diagnose` found, the layer it names (None if healthy), and the norms it judged by."""

    fault: str
    layer: str | None
    gradient_norms: dict[str, float]
    update_ratios: dict[str, float]


def matrix_power_by_eigenvalues(
    matrix: Float[np.ndarray, "*runs n n"], exponent: int, *, largest_condition: float = 1e8
) -> Float[np.ndarray, "*runs n n"]:
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
    values, vectors = np.linalg.eig(matrix)
    condition = float(np.max(np.linalg.cond(vectors), initial=1.0))
    if not condition <= largest_condition:
        raise ValueError(
            f"matrix must be diagonalizable, with eigenvectors of condition number at most {largest_condition:g}, "
            f"got {condition:g}"
        )
    # X V = V diag(l^t) is solved for X, so that V is not inverted.
    scaled = vectors * (values**exponent)[..., None, :]
    return np.linalg.solve(vectors.mT, scaled.mT).mT.real.astype(matrix.dtype)


def power_norms(matrix: Float[np.ndarray, "*runs n n"], steps: int) -> Float[np.ndarray, "*runs steps_and_start"]:
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
    power = np.broadcast_to(np.eye(matrix.shape[-1], dtype=matrix.dtype), matrix.shape)
    norms = np.empty((*matrix.shape[:-2], steps + 1), matrix.dtype)
    for step in range(steps + 1):
        norms[..., step] = np.linalg.svd(power, compute_uv=False)[..., 0]
        power = matrix @ power
    return norms


def digamma(x: Float[Array, "*shape"] | float) -> Float[Array, "*shape"]:
    """Give the logarithmic derivative of the gamma function.

        digamma(x) = digamma(x + 1) - 1 / x
        digamma(x) ~ ln x - 1/(2x) - 1/(12x^2) + 1/(120x^4) - 1/(252x^6) + 1/(240x^8) - 1/(132x^10) + 691/(32760x^12)

    The recurrence carries x to 12 and above, where the series is exact to rounding.

    Args:
        x: Above 0.

    Returns:
        digamma(x), in float64.

    Raises:
        ValueError: If an entry of `x` is not above 0.

    Source: the Bernoulli numbers' asymptotic series of ln gamma, differentiated; derived in the chapter.
    """
    checks.reals("x", x, above=0)
    x = np.asarray(x, np.float64)
    shifted, recurrence = x, np.zeros(x.shape)
    for _ in range(12):
        low = shifted < 12
        recurrence = recurrence + np.where(low, 1 / shifted, 0)
        shifted = shifted + low
    inverse = 1 / (shifted * shifted)
    series = 1 / 12 - inverse * (
        1 / 120 - inverse * (1 / 252 - inverse * (1 / 240 - inverse * (1 / 132 - inverse * 691 / 32760)))
    )
    return np.log(shifted) - 0.5 / shifted - inverse * series - recurrence


def gaussian_lyapunov_exponent(size: int, deviation: float = 1.0, *, order: int = 1) -> float:
    """Give the growth rate of a product of square matrices with independent normal entries.

        lambda_k = ln s + (ln 2 + digamma((n - k + 1) / 2)) / 2

    A normal matrix maps every unit vector to a normal vector of deviation s, whose length is s times a chi variable
    with n degrees of freedom; lambda_1 is the mean of its logarithm. The part orthogonal to k - 1 other vectors has
    k - 1 degrees of freedom fewer.

    Args:
        size: n, at least 1.
        deviation: s, the standard deviation of an entry, above 0.
        order: k, from 1 (the fastest direction) to n.

    Returns:
        The Lyapunov exponent: the logarithm of the growth of a length, for each factor of the product.

    Raises:
        TypeError: If `size` or `order` is no integer.
        ValueError: If an argument is outside its range.

    Source: derived in the chapter.
    """
    size = checks.integer("size", size, at_least=1)
    deviation = checks.real("deviation", deviation, above=0)
    order = checks.integer("order", order, at_least=1, at_most=size)
    return float(np.log(deviation) + (np.log(2) + digamma((size - order + 1) / 2)) / 2)


def lyapunov_exponent(
    matrices: Float[np.ndarray, "*runs steps n n"], *, count: int = 1
) -> Float[np.ndarray, "*runs count"]:
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
    frame = np.broadcast_to(np.eye(size, count, dtype=matrices.dtype), (*runs, size, count))
    total = np.zeros((*runs, count), matrices.dtype)
    with np.errstate(divide="ignore"):
        for step in range(steps):
            frame, triangle = np.linalg.qr(matrices[..., step, :, :] @ frame)
            total += np.log(np.abs(np.diagonal(triangle, axis1=-2, axis2=-1)))
    return total / steps


def layer_jacobian(
    weight: Float[np.ndarray, "*runs fan_out fan_in"], derivative: Float[np.ndarray, "*runs batch fan_out"]
) -> Float[np.ndarray, "*runs batch fan_out fan_in"]:
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


def _graded_product(factors: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Write a product of matrices as Q diag(e^d) T with orthonormal Q; give d and T.

    The sizes of the directions stay apart in d, so that the small ones are not lost beside the large ones. Columns are
    sorted by size before each QR decomposition, and rows that hold nothing but rounding are dropped.
    """
    frame = right = np.eye(factors[0].shape[-1])
    logs = np.zeros(len(right))
    for factor in factors:
        moved = factor @ frame
        lengths = np.sqrt(np.square(moved).sum(axis=-2))
        with np.errstate(divide="ignore"):
            order = np.argsort(-(np.log(lengths) + logs))
        frame, triangle = np.linalg.qr(moved[:, order])
        rounding = max(moved.shape) * np.finfo(np.float64).eps * lengths[order]
        kept = np.any(np.abs(triangle) > rounding, axis=-1)
        frame, triangle = frame[:, kept], triangle[kept]
        with np.errstate(divide="ignore"):
            sizes = np.log(np.abs(triangle)) + logs[order]
        logs = sizes.max(axis=-1, initial=-np.inf)
        right = (np.sign(triangle) * np.exp(sizes - logs[:, None])) @ right[order]
    return logs, right


def _rotate_apart(rows: np.ndarray, logs: np.ndarray, first: np.ndarray, second: np.ndarray) -> float:
    """Make pairs of rows e^log_i row_i orthogonal, in place; say how far from orthogonal the worst pair was.

    The rows have length 1 and their sizes stand apart as logarithms, so that no size is too small to be rotated.
    """
    swap = logs[first] < logs[second]
    large, small = np.where(swap, second, first), np.where(swap, first, second)
    cosine = np.sum(rows[large] * rows[small], axis=-1)
    ratio = np.exp(logs[small] - logs[large])
    gap = 1 - ratio * ratio
    root = gap + np.sqrt(gap * gap + 4 * np.square(ratio * cosine))
    slope = np.where(root > 0, 2 * cosine / np.where(root > 0, root, 1), 0)
    tangent = ratio * slope
    shrink = 0.5 * np.log1p(tangent * tangent)
    turned = rows[large] + (ratio * tangent)[:, None] * rows[small], rows[small] - slope[:, None] * rows[large]
    for index, row in zip((large, small), turned, strict=True):
        length = np.sqrt(np.square(row).sum(axis=-1))
        rows[index] = row / length[:, None]
        logs[index] += np.log(length) - shrink
    return float(np.max(np.abs(cosine), initial=0.0))


def _log_singular_values(factors: Sequence[np.ndarray]) -> np.ndarray:
    """Singular values of one product by Jacobi's one-sided rotations of the rows of diag(e^d) T."""
    logs, rows = _graded_product(factors)
    lengths = np.sqrt(np.square(rows).sum(axis=-1))
    rows, logs = rows / lengths[:, None], logs + np.log(lengths)
    count = len(rows) + len(rows) % 2
    for _ in range(60):  # sweeps; the convergence is quadratic, and about 10 are used
        worst, seats = 0.0, np.arange(count)
        for _ in range(count - 1):  # every row meets every other once
            pairs = np.sort(np.stack([seats[: count // 2], seats[: count // 2 - 1 : -1]]), axis=0)
            first, second = pairs[:, pairs[1] < len(rows)]
            worst = max(worst, _rotate_apart(rows, logs, first, second))
            seats = np.concatenate([seats[:1], np.roll(seats[1:], 1)])
        if worst < len(rows) * np.finfo(np.float64).eps:
            break
    return -np.sort(-logs)


def log_singular_values(factors: Sequence[Float[np.ndarray, "..."]]) -> Float[np.ndarray, "*runs k"]:
    """Give the logarithms of the singular values of a product of matrices, without forming the product.

        ln sigma_i(A_L ... A_2 A_1)

    The singular values of a product of random matrices spread exponentially with the number of factors. Formed in
    floating point, the product keeps only those within about 16 decades of the largest; the rest is rounding. Here each
    has a small relative error, however small it is.

    Args:
        factors: A_1, A_2, ..., A_L, the first to be applied first; each has as many columns as the one before has rows.

    Returns:
        The logarithms in float64, the largest first, as many as the least number of rows or columns of a factor; minus
        infinity where the product has no such rank.

    Raises:
        TypeError: If a factor is not an array of floating-point numbers.
        ValueError: If there are no factors, or one does not fit the one before.

    Source: a QR decomposition for each factor with the sizes kept apart, then Jacobi's one-sided rotations; derived in
    the chapter.
    """
    checks.integer("the number of factors", len(factors), at_least=1)
    for index, factor in enumerate(factors):
        name = f"factors[{index}]"
        checks.rank(name, checks.floating(name, factor), at_least=2)
        if index:
            rows = factors[index - 1].shape[-2]
            checks.last_axes(name, factor, factor.shape[-2], rows, of=f"factors[{index - 1}] has {rows} rows")
    runs = np.broadcast_shapes(*(factor.shape[:-2] for factor in factors))
    spread = [np.broadcast_to(factor, (*runs, *factor.shape[-2:])).astype(np.float64) for factor in factors]
    count = min(min(factor.shape[-2:]) for factor in factors)
    logs = np.full((*runs, count), -np.inf)
    for run in np.ndindex(*runs):
        found = _log_singular_values([factor[run] for factor in spread])
        logs[run][: len(found)] = found
    return logs


def _layers(tensors: Mapping[str, np.ndarray]) -> dict[str, list[np.ndarray]]:
    """Group the tensors of each layer, the layers in their order: "2.weight" and "2.bias" belong to "2"."""
    layers: dict[str, list[np.ndarray]] = {}
    for name, tensor in tensors.items():
        layers.setdefault(name.rpartition(".")[0], []).append(tensor)
    return layers


def _norm(tensors: Sequence[np.ndarray], run_axes: int) -> np.ndarray:
    """Length of several tensors taken as one vector, for each run; no square overflows or underflows."""
    rows = np.concatenate([np.reshape(tensor, (*tensor.shape[:run_axes], -1)) for tensor in tensors], axis=-1)
    largest = np.abs(rows).max(axis=-1, initial=0).astype(np.float64)
    usable = np.isfinite(largest) & (largest > 0)
    scaled = rows / np.where(usable, largest, 1)[..., None]
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = largest * np.sqrt(np.square(scaled).sum(axis=-1))
    return np.where(usable, lengths, largest)


def per_layer_gradient_norms(
    gradients: Mapping[str, Float[np.ndarray, "..."]], *, run_axes: int = 0
) -> dict[str, Float[Array, "*runs"]]:
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
    parameters: Mapping[str, Float[np.ndarray, "..."]],
    updates: Mapping[str, Float[np.ndarray, "..."]],
    *,
    run_axes: int = 0,
) -> dict[str, Float[Array, "*runs"]]:
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
    with np.errstate(divide="ignore", invalid="ignore"):
        return {layer: np.where(step == 0, 0.0, step / lengths[layer]) for layer, step in steps.items()}


def _first_overflow(*groups: Mapping[str, np.ndarray]) -> str | None:
    """Name the layer nearest to the input that holds inf or NaN, in the first of the groups that holds any."""
    for tensors in groups:
        for layer, arrays in _layers(tensors).items():
            if not all(np.isfinite(array).all() for array in arrays):
                return layer
    return None


def diagnose(
    parameters: Mapping[str, Float[np.ndarray, "..."]],
    gradients: Mapping[str, Float[np.ndarray, "..."]],
    updates: Mapping[str, Float[np.ndarray, "..."]] | None = None,
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
