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


def check_standardize(standardize: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]) -> None:
    """Check a function that standardizes training and test rows.

    Args:
        standardize: takes training rows and test rows, and gives both after the transform.

    Raises:
        AssertionError: if a feature is not standardized as it should be; the message says where the mistake may lie.
    """
    generator = np.random.default_rng(0)
    train = generator.normal(size=(12, 4)) * [1, 300, 0.02, 0] + [0, 700, 1, 5]
    test = generator.normal(size=(7, 4)) * [2, 300, 0.02, 0] + [1, 700, 1.01, 1.1]
    train[:, 3] = 0.1  # constant in training, and twelve copies of it have a computed deviation of 1e-17
    first, second = answers.pair("standardize(train, test)", standardize(train.copy(), test.copy()))
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    divisor = np.where(np.ptp(train, axis=0) > 0, deviation, 1)
    z = answers.array("the first of the pair", first, train.shape)
    hint = ""
    if not _close(z[:, 3], 0):
        hint = ". The last one is constant, but its computed deviation is 1e-17 and not 0, by rounding. "
        hint += "Ask whether its rows are all equal"
    if not _close(z.mean(axis=0), 0):
        raise AssertionError(f"the training features must have mean 0, they have {z.mean(axis=0).round(3)}{hint}")
    moving = z[:, :3].std(axis=0)
    hint = ""
    if _close(moving, 1 / deviation[:3]):
        hint = ". This divides by the variance: then the deviation becomes 1 over what it was"
    elif _close(moving, math.sqrt(11 / 12)):
        hint = ". This divides by n - 1 under the root; here the rows themselves are to get deviation 1, so divide by n"
    elif _close(moving, deviation[:3]):
        hint = ". They are centered and not divided yet"
    elif _close(moving, 1, 1e-4):
        hint = ", not quite: is there an epsilon in the divisor? Only a deviation of 0 needs care"
    if not _close(moving, 1):
        raise AssertionError(f"the training features must have deviation 1, they have {moving.round(8)}{hint}")
    rows = answers.array("the second of the pair", second, test.shape)
    hint = ""
    if _close(rows[:, :3].mean(axis=0), 0):
        hint = ": this takes mean and deviation from the test rows. They must be those of the training rows"
    elif _close(rows, (test - np.concatenate((train, test)).mean(axis=0)) / divisor):
        hint = ": the mean is that of all rows. The test rows must not enter it"
    wanted = (test - mean) / divisor
    if not _close(rows[:, :3], wanted[:, :3]):
        raise AssertionError(f"the test rows are not transformed as the training rows were{hint}")
    if not _close(rows[:, 3], wanted[:, 3]):
        raise AssertionError(
            f"the feature that is constant in training is 1 above it in the test rows; "
            f"{rows[:, 3].mean():.3g} is left. Center it and divide by 1"
        )


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
        wanted = weights / state.deviation
        hint = ""
        if _close(own, weights * state.deviation):
            hint = ": a feature that is divided by its deviation needs a weight that is divided too"
        elif _close(own, weights):
            hint = ": a weight of z is not a weight of x yet"
        if not _close(own, wanted):
            raise AssertionError(f"the weights are wrong{hint}")
        if _close(shift, bias + wanted @ state.mean):
            hint = ": its sign is wrong. (x - m) takes the mean away"
        elif _close(shift, bias - weights @ state.mean):
            hint = ": the means are in units of x, so they go with the weights of x"
        elif _close(shift, bias):
            hint = ": the means were taken off the inputs, and somebody has to take them off again"
        if not _close(x @ own + shift, z @ weights + bias):
            raise AssertionError(f"the bias is wrong{hint}")


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
        matrix = answers.array(name, whitening_matrix(x.copy()), (features, features))
        covariance = x.T @ x / len(x)
        reached = matrix.T @ covariance @ matrix
        inverse = np.linalg.inv(covariance)
        hint = ""
        if _close(matrix, inverse):
            hint = ". This is the inverse of the covariance; its root is wanted"
        elif _close(reached, np.eye(features) * 39 / 40) or _close(reached, np.eye(features) * 40 / 39):
            hint = ". The covariance divides by n here, not by n - 1"
        elif _close(reached, np.diag(np.diag(reached))):
            hint = ". They are decorrelated, but their variances are not 1: divide by the root of the eigenvalues"
        if not _close(reached, np.eye(features), 1e-6):
            raise AssertionError(
                f"the covariance of the rows times {name} must be the identity, it is\n{reached.round(3)}{hint}"
            )
        state = preprocessing.ZCA().fit(x)
        distance, least = (np.square(x @ w - x).sum(-1).mean() for w in (matrix, state.whitening))
        if not _close(matrix, state.whitening, 1e-6):
            raise AssertionError(
                f"{name} whitens, but moves the rows by {distance:.3f} in the mean square where {least:.3f} is enough. "
                "Turn them back after you have divided"
            )


def check_offset_condition(offset_condition: Callable[[float], float]) -> None:
    """Check a function that gives the condition number for one feature of deviation 1, with a bias.

    Args:
        offset_condition: takes the mean of the feature.

    Raises:
        AssertionError: if a condition number is wrong.
    """
    for mean in (0.0, 1.0, 3.0, -3.0, 200.0):
        given = float(answers.array(f"offset_condition({mean})", offset_condition(mean), ()))
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
            hint = ". This is the limit for large means"
        if mean < 0 and math.isclose(given * wanted, 1, rel_tol=1e-6):
            hint = ". A mean of -3 is as far from zero as one of 3"
        if not math.isclose(given, wanted, rel_tol=1e-6):
            raise AssertionError(
                f"offset_condition({mean}) is {given:.6g}; the Hessian is {hessian.tolist()}, and its larger "
                f"eigenvalue over its smaller one {wanted:.6g}{hint}"
            )
