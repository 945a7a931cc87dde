"""Figures of the chapter on initialization: what the variance of the first weights does to a signal and to learning.

Quantiles over networks are 10%, 50% and 90%, and stand on an axis of three in this order.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import weight_scales
from dlnotes.numpy import activations, initialization, network
from dlnotes.numpy import vanishing_exploding as depths

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper


def _quantiles(values: np.ndarray, axis: int = 0) -> np.ndarray:
    """Give the 10%, 50% and 90% quantiles over an axis, on the first axis."""
    return np.quantile(values, (0.1, 0.5, 0.9), axis=axis)


def _unit_inputs(shape: tuple[int, ...], generators: np.ndarray, runs: tuple[int, ...]) -> np.ndarray:
    """Draw normal inputs and scale each run's to a second moment of exactly 1."""
    x = initialization.normal(shape, generators, runs=runs)
    return x / np.sqrt((x * x).mean((-2, -1), keepdims=True))


def _small_right_large(paper: Paper) -> tuple[str, str, str]:
    """Give the colors of starts that are too small, right and too large, the same in all figures of the chapter."""
    return paper.palette.orange, paper.palette.blue, paper.palette.green


def _wide_limit(activation: str, factors: np.ndarray, depth: int) -> np.ndarray:
    """Give the second moment in each layer if fan_in times the variance of the weights is `factors`; (factor, layer).

    q_0 = 1,    q_l = E[f(sqrt(factor q_(l-1)) z)^2]
    """
    moments = [np.ones(len(factors))]
    for _ in range(depth):
        moments.append(initialization.second_moment_map(activation, factors * moments[-1]))
    return np.array(moments[1:]).T


# --- histograms of deep tanh networks --------------------------------------------------------------------------------


class TanhHistograms(NamedTuple):
    """Activations of tanh networks under three deviations of the weights: 0.01, Xavier's, and 1.

    Attributes:
        scales: The deviations.
        edges: Edges of the bins.
        heights: Share of the activations in each bin, over the largest share in the layer; (scale, layer, bin).
        layers: 1 for the first hidden layer.
        deviation: Standard deviation of the activations; (scale, quantile, layer).
        theory: The same in the limit of wide layers; (scale, layer).
        beyond: Share of the last layer's activations beyond 0.99, for each scale.
    """

    scales: np.ndarray
    edges: np.ndarray
    heights: np.ndarray
    layers: np.ndarray
    deviation: np.ndarray
    theory: np.ndarray
    beyond: np.ndarray


def tanh_histograms(
    width: int = 500, rows: int = 1000, depth: int = 10, networks: int = 4, bins: int = 41, seed: int = 0
) -> TanhHistograms:
    """Push unit normal inputs through tanh layers, under the same draws at three scales."""
    scales = np.array([0.01, math.sqrt(weight_scales.xavier_variance(width, width)), 1.0])
    edges = np.linspace(-1, 1, bins + 1)
    counts = np.zeros((3, depth, bins))
    deviation, beyond = np.empty((networks, 3, depth)), np.empty((networks, 3))
    for run, generator in enumerate(np.random.default_rng(seed).spawn(networks)):
        h = np.broadcast_to(initialization.normal((rows, width), generator), (3, rows, width))
        for layer in range(depth):
            noise = initialization.normal((width, width), generator)
            h = activations.tanh((h @ noise.T) * scales[:, None, None])
            counts[:, layer] += [np.histogram(signal, edges)[0] for signal in h]
            deviation[run, :, layer] = h.std((-2, -1))
        beyond[run] = (abs(h) > 0.99).mean((-2, -1))
    heights = counts / counts.max(-1, keepdims=True)
    theory = np.sqrt(_wide_limit("tanh", scales**2 * width, depth))
    layers, deviation = np.arange(1, depth + 1), _quantiles(deviation).swapaxes(0, 1)
    return TanhHistograms(scales, edges, heights, layers, deviation, theory, beyond.mean(0))


