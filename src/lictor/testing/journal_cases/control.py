"""What people and feedback change: halts (I12), cancels, limits, lessons, quarantine, references, declarations."""

# ruff: noqa: PLR2004 - the expected figure is the point

from __future__ import annotations

import msgspec

from lictor.journal.port import Act, Cancel, Declare, Learn, Mark, Quarantine, Refer, SetGrant, SetHalt, Shed
from lictor.records import Adjustment, Grant, Halt, Lesson, Quarantined, ShedCount
from lictor.testing.journal_stand import T0_US, Stand, admit, cash, close, decision, limit, start


def halt(scope: str, mode: str = "halted") -> SetHalt:
    """A person halts or resumes a scope."""
    return SetHalt(Halt(scope=scope, mode=mode, at_us=T0_US, by="olga"))


async def nothing_starts_while_halted(stand: Stand) -> None:
    """I12 for each scope: no admission, no start; others go on; resume lifts it."""
    for number, scope in enumerate(("all", "kind:payout", "source:agent", "tenant:acme"), 1):
        old, new = number * 10, number * 10 + 1
        other = decision(number * 10 + 2, kind="other", source="other", tenant="other")
        await stand.write(admit(decision(old)), halt(scope))
        assert (await stand.one(start(old, stand.fence()))).code == "NOTHING_STARTED"
        answer = await stand.one(admit(decision(new)))
        assert answer.verdict is not None
        assert (answer.verdict.code, answer.verdict.rulings[-1].seen) == ("HALTED", {"scope": scope})
        free = await stand.one(admit(other, fence=stand.fence()))
        assert free.started == (scope != "all")
        await stand.one(halt(scope, "none"))
        assert scope not in stand.state.halts
        assert (await stand.one(start(old, stand.fence()))).ok


async def a_halted_effector_starts_nothing(stand: Stand) -> None:
    """Work for it is admitted and waits: the lease is not honoured."""
    await stand.one(halt("effector:transfer"))
    answer = await stand.one(admit(decision(1), fence=stand.fence()))
    assert answer.ok
    assert not answer.started
    assert not stand.state.open[1].started
    assert (await stand.one(start(1, stand.fence()))).code == "NOTHING_STARTED"
    await stand.one(halt("effector:transfer", "none"))
    assert (await stand.one(start(1, stand.fence()))).ok


async def a_halt_in_the_same_batch_comes_first(stand: Stand) -> None:
    """Verbs take effect in their order."""
    before, _, after = await stand.write(
        admit(decision(1), fence=stand.fence()), halt("all"), admit(decision(2), fence=stand.fence())
    )
    assert (before.started, after.started) == (True, False)
    assert (await stand.one(close(1))).ok


async def reduce_only_is_for_the_gates(stand: Stand) -> None:
    """It is kept; which kinds reduce is not the journal's to know."""
    await stand.one(halt("tenant:acme", "reduce_only"))
    assert stand.state.halts["tenant:acme"].mode == "reduce_only"
    assert (await stand.one(admit(decision(1), fence=stand.fence()))).started


async def cancelling_what_has_not_started_ends_it(stand: Stand) -> None:
    """Its reservation is released in the same transaction, and the outcome says who and why."""
    await stand.write(limit(100), admit(decision(1), cash(30)))
    answer = await stand.one(Cancel(1, T0_US, "olga", "not needed"))
    assert answer.ok
    assert answer.outcome is not None
    assert answer.outcome.result == "cancelled"
    assert stand.room() == 100
    (row,) = await stand.journal.outcomes("agent", 0, 10)
    assert (row.outcome.result, row.outcome.detail) == ("cancelled", "by olga: not needed")
    again = await stand.one(Cancel(1, T0_US, "olga"))
    assert (again.code, again.outcome and again.outcome.result) == ("NOT_OPEN", "cancelled")
    assert await stand.events(1) == ["admit", "cancel"]


async def cancelling_what_has_started_is_a_request(stand: Stand) -> None:
    """It is marked, starts no more, and keeps the result that is true."""
    fence = stand.fence()
    await stand.write(limit(100), admit(decision(1), cash(30), fence=fence, actions=2))
    assert (await stand.one(Cancel(1, T0_US, "olga"))).ok
    found = stand.state.open[1]
    assert (found.cancel_asked, found.cancel_by) == (True, "olga")
    assert (await stand.one(Cancel(1, T0_US, "piet"))).code == "ALREADY_ASKED"
    assert (await stand.one(start(1, stand.fence(), 1))).code == "NOTHING_STARTED"
    assert (await stand.one(close(1, "succeed", [Act(0, "succeed", fence), Act(1, "cancel", 0)]))).ok
    assert stand.room() == 70


