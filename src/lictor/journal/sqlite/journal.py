"""The journal in one SQLite file: one owner, one writer, one fsync a batch.

`write` decides in memory, writes the accepted facts in one transaction and answers after it. Any failure of the disk,
and any broken promise, ends the journal: it refuses every further write, and the node must stop and open it anew
(crash-only; an fsync is never retried).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path
from shutil import disk_usage
from typing import Any, TypeVar

import apsw

from lictor.audit.checkpoint import SignedCheckpoint
from lictor.audit.tree import Tree
from lictor.errors import JournalError, JournalIOError, LictorError
from lictor.journal import port
from lictor.journal.batch import take
from lictor.journal.in_force import in_force
from lictor.journal.listing import kept, open_rows
from lictor.journal.open import Open
from lictor.journal.state import KeysInMemory, State
from lictor.records import Quarantined
from lictor.runtime.offload import InlineLane, Lane
from lictor.runtime.randomness import Randomness

from .backup import Backup
from .file import JournalFile
from .keys import StoredKeys
from .parking import StoredParking
from .queries import QUERIES
from .reader import Reader
from .recovery import recover
from .retention import Retained, Retention, erase
from .tree import StoredTree, grow
from .volumes import VOLUME_DECISIONS, Binder
from .writer import Writer

T = TypeVar("T")

#: The write-ahead log is emptied when a quiet moment finds this many pages in it, and at the latest at the other.
CHECKPOINT_PAGES = 1_000
CHECKPOINT_PAGES_MAX = 8_000


class SqliteJournal:
    """A journal in a file.

    Args:
        path: the file; made when it is not there.
        durability: `sync` survives power loss, `journal` a crash of the process.
        lane: where transactions run; inline when None. State is decided on the caller's side either way.
        randomness: where salts come from.
        checkpoint_pages: when a quiet moment, and when any moment, empties the write-ahead log.
        vfs: a SQLite VFS, for tests that fail the disk.
        make_keys: how the index of keys is set up, for tests that need small segments.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        durability: str = "sync",
        lane: Lane | None = None,
        randomness: Randomness | None = None,
        checkpoint_pages: tuple[int, int] = (CHECKPOINT_PAGES, CHECKPOINT_PAGES_MAX),
        vfs: str | None = None,
        make_keys: Callable[[apsw.Connection], StoredKeys] = StoredKeys,
    ) -> None:
        self.durability = durability
        self.state = State(KeysInMemory())
        self._file = JournalFile(path, durability, vfs)
        self._lane: Lane = lane or InlineLane()
        self._salts = (randomness or Randomness()).bytes
        self._checkpoint_pages = checkpoint_pages
        self._make_keys = make_keys
        self._stopped: LictorError | None = JournalError("the journal is not open")
        self._db: apsw.Connection
        self._writer: Writer
        self._reader: Reader
        self._parking: StoredParking
        self._binder: Binder
        self.tree: Tree | None = None

    async def open(self, at_us: int) -> State:
        await self._lane.run(partial(self._open))
        await self.write([port.Epoch(self._writer.epoch, max(at_us, self.state.at_us), self.state.doubt)], at_us)
        return self.state

    def _open(self) -> None:
        db = self._file.open()
        try:
            reading = self._file.reader()
            epoch = db.execute(QUERIES["get_meta"], ("epoch",)).get + 1
            self.state = recover(db)
            keys = self.state.keys = self._make_keys(reading)
            self._db, self._reader = db, Reader(reading)
            self.tree, self._binder = StoredTree(reading), Binder(db)
            parking = self.state.parking = self._parking = StoredParking(reading)
            self._writer = Writer(db, self.state, keys, parking, self._salts, epoch)
            db.execute("BEGIN IMMEDIATE")
            db.execute(QUERIES["set_meta"], ("epoch", epoch))
            db.execute("COMMIT")
        except apsw.Error as error:
            self._file.abandon()
            raise JournalIOError(f"the journal could not be read: {error}") from error
        except BaseException:
            self._file.abandon()
            raise
        self._stopped = None

    async def write(self, verbs: Sequence[port.Verb], at_us: int) -> list[port.Answer]:
        if self._stopped is not None:
            raise self._stopped
        at_us = max(at_us, self.state.at_us)
        try:
            batch = take(self.state, verbs, at_us, self._writer.next_seq)
            if batch.facts:
                rows = self._writer.prepare(batch)
                await self._lane.run(partial(self._writer.commit, rows))
                if rows.parked or rows.left:
                    self._parked(batch.parked, rows.left)
                if self._file.wal_pages >= self._checkpoint_pages[1]:
                    await self._lane.run(self._checkpoint)
        except Exception as error:  # state and file may differ now: nothing more is written
            self._stopped = (
                error if isinstance(error, LictorError) else JournalError(f"an earlier batch failed: {error}")
            )
            self._file.abandon()
            raise
        for answer in batch.unanswered:
            self._original(answer)
        return batch.answers

    def _parked(self, parked: list[Open], left: list[int]) -> None:
        """What was parked is durable so: its record can be dropped."""
        for found in parked:
            del self.state.open[found.decision.id]
        self._parking.committed(len(parked), left)

    async def rest(self) -> None:
        """Nothing waits to be written: do the housekeeping that would hold a batch up."""
        if self._stopped is None and self._file.wal_pages >= self._checkpoint_pages[0]:
            await self._lane.run(self._checkpoint)

    async def tend(self) -> int:
        return 0 if self._stopped is not None else await self._behind(self._grow)

    async def keep(self, signed: SignedCheckpoint, at_us: int) -> None:
        row = (signed.checkpoint.size, at_us, signed.write())
        await self._behind(partial(self._stored, "add_checkpoint", row))

    def _grow(self) -> int:
        """A step of the tree, and a step of the next volume of the lists."""
        size = self.tree.size if self.tree is not None else 0
        self._db.execute("BEGIN IMMEDIATE")
        left = grow(self._db, size)
        listing = self._binder.step()
        self._db.execute("COMMIT")
        return left + (VOLUME_DECISIONS if listing else 0)

    def _stored(self, query: str, row: tuple[Any, ...]) -> None:
        self._db.execute(QUERIES[query], row)

    async def _behind(self, step: Callable[[], T]) -> T:
        """A transaction beside those of the batches; any failure ends the journal as theirs do."""
        if self._stopped is not None:
            raise self._stopped
        try:
            return await self._lane.run(step)
        except apsw.Error as error:
            self._stopped = JournalIOError(f"what is built behind the journal could not be written: {error}")
            self._file.abandon()
            raise self._stopped from error
        except LictorError as error:
            self._stopped = error
            self._file.abandon()
            raise

    def _checkpoint(self) -> None:
        try:
            self._file.checkpoint(self._db)
        except apsw.Error as error:
            raise JournalIOError(f"the write-ahead log could not be emptied: {error}") from error

    @property
    def path(self) -> Path:
        """The file."""
        return self._file.path

    def free_bytes(self) -> int | None:
        return disk_usage(self._file.path.parent).free

    async def close(self) -> None:
        if self._stopped is not None:
            return
        self._stopped = JournalError("the journal is closed")
        try:
            await self._lane.run(self._file.close)
        except apsw.Error as error:
            raise JournalIOError(f"the journal could not be closed: {error}") from error

    def abandon(self) -> None:
        """End as a crash would: nothing more is written, and the lock is free."""
        self._stopped = JournalError("the journal was abandoned")
        self._file.abandon()

    async def backup(self, path: str | Path) -> None:
        """Copy the journal while it works; batches go on between the steps.

        Raises:
            JournalError: there is already something at `path`.
        """
        copy = Backup(self._db, Path(path))
        while not copy.done:
            await self._lane.run(copy.step)
            await asyncio.sleep(0)
        await self._lane.run(copy.finish)

    async def retain(self, before_us: int, archive: str | Path) -> Retained:
        """Move history whose decisions ended before a time into an archive; batches go on between the steps.

        What keys may still be asked for stays, so that a duplicate can be told its answer.
        """
        keys: StoredKeys = self.state.keys  # type: ignore[assignment]
        before_us = min(before_us, self.state.at_us - keys.keep_us)
        run = Retention(self._db, Path(archive), before_us, partial(in_force, self.state))
        while not run.done:
            await self._lane.run(partial(run.step, self._is_open))
            self._reader.forget()
            await asyncio.sleep(0)
        return run.moved

    def _is_open(self, decision: int) -> bool:
        return self.state.find(decision) is not None

    async def erase(self, decision: int) -> int:
        """Erase what a closed decision was about, for good; the number of facts that lost their payload."""
        erased = await self._lane.run(partial(erase, self._db, decision))
        self._reader.forget()
        return erased

    def _original(self, answer: port.Answer) -> None:
        """The verdict and outcome in force of a decision that is closed."""
        if answer.decision is not None:
            admission, answer.outcome = self._reader.verdict_and_outcome(answer.decision)
            answer.verdict = admission.verdict if admission is not None else None

    async def find(self, tenant: str, source: str | None, key: str) -> list[int]:
        sources = self._reader.sources(tenant) if source is None else [source]
        found = (self.state.keys.get(tenant, name, key) for name in sources)
        return sorted((bound.decision for bound in found if bound is not None), reverse=True)

    async def history(self, decision: int) -> list[port.HistoryRow]:
        found = self.state.find(decision)
        return self._reader.history(decision, found.born if found is not None else None)

    async def decisions(self, wanted: port.Filter) -> list[port.DecisionRow]:
        rows = open_rows(self.state.open, wanted)
        if self._parking.count:
            rows += [row for row in self._reader.parked(wanted) if row.id not in self._parking.leaving]
        if not wanted.open_only:
            rows += self._reader.decisions(wanted)
        return sorted(rows, key=lambda row: -row.id)[: wanted.limit]

    async def outcomes(self, source: str | None, after: int, limit: int) -> list[port.OutcomeRow]:
        return self._reader.outcomes(source, after, limit)

    async def reference(self, name: str, version: str) -> bytes | None:
        return self._reader.reference(name, version)

    async def quarantined(self, source: str | None, limit: int) -> list[Quarantined]:
        return kept(self.state, source, limit)

    async def scan(self, after: int = 0) -> AsyncIterator[port.HistoryRow]:
        for row in self._reader.scan(after):
            yield row
