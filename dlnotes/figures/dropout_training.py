"""Training with dropout on digits: what the figures of the chapter on dropout share, and test error over the rate.

Networks with ReLU in their hidden layers and dropout after each of them. Settings are compared in pairs: with one seed
the starting weights and the batches are the same at every rate. Quantiles are 10%, 50% and 90%, and stand on an axis of
three in this order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dlnotes import datasets, optimizers
from dlnotes.numpy import dropout, minibatch, network, objective, training, weight_penalties

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper


def quantiles(values: np.ndarray, axis: int = -1) -> np.ndarray:
    """Give the 10%, 50% and 90% quantiles over an axis, on the first axis."""
    return np.quantile(values, (0.1, 0.5, 0.9), axis=axis)


class Pass(NamedTuple):
    """A forward pass: the logits, and by layer what it took and what it gave before the ReLU."""

    logits: np.ndarray
    inputs: list[np.ndarray]
    preactivations: list[np.ndarray]


def multipliers(shape: tuple[int, ...], generators: np.ndarray, p: float) -> np.ndarray:
    """Draw what dropout multiplies by, 0 or 1 / (1 - p), for runs that have a generator each; (*runs, *shape)."""
    mask = dropout.dropout_mask(shape, generators, p, runs=generators.shape)
    return dropout.dropout(np.ones(mask.shape, np.float32), mask, p)


def run(parameters: training.Arrays, x: np.ndarray, factors: Sequence[np.ndarray] | None = None) -> Pass:
    """Run networks forward; `factors` are the multipliers after each hidden layer, by default none."""
    inputs, preactivations = [x], []
    for layer, name in enumerate(network.layer_names(parameters)):
        if layer:
            inputs.append(np.maximum(preactivations[-1], 0))
            if factors is not None:
                inputs[-1] *= factors[layer - 1]
        weight, bias = parameters[f"{name}.weight"], parameters[f"{name}.bias"]
        preactivations.append(inputs[-1] @ weight.mT + bias[..., None, :])
    return Pass(preactivations[-1], inputs, preactivations)


def loss_and_gradient(
    parameters: training.Arrays, x: np.ndarray, labels: np.ndarray, factors: Sequence[np.ndarray]
) -> tuple[np.ndarray, training.Arrays]:
    """Give the loss of networks under given masks, and its gradient: back through the same multipliers."""
    found = run(parameters, x, factors)
    value, delta = objective.cross_entropy_with_gradient(found.logits, labels)
    grads, names = {}, network.layer_names(parameters)
    for layer in reversed(range(len(names))):
        weight = parameters[f"{names[layer]}.weight"]
        back = network.dense_backward(delta, found.inputs[layer], weight, with_inputs=layer > 0)
        grads[f"{names[layer]}.weight"], grads[f"{names[layer]}.bias"] = back.weight, back.bias
        if layer:
            delta = back.inputs * factors[layer - 1]
            delta *= found.preactivations[layer - 1] > 0
    return value, grads


AT_ONCE = 50  # steps for which masks are drawn in one call


@dataclass(frozen=True)
class WithDropout:
    """The gradient for the training loop; masks come from a child of each run's generator, so batches stay the same."""

    p: float

    def prepare(self, params: Any, inputs: Any, targets: Any, out: Any, generators: np.ndarray) -> Any:
        """Give each run a generator for its masks, and draw the masks of many steps at a time."""
        own = np.empty(generators.shape, dtype=object)
        own.flat = [generator.spawn(1)[0] for generator in generators.flat]
        widths = [params[f"{name}.weight"].shape[-2] for name in network.layer_names(params)[:-1]]
        drawn: list[list[np.ndarray]] = []

        def gradient(params: training.Arrays, x: np.ndarray, labels: np.ndarray) -> Any:
            if not drawn:
                whole = [multipliers((AT_ONCE, x.shape[-2], width), own, self.p) for width in widths]
                drawn.extend([each[:, step] for each in whole] for step in range(AT_ONCE))
            factors = drawn.pop()
            # The last batch of an epoch may be smaller.
            return loss_and_gradient(params, x, labels, [each[:, : x.shape[-2]] for each in factors])

        return gradient


