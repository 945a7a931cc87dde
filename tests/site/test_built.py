"""The files of the built site, read without a browser: links, policy, addresses, ids."""

from __future__ import annotations

import base64
import hashlib
import html
import html.parser
import json
import re
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest

from dlnotes.book import chapters, layout, vendored, wheel
from tests.site.conftest import ROOT, build

VERBATIM = ("script", "style", "code", "pre", "math", "textarea", "template")
# Markdown that was not understood: attributes, blocks, fences, bold, links, formulas, as typed.
MARKUP = re.compile(r"\{ ?[.#:]\w|^///|```|\*\*\w|\]\([^)\s]+\)|\$[^$\n]+\$|\\\w+\{", re.MULTILINE)


class Reader(html.parser.HTMLParser):
    """Collects what a page links to, what it loads, and its ids."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links, self.loads, self.ids, self.scripts, self.metas = [], [], [], [], []
        self.in_script = False
        self.verbatim, self.prose = [], []  # the open elements whose text is not prose, and the rest
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if tag in ("img", "script", "source", "iframe") and given.get("src"):
            self.loads.append(given["src"])
        if tag == "link" and given.get("rel") not in ("canonical", "prev", "next"):
            self.loads.append(given["href"])
        if tag == "meta":
            self.metas.append(given)
        if tag in VERBATIM:
            self.verbatim.append(tag)
        self.in_script = tag == "script" and not given.get("src") and given.get("type") != "application/json"
        if self.in_script:
            self.scripts.append("")

    def handle_endtag(self, tag):
        self.in_script = False
        if self.verbatim and self.verbatim[-1] == tag:
            self.verbatim.pop()

    def handle_data(self, data):
        if not self.verbatim:
            self.prose.append(data)
        if self.in_script:
            self.scripts[-1] += data


@pytest.fixture(scope="module")
def pages(site):
    return {path.relative_to(site).as_posix(): Reader(path) for path in sorted(site.rglob("*.html"))}


def test_every_link_inside_the_site_lands(site, pages):
    broken = []
    for name, page in pages.items():
        if name == "404.html":  # its links begin at the root of the host
            continue
        for link in page.links:
            if urlsplit(link).scheme:
                continue
            target, anchor = urldefrag(urljoin(f"/{name}", link))
            path = unquote(target.lstrip("/"))
            path = f"{path}index.html" if not path or path.endswith("/") else path
            if not (site / path).is_file() or (anchor and path in pages and unquote(anchor) not in pages[path].ids):
                broken.append(f"{name}: {link}")
    assert not broken


def test_no_markup_is_left_in_the_text(pages):
    found = {name: MARKUP.findall("".join(page.prose)) for name, page in pages.items()}
    assert not {name: left for name, left in found.items() if left}


@pytest.mark.parametrize(
    "left", ["text. { .on-screen }", "/// card", "a **b** c", "[a](b.md)", "the $x$ of", "\\frac{1}"]
)
def test_markup_in_the_text_is_seen(left):
    assert MARKUP.search(left)


def test_no_id_comes_twice_on_a_page(pages):
    for name, page in pages.items():
        assert len(page.ids) == len(set(page.ids)), name


def test_pages_load_from_this_site_alone(site, pages):
    for name, page in pages.items():
        for load in page.loads:
            assert not urlsplit(load).scheme, f"{name}: {load}"
            if name != "404.html":
                assert (site / Path(name).parent / unquote(urlsplit(load).path)).resolve().is_file(), f"{name}: {load}"


def test_the_policy_allows_this_site_and_the_inline_scripts_by_their_hashes(pages):
    for name, page in pages.items():
        policy = next(meta["content"] for meta in page.metas if meta.get("http-equiv") == "Content-Security-Policy")
        rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split("; ")}
        assert rules["default-src"] == ["'none'"]
        assert not re.search(r"https?:|\*|(?<!'wasm-)unsafe-eval", policy)
        assert "'unsafe-inline'" not in rules["script-src"]
        for script in page.scripts:
            digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in rules["script-src"], f"{name}: {script[:60]}"
        assert page.scripts


def test_without_an_address_no_page_claims_one(site):
    for path in site.rglob("*.html"):
        text = path.read_text("utf-8")
        assert 'rel="canonical"' not in text
        assert not re.search(r'property="og:(?:url|image)', text)
        assert not re.search(r">Source</a>", text)


def test_every_page_names_its_markdown_and_the_list_of_all(site):
    for path in site.rglob("index.html"):
        text = path.read_text("utf-8")
        assert '<link rel="alternate " type="text/markdown" href="index.html.md">' in text
        assert re.search(r'<link rel="describedby" type="text/plain" href="[./]*llms\.txt">', text), path
        assert (path.parent / "index.html.md").read_text("utf-8").startswith("# "), path
    assert not (site / "assets/previews").exists()


def test_the_reference_says_where_a_function_is_used(site):
    text = (site / "api/momentum/index.html").read_text("utf-8")
    entry = text.partition('id="dlnotes.numpy.momentum.Nesterov"')[2].partition("doc-object")[0]
    used = entry.partition('<p class="api__used">')[2].partition("</p>")[0]
    assert '<a href="../../chapters/momentum/#kernel-momentum-Nesterov">Momentum</a>' in used


def test_titles_say_what_the_book_is(site):
    home = (site / "index.html").read_text("utf-8")
    assert re.search(r"<title>(.*?)</title>", home)[1] == "dlnotes: An executable textbook on training deep networks"
    chapter = (site / "chapters/initialization/index.html").read_text("utf-8")
    assert re.search(r"<title>(.*?)</title>", chapter)[1] == "Initialization - dlnotes"


@pytest.mark.usefixtures("site")  # which draws the figures
def test_with_addresses_pages_are_canonical_and_kernels_link_to_their_source(tmp_path):
    site = build(tmp_path, SITE_URL="https://book.example/dl/", REPOSITORY_URL="https://code.example/dlnotes", RUN="0")
    assert not (site / "assets/python").exists()
    chapter = (site / "chapters/initialization/index.html").read_text("utf-8")
    assert 'data-python="no"' in chapter
    assert '<link rel="canonical" href="https://book.example/dl/chapters/initialization/">' in chapter
    shown = dict(re.findall(r'<meta property="og:([\w:]+)" content="([^"]*)">', chapter))
    assert shown["title"] == "Initialization"
    assert shown["url"] == "https://book.example/dl/chapters/initialization/"
    assert shown["image"] == "https://book.example/dl/assets/previews/initialization.png"
    for stem in layout.Layout(ROOT).stems:
        assert (site / f"assets/previews/{stem}.png").read_bytes().startswith(b"\x89PNG")
    sitemap = (site / "sitemap.xml").read_text("utf-8")
    built = {path.parent.relative_to(site).as_posix() for path in site.rglob("index.html")}
    wanted = {f"https://book.example/dl/{'' if name == '.' else f'{name}/'}" for name in built}
    assert set(re.findall(r"<loc>(.*?)</loc>", sitemap)) == wanted
    found = re.search(
        r'href="https://code\.example/dlnotes/blob/main/(dlnotes/numpy/initialization\.py)#L(\d+)"', chapter
    )
    lines = (ROOT / found[1]).read_text("utf-8").split("\n")
    assert re.match(r"def |class ", lines[int(found[2]) - 1])
    notebook = (site / "notebooks/initialization.ipynb").read_text("utf-8")
    assert f"https://book.example/dl/wheel/{wheel.NAME}" in notebook
    assert "https://book.example/dl/chapters/batch_normalization/" in notebook
    loads = [load for path in site.rglob("*.html") if path.name != "404.html" for load in Reader(path).loads]
    assert not [load for load in loads if urlsplit(load).scheme]


def test_formulas_stand_in_the_search_index_as_a_reader_sees_them(site):
    index = (site / "search/search_index.json").read_text("utf-8")
    chapter = [entry["text"] for entry in json.loads(index)["docs"] if entry["location"].startswith("chapters/")]
    assert chapters.read(layout.Layout(ROOT), "activations").question in " ".join(chapter)
    assert [text for text in chapter if "\u03c3" in text]  # sigma
    for sign in ("\u200b", r"\frac", "mathml", "<math"):  # of the source or the markup of a formula
        assert not [text for text in chapter if sign in text], sign


def test_the_font_of_formulas_has_every_sign_of_the_book(site):
    known = {chr(sign) for first, last in vendored.SIGNS for sign in range(first, last + 1)}
    missing = set()
    for path in site.rglob("*.html"):
        for formula in re.findall(r"<math.*?</math>", path.read_text("utf-8"), re.DOTALL):
            shown = re.sub(r"<annotation.*?</annotation>|<[^>]*>", "", formula, flags=re.DOTALL)
            missing |= {sign for sign in html.unescape(shown) if not sign.isspace()} - known
    assert not missing
