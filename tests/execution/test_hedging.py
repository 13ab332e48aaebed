"""A second call where the first one is slow: only where that is safe, free and paid for; one attempt, one outcome."""

import asyncio

import pytest
from tests.rig import Payout, payouts, simulate

from lictor import App, DeclarationError, EffectFailed, Hedge, allow
from lictor.capacity.extra_work import EXTRA_PER_ROOT_MAX
from lictor.execution.hedging import Pair


def hedged(world, after=1.0, **options):
    return payouts(world, **({"idempotent": True, "hedge": Hedge(after), "asks": False} | options))


async def acts(rig, decision):
    """The events of a decision's action, as they are recorded."""
    rows = await rig.on(rig.node.journal.history(decision))
    return [act for row in rows for act in getattr(row.verb, "acts", ())]


def lane(rig):
    return rig.node.pipeline.execution.lanes["transfer"]


def test_a_slow_call_is_made_a_second_time_and_the_first_answer_counts():
    async def main(rig):
        await rig.start(hedged(rig.world))
        rig.world.says("a", 5, "ok")
        handle = await rig.submit(Payout("a"))
        outcome = await rig.on(handle.outcome())
        assert (outcome.result, outcome.attempts) == ("succeeded", 1)
        assert rig.loop.time() < 2
        first, second = rig.world.arrivals
        assert (first.key, first.fence, first.attempt) == (second.key, second.fence, second.attempt)
        assert second.at_s - first.at_s == pytest.approx(1)
        assert [(act.event, act.detail) for act in await acts(rig, handle.id)] == [
            ("succeed", "hedged; the second call answered")
        ]
        await rig.settle(10)
        assert rig.world.running == 0  # the loser was cut
        assert lane(rig).free == lane(rig).slots
        assert len(rig.world.arrivals) == 2

    simulate(main)


def test_a_fast_call_is_not():
    async def main(rig):
        await rig.start(hedged(rig.world))
        rig.world.says("a", 0.9)
        await rig.outcome(Payout("a"))
        await rig.settle(10)
        assert len(rig.world.arrivals) == 1

    simulate(main)


def test_the_first_call_may_still_be_the_one_that_answers():
    async def main(rig):
        await rig.start(hedged(rig.world))
        rig.world.says("a", 1.5, 5)
        handle = await rig.submit(Payout("a"))
        await rig.on(handle.outcome())
        assert [act.detail for act in await acts(rig, handle.id)] == ["hedged; the first call answered"]
        await rig.settle(10)
        assert lane(rig).free == lane(rig).slots

    simulate(main)


def test_a_percentile_is_learned_and_about_its_share_is_hedged():
    async def main(rig):
        await rig.start(hedged(rig.world, "p90", extra_work=1.0))
        draw = rig.loop.streams.of("world").random
        for n in range(400):
            rig.world.says(f"a{n}", 0.1 + draw())
        for n in range(400):
            await rig.outcome(Payout(f"a{n}"))
        hedging = rig.node.pipeline.execution.attempts.watching["transfer"].hedging
        assert hedging.after_s() == pytest.approx(1.0, rel=0.15)
        assert 0.05 * 400 < hedging.calls < 0.2 * 400

    simulate(main)


def test_it_draws_on_the_budget_of_extra_work():
    async def main(rig):
        await rig.start(hedged(rig.world, extra_work=0.0))
        rig.world.says("a", 5, "ok")
        await rig.outcome(Payout("a"))
        assert len(rig.world.arrivals) == 1

    simulate(main)


def test_it_draws_on_the_share_of_the_root():
    async def main(rig):
        await rig.start(hedged(rig.world, extra_work=100.0, retry_base_s=0.001))
        refusals = [EffectFailed("again", retry=True)] * EXTRA_PER_ROOT_MAX
        rig.world.says("a", *refusals, 5, "ok")
        outcome = await rig.outcome(Payout("a"))
        assert (outcome.result, len(rig.world.arrivals)) == ("succeeded", 1 + EXTRA_PER_ROOT_MAX)

    simulate(main)


