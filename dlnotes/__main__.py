"""The book's commands, `python -m dlnotes COMMAND`; without one they are listed."""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import dlnotes
from dlnotes.book import endings

if TYPE_CHECKING:
    from dlnotes.book.layout import Layout


BECOMES_THE_BUILDER = os.name == "posix"  # elsewhere a process cannot become another program


class CommandError(Exception):
    """A command that cannot do what was asked; `code` is the exit code."""

    def __init__(self, message: str, code: int = 2) -> None:
        super().__init__(message)
        self.code = code


def check(layout: Layout, arguments: argparse.Namespace) -> int:
    """Check every page from its source."""
    from dlnotes.book import check, words

    if arguments.words:
        print("\n".join(words.report(layout)))
        return 0

    return check.run(layout)


def figures(layout: Layout, arguments: argparse.Namespace) -> int:
    """Bring figures up to date."""
    from dlnotes.book import drawing

    for word in arguments.figures:
        _known(layout, word.partition("/")[0])
    try:
        drawing.draw(layout, arguments.figures or None)
    except drawing.UnknownFigure as error:
        raise CommandError(str(error)) from None
    except drawing.FigureError as error:
        raise CommandError(str(error), code=1) from None
    return 0


def run(layout: Layout, arguments: argparse.Namespace) -> int:
    """Run the blocks of a chapter."""
    from dlnotes.book import blocks, pages

    stem = _known(layout, arguments.stem)
    found = [page for page in layout.chapter_pages(stem) if pages.read(page).blocks]
    if not found:
        raise CommandError(f"{layout.relative(layout.page(stem))} has no block to run")
    return 1 if sum(blocks.run_page(page) for page in found) else 0


def site(layout: Layout, arguments: argparse.Namespace) -> int:
    """Check the pages, draw the figures and build the site."""
    if check(layout, argparse.Namespace(words=False)):
        raise CommandError("the site is not built while a rule is broken", code=1)
    figures(layout, argparse.Namespace(figures=[]))
    _call(layout, "build", "--strict")
    folder = layout.root / "site"
    print(f"The site is built: {folder / 'index.html'}")
    print(f'Search needs a server: python -m http.server -d "{folder}", then http://localhost:8000')
    return 0


def exports(layout: Layout, arguments: argparse.Namespace) -> int:
    """Write what readers take along, from the built site, and put it into the site."""
    from dlnotes.book import exports, forms

    site, folder = Path(arguments.site or layout.root / "site"), Path(arguments.folder or layout.root / "exports")
    if not (site / "index.html").is_file():
        raise CommandError(f"{site} holds no site: run python -m dlnotes site first")
    failures = exports.make(layout, site, folder, exports.WRITERS)
    try:
        exports.publish(site, folder, forms.FORMS)
    except exports.ExportError as error:
        raise CommandError(str(error), code=1) from None
    for path in sorted(folder / name for name in exports.WRITERS if name not in failures):
        print(f"{exports.size(path):>9}  {path}")
    if failures:
        raise CommandError("\n".join(f"{name} is not made: {why}" for name, why in failures.items()), code=1)
    return 0


def erratum(layout: Layout, arguments: argparse.Namespace) -> int:
    """Turn a reader's report into a test that fails until the page is mended, and a line on the page of errata."""
    from dlnotes.book import erratum

    try:
        report = erratum.read(layout, Path(arguments.file).read_text("utf-8"))
        test = erratum.write(layout, report)
    except (erratum.ReportError, UnicodeDecodeError) as error:
        raise CommandError(f"{arguments.file}: {error}", code=1) from None
    print(f"{layout.relative(test)}: read its block, which a reader wrote, before you run it")
    print(f"{layout.relative(layout.docs / erratum.PAGE)}: its last line says what is mended")
    print(f"Now mend {layout.relative(layout.docs / report.name)} until the test passes.")
    return 0


def serve(layout: Layout, arguments: argparse.Namespace) -> int:
    """Draw the figures, and serve the site so that it follows every change."""
    figures(layout, argparse.Namespace(figures=[]))
    if BECOMES_THE_BUILDER:  # else it would be left behind when this process is killed
        sys.stdout.flush()
        os.chdir(layout.root)
        os.execve(sys.executable, *_mkdocs("serve"))
    _call(layout, "serve")
    return 0


def notebook(layout: Layout, arguments: argparse.Namespace) -> int:
    """Write a chapter as a Jupyter notebook, with what its blocks print."""
    from dlnotes.book import context, drawing, notebooks

    stem = _known(layout, arguments.stem)
    path = Path(arguments.output or ".")
    path = path / f"{stem}.ipynb" if path.is_dir() else path
    figures(layout, argparse.Namespace(figures=[stem]))
    try:
        notebooks.write(layout, stem, path)
    except (context.PageError, drawing.FigureError) as error:
        raise CommandError(str(error), code=1) from None
    print(f"{path}: made of {', '.join(map(layout.relative, layout.chapter_pages(stem)))}")
    return 0


