"""The commands do their work in order, and say in one line why they cannot."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dlnotes import __main__ as commands
from dlnotes.book import drawing, endings, pictures
from tests.book import small_book


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    small_book.write(tmp_path)
    monkeypatch.chdir(tmp_path / "docs")
    return tmp_path


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Record what would be drawn and built."""
    done: list[Any] = []

    def run(command: list[str], **settings: Any) -> subprocess.CompletedProcess:
        done.append((command[1:], settings["cwd"]))
        return subprocess.CompletedProcess(command, 3 if "fails" in done else 0)

    monkeypatch.setattr(drawing, "draw", lambda layout, stems: done.append(stems))
    monkeypatch.setattr(subprocess, "run", run)
    return done


def test_check_gives_the_exit_code_of_what_it_finds(book: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["check"]) == 0
    (book / "docs" / "index.md").write_text("# Home\n\n$\n")
    assert commands.main(["check"]) == 1
    assert "docs/index.md:3: formula:" in capsys.readouterr().out


def test_figures_are_drawn_for_the_chapters_named(book: Path, steps: list[Any]) -> None:
    assert commands.main(["figures"]) == 0
    assert commands.main(["figures", "initialization", "initialization/relu-depth"]) == 0
    assert steps == [None, ["initialization", "initialization/relu-depth"]]


