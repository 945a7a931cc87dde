"""Every page of the book as Markdown that any reader of Markdown understands, and `llms.txt`, which lists them.

What the directives bring is written out: code with what it prints, claims with their verdicts, figures as images with
their alt text, formulas as LaTeX. The files lie beside the pages, as the convention of llms.txt has it.
"""

from __future__ import annotations

import ast
import inspect
import posixpath
import re
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree

from dlnotes.book import (
    api,
    api_text,
    benchmark_tables,
    benchmarks,
    chapters,
    context,
    elements,
    forms,
    ledger,
    lists,
    notebook_pages,
    page_times,
    pages,
    plain_markdown,
    source,
)
from dlnotes.book import layout as layouts

INDEX = "llms.txt"
_LINK = re.compile(r"\]\(([^()\s#]*)#([^()\s]+)\)")
_ANCHOR = re.compile(notebook_pages.anchor('([^"]+)') + "\n\n")
_INLINE_ATTRIBUTES = re.compile(r"(?<=\))\{ [#.][^{}]* \}")


def every(layout: layouts.Layout) -> dict[str, str]:
    """Give the Markdown of every page, by the place where it lies below the site."""
    made = {plain_markdown.beside(name): page(layout, name) for name in names(layout)}
    wanted = {
        (posixpath.normpath(posixpath.join(posixpath.dirname(place), found[1])) if found[1] else place, found[2])
        for place, text in made.items()
        for found in _LINK.finditer(text)
    }
    # An anchor to which nothing leads only makes the text harder to read.
    return {
        place: _ANCHOR.sub(lambda found, place=place: found[0] if (place, found[1]) in wanted else "", text)
        for place, text in made.items()
    }


def names(layout: layouts.Layout) -> list[str]:
    """Give the pages in the order of the book, those beside a chapter behind it."""
    found: list[str] = []
    for name in layout.nav:
        stem = layout.stem(name)
        beside = layout.chapter_pages(stem) if stem else (layout.docs / name,)
        found += [path.relative_to(layout.docs).as_posix() for path in beside]
    return found


def page(layout: layouts.Layout, name: str) -> str:
    """Give the Markdown of one page, with all its anchors."""
    read = pages.read(layout.docs / name)
    whole = context.Context(layout, name, read, alone=True)
    lines = read.text.split("\n")
    expanded = lists.expanded(whole, lines)
    if expanded != lines:
        whole = context.Context(layout, name, pages.parse("\n".join(expanded)), alone=True)
    return "\n\n".join(map(_written, _Writer(whole).written())).strip() + "\n"


def _written(cell: notebook_pages.Cell) -> str:
    """Write a cell; of code with what it prints."""
    if cell.kind == "markdown":
        return _INLINE_ATTRIBUTES.sub("", cell.source)
    printed = "" if cell.output is None else f"\n\nIt prints:\n\n{notebook_pages.fenced(cell.output, 'text')}"
    return notebook_pages.fenced(cell.source, "python") + printed


def index(layout: layouts.Layout) -> str:
    """Give llms.txt: what the book is, and the Markdown of its pages by part."""
    home = pages.read(layout.docs / "index.md")
    parts: dict[str, list[str]] = {title: [] for title in layout.parts}
    lists_of_the_book, optional = [], []
    part_of = {stem: title for title, stems in layout.parts.items() for stem in stems}
    for name in names(layout):
        stem = layout.stem(name)
        if name.startswith("api"):
            optional.append(_entry(layout, name))
        elif stem is None:
            lists_of_the_book.append(_entry(layout, name))
        else:
            parts[part_of[stem]].append(_entry(layout, name))
    sections = {**parts, "The book's lists": lists_of_the_book, "Optional": optional}
    head = [
        f"# {layout.settings.get('site_name')}: {home.title}",
        f"> {home.front_matter.get('description')}",
        "Each chapter has a main page; beside it stand the derivation, the evidence for each claim, and exercises with "
        "flashcards. Every block of code runs by itself once the package `dlnotes` is installed, and prints what is "
        "shown beneath it. Verdicts of claims: "
        + "; ".join(f"*{elements.VERDICTS[v]}*" for v in ledger.VERDICTS)
        + ".",
    ]
    return (
        "\n\n".join([*head, *(f"## {title}\n\n" + "\n".join(rows) for title, rows in sections.items() if rows)]) + "\n"
    )


def _entry(layout: layouts.Layout, name: str) -> str:
    read = pages.read(layout.docs / name)
    base = f"{layout.site_url.rstrip('/')}/" if layout.site_url else ""
    words = " ".join(str(read.front_matter.get("description") or "").split())
    return f"- [{read.title}]({base}{plain_markdown.beside(name)}){f': {words}' if words else ''}"


