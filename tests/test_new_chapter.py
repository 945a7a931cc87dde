"""The skeleton of a new chapter: complete, well formed, and refused until it is filled."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dlnotes.book import check, layout, new_chapter
from tests import laws

ROOT = Path(__file__).resolve().parent.parent
STEM = "gradient_clipping"
LEDGER = """- id: clip-keeps-direction
  notes: [N3, N5]
  chapter: gradient_clipping
  verdict: limits
  claim: "Clipping keeps the direction {of} the gradient."
  evidence: "angle before and after, by norm and by value"
- id: elsewhere
  notes: [N1]
  chapter: momentum
  verdict: holds
  claim: "Another chapter's."
  evidence: "none here"
"""


@pytest.fixture
def book(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "claims.yaml").write_text(LEDGER, "utf-8")
    (tmp_path / "docs" / "references.yaml").write_text("[]\n", "utf-8")
    (tmp_path / "mkdocs.yml").write_text(f"nav:\n  - chapters/{STEM}.md\n", "utf-8")
    return layout.Layout(tmp_path)


def test_every_part_of_the_chapter_is_written(book):
    written = new_chapter.write(book, STEM)
    assert len(written) == 12
    assert laws.one_word(book.root) == []
    for law in (laws.lazy_annotations, laws.modules_not_names, laws.no_files, laws.plain_names, laws.page_imports):
        assert law(book.root) == []


def test_what_is_there_stays(book):
    path = book.module(STEM, "numpy")
    path.parent.mkdir(parents=True)
    path.write_text("mine", "utf-8")
    assert path not in new_chapter.write(book, STEM)
    assert path.read_text("utf-8") == "mine"
    assert new_chapter.write(book, STEM) == []
    assert "has all its files already" in new_chapter.report(book, STEM, [])


def test_the_page_holds_the_chapters_claims_and_no_others(book):
    new_chapter.write(book, STEM)
    text = book.beside(STEM, "claims").read_text("utf-8")
    assert "/// claim | clip-keeps-direction" in text
    assert "angle before and after" in text
    assert "elsewhere" not in text
    assert "/// claim-rows" in book.page(STEM).read_text("utf-8")
    assert "clip-keeps-direction: Clipping keeps the direction {of} the gradient." in (
        book.root / "tests" / "sabotage" / f"{STEM}.py"
    ).read_text("utf-8")


def test_the_shape_of_the_page_is_right_and_every_todo_is_refused(book):
    new_chapter.write(book, STEM)
    every = check.check(book)
    for page in book.chapter_pages(STEM):
        found = [breach for breach in every if breach.path == book.relative(page)]
        assert {breach.rule for breach in found} <= {"unfinished", "claim", "kernel"}
        todo = [number for number, line in enumerate(page.read_text("utf-8").split("\n"), 1) if "TODO" in line]
        assert [breach.line for breach in found if breach.rule == "unfinished"] == todo
        assert len(todo) > 1
    assert "this is still to be done: description: TODO" in str(every)

    for page in book.chapter_pages(STEM):
        page.write_text(re.sub(r"\bTODO\b", "done", page.read_text("utf-8")), "utf-8")
    assert [breach for breach in check.check(book) if breach.rule == "unfinished"] == []


def test_the_reference_has_the_torch_twin_where_there_is_one(book):
    numpy, torch = (f"::: dlnotes.{backend}.{STEM}\n" for backend in layout.BACKENDS)
    assert new_chapter.files(book, STEM)[book.api(STEM)].endswith(f"\n\n{numpy}")
    twin = book.module(STEM, "torch")
    twin.parent.mkdir(parents=True)
    twin.touch()
    assert new_chapter.files(book, STEM)[book.api(STEM)].endswith(f"\n\n{numpy}{torch}")


def test_a_word_that_only_contains_the_letters_is_no_todo(book):
    new_chapter.write(book, STEM)
    (book.docs / "index.md").write_text("# A page\n\nTODOS and mastodons.\n", "utf-8")
    assert [
        breach for breach in check.check(book) if breach.path == "docs/index.md" and breach.rule == "unfinished"
    ] == []


def test_the_code_is_well_formed_and_its_tests_fail(book):
    new_chapter.write(book, STEM)
    shutil.copy(ROOT / "pyproject.toml", book.root)

    def call(*words):
        command = [sys.executable, "-m", *words]
        return subprocess.run(command, cwd=book.root, capture_output=True, text=True, check=False)

    for words in (["check"], ["format", "--check"]):
        ran = call("ruff", *words, "--no-cache", "--output-format", "concise", ".")
        assert ran.returncode == 0, ran.stdout
    ran = call("pytest", "-q", "-p", "no:cacheprovider", f"tests/test_{STEM}.py")
    assert ran.returncode == pytest.ExitCode.TESTS_FAILED
    assert f"TODO the tests of dlnotes.numpy.{STEM}" in ran.stdout


def test_the_report_says_what_comes_next(book):
    assert "nav" not in new_chapter.report(book, STEM, new_chapter.write(book, STEM))
    report = new_chapter.report(book, "momentum", new_chapter.write(book, "momentum"))
    assert "wrote docs/chapters/momentum.md" in report
    assert "nav of mkdocs.yml: chapters/momentum.md and api/momentum.md" in report


@pytest.mark.parametrize("stem", ["part2", "Momentum", "my-chapter", "class", "", "two__words", "../momentum"])
def test_a_word_that_cannot_name_a_chapter_is_refused(book, stem):
    with pytest.raises(new_chapter.NameRefused, match="words of small letters"):
        new_chapter.write(book, stem)


@pytest.mark.parametrize(
    ("stem", "message"),
    [
        ("nul", "names a device"),
        ("aux", "names a device"),
        ("index", "is the home of a folder"),
        ("a" * 41, "longer than 40 letters"),
        ("gradient", "figures' files apart"),
        ("gradient_clipping_more", "figures' files apart"),
        ("laws_of_layout", r"is taken: tests/test_laws_of_layout\.py tests something else"),
        ("paper", r"is taken: dlnotes/figures/paper\.py draws for all chapters"),
    ],
)
def test_a_word_that_something_else_answers_to_is_refused(book, stem, message):
    for path in (book.root / "tests" / "test_laws_of_layout.py", book.package / "figures" / "paper.py"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    with pytest.raises(new_chapter.NameRefused, match=message):
        new_chapter.write(book, stem)
    assert list((book.root / "docs").glob("chapters/*")) == []


def test_a_word_that_says_nothing_is_refused(book):
    with pytest.raises(new_chapter.NameRefused, match="does not say what is inside"):
        new_chapter.write(book, "training_utils")
    assert list((book.root / "docs").glob("chapters/*")) == []
