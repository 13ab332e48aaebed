"""One line of a timeline, and how numbers, times and values read in it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

#: Longer values are cut in sentences; the data of the line has them whole.
BRIEF_MAX = 120

_encode = msgspec.json.Encoder(decimal_format="string").encode


@dataclass(frozen=True, slots=True)
class Line:
    """When, what, as a sentence and as data."""

    at_us: int
    event: str
    text: str
    data: dict[str, Any]

    def __str__(self) -> str:
        return f"{clock_time(self.at_us)} {self.text}"


def clock_time(at_us: int) -> str:
    """The time of day in UTC, with milliseconds."""
    return f"{datetime.fromtimestamp(at_us // 1_000_000, UTC):%H:%M:%S}.{at_us // 1000 % 1000:03d}"


def day(at_us: int) -> str:
    """The day in UTC."""
    return f"{datetime.fromtimestamp(at_us // 1_000_000, UTC):%Y-%m-%d}"


def duration(span_us: int) -> str:
    """A span in the unit in which it is short."""
    if span_us < 1_000_000:  # noqa: PLR2004 - a second
        return f"{span_us / 1000:.1f} ms"
    seconds = span_us / 1e6
    if seconds < 120:  # noqa: PLR2004 - two minutes
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"  # noqa: PLR2004 - two hours


def amount(value: Any) -> str:
    """An amount with its thousands apart."""
    return f"{value:,}" if isinstance(value, int | Decimal) else str(value)


def brief(value: Any) -> str:
    """A value as short JSON."""
    text = value if isinstance(value, str) else _encode(value).decode()
    return text if len(text) <= BRIEF_MAX else f"{text[:BRIEF_MAX]}..."