@pytest.mark.parametrize("waiting", [True, False])
def test_it_takes_only_a_slot_that_is_free_and_that_nobody_waits_for(waiting):
    async def main(rig):
        await rig.start(hedged(rig.world, slots=1 if waiting else 2))
        rig.world.says("a", 5, "ok")
        rig.world.says("b", 0.5, "ok")
        first, second = await rig.submit(Payout("a")), await rig.submit(Payout("b"))
        await rig.on(first.outcome())
        await rig.on(second.outcome())
        assert rig.world.order().count("a") == (1 if waiting else 2)

    simulate(main)


def test_it_takes_a_token_of_each_rate():
    async def main(rig):
        app = hedged(rig.world)
        calls = app.rate("calls", per_s=0.01, burst=1)
        app.gate(type(Payout("a")), family="resources")(lambda payout, state: allow(calls.take()))
        await rig.start(app)
        rig.world.says("a", 5, "ok")
        await rig.outcome(Payout("a"))
        assert len(rig.world.arrivals) == 1
        assert lane(rig).pool.tokens == 3  # and what it could not use is not spent

    simulate(main)


def test_nothing_is_called_twice_in_what_was_halted_meanwhile():
    async def main(rig):
        node = await rig.start(hedged(rig.world))
        rig.world.says("a", 3, "ok")
        handle = await rig.submit(Payout("a"))
        await rig.on(node.halt("effector:transfer", by="ann"))
        assert (await rig.on(handle.outcome())).result == "succeeded"
        assert len(rig.world.arrivals) == 1
        await rig.settle(5)
        assert lane(rig).free == lane(rig).slots

    simulate(main)


@pytest.mark.parametrize(
    ("first", "second", "result"),
    [
        (2, "fail", "succeeded"),  # that one certainly did nothing says nothing of the other
        (2, ConnectionResetError("lost"), "succeeded"),
        ("later fail", 3, "succeeded"),
        ("later fail", "fail", "failed"),
        ("later retry", "fail", "failed"),
    ],
)
def test_a_call_that_fails_leaves_the_attempt_to_the_other_one(first, second, result):
    async def main(rig):
        async def later(call, behaviour):
            await rig.clock.sleep(1.5)
            return await rig.world._behave(call, behaviour)

        async def slow(call):
            return await later(call, first.removeprefix("later "))

        await rig.start(hedged(rig.world))
        rig.world.says("a", slow if isinstance(first, str) else first, second)
        outcome = await rig.outcome(Payout("a"))
        assert (outcome.result, outcome.attempts) == (result, 1)
        assert len(rig.world.arrivals) == 2
        await rig.settle(10)
        assert lane(rig).free == lane(rig).slots

    simulate(main)


def test_without_waiting_for_the_other_one_it_would_not(monkeypatch):
    async def main(rig):
        monkeypatch.setattr(Pair, "settle", lambda self, call, news: news)
        await rig.start(hedged(rig.world))
        rig.world.says("a", 2, "fail")
        return (await rig.outcome(Payout("a"))).result

    assert simulate(main) == "failed"  # and yet the first call goes on to do it


def test_the_less_certain_of_two_failures_is_what_is_known():
    async def main(rig):
        async def loses(call):
            await rig.clock.sleep(1.5)
            raise ConnectionResetError("lost")

        await rig.start(hedged(rig.world, retry_base_s=0.01))
        rig.world.says("a", loses, "fail", "ok")
        outcome = await rig.outcome(Payout("a"))
        assert (outcome.result, outcome.attempts) == ("succeeded", 2)  # in doubt, so it was tried again

    simulate(main)


def test_it_does_not_lengthen_the_attempt():
    async def main(rig):
        await rig.start(hedged(rig.world, timeout_s=4))
        rig.world.says("a", "lost", "lost")
        outcome = await rig.outcome(Payout("a"))
        assert (outcome.result, outcome.attempts) == ("succeeded", 2)
        assert rig.world.arrivals[2].at_s == pytest.approx(4.05, abs=0.06)  # its time-out, and a wait of at most 0.1 s
        await rig.settle(0.1)
        assert rig.world.running == 0

    simulate(main)


