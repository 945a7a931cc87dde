"""Where the chapters use a function of the package."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dlnotes.book import chapters, drawing, layout, previews, usage
from dlnotes.book.rules import breach, references
from tests.book import small_book

BOOK = layout.find(Path(__file__))


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("from dlnotes.numpy import momentum\nmomentum.Nesterov(1)", {"dlnotes.numpy.momentum.Nesterov"}),
        ("from dlnotes import precision as p\np.rounded(p)", {"dlnotes.precision.rounded"}),
        ("import dlnotes.torch.dropout as d\nd.dropout", {"dlnotes.torch.dropout.dropout"}),
        ("import numpy as np\nmomentum = np\nmomentum.mean([1])", set()),
        ("from dlnotes.numpy import momentum\nx = momentum", set()),
        ("print(1 +", set()),
    ],
)  # fmt: skip
def test_what_a_block_calls(code, names):
    assert usage.called(code) == names


def test_each_page_is_named_once_by_its_first_use_and_what_it_shows_counts_before_what_it_calls(tmp_path):
    small = small_book.write(tmp_path)
    found = usage.places(small)
    anchor = "kernel-initialization-he_variance"
    (place,) = found["dlnotes.numpy.initialization.he_variance"]
    assert place == ("chapters/initialization.md", "Initialization", anchor)
    chapter = small.docs / "chapters" / "initialization.md"
    text = chapter.read_text("utf-8")
    chapter.write_text(re.sub(r"/// kernel \| initialization.he_variance\n///\n", "", text), "utf-8")
    (place,) = usage.places(small)["dlnotes.numpy.initialization.he_variance"]
    assert place.anchor == "claim-he-variance"


def test_every_place_is_there_and_every_function_shown_is_named():
    book = breach.Book(BOOK)
    found = usage.places(BOOK)
    anchors = {}
    for place in {place for places in found.values() for place in places}:
        if place.page not in anchors:
            anchors[place.page] = references.anchors(book, place.page)
        assert place.anchor in anchors[place.page], place
    for stem in BOOK.stems:
        for _, part in chapters.read(BOOK, stem).named("kernel"):
            assert f"dlnotes.numpy.{part.argument}" in found


def test_a_page_is_shown_by_the_first_figure_of_its_chapter(tmp_path, monkeypatch):
    small = small_book.write(tmp_path)
    shown = previews.of_page(small, "chapters/initialization.md")
    assert shown.file == "assets/previews/initialization.png"
    assert shown.alt.startswith("Mean square of the activations")
    assert previews.of_page(small, "index.md") == shown
    drawn = []
    monkeypatch.setattr(previews.pictures, "png", lambda _, figure: drawn.append(figure) or b"picture")
    previews.publish(small, tmp_path / "site")
    assert drawn == [drawing.Figure("initialization", "relu-depth")]
    assert (tmp_path / "site" / shown.file).read_bytes() == b"picture"
    monkeypatch.setenv("SMALL_BOOK_URL", "")
    previews.publish(layout.Layout(tmp_path), tmp_path / "other")
    assert not (tmp_path / "other").exists()
