"""A training script on digits, ten faults planted in it, and more."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import datasets
from dlnotes.numpy import activations, checklist, minibatch, momentum, network, objective

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlnotes.figures.paper import Paper

Arrays = dict[str, np.ndarray]
SIZES = (64, 50, 10)
RATE = 0.1


class Fault(NamedTuple):
    """A mistake, and the check that is to name it.

    Attributes:
        words: What was done.
        check: The check expected to fail first; "" where nobody said.
        plant: `(script, data, generator) -> (script, data)`.
    """

    words: str
    check: str
    plant: Callable


def script(rate: float = RATE, sizes: tuple[int, ...] = SIZES) -> checklist.Plain:
    """Make the healthy script: a ReLU network under He's start, trained by SGD."""
    return checklist.Plain(
        start=lambda generator: network.initialize(sizes, generator),
        forward=lambda parameters, x: network.forward(parameters, x)[0],
        loss_and_gradient=lambda parameters, x, y: network.loss_and_gradient(parameters, x, y),
        optimizer=lambda factor: minibatch.SGD(rate * factor),
    )


def data(seed: int, train: int = 500, held_out: int = 200) -> checklist.Data:
    """Deal digits into rows to train on and rows held out, with pixels from -1 to 1."""
    digits = datasets.digits()
    parts = datasets.split(digits, (train, held_out), np.random.default_rng(seed))
    (x, y), (held_x, held_y) = (((part.inputs - 8) / 8, part.targets) for part in parts[:2])
    return checklist.Data(x, y, held_x, held_y)


# --- ten faults


def _labels_shuffled(made, rows, generator):
    return made, rows._replace(targets=generator.permutation(rows.targets))


def _rows_in_both(made, rows, generator):
    x, y = rows.held_inputs.copy(), rows.held_targets.copy()
    x[:50], y[:50] = rows.inputs[:50], rows.targets[:50]
    return made, rows._replace(held_inputs=x, held_targets=y)


def _not_scaled(made, rows, generator):
    x, held = ((part * 8 + 8) * 16 for part in (rows.inputs, rows.held_inputs))
    return made, rows._replace(inputs=x, held_inputs=held)


def _summed(made, rows, generator):
    def gradient(parameters, x, y):
        loss, grads = network.loss_and_gradient(parameters, x, y)
        return loss * len(y), {name: g * len(y) for name, g in grads.items()}

    made.loss_and_gradient = gradient
    return made, rows


def _softmax_twice(made, rows, generator):
    def loss(logits, y):
        p = objective.softmax(logits)
        value, back = objective.cross_entropy_with_gradient(p, y)
        return value, p * (back - (back * p).sum(axis=-1, keepdims=True))

    made.forward = lambda parameters, x: objective.softmax(network.forward(parameters, x)[0])
    made.loss_and_gradient = lambda parameters, x, y: network.loss_and_gradient(parameters, x, y, loss=loss)
    return made, rows


def _over_the_batch(made, rows, generator):
    # The logits are centered over the batch, axis 0, where over the classes, axis 1, was meant.
    made.forward = lambda parameters, x: (z := network.forward(parameters, x)[0]) - z.mean(axis=0)
    return made, rows


def _not_zeroed(made, rows, generator):
    kept: Arrays = {}

    def gradient(parameters, x, y):
        loss, grads = network.loss_and_gradient(parameters, x, y)
        for name, g in grads.items():
            kept[name] = kept.get(name, 0) + g
        return loss, dict(kept)

    made.loss_and_gradient = gradient
    return made, rows


def _slope_forgotten(made, rows, generator):
    # The backward pass forgets the ReLU: where it gives 0, the gradient goes through.
    leaky = activations.lookup("relu")._replace(slope=lambda z: np.ones_like(z))
    made.loss_and_gradient = lambda parameters, x, y: network.loss_and_gradient(parameters, x, y, leaky)
    return made, rows


class _Part:
    """SGD that was given some of the parameters."""

    def __init__(self, rate, names):
        self.rule, self.names = minibatch.SGD(rate), names

    def init(self, params):
        return self.rule.init(params)

    def update(self, grads, state, params):
        updates, state = self.rule.update(grads, state, params)
        return {name: u if name in self.names else np.zeros_like(u) for name, u in updates.items()}, state


