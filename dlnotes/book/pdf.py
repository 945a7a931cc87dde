"""The book on paper: one tagged PDF, printed by a browser from the built site.

All pages stand in one file, which the browser prints twice: the numbers of the contents are read from the first print.
"""

from __future__ import annotations

import contextlib
import html
import io
import mimetypes
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import dlnotes
from dlnotes.book import articles, bound, packing
from dlnotes.book import layout as layouts

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
STYLE = Path(__file__).with_name("paper") / "print.css"
WIDTH = 612  # CSS pixels of the text on A4, as print.css has it: what is too wide for it is set smaller
HALF = 472  # CSS pixels: half of the text's height
_ORIGIN = "http://book.invalid/"
_MILLISECONDS = 300_000
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")

# A formula or a table that is too wide is set smaller. A block of code, what it prints, and a table stand on one page
# unless they would leave more than half of one empty.
_FIT = """half => {
  const small = [];
  for (const [box, inner] of [['.equation__formula', 'math'], ['.md-typeset__scrollwrap', 'table']])
    for (const outer of document.querySelectorAll(box)) {
      const node = outer.querySelector(inner);
      const wide = node ? node.getBoundingClientRect().width : 0;
      const there = outer.clientWidth - parseFloat(getComputedStyle(outer).paddingLeft);
      if (wide > there) {
        const part = there / wide;
        small.push([node, `${part}em`]);
      }
    }
  const height = node => node.getBoundingClientRect().height;
  const whole = [];
  const boxes = '.bound-block, .highlight, .output, .kernel, .md-typeset__scrollwrap';
  for (const node of document.querySelectorAll(boxes)) if (height(node) < half) whole.push(node);
  for (const node of document.querySelectorAll('p')) if (height(node) < half / 6) whole.push(node);
  for (const [node, size] of small) node.style.fontSize = size;
  for (const node of whole) node.classList.add('bound-whole');
  return small.length;
}"""
_NUMBER = """numbers => {
  const places = [...document.querySelectorAll('[data-page]')];
  for (const place of places) place.textContent = numbers[place.dataset.page];
  return places.map(place => place.dataset.page).filter(name => !(name in numbers));
}"""


class PrintError(Exception):
    """The book cannot be printed here; the message says what is missing."""


def write(layout: layouts.Layout, site: Path, path: Path, stems: tuple[str, ...] | None = None) -> None:
    """Print the built site as one PDF.

    Args:
        layout: Where the book lies.
        site: Folder of the built site.
        path: The file to write.
        stems: Chapters to print; all, if none are named.

    Raises:
        PrintError: If there is no browser, or no package to drive it.
        articles.ArticleError: If the site is not built.
    """
    book = bound.book(layout, site, stems)
    page = whole(book)
    with _opened(site, page) as opened:
        opened.evaluate(_FIT, HALF)
        with _without_pictures(opened):
            first = opened.pdf(prefer_css_page_size=True)
        lost = opened.evaluate(_NUMBER, _page_numbers(first))
        if lost:
            raise PrintError(f"the browser printed no place for {', '.join(lost)}")
        content = opened.pdf(prefer_css_page_size=True, print_background=True, tagged=True, outline=True)
    path.write_bytes(packing.packed(content))


def whole(book: bound.Book) -> str:
    """Give the whole book as one HTML file; its addresses are those of the site."""
    bound.bind(book, lambda page, name: f"#{bound.unique(page.key, name)}", prefixed=True)
    sections, headers = [_title_page(book), _contents(book)], []
    for part in book.parts:
        if part.title is not None:
            title = html.escape(part.title)
            sections.append(f'<section class="bound-part"><h1 id="{part.key}">{title}</h1></section>')
        for page in part.pages:
            headers.append(_header(part, page))
            sections.append(_section(page))
    head = f'<meta charset="utf-8"><title>{html.escape(f"dlnotes: {book.title}")}</title>'
    head += '<link rel="stylesheet" href="/assets/css/all.css">'
    head += f"<style>{STYLE.read_text('utf-8')}\n{''.join(headers)}</style>"
    body = '<body dir="ltr" data-md-color-scheme="default" data-md-color-primary="custom" class="bound">'
    body += f"<main>{''.join(sections)}</main></body>"
    return f'<!doctype html><html lang="en" dir="ltr"><head>{head}</head>{body}</html>'


def _title_page(book: bound.Book) -> str:
    return (
        '<section class="bound-title md-typeset"><p class="bound-title__name">dlnotes</p>'
        f'<p class="bound-title__words">{html.escape(book.title)}</p>'
        f"<p>{html.escape(book.description)}</p>"
        f'<p class="bound-title__foot">The dlnotes authors. Version {dlnotes.__version__}.<br>'
        f"{html.escape(book.rights)}</p></section>"
    )


