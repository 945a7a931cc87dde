"""A reader's report of a mistake: read, checked, and turned into a test that fails until the page is mended.

The report is the text of an issue of the form `.github/ISSUE_TEMPLATE/erratum.yml`. Its block is a stranger's code: it
is written into the test and not run here.
"""

from __future__ import annotations

import ast
import datetime
import difflib
import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from dlnotes.book import check, context, ledger, numbering, pages, prose, reading, source
from dlnotes.book import layout as layouts

PAGE = "errata.md"
FOLDER = "errata"  # of the tests
# The fields of the form that are read, as it calls them.
WHERE, SAYS, SHOULD, BLOCK = "Where", "What it says", "What it should say", "A block that shows it"
_EMPTY = "_No response_"
_TEST = '''\
"""Reported by a reader: {place} said what is not so."""

from __future__ import annotations

from dlnotes.book import erratum, layout

SAYS = {says}
BLOCK = {block}


def test_the_book_no_longer_says_it():
    assert not erratum.stands(SAYS, erratum.text_at(layout.find(), {name!r}, {anchor!r}))


def test_what_shows_it_holds():
    exec(compile(BLOCK, {place!r}, "exec"), {{"__name__": "__main__"}})
'''


class ReportError(Exception):
    """A report that cannot become a test; the message names the field and the rule that it breaks."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}")


class Report(NamedTuple):
    """A report: a page below docs/ and a place on it, what stands there, what should, and Python that shows it."""

    name: str
    anchor: str
    says: str
    should: str
    block: str

    @property
    def place(self) -> str:
        """The place as links have it."""
        return f"{self.name}#{self.anchor}"


def read(layout: layouts.Layout, text: str) -> Report:
    """Read a report; raises ReportError for the first field that breaks a rule."""
    fields = _fields(text)
    for field in (WHERE, SAYS, SHOULD, BLOCK):
        if field not in fields:
            raise ReportError(field, f"the report has no heading '### {field}', as the form writes it")
        if fields[field] in ("", _EMPTY):
            rule = "; without it there is no test, so mend such a mistake by hand" if field == BLOCK else ""
            raise ReportError(field, f"it is empty{rule}")
    name, anchor = _place(layout, fields[WHERE])
    says, should = (_bare(fields[field], anchor) for field in (SAYS, SHOULD))
    if not stands(says, text_at(layout, name, anchor)):
        raise ReportError(SAYS, f"it must be copied from the place, and {name}#{anchor} does not say it: {says!r}")
    if stands(says, should):
        raise ReportError(SHOULD, "it must not hold the words that are wrong, or the test could not pass")
    return Report(name, anchor, says, should, _block(fields[BLOCK]))


def _fields(text: str) -> dict[str, str]:
    """Part the text of an issue by its headings; one inside a fence is code."""
    found: dict[str, list[str]] = {}
    lines, fence = found.setdefault("", []), ""
    for line in text.replace("\r\n", "\n").split("\n"):
        ticks = re.match(r"`{3,}", line)
        if ticks and (not fence or line.strip() == fence):
            fence = "" if fence else ticks[0]
        heading = None if fence else re.fullmatch(r"### (.+?)\s*", line)
        if heading:
            lines = found.setdefault(heading[1], [])
        else:
            lines.append(line)
    return {name: "\n".join(body).strip() for name, body in found.items()}


def _bare(text: str, anchor: str) -> str:
    """Give a quotation on one line, without the marks around it; those of formulas and code where the place is one."""
    text = " ".join(re.sub(r"^> ?", "", text, flags=re.MULTILINE).split())
    kind = {"eq": ("$$", "$"), "kernel": ("`",)}.get(anchor.partition("-")[0], ())
    for mark in ('"', *kind):
        inner = text.removeprefix(mark).removesuffix(mark)
        if len(text) > 2 * len(mark) and text == f"{mark}{inner}{mark}" and mark not in inner:
            return inner.strip()
    return text


def _block(text: str) -> str:
    """Give the code of the block, which must be Python that can fail."""
    fenced = re.fullmatch(r"(`{3,})\w*\n(.*?)\n?\1", text, re.DOTALL)
    code = (fenced[2] if fenced else text).strip("\n")
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise ReportError(BLOCK, f"it must be Python: {getattr(error, 'msg', error)}, line {line or 1}") from None
    if not any(isinstance(node, ast.Assert) for node in ast.walk(tree)):
        raise ReportError(BLOCK, "it must assert what is right, so that it can fail")
    return code + "\n"


def _place(layout: layouts.Layout, where: str) -> tuple[str, str]:
    """Give the page and the anchor of an address, whole or below the site's."""
    parts = urlsplit(where.split()[0])
    steps = [step for step in unquote(parts.path).split("/") if step not in ("", "index.html", "index.html.md")]
    suffixes = ["/".join(steps[at:]) for at in range(len(steps))]
    name = next((f"{path}.md" for path in suffixes if (layout.docs / f"{path}.md").is_file()), "")
    if not name:
        raise ReportError(WHERE, f"it must be the address of a page of the book, got {where!r}")
    anchor = unquote(parts.fragment)
    known = _lines(layout, name)
    if anchor not in known:
        near = difflib.get_close_matches(anchor, known, n=1)
        hint = f"; did you mean #{near[0]}?" if near else ""
        raise ReportError(WHERE, f"it must name a place of the page, and {name} has no #{anchor}{hint}")
    return name, anchor


