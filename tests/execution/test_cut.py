"""What still runs at its deadline is ended where that leaves nothing in doubt, and never blindly; what stops, stops."""

import asyncio
import threading
from dataclasses import dataclass

import pytest
from tests.rig import Payout, payouts, simulate

from lictor import App, Call, DeclarationError, Node, Settings, report


def late(rig, **effector):
    return payouts(rig.world, **({"slots": 1, "timeout_s": 30, "kind": {"expires_in_s": 600}} | effector))


def lane(rig):
    return rig.node.pipeline.execution.lanes["transfer"]


async def submitted(rig, app, *, says=9):
    await rig.start(app)
    rig.world.says("a", says)
    return await rig.submit(Payout("a"), expires_in_s=3)


def test_a_call_that_may_be_cut_ends_at_its_deadline_and_frees_its_slot():
    async def main(rig):
        handle = await submitted(rig, late(rig, cut=True))
        outcome = await rig.on(handle.outcome())
        assert (outcome.result, outcome.code) == ("failed", "EXPIRED")
        assert rig.loop.time() == pytest.approx(3, abs=0.01)
        await rig.settle()
        assert lane(rig).free == 1
        assert rig.world.running == 0
        assert rig.world.effects == {}

    simulate(main)


def test_a_call_that_nobody_can_vouch_for_runs_on():
    async def main(rig):
        app = late(rig)
        app.effectors["transfer"].stops = None
        app.effectors["transfer"]._late()
        handle = await submitted(rig, app)
        outcome = await rig.on(handle.outcome())
        assert outcome.result == "succeeded"
        assert rig.loop.time() == pytest.approx(9, abs=0.01)

    simulate(main)


def test_the_world_is_asked_to_stop_it_and_says_the_true_result():
    async def main(rig):
        rig.world.answers["cancel a"].append(report("stopped", final=True, result="cancelled"))
        handle = await submitted(rig, late(rig))
        outcome = await rig.on(handle.outcome())
        assert outcome.result == "cancelled"
        assert rig.loop.time() == pytest.approx(3, abs=0.01)
        await rig.settle()
        assert lane(rig).free == 1

    simulate(main)


def test_what_the_world_does_not_stop_runs_on():
    async def main(rig):
        handle = await submitted(rig, late(rig))  # it answers that it does not know
        assert (await rig.on(handle.outcome())).result == "succeeded"
        assert rig.loop.time() == pytest.approx(9, abs=0.01)

    simulate(main)


@pytest.mark.parametrize(("says", "result"), [("lost", "expired"), ("done_and_silent", "succeeded")])
def test_what_bears_a_repetition_is_cut_and_asked_for(says, result):
    async def main(rig):
        app = late(rig, idempotent=True)
        app.effectors["transfer"].stops = None
        app.effectors["transfer"]._late()
        handle = await submitted(rig, app, says=says)
        assert (await rig.on(handle.outcome())).result == result
        assert rig.loop.time() == pytest.approx(3, abs=0.01)
        assert [account for account, _ in rig.world.asked] == ["a"]
        assert len(rig.world.arrivals) == 1

    simulate(main)


def test_a_call_in_a_thread_cannot_be_declared_to_be_cut():
    app = App("threads")

    @app.effector(idempotent=True, timeout_s=1, cut=True)
    def work(call: Call) -> None:
        """Nothing."""

    with pytest.raises(DeclarationError, match="cannot be cut off"):
        app.check()


# -- time and the end -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Do:
    what: int = 1


def app_of(perform):
    app = App("ends")
    app.decision(expires_in_s=600)(Do)
    effector = app.effector(idempotent=True, timeout_s=60, name="do", slots=2)(perform)
    app.plan(Do)(lambda do: effector.action(do.what))
    return app


def test_a_call_is_timed_from_when_it_really_runs():
    async def main():
        async def instant(call: Call, what: int) -> None:
            """Nothing."""

        async with Node(app_of(instant), settings=Settings(drain_s=0.0)) as node:
            attempts = node.pipeline.execution.attempts
            created = attempts.begin

            def slow_loop(*args):
                created(*args)
                until = node.clock.monotonic() + 0.05
                while node.clock.monotonic() < until:
                    pass  # the loop is busy, so that the task that was made waits

            attempts.begin = slow_loop
            for _ in range(3):
                handle = await node.submit(Do())
                await handle.outcome()
            return node.pipeline.execution.lanes["do"].service.mean_s

    assert asyncio.run(main()) < 0.02


def test_what_did_not_begin_is_no_call_that_took_no_time():
    async def main(rig):
        node = await rig.start(payouts(rig.world, slots=2))
        rig.world.says("a", 4)
        await rig.outcome(Payout("a"))
        mean_s = lane(rig).service.mean_s
        execution = node.pipeline.execution
        begin = execution._may_begin
        refused = []
        execution.attempts._may_begin = lambda work, name: (
            begin(work, name) and bool(refused.append(1) or len(refused) > 3)
        )
        rig.world.says("b", 4)
        assert (await rig.outcome(Payout("b"))).result == "succeeded"
        assert len(refused) == 4
        assert lane(rig).service.mean_s == pytest.approx(mean_s, rel=0.01)
        assert lane(rig).free == 2

    simulate(main)


def test_a_call_that_will_not_be_stopped_does_not_hold_up_the_end(monkeypatch):
    monkeypatch.setattr("lictor.execution.attempts.STOP_S", 0.05)
    over = []

    async def stubborn(call: Call, what: int) -> None:
        while not over:
            try:
                await asyncio.sleep(0.3)
            except asyncio.CancelledError:
                continue

    async def main():
        node = Node(app_of(stubborn), settings=Settings(drain_s=0.0))
        await node.start()
        await node.submit(Do())
        await asyncio.sleep(0)
        await asyncio.wait_for(node.stop(), 10)
        over.append(True)
        await asyncio.gather(*(attempt.task for attempt in list(node.pipeline.execution.attempts.running)))

    asyncio.run(main())


def test_threads_of_sync_effectors_end_with_the_node():
    def work(call: Call, what: int) -> int:
        return threading.get_ident()

    async def main():
        async with Node(app_of(work), settings=Settings(drain_s=0.0)) as node:
            handle = await node.submit(Do())
            ident = (await handle.outcome()).value
            return next(t for t in threading.enumerate() if t.ident == ident)

    thread = asyncio.run(main())
    thread.join(10)
    assert not thread.is_alive()
