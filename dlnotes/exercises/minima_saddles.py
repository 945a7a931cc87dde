"""Checkers of the chapter on minima and saddle points: each takes a reader's answer and says what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection

import numpy as np

from dlnotes.exercises import _answers as answers
from dlnotes.numpy import minima_saddles


def _near(given: float, wanted: float, tolerance: float = 1e-5) -> bool:
    return math.isclose(given, wanted, rel_tol=tolerance, abs_tol=1e-12)


def check_index_of(index_of: Callable[[list[float], Collection[int], int], int]) -> None:
    """Check a function that counts the negative eigenvalues at a critical point of a linear network.

    Args:
        index_of: takes the singular values, the largest first, the places of those that were learned, and the number
            of hidden units.

    Raises:
        AssertionError: if a count is wrong; the message says which and, where it can be told, why.
    """
    sizes = [4.0, 2.0, 1.0, 0.5]
    for kept, hidden in (((), 4), ((1,), 4), ((0,), 4), ((3,), 4), ((1, 3), 4), ((2,), 6), ((0, 1, 2, 3), 5)):
        call = f"index_of({sizes}, {kept}, {hidden})"
        given = answers.number(call, index_of(list(sizes), kept, hidden))
        point = minima_saddles.linear_network_critical_point(np.diag(sizes), kept, hidden)
        wanted = int(minima_saddles.inertia(minima_saddles.linear_network_hessian(point, np.diag(sizes))).negative)
        missing = [place for place in range(4) if place not in kept]
        free = len(missing) * (hidden - len(kept))
        smaller = sum(sizes[k] < sizes[i] for i in missing for k in kept)
        hint = ""
        if given == wanted:
            continue
        if given == free:
            hint = ": a unit that is busy with a smaller direction can change to a larger one, count those too"
        elif given == smaller:
            hint = ": each unit that is free can learn each direction that is missing"
        elif given in (len(missing), hidden - len(kept)):
            hint = ": count pairs, each missing direction with each unit that can learn it"
        elif given == free + len(missing) * len(kept):
            hint = ": not every busy unit gains; compare the two singular values"
        elif given == free + len(missing) * len(kept) - smaller:
            hint = ": a busy unit gains by a change to a larger direction, not to a smaller one"
        elif given == len(missing) * (4 - len(kept)) + smaller:
            hint = ": the number of hidden units need not be that of the directions"
        raise AssertionError(f"{call} is {given:g}, but {wanted} eigenvalues of the Hessian are negative{hint}")
    answers.right("seven critical points, against the eigenvalues themselves")


def check_steps_to_leave(steps_to_leave: Callable[[float, float, float], float]) -> None:
    """Check a function that gives the steps of descent from near a saddle to a distance of 1.

    Args:
        steps_to_leave: takes the distance of the start from the ridge, the size of the negative curvature and the rate.

    Raises:
        AssertionError: if a number of steps is off by more than one.
    """
    for distance, curvature, rate in ((1e-3, 1.0, 0.1), (1e-6, 0.5, 0.3), (1e-2, 4.0, 0.05)):
        call = f"steps_to_leave({distance:g}, {curvature:g}, {rate:g})"
        given = answers.number(call, steps_to_leave(distance, curvature, rate))
        factor = math.log1p(rate * curvature)
        wanted = math.log(1 / distance) / factor
        hint = ""
        if abs(given - wanted) <= 1:
            continue
        if _near(given, -wanted, 1e-2):
            hint = ": the number of steps is above 0, turn the fraction in the logarithm around"
        elif abs(given - math.log(1 / distance) / (rate * curvature)) <= 1:
            hint = ": that is gradient flow; a step multiplies by 1 + rate * curvature, take the logarithm of that"
        elif abs(given - math.log10(1 / distance) / factor) <= 1:
            hint = ": both logarithms must have the same base"
        elif abs(given - math.log(1 / distance) / math.log1p(rate)) <= 1:
            hint = ": the curvature is missing in the growth of a step"
        elif rate * curvature < 1 and abs(given + math.log(1 / distance) / math.log1p(-rate * curvature)) <= 1:
            hint = ": descent on negative curvature multiplies by 1 + rate * curvature, not 1 - rate * curvature"
        raise AssertionError(f"{call} is {given:.6g}, but descent on the quadratic takes {wanted:.1f} steps{hint}")
    answers.right("three saddles, to one step")


def check_saddle_free(saddle_free: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> None:
    """Check a function that gives the step of saddle-free Newton.

    Args:
        saddle_free: takes the gradient, shape (n,), and the Hessian, shape (n, n), and gives what is to be added.

    Raises:
        AssertionError: if a step is wrong.
    """
    for seed, size in ((2, 2), (1, 3), (2, 5)):
        generator = np.random.default_rng(seed)
        gradient = generator.standard_normal(size)
        hessian = minima_saddles.gaussian_orthogonal(generator.standard_normal((size, size)))
        call = f"saddle_free(gradient, hessian) with {size} rows"
        given = answers.array(call, saddle_free(gradient.copy(), hessian.copy()), (size,))
        wanted = minima_saddles.saddle_free_newton_step(gradient, hessian)
        values, vectors = np.linalg.eigh(hessian)
        hint = ""
        if np.allclose(given, wanted, rtol=1e-4, atol=1e-6):
            continue
        if np.allclose(given, -wanted, rtol=1e-4):
            hint = ": the sign is turned, the step goes down"
        elif np.allclose(given, -np.linalg.solve(hessian, gradient), rtol=1e-4):
            hint = ": this is Newton's step; take the magnitudes of the eigenvalues"
        elif np.allclose(given, -np.linalg.pinv(np.abs(hessian)) @ gradient, rtol=1e-3):
            hint = ": the magnitudes are those of the eigenvalues, not of the entries of the matrix"
        elif np.allclose(given, -vectors @ (vectors.T @ gradient * np.abs(values)), rtol=1e-4):
            hint = ": divide by the magnitudes, do not multiply"
        elif np.allclose(given, -vectors.T @ (vectors @ gradient / np.abs(values)), rtol=1e-4):
            hint = ": eigenvectors are the columns; the coordinates are vectors.T @ gradient"
        elif np.allclose(given, -(vectors.T @ gradient) / np.abs(values), rtol=1e-4):
            hint = ": these are the coordinates along the eigenvectors; turn them back"
        raise AssertionError(f"{call} is wrong{hint}. Its slope along the gradient is {given @ gradient:.3g}")
    answers.right("three random Hessians with eigenvalues of both signs")
