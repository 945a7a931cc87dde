"""The book on paper: three chapters are printed as the whole is, and read again."""

from __future__ import annotations

import re
import sys
from concurrent import futures

import pytest

from dlnotes.book import articles, bound, layout, ledger, pages, pdf
from tests.site import bound_pages
from tests.site.conftest import ROOT

pypdf = pytest.importorskip("pypdf")

BOOK = layout.Layout(ROOT)
STEMS = ("gradient_clipping", "conditioning", "overfitting")
CHAPTERS = [path for stem in STEMS for path in BOOK.chapter_pages(stem)]
A4 = (595, 842)
FOOT = 113  # points from the paper's lower edge: the margin, and below a heading two lines more


@pytest.fixture(scope="module")
def printed(site, browser_type_launch_args, tmp_path_factory):
    """Print three chapters and the lists; without a browser its fixture skips, and in the gate fails."""
    path = tmp_path_factory.mktemp("pdf") / "dlnotes.pdf"
    with futures.ThreadPoolExecutor(1) as other:  # in this thread the tests' own driver of the browser is at work
        other.submit(pdf.write, BOOK, site, path, STEMS).result()
    return pypdf.PdfReader(path)


@pytest.fixture(scope="module")
def numbers(printed):
    """Give the number of each page, counted from 1, by the number of its object."""
    return {page.indirect_reference.idnum: number for number, page in enumerate(printed.pages, start=1)}


@pytest.fixture(scope="module")
def places(printed):
    """Give where each id is to which a link leads."""
    return {name.removeprefix("/"): place for name, place in printed.named_destinations.items()}


@pytest.fixture(scope="module")
def headings(printed):
    """Give the entries of the outline, each with its level."""

    def flat(entries, level=1):
        for entry in entries:
            if isinstance(entry, list):
                yield from flat(entry, level + 1)
            else:
                yield level, entry

    return list(flat(printed.outline))


class Tag:
    """An element of the structure, with the pages on which it stands."""

    def __init__(self, node, within):
        self.kind, self.alt = node["/S"].removeprefix("/"), node.get("/Alt")
        self.pages, self.within = set(), within


@pytest.fixture(scope="module")
def tags(printed, numbers):
    """Give every element of the structure."""
    found = []

    def walk(node, page, around):
        page = numbers[node.raw_get("/Pg").idnum] if "/Pg" in node else page
        tag = Tag(node, around[-1].kind if around else None) if "/S" in node else None
        around = [*around, tag] if tag else around
        found.extend([tag] if tag else [])
        kids = node.get("/K", [])
        for kid in kids if isinstance(kids, list) else [kids]:
            kid = kid.get_object()
            if isinstance(kid, int) or kid.get("/Type") == "/MCR":
                here = page if isinstance(kid, int) else numbers[kid.raw_get("/Pg").idnum]
                for tag in around:
                    tag.pages.add(here)
            elif kid.get("/Type") != "/OBJR":
                walk(kid, page, around)

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)
    walk(printed.trailer["/Root"]["/StructTreeRoot"], None, [])
    sys.setrecursionlimit(limit)
    return found


def shown(text):
    """Give the text of the ledger or of a page as it is read: formulas and marks gone, quotation marks as printed."""
    return re.sub(r"[^a-z]+", "", re.sub(r"\$[^$]*\$", "", text).lower())


@pytest.fixture(scope="module")
def trees(site):
    """Give each page of the whole book as it goes to the browser, by its key."""
    book = bound.book(BOOK, site)
    pdf.whole(book)
    return {page.key: page.root for page in book.pages}


def key(path):
    return bound.Page(path.relative_to(BOOK.docs).as_posix(), "", 0, articles.Element("article")).key


@pytest.mark.parametrize("path", [path for stem in BOOK.stems for path in BOOK.chapter_pages(stem)], ids=BOOK.relative)
def test_all_of_a_page_goes_to_the_browser(path, trees):
    bound_pages.assert_all_is_there(path, trees[key(path)], f"{key(path)}--")


