"""Turns pieces of a page into HTML as the site has it, for documents that stand by themselves."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property

from markdown import Markdown

from dlnotes.book import context, markdown, plain_markdown, prose

# Those of mkdocs.yml that change how text is set.
_EXTENSIONS = ("attr_list", "smarty", "tables", "pymdownx.highlight", "pymdownx.superfences")
_SETTINGS = {"smarty": {"smart_dashes": False}, "pymdownx.highlight": {"pygments_lang_class": True}}
_ANCHOR = re.compile(r'<a\b([^>]*?)\shref="([^"]*)"([^>]*)>(.*?)</a>', re.DOTALL)
_MASKED = re.compile(
    rf"{prose.CITATION}|{prose.REFERENCE}|{prose.MATH}|(?P<ticks>`+)(?!`)[\s\S]+?(?<!`)(?P=ticks)(?!`)"
)
# Ends a sentence: a stop and a blank, before a capital, a formula or the mark of something set off.
_END = re.compile(r"(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.)\)?\*{0,2}\s+(?=[\x00A-Z(*`\[\\])")


class Fragments:
    """The converter of one page of a chapter.

    `known` says where a place of the book, a page and an anchor, is in the new document; of links to other places the
    text is left, or the address where the site has one.
    """

    def __init__(self, page: context.Context, known: Callable[[str, str], str] | None = None) -> None:
        """Take the page, and what is known of places."""
        self.page, self.known = page, known or (lambda name, anchor: "")

    @cached_property
    def _converter(self) -> Markdown:
        extension = markdown.BookExtension()
        extension.given = self.page
        return Markdown(extensions=[*_EXTENSIONS, extension], extension_configs=_SETTINGS)

    def html(self, text: str) -> str:
        """Convert some lines of the page."""
        made = self._converter.reset().convert(text)
        made = re.sub(r'<pre id="block-\d+"', "<pre", made)
        return _ANCHOR.sub(self._linked, made)

    def line(self, text: str) -> str:
        """Convert one paragraph, without the paragraph."""
        made = self.html(text)
        return re.sub(r"\A<p>(.*)</p>\Z", r"\1", made, flags=re.DOTALL)

    def _linked(self, found: re.Match[str]) -> str:
        before, address, after, words = found.groups()
        moved = self.address(address)
        attributes = re.sub(r'\s(?:title|aria-label)="[^"]*"', "", before + after) if not moved else before + after
        if not moved:
            return f"<span{attributes}>{words}</span>"
        return f'<a{before} href="{moved}"{after}>{words}</a>'

    def address(self, target: str) -> str:
        """Give where a link of the page leads in the new document."""
        if re.match(r"[a-z]+:", target):
            return target
        name, anchor = plain_markdown.resolved(self.page, target)
        return self.known(name, anchor) or plain_markdown.on_site(self.page.layout, name, anchor)


def sentences(text: str) -> list[str]:
    """Part a paragraph into its sentences; what stands in formulas, code and citations ends none."""
    masked = _MASKED.sub(lambda found: "\x00" * len(found[0]), text)
    ends = [found.span() for found in _END.finditer(masked)]
    starts = [0, *(end for _, end in ends)]
    return [text[start:end].strip() for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]


def words(text: str) -> int:
    """Count the words of a paragraph; a formula counts as one."""
    return len(_MASKED.sub(" formula ", text).split())
