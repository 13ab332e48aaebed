"""The SQLite file that the bare arms write: a history that only grows, and a current state with a unique 16-byte key.

WAL and `synchronous=FULL`, checked when it is opened. Two rows a decision once, four over its life: history and state
at admission, history and state at its outcome. Tuned as far as a bare file allows: rows in the order of their ids, so
that only the key's index is touched at random (a table ordered by a random key is half as fast), a cache that holds
it, a checkpoint every 16 MB, and a log that has that length from the start.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import apsw

from benchmarks.speed.run import Keys

DONE = 2
CHECKPOINT_PAGES = 4_000

History = tuple[bytes]
State = tuple[int, bytes, bytes]
Settled = tuple[bytes, int]


class Tables:
    """One connection; every method is a plain blocking call."""

    def __init__(self, path: Path) -> None:
        self._connection = apsw.Connection(str(path))
        mode = self._connection.pragma("journal_mode", "wal")
        self._connection.pragma("synchronous", "full")
        synchronous = self._connection.pragma("synchronous")
        if (mode, synchronous) != ("wal", 2):
            raise RuntimeError(f"wanted WAL and FULL, got {mode} and {synchronous}")
        self._connection.pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        self._connection.pragma("cache_size", -65_536)
        self._connection.execute("create table if not exists history (seq integer primary key, body blob not null)")
        self._connection.execute(
            "create table if not exists state"
            " (id integer primary key, key blob not null unique, status integer not null, body blob not null)"
        )
        self._grow_log()
        self._cursor = self._connection.cursor()

    def _grow_log(self) -> None:
        """Make the log as long as it will ever be: recording growth makes a sync half as dear again."""
        self._connection.execute("create table filler (body blob)")
        self._connection.execute("insert into filler values (zeroblob(?))", (CHECKPOINT_PAGES * 4_096,))
        self._connection.execute("drop table filler")
        self._connection.execute("pragma wal_checkpoint(restart)").fetchall()

    def write(self, history: Sequence[History], state: Sequence[State], settled: Sequence[Settled]) -> None:
        """Begin a transaction and put these rows into it: new history, new states, and states that are done."""
        self._cursor.execute("begin immediate")
        self._cursor.executemany("insert into history (body) values (?)", history)
        if state:
            self._cursor.executemany("insert into state (id, key, status, body) values (?, ?, 1, ?)", state)
        if settled:
            self._cursor.executemany("update state set status = 2, body = ? where id = ?", settled)

    def commit(self) -> None:
        """Make them durable."""
        self._cursor.execute("commit")

    def close(self) -> None:
        self._connection.close()


def count_rows(path: Path, status: int) -> int:
    """States of this status, read through a connection of its own."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    counted = int(connection.execute("select count(*) from state where status = ?", (status,)).get)
    connection.close()
    return counted


def key_maker(keys: Keys, seed: int) -> Callable[[int], bytes]:
    """Decision number to 16-byte key: random ones as a caller's UUIDs are, or ordered ones as an engine could make."""
    draw = random.Random(seed)
    if keys == "ordered":
        return lambda number: number.to_bytes(16, "big")
    return lambda _number: draw.randbytes(16)
