"""The index of keys: what was bound lately in memory, the rest in segments; a lookup costs the same at any size.

A commit's row carries the keys that it bound. When enough have gathered in memory they become a segment: sorted once,
and written in that order a slice with each later commit, so that the file only ever grows at its end. A lookup asks the
sieve of each shelf of segments, then those of its segments (one bit in 32 is set, so 3 % of strangers pass each), then
the file. Segments whose youngest key is older than `keep_us` are dropped, a slice with each commit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

import apsw

from lictor.errors import InvariantViolation
from lictor.journal.state import Bound

from .packing import bound_keys
from .queries import QUERIES

SEGMENT_KEYS = 32_768
SHELF_SEGMENTS = 64
#: A shelf's sieve is stored with every so many segments, so that opening has few keys to read.
SHELF_STORED_EACH = 8
SLICE_KEYS = 512
#: Of a sieve, for each key.
BITS = 32
#: Keys outlive the deadline and any approval.
KEEP_US = 7 * 86_400 * 1_000_000

Many = dict[str, list[tuple[Any, ...]]]


def key_digest(tenant: str, source: str, key: str) -> bytes:
    """What a key is found by: 16 bytes of SHA-256, scoped to tenant and source."""
    return sha256(f"{tenant}\0{source}\0{key}".encode()).digest()[:16]


class Segment:
    """The keys of one stretch of time, in the file; only their sieve is in memory."""

    __slots__ = ("id", "last_seq", "newest_us", "sieve")

    def __init__(self, number: int, last_seq: int, newest_us: int, sieve: bytearray) -> None:
        self.id = number
        self.last_seq = last_seq
        self.newest_us = newest_us
        self.sieve = sieve


class Shelf:
    """Segments in a row, named for the first, and a sieve for all of them, in which each key sets two bits."""

    __slots__ = ("id", "segments", "sieve")

    def __init__(self, number: int, sieve: bytearray) -> None:
        self.id = number
        self.segments: list[Segment] = []
        self.sieve = sieve


class StoredKeys:
    """The keys of a SQLite journal; `db` is a connection that reads."""

    def __init__(
        self,
        db: apsw.Connection,
        *,
        segment_keys: int = SEGMENT_KEYS,
        shelf_segments: int = SHELF_SEGMENTS,
        keep_us: int = KEEP_US,
    ) -> None:
        self.keep_us = keep_us
        self._db = db
        self._segment_keys = segment_keys
        self._shelf_segments = shelf_segments
        self._segment_bits = BITS * segment_keys
        self._shelf_bits = BITS * segment_keys * shelf_segments
        self._fresh: dict[bytes, Bound] = {}
        self._moving: dict[bytes, Bound] = {}
        self._run: list[bytes] = []
        self._segment: Segment | None = None
        self._bound: list[bytes] = []
        self._asked, self._asked_digest = ("", "", ""), b""
        self._dropping: deque[Segment] = deque()
        self._shelves: list[Shelf] = []
        self._next_id = 1
        self._load()

    def get(self, tenant: str, source: str, key: str) -> Bound | None:
        digest = key_digest(tenant, source, key)
        self._asked, self._asked_digest = (tenant, source, key), digest
        found = self._fresh.get(digest)
        if found is None and self._moving:
            found = self._moving.get(digest)
        if found is not None or not self._shelves:
            return found
        hashed = int.from_bytes(digest[:8])
        bit, other = hashed % self._shelf_bits, (hashed >> 32) % self._shelf_bits
        byte, mask = bit >> 3, 1 << (bit & 7)
        for shelf in self._shelves:  # written out: it runs once a shelf for every decision
            sieve = shelf.sieve
            if sieve[byte] & mask and sieve[other >> 3] >> (other & 7) & 1:
                row = self._on_shelf(shelf, digest, hashed)
                if row is not None:
                    return row
        return None

    def _on_shelf(self, shelf: Shelf, digest: bytes, hashed: int) -> Bound | None:
        for segment in shelf.segments:
            bit = hashed % (8 * len(segment.sieve))  # its size is that of when it was made
            if segment.sieve[bit >> 3] >> (bit & 7) & 1:
                row = self._db.execute(QUERIES["find_key"], (segment.id, digest)).fetchone()
                if row is not None:
                    return Bound(*row)
        return None

    def put(self, tenant: str, source: str, key: str, bound: Bound) -> None:
        asked = self._asked  # an admission asks first
        known = asked[2] is key and asked[1] == source and asked[0] == tenant
        digest = self._asked_digest if known else key_digest(tenant, source, key)
        if self._fresh.setdefault(digest, bound).decision != bound.decision:
            raise InvariantViolation("I10", f"key {key} of {tenant} and {source} is bound to another decision")
        self._bound.append(digest + bound.decision.to_bytes(8) + bound.digest)

    def take_bound(self, first_seq: int, at_us: int, oldest_open: Callable[[], int | None], many: Many) -> bytes:
        """The keys bound since the last commit, packed for its row; adds to `many` what moves to a segment with it."""
        packed = b"".join(self._bound)
        moves = max(SLICE_KEYS, 4 * len(self._bound))
        self._bound = []
        if self._segment is not None:
            self._move(self._segment, moves, many)
        elif len(self._fresh) >= self._segment_keys:
            self._moving, self._fresh = self._fresh, {}
            self._run = sorted(self._moving, reverse=True)
            self._segment = Segment(self._next_id, first_seq, at_us, bytearray(self._segment_bits // 8))
            self._next_id += 1
            self._expire(at_us, oldest_open())
        if self._dropping:
            self._drop(moves, many)
        return packed

    def _move(self, segment: Segment, count: int, many: Many) -> None:
        """A slice of the run goes to the file; with the last one the segment answers in place of memory."""
        sieve, shelf = segment.sieve, self._shelf_of(segment.id)
        rows = many["add_key"] = []
        for digest in reversed(self._run[-count:]):
            bound = self._moving[digest]
            bit = int.from_bytes(digest[:8]) % self._segment_bits
            sieve[bit >> 3] |= 1 << (bit & 7)
            self._shelve(shelf, digest)
            rows.append((segment.id, digest, bound.decision, bound.digest))
        del self._run[-count:]
        if self._run:
            return
        shelf.segments.append(segment)
        row = (segment.id, segment.last_seq, segment.newest_us, len(self._moving), bytes(sieve))
        many["put_segment"] = [row]
        if segment.id % SHELF_STORED_EACH == 0 or segment.id % self._shelf_segments == 0:
            many["put_shelf"] = [(shelf.id, segment.id, bytes(shelf.sieve))]
        many.setdefault("set_meta", []).append(("keys_sealed_to", segment.last_seq))
        self._moving, self._segment = {}, None

    def _shelf_of(self, segment: int) -> Shelf:
        first = segment - (segment - 1) % self._shelf_segments
        if not self._shelves or self._shelves[-1].id < first:
            self._shelves.append(Shelf(first, bytearray(self._shelf_bits // 8)))
        return self._shelves[-1]

    def _shelve(self, shelf: Shelf, digest: bytes) -> None:
        hashed = int.from_bytes(digest[:8])
        for bit in (hashed % self._shelf_bits, (hashed >> 32) % self._shelf_bits):
            shelf.sieve[bit >> 3] |= 1 << (bit & 7)

    def _expire(self, at_us: int, oldest_open: int | None) -> None:
        """Forget the segments that are too old, but none that may hold the key of an open decision."""
        while self._shelves and self._shelves[0].segments:
            shelf = self._shelves[0]
            oldest = shelf.segments[0]
            needed = oldest_open is not None and oldest.last_seq >= oldest_open
            if oldest.newest_us + self.keep_us >= at_us or needed:
                return
            self._dropping.append(shelf.segments.pop(0))
            if not shelf.segments and len(self._shelves) > 1:
                self._shelves.pop(0)

    def _drop(self, count: int, many: Many) -> None:
        number = self._dropping[0].id
        if next(iter(self._db.execute(QUERIES["segment_keys"], (number,))), None) is not None:
            many["drop_keys"] = [(number, count)]
        else:
            many["drop_segment"] = [(number,)]
            self._dropping.popleft()

    def _load(self) -> None:
        for number, last_seq, newest_us, sieve in self._db.execute(QUERIES["all_segments"]):
            self._shelf_of(number).segments.append(Segment(number, last_seq, newest_us, bytearray(sieve)))
            self._next_id = number + 1
        stored = {number: (through, sieve) for number, through, sieve in self._db.execute(QUERIES["all_shelves"])}
        for shelf in self._shelves:
            through, sieve = stored.get(shelf.id, (0, b""))
            if len(sieve) != len(shelf.sieve):  # of another size than now
                through, sieve = 0, shelf.sieve
            shelf.sieve = bytearray(sieve)
            for segment in (segment for segment in shelf.segments if segment.id > through):
                for (digest,) in self._db.execute(QUERIES["segment_keys"], (segment.id,)):
                    self._shelve(shelf, digest)
        sealed_to = self._db.execute(QUERIES["get_meta"], ("keys_sealed_to",)).get
        for digest, decision, content in self._stored_since(sealed_to):
            self._fresh[digest] = Bound(decision, content)

    def _stored_since(self, seq: int) -> Iterator[tuple[bytes, int, bytes]]:
        for _, _, packed in self._db.execute(QUERIES["keys_after"], (seq,)):
            yield from bound_keys(packed)
