"""Random starting weights, the variances they are drawn with, and what these do to a signal through many layers.

Weights have the shape `(*runs, fan_out, fan_in)`, those of a convolution `(*runs, out, in, height, width)`. A random
function takes the shape of one run. With `runs`, a Generator spawns one child a run in C order, and run i draws from
child i alone, so that a grid of runs holds the very numbers that its runs would draw one by one.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlnotes import checks, weight_scales
from dlnotes.numpy import activations, many_runs

if TYPE_CHECKING:
    from jaxtyping import Float

    # NumPy gives a scalar where an array would have no axes.
    Array = np.ndarray | np.generic
    Generators = np.random.Generator | np.ndarray


def scaled(
    noise: Float[np.ndarray, "*runs_and_shape"], scale: float | Float[Array, "*runs"]
) -> Float[np.ndarray, "*runs_and_shape"]:
    """Multiply noise by one scale, or by one scale a run: the core that all the random functions share.

        w = s e

    Args:
        noise: Random numbers e, of shape (*runs, *shape).
        scale: The scale s, a number or an array of shape (*runs,), at least 0.

    Returns:
        Weights, of the shape and dtype of `noise`.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a scale is negative or not finite, or there are not as many as runs.

    Source: definition.
    """
    checks.single_or_double("noise", noise)
    scale = checks.reals("scale", scale, at_least=0)
    leading = noise.shape[: np.ndim(scale)]
    checks.shaped("scale", np.asarray(scale), leading, of="noise has runs")
    return noise * many_runs.aligned(scale, noise)


def _noise(
    draw: Callable[[np.random.Generator, tuple[int, ...], np.dtype], np.ndarray],
    shape: tuple[int, ...],
    generator: Generators,
    runs: tuple[int, ...],
    dtype: type | np.dtype,
) -> Float[np.ndarray, "..."]:
    """Put side by side what each run draws from its own generator."""
    shape, runs = checks.shape("shape", shape), checks.shape("runs", runs, at_least=1)
    checks.choice("dtype", np.dtype(dtype).name, ("float32", "float64"))
    generators, noise = many_runs.generators(generator, runs), np.empty((*runs, *shape), dtype)
    for run in np.ndindex(*runs):
        noise[run] = draw(generators[run], shape, noise.dtype)
    return noise


def normal(
    shape: tuple[int, ...],
    generator: Generators,
    *,
    standard_deviation: float | Float[Array, "*runs"] = 1.0,
    runs: tuple[int, ...] = (),
    dtype: type | np.dtype = np.float64,
) -> Float[np.ndarray, "..."]:
    """Draw weights from a normal distribution of mean 0.

        w = s e,    e ~ N(0, 1)

    Args:
        shape: Shape of one run's weights.
        generator: Draws the weights. With runs, each run draws from its own child, or from its own entry of an array.
        standard_deviation: The deviation s, at least 0: a number, or an array of shape (*runs,).
        runs: The shape of the grid of runs.
        dtype: np.float64 or np.float32.

    Returns:
        Weights, of shape (*runs, *shape).

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a size is below 0, the deviation is negative or not finite, or the generators are not as many as
            runs.

    Source: definition.
    """
    standard_deviation = checks.one_a_run("standard_deviation", standard_deviation, runs, at_least=0)
    return scaled(_noise(np.random.Generator.standard_normal, shape, generator, runs, dtype), standard_deviation)


def uniform(
    shape: tuple[int, ...],
    generator: Generators,
    *,
    bound: float | Float[Array, "*runs"] = 1.0,
    runs: tuple[int, ...] = (),
    dtype: type | np.dtype = np.float64,
) -> Float[np.ndarray, "..."]:
    """Draw weights evenly from between two bounds; their variance is bound^2 / 3.

        w = b e,    e ~ U(-1, 1)

    Args:
        shape: Shape of one run's weights.
        generator: Draws the weights. With runs, each run draws from its own child, or from its own entry of an array.
        bound: The bound b, at least 0: a number, or an array of shape (*runs,).
        runs: The shape of the grid of runs.
        dtype: np.float64 or np.float32.

    Returns:
        Weights, of shape (*runs, *shape).

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a size is below 0, the bound is out of its range, or the generators are not as many as runs.

    Derivation: the mean of w^2 over (-b, b) is 1/(2b) times the integral of w^2, which is b^2 / 3.

    Source: derived here.
    """
    bound = checks.one_a_run("bound", bound, runs, at_least=0)
    noise = 2 * _noise(np.random.Generator.random, shape, generator, runs, dtype) - 1
    return scaled(noise, bound)


def lecun_normal(
    shape: tuple[int, ...], generator: Generators, *, runs: tuple[int, ...] = (), dtype: type | np.dtype = np.float64
) -> Float[np.ndarray, "..."]:
    """Draw normal weights with LeCun's variance, the one that SELU asks for.

        w ~ N(0, 1 / fan_in)

    Args:
        shape: Shape of one run's weights, (fan_out, fan_in) or (out, in, *kernel).
        generator: Draws the weights. With runs, each run draws from its own child, or from its own entry of an array.
        runs: The shape of the grid of runs.
        dtype: np.float64 or np.float32.

    Returns:
        Weights, of shape (*runs, *shape).

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a size is below 1, or the generators are not as many as runs.

    Source: derived in initialization#eq-lecun.
    """
    variance = weight_scales.lecun_variance(weight_scales.fans(shape).fan_in)
    return normal(shape, generator, standard_deviation=math.sqrt(variance), runs=runs, dtype=dtype)


def lecun_uniform(
    shape: tuple[int, ...], generator: Generators, *, runs: tuple[int, ...] = (), dtype: type | np.dtype = np.float64
) -> Float[np.ndarray, "..."]:
    """Draw uniform weights with LeCun's variance.

        w ~ U(-b, b),    b = sqrt(3 / fan_in)

    Args:
        shape: Shape of one run's weights, (fan_out, fan_in) or (out, in, *kernel).
        generator: Draws the weights. With runs, each run draws from its own child, or from its own entry of an array.
        runs: The shape of the grid of runs.
        dtype: np.float64 or np.float32.

    Returns:
        Weights, of shape (*runs, *shape).

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a size is below 1, or the generators are not as many as runs.

    Source: derived in initialization#eq-lecun.
    """
    variance = weight_scales.lecun_variance(weight_scales.fans(shape).fan_in)
    return uniform(shape, generator, bound=math.sqrt(3 * variance), runs=runs, dtype=dtype)


def xavier_normal(
    shape: tuple[int, ...],
    generator: Generators,
    *,
    gain: float | Float[Array, "*runs"] = 1.0,
    runs: tuple[int, ...] = (),
    dtype: type | np.dtype = np.float64,
) -> Float[np.ndarray, "..."]:
    """Draw normal weights with the variance of Glorot and Bengio.

        w ~ N(0, gain^2 2 / (fan_in + fan_out))

    Args:
        shape: Shape of one run's weights, (fan_out, fan_in) or (out, in, *kernel).
        generator: Draws the weights. With runs, each run draws from its own child, or from its own entry of an array.
        gain: Factor on the deviation, at least 0: a number, or an array of shape (*runs,).
        runs: The shape of the grid of runs.
        dtype: np.float64 or np.float32.

    Returns:
        Weights, of shape (*runs, *shape).

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a size is below 1, the gain is negative or not finite, or the generators are not as many as runs.

    Source: Glorot and Bengio (2010); derived in initialization#eq-xavier.
    """
    gain = checks.one_a_run("gain", gain, runs, at_least=0)
    variance = weight_scales.xavier_variance(*weight_scales.fans(shape))
    return normal(shape, generator, standard_deviation=gain * math.sqrt(variance), runs=runs, dtype=dtype)


def xavier_uniform(
    shape: tuple[int, ...],
    generator: Generators,
    *,
    gain: float | Float[Array, "*runs"] = 1.0,
    runs: tuple[int, ...] = (),
    dtype: type | np.dtype = np.float64,
) -> Float[np.ndarray, "..."]:
    """Draw uniform weights with the variance of Glorot and Bengio.

        w ~ U(-b, b),    b = gain sqrt(6 / (fan_in + fan_out))

    Args:
        shape: Shape of one run's weights, (fan_out, fan_in) or (out, in, *kernel).
        generator: Draws the weights. With runs, each run draws from its own child, or from its own entry of an array.
        gain: Factor on the bound, at least 0: a number, or an array of shape (*runs,).
        runs: The shape of the grid of runs.
        dtype: np.float64 or np.float32.

    Returns:
        Weights, of shape (*runs, *shape).

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a size is below 1, the gain is negative or not finite, or the generators are not as many as runs.

    Source: Glorot and Bengio (2010); derived in initialization#eq-xavier.
    """
    gain = checks.one_a_run("gain", gain, runs, at_least=0)
    variance = weight_scales.xavier_variance(*weight_scales.fans(shape))
    return uniform(shape, generator, bound=gain * math.sqrt(3 * variance), runs=runs, dtype=dtype)


def _fan(shape: tuple[int, ...], mode: str) -> int:
    return getattr(weight_scales.fans(shape), checks.choice("mode", mode, ("fan_in", "fan_out")))


def he_normal(
    shape: tuple[int, ...],
    generator: Generators,
    *,
    negative_slope: float = 0.0,
    mode: str = "fan_in",
    runs: tuple[int, ...] = (),
    dtype: type | np.dtype = np.float64,
) -> Float[np.ndarray, "..."]:
    """Draw normal weights with He's variance, the one that ReLU and leaky ReLU ask for.

        w ~ N(0, 2 / ((1 + a^2) fan))

    Args:
        shape: Shape of one run's weights, (fan_out, fan_in) or (out, in, *kernel).
        generator: Draws the weights. With runs, each run draws from its own child, or from its own entry of an array.
        negative_slope: Slope a of the activation below 0.
        mode: "fan_in" to keep the forward second moment, "fan_out" the backward one.
        runs: The shape of the grid of runs.
        dtype: np.float64 or np.float32.

    Returns:
        Weights, of shape (*runs, *shape).

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a size is below 1, the slope is not finite, the mode is another word, or the generators are not
            as many as runs.

    Source: He et al. (2015); derived in initialization#eq-he.
    """
    variance = weight_scales.he_variance(_fan(shape, mode), negative_slope)
    return normal(shape, generator, standard_deviation=math.sqrt(variance), runs=runs, dtype=dtype)


def he_uniform(
    shape: tuple[int, ...],
    generator: Generators,
    *,
    negative_slope: float = 0.0,
    mode: str = "fan_in",
    runs: tuple[int, ...] = (),
    dtype: type | np.dtype = np.float64,
) -> Float[np.ndarray, "..."]:
    """Draw uniform weights with He's variance.

        w ~ U(-b, b),    b = sqrt(6 / ((1 + a^2) fan))

    Args:
        shape: Shape of one run's weights, (fan_out, fan_in) or (out, in, *kernel).
        generator: Draws the weights. With runs, each run draws from its own child, or from its own entry of an array.
        negative_slope: Slope a of the activation below 0.
        mode: "fan_in" to keep the forward second moment, "fan_out" the backward one.
        runs: The shape of the grid of runs.
        dtype: np.float64 or np.float32.

    Returns:
        Weights, of shape (*runs, *shape).

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a size is below 1, the slope is not finite, the mode is another word, or the generators are not
            as many as runs.

    Source: He et al. (2015); derived in initialization#eq-he.
    """
    variance = weight_scales.he_variance(_fan(shape, mode), negative_slope)
    return uniform(shape, generator, bound=math.sqrt(3 * variance), runs=runs, dtype=dtype)


def pytorch_default(
    shape: tuple[int, ...], generator: Generators, *, runs: tuple[int, ...] = (), dtype: type | np.dtype = np.float64
) -> Float[np.ndarray, "..."]:
    """Draw weights as `torch.nn.Linear` and `torch.nn.Conv2d` do when nothing else is asked for.

        w ~ U(-b, b),    b = 1 / sqrt(fan_in)

    Args:
        shape: Shape of one run's weights, (fan_out, fan_in) or (out, in, *kernel).
        generator: Draws the weights. With runs, each run draws from its own child, or from its own entry of an array.
        runs: The shape of the grid of runs.
        dtype: np.float64 or np.float32.

    Returns:
        Weights, of shape (*runs, *shape).

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a size is below 1, or the generators are not as many as runs.

    Source: definition, of `reset_parameters` in PyTorch.
    """
    variance = weight_scales.pytorch_default_variance(weight_scales.fans(shape).fan_in)
    return uniform(shape, generator, bound=math.sqrt(3 * variance), runs=runs, dtype=dtype)


def pytorch_default_bias(
    shape: tuple[int, ...], generator: Generators, *, runs: tuple[int, ...] = (), dtype: type | np.dtype = np.float64
) -> Float[np.ndarray, "..."]:
    """Draw biases as `torch.nn.Linear` and `torch.nn.Conv2d` do when nothing else is asked for.

        b_j ~ U(-b, b),    b = 1 / sqrt(fan_in)

    Args:
        shape: Shape of the weights that the biases go with, (fan_out, fan_in) or (out, in, *kernel).
        generator: Draws the biases. With runs, each run draws from its own child, or from its own entry of an array.
        runs: The shape of the grid of runs.
        dtype: np.float64 or np.float32.

    Returns:
        Biases, of shape (*runs, out).

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a size is below 1, or the generators are not as many as runs.

    Source: definition, of `reset_parameters` in PyTorch.
    """
    bound = 1 / math.sqrt(weight_scales.fans(shape).fan_in)
    return uniform(shape[:1], generator, bound=bound, runs=runs, dtype=dtype)


def truncated_normal(
    shape: tuple[int, ...],
    generator: Generators,
    *,
    standard_deviation: float | Float[Array, "*runs"] = 1.0,
    bound: float = 2.0,
    runs: tuple[int, ...] = (),
    dtype: type | np.dtype = np.float64,
) -> Float[np.ndarray, "..."]:
    """Draw weights from a normal distribution without its tails, with the standard deviation asked for.

        w = s e / truncated_deviation(bound),    e ~ N(0, 1) given |e| <= bound

    What falls outside is drawn again. Without the division the weights would have the deviation 0.88 s (at a bound of
    2). The bounds of `torch.nn.init.trunc_normal_` are numbers and not multiples of its
    deviation: by default -2 and 2, which is this cut at a deviation of 1 and hardly any at 0.02. It does not divide.

    Args:
        shape: Shape of one run's weights, (fan_out, fan_in) or (out, in, *kernel).
        generator: Draws the weights. With runs, each run draws from its own child, or from its own entry of an array.
        standard_deviation: The deviation s of the weights, at least 0: a number, or an array of shape (*runs,).
        bound: Where the tails are cut, in deviations of the distribution before the cut, at least 0.1.
        runs: The shape of the grid of runs.
        dtype: np.float64 or np.float32.

    Returns:
        Weights, of shape (*runs, *shape).

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a size is below 1, the deviation is negative or not finite, the bound is out of its range, or the
            generators are not as many as runs.

    Source: definition.
    """
    deviation = weight_scales.truncated_deviation(bound)
    standard_deviation = checks.one_a_run("standard_deviation", standard_deviation, runs, at_least=0)

    def without_tails(source: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        noise = np.asarray(source.standard_normal(shape, dtype))
        while (outside := np.abs(noise) > bound).any():
            noise[outside] = source.standard_normal(np.count_nonzero(outside), dtype)
        return noise

    noise = _noise(without_tails, shape, generator, runs, dtype)
    return scaled(noise / deviation, standard_deviation)


def orthogonalize(noise: Float[np.ndarray, "*runs rows columns"]) -> Float[np.ndarray, "*runs rows columns"]:
    """Turn matrices of normal noise into orthogonal ones, evenly distributed over all of them.

        E = Q R,    W = Q sign(diag(R))

    A QR decomposition is unique only up to signs, and a library's choice of them is not random; with the diagonal of R
    made positive, W is as the Haar measure asks. A matrix with more columns than rows gets orthonormal rows.

    Args:
        noise: Independent standard normal numbers E, of shape (*runs, rows, columns).

    Returns:
        Matrices whose columns, or rows if these are fewer, are orthonormal, of the shape and dtype of `noise`.

    Raises:
        TypeError: If `noise` does not hold float32 or float64.
        ValueError: If `noise` has fewer than two axes, or a number that is not finite.

    Derivation: a rotation of E does not change its distribution, so that none of Q is preferred once the signs of R are
    fixed.

    Source: derived here.
    """
    checks.finite("noise", checks.rank("noise", checks.single_or_double("noise", noise), at_least=2))
    tall = noise.shape[-2] >= noise.shape[-1]
    q, r = np.linalg.qr(noise if tall else noise.mT)
    q = q * np.copysign(1, np.diagonal(r, axis1=-2, axis2=-1))[..., None, :]
    return q if tall else np.ascontiguousarray(q.mT)


def orthogonal(
    shape: tuple[int, ...],
    generator: Generators,
    *,
    gain: float | Float[Array, "*runs"] = 1.0,
    runs: tuple[int, ...] = (),
    dtype: type | np.dtype = np.float64,
) -> Float[np.ndarray, "..."]:
    """Draw an orthogonal matrix, all of whose singular values are the gain.

        W = gain Q,    Q^T Q = 1 or Q Q^T = 1

    The kernel of a convolution is made from a matrix of `out` rows.

    Args:
        shape: Shape of one run's weights, (fan_out, fan_in) or (out, in, *kernel).
        generator: Draws the weights. With runs, each run draws from its own child, or from its own entry of an array.
        gain: The singular values, at least 0: a number, or an array of shape (*runs,).
        runs: The shape of the grid of runs.
        dtype: np.float64 or np.float32.

    Returns:
        Weights, of shape (*runs, *shape).

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a size is below 1, the gain is negative or not finite, or the generators are not as many as runs.

    Source: Saxe et al. (2014).
    """
    gain, fan_in = checks.one_a_run("gain", gain, runs, at_least=0), weight_scales.fans(shape).fan_in
    noise = normal((shape[0], fan_in), generator, runs=runs, dtype=dtype)
    return scaled(orthogonalize(noise), gain).reshape(*runs, *shape)


def unit_variance(
    weights: Sequence[Float[np.ndarray, "*runs _ _"]],
    inputs: Float[np.ndarray, "*runs_or_none batch features"],
    activation: str | activations.Activation = "relu",
) -> tuple[Float[np.ndarray, "..."], ...]:
    """Scale each layer in turn so that its pre-activations have variance 1 on these inputs.

        W_l <- W_l / sqrt(Var[h_(l-1) W_l^T]),    h_l = f(h_(l-1) W_l^T)

    The variance is over the batch and the units. A layer without bias is linear in its weights, so that one division is
    exact.

    Args:
        weights: The weights of each layer, of shape (*runs, fan_out, fan_in).
        inputs: A batch of inputs, of shape (*runs, batch, features) or (batch, features).
        activation: A name in `activations.ACTIVATIONS`, or an `activations.Activation`.

    Returns:
        The scaled weights.

    Raises:
        TypeError: If an array does not hold float32 or float64.
        ValueError: If the activation is unknown or a layer's pre-activations do not vary.

    Derivation: the pre-activations are linear in W_l, so that W_l / c has them divided by c and their variance by c^2.

    Source: derived here.
    """
    function = activations.lookup(activation).function
    signal, result = checks.rank("inputs", checks.single_or_double("inputs", inputs), at_least=2), []
    for layer, weight in enumerate(weights):
        z = _preactivations(signal, weight)
        deviation = _deviation(z)
        checks.reals(f"the deviation of inputs at layer {layer}, over rounding", deviation / _rounding(z), above=1)
        result.append(weight / deviation[..., None, None])
        signal = function(z / deviation[..., None, None])
    return tuple(result)


def _deviation(z: Float[np.ndarray, "*runs batch units"]) -> Float[np.ndarray, "*runs"]:
    """Give the standard deviation over batch and units, at any scale: squares are taken of numbers up to 1."""
    largest = np.abs(z).max((-2, -1), keepdims=True)
    largest = np.where(largest > 0, largest, 1)
    return np.asarray((z / largest).std((-2, -1)) * largest[..., 0, 0])


def _rounding(z: Float[np.ndarray, "*runs batch units"]) -> Float[Array, "*runs"]:
    """Give the deviation that equal numbers of this size may show after rounding."""
    return np.maximum(16 * np.finfo(z.dtype).eps * np.abs(z).max((-2, -1)), np.finfo(z.dtype).tiny)


def lsuv(
    sizes: Sequence[int],
    generator: Generators,
    inputs: Float[np.ndarray, "*runs_or_none batch features"],
    *,
    activation: str | activations.Activation = "relu",
    runs: tuple[int, ...] = (),
    dtype: type | np.dtype = np.float64,
) -> tuple[Float[np.ndarray, "..."], ...]:
    """Draw orthogonal weights and scale them, layer by layer, to variance 1 on a batch of inputs.

        W_l = Q_l / sqrt(Var[h_(l-1) Q_l^T])

    Args:
        sizes: The number of features at the input, after each hidden layer and at the output.
        generator: Draws the weights. With runs, each run draws from its own child, or from its own entry of an array.
        inputs: A batch of inputs, of shape (*runs, batch, features) or (batch, features).
        activation: A name in `activations.ACTIVATIONS`, or an `activations.Activation`.
        runs: The shape of the grid of runs.
        dtype: np.float64 or np.float32.

    Returns:
        The weights of each layer, of shape (*runs, fan_out, fan_in).

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If there are fewer than two sizes or one is below 1, the activation is unknown, the inputs do not
            fit the first size, or the pre-activations of a layer do not vary.

    Source: Mishkin and Matas (2016), algorithm 1, with one exact division in place of a loop.
    """
    sizes = checks.shape("sizes", tuple(sizes), axes_at_least=2, at_least=1)
    generators = many_runs.generators(generator, runs)
    source = generators if runs else generators[()]
    pairs = itertools.pairwise(sizes)
    start = [orthogonal((fan_out, fan_in), source, runs=runs, dtype=dtype) for fan_in, fan_out in pairs]
    return unit_variance(start, inputs, activation)


@functools.cache
def _normal_nodes() -> tuple[np.ndarray, np.ndarray]:
    """Give nodes z and weights w such that sum w f(z) is E[f(z)] for a standard normal z.

    Gauss-Hermite's rule converges slowly where f has a kink: with 100 nodes E[selu(z)^2] is off by 9e-5. So each side
    of 0, where the kinks are, is cut into panels [2^k, 2^(k+1)], on each of which f is smooth, and each gets a rule of
    Gauss-Legendre. Panels that halve towards 0 also resolve a function that changes within 1e-6 of it.
    """
    z, w = _panels(np.concatenate(([0.0], 2.0 ** np.arange(-30, 6))), 20)
    w = w * activations.normal_density(z)
    return np.concatenate((-z, z)), np.concatenate((w, w))


def _normal_mean_square(function: Callable, variance: float | Float[Array, "*runs"]) -> Float[Array, "*runs"]:
    variance = np.asarray(checks.reals("variance", variance, at_least=0), dtype=np.float64)
    z, w = _normal_nodes()
    values = function(np.sqrt(variance)[..., None] * z)
    return (values * values * w).sum(-1)


def second_moment_map(
    activation: str | activations.Activation, variance: float | Float[Array, "*runs"]
) -> Float[Array, "*runs"]:
    """Give the second moment of an activation whose pre-activations are normal with mean 0.

        E[f(sqrt(q) z)^2],    z ~ N(0, 1)

    Times fan_in Var[w] it is the variance of the next layer's pre-activations, in the limit of wide layers. Accurate to
    1e-10 for functions whose only kink is at 0.

    Args:
        activation: A name in `activations.ACTIVATIONS`, or an `activations.Activation`.
        variance: Variance q of the pre-activations, at least 0, a number or an array.

    Returns:
        The second moment, of the shape of `variance`.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If the activation is unknown or a variance negative.

    Source: derived in initialization#eq-moment-map.
    """
    return _normal_mean_square(activations.lookup(activation).function, variance)


def slope_moment(
    activation: str | activations.Activation, variance: float | Float[Array, "*runs"]
) -> Float[Array, "*runs"]:
    """Give the mean square of an activation's slope where pre-activations are normal with mean 0.

        E[f'(sqrt(q) z)^2],    z ~ N(0, 1)

    Times fan_out Var[w] it is the factor by which the second moment of a gradient grows from a layer to the one below,
    in the limit of wide layers.

    Args:
        activation: A name in `activations.ACTIVATIONS`, or an `activations.Activation`.
        variance: Variance q of the pre-activations, at least 0, a number or an array.

    Returns:
        The mean square slope, of the shape of `variance`.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If the activation is unknown or a variance negative.

    Source: derived in initialization#eq-chi.
    """
    return _normal_mean_square(activations.lookup(activation).slope, variance)


def gain(activation: str | activations.Activation) -> float:
    """Give the factor on the weights that makes up for what an activation takes from the second moment.

        gain = 1 / sqrt(E[f(z)^2]),    z ~ N(0, 1)

    With weights of variance gain^2 / fan_in, pre-activations of variance 1 keep it in the next layer. For ReLU this is
    sqrt(2) and for leaky ReLU sqrt(2 / (1 + a^2)), and since these two are homogeneous it holds at every variance;
    `torch.nn.init.calculate_gain` gives the same. For tanh this is 1.5925, while `calculate_gain` gives 5/3, and for
    sigmoid 1.8462, while it gives 1: those two are conventions, not solutions of this equation.

    The variance 1 is a fixed point, and not always a stable one: near it a departure grows in a layer by gain^2 times
    `moment_map_slope`, which is 0.46 for tanh, 0.78 for SELU, 0.89 for ELU, 1 for ReLU, but 1.14 for GELU and 1.17 for
    SiLU. A deep network of these two runs away from 1, down or up, unless something else holds it.

    Args:
        activation: A name in `activations.ACTIVATIONS`, or an `activations.Activation`.

    Returns:
        The gain.

    Raises:
        TypeError: If the activation is neither a name nor an `Activation`.
        ValueError: If the activation is unknown, or zero everywhere.

    Source: derived in initialization#eq-gain.
    """
    moment = float(second_moment_map(activation, 1.0))
    return 1 / math.sqrt(checks.real("second moment of activation", moment, above=0))


def moment_map_slope(
    activation: str | activations.Activation, variance: float | Float[Array, "*runs"]
) -> Float[Array, "*runs"]:
    """Give the slope of `second_moment_map` in the variance.

        d/dq E[f(sqrt(q) z)^2] = E[f(sqrt(q) z) f'(sqrt(q) z) z] / sqrt(q),    z ~ N(0, 1)

    Under weights of variance gain^2 / fan_in the variance 1 stays 1. Times gain^2 this is the factor by which a small
    departure from 1 grows in a layer: the variance comes back to 1 where it is below 1 and runs away where it is above.

    Args:
        activation: A name in `activations.ACTIVATIONS`, or an `activations.Activation`.
        variance: Variance q of the pre-activations, above 0, a number or an array.

    Returns:
        The slope, of the shape of `variance`.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If the activation is unknown or a variance not above 0.

    Source: derivative of `second_moment_map`.
    """
    function, slope = activations.lookup(activation)
    deviation = np.sqrt(np.asarray(checks.reals("variance", variance, above=0), dtype=np.float64))[..., None]
    z, w = _normal_nodes()
    return (function(deviation * z) * slope(deviation * z) * z * w / deviation).sum(-1)


def _panels(edges: np.ndarray, order: int) -> tuple[np.ndarray, np.ndarray]:
    """Give Gauss-Legendre's nodes and weights on each interval between two edges."""
    nodes, weights = np.polynomial.legendre.leggauss(order)
    half_widths = np.diff(edges)[:, None] / 2
    return (edges[:-1, None] + half_widths * (nodes + 1)).ravel(), (half_widths * weights).ravel()


@functools.cache
def _polar_nodes() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Give radii with their weights under a normal density in the plane, and places in an interval of angles.

    Panels halve towards 0 and towards both ends of the interval, where a steep function changes fast.
    """
    radii, weights = _panels(np.concatenate(([0.0], 2.0 ** np.arange(-6, 3), [6.0, 9.0, 14.0])), 12)
    halves = 2.0 ** np.arange(-10, 0)
    places = _panels(np.concatenate(([0.0], halves, 1 - halves[-2::-1], [1.0])), 8)
    return radii, weights * radii * np.exp(-radii * radii / 2) / (2 * math.pi), *places


def _mean_product(function: Callable, deviation: float, correlation: float) -> float:
    """Give E[f(u) f(v)] for normal u and v of one deviation whose correlation is cos(a).

    In polar coordinates u = r cos(t) and v = r cos(t - a), so that a kink at 0 lies on four rays, between which the
    product is smooth.
    """
    radii, of_radii, places, of_places = _polar_nodes()
    angle = math.acos(correlation)
    rays = np.unique(np.mod([math.pi / 2, -math.pi / 2, angle + math.pi / 2, angle - math.pi / 2], 2 * math.pi))
    total = 0.0
    for start, end in zip(rays, [*rays[1:], rays[0] + 2 * math.pi], strict=True):
        angles = start + (end - start) * places
        u, v = (deviation * radii[:, None] * np.cos(angles - turn) for turn in (0.0, angle))
        total += float(of_radii @ (function(u) * function(v)) @ of_places) * (end - start)
    return total


def _mean_products(
    function: Callable, correlation: float | np.ndarray, variance: float | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Give E[f(u) f(v)] for each correlation, and the variance, both of one shape."""
    correlation = np.asarray(checks.reals("correlation", correlation, at_least=-1, at_most=1), dtype=np.float64)
    variance = np.asarray(checks.reals("variance", variance, above=0), dtype=np.float64)
    checks.broadcasts("variance", variance, correlation.shape, of="correlation is")
    variance = np.broadcast_to(variance, correlation.shape)
    pairs = zip(np.sqrt(variance).ravel().tolist(), correlation.ravel().tolist(), strict=True)
    products = [_mean_product(function, deviation, each) for deviation, each in pairs]
    return np.array(products, dtype=np.float64).reshape(correlation.shape), variance


def correlation_map(
    activation: str | activations.Activation,
    correlation: float | Float[Array, "*shape"],
    variance: float | Float[Array, "*shape"] = 1.0,
) -> Float[Array, "*shape"]:
    """Give how alike two inputs are after a layer, from how alike they were before it.

        c' = E[f(u) f(v)] / E[f(u)^2]

    u and v are the pre-activations of one unit for the two inputs: normal, with mean 0, variance q and correlation c.
    Over the units of a wide layer with independent weights of mean 0 and no biases, c' is the correlation of the next
    pre-activations, and the cosine of the angle between the two vectors of activations. The weights' variance cancels.

    Args:
        activation: A name in `activations.ACTIVATIONS`, or an `activations.Activation`.
        correlation: The correlation c, from -1 to 1, a number or an array.
        variance: The variance q, above 0: a number, or an array of the shape of `correlation`.

    Returns:
        The correlation c' after the layer, of the shape of `correlation`; 1 where c is 1. Accurate to 1e-10 for
        functions whose only kink is at 0.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If the activation is unknown or a number out of its range.

    Source: Poole et al. (2016), whose map has biases besides.
    """
    function = activations.lookup(activation).function
    products, variance = _mean_products(function, correlation, variance)
    return products / _normal_mean_square(function, variance)


def correlation_map_slope(
    activation: str | activations.Activation,
    correlation: float | Float[Array, "*shape"],
    variance: float | Float[Array, "*shape"] = 1.0,
) -> Float[Array, "*shape"]:
    """Give the slope of `correlation_map` in the correlation.

        dc'/dc = q E[f'(u) f'(v)] / E[f(u)^2]

    At c = 1 it is the factor on the angle between two nearly equal inputs, squared: below 1 they become more alike from
    layer to layer, above 1 they come apart. It is also the factor on the mean square of a gradient, once the variance
    has settled.

    Args:
        activation: A name in `activations.ACTIVATIONS`, or an `activations.Activation`.
        correlation: The correlation c, from -1 to 1, a number or an array.
        variance: The variance q, above 0: a number, or an array of the shape of `correlation`.

    Returns:
        The slope, of the shape of `correlation`. An activation that jumps has none, and then this is not it.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If the activation is unknown or a number out of its range.

    Source: Schoenholz et al. (2017).
    """
    function, slope = activations.lookup(activation)
    products, variance = _mean_products(slope, correlation, variance)
    return variance * products / _normal_mean_square(function, variance)


def correlation_fixed_point(activation: str | activations.Activation, variance: float = 1.0) -> float:
    """Give how alike two inputs become in a deep network, from any correlation of at least 0 and below 1.

        c = correlation_map(c)

    The map is a power series in c with no negative coefficient, so it is convex from 0 on, and 1 is always a fixed
    point. A linear activation keeps every c, so that there is no answer. Otherwise, if the slope at 1 is at most 1,
    there is no other fixed point from 0 on, and all inputs become alike. If it is above 1, there is one below, which is
    found here by halving. The variance is taken to stay as it is.

    Args:
        activation: A name in `activations.ACTIVATIONS`, or an `activations.Activation`.
        variance: The variance q of the pre-activations, above 0.

    Returns:
        The correlation that the layers approach, from 0 to 1, to about 1e-9; nan where a layer moves a correlation of
        1/2 by less than 1e-9, as a linear one does.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If the activation is unknown or the variance not above 0.

    Source: Poole et al. (2016).
    """
    variance = checks.real("variance", variance, above=0)
    if abs(float(correlation_map(activation, 0.5, variance)) - 0.5) < 1e-9:
        return math.nan
    # An excess below 1e-9 is rounding, or belongs to a fixed point that no one could tell from 1.
    if float(correlation_map_slope(activation, 1.0, variance)) <= 1 + 1e-9:
        return 1.0
    if float(correlation_map(activation, 0.0, variance)) <= 1e-15:  # a function of mean 0 here leaves 0 where it is
        return 0.0
    below, above = 0.0, 1 - 1e-9
    while above - below > 1e-10:
        middle = (below + above) / 2
        below, above = (middle, above) if correlation_map(activation, middle, variance) > middle else (below, middle)
    return (below + above) / 2


def forward_second_moments(
    weights: Iterable[Float[np.ndarray, "*runs _ _"]],
    inputs: Float[np.ndarray, "*runs_or_none batch features"],
    activation: str | activations.Activation = "relu",
) -> Float[np.ndarray, "*runs layers_and_1"]:
    """Measure the second moment of the activations in each layer of a network without biases.

        q_l = mean of h_l^2 over batch and units,    h_0 = x,    h_l = f(h_(l-1) W_l^T)

    Args:
        weights: The weights of each layer, of shape (*runs, fan_out, fan_in); an iterator will do, so that a deep and
            wide network need not be held at once.
        inputs: A batch of inputs, of shape (*runs, batch, features) or (batch, features).
        activation: A name in `activations.ACTIVATIONS`, or an `activations.Activation`.

    Returns:
        The second moments, of shape (*runs, layers + 1), that of the inputs first.

    Raises:
        TypeError: If an array does not hold float32 or float64.
        ValueError: If the activation is unknown or the inputs do not fit.

    Source: definition, as in initialization#eq-second-moment.
    """
    return _measured_by_layer(_mean_square, weights, inputs, activation)


def _measured_by_layer(
    measure: Callable,
    weights: Iterable[np.ndarray],
    inputs: np.ndarray,
    activation: str | activations.Activation,
) -> Float[np.ndarray, "*runs layers_and_1"]:
    """Measure the inputs and the activations of each layer."""
    function = activations.lookup(activation).function
    signal = checks.rank("inputs", checks.single_or_double("inputs", inputs), at_least=2)
    measured = [measure(signal)]
    for weight in weights:
        signal = function(_preactivations(signal, weight))
        measured.append(measure(signal))
    return np.stack(np.broadcast_arrays(*measured), axis=-1)


def _preactivations(
    signal: Float[np.ndarray, "*runs_or_none batch fan_in"], weight: Float[np.ndarray, "*runs fan_out fan_in"]
) -> Float[np.ndarray, "*any batch fan_out"]:
    checks.rank("weights", checks.single_or_double("weights", weight), at_least=2)
    checks.last_axes("weights", weight, signal.shape[-1], of="many as the layer below has units")
    return signal @ weight.mT


def _mean_square(signal: Float[np.ndarray, "*runs batch units"]) -> Float[Array, "*runs"]:
    return (signal * signal).mean((-2, -1))


def mean_cosine(signal: Float[np.ndarray, "*runs batch units"]) -> Float[Array, "*runs"]:
    """Measure how alike a layer's vectors for different examples are.

        mean over all pairs i < j of  h_i . h_j / (|h_i| |h_j|)

    It is computed from the length of the sum of the n directions, whose square is n plus twice the sum over all pairs.

    Args:
        signal: The vectors h, one row an example.

    Returns:
        The mean cosine: 1 if all rows point one way, about 0 if they are unrelated. Rows of zeros have no direction and
        are left out; nan where fewer than two are left.

    Raises:
        TypeError: If `signal` does not hold float32 or float64.
        ValueError: If it has fewer than two axes.

    Source: definition.
    """
    checks.rank("signal", checks.single_or_double("signal", signal), at_least=2)
    largest = np.abs(signal).max(-1, keepdims=True)
    scaled_rows = signal / np.where(largest == 0, 1, largest)
    lengths = np.sqrt((scaled_rows * scaled_rows).sum(-1, keepdims=True))
    total = (scaled_rows / np.where(lengths == 0, 1, lengths)).sum(-2)
    count = (lengths[..., 0] != 0).sum(-1)
    pairs = np.where(count > 1, count * (count - 1), np.nan)
    return (((total * total).sum(-1) - count) / pairs).astype(signal.dtype)


def forward_cosines(
    weights: Iterable[Float[np.ndarray, "*runs _ _"]],
    inputs: Float[np.ndarray, "*runs_or_none batch features"],
    activation: str | activations.Activation = "relu",
) -> Float[np.ndarray, "*runs layers_and_1"]:
    """Measure how alike the examples of a batch are in each layer of a network without biases.

        c_l = mean cosine of the rows of h_l,    h_0 = x,    h_l = f(h_(l-1) W_l^T)

    Args:
        weights: The weights of each layer, of shape (*runs, fan_out, fan_in); an iterator will do.
        inputs: A batch of inputs, of shape (*runs, batch, features) or (batch, features).
        activation: A name in `activations.ACTIVATIONS`, or an `activations.Activation`.

    Returns:
        The mean cosines, of shape (*runs, layers + 1), that of the inputs first; see `mean_cosine`.

    Raises:
        TypeError: If an array does not hold float32 or float64.
        ValueError: If the activation is unknown or the inputs do not fit.

    Source: definition.
    """
    return _measured_by_layer(mean_cosine, weights, inputs, activation)


def backward_second_moments(
    weights: Sequence[Float[np.ndarray, "*runs _ _"]],
    inputs: Float[np.ndarray, "*runs_or_none batch features"],
    grad_output: Float[np.ndarray, "*runs_of_grad batch outputs"],
    activation: str | activations.Activation = "relu",
) -> Float[np.ndarray, "*runs layers_and_1"]:
    """Measure the second moment of the gradient in the activations of each layer of a network without biases.

        g_L = grad_output,    g_(l-1) = (g_l f'(h_(l-1) W_l^T)) W_l

    Args:
        weights: The weights of each layer, of shape (*runs, fan_out, fan_in).
        inputs: A batch of inputs, of shape (*runs, batch, features) or (batch, features).
        grad_output: Gradient of a loss in the last layer's activations, of shape (*runs, batch, outputs) or
            (batch, outputs).
        activation: A name in `activations.ACTIVATIONS`, or an `activations.Activation`.

    Returns:
        The mean of g_l^2 over batch and units, of shape (*runs, layers + 1), that of the gradient in the inputs first.

    Raises:
        TypeError: If an array does not hold float32 or float64.
        ValueError: If the activation is unknown or a shape does not fit.

    Source: definition.
    """
    function, slope = activations.lookup(activation)
    signal = checks.rank("inputs", checks.single_or_double("inputs", inputs), at_least=2)
    slopes = []
    for weight in weights:
        z = _preactivations(signal, weight)
        slopes.append(slope(z))
        signal = function(z)
    gradient = checks.single_or_double("grad_output", grad_output)
    checks.broadcasts("grad_output", gradient, signal.shape, of="outputs are")
    moments = [_mean_square(gradient)]
    for weight, layer_slope in zip(reversed(weights), reversed(slopes), strict=True):
        gradient = (gradient * layer_slope) @ weight
        moments.append(_mean_square(gradient))
    return np.stack(np.broadcast_arrays(*reversed(moments)), axis=-1)
