"""The code of a kernel as a page shows it: the computation alone, so that it reads as its equation.

Left out are types and checks of arguments, which the code that a reader copies keeps. What is left is laid out again,
since it has become shorter.
"""

from __future__ import annotations

import ast
import copy
import subprocess
import textwrap
from functools import lru_cache
from pathlib import Path

from dlnotes.book import source

COLUMNS = 88  # that fit beside the contents of a wide page


def kernel(argument: str, backend: str = "numpy", package: Path = source.PACKAGE) -> str:
    """Give the code of a function or class for reading."""
    return laid_out(bare(source.displayed(argument, backend, package)))


def bare(code: str) -> str:
    """Leave types and checks of arguments out of a definition."""
    for leave_out in (_without_checks, _without_types):
        code = _edited(code, leave_out(code, ast.parse(code)))
    return code


@lru_cache(maxsize=1024)
def laid_out(code: str) -> str:
    """Lay code out in the width of a page."""
    import ruff  # for the site alone

    settings = ["--line-length", str(COLUMNS), "--isolated", "--config", "format.skip-magic-trailing-comma=true"]
    command = [ruff.find_ruff_bin(), "format", *settings, "--stdin-filename", "kernel.py", "-"]
    done = subprocess.run(command, input=code, capture_output=True, text=True, check=False, encoding="utf-8")
    if done.returncode:
        raise source.SourceError(f"the code for reading cannot be laid out: {done.stderr.strip()}")
    return "".join(_short(line) for line in done.stdout.splitlines(keepends=True))


def _short(line: str) -> str:
    """Break a comment that is longer than the page is wide; one behind code goes above it."""
    code, sign, comment = line.rstrip("\n").partition("# ")
    if len(line) <= COLUMNS + 1 or not sign or code.count('"') % 2 or code.count("'") % 2:
        return line
    indent = line[: len(line) - len(line.lstrip())]
    above = textwrap.wrap(comment, COLUMNS, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")
    return "\n".join([*above, *([code.rstrip()] if code.strip() else [])]) + "\n"


class _Lines:
    """Where a node of the tree lies in the text."""

    def __init__(self, code: str) -> None:
        self.lines = code.splitlines(keepends=True)
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line))

    def place(self, line: int, column: int) -> int:
        """Give the index of a character; columns of a tree count bytes."""
        return self.starts[line - 1] + len(self.lines[line - 1].encode()[:column].decode())

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Give where an expression begins and ends."""
        return self.place(node.lineno, node.col_offset), self.place(node.end_lineno, node.end_col_offset)

    def whole(self, node: ast.stmt) -> tuple[int, int]:
        """Give where the lines of a statement begin and end, its decorators included."""
        first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
        return self.starts[first - 1], self.starts[node.end_lineno]


Edit = tuple[int, int, str]


def _edited(code: str, edits: list[Edit]) -> str:
    """Replace parts of a text; of two that overlap the outer one counts."""
    outer: list[Edit] = []
    for edit in sorted(edits, key=lambda edit: (edit[0], -edit[1])):
        if not outer or edit[0] >= outer[-1][1]:
            outer.append(edit)
    for start, end, text in reversed(outer):
        code = code[:start] + text + code[end:]
    return code


def _is_check(node: ast.AST) -> bool:
    """Say whether an expression calls `checks`, or a function of the module that only checks."""
    if not isinstance(node, ast.Call):
        return False
    function = node.func
    if isinstance(function, ast.Attribute):
        return isinstance(function.value, ast.Name) and function.value.id == "checks"
    return isinstance(function, ast.Name) and function.id.startswith("_check")


def _checked(node: ast.Call) -> ast.expr | None:
    """Give what a check gives back: `checks.real("step", step, above=0)` is `step`."""
    named = len(node.args) > 1 and isinstance(node.args[0], ast.Constant | ast.JoinedStr)
    return node.args[1] if named else None


def _innermost(node: ast.expr) -> ast.expr:
    """Give what is checked where one check stands in another."""
    inner = _checked(node) if isinstance(node, ast.Call) and _is_check(node) else None
    return node if inner is None else _innermost(inner)


def _only_checks(node: ast.stmt) -> bool:
    """Say whether a statement does nothing but refuse."""
    if isinstance(node, ast.Expr):
        return _is_check(node.value)
    if isinstance(node, ast.Raise):
        return True
    if isinstance(node, ast.If | ast.For):
        return all(map(_only_checks, [*node.body, *node.orelse]))
    return isinstance(node, ast.Assign) and _gives_itself(node)


def _gives_itself(node: ast.Assign) -> bool:
    """Say whether names are given their own values, checked."""
    target, value = node.targets[0], node.value
    targets = target.elts if isinstance(target, ast.Tuple) else [target]
    values = value.elts if isinstance(value, ast.Tuple) else [value]
    inner = [_innermost(part) for part in values]
    same = len(targets) == len(inner) and all(
        isinstance(a, ast.Name) and isinstance(b, ast.Name) and a.id == b.id
        for a, b in zip(targets, inner, strict=True)
    )
    return same and any(map(_is_check, values))


def _without_checks(code: str, tree: ast.Module) -> list[Edit]:
    at = _Lines(code)
    edits: list[Edit] = []
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and not isinstance(node, ast.Module):
            gone = [part for part in body if _only_checks(part)]
            edits += [(*at.whole(part), "") for part in gone]
            if len(gone) == len(body):
                edits[-1] = (*edits[-1][:2], " " * body[-1].col_offset + "...\n")
        if _is_check(node) and (inner := _checked(node)) is not None:
            start, end = at.span(_innermost(inner))
            edits.append((*at.span(node), code[start:end]))
        for decorator in getattr(node, "decorator_list", []):
            if _is_check(decorator):
                edits.append((at.starts[decorator.lineno - 1], at.starts[decorator.end_lineno], ""))
    return edits


def _without_types(code: str, tree: ast.Module) -> list[Edit]:
    at = _Lines(code)
    edits: list[Edit] = []
    fields = {id(part) for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for part in node.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            start = at.place(node.lineno, node.col_offset)
            edits.append((start, _colon(code, at, node), f"def {node.name}({_names(node.args)}):"))
        elif isinstance(node, ast.AnnAssign) and node.value is not None and id(node) not in fields:
            edits.append((at.span(node.target)[1], at.span(node.annotation)[1], ""))
    return edits


def _names(arguments: ast.arguments) -> str:
    """Write the arguments of a function without types."""
    bare_arguments = copy.deepcopy(arguments)
    for node in ast.walk(bare_arguments):
        if isinstance(node, ast.arg):
            node.annotation = None
    return ast.unparse(bare_arguments)


def _colon(code: str, at: _Lines, node: ast.FunctionDef) -> int:
    """Give the index behind the colon that ends the head of a function."""
    if node.returns is not None:
        return code.index(":", at.span(node.returns)[1]) + 1
    written = [part for part in ast.walk(node.args) if isinstance(part, ast.expr | ast.arg)]
    last = max((at.span(part)[1] for part in written), default=at.place(node.lineno, node.col_offset))
    return code.index(":", code.index(")", last)) + 1
