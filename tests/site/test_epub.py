"""The book for e-readers, made of the built site: its parts, its links, and whether all of the book is in it.

epubcheck, which is a Java program, is run by hand: CONTRIBUTING says how.
"""

from __future__ import annotations

import collections
import posixpath
import zipfile
from xml.etree import ElementTree

import pytest

from dlnotes.book import bound, epub, layout
from tests.site import bound_pages
from tests.site.conftest import ROOT

BOOK = layout.Layout(ROOT)
CHAPTERS = [path for stem in BOOK.stems for path in BOOK.chapter_pages(stem)]
XHTML, MATHML = "{http://www.w3.org/1999/xhtml}", "{http://www.w3.org/1998/Math/MathML}"
OPF = "{http://www.idpf.org/2007/opf}"
TYPE = "{http://www.idpf.org/2007/ops}type"


class Epub:
    """A book that was read: its files, and those that are pages as trees."""

    def __init__(self, path):
        with zipfile.ZipFile(path) as archive:
            self.entries = archive.infolist()
            self.files = {entry.filename.removeprefix("EPUB/"): archive.read(entry) for entry in self.entries}
        self.package = ElementTree.fromstring(self.files["package.opf"])
        self.pages = {name: ElementTree.fromstring(self.files[name]) for name in self.files if name.endswith(".xhtml")}
        self.items = {item.get("href"): item for item in self.package.iter(f"{OPF}item")}

    def page(self, path):
        """Give the tree of a page of the book, the source of which lies at `path`."""
        name = path.relative_to(BOOK.docs).as_posix()
        return self.pages[f"{bound.Page(name, '', 0, None).key}.xhtml"]


@pytest.fixture(scope="module")
def book(site, tmp_path_factory):
    path = tmp_path_factory.mktemp("epub") / "dlnotes.epub"
    epub.write(BOOK, site, path)
    assert path.stat().st_size < 30e6
    return Epub(path)


def test_the_first_entry_says_what_the_file_is(book):
    first = book.entries[0]
    assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)
    assert book.files["mimetype"] == b"application/epub+zip"
    assert b'full-path="EPUB/package.opf"' in book.files["META-INF/container.xml"]


def test_the_manifest_lists_every_file_once(book):
    assert set(book.items) == book.files.keys() - {"mimetype", "META-INF/container.xml", "package.opf"}
    assert len(book.items) == len(list(book.package.iter(f"{OPF}item")))
    identifiers = [item.get("id") for item in book.items.values()]
    assert len(set(identifiers)) == len(identifiers)
    properties = collections.Counter(item.get("properties") for item in book.items.values())
    assert properties["nav"] == properties["cover-image"] == 1


def test_the_manifest_says_which_pages_hold_formulas(book):
    for name, tree in book.pages.items():
        said = (book.items[name].get("properties") or "").split()
        assert ("mathml" in said) == any(True for _ in tree.iter(f"{MATHML}math")), name


def test_every_link_and_image_lands_and_ids_stand_once(book):
    ids = {}
    for name, tree in book.pages.items():
        found = [node.get("id") for node in tree.iter() if node.get("id")]
        assert [name for name, count in collections.Counter(found).items() if count > 1] == [], name
        ids[name] = set(found)
    broken = []
    for name, tree in book.pages.items():
        for node in tree.iter():
            link = node.get("href") or node.get("src")
            if link is None or link.startswith(("https://", "http://")):
                continue
            file, _, anchor = link.partition("#")
            target = posixpath.normpath(file) if file else name
            if target not in book.files or (anchor and anchor not in ids[target]):
                broken.append((name, link))
    assert broken == []


def test_the_pages_stand_in_the_order_of_the_nav(book):
    order = [item.get("idref") for item in book.package.iter(f"{OPF}itemref")]
    names = {item.get("id"): name for name, item in book.items.items()}
    spine = [names[word] for word in order]
    assert spine[:2] == ["title.xhtml", "nav.xhtml"]
    assert set(spine) == set(book.pages)
    contents = next(node for node in book.pages["nav.xhtml"].iter(f"{XHTML}nav") if node.get(TYPE) == "toc")
    assert [node.get("href") for node in contents.iter(f"{XHTML}a")] == spine[2:]
    chapters = [f"chapters-{stem.replace('_', '-')}.xhtml" for stem in BOOK.stems]
    assert [name for name in spine if name in chapters] == chapters


@pytest.mark.parametrize("path", CHAPTERS, ids=BOOK.relative)
def test_all_of_a_page_is_there(path, book):
    bound_pages.assert_all_is_there(path, book.page(path))


def test_what_works_only_on_a_screen_is_left_out(book):
    tags = {node.tag for tree in book.pages.values() for node in tree.iter()}
    assert not tags & {XHTML + tag for tag in ("button", "form", "input", "script", "source", "picture")}
    # And of what is folded on the site nothing is shut.
    assert all(node.get("open") for tree in book.pages.values() for node in tree.iter(f"{XHTML}details"))


def test_it_says_how_it_can_be_read(book):
    said = collections.defaultdict(set)
    for meta in book.package.iter(f"{OPF}meta"):
        said[meta.get("property")].add(meta.text)
    assert "textual" in said["schema:accessModeSufficient"]
    assert {"MathML", "alternativeText", "tableOfContents"} <= said["schema:accessibilityFeature"]
    assert said["schema:accessibilityHazard"] == {"none"}
    assert said["dcterms:modified"]


def test_two_makes_in_the_same_moment_are_equal(site, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    for name in ("one", "two"):
        epub.write(BOOK, site, tmp_path / name, stems=BOOK.stems[:1])
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
