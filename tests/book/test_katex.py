"""Formulas are set by KaTeX, and what it refuses is told in one line."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from dlnotes.book import katex


def test_a_formula_becomes_html_with_its_meaning() -> None:
    assert katex.render(r"\frac{a}{b}") == "<math><mfrac><mi>a</mi><mi>b</mi></mfrac></math>"
    assert katex.render("a", display=True) == '<math display="block"><mrow><mi>a</mi></mrow></math>'


def test_a_line_may_break_behind_what_stands_between_two_terms() -> None:
    assert len(katex.parts("a = b + c")) == 3
    assert len(katex.parts("-a")) == len(katex.parts("a = b", display=True)) == 1
    assert '<mo form="infix">=</mo></math>' in katex.parts("a = -b")[0]
    assert len(katex.parts("a = -b")) == 2  # not behind the sign of a number


def test_letters_of_other_alphabets_have_characters_of_their_own() -> None:
    assert "\U0001d40e" in katex.render(r"\mathbf{O}")
    assert "\u211d" in katex.render(r"\mathbb{R}")
    assert "mathvariant" not in katex.render(r"\mathcal{N}(0, 1)")


@pytest.mark.parametrize("tex", [r"\underset{a}{\max}", r"\overset{!}{=}", r"\mathsf{x}"])
def test_what_browsers_cannot_set_is_refused(tex: str) -> None:
    with pytest.raises(katex.FormulaError, match="cannot be set in MathML"):
        katex.render(tex)
    assert "cannot be set" in katex.refusals([(tex, False)])[tex, False]


@pytest.mark.parametrize(
    ("tex", "message"),
    [
        (r"\foo", r"Undefined control sequence: \\foo at position 1: \\foo"),
        ("x^", r"Expected group after '\^'"),
        (r"\begin{matrix} a", "Expected"),
        ("{a", "Expected '}'"),
        ("a & b", "Expected"),
        ("€", "Unrecognized Unicode character"),
        ("é", "used in math mode"),
        (r"\label{a}", r"Undefined control sequence: \\label"),
        (r"\href{https://a.b}{c}", "only in trusted text"),
        (r"\includegraphics{a.png}", "only in trusted text"),
    ],
)
def test_what_katex_is_not_sure_of_is_refused(tex: str, message: str) -> None:
    for display in (False, True):
        with pytest.raises(katex.FormulaError, match=message) as error:
            katex.render(tex, display)
        assert "\n" not in str(error.value)
        assert "\u0332" not in str(error.value)


def test_quotes_and_signs_of_other_alphabets_reach_katex_whole() -> None:
    assert katex.refusals([(r"\text{für ``a'' \& 'b'}", False), (r"α + \mathbb{R}", True), ("a < b", False)]) == {}


def test_refusals_of_many_come_together_with_their_reasons() -> None:
    refused = katex.refusals([("a", False), (r"\foo", False), ("a", False), ("x^", True)])
    assert set(refused) == {(r"\foo", False), ("x^", True)}
    assert "Undefined" in refused[r"\foo", False]
    assert katex.refusals([]) == {}


def test_what_was_accepted_is_not_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "new" / "katex.json"
    asked: list[list[tuple[str, bool]]] = []
    answers = katex._answers
    monkeypatch.setattr(katex, "_answers", lambda formulas: asked.append(formulas) or answers(formulas))
    katex.refusals([("a", False), (r"\foo", False)], cache)
    katex.refusals([("a", False), ("a", True), (r"\foo", False)], cache)
    katex.refusals([("a", False), ("a", True)], cache)
    assert asked == [[("a", False), (r"\foo", False)], [("a", True), (r"\foo", False)], []]
    assert not list(cache.parent.glob("katex.json.*"))


def test_another_version_of_katex_forgets_what_was_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "katex.json"
    katex.refusals([("a", False)], cache)
    before = json.loads(cache.read_text())
    monkeypatch.setattr(katex, "_version", lambda: "another")
    katex.refusals([("a", False)], cache)
    assert set(before).isdisjoint(json.loads(cache.read_text()))


def test_the_vendored_file_is_the_one_that_its_note_names() -> None:
    note = (katex.FOLDER / "VERSION").read_text("utf-8")
    assert hashlib.sha256((katex.FOLDER / "katex.min.js").read_bytes()).hexdigest() in note
    assert "MIT License" in (katex.FOLDER / "LICENSE").read_text("utf-8")
