"""A cancel is a request; the true result is kept. What supersedes takes the place of what has not started."""

import pytest
from tests.rig import Payout, payouts, simulate

from lictor import NotFoundError, all_of, allow, hold, report


def test_what_has_not_started_ends_cancelled_with_its_reservation_released():
    async def main(rig):
        app = payouts(rig.world, slots=1)
        cash = app.balance("cash", 100)
        app.gate(Payout, family="resources", name="cash")(lambda p, s: allow(cash.reserve(p.amount)))
        node = await rig.start(app)
        rig.world.says("a", 5)
        await rig.submit(Payout("a", 10))
        handle = await rig.submit(Payout("b", 20))
        assert node.journal.state.balances["cash", "all"].reserved(None) == 30
        assert await rig.on(node.cancel(handle.id, by="ann", reason="changed my mind"))
        outcome = await rig.on(handle.outcome())
        assert (outcome.result, outcome.detail) == ("cancelled", "by ann: changed my mind")
        assert node.journal.state.balances["cash", "all"].reserved(None) == 10
        await rig.settle(10)
        assert rig.world.order() == ["a"]
        with pytest.raises(NotFoundError):
            await rig.on(node.cancel(handle.id, by="ann"))

    simulate(main)


def test_what_runs_keeps_its_true_result():
    async def main(rig):
        node = await rig.start(payouts(rig.world))
        rig.world.says("a", 5)
        handle = await rig.submit(Payout("a"))
        assert not await rig.on(node.cancel(handle.id, by="ann"))
        assert not await rig.on(node.cancel(handle.id, by="bob"))  # asked before
        assert (await rig.on(handle.outcome())).result == "succeeded"

    simulate(main)


def test_what_is_pending_is_cancelled_by_its_effector():
    async def main(rig):
        node = await rig.start(payouts(rig.world))
        rig.world.says("a", "pending")
        rig.world.answers["cancel a"].append(report("c", final=True, result="cancelled"))
        handle = await rig.submit(Payout("a"))
        await rig.settle()
        assert not await rig.on(node.cancel(handle.id, by="ann"))
        assert (await rig.on(handle.outcome())).result == "cancelled"

    simulate(main)


def test_a_fill_that_the_cancel_met_is_kept():
    async def main(rig):
        node = await rig.start(payouts(rig.world))
        rig.world.says("a", "pending")
        rig.world.answers["cancel a"].append(report("f", final=True, result="succeeded", value="filled"))
        handle = await rig.submit(Payout("a"))
        await rig.settle()
        await rig.on(node.cancel(handle.id, by="ann"))
        outcome = await rig.on(handle.outcome())
        assert (outcome.result, outcome.value) == ("succeeded", "filled")

    simulate(main)


def test_a_retry_that_waits_is_cancelled():
    async def main(rig):
        node = await rig.start(payouts(rig.world, retry_base_s=20))
        rig.world.says("a", *["retry"] * 5)
        handle = await rig.submit(Payout("a"))
        await rig.settle()
        assert rig.state(handle.id) == "backing_off"
        await rig.on(node.cancel(handle.id, by="ann"))
        assert (await rig.on(handle.outcome())).result == "cancelled"
        await rig.settle(100)
        assert len(rig.world.arrivals) == 1

    simulate(main)


def test_the_rest_of_a_plan_is_cancelled_and_what_ran_is_kept():
    async def main(rig):
        def steps(transfer, payout):
            first = transfer.action("one", 1)
            return all_of(first, transfer.action("two", 1).after(first))

        node = await rig.start(payouts(rig.world, plan=steps))
        rig.world.says("one", 5)
        handle = await rig.submit(Payout("a"))
        await rig.settle(1)
        await rig.on(node.cancel(handle.id, by="ann"))
        outcome = await rig.on(handle.outcome())
        assert outcome.result == "cancelled"
        assert outcome.value[0].startswith("receipt")
        assert rig.world.order() == ["one"]

    simulate(main)


@pytest.mark.parametrize("seed", range(8))
def test_a_held_decision_that_is_cancelled_never_comes_back(seed):
    async def main(rig):
        app = payouts(rig.world)
        app.gate(Payout, family="authorization", name="boss")(lambda p, s: hold("ASK"))
        node = await rig.start(app)
        handle = await rig.submit(Payout("a"))
        assert handle.verdict.result == "held"
        approving = rig.machine.spawn(node.approve(handle.id, by="boss"))
        cancelling = rig.machine.spawn(node.cancel(handle.id, by="ann"))
        await rig.settle(1)
        outcome = await rig.on(handle.outcome())
        assert outcome.result in {"cancelled", "succeeded"}
        assert len(rig.world.arrivals) == (outcome.result == "succeeded")
        assert handle.id not in node.journal.state.open
        for task in (approving, cancelling):
            task.exception()
        assert node.failure is None

    simulate(main, seed)


def test_a_successor_takes_the_place_and_the_reservation_of_what_has_not_started():
    async def main(rig):
        app = payouts(rig.world, slots=1)
        cash = app.balance("cash", 100)
        app.gate(Payout, family="resources", name="cash")(lambda p, s: allow(cash.reserve(p.amount)))
        await rig.start(app)
        rig.world.says("a", 5)
        await rig.submit(Payout("a", 10))
        old = await rig.submit(Payout("b", 80))
        new = await rig.submit(Payout("c", 90), supersedes=old.id)
        assert new.admitted
        gone = await rig.on(old.outcome())
        assert (gone.result, gone.code) == ("cancelled", "SUPERSEDED")
        assert (await rig.on(new.outcome())).result == "succeeded"
        assert rig.world.order() == ["a", "c"]

    simulate(main)


def test_a_successor_of_what_runs_waits_for_the_key():
    async def main(rig):
        await rig.start(payouts(rig.world, kind={"order_by": "account"}))
        rig.world.says("a", 5)
        old = await rig.submit(Payout("a", 1))
        await rig.settle(1)
        new = await rig.submit(Payout("a", 2), supersedes=old.id)
        assert (await rig.on(old.outcome())).result == "succeeded"
        assert (await rig.on(new.outcome())).result == "succeeded"
        assert rig.world.arrivals[1].at_s >= 5

    simulate(main)


@pytest.mark.parametrize("who", [{"tenant": "other"}, {"source": "other"}])
def test_nobody_supersedes_what_another_decided(who):
    async def main(rig):
        await rig.start(payouts(rig.world, slots=1))
        rig.world.says("a", 5)
        await rig.submit(Payout("a"))
        old = await rig.submit(Payout("b"))
        verdict = (await rig.submit(Payout("c"), supersedes=old.id, **who)).verdict
        assert (verdict.result, verdict.code) == ("refused", "NOT_PERMITTED")

    simulate(main)
