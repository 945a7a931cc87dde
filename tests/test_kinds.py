"""What a kernel is under difficult inputs: extreme scales, few or many digits, nan, infinities, strides, neighbors.

One table a stem, `tests/kinds/<stem>.py`, says it for every public function that takes an array:

    X = np.random.default_rng(0).standard_normal((5, 4))
    WEIGHTS = X[0]

    CASES = {
        "rms_norm": Kinds(
            lambda module, x, scale: module.rms_norm(x, scale, epsilon=0.0)[0],
            (X, WEIGHTS),
            scale=[((1, 0), 0), ((0, 1), 1)],  # x times s changes nothing; the second times s, the result times s
            rows=(0,),                         # the rows of x do not see each other
        ),
        "softmax": Kinds(
            lambda module, x: module.softmax(x),
            (X,),
            scale="exponentials have a scale of their own",
            rows=(0,),
        ),
        "softmax/far": ...                         # a second case of the same function
        "lookup": "takes a name",                  # no kind applies
    }

The function `call(module, *arrays)` runs with both backends: `module` is `dlnotes.numpy.<stem>` or its torch namesake,
and the arrays are those of the backend. It may give any nest of arrays, records and dictionaries. What needs a
dictionary, a state or a generator builds it inside (`tests.kinds.generator(module)`).

What is tested of each case, unless the field holds the reason why it does not apply:

scale       with arrays times powers of 2 from 1e-160 to 1e160 (float32: 1e-30 to 1e30), the result is that at scale 1
            times the powers that the table gives
rows        the first row of the arrays named alone gives the first row of the result
half        float16 gives float16 with the digits of float32 arithmetic that is rounded once, or a TypeError
longdouble  a TypeError, or a longdouble that agrees with float64 and has digits beyond it
nan         every entry of the result that depends on an entry of an array is nan when that is; or a clear error
infinities  with infinities and zeros of both signs among the entries, both backends give the same, nan for nan
layout      Fortran order, strides and reversed axes change nothing; the other byte order changes nothing or is refused
mixed       with one array of float32 beside those of float64, the result has the digits of float32, or a TypeError: a
            matrix product of torch takes one dtype

An error is clear if it is a ValueError or TypeError that says what was given. Where one backend refuses, so must the
other. A function without a torch variant is tested in NumPy alone. Run one stem:

    pytest tests/test_kinds.py -k "objective"
"""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kinds import HAS_TORCH, Kinds

ROOT = Path(__file__).resolve().parent.parent
STEMS = sorted(path.stem for path in (ROOT / "dlnotes" / "numpy").glob("[!_]*.py"))
# Stems whose table is still to be written; the test of this list fails when a table is there.
WITHOUT_TABLE = {stem for stem in STEMS if not (ROOT / "tests" / "kinds" / f"{stem}.py").exists()}

DTYPES = (np.float64, np.float32)
LARGEST_EXPONENT = {np.float64: 531, np.float32: 99}  # 1e160 and 1e30
RTOL = {np.float64: 1e-12, np.float32: 2e-6}
RTOL_MIXED = 1e-5  # the arrays are those of float64, rounded, and a few digits may be lost to cancellation

pytestmark = pytest.mark.usefixtures("unchecked")


def table(stem: str) -> dict[str, Any]:
    return {} if stem in WITHOUT_TABLE else importlib.import_module(f"tests.kinds.{stem}").CASES


def applies(entry: Any, kind: str) -> bool:
    return isinstance(entry, Kinds) and not isinstance(getattr(entry, kind), str)


def backends(stem: str, name: str) -> list[str]:
    """Name the backends that have the function."""
    here = HAS_TORCH and (ROOT / "dlnotes" / "torch" / f"{stem}.py").exists()
    both = here and hasattr(importlib.import_module(f"dlnotes.torch.{stem}"), name.partition("/")[0])
    return ["numpy", "torch"] if both else ["numpy"]


def cases(kind: str) -> pytest.MarkDecorator:
    """Parametrize a test by stem, name and backend of everything that the kind applies to."""
    found = [
        pytest.param(stem, name, backend, id=f"{stem}.{name}-{backend}")
        for stem in STEMS
        for name, entry in table(stem).items()
        if applies(entry, kind)
        for backend in backends(stem, name)
    ]
    return pytest.mark.parametrize(("stem", "name", "backend"), found)


