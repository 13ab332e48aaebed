"""Approvals (I13): exactly this content, this version of the gate, this approver, once; in time."""

import pytest
from msgspec.structs import replace
from tests.rig import Payout, payouts, simulate

from lictor import DeclarationError, DeniedError, NotFoundError, Quality, Range, allow, deny, hold
from lictor.records import Grant


def held(rig, *, limit=10, other=0, within_s=None, two=False):
    """Payouts above a limit need the boss; `other` is a parameter of a gate that only allows."""
    app = payouts(rig.world, kind={"expires_in_s": 600, "approve_within_s": within_s})
    app.gate(Payout, family="authorization", name="boss", parameters={"limit": limit})(
        lambda p, s: hold("LARGE", amount=p.amount) if p.amount > limit else allow()
    )
    app.gate(Payout, name="other", parameters={"other": other})(lambda p, s: allow())
    if two:
        app.gate(Payout, family="authorization", name="auditor")(lambda p, s: hold("AUDIT"))
    return app


def test_an_approved_decision_is_admitted_and_says_by_whom():
    async def main(rig):
        node = await rig.start(held(rig))
        handle = await rig.submit(Payout("a", 50))
        assert (handle.verdict.result, handle.verdict.code, handle.done) == ("held", "LARGE", False)
        await rig.on(node.approve(handle.id, by="ann", reason="fine"))
        assert (await rig.on(handle.outcome())).result == "succeeded"
        ruling = next(r for r in handle.verdict.rulings if r.gate == "boss")
        assert (ruling.result, ruling.seen) == ("allow", {"approved_by": "ann"})

    simulate(main)


def four_eyes(rig):
    app = payouts(rig.world, kind={"expires_in_s": 600})
    app.gate(Payout, family="authorization", name="boss")(
        lambda p, s: hold("LARGE", approvers=2, amount=p.amount) if p.amount > 10 else allow()
    )
    return app


def test_four_eyes_are_two_persons_and_neither_is_the_source():
    async def main(rig):
        node = await rig.start(four_eyes(rig))
        handle = await rig.submit(Payout("a", 50), source="agent")
        assert await rig.on(node.approve(handle.id, by="ann")) == 1
        await rig.settle()
        assert rig.world.arrivals == []
        for by, why in (("ann", "ALREADY_ANSWERED"), ("agent", "APPROVER_IS_SOURCE"), ("", "name of a person")):
            with pytest.raises(DeniedError, match=why):
                await rig.on(node.approve(handle.id, by=by))
        assert await rig.on(node.approve(handle.id, by="ben")) == 0
        assert (await rig.on(handle.outcome())).result == "succeeded"
        ruling = next(r for r in handle.verdict.rulings if r.gate == "boss")
        assert (ruling.result, ruling.seen) == ("allow", {"approved_by": ["ann", "ben"]})
        kept = [row.verb.approval.approver for row in await node.journal.history(handle.id) if row.event == "approve"]
        assert kept == ["ann", "ben"]

    simulate(main)


def test_the_second_of_two_denies():
    async def main(rig):
        node = await rig.start(four_eyes(rig))
        handle = await rig.submit(Payout("a", 50))
        await rig.on(node.approve(handle.id, by="ann"))
        assert await rig.on(node.approve(handle.id, by="ben", approved=False)) == 0
        assert await rig.on(handle.outcome()) is None
        assert handle.verdict.code == "APPROVAL_DENIED"
        assert rig.world.arrivals == []

    simulate(main)


def test_one_approval_of_two_outlives_the_node():
    async def main(rig):
        node = await rig.start(four_eyes(rig))
        handle = await rig.submit(Payout("a", 50))
        await rig.on(node.approve(handle.id, by="ann"))
        node = await rig.restart(four_eyes(rig))
        assert handle.id in node.journal.state.open
        with pytest.raises(DeniedError, match="ALREADY_ANSWERED"):
            await rig.on(node.approve(handle.id, by="ann"))
        assert await rig.on(node.approve(handle.id, by="ben")) == 0

    simulate(main)


