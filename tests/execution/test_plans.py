"""Plans: edges, results as inputs, quorum, all or compensate, ten thousand actions, and restarts in the middle."""

from dataclasses import dataclass
from decimal import Decimal

import pytest
from tests.rig import Payout, payouts, simulate

from lictor import App, EffectFailed, all_of, all_or_compensate, quorum


def test_actions_run_in_the_order_of_their_edges_and_take_results_as_inputs():
    async def main(rig):
        app = App("chain")
        app.decision()(Payout)
        seen = []

        @app.effector(idempotent=True, timeout_s=5)
        async def double(call, number: int) -> int:
            seen.append(number)
            return number * 2

        @app.effector(idempotent=True, timeout_s=5)
        async def total(call, left: int, *, right: int) -> int:
            return left + right

        @app.plan(Payout)
        def plan(payout):
            one = double.action(payout.amount)
            two = double.action(one.result)
            three = double.action(100).after(two)
            return all_of(one, two, three, total.action(two.result, right=three.result))

        await rig.start(app)
        outcome = await rig.outcome(Payout("a", 1))
        assert outcome.result == "succeeded"
        assert outcome.value == [2, 4, 200, 204]
        assert seen == [1, 2, 100]

    simulate(main)


@dataclass(frozen=True)
class Money:
    amount: Decimal
    currency: str


def test_arguments_arrive_as_the_effector_declares_them_after_a_restart_too():
    async def main(rig):
        app = App("typed")
        app.decision()(Payout)
        seen = []

        @app.effector(idempotent=True, timeout_s=5)
        async def price(call, what: str) -> Money:
            return Money(Decimal("1.50"), what)

        @app.effector(idempotent=True, timeout_s=5, extra_work=1)
        async def pay(call, money: Money, fee: Decimal, *, note: str | None = None) -> Decimal:
            seen.append((money, fee, note))
            if len(seen) == 1:
                await rig.clock.sleep(1)
            return fee

        @app.plan(Payout)
        def plan(payout):
            priced = price.action("EUR")
            return all_of(priced, pay.action(priced.result, Decimal("0.10"), note="n"))

        await rig.start(app)
        handle = await rig.submit(Payout("a"))
        await rig.settle(0.5)
        await rig.restart(app)
        await rig.settle(5)
        assert seen == [(Money(Decimal("1.50"), "EUR"), Decimal("0.10"), "n")] * 2
        assert rig.outcomes()[handle.id].value == [{"amount": "1.50", "currency": "EUR"}, "0.10"]

    simulate(main)


def spread(make, *accounts):
    """A plan function over some accounts at once."""
    return lambda transfer, payout: make(*(transfer.action(account, 1) for account in accounts))


def test_after_a_failure_nothing_more_starts_and_what_runs_is_waited_for():
    async def main(rig):
        await rig.start(payouts(rig.world, plan=spread(all_of, "one", "two", "three"), slots=2))
        rig.world.says("one", "fail")
        rig.world.says("two", 5)
        outcome = await rig.outcome(Payout("a"))
        assert (outcome.result, outcome.code) == ("failed", "NO_FUNDS")
        assert rig.world.order() == ["one", "two"] or rig.world.order() == ["two", "one"]
        assert rig.loop.time() >= 5
        assert rig.world.running == 0

    simulate(main)


@pytest.mark.parametrize(
    ("behaviours", "result"),
    [
        ({}, "succeeded"),
        ({"one": "fail"}, "succeeded"),
        ({"one": "fail", "two": "fail"}, "failed"),
        ({"three": 5}, "succeeded"),
    ],
)
def test_a_quorum_succeeds_as_soon_as_enough_do_and_fails_as_soon_as_too_many_did_not(behaviours, result):
    async def main(rig):
        plan = spread(lambda *drafts: quorum(2, *drafts), "one", "two", "three")
        await rig.start(payouts(rig.world, plan=plan))
        for account, behaviour in behaviours.items():
            rig.world.says(account, behaviour)
        assert (await rig.outcome(Payout("a"))).result == result

    simulate(main)


