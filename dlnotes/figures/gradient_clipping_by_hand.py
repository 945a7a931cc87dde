"""The figure of the chapter on clipping that a reader moves: one start by the cliff, with and without clipping.

In the page docs/assets/js/moving/gradient_clipping.js computes the same; a test holds the two equal, step by step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes.figures import gradient_clipping as figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper

START, THRESHOLD = (4.8, -1.8), 3.0  # with which the figure begins
RATE, LENGTH, STEPS = 0.1, 50, 300
WEIGHTS, BIASES = (4.0, 5.2), (-2.7, -1.6)
CELLS = (44, 60)  # of the map, in b and in w
LEVELS = np.array([0.001, 0.01, 0.03, 0.1, 0.3])  # losses where the shade of the map changes
NEVER = 1e300  # a threshold that no gradient here reaches


class ByHand(NamedTuple):
    """Two descents from one start.

    Attributes:
        shade: How high the loss is in the middle of each cell, from 0, below 0.001, to 5, above 0.3; (b, w).
        weights: Weights for which the wall is drawn.
        wall: The bias on the wall, -w/2.
        plain: The path without clipping up to the first place off the map; (w and b, step).
        clipped: The path with clipping; (w and b, step).
        steps: Steps taken.
        loss: The loss; (without and with clipping, step).
    """

    shade: np.ndarray
    weights: np.ndarray
    wall: np.ndarray
    plain: np.ndarray
    clipped: np.ndarray
    steps: np.ndarray
    loss: np.ndarray


def by_hand() -> ByHand:
    """Map the loss, and descend at rate 0.1."""
    rows, columns = CELLS
    biases = BIASES[0] + (np.arange(rows)[:, None] + 0.5) / rows * (BIASES[1] - BIASES[0])
    weights = WEIGHTS[0] + (np.arange(columns) + 0.5) / columns * (WEIGHTS[1] - WEIGHTS[0])
    shade = np.searchsorted(LEVELS, figures.unit_loss(weights, biases, LENGTH).loss, side="right")
    start = [np.array([one]) for one in START]
    places, losses = [], []
    for bound in (NEVER, THRESHOLD):
        place, loss = figures.descend(*start, RATE, bound, STEPS, LENGTH)
        places.append(place[..., 0])
        losses.append(loss[:, 0])
    low, high = np.array([WEIGHTS, BIASES]).T
    off = ((places[0] < low) | (places[0] > high)).any(-1)
    plain = places[0][: int(np.argmax(off)) + 1] if off.any() else places[0]
    edges = np.array(WEIGHTS)
    return ByHand(shade.astype(float), edges, -edges / 2, plain.T, places[1].T, np.arange(STEPS + 1), np.array(losses))


def draw_by_hand(numbers: ByHand, paper: Paper) -> Figure:
    """Draw the map with the two paths, and the two losses."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=300 if paper.wide else 560)
    left, right = axes.flat
    colors = paper.palette.orange, paper.palette.green
    style = {"cmap": paper.ramp, "vmin": 0, "vmax": len(LEVELS), "interpolation": "nearest"}
    extent = (*WEIGHTS, *BIASES)
    paper.mark(left.imshow(numbers.shade, origin="lower", extent=extent, aspect="auto", **style), "shade")
    paper.theory(left, numbers, "wall", x="weights", linewidth=1.2, path_effects=paper.halo(3))
    for name, color, width in (("clipped", colors[1], 2.2), ("plain", colors[0], 1.2)):  # at first they are the same
        paper.line(
            left, numbers, f"{name}[1]", x=f"{name}[0]", color=color, linewidth=width, path_effects=paper.halo(3)
        )
    paper.line(left, numbers, "plain[1, :1]", x="plain[0, :1]", color=paper.ink, marker="o", linestyle="none")
    left.set(xlim=WEIGHTS, ylim=BIASES, xlabel="weight w", ylabel="bias b", title="Loss, and two descents")
    left.grid(False)
    for which, color in enumerate(colors):
        paper.line(right, numbers, f"loss[{which}]", x="steps", color=color, linestyle=paper.dashes[1 - which])
    right.set(yscale="log", xlabel="step", title="Loss", xlim=(0, STEPS), ylim=(1e-6, 1))
    right.set_yticks([1e-4, 1e-2, 1])
    paper.end_labels(right, STEPS, np.maximum(numbers.loss[:, -1], 6e-6), ("not\nclipped", "clipped"), colors)
    return figure