async def lessons_and_adjustments_replace_their_earlier_selves(stand: Stand) -> None:
    """The latest for each name and subject is what gates read."""
    lessons = [Lesson(name="score", subject="agent", at_us=T0_US, values={"brier": n / 4}) for n in (1, 2)]
    change = Adjustment(name="size", subject="agent", value=0.5, was=1.0, at_us=T0_US, lesson="score", latched=True)
    await stand.one(Learn((lessons[0],), (), T0_US))
    first = stand.state.learned_seq
    await stand.one(Learn((lessons[1],), (change,), T0_US))
    assert stand.state.learned_seq > first
    assert stand.state.lessons == {("score", "agent"): lessons[1]}
    assert stand.state.adjustments == {("size", "agent"): change}


async def quarantine_keeps_what_failed(stand: Stand) -> None:
    """Newest first, by source, until someone replays or discards it."""

    def entry(id_: int, source: str = "feed", state: str = "kept") -> Quarantine:
        wanted = Quarantined(id=id_, source=source, at_us=T0_US, reason="RANGE", detail="-1", signal=b"{}", state=state)
        return Quarantine(wanted)

    await stand.write(entry(1), entry(2), entry(3, "other"), entry(4))
    await stand.one(entry(2, state="replayed"))
    listed = stand.journal.quarantined
    assert [kept.id for kept in await listed("feed", 10)] == [4, 1]
    assert [kept.id for kept in await listed(None, 2)] == [4, 3]
    await stand.write(entry(5), entry(5, state="discarded"))
    assert 5 not in stand.state.quarantine


async def references_keep_their_versions(stand: Stand) -> None:
    """Each version that gates have read can be read again."""
    await stand.write(Refer("prices", "v1", T0_US, b"old"), Refer("prices", "v2", T0_US, b"new"))
    assert stand.state.references == {"prices": "v2"}
    assert await stand.journal.reference("prices", "v1") == b"old"
    assert await stand.journal.reference("prices", "v2") == b"new"
    assert await stand.journal.reference("prices", "v3") is None


async def grants_are_kept_and_replace_their_earlier_selves(stand: Stand) -> None:
    """Also the revoked ones: who has held which key, and until when, is never forgotten."""

    def grant(id_: str, revoked_us: int | None = None) -> Grant:
        return Grant(
            id=id_, name="agent", hash=b"h" * 32, roles=("submit", "read"), sources=("agent-7",), tenants=None,
            made_us=T0_US, by="olga", revoked_us=revoked_us,
        )  # fmt: skip

    await stand.write(SetGrant(grant("a")), SetGrant(grant("b")))
    await stand.one(SetGrant(grant("a", T0_US + 1)))
    assert stand.state.grants == {"a": grant("a", T0_US + 1), "b": grant("b")}
    told = [row.verb async for row in stand.journal.scan() if row.event == "grant"]

    def bound(given: Grant, expires_us: int | None) -> Grant:
        return msgspec.structs.replace(given, expires_us=expires_us)

    for wider in (grant("a"), msgspec.structs.replace(grant("b"), roles=("admin",)), bound(grant("b"), None)):
        assert (await stand.one(SetGrant(bound(grant("b"), T0_US + 5)))).ok
        assert not (await stand.one(SetGrant(wider))).ok
    assert told == [SetGrant(grant("a")), SetGrant(grant("b")), SetGrant(grant("a", T0_US + 1))]


async def marks_are_kept_and_replace_their_earlier_selves(stand: Stand) -> None:
    """Who was told of outcomes, and how far, is known after a restart."""
    await stand.write(Mark("agent-7", 3, T0_US), Mark("agent-8", 4, T0_US))
    await stand.one(Mark("agent-7", 9, T0_US))
    assert stand.state.marks == {"agent-7": 9, "agent-8": 4}
    await stand.reopen()
    assert stand.state.marks == {"agent-7": 9, "agent-8": 4}


async def declarations_and_shed_counts_are_history(stand: Stand) -> None:
    """The App in force is known; what was shed is counted and binds nothing."""
    declared = Declare("payouts", "2", "p-7", T0_US, {"kinds": ["payout"]})
    counts = Shed((ShedCount(1_700_000_000, "agent", "payout", "INFEASIBLE", 17, "{}"),), T0_US)
    await stand.write(Declare("payouts", "1", "p-6", T0_US, {}), declared, counts)
    assert stand.state.declared == declared
    assert counts in [row.verb async for row in stand.journal.scan()]


CASES = (
    nothing_starts_while_halted,
    a_halted_effector_starts_nothing,
    a_halt_in_the_same_batch_comes_first,
    reduce_only_is_for_the_gates,
    cancelling_what_has_not_started_ends_it,
    cancelling_what_has_started_is_a_request,
    lessons_and_adjustments_replace_their_earlier_selves,
    quarantine_keeps_what_failed,
    references_keep_their_versions,
    grants_are_kept_and_replace_their_earlier_selves,
    marks_are_kept_and_replace_their_earlier_selves,
    declarations_and_shed_counts_are_history,
)
