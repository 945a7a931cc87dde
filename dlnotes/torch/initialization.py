"""Random starting weights, drawn on the device they are used on, and what they do to a signal through many layers.

Weights have the shape `(*runs, fan_out, fan_in)`, those of a convolution `(*runs, out, in, height, width)`. A random
function takes the shape of one run, and draws all `runs` at once: one launch on an accelerator, however many they are.
A torch Generator cannot spawn children, so a run cannot be drawn again alone as with the NumPy reference.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dlnotes import checks, weight_scales
from dlnotes.torch import activations

if TYPE_CHECKING:
    from jaxtyping import Float


def scaled(
    noise: Float[Tensor, "*runs_and_shape"], scale: float | Float[Tensor, "*runs"]
) -> Float[Tensor, "*runs_and_shape"]:
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
    if not isinstance(scale, Tensor):
        return noise * scale
    checks.shaped("scale", scale, noise.shape[: scale.ndim], of="noise has runs")
    return noise * scale.to(noise).reshape(*scale.shape, *(1,) * (noise.ndim - scale.ndim))


def _placed(
    shape: tuple[int, ...],
    generator: torch.Generator,
    runs: tuple[int, ...],
    dtype: torch.dtype,
    device: torch.device | str | None,
) -> tuple[tuple[int, ...], dict]:
    """Give the whole shape to draw, and the keywords that say with what and where."""
    checks.instance("generator", generator, torch.Generator, "a torch Generator")
    checks.choice("dtype", str(dtype).removeprefix("torch."), ("float32", "float64"))
    size = (*checks.shape("runs", runs, at_least=1), *checks.shape("shape", shape))
    return size, {"generator": generator, "dtype": dtype, "device": generator.device if device is None else device}


def normal(
    shape: tuple[int, ...],
    generator: torch.Generator,
    *,
    standard_deviation: float | Float[Tensor, "*runs"] = 1.0,
    runs: tuple[int, ...] = (),
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
) -> Float[Tensor, "..."]:
    """Draw weights from a normal distribution of mean 0.

        w = s e,    e ~ N(0, 1)

    Args:
        shape: Shape of one run's weights.
        generator: Draws the weights.
        standard_deviation: The deviation s, at least 0: a number, or an array of shape (*runs,).
        runs: The shape of the grid of runs.
        dtype: torch.float64 or torch.float32.
        device: Where the weights are made; by default where the generator is.

    Returns:
        Weights, of shape (*runs, *shape).

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a size is below 0 or the deviation is negative or not finite.

    Source: definition.
    """
    size, placed = _placed(shape, generator, runs, dtype, device)
    standard_deviation = checks.one_a_run("standard_deviation", standard_deviation, runs, at_least=0)
    return scaled(torch.randn(size, **placed), standard_deviation)


def uniform(
    shape: tuple[int, ...],
    generator: torch.Generator,
    *,
    bound: float | Float[Tensor, "*runs"] = 1.0,
    runs: tuple[int, ...] = (),
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
) -> Float[Tensor, "..."]:
    """Draw weights evenly from between two bounds; their variance is bound^2 / 3.

        w = b e,    e ~ U(-1, 1)

    Args:
        shape: Shape of one run's weights.
        generator: Draws the weights.
        bound: The bound b, at least 0: a number, or an array of shape (*runs,).
        runs: The shape of the grid of runs.
        dtype: torch.float64 or torch.float32.
        device: Where the weights are made; by default where the generator is.

    Returns:
        Weights, of shape (*runs, *shape).

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a size is below 0 or the bound is out of its range.

    Source: derived here.
    """
    size, placed = _placed(shape, generator, runs, dtype, device)
    bound = checks.one_a_run("bound", bound, runs, at_least=0)
    return scaled(torch.rand(size, **placed).mul_(2).sub_(1), bound)


def lecun_normal(
    shape: tuple[int, ...],
    generator: torch.Generator,
    *,
    runs: tuple[int, ...] = (),
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
) -> Float[Tensor, "..."]:
    """Draw normal weights with LeCun's variance, the one that SELU asks for.

        w ~ N(0, 1 / fan_in)

    Args:
        shape: Shape of one run's weights, (fan_out, fan_in) or (out, in, *kernel).
        generator: Draws the weights.
        runs: The shape of the grid of runs.
        dtype: torch.float64 or torch.float32.
        device: Where the weights are made; by default where the generator is.

    Returns:
        Weights, of shape (*runs, *shape).

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a size is below 1.

    Source: derived in initialization#eq-lecun.
    """
    variance = weight_scales.lecun_variance(weight_scales.fans(shape).fan_in)
    return normal(shape, generator, standard_deviation=math.sqrt(variance), runs=runs, dtype=dtype, device=device)


def lecun_uniform(
    shape: tuple[int, ...],
    generator: torch.Generator,
    *,
    runs: tuple[int, ...] = (),
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
) -> Float[Tensor, "..."]:
    """Draw uniform weights with LeCun's variance.

        w ~ U(-b, b),    b = sqrt(3 / fan_in)

    Args:
        shape: Shape of one run's weights, (fan_out, fan_in) or (out, in, *kernel).
        generator: Draws the weights.
        runs: The shape of the grid of runs.
        dtype: torch.float64 or torch.float32.
        device: Where the weights are made; by default where the generator is.

    Returns:
        Weights, of shape (*runs, *shape).

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a size is below 1.

    Source: derived in initialization#eq-lecun.
    """
    variance = weight_scales.lecun_variance(weight_scales.fans(shape).fan_in)
    return uniform(shape, generator, bound=math.sqrt(3 * variance), runs=runs, dtype=dtype, device=device)


def xavier_normal(
    shape: tuple[int, ...],
    generator: torch.Generator,
    *,
    gain: float | Float[Tensor, "*runs"] = 1.0,
    runs: tuple[int, ...] = (),
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
) -> Float[Tensor, "..."]:
    """Draw normal weights with the variance of Glorot and Bengio.

        w ~ N(0, gain^2 2 / (fan_in + fan_out))

    Args:
        shape: Shape of one run's weights, (fan_out, fan_in) or (out, in, *kernel).
        generator: Draws the weights.
        gain: Factor on the deviation, at least 0: a number, or an array of shape (*runs,).
        runs: The shape of the grid of runs.
        dtype: torch.float64 or torch.float32.
        device: Where the weights are made; by default where the generator is.

    Returns:
        Weights, of shape (*runs, *shape).

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a size is below 1 or the gain is negative or not finite.

    Source: Glorot and Bengio (2010); derived in initialization#eq-xavier.
    """
    gain, deviation = (
        checks.one_a_run("gain", gain, runs, at_least=0),
        math.sqrt(weight_scales.xavier_variance(*weight_scales.fans(shape))),
    )
    return normal(shape, generator, standard_deviation=gain * deviation, runs=runs, dtype=dtype, device=device)


def xavier_uniform(
    shape: tuple[int, ...],
    generator: torch.Generator,
    *,
    gain: float | Float[Tensor, "*runs"] = 1.0,
    runs: tuple[int, ...] = (),
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
) -> Float[Tensor, "..."]:
    """Draw uniform weights with the variance of Glorot and Bengio.

        w ~ U(-b, b),    b = gain sqrt(6 / (fan_in + fan_out))

    Args:
        shape: Shape of one run's weights, (fan_out, fan_in) or (out, in, *kernel).
        generator: Draws the weights.
        gain: Factor on the bound, at least 0: a number, or an array of shape (*runs,).
        runs: The shape of the grid of runs.
        dtype: torch.float64 or torch.float32.
        device: Where the weights are made; by default where the generator is.

    Returns:
        Weights, of shape (*runs, *shape).

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a size is below 1 or the gain is negative or not finite.

    Source: Glorot and Bengio (2010); derived in initialization#eq-xavier.
    """
    gain, bound = (
        checks.one_a_run("gain", gain, runs, at_least=0),
        math.sqrt(3 * weight_scales.xavier_variance(*weight_scales.fans(shape))),
    )
    return uniform(shape, generator, bound=gain * bound, runs=runs, dtype=dtype, device=device)


def _fan(shape: tuple[int, ...], mode: str) -> int:
    return getattr(weight_scales.fans(shape), checks.choice("mode", mode, ("fan_in", "fan_out")))


def he_normal(
    shape: tuple[int, ...],
    generator: torch.Generator,
    *,
    negative_slope: float = 0.0,
    mode: str = "fan_in",
    runs: tuple[int, ...] = (),
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
) -> Float[Tensor, "..."]:
    """Draw normal weights with He's variance, the one that ReLU and leaky ReLU ask for.

        w ~ N(0, 2 / ((1 + a^2) fan))

    Args:
        shape: Shape of one run's weights, (fan_out, fan_in) or (out, in, *kernel).
        generator: Draws the weights.
        negative_slope: Slope a of the activation below 0.
        mode: "fan_in" to keep the forward second moment, "fan_out" the backward one.
        runs: The shape of the grid of runs.
        dtype: torch.float64 or torch.float32.
        device: Where the weights are made; by default where the generator is.

    Returns:
        Weights, of shape (*runs, *shape).

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a size is below 1, the slope is not finite, or the mode is another word.

    Source: He et al. (2015); derived in initialization#eq-he.
    """
    variance = weight_scales.he_variance(_fan(shape, mode), negative_slope)
    return normal(shape, generator, standard_deviation=math.sqrt(variance), runs=runs, dtype=dtype, device=device)


def he_uniform(
    shape: tuple[int, ...],
    generator: torch.Generator,
    *,
    negative_slope: float = 0.0,
    mode: str = "fan_in",
    runs: tuple[int, ...] = (),
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
) -> Float[Tensor, "..."]:
    """Draw uniform weights with He's variance.

        w ~ U(-b, b),    b = sqrt(6 / ((1 + a^2) fan))

    Args:
        shape: Shape of one run's weights, (fan_out, fan_in) or (out, in, *kernel).
        generator: Draws the weights.
        negative_slope: Slope a of the activation below 0.
        mode: "fan_in" to keep the forward second moment, "fan_out" the backward one.
        runs: The shape of the grid of runs.
        dtype: torch.float64 or torch.float32.
        device: Where the weights are made; by default where the generator is.

    Returns:
        Weights, of shape (*runs, *shape).

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a size is below 1, the slope is not finite, or the mode is another word.

    Source: He et al. (2015); derived in initialization#eq-he.
    """
    variance = weight_scales.he_variance(_fan(shape, mode), negative_slope)
    return uniform(shape, generator, bound=math.sqrt(3 * variance), runs=runs, dtype=dtype, device=device)


def pytorch_default(
    shape: tuple[int, ...],
    generator: torch.Generator,
    *,
    runs: tuple[int, ...] = (),
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
) -> Float[Tensor, "..."]:
    """Draw weights as `torch.nn.Linear` and `torch.nn.Conv2d` do when nothing else is asked for.

        w ~ U(-b, b),    b = 1 / sqrt(fan_in)

    Args:
        shape: Shape of one run's weights, (fan_out, fan_in) or (out, in, *kernel).
        generator: Draws the weights.
        runs: The shape of the grid of runs.
        dtype: torch.float64 or torch.float32.
        device: Where the weights are made; by default where the generator is.

    Returns:
        Weights, of shape (*runs, *shape).

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a size is below 1.

    Source: definition, of `reset_parameters` in PyTorch.
    """
    variance = weight_scales.pytorch_default_variance(weight_scales.fans(shape).fan_in)
    return uniform(shape, generator, bound=math.sqrt(3 * variance), runs=runs, dtype=dtype, device=device)


def pytorch_default_bias(
    shape: tuple[int, ...],
    generator: torch.Generator,
    *,
    runs: tuple[int, ...] = (),
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
) -> Float[Tensor, "..."]:
    """Draw biases as `torch.nn.Linear` and `torch.nn.Conv2d` do when nothing else is asked for.

        b_j ~ U(-b, b),    b = 1 / sqrt(fan_in)

    Args:
        shape: Shape of the weights that the biases go with, (fan_out, fan_in) or (out, in, *kernel).
        generator: Draws the biases.
        runs: The shape of the grid of runs.
        dtype: torch.float64 or torch.float32.
        device: Where the weights are made; by default where the generator is.

    Returns:
        Biases, of shape (*runs, out).

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a size is below 1.

    Source: definition, of `reset_parameters` in PyTorch.
    """
    bound = 1 / math.sqrt(weight_scales.fans(shape).fan_in)
    return uniform(shape[:1], generator, bound=bound, runs=runs, dtype=dtype, device=device)


def truncated_normal(
    shape: tuple[int, ...],
    generator: torch.Generator,
    *,
    standard_deviation: float | Float[Tensor, "*runs"] = 1.0,
    bound: float = 2.0,
    runs: tuple[int, ...] = (),
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
) -> Float[Tensor, "..."]:
    """Draw weights from a normal distribution without its tails, with the standard deviation asked for.

        w = s e / truncated_deviation(bound),    e ~ N(0, 1) given |e| <= bound

    What rounding would put beyond the bound is put on it, a few numbers in a hundred million in float32. Without the
    division the weights would have the deviation 0.88 s (at a bound of 2). The bounds of `torch.nn.init.trunc_normal_`
    are numbers and not multiples of its deviation: by default -2 and 2, which is this cut at a deviation of 1 and
    hardly any at 0.02. It does not divide.

    Args:
        shape: Shape of one run's weights, (fan_out, fan_in) or (out, in, *kernel).
        generator: Draws the weights.
        standard_deviation: The deviation s of the weights, at least 0: a number, or an array of shape (*runs,).
        bound: Where the tails are cut, in deviations of the distribution before the cut, at least 0.1.
        runs: The shape of the grid of runs.
        dtype: torch.float64 or torch.float32.
        device: Where the weights are made; by default where the generator is.

    Returns:
        Weights, of shape (*runs, *shape).

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a size is below 1, the deviation is negative or not finite, or the bound is out of its range.

    Source: definition.
    """
    # By the inverse of the distribution function: to draw again, the host would have to know what fell outside.
    deviation, inside = weight_scales.truncated_deviation(bound), math.erf(bound / math.sqrt(2))
    standard_deviation = checks.one_a_run("standard_deviation", standard_deviation, runs, at_least=0)
    even = uniform(shape, generator, bound=inside, runs=runs, dtype=dtype, device=device)
    noise = even.erfinv_().mul_(math.sqrt(2)).clamp_(-bound, bound)
    return scaled(noise.div_(deviation), standard_deviation)


def orthogonalize(noise: Float[Tensor, "*runs rows columns"]) -> Float[Tensor, "*runs rows columns"]:
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

    Source: derived here.
    """
    checks.finite("noise", checks.rank("noise", checks.single_or_double("noise", noise), at_least=2))
    tall = noise.shape[-2] >= noise.shape[-1]
    q, r = torch.linalg.qr(noise if tall else noise.mT)
    signs = r.diagonal(dim1=-2, dim2=-1)
    q = q * torch.copysign(torch.ones_like(signs), signs)[..., None, :]
    return q if tall else q.mT.contiguous()


