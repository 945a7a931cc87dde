"""The wheel on the site: what is in it, that it is the same each time, and that it is built again only if need be."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from dlnotes.book import layout, wheel

BOOK = layout.find(Path(__file__))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return wheel.build(BOOK, tmp_path_factory.mktemp("wheel"))


def test_it_holds_the_package_whole_and_its_licenses(built):
    assert built.name == wheel.NAME
    with zipfile.ZipFile(built) as file:
        held = set(file.namelist())
    package = {
        path.relative_to(BOOK.root).as_posix()
        for path in BOOK.package.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert {name for name in held if name.startswith("dlnotes/")} == package
    information = {Path(name).name for name in held - package}
    assert {"METADATA", "WHEEL", "RECORD", "LICENSE", "CC-BY-4.0.txt"} <= information


def test_it_is_the_same_each_time_and_leaves_nothing_behind(built, tmp_path):
    before = {path.name for path in BOOK.root.iterdir()}
    assert wheel.build(BOOK, tmp_path).read_bytes() == built.read_bytes()
    assert {path.name for path in BOOK.root.iterdir()} == before


def test_it_is_small(built):
    assert built.stat().st_size < 1_500_000


@pytest.fixture
def book(tmp_path):
    """A package of one module, with what a wheel of ours needs."""
    for name in ("README.md", "LICENSE"):
        shutil.copyfile(BOOK.root / name, tmp_path / name)
    text = (BOOK.root / "pyproject.toml").read_text("utf-8").replace('"LICENSES/*"', "")
    (tmp_path / "pyproject.toml").write_text(text, "utf-8")
    (tmp_path / "dlnotes").mkdir()
    shutil.copyfile(BOOK.package / "__init__.py", tmp_path / "dlnotes" / "__init__.py")
    (tmp_path / "mkdocs.yml").write_text("nav: []\n")
    return layout.Layout(tmp_path)


def test_it_is_built_again_when_something_in_it_has_changed(book, tmp_path, monkeypatch):
    first = wheel.publish(book, tmp_path / "site").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(wheel, "build", lambda *_: pytest.fail("built again"))
        assert wheel.publish(book, tmp_path / "other").read_bytes() == first
    (book.package / "more.py").write_text("x = 1\n")
    assert wheel.publish(book, tmp_path / "site").read_bytes() != first
    assert len(list((book.cache / "wheel").iterdir())) == 1


def test_a_package_that_cannot_be_built_is_told(book, tmp_path):
    (book.root / "pyproject.toml").write_text("[project]\n", "utf-8")
    with pytest.raises(wheel.WheelError, match="cannot be built"):
        wheel.build(book, tmp_path / "made")


def test_without_setuptools_it_is_named(tmp_path):
    code = (
        "import importlib.util, pathlib\nfrom dlnotes.book import layout, wheel\n"
        "importlib.util.find_spec = lambda name: None\n"
        "try:\n    wheel.build(layout.find(), pathlib.Path('made'))\n"
        "except ModuleNotFoundError as error:\n    print(error.name)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == "setuptools\n", done.stderr