def _layer_left_out(made, rows, generator):
    made.optimizer = lambda factor: _Part(RATE * factor, ("2.weight", "2.bias"))
    return made, rows


def _dead(made, rows, generator):
    def start(own):
        parameters = network.initialize(SIZES, own)
        parameters["0.bias"][:30] -= 20
        return parameters

    made.start = start
    return made, rows


def _rate_too_high(made, rows, generator):
    made.optimizer = lambda factor: minibatch.SGD(30 * RATE * factor)
    return made, rows


TEN = (
    Fault("labels shuffled", "labels", _labels_shuffled),
    Fault("rows in both parts", "duplicates", _rows_in_both),
    Fault("mean over wrong axis", "rows", _over_the_batch),
    Fault("gradient not zeroed", "repeats", _not_zeroed),
    Fault("loss summed", "mean", _summed),
    Fault("pixels from 0 to 256", "first loss", _not_scaled),
    Fault("30 of 50 units dead", "units", _dead),
    Fault("softmax twice", "tiny set", _softmax_twice),
    Fault("layer left out", "moves", _layer_left_out),
    Fault("rate 30 times", "rate", _rate_too_high),
)


# --- more


def _some_labels_wrong(made, rows, generator):
    y = rows.targets.copy()
    wrong = generator.choice(len(y), len(y) // 5, replace=False)
    y[wrong] = generator.integers(0, 10, len(wrong))
    return made, rows._replace(targets=y)


def _held_labels_shifted(made, rows, generator):
    return made, rows._replace(held_targets=(rows.held_targets + 1) % 10)


def _held_not_scaled(made, rows, generator):
    return made, rows._replace(held_inputs=rows.held_inputs * 8 + 8)


def _one_nan(made, rows, generator):
    x = rows.inputs.copy()
    x[generator.integers(len(x)), 20] = np.nan
    return made, rows._replace(inputs=x)


class _Uphill(minibatch.SGD):
    """The step with the wrong sign."""

    def update(self, grads, state, params):
        updates, state = super().update(grads, state, params)
        return {name: -u for name, u in updates.items()}, state


def _uphill(made, rows, generator):
    made.optimizer = lambda factor: _Uphill(RATE * factor)
    return made, rows


def _constant_start(made, rows, generator):
    def start(own):
        parameters = network.initialize(SIZES, own)
        return {name: np.full_like(value, 0.05 if "weight" in name else 0) for name, value in parameters.items()}

    made.start = start
    return made, rows


def _rate_too_low(made, rows, generator):
    made.optimizer = lambda factor: minibatch.SGD(RATE * factor / 1000)
    return made, rows


def _strong_decay(made, rows, generator):
    def gradient(parameters, x, y):
        loss, grads = network.loss_and_gradient(parameters, x, y)
        return loss, {name: g + 0.5 * parameters[name] for name, g in grads.items()}

    made.loss_and_gradient = gradient
    return made, rows


class _Forgetful(momentum.Momentum):
    """Momentum whose velocity is lost at each step."""

    def update(self, grads, state, params):
        return super().update(grads, self.init(params), params)


def _forgetful(made, rows, generator):
    made.optimizer = lambda factor: _Forgetful(0.1 * RATE * factor, 0.9)
    return made, rows


def _mirrored(made, rows, generator):
    x = rows.inputs.reshape(-1, 8, 8)
    return made, rows._replace(inputs=x[:, :, ::-1].reshape(len(x), 64).copy())


def _small_start(made, rows, generator):
    made.start = lambda own: {name: 1e-4 * value for name, value in network.initialize(SIZES, own).items()}
    return made, rows


def _sorted(made, rows, generator):
    order = np.argsort(rows.targets, kind="stable")
    return made, rows._replace(inputs=rows.inputs[order], targets=rows.targets[order])


MORE = (
    Fault("ReLU not in backward", "", _slope_forgotten),
    Fault("rows sorted by class", "", _sorted),
    Fault("a fifth of labels dealt", "", _some_labels_wrong),
    Fault("held-out labels + 1", "", _held_labels_shifted),
    Fault("held-out unscaled", "", _held_not_scaled),
    Fault("one NaN", "", _one_nan),
    Fault("step uphill", "", _uphill),
    Fault("weights start equal", "", _constant_start),
    Fault("rate a thousandth", "", _rate_too_low),
    Fault("decay of 0.5", "", _strong_decay),
    Fault("velocity lost", "", _forgetful),
    Fault("training mirrored", "", _mirrored),
    Fault("start near 0", "", _small_start),
)


def planted(fault: Fault, seed: int) -> tuple[checklist.Plain, checklist.Data]:
    """Give the script and its rows with a fault in them."""
    return fault.plant(script(), data(seed), np.random.default_rng([seed, 1]))


def findings(fault: Fault | None, seed: int) -> tuple[checklist.Finding, ...]:
    """Run the checklist on the script, with a fault or without."""
    made, rows = (script(), data(seed)) if fault is None else planted(fault, seed)
    return checklist.checklist(made, rows, classes=10, seed=seed)


def symptom(fault: Fault, seed: int = 0, steps: int = 60) -> str:
    """Train the faulty script for a moment, and say what its author sees.

    Args:
        fault: What is planted.
        seed: Deals the digits, and draws weights, batches and the fault.
        steps: Steps of training, with batches of 32.

    Returns:
        "NaN", "does not learn", "does not generalize" or "nothing".
    """
    made, rows = planted(fault, seed)
    made.restart(seed)
    generator, losses = np.random.default_rng(seed), []
    with np.errstate(all="ignore"):
        for _ in range(steps):
            batch = generator.choice(len(rows.targets), 32, replace=False)
            losses.append(made.step(rows.inputs[batch], rows.targets[batch]))
        pairs = ((rows.inputs, rows.targets), (rows.held_inputs, rows.held_targets))
        own, held = ((made.logits(x).argmax(axis=1) == y).mean() for x, y in pairs)
    if not np.isfinite(losses).all():
        return "NaN"
    if own < 0.5:
        return "does not learn"
    return "does not generalize" if own - held > 0.25 else "nothing"


# --- the figure


class Faults(NamedTuple):
    """What the checklist says of each faulty script.

    Attributes:
        failed: 0 where a check passes, 1 where it fails, 2 where it is the first that fails; (fault, check). The ten
            faults come first.
        row: The faults that a check fails for.
        column: The first check that fails for each of these.
    """

    failed: np.ndarray
    row: np.ndarray
    column: np.ndarray


CHECKS = (
    "finite", "columns", "duplicates", "held out", "order", "labels", "repeats", "rows", "mean", "first loss", "slope",
    "downhill", "units", "tiny set", "moves", "rate", "learns", "generalizes",
)  # fmt: skip


def faults(seed: int = 0) -> Faults:
    """Run the checklist on each faulty script.

    Args:
        seed: Deals the digits, and draws weights, batches and the fault.

    Returns:
        What failed.
    """
    failed = np.array([[not finding.passed for finding in findings(fault, seed)] for fault in (*TEN, *MORE)]).astype(
        int
    )
    row = np.flatnonzero(failed.any(axis=1))
    column = failed[row].argmax(axis=1)
    failed[row, column] = 2
    return Faults(failed, row, column)


def draw_faults(numbers: Faults, paper: Paper) -> Figure:
    """Draw a table: a row a fault, a column a check."""
    figure, axes = paper.subplots(height=540)
    own = axes[0, 0]
    picture = own.imshow(numbers.failed, cmap=paper.ramp, vmin=0, vmax=2.6, aspect="auto")
    paper.mark(picture, "failed")
    paper.line(own, numbers, "row", x="column", color=paper.ink, linestyle="", marker="o", markersize=5)
    # On a telephone every other name stands below, because the columns are narrower than a line of text.
    above = range(0, len(CHECKS), 1 if paper.wide else 2)
    own.xaxis.tick_top()
    own.set_xticks(above, [CHECKS[column] for column in above], rotation=90)
    if not paper.wide:
        below = own.secondary_xaxis("bottom")
        below.set_xticks(range(1, len(CHECKS), 2), CHECKS[1::2], rotation=90)
        below.tick_params(length=0)
    own.set_yticks(range(len(TEN) + len(MORE)), [fault.words for fault in (*TEN, *MORE)])
    paper.guide(own.axhline(len(TEN) - 0.5, color=paper.muted, linewidth=1))
    own.grid(visible=False)
    own.tick_params(length=0)
    return figure
