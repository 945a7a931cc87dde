"""For each claim, a break under which its evidence must fail.

`tests/sabotage/<stem>.py` holds `SABOTAGE = {claim id: Patch(...)}`, or a tuple of patches that go together. A break
makes a result wrong, not a call impossible: evidence that only fails when everything crashes shows nothing.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple


class Patch(NamedTuple):
    """While it holds, `name` of `module` is `broken`; "Adam.update" reaches into a class."""

    module: str
    name: str
    broken: Any


@contextlib.contextmanager
def applied(patches: tuple[Patch, ...]) -> Iterator[None]:
    """Put the patches in place, and take them back whatever happens."""
    with contextlib.ExitStack() as undo:
        undo.callback(_forget)
        for patch in patches:
            holder = importlib.import_module(patch.module)
            *path, name = patch.name.split(".")
            for part in path:
                holder = getattr(holder, part)
            if not hasattr(holder, name):
                raise AttributeError(f"{patch.module} has no {patch.name} to break")
            undo.callback(setattr, holder, name, vars(holder)[name])
            setattr(holder, name, patch.broken)
        _forget()
        yield


def _forget() -> None:
    """Empty the caches of the book's modules, in which a right or a broken result may live on."""
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == "dlnotes":
            for value in list(vars(module).values()):
                if callable(getattr(value, "cache_clear", None)):
                    value.cache_clear()
