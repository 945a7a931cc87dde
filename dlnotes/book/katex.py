"""Formulas, turned into MathML by KaTeX while the site is built, so that a page carries no script for them.

KaTeX runs in a JavaScript engine inside this process. Everything it is not sure of is refused: unknown commands, and
what it would only warn of.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from dlnotes.book import mathml

FOLDER = Path(__file__).with_name("katex")

# The answer begins with + or -, so that a refusal needs no second channel.
_GLUE = r"""
function renderAll(formulas) {
  return formulas.map(function (formula) {
    try {
      var html = katex.renderToString(formula[0], {
        displayMode: formula[1], output: "mathml", throwOnError: true, strict: "error", trust: false,
        errorColor: "#c0ffee"
      });
      // What needs trust, as \href, is not refused by KaTeX but set in the color of errors.
      return html.indexOf("#c0ffee") < 0 ? "+" + html : "-a command that KaTeX allows only in trusted text";
    } catch (error) {
      return "-" + error.message;
    }
  });
}
"""


class FormulaError(Exception):
    """KaTeX refuses the formula; the message says why."""


def render(tex: str, display: bool = False) -> str:
    """Give the HTML of a formula; raises FormulaError when KaTeX refuses it."""
    return "".join(parts(tex, display))


@lru_cache(maxsize=4096)
def parts(tex: str, display: bool = False) -> tuple[str, ...]:
    """Give the HTML of a formula in the parts between which a line may break; raises FormulaError as `render` does."""
    answer = _answers([(tex, display)])[0]
    if answer.startswith("-"):
        raise FormulaError(_reason(answer))
    try:
        return tuple(mathml.parts(answer[1:], display))
    except mathml.Unknown as error:
        raise FormulaError(str(error)) from None


def refusals(formulas: Iterable[tuple[str, bool]], cache: Path | None = None) -> dict[tuple[str, bool], str]:
    """Give what KaTeX refuses among formulas, each (TeX, whether it is displayed), with the reason.

    All go through KaTeX in one call. With `cache`, a file, those accepted before are not asked again.
    """
    wanted = list(dict.fromkeys(formulas))
    known = _accepted(cache) if cache else set()
    marks = {formula: _mark(formula) for formula in wanted}
    asked = [formula for formula in wanted if marks[formula] not in known]
    refused = {}
    for formula, answer in zip(asked, _answers(asked), strict=True):
        if answer.startswith("-"):
            refused[formula] = _reason(answer)
            continue
        try:
            mathml.parts(answer[1:], formula[1])
        except mathml.Unknown as error:
            refused[formula] = str(error)
    if cache and asked:
        _keep(cache, sorted(mark for formula, mark in marks.items() if formula not in refused))
    return refused


@lru_cache(maxsize=1)
def _engine() -> Any:
    import py_mini_racer

    engine = py_mini_racer.MiniRacer()
    engine.eval((FOLDER / "katex.min.js").read_text("utf-8"))
    engine.eval(_GLUE)
    return engine


def _answers(formulas: list[tuple[str, bool]]) -> list[str]:
    return json.loads(_engine().eval(f"JSON.stringify(renderAll({json.dumps(formulas)}))")) if formulas else []


def _reason(answer: str) -> str:
    """Clean KaTeX's message of its prefix and of the marks that it sets under letters."""
    reason = answer[1:].removeprefix("KaTeX parse error: ")
    reason = reason.removeprefix("LaTeX-incompatible input and strict mode is set to 'error': ")
    return " ".join(reason.replace("\u0332", "").split())


@lru_cache(maxsize=1)
def _version() -> str:
    return hashlib.sha256((FOLDER / "katex.min.js").read_bytes() + _GLUE.encode()).hexdigest()


def _mark(formula: tuple[str, bool]) -> str:
    """Name a formula in the cache; another version of KaTeX gives other names."""
    return hashlib.sha256(json.dumps([_version(), *formula]).encode()).hexdigest()[:24]


def _accepted(cache: Path) -> set[str]:
    """Read the cache; one that cannot be read counts as empty, since it can be made again."""
    try:
        marks = json.loads(cache.read_text("utf-8"))
    except (OSError, ValueError):
        return set()
    return set(marks) if isinstance(marks, list) and all(isinstance(mark, str) for mark in marks) else set()


def _keep(cache: Path, marks: list[str]) -> None:
    """Write the cache beside itself first, so that a second run in the same moment reads it whole."""
    with contextlib.suppress(OSError):  # it only saves time, and a checkout may be read-only
        cache.parent.mkdir(parents=True, exist_ok=True)
        beside = cache.with_name(f"{cache.name}.{os.getpid()}")
        beside.write_text(json.dumps(marks), "utf-8")
        beside.replace(cache)