def draw_tanh_histograms(numbers: TanhHistograms, paper: Paper) -> Figure:
    """Draw the histograms of all layers, and below them the deviation of each layer."""
    figure = paper.figure(540)
    axes = figure.subplot_mosaic([[0, 1, 2], [3, 3, 3]], height_ratios=(3, 2))
    depth, below, colors = len(numbers.layers), axes[3], _small_right_large(paper)
    word = "deviation" if paper.wide else ""
    for scale, color in enumerate(colors):
        own = axes[scale]
        title = own.set_title(("Xavier" if scale == 1 else f"{word} {numbers.scales[scale]:.2g}").strip())
        if scale != 1:
            paper.mark(title, f"scales[{scale}]")
        own.set(yticks=[], xticks=[-1, 0, 1], ylim=(-0.1, 1.15 * depth))
        own.spines["left"].set_visible(False)
        for layer in range(depth):
            base = 1.15 * (depth - layer - 1)
            heights = numbers.heights[scale, layer] + base
            stairs = own.stairs(heights, numbers.edges, baseline=base, fill=True, color=color, linewidth=0)
            paper.mark(stairs, f"heights[{scale}, {layer}]", x="edges")
            paper.guide(own.hlines(base, -1, 1, color=paper.grid, linewidth=0.6))
        paper.band(below, numbers, f"deviation[{scale}, 0]", f"deviation[{scale}, 2]", x="layers", color=color)
        style = {"color": color, "marker": paper.markers[scale], "linestyle": "none"}
        paper.line(below, numbers, f"deviation[{scale}, 1]", x="layers", **style)
        paper.theory(below, numbers, f"theory[{scale}]", x="layers", color=color)
    axes[0].set_yticks([1.15 * (depth - layer) + 0.35 for layer in numbers.layers], numbers.layers)
    axes[0].grid(False)
    axes[0].set_ylabel("layer")
    words = f"{numbers.beyond[2]:.0%}\nbeyond\n±0.99"
    clear = {"facecolor": paper.background, "edgecolor": "none", "pad": 2}
    share = axes[2].text(0, 1.15 * 0.5 * depth, words, ha="center", va="center", bbox=clear)
    paper.mark(share, "beyond[2]")
    below.set(yscale="log", xlabel="layer", title="Standard deviation of the activations", xticks=numbers.layers)
    paper.end_labels(below, depth, numbers.theory[:, -1], [axes[scale].get_title("left") for scale in range(3)], colors)
    return figure


# --- thirty ReLU layers ----------------------------------------------------------------------------------------------


class ReluDepth(NamedTuple):
    """Second moments of the activations of ReLU networks with weights of variance 1/n, 2/n and 4/n.

    Attributes:
        layers: 0 for the input.
        moments: Second moment; (variance, quantile, layer).
        theory: Its mean over networks; (variance, layer).
        samples: Second moment of single networks with variance 2/n; (network, layer).
    """

    layers: np.ndarray
    moments: np.ndarray
    theory: np.ndarray
    samples: np.ndarray


def relu_second_moments(width: int = 100, depth: int = 30, networks: int = 200, seed: int = 0) -> np.ndarray:
    """Measure the second moment in each layer of He's networks, each with one input; (network, layer)."""
    generators = np.array(np.random.default_rng(seed).spawn(networks))
    inputs = _unit_inputs((1, width), generators, (networks,))
    weights = (initialization.he_normal((width, width), generators, runs=(networks,)) for _ in range(depth))
    return initialization.forward_second_moments(weights, inputs)


def relu_depth(width: int = 100, depth: int = 30, networks: int = 200, seed: int = 0) -> ReluDepth:
    """Follow one input through ReLU layers; the same draws serve all three variances, for ReLU takes out a factor."""
    he = relu_second_moments(width, depth, networks, seed)
    layers = np.arange(depth + 1)
    factors = np.exp2(np.array([[-1], [0], [1]]) * layers)
    return ReluDepth(layers, factors[:, None] * _quantiles(he), factors, he[:8])


