from __future__ import annotations

import importlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlnotes import difference_quotients

METHODS = difference_quotients.METHODS


@given(
    method=st.sampled_from(METHODS),
    value=st.floats(1e-3, 1e3),
    derivative=st.floats(1e-3, 1e3),
    factor=st.floats(1e-3, 1e3),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_no_step_has_a_smaller_bound_than_the_best(method, value, derivative, factor, dtype):
    size = {"dtype": dtype, "value": value, "derivative": derivative}
    best = difference_quotients.best_step_size(method, **size)
    least = difference_quotients.difference_error(best, method, **size)
    other = difference_quotients.difference_error(best * factor, method, **size)
    if method == "complex":  # no best step, only one that is small enough: the bound is rounding alone
        assert least <= np.finfo(dtype).eps * (1 + 1e-3)
    else:
        assert other >= least * (1 - 1e-12)


def test_best_steps_for_values_and_derivatives_of_one():
    assert difference_quotients.best_step_size("forward") == pytest.approx(2.98e-8, rel=1e-3)
    assert difference_quotients.best_step_size("centered") == pytest.approx(8.73e-6, rel=1e-3)
    assert difference_quotients.best_step_size("centered", dtype=np.float32) == pytest.approx(7.10e-3, rel=1e-3)


@pytest.mark.parametrize("name", ["float16", "float32", "float64"])
def test_the_unit_is_that_of_numpy_whichever_way_the_type_is_named(name):
    for dtype in (name, np.dtype(name), getattr(np, name), np.dtype(name).newbyteorder("S")):
        assert difference_quotients.unit(dtype) == np.finfo(name).eps


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64"])
def test_the_unit_is_that_of_torch(name):
    torch = pytest.importorskip("torch")
    assert difference_quotients.unit(getattr(torch, name)) == torch.finfo(getattr(torch, name)).eps


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_both_backends_take_this_step(backend, monkeypatch):
    as_array = np.array if backend == "numpy" else pytest.importorskip("torch").tensor
    module = importlib.import_module(f"dlnotes.{backend}.gradient_checking")
    monkeypatch.setattr(difference_quotients, "best_step_size", lambda method="centered", **size: 0.5)
    gradient = module.numerical_gradient(lambda p: (p * p * p).sum(-1), as_array([1.0]))
    assert float(gradient[0]) == 3.25  # ((3/2)^3 - (1/2)^3) / 1
