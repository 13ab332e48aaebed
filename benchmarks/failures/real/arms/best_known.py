"""An adaptive limit (Gradient2, or Vegas), a CoDel queue and a retry budget of 10 %: the virtual rig's own rules."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.failures.real.arm import EXPIRED, FAILED, REFUSED, SUCCEEDED, Arm
from benchmarks.failures.real.downstream import Unavailable
from benchmarks.failures.real.schedule import Arrival
from benchmarks.failures.virtual.arms.best_known import TRIES, Codel, RetryBudget
from benchmarks.failures.virtual.arms.limits import Gradient2, Vegas, Windowed

_BACKOFF_S = 0.01


class Waiting(NamedTuple):
    """What stands in the queue: since when, by when it has to end, and how often it was tried."""

    number: int
    since_us: int
    deadline_us: int
    tries: int


class BestKnown(Arm):
    """Gradient2."""

    limit = Gradient2

    async def open(self) -> None:
        self._limit = Windowed(self.limit(1))
        self._codel, self._budget = Codel(), RetryBudget()
        self._queue: deque[Waiting] = deque()
        self._draw = random.Random(1)
        self._inflight = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def offer(self, batch: Sequence[Arrival]) -> None:
        now_us, within_us = time.monotonic_ns() // 1000, int(self.rig.workload.deadline_s * 1e6)
        late_us = self.rig.downstream.now_us()
        for arrival in batch:
            deadline_us = now_us - late_us + arrival.due_us + within_us
            self._queue.append(Waiting(arrival.number, now_us, deadline_us, 0))
        self._fill()

    def _fill(self) -> None:
        now_us = time.monotonic_ns() // 1000
        while self._queue and self._inflight < self._limit.limit:
            one = self._queue.popleft()
            if self._codel.drops(now_us - one.since_us, now_us):
                self._failed(one, now_us, REFUSED)
                continue
            self._inflight += 1
            task = asyncio.create_task(self._run(one))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self, one: Waiting) -> None:
        began_us = time.monotonic_ns() // 1000
        end = SUCCEEDED
        try:
            async with asyncio.timeout(self.rig.workload.deadline_s):
                await self.rig.downstream.call(one.number)
        except TimeoutError:
            end = EXPIRED
        except Unavailable:
            end = FAILED
        now_us = time.monotonic_ns() // 1000
        self._limit.sample(now_us - began_us, now_us, self._inflight, dropped=end != SUCCEEDED)
        self._inflight -= 1
        if end == SUCCEEDED:
            self._budget.succeeded()
            self.rig.clients.told(one.number, SUCCEEDED)
        else:
            self._failed(one, now_us, end)
        self._fill()

    def _failed(self, one: Waiting, now_us: int, end: int) -> None:
        """Try again where the budget and the deadline allow."""
        wait_s = self._draw.random() * _BACKOFF_S * 2**one.tries
        again = self._budget.failed() and one.tries < TRIES - 1 and now_us + 1e6 * wait_s < one.deadline_us
        if again and not self._closed:
            asyncio.get_running_loop().call_later(wait_s, self._again, one)
        else:
            self.rig.clients.told(one.number, end)

    def _again(self, one: Waiting) -> None:
        if not self._closed:
            self._queue.append(one._replace(since_us=time.monotonic_ns() // 1000, tries=one.tries + 1))
            self._fill()

    async def close(self) -> None:
        self._closed = True
        self._queue.clear()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class BestKnownVegas(BestKnown):
    """Vegas."""

    limit = Vegas
