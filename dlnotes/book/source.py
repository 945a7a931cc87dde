"""The book's code, taken from its source files: what a page shows, and what its reader copies.

Everything is read from the text of the modules; nothing is imported. A function is named as in a page, by
`initialization.he_normal`, and stands in the NumPy or in the torch backend.
"""

from __future__ import annotations

import ast
import difflib
import re
import symtable
import sys
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


class SourceError(Exception):
    """No such module or name, or code that cannot be taken out of its module."""


@dataclass(frozen=True)
class Closure:
    """What a name of a module needs of that module, itself included.

    `imports` are statements, those under `if TYPE_CHECKING:` apart in `type_imports`; `definitions` are all others, by
    the line on which they begin.
    """

    path: Path
    imports: tuple[str, ...]
    type_imports: tuple[str, ...]
    definitions: dict[int, str]


def displayed(argument: str, backend: str = "numpy", package: Path = PACKAGE) -> str:
    """Give the code of a function or class as a page shows it, without docstrings."""
    module, name = _module(argument, backend, package)
    return _text(module, module.definitions[name], docstrings="none")


def standalone(argument: str, backend: str = "numpy", package: Path = PACKAGE) -> str:
    """Give code that runs in an empty file: the function, and the imports and names of its module that it needs.

    Docstrings are cut to their first line.
    """
    module, name = _module(argument, backend, package)
    return _joined(_closure(module, name, docstrings="short"))


def location(argument: str, backend: str = "numpy", package: Path = PACKAGE) -> tuple[Path, int]:
    """Give the file and the line on which the function or class begins."""
    module, name = _module(argument, backend, package)
    return module.path, module.definitions[name].lineno


def identifier(argument: str, backend: str = "numpy", package: Path = PACKAGE) -> str:
    """Give the whole dotted name: that of the backend's module, or of the one that both backends share."""
    module, name = _module(argument, backend, package)
    return ".".join((*module.path.relative_to(package.parent).with_suffix("").parts, name))


def exists(argument: str, backend: str = "numpy", package: Path = PACKAGE) -> bool:
    """Say whether the backend has that function or class."""
    try:
        _module(argument, backend, package)
    except SourceError:
        return False
    return True


def closure(path: Path, name: str) -> Closure:
    """Give what a function or class of any module needs of that module, docstrings left out."""
    module = read(path)
    if name not in module.bound:
        raise SourceError(_missing(f"{path.name} has no {name}", name, module.bound))
    return _closure(module, name, docstrings="none")


def code(path: Path, names: Iterable[str]) -> str:
    """Give code that runs in an empty file: the names of one module and what they need of it."""
    parts = [closure(path, name) for name in names]
    definitions = dict(sorted(entry for part in parts for entry in part.definitions.items()))
    imports = tuple(dict.fromkeys(line for part in parts for line in part.imports))
    type_imports = tuple(dict.fromkeys(line for part in parts for line in part.type_imports))
    return _joined(Closure(path, imports, type_imports, definitions))


def public(path: Path) -> tuple[str, ...]:
    """Give the public functions and classes of a module, in the order of the file."""
    return tuple(name for name in read(path).definitions if not name.startswith("_"))


def dependencies(path: Path, package: Path = PACKAGE) -> tuple[Path, ...]:
    """Give the modules of the package that a file imports, and those that they import, sorted; the file is left out."""
    found: set[Path] = set()
    waiting = [path]
    while waiting:
        fresh = set(_imported(read(waiting.pop()), package)) - found - {path}
        found |= fresh
        waiting.extend(fresh)
    return tuple(sorted(found))


@dataclass(frozen=True, eq=False)
class Module:
    """A module as read: its lines, and the statements on its top level by the names they bind."""

    path: Path
    text: str
    lines: tuple[str, ...]
    tree: ast.Module
    bound: dict[str, tuple[ast.stmt, ...]]
    definitions: dict[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]
    typing_only: frozenset[ast.stmt]
    scopes: dict[str, frozenset[str]]


@lru_cache(maxsize=512)
def _read(path: Path, changed: int, size: int) -> Module:
    text = path.read_text("utf-8")
    try:
        tree = ast.parse(text, str(path))
        table = symtable.symtable(text, str(path), "exec")
    except SyntaxError as error:
        raise SourceError(f"{path.name} line {error.lineno}: {error.msg}") from None
    bound: dict[str, tuple[ast.stmt, ...]] = {}
    typing_only: set[ast.stmt] = set()
    for statement in tree.body:
        inner = [statement]
        if isinstance(statement, ast.If) and _is_type_checking(statement.test):
            inner = statement.body
            typing_only.update(inner)
        for part in inner:
            for name in _binds(part):
                bound[name] = (*bound.get(name, ()), part)
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    definitions = {part.name: part for part in tree.body if isinstance(part, kinds)}
    scopes: dict[str, frozenset[str]] = {}
    for child in table.get_children():
        scopes[child.get_name()] = scopes.get(child.get_name(), frozenset()) | _globals(child)
    lines = tuple(text.splitlines())
    return Module(path, text, lines, tree, bound, definitions, frozenset(typing_only), scopes)


