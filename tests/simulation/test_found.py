"""What simulated seeds have found, each told again as small as it gets, so that it stays found."""

import pytest
from tests.rig import Payout, payouts, simulate

from lictor import allow, hold, report
from lictor.execution.timeouts import Timeouts
from lictor.runtime.clock import SteadyClock
from lictor.testing import SimClock, run


def test_who_sets_the_wall_clock_back_stretches_no_deadline_and_dates_nothing_back():
    async def main(rig):
        node = await rig.start(payouts(rig.world, kind={"expires_in_s": 5}, slots=1))
        rig.world.says("a", 8.0)
        first = await rig.submit(Payout("a"))
        second = await rig.submit(Payout("b"))
        rig.clock.jump(-3600)
        outcome = await rig.on(second.outcome())
        assert outcome.result == "expired"
        assert rig.loop.time() == pytest.approx(5, abs=0.1)
        await rig.on(first.outcome())
        times = [row.at_us async for row in node.journal.scan()]
        assert times == sorted(times)
        assert outcome.at_us >= second.verdict.at_us

    simulate(main)


def test_after_a_restart_time_goes_on_from_what_was_recorded():
    async def main(rig):
        app = payouts(rig.world)
        node = await rig.start(app)
        await rig.outcome(Payout("a"))
        last_us = node.journal.state.at_us
        rig.clock.jump(-3600)
        node = await rig.restart(app)
        assert node.clock.wall_us() >= last_us
        ids = [found.decision for found in (await rig.outcome(Payout("b")), await rig.outcome(Payout("c")))]
        assert len({*ids, *rig.outcomes()}) == 3

    simulate(main)


def test_a_steady_clock_goes_by_the_monotonic_one():
    async def main(loop):
        inner = SimClock(loop)
        clock = SteadyClock(inner)
        began = clock.wall_us()
        inner.jump(7200)
        await inner.sleep(1.5)
        assert clock.wall_us() - began == pytest.approx(1_500_000, abs=2)
        clock.start(0)
        assert clock.wall_us() == pytest.approx(inner.wall_us(), abs=2)
        clock.start(inner.wall_us() + 60_000_000)
        assert clock.wall_us() == pytest.approx(inner.wall_us() + 60_000_000, abs=2)

    run(1, main)


class RoundedClock:
    """Shows the moment at which a sum and a difference of floats disagree."""

    def __init__(self):
        self.now = 0.3
        self.timers = []

    def monotonic(self):
        return self.now

    def call_later(self, seconds, callback):
        self.timers.append((seconds, callback))


class Timed:
    started = 0.3
    done = False


def test_a_time_out_that_is_due_but_for_a_rounding_error_is_not_waited_for_in_timers_of_no_time():
    clock, ended = RoundedClock(), []
    timeouts = Timeouts(clock, 0.6, ended.append)
    timeouts.watch(Timed())
    clock.now = 0.3 + 0.6
    assert clock.now - 0.3 < 0.6
    clock.timers.pop()[1]()
    assert len(ended) == 1
    assert clock.timers == []


class SlowLane:
    """A lane in which each call stands for a while before it is made."""

    def __init__(self, clock, seconds):
        self.clock, self.seconds = clock, seconds

    async def run(self, call):
        await self.clock.sleep(self.seconds)
        return call()

    def close(self):
        pass


def test_a_call_whose_time_out_came_while_it_stood_in_its_lane_is_not_made():
    async def main(rig):
        app = payouts(rig.world, asks=False)
        made = []

        @app.effector(idempotent=False, timeout_s=1, slots=1)
        def book(call, account, amount):
            made.append(call.key)

        app.plans["Payout"] = lambda payout: book.action(payout.account, payout.amount)
        node = await rig.start(app)
        node.pipeline.execution.attempts.use_lane("book", SlowLane(rig.clock, 3.0))
        await rig.submit(Payout("a"))
        await rig.settle(10)
        assert made == []

    simulate(main)


def test_after_a_partial_report_the_world_is_asked_again():
    async def main(rig):
        node = await rig.start(payouts(rig.world, poll_after_s=5))
        rig.world.says("a", "pending")
        part = report("part-1", final=False)
        rig.world.answers["a"].extend([part, part, report("end", final=True, result="succeeded", value="filled")])
        outcome = await rig.outcome(Payout("a"))
        assert (outcome.result, outcome.value) == ("succeeded", "filled")
        assert node.failure is None

    simulate(main)


@pytest.mark.parametrize("idempotent", [False, True])
def test_what_a_doubtful_attempt_has_used_counts_once(idempotent):
    async def main(rig):
        app = payouts(rig.world, idempotent=idempotent)
        cash = app.balance("cash", 100)

        @app.gate(Payout, family="resources")
        def affordable(payout, state):
            return allow(cash.reserve(payout.amount))

        async def done_and_raise(call):
            call.settle(cash, 40)
            rig.world.effects[call.key] += 1
            raise ConnectionResetError

        async def done(call):
            call.settle(cash, 40)

        rig.world.says("a", done_and_raise, done)
        rig.world.answers["a"].append(report("found", final=True, result="succeeded", settled={cash: 40}))
        node = await rig.start(app)
        outcome = await rig.outcome(Payout("a", 50))
        assert [(r.budget, r.amount) for r in outcome.settled] == [("cash", 40)]
        assert not node.journal.state.balances["cash", "all"].latched

    simulate(main)


def test_what_is_pending_or_held_counts_towards_the_backlog():
    async def main(rig):
        app = payouts(rig.world)

        @app.gate(Payout, family="authorization")
        def signed(payout, state):
            return hold("LARGE") if payout.amount > 10 else allow()

        await rig.start(app, backlog_max=3)
        rig.world.says("a", "pending")
        first = await rig.submit(Payout("a"))
        await rig.settle(0.1)
        held = [await rig.submit(Payout("b", 20)) for _ in range(3)]
        assert [h.verdict.result for h in held] == ["held", "held", "shed"]
        assert (await rig.submit(Payout("c"))).verdict.code == "OVERLOADED"
        await rig.on(rig.node.approve(held[0].id, by="ann"))
        assert (await rig.on(held[0].outcome())).result == "succeeded"
        assert first.admitted

    simulate(main)


def test_a_restart_gives_no_decision_its_extra_attempts_again():
    async def main(rig):
        app = payouts(rig.world, idempotent=True, extra_work=1.0, retry_base_s=0.5)
        await rig.start(app)
        rig.world.says("a", *["retry"] * 20)
        await rig.submit(Payout("a"))
        while len(rig.world.arrivals) < 3:
            await rig.settle(0.05)
        await rig.restart(app)
        await rig.settle(50)
        assert 4 <= len(rig.world.arrivals) <= 5  # one first attempt, three extra ones, and one that was paid before

    simulate(main)
