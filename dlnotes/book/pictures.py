"""The figures as PNG, for what shows no SVG: the attachments of JupyterLab, and Colab."""

from __future__ import annotations

import hashlib
import io
import os

from dlnotes.book import drawing
from dlnotes.book import layout as layouts

SCALE = 1.5  # pixels of the picture for each CSS pixel: sharp, and no wider than the text of a notebook
_DOTS = 96 * SCALE  # for each inch


def png(layout: layouts.Layout, figure: drawing.Figure) -> bytes:
    """Give the wide light form of a figure as PNG: the one kept, if the drawn figure has not changed since.

    Raises:
        drawing.FigureError: If the figure is not drawn.
    """
    drawn = layout.figure(figure.stem, figure.name, "wide", "light")
    if not drawn.is_file():
        raise drawing.FigureError(f"{layout.relative(drawn)} is not drawn: run python -m dlnotes figures {figure.stem}")
    folder = layout.cache / "pictures" / figure.stem
    key = hashlib.sha256(drawn.read_bytes() + str(SCALE).encode()).hexdigest()[:16]
    kept = folder / f"{figure.name}.{key}.png"
    if kept.is_file():
        return kept.read_bytes()
    content = painted(layout, figure)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{figure.name}.*.png"):
        old.unlink(missing_ok=True)
    scratch = kept.with_name(f".{kept.name}.{os.getpid()}")
    scratch.write_bytes(content)
    scratch.replace(kept)
    return content


def painted(layout: layouts.Layout, figure: drawing.Figure) -> bytes:
    """Paint a figure: the same figure gives the same bytes."""
    module = drawing.load(layout, figure)
    picture, paper = drawing.paint(module, figure, drawing.numbers(layout, figure), "wide", "light")
    content = io.BytesIO()
    with paper.style():
        picture.savefig(content, format="png", dpi=_DOTS, facecolor=paper.background, metadata={"Software": None})
    return content.getvalue()
