"""How a commit's facts are packed into its row, and taken out again; amounts as text. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

import msgspec

from lictor.errors import JournalDamagedError
from lictor.journal import codec, port
from lictor.records import Amount

#: [event, decision or None, body]
PackedFact = tuple[str, int | None, bytes]
#: [salt, payload], or [digest] of an erased one.
PackedPayload = tuple[bytes, bytes] | tuple[bytes] | None
#: [ordinal, decision, source or None where it was refused]
PackedEnd = tuple[int, int, str | None]

KEY_BYTES = 56

pack = msgspec.msgpack.Encoder(decimal_format="string").encode
_facts = msgspec.msgpack.Decoder(list[PackedFact]).decode
_payloads = msgspec.msgpack.Decoder(list[list[bytes] | None]).decode
_raw = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_fact = msgspec.msgpack.Decoder(PackedFact).decode
_payload = msgspec.msgpack.Decoder(list[bytes] | None).decode
_ends = msgspec.msgpack.Decoder(list[PackedEnd]).decode


class Commit(NamedTuple):
    """A stored commit, as far as facts are read from it."""

    first_seq: int
    id: int
    at_us: int
    size: int
    facts: bytes | None
    payloads: bytes | None


def facts(packed: bytes | None) -> list[PackedFact]:
    """The facts of a commit; none where they are archived."""
    try:
        return _facts(packed) if packed is not None else []
    except msgspec.DecodeError as error:
        raise JournalDamagedError(f"a commit cannot be read: {error}") from error


def payloads(packed: bytes | None, count: int) -> list[list[bytes] | None]:
    """Salt and payload of each fact; None where it has none."""
    try:
        return _payloads(packed) if packed is not None else [None] * count
    except msgspec.DecodeError as error:
        raise JournalDamagedError(f"payloads of a commit cannot be read: {error}") from error


def ends(packed: bytes) -> list[PackedEnd]:
    """What became terminal in a commit."""
    try:
        return _ends(packed)
    except msgspec.DecodeError as error:
        raise JournalDamagedError(f"the ends of a commit cannot be read: {error}") from error


def bound_keys(packed: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    """(digest of the key, decision, digest of its content) of each key that a commit bound."""
    for start in range(0, len(packed), KEY_BYTES):
        entry = packed[start : start + KEY_BYTES]
        yield entry[:16], int.from_bytes(entry[16:24]), entry[24:]


class Opened:
    """A commit whose facts are told apart and not yet read: for whoever wants one of many."""

    __slots__ = ("_facts", "_payloads", "commit")

    def __init__(self, commit: Commit) -> None:
        try:
            self._facts = _raw(commit.facts) if commit.facts is not None else []
            self._payloads = _raw(commit.payloads) if commit.payloads is not None else []
        except msgspec.DecodeError as error:
            raise JournalDamagedError(f"a commit cannot be read: {error}") from error
        self.commit = commit._replace(facts=None, payloads=None)

    def row(self, ordinal: int) -> port.HistoryRow | None:
        """One fact; None where it is archived."""
        if not self._facts:
            return None
        try:
            event, decision, body = _fact(self._facts[ordinal])
            payload = _payload(self._payloads[ordinal]) if self._payloads else None
        except msgspec.DecodeError as error:
            raise JournalDamagedError(f"a commit cannot be read: {error}") from error
        return _row(self.commit, ordinal, event, decision, body, payload)


def history_rows(commit: Commit) -> Iterator[port.HistoryRow]:
    """All facts of a commit that are not archived."""
    packed = facts(commit.facts)
    kept = payloads(commit.payloads, commit.size)
    for ordinal in range(len(packed)):
        yield unpack(commit, ordinal, packed, kept)


def unpack(
    commit: Commit,
    ordinal: int,
    packed: list[PackedFact],
    kept: list[list[bytes] | None],
) -> port.HistoryRow:
    """One fact of a commit whose columns are already taken apart."""
    event, decision, body = packed[ordinal]
    return _row(commit, ordinal, event, decision, body, kept[ordinal])


def _row(
    commit: Commit, ordinal: int, event: str, decision: int | None, body: bytes, payload: list[bytes] | None
) -> port.HistoryRow:
    content = payload[1] if payload is not None and len(payload) > 1 else b""
    verb = codec.decode(event, body, content)
    return port.HistoryRow(commit.first_seq + ordinal, commit.id, commit.at_us, decision, event, verb)


def amount_text(amount: Amount) -> str:
    """An amount as it is stored."""
    return str(amount)


def amount(text: str) -> Amount:
    """A stored amount; equal to the one that was stored."""
    try:
        return int(text)
    except ValueError:
        return Decimal(text)
