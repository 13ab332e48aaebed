"""Is the stored tree that of history, and does it say what was signed of it (I14)? A part of `verify`, fact by fact."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import apsw

from lictor.audit import merkle
from lictor.audit.checkpoint import Trust
from lictor.audit.entry import stamp
from lictor.audit.note import PublicKey
from lictor.audit.tree import Kept
from lictor.errors import MalformedError

from .ledger import Note
from .queries import QUERIES
from .tree import FAN, StoredTree


class TreeCheck:
    """Grows a tree of its own over the leaves and holds the stored one, and each checkpoint, against it."""

    def __init__(self, db: apsw.Connection, note: Note, keys: Sequence[PublicKey]) -> None:
        self._db = db
        self._note = note
        self._tree = merkle.Frontier()
        self._span = merkle.Frontier()
        self._spans: list[bytes] = []
        self._signed = self._read()
        self._waiting = iter([*sorted(self._signed, key=lambda kept: kept.signed.checkpoint.size), None])
        self._next = next(self._waiting)
        self._told = False
        self._reach()
        trust = Trust(keys, [kept.signed for kept in self._signed])
        for kept in self._signed if keys else ():
            if not trust.accepts(kept.signed):
                note("I14", f"checkpoint {kept.number} is not signed by a key that was given")

    def _read(self) -> list[Kept]:
        try:
            return list(StoredTree(self._db).all_checkpoints())
        except MalformedError as error:
            self._note("I14", f"a checkpoint cannot be read: {error.message}")
            return []

    def commit(self, number: int, at_us: int, leaves: bytes) -> None:
        """The leaves of the next commit."""
        before = stamp(number, at_us)
        for at in range(0, len(leaves) - 31, 32):
            entry = before + leaves[at : at + 32]
            self._tree.add(entry)
            self._span.add(entry)
            if self._span.size == FAN:
                self._spans.append(self._span.root())
                self._span = merkle.Frontier()
            self._reach()

    def _reach(self) -> None:
        """Compare the checkpoints of this size."""
        while self._next is not None and self._next.signed.checkpoint.size == self._tree.size:
            self._compare(self._next)
            self._next = next(self._waiting)

    def _compare(self, kept: Kept) -> None:
        if kept.signed.checkpoint.root != self._tree.root() and not self._told:
            self._told = True  # what follows from it differs as well
            size = kept.signed.checkpoint.size
            self._note("I14", f"the first {size} facts are not those that checkpoint {kept.number} was signed over")

    def end(self) -> None:
        """There are no more."""
        size = self._tree.size
        for kept in self._signed:
            if kept.signed.checkpoint.size > size:
                told = f"checkpoint {kept.number} covers {kept.signed.checkpoint.size} facts, here are {size}"
                self._note("I14", f"history was cut: {told}")
                break
        level, spans = 1, self._spans
        while stored := self._stored(level):
            if stored != spans[: len(stored)]:
                self._note("I14", f"the tree is not that of history, at level {level}")
            whole = range(0, len(spans) - FAN + 1, FAN)
            level, spans = level + 1, [merkle.whole(spans[at : at + FAN]) for at in whole]

    def _stored(self, level: int) -> list[bytes]:
        found: Iterable[tuple[bytes]] = self._db.execute(QUERIES["spans"], (level, 0, (1 << 63) - 1))
        return [hash_ for (hash_,) in found]
