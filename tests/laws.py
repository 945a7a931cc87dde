"""The laws of the house: each is a function of the root folder and gives the breaches that it finds there."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import io
import json
import os
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from dlnotes.book import api, layout, pages, source, words

FILE_LIMIT = 400
FUNCTION_LIMIT = 40


class Breach(NamedTuple):
    """A place where a law is broken."""

    path: str
    line: int
    message: str


class Import(NamedTuple):
    """One imported module, or one name of a module."""

    module: str
    name: str | None
    line: int
    top: bool
    typing_only: bool
    relative: bool


def _shown(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def sources(root: Path, *folders: str) -> list[Path]:
    """List the Python files of the package, or of some of its folders."""
    package = root / "dlnotes"
    found = [path for folder in folders or (".",) for path in (package / folder).rglob("*.py")]
    return sorted(set(found))


def imports(path: Path) -> list[Import]:
    """List what a file imports, lazy imports inside functions too."""
    tree = ast.parse(path.read_text("utf-8"), str(path))
    typing_only = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for part in ast.walk(statement)
    }
    inside = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    late = {id(part) for node in ast.walk(tree) if isinstance(node, inside) for part in ast.walk(node)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [(alias.name, None, False) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [(node.module or "", alias.name, node.level > 0) for alias in node.names]
        else:
            continue
        found += [
            Import(module, name, node.lineno, id(node) not in late, id(node) in typing_only, relative)
            for module, name, relative in names
        ]
    return found


# Law 1: one word


def one_word(root: Path) -> list[Breach]:
    """Each chapter of the nav has all its parts, and no part stands without its chapter."""
    book = layout.Layout(root)
    breaches = []
    for stem in book.stems:
        parts = [
            book.page(stem),
            book.api(stem),
            *(book.package / folder / f"{stem}.py" for folder in ("numpy", "figures", "exercises")),
            root / "tests" / f"test_{stem}.py",
            root / "tests" / "sabotage" / f"{stem}.py",
        ]
        breaches += [
            Breach(_shown(root, part), 1, f"chapter {stem} lacks this") for part in parts if not part.is_file()
        ]
    only_chapters = [
        *(book.docs / "chapters").glob("*.md"),
        *(book.package / "exercises").glob("[!_]*.py"),
        *(root / "tests" / "sabotage").glob("[!_]*.py"),
    ]
    breaches += [
        Breach(_shown(root, path), 1, "belongs to no chapter of the nav")
        for path in only_chapters
        if path.stem not in book.stems
    ]
    breaches += [
        Breach(_shown(root, path), 1, "is no page of a chapter of the nav")
        for path in sorted((book.docs / "chapters").glob("*/*.md"))
        if book.stem(path.relative_to(book.docs).as_posix()) not in book.stems
    ]
    modules = {path.stem for path in _read_by_readers(book)}
    breaches += [
        Breach(_shown(root, path), 1, "belongs to no module")
        for path in sorted((book.docs / "api").glob("*.md"))
        if path.stem not in modules
    ]
    return breaches + _tests_of_kernels(root)


def _read_by_readers(book: layout.Layout) -> list[Path]:
    """Give the modules of both backends, and those that belong to neither."""
    folders = (book.package, *(book.package / backend for backend in layout.BACKENDS))
    return [path for folder in folders for path in sorted(folder.glob("[!_]*.py"))]


def described_once(root: Path) -> list[Breach]:
    """Each public function and class that readers use has one entry in the API, and each entry is of such a name."""
    book = layout.Layout(root)
    entries: Counter[str] = Counter()
    breaches = []
    for page in (path for path in (book.docs / "api.md", *sorted((book.docs / "api").glob("*.md"))) if path.is_file()):
        for block in pages.read(page).api:
            reference = api.Reference(book, block.identifier)
            if not reference.paths:
                breaches.append(Breach(_shown(root, page), block.line, f"there is no module {block.identifier}"))
            else:
                entries.update(side.identifier for entry in reference.entries for side in entry.sides)
    for path in _read_by_readers(book):
        module = ".".join(path.relative_to(root).with_suffix("").parts)
        for name in source.public(path):
            if entries[f"{module}.{name}"] != 1:
                message = f"{name} has {entries[f'{module}.{name}']} entries on the pages of the API, not one"
                breaches.append(Breach(_shown(root, path), source.read(path).definitions[name].lineno, message))
    return breaches


def _tests_of_kernels(root: Path) -> list[Breach]:
    breaches = []
    for backend, folders in (("numpy", ("test_{}", "bad_input/{}")), ("torch", ("test_{}", "parity/{}"))):
        for kernel in sorted((root / "dlnotes" / backend).glob("[!_]*.py")):
            wanted = [root / "tests" / f"{folder.format(kernel.stem)}.py" for folder in folders]
            breaches += [
                Breach(_shown(root, path), 1, f"dlnotes/{backend}/{kernel.name} lacks this")
                for path in wanted
                if not path.is_file()
            ]
    return breaches


def plain_names(root: Path) -> list[Breach]:
    """No numbers in names, because the order lives in the nav; no names that say nothing."""
    breaches = []
    for folder in ("docs", "dlnotes", "tests", "benchmarks"):
        for path in sorted((root / folder).rglob("*")):
            words = re.split(r"[_\W]+", path.stem.lower())
            if path.suffix in (".py", ".md") and re.search(r"\d", path.stem):
                breaches.append(Breach(_shown(root, path), 1, "a number in a name: the order lives in the nav"))
            if path.suffix in (".py", "") and {"util", "utils", "helper", "helpers", "common", "misc"} & set(words):
                breaches.append(Breach(_shown(root, path), 1, "this name does not say what is inside"))
    return breaches


def short(root: Path) -> list[Breach]:
    """No file of the package and the benchmarks has more than 400 lines of code, no function more than 40."""
    breaches = []
    for path in [*sources(root), *sorted((root / "benchmarks").rglob("*.py"))]:
        text = path.read_text("utf-8")
        tree = ast.parse(text, str(path))
        lines = code_lines(text, tree)
        if len(lines) > FILE_LIMIT:
            breaches.append(Breach(_shown(root, path), 1, f"{len(lines)} lines of code, {FILE_LIMIT} at most"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                own = sum(node.lineno <= line <= node.end_lineno for line in lines)
                if own > FUNCTION_LIMIT:
                    message = f"{node.name} has {own} lines of code, {FUNCTION_LIMIT} at most"
                    breaches.append(Breach(_shown(root, path), node.lineno, message))
    return breaches


def short_chapters(root: Path) -> list[Breach]:
    """No main page of a chapter has more words than are read at a sitting."""
    book = layout.Layout(root)
    breaches = []
    for stem in sorted(book.stems):
        path = book.page(stem)
        number = words.count(pages.read(path)) if path.is_file() else 0
        if number > words.LIMIT:
            breaches.append(Breach(_shown(root, path), 1, f"{number} words, {words.LIMIT} at most"))
    return breaches


def code_lines(text: str, tree: ast.Module) -> set[int]:
    """Number the lines that hold code: no blanks, comments or docstrings."""
    skipped = {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENCODING,
        tokenize.ENDMARKER,
    }
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in skipped:
            lines.update(range(token.start[0], token.end[0] + 1))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            lines.difference_update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return lines


# Arrows go one way

# What a part may import of the package, beside what both backends share: the modules that lie directly in it.
ALLOWED = {
    "__init__": set(),
    "datasets": set(),
    "search": {"numpy"},
    "numpy": {"numpy"},
    "torch": {"torch"},
    "figures": {"figures", "numpy", "datasets"},
    "exercises": {"exercises", "numpy", "datasets"},
    "book": {"book", "figures"},
    "__main__": {"book"},
}
# Packages of others that a part may import; the press may import whatever pyproject.toml declares. What both backends
# share may import none.
OTHERS = {
    "__init__": set(),
    "datasets": {"numpy"},
    "search": {"numpy", "joblib", "distributed", "optuna", "tqdm"},
    "numpy": {"numpy"},
    "torch": {"torch"},
    "figures": {"numpy", "matplotlib"},
    "exercises": {"numpy"},
}
_WITHOUT_SHARED = {"__init__", "book", "__main__"}


def _part(root: Path, path: Path) -> str:
    return path.relative_to(root / "dlnotes").parts[0].removesuffix(".py")


def _shared(root: Path) -> set[str]:
    """Name the modules that both backends share."""
    return {path.stem for path in (root / "dlnotes").glob("*.py")} - set(ALLOWED)


def _is_module(root: Path, dotted: str) -> bool:
    path = root.joinpath(*dotted.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def arrows(root: Path) -> list[Breach]:
    """Pages know figures and exercises, these know kernels, and nothing points back."""
    breaches = []
    shared = _shared(root)
    for path in sources(root):
        part = _part(root, path)
        allowed = ALLOWED.get(part, set()) | ({"__init__"} if part in _WITHOUT_SHARED else {"__init__", *shared})
        for found in imports(path):
            whole = f"{found.module}.{found.name}" if found.name else found.module
            first, *rest = whole.split(".")
            if first == "dlnotes":
                target = rest[0] if rest else "__init__"
                if target not in allowed and _is_module(root, f"dlnotes.{target}"):
                    message = f"dlnotes.{part} must not import dlnotes.{target}"
                    breaches.append(Breach(_shown(root, path), found.line, message))
            elif first not in sys.stdlib_module_names and not found.typing_only and not found.relative:
                if first not in OTHERS.get(part, set() if part in shared else {first}):
                    breaches.append(Breach(_shown(root, path), found.line, f"dlnotes.{part} must not import {first}"))
                elif first == "matplotlib" and (found.top or path.name != "paper.py"):
                    message = "matplotlib is imported inside dlnotes/figures/paper.py: numbers come without it"
                    if part == "figures":
                        breaches.append(Breach(_shown(root, path), found.line, message))
    return breaches


def no_cycles(root: Path) -> list[Breach]:
    """No module needs itself by way of others, inside a folder either.

    Every import counts: one inside a function, which is how a cycle is made to run, and one for type checkers alone,
    because who reads the one module has to read the other.
    """
    modules = {_dotted(root, path): path for path in sources(root)}
    arrows = {
        name: {target: found.line for found in imports(path) if (target := _target(found, modules))}
        for name, path in modules.items()
    }
    breaches, reported = [], set()
    for name in sorted(modules):
        way = _way_back(name, arrows)
        if way and reported.isdisjoint(way):
            reported.update(way)
            message = f"a cycle of imports: {' -> '.join((*way, name))}"
            breaches.append(Breach(_shown(root, modules[name]), arrows[name][(*way, name)[1]], message))
    return breaches


def _dotted(root: Path, path: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def _target(found: Import, modules: Mapping[str, Path]) -> str | None:
    """Name the module of the package that an import needs; `from package import module` needs the module."""
    for name in (f"{found.module}.{found.name}", found.module):
        if name in modules:
            return name
    return None


def _way_back(start: str, arrows: Mapping[str, Mapping[str, int]]) -> tuple[str, ...]:
    """Give the shortest way along the arrows from a module back to it, without the return; () if there is none."""
    ways, seen = [(start,)], set()
    for way in ways:
        for target in sorted(arrows.get(way[-1], ())):
            if target == start:
                return way
            if target not in seen:
                seen.add(target)
                ways.append((*way, target))
    return ()


def no_side_door(root: Path) -> list[Breach]:
    """Nothing is hung on a function, class or module of the package from outside: what runs is what stands in it."""
    breaches = []
    for path in sources(root):
        for target in _side_doors(ast.parse(path.read_text("utf-8"), str(path)), {}):
            message = f"nothing is hung on {ast.unparse(target)}: give it a class with that field or method"
            breaches.append(Breach(_shown(root, path), target.lineno, message))
    return breaches


def _attributes_set(node: ast.AST) -> list[ast.expr]:
    """List what a statement or call sets an attribute of: `f` for `f.x = 1` and `setattr(f, "x", 1)`."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) in ("setattr", "object.__setattr__") and node.args:
        return [node.args[0]]
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AugAssign | ast.AnnAssign):
        targets = [node.target]
    else:
        return []
    flat = [part for target in targets for part in ast.walk(target)]
    return [part.value for part in flat if isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store)]


