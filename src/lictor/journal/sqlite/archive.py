"""Archives of old history: one JSON line a commit, gzipped, written and synced before anything leaves the journal.

A line has the commit's id, first position and time, and its facts as [event, decision, body, salt, payload], bytes in
base64. What is archived can be put back for `verify`, which holds it to the leaves that the journal keeps.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from lictor.errors import JournalDamagedError

from .packing import Commit, facts, pack, payloads

ArchivedFact = tuple[str, int | None, bytes, bytes, bytes]


class Line(msgspec.Struct):
    """One archived commit."""

    id: int
    first_seq: int
    at_us: int
    facts: list[ArchivedFact]

    @classmethod
    def of(cls, commit: Commit) -> Line:
        """A stored commit, taken apart."""
        kept = payloads(commit.payloads, commit.size)
        told = [
            (event, decision, body, *_salt_and_payload(payload))
            for (event, decision, body), payload in zip(facts(commit.facts), kept, strict=True)
        ]
        return cls(commit.id, commit.first_seq, commit.at_us, told)

    def packed(self) -> tuple[bytes, bytes]:
        """Its `facts` and `payloads`, as they were stored."""
        told = [(event, decision, body) for event, decision, body, _, _ in self.facts]
        kept = [_payload(salt, content) for _, _, _, salt, content in self.facts]
        return pack(told), pack(kept)


def _salt_and_payload(payload: list[bytes] | None) -> tuple[bytes, bytes]:
    """A digest of an erased payload stands where its salt would, with nothing behind it."""
    if payload is None:
        return b"", b""
    return (payload[0], payload[1]) if len(payload) > 1 else (payload[0], b"")


def _payload(salt: bytes, content: bytes) -> list[bytes] | None:
    if content:
        return [salt, content]
    return [salt] if salt else None


def write(path: Path, commits: Iterable[Commit]) -> None:
    """Append commits to an archive, durably; a gzip file may have several parts."""
    encode = msgspec.json.Encoder().encode
    with path.open("ab") as file:
        with gzip.GzipFile(fileobj=file, mode="ab", mtime=0) as packed:
            for commit in commits:
                packed.write(encode(Line.of(commit)) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read(path: Path) -> Iterator[Line]:
    """The commits of an archive.

    Raises:
        JournalDamagedError: it cannot be read to its end.
    """
    decode = msgspec.json.Decoder(Line).decode
    try:
        with gzip.open(path) as lines:
            for line in lines:
                yield decode(line)
    except (OSError, EOFError, msgspec.DecodeError) as error:
        raise JournalDamagedError(f"the archive {path} cannot be read: {error}") from error
