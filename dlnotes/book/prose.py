r"""What stands inside the running text of a page: code, formulas, references, citations, links, ids.

Works on the text in which everything else is left blank, one paragraph at a time, so that nothing reaches across one.
Code, comments and escaped characters are blanked out first, then formulas, so that nothing is found inside them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

ESCAPED = r"\\[\\`*_{}\[\]()>#+\-.!$|~]"
_CODE = r"(?P<ticks>`+)(?!`)(?P<code>(?:(?!\n[ \t]*\n)[\s\S])+?)(?<!`)(?P=ticks)(?!`)"
REFERENCE = r"\\(eqref|figref|claimref)\{([^{}\n]*)\}"
CITATION = r"\[@([^\]\n,]*)(?:,[ \t]*([^\]]*))?\]"
MATH = r"(?<!\$)\$(?![\s$])(?P<tex>(?:\\[\s\S]|[^\\$])+?)(?<!\s)\$(?![\d$])"
# The order matters: what comes first on the page wins, and at one place the first alternative.
_TOKEN = re.compile(rf"(?P<escaped>{ESCAPED})|{_CODE}|(?P<comment><!--[\s\S]*?-->)|{MATH}|(?P<dollar>\$+)")

_LINK = re.compile(
    r"(?P<image>!?)\[(?P<text>(?:[^\[\]]|\[(?:[^\[\]]|\[[^\[\]]*\])*\](?:\([^()]*\))?)*)\]"
    r"(?:\(\s*(?P<target><[^<>\n]*>|(?:[^\s()<>]|\([^\s()]*\))*)(?:\s+(?:\"[^\"]*\"|'[^']*'))?\s*\)"
    r"|[ ]?\[(?P<name>[^\[\]\n]*)\])"
)
_DEFINITION = re.compile(r"^ {0,3}\[([^\[\]@^]+)\]:[ \t]*<?(\S+?)>?(?:[ \t]+.*)?$", re.MULTILINE)
_AUTOLINK = re.compile(r"<((?:https?|mailto):[^\s<>]+)>")
_TAG = re.compile(r"<(a|img)\b([^<>]*)>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"([\w-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_ID = re.compile(r"<\w+\b[^<>]*?\sid\s*=\s*[\"']([^\"']+)[\"']|\{:?[^{}\n]*?#([\w-]+)[^{}\n]*\}")

_ITEM = re.compile(r"\s*(?:[-*+]\s|\d+[.)]\s|\|)")


@dataclass
class Inline:
    """What was found, each with its line; a fault is (line, rule, message)."""

    formulas: list[tuple[str, int]] = field(default_factory=list)
    equation_references: list[tuple[str, int]] = field(default_factory=list)
    figure_references: list[tuple[str, int]] = field(default_factory=list)
    claim_references: list[tuple[str, int]] = field(default_factory=list)
    citations: list[tuple[str, str | None, int]] = field(default_factory=list)
    links: list[tuple[str, str, int, bool, bool]] = field(default_factory=list)
    faults: list[tuple[int, str, str]] = field(default_factory=list)
    ids: tuple[str, ...] = ()


def read(text: str, lines: list[str]) -> Inline:
    """Read the running text of a page, given whole and as lines."""
    found = Inline()
    definitions = {name.casefold(): target for name, target in _DEFINITION.findall(text)}
    found.ids = tuple(first or second for first, second in _ID.findall(text))
    for number, paragraph in _paragraphs(lines):
        masked = _tokens(found, paragraph, number)
        for match in re.finditer(REFERENCE, masked):
            line = number + masked.count("\n", 0, match.start())
            references = {
                "eqref": found.equation_references,
                "figref": found.figure_references,
                "claimref": found.claim_references,
            }
            references[match[1]].append((match[2].strip(), line))
        _links(found, paragraph, masked, number, definitions)
    return found


def _paragraphs(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Give the number of its first line and the text of each paragraph, list item, table row and heading.

    An item or row that follows text without a blank line is text for the builder, so that only one that follows another
    item or row begins anew.
    """
    start = 0
    for index, line in enumerate([*lines, ""]):
        first = lines[start] if start < len(lines) else ""
        anew = line.startswith("#") or first.startswith("#") or bool(_ITEM.match(first) and _ITEM.match(line))
        if not line.strip() or (index > start and anew):
            if any(lines[start:index]):
                yield start + 1, "\n".join(lines[start:index])
            start = index if line.strip() else index + 1


