"""Reads a page line by line: blocks of code, directives, displayed formulas, headings, and the prose that is left.

What is found is given plainly, each with its line; `pages` makes a page of it.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, field

_FENCE = re.compile(r"^(\s*)(`{3,}|~{3,})(.*)$")
_HIDDEN_FENCE = re.compile(r"^\s*(?:>[\s>]*|[-*+]\s+|\d+[.)]\s+)(?:`{3,}|~{3,})[ {.]*(?:python|py)", re.IGNORECASE)
_HEADER = re.compile(r"^(\s*)(/{3,})[ ]*([\w-]+)[ ]*(?:\|[ ]*(.*?)[ ]*)?$")
_CLOSING = re.compile(r"^\s*(/{3,})\s*$")
_COMMENT = re.compile(r"^\s*<!--(.*?)-->\s*$")
_RUNNER = re.compile(r"^[-\s]*(pytest-codeblocks:|pytest\.mark\b)")
_HEADING = re.compile(r"^(#{1,6})\s+(.*?)(?:\s+#+)?\s*$")
_API = re.compile(r"^:::\s*([\w.]+)\s*$")
_LABEL = re.compile(r"\\label\{([^{}]*)\}")
_UNDERLINE = re.compile(r"^ {0,3}(=+|-+)\s*$")
EXPECTED = "pytest-codeblocks:expected-output"
NEVER_CLOSED = "never closed"  # stands in each fault that swallows the rest of a page


@dataclass
class Opened:
    """A directive while its lines are read."""

    name: str
    argument: str | None
    options: list[str]
    line: int
    body_line: int
    slashes: int
    parent: int | None
    end: int = 0


@dataclass
class Block:
    """A fence while the page is read; `within` is the place of its directive in the list of directives."""

    info: str
    code: str
    line: int
    end: int
    marks: tuple[str, ...]
    within: int | None
    expected: str | None = None
    expected_line: int | None = None


@dataclass
class Scan:
    """What has been read so far.

    `front` counts the lines of the front matter. `prose` is the text, line for line, with all else left blank.
    """

    lines: list[str]
    front: int = 0
    prose: list[str] = field(default_factory=list)
    fences: list[Block] = field(default_factory=list)
    opened: list[Opened] = field(default_factory=list)
    stack: list[int] = field(default_factory=list)
    formulas: list[tuple[str, bool, str | None, int]] = field(default_factory=list)
    headings: list[tuple[int, str, int]] = field(default_factory=list)
    api: list[tuple[str, str, int]] = field(default_factory=list)
    comments: list[tuple[str, int]] = field(default_factory=list)
    pending: list[tuple[str, int]] = field(default_factory=list)
    faults: list[tuple[int, str, str]] = field(default_factory=list)
    output_of: Block | None = None
    cut: bool = False

    def __post_init__(self) -> None:
        self.prose = [""] * len(self.lines)


def read(text: str) -> Scan:
    """Read the lines of a page."""
    scan = Scan(text.split("\n"))
    scan.front = at = _front_matter(scan.lines)
    while at < len(scan.lines):
        at = _step(scan, at)
    for index in scan.stack:
        _unclosed(scan, index, len(scan.lines) + 1)
    _left_over(scan)
    return scan


def _fault(scan: Scan, line: int, rule: str, message: str) -> None:
    scan.faults.append((line, rule, message))


def _front_matter(lines: list[str]) -> int:
    """Count the lines of the front matter, its two fences included."""
    if lines[0].rstrip() != "---":
        return 0
    return next((i + 1 for i, line in enumerate(lines) if i and line.rstrip() in ("---", "...")), 0)


def _step(scan: Scan, at: int) -> int:
    """Read what begins on the line with index `at` and give the index of the line behind it."""
    line = scan.lines[at]
    if not line.strip():
        return at + 1
    if line.lstrip().startswith("<!--"):
        return _comment(scan, at)
    if found := _FENCE.match(line):
        return _fence(scan, at, found)
    _left_over(scan)
    scan.output_of = None
    if line.lstrip().startswith("///"):
        return _slashes(scan, at)
    if line.strip() == "$$":
        return _display(scan, at)
    if found := _API.match(line):
        return _reference(scan, at, found[1])
    if found := _HEADING.match(line):
        if at and scan.prose[at - 1].lstrip().startswith("|"):
            _fault(
                scan, at + 1, "heading", "a blank line is missing above: the builder takes this for a row of the table"
            )
        scan.headings.append((len(found[1]), found[2], at + 1))
    elif line.startswith("#"):
        _fault(scan, at + 1, "heading", "the builder takes this for a heading: one has a space behind its #")
    elif _HIDDEN_FENCE.match(line):
        _fault(scan, at + 1, "fence", "a block inside a quotation or on a bullet's own line is never run")
    elif _UNDERLINE.match(line) and at and scan.prose[at - 1].strip() and not _HEADING.match(scan.prose[at - 1]):
        _fault(scan, at + 1, "heading", "headings are written with #, not underlined")
    scan.prose[at] = line
    return at + 1


def _left_over(scan: Scan) -> None:
    """Report comments for the runner of blocks that no block follows."""
    if scan.pending:
        _fault(scan, scan.pending[0][1], "mark", "this comment stands above no block")
        scan.pending = []


def _comment(scan: Scan, at: int) -> int:
    """Read a comment; those for the runner of blocks are kept, all others are left out of the prose."""
    line = scan.lines[at]
    found = _COMMENT.match(line)
    if found is None:
        end = next((i for i in range(at, len(scan.lines)) if "-->" in scan.lines[i]), None)
        if end is None:
            _fault(scan, at + 1, "comment", f"this comment is {NEVER_CLOSED}")
            return len(scan.lines)
        if end == at:  # text stands behind the comment
            scan.prose[at] = line
        return end + 1
    text = found[1].strip("- \t")
    if not _RUNNER.match(found[1]):
        if "pytest" in text:
            _fault(scan, at + 1, "mark", f"{text!r} is no mark: the runner of blocks would not see it")
        return at + 1
    scan.comments.append((text, at + 1))
    if text.startswith(EXPECTED) and scan.output_of is None:
        _fault(scan, at + 1, "expected-output", "expected output stands right below the python block that prints it")
    else:
        scan.pending.append((text, at + 1))
    return at + 1


def _fence(scan: Scan, at: int, opening: re.Match[str]) -> int:
    """Read a fenced block to its end."""
    indent, ticks, info = opening.groups()
    if ticks.startswith("~"):
        _fault(scan, at + 1, "fence", "a block is fenced with backticks: the runner of blocks sees no others")
    end, closing = _fence_end(scan, at, ticks)
    code = "".join(_dedent(line, len(indent)) + "\n" for line in scan.lines[at + 1 : end])
    pending, scan.pending = scan.pending, []
    block = scan.output_of
    if block is not None and pending and pending[-1][0].startswith(EXPECTED):
        if info.strip():
            _fault(scan, at + 1, "expected-output", "the fence of expected output has no info string")
        if len(pending) > 1:
            _fault(scan, pending[0][1], "mark", "this comment stands above no block")
        block.expected, block.expected_line = code, at + 1
        scan.output_of = None
        return closing
    marks = tuple(text for text, _ in pending)
    block = Block(info.rstrip(), code, at + 1, closing, marks, scan.stack[-1] if scan.stack else None)
    scan.fences.append(block)
    scan.output_of = block if block.info == "python" else None
    return closing


def _fence_end(scan: Scan, at: int, ticks: str) -> tuple[int, int]:
    """Find where a block ends: the index behind its last line of code, and behind its closing line.

    Readers of Markdown disagree on a line that begins with the backticks and goes on, so that none may stand inside.
    """
    for index in range(at + 1, len(scan.lines)):
        line = scan.lines[index].strip()
        if not line.startswith(ticks):
            continue
        if line != ticks:
            message = f"this block is not closed by a line {ticks} before line {index + 1}"
            _fault(scan, at + 1, "fence", message)
        # A longer row of backticks is meant as the end, one with words opens the next block.
        return index, index + 1 if not line.strip(ticks[0]) else index
    _fault(scan, at + 1, "fence", f"this block is {NEVER_CLOSED} by a line {ticks}")
    scan.cut = True
    return len(scan.lines), len(scan.lines)


def _dedent(line: str, width: int) -> str:
    """Cut at most `width` blanks off the front."""
    return line[min(width, len(line) - len(line.lstrip())) :]


def _slashes(scan: Scan, at: int) -> int:
    """Read a line that begins with three slashes or more: a closing, an opening, or a mistake."""
    line = scan.lines[at]
    if found := _CLOSING.match(line):
        _close(scan, at + 1, len(found[1]))
        return at + 1
    found = _HEADER.match(line)
    if found is None:
        _fault(scan, at + 1, "directive", "a directive is opened by `/// name | argument`")
        return at + 1
    indent, slashes, name, argument = found.groups()
    behind = at + 1
    while behind < len(scan.lines) and re.match(rf"^ {{{len(indent) + 4},}}\S", scan.lines[behind]):
        behind += 1
    parent = scan.stack[-1] if scan.stack else None
    if parent is not None and len(slashes) >= scan.opened[parent].slashes:
        outer = scan.opened[parent]
        _fault(
            scan,
            at + 1,
            "directive",
            f"{name} needs fewer slashes than {outer.name} around it, opened with {outer.slashes} in line {outer.line}"
            " (or that one is not closed)",
        )
    scan.stack.append(len(scan.opened))
    options = scan.lines[at + 1 : behind]
    scan.opened.append(Opened(name, argument or None, options, at + 1, behind + 1, len(slashes), parent))
    return behind


def _close(scan: Scan, line: int, slashes: int) -> None:
    """Close the innermost open directive of that many slashes."""
    place = next((i for i in reversed(range(len(scan.stack))) if scan.opened[scan.stack[i]].slashes == slashes), None)
    if place is None:
        _fault(scan, line, "directive", f"{'/' * slashes} closes no directive")
        return
    for index in scan.stack[place + 1 :]:
        _unclosed(scan, index, line)
    scan.opened[scan.stack[place]].end = line
    del scan.stack[place:]


def _unclosed(scan: Scan, index: int, end: int) -> None:
    directive = scan.opened[index]
    directive.end = end
    if not scan.cut:  # else a block of code has swallowed the closing line, and that is reported
        _fault(scan, directive.line, "directive", f"{directive.name} is {NEVER_CLOSED} by {'/' * directive.slashes}")


def _display(scan: Scan, at: int) -> int:
    """Read a formula between two lines `$$`."""
    end = at + 1
    while end < len(scan.lines) and scan.lines[end].strip() not in ("", "$$"):
        end += 1
    if end == len(scan.lines) or not scan.lines[end].strip():
        _fault(scan, at + 1, "formula", "this $$ is not closed by a line $$ before the next blank line")
        return end
    tex = textwrap.dedent("\n".join(scan.lines[at + 1 : end])).strip()
    tex, label = label_of(tex)
    if "\\label{" in tex:
        _fault(scan, at + 1, "formula", "a formula has one label")
    scan.formulas.append((tex, True, label, at + 1))
    return end + 1


def _reference(scan: Scan, at: int, identifier: str) -> int:
    """Read a `:::` line and its indented options."""
    behind = at + 1
    while behind < len(scan.lines) and re.match(r"^ {4,}\S", scan.lines[behind]):
        behind += 1
    scan.api.append((identifier, textwrap.dedent("\n".join(scan.lines[at + 1 : behind])), at + 1))
    return behind


def label_of(tex: str) -> tuple[str, str | None]:
    r"""Split the first `\\label{...}` off a formula: (formula without it, label or None)."""
    found = _LABEL.search(tex)
    if found is None:
        return tex, None
    return (tex[: found.start()] + tex[found.end() :]).strip(), found[1]
