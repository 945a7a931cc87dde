"""The numbers behind the figures of the preprocessing chapter, against theory and against print.

Numbers of the whole experiment come from the cache of the press; what is quick is measured here at another size.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

from dlnotes import datasets
from dlnotes.book import drawing, layout
from dlnotes.figures import preprocessing as valleys
from dlnotes.figures import preprocessing_layers as inside
from dlnotes.figures import preprocessing_rows as unseen
from dlnotes.figures import preprocessing_splits as foreign
from dlnotes.figures import preprocessing_tables as tables
from dlnotes.numpy import network, preprocessing

SMALL = {
    "wine-descent": {"tables": 3, "points": 5},
    "clouds": {},
    "paths": {"steps": 3, "points": 7},
    "tables-images": {"tables": 2},
    "pictures": {"digits": 2},
    "epsilon": {"train": 50, "number": 2, "points": 2},
    "few-rows": {"features": 6, "number": 3, "digit_splits": 2, "test": 20},
    "leak": {"counts": (6, 10), "test": 20, "number": 5, "features": (10, 20), "draws": 4},
    "refit": {"sizes": (2, 5), "drifts": (0, 1), "number": 4},
    "layers": {"width": 4, "seeds": 2, "steps": 3},
}


@functools.cache
def numbers(name: str) -> tuple:
    """The numbers of a figure as the book shows it."""
    return drawing.numbers(layout.find(), drawing.Figure("preprocessing", name))


# --- descent in closed form


def test_the_closed_form_is_what_descent_does() -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(20, 3)) * [1, 3, 0.5] + [0.5, -1, 2]
    y = generator.normal(size=(20, 2))
    ones = valleys.with_bias(x)
    least = np.linalg.lstsq(ones, y, rcond=None)[0]
    parameters = np.zeros((4, 2))
    parameters[-1] = y.mean(axis=0)
    rate = 20 / np.linalg.norm(ones, 2) ** 2
    measured = []
    for _ in range(30):
        measured.append(np.square(ones @ (parameters - least)).sum())
        parameters -= rate * ones.T @ (ones @ parameters - y) / 20
    expected = valleys.left_after(valleys.descent(x, y), np.arange(30))
    np.testing.assert_allclose(np.array(measured) / measured[0], expected, rtol=1e-9)


@pytest.mark.parametrize("left", [0.5, 0.1, 0.01])
def test_steps_until_is_the_first_step_that_is_enough(left: float) -> None:
    generator = np.random.default_rng(1)
    x, y = generator.normal(size=(2, 30, 4)) * [1, 2, 3, 4], generator.normal(size=(2, 30, 1))
    prepared = valleys.descent(x, y)
    walked = valleys.left_after(prepared, np.arange(2000)) <= left
    np.testing.assert_array_equal(valleys.steps_until(prepared, left), walked.argmax(-1))


def test_condition_numbers_of_wine_in_print() -> None:
    shown = numbers("wine-descent")
    raw, centered, standardized, whitened = shown.conditions
    assert raw == pytest.approx(4.589e8, rel=1e-3)  # with a bias
    assert centered == pytest.approx(1.209e7, rel=1e-3)
    assert standardized == pytest.approx(45.5, abs=0.05)
    assert whitened == pytest.approx(1, abs=1e-6)
    x = datasets.wine().inputs
    assert preprocessing.least_squares_condition(x) == pytest.approx(8.04e7, rel=1e-3)  # without


def test_condition_numbers_of_breast_cancer_in_print() -> None:
    x = datasets.breast_cancer().inputs
    centered, standardized, whitened = (
        preprocessing.least_squares_condition(valleys.fitted(transform, x))
        for transform in (valleys.CENTER, valleys.STANDARDIZE, valleys.WHITEN)
    )
    assert centered == pytest.approx(6.32e11, rel=1e-2)
    assert standardized == pytest.approx(9.98e4, rel=1e-2)
    assert whitened == pytest.approx(1, abs=1e-6)


def test_wine_is_learned_in_one_step_in_tens_in_millions_and_in_hundreds_of_millions() -> None:
    wine = datasets.wine()
    steps = [valleys.steps_until(valleys.descent(x, valleys.one_hot(wine))) for x in valleys.forms(wine.inputs)]
    assert steps[1:] == [pytest.approx(1.886e6, rel=1e-3), 15, 1]
    assert steps[0] == pytest.approx(3.1e8, rel=0.01)
    shown = numbers("wine-descent")
    assert np.all(np.diff(shown.left[:, 1], axis=-1) <= 0)
    assert np.all(shown.left[:, :, 0] == pytest.approx(1))
    whitened = valleys.descent(valleys.forms(wine.inputs)[3], valleys.one_hot(wine))
    assert np.all(valleys.left_after(whitened, np.array([1, 2, 100])) < 1e-20)  # nothing is left after one step
    assert np.all(shown.left[3, :, 1:] == tables.LEAST)
    assert tables.LEAST < 1e-3  # below the figure
    for form, steps_to_one_percent in enumerate((3.1e8, 1.9e6, 15)):
        crossing = shown.steps[np.argmax(shown.left[form, 1] <= 0.01)]
        assert steps_to_one_percent / 3 < crossing < 3 * steps_to_one_percent


def test_no_table_is_the_original_one() -> None:
    rows = valleys.resampled(30, 50, np.random.default_rng(0))
    assert all(len(set(table)) < 30 for table in rows.tolist())
    assert rows.min() == 0
    assert rows.max() == 29


# --- the cloud at each step


def test_the_hessian_after_each_step() -> None:
    shown = numbers("clouds")
    off = ~np.eye(13, dtype=bool)
    proline = shown.hessians[1, 12, 12]
    assert proline == 1
    assert np.delete(shown.hessians[1].ravel(), 12 * 13 + 12).max() < 0.02  # one entry is all one sees
    assert np.allclose(np.diagonal(shown.hessians[2]), 1)
    assert shown.hessians[2][off].max() > 0.8
    assert shown.hessians[3][off].max() < 1e-10
    assert np.allclose(shown.hessians[4], np.eye(13), atol=1e-9)
    assert shown.conditions == pytest.approx([8.043e7, 1.209e7, 45.52, 45.52, 1], rel=1e-3)


def test_the_cloud_after_each_step() -> None:
    points = numbers("clouds").points
    assert points[0].mean(-1).min() > 1.5
    assert np.allclose(points[1:].mean(-1), 0, atol=1e-12)
    assert np.allclose(points[[2, 4]].std(-1), 1)
    correlation = np.corrcoef(points[2])[0, 1]
    assert correlation == pytest.approx(0.86, abs=0.005)
    assert np.allclose(points[3].var(-1), [1 + correlation, 1 - correlation])  # eigenvalues of the correlations
    assert np.square(points[3]).sum(0) == pytest.approx(np.square(points[2]).sum(0))  # a rotation keeps lengths


# --- paths


def test_paths_are_those_of_gradient_descent() -> None:
    shown = numbers("paths")
    for case, late in np.ndindex(3, 2):
        hessian = valleys.valleys()[case][late]
        values = np.linalg.eigvalsh(hessian)
        place, walked = shown.paths[case, late, :, 0], []
        for _ in range(shown.paths.shape[-1]):
            walked.append(place)
            place = place - 2 / values.sum() * hessian @ place
        np.testing.assert_allclose(np.array(walked).T, shown.paths[case, late], atol=1e-12)
        kappa = shown.conditions[case, late]
        losses = np.einsum("is,ij,js->s", shown.paths[case, late], hessian, shown.paths[case, late])
        assert losses[1] / losses[0] == pytest.approx(((kappa - 1) / (kappa + 1)) ** 2, abs=1e-12)
        heights = np.einsum("lip,ij,ljp->lp", shown.ellipses[case, late], hessian, shown.ellipses[case, late])
        assert np.allclose(heights / heights[:1], np.square([[1], [0.6], [0.3]]))
        assert heights[0, 0] == pytest.approx(losses[0])  # the outer line runs through the start


def test_each_remedy_makes_its_valley_round() -> None:
    conditions = numbers("paths").conditions
    assert np.all(conditions[:, 0] > 10)
    assert np.all(conditions[:, 1] < 1.5)
    variance = datasets.wine().inputs[:, datasets.wine().features.index("flavanoids")].var()
    assert conditions[0, 1] == pytest.approx(1 / variance)  # centered, not divided: the Hessian is diag(variance, 1)
    assert conditions[2, 1] == pytest.approx(1)


# --- tables and images


def test_standardizing_saves_much_on_tables_and_little_on_images() -> None:
    shown = numbers("tables-images")
    wine, cancer, diabetes, digits = shown.savings
    assert wine == pytest.approx(1.26e5, rel=0.01)
    assert cancer > 1e6
    assert diabetes > 1e3
    assert digits == pytest.approx(87 / 41)
    medians = shown.centered[1] / shown.standardized[1]
    assert np.all(np.abs(np.log10(medians / shown.savings)) < 0.5)


def test_steps_on_digits_in_print() -> None:
    digits = datasets.digits()
    steps = tables.steps_of(digits, np.arange(len(digits.targets))[None])
    assert steps[:, 0].tolist() == [87, 41]
    x = tables.moving(digits.inputs)
    conditions = [
        preprocessing.least_squares_condition(valleys.fitted(t, x)) for t in (valleys.CENTER, valleys.STANDARDIZE)
    ]
    assert conditions == [pytest.approx(4.3e5, rel=0.02), pytest.approx(146, rel=0.01)]


def test_one_column_of_wine_makes_most_of_the_saving() -> None:
    wine = datasets.wine()
    keep = [name != "proline" for name in wine.features]
    rows = np.arange(len(wine.targets))[None]
    before, after = tables.steps_of(wine._replace(inputs=wine.inputs[:, keep]), rows)[:, 0]
    assert before / after == pytest.approx(321, abs=1)


# --- pictures, epsilon


def test_zca_looks_like_the_digit_and_pca_does_not() -> None:
    raw, pca, zca = numbers("pictures").tones.reshape(3, 5, 64)
    mean = datasets.digits().inputs.mean(axis=0)
    centered = datasets.digits().inputs[:5] - mean

    def alike(one: np.ndarray, other: np.ndarray) -> float:
        return np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(one, other, strict=True)])

    assert alike(centered, zca) > 0.5
    assert abs(alike(centered, pca)) < 0.2
    assert raw.min() == 0.5  # nothing below zero


def test_nearest_neighbor_accuracies_in_print() -> None:
    shown = numbers("epsilon")
    assert shown.centered[0] == pytest.approx(0.984, abs=0.003)
    assert shown.standardized[0] == pytest.approx(0.968, abs=0.005)
    assert shown.whitened[1, 0] == pytest.approx(0.931, abs=0.005)
    assert shown.whitened[1, -1] == shown.centered[0]  # an epsilon far above the variance whitens nothing
    assert np.all(np.diff(shown.whitened[1, :8]) >= 0)


def test_the_nearest_neighbor_does_not_see_rotations() -> None:
    both = [preprocessing.ZCA(epsilon=0.3), preprocessing.PCA(whiten=True, epsilon=0.3)]
    assert np.ptp(unseen.accuracies(both, train=200, number=2, seed=0), axis=1).max() < 2e-3


def test_nearest_neighbor_and_nearest_mean_on_a_case_done_by_hand() -> None:
    x, labels = np.array([[0.0, 0], [4, 0], [0, 3]]), np.array([0, 1, 1])
    rows, right = np.array([[1.0, 0], [3, 0], [0, 1], [1, 1.2]]), np.array([0, 1, 1, 1])
    assert unseen.nearest_neighbor(x, labels, rows, right) == 0.5
    assert foreign.nearest_mean(x, labels, rows).tolist() == [0, 1, 0, 1]


def test_splits_do_not_overlap() -> None:
    first, rest = unseen.splits(10, (4, 5), 30, np.random.default_rng(0))
    assert first.shape == (30, 4)
    assert rest.shape == (30, 5)
    assert all(len(set(row)) == 9 for row in np.concatenate((first, rest), axis=1).tolist())
    assert len({tuple(row) for row in first.tolist()}) > 20


# --- few rows


def test_new_rows_are_as_large_as_theory_says() -> None:
    shown = numbers("few-rows")
    rows = np.round(shown.ratios * 40)
    far = np.abs(rows - 40) > 8  # nearer, the draws are so skewed that their median is not their mean
    assert np.all(np.abs(np.log(shown.fresh[1] / shown.theory))[far] < 0.1)
    assert rows[shown.fresh[1].argmax()] == 41
    assert shown.fresh[1].max() == pytest.approx(150, abs=10)
    assert shown.fresh[1, -1] == pytest.approx(401 / 358, rel=0.03)


@pytest.mark.parametrize(("rows", "features"), [(5, 12), (30, 8), (60, 20)])
def test_the_law_of_new_rows_as_a_mean_over_many_draws(rows: int, features: int) -> None:
    measured = unseen.fresh_squares(rows, features, 400, np.random.default_rng(2))
    error = measured.std() / 20
    assert abs(measured.mean() - unseen.fresh_law(rows, features)) < 4 * error
    assert error < 0.05 * measured.mean()


def test_the_law_holds_for_any_covariance_with_more_rows_than_features() -> None:
    generator, mix = np.random.default_rng(3), np.diag([100.0, 1, 0.01, 3])
    x = generator.standard_normal((2000, 15, 4)) @ mix
    white = valleys.WHITEN
    z = white.transform(generator.standard_normal((2000, 20, 4)) @ mix, white.fit(x))
    assert np.square(z).mean() == pytest.approx(float(unseen.fresh_law(15, 4)), rel=0.05)


def test_fitted_rows_look_white_whatever_new_rows_do() -> None:
    shown = numbers("few-rows")
    for n, expected in zip(unseen.FEW, shown.train, strict=True):
        x = np.random.default_rng(n).standard_normal((n, 40))
        assert np.square(valleys.fitted(valleys.WHITEN, x)).sum() / (n * 40) == pytest.approx(expected)


@pytest.mark.parametrize(("rows", "features", "shrinks"), [(4, 40, True), (19, 40, True), (20, 40, False)])
def test_new_rows_beside_fitted_ones_with_few_rows(rows: int, features: int, shrinks: bool) -> None:
    ratio = float(unseen.fresh_law(rows, features)) / ((rows - 1) / features)
    assert ratio == pytest.approx((rows + 1) / (features - rows))
    assert (ratio < 1) == shrinks
    generator, white = np.random.default_rng(rows), valleys.WHITEN
    x = generator.standard_normal((400, rows, features))
    state = white.fit(x)
    fitted, new = (
        np.square(white.transform(part, state)).sum(-1).mean()
        for part in (x, generator.standard_normal((400, 50, features)))
    )
    assert new / fitted == pytest.approx(ratio, rel=0.03)


def test_the_largest_laws_of_new_rows_are_finite() -> None:
    assert float(unseen.fresh_law(39, 40)) == pytest.approx(38)
    assert float(unseen.fresh_law(43, 40)) == pytest.approx(44)


def test_standardizing_keeps_a_small_unit_that_whitening_alone_takes_for_rounding() -> None:
    x = np.random.default_rng(0).standard_normal((100_000, 2)) * [1, 1e-11]
    assert valleys.fitted(valleys.WHITEN, x).std(axis=0) == pytest.approx([1, 0])
    standardized = valleys.fitted(valleys.STANDARDIZE, x)
    assert valleys.fitted(valleys.WHITEN, standardized).std(axis=0) == pytest.approx([1, 1])


def test_without_rank_rows_less_one_whitened_rows_are_not_equally_far_apart() -> None:
    square = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]])
    z = valleys.fitted(valleys.WHITEN, square)
    assert np.square(z[0] - z).sum(-1) == pytest.approx([0, 4, 4, 8])


@pytest.mark.parametrize("rows", [2, 5, 9])
def test_few_whitened_rows_are_equally_far_apart(rows: int) -> None:
    x = np.random.default_rng(rows).normal(size=(rows, 8)) * np.arange(1, 9)
    z = valleys.fitted(valleys.WHITEN, x)
    squares = np.square(z[:, None] - z).sum(-1)
    assert squares == pytest.approx(2 * rows * (1 - np.eye(rows)), abs=1e-9)


def test_whitening_with_about_as_many_rows_as_pixels_ruins_the_nearest_neighbor() -> None:
    shown = numbers("few-rows")
    near_one = np.argmin(np.abs(np.log(shown.digit_ratios)))
    centered, _, whitened = shown.accuracy
    assert whitened[1].min() == pytest.approx(0.17, abs=0.03)
    assert abs(np.argmin(whitened[1]) - near_one) <= 1
    assert np.all(centered[0, 2:] > whitened[2, 2:])  # from 40 rows on the middle 80% lie apart
    assert centered[1, near_one] > 0.8


# --- the leak


def test_the_leak_of_standardizing_is_small_and_that_of_whitening_is_not() -> None:
    shown = numbers("leak")
    mean = dict(zip(shown.counts.tolist(), shown.standardize[1], strict=True))
    assert 0.5 < mean[6] < 2
    assert all(abs(mean[count]) < 0.5 for count in (10, 15, 25, 40, 60, 100))
    white = dict(zip(shown.counts.tolist(), shown.whiten[1], strict=True))
    assert white[15] == pytest.approx(22, abs=3)
    assert white[6] < -1
    assert abs(white[60]) < 1


def test_a_selection_that_saw_the_labels_predicts_coin_flips() -> None:
    shown = numbers("leak")
    honest, leaky = shown.selected
    assert np.all(np.abs(honest[1] - 0.5) < 0.04)
    assert leaky[1, 0] == pytest.approx(honest[1, 0], abs=0.05)  # ten of ten: nothing is selected
    assert np.all(np.diff(leaky[1]) > 0.04)
    assert leaky[1, -1] == pytest.approx(0.88, abs=0.03)


def test_standard_errors() -> None:
    low, mean, high = foreign.with_errors(np.array([[1.0, 2, 3, 6]]))
    assert mean == 3
    assert high - mean == pytest.approx(2 * math.sqrt((4 + 1 + 0 + 9) / 3 / 4))
    assert low + high == pytest.approx(6)


# --- statistics of the test rows


def test_own_statistics_ruin_few_rows_and_rows_of_one_class() -> None:
    shown = numbers("refit")
    assert np.all(np.abs(shown.kept[1] - 0.97) < 0.01)
    assert shown.mixed[1, 0] < 0.75
    assert np.all(np.diff(shown.mixed[1]) > 0)
    assert shown.mixed[1, -1] > 0.94
    assert np.all(np.abs(shown.single[1] - 0.33) < 0.03)


def test_own_statistics_undo_a_drift() -> None:
    shown = numbers("refit")
    place = shown.drifts.tolist().index(2.5)
    assert shown.kept_drifted[1, place] == pytest.approx(0.61, abs=0.03)
    assert shown.refitted_drifted[1, place] == pytest.approx(0.95, abs=0.015)
    assert np.ptp(shown.refitted_drifted[1]) < 1e-9  # a move of all rows leaves their own statistics' rows alone
    assert shown.kept_drifted[1, 0] > shown.refitted_drifted[1, 0]  # and without a drift it costs a little
    assert np.all(np.diff(shown.kept_drifted[1]) < 0)
    assert np.all(shown.refitted_drifted[1, 1:] > shown.kept_drifted[1, 1:])  # from half a deviation on
    assert np.all(shown.mixed[1] < shown.kept[1])
    assert shown.kept[1, -1] - shown.mixed[1, -1] == pytest.approx(0.01, abs=0.005)


# --- normalization layers


@pytest.mark.parametrize("place", ["", "hidden", "inputs"])
def test_the_gradient_of_the_normalized_network(place: str) -> None:
    generator = np.random.default_rng(4)
    x, labels = generator.normal(size=(1, 7, 3)) * [1, 5, 2] + 1, generator.integers(0, 3, (1, 7))
    parameters = network.initialize([3, 4, 3], generator, runs=(1,))
    if place == "hidden":
        parameters |= {"scale": 1 + 0.3 * generator.normal(size=(1, 4)), "shift": generator.normal(size=(1, 4))}
    _, gradient = inside.normalized_gradient(parameters, x, labels, place)
    for name, value in parameters.items():
        direction = generator.normal(size=value.shape)
        ahead, behind = (
            inside.normalized_gradient(parameters | {name: value + h * direction}, x, labels, place)[0][0]
            for h in (1e-6, -1e-6)
        )
        assert (ahead - behind) / 2e-6 == pytest.approx((gradient[name] * direction).sum(), rel=1e-5, abs=1e-8)


def test_normalizing_hidden_units_does_not_mend_raw_inputs() -> None:
    raw, standardized = numbers("layers").losses
    sgd, adam, hidden, at_inputs = range(4)
    assert np.all(standardized[1] < 1e-3)
    assert raw[0, sgd] > 0.3
    assert raw[0, hidden] > 0.3
    assert 0.1 < raw[1, adam] < 0.4
    assert raw[0, adam] > 0.01
    assert raw[2, at_inputs] < 5e-3


def test_one_column_makes_nearly_all_of_the_variance_of_raw_wine() -> None:
    wine = datasets.wine()
    variances = wine.inputs.var(axis=0)
    assert wine.features[variances.argmax()] == "proline"
    assert variances.max() / variances.sum() == pytest.approx(0.998, abs=5e-4)
    others = np.sort(np.sqrt(variances))[-2] / np.sqrt(variances.max())
    assert others == pytest.approx(1 / 20, rel=0.15)
