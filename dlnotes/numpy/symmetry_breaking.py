"""Starts that leave hidden units alike, and measures of how many different units a layer has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dlnotes import checks

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    # NumPy gives a scalar where an array would have no axes.
    Array = np.ndarray | np.generic


def constant_init(
    shape: tuple[int, ...], value: float, *, runs: tuple[int, ...] = (), dtype: type = np.float64
) -> Float[np.ndarray, "*runs_and_shape"]:
    """Give a parameter in which every entry is the same number.

        W_ij = c

    Args:
        shape: Shape of the parameter, in one run.
        value: c, finite.
        runs: Shape of the run axes, which come first.
        dtype: A floating-point type.

    Returns:
        An array of shape (*runs, *shape).

    Raises:
        TypeError: If a size is no integer or `value` no number.
        ValueError: If a size is below 0 or `value` is not finite.

    Source: definition.
    """
    value = checks.real("value", value)
    return np.full((*checks.shape("runs", runs), *checks.shape("shape", shape)), value, dtype)


def zero_init(
    shape: tuple[int, ...], *, runs: tuple[int, ...] = (), dtype: type = np.float64
) -> Float[np.ndarray, "*runs_and_shape"]:
    """Give a parameter of zeros: `constant_init` with 0.

        W_ij = 0

    Args:
        shape: Shape of the parameter, in one run.
        runs: Shape of the run axes, which come first.
        dtype: A floating-point type.

    Returns:
        An array of shape (*runs, *shape).

    Raises:
        TypeError: If a size is no integer.
        ValueError: If a size is below 0.

    Source: definition.
    """
    return constant_init(shape, 0.0, runs=runs, dtype=dtype)


def _singular_values(name: str, matrix: np.ndarray) -> np.ndarray:
    checks.finite(name, checks.rank(name, checks.single_or_double(name, matrix), at_least=2))
    return np.linalg.svd(matrix, compute_uv=False)


def numerical_rank(
    matrix: Float[np.ndarray, "*runs units features"], *, tolerance: float | None = None
) -> Int[Array, "*runs"]:
    """Count the directions in which the rows of a matrix lie, apart from rounding.

        rank(W) = how many i have sigma_i > tolerance * sigma_1

    Args:
        matrix: W, such as the weights of a layer: one row a unit.
        tolerance: Relative to the largest singular value, from 0 to below 1; by default the larger of the matrix's two
            sizes times the machine epsilon of its dtype.

    Returns:
        The number of singular values above the tolerance; 0 for a matrix of zeros.

    Raises:
        TypeError: If `matrix` is not an array of float32 or float64.
        ValueError: If it has fewer than two axes or a number that is not finite, or `tolerance` is outside its range.

    Source: definition.
    """
    values = _singular_values("matrix", matrix)
    if tolerance is None:
        tolerance = max(matrix.shape[-2:]) * float(np.finfo(matrix.dtype).eps)
    tolerance = checks.real("tolerance", tolerance, at_least=0, below=1)
    return np.sum(values > tolerance * values[..., :1], axis=-1)


def effective_rank(matrix: Float[np.ndarray, "*runs units features"]) -> Float[Array, "*runs"]:
    """Measure over how many directions the rows of a matrix are spread, as a real number.

        erank(W) = exp(-sum_i p_i ln p_i),  p_i = sigma_i / sum_j sigma_j

    It is 1 if all rows are multiples of one, and the number of rows if they are orthogonal and equally long. It has no
    threshold, so it shows how units come apart before `numerical_rank` does.

    Args:
        matrix: W, such as the weights of a layer: one row a unit.

    Returns:
        The effective rank, from 1 to the smaller of the matrix's sizes; 0 for a matrix of zeros.

    Raises:
        TypeError: If `matrix` is not an array of float32 or float64.
        ValueError: If it has fewer than two axes or a number that is not finite.

    Source: Roy and Vetterli (2007).
    """
    values = _singular_values("matrix", matrix)
    largest = values[..., :1]
    values = values / np.where(largest > 0, largest, 1)  # so that the sum of huge ones is finite
    shares = values / np.where(largest > 0, values.sum(axis=-1, keepdims=True), 1)
    entropy = -np.sum(shares * np.log(np.where(shares > 0, shares, 1)), axis=-1)
    return np.where(largest[..., 0] > 0, np.exp(entropy), 0).astype(matrix.dtype)


def unit_groups(
    units: Float[np.ndarray, "*runs units features"], *, tolerance: float = 0.0
) -> Int[np.ndarray, "*runs units"]:
    """Say which units are alike: those with the same numbers are in one group.

        group(i) = the first j with |W_ik - W_jk| <= tolerance for all k

    A unit that is near one of two others and not near the other belongs with the first of the units it is near. With a
    tolerance the groups are chains of neighbors and depend on the order of the rows: it is meant for rounding, and
    has to be far below the distance of units that differ.

    Args:
        units: W, one row a unit: its weights, its weights beside its bias, or what it gives for a batch.
        tolerance: The largest difference of two entries that count as the same, at least 0.

    Returns:
        For each unit the index of the first unit that is like it; a unit that is the first of its kind has its own.

    Raises:
        TypeError: If `units` is not an array of floating-point numbers.
        ValueError: If it has fewer than two axes or a number that is not finite, or `tolerance` is below 0.

    Source: definition.
    """
    checks.finite("units", checks.rank("units", checks.floating("units", units), at_least=2))
    tolerance = checks.real("tolerance", tolerance, at_least=0)
    count = units.shape[-2]
    groups = np.empty(units.shape[:-1], np.int64)
    for unit in range(count):  # one unit against those before, which bounds the memory
        before = units[..., : unit + 1, :] - units[..., unit : unit + 1, :]
        alike = np.all(np.abs(before) <= tolerance, axis=-1)
        alike[..., unit] = True
        groups[..., unit] = np.argmax(alike, axis=-1)
    return groups


def distinct_units(units: Float[np.ndarray, "*runs units features"], *, tolerance: float = 0.0) -> Int[Array, "*runs"]:
    """Count the units of a layer that differ from every unit before them.

        how many i have group(i) = i

    Args:
        units: One row a unit, as in `unit_groups`.
        tolerance: The largest difference of two entries that count as the same, at least 0.

    Returns:
        How many different units there are; 1 after a constant start.

    Raises:
        TypeError: If `units` is not an array of floating-point numbers.
        ValueError: If it has fewer than two axes or a number that is not finite, or `tolerance` is below 0.

    Source: definition.
    """
    groups = unit_groups(units, tolerance=tolerance)
    return np.sum(groups == np.arange(groups.shape[-1]), axis=-1)
