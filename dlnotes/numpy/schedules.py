"""Learning rates as functions of the step.

Every schedule takes the step first and the rate to start from second. The step is a whole number, or an array of them
for a plot; the rate is a number, or an array with one number a run. For an optimizer, close it over its constants:
`Adam(lambda step: schedules.cosine(step, 1e-3, 500))`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from dlnotes import checks
from dlnotes.numpy import momentum, training

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
        step: Steps taken so far.
        learning_rate: The rate to start from, at least 0.
        every: Steps between two drops, at least 1.
        factor: What each drop multiplies by, above 0 and at most 1.

    Returns:
        The rate.

    Raises:
        ValueError: If a number is out of range.

    Source: derived in the chapter.
    """
    checks.reals("learning_rate", learning_rate, at_least=0)
    checks.integer("every", every, at_least=1)
    checks.reals("factor", factor, above=0, at_most=1)
    return learning_rate * np.power(factor, np.floor_divide(_steps(step), every))


def exponential_decay(step: Number, learning_rate: Number, factor: Number) -> Number:
    """Lower the rate by the same factor in every step.

        rate = learning_rate * factor^step

    Args:
        step: Steps taken so far.
        learning_rate: The rate to start from, at least 0.
        factor: What each step multiplies by, above 0 and at most 1.

    Returns:
        The rate.

    Raises:
        ValueError: If a number is out of range.

    Source: derived in the chapter.
    """
    checks.reals("learning_rate", learning_rate, at_least=0)
    checks.reals("factor", factor, above=0, at_most=1)
    return learning_rate * np.power(factor, _steps(step))


def inverse_time_decay(step: Number, learning_rate: Number, decay: Number, power: Number = 1.0) -> Number:
    """Lower the rate like a power of one over time.

        rate = learning_rate / (1 + decay * step)^power

    With power above 1/2 and at most 1 the rates have an infinite sum and a finite sum of squares, the conditions of
    Robbins and Monro for convergence under noise.

    Args:
        step: Steps taken so far.
        learning_rate: The rate to start from, at least 0.
        decay: At least 0; at step 1 / decay the denominator is 2^power.
        power: At least 0.

    Returns:
        The rate.

    Raises:
        ValueError: If a number is out of range.

    Source: Robbins and Monro (1951) for the conditions.
    """
    checks.reals("learning_rate", learning_rate, at_least=0)
    checks.reals("decay", decay, at_least=0)
    checks.reals("power", power, at_least=0)
    return learning_rate / np.power(1 + decay * _steps(step), power)


def cosine(step: Number, learning_rate: Number, steps: int, final_rate: Number = 0.0) -> Number:
    """Lower the rate along half a cosine, and keep it there.

        rate = final_rate + (learning_rate - final_rate) (1 + cos(pi min(step / steps, 1))) / 2

    Args:
        step: Steps taken so far.
        learning_rate: The rate to start from, at least 0.
        steps: Steps until the final rate, at least 1.
        final_rate: The rate from then on, at least 0.

    Returns:
        The rate.

    Raises:
        ValueError: If a number is out of range.

    Source: Loshchilov and Hutter (2017), without restarts.
    """
    checks.reals("learning_rate", learning_rate, at_least=0)
    checks.integer("steps", steps, at_least=1)
    checks.reals("final_rate", final_rate, at_least=0)
    share = np.minimum(_steps(step) / steps, 1)
    return final_rate + (learning_rate - final_rate) * ((1 + np.cos(np.pi * share)) / 2)


def warm_up(step: Number, learning_rate: Number, steps: int) -> Number:
    """Raise the rate in a straight line, and keep it there.

        rate = learning_rate * min((step + 1) / (steps + 1), 1)

    The first step, at step 0, has one part in steps + 1 of the rate, not zero; from step `steps` on it is the full
    rate. The rate may itself come from a schedule: `warm_up(step, cosine(step, 1e-3, 500), 50)`.

    Args:
        step: Steps taken so far.
        learning_rate: The rate to reach, at least 0.
        steps: Steps below the full rate, at least 0.

    Returns:
        The rate.

    Raises:
        ValueError: If a number is out of range.

    Source: Goyal et al. (2017), for the gradual form.
    """
    checks.reals("learning_rate", learning_rate, at_least=0)
    checks.integer("steps", steps, at_least=0)
    return learning_rate * np.minimum((_steps(step) + 1) / (steps + 1), 1)


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
        step: Steps taken so far.
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
    checks.integer("stable_steps", stable_steps, at_least=0)
    checks.integer("decay_steps", decay_steps, at_least=1)
    checks.integer("warm_up_steps", warm_up_steps, at_least=0)
    checks.reals("final_rate", final_rate, at_least=0)
    end = warm_up_steps + stable_steps + decay_steps
    left = np.clip((end - _steps(step)) / decay_steps, 0, 1)
    return final_rate + (warm_up(step, learning_rate, warm_up_steps) - final_rate) * left


def exponential_sweep(step: Number, lowest: Number, highest: Number, steps: int) -> Number:
    """Raise the rate by the same factor in every step, from the lowest to the highest: the sweep of a range test.

        rate = lowest * (highest / lowest)^(step / (steps - 1))

    Args:
        step: Steps taken so far.
        lowest: The rate at step 0, above 0.
        highest: The rate at the last step, above 0.
        steps: How many steps the sweep has, at least 2.

    Returns:
        The rate.

    Raises:
        ValueError: If a number is out of range.

    Source: derived in the chapter.
    """
    checks.reals("lowest", lowest, above=0)
    checks.reals("highest", highest, above=0)
    checks.integer("steps", steps, at_least=2)
    return lowest * np.power(highest / lowest, _steps(step) / (steps - 1))


class RangeTest(NamedTuple):
    """What a range test found, for each run.

    Attributes:
        steepest: The rate at which the smoothed loss fell fastest per decade.
        lowest: The rate at which the smoothed loss was least.
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

        s_t = bias-corrected moving average of the losses
        diverged at the first t with s_t > tolerance min_(u <= t) s_u

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

    Source: Smith (2017) for the test; how it is read is derived in the chapter.
    """
    count = checks.integer("number of rates", len(rates), at_least=2)
    checks.last_axes("losses", checks.floating("losses", losses), count, of="rates")
    checks.real("tolerance", tolerance, above=1)
    with np.errstate(all="ignore"):
        smooth = momentum.exponential_moving_average(np.asarray(losses, dtype=np.float64), beta)
        smooth = np.where(np.isfinite(smooth), smooth, np.inf)
        least = np.minimum.accumulate(smooth, axis=-1)
        gone = np.maximum.accumulate((smooth > tolerance * least) | np.isinf(smooth), axis=-1)
        slope = np.diff(smooth, axis=-1) / np.diff(np.log(rates))
    slope = np.where(gone[..., 1:], np.inf, slope)
    return RangeTest(
        steepest=rates[1:][slope.argmin(-1)],
        lowest=rates[np.where(gone, np.inf, smooth).argmin(-1)],
        diverged=np.where(gone.any(-1), rates[gone.argmax(-1)], np.inf),
    )


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

    Source: derived in the chapter.
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
        factor = training.at_step(self.factor, state.step)
        return {name: training.per_run(factor, g) * g for name, g in grads.items()}, ScaleState(state.step + 1)
