"""A checklist for a training script: what is asked of the data, of one batch, of a tiny set, and of a short training.

It is for classifiers that are trained by cross-entropy. It asks the script for a few things, `Script`, and judges what
they give; `Plain` is a script made of functions, and `dlnotes.torch.module_checklist` makes one of a PyTorch module.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from dlnotes import checks, optimizers
from dlnotes.numpy import adaptive_methods, babysitting

if TYPE_CHECKING:
    from jaxtyping import Float, Int

Arrays = dict[str, np.ndarray]


class Finding(NamedTuple):
    """What one check found.

    Attributes:
        check: Its name.
        passed: Whether nothing is wrong.
        sentence: What was measured, and if something is wrong, what to look at.
    """

    check: str
    passed: bool
    sentence: str


class Data(NamedTuple):
    """The rows as they enter the network, after all preparation.

    Attributes:
        inputs: What is trained on; the first axis is the examples.
        targets: Their classes, whole numbers from 0.
        held_inputs: What the network is judged on.
        held_targets: Their classes.
    """

    inputs: Float[np.ndarray, "examples *shape"]
    targets: Int[np.ndarray, " examples"]
    held_inputs: Float[np.ndarray, "held_out *shape"]
    held_targets: Int[np.ndarray, " held_out"]


@runtime_checkable
class Script(Protocol):
    """What the checklist asks of a training script. All arrays are NumPy's."""

    def restart(self, seed: int, factor: float = 1.0) -> None:
        """Begin anew: fresh weights drawn with this seed, a fresh optimizer, its learning rate times the factor."""
        ...

    def parameters(self) -> Arrays:
        """Give a copy of what is trained."""
        ...

    def load(self, parameters: Arrays) -> None:
        """Put such a copy back."""
        ...

    def logits(self, inputs: np.ndarray) -> np.ndarray:
        """Give the network's outputs as they are used to judge it, one row an example."""
        ...

    def gradient(self, inputs: np.ndarray, targets: np.ndarray) -> tuple[float, Arrays]:
        """Give the loss of a batch and its gradient as training computes them, by the names of the parameters."""
        ...

    def step(self, inputs: np.ndarray, targets: np.ndarray) -> float:
        """Take one whole step of training on a batch, and give the loss before it."""
        ...


@dataclass
class Plain:
    """A script made of functions.

    Attributes:
        start: `generator -> parameters`.
        forward: `(parameters, inputs) -> logits`.
        loss_and_gradient: `(parameters, inputs, targets) -> (loss, gradient)`.
        optimizer: `factor -> optimizer`, whose learning rate is the usual one times the factor.
    """

    start: Callable[[np.random.Generator], Arrays]
    forward: Callable[[Arrays, np.ndarray], np.ndarray]
    loss_and_gradient: Callable[[Arrays, np.ndarray, np.ndarray], tuple[Any, Arrays]]
    optimizer: Callable[[float], optimizers.Optimizer]

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            checks.instance(name, value, Callable, "a function")

    def restart(self, seed: int, factor: float = 1.0) -> None:
        """Draw the parameters, and make the optimizer."""
        self._parameters = self.start(np.random.default_rng(seed))
        self._optimizer = self.optimizer(factor)
        self._state = self._optimizer.init(self._parameters)

    def parameters(self) -> Arrays:
        """Copy the parameters."""
        return {name: value.copy() for name, value in self._parameters.items()}

    def load(self, parameters: Arrays) -> None:
        """Take a copy of the parameters given."""
        self._parameters = {name: value.copy() for name, value in parameters.items()}

    def logits(self, inputs: np.ndarray) -> np.ndarray:
        """Give `forward` of the parameters."""
        return self.forward(self._parameters, inputs)

    def gradient(self, inputs: np.ndarray, targets: np.ndarray) -> tuple[float, Arrays]:
        """Give `loss_and_gradient` of the parameters."""
        loss, grads = self.loss_and_gradient(self._parameters, inputs, targets)
        return float(loss), grads

    def step(self, inputs: np.ndarray, targets: np.ndarray) -> float:
        """Add what the optimizer makes of the gradient."""
        loss, grads = self.gradient(inputs, targets)
        updates, self._state = self._optimizer.update(grads, self._state, self._parameters)
        self._parameters = optimizers.apply_updates(self._parameters, updates)
        return loss


# --- the data