def test_who_holds_a_key_of_the_source_is_the_source():
    async def main(rig):
        node = await rig.start(held(rig))
        handle = await rig.submit(Payout("a", 50), source="agent")
        key = Grant(
            id="k", name="ann", hash=b"", roles=("submit",), sources=("agent",), tenants=None, made_us=0, by="olga"
        )
        await rig.on(node.set_grants(key))
        await rig.on(node.set_grants(replace(key, revoked_us=1)))  # what it decided once it cannot unsay
        with pytest.raises(DeniedError, match="APPROVER_IS_SOURCE"):
            await rig.on(node.approve(handle.id, by="ann"))
        assert await rig.on(node.approve(handle.id, by="ben")) == 0

    simulate(main)


def test_who_corrects_the_content_has_decided_it():
    async def main(rig):
        app = held(rig)
        app.source("agent", quality=Quality(ranges={"amount": Range(1, 60)}))
        node = await rig.start(app)
        await rig.submit(Payout("a", 5_000), source="agent")
        (entry,) = node.journal.state.quarantine
        handle = await rig.on(node.replay(entry, by="ann", payload=Payout("a", 50)))
        assert handle.verdict.result == "held"
        with pytest.raises(DeniedError, match="APPROVER_IS_SOURCE"):
            await rig.on(node.approve(handle.id, by="ann"))
        assert await rig.on(node.approve(handle.id, by="ben")) == 0

    simulate(main)


def test_nobody_is_asked_for_too_few():
    with pytest.raises(DeclarationError, match="somebody must approve"):
        hold("LARGE", approvers=0)


def test_a_denied_one_is_refused_and_acts_never():
    async def main(rig):
        node = await rig.start(held(rig))
        handle = await rig.submit(Payout("a", 50))
        await rig.on(node.approve(handle.id, by="ann", approved=False, reason="too much"))
        assert await rig.on(handle.outcome()) is None
        assert (handle.verdict.result, handle.verdict.code) == ("refused", "APPROVAL_DENIED")
        assert handle.verdict.rulings[-1].seen == {"by": "ann", "reason": "too much"}
        assert rig.world.arrivals == []

    simulate(main)


def test_the_source_does_not_approve_itself():
    async def main(rig):
        node = await rig.start(held(rig))
        handle = await rig.submit(Payout("a", 50), source="agent")
        with pytest.raises(DeniedError, match="APPROVER_IS_SOURCE"):
            await rig.on(node.approve(handle.id, by="agent"))
        assert handle.id in node.journal.state.open

    simulate(main)


def test_what_is_not_held_cannot_be_approved():
    async def main(rig):
        node = await rig.start(held(rig))
        handle = await rig.submit(Payout("a", 5))
        for decision in (handle.id, 12345):
            with pytest.raises(NotFoundError):
                await rig.on(node.approve(decision, by="ann"))
        big = await rig.submit(Payout("a", 50))
        with pytest.raises(NotFoundError):
            await rig.on(node.approve(big.id, by="ann", gate="nobody"))

    simulate(main)


def test_each_gate_wants_its_own_answer():
    async def main(rig):
        node = await rig.start(held(rig, two=True))
        handle = await rig.submit(Payout("a", 50))
        await rig.on(node.approve(handle.id, by="ann", gate="boss"))
        await rig.settle(1)
        assert (handle.verdict.result, handle.verdict.code) == ("held", "AUDIT")
        await rig.on(node.approve(handle.id, by="bob", gate="auditor"))
        assert (await rig.on(handle.outcome())).result == "succeeded"

    simulate(main)


def test_one_answer_serves_once():
    async def main(rig):
        node = await rig.start(held(rig, two=True))
        handle = await rig.submit(Payout("a", 50))
        first = rig.machine.spawn(node.approve(handle.id, by="ann", gate="boss"))
        second = rig.machine.spawn(node.approve(handle.id, by="bob", gate="boss", approved=False))
        await rig.settle(1)
        assert sum(isinstance(task.exception(), DeniedError | NotFoundError) for task in (first, second)) == 1
        assert handle.verdict.result == ("held" if second.exception() else "refused")

    simulate(main)


def test_an_approval_is_for_one_decision():
    async def main(rig):
        node = await rig.start(held(rig))
        first, second = await rig.submit(Payout("a", 50)), await rig.submit(Payout("a", 50))
        await rig.on(node.approve(first.id, by="ann"))
        assert (await rig.on(first.outcome())).result == "succeeded"
        assert second.verdict.result == "held"

    simulate(main)


