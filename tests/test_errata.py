"""The page of errata: each misprint of another text names it, is shown by a block, and leads to the right form."""

from __future__ import annotations

import pytest

from dlnotes.book import layout, pages

BOOK = layout.find()
PAGE = pages.read(BOOK.docs / "errata.md")
SECTIONS = [heading for heading in PAGE.headings if heading.level == 3]


def lines_of(heading: pages.Heading) -> range:
    """Give the lines from a heading to the next one."""
    after = [other.line for other in PAGE.headings if other.line > heading.line]
    return range(heading.line, min(after))


@pytest.mark.parametrize("heading", SECTIONS, ids=[heading.anchor for heading in SECTIONS])
def test_a_misprint_has_its_source_a_block_that_shows_it_and_the_chapter(heading):
    lines = lines_of(heading)
    assert any(citation.line in lines for citation in PAGE.citations)
    printed = [fence.expected for fence in PAGE.fences if fence.line in lines and fence.expected]
    assert len(printed) == 1
    assert len(printed[0].splitlines()) >= 2  # what is wrong, and what is right
    targets = [link.target for link in PAGE.links if link.line in lines]
    assert any(target.startswith("chapters/") for target in targets)