def _blank(text: str) -> str:
    """Give blanks in place of the text, line ends kept."""
    return re.sub(r"[^\n]", " ", text)


def _tokens(found: Inline, paragraph: str, number: int) -> str:
    """Record the formulas and blank out everything in which no link or reference can stand."""

    def replace(match: re.Match[str]) -> str:
        line = number + paragraph.count("\n", 0, match.start())
        if match["tex"] is not None:
            found.formulas.append((match["tex"].strip(), line))
        elif match["dollar"] == "$$":
            found.faults.append((line, "formula", "the $$ of a formula stand on lines of their own"))
        elif match["dollar"]:
            found.faults.append((line, "formula", "this $ opens or closes no formula; a dollar is written \\$"))
        return _blank(match[0])

    return _TOKEN.sub(replace, paragraph)


def _links(found: Inline, paragraph: str, masked: str, number: int, definitions: dict[str, str]) -> None:
    """Record citations, links and images; link texts are taken from the text as written."""

    def line(position: int) -> int:
        return number + paragraph.count("\n", 0, position)

    for match in re.finditer(CITATION, masked):
        locator = match[2] and " ".join(paragraph[match.start(2) : match.end(2)].split())
        found.citations.append((match[1].strip(), locator or None, line(match.start())))
    without = re.sub(CITATION, lambda match: _blank(match[0]), masked)
    _bracketed(found, paragraph, without, (0, len(paragraph)), number, definitions)
    for match in _AUTOLINK.finditer(masked):
        found.links.append((match[1], match[1], line(match.start()), False, True))
    for match in _TAG.finditer(masked):
        attributes = {name.lower(): first or second for name, first, second in _ATTRIBUTE.findall(match[2])}
        image = match[1].lower() == "img"
        target = attributes.get("src" if image else "href")
        if target is not None:
            found.links.append((attributes.get("alt", ""), target, line(match.start()), image, True))


def _bracketed(
    found: Inline, paragraph: str, masked: str, span: tuple[int, int], number: int, definitions: dict[str, str]
) -> None:
    """Record the links of a span, and the images inside their texts."""
    for match in _LINK.finditer(masked, *span):
        text = paragraph[match.start("text") : match.end("text")]
        line = number + paragraph.count("\n", 0, match.start())
        if match["target"] is not None:
            target, defined = match["target"].strip("<>"), True
        else:
            name = (paragraph[match.start("name") : match.end("name")] or text).strip()
            target, defined = definitions.get(name.casefold(), name), name.casefold() in definitions
        found.links.append((text, target, line, bool(match["image"]), defined))
        if not match["image"]:
            _bracketed(found, paragraph, masked, match.span("text"), number, definitions)


def plain(text: str) -> str:
    """Give the words of a line of Markdown without its markup."""
    text = re.sub(r"\s*\{:?[^{}]*\}\s*$", "", text)
    text = re.sub(r"!?\[([^\[\]]*)\]\([^()]*\)", r"\1", text)
    text = re.sub(r"(\*\*|__|\*|`)(?=\S)(.+?)(?<=\S)\1", r"\2", text)
    return re.sub(r"\\([\\`*_{}\[\]()>#+\-.!$])", r"\1", re.sub(r"<[^<>]+>", "", text)).strip()


def slug(text: str) -> str:
    """Give the anchor that the builder makes of a heading's words."""
    text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", text).strip().lower())


def anchored(headings: Iterable[tuple[int, str, int]]) -> Iterator[tuple[int, str, str, int]]:
    """Give each heading its anchor: one of its own in braces, else its words, numbered where they come again."""
    used: set[str] = set()
    for level, text, line in headings:
        own = re.search(r"\{:?[^{}]*?#([\w-]+)[^{}]*\}\s*$", text)
        anchor = own[1] if own else slug(plain(text))
        while not own and (anchor in used or not anchor):
            numbered = re.match(r"^(.+)_(\d+)$", anchor)
            anchor = f"{numbered[1]}_{int(numbered[2]) + 1}" if numbered else f"{anchor}_1"
        used.add(anchor)
        yield level, plain(text), anchor, line
