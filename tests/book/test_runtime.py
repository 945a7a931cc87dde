"""How Python for the pages is had: from one wheel, by its hashes, into a cache and into the site."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest

from dlnotes.book import layout, runtime

BOOK = layout.Layout(Path(__file__).resolve().parents[2])
CONTENT = {"core.mjs": b"the core", "numpy.whl": b"the arrays", "later.whl": b"the drawings"}
PARTS = {"core.mjs": "core", "numpy.whl": "numpy", "later.whl": "matplotlib"}


def entry(name: str, content: bytes) -> dict:
    return {"part": PARTS[name], "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


LOCKED = {
    "pyodide": "1.0",
    "source": {"distribution": "dlnotes-sample", "version": "0.1", "python": "3.12", "folder": "sample/python/"},
    "parts": [],
    "files": {name: entry(name, content) for name, content in CONTENT.items()},
}


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """Give a function that writes the wheel with some content, where pip looks and nowhere else."""
    links = tmp_path / "links"
    links.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")

    def write(content: dict[str, bytes]) -> Path:
        path = links / "dlnotes_sample-0.1-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in content.items():
                archive.writestr(f"sample/python/{name}", data)
            archive.writestr("sample/python/other.whl", b"not asked for")
            archive.writestr("dlnotes_sample-0.1.dist-info/METADATA", "Name: dlnotes-sample\nVersion: 0.1\n")
            archive.writestr("dlnotes_sample-0.1.dist-info/WHEEL", "Wheel-Version: 1.0\n")
            archive.writestr("dlnotes_sample-0.1.dist-info/RECORD", "")
        return path

    return write


def test_the_locked_files_alone_are_taken_and_kept(wheel):
    path = wheel(CONTENT)
    folder = runtime.fetched(LOCKED)
    assert {found.name: found.read_bytes() for found in folder.iterdir()} == CONTENT
    path.unlink()
    assert runtime.fetched(LOCKED) == folder  # from the cache


@pytest.fixture
def at_hand(wheel, monkeypatch):
    """Give the same function; pip, which is slow, is left out."""
    path = wheel(CONTENT)
    monkeypatch.setattr(runtime, "_downloaded", lambda origin, folder: path)
    return wheel


@pytest.mark.parametrize("damage", [b"the cOre", b"", None])
def test_what_is_damaged_or_missing_in_the_cache_is_fetched_again(at_hand, damage):
    broken = runtime.fetched(LOCKED) / "core.mjs"
    broken.unlink() if damage is None else broken.write_bytes(damage)
    runtime.fetched(LOCKED)
    assert broken.read_bytes() == CONTENT["core.mjs"]


def test_a_file_with_another_sum_is_refused_and_not_kept(at_hand):
    at_hand({**CONTENT, "numpy.whl": b"something else"})
    with pytest.raises(runtime.RuntimeMissing, match=r"numpy\.whl of .* has the SHA-256 sum"):
        runtime.fetched(LOCKED)
    assert not (runtime.cache_folder("1.0") / "numpy.whl").exists()


def test_a_wheel_that_lacks_a_file_is_refused(at_hand):
    at_hand({"core.mjs": CONTENT["core.mjs"]})
    with pytest.raises(runtime.RuntimeMissing, match=r"has no numpy\.whl"):
        runtime.fetched(LOCKED)


def test_without_the_wheel_the_error_names_the_way_out(wheel):
    with pytest.raises(runtime.RuntimeMissing, match="RUN=0 builds the site without"):
        runtime.fetched(LOCKED)


@pytest.mark.parametrize(("value", "wanted"), [(None, True), ("1", True), ("0", False)])
def test_python_is_wanted_unless_it_is_refused(monkeypatch, value, wanted):
    monkeypatch.delenv("RUN", raising=False)
    if value is not None:
        monkeypatch.setenv("RUN", value)
    assert runtime.wanted() is wanted


def test_the_lock_names_each_part_its_license_and_no_registry():
    locked = runtime.lock()
    parts = {part["part"] for part in locked["parts"]}
    assert set(runtime.SERVED) <= parts == {found["part"] for found in locked["files"].values()}
    for part in locked["parts"]:
        assert part["license"]
        assert part["source"].startswith("https://github.com/")
        if part["part"] in runtime.SERVED:
            assert f"{part['name']}: {part['license']}" in runtime.licenses(locked)
    assert all(len(found["sha256"]) == 64 and found["size"] > 0 for found in locked["files"].values())
    assert "http" not in json.dumps(locked["source"])


def test_the_package_for_the_pages_is_small_the_same_each_time_and_runs_alone(tmp_path):
    first, second = tmp_path / "a.zip", tmp_path / "b.zip"
    runtime.write_package(first, BOOK)
    runtime.write_package(second, BOOK)
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size < 500_000
    names = zipfile.ZipFile(first).namelist()
    assert not [name for name in names if name.startswith(("dlnotes/torch", "dlnotes/__main__"))]
    assert {"dlnotes/data/digits.npz", "dlnotes/exercises/objective.py", "dlnotes/book/in_page.py"} <= set(names)
    with zipfile.ZipFile(first) as archive:
        archive.extractall(tmp_path / "alone")
    code = f"""
        import importlib, json, pathlib, sys
        sys.path.insert(0, {str(tmp_path / "alone")!r})
        for name in {[name for name in names if name.endswith(".py") and "figures" not in name]!r}:
            importlib.import_module(name.removesuffix(".py").replace("/", ".").removesuffix(".__init__"))
        from dlnotes import datasets
        from dlnotes.book import in_page
        assert in_page.__file__.startswith({str(tmp_path)!r})
        assert len(datasets.digits().inputs) == 1797
        print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})))
    """
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert not {"torch", "jaxtyping", "matplotlib"}.intersection(json.loads(ran.stdout))
