"""How decisions cross from the generator to an arm: the same for every arm, and cheap.

A Unix stream socket carries frames: four bytes of length, one byte that says what it is, then msgpack. A batch frame
is an array of arrivals that were all encoded before the clock started.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

#: What a frame is.
DRAW, READY, GO, BEGUN, BATCH, END = range(6)

_HEAD = struct.Struct("<IB")


def frame(what: int, body: bytes = b"") -> bytes:
    """One frame."""
    return _HEAD.pack(len(body), what) + body


def batch(encoded: Sequence[bytes]) -> bytes:
    """A frame with so many encoded arrivals: msgpack's head of an array, then they."""
    return frame(BATCH, b"\xdd" + struct.pack(">I", len(encoded)) + b"".join(encoded))


class Frames:
    """Cuts a stream of bytes into frames."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """What is complete by now, in order."""
        rest = self._rest
        rest += data
        at = 0
        while len(rest) - at >= _HEAD.size:
            length, what = _HEAD.unpack_from(rest, at)
            end = at + _HEAD.size + length
            if len(rest) < end:
                break
            yield what, bytes(rest[at + _HEAD.size : end])
            at = end
        del rest[:at]
