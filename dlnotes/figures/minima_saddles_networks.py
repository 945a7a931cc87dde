"""Figures of the chapter on minima and saddle points: loss surfaces of networks trained on digits.

Quantiles over runs are 10%, 50% and 90%, and stand on an axis of three in this order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import datasets
from dlnotes.numpy import conditioning, gradient_clipping, initialization, minima_saddles, network, objective, training
from dlnotes.numpy import momentum as momenta

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper

Arrays = dict[str, np.ndarray]
REACH = 1.0  # how far the maps go in both directions


def _digits(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Give the first digits, with pixels from -1 to 1."""
    digits = datasets.digits()
    return (digits.inputs[:count] - 8) / 8, digits.targets[:count]


def _small_digits(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Give the first digits at 4 by 4 pixels, each the mean of four."""
    inputs, labels = _digits(count)
    return inputs.reshape(count, 4, 2, 4, 2).mean((2, 4)).reshape(count, 16), labels


def _loss(inputs: np.ndarray, labels: np.ndarray, activation: str) -> Callable:
    """Give the loss of parameters with any run axes."""

    def loss(parameters: Arrays) -> np.ndarray:
        runs = parameters["0.bias"].shape[:-1]
        logits, _ = network.forward(parameters, inputs, activation)
        return objective.cross_entropy(logits, np.broadcast_to(labels, (*runs, len(labels))))

    return loss


def _quantiles(values: np.ndarray) -> np.ndarray:
    return np.quantile(values, (0.1, 0.5, 0.9), axis=0)


# --- lines and curves between networks -------------------------------------------------------------------------------


class Barrier(NamedTuple):
    """Loss on the way from one trained network to another.

    Attributes:
        fractions: 0 at the one and 1 at the other.
        losses: To a permuted copy, to another network, to that one matched, along a curve to it; (way, quantile, t).
    """

    fractions: np.ndarray
    losses: np.ndarray


def _matched(one: Arrays, other: Arrays) -> np.ndarray:
    """Order the hidden units of `other` to be like those of `one`: greedy, then swaps until none helps."""
    alike = one["0.weight"] @ other["0.weight"].T + np.outer(one["0.bias"], other["0.bias"])
    alike = alike + one["2.weight"].T @ other["2.weight"]
    rest, order = alike.copy(), np.zeros(len(alike), int)
    for _ in order:
        i, j = np.unravel_index(np.argmax(rest), rest.shape)
        order[i], rest[i], rest[:, j] = j, -np.inf, -np.inf
    while True:
        now = alike[:, order]  # what unit i would gain from the partner of unit j
        gains = now + now.T - np.diag(now)[:, None] - np.diag(now)
        i, j = np.unravel_index(np.argmax(gains), gains.shape)
        if gains[i, j] <= 1e-9:
            return order
        order[[i, j]] = order[[j, i]]


def _bend(ends: tuple[Arrays, Arrays], gradient: Callable, steps: int, generator: np.random.Generator) -> Arrays:
    """Train the middle point m of the curve (1 - t)^2 a + 2 t (1 - t) m + t^2 b, at a random t in each step."""
    first, last = ends
    middle = {name: (value + last[name]) / 2 for name, value in first.items()}
    speed = {name: np.zeros_like(value) for name, value in middle.items()}
    for _ in range(steps):
        _, slopes = gradient(_on_curve(first, middle, last, t := generator.uniform()))
        for name, slope in slopes.items():
            speed[name] = 0.9 * speed[name] - 0.2 * 2 * t * (1 - t) * slope
            middle[name] = middle[name] + speed[name]
    return middle


def _on_curve(first: Arrays, middle: Arrays, last: Arrays, t: float) -> Arrays:
    return {n: (1 - t) ** 2 * first[n] + 2 * t * (1 - t) * middle[n] + t * t * last[n] for n in first}


def barrier(
    width: int = 32, examples: int = 500, steps: int = 400, pairs: int = 6, points: int = 21, seed: int = 0
) -> Barrier:
    """Train pairs of tanh networks, and go from one to the other in four ways."""
    inputs, labels = _digits(examples)
    generator = np.random.default_rng(seed)
    runs = (2, pairs)
    start = network.initialize((64, width, 10), generator, initialization.xavier_normal, runs=runs)
    options = {"steps": steps, "batch_size": min(50, examples), "generator": generator, "runs": runs}

    def gradient(p: Arrays, x: np.ndarray, y: np.ndarray) -> tuple:
        return network.loss_and_gradient(p, x, y, "tanh")

    optimizer = momenta.Momentum(learning_rate=0.05, beta=0.9)
    trained = training.train(start, inputs, labels, optimizer, gradient=gradient, **options).parameters
    loss, t = _loss(inputs, labels, "tanh"), np.linspace(0, 1, points)
    lines = np.empty((4, pairs, points))
    ends: tuple[list[Arrays], list[Arrays]] = ([], [])
    for pair in range(pairs):
        one, other = ({n: v[side, pair] for n, v in trained.items()} for side in (0, 1))
        copy = minima_saddles.permute_units(one, "0", generator.permutation(width))
        alike = minima_saddles.permute_units(other, "0", _matched(one, other))
        for way, end in enumerate((copy, other, alike)):
            lines[way, pair] = minima_saddles.interpolate(loss, one, end, t)
        ends[0].append(one)
        ends[1].append(other)
    first, last = ({n: np.stack([net[n] for net in side]) for n in side[0]} for side in ends)
    targets = np.broadcast_to(labels, (pairs, examples))
    middle = _bend((first, last), lambda p: gradient(p, inputs, targets), steps, generator)
    lines[3] = np.stack([loss(_on_curve(first, middle, last, one)) for one in t], axis=-1)
    return Barrier(t, np.stack([_quantiles(way) for way in lines]))


def draw_barrier(numbers: Barrier, paper: Paper) -> Figure:
    """Draw the four ways as bands."""
    figure, ((axes,),) = paper.subplots(height=340)
    names = ("a permuted\ncopy", "another\nnetwork", "its units\nmatched", "along a\ncurve")
    for way in range(4):
        color = paper.colors[way]
        paper.band(axes, numbers, f"losses[{way}, 0]", f"losses[{way}, 2]", x="fractions", color=color)
        style = {"color": color, "linestyle": paper.dashes[way]}
        paper.line(axes, numbers, f"losses[{way}, 1]", x="fractions", **style)
    axes.set(title="Training loss", xlabel="part of the way", xlim=(0, 1), ylim=(0, None))
    axes.set(xticks=(0.25, 0.5, 0.75), xticklabels=("1/4", "1/2", "3/4"))
    middle = len(numbers.fractions) // 2
    paper.end_labels(axes, 1, numbers.losses[:, 1, middle] + 0.01, names, paper.colors[:4])
    return figure


# --- one function, two surfaces --------------------------------------------------------------------------------------


class Surface(NamedTuple):
    """Loss in a plane through a trained ReLU network, and through one that computes the same.

    Attributes:
        plain: Loss along directions of independent normal numbers; (network, row, column).
        normalized: Along the same, scaled to the lengths of the units' weights.
        sharpness: The largest eigenvalue of the Hessian of both networks.
    """

    plain: np.ndarray
    normalized: np.ndarray
    sharpness: np.ndarray


def _rescaled(parameters: Arrays, factor: float) -> Arrays:
    """Multiply what goes into the hidden ReLU units by a factor, and divide what comes out of them."""
    powers = {"0.weight": 1, "0.bias": 1, "2.weight": -1, "2.bias": 0}
    return {name: factor**power * parameters[name] for name, power in powers.items()}


def _sharpness(parameters: Arrays, inputs: np.ndarray, labels: np.ndarray, generator: np.random.Generator) -> float:
    product = conditioning.hessian_vector_product(parameters, inputs, labels, "relu")
    size = sum(value.size for value in parameters.values())
    found = conditioning.top_eigenvalues(product, generator.standard_normal(size), count=1, which="largest", steps=60)
    return float(found.values[0])


def surface(
    width: int = 16, examples: int = 300, factor: float = 4.0, points: int = 25, steps: int = 400, seed: int = 0
) -> Surface:
    """Train a network, rescale it, and look at both along the same random directions."""
    inputs, labels = _digits(examples)
    generator = np.random.default_rng(seed)
    start = network.initialize((64, width, 10), generator, initialization.he_normal)
    options = {"steps": steps, "batch_size": min(50, examples), "generator": generator}
    optimizer = momenta.Momentum(learning_rate=0.03, beta=0.9)
    trained = training.train(start, inputs, labels, optimizer, **options).parameters
    networks = (trained, _rescaled(trained, factor))
    drawn = [{n: generator.standard_normal(v.shape) * (v.ndim > 1) for n, v in trained.items()} for _ in range(2)]
    length = gradient_clipping.global_norm({n: v for n, v in trained.items() if v.ndim > 1})
    plain = [{n: v * length / gradient_clipping.global_norm(d) for n, v in d.items()} for d in drawn]
    at, loss = np.linspace(-REACH, REACH, points), _loss(inputs, labels, "relu")
    scaled = [[minima_saddles.filter_normalize(d, net) for d in drawn] for net in networks]
    return Surface(
        np.stack([minima_saddles.loss_surface(loss, net, *plain, at, at) for net in networks]),
        np.stack(
            [minima_saddles.loss_surface(loss, net, *own, at, at) for net, own in zip(networks, scaled, strict=True)]
        ),
        np.array([_sharpness(net, inputs, labels, generator) for net in networks]),
    )


def draw_surface(numbers: Surface, paper: Paper) -> Figure:
    """Draw four maps: two kinds of directions below each other, the two networks side by side."""
    figure, axes = paper.subplots(2, 2, height=560 if paper.wide else 400, sharex=True, sharey=True)
    count = numbers.plain.shape[-1]
    reach = REACH * count / (count - 1)  # each value is the middle of its tile
    style = {"origin": "lower", "extent": (-reach, reach, -reach, reach), "interpolation": "nearest"}
    for row, (kind, name) in enumerate((("plain", "plain"), ("normalized", "normalized"))):
        for column, title in enumerate(("trained", "rescaled")):
            own = axes[row, column]
            picture = own.imshow(getattr(numbers, kind)[column], cmap=paper.ramp, vmin=0, vmax=5, **style)
            paper.mark(picture, f"{kind}[{column}]")
            own.set(title=f"{title}, {name}", xticks=(-1, 0, 1), yticks=(-1, 0, 1), aspect="equal")
            own.grid(False)
    for column in range(2):
        words = f"sharpness {numbers.sharpness[column]:.1f}"
        inside = {"ha": "center", "va": "bottom", "path_effects": paper.halo(3), "color": paper.ink}
        paper.mark(axes[0, column].text(0, -0.97, words, **inside), f"sharpness[{column}]")
    paper.color_scale(figure, picture, axes, "training loss", ticks=(0, 2.5, 5), labels=("0", "2.5", "5 or more"))
    return figure


# --- along training --------------------------------------------------------------------------------------------------


class Along(NamedTuple):
    """The gradient and the signs of the Hessian's eigenvalues while networks are trained.

    Attributes:
        steps: Steps taken.
        norms: Length of the gradient of all examples, with the full batch and with small ones; (batch, quantile, step).
        losses: Loss of all examples; (batch, quantile, step).
        negative: Share of eigenvalues below 0 by more than 1e-6 of the largest, full batch; (quantile, step).
        clearly: Share of those below by more than 1e-2 of the largest.
        positive: Share of those above by more than 1e-2 of the largest.
    """

    steps: np.ndarray
    norms: np.ndarray
    losses: np.ndarray
    negative: np.ndarray
    clearly: np.ndarray
    positive: np.ndarray


def _signs(parameters: Arrays, inputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Give the shares of eigenvalues below 0, clearly below 0 and clearly above 0, of one network."""
    product = conditioning.hessian_vector_product(parameters, inputs, labels, "tanh")
    size = sum(value.size for value in parameters.values())
    hessian = conditioning.dense_hessian(product, size)
    hessian = (hessian + hessian.T) / 2
    counts = [minima_saddles.inertia(hessian, tolerance=tolerance) for tolerance in (1e-6, 1e-2)]
    return np.array([counts[0].negative, counts[1].negative, counts[1].positive]) / size


def _norms(gradient: Arrays) -> np.ndarray:
    """Give the length of the gradient of each run."""
    return np.sqrt(sum((value * value).reshape(len(value), -1).sum(-1) for value in gradient.values()))


def along(
    width: int = 8,
    examples: int = 200,
    batch: int = 10,
    rate: float = 0.2,
    doublings: int = 13,
    seeds: int = 4,
    seed: int = 0,
) -> Along:
    """Train the same networks with the full batch and with small ones, and look at powers of 2 of the steps."""
    inputs, labels = _small_digits(examples)
    generator = np.random.default_rng(seed)
    start = network.initialize((16, width, 10), generator, initialization.xavier_normal, runs=(seeds,))
    steps = np.concatenate([[0], 2 ** np.arange(doublings)])
    targets = np.broadcast_to(labels, (seeds, examples))
    norms, losses, signs = np.empty((2, seeds, len(steps))), np.empty((2, seeds, len(steps))), []
    for kind in range(2):
        parameters, taken = dict(start), 0
        for place, until in enumerate(steps):
            for _ in range(taken, until):
                chosen = generator.integers(examples, size=(seeds, batch)) if kind else slice(None)
                own = (inputs[chosen], labels[chosen]) if kind else (inputs, targets)
                _, slopes = network.loss_and_gradient(parameters, *own, "tanh")
                parameters = {n: v - rate * slopes[n] for n, v in parameters.items()}
            taken = until
            losses[kind, :, place], slopes = network.loss_and_gradient(parameters, inputs, targets, "tanh")
            norms[kind, :, place] = _norms(slopes)
            if not kind and place % 2 == 0:
                signs.append([_signs({n: v[i] for n, v in parameters.items()}, inputs, labels) for i in range(seeds)])
    shares = _quantiles(np.array(signs).swapaxes(0, 1))  # (quantile, step, kind)
    return Along(steps, *(np.stack([_quantiles(k) for k in x]) for x in (norms, losses)), *np.moveaxis(shares, -1, 0))


def draw_along(numbers: Along, paper: Paper) -> Figure:
    """Draw the length of the gradient against the steps, and the shares of eigenvalues against the loss."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=300 if paper.wide else 560)
    left, right = axes.flat
    colors = (paper.palette.blue, paper.palette.orange)
    for batch, color in enumerate(colors):
        paper.band(left, numbers, f"norms[{batch}, 0, 1:]", f"norms[{batch}, 2, 1:]", x="steps[1:]", color=color)
        style = {"color": color, "marker": paper.markers[batch]}
        paper.line(left, numbers, f"norms[{batch}, 1, 1:]", x="steps[1:]", **style)
    left.set(xscale="log", yscale="log", title="Length of the gradient", xlabel="steps")
    left.minorticks_off()
    paper.end_labels(left, numbers.steps[-1], numbers.norms[:, 1, -1], ("full\nbatch", "batches\nof 10"), colors)
    last = len(numbers.steps) - 1
    names = ("negative", "clearly negative", "clearly positive")
    colors = (paper.palette.orange, paper.ink, paper.palette.blue)
    for name, color, dash in zip(("negative", "clearly", "positive"), colors, paper.dashes, strict=False):
        paper.band(right, numbers, f"{name}[0]", f"{name}[2]", x="losses[0, 1, ::2]", color=color)
        paper.line(right, numbers, f"{name}[1]", x="losses[0, 1, ::2]", color=color, linestyle=dash)
    right.set(xscale="log", title="Eigenvalues", xlabel="loss", ylim=(-0.02, 0.55))
    right.set_xlim(3, numbers.losses[0, 1, -1] / 1.2)
    right.set_xticks([2, 0.5, 0.1, 0.02], ["2", "0.5", "0.1", "0.02"])
    right.set_yticks([0, 0.2, 0.4], ["0", "20%", "40%"])
    right.minorticks_off()
    ends = [numbers.negative[1, 0] + 0.06, 0.045, numbers.positive[1, min(3, last // 2)] + 0.05]
    places = [numbers.losses[0, 1, place] for place in (0, min(10, last), min(6, last))]
    for name, color, x, y in zip(names, colors, places, ends, strict=True):
        paper.label(right, x, y, name, color=color, ha="left")
    return figure
