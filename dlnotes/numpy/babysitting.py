"""Checks before and during a training: the first loss, a tiny set, the size of updates, the shape of the loss curve."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dlnotes import checks, optimizers, precision
from dlnotes.numpy import gradient_clipping

if TYPE_CHECKING:
    from jaxtyping import Float, Int

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
    """What the curves of each run show, as numbers, booleans and names of shape (*runs,).

    Attributes:
        first: The first loss.
        last: Mean loss over the last tenth.
        not_finite: A loss was nan or infinite before the run was stopped.
        grew: The loss ends above its first value and above its first fifth, by more than its noise.
        turned: After its least value it has risen by more than its noise.
        flat: It did not move by more than its noise, or by less than the tolerance.
        at_chance: The last loss is within 5% of chance; False without a chance level.
        still_falling: It falls through the last fifth by more than its noise.
        gap: Held-out loss minus training loss at the end; nan without held-out losses.
        overfits: After its least value the held-out loss has risen by more than its noise, the training loss has not.
        least_update: The least median update ratio over the parameters; nan without ratios.
        least_name: The parameter that has it; "" without ratios.
        greatest_update: The greatest one; nan without ratios.
        greatest_name: The parameter that has it; "" without ratios.
        unmoved: Parameters whose ratio was 0 in all of the last fifth, joined by commas; "" where there are none.
    """

    first: np.ndarray
    last: np.ndarray
    not_finite: np.ndarray
    grew: np.ndarray
    turned: np.ndarray
    flat: np.ndarray
    at_chance: np.ndarray
    still_falling: np.ndarray
    gap: np.ndarray
    overfits: np.ndarray
    least_update: np.ndarray
    least_name: np.ndarray
    greatest_update: np.ndarray
    greatest_name: np.ndarray
    unmoved: np.ndarray


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

    Source: derived in symmetry_breaking#eq-small-logits.
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

        |L(0) - expected| <= tolerance + 2 d,    d^2 = (C - 1) / C^2 v (1 + v / 2),    v = logit_deviation^2
        L(0) < L(strength_1) < L(strength_2) < ...

    A start whose logits are not small misses ln C: He's and Xavier's starts need their `logit_deviation`. It also
    misses the mean over starts, since all examples see the same weights; d is that spread where it is largest.

    Derivation: To second order the loss of an example is ln C + (mean_c z_c - z_y) + Var_c(z) / 2. Let the logits of
    each class have variance v over starts, a share r of it common to all examples and the rest common to those of one
    class, with equally many examples in each. The middle term then has variance (1 - r) v (C - 1) / C^2 over starts,
    and the last one v^2 (C - 1) / (2 C^2) (r^2 + (1 - r^2) / C). Each is at most its value at r = 0 and at r = 1.

    Args:
        losses: The loss before the first step, penalty included, for each strength of the penalty.
        strengths: At least two, rising, the first 0.
        classes: C, how many there are.
        logit_deviation: See `expected_first_loss`; 0 if the output weights start small.
        tolerance: In nats, above 0; for a finite number of examples and for unequal classes.

    Returns:
        The measured and the expected loss, and the two answers for each run.

    Raises:
        TypeError: If `losses` does not hold floating-point numbers.
        ValueError: If the shapes do not fit or a number is out of range.

    Source: derived here.
    """
    checks.integer("number of strengths", len(strengths), at_least=2)
    checks.real("first of strengths", strengths[0], at_least=0, at_most=0)
    for before, strength in itertools.pairwise(strengths):
        checks.real("strengths", strength, above=before)
    checks.last_axes("losses", checks.floating("losses", losses), len(strengths), of="strengths")
    tolerance = checks.real("tolerance", tolerance, above=0)
    expected = expected_first_loss(classes, logit_deviation)
    first, variance = losses[..., 0], logit_deviation**2
    spread = math.sqrt((classes - 1) * variance * (1 + variance / 2)) / classes
    near = np.abs(first - expected) <= tolerance + 2 * spread
    return FirstLossCheck(first, expected, near, (losses[..., 1:] > losses[..., :-1]).all(axis=-1))


