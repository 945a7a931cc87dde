"""The figure of the chapter on initialization that a reader moves: a signal, a gradient and two inputs through depth.

In the page docs/assets/js/moving/initialization.js computes the same from the reader's setting; a test holds the two
equal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes.numpy import initialization

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper

ACTIVATION, VARIANCE, CORRELATION, LAYERS = "relu", 2.0, 0.0, 30  # with which the figure begins


class ByHand(NamedTuple):
    """What wide layers of random weights do to a signal, a gradient and the correlation of two inputs.

    Attributes:
        layers: Layers passed.
        signal: Mean square of the pre-activations, 1 at the start.
        gradient: Mean square of a gradient in them, 1 at the last layer.
        correlation: Of the pre-activations for two inputs.
    """

    layers: np.ndarray
    signal: np.ndarray
    gradient: np.ndarray
    correlation: np.ndarray


def through(activation: str, variance: float, correlation: float, layers: int) -> ByHand:
    """Go forward by the two maps, and back by the mean square slopes; the weights have the variance `variance` / n."""
    q, c = [1.0], [correlation]
    for _ in range(layers):
        c.append(min(1.0, float(initialization.correlation_map(activation, c[-1], q[-1]))))
        q.append(variance * float(initialization.second_moment_map(activation, q[-1])))
    factors = variance * initialization.slope_moment(activation, np.array(q[:-1]))
    gradient = np.append(np.cumprod(factors[::-1])[::-1], 1)
    return ByHand(np.arange(layers + 1), np.array(q), gradient, np.array(c))


def by_hand() -> ByHand:
    """Go through 30 layers of ReLU."""
    return through(ACTIVATION, VARIANCE, CORRELATION, LAYERS)


def draw_by_hand(numbers: ByHand, paper: Paper) -> Figure:
    """Draw the two mean squares, and the correlation."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=300 if paper.wide else 560)
    sizes, alike = axes.flat
    colors = (paper.palette.blue, paper.palette.orange)
    for name, color, dash, width in zip(("signal", "gradient"), colors, paper.dashes, (2.4, 1.6), strict=False):
        paper.line(sizes, numbers, name, x="layers", color=color, linestyle=dash, linewidth=width)
    for name, color, height in zip(("signal", "gradient"), colors, (1e-5, 1e-7), strict=True):
        paper.label(sizes, 0, height, name, dx=6, color=color)
    sizes.set(yscale="log", ylim=(1e-8, 1e8), title="Mean squares")
    sizes.set_yticks([1e-8, 1e-4, 1, 1e4, 1e8])
    style = {"color": paper.palette.green, "marker": "o", "markersize": 3}
    paper.line(alike, numbers, "correlation", x="layers", **style)
    alike.set(ylim=(-0.04, 1.04), title="Correlation of two inputs")
    alike.set_yticks([0, 0.5, 1])
    for one in (sizes, alike):
        one.set(xlim=(-1.5, 50), xlabel="layer")
        paper.guide(one.axhline(1, color=paper.ink, linewidth=0.8, linestyle=paper.dashes[1], zorder=0))
    return figure
