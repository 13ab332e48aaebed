"""The world says that it is busy and for how long: the whole effector waits for that long, and no longer."""

import pytest
from tests.rig import Payout, payouts, simulate

from lictor import App, EffectFailed, allow


def busy(seconds, **options):
    return EffectFailed("busy", code="BUSY", retry_after_s=seconds, **options)


def soon(rig, error):
    """Raises it after a moment, in which others may come."""

    async def behave(call):
        await rig.clock.sleep(0.05)
        raise error

    return behave


def arrived(rig):
    return {arrival.account: round(arrival.at_s, 2) for arrival in rig.world.arrivals}


def test_nothing_of_the_effector_starts_until_then_neither_new_nor_queued():
    async def main(rig):
        await rig.start(payouts(rig.world, slots=2))
        rig.world.says("a", soon(rig, busy(5)))
        rig.world.says("slow", 2)
        handles = [await rig.submit(Payout(account)) for account in ("a", "slow", "queued")]
        await rig.settle(0.1)
        handles.append(await rig.submit(Payout("new")))
        for handle in handles:
            assert (await rig.on(handle.outcome())).result == "succeeded"
        starts = arrived(rig)
        assert starts["slow"] == 0  # what runs goes on
        assert min(starts["queued"], starts["new"], starts["a"]) >= 5
        assert max(starts["queued"], starts["new"]) < 5.1
        lane = rig.node.pipeline.execution.lanes["transfer"]
        assert (lane.free, lane.held_until_us) == (2, 0)

    simulate(main)


def test_the_longest_of_several_waits_counts():
    async def main(rig):
        await rig.start(payouts(rig.world, slots=2))
        rig.world.says("a", soon(rig, busy(7)))
        rig.world.says("b", soon(rig, busy(3)))
        for account in "ab":
            await rig.submit(Payout(account))
        await rig.settle(0.1)
        await rig.outcome(Payout("c"))
        assert arrived(rig)["c"] >= 7

    simulate(main)


def test_who_cannot_wait_is_shed_at_once_and_told_when_to_come_back():
    async def main(rig):
        await rig.start(payouts(rig.world))
        rig.world.says("a", busy(30))
        await rig.submit(Payout("a"))
        await rig.settle(0.1)
        late = await rig.submit(Payout("late"), expires_in_s=10)
        assert (late.verdict.result, late.verdict.code) == ("shed", "INFEASIBLE")
        assert late.verdict.retry_after_s >= 19
        waits = await rig.submit(Payout("waits"), expires_in_s=50)
        assert (await rig.on(waits.outcome())).result == "succeeded"
        assert "late" not in arrived(rig)

    simulate(main)


def test_what_is_queued_and_cannot_wait_expires_with_a_code():
    async def main(rig):
        await rig.start(payouts(rig.world, slots=2))
        rig.world.says("a", soon(rig, busy(30)))
        rig.world.says("slow", 1)
        for account in ("a", "slow"):
            await rig.submit(Payout(account))
        queued = await rig.submit(Payout("queued"), expires_in_s=10)
        outcome = await rig.on(queued.outcome())
        assert outcome.result == "expired"
        assert outcome.code
        assert rig.loop.time() < 11
        assert "queued" not in arrived(rig)

    simulate(main)


def test_another_effector_goes_on():
    async def main(rig):
        app = App("two")
        app.decision()(Payout)
        app.gate(Payout)(lambda payout, state: allow())
        first = app.effector(idempotent=False, timeout_s=10, name="first")(rig.world.perform)
        second = app.effector(idempotent=False, timeout_s=10, name="second")(rig.world.perform)
        app.plan(Payout)(lambda p: (first if p.account == "a" else second).action(p.account, p.amount))
        await rig.start(app)
        rig.world.says("a", busy(5))
        await rig.submit(Payout("a"))
        await rig.settle(0.1)
        await rig.outcome(Payout("b"))
        assert rig.loop.time() < 1

    simulate(main)


def test_only_this_action_waits_where_only_this_was_meant():
    async def main(rig):
        await rig.start(payouts(rig.world))
        rig.world.says("a", busy(5, only_this=True))
        handle = await rig.submit(Payout("a"))
        await rig.settle(0.1)
        await rig.outcome(Payout("b"))
        assert rig.loop.time() < 1
        await rig.on(handle.outcome())
        assert rig.loop.time() >= 5

    simulate(main)


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_wait_of_no_time_holds_nothing(seconds):
    async def main(rig):
        await rig.start(payouts(rig.world))
        rig.world.says("a", busy(seconds))
        assert (await rig.outcome(Payout("a"))).result == "succeeded"
        lane = rig.node.pipeline.execution.lanes["transfer"]
        assert (lane.free, lane.held_until_us) == (8, 0)

    simulate(main)


def test_a_restart_forgets_it_and_a_stop_does_not_wait_for_it():
    async def main(rig):
        app = payouts(rig.world)
        node = await rig.start(app)
        rig.world.says("a", busy(50))
        await rig.submit(Payout("a"))
        await rig.settle(0.1)
        before = rig.loop.time()
        await rig.on(node.stop())
        assert rig.loop.time() - before < 1
        await rig.restart(app)
        await rig.outcome(Payout("b"))
        assert rig.loop.time() < 2

    simulate(main)
