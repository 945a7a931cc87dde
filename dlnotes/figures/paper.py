"""The paper that figures are drawn on: its sizes, type and colors, and the record of which numbers an artist shows.

A figure is drawn four times, wide and narrow, light and dark, each at its own size: the narrow form is not the wide one
made smaller, and text keeps its size. Nothing here computes a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

import numpy as np

from dlnotes.figures import palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

THEMES = tuple(palette.THEMES)
WIDE_PIXELS = 680
NARROW_PIXELS = 340  # a telephone 360 to 390 wide, less its margins
SMALLEST_TEXT_PIXELS = 11
LEAST_CONTRAST = 4.5  # of words with the page, as WCAG 2 asks at level AA
TEXT_PIXELS = 12
TITLE_PIXELS = 13
FONT = "Instrument Sans"  # as the site's labels; DejaVu Sans gives the few signs that it lacks
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", (0, (5, 1.6)), (0, (1.4, 1.4)), (0, (7, 1.6, 1.4, 1.6)), (0, (3, 1.4)), (0, (9, 2)))


def points(pixels: float) -> float:
    """Give the points (1/72 inch) that so many CSS pixels (1/96 inch) are."""
    return pixels * 0.75


_REFERENCE = re.compile(r"(\w+)(?:\[([^\]]*)\])?")


def field_of(reference: str) -> str:
    """Give the name of the field that a reference such as `loss[0, :, 1]` begins with."""
    parts = _REFERENCE.fullmatch(reference.strip())
    if not parts:
        raise KeyError(f"not a reference: {reference}")
    return parts[1]


def value(numbers: Any, reference: str) -> np.ndarray:
    """Look up what a reference such as `loss[0, :, 1]` names."""
    name = field_of(reference)
    if name not in numbers._fields:
        raise KeyError(f"no such number: {reference}")
    index = _REFERENCE.fullmatch(reference.strip())[2]
    array = getattr(numbers, name)
    return array[tuple(_part(part) for part in index.split(","))] if index else array


def _part(text: str) -> int | slice:
    bounds = [int(bound) if bound.strip() else None for bound in text.split(":")]
    return slice(*bounds) if ":" in text else bounds[0]


def moved_apart(places: Sequence[float], sizes: Sequence[float]) -> list[float]:
    """Move intervals, given by their middles and sizes, as little as needed that none overlap; their order is kept.

    Neighbors that overlap are joined to a block that stands where its members' mean place is; blocks join likewise.
    """
    order = sorted(range(len(places)), key=places.__getitem__)
    blocks = [([index], places[index], sizes[index]) for index in order]
    position = 0
    while position < len(blocks) - 1:
        (below, low, low_size), (above, high, high_size) = blocks[position : position + 2]
        if high - low >= (low_size + high_size) / 2 - 1e-12:
            position += 1
            continue
        members, size = below + above, low_size + high_size
        starts = [sum(sizes[one] for one in members[:rank]) + sizes[index] / 2 for rank, index in enumerate(members)]
        bottom = sum(places[index] - start for index, start in zip(members, starts, strict=True)) / len(members)
        blocks[position : position + 2] = [(members, bottom + size / 2, size)]
        position = max(position - 1, 0)
    result = list(places)
    for members, middle, size in blocks:
        edge = middle - size / 2
        for index in members:
            result[index] = edge + sizes[index] / 2
            edge += sizes[index]
    return result


def contrast(color: str, background: str) -> float:
    """Give the contrast of two colors as WCAG 2 defines it, from 1 to 21."""
    light, dark = sorted((_luminance(color), _luminance(background)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _parts(color: str) -> tuple[int, int, int]:
    """Read red, green and blue, from 0 to 255, out of "#rrggbb"."""
    return tuple(int(color[place : place + 2], 16) for place in (1, 3, 5))


def _luminance(color: str) -> float:
    parts = (part / 255 for part in _parts(color))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def legible(color: str, ink: str, background: str) -> str:
    """Mix as much ink into a color as words in it need to be read."""
    pairs = tuple(zip(_parts(color), _parts(ink), strict=True))
    mixtures = ("#" + "".join(f"{round(c + share * (i - c)):02x}" for c, i in pairs) for share in np.linspace(0, 1, 21))
    return next(mixture for mixture in mixtures if contrast(mixture, background) >= LEAST_CONTRAST)


# What both themes share, as settings of matplotlib.
STYLE = {
    "svg.hashsalt": "dlnotes",
    "svg.fonttype": "path",
    "font.family": [FONT, "DejaVu Sans"],
    "font.size": points(TEXT_PIXELS),
    "mathtext.fontset": "custom",
    "mathtext.rm": FONT,
    **{f"mathtext.{style}": FONT for style in ("it", "bf", "bfit", "cal", "sf", "tt")},
    "mathtext.fallback": "stixsans",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "axes.facecolor": "none",
    "axes.labelsize": points(TEXT_PIXELS),
    "axes.labelpad": 3,
    "axes.titlesize": points(TITLE_PIXELS),
    "axes.titlelocation": "left",
    "axes.titlepad": 6,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.linewidth": 0.6,
    "xtick.labelsize": points(TEXT_PIXELS),
    "ytick.labelsize": points(TEXT_PIXELS),
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "xtick.major.width": 0.7,
    "lines.linewidth": 1.6,
    "lines.markersize": 4,
    "lines.solid_capstyle": "round",
    "patch.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": points(TEXT_PIXELS),
    "legend.handlelength": 2.2,
    "legend.borderaxespad": 0.2,
}


class Mark(NamedTuple):
    """An artist and the references to the numbers that its coordinates are."""

    artist: Any
    values: str
    x: str | None
    upper: str | None


@dataclass(frozen=True, eq=False)
class Paper:
    """One of the four forms of a figure: what to draw with, and a record of what was drawn."""

    theme: str
    wide: bool
    marks: list[Mark] = field(default_factory=list)
    guides: list[Any] = field(default_factory=list)

    @property
    def palette(self) -> palette.Theme:
        """All the colors of the theme by name."""
        return palette.THEMES[self.theme]

    @property
    def ink(self) -> str:
        """The color of text and of what matters most."""
        return self.palette.ink

    @property
    def muted(self) -> str:
        """The color of text of second rank, of axes and of theory."""
        return self.palette.muted

    @property
    def grid(self) -> str:
        """The color of lines that carry no number."""
        return self.palette.grid

    @property
    def background(self) -> str:
        """The color of the page under the figure, which itself is transparent."""
        return self.palette.background

    @property
    def colors(self) -> tuple[str, ...]:
        """The colors of series, in the order in which they are told apart best."""
        return self.palette.colors

    @property
    def markers(self) -> tuple[str, ...]:
        """The markers of series, so that color is never the only sign."""
        return MARKERS

    @property
    def dashes(self) -> tuple[Any, ...]:
        """Styles of lines: whole, dashed, dotted, and more."""
        return DASHES

    @staticmethod
    def value(numbers: Any, reference: str) -> np.ndarray:
        """Look up what a reference names."""
        return value(numbers, reference)

    def word(self, color: str) -> str:
        """Give a color for words about what is drawn in `color`: the same, with ink where it is too faint."""
        return legible(color, self.ink, self.background)

    @property
    def pixels(self) -> int:
        """The width in CSS pixels."""
        return WIDE_PIXELS if self.wide else NARROW_PIXELS

    def figure(self, height: float) -> Figure:
        """Make an empty figure of that height in CSS pixels."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(self.pixels / 96, height / 96), dpi=72, layout="constrained")
        figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03, wspace=0.03, hspace=0.03)
        return figure

    def subplots(self, rows: int = 1, columns: int = 1, *, height: float, **options: Any) -> tuple[Figure, np.ndarray]:
        """Make a figure of that height in CSS pixels and its axes, always an array of (rows, columns)."""
        figure = self.figure(height)
        return figure, figure.subplots(rows, columns, squeeze=False, **options)

    def mark(self, artist: Any, values: str, *, x: str | None = None, upper: str | None = None) -> Any:
        """Record which numbers an artist shows, and give the artist back.

        Args:
            artist: a line, bars, stairs, points, an image or mesh, a fill, or a text that holds a number.
            values: reference to the vertical coordinates, lengths of bars, values of an image, lower edge of a fill or
                number in a text: a field of the numbers, with an index where only a part is shown, as `loss[0, :, 1]`.
            x: reference to the horizontal coordinates; the edges of stairs.
            upper: reference to the upper edge of a fill.
        """
        reference = values.replace(" ", "")
        times = sum(mark.values.replace(" ", "") == reference for mark in self.marks)
        name = f"{reference}~{times + 1}" if times else reference
        if hasattr(artist, "set_gid"):
            artist.set_gid(name)
        else:
            for position, bar in enumerate(artist):
                bar.set_gid(f"{name}.{position}")
        self.marks.append(Mark(artist, values, x, upper))
        return artist

    def guide(self, artist: Any) -> Any:
        """Record that an artist carries no number of the experiment, and give it back."""
        self.guides.append(artist)
        return artist

    def line(self, axes: Axes, numbers: Any, values: str, *, x: str, **style: Any) -> Any:
        """Draw the line of the numbers that the references name, and mark it."""
        (line,) = axes.plot(value(numbers, x), value(numbers, values), **style)
        return self.mark(line, values, x=x)

    def theory(self, axes: Axes, numbers: Any, values: str, *, x: str, **style: Any) -> Any:
        """Draw a prediction: a thin dashed line over what was measured."""
        style = {"color": self.ink, "linewidth": 1, "linestyle": DASHES[1], "zorder": 3, **style}
        return self.line(axes, numbers, values, x=x, **style)

    def band(self, axes: Axes, numbers: Any, lower: str, upper: str, *, x: str, **style: Any) -> Any:
        """Fill between the numbers that the references name, and mark the fill."""
        style = {"alpha": 0.22 if self.theme == "light" else 0.3, "linewidth": 0, **style}
        fill = axes.fill_between(value(numbers, x), value(numbers, lower), value(numbers, upper), **style)
        return self.mark(fill, lower, x=x, upper=upper)

    def label(
        self,
        axes: Axes,
        x: float,
        y: float,
        text: str,
        *,
        color: str = "",
        dx: float = 0,
        dy: float = 0,
        **options: Any,
    ) -> Any:
        """Write next to the point (x, y) of the data, moved by (dx, dy) CSS pixels."""
        style = {
            "ha": "left",
            "va": "center",
            "annotation_clip": False,
            "color": self.word(color or self.ink),
            "path_effects": self.halo(2),  # so that no grid line runs through the word
            **options,
        }
        return axes.annotate(text, (x, y), (points(dx), points(dy)), textcoords="offset points", **style)

    def end_labels(
        self, axes: Axes, x: float, ys: Sequence[float], texts: Sequence[str], colors: Sequence[str], dx: float = 9
    ) -> list[Any]:
        """Write one label to the right of each line's end, moved apart where they would overlap.

        Call it when the scale of the axes is set and everything is drawn.
        """
        height = axes.figure.get_size_inches()[1] * axes.get_position().height / 1.33 * 96  # less titles and ticks
        places = [axes.transAxes.inverted().transform(axes.transData.transform((x, y)))[1] for y in ys]
        sizes = [1.25 * TEXT_PIXELS * (text.count("\n") + 1) / height for text in texts]
        style = {"textcoords": "offset points", "ha": "left", "va": "center", "annotation_clip": False}
        return [
            axes.annotate(
                text, (x, place), (points(dx), 0), axes.get_xaxis_transform(), color=self.word(color), **style
            )
            for place, text, color in zip(moved_apart(places, sizes), texts, colors, strict=True)
        ]

    @property
    def ramp(self) -> Any:
        """The colors of a map, from nothing, which is nearly the page, to all."""
        from matplotlib.colors import LinearSegmentedColormap

        ends = [self.palette.surface, self.palette.sky, self.palette.blue]
        return LinearSegmentedColormap.from_list("ramp", ends if self.theme == "light" else [ends[0], ends[2], ends[1]])

    def halo(self, width: float) -> list[Any]:
        """Give what sets a line off from a map under it."""
        from matplotlib.patheffects import withStroke

        return [withStroke(linewidth=width, foreground=self.background)]

    def color_scale(
        self, figure: Figure, image: Any, axes: np.ndarray, title: str, ticks: Sequence[float], labels: Sequence[str]
    ) -> None:
        """Draw the scale of a map's colors to its right, or above where the paper is narrow."""
        place = {"location": "right", "aspect": 25} if self.wide else {"location": "top", "aspect": 40}
        bar = figure.colorbar(image, ax=axes, shrink=0.6, pad=0.02, ticks=ticks, **place)
        bar.set_ticklabels(labels)
        bar.outline.set_visible(False)
        bar.ax.tick_params(length=0)
        bar.set_label(title)
        self.guide([*bar.ax.collections, *bar.ax.patches, *bar.ax.lines])

    @contextmanager
    def style(self) -> Iterator[None]:
        """Draw under the style of this paper, whatever the reader's own settings of matplotlib."""
        import matplotlib

        _add_fonts()
        settings = {key: value for key, value in matplotlib.rcParamsDefault.items() if not key.startswith("backend")}
        with matplotlib.rc_context({**settings, **self._settings()}):
            yield

    def _settings(self) -> dict[str, Any]:
        from matplotlib import cycler

        return {
            **STYLE,
            "text.color": self.ink,
            "axes.edgecolor": self.muted,
            "axes.labelcolor": self.ink,
            "axes.prop_cycle": cycler(color=self.colors),
            "grid.color": self.grid,
            "xtick.color": self.muted,
            "ytick.color": self.muted,
            "xtick.labelcolor": self.ink,
            "ytick.labelcolor": self.ink,
        }

    def write(self, figure: Figure, file: TextIO) -> None:
        """Write a figure as SVG: the same figure gives the same text, in every process."""
        from matplotlib.backends.backend_svg import FigureCanvasSVG

        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        FigureCanvasSVG(figure).print_svg(file, metadata=nothing)


def _add_fonts() -> None:
    """Let matplotlib know the fonts that come with the book, once a process."""
    from matplotlib import font_manager

    known = {entry.fname for entry in font_manager.fontManager.ttflist}
    for path in sorted((Path(__file__).parent / "fonts").glob("*.ttf")):
        if str(path) not in known:
            font_manager.fontManager.addfont(path)
