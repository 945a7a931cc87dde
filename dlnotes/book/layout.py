"""Where everything of the book lies: one word, the stem of a chapter, finds its page, modules, figures and tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

BACKENDS = ("numpy", "torch")
# What a chapter has beside its main page, in this order: the name of the file, and how links call it.
BESIDE = {"derivation": "Derivation", "claims": "Evidence", "practice": "Exercises and cards"}


class LayoutError(Exception):
    """The folder given is not the book's, or its mkdocs.yml cannot be read."""


@lru_cache(maxsize=1)
def _loader() -> Any:
    """Build a reader of YAML that lets tags through which only the site's builder understands."""
    yaml = _yaml()

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        pass

    Loader.add_constructor("!ENV", _environment)
    Loader.add_multi_constructor("!", _opaque)
    Loader.add_multi_constructor("tag:yaml.org,2002:python/", _opaque)
    return Loader


def _yaml() -> Any:
    import yaml  # paths alone are known without it

    return yaml


def _environment(loader: Any, node: Any) -> Any:
    """Read `!ENV NAME` or `!ENV [NAME, ..., default]` as the builder does."""
    if node.id == "scalar":
        return os.environ.get(node.value)
    *names, default = loader.construct_sequence(node, deep=True)
    return next((os.environ[name] for name in names if name in os.environ), default)


def _opaque(loader: Any, suffix: str, node: Any) -> str:
    """Give the tag's own text back; what the builder makes of it does not matter here."""
    return suffix


