"""Figures of the chapter on minima and saddle points: surfaces whose critical points are known.

Quantiles over runs are 10%, 50% and 90%, and stand on an axis of three in this order.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes.numpy import conditioning, minima_saddles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper

EDGE = 0.5  # how far from the ridge of the saddle a run has left it


def _quantiles(values: np.ndarray, axis: int = -1) -> np.ndarray:
    return np.quantile(values, (0.1, 0.5, 0.9), axis=axis)


# --- a saddle, and how long it holds ---------------------------------------------------------------------------------


class Saddle(NamedTuple):
    """Paths near the saddle of `quartic_saddle`, and the steps that it holds them.

    Attributes:
        height: The surface; (y, x).
        paths: Points of descent, Newton and saddle-free Newton; (method, step, coordinate).
        distances: Of the start from the ridge y = 0.
        descent: Steps of gradient descent until |y| is at least `EDGE`.
        theory: ln(1 / (3^(1/2) distance)) / ln(1 + rate), for descent.
        noisy: The same steps with noise; (quantile, distance).
        saddle_free: Of saddle-free Newton.
    """

    height: np.ndarray
    paths: np.ndarray
    distances: np.ndarray
    descent: np.ndarray
    theory: np.ndarray
    noisy: np.ndarray
    saddle_free: np.ndarray


def _newton(point: np.ndarray) -> np.ndarray:
    gradient, hessian = minima_saddles.quartic_saddle_gradient(point), minima_saddles.quartic_saddle_hessian(point)
    return conditioning.newton_step(gradient, hessian)


def _saddle_free(point: np.ndarray) -> np.ndarray:
    gradient, hessian = minima_saddles.quartic_saddle_gradient(point), minima_saddles.quartic_saddle_hessian(point)
    return minima_saddles.saddle_free_newton_step(gradient, hessian)


def _left(path: np.ndarray) -> np.ndarray:
    """Count the steps until the distance from the ridge is at least `EDGE`; (run)."""
    return np.argmax(np.abs(path[..., 1]) >= EDGE, axis=-1).astype(float)


def saddle(rate: float = 0.1, noise: float = 0.001, runs: int = 50, points: int = 81, seed: int = 0) -> Saddle:
    """Follow three methods from (1, 0.1), and count the steps from points nearer and nearer to the ridge."""
    distances = 10.0 ** -np.arange(1, 13)
    starts = np.stack([np.ones_like(distances), distances], axis=-1)
    steps = math.ceil(40 / rate)

    def descend(point: np.ndarray) -> np.ndarray:
        return -rate * minima_saddles.quartic_saddle_gradient(point)

    noisy = [
        minima_saddles.escape_steps(
            minima_saddles.quartic_saddle_gradient,
            lambda p: np.abs(p[..., 1]) >= EDGE,
            start,
            np.random.default_rng([seed, place]),
            learning_rate=rate,
            noise=noise,
            steps=steps,
            runs=(runs,),
        )
        for place, start in enumerate(starts)
    ]
    start = np.array([1.0, 0.1])
    paths = np.stack([minima_saddles.follow(step, start, 60) for step in (descend, _newton, _saddle_free)])
    x, y = np.linspace(-1.3, 1.3, points), np.linspace(-1.3, 1.3, points)
    grid = np.stack(np.broadcast_arrays(x[None, :], y[:, None]), axis=-1)
    return Saddle(
        minima_saddles.quartic_saddle(grid),
        paths,
        distances,
        _left(minima_saddles.follow(descend, starts, steps)),
        np.log(1 / (math.sqrt(3) * distances)) / math.log1p(rate),
        _quantiles(np.array(noisy)),
        _left(minima_saddles.follow(_saddle_free, starts, 100)),
    )


def draw_saddle(numbers: Saddle, paper: Paper) -> Figure:
    """Draw the surface with the paths, and the steps against the distance of the start."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=310 if paper.wide else 610)
    left, right = axes.flat
    # One picture: a cell each would be a hundred times as many bytes.
    style = {"cmap": paper.ramp, "vmin": -0.25, "vmax": 1, "interpolation": "nearest"}
    paper.mark(left.imshow(numbers.height, origin="lower", extent=(-1.3, 1.3, -1.3, 1.3), **style), "height")
    colors = (paper.palette.orange, paper.palette.green, paper.ink)
    names = ("descent", "Newton", "saddle-free Newton")
    for method, color in enumerate(colors):
        style = {"color": color, "marker": paper.markers[method], "markersize": 3.5}
        line = paper.line(left, numbers, f"paths[{method}, :, 1]", x=f"paths[{method}, :, 0]", **style)
        line.set_path_effects(paper.halo(3))
    left.set(title="Height, and paths from (1, 0.1)", xlabel="x", ylabel="y", aspect="equal", xlim=(-1.3, 1.3))
    left.set(ylim=(-1.3, 1.3), xticks=(-1, 0, 1), yticks=(-1, 0, 1))
    left.grid(False)
    paper.label(left, 0, -0.12, "Newton ends\nin the saddle", color=colors[1], ha="center", dy=-14)
    paper.label(left, 0.1, 1, "the two others\nend at (0, 1)", color=colors[2], dx=8)
    paper.band(right, numbers, "noisy[0]", "noisy[2]", x="distances", color=paper.palette.blue)
    paper.line(right, numbers, "noisy[1]", x="distances", color=paper.palette.blue)
    style = {"color": colors[0], "marker": paper.markers[0], "linestyle": "none"}
    paper.line(right, numbers, "descent", x="distances", **style)
    paper.theory(right, numbers, "theory", x="distances")
    paper.line(right, numbers, "saddle_free", x="distances", color=colors[2], marker=paper.markers[2])
    right.set(xscale="log", title="Steps to leave", xlabel="distance of the start from the ridge")
    right.set_xlim(10**-0.6, 10**-12.4)
    right.set_xticks([1e-1, 1e-4, 1e-8, 1e-12])
    right.minorticks_off()
    paper.label(right, 1e-7, numbers.descent[6], names[0], color=colors[0], ha="right", dx=-12, dy=10)
    paper.label(right, 1e-10, numbers.noisy[2, 9], "with noise", color=paper.palette.blue, ha="center", dy=16)
    paper.label(right, 1e-8, numbers.saddle_free[7], names[2], color=colors[2], ha="center", dy=-16)
    return figure


