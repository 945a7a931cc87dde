"""Checks of arguments, with one wording for both backends.

Every check names the argument, the rule and what was given. Nothing here imports NumPy or PyTorch: arrays are asked for
`dtype`, `shape`, `ndim`, `min` and `max`, which both have. The values of an array on an accelerator are not read,
because reading them would make the host wait for the device.
"""

from __future__ import annotations

import functools
import inspect
import math
import numbers
import operator
from collections.abc import Callable, Collection, Mapping
from typing import Any


class Checked:
    """A function behind a check of its arguments. It is made by `before`.

    Attributes:
        check: Looks at the arguments; it has the same parameters.
        unchecked: The function alone, for a loop that has checked its arguments once. See `behind`.
    """

    def __init__(self, check: Callable, function: Callable):
        functools.update_wrapper(self, function)
        self.check, self.unchecked = check, function

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Check the arguments, then call the function."""
        try:
            self.check(*arguments, **options)
        except TypeError:
            try:
                inspect.signature(self.unchecked).bind(*arguments, **options)
            except TypeError:  # one too many, or one that is missing: Python says so, with the name of the function
                return self.unchecked(*arguments, **options)
            raise
        return self.unchecked(*arguments, **options)


def before(check: Callable) -> Callable[[Callable], Checked]:
    """Run a check of the arguments before a function."""
    return functools.partial(Checked, check)


def behind(function: Callable) -> Callable:
    """Give the function that stands behind a check; one without a check is given back."""
    return function.unchecked if isinstance(function, Checked) else function


def _refuse(kind: type[Exception], name: str, rule: str, given: object) -> None:
    raise kind(f"{name} must be {rule}, got {given}")


def _interval(above: float | None, at_least: float | None, below: float | None, at_most: float | None) -> str:
    bounds = [
        f"{word} {bound}"
        for word, bound in (("above", above), ("at least", at_least), ("below", below), ("at most", at_most))
        if bound is not None
    ]
    return " and ".join(bounds)


def _inside(
    low: float, high: float, above: float | None, at_least: float | None, below: float | None, at_most: float | None
) -> bool:
    return (
        (above is None or low > above)
        and (at_least is None or low >= at_least)
        and (below is None or high < below)
        and (at_most is None or high <= at_most)
    )


def integer(name: str, value: Any, *, at_least: int | None = None, at_most: int | None = None) -> int:
    """Give `value` back as an int, or say why it is not one in the range."""
    rule = " ".join(filter(None, ("an integer", _interval(None, at_least, None, at_most))))
    if isinstance(value, bool) or getattr(value, "ndim", 0):
        _refuse(TypeError, name, rule, repr(value))
    try:
        given = operator.index(value)
    except TypeError:
        _refuse(TypeError, name, rule, repr(value))
    if not _inside(given, given, None, at_least, None, at_most):
        _refuse(ValueError, name, rule, given)
    return given


def real(
    name: str,
    value: Any,
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
) -> float:
    """Give `value` back as a finite float in the range, or say why it is not one."""
    rule = " ".join(filter(None, ("a finite number", _interval(above, at_least, below, at_most))))
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        _refuse(TypeError, name, rule, repr(value))
    given = float(value)
    if not math.isfinite(given) or not _inside(given, given, above, at_least, below, at_most):
        _refuse(ValueError, name, rule, given)
    return given


def reals(
    name: str,
    value: Any,
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
) -> Any:
    """Like `real`, for one number or an array of one number a run; `value` is given back as it came."""
    if not hasattr(value, "dtype"):
        return real(name, value, above=above, at_least=at_least, below=below, at_most=at_most)
    interval = _interval(above, at_least, below, at_most)
    rule = " ".join(filter(None, ("finite numbers", interval)))
    if _kind(value) not in ("float", "int"):
        _refuse(TypeError, name, rule, f"dtype {value.dtype}")
    if getattr(value, "is_cuda", False) or 0 in value.shape:
        return value
    held = without_graph(value)
    low, high = float(held.min()), float(held.max())
    if not (math.isfinite(low) and math.isfinite(high)) or not _inside(low, high, above, at_least, below, at_most):
        _refuse(ValueError, name, rule, f"values from {low} to {high}")
    return value


def one_a_run(
    name: str,
    value: Any,
    runs: tuple[int, ...],
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
) -> Any:
    """Like `reals`, for one number or an array of exactly the shape of the runs."""
    given, expected = tuple(getattr(value, "shape", ())), tuple(runs) if isinstance(runs, tuple) else runs
    if given and given != expected:
        _refuse(ValueError, name, f"a number or an array of the shape of the runs, {expected}", f"shape {given}")
    return reals(name, value, above=above, at_least=at_least, below=below, at_most=at_most)


def choice(name: str, value: Any, allowed: Collection[str]) -> str:
    """Give `value` back if it is one of the allowed words."""
    if value not in allowed:
        _refuse(ValueError, name, f"one of {', '.join(map(repr, allowed))}", repr(value))
    return value


def instance(name: str, value: Any, kind: type | tuple[type, ...], described: str) -> Any:
    """Give `value` back if it is of that kind."""
    if not isinstance(value, kind):
        _refuse(TypeError, name, described, f"a {type(value).__name__}")
    return value


def _kind(array: Any) -> str:
    """Say whether an array of either backend holds "float", "int", "bool" or something else, or is no array: ""."""
    try:
        return _kind_of_dtype(array.dtype) if array.ndim >= 0 else ""
    except AttributeError:
        return ""


def _of_kind(kind: str, name: str, rule: str, array: Any) -> Any:
    found = _kind(array)
    if found != kind:
        _refuse(TypeError, name, rule, f"dtype {array.dtype}" if found else f"a {type(array).__name__}")
    return array


def without_graph(array: Any) -> Any:
    """Give the values of a tensor that autograd watches, and any other array as it is."""
    return array.detach() if hasattr(array, "detach") else array


@functools.cache  # writing out a NumPy dtype takes longer than a small layer
def _kind_of_dtype(dtype: Any) -> str:
    name = getattr(dtype, "name", str(dtype).removeprefix("torch."))  # NumPy's is the same for every order of bytes
    if name in ("float16", "bfloat16", "float32", "float64"):  # longdouble has no kernels that compute in full
        return "float"
    if name.startswith(("int", "uint")):
        return "int"
    return name


def floating(name: str, array: Any) -> Any:
    """Give `array` back if it is an array of floating-point numbers."""
    return _of_kind("float", name, "an array of floating-point numbers", array)


def integers(name: str, array: Any) -> Any:
    """Give `array` back if it is an array of integers."""
    return _of_kind("int", name, "an array of integers", array)


def booleans(name: str, array: Any) -> Any:
    """Give `array` back if it is an array of True and False."""
    return _of_kind("bool", name, "an array of booleans", array)


def rank(name: str, array: Any, *, at_least: int = 0, exactly: int | None = None) -> Any:
    """Give `array` back if it has that many axes."""
    if exactly is not None and array.ndim != exactly:
        _refuse(ValueError, name, f"an array of {exactly} axes", f"shape {tuple(array.shape)}")
    if array.ndim < at_least:
        _refuse(ValueError, name, f"an array of at least {at_least} axes", f"shape {tuple(array.shape)}")
    return array


def last_axes(name: str, array: Any, *expected: int, of: str) -> Any:
    """Give `array` back if its last axes have the sizes expected; `of` says where these come from."""
    given = array.shape
    if len(given) < len(expected) or given[len(given) - len(expected) :] != expected:
        _refuse(ValueError, name, f"an array whose last axes are {expected}, as {of}", f"shape {tuple(given)}")
    return array


def shape(name: str, value: Any, *, axes_at_least: int = 0, at_least: int = 0) -> tuple[int, ...]:
    """Give `value` back as a tuple of ints if it is a shape of enough axes, each long enough."""
    enough = f"at least {axes_at_least} integers" if axes_at_least else "integers"
    rule = f"a tuple of {enough}, each at least {at_least}"
    whole = isinstance(value, tuple | list) and all(hasattr(size, "__index__") for size in value)
    if not whole or any(isinstance(size, bool) for size in value):
        _refuse(TypeError, name, rule, repr(value))
    sizes = tuple(operator.index(size) for size in value)
    if len(sizes) < axes_at_least or any(size < at_least for size in sizes):
        _refuse(ValueError, name, rule, sizes)
    return sizes


def multiple(name: str, value: int, of: int) -> int:
    """Give `value` back if it is a multiple of `of`."""
    if value % of:
        _refuse(ValueError, name, f"a multiple of {of}", value)
    return value


def axis(name: str, array: Any, axis: int, *, at_least: int, described: str) -> Any:
    """Give `array` back if the axis is there and long enough; `described` says what lies along it."""
    given = array.shape
    if not -len(given) <= axis < len(given) or given[axis] < at_least:
        _refuse(ValueError, name, f"an array of at least {at_least} {described} (axis {axis})", f"shape {tuple(given)}")
    return array


def shaped(name: str, array: Any, expected: tuple[int, ...], *, of: str) -> Any:
    """Give `array` back if it has exactly that shape; `of` says where the shape comes from."""
    if tuple(array.shape) != tuple(expected):
        _refuse(ValueError, name, f"an array of shape {tuple(expected)}, as {of}", f"shape {tuple(array.shape)}")
    return array


def distinct(name: str, array: Any, rule: str) -> Any:
    """Give an array of objects back if none of them stands in it twice."""
    shared = array.size - len({id(one) for one in array.flat})
    if shared:
        _refuse(ValueError, name, rule, f"{array.size - shared} in {array.size} places")
    return array


def leading_axes(name: str, array: Any, expected: tuple[int, ...], *, of: str) -> Any:
    """Give `array` back if its first axes have the sizes expected; `of` says where these come from."""
    given, expected = tuple(array.shape), tuple(expected)
    if given[: len(expected)] != expected:
        _refuse(ValueError, name, f"an array whose first axes are {expected}, as {of}", f"shape {given}")
    return array


def first_axes_of_runs(name: str, array: Any, runs: tuple[int, ...]) -> Any:
    """Give `array` back if its axes are the first axes of the runs, or 1 in the place of one."""
    given = tuple(array.shape)
    if len(given) > len(runs) or any(one not in (1, size) for one, size in zip(given, runs, strict=False)):
        rule = f"a number, or an array of the shape of the runs, {tuple(runs)}, or of their first axes"
        _refuse(ValueError, name, rule, f"shape {given}")
    return array


def broadcasts(name: str, array: Any, expected: tuple[int, ...], *, of: str) -> Any:
    """Give `array` (or a number) back if it broadcasts to that shape; `of` says where the shape comes from."""
    given, expected = tuple(getattr(array, "shape", ())), tuple(expected)
    tail = expected[len(expected) - len(given) :] if len(given) <= len(expected) else ()
    if given == tail:
        return array
    if len(tail) != len(given) or any(one not in (1, size) for one, size in zip(given, tail, strict=True)):
        _refuse(ValueError, name, f"an array that broadcasts to {expected}, as {of}", f"shape {given}")
    return array


def same_shape(name: str, array: Any, other_name: str, other: Any) -> Any:
    """Give `array` back if it has the other's shape."""
    if array.shape != other.shape:
        _refuse(ValueError, name, f"of the shape of {other_name}, {tuple(other.shape)}", f"shape {tuple(array.shape)}")
    return array


