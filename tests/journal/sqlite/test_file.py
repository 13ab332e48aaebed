"""The file of a journal: one owner, fenced when another took over, never mistaken for another, never left to grow."""

import asyncio
import subprocess
import sys

import apsw
import pytest
from tests.journal.sqlite.forging import read, run

from lictor.errors import JournalDamagedError, JournalError, JournalFencedError, JournalIOError, JournalLockedError
from lictor.journal.sqlite import SqliteJournal
from lictor.journal.sqlite import file as journal_file
from lictor.runtime.offload import ThreadLane
from lictor.testing.journal_stand import T0_US, admit, close, decision, limit, refuse

OWNER = """
import asyncio, sys
from lictor.journal.sqlite import SqliteJournal
async def main():
    await SqliteJournal(sys.argv[1]).open(1)
    print("open", flush=True)
    sys.stdin.read()
asyncio.run(main())
"""


def opened(path, **options):
    journal = SqliteJournal(path, **{"durability": "journal"} | options)
    asyncio.run(journal.open(T0_US))
    return journal


def write(journal, *verbs, at_us=T0_US):
    return asyncio.run(journal.write(verbs, at_us))


def test_another_owner_in_this_process_is_refused(quick_path):
    path = quick_path / "journal.db"
    journal = opened(path)
    with pytest.raises(JournalLockedError):
        opened(path)
    assert write(journal, limit(1))[0].ok
    asyncio.run(journal.close())
    asyncio.run(opened(path).close())


def test_another_process_is_refused_until_it_is_killed(quick_path):
    path = quick_path / "journal.db"
    with subprocess.Popen([sys.executable, "-c", OWNER, path], stdin=-1, stdout=-1, text=True) as owner:
        assert owner.stdout.readline() == "open\n"
        with pytest.raises(JournalLockedError):
            opened(path)
        owner.kill()
        owner.wait()
    asyncio.run(opened(path).close())


def test_an_owner_whose_epoch_is_over_writes_nothing(quick_path):
    """Where the lock did not hold, the epoch does: checked in the transaction of each write."""
    path = quick_path / "journal.db"
    journal = opened(path)
    write(journal, limit(1))
    run(path, "UPDATE meta SET value = value + 1 WHERE name = 'epoch'")
    commits = read(path, "SELECT count(*) FROM commits")
    for _ in range(2):
        with pytest.raises(JournalFencedError):
            write(journal, limit(2))
    assert read(path, "SELECT count(*) FROM commits") == commits


def test_other_files_are_left_alone(quick_path):
    path = quick_path / "other.db"
    run(path, "CREATE TABLE precious (a)")
    with pytest.raises(JournalError, match="not a Lictor journal"):
        opened(path)
    assert read(path, "SELECT count(*) FROM sqlite_master") == 1
    text = quick_path / "notes.txt"
    text.write_text("not a database" * 1000)
    with pytest.raises(JournalError):
        opened(text)
    assert text.read_text().startswith("not a database")


def test_a_log_without_its_file_is_not_thrown_away(quick_path):
    path = quick_path / "journal.db"
    journal = opened(path)
    write(journal, limit(1))
    journal.abandon()
    path.unlink()
    with pytest.raises(JournalDamagedError, match="write-ahead log"):
        opened(path)


def test_settings_that_do_not_hold_are_refused(quick_path, monkeypatch):
    with pytest.raises(JournalError, match="durability"):
        SqliteJournal(quick_path / "a.db", durability="mostly")
    monkeypatch.setitem(journal_file._SYNCHRONOUS, "sync", 7)  # SQLite takes what it knows
    with pytest.raises(JournalError, match="does not give durability"):
        opened(quick_path / "b.db", durability="sync")


def test_sync_means_full(quick_path):
    journal = opened(quick_path / "a.db", durability="sync")
    assert journal._db.pragma("synchronous") == 2
    assert journal._db.pragma("journal_mode") == "wal"
    asyncio.run(journal.close())


