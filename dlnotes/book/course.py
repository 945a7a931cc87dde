"""The course pack: for each chapter slides, and a sheet of its exercises without their solutions.

A file of slides holds all that it shows, fonts and figures too, so that it can be carried about. Its script stands
inside, and its Content-Security-Policy lets no other one run and nothing be fetched.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from pathlib import Path

from dlnotes.book import chapters, context, fragments, markdown_pages, pages, plain_markdown, slides
from dlnotes.book import layout as layouts

_FOLDER = Path(__file__).with_name("course_pack")
_FONT = re.compile(r'url\("\.\./fonts/([\w-]+\.woff2)"\)')
_LINK = re.compile(r"\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\((?!https?:)([^()\s]*)\)")
_LICENSE = "Text and figures: CC BY 4.0. Code: MIT."
_HOW = (
    "Each block is a start that is wrong or not complete. Copy it into a file, complete it and run it: its last lines "
    "call a checker, which says what is wrong, or nothing when all is right. The package <code>dlnotes</code> must be "
    "installed."
)
_BAR = """<nav class="bar" aria-label="Slides">
<button type="button" data-do="back" aria-label="Back">&larr;</button>
<button type="button" data-do="next" aria-label="Next">&rarr;</button>
<button type="button" data-do="overview">All</button>
<button type="button" data-do="help" aria-label="Keys">?</button>
</nav>
<dialog aria-label="Keys"><form method="dialog">
<p><kbd>&rarr;</kbd> <kbd>Space</kbd> on, <kbd>&larr;</kbd> back, <kbd>Home</kbd> <kbd>End</kbd> the ends</p>
<p><kbd>O</kbd> all slides, <kbd>D</kbd> light or dark, <kbd>F</kbd> the whole screen, <kbd>?</kbd> these keys</p>
<button autofocus>Close</button></form></dialog>
<p class="said" role="status"></p>"""


def write(layout: layouts.Layout, folder: Path) -> None:
    """Write the course pack of every chapter into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in (*folder.glob("*.html"), *folder.glob("*.md")):
        old.unlink()
    counts = {}
    for stem in layout.stems:
        shown = slides.of_chapter(layout, stem)
        counts[stem] = len(shown)
        _put(folder / f"{stem}.slides.html", deck(layout, stem, shown))
        _put(folder / f"{stem}.sheet.html", sheet(layout, stem))
        _put(folder / f"{stem}.sheet.md", sheet_as_markdown(layout, stem))
    _put(folder / "index.html", index(layout, counts))


def _put(path: Path, text: str) -> None:
    path.write_text(text, "utf-8", newline="\n")


def styles(layout: layouts.Layout, *names: str) -> str:
    """Give the book's colors and fonts, the fonts inside, and style sheets of the course pack."""
    folder = layout.docs / "assets"
    fonts = (folder / "css" / "type.css").read_text("utf-8")
    faces = "\n".join(
        re.findall(r"^(?:@font-face|:root|math|mtable|mtd)\b[^{}]*\{.*?\n\}", fonts, re.DOTALL | re.MULTILINE)
    )
    faces = _FONT.sub(lambda found: f'url("{_embedded(folder / "fonts" / found[1])}")', faces)
    colors = (folder / "css" / "palette.css").read_text("utf-8").partition("/* The theme's own")[0]
    return "\n".join([colors, faces, *((_FOLDER / name).read_text("utf-8") for name in names)])


def _embedded(path: Path) -> str:
    return f"data:font/woff2;base64,{base64.b64encode(path.read_bytes()).decode()}"


