"""Numbers of 16 bits are computed with as numbers of 32 and rounded once, in either backend."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from dlnotes import precision


class Pair(NamedTuple):
    """Two results."""

    first: object
    second: object


@precision.rounded_once("x")
def third_power(factor, x, times=1):
    seen.append(x.dtype)
    return Pair(factor * x * x * x, (times, factor * x * x * x))


seen: list = []


@pytest.fixture(autouse=True)
def nothing_seen():
    seen.clear()


def arrays(backend, dtype, values):
    if backend == "numpy":
        return np.array(values, dtype)
    torch = pytest.importorskip("torch")
    return torch.tensor(values, dtype=getattr(torch, dtype))


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_float16_is_rounded_once(backend):
    x = arrays(backend, "float16", [300.0, 0.01])
    first, (times, second) = third_power(1e-4, x, times=2)
    assert "float32" in str(seen[0])
    assert times == 2
    for value in (first, second):
        assert value.dtype == x.dtype
        # 300^3 is no float16, and its tenth of a thousandth is.
        np.testing.assert_allclose(np.asarray(value), [2700, 1e-10], rtol=2**-10, atol=1e-7)
    assert third_power(1e-4, x=x).first.dtype == x.dtype


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_wider_numbers_are_left_alone(backend, dtype):
    x = arrays(backend, dtype, [300.0])
    assert third_power(1.0, x).first.dtype == x.dtype
    assert seen == [x.dtype]
    assert precision.single(x) is x
    assert precision.rounded(x, x.dtype) is x


def test_bfloat16_and_what_has_16_bits_and_is_no_such_number():
    torch = pytest.importorskip("torch")
    assert precision.is_half(torch.zeros(2, dtype=torch.bfloat16))
    assert precision.is_half(np.zeros(2, np.dtype("f2").newbyteorder("S")))
    for other in (np.zeros(2, np.int16), torch.zeros(2, dtype=torch.int16), np.zeros(2, np.float32), 1.0, "float16"):
        assert not precision.is_half(other)
        assert precision.single(other) is other


def test_integers_of_a_result_stay_integers():
    whole = np.arange(3)
    assert precision.rounded((whole, None, 2), np.dtype(np.float16))[0] is whole


def test_the_signature_is_kept():
    import inspect

    assert list(inspect.signature(third_power).parameters) == ["factor", "x", "times"]
    with pytest.raises(ValueError, match="is not in list"):
        precision.rounded_once("y")(lambda x: x)
