"""Blocks that run in the page: every one prints there what the page shows, exercises answer, and nothing gets out."""

from __future__ import annotations

import gzip
import json
import re

import pytest

from dlnotes.book import blocks, layout, pages
from tests.site.conftest import NARROW, ROOT, SECONDS, WIDE, click, has_python, page_of_many_tests
from tests.site.test_access import violations
from tests.site.test_storage import BLOCKED

BOOK = layout.Layout(ROOT)
CHAPTER = "chapters/initialization/"
PRACTICE = f"{CHAPTER}practice/"
NAMES = sorted(path.relative_to(BOOK.docs).as_posix() for path in BOOK.docs.rglob("*.md") if pages.read(path).blocks)


@pytest.fixture(autouse=True, scope="module")
def _python():
    """Leave all of this out where Python for the pages is out of reach, at home."""
    if not has_python():
        pytest.skip("Python for the pages is out of reach, or RUN=0")


def numpy_blocks(name: str) -> list[pages.Fence]:
    return [block for block in pages.read(BOOK.docs / name).blocks if not blocks.uses_torch(block.code)]


def address_of(name: str) -> str:
    return name.removesuffix("index.md").replace(".md", "/")


# --- Every block


RUN = """async code => {
    const python = await import(new URL('../../assets/js/python.js', location));
    let printed = '';
    const report = await python.run(code, {printed: text => printed += text}).promise;
    return {printed, ...report};
}"""


@pytest.fixture(scope="module")
def thread(browser, address):
    """Give one page whose Python runs all blocks in a row, and is not asked to load it anew for each test."""
    with page_of_many_tests(browser, address, CHAPTER) as page:
        yield page


@pytest.fixture
def block(thread):
    """Give a block of that page, as it was in the beginning."""
    found = first_block(thread)
    if found.get_by_text("Reset", exact=True).is_visible():
        press(found, "Reset")
    return found


def complaint(block: pages.Fence, report: dict) -> str:
    """Say what a block did in the browser that its page does not say; nothing where it did what it should."""
    if blocks.STARTER in block.marks:
        return "" if report["kind"] == "AssertionError" else f"a starter ends with {report['error'] or 'no error'}"
    if report["error"]:
        return report["error"]
    if block.expected is not None and report["printed"] != block.expected:
        return f"prints\n{report['printed']}and the page shows\n{block.expected}"
    return ""


@pytest.mark.parametrize("name", NAMES)
def test_every_block_prints_in_the_page_what_the_page_shows(thread, name):
    said = []
    for block in numpy_blocks(name):
        words = complaint(block, thread.evaluate(RUN, block.code))
        said += [f"docs/{name}:{block.line}: {words}"] if words else []
    if said:
        pytest.fail("\n".join(said), pytrace=False)


def test_a_block_that_prints_something_else_is_found(thread):
    block = numpy_blocks("chapters/initialization.md")[0]
    assert not complaint(block, thread.evaluate(RUN, block.code))
    assert "prints" in complaint(block, thread.evaluate(RUN, f"{block.code}\nprint(1)"))
    assert "NameError" in complaint(block, thread.evaluate(RUN, f"{block.code}\nunknown"))


# --- Run


def ended(page, block) -> str:
    """Wait until a block has run, and give what the page says of it."""
    output = block.locator("xpath=following-sibling::*[1]")
    page.wait_for_function(
        "e => e.dataset.state && e.dataset.state !== 'busy'",
        arg=output.element_handle(timeout=SECONDS),
        timeout=SECONDS,
    )
    return output.locator(".output__state").inner_text()


def printed(block) -> str:
    return block.locator("xpath=following-sibling::*[1]").locator("code").text_content()


def press(block, name: str) -> None:
    click(block.locator(".run").get_by_text(name, exact=True))


def write(page, block, code: str) -> None:
    """Put code into the editor of a block, as one who types."""
    if not block.locator(".cm-content").count():
        press(block, "Edit")
    click(block.locator(".cm-content"))
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(code)


def first_block(page):
    return page.locator(".highlight.runs:has(.run__button)").first


