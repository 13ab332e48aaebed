"""Time, as a thing that is passed in.

Recorded times are whole microseconds of the wall clock; durations are seconds of a monotonic clock. No other file of
the engine reads a clock, so a simulation or an accelerated run owns all of time by passing its own `Clock`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """What the engine knows of time."""

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back; only differences mean anything."""
        ...

    def wall_us(self) -> int:
        """Microseconds since the Unix epoch; may jump, so the engine clamps what it records."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for that many of this clock's seconds."""
        ...

    def call_later(self, seconds: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Run a callback on the running loop after that many of this clock's seconds."""
        ...


class SystemClock(Clock):
    """The machine's own clock."""

    __slots__ = ()

    monotonic = staticmethod(time.monotonic)

    def wall_us(self) -> int:
        return time.time_ns() // 1000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(max(0.0, seconds), callback)


class SteadyClock:
    """A node's own time: the wall clock as it was at the start, moved on by the monotonic clock alone.

    Whoever sets the wall clock of a running machine neither stretches nor ends a deadline (I5), and no record is dated
    before an earlier one (I16). `start` clamps it to the last recorded time, as after a restart DESIGN section 4 asks.
    """

    __slots__ = ("_ahead_us", "_clock", "monotonic")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        #: Read for every attempt, so no call of our own stands in between.
        self.monotonic = clock.monotonic
        self.start(0)

    @property
    def outside(self) -> Clock:
        """The clock as it is set now: what the times that others wrote, and schedules, are held against."""
        return self._clock

    def start(self, recorded_us: int) -> None:
        """Read the wall clock anew; never before what was recorded."""
        now_us = max(self._clock.wall_us(), recorded_us)
        self._ahead_us = now_us - int(self._clock.monotonic() * 1e6)

    def wall_us(self) -> int:
        return self._ahead_us + int(self.monotonic() * 1e6)

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        return self._clock.call_later(seconds, callback)


@dataclass(frozen=True, slots=True)
class ScaledClock(Clock):
    """A clock that runs `speed` times as fast as the machine's and starts at a wall time of one's choice.

    Two processes of one machine that are given the same three numbers read the same time, because
    `time.monotonic()` is one clock for the whole machine.
    """

    origin_monotonic: float
    origin_wall_us: int
    speed: float

    @classmethod
    def starting_now(cls, origin_wall_us: int, speed: float) -> ScaledClock:
        """A clock that reads `origin_wall_us` at this moment."""
        return cls(time.monotonic(), origin_wall_us, speed)

    def monotonic(self) -> float:
        return (time.monotonic() - self.origin_monotonic) * self.speed

    def wall_us(self) -> int:
        return self.origin_wall_us + int(self.monotonic() * 1e6)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.speed)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(max(0.0, seconds / self.speed), callback)
