"""Fonts and the editor, kept in the repository so that a page asks no other host for anything.

`python -m dlnotes.book.vendored` packs the named versions with npm, writes the files under `docs/assets`, and writes
`docs/assets/vendored.json` with versions, licenses and hashes. A test holds files and hashes equal. A reader on a slow
line waits for the fonts, so they are cut to the weights that the style sheets name and, for formulas, to the signs that
a book of mathematics needs: two thirds of their size. That takes fontTools and brotli.
Of the editor's packages and `dlnotes/book/editor/editor.js` esbuild makes one file; the same versions give the same
bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any, NamedTuple


class Package(NamedTuple):
    """One npm package and the files of it that the site serves."""

    name: str
    version: str
    license: str
    folder: str  # under docs/assets
    files: dict[str, str]  # pattern of a member's name -> name under the folder, {} for the member's own name


def _font(name: str, version: str, license_holder: str, italic: bool = False) -> Package:
    files = {f"files/{name}-latin-wght-normal.woff2": f"{name}.woff2", "LICENSE": f"{name}.LICENSE.txt"}
    if italic:
        files[f"files/{name}-latin-wght-italic.woff2"] = f"{name}-italic.woff2"
    return Package(f"@fontsource-variable/{name}", version, f"OFL-1.1, {license_holder}", "fonts", files)


MATH_FONT = "stix-two-math.woff2"
PACKAGES = (
    _font("source-serif-4", "5.3.1", "Adobe", italic=True),
    _font("instrument-sans", "5.3.0", "The Instrument Sans Project Authors"),
    _font("jetbrains-mono", "5.3.0", "The JetBrains Mono Project Authors"),
    Package(
        "@fontsource/stix-two-math",
        "5.3.0",
        "OFL-1.1, The STIX Fonts Project Authors",
        "fonts",
        {"files/stix-two-math-latin-400-normal.woff2": MATH_FONT, "LICENSE": "stix-two-math.LICENSE.txt"},
    ),
)
# Everything that goes into the editor is named, what its packages ask for too: no version is left to the day.
EDITOR = Package("CodeMirror", "6 (@codemirror/view 6.43.15)", "MIT, Marijn Haverbeke and others", "editor", {})
EDITOR_PACKAGES = {
    "@codemirror/autocomplete": "6.20.4",
    "@codemirror/commands": "6.11.1",
    "@codemirror/lang-python": "6.2.1",
    "@codemirror/language": "6.13.1",
    "@codemirror/state": "6.7.6",
    "@codemirror/streamparser": "6.0.0",
    "@codemirror/view": "6.43.15",
    "@lezer/common": "1.5.5",
    "@lezer/highlight": "1.2.5",
    "@lezer/lr": "1.4.12",
    "@lezer/python": "1.1.19",
    "@marijn/find-cluster-break": "1.0.4",
    "crelt": "1.0.7",
    "style-mod": "4.1.5",
    "w3c-keyname": "2.2.8",
}
ESBUILD = "0.28.2"
# Letters, accents, Greek, spaces, arrows, operators, brackets; then bold, italic, script and double-struck letters.
SIGNS = (
    (0x20, 0x7E), (0xA0, 0xB7), (0xD7, 0xD7), (0xF7, 0xF7), (0x131, 0x131), (0x237, 0x237), (0x2C6, 0x2DD),
    (0x302, 0x308), (0x391, 0x3C9), (0x3D1, 0x3D6), (0x3F0, 0x3F5), (0x2002, 0x200B), (0x2010, 0x2034),
    (0x2061, 0x2064), (0x20D7, 0x20D7), (0x2102, 0x2102), (0x210B, 0x2134), (0x2190, 0x2195), (0x21A6, 0x21A6),
    (0x21D0, 0x21D5),
    (0x2200, 0x2209), (0x220B, 0x221A), (0x221D, 0x221E), (0x2223, 0x222E), (0x223C, 0x223C), (0x2243, 0x2248),
    (0x2254, 0x2254), (0x2260, 0x2265), (0x226A, 0x226B), (0x2282, 0x2287), (0x2295, 0x2299), (0x22A4, 0x22A5),
    (0x22C0, 0x22C6), (0x22EE, 0x22F1), (0x2308, 0x230B), (0x23DE, 0x23DF), (0x25A1, 0x25A1), (0x27E8, 0x27E9),
    (0x27F5, 0x27FA), (0x1D400, 0x1D467), (0x1D49C, 0x1D4B5), (0x1D538, 0x1D550), (0x1D6A4, 0x1D6A5),
    (0x1D6E2, 0x1D71B), (0x1D7CE, 0x1D7D7),
)  # fmt: skip
WEIGHTS = (400, 700)  # the lightest and the boldest that the style sheets name
# What fonts do with letters beyond showing them: put accents right, kern, join letters, line up digits. Code joins
# none.
_TEXT_FEATURES = ["ccmp", "kern", "liga", "locl", "mark", "mkmk", "tnum"]
_CODE_FEATURES = ["ccmp", "locl", "mark"]
_MATH_FEATURES = ["ccmp", "ssty"]


def cut(name: str, font: bytes) -> bytes:
    """Leave in a font what the pages use of it."""
    from fontTools import subset, ttLib  # in two steps of this script alone
    from fontTools.varLib import instancer

    math = name == MATH_FONT
    read = ttLib.TTFont(io.BytesIO(font))
    if not math:
        axis = next(axis for axis in read["fvar"].axes if axis.axisTag == "wght")
        if (axis.minValue, axis.maxValue) != WEIGHTS:
            instancer.instantiateVariableFont(read, {"wght": (WEIGHTS[0], axis.defaultValue, WEIGHTS[1])}, inplace=True)
            read = ttLib.TTFont(io.BytesIO(_written(read)))
    features = _MATH_FEATURES if math else _CODE_FEATURES if "mono" in name else _TEXT_FEATURES
    cutter = subset.Subsetter(subset.Options(hinting=False, layout_features=features, glyph_names=False))
    signs = [sign for first, last in SIGNS for sign in range(first, last + 1)]
    cutter.populate(unicodes=signs if math else list(read.getBestCmap()))
    cutter.subset(read)
    return _written(read)


def _written(font: Any) -> bytes:
    font.flavor, font.recalcTimestamp = "woff2", False
    written = io.BytesIO()
    font.save(written)
    return written.getvalue()


def _members(package: Package, archive: Path) -> dict[str, bytes]:
    """Read the package's files that the site serves: name under its folder -> content."""
    found = {}
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            inner = member.name.removeprefix("package/")
            for pattern, target in package.files.items():
                if member.isfile() and re.fullmatch(pattern, inner):
                    content = tar.extractfile(member).read()
                    if target.endswith(".woff2"):
                        content = cut(target, content)
                    found[target.format(Path(inner).name)] = content
    return found