def test_the_first_run_loads_python_and_gives_the_output_of_the_page(visit):
    page = visit(CHAPTER)
    loaded = "() => performance.getEntriesByType('resource').map(e => e.name)"
    before = page.evaluate(loaded)
    assert not [name for name in before if "/python/" in name or "/editor/" in name]
    assert len([name for name in before if re.search(r"/js/(run|python|answers)", name)]) == 1
    block = first_block(page)
    expected = printed(block)
    press(block, "Run")
    state = block.locator("xpath=following-sibling::*[1]").locator(".output__state")
    page.wait_for_function("e => /^Loading Python.*%$/.test(e.textContent)", arg=state.element_handle())
    assert re.fullmatch(r"As on the page, [\d.]+ m?s", ended(page, block))
    assert printed(block) == expected
    press(block, "Run")
    assert ended(page, block).startswith("As on the page")


def test_the_scripts_of_a_page_are_small(site):
    names = ("run.js", "python.js", "answers.js")
    assert sum(len(gzip.compress((site / "assets/js" / name).read_bytes())) for name in names) <= 30_000
    assert "run-script" not in (site / "claims/index.html").read_text("utf-8")


def test_an_error_names_the_line_of_the_block(thread, block):
    page = thread
    write(page, block, "import math\n\ndef f(x):\n    return math.sqrt(x)\n\nprint(1)\nf(-1)\n")
    press(block, "Run")
    assert ended(page, block) == "ValueError in line 4"
    text = printed(block)
    assert text.startswith('1\nTraceback (most recent call last):\n  File "your code", line 7, in <module>')
    assert "in_page" not in text
    assert "execution" not in text
    assert block.locator(".editor__wrong").inner_text().strip() == "return math.sqrt(x)"
    write(page, block, "x = (1,\n")
    press(block, "Run")
    assert ended(page, block).startswith("SyntaxError in line")


def test_what_is_changed_is_marked_and_reset_restores_it(thread, block):
    page = thread
    code, output = block.locator("pre > code").inner_html(), printed(block)
    write(page, block, "print('mine')")
    press(block, "Run")
    assert ended(page, block).startswith("Yours, not as on the page")
    assert printed(block) == "mine"
    press(block, "Reset")
    assert block.locator("pre > code").inner_html() == code
    assert block.locator("pre").is_visible()
    assert printed(block) == output
    press(block, "Run")
    assert ended(page, block).startswith("As on the page")


def test_a_block_starts_as_in_an_empty_file(thread):
    assert not thread.evaluate(RUN, "import numpy as np\nnp.set_printoptions(precision=1)\nleft = 1")["error"]
    report = thread.evaluate(RUN, "import numpy as np\nprint(np.array([1.234]), 'left' in globals(), __name__)")
    assert report["printed"] == "[1.234] False __main__\n"


def test_an_endless_loop_is_stopped_and_the_next_run_works(thread, block):
    page = thread
    write(page, block, "print('begins')\nwhile True:\n    pass\n")
    press(block, "Run")
    page.wait_for_function(
        "e => e.textContent.includes('begins')", arg=block.locator("xpath=..").element_handle(), timeout=SECONDS
    )
    other = page.locator(".highlight.runs:has(.run__button)").nth(1)
    press(other, "Run")
    waiting = other.locator("xpath=following-sibling::*[1]").locator(".output__state")
    assert waiting.inner_text() == "Waits for the block that runs"
    press(block, "Stop")
    assert ended(page, block) == "Stopped"
    assert ended(page, other).startswith("As on the page")
    assert len([worker for worker in page.workers if worker.url.startswith("blob:")]) == 1  # the other is gone


def test_a_run_that_waits_for_python_can_be_stopped(visit):
    page = visit(CHAPTER)
    block = first_block(page)
    press(block, "Run")
    press(block, "Stop")
    assert ended(page, block) == "Stopped"
    press(block, "Run")
    assert ended(page, block).startswith("As on the page")


@pytest.mark.parametrize(
    "eater",
    ["import numpy as np\nall = [np.ones(10**7) for _ in range(10**4)]", "x = b'x' * 10**6\nwhile True:\n    x += x"],
)
def test_memory_eaten_up_ends_in_a_message_and_the_next_run_works(thread, block, eater):
    page = thread
    write(page, block, eater)
    press(block, "Run")
    assert ended(page, block).startswith("Out of memory in line")
    press(block, "Reset")
    press(block, "Run")
    assert ended(page, block).startswith("As on the page")


