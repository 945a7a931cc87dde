"""Single changes of numbers, signs and comparisons in a module's code, and a sample drawn from all modules."""

from __future__ import annotations

import ast
import copy
import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ARITHMETIC = {
    ast.Add: [ast.Sub],
    ast.Sub: [ast.Add],
    ast.Mult: [ast.Div],
    ast.Div: [ast.Mult],
    ast.FloorDiv: [ast.Mult],
    ast.Mod: [ast.FloorDiv],
    ast.Pow: [ast.Mult],
}
COMPARISON = {
    ast.Lt: [ast.LtE, ast.Gt],
    ast.LtE: [ast.Lt, ast.Gt],
    ast.Gt: [ast.GtE, ast.Lt],
    ast.GtE: [ast.Gt, ast.Lt],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is],
    ast.In: [ast.NotIn],
    ast.NotIn: [ast.In],
}


class Mutant(NamedTuple):
    module: str  # dlnotes.numpy.objective
    kind: str  # "number" or "comparison"
    place: str  # the function or class that holds it
    line: int
    before: str  # the line as it stands
    after: str
    source: str  # the whole module, mutated

    @property
    def name(self) -> str:
        """What tells this mutant from the others and survives a change elsewhere in the file."""
        return f"{self.module}{self.place}: {self.before} -> {self.after}"


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """What is computed: no annotations, no imports for types, no text of messages."""
    for field, value in ast.iter_fields(node):
        if field in {"annotation", "returns"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not isinstance(child, ast.JoinedStr) and not _is_type_checking(child):
                yield child


def _variants(node: ast.AST) -> list[tuple[str, ast.AST]]:
    """Each replacement of one node, with its kind."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        value = node.value + 1 if isinstance(node.value, int) else node.value * 2 or 1.0
        return [("number", ast.Constant(value))]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return [("number", node.operand)]
    if isinstance(node, ast.BinOp | ast.AugAssign):
        return [("number", _with(node, op=other())) for other in ARITHMETIC.get(type(node.op), [])]
    if isinstance(node, ast.Compare):
        return [
            ("comparison", _with(node, ops=[*node.ops[:i], other(), *node.ops[i + 1 :]]))
            for i, op in enumerate(node.ops)
            for other in COMPARISON[type(op)]
        ]
    return []


def _with(node: ast.AST, **fields) -> ast.AST:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


class _Text:
    """Source text in which one node can be replaced; columns of ast count bytes."""

    def __init__(self, source: str):
        self.source = source
        self.bytes = source.encode()
        self.starts = [0]
        for line in self.bytes.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))

    def replaced(self, node: ast.AST, replacement: ast.AST) -> str:
        begin = self.starts[node.lineno - 1] + node.col_offset
        end = self.starts[node.end_lineno - 1] + node.end_col_offset
        new = ast.unparse(replacement)
        if isinstance(replacement, ast.expr) and not isinstance(replacement, ast.Constant | ast.Name):
            new = f"({new})"
        return (self.bytes[:begin] + new.encode() + self.bytes[end:]).decode()


def _sites(node: ast.AST, place: str) -> Iterator[tuple[str, ast.AST, str, ast.AST]]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        place = f"{place}.{node.name}"
    for kind, replacement in _variants(node):
        yield place, node, kind, replacement
    for child in _children(node):
        yield from _sites(child, place)


def mutants(source: str, module: str) -> list[Mutant]:
    """Every mutant of one module, in the order of its code."""
    text = _Text(source)
    lines = source.splitlines()
    found = []
    for place, node, kind, replacement in _sites(ast.parse(source), ""):
        mutated = text.replaced(node, replacement)
        line = node.lineno
        after = mutated.splitlines()[line - 1]
        found.append(Mutant(module, kind, place, line, lines[line - 1].strip(), after.strip(), mutated))
    return found


def sample(found: list[Mutant], size: int, seed: int) -> list[Mutant]:
    """Mutants drawn from every module and kind in proportion to how many it has, at least one from each."""
    strata: dict[tuple[str, str], list[Mutant]] = {}
    for mutant in found:
        strata.setdefault((mutant.module, mutant.kind), []).append(mutant)
    shares = _shares([len(stratum) for stratum in strata.values()], size)
    # Each stratum has a generator of its own, and a larger share begins with the smaller one: a change of one module
    # leaves the draws of the others as they are.
    return [
        mutant
        for (name, stratum), share in zip(strata.items(), shares, strict=True)
        for mutant in random.Random(f"{seed} {name}").sample(stratum, len(stratum))[:share]
    ]


def _shares(counts: list[int], size: int) -> list[int]:
    """Largest remainders: whole numbers in proportion to the counts that add up to the size, none of them zero."""
    if size < len(counts) or size > sum(counts):
        raise ValueError(
            f"size must be between {len(counts)}, one a stratum, and {sum(counts)}, all mutants; got {size}"
        )
    exact = [size * count / sum(counts) for count in counts]
    shares = [max(1, int(share)) for share in exact]
    order = sorted(range(len(counts)), key=lambda i: exact[i] - shares[i], reverse=True)
    while sum(shares) < size:
        for i in order:
            if sum(shares) < size and shares[i] < counts[i]:
                shares[i] += 1
    while sum(shares) > size:
        shares[max((i for i in order if shares[i] > 1), key=lambda i: shares[i] - exact[i])] -= 1
    return shares


def kernels(root: Path) -> dict[str, Path]:
    """The modules whose code is broken: every kernel of both backends, and of what stands once for both."""
    package = root / "dlnotes"
    stems = ("diagnosis", "difference_quotients", "measured", "optimizers", "precision", "weight_scales")
    shared = [package / f"{stem}.py" for stem in stems]
    paths = [*sorted((package / "numpy").glob("*.py")), *sorted((package / "torch").glob("*.py")), *shared]
    return {
        ".".join(path.relative_to(root).with_suffix("").parts): path
        for path in paths
        if path.stem != "__init__" and path.is_file()
    }
