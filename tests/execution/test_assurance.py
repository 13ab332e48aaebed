"""What is admitted under a policy that has changed, and successes that are none: `fast`, `checked` and `verified`."""

from __future__ import annotations

import asyncio

import pytest
from tests.rig import Payout, payouts, simulate

from lictor import Settings, allow, deny, hold, report
from lictor.errors import DeclarationError


def deployed(rig, gate=None, **options):
    """The App with another gate, as after a deploy."""
    app = payouts(rig.world, **options)
    app.version = "2"
    if gate is not None:
        app.gate(Payout, name="new")(gate)
    return app


async def queued(rig, count=3, **options):
    """A node with one slot that is taken, and admitted work behind it; it has crashed."""
    node = await rig.start(payouts(rig.world, slots=1, idempotent=True, **options))
    rig.world.says("first", 5)
    for account in ["first", *(f"a-{n}" for n in range(count))]:
        await rig.submit(Payout(account))
    await rig.settle(0.1)
    rig.machine.crash()
    return node


@pytest.mark.parametrize(("assurance", "started"), [("fast", 3), ("checked", 0), ("verified", 0)])
def test_nothing_starts_under_a_policy_that_was_revoked(assurance: str, started: int) -> None:
    """`fast` is the ablation: take the check away and all of it starts."""

    async def main(rig):
        await queued(rig)
        app = deployed(rig, lambda payout, state: deny("REVOKED"), slots=1, idempotent=True)
        await rig.start(app, assurance=assurance)
        await rig.settle(30)
        return rig.world.order(), rig.outcomes().values(), rig.node.journal.state.open

    order, outcomes, open_ = simulate(main)
    assert sum(account.startswith("a-") for account in order) == started
    assert not open_
    if not started:
        ends = [outcome for outcome in outcomes if outcome.code == "POLICY_CHANGED"]
        assert [outcome.result for outcome in ends] == ["cancelled"] * 3
        assert "refused by new: REVOKED" in ends[0].detail


def test_what_the_new_gates_allow_starts_and_an_unchanged_policy_asks_nobody() -> None:
    async def main(rig):
        await queued(rig)
        asked: list[str] = []

        def watched(payout, state):
            asked.append(payout.account)
            return allow()

        await rig.start(deployed(rig, watched, slots=1, idempotent=True))
        await rig.settle(30)
        rig.machine.crash()
        first = list(asked)
        await rig.start(deployed(rig, watched, slots=1, idempotent=True))
        await rig.settle(30)
        return rig.world.order(), first, asked

    order, first, asked = simulate(main)
    assert [account for account in order if account != "first"] == ["a-0", "a-1", "a-2"]
    assert sorted(first) == ["a-0", "a-1", "a-2", "first"]  # one each, the one that was cut off too
    assert asked == first


def test_a_gate_sees_the_budget_as_if_the_decision_came_anew() -> None:
    async def main(rig):
        def budgeted(app):
            cash = app.balance("cash", limit=10)

            @app.gate(Payout, name="affordable")
            def affordable(payout, state):
                return allow(cash.reserve(payout.amount)) if state.left(cash) >= payout.amount else deny("POOR")

            return app

        await rig.start(budgeted(payouts(rig.world, slots=1, idempotent=True)))
        rig.world.says("first", 5)
        await rig.submit(Payout("first", 4))
        await rig.submit(Payout("second", 6))  # all of the budget is reserved
        await rig.settle(0.1)
        rig.machine.crash()
        await rig.start(budgeted(deployed(rig, slots=1, idempotent=True)))
        await rig.settle(30)
        return [outcome.result for outcome in rig.outcomes().values()]

    assert simulate(main) == ["succeeded", "succeeded"]


@pytest.mark.parametrize("bound", [False, True])
def test_a_person_is_not_passed_over(*, bound: bool) -> None:
    """Work that today's gates would hold does not start, unless their own approval still binds."""

    async def main(rig):
        def held(payout, state):
            return hold("LARGE")

        def with_hold(app):
            app.gate(Payout, name="held")(held)
            return app

        first = payouts(rig.world, slots=1, idempotent=True)
        await rig.start(with_hold(first) if bound else first)
        rig.world.says("first", 5)
        for account in ("first", "second"):
            handle = await rig.submit(Payout(account))
            if bound:
                await rig.on(rig.node.approve(handle.id, by="ann"))
        await rig.settle(0.1)
        rig.machine.crash()
        await rig.start(with_hold(deployed(rig, slots=1, idempotent=True)))
        await rig.settle(30)
        return "second" in rig.world.order()

    assert simulate(main) is bound


