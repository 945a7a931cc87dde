from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlnotes.numpy import minibatch, overfitting


def frozen(x):
    x = np.array(x)
    x.flags.writeable = False
    return x


def drawn(*shape, dtype=np.float64, seed=0):
    return frozen(np.random.default_rng((seed, *shape)).normal(size=shape).astype(dtype))


# --- regression in closed form ---


def test_polynomial_features_are_orthonormal_on_the_interval():
    points, weights = np.polynomial.legendre.leggauss(20)
    features = overfitting.polynomial_features(frozen(points), 12)
    gram = features.T @ (features * weights[:, None] / 2)
    np.testing.assert_allclose(gram, np.eye(13), atol=1e-13)
    expected = np.polynomial.legendre.legvander(points, 12) * np.sqrt(2 * np.arange(13) + 1)
    np.testing.assert_allclose(features, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("degree", [0, 1, 2, 7])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_polynomial_features_span_the_powers(degree, dtype):
    x = drawn(3, 40, dtype=dtype)
    features = overfitting.polynomial_features(x, degree)
    assert features.shape == (3, 40, degree + 1)
    assert features.dtype == dtype
    w = overfitting.ridge(features.astype(float), (x.astype(float) ** degree)[..., None])
    np.testing.assert_allclose((features @ w)[..., 0], x.astype(float) ** degree, rtol=1e-4, atol=1e-3)


def test_random_features():
    x, weight, bias = drawn(3, 5, 4), drawn(3, 7, 4), drawn(3, 7)
    features = overfitting.random_features(x, weight, bias)
    expected = np.maximum(np.einsum("rni,rwi->rnw", x, weight) + bias[:, None], 0) / np.sqrt(7)
    np.testing.assert_allclose(features, expected, rtol=1e-13)
    np.testing.assert_array_equal(features[1], overfitting.random_features(x[1], weight[1], bias[1]))
    assert overfitting.random_features(x[0], weight, bias).shape == (3, 5, 7)


@pytest.mark.parametrize("strength", [1e-3, 0.1, 10.0])
def test_ridge_solves_its_normal_equations(strength):
    x, y = drawn(30, 6), drawn(30, 2)
    w = overfitting.ridge(x, y, strength)
    np.testing.assert_allclose(w, np.linalg.solve(x.T @ x / 30 + strength * np.eye(6), x.T @ y / 30), rtol=1e-10)


def test_ridge_equals_scikit_learn():
    x, y = drawn(30, 6), drawn(30, 2)
    theirs = pytest.importorskip("sklearn.linear_model").Ridge(alpha=0.3 * 30, fit_intercept=False).fit(x, y)
    np.testing.assert_allclose(overfitting.ridge(x, y, 0.3).T, theirs.coef_, rtol=1e-10)


@pytest.mark.parametrize(("rows", "features"), [(30, 6), (6, 30), (5, 5), (1, 3), (3, 1)])
def test_ridge_without_strength_is_the_shortest_best_fit(rows, features):
    x, y = drawn(rows, features), drawn(rows, 2)
    w = overfitting.ridge(x, y)
    np.testing.assert_allclose(w, np.linalg.lstsq(x, y, rcond=None)[0], rtol=1e-9, atol=1e-11)


def test_ridge_of_dependent_columns_and_of_zeros():
    x = np.repeat(drawn(20, 2), 2, axis=1)
    w = overfitting.ridge(x, drawn(20, 1))
    np.testing.assert_allclose(w[0], w[1], rtol=1e-9)
    assert (overfitting.ridge(np.zeros((4, 3)), np.ones((4, 1))) == 0).all()
    assert (overfitting.ridge(np.zeros((4, 3)), np.ones((4, 1)), 1.0) == 0).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ridge_of_runs(dtype):
    x, y = drawn(2, 3, 9, 4, dtype=dtype), drawn(2, 3, 9, 2, dtype=dtype)
    strengths = np.array([[0.0, 0.1, 1.0], [3.0, 0.0, 0.5]])
    w = overfitting.ridge(x, y, strengths)
    assert w.dtype == dtype
    for i in np.ndindex(2, 3):
        np.testing.assert_array_equal(w[i], overfitting.ridge(frozen(x[i]), frozen(y[i]), float(strengths[i])))


@pytest.mark.parametrize("features", [10, 25, 75, 150])
def test_double_descent_follows_its_law(features):
    # Least squares of minimum length, 50 Gaussian rows, true weights of length 1, noise s = 1/2. Mean excess risk:
    #   p < n - 1: s^2 p / (n - p - 1);    p > n + 1: |w|^2 (1 - n/p) + s^2 n / (p - n - 1)
    rows, noise, runs = 50, 0.5, 600
    generator = np.random.default_rng(features)
    x = generator.normal(size=(runs, rows, features))
    true = np.zeros((features, 1))
    true[0] = 1
    y = x @ true + noise * generator.normal(size=(runs, rows, 1))
    excess = np.square(overfitting.ridge(x, y) - true).sum(axis=(-2, -1))
    if features < rows:
        expected = noise**2 * features / (rows - features - 1)
    else:
        expected = 1 - rows / features + noise**2 * rows / (features - rows - 1)
    assert excess.mean() == pytest.approx(expected, abs=4 * excess.std() / np.sqrt(runs))


def test_the_peak_of_double_descent_is_at_as_many_features_as_rows():
    generator = np.random.default_rng(0)
    x, held_out = generator.normal(size=(20, 40, 8)), generator.normal(size=(20, 400, 8))
    target = np.sin(x.sum(axis=-1, keepdims=True)) + 0.3 * generator.normal(size=(20, 40, 1))
    truth = np.sin(held_out.sum(axis=-1, keepdims=True))
    errors = {}
    for width in (10, 40, 800):
        weight, bias = generator.normal(size=(20, width, 8)), generator.normal(size=(20, width))
        w = overfitting.ridge(overfitting.random_features(x, weight, bias), target)
        prediction = overfitting.random_features(held_out, weight, bias) @ w
        errors[width] = np.median(np.square(prediction - truth).mean(axis=(-2, -1)))
    assert errors[40] > 10 * errors[10]
    assert errors[40] > 10 * errors[800]


# --- early stopping ---


def test_filters_say_what_ridge_and_descent_reach():
    x, y = drawn(30, 5), drawn(30, 1)
    curvature, axes = np.linalg.eigh(x.T @ x / 30)
    best = axes.T @ overfitting.ridge(x, y)[:, 0]
    w = axes.T @ overfitting.ridge(x, y, 0.3)[:, 0]
    np.testing.assert_allclose(w / best, overfitting.ridge_filter(curvature, 0.3), rtol=1e-9)
    w = np.zeros((5, 1))
    for _ in range(12):
        w -= 0.2 * x.T @ (x @ w - y) / 30
    filtered = overfitting.early_stopping_filter(curvature, 0.2, 12)
    np.testing.assert_allclose((axes.T @ w)[:, 0] / best, filtered, rtol=1e-9)


def test_early_stopping_is_near_ridge_and_not_equal():
    # For small steps the two are 1 - exp(-u) and u / (1 + u) with u = e / strength: apart by 0.2036 at u = 2.51.
    curvature = np.geomspace(1e-4, 1, 20_001)
    steps, rate = 10_000, 1e-2
    gap = overfitting.early_stopping_filter(curvature, rate, steps) - overfitting.ridge_filter(
        curvature, 1 / (rate * steps)
    )
    assert gap.max() == pytest.approx(0.2036, abs=2e-4)
    assert curvature[gap.argmax()] * rate * steps == pytest.approx(2.51, abs=0.02)
    assert (gap > 0).all()


def test_early_stopping_and_ridge_at_large_steps():
    along = np.linspace(0, 1.999, 2000)
    small = along <= 1
    gaps = {}
    for steps in range(1, 60):
        share = overfitting.early_stopping_filter(along, 1.0, steps)
        gaps[steps] = share - overfitting.ridge_filter(along, 1 / steps)
        assert (share[~small] >= 1).all() if steps % 2 else (share[~small] <= 1).all()
    assert all((gap[small] >= -1e-15).all() for gap in gaps.values())
    assert max(gap[small].max() for gap in gaps.values()) == gaps[1][small].max() == pytest.approx(0.5, abs=1e-3)
    assert gaps[2].min() < -0.5  # below ridge, where the step is nearly too large


def test_a_share_that_is_tiny_keeps_its_digits():
    for steps in (1, 7):
        assert overfitting.early_stopping_filter(np.array(1e-20), 0.5, steps) == pytest.approx(steps * 5e-21, rel=1e-14)
    by_hand = overfitting.early_stopping_filter(frozen([0.0, 0.5, 1.0, 1.5]), 1.0, 2)
    np.testing.assert_allclose(by_hand, [0, 0.75, 1, 0.75])


def stop_at(losses, **settings):
    stopping = overfitting.EarlyStopping(**settings)
    state = stopping.init()
    for step, loss in enumerate(losses):
        state = stopping.update(float(loss), state)
        if state.stopped:
            return step, int(state.best_step), float(state.best)
    return None, int(state.best_step), float(state.best)


@pytest.mark.parametrize(
    ("losses", "settings", "expected"),
    [
        ([3, 2, 1, 2, 3, 4], {"patience": 2}, (4, 2, 1)),
        ([3, 2, 1, 2, 0.5, 4, 5], {"patience": 2}, (6, 4, 0.5)),
        ([3, 2, 1], {"patience": 2}, (None, 2, 1)),
        ([1, 1, 1], {"patience": 2}, (2, 0, 1)),
        ([1, 2], {"patience": 1}, (1, 0, 1)),
        ([3, 2.95, 2.9, 2.85], {"patience": 3, "least_improvement": 0.2}, (3, 0, 3)),
        ([3, 2.7, 2.4, 2.1], {"patience": 1, "least_improvement": 0.2}, (None, 3, 2.1)),
        ([np.nan] * 5, {"patience": 3}, (2, -1, np.inf)),
        ([2, np.nan, np.inf, 1], {"patience": 3}, (None, 3, 1)),
        ([], {"patience": 1}, (None, -1, np.inf)),
        ([2.99, 2.81, 2.64, 2.6, 2.6], {"patience": 2, "least_improvement": 0.3}, (4, 2, 2.64)),
        ([0.5, 0.7, 0.6, 0.7], {"patience": 2, "largest_is_best": True}, (3, 1, 0.7)),
        ([np.nan, 0.5, 0.6], {"patience": 2, "largest_is_best": True}, (None, 2, 0.6)),
        ([3, 2, 1.5, 1.2], {"patience": 3, "baseline": 1.0}, (2, 2, 1.5)),
        ([3, 2, 0.9, 0.95, 0.8], {"patience": 3, "baseline": 1.0}, (None, 4, 0.8)),
        ([0.1, 0.2, 0.3], {"patience": 2, "largest_is_best": True, "baseline": 0.5}, (1, 1, 0.2)),
    ],
)
def test_early_stopping_by_hand(losses, settings, expected):
    assert stop_at(losses, **settings) == expected


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0, np.nan]), max_size=20), st.integers(1, 5))
def test_early_stopping_against_its_definition(losses, patience):
    def ended(until):
        seen = losses[: until + 1]
        first_best = np.nanargmin(seen) if not np.isnan(seen).all() else -1
        return until - first_best >= patience

    expected = next((step for step in range(len(losses)) if ended(step)), None)
    assert stop_at(losses, patience=patience)[0] == expected