def _pack(package: Package, folder: Path) -> Path:
    command = ["npm", "pack", "--silent", f"{package.name}@{package.version}", "--pack-destination", str(folder)]
    name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]
    return folder / name


def _edited(folder: Path) -> dict[str, bytes]:
    """Make the editor's one file, and the licenses of all that is in it."""
    names = [f"{name}@{version}" for name, version in EDITOR_PACKAGES.items()]
    install = ["npm", "install", "--silent", "--no-package-lock", "--prefix", str(folder), f"esbuild@{ESBUILD}", *names]
    subprocess.run(install, check=True)
    entry = folder / "editor.js"
    entry.write_bytes(Path(__file__).with_name("editor").joinpath("editor.js").read_bytes())
    modules = folder / "node_modules"
    how = ["--bundle", "--minify", "--format=esm", "--target=es2022", "--legal-comments=none", "--outfile=made.js"]
    subprocess.run([modules / ".bin" / "esbuild", entry.name, *how], check=True, cwd=folder, capture_output=True)
    licenses = [f"{name}\n\n{(modules / name / 'LICENSE').read_text('utf-8').strip()}\n" for name in EDITOR_PACKAGES]
    return {"editor.js": (folder / "made.js").read_bytes(), "LICENSE.txt": f"\n{'-' * 72}\n\n".join(licenses).encode()}


def fetch(assets: Path) -> None:
    """Fetch every package, write its files under `assets`, and the list of them beside."""
    record = []
    for package in (*PACKAGES, EDITOR):
        with tempfile.TemporaryDirectory() as folder:
            at = Path(folder)
            contents = _edited(at) if package is EDITOR else _members(package, _pack(package, at))
        hashes = {}
        for name, content in sorted(contents.items()):
            path = assets / package.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            hashes[f"{package.folder}/{name}"] = hashlib.sha256(content).hexdigest()
        head = {"name": package.name, "version": package.version, "license": package.license}
        record.append({**head, "sha256": hashes})
    (assets / "vendored.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    fetch(Path(__file__).parents[2] / "docs" / "assets")
