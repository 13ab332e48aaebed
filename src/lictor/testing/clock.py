"""A machine's clock in simulation: the loop's virtual time, seen through a clock that may drift and be set.

It implements `lictor.runtime.clock.Clock`. The monotonic clock runs at a rate of its own and never goes back; the wall
clock follows it and jumps when someone sets it. Timers that are already waiting keep the moment that they were given.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from functools import partial

from lictor.testing.loop import SimLoop

#: 2026-01-01T00:00:00Z, where the wall clock of a simulation starts unless it is told otherwise.
EPOCH_US = 1_767_225_600_000_000

#: Seconds a second. Real ones stay below 1e-3.
DRIFT_MAX = 0.5


class SimClock:
    """One machine's clock. It outlives the machine's crashes, as the clock on a board does."""

    def __init__(self, loop: SimLoop, *, wall_us: int = EPOCH_US, drift: float = 0.0) -> None:
        self._loop = loop
        self._wall_us = wall_us
        # Monotonic time is `_read` at virtual time `_at`, and gains `_rate` seconds a second since.
        self._at = loop.time()
        self._read = 0.0
        self._rate = 1.0
        self.drift(drift)

    def monotonic(self) -> float:
        return self._monotonic_at(self._loop.time())

    def wall_us(self) -> int:
        return self._wall_us + round(self.monotonic() * 1e6)

    async def sleep(self, seconds: float) -> None:
        future = self._loop.create_future()
        timer = self.call_later(seconds, partial(_wake, future))
        try:
            await future
        finally:
            timer.cancel()

    def call_later(self, seconds: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """When it is called back, this clock has moved by at least that much, however the floats were rounded."""
        due = self.monotonic() + max(0.0, seconds)
        when = self._loop.time() + max(0.0, seconds) / self._rate
        while self._monotonic_at(when) < due:
            when = math.nextafter(when, math.inf)
        return self._loop.call_at(when, callback)

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward, or back; the monotonic clock does not notice."""
        self._loop.note("clock", f"jump {seconds:+g} s")
        self._wall_us += round(seconds * 1e6)

    def drift(self, drift: float) -> None:
        """From now on gain that many seconds a second (1e-4 is 100 ppm) on true time, or lose them."""
        if not -DRIFT_MAX <= drift <= DRIFT_MAX:
            raise ValueError(f"no clock is off by half: drift {drift}")
        now = self._loop.time()
        self._read, self._at, self._rate = self._monotonic_at(now), now, 1.0 + drift

    def _monotonic_at(self, moment: float) -> float:
        return self._read + (moment - self._at) * self._rate


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
