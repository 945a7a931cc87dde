"""The checkers of the chapter on preprocessing: slips are named, right answers pass in any usual form."""

from __future__ import annotations

import numpy as np
import pytest

from dlnotes.exercises import preprocessing as exercises


def standardized(rows, mean, divisor):
    return (rows - mean) / divisor


def divisor_of(x):
    deviation = x.std(axis=0)
    return np.where(deviation > 1e-6, deviation, 1)


def standardize(train, test):
    mean, divisor = train.mean(axis=0), divisor_of(train)
    return standardized(train, mean, divisor), standardized(test, mean, divisor)


def starter(train, test):
    return tuple((rows - rows.mean(axis=0)) / (rows.var(axis=0) + 1e-8) for rows in (train, test))


def leaked(train, test):
    both = np.concatenate((train, test))
    return tuple(standardized(rows, both.mean(axis=0), both.std(axis=0)) for rows in (train, test))


def half_leaked(train, test):
    both = np.concatenate((train, test))
    return standardize(train, test)[0], standardized(test, both.mean(axis=0), both.std(axis=0))


def own_statistics(train, test):
    return standardize(train, train)[0], standardize(test, test)[0]


def mixed_statistics(train, test):
    return standardize(train, test)[0], standardized(test, train.mean(axis=0), divisor_of(test))


def not_divided(train, test):
    return train - train.mean(axis=0), test - train.mean(axis=0)


def over_n_less_one(train, test):
    scale = np.append(train.std(axis=0, ddof=1)[:3], 1)
    return tuple((rows - train.mean(axis=0)) / scale for rows in (train, test))


def divided_by_rounding(train, test):
    return tuple(standardized(rows, train.mean(axis=0), train.std(axis=0)) for rows in (train, test))


def untouched(train, test):
    return standardize(train, test)[0], test


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (starter, "divides by the variance"),
        (leaked, "the test rows have leaked in"),
        (half_leaked, "the test rows have leaked in"),
        (own_statistics, "takes mean and deviation from the test rows"),
        (mixed_statistics, "the deviation is that of the test rows"),
        (not_divided, "centered and not divided yet"),
        (over_n_less_one, "divides by n - 1"),
        (divided_by_rounding, "does not vary, but its computed deviation"),
        (untouched, "they are as they were"),
    ],
)
def test_slips_in_standardizing_are_named(answer, hint):
    with pytest.raises(AssertionError) as raised:
        exercises.check_standardize(answer)
    assert hint in str(raised.value)


@pytest.mark.parametrize("form", [list, np.asarray, lambda rows: rows.tolist(), lambda rows: rows.astype(np.float32)])
def test_right_answers_pass_in_any_form(form, capsys):
    exercises.check_standardize(lambda *rows: [form(each) for each in standardize(*rows)])
    exercises.check_whitening_matrix(lambda x: form(zca_matrix(x)))
    exercises.check_raw_weights(lambda w, b, m, s: (form(w / s), b - w / s @ m))
    exercises.check_offset_condition(lambda mean: np.array(np.linalg.cond([[1 + mean**2, mean], [mean, 1]])))
    assert capsys.readouterr().out.count("Right: ") == 4


def test_standardizing_in_float32_is_right():
    exercises.check_standardize(lambda train, test: standardize(train.astype(np.float32), test.astype(np.float32)))


def zca_matrix(x, power=-0.5):
    values, vectors = np.linalg.eigh(x.T @ x / len(x))
    return vectors * values**power @ vectors.T


def turned_by_the_vectors(x):
    values, vectors = np.linalg.eigh(x.T @ x / len(x))
    return vectors / np.sqrt(values) @ vectors


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda x: zca_matrix(x, -1), "the inverse of the covariance; its root is wanted"),
        (lambda x: zca_matrix(x, 0.5), "the root of the covariance, which undoes whitening"),
        (lambda x: zca_matrix(x) * np.sqrt(39 / 40), "divides by n here, not by n - 1"),
        (lambda x: np.linalg.eigh(x.T @ x / len(x))[1], "decorrelated, but their variances are not 1"),
        (lambda x: np.linalg.eigh(x.T @ x)[1] / np.sqrt(np.linalg.eigvalsh(x.T @ x / len(x))), "Turn them back"),
        (lambda x: -np.linalg.svd(x)[2].T / np.linalg.svd(x)[1] * np.sqrt(len(x)), "Turn them back"),
        (turned_by_the_vectors, "turn back by the transpose"),
        (lambda x: -zca_matrix(x), "It has the wrong sign"),
        (
            lambda x: np.linalg.inv(np.linalg.cholesky(x.T @ x / len(x))).T,
            "the symmetric one with positive eigenvalues",
        ),
    ],
)
def test_slips_in_whitening_are_named(answer, hint):
    with pytest.raises(AssertionError) as raised:
        exercises.check_whitening_matrix(answer)
    assert hint in str(raised.value)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda w, b, m, s: (w * s, b), "needs a weight that is divided too"),
        (lambda w, b, m, s: (w / s**2, b), "divide once, by the deviation"),
        (lambda w, b, m, s: (w, b), "a weight of z is not a weight of x yet"),
        (lambda w, b, m, s: (w / s, b + w / s @ m), "its sign is wrong"),
        (lambda w, b, m, s: (w / s, b - w @ m), "they go with the weights of x"),
        (lambda w, b, m, s: (w / s, b), "somebody has to take them off again"),
    ],
)
def test_slips_in_raw_weights_are_named(answer, hint):
    with pytest.raises(AssertionError) as raised:
        exercises.check_raw_weights(answer)
    assert hint in str(raised.value)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda mean: 1 + mean**2, "the off-diagonal entry counts"),
        (lambda mean: np.linalg.eigvalsh([[1 + mean**2, mean], [mean, 1]])[-1], "the larger eigenvalue"),
        (
            lambda mean: max(mean**4, 1.0) if abs(mean) > 10 else np.linalg.cond([[1 + mean**2, mean], [mean, 1]]),
            "For large means this comes near",
        ),
        (lambda mean: 1 + mean**4, "For large means this comes near"),
        (lambda mean: np.linalg.cond([[1 + mean**2, mean], [mean, 1]]) ** np.sign(mean + 0.1), "as far from zero"),
    ],
)
def test_slips_in_the_price_of_a_mean_are_named(answer, hint):
    with pytest.raises(AssertionError) as raised:
        exercises.check_offset_condition(answer)
    assert hint in str(raised.value)
