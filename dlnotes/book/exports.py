"""What a reader takes along: for each form of the book the function that writes it.

`python -m dlnotes exports` writes them from the built site, puts them into it, and fills in the page that lists them.
"""

from __future__ import annotations

import html
import posixpath
import re
import shutil
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from dlnotes.book import forms
from dlnotes.book import layout as layouts

# Gets the book, the folder of the built site, and the file to write.
Writer = Callable[[layouts.Layout, Path, Path], None]
_DAY = (1980, 1, 1, 0, 0, 0)  # of each file in an archive, so that the same book gives the same bytes
_UNITS = (("MB", 1e6), ("kB", 1e3))


class ExportError(Exception):
    """A form of the book that cannot be made; the message says why."""


def _pdf(layout: layouts.Layout, site: Path, path: Path) -> None:
    from dlnotes.book import pdf

    pdf.write(layout, site, path)


def _epub(layout: layouts.Layout, site: Path, path: Path) -> None:
    from dlnotes.book import epub

    epub.write(layout, site, path)


def _deck(layout: layouts.Layout, site: Path, path: Path) -> None:
    from dlnotes.book import anki

    anki.write(path, layout)


def _course(layout: layouts.Layout, site: Path, path: Path) -> None:
    from dlnotes.book import course

    course.write(layout, path.with_suffix(""))
    archive(path.with_suffix(""), path)


def _markdown(layout: layouts.Layout, site: Path, path: Path) -> None:
    from dlnotes.book import markdown_pages

    texts = markdown_pages.every(layout) | {markdown_pages.INDEX: markdown_pages.index(layout)}
    drawn = layout.figures_folder.glob("*/*.wide.light.svg")
    figures = {file.relative_to(layout.docs).as_posix(): file.read_bytes() for file in drawn}
    pack({name: text.encode() for name, text in texts.items()} | figures, path)


def _references(layout: layouts.Layout, site: Path, path: Path) -> None:
    from dlnotes.book import bibtex

    path.write_text(bibtex.bibliography_file(layout), "utf-8", newline="\n")


def _citation(layout: layouts.Layout, site: Path, path: Path) -> None:
    from dlnotes.book import bibtex

    path.write_text(bibtex.book(layout), "utf-8", newline="\n")


# What writes each form that the page lists. A writer imports what it needs, so that what lacks a package fails alone.
WRITERS: dict[str, Writer] = {
    "dlnotes.pdf": _pdf,
    "dlnotes.epub": _epub,
    "dlnotes.apkg": _deck,
    "course.zip": _course,
    "markdown.zip": _markdown,
    "references.bib": _references,
    "dlnotes.bib": _citation,
}


def make(
    layout: layouts.Layout, site: Path, folder: Path, writers: Mapping[str, Writer], *, progress: bool = True
) -> dict[str, str]:
    """Write every form of the book into a folder, and give what could not be made: name and reason."""
    from tqdm import tqdm

    folder.mkdir(parents=True, exist_ok=True)
    failures = {}
    with tqdm(writers.items(), desc="exports", unit="file", disable=not progress, leave=False) as bar:
        for name, write in bar:
            bar.set_postfix_str(name)
            try:
                write(layout, site, folder / name)
            except Exception as error:  # of one form; the others are made all the same
                (folder / name).unlink(missing_ok=True)
                failures[name] = str(error) if isinstance(error, ExportError) else _told(error)
    return failures


def _told(error: Exception) -> str:
    """Tell an error in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split()) or 'no reason given'}"


def publish(site: Path, folder: Path, table: Iterable[forms.Form]) -> None:
    """Put the folder into the site, and links and sizes into the page that lists the forms."""
    target = site / forms.FOLDER
    if folder.resolve() != target.resolve():
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(folder, target)
    page = site / forms.PAGE.removesuffix(".md") / "index.html"
    text = page.read_text("utf-8")
    for form in table:
        cell = re.compile(rf'(<td data-export="{re.escape(form.name)}">).*?(</td>)', re.DOTALL)
        if not cell.search(text):
            raise ExportError(f"{page} has no place for {form.name}: build the site again")
        text = cell.sub(lambda found, form=form: f"{found[1]}{_shown(target, form)}{found[2]}", text)
    page.write_text(text, "utf-8")


def _shown(folder: Path, form: forms.Form) -> str:
    """Write link and size of a file; or that there is none."""
    path = folder / form.name
    if not path.is_file():
        return forms.MISSING
    name = html.escape(form.name)
    link = f'<a href="../{forms.FOLDER}/{name}" download>{name}</a> {size(path)}'
    opened = posixpath.normpath(f"../{forms.FOLDER}/{form.opens}")
    return link + (f', or <a href="{opened}">open it here</a>' if form.opens else "")


def size(path: Path) -> str:
    """Say how large a file is, with two digits."""
    count = path.stat().st_size
    unit, step = next((unit for unit in _UNITS if count >= unit[1]), ("bytes", 1))
    value = count / step
    return f"{value:.1f} {unit}" if value < 10 and step > 1 else f"{value:.0f} {unit}"


def pack(files: dict[str, bytes], path: Path) -> None:
    """Write an archive; the same files give the same bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for name, content in sorted(files.items()):
            packed.writestr(zipfile.ZipInfo(name, _DAY), content, zipfile.ZIP_DEFLATED)


def archive(folder: Path, path: Path) -> None:
    """Write an archive of a folder, inside which the files lie in a folder of the same name."""
    found = (file for file in sorted(folder.rglob("*")) if file.is_file())
    pack({file.relative_to(folder.parent).as_posix(): file.read_bytes() for file in found}, path)
