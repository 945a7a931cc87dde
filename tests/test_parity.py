"""Every torch variant against its NumPy reference: names, parameters, defaults and results.

Cases are declared in `tests/parity/<stem>.py`:

    CASES = {"relu": [case, (case, 1e-9)], ...}

    def case(backend, array):
        return (array(x), 0.1), {"keyword": 1}

`backend` is the module, `dlnotes.numpy.<stem>` or `dlnotes.torch.<stem>`; `array` turns a NumPy array into the
backend's own (read-only for NumPy; for torch the harness looks afterwards that it was left alone). A case returns
`(args, kwargs)`, or `(args, kwargs, use)`, and then `use(result, array)` is what is compared; that is how a class is
tested. All leaves of the results are compared, dtype and shape too, to a relative 1e-12 of the largest entry unless the
case brings its own tolerance.

A function that takes a `generator` draws from its library's own stream, so it needs no case: its deterministic core has
one.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

ROOT = Path(__file__).resolve().parent.parent
RTOL = 1e-12

# Keyword-only parameters that one backend has and the other has not, with the reason.
TORCH_ONLY = {
    "device": "where the result lives; NumPy has the host alone",
}
NUMPY_ONLY = {
    "runs": "a numpy Generator spawns a child for each run; a torch Generator cannot",
    "save_to": "the NumPy loop writes its own files; what the torch loop gives goes through torch.save",
    "save_every": "as save_to",
}
# Public functions and classes of dlnotes.torch that have no reference, as "stem.name", with the reason.
TORCH_ONLY_NAMES: dict[str, str] = {
    "conditioning.module_hessian_vector_product": "NumPy has no modules and no autograd",
    **dict.fromkeys(
        (
            f"module_curvature.{name}"
            for name in ("Spectrum", "Sharpness", "variables", "hessian_product", "spectrum", "sharpness")
        ),
        "as module_hessian_vector_product",
    ),
    "module_checklist.ModuleScript": "NumPy has no modules; `checklist.Plain` is for its functions",
    "module_checklist.cross_entropy_backward": "NumPy has no autograd",
    **dict.fromkeys(
        (
            f"data_parallel.{name}"
            for name in ("Standing", "process", "group", "shard", "loss_and_backward", "train", "load", "main")
        ),
        "NumPy has no modules and no processes",
    ),
    "module_initialization.Start": "as initialize_module",
    "module_initialization.initialize_module": "NumPy has no modules",
    "vanishing_exploding.diagnose_module": "NumPy has no modules; `diagnose_network` is for its networks",
}

STEMS = sorted(path.stem for path in (ROOT / "dlnotes" / "torch").glob("[!_]*.py"))


def public(module: ModuleType) -> dict[str, Any]:
    """Name the functions and classes that a module defines for others."""
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_") and callable(value) and getattr(value, "__module__", None) == module.__name__
    }


def is_record(value: Any) -> bool:
    """Say whether it is a NamedTuple, which holds results and computes nothing."""
    return inspect.isclass(value) and issubclass(value, tuple) and hasattr(value, "_fields")


def is_interface(value: Any) -> bool:
    return inspect.isclass(value) and getattr(value, "_is_protocol", False)


def parameters(value: Any) -> list[inspect.Parameter]:
    return list(inspect.signature(value).parameters.values())


def draws(value: Any) -> bool:
    """Say whether the function takes a `generator`."""
    return any(parameter.name == "generator" for parameter in parameters(value))


def neutral(default: Any) -> Any:
    """Write a default so that np.float64 and torch.float64 are the same."""
    if isinstance(default, torch.dtype):
        return f"dtype {str(default).removeprefix('torch.')}"
    if inspect.isclass(default) and issubclass(default, np.generic):
        return f"dtype {np.dtype(default).name}"
    return repr(default)


def signature_breaches(reference: Any, variant: Any) -> list[str]:
    """Say where the variant's parameters differ from the reference's beyond the two tables."""
    ours = {p.name: p for p in parameters(reference)}
    theirs = {p.name: p for p in parameters(variant)}
    keyword = inspect.Parameter.KEYWORD_ONLY
    breaches = [
        f"only one backend has the parameter {name}"
        for name in ours.keys() ^ theirs.keys()
        if name not in (NUMPY_ONLY if name in ours else TORCH_ONLY)
    ]
    breaches += [
        f"{name} is in one backend alone, so it must be keyword-only"
        for name in ours.keys() ^ theirs.keys()
        if (ours.get(name) or theirs.get(name)).kind is not keyword
    ]
    shared = [name for name in ours if name in theirs]
    if [name for name in theirs if name in ours] != shared:
        breaches.append(f"the order differs: {shared} and {[name for name in theirs if name in ours]}")
    for name in shared:
        if ours[name].kind is not theirs[name].kind:
            breaches.append(f"{name} is {ours[name].kind.description} and {theirs[name].kind.description}")
        if neutral(ours[name].default) != neutral(theirs[name].default):
            breaches.append(f"the default of {name} is {ours[name].default!r} and {theirs[name].default!r}")
    return breaches


def modules(stem: str) -> tuple[ModuleType, ModuleType]:
    """Import both modules of a stem; one of torch alone has an empty reference, so that all its names need a reason."""
    has_reference = (ROOT / "dlnotes" / "numpy" / f"{stem}.py").is_file()
    reference = importlib.import_module(f"dlnotes.numpy.{stem}") if has_reference else ModuleType(stem)
    return reference, importlib.import_module(f"dlnotes.torch.{stem}")


def dotted(pairs: list[tuple[str, str]]) -> list:
    return [pytest.param(stem, name, id=f"{stem}.{name}") for stem, name in pairs]


def pairs() -> list[tuple[str, str]]:
    """Every name that both modules of a stem define."""
    found = []
    for stem in STEMS:
        reference, variant = modules(stem)
        found += [(stem, name) for name in public(variant) if name in public(reference)]
    return found


def declared(stem: str) -> dict[str, list]:
    """Give the declared cases; none where the file is missing, which fails the test of every pair of the stem."""
    if not (ROOT / "tests" / "parity" / f"{stem}.py").exists():
        return {}
    return importlib.import_module(f"tests.parity.{stem}").CASES


def needs_cases(stem: str, name: str) -> bool:
    reference = getattr(modules(stem)[0], name)
    return not (is_record(reference) or is_interface(reference) or draws(reference))


def leaves(value: Any, path: str = "result") -> dict[str, Any]:
    """Flatten a result into arrays and plain values, each under its path."""
    if isinstance(value, torch.Tensor):
        return {path: value.detach().cpu().numpy()}
    if isinstance(value, dict):
        return {k: v for key in value for k, v in leaves(value[key], f"{path}[{key!r}]").items()}
    if hasattr(value, "_fields"):
        inner = [(f"{path}.{name}", getattr(value, name)) for name in value._fields]
    elif dataclasses.is_dataclass(value):
        inner = [(f"{path}.{field.name}", getattr(value, field.name)) for field in dataclasses.fields(value)]
    elif isinstance(value, tuple | list):
        inner = [(f"{path}[{i}]", item) for i, item in enumerate(value)]
    else:
        return {path: value}
    return {k: v for place, item in inner for k, v in leaves(item, place).items()}


def assert_same(expected: Any, given: Any, rtol: float) -> None:
    """Compare two results leaf by leaf."""
    ours, theirs = leaves(expected), leaves(given)
    assert list(ours) == list(theirs)
    for path, value in ours.items():
        other = theirs[path]
        if value is None or isinstance(value, str | bool):
            assert value == other, path
            continue
        value, other = np.asarray(value), np.asarray(other)
        assert value.dtype == other.dtype, f"{path}: {value.dtype} and {other.dtype}"
        assert value.shape == other.shape, f"{path}: {value.shape} and {other.shape}"
        finite = np.abs(value[np.isfinite(value)]) if value.dtype.kind in "fc" else np.zeros(0)
        scale = rtol * float(finite.max(initial=0.0))
        np.testing.assert_allclose(other, value, rtol=rtol, atol=scale, err_msg=path)


def numpy_array(value: Any) -> np.ndarray:
    array = np.array(value)
    array.flags.writeable = False
    return array


class Tensors:
    """Turns arrays into tensors and remembers them, to see afterwards that nobody wrote into them."""

    def __init__(self, device: str):
        self.device = device
        self.made: list[tuple[Any, Any]] = []

    def __call__(self, value: Any) -> Any:
        tensor = torch.tensor(np.asarray(value), device=self.device)
        self.made.append((tensor, tensor.clone()))
        return tensor

    def assert_unchanged(self) -> None:
        for tensor, before in self.made:
            assert torch.equal(tensor.nan_to_num(), before.nan_to_num()), "the torch variant changed its input"


def call(module: ModuleType, name: str, case: Any, array: Any) -> Any:
    args, kwargs, *use = case(module, array)
    result = getattr(module, name)(*args, **kwargs)
    return use[0](result, array) if use else result


def cases() -> list:
    found = []
    for stem, name in pairs():
        for number, entry in enumerate(declared(stem).get(name, [])):
            case, rtol = entry if isinstance(entry, tuple) else (entry, RTOL)
            found.append(pytest.param(stem, name, case, rtol, id=f"{stem}.{name}-{number}"))
    return found


@pytest.mark.parametrize(("stem", "name"), dotted(pairs()))
def test_signatures_agree(stem, name):
    reference, variant = (getattr(module, name) for module in modules(stem))
    assert signature_breaches(reference, variant) == []


@pytest.mark.parametrize(("stem", "name"), dotted([pair for pair in pairs() if needs_cases(*pair)]))
def test_every_pair_has_cases(stem, name):
    assert declared(stem).get(name), f"add cases for {name} to tests/parity/{stem}.py"


@pytest.mark.parametrize("stem", STEMS)
def test_every_case_belongs_to_a_pair(stem):
    assert declared(stem).keys() <= {name for there, name in pairs() if there == stem}


@pytest.mark.parametrize("stem", STEMS)
def test_what_has_no_reference_stands_in_the_table(stem):
    reference, variant = modules(stem)
    alone = {f"{stem}.{name}" for name in public(variant).keys() - public(reference).keys()}
    assert alone == {name for name in TORCH_ONLY_NAMES if name.startswith(f"{stem}.")}


def test_tables_hold_nothing_unused():
    ours, theirs = set(), set()
    for stem, name in pairs():
        reference, variant = (getattr(module, name) for module in modules(stem))
        ours |= {parameter.name for parameter in parameters(reference)}
        theirs |= {parameter.name for parameter in parameters(variant)}
    assert {name for name in TORCH_ONLY if name not in theirs} == set()
    assert {name for name in NUMPY_ONLY if name not in ours} == set()
    assert {name for name in TORCH_ONLY_NAMES if name.split(".")[0] not in STEMS} == set()


def compare(stem: str, name: str, case: Any, rtol: float, device: str) -> None:
    reference, variant = modules(stem)
    tensors = Tensors(device)
    assert_same(call(reference, name, case, numpy_array), call(variant, name, case, tensors), rtol)
    tensors.assert_unchanged()


@pytest.mark.parametrize(("stem", "name", "case", "rtol"), cases())
def test_same_result(stem, name, case, rtol):
    compare(stem, name, case, rtol, "cpu")


@pytest.mark.cuda
def test_same_results_on_a_device():
    for parameters in cases():
        compare(*parameters.values, "cuda")


# What follows shows that the harness itself can fail.


def test_other_values_dtypes_shapes_and_leaves_are_seen():
    value = np.array([1.0, 0.0, np.nan])
    assert_same({"a": (value, None)}, {"a": (torch.tensor(value), None)}, RTOL)
    assert_same(value, value + 1e-13, RTOL)
    different = (
        value + np.array([1e-11, 0, 0]),
        value.astype(np.float32),
        value[:, None],
        [value],
        None,
        np.array([1.0, 0, 2.0]),
    )
    for other in different:
        with pytest.raises(AssertionError):
            assert_same(value, other, RTOL)


def test_another_signature_is_seen():
    def reference(x, slope=0.1, *, dtype=np.float64, runs=()): ...

    def same(x, slope=0.1, *, dtype=torch.float64, device=None): ...

    def other_default(x, slope=0.2, *, dtype=torch.float64): ...

    def other_dtype(x, slope=0.1, *, dtype=torch.float32): ...

    def other_order(slope=0.1, x=None, *, dtype=torch.float64): ...

    def other_name(x, negative_slope=0.1, *, dtype=torch.float64): ...

    def leading(x, device, slope=0.1, *, dtype=torch.float64): ...

    assert signature_breaches(reference, same) == []
    for variant in (other_default, other_dtype, other_order, other_name, leading):
        assert signature_breaches(reference, variant), variant.__name__


def test_a_change_of_the_input_is_seen():
    tensors = Tensors("cpu")
    tensors(np.ones(3)).mul_(2)
    with pytest.raises(AssertionError, match="changed its input"):
        tensors.assert_unchanged()
    assert math.isclose(float(Tensors("cpu")(np.ones(3)).sum()), 3)
    with pytest.raises(ValueError, match="read-only"):
        numpy_array(np.ones(3))[0] = 2
