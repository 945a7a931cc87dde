"""Search for hyperparameters: where to look, for how long, and what mattered.

Samplers give points of the unit cube, shape (draws, dimensions); `to_ranges` turns them into values, evenly on a linear
or a logarithmic scale. Whatever is costly is passed in as `evaluate`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dlnotes import checks
from dlnotes.numpy import many_runs

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    # NumPy gives a scalar where an array would have no axes.
    Array = np.ndarray | np.generic
    Generators = np.random.Generator | np.ndarray

# Primitive polynomials and starting values of the Sobol sequence, one row a dimension from the second on:
# degree, inner coefficients of the polynomial as bits, starting values. From the table of Joe and Kuo (2008).
SOBOL_TABLE = (
    (1, 0, (1,)),
    (2, 1, (1, 3)),
    (3, 1, (1, 3, 1)),
    (3, 2, (1, 1, 1)),
    (4, 1, (1, 1, 3, 3)),
    (4, 4, (1, 3, 5, 13)),
    (5, 2, (1, 1, 5, 5, 17)),
    (5, 4, (1, 1, 5, 5, 5)),
    (5, 7, (1, 1, 7, 11, 19)),
)
SOBOL_BITS = 32


@dataclass(frozen=True)
class Range:
    """Where a hyperparameter is looked for.

    Args:
        low: Least value, above 0 on a logarithmic scale.
        high: Greatest value, above low.
        log: Whether ratios count, as for learning rates, and not differences.

    Source: definition.
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        checks.instance("log", self.log, bool, "True or False")
        low = checks.real("low", self.low, **({"above": 0} if self.log else {}))
        checks.real("high", self.high, above=low)


@dataclass(frozen=True)
class Whole:
    """A hyperparameter that is a whole number, as a number of layers.

    Args:
        low: Least value, above 0 on a logarithmic scale.
        high: Greatest value, above low.
        log: Whether ratios count, as for numbers of units.

    Source: definition.
    """

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        checks.instance("log", self.log, bool, "True or False")
        low = checks.integer("low", self.low, **({"at_least": 1} if self.log else {}))
        checks.integer("high", self.high, at_least=low + 1)


@dataclass(frozen=True)
class Choices:
    """A hyperparameter that is one of a list, as the kind of optimizer.

    Args:
        options: At least one.

    Source: definition.
    """

    options: tuple[Any, ...]

    def __post_init__(self) -> None:
        checks.integer("number of options", len(checks.instance("options", self.options, tuple, "a tuple")), at_least=1)


@dataclass(frozen=True)
class Under:
    """A hyperparameter that there is under a condition only: the momentum of one optimizer, the width of layer 3.

    Args:
        name: Of which earlier hyperparameter it depends.
        among: For which values of that one it is there.
        part: Where it is looked for then.

    Source: definition.
    """

    name: str
    among: tuple[Any, ...]
    part: Range | Whole | Choices

    def __post_init__(self) -> None:
        checks.instance("name", self.name, str, "the name of a hyperparameter")
        checks.instance("among", self.among, tuple, "a tuple of values")
        checks.instance("part", self.part, (Range, Whole, Choices), "a Range, Whole or Choices")


class Stage(NamedTuple):
    """One stage of `coarse_to_fine`: how many draws, the budget of each, how many of the best set the next ranges."""

    draws: int
    budget: int
    keep: int


class Search(NamedTuple):
    """What a search in stages found.

    Attributes:
        values: What was tried, by stage.
        losses: Its losses, by stage.
        ranges: Where each stage looked.
        cost: The budget spent in all.
        edges: Of the best of the last stage, at which ends of the first ranges it lies; see `at_edge`. Where it is not
            0, widen that range and search again.
    """

    values: tuple[np.ndarray, ...]
    losses: tuple[np.ndarray, ...]
    ranges: tuple[tuple[Range, ...], ...]
    cost: int
    edges: np.ndarray


class Bracket(NamedTuple):
    """One bracket of Hyperband: how many candidates begin, and with what budget each."""

    candidates: int
    budget: int


