"""Products of many factors: how gradients vanish and explode with depth, measured and named."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dlnotes import checks, diagnosis, measured, optimizers
from dlnotes.numpy import activations, network, objective

if TYPE_CHECKING:
    from jaxtyping import Float, Shaped

    # NumPy gives a scalar where an array would have no axes.
    Array = np.ndarray | np.generic

Arrays = dict[str, np.ndarray]


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

    Source: derived in vanishing_exploding#eq-power.
    """
    checks.finite("matrix", checks.single_or_double("matrix", checks.square("matrix", matrix)))
    exponent = checks.integer("exponent", exponent, at_least=0)
    largest_condition = checks.real("largest_condition", largest_condition, at_least=1)
    values, vectors = np.linalg.eig(matrix)
    condition = float(np.max(np.linalg.cond(vectors), initial=1.0))
    if not condition <= largest_condition:
        raise ValueError(
            f"matrix must be diagonalizable, with eigenvectors of condition number at most {largest_condition:g}, "
            f"got {condition:g}"
        )
    # The largest eigenvalue is taken out first, so that what is in range is not lost on the way. X V = V diag(l^t) is
    # solved for X, so that V is not inverted.
    radius = np.abs(values).max(axis=-1, initial=0)[..., None, None]
    radius = np.where(radius > 0, radius, 1)
    scaled = vectors * (values[..., None, :] / radius) ** exponent
    power = np.linalg.solve(vectors.mT, scaled.mT).mT.real
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return np.where(power == 0, 0, power * radius**exponent).astype(matrix.dtype)


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

    Source: definition.
    """
    checks.finite("matrix", checks.single_or_double("matrix", checks.square("matrix", matrix)))
    steps = checks.integer("steps", steps, at_least=0)
    matrix, doublings = _near_one(matrix)
    power, exponent = np.broadcast_to(np.eye(matrix.shape[-1], dtype=matrix.dtype), matrix.shape), 0 * doublings
    norms = np.empty((*matrix.shape[:-2], steps + 1), matrix.dtype)
    for step in range(steps + 1):
        with np.errstate(over="ignore", under="ignore"):  # a norm beyond the range of floats
            norms[..., step] = np.ldexp(np.linalg.svd(power, compute_uv=False)[..., 0], exponent)
        power, moved = _near_one(matrix @ power)
        exponent = exponent + doublings + moved
    return norms


def _near_one(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray | np.integer]:
    """Divide a matrix by a power of 2, so that its largest entry is from 1/2 to 1; give the exponent too."""
    exponent = np.frexp(np.abs(matrix).max(axis=(-2, -1), initial=0))[1]
    return np.ldexp(matrix, -exponent[..., None, None]), exponent


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

    Derivation: the logarithm of gamma(x + 1) = x gamma(x), differentiated, is the recurrence; Stirling's series for ln
    gamma(x), whose terms are B_2k / (2k (2k - 1) x^(2k - 1)), differentiated, has the terms -B_2k / (2k x^2k) of the
    second line.

    Source: derived here.
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

    A Gaussian matrix maps every unit vector to a Gaussian one of deviation s, whose length is s times a chi variable
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

    Source: Newman (1986); derived in vanishing_exploding#eq-spectrum.
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
    Q_0 holds the first axes. With random matrices they are as good as any others, and the rates tend to the largest
    Lyapunov exponents. Under given matrices an axis can be special: diag(0.5, 2) again and again halves the first one.
    `log_singular_values` depends on no axes.

    Args:
        matrices: A_1, A_2, ..., the first to be applied first.
        count: How many rates, from 1 to n.

    Returns:
        The sum of the first k numbers is the rate at which the volume on the first k axes grows over these steps; minus
        infinity where that volume became exactly 0.

    Raises:
        TypeError: If `matrices` is not an array of floating-point numbers.
        ValueError: If the matrices are not square, there are none, or `count` is outside its range.

    Source: rates from the growth of volumes, Benettin et al. (1980); derived in vanishing_exploding#eq-spectrum.
    """
    checks.finite("matrices", checks.single_or_double("matrices", checks.square("matrices", matrices)))
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

    Source: derived in vanishing_exploding#eq-layer-jacobian.
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
    floating point, the product keeps only those within about 16 decades of the largest; the rest is rounding. Here the
    error of a logarithm is about rounding times the condition number of a factor, however small the value is: a single
    factor whose columns are parallel but for rounding loses its small value here too.

    Args:
        factors: A_1, A_2, ..., A_L, the first to be applied first; each has as many columns as the one before has rows.

    Returns:
        The logarithms in float64, the largest first, as many as the least number of rows or columns of a factor; minus
        infinity where the product has no such rank.

    Raises:
        TypeError: If a factor is not an array of floating-point numbers.
        ValueError: If there are no factors, or one does not fit the one before.

    Derivation: Q R of each factor times the Q before it leaves the product as Q times triangular factors, whose rows
    carry their sizes as logarithms; rotations from one side then make the rows orthogonal, and their lengths are the
    values.

    Source: derived here.
    """
    checks.integer("the number of factors", len(factors), at_least=1)
    for index, factor in enumerate(factors):
        name = f"factors[{index}]"
        checks.rank(name, checks.finite(name, checks.floating(name, factor)), at_least=2)
        if index:
            rows = factors[index - 1].shape[-2]
            checks.last_axes(name, factor, factor.shape[-2], rows, of=f"factors[{index - 1}] has {rows} rows")
    runs = np.broadcast_shapes(*(factor.shape[:-2] for factor in factors))
    near_one = [_near_one(factor.astype(np.float64)) for factor in factors]
    spread = [np.broadcast_to(factor, (*runs, *factor.shape[-2:])) for factor, _ in near_one]
    count = min(min(factor.shape[-2:]) for factor in factors)
    logs = np.full((*runs, count), -np.inf)
    for run in np.ndindex(*runs):
        found = _log_singular_values([factor[run] for factor in spread])
        logs[run][: len(found)] = found
    return logs + np.log(2) * np.asarray(sum(exponent for _, exponent in near_one))[..., None]


def _length(tensors: Sequence[np.ndarray], run_axes: int) -> np.ndarray | np.floating:
    """Length of several arrays taken as one vector, for each run, in float64; no square overflows or underflows."""
    rows = [np.reshape(tensor, (*tensor.shape[:run_axes], -1)) for tensor in tensors]
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        length = np.sqrt(sum(np.square(row, dtype=np.float64).sum(axis=-1) for row in rows))
        if np.all((length > 1e-140) & (length < 1e140)):
            return length
        largest = np.max([np.abs(row).max(axis=-1, initial=0).astype(np.float64) for row in rows], axis=0)
        usable = np.isfinite(largest) & (largest > 0)
        scale = np.where(usable, largest, 1)[..., None]
        squares = sum(np.square(row / scale).sum(axis=-1) for row in rows)
    return np.where(usable, largest * np.sqrt(squares), largest)


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

    Source: definition.
    """
    run_axes = checks.integer("run_axes", run_axes, at_least=0)
    for name, gradient in gradients.items():
        argument = f"gradients[{name!r}]"
        checks.rank(argument, checks.floating(argument, gradient), at_least=run_axes)
    return {
        layer: _length([gradients[name] for name in names], run_axes)
        for layer, names in measured.names_by_layer(gradients).items()
    }