# --- index against loss, and random signs ----------------------------------------------------------------------------


class IndexLoss(NamedTuple):
    """Critical points of a linear network, and how seldom a random symmetric matrix has positive eigenvalues alone.

    Attributes:
        losses: At the points of the closed form.
        shares: Share of negative eigenvalues there.
        found_losses: At the points where a search ended.
        found_shares: Share of negative eigenvalues there.
        sizes: Of the random matrices.
        sampled: Share of positive definite ones.
        low: Two standard errors below.
        high: Two above.
        exact: The probability.
        rate: 3^(-n^2 / 4).
    """

    losses: np.ndarray
    shares: np.ndarray
    found_losses: np.ndarray
    found_shares: np.ndarray
    sizes: np.ndarray
    sampled: np.ndarray
    low: np.ndarray
    high: np.ndarray
    exact: np.ndarray
    rate: np.ndarray


def _pfaffian(matrix: np.ndarray) -> float:
    """Expand along the first row."""
    if not len(matrix):
        return 1.0
    others = [[i for i in range(1, len(matrix)) if i != j] for j in range(1, len(matrix))]
    terms = (_pfaffian(matrix[np.ix_(kept, kept)]) for kept in others)
    return sum((-1) ** place * matrix[0, place + 1] * term for place, term in enumerate(terms))


def _ordered_integral(size: int, positive: bool) -> float:
    """Integrate the density of ordered eigenvalues, prod (x_j - x_i) prod e^(-x_i^2 / 2), over all or over x > 0.

    By de Bruijn it is the Pfaffian of the integrals of (x^i y^j - x^j y^i) e^(-(x^2 + y^2) / 2) over x < y; for odd n
    with a border of the integrals of x^i e^(-x^2 / 2). In polar coordinates the radius gives a gamma function.
    """
    nodes, weights = np.polynomial.legendre.leggauss(60)
    begin, end = math.pi / 4, math.pi / 2 if positive else 5 * math.pi / 4
    angles, weights = begin + (end - begin) * (nodes + 1) / 2, weights * (end - begin) / 2
    matrix = np.zeros((size + size % 2, size + size % 2))
    for i, j in itertools.combinations(range(size), 2):
        turned = np.cos(angles) ** i * np.sin(angles) ** j - np.cos(angles) ** j * np.sin(angles) ** i
        matrix[i, j] = 2 ** ((i + j) / 2) * math.gamma((i + j) / 2 + 1) * (weights @ turned)
    for i in range(size if size % 2 else 0):
        halves = 1 if positive else 1 + (-1) ** i
        matrix[i, size] = 2 ** ((i - 1) / 2) * math.gamma((i + 1) / 2) * halves
    return _pfaffian(matrix - matrix.T)


def positive_probability(size: int) -> float:
    """Give the exact probability that a matrix of the Gaussian orthogonal ensemble is positive definite."""
    return _ordered_integral(size, True) / _ordered_integral(size, False)


