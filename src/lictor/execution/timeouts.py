"""The time-outs of one effector's calls: all equally long, so they end as they began and one timer is enough."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from lictor.runtime.clock import Clock

#: Calls that have ended are forgotten from this many on, without waiting for the timer.
_SWEEP_AT = 256


class Timed(Protocol):
    """A call that is timed."""

    started: float
    done: bool


T = TypeVar("T", bound=Timed)


class Timeouts(Generic[T]):
    """The time-outs of one effector's calls."""

    __slots__ = ("_armed", "_clock", "_end", "_seconds", "_watched")

    def __init__(self, clock: Clock, seconds: float, end: Callable[[T], None]) -> None:
        self._clock = clock
        self._seconds = seconds
        self._end = end
        self._watched: deque[T] = deque()
        self._armed = False

    def watch(self, call: T) -> None:
        """End this call when it takes too long."""
        watched = self._watched
        watched.append(call)
        if not self._armed:
            self._armed = True
            self._clock.call_later(self._seconds, self._sweep)
        elif len(watched) > _SWEEP_AT and watched[0].done:
            while watched and watched[0].done:
                watched.popleft()

    def _sweep(self) -> None:
        self._armed = False
        now = self._clock.monotonic()
        watched = deque(call for call in self._watched if not call.done)
        self._watched = watched
        # Added, not subtracted, as below: otherwise a rounding error asks for a timer of no time at all, for ever.
        while watched and watched[0].started + self._seconds <= now:
            self._end(watched.popleft())
        if watched:
            self._armed = True
            self._clock.call_later(watched[0].started + self._seconds - now, self._sweep)