class Halving(NamedTuple):
    """What `successive_halving` did: who was in each round, with what loss and budget.

    Attributes:
        best: The number of the winner; -1 where all losses of the last round are nan.
        survivors: Numbers of those evaluated in each round.
        losses: Their losses.
        budgets: The budget of each of them.
        cost: The budget spent in all, with every round paid in full.
    """

    best: int
    survivors: tuple[np.ndarray, ...]
    losses: tuple[np.ndarray, ...]
    budgets: tuple[int, ...]
    cost: int


def grid_points(counts: Sequence[int]) -> Float[np.ndarray, "draws dimensions"]:
    """Give the points of a grid, in the middle of equal cells.

        every combination of (i + 1/2) / n_j,    i = 0, ..., n_j - 1

    Args:
        counts: How many values each dimension gets, each at least 1.

    Returns:
        Points, the last dimension running fastest.

    Raises:
        ValueError: If there are no counts, or one is below 1.

    Source: definition.
    """
    checks.integer("number of counts", len(counts), at_least=1)
    sizes = [checks.integer("counts", count, at_least=1) for count in counts]
    axes = np.meshgrid(*((np.arange(size) + 0.5) / size for size in sizes), indexing="ij")
    return np.stack(axes, axis=-1).reshape(-1, len(sizes))


def random_points(
    shape: tuple[int, int], generator: Generators, *, runs: tuple[int, ...] = ()
) -> Float[np.ndarray, "*runs draws dimensions"]:
    """Draw points evenly from the unit cube.

        each coordinate ~ U(0, 1)

    Args:
        shape: (draws, dimensions).
        generator: Draws them. With runs, each run draws from its own child, or from its own entry of an array.
        runs: The shape of the grid of runs.

    Returns:
        Points, shape (*runs, draws, dimensions).

    Raises:
        ValueError: If a size is out of range, or the generators are not as many as runs.

    Source: Bergstra and Bengio (2012).
    """
    shape = checks.shape("shape", shape, axes_at_least=2)
    generators = many_runs.generators(generator, checks.shape("runs", runs))
    points = np.empty((*generators.shape, *shape))
    for run in np.ndindex(*generators.shape):
        points[run] = generators[run].random(shape)
    return points


def _rotated(points: np.ndarray, shift: np.ndarray | None) -> np.ndarray:
    """Add a shift to all points and wrap around, which keeps their even spacing."""
    if shift is None:
        return points
    checks.last_axes("shift", checks.floating("shift", shift), points.shape[-1], of="dimensions")
    checks.reals("shift", shift, at_least=0, below=1)
    rotated = points + shift[..., None, :]
    return rotated - (rotated >= 1)


def _primes(count: int) -> list[int]:
    found: list[int] = []
    candidate = 2
    while len(found) < count:
        if all(candidate % prime for prime in found):
            found.append(candidate)
        candidate += 1
    return found


def halton_points(
    draws: int, dimensions: int, *, shift: Float[np.ndarray, "*runs dimensions"] | None = None
) -> Float[np.ndarray, "*runs draws dimensions"]:
    """Give points that fill the unit cube more evenly than random ones, at any number of draws.

        coordinate j of point i = the digits of i in base p_j, mirrored at the point,    p_j the j-th prime, i = 1, 2,
        ...

    From about eight dimensions on the large bases leave visible stripes.

    Args:
        draws: At least 0.
        dimensions: At least 1.
        shift: Numbers from 0 to below 1 that are added modulo 1, as from `random_points((1, dimensions), ...)`; a
            random shift
            makes averages unbiased and gives each run its own points.

    Returns:
        Points, shape (*runs, draws, dimensions), the runs those of the shift.

    Raises:
        ValueError: If a number is out of range or the shift has another number of dimensions.

    Source: Halton (1960).
    """
    draws = checks.integer("draws", draws, at_least=0)
    dimensions = checks.integer("dimensions", dimensions, at_least=1)
    points = np.zeros((draws, dimensions))
    for j, base in enumerate(_primes(dimensions)):
        rest, weight = np.arange(1, draws + 1), 1.0
        while rest.any():
            weight /= base
            rest, digit = np.divmod(rest, base)
            points[:, j] += weight * digit
    return _rotated(points, shift)


