"""The figure of the chapter on momentum for which networks are trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import datasets
from dlnotes.numpy import momentum, network, training

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper


class Batches(NamedTuple):
    """Training loss on digits after a fixed number of steps, over the effective rate, with small and with full batches.

    Attributes:
        effective: learning_rate / (1 - beta).
        losses: Loss over all training examples, the mean of the last four measurements, ten steps apart;
            (batch, beta, quantile, rate). The quantiles over seeds are the least, the median and the largest.
    """

    effective: np.ndarray
    losses: np.ndarray


BETAS = (0.0, 0.9)
EFFECTIVE = 0.05 * 2.0 ** np.arange(10)  # the last is too large for both
LEFT = {"dx": -8, "ha": "right"}
LABELS = (((4, LEFT), (4, {"dx": 8})), ((6, LEFT), (7, LEFT | {"dy": -6})))  # of a panel, of a beta: at which rate
CEILING = 10.0  # what is larger, or no number, is drawn as this


def losses_after(
    size: int | None, examples: int = 200, hidden: int = 32, steps: int = 160, seeds: int = 8, seed: int = 0
) -> np.ndarray:
    """Train a tanh network of one hidden layer under each effective rate and beta, from the same starts.

    From one start, each run draws the same batches with a generator of its own.

    Args:
        size: Examples in a batch; None for all of them.
        examples: Digits to train on.
        hidden: Hidden units.
        steps: Steps of training.
        seeds: Starts.
        seed: Which starts and batches are drawn.

    Returns:
        The losses as in `Batches`, without its first axis.
    """
    digits = datasets.digits()
    inputs = ((digits.inputs[:examples] - 8) / 8).astype(np.float32)
    targets = digits.targets[:examples]
    runs = (len(BETAS), len(EFFECTIVE), seeds)
    beta = np.broadcast_to(np.array(BETAS)[:, None, None], runs)
    rate = np.asarray(EFFECTIVE)[:, None] * (1 - beta)
    generators = np.array(np.random.default_rng(seed).spawn(seeds))
    own = np.array([np.random.default_rng([seed, place[-1]]) for place in np.ndindex(runs)]).reshape(runs)
    start = network.initialize([64, hidden, 10], generators, runs=(seeds,), dtype=np.float32)
    start = {name: np.broadcast_to(value, (*runs, *value.shape[1:])).copy() for name, value in start.items()}

    def gradient(*batch: object) -> network.LossAndGradient:
        return network.loss_and_gradient(*batch, "tanh")

    with np.errstate(over="ignore", invalid="ignore"):
        trained = training.train(
            start, inputs, targets, momentum.Momentum(rate, beta), steps=steps, batch_size=size, generator=own,
            runs=runs, gradient=gradient, measure_every=10,
            measure=lambda params: {"loss": gradient(params, inputs, targets).loss},
        )  # fmt: skip
    ends = trained.measures["loss"][..., -4:].mean(-1)
    ends = np.where(np.isfinite(ends), np.minimum(ends, CEILING), CEILING)
    return np.quantile(ends, (0, 0.5, 1), axis=-1).swapaxes(0, 1)


def batches(
    examples: int = 200, small: int = 4, hidden: int = 32, steps: int = 160, seeds: int = 8, seed: int = 0
) -> Batches:
    """Train with small batches and with all examples."""
    losses = [losses_after(size, examples, hidden, steps, seeds, seed) for size in (small, None)]
    return Batches(np.asarray(EFFECTIVE), np.array(losses))


def draw_batches(numbers: Batches, paper: Paper) -> Figure:
    """Draw the loss over the effective rate, one panel for each size of the batch."""
    figure, axes = paper.subplots(*((1, 2) if paper.wide else (2, 1)), height=310 if paper.wide else 560, sharey=True)
    colors = (paper.palette.orange, paper.palette.blue)
    for place, (own, title) in enumerate(zip(axes.flat, ("Batches of four", "All examples"), strict=True)):
        for row, color in enumerate(colors):
            name = f"losses[{place}, {row}"
            paper.band(own, numbers, f"{name}, 0]", f"{name}, 2]", x="effective", color=color)
            style = {"color": color, "linestyle": paper.dashes[row], "marker": paper.markers[row]}
            paper.line(own, numbers, f"{name}, 1]", x="effective", **style)
        own.set(xscale="log", yscale="log", xlabel="effective rate", title=f"{title}: training loss")
        own.minorticks_off()
        own.set_xticks([0.1, 1, 10], ["0.1", "1", "10"])
        own.set(ylim=(5e-5, 15))
        own.set_yticks([0.0001, 0.001, 0.01, 0.1, 1, 10], ["0.0001", "0.001", "0.01", "0.1", "1", "10"])
        for row, (column, moved) in enumerate(LABELS[place]):
            at = numbers.effective[column], numbers.losses[place, row, 1, column]
            paper.label(own, *at, f"beta {BETAS[row]:g}", color=colors[row], **moved)
    return figure
