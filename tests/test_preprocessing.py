from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlnotes.numpy import preprocessing

TRANSFORMS = [
    preprocessing.Standardizer(),
    preprocessing.Standardizer(scale=False),
    preprocessing.PCA(),
    preprocessing.PCA(components=2),
    preprocessing.PCA(whiten=True),
    preprocessing.PCA(whiten=True, epsilon=0.1),
    preprocessing.ZCA(),
    preprocessing.ZCA(epsilon=0.1),
]


def frozen(x):
    x = np.array(x)
    x.flags.writeable = False
    return x


def wine():
    return frozen(pytest.importorskip("sklearn.datasets").load_wine().data)


def correlated(rows, features, seed=0):
    generator = np.random.default_rng(seed)
    return frozen(generator.normal(size=(rows, features)) @ generator.normal(size=(features, features)) + 3)


def covariance(z):
    centered = z - z.mean(axis=-2, keepdims=True)
    return centered.mT @ centered / z.shape[-2]


def fit_transform(transform, x):
    return transform.transform(x, transform.fit(x))


def test_standardizer_equals_scikit_learn_on_wine():
    x, pipeline = wine(), pytest.importorskip("sklearn.preprocessing").StandardScaler()
    z = fit_transform(preprocessing.Standardizer(), x)
    np.testing.assert_allclose(z, pipeline.fit_transform(x), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-13)
    np.testing.assert_allclose(z.std(axis=0), 1, rtol=1e-13)


@pytest.mark.parametrize("whiten", [False, True])
def test_pca_equals_scikit_learn_on_wine(whiten):
    x = wine()
    rows = len(x)
    theirs = pytest.importorskip("sklearn.decomposition").PCA(whiten=whiten).fit(x)
    ours = preprocessing.PCA(whiten=whiten)
    state = ours.fit(x)
    np.testing.assert_allclose(state.variance, theirs.explained_variance_ * (rows - 1) / rows, rtol=1e-9)
    signs = np.sign((state.axes * theirs.components_).sum(axis=-1))
    np.testing.assert_allclose(state.axes, theirs.components_ * signs[:, None], atol=1e-8)
    scale = np.sqrt(rows / (rows - 1)) if whiten else 1  # scikit-learn divides by n - 1
    z = ours.transform(x, state)
    np.testing.assert_allclose(z, theirs.transform(x) * signs * scale, atol=1e-7 * np.abs(z).max())


