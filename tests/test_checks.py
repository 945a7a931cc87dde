"""The checks of arguments: what passes comes back, what does not is named, with the rule and with what was given."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import math
import re
import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlnotes import checks

HAS_TORCH = importlib.util.find_spec("torch") is not None
FLOATS = np.array([0.5, 1.0])
HALVES = FLOATS.astype(np.float16)
WHOLE = np.array([0, 2])
GRID = np.zeros((2, 3, 4))
OBJECTS = np.array([object(), object(), object()])
SYMMETRIC = np.array([[2.0, 1.0], [1.0, 3.0]])
NAN = float("nan")
OF_RUNS = "a number, or an array of the shape of the runs, {}, or of their first axes"

# name of the check, arguments after the name: each gives back its first.
PASSES = [
    ("integer", 3),
    ("integer", np.int8(3)),
    ("integer", 0, {"at_least": 0, "at_most": 0}),
    ("real", 0.5),
    ("real", 2),
    ("real", np.float32(0.5)),
    ("real", Fraction(1, 2)),
    ("real", 1, {"above": 0, "at_least": 1, "below": 2, "at_most": 1}),
    ("reals", 0.5, {"above": 0}),
    ("reals", FLOATS, {"above": 0, "at_most": 1}),
    ("reals", WHOLE, {"at_least": 0, "below": 3}),
    ("reals", np.zeros((0, 3)), {"above": 0}),
    ("reals", np.float64(0.5)),
    ("one_a_run", 0.5, (2,), {"above": 0}),
    ("one_a_run", FLOATS, (2,), {"above": 0}),
    ("one_a_run", np.array(0.5), (2,)),
    ("distinct", OBJECTS, "one object for each run"),
    ("distinct", OBJECTS[:0], "one object for each run"),
    ("leading_axes", GRID, (2, 3), {"of": "runs"}),
    ("leading_axes", GRID, (), {"of": "runs"}),
    ("first_axes_of_runs", FLOATS, (2, 3)),
    ("first_axes_of_runs", np.ones((1, 3)), (2, 3)),
    ("choice", "b", ("a", "b")),
    ("choice", "b", {"a": 1, "b": 2}),
    ("instance", "text", str, "a name"),
    ("instance", 3, (str, int), "a name or a number"),
    ("floating", FLOATS),
    ("floating", np.zeros((0, 3), np.float16)),
    ("floating", np.float32(1.0)),
    ("integers", WHOLE),
    ("integers", np.uint8([1])),
    ("booleans", WHOLE > 0),
    ("rank", GRID, {"at_least": 3}),
    ("rank", np.array(1.0)),
    ("rank", GRID, {"exactly": 3}),
    ("last_axes", GRID, 4, {"of": "x has"}),
    ("last_axes", GRID, 2, 3, 4, {"of": "x has"}),
    ("last_axes", GRID, {"of": "x has"}),
    ("shape", (3, 0)),
    ("shape", ()),
    ("shape", (np.int64(3), 4), {"axes_at_least": 2, "at_least": 3}),
    ("multiple", 6, 3),
    ("multiple", 0, 3),
    ("axis", GRID, -1, {"at_least": 4, "described": "classes"}),
    ("axis", GRID, -3, {"at_least": 0, "described": "rows"}),
    ("shaped", GRID, (2, 3, 4), {"of": "x has"}),
    ("finite", FLOATS),
    ("finite", np.zeros((0, 3))),
    ("single_or_double", FLOATS),
    ("single_or_double", FLOATS.astype(np.float32)),
    ("not_falling", (0, 2, 2, 7), 4),
    ("at_least_single", FLOATS),
    ("at_least_single", np.zeros((0, 3), np.float32)),
    ("shared", GRID, GRID.shape, {"axes": 1, "of": "x has"}),
    ("shared", FLOATS, (5, 2), {"axes": 1, "of": "x has"}),
    ("broadcasts", FLOATS, (5, 2), {"of": "x has"}),
    ("broadcasts", np.zeros((1, 3, 1)), (2, 3, 4), {"of": "x has"}),
    ("broadcasts", 0.5, (2,), {"of": "x has"}),
    ("same_shape", GRID, "other", np.ones((2, 3, 4))),
    ("same_dtype", GRID, "other", FLOATS),
    ("same_names", {"a": 1, "b": 2}, "other", {"b": 3, "a": 4}),
    ("same_arrays", {"a": FLOATS}, "other", {"a": FLOATS + 1}),
    ("square", SYMMETRIC),
    ("square", np.ones((1, 1))),
    ("square", np.ones((4, 3, 2, 2))),
    ("square", np.ones((5, 2, 2))),
    ("symmetric", SYMMETRIC),
    ("symmetric", SYMMETRIC + 1e-9 * np.triu(np.ones((2, 2)), 1)),
    ("not_zero", FLOATS),
    ("not_zero", np.array([[0.0, 1.0], [2.0, 0.0]])),
    ("labels", WHOLE, 3),
    ("labels", np.zeros((0,), dtype=int), 3),
]

# name of the check, arguments, the error, the rule, what was given
REFUSALS = [
    ("integer", 3.0, TypeError, "an integer", "3.0"),
    ("integer", True, TypeError, "an integer", "True"),
    ("integer", "3", TypeError, "an integer", "'3'"),
    ("integer", WHOLE, TypeError, "an integer", "array([0, 2])"),
    ("integer", 0, {"at_least": 1}, ValueError, "an integer at least 1", "0"),
    ("integer", 9, {"at_least": 1, "at_most": 8}, ValueError, "an integer at least 1 and at most 8", "9"),
    ("real", "1", TypeError, "a finite number", "'1'"),
    ("real", True, TypeError, "a finite number", "True"),
    ("real", None, TypeError, "a finite number", "None"),
    ("real", 1j, TypeError, "a finite number", "1j"),
    ("real", FLOATS, TypeError, "a finite number", "array([0.5, 1. ])"),
    ("real", math.inf, ValueError, "a finite number", "inf"),
    ("real", NAN, ValueError, "a finite number", "nan"),
    ("real", 0, {"above": 0}, ValueError, "a finite number above 0", "0.0"),
    ("real", 1.0, {"at_least": 0, "below": 1}, ValueError, "a finite number at least 0 and below 1", "1.0"),
    ("real", 1.5, {"at_most": 1}, ValueError, "a finite number at most 1", "1.5"),
    ("real", -1, {"at_least": 0}, ValueError, "a finite number at least 0", "-1.0"),
    ("reals", -1.0, {"at_least": 0}, ValueError, "a finite number at least 0", "-1.0"),
    ("reals", FLOATS, {"below": 1}, ValueError, "finite numbers below 1", "values from 0.5 to 1.0"),
    ("reals", FLOATS, {"above": 0.5}, ValueError, "finite numbers above 0.5", "values from 0.5 to 1.0"),
    ("reals", np.array([1.0, NAN]), ValueError, "finite numbers", "values from nan to nan"),
    ("reals", np.array([1.0, math.inf]), ValueError, "finite numbers", "values from 1.0 to inf"),
    ("reals", WHOLE > 0, TypeError, "finite numbers", "dtype bool"),
    ("reals", [0.5], TypeError, "a finite number", "[0.5]"),
    ("one_a_run", -0.5, (2,), {"above": 0}, ValueError, "a finite number above 0", "-0.5"),
    ("one_a_run", FLOATS, (3,), ValueError, "a number or an array of the shape of the runs, (3,)", "shape (2,)"),
    ("one_a_run", FLOATS, (), ValueError, "a number or an array of the shape of the runs, ()", "shape (2,)"),
    ("one_a_run", -FLOATS, (2,), {"at_least": 0}, ValueError, "finite numbers at least 0", "values from -1.0 to -0.5"),
    (
        "leading_axes",
        GRID,
        (2, 4),
        {"of": "runs"},
        ValueError,
        "an array whose first axes are (2, 4), as runs",
        "shape (2, 3, 4)",
    ),
    (
        "leading_axes",
        FLOATS,
        (2, 3),
        {"of": "runs"},
        ValueError,
        "an array whose first axes are (2, 3), as runs",
        "shape (2,)",
    ),
    ("first_axes_of_runs", GRID, (2, 3), ValueError, OF_RUNS.format((2, 3)), "shape (2, 3, 4)"),
    ("first_axes_of_runs", FLOATS, (3, 2), ValueError, OF_RUNS.format((3, 2)), "shape (2,)"),
    ("choice", "c", ("a", "b"), ValueError, "one of 'a', 'b'", "'c'"),
    ("choice", 3, ("a", "b"), ValueError, "one of 'a', 'b'", "3"),
    ("instance", 3, str, "a name", TypeError, "a name", "a int"),
    ("floating", WHOLE, TypeError, "an array of floating-point numbers", f"dtype {WHOLE.dtype}"),
    ("floating", WHOLE > 0, TypeError, "an array of floating-point numbers", "dtype bool"),
    ("floating", np.array([1j]), TypeError, "an array of floating-point numbers", "dtype complex128"),
    ("floating", np.array(["a"]), TypeError, "an array of floating-point numbers", "dtype <U1"),
    ("floating", [1.0], TypeError, "an array of floating-point numbers", "a list"),
    ("floating", 1.0, TypeError, "an array of floating-point numbers", "a float"),
    ("integers", FLOATS, TypeError, "an array of integers", "dtype float64"),
    ("integers", WHOLE > 0, TypeError, "an array of integers", "dtype bool"),
    ("integers", [0], TypeError, "an array of integers", "a list"),
    ("booleans", WHOLE, TypeError, "an array of booleans", f"dtype {WHOLE.dtype}"),
    ("booleans", True, TypeError, "an array of booleans", "a bool"),
    ("rank", GRID, {"exactly": 2}, ValueError, "an array of 2 axes", "shape (2, 3, 4)"),
    ("rank", FLOATS, {"at_least": 2}, ValueError, "an array of at least 2 axes", "shape (2,)"),
    (
        "last_axes",
        GRID,
        5,
        {"of": "x has"},
        ValueError,
        "an array whose last axes are (5,), as x has",
        "shape (2, 3, 4)",
    ),
    ("last_axes", FLOATS, 2, 2, {"of": "x"}, ValueError, "an array whose last axes are (2, 2), as x", "shape (2,)"),
    ("shape", 3, TypeError, "a tuple of integers, each at least 0", "3"),
    ("shape", (3.0,), TypeError, "a tuple of integers, each at least 0", "(3.0,)"),
    ("shape", (True,), TypeError, "a tuple of integers, each at least 0", "(True,)"),
    ("shape", "ab", TypeError, "a tuple of integers, each at least 0", "'ab'"),
    ("shape", (3, -1), ValueError, "a tuple of integers, each at least 0", "(3, -1)"),
    (
        "shape",
        (3,),
        {"axes_at_least": 2, "at_least": 1},
        ValueError,
        "a tuple of at least 2 integers, each at least 1",
        "(3,)",
    ),
    ("multiple", 7, 3, ValueError, "a multiple of 3", "7"),
    (
        "axis",
        GRID,
        -1,
        {"at_least": 5, "described": "classes"},
        ValueError,
        "an array of at least 5 classes (axis -1)",
        "shape (2, 3, 4)",
    ),
    (
        "axis",
        FLOATS,
        -2,
        {"at_least": 0, "described": "rows"},
        ValueError,
        "an array of at least 0 rows (axis -2)",
        "shape (2,)",
    ),
    (
        "axis",
        FLOATS,
        1,
        {"at_least": 0, "described": "rows"},
        ValueError,
        "an array of at least 0 rows (axis 1)",
        "shape (2,)",
    ),
    ("shaped", FLOATS, (2, 1), {"of": "x has"}, ValueError, "an array of shape (2, 1), as x has", "shape (2,)"),
    (
        "broadcasts",
        FLOATS,
        (2, 3),
        {"of": "x has"},
        ValueError,
        "an array that broadcasts to (2, 3), as x has",
        "shape (2,)",
    ),
    (
        "broadcasts",
        np.ones((1, 2)),
        (2,),
        {"of": "x has"},
        ValueError,
        "an array that broadcasts to (2,), as x has",
        "shape (1, 2)",
    ),
    ("finite", np.array([1.0, np.nan]), ValueError, "an array of finite numbers", "values from nan to nan"),
    ("finite", np.array([1.0, -np.inf]), ValueError, "an array of finite numbers", "values from -inf to 1.0"),
    (
        "single_or_double",
        HALVES,
        TypeError,
        "an array of float32 or float64",
        "dtype float16",
    ),
    ("not_falling", (0, 2, 1), 3, ValueError, "an integer at least 2", "1"),
    (
        "at_least_single",
        HALVES,
        TypeError,
        "an array of floating-point numbers of at least 32 bits",
        "dtype float16",
    ),
    (
        "shared",
        np.ones((1, 3)),
        (2, 3),
        {"axes": 1, "of": "x has"},
        ValueError,
        "an array of shape (2, 3), or of its last axes from (3,) on, as x has",
        "shape (1, 3)",
    ),
    ("distinct", OBJECTS[[0, 1, 0]], "one object for each run", ValueError, "one object for each run", "2 in 3 places"),
    ("same_shape", FLOATS, "other", GRID, ValueError, "of the shape of other, (2, 3, 4)", "shape (2,)"),
    (
        "same_dtype",
        FLOATS.astype(np.float32),
        "other",
        GRID,
        TypeError,
        "of the dtype of other, float64",
        "dtype float32",
    ),
    ("same_names", {"a": 1}, "other", {"b": 1}, ValueError, "of the names of other, ['b']", "names ['a']"),
    ("same_names", [1], "other", {"b": 1}, TypeError, "a mapping from names to arrays", "a list"),
    ("same_arrays", {"a": FLOATS}, "other", {"b": FLOATS}, ValueError, "of the names of other, ['b']", "names ['a']"),
    ("square", np.ones((2, 3)), ValueError, "a square matrix of at least one row", "shape (2, 3)"),
    ("square", np.ones((0, 0)), ValueError, "a square matrix of at least one row", "shape (0, 0)"),
    ("square", FLOATS, ValueError, "an array of at least 2 axes", "shape (2,)"),
    ("square", np.ones((2, 2), dtype=int), TypeError, "an array of floating-point numbers", f"dtype {WHOLE.dtype}"),
    (
        "symmetric",
        np.array([[1.0, 2.0], [3.0, 1.0]]),
        ValueError,
        "a symmetric matrix of finite numbers",
        "a difference of 1 to its transpose",
    ),
    (
        "symmetric",
        np.full((2, 2), NAN),
        ValueError,
        "a symmetric matrix of finite numbers",
        "a difference of nan to its transpose",
    ),
    ("not_zero", np.zeros(3), ValueError, "a vector that is not 0", "a vector of zeros"),
    ("not_zero", np.array([[1.0], [0.0]]), ValueError, "a vector that is not 0", "a vector of zeros"),
    ("labels", WHOLE, 2, ValueError, "integers from 0 to 1", "values from 0 to 2"),
    ("labels", WHOLE - 1, 3, ValueError, "integers from 0 to 2", "values from -1 to 1"),
    ("labels", FLOATS, 3, TypeError, "an array of integers", "dtype float64"),
]


def as_torch(value):
    """Turn NumPy arrays among the arguments into tensors."""
    import torch

    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        return torch.tensor(value)
    return value


def split(arguments):
    *positional, last = arguments
    keywords = last if isinstance(last, dict) and all(key in KEYWORDS for key in last) else {}
    return (positional, keywords) if keywords else ([*positional, last], {})


KEYWORDS = {
    name
    for _, check in inspect.getmembers(checks, inspect.isfunction)
    for name, parameter in inspect.signature(check).parameters.items()
    if parameter.kind is inspect.Parameter.KEYWORD_ONLY
}
BACKENDS = [lambda value: value] + ([as_torch] if HAS_TORCH else [])
PUBLIC = {name for name, _ in inspect.getmembers(checks, inspect.isfunction) if not name.startswith("_")} - {
    # These give back something else than the argument; they have tests of their own.
    "before",
    "behind",
    "layers",
    "without_graph",
}


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_check_has_cases(name):
    assert any(case[0] == name for case in PASSES)
    assert any(case[0] == name for case in REFUSALS)


@pytest.mark.parametrize("convert", BACKENDS, ids=["numpy", "torch"][: len(BACKENDS)])
@pytest.mark.parametrize("case", PASSES, ids=lambda case: case[0])
def test_what_passes_comes_back(case, convert):
    positional, keywords = split(case[1:])
    positional = [convert(value) for value in positional]
    given = positional[0]
    result = getattr(checks, case[0])("argument", *positional, **keywords)
    if case[0] in ("integer", "real", "shape"):
        assert result == given
        assert type(result) is {"integer": int, "real": float, "shape": tuple}[case[0]]
        assert case[0] != "shape" or all(type(size) is int for size in result)
    else:
        assert result is given or result == given


@pytest.mark.parametrize("convert", BACKENDS, ids=["numpy", "torch"][: len(BACKENDS)])
@pytest.mark.parametrize("case", REFUSALS, ids=lambda case: f"{case[0]}-{case[-2]}")
def test_what_does_not_is_named(case, convert):
    name, *arguments, error, rule, said = case
    positional, keywords = split(arguments)
    with pytest.raises(error) as raised:
        getattr(checks, name)("argument", *(convert(value) for value in positional), **keywords)
    assert type(raised.value) is error
    message = str(raised.value)
    assert message.startswith(f"argument must be {rule}, got ")
    if convert is as_torch:  # a tensor's repr and the names of its dtypes are torch's own
        message = re.sub(r"tensor\(\[([^]]*)\](, dtype=[\w.]+)?\)", r"array([\1])", message).replace("torch.", "")
        if "array(" in message:
            return
    assert message == f"argument must be {rule}, got {said}"


@pytest.mark.parametrize("convert", BACKENDS, ids=["numpy", "torch"][: len(BACKENDS)])
def test_same_arrays_names_the_array_that_differs(convert):
    wanted = {"a": convert(FLOATS), "b": convert(FLOATS)}
    with pytest.raises(
        ValueError, match=r"given\['b'\] must be of the shape of other\['b'\], \(2,\), got shape \(2, 3, 4\)"
    ):
        checks.same_arrays("given", wanted | {"b": convert(GRID)}, "other", wanted)
    with pytest.raises(
        TypeError, match=r"given\['a'\] must be of the dtype of other\['a'\], float64, got dtype .*int64"
    ):
        checks.same_arrays("given", wanted | {"a": convert(WHOLE)}, "other", wanted)


def test_before_checks_first_and_keeps_the_function_behind_the_check():
    seen = []

    @checks.before(lambda a, b=2: checks.integer("a", a, at_least=b))
    def double(a: int, b: int = 2) -> int:
        """Give twice a."""
        seen.append(a)
        return 2 * a

    assert double(3) == double(a=3, b=3) == 6
    with pytest.raises(ValueError, match="a must be an integer at least 2, got 1"):
        double(1)
    assert seen == [3, 3]
    assert double.unchecked(1) == 2
    assert (double.__name__, double.__doc__, str(inspect.signature(double))) == (
        "double",
        "Give twice a.",
        "(a: 'int', b: 'int' = 2) -> 'int'",
    )


def test_a_wrong_keyword_names_the_function_and_not_its_check():
    def private(a, b=2):
        checks.integer("a", a, at_least=b)

    @checks.before(private)
    def public(a, b=2):
        return a

    for call, words in (
        (lambda: public(1, c=3), r"public\(\) got an unexpected keyword argument 'c'"),
        (lambda: public(), r"public\(\) missing 1 required positional argument: 'a'"),
        (lambda: public(1, 2, 3), r"public\(\) takes from 1 to 2 positional arguments but 3 were given"),
        (lambda: public(a="x"), "a must be an integer at least 2, got 'x'"),
    ):
        with pytest.raises(TypeError, match=words):
            call()
    assert checks.behind(public) is public.unchecked
    assert checks.behind(len) is len


def test_every_check_has_the_parameters_of_its_function():
    found = 0
    for path in sorted((Path(checks.__file__).parent / "numpy").glob("[!_]*.py")):
        module = importlib.import_module(f"dlnotes.numpy.{path.stem}")
        for name, value in vars(module).items():
            if isinstance(value, checks.Checked):
                check, function = (inspect.signature(each).parameters for each in (value.check, value.unchecked))
                own, wanted = ([(p.name, p.kind, p.default) for p in each.values()] for each in (check, function))
                assert own[: len(wanted)] == wanted, name
                assert all(p.default is not p.empty for p in list(check.values())[len(wanted) :]), name
                found += 1
    assert found >= 3


def test_axes_of_runs():
    array = np.ones((2, 3, 4))
    assert checks.leading_axes("argument", array, (2, 3), of="runs") is array
    assert checks.leading_axes("argument", array, (), of="runs") is array
    with pytest.raises(
        ValueError, match=r"argument must be an array whose first axes are \(2, 4\), as runs, got shape \("
    ):
        checks.leading_axes("argument", array, (2, 4), of="runs")
    with pytest.raises(ValueError, match="argument must be an array whose first axes are"):
        checks.leading_axes("argument", array[0, 0], (4, 3), of="runs")
    for shape in ((), (2,), (2, 3), (1, 3), (2, 1)):
        assert checks.first_axes_of_runs("argument", np.ones(shape), (2, 3)).shape == shape
    for shape in ((3,), (2, 2), (2, 3, 1)):
        with pytest.raises(
            ValueError, match=r"argument must be a number, or an array of the shape of the runs, \(2, 3\)"
        ):
            checks.first_axes_of_runs("argument", np.ones(shape), (2, 3))


@pytest.mark.parametrize("kind", ["f2", "f4", "f8"])
def test_the_order_of_bytes_is_no_matter_of_kind(kind):
    for order in "<>":
        array = np.ones(3, f"{order}{kind}")
        assert checks.floating("argument", array) is array
    assert checks.integers("argument", np.ones(3, ">i4")).dtype == ">i4"


def test_same_names_names_the_argument_that_is_no_mapping():
    with pytest.raises(TypeError, match=r"^other must be a mapping from names to arrays, got a list$"):
        checks.same_names("argument", {}, "other", [])


@given(st.floats(), st.floats(), st.floats())
def test_an_interval_is_what_it_says(value, low, high):
    inside = math.isfinite(value) and low < value <= high
    if inside:
        assert checks.real("argument", value, above=low, at_most=high) == value
        assert checks.reals("argument", np.array([value]), above=low, at_most=high) == value
    else:
        for check, given_value in ((checks.real, value), (checks.reals, np.array([value, value]))):
            with pytest.raises(ValueError, match="argument must be"):
                check("argument", given_value, above=low, at_most=high)


@given(st.lists(st.integers(0, 3), max_size=4), st.lists(st.integers(0, 3), max_size=4))
def test_broadcasts_agrees_with_numpy(given_shape, expected):
    array, expected = np.zeros(given_shape), tuple(expected)
    try:
        np.broadcast_to(array, expected)
    except ValueError:
        with pytest.raises(ValueError, match="that broadcasts to"):
            checks.broadcasts("argument", array, expected, of="x has")
    else:
        assert checks.broadcasts("argument", array, expected, of="x has") is array


@pytest.mark.parametrize(("dtype", "digits"), [(np.float64, 26), (np.float32, 11)])
@pytest.mark.parametrize("largest", [1.0, 1000.0])
def test_half_of_the_digits_may_be_asymmetric(dtype, digits, largest):
    def off_by(gap):
        return np.array([[largest, gap], [0, 0]], dtype)

    allowed = largest * 2.0**-digits
    assert checks.symmetric("argument", off_by(allowed)).dtype == dtype
    for matrix in (off_by(1.001 * allowed), np.full((1, 1), np.nan, dtype), np.stack([off_by(2 * allowed)])):
        with pytest.raises(ValueError, match="argument must be a symmetric matrix"):
            checks.symmetric("argument", matrix)


def test_tensors_that_autograd_watches_pass_in_silence():
    torch = pytest.importorskip("torch")
    watched = torch.tensor([[2.0, 1.0], [1.0, 3.0]], requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert checks.reals("argument", watched, above=0) is watched
        assert checks.symmetric("argument", watched) is watched
        assert checks.not_zero("argument", watched) is watched


def test_values_on_an_accelerator_are_not_read():
    class OnAccelerator:
        """An array whose values cannot be asked for."""

        dtype, shape, ndim, is_cuda = "torch.float32", (2,), 1, True

        def __getattr__(self, name):
            raise AssertionError(f"{name} was read")

    array = OnAccelerator()
    assert checks.reals("argument", array, above=0) is array
    assert checks.one_a_run("argument", array, (2,), above=0) is array
    assert checks.not_zero("argument", array) is array
    OnAccelerator.dtype = "torch.int64"
    assert checks.labels("argument", array, 3) is array
    OnAccelerator.dtype, OnAccelerator.shape, OnAccelerator.ndim = "torch.bfloat16", (2, 2), 2
    assert checks.symmetric("argument", array) is array


def test_neither_backend_is_imported():
    tree = ast.parse(Path(checks.__file__).read_text())
    imported = {
        alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    } | {node.module.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported.isdisjoint({"numpy", "torch", "dlnotes", "jaxtyping"})
