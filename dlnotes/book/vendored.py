"""The fonts, kept in the repository so that a page asks no other host for anything.

`python -m dlnotes.book.vendored` packs the named versions with npm, writes the files under `docs/assets`, and writes
`docs/assets/vendored.json` with versions, licenses and hashes. A test holds files and hashes equal. The font of the
formulas is cut to the signs that a book of mathematics needs, a quarter of its size, which takes fontTools and brotli.
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
from typing import NamedTuple


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
# Letters, Greek, accents, arrows, operators, brackets; then the italic, bold, script and double-struck letters.
_SIGNS = (
    (0x20, 0x7E), (0xA0, 0xFF), (0x131, 0x131), (0x237, 0x237), (0x2C6, 0x2DD), (0x302, 0x308), (0x370, 0x3FF),
    (0x2010, 0x2034), (0x203E, 0x203E), (0x2061, 0x2064), (0x20D7, 0x20D7), (0x2102, 0x2135), (0x2190, 0x21D5),
    (0x2200, 0x22FF), (0x2308, 0x230B), (0x23DE, 0x23DF), (0x27E8, 0x27EB), (0x27F5, 0x27FA), (0x2A7D, 0x2A7E),
    (0x1D400, 0x1D467), (0x1D49C, 0x1D4CF), (0x1D538, 0x1D56B), (0x1D6A4, 0x1D6A5), (0x1D6E2, 0x1D71B),
    (0x1D7CE, 0x1D7D7),
)  # fmt: skip


def cut_to_signs(font: bytes) -> bytes:
    """Leave in a font what formulas need: their signs, and the table of measures that browsers set them by."""
    from fontTools import subset, ttLib  # in two steps of this script alone

    options = subset.Options(flavor="woff2", hinting=False, layout_features=["ssty", "flac", "dtls", "kern", "ccmp"])
    read = ttLib.TTFont(io.BytesIO(font))
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=[sign for first, last in _SIGNS for sign in range(first, last + 1)])
    cutter.subset(read)
    read.flavor, read.recalcTimestamp = "woff2", False
    written = io.BytesIO()
    read.save(written)
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
                    if target == MATH_FONT:
                        content = cut_to_signs(content)
                    found[target.format(Path(inner).name)] = content
    return found


def _pack(package: Package, folder: Path) -> Path:
    command = ["npm", "pack", "--silent", f"{package.name}@{package.version}", "--pack-destination", str(folder)]
    name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]
    return folder / name


def fetch(assets: Path) -> None:
    """Fetch every package, write its files under `assets`, and the list of them beside."""
    record = []
    for package in PACKAGES:
        with tempfile.TemporaryDirectory() as folder:
            contents = _members(package, _pack(package, Path(folder)))
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