def publish(layout: layouts.Layout, site: Path) -> None:
    """Put the Markdown of every page and llms.txt into the folder of the site."""
    for place, text in every(layout).items():
        (site / place).parent.mkdir(parents=True, exist_ok=True)
        (site / place).write_text(text, "utf-8", newline="\n")
    (site / INDEX).write_text(index(layout), "utf-8", newline="\n")


class _Writer(notebook_pages.Writer):
    """Writes a page that stands by itself, with the lists of the book and the reference of the code."""

    FORM: ClassVar = "the Markdown of a page"
    HEADED: ClassVar = False

    def _places(self) -> dict[int, Callable[[], int]]:
        reference = {part.line: lambda part=part: self._reference(part) for part in self.page.page.api}
        return {**super()._places(), **reference}

    def _figure(self, part: pages.Directive) -> None:
        super()._figure(part)
        name = notebook_pages.picture_name(self.made[-1].pictures[0])
        stem, _, figure = (part.argument or "").partition("/")
        drawn = self.page.layout.figure(stem, figure, "wide", "light").relative_to(self.page.layout.docs).as_posix()
        here = posixpath.dirname(plain_markdown.beside(self.page.source or ""))
        shown = self.made[-1].source.replace(f"(attachment:{name})", f"({posixpath.relpath(drawn, here or '.')})")
        self.made[-1] = notebook_pages.Cell("markdown", shown)

    def _solution(self, part: pages.Directive) -> None:
        self._fold("Solution", lambda: self._walk(part.body_line, part.end - 1))

    # The lists of the book

    def _rows(self, claims: tuple[ledger.Claim, ...]) -> str:
        settled = lists.settled(self.page)
        return "\n".join(self._row(claim, settled.get(claim.id, "")) for claim in claims)

    def _row(self, claim: ledger.Claim, where: str) -> str:
        place = plain_markdown.destination(self.page, where, f"claim-{claim.id}")
        words = (
            f"**{plain_markdown.escaped(claim.claim)}**",
            f"Said in {notebook_pages.listed(claim.notes)}.",
            f"Verdict: *{elements.VERDICTS[claim.verdict]}*.",
            plain_markdown.escaped(claim.because),
            plain_markdown.link("Evidence", place) if place else "Not settled yet.",
        )
        return f"- {' '.join(filter(None, words))}"

    def _claim_rows(self, part: pages.Directive) -> None:
        self._put(self._rows(ledger.of_chapter(tuple(self.page.claims.values()), self.page.stem or "")))

    def _by_chapter(self, claims: tuple[ledger.Claim, ...]) -> None:
        for stem in dict.fromkeys([*self.page.layout.stems, *(claim.chapter for claim in claims)]):
            if own := ledger.of_chapter(claims, stem):
                title = context.chapter_title(self.page.layout, stem)
                self._put(notebook_pages.anchor(stem), f"### {title}", self._rows(own))

    def _claims_list(self, part: pages.Directive) -> None:
        self._by_chapter(tuple(self.page.claims.values()))

    def _corrected_list(self, part: pages.Directive) -> None:
        settled = lists.settled(self.page)
        claims = self.page.claims.values()
        self._by_chapter(tuple(one for one in claims if one.verdict == "corrected" and one.id in settled))

    def _claims_tally(self, part: pages.Directive) -> None:
        self._put(_markdown(lists.tally(tuple(self.page.claims.values()), lists.settled(self.page))))

    def _claim_showcase(self, part: pages.Directive) -> None:
        claim = self.page.claim(part.argument or "")
        self._put(self._row(claim, lists.settled(self.page).get(claim.id, "")))
        self._walk(part.body_line, part.end - 1)

    def _chapters_list(self, part: pages.Directive) -> None:
        for title, stems in self.page.layout.parts.items():
            rows = []
            for stem in stems:
                address = plain_markdown.destination(self.page, f"chapters/{stem}.md")
                name = plain_markdown.link(context.chapter_title(self.page.layout, stem), address)
                rows.append(f"- {name}: {self.page.chapter(stem).question}")
            self._put(f"### {title}", "\n".join(rows))

    def _notes_list(self, part: pages.Directive) -> None:
        self._put("\n".join(f"- {name}: {title}" for name, title in ledger.NOTES.items()))

    def _references_list(self, part: pages.Directive) -> None:
        entries = sorted(self.page.references.values(), key=lambda entry: (entry.authors[0].casefold(), entry.year))
        self._put("\n".join(map(notebook_pages.cited, entries)))

    def _exports_list(self, part: pages.Directive) -> None:
        rows = (f"- **{form.title}** (`{forms.FOLDER}/{form.name}`): {form.use}" for form in forms.FORMS)
        self._put("\n".join(rows))

    def _benchmarks(self, part: pages.Directive) -> None:
        self._put(_markdown(benchmark_block(self.page, part.argument or "")))

    # The reference of the code

    def _reference(self, part: pages.Api) -> int:
        layout = self.page.layout
        path = api.module_path(layout, part.identifier)
        if path is not None and path.name == "__init__.py":
            self._put(self._modules(part.identifier))
            return part.line + 1
        reference = api.Reference(layout, part.identifier)
        self._put(" or ".join(f"`import {name}`" for name in reference.paths))
        self._put(*filter(None, (_docstring(source.read(path).tree) for path in reference.paths.values())))
        for entry in reference.entries:
            self._put(notebook_pages.anchor(entry.identifier), f"## `{entry.name}`")
            calls = [f"{side.identifier.rpartition('.')[0]}.{api_text.signature(side.node)}" for side in entry.sides]
            texts = dict.fromkeys(_docstring(side.node) for side in entry.sides)
            self._put(notebook_pages.fenced("\n".join(calls)), *filter(None, texts))
        return part.line + 1

    def _modules(self, package: str) -> str:
        known = api.places(self.page.layout)
        rows = []
        for identifier, name in known.items():
            if identifier.rpartition(".")[0] == package or (package == "dlnotes.numpy" and ".torch." in identifier):
                title = pages.read(self.page.layout.docs / name).title.removeprefix("API: ")
                rows.append(f"- {plain_markdown.link(title, plain_markdown.destination(self.page, name))}")
        return "\n".join(dict.fromkeys(rows))

    DIRECTIVES: ClassVar[dict[str, Callable[[_Writer, pages.Directive], None]]] = {
        **notebook_pages.Writer.DIRECTIVES,
        "figure": _figure,
        "solution": _solution,
        "claim-rows": _claim_rows,
        "claims-list": _claims_list,
        "corrected-list": _corrected_list,
        "claims-tally": _claims_tally,
        "claim-showcase": _claim_showcase,
        "chapters-list": _chapters_list,
        "notes-list": _notes_list,
        "references-list": _references_list,
        "exports-list": _exports_list,
        "benchmarks": _benchmarks,
    }