def keras_waits(values, least, largest, baseline):
    """Follow the callback of Keras, which keeps one best and one counter, over one run."""
    best, wait = (-np.inf if largest else np.inf), 0
    for value in values:
        wait += 1
        if value - least > best if largest else value + least < best:
            best = value
            if baseline is None or (value - least > baseline if largest else value + least < baseline):
                wait = 0
    return wait


@given(
    st.lists(st.sampled_from([0.0, 1.0, 1.5, 2.0, 3.0, np.nan, np.inf]), max_size=20),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.booleans(),
    st.sampled_from([None, 1.0, 2.0]),
)
def test_waits_since_best_in_both_backends_and_as_in_keras(values, least, largest, baseline):
    settings = {"largest_is_best": largest, "baseline": baseline}
    expected = keras_waits(values, least, largest, baseline)
    assert overfitting.waits_since_best(np.array(values), least, **settings) == expected
    state = (stopping := overfitting.EarlyStopping(30, least, **settings)).init()
    for value in values:
        state = stopping.update(value, state)
    assert state.waits == expected


def test_waits_since_best_of_runs_equals_runs_alone():
    values = np.abs(drawn(2, 3, 12))
    together = overfitting.waits_since_best(values, 0.1)
    assert together.shape == (2, 3)
    for i in np.ndindex(2, 3):
        assert together[i] == overfitting.waits_since_best(values[i].astype(np.float32), 0.1)
    assert overfitting.waits_since_best(values[..., :0]).tolist() == [[0] * 3] * 2