def draw_relu_depth(numbers: ReluDepth, paper: Paper) -> Figure:
    """Draw the three families as bands on a logarithmic scale."""
    figure, ((axes,),) = paper.subplots(height=340)
    texts = ("1/n, Xavier\nhalves", "2/n, He\nkeeps its mean", "variance 4/n\ndoubles")
    colors = _small_right_large(paper)
    for sample in range(len(numbers.samples)):
        style = {"color": paper.palette.blue, "linewidth": 0.5, "alpha": 0.6}
        paper.line(axes, numbers, f"samples[{sample}]", x="layers", **style)
    for variance, color in enumerate(colors):
        paper.band(axes, numbers, f"moments[{variance}, 0]", f"moments[{variance}, 2]", x="layers", color=color)
        paper.line(axes, numbers, f"moments[{variance}, 1]", x="layers", color=color)
        paper.theory(axes, numbers, f"theory[{variance}]", x="layers")
    axes.set(yscale="log", xlabel="layer", title="Mean square of the activations", xlim=(0, numbers.layers[-1]))
    axes.set_yticks(10.0 ** np.arange(-9, 10, 3))
    paper.end_labels(axes, numbers.layers[-1], numbers.theory[:, -1], texts, colors, dx=8)
    return figure


# --- forward and backward gain ---------------------------------------------------------------------------------------


class ForwardBackward(NamedTuple):
    """Gains of linear layers of many shapes under three variances: 1/fan_in, 1/fan_avg and 1/fan_out.

    Attributes:
        ratios: fan_out / fan_in.
        forward: Second moment of the outputs over that of the inputs; (variance, quantile, ratio).
        backward: The same for the gradient on its way back.
        forward_theory: fan_in times the variance; (variance, ratio).
        backward_theory: fan_out times the variance.
    """

    ratios: np.ndarray
    forward: np.ndarray
    backward: np.ndarray
    forward_theory: np.ndarray
    backward_theory: np.ndarray


def forward_backward(size: int = 128, rows: int = 20, networks: int = 40, seed: int = 0) -> ForwardBackward:
    """Send inputs through linear layers and gradients back, under the same draws for all three variances."""
    fans = [(round(size * 2 ** (-k / 2)), round(size * 2 ** (k / 2))) for k in np.linspace(-2, 2, 9)]
    gains = np.empty((2, 3, 3, len(fans)))
    for place, (fan_in, fan_out) in enumerate(fans):
        generators = np.array(np.random.default_rng([seed, place]).spawn(networks))
        noise = initialization.normal((fan_out, fan_in), generators, runs=(networks,))
        inputs = _unit_inputs((rows, fan_in), generators, (networks,))
        gradients = _unit_inputs((rows, fan_out), generators, (networks,))
        variances = np.array([1 / fan_in, weight_scales.xavier_variance(fan_in, fan_out), 1 / fan_out])
        for way, moved in enumerate((inputs @ noise.mT, gradients @ noise)):
            gains[way, :, :, place] = variances[:, None] * _quantiles((moved * moved).mean((-2, -1)))
    sizes = np.array(fans).T
    variances = np.stack((1 / sizes[0], 2 / sizes.sum(0), 1 / sizes[1]))
    return ForwardBackward(sizes[1] / sizes[0], gains[0], gains[1], sizes[0] * variances, sizes[1] * variances)


