"""The directives of a page, as blocks of Markdown: kernel, claim, figure, exercise, solution, flashcard.

A directive shows what stands elsewhere: code comes from the modules, wording and verdict from the ledger, pictures from
the figures folder. What cannot be found is an error that names the page and the line.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar
from xml.etree import ElementTree

from markdown.util import STX
from pymdownx.blocks.block import Block, type_string

from dlnotes.book import context as contexts
from dlnotes.book import elements, figures, source

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
        codes = [_kernel_code(self, name, backend) for backend in backends]
        if len(backends) == 1:
            head = elements.element(
                "p",
                elements.element("span", BACKEND_NAMES[backends[0]], class_="kernel__backend"),
                class_="kernel__head",
            )
            block.extend([head, *codes])
        else:
            block.append(tabs(identifier, [BACKEND_NAMES[backend] for backend in backends], codes))
        parent.append(block)
        return block


def _kernel_code(block: Kernel, name: str, backend: str) -> elements.Element:
    """Build the code of one backend, with what its copy button copies and the links to the rest."""
    context = block.context
    package = context.layout.package
    links = elements.element("p", class_="kernel__links")
    identifier = f"dlnotes.{backend}.{name}"
    links.append(
        elements.element("a", elements.breakable(identifier), href=context.href(api_page(context, name), identifier))
    )
    if context.layout.repository:
        links.append(
            elements.element("a", "Source", href=source_address(context, *source.location(name, backend, package)))
        )
    code = elements.element("div", class_="kernel__code", data_copy=source.standalone(name, backend, package))
    code.text = elements.highlighted(block.md, source.displayed(name, backend, package))
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
    block = elements.element("div", class_="tabbed-set tabbed-alternate", data_tabs=f"{identifier}:{len(labels)}")
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
        block = claim_block(self.context, claim)
        parent.append(block)
        return block

    def on_add(self, block: elements.Element) -> elements.Element:
        """Put the evidence below the head."""
        return block[-1]


def claim_block(context: contexts.Context, claim: Any, **attributes: str) -> elements.Element:
    """Build the block of a claim with an empty place for its evidence as last child."""
    anchor = f"claim-{claim.id}"
    head = elements.element(
        "div",
        elements.element("span", "Claim", class_="block__label"),
        " ",
        elements.note_marks("Said", claim.notes, context.href(CLAIMS_PAGE)),
        " ",
        elements.badge(claim.verdict),
        " ",
        elements.element(
            "a",
            "#",
            class_="block__anchor",
            href=f"#{anchor}",
            title="Link to this claim",
            aria_label="Link to this claim",
        ),
        class_="claim__head",
    )
    words = elements.element("p", elements.typographic(claim.claim), class_="claim__words", id=f"{anchor}-words")
    settings = {"class_": f"claim claim--{claim.verdict}", "id": anchor, "role": "group", **attributes}
    return elements.element(
        "div",
        head,
        words,
        elements.element("div", class_="claim__evidence"),
        aria_labelledby=words.get("id"),
        **settings,
    )


FORMS = tuple((width, theme) for width in ("wide", "narrow") for theme in ("light", "dark"))


def _both_places(word: re.Match) -> str:
    """Write the word for a panel's place that holds where panels stand side by side, and the one where they stack."""
    wide = f'<span class="figure__place--wide">{word[1]}</span>'
    narrow = f'<span class="figure__place--narrow" data-search-exclude>{figures.PLACES[word[1]]}</span>'
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
        images = [self._image(stem, name, width, theme, number == 1) for width, theme in FORMS]
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
            paragraph.text = figures.PLACE.sub(_both_places, paragraph.text or "")
        stem, _, name = self.argument.partition("/")
        figure = figures.Figure(stem, name)
        try:
            path = figures.path_of(self.context.layout, figure)
            code = source.code(path, [figure.function, f"draw_{figure.function}"])
        except (source.SourceError, figures.FigureError) as error:
            raise self.error(str(error)) from None
        shown = elements.element("div", class_="figure__code", data_search_exclude="")
        shown.text = elements.highlighted(self.md, code)
        summary = elements.element("summary", "Code of this figure")
        block.append(elements.element("details", summary, shown, class_="figure__details"))

    def _image(self, stem: str, name: str, width: str, theme: str, first: bool) -> elements.Element:
        """Build one form. All load lazily, because a browser would also fetch the three hidden ones otherwise."""
        layout = self.context.layout
        path = layout.figure(stem, name, width, theme)
        if not path.is_file():
            raise self.error(f"{layout.relative(path)} is not drawn: run python -m dlnotes figures {stem}")
        across, down = svg_size(path)
        priority = {"fetchpriority": "high"} if first else {}
        return elements.element(
            "img",
            src=self.context.href(path.relative_to(layout.docs).as_posix()),
            alt=self.options["alt"],
            width=str(across),
            height=str(down),
            loading="lazy",
            decoding="async",
            class_=f"figure__image figure__image--{width} figure__image--{theme}",
            **priority,
        )


_UNITS = {"pt": 4 / 3, "px": 1.0, "": 1.0}


def svg_size(path: Path) -> tuple[int, int]:
    """Read the natural size of an SVG in pixels."""
    root = ElementTree.parse(path).getroot()
    sides = []
    for side in ("width", "height"):
        found = re.fullmatch(r"([\d.]+)(pt|px|)", root.get(side, ""))
        if found is None:
            raise ValueError(f"{path.name} must state its {side} in pt or px, got {root.get(side)!r}")
        sides.append(round(float(found[1]) * _UNITS[found[2]]))
    return sides[0], sides[1]


class Exercise(Directive):
    """`/// exercise | id`: the first line is the title, then the statement and the starter."""

    NAME = "exercise"
    ARGUMENT = True

    def on_create(self, parent: elements.Element) -> elements.Element:
        """Open the block of the exercise."""
        block = elements.element("div", class_="exercise", id=f"exercise-{self.argument}", role="group")
        parent.append(block)
        return block

    def on_end(self, block: elements.Element) -> None:
        """Turn the first line into the title, and say how the answer is checked."""
        title, _ = _first_line(block)
        if not title:
            raise self.error(f"{self.argument} has no title: its first line")
        number = self.context.numbers.exercises.get(self.argument)
        label = elements.element("span", f"Exercise {number}" if number else "Exercise", class_="block__label")
        heading = _titled("p", title, class_="exercise__title", id=f"exercise-{self.argument}-title")
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
        block = elements.element("details", class_="flashcard", id=f"flashcard-{self.argument}")
        parent.append(block)
        return block

    def on_end(self, block: elements.Element) -> None:
        """Turn the first line into the question."""
        question, _ = _first_line(block)
        if not question:
            raise self.error(f"{self.argument} has no question: its first line")
        block.insert(0, _titled("summary", question))
        notes = tuple(note.strip() for note in self.options["notes"].split(",") if note.strip())
        if notes:
            marks = elements.note_marks("Asked", notes, self.context.href(CLAIMS_PAGE))
            block.append(elements.element("p", marks, class_="flashcard__notes"))


DIRECTIVES: tuple[type[Directive], ...] = (Kernel, Claim, Figure, Exercise, Solution, Flashcard)
