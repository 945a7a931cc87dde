"""The flashcards as a learner uses them: with the keyboard, over days, over an update of the site, without storage."""

from __future__ import annotations

import gzip
import json
import re

from dlnotes.book import layout
from tests.site.conftest import NARROW, ROOT, click
from tests.site.test_access import violations
from tests.site.test_storage import blocked  # noqa: F401

PATH = "flashcards/"
STORED = "localStorage.getItem(Object.keys(localStorage).find(key => key.endsWith('.dlnotes.cards')))"
COUNTS = re.compile(r"(\d+) due, (\d+) new")
SHOWN = "document.querySelectorAll('.md-content details.flashcard:not([hidden])').length"


def said(page, name: str) -> str:
    return page.locator(f".study__{name}").inner_text()


def kept(page) -> dict:
    return json.loads(page.evaluate(STORED))


def counts(page, topic: str) -> tuple[int, int]:
    """Read how many cards of a topic are due and new."""
    option = page.locator(f"#study-topic option[value={topic}]").text_content()
    due, new = COUNTS.search(option).groups()
    return int(due), int(new)


def has_focus(page, name: str) -> bool:
    return page.evaluate(f"document.activeElement.classList.contains('study__{name}')")


def test_cards_are_studied_by_the_keyboard_and_come_back(visit):
    page = visit(PATH)
    page.clock.install()
    page.reload()
    whole = page.evaluate(SHOWN)
    assert sum(sum(counts(page, stem)) for stem in topics(page)) == whole > 150
    due, new = counts(page, "initialization")
    assert due == 0
    page.select_option("#study-topic", "initialization")
    assert page.url.endswith("#topic=initialization")
    assert page.evaluate(SHOWN) == new < whole
    page.locator("#study-fresh").fill("3")
    page.locator("#study-fresh").press("Enter")
    question = page.locator(".study__question")
    first = question.inner_text()
    assert has_focus(page, "question")
    assert said(page, "left") == "3 cards left"
    assert page.locator(".study__chapter").get_attribute("href") == "../chapters/initialization/"
    assert page.evaluate(SHOWN) == 0
    page.keyboard.press("3")  # before the answer is shown no grade counts
    assert question.inner_text() == first
    page.keyboard.press("Space")
    assert has_focus(page, "answer")
    assert page.locator(".study__answer math").count()
    assert page.evaluate("document.querySelectorAll('.study__question [id], .study__answer [id]').length") == 0
    times = page.locator(".study__when").all_inner_texts()
    assert times == ["today", "tomorrow", "in 2 days", "in 8 days"]
    assert not violations(page)
    page.keyboard.press("1")
    assert said(page, "said") == "Again: comes back in this sitting."
    assert page.locator(".study__said").get_attribute("role") == "status"
    assert question.inner_text() != first
    page.keyboard.press("Space")
    page.keyboard.press("4")
    assert said(page, "said") == "Easy: comes back in 8 days."
    page.locator(".study__undo").click()  # the second card is asked again
    assert len(kept(page)["cards"]) == 1
    page.keyboard.press("Space")
    page.keyboard.press("2")
    page.keyboard.press("Space")
    page.keyboard.press("3")
    assert question.inner_text() == first
    page.keyboard.press("Space")
    page.keyboard.press("3")
    assert said(page, "due").startswith("3 cards answered, 2 known at once. Nothing is left for today.")
    assert has_focus(page, "due")
    assert page.evaluate(SHOWN) == new
    cards = kept(page)["cards"]
    assert len(cards) == 3
    assert all(card["due"] > card["first"] == card["last"] for card in cards.values())

    page.clock.fast_forward("24:00:00")  # one is due the next day, and new ones have room again
    page.reload()
    assert page.locator("#study-topic").input_value() == "initialization"
    tomorrow = sum(card["due"] - card["last"] == 1 for card in cards.values())
    assert counts(page, "initialization") == (tomorrow, new - 3)
    assert said(page, "due") == f"Today: {tomorrow} due, 3 new."
    assert page.locator("#initialization .study__mark").inner_text() == f"{tomorrow} due"
    assert not violations(page)


def topics(page) -> list[str]:
    found = page.locator("#study-topic option").evaluate_all("all => all.map(each => each.value).filter(Boolean)")
    assert found == [stem for stem in layout.Layout(ROOT).stems if stem in found]
    return found


NAMED, REMOVED = "flashcard-initialization-he", "flashcard-gone"