def same_dtype(name: str, array: Any, other_name: str, other: Any) -> Any:
    """Give `array` back if it has the other's dtype, which a matrix product of tensors asks for."""
    if array.dtype != other.dtype:
        expected, given = (str(each.dtype).removeprefix("torch.") for each in (other, array))
        _refuse(TypeError, name, f"of the dtype of {other_name}, {expected}", f"dtype {given}")
    return array


def labels(name: str, array: Any, classes: int) -> Any:
    """Give `array` back if it holds integers from 0 to classes - 1."""
    integers(name, array)
    if getattr(array, "is_cuda", False) or 0 in array.shape:
        return array
    low, high = int(array.min()), int(array.max())
    if low < 0 or high >= classes:
        _refuse(ValueError, name, f"integers from 0 to {classes - 1}", f"values from {low} to {high}")
    return array


def same_names(name: str, mapping: Any, other_name: str, other: Any) -> Any:
    """Give `mapping` back if it is a mapping with the other's names, in any order."""
    if type(mapping) is type(other) is dict and mapping.keys() == other.keys():
        return mapping
    for argument, given in ((name, mapping), (other_name, other)):
        instance(argument, given, Mapping, "a mapping from names to arrays")
    if set(mapping) != set(other):
        _refuse(ValueError, name, f"of the names of {other_name}, {sorted(other)}", f"names {sorted(mapping)}")
    return mapping