def test_a_quorum_that_is_reached_starts_no_more():
    async def main(rig):
        plan = spread(lambda *drafts: quorum(2, *drafts), "one", "two", "three")
        await rig.start(payouts(rig.world, plan=plan, slots=1))
        assert (await rig.outcome(Payout("a"))).result == "succeeded"
        assert rig.world.order() == ["one", "two"]

    simulate(main)


def test_what_needs_a_failed_action_ends_with_it_and_does_not_hold_up_a_quorum():
    async def main(rig):
        def plan(transfer, payout):
            one = transfer.action("one", 1)
            two = transfer.action("two", 1).after(one)
            return quorum(1, one, two, transfer.action("three", 1).after(two), transfer.action("four", 1))

        await rig.start(payouts(rig.world, plan=plan))
        rig.world.says("one", "fail")
        rig.world.says("four", "fail")
        outcome = await rig.outcome(Payout("a"))
        assert (outcome.result, outcome.code) == ("failed", "NO_FUNDS")
        assert rig.loop.time() < 1

    simulate(main)


def test_all_or_compensate_undoes_successes_the_latest_first():
    async def main(rig):
        await rig.start(payouts(rig.world, plan=spread(all_or_compensate, "one", "two", "three", "four")))
        rig.world.says("three", "fail")
        outcome = await rig.outcome(Payout("a"))
        assert (outcome.result, outcome.code) == ("compensated", "NO_FUNDS")
        assert rig.world.undone == ["four", "two", "one"]

    simulate(main)


@pytest.mark.parametrize("seed", range(12))
def test_successes_of_the_turn_in_which_another_fails_are_undone_too(seed):
    async def main(rig):
        await rig.start(payouts(rig.world, plan=spread(all_or_compensate, "one", "two", "three"), slots=3))
        for account in ("one", "two"):
            rig.world.says(account, 1)
        rig.world.says("three", 1, "fail")
        rig.world.script["three"].clear()

        async def fail(call):
            await rig.clock.sleep(1)
            raise EffectFailed("no")

        rig.world.says("three", fail)
        outcome = await rig.outcome(Payout("a"))
        assert outcome.result == "compensated"
        assert sorted(rig.world.undone) == ["one", "two"]

    simulate(main, seed)


def test_compensation_is_exempt_from_the_deadline_and_is_tried_again():
    async def main(rig):
        plan = spread(all_or_compensate, "one", "two")
        await rig.start(payouts(rig.world, plan=plan, extra_work=0, kind={"expires_in_s": 3}))
        rig.world.says("two", "fail")
        rig.world.says("undo one", ConnectionError("down"), EffectFailed("busy", retry_after_s=10))
        outcome = await rig.outcome(Payout("a"))
        assert outcome.result == "compensated"
        assert rig.world.undone == ["one"]

    simulate(main)


def test_one_that_cannot_be_undone_fails_and_the_others_are_undone_all_the_same():
    async def main(rig):
        await rig.start(payouts(rig.world, plan=spread(all_or_compensate, "one", "two", "three", "four")))
        rig.world.says("four", "fail")
        rig.world.says("undo two", *[EffectFailed("cannot")] * 9)
        outcome = await rig.outcome(Payout("a"))
        assert (outcome.result, outcome.code) == ("failed", "COMPENSATION_FAILED")
        assert rig.world.undone == ["three", "one"]

    simulate(main)


@pytest.mark.parametrize("after_s", [0.0, 0.5, 1.5, 2.5, 3.5, 4.5])
def test_compensation_goes_on_after_a_restart(after_s):
    async def main(rig):
        app = payouts(rig.world, plan=spread(all_or_compensate, "one", "two", "three", "four"))
        await rig.start(app)
        rig.world.says("four", "fail")
        for account in ("one", "two", "three"):
            rig.world.says(f"undo {account}", *[1] * 9)
        handle = await rig.submit(Payout("a"))
        await rig.settle(after_s or 0.001)
        await rig.restart(app)
        await rig.settle(60)
        outcome = rig.outcomes()[handle.id]
        assert (outcome.result, outcome.code) == ("compensated", "NO_FUNDS")
        assert set(rig.world.undone) == {"one", "two", "three"}

    simulate(main)


