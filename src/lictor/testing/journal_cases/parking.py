"""Parked decisions: every answer is as if they were in memory."""

from __future__ import annotations

from lictor.journal.parking import Queue
from lictor.journal.port import Cancel, Filter
from lictor.records import Result
from lictor.testing.journal_stand import (
    MINUTE_US,
    T0_US,
    Stand,
    admit,
    cash,
    close,
    decision,
    hold,
    limit,
    picture,
    refuse,
    start,
)

_QUEUE = Queue("transfer", 2, "acme")


async def _parked(stand: Stand, *ids: int, amount: int = 10) -> None:
    """Admit decisions that need not stay in memory; each next one is due a minute before."""
    await stand.write(limit(1_000))
    for number, id_ in enumerate(ids):
        stand.state.aside.add(id_)
        due_us = T0_US + (60 - number) * MINUTE_US
        await stand.write(admit(decision(id_, b"%d" % id_, key=f"k{id_}", deadline_us=due_us), cash(amount)))
    assert not stand.state.open
    assert stand.state.parking.count == len(ids)


async def what_is_parked_is_open_and_not_in_memory(stand: Stand) -> None:
    """It is found, listed, told and counted against its balance; a restart leaves it parked."""
    await _parked(stand, 1, 2)
    before = picture(stand.state)
    assert list(before["open"]) == [1, 2]
    assert stand.room() == 1_000 - 10 - 10
    found = stand.state.find(2)
    assert found is not None
    assert (found.decision.payload, found.held) == (b"2", {("cash", "acme", None): 10})
    assert [row.id for row in await stand.journal.decisions(Filter(open_only=True))] == [2, 1]
    assert [row.id for row in await stand.journal.decisions(Filter(key="k1"))] == [1]
    assert [row.id for row in await stand.journal.decisions(Filter(state="admitted", limit=1))] == [2]
    assert not await stand.journal.decisions(Filter(state="held"))
    assert await stand.events(2) == ["admit"]
    assert await stand.journal.find("acme", "agent", "k2") == [2]
    assert stand.state.parking.queues() == {_QUEUE: (2, T0_US + 59 * MINUTE_US)}
    state = await stand.crash()
    assert picture(state) == before
    assert not state.open


async def its_key_is_bound(stand: Stand) -> None:
    """I10: the same content is a duplicate and is told the original verdict, other content is refused."""
    await _parked(stand, 1)
    twin = await stand.one(admit(decision(2, b"1", key="k1")))
    assert (twin.code, twin.decision) == ("DUPLICATE", 1)
    assert twin.verdict is not None
    assert twin.verdict.result is Result.ADMITTED
    other = await stand.one(admit(decision(3, b"other", key="k1")))
    assert other.verdict is not None
    assert other.verdict.code == "KEY_REUSED"
    assert stand.state.parking.count == 1


async def the_earliest_deadlines_come_back_first(stand: Stand) -> None:
    """In chunks, once each, and a crash before they have begun loses none."""
    await _parked(stand, 1, 2, 3)
    stand.state.recall_first(_QUEUE, 2)
    assert list(stand.state.open) == [3, 2]
    assert [found.decision.id for found in stand.state.returned] == [3, 2]
    assert {queue: parked.waiting for queue, parked in stand.state.parking.queues().items()} == {_QUEUE: 1}
    stand.state.recall_first(_QUEUE, 5)
    stand.state.recall_first(_QUEUE, 5)
    assert list(stand.state.open) == [3, 2, 1]
    assert stand.state.parking.count == 0
    before = picture(stand.state)
    assert picture(await stand.crash()) == before


async def it_starts_and_ends_like_any_other(stand: Stand) -> None:
    """Its reservation is settled, its outcome is in the feed, and it is gone."""
    await _parked(stand, 1, 2)
    fence = stand.fence()
    answer = await stand.one(start(1, fence))
    assert answer.accepted == {1}
    assert stand.state.parking.count == 1
    assert (await stand.one(close(1))).ok
    assert list(stand.state.all_open()) == [2]
    assert stand.room() == 1_000 - 10 - 10
    assert [row.decision for row in await stand.journal.outcomes(None, 0, 10)] == [1]
    assert await stand.events(1) == ["admit", "start", "close"]
    assert not (await stand.one(start(1, stand.fence()))).ok


async def it_is_cancelled_expired_and_superseded(stand: Stand) -> None:
    """Each gives back what it held, and ends once (I2)."""
    old = 3
    await _parked(stand, 1, 2, old)
    cancelled = await stand.one(Cancel(1, T0_US, "olga"))
    assert cancelled.outcome is not None
    assert cancelled.outcome.result == "cancelled"
    assert (await stand.one(close(2, "expire", code="DISPLACED"))).ok
    assert (await stand.one(admit(decision(4, b"4", supersedes=old), cash(5)))).closed == old
    assert stand.room() == 1_000 - 5
    assert list(stand.state.all_open()) == [4]
    assert stand.state.parking.count == 0
    for id_ in (1, 2, 3):
        assert not (await stand.one(close(id_, "expire"))).ok


async def a_child_draws_on_a_parked_parent(stand: Stand) -> None:
    """The parent is in memory from then on, with less of its reservation, also after a restart."""
    await _parked(stand, 1)
    assert (await stand.one(admit(decision(2, b"2", parent=1, depth=1), cash(4)))).ok
    assert stand.state.open[1].held == {("cash", "acme", None): 6}
    assert stand.room() == 1_000 - 10
    before = picture(stand.state)
    assert picture(await stand.crash()) == before


async def only_what_follows_from_its_admission_is_parked(stand: Stand) -> None:
    """Not what is refused, held, started, was ruled on twice, or has given a child of what it holds."""
    await stand.write(limit(100))
    stand.state.aside.update({1, 2, 3, 4, 5, 6})
    await stand.write(
        refuse(decision(1, b"1")),
        hold(decision(2, b"2")),
        hold(decision(3, b"3")),
        admit(decision(3, b"3")),
        admit(decision(4, b"4"), fence=stand.fence()),
        admit(decision(5, b"5"), cash(10)),
        admit(decision(6, b"6", parent=5, depth=1), cash(4)),
    )
    assert set(stand.state.open) == {2, 3, 4, 5}
    assert stand.state.parking.count == 1
    assert set(stand.state.all_open()) == {2, 3, 4, 5, 6}
    assert not (await stand.one(admit(decision(6, b"6")))).ok, "it is ruled on already"


CASES = (
    what_is_parked_is_open_and_not_in_memory,
    its_key_is_bound,
    the_earliest_deadlines_come_back_first,
    it_starts_and_ends_like_any_other,
    it_is_cancelled_expired_and_superseded,
    a_child_draws_on_a_parked_parent,
    only_what_follows_from_its_admission_is_parked,
)