def same_arrays(name: str, mapping: Any, other_name: str, other: Any) -> Any:
    """Give `mapping` back if it holds arrays of the other's names, shapes and dtypes."""
    for key, array in same_names(name, mapping, other_name, other).items():
        same_shape(f"{name}[{key!r}]", array, f"{other_name}[{key!r}]", other[key])
        same_dtype(f"{name}[{key!r}]", array, f"{other_name}[{key!r}]", other[key])
    return mapping


def layers(name: str, keys: Collection[str], *, with_bias: bool) -> list[str]:
    """Give the names of the layers in the keys of a network's parameters, in order: "0" for "0.weight" and so on.

    `with_bias` says whether each layer must have a bias beside its weight.
    """
    rule = 'of a network whose layers are numbered, with keys such as "0.weight" and "2.weight"'
    found = [key.removesuffix(".weight") for key in keys if str(key).endswith(".weight")]
    if not found or not all(layer.isdecimal() for layer in found):
        _refuse(ValueError, name, rule, f"keys {sorted(map(str, keys))}")
    missing = [f"{layer}.bias" for layer in found if with_bias and f"{layer}.bias" not in keys]
    if missing:
        _refuse(ValueError, name, "of a network with a bias in every layer", f"none under {missing}")
    return sorted(found, key=int)


