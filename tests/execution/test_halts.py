"""Halts: nothing starts in their scope once confirmed (I12), what ran goes on, and a restart changes nothing."""

from dataclasses import dataclass

import pytest
from tests.rig import Payout, payouts, simulate

from lictor import App, DeclarationError, DeniedError, all_of

SCOPES = ["all", "kind:Payout", "source:agent", "tenant:acme", "effector:transfer"]
OTHERS = ["kind:Other", "source:other", "tenant:other", "effector:other"]


@pytest.mark.parametrize("scope", SCOPES)
def test_nothing_starts_in_a_halted_scope_until_it_is_resumed(scope):
    async def main(rig):
        node = await rig.start(payouts(rig.world, slots=1, kind={"expires_in_s": 600}))
        rig.world.says("a", 5)
        await rig.submit(Payout("a"), source="agent", tenant="acme")
        queued = await rig.submit(Payout("b"), source="agent", tenant="acme")
        await rig.on(node.halt(scope, by="ann", reason="storm"))
        late = await rig.submit(Payout("c"), source="agent", tenant="acme")
        if scope.startswith("effector"):
            assert late.admitted  # it may still be called when the effector is back
        else:
            assert (late.verdict.result, late.verdict.code) == ("refused", "HALTED")
            assert late.verdict.rulings[-1].seen == {"scope": scope, "by": "ann", "reason": "storm"}
        await rig.settle(100)
        assert rig.world.order() == ["a"]
        assert len(rig.outcomes()) == 1  # what ran has ended as ever
        await rig.on(node.resume(scope, by="ann"))
        assert (await rig.on(queued.outcome())).result == "succeeded"
        if late.admitted:
            assert (await rig.on(late.outcome())).result == "succeeded"

    simulate(main)


@pytest.mark.parametrize("scope", OTHERS)
def test_another_scope_is_not_touched(scope):
    @dataclass(frozen=True)
    class Other:
        account: str

    async def main(rig):
        app = payouts(rig.world)
        app.decision()(Other)
        other = app.effector(idempotent=True, timeout_s=10, name="other")(rig.world.perform)
        app.plan(Other)(lambda wanted: other.action(wanted.account, 1))
        node = await rig.start(app)
        await rig.on(node.halt(scope, by="ann"))
        assert (await rig.outcome(Payout("a"), source="agent", tenant="acme")).result == "succeeded"

    simulate(main)


@pytest.mark.parametrize("seed", range(20))
def test_what_is_leased_and_has_not_started_goes_back(seed):
    async def main(rig):
        node = await rig.start(payouts(rig.world, kind={"expires_in_s": 600}))
        submitting = [rig.machine.spawn(node.submit(Payout(f"a{n}"))) for n in range(4)]
        halting = rig.machine.spawn(node.halt(by="ann"))
        await rig.on(halting)
        at_halt = len(rig.world.arrivals)
        await rig.settle(100)
        assert len(rig.world.arrivals) == at_halt
        handles = [await rig.on(task) for task in submitting]
        await rig.on(node.resume(by="ann"))
        for handle in handles:
            outcome = await rig.on(handle.outcome())
            assert (outcome.result, outcome.attempts) == ("succeeded", 1) if handle.admitted else outcome is None
        assert len(rig.world.arrivals) == sum(handle.admitted for handle in handles)

    simulate(main, seed)


def test_retries_do_not_start_while_halted():
    async def main(rig):
        node = await rig.start(payouts(rig.world, kind={"expires_in_s": 600}))
        rig.world.says("a", "retry")
        handle = await rig.submit(Payout("a"))
        await rig.settle(0)
        await rig.on(node.halt(by="ann"))
        before = len(rig.world.arrivals)
        await rig.settle(100)
        assert len(rig.world.arrivals) == before
        await rig.on(node.resume(by="ann"))
        assert (await rig.on(handle.outcome())).result == "succeeded"

    simulate(main)


def test_asking_goes_on_while_halted():
    async def main(rig):
        node = await rig.start(payouts(rig.world))
        rig.world.says("a", "done_and_silent")
        handle = await rig.submit(Payout("a"))
        await rig.settle(1)
        await rig.on(node.halt(by="ann"))
        outcome = await rig.on(handle.outcome())
        assert (outcome.result, outcome.value) == ("succeeded", "found")

    simulate(main)