@pytest.mark.parametrize("at_s", [0.5, 1.0, 1.2, 1.6])
def test_a_crash_in_the_midst_leaves_one_outcome_and_one_key(at_s):
    async def main(rig):
        app = hedged(rig.world)
        await rig.start(app)
        rig.world.says("a", 5, 0.5, "ok")
        handle = await rig.submit(Payout("a"))
        await rig.settle(at_s)
        await rig.restart(app)
        await rig.settle(20)
        assert rig.outcomes()[handle.id].result == "succeeded"
        rows = await rig.on(rig.node.journal.history(handle.id))
        assert [row.event for row in rows].count("close") == 1
        assert len({arrival.key for arrival in rig.world.arrivals}) == 1
        assert lane(rig).free == lane(rig).slots

    simulate(main)


def test_a_stop_in_the_midst_ends_both_calls():
    async def main(rig):
        node = await rig.start(hedged(rig.world), drain_s=1.0)
        rig.world.says("a", 50, 50)
        await rig.submit(Payout("a"))
        await rig.settle(2)
        assert rig.world.running == 2
        await rig.on(node.stop())
        assert rig.world.running == 0

    simulate(main)


def test_both_calls_are_cut_at_the_deadline_where_that_is_declared():
    async def main(rig):
        await rig.start(hedged(rig.world, cut=True, timeout_s=60, kind={"expires_in_s": 3}))
        rig.world.says("a", 50, 50)
        handle = await rig.submit(Payout("a"))
        outcome = await rig.on(handle.outcome())
        assert outcome.result != "succeeded"
        assert rig.loop.time() < 3.1
        await rig.settle(0.1)
        assert rig.world.running == 0
        assert lane(rig).free == lane(rig).slots

    simulate(main)


def test_a_sync_loser_is_ignored_and_gives_its_slot_back():
    async def main(rig):
        app = App("sync")
        app.decision()(Payout)
        app.gate(Payout)(lambda payout, state: allow())
        calls = []

        def perform(call, account):
            calls.append(call.key)
            return "done"

        effector = app.effector(idempotent=True, timeout_s=10, slots=2, hedge=Hedge(0.5))(perform)
        app.plan(Payout)(lambda payout: effector.action(payout.account))
        node = await rig.start(app)

        class Late:
            """A lane in which the first call stands for a while."""

            waits = 2.0

            async def run(self, call):
                self.waits, waits = 0.0, self.waits
                await rig.clock.sleep(waits)
                return call()

            def close(self):
                """Nothing."""

        node.pipeline.execution.attempts.use_lane("perform", Late())
        outcome = await rig.outcome(Payout("a"))
        assert (outcome.result, outcome.value) == ("succeeded", "done")
        assert rig.loop.time() < 1
        await rig.settle(10)
        assert node.pipeline.execution.lanes["perform"].free == 2
        assert len(calls) == 1  # the loser stood in its lane, and was not called after all

    simulate(main)


def test_one_that_is_not_idempotent_may_not_be_hedged():
    with pytest.raises(DeclarationError, match="idempotent=True") as refused:
        App("x").effector(idempotent=False, timeout_s=1, hedge=Hedge())
    assert refused.value.code == "DECLARATION"


@pytest.mark.parametrize("after", ["p42", 0, -1.0, float("nan"), float("inf")])
def test_after_what_is_a_percentile_or_a_time(after):
    with pytest.raises(DeclarationError):
        Hedge(after)


def test_many_hedged_calls_leave_nothing_behind():
    async def main(rig):
        await rig.start(hedged(rig.world, 0.05, extra_work=1.0, slots=16))
        draw = rig.loop.streams.of("world").random
        for n in range(300):
            rig.world.says(f"a{n}", *[draw() * 0.2 for _ in range(4)])
        for first in range(0, 300, 6):  # so that there are slots that nobody waits for
            outcomes = await asyncio.gather(*(rig.outcome(Payout(f"a{n}")) for n in range(first, first + 6)))
            assert {outcome.result for outcome in outcomes} == {"succeeded"}
        await rig.settle(5)
        watch = rig.node.pipeline.execution.attempts.watching["transfer"]
        assert watch.hedging.calls > 10
        assert not watch.hedging._timers
        assert not rig.node.pipeline.execution.attempts.running
        assert lane(rig).free == lane(rig).slots

    simulate(main)
