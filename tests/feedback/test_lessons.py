"""What users write as lessons: what it says counts, what it remembers comes back, what it breaks stops nobody."""

import pytest
from tests.feedback.guesses import guessed, guesses
from tests.feedback.trades import known, node_on, simulate, trades

from lictor import App, Change


def test_a_lesson_says_what_came_true():
    feedback = simulate(lambda clock: guessed(guesses(lambda one: ({"came_true": one.value.truth}, [])), clock))
    calibration = feedback.scores.tally("oracle", "Guess").calibration
    assert (calibration.count, sum(calibration.came)) == (20, 5)
    assert calibration.brier == 0.25
    assert feedback.lessons._memories["taught", "oracle"] == {}, "what it said is not what it remembers"


def test_a_lesson_may_say_that_it_cannot_be_told():
    feedback = simulate(lambda clock: guessed(guesses(lambda one: ({"came_true": None}, [])), clock))
    assert feedback.scores.tally("oracle", "Guess").calibration is None


def raises(_one):
    raise ValueError("no")


@pytest.mark.parametrize(
    "lesson",
    [
        raises,
        lambda one: None,
        lambda one: ({"came_true": 0.7}, []),
        lambda one: ({"big": "x" * 70_000}, []),
        lambda one: ({"thing": object()}, []),
        lambda one: ({}, [Change(App("other").adjustable("odd", default=1, tightest=0), 0.0, "not ours")]),
        lambda one: ({}, [Change(None, 0.0, "of nothing")]),
    ],
    ids=["raises", "none", "half_true", "big", "unstorable", "foreign", "nothing"],
)
def test_a_broken_lesson_teaches_nothing_and_stops_nobody(lesson):
    app = guesses(lesson)
    feedback = simulate(lambda clock: guessed(app, clock, 3))
    assert feedback.lessons.failed == 3
    assert feedback.lessons._memories == {}
    assert feedback.adjustments == {}
    tally = feedback.scores.tally("oracle", "Guess")
    assert (tally.count, tally.calibration.count, sum(tally.calibration.came)) == (3, 3, 3), "success stands in for it"


@pytest.mark.parametrize(
    "change",
    [
        lambda odd: Change(odd, 0.1, "\ud800"),
        lambda odd: Change(odd, 0.1, None),
        lambda odd: Change(odd, 0.1, "r", subject=7),
        lambda odd: Change(odd, "little", "r"),
    ],
    ids=["surrogate", "no_reason", "no_subject", "no_number"],
)
def test_a_wish_that_cannot_be_recorded_is_not_granted(change):
    app = guesses(lambda one: ({}, [change(app.odd)]))
    feedback = simulate(lambda clock: guessed(app, clock, 2))
    assert feedback.lessons.failed == 2
    assert feedback.adjustments == {}


def test_a_lesson_reads_back_what_a_restart_would():
    read = []

    def lesson(one):
        read.append(one.memory)
        return {"pair": (1, 2), "n": one.memory.get("n", 0) + 1}, []

    simulate(lambda clock: guessed(guesses(lesson), clock, 2))
    assert read == [{}, {"pair": [1, 2], "n": 1}]


@pytest.mark.parametrize(
    ("per", "subjects"), [("source", {"a", "b"}), ("kind", {"Declared"}), ("tenant", {"t"}), ("all", {"all"})]
)
def test_a_memory_is_about_whom_it_was_declared_for(per, subjects):
    app = trades(per=per)

    async def main(clock):
        async with node_on(app, clock) as node:
            for source in "ab":
                await (await node.submit(app.Trade(1), source=source, tenant="t")).outcome()
            return known(node)[2]

    assert {subject for _, subject in simulate(main)} == subjects