def _bindings(scope: ast.AST) -> dict[str, bool]:
    """Say of each name that a scope binds whether it is at last a function, a class or a module of the package."""
    bound: dict[str, bool] = {}
    waiting = list(ast.iter_child_nodes(scope))
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound[node.name] = True
            continue  # what it binds inside is its own
        if isinstance(node, ast.Import | ast.ImportFrom):
            ours = (getattr(node, "module", None) or node.names[0].name).split(".")[0] == "dlnotes"
            bound |= {(alias.asname or alias.name).split(".")[0]: ours for alias in node.names}
        elif isinstance(node, ast.arg):
            bound[node.arg] = False
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
            bound |= {target.id: True for target in node.targets if isinstance(target, ast.Name)}
            continue
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound[node.id] = False
        waiting += [] if isinstance(node, ast.Lambda) else ast.iter_child_nodes(node)
    return bound


def _side_doors(node: ast.AST, known: Mapping[str, bool]) -> Iterator[ast.expr]:
    """Give what an attribute is hung on, among functions, classes and modules of the package."""
    for target in _attributes_set(node):
        base = target
        while isinstance(base, ast.Attribute):
            base = base.value
        if isinstance(base, ast.Name) and known.get(base.id):
            yield target
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        known = {**known, **_bindings(node)}
    for child in ast.iter_child_nodes(node):
        yield from _side_doors(child, known)


