"""The one parser of the book's pages: what stands where, with the line of each.

Every part of the press that needs to know what a page holds asks this parser: the check, the numbering, the runner of
blocks, the lists and the exports. Lines are counted from 1, from the first line of the text given.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from dlnotes.book import prose, scan

EXPECTED = scan.EXPECTED
OTHERWISE = "Otherwise:"  # begins the paragraph of a claim that says what else would have come out


@dataclass(frozen=True, eq=False)
class Directive:
    """A block `/// name | argument`.

    `line` holds the opening slashes, `end` the closing ones, `body_line` the first line of `body`.
    """

    name: str
    argument: str | None
    options_text: str
    line: int
    end: int
    body: str
    body_line: int
    slashes: int
    parent: Directive | None

    @cached_property
    def _read(self) -> tuple[dict[str, Any], str | None]:
        return _mapping(self.options_text)

    @property
    def options(self) -> dict[str, Any]:
        """The options; empty where there are none or they cannot be read."""
        return self._read[0]

    @property
    def options_error(self) -> str | None:
        """Why the options cannot be read, or None."""
        return self._read[1]

    @property
    def around(self) -> Iterator[Directive]:
        """This directive and those it lies in, from the inside out."""
        directive: Directive | None = self
        while directive is not None:
            yield directive
            directive = directive.parent


@dataclass(frozen=True)
class Fence:
    """A fenced block of code; `line` holds the opening backticks, `end` the closing ones.

    `marks` are the comments that stand above it, as `pytest.mark.cuda` or `pytest-codeblocks:importorskip(torch)`.
    `expected` is what it must print, and `expected_line` the opening of the fence that shows it; a fence that shows
    expected output is not listed by itself.
    """

    info: str
    code: str
    line: int
    end: int
    marks: tuple[str, ...]
    expected: str | None
    expected_line: int | None
    within: Directive | None

    def inside(self, name: str) -> Directive | None:
        """Give the innermost directive of that name around the fence."""
        around = self.within.around if self.within else ()
        return next((directive for directive in around if directive.name == name), None)


@dataclass(frozen=True)
class Formula:
    """A formula without its dollars and its label."""

    tex: str
    display: bool
    label: str | None
    line: int


@dataclass(frozen=True)
class EquationReference:
    r"""`\\eqref{label}` or `\\eqref{stem/label}`."""

    label: str
    line: int


@dataclass(frozen=True)
class FigureReference:
    r"""`\\figref{name}` or `\\figref{stem/name}`."""

    name: str
    line: int


@dataclass(frozen=True)
class ClaimReference:
    r"""`\\claimref{id}`."""

    id: str
    line: int


@dataclass(frozen=True)
class Citation:
    """`[@key]` or `[@key, locator]`."""

    key: str
    locator: str | None
    line: int


@dataclass(frozen=True)
class Link:
    """A link or an image, whose `text` is its alt text.

    `defined` is False for `[text][name]` without a line `[name]: target`; then `target` is the name.
    """

    text: str
    target: str
    line: int
    image: bool
    defined: bool = True


@dataclass(frozen=True)
class Heading:
    """A heading; `anchor` is the id that the builder gives it."""

    level: int
    text: str
    anchor: str
    line: int


@dataclass(frozen=True)
class Api:
    """A line `::: dlnotes.numpy.initialization`, which the reference of a module replaces."""

    identifier: str
    options_text: str
    line: int

    @property
    def options(self) -> dict[str, Any]:
        """The options; empty where there are none or they cannot be read."""
        return _mapping(self.options_text)[0].get("options") or {}


@dataclass(frozen=True)
class Comment:
    """A comment on a line of its own that addresses the runner of blocks."""

    text: str
    line: int


@dataclass(frozen=True)
class Fault:
    """Something that the parser cannot read as a page of this book."""

    line: int
    rule: str
    message: str


@dataclass(frozen=True, eq=False)
class Page:
    """A page, with everything in the order in which it stands."""

    source: Path | None
    text: str
    front_matter_text: str
    body: str
    body_line: int
    fences: tuple[Fence, ...]
    directives: tuple[Directive, ...]
    formulas: tuple[Formula, ...]
    equation_references: tuple[EquationReference, ...]
    figure_references: tuple[FigureReference, ...]
    claim_references: tuple[ClaimReference, ...]
    citations: tuple[Citation, ...]
    links: tuple[Link, ...]
    headings: tuple[Heading, ...]
    api: tuple[Api, ...]
    ids: tuple[str, ...]
    comments: tuple[Comment, ...]
    faults: tuple[Fault, ...]

    @cached_property
    def _read(self) -> tuple[dict[str, Any], str | None]:
        return _mapping(self.front_matter_text)

    @property
    def front_matter(self) -> dict[str, Any]:
        """The settings at the top of the page; empty where there are none or they cannot be read."""
        return self._read[0]

    @property
    def front_matter_error(self) -> str | None:
        """Why the settings at the top cannot be read, or None."""
        return self._read[1]

    @cached_property
    def bare(self) -> str:
        """The text below the front matter as the builder hands it on."""
        return bare(self.body)

    @property
    def title(self) -> str:
        """The title of the front matter, else of the first heading, else an empty string."""
        first = next((heading.text for heading in self.headings if heading.level == 1), "")
        return str(self.front_matter.get("title") or first)

    @property
    def blocks(self) -> tuple[Fence, ...]:
        """The Python blocks that are run."""
        return tuple(fence for fence in self.fences if fence.info == "python")

    def named(self, name: str) -> tuple[Directive, ...]:
        """Give the directives of one name."""
        return tuple(directive for directive in self.directives if directive.name == name)


def parse(text: str, source: Path | None = None) -> Page:
    """Parse the text of a page; never raises, what cannot be read is in `faults`."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return _page(scan.read(text), text, source)


