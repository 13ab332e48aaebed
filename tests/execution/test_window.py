"""What is queued beyond the window is parked in the journal, and nobody can tell but by the metric."""

import gc

import pytest
from tests.rig import Payout, payouts, simulate

from lictor import Signal
from lictor.entry import Entry, Handles
from lictor.errors import NodeStoppedError
from lictor.records import Result, Verdict

WINDOW = {"window_max": 8, "backlog_max": 1_000}


def parked(rig):
    return rig.node.journal.state.parking.count


async def crowd(rig, count, tenant="default", first=0, **options):
    """Many decisions while the only slot is taken."""
    wanted = [Payout(f"{tenant}-{n}") for n in range(first, first + count)]
    return await rig.on(rig.node.submit_many(wanted, tenant=tenant, **options))


async def blocked(rig, app=None, seconds=8, **settings):
    """A node whose only slot is taken."""
    await rig.start(app or payouts(rig.world, slots=1), **(WINDOW | settings))
    rig.world.says("block", seconds)
    await rig.submit(Payout("block"))


def test_a_queue_beyond_the_window_leaves_memory_and_all_of_it_is_done_in_order():
    async def main(rig):
        await blocked(rig)
        handles = await crowd(rig, 100)
        assert all(handle.admitted for handle in handles)
        state = rig.node.journal.state
        assert parked(rig) > 80
        assert len(state.open) <= WINDOW["window_max"]
        assert len(rig.node.pipeline.execution.work) == len(state.open)
        assert rig.node.pipeline.execution.backlog == 101
        outcomes = [await rig.on(handle.outcome()) for handle in handles]
        assert {outcome.result for outcome in outcomes} == {"succeeded"}
        assert rig.world.order() == ["block", *(f"default-{n}" for n in range(100))]
        assert parked(rig) == 0
        assert not rig.node.pipeline.execution.window._queues

    simulate(main)


def test_tenants_keep_their_turns_however_deep_the_queue_of_one_is():
    async def main(rig):
        await blocked(rig)
        for n in range(100):
            rig.world.says(f"big-{n}", 1)
            rig.world.says(f"small-{n}", 1)
        await crowd(rig, 80, "big", expires_in_s=1_000)
        handles = await crowd(rig, 20, "small")
        for handle in handles:
            await rig.on(handle.outcome())
        order = rig.world.order()[1:]
        last = max(n for n, account in enumerate(order) if account.startswith("small"))
        assert last <= 2 * 20 + 1, "one for one"

    simulate(main)


def test_a_higher_class_goes_before_all_that_is_parked():
    async def main(rig):
        await blocked(rig)
        await crowd(rig, 50, priority=2)
        handles = await crowd(rig, 20, "urgent", priority=0)
        for handle in handles:
            await rig.on(handle.outcome())
        assert rig.world.order()[1:21] == [f"urgent-{n}" for n in range(20)]

    simulate(main)


def test_nothing_that_comes_later_passes_what_is_parked():
    async def main(rig):
        await blocked(rig)
        for n in range(30):
            rig.world.says(f"default-{n}", 1)
        await crowd(rig, 30)
        await rig.settle(20)
        assert parked(rig) > 5
        await crowd(rig, 5, first=30)
        await rig.settle(60)
        assert rig.world.order()[1:] == [f"default-{n}" for n in range(35)]

    simulate(main)


def test_what_is_parked_expires_at_its_deadline():
    async def main(rig):
        await blocked(rig, payouts(rig.world, slots=1, kind={"expires_in_s": 40}, timeout_s=1000), seconds=100)
        handles = await crowd(rig, 50)
        assert parked(rig) > 30
        await rig.settle(39)
        assert not rig.outcomes()
        await rig.settle(2)
        results = {rig.outcomes()[handle.id].result for handle in handles}
        assert results == {"expired"}
        assert parked(rig) == 0

    simulate(main)


def test_what_is_parked_can_be_cancelled_listed_and_shown():
    async def main(rig):
        await blocked(rig)
        handles = await crowd(rig, 30)
        last = handles[-1].id
        assert last not in rig.node.journal.state.open
        assert await rig.on(rig.node.cancel(last, by="ann"))
        assert rig.outcomes()[last].result == "cancelled"
        assert (await rig.on(handles[-1].outcome())).result == "cancelled"
        count = parked(rig)
        assert await rig.on(handles[-2].outcome())
        assert parked(rig) < count
        assert "default-29" not in rig.world.order()

    simulate(main)


def test_a_restart_takes_up_what_is_parked():
    async def main(rig):
        await blocked(rig)
        await crowd(rig, 60)
        await rig.restart(payouts(rig.world, slots=1), **WINDOW)
        assert parked(rig) > 40
        await rig.settle(100)
        outcomes = rig.outcomes().values()
        assert sum(outcome.result == "succeeded" for outcome in outcomes) >= 60
        assert parked(rig) == 0

    simulate(main)


def test_what_cannot_be_parked_is_shed_beyond_the_window():
    async def main(rig):
        await blocked(rig, payouts(rig.world, slots=1, kind={"order_by": "account"}))
        handles = await crowd(rig, 30)
        codes = [handle.verdict.code for handle in handles]
        assert codes.count(None) == WINDOW["window_max"] - 1
        assert codes.count("OVERLOADED") == 30 - codes.count(None)
        assert parked(rig) == 0

    simulate(main)


def test_all_that_is_open_is_bounded_parked_or_not():
    async def main(rig):
        await blocked(rig, backlog_max=40)
        handles = await crowd(rig, 100)
        assert sum(handle.admitted for handle in handles) == 39
        assert {handle.verdict.code for handle in handles} == {None, "OVERLOADED"}

    simulate(main)


def test_a_halt_keeps_what_is_parked_and_a_resume_lets_it_go():
    async def main(rig):
        await blocked(rig, seconds=5)
        await crowd(rig, 40)
        await rig.on(rig.node.halt("kind:Payout", by="ann"))
        await rig.settle(20)
        assert rig.world.order() == ["block"]
        await rig.on(rig.node.resume("kind:Payout", by="ann"))
        await rig.settle(5)
        assert len(rig.world.order()) == 41

    simulate(main)


def test_who_waits_for_what_is_parked_is_told():
    async def main(rig):
        await blocked(rig)
        handles = await crowd(rig, 40)
        waits, kept = handles[-1], handles[-2]
        waiting = rig.machine.spawn(waits.outcome())
        await rig.settle(1)
        held = rig.node.pipeline.handles
        assert len(held._of) < 15
        assert kept.id in held._loose
        assert (await rig.on(waiting)).result == "succeeded"
        await rig.settle(10)
        assert kept.done
        assert (await rig.on(kept.outcome())).result == "succeeded"
        assert not held._of

    simulate(main)


def test_the_handle_of_what_is_parked_is_remembered_as_long_as_somebody_holds_it():
    handles = Handles()
    verdict = Verdict(result=Result.ADMITTED, at_us=0, digest=b"")
    entry = Entry(Signal(source="s", kind="k"), None)
    handles.give(entry, 1, verdict, None, duplicate=False)
    handles.loosen([1])
    assert list(handles._loose) == [1]
    entry.handle = None
    gc.collect()
    assert not handles._loose
    assert not handles._of
    handles.close(1, None)


def test_who_waits_for_what_is_parked_is_told_that_the_node_stopped():
    async def main(rig):
        await blocked(rig)
        kept = (await crowd(rig, 40))[-1]
        await rig.settle(1)
        await rig.on(rig.node.stop())
        with pytest.raises(NodeStoppedError):
            await rig.on(kept.outcome())

    simulate(main)