def draw_forward_backward(numbers: ForwardBackward, paper: Paper) -> Figure:
    """Draw the gains over the shape of the layer, forward and backward."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=300 if paper.wide else 500, sharey=True)
    names = ("1/fan_in", "1/fan_avg", "1/fan_out")
    for own, way, title in zip(axes.flat, ("forward", "backward"), ("Forward factor", "Backward factor"), strict=True):
        for variance in range(3):
            color, marker = paper.colors[variance], paper.markers[variance]
            ends = (paper.value(numbers, f"{way}[{variance}, {quantile}]") for quantile in (0, 2))
            lines = own.vlines(numbers.ratios, *ends, color=color, linewidth=1)
            paper.mark(lines, f"{way}[{variance}, 0]", x="ratios", upper=f"{way}[{variance}, 2]")
            style = {"color": color, "marker": marker, "linestyle": "none"}
            paper.line(own, numbers, f"{way}[{variance}, 1]", x="ratios", **style)
            paper.theory(own, numbers, f"{way}_theory[{variance}]", x="ratios", color=color)
        own.set(xscale="log", yscale="log", title=title, xlabel="fan_out / fan_in")
        own.minorticks_off()
        for axis in (own.xaxis, own.yaxis):
            axis.set_ticks([1 / 4, 1 / 2, 1, 2, 4], ["1/4", "1/2", "1", "2", "4"])
        ends = paper.value(numbers, f"{way}_theory[:, -1]")
        paper.end_labels(own, numbers.ratios[-1], ends, names, paper.colors[:3])
    return figure


# --- singular values -------------------------------------------------------------------------------------------------


class SingularValues(NamedTuple):
    """Singular values of Gaussian matrices of variance 1/n, of products of them, and of orthogonal ones.

    Attributes:
        edges: Edges of the bins for one matrix.
        density: How dense its singular values lie there.
        points: Where the theory is drawn.
        quarter_circle: The density in the limit of large matrices, sqrt(4 - s^2) / pi.
        ranks: Place of a singular value among the n, the largest first, from 0 to 1.
        products: Singular values of products of 1, 10 and 50 matrices, the mean of their logarithms; (product, rank).
        theory_ranks: Places at which the theory is drawn.
        theory: Its values in the limit of large matrices; (product, place).
        orthogonal: Singular values of a product of 50 orthogonal matrices, by rank.
    """

    edges: np.ndarray
    density: np.ndarray
    points: np.ndarray
    quarter_circle: np.ndarray
    ranks: np.ndarray
    products: np.ndarray
    theory_ranks: np.ndarray
    theory: np.ndarray
    orthogonal: np.ndarray


def product_law(layers: int, ranks: np.ndarray) -> np.ndarray:
    """Give the singular values at the ranks (0 to 1, the largest first) of a product of many large Gaussian matrices.

    Their squares x follow the Fuss-Catalan law, whose density has a parametric form over an angle a:

        x = sin((L + 1) a)^(L + 1) / (sin(a) sin(L a)^L),    x density(x) = sin(a) sin((L + 1) a) / (pi sin(L a)),

    with 0 < a < pi / (L + 1). The rank of x is the integral of the density over all that is larger.
    """
    steps = 100_000
    step = math.pi / (layers + 1) / steps
    angle = step * (np.arange(steps) + 0.5)
    first, last, between = np.sin(angle), np.sin((layers + 1) * angle), np.sin(layers * angle)
    log_square = (layers + 1) * np.log(last) - np.log(first) - layers * np.log(between)
    slope = (layers + 1) ** 2 / np.tan((layers + 1) * angle) - 1 / np.tan(angle) - layers**2 / np.tan(layers * angle)
    mass = -slope * first * last / (math.pi * between) * step
    return np.exp(np.interp(ranks, np.cumsum(mass) - mass / 2, log_square / 2))


def singular_values(size: int = 100, matrices: int = 100, networks: int = 4, seed: int = 0) -> SingularValues:
    """Measure the singular values of random matrices and of their products."""
    generator = np.random.default_rng(seed)
    draws = initialization.lecun_normal((size, size), generator, runs=(matrices,))
    edges = np.linspace(0, 2.1, 22)
    density = np.histogram(np.linalg.svd(draws, compute_uv=False), edges)[0] / (size * matrices * (edges[1] - edges[0]))
    points = np.linspace(0, 2, 101)
    counts, ranks = (1, 10, 50), np.linspace(0.001, 0.999, 300)
    logs = np.empty((3, size))
    for row, layers in enumerate(counts):
        factors = [initialization.lecun_normal((size, size), generator, runs=(networks,)) for _ in range(layers)]
        logs[row] = depths.log_singular_values(factors).mean(0)
    turns = [initialization.orthogonal((size, size), generator) for _ in range(counts[-1])]
    theory = np.stack([product_law(layers, ranks) for layers in counts])
    circle, places = np.sqrt(4 - points**2) / math.pi, (np.arange(size) + 0.5) / size
    straight = np.exp(depths.log_singular_values(turns))
    return SingularValues(edges, density, points, circle, places, np.exp(logs), ranks, theory, straight)


def draw_singular_values(numbers: SingularValues, paper: Paper) -> Figure:
    """Draw the density for one matrix, and all singular values of products."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=310 if paper.wide else 540)
    one, many = axes.flat
    stairs = one.stairs(numbers.density, numbers.edges, fill=True, color=paper.colors[0], alpha=0.35)
    paper.mark(stairs, "density", x="edges")
    paper.theory(one, numbers, "quarter_circle", x="points")
    one.set(title="One Gaussian matrix: density", xlabel="singular value", xlim=(0, 2.1), ylim=(0, None))
    one.set_yticks([0.2, 0.4, 0.6])
    for product, color in enumerate(paper.colors[:3]):
        style = {"marker": paper.markers[product], "markersize": 2.5, "markevery": 3, "linestyle": "none"}
        paper.line(many, numbers, f"products[{product}]", x="ranks", color=color, **style)
        paper.theory(many, numbers, f"theory[{product}]", x="theory_ranks", color=color)
    paper.line(many, numbers, "orthogonal", x="ranks", color=paper.palette.purple, linewidth=2.4)
    many.set(yscale="log", title="Products of Gaussian matrices", xlabel="rank, the largest first", xlim=(0, 1))
    many.set(yticks=10.0 ** np.arange(-40, 1, 10), ylim=(1e-45, 1e6))
    paper.label(many, 0.98, 1, "50 orthogonal ones", color=paper.palette.purple, dy=9, ha="right")
    paper.end_labels(many, 1, (1e-2, 1e-14, 1e-41), ("1", "10", "50"), paper.colors[:3], dx=6)
    return figure


