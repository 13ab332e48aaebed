"""What a FIX session remembers: both sequence numbers, and of the messages sent only those worth sending again.

Reads and writes two files: `<path>.numbers`, both numbers overwritten in place, and `<path>.sent`, the bodies of the
kinds in `replay`, appended. Neither is synced: they survive the death of the process, not of the machine. That is
enough, because no guarantee rests on them: the venue's outbox and the status question after each log-on carry those.

Two habits of the engine are turned round here. It replays every message that the store gives it, stale orders included;
so this store keeps no order, and the engine fills the gap instead. And it counts an inbound message as received before
the application has seen it; so this store writes that number only in `settle`: a crash in between has it sent again.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from fixcore.store.base import MessageStore

SENT_KEPT_MAX = 100_000


class SessionStore(MessageStore):  # type: ignore[misc]
    """An append-only store for one session. Raises OSError if its files cannot be opened or written."""

    def __init__(self, path: Path, replay: Collection[str] = ()) -> None:
        """`replay`: the message types that a resend request gets back as they were; all others become a gap fill."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._replay = tuple(f"\x0135={kind}\x01".encode() for kind in replay)
        self._numbers = os.open(path.with_suffix(".numbers"), os.O_RDWR | os.O_CREAT, 0o600)
        self._bodies = os.open(path.with_suffix(".sent"), os.O_RDWR | os.O_CREAT, 0o600) if replay else -1
        self._places: dict[int, tuple[int, int]] = {}
        self._end = 0
        sender, target = os.pread(self._numbers, 40, 0).split() or (b"1", b"1")
        self._sender, self._target, self._settled = int(sender), int(target), int(target)
        self._created = datetime.now(tz=UTC)
        self._index()

    def _index(self) -> None:
        """Find the bodies in the file; a torn last one is cut off."""
        if self._bodies < 0:
            return
        content = os.pread(self._bodies, os.fstat(self._bodies).st_size, 0)
        while (line := content.find(b"\n", self._end)) >= 0:
            seq_num, size = (int(part) for part in content[self._end : line].split())
            if line + 1 + size > len(content):
                break
            self._places[seq_num] = (line + 1, size)
            self._end = line + 1 + size
        os.ftruncate(self._bodies, self._end)

    def _write(self) -> None:
        os.pwrite(self._numbers, b"%019d %019d\n" % (self._sender, self._settled), 0)

    def settle(self) -> None:
        """The application has taken everything that arrived so far: never ask for it again."""
        if self._settled != self._target:
            self._settled = self._target
            self._write()

    def get(self, begin_seq: int, end_seq: int) -> list[bytes]:
        places = (self._places.get(seq) for seq in range(begin_seq, end_seq + 1))
        return [os.pread(self._bodies, size, start) for start, size in filter(None, places)]

    def set(self, seq_num: int, message: bytes) -> None:
        head = message[:64]
        if not any(kind in head for kind in self._replay):
            return
        record = b"%d %d\n" % (seq_num, len(message))
        os.pwrite(self._bodies, record + message, self._end)
        self._places[seq_num] = (self._end + len(record), len(message))
        self._end += len(record) + len(message)
        if len(self._places) > SENT_KEPT_MAX:
            del self._places[next(iter(self._places))]

    def next_sender_msg_seq_num(self) -> int:
        return self._sender

    def next_target_msg_seq_num(self) -> int:
        return self._target

    def incr_next_sender_msg_seq_num(self) -> None:
        self.set_next_sender_msg_seq_num(self._sender + 1)

    def incr_next_target_msg_seq_num(self) -> None:
        self._target += 1

    def set_next_sender_msg_seq_num(self, seq_num: int) -> None:
        self._sender = seq_num
        self._write()

    def set_next_target_msg_seq_num(self, seq_num: int) -> None:
        self._target = seq_num

    def get_creation_time(self) -> datetime:
        return self._created

    def set_creation_time(self, when: datetime) -> None:
        self._created = when

    def reset(self) -> None:
        self._sender = self._target = self._settled = 1
        self._places.clear()
        self._end = 0
        self._write()
        if self._bodies >= 0:
            os.ftruncate(self._bodies, 0)

    def refresh(self) -> None:
        """Nothing to reload: no one else writes these files."""

    def close(self) -> None:
        os.close(self._numbers)
        if self._bodies >= 0:
            os.close(self._bodies)