def test_lookups_are_asked_again_first() -> None:
    async def main(rig):
        def looked_up(app, answer):
            @app.lookup(Payout, timeout_s=5)
            async def fraud(payout):
                await rig.clock.sleep(1)
                return answer

            @app.gate(Payout, name="clean")
            def clean(payout, state):
                return allow() if state[fraud] == "clean" else deny("FRAUD")

            return app

        node = await rig.start(looked_up(payouts(rig.world, slots=1, idempotent=True), "clean"))
        rig.world.says("first", 50)
        for account in ("first", "second"):
            await rig.on(node.submit(Payout(account)))
        rig.machine.crash()
        await rig.start(looked_up(deployed(rig, slots=1, idempotent=True), "dirty"))
        await rig.settle(20)
        return rig.world.order(), {outcome.code for outcome in rig.outcomes().values()}

    order, codes = simulate(main)
    assert order == ["first"]
    assert codes == {"CANCELLED", "POLICY_CHANGED"}  # the one that had started, and the other


def test_retries_of_what_has_started_are_ruled_again_too() -> None:
    async def main(rig):
        await rig.start(payouts(rig.world, idempotent=True, retry_base_s=20))
        rig.world.says("a", "retry")
        await rig.submit(Payout("a"))
        await rig.settle(0.5)
        rig.machine.crash()
        await rig.start(deployed(rig, lambda payout, state: deny("REVOKED"), idempotent=True, retry_base_s=20))
        await rig.settle(61)
        return len(rig.world.arrivals), [outcome.result for outcome in rig.outcomes().values()]

    assert simulate(main) == (1, ["cancelled"])


# -- verified ---------------------------------------------------------------------------------------------------------


async def claims(rig, assurance: str, **options):
    """One payout whose effector says that it succeeded, while the world has never seen it."""

    async def lies(call):
        return "a receipt of nothing"

    await rig.start(payouts(rig.world, **options), assurance=assurance)
    rig.world.says("a", lies, lies, lies, lies, lies)
    return await rig.outcome(Payout("a"))


def test_a_false_success_never_stands_when_verified() -> None:
    """`checked` is the ablation."""
    assert simulate(lambda rig: claims(rig, "checked")).result == "succeeded"
    outcome = simulate(lambda rig: claims(rig, "verified"))
    assert (outcome.result, outcome.code, outcome.value) == ("failed", "UNVERIFIED", None)


def test_a_lie_told_once_is_made_good_under_the_same_key() -> None:
    async def main(rig):
        async def lies(call):
            return "a receipt of nothing"

        await rig.start(payouts(rig.world), assurance="verified")
        rig.world.says("a", lies)
        outcome = await rig.outcome(Payout("a"))
        return outcome, rig.world

    outcome, world = simulate(main)
    assert outcome.result == "succeeded"
    assert list(world.effects.values()) == [1]
    assert len({arrival.key for arrival in world.arrivals}) == 1


def test_a_true_success_keeps_its_value_and_its_amounts() -> None:
    async def main(rig):
        app = payouts(rig.world)
        cash = app.balance("cash", limit=100)
        app.gate(Payout, name="afford")(lambda payout, state: allow(cash.reserve(payout.amount)))

        async def settles(call):
            call.settle(cash, 7)
            rig.world.effects[call.key] += 1
            return "receipt"

        rig.world.answers["a"].append(report("seen", final=True, result="succeeded"))
        await rig.start(app, assurance="verified")
        rig.world.says("a", settles)
        outcome = await rig.outcome(Payout("a", 10))
        return outcome, rig.node.journal.state.balances["cash", "all"].settled(None)

    outcome, settled = simulate(main)
    assert (outcome.result, outcome.value, settled) == ("succeeded", "receipt", 7)


def test_a_world_that_does_not_answer_leaves_it_in_doubt() -> None:
    async def main(rig):
        rig.world.answers["a"].extend([None] * 100)
        await rig.start(payouts(rig.world), assurance="verified")
        handle = await rig.submit(Payout("a"))
        await rig.settle(20)
        return rig.state(handle.id), handle.done

    assert simulate(main) == ("in_doubt", False)


def test_what_cannot_be_asked_about_is_believed() -> None:
    async def main(rig):
        await rig.start(payouts(rig.world, asks=False), assurance="verified")
        return await rig.outcome(Payout("a"))

    assert simulate(main).result == "succeeded"


def test_a_crash_between_a_success_and_its_confirmation_doubles_nothing() -> None:
    async def main(rig):
        slow = asyncio.Event()

        async def waits(call):
            await slow.wait()

        rig.world.answers["a"].append(waits)
        await rig.start(payouts(rig.world), assurance="verified")
        await rig.submit(Payout("a"))
        await rig.settle(1)
        await rig.restart(payouts(rig.world), assurance="verified")
        await rig.settle(10)
        return dict(rig.world.effects), [outcome.result for outcome in rig.outcomes().values()]

    effects, results = simulate(main)
    assert (list(effects.values()), results) == ([1], ["succeeded"])


def test_other_words_are_refused() -> None:
    with pytest.raises(DeclarationError, match="assurance"):
        Settings(assurance="certain")
