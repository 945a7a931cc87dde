"""The numbers that a reader sees: they count through the pages of a chapter; pages and exports take them from here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from dlnotes.book import pages


@dataclass(frozen=True, eq=False)
class Numbers:
    """The numbers of labeled equations, figures and exercises, each counted from 1 through the pages given."""

    pages: tuple[pages.Page, ...]

    @cached_property
    def equations(self) -> dict[str, int]:
        """Number of each labeled equation, by label."""
        return _counted(formula.label for page in self.pages for formula in page.formulas if formula.label)

    @cached_property
    def figures(self) -> dict[str, int]:
        """Number of each figure, by name: the part of the argument behind the stem."""
        return _counted(figure_name(figure.argument) for page in self.pages for figure in page.named("figure"))

    @cached_property
    def exercises(self) -> dict[str, int]:
        """Number of each exercise, by id."""
        return _counted(exercise.argument or "" for page in self.pages for exercise in page.named("exercise"))


def figure_name(argument: str | None) -> str:
    """Give the name of a figure without the stem in front of it."""
    return (argument or "").rpartition("/")[2]


def _counted(names) -> dict[str, int]:
    """Number the names in their order; one that comes twice keeps its first number."""
    return {name: number for number, name in enumerate(dict.fromkeys(names), start=1)}
