"""What stands above the list of all cards: the form and the place of a sitting, which a script fills.

Without a script none of it is seen. It stands in the page, so that nothing below moves when the script has come.
"""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree import ElementTree

from dlnotes.book import elements

DECK = "anki/dlnotes.apkg"  # of the site
GRADES = ("Again", "Hard", "Good", "Easy")


def source(page: str, topics: Iterable[tuple[str, str]]) -> str:
    """Give the HTML for a page below docs/ and the topics, each a chapter's stem and title.

    It stands on one line, as Markdown takes it unread; so the addresses are those of the site.
    """
    shown = elements.element(
        "section", _form(_root(page), topics), _sitting(), _shelf(), class_="study", id="study", aria_label="Study",
        data_search_exclude="",
    )  # fmt: skip
    return ElementTree.tostring(shown, "unicode", method="html")


def deck(page: str) -> str:
    """Give the HTML that offers the deck on a page below docs/."""
    link = elements.element("a", "a deck for Anki", href=f"{_root(page)}{DECK}", download="")
    words = elements.element("p", "The same cards are ", link, ", by chapter.", class_="study__deck")
    return ElementTree.tostring(words, "unicode", method="html")


def _root(page: str) -> str:
    return "../" * (page.count("/") + 1)


def _form(root: str, topics: Iterable[tuple[str, str]]) -> elements.Element:
    """Build what is chosen before a sitting."""
    options = [elements.element("option", "All chapters", value="")]
    options += [
        elements.element("option", title, value=stem, data_chapter=f"{root}chapters/{stem}/") for stem, title in topics
    ]
    topic = elements.element("select", *options, name="topic", id="study-topic")
    fresh = elements.element(
        "input", type="number", name="fresh", id="study-fresh", min="0", max="999", value="10", inputmode="numeric"
    )
    return elements.element(
        "form",
        _field("Topic", topic, "topic"),
        _field("New cards a day", fresh, "fresh"),
        elements.element("button", "Study", type="submit", class_="study__go", disabled=""),
        elements.element("p", "Today: ", class_="study__due", role="status", tabindex="-1"),
        class_="filter study__form",
    )


def _field(label: str, field: elements.Element, name: str) -> elements.Element:
    words = elements.element("label", label, for_=f"study-{name}")
    return elements.element("div", words, field, class_=f"filter__field study__field--{name}")


def _sitting() -> elements.Element:
    """Build the place of one card: what is left, the question, the answer, the grades."""
    head = elements.element(
        "div",
        elements.element(
            "p", elements.element("a", class_="study__chapter"), ": ", _span("left"), class_="study__place"
        ),
        _button("Undo", "undo"),
        _button("End", "stop"),
        class_="study__head",
    )
    grades = elements.element("div", class_="study__grades", role="group", aria_label="How well you knew it")
    for number, name in enumerate(GRADES, 1):
        key = elements.element("kbd", str(number), aria_hidden="true")
        button = elements.element("button", elements.element("b", name), " ", _span("when"), key, type="button")
        button.set("class", f"study__grade study__grade--{name.lower()}")
        grades.append(button)
    show = _button("Show answer", "show")
    show.append(elements.element("kbd", "Space", aria_hidden="true"))
    return elements.element(
        "div",
        head,
        elements.element("h2", class_="study__question", tabindex="-1"),
        elements.element("div", class_="study__answer", tabindex="-1", hidden=""),
        show,
        grades,
        elements.element("p", class_="study__said", role="status"),
        class_="study__sitting",
        tabindex="-1",
        hidden="",
    )


def _shelf() -> elements.Element:
    """Build what keeps the schedule."""
    file = elements.element(
        "input",
        type="file",
        accept=".json,application/json",
        hidden="",
        aria_label="File of a schedule",
        tabindex="-1",
        class_="study__file",
    )
    return elements.element(
        "div",
        elements.element("span", "Your schedule stays in this browser.", class_="study__keeps"),
        _button("Save to a file", "save", "run__button"),
        _button("Load from a file", "load", "run__button"),
        _button("Start over", "forget", "run__button"),
        file,
        elements.element("span", class_="study__status", role="status"),
        class_="answers study__shelf",
    )


def _span(name: str) -> elements.Element:
    return elements.element("span", class_=f"study__{name}")


def _button(words: str, name: str, shape: str = "") -> elements.Element:
    return elements.element("button", words, type="button", class_=f"{shape} study__{name}".strip())