class Task(NamedTuple):
    """Digits to train on, dealt out anew for each seed, and those to test on, the same for all."""

    inputs: np.ndarray
    labels: np.ndarray
    test_inputs: np.ndarray
    test_labels: np.ndarray


def task(train: int, seeds: int, seed: int, *, wrong: float = 0.0, test: int = 797) -> Task:
    """Put some digits aside to test on, and deal out the others; pixels from -1 to 1, in single precision.

    A share `wrong` of the labels to train on is replaced by another class, drawn at random.
    """
    digits = datasets.digits(np.float32)
    inputs, labels = (digits.inputs - 8) / 8, digits.targets
    order = np.random.default_rng([seed, 0]).permutation(len(labels))
    aside, others = order[:test], order[test:]
    generators = own_generators(seeds, seed, 1)
    dealt = np.stack([generator.permutation(others)[:train] for generator in generators])
    moves = np.stack([generator.integers(1, 10, train) for generator in generators])
    moves[:, round(wrong * train) :] = 0
    return Task(inputs[dealt], (labels[dealt] + moves) % 10, inputs[aside], labels[aside])


def own_generators(seeds: int, seed: int, part: int) -> np.ndarray:
    """Give each run a generator of its own, the same at every call."""
    own = np.empty(seeds, dtype=object)
    own[:] = [np.random.default_rng([seed, part, one]) for one in range(seeds)]
    return own


