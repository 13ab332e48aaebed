"""`naive`: a task for each decision, tenacity's three tries under a time-out each, and a queue without bound.

A call that timed out is not taken back: the worker behind the queue does it all the same, as it does for anyone whose
caller has gone. Between tries it waits as `wait_random_exponential(multiplier=0.1, max=10)` does.
"""

from __future__ import annotations

import random

from benchmarks.failures.virtual.arms.outcome import finished
from benchmarks.failures.virtual.workload import D_US
from benchmarks.failures.virtual.world import Call, Job, Server, World

TRIES = 3
_WAIT_US, _WAIT_US_MAX = 100_000, 10_000_000


class Naive:
    """Tasks, tries and an unbounded queue."""

    def __init__(self, world: World, server: Server, seed: int, *, timeout_us: int = D_US) -> None:
        self.world = world
        self.server = server
        self.timeout_us = timeout_us
        self._draw = random.Random(f"naive {seed}")

    def arrive(self, job: Job) -> None:
        """Try, whatever the load."""
        job.attempts += 1
        call = Call(job, job.service_us, self._returned)
        self.world.at(self.world.now_us + self.timeout_us, self._timed_out, call)
        self.server.send(call)

    def _returned(self, call: Call) -> None:
        call.told = True
        finished(call.job, self.world.now_us)

    def _timed_out(self, call: Call) -> None:
        job = call.job
        if call.told or job.attempts >= TRIES:
            return
        wait_us = min(_WAIT_US_MAX, _WAIT_US * 2 ** (job.attempts - 1))
        self.world.at(self.world.now_us + round(self._draw.random() * wait_us), self.arrive, job)
