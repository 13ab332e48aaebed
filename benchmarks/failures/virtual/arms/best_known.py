"""`best-known`: an adaptive limit (Gradient2 or Vegas), a CoDel queue and a retry budget of 10 %, by published rules.

CoDel as Meta's folly has it for services (`Codel.cpp`: interval 100 ms, target 5 ms, drop on dequeue beyond twice the
target while overloaded). Budget as in gRPC's A6: ten tokens, a failure takes one, a success gives 0.1, and a retry is
made only while more than half are there (`research/overload.md` 1.1, 1.2, 1.4).
"""

from __future__ import annotations

import random
from collections import deque

from benchmarks.failures.virtual.arms.limits import Gradient2, Vegas, Windowed
from benchmarks.failures.virtual.arms.outcome import finished, shed
from benchmarks.failures.virtual.workload import D_US
from benchmarks.failures.virtual.world import Call, Job, Server, World

TRIES = 3
_BACKOFF_US = 10_000


class Codel:
    """Whether what is dequeued now has waited too long."""

    INTERVAL_US = 100_000
    TARGET_US = 5_000

    def __init__(self) -> None:
        self._min_us = 0
        self._until_us = 0
        self._reset = True
        self.overloaded = False

    def drops(self, delay_us: int, now_us: int) -> bool:
        """Judge one delay; the first of an interval is never dropped."""
        if now_us > self._until_us and not self._reset:
            self._reset = True
            self._until_us = now_us + self.INTERVAL_US
            self.overloaded = self._min_us > self.TARGET_US
        if self._reset:
            self._reset = False
            self._min_us = delay_us
            return False
        self._min_us = min(self._min_us, delay_us)
        return self.overloaded and delay_us > 2 * self.TARGET_US


class RetryBudget:
    """gRPC A6."""

    TOKENS_MAX = 10.0

    def __init__(self) -> None:
        self.tokens = self.TOKENS_MAX

    def succeeded(self) -> None:
        """One more success."""
        self.tokens = min(self.TOKENS_MAX, self.tokens + 0.1)

    def failed(self) -> bool:
        """One more failure; whether it may be retried."""
        self.tokens = max(0.0, self.tokens - 1.0)
        return self.tokens > self.TOKENS_MAX / 2


class BestKnown:
    """Limit, queue and budget."""

    def __init__(
        self, world: World, server: Server, seed: int, limit: type[Gradient2 | Vegas], *, timeout_us: int = D_US
    ) -> None:
        self.world = world
        self.server = server
        self.timeout_us = timeout_us
        self.limit = Windowed(limit(seed))
        self.codel = Codel()
        self.budget = RetryBudget()
        self.waiting: deque[tuple[int, Job]] = deque()
        self.inflight = 0
        self._draw = random.Random(f"best {seed}")

    def arrive(self, job: Job) -> None:
        """Start or wait."""
        self.waiting.append((self.world.now_us, job))
        self._fill()

    def _fill(self) -> None:
        now_us = self.world.now_us
        while self.waiting and self.inflight < self.limit.limit:
            since_us, job = self.waiting.popleft()
            if self.codel.drops(now_us - since_us, now_us):
                self._failed(job)
            else:
                self._start(job)

    def _start(self, job: Job) -> None:
        self.inflight += 1
        job.attempts += 1
        call = Call(job, job.service_us, self._returned)
        call.since_us = self.world.now_us
        self.world.at(self.world.now_us + self.timeout_us, self._timed_out, call)
        call.sent_us = self.world.now_us
        self.server.send(call)

    def _returned(self, call: Call) -> None:
        now_us = self.world.now_us
        if not call.told:
            call.told = True
            self.limit.sample(now_us - call.sent_us, now_us, self.inflight)
            self.inflight -= 1
            self.budget.succeeded()
        finished(call.job, now_us)
        self._fill()

    def _timed_out(self, call: Call) -> None:
        if call.told:
            return
        call.told = True
        now_us = self.world.now_us
        self.limit.sample(now_us - call.sent_us, now_us, self.inflight, dropped=True)
        self.inflight -= 1
        self._failed(call.job)
        self._fill()

    def _failed(self, job: Job) -> None:
        """Try again where the budget and the deadline allow, else say that it was refused."""
        now_us = self.world.now_us
        again_us = now_us + round(self._draw.random() * _BACKOFF_US * 2**job.extra)
        if self.budget.failed() and job.extra < TRIES - 1 and again_us < job.deadline_us:
            job.extra += 1
            self.world.at(again_us, self.arrive, job)
        elif job.started_us is None:
            shed(job, now_us)
