"""Online backups of a journal, and restoring one. A backup is a journal file; a restored one doubts all that was open.

Both are written beside their target, synced, and renamed into place whole.
"""

from __future__ import annotations

import os
from pathlib import Path

import apsw

from lictor.errors import JournalError

from .file import APPLICATION_ID
from .queries import QUERIES

#: Pages copied at a time, so that no batch waits long.
STEP_PAGES = 256


class Backup:
    """One copy under way; `step` until it is done, then `finish`. Batches written meanwhile are in it."""

    def __init__(self, source: apsw.Connection, path: Path) -> None:
        if path.exists():
            raise JournalError(f"{path} is already there")
        self._path = path
        self._part = Path(f"{path}.part")
        self._part.unlink(missing_ok=True)
        self._target = apsw.Connection(str(self._part))
        self._copy = self._target.backup("main", source, "main")
        self.done = False

    def step(self) -> None:
        """Copy some pages."""
        self._copy.step(STEP_PAGES)
        self.done = bool(self._copy.done)

    def finish(self, doubt: str | None = None) -> None:
        """Sync the copy and give it its name; with `doubt`, its next node will doubt all that is open."""
        self._copy.finish()
        if doubt is not None:
            self._target.execute(QUERIES["set_meta"], ("doubt", doubt))
        self._target.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        self._target.close()
        with self._part.open("rb+") as file:
            os.fsync(file.fileno())
        self._part.rename(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def restore(backup: str | Path, path: str | Path) -> None:
    """Make a journal at `path` from a backup: under a new epoch once it is opened, and with all that was open in doubt.

    What happened after the backup was taken is not in it: the world may have seen more than this journal knows.

    Raises:
        JournalError: the backup is no journal, or there is already something at `path`.
    """
    try:
        source = apsw.Connection(str(backup), flags=apsw.SQLITE_OPEN_READWRITE)
    except apsw.Error as error:
        raise JournalError(f"there is no backup at {backup}: {error}") from error
    try:
        if source.pragma("application_id") != APPLICATION_ID:
            raise JournalError(f"{backup} is not a Lictor journal")
        copy = Backup(source, Path(path))
        while not copy.done:
            copy.step()
        copy.finish(doubt="restored")
    except apsw.NotADBError as error:
        raise JournalError(f"{backup} is not a Lictor journal") from error
    finally:
        source.close()