def test_early_stopping_of_runs_equals_runs_alone_and_leaves_its_input():
    losses = np.abs(drawn(2, 3, 30))
    stopping = overfitting.EarlyStopping(patience=4, least_improvement=0.05)
    state = first = stopping.init((2, 3))
    for step in range(30):
        state = stopping.update(losses[..., step], state)
    assert first.step == 0
    assert not first.stopped.any()
    assert np.isinf(first.best).all()
    for i in np.ndindex(2, 3):
        alone = stopping.init()
        for step in range(30):
            alone = stopping.update(float(losses[i][step]), alone)
        for name in ("best", "best_step", "waits", "stopped"):
            assert getattr(state, name)[i] == getattr(alone, name)
    assert state.stopped.all()


def test_what_was_stopped_stays_stopped():
    stopping = overfitting.EarlyStopping(patience=1)
    state = stopping.init()
    for loss in (1.0, 2.0, 0.0):
        state = stopping.update(loss, state)
    assert state.stopped
    assert state.best == 1


# --- bias, variance, learning curves ---


def test_bias_variance_adds_up_to_the_error():
    predictions, target = drawn(2, 7, 5), drawn(5)
    result = overfitting.bias_variance_decomposition(predictions, target)
    np.testing.assert_allclose(result.bias_squared + result.variance, result.error, rtol=1e-12)
    np.testing.assert_allclose(result.error, np.square(predictions - target).mean(axis=1), rtol=1e-13)
    np.testing.assert_allclose(result.variance, predictions.var(axis=1, ddof=1), rtol=1e-12)
    for run in range(2):
        for leaf, alone in zip(result, overfitting.bias_variance_decomposition(predictions[run], target), strict=True):
            np.testing.assert_array_equal(leaf[run], alone)


