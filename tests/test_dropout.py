from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlnotes.numpy import dropout as kernels
from dlnotes.numpy import objective

RATES = [0.05, 0.1, 0.25, 0.3, 1 / 3, 0.5, 0.8, 0.999]


def frozen(x):
    x = np.array(x)
    x.flags.writeable = False
    return x


def drawn(*shape, dtype=np.float64, seed=0):
    return frozen(np.random.default_rng((seed, *shape)).normal(size=shape).astype(dtype))


def mask_of(*shape, p=0.4, seed=0):
    return frozen(kernels.dropout_mask(shape, np.random.default_rng(seed), p))


def enumerated(features, p):
    """Give every mask of a few features, and its probability."""
    masks = np.array(list(itertools.product([False, True], repeat=features)))
    return masks, np.prod(np.where(masks, 1 - p, p), axis=-1)


@pytest.mark.parametrize("p", RATES)
def test_rate_is_p(p):
    # A byte alone would round p to a multiple of 1/256: at 0.3 that is 0.003 off, at 0.999 all would be dropped.
    count = 1 << 20
    dropped = count - np.count_nonzero(kernels.dropout_mask((count,), np.random.default_rng(1), p))
    assert dropped / count == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / count))


@pytest.mark.parametrize("p", [0.3, 0.5])
def test_units_are_independent(p):
    kept = kernels.dropout_mask((1 << 20,), np.random.default_rng(2), p) - (1 - p)
    for lag in (*range(1, 17), 64, 1024):
        correlation = (kept[:-lag] * kept[lag:]).mean() / (p * (1 - p))
        assert abs(correlation) < 4.5 / np.sqrt(kept.size)
    patterns = np.packbits(kernels.dropout_mask((1 << 17, 8), np.random.default_rng(3), 0.5))
    counts = np.bincount(patterns, minlength=256)  # all 256 sub-networks of 8 units come up alike
    chi_square = np.square(counts - 512).sum() / 512
    assert chi_square == pytest.approx(255, abs=4.5 * np.sqrt(2 * 255))


def test_every_draw_is_another_network():
    generator = np.random.default_rng(4)
    masks = {kernels.dropout_mask((64,), generator, 0.5).tobytes() for _ in range(200)}
    assert len(masks) == 200


@pytest.mark.parametrize(("p", "kept"), [(0.0, True), (1.0, False)])
def test_nothing_and_everything_dropped(p, kept):
    mask = kernels.dropout_mask((500, 3), np.random.default_rng(0), p)
    assert (mask == kept).all()
    x = drawn(500, 3)
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(kernels.dropout(x, mask, p), x if kept else np.zeros_like(x))


@pytest.mark.parametrize("shape", [(), (1,), (7,), (8,), (9,), (0,), (3, 0), (2, 3, 5)])
@pytest.mark.parametrize("runs", [(), (3,), (2, 2), (0,)])
def test_shapes_of_masks(shape, runs):
    mask = kernels.dropout_mask(shape, np.random.default_rng(0), 0.3, runs=runs)
    assert mask.shape == (*runs, *shape)
    assert mask.dtype == bool


def test_runs_at_once_equal_runs_alone():
    rates = np.array([[0.0, 0.3, 0.5], [0.7, 1.0, 0.1]])
    together = kernels.dropout_mask((50, 4), np.random.default_rng(5), rates, runs=(2, 3))
    children = np.random.default_rng(5).spawn(6)
    x, grad = drawn(2, 3, 50, 4), drawn(2, 3, 50, 4, seed=1)
    y, back = kernels.dropout(x, together, rates), kernels.dropout_backward(grad, together, rates)
    for number, i in enumerate(np.ndindex(2, 3)):
        alone = kernels.dropout_mask((50, 4), children[number], float(rates[i]))
        np.testing.assert_array_equal(together[i], alone)
        np.testing.assert_array_equal(y[i], kernels.dropout(x[i], alone, float(rates[i])))
        np.testing.assert_array_equal(back[i], kernels.dropout_backward(grad[i], alone, float(rates[i])))
    array = np.empty((2, 3), dtype=object)
    for child, i in zip(np.random.default_rng(5).spawn(6), np.ndindex(2, 3), strict=True):
        array[i] = child
    np.testing.assert_array_equal(kernels.dropout_mask((50, 4), array, rates, runs=(2, 3)), together)


