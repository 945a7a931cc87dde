"""Learning rates as functions of the step.

Every schedule takes the step first and the rate to start from second. The step is a whole number, or an array of them
for a plot; the rate is a number, or an array with one number a run. For an optimizer, close it over its constants:
`Adam(lambda step: schedules.cosine(step, 1e-3, 500))`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from dlnotes import checks
from dlnotes.numpy import many_runs, momentum

if TYPE_CHECKING:
    from jaxtyping import Float

Arrays = dict[str, np.ndarray]
Number = int | float | np.ndarray | np.generic


def _steps(step: Number) -> np.ndarray:
    # An array in any case, so that one run and many are computed by the same loops of NumPy and agree to the bit.
    return np.asarray(step, dtype=np.float64)


def step_decay(step: Number, learning_rate: Number, every: int, factor: Number = 0.1) -> Number:
    """Lower the rate by a factor every so many steps.

        rate = learning_rate * factor^floor(step / every)

    Args:
        step: Steps taken so far, at least 0.
        learning_rate: The rate to start from, at least 0.
        every: Steps between two drops, at least 1.
        factor: What each drop multiplies by, above 0 and at most 1.

    Returns:
        The rate.

    Raises:
        ValueError: If a number is out of range.

    Source: definition.
    """
    checks.reals("step", step, at_least=0)
    checks.reals("learning_rate", learning_rate, at_least=0)
    checks.integer("every", every, at_least=1)
    checks.reals("factor", factor, above=0, at_most=1)
    return learning_rate * np.power(factor, np.floor_divide(_steps(step), every))


def exponential_decay(step: Number, learning_rate: Number, factor: Number) -> Number:
    """Lower the rate by the same factor in every step.

        rate = learning_rate * factor^step

    Args:
        step: Steps taken so far, at least 0.
        learning_rate: The rate to start from, at least 0.
        factor: What each step multiplies by, above 0 and at most 1.

    Returns:
        The rate.

    Raises:
        ValueError: If a number is out of range.

    Source: definition.
    """
    checks.reals("step", step, at_least=0)
    checks.reals("learning_rate", learning_rate, at_least=0)
    checks.reals("factor", factor, above=0, at_most=1)
    return learning_rate * np.power(factor, _steps(step))


def inverse_time_decay(step: Number, learning_rate: Number, decay: Number, power: Number = 1.0) -> Number:
    """Lower the rate like a power of one over time.

        rate = learning_rate / (1 + decay * step)^power

    With power above 1/2 and at most 1 the rates have an infinite sum and a finite sum of squares, the conditions of
    Robbins and Monro for convergence under noise.

    Args:
        step: Steps taken so far, at least 0.
        learning_rate: The rate to start from, at least 0.
        decay: At least 0; at step 1 / decay the denominator is 2^power.
        power: At least 0.

    Returns:
        The rate.

    Raises:
        ValueError: If a number is out of range.

    Source: Robbins and Monro (1951) for the conditions.
    """
    checks.reals("step", step, at_least=0)
    checks.reals("learning_rate", learning_rate, at_least=0)
    checks.reals("decay", decay, at_least=0)
    checks.reals("power", power, at_least=0)
    return learning_rate / np.power(1 + decay * _steps(step), power)


def cosine(step: Number, learning_rate: Number, steps: int, final_rate: Number = 0.0) -> Number:
    """Lower the rate along half a cosine, and keep it there.

        rate = final_rate + (learning_rate - final_rate) (1 + cos(pi min(step / steps, 1))) / 2

    Args:
        step: Steps taken so far, at least 0.
        learning_rate: The rate to start from, at least 0.
        steps: Steps until the final rate, at least 1.
        final_rate: The rate from then on, at least 0.

    Returns:
        The rate.

    Raises:
        ValueError: If a number is out of range.

    Source: Loshchilov and Hutter (2017), without restarts.
    """
    checks.reals("step", step, at_least=0)
    checks.reals("learning_rate", learning_rate, at_least=0)
    checks.integer("steps", steps, at_least=1)
    checks.reals("final_rate", final_rate, at_least=0)
    share = np.minimum(_steps(step) / steps, 1)
    return final_rate + (learning_rate - final_rate) * ((1 + np.cos(np.pi * share)) / 2)


def linear(step: Number, learning_rate: Number, steps: int, final_rate: Number = 0.0) -> Number:
    """Lower the rate in a straight line, and keep it there.

        rate = final_rate + (learning_rate - final_rate) (1 - min(step / steps, 1))

    Args:
        step: Steps taken so far, at least 0.
        learning_rate: The rate to start from, at least 0.
        steps: Steps until the final rate, at least 1.
        final_rate: The rate from then on, at least 0.

    Returns:
        The rate.

    Raises:
        ValueError: If a number is out of range.

    Source: definition.
    """
    checks.reals("step", step, at_least=0)
    checks.reals("learning_rate", learning_rate, at_least=0)
    checks.integer("steps", steps, at_least=1)
    checks.reals("final_rate", final_rate, at_least=0)
    return final_rate + (learning_rate - final_rate) * np.maximum(1 - _steps(step) / steps, 0)


def one_minus_sqrt(step: Number, learning_rate: Number, steps: int, final_rate: Number = 0.0) -> Number:
    """Lower the rate like one minus a root, fast at first, and keep it there.

        rate = final_rate + (learning_rate - final_rate) (1 - sqrt(min(step / steps, 1)))

    Args:
        step: Steps taken so far, at least 0.
        learning_rate: The rate to start from, at least 0.
        steps: Steps until the final rate, at least 1.
        final_rate: The rate from then on, at least 0.

    Returns:
        The rate.

    Raises:
        ValueError: If a number is out of range.

    Source: Hägele et al. (2024).
    """
    checks.reals("step", step, at_least=0)
    checks.reals("learning_rate", learning_rate, at_least=0)
    checks.integer("steps", steps, at_least=1)
    checks.reals("final_rate", final_rate, at_least=0)
    share = np.minimum(_steps(step) / steps, 1)
    return final_rate + (learning_rate - final_rate) * (1 - np.sqrt(share))


def cosine_restarts(
    step: Number, learning_rate: Number, steps: int, growth: int = 1, final_rate: Number = 0.0
) -> Number:
    """Lower the rate along half a cosine, jump back up, and begin again with a longer one.

        rate = cosine(step - start_k, learning_rate, steps growth^k, final_rate)
        in cycle k, that begins at start_k = steps (1 + growth + ... + growth^(k - 1))

    Args:
        step: Steps taken so far, at least 0.
        learning_rate: The rate at the start of each cycle, at least 0.
        steps: Steps of the first cycle, at least 1.
        growth: How many times as long each cycle is as the one before it, at least 1.
        final_rate: What the rate falls toward in each cycle, at least 0.

    Returns:
        The rate.

    Raises:
        ValueError: If a number is out of range.

    Source: Loshchilov and Hutter (2017).
    """
    checks.reals("step", step, at_least=0)
    checks.reals("learning_rate", learning_rate, at_least=0)
    checks.integer("steps", steps, at_least=1)
    checks.integer("growth", growth, at_least=1)
    checks.reals("final_rate", final_rate, at_least=0)
    position = np.mod(_steps(step), steps) if growth == 1 else _steps(step)
    length = np.full_like(position, steps)
    while (over := position >= length).any():
        position = np.where(over, position - length, position)
        length = np.where(over, growth * length, length)
    return final_rate + (learning_rate - final_rate) * ((1 + np.cos(np.pi * position / length)) / 2)


def one_cycle(
    step: Number, learning_rate: Number, steps: int, rise: float = 0.3, start: float = 25.0, end: float = 1e4
) -> Number:
    """Raise the rate along half a cosine, and lower it along another one, far below where it began.

        rate = learning_rate (1/start + (1 - 1/start) (1 - cos(pi step / top)) / 2)    up to top = rise steps - 1
        then from learning_rate to learning_rate / (start end), at step steps - 1, along half a cosine

    Args:
        step: Steps taken so far, at least 0.
        learning_rate: The largest rate, at least 0.
        steps: Steps in all, at least 2.
        rise: Share of the steps in which the rate rises, from 0 to below 1.
        start: The largest rate over that of the first step, above 0.
        end: The rate of the first step over that of the last, above 0.

    Returns:
        The rate.

    Raises:
        ValueError: If a number is out of range.

    Source: Smith and Topin (2018); the cosines and the numbers are those of PyTorch.
    """
    checks.reals("step", step, at_least=0)
    checks.reals("learning_rate", learning_rate, at_least=0)
    checks.integer("steps", steps, at_least=2)
    checks.real("rise", rise, at_least=0, below=1)
    checks.real("start", start, above=0)
    checks.real("end", end, above=0)
    top = max(rise * steps - 1, 0.0)
    risen = np.minimum(_steps(step) / top, 1) if top else 1.0
    fallen = np.clip((_steps(step) - top) / (steps - 1 - top), 0, 1) if steps - 1 > top else 1.0
    up = 1 / start + (1 - 1 / start) * ((1 - np.cos(np.pi * risen)) / 2)
    low = 1 / (start * end)
    down = low + (1 - low) * ((1 + np.cos(np.pi * fallen)) / 2)
    return learning_rate * np.where(_steps(step) <= top, up, down)


def reduce_on_plateau(
    losses: Float[np.ndarray, "*runs time"],
    learning_rate: float,
    patience: int = 10,
    factor: float = 0.1,
    threshold: float = 1e-4,
) -> Float[np.ndarray, "*runs time"]:
    """Lower the rate by a factor whenever a loss has not become lower for a while.

        a loss is better if it is below (1 - threshold) times the best so far
        after more than `patience` in a row that are not: rate <- factor rate, and the count begins again

    A loss that is nan is not better.

    Args:
        losses: What was measured, the last axis is time.
        learning_rate: The rate to start from, at least 0.
        patience: How many losses in a row may be no better, at least 0.
        factor: What is left of the rate, above 0 and at most 1.
        threshold: By which share a loss has to be below the best, from 0 to below 1.

    Returns:
        The rate after each loss, for what follows it.

    Raises:
        TypeError: If `losses` does not hold floating-point numbers.
        ValueError: If `losses` has no axis, or a number is out of range.

    Source: definition, as in PyTorch's ReduceLROnPlateau.
    """
    checks.rank("losses", checks.floating("losses", losses), at_least=1)
    checks.real("learning_rate", learning_rate, at_least=0)
    checks.integer("patience", patience, at_least=0)
    checks.real("factor", factor, above=0, at_most=1)
    checks.real("threshold", threshold, at_least=0, below=1)
    rates = np.empty(losses.shape)
    best, rate = np.full(losses.shape[:-1], np.inf), np.full(losses.shape[:-1], float(learning_rate))
    waited = np.zeros(losses.shape[:-1], dtype=int)
    for time in range(losses.shape[-1]):
        better = losses[..., time] < best * (1 - threshold)
        best = np.where(better, losses[..., time], best)
        waited = np.where(better, 0, waited + 1)
        rate = np.where(waited > patience, factor * rate, rate)
        waited = np.where(waited > patience, 0, waited)
        rates[..., time] = rate
    return rates


def warm_up(step: Number, learning_rate: Number, steps: int) -> Number:
    """Raise the rate in a straight line, and keep it there.

        rate = learning_rate * min((step + 1) / (steps + 1), 1)

    The first step, at step 0, has one part in steps + 1 of the rate, not zero; from step `steps` on it is the full
    rate. A schedule that is to follow starts at its own step 0 where the warm-up ends, by `join`; in
    `warm_up(step, cosine(step, 1e-3, 500), 50)` the cosine would fall from the start, and the full rate never come.

    LinearLR of PyTorch is the same with start_factor 1 / (steps + 1). In optax's warmup_cosine_decay_schedule the
    number of decay steps counts the warm-up too.

    Args:
        step: Steps taken so far, at least 0.
        learning_rate: The rate to reach, at least 0.
        steps: Steps below the full rate, at least 0.

    Returns:
        The rate.

    Raises:
        ValueError: If a number is out of range.

    Source: Goyal et al. (2017), for the gradual form.
    """
    checks.reals("step", step, at_least=0)
    checks.reals("learning_rate", learning_rate, at_least=0)
    checks.integer("steps", steps, at_least=0)
    return learning_rate * np.minimum((_steps(step) + 1) / (steps + 1), 1)


def join(step: Number, parts: Sequence[Callable[[Number], Number]], boundaries: Sequence[int]) -> Number:
    """Let one schedule follow another, each counted from 0 where it begins.

        rate = part_k(step - boundary_k)    for boundary_k <= step < boundary_(k+1),    boundary_0 = 0

    A warm-up before a cosine, whose first step has the full rate:
    `join(step, (lambda t: warm_up(t, 1e-3, 50), lambda t: cosine(t, 1e-3, 450)), (50,))`. The same is SequentialLR in
    PyTorch and join_schedules in optax.

    Args:
        step: Steps taken so far, at least 0.
        parts: At least one; each takes the step and gives a rate.
        boundaries: The steps at which the second part, the third and so on begin, not falling, at least 0.

    Returns:
        The rate.

    Raises:
        TypeError: If a boundary is no integer.
        ValueError: If there are not as many boundaries as parts to follow, or a number is out of range.

    Source: definition.
    """
    checks.reals("step", step, at_least=0)
    count = checks.integer("number of parts", len(parts), at_least=1)
    starts = (0, *checks.not_falling("boundaries", boundaries, count - 1))
    if np.ndim(step) == 0:
        current = sum(start <= step for start in starts) - 1
        return parts[current](step - starts[current])
    rates = [part(np.maximum(step - start, 0)) for part, start in zip(parts, starts, strict=True)]
    return np.select([step >= start for start in starts[::-1]], rates[::-1])


def warm_up_stable_decay(
    step: Number,
    learning_rate: Number,
    warm_up_steps: int,
    stable_steps: int,
    decay_steps: int,
    final_rate: Number = 0.0,
) -> Number:
    """Raise the rate, hold it, and lower it in a straight line at the end.

        rate = warm_up(step),  then learning_rate,
        then final_rate + (learning_rate - final_rate) (end - step) / decay_steps

    Args:
        step: Steps taken so far, at least 0.
        learning_rate: The rate to hold, at least 0.
        warm_up_steps: Steps below it at the start, at least 0.
        stable_steps: Steps at it, at least 0.
        decay_steps: Steps from it to the final rate, at least 1.
        final_rate: The rate at the end and after it, at least 0.

    Returns:
        The rate.

    Raises:
        ValueError: If a number is out of range.

    Source: Hu et al. (2024), with a straight line for the decay.
    """
    checks.reals("step", step, at_least=0)
    checks.integer("stable_steps", stable_steps, at_least=0)
    checks.integer("decay_steps", decay_steps, at_least=1)
    checks.integer("warm_up_steps", warm_up_steps, at_least=0)
    checks.reals("final_rate", final_rate, at_least=0)
    end = warm_up_steps + stable_steps + decay_steps
    left = np.clip((end - _steps(step)) / decay_steps, 0, 1)
    return final_rate + (warm_up(step, learning_rate, warm_up_steps) - final_rate) * left


def exponential_sweep(step: Number, lowest: Number, highest: Number, steps: int) -> Number:
    """Raise the rate by the same factor in every step, from the lowest to the highest: the sweep of a range test.

        rate = lowest^(1 - t) highest^t,    t = step / (steps - 1)

    Args:
        step: Steps taken so far, at least 0.
        lowest: The rate at step 0, above 0.
        highest: The rate at the last step, above 0.
        steps: How many steps the sweep has, at least 2.

    Returns:
        The rate.

    Raises:
        ValueError: If a number is out of range.

    Source: definition.
    """
    checks.reals("step", step, at_least=0)
    checks.reals("lowest", lowest, above=0)
    checks.reals("highest", highest, above=0)
    checks.integer("steps", steps, at_least=2)
    share = _steps(step) / (steps - 1)
    return np.power(lowest, 1 - share) * np.power(highest, share)


class RangeTest(NamedTuple):
    """What a range test found, for each run.

    Attributes:
        steepest: The rate at which the least smoothed loss so far fell fastest per decade; nan if it did not fall.
        lowest: The rate at which the smoothed loss was least; nan if it diverged at once.
        diverged: The first rate at which it was far above its least value so far; inf if it never was.
    """

    steepest: np.ndarray
    lowest: np.ndarray
    diverged: np.ndarray


def range_test(
    rates: Float[np.ndarray, " steps"],
    losses: Float[np.ndarray, "*runs steps"],
    beta: float = 0.9,
    tolerance: float = 4.0,
) -> RangeTest:
    """Read the useful range of learning rates off the losses of a sweep.

        a_t = bias-corrected moving average of the losses up to t
        diverged at the first t with a_t > tolerance min_(u <= t) a_u
        s_t = sum_u beta^|t - u| L_u / sum_u beta^|t - u|,    over the steps u before that
        steepest: of the steps t at which s_t is less than all before, that with the greatest fall per decade from the
        last such step;    lowest: the last such step

    The second average looks to both sides: it does not lag behind, and at the start it rests on the losses that follow
    and not on the first batch alone. Falls count where they lead below all that was before, so that the way back from a
    spike is none, and none comes after the lowest loss.

    A loss that is not finite counts as diverged.

    Args:
        rates: The rate of each step, rising; at least 2.
        losses: The loss of each step, at least 0 where it is finite.
        beta: Smoothing, from 0 to below 1.
        tolerance: How many times the least loss counts as diverged, above 1.

    Returns:
        Three rates a run.

    Raises:
        ValueError: If shapes do not fit or a number is out of range.

    Source: Smith (2017) for the idea, with rates that grow linearly; growth by a factor and smoothed losses came later.
    """
    count = checks.integer("number of rates", len(checks.rank("rates", rates, exactly=1)), at_least=2)
    checks.reals("rates", rates, above=0)
    checks.reals("steps between rates", np.diff(rates), above=0)
    checks.last_axes("losses", checks.floating("losses", losses), count, of="rates")
    checks.reals("losses", losses[np.isfinite(losses)], at_least=0)
    checks.real("tolerance", tolerance, above=1)
    with np.errstate(all="ignore"):
        losses = np.asarray(losses, dtype=np.float64)
        lagging = momentum.exponential_moving_average(losses, beta)
        lagging = np.where(np.isfinite(lagging), lagging, np.inf)
        gone = (lagging > tolerance * np.minimum.accumulate(lagging, axis=-1)) | np.isinf(lagging)
        gone = np.maximum.accumulate(gone, axis=-1)
        kept = np.where(gone, 0.0, 1.0)
        smooth = _to_both_sides(np.where(gone, 0, losses), beta) / _to_both_sides(kept, beta)
        smooth = np.where(gone, np.inf, smooth)
        least = np.minimum.accumulate(smooth, axis=-1)
        record = np.arange(1, count) * (smooth[..., 1:] < least[..., :-1])
        last_record = np.maximum.accumulate(record, axis=-1)  # the step of the least value so far
        before = np.concatenate([np.zeros_like(record[..., :1]), last_record[..., :-1]], axis=-1)
        way = np.log(np.asarray(rates, dtype=np.float64))
        fall = (least[..., :-1] - least[..., 1:]) / (way[1:] - way[before])
        fall = np.where(record > 0, fall, 0)
    return RangeTest(
        steepest=np.where((fall > 0).any(-1), rates[1:][fall.argmax(-1)], np.nan)[()],
        lowest=np.where(gone[..., 0], np.nan, rates[smooth.argmin(-1)])[()],
        diverged=np.where(gone.any(-1), rates[gone.argmax(-1)], np.inf)[()],
    )


def _to_both_sides(values: np.ndarray, beta: float) -> np.ndarray:
    """Give sum_u beta^|t - u| x_u, up to a factor that does not depend on t."""
    forth = momentum.exponential_moving_average(values, beta, bias_correction=False)
    back = momentum.exponential_moving_average(values[..., ::-1], beta, bias_correction=False)[..., ::-1]
    return forth + back - (1 - beta) * values


class ScaleState(NamedTuple):
    """Steps taken."""

    step: int


@dataclass(frozen=True, eq=False)
class Scale:
    """Multiply what comes from the parts of a chain before it, by a number or a schedule.

        update = factor(step) * g

    Args:
        factor: A number, one a run, or a function of the step that gives either. To descend, one part of the chain has
            to turn the sign, as every optimizer with a learning rate does.

    Raises:
        ValueError: If the factor is not finite.

    Source: definition.
    """

    factor: float | np.ndarray | Callable
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not callable(self.factor):
            checks.reals("factor", self.factor)

    def init(self, params: Arrays) -> ScaleState:
        """Start at step 0."""
        return ScaleState(0)

    def update(self, grads: Arrays, state: ScaleState, params: Arrays) -> tuple[Arrays, ScaleState]:
        """Give the scaled gradients, and the next state."""
        factor = many_runs.at_step(self.factor, state.step)
        return {name: many_runs.aligned(factor, g) * g for name, g in grads.items()}, ScaleState(state.step + 1)
