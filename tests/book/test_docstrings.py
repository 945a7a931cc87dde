"""Docstrings are read as the API shows them: sentence, equations, arguments, errors, source and derivation."""

from __future__ import annotations

import pytest

from dlnotes.book import docstrings

TEXT = """Give the variance that keeps a signal.

        Var[w] = 2 / fan_in

            for a ReLU

    It is twice that of `lecun`,
    on two lines.

    Args:
        fan_in: Inputs of a unit, above 0;
            see `fans`.
        a, b: Two at once.

    Returns:
        The variance: a number.

    Raises:
        TypeError: If it is none.
        ValueError: If it is not above 0.

    Derivation: half of the square is lost.

    Source: He et al. (2015);
    derived here.
    """


def test_every_part_is_found() -> None:
    doc = docstrings.parse(TEXT)
    assert doc.summary == "Give the variance that keeps a signal."
    assert [part.equation for part in doc.paragraphs] == [False, True, True, False]
    assert doc.paragraphs[1].text == "Var[w] = 2 / fan_in"
    assert doc.paragraphs[3].text == "It is twice that of `lecun`, on two lines."
    assert doc.sections["Args"] == (
        docstrings.Item("fan_in", "Inputs of a unit, above 0; see `fans`."),
        docstrings.Item("a, b", "Two at once."),
    )
    assert [item.name for item in doc.sections["Raises"]] == ["TypeError", "ValueError"]
    assert doc.returns == "The variance: a number."
    assert doc.source == "He et al. (2015); derived here."
    assert [part.text for part in doc.derivation] == ["half of the square is lost."]
    assert TEXT.split("\n")[doc.line or 0].strip().startswith("Source:")


@pytest.mark.parametrize("text", ["", "One line."])
def test_what_is_not_there_is_empty(text: str) -> None:
    doc = docstrings.parse(text)
    assert doc.summary == text
    assert (doc.sections, doc.returns, doc.source, doc.derivation, doc.line) == ({}, "", "", (), None)
