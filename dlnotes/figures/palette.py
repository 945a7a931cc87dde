"""The colors of the book, one set for light and one for dark, shared by the pages and the figures.

The style sheet of the site holds the same values as custom properties (`--dl-blue`), and a test holds the two equal.
The six colors start from Okabe and Ito's, moved so that each stands out from its background (a contrast of at least 3,
and 4.5 for the first three, in which words are written) and so that any two stay apart under simulated red, green and
blue blindness. Color is never the only sign all the same: figures label their lines, verdicts carry an icon and a word.
"""

from __future__ import annotations

from typing import NamedTuple


class Theme(NamedTuple):
    """The colors of one theme, as hexadecimal strings."""

    background: str  # the page
    surface: str  # code, panels
    ink: str  # text, axes of the main line
    muted: str  # labels, secondary text
    grid: str  # grid lines and hairlines
    blue: str
    orange: str
    green: str
    purple: str
    amber: str
    sky: str

    @property
    def colors(self) -> tuple[str, ...]:
        """The colors of lines, in the order in which a figure takes them."""
        return (self.blue, self.orange, self.green, self.purple, self.amber, self.sky)


LIGHT = Theme(
    background="#fcfbf8",
    surface="#f4f2ec",
    ink="#1d2127",
    muted="#59606b",
    grid="#dbd7cc",
    blue="#124a87",
    orange="#a83a0a",
    green="#12794f",
    purple="#a5678f",
    amber="#bb7a12",
    sky="#3293d4",
)

DARK = Theme(
    background="#171b21",
    surface="#1f242c",
    ink="#d9dee5",
    muted="#9da7b4",
    grid="#363e49",
    blue="#5b93d8",
    orange="#e5733c",
    green="#5be3b4",
    purple="#c585a8",
    amber="#ead566",
    sky="#a9d6f5",
)

THEMES = {"light": LIGHT, "dark": DARK}