# --- what PyTorch draws ----------------------------------------------------------------------------------------------


class PytorchDefault(NamedTuple):
    """Second moments of the activations of ReLU networks under He's start and PyTorch's own.

    Attributes:
        layers: 0 for the input.
        he: He's weights, no biases; (quantile, layer).
        weights_alone: PyTorch's weights, no biases.
        default: PyTorch's weights and biases.
        between: The part of `default` by which the inputs differ: the variance over inputs, mean over units.
        theory: The four in the limit of wide layers, in this order; (series, layer).
    """

    layers: np.ndarray
    he: np.ndarray
    weights_alone: np.ndarray
    default: np.ndarray
    between: np.ndarray
    theory: np.ndarray


def pytorch_default(
    width: int = 256, depth: int = 16, rows: int = 50, networks: int = 20, seed: int = 0
) -> PytorchDefault:
    """Follow a batch of inputs through ReLU layers, with the biases that `torch.nn.Linear` draws and without."""
    moments = np.empty((4, networks, depth + 1))
    shape = (width, width)
    for run, generator in enumerate(np.random.default_rng(seed).spawn(networks)):
        inputs = initialization.normal((rows, width), generator)
        weights = [initialization.pytorch_default(shape, generator) for _ in range(depth)]
        he = [initialization.he_uniform(shape, generator) for _ in range(depth)]
        moments[0, run] = initialization.forward_second_moments(he, inputs)
        moments[1, run] = initialization.forward_second_moments(weights, inputs)
        h = inputs
        for layer in range(depth + 1):
            moments[2:, run, layer] = (h * h).mean(), h.var(0).mean()
            if layer < depth:
                bias = initialization.pytorch_default_bias(shape, generator)
                h = activations.relu(network.dense(h, weights[layer], bias))
    layers = np.arange(depth + 1)
    square, cross = np.ones(depth + 1), np.zeros(depth + 1)
    for layer in range(depth):
        variance, covariance = (moment[layer] / 3 + 1 / (3 * width) for moment in (square, cross))
        angle = np.arccos(covariance / variance)
        square[layer + 1] = variance / 2
        cross[layer + 1] = variance * (np.sin(angle) + (math.pi - angle) * np.cos(angle)) / (2 * math.pi)
    theory = np.stack((np.ones(depth + 1), 6.0**-layers, square, square - cross))
    return PytorchDefault(layers, *(_quantiles(moment) for moment in moments), theory)


