"""Standing approvals: the same content of the same source, approved again by the same person, each time anew (I13)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.rig import Payout, payouts, simulate

from lictor import DeniedError, NotFoundError, allow, hold
from lictor.records import Grant, subject_of


def shop(rig, *, limit=10, approvers=1):
    """Payouts above a limit need the boss."""
    app = payouts(rig.world, kind={"expires_in_s": 600})
    app.gate(Payout, family="authorization", name="boss", parameters={"limit": limit})(
        lambda p, s: hold("LARGE", approvers=approvers) if p.amount > limit else allow()
    )
    return app


async def first(rig, node, for_s=60.0):
    """A payout that is approved with a word for the next ones."""
    handle = await rig.submit(Payout("a", 50), source="agent")
    await rig.on(node.approve(handle.id, by="ann", reason="usual", again_for_s=for_s))
    assert (await rig.on(handle.outcome())).result == "succeeded"
    return handle


async def approvals(node, handle):
    return [row.verb.approval for row in await node.journal.history(handle.id) if row.event == "approve"]


def test_the_same_again_goes_on_with_an_approval_of_its_own():
    async def main(rig):
        node = await rig.start(shop(rig))
        await first(rig, node)
        again = await rig.submit(Payout("a", 50), source="agent")
        assert again.verdict.result == "held"
        assert (await rig.on(again.outcome())).result == "succeeded"
        (approval,) = await approvals(node, again)
        assert (approval.approver, approval.approved, approval.decision) == ("ann", True, again.id)
        assert approval.reason == "standing approval: usual"

    simulate(main)


@pytest.mark.parametrize(
    "other",
    [
        {"value": Payout("a", 51)},
        {"value": Payout("b", 50)},
        {"source": "other"},
        {"tenant": "globex"},
        {"after_s": 61},
        {"limit": 11},
        {"withdrawn": True},
        {"revoked": True},
    ],
    ids=lambda other: next(iter(other)),
)
def test_anything_else_waits_for_a_person(other):
    async def main(rig):
        node = await rig.start(shop(rig))
        before = await first(rig, node)
        if "limit" in other:
            rig.machine.crash()
            node = await rig.start(shop(rig, limit=other["limit"]))
        if "withdrawn" in other:
            found = next(iter(node.journal.state.standing.values()))
            await rig.on(node.withdraw("boss", found.subject, by="ben"))
            with pytest.raises(NotFoundError):
                await rig.on(node.withdraw("boss", found.subject, by="ben"))
        if "revoked" in other:
            key = Grant(
                id="k", name="ann", hash=b"", roles=("approve",), sources=None, tenants=None, made_us=0, by="olga"
            )
            await rig.on(node.set_grants(key))
            await rig.on(node.set_grants(replace(key, revoked_us=1)))
        await rig.settle(other.get("after_s", 0))
        options = {"source": other.get("source", "agent"), "tenant": other.get("tenant", "default")}
        again = await rig.submit(other.get("value", Payout("a", 50)), **options)
        await rig.settle(5)
        assert again.verdict.result == "held"
        assert await approvals(node, again) == []
        assert before.id != again.id

    simulate(main)


def test_it_holds_after_a_crash_and_what_was_held_by_then_goes_on():
    async def main(rig):
        node = await rig.start(shop(rig))
        await first(rig, node)
        rig.machine.crash()
        node = await rig.start(shop(rig))
        again = await rig.submit(Payout("a", 50), source="agent")
        assert (await rig.on(again.outcome())).result == "succeeded"

    simulate(main)


def test_what_has_ended_is_forgotten_at_the_next_start():
    async def main(rig):
        node = await rig.start(shop(rig))
        await first(rig, node, for_s=5)
        await rig.settle(10)
        await rig.submit(Payout("b", 1))
        assert len(node.journal.state.standing) == 1
        rig.machine.crash()
        node = await rig.start(shop(rig))
        await rig.submit(Payout("c", 1))
        assert not node.journal.state.standing

    simulate(main)


def test_two_persons_approve_each_one_anew_and_a_refusal_stands_for_nothing():
    async def main(rig):
        node = await rig.start(shop(rig, approvers=2))
        handle = await rig.submit(Payout("a", 50), source="agent")
        with pytest.raises(DeniedError, match="TWO_PERSONS"):
            await rig.on(node.approve(handle.id, by="ann", again_for_s=60))
        assert await approvals(node, handle) == []  # not half of what was asked
        for asked in ({"approved": False, "again_for_s": 60}, {"again_for_s": 0}, {"again_for_s": 1e9}):
            with pytest.raises(DeniedError, match="again_for_s"):
                await rig.on(node.approve(handle.id, by="ben", **asked))
        assert not node.journal.state.standing

    simulate(main)


def test_what_is_approved_goes_on_though_no_more_can_stand(monkeypatch):
    monkeypatch.setattr("lictor.journal.arbiter.STANDING_MAX", 0)

    async def main(rig):
        node = await rig.start(shop(rig))
        handle = await rig.submit(Payout("a", 50), source="agent")
        with pytest.raises(DeniedError, match="STANDING_FULL"):
            await rig.on(node.approve(handle.id, by="ann", again_for_s=60))
        assert (await rig.on(handle.outcome())).result == "succeeded"

    simulate(main)


def test_a_subject_is_the_content_and_whose():
    assert subject_of(b"\x01\xff", "agent") == "01ff agent"