@pytest.mark.parametrize("p", [0.0, 0.1, 0.3, 0.5, 0.75])
def test_mean_over_all_masks_is_the_input(p):
    x = drawn(6)
    masks, probabilities = enumerated(6, p)
    outputs = kernels.dropout(x, masks, p)
    np.testing.assert_allclose(probabilities @ outputs, x, rtol=1e-13)
    np.testing.assert_allclose(probabilities @ np.square(outputs - x), x * x * p / (1 - p), rtol=1e-12)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_mean_over_drawn_masks_is_the_input(p):
    x = drawn(20)
    masks = kernels.dropout_mask((20_000, 20), np.random.default_rng(6), p)
    error = np.abs(x) * np.sqrt(p / (1 - p) / 20_000)
    assert (np.abs(kernels.dropout(x, masks, p).mean(axis=0) - x) < 4.5 * error).all()


def test_backward_equals_finite_differences_with_the_mask_held():
    x, mask, grad = np.array(drawn(5, 4)), mask_of(5, 4), drawn(5, 4, seed=1)
    expected = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        moved = x.copy()
        moved[i] += 0.5  # the map is linear, so any step is exact
        expected[i] = ((kernels.dropout(moved, mask, 0.4) - kernels.dropout(x, mask, 0.4)) * grad).sum() / 0.5
    np.testing.assert_allclose(kernels.dropout_backward(grad, mask, 0.4), expected, rtol=1e-12, atol=1e-13)
    assert 0 < np.count_nonzero(~mask) < mask.size


def test_backward_equals_autograd():
    torch = pytest.importorskip("torch")
    x, mask, grad = drawn(5, 4), mask_of(5, 4), drawn(5, 4, seed=1)
    tensor = torch.tensor(np.array(x), requires_grad=True)
    output = torch.where(torch.tensor(np.array(mask)), tensor, 0) / (1 - 0.4)
    output.backward(torch.tensor(np.array(grad)))
    np.testing.assert_allclose(kernels.dropout(x, mask, 0.4), output.detach().numpy(), rtol=1e-15)
    np.testing.assert_allclose(kernels.dropout_backward(grad, mask, 0.4), tensor.grad.numpy(), rtol=1e-15)


def test_forward_and_backward_are_each_others_adjoint():
    x, mask, grad = drawn(5, 4), mask_of(5, 4), drawn(5, 4, seed=1)
    forward = (kernels.dropout(x, mask, 0.4) * grad).sum()
    assert (kernels.dropout_backward(grad, mask, 0.4) * x).sum() == pytest.approx(forward, rel=1e-13)


def test_many_masks_meet_the_same_input():
    x, masks = drawn(5, 4), mask_of(3, 5, 4)
    y = kernels.dropout(x, masks, np.array([0.1, 0.4, 0.5]))
    for mask, p, expected in zip(masks, (0.1, 0.4, 0.5), y, strict=True):
        np.testing.assert_array_equal(kernels.dropout(x, mask, p), expected)


def test_spatial_dropout_drops_whole_maps():
    x, grad, mask = drawn(3, 4, 5, 2), drawn(3, 4, 5, 2, seed=1), mask_of(3, 4)
    repeated = np.repeat(np.repeat(mask[..., None, None], 5, axis=-2), 2, axis=-1)
    np.testing.assert_array_equal(kernels.spatial_dropout(x, mask, 0.4), kernels.dropout(x, repeated, 0.4))
    expected = kernels.dropout_backward(grad, repeated, 0.4)
    np.testing.assert_array_equal(kernels.spatial_dropout_backward(grad, mask, 0.4), expected)
    assert (kernels.spatial_dropout(x, mask, 0.4)[~mask] == 0).all()
    sequence = kernels.spatial_dropout(x[..., 0], mask, 0.4, spatial_axes=1)
    np.testing.assert_array_equal(sequence, kernels.spatial_dropout(x, mask, 0.4)[..., 0])


def test_into_a_given_array():
    x, mask = drawn(50), mask_of(50)
    expected = kernels.dropout(x, mask, 0.4)
    out = np.full(50, np.nan)
    assert kernels.dropout(x, mask, 0.4, out=out) is out
    np.testing.assert_array_equal(out, expected)
    own = np.array(x)
    assert kernels.dropout_backward(own, mask, 0.4, out=own) is own
    np.testing.assert_array_equal(own, expected)