def draw_pytorch_default(numbers: PytorchDefault, paper: Paper) -> Figure:
    """Draw the second moments on a logarithmic scale."""
    figure, ((axes,),) = paper.subplots(height=360)
    names = ("he", "weights_alone", "default", "between")
    colors = (paper.palette.blue, paper.palette.orange, paper.palette.purple, paper.palette.green)
    for series, (name, color) in enumerate(zip(names, colors, strict=True)):
        paper.band(axes, numbers, f"{name}[0]", f"{name}[2]", x="layers", color=color)
        style = {"color": color, "marker": paper.markers[series], "linestyle": "none"}
        paper.line(axes, numbers, f"{name}[1]", x="layers", **style)
        paper.theory(axes, numbers, f"theory[{series}]", x="layers", color=color)
    axes.set(yscale="log", xlabel="layer", title="Mean square of the activations")
    axes.set(xticks=numbers.layers[::2], yticks=10.0 ** np.arange(-12, 1, 3))
    end, middle = numbers.layers[-1], len(numbers.layers) // 2
    paper.end_labels(axes, end, numbers.theory[[0, 2], -1], ("He", "PyTorch's\ndefault"), (colors[0], colors[2]))
    alone, differs = "weights alone,\nwithout biases", "what differs\nbetween inputs"
    paper.label(axes, middle, numbers.theory[1, middle], alone, color=colors[1], dx=14, dy=14)
    paper.label(axes, middle, numbers.theory[3, middle], differs, color=colors[3], dx=-14, dy=-14, ha="right")
    return figure


# --- deep tanh networks ----------------------------------------------------------------------------------------------


class TanhVariance(NamedTuple):
    """Second moments in deep tanh networks under Xavier's weights with gain 1 and 5/3.

    Attributes:
        layers: 0 for the input.
        forward: Second moment of the activations; (gain, quantile, layer).
        inverse: 1 / (2 L).
        forward_theory: The forward moments in the limit of wide layers; (gain, layer).
        backward: Second moment of the gradient that comes from the last layer, over its value there.
        backward_theory: The same in the limit of wide layers.
    """

    layers: np.ndarray
    forward: np.ndarray
    inverse: np.ndarray
    forward_theory: np.ndarray
    backward: np.ndarray
    backward_theory: np.ndarray


def tanh_variance(width: int = 512, depth: int = 50, rows: int = 16, networks: int = 10, seed: int = 0) -> TanhVariance:
    """Send inputs through deep tanh networks and gradients back, under the same draws for both gains."""
    gains = np.array([1, 5 / 3])
    moments = np.empty((2, networks, 2, depth + 1))
    for run, generator in enumerate(np.random.default_rng(seed).spawn(networks)):
        inputs = initialization.normal((rows, width), generator, dtype=np.float32)
        gradient = initialization.normal((rows, width), generator, dtype=np.float32)
        draws = [initialization.xavier_normal((width, width), generator, dtype=np.float32) for _ in range(depth)]
        for place, gain in enumerate(gains.astype(np.float32)):
            weights = [gain * noise for noise in draws]
            moments[0, run, place] = initialization.forward_second_moments(weights, inputs, "tanh")
            moments[1, run, place] = initialization.backward_second_moments(weights, inputs, gradient, "tanh")
    moments[1] /= moments[1, :, :, -1:]
    layers = np.arange(depth + 1)
    forward_theory = _wide_limit("tanh", gains**2, depth)
    variances = gains[:, None] ** 2 * np.concatenate((np.ones((2, 1)), forward_theory[:, :-1]), axis=1)
    factors = gains[:, None] ** 2 * initialization.slope_moment("tanh", variances)
    backward = np.cumprod(factors[:, ::-1], axis=1)[:, ::-1]
    ones = np.ones((2, 1))
    return TanhVariance(
        layers,
        _quantiles(moments[0]).swapaxes(0, 1),
        1 / (2 * layers[1:]),
        np.concatenate((ones, forward_theory), axis=1),
        _quantiles(moments[1]).swapaxes(0, 1),
        np.concatenate((backward, ones), axis=1),
    )