def flat(result: Any) -> list[np.ndarray]:
    """Give the arrays of floating-point numbers in a nest of results, in order."""
    if hasattr(result, "detach"):
        result = result.detach().cpu()
        return [result.numpy()] if result.is_floating_point() else []
    if isinstance(result, dict):
        return [leaf for value in result.values() for leaf in flat(value)]
    if isinstance(result, tuple | list):
        return [leaf for value in result for leaf in flat(value)]
    array = np.asarray(result) if isinstance(result, np.ndarray | np.generic | float) else np.zeros(0, int)
    return [array] if array.dtype.kind == "f" else []


def compute(entry: Kinds, stem: str, backend: str, arrays: list[np.ndarray]) -> list[np.ndarray]:
    module = importlib.import_module(f"dlnotes.{backend}.{stem}")
    if backend == "torch":
        import torch

        arrays = [as_tensor(torch, array) for array in arrays]
    with np.errstate(all="ignore"):
        result = flat(entry.call(module, *arrays))
    assert result, "the case gives no array of floating-point numbers"
    return result


def as_tensor(torch: Any, array: np.ndarray) -> Any:
    """Give a tensor with the strides of the array, as far as a tensor can have them."""
    if any(stride < 0 for stride in array.strides):
        return torch.tensor(array.copy())
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def outcome(entry: Kinds, stem: str, backend: str, arrays: list[np.ndarray]) -> list[np.ndarray] | type[Exception]:
    """Compute, or give the kind of a clear error."""
    try:
        return compute(entry, stem, backend, arrays)
    except (ValueError, TypeError) as error:
        refusal = error
    assert ", got " in str(refusal), f"not a clear error: {refusal!r}"
    return type(refusal)


def in_dtype(arrays: tuple[np.ndarray, ...], dtype: type) -> list[np.ndarray]:
    return [np.array(array, dtype if array.dtype.kind == "f" else array.dtype) for array in arrays]


def assert_near(given: list[np.ndarray], wanted: list[np.ndarray], rtol: float, smallest: float = 0.0) -> None:
    """Compare to a share of the largest entry of each array, infinities and nan place by place."""
    assert len(given) == len(wanted)
    for ours, theirs in zip(given, wanted, strict=True):
        assert ours.shape == theirs.shape
        finite = np.abs(theirs[np.isfinite(theirs)]).max(initial=0.0)
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=max(rtol * float(finite), smallest))


def times_power(array: np.ndarray, exponent: int, power: float) -> np.ndarray:
    """Multiply by 2 to the exponent times the power, exactly unless it over- or underflows."""
    shift = exponent * power
    assert shift == int(shift), "the law takes a root: let its inputs have even powers"
    with np.errstate(all="ignore"):
        return np.asarray(np.ldexp(array, int(shift)))


def check_scale(entry: Kinds, stem: str, backend: str, dtype: type, share: float) -> None:
    base = compute(entry, stem, backend, in_dtype(entry.arrays, dtype))
    for inputs, outputs in entry.scale:
        powers = outputs if isinstance(outputs, tuple) else (outputs,) * len(base)
        assert len(inputs) == len(entry.arrays), "a power for each array"
        assert len(powers) == len(base), "a power for each array of the result"
        # Even, so that a power of 1/2 is exact too.
        exponent = 2 * round(share * LARGEST_EXPONENT[dtype] / (2 * max(abs(power) for power in inputs)))
        arrays = in_dtype(entry.arrays, dtype)
        scaled = [times_power(x, exponent, p) if p else x for x, p in zip(arrays, inputs, strict=True)]
        wanted = [times_power(value, exponent, power) for value, power in zip(base, powers, strict=True)]
        found = compute(entry, stem, backend, scaled)
        assert [value.dtype for value in found] == [value.dtype for value in base]
        # A sum may overflow before it is divided by its count.
        edge = float(np.finfo(dtype).max) / 1024
        found = [np.where(np.isinf(a) & (np.abs(b) > edge), b, a) for a, b in zip(found, wanted, strict=True)]
        assert_near(found, wanted, RTOL[dtype], smallest=float(np.finfo(dtype).tiny))


@cases("scale")
@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=20)
@given(share=st.floats(-1, 1))
def test_scale(stem, name, backend, dtype, share):
    check_scale(table(stem)[name], stem, backend, dtype, share)


def check_rows(entry: Kinds, stem: str, backend: str, dtype: type) -> None:
    arrays = in_dtype(entry.arrays, dtype)
    together = compute(entry, stem, backend, arrays)
    alone = compute(entry, stem, backend, [x[:1].copy() if i in entry.rows else x for i, x in enumerate(arrays)])
    assert all(len(result) > 1 for result in together), "one row only shows nothing"
    assert_near(alone, [result[:1] for result in together], RTOL[dtype])


