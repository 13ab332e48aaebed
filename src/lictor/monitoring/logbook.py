"""Structured logs: one JSON line for each notable event, through the standard library's logger `lictor`.

The line is the message itself, so every handler writes JSON lines; `{"at": ..., "event": ..., ...}` with the node's
own time, secrets redacted before any handler sees them. A flood of one event is cut to a few lines a second and its
rest counted, because a log is no place for load.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import msgspec

from lictor.runtime.clock import Clock

from .redaction import Redactor

#: Lines of one event in one second; the rest is counted and told with the next line of that event.
LINES_PER_SECOND_MAX = 20

#: Events that someone should look at, and events that someone must.
WARNINGS = frozenset(
    {
        "alert_raised",
        "callback_failing",
        "demoted",
        "halted",
        "in_doubt",
        "lesson_failed",
        "outcome_failed",
        "overrun",
        "pull_failed",
        "quarantined",
        "question_failed",
        "reference_failed",
        "shed",
        "stopped_waiting",
        "unresolved",
    }
)
ERRORS = frozenset({"node_failed"})

_encode = msgspec.json.Encoder(decimal_format="string").encode


class Logbook:
    """Writes the log of one node."""

    def __init__(self, clock: Clock, redact: Redactor, logger: logging.Logger | None = None) -> None:
        self._clock = clock
        self._redact = redact
        self._logger = logger or logging.getLogger("lictor")
        #: event -> [second, lines in it, cut since the last line]
        self._lines: dict[str, list[int]] = {}
        #: Lines that could not be written: a value without a text, a handler that raised. Telling stops nobody.
        self.lost = 0

    @property
    def debugging(self) -> bool:
        """Someone wants a line for every decision."""
        return self._logger.isEnabledFor(logging.DEBUG)

    def note(self, event: str, /, **fields: Any) -> None:
        """One notable event."""
        level = logging.ERROR if event in ERRORS else logging.WARNING if event in WARNINGS else logging.INFO
        self._write(level, event, fields)

    def debug(self, event: str, /, **fields: Any) -> None:
        """One decision's event."""
        self._write(logging.DEBUG, event, fields)

    def _write(self, level: int, event: str, fields: dict[str, Any]) -> None:
        if not self._logger.isEnabledFor(level):
            return
        try:
            self._line(level, event, fields)
        except Exception:  # noqa: BLE001 - users' values and handlers; the turn goes on
            self.lost += 1

    def _line(self, level: int, event: str, fields: dict[str, Any]) -> None:
        at_us = self._clock.wall_us()
        cut = self._cut(event, at_us // 1_000_000) if level > logging.DEBUG else 0
        if cut is None:
            return
        line = {
            "at": stamp(at_us),
            "level": logging.getLevelName(level).lower(),
            "event": event,
            **self._redact(fields),
        }
        if cut:
            line["cut_before"] = cut
        self._logger.log(level, "%s", _encode(line).decode(), extra={"event": event})

    def _cut(self, event: str, second: int) -> int | None:
        """How many lines were cut before this one; None where this one is cut, too."""
        count = self._lines.setdefault(event, [second, 0, 0])
        if count[0] != second:
            count[0], count[1] = second, 0
        if count[1] >= LINES_PER_SECOND_MAX:
            count[2] += 1
            return None
        count[1] += 1
        cut, count[2] = count[2], 0
        return cut


def stamp(at_us: int) -> str:
    """A recorded time as people read it: ISO 8601 in UTC, with milliseconds."""
    return (
        datetime.fromtimestamp(at_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{at_us // 1000 % 1000:03d}Z"
    )