def test_the_log_is_emptied_when_it_is_long_or_at_rest(quick_path, monkeypatch):
    path = quick_path / "journal.db"
    wal = quick_path / "journal.db-wal"
    monkeypatch.setattr(journal_file, "LOG_BYTES", 0)
    journal = opened(path, checkpoint_pages=(50, 200))
    for n in range(1, 2_001):
        write(journal, refuse(decision(n, b"x" * 500), "NO"))
    assert wal.stat().st_size < 300 * 4_200
    for n in range(3_001, 3_101):
        write(journal, refuse(decision(n, b"x" * 500), "NO"))
    assert journal._file.wal_pages >= 50
    asyncio.run(journal.rest())
    assert journal._file.wal_pages == 0
    asyncio.run(journal.close())
    assert not wal.exists()


def test_the_log_has_its_length_from_the_start_and_is_as_private_as_the_file(quick_path):
    path, wal = quick_path / "journal.db", quick_path / "journal.db-wal"
    for n in range(1, 4):
        journal = opened(path)
        assert wal.stat().st_size == journal_file.LOG_BYTES
        assert wal.stat().st_mode == path.stat().st_mode
        write(journal, refuse(decision(n, b"x" * 500), "NO"))
        assert wal.stat().st_size == journal_file.LOG_BYTES
        asyncio.run(journal.close())
        assert not wal.exists()
        path.chmod(0o600)
    assert read(path, "SELECT count(*) FROM decisions") == 3


def test_a_start_that_was_cut_off_before_there_was_a_file_is_made_again(quick_path):
    path, wal = quick_path / "journal.db", quick_path / "journal.db-wal"
    wal.write_bytes(bytes(journal_file.LOG_BYTES))
    journal = opened(path)
    write(journal, limit(1))
    asyncio.run(journal.close())
    assert path.stat().st_size


def test_what_fails_midway_ends_the_journal(quick_path):
    """A defect that shows in the middle of a batch leaves the state ahead of the file: nothing more is written."""
    journal = opened(quick_path / "journal.db")
    with pytest.raises(OverflowError):
        write(journal, limit(10**40))
    with pytest.raises(JournalError, match="earlier batch failed"):
        write(journal, limit(1))
    again = opened(quick_path / "journal.db")
    assert not again.state.balances
    asyncio.run(again.close())


def test_a_decision_stored_twice_is_a_broken_promise(quick_path):
    journal = opened(quick_path / "journal.db")
    write(journal, refuse(decision(1), "NO"))
    with pytest.raises(Exception, match="I2"):
        write(journal, refuse(decision(1), "NO"))


def test_transactions_may_run_in_a_thread(quick_path):
    """State is decided on this side, in order; what is answered is stored."""

    async def main():
        journal = SqliteJournal(quick_path / "journal.db", lane=ThreadLane("journal"))
        await journal.open(T0_US)
        batches = [[admit(decision(n), fence=journal.state.next_fence())] for n in range(1, 30)]
        answers = await asyncio.gather(*(journal.write(batch, T0_US) for batch in batches))
        assert all(answer[0].started for answer in answers)
        await asyncio.gather(*(journal.write([close(n)], T0_US) for n in range(1, 30)))
        assert len(await journal.outcomes(None, 0, 100)) == 29
        await journal.close()

    asyncio.run(main())


def test_a_full_disk_ends_the_journal(quick_path):
    journal = opened(quick_path / "journal.db")
    journal._db.pragma("max_page_count", journal._db.pragma("page_count"))
    with pytest.raises(JournalIOError) as caught:
        write(journal, refuse(decision(1, b"x" * 100_000), "NO"))
    assert isinstance(caught.value.__cause__, apsw.FullError)
    with pytest.raises(JournalIOError):
        write(journal, limit(1))
    again = opened(quick_path / "journal.db")
    assert again.state.at_us == T0_US
    asyncio.run(again.close())
