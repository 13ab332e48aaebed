"""The stage on a node: the next verdict reads what was learned, a restart loses nothing, people lift latches."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.feedback.trades import killed, known, node_on, simulate, trades

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