@pytest.mark.parametrize("behaviour", [None, "retry", "lost"])
def test_the_deadline_passes_while_halted(behaviour):
    async def main(rig):
        node = await rig.start(payouts(rig.world, kind={"expires_in_s": 20}, slots=1, timeout_s=3))
        rig.world.says("blocker", 1)
        await rig.submit(Payout("blocker"))
        if behaviour:
            rig.world.says("a", behaviour)
        handle = await rig.submit(Payout("a"))
        await rig.settle(1.001 if behaviour else 0.001)
        await rig.on(node.halt(by="ann"))
        outcome = await rig.on(handle.outcome())
        assert outcome.result == "expired"
        assert rig.loop.time() <= 21
        await rig.on(node.resume(by="ann"))
        assert (await rig.outcome(Payout("b"))).result == "succeeded"

    simulate(main)


def test_a_plan_with_one_halted_effector_goes_on_with_the_others():
    async def main(rig):
        app = App("two")
        app.decision(expires_in_s=600)(Payout)
        one = app.effector(idempotent=True, timeout_s=5, name="one")(rig.world.perform)
        two = app.effector(idempotent=True, timeout_s=5, name="two")(rig.world.perform)
        app.plan(Payout)(lambda p: all_of(one.action("1", 1), two.action("2", 1), one.action("3", 1)))
        node = await rig.start(app)
        await rig.on(node.halt("effector:two", by="ann"))
        handle = await rig.submit(Payout("a"))
        await rig.settle(100)
        assert sorted(rig.world.order()) == ["1", "3"]
        await rig.on(node.resume("effector:two", by="ann"))
        assert (await rig.on(handle.outcome())).result == "succeeded"

    simulate(main)


def test_a_halt_survives_a_restart():
    async def main(rig):
        app = payouts(rig.world, slots=1, kind={"expires_in_s": 600})
        node = await rig.start(app)
        rig.world.says("a", 5)
        await rig.submit(Payout("a"))
        queued = await rig.submit(Payout("b"))
        await rig.on(node.halt(by="ann", reason="storm"))
        node = await rig.restart(app)
        verdict = (await rig.submit(Payout("c"))).verdict
        assert verdict.code == "HALTED"
        await rig.settle(100)
        assert rig.world.order() == ["a"]
        await rig.on(node.resume(by="ann"))
        await rig.settle(1)
        assert rig.outcomes()[queued.id].result == "succeeded"

    simulate(main)


@pytest.mark.parametrize("scope", ["all", "kind:Payout", "source:agent", "tenant:acme"])
def test_reduce_only_admits_what_reduces(scope):
    async def main(rig):
        def reduces(payout):
            if payout.amount == 13:
                raise ValueError("unlucky")
            return payout.amount < 0

        app = payouts(rig.world, kind={"reduces": reduces})
        node = await rig.start(app)
        await rig.on(node.halt(scope, by="ann", reduce_only=True))
        by = {"source": "agent", "tenant": "acme"}
        assert (await rig.outcome(Payout("a", -1), **by)).result == "succeeded"
        for amount in (1, 13):
            assert (await rig.outcome(Payout("a", amount), **by)).code == "REDUCE_ONLY"
        await rig.restart(app)
        assert (await rig.outcome(Payout("a", 1), **by)).code == "REDUCE_ONLY"
        await rig.on(rig.node.resume(scope, by="ann"))
        assert (await rig.outcome(Payout("a", 1), **by)).result == "succeeded"

    simulate(main)


def test_a_kind_that_does_not_say_what_reduces_is_refused():
    async def main(rig):
        node = await rig.start(payouts(rig.world))
        await rig.on(node.halt(by="ann", reduce_only=True))
        assert (await rig.outcome(Payout("a", -1))).code == "REDUCE_ONLY"

    simulate(main)


def test_resuming_one_scope_leaves_the_others():
    async def main(rig):
        node = await rig.start(payouts(rig.world))
        await rig.on(node.halt("all", by="ann"))
        await rig.on(node.halt("kind:Payout", by="bob"))
        await rig.on(node.resume("all", by="ann"))
        assert (await rig.outcome(Payout("a"))).code == "HALTED"
        await rig.on(node.resume("kind:Payout", by="ann"))
        assert (await rig.outcome(Payout("a"))).result == "succeeded"

    simulate(main)


def test_a_halt_names_a_scope_and_a_resume_a_person():
    async def main(rig):
        node = await rig.start(payouts(rig.world))
        for scope in ("", "kind:", "everything", "planet:mars"):
            with pytest.raises(DeclarationError):
                await rig.on(node.halt(scope, by="ann"))
        with pytest.raises(DeclarationError, match="halted"):
            await rig.on(node.halt("effector:transfer", by="ann", reduce_only=True))
        with pytest.raises(DeniedError):
            await rig.on(node.resume(by=""))

    simulate(main)
