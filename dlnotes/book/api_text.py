"""Texts of the reference: signatures, kinds of arguments, equations and the links inside docstrings."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from dlnotes.book import bibliography, docstrings, elements, layout, sources

_ARRAYS = {
    "Float": "floats",
    "Inexact": "floats",
    "Real": "numbers",
    "Num": "numbers",
    "Complex": "complex",
    "Integer": "integers",
    "Int": "integers",
    "UInt8": "bytes",
    "Bool": "booleans",
    "Shaped": "array",
}
_WORDS = {"np.ndarray": "array", "Array": "array", "torch.Tensor": "tensor", "Tensor": "tensor"}


def plain(text: str) -> str:
    """Give text without the marks of code."""
    return apostrophes(text.replace("`", ""))


def apostrophes(text: str) -> str:
    """Give the apostrophes of running text their form."""
    return re.sub(r"(?<=\w)'", "\u2019", text)


def breakable(text: str) -> Iterator[Element | str]:
    """Give code that a narrow screen may break after its points and underscores."""
    first, *rest = re.split(r"(?<=[._(])(?=\w)", text)
    yield first
    for part in rest:
        yield elements.element("wbr")
        yield part


# Signatures


def signature(node: ast.AST) -> str:
    """Give a function or class as it is called: names and defaults, without the kinds of the arguments."""
    if isinstance(node, ast.ClassDef):
        made = next((part for part in node.body if getattr(part, "name", "") == "__init__"), None)
        if made is None:
            fields = [_field(part) for part in _fields(node)]
            return f"{node.name}({', '.join(fields)})" if fields else node.name
        return f"{node.name}({_arguments(made.args, method=True)})"
    inside = bool(node.args.args) and node.args.args[0].arg in ("self", "cls")
    return f"{'.' if inside else ''}{node.name}({_arguments(node.args, method=inside)})"


def _arguments(arguments: ast.arguments, method: bool) -> str:
    def bare(found: list[ast.arg]) -> list[ast.arg]:
        return [ast.arg(part.arg) for part in found]

    return ast.unparse(
        ast.arguments(
            posonlyargs=bare(arguments.posonlyargs),
            args=bare(arguments.args)[1 if method else 0 :],
            vararg=arguments.vararg and ast.arg(arguments.vararg.arg),
            kwonlyargs=bare(arguments.kwonlyargs),
            kw_defaults=arguments.kw_defaults,
            kwarg=arguments.kwarg and ast.arg(arguments.kwarg.arg),
            defaults=arguments.defaults,
        )
    )


def _fields(node: ast.ClassDef) -> list[ast.AnnAssign]:
    """Give the fields of a dataclass or a named tuple: what is annotated in the body and set from outside."""
    return [
        part
        for part in node.body
        if isinstance(part, ast.AnnAssign)
        and isinstance(part.target, ast.Name)
        and not part.target.id.startswith("_")
        and not ast.unparse(part.annotation).startswith("ClassVar")
        and "init=False" not in ast.unparse(part.value or part.target)
    ]


def _field(part: ast.AnnAssign) -> str:
    return f"{part.target.id}={ast.unparse(part.value)}" if part.value else part.target.id


def kinds(node: ast.AST) -> dict[str, str]:
    """Give the kind of each argument of a function, or of each field of a class."""
    if isinstance(node, ast.ClassDef):
        made = next((part for part in node.body if getattr(part, "name", "") == "__init__"), None)
        if made is None:
            return {part.target.id: kind(part.annotation) for part in _fields(node)}
        node = made
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return {argument.arg: kind(argument.annotation) for argument in every if argument.annotation}


def kind(annotation: ast.expr) -> str:
    """Give an annotation in words: `Float[np.ndarray, "*runs n"]` is `floats (*runs, n)`."""
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        return f"{kind(annotation.left)} | {kind(annotation.right)}"
    if isinstance(annotation, ast.Subscript) and isinstance(annotation.value, ast.Name):
        inner = annotation.slice
        if annotation.value.id in _ARRAYS and isinstance(inner, ast.Tuple) and len(inner.elts) == 2:
            axes = str(getattr(inner.elts[1], "value", "")).split()
            shape = f"({', '.join(axes)}{',' if len(axes) == 1 and axes[0] != '...' else ''})"
            return f"{_ARRAYS[annotation.value.id]} {shape}"
        if annotation.value.id in ("Mapping", "dict", "Sequence", "list", "tuple") and isinstance(inner, ast.Tuple):
            return f"{annotation.value.id}[{', '.join(map(kind, inner.elts))}]"
    text = ast.unparse(annotation)
    return _WORDS.get(text, text)


# Equations

_SIGNS = {"<-": "\u2190", "->": "\u2192", "<=": "\u2264", ">=": "\u2265", "!=": "\u2260", "sqrt(": "\u221a("}
_GREEK = "alpha|beta|gamma|delta|epsilon|eta|theta|kappa|lambda|mu|rho|sigma|tau|phi|psi|Phi"
# A raised or lowered part: behind any closing sign or name the former; behind a letter, a Greek one or an operator the
# latter, because the _ of fan_in is none.
_SCRIPT = re.compile(
    rf"(?<=[\w)\]|}}])\^(?P<up>-?\d+|[A-Za-z]|\((?:[^()]|\([^()]*\))*\))(?!\w)"
    rf"|(?<![\w.])(?P<base>d?[A-Za-z]|{_GREEK}|sum|min|max|argmin|argmax|mean)_(?P<down>\w+|\((?:[^()]|\([^()]*\))*\))"
)


def equation(text: str) -> list[Element | str]:
    """Set an equation of a docstring: exponents raised, indices lowered, arrows and roots as signs."""
    made: list[Element | str] = []
    at = 0
    for found in _SCRIPT.finditer(text):
        made.append(_signs(text[at : found.start()]))
        if found["base"]:
            made.append(found["base"])
        inner = found["up"] or found["down"]
        if inner.startswith("("):
            inner = inner[1:-1]
        made.append(elements.element("sup" if found["up"] else "sub", *equation(inner)))
        at = found.end()
    made.append(_signs(text[at:]))
    return [part for part in made if part != ""]


def _signs(text: str) -> str:
    for written, sign in _SIGNS.items():
        text = text.replace(written, sign)
    return text


# Running text


@dataclass(frozen=True)
class Links:
    """The text of docstrings of one module, with names, works and chapters as links from a page in docs/api/.

    `place` gives page and anchor of a dotted name.
    """

    book: layout.Layout
    references: Mapping[str, bibliography.Entry]
    module: str
    place: Callable[[str], tuple[str, str] | None]

    def href(self, page: str, anchor: str = "") -> str:
        """Give the address of a page below docs/: what mkdocstrings sets is not gone over by the builder."""
        return f"../../{page.removesuffix('.md')}/{'#' if anchor else ''}{anchor}"

    def paragraph(self, part: docstrings.Paragraph) -> Element:
        """Build a paragraph or an equation."""
        if part.equation:
            return elements.element("div", *equation(part.text), class_="api__equation")
        return elements.element("p", *self.inline(part.text))

    def items(self, items: tuple[docstrings.Item, ...], known: Mapping[str, str]) -> Element:
        """Build the list of arguments with their kinds."""
        made = elements.element("dl", class_="api__arguments")
        for item in items:
            term = elements.element("dt", elements.element("code", item.name))
            if item.name in known:
                term.append(elements.element("span", f" {known[item.name]}", class_="api__kind"))
            made.extend([term, elements.element("dd", *self.inline(item.text))])
        return made

    def inline(self, text: str) -> Iterator[Element | str]:
        """Build running text; code that names something described is a link to it."""
        for number, part in enumerate(text.split("`")):
            if number % 2 == 0:
                yield apostrophes(part)
            elif target := self._target(part.partition("(")[0]):
                code = elements.element("code", *breakable(part))
                yield elements.element("a", code, href=self.href(*target))
            else:
                yield elements.element("code", *breakable(part))

    def _target(self, name: str) -> tuple[str, str] | None:
        """Give page and anchor of a name as docstrings write it: whole, by module, or alone within its module."""
        if not re.fullmatch(r"[A-Za-z_][\w.]*", name):
            return None
        package = self.module.rpartition(".")[0]
        candidates = (name, f"{package}.{name}", f"{self.module}.{name}", f"dlnotes.{name}")
        found = (self.place(candidate) for candidate in candidates if candidate.startswith("dlnotes."))
        return next((target for target in found if target is not None), None)

    def source(self, text: str) -> Iterator[Element | str]:
        """Build the line that names the source: works lead to the bibliography, places to the chapter."""
        at = 0
        for found in sources.mentions(text, self.references, self.book):
            if found.fault:
                continue  # the check reports it
            yield from self.inline(text[at : found.start])
            yield elements.element("a", found.text, href=self.href(found.page, found.anchor))
            at = found.end
        yield from self.inline(text[at:])