def test_compensation_waits_while_halted():
    async def main(rig):
        node = await rig.start(payouts(rig.world, plan=spread(all_or_compensate, "one", "two")))

        async def fail(call):
            await rig.clock.sleep(1)
            raise EffectFailed("no")

        rig.world.says("two", fail)
        handle = await rig.submit(Payout("a"))
        await rig.on(node.halt("kind:Payout", by="ann"))
        await rig.settle(50)
        assert rig.world.undone == []
        await rig.on(node.resume("kind:Payout", by="ann"))
        assert (await rig.on(handle.outcome())).result == "compensated"
        assert rig.world.undone == ["one"]

    simulate(main)


@pytest.mark.parametrize("make", [all_of, all_or_compensate])
def test_ten_thousand_actions(make):
    async def main(rig):
        plan = spread(make, *[str(n) for n in range(10_000)])
        await rig.start(payouts(rig.world, plan=plan, slots=2_500))
        rig.world.says("9999", "ok" if make is all_of else 3)
        outcome = await rig.outcome(Payout("a"))
        assert outcome.result == "succeeded"
        assert outcome.value == {"succeeded": 10_000, "total": 10_000}
        assert len(rig.world.effects) == 10_000
        assert rig.world.running_max <= 2_500

    simulate(main)


def test_ten_thousand_actions_that_fail_at_once():
    async def main(rig):
        await rig.start(payouts(rig.world, plan=spread(all_of, *[str(n) for n in range(10_000)]), slots=4))
        rig.world.says("0", "fail")
        outcome = await rig.outcome(Payout("a"))
        assert (outcome.result, outcome.code) == ("failed", "NO_FUNDS")

    simulate(main)


def test_a_plan_goes_on_after_a_restart_where_it_was():
    async def main(rig):
        def chain(transfer, payout):
            drafts = [transfer.action("0", 1)]
            for n in range(1, 6):
                drafts.append(transfer.action(str(n), 1).after(drafts[-1]))
            return all_of(*drafts)

        app = payouts(rig.world, plan=chain)
        await rig.start(app)
        for n in range(6):
            rig.world.says(str(n), *[1] * 3)
        handle = await rig.submit(Payout("a"))
        await rig.settle(2.5)
        await rig.restart(app)
        await rig.settle(30)
        assert rig.outcomes()[handle.id].result == "succeeded"
        assert list(rig.world.effects.values()) == [1] * 6
        assert rig.world.order()[:3] == ["0", "1", "2"]

    simulate(main)


@pytest.mark.parametrize(
    "plan",
    [
        lambda transfer, payout: [],
        lambda transfer, payout: "nothing",
        lambda transfer, payout: [transfer.action("a", 1), "b"],
        lambda transfer, payout: [transfer.action(f"{n}", 1) for n in range(10_001)],
        lambda transfer, payout: 1 / 0,
        lambda transfer, payout: transfer.action(object(), 1),
        lambda transfer, payout: transfer.action("a", 1).after(transfer.action("b", 1)),
    ],
)
def test_what_is_no_plan_refuses_the_decision_and_breaks_nothing(plan):
    async def main(rig):
        def first_bad(transfer, payout):
            return plan(transfer, payout) if payout.account == "a" else transfer.action("good", 1)

        node = await rig.start(payouts(rig.world, plan=first_bad))
        verdict = (await rig.submit(Payout("a"))).verdict
        assert (verdict.result, verdict.code) == ("refused", "PLAN_FAILED")
        assert verdict.rulings[-1].seen["error"]
        assert (await rig.outcome(Payout("b"))).result == "succeeded"
        assert node.failure is None
        assert rig.world.order() == ["good"]

    simulate(main)


def test_all_or_compensate_needs_compensate():
    async def main(rig):
        app = App("bare")
        app.decision()(Payout)

        @app.effector(idempotent=True, timeout_s=5)
        async def act(call) -> None: ...

        app.plan(Payout)(lambda _: all_or_compensate(act.action(), act.action()))
        await rig.start(app)
        verdict = (await rig.submit(Payout("a"))).verdict
        assert verdict.code == "PLAN_FAILED"
        assert "compensate" in verdict.rulings[-1].seen["error"]

    simulate(main)
