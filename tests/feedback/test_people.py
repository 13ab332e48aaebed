"""What only a named person may do: reinstate a source, reset an adjustment; durable when it returns."""

import asyncio

import pytest
from tests.feedback.trades import kill, killed, known, node_on, simulate, trades

from lictor import DeniedError, NodeStoppedError, NotFoundError
from lictor.feedback import scores
from lictor.journal.memory import MemoryDisk


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