def read(path: Path) -> Module:
    """Read a module, once for each state of its file."""
    try:
        state = path.stat()
    except FileNotFoundError:
        raise SourceError(f"there is no module {path.parent.name}/{path.name}") from None
    return _read(path, state.st_mtime_ns, state.st_size)


def _module(argument: str, backend: str, package: Path) -> tuple[Module, str]:
    """Find the module and the name of `stem.name`."""
    stem, dot, name = argument.partition(".")
    if not (dot and stem.isidentifier() and name.isidentifier()):
        raise SourceError(f"{argument!r} must be a module and a name, as in initialization.he_normal")
    folder = package / backend
    path = folder / f"{stem}.py"
    if not path.is_file() and (package / f"{stem}.py").is_file():  # what touches no array stands once for both
        path = package / f"{stem}.py"
    if not path.is_file():
        modules = (file.stem for file in folder.glob("*.py") if file.stem != "__init__")
        raise SourceError(_missing(f"dlnotes.{backend} has no module {stem}", stem, modules))
    module = read(path)
    if name not in module.definitions:
        message = f"dlnotes.{backend}.{stem} has no function or class {name}"
        raise SourceError(_missing(message, name, public(path)))
    return module, name


def _missing(message: str, name: str, known: Iterable[str]) -> str:
    """Add the nearest known name to the message."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"{message}; did you mean {near[0]}?" if near else message


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def _binds(statement: ast.stmt) -> Iterator[str]:
    """Give the names that a statement binds or changes on the top level of its module."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Import):
        yield from (alias.asname or alias.name.partition(".")[0] for alias in statement.names)
    elif isinstance(statement, ast.ImportFrom):
        yield from (alias.asname or alias.name for alias in statement.names)
    elif isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.For | ast.With | ast.If | ast.Try):
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id
            elif isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store):
                yield from (part.id for part in ast.walk(node.value) if isinstance(part, ast.Name))
            elif isinstance(node, ast.Import | ast.ImportFrom):
                yield from _binds(node)


def _globals(scope: symtable.SymbolTable) -> frozenset[str]:
    """Give the names that a scope, and those inside it, look up in the module."""
    if scope.get_type() == "annotation":  # never evaluated; newer versions of Python list these scopes too
        return frozenset()
    own = {symbol.get_name() for symbol in scope.get_symbols() if symbol.is_global()}
    return frozenset(own.union(*map(_globals, scope.get_children())))


@lru_cache(maxsize=8192)
def _needs(module: Module, statement: ast.stmt) -> tuple[frozenset[str], frozenset[str]]:
    """Give the names that a statement needs when it runs, and those that only its annotations name."""
    annotations: set[str] = set()
    hidden: set[int] = set()
    for node in ast.walk(statement):
        for note in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if isinstance(note, ast.expr):
                annotations |= _loaded([note], set())
                hidden |= {id(part) for part in ast.walk(note)}
    # A body's own scope knows which names are local; what stands before it is looked up in the module.
    before: list[ast.AST] = [statement]
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        before = [*statement.decorator_list, *statement.args.defaults, *filter(None, statement.args.kw_defaults)]
    elif isinstance(statement, ast.ClassDef):
        before = [*statement.decorator_list, *statement.bases, *statement.keywords]
    scope = module.scopes.get(getattr(statement, "name", ""), frozenset())
    return frozenset(_loaded(before, hidden) | scope), frozenset(annotations)


def _loaded(nodes: Iterable[ast.AST], hidden: set[int]) -> set[str]:
    return {
        part.id for node in nodes for part in ast.walk(node) if isinstance(part, ast.Name) and id(part) not in hidden
    }


def _closure(module: Module, name: str, docstrings: str) -> Closure:
    """Follow the names from one definition through its module."""
    runtime, noted = {name}, set()
    waiting, seen = [name], set()
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        for statement in module.bound.get(current, ()):
            if isinstance(statement, ast.Import | ast.ImportFrom):
                continue
            runs, annotations = _needs(module, statement)
            runs = runs.union(_binds(statement))
            runtime |= runs
            noted |= annotations
            waiting.extend((runs | annotations) - seen)
    used = runtime | noted
    kept = [part for part in _statements(module) if set(_binds(part)) & used]
    imports = [part for part in kept if isinstance(part, ast.Import | ast.ImportFrom) and not _future(part)]
    rest = [part for part in kept if not isinstance(part, ast.Import | ast.ImportFrom)]
    return Closure(
        path=module.path,
        imports=tuple(_import(part, used) for part in imports if part not in module.typing_only),
        type_imports=tuple(
            [_import(part, used) for part in imports if part in module.typing_only]
            + [ast.unparse(part) for part in rest if part in module.typing_only]
        ),
        definitions={part.lineno: _text(module, part, docstrings) for part in rest if part not in module.typing_only},
    )


