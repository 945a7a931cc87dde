"""The directives of a page, as blocks of Markdown: kernel, claim, figure, moving, exercise, solution, flashcard.

A directive shows what stands elsewhere: code comes from the modules, wording and verdict from the ledger, pictures from
the figures folder. What cannot be found is an error that names the page and the line.
"""

from __future__ import annotations

import re
import textwrap
from typing import Any, ClassVar

from markdown.util import STX
from pymdownx.blocks.block import Block, type_string

from dlnotes.book import api, drawing, elements, figure_forms, pages, prose, reading, source
from dlnotes.book import context as contexts

BACKEND_NAMES = {"numpy": "NumPy", "torch": "PyTorch"}
API_PAGE = "api.md"
CLAIMS_PAGE = "claims.md"


class Directive(Block):
    """What all directives share: the context of the page, and errors that name it."""

    @property
    def context(self) -> contexts.Context:
        """The page being converted."""
        return self.config["context"]()

    def error(self, message: str) -> Exception:
        """Give the error to raise, with file and line."""
        context = self.context
        return context.error(f"{self.NAME}: {message}", context.directive_line(self.NAME, self.argument or None))


def _first_line(block: elements.Element) -> tuple[str, elements.Element | None]:
    """Take the first line off the first paragraph: (line, paragraph with the rest or None)."""
    first = next(iter(block), None)
    if first is None or first.tag != "p" or not first.text or first.text.startswith(STX):  # STX: a block of code
        return "", first
    line, _, rest = first.text.partition("\n")
    first.text = rest
    if not rest and not len(first):
        block.remove(first)
    return line.strip(), first


def _titled(tag: str, text: str, **attributes: str) -> elements.Element:
    """Build an element whose text is still Markdown."""
    made = elements.element(tag, **attributes)
    made.text = text
    return made


class Kernel(Directive):
    """`/// kernel | initialization.he_normal`: the code of a function, from its module, in each backend that has it."""

    NAME = "kernel"
    ARGUMENT = True

    def on_create(self, parent: elements.Element) -> elements.Element:
        """Show the function in each backend that has it."""
        name = self.argument
        package = self.context.layout.package
        backends = [backend for backend in BACKEND_NAMES if source.exists(name, backend, package)]
        if not backends:
            try:
                source.displayed(name, "numpy", package)
            except source.SourceError as error:
                raise self.error(str(error)) from None
        identifier = "kernel-" + name.replace(".", "-")
        block = elements.element("div", class_="kernel", id=identifier)
        texts = [self._text(backend) for backend in backends]
        if len(set(texts)) == 1:
            label = " and ".join(BACKEND_NAMES[backend] for backend in backends)
            head = elements.element("p", elements.element("span", label), class_="kernel__head")
            block.extend([head, _kernel_code(self, backends, texts[0])])
        else:
            codes = [_kernel_code(self, [each], text) for each, text in zip(backends, texts, strict=True)]
            block.append(tabs(identifier, [BACKEND_NAMES[backend] for backend in backends], codes))
        parent.append(block)
        return block

    def _text(self, backend: str) -> str:
        """Give the code for reading in one backend."""
        try:
            return reading.kernel(self.argument, backend, self.context.layout.package)
        except source.SourceError as error:
            raise self.error(str(error)) from None


def _kernel_code(block: Kernel, backends: list[str], text: str) -> elements.Element:
    """Build the code of the backends that share it, with what its copy button copies and the links to the rest."""
    context, name = block.context, block.argument
    package = context.layout.package
    links = elements.element("p", class_="kernel__links")
    for backend in backends:
        identifier = source.identifier(name, backend, package)
        own = api.described(identifier) == identifier  # else the page of its module is all there is
        href = context.href(api_page(context, name), api.anchor(context.layout, identifier) if own else "")
        links.append(elements.element("a", elements.breakable(identifier), href=href))
        if context.layout.repository:
            address = source_address(context, *source.location(name, backend, package))
            links.append(elements.element("a", "Source", href=address))
    links.append(elements.element("span", "Copied with types and checks of arguments", class_="kernel__note"))
    code = elements.element("div", class_="kernel__code", data_copy=source.standalone(name, backends[0], package))
    code.text = elements.highlighted(block.md, text)
    return elements.element("div", code, links, class_="kernel__body")


