"""The stage on a node: the next verdict reads what was learned, a restart loses nothing, people lift latches."""

import asyncio
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.feedback.trades import kill, killed, known, node_on, simulate, trades

from lictor import App, Change, DeniedError, NodeStoppedError, NotFoundError, Quality, Range, allow, deny
from lictor.feedback import scores
from lictor.journal.memory import MemoryDisk, MemoryJournal
from lictor.journal.port import Admit, Close, Learn


async def history(disk):
    """All facts of a disk, read by a journal of its own that changes nothing."""
    reader = MemoryJournal(disk)
    return [row async for row in reader.scan()]


def test_the_next_verdict_reads_the_adjustment_and_the_journal_has_it_first():
    app, disk = trades(), MemoryDisk()

    async def main(clock):
        async with node_on(app, clock, disk) as node:
            before = await node.submit(app.Trade(80), source="desk")
            lost = await node.submit(app.Trade(10, "bad"), source="desk")
            await lost.outcome()
            after = await node.submit(app.Trade(80), source="desk")
            other = await node.submit(app.Trade(80), source="other")
            return before, lost, after, other

    before, lost, after, other = simulate(main)
    assert before.admitted
    assert (after.verdict.code, after.verdict.rulings[0].seen) == ("TOO_BIG", {"most": 50.0})
    assert other.admitted, "it is about the source that lost"
    rows = asyncio.run(history(disk))
    (learned,) = [r for r in rows if isinstance(r.verb, Learn) and r.verb.adjustments]
    (refused,) = [r for r in rows if isinstance(r.verb, Admit) and r.decision == after.id]
    assert learned.seq < refused.seq
    (move,) = learned.verb.adjustments
    assert (move.name, move.subject, move.value, move.was, move.decision) == ("size", "desk", 0.5, 1.0, lost.id)


def test_what_changes_no_verdict_is_written_once_in_a_while():
    app, disk = trades(), MemoryDisk()

    async def main(clock):
        async with node_on(app, clock, disk, learn_every_s=1.0) as node:
            for _ in range(100):
                await (await node.submit(app.Trade(1), source="desk")).outcome()
                await clock.sleep(0.1)

    simulate(main)
    rows = asyncio.run(history(disk))
    learned = [row for row in rows if isinstance(row.verb, Learn)]
    assert 5 <= len(learned) <= 13
    assert learned[-1].seq > max(row.seq for row in rows if isinstance(row.verb, Close)), "stopping wrote the rest"


lives = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from(["good", "good", "bad"]),
            st.sampled_from(["desk", "other"]),
            st.none() | st.floats(0, 1),
            st.floats(0, 0.7),
        ),
        max_size=12,
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=60)
@given(lives, st.integers(0, 2**20))
def test_a_restart_knows_exactly_what_the_killed_node_knew(lives, seed):
    """Killed at any moment between outcomes, any number of times; compared bit for bit."""
    app, disk = trades(), MemoryDisk()

    async def main(clock):
        for life in lives:
            node = node_on(app, clock, disk)
            async with killed(node):
                for world, source, confidence, pause_s in life:
                    handle = await node.submit(
                        app.Trade(5, world), source=source, confidence=confidence, expects={"amount": 5}
                    )
                    await handle.outcome()
                    await clock.sleep(pause_s)
            again = node_on(app, clock, disk)
            async with killed(again):
                assert known(again)[0] == known(node)[0]
                assert known(again)[2] == known(node)[2]
                at_us = clock.wall_us()
                for each in (node, again):
                    each.pipeline.feedback.adjusting.settle(at_us)
                values = [
                    {key: (a.value, a.latched) for key, a in each.pipeline.feedback.adjustments.items()}
                    for each in (node, again)
                ]
                assert values[0] == values[1]

    simulate(main, seed)