def modules_not_names(root: Path) -> list[Breach]:
    """Modules of the book import each other as modules, so that a broken kernel put in place reaches every caller."""
    breaches = []
    for path in sources(root):
        for found in imports(path):
            if found.typing_only or (not found.relative and found.module.split(".")[0] != "dlnotes"):
                continue
            if found.relative:
                breaches.append(Breach(_shown(root, path), found.line, "import from dlnotes by its full name"))
            elif found.name and not _is_module(root, f"{found.module}.{found.name}"):
                message = f"import the module {found.module}, not its {found.name}"
                breaches.append(Breach(_shown(root, path), found.line, message))
    return breaches


def lazy_annotations(root: Path) -> list[Breach]:
    """Annotations cost nothing: the future import comes first, and jaxtyping is imported for type checkers alone."""
    breaches = []
    for path in sources(root):
        tree = ast.parse(path.read_text("utf-8"), str(path))
        statements = tree.body[1:] if ast.get_docstring(tree) is not None else tree.body
        if statements and ast.unparse(statements[0]) != "from __future__ import annotations":
            message = "the first statement must be `from __future__ import annotations`"
            if any(not isinstance(statement, ast.Assign) for statement in statements):
                breaches.append(Breach(_shown(root, path), statements[0].lineno, message))
        breaches += [
            Breach(_shown(root, path), found.line, "import jaxtyping under `if TYPE_CHECKING:` alone")
            for found in imports(path)
            if found.module.split(".")[0] == "jaxtyping" and not found.typing_only
        ]
    return breaches


