"""Effects that take time, reports of every kind, and doubt: the world is asked, told on, and believed once."""

import asyncio
import contextlib

import pytest
from tests.rig import Payout, payouts, simulate

from lictor import NotFoundError, allow, report


def budgeted(world, **effector):
    """An App whose payouts reserve their amount of `cash`."""
    app = payouts(world, **effector)
    cash = app.balance("cash", 100)

    @app.gate(Payout, family="resources")
    def affordable(payout, state):
        return allow(cash.reserve(payout.amount))

    return app, cash


def settled(rig):
    balance = rig.node.journal.state.balances["cash", "all"]
    return balance.settled(None), balance.reserved(None)


def test_pending_gives_up_its_slot_and_is_polled_until_the_world_knows():
    async def main(rig):
        await rig.start(payouts(rig.world, slots=1))
        rig.world.says("a", "pending")
        rig.world.answers["a"].extend([None, None])
        handle = await rig.submit(Payout("a"))
        assert (await rig.outcome(Payout("b"))).result == "succeeded"
        assert rig.state(handle.id) == "pending"
        outcome = await rig.on(handle.outcome())
        assert (outcome.result, outcome.value, outcome.attempts) == ("succeeded", "found", 1)
        assert [round(at_s) for _, at_s in rig.world.asked] == [5, 10, 15]

    simulate(main)


def test_pending_may_outlive_its_deadline():
    async def main(rig):
        await rig.start(payouts(rig.world, kind={"expires_in_s": 3}))
        rig.world.says("a", "pending")
        assert (await rig.outcome(Payout("a"))).result == "succeeded"

    simulate(main)


def test_a_report_by_the_worlds_name_completes_it():
    async def main(rig):
        node = await rig.start(payouts(rig.world, asks=False))
        rig.world.says("a", "pending")
        handle = await rig.submit(Payout("a"))
        await rig.settle()
        ref = f"ref-{rig.world.arrivals[0].key}"
        assert await rig.on(node.resolve(ref, report("r1", final=True, result="failed", code="REJECTED")))
        outcome = await rig.on(handle.outcome())
        assert (outcome.result, outcome.code) == ("failed", "REJECTED")
        with pytest.raises(NotFoundError):
            await rig.on(node.resolve(ref, report("r1", final=True, result="failed")))

    simulate(main)


def test_partial_fills_settle_in_part_and_are_counted_once():
    async def main(rig):
        app, cash = budgeted(rig.world, asks=False)
        node = await rig.start(app)
        rig.world.says("a", "pending")
        handle = await rig.submit(Payout("a", 50))
        await rig.settle()
        ref = f"ref-{rig.world.arrivals[0].key}"
        first = report("fill-1", final=False, settled={cash: 10})
        assert await rig.on(node.resolve(ref, first))
        assert not await rig.on(node.resolve(ref, first))
        assert settled(rig) == (0, 50)  # whole until it ends
        assert await rig.on(node.resolve(ref, report("fill-2", final=False, settled={cash: 15})))
        assert await rig.on(node.resolve(ref, report("end", final=True, result="cancelled", settled={cash: 0})))
        outcome = await rig.on(handle.outcome())
        assert outcome.result == "cancelled"
        assert [(r.budget, r.amount) for r in outcome.settled] == [("cash", 25)]
        assert settled(rig) == (25, 0)

    simulate(main)


def test_a_report_may_come_before_the_effector_has_told_the_name():
    async def main(rig):
        node = await rig.start(payouts(rig.world, asks=False))

        told = []

        async def slow(call):
            news = report("fast", final=True, result="succeeded", value="early")
            told.append(rig.machine.spawn(node.resolve(f"ref-{call.key}", news)))
            await asyncio.sleep(0.1)
            return await rig.world._behave(call, "pending")

        rig.world.says("a", slow)
        outcome = await rig.outcome(Payout("a"))
        assert (outcome.result, outcome.value) == ("succeeded", "early")
        assert await rig.machine.join(told[0])  # answered when it is durable, and not before


def test_a_report_under_a_name_that_nobody_tells_is_refused():
    async def main(rig):
        node = await rig.start(payouts(rig.world, asks=False))
        told = []

        async def other(call):
            told.append(rig.machine.spawn(node.resolve("ref-unheard", report("x", final=True, result="succeeded"))))
            await asyncio.sleep(0.1)
            return 1

        rig.world.says("a", other)
        assert (await rig.outcome(Payout("a"))).result == "succeeded"
        with pytest.raises(NotFoundError):
            await rig.machine.join(told[0])

    simulate(main)


