"""Why a signal is not trusted: each finding has a code of its own, so that quarantine can be sorted by it."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from lictor.errors import Code
from lictor.records import Signal


class Reason(StrEnum):
    """What is wrong with a signal in quarantine."""

    #: It does not fit the type of its kind.
    SCHEMA = "schema"
    #: A field of the signal itself (key, tenant, deadline, ...) makes no sense.
    ENVELOPE = "envelope"
    #: A line or row of a file from which no signal could be read.
    UNREADABLE = "unreadable"
    #: The payload is larger than `PAYLOAD_BYTES_MAX`.
    SIZE = "size"
    #: It is nested deeper than `DEPTH_MAX`.
    DEPTH = "depth"
    #: A number is not finite, or an integer does not fit 64 bits.
    NUMBER = "number"
    #: An object has the same key twice, so that readers could disagree on what it says.
    DUPLICATE_KEY = "duplicate_key"
    #: It is no UTF-8, or has half a surrogate pair.
    UNICODE = "unicode"
    #: It is no JSON.
    JSON = "json"
    #: Too old, or of unknown age where an age is required.
    STALE = "stale"
    #: Sent in the future.
    FUTURE = "future"
    #: Outside its declared range.
    RANGE = "range"
    #: Numbers of its source are missing before it.
    GAP = "gap"
    #: A number that its source has passed.
    ORDER = "order"
    #: A number that its source has just used.
    REPEAT = "repeat"
    #: The same content was there a moment ago.
    DUPLICATE = "duplicate"
    #: Too far from the running median.
    OUTLIER = "outlier"


class Finding(NamedTuple):
    """Why a signal is not trusted. Without a `reason` it is refused with the code, else it goes into quarantine."""

    code: Code
    detail: str
    reason: Reason | None = None


class Unreadable(NamedTuple):
    """A piece of input that makes no signal: what could be read of it, for quarantine, and what is wrong."""

    signal: Signal
    detail: str
    reason: Reason = Reason.UNREADABLE


def found(reason: Reason, detail: str) -> Finding:
    """A finding that puts the signal into quarantine."""
    return Finding(Code.MALFORMED if reason in _MALFORMED else Code.QUARANTINED, detail, reason)


_MALFORMED = frozenset(
    {
        Reason.SCHEMA,
        Reason.ENVELOPE,
        Reason.UNREADABLE,
        Reason.SIZE,
        Reason.DEPTH,
        Reason.NUMBER,
        Reason.DUPLICATE_KEY,
        Reason.UNICODE,
        Reason.JSON,
    }
)
