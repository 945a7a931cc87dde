"""Bad input gets an error that names the argument, in the same words from both backends.

Cases are declared in `tests/bad_input/<stem>.py`:

    CASES = [("relu", {"x": np.ones(3, dtype=int)}, TypeError, "x"), ...]

Function, keyword arguments, the exact error and the argument that its message must name. For torch, arrays become
tensors, NumPy dtypes torch dtypes, a numpy Generator a torch Generator, and a record of the NumPy module its namesake.
Where that does not do, the keyword arguments may be a function `(backend, array) -> dict`, as in the parity cases. For
a function of any number of arguments, the key "*" holds those. A method is named with its class, as "PCA.fit"; the key
"self" holds the arguments of the class where it needs any.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
HAS_TORCH = importlib.util.find_spec("torch") is not None
BACKENDS = ("numpy", "torch") if HAS_TORCH else ("numpy",)

# Modules that touch no array stand once for both backends, beside their folders.
SHARED = sorted(
    path.stem for path in (ROOT / "tests" / "bad_input").glob("[!_]*.py") if (ROOT / "dlnotes" / path.name).is_file()
)
STEMS = sorted({*SHARED, *(path.stem for path in (ROOT / "dlnotes" / "numpy").glob("[!_]*.py"))})


def module(backend: str, stem: str) -> ModuleType | None:
    if stem in SHARED:
        return importlib.import_module(f"dlnotes.{stem}") if backend == "numpy" else None
    exists = (ROOT / "dlnotes" / backend / f"{stem}.py").exists()
    return importlib.import_module(f"dlnotes.{backend}.{stem}") if exists else None


def declared(stem: str) -> list:
    """Give the declared cases; none where the file is missing, which fails the test of every function of the stem."""
    if not (ROOT / "tests" / "bad_input" / f"{stem}.py").exists():
        return []
    return importlib.import_module(f"tests.bad_input.{stem}").CASES


def to_torch(value: Any, variant: ModuleType) -> Any:
    """Turn an argument for the reference into the same argument for its variant."""
    import torch

    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        return torch.tensor(value)
    if isinstance(value, np.random.Generator):
        return torch.Generator().manual_seed(0)
    if inspect.isclass(value) and issubclass(value, np.generic):
        return getattr(torch, np.dtype(value).name, value)
    if isinstance(value, dict):
        return {key: to_torch(item, variant) for key, item in value.items()}
    if hasattr(value, "_fields"):
        return getattr(variant, type(value).__name__)(*(to_torch(item, variant) for item in value))
    if isinstance(value, tuple | list):
        return type(value)(to_torch(item, variant) for item in value)
    return value


def arguments(kwargs: Any, backend: str, where: ModuleType) -> dict[str, Any]:
    if callable(kwargs):
        if backend == "numpy":
            return kwargs(where, np.asarray)
        import torch

        return kwargs(where, torch.tensor)
    return kwargs if backend == "numpy" else to_torch(kwargs, where)


NO_KEYWORDS = {"*", "self"}


def parameters(where: ModuleType | None, name: str) -> set[str] | None:
    """Give the names that a function or a method takes; None where the module has none of that name."""
    called: Any = where
    for part in name.split("."):
        called = getattr(called, part, None)
    return None if called is None else set(inspect.signature(called).parameters)


def refusal(where: ModuleType, name: str, kwargs: dict[str, Any]) -> Exception | None:
    """Call the function or the method and give back what it raises."""
    kind, _, method = name.partition(".")
    called = getattr(where, kind)
    if method:
        called = getattr(called(**kwargs.get("self", {})), method)
    try:
        called(*kwargs.get("*", ()), **{key: value for key, value in kwargs.items() if key not in NO_KEYWORDS})
    except Exception as error:
        return error
    return None


def assert_refused(error: Exception | None, expected: type[Exception], argument: str) -> None:
    assert type(error) is expected, f"{expected.__name__} expected, got {error!r}"
    assert re.search(rf"\b{re.escape(argument)}\b", str(error)), f"the message does not name {argument}: {error}"
    assert ", got " in str(error), f"the message does not say what was given: {error}"


def rule(error: Exception | None) -> str:
    """Cut what was given from the message, and the name of the library, which may differ."""
    return re.sub(r"numpy|torch|NumPy|PyTorch", "", str(error).partition(", got ")[0])


def cases() -> list:
    found = []
    for stem in STEMS:
        for number, (name, kwargs, error, argument) in enumerate(declared(stem)):
            case = f"{stem}.{name}-{argument}-{number}"
            found.append(pytest.param(stem, name, kwargs, error, argument, id=case))
    return found


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("stem", "name", "kwargs", "error", "argument"), cases())
def test_is_refused(stem, name, kwargs, error, argument):
    reference = module("numpy", stem)
    refused = refusal(reference, name, arguments(kwargs, "numpy", reference))
    assert_refused(refused, error, argument)
    variant = module("torch", stem) if HAS_TORCH else None
    taken = parameters(variant, name)
    if taken is None:
        return
    given = arguments(kwargs, "torch", variant)
    if given.keys() - NO_KEYWORDS <= taken:
        also_refused = refusal(variant, name, given)
        assert_refused(also_refused, error, argument)
        assert rule(also_refused) == rule(refused)


def takes_arguments(value: Any, home: str) -> bool:
    """Say whether it is a public function of the module, or a dataclass, that somebody could call wrongly."""
    kind = inspect.isfunction(value) or (inspect.isclass(value) and dataclasses.is_dataclass(value))
    return kind and value.__module__ == home and bool(inspect.signature(value).parameters)


@pytest.mark.parametrize("stem", STEMS)
def test_every_public_function_has_a_case(stem):
    reference = module("numpy", stem)
    public = {name for name, value in vars(reference).items() if takes_arguments(value, reference.__name__)}
    missing = {name for name in public if not name.startswith("_")} - {name for name, *_ in declared(stem)}
    if missing:
        pytest.fail(f"add cases to tests/bad_input/{stem}.py: {', '.join(sorted(missing))}", pytrace=False)


@pytest.mark.usefixtures("unchecked")
def test_methods_are_called_on_what_the_class_makes_of_its_own_arguments():
    reference = module("numpy", "preprocessing")
    x = np.array([[1.0, 2.0], [3.0, 5.0]])
    assert refusal(reference, "Standardizer.fit", {"x": x}) is None
    assert_refused(refusal(reference, "Standardizer.fit", {"x": x[0]}), ValueError, "x")
    assert refusal(reference, "PCA.fit", {"self": {"components": 2}, "x": x}) is None
    assert_refused(refusal(reference, "PCA.fit", {"self": {"components": 3}, "x": x}), ValueError, "components")
    assert parameters(reference, "PCA.fit") == {"self", "x"}
    assert parameters(reference, "PCA.fits") is None


def test_the_harness_can_fail():
    with pytest.raises(AssertionError, match="expected, got None"):
        assert_refused(None, ValueError, "x")
    with pytest.raises(AssertionError, match="ValueError expected"):
        assert_refused(TypeError("x must be a float, got 1"), ValueError, "x")
    with pytest.raises(AssertionError, match="does not name rate"):
        assert_refused(ValueError("learning_rate must be positive, got 1"), ValueError, "rate")
    with pytest.raises(AssertionError, match="what was given"):
        assert_refused(ValueError("rate must be positive"), ValueError, "rate")