def api_page(context: contexts.Context, name: str) -> str:
    """Give the page that describes a function: its own chapter's, or the one of what chapters share."""
    stem = name.partition(".")[0]
    return f"api/{stem}.md" if context.layout.api(stem).is_file() else API_PAGE


def source_address(context: contexts.Context, path: Path, line: int) -> str:
    """Give the address of a line in the repository."""
    return f"{context.layout.repository.rstrip('/')}/blob/main/{context.layout.relative(path)}#L{line}"


def tabs(identifier: str, labels: list[str], bodies: list[elements.Element]) -> elements.Element:
    """Build tabs in the form that the theme styles; they work without script."""
    block = elements.element("div", class_="tabbed-set tabbed-alternate")
    shown = elements.element("div", class_="tabbed-labels")
    content = elements.element("div", class_="tabbed-content")
    for number, (label, body) in enumerate(zip(labels, bodies, strict=True), start=1):
        tab = f"__tabbed_{identifier}_{number}"
        chosen = {"checked": "checked"} if number == 1 else {}
        block.append(elements.element("input", type="radio", name=f"__tabbed_{identifier}", id=tab, **chosen))
        shown.append(elements.element("label", label, for_=tab))
        content.append(elements.element("div", body, class_="tabbed-block"))
    block.extend([shown, content])
    return block


class Claim(Directive):
    """`/// claim | pytorch-default`: wording, notes and verdict from the ledger; the body is the evidence."""

    NAME = "claim"
    ARGUMENT = True

    def on_create(self, parent: elements.Element) -> elements.Element:
        """Show what the ledger says."""
        claim = self.context.claims.get(self.argument)
        if claim is None:
            raise self.error(f"the ledger has no claim {self.argument}")
        line = self.context.directive_line(self.NAME, self.argument) or 0
        above = (part.level for part in reversed(self.context.page.headings) if part.line < line and part.level < 3)
        block = claim_block(self.context, claim, f"h{next(above, 1) + 1}")
        parent.append(block)
        return block

    def on_add(self, block: elements.Element) -> elements.Element:
        """Put the evidence below the head."""
        return block[-1]

    def on_end(self, block: elements.Element) -> None:
        """Mark the paragraph that says what else would have come out."""
        for paragraph in block[-1].iter("p"):
            if (paragraph.text or "").startswith(pages.OTHERWISE):
                paragraph.text = paragraph.text.removeprefix(pages.OTHERWISE)
                paragraph.insert(0, elements.element("strong", "Had it been otherwise."))
                paragraph[0].tail, paragraph.text = paragraph.text, ""
                paragraph.set("class", "claim__otherwise")


def claim_block(context: contexts.Context, claim: Any, tag: str = "p") -> elements.Element:
    """Build the block of a claim with an empty place for its evidence as last child; `tag` holds its words."""
    anchor = f"claim-{claim.id}"
    head = elements.element(
        "div",
        elements.element("span", "Claim", class_="block__label"),
        " ",
        elements.note_marks("Said", claim.notes, context.href(CLAIMS_PAGE)),
        " ",
        elements.badge(claim.verdict),
        class_="claim__head",
    )
    return elements.element(
        "div",
        head,
        claim_words(claim, tag, "claim__words"),
        elements.element("div", class_="claim__evidence"),
        class_=f"claim claim--{claim.verdict}",
        role="group",
        aria_labelledby=anchor,
    )


CONTENTS_WIDTH = 60  # characters of a claim in the contents of its page


def claim_words(claim: Any, tag: str, class_: str) -> elements.Element:
    """Build the words of a claim; as a heading they are an entry of the contents and of the search."""
    words = elements.typographic(claim.claim)
    label = (
        {} if tag == "p" else {"data_toc_label": textwrap.shorten(words, CONTENTS_WIDTH, placeholder="\u00a0\u2026")}
    )
    return elements.element(tag, words, class_=class_, id=f"claim-{claim.id}", **label)


class Proof(Directive):
    """`/// proof | title`: what only some readers want, closed until it is asked for."""

    NAME = "proof"
    ARGUMENT = True

    def on_create(self, parent: elements.Element) -> elements.Element:
        """Open a closed block; its link, the browser's search and print open it."""
        identifier = f"proof-{prose.slug(prose.plain(self.argument))}"
        block = elements.element("details", _titled("summary", self.argument), class_="proof", id=identifier)
        parent.append(block)
        return block