def test_a_formula_or_a_table_that_is_too_wide_is_set_smaller(browser):
    page = browser.new_page(viewport={"width": 300, "height": 500})
    parts = "".join(f"<mi>x</mi><mo>+</mo><mn>{number}</mn>" for number in range(10, 20))
    page.set_content(
        f'<div class="equation__formula" style="padding: 0 0 0 20px"><math>{parts}</math></div>'
        '<div class="equation__formula"><math><mi>x</mi></math></div>'
        '<div class="md-typeset__scrollwrap"><table><tr><td style="white-space: nowrap">'
        + "a cell that is wide " * 5
        + "</td></tr></table></div><p>short</p>"
    )
    assert page.evaluate(pdf._FIT, pdf.HALF) == 2
    sizes = page.evaluate("[...document.querySelectorAll('math, table')].map(n => n.getBoundingClientRect().width)")
    assert max(sizes) <= 300
    assert max(sizes) > 200
    assert page.locator("p.bound-whole").count() == 1
    page.close()


def test_without_a_browser_it_says_what_to_install(site, monkeypatch, tmp_path):
    monkeypatch.setattr(pdf.shutil, "which", lambda name: "/nowhere/chromium")
    with futures.ThreadPoolExecutor(1) as other, pytest.raises(pdf.PrintError, match="install Chromium"):
        other.submit(pdf.write, BOOK, site, tmp_path / "x.pdf", ()).result()
    assert not (tmp_path / "x.pdf").exists()


def test_it_says_what_it_is(printed):
    root = printed.trailer["/Root"]
    assert root["/Lang"] == "en"
    assert root["/MarkInfo"]["/Marked"]
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert printed.metadata.title == f"dlnotes: {pages.read(BOOK.docs / 'index.md').headings[0].text}"
    assert {(round(float(page.mediabox.width)), round(float(page.mediabox.height))) for page in printed.pages} == {A4}


def test_pages_are_numbered_and_the_contents_name_the_right_ones(printed, numbers, places):
    for number in (2, 9, len(printed.pages)):
        assert str(number) in printed.pages[number - 1].extract_text().split("\n")[:2]  # head and foot come first
    said = re.findall(r"^(.+?)\s*?(\d+)$", printed.pages[1].extract_text(), re.MULTILINE)
    titles = {
        pages.read(path).title: numbers[places[key(path)].raw_get("/Page").idnum] for path in map(BOOK.page, STEMS)
    }
    assert len(titles) == len(STEMS)
    assert {title: int(number) for title, number in said if title in titles} == titles


def test_every_link_lands(printed, places):
    inside = 0
    for page in printed.pages:
        for note in page.get("/Annots", []):
            note = note.get_object()
            if "/Dest" in note:
                assert note["/Dest"].removeprefix("/") in places
                inside += 1
            else:
                assert note["/A"]["/URI"].startswith(("https://", "http://"))
                assert "book.invalid" not in note["/A"]["/URI"]
    assert inside > 500


def test_the_outline_has_every_chapter_claim_and_exercise(headings):
    """A formula in a title is left out on both sides: the outline has its signs, the page its TeX."""
    titles = [entry["/Title"] for _, entry in headings]
    letters = {re.sub(r"[^a-z]+", "", title.lower()) for title in titles}
    claims = {claim.id: claim for claim in ledger.load(BOOK.ledger)}
    for path in CHAPTERS:
        page = pages.read(path)
        assert shown(page.title) in letters
        lacking = [
            found.argument for found in page.named("claim") if shown(claims[found.argument].claim) not in letters
        ]
        assert lacking == []
        wanted = [found.body.strip().split("\n", 1)[0] for found in page.named("exercise")]
        assert [title for title in wanted if "$" not in title and shown(title) not in letters] == []


def test_no_heading_stands_at_the_foot_of_a_page(headings):
    assert [entry["/Title"] for _, entry in headings if entry["/Top"] < FOOT] == []


def test_every_figure_is_there_and_on_one_page(tags):
    alts = {tag.alt: tag.pages for tag in tags if tag.kind == "Figure" and tag.alt}
    for path in CHAPTERS:
        for figure in pages.read(path).named("figure"):
            assert len(alts[" ".join(figure.options["alt"].split())]) == 1, figure.argument


def test_every_numbered_equation_is_there(places):
    for path in CHAPTERS:
        wanted = {f"{key(path)}--eq-{formula.label}" for formula in pages.read(path).formulas if formula.label}
        assert wanted <= places.keys()


def test_blocks_and_tables_are_not_cut_but_where_they_are_long(tags):
    # The head of a table is on each of its pages, so cells are asked.
    assert [
        tag.pages for tag in tags if tag.kind in ("TD", "Caption", "H1", "H2", "H3", "H4", "H5") and len(tag.pages) > 1
    ] == []
    blocks = [len(tag.pages) for tag in tags if tag.kind == "Code"]
    assert blocks.count(1) > 0.95 * len(blocks)
    assert max(blocks) == 2
