"""The outcome feed: complete, in order, without repeats, across restarts and crashes; it ends when the node does."""

import asyncio
from contextlib import aclosing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.feedback.trades import killed, node_on, simulate, trades

from lictor import JournalError, NodeStoppedError
from lictor.feedback import feed
from lictor.journal.memory import MemoryDisk

plans = st.lists(st.lists(st.sampled_from(["desk", "other"]), max_size=6), min_size=1, max_size=4)


@settings(max_examples=40)
@given(plans, st.integers(1, 3), st.integers(0, 2**20))
def test_a_follower_with_a_cursor_misses_nothing_and_gets_nothing_twice(lives, page, seed):
    """Each life ends with a kill; the follower keeps only its cursor."""
    app, disk = trades(), MemoryDisk()
    sent, got = [], []

    async def main(clock):
        cursor = 0
        for sources in lives:
            node = node_on(app, clock, disk)
            async with killed(node):
                for source in sources:
                    handle = await node.submit(app.Trade(1), source=source)
                    sent.append((source, handle.id))
                    await handle.outcome()
                while rows := await node.outcomes("desk", after=cursor, limit=page):
                    got.extend(row.decision for row in rows)
                    cursor = rows[-1].cursor

    simulate(main, seed)
    assert got == [id_ for source, id_ in sent if source == "desk"]


def test_following_waits_for_what_comes(monkeypatch):
    monkeypatch.setattr(feed, "PAGE", 2)
    app, disk = trades(), MemoryDisk()

    async def follow(node, after, got):
        async with aclosing(node.follow_outcomes("desk", after=after)) as rows:
            async for row in rows:
                got.append(row)

    async def main(clock):
        got = []
        node = node_on(app, clock, disk)
        async with node:
            task = asyncio.create_task(follow(node, 0, got))
            for _ in range(5):
                await (await node.submit(app.Trade(1), source="desk")).outcome()
                await (await node.submit(app.Trade(1), source="other")).outcome()
                await clock.sleep(1)
            assert len(got) == 5, "while the node runs"
        await task
        again = node_on(app, clock, disk)
        async with again:
            task = asyncio.create_task(follow(again, got[-1].cursor, got))
            last = await again.submit(app.Trade(1, "bad"), source="desk")
            await last.outcome()
        await task
        return got, last

    got, last = simulate(main)
    assert len(got) == 6
    assert (got[-1].decision, got[-1].outcome.result) == (last.id, "failed")
    assert [row.cursor for row in got] == sorted({row.cursor for row in got})


def test_a_follower_of_a_node_that_fails_is_told_after_what_is_durable():
    app = trades()

    async def main(clock):
        node = node_on(app, clock)
        async with killed(node):
            await (await node.submit(app.Trade(1), source="desk")).outcome()
            node._fail(JournalError("the disk failed"))
            rows = node.follow_outcomes("desk")
            durable = await anext(rows)
            with pytest.raises(NodeStoppedError, match="the disk failed"):
                await anext(rows)
            return durable.outcome.result

    assert simulate(main) == "succeeded"


def test_many_may_follow():
    app = trades()

    async def count(node, source):
        async with aclosing(node.follow_outcomes(source)) as rows:
            return [row.source async for row in rows]

    async def main(clock):
        async with node_on(app, clock) as node:
            tasks = [asyncio.create_task(count(node, source)) for source in ("desk", "other", None)]
            for source in ("desk", "other", "desk"):
                await (await node.submit(app.Trade(1), source=source)).outcome()
        return [await task for task in tasks]

    assert simulate(main) == [["desk"] * 2, ["other"], ["desk", "other", "desk"]]
