"""Retries are bounded: by the effector's pool, by the root decision, by the breaker; never waited for."""

from tests.rig import Payout, payouts, simulate

from lictor import EffectFailed
from lictor.capacity.extra_work import BALANCE_MAX, EXTRA_PER_ROOT_MAX, START_BALANCE


def test_one_decision_gets_only_so_many_extra_attempts():
    async def main(rig):
        await rig.start(payouts(rig.world, extra_work=100.0))
        rig.world.says("a", *["retry"] * 20)
        outcome = await rig.outcome(Payout("a"))
        assert (outcome.result, outcome.code) == ("failed", "RETRY_BUDGET")
        assert outcome.attempts == 1 + EXTRA_PER_ROOT_MAX

    simulate(main)


def test_the_cap_is_shared_with_children():
    async def main(rig):
        node = await rig.start(payouts(rig.world, extra_work=100.0))
        outcomes = []

        async def with_child(call):
            if call.attempt == 1:
                raise EffectFailed("once", retry=True)  # one of the root's extra attempts
            child = await node.submit(Payout("child"), parent=call.decision)
            outcomes.append(await child.outcome())

        rig.world.says("a", with_child, with_child)
        rig.world.says("child", *["retry"] * 20)
        assert (await rig.outcome(Payout("a"))).result == "succeeded"
        assert outcomes[0].code == "RETRY_BUDGET"
        assert outcomes[0].attempts == 1 + EXTRA_PER_ROOT_MAX - 1

    simulate(main)


def test_a_root_that_closes_first_leaves_its_children_what_it_has_not_spent():
    async def main(rig):
        node = await rig.start(payouts(rig.world, extra_work=100.0, retry_base_s=1, retry_max_s=1))
        children = []

        async def fails_later(call):
            await rig.clock.sleep(2)  # the root has closed by then
            raise EffectFailed("later", retry=True)

        async def with_children(call):
            if call.attempt <= EXTRA_PER_ROOT_MAX:
                raise EffectFailed("again", retry=True)  # all of the root's extra attempts
            children.extend([await node.submit(Payout(name), parent=call.decision) for name in ("one", "two")])

        rig.world.says("a", *[with_children] * (EXTRA_PER_ROOT_MAX + 1))
        rig.world.says("one", fails_later)
        rig.world.says("two", 5)
        root = await rig.submit(Payout("a"))
        assert (await rig.on(root.outcome())).result == "succeeded"
        outcomes = [await rig.on(child.outcome()) for child in children]
        extra = node.pipeline.execution.resolution.extra
        assert [outcome.code for outcome in outcomes].count("RETRY_BUDGET") == 1
        assert sum(outcome.attempts for outcome in outcomes) == 2
        assert extra.roots == extra.spent == {}

    simulate(main)


def test_when_everything_fails_extra_attempts_are_a_share_of_first_ones():
    async def main(rig):
        await rig.start(payouts(rig.world, extra_work=0.1, slots=4))
        count = 200
        for n in range(count):
            rig.world.says(f"a{n}", *["retry"] * 10)
        handles = await rig.on(rig.node.submit_many([Payout(f"a{n}") for n in range(count)]))
        outcomes = [await rig.on(handle.outcome()) for handle in handles]
        assert {outcome.result for outcome in outcomes} == {"failed"}
        extra = len(rig.world.arrivals) - count
        assert 0 < extra <= START_BALANCE + 0.1 * count

    simulate(main)


def test_without_extra_work_nothing_is_retried():
    async def main(rig):
        await rig.start(payouts(rig.world, extra_work=0.0))
        rig.world.says("a", "retry")
        outcome = await rig.outcome(Payout("a"))
        assert (outcome.code, outcome.attempts) == ("RETRY_BUDGET", 1)

    simulate(main)


def test_the_breaker_stops_retries_and_not_first_tries():
    async def main(rig):
        await rig.start(payouts(rig.world, extra_work=1.0, slots=1))
        for n in range(40):
            rig.world.says(f"a{n}", *["retry"] * 2)
        for n in range(40):
            await rig.outcome(Payout(f"a{n}"))
        lane = rig.node.pipeline.execution.lanes["transfer"]
        assert lane.breaker.open
        assert lane.pool.tokens > 1
        before = len(rig.world.arrivals)
        rig.world.says("b", "retry")
        outcome = await rig.outcome(Payout("b"))
        assert (outcome.code, len(rig.world.arrivals) - before) == ("RETRY_BUDGET", 1)
        for n in range(50):
            assert (await rig.outcome(Payout(f"c{n}"))).result == "succeeded"
        assert not lane.breaker.open

    simulate(main)


def test_sending_again_what_the_world_never_saw_is_extra_work():
    async def main(rig):
        await rig.start(payouts(rig.world, extra_work=0.0))
        rig.world.says("a", "lost")
        outcome = await rig.outcome(Payout("a"))
        assert (outcome.result, outcome.code, outcome.attempts) == ("failed", "RETRY_BUDGET", 1)

    simulate(main)


def test_repeating_what_a_crash_cut_off_is_not():
    async def main(rig):
        app = payouts(rig.world, extra_work=0.0)
        node = await rig.start(app)
        rig.world.says("a", "lost")
        handle = await rig.submit(Payout("a"))
        await rig.settle(1)
        await rig.restart(app)
        await rig.settle(20)
        assert rig.outcomes()[handle.id].result == "succeeded"
        assert node is not rig.node

    simulate(main)


def test_the_pool_holds_only_so_much():
    async def main(rig):
        await rig.start(payouts(rig.world, extra_work=1.0))
        for n in range(int(BALANCE_MAX) + 20):
            await rig.outcome(Payout(f"a{n}"))
        assert rig.node.pipeline.execution.lanes["transfer"].pool.tokens == BALANCE_MAX

    simulate(main)
