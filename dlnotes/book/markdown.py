"""The Markdown extension of the book: formulas, references, citations, outputs, directives.

A converter is given the text of a page and not its name, and the builder makes one converter for each page; so a page
finds itself by its text. Text that is no page, as a docstring, goes through the same extension without numbers.
"""

from __future__ import annotations

import html
import itertools
import re
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from markdown import Markdown
from markdown.blockprocessors import BlockProcessor
from markdown.inlinepatterns import InlineProcessor
from markdown.postprocessors import Postprocessor
from markdown.preprocessors import Preprocessor
from pymdownx import util
from pymdownx.blocks import BlocksExtension, BlocksProcessor

from dlnotes.book import context, directives, elements, forms, katex, layout, lists, pages, prose

REFERENCES_PAGE = "references.md"
_FORMULA = rf"(?P<escaped>{prose.ESCAPED})|{prose.MATH}"
_EQUATION = re.compile("\x02dlnotes-equation:(\\d+)\x03")


def makeExtension(**settings: Any) -> BookExtension:
    """Give the extension to Markdown."""
    return BookExtension(**settings)


class BookExtension(BlocksExtension):
    """Everything of the press that turns Markdown into HTML."""

    def __init__(self, **settings: Any) -> None:
        """Take the settings of the builder's configuration."""
        self.config = {"root": ["", "Folder of the book; found around the current folder when empty"]}
        super().__init__(**settings)
        self.context: context.Context | None = None
        self.given: context.Context | None = None  # the page, where pieces of it are converted and not the whole
        self.equations: list[tuple[pages.Formula, str]] = []

    def current(self) -> context.Context:
        """Give the page being converted."""
        if self.context is None:
            raise RuntimeError("no page is being converted")
        return self.context

    def layout(self) -> layout.Layout:
        """Find the book."""
        root = self.getConfig("root")
        return layout.Layout(Path(root).resolve()) if root else layout.find()

    def reset(self) -> None:
        """Forget the last page."""
        self.context, self.equations = None, []

    def extendMarkdownBlocks(self, md: Markdown, block_mgr: BlocksProcessor) -> None:
        """Register what reads the lines, the blocks and the running text."""
        md.registerExtension(self)
        util.escape_chars(md, ["$"])
        for directive in (*directives.DIRECTIVES, *lists.DIRECTIVES, forms.ExportsList):
            block_mgr.register(directive, {"context": self.current})
        md.preprocessors.register(_Prepare(md, self), "dlnotes", 28)  # before fenced blocks are taken out at 25
        md.parser.blockprocessors.register(_Equation(md, self), "dlnotes-equation", 85)  # below lists
        md.postprocessors.register(_Blocks(md, self), "dlnotes-blocks", 5)  # after ready HTML is put back at 30
        md.inlinePatterns.register(
            _Reference(prose.REFERENCE, md, self), "dlnotes-reference", 187
        )  # before escapes at 180
        md.inlinePatterns.register(_Formula(_FORMULA, md, self), "dlnotes-formula", 186)
        md.inlinePatterns.register(_Citation(prose.CITATION, md, self), "dlnotes-citation", 185)


class _Prepare(Preprocessor):
    """Finds the page, and replaces whole lines: lists by their source, formulas and outputs by what they become."""

    def __init__(self, md: Markdown, extension: BookExtension) -> None:
        super().__init__(md)
        self.extension = extension

    def run(self, lines: list[str]) -> list[str]:
        """Replace the lines of lists, displayed formulas, expected outputs and comments for the runner of blocks."""
        self.extension.equations = []
        given = self.extension.given
        self.extension.context = found = given or context.find(self.extension.layout(), "\n".join(lines))
        lines = lists.expanded(found, lines)
        page = pages.parse("\n".join(lines))
        replaced: dict[int, tuple[int, str | None]] = {comment.line: (comment.line, None) for comment in page.comments}
        for formula in page.formulas:
            if formula.display:
                end = next(at for at in range(formula.line, len(lines)) if lines[at].strip() == "$$") + 1
                replaced[formula.line] = (end, self._equation(formula))
        for fence in page.fences:
            if fence.expected is not None and fence.expected_line is not None:
                end = fence.expected_line + fence.expected.count("\n") + 1
                replaced[fence.expected_line] = (end, self.md.htmlStash.store(output(fence.expected)))
        return _replace(self._with_needs(found, page, lines), replaced)

    def _with_needs(self, found: context.Context, page: pages.Page, lines: list[str]) -> list[str]:
        """Say beside the first block of a chapter's page what it needs; on the line above, so that no line moves."""
        first = next((fence for fence in page.blocks if "dlnotes" in fence.code), None)
        if found.stem is None or first is None or self.extension.given:
            return lines
        at = first.line - 2
        while at > 0 and lines[at].lstrip().startswith("<!--"):
            at -= 1
        if lines[at].strip():
            return lines
        link = found.href("index.md", "how-to-run")
        note = f"At home the blocks need `dlnotes`, this book's package: [how to install it]({link}).\n{{ .needs }}"
        return [*lines[:at], f"\n{note}\n", *lines[at + 1 :]]

    def _equation(self, formula: pages.Formula) -> str:
        self.extension.equations.append((formula, "".join(rendered(self.extension.current(), formula.tex, True))))
        return f"\x02dlnotes-equation:{len(self.extension.equations) - 1}\x03"


