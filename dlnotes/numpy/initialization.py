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
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import checks
from dlnotes.numpy import activations, training

if TYPE_CHECKING:
    from jaxtyping import Float

    # NumPy gives a scalar where an array would have no axes.
    Array = np.ndarray | np.generic
    Generators = np.random.Generator | np.ndarray


class Fans(NamedTuple):
    """How many numbers a unit of a layer is computed from, and how many it enters into."""

    fan_in: int
    fan_out: int


class MuP(NamedTuple):
    """The variance of a layer's weights, and the factor on its learning rate."""

    variance: float
    learning_rate: float


def fans(shape: tuple[int, ...]) -> Fans:
    """Count the connections into and out of a unit.

        fan_in = in * kernel positions,    fan_out = out * kernel positions

    A dense layer has one position, a convolution as many as its kernel has.

    Args:
        shape: Shape of the weights, (fan_out, fan_in) or (out, in, *kernel), each size at least 1.

    Returns:
        fan_in and fan_out.

    Raises:
        TypeError: If `shape` is not a tuple of integers.
        ValueError: If it has fewer than two sizes or one below 1.

    Source: derived in the chapter; the counts are those of `torch.nn.init`.
    """
    fan_out, fan_in, *kernel = checks.shape("shape", shape, axes_at_least=2, at_least=1)
    return Fans(fan_in * math.prod(kernel), fan_out * math.prod(kernel))


def lecun_variance(fan_in: int) -> float:
    """Give the variance of weights that keeps the second moment through a linear layer.

        Var[w] = 1 / fan_in

    Args:
        fan_in: Inputs of a unit, at least 1.

    Returns:
        The variance.

    Raises:
        TypeError: If `fan_in` is not an integer.
        ValueError: If `fan_in` is below 1.

    Source: derived in the chapter.
    """
    return 1 / checks.integer("fan_in", fan_in, at_least=1)


def xavier_variance(fan_in: int, fan_out: int) -> float:
    """Give the variance of Glorot and Bengio, between what the forward and what the backward pass ask for.

        Var[w] = 2 / (fan_in + fan_out)

    Args:
        fan_in: Inputs of a unit, at least 1.
        fan_out: Units that an input enters, at least 1.

    Returns:
        The variance.

    Raises:
        TypeError: If a fan is not an integer.
        ValueError: If a fan is below 1.

    Source: derived in the chapter.
    """
    return 2 / (checks.integer("fan_in", fan_in, at_least=1) + checks.integer("fan_out", fan_out, at_least=1))


def he_variance(fan_in: int, negative_slope: float = 0.0) -> float:
    """Give the variance that keeps the second moment through a layer and a leaky ReLU, a ReLU where the slope is 0.

        Var[w] = 2 / ((1 + a^2) fan_in)

    Args:
        fan_in: Inputs of a unit, at least 1.
        negative_slope: Slope a of the activation below 0.

    Returns:
        The variance.

    Raises:
        TypeError: If an argument is not a number.
        ValueError: If `fan_in` is below 1 or the slope is not finite.

    Source: derived in the chapter.
    """
    fan_in, a = checks.integer("fan_in", fan_in, at_least=1), checks.real("negative_slope", negative_slope)
    return 2 / ((1 + a * a) * fan_in)


