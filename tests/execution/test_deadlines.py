"""Nothing starts past its deadline (I5); what cannot be done in time is shed at once; queues are bounded (I17)."""

import pytest
from tests.rig import Payout, payouts, simulate

from lictor import Priority, quorum


def test_queued_work_expires_at_its_deadline_and_releases_its_key():
    async def main(rig):
        await rig.start(payouts(rig.world, slots=1, kind={"order_by": "account", "expires_in_s": 600}))
        rig.world.says("blocker", 9)
        await rig.submit(Payout("blocker"))
        handle = await rig.submit(Payout("a", 1), expires_in_s=3)
        behind = await rig.submit(Payout("a", 2))
        outcome = await rig.on(handle.outcome())
        assert (outcome.result, outcome.code, outcome.attempts) == ("expired", "DISPLACED", 0)
        assert rig.loop.time() == pytest.approx(3, abs=0.01)
        assert (await rig.on(behind.outcome())).result == "succeeded"
        assert [a.amount for a in rig.world.arrivals] == [1, 2]

    simulate(main)


def test_what_waits_for_its_key_and_not_for_a_slot_was_not_displaced():
    async def main(rig):
        await rig.start(payouts(rig.world, kind={"order_by": "account", "expires_in_s": 600}))
        rig.world.says("a", 9)
        await rig.submit(Payout("a", 1))
        outcome = await rig.outcome(Payout("a", 2), expires_in_s=3)
        assert (outcome.result, outcome.code) == ("expired", "EXPIRED")

    simulate(main)


def test_a_retry_that_finds_no_slot_before_the_deadline_expires():
    async def main(rig):
        await rig.start(payouts(rig.world, slots=1, retry_base_s=1, retry_max_s=1, kind={"expires_in_s": 600}))
        rig.world.says("a", "retry")
        rig.world.says("blocker", 9, 9, 9)
        handle = await rig.submit(Payout("a"), expires_in_s=5)
        await rig.settle(0)
        await rig.on(rig.node.submit_many([Payout("blocker")] * 3))
        outcome = await rig.on(handle.outcome())
        assert outcome.result == "expired"
        assert rig.loop.time() == pytest.approx(5, abs=0.01)

    simulate(main)


def test_what_an_expired_deadline_leaves_of_a_plan_ends_with_it():
    async def main(rig):
        def chain(transfer, payout):
            one = transfer.action("one", 1)
            return [one, transfer.action("two", 1).after(one)]

        await rig.start(payouts(rig.world, plan=chain, kind={"expires_in_s": 3}))
        rig.world.says("one", 5)
        outcome = await rig.outcome(Payout("a"))
        assert outcome.result == "expired"
        assert outcome.value[0].startswith("receipt")
        assert rig.world.order() == ["one"]

    simulate(main)


def test_the_deadline_is_the_sources_where_it_gives_one():
    async def main(rig):
        await rig.start(payouts(rig.world, kind={"expires_in_s": 60}))
        now_us = rig.clock.wall_us()
        by_kind = await rig.submit(Payout("a"))
        by_seconds = await rig.submit(Payout("a"), expires_in_s=5)
        by_time = await rig.submit(Payout("a"), deadline_us=now_us + 7_000_000)
        earlier = await rig.submit(Payout("a"), deadline_us=now_us + 7_000_000, expires_in_s=5)
        lefts = [round((h.decision.deadline_us - now_us) / 1e6) for h in (by_kind, by_seconds, by_time, earlier)]
        assert lefts == [60, 5, 7, 5]
        assert (await rig.submit(Payout("a"), deadline_us=now_us)).verdict.code == "EXPIRED"

    simulate(main)


def test_work_that_cannot_be_done_in_time_is_shed_at_once():
    async def main(rig):
        await rig.start(payouts(rig.world, slots=1, kind={"expires_in_s": 600}))
        for n in range(60):
            rig.world.says(f"a{n}", 1)
        for n in range(3):
            await rig.outcome(Payout(f"a{n}"))  # how long a call takes is known now
        await rig.on(rig.node.submit_many([Payout(f"a{n}") for n in range(3, 33)]))
        handle = await rig.submit(Payout("late"), expires_in_s=10, key="k")
        assert (handle.verdict.result, handle.verdict.code) == ("shed", "INFEASIBLE")
        assert handle.verdict.retry_after_s > 10
        assert handle.verdict.rulings[-1].seen["wait_s"] > 10
        assert handle.id is None
        again = await rig.submit(Payout("late"), expires_in_s=500, key="k")  # a shed answer binds no key
        assert again.admitted

    simulate(main)


def test_what_arrives_in_one_turn_counts_against_what_comes_after_it_in_that_turn():
    async def main(rig):
        await rig.start(payouts(rig.world, slots=1, kind={"expires_in_s": 10}))
        rig.world.says("first", 1)
        await rig.outcome(Payout("first"))
        handles = await rig.on(rig.node.submit_many([Payout(f"a{n}") for n in range(100)]))
        results = [handle.verdict.result for handle in handles]
        assert 5 <= results.count("admitted") <= 12
        assert {h.verdict.code for h in handles if not h.admitted} == {"INFEASIBLE"}

    simulate(main)


