"""Old history goes to an archive and payloads can be erased; what is left verifies, and with the archive all of it."""

import asyncio

import pytest
from tests.journal.sqlite.forging import run
from tests.journal.workload import Workload

from lictor.errors import JournalDamagedError
from lictor.journal.port import Filter, Refer, SetHalt
from lictor.journal.sqlite import SqliteJournal, audit, writer
from lictor.journal.sqlite.keys import StoredKeys
from lictor.journal.sqlite.verify import verify
from lictor.records import Halt
from lictor.testing.journal_stand import T0_US, admit, close, decision, hold, limit, picture, refuse


def journal_in(path):
    def no_keeping(db):
        return StoredKeys(db, segment_keys=4, shelf_segments=2, keep_us=0)

    return SqliteJournal(path, durability="journal", make_keys=no_keeping)


def test_what_ended_is_archived_and_what_is_open_stays(quick_path):
    path, archive = quick_path / "journal.db", quick_path / "archive.jsonl.gz"

    async def main():
        journal = journal_in(path)
        await journal.open(T0_US)
        await journal.write([limit(10), Refer("prices", "v1", T0_US, b"1")], T0_US)
        await journal.write([admit(decision(1), fence=journal.state.next_fence()), refuse(decision(2), "NO")], T0_US)
        await journal.write([hold(decision(3)), admit(decision(4), fence=journal.state.next_fence())], T0_US)
        await journal.write([close(1, value="r")], T0_US + 10)
        await journal.write([close(4)], T0_US + 20)
        moved = await journal.retain(T0_US + 15, archive)
        assert (moved.commits, moved.facts, moved.decisions) == (3, 4, 2)
        assert [row.id for row in await journal.decisions(Filter())] == [4, 3]
        assert await journal.history(1) == []
        assert [row.event for row in await journal.history(3)] == ["admit"]
        assert [row.event for row in await journal.history(4)] == ["admit", "close"]
        assert [row.decision async for row in journal.scan()] == [None, None, 3, 4, 4]
        assert [row.decision for row in await journal.outcomes(None, 0, 9)] == [4]
        assert await journal.reference("prices", "v1") == b"1"
        before = picture(journal.state)
        await journal.write([refuse(decision(5), "NO")], T0_US + 30)
        journal.abandon()
        again = journal_in(path)
        await again.open(T0_US)
        assert picture(again.state) == before
        assert (await again.retain(T0_US + 100, archive)).decisions == 1  # never what is as young as the last commit
        await again.close()

    asyncio.run(main())
    found = verify(path)
    assert (found.findings, found.judged, found.clean) == ((), False, False)
    found = verify(path, [archive])
    assert (found.findings, found.judged, found.clean) == ((), True, True)
    assert found.decisions == 4


def test_what_is_still_in_force_stays_until_it_is_replaced(quick_path):
    path, archive = quick_path / "journal.db", quick_path / "archive.jsonl.gz"

    async def main():
        journal = journal_in(path)
        await journal.open(T0_US)
        for verb in (
            limit(10),
            Refer("prices", "v1", T0_US, b"1"),
            SetHalt(Halt(scope="kind:payout", mode="halted", at_us=T0_US, by="olga")),
        ):
            await journal.write([verb], T0_US)
        await journal.write([refuse(decision(1), "NO")], T0_US + 1)
        await journal.retain(T0_US + 1, archive)
        assert [row.event async for row in journal.scan()] == ["limit", "refer", "halt", "admit"]
        for verb in (
            limit(20),
            Refer("prices", "v2", T0_US, b"2"),
            SetHalt(Halt(scope="kind:payout", mode="none", at_us=T0_US, by="olga")),
        ):
            await journal.write([verb], T0_US + 2)
        await journal.write([refuse(decision(2), "NO")], T0_US + 3)
        await journal.retain(T0_US + 2, archive)
        told = [row.verb async for row in journal.scan()]
        assert [type(verb).__name__ for verb in told] == ["SetLimit", "Refer", "SetHalt", "Admit"]
        assert told[0].limit == 20
        assert await journal.reference("prices", "v1") is None
        assert await journal.reference("prices", "v2") == b"2"
        await journal.close()

    asyncio.run(main())
    assert verify(path, [archive]).clean


@pytest.mark.parametrize("seed", range(4))
def test_a_long_story_archived_in_parts_is_verified_with_its_archives(quick_path, seed, monkeypatch):
    monkeypatch.setattr(writer, "WINDOW_FACTS", 30)
    monkeypatch.setattr(audit, "KEEP_US", 0)  # as this journal keeps its keys
    path = quick_path / "journal.db"
    archives = [quick_path / f"{part}.jsonl.gz" for part in range(3)]

    async def main():
        journal = journal_in(path)
        await journal.open(T0_US)
        work = Workload(seed, strictly=True)
        await journal.write(work.opening(), work.at_us)
        for archive in archives:
            for _ in range(60):
                await journal.write(work.batch(journal.state), work.at_us)
            assert (await journal.retain(work.at_us, archive)).commits
            before = picture(journal.state)
            journal.abandon()
            journal = journal_in(path)
            await journal.open(work.at_us)
            assert picture(journal.state) == before
        await journal.close()

    asyncio.run(main())
    assert verify(path, archives).findings == ()
    assert verify(path, archives).clean
    assert not verify(path, archives[1:]).judged


def test_an_archive_that_was_changed_does_not_fit_its_leaves(quick_path):
    path, archive = quick_path / "journal.db", quick_path / "archive.jsonl.gz"

    async def main(payload):
        journal = journal_in(path)
        await journal.open(T0_US)
        await journal.write([refuse(decision(1, payload), "NO")], T0_US)
        await journal.write([refuse(decision(2), "NO")], T0_US + 10)
        await journal.retain(T0_US + 5, archive)
        await journal.close()

    asyncio.run(main(b"{}"))
    assert verify(path, [archive]).clean
    for name in (path, archive):
        name.rename(quick_path / f"first-{name.name}")
    asyncio.run(main(b"[]"))
    assert {finding.check for finding in verify(path, [quick_path / f"first-{archive.name}"]).findings} == {"I14"}
    archive.write_bytes(archive.read_bytes()[:-20])
    with pytest.raises(JournalDamagedError):
        verify(path, [archive])


def test_an_erased_payload_is_gone_and_history_still_verifies(quick_path):
    path = quick_path / "journal.db"
    secret = b'{"name":"Ann Example"}'

    async def main():
        journal = journal_in(path)
        await journal.open(T0_US)
        fence = journal.state.next_fence()
        await journal.write([admit(decision(1, secret), fence=fence), admit(decision(2, secret))], T0_US)
        await journal.write([close(1, value="Ann Example")], T0_US)
        assert await journal.erase(2) == 0  # open
        assert await journal.erase(1) == 2
        assert await journal.erase(1) == 0
        rows = await journal.history(1)
        assert rows[0].verb.decision.payload == b""
        assert rows[1].verb.outcome.value is None
        assert (await journal.history(2))[0].verb.decision.payload == secret
        await journal.close()

    asyncio.run(main())
    assert verify(path).clean
    run(path, "VACUUM")
    assert path.read_bytes().count(b"Ann Example") == 1
