"""The index of keys: what was bound lately in memory, the rest in segments; a lookup costs the same at any size.

A commit's row carries the keys that it bound. When enough have gathered in memory, they move into the current segment
as one sorted run, a slice with each later commit. A lookup asks each segment's sieve (one bit a key, 3 % of strangers
pass) before it asks the file. Segments whose youngest key is older than `keep_us` are dropped, a slice with each
commit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

import apsw

from lictor.journal.open import Open
from lictor.journal.state import Bound

from .packing import bound_keys
from .queries import QUERIES

RUN_KEYS = 65_536
SLICE_KEYS = 512
SEGMENT_KEYS = 1_048_576
#: 32 bits for each key of a full segment.
SIEVE_BITS = 32 * SEGMENT_KEYS
#: Keys outlive the deadline and any approval.
KEEP_US = 7 * 86_400 * 1_000_000

Many = dict[str, list[tuple[Any, ...]]]


def key_digest(tenant: str, source: str, key: str) -> bytes:
    """What a key is found by: 16 bytes of SHA-256, scoped to tenant and source."""
    return sha256(f"{tenant}\0{source}\0{key}".encode()).digest()[:16]


class Segment:
    """Up to `SEGMENT_KEYS` keys of one stretch of time, in the file; only their sieve is in memory."""

    __slots__ = ("count", "id", "last_seq", "newest_us", "sieve")

    def __init__(self, number: int, bits: int) -> None:
        self.id = number
        self.last_seq = 0
        self.newest_us = 0
        self.count = 0
        self.sieve: bytearray = bytearray(bits // 8)

    def add(self, digest: bytes) -> None:
        """Let a digest pass."""
        bit = int.from_bytes(digest[:8]) % (len(self.sieve) * 8)
        self.sieve[bit >> 3] |= 1 << (bit & 7)


class StoredKeys:
    """The keys of a SQLite journal; `db` is a connection that reads."""

    def __init__(
        self,
        db: apsw.Connection,
        *,
        run_keys: int = RUN_KEYS,
        segment_keys: int = SEGMENT_KEYS,
        keep_us: int = KEEP_US,
    ) -> None:
        self._db = db
        self._run_keys = run_keys
        self._segment_keys = segment_keys
        self._sieve_bits = 32 * segment_keys
        self.keep_us = keep_us
        self._fresh: dict[bytes, Bound] = {}
        self._sealing: dict[bytes, Bound] = {}
        self._run: list[bytes] = []
        self._run_last_seq = 0
        self._run_newest_us = 0
        self._bound: list[bytes] = []
        self._asked, self._asked_digest = ("", "", ""), b""
        self._dropping: deque[int] = deque()
        self._segments: list[Segment] = []
        self._load()

    def get(self, tenant: str, source: str, key: str) -> Bound | None:
        digest = key_digest(tenant, source, key)
        self._asked, self._asked_digest = (tenant, source, key), digest
        found = self._fresh.get(digest)
        if found is None and self._sealing:
            found = self._sealing.get(digest)
        if found is not None or not self._segments:
            return found
        hashed = int.from_bytes(digest[:8])
        for segment in self._segments:
            bit = hashed % self._sieve_bits
            if segment.sieve[bit >> 3] >> (bit & 7) & 1:
                row = self._db.execute(QUERIES["find_key"], (segment.id, digest)).fetchone()
                if row is not None:
                    return Bound(*row)
        return None

    def put(self, tenant: str, source: str, key: str, bound: Bound) -> None:
        asked = self._asked  # an admission asks first
        known = asked[2] is key and asked[1] == source and asked[0] == tenant
        digest = self._asked_digest if known else key_digest(tenant, source, key)
        self._fresh[digest] = bound
        self._bound.append(digest + bound.decision.to_bytes(8) + bound.digest)

    def take_bound(self, first_seq: int, at_us: int, still_open: Mapping[int, Open], many: Many) -> bytes:
        """The keys bound since the last commit, packed for its row; adds to `many` what moves to a segment with it."""
        packed = b"".join(self._bound)
        moves = max(SLICE_KEYS, 4 * len(self._bound))
        self._bound = []
        if self._run:
            self._move(moves, many)
        elif len(self._fresh) >= self._run_keys:
            self._begin_run(first_seq, at_us)
            self._expire(at_us, still_open)
        if self._dropping:
            self._drop(moves, many)
        return packed

    def _begin_run(self, first_seq: int, at_us: int) -> None:
        self._sealing, self._fresh = self._fresh, {}
        self._run = sorted(self._sealing, reverse=True)
        self._run_last_seq, self._run_newest_us = first_seq, at_us
        if not self._segments or self._segments[-1].count + len(self._run) > self._segment_keys:
            self._segments.append(Segment(self._segments[-1].id + 1 if self._segments else 1, self._sieve_bits))

    def _move(self, count: int, many: Many) -> None:
        segment = self._segments[-1]
        rows = many["add_key"] = []
        for digest in reversed(self._run[-count:]):
            bound = self._sealing[digest]
            segment.add(digest)
            rows.append((segment.id, digest, bound.decision, bound.digest))
        del self._run[-count:]
        if self._run:
            return
        segment.count += len(self._sealing)
        segment.last_seq, segment.newest_us = self._run_last_seq, self._run_newest_us
        full = segment.count + self._run_keys > self._segment_keys
        sieve = bytes(segment.sieve) if full else None
        many["put_segment"] = [(segment.id, segment.last_seq, segment.newest_us, segment.count, sieve)]
        many.setdefault("set_meta", []).append(("keys_sealed_to", segment.last_seq))
        self._sealing = {}

    def _expire(self, at_us: int, still_open: Mapping[int, Open]) -> None:
        """Forget the segments that are too old, but none that may hold the key of an open decision."""
        oldest_open = min((found.born for found in still_open.values()), default=self._run_last_seq + 1)
        while len(self._segments) > 1:
            segment = self._segments[0]
            if segment.newest_us + self.keep_us >= at_us or segment.last_seq >= oldest_open:
                return
            self._dropping.append(self._segments.pop(0).id)

    def _drop(self, count: int, many: Many) -> None:
        number = self._dropping[0]
        if next(iter(self._db.execute(QUERIES["segment_keys"], (number,))), None) is not None:
            many["drop_keys"] = [(number, count)]
        else:
            many["drop_segment"] = [(number,)]
            self._dropping.popleft()

    def _load(self) -> None:
        for number, last_seq, newest_us, count, sieve in self._db.execute(QUERIES["all_segments"]):
            segment = Segment(number, 0 if sieve else self._sieve_bits)
            segment.last_seq, segment.newest_us, segment.count = last_seq, newest_us, count
            if sieve:
                segment.sieve = bytearray(sieve)
            else:
                for (digest,) in self._db.execute(QUERIES["segment_keys"], (number,)):
                    segment.add(digest)
            self._segments.append(segment)
        sealed_to = self._db.execute(QUERIES["get_meta"], ("keys_sealed_to",)).get
        for digest, decision, content in self._stored_since(sealed_to):
            self._fresh[digest] = Bound(decision, content)

    def _stored_since(self, seq: int) -> Iterator[tuple[bytes, int, bytes]]:
        for _, _, packed in self._db.execute(QUERIES["keys_after"], (seq,)):
            yield from bound_keys(packed)
