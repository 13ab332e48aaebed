"""Rates: an empty bucket makes work wait, not fail; it holds up nobody who needs none of its tokens."""

import pytest
from tests.rig import Payout, payouts, simulate

from lictor import Priority, allow
from lictor.journal.port import Answer, Start, StartItem


def rated(world, *, per="all", gate=None, rate=None, **effector):
    app = payouts(world, kind={"expires_in_s": 600}, **effector)
    calls = app.rate("calls", **(rate or {"per_s": 2, "burst": 2}), per=per)
    app.gate(Payout, family="resources", name="calls")(gate(calls) if gate else lambda p, s: allow(calls.take()))
    return app


def times(rig, account=None):
    return [a.at_s for a in rig.world.arrivals if account in (None, a.account)]


def test_starts_keep_to_the_rate_after_the_burst():
    async def main(rig):
        await rig.start(rated(rig.world))
        await rig.on(rig.node.submit_many([Payout(f"a{n}") for n in range(12)]))
        await rig.settle(60)
        assert len(rig.world.effects) == 12
        starts = times(rig)
        for n, start in enumerate(starts):
            assert n + 1 <= 2 + start * 2 + 1e-6
        assert starts[-1] <= 5.01

    simulate(main)


def test_one_tenants_empty_bucket_does_not_hold_up_another():
    async def main(rig):
        await rig.start(rated(rig.world, per="tenant", slots=1))
        await rig.on(rig.node.submit_many([Payout("one")] * 10, tenant="one"))
        await rig.submit(Payout("two"), tenant="two")
        await rig.settle(60)
        assert times(rig, "two")[0] < 0.1
        assert times(rig, "one")[-1] >= 3.9

    simulate(main)


def test_work_that_takes_no_tokens_passes():
    async def main(rig):
        def gate(calls):
            return lambda p, s: allow() if p.account == "free" else allow(calls.take())

        await rig.start(rated(rig.world, gate=gate, slots=1))
        await rig.on(rig.node.submit_many([Payout("a")] * 10))
        await rig.submit(Payout("free"))
        await rig.settle(60)
        assert times(rig, "free")[0] < 0.1

    simulate(main)


def test_a_higher_class_gets_the_next_token():
    async def main(rig):
        await rig.start(rated(rig.world, rate={"per_s": 1, "burst": 1}))
        await rig.on(rig.node.submit_many([Payout("low")] * 5, priority=Priority.LOW))
        await rig.submit(Payout("urgent"), priority=Priority.URGENT)
        await rig.settle(60)
        assert rig.world.order()[:3] == ["low", "urgent", "low"]

    simulate(main)


def test_several_rates_are_taken_together_or_not_at_all():
    async def main(rig):
        app = payouts(rig.world, kind={"expires_in_s": 600})
        fast, slow = app.rate("fast", per_s=10, burst=1), app.rate("slow", per_s=1, burst=1)
        app.gate(Payout, family="resources", name="both")(lambda p, s: allow(fast.take(), slow.take()))
        await rig.start(app)
        await rig.on(rig.node.submit_many([Payout("a")] * 4))
        await rig.settle(60)
        assert [round(at, 3) for at in times(rig)] == [0, 1, 2, 3]

    simulate(main)


def test_tokens_of_what_is_cancelled_or_expires_come_back():
    async def main(rig):
        app = rated(rig.world, rate={"per_minute": 6, "burst": 1})
        node = await rig.start(app)
        await rig.submit(Payout("a"))
        gone = await rig.submit(Payout("b"), expires_in_s=15)
        await rig.submit(Payout("c"), priority=Priority.URGENT)
        last = await rig.submit(Payout("d"))
        assert (await rig.on(gone.outcome())).result == "expired"
        assert (await rig.on(last.outcome())).result == "succeeded"
        assert times(rig)[-1] == pytest.approx(20, abs=0.01)
        assert node.failure is None

    simulate(main)


def test_after_a_restart_buckets_start_empty_and_fill_from_then_on():
    async def main(rig):
        app = rated(rig.world, per="tenant", rate={"per_s": 1, "burst": 3})
        await rig.start(app)
        await rig.on(rig.node.submit_many([Payout("a")] * 3, tenant="one"))
        await rig.settle(0.1)
        assert len(times(rig)) == 3
        await rig.restart(app)
        await rig.on(rig.node.submit_many([Payout("b")] * 3, tenant="one"))
        await rig.settle(10)
        assert [round(at - 0.1, 2) for at in times(rig, "b")] == [1, 2, 3]
        await rig.on(rig.node.submit_many([Payout("c")] * 3, tenant="new"))  # has had ten seconds to fill
        await rig.settle(0.1)
        assert len(times(rig, "c")) == 3

    simulate(main)


def test_waiting_for_tokens_costs_no_timers_and_no_turns():
    async def main(rig):
        await rig.start(rated(rig.world, rate={"per_minute": 1, "burst": 1}))
        await rig.on(rig.node.submit_many([Payout(f"a{n}") for n in range(200)]))
        before = rig.loop.steps
        await rig.settle(50)
        assert rig.loop.steps - before < 50
        assert len(rig.loop._timers) < 20

    simulate(main)


def test_what_would_wait_too_long_for_its_tokens_is_shed_at_once():
    async def main(rig):
        await rig.start(rated(rig.world, rate={"per_s": 1, "burst": 1}))
        handles = await rig.on(rig.node.submit_many([Payout("a")] * 10, expires_in_s=4.5))
        assert [handle.admitted for handle in handles] == [True] * 5 + [False] * 5
        assert {handle.verdict.code for handle in handles[5:]} == {"INFEASIBLE"}
        late = await rig.submit(Payout("a"), expires_in_s=4.5)
        assert late.verdict.retry_after_s >= 0.5
        urgent = await rig.submit(Payout("b"), expires_in_s=4.5, priority=Priority.URGENT)  # passes those that wait
        assert (await rig.on(urgent.outcome())).result == "succeeded"

    simulate(main)


def test_tokens_of_a_start_that_the_journal_does_not_take_come_back():
    async def main(rig):
        node = await rig.start(rated(rig.world, rate={"per_minute": 1, "burst": 4}))
        execution = node.pipeline.execution
        for _ in range(4):
            await rig.outcome(Payout("a"))
        (bucket,) = execution.tokens._buckets.values()
        assert bucket.tokens._tokens == 0
        waits = (await rig.submit(Payout("a"))).id
        execution.started(Start((StartItem(waits, (0,), 1),), 0), Answer(accepted=frozenset()))
        assert bucket.tokens._tokens == 1

    simulate(main)
