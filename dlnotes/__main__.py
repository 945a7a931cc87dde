"""The book's commands: `python -m dlnotes check | figures | run | site | serve | new-chapter`."""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import dlnotes

if TYPE_CHECKING:
    from dlnotes.book.layout import Layout


class CommandError(Exception):
    """A command that cannot do what was asked; `code` is the exit code."""

    def __init__(self, message: str, code: int = 2) -> None:
        super().__init__(message)
        self.code = code


def check(layout: Layout, arguments: argparse.Namespace) -> int:
    """Check every page from its source."""
    from dlnotes.book import check

    return check.run(layout)


def figures(layout: Layout, arguments: argparse.Namespace) -> int:
    """Bring figures up to date."""
    from dlnotes.book import figures

    stems = [_known(layout, stem) for stem in arguments.stems] or None
    try:
        figures.draw(layout, stems)
    except figures.FigureError as error:
        raise CommandError(str(error), code=1) from None
    return 0


def run(layout: Layout, arguments: argparse.Namespace) -> int:
    """Run the blocks of a chapter."""
    from dlnotes.book import blocks

    return 1 if blocks.run_page(layout.page(_known(layout, arguments.stem))) else 0


def site(layout: Layout, arguments: argparse.Namespace) -> int:
    """Check the pages, draw the figures and build the site."""
    if check(layout, arguments):
        raise CommandError("the site is not built while a rule is broken", code=1)
    figures(layout, argparse.Namespace(stems=[]))
    _mkdocs(layout, "build", "--strict")
    folder = layout.root / "site"
    print(f"The site is built: {folder / 'index.html'}")
    print(f'Search needs a server: python -m http.server -d "{folder}", then http://localhost:8000')
    return 0


def serve(layout: Layout, arguments: argparse.Namespace) -> int:
    """Draw the figures, and serve the site so that it follows every change."""
    figures(layout, argparse.Namespace(stems=[]))
    _mkdocs(layout, "serve")
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


def _mkdocs(layout: Layout, *words: str) -> None:
    """Call the builder of the site with the Python that runs this."""
    importlib.import_module("mkdocs")
    # The theme's notice about the builder's next version, which pyproject.toml shuts out, would hide real warnings.
    settings = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", *words]
    code = subprocess.run(command, cwd=layout.root, env=settings, check=False).returncode
    if code:
        raise CommandError(f"mkdocs {' '.join(words)} failed with exit code {code}", code=1)


def _known(layout: Layout, stem: str) -> str:
    """Give the stem back if the book has that chapter."""
    # The page is asked first: reading the nav takes a package that a reader who only runs blocks may lack.
    if layout.page(stem).is_file() or stem in layout.stems:
        return stem
    near = difflib.get_close_matches(stem, layout.stems, n=1)
    hint = f"did you mean {near[0]}?" if near else f"the chapters are {', '.join(layout.stems)}"
    raise CommandError(f"there is no chapter {stem}; {hint}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dlnotes", description="An executable textbook, and what makes it.")
    parser.add_argument("--version", action="version", version=f"dlnotes {dlnotes.__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")

    def add(name: str, function: Callable[[Layout, argparse.Namespace], int]) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=function.__doc__, description=function.__doc__)
        command.set_defaults(function=function, name=name)
        return command

    add("check", check)
    add("figures", figures).add_argument("stems", nargs="*", metavar="STEM", help="a chapter; all when none is named")
    add("run", run).add_argument("stem", metavar="STEM", help="a chapter, as initialization")
    add("new-chapter", new_chapter).add_argument("stem", metavar="STEM", help="the word that names it, as momentum")
    add("site", site)
    add("serve", serve)
    return parser


def main(words: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code: 1 when something is wrong in the book, 2 when the command cannot run."""
    arguments = _parser().parse_args(words)
    try:
        return _run(arguments)
    except ModuleNotFoundError as error:
        if (error.name or "dlnotes").partition(".")[0] == "dlnotes":
            raise
        print(_refusal(f'{arguments.name} needs {error.name}: pip install -e ".[site]"'), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _run(arguments: argparse.Namespace) -> int:
    from dlnotes.book import layout

    try:
        return arguments.function(layout.find(), arguments)
    except (CommandError, layout.LayoutError) as error:
        print(_refusal(str(error)), file=sys.stderr)
        return getattr(error, "code", 2)


def _refusal(message: str) -> str:
    return f"dlnotes: {message}"


if __name__ == "__main__":
    sys.exit(main())