def test_bias_and_variance_are_unbiased():
    # 40,000 points, 3 sets: f = target + 0.5 + 2 e. A biased estimate of bias^2 would give 0.25 + 4/3.
    points = 40_000
    predictions = np.random.default_rng(0).normal(0.5, 2.0, size=(3, points))
    result = overfitting.bias_variance_decomposition(predictions, np.zeros(points))
    for values, expected in ((result.bias_squared, 0.25), (result.variance, 4.0)):
        assert values.mean() == pytest.approx(expected, abs=4 * values.std() / np.sqrt(points))


def test_capacity_trades_bias_for_variance():
    generator = np.random.default_rng(1)
    x = generator.uniform(-1, 1, size=(300, 25))
    y = np.sin(3 * x) + 0.3 * generator.normal(size=x.shape)
    points = np.linspace(-0.9, 0.9, 50)
    bias, variance = [], []
    for degree in (0, 3, 12):
        w = overfitting.ridge(overfitting.polynomial_features(x, degree), y[..., None])
        predictions = (overfitting.polynomial_features(points, degree) @ w)[..., 0]
        result = overfitting.bias_variance_decomposition(predictions, np.sin(3 * points))
        bias.append(result.bias_squared.mean())
        variance.append(result.variance.mean())
    assert bias[0] > 0.3 > 10 * bias[1]
    assert variance[2] > 5 * max(variance[:2])


def ridge_learning_curve(order, sizes):
    x, y = drawn(40, 4), drawn(40, 1)
    return overfitting.learning_curve(
        lambda x, y: overfitting.ridge(x, y, 0.1),
        lambda w, x, y: np.square(x @ w - y).mean(axis=(-2, -1)),
        x,
        y,
        (drawn(60, 4, seed=5), drawn(60, 1, seed=6)),
        sizes,
        order,
    )


def test_learning_curve():
    order = minibatch.shuffled_order(40, np.random.default_rng(0), runs=(3,))
    sizes = [1, 5, 40]
    curve = ridge_learning_curve(order, sizes)
    assert curve.sizes == (1, 5, 40)
    assert curve.training.shape == curve.held_out.shape == (3, 3)
    for run in range(3):
        alone = ridge_learning_curve(order[run], sizes)
        np.testing.assert_array_equal(curve.training[run], alone.training)
        np.testing.assert_array_equal(curve.held_out[run], alone.held_out)
    np.testing.assert_allclose(curve.training[:, 2], curve.training[0, 2], rtol=1e-12)  # all rows in another order
    x, y = drawn(40, 4)[order[0, :5]], drawn(40, 1)[order[0, :5]]
    assert curve.training[0, 1] == np.square(x @ overfitting.ridge(x, y, 0.1) - y).mean()


