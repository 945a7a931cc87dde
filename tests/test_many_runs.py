from __future__ import annotations

import numpy as np
import pytest

from dlnotes.numpy import many_runs as kernels


def test_numbers_of_the_runs_are_aligned_from_the_left():
    array = np.ones((2, 3, 4), np.float32)
    shaped = kernels.aligned(np.array([1.0, 2.0]), array)
    assert shaped.shape == (2, 1, 1)
    assert shaped.dtype == np.float32
    for number in (2, 2.0, np.float64(2), np.array(2.0), np.float32(2)):
        assert type(kernels.aligned(number, array)) is float


def test_generators_of_runs():
    parent = np.random.default_rng(0)
    assert kernels.generators(parent, ())[()] is parent
    grid = kernels.generators(np.random.default_rng(0), (2, 2))
    expected = [child.random() for child in np.random.default_rng(0).spawn(4)]
    assert [each.random() for each in grid.reshape(-1)] == expected
    assert kernels.generators(grid, (2, 2)) is grid


def test_values_at_a_step():
    rates = np.array([0.5, 1.0], np.float32)
    assert type(kernels.at_step(2, 0)) is float
    assert kernels.at_step(lambda step: step / 4, 3) == 0.75
    assert kernels.at_step(rates, 0).dtype == np.float64
    np.testing.assert_array_equal(kernels.at_step(lambda step: rates * step, 2), [1.0, 2.0])
    assert kernels.rate_at_step(0.5, 1) == kernels.beta_at_step(0.5, 1) == 0.5
    with pytest.raises(
        ValueError, match=r"rate at step 4 must be finite numbers below 1, got values from 2\.0 to 4\.0"
    ):
        kernels.at_step(lambda step: rates * step, 4, "rate", below=1)
    with pytest.raises(ValueError, match=r"learning_rate at step 4 must be a finite number at least 0, got -4\.0"):
        kernels.rate_at_step(lambda step: -step, 4)
    with pytest.raises(ValueError, match=r"beta at step 4 must be a finite number at least 0 and below 1, got 4\.0"):
        kernels.beta_at_step(lambda step: step, 4)


def test_averages_of_few_bits_are_refused():
    with pytest.raises(
        TypeError, match=r"params\['w'\] must be an array of floating-point numbers of at least 32 bits"
    ):
        kernels.zeros_like({"w": np.ones(3, np.float16)})
    assert kernels.zeros_like({"w": np.ones(3, np.float32)})["w"].dtype == np.float32


def test_runs_are_cut_out_in_c_order():
    rates = np.arange(6.0).reshape(2, 3)

    class Holder:
        def __init__(self, **values):
            vars(self).update(values)

        def init(self, params): ...

        def update(self, grads, state, params): ...

    own = kernels.cut(
        Holder(full=rates, first=rates[:, 0], stretched=rates[:, :1], one=2.0, word="a"), (2, 3), slice(1, 5)
    )
    np.testing.assert_array_equal(own.full, [1, 2, 3, 4])
    np.testing.assert_array_equal(own.first, [0, 0, 3, 3])
    np.testing.assert_array_equal(own.stretched, [0, 0, 3, 3])
    assert (own.one, own.word) == (2.0, "a")
    with pytest.raises(
        ValueError, match=r"optimizer.rate must be a number, or an array of the shape of the runs, \(2, 3\)"
    ):
        kernels.cut(Holder(rate=np.ones(3)), (2, 3), slice(0, 1))