def _sobol_directions(dimension: int) -> np.ndarray:
    """Give the direction numbers of one dimension, counted from 0, as integers of SOBOL_BITS bits."""
    if dimension == 0:
        starts = [1] * SOBOL_BITS
    else:
        degree, coefficients, first = SOBOL_TABLE[dimension - 1]
        starts = list(first)
        for k in range(degree, SOBOL_BITS):
            new = starts[k - degree] ^ (starts[k - degree] << degree)
            for i in range(1, degree):
                if coefficients >> (degree - 1 - i) & 1:
                    new ^= starts[k - i] << i
            starts.append(new)
    return np.array([start << (SOBOL_BITS - 1 - k) for k, start in enumerate(starts)], dtype=np.uint64)


def sobol_points(
    draws: int, dimensions: int, *, shift: Float[np.ndarray, "*runs dimensions"] | None = None
) -> Float[np.ndarray, "*runs draws dimensions"]:
    """Give the points of the Sobol sequence, most even at powers of two.

        coordinate j of point i = XOR of the direction numbers v_jk over the bits k of i XOR (i >> 1),    i = 0, 1, ...

    Of the first 2^m points, each of the 2^m equal intervals of every axis holds exactly one.

    Args:
        draws: From 0 to 2^32.
        dimensions: From 1 to 10.
        shift: As in `halton_points`; without it the first point is the corner 0.

    Returns:
        Points, shape (*runs, draws, dimensions), the runs those of the shift.

    Raises:
        ValueError: If a number is out of range or the shift has another number of dimensions.

    Source: Sobol (1967), with the direction numbers of Joe and Kuo (2008).
    """
    draws = checks.integer("draws", draws, at_least=0, at_most=2**SOBOL_BITS)
    dimensions = checks.integer("dimensions", dimensions, at_least=1, at_most=len(SOBOL_TABLE) + 1)
    whole = [_along_gray_code(draws, _sobol_directions(j)) for j in range(dimensions)]
    return _rotated(np.stack(whole, axis=-1) / 2.0**SOBOL_BITS, shift)


def _along_gray_code(draws: int, directions: np.ndarray) -> np.ndarray:
    """Give one coordinate of the first points, as integers: the directions that stand at the ones of i XOR (i >> 1)."""
    number = np.arange(draws, dtype=np.uint64)
    gray = number ^ (number >> np.uint64(1))
    whole = np.zeros(draws, dtype=np.uint64)
    for k in range(max(draws - 1, 0).bit_length()):
        whole ^= (gray >> np.uint64(k) & np.uint64(1)) * directions[k]
    return whole


def scrambled_sobol_points(
    draws: int, dimensions: int, generator: Generators, *, runs: tuple[int, ...] = ()
) -> Float[np.ndarray, "*runs draws dimensions"]:
    """Give Sobol points whose bits are mixed at random, so that each run has its own and every point is uniform.

        v_jk <- L_j v_jk mod 2,    x_ij = d_j XOR (the direction numbers of point i),
        L_j a random lower triangle of bits with ones on the diagonal, d_j random bits

    The mixing keeps the evenness that a shift added to the points can lose: of the first 2^m points, each of the 2^m
    equal intervals of every axis still holds exactly one.

    Args:
        draws: From 0 to 2^32.
        dimensions: From 1 to 10.
        generator: Draws L and d. With runs, each run draws from its own child, or from its own entry of an array.
        runs: The shape of the grid of runs.

    Returns:
        Points, from 0 to below 1.

    Raises:
        ValueError: If a number is out of range, or the generators are not as many as runs.

    Source: Matousek (1998), with the direction numbers of Joe and Kuo (2008).
    """
    draws = checks.integer("draws", draws, at_least=0, at_most=2**SOBOL_BITS)
    dimensions = checks.integer("dimensions", dimensions, at_least=1, at_most=len(SOBOL_TABLE) + 1)
    generators = many_runs.generators(generator, checks.shape("runs", runs))
    powers = np.uint64(1) << np.arange(SOBOL_BITS, dtype=np.uint64)[::-1]  # the first bit counts 1/2
    points = np.empty((*generators.shape, draws, dimensions))
    for run in np.ndindex(*generators.shape):
        for j in range(dimensions):
            lower = np.tril(generators[run].integers(0, 2, (SOBOL_BITS, SOBOL_BITS)), -1) + np.eye(SOBOL_BITS)
            bits = (_sobol_directions(j)[:, None] & powers > 0) @ lower.T % 2
            mixed = (bits.astype(np.uint64) * powers).sum(axis=-1, dtype=np.uint64)
            start = generators[run].integers(2**SOBOL_BITS, dtype=np.uint64)
            points[(*run, slice(None), j)] = (start ^ _along_gray_code(draws, mixed)) / 2.0**SOBOL_BITS
    return points