def test_bootstrap_draws_with_replacement():
    sets = overfitting.bootstrap(50, 50, np.random.default_rng(0), runs=(400,))
    counts = np.bincount(sets.ravel(), minlength=50)
    assert counts.size == 50
    assert np.square(counts - 400).sum() / 400 == pytest.approx(49, abs=4.5 * np.sqrt(2 * 49))
    distinct = np.array([len(set(row)) for row in sets.tolist()]) / 50
    # Each example is drawn with probability 1 - (1 - 1/50)^50 = 0.636.
    assert distinct.mean() == pytest.approx(1 - 0.98**50, abs=4 * distinct.std() / 20)
    child = np.random.default_rng(0).spawn(400)[7]
    np.testing.assert_array_equal(sets[7], overfitting.bootstrap(50, 50, child))


# --- augmentations ---


def test_shift_by_hand():
    x = np.arange(1.0, 10.0).reshape(1, 1, 3, 3)

    def moved(*offset):
        return overfitting.shift(frozen(x), np.array([offset]))[0, 0].tolist()

    assert moved(0, 0) == x[0, 0].tolist()
    assert moved(1, 0) == [[0, 0, 0], [1, 2, 3], [4, 5, 6]]
    assert moved(0, -1) == [[2, 3, 0], [5, 6, 0], [8, 9, 0]]
    assert moved(-1, 2) == [[0, 0, 4], [0, 0, 7], [0, 0, 0]]
    assert moved(3, 0) == moved(-7, 5) == [[0] * 3] * 3
    filled = overfitting.shift(x, np.array([[1, 0]]), fill=-1.0)
    assert filled[0, 0, 0].tolist() == [-1, -1, -1]


@given(
    height=st.integers(1, 5),
    width=st.integers(1, 5),
    down=st.integers(-6, 6),
    right=st.integers(-6, 6),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_shift_against_padding(height, width, down, right, dtype):
    x = drawn(2, 3, height, width, dtype=dtype)
    y = overfitting.shift(x, np.array([[down, right], [0, 0]]))
    padded = np.pad(x[0], ((0, 0), (6, 6), (6, 6)))
    expected = padded[:, 6 - down : 6 - down + height, 6 - right : 6 - right + width]
    np.testing.assert_array_equal(y[0], expected)
    np.testing.assert_array_equal(y[1], x[1])
    assert y.dtype == dtype


def test_flip():
    x, mask = drawn(4, 2, 3, 5), frozen([True, False, True, False])
    y = overfitting.flip(x, mask)
    np.testing.assert_array_equal(y[mask], x[mask][..., ::-1])
    np.testing.assert_array_equal(y[~mask], x[~mask])
    np.testing.assert_array_equal(overfitting.flip(y, mask), x)


def test_augmentations_of_runs_equal_runs_alone():
    images, generator = drawn(3, 4, 2, 5, 5), np.random.default_rng(3)
    offsets = overfitting.shift_offsets((4,), generator, 2, runs=(3,))
    mask = overfitting.flip_mask((4,), generator, runs=(3,))
    noise = drawn(*images.shape, seed=8)
    deviation = np.array([0.0, 0.1, 1.0])
    for run in range(3):
        np.testing.assert_array_equal(
            overfitting.shift(images, offsets)[run], overfitting.shift(images[run], offsets[run])
        )
        np.testing.assert_array_equal(overfitting.flip(images, mask)[run], overfitting.flip(images[run], mask[run]))
        np.testing.assert_array_equal(
            overfitting.add_noise(images, noise, deviation)[run],
            overfitting.add_noise(images[run], noise[run], float(deviation[run])),
        )
        np.testing.assert_array_equal(
            overfitting.shift(images[0], offsets)[run], overfitting.shift(images[0], offsets[run])
        )
    assert overfitting.shift(images[:, :0], offsets[:, :0]).shape == (3, 0, 2, 5, 5)


def test_draws_cover_their_range_evenly():
    offsets = overfitting.shift_offsets((30_000,), np.random.default_rng(0), 2)
    counts = np.array([(offsets == value).sum() for value in (-2, -1, 0, 1, 2)])
    assert counts.sum() == 60_000
    assert np.square(counts - 12_000).sum() / 12_000 == pytest.approx(4, abs=4.5 * np.sqrt(8))
    assert (overfitting.shift_offsets((9,), np.random.default_rng(0), 0) == 0).all()
    mask = overfitting.flip_mask((40_000,), np.random.default_rng(0), 0.3)
    assert mask.mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / 40_000))