def _future(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.ImportFrom) and statement.module == "__future__"


def _statements(module: Module) -> list[ast.stmt]:
    """Give each statement that binds names once, in the order of the file."""
    parts = {part for parts in module.bound.values() for part in parts}
    return sorted(parts, key=lambda part: part.lineno)


def _import(statement: ast.Import | ast.ImportFrom, used: set[str]) -> str:
    """Write an import of the names that are used."""
    aliases = [alias for alias in statement.names if (alias.asname or alias.name.partition(".")[0]) in used]
    if isinstance(statement, ast.Import):
        return ast.unparse(ast.Import(aliases))
    if statement.level:
        raise SourceError(f"line {statement.lineno} imports relatively: that cannot run in another file")
    return ast.unparse(ast.ImportFrom(statement.module, aliases, 0))


@lru_cache(maxsize=8192)
def _text(module: Module, statement: ast.stmt, docstrings: str) -> str:
    """Give the lines of a statement, with the comment right above it; `docstrings` is "none" or "short"."""
    decorators = getattr(statement, "decorator_list", [])
    first = min([statement.lineno, *(decorator.lineno for decorator in decorators)])
    lines: dict[int, str] = {
        number: module.lines[number - 1] for number in range(first, (statement.end_lineno or first) + 1)
    }
    for node in ast.walk(statement):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and ast.get_docstring(node):
            _cut(lines, node, docstrings)
    above = first - 1
    while above and module.lines[above - 1].startswith("#"):
        lines[above] = module.lines[above - 1]
        above -= 1
    return "\n".join(lines[number] for number in sorted(lines)).rstrip() + "\n"


def _cut(lines: dict[int, str], node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, docstrings: str) -> None:
    """Leave the docstring of a definition out of its lines, or shorten it."""
    note = node.body[0]
    start, end = note.lineno, note.end_lineno or note.lineno
    if start <= node.lineno:  # a body on the line of the definition
        return
    indent = " " * note.col_offset
    short = (ast.get_docstring(node) or "").split("\n")[0]
    opening = 'r"""' if "\\" in short else '"""'
    for number in range(start, end + 1):
        lines.pop(number, None)
    behind = end + 1
    while behind in lines and not lines[behind].strip():
        lines.pop(behind)
        behind += 1
    if docstrings == "short":
        gap = "\n" if isinstance(node, ast.ClassDef) and len(node.body) > 1 else ""
        lines[start] = f'{indent}{opening}{short}"""{gap}'
    elif len(node.body) == 1:
        lines[start] = f"{indent}..."


def _joined(part: Closure) -> str:
    """Write the imports and the definitions as one file."""
    imports = [*part.imports, *(["from typing import TYPE_CHECKING"] if part.type_imports else [])]
    head = "from __future__ import annotations\n"
    if imports:
        head += _sorted_imports(imports)
    if part.type_imports:
        head += "\nif TYPE_CHECKING:\n" + textwrap.indent("\n".join(part.type_imports), "    ") + "\n"
    pieces = [head]
    was_block = False
    for _, text in sorted(part.definitions.items()):
        is_block = bool(re.match(r"(?:#.*\n)*(?:@|def |async def |class )", text))
        pieces.append("\n\n" if is_block or was_block else "\n" if len(pieces) == 1 else "")
        pieces.append(text)
        was_block = is_block
    return "".join(pieces)


def _sorted_imports(imports: Iterable[str]) -> str:
    """Write imports as the project does: standard library, other packages, the book's own, a blank line before each."""
    whole: set[tuple[int, bool, str]] = set()
    parts: dict[str, set[str]] = {}
    for line in imports:
        _, module, *rest = line.split(maxsplit=3)
        if line.startswith("from "):
            parts.setdefault(module, set()).update(rest[1].split(", "))
        else:
            whole.add((_group(module), False, line))
    for module, names in parts.items():
        whole.add((_group(module), True, f"from {module} import {', '.join(sorted(names))}"))
    text, last = "", None
    for group, _, line in sorted(whole):
        text += ("" if group == last else "\n") + line + "\n"
        last = group
    return text


def _group(module: str) -> int:
    first = module.partition(".")[0]
    return 0 if first in sys.stdlib_module_names else 2 if first == PACKAGE.name else 1


def _imported(module: Module, package: Path) -> Iterator[Path]:
    """Give the files of the package's modules that a module imports."""
    return (file for file in _named_by_imports(module, package) if file.is_file())


@lru_cache(maxsize=512)
def _named_by_imports(module: Module, package: Path) -> tuple[Path, ...]:
    """Give the files that the imports of a module may mean, whether or not they are there."""
    names: list[str] = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    parts = [name.split(".") for name in dict.fromkeys(names)]
    return tuple(package.joinpath(*rest).with_suffix(".py") for first, *rest in parts if first == package.name and rest)