def test_a_schedule_is_kept_over_an_update_of_the_site_and_travels_as_a_file(visit, tmp_path):
    day = "Math.floor(Date.now() / 86400000)"
    page = visit(PATH, NARROW)
    page.evaluate(
        f"""() => {{
            const key = Object.keys(localStorage).find(key => key.endsWith('.dlnotes.cards')), day = {day};
            const card = {{s: 40.5, d: 6.25, first: day - 50, last: day - 41, due: day - 1}};
            localStorage.setItem(key, JSON.stringify({{fresh: 4, cards: {{'{NAMED}': card, '{REMOVED}': card}}}}));
        }}"""
    )
    before = kept(page)["cards"][NAMED]

    # The site is built anew: the wording of the card has changed, and another one is there no more.
    def newer(route):
        text = route.fetch().text()
        changed = re.sub(rf'(id="{NAMED}"[^>]*>)[^<]*', r"\1He in new words?", text)
        assert changed != text
        route.fulfill(body=changed, content_type="text/html")

    page.route("**/flashcards/", newer)
    page.reload()
    assert kept(page) == {"cards": {NAMED: before}, "fresh": 4}
    assert counts(page, "initialization")[0] == 1
    assert said(page, "due") == "Today: 1 due, 4 new."
    click(page.locator(".study__go"))
    assert page.locator(".study__question").inner_text() == "He in new words?"
    page.locator(".study__show").click()
    box = page.locator(".study__grades").bounding_box()
    assert box["y"] + box["height"] <= 844  # in reach of a thumb
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW
    page.locator(".study__grade--good").click()
    later = kept(page)["cards"][NAMED]
    assert later["s"] > 80
    assert later["due"] > later["last"] + 80
    page.locator(".study__stop").click()

    with page.expect_download() as started:
        click(page.locator(".study__save"))
    path = tmp_path / "schedule.json"
    started.value.save_as(path)
    click(page.locator(".study__forget"))
    assert NAMED in kept(page)["cards"]  # it asks first
    page.locator(".study__forget").click()
    assert kept(page)["cards"] == {}
    page.locator(".study__file").set_input_files(path)
    page.get_by_text("Schedule of 1 card loaded.").wait_for()
    assert kept(page)["cards"] == {NAMED: later}
    for text, why in (
        ("{", "it is not JSON"),
        ('{"format": "dlnotes answers", "version": 1}', "no schedule of this book"),
    ):
        path.write_text(text)
        page.locator(".study__file").set_input_files(path)
        page.locator(".study__status", has_text=why).wait_for()
    assert kept(page)["cards"] == {NAMED: later}


def test_without_storage_cards_are_studied_and_the_page_says_that_nothing_is_kept(blocked):  # noqa: F811
    page = blocked(PATH)
    assert said(page, "keeps") == "This browser keeps nothing: your schedule lasts until you leave the page."
    page.locator(".study__go").click()
    page.keyboard.press("Space")
    page.keyboard.press("4")
    assert said(page, "left") == "9 cards left"
    page.keyboard.press("Escape")
    assert said(page, "due").startswith("1 card answered, 1 known at once.")


def test_without_script_the_cards_are_a_list_and_nothing_else(visit):
    page = visit(PATH, java_script_enabled=False)
    assert not page.locator(".study").is_visible()
    cards = page.locator("details.flashcard")
    assert cards.count() > 150
    cards.first.locator("summary").click()
    assert cards.first.locator("p").first.is_visible()
    assert page.locator(".study__deck a").is_visible()


def test_a_card_that_is_linked_to_is_shown_whatever_the_filter_hides(visit):
    page = visit(f"{PATH}#topic=dropout")
    assert page.locator("#study-topic").input_value() == "dropout"
    assert not page.locator(f"#{NAMED}").is_visible()
    page.evaluate(f"location.hash = '{NAMED}'")
    page.locator(f"#{NAMED}").wait_for()
    assert page.locator("#study-topic").input_value() == ""


def test_the_scripts_of_the_cards_are_small_and_on_their_page_alone(site):
    names = ("js/cards.js", "js/schedule.js", "js/fsrs.js")
    size = sum(len(gzip.compress((site / "assets" / name).read_bytes(), 9)) for name in names)
    assert size <= 15_000
    with_cards = {
        path.relative_to(site).as_posix() for path in site.rglob("*.html") if "js/cards.js" in path.read_text("utf-8")
    }
    assert with_cards == {"flashcards/index.html"}
    assert (site / "anki" / "dlnotes.apkg").stat().st_size > 50_000