def check_data(data: Data, seed: int = 0) -> tuple[Finding, ...]:
    """Look at the rows alone: no network is needed.

        finite      no NaN, no infinity
        columns     at most half of the columns are constant
        duplicates  the share of held-out rows that are also trained on is at most twice that of rows trained on twice
        held out    mean and deviation of all held-out numbers are near those of training: half a deviation, a factor 2
        order       neighbors in the order of the rows do not share labels more often, by 4 deviations, than if dealt
        labels      nearest neighbors by distance do

    Sorted rows harm where batches, or the split, are taken in their order. The last check rests on Euclidean distance
    and on at most 500 rows: where distances say nothing of the class, it speaks and nothing is wrong.

    Args:
        data: The rows.
        seed: Deals the labels anew.

    Returns:
        The findings, in this order.

    Raises:
        TypeError: If inputs are not floating-point numbers or targets are no whole numbers.
        ValueError: If sizes do not fit or there are fewer than two rows to train on.

    Source: definition.
    """
    _check_rows(data)
    rows, held = (part.reshape(len(part), -1) for part in (data.inputs, data.held_inputs))
    bad = [int((~np.isfinite(part)).any(axis=1).sum()) for part in (rows, held)]
    words = f"{bad[0]} training rows and {bad[1]} held-out rows hold NaN or infinity."
    findings = [Finding("finite", not any(bad), words)]
    still = int((rows == rows[0]).all(axis=0).sum())
    words = f"{still} of {rows.shape[1]} columns are constant."
    findings.append(Finding("columns", 2 * still <= rows.shape[1] or rows.shape[1] == 1, words))
    return (*findings, _duplicates(rows, held), _held_out_alike(rows, held), *_labels(rows, data.targets, seed))


def _check_rows(data: Data) -> None:
    checks.instance("data", data, Data, "a checklist.Data")
    for name, part, targets in (("", data.inputs, data.targets), ("held_", data.held_inputs, data.held_targets)):
        checks.rank(f"{name}inputs", checks.floating(f"{name}inputs", part), at_least=2)
        checks.axis(f"{name}inputs", part, 0, at_least=1 if name else 2, described="examples")
        checks.shaped(f"{name}targets", checks.integers(f"{name}targets", targets), part.shape[:1], of="its inputs")
    checks.last_axes("held_inputs", data.held_inputs, *data.inputs.shape[1:], of="inputs")


def _duplicates(rows: np.ndarray, held: np.ndarray) -> Finding:
    own, counts = np.unique([row.tobytes() for row in rows], return_counts=True)
    twice = (counts - 1).sum() / len(rows)
    known = set(own.tolist())
    shared = sum(row.tobytes() in known for row in held)
    words = (
        f"{shared} of {len(held)} held-out rows are trained on too; of the training rows {twice:.1%} repeat another."
    )
    return Finding("duplicates", bool(shared / len(held) <= 2 * twice), words)


def _held_out_alike(rows: np.ndarray, held: np.ndarray) -> Finding:
    (mean, width), (held_mean, held_width) = ((part.mean(), part.std()) for part in (rows, held))
    near = abs(held_mean - mean) <= width / 2 and width / 2 <= held_width <= 2 * width
    words = f"Training numbers {mean:.2g} +- {width:.2g}, held out {held_mean:.2g} +- {held_width:.2g}."
    return Finding("held out", bool(near), words)


def _labels(rows: np.ndarray, targets: np.ndarray, seed: int) -> tuple[Finding, Finding]:
    generator = np.random.default_rng(seed)
    agree, chance, spread = _agreement(targets, np.r_[1 : len(targets), 0], generator)
    words = f"The next row has the same label in {agree:.0%}; with labels dealt at random in {chance:.0%}."
    order = Finding("order", bool(agree <= chance + 4 * spread), words)
    rows = rows[:500]
    squares = (rows * rows).sum(axis=1)
    apart = squares[:, None] + squares - 2 * rows @ rows.T
    np.fill_diagonal(apart, np.inf)
    nearest = np.nan_to_num(apart, nan=np.inf).argmin(axis=1)
    agree, chance, spread = _agreement(targets[:500], nearest, generator)
    words = f"A row's nearest neighbor has its label in {agree:.0%}; with labels dealt at random in {chance:.0%}."
    return order, Finding("labels", bool(agree > chance + 4 * spread), words)


def _agreement(targets: np.ndarray, partner: np.ndarray, generator: np.random.Generator) -> tuple[float, float, float]:
    """Give how often a row has its partner's label, and mean and deviation of that with labels dealt at random."""
    dealt = np.array([(own == own[partner]).mean() for own in (generator.permutation(targets) for _ in range(100))])
    return float((targets == targets[partner]).mean()), float(dealt.mean()), float(dealt.std())


# --- one batch


