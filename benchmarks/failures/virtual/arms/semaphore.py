"""`semaphore`: a fixed limit and a bounded queue, first in, first out; who finds it full is refused at once.

Tuned by hand to this load: the queue holds what the slots do in half of a deadline, which leaves the other half for the
service. It knows neither classes nor deadlines.
"""

from __future__ import annotations

from collections import deque

from benchmarks.failures.virtual.arms.outcome import finished, shed
from benchmarks.failures.virtual.workload import D_US, S_US
from benchmarks.failures.virtual.world import Call, Job, Server, World


class Semaphore:
    """A limit and a queue."""

    def __init__(self, world: World, server: Server, seed: int) -> None:
        self.world = world
        self.server = server
        self.free = server.slots
        self.waiting: deque[Job] = deque()
        self.waiting_max = server.slots * D_US // (2 * S_US)

    def arrive(self, job: Job) -> None:
        """Start, wait, or be refused."""
        if self.free:
            self._start(job)
        elif len(self.waiting) < self.waiting_max:
            self.waiting.append(job)
        else:
            shed(job, self.world.now_us)

    def _start(self, job: Job) -> None:
        self.free -= 1
        job.attempts += 1
        self.server.send(Call(job, job.service_us, self._returned))

    def _returned(self, call: Call) -> None:
        self.free += 1
        finished(call.job, self.world.now_us)
        if self.waiting:
            self._start(self.waiting.popleft())