def _share_negative(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    found = minima_saddles.inertia(minima_saddles.linear_network_hessian(points, target))
    return found.negative / points.shape[-1]


def index_loss(size: int = 4, searches: int = 80, samples: int = 300_000, seed: int = 0) -> IndexLoss:
    """Find the critical points of a square linear network twice, and sample random matrices of 1 to 5 rows."""
    generator = np.random.default_rng(seed)
    target = generator.standard_normal((size, size))
    subsets = [kept for count in range(size + 1) for kept in itertools.combinations(range(size), count)]
    known = np.array([minima_saddles.linear_network_critical_point(target, kept, size) for kept in subsets])
    starts = 0.7 * generator.standard_normal((searches, 2 * size * size))
    first = np.linalg.norm(minima_saddles.linear_network_gradient(starts, target), axis=-1)
    ended = minima_saddles.find_critical_points(
        lambda p: minima_saddles.linear_network_gradient(p, target),
        lambda p: minima_saddles.linear_network_hessian(p, target),
        starts,
        steps=60,
        tolerance=1e-9,
    )
    found = ended.points[ended.gradient_norms <= 1e-8 * first]
    sizes = np.arange(1, 6)
    drawn = [minima_saddles.goe_positive_probability(int(n), generator, samples=samples) for n in sizes]
    share, error = np.array(drawn).T
    return IndexLoss(
        minima_saddles.linear_network_loss(known, target),
        _share_negative(known, target),
        minima_saddles.linear_network_loss(found, target),
        _share_negative(found, target),
        sizes,
        share,
        share - 2 * error,
        share + 2 * error,
        np.array([positive_probability(int(n)) for n in sizes]),
        3.0 ** (-(sizes**2) / 4),
    )


def draw_index_loss(numbers: IndexLoss, paper: Paper) -> Figure:
    """Draw the points, and the probabilities on a logarithmic scale."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=300 if paper.wide else 540)
    left, right = axes.flat
    style = {"color": paper.palette.orange, "linestyle": "none", "marker": paper.markers[0], "markersize": 8}
    paper.line(left, numbers, "shares", x="losses", markerfacecolor="none", **style)
    style = {"color": paper.palette.blue, "linestyle": "none", "marker": paper.markers[0], "markersize": 3}
    paper.line(left, numbers, "found_shares", x="found_losses", **style)
    left.set(title="Negative eigenvalues", xlabel="loss at the critical point", ylim=(-0.03, 0.55))
    left.set_yticks([0, 0.25, 0.5], ["0", "25%", "50%"])
    color = paper.palette.blue
    lines = right.vlines(numbers.sizes, numbers.low, numbers.high, color=color)
    paper.mark(lines, "low", x="sizes", upper="high")
    paper.line(right, numbers, "sampled", x="sizes", color=color, linestyle="none", marker=paper.markers[0])
    paper.theory(right, numbers, "exact", x="sizes")
    paper.line(right, numbers, "rate", x="sizes", color=paper.muted, linewidth=1, linestyle=paper.dashes[2])
    right.set(yscale="log", title="Probability of a minimum", xlabel="rows of the matrix", xticks=numbers.sizes)
    right.set_yticks(10.0 ** np.arange(-4, 1))
    right.minorticks_off()
    ends = [numbers.exact[-1], numbers.rate[-1]]
    paper.end_labels(right, numbers.sizes[-1], ends, ("exact", "$3^{-n^2/4}$"), (paper.ink, paper.muted))
    return figure


# --- out of a well ---------------------------------------------------------------------------------------------------


class Well(NamedTuple):
    """Steps until noisy descent first reaches the top of the barrier of a double well.

    Attributes:
        barriers: Heights of the barrier.
        steps: For batches of one size and of twice the size; (batch, quantile, barrier).
        means: Their means; (batch, barrier).
        theory: Kramers' law, for the mean; (batch, barrier).
    """

    barriers: np.ndarray
    steps: np.ndarray
    means: np.ndarray
    theory: np.ndarray


def well(rate: float = 0.02, noise: float = 6.0, runs: int = 150, seed: int = 0) -> Well:
    """Let runs leave wells of several depths, with a batch of one size and of twice the size."""
    barriers = np.linspace(0.5, 1.1, 4)
    noises = (noise, noise / math.sqrt(2))
    taken = np.empty((2, len(barriers), runs))
    for batch, place in np.ndindex(2, len(barriers)):
        height = float(barriers[place])
        taken[batch, place] = minima_saddles.escape_steps(
            lambda p, height=height: 4 * height * p * (p * p - 1),
            lambda p: p[..., 0] <= 0,
            np.ones(1),
            np.random.default_rng([seed, batch, place]),
            learning_rate=rate,
            noise=noises[batch],
            steps=300_000,
            runs=(runs,),
        )
    theory = [[minima_saddles.kramers_steps(float(b), rate, float(s)) for b in barriers] for s in noises]
    return Well(barriers, _quantiles(taken).swapaxes(0, 1), taken.mean(-1), np.array(theory))


def draw_well(numbers: Well, paper: Paper) -> Figure:
    """Draw the steps against the barrier on a logarithmic scale."""
    figure, ((axes,),) = paper.subplots(height=330)
    colors = (paper.palette.orange, paper.palette.blue)
    for batch, color in enumerate(colors):
        paper.band(axes, numbers, f"steps[{batch}, 0]", f"steps[{batch}, 2]", x="barriers", color=color)
        style = {"color": color, "marker": paper.markers[batch], "linestyle": "none"}
        paper.line(axes, numbers, f"means[{batch}]", x="barriers", **style)
        paper.theory(axes, numbers, f"theory[{batch}]", x="barriers", color=color)
    axes.set(yscale="log", title="Steps to the top of the barrier", xlabel="height of the barrier")
    axes.minorticks_off()
    axes.set_xticks(numbers.barriers, [f"{height:.2g}" for height in numbers.barriers])
    paper.end_labels(axes, numbers.barriers[-1], numbers.means[:, -1], ("one batch", "twice the\nbatch"), colors)
    return figure