def check_batch(script: Script, data: Data, *, classes: int, seed: int = 0, size: int = 64) -> tuple[Finding, ...]:
    """Ask an untrained network about one batch.

        repeats     the same question twice gets the same answer: logits, loss, gradient
        rows        what a row gives does not depend on the rows beside it
        mean        a batch joined to itself has the same loss
        first loss  from ln C - 0.5 to what logits of deviation 2 give, and one deviation d of it over starts, as in
                    `babysitting.first_loss_check`
        slope       the loss changes along a random direction, in each parameter, as the gradient says, to 2%
        downhill    a hundredth of the first step lowers the loss of its own batch
        units       in each weight matrix but the last, at most a quarter of the rows has a gradient of 0, or that of
                    another row, in all of the batch

    Turn off dropout and augmentation for these, or let them draw the same noise each time.

    Args:
        script: The script; it is restarted.
        data: The rows.
        classes: C, at least 2.
        seed: Draws weights and directions.
        size: Rows of the batch, at least 3; fewer are used where there are fewer.

    Returns:
        The findings, in this order.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a number is out of range or a label is.

    Source: definition.
    """
    _check(script, data, classes)
    size = checks.integer("size", size, at_least=3)
    x, y = data.inputs[:size], data.targets[:size]
    script.restart(seed)
    with np.errstate(all="ignore"):
        found = [_repeats(script, x, y), _rows(script, x), _mean(script, x, y), _first_loss(script, x, y, classes)]
        found.append(_slope(script, x, y, np.random.default_rng(seed)))
        found.append(_downhill(script, x, y))
        script.restart(seed)
        return (*found, _units(script, x, y))


def _check(script: Script, data: Data, classes: int) -> None:
    checks.instance("script", script, Script, "a checklist.Script")
    _check_rows(data)
    classes = checks.integer("classes", classes, at_least=2)
    for name in ("targets", "held_targets"):
        checks.labels(name, getattr(data, name), classes)


def _alike(a: np.ndarray, b: np.ndarray, share: float = 1e-4) -> bool:
    return bool(np.abs(a - b).max() <= share * np.abs(a).max())


def _repeats(script: Script, x: np.ndarray, y: np.ndarray) -> Finding:
    once, again = (script.logits(x) for _ in range(2))
    (loss, grads), (after, grads_after) = (script.gradient(x, y) for _ in range(2))
    different = [name for name in grads if not _alike(grads[name], grads_after[name])]
    if not _alike(once, again):
        words = "The same rows give other logits the second time: dropout, noise or a state that moves is on."
    elif different or not math.isclose(loss, after, rel_tol=1e-4):
        words = f"The same batch gives another gradient the second time ({', '.join(different)}): is it set to zero?"
    else:
        return Finding("repeats", True, "The same batch gives the same logits and gradient twice.")
    return Finding("repeats", False, words)


def _rows(script: Script, x: np.ndarray) -> Finding:
    # Two, because batch norm in training mode refuses one.
    together, few = script.logits(x), script.logits(x[:2])
    apart = np.abs(together[:2] - few).max() / (np.abs(together).max() or 1.0)
    words = f"Two rows by themselves and in the batch give logits that differ by {apart:.0e} of the largest."
    return Finding("rows", bool(apart <= 1e-4), words)


def _mean(script: Script, x: np.ndarray, y: np.ndarray) -> Finding:
    loss, _ = script.gradient(x, y)
    doubled, _ = script.gradient(np.concatenate([x, x]), np.concatenate([y, y]))
    words = f"A batch joined to itself has {doubled / loss:.2f} times its loss."
    return Finding("mean", math.isclose(loss, doubled, rel_tol=1e-3), words)


def _first_loss(script: Script, x: np.ndarray, y: np.ndarray, classes: int) -> Finding:
    loss, _ = script.gradient(x, y)
    high = babysitting.expected_first_loss(classes, 2.0) + 2 * math.sqrt(3 * (classes - 1)) / classes
    words = (
        f"The first loss is {loss:.2f}; guessing gives {math.log(classes):.2f}, logits of deviation 2 up to {high:.2f}."
    )
    return Finding("first loss", math.log(classes) - 0.5 <= loss <= high, words)