def error(parameters: training.Arrays, x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Give the share of wrong answers of each run, without dropout."""
    return (run(parameters, x).logits.argmax(-1) != labels).mean(-1)


def loss(parameters: training.Arrays, x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Give the cross-entropy of each run, without dropout."""
    return objective.cross_entropy(run(parameters, x).logits, labels)


def fit(
    given: Task,
    sizes: Sequence[int],
    p: float,
    *,
    rate: float = 0.1,
    steps: int,
    seed: int,
    every: int | None = None,
    batch: int = 32,
    decay: float = 0.0,
) -> training.Training:
    """Train one network a seed by SGD with dropout, and measure its error and its loss without dropout."""
    seeds = len(given.inputs)

    def measure(params: training.Arrays) -> dict[str, np.ndarray]:
        of_test = params, given.test_inputs, given.test_labels
        return {"error": error(*of_test), "loss": loss(*of_test)}

    sgd = minibatch.SGD(rate)
    return training.train(
        network.initialize(sizes, own_generators(seeds, seed, 2), runs=(seeds,), dtype=np.float32),
        given.inputs,
        given.labels,
        optimizers.chain(weight_penalties.PenaltyGradient(l2=decay), sgd) if decay else sgd,
        steps=steps,
        batch_size=batch,
        generator=own_generators(seeds, seed, 3),
        runs=(seeds,),
        gradient=WithDropout(p),
        data_per_run=True,
        measure=measure,
        measure_every=every or max(steps, 1),
    )


# --- test error over the rate ----------------------------------------------------------------------------------------


class Rates(NamedTuple):
    """Error on test digits over the rate of dropout, for a small and a large network, with right and wrong labels.

    Attributes:
        rates: Probability of dropping a unit, p.
        wrong: Share of the training labels that are wrong.
        widths: Hidden units.
        steps: Steps trained: few and ten times as many.
        errors: Share of wrong answers; (wrong, width, length, quantile, rate).
    """

    rates: np.ndarray
    wrong: np.ndarray
    widths: np.ndarray
    steps: np.ndarray
    errors: np.ndarray


def rates(
    widths: tuple[int, int] = (8, 64),
    examples: int = 250,
    steps: int = 400,
    rate: float = 0.1,
    seeds: int = 5,
    seed: int = 0,
) -> Rates:
    """Train networks with one hidden layer at each rate of dropout."""
    ps, wrong = np.array([0, 0.25, 0.5, 0.75, 0.9]), np.array([0, 0.2])
    short = max(1, steps // 10)
    found = np.empty((2, 2, 2, seeds, len(ps)))
    for i, share in enumerate(wrong):
        given = task(examples, seeds, seed, wrong=float(share))
        for j, width in enumerate(widths):
            for k, p in enumerate(ps):
                done = fit(
                    given, (64, width, 10), float(p), rate=rate, steps=short * 10, seed=seed, every=short, batch=25
                )
                found[i, j, :, :, k] = done.measures["error"][:, [1, -1]].T
    errors = np.moveaxis(quantiles(found, -2), 0, -2)
    return Rates(ps, wrong, np.array(widths), np.array([short, 10 * short]), errors)


def draw_rates(numbers: Rates, paper: Paper) -> Figure:
    """Draw the errors, with right labels and with some wrong ones."""
    shape = (1, 2) if paper.wide else (2, 1)
    figure, axes = paper.subplots(*shape, height=340 if paper.wide else 620, sharey=True)
    colors = paper.palette.orange, paper.palette.blue
    lines = ((0, 1, colors[0], 0, "o"), (1, 1, colors[1], 0, "s"), (1, 0, colors[1], 1, "^"))
    for panel, own in enumerate(axes.flat):
        for width, length, color, dashes, marker in lines:
            place = f"errors[{panel}, {width}, {length}"
            paper.band(own, numbers, f"{place}, 0]", f"{place}, 2]", x="rates", color=color)
            style = {"color": color, "linestyle": paper.dashes[dashes], "marker": marker}
            paper.line(own, numbers, f"{place}, 1]", x="rates", **style)
        title = "Labels right" if panel == 0 else f"{numbers.wrong[1]:.0%} of the labels wrong"
        own.set(yscale="log", xlabel="rate of dropout p", ylim=(0.03, 1), xlim=(-0.03, 0.93))
        written = own.set_title(title)
        if panel:
            paper.mark(written, "wrong[1]")
        own.set_yticks([0.05, 0.1, 0.2, 0.5, 1], ["5%", "10%", "20%", "50%", "100%"])
        own.minorticks_off()
    first = axes.flat[0]
    words = (
        ("widths[0]", "units", (0, 1, 3), colors[0], {"dx": -12, "dy": 8, "ha": "right"}),
        ("widths[1]", "units", (1, 1, 1), colors[1], {"dy": -16}),
        ("steps[0]", "steps", (1, 0, 3), colors[1], {"dx": 4, "dy": -24}),
    )
    for reference, word, (width, length, place), color, options in words:
        point = numbers.rates[place], numbers.errors[0, width, length, 1, place]
        text = f"{paper.value(numbers, reference)} {word}"
        paper.mark(paper.label(first, *point, text, color=color, **options), reference)
    return figure


# --- removing units --------------------------------------------------------------------------------------------------

CASES = {"plain": {}, "weight decay": {"decay": 0.01}, "dropout": {"p": 0.5}}


class Removed(NamedTuple):
    """What removing hidden units does to networks trained without dropout, with weight decay, and with dropout.

    Attributes:
        shares: Share of the hidden units that are removed.
        errors: Error on test digits with so many removed, the others scaled up, after the many steps;
            (case, quantile, share).
        units: Share of the units, those whose removal changes the test loss most first.
        lorenz: Their part of all that single removals change the loss by, median over seeds; (case, length, unit).
    """

    shares: np.ndarray
    errors: np.ndarray
    units: np.ndarray
    lorenz: np.ndarray


def single_removals(parameters: training.Arrays, x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Give by how much the loss rises when one hidden unit is removed; (run, unit)."""
    found = run(parameters, x)
    base = objective.cross_entropy(found.logits, labels)
    h, weight = found.inputs[1], parameters["2.weight"]
    rises = [
        objective.cross_entropy(found.logits - h[..., unit, None] * weight[..., None, :, unit], labels) - base
        for unit in range(h.shape[-1])
    ]
    return np.stack(rises, axis=-1)


def error_with_removed(
    parameters: training.Arrays, x: np.ndarray, labels: np.ndarray, share: float, generator: np.random.Generator
) -> np.ndarray:
    """Give the error of each run when a share of its hidden units is gone and the others are scaled up, 8 draws."""
    h, weight = run(parameters, x).inputs[1], parameters["2.weight"]
    units, found = h.shape[-1], []
    gone = round(share * units)
    for _ in range(8):
        kept = np.full(units, units / (units - gone), h.dtype)
        kept[generator.permutation(units)[:gone]] = 0
        logits = (h * kept) @ weight.mT + parameters["2.bias"][..., None, :]
        found.append((logits.argmax(-1) != labels).mean(-1))
    return np.mean(found, axis=0)


def parts_of_change(changes: np.ndarray) -> np.ndarray:
    """Give the part of all changes that the largest, the two largest and so on make up; a fall counts by its size.

    After long training many removals lower the loss. With falls taken as 0 the rises that are left would look uneven.
    """
    ordered = np.sort(np.abs(changes), axis=-1)[..., ::-1]
    return np.cumsum(ordered, axis=-1) / ordered.sum(-1, keepdims=True)


def removed(units: int = 64, examples: int = 250, steps: int = 2000, seeds: int = 5, seed: int = 0) -> Removed:
    """Train networks in each of the cases, then remove their hidden units: some at random, and each alone."""
    given, shares = task(examples, seeds, seed), np.array([0, 0.25, 0.5, 0.75, 0.875])
    short = max(1, steps // 10)
    of_test = given.test_inputs, given.test_labels
    errors, parts = [], []
    for options in CASES.values():
        kept = {"p": 0.0, "seed": seed, "batch": 25, **options}
        trained = [fit(given, (64, units, 10), steps=count, **kept).parameters for count in (short, 10 * short)]
        errors.append(
            [error_with_removed(trained[1], *of_test, share, np.random.default_rng([seed, 4])) for share in shares]
        )
        parts.append([parts_of_change(single_removals(params, *of_test)) for params in trained])
    return Removed(
        shares,
        np.moveaxis(quantiles(np.array(errors)), 0, 1),
        np.arange(1, units + 1) / units,
        np.median(parts, axis=2),
    )


def draw_removed(numbers: Removed, paper: Paper) -> Figure:
    """Draw the error over the share removed, and how the changes are shared among the units."""
    shape = (1, 2) if paper.wide else (2, 1)
    figure, axes = paper.subplots(*shape, height=340 if paper.wide else 620)
    left, right = axes.flat
    colors = paper.palette.orange, paper.palette.green, paper.palette.blue
    for case, color in enumerate(colors):
        style = {"color": color, "linestyle": paper.dashes[case]}
        paper.band(left, numbers, f"errors[{case}, 0]", f"errors[{case}, 2]", x="shares", color=color)
        paper.line(left, numbers, f"errors[{case}, 1]", x="shares", marker=paper.markers[case], **style)
        paper.line(right, numbers, f"lorenz[{case}, 1]", x="units", **style)
    paper.guide(right.plot([0, 1], [0, 1], color=paper.muted, linewidth=1, linestyle=paper.dashes[1])[0])
    left.set(xlabel="share of the units removed", title="Error on test digits", ylim=(0, 0.85))
    left.set_yticks([0, 0.2, 0.4, 0.6, 0.8], ["0", "20%", "40%", "60%", "80%"])
    right.set(
        xlabel="share of the units, the weightiest first", title="Their part of all changes of the loss", ylim=(0, 1.05)
    )
    right.set_yticks([0, 0.5, 1], ["0", "50%", "100%"])
    words = zip(
        ("plain", "decay", "dropout"), (1, 2, 3), (-6, 10, 10), (14, -6, 0), ("right", "left", "left"), strict=True
    )
    for case, (name, place, dx, dy, ha) in enumerate(words):
        point = numbers.shares[place], numbers.errors[case, 1, place]
        paper.label(left, *point, name, color=colors[case], dx=dx, dy=dy, ha=ha)
    paper.label(right, 0.62, 0.42, "all alike", color=paper.muted, ha="left")
    return figure
