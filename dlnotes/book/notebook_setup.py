"""How a notebook begins: what it is and what it needs, and the cell that installs it."""

from __future__ import annotations

from dlnotes.book import chapters, plain_markdown, wheel
from dlnotes.book import layout as layouts

_ABOUT = """\
A chapter of dlnotes, an executable textbook on training deep networks, made of {pages}. The cells of code can be run
in any order, for each imports what it uses. They need the package `dlnotes`, which the next cell installs, and NumPy;
those that import `torch` need PyTorch too. The cell of an exercise ends in an error until you have solved it. Code:
MIT. Text and figures: CC BY 4.0."""

_FROM_SITE = """\
# Installs dlnotes, from which the cells below import; does nothing if it is there.
import importlib.util
import subprocess
import sys

WHEEL = "{address}"

if importlib.util.find_spec("dlnotes") is None:
    install = [sys.executable, "-m", "pip", "install", "--quiet", WHEEL]
    subprocess.run(install, check=True)
    importlib.invalidate_caches()
"""

_FROM_CLONE = """\
# Installs dlnotes, from which the cells below import; does nothing if it is there.
import importlib.util
import pathlib
import subprocess
import sys

if importlib.util.find_spec("dlnotes") is None:
    here = pathlib.Path.cwd()
    clones = (at for at in (here, *here.parents) if (at / "dlnotes").is_dir())
    clone = next(clones, None)
    if clone is None:
        raise ModuleNotFoundError(
            "dlnotes is not installed. Open this notebook inside a copy of the "
            "book's repository, or run: pip install -e FOLDER, which names it"
        )
    install = [sys.executable, "-m", "pip", "install", "--quiet", "-e"]
    subprocess.run([*install, str(clone)], check=True)
    sys.path.append(str(clone))  # Python reads what is installed so only anew
"""


def opening(layout: layouts.Layout, chapter: chapters.Chapter) -> str:
    """Say what the notebook is and what it needs."""
    address = f"{layout.site_url.rstrip('/')}/chapters/{chapter.stem}/" if layout.site_url else ""
    pages = plain_markdown.link("the pages of the chapter", address)
    about = " ".join(_ABOUT.format(pages=pages).split("\n"))
    question = [f"*{chapter.question}*"] if chapter.question else []
    return "\n\n".join([f"# {chapter.title}", *question, about])


def installation(layout: layouts.Layout) -> str:
    """Give the code that installs the package: from the site if it has an address, else from the clone around."""
    address = wheel.address(layout)
    return (_FROM_SITE.format(address=address) if address else _FROM_CLONE).rstrip("\n")
