"""What the page's Python does with a block, tried in this Python."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from dlnotes.book import in_page


def run(code: str) -> tuple[str, dict]:
    pieces: list[str] = []
    report = json.loads(in_page.run(code, pieces.append))
    return "".join(pieces), report


def test_what_is_printed_is_handed_on_as_it_comes():
    seen: list[float] = []
    start = time.monotonic()
    in_page.run("import time\nprint(1)\ntime.sleep(0.3)\nprint(2)", lambda text: seen.append(time.monotonic() - start))
    assert len(seen) == 2
    assert seen[1] - seen[0] >= 0.25


def test_a_block_runs_as_the_program_and_keeps_nothing():
    assert run("left = 1\nprint(__name__)") == ("__main__\n", {"seconds": pytest.approx(0, abs=1)} | NOTHING)
    printed, report = run("print('left' in globals())")
    assert printed == "False\n"
    assert not report["error"]


NOTHING = {"error": "", "kind": "", "message": "", "line": 0}


def test_what_a_block_sets_for_all_of_numpy_is_undone():
    before = np.geterr(), np.get_printoptions()
    run("import numpy as np\nnp.seterr(all='raise')\nnp.set_printoptions(precision=2)")
    assert (np.geterr(), np.get_printoptions()) == before


def test_a_warning_is_shown_and_is_no_error():
    block = "import warnings\nwarnings.warn('mind this')\nprint('goes on')"
    code = f"""
        import sys
        from dlnotes.book import in_page
        print(in_page.run({block!r}, sys.__stdout__.write))
    """
    # In a process of its own, because pytest takes warnings.
    ran = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert re.match(r"your code:2: UserWarning: mind this\n.*\ngoes on\n", ran.stdout), ran.stdout + ran.stderr
    assert '"error": ""' in ran.stdout


@pytest.mark.parametrize(
    ("code", "kind", "line"),
    [
        ("x = 1\nx / 0\n", "ZeroDivisionError", 2),
        ("def f():\n    raise ValueError('no')\n\nf()\n", "ValueError", 2),
        ("import json\n\njson.loads('{')\n", "JSONDecodeError", 3),
        ("x = 1\nif x\n    pass\n", "SyntaxError", 2),
        ("import numpy as np\nnp.ones(2**50)\n", "MemoryError", 2),
        ("raise SystemExit(3)", "SystemExit", 1),
    ],
)
def test_an_error_is_told_with_the_last_line_of_the_block_on_its_way(code, kind, line):
    _, report = run(code)
    assert (report["kind"], report["line"]) == (kind, line)
    assert f'File "{in_page.NAME}", line {line}' in report["error"]
    assert "in_page.py" not in report["error"]
    assert "execution.py" not in report["error"]


def test_the_source_line_stands_in_the_traceback():
    _, report = run("def f(x):\n    return x.nothing\n\nf(1)\n")
    assert "    return x.nothing\n" in report["error"]


def test_an_error_that_fails_to_say_itself_is_told():
    _, report = run("class Bad(Exception):\n    def __str__(self):\n        return 1 / 0\n\nraise Bad\n")
    assert report["kind"] == "Bad"
    assert report["message"] == ""


def test_a_flood_is_cut():
    printed, report = run("import sys\nfor i in range(30_000):\n    print(i)\n    print(i, file=sys.stderr)")
    assert not report["error"]
    assert in_page.MOST <= len(printed) < in_page.MOST + 100
    assert printed.endswith("the rest is not shown\n")
