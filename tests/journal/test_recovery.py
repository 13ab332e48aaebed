"""Recovery from tables and the facts of what is open gives exactly what folding all of history gives (I15)."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.journal.workload import Workload

from lictor.journal import port
from lictor.journal.memory import MemoryDisk, MemoryJournal
from lictor.journal.sqlite import SqliteJournal, writer
from lictor.journal.sqlite.keys import StoredKeys
from lictor.journal.sqlite.verify import verify
from lictor.journal.state import KeysInMemory, State
from lictor.testing.journal_stand import T0_US, picture


async def folded(journal):
    """The state that follows from all facts, from the first on."""
    state = State(KeysInMemory())
    async for row in journal.scan():
        state.evolve(row.verb, row.seq, row.at_us)
    return state


async def drive(journal, work, batches, *, each=None):
    await journal.open(T0_US)
    await journal.write(work.opening(), work.at_us)
    for _ in range(batches):
        verbs = work.batch(journal.state)
        await journal.write(verbs, work.at_us)
        if each is not None:
            await each()


@pytest.mark.parametrize("window", [1, 40, 100_000], ids=lambda window: f"parking after {window}")
@given(seed=st.integers(0, 2**32), batches=st.integers(1, 60))
@settings(max_examples=15)
def test_recovered_folded_and_live_state_are_one(quick_paths, window, seed, batches):
    path = quick_paths() / "journal.db"

    def small_keys(db):
        return StoredKeys(db, segment_keys=5, shelf_segments=2)

    async def main():
        journal = SqliteJournal(path, durability="journal", make_keys=small_keys)
        await drive(journal, Workload(seed), batches)
        live = picture(journal.state)
        assert picture(await folded(journal)) == live
        journal.abandon()
        again = SqliteJournal(path, durability="journal", make_keys=small_keys)
        await again.open(T0_US)
        assert picture(again.state) == live
        assert (again.state.at_us, again.state.epoch) == (journal.state.at_us, journal.state.epoch + 1)
        await again.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "WINDOW_FACTS", window)
        asyncio.run(main())


@given(seed=st.integers(0, 2**32))
@settings(max_examples=15)
def test_memory_and_sqlite_answer_alike(quick_paths, seed):
    path = quick_paths() / "journal.db"

    def told(answer):
        id_ = answer.open.decision.id if answer.open is not None else None
        return (
            answer.ok, answer.code, answer.decision, answer.verdict, answer.started, answer.accepted, answer.closed,
            answer.outcome, id_,
        )  # fmt: skip

    async def main():
        first, second = MemoryJournal(), SqliteJournal(path, durability="journal")
        work = Workload(seed)
        for journal in (first, second):
            await journal.open(T0_US)
            await journal.write(work.opening(), work.at_us)
        for _ in range(40):
            verbs = work.batch(first.state)
            answers = [await journal.write(verbs, work.at_us) for journal in (first, second)]
            assert [told(answer) for answer in answers[0]] == [told(answer) for answer in answers[1]]
        assert picture(first.state) == picture(second.state)
        for id_ in work.decisions:
            assert await first.history(id_) == await second.history(id_)
        for name in ("agent", "other", None):
            assert await first.outcomes(name, 0, 1000) == await second.outcomes(name, 0, 1000)
        wanted = port.Filter(limit=1000)
        assert await first.decisions(wanted) == await second.decisions(wanted)
        assert [row async for row in first.scan()] == [row async for row in second.scan()]
        await second.close()

    asyncio.run(main())


@given(seed=st.integers(0, 2**32))
@settings(max_examples=15)
def test_what_was_accepted_is_verified_clean(quick_paths, seed):
    path = quick_paths() / "journal.db"

    async def main():
        journal = SqliteJournal(path, durability="journal")
        await drive(journal, Workload(seed, strictly=True), 200)
        assert verify(path).findings == ()  # while it is open
        await journal.close()
        found = verify(path)
        assert found.findings == ()
        assert found.decisions + found.open > 10

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "WINDOW_FACTS", 30)
        asyncio.run(main())


def test_the_workload_reaches_everything():
    """A workload that never asks proves nothing: each verb, answer code and state occurs."""
    verbs, codes, states = set(), set(), set()

    async def main():
        for seed in range(60):
            journal = MemoryJournal(MemoryDisk())
            work = Workload(seed)
            await journal.open(T0_US)
            await journal.write(work.opening(), work.at_us)
            for _ in range(60):
                batch = work.batch(journal.state)
                for verb, answer in zip(batch, await journal.write(batch, work.at_us), strict=True):
                    verbs.add(type(verb).__name__)
                    codes.add(answer.code or (answer.verdict and answer.verdict.code))
                    states.update(found.state for found in journal.state.finished)

    asyncio.run(main())
    assert verbs >= {verb.__name__ for verb in port.Verb.__subclasses__()} - {"Epoch", "Declare"}
    assert codes >= {
        "DUPLICATE", "KEY_REUSED", "BUDGET_EXCEEDED", "BUDGET_LATCHED", "EXPIRED", "HALTED", "PARENT_INVALID",
        "NOT_OPEN", "NOT_HELD", "APPROVER_IS_SOURCE", "ALREADY_ANSWERED", "SUPERSEDED_ATTEMPT", "DUPLICATE_REPORT",
        "ACTION_DONE",        "NOT_IN_LIFECYCLE", "NOTHING_STARTED", "ALREADY_ASKED", "NO",
    }  # fmt: skip
    assert states == {"succeeded", "failed", "expired", "cancelled", "compensated"}