def test_site_checks_draws_and_builds_in_this_order(
    book: Path, steps: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.main(["site"]) == 0
    assert steps == [None, (["-m", "mkdocs", "build", "--strict"], book)]
    told = capsys.readouterr().out
    assert str(book / "site" / "index.html") in told
    assert "python -m http.server -d" in told


def test_site_builds_nothing_while_a_rule_is_broken(
    book: Path, steps: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    (book / "docs" / "index.md").write_text("# Home\n\n$\n")
    assert commands.main(["site"]) == 1
    assert steps == []
    assert capsys.readouterr().err == "dlnotes: the site is not built while a rule is broken\n"


def test_a_build_that_fails_is_told(book: Path, steps: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    steps.append("fails")
    assert commands.main(["site"]) == 1
    assert "failed with exit code 3" in capsys.readouterr().err


def test_serve_draws_and_serves(book: Path, steps: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "execve", lambda _, command, settings: steps.append((command[1:], Path.cwd())))
    monkeypatch.setattr(commands, "_call", lambda layout, *words: None)
    assert commands.main(["serve"]) == 0
    assert steps == [None, (["-m", "mkdocs", "serve"], book)]


def test_serve_calls_the_builder_where_a_process_cannot_become_another(
    book: Path, steps: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "BECOMES_THE_BUILDER", False)
    assert commands.main(["serve"]) == 0
    assert steps == [None, (["-m", "mkdocs", "serve"], book)]


def test_a_figure_that_fails_is_told(
    book: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def draw(layout: object, stems: object) -> None:
        raise drawing.FigureError("initialization/relu-depth: no")

    monkeypatch.setattr(drawing, "draw", draw)
    assert commands.main(["figures"]) == 1
    assert capsys.readouterr().err == "dlnotes: initialization/relu-depth: no\n"


def test_run_runs_the_blocks_of_a_chapter(book: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = book / "docs" / "chapters" / "initialization.md"
    page.write_text("# A\n\n```python\nassert 1 + 1 == 2\n```\n")
    assert commands.main(["run", "initialization"]) == 0
    page.write_text("# A\n\n```python\nassert 1 + 1 == 3\n```\n")
    assert commands.main(["run", "initialization"]) == 1
    assert "initialization.md" in capsys.readouterr().out


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Record what would be drawn, and give every figure a picture."""
    asked: list[Any] = []
    monkeypatch.setattr(drawing, "draw", lambda layout, stems: asked.append(stems))
    monkeypatch.setattr(pictures, "png", lambda layout, figure: b"a picture")
    return asked


@pytest.mark.parametrize("output", [None, "other.ipynb", "folder"])
def test_a_notebook_is_written_where_it_is_wanted(
    book: Path, drawn: list[Any], capsys: pytest.CaptureFixture[str], output: str | None
) -> None:
    pytest.importorskip("nbformat")
    (book / "docs" / "folder").mkdir()
    assert commands.main(["notebook", "initialization", *(["--output", output] if output else [])]) == 0
    assert drawn == [["initialization"]]  # its figures are brought up to date first
    where = {None: "initialization.ipynb", "folder": "folder/initialization.ipynb"}.get(output, output)
    assert "he_variance" in (book / "docs" / where).read_text("utf-8")
    assert capsys.readouterr().out == f"{Path(where)}: made of docs/chapters/initialization.md\n"


@pytest.mark.usefixtures("drawn")
@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (r"\eqref{forward}", r"\eqref{nothing}", r"\eqref{nothing}: there is no such equation"),
        (
            "/// kernel | initialization.he_variance",
            "/// claims-tally",
            "claims-tally: a notebook does not know how to show this",
        ),
    ],
)
def test_a_page_of_which_no_notebook_can_be_made_is_told(
    book: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, told: str
) -> None:
    pytest.importorskip("nbformat")
    page = book / "docs/chapters/initialization.md"
    before, _, after = page.read_text("utf-8").partition(old)
    page.write_text(f"{before}{new}{after}", "utf-8")
    assert commands.main(["notebook", "initialization"]) == 1
    line = before.count("\n") + 1
    assert capsys.readouterr().err == f"dlnotes: docs/chapters/initialization.md:{line}: {told}\n"


def test_a_notebook_waits_for_its_figures(
    book: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("nbformat")
    monkeypatch.setattr(drawing, "draw", lambda layout, stems: None)
    assert commands.main(["notebook", "initialization"]) == 1
    assert "relu-depth.wide.light.svg is not drawn: run python -m dlnotes figures" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("stem", "message"),
    [
        ("initialisation", "did you mean initialization?"),
        ("q", "the chapters are initialization"),
    ],
)
@pytest.mark.parametrize("command", ["run", "figures"])
def test_a_chapter_that_is_not_there_is_named(
    book: Path, capsys: pytest.CaptureFixture[str], command: str, stem: str, message: str
) -> None:
    assert commands.main([command, stem]) == 2
    assert capsys.readouterr().err == f"dlnotes: there is no chapter {stem}; {message}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "../index"], "there is no chapter ../index; the chapters are initialization"),
        (["run", "./initialization"], "there is no chapter ./initialization; did you mean initialization?"),
        (["run", ""], "there is no chapter ''; the chapters are initialization"),
        (["run", "empty"], "docs/chapters/empty.md has no block to run"),
        (["figures", "../index"], "there is no chapter ..; the chapters are initialization"),
        (["figures", "initialisation/relu-depth"], "there is no chapter initialisation; did you mean initialization?"),
        (
            ["figures", "initialization/relu-dept"],
            "there is no figure initialization/relu-dept; did you mean initialization/relu-depth?",
        ),
        (["figures", "initialization/"], "there is no figure initialization/; there are relu-depth"),
        (["figures", "empty"], "empty has no figures: dlnotes/figures/empty.py is missing"),
        (["new-chapter", "con"], "'con' names a device on Windows, and no file can have its name"),
    ],
)
def test_a_word_that_names_nothing_is_refused(
    book: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(book)
    (book / "docs" / "chapters" / "empty.md").write_text("# Empty\n")
    assert commands.main(words) == 2
    assert capsys.readouterr() == ("", f"dlnotes: {message}\n")


def program(book: Path, *words: str, flags: tuple[str, ...] = (), **settings: Any) -> subprocess.Popen:
    """Start a command as a reader would, in the small book."""
    return subprocess.Popen(
        [sys.executable, *flags, "-P", "-m", "dlnotes", *words],  # -P: its package must not hide the real one
        cwd=book,
        env={**os.environ, "PYTHONPATH": str(Path(commands.__file__).parents[1])},
        stderr=subprocess.PIPE,
        text=True,
        **settings,
    )


@pytest.mark.parametrize("lines", [1, 20_000])  # what fits into the pipe fails at the end only
@pytest.mark.parametrize("command", ["check", "run"])
def test_a_pipe_that_is_closed_ends_a_command_without_a_word(book: Path, command: str, lines: int) -> None:
    (book / "docs" / "chapters" / "initialization.md").write_text("```python\npass\n```\n\n" * lines)
    reading, writing = os.pipe()
    words = ["run", "initialization"] if command == "run" else [command]
    started = program(book, *words, stdout=writing)
    os.close(writing)
    os.close(reading)
    _, said = started.communicate(timeout=100)
    assert (started.returncode, said) == (endings.CLOSED_PIPE, "")


@pytest.mark.parametrize("words", [["figures"], ["site"]])
def test_a_cache_that_cannot_be_written_is_told_at_once(
    book: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    (book / ".cache").write_text("a file in the way")
    assert commands.main(["check"]) == 0  # it keeps formulas only to save time
    capsys.readouterr()
    assert commands.main(words) == 2
    folder = book / ".cache" / "figures"
    said = capsys.readouterr().err
    assert said.startswith(f"dlnotes: {words[0]} cannot go on: {folder}"), said
    assert said.count("\n") == 1


def test_under_o_a_block_still_fails_by_its_own_assertion(book: Path) -> None:
    page = book / "docs" / "chapters" / "initialization.md"
    page.write_text("# A\n\n```python\nassert 1 + 1 == 3\n```\n")
    started = program(book, "run", "initialization", flags=("-O",), stdout=subprocess.PIPE)
    told, _ = started.communicate(timeout=60)
    assert started.returncode == 1
    assert "AssertionError" in told


@pytest.mark.parametrize(
    ("command", "package"),
    [("check", "yaml"), ("check", "py_mini_racer"), ("site", "mkdocs"), ("figures", "tqdm"), ("notebook", "nbformat")],
)
def test_a_missing_package_is_told_in_one_line(tmp_path: Path, command: str, package: str) -> None:
    small_book.write(tmp_path)
    words = [command, "initialization"] if command == "notebook" else [command]
    code = f"import sys\nsys.modules[{package!r}] = None\n"
    if command in ("site", "notebook"):
        code += "from dlnotes.book import drawing\ndrawing.draw = lambda *_: None\n"
    code += f"from dlnotes import __main__\nsys.exit(__main__.main({words!r}))\n"
    ran = subprocess.run(
        [sys.executable, "-P", "-c", code],  # -P: the small book's package must not hide the real one
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(commands.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2, ran.stderr
    assert ran.stderr == f'dlnotes: {command} needs {package}: pip install -e ".[site]"\n'


def test_a_slip_in_the_book_itself_keeps_its_traceback(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dlnotes.book.check", None)
    monkeypatch.delattr("dlnotes.book.check", raising=False)
    with pytest.raises(ImportError):
        commands.main(["check"])


def test_without_a_command_the_commands_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as error:
        commands.main([])
    assert error.value.code == 2
    with pytest.raises(SystemExit):
        commands.main(["--help"])
    told = capsys.readouterr().out
    assert all(name in told for name in ("check", "figures", "run", "notebook", "site", "serve"))


def test_an_interrupt_ends_quietly(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def draw(layout: object, stems: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(drawing, "draw", draw)
    assert commands.main(["figures"]) == 130
