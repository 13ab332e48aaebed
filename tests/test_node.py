"""A node's life: start, drain, stop, fail; and what those who wait are told."""

import asyncio

import pytest
from tests.rig import Payout, payouts, simulate

from lictor import DeclarationError, JournalError, Node, NodeStoppedError, Settings, report
from lictor.errors import JournalFencedError, JournalIOError
from lictor.journal.memory import MemoryDisk, MemoryJournal


def test_stop_waits_for_what_runs_and_leaves_the_rest_for_the_next_start():
    async def main(rig):
        app = payouts(rig.world, slots=2, kind={"expires_in_s": 600})
        node = await rig.start(app)
        for name in "abcd":
            rig.world.says(name, 3)
        handles = await rig.on(node.submit_many([Payout(name) for name in "abcd"]))
        await rig.settle(1)
        await rig.on(node.stop())
        assert rig.loop.time() >= 3
        assert rig.world.running == 0
        ended = set(rig.outcomes())
        assert {handles[0].id, handles[1].id} <= ended
        with pytest.raises(NodeStoppedError):
            await rig.on(node.submit(Payout("e")))
        rig.machine.crash()
        await rig.start(app)
        await rig.settle(10)
        assert set(rig.outcomes()) == {handle.id for handle in handles}
        assert set(rig.world.effects.values()) == {1}

    simulate(main)


@pytest.mark.parametrize("seed", range(10))
def test_what_ended_before_the_stop_is_written(seed):
    async def main(rig):
        app = payouts(rig.world)
        node = await rig.start(app)
        rig.world.says("a", 1)
        handle = await rig.submit(Payout("a"))
        await rig.settle(1)
        await rig.on(node.stop())
        assert rig.outcomes()[handle.id].result == "succeeded"

    simulate(main, seed)


def test_a_call_that_does_not_end_in_time_is_cut_off_and_in_doubt_at_the_next_start():
    async def main(rig):
        app = payouts(rig.world, timeout_s=1000, asks=False, kind={"expires_in_s": 6000})
        node = await rig.start(app, drain_s=2)
        rig.world.says("a", "done_and_silent")
        handle = await rig.submit(Payout("a"))
        await rig.settle(0.1)
        await rig.on(node.stop())
        assert rig.loop.time() == pytest.approx(2.1, abs=0.1)
        rig.machine.crash()
        await rig.start(app)
        await rig.settle(1)
        assert rig.state(handle.id) == "in_doubt"

    simulate(main)


def test_whoever_waits_for_an_outcome_is_told_that_the_node_stopped():
    async def main(rig):
        node = await rig.start(payouts(rig.world), drain_s=0)
        rig.world.says("a", "pending")
        handle = await rig.submit(Payout("a"))
        waiting = rig.machine.spawn(handle.outcome())
        await rig.settle(1)
        await rig.on(node.stop())
        with pytest.raises(NodeStoppedError):
            await rig.on(waiting)

    simulate(main)


class Failing(MemoryJournal):
    """A journal whose disk fails when it is told to."""

    error: Exception | None = None

    async def write(self, verbs, at_us):
        if self.error is not None:
            raise self.error
        return await super().write(verbs, at_us)


@pytest.mark.parametrize("error", [JournalIOError(), JournalFencedError(), RuntimeError("a defect")])
def test_a_journal_that_fails_stops_the_node_and_everyone_is_told(error):
    async def main(rig):
        journal = Failing(rig.disk)
        app = payouts(rig.world)
        node = Node(app, journal, settings=Settings(tune_collector=False), clock=rig.clock)
        await node.start()
        rig.world.says("a", "pending")
        handle = await node.submit(Payout("a"))
        outcome = asyncio.create_task(handle.outcome())
        await rig.settle(0)
        journal.error = error
        calls = [node.submit(Payout("b")), node.halt(by="ann"), node.resolve(handle.id, report("r", final=False))]
        told = await asyncio.gather(*calls, outcome, return_exceptions=True)
        assert [type(each) for each in told] == [NodeStoppedError] * 4
        assert node.failure is error
        before = len(rig.world.arrivals)
        with pytest.raises(NodeStoppedError):
            await node.submit(Payout("c"))
        with pytest.raises(NodeStoppedError):
            await node.cancel(handle.id, by="ann")
        await rig.settle(100)
        assert len(rig.world.arrivals) == before
        await node.stop()

    simulate(main)


def test_nothing_leaves_before_the_commit():
    async def main(rig):
        committed = asyncio.Event()

        class Slow(MemoryJournal):
            async def write(self, verbs, at_us):
                answers = await super().write(verbs, at_us)
                if any(type(verb).__name__ in {"Admit", "Close"} for verb in verbs):
                    await rig.clock.sleep(3)
                    committed.set()
                return answers

        node = Node(payouts(rig.world), Slow(rig.disk), settings=Settings(tune_collector=False), clock=rig.clock)
        await node.start()
        submitting = asyncio.create_task(node.submit(Payout("a")))
        await rig.settle(2.9)
        assert not submitting.done()
        assert rig.world.arrivals == []
        handle = await submitting
        assert committed.is_set()
        await handle.outcome()
        assert rig.loop.time() == pytest.approx(6, abs=0.01)
        await node.stop()

    simulate(main)


