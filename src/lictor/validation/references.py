"""References as they were last loaded. The node loads them off the path and puts them here; gates only read."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec

from lictor.records import Read

from .evidence import NotKept, encode, keep

#: A larger value is kept by its digest alone, and rehearse calls the decisions that read it undecidable.
STORED_BYTES_MAX = 1 << 20


class LoadedReference:
    """One version of a reference."""

    __slots__ = ("at_us", "read", "stored", "value", "version")

    def __init__(self, name: str, value: Any, at_us: int) -> None:
        self.value = value
        self.at_us = at_us
        try:
            raw = encode(keep(value))
            self.version = sha256(raw).hexdigest()[:16]
            #: What the journal keeps; empty where the value is too large or has no plain form.
            self.stored = raw if len(raw) <= STORED_BYTES_MAX else b""
        except (NotKept, TypeError, ValueError, msgspec.MsgspecError):
            self.version = f"opaque-{at_us}"
            self.stored = b""
        self.read = Read(name, self.version)


class References(dict[str, LoadedReference]):
    """The last loaded version of each reference, by name."""

    def put(self, name: str, value: Any, at_us: int) -> LoadedReference | None:
        """Take a freshly loaded value; the loaded version when it differs from the one before, else None."""
        before = self.get(name)
        loaded = LoadedReference(name, value, at_us)
        self[name] = loaded
        return loaded if before is None or before.version != loaded.version else None