@pytest.mark.parametrize("seed", range(10))
def test_a_final_report_and_the_return_of_the_call_may_meet_in_one_turn(seed):
    async def main(rig):
        node = await rig.start(payouts(rig.world))

        async def both(call):
            rig.machine.spawn(tell(call.decision))
            return 2

        async def tell(decision):
            with contextlib.suppress(NotFoundError):
                await node.resolve(decision, report("r", final=True, result="succeeded", value=1))

        rig.world.says("a", both)
        handle = await rig.submit(Payout("a"))
        assert (await rig.on(handle.outcome())).value in {1, 2}
        assert node.failure is None
        assert (await rig.outcome(Payout("b"))).result == "succeeded"

    simulate(main, seed)


def test_a_report_ends_a_call_that_is_waiting_to_be_tried_again():
    async def main(rig):
        node = await rig.start(payouts(rig.world, idempotent=True, retry_base_s=1000, asks=False))
        rig.world.says("a", "done_and_silent")
        handle = await rig.submit(Payout("a"), expires_in_s=1_000_000)
        await rig.settle(11)
        assert rig.state(handle.id) == "backing_off"
        assert await rig.on(node.resolve(handle.id, report("r", final=True, result="succeeded", value="told")))
        outcome = await rig.on(handle.outcome())
        assert (outcome.value, outcome.attempts) == ("told", 1)

    simulate(main)


def test_a_report_about_what_has_not_started_changes_nothing():
    async def main(rig):
        node = await rig.start(payouts(rig.world, slots=1))
        rig.world.says("a", 5)
        await rig.submit(Payout("a"))
        handle = await rig.submit(Payout("b"))
        assert not await rig.on(node.resolve(handle.id, report("r", final=True, result="succeeded")))
        assert (await rig.on(handle.outcome())).value.startswith("receipt")
        with pytest.raises(NotFoundError):
            await rig.on(node.resolve(handle.id, report("r", final=True, result="succeeded")))
        with pytest.raises(NotFoundError):
            await rig.on(node.resolve("nobody", report("r", final=True, result="succeeded")))

    simulate(main)


def test_a_report_is_durable_when_it_is_acknowledged():
    async def main(rig):
        app, cash = budgeted(rig.world, asks=False)
        node = await rig.start(app)
        rig.world.says("a", "pending")
        handle = await rig.submit(Payout("a", 50))
        await rig.settle()
        ref = f"ref-{rig.world.arrivals[0].key}"
        assert await rig.on(node.resolve(ref, report("fill-1", final=False, settled={cash: 10})))
        node = await rig.restart(app)
        assert not await rig.on(node.resolve(ref, report("fill-1", final=False, settled={cash: 10})))
        assert await rig.on(node.resolve(ref, report("end", final=True, result="succeeded", settled={cash: 30})))
        await rig.settle()
        assert rig.outcomes()[handle.id].settled[0].amount == 40
        assert settled(rig) == (40, 0)

    simulate(main)


def test_absent_in_time_is_sent_again_under_the_same_key():
    async def main(rig):
        await rig.start(payouts(rig.world))
        rig.world.says("a", "lost")
        outcome = await rig.outcome(Payout("a"))
        assert (outcome.result, outcome.attempts) == ("succeeded", 2)
        assert len({arrival.key for arrival in rig.world.arrivals}) == 1
        assert list(rig.world.effects.values()) == [1]

    simulate(main)


def test_absent_past_the_deadline_is_expired_and_releases():
    async def main(rig):
        app, _ = budgeted(rig.world)
        await rig.start(app)
        rig.world.says("a", "lost")
        outcome = await rig.outcome(Payout("a", 40), expires_in_s=5)
        assert (outcome.result, outcome.code) == ("expired", "EXPIRED")
        assert len(rig.world.arrivals) == 1
        assert settled(rig) == (0, 0)

    simulate(main)


