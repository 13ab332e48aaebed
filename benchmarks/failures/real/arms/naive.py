"""What is written first: a task for each decision, an unbounded queue to a pool of workers, and tenacity.

Whoever times out asks again, three times in all, and what it asked first stays in the queue: nobody takes it out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from tenacity import AsyncRetrying, RetryError, stop_after_attempt, wait_random_exponential

from benchmarks.failures.real.arm import FAILED, SUCCEEDED, Arm
from benchmarks.failures.real.downstream import Unavailable
from benchmarks.failures.real.schedule import Arrival

TRIES = 3


class Job(NamedTuple):
    """What stands in the queue."""

    number: int
    done: asyncio.Future[None]


class Naive(Arm):
    """Tasks, retries, and a queue that takes everything."""

    async def open(self) -> None:
        self._queue: asyncio.Queue[Job] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._workers = [asyncio.create_task(self._work()) for _ in range(self.rig.workload.servers)]

    def offer(self, batch: Sequence[Arrival]) -> None:
        for arrival in batch:
            task = asyncio.create_task(self._decide(arrival.number))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _decide(self, number: int) -> None:
        deadline_s = self.rig.workload.deadline_s
        retrying = AsyncRetrying(
            stop=stop_after_attempt(TRIES), wait=wait_random_exponential(multiplier=deadline_s / 2, max=4 * deadline_s)
        )
        try:
            async for attempt in retrying:
                with attempt:
                    await self._try(number, deadline_s)
        except RetryError:
            self.rig.clients.told(number, FAILED)
        else:
            self.rig.clients.told(number, SUCCEEDED)

    async def _try(self, number: int, timeout_s: float) -> None:
        job = Job(number, asyncio.get_running_loop().create_future())
        self._queue.put_nowait(job)
        async with asyncio.timeout(timeout_s):
            await job.done

    async def _work(self) -> None:
        while True:
            job = await self._queue.get()
            try:
                await self.rig.downstream.call(job.number)
            except Unavailable as error:
                if not job.done.done():
                    job.done.set_exception(error)
            else:
                if not job.done.done():
                    job.done.set_result(None)

    async def close(self) -> None:
        for task in (*self._tasks, *self._workers):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._workers, return_exceptions=True)