def no_asserts(root: Path) -> list[Breach]:
    """The package raises what it refuses: under `python -O` an `assert` lets everything pass."""
    return [
        Breach(_shown(root, path), node.lineno, "raise AssertionError: python -O takes an assert away")
        for path in sources(root)
        for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path)))
        if isinstance(node, ast.Assert)
    ]


_FILES = {"os", "io", "pathlib", "shutil", "tempfile", "glob", "urllib", "socket", "subprocess", "http", "pickle"}
_READERS = {"load", "save", "savez", "savez_compressed", "loadtxt", "savetxt", "genfromtxt", "fromfile", "memmap"}


_MAY_USE_FILES = {
    "dlnotes/figures/paper.py": "reads the font that figures are set in",
    "dlnotes/numpy/training.py": "keeps the state of a long training, so that it can be resumed",
    "dlnotes/torch/training.py": "likewise",
    "dlnotes/torch/data_parallel.py": "likewise",
}


def no_files(root: Path) -> list[Breach]:
    """Kernels, exercises and the numbers of figures touch no file and no network."""
    breaches = []
    for path in sources(root, "numpy", "torch", "exercises", "figures"):
        if _shown(root, path) in _MAY_USE_FILES:
            continue
        breaches += [
            Breach(_shown(root, path), found.line, f"no files here: {found.module}")
            for found in imports(path)
            if found.module.split(".")[0] in _FILES
        ]
        for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            module, _, name = called.rpartition(".")
            if called == "open" or (module in ("np", "numpy", "torch") and name in _READERS) or name == "tofile":
                breaches.append(Breach(_shown(root, path), node.lineno, f"no files here: {called}"))
    return breaches


