"""What stands on the pages of the built site, as trees, without what only a screen has a use for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

Element = ElementTree.Element

VOID = frozenset(("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"))
# What works only on a screen, or says what a reader of paper can do on one.
_ON_SCREEN = frozenset((
    "block__anchor", "exercise__how", "figure__change", "figure__details", "figure__place--narrow", "filter",
    "headerlink", "kernel__note", "moving__try", "needs", "on-screen", "parts", "place", "tabbed-labels", "whole",
))  # fmt: skip
_ON_SCREEN_TAGS = frozenset(("button", "form", "input", "script", "source", "wbr"))
_ATTRIBUTES = frozenset((
    "data-copy", "data-figure", "data-lines", "data-search-exclude", "data-toc-label", "decoding", "fetchpriority",
    "loading",
))  # fmt: skip
# The names of SVG with a capital inside: HTML reads them in any case, XML in this one alone, and the parser lowers all.
_CAPITALS = {
    name.lower(): name
    for name in (
        "clipPath", "clipPathUnits", "foreignObject", "gradientTransform", "gradientUnits", "lengthAdjust",
        "linearGradient", "markerHeight", "markerUnits", "markerWidth", "maskUnits", "pathLength", "patternTransform",
        "patternUnits", "preserveAspectRatio", "radialGradient", "refX", "refY", "textLength", "textPath", "viewBox",
    )
}  # fmt: skip


class ArticleError(Exception):
    """A page of the site is missing, or is not written as the press writes pages."""


def article(site: Path, name: str) -> Element:
    """Give the text of a built page, `name` being its source below docs/.

    Raises:
        ArticleError: If the page is not there, or its elements are not closed in their order.
    """
    path = site / address(name) / "index.html"
    try:
        text = path.read_text("utf-8")
    except OSError:
        raise ArticleError(f"{path} is missing: run python -m dlnotes site") from None
    found = re.search(r"<article\b.*</article>", text, re.DOTALL)
    if found is None:
        raise ArticleError(f"{path} has no article")
    reader = _Reader(path)
    reader.feed(found[0])
    reader.close()
    return reader.root


def address(name: str) -> str:
    """Give the folder of a page as an address below the site's: `chapters/dropout/`, or nothing for home."""
    return "" if name == "index.md" else f"{name.removesuffix('.md')}/"


class _Reader(HTMLParser):
    """Builds the tree of an article; an element that is not closed where it should be is an error."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.path, self.open, self.builder = path, [], ElementTree.TreeBuilder()
        self.root = Element("article")

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {_CAPITALS.get(name, name): name if value is None else value for name, value in attributes}
        self.builder.start(_CAPITALS.get(tag, tag), given)
        if tag in VOID:
            self.builder.end(tag)
        else:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        expected = self.open.pop() if self.open else None
        if tag != expected:
            line = self.getpos()[0]
            raise ArticleError(f"{self.path}: line {line} of the article closes {tag} where {expected} is open")
        self.builder.end(_CAPITALS.get(tag, tag))

    def handle_data(self, data: str) -> None:
        self.builder.data(data)

    def close(self) -> None:
        super().close()
        if self.open:
            raise ArticleError(f"{self.path}: {self.open[-1]} is never closed")
        self.root = self.builder.close()


def classes(node: Element) -> frozenset[str]:
    """Give the classes of an element."""
    return frozenset(node.get("class", "").split())


def cleaned(root: Element) -> Element:
    """Take out of an article what works only on a screen; what was folded is open."""
    for tabs in with_class(root, "tabbed-set"):
        _named(tabs)
    remove(root, lambda node: node.tag in _ON_SCREEN_TAGS or bool(classes(node) & _ON_SCREEN))
    for parent in list(root.iter()):
        for place, child in enumerate(parent):
            if child.tag == "picture":
                image = child.find("img")
                image.tail, parent[place] = child.tail, image
    for node in root.iter():
        for name in _ATTRIBUTES & node.attrib.keys():
            del node.attrib[name]
        if node.tag == "details":
            node.set("open", "open")
        if node.tag == "span" and "long" in classes(node):
            node.attrib.pop("style", None)
    return root


def _named(tabs: Element) -> None:
    """Put the name of each tab above what it holds."""
    names = [label.text or "" for label in tabs.iter("label")]
    blocks = [node for node in tabs.iter("div") if "tabbed-block" in classes(node)]
    for name, block in zip(names, blocks, strict=True):
        head = Element("p", {"class": "kernel__head"})
        head.text = name
        block.insert(0, head)


def remove(root: Element, unwanted: Callable[[Element], bool]) -> None:
    """Take elements out of a tree; the text behind each stays."""
    for parent in list(root.iter()):
        kept: list[Element] = []
        for child in parent:
            if not unwanted(child):
                kept.append(child)
            elif child.tail and kept:
                kept[-1].tail = (kept[-1].tail or "") + child.tail
            elif child.tail:
                parent.text = (parent.text or "") + child.tail
        if len(kept) < len(parent):
            parent[:] = kept


def with_class(root: Element, name: str) -> Iterable[Element]:
    """Give the elements of a class, in their order."""
    return (node for node in root.iter() if name in classes(node))


def text(node: Element) -> str:
    """Give the text of an element in one line."""
    return " ".join("".join(node.itertext()).split())
