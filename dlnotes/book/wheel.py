"""The package as a wheel, so that a notebook can install it from the site without a registry."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import dlnotes
from dlnotes.book import layout as layouts

FOLDER = "wheel"  # of the site
NAME = f"dlnotes_book-{dlnotes.__version__}-py3-none-any.whl"
_FILES = ("pyproject.toml", "README.md", "LICENSE", "LICENSES", "dlnotes")
_BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
_EPOCH = "315532800"  # the first second that a zip file can name: the same files give the same bytes


class WheelError(Exception):
    """The wheel cannot be built."""


def address(layout: layouts.Layout) -> str:
    """Give the address of the wheel on the site; empty where the site has none."""
    return f"{layout.site_url.rstrip('/')}/{FOLDER}/{NAME}" if layout.site_url else ""


def publish(layout: layouts.Layout, site: Path) -> Path:
    """Put the wheel into the folder of the site: the one kept, if nothing that goes into it has changed."""
    kept = layout.cache / "wheel" / _key(layout) / NAME
    if not kept.is_file():
        shutil.rmtree(layout.cache / "wheel", ignore_errors=True)
        build(layout, kept.parent)
    target = site / FOLDER / NAME
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(kept, target)
    return target


def build(layout: layouts.Layout, folder: Path) -> Path:
    """Build the wheel into a folder, from a copy, so that nothing of an earlier build gets in and none is left behind.

    Raises:
        WheelError: If it cannot be built.
    """
    if importlib.util.find_spec("setuptools") is None:
        raise ModuleNotFoundError("the wheel is built by setuptools", name="setuptools")
    with tempfile.TemporaryDirectory() as scratch:
        copy, made = Path(scratch, "copy"), Path(scratch, "made")
        made.mkdir()
        for path in _sources(layout):
            target = copy / path.relative_to(layout.root)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        done = subprocess.run(
            [sys.executable, "-c", _BUILD, str(made)],
            cwd=copy,
            env={**os.environ, "SOURCE_DATE_EPOCH": _EPOCH},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or not (made / NAME).is_file():
            raise WheelError(f"{NAME} cannot be built: {(done.stderr or done.stdout).strip()[-2000:]}")
        folder.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copyfile(made / NAME, folder / NAME))


def _sources(layout: layouts.Layout) -> list[Path]:
    """List what goes into the wheel."""
    found: list[Path] = []
    for path in (layout.root / name for name in _FILES):
        inside = path.rglob("*") if path.is_dir() else [path]
        found += [part for part in inside if part.is_file() and part.parent.name != "__pycache__"]
    return sorted(found)


def _key(layout: layouts.Layout) -> str:
    digest = hashlib.sha256(NAME.encode())
    for path in _sources(layout):
        digest.update(layout.relative(path).encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]
