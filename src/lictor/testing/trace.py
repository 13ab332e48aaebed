"""What a simulated run did, step by step, and a digest that proves an exact replay.

Writes nothing. A record is (kind, t, seq, machine, label). Labels are qualified names, never a `repr`, an address or a
hash, so that two processes with the same seed produce the same bytes.
"""

from __future__ import annotations

import hashlib

import msgspec

Record = tuple[str, float, int, str, str]

#: Records that are kept before they are folded into the digest.
FOLD = 4096

_ENCODER = msgspec.json.Encoder()


class Trace:
    """An append-only list of records with a running SHA-256. `recent` is for the loop, which appends to it directly."""

    __slots__ = ("_before", "_sha", "count", "kept", "recent")

    def __init__(self, *, keep: bool = False) -> None:
        self.recent: list[Record] = []
        self.kept: list[Record] | None = [] if keep else None
        self.count = 0
        self._before: list[Record] = []
        self._sha = hashlib.sha256()

    def fold(self) -> None:
        """Move what is recent into the digest. The result does not depend on when this is called."""
        if not self.recent:
            return
        self._sha.update(_ENCODER.encode_lines(self.recent))
        self.count += len(self.recent)
        if self.kept is not None:
            self.kept.extend(self.recent)
        self._before = self.recent[-256:]
        self.recent.clear()

    def digest(self) -> str:
        """Hexadecimal SHA-256 over all records so far."""
        self.fold()
        return self._sha.hexdigest()

    def tail(self, count: int) -> list[Record]:
        """The latest records, oldest first; at most 256 of them are sure to be there unless the trace keeps all."""
        return [*self._before, *self.recent][-count:]