def _page(found: scan.Scan, text: str, source: Path | None) -> Page:
    """Put together what was read."""
    inline = prose.read("\n".join(found.prose), found.prose)
    within: dict[int | None, Directive] = dict(enumerate(_directives(found)))
    body_line = found.front + next((i for i, line in enumerate(found.lines[found.front :]) if line), 0) + 1
    faults = (Fault(*fault) for fault in (*found.faults, *inline.faults))
    formulas = (*found.formulas, *((tex, False, None, line) for tex, line in inline.formulas))
    return Page(
        source=source,
        text=text,
        front_matter_text="\n".join(found.lines[1 : found.front - 1]) if found.front else "",
        body="\n".join(found.lines[body_line - 1 :]),
        body_line=body_line,
        fences=tuple(
            Fence(b.info, b.code, b.line, b.end, b.marks, b.expected, b.expected_line, within.get(b.within))
            for b in found.fences
        ),
        directives=tuple(within.values()),
        formulas=tuple(sorted((Formula(*formula) for formula in formulas), key=lambda formula: formula.line)),
        equation_references=tuple(EquationReference(*part) for part in inline.equation_references),
        figure_references=tuple(FigureReference(*part) for part in inline.figure_references),
        claim_references=tuple(ClaimReference(*part) for part in inline.claim_references),
        citations=tuple(Citation(*part) for part in inline.citations),
        links=tuple(Link(*part) for part in inline.links),
        headings=tuple(Heading(*part) for part in prose.anchored(found.headings)),
        api=tuple(Api(*part) for part in found.api),
        ids=inline.ids,
        comments=tuple(Comment(*part) for part in found.comments),
        faults=tuple(sorted(faults, key=lambda fault: fault.line)),
    )


def bare(text: str) -> str:
    """Give a text as it is after the builder has read it: tabs widened, blank lines empty, ends cut."""
    return re.sub(r"(?m)^[ ]+$", "", text.replace("\r\n", "\n").expandtabs(4)).strip()


@lru_cache(maxsize=256)
def _parsed(path: Path, changed: int, size: int) -> Page:
    return parse(path.read_text("utf-8"), path)


def read(path: Path) -> Page:
    """Parse the page in a file, once for each state of it."""
    state = path.stat()
    return _parsed(path, state.st_mtime_ns, state.st_size)


def _directives(found: scan.Scan) -> list[Directive]:
    """Build the directives, each after the one that it lies in."""
    made: list[Directive] = []
    for opened in found.opened:
        made.append(
            Directive(
                name=opened.name,
                argument=opened.argument,
                options_text=textwrap.dedent("\n".join(opened.options)),
                line=opened.line,
                end=opened.end,
                body="\n".join(found.lines[opened.body_line - 1 : opened.end - 1]),
                body_line=opened.body_line,
                slashes=opened.slashes,
                parent=None if opened.parent is None else made[opened.parent],
            )
        )
    return made


def _mapping(text: str) -> tuple[dict[str, Any], str | None]:
    """Read YAML that must be a mapping: (mapping, None), or ({}, what is wrong)."""
    if not text.strip():
        return {}, None
    import yaml  # the runner of blocks reads no options and does without

    try:
        read = yaml.safe_load(text)
    except yaml.YAMLError as error:
        return {}, getattr(error, "problem", None) or "this is not YAML"
    if not isinstance(read, dict):
        return {}, "options are written `name: value`"
    return read, None
