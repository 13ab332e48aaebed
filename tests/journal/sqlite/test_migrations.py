"""The schema that people read is what the migrations amount to; older journals open, newer ones are refused (I22)."""

import asyncio
import re

import apsw
import pytest
from tests.journal.sqlite.forging import read, run

from lictor.errors import JournalDamagedError
from lictor.journal.sqlite import SqliteJournal
from lictor.journal.sqlite import file as journal_file
from lictor.journal.sqlite.queries import QUERIES, migrations, schema
from lictor.journal.sqlite.verify import verify
from lictor.testing.journal_stand import T0_US, admit, cash, decision, limit


def described(*scripts):
    """Tables and indices as SQLite keeps them."""
    db = apsw.Connection(":memory:")
    for script in scripts:
        for _ in db.execute(script):
            pass
    return sorted(db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))


def test_the_schema_is_what_the_migrations_amount_to():
    assert described(schema()) == described(*migrations())


def test_each_query_fits_the_schema():
    db = apsw.Connection(":memory:")
    for script in migrations():
        for _ in db.execute(script):
            pass
    for name, query in QUERIES.items():
        db.execute(
            f"EXPLAIN {query}", dict.fromkeys(map(str, range(20)), 0) if ":" in query else (0,) * query_size(query)
        )
        assert name.islower()


def query_size(query):
    """How many parameters a query takes."""
    numbered = [int(number) for number in re.findall(r"\?(\d+)", query)]
    return max(numbered) if numbered else query.count("?")


@pytest.mark.parametrize("version", range(1, len(migrations()) + 1))
def test_a_journal_of_each_earlier_version_opens_with_its_contents(quick_path, version, monkeypatch):
    """Written when only the first migrations were there, through the tables that they made."""
    path = quick_path / "journal.db"
    old = migrations()[:version]
    monkeypatch.setattr(journal_file, "migrations", lambda: old)

    async def write_the_old_way():
        journal = journal_file.JournalFile(path, "journal")
        journal.open()
        journal.close()
        assert read(path, "PRAGMA user_version") == version

    async def go_on():
        journal = SqliteJournal(path, durability="journal")
        await journal.open(T0_US)
        await journal.write([limit(10), admit(decision(1, key="k"), cash(4))], T0_US)
        await journal.close()

    asyncio.run(write_the_old_way())
    monkeypatch.undo()
    asyncio.run(go_on())
    assert read(path, "PRAGMA user_version") == len(migrations())
    assert verify(path).findings == ()


def test_a_journal_of_a_newer_engine_is_refused(quick_path):
    path = quick_path / "journal.db"
    asyncio.run(opened_and_closed(path))
    run(path, f"PRAGMA user_version = {len(migrations()) + 1}")
    with pytest.raises(JournalDamagedError, match="newer engine"):
        asyncio.run(opened_and_closed(path))


async def opened_and_closed(path):
    journal = SqliteJournal(path, durability="journal")
    await journal.open(T0_US)
    await journal.close()


def test_births_of_open_decisions_keep_their_place_when_parked_gets_its_new_meaning():
    db = apsw.Connection(":memory:")
    *before, parking = migrations()[:4]
    for script in before:
        for _ in db.execute(script):
            pass
    db.execute("INSERT INTO parked (id, admit_seq) VALUES (7, 3), (9, 4)")
    db.execute("UPDATE meta SET value = 8193 WHERE name = 'parked_to'")
    for _ in db.execute(parking):
        pass
    assert list(db.execute(QUERIES["all_births"])) == [(7, 3), (9, 4)]
    assert db.execute(QUERIES["get_meta"], ("births_to",)).get == 8193
    assert db.execute(QUERIES["get_meta"], ("parked_to",)).fetchone() is None
    assert db.execute(QUERIES["count_parked"]).get == 0
