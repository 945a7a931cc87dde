"""Reads a YAML file that is a list of records, and knows on which line each one begins."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class RecordError(Exception):
    """A record that breaks a rule; `path`, `line` and `message` say where and how."""

    def __init__(self, path: Path, line: int, message: str) -> None:
        super().__init__(f"{path}:{line}: {message}")
        self.path, self.line, self.message = path, line, message


@dataclass(frozen=True)
class Record:
    """One record as it stands in the file."""

    fields: dict[str, Any]
    line: int


def load(
    path: Path, rules: dict[str, Callable[[Any], str | None]], key: str, optional: Collection[str] = ()
) -> Iterator[Record]:
    """Give the records of a file one by one.

    Each must have exactly the fields of `rules`, of which the optional ones may be missing; a rule says what a value
    must be when it is not, and None when it is.
    No two may share the value of the field `key`. A file that breaks a rule raises RecordError.
    """
    seen: dict[Any, int] = {}
    for fields, line in _nodes(path):
        for name in fields:
            if name not in rules:
                raise RecordError(path, line, f"unknown field {name!r}; the fields are {', '.join(rules)}")
        for name, rule in rules.items():
            if name in optional and name not in fields:
                continue
            if name not in fields:
                raise RecordError(path, line, f"the field {name!r} is missing")
            wanted = rule(fields[name])
            if wanted:
                raise RecordError(path, line, f"{name} must be {wanted}, got {fields[name]!r}")
        if fields[key] in seen:
            raise RecordError(path, line, f"{key} {fields[key]!r} stands already in line {seen[fields[key]]}")
        seen[fields[key]] = line
        yield Record(fields, line)


def _nodes(path: Path) -> Iterator[tuple[dict[str, Any], int]]:
    """Give each record as a mapping, with its line."""
    try:
        loader = _LOADER(path.read_text("utf-8"))
        root = loader.get_single_node()
    except FileNotFoundError:
        raise RecordError(path, 1, "there is no such file") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "this is not YAML"
        raise RecordError(path, mark.line + 1 if mark else 1, problem) from None
    if root is None:
        return
    if not isinstance(root, yaml.SequenceNode):
        raise RecordError(path, 1, "the file must be a list of records")
    for node in root.value:
        line = node.start_mark.line + 1
        if not isinstance(node, yaml.MappingNode):
            raise RecordError(path, line, "a record is written as `name: value` lines")
        try:
            yield loader.construct_mapping(node, deep=True), line
        except yaml.YAMLError as error:
            raise RecordError(path, line, getattr(error, "problem", None) or "this is not YAML") from None


def text(value: Any) -> str | None:
    """Refuse anything but a text with something in it."""
    return None if isinstance(value, str) and value.strip() else "a text"


def word(value: Any) -> str | None:
    """Refuse anything but a short name of small letters, digits and hyphens."""
    fine = isinstance(value, str) and re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*", value)
    return None if fine else "a name of small letters, digits and hyphens"
