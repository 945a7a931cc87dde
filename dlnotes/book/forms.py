"""The forms of the book that a reader takes along, as the page lists them; `exports` writes them."""

from __future__ import annotations

from typing import NamedTuple

from dlnotes.book import directives, elements

FOLDER = "exports"  # of the built site
PAGE = "take_along.md"
MISSING = "by make exports"


class Form(NamedTuple):
    """A form of the book: its file, what the page calls it and says of it.

    `opens` is what a reader may open in place of the file, where it holds more than one.
    """

    name: str
    title: str
    use: str
    opens: str = ""


FORMS = (
    Form(
        "dlnotes.pdf",
        "The book on paper",
        "All chapters with their derivations, evidence and exercises as one PDF: A4, tagged, with outline and links.",
    ),
    Form("dlnotes.epub", "The book for e-readers", "The same as an EPUB 3; formulas are MathML, figures SVG."),
    Form("dlnotes.apkg", "Flashcards for Anki", "Every card of the book as a deck, with a part for each chapter."),
    Form(
        "course.zip",
        "Course pack",
        "For lectures. Slides of each chapter, of its rules, figures, equations and claims, and a sheet of its "
        "exercises without solutions, to print or to edit.",
        "course/index.html",
    ),
    Form(
        "markdown.zip",
        "Markdown",
        "For other tools, and for programs that read text. Every page with its code, what it prints, its formulas as "
        "LaTeX and its figures; llms.txt lists the pages.",
        "../llms.txt",
    ),
    Form("references.bib", "References", "For papers of your own. Every source that the book cites."),
    Form("dlnotes.bib", "Citation", "For citing this book."),
)


class ExportsList(directives.Directive):
    """`/// exports-list`: the forms of the book; the command that makes them adds link and size."""

    NAME = "exports-list"

    def on_create(self, parent: elements.Element) -> elements.Element:
        """List them in the order of the table."""
        heads = (elements.element("th", name, scope="col") for name in ("Form", "What it is for", "File"))
        body = elements.element("tbody")
        for form in FORMS:
            title = elements.element("th", form.title, scope="row")
            file = elements.element("td", MISSING, data_export=form.name)
            body.append(elements.element("tr", title, elements.element("td", form.use), file))
        head = elements.element("thead", elements.element("tr", *heads))
        block = elements.element("table", head, body)
        parent.append(block)
        return block
