"""Order keys (I4), classes, tenants, slots: who starts when."""

from dataclasses import dataclass

import pytest
from tests.rig import Payout, payouts, simulate

from lictor import App, Priority, allow, defer, hold


def keyed(world, **effector):
    """Payouts ordered by account."""
    return payouts(world, kind={"order_by": "account", "expires_in_s": 600}, **effector)


def amounts(rig, account="a"):
    return [arrival.amount for arrival in rig.world.arrivals if arrival.account == account]


@pytest.mark.parametrize("seed", range(5))
def test_one_key_runs_one_after_another_in_the_order_of_admission(seed):
    async def main(rig):
        await rig.start(keyed(rig.world))
        rig.world.says("a", 3, "retry", "ok", 1)
        handles = await rig.on(rig.node.submit_many([Payout("a", n) for n in range(1, 6)]))
        await rig.on(rig.node.submit(Payout("b")))
        for handle in handles:
            assert (await rig.on(handle.outcome())).result == "succeeded"
        assert amounts(rig) == [1, 2, 2, 3, 4, 5]
        assert rig.world.arrivals[1].account == "b"

    simulate(main, seed)


@pytest.mark.parametrize("behaviour", ["lost", "pending", "retry"])
def test_doubt_pending_and_backing_off_hold_the_key(behaviour):
    async def main(rig):
        await rig.start(keyed(rig.world, retry_base_s=100, retry_max_s=100))
        rig.world.says("a", behaviour)
        rig.world.answers["a"].extend([None] * 3)
        await rig.submit(Payout("a", 1))
        second = await rig.submit(Payout("a", 2))
        await rig.settle(4)
        assert amounts(rig) == [1]
        assert (await rig.on(second.outcome())).result == "succeeded"
        assert amounts(rig)[-1] == 2

    simulate(main)


def test_keys_of_tenants_are_apart():
    async def main(rig):
        await rig.start(keyed(rig.world))
        rig.world.says("a", 5)
        await rig.submit(Payout("a", 1), tenant="one")
        await rig.submit(Payout("a", 2), tenant="two")
        await rig.settle(1)
        assert amounts(rig) == [1, 2]

    simulate(main)


def test_what_was_held_or_deferred_takes_its_place_when_it_is_admitted():
    async def main(rig):
        app = keyed(rig.world)

        @app.gate(Payout, family="authorization")
        def large(payout, state):
            if payout.amount == 100:
                return hold("LARGE")
            return defer(3) if payout.amount == 50 and rig.loop.time() < 2 else allow()

        node = await rig.start(app)
        held = await rig.submit(Payout("a", 100))
        deferred = await rig.submit(Payout("a", 50))
        assert (held.verdict.result, deferred.verdict.result) == ("held", "deferred")
        rig.world.says("a", 4)
        await rig.submit(Payout("a", 1))  # nobody is before it
        await rig.on(node.approve(held.id, by="boss"))
        await rig.submit(Payout("a", 2))
        await rig.settle(20)
        assert amounts(rig) == [1, 100, 2, 50]

    simulate(main)


@dataclass(frozen=True)
class Stop:
    account: str


def test_a_control_kind_passes_the_key_and_the_queue_of_lower_classes():
    async def main(rig):
        app = keyed(rig.world, slots=1)
        app.decision(order_by="account", control=True, priority=Priority.URGENT)(Stop)
        transfer = app.effectors["transfer"]
        app.plan(Stop)(lambda stop: transfer.action(stop.account, 0))
        await rig.start(app)
        rig.world.says("a", 5)
        await rig.on(rig.node.submit_many([Payout("a", n) for n in range(1, 4)]))
        await rig.submit(Stop("a"))
        await rig.settle(30)
        assert amounts(rig) == [1, 0, 2, 3]

    simulate(main)


def test_a_child_with_its_parents_key_runs_in_its_parents_turn_and_keeps_the_key():
    async def main(rig):
        node = await rig.start(keyed(rig.world))

        async def parent(call):
            await node.submit(Payout("a", 11), parent=call.decision)  # and does not wait for it

        rig.world.says("a", parent, 5)
        first = await rig.submit(Payout("a", 1))
        last = await rig.submit(Payout("a", 2))
        assert (await rig.on(first.outcome())).result == "succeeded"
        await rig.settle(1)
        assert amounts(rig) == [1, 11]  # the child still runs, so the turn has not ended
        assert (await rig.on(last.outcome())).result == "succeeded"
        assert rig.loop.time() >= 5

    simulate(main)


