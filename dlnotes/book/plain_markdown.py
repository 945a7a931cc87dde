r"""Turns the running text of a page into Markdown that every reader of Markdown understands.

What is the book's own is written out: `\\eqref{he}` becomes the number of the equation, `[@key]` the authors and the
year, a link to a page the place of it in the same document, or its address where the site has one.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from dlnotes.book import context, elements, lists, prose
from dlnotes.book import layout as layouts

Edit = tuple[int, int, str]

# Code and formulas stay as they are. As in `prose`, what comes first wins.
KEPT = re.compile(rf"{prose.ESCAPED}|(?P<ticks>`+)(?!`)[\s\S]+?(?<!`)(?P=ticks)(?!`)|{prose.MATH}")
_LINK = re.compile(r"(?<!!)\[(?:[^\[\]]|\[[^\[\]]*\])*\](?P<target>\((?P<address>[^()\s]+)\)|\[[^\[\]\s]+\])")


def escaped(text: str) -> str:
    """Write plain words so that nothing in them is taken for markup."""
    return re.sub(r"([\\`*_\[\]<>$|])", r"\\\1", elements.typographic(text))


def link(text: str, address: str) -> str:
    """Write a link; without an address its text alone."""
    return f"[{text}]({address})" if address else text


def inline(page: context.Context, text: str) -> str:
    """Write out the references, citations and links of a text."""
    masked = KEPT.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
    edits = [*_references(page, masked), *_citations(page, text, masked), *_links(page, masked)]
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _references(page: context.Context, masked: str) -> Iterator[Edit]:
    for found in re.finditer(prose.REFERENCE, masked):
        kind, name = found[1], found[2].strip()
        if kind == "claimref":
            yield *found.span(), _verdict(page, name)
        else:
            text, target, anchor = page.reference(kind, name)
            yield *found.span(), link(text, destination(page, target, anchor))


def _verdict(page: context.Context, name: str) -> str:
    """Give the verdict of a claim in brackets, as a link to the evidence."""
    word = f"*[{elements.VERDICTS[page.claim(name).verdict]}]*"
    settled = lists.settled(page).get(name)
    return link(word.replace("[", r"\[").replace("]", r"\]"), destination(page, settled or "", f"claim-{name}"))


def _citations(page: context.Context, text: str, masked: str) -> Iterator[Edit]:
    for found in re.finditer(prose.CITATION, masked):
        locator = " ".join(text[found.start(2) : found.end(2)].split()) if found[2] else ""
        shown, entry = page.citation(found[1].strip(), locator)
        yield *found.span(), link(shown, address_in_brackets(entry.url))


def address_in_brackets(address: str) -> str:
    """Write an address so that it may stand between round brackets."""
    return address.replace("(", "%28").replace(")", "%29")


def _links(page: context.Context, masked: str) -> Iterator[Edit]:
    """Change where links lead; of one that leads nowhere outside the site its text is left."""
    for found in _LINK.finditer(masked):
        if masked[found.start() + 1] == "@":  # a citation
            continue
        address = _moved(page, found["address"] or "")
        if address:
            yield *found.span("target"), f"({address})"
        else:
            yield found.start(), found.start() + 1, ""
            yield found.start("target") - 1, found.end("target"), ""


def _moved(page: context.Context, target: str) -> str:
    """Give where a link of the page leads outside of it, or an empty string."""
    if re.match(r"[a-z]+:", target) or not target:
        return target
    return destination(page, *resolved(page, target))


def resolved(page: context.Context, target: str) -> tuple[str, str]:
    """Give the page below docs/ and the anchor to which a link of the page leads."""
    path, _, anchor = target.partition("#")
    folder = posixpath.dirname(page.source or "")
    return posixpath.normpath(posixpath.join(folder, path)) if path else page.source or "", anchor


def destination(page: context.Context, name: str, anchor: str = "") -> str:
    """Give the address of a place on a page of the book, from a document that holds the chapter of `page`.

    It is empty where the place is on another page, and the site has no address. From the Markdown of a page by itself
    it leads to the Markdown of the other.
    """
    if not name:
        return ""
    if page.alone:
        fragment = f"#{anchor}" if anchor else ""
        if name == page.source:
            return fragment or posixpath.basename(beside(name))
        return posixpath.relpath(beside(name), posixpath.dirname(beside(page.source or ""))) + fragment
    if page.stem is not None and page.layout.stem(name) == page.stem:
        return f"#{place(page, name, anchor)}"
    return on_site(page.layout, name, anchor)


def on_site(layout: layouts.Layout, name: str, anchor: str = "") -> str:
    """Give the address of a place of the book, or an empty string where the site has none."""
    if not layout.site_url:
        return ""
    folder = "" if name == "index.md" else f"{name.removesuffix('.md')}/"
    return f"{layout.site_url.rstrip('/')}/{folder}{f'#{anchor}' if anchor else ''}"


def beside(name: str) -> str:
    """Give where the Markdown of a page lies below the site: beside the page, as the convention of llms.txt has it."""
    return "index.html.md" if name == "index.md" else f"{name.removesuffix('.md')}/index.html.md"


def part(name: str) -> str:
    """Give the word of a page in a document that holds its chapter: the chapter's own, or derivation, claims ..."""
    return Path(name).stem


def place(page: context.Context, name: str, anchor: str) -> str:
    """Give the anchor of a place in a document that holds all pages of a chapter, where two may have one heading."""
    if page.alone:
        return anchor
    headings = page.chapter(page.stem or "").pages[name].headings
    level = next((heading.level for heading in headings if heading.anchor == anchor), 0)
    if not anchor or level == 1:
        return part(name)
    return f"{part(name)}-{anchor}" if level else anchor