@cases("rows")
@pytest.mark.parametrize("dtype", DTYPES)
def test_rows(stem, name, backend, dtype):
    check_rows(table(stem)[name], stem, backend, dtype)


def check_half(entry: Kinds, stem: str, backend: str, power: float) -> None:
    halves = [x * 10.0**power if x.dtype.kind == "f" else x for x in entry.arrays]
    halves = [np.clip(x, -65504, 65504) if x.dtype.kind == "f" else x for x in halves]
    halves = in_dtype(tuple(halves), np.float16)
    found = outcome(entry, stem, backend, halves)
    exact, single = (outcome(entry, stem, backend, in_dtype(tuple(halves), dtype)) for dtype in DTYPES)
    if found is TypeError or exact is ValueError:
        assert found in (TypeError, exact)
        return
    assert isinstance(found, list), "refused by its values"
    for ours, wanted, in_single in zip(found, exact, single, strict=True):
        assert ours.dtype == np.float16
        with np.errstate(all="ignore"):
            # One rounding to float16, the error that float32 makes on the same numbers, and the smallest float16.
            allowed = np.abs(wanted) * 2.0**-10 + 2 * np.abs(in_single - wanted) + 2.0**-24
            rounded = wanted.astype(np.float16).astype(float)
            close = np.abs(ours.astype(float) - wanted) <= allowed
        same = (ours == rounded) | (np.isnan(ours) & np.isnan(rounded))
        assert (close | same).all(), f"{ours} in place of {wanted}"


@cases("half")
@settings(max_examples=20)
@given(power=st.floats(-3, 4.5))
def test_half(stem, name, backend, power):
    check_half(table(stem)[name], stem, backend, power)


def check_longdouble(entry: Kinds, stem: str) -> None:
    found = outcome(entry, stem, "numpy", in_dtype(entry.arrays, np.longdouble))
    if found is TypeError:
        return
    assert isinstance(found, list)
    wanted = compute(entry, stem, "numpy", in_dtype(entry.arrays, np.float64))
    assert_near([value.astype(float) for value in found], wanted, RTOL[np.float64])
    for value in found:
        assert value.dtype == np.longdouble
        assert value.size == 0 or (value != value.astype(float)).any(), "no digits beyond float64"


@cases("longdouble")
@pytest.mark.skipif(np.finfo(np.longdouble).eps == np.finfo(np.float64).eps, reason="there is no such number here")
def test_longdouble(stem, name, backend):
    if backend == "numpy":  # torch has no such number
        check_longdouble(table(stem)[name], stem)


