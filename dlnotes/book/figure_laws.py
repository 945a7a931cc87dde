"""What every figure of the book must keep; each law gives a list of breaches, in words.

The numbers are read back from what was drawn: from lines, bars, stairs, points, images, fills and texts. Where text
ends up is known once a figure is rendered, so `rendered` renders it once and the laws of text look at what it records.
"""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from dlnotes.book import drawing
from dlnotes.figures import paper as papers

TOLERANCE = 1e-9  # relative; stacked stairs lose some digits to their baseline
_NUMBER = re.compile(r"(?<![\w.])([-−]?\d+(?:\.(\d+))?)(?:\s*(?:\\times|×)\s*10\^\{([-−]?\d+)\})?(%?)")
_PIXEL = 0.75  # points


class Rendered(NamedTuple):
    """A figure as rendered: every text with its box, in points from the lower left corner, and the SVG."""

    figure: Any
    paper: papers.Paper
    texts: tuple[tuple[Any, Any], ...]
    svg: str


# --- the numbers ---------------------------------------------------------------------------------------------------


def shown(artist: Any) -> dict[str, np.ndarray]:
    """Read the numbers back from an artist: `values`, and where it has them `x` and `upper`."""
    from matplotlib.collections import FillBetweenPolyCollection, LineCollection, PathCollection, QuadMesh
    from matplotlib.container import BarContainer
    from matplotlib.image import AxesImage
    from matplotlib.lines import Line2D
    from matplotlib.patches import StepPatch
    from matplotlib.text import Text

    readers = {
        Text: _from_text,
        Line2D: lambda line: {"x": line.get_xdata(), "values": line.get_ydata()},
        BarContainer: _from_bars,
        StepPatch: _from_stairs,
        FillBetweenPolyCollection: _from_fill,
        LineCollection: _from_segments,
        PathCollection: lambda dots: dict(zip(("x", "values"), dots.get_offsets().T, strict=True)),
        (QuadMesh, AxesImage): lambda image: {"values": image.get_array()},
    }
    for kind, reader in readers.items():
        if isinstance(artist, kind):
            return {name: _plain(array) for name, array in reader(artist).items()}
    raise TypeError(f"numbers cannot be read back from a {type(artist).__name__}")


def _plain(array: Any) -> np.ndarray:
    return np.ma.filled(np.ma.asarray(array, float), np.nan)


def _from_text(text: Any) -> dict[str, np.ndarray]:
    """Read the numbers in a text, and half a unit of the last digit of each as what was lost by rounding."""
    values, lost = [], []
    for whole, decimals, exponent, percent in _NUMBER.findall(text.get_text()):
        scale = 10.0 ** int((exponent or "0").replace("−", "-")) * (0.01 if percent else 1)
        values.append(float(whole.replace("−", "-")) * scale)
        lost.append(0.5 * 10.0 ** -len(decimals) * scale)
    return {"values": np.array(values), "lost": np.array(lost)}


def _from_bars(bars: Any) -> dict[str, np.ndarray]:
    boxes = np.array([(bar.get_x(), bar.get_y(), bar.get_width(), bar.get_height()) for bar in bars]).T
    if bars.orientation == "horizontal":
        return {"x": boxes[1] + boxes[3] / 2, "values": boxes[2]}
    return {"x": boxes[0] + boxes[2] / 2, "values": boxes[3]}


def _from_stairs(stairs: Any) -> dict[str, np.ndarray]:
    values, edges, baseline = stairs.get_data()
    return {"x": edges, "values": values - (0 if baseline is None else baseline)}


def _from_fill(fill: Any) -> dict[str, np.ndarray]:
    (path,) = fill.get_paths()
    points = (len(path.vertices) - 3) // 2
    lower, upper = path.vertices[1 : points + 1], path.vertices[points + 2 : 2 * points + 2][::-1]
    return {"x": lower[:, 0], "values": lower[:, 1], "upper": upper[:, 1]}


