"""Dropout beside batch norm: the variance that masks add in training and that is missing at test time.

Two hidden layers, each with batch norm before its ReLU. Dropout stands after the first of them, so that a batch norm
follows it ("before"), or after the second, so that none follows ("after").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dlnotes.figures import dropout_training as digits
from dlnotes.numpy import batch_normalization as norms
from dlnotes.numpy import minibatch, network, objective, training

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper

PLACES = "before", "after"


class Pass(NamedTuple):
    """What a pass in training mode leaves: by layer its input and what batch norm left, and the logits."""

    logits: np.ndarray
    inputs: list[np.ndarray]
    caches: list[norms.BatchNormCache]
    normalized: list[np.ndarray]


def run(parameters: training.Arrays, x: np.ndarray, place: str, factor: np.ndarray | None) -> Pass:
    """Run networks forward as in training, with what dropout multiplies by in its place."""
    inputs, caches, normalized = [x], [], []
    for layer in range(2):
        z = inputs[-1] @ parameters[f"{layer}.weight"].mT
        y, cache = norms.batch_norm(z, parameters[f"{layer}.scale"], parameters[f"{layer}.shift"])
        h = np.maximum(y, 0)
        if factor is not None and PLACES[layer] == place:
            h = h * factor
        inputs.append(h)
        caches.append(cache)
        normalized.append(y)
    logits = inputs[-1] @ parameters["2.weight"].mT + parameters["2.shift"][..., None, :]
    return Pass(logits, inputs, caches, normalized)


def loss_and_gradient(
    parameters: training.Arrays, x: np.ndarray, labels: np.ndarray, place: str, factor: np.ndarray
) -> tuple[np.ndarray, training.Arrays]:
    """Give the loss of networks under given masks, and its gradient."""
    found = run(parameters, x, place, factor)
    value, delta = objective.cross_entropy_with_gradient(found.logits, labels)
    grads = {"2.weight": delta.mT @ found.inputs[2], "2.shift": delta.sum(-2)}
    for layer in (1, 0):
        delta = delta @ parameters[f"{layer + 1}.weight"]
        if PLACES[layer] == place:
            delta *= factor
        delta *= found.normalized[layer] > 0
        back = norms.batch_norm_backward(delta, found.caches[layer])
        delta = back.x
        grads[f"{layer}.scale"], grads[f"{layer}.shift"] = back.scale, back.shift
        grads[f"{layer}.weight"] = delta.mT @ found.inputs[layer]
    return value, grads


@dataclass(frozen=True)
class WithDropout:
    """The gradient for the training loop, as `dropout_training.WithDropout`."""

    p: float
    place: str

    def prepare(self, params: Any, inputs: Any, targets: Any, out: Any, generators: np.ndarray) -> Any:
        """Give each run a generator for its masks, and draw the masks of many steps at a time."""
        own = np.empty(generators.shape, dtype=object)
        own.flat = [generator.spawn(1)[0] for generator in generators.flat]
        width = params["1.weight"].shape[-1]
        drawn: list[np.ndarray] = []

        def gradient(params: training.Arrays, x: np.ndarray, labels: np.ndarray) -> Any:
            if not drawn:
                whole = digits.multipliers((digits.AT_ONCE, x.shape[-2], width), own, self.p)
                drawn.extend(whole[:, step] for step in range(digits.AT_ONCE))
            return loss_and_gradient(params, x, labels, self.place, drawn.pop()[:, : x.shape[-2]])

        return gradient


def start(width: int, seeds: int, seed: int) -> training.Arrays:
    """Draw the weights of the networks; batch norm begins with scale 1 and shift 0."""
    drawn = network.initialize(
        (64, width, width, 10), digits.own_generators(seeds, seed, 2), runs=(seeds,), dtype=np.float32
    )
    weights = {f"{layer}.weight": drawn[f"{2 * layer}.weight"] for layer in range(3)}
    shifts = {f"{layer}.shift": drawn[f"{2 * layer}.bias"] for layer in range(3)}
    scales = {f"{layer}.scale": np.ones_like(shifts[f"{layer}.shift"]) for layer in range(2)}
    return weights | shifts | scales


def fit(given: digits.Task, width: int, p: float, place: str, *, rate: float, steps: int, seed: int) -> training.Arrays:
    """Train one network a seed by SGD with batches of 25."""
    seeds = len(given.inputs)
    return training.train(
        start(width, seeds, seed),
        given.inputs,
        given.labels,
        minibatch.SGD(rate),
        steps=steps,
        batch_size=25,
        generator=digits.own_generators(seeds, seed, 3),
        runs=(seeds,),
        gradient=WithDropout(p, place),
        data_per_run=True,
    ).parameters


class Statistics(NamedTuple):
    """What batch norm keeps for test time, by layer, and the variance that masks add in the second layer."""

    kept: list[norms.RunningStatistics]
    added: np.ndarray


def statistics(
    parameters: training.Arrays, x: np.ndarray, p: float, place: str, draws: int, generators: np.ndarray
) -> Statistics:
    """Give the mean and variance of what batch norm sees of the training data, under masks or, with no draws, without.

    A running average of many batches holds these, but for the batches' noise. The variance that masks add is computed:
    p / (1 - p) sum_k w_jk^2 E h_k^2.
    """
    clean = run(parameters, x, place, None)
    second = np.square(parameters["1.weight"]) @ np.square(clean.inputs[1]).mean(-2)[..., None]
    added = p / (1 - p) * second[..., 0] if place == "before" else np.zeros_like(second[..., 0])
    passes = [clean] if not draws else []
    for _ in range(draws):
        factor = digits.multipliers((x.shape[-2], parameters["1.weight"].shape[-1]), generators, p)
        passes.append(run(parameters, x, place, factor))
    kept = [
        norms.RunningStatistics(
            *(np.mean([getattr(one.caches[layer], name) for one in passes], 0) for name in ("mean", "variance")),
            len(passes),
        )
        for layer in range(2)
    ]
    return Statistics(kept, added)


def predict(parameters: training.Arrays, x: np.ndarray, kept: list[norms.RunningStatistics]) -> np.ndarray:
    """Give the logits at test time: no masks, and the statistics that were kept."""
    h = x
    for layer in range(2):
        z = h @ parameters[f"{layer}.weight"].mT
        y = norms.batch_norm_inference(z, parameters[f"{layer}.scale"], parameters[f"{layer}.shift"], kept[layer])
        h = np.maximum(y, 0)
    return h @ parameters["2.weight"].mT + parameters["2.shift"][..., None, :]


# --- the variance shift ----------------------------------------------------------------------------------------------


class VarianceShift(NamedTuple):
    """What dropout before a batch norm does to the scale that reaches the next layer at test time.

    Attributes:
        rates: Probability of dropping a unit, p.
        steps: Steps trained: few and ten times as many.
        ratios: Deviation without masks over the deviation that batch norm keeps, mean over units;
            (length, quantile, rate).
        predicted: The same from the weights, by the formula, median over seeds; (length, rate).
        losses: Test loss less that of the same network with statistics taken without masks; (length, quantile, rate).
    """

    rates: np.ndarray
    steps: np.ndarray
    ratios: np.ndarray
    predicted: np.ndarray
    losses: np.ndarray


def variance_shift(
    width: int = 48, examples: int = 250, steps: int = 1000, rate: float = 0.1, seeds: int = 4, seed: int = 0
) -> VarianceShift:
    """Train networks with dropout before a batch norm, and take its statistics with masks and without."""
    given, ps = digits.task(examples, seeds, seed), np.array([0.25, 0.5, 0.75])
    short = max(1, steps // 10)
    ratios, predicted, losses = np.empty((3, 2, seeds, len(ps)))
    for k, p in enumerate(ps):
        for length, count in enumerate((short, 10 * short)):
            params = fit(given, width, float(p), "before", rate=rate, steps=count, seed=seed)
            on, off = with_and_without(params, given, float(p), seed)
            scores = [predict(params, given.test_inputs, each.kept) for each in (on, off)]
            shifted, right = (objective.cross_entropy(each, given.test_labels) for each in scores)
            losses[length, :, k] = shifted - right
            clean = off.kept[1].variance
            ratios[length, :, k] = np.sqrt(clean / on.kept[1].variance).mean(-1)
            predicted[length, :, k] = np.sqrt(clean / (clean + on.added)).mean(-1)
    return VarianceShift(
        ps,
        np.array([short, 10 * short]),
        np.moveaxis(digits.quantiles(ratios, 1), 0, 1),
        np.median(predicted, axis=1),
        np.moveaxis(digits.quantiles(losses, 1), 0, 1),
    )


def with_and_without(
    parameters: training.Arrays, given: digits.Task, p: float, seed: int
) -> tuple[Statistics, Statistics]:
    """Give the statistics of trained networks with dropout before a batch norm, over 10 masks and without masks."""
    seeds = len(given.inputs)
    return tuple(
        statistics(parameters, given.inputs, p, "before", draws, digits.own_generators(seeds, seed, 4))
        for draws in (10, 0)
    )


def draw_variance_shift(numbers: VarianceShift, paper: Paper) -> Figure:
    """Draw the ratio of the deviations, and what it does to the test loss."""
    shape = (1, 2) if paper.wide else (2, 1)
    figure, axes = paper.subplots(*shape, height=320 if paper.wide else 580)
    left, right = axes.flat
    blue, orange = paper.palette.blue, paper.palette.orange
    left.set(xlabel="rate of dropout p", title="Deviation at test time over that kept", ylim=(0.4, 1), xlim=(0.2, 0.8))
    for length, color in enumerate((blue, orange)):
        paper.band(left, numbers, f"ratios[{length}, 0]", f"ratios[{length}, 2]", x="rates", color=color)
        marker = paper.markers[length]
        paper.line(left, numbers, f"ratios[{length}, 1]", x="rates", color=color, marker=marker, linestyle="none")
        paper.theory(left, numbers, f"predicted[{length}]", x="rates")
        style = {"color": color, "marker": paper.markers[length], "linestyle": paper.dashes[length]}
        paper.band(right, numbers, f"losses[{length}, 0]", f"losses[{length}, 2]", x="rates", color=color)
        paper.line(right, numbers, f"losses[{length}, 1]", x="rates", **style)
    paper.guide(right.axhline(0, color=paper.muted, linewidth=1))
    right.set(xlabel="rate of dropout p", title="Test loss that the shift adds", xlim=(0.2, 0.8), ylim=(-0.1, 0.46))
    for own, ticks in ((left, (0.4, 0.6, 0.8, 1)), (right, (0, 0.2, 0.4))):
        own.set_xticks([0.25, 0.5, 0.75])
        own.set_yticks(ticks)
    for length, (color, dy) in enumerate(((blue, 18), (orange, -18))):
        text = paper.label(
            right, 0.5, numbers.losses[length, 1, 1], f"{numbers.steps[length]} steps", color=color, dy=dy, ha="right"
        )
        paper.mark(text, f"steps[{length}]")
    return figure
