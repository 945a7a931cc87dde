"""Small builders of HTML elements for the Markdown extension."""

from __future__ import annotations

import html
import re
from xml.etree import ElementTree

from markdown import Markdown
from markdown.util import AtomicString
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

Element = ElementTree.Element

# Drawn in a box of 16 by 16: (stroked path, filled path). Each verdict has a shape of its own, so that none depends on
# its color: a tick, a circle half full, a cross.
_CIRCLE = "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13z"
ICONS = {
    "holds": (_CIRCLE + "M5 8.3l2.1 2.1L11 6.3", ""),
    "limits": (_CIRCLE, "M8 1.5a6.5 6.5 0 0 1 0 13z"),
    "corrected": (_CIRCLE + "M5.5 5.5l5 5M10.5 5.5l-5 5", ""),
    "open": (_CIRCLE, ""),
}
VERDICTS = {"holds": "holds", "limits": "holds under conditions", "corrected": "wrong as written"}


def element(tag: str, *children: Element | str, **attributes: str) -> Element:
    """Build an element. Text is taken as it is, without Markdown; `class_` stands for `class`, `_` in names for `-`."""
    made = Element(tag, {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()})
    for child in children:
        if not isinstance(child, str):
            made.append(child)
        elif len(made):
            made[-1].tail = AtomicString((made[-1].tail or "") + child)
        else:
            made.text = AtomicString((made.text or "") + child)
    return made


def typographic(text: str) -> str:
    """Give the quotation marks of the ledger the form that the text of the pages has."""
    text = re.sub(r'"([^"]*)"', "\u201c\\1\u201d", text)
    return re.sub(r"(?<=\w)'", "\u2019", text)


def raw(md: Markdown, ready: str) -> AtomicString:
    """Give text that stands for ready HTML."""
    return AtomicString(md.htmlStash.store(ready))


def highlighted(md: Markdown, code: str) -> AtomicString:
    """Give Python code with its syntax colored, in the form of the fenced blocks around it."""
    colored = highlight(code, PythonLexer(stripnl=False), HtmlFormatter(nowrap=True))
    return raw(md, f'<div class="language-python highlight"><pre><code>{colored}</code></pre></div>')


def plain_code(md: Markdown, code: str) -> AtomicString:
    """Give code without colors, in the form of the fenced blocks around it."""
    return raw(md, f'<div class="highlight"><pre><code>{html.escape(code, quote=False)}</code></pre></div>')


def icon(name: str) -> Element:
    """Build an icon that says nothing by itself: the word stands beside it."""
    drawn = element("svg", class_="icon", viewBox="0 0 16 16", aria_hidden="true", focusable="false")
    line, area = ICONS[name]
    drawn.append(element("path", class_="icon__line", d=line))
    if area:
        drawn.append(element("path", class_="icon__area", d=area))
    return drawn


def breakable(identifier: str) -> Element:
    """Build code of a dotted name that a narrow screen may break after its points and underscores."""
    first, *rest = re.split(r"(?<=[._])", identifier)
    return element("code", first, *(child for part in rest for child in (element("wbr"), part)))


def badge(verdict: str) -> Element:
    """Build the badge of a verdict: an icon and words, so that it does not depend on color."""
    return element("span", icon(verdict), VERDICTS[verdict], class_=f"verdict verdict--{verdict}")


def note_marks(verb: str, notes: tuple[str, ...], page: str) -> Element:
    """Say which notes make a claim or ask a question; `page` is the link to the page that lists the notes, or empty."""
    said = element("span", f"{verb} in ", class_="claim__notes")
    for number, note in enumerate(sorted(notes)):
        if number:
            said[-1].tail = AtomicString(", " if number < len(notes) - 1 else " and ")
        said.append(element("a", note, href=f"{page}#{note.lower()}"))
    return said
