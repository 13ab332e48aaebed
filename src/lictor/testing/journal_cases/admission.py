"""Admitted, refused, held, deferred; approvals (I13); one terminal outcome (I2); refusals have codes (I11)."""

# ruff: noqa: PLR2004 - the expected figure is the point

from __future__ import annotations

from lictor.journal.port import Approve, Cancel, SetStanding
from lictor.lifecycle import DecisionState
from lictor.records import Approval, Decision, Result, Standing
from lictor.testing.journal_stand import (
    MINUTE_US,
    T0_US,
    Stand,
    admit,
    cash,
    close,
    decision,
    defer,
    hold,
    limit,
    refuse,
    start,
)


async def admission_starts_and_ends(stand: Stand) -> None:
    """A lease in the admission starts it in the same transaction; its close is its outcome."""
    await stand.one(limit(100))
    wanted = decision(1)
    answer = await stand.one(admit(wanted, cash(40), fence=stand.fence()))
    assert answer.ok
    assert answer.started
    assert answer.decision == 1
    assert answer.verdict is not None
    assert answer.verdict.result is Result.ADMITTED
    found = stand.state.open[1]
    assert found.state == DecisionState.RUNNING
    assert found.decision == wanted
    assert found.started_us == T0_US
    assert stand.room() == 60
    answer = await stand.one(close(1, value={"receipt": "r-1"}))
    assert answer.ok
    assert answer.outcome is not None
    assert answer.outcome.value == {"receipt": "r-1"}
    assert not stand.state.open
    assert stand.room() == 60
    assert await stand.events(1) == ["admit", "close"]


async def a_batch_sees_itself(stand: Stand) -> None:
    """Admission, close and a second close in one batch: the first terminal commit wins (I2)."""
    first, second, third = await stand.write(
        admit(decision(1), fence=stand.fence()), close(1), close(1, "fail", code="LATE")
    )
    assert (first.ok, second.ok, third.ok, third.code) == (True, True, False, "NOT_OPEN")
    assert third.outcome is not None
    assert third.outcome.result == "succeeded"


async def a_closed_decision_stays_closed(stand: Stand) -> None:
    """I2: later verbs change nothing, and are told the outcome in force."""
    await stand.write(admit(decision(1), fence=stand.fence()), close(1, "fail", code="E"))
    answer = await stand.one(close(1))
    assert (answer.ok, answer.code) == (False, "NOT_OPEN")
    assert answer.outcome is not None
    assert (answer.outcome.result, answer.outcome.code) == ("failed", "E")
    assert await stand.events(1) == ["admit", "close"]


async def refusals_are_kept_with_their_code(stand: Stand) -> None:
    """I11: a refused decision is terminal at once and shows why."""
    answer = await stand.one(refuse(decision(1), "TOO_RISKY"))
    assert answer.ok
    assert answer.verdict is not None
    assert (answer.verdict.result, answer.verdict.code) == (Result.REFUSED, "TOO_RISKY")
    assert not stand.state.open
    (row,) = await stand.journal.history(1)
    assert row.verb.decision.payload == b"{}"  # type: ignore[attr-defined]
    assert await stand.journal.outcomes(None, 0, 10) == []


async def what_came_too_late_is_refused(stand: Stand) -> None:
    """I5: the journal refuses an admission at or after the deadline, whatever the gates said."""
    stand.at_us = T0_US + 10
    answer = await stand.one(admit(decision(1, deadline_us=T0_US + 10), fence=stand.fence()))
    assert not answer.started
    assert answer.verdict is not None
    assert (answer.verdict.result, answer.verdict.code) == (Result.REFUSED, "EXPIRED")
    assert answer.verdict.rulings[-1].gate == "journal"
    assert not stand.state.open


def approval(of: Decision, approver: str = "olga", *, approved: bool = True, **fields: object) -> Approve:
    """A person's answer to the gate `large`."""
    wanted = {"gate": "large", "gate_version": "v1", "digest": of.digest, "at_us": T0_US} | fields
    return Approve(Approval(decision=of.id, approver=approver, approved=approved, **wanted))  # type: ignore[arg-type]


async def held_until_approved(stand: Stand) -> None:
    """A held decision holds nothing and is not started; approved and ruled again it is admitted, in its new place."""
    await stand.one(limit(100))
    wanted, other = decision(1), decision(2)
    assert (await stand.one(hold(wanted))).ok
    assert stand.state.open[1].state == DecisionState.HELD
    assert stand.room() == 100
    assert not (await stand.write(start(1, stand.fence())))[0].ok
    await stand.one(admit(other))
    answer = await stand.one(approval(wanted))
    assert answer.ok
    assert stand.state.open[1].approvals[0].approver == "olga"
    answer = await stand.one(admit(wanted, cash(10)))
    assert answer.ok
    assert stand.state.open[1].state == DecisionState.ADMITTED
    assert stand.state.open[1].place > stand.state.open[2].place
    assert stand.room() == 90
    assert await stand.events(1) == ["admit", "approve", "resume"]


