"""Copies of a journal: an online backup, and a restore that lets nothing start until a person has looked.

Reads one file through SQLite's backup interface, also while a node writes to it; writes the other under a name of its
own and renames it when it is complete and on the disk.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import apsw

from lictor.errors import JournalDamagedError, JournalError
from lictor.journal.port import SetHalt
from lictor.journal.sqlite.file import APPLICATION_ID
from lictor.journal.sqlite.journal import SqliteJournal
from lictor.journal.sqlite.queries import QUERIES
from lictor.records import Halt
from lictor.runtime.clock import SystemClock

from .closed import check
from .output import coded, moment

#: Pages copied at a time.
STEP_PAGES = 2_000
#: How many epochs a restore passes over: the history that is lost may have used them, and fencing tokens only grow.
EPOCHS_PASSED = 10_000

#: Told after each step: pages done, pages in all.
Progress = Callable[[int, int], None]


def copy(source: Path, target: Path, progress: Progress = lambda _done, _all: None) -> int:
    """Copy a journal as of one moment; the bytes of the copy.

    Raises:
        NotFoundError: there is no journal.
        LictorError: the target exists.
        JournalDamagedError: the source cannot be read.
    """
    check(source)
    if target.exists():
        raise coded("EXISTS", f"{target} exists", "move it away first; nothing is overwritten")
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with (
            closing(apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READONLY)) as reading,
            closing(apsw.Connection(str(fresh))) as writing,
        ):
            reading.set_busy_timeout(5_000)
            if reading.pragma("application_id") != APPLICATION_ID:
                raise JournalError(f"{source} is not a Lictor journal")
            reading.execute("BEGIN")
            reading.execute(QUERIES["last_commit"]).fetchall()  # from here on, one moment
            with writing.backup("main", reading, "main") as run:
                while not run.done:
                    run.step(STEP_PAGES)
                    progress(run.page_count - run.remaining, run.page_count)
            writing.pragma("journal_mode", "delete")  # one file, whole in itself
        with fresh.open("rb") as file:
            os.fsync(file.fileno())
        fresh.rename(target)
        _sync_folder(target.parent)
    except apsw.NotADBError as error:
        raise JournalError(f"{source} is not a Lictor journal") from error
    except apsw.Error as error:
        raise JournalDamagedError(f"{source} cannot be copied: {error}", hint="lictor verify says more") from error
    finally:
        fresh.unlink(missing_ok=True)
    return target.stat().st_size


def restore(backup: Path, journal: Path, by: str, progress: Progress = lambda _done, _all: None) -> int:
    """Make a journal from a backup, in doubt and halted; how many decisions are open in it.

    What was done after the backup was taken is not in it: every open action may have been done since. The new epoch
    lies far above all that the lost history can have used.

    Raises:
        LictorError: the journal exists, or the backup cannot be read.
    """
    copy(backup, journal, progress)
    now_us = SystemClock().wall_us()
    taken = moment(int(backup.stat().st_mtime * 1e6))
    reason = f"restored from {backup.name}, written {taken} UTC"
    with closing(apsw.Connection(str(journal))) as db:
        db.pragma("synchronous", 2)
        db.execute("BEGIN IMMEDIATE")
        db.execute(QUERIES["set_meta"], ("epoch", db.execute(QUERIES["get_meta"], ("epoch",)).get + EPOCHS_PASSED))
        db.execute(QUERIES["set_meta"], ("doubt", reason))
        db.execute("COMMIT")
    return asyncio.run(_halt(journal, by, reason, now_us))


async def _halt(journal: Path, by: str, reason: str, now_us: int) -> int:
    opened = SqliteJournal(journal)
    state = await opened.open(now_us)
    try:
        why = f"{reason}; ask the world what was done since, then resume"
        await opened.write([SetHalt(Halt(scope="all", mode="halted", at_us=now_us, by=by, reason=why))], now_us)
        return len(state.open)
    finally:
        await opened.close()


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