def _ends(ranges: Sequence[Range]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give the ends of the ranges on the scale on which they are even, and which are logarithmic."""
    checks.integer("number of ranges", len(ranges), at_least=1)
    for item in ranges:
        checks.instance("ranges", item, Range, "a sequence of Range")
    low, high = (
        np.array([math.log(end) if item.log else end for item, end in zip(ranges, ends, strict=True)])
        for ends in ([item.low for item in ranges], [item.high for item in ranges])
    )
    return low, high, np.array([item.log for item in ranges])


def to_ranges(
    points: Float[np.ndarray, "*draws dimensions"], ranges: Sequence[Range]
) -> Float[np.ndarray, "*draws dimensions"]:
    """Turn points of the unit cube into values.

        value = (1 - u) low + u high,    or low^(1 - u) high^u on a logarithmic scale

    Args:
        points: u, from 0 to 1, shape (*draws, dimensions).
        ranges: One a dimension.

    Returns:
        Values, of the shape of the points.

    Raises:
        TypeError: If `points` does not hold floating-point numbers or `ranges` holds something else than ranges.
        ValueError: If a point is outside the cube or the dimensions differ.

    Source: definition.
    """
    low, high, log = _ends(ranges)
    checks.last_axes("points", checks.floating("points", points), len(ranges), of="ranges")
    checks.reals("points", points, at_least=0, at_most=1)
    points = np.asarray(points, dtype=np.float64)
    even = (1 - points) * low + points * high
    values = np.where(log, np.exp(np.where(log, even, 0)), even)
    return np.clip(values, [item.low for item in ranges], [item.high for item in ranges])


def from_ranges(
    values: Float[np.ndarray, "*draws dimensions"], ranges: Sequence[Range]
) -> Float[np.ndarray, "*draws dimensions"]:
    """Undo `to_ranges`.

        u = (value - low) / (high - low),    or ln(value / low) / ln(high / low) on a logarithmic scale

    Args:
        values: Shape (*draws, dimensions), above 0 where the scale is logarithmic.
        ranges: One a dimension.

    Returns:
        Points, from 0 to 1 for values inside the ranges.

    Raises:
        TypeError: If `values` does not hold floating-point numbers or `ranges` holds something else than ranges.
        ValueError: If the dimensions differ, or a value on a logarithmic scale is not above 0.

    Source: definition.
    """
    low, high, log = _ends(ranges)
    checks.last_axes("values", checks.floating("values", values), len(ranges), of="ranges")
    if log.any():
        checks.reals("values", values[..., log], above=0)
    values = np.asarray(values, dtype=np.float64)
    even = np.where(log, np.log(np.where(log, values, 1)), values)
    return (even / 2 - low / 2) / (high / 2 - low / 2)  # halved, so that no difference overflows


def to_settings(
    points: Float[np.ndarray, "draws dimensions"], space: Mapping[str, Range | Whole | Choices | Under]
) -> tuple[dict[str, Any], ...]:
    """Turn points of the unit cube into settings: named values, of which some are whole, chosen, or left out.

        Range: as `to_ranges`
        Whole: floor((1 - u) low + u (high + 1)),    or floor(low^(1 - u) (high + 1)^u) on a logarithmic scale
        Choices: the one of number floor(u n)
        Under: left out unless the one it depends on has one of the values named

    Every hyperparameter keeps its own axis, used or not, so that evenly spread points stay so.

    Args:
        points: u, from 0 to 1, shape (draws, dimensions).
        space: One entry a dimension.

    Returns:
        A dict of Python numbers and options for each point.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If shapes do not fit, a point is outside the cube, or a condition names no earlier entry.

    Source: definition.
    """
    checks.instance("space", space, Mapping, "a mapping from names to ranges")
    checks.rank("points", checks.floating("points", points), exactly=2)
    checks.last_axes("points", points, len(space), of="space")
    checks.reals("points", points, at_least=0, at_most=1)
    settings: list[dict[str, Any]] = [{} for _ in points]
    earlier: list[str] = []
    for (name, part), column in zip(space.items(), points.T, strict=True):
        part, needed, among = (part.part, part.name, part.among) if isinstance(part, Under) else (part, None, ())
        if needed is not None:
            checks.choice(f"the condition of {name!r}", needed, earlier)
        checks.instance(f"space[{name!r}]", part, (Range, Whole, Choices), "a Range, Whole, Choices or Under")
        for setting, value in zip(settings, _values(column, part), strict=True):
            if needed is None or setting.get(needed) in among:
                setting[name] = value
        earlier.append(name)
    return tuple(settings)


def _values(column: np.ndarray, part: Range | Whole | Choices) -> list[Any]:
    if isinstance(part, Choices):
        count = len(part.options)
        return [part.options[min(int(u * count), count - 1)] for u in column.tolist()]
    upper = part.high + isinstance(part, Whole)  # a whole number n stands for the interval from n to n + 1
    values = to_ranges(column[:, None], (Range(float(part.low), float(upper), part.log),))[:, 0].tolist()
    return values if isinstance(part, Range) else [min(math.floor(value), part.high) for value in values]


def hit_probability(draws: int, share: float) -> float:
    """Give the probability that at least one of independent draws is among the best share of all points.

        P = 1 - (1 - share)^draws;    60 draws hit the best 5% with probability 0.954

    Args:
        draws: At least 0.
        share: From 0 to 1.

    Returns:
        P.

    Raises:
        ValueError: If a number is out of range.

    Derivation: a draw misses with probability 1 - share, and draws are independent.

    Source: derived here.
    """
    draws = checks.integer("draws", draws, at_least=0)
    share = checks.real("share", share, at_least=0, at_most=1)
    if share == 1:
        return float(draws > 0)
    return -math.expm1(draws * math.log1p(-share))


def draws_needed(probability: float, share: float) -> int:
    """Give the least number of draws that hit the best share with at least that probability.

        ceil(ln(1 - probability) / ln(1 - share))

    Args:
        probability: From 0 to below 1.
        share: Above 0 and below 1.

    Returns:
        The number of draws.

    Raises:
        ValueError: If a number is out of range.

    Derivation: solve 1 - (1 - share)^n >= probability for n.

    Source: derived here.
    """
    probability = checks.real("probability", probability, at_least=0, below=1)
    share = checks.real("share", share, above=0, below=1)
    draws = max(0, math.ceil(math.log1p(-probability) / math.log1p(-share)) - 1)  # rounding may be on either side
    while draws and hit_probability(draws, share) >= probability:
        draws -= 1
    while hit_probability(draws, share) < probability:
        draws += 1
    return draws


def refine(
    ranges: Sequence[Range],
    values: Float[np.ndarray, "draws dimensions"],
    losses: Float[np.ndarray, " draws"],
    keep: int,
    *,
    margin: float = 0.1,
) -> tuple[Range, ...]:
    """Give the ranges that hold the best values found, with a margin, inside the old ranges.

        [least, greatest] of the `keep` best, on the scale of the range, widened on both sides by margin * old width

    Args:
        ranges: Where the values were drawn from.
        values: What was tried.
        losses: Its losses; where they are nan, nothing is known, and where all are, the ranges stay as they are.
        keep: How many of the best to go by, from 1 to the number of draws.
        margin: Above 0, so that no range shrinks to a point.

    Returns:
        The new ranges.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If shapes do not fit or a number is out of range.

    Source: definition.
    """
    margin = checks.real("margin", margin, above=0)
    checks.rank("values", checks.floating("values", values), exactly=2)
    checks.shaped("losses", checks.floating("losses", losses), values.shape[:1], of="values")
    keep = checks.integer("keep", keep, at_least=1, at_most=len(losses))
    keep = min(keep, np.count_nonzero(~np.isnan(losses)))
    if not keep:
        return tuple(ranges)
    best = from_ranges(values[np.argsort(losses, kind="stable")[:keep]], ranges)
    low = to_ranges(np.clip(best.min(axis=0) - margin, 0, 1), ranges)
    high = to_ranges(np.clip(best.max(axis=0) + margin, 0, 1), ranges)
    return tuple(
        Range(float(least), float(greatest), item.log) for least, greatest, item in zip(low, high, ranges, strict=True)
    )


def at_edge(
    ranges: Sequence[Range],
    values: Float[np.ndarray, "draws dimensions"],
    losses: Float[np.ndarray, " draws"],
    *,
    share: float = 0.1,
) -> Int[np.ndarray, " dimensions"]:
    """Say for each hyperparameter whether the best value found lies at an end of its range: better may be outside.

        -1 if u < share,  +1 if u > 1 - share,  else 0,    u = where the best lies in the range, from 0 to 1

    A hyperparameter without effect has its best value at an end with probability 2 share.

    Args:
        ranges: The first ranges of the search; those of a later stage end where somebody chose to look closer.
        values: What was tried.
        losses: Its losses; nan counts as worst.
        share: What part of the range counts as its end, above 0 and below 1/2.

    Returns:
        -1, 0 or 1 for each hyperparameter; 0 where all losses are nan.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If shapes do not fit or a number is out of range.

    Source: definition.
    """
    share = checks.real("share", share, above=0, below=0.5)
    checks.rank("values", checks.floating("values", values), exactly=2)
    checks.shaped("losses", checks.floating("losses", losses), values.shape[:1], of="values")
    if np.isnan(losses).all():
        return np.zeros(len(ranges), dtype=int)
    u = from_ranges(values[np.nanargmin(losses)], ranges)
    return (u > 1 - share).astype(int) - (u < share)


def coarse_to_fine(
    evaluate: Callable[[np.ndarray, int], np.ndarray],
    ranges: Sequence[Range],
    stages: Sequence[Stage],
    generator: np.random.Generator,
    *,
    margin: float = 0.1,
) -> Search:
    """Search in stages: many short runs over wide ranges, then fewer and longer ones where the best were.

        for each stage: draw values evenly from the ranges, evaluate them, ranges <- refine(ranges, ...)

    Args:
        evaluate: `(values, budget) -> losses`, values of shape (draws, dimensions).
        ranges: Where to look first.
        stages: At least one `Stage`.
        generator: Draws the values.
        margin: See `refine`.

    Returns:
        All that was tried.

    Raises:
        TypeError: If an argument is of a wrong kind.
        ValueError: If a number is out of range, or `evaluate` gives another number of losses than there are values.

    Source: definition.
    """
    checks.integer("number of stages", len(stages), at_least=1)
    checks.instance("generator", generator, np.random.Generator, "a numpy Generator")
    ranges, cost = tuple(ranges), 0
    tried, losses, searched = [], [], []
    for stage in stages:
        draws = checks.integer("draws of stages", stage.draws, at_least=1)
        values = to_ranges(random_points((draws, len(ranges)), generator), ranges)
        found = np.asarray(evaluate(values, stage.budget), dtype=np.float64)
        tried.append(values)
        losses.append(checks.shaped("result of evaluate", found, (draws,), of="values"))
        searched.append(ranges)
        cost += draws * checks.integer("budget of stages", stage.budget, at_least=1)
        ranges = refine(ranges, values, found, stage.keep, margin=margin)
    edges = at_edge(searched[0], tried[-1], losses[-1])
    return Search(tuple(tried), tuple(losses), tuple(searched), cost, edges)


def successive_halving(
    evaluate: Callable[[np.ndarray, int], np.ndarray],
    candidates: int,
    *,
    budget: int = 1,
    factor: int = 2,
    largest: int | None = None,
) -> Halving:
    """Give all candidates a small budget, drop the worse ones, give the others more, until few are left.

        round k: evaluate n_k candidates with budget * factor^k each, keep the best n_(k+1) = floor(n_k / factor)
        last round: the first with n_k < factor, or whose successor would pass the largest budget; its best wins

    A power of the factor ends with one candidate; 20 by a factor of 3 end with 2, after 20 and 6.

    Args:
        evaluate: `(numbers, budget) -> losses`: trains the candidates of these numbers up to that budget; nan counts as
            worst.
        candidates: How many there are, at least 1.
        budget: Of the first round, at least 1.
        factor: At least 2.
        largest: No candidate gets more than that; at least `budget`, or None for as much as it takes.

    Returns:
        The winner, and what happened in each round.

    Raises:
        ValueError: If a number is out of range, or `evaluate` gives another number of losses than it was asked for.

    Source: Jamieson and Talwalkar (2016).
    """
    remaining = np.arange(checks.integer("candidates", candidates, at_least=1))
    budget = checks.integer("budget", budget, at_least=1)
    factor = checks.integer("factor", factor, at_least=2)
    if largest is not None:
        checks.integer("largest", largest, at_least=budget)
    survivors, losses, budgets = [], [], []
    while True:
        found = np.asarray(evaluate(remaining, budget), dtype=np.float64)
        survivors.append(remaining)
        losses.append(checks.shaped("result of evaluate", found, remaining.shape, of="candidates"))
        budgets.append(budget)
        order = np.argsort(found, kind="stable")
        if len(remaining) < factor or (largest is not None and budget * factor > largest):
            break
        remaining = np.sort(remaining[order[: len(remaining) // factor]])
        budget *= factor
    cost = sum(len(numbers) * each for numbers, each in zip(survivors, budgets, strict=True))
    best = -1 if np.isnan(found).all() else int(remaining[order[0]])
    return Halving(best, tuple(survivors), tuple(losses), tuple(budgets), cost)


def hyperband_brackets(largest: int, factor: int = 3) -> tuple[Bracket, ...]:
    """Give the brackets of Hyperband, from many candidates that begin with little to few that get all at once.

        for s = s_max, ..., 0:  ceil((s_max + 1) / (s + 1) factor^s) candidates begin with floor(largest / factor^s),
        s_max = floor(log_factor(largest))

    Each goes into `successive_halving` with the same `factor` and `largest`, and costs at most about
    (s_max + 1) * largest. The last bracket is random search: what ranks late is not lost in it.

    Args:
        largest: The most that one candidate may get, at least 1.
        factor: At least 2.

    Returns:
        The brackets.

    Raises:
        ValueError: If a number is out of range.

    Source: Li et al. (2016), algorithm 1.
    """
    largest = checks.integer("largest", largest, at_least=1)
    factor = checks.integer("factor", factor, at_least=2)
    powers = [1]
    while powers[-1] * factor <= largest:
        powers.append(powers[-1] * factor)
    count = len(powers)
    return tuple(Bracket(-(-count * powers[s] // (s + 1)), largest // powers[s]) for s in reversed(range(count)))


def to_promote(
    rungs: Sequence[Mapping[int, float]], promoted: Sequence[Collection[int]], factor: int
) -> tuple[int, int] | None:
    """Say which candidate a free worker is to train further, without waiting for the others.

        from the second highest rung downward: the best that is among the best floor(n / factor) of the n losses of
        its rung and was not promoted yet

    Args:
        rungs: For each rung, from the least budget to the largest, the losses that are known by candidate; nan counts
            as worst.
        promoted: For each rung, the candidates that were sent on from it.
        factor: At least 2.

    Returns:
        (rung, candidate): its next budget is that of rung + 1. None where there is none: then a new candidate begins.

    Raises:
        ValueError: If the lists differ in length, or a number is out of range.

    Source: Li et al. (2020), algorithm 2.
    """
    checks.integer("number of promoted", len(promoted), at_least=len(rungs), at_most=len(rungs))
    factor = checks.integer("factor", factor, at_least=2)
    for rung in reversed(range(len(rungs) - 1)):
        losses = {number: loss for number, loss in rungs[rung].items() if not math.isnan(loss)}
        best = sorted(losses, key=losses.__getitem__)[: len(rungs[rung]) // factor]
        waiting = [number for number in best if number not in promoted[rung]]
        if waiting:
            return rung, waiting[0]
    return None


def importance(
    points: Float[np.ndarray, "*runs draws dimensions"], losses: Float[np.ndarray, "*runs draws"], *, bins: int = 10
) -> Float[np.ndarray, "*runs dimensions"]:
    """Give the share of the variance of the losses that each hyperparameter explains on its own.

        share_j = Var(E[loss | u_j]) / Var(loss),
        estimated by (sum_i f_i^2 - sum_i (h_i - 1/n) r_i^2 / (1 - h_i)) / total

    f is the broken line of so many pieces that fits the n losses, less their mean, along the order of u_j; r is what it
    leaves, h_i the share of loss i in its own fit. The term taken off is what the line fits of pure chance, so that a
    hyperparameter without effect gets 0 on average, and sometimes less. The shares of independent hyperparameters add
    up to at most 1; what is missing is their interplay, and noise. What bends within a piece is missed: of a sine with
    two periods in the range, 10 pieces miss less than 1%, where 10 steps would miss 12%. Draws are taken to be random;
    quasi-random ones leave less to chance, and the shares come out too small by about bins / draws.

    Derivation: let the losses scatter about the line with variance v_i, and f = P y with the projection P, h_i = P_ii.
    Of the scatter, P fits sum_i h_i v_i on average, of which the mean takes sum_i v_i / n; r_i^2 has mean (1 - h_i) v_i
    where neighbors scatter alike.

    Args:
        points: Shape (*runs, draws, dimensions); only their order along each axis counts.
        losses: Finite, shape (*runs, draws); replace those of runs that failed by the loss of guessing.
        bins: Pieces of the line, at least 1, each with two draws at least.

    Returns:
        Shares in float64, shape (*runs, dimensions); 0 where all losses are equal up to rounding.

    Raises:
        TypeError: If an array does not hold floating-point numbers.
        ValueError: If shapes do not fit, there are fewer than three losses, or a number is out of range.

    Source: Sobol (1993) for the share; the estimate is derived here.
    """
    checks.rank("points", checks.floating("points", points), at_least=2)
    checks.shaped("losses", checks.floating("losses", losses), points.shape[:-1], of="points")
    checks.reals("losses", losses)
    draws = checks.axis("losses", losses, -1, at_least=3, described="draws").shape[-1]
    bins = checks.integer("bins", bins, at_least=1, at_most=draws // 2)
    largest = np.abs(losses).max(axis=-1, keepdims=True, initial=0)
    scaled = np.asarray(losses / np.where(largest > 0, largest, 1), dtype=np.float64)
    centered = scaled - scaled.mean(axis=-1, keepdims=True)
    total = (centered * centered).sum(axis=-1)
    varies = np.abs(centered).max(axis=-1) > 4 * np.finfo(losses.dtype).eps
    line, _ = np.linalg.qr(_broken_line(draws, bins))
    own = (line * line).sum(axis=-1)
    by_chance = (own - 1 / draws) / (1 - own)
    shares = []
    for j in range(points.shape[-1]):
        order = np.argsort(points[..., j], axis=-1, kind="stable")
        along = np.take_along_axis(centered, order, axis=-1)
        fit = along @ line @ line.T
        excess = np.square(fit).sum(axis=-1) - (by_chance * np.square(along - fit)).sum(axis=-1)
        shares.append(np.where(varies, excess / np.where(varies, total, 1), 0))
    return np.stack(shares, axis=-1)


def _broken_line(draws: int, bins: int) -> np.ndarray:
    """Give what spans the broken lines over the ranks of the draws: one hat a joint, shape (draws, bins + 1)."""
    places = bins * (np.arange(draws) + 0.5) / draws
    return np.maximum(1 - np.abs(places[:, None] - np.arange(bins + 1)), 0)
