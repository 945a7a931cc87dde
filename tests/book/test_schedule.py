"""When a card comes back: the script of the page against the same equations in Python, and against Anki's library."""

from __future__ import annotations

import datetime
import json
import math
import re
import time
from pathlib import Path

import numpy as np
import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "docs" / "assets" / "js"
DAY = 86_400
LONGEST = 36_500


@pytest.fixture(scope="module")
def call():
    """Give a function that calls one of the pure functions of the scripts."""
    engine = pytest.importorskip("py_mini_racer").MiniRacer()
    text = "\n".join((SCRIPTS / name).read_text("utf-8") for name in ("fsrs.js", "schedule.js"))
    engine.eval(re.sub(r"(?m)^import .*$|^export (?=const|function|class)", "", text))
    engine.eval("const through = (answers) => answers.reduce((all, [grade, days]) => "
                "[...all, remembered(all.at(-1) ?? null, grade, days)], [])")  # fmt: skip
    engine.eval("const lived = (answers) => answers.reduce((card, [grade, day]) => answered(card, grade, day), null)")

    def of(name: str, *values):
        return json.loads(engine.eval(f"JSON.stringify({name}({', '.join(map(json.dumps, values))}))"))

    return of


def histories(count: int, longest: int = 9) -> list[list[tuple[int, int]]]:
    """Draw answers to a card: grades, each with the days since the last one."""
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(count):
        length = int(rng.integers(1, longest))
        grades, gaps = rng.integers(1, 5, length), rng.choice([0, 0, 1, 2, 3, 8, 30, 200], length)
        drawn.append(
            [(int(grade), int(gap) if at else 0) for at, (grade, gap) in enumerate(zip(grades, gaps, strict=True))]
        )
    return drawn


# --- The equations once more, by the names that the sources give them


class Fsrs6:
    """FSRS-6 with its default weights. Source: the packages fsrs 6 and fsrs-rs, where w has these numbers."""

    W = (0.212, 1.2931, 2.3065, 8.2956, 6.4133, 0.8334, 3.0194, 0.001, 1.8722, 0.1666, 0.796,
         1.4835, 0.0614, 0.2629, 1.6483, 0.6014, 1.8729, 0.5425, 0.0912, 0.0658, 0.1542)  # fmt: skip

    def initial(self, G: int) -> tuple[float, float]:
        return self.W[G - 1], float(np.clip(self.D0(G), 1, 10))

    def D0(self, G: int) -> float:
        return self.W[4] - math.exp((G - 1) * self.W[5]) + 1

    def R(self, t: float, S: float) -> float:
        factor = 0.9 ** (-1 / self.W[20]) - 1
        return math.pow(1 + factor * t / S, -self.W[20])

    def next_D(self, D: float, G: int) -> float:
        delta = -self.W[6] * (G - 3)
        damped = D + delta * (10 - D) / 9
        return float(np.clip(self.W[7] * self.D0(4) + (1 - self.W[7]) * damped, 1, 10))

    def next_S(self, D: float, S: float, t: int, G: int) -> float:
        w = self.W
        if t == 0:
            growth = math.exp(w[17] * (G - 3 + w[18])) * math.pow(S, -w[19])
            return S * (growth if G == 1 else max(growth, 1.0))
        lost = 1 - self.R(t, S)
        if G == 1:
            long_term = w[11] * math.pow(D, -w[12]) * (math.pow(S + 1, w[13]) - 1) * math.exp(w[14] * lost)
            return min(long_term, S / math.exp(w[17] * w[18]))
        bonus = {2: w[15], 3: 1.0, 4: w[16]}[G]
        return S * (1 + math.exp(w[8]) * (11 - D) * math.pow(S, -w[9]) * math.expm1(w[10] * lost) * bonus)

    def after(self, answers: list[tuple[int, int]]) -> tuple[float, float]:
        S, D = self.initial(answers[0][0])
        for G, t in answers[1:]:
            S, D = float(np.clip(self.next_S(D, S, t, G), 0.001, LONGEST)), self.next_D(D, G)
        return S, D


def test_the_script_computes_the_published_equations(call):
    for answers in histories(300):
        [*_, last] = call("through", answers)
        assert (last["s"], last["d"]) == pytest.approx(Fsrs6().after(answers), rel=1e-10), answers


def test_anki_remembers_the_same(call, tmp_path):
    collection = pytest.importorskip("anki.collection").Collection(str(tmp_path / "collection.anki2"))
    collection.set_config("fsrs", True)
    for number, answers in enumerate(histories(60)):
        memory = collection.compute_memory_state(reviewed(collection, number, answers))
        [*_, last] = call("through", answers)
        assert (memory.stability, memory.difficulty) == pytest.approx((last["s"], last["d"]), rel=2e-4), answers
    collection.close()


