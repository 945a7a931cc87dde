"""A checklist for a training script: what is asked of the data, of one batch, of a tiny set, and of a short training.

It is for classifiers that are trained by cross-entropy. It asks the script for a few things, `Script`, and judges what
they give; `Plain` is a script made of functions, and `dlnotes.torch.module_checklist` makes one of a PyTorch module.
"""

from __future__ import annotations

import collections
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
_LEARNED = 0.95  # of the loss of guessing


class Finding(NamedTuple):
    """What one check found.

    Attributes:
        check: Its name.
        passed: Whether nothing wrong was seen. A check that cannot tell passes, and its sentence says so.
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

    def gradient(self, inputs: np.ndarray, targets: np.ndarray, noise: int = 0) -> tuple[float, Arrays]:
        """Give the loss of a batch and its gradient as training computes them, by the names of the parameters.

        What noise there is, as of dropout, is drawn with the seed `noise`.
        """
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

    def gradient(self, inputs: np.ndarray, targets: np.ndarray, noise: int = 0) -> tuple[float, Arrays]:
        """Give `loss_and_gradient` of the parameters; the seed is not used."""
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
        duplicates  held-out rows are in the training rows no more often, by Fisher's test at 1e-4, than one training
                    row is among the others
        held out    mean and deviation of all held-out numbers are near those of training: half a deviation, a factor 2;
                    and no class is missing in training that is held out too often for chance, 1e-4
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
    return (*findings, _duplicates(rows, held), _held_out_alike(data, rows, held), *_labels(rows, data.targets, seed))


def _check_rows(data: Data) -> None:
    checks.instance("data", data, Data, "a checklist.Data")
    for name, part, targets in (("", data.inputs, data.targets), ("held_", data.held_inputs, data.held_targets)):
        checks.rank(f"{name}inputs", checks.floating(f"{name}inputs", part), at_least=2)
        checks.axis(f"{name}inputs", part, 0, at_least=1 if name else 2, described="examples")
        checks.shaped(f"{name}targets", checks.integers(f"{name}targets", targets), part.shape[:1], of="its inputs")
    checks.last_axes("held_inputs", data.held_inputs, *data.inputs.shape[1:], of="inputs")


def _duplicates(rows: np.ndarray, held: np.ndarray) -> Finding:
    kind = np.result_type(rows, held)
    own, other = ([row.tobytes() for row in part.astype(kind) + 0.0] for part in (rows, held))  # + 0.0: no -0.0
    counts = collections.Counter(own)
    again, shared = sum(count for count in counts.values() if count > 1), sum(row in counts for row in other)
    twins = f"of the training rows {again / len(rows):.1%} have a twin"
    words = f"{shared} of {len(held)} held-out rows are trained on too; {twins}."
    return Finding("duplicates", _as_many_by_chance(shared, len(held), again, len(rows)) > 1e-4, words)


def _as_many_by_chance(marked: int, count: int, others_marked: int, others: int) -> float:
    """Give the probability of so many marked ones, or more, in the first part if all marks are dealt over both."""

    def ways(n: int, k: int) -> float:
        return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)

    total = marked + others_marked
    possible = range(max(marked, total - others), min(total, count) + 1)
    whole = ways(count + others, total)
    return sum(math.exp(ways(count, k) + ways(others, total - k) - whole) for k in possible)


def _held_out_alike(data: Data, rows: np.ndarray, held: np.ndarray) -> Finding:
    (mean, width), (held_mean, held_width) = ((part.mean(), part.std()) for part in (rows, held))
    near = abs(held_mean - mean) <= width / 2 and width / 2 <= held_width <= 2 * width
    words = f"Training numbers {mean:.2g} +- {width:.2g}, held out {held_mean:.2g} +- {held_width:.2g}."
    classes, counts = np.unique(data.held_targets, return_counts=True)
    for label, count in zip(classes, counts, strict=True):
        if label not in data.targets and _as_many_by_chance(int(count), len(held), 0, len(rows)) <= 1e-4:
            return Finding("held out", False, f"Class {label} has {count} rows held out and none to train on. {words}")
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
        first loss  from 0.5 below what guessing by the shares of the classes gives, to what logits of deviation 2 give
                    and one deviation d of it over starts, as in `babysitting.first_loss_check`
        slope       the loss changes along a random direction, in each parameter, as the gradient says, to 2%; or less
                    by one factor in all, if the gradient is clipped to a length
        downhill    a hundredth of the first step that moves lowers the loss of its own batch
        units       in each weight matrix but the last, at most half of the rows have a gradient of 0, or that of
                    another row, in all of eight batches, both at the start and after ten steps

    Turn off dropout and augmentation for these, or let them draw the same noise from the same seed. Where another seed
    gives another loss, "mean" and "downhill" compare means over 16 seeds, and say if these cannot tell.

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
        found = [_repeats(script, x, y), _rows(script, x)]
        losses = [script.gradient(x, y, noise)[0] for noise in (0, 1)]
        noises = range(1 if math.isclose(*losses, rel_tol=1e-4) else 16)
        found += [_mean(script, x, y, noises), _first_loss(script, x, y, data.targets, classes)]
        found.append(_slope(script, x, y, np.random.default_rng(seed)))
        found.append(_downhill(script, x, y, noises))
        script.restart(seed)
        return (*found, _units(script, data, size))


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


def _mean(script: Script, x: np.ndarray, y: np.ndarray, noises: range) -> Finding:
    pairs = ((x, y), (np.concatenate([x, x]), np.concatenate([y, y])))
    losses = np.array([[script.gradient(*pair, noise)[0] for noise in noises] for pair in pairs])
    one, two = losses.mean(axis=1)
    ratio = two / one
    words = f"A batch joined to itself has {ratio:.{4 if abs(ratio - 1) < 0.01 else 2}f} times its loss."
    if len(noises) == 1:
        return Finding("mean", math.isclose(one, two, rel_tol=1e-3), words)
    error = 4 * math.sqrt(losses.var(axis=1, ddof=1).sum() / len(noises)) / one
    words = f"Noise is on. {words[:-1]}, +- {error:.2f}."
    if error > 0.5:
        return Finding("mean", True, f"Cannot tell. {words}")
    return Finding("mean", bool(abs(ratio - 1) <= error + 1e-3), words)


def _first_loss(script: Script, x: np.ndarray, y: np.ndarray, targets: np.ndarray, classes: int) -> Finding:
    loss, _ = script.gradient(x, y)
    high = babysitting.expected_first_loss(classes, 2.0) + 2 * math.sqrt(3 * (classes - 1)) / classes
    guess, informed = math.log(classes), float(_informed_guess(targets).mean())
    known = f", by the shares of the classes {informed:.2f}" if informed < guess - 0.1 else ""
    words = f"The first loss is {loss:.2f}; guessing gives {guess:.2f}{known}, logits of deviation 2 up to {high:.2f}."
    return Finding("first loss", max(0.0, informed - 0.5) <= loss <= high, words)


def _informed_guess(targets: np.ndarray) -> np.ndarray:
    """Give the loss on each row of one who knows the shares of the classes and nothing of the row."""
    return -np.log(np.bincount(targets)[targets] / len(targets))


def _slope(script: Script, x: np.ndarray, y: np.ndarray, generator: np.random.Generator) -> Finding:
    start, (_, grads) = script.parameters(), script.gradient(x, y)
    errors, shares = {"": 0.0}, []
    for name, value in start.items():
        if name not in grads:
            continue  # frozen
        direction = generator.standard_normal(value.shape)
        # Half of it along the gradient, so that the slope is no small difference of large numbers.
        length = np.linalg.norm(grads[name])
        direction = direction / np.linalg.norm(direction) + (grads[name] / length if length > 0 else 0)
        said = float((grads[name] * direction).sum())
        measured = _measured_slope(script, x, y, start, name, direction, said)
        largest = max(abs(measured), abs(said))
        if not largest <= 1e-4:
            errors[name] = abs(measured - said) / largest
            shares.append(said / measured if measured else math.inf)
    script.load(start)
    place = max(errors, key=lambda name: math.inf if math.isnan(errors[name]) else errors[name])
    words = f"Gradient and change of the loss differ by at most {errors[place]:.1%}" + (place and f", in {place}") + "."
    one_factor = len(shares) > 1 and 0 < min(shares) <= max(shares) < min(1.0, 1.02 * min(shares))
    if errors[place] <= 0.02 or not one_factor:
        return Finding("slope", bool(errors[place] <= 0.02), words)
    clipped = _same_length(script, x, y)
    words = f"The gradient is {np.mean(shares):.2g} of the slope, in each parameter"
    known = ", and as long for other rows: clipped, its direction is right."
    return Finding("slope", clipped, words + (known if clipped else ": another loss is shown than differentiated."))


def _measured_slope(
    script: Script, x: np.ndarray, y: np.ndarray, start: Arrays, name: str, direction: np.ndarray, said: float
) -> float:
    """Give the change of the loss along a direction over a step, of three steps the one that fits best.

    A long step runs over kinks of ReLU, a short one into rounding. A wrong gradient fits none of them.
    """
    value, best = start[name], math.nan
    for share in (1e-4, 1e-5, 1e-6) if value.dtype == np.float64 else (3e-3, 1e-3, 3e-4):
        small, losses = share * (np.linalg.norm(value) or 1.0), []
        for sign in (1, -1):
            script.load({**start, name: (value + sign * small * direction).astype(value.dtype)})
            losses.append(script.gradient(x, y)[0])
        slope = (losses[0] - losses[1]) / (2 * small)
        if not abs(slope - said) >= abs(best - said):
            best = slope
        if abs(best - said) <= 0.01 * abs(said):
            break
    return best


def _same_length(script: Script, x: np.ndarray, y: np.ndarray) -> bool:
    """Say whether the gradients of a batch and of one of its halves are equally long, and none is longer."""
    half = max(2, len(y) // 2)
    whole, *parts = (
        math.sqrt(sum(float((g * g).sum()) for g in script.gradient(x[rows], y[rows])[1].values()))
        for rows in (slice(None), slice(half), slice(-half, None))
    )
    return bool(abs(max(parts) - whole) <= 1e-3 * whole)


def _downhill(script: Script, x: np.ndarray, y: np.ndarray, noises: range) -> Finding:
    before = script.parameters()
    for _ in range(10):  # a warm-up begins with a step of 0
        losses = np.array([script.gradient(x, y, noise)[0] for noise in noises])
        script.step(x, y)
        after = script.parameters()
        if any((after[name] != value).any() for name, value in before.items()):
            break
    else:
        return Finding("downhill", True, "Cannot tell: the first ten steps move nothing.")
    script.load({name: value + (after[name] - value) / 100 for name, value in before.items()})
    changes = np.array([script.gradient(x, y, noise)[0] for noise in noises]) - losses
    words = f"A hundredth of the first step changes its loss by {changes.mean():.1e}."
    if len(noises) == 1:
        return Finding("downhill", bool(changes[0] < 0), words)
    unsure = abs(changes.mean()) <= 4 * changes.std(ddof=1) / math.sqrt(len(noises))
    words = f"{'Cannot tell, n' if unsure else 'N'}oise is on. {words}"
    return Finding("downhill", bool(unsure or changes.mean() < 0), words)


def _units(script: Script, data: Data, size: int) -> Finding:
    places = [slice(a, a + size) for a in range(0, 8 * size, size) if a == 0 or len(data.targets) > a + 2]
    batches = [(data.inputs[rows], data.targets[rows]) for rows in places]
    useless = _without_use(script, batches, {})
    if not useless:
        return Finding("units", True, "There is one layer only.")
    if max(mask.mean() for mask in useless.values()) > 0.5:
        for step in range(10):
            script.step(*batches[step % len(batches)])
        useless = _without_use(script, batches, useless)
    share, worst = max((mask.mean(), name) for name, mask in useless.items())
    words = f"{share:.0%} of the units of {worst} get no gradient, or that of another unit."
    return Finding("units", bool(share <= 0.5), words)


def _without_use(
    script: Script, batches: list[tuple[np.ndarray, np.ndarray]], among: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Mark, in each weight matrix but the last, the rows that are of no use in any of the batches, of those given."""
    found = dict(among)
    for x, y in batches:
        _, grads = script.gradient(x, y)
        for name in [name for name, value in grads.items() if value.ndim > 1][:-1]:
            found[name] = _useless(grads[name].reshape(len(grads[name]), -1)) & found.get(name, True)
        if all(mask.mean() <= 0.5 for mask in found.values()):
            break
    return found


