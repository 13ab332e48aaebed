"""What arms act on: `servers` calls at a time, a queue behind them, each call exactly as long as it was drawn.

Event loops count timers in whole milliseconds, which is a twentieth of a call here and would favour whichever arm keeps
its loop busiest; so the ends of calls come from one kernel timer with nanoseconds. A call that is cancelled gives its
server back at once.
"""

from __future__ import annotations

import asyncio
import ctypes
import heapq
import os
import struct
import time
from array import array
from collections import deque
from collections.abc import Callable

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLOCK_MONOTONIC, _NONBLOCK, _ABSOLUTE = 1, os.O_NONBLOCK, 1
_NEVER_US = 1 << 62


class KernelTimer:
    """Calls back at a time of the monotonic clock, to a few microseconds."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop, self._ring = loop, ring
        self._fd = _LIBC.timerfd_create(_CLOCK_MONOTONIC, _NONBLOCK)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "this kernel has no timerfd")
        loop.add_reader(self._fd, self._rang)

    def set(self, at_ns: int) -> None:
        """Ring then, instead of whatever was set before."""
        wanted = struct.pack("qqqq", 0, 0, at_ns // 1_000_000_000, at_ns % 1_000_000_000)
        _LIBC.timerfd_settime(self._fd, _ABSOLUTE, wanted, None)

    def _rang(self) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:  # it was set again meanwhile
            return
        self._ring()

    def close(self) -> None:
        """Ring no more."""
        self._loop.remove_reader(self._fd)
        os.close(self._fd)


class Unavailable(Exception):
    """The downstream is out and did nothing."""


class Downstream:
    """Its servers, and a log by number of what it saw: microseconds from the start of the stage."""

    def __init__(self, servers: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._timer = KernelTimer(self._loop, self._due)
        self._servers = servers
        self._zero_ns = time.monotonic_ns()
        self.reset()
        self.watch(0, array("d"))

    def reset(self) -> None:
        """All servers idle, nothing queued; who still waits is cancelled."""
        for future in [f for _, _, f in getattr(self, "_busy", ())] + [f for _, f in getattr(self, "_queue", ())]:
            future.cancel()
        self._free = self._servers
        self._queue: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._busy: list[tuple[int, int, asyncio.Future[None]]] = []
        self._set_ns = 0
        self.outage_us: tuple[int, int] | None = None

    def watch(self, first: int, service_s: array[float]) -> None:
        """A new stage: what these numbers take, and an empty log."""
        self.first = first
        self._service_ns = [int(seconds * 1e9) for seconds in service_s]
        count = len(service_s)
        self.started_us = array("q", [_NEVER_US]) * count
        self.ended_us = array("q", [_NEVER_US]) * count
        self.calls = array("H", [0]) * count

    def begin(self, at_ns: int) -> None:
        """When the stage starts, by the monotonic clock."""
        self._zero_ns = at_ns

    def now_us(self) -> int:
        """Microseconds since the stage started."""
        return self.at_us(time.monotonic_ns())

    def at_us(self, at_ns: int) -> int:
        """A time of the monotonic clock as microseconds since the stage started."""
        return (at_ns - self._zero_ns) // 1000

    async def call(self, number: int) -> None:
        """Act.

        Raises:
            Unavailable: it is out, and nothing was done.
        """
        place = number - self.first
        mine = 0 <= place < len(self.calls)  # else it was asked for in an earlier stage
        if mine:
            self.calls[place] += 1
        if self.outage_us is not None and self.outage_us[0] <= self.now_us() < self.outage_us[1]:
            raise Unavailable
        future: asyncio.Future[None] = self._loop.create_future()
        if self._free:
            self._free -= 1
            self._start(number, future)
        else:
            self._queue.append((number, future))
        try:
            await future
        except asyncio.CancelledError:
            self._forget(future)
            raise
        if mine and self.first + place == number and place < len(self.ended_us):
            self.ended_us[place] = min(self.ended_us[place], self.now_us())

    def _start(self, number: int, future: asyncio.Future[None]) -> None:
        place = number - self.first
        took_ns = self._service_ns[place % len(self._service_ns)] if self._service_ns else 0
        now_ns = time.monotonic_ns()
        if 0 <= place < len(self.started_us) and self.started_us[place] == _NEVER_US:
            self.started_us[place] = (now_ns - self._zero_ns) // 1000
        heapq.heappush(self._busy, (now_ns + took_ns, number, future))
        if not self._set_ns or self._busy[0][0] < self._set_ns:
            self._set()

    def _set(self) -> None:
        self._set_ns = self._busy[0][0] if self._busy else 0
        if self._busy:
            self._timer.set(self._set_ns)

    def _due(self) -> None:
        now_ns = time.monotonic_ns()
        while self._busy and self._busy[0][0] <= now_ns:
            _, _, future = heapq.heappop(self._busy)
            if not future.done():
                future.set_result(None)
                self._freed()
        self._set()

    def _freed(self) -> None:
        while self._queue:
            number, future = self._queue.popleft()
            if not future.done():
                self._start(number, future)
                return
        self._free += 1

    def _forget(self, future: asyncio.Future[None]) -> None:
        """A call was cancelled: its server is free; one that still stood in the queue is passed over."""
        for place, (_, _, busy) in enumerate(self._busy):
            if busy is future:
                self._busy[place] = self._busy[-1]
                self._busy.pop()
                heapq.heapify(self._busy)
                self._freed()
                return

    def close(self) -> None:
        """No more."""
        self.reset()
        self._timer.close()