def reviewed(collection, number: int, answers: list[tuple[int, int]]) -> int:
    """Put a card that was answered so into a collection of Anki, the last answer some days ago, and give its id."""
    note = collection.new_note(collection.models.by_name("Basic"))
    note["Front"] = str(number)
    collection.add_note(note, 1)
    card = note.cards()[0]
    day = collection.sched.day_cutoff - (sum(days for _, days in answers) + 3) * DAY
    for at, (grade, days) in enumerate(answers):
        day += days * DAY
        moment = (day + 600 + 60 * at) * 1000 + number
        row = (moment, card.id, -1, grade, 1, 1, 2500, 5000, 0 if at == 0 else 1)
        collection.db.execute("insert into revlog values (?, ?, ?, ?, ?, ?, ?, ?, ?)", *row)
    card.type = card.queue = 2
    card.ivl, card.reps = 10, len(answers)
    collection.update_card(card)
    return card.id


@pytest.mark.parametrize("grade", [1, 2, 3, 4])
def test_a_card_comes_back_when_it_is_recalled_with_nine_in_ten(call, grade):
    card = call("answered", None, grade, 100)
    assert call("retrievability", card["s"], card["s"]) == pytest.approx(0.9, abs=1e-12)
    wanted = max(1, math.floor(card["s"] + 0.5)) if grade > 1 else 0
    assert (card["first"], card["last"], card["due"]) == (100, 100, 100 + wanted)


@pytest.mark.parametrize(
    ("s", "days"), [(0.2, 1), (2.49, 2), (2.5, 3), (8.3, 8), (36_499.6, LONGEST), (99_999, LONGEST)]
)
def test_an_interval_is_whole_days_from_one_to_a_hundred_years(call, s, days):
    assert call("interval", {"s": s}) == days


def test_a_card_knows_the_day_on_which_it_was_begun(call):
    assert call("lived", [[1, 100], [3, 100], [3, 107]])["first"] == 100


def test_a_better_answer_brings_a_card_back_later_and_a_failure_on_the_same_day(call):
    for answers in histories(40):
        day, dated = 1000, []
        for grade, days in answers:
            dated.append((grade, day := day + days))
        card = call("lived", dated)
        [again, hard, good, easy] = [call("answered", card, grade, card["last"] + 5)["due"] for grade in (1, 2, 3, 4)]
        assert again == card["last"] + 5 < hard <= good <= easy
        assert easy <= card["last"] + 5 + LONGEST
        assert call("answered", card, 3, card["last"] - 7)["s"] >= card["s"]  # a clock that was put back


@pytest.mark.parametrize(
    ("moment", "day"), [((2026, 3, 1, 3, 59), -1), ((2026, 3, 1, 4, 1), 0), ((2026, 3, 2, 1, 0), 0)]
)
def test_a_day_begins_at_four(call, moment, day):
    milliseconds = int(time.mktime((*moment, 0, 0, 0, -1)) * 1000)
    first = (datetime.date(2026, 3, 1) - datetime.date(1970, 1, 1)).days
    assert call("((at) => dayOf(new Date(at)))", milliseconds) == first + day


# --- The schedule

CARD = {"s": 3.5, "d": 5.0, "first": 90, "last": 95, "due": 99}


def test_today_are_the_cards_due_the_longest_first_and_as_many_new_ones_as_there_is_room_for(call):
    due = {"a": 100, "b": 98, "c": 101, "g": 97}
    cards = {name: CARD | {"due": day} for name, day in due.items()} | {"z": CARD | {"first": 100, "due": 103}}
    ids = ["a", "b", "c", "d", "e", "f"]
    assert call("wanted", ids, {"cards": cards, "fresh": 3}, 100) == {
        "repeat": ["b", "a"], "unseen": ["d", "e", "f"], "fresh": ["d", "e"],  # z was begun today
    }  # fmt: skip
    assert call("wanted", ids, {"cards": cards, "fresh": 0}, 100)["fresh"] == []


@pytest.mark.parametrize(
    "wrong",
    [
        *({"s": 0}, {"s": None}, {"s": "3"}, {"s": 1e9}, {"d": 0.5}, {"d": 11}, {"d": "5"}),
        *({"first": 1.5}, {"first": 96}, {"last": -1}, {"due": 94}, {"due": "99"}, {"due": 2e6}),
    ],
    ids=str,
)
def test_what_is_damaged_or_gone_is_dropped_and_the_rest_is_kept(call, wrong):
    given = {"cards": {"kept": CARD | {"more": 1}, "gone": CARD, "wrong": CARD | wrong}, "fresh": 5}
    assert call("sound", given, ["kept", "wrong", "new", "constructor"]) == {"cards": {"kept": CARD}, "fresh": 5}


@pytest.mark.parametrize(
    "given", [None, 3, [], {"cards": 3}, {"cards": [1]}, {"fresh": -1}, {"fresh": 2.5}, {"fresh": "9"}]
)
def test_what_is_no_schedule_is_an_empty_one(call, given):
    assert call("sound", given, ["a"]) == {"cards": {}, "fresh": 10}


def test_of_two_schedules_the_later_answer_to_a_card_counts(call):
    early, late = CARD | {"last": 90}, CARD | {"last": 98}
    assert call("later", {"a": early, "b": late, "c": early}, {"a": late, "b": early, "d": late}) == {
        "a": late, "b": late, "c": early, "d": late,
    }  # fmt: skip