@given(
    shape=st.lists(st.integers(0, 5), min_size=1, max_size=3).map(tuple),
    runs=st.lists(st.integers(1, 3), max_size=2).map(tuple),
    p=st.floats(0, 1),
    dtype=st.sampled_from([np.float32, np.float64]),
    scale=st.sampled_from([1e-30, 1.0, 1e30]),
)
def test_any_shape_rate_and_dtype(shape, runs, p, dtype, scale):
    mask = kernels.dropout_mask(shape, np.random.default_rng(0), p, runs=runs)
    x = drawn(*runs, *shape, dtype=dtype) * dtype(scale)
    y = kernels.dropout(x, mask, p)
    assert y.shape == mask.shape == (*runs, *shape)
    assert y.dtype == dtype
    assert (y[~mask] == 0).all()
    assert (p == 1) or np.isfinite(y).all() or 1 / (1 - p) > 1e7
    if 0 < p < 0.99:
        np.testing.assert_allclose(y[mask], x[mask] / (1 - p), rtol=1e-6)


@pytest.mark.parametrize(("shape", "runs"), [((), ()), ((50,), ()), ((10, 6), ()), ((4, 5), (3,)), ((0, 4), ())])
def test_large_arrays_are_worked_on_in_blocks_as_one_is(shape, runs, monkeypatch):
    x, mask = drawn(*shape, dtype=np.float32), mask_of(*runs, *shape)
    rates = np.linspace(0.2, 0.8, 3) if runs else 0.3
    expected = x * mask * np.reshape(1 / (1 - rates), (*runs, *(1 for _ in shape))).astype(np.float32)
    monkeypatch.setattr(kernels, "_BLOCK", 7)
    found = kernels.dropout(x, mask, rates)
    np.testing.assert_array_equal(found, expected)
    out = np.empty(mask.shape, np.float32)
    assert kernels.dropout(x, mask, rates, out=out) is out
    np.testing.assert_array_equal(out, expected)


def test_what_is_not_finite_stays_to_be_seen():
    with np.errstate(invalid="ignore"):
        y = kernels.dropout(np.array([np.nan, np.inf, 1.0]), np.array([False, False, False]), 0.5)
    np.testing.assert_array_equal(y, [np.nan, np.nan, 0.0])


@pytest.mark.parametrize("p", [0.0, 0.1, 0.2, 0.5])
def test_linear_dropout_penalty_is_the_mean_excess_over_all_masks(p):
    x, y, weight = drawn(7, 4), drawn(7), drawn(4, seed=1)
    masks, probabilities = enumerated(4, p)
    dropped = kernels.dropout(x, np.repeat(masks[:, None], 7, axis=1), p)
    expected = probabilities @ np.square(dropped @ weight - y).mean(axis=-1) - np.square(x @ weight - y).mean()
    assert kernels.linear_dropout_penalty(weight, x, p) == pytest.approx(expected, rel=1e-12, abs=1e-14)


def test_dropout_on_linear_regression_is_ridge_with_second_moments():
    # The minimum of the cost averaged over all masks, found by its own normal equations, against the ridge formula.
    p, x, y = 0.3, drawn(9, 4), drawn(9)
    masks, probabilities = enumerated(4, p)
    dropped = kernels.dropout(x, np.repeat(masks[:, None], 9, axis=1), p)
    gram = np.einsum("m,mia,mib->ab", probabilities, dropped, dropped)
    averaged = np.linalg.solve(gram, np.einsum("m,mia,i->a", probabilities, dropped, y))
    ridge = np.linalg.solve(x.T @ x + p / (1 - p) * np.diag(np.square(x).sum(axis=0)), x.T @ y)
    np.testing.assert_allclose(averaged, ridge, rtol=1e-12)


@pytest.mark.parametrize("p", [0.2, 0.7])
def test_one_pass_is_the_geometric_mean_where_logits_are_linear_in_the_masks(p):
    # Normalized; the mean of the probabilities themselves is something else.
    h, weight = drawn(6), drawn(6, 3)
    masks, probabilities = enumerated(6, p)
    drawn_each = objective.softmax(kernels.dropout(h, masks, p) @ weight)
    geometric = np.exp(probabilities @ np.log(drawn_each))
    one_pass = objective.softmax(h @ weight)
    np.testing.assert_allclose(geometric / geometric.sum(), one_pass, rtol=1e-12)
    assert np.abs(probabilities @ drawn_each - one_pass).max() > 0.01


