"""The laws of the house hold here, and each finds its breach in a small broken tree."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path

import pytest

from dlnotes.book import blocks, chapters, layout, pages, source, words
from tests import laws

ROOT = Path(__file__).resolve().parent.parent
BOOK = layout.Layout(ROOT)

LAWS = (
    laws.one_word,
    laws.described_once,
    laws.plain_names,
    laws.short,
    laws.short_chapters,
    laws.arrows,
    laws.no_cycles,
    laws.no_side_door,
    laws.modules_not_names,
    laws.lazy_annotations,
    laws.no_asserts,
    laws.no_files,
    laws.no_foreign_install,
    laws.vendored,
    laws.page_imports,
)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law_holds(law):
    fail_with(f"{path}:{line}: {message}" for path, line, message in law(ROOT))


def fail_with(breaches: Iterable[str]) -> None:
    """Fail with every breach on a line of its own."""
    lines = "\n".join(breaches)
    if lines:
        pytest.fail(lines, pytrace=False)


def test_the_pages_pass_the_check():
    from dlnotes.book import check

    fail_with(map(str, check.check(BOOK)))


def test_the_book_has_chapters():
    assert BOOK.stems  # else most of what is tested here would hold for nothing


# Imports


def python(code: str, *, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess:
    """Run code in a process of its own."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        cwd=cwd or ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_kernels_import_numpy_alone():
    modules = [f"dlnotes.numpy.{path.stem}" for path in sorted((ROOT / "dlnotes" / "numpy").glob("[!_]*.py"))]
    ran = python(
        f"""
        import importlib, json, sys
        before = set(sys.modules)
        for name in ["dlnotes.numpy", "dlnotes.checks", "dlnotes.datasets", *{modules}]:
            importlib.import_module(name)
        found = {{name for name in set(sys.modules) - before if getattr(sys.modules[name], "__spec__", None)}}
        print(json.dumps(sorted({{name.split(".")[0] for name in found}})))
        """
    )
    assert ran.returncode == 0, ran.stderr
    others = set(json.loads(ran.stdout)) - sys.stdlib_module_names
    assert {name for name in others if not name.startswith("_")} == {"numpy", "dlnotes"}


def test_import_costs_little_more_than_numpy():
    """At most 1.3 of `import numpy`, in processor time; the least of seven rounds, because noise only adds."""
    seconds: dict[str, list[float]] = {"numpy": [], "dlnotes.numpy": []}
    for _ in range(7):
        for name, taken in seconds.items():
            ran = python(f"import time; t = time.process_time(); import {name}; print(time.process_time() - t)")
            taken.append(float(ran.stdout))
    assert min(seconds["dlnotes.numpy"]) <= 1.3 * min(seconds["numpy"])


# Code that readers copy


def shown_kernels() -> list[tuple[str, str]]:
    """List what the pages show of the kernels: (argument, backend)."""
    shown = {found.argument for stem in BOOK.stems for _, found in chapters.read(BOOK, stem).named("kernel")}
    backends = [name for name in layout.BACKENDS if importlib.util.find_spec(name)]
    return [(name, backend) for name in sorted(shown) for backend in backends if source.exists(name, backend)]