# Names, operators and signs have the color of the text, so that marking each would only make a page five times larger.
_PLAIN = re.compile(r'<span class="(?:n|nn|nc|nf|fm|vm|bp|o|p|w)">([^<]*)</span>')


class _Blocks(Postprocessor):
    """Gives each block of code of a page a name, and leaves out the marks that show nothing.

    The theme's copy buttons else take the name of what is around a block. Two blocks in one exercise would then share
    it, and the button of the solution would copy the starter.
    """

    def __init__(self, md: Markdown, extension: BookExtension) -> None:
        super().__init__(md)
        self.extension = extension

    def run(self, text: str) -> str:
        """Change the blocks of a page; text that is no page becomes part of one, and is changed there."""
        if self.extension.current().source is None:
            return text
        numbers = itertools.count(1)
        text = _CODE.sub(_fitted, _PLAIN.sub(r"\1", text))
        text = _CONSOLE.sub(_with_commands, text)
        return re.sub(r"<pre(?=>)", lambda _: f'<pre id="block-{next(numbers)}"', text)


_CODE = re.compile(
    r'(<div class="language-python highlight"><pre>(?:<span></span>)?<code>(?:<span></span>)?)(.*?)(</code>)', re.DOTALL
)
_NARROW = 40  # columns of code that fit on a telephone
_TALL = 22  # lines of a block, of which a telephone at first shows fewer


_CONSOLE = re.compile(r'<div class="language-console highlight">(<pre>.*?</pre>)', re.DOTALL)


def _with_commands(found: re.Match[str]) -> str:
    """Let the copy button of a console give the commands, without what stands before them and what they print."""
    lines = html.unescape(re.sub(r"<[^>]*>", "", found[1])).split("\n")
    commands = "\n".join(line.removeprefix("$ ") for line in lines if line.startswith("$ "))
    return f'<div class="language-console highlight" data-copy="{html.escape(commands)}">{found[1]}'


def _fitted(found: re.Match[str]) -> str:
    """Mark what a telephone cannot show as it is: lines that are too wide, and a block that is too tall."""
    opening, code, closing = found.groups()
    lines = code.rstrip("\n").count("\n") + 1
    if lines > _TALL:
        opening = opening.replace('"language-python highlight"', f'"language-python highlight" data-lines="{lines}"', 1)
    return opening + _hanging(code) + closing


def _hanging(code: str) -> str:
    """Mark the lines that wrap on a telephone, each with its indent, under which the rest of it then hangs."""
    made = []
    for line in code.splitlines(keepends=True):
        words = html.unescape(re.sub(r"<[^>]*>", "", line)).rstrip("\n")
        whole = line.count("<span") == line.count("</span>")  # a string of many lines lies in one span
        if len(words) > _NARROW and whole:
            indent = len(words) - len(words.lstrip())
            line = f'<span class="long" style="--indent:{indent}">{line.removesuffix(chr(10))}</span>\n'
        made.append(line)
    return "".join(made)


