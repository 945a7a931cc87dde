"""Checkers of the chapter on hyperparameter search: each takes a reader's answer and says what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from dlnotes.exercises import _answers as answers
from dlnotes.numpy import hyperparameter_search as search


def _near(given: float, wanted: float) -> bool:
    """Compare to five digits, which an answer in float32 has."""
    return math.isclose(given, wanted, rel_tol=1e-5, abs_tol=1e-12)


def check_draws_needed(draws_needed: Callable[[float, float], int]) -> None:
    """Check a function that gives how many random draws hit the best share with a probability.

    Args:
        draws_needed: takes the probability and the share, and gives the least number of draws.

    Raises:
        AssertionError: if a number is wrong; the message says which and, where it can be told, why.
    """
    for probability, share in ((0.9, 0.02), (0.95, 0.05), (0.95, 0.01), (0.5, 0.2), (0.75, 0.5)):
        call = f"draws_needed({probability}, {share})"
        given = answers.number(call, draws_needed(probability, share))
        wanted = search.draws_needed(probability, share)
        exact = math.log1p(-probability) / math.log1p(-share)
        hint = ""
        if _near(given, exact) and given != wanted:
            hint = ". Draws are whole: the least number that reaches the probability"
        elif given == wanted - 1:
            hint = ". One too few: rounding down, or to the nearest, misses the probability"
        elif given == wanted + 1:
            hint = ". One draw fewer does it already"
        elif given == math.ceil(probability / share - 1e-9):
            hint = ". That would be right if no two draws could hit: they can, so the probabilities do not add up"
        elif given == math.ceil(math.log1p(-probability) / math.log(share)):
            hint = ". A draw misses with probability 1 - share, not share"
        elif abs(given - 0.5 - math.log(probability) / math.log1p(-share)) <= 0.5 + 1e-9:  # rounded up
            hint = ". The misses multiply: their probability is to be 1 - p, not p"
        elif given == math.ceil(1 / share):
            hint = ". So many draws hit once on average; the probability of a hit is then about 0.63"
        if given != wanted:
            raise AssertionError(f"{call} is {given:g}, not {wanted}{hint}")
    answers.right("five pairs of probability and share")


def check_log_uniform(log_uniform: Callable[[float, float, float], float]) -> None:
    """Check a function that turns a number from 0 to 1 into a value that is even in the logarithm.

    Args:
        log_uniform: takes low, high and u, and gives the value.

    Raises:
        AssertionError: if a value is wrong.
    """
    for low, high, u in ((1e-4, 1.0, 0.5), (1e-5, 10.0, 0.25), (2.0, 32.0, 0.75), (0.01, 1.0, 0.0), (0.01, 1.0, 1.0)):
        call = f"log_uniform({low:g}, {high:g}, {u})"
        given = answers.number(call, log_uniform(low, high, u))
        wanted = low ** (1 - u) * high**u
        exponent = (1 - u) * math.log(low) + u * math.log(high)
        hint = ""
        if _near(given, wanted):
            continue
        if _near(given, (1 - u) * low + u * high):
            hint = ". This is even in the value: nine tenths of the draws are in the highest decade"
        elif _near(given, exponent) or _near(given, exponent / math.log(10)):
            hint = ". This is the logarithm of the value: take the power"
        elif _near(given, math.exp(exponent / math.log(10))) or _near(given, 10**exponent):
            hint = ". Logarithm and power have different bases"
        elif _near(given, low**u * high ** (1 - u)):
            hint = ". Turned around: u = 0 is the lower end"
        elif _near(given, low * math.exp(u * (high - low))):
            hint = ". The exponent runs over the logarithm of the ratio of the ends, not over their difference"
        raise AssertionError(f"{call} is {given:.6g}, not {wanted:.6g}{hint}")
    answers.right("five values, both ends among them")


def check_rounds(rounds: Callable[[int, int, int], list[tuple[int, int]]]) -> None:
    """Check a function that plans a successive halving.

    Args:
        rounds: takes the candidates, the first budget and the factor, and gives (candidates, budget) of each round,
            until fewer are left than the factor.

    Raises:
        AssertionError: if a round is wrong.
    """
    for candidates, budget, factor in ((27, 2, 3), (16, 1, 2), (20, 1, 3), (1, 4, 2)):
        call = f"rounds({candidates}, {budget}, {factor})"
        given = rounds(candidates, budget, factor)
        if not isinstance(given, (list, tuple, np.ndarray)):
            raise AssertionError(f"{call} must be a list of pairs, got {given!r}")
        pairs = [answers.array(call, pair, (2,)) for pair in given]
        if any((pair % 1).any() for pair in pairs):
            shown = [tuple(pair.tolist()) for pair in pairs]
            raise AssertionError(f"{call} is {shown}: candidates and budgets are whole, round the candidates down")
        found = [tuple(int(one) for one in pair) for pair in pairs]
        plan = search.successive_halving(lambda numbers, _: numbers + 0.0, candidates, budget=budget, factor=factor)
        wanted = [(len(numbers), own) for numbers, own in zip(plan.survivors, plan.budgets, strict=True)]
        hint = ""
        if found == wanted:
            continue
        if found == wanted[:-1]:
            hint = ". The last round is missing: those that are left get the largest budget"
        elif [pair[0] for pair in found] == [pair[0] for pair in wanted]:
            hint = ". The candidates are right; the budget grows by the factor with each round"
        elif found[: len(wanted)] == wanted:
            hint = ". Too many rounds: it ends when fewer are left than the factor"
        elif [pair[1] for pair in found[: len(wanted)]] == [pair[1] for pair in wanted]:
            hint = ". The budgets are right so far; of n candidates the floor of n / factor go on"
        raise AssertionError(f"{call} is {found}, not {wanted}{hint}")
    answers.right("four plans, one of which ends with two candidates")


def check_report(report: Callable[[np.ndarray, np.ndarray], float]) -> None:
    """Check a function that chooses a network and reports its error.

    Args:
        report: takes the errors of the candidates on the validation rows and on the test rows, and gives the error to
            be reported for the one that is chosen. Validation errors are nan where a training diverged.

    Raises:
        AssertionError: if it reports another number.
    """
    generator = np.random.default_rng(0)
    for diverged in (0, 3):
        true = generator.uniform(0.1, 0.3, 20)
        validation, test = true + 0.05 * generator.random((2, 20))
        validation[:diverged] = np.nan
        call = "report" if not diverged else "report, where three trainings diverged"
        raw = report(validation.copy(), test.copy())
        if diverged and np.ndim(raw) == 0 and isinstance(raw, float | np.floating) and np.isnan(raw):
            raise AssertionError(f"{call}, is nan: a training that diverged is not the best one")
        given = answers.number(call, raw)
        best = int(np.nanargmin(validation))
        wanted, hint = test[best], ""
        if _near(given, wanted):
            continue
        if _near(given, validation[best]):
            hint = ". This is the score it was chosen by, and that was lucky: report its error on the test rows"
        elif _near(given, test.min()):
            hint = ". Here the test rows were chosen by, and then they are no test"
        elif _near(given, test[int(np.argmin(validation))]):
            hint = ". numpy.argmin takes nan for the least: leave out what diverged"
        elif _near(given, test.mean()):
            hint = ". One network is chosen; the mean of all is not its error"
        raise AssertionError(f"{call}, is {given:.6g}, not {wanted:.6g}{hint}")
    answers.right("the chosen one's own error on rows that nothing was chosen by")