def per_layer_update_ratios(
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

    Source: definition.
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


def _size(signal: np.ndarray | None, run_axes: int) -> np.ndarray | np.floating | None:
    """Root mean square of the numbers of a signal."""
    if signal is None:
        return None
    return _length([signal], run_axes) / max(math.prod(signal.shape[run_axes:]), 1) ** 0.5


def _without_entries(gradient: np.ndarray, run_axes: int) -> np.ndarray:
    """Say of each row of a weight or bias whether its gradient is 0 in every entry."""
    return (np.reshape(gradient, (*gradient.shape[: run_axes + 1], -1)) == 0).all(axis=-1)


def _layer(
    name: str,
    parameters: Mapping[str, np.ndarray],
    gradients: Mapping[str, np.ndarray],
    updates: Mapping[str, np.ndarray],
    signal: measured.Signal,
    run_axes: int,
) -> measured.Layer:
    """Measure one layer; `gradients` and `updates` hold what there is. Each number is an array of the runs."""
    matrices = {key: value for key, value in parameters.items() if value.ndim - run_axes >= 2 and value.size}
    gains = [_length([value], run_axes) / value.shape[run_axes] ** 0.5 for value in matrices.values()]
    units = silent = None
    if len(matrices) == 1 and gradients.keys() >= matrices.keys():
        units = next(iter(matrices.values())).shape[run_axes]
        rows = [g for g in gradients.values() if g.shape[run_axes : run_axes + 1] == (units,)]
        silent = np.logical_and.reduce([_without_entries(g, run_axes) for g in rows]).sum(axis=-1)
    axes = {key: tuple(range(run_axes, value.ndim)) for key, value in parameters.items()}
    waits = [
        (parameters[key] == 0).all(axis=axes[key]) & (gradient != 0).any(axis=axes[key])
        for key, gradient in gradients.items()
        if "bias" not in key.rpartition(".")[2]
    ]
    return measured.Layer(
        name,
        _length([*parameters.values()], run_axes),
        _length([*gradients.values()], run_axes) if gradients else None,
        _length([*updates.values()], run_axes) if updates else None,
        np.max(gains, axis=0) if gains else None,
        _size(signal.taken, run_axes),
        _size(signal.given, run_axes),
        None if signal.returned is None else _length([signal.returned], run_axes),
        units,
        silent,
        np.logical_or.reduce(waits) if waits else False,
        not gradients,
    )


def _read(
    parameters: Mapping[str, np.ndarray],
    gradients: Mapping[str, np.ndarray | None],
    updates: Mapping[str, np.ndarray | None] | None,
    signals: Mapping[str, measured.Signal],
    run_axes: int = 0,
) -> list[measured.Layer]:
    """Measure every layer. With runs each number is an array of their shape."""
    found = []
    for layer, names in measured.names_by_layer(parameters).items():
        own, grads, steps = (
            {name: group[name] for name in names if group[name] is not None}
            for group in (parameters, gradients, updates or dict.fromkeys(parameters))
        )
        found.append(_layer(layer, own, grads, steps, signals.get(layer, measured.Signal()), run_axes))
    return found


def _of_run(layer: measured.Layer, run: tuple[int, ...]) -> measured.Layer:
    """Give the numbers of one run as Python's own."""
    return layer._make(value[run].item() if isinstance(value, np.ndarray | np.generic) else value for value in layer)


def diagnose(
    parameters: Mapping[str, Float[np.ndarray, "..."]],
    gradients: Mapping[str, Float[np.ndarray, "..."] | None],
    updates: Mapping[str, Float[np.ndarray, "..."] | None] | None = None,
    *,
    signals: Mapping[str, measured.Signal] | None = None,
    spread: float = 1e3,
    outlier: float = 30.0,
    largest_ratio: float = 1.0,
) -> diagnosis.Diagnosis:
    """Say what is wrong with one network, from its arrays. The rules are those of `dlnotes.diagnosis.judge`.

    Of the rules those that ask for the loss are passed over; `diagnose_network` asks them too. Without signals the
    sizes of the gradients stand in for those of signal and message, and where a NaN or a dead layer began is often not
    to be told.

    Args:
        parameters: By name, in the order of the layers; "2.weight" and "2.bias" belong to layer "2".
        gradients: Of the same names and shapes; None for a parameter that is frozen.
        updates: What the optimizer would add to the parameters, of the same names and shapes, or None.
        signals: For each layer what it takes and gives, one row an example, and the gradient of the loss in what it
            gives. Layers and fields may be missing.
        spread: How much signal or gradient may change along the hidden layers, at least 1.
        outlier: How much one layer's weights may differ from the others', at least 1.
        largest_ratio: The longest step beside the weights, above 0.

    Returns:
        The fault, the layer if the evidence singles one out, a sentence, and what was measured.

    Raises:
        TypeError: If a parameter, gradient or update is not an array of floating-point numbers.
        ValueError: If names or shapes differ, there are no parameters, or a threshold is outside its range.

    Source: definition.
    """
    measured.check(parameters, gradients, updates, signals)
    layers = [_of_run(layer, ()) for layer in _read(parameters, gradients, updates, signals or {})]
    evidence = measured.Evidence(tuple(layers))
    return diagnosis.judge(evidence, spread=spread, outlier=outlier, largest_ratio=largest_ratio)


class _Pass(NamedTuple):
    """What one pass forward and back through a perceptron leaves."""

    loss: np.ndarray
    gradients: dict[str, np.ndarray]
    signals: dict[str, measured.Signal]


def _pass(
    parameters: Arrays, batch: tuple[np.ndarray, np.ndarray], activation: str | activations.Activation, loss: Callable
) -> _Pass:
    logits, cache = network.forward(parameters, batch[0], activation)
    value, delta = loss(logits, batch[1])
    gradients = network.backward(delta, parameters, cache, activation)
    slope, signals = activations.lookup(activation).slope, {}
    for name, taken, given in zip(
        reversed(network.layer_names(parameters)), cache.inputs[::-1], cache.preactivations[::-1], strict=True
    ):
        if signals:
            delta = delta @ weight * slope(given)
        weight = parameters[f"{name}.weight"]
        signals[name] = measured.Signal(np.broadcast_to(taken, (*weight.shape[:-2], *taken.shape[-2:])), given, delta)
    return _Pass(value, gradients, signals)


def _asleep(
    look: Callable, step: Callable, parameters: Arrays, first: _Pass, run_axes: int
) -> dict[str, np.ndarray | np.bool_]:
    """Take steps as long as they wake layers without a gradient; say of each layer which runs' still sleep."""
    still = {name: norm == 0 for name, norm in per_layer_gradient_norms(first.gradients, run_axes=run_axes).items()}
    gradients = first.gradients
    for _ in still:
        before = sum(sleeping.sum() for sleeping in still.values())
        if not before:
            break
        parameters = optimizers.apply_updates(parameters, step(gradients, parameters))
        gradients = look(parameters).gradients
        norms = per_layer_gradient_norms(gradients, run_axes=run_axes)
        still = {name: sleeping & (norms[name] == 0) for name, sleeping in still.items()}
        if sum(sleeping.sum() for sleeping in still.values()) == before:
            break
    return still


def diagnose_network(
    parameters: Arrays,
    inputs: Float[np.ndarray, "*runs_or_none batch features"],
    targets: Shaped[np.ndarray, "..."],
    optimizer: optimizers.Optimizer,
    *,
    state: Any = None,
    activation: str | activations.Activation = "relu",
    loss: Callable | None = None,
    spread: float = 1e3,
    outlier: float = 30.0,
    largest_ratio: float = 1.0,
) -> diagnosis.Diagnosis | np.ndarray:
    """Say what is wrong with a perceptron and the next step of its optimizer, or with each of many.

    It runs the network forward and back, tries the step, looks at the loss after it and after a longer one, and takes
    more steps for as long as they wake layers that had no gradient. Nothing that it was given changes.

    Args:
        parameters: As in `network.forward`; leading axes are runs.
        inputs: One row an example.
        targets: What `loss` takes beside the outputs.
        optimizer: What would take the step.
        state: The optimizer's state; by default that of the start.
        activation: A name in `activations.ACTIVATIONS`.
        loss: As in `network.loss_and_gradient`.
        spread: See `diagnose`.
        outlier: See `diagnose`.
        largest_ratio: See `diagnose`.

    Returns:
        The diagnosis; with runs an array of them.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If the activation is unknown, the sizes do not fit, or a threshold is outside its range.

    Source: definition.
    """
    optimizers.check_optimizer("optimizer", optimizer)
    runs = parameters[f"{network.layer_names(parameters)[0]}.weight"].shape[:-2]
    state = [optimizer.init(parameters) if state is None else state]

    def look(parameters: Arrays) -> _Pass:
        return _pass(parameters, (inputs, targets), activation, loss or objective.cross_entropy_with_gradient)

    def step(gradients: Arrays, parameters: Arrays) -> Arrays:
        updates, state[0] = optimizer.update(gradients, state[0], parameters)
        return updates

    with np.errstate(all="ignore"):
        first = look(parameters)
        updates = step(first.gradients, parameters)
        layers = _read(parameters, first.gradients, updates, first.signals, len(runs))
        slope = sum(_sum(first.gradients[name] * update, len(runs)) for name, update in updates.items())
        after, further = (
            look({name: value + stride * updates[name] for name, value in parameters.items()}).loss
            for stride in (1, measured.STRIDE)
        )
        asleep = _asleep(look, step, parameters, first, len(runs))
        data = np.broadcast_to(_size(inputs, max(inputs.ndim - 2, 0)), runs)
    found = np.empty(runs, dtype=object)
    for run in np.ndindex(*runs):
        names = tuple(name for name, sleeping in asleep.items() if sleeping[run])
        trial = measured.Trial(*(float(value[run]) for value in (slope, after, further)), names)
        own = tuple(_of_run(layer, run) for layer in layers)
        evidence = measured.Evidence(own, float(data[run]), float(first.loss[run]), trial)
        found[run] = diagnosis.judge(evidence, spread=spread, outlier=outlier, largest_ratio=largest_ratio)
    return found if runs else found[()]


def _sum(array: np.ndarray, run_axes: int) -> np.ndarray | np.floating:
    return array.sum(axis=tuple(range(run_axes, array.ndim)), dtype=np.float64)