def test_a_superseded_node_writes_nothing_more():
    async def main(rig):
        app = payouts(rig.world)
        node = await rig.start(app)
        other = Node(app, MemoryJournal(rig.disk), settings=Settings(tune_collector=False), clock=rig.clock)
        await other.start()
        with pytest.raises(NodeStoppedError):
            await rig.submit(Payout("a"))
        assert isinstance(node.failure, JournalFencedError)
        assert (await other.submit(Payout("a"))).admitted
        await other.stop()

    simulate(main)


def test_a_node_needs_a_plan_for_each_kind_and_settings_that_make_sense():
    from lictor import App

    app = App("incomplete")
    app.decision()(Payout)
    with pytest.raises(DeclarationError, match="no plan"):
        Node(app)
    for bad in ({"durability": "wishful"}, {"waiting_max": 0}, {"turn_max": 0}, {"backlog_max": 0}):
        with pytest.raises(DeclarationError):
            Settings(**bad)


def test_a_node_can_be_used_in_real_time_on_its_own():
    async def main():
        from lictor import App, allow

        app = App("real")
        app.decision()(Payout)
        app.gate(Payout)(lambda p, s: allow())

        @app.effector(idempotent=True, timeout_s=5)
        def blocking(call, account: str) -> str:
            return f"{account} {call.attempt}"

        app.plan(Payout)(lambda p: blocking.action(p.account))
        async with Node(app) as node:
            handles = await node.submit_many([Payout(str(n)) for n in range(20)])
            outcomes = [await handle.outcome() for handle in handles]
        assert [outcome.value for outcome in outcomes] == [f"{n} 1" for n in range(20)]

    asyncio.run(main())


def test_two_apps_and_nodes_in_one_process_do_not_meet():
    async def main(rig):
        one = await rig.start(payouts(rig.world, slots=1))
        other = Node(
            payouts(rig.world, slots=1),
            MemoryJournal(MemoryDisk()),
            settings=Settings(tune_collector=False),
            clock=rig.clock,
        )
        await other.start()
        rig.world.says("a", 5)
        await rig.submit(Payout("a"), key="k")
        handle = await other.submit(Payout("b"), key="k")
        assert not handle.duplicate
        await handle.outcome()
        assert rig.loop.time() < 1
        assert one.journal.state is not other.journal.state
        await other.stop()

    simulate(main)


def test_ids_never_repeat_even_if_the_wall_clock_goes_back():
    async def main(rig):
        app = payouts(rig.world)
        await rig.start(app)
        first = [(await rig.submit(Payout("a"))).id for _ in range(5)]
        await rig.settle(1)
        rig.machine.crash()
        rig.clock.jump(-3600)
        await rig.start(app)
        second = [(await rig.submit(Payout("a"))).id for _ in range(5)]
        assert min(second) > max(first)
        assert sorted(first) == first

    simulate(main)


def test_an_error_of_the_journal_at_the_start_is_raised():
    async def main(rig):
        journal = MemoryJournal(rig.disk)
        await journal.open(0)
        node = Node(payouts(rig.world), journal, settings=Settings(tune_collector=False), clock=rig.clock)
        with pytest.raises(JournalError):
            await node.start()

    simulate(main)


@pytest.mark.parametrize("seed", range(6))
def test_a_stop_waits_for_the_write_that_is_under_way_and_for_what_is_still_to_be_written(seed):
    async def main(rig):
        class Slow(MemoryJournal):
            async def write(self, verbs, at_us):
                await rig.clock.sleep(rig.loop.streams.of("world").uniform(0, 0.5))
                answers = await super().write(verbs, at_us)
                await rig.clock.sleep(0.5)
                return answers

        journal = Slow(rig.disk)
        app = payouts(rig.world)
        node = Node(app, journal, settings=Settings(tune_collector=False), clock=rig.clock)
        await node.start()
        rig.world.says("a", 2)
        handle = await node.submit(Payout("a"))
        waiting = asyncio.create_task(handle.outcome())
        late = asyncio.create_task(node.submit(Payout("b")))
        await rig.settle(1.8 + 0.1 * seed)
        await node.stop()
        assert (await waiting).result == "succeeded"
        assert [row.decision for row in journal._feed if row.decision == handle.id] == [handle.id]
        assert late.done()

    simulate(main, seed)


def test_a_node_whose_disk_is_nearly_full_admits_nothing_and_settles_what_is_open():
    async def main(rig):
        class Nearly(MemoryJournal):
            free = 1 << 30

            def free_bytes(self):
                return self.free

        journal = Nearly(rig.disk)
        node = Node(payouts(rig.world), journal, settings=Settings(tune_collector=False), clock=rig.clock)
        await node.start()
        rig.world.says("a", 5)
        handle = await node.submit(Payout("a"))
        journal.free = node.settings.free_bytes_min - 1
        await rig.settle(2)
        shed = (await node.submit(Payout("b"), key="k")).verdict
        assert (shed.result, shed.code) == ("shed", "NOT_ADMITTING")
        assert shed.retry_after_s > 0
        assert (await handle.outcome()).result == "succeeded"
        journal.free = 1 << 30
        await rig.settle(2)
        assert (await node.submit(Payout("b"), key="k")).admitted
        await node.stop()

    simulate(main)


def test_a_file_says_how_much_room_it_has(tmp_path):
    async def main():
        from lictor import App

        app = App("room")
        async with Node(app, str(tmp_path / "room.db")) as node:
            assert node.journal.free_bytes() > 0

    asyncio.run(main())