def _slope(script: Script, x: np.ndarray, y: np.ndarray, generator: np.random.Generator) -> Finding:
    start, (_, grads) = script.parameters(), script.gradient(x, y)
    worst, place = 0.0, ""
    for name, value in start.items():
        if name not in grads:
            continue  # frozen
        direction = generator.standard_normal(value.shape)
        # Half of it along the gradient, so that the slope is no small difference of large numbers.
        length = np.linalg.norm(grads[name])
        direction = direction / np.linalg.norm(direction) + (grads[name] / length if length > 0 else 0)
        said = float((grads[name] * direction).sum())
        small = (1e-4 if value.dtype == np.float64 else 3e-3) * (np.linalg.norm(value) or 1.0)
        losses = []
        for sign in (1, -1):
            script.load({**start, name: (value + sign * small * direction).astype(value.dtype)})
            losses.append(script.gradient(x, y)[0])
        measured = (losses[0] - losses[1]) / (2 * small)
        largest = max(abs(measured), abs(said))
        error = abs(measured - said) / largest if largest > 1e-4 else 0.0
        if not error <= worst:
            worst, place = error, name
    script.load(start)
    words = f"Gradient and change of the loss differ by at most {worst:.1%}" + (f", in {place}." if place else ".")
    return Finding("slope", bool(worst <= 0.02), words)


def _downhill(script: Script, x: np.ndarray, y: np.ndarray) -> Finding:
    before = script.parameters()
    loss = script.step(x, y)
    after = script.parameters()
    script.load({name: value + (after[name] - value) / 100 for name, value in before.items()})
    change = script.gradient(x, y)[0] - loss
    return Finding("downhill", bool(change < 0), f"A hundredth of the first step changes its loss by {change:.1e}.")


def _units(script: Script, x: np.ndarray, y: np.ndarray) -> Finding:
    _, grads = script.gradient(x, y)
    matrices = [name for name, value in grads.items() if value.ndim > 1][:-1]
    useless = {name: _useless(grads[name].reshape(len(grads[name]), -1)) for name in matrices}
    worst = max(useless, key=useless.get, default="")
    share = useless.get(worst, 0.0)
    words = f"{share:.0%} of the units of {worst} get no gradient, or that of another unit."
    return Finding("units", share <= 0.25, words if worst else "There is one layer only.")


def _useless(rows: np.ndarray) -> float:
    """Give the share of rows that are 0 or, to eight digits of the largest number, equal to one before them."""
    largest = np.abs(rows).max()
    if not largest > 0:
        return 1.0
    different = np.unique(np.round(rows / largest, 8), axis=0)
    return 1 - (different != 0).any(axis=1).sum() / len(rows)


# --- a tiny set, and a short training


