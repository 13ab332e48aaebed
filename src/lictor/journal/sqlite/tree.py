"""The Merkle tree over all facts of a journal: grown behind the commits, read by whoever proves something.

Of the tree are stored the hashes of whole spans of 256, 256 * 256, ... facts, a hundredth and a half of what the leaves
take; all others are made from these and from at most 255 leaves. A journal that was written before there was a tree
grows one as any other does: what is behind, is only behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256

import apsw

from lictor.audit import merkle
from lictor.audit.checkpoint import SignedCheckpoint
from lictor.audit.entry import Fact, stamp
from lictor.audit.history import Content
from lictor.audit.tree import Kept
from lictor.errors import InvariantViolation
from lictor.journal import codec

from .packing import facts, payloads
from .queries import QUERIES

#: Facts of the smallest span that is stored, and how many spans make one of the next level.
FAN = 256
_FAN_BITS = 8
#: Smallest spans made in one step, so that nobody waits long.
STEP_SPANS = 8


class StoredTree:
    """The tree as it is stored; `db` is a connection that reads."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._recent: tuple[int, list[bytes]] = (-1, [])

    @property
    def size(self) -> int:
        """How many facts there are."""
        last = self._db.execute(QUERIES["last_commit"]).fetchone()
        return 0 if last is None else int(last[0] + last[3] - 1)

    @property
    def grown(self) -> int:
        """How many facts the stored spans are over."""
        return FAN * _count(self._db, 1)

    def spans(self, start: int, end: int) -> bytes:
        """The hash over the facts at [start, end), from 0."""
        size = end - start
        if size <= 0:
            return merkle.EMPTY
        is_whole = size & (size - 1) == 0 and start % size == 0
        if is_whole and size <= FAN:
            return merkle.whole(self._entries(start, end))
        if is_whole:
            level = (size.bit_length() - 1) // _FAN_BITS
            width = FAN**level
            found = list(self._db.execute(QUERIES["spans"], (level, start // width, end // width)))
            if len(found) == size // width:
                return merkle.whole([hash_ for (hash_,) in found])
        middle = start + merkle.split(size)
        return merkle.joined(self.spans(start, middle), self.spans(middle, end))

    def _entries(self, start: int, end: int) -> Sequence[bytes]:
        """Hashes of the entries at [start, end), which lie within one smallest span; the last one is remembered."""
        number, hashes = self._recent
        if number != start // FAN or len(hashes) < end - number * FAN:
            number = start // FAN
            first = number * FAN
            hashes = [merkle.entry_hash(entry) for entry in entries(self._db, first, min(first + FAN, self.size))]
            self._recent = (number, hashes)
        if len(hashes) < end - number * FAN:
            raise InvariantViolation("I14", f"there are no leaves of the facts up to {end}")
        return hashes[start - number * FAN : end - number * FAN]

    def newest(self) -> Kept | None:
        """The last checkpoint that was signed."""
        return self._one("newest_checkpoint", ())

    def over(self, size: int) -> Kept | None:
        """The first checkpoint that covers so many facts."""
        return self._one("checkpoint_over", (size,))

    def checkpoints(self, before: int, limit: int) -> list[Kept]:
        """Checkpoints below a number, newest first."""
        return [_kept(*row) for row in self._db.execute(QUERIES["checkpoints_before"], (before, limit))]

    def handed_over(self) -> list[Kept]:
        """Those at which one key handed over to another, oldest first."""
        return [_kept(*row) for row in self._db.execute(QUERIES["handed_over"])]

    def all_checkpoints(self) -> Iterator[Kept]:
        """All of them, oldest first."""
        return (_kept(*row) for row in self._db.execute(QUERIES["all_checkpoints"]))

    def _one(self, query: str, asked: tuple[int, ...]) -> Kept | None:
        row = self._db.execute(QUERIES[query], asked).fetchone()
        return None if row is None else _kept(*row)

    def facts(self, first: int, last: int, content: Content) -> Iterator[Fact]:
        """The facts at positions `first` to `last` (from 1), as much of each as is asked for and still there."""
        start = first
        while start <= last:  # a query a commit: nothing that was begun keeps the file from being written
            row = self._db.execute(f"{QUERIES['facts_between']} LIMIT 1", (start, last + 1)).fetchone()
            if row is None:
                return
            first_seq, commit, at_us, count, leaves, packed, kept = row
            told = facts(packed) if content != "leaves" else []
            content_of = payloads(kept, count) if told else []
            for ordinal in range(max(0, start - first_seq), min(count, last + 1 - first_seq)):
                leaf = leaves[32 * ordinal : 32 * ordinal + 32]
                shown = _shown(told[ordinal], content_of[ordinal], content) if told else {}
                yield Fact(first_seq + ordinal, commit, at_us, leaf, **shown)  # type: ignore[arg-type]
            start = first_seq + count


def _shown(fact: tuple[str, int | None, bytes], payload: list[bytes] | None, content: Content) -> dict[str, object]:
    """What an export shows of a fact."""
    event, _, body = fact
    if not body:
        return {}
    shown: dict[str, object] = {"event": event, "body": body}
    if payload is None:
        return shown
    if len(payload) == 1:  # erased
        return {**shown, "digest": payload[0]}
    if content == "payloads":
        return {**shown, "salt": payload[0], "payload": payload[1]}
    return {**shown, "digest": codec.payload_digest(payload[0], payload[1])}


def _kept(number: int, at_us: int, note: str) -> Kept:
    return Kept(number, at_us, SignedCheckpoint.read(note))


def _count(db: apsw.Connection, level: int) -> int:
    """How many spans of a level are stored."""
    last = db.execute(QUERIES["last_span"], (level,)).get
    return 0 if last is None else int(last) + 1


def entries(db: apsw.Connection, start: int, end: int) -> Iterator[bytes]:
    """What the tree is over: the entries at [start, end), from 0."""
    for first_seq, commit, at_us, count, leaves, _ in db.execute(QUERIES["leaves_between"], (start + 1, end + 1)):
        before = stamp(commit, at_us)
        for ordinal in range(max(0, start + 1 - first_seq), min(count, end + 1 - first_seq)):
            yield before + leaves[32 * ordinal : 32 * ordinal + 32]


def grow(db: apsw.Connection, size: int) -> int:
    """Store the next few spans of a tree of `size` facts, within a transaction; how many facts are still to do.

    Raises:
        InvariantViolation: what was committed is not as it was (I14); nothing was stored.
    """
    done = _count(db, 1)
    ready = min(size // FAN, done + STEP_SPANS)
    if ready <= done:
        return 0
    _chain_holds(db, done * FAN, ready * FAN)
    hashes = [merkle.entry_hash(entry) for entry in entries(db, done * FAN, ready * FAN)]
    if len(hashes) != (ready - done) * FAN:
        raise InvariantViolation("I14", f"facts are missing between {done * FAN} and {ready * FAN}")
    for number in range(done, ready):
        span = merkle.whole(hashes[(number - done) * FAN : (number - done + 1) * FAN])
        _add(db, 1, number, span)
    return size - ready * FAN


def _add(db: apsw.Connection, level: int, number: int, span: bytes) -> None:
    """Store a span, and the one of the next level that it completes."""
    db.execute(QUERIES["add_span"], (level, number, span))
    if (number + 1) % FAN == 0:
        inner = [hash_ for (hash_,) in db.execute(QUERIES["spans"], (level, number + 1 - FAN, number + 1))]
        _add(db, level + 1, number // FAN, merkle.whole(inner))


def _chain_holds(db: apsw.Connection, start: int, end: int) -> None:
    """What the tree takes in is what the commits were chained to, read anew from the file (I14)."""
    chain: bytes | None = None
    for first_seq, commit, _, _, leaves, linked in db.execute(QUERIES["leaves_between"], (start + 1, end + 1)):
        if chain is None:
            before = db.execute(QUERIES["chain_before"], (first_seq,)).get
            chain = codec.GENESIS if before is None else before
        chain = sha256(chain + leaves).digest()
        if chain != linked:
            raise InvariantViolation("I14", f"commit {commit} is not as it was written")