class _SheetWriter(_Writer):
    """Writes exercises without their solutions."""

    def _no_solution(self, part: pages.Directive) -> None:
        """Leave the solution out."""

    DIRECTIVES: ClassVar[dict[str, Callable[[_Writer, pages.Directive], None]]] = {
        **_Writer.DIRECTIVES,
        "solution": _no_solution,
    }


def exercises(layout: layouts.Layout, chapter: chapters.Chapter) -> list[str]:
    """Give the exercises of a chapter as Markdown, without their solutions."""
    made = []
    for name, part in chapter.named("exercise"):
        writer = _SheetWriter(context.Context(layout, name, chapter.pages[name], alone=True))
        cells = writer.written(part.line, part.end)
        made.append(_ANCHOR.sub("", "\n\n".join(map(_written, cells))).strip())
    return made


def benchmark_block(page: context.Context, argument: str) -> elements.Element:
    """Build what the page on benchmarks shows for one argument."""
    results = benchmarks.load(page.layout.benchmarks)
    if argument == "page":
        return page_times.table(page_times.load(page.layout.page_times))
    if argument == "goals":
        return benchmark_tables.tally(results)
    if argument in results:
        return benchmark_tables.machine(results[argument])
    rows = [row for device in results.values() for row in device.rows if row.table == argument]
    return benchmark_tables.table(rows)


def _docstring(node: ast.AST) -> str:
    """Give a docstring as it is written; its equations and lists are indented, and so it is shown as it stands."""
    text = inspect.cleandoc(ast.get_docstring(node) or "")
    return notebook_pages.fenced(text, "text") if text else ""


def _markdown(block: elements.Element) -> str:
    """Write a small block of ours, of paragraphs, lists and tables without formulas, as Markdown."""
    made: list[str] = []
    for part in block:
        if part.tag == "table":
            made.append(_table(part))
        elif part.tag in ("ul", "ol"):
            made.append("\n".join(f"- {_text(item)}" for item in part))
        elif part.tag == "li":
            made.append(f"- {_text(part)}")
        elif part.tag == "p":
            made.append(_text(part))
        elif part.get("aria-hidden") != "true":
            made.append(_markdown(part))
    return "\n\n".join(filter(None, made)) if block.tag not in ("ul", "ol") else "\n".join(made)


def _table(table: elements.Element) -> str:
    rows = [[_text(cell) for cell in row] for row in table.iter("tr")]
    width = max(map(len, rows))
    lines = [f"| {' | '.join([*row, *[''] * (width - len(row))])} |" for row in rows]
    return "\n".join([lines[0], f"|{' --- |' * width}", *lines[1:]])


def _text(element: elements.Element) -> str:
    """Give the text of an element, with blanks where one part of it ends."""
    parts = [" ".join(part.split()) for part in ElementTree.tostring(element, "unicode").split("<")]
    words = (part.partition(">")[2] for part in parts)
    return plain_markdown.escaped(" ".join(" ".join(words).split()).replace("&amp;", "&"))