def test_what_closed_in_the_batch_of_the_last_lesson_is_not_lost():
    """A cancelled decision closes in the very batch that writes lessons; a killed node's successor still counts it."""
    app, disk = trades(), MemoryDisk()

    async def main(clock):
        node = node_on(app, clock, disk)
        async with killed(node):
            await (await node.submit(app.Trade(1), source="desk")).outcome()
            waiting = await node.submit(app.Trade(1), source="desk", not_before_us=clock.wall_us() + 30_000_000)
            node.pipeline.feedback.flush()
            await node.cancel(waiting.id, by="ann")
            assert node.pipeline.feedback.scores.tally("desk", "Declared").cancelled == 1
        again = node_on(app, clock, disk)
        async with killed(again):
            assert known(again)[0] == known(node)[0]

    simulate(main)


def test_the_safeguard_taken_away_loses_it():
    """Written last in its batch, a lesson would say that it covers what closed beside it."""
    app, disk = trades(), MemoryDisk()

    async def main(clock):
        node = node_on(app, clock, disk)
        feedback = node.pipeline.feedback
        inputs, verbs = node.pipeline.inputs, feedback.verbs
        late = inputs.verbs
        feedback.verbs = lambda _now_us: []
        inputs.verbs = lambda now_us: [*late(now_us), *verbs(now_us)]
        async with killed(node):
            await (await node.submit(app.Trade(1), source="desk")).outcome()
            waiting = await node.submit(app.Trade(1), source="desk", not_before_us=clock.wall_us() + 30_000_000)
            feedback.flush()
            await node.cancel(waiting.id, by="ann")
        again = node_on(app, clock, disk)
        async with killed(again):
            return known(again)[0] == known(node)[0]

    assert not simulate(main)


# -- user lessons ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Guess:
    truth: bool


def guesses(lesson):
    app = App("guesses")
    app.decision()(Guess)
    app.odd = app.adjustable("odd", default=0.5, tightest=0.0, loosest=1.0)

    @app.effector(idempotent=True, timeout_s=5)
    async def look(call) -> bool:
        return True

    @app.plan(Guess)
    def plan(_guess):
        return look.action()

    app.lesson(Guess, name="taught")(lesson)
    return app


async def guessed(app, clock, count=20):
    node = node_on(app, clock)
    async with node:
        for place in range(count):
            handle = await node.submit(Guess(place % 4 == 0), source="oracle", confidence=0.5)
            assert (await handle.outcome()).result == "succeeded"
    return node.pipeline.feedback


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


# -- people ------------------------------------------------------------------------------------------------------------


def test_a_source_of_bad_signals_is_shut_out_until_a_person_reinstates_it():
    app, disk = trades(demote_below=0.8), MemoryDisk()

    async def main(clock):
        async with node_on(app, clock, disk) as node:
            assert (await node.submit(app.Trade(1), source="desk")).admitted
            bad = [await node.submit(app.Trade(-1), source="desk") for _ in range(5)]
            assert {handle.verdict.code for handle in bad[:3]} == {"QUARANTINED"}
            assert node.score("desk") < 0.8
            shut = await node.submit(app.Trade(1), source="desk")
        async with node_on(app, clock, disk) as node:
            still = await node.submit(app.Trade(1), source="desk")
            with pytest.raises(DeniedError):
                await node.reinstate("desk", by="")
            with pytest.raises(DeniedError):
                await node.reinstate("desk", by="desk")
            await node.reinstate("desk", by="ann", reason="feed repaired")
            assert node.score("desk") == 1.0
            again = await node.submit(app.Trade(1), source="desk")
            with pytest.raises(NotFoundError):
                await node.reinstate("desk", by="ann")
        async with node_on(app, clock, disk) as node:
            later = await node.submit(app.Trade(1), source="desk")
            return shut, still, again, later, node.journal.state.adjustments["demoted", "desk"]

    shut, still, again, later, last = simulate(main)
    assert shut.verdict.code == still.verdict.code == "SOURCE_DEMOTED"
    assert again.admitted
    assert later.admitted
    assert (last.value, last.by, last.reason) == (0.0, "ann", "feed repaired")


def test_a_source_that_can_be_demoted_is_told_apart_from_any_crowd(monkeypatch):
    monkeypatch.setattr(scores, "SUBJECTS_MAX", 2)
    app = trades(demote_below=0.8)

    async def main(clock):
        async with node_on(app, clock) as node:
            for place in range(5):
                node.pipeline.feedback.quality(f"crowd{place}", good=True)
            for _ in range(5):
                await node.submit(app.Trade(-1), source="desk")
            return await node.submit(app.Trade(1), source="desk"), node.score("crowd4"), known(node)[1]

    refused, unknown, qualities = simulate(main)
    assert refused.verdict.code == "SOURCE_DEMOTED"
    assert unknown == 1.0
    assert set(qualities) == {"desk", "crowd0", "*"}