def orthogonal(
    shape: tuple[int, ...],
    generator: torch.Generator,
    *,
    gain: float | Float[Tensor, "*runs"] = 1.0,
    runs: tuple[int, ...] = (),
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
) -> Float[Tensor, "..."]:
    """Draw an orthogonal matrix, all of whose singular values are the gain.

        W = gain Q,    Q^T Q = 1 or Q Q^T = 1

    The kernel of a convolution is made from a matrix of `out` rows.

    Args:
        shape: Shape of one run's weights, (fan_out, fan_in) or (out, in, *kernel).
        generator: Draws the weights.
        gain: The singular values, at least 0: a number, or an array of shape (*runs,).
        runs: The shape of the grid of runs.
        dtype: torch.float64 or torch.float32.
        device: Where the weights are made; by default where the generator is.

    Returns:
        Weights, of shape (*runs, *shape).

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a size is below 1 or the gain is negative or not finite.

    Source: Saxe et al. (2014).
    """
    gain, fan_in = checks.one_a_run("gain", gain, runs, at_least=0), weight_scales.fans(shape).fan_in
    noise = normal((shape[0], fan_in), generator, runs=runs, dtype=dtype, device=device)
    return scaled(orthogonalize(noise), gain).reshape(*runs, *shape)


def unit_variance(
    weights: Sequence[Float[Tensor, "*runs _ _"]],
    inputs: Float[Tensor, "*runs_or_none batch features"],
    activation: str | activations.Activation = "relu",
) -> tuple[Float[Tensor, "..."], ...]:
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