def _contents(book: bound.Book) -> str:
    """List parts, chapters and the pages beside them; the numbers of their pages come with the second print."""
    lines = []
    for part in book.parts:
        if part.title is not None:
            lines.append(f'<p class="bound-contents__part">{_entry(part.key, part.title)}</p>')
        for page in part.pages:
            beside = ' class="bound-contents__beside"' if page.depth == 2 else ""
            lines.append(f"<p{beside}>{_entry(page.key, bound.short_title(page))}</p>")
    return f'<nav class="bound-contents md-typeset"><h1>Contents</h1>{"".join(lines)}</nav>'


def _entry(key: str, title: str) -> str:
    number = f'<span class="bound-contents__number" data-page="{key}"></span>'
    return f'<a href="#{key}"><span>{html.escape(title)}</span>{number}</a>'


def _header(part: bound.Part, page: bound.Page) -> str:
    """Give the rule by which the pages of a section say at their head where a reader is."""
    left, right = (text.replace("\\", "").replace('"', "\\22 ") for text in (part.title or "dlnotes", page.title))
    return f'@page {page.key} {{ @top-left {{ content: "{left}" }} @top-right {{ content: "{right}" }} }}\n'


def _section(page: bound.Page) -> str:
    """Write a page of the site as a section, its headings below the part's, its images at the site's addresses."""
    root = page.root
    for node in root.iter():
        if node.tag == "img":
            node.set("src", f"/{bound.image_path(page, node.get('src'))}")
        elif node.tag in _HEADINGS:
            level = int(node.tag[1])
            node.set("class", f"{node.get('class', '')} as-h{level}".strip())
            node.tag = "p" if level == 5 else f"h{min(level + page.depth, 6)}"  # a flashcard is no entry of the outline
            node.attrib.pop("aria-level", None)
    root.tag = "section"
    root.set("class", f"bound-page bound-page--{page.depth} md-content__inner md-typeset")
    root.set("id", page.key)
    root.set("style", f"page: {page.key}")
    for tabs in articles.with_class(root, "tabbed-content"):
        del tabs[1:]  # on paper one backend is shown
    for parent in list(root.iter()):
        _join(parent)
    return ElementTree.tostring(root, "unicode", method="html")


def _join(parent: articles.Element) -> None:
    """Put a block of code and what it prints into one box, so that they can stay on one page."""
    for output in [child for child in parent if "output" in articles.classes(child)]:
        place = list(parent).index(output)
        if place and "highlight" in articles.classes(parent[place - 1]):
            box = articles.Element("div", {"class": "bound-block"})
            box.tail, output.tail = output.tail, None
            box.extend([parent[place - 1], output])
            parent[place - 1 : place + 1] = [box]


@contextlib.contextmanager
def _opened(site: Path, text: str) -> Iterator[Any]:
    """Open the file in a browser that reads the site's folder and asks no host for anything."""
    try:
        import pypdf  # noqa: F401
        from playwright import sync_api
    except ImportError as error:
        raise PrintError(f"{error.name} is missing: pip install -e '.[exports]'") from None

    def answer(route: Any) -> None:
        address = route.request.url
        file = site / unquote(urlsplit(address).path).lstrip("/")
        if address == _ORIGIN:
            route.fulfill(body=text, content_type="text/html; charset=utf-8")
        elif address.startswith(_ORIGIN) and file.is_file():
            kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
            route.fulfill(body=file.read_bytes(), content_type=kind)
        else:
            missing.append(address)
            route.abort()

    missing: list[str] = []
    with sync_api.sync_playwright() as driver:
        executable = next(filter(None, map(shutil.which, BROWSERS)), None)
        try:
            browser = driver.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        except sync_api.Error as error:
            reason = str(error).splitlines()[0]
            raise PrintError(f"no browser: install Chromium, or call playwright install chromium ({reason})") from None
        with contextlib.closing(browser):
            page = browser.new_page(viewport={"width": WIDTH, "height": 900})
            page.set_default_timeout(_MILLISECONDS)
            page.emulate_media(media="print", color_scheme="light")
            page.route("**/*", answer)
            page.goto(_ORIGIN, wait_until="load")
            page.evaluate("document.fonts.ready.then(() => null)")
            if missing:
                raise PrintError(f"the site lacks {', '.join(missing)}")
            yield page


@contextlib.contextmanager
def _without_pictures(opened: Any) -> Iterator[None]:
    """Leave the pictures' places empty, so that a print that is only counted takes less time."""
    style = opened.add_style_tag(content="img { visibility: hidden }")
    yield
    style.evaluate("node => node.remove()")


def _page_numbers(content: bytes) -> dict[str, int]:
    """Read on which page each id stands to which a link of the file leads."""
    import pypdf

    reader = pypdf.PdfReader(io.BytesIO(content))
    numbers = {page.indirect_reference.idnum: number for number, page in enumerate(reader.pages, start=1)}
    found = reader.named_destinations
    return {name.lstrip("/"): numbers[place.raw_get("/Page").idnum] for name, place in found.items()}