def test_in_doubt_keeps_the_whole_reservation_and_asks_until_somebody_knows():
    async def main(rig):
        app, _ = budgeted(rig.world, resolve_within_s=30)
        await rig.start(app)
        rig.world.says("a", "done_and_silent")
        rig.world.answers["a"].extend([None, ConnectionError("down"), "nonsense"])
        handle = await rig.submit(Payout("a", 40))
        await rig.settle(12)
        assert settled(rig) == (0, 40)
        outcome = await rig.on(handle.outcome())
        assert outcome.result == "succeeded"
        assert len(rig.world.asked) == 4
        assert settled(rig) == (40, 0)

    simulate(main)


def test_a_question_that_hangs_is_given_up_and_asked_again():
    async def main(rig):
        await rig.start(payouts(rig.world))
        rig.world.says("a", "done_and_silent")

        async def hang(_call):
            await rig.clock.sleep(1e9)

        rig.world.answers["a"].append(hang)
        outcome = await rig.outcome(Payout("a"))
        assert outcome.result == "succeeded"
        assert len(rig.world.asked) == 2

    simulate(main)


@pytest.mark.parametrize("first", ["pending", "lost"])
def test_what_nobody_answers_for_waits_in_doubt_for_a_person(first):
    async def main(rig):
        node = await rig.start(payouts(rig.world, resolve_within_s=100))
        rig.world.says("a", first)

        async def nobody(_call):
            return None

        rig.world.answers["a"].extend([nobody] * 1000)
        handle = await rig.submit(Payout("a"))
        await rig.settle(1000)
        assert rig.state(handle.id) == "in_doubt"
        asked = len(rig.world.asked)
        assert asked < 25
        assert await rig.on(node.resolve(handle.id, report("ann", final=True, result="failed", code="NEVER"), by="ann"))
        outcome = await rig.on(handle.outcome())
        assert (outcome.result, outcome.code) == ("failed", "NEVER")

    simulate(main)


def test_pending_without_a_way_to_ask_becomes_a_persons_in_the_end():
    async def main(rig):
        await rig.start(payouts(rig.world, asks=False, resolve_within_s=100))
        rig.world.says("a", "pending")
        handle = await rig.submit(Payout("a"))
        await rig.settle(50)
        assert rig.state(handle.id) == "pending"
        await rig.settle(60)
        assert rig.state(handle.id) == "in_doubt"
        assert rig.node.journal.state.open[handle.id].actions[0].code == "UNRESOLVED"

    simulate(main)


def test_partial_news_of_what_was_in_doubt_makes_it_pending():
    async def main(rig):
        node = await rig.start(payouts(rig.world))
        rig.world.says("a", "done_and_silent")
        rig.world.answers["a"].append(report("p1", final=False))
        handle = await rig.submit(Payout("a"))
        await rig.settle(11)
        assert rig.state(handle.id) == "pending"
        assert (await rig.on(handle.outcome())).result == "succeeded"
        assert node.failure is None

    simulate(main)


def test_a_report_that_names_no_balance_that_is_declared_breaks_nothing():
    async def main(rig):
        node = await rig.start(payouts(rig.world, asks=False))
        rig.world.says("a", "pending")
        handle = await rig.submit(Payout("a"))
        await rig.settle()
        from lictor import Report

        wrong = Report(id="r", final=True, result="succeeded", settled={"nothing": 5})
        assert await rig.on(node.resolve(handle.id, wrong))
        assert (await rig.on(handle.outcome())).result == "succeeded"
        assert node.failure is None

    simulate(main)


def test_a_question_that_never_ends_does_not_keep_a_person_from_being_asked():
    async def main(rig):
        node = await rig.start(payouts(rig.world, resolve_within_s=60))
        rig.world.says("a", "pending")

        async def for_ever(_call):
            while True:
                try:
                    await rig.clock.sleep(1e9)
                except BaseException:
                    continue  # does not let itself be cancelled

        rig.world.answers["a"].append(for_ever)
        handle = await rig.submit(Payout("a"))
        await rig.settle(50)
        assert rig.state(handle.id) == "pending"
        assert len(rig.world.asked) == 1  # the same question is not put twice at once
        await rig.settle(50)
        assert rig.state(handle.id) == "in_doubt"
        assert await rig.on(node.resolve(handle.id, report("ann", final=True, result="succeeded"), by="ann"))
        assert (await rig.on(handle.outcome())).result == "succeeded"

    simulate(main)
