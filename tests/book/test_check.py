"""Every rule of the check catches its breach, at its line, and finds nothing in a book that keeps them all."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

import pytest

from dlnotes.book import blocks, check, directives, layout, lists, pages, source
from dlnotes.book.rules import directives as directive_rules
from tests.book import small_book

PAGE = "docs/chapters/initialization.md"
STARTER = f"<!--{blocks.STARTER}-->\n"
TORCH = f"<!--{blocks.NEEDS_TORCH}-->\n"
TAKEN = "dlnotes"  # on PyPI somebody else's; apart, so that no search finds an instruction to install it
OUTPUT = f"<!--{pages.EXPECTED}-->\n"


class Case(NamedTuple):
    """What stands in the chapter, what is put in its place, and the breach; « marks the line where it is found."""

    old: str
    new: str
    rule: str
    message: str
    also: str = ""  # other rules that the same slip breaks


def added(text: str, rule: str, message: str, also: str = "") -> Case:
    """Add text to the section of experiments."""
    return Case("## Experiments\n", f"## Experiments\n\n{text}\n", rule, message, also)


def fenced(code: str, info: str = "python") -> str:
    return f"«```{info}\n{code}\n```"


def marked(comment: str) -> Case:
    """Put a comment above a block that is checked."""
    return added(f"«<!--{comment}-->\n```python\nassert f() == 1\n```", "mark", "not allowed")


def starter(comment: str) -> Case:
    """Put another comment above the starter of the exercise."""
    return Case(STARTER, f"«<!--{comment}-->\n", "mark", "the only way", "exercise")


CHECKED = fenced("assert f() == 1")
PLAIN = CHECKED.removeprefix("«")
EXERCISE = small_book.CHAPTER[small_book.CHAPTER.index("//// exercise") : small_book.CHAPTER.index("## Flashcards")]
FIGURE = small_book.CHAPTER[small_book.CHAPTER.index("/// figure") : small_book.CHAPTER.index("\n## The idea")]
ALT = "Mean square of the activations against the layer, flat for He and falling for Xavier."
EVIDENCE = small_book.CHAPTER[small_book.CHAPTER.index("Here it is") : small_book.CHAPTER.index("///\n\n## Since")]

BLOCKS = {
    "py": added(fenced("assert f()", "py"), "fence", "'py' is never run"),
    "with a title": added(fenced("assert f()", 'python title="a.py"'), "fence", "is never run"),
    "in braces": added(fenced("assert f()", "{.python}"), "fence", "is never run"),
    "behind a space": added(fenced("assert f()", " python"), "fence", "is never run"),
    "with a capital": added(fenced("assert f()", "Python"), "fence", "is never run"),
    "python3": added(fenced("assert f()", "python3"), "fence", "is never run"),
    "pycon": added(fenced(">>> f()", "pycon"), "fence", "is never run"),
    "tildes": added("«~~~text\na\n~~~", "fence", "backticks"),
    "python in tildes": added("«~~~python\nassert f()\n~~~", "fence", "backticks"),
    "in a quotation": added("«> ```python\n> f()\n> ```", "fence", "never run"),
    "on a bullet": added("«- ```python\n  assert f()", "fence", "never run"),
    "bash": added(fenced("ls", "bash"), "fence", "console"),
    "sh": added(fenced("ls", "sh"), "fence", "console"),
    "without language": added(fenced("2", ""), "fence", "names its language"),
    "unclosed": Case(
        "## Reference\n\n::: dlnotes.numpy.initialization\n",
        "## Reference\n\n«```text\n",
        "fence",
        "never closed",
        "link kernel",
    ),
    "closed by more": added("«```text\na\n````", "fence", "not closed by a line ```"),
    "not closed before the next": added(f"«```text\na\n\n{PLAIN}", "fence", "not closed by a line ```"),
    "syntax": added("```python\nx = 1\n«assert x =\n```", "block", "not Python"),
    "unchecked": added(fenced("x = 1"), "block", "nothing checks"),
    "printed and not shown": added(fenced("print(1, 2)"), "block", "nothing checks"),
    "assert of a constant": added(fenced("assert True"), "block", "nothing checks"),
    "assert in a text": added(fenced('print("assert", f())'), "block", "nothing checks"),
    "checker not called": added(fenced("from dlnotes.exercises import initialization"), "block", "nothing checks"),
    "check of another module": added(fenced("import other\n\nother.check_it()"), "block", "nothing checks"),
}
MARKS = {
    "skip": marked("pytest.mark.skip"),
    "skipif": marked("pytest.mark.skipif(True, reason='')"),
    "old skip": marked("pytest-codeblocks:skip"),
    "skip file": marked("pytest-codeblocks:skipfile"),
    "continued": marked("pytest-codeblocks:cont"),
    "expect error": marked("pytest-codeblocks:expect-error"),
    "skip for want of scipy": marked("pytest-codeblocks:importorskip(scipy)"),
    "misspelled": added(f"«<!-- codeblocks pytest:skip -->\n{PLAIN}", "mark", "is no mark"),
    "above text": added(f"«{TORCH}\nText.", "mark", "stands above no block"),
    "above output": added(f"{PLAIN}\n«{TORCH}{OUTPUT}```\n1\n```", "mark", "stands above no block"),
    "above console": added(f"{TORCH}{fenced('ls', 'console')}", "mark", "not run"),
    "xfail outside an exercise": added(f"{STARTER}{CHECKED}", "mark", "only the starter"),
    "xfail of a solution": Case("/// solution\n", f"/// solution\n{STARTER}«", "mark", "only the starter"),
    "bare xfail": starter("pytest.mark.xfail"),
    "xfail of any error": starter("pytest.mark.xfail(strict=True)"),
    "xfail that may pass": starter("pytest.mark.xfail(strict=False, raises=AssertionError)"),
    "xfail of another error": starter("pytest.mark.xfail(strict=True, raises=Exception)"),
    "none above the starter": Case(STARTER, "«", "exercise", "needs <!--pytest.mark.xfail"),
    "none above torch": Case(TORCH, "«", "mark", "imports torch"),
    "torch of the book": added(fenced("from dlnotes.torch import a\n\nassert a.f()"), "mark", "imports torch"),
    "none above optuna": added(fenced("import optuna\n\nassert optuna.f()"), "mark", "blocks that import optuna"),
    "optuna not needed": added(f"<!--{blocks.NEEDS_OPTUNA}-->\n{CHECKED}", "mark", "and no others"),
    "torch not needed": added(f"{TORCH}{CHECKED}", "mark", "imports no torch"),
    "output to the blank": added(
        f"{PLAIN}\n«<!--{pages.EXPECTED}-ignore-whitespace-->\n```\n5\n```", "mark", "to the letter"
    ),
    "output of nothing": added(f"Text.\n\n«{OUTPUT}\nText.", "expected-output", "right below"),
    "output of text": added(f"```text\na\n```\n«{OUTPUT}", "expected-output", "right below"),
    "output far below": added(f"{PLAIN}\n\nText.\n\n«{OUTPUT}", "expected-output", "right below"),
    "output with a language": added(f"{PLAIN}\n{OUTPUT}{fenced('5', 'text')}", "expected-output", "no info string"),
    "empty output": added(f"{PLAIN}\n{OUTPUT}«```\n```", "expected-output", "is empty"),
}
DIRECTIVES = {
    "unknown": added("«/// clam | he-variance\n///", "directive", "did you mean claim?"),
    "unclosed": Case("::: dlnotes", "«/// details | Open\n\n::: dlnotes", "directive", "never closed by ///"),
    "closing nothing": added("Text.\n\n«/////", "directive", "closes no directive"),
    "malformed": added("«/// claim he-variance", "directive", "is opened by"),
    "as many slashes": added("/// details | A\n\n«/// details | B\n///\n///", "directive", "fewer slashes"),
    "more slashes": added("/// details | A\n\n«//// details | B\n////\n///", "directive", "fewer slashes"),
    "options that are not YAML": Case("    alt: Mean", "«    alt: Mean: ", "figure", "cannot be read"),
    "option unknown": Case("    notes: N1", "«    note: N1\n    notes: N1", "flashcard", "did you mean notes?"),
    "option of a kernel": Case("he_variance\n///", "he_variance\n«    tab: torch\n///", "kernel", "no option tab"),
    "kernel without a name": added("«/// kernel | initialization\n///", "kernel", "a module and a name"),
    "kernel without argument": added("«/// kernel\n///", "kernel", "a module and a name"),
    "kernel unknown": added("«/// kernel | initialization.he_varianze\n///", "kernel", "did you mean he_variance?"),
    "kernel of no module": added("«/// kernel | initialisation.he\n///", "kernel", "did you mean initialization?"),
    "kernel twice": Case(
        "/// kernel", "/// kernel | initialization.he_variance\n///\n\n«/// kernel", "kernel", "already"
    ),
    "figure without chapter": added(
        "«/// figure | relu\n    alt: " + ALT + "\n\nA.\n///", "figure", "a chapter and a name"
    ),
    "figure of no module": added(
        "«/// figure | momentum/a\n    alt: " + ALT + "\n\nA.\n///", "figure", "no dlnotes/figures/momentum.py"
    ),
    "figure unknown": added(
        "«/// figure | initialization/relu-dept\n    alt: " + ALT + "\n\nA.\n///", "figure", "did you mean relu_depth?"
    ),
    "figure twice": added(
        "«/// figure | initialization/relu-depth\n    alt: " + ALT + "\n\nA.\n///", "figure", "already"
    ),
    "moving without a script": Case(
        FIGURE, f"«//// moving | initialisation\n    title: By hand\n\nTry.\n\n{FIGURE}////\n", "moving", "there is no"
    ),
    "moving without a title": Case(
        FIGURE, f"«//// moving | initialization\n\nTry.\n\n{FIGURE}////\n", "moving", "no title"
    ),
    "moving without what to try": Case(
        FIGURE, f"«//// moving | initialization\n    title: By hand\n\n{FIGURE}////\n", "moving", "what to try"
    ),
    "moving without a figure": added(
        "«/// moving | initialization\n    title: By hand\n\nTry.\n///", "moving", "around one figure"
    ),
    "figure without alt": Case(
        f"/// figure | initialization/relu-depth\n    alt: {ALT}\n",
        "«/// figure | initialization/relu-depth\n",
        "figure",
        "no alt text",
    ),
    "figure with short alt": Case(
        f"/// figure | initialization/relu-depth\n    alt: {ALT}\n",
        "«/// figure | initialization/relu-depth\n    alt: A plot.\n",
        "figure",
        "says too little",
    ),
    "alt that is the caption": Case(
        f"/// figure | initialization/relu-depth\n    alt: {ALT}\n",
        "«/// figure | initialization/relu-depth\n    alt: he keeps the signal, and $q$ stays at 1\n",
        "figure",
        "repeats the caption",
    ),
    "figure without caption": Case(
        f"/// figure | initialization/relu-depth\n    alt: {ALT}\n\nHe keeps the signal, and $q$ stays at 1.\n",
        f"«/// figure | initialization/relu-depth\n    alt: {ALT}\n",
        "figure",
        "no caption",
    ),
    "claim unknown": added(f"«/// claim | he-varience\n{PLAIN}\n///", "claim", "did you mean he-variance?"),
    "claim of another chapter": added(
        f"«/// claim | batch-norm-map\n{PLAIN}\n///", "claim", "settled in the chapter batch_"
    ),
    "claim twice": Case(
        "/// claim | he-variance\nHere",
        f"/// claim | he-variance\n{PLAIN}\n///\n\n«/// claim | he-variance\nHere",
        "claim",
        "stands already",
    ),
    "claim without a block": Case(
        "/// claim | he-variance\n" + EVIDENCE, "«/// claim | he-variance\nTrust me.\n", "claim", "no python block"
    ),
    "claim for a GPU alone": Case(
        "/// claim | he-variance\n" + EVIDENCE,
        f"«/// claim | he-variance\n<!--{blocks.CUDA}-->\n```python\nimport torch\n\nassert f()\n```\n",
        "claim",
        "on every machine",
    ),
    "claim with a console block": Case(
        "/// claim | he-variance\n" + EVIDENCE,
        "«/// claim | he-variance\n```console\nls\n```\n",
        "claim",
        "no python block",
    ),
    "exercise id": added("«//// exercise | Leaky_gain\n////", "exercise", "small letters"),
    "exercise twice": added(EXERCISE + "«" + EXERCISE, "exercise", "already"),
    "exercise without title": Case(
        "//// exercise | leaky-gain\nThe gain of a leaky ReLU\n\nWrite it.\n",
        "«//// exercise | leaky-gain\n",
        "exercise",
        "no title",
    ),
    "exercise without checker": Case(
        "//// exercise | leaky-gain",
        "«//// exercise | leaky-gains",
        "exercise",
        "has no function check_leaky_gains; did you mean check_leaky_gain?",
    ),
    "exercise without solution": Case("//// exercise", "«//// exercise", "exercise", "has 0 solutions"),
    "exercise without starter": Case("//// exercise", "«//// exercise", "exercise", "no python block as starter"),
    "starter that checks nothing": Case(
        "```python\nfrom dlnotes.exercises import initialization as exercises\n\nexercises.check_leaky_gain(None)",
        "«```python\nassert f()",
        "exercise",
        "starter does not call check_leaky_gain",
    ),
    "solution that checks nothing": Case(
        "```python\nfrom dlnotes.exercises import initialization as exercises\n\nexercises.check_leaky_gain(1)",
        "«```python\nassert f()",
        "exercise",
        "solution does not call check_leaky_gain",
    ),
    "solution with argument": Case("/// solution\n", "«/// solution | first\n", "solution", "no argument"),
    "solution alone": added("«/// solution\nText.\n///", "solution", "inside an exercise"),
    "flashcard id": added(
        "«/// flashcard | he for relu\n    notes: N1\n\nWhy?\n\nSo.\n///", "flashcard", "small letters"
    ),
    "flashcard twice": Case(
        "/// flashcard",
        "/// flashcard | he-for-relu\n    notes: N1\n\nWhy?\n\nSo.\n///\n\n«/// flashcard",
        "flashcard",
        "already",
    ),
    "flashcard without question": added(
        "«/// flashcard | a\n    notes: N1\n\nBecause.\n\nSo.\n///", "flashcard", "no question"
    ),
    "flashcard without answer": added("«/// flashcard | a\n    notes: N1\n\nWhy?\n///", "flashcard", "no answer"),
    "flashcard without notes": added("«/// flashcard | a\nWhy?\n\nSo.\n///", "flashcard", "which notes"),
    "flashcard of a note unknown": added(
        "«/// flashcard | a\n    notes: N1, N6\n\nWhy?\n\nSo.\n///", "flashcard", "which notes"
    ),
    "list with argument": added("«/// claims-list | all\n///", "claims-list", "no argument"),
    "list with text": added("«/// notes-list\nText.\n///", "notes-list", "no text"),
    "showcase unknown": added("«/// claim-showcase | he-varianse\n///", "claim-showcase", "did you mean he-variance?"),
    "showcase of an open claim": added(
        "«/// claim-showcase | batch-norm-map\n///", "claim-showcase", "no chapter settles"
    ),
}
REFERENCES = {
    "inline formula": added("«See $\\frec{1}{2}$.", "formula", "Undefined control sequence: \\frec"),
    "displayed formula": added("«$$\nx^\n$$", "formula", "Expected group after '^'"),
    "formula that needs trust": added("«See $\\href{a}{b}$.", "formula", "only in trusted text"),
    "empty formula": added("«$$\n$$", "formula", "it is empty"),
    "unclosed formula": added("«$$\nx = 1\n\nText.", "formula", "not closed"),
    "display in a line": added("«See $$x$$ here.", "formula", "lines of their own"),
    "stray dollar": added("«It costs $5.", "formula", "a dollar is written \\$"),
    "dollar on the next line": added("It costs\n«$5.", "formula", "a dollar is written \\$"),
    "two labels": added("«$$\nx \\label{a} + \\label{b}\n$$", "formula", "one label"),
    "inline label": added("«See $x \\label{a}$.", "formula", "Undefined control sequence: \\label"),
    "label twice": Case("$$\nq", "$$\np \\label{forward}\n$$\n\n«$$\nq", "label", "stands already in line"),
    "label of words": added("«$$\ny \\label{the law}\n$$", "label", "small letters"),
    "equation": added("«By \\eqref{forwards}.", "eqref", "the page has no equation forwards; did you mean forward?"),
    "equation elsewhere": added(
        "«By \\eqref{initialization/b}.", "eqref", "the chapter initialization has no equation b"
    ),
    "equation of no chapter": added("«By \\eqref{initialisation/b}.", "eqref", "did you mean initialization?"),
    "figure": added("«See \\figref{relu-dept}.", "figref", "did you mean relu-depth?"),
    "citation": added("«By [@glorot2001, page 3].", "citation", "did you mean glorot2010?"),
    "page": added("«See [x](initialisation.md).", "link", "no file chapters/initialisation.md; did you mean"),
    "anchor": added("«See [x](#the-ide).", "link", "has no anchor the-ide; did you mean the-idea?"),
    "anchor of another page": added("«See [x](../index.md#start).", "link", "index.md has no anchor start"),
    "reference-style link": added("«See [x][home].\n\n[home]: ../home.md", "link", "there is no file home.md"),
    "link without target": added("«See [x]().", "link", "no target"),
    "absolute link": added("«See [x](/index.md).", "link", "relative to the page"),
    "link out of the site": added("«See [x](../../README.md).", "link", "lies outside"),
    "link to a folder": added("«See [x](../chapters/).", "link", "no file chapters"),
    "broken address": added("«See [x](<http://[a>).", "link", "is no address"),
    "HTML link": added('«See <a href="gone.md">x</a>.', "link", "no file chapters/gone.md"),
    "undefined link": added("«See [x][y].", "link", "defined nowhere"),
    "undocumented name": added("«See [x][dlnotes.numpy.initialization.he].", "link", "no page documents"),
    "API twice": Case("::: dl", "::: dlnotes.numpy.initialization\n\n«::: dl", "api", "is documented already in"),
    "kernel without API": Case("/// kernel", "«/// kernel", "kernel", "no page documents dlnotes.numpy", "link api"),
    "API of no module": added("«::: dlnotes.numpy.momentum", "api", "there is no dlnotes.numpy.momentum"),
    "API of no name": added(
        "«::: dlnotes.numpy.initialization.he", "api", "there is no dlnotes.numpy.initialization.he"
    ),
    "image": added(f"«![{ALT}](gone.svg)", "link", "no file chapters/gone.svg"),
    "image without alt": added("«![](../index.md)", "image", "no alt text"),
    "image in a link": added("«[![A plot](../index.md)](../index.md)", "image", "says too little"),
    "HTML image without alt": added('«<img src="../index.md">', "image", "no alt text"),
}
STRUCTURE = {
    "no h1": Case("\n# Initialization\n\nHow", "\n«How", "heading", "this one has 0"),
    "two h1": added("«# Another", "heading", "this one has 2"),
    "level skipped": added("«#### Deep", "heading", "level 4 below one of level 2"),
    "empty heading": added("«### { #empty }", "heading", "is empty"),
    "heading without space": added("«#1 of the reasons", "heading", "a space behind its #"),
    "underlined heading": added("Title\n«-----", "heading", "with #"),
    "no title": Case("---\ntitle: Initialization\n", "«---\n", "front-matter", "a title"),
    "no description": Case(
        "---\ntitle: Initialization\ndescription: How large the first weights should be.\n",
        "«---\ntitle: Initialization\n",
        "front-matter",
        "a description",
    ),
    "front matter": Case("---\ntitle: Initialization\n", "«---\ntitle: [\n", "front-matter", "cannot be read"),
    "section missing": Case("# Initialization\n", "«# Initialization\n", "sections", "'Since the notes' is missing"),
    "section unknown": added("«## Summary", "sections", "'Summary' is no section"),
    "section twice": Case("## Reference\n", "«## The idea\n\n## Reference\n", "sections", "stands where"),
    "no question": Case("# Initialization\n", "«# Initialization\n", "opening", "question"),
    "no figure": Case("# Initialization\n", "«# Initialization\n", "opening", "figure", "figref"),
    "comment": Case("## Reference\n", "## Reference\n\n«<!-- open\n", "comment", "never closed", "link kernel"),
    "install": added(f"```console\n«pip install {TAKEN}\n```", "install", "belongs to another project"),
    "install with an extra": added(f"«Type `pip install -U '{TAKEN}[site]'`.", "install", "belongs to another project"),
    "install with uv": added(f"«Type `uv pip install {TAKEN}`.", "install", "belongs to another project"),
}
CUTS = {
    "kernel without API": "::: dlnotes.numpy.initialization\n",
    "exercise without starter": small_book.CHAPTER[
        small_book.CHAPTER.index(STARTER) : small_book.CHAPTER.index("/// solution")
    ],
    "exercise without solution": small_book.CHAPTER[
        small_book.CHAPTER.index("/// solution") : small_book.CHAPTER.index("////\n\n## Flash")
    ],
    "section missing": "## Since the notes\n\nNothing.\n",
    "no question": "{ .question }\n",
    "no figure": small_book.CHAPTER[small_book.CHAPTER.index("/// figure") : small_book.CHAPTER.index("## The idea")],
}
GROUPS = {"blocks": BLOCKS, "marks": MARKS, "directives": DIRECTIVES, "references": REFERENCES, "structure": STRUCTURE}


@pytest.mark.parametrize(("group", "name"), [(group, name) for group, cases in GROUPS.items() for name in cases])
def test_a_breach_is_found_at_its_line(tmp_path: Path, group: str, name: str) -> None:
    case = GROUPS[group][name]
    assert case.old in small_book.CHAPTER, "the small book has changed: the case changes nothing"
    text = small_book.CHAPTER.replace(case.old, case.new, 1).replace(CUTS.get(name, "\0"), "", 1)
    line = text[: text.index("«")].count("\n") + 1
    found = check.check(small_book.write(tmp_path, docs_chapters_initialization_md=text.replace("«", "")))
    shown = "\n".join(map(str, found))
    at_line = {breach for breach in found if (breach.path, breach.line) == (PAGE, line)}
    meant = {breach for breach in at_line if breach.rule == case.rule and case.message in breach.message}
    assert len(meant) == 1, shown
    assert {breach.rule for breach in found} - {breach.rule for breach in meant} <= set(case.also.split()), shown


def test_a_book_that_keeps_the_rules_has_no_breach(tmp_path: Path) -> None:
    assert check.check(small_book.write(tmp_path)) == []


def test_pages_written_on_windows_and_with_a_mark_of_byte_order_are_read_alike(tmp_path: Path) -> None:
    book = small_book.write(tmp_path)
    for path in book.docs.rglob("*.md"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_text("utf-8").replace("\n", "\r\n").encode())
    assert check.check(book) == []


OUTSIDE = {
    "a page that is not in the nav": ("mkdocs_yml", "      - chapters/initialization.md\n", "", ["nav"]),
    "a nav entry without page": (
        "mkdocs_yml",
        "index.md\n",
        "index.md\n  - gone.md\n",
        ["mkdocs.yml:7: nav: there is no page gone.md"],
    ),
    "a ledger with a slip": (
        "docs_claims_yaml",
        "verdict: holds",
        "verdict: true",
        ["docs/claims.yaml:1: claims: verdict must be"],
    ),
    "a bibliography with a slip": (
        "docs_references_yaml",
        "year: 2010",
        "year: soon",
        ["docs/references.yaml:1: references: year must be a year"],
    ),
    "a source that nobody cites": (
        "docs_references_yaml",
        '  confirmed: "no"\n',
        '  confirmed: "no"\n' + small_book.FILES["docs/references.yaml"].replace("glorot2010", "he2015"),
        ["docs/references.yaml:8: bibliography: no page cites he2015"],
    ),
    "claims counted in the README": (
        "README_md",
        "# Small\n",
        "# Small\n\nFive study notes make\n138 claims.\n",
        ["README.md:4: count: 138 claims: there are 2"],
    ),
    "chapters counted on the home page": (
        "docs_index_md",
        "# Home\n",
        "# Home\n\nTwo chapters, and Five\nnotes.\n",
        ["docs/index.md:3: count: Two chapters: there are 1"],
    ),
    "claims counted in a chapter": (
        "docs_chapters_initialization_md",
        "## What the notes say\n",
        "## What the notes say\n\nSeven statements are settled here.\n",
        ["docs/chapters/initialization.md:71: count: Seven statements: there are 1"],
    ),
    "another project in the README": (
        "README_md",
        "pip install -e .",
        f"pip install {TAKEN}",
        ["README.md:5: install:"],
    ),
    "a claim settled outside a chapter": (
        "docs_index_md",
        "# Home\n",
        "# Home\n\n/// claim | batch-norm-map\n```python\nassert f()\n```\n///\n",
        ["docs/index.md:3: claim: batch-norm-map is settled in the chapter batch_normalization"],
    ),
    "an exercise outside a chapter": (
        "docs_index_md",
        "# Home\n",
        "# Home\n\n" + EXERCISE,
        ["an exercise stands in a chapter", "stands already"],
    ),
    "a card outside a chapter": (
        "docs_index_md",
        "# Home\n",
        "# Home\n\n/// flashcard | a\n    notes: N1\n\nWhy?\n\nSo.\n///\n",
        ["docs/index.md:3: flashcard: a flashcard stands in a chapter"],
    ),
    "a theme block that is not turned on": (
        "mkdocs_yml",
        "  - pymdownx.blocks.details\n",
        "",
        ["there is no directive details"],
    ),
    "a function that is not drawn": (
        "dlnotes_figures_initialization_py",
        "def draw_relu_depth",
        "def draw_depth",
        ["has no function draw_relu_depth"],
    ),
    "a member that the API leaves out": (
        "docs_chapters_initialization_md",
        "::: dlnotes.numpy.initialization\n",
        "::: dlnotes.numpy.initialization\n    options:\n      members: [Cache]\n",
        ["no page documents dlnotes.numpy.initialization.he_variance"],
    ),
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_breach_outside_the_chapter_is_found(tmp_path: Path, name: str) -> None:
    file, old, new, wanted = OUTSIDE[name]
    text = {key.replace("/", "_").replace(".", "_"): text for key, text in small_book.FILES.items()}[file]
    assert old in text
    shown = [str(breach) for breach in check.check(small_book.write(tmp_path, **{file: text.replace(old, new, 1)}))]
    for message in wanted:
        assert any(message in line for line in shown), shown


def test_a_kernel_of_torch_alone_is_shown_too(tmp_path: Path) -> None:
    text = small_book.CHAPTER.replace(
        "/// kernel | initialization.he_variance", "/// kernel | initialization.he_normal_"
    )
    assert check.check(small_book.write(tmp_path, docs_chapters_initialization_md=text)) == []


def test_code_that_is_only_output_of_words_is_no_check(tmp_path: Path) -> None:
    code = "from numpy import testing\n\ntesting.assert_allclose(1, 1)"
    text = small_book.CHAPTER.replace("## Experiments\n", f"## Experiments\n\n```python\n{code}\n```\n")
    (breach,) = check.check(small_book.write(tmp_path, docs_chapters_initialization_md=text))
    assert breach.rule == "block"


def test_the_directives_known_to_the_check_are_those_of_the_press() -> None:
    press = {part.NAME for part in (*directives.DIRECTIVES, *lists.DIRECTIVES)} | {"flashcards-list", "exports-list"}
    assert set(directive_rules.RULES) == press


def test_what_is_open_is_told_and_breaks_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    claims = small_book.FILES["docs/claims.yaml"].replace("batch_normalization", "initialization")
    book = small_book.write(tmp_path, docs_claims_yaml=claims)
    assert check.run(book) == 0
    assert capsys.readouterr().out.splitlines() == [
        "docs/chapters/initialization.md: claims not settled yet: batch-norm-map",
        "3 pages, 1 chapter, 1 of 2 claims settled",
    ]


def test_a_claim_whose_evidence_is_to_be_written_is_not_settled(tmp_path: Path) -> None:
    text = small_book.CHAPTER.replace("Here it is:", "TODO the evidence.")
    book = small_book.write(tmp_path, docs_chapters_initialization_md=text)
    assert check.unsettled(book) == ["docs/chapters/initialization.md: claims not settled yet: he-variance"]
    assert check.tally(book) == "3 pages, 1 chapter, 0 of 2 claims settled"


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("docs/claims.yaml", "verdict: holds", "verdict: true", "docs/claims.yaml:1: claims: verdict must be"),
        (
            "docs/references.yaml",
            "- key: glorot2010\n  authors",
            "- authors",
            "docs/references.yaml:1: references: the f",
        ),
        (PAGE, "/// claim | he", "//// claim | he", f"{PAGE}:71: directive: claim is never closed by ////"),
        (PAGE, "/// solution", "//// solution", f"{PAGE}:87: directive: exercise is never closed by ////"),
        (PAGE, "## Reference", "<!-- later\n\n## Reference", f"{PAGE}:118: comment: this comment is never closed"),
    ],
)
def test_what_hides_the_rest_is_told_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, old: str, new: str, message: str
) -> None:
    book = small_book.write(tmp_path, docs_index_md="# Home\n\nIt costs $5.\n")
    path = tmp_path / file
    assert old in path.read_text("utf-8")
    path.write_text(path.read_text("utf-8").replace(old, new, 1), "utf-8")
    assert check.run(book) == 1
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith(message)
    assert told[1:] == ["the rest is checked when this is mended"]


def test_breaches_are_printed_with_path_line_and_rule(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = small_book.write(tmp_path, docs_index_md="# Home\n\nIt costs $5.\n")
    assert check.run(book) == 1
    assert capsys.readouterr().out.splitlines()[0] == (
        "docs/index.md:3: formula: this $ opens or closes no formula; a dollar is written \\$"
    )


def test_a_broken_cache_of_formulas_is_made_again(tmp_path: Path) -> None:
    book = small_book.write(tmp_path)
    cache = book.cache / "katex.json"
    for damage in ("", "{}", "[1]", '["x'):
        cache.parent.mkdir(exist_ok=True)
        cache.write_text(damage)
        assert check.check(book) == []
        assert len(cache.read_text()) > 50


def large_book(root: Path, chapters: int) -> layout.Layout:
    """Write a book of as many chapters as long as real ones, each with its own formulas."""
    stems = [f"chapter_{number}" for number in range(chapters)]
    book = small_book.write(
        root,
        mkdocs_yml="nav:\n  - index.md\n  - references.md\n" + "".join(f"  - chapters/{stem}.md\n" for stem in stems),
        docs_index_md="# Home\n",
        docs_claims_yaml="".join(
            f"- id: claim-{stem[8:]}\n  notes: [N1]\n  chapter: {stem}\n  verdict: holds\n  claim: A\n  evidence: B\n"
            for stem in stems
        ),
    )
    book.page("initialization").unlink()
    for kind in ("numpy", "torch"):  # else no page describes these
        (book.package / kind / "initialization.py").unlink()
    for number, stem in enumerate(stems):
        text = small_book.CHAPTER.replace("initialization", stem).replace("he-variance", f"claim-{number}")
        text = text.replace("leaky-gain", f"gain-{number}").replace("check_leaky_gain", f"check_gain_{number}")
        text = text.replace("he-for-relu", f"card-{number}")
        text = text.replace("/// details | Open", "")
        block = "```python\nassert f() == 1\n```\n"
        body = "".join(
            f"\nText of a paragraph with $x_{{{number}, {part}}}$ and [a link](#the-idea), {'words ' * 60}\n\n{block}"
            f"\n$$\n\\frac{{a_{{{part}}}}}{{b_{{{number}}}}} \\label{{l-{part}}}\n$$\n\nBy \\eqref{{l-{part}}}.\n"
            for part in range(40)
        )
        text = text.replace("## Experiments\n", f"## Experiments\n{body}").replace(
            '=== "A tab"\n\n    ```python\n    assert sum([1, 1]) == 2\n    ```\n', ""
        )
        book.page(stem).write_text(text, "utf-8")
        for kind in ("numpy", "torch", "figures", "exercises"):
            code = small_book.FILES[f"dlnotes/{kind}/initialization.py"].replace("leaky_gain", f"gain_{number}")
            (book.package / kind / f"{stem}.py").write_text(code, "utf-8")
    return layout.Layout(root)


def test_a_book_of_21_chapters_is_checked_in_well_under_three_seconds(tmp_path: Path) -> None:
    book = large_book(tmp_path, 21)
    seconds = []
    for _ in range(3):
        pages._parsed.cache_clear()
        source._read.cache_clear()
        start = time.process_time()  # tests run beside each other
        assert [str(breach) for breach in check.check(book)] == []
        seconds.append(time.process_time() - start)
    assert min(seconds) < 3, seconds
