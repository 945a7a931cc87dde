from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dlnotes import optimizers
from dlnotes.numpy import gradient_clipping as kernels
from dlnotes.numpy import minibatch

SHAPES = {"0.weight": (4, 3), "0.bias": (4,), "2.weight": (2, 4, 2, 3), "scale": ()}
VECTORS = hnp.arrays(np.float64, st.integers(1, 8), elements=st.floats(-1e6, 1e6))


def drawn(runs=(), seed=0, dtype=np.float64, scale=1.0):
    generator = np.random.default_rng(seed)
    grads = {name: np.asarray(scale * generator.normal(size=(*runs, *shape)), dtype) for name, shape in SHAPES.items()}
    for array in grads.values():
        array.flags.writeable = False
    return grads


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_the_notes_example_put_right():
    clipped = kernels.clip_by_norm(np.array([0.9, 100.0]), 1.0)
    np.testing.assert_allclose(clipped, [0.00899964, 0.9999595], atol=5e-9)
    assert not np.allclose(clipped, [0.00799, 0.999995], atol=1e-5)
    np.testing.assert_array_equal(kernels.clip_by_value(np.array([0.9, 100.0]), 1.0), [0.9, 1.0])


@given(gradient=VECTORS, limit=st.floats(1e-3, 1e3))
def test_laws_of_clipping(gradient, limit):
    by_value = kernels.clip_by_value(gradient, limit)
    by_norm = kernels.clip_by_norm(gradient, limit)
    length = np.linalg.norm(gradient)
    assert np.abs(by_value).max() <= limit
    assert np.linalg.norm(by_norm) <= limit * (1 + 1e-12)
    if length <= limit * (1 - 1e-12):
        np.testing.assert_array_equal(by_norm, gradient)
        np.testing.assert_array_equal(by_value, gradient)
    np.testing.assert_array_equal(kernels.clip_by_value(by_value, limit), by_value)
    np.testing.assert_allclose(kernels.clip_by_norm(by_norm, limit), by_norm, rtol=1e-12)
    if length > 1e-3:
        assert cosine(gradient, by_norm) == pytest.approx(1, abs=1e-9)


