"""The index of keys: what leaves memory is found, what is unknown is not, what is too old is forgotten."""

import asyncio

import pytest
from tests.journal.sqlite.forging import read

from lictor.journal.sqlite import SqliteJournal
from lictor.journal.sqlite.keys import StoredKeys
from lictor.journal.sqlite.verify import verify
from lictor.testing.journal_stand import MINUTE_US, T0_US, decision, hold, refuse

DAY_US = 86_400_000_000


def opened(path, **options):
    def make(db):
        return StoredKeys(db, **{"segment_keys": 10, "shelf_segments": 3} | options)

    journal = SqliteJournal(path, durability="journal", make_keys=make)
    asyncio.run(journal.open(T0_US))
    return journal


def bind(journal, numbers, at_us=T0_US, per_batch=7):
    numbers = list(numbers)
    for first in range(0, len(numbers), per_batch):
        batch = [refuse(decision(n, key=f"k{n}"), "NO") for n in numbers[first : first + per_batch]]
        assert all(answer.ok for answer in asyncio.run(journal.write(batch, at_us)))


def found(journal, numbers):
    return [n for n in numbers if asyncio.run(journal.find("acme", "agent", f"k{n}")) == [n]]


@pytest.mark.parametrize("crashes", [False, True], ids=["closed", "crashed"])
def test_every_key_is_found_wherever_it_is(quick_path, crashes):
    path = quick_path / "journal.db"
    for part in range(6):
        journal = opened(path)
        bind(journal, range(part * 100, part * 100 + 100))
        assert found(journal, range(700)) == list(range(part * 100 + 100))
        if crashes:
            journal.abandon()
        else:
            asyncio.run(journal.close())
    assert read(path, "SELECT count(*) FROM keys") > 400
    assert read(path, "SELECT max(id) FROM key_shelves") > 4
    assert verify(path).findings == ()


def test_a_run_that_was_cut_off_is_done_again(quick_path, monkeypatch):
    """Its slices in the file are of no use until the last is there; then nothing is there twice."""
    monkeypatch.setattr("lictor.journal.sqlite.keys.SLICE_KEYS", 2)
    path = quick_path / "journal.db"
    journal = opened(path)
    bind(journal, range(10), per_batch=1)
    bind(journal, range(10, 12), per_batch=1)
    journal.abandon()
    assert read(path, "SELECT count(*) FROM keys") > 0
    assert read(path, "SELECT count(*) FROM key_segments") == 0
    journal = opened(path)
    assert found(journal, range(20)) == list(range(12))
    bind(journal, range(12, 60), per_batch=1)
    assert found(journal, range(70)) == list(range(60))
    asyncio.run(journal.close())
    assert verify(path).findings == ()


def test_old_keys_are_forgotten_but_not_those_of_open_decisions(quick_path):
    path = quick_path / "journal.db"
    journal = opened(path, keep_us=DAY_US)
    bind(journal, range(100))
    asyncio.run(journal.write([hold(decision(500, key="held", deadline_us=T0_US + 90 * DAY_US))], T0_US))
    bind(journal, range(100, 200))
    later_us = T0_US + 2 * DAY_US
    bind(journal, range(600, 700), later_us)
    bind(journal, range(700, 800), later_us + MINUTE_US)
    assert 0 not in found(journal, range(1))
    assert asyncio.run(journal.find("acme", "agent", "held")) == [500]
    assert found(journal, range(600, 800)) == list(range(600, 800))
    assert read(path, "SELECT min(segment) FROM keys") > 1
    asyncio.run(journal.close())
    journal = opened(path, keep_us=DAY_US)
    assert asyncio.run(journal.find("acme", "agent", "held")) == [500]
    assert found(journal, range(600, 800)) == list(range(600, 800))
    asyncio.run(journal.close())


def test_other_sizes_than_before_are_fine(quick_path):
    path = quick_path / "journal.db"
    journal = opened(path)
    bind(journal, range(200))
    asyncio.run(journal.close())
    journal = opened(path, segment_keys=16, shelf_segments=5)
    bind(journal, range(200, 400))
    assert found(journal, range(500)) == list(range(400))
    asyncio.run(journal.close())
    journal = opened(path)
    assert found(journal, range(500)) == list(range(400))
    asyncio.run(journal.close())
