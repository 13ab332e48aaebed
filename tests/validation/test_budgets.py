"""Balances: reserved at admission, settled to the truth, never oversubscribed (I3)."""

from decimal import Decimal

import pytest
from tests.rig import Payout, payouts, simulate

from lictor import NotFoundError, all_of, allow, report


def budgeted(world, *, limit=100, per="all", window_s=None, amount=None, **effector):
    app = payouts(world, **effector)
    cash = app.balance("cash", limit, per=per, window_s=window_s)

    @app.gate(Payout, family="resources")
    def affordable(payout, state):
        return allow(cash.reserve(amount(payout) if amount else payout.amount))

    return app, cash


def sums(rig, scope="all"):
    balance = rig.node.journal.state.balances["cash", scope]
    window = balance.window(rig.clock.wall_us())
    return balance.settled(window), balance.reserved(window)


def settles(*amounts, behaviour="ok"):
    """A call that settles these amounts of `cash` and then behaves."""

    def script(rig, cash):
        async def call(call):
            for amount in amounts:
                call.settle(cash, amount)
            return await rig.world._behave(call, behaviour)

        return call

    return script


def test_no_race_overspends():
    async def main(rig):
        app, _ = budgeted(rig.world)
        await rig.start(app)
        handles = await rig.on(rig.node.submit_many([Payout(f"a{n}", 7) for n in range(50)]))
        admitted = [handle for handle in handles if handle.admitted]
        assert len(admitted) == 14
        refused = next(handle.verdict for handle in handles if not handle.admitted)
        assert refused.code == "BUDGET_EXCEEDED"
        assert refused.rulings[-1].seen == {"budget": "cash", "scope": "all", "asked": 7, "left": 2, "limit": 100}
        for handle in admitted:
            await rig.on(handle.outcome())
        assert sums(rig) == (98, 0)

    simulate(main)


@pytest.mark.parametrize(
    ("script", "result", "settled"),
    [
        (None, "succeeded", 40),  # a success that says nothing used all of it
        (settles(25), "succeeded", 25),
        (settles(10, 5), "succeeded", 15),
        (settles(0), "succeeded", 0),
        (settles(behaviour="fail"), "failed", 0),
        (settles(3, behaviour="fail"), "failed", 3),  # a fee
    ],
)
def test_what_was_truly_used_is_settled_and_the_rest_released(script, result, settled):
    async def main(rig):
        app, cash = budgeted(rig.world)
        await rig.start(app)
        if script:
            rig.world.says("a", script(rig, cash))
        assert (await rig.outcome(Payout("a", 40))).result == result
        assert sums(rig) == (settled, 0)
        await rig.restart(app)
        assert sums(rig) == (settled, 0)

    simulate(main)


def test_an_overrun_is_booked_and_latches_until_a_person_resets_it():
    async def main(rig):
        app, cash = budgeted(rig.world)
        node = await rig.start(app)
        rig.world.says("a", settles(50)(rig, cash))
        outcome = await rig.outcome(Payout("a", 40))
        assert outcome.settled[0].amount == 50
        assert sums(rig) == (50, 0)
        verdict = await rig.outcome(Payout("b", 1))
        assert (verdict.code, verdict.rulings[-1].seen) == ("BUDGET_LATCHED", {"budget": "cash", "scope": "all"})
        node = await rig.restart(app)
        assert (await rig.outcome(Payout("b", 1))).code == "BUDGET_LATCHED"
        await rig.on(node.set_limit("cash", 100, by="ann", reset_latch=True))
        assert (await rig.outcome(Payout("b", 1))).result == "succeeded"

    simulate(main)


def test_a_lowered_limit_blocks_only_what_is_new_and_outlives_a_restart():
    async def main(rig):
        app, _ = budgeted(rig.world)
        node = await rig.start(app)
        rig.world.says("a", 5)
        handle = await rig.submit(Payout("a", 60))
        await rig.on(node.set_limit("cash", 50, by="risk"))
        assert (await rig.outcome(Payout("b", 1))).code == "BUDGET_EXCEEDED"
        assert (await rig.on(handle.outcome())).result == "succeeded"
        node = await rig.restart(app)
        assert node.journal.state.balances["cash", "all"].limit == 50
        assert (await rig.outcome(Payout("b", 1))).code == "BUDGET_EXCEEDED"
        with pytest.raises(NotFoundError):
            await rig.on(node.set_limit("gold", 1, by="risk"))
        with pytest.raises(TypeError):
            await rig.on(node.set_limit("cash", 1.5, by="risk"))

    simulate(main)


def test_a_deploy_that_declares_another_limit_puts_it_in_force():
    async def main(rig):
        await rig.start(budgeted(rig.world, limit=100)[0])
        await rig.outcome(Payout("a", 60))
        node = await rig.restart(budgeted(rig.world, limit=1000)[0])
        assert node.journal.state.balances["cash", "all"].limit == 1000
        assert (await rig.outcome(Payout("a", 600))).result == "succeeded"

    simulate(main)


