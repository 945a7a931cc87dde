"""Checks before and during a training: the first loss, a tiny set, the size of updates, the shape of the loss curve."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlnotes import checks
from dlnotes.numpy import gradient_clipping, training

if TYPE_CHECKING:
    from jaxtyping import Float

    # NumPy gives a scalar where an array would have no axes.
    Array = np.ndarray | np.generic

Arrays = dict[str, np.ndarray]


class FirstLossCheck(NamedTuple):
    """What the first loss was and should be, and whether it passes, for each run."""

    measured: np.ndarray
    expected: float
    near_chance: np.ndarray
    rises_with_penalty: np.ndarray


class TinySetReport(NamedTuple):
    """How training on a handful of examples went.

    Attributes:
        losses: Before each step and after the last, shape (*runs, steps + 1).
        steps_to_goal: How many steps it took to fall below the goal; -1 where it never did.
        passed: Whether it ever did.
    """

    losses: np.ndarray
    steps_to_goal: np.ndarray
    passed: np.ndarray


class TrainingReport(NamedTuple):
    """What the curves of each run show, as numbers and booleans of shape (*runs,).

    Attributes:
        first: The first loss.
        last: Mean loss over the last tenth.
        not_finite: A loss was nan or infinite.
        grew: The last loss is above the first.
        flat: It fell by less than the tolerance, a share of the first loss, and did not grow by more.
        at_chance: The last loss is within 5% of chance; False without a chance level.
        still_falling: The last tenth is lower than the one before by more than the tolerance.
        gap: Held-out loss minus training loss at the end; nan without held-out losses.
        least_update: The least median update ratio over the parameters; nan without ratios.
        greatest_update: The greatest one; nan without ratios.
    """

    first: np.ndarray
    last: np.ndarray
    not_finite: np.ndarray
    grew: np.ndarray
    flat: np.ndarray
    at_chance: np.ndarray
    still_falling: np.ndarray
    gap: np.ndarray
    least_update: np.ndarray
    greatest_update: np.ndarray


def expected_first_loss(classes: int, logit_deviation: float = 0.0) -> float:
    """Give the mean cross-entropy of a network that knows nothing yet.

        ln C                                        for C classes, if all logits are near 0
        E ln(sum_j exp(s z_j)),  z_j ~ N(0, 1)      if the start spreads the logits with deviation s

    The second is ln C + (1 - 1/C) s^2 / 2 for small s, and at most ln C + s^2 / 2. It is computed from
    E ln X = integral of (exp(-t) - E exp(-t X)) / t over t > 0, where E exp(-t X) is a power of the same for one class.

    Args:
        classes: C, at least 2, all taken to be equally frequent.
        logit_deviation: s, from 0 to 20: standard deviation of a logit over random starts.

    Returns:
        The loss in nats.

    Raises:
        ValueError: If a number is out of range.

    Source: derived in the chapter.
    """
    classes = checks.integer("classes", classes, at_least=2)
    deviation = checks.real("logit_deviation", logit_deviation, at_least=0, at_most=20)
    if deviation == 0:
        return math.log(classes)
    # Both integrands are smooth and vanish at the ends, where the trapezoidal rule converges faster than any power.
    z, dz = np.linspace(-9, 9, 1201, retstep=True)
    density = np.exp(-z * z / 2) * dz / math.sqrt(2 * math.pi)
    reach = 9 * deviation
    total = 0.0
    u, du = np.linspace(-40 - reach - math.log(classes), 5 + reach, 1500, retstep=True)
    for block in np.array_split(u, 15):
        with np.errstate(over="ignore", under="ignore"):
            one_class = np.exp(-np.exp(block[:, None] + deviation * z)) @ density
            total += (np.exp(-np.exp(block)) - one_class**classes).sum()
    return float(total * du)


def first_loss_check(
    losses: Float[np.ndarray, "*runs strengths"],
    strengths: Sequence[float],
    classes: int,
    *,
    logit_deviation: float = 0.0,
    tolerance: float = 0.1,
) -> FirstLossCheck:
    """Check that a network's first loss is what chance gives, and that it rises with the penalty.

        |L(0) - expected| <= tolerance,    L(0) < L(strength_1) < L(strength_2) < ...

    Args:
        losses: The loss before the first step, penalty included, for each strength of the penalty.
        strengths: At least two, rising, the first 0.
        classes: How many there are.
        logit_deviation: See `expected_first_loss`; 0 if the output weights start small.
        tolerance: In nats, above 0.

    Returns:
        The measured and the expected loss, and the two answers for each run.

    Raises:
        TypeError: If `losses` does not hold floating-point numbers.
        ValueError: If the shapes do not fit or a number is out of range.

    Source: derived in the chapter.
    """
    checks.integer("number of strengths", len(strengths), at_least=2)
    checks.real("first of strengths", strengths[0], at_least=0, at_most=0)
    for before, strength in itertools.pairwise(strengths):
        checks.real("strengths", strength, above=before)
    checks.last_axes("losses", checks.floating("losses", losses), len(strengths), of="strengths")
    tolerance = checks.real("tolerance", tolerance, above=0)
    expected = expected_first_loss(classes, logit_deviation)
    first = losses[..., 0]
    near = np.abs(first - expected) <= tolerance
    return FirstLossCheck(first, expected, near, (losses[..., 1:] > losses[..., :-1]).all(axis=-1))


def overfit_tiny_set(
    gradient: Callable[[Arrays], tuple[np.ndarray, Arrays]],
    parameters: Arrays,
    optimizer: training.Optimizer,
    *,
    steps: int = 300,
    goal: float = 0.01,
) -> TinySetReport:
    """Train on a handful of examples, which a network that works learns by heart.

        for each step: (loss, g) = gradient(parameters),  parameters <- parameters + update(g);  passed if loss < goal

    Args:
        gradient: `parameters -> (losses, grads)` on all of the tiny set, with one loss a run.
        parameters: Where to start.
        optimizer: An optimizer or a chain.
        steps: At least 1.
        goal: Above 0; in nats for cross-entropy.

    Returns:
        The losses, and for each run whether and when it passed.

    Raises:
        ValueError: If a number is out of range.

    Source: derived in the chapter.
    """
    steps = checks.integer("steps", steps, at_least=1)
    goal = checks.real("goal", goal, above=0)
    state, losses = optimizer.init(parameters), []
    with np.errstate(all="ignore"):  # a bug may make it diverge; that is a result
        for step in range(steps + 1):
            loss, grads = gradient(parameters)
            losses.append(loss)
            if step < steps:
                updates, state = optimizer.update(grads, state, parameters)
                parameters = training.apply_updates(parameters, updates)
    curve = np.stack(losses, axis=-1)
    below = curve < goal
    passed = below.any(axis=-1)
    return TinySetReport(curve, np.where(passed, below.argmax(axis=-1), -1), passed)


def update_ratios(params: Arrays, updates: Arrays, run_axes: int = 0) -> dict[str, Float[Array, "*runs"]]:
    """Compare the size of a step with the size of what it changes.

        |update| / |w|    for each parameter

    Args:
        params: w, before the step.
        updates: What is added to them.
        run_axes: How many leading axes are runs.

    Returns:
        The ratio of each parameter, one a run: infinite where all of w is 0, and 0 where the update is.

    Raises:
        ValueError: If the names or shapes differ, or `run_axes` is out of range.

    Source: derived in the chapter.
    """
    checks.same_names("updates", updates, "params", params)
    ratios = {}
    for name, w in params.items():
        checks.same_shape(f"updates[{name!r}]", updates[name], f"params[{name!r}]", w)
        length, step = gradient_clipping.norm(w, run_axes), gradient_clipping.norm(updates[name], run_axes)
        quotient = step / np.where(length > 0, length, 1)
        ratios[name] = np.where((length == 0) & (step > 0), np.inf, quotient)[()]
    return ratios


def _curve(name: str, curve: np.ndarray, runs: tuple[int, ...]) -> np.ndarray:
    """Give a curve back if it has a value for each run."""
    checks.rank(name, checks.floating(name, curve), exactly=len(runs) + 1)
    checks.axis(name, curve, -1, at_least=1, described="values")
    checks.last_axes(name, curve, *runs, curve.shape[-1], of="losses")
    return curve


def training_report(
    losses: Float[np.ndarray, "*runs steps"],
    *,
    chance: float | None = None,
    held_out: Float[np.ndarray, "*runs measurements"] | None = None,
    ratios: dict[str, Float[np.ndarray, "*runs ratio_steps"]] | None = None,
    tolerance: float = 0.01,
) -> TrainingReport:
    """Read the curves of a training as one who looks over them would.

        last = mean of the last tenth of the losses;  flat if |first - last| <= tolerance * first;  ...

    Args:
        losses: Training loss at each step, at least two.
        chance: The loss of guessing, ln C for C classes; None if there is no such level.
        held_out: Held-out loss at each measurement, at least one.
        ratios: What `update_ratios` gave at each step, by parameter.
        tolerance: The share of the first loss that counts as a change, above 0.

    Returns:
        What was seen, for each run.

    Raises:
        TypeError: If `losses` does not hold floating-point numbers.
        ValueError: If there are fewer than two losses, the runs do not fit, or a number is out of range.

    Source: derived in the chapter.
    """
    checks.rank("losses", checks.floating("losses", losses), at_least=1)
    checks.axis("losses", losses, -1, at_least=2, described="steps")
    tolerance = checks.real("tolerance", tolerance, above=0)
    runs, tenth = losses.shape[:-1], max(1, losses.shape[-1] // 10)
    unknown = np.full(runs, np.nan)
    with np.errstate(all="ignore"):
        first, last = losses[..., 0], losses[..., -tenth:].mean(axis=-1)
        before = losses[..., -2 * tenth : -tenth].mean(axis=-1)
        change = tolerance * np.abs(first)
        at_chance = np.zeros(runs, dtype=bool)
        if chance is not None:
            at_chance = np.abs(last - checks.real("chance", chance, above=0)) <= 0.05 * chance
        gap = unknown
        if held_out is not None:
            gap = _curve("held_out", held_out, runs)[..., -1] - last
        least, greatest = unknown, unknown
        if ratios:
            curves = [_curve(f"ratios[{name!r}]", ratio, runs) for name, ratio in ratios.items()]
            medians = np.stack([np.median(curve, axis=-1) for curve in curves])
            least, greatest = medians.min(axis=0), medians.max(axis=0)
        return TrainingReport(
            first,
            last,
            ~np.isfinite(losses).all(axis=-1),
            last > first + change,
            np.abs(first - last) <= change,
            at_chance,
            before - last > change,
            gap,
            least,
            greatest,
        )


def describe(report: TrainingReport, run: tuple[int, ...] = ()) -> tuple[str, ...]:
    """Say in words what a report shows of one run, and what to look at next.

    Args:
        report: From `training_report`.
        run: Which run, as an index; () where there are no run axes.

    Returns:
        One sentence for each finding, the gravest first.

    Raises:
        ValueError: If `run` has another length than the report has run axes.

    Source: derived in the chapter.
    """
    axes = np.ndim(report.first)
    checks.integer("length of run", len(run), at_least=axes, at_most=axes)
    seen = TrainingReport(*(np.asarray(value)[run] for value in report))
    still = seen.flat | seen.at_chance
    small, great = f"{seen.least_update:.0e}", f"{seen.greatest_update:.0e}"
    nothing_moves = seen.greatest_update < 1e-4
    findings = [
        (
            seen.not_finite,
            "The loss is not finite: the learning rate is too high, or a logarithm or quotient overflows.",
        ),
        (seen.grew, "The loss ends above its first value: the learning rate is too high."),
        (
            still & nothing_moves,
            f"The loss does not move, and no parameter moves by more than {great} of its size a step: "
            "the learning rate is too low, or no gradient arrives.",
        ),
        (
            still & ~nothing_moves,
            "The loss does not move. Too high a rate can do this as well as too low a one: units may be dead or "
            "saturated. Look at the update ratios and the activations.",
        ),
        (seen.greatest_update > 0.1, f"A parameter moves by {great} of its size a step, which is much."),
        (~still & (seen.least_update < 1e-5), f"A parameter moves by {small} of its size a step: it hardly learns."),
        (seen.still_falling, "The loss is still falling: train longer."),
        (
            seen.gap > 0.5 * np.abs(seen.last) + 0.1,
            f"The held-out loss ends {seen.gap:.2f} above the training loss: it overfits.",
        ),
    ]
    return tuple(sentence for applies, sentence in findings if applies)