def square(name: str, matrix: Any) -> Any:
    """Give `matrix` back if it is a square matrix, or one for each run, with at least one row."""
    rank(name, floating(name, matrix), at_least=2)
    given = tuple(matrix.shape)
    if given[-1] != given[-2] or given[-1] < 1:
        _refuse(ValueError, name, "a square matrix of at least one row", f"shape {given}")
    return matrix


def symmetric(name: str, matrix: Any) -> Any:
    """Give `matrix` back if it is a square matrix, or one for each run, and symmetric up to rounding."""
    square(name, matrix)
    if getattr(matrix, "is_cuda", False) or 0 in matrix.shape:
        return matrix
    held = without_graph(matrix)
    gap, largest = float(abs(held - held.mT).max()), float(abs(held).max())
    # Half of the digits may differ: a Hessian from products in that precision has such errors, a wrong matrix larger.
    if not (math.isfinite(largest) and gap <= largest * (2**-26 if matrix.dtype.itemsize == 8 else 2**-11)):
        _refuse(ValueError, name, "a symmetric matrix of finite numbers", f"a difference of {gap:g} to its transpose")
    return matrix


def not_zero(name: str, vector: Any) -> Any:
    """Give `vector` back if it, or the vector of every run, has an entry that is not 0."""
    if not getattr(vector, "is_cuda", False) and not bool((vector != 0).any(-1).all()):
        _refuse(ValueError, name, "a vector that is not 0", "a vector of zeros")
    return vector


def at_least_single(name: str, array: Any) -> Any:
    """Give `array` back if it holds floating-point numbers of at least 32 bits."""
    if floating(name, array).dtype.itemsize < 4:
        rule = "an array of floating-point numbers of at least 32 bits"
        _refuse(TypeError, name, rule, f"dtype {str(array.dtype).removeprefix('torch.')}")
    return array


def shared(name: str, array: Any, expected: tuple[int, ...], *, axes: int, of: str) -> Any:
    """Give `array` back if it has that shape, or only the last axes of it, at least `axes`, and all runs share it."""
    given, expected = tuple(array.shape), tuple(expected)
    if len(given) < axes or given != expected[max(0, len(expected) - len(given)) :]:
        rule = f"an array of shape {expected}, or of its last axes from {expected[-axes:]} on, as {of}"
        _refuse(ValueError, name, rule, f"shape {given}")
    return array


def single_or_double(name: str, array: Any) -> Any:
    """Give `array` back if it holds numbers of 32 or 64 bits, the two that linear algebra is done in."""
    if str(floating(name, array).dtype).removeprefix("torch.") not in ("float32", "float64"):
        _refuse(TypeError, name, "an array of float32 or float64", f"dtype {array.dtype}")
    return array


def finite(name: str, array: Any) -> Any:
    """Give `array` back if all its numbers are finite."""
    if getattr(array, "is_cuda", False) or 0 in array.shape:
        return array
    held = without_graph(array)
    low, high = float(held.min()), float(held.max())  # nan in one is nan in both
    if not (math.isfinite(low) and math.isfinite(high)):
        _refuse(ValueError, name, "an array of finite numbers", f"values from {low} to {high}")
    return array


def not_falling(name: str, values: Any, count: int) -> Any:
    """Give `values` back if they are so many integers from 0 on, none below the one before."""
    integer(f"number of {name}", len(values), at_least=count, at_most=count)
    before = 0
    for value in values:
        before = integer(name, value, at_least=before)
    return values
