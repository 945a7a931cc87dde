"""How large the starting weights of a layer should be: the variances of the named rules, and the counts behind them.

Nothing here touches an array, so that both backends share it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from dlnotes import checks


class Fans(NamedTuple):
    """How many numbers a unit of a layer is computed from, and how many it enters into."""

    fan_in: float
    fan_out: float


class MuP(NamedTuple):
    """The variance of a layer's weights, and the factor on its learning rate."""

    variance: float
    learning_rate: float


def fans(shape: tuple[int, ...], *, groups: int = 1, stride: int = 1, transposed: bool = False) -> Fans:
    """Count how many numbers a unit of a layer is computed from, and how many units an input enters into.

        dense         fan_in = in                          fan_out = out
        convolution   fan_in = in / groups * positions     fan_out = out / groups * positions / stride^axes
        transposed    fan_in = in / groups * positions / stride^axes     fan_out = out / groups * positions

    A convolution has as many positions as its kernel has entries in a channel. Both counts are those away from the
    edges; where the stride does not divide the kernel they are means over places, and need not be whole.
    `torch.nn.init` counts (in, out) = (shape[1], shape[0]) times the positions whatever the layer is: with 8 groups its
    fan_out is 8 times too large, and for a transposed convolution its two fans change places.

    Args:
        shape: Shape of the weights: (out, in), a convolution's (out, in / groups, *kernel), or a transposed
            convolution's (in, out / groups, *kernel). Each size is at least 1.
        groups: Into how many groups the channels are divided, at least 1; as many as channels is a depthwise layer.
        stride: Pixels from one place to the next along each axis, at least 1.
        transposed: Whether the weights are those of a transposed convolution.

    Returns:
        fan_in and fan_out.

    Raises:
        TypeError: If `shape` is not a tuple of integers, or `groups` or `stride` not an integer.
        ValueError: If `shape` has fewer than two sizes or one below 1, a number is below 1, or the first size is no
            multiple of `groups`.

    Source: derived here: each count is a walk over the places that a kernel entry joins.
    """
    first, second, *kernel = checks.shape("shape", shape, axes_at_least=2, at_least=1)
    groups, stride = checks.integer("groups", groups, at_least=1), checks.integer("stride", stride, at_least=1)
    checks.multiple("the first size of shape", first, groups)
    positions, skipped = math.prod(kernel), stride ** len(kernel)
    thick, thin = second * positions, first // groups * positions
    thin = thin // skipped if thin % skipped == 0 else thin / skipped
    return Fans(thin, thick) if transposed else Fans(thick, thin)


def lecun_variance(fan_in: float) -> float:
    """Give the variance of weights that keeps the second moment through a linear layer.

        Var[w] = 1 / fan_in

    Args:
        fan_in: Inputs of a unit, above 0; see `fans`.

    Returns:
        The variance.

    Raises:
        TypeError: If `fan_in` is not a number.
        ValueError: If `fan_in` is not above 0.

    Source: derived in initialization#eq-lecun.
    """
    return 1 / checks.real("fan_in", fan_in, above=0)


def xavier_variance(fan_in: float, fan_out: float) -> float:
    """Give the variance of Glorot and Bengio, between what the forward and what the backward pass ask for.

        Var[w] = 2 / (fan_in + fan_out)

    Args:
        fan_in: Inputs of a unit, above 0; see `fans`.
        fan_out: Units that an input enters, above 0.

    Returns:
        The variance.

    Raises:
        TypeError: If a fan is not a number.
        ValueError: If a fan is not above 0.

    Source: Glorot and Bengio (2010); derived in initialization#eq-xavier.
    """
    return 2 / (checks.real("fan_in", fan_in, above=0) + checks.real("fan_out", fan_out, above=0))


def he_variance(fan_in: float, negative_slope: float = 0.0) -> float:
    """Give the variance that keeps the second moment through a layer and a leaky ReLU, a ReLU where the slope is 0.

        Var[w] = 2 / ((1 + a^2) fan_in)

    Args:
        fan_in: Inputs of a unit, above 0; see `fans`.
        negative_slope: Slope a of the activation below 0.

    Returns:
        The variance.

    Raises:
        TypeError: If an argument is not a number.
        ValueError: If `fan_in` is not above 0 or the slope is not finite.

    Source: He et al. (2015); derived in initialization#eq-he.
    """
    fan_in, a = checks.real("fan_in", fan_in, above=0), checks.real("negative_slope", negative_slope)
    return 2 / ((1 + a * a) * fan_in)


def pytorch_default_variance(fan_in: float) -> float:
    """Give the variance of the weights that `torch.nn.Linear` and `torch.nn.Conv2d` start from.

        Var[w] = 1 / (3 fan_in)

    They are uniform within 1 / sqrt(fan_in): He's rule for a leaky ReLU of slope sqrt(5), a sixth of that for ReLU.

    Args:
        fan_in: Inputs of a unit, above 0; see `fans`.

    Returns:
        The variance.

    Raises:
        TypeError: If `fan_in` is not a number.
        ValueError: If `fan_in` is not above 0.

    Source: definition, of `reset_parameters` in PyTorch.
    """
    return he_variance(fan_in, math.sqrt(5))


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

    Derivation: the integral of e^2 phi(e) from -b to b, by parts, is 2 Phi(b) - 1 - 2 b phi(b); the probability of that
    range is 2 Phi(b) - 1.

    Source: derived here.
    """
    bound = checks.real("bound", bound, at_least=0.1)
    density = math.exp(-0.5 * bound * bound) / math.sqrt(2 * math.pi)
    return math.sqrt(1 - 2 * bound * density / math.erf(bound / math.sqrt(2)))


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

    Derivation: the 2 L branches are uncorrelated at the start, so that their variances add up to 2 L / (2 L) = 1.

    Source: derived here.
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

    Source: Yang et al. (2022).
    """
    fan_in, fan_out = fans(shape)
    of_sgd = {"input": fan_out, "hidden": 1.0, "output": 1 / fan_in}
    of_adam = {"input": 1.0, "hidden": 1 / fan_in, "output": 1 / fan_in}
    checks.choice("layer", layer, of_sgd)
    factor = {"sgd": of_sgd, "adam": of_adam}[checks.choice("optimizer", optimizer, ("sgd", "adam"))][layer]
    return MuP(1 / fan_in**2 if layer == "output" else 1 / fan_in, factor)
