"""Copies of a journal: a backup of one moment, and a restore that lets nothing start until a person has looked.

Reads one file, also while a node writes to it; writes the other, which appears when it is complete and on the disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import apsw

from lictor.errors import JournalDamagedError, JournalError
from lictor.journal.port import SetHalt
from lictor.journal.sqlite.backup import Backup
from lictor.journal.sqlite.backup import restore as copy_in_doubt
from lictor.journal.sqlite.file import APPLICATION_ID
from lictor.journal.sqlite.journal import SqliteJournal
from lictor.journal.sqlite.queries import QUERIES
from lictor.records import Halt
from lictor.runtime.clock import SystemClock

from .closed import check
from .output import coded, moment

#: How many epochs a restore passes over: the history that is lost may have used them, and fencing tokens only grow.
EPOCHS_PASSED = 10_000


def back_up(source: Path, target: Path, stepped: Callable[[], None]) -> int:
    """Copy a journal as of now; the bytes of the copy. `stepped` is called after each step.

    Raises:
        NotFoundError: there is no journal.
        LictorError: the target exists.
        JournalDamagedError: the source cannot be read.
    """
    check(source)
    _vacant(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with closing(apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READONLY)) as reading:
            reading.set_busy_timeout(5_000)
            if reading.pragma("application_id") != APPLICATION_ID:
                raise JournalError(f"{source} is not a Lictor journal")
            # One moment, held by a transaction: else each batch of a live node would make the copy begin anew.
            reading.execute("BEGIN")
            reading.execute(QUERIES["last_commit"]).fetchall()
            copy = Backup(reading, target)
            while not copy.done:
                copy.step()
                stepped()
            copy.finish()
    except apsw.NotADBError as error:
        raise JournalError(f"{source} is not a Lictor journal") from error
    except apsw.Error as error:
        raise JournalDamagedError(f"{source} cannot be copied: {error}", hint="lictor verify says more") from error
    return target.stat().st_size


def restore(backup: Path, journal: Path, by: str) -> int:
    """Make a journal from a backup, in doubt and halted; how many decisions are open in it.

    What was done after the backup was taken is not in it: every open action may have been done since. The new epoch
    lies far above all that the lost history can have used.

    Raises:
        NotFoundError: there is no backup.
        LictorError: the journal exists, or the backup cannot be read.
    """
    check(backup)
    _vacant(journal)
    copy_in_doubt(backup, journal)
    now_us = SystemClock().wall_us()
    reason = f"restored from {backup.name}, written {moment(int(backup.stat().st_mtime * 1e6))} UTC"
    with closing(apsw.Connection(str(journal))) as db:
        db.pragma("synchronous", 2)
        epoch = db.execute(QUERIES["get_meta"], ("epoch",)).get
        db.execute(QUERIES["set_meta"], ("epoch", epoch + EPOCHS_PASSED))
    return asyncio.run(_halt(journal, by, reason, now_us))


async def _halt(journal: Path, by: str, reason: str, now_us: int) -> int:
    opened = SqliteJournal(journal)
    state = await opened.open(now_us)
    try:
        why = f"{reason}; ask the world what was done since, then resume"
        await opened.write([SetHalt(Halt(scope="all", mode="halted", at_us=now_us, by=by, reason=why))], now_us)
        return state.open_count
    finally:
        await opened.close()


def _vacant(path: Path) -> None:
    if path.exists():
        raise coded("EXISTS", f"{path} exists", "move it away first; nothing is overwritten")
