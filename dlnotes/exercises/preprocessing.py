"""Checkers of the chapter on preprocessing: each takes a reader's answer and says what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from dlnotes import datasets
from dlnotes.exercises import _answers as answers
from dlnotes.numpy import preprocessing


def _close(one: np.ndarray, other: np.ndarray | float, tolerance: float = 1e-8) -> bool:
    return bool(np.allclose(one, other, rtol=tolerance, atol=tolerance))


def _digits(given: object, tolerance: float = 1e-8) -> float:
    """Give the tolerance for an answer: that for float64, or a coarser one if it was computed in fewer bits."""
    dtype = np.asarray(given).dtype
    return 1e-3 if dtype.kind == "f" and dtype.itemsize < 8 else tolerance


def _rows_to_standardize() -> tuple[np.ndarray, np.ndarray]:
    """Draw training and test rows whose last feature does not vary in training."""
    generator = np.random.default_rng(0)
    train = generator.normal(size=(12, 4)) * [1, 300, 0.02, 0] + [0, 700, 1, 5]
    test = generator.normal(size=(7, 4)) * [2, 300, 0.02, 0] + [1, 700, 1.01, 1.1]
    train[:, 3] = 0.1  # twelve copies of it have a computed deviation of 1e-17
    return train, test


def _divisors(x: np.ndarray) -> dict[str, np.ndarray]:
    """Give what a reader may divide the features by, right and wrong."""
    deviation, sample = x.std(axis=0), x.std(axis=0, ddof=1)
    return {
        "": deviation,
        ". This divides by the variance: then the deviation becomes 1 over what it was": deviation**2,
        ". This divides by n - 1 under the root; here the rows are to get deviation 1, so divide by n": sample,
        ". They are centered and not divided yet": np.ones_like(deviation),
    }


def _leak(given: np.ndarray, rows: np.ndarray, every: np.ndarray, tolerance: float) -> str:
    """Say whether rows were moved or divided by the statistics of training and test rows together."""
    for divisor in _divisors(every).values():
        moved = given[:, :3] * divisor[:3]
        if _close(moved, rows[:, :3] - every[:, :3].mean(axis=0), max(tolerance, 1e-4)):
            return ". Their mean is that of training and test rows together: the test rows have leaked in"
    return ""


def _check_training_rows(z: np.ndarray, train: np.ndarray, every: np.ndarray, tolerance: float) -> None:
    """Check mean and deviation of the training rows."""
    mean = z.mean(axis=0)
    if not _close(mean, 0, tolerance):
        hint = _leak(z, train, every, tolerance)
        if not hint and _close(mean[:3], 0, tolerance):
            hint = ". The last one does not vary, but its computed deviation is tiny and not 0, by rounding. "
            hint += "Divide by 1 where the deviation is at most a few machine epsilons times the largest number"
        raise AssertionError(f"the training features must have mean 0, they have {mean.round(3)}{hint}")
    moving = z[:, :3].std(axis=0)
    if not _close(moving, 1, tolerance):
        found = (hint for hint, d in _divisors(train).items() if _close(moving * d[:3], train[:, :3].std(axis=0), 1e-3))
        if _close(moving * every[:, :3].std(axis=0), train[:, :3].std(axis=0), 1e-4):
            found = iter([". The deviation is that of training and test rows together: the test rows have leaked in"])
        hint = next(found, "") or (
            ", not quite: is there an epsilon in the divisor? Only a deviation of 0 needs care"
            if _close(moving, 1, 1e-2)
            else ""
        )
        raise AssertionError(f"the training features must have deviation 1, they have {moving.round(8)}{hint}")
    if not _close(z[:, 3], 0, tolerance):
        raise AssertionError("the feature that does not vary in training must be 0 there. Divide it by 1")


def _check_test_rows(rows: np.ndarray, train: np.ndarray, test: np.ndarray, tolerance: float) -> None:
    """Check that the test rows went through the numbers of the training rows."""
    wanted = (test - train.mean(axis=0))[:, :3] / train.std(axis=0)[:3]
    both = np.concatenate((train, test))
    hint = _leak(rows, test, both, tolerance)
    if _close(rows[:, :3].mean(axis=0), 0, tolerance):
        hint = ": this takes mean and deviation from the test rows. They must be those of the training rows"
    elif _close(rows[:, :3] * test.std(axis=0)[:3], (test - train.mean(axis=0))[:, :3], 1e-3):
        hint = ": the mean is that of the training rows, but the deviation is that of the test rows"
    elif _close(rows[:, :3] * both.std(axis=0)[:3], (test - train.mean(axis=0))[:, :3], 1e-4):
        hint = ": the mean is that of the training rows, but the deviation is that of training and test rows together"
    elif _close(rows[:, :3], test[:, :3], tolerance):
        hint = ": they are as they were"
    if not _close(rows[:, :3], wanted, tolerance):
        raise AssertionError(f"the test rows are not transformed as the training rows were{hint}")
    if not _close(rows[:, 3], 1, tolerance):
        raise AssertionError(
            f"the feature that does not vary in training is 1 above it in the test rows; "
            f"{rows[:, 3].mean():.3g} is left. Center it and divide by 1"
        )


def check_standardize(standardize: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]) -> None:
    """Check a function that standardizes training and test rows.

    Args:
        standardize: takes training rows and test rows, and gives both after the transform.

    Raises:
        AssertionError: if a feature is not standardized as it should be; the message says where the mistake may lie.
    """
    train, test = _rows_to_standardize()
    first, second = answers.pair("standardize(train, test)", standardize(train.copy(), test.copy()))
    z = answers.array("the first of the pair", first, train.shape)
    rows = answers.array("the second of the pair", second, test.shape)
    _check_training_rows(z, train, np.concatenate((train, test)), _digits(first))
    _check_test_rows(rows, train, test, _digits(second))
    answers.right("both went through the mean and the deviation of the training rows")


def check_raw_weights(
    raw_weights: Callable[[np.ndarray, float, np.ndarray, np.ndarray], tuple[np.ndarray, float]],
) -> None:
    """Check a function that turns weights for standardized inputs into weights for raw ones.

    Args:
        raw_weights: takes weights, bias, means and deviations, and gives the weights and the bias for raw inputs.

    Raises:
        AssertionError: if a prediction differs.
    """
    x = datasets.wine().inputs
    standardizer = preprocessing.Standardizer()
    state = standardizer.fit(x)
    z = standardizer.transform(x, state)
    generator = np.random.default_rng(1)
    for weights, bias in ((generator.normal(size=13), 0.7), (np.eye(13)[12], 0.0)):
        call = "raw_weights(weights, bias, mean, deviation)"
        given = answers.pair(call, raw_weights(weights.copy(), bias, state.mean.copy(), state.deviation.copy()))
        own = answers.array("the first of the pair, the weights,", given[0], (13,))
        shift = answers.array("the second of the pair, the bias,", given[1], ())
        wanted, tolerance = weights / state.deviation, max(_digits(given[0]), _digits(given[1]))
        hint = ""
        if _close(own, weights * state.deviation, tolerance):
            hint = ": a feature that is divided by its deviation needs a weight that is divided too"
        elif _close(own, weights / state.deviation**2, tolerance):
            hint = ": divide once, by the deviation and not by the variance"
        elif _close(own, weights, tolerance):
            hint = ": a weight of z is not a weight of x yet"
        if not _close(own, wanted, tolerance):
            raise AssertionError(f"the weights are wrong{hint}")
        if _close(shift, bias + wanted @ state.mean, tolerance):
            hint = ": its sign is wrong. (x - m) takes the mean away"
        elif _close(shift, bias - weights @ state.mean, tolerance):
            hint = ": the means are in units of x, so they go with the weights of x"
        elif any(_close(shift, bias - moved.sum(), tolerance) for moved in (state.mean, state.mean / state.deviation)):
            hint = ": each mean goes with the weight of its feature"
        elif _close(shift, bias, tolerance):
            hint = ": the means were taken off the inputs, and somebody has to take them off again"
        if not _close(x @ own + shift, z @ weights + bias, tolerance):
            raise AssertionError(f"the bias is wrong{hint}")
    answers.right("raw rows now give what standardized ones gave")


def _turned(matrix: np.ndarray, symmetric: np.ndarray, vectors: np.ndarray, tolerance: float) -> str:
    """Say how a whitening matrix was turned away from the symmetric one, C^(-1/2)."""
    rest = vectors.T @ np.linalg.solve(symmetric, matrix)  # matrix = C^(-1/2) vectors rest, and rest is orthogonal
    if _close(matrix, -symmetric, tolerance):
        return ". It has the wrong sign, which turns every row over"
    if _close(rest, vectors, tolerance):
        return ". eigh gives the eigenvectors in the columns: turn back by the transpose, at the end"
    if _close(np.sort(np.abs(rest)), np.eye(len(rest))[-1], tolerance):  # the axes themselves, in any order and sign
        return ". Turn them back after you have divided"
    return ". Of all whitening matrices the symmetric one with positive eigenvalues moves the rows least"


def check_whitening_matrix(whitening_matrix: Callable[[np.ndarray], np.ndarray]) -> None:
    """Check a function that gives the ZCA whitening matrix of centered rows.

    Args:
        whitening_matrix: takes centered rows and gives W, so that the rows times W are white.

    Raises:
        AssertionError: if the rows come out not white, or not as near to themselves as they could.
    """
    generator = np.random.default_rng(2)
    for features in (2, 5):
        x = generator.normal(size=(40, features)) @ generator.normal(size=(features, features))
        x -= x.mean(axis=0)
        name = f"whitening_matrix of {features} features"
        given = whitening_matrix(x.copy())
        matrix, tolerance = answers.array(name, given, (features, features)), _digits(given, 1e-6)
        covariance = x.T @ x / len(x)
        reached = matrix.T @ covariance @ matrix
        inverse = np.linalg.inv(covariance)
        values, vectors = np.linalg.eigh(covariance)
        hint = ""
        if _close(matrix, inverse, tolerance):
            hint = ". This is the inverse of the covariance; its root is wanted"
        elif any(_close(reached, np.eye(features) * ratio, 1e-4) for ratio in (39 / 40, 40 / 39)):
            hint = ". The covariance divides by n here, not by n - 1"
        elif _close(matrix, np.linalg.inv(preprocessing.ZCA().fit(x).whitening), tolerance):
            hint = ". This is the root of the covariance, which undoes whitening; its inverse is wanted"
        elif _close(matrix, vectors.T / np.sqrt(values) @ vectors, tolerance):
            hint = ". eigh gives the eigenvectors in the columns: turn back by the transpose, at the end"
        elif _close(reached, np.diag(np.diag(reached)), tolerance):
            hint = ". They are decorrelated, but their variances are not 1: divide by the root of the eigenvalues"
        off = np.abs(reached - np.eye(features)).max()
        if off < 0.01:
            hint = ". Is there an epsilon under the root? No eigenvalue is near 0 here, so none is needed"
        if not _close(reached, np.eye(features), tolerance):
            raise AssertionError(
                f"the covariance of the rows times {name} must be the identity, it is\n{reached.round(3)}\n"
                f"The largest difference is {off:.1g}{hint}"
            )
        state = preprocessing.ZCA().fit(x)
        distance, least = (np.square(x @ w - x).sum(-1).mean() for w in (matrix, state.whitening))
        if not _close(matrix, state.whitening, tolerance):
            raise AssertionError(
                f"{name} whitens, but moves the rows by {distance:.3f} in the mean square where {least:.3f} is enough"
                f"{_turned(matrix, state.whitening, vectors, tolerance)}"
            )
    answers.right("white, and as near to the rows as white rows can be")


def check_offset_condition(offset_condition: Callable[[float], float]) -> None:
    """Check a function that gives the condition number for one feature of deviation 1, with a bias.

    Args:
        offset_condition: takes the mean of the feature.

    Raises:
        AssertionError: if a condition number is wrong.
    """
    for mean in (200.0, 3.0, 1.0, 0.0, -3.0):  # at 200 near misses tell themselves apart
        answer = offset_condition(mean)
        given = answers.number(f"offset_condition({mean})", answer)
        hessian = np.array([[1 + mean**2, mean], [mean, 1]])
        trace, root = 2 + mean**2, abs(mean) * math.sqrt(mean**2 + 4)
        wanted = ((trace + root) / 2) ** 2
        hint = ""
        if math.isclose(given, 1 + mean**2, rel_tol=1e-9):
            hint = ". This is the larger diagonal entry over the smaller one. The bias "
            hint += "and the weight pull on the same thing, so the off-diagonal entry counts"
        elif math.isclose(given, (trace + root) / 2, rel_tol=1e-6):
            hint = ". This is the larger eigenvalue. The smaller one is not 1: their product is"
        elif abs(mean) > 1 and math.isclose(given, mean**4, rel_tol=1e-3):
            hint = ". For large means this comes near. The quotient of the two eigenvalues is right for any mean"
        if mean < 0 and math.isclose(given * wanted, 1, rel_tol=1e-6):
            hint = ". A mean of -3 is as far from zero as one of 3"
        if not math.isclose(given, wanted, rel_tol=_digits(answer, 1e-5)):
            raise AssertionError(
                f"offset_condition({mean}) is {given:.6g}; the Hessian is {hessian.tolist()}, and its larger "
                f"eigenvalue over its smaller one {wanted:.6g}{hint}"
            )
    answers.right("the price of a mean, for any mean")