def copied_code_breaches(codes: dict[str, tuple[str, str]], folder: Path) -> list[str]:
    """Run each piece, a file of its own, far from the repository; give those that fail or lack what they show."""
    for number, (code, _) in enumerate(codes.values()):
        (folder / f"piece_{number}.py").write_text(code, "utf-8")
    ran = python(
        f"""
        import json, runpy, traceback
        breaches = []
        for number, (title, name) in enumerate({[(title, name) for title, (_, name) in codes.items()]!r}):
            try:
                if not callable(runpy.run_path(f"piece_{{number}}.py", run_name="__main__").get(name)):
                    breaches.append(f"{{title}}: {{name}} is not there")
            except BaseException:
                breaches.append(f"{{title}}: " + traceback.format_exc())
        print(json.dumps(breaches))
        """,
        cwd=folder,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_what_the_copy_button_copies_runs_alone(tmp_path):
    codes = {
        f"{argument} ({backend})": (source.standalone(argument, backend), argument.split(".")[1])
        for argument, backend in shown_kernels()
    }
    assert codes
    fail_with(copied_code_breaches(codes, tmp_path))


def test_copied_code_that_lacks_something_is_found(tmp_path):
    codes = {
        "good": ("from dlnotes import checks\ndef f():\n    return checks\n", "f"),
        "lacks an import": ("f = np.zeros\n", "f"),
        "lacks the name": ("g = len\n", "f"),
    }
    breaches = copied_code_breaches(codes, tmp_path)
    assert [breach.split(":")[0] for breach in breaches] == ["lacks an import", "lacks the name"]
    assert "NameError" in breaches[0]


# Exercises


def exercise_breach(code: str, line: int, page: Path, checker: Path) -> str | None:
    """Say why a starter does not fail as it should: by an AssertionError that its checker raises."""
    result = blocks.run(pages.Fence("python", code, line, 0, (), None, None, None), page)
    if not isinstance(result.error, AssertionError):
        return f"line {line}: the starter ends with {result.error!r}"
    trace, files = result.error.__traceback__, []
    while trace is not None:
        files.append(Path(trace.tb_frame.f_code.co_filename))
        trace = trace.tb_next
    if checker not in files:
        return f"line {line}: the starter fails by itself, not in {checker.name}"
    return None if str(result.error) else f"line {line}: the checker does not say what is wrong"


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("stem", BOOK.stems)
def test_a_starter_fails_in_its_checker_which_says_why(stem):
    starters = [
        (BOOK.docs / name, each) for name, each in chapters.read(BOOK, stem).blocks() if blocks.STARTER in each.marks
    ]
    assert starters
    found = [exercise_breach(block.code, block.line, page, BOOK.exercises(stem)) for page, block in starters]
    assert [breach for breach in found if breach] == []


def test_a_starter_that_fails_otherwise_is_found(tmp_path):
    checker = tmp_path / "checker.py"
    checker.write_text(
        "def check(x):\n    assert x == 1, f'x is {x}, not 1'\ndef mute(x):\n    assert x == 1\n", "utf-8"
    )
    head = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import checker; sys.path.pop(0)\n"
    page = tmp_path / "page.md"
    assert exercise_breach(head + "checker.check(2)", 1, page, checker) is None
    for code, why in {
        "checker.check(1)": "ends with None",
        "checker.check()": "ends with TypeError",
        "assert False, 'why'": "fails by itself",
        "checker.mute(2)": "does not say",
    }.items():
        assert why in exercise_breach(head + code, 1, page, checker)


# What follows shows that each law finds its breach, with file and line.


@pytest.fixture
def tree(tmp_path):
    """Write a small book that keeps every law, and whatever else a test asks for."""

    def write(files: dict[str, str] | None = None, *missing: str) -> Path:
        good = {
            "mkdocs.yml": "nav:\n  - Part:\n      - chapters/depth.md\n",
            "docs/chapters/depth.md": "# Depth\n",
            "docs/api/depth.md": "# API: Depth\n",
            "docs/assets/vendored.json": "[]",
            "dlnotes/__init__.py": '"""The package."""\n\n__version__ = "1"\n',
            "dlnotes/checks.py": "from __future__ import annotations\n",
            "dlnotes/numpy/__init__.py": "",
            "dlnotes/numpy/depth.py": (
                "from __future__ import annotations\n\nfrom typing import TYPE_CHECKING\n\nimport numpy as np\n\n"
                "from dlnotes import checks\n\nif TYPE_CHECKING:\n    from jaxtyping import Float\n"
            ),
            "dlnotes/figures/depth.py": "from __future__ import annotations\nfrom dlnotes.numpy import depth\n",
            "dlnotes/figures/paper.py": (
                "from __future__ import annotations\nimport pathlib\ndef draw():\n    import matplotlib\n"
            ),
            "dlnotes/exercises/depth.py": "from __future__ import annotations\n",
            "tests/test_depth.py": "",
            "tests/bad_input/depth.py": "",
            "tests/sabotage/depth.py": "",
        }
        for name, text in {**good, **(files or {})}.items():
            if name not in missing:
                path = tmp_path / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, "utf-8")
        return tmp_path

    return write


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_a_lawful_tree_passes(law, tree):
    assert law(tree()) == []


