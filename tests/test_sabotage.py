"""Every claim's evidence passes, and fails once the kernel behind it is broken (`tests/sabotage/<stem>.py`)."""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path

import pytest

from dlnotes.book import blocks, chapters, layout, ledger, pages
from tests.sabotage import Patch, applied

ROOT = Path(__file__).resolve().parent.parent
BOOK = layout.Layout(ROOT)


def evidence(page: pages.Page, claim: str) -> list[pages.Fence]:
    """Give the blocks that stand inside the claim; starters of exercises are no evidence."""
    inside = [(block, block.inside("claim")) for block in page.blocks]
    return [block for block, at in inside if at and at.argument == claim and blocks.STARTER not in block.marks]


def settled(stem: str) -> dict[str, Path]:
    """Give the page of the chapter on which each claim is settled."""
    return {part.argument: BOOK.docs / name for name, part in chapters.read(BOOK, stem).named("claim")}


def sabotage(stem: str) -> dict[str, tuple[Patch, ...]]:
    entries = importlib.import_module(f"tests.sabotage.{stem}").SABOTAGE
    return {claim: (entry,) if isinstance(entry, Patch) else tuple(entry) for claim, entry in entries.items()}


def failures(evidence: list[pages.Fence], page: Path) -> list[BaseException]:
    results = [blocks.run(block, page) for block in evidence if blocks.reason_to_skip(block) is None]
    return [result.error for result in results if result.error is not None]


def breaches(evidence: list[pages.Fence], page: Path, patches: tuple[Patch, ...]) -> list[str]:
    """Say why the evidence cannot be trusted, or nothing."""
    if not evidence:
        return ["there is no block that could fail"]
    with applied(patches):
        broken = failures(evidence, page)
    found = [f"breaks by {error!r}, not by a wrong result" for error in broken if not _is_wrong_result(error)]
    if not broken:
        found.append("passes although the kernel is broken")
    return found + [f"fails:\n{blocks.explain(error, page)}" for error in failures(evidence, page)]


def _is_wrong_result(error: BaseException) -> bool:
    return isinstance(error, AssertionError | blocks.OutputDiffers)


CLAIMS = [pytest.param(stem, claim, id=f"{stem}/{claim}") for stem in BOOK.stems for claim in settled(stem)]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("stem", "claim"), CLAIMS)
def test_the_evidence_passes_and_can_fail(stem, claim):
    page = settled(stem)[claim]
    blocks_of_claim = evidence(pages.read(page), claim)
    reasons = [blocks.reason_to_skip(block) for block in blocks_of_claim]
    if blocks_of_claim and all(reasons):
        pytest.skip(reasons[0])
    patches = sabotage(stem).get(claim)
    assert patches, f"add {claim} to tests/sabotage/{stem}.py: a break under which its evidence fails"
    found = breaches(blocks_of_claim, page, patches)
    if found:
        pytest.fail("\n".join(found), pytrace=False)


@pytest.mark.parametrize("stem", BOOK.stems)
def test_every_claim_of_the_chapter_has_its_sabotage(stem):
    assert sorted(sabotage(stem)) == sorted(settled(stem))


@pytest.mark.parametrize("stem", BOOK.stems)
def test_the_chapter_settles_what_the_ledger_gives_it(stem):
    assert sorted(settled(stem)) == sorted(claim.id for claim in ledger.load(BOOK.ledger) if claim.chapter == stem)


# What follows shows that the harness itself can fail.

PAGE = """
/// claim | halves
```python
import arithmetic_for_a_test as arithmetic
{check}
```
///
"""


@pytest.fixture
def arithmetic(monkeypatch):
    module = types.ModuleType("arithmetic_for_a_test")
    module.half = lambda x: x / 2
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def judge(tmp_path: Path, check: str, broken) -> list[str]:
    path = tmp_path / "page.md"
    path.write_text(PAGE.format(check=check), "utf-8")
    return breaches(evidence(pages.read(path), "halves"), path, (Patch("arithmetic_for_a_test", "half", broken),))


def test_evidence_that_fails_under_the_break_is_good(arithmetic, tmp_path):
    right = arithmetic.half
    assert judge(tmp_path, "assert arithmetic.half(2) == 1", lambda x: x) == []
    shown = "print(arithmetic.half(2))\n```\n<!--pytest-codeblocks:expected-output-->\n```\n1.0"
    assert judge(tmp_path, shown, lambda x: x) == []
    assert arithmetic.half is right


@pytest.mark.parametrize(
    ("check", "broken", "why"),
    [
        ("assert arithmetic.half(0) == 0", lambda x: x, "passes although the kernel is broken"),
        ("assert arithmetic.half(2) == 1", lambda: None, "breaks by TypeError"),
        ("assert arithmetic.half(2) == 3", lambda x: x, "fails:\nTraceback"),
    ],
)
def test_bad_evidence_is_found(arithmetic, tmp_path, check, broken, why):
    right = arithmetic.half
    assert any(breach.startswith(why) for breach in judge(tmp_path, check, broken))
    assert arithmetic.half is right


def test_a_claim_without_a_block_is_found(tmp_path):
    assert breaches([], tmp_path, ()) == ["there is no block that could fail"]


def test_a_break_of_nothing_is_refused(arithmetic):
    with (
        pytest.raises(AttributeError, match="has no third to break"),
        applied((Patch(arithmetic.__name__, "third", 0),)),
    ):
        pass


def test_a_method_and_a_cache_are_put_back(arithmetic, monkeypatch):
    import functools

    class Holder:
        def value(self):
            return 1

    arithmetic.Holder = Holder
    cached = functools.cache(lambda: Holder().value())
    monkeypatch.setitem(sys.modules, "dlnotes.for_a_test", types.SimpleNamespace(cached=cached))
    assert cached() == 1
    with applied((Patch(arithmetic.__name__, "Holder.value", lambda self: 2),)):
        assert cached() == 2
    assert cached() == 1