async def approvals_bind_content_gate_and_person(stand: Stand) -> None:
    """I13: not by the source, not on other content, not twice, and only while it is held."""
    wanted = decision(1)
    assert (await stand.one(approval(wanted))).code == "NOT_HELD"
    await stand.one(hold(wanted))
    assert (await stand.one(approval(wanted, "agent"))).code == "APPROVER_IS_SOURCE"
    assert (await stand.one(approval(wanted, digest=b"other"))).code == "OTHER_CONTENT"
    first, again, newer = await stand.write(
        approval(wanted), approval(wanted, "piet"), approval(wanted, "piet", gate_version="v2")
    )
    assert (first.ok, again.code, newer.ok) == (True, "ALREADY_ANSWERED", True)
    await stand.one(admit(wanted, fence=stand.fence()))
    assert (await stand.one(approval(wanted, "kees"))).code == "NOT_HELD"
    await stand.one(close(1))
    answer = await stand.one(approval(wanted, "kees"))
    assert answer.code == "NOT_HELD"
    assert answer.outcome is not None


async def approvals_may_stand_for_the_next_ones(stand: Stand) -> None:
    """Given by who has just approved it, for this content and its source; replaced, withdrawn, and read again."""
    wanted = decision(1)

    def standing(
        until_us: int = T0_US + MINUTE_US, approver: str = "olga", digest: bytes = wanted.digest
    ) -> SetStanding:
        return SetStanding(
            Standing(
                gate="large", gate_version="v1", digest=digest, source=wanted.source, approver=approver,
                at_us=T0_US, until_us=until_us, decision=1,
            )
        )  # fmt: skip

    await stand.one(hold(wanted))
    assert (await stand.one(standing())).code == "NOT_APPROVED"
    assert (await stand.one(standing(0))).code == "NOT_STANDING"
    approved, given = await stand.write(approval(wanted), standing())
    assert approved.ok
    assert given.ok
    assert (await stand.one(standing(approver="piet"))).code == "NOT_APPROVED"
    assert (await stand.one(standing(digest=b"other"))).code == "NOT_HELD"
    assert (await stand.one(standing(1))).code == "EXPIRED"
    kept = standing().standing
    assert stand.state.standing == {("large", kept.subject): kept}
    assert (await stand.one(standing(0))).ok
    assert not stand.state.standing
    assert (await stand.one(standing())).ok


async def denied_is_refused(stand: Stand) -> None:
    """A held decision that a person denies ends refused."""
    wanted = decision(1)
    await stand.write(hold(wanted), approval(wanted, approved=False), refuse(wanted, "APPROVAL_DENIED"))
    assert not stand.state.open
    assert await stand.events(1) == ["admit", "approve", "resume"]


async def deferred_then_admitted(stand: Stand) -> None:
    """A deferred decision may be deferred and held again, and is admitted once."""
    wanted = decision(1)
    for verb in (defer(wanted), hold(wanted), defer(wanted)):
        assert (await stand.one(verb)).ok
    assert stand.state.open[1].state == DecisionState.DEFERRED
    assert (await stand.one(admit(wanted))).ok
    answer = await stand.one(admit(wanted))
    assert (answer.ok, answer.code) == (False, "NOT_HELD")
    assert (await stand.one(hold(wanted))).code == "NOT_HELD"


async def held_work_expires(stand: Stand) -> None:
    """Held and deferred decisions may end without ever having been admitted."""
    await stand.write(hold(decision(1)), defer(decision(2)))
    assert (await stand.one(close(1, "expire", code="APPROVAL_TIMEOUT"))).ok
    assert (await stand.one(close(2, "expire"))).ok
    rows = await stand.journal.outcomes(None, 0, 10)
    assert [(row.decision, row.outcome.result, row.outcome.code) for row in rows] == [
        (1, "expired", "APPROVAL_TIMEOUT"),
        (2, "expired", None),
    ]


async def what_ended_while_it_was_ruled_on_stays_ended(stand: Stand) -> None:
    """I2: a ruling on a held decision that comes after its end, in the same batch or later, changes nothing."""
    keyed, bare, old, new = decision(1, key="k"), decision(2), decision(3), decision(4, supersedes=3)
    await stand.write(hold(keyed), hold(bare), defer(old))
    _, first, _, second, third, fourth = await stand.write(
        close(1, "expire"), admit(keyed), Cancel(2, T0_US, "olga"), refuse(bare), admit(new), admit(old)
    )
    assert third.closed == old.id
    assert [(answer.ok, answer.code) for answer in (first, second, fourth)] == [(False, "NOT_HELD")] * 3
    assert set(stand.state.open) == {4}
    answer = await stand.one(admit(keyed))
    assert (answer.ok, answer.code) == (False, "NOT_HELD")
    assert [row.decision for row in await stand.journal.outcomes(None, 0, 9)] == [1, 2, 3]


CASES = (
    what_ended_while_it_was_ruled_on_stays_ended,
    admission_starts_and_ends,
    a_batch_sees_itself,
    a_closed_decision_stays_closed,
    refusals_are_kept_with_their_code,
    what_came_too_late_is_refused,
    held_until_approved,
    approvals_bind_content_gate_and_person,
    approvals_may_stand_for_the_next_ones,
    denied_is_refused,
    deferred_then_admitted,
    held_work_expires,
)