def _deviation(z: Float[Tensor, "*runs batch units"]) -> Float[Tensor, "*runs"]:
    """Give the standard deviation over batch and units, at any scale: squares are taken of numbers up to 1."""
    largest = z.abs().amax((-2, -1), keepdim=True)
    largest = torch.where(largest > 0, largest, 1)
    return (z / largest).std((-2, -1), correction=0) * largest[..., 0, 0]


def _rounding(z: Float[Tensor, "*runs batch units"]) -> Float[Tensor, "*runs"]:
    """Give the deviation that equal numbers of this size may show after rounding."""
    about = torch.finfo(z.dtype)
    return (16 * about.eps * z.abs().amax((-2, -1))).clamp_min(about.tiny)


def lsuv(
    sizes: Sequence[int],
    generator: torch.Generator,
    inputs: Float[Tensor, "*runs_or_none batch features"],
    *,
    activation: str | activations.Activation = "relu",
    runs: tuple[int, ...] = (),
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
) -> tuple[Float[Tensor, "..."], ...]:
    """Draw orthogonal weights and scale them, layer by layer, to variance 1 on a batch of inputs.

        W_l = Q_l / sqrt(Var[h_(l-1) Q_l^T])

    Args:
        sizes: The number of features at the input, after each hidden layer and at the output.
        generator: Draws the weights.
        inputs: A batch of inputs, of shape (*runs, batch, features) or (batch, features).
        activation: A name in `activations.ACTIVATIONS`, or an `activations.Activation`.
        runs: The shape of the grid of runs.
        dtype: torch.float64 or torch.float32.
        device: Where the weights are made; by default where the generator is.

    Returns:
        The weights of each layer, of shape (*runs, fan_out, fan_in).

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If there are fewer than two sizes or one is below 1, the activation is unknown, the inputs do not
            fit the first size, or the pre-activations of a layer do not vary.

    Source: Mishkin and Matas (2016), algorithm 1, with one exact division in place of a loop.
    """
    sizes = checks.shape("sizes", tuple(sizes), axes_at_least=2, at_least=1)
    pairs = itertools.pairwise(sizes)
    start = [orthogonal((b, a), generator, runs=runs, dtype=dtype, device=device) for a, b in pairs]
    return unit_variance(start, inputs, activation)


