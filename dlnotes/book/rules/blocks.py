"""Rules of the blocks of code: every Python block is run, and could fail."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from dlnotes.book import blocks, pages
from dlnotes.book.rules import breach

_PYTHON = re.compile(r"^[\s{.]*(?:i?python\d*|py\d*|pycon)\b", re.IGNORECASE)
_SHELL = {"sh", "bash", "zsh", "shell"}


def check(book: breach.Book, name: str, page: pages.Page) -> Iterator[breach.Breach]:
    """Check the blocks of a page."""
    path = book.shown(name)
    for comment in page.comments:
        if message := _mark(comment.text):
            yield breach.Breach(path, comment.line, "mark", message)
    for fence in page.fences:
        if message := _info(fence):
            yield breach.Breach(path, fence.line, "fence", message)
        if fence.info != "python":
            if fence.marks:
                yield breach.Breach(path, fence.line, "mark", f"{fence.marks[0]} stands above a block that is not run")
            continue
        yield from (breach.Breach(path, line, rule, message) for line, rule, message in _python(fence))


def _mark(text: str) -> str | None:
    """Say what is wrong with a comment for the runner of blocks."""
    if text in (pages.EXPECTED, blocks.NEEDS_TORCH, blocks.NEEDS_OPTUNA, blocks.CUDA, blocks.STARTER):
        return None
    if text.startswith(pages.EXPECTED):
        return f"what a block prints is compared to the letter, with {pages.EXPECTED}"
    if "xfail" in text:
        return f"the only way to expect a failure is {blocks.STARTER}"
    return f"{text} is not allowed: no block is left out but by {blocks.NEEDS_TORCH} and {blocks.CUDA}"


def _info(fence: pages.Fence) -> str | None:
    """Say what is wrong with the word behind the backticks."""
    if fence.info == "python":
        return None
    if _PYTHON.match(fence.info):
        return f"{fence.info.strip()!r} is never run: write ```python and nothing else"
    if fence.info.split(maxsplit=1)[0:1] and fence.info.split()[0] in _SHELL:
        return "commands for the reader stand in a ```console block"
    if not fence.info.strip():
        return "a block names its language; only the output below a python block, behind its comment, has none"
    return None


def _python(fence: pages.Fence) -> Iterator[tuple[int, str, str]]:
    """Check one Python block."""
    try:
        tree = ast.parse(fence.code)
    except SyntaxError as error:
        yield fence.line + (error.lineno or 1), "block", f"this is not Python: {error.msg}"
        return
    if fence.expected == "":
        yield fence.expected_line or fence.line, "expected-output", "the expected output is empty"
    if not (fence.expected or _asserts(tree) or _calls_checker(tree)):
        yield fence.line, "block", "nothing checks this block: print and show the output, assert, or call a checker"
    if blocks.STARTER in fence.marks and not is_starter(fence):
        yield fence.line, "mark", "only the starter of an exercise may fail"
    optuna = any(name.split(".")[0] == "optuna" for name in _imports(tree))
    if optuna != (blocks.NEEDS_OPTUNA in fence.marks):
        yield fence.line, "mark", f"blocks that import optuna, and no others, have <!--{blocks.NEEDS_OPTUNA}--> above"
    uses = _uses_torch(tree)
    needs = {blocks.NEEDS_TORCH, blocks.CUDA}.intersection(fence.marks)
    if uses and not needs:
        yield fence.line, "mark", f"this block imports torch: put <!--{blocks.NEEDS_TORCH}--> above it"
    if needs and not uses:
        yield fence.line, "mark", "this block imports no torch and needs no mark to be left out"


def is_starter(fence: pages.Fence) -> bool:
    """Say whether a block lies in an exercise, outside its solution."""
    return fence.inside("exercise") is not None and fence.inside("solution") is None


def _asserts(tree: ast.Module) -> bool:
    """Say whether an assertion could fail: one about constants alone cannot."""
    return any(
        isinstance(node, ast.Assert)
        and any(isinstance(part, ast.Name | ast.Call | ast.Attribute) for part in ast.walk(node.test))
        for node in ast.walk(tree)
    )


def _calls_checker(tree: ast.Module) -> bool:
    """Say whether a function of dlnotes.exercises is called."""
    modules = {name for name in _imports(tree) if name.startswith("dlnotes.exercises")}
    called = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    names = (getattr(function, "attr", getattr(function, "id", "")) for function in called)
    return bool(modules) and any(name.startswith("check_") for name in names)


def _uses_torch(tree: ast.Module) -> bool:
    return any(re.match(r"(?:torch|dlnotes\.torch)(?:\.|$)", name) for name in _imports(tree))


def _imports(tree: ast.Module) -> Iterator[str]:
    """Give the modules that a block imports, and what it takes from them, as dotted names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
