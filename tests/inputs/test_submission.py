"""Ways in: one, many, an iterator. Order, bounded memory, cancellation, a node that stops or fails in the middle."""

import asyncio
from contextlib import aclosing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.inputs.payouts import Payout, payouts
from tests.inputs.simulated import node_on, simulate

from lictor import JournalError, Node, NodeStoppedError, Settings, Signal
from lictor.journal.memory import MemoryDisk, MemoryJournal
from lictor.runtime.offload import inline


class Given:
    """An async iterator that counts what it was asked for."""

    def __init__(self, values, clock=None, pause_s=0.0, fail_at=None):
        self.values, self.clock, self.pause_s, self.fail_at = iter(values), clock, pause_s, fail_at
        self.given = 0
        self.closed = False

    async def __aiter__(self):
        try:
            for value in self.values:
                if self.given == self.fail_at:
                    raise RuntimeError("the source broke")
                if self.clock is not None:
                    await self.clock.sleep(self.pause_s)
                self.given += 1
                yield value
        finally:
            self.closed = True


@settings(max_examples=25)
@given(
    count=st.integers(0, 60),
    turn_max=st.integers(1, 20),
    waiting_max=st.integers(1, 20),
    ahead=st.integers(1, 70),
    seed=st.integers(0, 2**20),
)
def test_many_and_stream_answer_all_in_order(count, turn_max, waiting_max, ahead, seed):
    app, done = payouts()

    async def main(clock):
        async with node_on(app, clock, turn_max=turn_max, waiting_max=waiting_max) as node:
            many = await node.submit_many(Payout(f"m{i}", i + 1) for i in range(count))
            streamed = [
                h async for h in node.stream(Given(Payout(f"s{i}", i + 1) for i in range(count)), ahead_max=ahead)
            ]
            for handle in many + streamed:
                await handle.outcome()
            return many, streamed

    many, streamed = simulate(main, seed)
    for name, handles in (("m", many), ("s", streamed)):
        assert [handle.decision.order_key for handle in handles] == [f"{name}{i}" for i in range(count)]
        assert all(handle.admitted for handle in handles), "waiting for room, not shed"
    assert sorted(amount for _, amount in done) == sorted([*range(1, count + 1)] * 2)


def test_a_stream_is_read_no_further_ahead_than_declared():
    app, _ = payouts()
    source = Given(Payout("a", i + 1) for i in range(500))

    async def main(clock):
        furthest = 0
        async with node_on(app, clock) as node, aclosing(node.stream(source, ahead_max=10)) as handles:
            taken = 0
            async for _ in handles:
                taken += 1
                await clock.sleep(0.01)
                furthest = max(furthest, source.given - taken)
        return furthest, taken

    furthest, taken = simulate(main)
    assert taken == 500
    assert furthest == 10, "the one in hand still counts; one more has been read and waits for room"


def test_a_verdict_comes_while_the_source_is_silent():
    app, _ = payouts()

    async def main(clock):
        source = Given([Payout("a", 1), Payout("a", 2)], clock, pause_s=3600.0)
        async with node_on(app, clock) as node:
            return [(clock.monotonic(), h.admitted) async for h in node.stream(source)]

    assert simulate(main) == [(pytest.approx(3600, abs=1), True), (pytest.approx(7200, abs=1), True)]


def test_leaving_a_stream_early_closes_the_source_and_keeps_what_was_submitted():
    app, done = payouts()
    source = Given(Payout("a", i + 1) for i in range(100))

    async def main(clock):
        async with node_on(app, clock) as node:
            async with aclosing(node.stream(source, ahead_max=5)) as handles:
                async for _ in handles:
                    break
            await clock.sleep(10)
            return node._on_stop

    assert simulate(main) == set()
    assert source.closed
    assert 1 <= source.given < 15
    assert len(done) in {source.given, source.given - 1}


def test_what_the_source_raises_comes_after_the_verdicts_before_it():
    app, _ = payouts()

    async def main(clock):
        seen = []
        async with node_on(app, clock) as node:
            handles = node.stream(Given((Payout("a", 1) for _ in range(9)), fail_at=4))
            with pytest.raises(RuntimeError, match="broke"):
                await _into(seen, handles)
        return [handle.admitted for handle in seen]

    assert simulate(main) == [True] * 4


def test_cancelling_one_who_waits_changes_nothing_for_the_decision():
    app, done = payouts()

    async def main(clock):
        async with node_on(app, clock) as node:
            waiting = asyncio.get_running_loop().create_task(node.submit(Payout("a", 5), key="k"))
            other = asyncio.get_running_loop().create_task(node.submit(Payout("b", 6)))
            await asyncio.sleep(0)
            waiting.cancel()
            handle = await other
            await handle.outcome()
            (ended,) = await asyncio.gather(waiting, return_exceptions=True)
            again = await node.submit(Payout("a", 5), key="k")
            await again.outcome()
            return isinstance(ended, asyncio.CancelledError), again.duplicate

    ends = [simulate(main, seed) for seed in range(20)]
    assert (True, True) in ends, "cancelled while it was decided on, and answered when asked again"
    assert done.count(("a", 5)) == 20, "once a run, wherever the cancellation struck"


