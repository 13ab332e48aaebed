"""Every journal passes the one conformance suite, with and without a restart after each batch."""

import asyncio

import pytest

from lictor.journal import batch
from lictor.journal.memory import MemoryDisk, MemoryJournal
from lictor.journal.sqlite import SqliteJournal
from lictor.journal.sqlite.keys import StoredKeys
from lictor.testing.journal_cases import keys, parking
from lictor.testing.journal_suite import CASES, conform


def memory(path):
    disk = MemoryDisk()
    return lambda: MemoryJournal(disk), lambda journal: None


def sqlite(path, **options):
    # What a sync is worth is shown by tests/journal/sqlite/test_crash.py; here it would only cost time.
    return lambda: SqliteJournal(path / "journal.db", durability="journal", **options), SqliteJournal.abandon


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
@pytest.mark.parametrize("reopens", [False, True], ids=["running", "restarting"])
@pytest.mark.parametrize("store", [memory, sqlite], ids=lambda store: store.__name__)
def test_conforms(store, case, reopens, tmp_path):
    make, kill = store(tmp_path)
    asyncio.run(conform(case, make, kill, reopens=reopens))


@pytest.mark.parametrize("case", keys.CASES, ids=lambda case: case.__name__)
@pytest.mark.parametrize("reopens", [False, True], ids=["running", "restarting"])
def test_keys_conform_when_they_leave_memory_after_a_few(case, reopens, tmp_path):
    make, kill = sqlite(tmp_path, make_keys=lambda db: StoredKeys(db, segment_keys=4, shelf_segments=2))
    asyncio.run(conform(case, make, kill, reopens=reopens))


@pytest.mark.parametrize("store", [memory, sqlite], ids=lambda store: store.__name__)
def test_parking_what_more_is_known_of_than_its_admission_is_found(store, tmp_path, monkeypatch):
    monkeypatch.setattr(batch, "may_park", lambda _found: True)
    make, kill = store(tmp_path)
    with pytest.raises(AssertionError):
        asyncio.run(conform(parking.only_what_follows_from_its_admission_is_parked, make, kill, reopens=False))
