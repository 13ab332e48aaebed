"""Quarantine through the node: inspect, replay, discard, on memory and SQLite, across restarts and in floods."""

import asyncio

import pytest
from tests.inputs.payouts import Payout, payouts
from tests.inputs.simulated import node_on, simulate
from tests.inputs.test_envelope import BAD, GOOD

from lictor import DeniedError, MalformedError, Node, NotFoundError, Quality, Range, Settings, Signal
from lictor.journal.memory import MemoryDisk
from lictor.journal.port import Quarantine

QUALITY = Quality(ranges={"amount": Range(1, 100)})
BROKEN = Signal(source="feed", kind="Payout", payload=b'{"account": "a", "amount": "ten"}', position="f.csv:7")


async def _history(node):
    return [row.verb.entry async for row in node.journal.scan() if isinstance(row.verb, Quarantine)]


def test_replaying_a_corrected_signal_does_it_once_however_often():
    app, done = payouts(QUALITY)

    async def main(clock):
        async with node_on(app, clock) as node:
            refused = await node.submit(BROKEN)
            (kept,) = await node.quarantined()
            payload = '{"account": "a", "amount": 10}'
            first, second = await asyncio.gather(
                node.replay(kept.id, by="ann", payload=payload), node.replay(kept.id, by="ann", payload=payload)
            )
            await first.outcome()
            other = await node.replay(kept.id, by="ann", payload='{"account": "a", "amount": 11}')
            assert other.verdict.code == "KEY_REUSED"
            return refused, kept, first, second, await node.quarantined(), await _history(node)

    refused, kept, first, second, left, history = simulate(main)
    assert refused.verdict.code == "MALFORMED"
    assert (kept.reason, kept.source) == ("schema", "feed")
    assert "amount" in kept.detail
    assert first.id == second.id
    assert {first.duplicate, second.duplicate} == {False, True}
    assert done == [("a", 10)]
    assert left == []
    assert [(entry.state, entry.by) for entry in history] == [("kept", None), ("replayed", "ann")]


def test_a_replay_that_is_still_malformed_stays_and_one_out_of_range_too():
    app, done = payouts(QUALITY)

    async def main(clock):
        async with node_on(app, clock) as node:
            await node.submit(BROKEN)
            (kept,) = await node.quarantined()
            as_it_was = await node.replay(kept.id, by="ann")
            wrong = await node.replay(kept.id, by="ann", payload=b'{"account": "a", "amount": 10_000}')
            large = await node.replay(kept.id, by="ann", payload=Payout("a", 10_000))
            still = await node.quarantined()
            good = await node.replay(kept.id, by="ann", payload=Payout("a", 100))
            await good.outcome()
            return as_it_was, wrong, large, still == [kept], good

    as_it_was, wrong, large, still_there, good = simulate(main)
    codes = [handle.verdict.rulings[0].seen["reason"] for handle in (as_it_was, wrong, large)]
    assert codes == ["schema", "json", "range"]
    assert still_there
    assert good.admitted
    assert done == [("a", 100)]


def test_who_replays_unchanged_vouches_for_what_the_gate_found():
    app, done = payouts(QUALITY)

    async def main(clock):
        async with node_on(app, clock) as node:
            await node.submit(Payout("a", 7_000), source="feed", tenant="acme", key="inv-1", confidence=0.5)
            (kept,) = await node.quarantined()
            handle = await node.replay(kept.id, by="ann")
            await handle.outcome()
            return handle

    handle = simulate(main)
    assert handle.admitted
    decision = handle.decision
    assert (decision.key, decision.tenant, decision.source, decision.confidence) == ("inv-1", "acme", "feed", 0.5)
    assert done == [("a", 7_000)]


def test_discarding_is_final_and_named():
    app, done = payouts(QUALITY)

    async def main(clock):
        async with node_on(app, clock) as node:
            await node.submit(BROKEN)
            (kept,) = await node.quarantined()
            with pytest.raises(DeniedError):
                await node.discard(kept.id, by="")
            await node.discard(kept.id, by="ann")
            with pytest.raises(NotFoundError):
                await node.replay(kept.id, by="ann")
            with pytest.raises(NotFoundError):
                await node.discard(kept.id, by="ann")
            return await _history(node)

    assert [(entry.state, entry.by) for entry in simulate(main)] == [("kept", None), ("discarded", "ann")]
    assert done == []


def test_quarantine_survives_a_restart_and_is_bounded():
    disk = MemoryDisk()

    async def before(clock):
        app, _ = payouts(QUALITY)
        async with node_on(app, clock, disk, quarantine_max=3) as node:
            handles = [await node.submit(Payout("a", 1_000 + i), source="feed", key=f"k{i}") for i in range(5)]
            again = await node.submit(Payout("a", 1_001), source="feed", key="k1")
            return [h.verdict.rulings[0].seen for h in (*handles, again)]

    async def after(clock):
        await clock.sleep(3600)
        app, done = payouts(QUALITY)
        async with node_on(app, clock, disk, quarantine_max=3) as node:
            kept = await node.quarantined("feed")
            assert len(kept) == 3
            full = await node.submit(Payout("a", 5_000), source="feed")
            again = await node.submit(Payout("a", 1_002), source="feed", key="k2")
            for entry in kept:
                handle = await node.replay(entry.id, by="ann")
                await handle.outcome()
            room = await node.submit(Payout("a", 6_000), source="feed", key="k9")
            replayed = await node.submit(Payout("a", 1_000), source="feed", key="k0")
            return kept, full, again, room, replayed, done, await node.quarantined()

    seen = simulate(before)
    assert ["quarantine" in s for s in seen] == [True, True, True, False, False, True]
    assert seen[5]["quarantine"] == seen[1]["quarantine"], "the same signal again is not kept twice"
    kept, full, again, room, replayed, done, left = simulate(after)
    assert [entry.reason for entry in kept] == ["range"] * 3
    assert full.verdict.rulings[0].seen["why"] == "the quarantine is full"
    assert "quarantine" in again.verdict.rulings[0].seen, "known from before the restart"
    assert len(done) == 3
    assert room.verdict.rulings[0].seen["quarantine"]
    assert replayed.duplicate
    assert len(left) == 1


