"""The layout reads mkdocs.yml as the builder does, and finds what belongs to a chapter."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dlnotes.book import layout
from tests.book import small_book


def test_chapters_come_in_the_order_of_the_nav(tmp_path: Path) -> None:
    nav = """\
nav:
  - index.md
  - Part I:
      - chapters/momentum.md
      - Deep:
          - The start: chapters/initialization.md
  - chapters/deeper/not_a_chapter.md
  - Source: https://example.org/chapters/elsewhere.md
"""
    book = small_book.write(tmp_path, mkdocs_yml=nav)
    assert book.stems == ("momentum", "initialization")
    assert book.nav["chapters/initialization.md"] == "The start"
    assert book.nav["chapters/momentum.md"] is None
    assert book.pages[0] == tmp_path / "docs" / "index.md"
    assert len(book.pages) == 4


def test_tags_that_only_the_builder_understands_are_let_through(tmp_path: Path) -> None:
    settings = small_book.write(tmp_path).settings
    assert (
        settings["markdown_extensions"][1]["pymdownx.emoji"]["emoji_index"] == "name:material.extensions.emoji.twemoji"
    )


def test_settings_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SMALL_BOOK_URL", raising=False)
    assert small_book.write(tmp_path).site_url == "https://example.org/"
    monkeypatch.setenv("SMALL_BOOK_URL", "https://other.example/")
    assert layout.Layout(tmp_path).site_url == "https://other.example/"
    (tmp_path / "mkdocs.yml").write_text("site_url: !ENV SMALL_BOOK_URL\nextra:\n")
    assert layout.Layout(tmp_path).site_url == "https://other.example/"
    monkeypatch.delenv("SMALL_BOOK_URL")
    assert layout.Layout(tmp_path).site_url == ""
    assert layout.Layout(tmp_path).repository == ""


def test_a_stem_finds_everything_of_its_chapter(tmp_path: Path) -> None:
    book = small_book.write(tmp_path)
    found = [
        book.page("initialization"),
        book.module("initialization", "numpy"),
        book.module("initialization", "torch"),
        book.figures("initialization"),
        book.exercises("initialization"),
    ]
    assert all(path.is_file() for path in found)
    drawn = book.figure("initialization", "relu-depth", "wide", "dark")
    assert book.relative(drawn) == "docs/assets/figures/initialization/relu-depth.wide.dark.svg"
    assert book.relative(Path("/elsewhere/a.md")) == "/elsewhere/a.md"


def test_the_book_is_found_from_inside_and_else_around_the_package(tmp_path: Path) -> None:
    small_book.write(tmp_path)
    assert layout.find(tmp_path / "docs" / "chapters").root == tmp_path.resolve()
    empty = tmp_path / "docs" / "empty"
    empty.mkdir()
    assert layout.find(empty).root == tmp_path.resolve()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "has no mkdocs.yml"),
        ("nav: [", "cannot be read"),
        ("- a\n", "must be a mapping"),
        ("", "must be a mapping"),
    ],
)
def test_a_folder_that_is_no_book_is_refused_in_one_line(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "mkdocs.yml").write_text(text)
    with pytest.raises(layout.LayoutError, match=message) as error:
        layout.Layout(tmp_path).settings  # noqa: B018
    assert "\n" not in str(error.value)


def test_paths_are_known_without_a_reader_of_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert layout.Layout(tmp_path).page("momentum").name == "momentum.md"
