"""Fonts and KaTeX's style sheet, kept in the repository so that a page asks no other host for anything.

`python -m dlnotes.book.vendored` packs the named versions with npm, writes the files under `docs/assets`, and writes
`docs/assets/vendored.json` with versions, licenses and hashes. A test holds files and hashes equal.
"""

from __future__ import annotations

import hashlib
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


PACKAGES = (
    _font("source-serif-4", "5.3.1", "Adobe", italic=True),
    _font("instrument-sans", "5.3.0", "The Instrument Sans Project Authors"),
    _font("jetbrains-mono", "5.3.0", "The JetBrains Mono Project Authors"),
    Package(
        "katex",
        "0.19.1",
        "MIT, Khan Academy and other contributors",
        "katex",
        {r"dist/katex-swap\.min\.css": "katex.min.css", r"dist/fonts/.*\.woff2": "fonts/{}", "LICENSE": "LICENSE.txt"},
    ),
)


def woff2_only(css: str) -> str:
    """Leave the woff2 form of each font in KaTeX's style sheet; every browser that runs the site reads it."""
    return re.sub(r',url\([^)]*\.(?:woff|ttf)\) format\("(?:woff|truetype)"\)', "", css)


def _members(package: Package, archive: Path) -> dict[str, bytes]:
    """Read the package's files that the site serves: name under its folder -> content."""
    found = {}
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            inner = member.name.removeprefix("package/")
            for pattern, target in package.files.items():
                if member.isfile() and re.fullmatch(pattern, inner):
                    content = tar.extractfile(member).read()
                    if inner.endswith(".css"):
                        content = woff2_only(content.decode()).encode()
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