def _useless(rows: np.ndarray) -> np.ndarray:
    """Mark the rows that are 0 or, to eight digits of the largest number, equal to one before them."""
    largest = np.abs(rows).max()
    if not largest > 0:
        return np.ones(len(rows), dtype=bool)
    digits = np.round(rows / largest, 8)
    useless = (digits == 0).all(axis=1)
    _, first = np.unique(digits, axis=0, return_index=True)
    return useless | ~np.isin(np.arange(len(rows)), first)


# --- a tiny set, and a short training


def check_training(
    script: Script, data: Data, *, classes: int, seed: int = 0, steps: int = 100, batch_size: int = 32
) -> tuple[Finding, ...]:
    """Let a network learn twenty rows by heart, then train it for a moment, at five learning rates.

        tiny set     with Adam in place of the script's optimizer, 20 rows reach a loss of 0.05 in 300 steps; if labels
                     are smoothed, as losses under other labels tell, 0.05 above the least that this allows
        moves        each parameter that has a gradient is changed by the script's own steps
        rate         no rate a tenth or a hundredth as large ends below half the loss; and if it does not learn, no rate
                     ten to ten thousand times as large does
        learns       the loss falls by more than its noise, and to below 0.95 of guessing
        generalizes  held-out labels are more probable than all but 1% of 300 dealings of them, and held-out accuracy is
                     below that of training by at most 0.25, or 0.15 and two standard errors

    The short trainings draw the same batches. "Ends" is the mean loss of the last fifth. Guessing is by the shares of
    the classes, on the same batches.

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
        tiny = _tiny_set(script, data, seed, classes)
        script.restart(seed)
        start = script.parameters()
        ends, losses, guess = _sweep(script, data, seed, steps, batch_size)
        report = babysitting.training_report(losses, chance=math.log(classes))
        own = [_rate(ends, guess), _learns(ends[1.0], report, guess), _generalizes(script, data, seed)]
        return (tiny, _moves(script, data, start), *own)


def _sweep(
    script: Script, data: Data, seed: int, steps: int, batch_size: int
) -> tuple[dict[float, float], np.ndarray, float]:
    """Train at several factors of the learning rate, lastly at 1.

    Returns:
        Where each ends, the losses at 1, and where guessing by the shares of the classes would end.
    """
    last = slice(-max(1, steps // 5), None)

    def end(factor: float) -> tuple[float, np.ndarray, float]:
        script.restart(seed, factor)
        losses, guesses = _train(script, data, seed, steps, batch_size)
        mean = losses[last].mean()
        return float(mean) if np.isfinite(mean) else math.inf, losses, float(guesses[last].mean())

    ends = {factor: end(factor)[0] for factor in (0.01, 0.1, 10.0, 100.0)}
    ends[1.0], losses, guess = end(1.0)
    if ends[1.0] >= _LEARNED * guess and min(ends[10.0], ends[100.0]) >= ends[1.0] / 2:  # far too low?
        ends |= {factor: end(factor)[0] for factor in (1000.0, 10000.0)}
        end(1.0)
    return ends, losses, guess


def _tiny_set(script: Script, data: Data, seed: int, classes: int) -> Finding:
    x, y = data.inputs[:20], data.targets[:20]
    script.restart(seed)

    def gradient(parameters: Arrays) -> tuple[float, Arrays]:
        script.load(parameters)
        loss, grads = script.gradient(x, y)
        return loss, {name: grads.get(name, np.zeros_like(value)) for name, value in parameters.items()}

    start, rule, goal = script.parameters(), adaptive_methods.Adam(0.01), 0.05
    report = babysitting.overfit_tiny_set(gradient, start, rule, steps=60, goal=goal)
    if not report.passed:  # most that pass do so in the first sixty
        report = babysitting.overfit_tiny_set(gradient, start, rule, steps=300, goal=goal)
    least = np.nanmin(report.losses)
    words = f"{len(y)} rows reach a loss of {least:.3f} in {len(report.losses) - 1} steps of Adam"
    if report.passed or not (smoothing := _smoothing(script, x, classes)):
        return Finding("tiny set", bool(report.passed), f"{words}.")
    right, wrong = 1 - smoothing + smoothing / classes, smoothing / classes
    floor = -right * math.log(right) - (classes - 1) * wrong * math.log(wrong)
    words += f"; labels smoothed by {smoothing:.2f} allow {floor:.3f}."
    return Finding("tiny set", bool(least <= floor + goal), words)


def _smoothing(script: Script, x: np.ndarray, classes: int) -> float:
    """Give the share by which the loss smooths labels, as two rows tell; 0 if it does not, or they differ.

    With d_c the loss of a row under label c, and m the mean of all d_c, smoothing by e makes d_c the mixture of
    -ln p_c, with weight 1 - e, and m. Probabilities add up to 1, so exp(-m - (d_c - m) / (1 - e)) do. That sum rises
    with e.
    """
    found = []
    for row in (x[:1], x[-1:]):
        pair = np.repeat(row, 2, axis=0)  # batch norm refuses one row
        losses = np.array([script.gradient(pair, np.full(2, label))[0] for label in range(classes)])
        mean, low, high = losses.mean(), 0.0, 0.9
        for _ in range(40):
            middle = (low + high) / 2
            whole = np.exp(-mean - (losses - mean) / (1 - middle)).sum()
            low, high = (middle, high) if whole < 1 else (low, middle)
        found.append(low)
    return float(low) if 0.005 < low < 0.5 and abs(found[0] - found[1]) <= 0.01 * low else 0.0


def _train(script: Script, data: Data, seed: int, steps: int, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Train, and give the loss of each batch, and of guessing by the shares of the classes on the same batch."""
    generator, known = np.random.default_rng(seed), _informed_guess(data.targets)
    losses, guesses = np.empty(steps), np.empty(steps)
    for step in range(steps):
        rows = generator.choice(len(data.targets), batch_size, replace=False)
        losses[step] = script.step(data.inputs[rows], data.targets[rows])
        guesses[step] = known[rows].mean()
    return losses, guesses


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


