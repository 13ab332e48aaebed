"""A fixed limit and a bounded queue, first in, first out; who finds it full is refused at once.

Tuned by hand to this load, like its twin in virtual time: the queue holds what the servers do in half of a deadline.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from benchmarks.failures.real.arm import FAILED, REFUSED, SUCCEEDED, Arm
from benchmarks.failures.real.downstream import Unavailable
from benchmarks.failures.real.schedule import Arrival


class Semaphore(Arm):
    """A limit and a queue."""

    async def open(self) -> None:
        workload = self.rig.workload
        self._free = workload.servers
        self._waiting: deque[int] = deque()
        self._waiting_max = int(workload.nominal_per_s * workload.deadline_s / 2)
        self._tasks: set[asyncio.Task[None]] = set()

    def offer(self, batch: Sequence[Arrival]) -> None:
        for arrival in batch:
            if self._free:
                self._free -= 1
                self._start(arrival.number)
            elif len(self._waiting) < self._waiting_max:
                self._waiting.append(arrival.number)
            else:
                self.rig.clients.told(arrival.number, REFUSED)

    def _start(self, number: int) -> None:
        task = asyncio.create_task(self._run(number))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, number: int) -> None:
        while True:
            try:
                await self.rig.downstream.call(number)
            except Unavailable:
                self.rig.clients.told(number, FAILED)
            else:
                self.rig.clients.told(number, SUCCEEDED)
            if not self._waiting:
                self._free += 1
                return
            number = self._waiting.popleft()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