def _from_segments(lines: Any) -> dict[str, np.ndarray]:
    """Read segments, of which `upper` is the far end: at the top, or on the right if they lie flat."""
    segments = np.array(lines.get_segments())
    flat = np.all(segments[:, 0, 1] == segments[:, 1, 1])
    return {"x": segments[:, 0, 0], "values": segments[:, 0, 1], "upper": segments[:, 1, 0 if flat else 1]}


def wrong_numbers(figure: Any, paper: papers.Paper, numbers: Any) -> list[str]:
    """Find artists that show other numbers than those that they are marked with."""
    breaches = []
    for mark in paper.marks:
        seen = shown(mark.artist)
        for coordinate, reference in (("values", mark.values), ("x", mark.x), ("upper", mark.upper)):
            if reference is None:
                continue
            try:
                expected = np.asarray(papers.value(numbers, reference))
            except (KeyError, IndexError, ValueError) as error:
                breaches.append(f"{reference}: {error}")
                continue
            if difference := _difference(seen, coordinate, expected.astype(float)):
                breaches.append(f"{type(mark.artist).__name__} marked {reference} ({coordinate}) {difference}")
    return breaches


def _difference(seen: dict[str, np.ndarray], coordinate: str, expected: np.ndarray) -> str:
    if coordinate not in seen:
        return "has no such coordinate"
    found = seen[coordinate]
    if "lost" in seen:  # a text may go on to say other numbers
        found = found[: expected.size]
    if expected.ndim == 0 and found.size:  # a line at one height
        expected = np.broadcast_to(expected, found.shape)
    if found.size != expected.size:
        return f"shows {found.size} numbers in place of {expected.size}"
    found = found.reshape(expected.shape)
    rounding = 1e-12 * np.nanmax(np.abs(expected), initial=0)  # of adding a baseline and taking it off
    lost = seen["lost"][0] if "lost" in seen else 0.0
    if np.allclose(found, expected, rtol=TOLERANCE, atol=max(lost * (1 + TOLERANCE), rounding), equal_nan=True):
        return ""
    worst = np.unravel_index(np.nanargmax(np.abs(found - expected)), expected.shape) if expected.ndim else ()
    return f"shows {found[worst]} in place of {expected[worst]}"


def unmarked(figure: Any, paper: papers.Paper) -> list[str]:
    """Find artists that are neither marked with numbers nor declared to be guides."""
    known = {id(part) for mark in paper.marks for part in _parts(mark.artist)}
    known |= {id(part) for guide in paper.guides for part in _parts(guide)}
    return [
        f"a {type(artist).__name__} in {_name(axes)} is not marked"
        for axes in figure.axes
        for artist in (*axes.lines, *axes.collections, *axes.images, *axes.patches)
        if id(artist) not in known and artist.get_visible()
    ]


def _parts(artist: Any) -> Iterator[Any]:
    from matplotlib.container import Container

    yield artist
    if isinstance(artist, (Container, list, tuple)):
        for part in artist:
            yield from _parts(part)


def _name(axes: Any) -> str:
    return f"the axes {axes.get_title(loc='left') or axes.get_title() or axes.get_ylabel() or 'without a title'!r}"


def unshown(paper: papers.Paper, numbers: Any) -> list[str]:
    """Find fields of the numbers that no artist is marked with."""
    references = {ref for mark in paper.marks for ref in (mark.values, mark.x, mark.upper) if ref is not None}
    fields = {papers.field_of(reference) for reference in references}
    return [f"{name} is not shown" for name in numbers._fields if name not in fields]


# --- the text ------------------------------------------------------------------------------------------------------


def rendered(figure: Any, paper: papers.Paper) -> Rendered:
    """Render a figure and record every text that is drawn, with its box."""
    from matplotlib.text import Text

    texts, draw = {}, Text.draw

    def record(text: Any, renderer: Any, *arguments: Any, **options: Any) -> Any:
        if text.get_visible() and text.get_text().strip():
            texts[id(text)] = (text, text.get_window_extent(renderer))
        return draw(text, renderer, *arguments, **options)

    Text.draw, file = record, io.StringIO(newline="\n")
    try:
        with paper.style():
            paper.write(figure, file)
    finally:
        Text.draw = draw
    return Rendered(figure, paper, tuple(texts.values()), file.getvalue())