FUTURE = "from __future__ import annotations\n"
LONG = FUTURE + "".join(f"x{i} = {i}\n" for i in range(400))
LONG_PAGE = "# Depth\n\n" + "word " * words.LIMIT + "\n"
LONG_FUNCTION = FUTURE + "def f():\n" + '    """Say."""\n' + "    # why\n\n" + "    x = 1\n" * 40
BROKEN = [
    (laws.one_word, {"docs/chapters/alone.md": ""}, "docs/chapters/alone.md", 1, "no chapter"),
    (laws.one_word, {"docs/chapters/alone/claims.md": ""}, "docs/chapters/alone/claims.md", 1, "no page of a chapter"),
    (laws.one_word, {"dlnotes/exercises/alone.py": ""}, "dlnotes/exercises/alone.py", 1, "no chapter"),
    (laws.one_word, {"tests/sabotage/alone.py": ""}, "tests/sabotage/alone.py", 1, "no chapter"),
    (laws.one_word, {"dlnotes/numpy/network.py": ""}, "tests/test_network.py", 1, "lacks"),
    (laws.one_word, {"dlnotes/numpy/network.py": ""}, "tests/bad_input/network.py", 1, "lacks"),
    (laws.one_word, {"dlnotes/torch/depth.py": ""}, "tests/parity/depth.py", 1, "lacks"),
    (laws.one_word, {"docs/api/alone.md": ""}, "docs/api/alone.md", 1, "no module"),
    (laws.described_once, {"dlnotes/numpy/depth.py": "\ndef f(): ...\n"}, "dlnotes/numpy/depth.py", 2, "0 entries"),
    (laws.described_once, {"dlnotes/checks.py": "class Check: ...\n"}, "dlnotes/checks.py", 1, "0 entries"),
    (laws.described_once, {"dlnotes/torch/depth.py": "def f(): ...\n"}, "dlnotes/torch/depth.py", 1, "0 entries"),
    (
        laws.described_once,
        {"docs/api.md": "::: dlnotes.checks\n\n::: dlnotes.checks\n", "dlnotes/checks.py": "def f(): ...\n"},
        "dlnotes/checks.py",
        1,
        "2 entries",
    ),
    (
        laws.described_once,
        {"docs/api/depth.md": "# API\n\n::: dlnotes.numpy.deep\n"},
        "docs/api/depth.md",
        3,
        "no module",
    ),
    (laws.plain_names, {"docs/chapters/01_depth.md": ""}, "docs/chapters/01_depth.md", 1, "number"),
    (laws.plain_names, {"dlnotes/numpy/depth2.py": ""}, "dlnotes/numpy/depth2.py", 1, "number"),
    (laws.plain_names, {"tests/test_utils.py": ""}, "tests/test_utils.py", 1, "does not say"),
    (laws.plain_names, {"dlnotes/helpers/depth.py": ""}, "dlnotes/helpers", 1, "does not say"),
    (laws.short, {"dlnotes/book/long.py": LONG}, "dlnotes/book/long.py", 1, "401 lines"),
    (laws.short, {"dlnotes/book/long.py": LONG_FUNCTION}, "dlnotes/book/long.py", 2, "f has 41 lines"),
    (laws.short_chapters, {"docs/chapters/depth.md": LONG_PAGE}, "docs/chapters/depth.md", 1, "3501 words"),
    (
        laws.no_asserts,
        {"dlnotes/exercises/depth.py": "def f(x):\n    assert x\n"},
        "dlnotes/exercises/depth.py",
        2,
        "-O",
    ),
    (laws.arrows, {"dlnotes/numpy/depth.py": "import dlnotes.figures.depth\n"}, "dlnotes/numpy/depth.py", 1, "figures"),
    (laws.arrows, {"dlnotes/checks.py": "import numpy\n"}, "dlnotes/checks.py", 1, "numpy"),
    (
        laws.arrows,
        {"dlnotes/torch/depth.py": "\nfrom dlnotes.numpy import depth\n"},
        "dlnotes/torch/depth.py",
        2,
        "numpy",
    ),
    (laws.arrows, {"dlnotes/torch/depth.py": "def f():\n    import numpy\n"}, "dlnotes/torch/depth.py", 2, "numpy"),
    (
        laws.arrows,
        {"dlnotes/book/page.py": "def f():\n    from dlnotes import numpy\n"},
        "dlnotes/book/page.py",
        2,
        "numpy",
    ),
    (
        laws.arrows,
        {"dlnotes/exercises/depth.py": "from dlnotes.book import x\ndlnotes/book\n"[:27], "dlnotes/book/x.py": ""},
        "dlnotes/exercises/depth.py",
        1,
        "book",
    ),
    (laws.arrows, {"dlnotes/figures/depth.py": "import matplotlib\n"}, "dlnotes/figures/depth.py", 1, "paper.py"),
    (laws.arrows, {"dlnotes/figures/paper.py": "import matplotlib\n"}, "dlnotes/figures/paper.py", 1, "paper.py"),
    (laws.arrows, {"dlnotes/checks.py": "from dlnotes.numpy import depth\n"}, "dlnotes/checks.py", 1, "numpy"),
    (laws.arrows, {"dlnotes/rules.py": "import numpy\n"}, "dlnotes/rules.py", 1, "numpy"),
    (laws.arrows, {"dlnotes/book/page.py": "from dlnotes import checks\n"}, "dlnotes/book/page.py", 1, "checks"),
    (laws.arrows, {"dlnotes/numpy/depth.py": "import scipy\n"}, "dlnotes/numpy/depth.py", 1, "scipy"),
    (
        laws.no_cycles,
        {
            "dlnotes/numpy/depth.py": "\nfrom dlnotes.numpy import width\n",
            "dlnotes/numpy/width.py": "from dlnotes import checks\ndef f():\n    from dlnotes.numpy import height\n",
            "dlnotes/numpy/height.py": "if TYPE_CHECKING:\n    import dlnotes.numpy.depth\n",
        },
        "dlnotes/numpy/depth.py",
        2,
        "dlnotes.numpy.depth -> dlnotes.numpy.width -> dlnotes.numpy.height -> dlnotes.numpy.depth",
    ),
    (
        laws.no_cycles,
        {
            "dlnotes/numpy/__init__.py": "\n\nfrom dlnotes.numpy import depth\n",
            "dlnotes/numpy/depth.py": "import dlnotes.numpy\n",
        },
        "dlnotes/numpy/__init__.py",
        3,
        "dlnotes.numpy -> dlnotes.numpy.depth -> dlnotes.numpy",
    ),
    (
        laws.no_cycles,
        {"dlnotes/numpy/depth.py": "from dlnotes.numpy import depth\n"},
        "dlnotes/numpy/depth.py",
        1,
        "depth",
    ),
    *(
        (laws.no_side_door, {"dlnotes/numpy/depth.py": code}, "dlnotes/numpy/depth.py", line, "hung on")
        for line, code in (
            (2, "def f(): ...\nf.fast = 1\n"),
            (2, "f = lambda: 1\nf.fast, x = 1, 2\n"),
            (3, "class C:\n    def f(self): ...\nC.f.fast = 1\n"),
            (2, "class C: ...\nC.f = 1\n"),
            (4, "def f(g):\n    @g\n    def h(): ...\n    h.plain: int = g\ndef k(h): ...\n"),
            (2, "from dlnotes import checks\nchecks.real = 1\n"),
            (2, "def f(): ...\nsetattr(f, 'fast', 1)\n"),
            (2, "def f(): ...\nf.count += 1\n"),
        )
    ),
    (
        laws.modules_not_names,
        {"dlnotes/figures/depth.py": "\nfrom dlnotes.numpy.depth import f\n"},
        "dlnotes/figures/depth.py",
        2,
        "dlnotes.numpy.depth",
    ),
    (
        laws.modules_not_names,
        {"dlnotes/figures/depth.py": "from . import paper\n"},
        "dlnotes/figures/depth.py",
        1,
        "full",
    ),
    (laws.lazy_annotations, {"dlnotes/checks.py": '"""Say."""\n\nimport math\n'}, "dlnotes/checks.py", 3, "__future__"),
    (
        laws.lazy_annotations,
        {"dlnotes/checks.py": FUTURE + "import jaxtyping\n"},
        "dlnotes/checks.py",
        2,
        "TYPE_CHECKING",
    ),
    (
        laws.no_files,
        {"dlnotes/numpy/depth.py": "def f():\n    return open('x')\n"},
        "dlnotes/numpy/depth.py",
        2,
        "open",
    ),
    (laws.no_files, {"dlnotes/numpy/depth.py": "import pathlib\n"}, "dlnotes/numpy/depth.py", 1, "pathlib"),
    (
        laws.no_files,
        {"dlnotes/figures/depth.py": "import numpy as np\nnp.load('x')\n"},
        "dlnotes/figures/depth.py",
        2,
        "load",
    ),
    (laws.no_foreign_install, {"README.md": "\npip install dlnotes\n"}, "README.md", 2, "somebody else"),
    (
        laws.no_foreign_install,
        {"docs/index.md": "`pip install -U dlnotes[site]`\n"},
        "docs/index.md",
        1,
        "somebody else",
    ),
    (laws.no_foreign_install, {"Makefile": "x:\n\tuv add dlnotes-book\n"}, "Makefile", 2, "somebody else"),
    (laws.page_imports, {"docs/index.md": "```python\nx = 1\nimport scipy\n```\n"}, "docs/index.md", 3, "scipy"),
    (laws.page_imports, {"docs/index.md": "```python\nimport optuna\n```\n"}, "docs/index.md", 2, "optuna"),
    (laws.page_imports, {"docs/index.md": "```python\nfrom dlnotes import book\n```\n"}, "docs/index.md", 2, "book"),
]