def test_a_block_has_a_gigabyte_and_no_more(thread):
    kinds = [thread.evaluate(RUN, f"import numpy as np\nnp.zeros({size})")["kind"] for size in (5 * 10**7, 15 * 10**7)]
    assert kinds == ["", "MemoryError"]


def test_a_flood_of_output_is_cut(thread):
    report = thread.evaluate(RUN, "for i in range(10**5):\n    print(i, 'and more of it')")
    assert not report["error"]
    assert 100_000 <= len(report["printed"]) < 101_000
    assert "not shown" in report["printed"]


ESCAPES = {
    "fetch": "import js; js.fetch('/')",
    "a foreign address": "import js; js.fetch('https://example.org/')",
    "XMLHttpRequest": "import js; js.XMLHttpRequest.new()",
    "WebSocket": "import js; js.WebSocket.new('wss://example.org')",
    "another worker": "import js; js.Worker.new('x.js')",
    "stored data": "import js; js.indexedDB.open('x')",
    "files of the browser": "import js; js.navigator.storage.getDirectory()",
    "caches": "import js; js.caches.open('x')",
    "the page": "import js; js.document.cookie",
    "other pages": "import js; js.BroadcastChannel.new('x')",
    "script of text": "import js; js.eval('1')",
    "a function of text": "import js; js.Function.new('return 1')()",
    "a function of text, by a back door": "import pyodide_js; pyodide_js.constructor.constructor('return 1')()",
    "script by Pyodide": "from pyodide.code import run_js; run_js('1')",
    "a request by Pyodide": "from pyodide.http import open_url; open_url('/')",
    "a request by Python": "import urllib.request; urllib.request.urlopen('http://127.0.0.1:1/')",
}


@pytest.mark.parametrize("what", ESCAPES)
def test_a_block_cannot_reach(thread, what):
    report = thread.evaluate(RUN, ESCAPES[what])
    assert report["error"], what
    assert report["kind"] != "Missing"


def test_a_copy_without_python_says_so(visit):
    page = visit(CHAPTER)
    page.route(
        "**/" + CHAPTER,
        lambda route: route.fulfill(
            body=route.fetch().text().replace('data-python="yes"', 'data-python="no"'), content_type="text/html"
        ),
    )
    page.reload()
    block = first_block(page)
    press(block, "Run")
    assert "built without Python" in ended(page, block)


def test_with_the_keyboard_a_block_is_run_changed_and_left(thread, block):
    page = thread
    block.locator(".run__button").first.focus()
    page.keyboard.press("Enter")
    assert ended(page, block).startswith("As on the page")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.activeElement.classList.contains('cm-content')")
    page.keyboard.press("Control+End")
    page.keyboard.insert_text("\nprint('more')")
    page.keyboard.press("Shift+Enter")
    page.wait_for_function(
        "e => e.textContent.endsWith('more')",
        arg=block.locator("xpath=following-sibling::*[1]").element_handle(),
        timeout=SECONDS,
    )
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.textContent") == "Run"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.activeElement.textContent") == "Edit"
    assert not block.locator(".editor").count()


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_the_buttons_can_be_hit_with_a_finger(visit, width):
    page = visit(PRACTICE, width)
    sizes = page.locator(".run__button:visible").evaluate_all(
        "all => all.map(e => e.getBoundingClientRect()).map(r => [r.width, r.height])"
    )
    assert len(sizes) > 8
    assert min(map(min, sizes)) >= 24


