"""Numbers are local to a page and follow the order in which things stand."""

from __future__ import annotations

from dlnotes.book import numbering, pages

PAGE = """\
$$
a \\label{first}
$$

$$
b
$$

/// figure | initialization/relu-depth
///

Text with $c$.

```md
$$
d \\label{shown-only}
$$
```

$$
e \\label{second}
$$

/// figure | momentum/ravine
///

//// exercise | one
////

//// exercise | two
////
"""


def test_only_what_can_be_referred_to_is_numbered() -> None:
    numbers = numbering.Numbers((pages.parse(PAGE),))
    assert numbers.equations == {"first": 1, "second": 2}
    assert numbers.figures == {"relu-depth": 1, "ravine": 2}
    assert numbers.exercises == {"one": 1, "two": 2}


def test_a_label_that_comes_twice_keeps_its_number_and_shifts_no_other() -> None:
    text = "$$\na \\label{x}\n$$\n\n$$\nb \\label{x}\n$$\n\n$$\nc \\label{y}\n$$\n"
    assert numbering.Numbers((pages.parse(text),)).equations == {"x": 1, "y": 2}


def test_a_page_without_any_has_none() -> None:
    numbers = numbering.Numbers((pages.parse("# Title\n"),))
    assert (numbers.equations, numbers.figures, numbers.exercises) == ({}, {}, {})


def test_numbers_count_on_through_the_pages_of_a_chapter() -> None:
    second = "$$\nd \\label{third}\n$$\n\n/// figure | momentum/valley\n    alt: A valley.\n\nA valley.\n///\n"
    numbers = numbering.Numbers((pages.parse(PAGE), pages.parse(second)))
    assert numbers.equations == {"first": 1, "second": 2, "third": 3}
    assert numbers.figures["valley"] == 3
