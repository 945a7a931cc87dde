"""A site of four pages is bound: what stands in which order, what is left out, and where links lead."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from dlnotes.book import articles, bound
from dlnotes.book.layout import Layout

SETTINGS = """
site_name: sample
site_url: !ENV [SITE_URL, ""]
site_description: A sample.
nav:
  - Home: index.md
  - Part one: [chapters/growth.md]
  - Lists: [terms.md, flashcards.md, api.md]
"""
PAGES = {
    "index": '<h1 id="top">Home &amp; all</h1><p>To <a href="chapters/growth/#eq-a">(1)</a>, <a href="api/">code</a>, '
    '<a href="https://example.org">out</a>, <a href="chapters/growth/derivation/">why</a><button>Run</button> end.</p>'
    '<p class="moving__try">Move it.</p>',
    "chapters/growth": '<h1 id="top">Growth<a class="headerlink" href="#top">#</a></h1>'
    '<div class="equation" id="eq-a"><math><mi>x</mi></math></div><p id="p" aria-labelledby="top eq-a">A<br>b</p>'
    '<picture><source srcset="a.svg"/><img src="../../assets/figures/growth/a.wide.light.svg" alt="A line."/></picture>'
    "<details><summary>More</summary>text</details><p><a href='../../terms/#nowhere'>term</a></p>",
    "chapters/growth/derivation": '<h1>Growth: derivation</h1><p><a href="../#eq-a">(1)</a></p>',
    "terms": '<h1>Terms</h1><svg viewBox="0 0 1 1"><clipPath><path d="M0 0"/></clipPath></svg>',
}


@pytest.fixture
def place(tmp_path):
    """Write the sources, which are only asked for by name, and the site."""
    (tmp_path / "mkdocs.yml").write_text(SETTINGS)
    for name, text in PAGES.items():
        source = tmp_path / "docs" / f"{name}.md"
        built = tmp_path / "site" / ("" if name == "index" else name) / "index.html"
        for path in (source, built):
            path.parent.mkdir(parents=True, exist_ok=True)
        source.write_text("# A page\n")
        built.write_text(f"<html><body><article class='md-content__inner'>{text}</article></body></html>")
    return Layout(tmp_path), tmp_path / "site"


def links(page):
    return [node.get("href") for node in page.root.iter("a")]


def test_pages_come_in_the_order_of_the_nav_and_the_reference_is_left_out(place):
    book = bound.book(*place)
    assert [(part.title, [page.key for page in part.pages]) for part in book.parts] == [
        (None, ["index"]),
        ("Part one", ["chapters-growth", "chapters-growth-derivation"]),
        ("Lists", ["terms"]),
    ]
    assert [page.depth for page in book.pages] == [0, 1, 2, 1]
    assert (book.title, book.description) == ("Home & all", "A sample.")
    assert [page.key for page in bound.book(*place, stems=()).pages] == ["index", "terms"]


def test_in_one_file_links_and_ids_carry_the_name_of_their_page(place):
    book = bound.book(*place)
    bound.bind(book, lambda page, name: f"#{bound.unique(page.key, name)}", prefixed=True)
    home, growth, derivation, _ = book.pages
    assert links(home) == ["#chapters-growth--eq-a", "https://example.org", "#chapters-growth-derivation"]
    assert links(derivation) == ["#chapters-growth--eq-a"]
    assert links(growth) == ["#terms"]  # the page, as it has no such id
    (paragraph,) = [node for node in growth.root.iter("p") if node.get("id")]
    assert paragraph.attrib == {
        "id": "chapters-growth--p",
        "aria-labelledby": "chapters-growth--top chapters-growth--eq-a",
    }


def test_in_files_links_name_the_file_and_what_is_left_out_is_text_or_on_the_site(place, monkeypatch):
    for address, expected in (("", None), ("https://dlnotes.example/", "https://dlnotes.example/api/")):
        monkeypatch.setenv("SITE_URL", address)
        book = bound.book(Layout(place[0].root), place[1])
        bound.bind(book, lambda page, name: f"{page.key}.xhtml#{name}", prefixed=False)
        home = next(book.pages)
        assert links(home)[0] == "chapters-growth.xhtml#eq-a"
        assert (expected in links(home)) == (expected is not None)
        assert "code" in articles.text(home.root)


def test_what_a_screen_alone_can_use_is_gone_and_folds_are_open(place):
    home, growth, *_ = bound.book(*place).pages
    assert articles.text(home.root).endswith("why end.")
    assert growth.title == "Growth"
    written = ElementTree.tostring(growth.root, "unicode")
    assert '<details open="open">' in written
    assert "picture" not in written
    assert "source" not in written
    image = next(growth.root.iter("img"))
    assert bound.image_path(growth, image.get("src")) == "assets/figures/growth/a.wide.light.svg"


@pytest.mark.parametrize("text", ["<article><p>one</article>", "<article><b><i>x</b></i></article>", "<p>none</p>"])
def test_a_page_that_is_not_written_as_ours_is_refused(place, text):
    (place[1] / "terms" / "index.html").write_text(text)
    with pytest.raises(articles.ArticleError, match=r"index\.html"):
        bound.book(*place)


def test_what_svg_writes_with_a_capital_keeps_it(place):
    *_, terms = bound.book(*place).pages
    written = ElementTree.tostring(terms.root, "unicode")
    assert '<svg viewBox="0 0 1 1"><clipPath><path d="M0 0" /></clipPath></svg>' in written


def test_a_site_that_is_not_built_is_said_so(place):
    (place[1] / "terms" / "index.html").unlink()
    with pytest.raises(articles.ArticleError, match="python -m dlnotes site"):
        bound.book(*place)