@pytest.mark.parametrize("steps", [1, 3])
def test_mean_squares_of_what_is_carried_through_time(steps):
    p, q = 0.3, 0.7
    each, probabilities = enumerated(steps, p)
    fresh = again = np.ones(len(each))
    one = each[:, 0]
    for step in range(steps):
        fresh = kernels.dropout(fresh, each[:, step], p)
        again = kernels.dropout(again, one, p)
    once = one / q
    assert [probabilities @ np.square(state) for state in (fresh, again, once)] == pytest.approx(
        [q**-steps, q ** (1 - 2 * steps), 1 / q]
    )


def test_linear_dropout_penalty_of_runs():
    weight, x = drawn(3, 4), drawn(3, 7, 4)
    together = kernels.linear_dropout_penalty(weight, x, 0.2)
    np.testing.assert_array_equal(together, [kernels.linear_dropout_penalty(weight[i], x[i], 0.2) for i in range(3)])
    shared = kernels.linear_dropout_penalty(weight, x[0], 0.2)
    np.testing.assert_array_equal(shared, [kernels.linear_dropout_penalty(weight[i], x[0], 0.2) for i in range(3)])


def test_monte_carlo_prediction_tells_doubt_from_disagreement():
    sure, opposite = [1.0, 0.0], [0.0, 1.0]
    unsure = [0.5, 0.5]
    passes = np.array([[sure, unsure, sure], [sure, unsure, opposite]])  # 2 passes, 3 examples, 2 classes
    result = kernels.monte_carlo_prediction(frozen(passes))
    np.testing.assert_allclose(result.mean, [sure, unsure, unsure])
    np.testing.assert_allclose(result.entropy, [0, np.log(2), np.log(2)], atol=1e-15)
    np.testing.assert_allclose(result.mutual_information, [0, 0, np.log(2)], atol=1e-15)
    np.testing.assert_allclose(result.deviation, [[0, 0], [0, 0], [0.5, 0.5]])


@given(passes=st.integers(1, 6), examples=st.integers(0, 4), classes=st.integers(1, 5), seed=st.integers(0, 100))
def test_monte_carlo_prediction_bounds(passes, examples, classes, seed):
    probabilities = np.random.default_rng(seed).dirichlet(np.full(classes, 0.3), size=(2, passes, examples))
    result = kernels.monte_carlo_prediction(frozen(probabilities))
    assert result.mean.shape == result.deviation.shape == (2, examples, classes)
    assert (result.mutual_information >= 0).all()
    assert (result.mutual_information <= result.entropy + 1e-12).all()
    assert (result.entropy <= np.log(classes) + 1e-12).all()
    np.testing.assert_allclose(result.deviation, probabilities.std(axis=1), atol=1e-12)
    for run in range(2):
        for leaf, alone in zip(result, kernels.monte_carlo_prediction(frozen(probabilities[run])), strict=True):
            np.testing.assert_array_equal(leaf[run], alone)
    single = kernels.monte_carlo_prediction(frozen(probabilities[:, :1]))
    assert (single.mutual_information == 0).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_are_kept(dtype):
    x, mask = drawn(3, 4, dtype=dtype), mask_of(3, 4)
    assert kernels.dropout(x, mask, np.array([0.1, 0.2, 0.3])).dtype == dtype
    assert kernels.dropout_backward(x, mask, 0.3).dtype == dtype
    assert kernels.linear_dropout_penalty(x[0], x, 0.3).dtype == dtype
    probabilities = np.full((2, 3, 4), 0.25, dtype)
    assert all(leaf.dtype == dtype for leaf in kernels.monte_carlo_prediction(probabilities))


def test_torch_masks_have_the_rate():
    torch = pytest.importorskip("torch")
    from dlnotes.torch import dropout as variant

    count = 1 << 20
    rates = torch.tensor([0.1, 0.3, 0.999])
    mask = variant.dropout_mask((3, count), torch.Generator().manual_seed(0), rates)
    assert mask.dtype == torch.bool
    for p, kept in zip((0.1, 0.3, 0.999), mask, strict=True):
        assert 1 - kept.double().mean().item() == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / count))
    again = variant.dropout_mask((3, count), torch.Generator().manual_seed(0), rates)
    assert torch.equal(mask, again)
    assert not variant.dropout_mask((9,), torch.Generator(), 1.0).any()
    assert variant.dropout_mask((9,), torch.Generator(), 0.0).all()
