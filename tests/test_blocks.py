"""Blocks of pages: how they are run, and what a reader of a failure sees."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from dlnotes.book import blocks, pages
from tests import arithmetic

ROOT = Path(__file__).resolve().parent.parent
STARTER = f"<!--{blocks.STARTER}-->\n"
SHOWS = "<!--pytest-codeblocks:expected-output-->\n"


def fence(code: str, shown: str | None = None) -> str:
    text = f"```python\n{code}\n```\n"
    return text if shown is None else f"{text}{SHOWS}```\n{shown}\n```\n"


@pytest.fixture
def write_page(tmp_path, monkeypatch):
    """Write a page, and work in its folder."""
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> Path:
        path = tmp_path / "page.md"
        path.write_text(text, "utf-8")
        return path

    return write


def run_first(path: Path) -> blocks.Result:
    return blocks.run(pages.read(path).blocks[0], path)


def test_a_block_passes_and_its_print_is_compared(write_page):
    path = write_page(fence("print(1)\nprint('two')", "1\ntwo"))
    result = run_first(path)
    assert result.error is None
    assert result.printed == "1\ntwo\n"
    assert 0 <= result.seconds < 1


def test_a_failure_is_the_exception_itself_at_its_line_of_the_page(write_page):
    path = write_page("# Title\n\nText.\n\n" + fence("def f():\n    return {}['key']\n\nf()"))
    error = run_first(path).error
    assert type(error) is KeyError
    shown = blocks.explain(error, path)
    assert shown.startswith("Traceback")
    assert '  File "page.md", line 9, in <module>\n    f()\n' in shown
    assert "  File \"page.md\", line 7, in f\n    return {}['key']\n" in shown
    assert "blocks.py" not in shown
    assert "exec" not in shown


def test_the_line_is_right_in_an_indented_block_and_after_the_page_has_changed(write_page):
    path = write_page(fence("x = 1"))
    assert run_first(path).error is None
    path = write_page("- a list\n\n    ```python\n    x = 1\n    assert x == 2\n    ```\n")
    shown = blocks.explain(run_first(path).error, path)
    assert '  File "page.md", line 5, in <module>\n    assert x == 2\n' in shown


def test_a_syntax_error_names_the_line(write_page):
    path = write_page("Text.\n\n" + fence("x = 1\ny = = 2"))
    error = run_first(path).error
    assert type(error) is SyntaxError
    assert 'File "page.md", line 5\n    y = = 2\n' in blocks.explain(error, path)


def test_an_error_inside_a_library_keeps_the_way_there(write_page):
    path = write_page(fence("import json\njson.loads('[')"))
    shown = blocks.explain(run_first(path).error, path)
    assert 'File "page.md", line 3, in <module>' in shown
    assert "json.decoder.JSONDecodeError" in shown


def test_another_output_is_shown_line_by_line(write_page):
    path = write_page("Text.\n\n" + fence("print(1)\nprint(3)\nprint(4)", "1\n2\n4"))
    error = run_first(path).error
    assert type(error) is blocks.OutputDiffers
    assert not isinstance(error, AssertionError)
    assert blocks.explain(error, path) == (
        "page.md:11: the block of line 3 prints something else (- the page, + printed)\n  1\n- 2\n+ 3\n  4\n"
    )


@pytest.mark.parametrize(
    ("code", "shown", "line", "difference"),
    [
        ("pass", "1", 6, "- 1\n"),
        ("print(1)\nprint(2)", "1", 8, "  1\n+ 2\n"),
        ("print(1, end='')", "1", 6, "- 1\n+ 1\n"),
        ("print('1 ')", "1", 6, "- 1\n+ 1 \n"),
    ],
)
def test_too_little_too_much_and_blanks_are_seen(write_page, code, shown, line, difference):
    path = write_page(fence(code, shown))
    text = blocks.explain(run_first(path).error, path)
    assert text.startswith(f"page.md:{line}: ")
    assert text.partition("\n")[2] == difference


def test_a_block_is_the_program_and_leaves_nothing_behind(write_page):
    before = sys.modules["__main__"]
    code = (
        "from __future__ import annotations\n"
        "import dataclasses, pickle\n"
        "assert __name__ == '__main__'\n"
        "@dataclasses.dataclass\n"
        "class Point:\n"
        "    x: int\n"
        "assert pickle.loads(pickle.dumps(Point(1))) == Point(1)\n"
    )
    path = write_page(fence(code) + "\n" + fence("Point"))
    first, second = pages.read(path).blocks
    assert blocks.run(first, path).error is None
    assert type(blocks.run(second, path).error) is NameError
    assert sys.modules["__main__"] is before


def test_a_block_does_not_inherit_the_runners_future_imports(write_page):
    path = write_page(fence("def f(x: 1 + 1): ...\nassert f.__annotations__ == {'x': 2}"))
    assert run_first(path).error is None


def test_warnings_are_errors(write_page):
    path = write_page(fence("import numpy as np\nnp.exp(np.array([1000.0]))"))
    error = run_first(path).error
    assert type(error) is RuntimeWarning
    assert 'page.md", line 3' in blocks.explain(error, path)


def test_leaving_the_program_is_a_failure(write_page):
    assert type(run_first(write_page(fence("raise SystemExit(0)"))).error) is SystemExit


def test_a_starter_must_fail_and_only_by_an_assertion(write_page):
    path = write_page(
        STARTER
        + fence("assert False")
        + "\n"
        + STARTER
        + fence("pass")
        + "\n"
        + STARTER
        + fence("import no_such_module")
    )
    verdicts = [blocks.verdict(block, blocks.run(block, path)) for block in pages.read(path).blocks]
    assert verdicts[0] is None
    assert "nothing left to solve" in str(verdicts[1])
    assert type(verdicts[2]) is ModuleNotFoundError


def test_no_checker_and_no_block_needs_the_assertions_of_python():
    """Under -O every starter of the book still fails in its checker."""
    code = """
        from dlnotes.book import blocks, layout, pages
        for path in sorted(layout.find().docs.rglob("*.md")):
            for block in pages.read(path).blocks:
                if blocks.STARTER in block.marks:
                    error = blocks.verdict(block, blocks.run(block, path))
                    print(path.stem, block.line, repr(error) if error else "fails")
    """
    ran = subprocess.run(
        [sys.executable, "-O", "-c", textwrap.dedent(code)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    found = ran.stdout.splitlines()
    every = [block for path in (ROOT / "docs").rglob("*.md") for block in pages.read(path).blocks]
    assert len(found) == sum(blocks.STARTER in block.marks for block in every) > 0
    assert [line for line in found if not line.endswith(" fails")] == []


def test_under_o_the_assertions_of_a_block_count(write_page):
    path = write_page(fence("assert 1 + 1 == 3"))
    code = f"""
        from pathlib import Path
        from dlnotes.book import blocks, pages
        path = Path({str(path)!r})
        print(type(blocks.run(pages.read(path).blocks[0], path).error).__name__)
    """
    ran = subprocess.run(
        [sys.executable, "-O", "-c", textwrap.dedent(code)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "AssertionError\n"


def test_run_page_says_how_each_block_went(write_page):
    said = []
    path = write_page(fence("pass") + "\n" + STARTER + fence("assert False") + "\n" + fence("1 / 0"))
    assert blocks.run_page(path, said.append) == 1
    assert re.fullmatch(r"page.md:1: passes in \d\.\d\d s of processor time", said[0])
    assert re.fullmatch(r"page.md:6: passes in \d\.\d\d s of processor time, a starter, fails as it should", said[1])
    assert said[2].startswith("page.md:10: FAILS\nTraceback")
    assert "ZeroDivisionError" in said[2]
    assert said[3] == "page.md: 2 of 3 blocks pass"


def test_what_this_machine_cannot_run_is_left_out_with_the_reason(write_page, monkeypatch):
    said = []
    path = write_page(f"<!--{blocks.NEEDS_TORCH}-->\n" + fence("import torch"))
    monkeypatch.setattr(blocks.importlib.util, "find_spec", lambda name: None)
    assert blocks.run_page(path, said.append) == 0
    assert said == ["page.md:2: left out, torch is not installed", "page.md: 0 of 0 blocks pass"]


def test_torch_blocks_are_told_from_numpy_blocks():
    for code in ("import torch\n", "x = 1\nfrom dlnotes.torch import activations\n", "from torch import nn\n"):
        assert blocks.uses_torch(code)
    for code in ("import numpy as np\n", "# as in torch\n", "print('import torch')\n", "from dlnotes.numpy import x\n"):
        assert not blocks.uses_torch(code)


# The same under pytest, which collects through pytest-codeblocks and the conftest of the root.


@pytest.fixture
def suite(pytester):
    """Run pytest on one page, with the conftest of the root."""
    pytest.importorskip("pytest_codeblocks")
    pytester.syspathinsert(ROOT)
    pytester.makeconftest((ROOT / "conftest.py").read_text("utf-8"))
    options = "-p no:cacheprovider -p no:playwright --strict-markers -rA"
    pytester.makeini(f"[pytest]\naddopts = {options}\nfilterwarnings = error\n")

    def run(text: str, *options: str):
        path = pytester.path / "docs" / "page.md"
        path.parent.mkdir()
        path.write_text(text, "utf-8")
        return pytester.runpytest("docs", *options)

    return run


def test_pytest_shows_the_exception_at_its_line(suite):
    ran = suite("# Title\n\n" + fence("x = 1") + "\n" + fence("y = 2\nassert y == 3"))
    ran.assert_outcomes(passed=1, failed=1)
    ran.stdout.fnmatch_lines(["*page, block of line 7*", '*File "docs/page.md", line 9, in <module>', "*assert y == 3"])
    ran.stdout.fnmatch_lines(["FAILED docs/page.md::line 7*"])
    ran.stdout.no_fnmatch_line("*RuntimeError*")


def test_pytest_shows_expected_against_printed(suite):
    ran = suite(fence("print(2)", "1"))
    ran.assert_outcomes(failed=1)
    ran.stdout.fnmatch_lines(["docs/page.md:6: the block of line 1 prints something else*", "- 1", "+ 2"])


def test_pytest_takes_a_starters_assertion_and_no_other_error(suite):
    right, solved, wrong = (STARTER + fence(code) for code in ("assert False", "pass", "import no_such_module"))
    ran = suite("\n".join((right, solved, wrong)))
    ran.assert_outcomes(xfailed=1, failed=2)
    ran.stdout.fnmatch_lines(["*XPASS(strict)*", "*No module named 'no_such_module'*"])


def test_another_output_is_no_excuse_for_a_starter(suite):
    suite(STARTER + fence("print(2)", "1")).assert_outcomes(failed=1)


def test_pytest_makes_warnings_errors_in_blocks(suite):
    ran = suite(fence("import warnings\nwarnings.warn('old')"))
    ran.assert_outcomes(failed=1)
    ran.stdout.fnmatch_lines(["*UserWarning: old"])


def test_torch_and_cuda_marks_skip_with_the_reason(suite, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    ran = suite(f"<!--{blocks.CUDA}-->\n{fence('import torch')}\n<!--{blocks.NEEDS_TORCH}-->\n{fence('import torch')}")
    ran.assert_outcomes(skipped=1, passed=1)
    ran.stdout.fnmatch_lines(["*needs a CUDA device*"])


def test_a_cuda_block_runs_where_there_is_a_device(suite, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    suite(f"<!--{blocks.CUDA}-->\n{fence('pass')}").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("<!--pytest.mark.skip-->\n" + fence("pass"), "no such mark: pytest.mark.skip"),
        ("<!--pytest.mark.xfail-->\n" + fence("pass"), "no such mark: pytest.mark.xfail"),
        ("<!--pytest-codeblocks:importorskip(pandas)-->\n" + fence("pass"), "no such mark: *importorskip(pandas)"),
        ("<!--pytest-codeblocks:skipfile-->\n" + fence("pass"), "read other blocks, in lines 2"),
        (fence("x = 1") + "\n<!--pytest-codeblocks:cont-->\n" + fence("y = x"), "read other blocks, in lines 1, *"),
        ("```bash\nls\n```\n", "commands for the reader are `console` blocks"),
    ],
    ids=["skip", "bare xfail", "another package", "skipfile", "cont", "bash"],
)
def test_what_would_go_unrun_stops_the_collection(suite, text, why):
    ran = suite(text)
    assert ran.ret == pytest.ExitCode.INTERRUPTED
    ran.stdout.fnmatch_lines([f"*docs/page.md*{why}*".replace("[", "[[]")])


def working(seconds: float) -> str:
    """Write code that keeps the processor busy for so long."""
    return f"import time\nend = time.process_time() + {seconds}\nwhile time.process_time() < end:\n    pass"


def test_the_summary_gives_the_time_of_each_page(suite):
    pytest.importorskip("torch")
    ran = suite(fence(working(0.2)) + "\n" + fence("import torch\n" + working(0.1)))
    ran.assert_outcomes(passed=2)
    line = next(line for line in ran.outlines if re.match(r"page +\d", line))
    numpy, slowest, torch = map(float, line.split()[1:])
    assert 0.2 <= numpy == slowest < 0.3
    assert torch >= 0.1


def test_waiting_for_others_is_not_counted(suite):
    ran = suite(fence("import time\ntime.sleep(0.2)"))
    line = next(line for line in ran.outlines if re.match(r"page +\d", line))
    assert float(line.split()[1]) < 0.1


def test_five_times_the_budget_of_a_block_fails_it(suite, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr(blocks, "BLOCK_BUDGET", 0.04)
    pieces = (working(0.3), "import torch\n" + working(0.3), working(0.1))
    ran = suite("\n".join(map(fence, pieces)))
    ran.assert_outcomes(failed=1, passed=2)
    ran.stdout.fnmatch_lines(["*TooSlow: 0.3 s; its budget is 0.04 s, and 0.2 s the limit"])


def test_five_times_the_budget_of_a_chapter_fails_the_session(suite, monkeypatch):
    monkeypatch.setattr(blocks, "CHAPTER_BUDGET", 0.02)
    ran = suite("\n".join(fence(working(0.06)) for _ in range(2)))
    ran.assert_outcomes(passed=2)
    assert ran.ret == pytest.ExitCode.TESTS_FAILED
    ran.stdout.fnmatch_lines(["FAILED: the blocks of page take over 5 times their budget"])


def test_in_two_processes_the_times_and_budgets_are_the_same(suite, monkeypatch):
    pytest.importorskip("xdist")
    monkeypatch.setattr(blocks, "CHAPTER_BUDGET", 0.02)
    ran = suite("\n".join(fence(working(0.06)) for _ in range(2)), "-n", "2")
    ran.assert_outcomes(passed=2)
    assert ran.ret == pytest.ExitCode.TESTS_FAILED
    ran.stdout.fnmatch_lines(["FAILED: the blocks of page take over 5 times their budget"])
    line = next(line for line in ran.outlines if re.match(r"page +\d", line))
    assert 0.12 <= float(line.split()[1]) < 0.3


@pytest.mark.parametrize(
    ("test", "group"),
    [
        ("tests/site/test_reading.py::test_search[chromium]", "the built site"),
        ("tests/site/test_built.py::test_pages", "the built site"),
        ("tests/test_figures.py::test_has_the_width_of_its_form[a_b/relu-depth-wide-light]", "a_b/relu-depth"),
        ("tests/test_figures.py::test_every_argument_has_a_default[a_b/relu-depth]", "a_b/relu-depth"),
        ("tests/test_parity.py::test_both[a/b]", "tests/test_parity.py"),
        ("docs/chapters/initialization.md::line 12", "docs/chapters/initialization.md"),
    ],
)
def test_tests_that_share_what_is_dear_to_make_run_in_one_process(test, group):
    from conftest import shared

    assert shared(test) == group


def test_in_two_processes_what_is_shared_is_made_once_and_first(pytester):
    pytest.importorskip("xdist")
    pytester.syspathinsert(ROOT)
    pytester.makeconftest((ROOT / "conftest.py").read_text("utf-8"))
    pytester.makeini("[pytest]\naddopts = -p no:cacheprovider -p no:playwright\n")
    text = """
        import os, pathlib, time
        @__import__("pytest").mark.parametrize("number", range(4 if "site" in __file__ else 10))
        def test_it(number):
            time.sleep(0.05)
            with open("order", "a") as file:
                print(os.environ["PYTEST_XDIST_WORKER"], pathlib.Path(__file__).parent.name, file=file)
    """
    for name in ("tests/test_early.py", "tests/test_late.py", "tests/site/test_one.py", "tests/site/test_two.py"):
        path = pytester.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), "utf-8")
    pytester.runpytest("tests", "-n", "2").assert_outcomes(passed=28)
    ran = [line.split() for line in (pytester.path / "order").read_text("utf-8").splitlines()]
    assert len({worker for worker, _ in ran}) == 2
    (worker,) = {worker for worker, folder in ran if folder == "site"}
    assert [folder for name, folder in ran if name == worker][:8] == ["site"] * 8


def test_the_gate_refuses_to_skip_for_want_of_a_package(suite, monkeypatch):
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "mpmath" else real(name, *a))
    monkeypatch.setenv("CI", "1")
    ran = suite(fence("pass"))
    assert ran.ret == pytest.ExitCode.USAGE_ERROR
    ran.stderr.fnmatch_lines(["*missing: mpmath*"])


@pytest.mark.skipif(not arithmetic.can_change(), reason="the BLAS kernels named here are those of x86-64")
def test_every_block_of_the_book_prints_the_same_under_another_arithmetic():
    """In a process of its own, because both settings act on import; backward, to find blocks that lean on others."""
    now = arithmetic.current()
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "docs", "-p", "tests.backward", "-p", "no:cacheprovider", "-p", "no:xdist"],
        cwd=ROOT,
        env={**os.environ, **arithmetic.another(now), "OPENBLAS_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    header = next(line for line in ran.stdout.splitlines() if line.startswith("arithmetic: "))
    kernel = arithmetic.another(now)["OPENBLAS_CORETYPE"]
    assert kernel.lower() != now.kernel.lower()
    assert header == f"arithmetic: {arithmetic.Arithmetic(kernel, ())}"
    outcomes = re.findall(r"(\d+) (?:passed|xfailed|skipped)", ran.stdout.splitlines()[-1])
    every = sum(len(pages.read(path).blocks) for path in (ROOT / "docs").rglob("*.md"))
    assert every == sum(map(int, outcomes)) > 0


def test_a_print_that_depends_on_the_arithmetic_exists():
    """Else the second run could not find anything: the last digits of a product differ between the two."""
    if not arithmetic.can_change():
        pytest.skip("the BLAS kernels named here are those of x86-64")
    code = (
        "import numpy as np\nrng = np.random.default_rng(0)\n"
        "x = rng.standard_normal((64, 300)) @ rng.standard_normal((300, 64))\nprint(x.tobytes().hex())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, **more}, capture_output=True, text=True, check=True
        ).stdout
        for more in ({}, arithmetic.another(arithmetic.current()))
    }
    assert len(outputs) == 2