def deck(layout: Layout, arguments: argparse.Namespace) -> int:
    """Write the flashcards as a deck for Anki."""
    from dlnotes.book import anki, context

    path = Path(arguments.path)
    path = path / "dlnotes.apkg" if path.is_dir() else path
    try:
        count = anki.write(path, layout)
    except context.PageError as error:
        raise CommandError(str(error), code=1) from None
    print(f"{path}: {count} cards")
    return 0


def new_chapter(layout: Layout, arguments: argparse.Namespace) -> int:
    """Write the files of a new chapter, each with its TODO."""
    from dlnotes.book import new_chapter

    try:
        written = new_chapter.write(layout, arguments.stem)
    except new_chapter.NameRefused as error:
        raise CommandError(str(error)) from None
    print(new_chapter.report(layout, arguments.stem, written))
    return 0


def _mkdocs(*words: str) -> tuple[list[str], dict[str, str]]:
    """Give the command that calls the builder of the site with the Python that runs this, and its environment."""
    importlib.import_module("mkdocs")
    # The theme's notice about the builder's next version, which pyproject.toml shuts out, would hide real warnings.
    return [sys.executable, "-m", "mkdocs", *words], {**os.environ, "NO_MKDOCS_2_WARNING": "1"}


def _call(layout: Layout, *words: str) -> None:
    """Run the builder of the site to its end."""
    command, settings = _mkdocs(*words)
    code = subprocess.run(command, cwd=layout.root, env=settings, check=False).returncode
    if code:
        raise CommandError(f"mkdocs {' '.join(words)} failed with exit code {code}", code=1)


def _known(layout: Layout, stem: str) -> str:
    """Give the stem back if the book has that chapter."""
    # The page is asked first: reading the nav takes a package that a reader who only runs blocks may lack.
    if stem.isidentifier() and (layout.page(stem).is_file() or stem in layout.stems):
        return stem
    near = difflib.get_close_matches(stem, layout.stems, n=1)
    hint = f"did you mean {near[0]}?" if near else f"the chapters are {', '.join(layout.stems)}"
    raise CommandError(f"there is no chapter {stem or repr(stem)}; {hint}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dlnotes", description="An executable textbook, and what makes it.")
    parser.add_argument("--version", action="version", version=f"dlnotes {dlnotes.__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")

    def add(name: str, function: Callable[[Layout, argparse.Namespace], int]) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=function.__doc__, description=function.__doc__)
        command.set_defaults(function=function, name=name)
        return command

    add("check", check).add_argument(
        "--words", action="store_true", help="only count the words of each chapter's main page"
    )
    add("figures", figures).add_argument(
        "figures", nargs="*", metavar="FIGURE", help="a chapter, or one figure as initialization/relu-depth; else all"
    )
    add("run", run).add_argument("stem", metavar="STEM", help="a chapter, as initialization")
    command = add("notebook", notebook)
    command.add_argument("stem", metavar="STEM", help="a chapter, as initialization")
    command.add_argument("--output", metavar="FILE", help="where to write it; else STEM.ipynb in this folder")
    add("anki", deck).add_argument(
        "path", nargs="?", default=".", metavar="PATH", help="where to write it; else dlnotes.apkg in this folder"
    )
    add("new-chapter", new_chapter).add_argument("stem", metavar="STEM", help="the word that names it, as momentum")
    add("site", site)
    command = add("exports", exports)
    command.add_argument("folder", nargs="?", metavar="FOLDER", help="where to write them; else exports/")
    command.add_argument("--site", metavar="FOLDER", help="where the built site is; else site/")
    add("erratum", erratum).add_argument("file", metavar="FILE", help="the report: the text of an issue of the form")
    add("serve", serve)
    return parser


def main(words: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code: 1 when something is wrong in the book, 2 when the command cannot run."""
    return endings.code_of(lambda: _run(_parser().parse_args(words)))


def _run(arguments: argparse.Namespace) -> int:
    from dlnotes.book import layout

    try:
        return arguments.function(layout.find(), arguments)
    except (CommandError, layout.LayoutError) as error:
        return _refuse(str(error), getattr(error, "code", 2))
    except ModuleNotFoundError as error:
        if (error.name or "dlnotes").partition(".")[0] == "dlnotes":
            raise
        return _refuse(f'{arguments.name} needs {error.name}: pip install -e ".[site]"')
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.filename is None:
            raise
        return _refuse(f"{arguments.name} cannot go on: {error.filename}: {error.strerror}")


def _refuse(message: str, code: int = 2) -> int:
    print(f"dlnotes: {message}", file=sys.stderr)
    return code


def _end(number: int, frame: object) -> None:
    """Leave by an exception, so that whatever was started is ended on the way out."""
    sys.exit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    sys.exit(main())