def pytorch_default_variance(fan_in: int) -> float:
    """Give the variance of the weights that `torch.nn.Linear` and `torch.nn.Conv2d` start from.

        Var[w] = 1 / (3 fan_in)

    They are uniform within 1 / sqrt(fan_in): He's rule for a leaky ReLU of slope sqrt(5), a sixth of that for ReLU.

    Args:
        fan_in: Inputs of a unit, at least 1.

    Returns:
        The variance.

    Raises:
        TypeError: If `fan_in` is not an integer.
        ValueError: If `fan_in` is below 1.

    Source: `reset_parameters` of PyTorch's layers, measured in the chapter.
    """
    return he_variance(fan_in, math.sqrt(5))


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

    Source: derived in the chapter.
    """
    checks.floating("noise", noise)
    scale = checks.reals("scale", scale, at_least=0)
    leading = noise.shape[: np.ndim(scale)]
    checks.shaped("scale", np.asarray(scale), leading, of="noise has runs")
    return noise * training.per_run(scale, noise)


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
    generators, noise = training.generators_of_runs(generator, runs), np.empty((*runs, *shape), dtype)
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

    Source: derived in the chapter.
    """
    standard_deviation = checks.per_run("standard_deviation", standard_deviation, runs, at_least=0)
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

    Source: derived in the chapter.
    """
    bound = checks.per_run("bound", bound, runs, at_least=0)
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

    Source: derived in the chapter.
    """
    variance = lecun_variance(fans(shape).fan_in)
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

    Source: derived in the chapter.
    """
    variance = lecun_variance(fans(shape).fan_in)
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

    Source: derived in the chapter.
    """
    gain, variance = checks.per_run("gain", gain, runs, at_least=0), xavier_variance(*fans(shape))
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

    Source: derived in the chapter.
    """
    gain, variance = checks.per_run("gain", gain, runs, at_least=0), xavier_variance(*fans(shape))
    return uniform(shape, generator, bound=gain * math.sqrt(3 * variance), runs=runs, dtype=dtype)


def _fan(shape: tuple[int, ...], mode: str) -> int:
    return getattr(fans(shape), checks.choice("mode", mode, ("fan_in", "fan_out")))


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

    Source: derived in the chapter.
    """
    variance = he_variance(_fan(shape, mode), negative_slope)
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

    Source: derived in the chapter.
    """
    variance = he_variance(_fan(shape, mode), negative_slope)
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

    Source: derived in the chapter.
    """
    variance = pytorch_default_variance(fans(shape).fan_in)
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

    Source: derived in the chapter.
    """
    bound = 1 / math.sqrt(fans(shape).fan_in)
    return uniform(shape[:1], generator, bound=bound, runs=runs, dtype=dtype)


def truncated_deviation(bound: float) -> float:
    """Give the standard deviation of a standard normal number that is kept only between two bounds.

        sqrt(1 - 2 b phi(b) / (2 Phi(b) - 1))

    Args:
        bound: The bound b on both sides, at least 0.1.

    Returns:
        The deviation; 0.8796 for the usual bound of 2.

    Raises:
        TypeError: If `bound` is not a number.
        ValueError: If `bound` is below 0.1.

    Source: derived in the chapter.
    """
    bound = checks.real("bound", bound, at_least=0.1)
    density = math.exp(-0.5 * bound * bound) / math.sqrt(2 * math.pi)
    return math.sqrt(1 - 2 * bound * density / math.erf(bound / math.sqrt(2)))


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

    What falls outside is drawn again. Without the division the weights would have 0.88 s (at a bound of 2), as those of
    `torch.nn.init.trunc_normal_` have.

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

    Source: derived in the chapter.
    """
    deviation = truncated_deviation(bound)
    standard_deviation = checks.per_run("standard_deviation", standard_deviation, runs, at_least=0)

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
        TypeError: If `noise` does not hold floating-point numbers.
        ValueError: If `noise` has fewer than two axes.

    Source: derived in the chapter.
    """
    tall = checks.rank("noise", checks.floating("noise", noise), at_least=2).shape[-2] >= noise.shape[-1]
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

    Source: derived in the chapter.
    """
    gain, fan_in = checks.per_run("gain", gain, runs, at_least=0), fans(shape).fan_in
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
        TypeError: If an array does not hold floating-point numbers.
        ValueError: If the activation is unknown or a layer's pre-activations do not vary.

    Source: derived in the chapter.
    """
    function = activations.lookup(activation).function
    signal, result = checks.rank("inputs", checks.floating("inputs", inputs), at_least=2), []
    for layer, weight in enumerate(weights):
        z = _preactivations(signal, weight)
        variance = checks.reals(f"the variance of inputs at layer {layer}", np.asarray(z.var((-2, -1))), above=0)
        deviation = np.sqrt(variance)[..., None, None]
        result.append(weight / deviation)
        signal = function(z / deviation)
    return tuple(result)


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
    generators = training.generators_of_runs(generator, runs)
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
    nodes, weights = np.polynomial.legendre.leggauss(20)
    edges = np.concatenate(([0.0], 2.0 ** np.arange(-30, 6)))
    half_widths = np.diff(edges)[:, None] / 2
    z = (edges[:-1, None] + half_widths * (nodes + 1)).ravel()
    w = (half_widths * weights).ravel() * activations.normal_density(z)
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

    Source: derived in the chapter.
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

    Source: derived in the chapter.
    """
    return _normal_mean_square(activations.lookup(activation).slope, variance)