@pytest.mark.parametrize("changed", [True, False])
def test_a_deploy_voids_the_approvals_of_the_gate_that_it_changes_and_of_no_other(changed):
    async def main(rig):
        node = await rig.start(held(rig))
        handle = await rig.submit(Payout("a", 50))
        approving = rig.machine.spawn(node.approve(handle.id, by="ann"))
        while not node.journal.state.open[handle.id].approvals:
            await rig.settle(0)
        del approving
        node = await rig.restart(held(rig, limit=11) if changed else held(rig, other=1))
        await rig.settle(1)
        if not changed:
            assert rig.outcomes()[handle.id].result == "succeeded"
            return
        found = node.journal.state.open[handle.id]
        assert (found.verdict.result, found.verdict.code) == ("held", "POLICY_CHANGED")
        assert rig.world.arrivals == []
        await rig.on(node.approve(handle.id, by="ann"))
        await rig.settle(1)
        assert rig.outcomes()[handle.id].result == "succeeded"

    simulate(main)


def test_an_approval_of_what_was_held_before_the_deploy_is_asked_for_again():
    async def main(rig):
        await rig.start(held(rig))
        handle = await rig.submit(Payout("a", 50))
        node = await rig.restart(held(rig, limit=11))
        await rig.on(node.approve(handle.id, by="ann"))  # of the gate as it was
        await rig.settle(1)
        assert node.journal.state.open[handle.id].verdict.code == "POLICY_CHANGED"
        await rig.on(node.approve(handle.id, by="ann"))
        await rig.settle(1)
        assert rig.outcomes()[handle.id].result == "succeeded"

    simulate(main)


@pytest.mark.parametrize("within_s", [20, None])
def test_without_an_answer_in_time_it_is_refused(within_s):
    async def main(rig):
        await rig.start(held(rig, within_s=within_s))
        handle = await rig.submit(Payout("a", 50), expires_in_s=100)
        assert await rig.on(handle.outcome()) is None
        assert (handle.verdict.result, handle.verdict.code) == ("refused", "APPROVAL_TIMEOUT")
        assert rig.loop.time() == pytest.approx(within_s or 100, abs=0.01)

    simulate(main)


def test_one_of_two_answers_does_not_keep_it_waiting_for_ever():
    async def main(rig):
        node = await rig.start(held(rig, within_s=20, two=True))
        handle = await rig.submit(Payout("a", 50))
        await rig.settle(15)
        await rig.on(node.approve(handle.id, by="ann", gate="boss"))
        assert await rig.on(handle.outcome()) is None
        assert handle.verdict.code == "APPROVAL_TIMEOUT"
        assert rig.loop.time() <= 36

    simulate(main)


def test_the_timeout_counts_while_the_node_is_down():
    async def main(rig):
        await rig.start(held(rig, within_s=20))
        handle = await rig.submit(Payout("a", 50))
        rig.machine.crash()
        await rig.settle(30)
        node = await rig.start(held(rig, within_s=20))
        await rig.settle(1)
        assert handle.id not in node.journal.state.open

    simulate(main)


def test_all_gates_run_again_on_approval_and_an_approval_answers_only_its_own():
    async def main(rig):
        app = held(rig)
        open_ = [True]
        app.gate(Payout, family="risk", name="market")(lambda p, s: allow() if open_[0] else deny("MARKET_CLOSED"))
        cash = app.balance("cash", 60)
        app.gate(Payout, family="resources", name="cash")(lambda p, s: allow(cash.reserve(p.amount)))
        node = await rig.start(app)
        first, second, third = [await rig.submit(Payout("a", 50)) for _ in range(3)]
        assert node.journal.state.balances == {}  # a hold reserves nothing
        for handle in (first, second):
            await rig.on(node.approve(handle.id, by="ann"))
        assert (await rig.on(first.outcome())).result == "succeeded"
        assert await rig.on(second.outcome()) is None
        assert second.verdict.code == "BUDGET_EXCEEDED"
        open_[0] = False
        await rig.on(node.approve(third.id, by="ann"))
        assert await rig.on(third.outcome()) is None
        assert third.verdict.code == "MARKET_CLOSED"

    simulate(main)


def test_halted_while_it_waited_it_is_refused():
    async def main(rig):
        node = await rig.start(held(rig))
        handle = await rig.submit(Payout("a", 50))
        await rig.on(node.halt(by="ann"))
        await rig.on(node.approve(handle.id, by="ann"))
        assert await rig.on(handle.outcome()) is None
        assert handle.verdict.code == "HALTED"

    simulate(main)