def test_draws_of_runs_come_from_children():
    children = np.random.default_rng(4).spawn(6)
    functions = [
        lambda generator, **runs: overfitting.shift_offsets((5,), generator, 3, **runs),
        lambda generator, **runs: overfitting.flip_mask((5,), generator, **runs),
        lambda generator, **runs: overfitting.mixup_pairs(5, generator, **runs).partner,
        lambda generator, **runs: overfitting.mixup_pairs(5, generator, **runs).share,
        lambda generator, **runs: overfitting.bootstrap(5, 4, generator, **runs),
    ]
    for function in functions:
        together = function(np.random.default_rng(4), runs=(2, 3))
        children = np.random.default_rng(4).spawn(6)
        for i, child in zip(np.ndindex(2, 3), children, strict=True):
            np.testing.assert_array_equal(together[i], function(child))


def test_mixup():
    x, targets = drawn(4, 3), np.eye(4)
    partner, share = np.array([1, 0, 2, 1]), np.array([1.0, 0.25, 0.5, 0.0])
    mixed, mixed_targets = overfitting.mixup(x, targets, partner, share)
    np.testing.assert_allclose(mixed, [x[0], 0.25 * x[1] + 0.75 * x[0], x[2], x[1]], rtol=1e-15)
    np.testing.assert_allclose(mixed_targets.sum(axis=-1), 1)
    np.testing.assert_allclose(mixed_targets[1], [0.75, 0.25, 0, 0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_mixup_of_runs(dtype):
    x, targets = drawn(3, 6, 2, 4, dtype=dtype), np.abs(drawn(3, 6, 5, dtype=dtype))
    pairs = overfitting.mixup_pairs(6, np.random.default_rng(0), runs=(3,))
    mixed = overfitting.mixup(x, targets, *pairs)
    for run in range(3):
        alone = overfitting.mixup(x[run], targets[run], pairs.partner[run], pairs.share[run])
        for together, expected in zip(mixed, alone, strict=True):
            assert together.dtype == dtype
            np.testing.assert_array_equal(together[run], expected)


def test_mixup_leaves_out_what_has_no_share():
    x = np.array([[1.0], [np.inf], [np.nan], [2.0]])
    for dtype in (np.float64, np.float32):
        mixed, _ = overfitting.mixup(x.astype(dtype), np.eye(4), np.array([1, 0, 3, 2]), np.array([1.0, 0.0, 0.0, 1.0]))
        assert mixed.tolist() == [[1], [1], [2], [2]]
    nearly, _ = overfitting.mixup(np.eye(2, dtype=np.float32), np.eye(2), np.array([1, 0]), np.full(2, 1 - 1e-9))
    assert nearly[0, 1] == np.float32(1e-9)  # the rest of the share, which in float32 would be 0


@pytest.mark.parametrize("scale", [1e-30, 1e-25, 1e25, 1e30])
def test_ridge_has_no_scale(scale):
    x, y = drawn(20, 4, dtype=np.float32), drawn(20, 2, dtype=np.float32)
    expected = overfitting.ridge(x.astype(float), y.astype(float))
    np.testing.assert_allclose(overfitting.ridge(x * np.float32(scale), y) * scale, expected, rtol=1e-4, atol=1e-4)


def test_mixup_pairs_have_the_moments_of_the_beta_distribution():
    pairs = overfitting.mixup_pairs(20_000, np.random.default_rng(1), 0.4)
    np.testing.assert_array_equal(np.sort(pairs.partner), np.arange(20_000))
    variance = 1 / (4 * (2 * 0.4 + 1))
    assert pairs.share.mean() == pytest.approx(0.5, abs=4 * np.sqrt(variance / 20_000))
    assert pairs.share.var() == pytest.approx(variance, rel=0.03)


def test_noise_has_the_deviation():
    noise = drawn(3, 10_000)
    y = overfitting.add_noise(np.zeros(10_000), noise, np.array([0.0, 0.5, 2.0]))
    np.testing.assert_allclose(y.std(axis=-1), [0.0, 0.5, 2.0] * noise.std(axis=-1), rtol=1e-12)
    assert overfitting.add_noise(np.zeros(4, np.float32), drawn(4, dtype=np.float32), 0.5).dtype == np.float32


@pytest.mark.usefixtures("unchecked")
def test_a_loss_of_another_shape_is_refused():
    stopping = overfitting.EarlyStopping()
    with pytest.raises(ValueError, match=r"loss must be an array of shape \(3,\), as the runs of the state, got shape"):
        stopping.update(np.zeros(2), stopping.init((3,)))


def test_torch_draws_cover_their_range_evenly():
    torch = pytest.importorskip("torch")
    from dlnotes.torch import overfitting as variant

    offsets = variant.shift_offsets((3, 10_000), torch.Generator().manual_seed(0), 2)
    assert offsets.shape == (3, 10_000, 2)
    counts = np.array([(offsets == value).sum() for value in (-2, -1, 0, 1, 2)])
    assert counts.sum() == 60_000
    assert np.square(counts - 12_000).sum() / 12_000 == pytest.approx(4, abs=4.5 * np.sqrt(8))
    mask = variant.flip_mask((40_000,), torch.Generator().manual_seed(0), 0.3)
    assert mask.double().mean().item() == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / 40_000))


