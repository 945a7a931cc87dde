"""Figure of the chapter on the objective: calibration, whether networks are right as often as they say."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes.figures import objective_training as learning
from dlnotes.numpy import adaptive_methods, network, objective, training

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper


# --- calibration -----------------------------------------------------------------------------------------------------


class Calibration(NamedTuple):
    """How often networks on digits are right when they are so sure.

    Attributes:
        confidence: Mean of the largest probability in ten bins of equally many test examples, pooled over runs;
            (variant, bin): cross-entropy, the same at its temperature, smoothed labels.
        accuracy: Share of right predictions there.
        spread: That share less and plus two standard errors; (variant, side, bin).
        likelihood: Median over runs of the test cross-entropy; (variant,).
        temperature: Median of the temperatures.
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    spread: np.ndarray
    likelihood: np.ndarray
    temperature: np.ndarray


def smoothed(share: float) -> object:
    """Give cross-entropy with targets that keep 1 - share and spread the rest over all classes, and its gradient."""

    def loss(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        logarithms = objective.log_softmax(logits)
        targets = (1 - share) * learning.one_hot(labels) + share / logits.shape[-1]
        value = -(targets * logarithms).sum(-1).mean(-1)
        return value, (np.exp(logarithms) - targets) / logits.shape[-2]

    return loss


TEMPERATURES = np.geomspace(0.25, 8, 81)


def best_temperature(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Give each run the temperature on a grid at which the cross-entropy of its logits is least."""
    losses = np.stack([objective.cross_entropy(logits / temperature, labels) for temperature in TEMPERATURES])
    return TEMPERATURES[losses.argmin(0)]


def calibration(
    examples: int = 200, held_out: int = 500, hidden: int = 64, seeds: int = 8, steps: int = 500, seed: int = 0
) -> Calibration:
    """Train with hard and with smoothed labels, and fit the temperature on examples held out for it."""
    inputs, labels = learning._digits()
    parts = learning._dealt(inputs, labels, [examples, held_out], seeds, seed)
    (x, y), (x_held, y_held), (x_test, y_test) = parts
    start = network.initialize([x.shape[-1], hidden, learning.CLASSES], np.random.default_rng(seed + 1), runs=(seeds,))
    variants = []
    for share in (0.0, 0.1):
        loss = smoothed(share)
        trained = training.train(
            start,
            x,
            y,
            adaptive_methods.Adam(0.003),
            steps=steps,
            runs=(seeds,),
            data_per_run=True,
            gradient=lambda *batch, loss=loss: network.loss_and_gradient(*batch, loss=loss),
        ).parameters
        variants.append(network.forward(trained, x_test)[0])
        if not share:
            temperature = best_temperature(network.forward(trained, x_held)[0], y_held)
            variants.append(variants[0] / temperature[:, None, None])
    numbers = [reliability(logits, y_test) for logits in variants]
    likelihood = [np.median(objective.cross_entropy(logits, y_test)) for logits in variants]
    return Calibration(
        *(np.stack(each) for each in zip(*numbers, strict=True)), np.array(likelihood), np.median(temperature)
    )


def reliability(logits: np.ndarray, labels: np.ndarray, bins: int = 10) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sort the predictions of all runs by confidence into bins of equal size: mean confidence, accuracy, spread."""
    confidence = objective.softmax(logits).max(-1).reshape(-1)
    right = (logits.argmax(-1) == labels).reshape(-1)
    order = np.array_split(np.argsort(confidence, kind="stable"), bins)
    accuracy = np.array([right[part].mean() for part in order])
    error = np.array([np.sqrt(right[part].var() / len(part)) for part in order])
    return (
        np.array([confidence[part].mean() for part in order]),
        accuracy,
        np.clip(accuracy + 2 * np.stack((-error, error)), 0, 1),
    )


def draw_calibration(numbers: Calibration, paper: Paper) -> Figure:
    """Draw the accuracy over the confidence, with the diagonal of honest confidence."""
    figure, ((axes,),) = paper.subplots(height=400)
    names = ("cross-entropy", f"at temperature {numbers.temperature:.2f}", "smoothed labels")
    colors = (paper.palette.orange, paper.palette.blue, paper.palette.green)
    paper.guide(axes.plot((0.3, 1), (0.3, 1), color=paper.muted, linewidth=0.8)[0])
    for row, color in enumerate(colors):
        ends = (paper.value(numbers, f"spread[{row}, {side}]") for side in (0, 1))
        lines = axes.vlines(numbers.confidence[row], *ends, color=color, linewidth=1)
        paper.mark(lines, f"spread[{row}, 0]", x=f"confidence[{row}]", upper=f"spread[{row}, 1]")
        style = {"color": color, "marker": paper.markers[row], "linestyle": paper.dashes[row], "linewidth": 1}
        paper.line(axes, numbers, f"accuracy[{row}]", x=f"confidence[{row}]", **style)
    axes.set(xlabel="confidence", title="Share of right predictions", xlim=(0.3, 1.01), ylim=(0.3, 1.04))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks([0.4, 0.6, 0.8, 1], ["40%", "60%", "80%", "100%"])
    for row, (name, color) in enumerate(zip(names, colors, strict=True)):
        style = {"color": color, "ha": "right"}
        label = paper.label(axes, 1.0, 0.52 - 0.05 * row, name, dx=-60, **style)
        if row == 1:
            paper.mark(label, "temperature")
        text = f"loss {numbers.likelihood[row]:.2f}"
        paper.mark(paper.label(axes, 1.0, 0.52 - 0.05 * row, text, **style), f"likelihood[{row}]")
    return figure