def draw_tanh_variance(numbers: TanhVariance, paper: Paper) -> Figure:
    """Draw the moments of the activations and of the gradient over the layers."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=310 if paper.wide else 520)
    titles = ("Mean square of the activations", "Mean square of the gradient")
    for own, way, title in zip(axes.flat, ("forward", "backward"), titles, strict=True):
        for gain, color in enumerate((paper.palette.blue, paper.palette.orange)):
            paper.band(own, numbers, f"{way}[{gain}, 0]", f"{way}[{gain}, 2]", x="layers", color=color)
            style = {"color": color, "marker": paper.markers[gain], "linestyle": "none", "markevery": 5}
            paper.line(own, numbers, f"{way}[{gain}, 1]", x="layers", **style)
            paper.theory(own, numbers, f"{way}_theory[{gain}]", x="layers", color=color)
        own.set(yscale="log", title=title, xlabel="layer")
    first, second = axes.flat
    paper.theory(first, numbers, "inverse", x="layers[1:]", linestyle=paper.dashes[2])
    paper.label(first, 20, numbers.inverse[19], "1 / (2 layer)", dx=-6, dy=-16, ha="right")
    names, colors = ("gain 1", "gain 5/3"), (paper.palette.blue, paper.palette.orange)
    paper.end_labels(first, numbers.layers[-1], numbers.forward_theory[:, -1], names, colors)
    for name, color, middle, rise in zip(names, colors, numbers.backward_theory[:, 20], (-16, 16), strict=True):
        paper.label(second, 20, middle, name, color=color, dx=10, dy=rise)
    return figure


# --- the assumptions, one by one -------------------------------------------------------------------------------------


class Assumptions(NamedTuple):
    """Second moment of a layer's pre-activations over its prediction, with one assumption broken at a time.

    Attributes:
        places: Where each case is drawn; (kind of input, case). The kinds are inputs of mean 0, and outputs of a ReLU.
        measured: Measured over predicted, fan_in Var[w] E[x^2]; (kind, quantile, case).
        theory: What the ratio becomes; (kind, case).
    """

    places: np.ndarray
    measured: np.ndarray
    theory: np.ndarray


CASES = (
    "none broken",
    "inputs correlated",
    "inputs of unequal size",
    "weights not normal",
    "weights with a mean",
    "weights correlated",
    "weights look like inputs",
    "biases",
    "Var[x] for E[x²]",
)
SHARE = 0.1  # of the variance of weights and biases that breaks an assumption; the weights' mean over their deviation


def _inputs(case: int, kind: int, shape: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    x = initialization.normal(shape, generator)
    if CASES[case] == "inputs correlated":
        x = math.sqrt(0.5) * (x + initialization.normal((shape[0], 1), generator))
    x = math.sqrt(2) * activations.relu(x) if kind else x
    return x * np.linspace(0.2, 2, shape[1]) if CASES[case] == "inputs of unequal size" else x


def _weights(case: int, x: np.ndarray, units: int, generator: np.random.Generator) -> np.ndarray:
    """Draw weights of variance 1 / fan_in, broken as the case says."""
    fan_in = x.shape[1]
    w = initialization.lecun_normal((units, fan_in), generator)
    deviation = 1 / math.sqrt(fan_in)
    if CASES[case] == "weights not normal":
        return deviation * (2.0 * generator.integers(0, 2, w.shape) - 1)
    if CASES[case] == "weights with a mean":
        return w + SHARE * deviation
    if CASES[case] == "weights correlated":
        return math.sqrt(1 - SHARE) * w + math.sqrt(SHARE) * initialization.normal((units, 1), generator) * deviation
    if CASES[case] == "weights look like inputs":
        return math.sqrt(1 - SHARE) * w + math.sqrt(SHARE) * x[:units] / np.sqrt((x[:units] ** 2).mean()) * deviation
    return w


def assumptions(fan_in: int = 256, rows: int = 64, networks: int = 40, seed: int = 0) -> Assumptions:
    """Measure one layer of as many units as rows under each broken assumption, on inputs of mean 0 and after a ReLU."""
    ratios = np.empty((2, networks, len(CASES)))
    for kind, case in np.ndindex(2, len(CASES)):
        for run, generator in enumerate(np.random.default_rng([seed, kind, case]).spawn(networks)):
            x = _inputs(case, kind, (rows, fan_in), generator)
            bias = SHARE**0.5 * initialization.normal((rows,), generator) if CASES[case] == "biases" else np.zeros(rows)
            z = network.dense(x, _weights(case, x, rows, generator), bias)
            power = x.var() if CASES[case].startswith("Var[x]") else (x * x).mean()
            ratios[kind, run, case] = (z * z).mean() / power
    square_mean = np.array([0, 1 / math.pi])  # of inputs whose second moment is 1
    theory = np.ones((2, len(CASES)))
    theory[:, 4] = 1 + SHARE**2 * (1 + (fan_in - 1) * square_mean)
    theory[:, 5] = 1 + SHARE * (fan_in - 1) * square_mean
    alike = (fan_in + (rows - 1) * (1 + (fan_in - 1) * square_mean**2)) / rows
    theory[:, 6] = 1 - SHARE + SHARE * alike
    theory[:, 7] = 1 + SHARE
    theory[:, 8] = 1 / (1 - square_mean)
    places = np.arange(len(CASES)) + np.array([[-0.16], [0.16]])
    return Assumptions(places, _quantiles(ratios, axis=1).swapaxes(0, 1), theory)


def draw_assumptions(numbers: Assumptions, paper: Paper) -> Figure:
    """Draw one row a case, with the spread over networks."""
    figure, ((axes,),) = paper.subplots(height=400)
    axes.grid(False)
    paper.guide(axes.axvline(1, color=paper.muted, linewidth=0.8))
    for kind, (name, color) in enumerate(zip(("inputs of mean 0", "outputs of a ReLU"), paper.colors, strict=False)):
        ends = (numbers.measured[kind, quantile] for quantile in (0, 2))
        lines = axes.hlines(numbers.places[kind], *ends, color=color, linewidth=1.4)
        paper.mark(lines, f"places[{kind}]", x=f"measured[{kind}, 0]", upper=f"measured[{kind}, 2]")
        style = {"marker": paper.markers[kind], "linestyle": "none", "color": color, "label": name}
        paper.line(axes, numbers, f"places[{kind}]", x=f"measured[{kind}, 1]", **style)
        tick = {"marker": "|", "markersize": 11, "linestyle": "none", "zorder": 4, "label": "theory" if kind else None}
        paper.theory(axes, numbers, f"places[{kind}]", x=f"theory[{kind}]", **tick)
    axes.set(xscale="log", title="Measured over predicted", yticks=range(len(CASES)), yticklabels=CASES)
    axes.minorticks_off()
    axes.xaxis.set_ticks([1, 2, 5, 10], ["1", "2", "5", "10"])
    axes.invert_yaxis()
    axes.legend(loc="upper right", handlelength=1)
    return figure