def forward_second_moments(
    weights: Iterable[Float[Tensor, "*runs _ _"]],
    inputs: Float[Tensor, "*runs_or_none batch features"],
    activation: str | activations.Activation = "relu",
) -> Float[Tensor, "*runs layers_and_1"]:
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
    weights: Iterable[Tensor],
    inputs: Tensor,
    activation: str | activations.Activation,
) -> Float[Tensor, "*runs layers_and_1"]:
    """Measure the inputs and the activations of each layer."""
    function = activations.lookup(activation).function
    signal = checks.rank("inputs", checks.single_or_double("inputs", inputs), at_least=2)
    measured = [measure(signal)]
    for weight in weights:
        signal = function(_preactivations(signal, weight))
        measured.append(measure(signal))
    return torch.stack(torch.broadcast_tensors(*measured), dim=-1)


def _preactivations(
    signal: Float[Tensor, "*runs_or_none batch fan_in"], weight: Float[Tensor, "*runs fan_out fan_in"]
) -> Float[Tensor, "*any batch fan_out"]:
    checks.rank("weights", checks.single_or_double("weights", weight), at_least=2)
    checks.last_axes("weights", weight, signal.shape[-1], of="many as the layer below has units")
    checks.same_dtype("weights", weight, "inputs", signal)
    return signal @ weight.mT


