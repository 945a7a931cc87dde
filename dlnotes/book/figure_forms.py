"""Which figures a reader may draw again in the page, and the form that asks for the numbers, as data for the page."""

from __future__ import annotations

import ast
import inspect
import json
from pathlib import Path
from typing import Any

from dlnotes.book import drawing
from dlnotes.book import layout as layouts
from dlnotes.figures import changes


def can_change(path: Path, figure: drawing.Figure) -> bool:
    """Say whether the numbers of a figure, whose code stands in `path`, have an argument."""
    functions = [node for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.FunctionDef)]
    return any(node.name == figure.function and ast.unparse(node.args) for node in functions)


def parameters(layout: layouts.Layout, figure: drawing.Figure) -> dict[str, Any]:
    """Give the arguments of a figure's numbers and their defaults, as the book's own code states them."""
    function = getattr(drawing.load(layout, figure), figure.function)
    return {name: given.default for name, given in inspect.signature(function).parameters.items()}


def form(layout: layouts.Layout, figure: drawing.Figure) -> dict[str, Any] | None:
    """Say what the form of a figure asks, and what stands in its fields first; None if nothing can be changed.

    Args:
        layout: The book.
        figure: The figure.

    Returns:
        `module` and `function` of the numbers; `smaller`, whether the form begins with less than the book's; `held`,
        the names of what stays as it is; `fields`, of each other argument `name`, `book`, `first`, and its range.

    Raises:
        ValueError: If an argument has no range.
    """
    defaults = parameters(layout, figure)
    if not defaults:
        return None
    smaller = changes.SMALLER.get(str(figure), {})
    fields = [
        {
            "name": name,
            "book": _plain(defaults[name]),
            "first": _plain(smaller.get(name, defaults[name])),
            **{key: value for key, value in allowed._asdict().items() if value is not None},
        }
        for name, allowed in changes.ranges(str(figure), tuple(defaults)).items()
    ]
    module = drawing.path_of(layout, figure).stem
    held = list(changes.HELD.get(str(figure), ()))
    return {"module": module, "function": figure.function, "smaller": bool(smaller), "held": held, "fields": fields}


def _plain(value: Any) -> Any:
    """Give a number, or a sequence of numbers, as JSON has it."""
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value.item() if hasattr(value, "item") else value


def written(layout: layouts.Layout) -> str:
    """Give the forms of all figures that can be changed, by `chapter/figure`, as the JSON that the page fetches."""
    found = {str(figure): form(layout, figure) for figure in drawing.find(layout)}
    return json.dumps({name: given for name, given in found.items() if given is not None})