@pytest.mark.parametrize(("law", "files", "path", "line", "why"), BROKEN)
def test_a_breach_is_found_with_file_and_line(law, files, path, line, why, tree):
    found = [breach for breach in law(tree(files)) if breach[:2] == (path, line)]
    assert any(why in breach.message for breach in found), law(tree(files))


def test_only_cycles_are_found(tree):
    files = {
        "dlnotes/numpy/depth.py": "from dlnotes.numpy import width, height\n",
        "dlnotes/numpy/width.py": "from dlnotes.numpy import height\n",
        "dlnotes/numpy/height.py": "from dlnotes import checks\nimport numpy\n",
        "dlnotes/figures/numpy.py": "import numpy\n",
    }
    assert laws.no_cycles(tree(files)) == []


def test_each_cycle_is_reported_once(tree):
    files = {
        "dlnotes/numpy/depth.py": "from dlnotes.numpy import width\n",
        "dlnotes/numpy/width.py": "from dlnotes.numpy import depth\n",
        "dlnotes/book/a.py": "from dlnotes.book import b\n",
        "dlnotes/book/b.py": "from dlnotes.book import a\n",
        "dlnotes/figures/depth.py": "from dlnotes.numpy import depth\n",
    }
    assert [breach.path for breach in laws.no_cycles(tree(files))] == ["dlnotes/book/a.py", "dlnotes/numpy/depth.py"]


