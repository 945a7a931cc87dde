"""The notebooks in a real kernel: each cell prints what stands below it, and the first one finds the package.

All chapters are run whole, in an environment where the book is installed in place; with the wheel the first cell is,
alone. That the cells are the blocks of the pages is tested in tests/book/test_notebooks.py.
"""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import subprocess
import sys
import threading
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlnotes.book import layout, notebook_setup, notebooks, pictures, wheel

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")

BOOK = layout.find(Path(__file__))
SECONDS = 120  # for one cell, on a machine that does ten things at a time


def shown(cell) -> tuple[str, list]:
    """Give what a cell printed, which may come in pieces, and all else that stands below it."""
    printed = [output for output in cell.outputs if output.get("name") == "stdout"]
    return "".join(output.text for output in printed), [output for output in cell.outputs if output not in printed]


def differences(stored, run) -> list[str]:
    """List the cells of a notebook that was run which show something else than the stored one says."""
    found = []
    for before, after in zip(stored.cells, run.cells, strict=True):
        if before.cell_type != "code":
            continue
        printed, others = shown(after)
        if notebooks.FAILS in before.metadata.get("tags", []):
            error = others[-1] if others else {}
            if error.get("ename") != "AssertionError" or not error.get("evalue"):
                found.append(f"{before.id}: the checker does not say what is wrong: {error}")
        elif shown(before) != (printed, others):
            found.append(f"{before.id}: prints {printed!r} and gives {others}")
    return found


def execute(notebook, folder: Path) -> None:
    """Run a notebook to its end; an error is found beneath its cell."""
    resources = {"metadata": {"path": str(folder)}}
    nbclient.NotebookClient(notebook, timeout=SECONDS, allow_errors=True, resources=resources).execute()


def one_after_another(stored: dict, folder: Path) -> dict:
    """Run notebooks in one kernel, which forgets every name between two of them and need not import PyTorch again."""
    whole, places = nbformat.v4.new_notebook(), {}
    for name, notebook in stored.items():
        copy = nbformat.reads(nbformat.writes(notebook), as_version=4)
        first = len(whole.cells)
        for number, cell in enumerate(copy.cells):
            cell.id = f"{name}-{number}"
            whole.cells.append(cell)
        places[name] = slice(first, len(whole.cells))
        whole.cells.append(nbformat.v4.new_code_cell("%reset -f", id=f"{name}-forgotten"))
    execute(whole, folder)
    return {name: nbformat.v4.new_notebook(cells=whole.cells[place]) for name, place in places.items()}


@pytest.fixture(scope="module")
def chapters(request, tmp_path_factory):
    """Give the notebooks of the chapters that are tested, as stored and as run; pictures are left unpainted."""
    pytest.importorskip("torch")
    # A block of a page is an item without fixtures.
    items = (item for item in request.session.items if "chapters" in getattr(item, "fixturenames", ()))
    chosen = [item.callspec.params["stem"] for item in items]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "png", lambda *_: b"")
        stored = {stem: nbformat.reads(notebooks.text(BOOK, stem), as_version=4) for stem in chosen}
    return stored, one_after_another(stored, tmp_path_factory.mktemp("notebooks"))


@pytest.mark.parametrize("stem", BOOK.stems)
def test_each_cell_prints_what_stands_below_it(stem, chapters):
    stored, run = chapters
    assert differences(stored[stem], run[stem]) == []


def test_a_notebook_knows_no_name_of_the_one_before(tmp_path):
    cells = {"first": ["left = 1", "raise SystemError"], "second": ["print('left' in globals())"]}
    stored = {
        name: nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in codes])
        for name, codes in cells.items()
    }
    run = one_after_another(stored, tmp_path)
    assert shown(run["second"].cells[0]) == ("False\n", [])
    assert len(differences(stored["first"], run["first"])) == 1  # an error that no tag announces