def test_a_reset_is_durable_when_it_returns_and_in_force_at_once():
    app, disk = trades(loosen_per_hour=0.0), MemoryDisk()

    async def main(clock):
        node = node_on(app, clock, disk)
        async with killed(node):
            await (await node.submit(app.Trade(10, "bad"), source="desk")).outcome()
            assert (await node.submit(app.Trade(80), source="desk")).verdict.code == "TOO_BIG"
            await node.reset_adjustment("size", "desk", by="ann")
            assert (await node.submit(app.Trade(80), source="desk")).admitted
        again = node_on(app, clock, disk)
        async with killed(again):
            assert (await again.submit(app.Trade(80), source="desk")).admitted
            with pytest.raises(NotFoundError):
                await again.reset_adjustment("size", "nobody", by="ann")
        with pytest.raises(NodeStoppedError):
            await node_on(app, clock).reset_adjustment("size", "desk", by="ann")

    simulate(main)


def test_a_reset_that_comes_while_a_turn_commits_waits_for_the_next():
    app, disk = trades(), MemoryDisk()

    async def main(clock):
        async with node_on(app, clock, disk) as node:
            await (await node.submit(app.Trade(10, "bad"), source="desk")).outcome()
            write = node.journal.write

            async def slow(verbs, at_us):
                await clock.sleep(5)
                return await write(verbs, at_us)

            node.journal.write = slow
            turn = asyncio.create_task(node.submit(app.Trade(1), source="desk"))
            await clock.sleep(1)
            await node.reset_adjustment("size", "desk", by="ann")
            assert node.journal.state.adjustments["size", "desk"].by == "ann", "it is in the journal when it returns"
            node.journal.write = write
            await turn

    simulate(main)


def test_a_reset_that_meets_a_stopping_node_is_told():
    app = trades()

    async def main(clock):
        node = node_on(app, clock)
        await node.start()
        node.pipeline.feedback.reset("size", "desk", by="ann", now_us=clock.wall_us(), value=0.5)
        waiting = node.pipeline.feedback._asked[0]
        await kill(node)
        await node.stop()
        with pytest.raises(NodeStoppedError):
            await waiting

    simulate(main)


# -- scores ------------------------------------------------------------------------------------------------------------


def test_gates_read_scores_and_an_unknown_one_fails_closed():
    app = guesses(lambda one: ({}, []))
    read = []

    @app.gate(Guess)
    def trusted(_guess, state):
        read.append([state.score(name) for name in ("quality", "success", "on_time", "calibration", "cost")])
        return allow()

    @app.gate(Guess, family="risk")
    def typo(guess, state):
        return allow() if guess.truth or state.score("succes") > 0 else deny("POOR")

    async def main(clock):
        async with node_on(app, clock) as node:
            first = await node.submit(Guess(truth=True), source="oracle", confidence=0.1)
            await first.outcome()
            return await node.submit(Guess(truth=False), source="oracle")

    refused = simulate(main)
    assert refused.verdict.code == "GATE_FAILED"
    assert read[0] == [1.0] * 5, "unknown is 1"
    assert read[1][:3] == [1.0] * 3
    assert read[1][3] < 1.0, "it said 0.1 and it came true"


def test_quality_counts_what_the_gate_of_a_source_finds():
    app = App("signals")
    app.decision()(Guess)
    app.source("desk", quality=Quality(ranges={"truth": Range(0, 0)}))
    assert app.sources["desk"].demote_below is None

    @app.effector(idempotent=True, timeout_s=5)
    async def look(call) -> bool:
        return True

    app.plan(Guess)(lambda _guess: look.action())

    async def main(clock):
        async with node_on(app, clock) as node:
            for _ in range(10):
                await node.submit(Guess(truth=False), source="desk")
            return node.score("desk"), node.score("nobody")

    assert simulate(main) == (1.0, 1.0)
