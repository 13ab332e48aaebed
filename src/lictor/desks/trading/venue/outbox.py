"""Messages on their way to one client, in order; reports are kept on disk until they are with its FIX session.

Two files: `<path>.outbox`, one JSON line a report, appended, and `<path>.handed`, how many of them have been handed
over. From then on the session's own store resends what the client did not get. A crash in between hands one over twice,
with the same ExecID. Unsynced, like the truth log. Once all is handed over, the next opening starts an empty file.
Answers to questions are not kept: they wait in the same order, but only as long as the client is there.
"""

from __future__ import annotations

import json
import os
from collections import deque
from pathlib import Path
from typing import NamedTuple

from lictor.desks.trading.fix.wire import Fields


class Outgoing(NamedTuple):
    """A message to be sent; `kept` until the client has it, or only while it is logged on."""

    msg_type: str
    fields: Fields
    kept: bool


class Outbox:
    """First in, first out. Raises OSError if its files cannot be opened or written."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path.with_suffix(".outbox"), os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._count_file = os.open(path.with_suffix(".handed"), os.O_RDWR | os.O_CREAT, 0o600)
        self._handed = int(os.pread(self._count_file, 20, 0) or b"0")
        lines = os.pread(self._file, os.fstat(self._file).st_size, 0).split(b"\n")[:-1]
        self._waiting: deque[Outgoing] = deque(self._read(line) for line in lines[self._handed :])
        if not self._waiting:
            os.ftruncate(self._file, 0)
            self._handed = 0
            self._write_count()

    @staticmethod
    def _read(line: bytes) -> Outgoing:
        kind, fields = json.loads(line)
        return Outgoing(kind, {int(tag): value for tag, value in fields.items()}, kept=True)

    def _write_count(self) -> None:
        os.pwrite(self._count_file, b"%019d" % self._handed, 0)

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, msg_type: str, fields: Fields, *, kept: bool = True) -> None:
        """Queue one message."""
        if kept:
            os.write(self._file, json.dumps([msg_type, fields], separators=(",", ":")).encode() + b"\n")
        self._waiting.append(Outgoing(msg_type, fields, kept))

    def first(self) -> Outgoing:
        """The oldest that waits. Raises IndexError if none does."""
        return self._waiting[0]

    def handed_over(self) -> None:
        """The oldest is with the session now."""
        if self._waiting.popleft().kept:
            self._handed += 1
            self._write_count()

    def client_left(self) -> None:
        """Answers to a client that has gone are for nobody."""
        self._waiting = deque(outgoing for outgoing in self._waiting if outgoing.kept)

    def close(self) -> None:
        """Close the files."""
        os.close(self._file)
        os.close(self._count_file)