def gain(activation: str | activations.Activation) -> float:
    """Give the factor on the weights that makes up for what an activation takes from the second moment.

        gain = 1 / sqrt(E[f(z)^2]),    z ~ N(0, 1)

    With weights of variance gain^2 / fan_in, pre-activations of variance 1 keep it in the next layer. For ReLU this is
    sqrt(2) and for leaky ReLU sqrt(2 / (1 + a^2)), and since these two are homogeneous it holds at every variance;
    `torch.nn.init.calculate_gain` gives the same. For tanh this is 1.5925, while `calculate_gain` gives 5/3, and for
    sigmoid 1.8462, while it gives 1: those two are conventions, not solutions of this equation.

    Args:
        activation: A name in `activations.ACTIVATIONS`, or an `activations.Activation`.

    Returns:
        The gain.

    Raises:
        TypeError: If the activation is neither a name nor an `Activation`.
        ValueError: If the activation is unknown, or zero everywhere.

    Source: derived in the chapter.
    """
    moment = float(second_moment_map(activation, 1.0))
    return 1 / math.sqrt(checks.real("second moment of activation", moment, above=0))


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
        TypeError: If an array does not hold floating-point numbers.
        ValueError: If the activation is unknown or the inputs do not fit.

    Source: derived in the chapter.
    """
    function = activations.lookup(activation).function
    signal = checks.rank("inputs", checks.floating("inputs", inputs), at_least=2)
    moments = [_mean_square(signal)]
    for weight in weights:
        signal = function(_preactivations(signal, weight))
        moments.append(_mean_square(signal))
    return np.stack(np.broadcast_arrays(*moments), axis=-1)


def _preactivations(
    signal: Float[np.ndarray, "*runs_or_none batch fan_in"], weight: Float[np.ndarray, "*runs fan_out fan_in"]
) -> Float[np.ndarray, "*any batch fan_out"]:
    checks.rank("weights", checks.floating("weights", weight), at_least=2)
    checks.last_axes("weights", weight, signal.shape[-1], of="many as the layer below has units")
    return signal @ weight.mT


def _mean_square(signal: Float[np.ndarray, "*runs batch units"]) -> Float[Array, "*runs"]:
    return (signal * signal).mean((-2, -1))


def backward_second_moments(
    weights: Sequence[Float[np.ndarray, "*runs _ _"]],
    inputs: Float[np.ndarray, "*runs_or_none batch features"],
    grad_output: Float[np.ndarray, "*runs_or_none batch outputs"],
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
        TypeError: If an array does not hold floating-point numbers.
        ValueError: If the activation is unknown or a shape does not fit.

    Source: derived in the chapter.
    """
    function, slope = activations.lookup(activation)
    signal = checks.rank("inputs", checks.floating("inputs", inputs), at_least=2)
    slopes = []
    for weight in weights:
        z = _preactivations(signal, weight)
        slopes.append(slope(z))
        signal = function(z)
    checks.broadcasts("grad_output", checks.floating("grad_output", grad_output), signal.shape, of="outputs are")
    gradient = grad_output
    moments = [_mean_square(gradient)]
    for weight, layer_slope in zip(reversed(weights), reversed(slopes), strict=True):
        gradient = (gradient * layer_slope) @ weight
        moments.append(_mean_square(gradient))
    return np.stack(np.broadcast_arrays(*reversed(moments)), axis=-1)


def residual_scale(blocks: int) -> float:
    """Give the factor on the last weights of each branch that keeps a residual stream of many blocks in bounds.

        1 / sqrt(2 L)

    A block adds two branches to the stream, attention and a feed-forward layer in a transformer. If each adds a
    variance of 1 / (2 L), L blocks together add 1.

    Args:
        blocks: The number L of blocks, at least 1.

    Returns:
        The factor.

    Raises:
        TypeError: If `blocks` is not an integer.
        ValueError: If `blocks` is below 1.

    Source: derived in the chapter.
    """
    return 1 / math.sqrt(2 * checks.integer("blocks", blocks, at_least=1))


def mup(shape: tuple[int, ...], layer: str, optimizer: str = "adam") -> MuP:
    """Give the scales at which a learning rate found on a narrow network also suits a wide one.

                     input              hidden         output
        variance     1 / fan_in         1 / fan_in     1 / fan_in^2
        SGD          fan_out            1              1 / fan_in
        Adam         1                  1 / fan_in     1 / fan_in

    The second and third row are factors on the learning rate. They follow from asking that one step change every number
    in every hidden layer, and every output, by an amount that does not depend on the width: a step of SGD has the size
    of the gradient, a step of Adam that of the learning rate whatever the gradient, and an update, unlike a random
    matrix, lines up with its input, so that its sum over fan_in numbers grows as fan_in and not as its root.

    Args:
        shape: Shape of the weights, (fan_out, fan_in) or (out, in, *kernel).
        layer: "input" for the first layer, and for biases, whose fan_in is 1; "hidden"; or "output" for the last one.
        optimizer: "sgd" or "adam".

    Returns:
        The variance of the weights and the factor on the learning rate.

    Raises:
        TypeError: If `shape` is not a tuple of integers.
        ValueError: If a size is below 1, or a word is not one of those above.

    Source: derived in the chapter.
    """
    fan_in, fan_out = fans(shape)
    of_sgd = {"input": fan_out, "hidden": 1.0, "output": 1 / fan_in}
    of_adam = {"input": 1.0, "hidden": 1 / fan_in, "output": 1 / fan_in}
    checks.choice("layer", layer, of_sgd)
    factor = {"sgd": of_sgd, "adam": of_adam}[checks.choice("optimizer", optimizer, ("sgd", "adam"))][layer]
    return MuP(1 / fan_in**2 if layer == "output" else 1 / fan_in, factor)
