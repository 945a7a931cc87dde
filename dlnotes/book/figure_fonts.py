"""The font of the figures, kept in the package so that figures come out alike on every machine.

`python -m dlnotes.book.figure_fonts` packs the named version with npm, takes it out of its compressed form (matplotlib
reads TrueType alone) and writes it under `dlnotes/figures/fonts`. A test holds files and hashes equal.
"""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "@fontsource/instrument-sans@5.3.0"  # OFL-1.1, The Instrument Sans Project Authors
FOLDER = Path(__file__).parents[1] / "figures" / "fonts"
MEMBERS = {
    "package/files/instrument-sans-latin-400-normal.woff": "instrument-sans-regular.ttf",
    "package/LICENSE": "instrument-sans.LICENSE.txt",
}
SHA256 = {
    "instrument-sans-regular.ttf": "07c55ce3a388ea5c476622f0aa7d2ea09542d6123436a66638f9e96bafda4195",
    "instrument-sans.LICENSE.txt": "c27a3c53c3beed7f5c26853afa15991478ff7145d3754a36b0382f84e10c0d03",
}


def fetch(folder: Path = FOLDER) -> None:
    """Fetch the font and write its files to the folder."""
    from fontTools.ttLib import TTFont

    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        command = ["npm", "pack", "--silent", PACKAGE, "--pack-destination", scratch]
        name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]
        with tarfile.open(Path(scratch) / name) as archive:
            for member, target in MEMBERS.items():
                content = archive.extractfile(member)
                if target.endswith(".ttf"):
                    font = TTFont(content, recalcTimestamp=False)
                    font.flavor = None
                    font.save(folder / target)
                else:
                    (folder / target).write_bytes(content.read())


if __name__ == "__main__":
    fetch()
