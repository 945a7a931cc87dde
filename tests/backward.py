"""A pytest plugin for the second run of the pages: in backward order, to find blocks that live on what others leave.

The time that blocks take is not judged there, because that run computes on purpose with slower instructions.
"""

from __future__ import annotations

import math

import pytest

from dlnotes.book import blocks


def pytest_configure() -> None:
    blocks.SLACK = math.inf


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.reverse()