def overlapping_texts(page: Rendered) -> list[str]:
    """Find texts that lie over one another, or so near side by side that they read as one."""
    near = 2 * _PIXEL
    return [
        f"{one.get_text()!r} and {other.get_text()!r} overlap"
        for (one, box), (other, other_box) in itertools.combinations(page.texts, 2)
        if box.x0 - near < other_box.x1
        and other_box.x0 - near < box.x1
        and box.y0 < other_box.y1
        and other_box.y0 < box.y1
    ]


def cut_texts(page: Rendered) -> list[str]:
    """Find texts that do not lie wholly within the figure, or within what they are clipped to."""
    breaches = []
    for text, box in page.texts:
        frames = [page.figure.bbox]
        if text.get_clip_on() and text.get_clip_box() is not None:
            frames.append(text.get_clip_box())
        for frame in frames:
            outside = max(frame.x0 - box.x0, box.x1 - frame.x1, frame.y0 - box.y0, box.y1 - frame.y1)
            if outside > 0:
                breaches.append(f"{text.get_text()!r} is cut off by {outside / _PIXEL:.1f} px")
    return breaches


def small_texts(page: Rendered) -> list[str]:
    """Find texts smaller than may be."""
    return [
        f"{text.get_text()!r} is {text.get_fontsize() / _PIXEL:.1f} px high"
        for text, _ in page.texts
        if text.get_fontsize() < papers.points(papers.SMALLEST_TEXT_PIXELS) - 1e-9
    ]


def faint_texts(page: Rendered) -> list[str]:
    """Find texts that do not stand out enough from the page."""
    from matplotlib.colors import to_hex

    background = page.paper.background
    found = ((text, papers.contrast(to_hex(text.get_color()), background)) for text, _ in page.texts)
    return [
        f"{text.get_text()!r} has a contrast of {ratio:.1f}" for text, ratio in found if ratio < papers.LEAST_CONTRAST
    ]


def crossed_texts(page: Rendered) -> list[str]:
    """Find labels inside the axes that a line runs through."""
    inside = {id(text): axes for axes in page.figure.axes for text in _labels(axes)}
    breaches = []
    for text, box in page.texts:
        axes = inside.get(id(text))
        for line in axes.lines if axes else ():
            path = line.get_transform().transform_path(line.get_path()).cleaned(remove_nans=True)
            if line.get_visible() and path.intersects_bbox(box.padded(-_PIXEL), filled=False):
                breaches.append(f"a line marked {line.get_gid() or 'as a guide'} runs through {text.get_text()!r}")
    return breaches


def _labels(axes: Any) -> Iterator[Any]:
    yield from axes.texts
    if axes.get_legend():
        yield from axes.get_legend().get_texts()


def misplaced(page: Rendered, caption: str) -> list[str]:
    """Find panels that do not stand where the caption says: side by side on a wide page, stacked on a narrow one."""
    said = drawing.PLACE.findall(caption)
    if not said:
        return []
    boxes = [axes.get_position() for axes in page.figure.axes if axes.get_label() != "<colorbar>"]
    side_by_side = any(one.x1 <= other.x0 for one, other in itertools.permutations(boxes, 2))
    stacked = any(one.y1 <= other.y0 for one, other in itertools.permutations(boxes, 2))
    breaches = []
    if sorted(said) not in (sorted(drawing.PLACES), sorted(set(drawing.PLACES) - {"Middle"})):
        breaches.append(f"the caption names the places {', '.join(said)}")
    if (side_by_side, stacked) != (page.paper.wide, not page.paper.wide):
        breaches.append(f"the panels are not {'side by side' if page.paper.wide else 'stacked'}")
    return breaches