def _rate(ends: dict[float, float], guess: float) -> Finding:
    own, lower = ends[1.0], min(ends[0.01], ends[0.1])
    higher = min(end for factor, end in ends.items() if factor > 1)
    listed = ", ".join(f"{ends[factor]:.2g} at {factor:g}" for factor in sorted(ends))
    too_high = lower < own / 2 or not math.isfinite(own)
    too_low = own >= _LEARNED * guess and higher < own / 2
    verdict = "too high: " if too_high else "too low, or the start too near 0: " if too_low else ""
    return Finding("rate", not (too_high or too_low), f"{verdict}loss {listed} times the learning rate.".capitalize())


def _learns(end: float, report: babysitting.TrainingReport, guess: float) -> Finding:
    passed = end < _LEARNED * guess and not (report.not_finite or report.grew or report.flat)
    words = f"The loss goes from {report.first:.2f} to {end:.2f}; guessing gives {guess:.2f}."
    return Finding("learns", bool(passed), words)


def _generalizes(script: Script, data: Data, seed: int) -> Finding:
    outputs = [script.logits(x) for x in (data.inputs, data.held_inputs)]
    targets = (data.targets, data.held_targets)
    own, held = ((z.argmax(axis=1) == y).mean() for z, y in zip(outputs, targets, strict=True))
    counts = np.bincount(data.held_targets)
    largest = counts.max() / sum(counts)
    words = f"Accuracy {own:.2f} on training rows, {held:.2f} held out; the largest class has {largest:.2f}."
    if own - held > max(0.25, 0.15 + 2 * math.sqrt(held * (1 - held) / len(data.held_targets))):
        return Finding("generalizes", False, words)
    if math.lgamma(1 + sum(counts)) - sum(math.lgamma(1 + count) for count in counts) < math.log(100):
        return Finding("generalizes", True, f"Cannot tell, too few rows or one class are held out. {words}")
    z = outputs[1] - outputs[1].max(axis=1, keepdims=True)
    scores = (z - np.log(np.exp(z).sum(axis=1, keepdims=True)))[:5000]
    right, places = data.held_targets[:5000], np.arange(len(scores))
    generator = np.random.default_rng(seed)
    dealt = np.array([scores[places, generator.permutation(right)].mean() for _ in range(300)])
    fits = (dealt >= scores[places, right].mean()).sum() <= 3
    words += "" if fits else " Its outputs fit these labels no better than dealt ones."
    return Finding("generalizes", bool(fits and np.isfinite(scores).all()), words)


# --- all of it


def checklist(
    script: Script, data: Data, *, classes: int, seed: int = 0, steps: int = 100, batch_size: int = 32
) -> tuple[Finding, ...]:
    """Ask everything: `check_data`, `check_batch`, `check_training`, in this order. Look where the first fails.

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