def test_a_bad_row_that_was_replayed_is_not_kept_again_when_its_file_is_read_again():
    app, done = payouts(QUALITY)
    row = Signal(source="feed", kind="Payout", payload=b"{}", key="f.csv:7")

    async def main(clock):
        async with node_on(app, clock) as node:
            await node.submit(row)
            (kept,) = await node.quarantined()
            await (await node.replay(kept.id, by="ann", payload=Payout("a", 5))).outcome()
            again = await node.submit(row)
            return again, await node.quarantined()

    again, left = simulate(main)
    assert again.verdict.code == "MALFORMED"
    assert left == []
    assert done == [("a", 5)]


def test_a_replay_that_is_refused_by_a_gate_has_left_quarantine():
    app, done = payouts(QUALITY, limit=50)

    async def main(clock):
        async with node_on(app, clock) as node:
            await node.submit(BROKEN)
            (kept,) = await node.quarantined()
            handle = await node.replay(kept.id, by="ann", payload=Payout("a", 60))
            return handle, await node.quarantined()

    handle, left = simulate(main)
    assert handle.verdict.code == "BUDGET_EXCEEDED"
    assert left == []
    assert done == []


def test_quarantine_on_sqlite_outlives_the_node(tmp_path):
    path = str(tmp_path / "payouts.db")
    app, done = payouts(QUALITY)

    async def before():
        async with Node(app, path, settings=Settings(tune_collector=False)) as node:
            await node.submit(BROKEN)
            await node.submit(Payout("a", 500), source="feed", key="large")
            await node.submit(Signal(source="feed", kind="Payout", payload=b"\xff\xfe"))

    async def after():
        async with Node(app, path, settings=Settings(tune_collector=False)) as node:
            kept = await node.quarantined()
            await node.discard(kept[0].id, by="ann")
            await (await node.replay(kept[1].id, by="ann")).outcome()
            with pytest.raises(NotFoundError, match="before"):
                await node.replay(kept[0].id, by="ann")
            await (await node.replay(kept[2].id, by="ann", payload=Payout("a", 9))).outcome()
            return kept, await node.quarantined()

    asyncio.run(before())
    kept, left = asyncio.run(after())
    assert [entry.reason for entry in kept] == ["unicode", "range", "schema"]
    assert left == []
    assert done == [("a", 500), ("a", 9)]


@pytest.mark.parametrize("journal", ["memory", "sqlite"])
def test_nothing_that_arrives_stops_the_node(journal, tmp_path):
    """Each of these once went through to the journal's encoder, or further."""
    app, done = payouts()
    poison = [Signal(**{**GOOD, name: value}) for name, value in BAD]
    poison += [
        Signal(source="x", kind="Payout", value=value)
        for value in (
            None,
            object(),
            "text",
            {"account": "a"},
            Payout("a", 10**30),
            Payout("\ud800", 1),
            Payout(["a"], 1),
            5,
        )
    ]
    poison += [Signal(source="x", kind="Nothing", payload=b"{}"), Signal(source="x", kind="Payout")]
    poison += [
        Signal(source="x", kind="Payout", payload=payload)
        for payload in (
            b"",
            b"null",
            b"[" * 10**5,
            b'{"account":"a","amount":%d}' % 10**30,
            b'{"account":"a","amount":1e5}',
        )
    ]

    async def main():
        place = "memory:" if journal == "memory" else str(tmp_path / "a.db")
        async with Node(app, place, settings=Settings(tune_collector=False)) as node:
            handles = await node.submit_many(poison)
            assert node.failure is None
            good = await node.submit(Payout("a", 5))
            await good.outcome()
            return handles, good

    handles, good = asyncio.run(main())
    assert {handle.verdict.result for handle in handles} == {"refused"}
    assert {str(handle.verdict.code) for handle in handles} == {"MALFORMED", "KIND_UNKNOWN"}
    assert good.admitted
    assert done == [("a", 5)]


def test_what_was_kept_in_part_says_so():
    app, _ = payouts()

    async def main(clock):
        async with node_on(app, clock) as node:
            await node.submit(Signal(source="x", kind="Payout", payload=b"[" + b"1," * 10**6 + b"1]"))
            (kept,) = await node.quarantined()
            with pytest.raises(MalformedError, match="payload"):
                await node.replay(kept.id, by="ann")
            return kept

    kept = simulate(main)
    assert kept.reason == "size"
    assert len(kept.signal) < 4_000
