"""The file: its lock, its connections, its settings, its migrations, its checkpoints. Knows nothing of decisions.

Writes `<path>`, SQLite's `-wal` and `-shm` beside it, and `<path>.lock`, which the operating system releases however
the process ends.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import IO

import apsw

from lictor.errors import JournalDamagedError, JournalError, JournalIOError, JournalLockedError

from .queries import QUERIES, migrations

#: "LICT": tells a journal from any other SQLite file.
APPLICATION_ID = 0x4C494354
_SYNCHRONOUS = {"sync": 2, "journal": 1}
BUSY_MS = 5_000
#: So long the write-ahead log is from the start, about what lies between two quiet checkpoints: a sync that has to
#: record the growth of a file takes half as long again.
LOG_BYTES = 1_000 * (4_096 + 24)
#: What a write-ahead log that holds anything begins with.
_LOG_MAGIC = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
PAGE_CACHE_KIB = 65_536

_OPEN = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE


class JournalFile:
    """A SQLite file that this process owns.

    `durability` is `sync` (an acknowledged commit survives power loss) or `journal` (it survives a crash of the
    process).
    """

    def __init__(self, path: str | Path, durability: str, vfs: str | None = None) -> None:
        if durability not in _SYNCHRONOUS:
            raise JournalError(f"durability {durability!r} is not one that SQLite gives", hint="sync or journal")
        self.path = Path(path)
        self.durability = durability
        self.wal_pages = 0
        self._vfs = vfs
        self._lock: IO[str] | None = None
        self._connections: list[apsw.Connection] = []

    def open(self) -> apsw.Connection:
        """Lock, check and migrate; the connection that writes.

        Raises:
            JournalLockedError: another process, or another part of this one, has it open.
            JournalDamagedError: the file or a part of it is missing, or it is from a newer engine.
            JournalError: it is not a journal, or the settings that durability rests on do not hold.
        """
        self._take_lock()
        try:
            self._check_files()
            self._grow_log()
            db = self._connect()
            self._configure(db)
            self._migrate(db)
        except apsw.Error as error:
            self.abandon()
            raise JournalIOError(f"{self.path} cannot be opened: {error}") from error
        except BaseException:
            self.abandon()
            raise
        return db

    def reader(self) -> apsw.Connection:
        """A second connection, which only reads and never waits for the first."""
        db = self._connect()
        db.pragma("query_only", True)  # noqa: FBT003 - the value of a setting
        return db

    def checkpoint(self, db: apsw.Connection) -> None:
        """Move what the write-ahead log holds into the file, as far as readers allow."""
        db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        self.wal_pages = 0

    def close(self) -> None:
        """Close the connections, which empties the write-ahead log, and release the lock."""
        try:
            for db in self._connections:
                db.close()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Release the lock and change the file no more: after a failure of the disk, and to simulate a crash."""
        for db in self._connections:
            with suppress(apsw.Error):
                db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
                db.close(True)  # noqa: FBT003 - whatever still runs on it
        self._connections = []
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _take_lock(self) -> None:
        try:
            self._lock = Path(f"{self.path}.lock").open("a")  # noqa: SIM115 - held until the journal is closed
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.abandon()
            raise JournalLockedError(
                f"{self.path} is open in another node", hint="stop it, or use its socket"
            ) from error
        except OSError as error:
            raise JournalError(f"{self.path} cannot be opened: {error}") from error

    def _check_files(self) -> None:
        """A write-ahead log without its file would be thrown away by SQLite, and with it what was acknowledged."""
        wal = Path(f"{self.path}-wal")
        if not self._size(self.path) and self._size(wal) and self._begins(wal) in _LOG_MAGIC:
            raise JournalDamagedError(f"{self.path} is missing, but its write-ahead log is there")

    def _grow_log(self) -> None:
        """Make the log as long as it will be while there are quiet moments; SQLite passes over one without a header."""
        wal = Path(f"{self.path}-wal")
        if self._vfs is not None or (self._size(wal) and self._begins(wal) in _LOG_MAGIC):
            return  # another file system, or what a crash has left
        if not self._size(self.path):  # SQLite removes a log that is there before its file
            db = self._connect()
            db.pragma("journal_mode", "wal")
            self._connections.remove(db)
            db.close()
        try:
            descriptor = os.open(wal, os.O_WRONLY | os.O_CREAT, self.path.stat().st_mode & 0o777)
        except OSError as error:
            raise JournalError(f"{wal} cannot be written: {error}") from error
        with os.fdopen(descriptor, "wb") as log:
            log.write(bytes(LOG_BYTES))
            log.flush()
            os.fsync(log.fileno())

    @staticmethod
    def _begins(path: Path) -> bytes:
        with path.open("rb") as file:
            return file.read(4)

    @staticmethod
    def _size(path: Path) -> int:
        return path.stat().st_size if path.exists() else 0

    def _connect(self) -> apsw.Connection:
        db = apsw.Connection(str(self.path), flags=_OPEN, vfs=self._vfs)
        self._connections.append(db)
        db.set_busy_timeout(BUSY_MS)
        db.pragma("cell_size_check", True)  # noqa: FBT003 - the value of a setting
        db.pragma("trusted_schema", False)  # noqa: FBT003 - the value of a setting
        db.pragma("cache_size", -PAGE_CACHE_KIB)
        db.pragma("mmap_size", 0)
        return db

    def _configure(self, db: apsw.Connection) -> None:
        if db.execute(QUERIES["tables"]).get and db.pragma("application_id") != APPLICATION_ID:
            raise JournalError(f"{self.path} is not a Lictor journal")
        mode = db.pragma("journal_mode", "wal")
        level = _SYNCHRONOUS[self.durability]
        db.pragma("synchronous", level)
        db.pragma("fullfsync", True)  # noqa: FBT003 - the value of a setting; macOS alone looks at it
        db.pragma("checkpoint_fullfsync", True)  # noqa: FBT003 - likewise
        if mode != "wal" or db.pragma("synchronous") != level:
            has = f"journal_mode={mode}, synchronous={db.pragma('synchronous')}"
            raise JournalError(
                f"{self.path} runs with {has}, which does not give durability={self.durability}",
                hint="network file systems cannot hold a journal",
            )
        db.wal_autocheckpoint(0)
        db.set_wal_hook(self._wal_grew)

    def _wal_grew(self, _db: apsw.Connection, _name: str, pages: int) -> int:
        self.wal_pages = pages
        return apsw.SQLITE_OK

    def _migrate(self, db: apsw.Connection) -> None:
        scripts = migrations()
        version = db.pragma("user_version")
        if version > len(scripts):
            raise JournalDamagedError(f"{self.path} was written by a newer engine (version {version})")
        for number, script in enumerate(scripts[version:], version + 1):
            db.execute("BEGIN IMMEDIATE")
            for _ in db.execute(script):  # apsw stops at the first statement that returns a row until it is fetched
                pass
            db.pragma("application_id", APPLICATION_ID)
            db.pragma("user_version", number)
            db.execute("COMMIT")
