"""The store itself: one owner, epochs, time that never runs back (I16), survival of a crash."""

from __future__ import annotations

from lictor.errors import JournalError
from lictor.journal.port import Epoch, Filter
from lictor.testing.journal_stand import T0_US, Stand, admit, cash, close, decision, limit, picture


async def time_never_runs_back(stand: Stand) -> None:
    """I16: a batch with an earlier time is recorded at the last time, over restarts too."""
    stand.at_us = T0_US + 100
    await stand.one(admit(decision(1), fence=stand.fence()))
    stand.at_us = T0_US + 50
    await stand.crash()
    await stand.one(close(1))
    rows = [row async for row in stand.journal.scan()]
    assert [row.at_us for row in rows] == sorted(row.at_us for row in rows)
    assert (await stand.journal.history(1))[1].at_us == T0_US + 100
    assert stand.state.at_us == T0_US + 100


async def each_opening_is_an_epoch(stand: Stand) -> None:
    """Epochs grow by one and are part of history."""
    before = stand.state.epoch
    await stand.crash()
    await stand.reopen()
    assert stand.state.epoch == before + 2
    epochs = [row.verb.epoch async for row in stand.journal.scan() if isinstance(row.verb, Epoch)]
    assert epochs == sorted(set(epochs))
    assert epochs[-1] == stand.state.epoch


async def a_crash_loses_nothing_that_was_answered(stand: Stand) -> None:
    """I6, as far as a store without a disk can show it."""
    await stand.write(limit(100), admit(decision(1, key="k"), cash(30), fence=stand.fence()), admit(decision(2)))
    await stand.one(close(1, value="r"))
    before = picture(stand.state)
    await stand.crash()
    assert picture(stand.state) == before
    assert [row.id for row in await stand.journal.decisions(Filter())] == [2, 1]
    assert [row.decision for row in await stand.journal.outcomes(None, 0, 9)] == [1]


async def one_owner_at_a_time(stand: Stand) -> None:
    """A second opening is refused, or it fences the first; never do both write."""
    second = stand.another()
    try:
        await second.open(T0_US)
    except JournalError:
        assert (await stand.one(admit(decision(1)))).ok
        return
    try:
        await stand.journal.write([admit(decision(1))], T0_US)
    except JournalError:
        stand.journal = second
        return
    raise AssertionError("both owners wrote")


async def a_closed_journal_takes_nothing(stand: Stand) -> None:
    """After `close` it refuses to write, and can be opened again."""
    await stand.journal.close()
    try:
        await stand.journal.write([admit(decision(1))], T0_US)
    except JournalError:
        pass
    else:
        raise AssertionError("a closed journal wrote")
    await stand.reopen()
    assert not stand.state.open


async def an_empty_batch_is_fine(stand: Stand) -> None:
    """It answers nothing and writes nothing."""
    before = [row.seq async for row in stand.journal.scan()]
    assert await stand.journal.write([], T0_US) == []
    assert [row.seq async for row in stand.journal.scan()] == before


CASES = (
    time_never_runs_back,
    each_opening_is_an_epoch,
    a_crash_loses_nothing_that_was_answered,
    one_owner_at_a_time,
    a_closed_journal_takes_nothing,
    an_empty_batch_is_fine,
)