def _document(title: str, body: str, style: str, script: str = "") -> str:
    """Put a page together that needs no other file."""
    allowed = "'none'"
    if script:
        allowed = f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
    policy = (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; font-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    run = f"<script>{script}</script>\n" if script else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="color-scheme" content="light{" dark" if script else ""}">
<title>{html.escape(title)}</title>
<style>
{style}</style>
</head>
<body data-md-color-scheme="default">
{body}
{run}</body>
</html>
"""


def deck(layout: layouts.Layout, stem: str, shown: list[slides.Slide]) -> str:
    """Give the slides of a chapter as one file."""
    chapter = chapters.read(layout, stem)
    address = plain_markdown.on_site(layout, f"chapters/{stem}.md")
    name = f"dlnotes: {html.escape(chapter.title)}"
    home = f'<a href="{address}">{name}</a>' if address else name
    made = []
    for number, slide in enumerate(shown, start=1):
        words = html.escape(f"{number} of {len(shown)}: {_plain(slide.head) or chapter.title}")
        made.append(
            f'<section class="slide slide--{slide.kind}" id="{slide.id}" role="group" aria-roledescription="slide" '
            f'aria-label="{words}" tabindex="-1"><div class="stage">\n<p class="head">{slide.head}</p>\n'
            f'<div class="content">{slide.body}</div>\n'
            f'<p class="foot"><span>{home}. {_LICENSE}</span><span>{number}</span></p>\n</div></section>'
        )
    body = f"<main>\n{chr(10).join(made)}\n</main>\n{_BAR}"
    script = (_FOLDER / "slides.js").read_text("utf-8")
    return _document(f"{chapter.title}: slides", body, styles(layout, "slides.css"), script)


def _plain(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", markup))


def sheet(layout: layouts.Layout, stem: str) -> str:
    """Give the exercises of a chapter, without their solutions, as a page to print."""
    chapter = chapters.read(layout, stem)
    made = []
    for name, part in chapter.named("exercise"):
        page = context.Context(layout, name, chapter.pages[name])
        convert = fragments.Fragments(page)
        title, body = slides.title_of(part), without_solution(chapter.pages[name], part)
        number = chapter.numbers.exercises[part.argument or ""]
        made.append(
            f'<section id="exercise-{part.argument}">\n<h2><span class="number">Exercise {number}</span> '
            f"{convert.line(title)}</h2>\n{convert.html(body)}\n{_named(layout, chapter, name, part)}</section>"
        )
    address = plain_markdown.on_site(layout, f"chapters/{stem}/practice.md")
    source = f'<a href="{address}">{address}</a>' if address else "the chapter's page of exercises"
    heading = f"{html.escape(chapter.title)}: exercises"
    body = (
        f'<main>\n<h1>{heading}</h1>\n<p class="who"><span>Name</span><span>Date</span></p>\n'
        f'<p class="how">{_HOW}</p>\n'
        f"{chr(10).join(made)}\n<footer>From dlnotes, an executable textbook on training deep networks: {source}. "
        f"{_LICENSE}</footer>\n</main>"
    )
    return _document(f"{chapter.title}: exercises", body, styles(layout, "sheet.css"))


def named(chapter: chapters.Chapter, page: pages.Page, exercise: pages.Directive) -> dict[str, str]:
    """Give the equations of the chapter that an exercise names outside of its solution: label and TeX."""
    inner = [part for part in page.directives if part.name == "solution" and exercise in part.around]
    labels = [
        found.label
        for found in page.equation_references
        if exercise.line < found.line < exercise.end and not any(part.line < found.line < part.end for part in inner)
    ]
    known = {
        formula.label: formula.tex for page in chapter.pages.values() for formula in page.formulas if formula.label
    }
    return {label: known[label] for label in dict.fromkeys(labels) if label in known}


def _named(layout: layouts.Layout, chapter: chapters.Chapter, name: str, exercise: pages.Directive) -> str:
    """Show the equations that an exercise names, for the sheet is read without the book."""
    convert = fragments.Fragments(context.Context(layout, name, chapter.pages[name]))
    shown = [
        re.sub(r' id="eq-[^"]*"', "", convert.html(f"$$\n{tex} \\label{{{label}}}\n$$"))
        for label, tex in named(chapter, chapter.pages[name], exercise).items()
    ]
    return f'<div class="named">{"".join(shown)}</div>\n' if shown else ""


def without_solution(page: pages.Page, exercise: pages.Directive) -> str:
    """Give the text of an exercise below its title, up to where its solution begins."""
    lines = page.text.split("\n")
    inner = [part for part in page.directives if part.name == "solution" and exercise in part.around]
    gone = {line for part in inner for line in range(part.line, part.end + 1)}
    kept = [lines[at - 1] for at in range(exercise.body_line, exercise.end) if at not in gone]
    return "\n".join(kept).strip().partition("\n")[2]


def sheet_as_markdown(layout: layouts.Layout, stem: str) -> str:
    """Give the same exercises as Markdown; of links into the book the address is left where the site has one."""
    chapter = chapters.read(layout, stem)
    how = _HOW.replace("<code>", "`").replace("</code>", "`")
    parts = [f"# {chapter.title}: exercises", how]
    for (name, part), text in zip(chapter.named("exercise"), markdown_pages.exercises(layout, chapter), strict=True):
        parts.append(text)
        for label, tex in named(chapter, chapter.pages[name], part).items():
            parts.append(f"$$\n{tex} \\tag{{{chapter.numbers.equations[label]}}}\n$$")
    parts.append(f"From dlnotes, an executable textbook on training deep networks. {_LICENSE}")
    text = "\n\n".join(parts) + "\n"

    def kept(found: re.Match[str]) -> str:
        words, target = found.groups()
        place, _, anchor = target.partition("#")
        name = f"{place.removeprefix('../' * place.count('../')).removesuffix('/index.html.md')}.md" if place else ""
        address = plain_markdown.on_site(layout, name, anchor) if name else ""
        return plain_markdown.link(words, address)

    return _LINK.sub(kept, text)


def index(layout: layouts.Layout, counts: dict[str, int]) -> str:
    """List the course pack."""
    rows = []
    for part, stems in layout.parts.items():
        rows.append(f"<h2>{html.escape(part)}</h2>")
        for stem in stems:
            title = html.escape(chapters.read(layout, stem).title)
            rows.append(
                f'<p><b>{title}</b>: <a href="{stem}.slides.html">{counts[stem]} slides</a>, exercises '
                f'<a href="{stem}.sheet.html">to print</a> and <a href="{stem}.sheet.md">as Markdown</a></p>'
            )
    body = f"<main>\n<h1>dlnotes: course pack</h1>\n{chr(10).join(rows)}\n<footer>{_LICENSE}</footer>\n</main>"
    return _document("dlnotes: course pack", body, styles(layout, "sheet.css"))