def test_a_cell_that_does_otherwise_is_found(tmp_path):
    stored = nbformat.v4.new_notebook()
    for number, (code, printed, tags) in enumerate(
        (
            ("print(1)\nprint(2, flush=True)", "1\n2\n", []),
            ("print(1)", "2\n", []),
            ("print(1)", None, []),
            ("import warnings\nwarnings.warn('x')", None, []),
            ("raise AssertionError('f(1) is 2')", None, [notebooks.FAILS]),
            ("raise AssertionError", None, [notebooks.FAILS]),
            ("pass", None, [notebooks.FAILS]),
        )
    ):
        cell = nbformat.v4.new_code_cell(code, id=f"cell-{number}", metadata={"tags": tags} if tags else {})
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=printed)] if printed else []
        stored.cells.append(cell)
    run = nbformat.from_dict(stored)
    run = nbformat.reads(nbformat.writes(run), as_version=4)
    execute(run, tmp_path)
    assert [line.partition(":")[0] for line in differences(stored, run)] == [f"cell-{i}" for i in (1, 2, 3, 5, 6)]


# The first cell


class Counting(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, and notes what was asked for."""

    def __init__(self, *arguments, asked: list[str], **settings):
        self.asked = asked
        super().__init__(*arguments, **settings)

    def log_message(self, *_):
        self.asked.append(self.path)


@contextlib.contextmanager
def served(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve a folder; give its address and the list of what is asked for."""
    asked: list[str] = []
    handler = functools.partial(Counting, directory=str(folder), asked=asked)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", asked
        server.shutdown()
        thread.join()


def environment(folder: Path, *, with_pip: bool) -> Path:
    """Make an environment that holds no package of ours, and give its Python."""
    venv.create(folder, with_pip=with_pip, symlinks=os.name != "nt")
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def run(python: Path, code: str, folder: Path, **settings: str) -> subprocess.CompletedProcess:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    return subprocess.run(
        [python, "-c", code], cwd=folder, env=kept | settings, capture_output=True, text=True, timeout=120, check=False
    )


def first_cell(**addresses: str) -> str:
    """Give the first cell of a notebook made with these addresses."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("SITE_URL", "REPOSITORY_URL"):
            patch.setenv(name, addresses.get(name, ""))
        return notebook_setup.installation(layout.Layout(BOOK.root))


def test_the_first_cell_installs_the_wheel_of_the_site_once(tmp_path):
    published = wheel.publish(BOOK, tmp_path / "site")
    python = environment(tmp_path / "environment", with_pip=True)
    # NumPy, which the wheel asks for, would have to come from a registry.
    closed = {"PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
    with served(tmp_path / "site") as (address, asked):
        code = first_cell(SITE_URL=address) + "\nfrom dlnotes import weight_scales\nprint(weight_scales.__file__)\n"
        done = run(python, code, tmp_path, **closed)
        assert done.returncode == 0, done.stderr
        assert str(tmp_path / "environment") in done.stdout
        assert set(asked) == {f"/wheel/{published.name}"}
        times = len(asked)
        again = run(python, code, tmp_path, **closed)
        assert again.stdout == done.stdout
        assert len(asked) == times


@pytest.fixture
def bare(tmp_path):
    """Give a function that runs code in a folder, by a Python whose pip only says what it was asked."""
    python = environment(tmp_path / "environment", with_pip=False)
    pip = tmp_path / "stand-in" / "pip"
    pip.mkdir(parents=True)
    (pip / "__main__.py").write_text("import sys\nprint(sys.argv[1:], flush=True)\n")
    return lambda code, folder: run(python, code, folder, PYTHONPATH=str(pip.parent))


def test_without_an_address_the_clone_around_the_notebook_is_installed(bare, tmp_path):
    clone = tmp_path / "clone"
    (clone / "docs" / "notes").mkdir(parents=True)
    (clone / "dlnotes").mkdir()
    (clone / "dlnotes" / "__init__.py").write_text("__version__ = 'of the clone'\n")
    done = bare(first_cell() + "\nimport dlnotes\nprint(dlnotes.__version__)\n", clone / "docs" / "notes")
    assert done.stdout == f"['install', '--quiet', '-e', {str(clone)!r}]\nof the clone\n", done.stderr


def test_without_an_address_and_without_a_clone_it_says_what_to_do(bare, tmp_path):
    done = bare(first_cell(), tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith("ModuleNotFoundError: dlnotes is not installed. Open this notebook")


@pytest.mark.parametrize("address", ["", "http://127.0.0.1:9/"])
def test_where_dlnotes_is_there_the_first_cell_does_nothing(address, tmp_path):
    done = run(Path(sys.executable), first_cell(SITE_URL=address), tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