def _both_places(word: re.Match) -> str:
    """Write the word for a panel's place that holds where panels stand side by side, and the one where they stack."""
    wide = f'<span class="figure__place--wide">{word[1]}</span>'
    narrow = f'<span class="figure__place--narrow" data-search-exclude>{drawing.PLACES[word[1]]}</span>'
    return f"{wide}{narrow}:"


class Figure(Directive):
    """`/// figure | initialization/tanh-histograms`: the drawn figure, its alt text, number, caption and code."""

    NAME = "figure"
    ARGUMENT = True
    OPTIONS: ClassVar = {"alt": ("", type_string)}

    def on_create(self, parent: elements.Element) -> elements.Element:
        """Show the four forms of the figure; the style sheet shows the one that fits."""
        stem, _, name = self.argument.partition("/")
        number = self.context.numbers.figures.get(name)
        if not name or number is None:
            raise self.error(f"{self.argument} must be a chapter and a name, as in initialization/tanh-histograms")
        if not self.options["alt"]:
            raise self.error(f"{self.argument} has no alt text")
        images = [self._picture(stem, name, number == 1)]
        caption = elements.element("div", class_="figure__caption")
        label = elements.element("a", f"Figure {number}.", class_="figure__number", href=f"#figure-{name}")
        block = elements.element(
            "figure",
            elements.element("div", *images, class_="figure__images"),
            elements.element("figcaption", label, " ", caption),
            id=f"figure-{name}",
        )
        parent.append(block)
        return block

    def on_add(self, block: elements.Element) -> elements.Element:
        """Put the body into the caption."""
        return block[1][1]

    def on_end(self, block: elements.Element) -> None:
        """Let the caption name the places of either width, and add the code, one click away."""
        for paragraph in block[1][1]:
            paragraph.text = drawing.PLACE.sub(_both_places, paragraph.text or "")
        stem, _, name = self.argument.partition("/")
        figure = drawing.Figure(stem, name)
        try:
            path = drawing.path_of(self.context.layout, figure)
            code = source.code(path, [figure.function, f"draw_{figure.function}"])
        except (source.SourceError, drawing.FigureError) as error:
            raise self.error(str(error)) from None
        shown = elements.element("div", class_="figure__code", data_search_exclude="")
        shown.text = elements.plain_code(self.md, code)  # colors would double the parts of a page, in what is closed
        summary = elements.element("summary", "Code of this figure")
        if figure_forms.can_change(path, figure):
            label = f"Change it: the numbers of {block[1][0].text.rstrip('.')}"
            options = {"type": "button", "aria-label": label, "aria-expanded": "false", "data-figure": str(figure)}
            block.append(elements.element("button", "Change it", class_="figure__change", **options))
        block.append(elements.element("details", summary, shown, class_="figure__details"))

    def _picture(self, stem: str, name: str, first: bool) -> elements.Element:
        """Build the picture, of which a browser fetches one form; a script heeds a palette chosen by hand."""
        sources = [
            elements.element("source", media=media, **self._form(stem, name, *form, "srcset"))
            for media, form in _MEDIA.items()
        ]
        eager = {"fetchpriority": "high"} if first else {"loading": "lazy"}
        form = self._form(stem, name, "wide", "light", "src")
        image = elements.element(
            "img", alt=self.options["alt"], decoding="async", class_="figure__image", **form, **eager
        )
        return elements.element("picture", *sources, image)

    def _form(self, stem: str, name: str, width: str, theme: str, attribute: str) -> dict[str, str]:
        """Give address and size of one form."""
        layout = self.context.layout
        path = layout.figure(stem, name, width, theme)
        if not path.is_file():
            raise self.error(f"{layout.relative(path)} is not drawn: run python -m dlnotes figures {stem}")
        across, down = drawing.size(path)
        address = self.context.href(path.relative_to(layout.docs).as_posix())
        if attribute == "srcset":
            address = layout.built(address, self.context.source or "")
        return {attribute: address, "width": str(across), "height": str(down)}


