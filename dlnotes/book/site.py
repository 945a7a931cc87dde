"""What the builder of the site asks: where a page of a chapter belongs, how long it takes, what the search weighs.

MkDocs loads this file as a hook of mkdocs.yml and calls the functions whose names begin with `on_`.
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError

from dlnotes.book import anki, markdown_pages, notebooks, pages, plain_markdown, previews, runtime, words
from dlnotes.book import layout as layouts

# How much a hit on a page counts. A learner looks for a chapter first; the reference of the code repeats its words.
BOOSTS = {"chapters": 2.0, "beside": 1.0, "api": 0.2, "references.md": 0.2, "benchmarks.md": 0.2, "notation.md": 0.5}
CHAPTER = "Chapter"
STYLES = "assets/css/all.css"
API_STYLES = "assets/_mkdocstrings.css"  # what the builder of the API pages writes
# Begin what a reader can run: a block, and a figure to draw again.
RUNS = ('<div class="language-python highlight"', '<button class="figure__change"')
STUDY = '<section class="study"'
# Fonts besides those of text and headings, and what needs them: a page that asks for them in its head stands sooner.
FONTS = {
    "source-serif-4-italic": ("<em>", 'class="claim__words"', 'class="question"', 'class="contents__question"'),
    "jetbrains-mono": ("<code",),
    "stix-two-math": ("<math",),
}


def boost(layout: layouts.Layout, name: str) -> float:
    """Give the weight of a page in the search."""
    stem = layout.stem(name)
    if stem is not None:
        return BOOSTS["chapters" if name == f"chapters/{stem}.md" else "beside"]
    return BOOSTS["api"] if name == "api.md" or name.startswith("api/") else BOOSTS.get(name, 1.0)


def on_config(config: Any) -> Any:
    """Ask for no style sheet besides the one that is put together; and see first whether Python can be had."""
    try:
        if runtime.wanted():
            runtime.fetched()
    except runtime.RuntimeMissing as error:
        raise PluginError(str(error)) from None
    config["extra_css"] = [name for name in config["extra_css"] if str(name) != API_STYLES]
    return config


def on_nav(nav: Any, config: Any, files: Any) -> Any:
    """Put the pages beside a chapter behind it, so that a reader can go through them and comes back to the next."""
    layout = layouts.find()
    for stem in layout.stems:
        order = [files.get_file_from_path(name).page for name in _names(layout, stem)]
        after = order[0].next_page if order else None
        for before, page in itertools.pairwise(order):
            page.previous_page = before
            page.next_page = after
            if before is not order[0]:
                before.next_page = page
    return nav


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Say how much the page counts in the search, and by which other words it is found."""
    page.meta.setdefault("search", {}).setdefault("boost", boost(layouts.find(), page.file.src_uri))
    if "synonyms" in page.meta:
        page.meta["tags"] = [page.meta["title"], *page.meta["synonyms"]]  # else another page's synonyms outdo a title
    return markdown


def on_page_content(html: str, page: Any, config: Any, files: Any) -> str:
    """Put each table into a place that scrolls when the table is wider."""
    table = '<div class="md-typeset__scrollwrap"><div class="md-typeset__table">\\1</div></div>'
    return re.sub(r"(<table>.*?</table>)", table, html, flags=re.DOTALL)


def on_page_context(context: Any, page: Any, config: Any, nav: Any) -> Any:
    """Give the template the pages of the chapter and the minutes that this one takes; mark the chapter in the nav."""
    for marked in nav.pages:
        if marked.active and marked is not page:  # by the page before
            marked.active = False
    page.active = True
    content = page.content or ""
    context["cards"] = STUDY in content
    context["runs"] = any(mark in content for mark in RUNS)
    context["moves"] = '<div class="moving"' in content
    open_ = re.sub(r"</summary>.*?</details>", "", content, flags=re.DOTALL)
    context["fonts"] = [name for name, marks in FONTS.items() if any(mark in open_ for mark in marks)]
    context["python"] = "yes" if runtime.wanted() else "no"
    layout = layouts.find()
    context["markdown"] = plain_markdown.beside(page.file.src_uri)
    context["preview"] = previews.of_page(layout, page.file.src_uri)
    stem = layout.stem(page.file.src_uri)
    if stem is None:
        return context
    names = _names(layout, stem)
    context["notebook"] = notebooks.links(layout, stem)
    context["minutes"] = words.minutes(words.count(pages.read(layout.docs / page.file.src_uri)))
    titles = (CHAPTER, *(layouts.BESIDE[_word(name)] for name in names[1:]))
    if len(names) > 1:
        context["parts"] = [
            {"title": title, "url": _address(name), "current": name == page.file.src_uri}
            for title, name in zip(titles, names, strict=True)
        ]
    main = next((found for found in nav.pages if found.file.src_uri == names[0]), None)
    if main is not None:
        main.active = True
    return context


def on_post_build(config: Any) -> None:
    """Put the style sheets together, and Python, notebooks, deck and the Markdown of the pages into the site."""
    folder = Path(config["site_dir"])
    _join_styles(folder, config["extra"]["styles"])
    if runtime.wanted():
        runtime.install(folder, layouts.find())
    notebooks.publish(layouts.find(), folder)
    anki.publish(layouts.find(), folder)
    markdown_pages.publish(layouts.find(), folder)
    previews.publish(layouts.find(), folder)


def _join_styles(folder: Path, names: list[str]) -> None:
    """Put the style sheets together; what they name lies beside them, so that the addresses stay right."""
    theme = [next((folder / "assets" / "stylesheets").glob(f"{name}.*.css")) for name in ("main", "palette")]
    theme += [path for path in (folder / API_STYLES,) if path.is_file()]
    own = [folder / name for name in names]
    texts = [re.sub(r"/\*# sourceMappingURL=.*?\*/", "", path.read_text("utf-8")).strip() for path in (*theme, *own)]
    if any("url(" in re.sub(r"url\([\"']?data:", "", text) for text in texts[: len(theme)]):
        raise ValueError("the theme's style sheets name files by their own place, and cannot be put elsewhere")
    (folder / STYLES).write_text("\n".join(texts) + "\n", "utf-8")


def _word(name: str) -> str:
    """Give the word of a page beside a chapter: derivation, claims or practice."""
    return name.rpartition("/")[2].removesuffix(".md")


def _names(layout: layouts.Layout, stem: str) -> list[str]:
    return [path.relative_to(layout.docs).as_posix() for path in layout.chapter_pages(stem)]


def _address(name: str) -> str:
    """Give the address of a page below the site's."""
    return f"{name.removesuffix('.md')}/"