def test_covariance_after_each_step():
    x = correlated(200, 5)
    original = covariance(x)
    centered = fit_transform(preprocessing.Standardizer(scale=False), x)
    np.testing.assert_allclose(covariance(centered), original, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(np.diag(covariance(fit_transform(preprocessing.Standardizer(), x))), 1, rtol=1e-12)
    decorrelated = covariance(fit_transform(preprocessing.PCA(), x))
    np.testing.assert_allclose(decorrelated, np.diag(np.linalg.eigvalsh(original)[::-1]), atol=1e-12)
    for whitener in (preprocessing.PCA(whiten=True), preprocessing.ZCA()):
        np.testing.assert_allclose(covariance(fit_transform(whitener, x)), np.eye(5), atol=1e-11)


def test_zca_stays_nearer_to_the_data_than_any_other_whitening():
    x = correlated(100, 4)
    centered = x - x.mean(axis=0)
    z = fit_transform(preprocessing.ZCA(), x)
    generator = np.random.default_rng(1)
    for _ in range(20):
        rotation, _ = np.linalg.qr(generator.normal(size=(4, 4)))
        assert np.square(z - centered).sum() < np.square(z @ rotation - centered).sum()
    whitening = preprocessing.ZCA().fit(x).whitening
    np.testing.assert_allclose(whitening, whitening.T, rtol=1e-12, atol=1e-14)


def test_condition_of_least_squares_on_real_tables():
    # Standardizing brings wine from 1.2e7 to 45 and breast cancer from 6e11 to 1e5; only whitening brings 1.
    cancer = frozen(pytest.importorskip("sklearn.datasets").load_breast_cancer().data)
    for x, before, after in ((wine(), 1.209e7, 45.52), (cancer, 6.322e11, 9.983e4)):
        centered = fit_transform(preprocessing.Standardizer(scale=False), x)
        standardized = fit_transform(preprocessing.Standardizer(), x)
        assert preprocessing.least_squares_condition(centered) == pytest.approx(before, rel=1e-3)
        assert preprocessing.least_squares_condition(standardized) == pytest.approx(after, rel=1e-3)
        whitened = fit_transform(preprocessing.PCA(whiten=True), x)
        assert preprocessing.least_squares_condition(whitened) == pytest.approx(1, abs=1e-6)


def test_condition_is_the_eigenvalue_ratio_of_the_hessian():
    x = correlated(50, 4)
    eigenvalues = np.linalg.eigvalsh(preprocessing.least_squares_hessian(x))
    assert preprocessing.least_squares_condition(x) == pytest.approx(eigenvalues[-1] / eigenvalues[0], rel=1e-9)


def test_hessian_is_the_second_derivative_of_the_loss():
    x = correlated(20, 3)
    y, step = np.arange(20.0), 1e-2

    def loss(w):
        return np.square(x @ w - y).mean() / 2

    units = step * np.eye(3)
    differences = [
        [(loss(a + b) - loss(a - b) - loss(b - a) + loss(-a - b)) / (4 * step * step) for b in units] for a in units
    ]
    np.testing.assert_allclose(preprocessing.least_squares_hessian(x), differences, rtol=1e-7)


@pytest.mark.parametrize("features", [1, 13])
def test_the_condition_number_grows_with_the_fourth_power_of_the_offset(features):
    # ((2 + t + sqrt(t^2 + 4 t)) / 2)^2 for white features of squared means t, in a model with a bias.
    z = fit_transform(preprocessing.PCA(whiten=True), wine())[:, :features]
    offsets = np.geomspace(0.1, 1000, 9)
    moved = np.stack([np.column_stack([z + offset, np.ones(len(z))]) for offset in offsets])
    measured, tau = preprocessing.least_squares_condition(moved), features * offsets**2
    np.testing.assert_allclose(measured, ((2 + tau + np.sqrt(tau**2 + 4 * tau)) / 2) ** 2, rtol=1e-5)
    slope = np.diff(np.log(measured[-3:])) / np.diff(np.log(offsets[-3:]))
    np.testing.assert_allclose(slope, 4, atol=1e-3)


def test_a_column_of_years():
    in_deviations = np.array([1990.0, 2010.0]) / 10  # 2000 with deviation 10
    condition = preprocessing.least_squares_condition(np.column_stack([in_deviations, np.ones(2)]))
    assert condition == pytest.approx(1.6e9, rel=0.01)


def one_sign(ratio, features):
    """Give the limit for large batches of the share whose gradients agree in sign, by the integral of the chapter."""
    grid = np.linspace(-9, 9, 3601)
    below = np.array([math.erfc(-ratio * place / math.sqrt(2)) / 2 for place in grid])
    return 2 * np.sum(np.exp(-grid * grid / 2) * below**features) * (grid[1] - grid[0]) / math.sqrt(2 * math.pi)


def test_the_limit_of_one_sign_in_cases_that_are_known():
    assert one_sign(0, 3) == pytest.approx(2 / 8)  # independent signs
    for ratio in (0.5, 2.0):  # two normal variables of correlation r agree with probability 1/2 + asin(r) / pi
        correlation = ratio**2 / (1 + ratio**2)
        assert one_sign(ratio, 2) == pytest.approx(0.5 + math.asin(correlation) / math.pi)


@pytest.mark.parametrize(
    ("draw", "ratio", "features", "printed"), [("uniform", 3, 10, 0.40), ("relu", 1 / (math.pi - 1), 100, 0.001)]
)
def test_the_share_of_one_sign(draw, ratio, features, printed):
    generator = np.random.default_rng(0)
    expected = one_sign(math.sqrt(ratio), features)
    assert expected == pytest.approx(printed, abs=5e-3 if printed > 0.1 else 5e-4)
    for batch in (1, 4, 32):
        shape = (1000, batch, features)
        x = generator.random(shape) if draw == "uniform" else np.maximum(generator.standard_normal(shape), 0)
        gradients = (generator.choice([-1.0, 1.0], (1000, 1, batch)) @ x)[:, 0]
        share = ((gradients >= 0).all(-1) | (gradients <= 0).all(-1)).mean()
        assert share > 2.0 ** (1 - batch) - 4 * 0.5 / math.sqrt(1000)
        if batch == 1:
            assert share == 1
    assert share == pytest.approx(expected, abs=4 * 0.5 / math.sqrt(1000) if expected > 0.1 else 0.01)


@pytest.mark.parametrize("x", [np.ones((5, 3)), np.zeros((5, 3)), np.tile(np.arange(5.0)[:, None], 2), np.eye(2, 3)])
def test_condition_of_dependent_columns_is_infinite(x):
    assert preprocessing.least_squares_condition(x) == np.inf


@pytest.mark.parametrize("value", [0.0, 0.1, -7.3, 1e8 + 0.1, 1e-300, 3.3e200])
def test_constant_feature_is_centered_and_not_divided(value):
    x = frozen(np.column_stack([np.full(7, value), np.arange(7.0)]))
    standardizer = preprocessing.Standardizer()
    state = standardizer.fit(x)
    assert state.mean[0] == value
    assert state.deviation[0] == 0
    z = standardizer.transform(x, state)
    assert (z[:, 0] == 0).all()
    np.testing.assert_array_equal(standardizer.inverse(z, state)[:, 0], x[:, 0])
    moved = standardizer.transform(x + np.array([2.0, 0.0]), state)
    np.testing.assert_array_equal(moved[:, 0], (x[:, 0] + 2.0) - value)


def test_dead_pixels_of_images_are_whitened_to_zero():
    digits = frozen(pytest.importorskip("sklearn.datasets").load_digits().data[:300])
    dead = digits.std(axis=0) == 0
    assert dead.any()
    for whitener in (preprocessing.PCA(whiten=True), preprocessing.ZCA()):
        state = whitener.fit(digits)
        z = whitener.transform(digits, state)
        projection = covariance(z)
        np.testing.assert_allclose(projection @ projection, projection, atol=1e-8)
        assert np.trace(projection) == pytest.approx(np.linalg.matrix_rank(digits - digits.mean(axis=0)), abs=1e-6)
        np.testing.assert_allclose(whitener.inverse(z, state), digits, atol=1e-9)
    np.testing.assert_allclose(z[:, dead], 0, atol=1e-9)


def test_twenty_whitened_digits_are_equally_far_apart():
    x = frozen(pytest.importorskip("sklearn.datasets").load_digits().data[:20])
    ratios = []
    for z in (x, fit_transform(preprocessing.PCA(whiten=True), x)):
        squares = np.square(z[:, None] - z).sum(-1)[np.triu_indices(20, 1)]
        ratios.append(np.sqrt(squares.max() / squares.min()))
    assert ratios == pytest.approx([2.65, 1], abs=5e-3)


@pytest.mark.parametrize("rows", [1, 2, 4])
def test_fewer_rows_than_features(rows):
    x = correlated(rows, 6)
    total = np.trace(covariance(x))
    for transform, expected in (
        (preprocessing.PCA(), total),
        (preprocessing.PCA(whiten=True), rows - 1),
        (preprocessing.ZCA(), rows - 1),
    ):
        state = transform.fit(x)
        z = transform.transform(x, state)
        assert np.trace(covariance(z)) == pytest.approx(expected, rel=1e-9, abs=1e-12)
        np.testing.assert_allclose(transform.inverse(z, state), x, rtol=1e-9, atol=1e-9)
    state = preprocessing.PCA().fit(x)
    assert state.axes.shape == (rows, 6)
    assert state.variance[-1] == 0  # centered rows add up to zero


def test_the_largest_entry_of_an_axis_is_positive():
    for seed in range(10):
        axes = preprocessing.PCA().fit(correlated(20, 5, seed)).axes
        assert (axes.max(axis=-1) == np.abs(axes).max(axis=-1)).all()


def test_epsilon_bounds_what_is_blown_up():
    x, epsilon = correlated(80, 4), 0.3
    variance = preprocessing.PCA().fit(x).variance
    expected = variance / (variance + epsilon)
    z = fit_transform(preprocessing.PCA(whiten=True, epsilon=epsilon), x)
    np.testing.assert_allclose(covariance(z), np.diag(expected), atol=1e-12)
    zca = covariance(fit_transform(preprocessing.ZCA(epsilon=epsilon), x))
    np.testing.assert_allclose(np.linalg.eigvalsh(zca), np.sort(expected), atol=1e-12)
    few = preprocessing.ZCA(epsilon=epsilon).fit(x[:2])
    np.testing.assert_allclose(np.linalg.eigvalsh(few.whitening)[-3:], epsilon**-0.5, rtol=1e-12)


def test_kept_components_lose_exactly_the_variance_of_the_others():
    x = correlated(60, 5)
    variance = preprocessing.PCA().fit(x).variance
    for kept in range(1, 6):
        pca = preprocessing.PCA(components=kept)
        state = pca.fit(x)
        rest = x - pca.inverse(pca.transform(x, state), state)
        assert np.square(rest).sum() / 60 == pytest.approx(variance[kept:].sum(), abs=1e-11)


def test_a_direction_a_million_times_smaller_is_found():
    # The eigenvectors of the covariance miss it by 0.1: squared, 1e-8 is below the rounding of 1.
    rotation, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    scores, _ = np.linalg.qr(np.random.default_rng(4).normal(size=(50, 4)))
    scores -= scores.mean(axis=0)
    scores, _ = np.linalg.qr(scores[:, :3])
    x = (scores * [1, 1e-4, 1e-8]) @ rotation
    state = preprocessing.PCA().fit(x)
    np.testing.assert_allclose(np.abs(state.axes @ rotation.T), np.eye(3), atol=1e-6)
    np.testing.assert_allclose(state.variance * 50, [1, 1e-8, 1e-16], rtol=1e-6)


@pytest.mark.parametrize("transform", TRANSFORMS, ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_runs_at_once_equal_runs_alone_bit_for_bit(transform, dtype):
    x = np.stack([correlated(33, 5, seed) for seed in range(6)]).reshape(2, 3, 33, 5).astype(dtype)
    state = transform.fit(frozen(x))
    z = transform.transform(frozen(x), state)
    back = transform.inverse(z, state)
    assert z.dtype == back.dtype == dtype
    assert all(leaf.dtype == dtype for leaf in state)
    for i in np.ndindex(2, 3):
        alone = transform.fit(frozen(x[i]))
        for leaf, expected in zip(state, alone, strict=True):
            np.testing.assert_array_equal(leaf[i], expected)
        np.testing.assert_array_equal(z[i], transform.transform(frozen(x[i]), alone))
        np.testing.assert_array_equal(back[i], transform.inverse(z[i], alone))


def test_condition_and_hessian_of_runs_at_once_equal_runs_alone():
    x = np.stack([correlated(33, 5, seed) for seed in range(4)])
    for function in (preprocessing.least_squares_hessian, preprocessing.least_squares_condition):
        np.testing.assert_array_equal(function(frozen(x)), [function(frozen(alone)) for alone in x])


def test_rows_without_run_axes_meet_the_transform_of_every_run():
    x = np.stack([correlated(20, 4, seed) for seed in range(3)])
    for transform in TRANSFORMS:
        state = transform.fit(x)
        z = transform.transform(x[0], state)
        np.testing.assert_allclose(z[0], transform.transform(x, state)[0], rtol=1e-12, atol=1e-12)
        assert z.shape[:2] == (3, 20)


@given(
    rows=st.integers(1, 12),
    features=st.integers(1, 6),
    scale=st.sampled_from([1e-150, 1e-3, 1.0, 1e6, 1e150]),
    offset=st.sampled_from([0.0, 1.0, -1e3]),
    seed=st.integers(0, 1000),
)
def test_standardizer_on_any_scale(rows, features, scale, offset, seed):
    x = frozen((np.random.default_rng(seed).normal(size=(rows, features)) + offset) * scale)
    standardizer = preprocessing.Standardizer()
    state = standardizer.fit(x)
    z = standardizer.transform(x, state)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(z.std(axis=0), 0 if rows == 1 else 1, rtol=1e-9)
    np.testing.assert_allclose(standardizer.inverse(z, state), x, rtol=1e-12)


@given(rows=st.integers(1, 10), features=st.integers(1, 10), seed=st.integers(0, 1000))
def test_whitening_gives_a_projection_and_comes_back(rows, features, seed):
    x = frozen(np.random.default_rng(seed).normal(size=(rows, features)))
    rank = min(rows - 1, features)
    for whitener in (preprocessing.PCA(whiten=True), preprocessing.ZCA()):
        state = whitener.fit(x)
        z = whitener.transform(x, state)
        assert np.trace(covariance(z)) == pytest.approx(rank, abs=1e-6)
        np.testing.assert_allclose(whitener.inverse(z, state), x, atol=1e-9)


def test_float32_far_from_zero():
    # The mean is rounded to float32, half a unit in its last place: 1e4 * 2^-24 = 6e-4 of a deviation of 1.
    x = (np.random.default_rng(0).normal(size=(1000, 3)) + 1e4).astype(np.float32)
    z = fit_transform(preprocessing.Standardizer(), frozen(x))
    assert np.abs(z.mean(axis=0, dtype=np.float64)).max() < 6e-4
    np.testing.assert_allclose(z.std(axis=0, dtype=np.float64), 1, rtol=1e-6)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("transform", TRANSFORMS, ids=repr)
def test_bad_data_are_refused(transform):
    state = transform.fit(correlated(9, 4))
    width = {"x": 4, "z": transform.transform(correlated(9, 4), state).shape[-1]}
    bad = [
        (np.ones((3, 4), dtype=int), TypeError),
        ([[1.0, 2.0]], TypeError),
        (np.ones(4), ValueError),
        (np.ones((0, 4)), ValueError),
        (np.ones((3, 0)), ValueError),
        (np.full((3, 4), np.nan), ValueError),
        (np.full((3, 4), np.inf), ValueError),
    ]
    for x, error in bad:
        with pytest.raises(error, match=r"\bx must be"):
            transform.fit(x)
    for name, method in (("x", transform.transform), ("z", transform.inverse)):
        with pytest.raises(ValueError, match=rf"{name} must be an array whose last axes are"):
            method(np.ones((3, width[name] + 1)), state)
        with pytest.raises(TypeError, match=rf"{name} must be"):
            method(np.ones((3, width[name]), dtype=int), state)
    assert transform.transform(np.ones((0, 4)), state).shape[-2] == 0  # no test rows is no mistake


def test_more_components_than_there_are():
    with pytest.raises(ValueError, match="components must be an integer at most 3, got 4"):
        preprocessing.PCA(components=4).fit(correlated(3, 5))


def test_torch_condition_of_a_small_table_equals_the_reference():
    torch = pytest.importorskip("torch")
    from dlnotes.torch import preprocessing as variant

    rows = 1e-3 * np.random.default_rng(5).standard_normal((20, 4)) * np.array([1.0, 2.0, 5.0, 20.0])
    ours = preprocessing.least_squares_condition(rows)
    assert float(variant.least_squares_condition(torch.tensor(rows))) == pytest.approx(float(ours), rel=1e-10)


# Rank: what is rounding, and what is small.


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("rows", "features"), [(3, 5), (10, 40), (200, 10)])
@pytest.mark.parametrize("offset", [0.0, 10.0, 3e3])
def test_the_rank_of_rows_far_from_zero(dtype, rows, features, offset):
    for seed in range(10):
        x = (np.random.default_rng(seed).normal(size=(rows, features)) + offset).astype(dtype)
        rank = min(rows - 1, features)
        if rows > features:
            x[:, 3] = x[:, 1] + x[:, 2]  # rounded
            rank -= 1
        pca = preprocessing.PCA(whiten=True)
        state = pca.fit(frozen(x))
        assert (state.deviation > 0).sum() == rank
        assert np.abs(pca.transform(x, state)).max() < 2 * np.sqrt(rows)  # n whitened numbers have a mean square of 1
        z = fit_transform(preprocessing.ZCA(), x).astype(float)
        assert np.linalg.matrix_rank(covariance(z), tol=0.5) == rank


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_small_directions_of_large_tables_are_kept(dtype):
    cancer = pytest.importorskip("sklearn.datasets").load_breast_cancer().data.astype(dtype)
    assert (preprocessing.PCA().fit(cancer).deviation > 0).all()  # features of deviation 0.003 beside one of 570
    generator = np.random.default_rng(1)
    rotation, _ = np.linalg.qr(generator.normal(size=(40, 40)))
    x = (generator.normal(size=(20_000, 40)) * np.geomspace(1, 1e-3, 40)) @ rotation + 0.5
    deviation = preprocessing.PCA().fit(x.astype(dtype)).deviation
    np.testing.assert_allclose(deviation, np.geomspace(1, 1e-3, 40), rtol=0.05)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_that_should_be_one_are_a_constant_feature(dtype):
    generator = np.random.default_rng(0)
    parts = generator.dirichlet(np.ones(10), size=50).astype(dtype)
    total = np.cumsum(parts, axis=1)[:, -1]  # one after the other: 1 up to some units in the last place
    assert len(set(total.tolist())) > 1
    x = np.column_stack([total, [0.3, 0.1 + 0.2] * 25, np.arange(50)]).astype(dtype)
    standardizer = preprocessing.Standardizer()
    state = standardizer.fit(frozen(x))
    np.testing.assert_array_equal(state.deviation[:2], 0)
    z = standardizer.transform(x, state)
    np.testing.assert_allclose(z[:, :2], 0, atol=16 * np.finfo(dtype).eps)
    np.testing.assert_allclose(z[:, 2].std(), 1, rtol=1e-6)
    # A hundred units are no rounding.
    x[::2, 0] += 100 * np.finfo(dtype).eps
    assert standardizer.fit(x).deviation[0] > 0


def test_torch_knows_what_is_rounding():
    torch = pytest.importorskip("torch")
    from dlnotes.torch import preprocessing as variants

    far = np.random.default_rng(0).normal(size=(3, 5)) + 1e3
    assert (variants.PCA().fit(torch.tensor(far)).deviation > 0).sum() == 2
    sums = np.array([[0.3], [0.1 + 0.2], [0.3]])
    assert variants.Standardizer().fit(torch.tensor(sums)).deviation == 0


# A transform is fitted once: what is done to other rows must not depend on them.


def backends():
    variants = [preprocessing]
    if importlib.util.find_spec("torch"):
        variants.append(importlib.import_module("dlnotes.torch.preprocessing"))
    return variants


@pytest.mark.parametrize("transform", TRANSFORMS, ids=repr)
@pytest.mark.parametrize("module", backends(), ids=lambda module: module.__name__)
def test_other_rows_are_transformed_by_what_was_fitted(transform, module):
    """By the formulas, with the covariance of the training rows, on rows of another mean and spread."""
    x, other = correlated(40, 4), 3 * correlated(6, 4, seed=1) - 20
    settings = {field.name: getattr(transform, field.name) for field in dataclasses.fields(transform)}
    fitted = getattr(module, type(transform).__name__)(**settings)
    to, back = (np.asarray, np.asarray) if module is preprocessing else backend_arrays()
    state = fitted.fit(to(x))
    z = back(fitted.transform(to(other), state))
    mean, epsilon = x.mean(axis=0), settings.get("epsilon", 0.0)
    variance, axes = np.linalg.eigh(covariance(x))
    if isinstance(transform, preprocessing.Standardizer):
        expected = (other - mean) / (np.sqrt(np.diag(covariance(x))) if transform.scale else 1)
    elif isinstance(transform, preprocessing.PCA):
        axes, variance = axes[:, ::-1][:, : transform.components], variance[::-1][: transform.components]
        expected = (other - mean) @ (axes * np.sign(axes[np.abs(axes).argmax(axis=0), range(len(variance))]))
        expected = expected / np.sqrt(variance + epsilon) if transform.whiten else expected
    else:
        expected = (other - mean) @ axes @ np.diag((variance + epsilon) ** -0.5) @ axes.T
    np.testing.assert_allclose(z, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())
    # One row alone is what it is among others, and comes back.
    np.testing.assert_allclose(back(fitted.transform(to(other[:1]), state)), z[:1], rtol=1e-12, atol=1e-12)
    returned = back(fitted.inverse(to(z), state))
    if getattr(transform, "components", None) is None:
        np.testing.assert_allclose(returned, other, rtol=1e-9)
    else:  # the nearest point in the span of the axes
        np.testing.assert_allclose(returned, mean + (other - mean) @ axes @ axes.T, rtol=1e-9)


def backend_arrays():
    torch = pytest.importorskip("torch")
    return (lambda x: torch.tensor(np.array(x))), (lambda x: x.numpy())


# Numbers of the pages that no block prints.


def test_the_best_units_of_wine():
    optimize = pytest.importorskip("scipy.optimize")
    correlations = np.corrcoef(wine(), rowvar=False)

    def condition(logs):
        units = np.exp(logs)
        values = np.linalg.eigvalsh(correlations * units[:, None] * units)
        return values[-1] / values[0]

    logs = np.zeros(13)
    for _ in range(2):
        logs = optimize.minimize(condition, logs, method="Powell").x
    assert condition(np.zeros(13)) == pytest.approx(45.52, abs=0.01)
    assert condition(logs) == pytest.approx(30.7, abs=0.4)


def test_the_share_of_proline_in_a_random_unit():
    variances = wine().var(axis=0)
    weights = np.random.default_rng(0).normal(size=(20_000, 13))
    parts = np.square(weights) * variances
    share = parts[:, variances.argmax()] / parts.sum(axis=1)
    assert share.mean() == pytest.approx(0.95, abs=0.01)
    assert np.median(share) == pytest.approx(0.9971, abs=2e-4)