@dataclass(frozen=True)
class Layout:
    """The book in the folder `root`, which holds mkdocs.yml."""

    root: Path

    @property
    def docs(self) -> Path:
        """Folder of the pages."""
        return self.root / "docs"

    @property
    def package(self) -> Path:
        """Folder of the package `dlnotes`."""
        return self.root / "dlnotes"

    @property
    def figures_folder(self) -> Path:
        """Folder of the drawn figures."""
        return self.docs / "assets" / "figures"

    def moving(self, name: str) -> Path:
        """Path of the script of a figure that moves."""
        return self.docs / "assets" / "js" / "moving" / f"{name}.js"

    @property
    def cache(self) -> Path:
        """Folder of what can be made again; git ignores it."""
        return self.root / ".cache"

    @property
    def ledger(self) -> Path:
        """The file of the claims."""
        return self.docs / "claims.yaml"

    @property
    def bibliography(self) -> Path:
        """The file of the sources cited."""
        return self.docs / "references.yaml"

    @property
    def benchmarks(self) -> Path:
        """The file of what `python -m benchmarks` measured."""
        return self.root / "benchmarks" / "results.json"

    @property
    def page_times(self) -> Path:
        """The file of how long a reader waits for a block in the page."""
        return self.root / "benchmarks" / "in_the_page.json"

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What mkdocs.yml says."""
        path = self.root / "mkdocs.yml"
        try:
            settings = _yaml().load(path.read_text("utf-8"), _loader())
        except FileNotFoundError:
            raise LayoutError(f"{self.root} is not the folder of the book: it has no mkdocs.yml") from None
        except _yaml().YAMLError as error:
            raise LayoutError(f"mkdocs.yml cannot be read: {' '.join(str(error).split())}") from None
        if not isinstance(settings, dict):
            raise LayoutError("mkdocs.yml must be a mapping of settings")
        return settings

    @property
    def site_url(self) -> str:
        """Address under which the site is served, or an empty string."""
        return self.settings.get("site_url") or ""

    @property
    def repository(self) -> str:
        """Address of the source repository, or an empty string.

        It stands under `extra`, because the theme asks the code host for facts when `repo_url` is set.
        """
        return (self.settings.get("extra") or {}).get("repository") or ""

    @cached_property
    def nav(self) -> dict[str, str | None]:
        """The pages in the order of the book: path below docs/, with the title that the nav gives it."""
        return dict(_flat(self.settings.get("nav") or []))

    @property
    def pages(self) -> tuple[Path, ...]:
        """The pages of the nav, in its order."""
        return tuple(self.docs / name for name in self.nav)

    @cached_property
    def parts(self) -> dict[str, tuple[str, ...]]:
        """Stems of the chapters by the title of their part, in the order of the nav."""
        sections = {
            title: tuple(Path(path).stem for path, _ in _flat(inner) if path.startswith("chapters/"))
            for entry in self.settings.get("nav") or []
            if isinstance(entry, dict)
            for title, inner in entry.items()
        }
        return {title: stems for title, stems in sections.items() if stems}

    @cached_property
    def stems(self) -> tuple[str, ...]:
        """The chapters in the order of the book."""
        names = (Path(name) for name in self.nav)
        return tuple(name.stem for name in names if name.parts[:-1] == ("chapters",))

    def page(self, stem: str) -> Path:
        """Path of the chapter's page."""
        return self.docs / "chapters" / f"{stem}.md"

    def beside(self, stem: str, part: str) -> Path:
        """Path of a page beside the chapter's main page; `part` is a word of `BESIDE`."""
        return self.docs / "chapters" / stem / f"{part}.md"

    def is_split(self, stem: str) -> bool:
        """Say whether the chapter has pages beside its main page."""
        return (self.docs / "chapters" / stem).is_dir()

    def chapter_pages(self, stem: str) -> tuple[Path, ...]:
        """Paths of the chapter's pages that there are, the main page first."""
        return tuple(path for path in _places(self, stem) if path.is_file())

    def stem(self, name: str) -> str | None:
        """Stem of the chapter to which a page below docs/ belongs, or None."""
        parts = Path(name).with_suffix("").parts
        if parts[:1] != ("chapters",) or len(parts) not in (2, 3) or (len(parts) == 3 and parts[2] not in BESIDE):
            return None
        return parts[1]

    def api(self, stem: str) -> Path:
        """Path of the page that describes the chapter's functions."""
        return self.docs / "api" / f"{stem}.md"

    def module(self, stem: str, backend: str) -> Path:
        """Path of the chapter's kernels."""
        return self.package / backend / f"{stem}.py"

    def figures(self, stem: str) -> Path:
        """Path of the code of the chapter's figures."""
        return self.package / "figures" / f"{stem}.py"

    def figure_files(self, stem: str) -> tuple[Path, ...]:
        """Paths of the code of the chapter's figures: `<stem>.py`, and `<stem>_<word>.py` where one is too long."""
        first = self.figures(stem)
        others = (path for path in sorted(first.parent.glob(f"{stem}_*.py")) if path.stem not in self.stems)
        return (first, *others) if first.is_file() else ()

    def exercises(self, stem: str) -> Path:
        """Path of the checkers of the chapter's exercises."""
        return self.package / "exercises" / f"{stem}.py"

    def figure(self, stem: str, name: str, width: str, theme: str) -> Path:
        """Path of a drawn figure; `width` is wide or narrow, `theme` light or dark."""
        return self.figures_folder / stem / f"{name}.{width}.{theme}.svg"

    def built(self, address: str, source: str = "") -> str:
        """Give an address relative to a page's source as it is from the page that is built, in a folder of its own.

        The builder does so for links and images; it does not know of the forms of a picture.
        """
        in_folder = self.settings.get("use_directory_urls", True) and Path(source).stem != "index"
        return f"../{address}" if in_folder else address

    def relative(self, path: Path) -> str:
        """Path as shown to a reader: below the root, with slashes on every system."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.as_posix()


@lru_cache(maxsize=1024)
def _places(layout: Layout, stem: str) -> tuple[Path, ...]:
    """Give where the pages of a chapter lie, if there are any; asked for thousands of times while the site is built."""
    return (layout.page(stem), *(layout.beside(stem, part) for part in BESIDE))


def find(start: Path | None = None) -> Layout:
    """Find the book around `start` (the current folder), else around this package."""
    start = (start or Path.cwd()).resolve()
    around_package = Path(__file__).resolve().parents[2]
    for folder in (start, *start.parents, around_package):
        if (folder / "mkdocs.yml").is_file() and (folder / "dlnotes").is_dir():
            return Layout(folder)
    raise LayoutError("no book here: run this inside a clone of the repository, where mkdocs.yml is")


def _flat(entries: Any, title: str | None = None) -> Iterator[tuple[str, str | None]]:
    """Walk the nav, sections opened, links to other sites left out."""
    if isinstance(entries, str):
        if "://" not in entries:
            yield entries, title
    elif isinstance(entries, dict):
        for name, inner in entries.items():
            yield from _flat(inner, name)
    else:
        for entry in entries or []:
            yield from _flat(entry)
