"""The picture that other sites show with a link to a page: the first figure of its chapter."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from dlnotes.book import chapters, drawing, pictures
from dlnotes.book import layout as layouts

FOLDER = "assets/previews"
HOME = "initialization"  # whose figure stands for the pages of no chapter


class Preview(NamedTuple):
    """A picture below the site, and what is to be seen on it."""

    file: str
    alt: str


def of_page(layout: layouts.Layout, name: str) -> Preview | None:
    """Give the picture of a page; None where its chapter has no figure."""
    stem = _stem(layout, layout.stem(name))
    found = next(chapters.read(layout, stem).named("figure"), None) if stem else None
    if found is None:
        return None
    return Preview(f"{FOLDER}/{stem}.png", " ".join(str(found[1].options.get("alt")).split()))


def _stem(layout: layouts.Layout, stem: str | None) -> str:
    return stem or (HOME if HOME in layout.stems else "")


def publish(layout: layouts.Layout, site: Path) -> None:
    """Put the pictures into the site, if it has an address: without one no other site can ask for them."""
    if not layout.site_url:
        return
    (site / FOLDER).mkdir(parents=True, exist_ok=True)
    for stem in layout.stems:
        found = next(chapters.read(layout, stem).named("figure"), None)
        if found is not None:
            figure = drawing.Figure(*(found[1].argument or "").split("/", 1))
            (site / FOLDER / f"{stem}.png").write_bytes(pictures.png(layout, figure))
