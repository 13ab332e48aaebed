"""How numbers, times and states read on a page. Pure; the clock is passed in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from lictor.errors import MalformedError

#: What stands where there is nothing to say.
NONE = "\N{EN DASH}"

#: What kind of news a state, result or ruling is: it chooses the colour, never alone the meaning.
TONES = {
    "admitted": "good", "succeeded": "good", "allow": "good", "allowed": "good", "compensated": "good",
    "approved": "good",
    "refused": "bad", "failed": "bad", "deny": "bad", "denied": "bad", "expired": "bad", "harm": "bad",
    "held": "wait", "hold": "wait", "deferred": "wait", "defer": "wait", "shed": "wait", "in_doubt": "wait",
    "in doubt": "wait", "pending": "wait", "quarantined": "wait", "amend": "note", "amended": "note",
    "running": "note", "started": "note", "compensating": "wait", "cancelled": "mute", "replayed": "mute",
    "discarded": "mute",
}  # fmt: skip

_encode = msgspec.json.Encoder(decimal_format="string", enc_hook=str).encode


def tone(word: Any) -> str:
    """The tone of a state."""
    return TONES.get(str(word), "mute")


def rate(per_s: float | None) -> str:
    """So much a second."""
    if per_s is None:
        return NONE
    if per_s == 0:
        return "0"
    return f"{per_s:,.0f}" if per_s >= 10 else f"{per_s:.1f}"  # noqa: PLR2004 - one decimal below ten


def count(number: Any) -> str:
    """A count with its thousands apart."""
    return NONE if number is None else f"{number:,}" if isinstance(number, int) else str(number)


def amount(value: Any) -> str:
    """An amount as the journal has it, thousands apart."""
    if value is None:
        return NONE
    try:
        whole, dot, rest = str(value).partition(".")
        return f"{int(whole):,}{dot}{rest}"
    except ValueError:
        return str(value)


def share(value: float | None, digits: int = 0) -> str:
    """A share of one as a percentage."""
    return NONE if value is None else f"{value:.{digits}%}"


def span(seconds: float | None) -> str:
    """A duration in the unit in which it is short."""
    if seconds is None:
        return NONE
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 120:  # noqa: PLR2004 - two minutes
        return f"{seconds:.3g} s"
    if seconds < 7200:  # noqa: PLR2004 - two hours
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"  # noqa: PLR2004


def clock(at_us: int | None) -> str:
    """The time of day, UTC, with milliseconds."""
    if at_us is None:
        return NONE
    return f"{datetime.fromtimestamp(at_us // 1_000_000, UTC):%H:%M:%S}.{at_us // 1000 % 1000:03d}"


def moment(at_us: int | None) -> str:
    """Day and time, UTC."""
    return NONE if at_us is None else f"{datetime.fromtimestamp(at_us // 1_000_000, UTC):%Y-%m-%d %H:%M:%S}"


def lately(at_us: int | None, now_us: int) -> str:
    """The time of day where it is today's, else the day too; UTC."""
    if at_us is None:
        return NONE
    found, today = (datetime.fromtimestamp(us // 1_000_000, UTC) for us in (at_us, now_us))
    return f"{found:%H:%M:%S}" if found.date() == today.date() else f"{found:%Y-%m-%d %H:%M}"


def time_us(text: str) -> int | None:
    """A time of a form, UTC; None where it is empty.

    Raises:
        MalformedError: it is none.
    """
    if not text:
        return None
    try:
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1e6)
    except ValueError:
        raise MalformedError(f"{text!r:.40} is no time", hint="write 2026-11-24T12:00, in UTC") from None


def iso(at_us: int) -> str:
    """For a `time` element."""
    return f"{datetime.fromtimestamp(at_us // 1_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def json(value: Any) -> str:
    """Data as indented JSON."""
    return msgspec.json.format(_encode(value), indent=2).decode()


def line(value: Any) -> str:
    """Data on one line."""
    return value if isinstance(value, str) else msgspec.json.format(_encode(value), indent=0).decode()


def chart(value: Any) -> str:
    """Data for a chart, as the text of an attribute; it is escaped like all else."""
    return _encode(value).decode()


FILTERS = {each.__name__: each for each in (
    tone, rate, count, amount, share, span, clock, lately, moment, iso, json, line, chart,
)}  # fmt: skip