def places(entry: Kinds) -> list[tuple[int, int]]:
    """Name some entries of each array of floating-point numbers: the first, one inside, the last."""
    return [
        (i, place)
        for i, array in enumerate(entry.arrays)
        if array.dtype.kind == "f" and array.size
        for place in sorted({0, array.size // 2, array.size - 1})
    ]


def with_entry(arrays: list[np.ndarray], i: int, place: int, value: float) -> list[np.ndarray]:
    changed = [array.copy() for array in arrays]
    changed[i].reshape(-1)[place] = value
    return changed


def check_nan(entry: Kinds, stem: str, backend: str) -> None:
    arrays = in_dtype(entry.arrays, np.float64)
    base = compute(entry, stem, backend, arrays)
    for i, place in places(entry):
        poisoned = outcome(entry, stem, backend, with_entry(arrays, i, place, np.nan))
        if not isinstance(poisoned, list):
            continue
        depends = [np.zeros(value.shape, bool) for value in base]
        here = arrays[i].reshape(-1)[place]
        for other in (-here, 2 * here, here + 1, here - 1, here + 40, here - 40):
            moved = outcome(entry, stem, backend, with_entry(arrays, i, place, other))
            if isinstance(moved, list):
                depends = [seen | (a != b) for seen, a, b in zip(depends, moved, base, strict=True)]
        for value, mask in zip(poisoned, depends, strict=True):
            assert np.isnan(value[mask]).all(), f"a nan in array {i} at place {place} became a number"


@cases("nan")
def test_nan(stem, name, backend):
    check_nan(table(stem)[name], stem, backend)


@cases("infinities")
@settings(max_examples=30)
@given(data=st.data())
def test_infinities(stem, name, backend, data):
    if backend == "numpy":  # compared in the case of torch
        return
    entry = table(stem)[name]
    arrays = in_dtype(entry.arrays, np.float64)
    for i, place in data.draw(st.lists(st.sampled_from(places(entry)), min_size=1, max_size=3, unique=True)):
        arrays = with_entry(arrays, i, place, data.draw(st.sampled_from([np.inf, -np.inf, 0.0, -0.0])))
    if data.draw(st.integers(0, 4)) == 0:  # all of one row, or of everything
        i = data.draw(st.sampled_from([i for i, _ in places(entry)]))
        arrays[i][data.draw(st.sampled_from([(), 0] if arrays[i].ndim else [()]))] = data.draw(
            st.sampled_from([np.inf, -np.inf, 0.0])
        )
    assert_backends_agree(entry, stem, arrays)


def assert_backends_agree(entry: Kinds, stem: str, arrays: list[np.ndarray]) -> None:
    ours, theirs = outcome(entry, stem, "numpy", arrays), outcome(entry, stem, "torch", arrays)
    if isinstance(ours, list) and isinstance(theirs, list):
        assert_near(theirs, ours, RTOL[np.float64])
    else:
        assert ours == theirs


def layouts(array: np.ndarray) -> dict[str, np.ndarray]:
    """Give the same numbers in other layouts of memory."""
    doubled = np.repeat(array, 2, axis=-1) if array.ndim else array
    reverse = (slice(None, None, -1),) * array.ndim
    read_only = array.copy()
    read_only.flags.writeable = False
    return {
        "Fortran order": array.copy(order="F"),
        "strides": doubled[..., ::2] if array.ndim else array,
        "reversed axes": np.asarray(array[reverse]).copy()[reverse or ...],
        "read-only": read_only,
    }


def check_layout(entry: Kinds, stem: str, backend: str) -> None:
    arrays = in_dtype(entry.arrays, np.float64)
    base = compute(entry, stem, backend, arrays)
    for layout in layouts(np.zeros(())):
        changed = [layouts(array)[layout] for array in arrays]
        assert_near(compute(entry, stem, backend, changed), base, RTOL[np.float64])
    if backend == "numpy":
        swapped = outcome(entry, stem, backend, [x.astype(x.dtype.newbyteorder("S")) for x in arrays])
        if isinstance(swapped, list):
            assert_near(swapped, base, RTOL[np.float64])


@cases("layout")
def test_layout(stem, name, backend):
    check_layout(table(stem)[name], stem, backend)


def check_mixed(entry: Kinds, stem: str, backend: str) -> None:
    exact = in_dtype(entry.arrays, np.float64)
    floating = [i for i, array in enumerate(exact) if array.dtype.kind == "f"]
    for i in floating if len(floating) > 1 else []:
        mixed = [array.astype(np.float32) if i == j else array for j, array in enumerate(exact)]
        found = outcome(entry, stem, backend, mixed)
        wanted = outcome(entry, stem, backend, in_dtype(tuple(mixed), np.float64))
        if not isinstance(found, list):
            assert found in (TypeError, wanted)
        else:
            assert_near([array.astype(float) for array in found], wanted, RTOL_MIXED)


@cases("mixed")
def test_mixed(stem, name, backend):
    check_mixed(table(stem)[name], stem, backend)


def takes_arrays(value: Any) -> bool:
    """Say whether it is a function with a parameter that may hold arrays, or a class that has methods."""
    if inspect.isclass(value):
        return not hasattr(value, "_fields") and any(
            inspect.isfunction(method) and takes_arrays(method) for method in vars(value).values()
        )
    words = ("Float[", "Integer[", "Shaped[", "Bool[", "ndarray", "Array", "Mapping", "dict", "Parameters", "State")
    return any(word in str(p.annotation) for p in inspect.signature(value).parameters.values() for word in words)


def takers(stem: str) -> set[str]:
    module = importlib.import_module(f"dlnotes.numpy.{stem}")
    public = {name: value for name, value in vars(module).items() if not name.startswith("_") and callable(value)}
    return {
        name
        for name, value in public.items()
        if getattr(value, "__module__", None) == module.__name__ and takes_arrays(value)
    }


@pytest.mark.parametrize("stem", [stem for stem in STEMS if stem not in WITHOUT_TABLE])
def test_every_function_that_takes_an_array_stands_in_its_table(stem):
    missing = takers(stem) - {name.partition("/")[0] for name in table(stem)}
    if missing:
        pytest.fail(f"add cases to tests/kinds/{stem}.py: {', '.join(sorted(missing))}", pytrace=False)


@pytest.mark.parametrize("stem", [stem for stem in STEMS if stem not in WITHOUT_TABLE])
def test_every_entry_is_a_case_of_a_public_name_or_a_reason(stem):
    module = importlib.import_module(f"dlnotes.numpy.{stem}")
    for name, entry in table(stem).items():
        assert hasattr(module, name.partition("/")[0]), name
        reasons = [entry] if isinstance(entry, str) else [field for field in entry if isinstance(field, str)]
        assert all(len(reason.split()) >= 3 for reason in reasons), f"{name}: a reason is a sentence"


# What follows shows that the harness itself can fail.


X = np.random.default_rng(0).standard_normal((4, 3))


def wrong(formula: Any, **answers: Any) -> Kinds:
    return Kinds(lambda module, x: formula(x), (X,), **{"scale": [((1,), 1)], "rows": (0,)} | answers)


def length(x: Any) -> Any:
    return (x * x).sum(-1) ** 0.5


def test_what_over_or_underflows_is_seen():
    check_scale(wrong(lambda x: abs(x).sum(-1)), "objective", "numpy", np.float64, 1.0)
    check_scale(wrong(length), "objective", "numpy", np.float64, 0.1)
    for share in (-1.0, 1.0):
        for dtype in DTYPES:
            with pytest.raises(AssertionError):
                check_scale(wrong(length), "objective", "numpy", dtype, share)
    with pytest.raises(AssertionError):
        check_scale(wrong(length, scale=[((1,), 2)]), "objective", "numpy", np.float64, 0.1)


def test_rows_that_see_each_other_are_seen():
    check_rows(wrong(length), "objective", "numpy", np.float64)
    with pytest.raises(AssertionError):
        check_rows(wrong(lambda x: x - x.mean(0)), "objective", "numpy", np.float64)


def test_float16_that_is_computed_in_float16_is_seen():
    def accumulated(x):
        return length(x.astype(np.float32)).astype(x.dtype) if x.dtype == np.float16 else length(x)

    for power in (-3.0, 0.0, 3.0):
        check_half(wrong(accumulated), "objective", "numpy", power)
        if power:
            with pytest.raises(AssertionError):
                check_half(wrong(length), "objective", "numpy", power)
    with pytest.raises(AssertionError):
        check_half(wrong(lambda x: length(x.astype(float))), "objective", "numpy", 0.0)


@pytest.mark.skipif(np.finfo(np.longdouble).eps == np.finfo(np.float64).eps, reason="there is no such number here")
def test_longdouble_that_is_computed_in_less_is_seen():
    check_longdouble(wrong(length), "objective")
    for dtype in DTYPES:
        with pytest.raises(AssertionError):
            check_longdouble(wrong(lambda x, dtype=dtype: length(x.astype(dtype)).astype(x.dtype)), "objective")


@pytest.mark.parametrize("backend", ["numpy", "torch"] if HAS_TORCH else ["numpy"])
def test_a_nan_that_becomes_a_number_is_seen(backend):
    check_nan(wrong(length), "objective", backend)
    with pytest.raises(AssertionError, match="became a number"):
        check_nan(wrong(lambda x: (x > 0) * 1.0), "objective", backend)


@pytest.mark.skipif(not HAS_TORCH, reason="compares with torch")
def test_backends_that_differ_at_infinity_are_seen():
    def centered(x):
        return x - x.max() if hasattr(x, "detach") else np.nan_to_num(x - x.max(), nan=0.0, neginf=-np.inf)

    assert_backends_agree(wrong(centered), "objective", [X])
    with pytest.raises(AssertionError):
        assert_backends_agree(wrong(centered), "objective", with_entry([X], 0, 0, np.inf))


def test_what_depends_on_the_layout_is_seen():
    check_layout(wrong(length), "objective", "numpy")
    with pytest.raises(AssertionError):
        check_layout(wrong(lambda x: x.ravel("K").copy()), "objective", "numpy")


@pytest.mark.skipif(not HAS_TORCH, reason="NumPy takes any two")
def test_what_takes_no_two_dtypes_and_does_not_say_so_is_seen():
    pair = Kinds(lambda module, x, y: x @ y, (X, X.T.copy()), scale="not asked", rows="not asked")
    check_mixed(pair, "objective", "numpy")
    with pytest.raises(RuntimeError, match="same dtype"):
        check_mixed(pair, "objective", "torch")
    rough = pair._replace(call=lambda module, x, y: x @ y if x.dtype == y.dtype else (x @ y.astype(x.dtype)).round(3))
    with pytest.raises(AssertionError):
        check_mixed(rough, "objective", "numpy")


def test_an_unclear_error_is_seen():
    def refuse(x):
        raise ValueError("no")

    with pytest.raises(AssertionError, match="not a clear error"):
        outcome(wrong(refuse), "objective", "numpy", [X])
