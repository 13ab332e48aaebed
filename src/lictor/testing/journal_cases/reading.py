"""What is read back: the outcome feed, lists, histories, all of history."""

from __future__ import annotations

from lictor.journal.port import Filter
from lictor.records import Result
from lictor.testing.journal_stand import T0_US, Stand, admit, close, decision, hold, refuse


async def outcomes_go_home(stand: Stand) -> None:
    """The feed: oldest first, each once, by source, from any cursor, over restarts."""
    fences = [stand.fence() for _ in range(6)]
    await stand.write(
        *(admit(decision(n, source="ab"[n % 2], key=f"k{n}"), fence=fence) for n, fence in enumerate(fences))
    )
    await stand.write(close(3, value=[3]), close(0), close(4, "fail", code="E"))
    await stand.write(close(1))
    feed = stand.journal.outcomes
    rows = await feed(None, 0, 10)
    assert [row.decision for row in rows] == [3, 0, 4, 1]
    assert [row.cursor for row in rows] == sorted({row.cursor for row in rows})
    assert (rows[0].outcome.value, rows[0].source, rows[0].kind, rows[0].key) == ([3], "b", "payout", "k3")
    assert [row.decision for row in await feed("a", 0, 10)] == [0, 4]
    assert [row.decision for row in await feed(None, 0, 2)] == [3, 0]
    assert [row.decision for row in await feed(None, rows[1].cursor, 10)] == [4, 1]
    assert await feed("a", rows[2].cursor, 10) == []
    await stand.crash()
    await stand.one(close(2))
    later = await stand.journal.outcomes(None, rows[3].cursor, 10)
    assert [row.decision for row in later] == [2]
    assert await stand.journal.outcomes(None, later[0].cursor + 100, 10) == []


async def decisions_are_listed_newest_first(stand: Stand) -> None:
    """By state, kind, tenant, source, code and key; open or not; from where the last page ended."""
    await stand.write(
        admit(decision(1, kind="pay", key="k", order_key="a-1", priority=1)),
        refuse(decision(2, tenant="globex"), "NO"),
        hold(decision(3, source="other")),
        admit(decision(4), fence=stand.fence()),
    )
    await stand.one(close(4, "fail", code="E"))

    async def ids(**wanted: object) -> list[int]:
        return [row.id for row in await stand.journal.decisions(Filter(**wanted))]  # type: ignore[arg-type]

    assert await ids() == [4, 3, 2, 1]
    assert await ids(limit=2) == [4, 3]
    assert await ids(before=3) == [2, 1]
    assert await ids(open_only=True) == [3, 1]
    assert await ids(state="held") == [3]
    assert await ids(state="failed") == [4]
    assert await ids(kind="pay") == [1]
    assert await ids(tenant="globex") == [2]
    assert await ids(source="other") == [3]
    assert await ids(code="NO") == [2]
    assert await ids(code="E", tenant="acme") == [4]
    assert await ids(key="k") == [1]
    assert await ids(key="none") == []
    assert await ids(state=("held", "failed")) == [4, 3]
    assert await ids(kind=("pay", "none")) == [1]
    assert await ids(tenant=("globex", "none"), source=("other", "agent")) == [2]
    assert await ids(code=("NO", "E")) == [4, 2]
    assert await ids(state=()) == []
    assert await ids(parent=1) == []
    assert await ids(since_us=T0_US) == [4, 3, 2, 1]
    assert await ids(since_us=T0_US + 1) == []
    assert await ids(until_us=T0_US) == []
    assert await ids(until_us=T0_US + 1, limit=1) == [4]
    rows = await stand.journal.decisions(Filter())
    assert [row.state for row in rows] == ["failed", "held", "refused", "admitted"]
    assert [row.closed_us for row in rows] == [T0_US, None, T0_US, None]
    assert (rows[3].order_key, rows[3].priority, rows[3].deadline_us) == ("a-1", 1, decision(1).deadline_us)


async def a_history_is_told_in_order(stand: Stand) -> None:
    """Each fact with its position, commit and time; nothing of other decisions; empty for none."""
    await stand.write(admit(decision(1), fence=stand.fence()), admit(decision(2)))
    stand.at_us = T0_US + 5
    await stand.write(admit(decision(3, parent=1, depth=1)), close(1))
    rows = await stand.journal.history(1)
    assert [row.event for row in rows] == ["admit", "close"]
    assert [row.at_us for row in rows] == [T0_US, T0_US + 5]
    assert rows[0].seq < rows[1].seq
    assert rows[0].commit < rows[1].commit
    assert rows[0].verb.decision == decision(1)  # type: ignore[attr-defined]
    assert await stand.journal.history(99) == []


async def what_was_not_accepted_left_no_trace(stand: Stand) -> None:
    """Positions have no gaps, and the whole of history is what was accepted."""
    await stand.write(close(9), admit(decision(1, key="k")), admit(decision(2, key="k")), close(1))
    await stand.write(close(9))
    rows = [row async for row in stand.journal.scan()]
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
    assert [(row.event, row.decision) for row in rows if row.decision is not None] == [("admit", 1)]
    position = next(row.seq for row in rows if row.decision == 1)
    assert [row.seq async for row in stand.journal.scan(position - 1)] == [row.seq for row in rows[position - 1 :]]
    assert [row async for row in stand.journal.scan(rows[-1].seq)] == []


async def a_refusal_by_the_journal_keeps_the_rulings(stand: Stand) -> None:
    """What the gates said stays; what the journal said comes after it."""
    answer = await stand.one(admit(decision(1, deadline_us=T0_US)))
    assert answer.verdict is not None
    assert answer.verdict.result is Result.REFUSED
    assert [ruling.gate for ruling in answer.verdict.rulings] == ["rule", "journal"]
    (row,) = await stand.journal.history(1)
    assert row.verb.verdict == answer.verdict  # type: ignore[attr-defined]
    assert row.verb.plan is None  # type: ignore[attr-defined]


CASES = (
    outcomes_go_home,
    decisions_are_listed_newest_first,
    a_history_is_told_in_order,
    what_was_not_accepted_left_no_trace,
    a_refusal_by_the_journal_keeps_the_rulings,
)