def _replace(lines: list[str], replaced: dict[int, tuple[int, str | None]]) -> list[str]:
    """Put text in place of lines: {first line: (last line, text or None to drop them)}, lines counted from 1."""
    made: list[str] = []
    number = 1
    while number <= len(lines):
        last, text = replaced.get(number, (number, lines[number - 1]))
        if number not in replaced:
            made.append(lines[number - 1])
        elif text is not None:
            indent = len(re.match(r" *", lines[number - 1])[0])
            indent = -(-indent // 4) * 4  # Markdown asks for four to stay in a list, and the blank lines are ours
            made += ["", " " * indent + text, ""]
        number = last + 1
    return made


def output(text: str) -> str:
    """Write what a block prints, to stand right below the block."""
    label = '<p class="output__label" aria-hidden="true">Output</p>'
    code = html.escape(text.rstrip("\n"), quote=False)
    columns = max(map(len, text.split("\n")))
    opening = f'<div class="output no-copy" role="group" aria-label="Output" style="--columns:{columns}">'
    return f"{opening}{label}<pre><code>{code}</code></pre></div>"


def rendered(page: context.Context, tex: str, display: bool) -> tuple[str, ...]:
    """Render a formula in its parts; one that cannot be is an error that names its line."""
    try:
        return katex.parts(tex, display)
    except katex.FormulaError as error:
        line = next((formula.line for formula in page.page.formulas if formula.tex == tex), None)
        raise page.error(f"formula: {error}", line) from None


class _Equation(BlockProcessor):
    """Puts a displayed formula on the page, with its number where it has one."""

    def __init__(self, md: Markdown, extension: BookExtension) -> None:
        super().__init__(md.parser)
        self.md, self.extension = md, extension

    def test(self, parent: Element, block: str) -> bool:
        """Say whether the block is a formula."""
        return bool(_EQUATION.fullmatch(block.strip()))

    def run(self, parent: Element, blocks: list[str]) -> None:
        """Build the formula, and beside it its number as a link to itself."""
        formula, shown = self.extension.equations[int(_EQUATION.fullmatch(blocks.pop(0).strip())[1])]
        body = elements.element("div", class_="equation__formula", data_search_exclude="")
        body.text = elements.raw(self.md, shown)
        block = elements.element("div", body, class_="equation")
        page = self.extension.current()
        number = page.numbers.equations.get(formula.label) if page.source and formula.label else None
        if number is not None:
            anchor = f"eq-{formula.label}"
            block.set("id", anchor)
            title = f"Link to equation {number}"
            block.append(
                elements.element("a", f"({number})", class_="equation__number", href=f"#{anchor}", aria_label=title)
            )
        parent.append(block)


class _Inline(InlineProcessor):
    """What the patterns share: the page."""

    def __init__(self, pattern: str, md: Markdown, extension: BookExtension) -> None:
        super().__init__(pattern, md)
        self.extension = extension


_CLOSING = re.compile(r"[.,;:!?)]+")
_LONG = 30  # characters of TeX


class _Formula(_Inline):
    """`$x$` in the running text."""

    def handleMatch(self, m: re.Match[str], data: str) -> tuple[Element | str | None, int | None, int | None]:
        """Render the formula; an escaped character is left to the pattern for those."""
        if m["escaped"] is not None:
            return None, None, None
        parts = rendered(self.extension.current(), m["tex"].strip(), False)
        # A long formula may break between its parts on a narrow screen; one of a single part cannot.
        is_long = len(m["tex"]) > _LONG and len(parts) > 1
        formula = f'<span class="formula formula--long">{"<wbr>".join(parts)}</span>' if is_long else "".join(parts)
        start, end = m.span()
        closing = _CLOSING.match(data, end)
        # A browser may break the line between a formula and a period.
        if closing and not is_long:
            return elements.raw(self.md, f'<span class="joined">{formula}{closing[0]}</span>'), start, closing.end()
        return elements.raw(self.md, formula), start, end


class _Reference(_Inline):
    r"""`\\eqref{label}`, `\\figref{name}`, with a chapter in front, `\\eqref{initialization/he}`; `\\claimref{id}`."""

    def handleMatch(self, m: re.Match[str], data: str) -> tuple[Element, int, int]:
        """Build the link."""
        page = self.extension.current()
        kind, name = m[1], m[2].strip()
        if kind == "claimref":
            badge, closing = self._claim(page, name), _CLOSING.match(data, m.end())
            if closing:  # a browser may break the line between a badge and a comma
                return elements.element("span", badge, closing[0], class_="joined"), m.start(), closing.end()
            return badge, *m.span()
        text, target, anchor = page.reference(kind, name)
        spoken = {"aria_label": f"equation {text.replace('(', '').replace(')', '')}"} if kind == "eqref" else {}
        return elements.element(
            "a", text, href=page.href(target, anchor), class_=f"reference reference--{kind}", **spoken
        ), *m.span()

    def _claim(self, page: context.Context, name: str) -> Element:
        """Build the badge of a claim's verdict, a link to the evidence, or to the ledger where there is none yet."""
        claim = page.claim(name)
        settled = lists.settled(page).get(name)
        href = page.href(settled, f"claim-{name}") if settled else page.href(directives.CLAIMS_PAGE, name)
        said = f"The claim {elements.VERDICTS[claim.verdict]}: {claim.claim}"
        badge = elements.badge(claim.verdict)
        return elements.element("a", badge, href=href, class_="reference--claim", aria_label=said, title=claim.claim)


class _Citation(_Inline):
    """`[@key]` and `[@key, locator]`."""

    def handleMatch(self, m: re.Match[str], data: str) -> tuple[Element, int, int]:
        """Build the link to the list of references."""
        page = self.extension.current()
        key, locator = m[1].strip(), (m[2] or "").strip()
        text, _ = page.citation(key, locator)
        if page.source is None:  # text that is no page does not know where the list of references is
            return elements.element("span", text, class_="citation"), *m.span()
        return elements.element("a", text, href=page.href(REFERENCES_PAGE, key), class_="citation"), *m.span()