def _mean_square(signal: Float[Tensor, "*runs batch units"]) -> Float[Tensor, "*runs"]:
    return (signal * signal).mean((-2, -1))


def mean_cosine(signal: Float[Tensor, "*runs batch units"]) -> Float[Tensor, "*runs"]:
    """Measure how alike a layer's vectors for different examples are.

        mean over all pairs i < j of  h_i . h_j / (|h_i| |h_j|)

    Arguments, result and errors as in `dlnotes.numpy.initialization.mean_cosine`.
    """
    checks.rank("signal", checks.single_or_double("signal", signal), at_least=2)
    largest = signal.abs().amax(-1, keepdim=True)
    scaled_rows = signal / torch.where(largest == 0, 1, largest)
    lengths = (scaled_rows * scaled_rows).sum(-1, keepdim=True).sqrt()
    total = (scaled_rows / torch.where(lengths == 0, 1, lengths)).sum(-2)
    count = (lengths[..., 0] != 0).sum(-1).to(signal)
    pairs = torch.where(count > 1, count * (count - 1), torch.nan)
    return ((total * total).sum(-1) - count) / pairs


def forward_cosines(
    weights: Iterable[Float[Tensor, "*runs _ _"]],
    inputs: Float[Tensor, "*runs_or_none batch features"],
    activation: str | activations.Activation = "relu",
) -> Float[Tensor, "*runs layers_and_1"]:
    """Measure how alike the examples of a batch are in each layer of a network without biases.

        c_l = mean cosine of the rows of h_l,    h_0 = x,    h_l = f(h_(l-1) W_l^T)

    Arguments, result and errors as in `dlnotes.numpy.initialization.forward_cosines`.
    """
    return _measured_by_layer(mean_cosine, weights, inputs, activation)


def backward_second_moments(
    weights: Sequence[Float[Tensor, "*runs _ _"]],
    inputs: Float[Tensor, "*runs_or_none batch features"],
    grad_output: Float[Tensor, "*runs_of_grad batch outputs"],
    activation: str | activations.Activation = "relu",
) -> Float[Tensor, "*runs layers_and_1"]:
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
    checks.same_dtype("grad_output", gradient, "inputs", inputs)
    checks.broadcasts("grad_output", gradient, signal.shape, of="outputs are")
    moments = [_mean_square(gradient)]
    for weight, layer_slope in zip(reversed(weights), reversed(slopes), strict=True):
        gradient = (gradient * layer_slope) @ weight
        moments.append(_mean_square(gradient))
    return torch.stack(torch.broadcast_tensors(*reversed(moments)), dim=-1)