# Names outside

_MADE = re.compile(r"\.git|\.venv|\.cache|site|build|dist|docs/assets/figures|.*__pycache__|.*(\.egg-info|_cache)")


def texts(root: Path) -> Iterator[tuple[Path, str]]:
    """Give every file of the project that can be read as text, what is made or installed left out."""
    for folder, inner, names in os.walk(root):
        at = Path(folder)
        inner[:] = [name for name in inner if not _MADE.fullmatch(_shown(root, at / name))]
        for name in sorted(names):
            with contextlib.suppress(UnicodeDecodeError):
                yield at / name, (at / name).read_text("utf-8")


_INSTALL = re.compile(r"\b(?:pip3?|uv)\s+(?:install|add)\b(.*)")
_FOREIGN = re.compile(r"(?<![\w./-])dlnotes(?:-book)?(?![\w./-])(?!\S*\s*@)")


def no_foreign_install(root: Path) -> list[Breach]:
    """Nobody is told to install our name from a registry, where it belongs to somebody else.

    Tests may quote the command, as an example of what is refused.
    """
    return [
        Breach(_shown(root, path), number, "install from the repository: on a registry this name is somebody else's")
        for path, text in texts(root)
        if path.relative_to(root).parts[0] != "tests"
        for number, line in enumerate(text.splitlines(), 1)
        if (found := _INSTALL.search(line)) and _FOREIGN.search(found[1])
    ]


def vendored(root: Path) -> list[Breach]:
    """What was taken from others is what was recorded, byte for byte, and nothing lies beside it unrecorded."""
    assets = root / "docs" / "assets"
    recorded = {
        name: value
        for package in json.loads((assets / "vendored.json").read_text("utf-8"))
        for name, value in package["sha256"].items()
    }
    folders = {name.split("/")[0] for name in recorded}
    present = {
        path.relative_to(assets).as_posix()
        for folder in folders
        for path in (assets / folder).rglob("*")
        if path.is_file()
    }
    breaches = [
        Breach(f"docs/assets/{name}", 1, "is not recorded in vendored.json") for name in sorted(present - set(recorded))
    ]
    for name, expected in recorded.items():
        path = assets / name
        if not path.is_file():
            breaches.append(Breach(f"docs/assets/{name}", 1, "is recorded in vendored.json and missing"))
        elif hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            breaches.append(Breach(f"docs/assets/{name}", 1, "is not what vendored.json records"))
    return breaches


# Pages

_PAGE_IMPORTS = {
    "numpy",
    "torch",
    "figures",
    "exercises",
    "datasets",
    "optimizers",
    "weight_scales",
    "difference_quotients",
}


def page_imports(root: Path) -> list[Breach]:
    """A block needs NumPy, torch and this package, or by its mark Optuna, and nothing else to be installed."""
    breaches, ours = [], _PAGE_IMPORTS | _shared(root)
    for path in sorted((root / "docs").rglob("*.md")):
        for block in pages.read(path).blocks:
            try:
                tree = ast.parse(block.code)
            except SyntaxError:
                continue  # running the block reports it
            search = "pytest-codeblocks:importorskip(optuna)" in block.marks
            for node in ast.walk(tree):
                for module in _modules(node):
                    first, *rest = module.split(".")
                    known = first in sys.stdlib_module_names or first in ("numpy", "torch")
                    known = known or (search and module in ("optuna", "dlnotes.search"))
                    if not known and not (first == "dlnotes" and (not rest or rest[0] in ours)):
                        message = f"a block of a page must not import {module}"
                        breaches.append(Breach(_shown(root, path), block.line + node.lineno, message))
    return breaches


def _modules(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module == "dlnotes":
        return [f"dlnotes.{alias.name}" for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
