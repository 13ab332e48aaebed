"""Quarantine: signals kept aside with their reason, until someone replays or discards them.

Keeps the journal's entries indexed and bounded; what it has to write are `Quarantine` verbs. The journal holds the
entries themselves, so that they survive a restart.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from hashlib import blake2b

import msgspec

from lictor.journal.port import Quarantine
from lictor.records import Quarantined, Signal

from .finding import Finding
from .stored_signal import store

#: Bytes that all kept entries may have together.
BYTES_MAX = 64 << 20
DETAIL_MAX = 500
#: Replayed entries that are remembered; a restart forgets them.
REPLAYED_MAX = 1_000


class Quarantining:
    """The entries that are kept, and what is to be written about them."""

    def __init__(self, entries_max: int, next_id: Callable[[int], int]) -> None:
        self._entries_max = entries_max
        self._next = next_id
        self._kept: Mapping[int, Quarantined] = {}
        self._sizes: dict[int, int] = {}
        self._bytes = 0
        self._same: dict[bytes, int] = {}
        self._digests: dict[int, bytes] = {}
        self._verbs: list[Quarantine] = []
        self._replayed: OrderedDict[int, Quarantined] = OrderedDict()

    def recover(self, kept: Mapping[int, Quarantined]) -> None:
        """Take up what the journal keeps; `kept` is its own mapping, which it goes on changing."""
        self._kept = kept
        for entry in kept.values():
            self._index(entry, _identity(entry.source, entry.signal))

    def keep(self, source: str, signal: Signal, finding: Finding, now_us: int) -> tuple[int | None, bool]:
        """Keep a signal: the id of its entry, None where the quarantine is full (I17), and whether the entry is new.

        What is kept already is not kept twice, so that a file that is read again does not fill the quarantine again.
        """
        stored = store(signal)
        digest = _identity(source, stored)
        if digest is not None and (known := self._same.get(digest)) is not None:
            return known, False
        if len(self._sizes) >= self._entries_max or self._bytes + len(stored) > BYTES_MAX:
            return None, False
        detail = finding.detail[:DETAIL_MAX].encode(errors="backslashreplace").decode()
        entry = Quarantined(
            id=self._next(now_us),
            source=source,
            at_us=now_us,
            reason=str(finding.reason),
            detail=detail,
            signal=stored,
        )
        self._index(entry, digest)
        self._verbs.append(Quarantine(entry))
        return entry.id, True

    def replayed(self, id_: int, by: str) -> None:
        """The entry's signal has become a decision, in the same transaction."""
        entry = self._kept.get(id_)
        if entry is not None and id_ in self._sizes:
            self._verbs.append(Quarantine(msgspec.structs.replace(entry, state="replayed", by=by)))
            self.forget(id_)
            self._replayed[id_] = entry
            if len(self._replayed) > REPLAYED_MAX:
                self._replayed.popitem(last=False)

    def find(self, id_: int) -> Quarantined | None:
        """The entry, while it is kept."""
        return self._kept.get(id_)

    def find_replayed(self, id_: int) -> Quarantined | None:
        """The entry, when it was replayed lately: whoever asks for it again gets the answer that it got."""
        return self._replayed.get(id_)

    def forget(self, id_: int) -> None:
        """It is no longer kept."""
        self._bytes -= self._sizes.pop(id_, 0)
        if id_ in self._digests:
            del self._same[self._digests.pop(id_)]

    def verbs(self) -> list[Quarantine]:
        """What is to be written."""
        verbs, self._verbs = self._verbs, []
        return verbs

    def _index(self, entry: Quarantined, digest: bytes | None) -> None:
        self._sizes[entry.id] = len(entry.signal)
        self._bytes += len(entry.signal)
        if digest is not None and digest not in self._same:
            self._digests[entry.id] = digest
            self._same[digest] = entry.id


def _identity(source: str, stored: bytes) -> bytes | None:
    """What makes two signals the same; None without a key, because then each arrival stands for itself."""
    if b'"key":' not in stored:
        return None
    return blake2b(source.encode() + b"\0" + stored, digest_size=16).digest()