def test_the_head_of_a_key_inherits_the_highest_class_behind_it():
    async def main(rig):
        await rig.start(keyed(rig.world, slots=1))
        rig.world.says("blocker", 5)
        await rig.submit(Payout("blocker"))
        await rig.submit(Payout("low", 1), priority=Priority.LOW)
        for n in range(3):
            await rig.submit(Payout(f"normal{n}"))
        await rig.submit(Payout("low", 2), priority=Priority.URGENT)
        await rig.settle(30)
        # A slot that is freed in the turn in which the head ends goes to who is ready then; the next goes to the key.
        assert rig.world.order() == ["blocker", "low", "normal0", "low", "normal1", "normal2"]

    simulate(main)


def test_order_is_kept_across_a_restart():
    async def main(rig):
        app = keyed(rig.world, slots=2)
        await rig.start(app)
        rig.world.says("a", 1, 1, 1, 1, 1)
        await rig.on(rig.node.submit_many([Payout("a", n) for n in range(1, 6)]))
        await rig.settle(1.5)
        await rig.restart(app)
        await rig.settle(60)
        ran = amounts(rig)
        assert ran == sorted(ran)
        assert sorted(set(ran)) == [1, 2, 3, 4, 5]
        assert len(rig.outcomes()) == 5

    simulate(main)


def test_a_higher_class_starts_first():
    async def main(rig):
        await rig.start(payouts(rig.world, slots=1))
        rig.world.says("blocker", 5)
        await rig.submit(Payout("blocker"))
        for priority in (Priority.LOW, Priority.NORMAL, Priority.URGENT, Priority.HIGH):
            await rig.submit(Payout(priority.name), priority=priority)
        await rig.settle(10)
        assert rig.world.order() == ["blocker", "URGENT", "HIGH", "NORMAL", "LOW"]

    simulate(main)


def test_within_a_class_and_tenant_the_earliest_deadline_starts_first():
    async def main(rig):
        await rig.start(payouts(rig.world, slots=1))
        rig.world.says("blocker", 5)
        await rig.submit(Payout("blocker"))
        for seconds in (40, 20, 30):
            await rig.submit(Payout(str(seconds)), expires_in_s=seconds)
        await rig.settle(10)
        assert rig.world.order() == ["blocker", "20", "30", "40"]

    simulate(main)


def test_tenants_share_alike_however_much_one_of_them_asks():
    async def main(rig):
        await rig.start(payouts(rig.world, slots=1, kind={"expires_in_s": 600}))
        rig.world.says("blocker", 1)
        await rig.submit(Payout("blocker"))
        for name, count in (("big", 90), ("small", 10)):
            for _ in range(count):
                rig.world.says(name, 1)
            await rig.on(rig.node.submit_many([Payout(name)] * count, tenant=name))
        await rig.settle(21.5)
        served = rig.world.order()[1:]
        assert served.count("small") == 10
        assert abs(served.count("big") - 10) <= 1

    simulate(main)


def test_declared_weights_and_true_durations_decide_the_share():
    async def main(rig):
        app = payouts(rig.world, slots=1, kind={"expires_in_s": 6000})
        app.tenant("big", weight=3)
        await rig.start(app)
        rig.world.says("big", *[1] * 150)
        rig.world.says("slow", *[2] * 150)
        rig.world.says("plain", *[1] * 150)
        for name in ("big", "slow", "plain"):
            await rig.on(rig.node.submit_many([Payout(name)] * 150, tenant=name))
        await rig.settle(100)
        served = rig.world.order()
        seconds = {"big": served.count("big"), "slow": 2 * served.count("slow"), "plain": served.count("plain")}
        for name, share in (("big", 60), ("slow", 20), ("plain", 20)):
            assert abs(seconds[name] - share) <= 6, seconds

    simulate(main)


def test_no_more_calls_run_than_there_are_slots_and_effectors_do_not_share_them():
    async def main(rig):
        app = App("two")
        app.decision(expires_in_s=600)(Payout)
        slow = app.effector(idempotent=True, timeout_s=500, slots=3, name="slow")(rig.world.perform)
        fast = app.effector(idempotent=True, timeout_s=500, slots=1, name="fast")(rig.world.perform)
        app.plan(Payout)(lambda p: (fast if p.account == "fast" else slow).action(p.account, p.amount))
        await rig.start(app)
        for n in range(10):
            rig.world.says(f"s{n}", 10)
        await rig.on(rig.node.submit_many([Payout(f"s{n}") for n in range(10)]))
        assert (await rig.outcome(Payout("fast"))).result == "succeeded"
        await rig.settle(100)
        assert rig.world.running_max in {3, 4}
        assert len(rig.world.effects) == 11

    simulate(main)
