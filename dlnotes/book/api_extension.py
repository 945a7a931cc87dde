"""What mkdocstrings is told of the modules: to each module and name that it collected, what the page shows of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import griffe

from dlnotes.book import api, layout


class Twins(griffe.Extension):
    """Attaches the reference of each module, in which both backends are one, for the templates to show."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Attach it to every module of a package; it is built when a page asks for it."""
        book = layout.Layout(Path(str(pkg.filepath)).resolve().parents[1])
        waiting = [pkg]
        while waiting:
            module = waiting.pop()
            module.extra["dlnotes"]["reference"] = api.Reference(book, module.path)
            waiting += [part for part in module.modules.values() if not part.is_alias]
