"""What the slides of a chapter hold: its rules, figures, equations and claims, one to a slide."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import NamedTuple

from dlnotes.book import chapters, context, drawing, elements, fragments, ledger, notebook_pages, pages
from dlnotes.book import layout as layouts

RULES = "In short"
_WORDS = 45  # at most, of what leads to an equation
# The size of the text by the number of its words, and of a formula by the characters that it shows.
_SIZES = ((18, "xl"), (34, "l"), (58, "m"))
_WIDTHS = ((26, "xl"), (44, "l"), (64, "m"), (90, "s"))


class Slide(NamedTuple):
    """A slide: what it is named in links, its kind, the words at its head, and what it shows."""

    id: str
    kind: str
    head: str
    body: str


def of_chapter(layout: layouts.Layout, stem: str) -> list[Slide]:
    """Give the slides of a chapter."""
    return list(_Deck(layout, stem).slides())


class _Deck:
    """Makes the slides of a chapter from its parsed pages."""

    def __init__(self, layout: layouts.Layout, stem: str) -> None:
        self.layout, self.chapter = layout, chapters.read(layout, stem)
        self.contexts = {name: context.Context(layout, name, page) for name, page in self.chapter.pages.items()}
        self.fragments = {name: fragments.Fragments(page, self._known) for name, page in self.contexts.items()}
        self.main = next(iter(self.contexts))
        self.unlabeled = 0

    def _known(self, name: str, anchor: str) -> str:
        """Give the slide that shows a place of the chapter."""
        if self.layout.stem(name) != self.chapter.stem:
            return ""
        return f"#{anchor}" if re.match(r"(?:eq|figure|claim)-", anchor) else ""

    def slides(self) -> Iterator[Slide]:
        """Give the slides: what is asked, the rules, the argument, its derivation, the claims, the exercises."""
        yield self._title()
        argument = list(self._shown(self.main))
        first = next((slide for slide in argument if slide.kind == "figure"), None)
        yield from [first] if first else []
        yield from self._rules()
        yield from (slide for slide in argument if slide is not first)
        for name in self.contexts:
            if name != self.main:
                yield from self._shown(name)
        yield from self._claims()
        yield from self._exercises()

    def _title(self) -> Slide:
        part = next((title for title, stems in self.layout.parts.items() if self.chapter.stem in stems), "")
        question = self.fragments[self.main].line(self.chapter.question)
        body = f"<h1>{html.escape(self.chapter.title)}</h1><p class='question'>{question}</p>"
        return Slide("title", "title", html.escape(part), body)

    def _rules(self) -> Iterator[Slide]:
        """Give the items of the list that stands under the heading of the rules."""
        page = self.chapter.main
        heading = next((part for part in page.headings if part.text == RULES), None)
        if heading is None:
            return
        lines = page.text.split("\n")
        end = min((part.line for part in page.headings if part.line > heading.line), default=len(lines) + 1)
        text = "\n".join(lines[heading.line : end - 1])
        items = re.findall(r"^(?:[-*]|\d+\.) (.*(?:\n(?:  .*))*)", text, re.MULTILINE)
        for number, item in enumerate(items, start=1):
            words = re.sub(r"\n\s+", "\n", item)
            shown = self.fragments[self.main].html(words)
            body = f'<div class="words {_size(words)}">{shown}</div>'
            yield Slide(f"rule-{number}", "rule", f"{RULES}, {number} of {len(items)}", body)

    def _shown(self, name: str) -> Iterator[Slide]:
        """Give the figures and displayed formulas of a page, in its order."""
        page = self.contexts[name].page
        parts = [*page.named("figure"), *(formula for formula in page.formulas if formula.display)]
        for part in sorted(parts, key=lambda part: part.line):
            heading = self._heading(name, part.line)
            yield (
                self._figure(name, part, heading)
                if isinstance(part, pages.Directive)
                else self._formula(name, part, heading)
            )

    def _heading(self, name: str, line: int) -> str:
        """Give the words of the heading above a line, below that of the page; else the title of the chapter."""
        found = [part for part in self.contexts[name].page.headings if part.line < line and 1 < part.level < 4]
        return self.fragments[name].line(found[-1].text) if found else html.escape(self.chapter.title)

    def _figure(self, name: str, part: pages.Directive, heading: str) -> Slide:
        figure = drawing.Figure(*(part.argument or "").split("/", 1))
        number = self.chapter.numbers.figures[figure.name]
        alt = html.escape(" ".join(str(part.options["alt"]).split()))
        images = [
            f'<img class="on-{theme}" alt="{alt}" src="{picture(self.layout, figure, theme)}">'
            for theme in ("light", "dark")
        ]
        caption = self.fragments[name].line(f"**Figure {number}.** {part.body.strip()}")
        size = "small" if fragments.words(part.body) > 55 else "usual"
        body = f'<div class="picture">{"".join(images)}</div><div class="caption {size}">{caption}</div>'
        return Slide(f"figure-{figure.name}", "figure", heading, body)

    def _formula(self, name: str, part: pages.Formula, heading: str) -> Slide:
        before, after = _around(self.contexts[name].page, part)
        convert = self.fragments[name].html
        label = f" \\label{{{part.label}}}" if part.label else ""
        shown = convert(f"$$\n{part.tex}{label}\n$$")
        shown = re.sub(r' id="eq-[^"]*"', "", shown)
        lead = f'<div class="words lead {_size(before)}">{convert(before)}</div>' if before else ""
        rest = f'<div class="words rest">{convert(after)}</div>' if after else ""
        if not part.label:
            self.unlabeled += 1
        identifier = f"eq-{part.label}" if part.label else f"formula-{self.unlabeled}"
        body = f'{lead}<div class="formula-block">{shown}</div>{rest}'
        return Slide(identifier, "equation", heading, body)

    def _claims(self) -> Iterator[Slide]:
        """Give each claim: its words, and with the next key the verdict and its reason."""
        known = tuple(self.contexts[self.main].claims.values())
        for claim in ledger.of_chapter(known, self.chapter.stem):
            words = html.escape(elements.typographic(claim.claim))
            because = html.escape(elements.typographic(claim.because))
            verdict = f'<p class="verdict verdict--{claim.verdict}">{_icon(claim.verdict)}{_word(claim.verdict)}</p>'
            body = (
                f'<blockquote class="words {_size(claim.claim)}">{words}</blockquote>'
                f'<div class="step">{verdict}<p class="because">{because}</p></div>'
            )
            said = f"A claim, said in {notebook_pages.listed(claim.notes)}"
            yield Slide(f"claim-{claim.id}", "claim", said, body)

    def _exercises(self) -> Iterator[Slide]:
        rows = [
            f"<li>{self.fragments[name].line(title_of(part))}</li>" for name, part in self.chapter.named("exercise")
        ]
        if rows:
            yield Slide("exercises", "exercises", "Exercises", f'<ol class="words l">{"".join(rows)}</ol>')


def title_of(exercise: pages.Directive) -> str:
    """Give the title of an exercise: its first line."""
    return next((line.strip() for line in exercise.body.split("\n") if line.strip()), "")


def _around(page: pages.Page, formula: pages.Formula) -> tuple[str, str]:
    """Give what leads to a formula, and the rest of its sentence behind it."""
    lines = page.text.split("\n")
    end = next(at for at in range(formula.line, len(lines)) if lines[at].strip() == "$$") + 1
    before = _paragraph(page, lines, formula.line - 1, -1)
    after = _paragraph(page, lines, end + 1, 1)
    led = fragments.sentences(before) if before else []
    while len(led) > 1 and fragments.words(" ".join(led)) > _WORDS:
        led = led[1:]
    rest = fragments.sentences(after)[0] if re.match(r"[a-z(]|\$", after) else ""
    return " ".join(led), rest if fragments.words(rest) <= _WORDS else ""


def _paragraph(page: pages.Page, lines: list[str], line: int, step: int) -> str:
    """Give the paragraph of plain text next to a formula: above (-1) or below (1); empty if something else is there."""
    taken = [(part.line, part.end) for part in page.fences]
    taken += [(part.line, part.body_line - 1) for part in page.directives]
    taken += [(part.end, part.end) for part in page.directives]
    found: list[str] = []
    while 0 < line <= len(lines) and not lines[line - 1].strip() and not found:
        line += step
    while 0 < line <= len(lines) and lines[line - 1].strip():
        text = lines[line - 1].strip()
        if text == "$$" or text.startswith(("#", "|", "<!--", "{ ")) or any(a <= line <= b for a, b in taken):
            break
        found.append(re.sub(r"^(?:[-*]|\d+\.) ", "", text))
        if re.match(r"(?:[-*]|\d+\.) ", text):  # an item of a list begins here
            break
        line += step
    return "\n".join(found[::step])


def _size(text: str) -> str:
    count = fragments.words(text)
    return next((name for most, name in _SIZES if count <= most), "s")


def _icon(verdict: str) -> str:
    line, area = elements.ICONS[verdict]
    filled = f'<path class="icon__area" d="{area}"/>' if area else ""
    return (
        f'<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path class="icon__line" d="{line}"/>{filled}</svg>'
    )


def _word(verdict: str) -> str:
    words = elements.VERDICTS[verdict]
    return f"{words[0].upper()}{words[1:]}"


_IDLE = re.compile(r"(?<=[MLQCZz\d]) (?=[MLQCZz])|(?<=[MLQC]) (?=[-\d])")


def _tight(path: re.Match[str]) -> str:
    """Leave out the blanks of a path that part nothing; paths are most of a figure."""
    return f' d="{_IDLE.sub("", path[0][4:-1]).strip()}"'


def picture(layout: layouts.Layout, figure: drawing.Figure, theme: str) -> str:
    """Give a drawn figure as an address that holds it.

    Raises:
        drawing.FigureError: If the figure is not drawn.
    """
    path = layout.figure(figure.stem, figure.name, "wide", theme)
    if not path.is_file():
        raise drawing.FigureError(f"{layout.relative(path)} is not drawn: run python -m dlnotes figures {figure.stem}")
    text = re.sub(
        r"<\?xml.*?\?>|<!DOCTYPE.*?>|<!--.*?-->|<metadata>.*?</metadata>", "", path.read_text("utf-8"), flags=re.S
    )
    text = re.sub(r"\s+", " ", re.sub(r">\s+<", "><", text)).strip()
    text = re.sub(r' d="[^"]*"', _tight, text)
    for sign in '%"#<>&':
        text = text.replace(sign, f"%{ord(sign):02X}")
    return f"data:image/svg+xml,{text}"
