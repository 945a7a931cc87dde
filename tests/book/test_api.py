"""The API: both backends in one entry, equations set, names and works as links, an index that leaves nothing out."""

from __future__ import annotations

import ast
from html.parser import HTMLParser
from pathlib import Path

import pytest

from dlnotes.book import api, api_text, layout, source

BOOK = layout.find()
MODULES = sorted(name for name in api.places(BOOK) if name not in ("dlnotes", "dlnotes.numpy"))

NUMPY = '''"""Growth of things."""

import numpy as np


class Pair(NamedTuple):
    """Two numbers.

    Attributes:
        first: The first.
    """

    first: float

    def swap(self, twice: bool = False) -> "Pair":
        """Swap them."""


def double(x: Float[np.ndarray, "*runs n"], dtype: type = np.float64):
    """Double, unlike `halve`.

        y_i = 2^(n - 1) x_i,    fan_in <= 1

    Args:
        x: What is doubled.
        dtype: np.float64.

    Returns:
        Twice x.

    Raises:
        ValueError: If x is nothing.

    Source: definition.
    """


def halve(x):
    """Halve."""
'''
TORCH = '''"""Growth of things."""


def double(x: Float[Tensor, "*runs n"], dtype: torch.dtype = torch.float64, device=None):
    """Double, unlike `halve`.

    Equation, arguments and errors as in `dlnotes.numpy.growth.double`; x stays where it is.

    Args:
        device: Where.
    """


def treble(x):
    """Treble."""
'''


@pytest.fixture
def book(tmp_path: Path) -> layout.Layout:
    files = {
        "mkdocs.yml": "nav: [api/growth.md]\n",
        "dlnotes/__init__.py": "",
        "dlnotes/numpy/__init__.py": "",
        "dlnotes/numpy/growth.py": NUMPY,
        "dlnotes/torch/growth.py": TORCH,
        "docs/references.yaml": "[]",
        "docs/api/growth.md": "# API: Growth\n\n::: dlnotes.numpy.growth\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    return layout.Layout(tmp_path)


def entry(book: layout.Layout, name: str) -> api.Entry:
    return next(part for part in api.Reference(book, "dlnotes.numpy.growth").entries if part.name == name)


def test_both_backends_are_one_entry_and_say_what_differs(book: layout.Layout) -> None:
    body = entry(book, "double").body
    assert body.count("What is doubled.") == 1
    assert '<span id="dlnotes.torch.growth.double"></span>' in body
    assert body.count('class="api__signature"') == 2
    assert "<b>In PyTorch </b>X stays where it is." in body
    assert "Equation, arguments" not in body
    assert body.index("In PyTorch") < body.index("device</code>")


def test_a_name_in_one_backend_says_so(book: layout.Layout) -> None:
    reference = api.Reference(book, "dlnotes.numpy.growth")
    assert [(part.name, part.only) for part in reference.entries] == [
        ("Pair", "NumPy only"),
        ("double", ""),
        ("halve", "NumPy only"),
        ("treble", "PyTorch only"),
    ]
    assert reference.entries[-1].identifier == "dlnotes.torch.growth.treble"
    assert reference.index.count("<tr>") == 4
    assert reference.intro.count("Growth of things.") == 1


def test_equations_are_set_and_names_of_several_letters_left_whole(book: layout.Layout) -> None:
    body = entry(book, "double").body
    assert "y<sub>i</sub> = 2<sup>n - 1</sup> x<sub>i</sub>,    fan_in \u2264 1" in body


def test_names_in_a_docstring_lead_to_their_entry(book: layout.Layout) -> None:
    assert '<a href="../../api/growth/#dlnotes.numpy.growth.halve"><code>halve</code></a>' in entry(book, "double").body


def test_fields_and_methods_of_a_class_can_be_linked_to(book: layout.Layout) -> None:
    body = entry(book, "Pair").body
    assert 'id="dlnotes.numpy.growth.Pair.first"' in body
    assert 'id="dlnotes.numpy.growth.Pair.swap"' in body
    assert ".<wbr>swap(<wbr>twice=False)" in body


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        ("Float[np.ndarray, '*runs n']", "floats (*runs, n)"),
        ("Integer[Tensor, ' batch'] | None", "integers (batch,) | None"),
        ("Float[Array, '...']", "floats (...)"),
        ("Mapping[str, Float[Array, 'n']]", "Mapping[str, floats (n,)]"),
        ("np.ndarray", "array"),
        ("tuple[int, ...]", "tuple[int, ...]"),
    ],
)
def test_kinds_of_arguments_are_told_in_words(annotation: str, kind: str) -> None:
    assert api_text.kind(ast.parse(annotation, mode="eval").body) == kind


class _Ids(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attributes if name == "id" and value]


@pytest.mark.parametrize("module", MODULES)
def test_every_name_of_the_book_has_an_entry_with_an_anchor_of_its_own(module: str) -> None:
    reference = api.Reference(BOOK, module)
    parser = _Ids()
    for part in reference.entries:
        parser.ids.append(part.identifier)
        parser.feed(part.body)
        assert part.sides[0].doc.summary.endswith((".", "?")), part.identifier
    assert len(parser.ids) == len(set(parser.ids))
    names = {f"{name}.{public}" for name, path in reference.paths.items() for public in source.public(path)}
    assert names <= set(parser.ids)
    assert reference.index.count("<tr>") == len(reference.entries)


def test_a_private_function_is_described_by_its_module() -> None:
    assert api.described("dlnotes.numpy.preprocessing.PCA") == "dlnotes.numpy.preprocessing.PCA"
    assert api.described("dlnotes.numpy.preprocessing._principal_axes") == "dlnotes.numpy.preprocessing"