def test_windows_have_sums_of_their_own_and_charge_the_window_of_the_reservation():
    async def main(rig):
        app, _ = budgeted(rig.world, window_s=60, kind={"expires_in_s": 600})
        await rig.start(app)
        rig.world.says("slow", "pending")
        slow = await rig.submit(Payout("slow", 70))
        first = rig.clock.wall_us()
        assert (await rig.outcome(Payout("b", 31))).code == "BUDGET_EXCEEDED"
        rig.world.answers["slow"].extend([None] * 14)
        await rig.settle(61)
        assert (await rig.outcome(Payout("c", 90))).result == "succeeded"
        assert (await rig.on(slow.outcome())).result == "succeeded"
        balance = rig.node.journal.state.balances["cash", "all"]
        assert balance.settled(balance.window(first)) == 70
        assert balance.settled(balance.window(first + 61_000_000)) == 90

    simulate(main)


@pytest.mark.parametrize("per", ["tenant", "source", "account", lambda payout: payout.account.upper()])
def test_each_scope_has_its_own(per):
    async def main(rig):
        app, _ = budgeted(rig.world, per=per)
        await rig.start(app)
        for who in ("one", "two"):
            outcome = await rig.outcome(Payout(who, 90), tenant=who, source=who)
            assert outcome.result == "succeeded"
            assert (await rig.outcome(Payout(who, 20), tenant=who, source=who)).code == "BUDGET_EXCEEDED"

    simulate(main)


def test_limits_may_differ_by_scope():
    async def main(rig):
        app, _ = budgeted(rig.world, per="account", limit={"one": 10})
        await rig.start(app)
        assert (await rig.outcome(Payout("one", 10))).result == "succeeded"
        assert (await rig.outcome(Payout("two", 1))).code == "BUDGET_EXCEEDED"

    simulate(main)


@pytest.mark.parametrize("limit", [lambda scope: 1 / 0, lambda scope: 1.5])
def test_a_limit_that_cannot_be_had_refuses(limit):
    async def main(rig):
        app, _ = budgeted(rig.world, limit=limit)
        node = await rig.start(app)
        verdict = await rig.outcome(Payout("one", 10))
        assert (verdict.result, verdict.code) == ("refused", "GATE_FAILED")
        assert node.failure is None

    simulate(main)


def test_decimals_stay_decimals():
    async def main(rig):
        app, cash = budgeted(rig.world, limit=Decimal("1.00"), amount=lambda p: Decimal("0.35"))
        await rig.start(app)
        rig.world.says("a", settles(Decimal("0.10"))(rig, cash))
        for _ in range(2):
            assert (await rig.outcome(Payout("a"))).result == "succeeded"
        assert sums(rig) == (Decimal("0.45"), 0)
        await rig.restart(app)
        assert sums(rig) == (Decimal("0.45"), 0)
        assert (await rig.outcome(Payout("a"))).result == "succeeded"
        assert (await rig.outcome(Payout("a"))).code == "BUDGET_EXCEEDED"

    simulate(main)


def test_a_child_draws_from_its_parents_reservation():
    async def main(rig):
        app, _ = budgeted(rig.world)
        node = await rig.start(app)
        children = []

        async def parent(call):
            for amount in (30, 60, 40):
                child = await node.submit(Payout("child", amount), parent=call.decision)
                children.append(child.verdict.code)
                await child.outcome()

        rig.world.says("a", parent)
        rig.world.says("other", 5)
        await rig.submit(Payout("other", 10))
        assert (await rig.outcome(Payout("a", 90))).result == "succeeded"
        assert children == [None, None, "BUDGET_EXCEEDED"]  # 30 and 60 of its 90; nothing else is left
        await rig.settle(10)
        settled, reserved = sums(rig)
        assert reserved == 0
        assert settled == 100

    simulate(main)


def test_an_effector_may_settle_what_was_not_reserved():
    async def main(rig):
        app, _ = budgeted(rig.world)
        fees = app.balance("fees", 1000, per="tenant")

        async def call(call):
            call.settle(fees, 7)
            call.settle(fees, -2, scope="house")

        await rig.start(app)
        rig.world.says("a", call)
        assert (await rig.outcome(Payout("a", 5), tenant="acme")).result == "succeeded"
        balances = rig.node.journal.state.balances
        assert balances["fees", "acme"].settled(None) == 7
        assert balances["fees", "house"].settled(None) == -2
        await rig.restart(app)
        assert rig.node.journal.state.balances["fees", "acme"].settled(None) == 7

    simulate(main)


def test_amounts_of_all_actions_add_up():
    async def main(rig):
        app, cash = budgeted(rig.world, plan=lambda t, p: all_of(*(t.action(str(n), 1) for n in range(3))))
        await rig.start(app)
        for n in range(3):
            rig.world.says(str(n), settles(n + 1)(rig, cash))
        outcome = await rig.outcome(Payout("a", 50))
        assert [r.amount for r in outcome.settled] == [6]
        assert sums(rig) == (6, 0)

    simulate(main)


def test_amounts_that_are_none_are_refused():
    async def main(rig):
        app, _ = budgeted(rig.world, amount=lambda p: {"neg": -1, "float": 1.5, "nan": Decimal("NaN")}[p.account])
        node = await rig.start(app)
        for account in ("neg", "float", "nan"):
            assert (await rig.outcome(Payout(account))).code == "GATE_FAILED"
        assert node.failure is None
        with pytest.raises(TypeError):
            report("r", final=False, settled={app.balances["cash"]: 1.5})

    simulate(main)
