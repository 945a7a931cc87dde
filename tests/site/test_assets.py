"""What is served: fonts and style sheets as fetched, one palette for pages and figures, nothing from elsewhere."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import re

import numpy as np
import pytest

from dlnotes.book import vendored
from dlnotes.figures import palette
from tests.site.conftest import ROOT

ASSETS = ROOT / "docs" / "assets"
RECORD = json.loads((ASSETS / "vendored.json").read_text("utf-8"))


# --- vendored files


def test_vendored_files_are_those_that_were_fetched():
    listed = {name: digest for package in RECORD for name, digest in package["sha256"].items()}
    for name, digest in listed.items():
        assert hashlib.sha256((ASSETS / name).read_bytes()).hexdigest() == digest, name
    folders = (ASSETS / "fonts", ASSETS / "editor")
    found = {path.relative_to(ASSETS).as_posix() for folder in folders for path in folder.rglob("*.*")}
    assert found == set(listed)


def test_the_record_names_the_packages_of_the_script():
    assert [(entry["name"], entry["version"], entry["license"]) for entry in RECORD] == [
        (package.name, package.version, package.license) for package in (*vendored.PACKAGES, vendored.EDITOR)
    ]


def test_the_editor_is_small():
    assert len(gzip.compress((ASSETS / "editor" / "editor.js").read_bytes(), 9)) <= 150_000


def test_each_vendored_package_brings_its_license():
    for package in RECORD:
        assert any("LICENSE" in name for name in package["sha256"]), package["name"]


def test_the_font_of_formulas_has_the_measures_that_browsers_set_them_by():
    data = (ASSETS / "fonts" / vendored.MATH_FONT).read_bytes()
    assert data[:4] == b"wOF2"
    tables = _tables_of_woff2(data)
    assert {"MATH", "GSUB", "cmap"} <= tables


def _tables_of_woff2(data: bytes) -> set[str]:
    """Read the names of a font's tables from its head, which is not compressed."""
    known = [
        "cmap", "head", "hhea", "hmtx", "maxp", "name", "OS/2", "post", "cvt ", "fpgm", "glyf",
        "loca", "prep", "CFF ", "VORG", "EBDT", "EBLC", "gasp", "hdmx", "kern", "LTSH", "PCLT",
        "VDMX", "vhea", "vmtx", "BASE", "GDEF", "GPOS", "GSUB", "EBSC", "JSTF", "MATH",
    ]  # fmt: skip
    at, found = 48, set()
    for _ in range(int.from_bytes(data[12:14], "big")):
        flags, at = data[at], at + 1
        index = flags & 63
        if index == 63:
            name, at = data[at : at + 4].decode(), at + 4
        else:
            name = known[index] if index < len(known) else ""
        lengths = (
            2 if (name in ("glyf", "loca")) != bool(flags >> 6) or (name not in ("glyf", "loca") and flags >> 6) else 1
        )
        for _ in range(lengths):
            while data[at] & 128:
                at += 1
            at += 1
        found.add(name)
    return found


@pytest.mark.parametrize("path", sorted(ASSETS.rglob("*.css")), ids=lambda path: path.name)
def test_style_sheets_ask_nothing_of_another_host(path):
    css = path.read_text("utf-8")
    assert "@import" not in css
    for target in re.findall(r"url\(\"?([^)\"]+)\"?\)", css):
        assert (path.parent / target).is_file(), target


# --- palette


def custom_properties(scheme: str, name: str = "palette.css") -> dict[str, str]:
    css = (ASSETS / "css" / name).read_text("utf-8")
    block = re.search(rf"\[data-md-color-scheme{scheme}\] {{(.*?)}}", css, re.DOTALL)[1]
    return dict(re.findall(r"--dl-(\w+): (#[0-9a-f]{6});", block))


@pytest.mark.parametrize(("theme", "scheme"), [("light", '="default"'), ("dark", '="slate"')])
def test_pages_and_figures_share_their_colors(theme, scheme):
    stated = custom_properties(scheme)
    expected = palette.THEMES[theme]._asdict()
    assert {name: stated[name] for name in expected} == expected


def test_print_takes_the_colors_of_light():
    css = (ASSETS / "css" / "print.css").read_text("utf-8")
    stated = dict(re.findall(r"--dl-(\w+): (#[0-9a-f]{6});", css))
    light = palette.LIGHT._asdict()
    same = [name for name in light if name not in ("background", "surface")]
    assert {name: stated[name] for name in same} == {name: light[name] for name in same}


def linear(color: str):
    values = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(first: str, second: str) -> float:
    low, high = sorted(float(linear(color) @ [0.2126, 0.7152, 0.0722]) for color in (first, second))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", palette.THEMES.values(), ids=palette.THEMES)
def test_colors_stand_out_from_the_page(theme):
    for background in (theme.background, theme.surface):
        for color in (theme.ink, theme.muted, theme.blue, theme.orange, theme.green):
            assert contrast(color, background) >= 4.5, color
    for color in theme.colors:
        assert contrast(color, theme.background) >= 3, color


# Machado, Oliveira and Fernandes (2009), full severity, on linear RGB.
BLINDNESS = {
    "none": np.eye(3),
    "red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def lab(rgb):
    """CIE L*a*b* of linear RGB under D65."""
    xyz = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    )
    scaled = xyz @ np.clip(rgb, 0, 1) / [0.95047, 1, 1.08883]
    f = np.where(scaled > 0.008856, np.cbrt(scaled), 7.787 * scaled + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("theme", palette.THEMES.values(), ids=palette.THEMES)
@pytest.mark.parametrize("kind", BLINDNESS)
def test_colors_stay_apart_for_the_color_blind(theme, kind):
    seen = [lab(np.array(BLINDNESS[kind]) @ linear(color)) for color in theme.colors]
    apart = min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(seen, 2))
    assert apart >= 15  # a difference of 2.3 is just to be seen


def test_the_colors_of_okabe_and_ito_alone_would_not_do():
    orange, yellow = "#e69f00", "#f0e442"
    assert contrast(yellow, palette.LIGHT.background) < 3
    assert contrast(orange, palette.LIGHT.background) < 3
