"""A downstream of unknown capacity, in virtual time: parallel servers behind a queue that the caller cannot see.

Its servers can become fewer or more, slower or faster, and it can hang. Service times are lognormal with mean 1 and
coefficient of variation `cv`, so that all times are in mean service times.
"""

import heapq
import math
import random
from collections import deque


class Downstream:
    """Calls go in by `begin`; what is due comes out of `next`."""

    def __init__(self, servers: int, *, seed: int = 1, cv: float = 1.0) -> None:
        self.random = random.Random(seed)
        self.servers = servers
        self.factor = 1.0
        self.hangs = False
        self.now = 0.0
        self.running = 0
        self.waiting: deque[int] = deque()
        self._ends: list[tuple[float, int]] = []
        self._deviation = math.sqrt(math.log(1 + cv * cv))

    @property
    def p99(self) -> float:
        """The 99th percentile of its service time."""
        return self.factor * math.exp(2.326 * self._deviation - self._deviation**2 / 2)

    def service(self) -> float:
        d = self._deviation
        return self.factor * math.exp(self.random.gauss(-d * d / 2, d)) if d else self.factor

    def begin(self, call: int) -> None:
        self.waiting.append(call)
        self._serve()

    def _serve(self) -> None:
        while self.waiting and self.running < self.servers and not self.hangs:
            self.running += 1
            heapq.heappush(self._ends, (self.now + self.service(), self.waiting.popleft()))

    def next_at(self) -> float:
        return self._ends[0][0] if self._ends and not self.hangs else math.inf

    def next(self) -> int:
        """The call that is done next; the time is then."""
        at, call = heapq.heappop(self._ends)
        self.now = max(self.now, at)
        self.running -= 1
        self._serve()
        return call

    def change(self, *, servers: int | None = None, factor: float | None = None, hangs: bool | None = None) -> None:
        if servers is not None:
            self.servers = servers
        if factor is not None:
            self._ends = [(self.now + (at - self.now) * factor / self.factor, call) for at, call in self._ends]
            heapq.heapify(self._ends)
            self.factor = factor
        if hangs is not None:
            if self.hangs and not hangs:  # what ran goes on from here
                self._ends = [(max(at, self.now), call) for at, call in self._ends]
                heapq.heapify(self._ends)
            self.hangs = hangs
        self._serve()
