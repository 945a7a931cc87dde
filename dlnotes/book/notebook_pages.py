"""The cells of a notebook that a page of a chapter becomes."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import ClassVar, NamedTuple

from dlnotes.book import (
    api,
    bibliography,
    blocks,
    context,
    directives,
    drawing,
    elements,
    ledger,
    lists,
    pages,
    plain_markdown,
    prose,
    reading,
    source,
)

_ATTRIBUTES = re.compile(r"\s*\{:? ?[#.][^{}]*\}\s*$")


class Cell(NamedTuple):
    """A cell, without the form that Jupyter gives it.

    `output` is what a cell of code prints, `fails` says that it ends in an error until the reader has changed it, and
    `pictures` are the figures that a cell of text shows.
    """

    kind: str
    source: str
    output: str | None = None
    fails: bool = False
    pictures: tuple[drawing.Figure, ...] = ()


def anchor(name: str) -> str:
    """Write a place to which links lead."""
    return f'<a id="{name}"></a>'


def picture_name(figure: drawing.Figure) -> str:
    """Name the picture of a figure among the attachments of its cell."""
    return f"{figure.name}.png"


def cells(page: context.Context) -> list[Cell]:
    """Give the cells of a page."""
    return Writer(page).written()


class Writer:
    """Goes through the lines of a page.

    `waiting` holds lines of the book's Markdown, `ready` the parts of the cell that is being written, between which
    stand blank lines. `heads` says that these are headings alone, which stay with what they are above. Inside a fold
    (`folds` counts them) no cell ends, because a fold cannot reach into another one.
    """

    FORM: ClassVar = "a notebook"
    HEADED: ClassVar = True  # title and question of the chapter stand at the head of the document already

    def __init__(self, page: context.Context) -> None:
        self.page = page
        self.lines = page.page.text.split("\n")
        self.made: list[Cell] = []
        self.waiting: list[str] = []
        self.ready: list[str] = []
        self.pictures: list[drawing.Figure] = []
        self.heads = True
        self.folds = 0
        self.at: dict[int, Callable[[], int]] = self._places()

    def _places(self) -> dict[int, Callable[[], int]]:
        """Give what is done at the lines that are no plain text; each gives the number of the line behind it."""
        page = self.page.page
        return {
            **{part.line: lambda part=part: self._heading(part) for part in page.headings},
            **{part.line: lambda part=part: self._formula(part) for part in page.formulas if part.display},
            **{part.line: lambda part=part: part.line + 1 for part in page.comments},
            **{part.line: lambda part=part: self._fence(part) for part in page.fences},
            **{part.line: lambda part=part: self._directive(part) for part in page.directives},
        }

    def written(self, first: int | None = None, last: int | None = None) -> list[Cell]:
        """Go through the whole page, or some of its lines."""
        self._walk(first or self.page.page.body_line, last or len(self.lines))
        self._end_cell()
        return self.made

    def _walk(self, line: int, last: int) -> None:
        """Write the lines up to the last one."""
        while line <= last:
            if line in self.at:
                line = self.at[line]()
            else:
                self._plain(self.lines[line - 1])
                line += 1

    def _walk_behind(self, words: str, line: int, last: int) -> None:
        """Write lines, with the first that is not empty behind some words."""
        while line < last and not self.lines[line - 1].strip():
            line += 1
        self.waiting.append(f"{words}{self.lines[line - 1].strip()}")
        self._walk(line + 1, last)

    def _plain(self, line: str) -> None:
        if _ATTRIBUTES.fullmatch(line):
            if ".question" in line and self.HEADED:
                self.waiting.pop()
        elif line.startswith(pages.OTHERWISE):
            self.waiting.append(line.replace(pages.OTHERWISE, "**Had it been otherwise.**", 1))
        else:
            self.waiting.append(line)

    def _settle(self) -> None:
        """Turn the waiting lines into plain Markdown."""
        text = plain_markdown.inline(self.page, "\n".join(self.waiting)).strip("\n")
        self.waiting = []
        if text.strip():
            self.ready.append(re.sub(r"\n{3,}", "\n\n", text))
            self.heads = False

    def _put(self, *parts: str) -> None:
        """Add parts that are plain Markdown already."""
        self._settle()
        self.ready += parts
        self.heads = False

    def _begin_cell(self) -> None:
        """End the cell of text before something new, unless it holds no more than headings."""
        self._settle()
        if not self.heads:
            self._end_cell()

    def _end_cell(self) -> None:
        """End the cell of text, if there is one and no fold is open."""
        self._settle()
        if self.ready and not self.folds:
            self.made.append(Cell("markdown", "\n\n".join(self.ready), pictures=tuple(self.pictures)))
            self.ready, self.pictures, self.heads = [], [], True

    def _fold(self, summary: str, write: Callable[[], None]) -> None:
        """Write something that is closed until the reader opens it."""
        self._put(f"<details>\n<summary>{summary}</summary>")
        self.folds += 1
        write()
        self._put("</details>")
        self.folds -= 1

    def _heading(self, part: pages.Heading) -> int:
        name = self.page.source or ""
        if self.HEADED and part.level == 1 and name == f"chapters/{self.page.stem}.md":
            return part.line + 1
        self._begin_cell()
        words = plain_markdown.inline(self.page, _ATTRIBUTES.sub("", self.lines[part.line - 1]))
        self._put(anchor(plain_markdown.place(self.page, name, part.anchor)), words)
        self.heads = True
        return part.line + 1

    def _formula(self, part: pages.Formula) -> int:
        end = next(at for at in range(part.line, len(self.lines)) if self.lines[at].strip() == "$$") + 1
        number = self.page.numbers.equations.get(part.label) if part.label else None
        tex = f"{part.tex} \\tag{{{number}}}" if number else part.tex
        indent = self.lines[part.line - 1].partition("$$")[0]
        if indent:  # belongs to an item of a list
            self.waiting += [f"{indent}$$", *(indent + line for line in tex.split("\n")), f"{indent}$$"]
        else:
            self._put(*([anchor(f"eq-{part.label}")] if number else []), f"$$\n{tex}\n$$")
        return end + 1

    def _fence(self, part: pages.Fence) -> int:
        end = part.end
        if part.expected is not None and part.expected_line is not None:
            end = part.expected_line + part.expected.count("\n") + 1
        if part.info == "python" and not self.folds:
            self._end_cell()
            self.made.append(Cell("code", part.code.rstrip("\n"), part.expected, blocks.STARTER in part.marks))
        else:
            self._put(fenced(part.code, part.info))
            if part.expected is not None:
                self._put(fenced(part.expected))
        return end + 1

    def _directive(self, part: pages.Directive) -> int:
        write = self.DIRECTIVES.get(part.name)
        if write is None:
            raise self.page.error(f"{part.name}: {self.FORM} does not know how to show this", part.line)
        write(self, part)
        return part.end + 1

    def _figure(self, part: pages.Directive) -> None:
        figure = drawing.Figure(*(part.argument or "").split("/", 1))
        number = self.page.numbers.figures[figure.name]
        alt = re.sub(r"([\[\]\\])", r"\\\1", " ".join(str(part.options["alt"]).split()))
        self._begin_cell()
        self._put(anchor(f"figure-{figure.name}"), f"![{alt}](attachment:{picture_name(figure)})")
        self.pictures.append(figure)
        self._walk_behind(f"**Figure {number}.** ", part.body_line, part.end - 1)
        self._end_cell()

    def _moving(self, part: pages.Directive) -> None:
        """Show the figure that stands without script."""
        self._figure(next(inner for inner in self.page.page.directives if inner.parent is part))

    def _kernel(self, part: pages.Directive) -> None:
        """Show the code of a function as the page does, in each backend where it differs."""
        name, package = part.argument or "", self.page.layout.package
        shown: dict[str, list[str]] = {}
        for backend in directives.BACKEND_NAMES:
            if source.exists(name, backend, package):
                shown.setdefault(reading.kernel(name, backend, package), []).append(backend)
        self._put(anchor(f"kernel-{name.replace('.', '-')}"))
        for code, backends in shown.items():
            label = " and ".join(directives.BACKEND_NAMES[backend] for backend in backends)
            places = dict.fromkeys(self._described(name, backend) for backend in backends)
            self._put(f"{label}, {', '.join(places)}, without types and checks:", fenced(code, "python"))

    def _described(self, name: str, backend: str) -> str:
        """Name a function, as a link to its description where the site has an address."""
        identifier = source.identifier(name, backend, self.page.layout.package)
        own = api.described(identifier) == identifier
        place = api.anchor(self.page.layout, identifier) if own else ""
        address = plain_markdown.destination(self.page, directives.api_page(self.page, name), place)
        return plain_markdown.link(f"`{identifier}`", address)

    def _claim(self, part: pages.Directive) -> None:
        claim = self.page.claim(part.argument or "")
        above = (found.level for found in reversed(self.page.page.headings) if found.line < part.line)
        level = min(next((level for level in above if level < 3), 1) + 1, 6)
        self._begin_cell()
        self._put(
            anchor(f"claim-{claim.id}"),
            f"{'#' * level} Claim: {plain_markdown.escaped(claim.claim)}",
            f"Said in {listed(claim.notes)}. Verdict: **{elements.VERDICTS[claim.verdict]}**.",
        )
        self._walk(part.body_line, part.end - 1)
        self._end_cell()

    def _claim_rows(self, part: pages.Directive) -> None:
        settled = lists.settled(self.page)
        rows = []
        for claim in ledger.of_chapter(tuple(self.page.claims.values()), self.page.stem or ""):
            place = plain_markdown.destination(self.page, settled.get(claim.id, ""), f"claim-{claim.id}")
            words = (
                f"**{plain_markdown.escaped(claim.claim)}**",
                f"*{_sentence(elements.VERDICTS[claim.verdict])}*",
                plain_markdown.escaped(claim.because),
                plain_markdown.link("Evidence", place) if place else "",
            )
            rows.append(f"- {' '.join(filter(None, words))}")
        self._put("\n".join(rows))

    def _proof(self, part: pages.Directive) -> None:
        title = html.escape(prose.plain(part.argument or ""), quote=False)
        self._put(anchor(f"proof-{prose.slug(prose.plain(part.argument or ''))}"))
        self._fold(title, lambda: self._walk(part.body_line, part.end - 1))

    def _exercise(self, part: pages.Directive) -> None:
        number = self.page.numbers.exercises[part.argument or ""]
        self._begin_cell()
        self._put(anchor(f"exercise-{part.argument}"))
        self._walk_behind(f"### Exercise {number}. ", part.body_line, part.end - 1)
        self._end_cell()

    def _solution(self, part: pages.Directive) -> None:
        self._put("Complete the cell above and run it: it ends with a call of the checker, which says what is wrong.")
        self._fold("Solution", lambda: self._walk(part.body_line, part.end - 1))

    def _flashcard(self, part: pages.Directive) -> None:
        body = range(part.body_line, part.end)
        first = next(line for line in body if self.lines[line - 1].strip())
        self._put(anchor(f"flashcard-{part.argument}"))
        self.waiting.append(f"**{self.lines[first - 1].strip()}**")
        self._fold("Answer", lambda: self._answer(part, first + 1))

    def _answer(self, part: pages.Directive, line: int) -> None:
        self._walk(line, part.end - 1)
        notes = tuple(note.strip() for note in str(part.options.get("notes") or "").split(",") if note.strip())
        if notes:
            self._put(f"*Asked in {listed(notes)}.*")

    def _sources(self, part: pages.Directive) -> None:
        keys = self.page.chapter(self.page.stem or "").cited
        entries = [entry for key, entry in self.page.references.items() if key in keys]
        entries.sort(key=lambda entry: (entry.authors[0].casefold(), entry.year))
        rows = "\n".join(map(cited, entries))
        self._fold(f"The {len(entries)} sources of this chapter", lambda: self._put(rows))

    DIRECTIVES: ClassVar[dict[str, Callable[[Writer, pages.Directive], None]]] = {
        "figure": _figure,
        "moving": _moving,
        "kernel": _kernel,
        "claim": _claim,
        "claim-rows": _claim_rows,
        "proof": _proof,
        "exercise": _exercise,
        "solution": _solution,
        "flashcard": _flashcard,
        "sources-list": _sources,
    }


def fenced(code: str, info: str = "") -> str:
    """Write a block of code that is shown and not run."""
    code = code.rstrip("\n")
    return f"```{info}\n{code}\n```"


def listed(names: tuple[str, ...]) -> str:
    """Write names as a list in a sentence."""
    *first, last = sorted(names)
    return f"{', '.join(first)} and {last}" if first else last


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def cited(entry: bibliography.Entry) -> str:
    """Write a source as an item of a list."""
    stop = "" if entry.title.endswith(("?", "!")) else "."
    title = plain_markdown.link(plain_markdown.escaped(entry.title), plain_markdown.address_in_brackets(entry.url))
    authors, place = (
        plain_markdown.escaped(words) for words in (bibliography.authors(entry), bibliography.place(entry))
    )
    return f"- {authors} ({entry.year}). {title}{stop} {place}."