def test_the_backlog_is_bounded_within_one_turn_too():
    async def main(rig):
        await rig.start(payouts(rig.world, slots=1), backlog_max=10)
        rig.world.says("a", 5)
        await rig.submit(Payout("a"))
        handles = await rig.on(rig.node.submit_many([Payout(f"a{n}") for n in range(50)]))
        assert sum(handle.admitted for handle in handles) == 9
        shed = [handle.verdict for handle in handles if not handle.admitted]
        assert {(v.result, v.code) for v in shed} == {("shed", "OVERLOADED")}
        assert all(v.retry_after_s > 0 for v in shed)

    simulate(main)


def test_what_waits_for_a_turn_is_bounded():
    async def main(rig):
        node = await rig.start(payouts(rig.world), waiting_max=5)

        async def burst():
            import asyncio

            return await asyncio.gather(*(node.submit(Payout(f"a{n}")) for n in range(20)))

        handles = await rig.on(burst())
        shed = [h.verdict for h in handles if h.verdict.result == "shed"]
        assert shed
        assert {v.code for v in shed} == {"OVERLOADED"}
        assert all(v.retry_after_s for v in shed)
        assert any(h.admitted for h in handles)

    simulate(main)


def test_shed_work_is_counted_durably():
    async def main(rig):
        node = await rig.start(payouts(rig.world, slots=1), backlog_max=1)
        rig.world.says("a", 5)
        await rig.submit(Payout("a"))
        for _ in range(3):
            await rig.submit(Payout("b"), source="agent")
        await rig.settle(3)
        counted = [row.verb.counts async for row in node.journal.scan() if row.event == "shed"]
        assert sum(count.count for counts in counted for count in counts) == 3
        assert {(c.source, c.kind, c.code) for counts in counted for c in counts} == {("agent", "Payout", "OVERLOADED")}

    simulate(main)


@pytest.mark.parametrize("jump_s", [-3600, 3600])
def test_setting_the_wall_clock_neither_stretches_nor_ends_a_deadline(jump_s):
    async def main(rig):
        await rig.start(payouts(rig.world, slots=1, kind={"expires_in_s": 10}))
        rig.world.says("a", 9)
        rig.world.says("b", 9)
        await rig.on(rig.node.submit_many([Payout("a"), Payout("b"), Payout("c")]))
        rig.clock.jump(jump_s)
        await rig.settle(30)
        assert rig.world.order() == ["a", "c"]  # b came up a second before its deadline, and c waited for the slot
        expired = [outcome for outcome in rig.outcomes().values() if outcome.result == "expired"]
        assert len(expired) == 1
        assert expired[0].at_us - rig.node.clock.wall_us() == pytest.approx(-21e6, abs=1e4)

    simulate(main)


def test_what_could_not_end_in_time_any_more_is_not_started_and_was_displaced():
    async def main(rig):
        await rig.start(payouts(rig.world, slots=1, kind={"expires_in_s": 600}))
        for n in range(30):
            rig.world.says(f"a{n}", 1)
        for n in range(6):
            await rig.outcome(Payout(f"a{n}"))  # how long a call takes is known now
        handle = await rig.submit(Payout("a6"))
        low = await rig.submit(Payout("low"), priority=Priority.LOW, expires_in_s=4)
        assert low.admitted
        for n in range(7, 14):
            await rig.submit(Payout(f"a{n}"), priority=Priority.URGENT)
            await rig.settle(0.4)
        outcome = await rig.on(low.outcome())
        assert (outcome.result, outcome.code, outcome.attempts) == ("expired", "DISPLACED", 0)
        assert (await rig.on(handle.outcome())).result == "succeeded"
        assert "low" not in rig.world.order()

    simulate(main)


def test_in_a_plan_that_has_begun_what_could_not_end_in_time_ends_as_displaced():
    async def main(rig):
        def chain(transfer, payout):
            one = transfer.action(payout.account, 1)
            return [one, transfer.action(f"{payout.account} later", 1).after(one)]

        await rig.start(payouts(rig.world, slots=1, plan=chain, kind={"expires_in_s": 600}))
        for account in ("a", "a later", "b", "b later", "c", "c later", "d", "d later"):
            rig.world.says(account, 1)
        await rig.outcome(Payout("a"))
        await rig.outcome(Payout("b"))
        short = await rig.submit(Payout("c"), expires_in_s=3.5)
        await rig.settle(0.1)
        await rig.submit(Payout("d"), priority=Priority.URGENT)
        await rig.submit(Payout("e"))
        outcome = await rig.on(short.outcome())
        assert (outcome.result, outcome.code) == ("expired", "DISPLACED")
        assert rig.loop.time() == pytest.approx(7, abs=0.01)  # when it came up, not when its time was over
        assert "c" in rig.world.order()
        assert "c later" not in rig.world.order()

    simulate(main)


def test_what_expires_in_the_turn_in_which_it_comes_up_ends_once():
    async def main(rig):
        def three(transfer, payout):
            return quorum(2, *(transfer.action(account, 1) for account in ("first", "long", "waits")))

        node = await rig.start(payouts(rig.world, slots=2, plan=three, kind={"expires_in_s": 3}))
        for _ in range(8):
            for account in ("first", "long", "waits"):
                rig.world.says(account, 0.5)
            await rig.outcome(Payout("a"))  # how long a call takes is known now
        rig.world.says("first", 3)  # its slot is free at the very moment of the deadline
        rig.world.says("long", 5)
        write, refused = node.journal.write, []

        async def written(verbs, at_us):
            answers = await write(verbs, at_us)
            refused.extend(answer.code for answer in answers if not answer.ok)
            return answers

        node.journal.write = written
        assert (await rig.outcome(Payout("a"))).result == "succeeded"
        assert refused == []

    simulate(main)
