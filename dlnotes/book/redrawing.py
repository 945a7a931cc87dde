"""What the page's own Python calls in the reader's browser to draw a figure again with the reader's numbers.

The numbers of the last drawing are kept, so that the other theme or another width costs only the drawing.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import time
import warnings
from collections.abc import Callable
from typing import Any

from dlnotes.figures import paper as papers

_last: dict[str, Any] = {}  # the figure with its arguments, written as JSON, and its numbers


def run(request: str, show: Callable[[str], None]) -> str:
    """Compute and draw one form of one figure.

    Args:
        request: JSON: `module` and `function` of the figure's numbers, `arguments` for it, `theme`, and `wide`.
        show: Not used: figures print nothing.

    Returns:
        JSON: `svg`, the drawing, or an empty string; `seconds`; `error`, in words, or an empty string; `kind` and
        `message` of the error; `line`, which is 0.
    """
    asked = json.loads(request)
    start = time.perf_counter()
    svg, error = "", None
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            svg = _drawn(asked)
        except Exception as raised:
            error = raised
    kind = "" if error is None else "MemoryError" if isinstance(error, MemoryError) else type(error).__name__
    said = {"error": "" if error is None else f"{kind}: {error}", "kind": kind, "message": str(error or ""), "line": 0}
    return json.dumps({"svg": svg, "seconds": time.perf_counter() - start, **said})


def _drawn(asked: dict[str, Any]) -> str:
    """Draw what is asked for as SVG."""
    module = importlib.import_module(f"dlnotes.figures.{asked['module']}")
    of = json.dumps([asked[name] for name in ("module", "function", "arguments")])
    if of not in _last:
        numbers = getattr(module, asked["function"])(**_arguments(asked["arguments"]))
        _last.clear()
        _last[of] = numbers
    paper = papers.Paper(theme=asked["theme"], wide=asked["wide"])
    text = io.StringIO(newline="\n")
    with paper.style():
        paper.write(getattr(module, f"draw_{asked['function']}")(_last[of], paper), text)
    return text.getvalue()


def _arguments(given: dict[str, Any]) -> dict[str, Any]:
    """Give the arguments as the function takes them: JSON has lists where the function has tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