@pytest.mark.parametrize(("width", "scheme"), [(WIDE, "light"), (WIDE, "dark"), (NARROW, "light")])
def test_axe_finds_nothing_in_editor_output_and_hint(visit, width, scheme):
    page = visit(PRACTICE, width, scheme)
    block = first_block(page)
    press(block, "Check")
    assert ended(page, block) == "Not yet"
    press(block, "Edit")
    block.locator(".cm-content").wait_for()
    page.locator("details.solution").first.evaluate("e => e.open = true")
    solution = page.locator(".solution .highlight.runs").first
    press(solution, "Run")
    ended(page, solution)
    assert not violations(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


# --- Exercises


def exercises(stem: str) -> dict[str, tuple[str, str]]:
    """Give the exercises of a chapter: their starters and their solutions."""
    found: dict[str, list[str]] = {}
    for block in pages.read(BOOK.docs / f"chapters/{stem}/practice.md").blocks:
        exercise = block.inside("exercise")
        if exercise is not None:
            found.setdefault(exercise.argument, []).append(block.code)
    return {name: (codes[0], codes[-1]) for name, codes in found.items()}


@pytest.mark.parametrize("stem", BOOK.stems)
def test_every_exercise_says_what_is_wrong_and_takes_the_right_answer(visit, stem):
    page = visit(f"chapters/{stem}/practice/")
    for name, (_, solution) in exercises(stem).items():
        exercise = page.locator(f".exercise:has(#exercise-{name})")
        block = exercise.locator(".highlight.runs").first
        assert not exercise.locator("details.solution").evaluate("e => e.open")
        press(block, "Check")
        assert ended(page, block) == "Not yet", name
        assert len(printed(block)) > 20
        assert "Traceback" not in printed(block)
        assert not exercise.locator(".exercise__solved").count()
        write(page, block, solution)
        press(block, "Check")
        assert ended(page, block) == "Solved", name
        assert printed(block).startswith("Right: ")
        assert exercise.locator(".exercise__solved").inner_text() == "solved"


def saved(page) -> dict:
    with page.expect_download() as download:
        page.get_by_text("Save to a file", exact=True).click()
    with open(download.value.path(), encoding="utf-8") as file:
        return json.load(file)


def test_answers_stay_and_travel_as_a_file(visit, tmp_path):
    page = visit(PRACTICE)
    name, (_, solution) = next(iter(exercises("initialization").items()))
    block = page.locator(f".exercise:has(#exercise-{name}) .highlight.runs").first
    write(page, block, "print('all is well')")
    press(block, "Check")
    assert ended(page, block).startswith("Nothing was checked")
    write(page, block, solution)
    press(block, "Check")
    assert ended(page, block) == "Solved"
    page.reload()
    page.locator(".exercise__solved").wait_for()
    assert block.locator("pre > code").text_content().strip() == solution.strip()
    content = saved(page)
    assert content["answers"][name]["solved"] is True
    path = tmp_path / "answers.json"
    path.write_text(json.dumps(content), "utf-8")

    other = visit(PRACTICE)
    assert not other.locator(".exercise__solved").count()
    other.locator(".answers input").set_input_files(path)
    other.locator(".exercise__solved").wait_for()
    assert other.locator(".answers__status").inner_text() == "One answer loaded."
    there = other.locator(f".exercise:has(#exercise-{name}) .highlight.runs").first
    assert there.locator("pre > code").text_content().strip() == solution.strip()
    press(there, "Reset")
    other.reload()
    other.locator(".answers").wait_for()
    assert not other.locator(".exercise__solved").count()


@pytest.mark.parametrize("text", ["{", "[]", '{"format": "other"}', "null"])
def test_a_file_without_answers_is_refused(visit, tmp_path, text):
    path = tmp_path / "answers.json"
    path.write_text(text, "utf-8")
    page = visit(PRACTICE)
    page.locator(".answers input").set_input_files(path)
    page.get_by_text(re.compile("This file holds no answers")).wait_for()


def test_what_lies_damaged_in_the_storage_is_passed_over(visit):
    page = visit(PRACTICE)
    for damaged in ("{", "7", '{"a": 7, "b": {"code": 3}, "__proto__": {"code": "x"}}'):
        page.evaluate("text => localStorage.setItem('/.dlnotes.answers', text)", damaged)
        page.reload()
        page.locator(".answers").wait_for()
    assert saved(page)["answers"] == {}


def test_without_storage_exercises_answer(visit):
    page = visit(PRACTICE)
    page.context.add_init_script(BLOCKED)
    page.reload()
    assert "keeps nothing" in page.locator(".answers").inner_text()
    block = first_block(page)
    name, (_, solution) = next(iter(exercises("initialization").items()))
    write(page, block, solution)
    press(block, "Check")
    assert ended(page, block) == "Solved"
    assert saved(page)["answers"][name]["code"].strip() == solution.strip()
