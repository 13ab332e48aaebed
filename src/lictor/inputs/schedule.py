"""When a cron expression fires: five fields, a time zone, and what daylight saving does to it.

Fields as in Vixie cron: minute, hour, day of month, month, day of week (0 and 7 are Sunday); lists, ranges, steps and
English three-letter names. Where both days are restricted (neither field begins with `*`), either suffices.

Daylight saving as in Debian's cron: where minute or hour begins with `*` the job follows the clock on the wall, so it
fires in both passes of an hour that comes twice and not in one that is skipped. Else it fires once a day: at the first
pass, and where its time is skipped, at the first minute after the skip.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from lictor.errors import DeclarationError

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_MINUTE, _DAY = timedelta(minutes=1), timedelta(days=1)
#: A schedule that has not fired for so long never will: the calendar repeats after 400 years, leap days after 8.
_SILENT_DAYS_MAX = 12 * 366


class Schedule:
    """A cron expression in a time zone."""

    def __init__(self, expression: str, timezone: str = "UTC") -> None:
        """Read the expression.

        Raises:
            DeclarationError: it is no cron expression, names no known zone, or never fires.
        """
        self.expression = expression
        fields = expression.split()
        if len(fields) != 5:  # noqa: PLR2004 - minute, hour, day, month, weekday
            raise DeclarationError(f"cron {expression!r}: {len(fields)} fields", hint="minute hour day month weekday")
        try:
            self.zone = ZoneInfo(timezone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise DeclarationError(f"no time zone {timezone!r}", hint="such as Europe/Berlin") from error
        minute, hour, day, month, weekday = fields
        self._minutes = sorted(_values(minute, 0, 59))
        self._hours = sorted(_values(hour, 0, 23))
        self._days = _values(day, 1, 31)
        self._months = _values(month, 1, 12, _MONTHS)
        self._weekdays = {value % 7 for value in _values(weekday, 0, 7, _WEEKDAYS)}
        self._either_day = not day.startswith("*") and not weekday.startswith("*")
        self._follows_the_wall = minute.startswith("*") or hour.startswith("*")
        if next(self.after(datetime(2024, 1, 1, tzinfo=UTC)), None) is None:
            raise DeclarationError(f"cron {expression!r} never fires")

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The moments later than this one at which it fires, in UTC, in order."""
        last, silent = moment.astimezone(UTC), 0
        # A day too early, because near a change of the clock the days of the zone overlap.
        day = moment.astimezone(self.zone).date() - _DAY
        coming: list[datetime] = []
        while silent < _SILENT_DAYS_MAX:
            coming = sorted({*coming, *self._fires(day)})
            day += _DAY
            horizon = datetime(day.year, day.month, day.day, tzinfo=self.zone).astimezone(UTC)
            ready = [fire for fire in coming if fire < horizon]
            coming = coming[len(ready) :]
            silent += 1
            for fire in ready:
                if fire > last:
                    last, silent = fire, 0
                    yield fire

    def _fires(self, day: date) -> Iterator[datetime]:
        """When it fires on one day of the zone, in UTC, perhaps with repetitions."""
        if not self._on(day):
            return
        for hour in self._hours:
            for minute in self._minutes:
                wall = datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001 - the zone comes next
                passes = [fire for fold in (0, 1) if (fire := self._real(wall, fold)) is not None]
                if self._follows_the_wall:
                    yield from passes
                else:
                    yield passes[0] if passes else self._after_the_skip(wall)

    def _on(self, day: date) -> bool:
        if day.month not in self._months:
            return False
        in_month, in_week = day.day in self._days, day.isoweekday() % 7 in self._weekdays
        return (in_month or in_week) if self._either_day else (in_month and in_week)

    def _real(self, wall: datetime, fold: int) -> datetime | None:
        """The moment at which the wall shows this time in its first or second pass; None where it is skipped."""
        fire = wall.replace(tzinfo=self.zone, fold=fold).astimezone(UTC)
        return fire if fire.astimezone(self.zone).replace(tzinfo=None, fold=0) == wall else None

    def _after_the_skip(self, wall: datetime) -> datetime:
        while (fire := self._real(wall, 0)) is None:
            wall += _MINUTE
        return fire


def _values(field: str, low: int, high: int, names: list[str] | None = None) -> set[int]:
    """All values of one field.

    Raises:
        DeclarationError: it is malformed or out of range.
    """

    def number(text: str) -> int:
        if names is not None and text.lower() in names:
            return names.index(text.lower()) + low
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise DeclarationError(f"cron field {field!r}: {text!r} is not {low} to {high}")
        return int(text)

    values: set[int] = set()
    for part in field.split(","):
        span, slash, step_text = part.partition("/")
        step = int(step_text) if step_text.isascii() and step_text.isdigit() else 0
        if slash and (not 0 < step <= high or not (span == "*" or "-" in span)):
            raise DeclarationError(f"cron field {field!r}: a step is 1 to {high}, and of a range or *")
        first, dash, end = span.partition("-")
        start, stop = (low, high) if span == "*" else (number(first), number(end) if dash else number(first))
        if start > stop:
            raise DeclarationError(f"cron field {field!r}: {span} runs backwards")
        values.update(range(start, stop + 1, step or 1))
    return values