def test_clipping_by_value_turns_the_gradient():
    gradient = np.array([0.9, 100.0])
    assert cosine(gradient, kernels.clip_by_norm(gradient, 1.0)) == pytest.approx(1, abs=1e-12)
    assert cosine(gradient, kernels.clip_by_value(gradient, 1.0)) == pytest.approx(0.749, abs=1e-3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lengths_beyond_the_range_of_squares(dtype):
    info = np.finfo(dtype)
    for size in (float(info.max) / 8, float(info.tiny) * 8):
        gradient = np.array([3 * size, 4 * size], dtype)
        assert kernels.norm(gradient) == pytest.approx(5 * size, rel=1e-6)
        np.testing.assert_allclose(kernels.clip_by_norm(gradient, 1.0), gradient * min(1, 0.2 / size), rtol=1e-6)
    tiny = np.array([3, 4], dtype) * info.smallest_subnormal
    assert kernels.norm(tiny) == 5 * info.smallest_subnormal


@pytest.mark.parametrize(
    ("dtype", "scale"), [(np.float16, 4e4), (np.float32, 3e38), (np.float64, 1e300), (np.float32, 1e-40)]
)
@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_lengths_that_the_type_cannot_hold_do_not_matter(dtype, scale, backend):
    """The length of the gradient is beyond float16 or float32, and every clipped number is not."""
    module, array = kernels, np.array
    if backend == "torch":
        torch = pytest.importorskip("torch")
        from dlnotes.torch import gradient_clipping as module

        array = torch.tensor
    gradient = np.full((2, 8), scale, dtype)
    grads = {"a": array(gradient), "b": array(-gradient)}
    limit = min(1.0, scale / 2)
    # Below the smallest normal number the factor, or the gradient itself, has fewer digits.
    rtol = 1e-3 if dtype == np.float16 else 2e-4 if scale < 1 else 1e-5
    for name, clipped in module.clip_by_global_norm(grads, limit).items():
        wanted = (1 if name == "a" else -1) * limit / np.sqrt(32)
        np.testing.assert_allclose(np.asarray(clipped).astype(float), wanted, rtol=rtol)
        assert np.asarray(clipped).dtype == dtype
    np.testing.assert_allclose(np.asarray(module.clip_by_norm(grads["a"], limit)).astype(float), limit / 4, rtol=rtol)
    units = np.asarray(module.shorten_units(grads["a"], limit)).astype(float)
    np.testing.assert_allclose(units, limit / np.sqrt(8), rtol=rtol)
    if scale > 1:
        adaptive = np.asarray(module.clip_adaptively(grads["a"], array(np.ones((2, 8), dtype)), 0.1)).astype(float)
        np.testing.assert_allclose(adaptive, 0.1, rtol=rtol)


def test_a_weight_of_one_column_has_as_many_units_as_rows():
    """optax takes it whole, as a vector."""
    gradient, weight = np.full((4, 1), 8.0), np.array([[1.0], [2.0], [3.0], [4.0]])
    np.testing.assert_allclose(kernels.clip_adaptively(gradient, weight, 0.1), 0.1 * weight, rtol=1e-14)


def test_zero_empty_and_broken_gradients():
    assert kernels.norm(np.zeros(3)) == 0
    assert kernels.norm(np.zeros((2, 0)), 1).tolist() == [0, 0]
    np.testing.assert_array_equal(kernels.clip_by_norm(np.zeros(3), 1.0), 0)
    with np.errstate(invalid="ignore"):
        assert np.isnan(kernels.clip_by_norm(np.array([1.0, np.nan]), 1.0)).all()
        assert np.isnan(kernels.clip_by_norm(np.array([1.0, np.inf]), 1.0)[1])
    np.testing.assert_array_equal(kernels.clip_by_value(np.array([np.nan, -np.inf]), 2.0), [np.nan, -2.0])


def test_the_global_norm_is_that_of_all_numbers():
    grads = drawn()
    flat = np.concatenate([g.ravel() for g in grads.values()])
    assert kernels.global_norm(grads) == pytest.approx(np.linalg.norm(flat), rel=1e-14)
    clipped = kernels.clip_by_global_norm(grads, 0.5)
    together = np.concatenate([g.ravel() for g in clipped.values()])
    assert np.linalg.norm(together) == pytest.approx(0.5, rel=1e-14)
    assert cosine(flat, together) == pytest.approx(1, abs=1e-14)
    for name, g in kernels.clip_by_global_norm(grads, 1e3).items():
        np.testing.assert_array_equal(g, grads[name])


@pytest.mark.parametrize("limit", [0.1, 1.0, 1e3])
def test_equal_to_torch(limit):
    torch = pytest.importorskip("torch")
    grads = drawn()
    params = {name: torch.nn.Parameter(torch.zeros(shape, dtype=torch.float64)) for name, shape in SHAPES.items()}

    def fill():
        for name, g in grads.items():
            params[name].grad = torch.tensor(np.array(g))

    fill()
    torch.nn.utils.clip_grad_value_(params.values(), limit)
    for name, g in grads.items():
        np.testing.assert_array_equal(kernels.clip_by_value(g, limit), params[name].grad.numpy())
    fill()
    length = float(torch.nn.utils.clip_grad_norm_(params.values(), limit))
    assert kernels.global_norm(grads) == pytest.approx(length, rel=1e-13)
    shorter = length / (length + 1e-6) if length > limit else 1.0
    for name, g in kernels.clip_by_global_norm(grads, limit).items():
        np.testing.assert_allclose(g * shorter, params[name].grad.numpy(), rtol=1e-12)


def test_adaptive_clipping_bounds_each_unit():
    gradient, weight = drawn(seed=1, scale=10.0)["2.weight"], np.array(drawn()["2.weight"])
    weight[1] = 0
    clipped = kernels.clip_adaptively(gradient, weight, 0.05, 1e-3)
    for unit in range(2):
        bound = 0.05 * max(np.linalg.norm(weight[unit]), 1e-3)
        assert np.linalg.norm(clipped[unit]) == pytest.approx(bound, rel=1e-13)
        assert cosine(clipped[unit].ravel(), gradient[unit].ravel()) == pytest.approx(1, abs=1e-13)
    np.testing.assert_array_equal(kernels.clip_adaptively(1e-9 * gradient, weight + 1), 1e-9 * gradient)
    # A vector is one unit.
    g, b = drawn(seed=1)["0.bias"], drawn()["0.bias"]
    clipped = kernels.clip_adaptively(g, b, 0.05)
    np.testing.assert_allclose(clipped, g * 0.05 * np.linalg.norm(b) / np.linalg.norm(g), rtol=1e-13)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_the_adaptive_part_of_a_chain_takes_its_epsilon(backend):
    module, array = kernels, np.array
    if backend == "torch":
        torch = pytest.importorskip("torch")
        from dlnotes.torch import gradient_clipping as module

        array = torch.tensor
    params, grads = {"w": array(np.zeros((2, 3)))}, {"w": array(np.full((2, 3), 7.0))}
    for epsilon in (1e-3, 0.5, 20.0):
        optimizer = module.ClipAdaptively(0.1, epsilon)
        clipped, _ = optimizer.update(grads, optimizer.init(params), params)
        np.testing.assert_allclose(np.asarray(clipped["w"]), 0.1 * epsilon / np.sqrt(3), rtol=1e-12)


OPTIMIZERS = {
    "value": lambda limit, axes: kernels.ClipByValue(limit),
    "norm": lambda limit, axes: kernels.ClipByNorm(limit, axes),
    "global norm": lambda limit, axes: kernels.ClipByGlobalNorm(limit, axes),
    "adaptive": lambda limit, axes: kernels.ClipAdaptively(limit, 1e-3, axes),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_grid_of_runs_equals_single_runs_bit_for_bit(name, dtype):
    limits = np.array([[0.1, 10.0, 1.0], [0.01, 0.3, 100.0]])
    params, grads = drawn((2, 3), dtype=dtype), drawn((2, 3), 1, dtype)
    together = OPTIMIZERS[name](limits, 2)
    updates, _ = together.update(grads, together.init(params), params)
    for run in np.ndindex(2, 3):
        alone = OPTIMIZERS[name](float(limits[run]), 0)
        own = {key: value[run] for key, value in params.items()}
        expected, _ = alone.update({key: np.asarray(g[run]) for key, g in grads.items()}, alone.init(own), own)
        for key, update in expected.items():
            assert update.dtype == dtype
            np.testing.assert_array_equal(updates[key][run], update)


def test_a_bad_run_leaves_the_others_alone():
    grads = {name: g.copy() for name, g in drawn((2,)).items()}
    grads["0.bias"][0] = np.nan
    with np.errstate(invalid="ignore"):
        clipped = kernels.clip_by_global_norm(grads, 0.1, 1)
    assert np.isnan(clipped["0.weight"][0]).all()
    assert all(np.isfinite(g[1]).all() for g in clipped.values())


def test_clipping_bounds_the_step_of_a_chain():
    params, grads = drawn(), drawn(seed=1, scale=1e6)
    optimizer = optimizers.chain(kernels.ClipByGlobalNorm(2.0), minibatch.SGD(0.5))
    updates, _ = optimizer.update(grads, optimizer.init(params), params)
    assert kernels.global_norm({k: np.asarray(u) for k, u in updates.items()}) == pytest.approx(1.0, rel=1e-13)