def test_bootstrap_at_its_edges():
    np.testing.assert_array_equal(overfitting.bootstrap(1, 3, np.random.default_rng(0)), np.zeros(3))
    assert overfitting.bootstrap(5, 3, np.random.default_rng(0), runs=(1,)).shape == (1, 3)
    assert overfitting.bootstrap(5, 0, np.random.default_rng(0)).shape == (0,)


# --- cutout, label smoothing, cross-validation ---


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 11])
def test_cutout_covers_a_square_around_the_center(size):
    x, centers = drawn(2, 5, 3, 4, 6), np.random.default_rng(1).integers(0, 4, (2, 5, 2))
    y = overfitting.cutout(x, centers, size, fill=-1.5)
    for run, n, i, j in np.ndindex(2, 5, 4, 6):
        row, column = centers[run, n]
        inside = -(size // 2) <= i - row < size - size // 2 and -(size // 2) <= j - column < size - size // 2
        np.testing.assert_array_equal(y[run, n, :, i, j], -1.5 if inside else x[run, n, :, i, j])


def test_cutout_with_more_centers_than_images_and_an_even_spread():
    x = drawn(5, 1, 4, 6)
    centers = overfitting.patch_centers((5,), np.random.default_rng(0), 4, 6, runs=(300,))
    assert centers.shape == (300, 5, 2)
    for axis, side in ((0, 4), (1, 6)):
        counts = np.bincount(centers[..., axis].ravel(), minlength=side)
        assert len(counts) == side
        np.testing.assert_allclose(counts / counts.sum(), 1 / side, atol=4 * np.sqrt(0.25 / 1500))
    y = overfitting.cutout(x, centers, 3)
    assert y.shape == (300, 5, 1, 4, 6)
    np.testing.assert_array_equal(y[7], overfitting.cutout(x, centers[7], 3))


def test_smooth_labels():
    smooth = overfitting.smooth_labels(np.eye(4)[[2, 0]], 0.2)
    np.testing.assert_allclose(smooth, [[0.05, 0.05, 0.85, 0.05], [0.85, 0.05, 0.05, 0.05]], rtol=1e-14)
    np.testing.assert_array_equal(overfitting.smooth_labels(np.eye(4), 0), np.eye(4))
    torch = pytest.importorskip("torch")
    logits, labels = drawn(6, 4), np.array([0, 3, 1, 1, 2, 0])
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    ours = -(overfitting.smooth_labels(np.eye(4)[labels], 0.3) * log_p).sum(-1).mean()
    theirs = torch.nn.functional.cross_entropy(torch.tensor(logits), torch.tensor(labels), label_smoothing=0.3)
    assert ours == pytest.approx(theirs.item(), rel=1e-12)


@pytest.mark.parametrize(("examples", "count"), [(10, 5), (11, 3), (4, 4), (7, 2)])
def test_each_example_is_held_out_once(examples, count):
    order = frozen(np.random.default_rng(0).permutation(examples) + 100)
    folds = overfitting.cross_validation_folds(order, count)
    assert len(folds) == count
    np.testing.assert_array_equal(np.concatenate([fold.held_out for fold in folds]), order)
    for fold in folds:
        assert abs(len(fold.held_out) - examples / count) < 1
        np.testing.assert_array_equal(np.sort([*fold.training, *fold.held_out]), np.sort(order))
