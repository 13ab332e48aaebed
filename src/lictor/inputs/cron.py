"""A schedule as a source: at each tick a decision, under the scheduled time as its key, so that none is made twice.

What was missed while nothing ran is caught up by a declared policy. Where it had come to is read from the journal: the
source's latest decision with a key of this schedule.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any, Literal

from lictor.errors import DeclarationError
from lictor.journal.port import Filter, Journal
from lictor.records import Signal
from lictor.runtime.clock import Clock

from .pulling import Surroundings
from .schedule import Schedule

CatchUp = Literal["skip", "once", "all"]

#: The wall clock may be set, so it is read again at least so often.
NAP_S = 60.0
_PAGE = 1_000
_PAGES_MAX = 10
_FORMAT = "%Y-%m-%dT%H:%MZ"


class Cron:
    """Decisions at the ticks of a cron expression, for `node.pull`; it never ends by itself.

    `catch_up` says what becomes of ticks that are already past when it looks: `all` are made, `once` makes the latest
    of them, `skip` makes the latest only if it is at most `late_max_s` late.
    """

    def __init__(
        self,
        name: str,
        expression: str,
        make: Callable[[datetime], Any],
        *,
        timezone: str = "UTC",
        source: str | None = None,
        catch_up: CatchUp = "once",
        late_max_s: float = 60.0,
        since: datetime | None = None,
        **options: Any,
    ) -> None:
        """Describe the schedule.

        Args:
            name: What its ticks are known by, for good: part of their keys.
            expression: Minute, hour, day of month, month, weekday; see `lictor.inputs.schedule`.
            make: From the scheduled time, in the zone, to a value of a declared kind. Pure.
            timezone: In which the expression is meant.
            source: Who decides; `name` unless given.
            catch_up: `skip`, `once` or `all`.
            late_max_s: For `skip`.
            since: Where to begin when nothing of it is in the journal; now unless given.
            **options: Fields of the signal: `tenant`, `priority`, `expires_in_s`, ...

        Raises:
            DeclarationError: the expression, the zone or the policy is none.
        """
        if catch_up not in {"skip", "once", "all"}:
            raise DeclarationError(f"catch_up={catch_up!r}", hint="skip, once or all")
        if since is not None and since.tzinfo is None:
            raise DeclarationError(f"since={since}: say in which zone")
        self.name = name
        self.schedule = Schedule(expression, timezone)
        self._make = make
        self._source = source or name
        self._catch_up = catch_up
        self._late_max_s = late_max_s
        self._since = since
        self._options = options

    async def signals(self, around: Surroundings) -> AsyncIterator[Signal]:
        """A signal at each tick, when its time has come."""
        clock = around.clock
        start = await self._last(around.journal) or self._since or _now(clock)
        ticks = self.schedule.after(start)
        coming = next(ticks)  # there is always another: the schedule has been tried when it was declared
        while True:
            await _until(coming, clock)
            due, coming, now = coming, next(ticks), _now(clock)
            while self._catch_up != "all" and coming <= now:
                due, coming = coming, next(ticks)
            if self._catch_up != "skip" or (now - due).total_seconds() <= self._late_max_s:
                yield self._signal(due, around)

    def _signal(self, tick: datetime, around: Surroundings) -> Signal:
        value = self._make(tick.astimezone(self.schedule.zone))
        kind = around.app.kind_of.get(type(value))
        if kind is None:
            raise DeclarationError(f"cron {self.name}: {type(value).__name__} is no decision kind of {around.app.name}")
        text = tick.strftime(_FORMAT)
        return Signal(
            **self._options,
            kind=kind.name,
            value=value,
            source=self._source,
            key=f"cron:{self.name}:{text}",
            sent_us=int(tick.timestamp()) * 1_000_000,
            position=text,
        )

    async def _last(self, journal: Journal) -> datetime | None:
        """The latest tick that the journal has a decision of."""
        prefix, before = f"cron:{self.name}:", None
        for _ in range(_PAGES_MAX):
            rows = await journal.decisions(Filter(source=self._source, before=before, limit=_PAGE))
            for row in rows:
                if row.key is not None and row.key.startswith(prefix):
                    return datetime.strptime(row.key.removeprefix(prefix), _FORMAT).replace(tzinfo=UTC)
            if len(rows) < _PAGE:
                return None
            before = rows[-1].id
        return None


def _now(clock: Clock) -> datetime:
    return datetime.fromtimestamp(clock.wall_us() / 1e6, UTC)


async def _until(tick: datetime, clock: Clock) -> None:
    while (left_s := tick.timestamp() - clock.wall_us() / 1e6) > 0:
        await clock.sleep(min(left_s, NAP_S))