_NARROW = "(max-width: 44.984375em)"
_DARK = "(prefers-color-scheme: dark)"
# The first that fits counts; else the wide light form.
_MEDIA = {
    "print": ("wide", "light"),
    f"{_NARROW} and {_DARK}": ("narrow", "dark"),
    _NARROW: ("narrow", "light"),
    _DARK: ("wide", "dark"),
}


class Moving(Directive):
    """`/// moving | momentum`: a figure that a script of this name lets move, around the figure that stands without it.

    The rest of the body says what to try; it is shown only where the script has put its picture in the figure's place.
    """

    NAME = "moving"
    ARGUMENT = True
    OPTIONS: ClassVar = {"title": ("", type_string)}

    def on_create(self, parent: elements.Element) -> elements.Element:
        """Open the place in which the script finds the figure."""
        path = self.context.layout.moving(self.argument)
        if not path.is_file():
            raise self.error(f"there is no {self.context.layout.relative(path)}")
        if not self.options["title"]:
            raise self.error(f"{self.argument} has no title")
        block = elements.element("div", class_="moving", data_moving=self.argument, data_title=self.options["title"])
        parent.append(block)
        return block

    def on_end(self, block: elements.Element) -> None:
        """Mark what to try, and see that there is one figure."""
        if [child.tag for child in block].count("figure") != 1:
            raise self.error(f"{self.argument} must stand around one figure")
        for child in block:
            if child.tag == "p":
                child.set("class", "moving__try")


class Exercise(Directive):
    """`/// exercise | id`: the first line is the title, then the statement and the starter."""

    NAME = "exercise"
    ARGUMENT = True

    def on_create(self, parent: elements.Element) -> elements.Element:
        """Open the block of the exercise."""
        block = elements.element("div", class_="exercise", role="group")
        parent.append(block)
        return block

    def on_end(self, block: elements.Element) -> None:
        """Turn the first line into the title, and say how the answer is checked."""
        title, _ = _first_line(block)
        if not title:
            raise self.error(f"{self.argument} has no title: its first line")
        number = self.context.numbers.exercises.get(self.argument)
        label = elements.element("span", f"Exercise {number}" if number else "Exercise", class_="block__label")
        heading = _titled("h3", title, class_="exercise__title", id=f"exercise-{self.argument}")
        block.insert(0, elements.element("div", label, heading, class_="exercise__head"))
        block.set("aria-labelledby", heading.get("id"))
        how = elements.element(
            "p",
            "To check your answer, copy the block into a file, complete it and run it: its last lines say what is "
            "wrong, or nothing when all is right.",
            class_="exercise__how",
        )
        place = next((i for i, child in enumerate(block) if "solution" in child.get("class", "")), len(block))
        block.insert(place, how)


class Solution(Directive):
    """`/// solution`: the solution of the exercise around it, closed until it is asked for."""

    NAME = "solution"

    def on_create(self, parent: elements.Element) -> elements.Element:
        """Open a closed block."""
        block = elements.element("details", elements.element("summary", "Solution"), class_="solution")
        parent.append(block)
        return block


class Flashcard(Directive):
    """`/// flashcard | id`: the first line is the question, the rest the answer, closed until it is asked for."""

    NAME = "flashcard"
    ARGUMENT = True
    OPTIONS: ClassVar = {"notes": ("", type_string)}

    def on_create(self, parent: elements.Element) -> elements.Element:
        """Open a closed card."""
        block = elements.element("details", class_="flashcard")
        parent.append(block)
        return block

    def on_end(self, block: elements.Element) -> None:
        """Turn the first line into the question."""
        question, _ = _first_line(block)
        if not question:
            raise self.error(f"{self.argument} has no question: its first line")
        # Of a level below the contents: a card is found by search and by its link. In the list of all cards it is
        # shown a second time, and left out of the search.
        again = {} if self.context.stem else {"data_search_exclude": ""}
        words = _titled("h5", question, id=f"flashcard-{self.argument}", aria_level="3", **again)
        block.insert(0, elements.element("summary", words))
        notes = tuple(note.strip() for note in self.options["notes"].split(",") if note.strip())
        if notes:
            marks = elements.note_marks("Asked", notes, self.context.href(CLAIMS_PAGE))
            block.append(elements.element("p", marks, class_="flashcard__notes"))


DIRECTIVES: tuple[type[Directive], ...] = (Kernel, Claim, Proof, Figure, Moving, Exercise, Solution, Flashcard)
