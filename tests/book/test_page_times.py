"""The waits of a reader who runs a block in the page: read from their file, and told with their goals."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree

import pytest

from dlnotes.book import benchmarks, page_times

FOUND = {"machine": ["a processor"], "first": [3.0, 6.5, 6.0], "again": [0.003, 0.002, 0.004]}


def written(tmp_path, **changes):
    path = tmp_path / "in_the_page.json"
    path.write_text(json.dumps(FOUND | changes), "utf-8")
    return path


def test_medians_are_held_against_their_goals(tmp_path):
    first, again = page_times.goals(page_times.load(written(tmp_path)))
    assert (first.median, first.reached) == (6.0, False)
    assert (again.median, again.reached) == (0.003, True)


@pytest.mark.parametrize(("first", "verdict"), [([4.0], "reached"), ([4.01], "missed")])
def test_a_missed_goal_says_why(tmp_path, first, verdict):
    words = "".join(page_times.table(page_times.load(written(tmp_path, first=first))).itertext())
    assert f"at most 4 s: {verdict}" in words
    assert ("Why the goal is missed" in words) == (verdict == "missed")


def test_the_table_has_a_line_for_each_wait(tmp_path):
    html = ElementTree.tostring(page_times.table(page_times.load(written(tmp_path, first=[3.5]))), "unicode")
    assert html.count("<tr>") == 3
    assert "2 ms, 4 ms" in html


@pytest.mark.parametrize(
    "changes", [{"first": []}, {"first": [3]}, {"again": 0.1}, {"machine": [1]}, {"more": []}], ids=str
)
def test_another_file_is_refused(tmp_path, changes):
    with pytest.raises(benchmarks.ResultsError, match="not what"):
        page_times.load(written(tmp_path, **changes))


def test_a_missing_or_broken_file_is_named(tmp_path):
    with pytest.raises(benchmarks.ResultsError, match=r"no in_the_page\.json"):
        page_times.load(tmp_path / "in_the_page.json")
    path = tmp_path / "in_the_page.json"
    path.write_text("{", "utf-8")
    with pytest.raises(benchmarks.ResultsError, match=r"in_the_page\.json:1"):
        page_times.load(path)