def overfit_tiny_set(
    gradient: Callable[[Arrays], tuple[np.ndarray, Arrays]],
    parameters: Arrays,
    optimizer: optimizers.Optimizer,
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

    Source: definition.
    """
    steps = checks.integer("steps", steps, at_least=1)
    goal = checks.real("goal", goal, above=0)
    checks.integer("number of parameters", len(parameters), at_least=1)
    optimizers.check_optimizer("optimizer", optimizer)
    state, losses = optimizer.init(parameters), []
    with np.errstate(all="ignore"):  # a bug may make it diverge; that is a result
        for step in range(steps + 1):
            loss, grads = gradient(parameters)
            losses.append(loss)
            if step < steps:
                updates, state = optimizer.update(grads, state, parameters)
                parameters = optimizers.apply_updates(parameters, updates)
    curve = np.stack(losses, axis=-1)
    below = curve < goal
    passed = below.any(axis=-1)
    return TinySetReport(curve, np.where(passed, below.argmax(axis=-1), -1), passed)


def update_ratios(params: Arrays, updates: Arrays, run_axes: int = 0) -> dict[str, Float[Array, "*runs"]]:
    """Compare the size of a step with the size of what it changes.

        |update| / |w|    for each parameter

    A ratio of 0 says that the parameter stands still: no gradient arrives, or it is frozen.

    Args:
        params: w, before the step.
        updates: What is added to them.
        run_axes: How many leading axes are runs.

    Returns:
        The ratio of each parameter, one a run, in float32 for 16 bits: infinite where all of w is 0 and the update is
        not, nan where both are or where a number is nan.

    Raises:
        ValueError: If the names or shapes differ, or `run_axes` is out of range.

    Source: definition.
    """
    checks.same_names("updates", updates, "params", params)
    ratios = {}
    for name, w in params.items():
        checks.same_shape(f"updates[{name!r}]", updates[name], f"params[{name!r}]", w)
        length, step = (gradient_clipping.norm(precision.single(array), run_axes) for array in (w, updates[name]))
        with np.errstate(all="ignore"):
            ratios[name] = step / length
    return ratios


@functools.cache
def _chances_of_inversions(values: int) -> np.ndarray:
    """Give P(a random order of so many different values has at most k pairs that fall), for k = 0, 1, ..."""
    chances = np.ones(1)
    for placed in range(2, values + 1):  # the next value stands before 0, 1, ... of those that are placed
        chances = np.convolve(chances, np.full(placed, 1 / placed))
    return np.cumsum(chances)


@functools.cache
def _chances_of_losses(before: int, after: int) -> np.ndarray:
    """Give P(at most k of all pairs have the larger value in the first of two sets), for k = 0, 1, ..."""
    ways = np.zeros((before + 1, before * after + 1))
    ways[0, 0] = 1
    for place in range(before + after):  # from the least value up, each belongs to one of the sets
        for taken in range(min(place, before - 1), -1, -1):
            beaten = place - taken
            if beaten <= after:
                ways[taken + 1, beaten:] += ways[taken, : ways.shape[1] - beaten]
    return np.cumsum(ways[before]) / math.comb(before + after, after)


def _chance(chances: np.ndarray, pairs: Array) -> np.ndarray:
    """Give the chance of at most so many pairs; where a tie counted half, that of the next whole number."""
    known = ~np.isnan(pairs)
    return np.where(known, chances[np.ceil(np.where(known, pairs, 0)).astype(int)], np.nan)


def _larger_first(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Give 1 where the first of two values is larger, 1/2 where they are equal, nan where one is nan."""
    return np.where(np.isnan(before + after), np.nan, (before > after) + (before == after) / 2)


def rise_probability(values: Float[np.ndarray, "*runs values"]) -> Float[Array, "*runs"]:
    """Give the probability with which values without a trend would rise as steadily as these.

        P(inversions of a random order <= inversions),    inversions = how many pairs i < j have v_i > v_j

    All orders of values drawn independently from one distribution are equally likely, whichever it is, so a rule that
    speaks where this is at most q is wrong with probability at most q. That is Kendall's test of a trend. A tie counts
    as half an inversion.

    Args:
        values: In the order of time, at least one. Neighbors must not depend on each other: of a curve, take means of
            blocks longer than its memory.

    Returns:
        From 1 / n! where n values rise throughout, to 1; nan where a value is.

    Raises:
        TypeError: If `values` does not hold floating-point numbers.
        ValueError: If there is no value.

    Source: Kendall (1938) for the test; derived here.

    Derivation: Place the values one after the other, from the largest down, into a row in order of time. The k-th is
    smaller than the k - 1 that stand there, and at each of its k places, all equally likely, it comes after another
    number of them: 0 to k - 1 inversions. The counts are independent and add up.
    """
    checks.rank("values", checks.floating("values", values), at_least=1)
    count = checks.axis("values", values, -1, at_least=1, described="values").shape[-1]
    earlier, later = np.triu_indices(count, 1)
    pairs = _larger_first(values[..., earlier], values[..., later]).sum(axis=-1)
    return _chance(_chances_of_inversions(count), pairs + 0 * values.sum(axis=-1))[()]


def higher_probability(
    before: Float[np.ndarray, "*runs first"], after: Float[np.ndarray, "*runs second"]
) -> Float[Array, "*runs"]:
    """Give the probability with which two sets of values at one level would differ as these do, the second above.

        P(pairs of a random division <= pairs),    pairs = how many pairs have before_i > after_j

    It is the test of Mann and Whitney, right for any one distribution as `rise_probability` is. A tie counts as half
    a pair.

    Args:
        before: At least one value.
        after: At least one value.

    Returns:
        From 1 / binomial(m + n, n) where all m values before are below all n after, to 1; nan where a value is.

    Raises:
        TypeError: If an array does not hold floating-point numbers.
        ValueError: If there is no value, or the runs differ.

    Source: Mann and Whitney (1947) for the test; derived here.

    Derivation: At one level, each division of the m + n values into two sets is equally likely. Go through them from
    the least up: one of the first set has more than as many pairs as there are values of the second below it. Counting
    the divisions by their pairs, value by value, gives the distribution.
    """
    for name, values in (("before", before), ("after", after)):
        checks.rank(name, checks.floating(name, values), at_least=1)
        checks.axis(name, values, -1, at_least=1, described="values")
    checks.last_axes("after", after, *before.shape[:-1], after.shape[-1], of="before")
    pairs = _larger_first(before[..., :, None], after[..., None, :]).sum(axis=(-2, -1))
    return _chance(_chances_of_losses(before.shape[-1], after.shape[-1]), pairs)[()]


# Means of so many blocks enter a test: few enough to be longer than the memory of most curves, and enough for a verdict
# at one in a thousand (8 values rise throughout with probability 1 / 40,320).
BLOCKS = 8


def _block_means(values: np.ndarray) -> np.ndarray:
    """Give the means of BLOCKS pieces of a curve, of each value where there are no more."""
    return np.array([piece.mean() for piece in np.array_split(values, min(BLOCKS, len(values)))])


def _moved(losses: np.ndarray, end: np.ndarray, change: float, rate: float) -> bool:
    """Say whether the end of a curve is at another level than its first fifth, its first values or its first value."""
    sample = end[:: max(1, len(end) // 100)][:100]  # enough, and the distribution of their pairs is soon computed
    start = losses[: len(end)]
    for early, late in ((_block_means(start), _block_means(end)), (losses[: min(BLOCKS, len(end))], sample)):
        chance = min(higher_probability(early, late), higher_probability(late, early))
        if abs(early.mean() - end.mean()) > change and chance <= rate / 2:
            return True
    if losses[0] and not 0.5 <= end.mean() / losses[0] <= 2:  # whatever the noise, that is not standing still
        return True
    # Cantelli: a value lies more than k deviations to one side with probability at most 1 / (1 + k^2).
    return bool(abs(losses[0] - end.mean()) > max(change, math.sqrt(1 / rate - 1) * end.std()))


def _turned(values: np.ndarray, change: float, rate: float) -> bool:
    """Say whether a curve rises after its least value, which is itself left out: it was chosen for being low."""
    rest = values[np.argmin(values) + 1 :]
    if not len(rest) or not np.isfinite(values).all():
        return False
    means = _block_means(rest)
    return bool(means[-1] - means[0] > change and rise_probability(means) <= rate)


def _read_losses(losses: np.ndarray, tolerance: float, rate: float) -> dict[str, Any]:
    """Read the training losses of one run."""
    largest = np.abs(losses).max()
    finite = bool(np.isfinite(largest))
    scale = largest if finite and largest > 0 else 1.0
    own = losses / scale  # so that no sum or square overflows
    count = len(own)
    tenth, fifth = max(1, count // 10), max(1, count // 5, min(count // 2, BLOCKS))
    end, last = own[-fifth:], own[-tenth:].mean()
    change = tolerance * abs(own[0])
    found = {"first": losses[0], "last": last * scale, "not_finite": not finite}
    if not finite:
        return found | dict.fromkeys(("grew", "turned", "flat", "still_falling"), False)
    start = own[:fifth]
    higher = higher_probability(_block_means(start), _block_means(end)) <= rate
    grew = higher and last - max(own[0], start.mean()) > change
    outgrew = last > 2 * own[0] and own[0] < own[1:].min()  # a jump in the first steps is over in the first fifth
    fall = own[-2 * tenth : -tenth].mean() - last if count > tenth else 0.0
    return found | {
        "grew": grew or outgrew,
        "turned": _turned(own, change, rate),
        "flat": not (outgrew or _moved(own, end, change, rate)),
        "still_falling": fall > change and rise_probability(-_block_means(end)) <= rate,
    }


def _read_ratios(ratios: dict[str, np.ndarray]) -> dict[str, Any]:
    """Read the update ratios of one run; a parameter that has none, because it is 0 and stays 0, is passed over."""
    medians = {name: np.median(own) for name, ratio in ratios.items() if (own := ratio[~np.isnan(ratio)]).size}
    if not medians:
        nothing = {"least_update": np.nan, "greatest_update": np.nan, "least_name": "", "greatest_name": ""}
        return nothing | {"unmoved": ""}
    least, greatest = min(medians, key=medians.get), max(medians, key=medians.get)
    still = [name for name, ratio in ratios.items() if (ratio[-max(1, len(ratio) // 5) :] == 0).all()]
    return {
        "least_update": medians[least],
        "least_name": least,
        "greatest_update": medians[greatest],
        "greatest_name": greatest,
        "unmoved": ", ".join(still),
    }


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
    stopped_at: Int[Array, "*runs"] | None = None,
    tolerance: float = 0.01,
    false_alarm_rate: float = 0.001,
) -> TrainingReport:
    """Read the curves of a training as one who looks over them would, and take no noise for a trend.

        grew:           higher_probability(first fifth, last fifth) <= false_alarm_rate, and the rise is large
        still falling:  rise_probability(-last fifth) <= false_alarm_rate, and the fall is large
        turned:         rise_probability(what follows the least value) <= false_alarm_rate, and the rise is large

    each from the means of 8 blocks; "large" is more than tolerance times the first loss. On noise without a trend each
    speaks with probability at most the false-alarm rate if a block is longer than the memory of the noise. Seven blocks
    are the least that can speak at a rate of 0.001: fewer losses, or measurements after the least, tell nothing.
    A run also grew if its first loss is less than all others and than half the last, as after a first step that was far
    too long; noise does that with probability at most 1 / steps, and not at all if it stays above half its mean.

    Args:
        losses: Training loss at each step, at least two.
        chance: The loss of guessing, ln C for C classes; None if there is no such level.
        held_out: Held-out loss at each measurement, at least one.
        ratios: What `update_ratios` gave at each step, by parameter.
        stopped_at: The step at which each run was stopped, as in `training.Training`; the losses from there on, which
            are nan, are left out. None if no run was stopped.
        tolerance: The share of the first loss that counts as a change, above 0.
        false_alarm_rate: Above 0 and below 1.

    Returns:
        What was seen, for each run.

    Raises:
        TypeError: If `losses` does not hold floating-point numbers.
        ValueError: If there are fewer than two losses, the runs do not fit, or a number is out of range.

    Source: derived here.

    Derivation: see `rise_probability` and `higher_probability`.
    """
    checks.rank("losses", checks.floating("losses", losses), at_least=1)
    steps = checks.axis("losses", losses, -1, at_least=2, described="steps").shape[-1]
    tolerance = checks.real("tolerance", tolerance, above=0)
    rate = checks.real("false_alarm_rate", false_alarm_rate, above=0, below=1)
    runs, ratios = losses.shape[:-1], ratios or {}
    level = np.nan if chance is None else checks.real("chance", chance, above=0)
    if held_out is not None:
        _curve("held_out", held_out, runs)
    for name, ratio in ratios.items():
        _curve(f"ratios[{name!r}]", ratio, runs)
    ends = np.full(runs, steps) if stopped_at is None else checks.integers("stopped_at", np.asarray(stopped_at))
    checks.shaped("stopped_at", ends, runs, of="the runs of losses")
    checks.reals("stopped_at", ends, at_least=2, at_most=steps)
    found = {field: np.empty(runs, dtype=object) for field in TrainingReport._fields}
    for run in np.ndindex(*runs):
        end = ends[run]
        with np.errstate(all="ignore"):
            seen = _read_losses(losses[run][:end], tolerance, rate)
            seen |= _read_ratios({k: r[run][:end] if r.shape[-1] == steps else r[run] for k, r in ratios.items()})
            seen["at_chance"] = bool(abs(seen["last"] - level) <= 0.05 * level)
            seen |= {"gap": np.nan, "overfits": False}
            if held_out is not None:
                own = held_out[run]
                turned = _turned(own, tolerance * abs(own[0]), rate)
                quiet = not (seen["not_finite"] or seen["grew"] or seen["turned"])
                seen |= {"gap": own[-1] - seen["last"], "overfits": turned and quiet}
        for field, values in found.items():
            values[run] = seen[field]
    kinds = dict.fromkeys(("first", "last", "gap"), losses.dtype)
    return TrainingReport(**{field: np.array(values.tolist(), kinds.get(field)) for field, values in found.items()})


def describe(report: TrainingReport, run: tuple[int, ...] = ()) -> tuple[str, ...]:
    """Say in words what a report shows of one run, and what to look at next.

    Args:
        report: From `training_report`.
        run: Which run, as an index; () where there are no run axes.

    Returns:
        One sentence for each finding, the gravest first.

    Raises:
        ValueError: If `run` has another length than the report has run axes.

    Source: derived here.

    Derivation: each sentence says what a field of `TrainingReport` says.
    """
    axes = np.ndim(report.first)
    checks.integer("length of run", len(run), at_least=axes, at_most=axes)
    seen = TrainingReport(*(np.asarray(value)[run] for value in report))
    small, great = f"{seen.least_update:.0e}", f"{seen.greatest_update:.0e}"
    nothing_moves = seen.greatest_update < 1e-4
    findings = [
        (seen.not_finite, "The loss is not finite: the rate is too high, or a logarithm or quotient overflows."),
        (seen.grew, "The loss ends above where it began: the learning rate is too high, or a sign is wrong."),
        (seen.turned & ~seen.grew, "The loss rises again after its least value: the learning rate may be too high."),
        (seen.unmoved != "", f"These parameters stand still: {seen.unmoved}. No gradient arrives, or they are frozen."),
        (
            seen.flat & nothing_moves,
            f"The loss does not move beyond its noise, and no parameter moves by more than {great} of its size a step: "
            "the learning rate is too low, or no gradient arrives.",
        ),
        (
            seen.flat & ~nothing_moves,
            "The loss does not move beyond its noise. Too high a rate can do this as well as too low a one: units may "
            "be dead or saturated. Look at the update ratios and the activations.",
        ),
        (
            seen.at_chance & ~seen.flat & ~seen.still_falling,
            "The loss ends at that of guessing and falls no more. Look at the update ratios and the activations.",
        ),
        (seen.greatest_update > 0.1, f"{seen.greatest_name} moves by {great} of its size a step, which is much."),
        (0 < seen.least_update < 1e-5, f"{seen.least_name} moves by {small} of its size a step: it hardly learns."),
        (seen.still_falling, "The loss is still falling: train longer."),
        (
            seen.overfits,
            "The held-out loss rises again after its least value, the training loss does not: it overfits.",
        ),
        (
            seen.gap > 0.5 * np.abs(seen.last) + 0.1,
            f"The held-out loss ends {seen.gap:.2f} above the training loss: more data or a penalty may help.",
        ),
    ]
    return tuple(sentence for applies, sentence in findings if applies)
