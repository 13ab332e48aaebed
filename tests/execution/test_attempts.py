"""What an attempt can come to, on effectors that are idempotent and on those that are not."""

import pytest
from tests.rig import Payout, payouts, simulate

from lictor import EffectFailed, report


def test_success_gives_the_result_of_the_effector_and_one_key():
    async def main(rig):
        await rig.start(payouts(rig.world))
        outcome = await rig.outcome(Payout("a"))
        assert (outcome.result, outcome.attempts) == ("succeeded", 1)
        (arrival,) = rig.world.arrivals
        assert outcome.value == f"receipt-{arrival.key}"

    simulate(main)


@pytest.mark.parametrize("idempotent", [True, False])
def test_a_certain_failure_ends_it_with_its_own_code(idempotent):
    async def main(rig):
        await rig.start(payouts(rig.world, idempotent=idempotent))
        rig.world.says("a", "fail")
        outcome = await rig.outcome(Payout("a"))
        assert (outcome.result, outcome.code, outcome.detail) == ("failed", "NO_FUNDS", "no")
        assert len(rig.world.arrivals) == 1

    simulate(main)


@pytest.mark.parametrize("idempotent", [True, False])
def test_a_failure_that_may_be_retried_is_tried_again_under_the_same_key(idempotent):
    async def main(rig):
        await rig.start(payouts(rig.world, idempotent=idempotent))
        rig.world.says("a", "retry", "retry")
        outcome = await rig.outcome(Payout("a"))
        assert (outcome.result, outcome.attempts) == ("succeeded", 3)
        assert len({arrival.key for arrival in rig.world.arrivals}) == 1
        assert [arrival.attempt for arrival in rig.world.arrivals] == [1, 2, 3]
        fences = [arrival.fence for arrival in rig.world.arrivals]
        assert fences == sorted(set(fences))

    simulate(main)


def test_retry_after_is_obeyed():
    async def main(rig):
        await rig.start(payouts(rig.world))
        rig.world.says("a", EffectFailed("busy", retry_after_s=7))
        await rig.outcome(Payout("a"))
        first, second = rig.world.arrivals
        assert second.at_s - first.at_s >= 7

    simulate(main)


def test_a_retry_that_would_come_after_the_deadline_is_not_waited_for():
    async def main(rig):
        await rig.start(payouts(rig.world, kind={"expires_in_s": 5}))
        rig.world.says("a", EffectFailed("busy", code="BUSY", retry_after_s=7))
        outcome = await rig.outcome(Payout("a"))
        assert (outcome.result, outcome.code) == ("failed", "BUSY")
        assert rig.loop.time() < 1

    simulate(main)


def test_an_unknown_exception_of_an_idempotent_effector_is_tried_again():
    async def main(rig):
        await rig.start(payouts(rig.world, idempotent=True, asks=False))
        rig.world.says("a", "done_and_raise")
        outcome = await rig.outcome(Payout("a"))
        assert (outcome.result, outcome.attempts) == ("succeeded", 2)
        assert list(rig.world.effects.values()) == [2]  # the world deduplicates by key

    simulate(main)


def test_an_unknown_exception_of_another_is_in_doubt_and_reconciled_not_repeated():
    async def main(rig):
        await rig.start(payouts(rig.world))
        rig.world.says("a", "done_and_raise")
        outcome = await rig.outcome(Payout("a"))
        assert (outcome.result, outcome.value, outcome.attempts) == ("succeeded", "found", 1)
        assert list(rig.world.effects.values()) == [1]

    simulate(main)


def test_a_timeout_of_an_idempotent_effector_is_tried_again_under_the_same_key():
    async def main(rig):
        await rig.start(payouts(rig.world, idempotent=True, asks=False))
        rig.world.says("a", "done_and_silent")
        outcome = await rig.outcome(Payout("a"))
        assert (outcome.result, outcome.attempts) == ("succeeded", 2)
        first, second = rig.world.arrivals
        assert first.key == second.key
        assert second.at_s >= 10

    simulate(main)


@pytest.mark.parametrize("behaviour", ["done_and_silent", "lost"])
def test_a_timeout_of_another_is_in_doubt_and_asked_about(behaviour):
    async def main(rig):
        await rig.start(payouts(rig.world))
        rig.world.says("a", behaviour)
        outcome = await rig.outcome(Payout("a"))
        assert outcome.result == "succeeded"
        assert list(rig.world.effects.values()) == [1]
        assert outcome.attempts == (1 if behaviour == "done_and_silent" else 2)  # what never arrived is sent again
        assert len({arrival.key for arrival in rig.world.arrivals}) == 1

    simulate(main)


def test_in_doubt_without_a_way_to_ask_waits_for_a_person_with_its_reservation():
    async def main(rig):
        node = await rig.start(payouts(rig.world, asks=False))
        rig.world.says("a", "done_and_silent")
        handle = await rig.submit(Payout("a"))
        await rig.settle(5000)
        assert rig.state(handle.id) == "in_doubt"
        news = report("phoned", final=True, result="succeeded", value="yes")
        assert await rig.on(node.resolve(handle.id, news, by="ann"))
        outcome = await rig.on(handle.outcome())
        assert (outcome.result, outcome.value) == ("succeeded", "yes")
        history = await node.journal.history(handle.id)
        assert "ann" in history[-1].verb.acts[-1].detail

    simulate(main)


def test_a_slot_is_taken_until_the_call_really_returns():
    async def main(rig):
        app = payouts(rig.world, slots=1, asks=False, kind={"expires_in_s": 600})
        await rig.start(app)

        async def stubborn(call):
            while True:
                try:
                    await rig.clock.sleep(100)
                    return "late"
                except BaseException:
                    continue  # does not let itself be cancelled

        rig.world.says("a", stubborn)
        first = await rig.submit(Payout("a"))
        await rig.submit(Payout("b"))
        await rig.settle(50)
        assert rig.state(first.id) == "in_doubt"
        assert rig.world.order() == ["a"]
        await rig.settle(100)
        assert rig.world.order() == ["a", "b"]

    simulate(main)


def test_a_call_that_returns_after_its_timeout_ends_the_doubt():
    async def main(rig):
        await rig.start(payouts(rig.world, asks=False))

        async def late(call):
            try:
                await rig.clock.sleep(1e9)
            except BaseException:
                await rig.clock.sleep(5)
            return "late"

        rig.world.says("a", late)
        handle = await rig.submit(Payout("a"))
        await rig.settle(12)
        assert rig.state(handle.id) == "in_doubt"
        outcome = await rig.on(handle.outcome())
        assert (outcome.result, outcome.value, outcome.attempts) == ("succeeded", "late", 1)

    simulate(main)


def test_a_superseded_attempt_changes_nothing():
    async def main(rig):
        await rig.start(payouts(rig.world))

        async def late_failure(call):
            try:
                await rig.clock.sleep(1e9)
            except BaseException:
                await rig.clock.sleep(5)
            raise EffectFailed("too late to matter")

        rig.world.says("a", late_failure, 8)  # the world says absent, so a second attempt runs when the first returns
        outcome = await rig.outcome(Payout("a"))
        assert (outcome.result, outcome.attempts) == ("succeeded", 2)

    simulate(main)


def test_a_result_that_cannot_be_stored_is_kept_as_text():
    async def main(rig):
        await rig.start(payouts(rig.world))

        class Opaque:
            def __repr__(self):
                return "<opaque>"

        async def opaque(call):
            return Opaque()

        rig.world.says("a", opaque)
        outcome = await rig.outcome(Payout("a"))
        assert (outcome.result, outcome.value) == ("succeeded", "<opaque>")

    simulate(main)
