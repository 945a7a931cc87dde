"""Whether all of a page of the book stands in its bound form, a tree of HTML or XHTML."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree.ElementTree import Element

from dlnotes.book import pages, prose


def classed(tree: Element, name: str) -> list[Element]:
    return [node for node in tree.iter() if name in node.get("class", "").split()]


def named(tree: Element, tag: str) -> list[Element]:
    """List the elements of a name, in whatever namespace."""
    return [node for node in tree.iter() if node.tag.rpartition("}")[2] == tag]


def formulas(tree: Element) -> int:
    """Count formulas; one in the running text is cut behind the signs between its terms, where a line may break."""
    return sum(not (len(piece) and piece[-1].get("form") == "infix") for piece in named(tree, "math"))


def assert_all_is_there(path: Path, tree: Element, prefix: str = "") -> None:
    """Compare a page in its source with its bound form, whose ids begin with `prefix`."""
    page = pages.read(path)
    in_titles = sum(len(re.findall(prose.MATH, proof.argument)) for proof in page.named("proof"))
    assert formulas(tree) == len(page.formulas) + in_titles
    assert len(classed(tree, "equation")) == sum(formula.display for formula in page.formulas)
    ids = {node.get("id", "").removeprefix(prefix) for node in tree.iter()}
    assert {f"eq-{formula.label}" for formula in page.formulas if formula.label} <= ids
    assert {f"figure-{figure.argument.rpartition('/')[2]}" for figure in page.named("figure")} <= ids
    for kind in ("claim", "exercise", "flashcard"):
        assert {f"{kind}-{found.argument}" for found in page.named(kind)} <= ids
    printed = [fence.expected.rstrip("\n") for fence in page.fences if fence.expected is not None]
    assert ["".join(named(node, "pre")[0].itertext()) for node in classed(tree, "output")] == printed
    blocks = ["".join(node.itertext()).strip("\n") for node in classed(tree, "language-python")]
    assert [fence.code.strip("\n") for fence in page.blocks if fence.code.strip("\n") not in blocks] == []
    alts = [image.get("alt") for image in named(tree, "img")]
    assert alts == [" ".join(figure.options["alt"].split()) for figure in page.named("figure")]