def test_attributes_of_values_may_be_set(tree):
    code = """
def f(f, g):
    f.x, g.y = 1, 2
    with g as h:
        h.z = 1
class C:
    def __init__(self):
        self.f = f
import numpy as np
np.x = 1
c = C()
c.f = 1
def c2():
    C = g()
    C.f = 1
"""
    assert laws.no_side_door(tree({"dlnotes/numpy/depth.py": code})) == []


@pytest.mark.parametrize(
    "part",
    [
        "docs/chapters/{}.md",
        "docs/api/{}.md",
        "dlnotes/numpy/{}.py",
        "dlnotes/figures/{}.py",
        "dlnotes/exercises/{}.py",
        "tests/test_{}.py",
        "tests/sabotage/{}.py",
    ],
)
def test_a_missing_part_of_a_chapter_is_found(part, tree):
    missing = part.format("depth")
    assert (missing, 1) in [breach[:2] for breach in laws.one_word(tree({}, missing))]


def test_lines_of_code_leave_out_blanks_comments_and_docstrings():
    head = '"""Doc\n\nstring."""\n\n# why\nx = (1,\n\n     2)\n'
    text = head + 's = """a\n\nb"""\n\ndef f():\n    """One."""\n    return 1\n'
    assert laws.code_lines(text, laws.ast.parse(text)) == {6, 8, 9, 10, 11, 13, 15}


def test_installing_from_the_repository_is_lawful(tree):
    lines = (
        "pip install -c constraints.txt -e .[site]",
        'pip install "dlnotes-book @ git+https://example.org/dlnotes"',
        "pip install dist/dlnotes_book-0.1-py3-none-any.whl",
        "cd dlnotes && pip install -e .",
        "pip install -e ./dlnotes",
    )
    assert laws.no_foreign_install(tree({"README.md": "\n".join(lines)})) == []


def test_vendored_files_that_changed_vanished_or_came_unrecorded_are_found(tree):
    record = [{"sha256": {"fonts/a.woff2": "0" * 64, "fonts/b.woff2": "0" * 64}}]
    files = {
        "docs/assets/vendored.json": json.dumps(record),
        "docs/assets/fonts/a.woff2": "x",
        "docs/assets/fonts/c.css": "",
    }
    found = {breach.path.removeprefix("docs/assets/fonts/"): breach.message for breach in laws.vendored(tree(files))}
    assert sorted(found) == ["a.woff2", "b.woff2", "c.css"]
    assert "not recorded" in found["c.css"]
    assert "not what" in found["a.woff2"]
    assert "missing" in found["b.woff2"]
