"""The book for e-readers: an EPUB 3, written from the built site with nothing but the standard library.

A page of the site is a file of its own. Formulas are MathML and figures SVG, as on the site: both are core types of
EPUB 3.
"""

from __future__ import annotations

import datetime
import html
import io
import os
import re
import textwrap
import uuid
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import dlnotes
from dlnotes.book import articles, bound
from dlnotes.book import layout as layouts

STYLE = Path(__file__).with_name("paper") / "epub.css"
FONT = "stix-two-math"  # what a formula needs; the text stands in the reader's own
FOLDER = "EPUB"
_COVER_FONT = Path(__file__).parents[1] / "figures" / "fonts" / "instrument-sans-regular.ttf"
_MATHML = "http://www.w3.org/1998/Math/MathML"
_SVG = "http://www.w3.org/2000/svg"
_KINDS = {
    ".css": "text/css",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".woff2": "font/woff2",
    ".xhtml": "application/xhtml+xml",
}
_CONTAINER = (
    '<?xml version="1.0" encoding="utf-8"?>\n'
    '<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    f'<rootfile full-path="{FOLDER}/package.opf" media-type="application/oebps-package+xml"/></rootfiles></container>\n'
)
_ACCESS = {
    "accessMode": ("textual", "visual"),
    "accessModeSufficient": ("textual,visual", "textual"),
    "accessibilityFeature": (
        "MathML", "alternativeText", "displayTransformability", "readingOrder", "structuralNavigation",
        "tableOfContents",
    ),
    "accessibilityHazard": ("none",),
    "accessibilitySummary": (
        "Formulas are MathML. Each figure has a text that says what is to be seen. Verdicts are words.",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class File:
    """A file of the book: its name below the book's folder, its content, and what the manifest says of it."""

    name: str
    content: bytes
    properties: str = ""
    in_order: bool = False  # whether a reader who turns pages comes to it


def write(layout: layouts.Layout, site: Path, path: Path, stems: tuple[str, ...] | None = None) -> None:
    """Write the built site as one EPUB.

    Args:
        layout: Where the book lies.
        site: Folder of the built site.
        path: The file to write.
        stems: Chapters to take; all, if none are named.

    Raises:
        articles.ArticleError: If the site is not built.
    """
    book = bound.book(layout, site, stems)
    found = files(book, site)
    moment = _moment()
    with zipfile.ZipFile(path, "w") as archive:
        _add(archive, "mimetype", b"application/epub+zip", moment, zipfile.ZIP_STORED)
        _add(archive, "META-INF/container.xml", _CONTAINER.encode(), moment)
        _add(archive, f"{FOLDER}/package.opf", _package(book, found, moment).encode(), moment)
        for file in found:
            _add(archive, f"{FOLDER}/{file.name}", file.content, moment)


def files(book: bound.Book, site: Path) -> tuple[File, ...]:
    """Give the files of the book in their order, without those that hold it together."""
    bound.bind(book, lambda page, name: f"{page.key}.xhtml{'#' if name else ''}{name}", prefixed=False)
    made = [_cover(book), File("title.xhtml", _document(book.title, _title_page(book)), in_order=True), _nav(book)]
    images: dict[str, File] = {}
    for part in book.parts:
        if part.title is not None:
            body = f'<section class="part" epub:type="part"><h1>{html.escape(part.title)}</h1></section>'
            made.append(File(f"{part.key}.xhtml", _document(part.title, body), in_order=True))
        made += [_page(page, site, images) for page in part.pages]
    fonts = site / "assets" / "fonts"
    made.append(File("style.css", STYLE.read_bytes()))
    made.append(File(f"fonts/{FONT}.woff2", (fonts / f"{FONT}.woff2").read_bytes()))
    made.append(File(f"fonts/{FONT}.LICENSE.txt", (fonts / f"{FONT}.LICENSE.txt").read_bytes()))
    return (*made, *images.values())


def _moment() -> datetime.datetime:
    """Give the second in which the book is made; the environment may name it, so that two makes are equal."""
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    now = datetime.datetime.now(datetime.UTC)
    return datetime.datetime.fromtimestamp(int(seconds), datetime.UTC) if seconds else now.replace(microsecond=0)


def _add(
    archive: zipfile.ZipFile, name: str, content: bytes, moment: datetime.datetime, how: int = zipfile.ZIP_DEFLATED
) -> None:
    entry = zipfile.ZipInfo(name, moment.timetuple()[:6])
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content, compress_type=how)


def _document(title: str, body: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html>\n'
        '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" lang="en" xml:lang="en">'
        f'<head><meta charset="utf-8"/><title>{html.escape(title)}</title>'
        f'<link rel="stylesheet" type="text/css" href="style.css"/></head><body>{body}</body></html>\n'
    ).encode()


def _page(page: bound.Page, site: Path, images: dict[str, File]) -> File:
    """Write a page of the site; the images that it shows are added to `images`."""
    root = page.root
    articles.remove(root, lambda node: "icon" in articles.classes(node))  # beside it stand its words
    used = set()
    for node in root.iter():
        if node.tag == "img":
            source = bound.image_path(page, node.get("src"))
            name = f"figures/{source.removeprefix('assets/figures/').replace('/', '-')}"
            images.setdefault(name, File(name, _NO_NAME.sub(b"", (site / source).read_bytes())))
            node.set("src", name)
        elif node.tag == "math":
            node.set("xmlns", _MATHML)
            used.add("mathml")
        elif node.tag == "svg":
            node.set("xmlns", _SVG)
            used.add("svg")
    root.tag, root.attrib = "section", {"epub:type": "chapter", "class": f"page page--{page.depth}"}
    text = ElementTree.tostring(root, "unicode")
    return File(f"{page.key}.xhtml", _document(page.title, text), " ".join(sorted(used)), in_order=True)


# An id that is no XML name: the tests' names for what is drawn, as losses[0,:81]. Nothing in a figure refers to one.
_NO_NAME = re.compile(rb' id="(?![A-Za-z_][A-Za-z0-9_.-]*")[^"]*"')


def _title_page(book: bound.Book) -> str:
    title, description, rights = map(html.escape, (book.title, book.description, book.rights))
    return (
        f'<section epub:type="titlepage"><p class="title__name">dlnotes</p><h1 class="title__words">{title}</h1>'
        f"<p>{description}</p><p>The dlnotes authors. Version {dlnotes.__version__}.<br/>{rights}</p></section>"
    )


def _cover(book: bound.Book) -> File:
    """Draw the picture that stands on a reader's shelf; shelves show no SVG."""
    from matplotlib.figure import Figure

    picture = Figure(figsize=(6.25, 10), dpi=160, facecolor="#fcfbf8")
    words = textwrap.fill(book.title, 18)
    picture.text(0.1, 0.88, "dlnotes", color="#a83a0a", fontsize=24, font=_COVER_FONT)
    picture.text(0.1, 0.8, words, color="#1d2127", fontsize=34, va="top", linespacing=1.25, font=_COVER_FONT)
    picture.text(0.1, 0.08, "The dlnotes authors", color="#59606b", fontsize=16, font=_COVER_FONT)
    content = io.BytesIO()
    picture.savefig(content, format="png", facecolor="#fcfbf8", metadata={"Software": None})
    return File("cover.png", content.getvalue(), "cover-image")


def _nav(book: bound.Book) -> File:
    """Write the contents: parts, chapters, and beside each what belongs to it."""
    entries = []
    for part in book.parts:
        chapters = "".join(_chapters(part.pages))
        if part.title is None:
            entries.append(chapters)
        else:
            title = html.escape(part.title)
            entries.append(f'<li><a href="{part.key}.xhtml">{title}</a><ol>{chapters}</ol></li>')
    first = next(page for page in book.pages).key
    body = (
        f'<nav epub:type="toc" id="toc"><h1>Contents</h1><ol>{"".join(entries)}</ol></nav>'
        '<nav epub:type="landmarks" hidden="hidden"><h2>Landmarks</h2><ol>'
        '<li><a epub:type="titlepage" href="title.xhtml">Title</a></li>'
        '<li><a epub:type="toc" href="nav.xhtml#toc">Contents</a></li>'
        f'<li><a epub:type="bodymatter" href="{first}.xhtml">The book</a></li></ol></nav>'
    )
    return File("nav.xhtml", _document("Contents", body), "nav", in_order=True)


def _chapters(pages: Iterable[bound.Page]) -> Iterable[str]:
    chapters: list[list[bound.Page]] = []
    for page in pages:
        if page.depth < 2:
            chapters.append([])
        chapters[-1].append(page)
    for main, *beside in chapters:
        inner = "".join(f"<li>{_link(page, bound.short_title(page))}</li>" for page in beside)
        yield f"<li>{_link(main, main.title)}{f'<ol>{inner}</ol>' if inner else ''}</li>"


def _link(page: bound.Page, title: str) -> str:
    return f'<a href="{page.key}.xhtml">{html.escape(title)}</a>'


def _package(book: bound.Book, found: tuple[File, ...], moment: datetime.datetime) -> str:
    """Write what the book is, the list of its files, and their order."""
    title, description, rights = map(html.escape, (book.title, book.description, book.rights))
    identifier = uuid.uuid5(uuid.NAMESPACE_URL, f"dlnotes-book {dlnotes.__version__}")
    access = "".join(
        f'<meta property="schema:{name}">{html.escape(value)}</meta>'
        for name, values in _ACCESS.items()
        for value in values
    )
    names = {file.name: f"f{number}" for number, file in enumerate(found)}
    manifest = "".join(
        f'<item id="{names[file.name]}" href="{file.name}" media-type="{_KINDS[Path(file.name).suffix]}"'
        f"{f' properties={chr(34)}{file.properties}{chr(34)}' if file.properties else ''}/>"
        for file in found
    )
    spine = "".join(f'<itemref idref="{names[file.name]}"/>' for file in found if file.in_order)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="book" xml:lang="en">'
        '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f'<dc:identifier id="book">urn:uuid:{identifier}</dc:identifier><dc:title>{title}</dc:title>'
        "<dc:language>en</dc:language><dc:creator>The dlnotes authors</dc:creator>"
        f"<dc:rights>{rights}</dc:rights><dc:description>{description}</dc:description>"
        f'<meta property="dcterms:modified">{moment:%Y-%m-%dT%H:%M:%SZ}</meta>{access}</metadata>'
        f"<manifest>{manifest}</manifest><spine>{spine}</spine></package>\n"
    )