def test_a_full_door_sheds_at_once_and_says_when_to_come_again():
    app, _ = payouts()

    async def main(clock):
        async with node_on(app, clock, waiting_max=3) as node:
            handles = await asyncio.gather(*(node._offer(node.signal(Payout("a", i + 1))) for i in range(8)))
            return [str(h.verdict.result) for h in handles], handles[-1].verdict

    results, last = simulate(main)
    assert results == ["admitted"] * 3 + ["shed"] * 5
    assert (last.code, last.retry_after_s) == ("OVERLOADED", 0.1)


def stalled_journal(clock):
    """A journal whose writes take an hour once it is told to stall, or fail once it is told to break."""

    class Stalled(MemoryJournal):
        stalled = broken = False

        async def write(self, verbs, at_us):
            if self.stalled:
                await clock.sleep(3600)
            if self.broken:
                raise JournalError("the disk is gone")
            return await super().write(verbs, at_us)

    return Stalled()


@pytest.mark.parametrize("how", ["stop", "fail"])
@pytest.mark.parametrize("seed", range(5))
def test_nobody_waits_in_vain_for_a_node_that_stops_or_fails(how, seed):
    """Before the turn, in it, in a lookup, for an outcome, in a stream whose source is silent, with a request."""
    app, _ = payouts()

    @app.lookup(Payout, timeout_s=7200)
    async def slow(payout):
        if payout.memo == "ask":
            await asyncio.get_running_loop().create_future()

    async def main(clock):
        journal = stalled_journal(clock)
        node = Node(
            app, journal, settings=Settings(turn_max=5, drain_s=1, tune_collector=False), clock=clock, lanes=inline
        )
        await node.start()
        start = asyncio.get_running_loop().create_task
        held = await node.submit(Payout("h", 1), not_before_us=clock.wall_us() + 10**10)
        waiting = [
            start(_all(node.stream(Given([Payout("x", 1)], clock, pause_s=1e6)))),
            start(node.submit(Payout("a", 1, memo="ask"))),
            start(_outcome(held)),
        ]
        await clock.sleep(1)
        journal.stalled, journal.broken = True, how == "fail"
        waiting += [
            start(node.submit_many([Payout("b", i + 1) for i in range(40)])),
            start(_all(node.stream(Given(Payout("c", i + 1) for i in range(40)), ahead_max=7))),
            start(node.cancel(held.id, by="ann")),
        ]
        await clock.sleep(1 if how == "stop" else 4000)
        waiting.append(start(node.submit(Payout("d", 1))))
        await clock.sleep(0.1)
        await node.stop()
        waiting.append(start(node.submit(Payout("late", 1))))
        waiting.append(start(_outcome(held)))
        waiting.append(start(node.halt(by="ann")))
        return await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 1)

    ends = simulate(main, seed)
    if how == "fail":
        assert [type(end) for end in ends] == [NodeStoppedError] * len(ends), ends
    else:  # the turn that was under way is finished, and what it decided is told
        assert not [end for end in ends if isinstance(end, Exception) and not isinstance(end, NodeStoppedError)], ends
        assert isinstance(ends[-3], NodeStoppedError), "submitted too late"
        assert isinstance(ends[-1], NodeStoppedError), "asked too late"
        assert isinstance(ends[0], NodeStoppedError), "its source was silent"


async def _all(handles):
    return [handle async for handle in handles]


async def _into(seen, handles):
    async for handle in handles:
        seen.append(handle)


async def _outcome(handle):
    return await handle.outcome()


def test_a_node_that_stops_gracefully_answers_what_it_had_taken():
    app, done = payouts()

    async def main(clock):
        async with node_on(app, clock) as node:
            tasks = [asyncio.get_running_loop().create_task(node.submit(Payout("a", i + 1))) for i in range(20)]
            await clock.sleep(0.001)
        return await asyncio.gather(*tasks)

    handles = simulate(main)
    assert all(handle.admitted for handle in handles)
    assert len(done) == 20


def test_ids_are_never_given_twice_even_when_the_wall_clock_was_set_back():
    disk = MemoryDisk()
    ids = []
    for _ in range(3):  # each run begins at the same moment

        async def main(clock):
            app, _ = payouts()
            async with node_on(app, clock, disk) as node:
                clock.jump(-1.0)
                handles = await node.submit_many([Payout("a", 1)] * 5)
                for handle in handles:
                    await handle.outcome()
                return [handle.id for handle in handles]

        ids += simulate(main)
    assert len(set(ids)) == 15


def test_a_quarantined_signal_is_answered_when_its_entry_is_durable_and_not_before():
    app, _ = payouts()

    async def main(clock):
        journal = stalled_journal(clock)
        node = Node(app, journal, settings=Settings(tune_collector=False), clock=clock, lanes=inline)
        async with node:
            await clock.sleep(1)
            journal.stalled = True
            bad = asyncio.get_running_loop().create_task(node.submit(Signal(source="x", kind="Payout", payload=b"{")))
            await clock.sleep(1800)
            early = bad.done(), len(await node.quarantined())
            await clock.sleep(3600)
            journal.stalled = False
            return early, (bad.done(), len(await node.quarantined()))

    assert simulate(main) == ((False, 0), (True, 1))