def check_training(
    script: Script, data: Data, *, classes: int, seed: int = 0, steps: int = 100, batch_size: int = 32
) -> tuple[Finding, ...]:
    """Let a network learn twenty rows by heart, then train it for a moment, at five learning rates.

        tiny set     with Adam in place of the script's optimizer, 20 rows reach a loss of 0.05 in 300 steps
        moves        each parameter that has a gradient is changed by the script's own steps
        rate         no rate a tenth or a hundredth as large ends below half the loss; and if the loss ends above
                     0.95 ln C, no rate ten or a hundred times as large does
        learns       the loss falls by more than its noise, and to below guessing
        generalizes  held-out accuracy is above guessing by 4 deviations, and below that of training by at most 0.25

    The short trainings draw the same batches. "Ends" is the mean loss of the last fifth.

    Args:
        script: The script; it is restarted.
        data: The rows.
        classes: C, at least 2.
        seed: Draws weights and batches.
        steps: Of the short trainings, at least 10.
        batch_size: At least 1, at most the rows to train on.

    Returns:
        The findings, in this order.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a number is out of range or a label is.

    Source: definition.
    """
    _check(script, data, classes)
    steps = checks.integer("steps", steps, at_least=10)
    batch_size = checks.integer("batch_size", batch_size, at_least=1, at_most=len(data.targets))
    with np.errstate(all="ignore"):
        found = [_tiny_set(script, data, seed)]
        ends, curves = {}, {}
        for factor in (0.01, 0.1, 10.0, 100.0, 1.0):
            script.restart(seed, factor)
            start = script.parameters()
            curves[factor] = _train(script, data, seed, steps, batch_size)
            end = curves[factor][-max(1, steps // 5) :].mean()
            ends[factor] = float(end) if np.isfinite(end) else math.inf
        report = babysitting.training_report(curves[1.0], chance=math.log(classes))
        learned = ends[1.0] < 0.95 * math.log(classes)
        own = [_rate(ends, learned), _learns(ends[1.0], report, learned, classes), _generalizes(script, data)]
        return (*found, _moves(script, data, start), *own)


def _tiny_set(script: Script, data: Data, seed: int) -> Finding:
    x, y = data.inputs[:20], data.targets[:20]
    script.restart(seed)

    def gradient(parameters: Arrays) -> tuple[float, Arrays]:
        script.load(parameters)
        loss, grads = script.gradient(x, y)
        return loss, {name: grads.get(name, np.zeros_like(value)) for name, value in parameters.items()}

    start, rule = script.parameters(), adaptive_methods.Adam(0.01)
    report = babysitting.overfit_tiny_set(gradient, start, rule, steps=60, goal=0.05)
    if not report.passed:  # most that pass do so in the first sixty
        report = babysitting.overfit_tiny_set(gradient, start, rule, steps=300, goal=0.05)
    words = f"{len(y)} rows reach a loss of {np.nanmin(report.losses):.3f} in {len(report.losses) - 1} steps of Adam."
    return Finding("tiny set", bool(report.passed), words)


def _train(script: Script, data: Data, seed: int, steps: int, batch_size: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    losses = np.empty(steps)
    for step in range(steps):
        rows = generator.choice(len(data.targets), batch_size, replace=False)
        losses[step] = script.step(data.inputs[rows], data.targets[rows])
    return losses


def _moves(script: Script, data: Data, start: Arrays) -> Finding:
    after, (_, grads) = script.parameters(), script.gradient(data.inputs[:64], data.targets[:64])
    still = [name for name in grads if (after[name] == start[name]).all() and (grads[name] != 0).any()]
    if still:
        return Finding("moves", False, f"These have a gradient and are not moved: {', '.join(still)}.")
    script.step(data.inputs[:64], data.targets[:64])
    moved = script.parameters()
    script.load(after)
    ratios = babysitting.update_ratios(after, {name: moved[name] - value for name, value in after.items()})
    listed = ", ".join(f"{name} {ratio:.0e}" for name, ratio in ratios.items())
    return Finding("moves", True, f"A step over what it moves: {listed}.")


def _rate(ends: dict[float, float], learned: bool) -> Finding:
    own, lower, higher = ends[1.0], min(ends[0.01], ends[0.1]), min(ends[10.0], ends[100.0])
    listed = ", ".join(f"{ends[factor]:.2g} at {factor:g}" for factor in sorted(ends))
    too_high = lower < own / 2 or not math.isfinite(own)
    too_low = not learned and higher < own / 2
    verdict = "too high: " if too_high else "too low: " if too_low else ""
    return Finding("rate", not (too_high or too_low), f"{verdict}loss {listed} times the learning rate.".capitalize())


def _learns(end: float, report: babysitting.TrainingReport, learned: bool, classes: int) -> Finding:
    passed = learned and not (report.not_finite or report.grew or report.flat)
    words = f"The loss goes from {report.first:.2f} to {end:.2f}; guessing gives {math.log(classes):.2f}."
    return Finding("learns", bool(passed), words)


def _generalizes(script: Script, data: Data) -> Finding:
    pairs = ((data.inputs, data.targets), (data.held_inputs, data.held_targets))
    own, held = ((script.logits(x).argmax(axis=1) == y).mean() for x, y in pairs)
    chance = np.bincount(data.held_targets).max() / len(data.held_targets)
    above = held > chance + 4 * math.sqrt(chance * (1 - chance) / len(data.held_targets))
    words = f"Accuracy {own:.2f} on training rows, {held:.2f} held out; the largest class has {chance:.2f}."
    return Finding("generalizes", bool(above and own - held <= 0.25), words)


# --- all of it


def checklist(
    script: Script, data: Data, *, classes: int, seed: int = 0, steps: int = 100, batch_size: int = 32
) -> tuple[Finding, ...]:
    """Ask everything: `check_data`, `check_batch`, `check_training`, in this order. The first that fails names a fault.

    Args:
        script: The script; it is restarted.
        data: The rows.
        classes: C, at least 2.
        seed: Draws weights, directions and batches.
        steps: Of the short trainings, at least 10.
        batch_size: At least 1, at most the rows to train on.

    Returns:
        The findings of all checks.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a number is out of range or a label is.

    Source: definition.
    """
    _check(script, data, classes)
    return (
        *check_data(data, seed),
        *check_batch(script, data, classes=classes, seed=seed),
        *check_training(script, data, classes=classes, seed=seed, steps=steps, batch_size=batch_size),
    )


def first_fault(findings: tuple[Finding, ...]) -> Finding | None:
    """Give the first finding that did not pass; None if all did.

    Args:
        findings: What a check gave.

    Returns:
        The finding, or None.

    Raises:
        TypeError: If `findings` is no tuple.

    Source: definition.
    """
    checks.instance("findings", findings, tuple, "what a check gave")
    return next((finding for finding in findings if not finding.passed), None)