def _lines(layout: layouts.Layout, name: str) -> dict[str, tuple[int, int]]:
    """Give the places of a page, each with its first and last line."""
    page = pages.read(layout.docs / name)
    lines = page.text.split("\n")
    found = {}
    for number, heading in enumerate(page.headings):
        ends = [other.line - 1 for other in page.headings[number + 1 :] if other.level <= heading.level]
        found[heading.anchor] = (heading.line, ends[0] if ends else len(lines))
    for formula in page.formulas:
        if formula.label:
            end = next(at for at in range(formula.line, len(lines)) if lines[at].strip() == "$$") + 1
            found[f"eq-{formula.label}"] = (formula.line, end)
    for part in page.directives:
        argument = part.argument or ""
        anchors = {
            "figure": f"figure-{numbering.figure_name(argument)}",
            "kernel": f"kernel-{argument.replace('.', '-')}",
            "proof": f"proof-{prose.slug(prose.plain(argument))}",
        }
        if part.name in ("figure", "kernel", "proof", "claim", "exercise", "flashcard"):
            found[anchors.get(part.name, f"{part.name}-{argument}")] = (part.line, part.end)
    return found


def text_at(layout: layouts.Layout, name: str, anchor: str) -> str:
    """Give what the book says at a place: the source of the page, the words of the ledger, the code of a function.

    A place that is gone says nothing.
    """
    first, last = _lines(layout, name).get(anchor, (1, 0))
    page = pages.read(layout.docs / name)
    said = page.text.split("\n")[first - 1 : last]
    inside = [part for part in page.directives if first <= part.line <= last]
    claims = {claim.id: claim for claim in ledger.load(layout.ledger)}
    for part in inside:
        if part.name == "claim" and part.argument in claims:
            said += [claims[part.argument].claim, claims[part.argument].because]
        if part.name == "kernel":
            backends = [each for each in layouts.BACKENDS if source.exists(part.argument or "", each, layout.package)]
            said += [reading.kernel(part.argument or "", each, layout.package) for each in backends]
    return "\n".join(said)


def stands(words: str, text: str) -> bool:
    """Say whether words stand in a text, however either is broken into lines and spaced."""
    return "".join(words.split()) in "".join(text.split())


def path_of_test(layout: layouts.Layout, report: Report) -> Path:
    """Give where the test of a report is written."""
    words = re.sub(r"\W+", "_", f"{report.name.removesuffix('.md')} {report.anchor}").strip("_").lower()
    return layout.root / "tests" / FOLDER / f"test_{words}.py"


def write(layout: layouts.Layout, report: Report, day: datetime.date | None = None) -> Path:
    """Write the test and the line on the page of errata, both or neither; give the path of the test."""
    path, page = path_of_test(layout, report), layout.docs / PAGE
    if path.exists():
        raise ReportError(WHERE, f"{layout.relative(path)} is there already: the place was reported before")
    before = page.read_text("utf-8")
    known = {(found.path, found.rule, found.message) for found in check.check(layout)}
    between = "\n" if _ends_in_a_list(before) else "\n\n"
    page.write_text(f"{before.rstrip()}{between}{line(layout, report, day)}\n", "utf-8")
    broken = [found for found in check.check(layout) if (found.path, found.rule, found.message) not in known]
    if broken:
        page.write_text(before, "utf-8")
        raise ReportError(SHOULD, f"the page of errata could not show it: {broken[0].rule}: {broken[0].message}")
    path.parent.mkdir(parents=True, exist_ok=True)
    (path.parent / "__init__.py").touch()
    shown = {"says": _literal(report.says), "block": _literal(report.block)}
    path.write_text(_TEST.format(place=report.place, name=report.name, anchor=report.anchor, **shown), "utf-8")
    return path


def _ends_in_a_list(text: str) -> bool:
    return text.rstrip().rpartition("\n")[2].startswith("- ")


def line(layout: layouts.Layout, report: Report, day: datetime.date | None = None) -> str:
    """Give the line on the page of errata."""
    day = day or datetime.date.today()
    stem = layout.stem(report.name)
    title = context.chapter_title(layout, stem) if stem else pages.read(layout.docs / report.name).title
    said, says = (f"${words}$" if report.anchor.startswith("eq-") else words for words in (report.says, report.should))
    return f"- [{title}]({report.place}), {day.day} {day:%B %Y}. It said: {said} It says now: {says}"


def _literal(text: str) -> str:
    """Write a text as Python, raw and on lines of its own where that can be read."""
    if "'''" in text or text.endswith(("\\", "'")) or text.startswith("'"):
        return repr(text)
    return f"r'''{text}'''" + ("  # noqa: E501" if any(len(part) > 100 for part in text.split("\n")) else "")
