"""One fact as the tree has it: what its hash covers, and what of it an export shows. Pure.

The leaf of a fact is SHA-256(event || body || payload digest), which the journal stores with its commit; the payload
digest SHA-256(salt || payload), or 32 zero bytes where there is none, so that a payload can go and its fact still be
proved. The Merkle tree is over entries: the commit and its time, 8 bytes each, and the leaf.
"""

from __future__ import annotations

from hashlib import sha256

import msgspec

NO_PAYLOAD = bytes(32)


def leaf(event: str, body: bytes, digest: bytes) -> bytes:
    """The hash that a commit has of a fact; `digest` is its payload's."""
    return sha256(event.encode() + body + digest).digest()


def payload_digest(salt: bytes, payload: bytes) -> bytes:
    """Salted, so that an erased payload cannot be guessed from it."""
    return sha256(salt + payload).digest() if payload else NO_PAYLOAD


def stamp(commit: int, at_us: int) -> bytes:
    """What the entries of a commit begin with."""
    return commit.to_bytes(8) + at_us.to_bytes(8)


class Fact(msgspec.Struct, frozen=True, tag="fact", tag_field="lictor", forbid_unknown_fields=True, omit_defaults=True):
    """One fact as an export shows it: with its payload, with the payload's digest, or only as a leaf."""

    seq: int
    commit: int
    at_us: int
    leaf: bytes
    event: str | None = None
    body: bytes | None = None
    #: Of a payload that is not shown.
    digest: bytes | None = None
    salt: bytes | None = None
    payload: bytes | None = None

    def entry(self) -> bytes:
        """What the tree is over."""
        return stamp(self.commit, self.at_us) + self.leaf

    def fault(self) -> str | None:
        """Why what it shows is not what was committed; None where it is, or shows nothing."""
        if not (0 < self.commit < 1 << 63 and 0 <= self.at_us < 1 << 63) or len(self.leaf) != len(NO_PAYLOAD):
            return "is no fact"
        if self.event is None or self.body is None:
            shown = (self.event, self.body, self.digest, self.salt, self.payload)
            return None if shown == (None,) * len(shown) else "shows a part of itself"
        if (self.salt is None) != (self.payload is None) or (self.salt is not None and self.digest is not None):
            return "shows a part of its payload"
        digest = self.digest or NO_PAYLOAD
        if self.salt is not None and self.payload is not None:
            digest = payload_digest(self.salt, self.payload)
        return None if leaf(self.event, self.body, digest) == self.leaf else "is not as it was committed"
