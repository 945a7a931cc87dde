"""A chapter as a Jupyter notebook: text, formulas, figures, and its blocks of code as cells with what they print.

The cells are made of the parsed pages, so that what is run in tests is what a reader of the notebook runs.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from dlnotes.book import chapters, context, notebook_pages, notebook_setup, pictures, wheel
from dlnotes.book import layout as layouts

FOLDER = "notebooks"  # of the site, and the branch of the repository that holds them for Colab
FAILS = "raises-exception"  # Jupyter goes on behind a cell with this tag that ends in an error
_GITHUB = re.compile(r"https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?")
_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"},
}


class Links(NamedTuple):
    """Where a page's reader gets the notebook: an address below the site's, and one that opens it, or nothing."""

    file: str
    colab: str


def links(layout: layouts.Layout, stem: str) -> Links:
    """Give the links to a chapter's notebook; Colab opens what lies on GitHub, and needs the address of the wheel."""
    found = _GITHUB.fullmatch(layout.repository)
    colab = f"https://colab.research.google.com/github/{found[1]}/blob/{FOLDER}/{stem}.ipynb" if found else ""
    return Links(f"{FOLDER}/{stem}.ipynb", colab if layout.site_url else "")


def cells(layout: layouts.Layout, stem: str) -> list[notebook_pages.Cell]:
    """Give the cells of a chapter: what it is, the installation, and then all its pages."""
    chapter = chapters.read(layout, stem)
    made = [
        notebook_pages.Cell("markdown", f"{notebook_pages.anchor(stem)}\n\n{notebook_setup.opening(layout, chapter)}"),
        notebook_pages.Cell("code", notebook_setup.installation(layout)),
    ]
    for name, page in chapter.pages.items():
        made += notebook_pages.cells(context.Context(layout, name, page))
    return _without_idle_anchors(made)


def _without_idle_anchors(made: Iterable[notebook_pages.Cell]) -> list[notebook_pages.Cell]:
    """Leave out the anchors to which no link leads, so that the text stays readable where it is changed."""
    made = list(made)
    wanted = {name for cell in made for name in re.findall(r"\]\(#([^()\s]+)\)", cell.source)}

    def kept(found: re.Match[str]) -> str:
        return found[0] if found[1] in wanted else ""

    anchor = re.compile(notebook_pages.anchor('([^"]+)') + "\n\n")
    return [cell._replace(source=anchor.sub(kept, cell.source)) if cell.kind == "markdown" else cell for cell in made]


def notebook(layout: layouts.Layout, stem: str) -> Any:
    """Make the notebook of a chapter; the same pages give the same one."""
    import nbformat

    made = nbformat.v4.new_notebook(metadata=_METADATA)
    for number, cell in enumerate(cells(layout, stem)):
        made.cells.append(_jupyter(layout, cell, f"{stem.replace('_', '-')}-{number}"))
    nbformat.validate(made)
    return made


def _jupyter(layout: layouts.Layout, cell: notebook_pages.Cell, identifier: str) -> Any:
    """Make a cell as Jupyter has it."""
    from nbformat import v4

    if cell.kind == "markdown":
        made = v4.new_markdown_cell(cell.source, id=identifier)
        if cell.pictures:
            made.attachments = {
                notebook_pages.picture_name(figure): {
                    "image/png": base64.b64encode(pictures.png(layout, figure)).decode()
                }
                for figure in cell.pictures
            }
        return made
    made = v4.new_code_cell(cell.source, id=identifier)
    if cell.fails:
        made.metadata.tags = [FAILS]
    if cell.output is not None:
        made.outputs = [v4.new_output("stream", name="stdout", text=cell.output)]
    return made


def text(layout: layouts.Layout, stem: str) -> str:
    """Give the file of a chapter's notebook."""
    import nbformat

    return nbformat.writes(notebook(layout, stem), version=4).rstrip("\n") + "\n"


def write(layout: layouts.Layout, stem: str, path: Path) -> None:
    """Write the notebook of a chapter."""
    path.write_text(text(layout, stem), "utf-8", newline="\n")


def publish(layout: layouts.Layout, site: Path) -> None:
    """Put the notebooks of all chapters into the folder of the site, and the wheel that they install."""
    (site / FOLDER).mkdir(parents=True, exist_ok=True)
    for stem in layout.stems:
        write(layout, stem, site / links(layout, stem).file)
    wheel.publish(layout, site)
